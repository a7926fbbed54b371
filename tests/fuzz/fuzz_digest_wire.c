/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as a message of the digest helper, and any name as one that it sends: what the monitor accepts can be shown
 * and put in order, and every name can be said.
 */
#include "base/text.h"
#include "fuzz.h"
#include "model/digest_wire.h"

#include <stdlib.h>
#include <string.h>

static int sign(int number)
{
    return (number > 0) - (number < 0);
}

static void check_order(const char *a, const char *b)
{
    require(digest_order(a, a) == 0 && digest_order(b, b) == 0);
    require(sign(digest_order(a, b)) == -sign(digest_order(b, a)));
    require((digest_order(a, b) == 0) == (strcmp(a, b) == 0));
    /* A directory comes right before what is in it. */
    char below[DIGEST_PATH_MAX + 3];
    size_t length = strlen(a);
    memcpy(below, a, length);
    memcpy(below + length, "/x", sizeof "/x");
    require(digest_order(a, below) < 0);
    if (!strchr(b, '/') && strcmp(a, b) != 0)
        require(sign(digest_order(below, b)) == sign(digest_order(a, b)));
}

static void check_message(const struct digest_message *message)
{
    require(message->error >= 0 && message->kind >= DIGEST_FILE && message->kind <= DIGEST_END);
    if (message->kind != DIGEST_FILE)
        return;
    require(memchr(message->path, '\0', sizeof message->path) != NULL && message->path[0]);
    require(strchr("fdlmo", message->type) && message->type && (message->mode & ~07777) == 0);
    char shown[DIGEST_PATH_MAX + 1];
    memcpy(shown, message->path, sizeof shown);
    text_sanitise(shown);
    require(strcmp(shown, message->path) == 0); /* there was nothing to hide */
}

/* As it comes, and with a kind and a type that fit. */
static void try_message(const uint8_t *data, size_t size, bool mend)
{
    struct digest_message *exact = calloc(1, mend ? sizeof *exact : size + 1);
    require(exact != NULL);
    if (mend && size > sizeof *exact)
        size = sizeof *exact;
    memcpy(exact, data, size);
    if (mend) {
        exact->kind = DIGEST_FILE;
        exact->type = 'f';
        exact->mode &= 07777;
        exact->error &= INT32_MAX;
        size = sizeof *exact;
    }
    if (digest_message_valid(exact, size))
        check_message(exact);
    free(exact);
}

/* Below a directory of any length: it fits and is valid, or nothing has changed. */
static void try_name(const char *name, size_t before)
{
    struct digest_message message = {.kind = DIGEST_FILE, .type = 'f'};
    memset(message.path, 'd', before);
    if (digest_encode(name, message.path, sizeof message.path))
        require(digest_message_valid(&message, sizeof message) == (message.path[0] != '\0'));
    else
        require(strlen(message.path) == before);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    try_message(data, size, false);
    try_message(data + 2, size - 2, true);
    char *text = strndup((const char *)data + 2, size - 2);
    require(text != NULL);
    try_name(text, (data[0] * 4u + data[1] % 4) % DIGEST_PATH_MAX);
    char *rest = strchr(text, '\n');
    if (rest)
        *rest++ = '\0';
    if (strlen(text) <= DIGEST_PATH_MAX)
        check_order(text, rest ? rest : "");
    free(text);
    return 0;
}
