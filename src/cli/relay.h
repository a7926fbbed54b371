/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What lies between this program's stdin, stdout and stderr and those of a command in a zone. The command never gets
 * our own terminal, nor a file of ours: in their place it has a terminal made for it, or pipes, whose other ends the
 * agent gives us, and what goes through is carried here.
 */
#pragma once

#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <termios.h>

enum { RELAY_CHANNELS = 3, RELAY_BUFFER = 64 * 1024 };

/* From one descriptor to another, until the first ends. */
struct channel {
    int from, to;            /* from -1 = over */
    bool ours_from, ours_to; /* to be closed */
    bool output;             /* from the command */
    char *bytes;             /* RELAY_BUFFER */
    size_t start, end;
};

struct relay {
    bool terminal;         /* the command is to have a terminal */
    bool merge;            /* its stdout and stderr are to be one */
    struct winsize size;   /* of our terminal */
    int master;            /* of its terminal, or -1 */
    struct termios before; /* of ours */
    bool raw;
    struct channel channels[RELAY_CHANNELS];
    size_t count;
};

/* What the command is to be asked for. relay_end is to follow. */
void relay_look(struct relay *relay);
/* The command runs, and these are our ends, as of bluegreen_exec: they are taken over. Our terminal is switched over.
 * 0, or -1 with errno. */
int relay_begin(struct relay *relay, const int descriptors[3]);
/* The command's terminal has the size of ours. */
void relay_resize(const struct relay *relay);
/* Adds what is to be waited for; how many. */
size_t relay_polls(const struct relay *relay, struct pollfd polls[RELAY_CHANNELS * 2]);
/* Carries what can be carried without waiting. */
void relay_carry(struct relay *relay);
/* Everything that the command wrote has been carried. */
bool relay_drained(const struct relay *relay);
/* Closes all and gives the terminal back as it was. */
void relay_end(struct relay *relay);
