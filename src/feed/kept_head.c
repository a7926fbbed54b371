/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Heads that stay. */
#include "feed/kept_head.h"

#include <stdlib.h>
#include <string.h>

static void move(struct http_span *span, const char *from, const char *to)
{
    if (span->at)
        span->at = to + (span->at - from);
}

char *kept_head(struct http_head *head, const char *from)
{
    char *to = malloc(head->size ? head->size : 1);
    if (!to)
        return NULL;
    memcpy(to, from, head->size);
    move(&head->method, from, to);
    move(&head->target, from, to);
    move(&head->reason, from, to);
    for (size_t i = 0; i < head->option_count; i++)
        move(&head->options[i], from, to);
    for (size_t i = 0; i < head->field_count; i++) {
        move(&head->fields[i].name, from, to);
        move(&head->fields[i].value, from, to);
    }
    return to;
}
