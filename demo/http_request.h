/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads one HTTP/1.1 request from a buffer (RFC 9112), for the demo app. Apart from web.c because
 * it is the part that faces whatever a client sends: it looks at bytes only and has no state.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

#define HTTP_HEAD_MAX 8192u
#define HTTP_BODY_MAX (1024u * 1024u)

struct http_request {
    char method[16];
    char path[1024];
    bool keep_alive;
    bool expects_continue;
    size_t head_len; /* the body begins here */
    size_t body_len;
};

static inline bool http_is_token(const char *s, size_t len)
{
    if (len == 0)
        return false;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)s[i];

        if (c <= ' ' || c >= 0x7f || strchr("\"(),/:;<=>?@[\\]{}", c))
            return false;
    }
    return true;
}

/* METHOD SP /path SP HTTP/1.x; 0 or an HTTP status to refuse with. */
static inline int http_request_line(const char *line, size_t len, struct http_request *req)
{
    const char *end = line + len;
    const char *path = memchr(line, ' ', len);
    const char *version = path ? memchr(path + 1, ' ', (size_t)(end - path - 1)) : NULL;
    size_t method_len, path_len;

    if (!version)
        return 400;
    method_len = (size_t)(path - line);
    path++;
    path_len = (size_t)(version - path);
    version++;
    if (!http_is_token(line, method_len) || path_len == 0 || path[0] != '/')
        return 400;
    if (method_len >= sizeof(req->method))
        return 501;
    if (path_len >= sizeof(req->path))
        return 414;
    for (size_t i = 0; i < path_len; i++) {
        if ((unsigned char)path[i] <= ' ' || (unsigned char)path[i] >= 0x7f)
            return 400;
    }
    if (end - version != 8 || memcmp(version, "HTTP/", 5) != 0)
        return 400;
    if (memcmp(version + 5, "1.1", 3) != 0 && memcmp(version + 5, "1.0", 3) != 0)
        return 505;
    req->keep_alive = version[7] == '1';
    memcpy(req->method, line, method_len);
    req->method[method_len] = '\0';
    memcpy(req->path, path, path_len);
    req->path[path_len] = '\0';
    return 0;
}

static inline bool http_name_is(const char *name, size_t len, const char *want)
{
    return len == strlen(want) && strncasecmp(name, want, len) == 0;
}

/* Whether the comma-separated list `value` holds `word`. */
static inline bool http_list_has(const char *value, size_t len, const char *word)
{
    size_t word_len = strlen(word);

    while (len > 0) {
        const char *comma = memchr(value, ',', len);
        size_t item = comma ? (size_t)(comma - value) : len;
        size_t from = 0, to = item;

        while (from < to && (value[from] == ' ' || value[from] == '\t'))
            from++;
        while (to > from && (value[to - 1] == ' ' || value[to - 1] == '\t'))
            to--;
        if (to - from == word_len && strncasecmp(value + from, word, word_len) == 0)
            return true;
        if (!comma)
            return false;
        value += item + 1;
        len -= item + 1;
    }
    return false;
}

static inline int http_content_length(const char *value, size_t len, size_t *to)
{
    size_t n = 0;

    if (len == 0 || len > 9)
        return len == 0 ? 400 : 413;
    for (size_t i = 0; i < len; i++) {
        if (value[i] < '0' || value[i] > '9')
            return 400;
        n = n * 10 + (size_t)(value[i] - '0');
    }
    *to = n;
    return n > HTTP_BODY_MAX ? 413 : 0;
}

/* What a request said so far about its framing, to catch what it says twice. */
struct http_seen {
    bool host;
    bool length;
};

static inline int http_header(const char *line, size_t len, struct http_request *req, struct http_seen *seen)
{
    const char *colon = memchr(line, ':', len);
    size_t name_len, value_len;
    const char *value;

    if (!colon || !http_is_token(line, (size_t)(colon - line)))
        return 400;
    name_len = (size_t)(colon - line);
    value = colon + 1;
    value_len = len - name_len - 1;
    while (value_len > 0 && (*value == ' ' || *value == '\t'))
        value++, value_len--;
    while (value_len > 0 && (value[value_len - 1] == ' ' || value[value_len - 1] == '\t'))
        value_len--;
    for (size_t i = 0; i < value_len; i++) {
        if (((unsigned char)value[i] < ' ' && value[i] != '\t') || value[i] == 0x7f)
            return 400;
    }
    if (http_name_is(line, name_len, "Host")) {
        if (seen->host)
            return 400;
        seen->host = true;
    } else if (http_name_is(line, name_len, "Content-Length")) {
        if (seen->length)
            return 400;
        seen->length = true;
        return http_content_length(value, value_len, &req->body_len);
    } else if (http_name_is(line, name_len, "Transfer-Encoding")) {
        return 501;
    } else if (http_name_is(line, name_len, "Connection")) {
        if (http_list_has(value, value_len, "close"))
            req->keep_alive = false;
        else if (http_list_has(value, value_len, "keep-alive"))
            req->keep_alive = true;
    } else if (http_name_is(line, name_len, "Expect")) {
        if (!http_list_has(value, value_len, "100-continue"))
            return 417;
        req->expects_continue = true;
    }
    return 0;
}

/*
 * Looks for a complete head at the start of `data`. Returns 1 and fills *req when there is one, 0
 * when more bytes are needed, and the negative HTTP status to refuse with when it is not a request.
 */
static inline int http_request_parse(const char *data, size_t len, struct http_request *req)
{
    const char *end = memmem(data, len, "\r\n\r\n", 4);
    const char *line = data, *eol;
    struct http_seen seen = {0};
    int refuse;

    if (!end)
        return len > HTTP_HEAD_MAX ? -431 : 0;
    if ((size_t)(end - data) > HTTP_HEAD_MAX)
        return -431;
    memset(req, 0, sizeof(*req));
    eol = memmem(line, (size_t)(end - line) + 2, "\r\n", 2);
    refuse = http_request_line(line, (size_t)(eol - line), req);
    while (!refuse && eol < end) {
        line = eol + 2;
        eol = memmem(line, (size_t)(end - line) + 2, "\r\n", 2);
        refuse = http_header(line, (size_t)(eol - line), req, &seen);
    }
    if (refuse)
        return -refuse;
    if (!seen.host)
        return -400;
    req->head_len = (size_t)(end - data) + 4;
    return 1;
}
