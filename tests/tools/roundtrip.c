/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * roundtrip SOCKET COUNT [METHOD]: asks the agent that often over one connection, one call after the other, and a
 * process of its own, which sends back what it gets, just as often in turn. Prints the medians in microseconds: the
 * agent's, and the floor's.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static void die(const char *what)
{
    fprintf(stderr, "roundtrip: %s: %s\n", what, strerror(errno));
    exit(1);
}

static double now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* A call and its answer, each of which ends with NUL. */
static double ask(int fd, const char *call, size_t length)
{
    char answer[65536];
    double begun = now_us();
    if (write(fd, call, length) != (ssize_t)length)
        die("ask");
    for (;;) {
        ssize_t got = read(fd, answer, sizeof answer);
        if (got <= 0)
            die("read the answer");
        if (answer[got - 1] == '\0')
            return now_us() - begun;
    }
}

static int connect_agent(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
        die(path);
    return fd;
}

/* It ends with its parent, whose end of the pair closes then. */
static int make_echo(void)
{
    int pair[2];
    char buffer[65536];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        die("make the floor");
    pid_t pid = fork();
    if (pid < 0)
        die("make the floor");
    if (pid > 0) {
        close(pair[1]);
        return pair[0];
    }
    close(pair[0]);
    for (ssize_t got; (got = read(pair[1], buffer, sizeof buffer)) > 0;) {
        if (write(pair[1], buffer, (size_t)got) != got)
            break;
    }
    _exit(0);
}

int main(int argument_count, char *arguments[])
{
    size_t count = argument_count > 2 ? strtoul(arguments[2], NULL, 10) : 0;
    double *agent = calloc(count + 1, sizeof *agent), *floor = calloc(count + 1, sizeof *floor);
    char call[256];
    if (count == 0 || argument_count > 4 || !agent || !floor) {
        fprintf(stderr, "usage: roundtrip SOCKET COUNT [METHOD]\n");
        return 2;
    }
    snprintf(call, sizeof call, "{\"method\":\"%s\"}",
             argument_count > 3 ? arguments[3] : "io.bluegreen.Agent.Version");
    int fd = connect_agent(arguments[1]), echo = make_echo();
    for (size_t i = 0; i < count; i++) {
        agent[i] = ask(fd, call, strlen(call) + 1);
        floor[i] = ask(echo, call, strlen(call) + 1);
    }
    qsort(agent, count, sizeof *agent, compare);
    qsort(floor, count, sizeof *floor, compare);
    printf("%.1f %.1f\n", agent[count / 2], floor[count / 2]);
    free(agent);
    free(floor);
    return 0;
}
