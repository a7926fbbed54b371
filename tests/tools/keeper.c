/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An app with a state of its own in each zone, for tests of the feed: what was posted is kept in a file, in the order
 * in which it came, and once for each Idempotency-Key.
 *
 *   keeper --port N[,N...] FILE   POST /add/ID appends "ID" and answers 201; GET /count says how many there are;
 *                                 GET /healthz. FILE.slow, where it exists, has milliseconds to take for each POST.
 *                                 With more than one port "ID@N" is appended, N where it came
 *   keeper --lines N FILE         appends each line that comes by a connection, and answers it with "kept"
 *   keeper --packets N FILE       the same for packets of UDP
 */
#include "post_server.h"

#include <fcntl.h>

#define KEYS_MAX (1 << 20)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int file_fd;
static const char *file_path;
static char (*keys)[WORD_MAX];
static size_t count;
static bool several;

static bool known(const char *key)
{
    for (size_t i = count; i > 0; i--) {
        if (strcmp(keys[i - 1], key) == 0)
            return true;
    }
    return false;
}

static void append(const char *id, const char *key)
{
    char line[2 * WORD_MAX + 2];
    int length = snprintf(line, sizeof line, "%s %s\n", id, key);
    if (write(file_fd, line, (size_t)length) != length)
        err(1, "write %s", file_path);
}

static void keep(const char *id, const char *key)
{
    pthread_mutex_lock(&lock);
    if (!known(key) && count < KEYS_MAX) {
        snprintf(keys[count++], WORD_MAX, "%s", key);
        append(id, key);
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

static uint16_t own_port(int fd)
{
    struct sockaddr_in6 at;
    socklen_t length = sizeof at;
    return getsockname(fd, (struct sockaddr *)&at, &length) == 0 ? ntohs(at.sin6_port) : 0;
}

static bool serve(int fd, const char *head)
{
    char id[WORD_MAX] = "", key[WORD_MAX], body[WORD_MAX + 16];
    if (sscanf(head, "POST /add/%60s", id) == 1) {
        be_slow();
        if (several)
            snprintf(id + strlen(id), 8, "@%u", own_port(fd));
        keep(id, field(head, "Idempotency-Key", key)[0] ? key : id);
        snprintf(body, sizeof body, "kept %s\n", id);
        return answer(fd, head, "201 Created", body);
    }
    snprintf(body, sizeof body, "%zu\n", count);
    return answer(fd, head, "200 OK", body);
}

static void *serve_one(void *argument)
{
    serve_port((uint16_t)(long)argument);
    return NULL;
}

static void serve_ports(char *ports)
{
    several = strchr(ports, ',') != NULL;
    for (char *port = strtok(ports, ","); port; port = strtok(NULL, ",")) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, serve_one, (void *)(long)atoi(port)) != 0)
            err(1, "make a thread");
    }
    for (;;)
        pause();
}

static void *take_lines(void *argument)
{
    int fd = (int)(long)argument;
    FILE *in = fdopen(fd, "r");
    char line[WORD_MAX];
    while (in && fscanf(in, "%79s", line) == 1) {
        be_slow();
        append(line, "-");
        if (write(fd, "kept\n", 5) != 5)
            break;
    }
    if (in)
        fclose(in);
    return NULL;
}

static void serve_lines(uint16_t port)
{
    int fd = listen_at(port);
    signal(SIGPIPE, SIG_IGN);
    for (;;) {
        int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
        pthread_t thread;
        if (client >= 0 && pthread_create(&thread, NULL, take_lines, (void *)(long)client) == 0)
            pthread_detach(thread);
    }
}

static void serve_packets(uint16_t port)
{
    struct sockaddr_in6 at = {.sin6_family = AF_INET6, .sin6_port = htons(port)}, from;
    int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    char packet[WORD_MAX];
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof at) < 0)
        err(1, "open port %u", port);
    for (;;) {
        socklen_t length = sizeof from;
        ssize_t got = recvfrom(fd, packet, sizeof packet - 1, 0, (struct sockaddr *)&from, &length);
        packet[got > 0 ? got : 0] = '\0';
        packet[strcspn(packet, "\n")] = '\0';
        if (!packet[0])
            continue;
        append(packet, "-");
        sendto(fd, "kept\n", 5, 0, (struct sockaddr *)&from, length);
    }
}

int main(int argc, char *argv[])
{
    if (argc != 4)
        errx(2, "keeper --port N[,N...]|--lines N|--packets N FILE");
    file_path = argv[3];
    keys = calloc(KEYS_MAX, sizeof *keys);
    file_fd = open(file_path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    if (file_fd < 0 || !keys)
        err(1, "open %s", file_path);
    read_before();
    if (strcmp(argv[1], "--lines") == 0)
        serve_lines((uint16_t)atoi(argv[2]));
    else if (strcmp(argv[1], "--packets") == 0)
        serve_packets((uint16_t)atoi(argv[2]));
    serve_ports(argv[2]);
}
