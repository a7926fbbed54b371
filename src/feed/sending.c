/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Requests and answers as they are written on. */
#include "feed/sending.h"

#include "feed/client.h"

#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

const struct address *sending_peer(const struct sockaddr_storage *socket, struct address *address, uint16_t *port)
{
    *address = (struct address){0};
    *port = 0;
    if (socket->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)socket;
        address->family = 4;
        memcpy(address->bytes, &in->sin_addr, 4);
        *port = ntohs(in->sin_port);
    } else if (socket->ss_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)socket;
        bool mapped = IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr);
        address->family = mapped ? 4 : 6;
        memcpy(address->bytes, in6->sin6_addr.s6_addr + (mapped ? 12 : 0), mapped ? 4 : 16);
        *port = ntohs(in6->sin6_port);
    }
    return address->family ? address : NULL;
}

/* --- who the client is -------------------------------------------------------------------------------------------- */

/* What came from others in front of us stays, the one that we see ourselves stands last. */
static void add_list(const struct http_head *head, const char *name, const char *last, struct text *out)
{
    const struct http_field *field = NULL;
    text_addf(out, "%s: ", name);
    while ((field = http_field_find(head, name, field)) != NULL) {
        if (field->value.length == 0)
            continue;
        text_add_bytes(out, field->value.at, field->value.length);
        text_add(out, ", ");
    }
    text_addf(out, "%s\r\n", last);
}

static void add_forwarded(const struct sending *sending, struct text *out)
{
    char text[ADDRESS_TEXT_MAX], element[ADDRESS_TEXT_MAX + 32];
    struct address address;
    uint16_t port;
    if (!sending_peer(&sending->client->peer, &address, &port))
        return;
    address_format(&address, text);
    add_list(sending->head, "X-Forwarded-For", text, out);
    if (!http_field_find(sending->head, "X-Forwarded-Proto", NULL))
        text_add(out, "X-Forwarded-Proto: http\r\n");
    snprintf(element, sizeof element, address.family == 6 ? "for=\"[%s]\";proto=http" : "for=%s;proto=http", text);
    add_list(sending->head, "Forwarded", element, out);
}

void sending_proxy_line(int fd, const struct sockaddr_storage *from_peer, uint16_t target, struct text *out)
{
    char from[ADDRESS_TEXT_MAX], to[ADDRESS_TEXT_MAX];
    struct sockaddr_storage socket = {0};
    socklen_t length = sizeof socket;
    struct address peer, local;
    uint16_t peer_port, local_port;
    bool known = getsockname(fd, (struct sockaddr *)&socket, &length) == 0 &&
                 sending_peer(from_peer, &peer, &peer_port) && sending_peer(&socket, &local, &local_port) &&
                 peer.family == local.family;
    if (known)
        text_addf(out, "PROXY TCP%u %s %s %u %u\r\n", peer.family, address_format(&peer, from),
                  address_format(&local, to), peer_port, target);
    else
        text_add(out, "PROXY UNKNOWN\r\n");
}

/* No request line looks like it: what follows a method begins with "/", "*" or a scheme, or is a host with a port. */
size_t sending_proxy_length(const char *head, size_t length)
{
    static const char *const begins[] = {"PROXY TCP4 ", "PROXY TCP6 ", "PROXY UNKNOWN\r\n"};
    for (size_t i = 0; i < sizeof begins / sizeof *begins; i++) {
        size_t size = strlen(begins[i]);
        if (length < size || memcmp(head, begins[i], size) != 0)
            continue;
        const char *end = memchr(head, '\n', length);
        return end ? (size_t)(end - head) + 1 : 0;
    }
    return 0;
}

/* --- requests ----------------------------------------------------------------------------------------------------- */

static const char *const drop_always[] = {"Expect", "Bluegreen-Feed", NULL};
static const char *const drop_forwarded[] = {"Expect", "Bluegreen-Feed", "X-Forwarded-For", "Forwarded", NULL};

static void set_length(const struct sending *sending, struct http_rewrite *rewrite)
{
    const struct http_head *head = sending->head;
    if (sending->fed && head->body != HTTP_BODY_NONE) {
        rewrite->has_length = true;
        rewrite->length = sending->body_length;
    } else if (head->body == HTTP_BODY_LENGTH) {
        rewrite->has_length = true;
        rewrite->length = head->length;
    } else if (head->body == HTTP_BODY_CHUNKED) {
        rewrite->chunked = true;
    }
}

/* One that goes on: not what Connection takes away. */
static bool has_key(const struct http_head *head)
{
    for (size_t i = 0; i < head->field_count; i++) {
        const struct http_field *field = &head->fields[i];
        if (http_names_alike(field->name, "idempotency-key") && !http_field_is_hop(head, field))
            return true;
    }
    return false;
}

void sending_request(const struct sending *sending, struct text *out)
{
    const struct http_head *head = sending->head;
    const struct feed_rules *rules = sending->rules;
    bool forwarded = rules->client == FEED_CLIENT_HEADER;
    CLEANUP_TEXT struct text add = {0};
    struct http_rewrite rewrite = {.upgrade = sending->upgrade, .drop = forwarded ? drop_forwarded : drop_always};
    set_length(sending, &rewrite);
    if (forwarded)
        add_forwarded(sending, &add);
    if (sending->fed && !has_key(head))
        text_addf(&add, "Idempotency-Key: %s-%" PRIu64 "\r\n", rules->app, sending->id);
    rewrite.add = add.data;
    if (rules->client == FEED_CLIENT_PROXY)
        sending_proxy_line(sending->client->fd, &sending->client->peer, sending->client->door->target, out);
    http_write_request(head, &rewrite, out);
    out->failed |= add.failed;
}

void sending_copy(const char *head, size_t length, struct text *out)
{
    text_add_bytes(out, head, length - 2); /* without the empty line */
    text_add(out, "Bluegreen-Feed: copy\r\n\r\n");
}

const char *const sending_not_apps[] = {"Bluegreen-Feed", NULL};

void sending_answer(const struct http_head *answer, uint64_t length, bool close, struct text *out)
{
    const struct http_rewrite rewrite = {
        .close = close, .has_length = answer->body != HTTP_BODY_NONE, .length = length, .drop = sending_not_apps};
    http_write_response(answer, &rewrite, out);
}
