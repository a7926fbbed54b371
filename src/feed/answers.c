/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The feed's own answers. */
#include "feed/answers.h"

static const struct own {
    uint16_t status;
    const char *phrase, *next;
} answers[] = {
    {400, "Bad Request", "It was not passed on and not journalled: mend the request."},
    {408, "Request Timeout", "It was not passed on and not journalled: send it again, faster."},
    {414, "URI Too Long", "It was not passed on and not journalled: shorten it."},
    {431, "Request Header Fields Too Large", "It was not passed on and not journalled: send fewer or shorter fields."},
    {501, "Not Implemented", "It was not passed on and not journalled: send it without."},
    {502, "Bad Gateway", "It may have been done or not: look before sending it again."},
    {503, "Service Unavailable", "It was not done: send it again."},
    {504, "Gateway Timeout", "It may have been done or not: look before sending it again."},
    {505, "HTTP Version Not Supported", "It was not passed on and not journalled: use HTTP/1.1."},
};

static const struct own *find(uint16_t status)
{
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        if (answers[i].status == status)
            return &answers[i];
    }
    return &answers[0];
}

void answer_own(uint16_t status, const char *why, bool close, bool without_body, struct text *out)
{
    const struct own *own = find(status);
    CLEANUP_TEXT struct text body = {0};
    text_addf(&body, "bluegreen feed: %s. %s\n", why, own->next);
    text_addf(out, "HTTP/1.1 %u %s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %zu\r\n", own->status,
              own->phrase, body.length);
    text_add(out, "Cache-Control: no-store\r\nBluegreen-Feed: own answer\r\n");
    if (own->status == 503)
        text_add(out, "Retry-After: 1\r\n");
    if (close)
        text_add(out, "Connection: close\r\n");
    text_add(out, "\r\n");
    if (!without_body)
        text_add_bytes(out, body.data, body.length);
    out->failed |= body.failed;
}
