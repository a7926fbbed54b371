/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An app with a state of its own in each zone, for tests of the feed: what was posted is kept in a file, in the order
 * in which it came, and once for each Idempotency-Key.
 *
 *   keeper --port N FILE          POST /add/ID appends "ID" and answers 201; GET /count says how many there are;
 *                                 GET /healthz. FILE.slow, where it exists, has milliseconds to take for each POST
 */
#include "post_server.h"

#include <fcntl.h>

#define KEYS_MAX (1 << 20)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int file_fd;
static const char *file_path;
static char (*keys)[WORD_MAX];
static size_t count;

static bool known(const char *key)
{
    for (size_t i = count; i > 0; i--) {
        if (strcmp(keys[i - 1], key) == 0)
            return true;
    }
    return false;
}

static void keep(const char *id, const char *key)
{
    char line[2 * WORD_MAX + 2];
    pthread_mutex_lock(&lock);
    if (!known(key) && count < KEYS_MAX) {
        int length = snprintf(line, sizeof line, "%s %s\n", id, key);
        snprintf(keys[count++], WORD_MAX, "%s", key);
        if (write(file_fd, line, (size_t)length) != length)
            err(1, "write %s", file_path);
    }
    pthread_mutex_unlock(&lock);
}

static void be_slow(void)
{
    char path[4096];
    int ms = 0;
    snprintf(path, sizeof path, "%s.slow", file_path);
    FILE *slow = fopen(path, "r");
    if (!slow)
        return;
    if (fscanf(slow, "%d", &ms) == 1)
        usleep((useconds_t)ms * 1000);
    fclose(slow);
}

static void read_before(void)
{
    char id[WORD_MAX], key[WORD_MAX];
    FILE *before = fopen(file_path, "r");
    while (before && count < KEYS_MAX && fscanf(before, "%79s %79s", id, key) == 2)
        snprintf(keys[count++], WORD_MAX, "%s", key);
    if (before)
        fclose(before);
}

static bool serve(int fd, const char *head)
{
    char id[WORD_MAX] = "", key[WORD_MAX], body[WORD_MAX + 16];
    if (sscanf(head, "POST /add/%79s", id) == 1) {
        be_slow();
        keep(id, field(head, "Idempotency-Key", key)[0] ? key : id);
        snprintf(body, sizeof body, "kept %s\n", id);
        return answer(fd, head, "201 Created", body);
    }
    snprintf(body, sizeof body, "%zu\n", count);
    return answer(fd, head, "200 OK", body);
}

int main(int argc, char *argv[])
{
    if (argc != 4 || strcmp(argv[1], "--port") != 0)
        errx(2, "keeper --port N FILE");
    file_path = argv[3];
    keys = calloc(KEYS_MAX, sizeof *keys);
    file_fd = open(file_path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    if (file_fd < 0 || !keys)
        err(1, "open %s", file_path);
    read_before();
    serve_port((uint16_t)atoi(argv[2]));
}
