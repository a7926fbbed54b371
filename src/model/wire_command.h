/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Descriptors for clients: commands in a zone, and the logs of one. */
#pragma once

#include "model/wire.h"
#include "model/wire_status.h"

#define WIRE_ARGUMENTS_MAX  16384
#define WIRE_ARGUMENT_COUNT 256
#define WIRE_TERM_MAX       47

/* From the api role: what to run. */
struct wire_command {
    struct wire_header header;
    uint8_t zone;     /* enum colour, or WIRE_ZONE_LIVE */
    uint8_t terminal; /* 1: stdin and stdout are to be a terminal, the controlling one */
    uint8_t merge;    /* 1: stderr goes where stdout goes */
    uint8_t reserved;
    uint32_t argument_count; /* 1..WIRE_ARGUMENT_COUNT */
    uint32_t arguments_length;
    uint16_t rows, columns; /* of the terminal; 0 = unknown */
    char app[APP_NAME_MAX + 1];
    char term[WIRE_TERM_MAX + 1];       /* TERM of the command where it has a terminal, else "" */
    char arguments[WIRE_ARGUMENTS_MAX]; /* argument_count texts, each with its NUL */
};

#define WIRE_ZONE_LIVE 255

/* The same as wire_request_valid: every text ends within its bounds, and the first one is not empty. */
bool wire_command_valid(const struct wire_command *command, size_t length, struct error *err);
/* A name as terminfo(5) has them: letters, digits and ._+- */
bool wire_term_valid(const char *term);

struct wire_exited {
    struct wire_header header;
    struct wire_exit exit;
};

enum wire_stream { WIRE_STREAM_STDIN, WIRE_STREAM_STDOUT, WIRE_STREAM_STDERR, WIRE_STREAM_TERMINAL, WIRE_STREAMS };

/* The monitor made them and the command has the other ends. Nobody ever sends the agent a descriptor: to close what a
 * stranger has opened may take as long as the stranger likes. */
struct wire_stdio {
    struct wire_header header;
    uint8_t count; /* 1..WIRE_STREAMS */
    uint8_t reserved[3];
    uint8_t kinds[WIRE_STREAMS]; /* enum wire_stream, in the order of the descriptors */
};

enum wire_file { WIRE_FILE_LOG, WIRE_FILE_LOG_OLD, WIRE_FILE_INDEX, WIRE_FILE_INDEX_OLD };

/* One zone's log, one descriptor for each kind. The client reads them by itself. */
struct wire_files {
    struct wire_header header;
    uint8_t zone;
    uint8_t count; /* 1..4 */
    uint8_t reserved[6];
    uint8_t kinds[8]; /* enum wire_file, in the order of the descriptors */
    char release[RELEASE_NAME_MAX + 8];
};
