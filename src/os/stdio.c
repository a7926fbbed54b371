/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pipes and terminals of a process that somebody else talks with. */
#include "os/stdio.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

/* Not by its name: the devpts of this process's mount namespace is the one that it came from. */
static int open_slave(int master)
{
    return unlockpt(master) < 0 ? -1 : ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
}

/* The kernel's modes for a new terminal are what a shell expects, but for the erasing of whole characters. */
static int set_modes(int slave, const struct stdio_wish *wish)
{
    struct termios modes;
    struct winsize size = {.ws_row = wish->rows, .ws_col = wish->columns};
    if (tcgetattr(slave, &modes) < 0)
        return -1;
    modes.c_iflag |= IUTF8;
    return tcsetattr(slave, TCSANOW, &modes) < 0 ? -1 : ioctl(slave, TIOCSWINSZ, &size);
}

static int open_terminal(const struct stdio_wish *wish, struct stdio *stdio)
{
    stdio->near[0] = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (stdio->near[0] < 0 || (stdio->terminal = open_slave(stdio->near[0])) < 0)
        return -1;
    stdio->far[0] = stdio->far[1] = stdio->terminal;
    return set_modes(stdio->terminal, wish);
}

static int open_pipe(struct stdio *stdio, int stream)
{
    int ends[2];
    bool output = stream != STDIN_FILENO;
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -1;
    stdio->near[stream] = ends[output ? 0 : 1];
    stdio->far[stream] = ends[output ? 1 : 0];
    return 0;
}

static int open_all(const struct stdio_wish *wish, struct stdio *stdio)
{
    if (wish->terminal && open_terminal(wish, stdio) < 0)
        return -1;
    for (int stream = 0; stream < STDIO_STREAMS; stream++) {
        if (stdio->far[stream] >= 0)
            continue;
        if (stream == STDERR_FILENO && wish->merge)
            stdio->far[stream] = stdio->far[STDOUT_FILENO];
        else if (open_pipe(stdio, stream) < 0)
            return -1;
    }
    for (int stream = 0; stream < STDIO_STREAMS; stream++) {
        if (fchown(stdio->far[stream], wish->uid, wish->gid) < 0)
            return -1;
    }
    return 0;
}

int stdio_open(const struct stdio_wish *wish, struct stdio *stdio, struct error *err)
{
    *stdio = (struct stdio){.far = {-1, -1, -1}, .near = {-1, -1, -1}, .terminal = -1};
    if (open_all(wish, stdio) == 0)
        return 0;
    int number = errno;
    stdio_close(stdio);
    return error_errno(err, number, "make %s for standard input, output and error",
                       wish->terminal ? "a terminal" : "pipes");
}

void stdio_close(struct stdio *stdio)
{
    for (int stream = STDIO_STREAMS - 1; stream >= 0; stream--) {
        bool shared = stream > 0 && stdio->far[stream] == stdio->far[stream - 1];
        if (!shared && stdio->far[stream] != stdio->terminal)
            close_fd(&stdio->far[stream]);
        stdio->far[stream] = -1;
        close_fd(&stdio->near[stream]);
    }
    close_fd(&stdio->terminal);
}
