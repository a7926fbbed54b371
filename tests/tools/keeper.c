/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An app with a state of its own in each zone, for tests of the feed: what was posted is kept in a file, in the order
 * in which it came, and once for each Idempotency-Key.
 *
 *   keeper --port N FILE          POST /add/ID appends "ID" and answers 201; GET /count says how many there are;
 *                                 GET /healthz. FILE.slow, where it exists, has milliseconds to take for each POST
 */
#include <arpa/inet.h>
#include <err.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define HEAD_MAX 16384
#define KEYS_MAX (1 << 20)
#define WORD_MAX 80

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

static const char *field(const char *head, const char *name, char *value)
{
    value[0] = '\0';
    for (const char *line = strstr(head, "\r\n"); line; line = strstr(line + 2, "\r\n")) {
        size_t length = strlen(name);
        if (strncasecmp(line + 2, name, length) == 0 && line[2 + length] == ':')
            sscanf(line + 3 + length, " %79[^\r\n]", value);
    }
    return value;
}

static bool answer(int fd, const char *status, const char *body, bool close_after)
{
    char text[512];
    int length = snprintf(text, sizeof text, "HTTP/1.1 %s\r\nContent-Length: %zu\r\nX-Release: %s\r\n%s\r\n%s", status,
                          strlen(body), getenv("BLUEGREEN_RELEASE") ? getenv("BLUEGREEN_RELEASE") : "",
                          close_after ? "Connection: close\r\n" : "", body);
    return write(fd, text, (size_t)length) == length && !close_after;
}

static bool serve(int fd, const char *head)
{
    char id[WORD_MAX] = "", key[WORD_MAX], connection[WORD_MAX], body[WORD_MAX + 16];
    bool close_after = strcasecmp(field(head, "Connection", connection), "close") == 0;
    if (sscanf(head, "POST /add/%79s", id) == 1) {
        be_slow();
        keep(id, field(head, "Idempotency-Key", key)[0] ? key : id);
        snprintf(body, sizeof body, "kept %s\n", id);
        return answer(fd, "201 Created", body, close_after);
    }
    snprintf(body, sizeof body, "%zu\n", count);
    return answer(fd, "200 OK", body, close_after);
}

static size_t body_length(const char *head)
{
    char value[WORD_MAX];
    return (size_t)strtoul(field(head, "Content-Length", value), NULL, 10);
}

static void *connection(void *argument)
{
    int fd = (int)(long)argument;
    static __thread char head[HEAD_MAX + 1];
    size_t used = 0;
    for (;;) {
        head[used] = '\0';
        char *end = strstr(head, "\r\n\r\n");
        size_t whole = end ? (size_t)(end + 4 - head) + body_length(head) : 0;
        if (end && used >= whole) {
            if (!serve(fd, head))
                break;
            memmove(head, head + whole, used - whole);
            used -= whole;
            continue;
        }
        ssize_t got = used < HEAD_MAX ? read(fd, head + used, HEAD_MAX - used) : 0;
        if (got <= 0)
            break;
        used += (size_t)got;
    }
    close(fd);
    return NULL;
}

static int listen_at(uint16_t port)
{
    struct sockaddr_in6 at = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    int one = 1, fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof at) < 0 || listen(fd, 1024) < 0)
        err(1, "listen at port %u", port);
    return fd;
}

int main(int argc, char *argv[])
{
    if (argc != 4 || strcmp(argv[1], "--port") != 0)
        errx(2, "keeper --port N FILE");
    signal(SIGPIPE, SIG_IGN);
    file_path = argv[3];
    keys = calloc(KEYS_MAX, sizeof *keys);
    file_fd = open(file_path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    if (file_fd < 0 || !keys)
        err(1, "open %s", file_path);
    read_before();
    int fd = listen_at((uint16_t)atoi(argv[2]));
    for (;;) {
        int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC), one = 1;
        pthread_t thread;
        if (client < 0)
            continue;
        setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        if (pthread_create(&thread, NULL, connection, (void *)(long)client) == 0)
            pthread_detach(thread);
        else
            close(client);
    }
}
