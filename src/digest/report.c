/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What goes to the monitor, and where it ends. */
#include "digest/digest.h"

#include "os/clock.h"
#include "os/process.h"

#include <errno.h>
#include <poll.h>

enum { SAY_EVERY_MS = 1000 };

/* The monitor takes them at its own pace. */
static void send_message(struct digest *digest, const struct digest_message *message)
{
    int result;
    while ((result = message_send(digest->channel, message, sizeof *message, NULL, 0)) == -EAGAIN) {
        struct pollfd channel = {.fd = digest->channel, .events = POLLOUT};
        poll(&channel, 1, -1);
    }
    if (result < 0)
        digest->over = -result;
    digest->said_ms = clock_monotonic_ms();
}

void digest_begin(struct digest *digest, int channel)
{
    uint64_t now = clock_monotonic_ms();
    digest->channel = channel;
    digest->said_ms = now;
    digest->until_ms = now + 1000ull * DIGEST_SECONDS_MAX;
}

bool digest_go_on(struct digest *digest)
{
    uint64_t now = clock_monotonic_ms();
    if (!digest->over && now >= digest->until_ms)
        digest->over = ETIME;
    if (!digest->over && digest->bytes > DIGEST_BYTES_MAX)
        digest->over = EFBIG;
    if (!digest->over && now - digest->said_ms >= SAY_EVERY_MS)
        send_message(digest,
                     &(struct digest_message){.kind = DIGEST_PROGRESS, .files = digest->files, .size = digest->bytes});
    return !digest->over;
}

bool digest_report(struct digest *digest, struct digest_message *message)
{
    if (!digest->over && digest->files >= DIGEST_FILES_MAX)
        digest->over = EOVERFLOW;
    if (digest->over)
        return false;
    digest->files++;
    message->kind = DIGEST_FILE;
    send_message(digest, message);
    return digest_go_on(digest);
}

void digest_end(struct digest *digest)
{
    if (digest->over != EPIPE)
        send_message(digest,
                     &(struct digest_message){
                         .kind = DIGEST_END, .files = digest->files, .size = digest->bytes, .error = digest->over});
}
