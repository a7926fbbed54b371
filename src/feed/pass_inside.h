/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a pass is made of, for pass*.c alone. */
#pragma once

#include "feed/buffer.h"
#include "feed/pass.h"
#include "feed/role.h"

struct pass {
    struct list link; /* of those that wait */
    struct role *role;
    struct client *client;
    struct back *back;
    uint64_t since_ms;
    struct text head; /* to live */
    char method[HTTP_METHOD_MAX + 1];
    uint8_t minor;
    bool upgrade, bodyless, retried, repeatable;
    struct buffer up, down; /* to live; from live, not yet read */
    struct spool begun;     /* of the body, before what comes */
    uint64_t begun_at;
    struct http_body_reader request, answer;
    bool request_chunked, answer_chunked;
    bool request_done; /* all of it is in `up` */
    bool full;         /* the client has to take something before more of the answer can be read */
    bool headed, again /* its connection can be used again */, tunnel, up_shut, heard;
};

/* What is there of the answer, as far as the client has room: 1 it is whole; 0: more is needed; or what is wrong, and
 * -ESTALE: it is to be asked again. */
int pass_answer_read(struct pass *pass, struct error *err);
int pass_answer_end(struct pass *pass); /* what the client's framing wants at its end; 0 or -ENOMEM */
