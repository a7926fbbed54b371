/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * HTTP checks by libcurl. An answer's status line decides; headers and body are read within bounds
 * and thrown away. Redirects are followed here and not by libcurl: only this file knows what "the
 * same target" is, and a name must never be looked up.
 */
#include "probe/http.h"

#include "os/log.h"
#include "probe/outcome.h"
#include "probe/reason.h"
#include "probe/redirect.h"
#include "probe/transfer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

struct http {
    struct loop *loop;
    CURLM *multi;
    struct loop_timer *timer;
};

static void collect(struct http *http);

/* --- libcurl on the loop --------------------------------------------------------------------- */

static void drive(struct http *http, curl_socket_t fd, int events)
{
    int running;
    CURLMcode code = curl_multi_socket_action(http->multi, fd, events, &running);
    if (code != CURLM_OK) {
        /* Out of memory, in a callback or in libcurl: the multi handle is unusable, a fresh
         * process is not. */
        log_error("libcurl: %s; ending, bluegreend starts the probe role again", curl_multi_strerror(code));
        loop_quit(http->loop, EXIT_FAILURE);
        return;
    }
    collect(http);
}

static void on_socket(void *context, int fd, uint32_t events)
{
    int mask = (events & EPOLLIN ? CURL_CSELECT_IN : 0) | (events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
               (events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);
    drive(context, fd, mask);
}

static void on_timer(void *context)
{
    drive(context, CURL_SOCKET_TIMEOUT, 0);
}

static int watch_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *assigned)
{
    struct http *http = context;
    struct loop_source *source = assigned;
    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        loop_remove_fd(source);
        curl_multi_assign(http->multi, fd, NULL);
        return 0;
    }
    uint32_t events = (what & CURL_POLL_IN ? EPOLLIN : 0u) | (what & CURL_POLL_OUT ? EPOLLOUT : 0u);
    if (source)
        return loop_set_events(source, events) < 0 ? -1 : 0;
    source = loop_add_fd(http->loop, fd, events, on_socket, http);
    if (!source)
        return -1;
    curl_multi_assign(http->multi, fd, source);
    return 0;
}

static int set_timer(CURLM *multi, long timeout_ms, void *context)
{
    struct http *http = context;
    (void)multi;
    if (timeout_ms < 0)
        loop_timer_disarm(http->timer);
    else
        loop_timer_arm(http->timer, (uint64_t)timeout_ms);
    return 0;
}

/* Makes and drops one handle, so that what libcurl and its TLS library do once per process is
 * done. */
static int warm_up(void)
{
    CURL *easy = curl_easy_init();
    if (!easy)
        return -ENOMEM;
    curl_easy_cleanup(easy);
    return 0;
}

int http_new(struct loop *loop, struct http **out, struct error *err)
{
    CURLcode code = curl_global_init(CURL_GLOBAL_DEFAULT);
    if (code != CURLE_OK)
        return error_set(err, EIO, "set libcurl up: %s", curl_easy_strerror(code));
    struct http *http = calloc(1, sizeof *http);
    if (!http)
        return error_errno(err, ENOMEM, "set libcurl up");
    http->loop = loop;
    http->timer = loop_timer_new(loop, on_timer, http);
    http->multi = curl_multi_init();
    if (!http->timer || !http->multi || warm_up() < 0) {
        http_free(http);
        return error_errno(err, ENOMEM, "set libcurl up");
    }
    curl_multi_setopt(http->multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
    curl_multi_setopt(http->multi, CURLMOPT_SOCKETDATA, http);
    curl_multi_setopt(http->multi, CURLMOPT_TIMERFUNCTION, set_timer);
    curl_multi_setopt(http->multi, CURLMOPT_TIMERDATA, http);
    curl_multi_setopt(http->multi, CURLMOPT_PIPELINING, CURLPIPE_NOTHING);
    *out = http;
    return 0;
}

void http_free(struct http *http)
{
    if (!http)
        return;
    if (http->multi)
        curl_multi_cleanup(http->multi);
    loop_timer_free(http->timer);
    free(http);
    curl_global_cleanup();
}

/* --- one transfer ----------------------------------------------------------------------------- */

static curl_socket_t hand_over_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct http_transfer *transfer = context;
    (void)address;
    int fd = purpose == CURLSOCKTYPE_IPCXN ? check_take_socket(transfer->check) : -1;
    return fd < 0 ? CURL_SOCKET_BAD : fd; /* libcurl closes it */
}

/* "HTTP/1.1 503 Service Unavailable\r\n": keeps what stands behind the number. */
static void keep_phrase(struct http_transfer *transfer, const char *line, size_t length)
{
    char copy[sizeof "HTTP/1.1 503 " + PHRASE_MAX];
    if (length >= sizeof copy)
        length = sizeof copy - 1;
    memcpy(copy, line, length);
    copy[length] = '\0';
    const char *number = strchr(copy, ' ');
    char *phrase = number ? strchr(number + 1, ' ') : NULL;
    text_copy(transfer->phrase, sizeof transfer->phrase, phrase ? text_trim(phrase) : "");
}

/* libcurl calls this once for each header line, status lines and the empty line included. */
static size_t on_header(char *line, size_t size, size_t count, void *context)
{
    struct http_transfer *transfer = context;
    size_t length = size * count;
    transfer->header_bytes += length;
    if (transfer->header_bytes > HEADERS_MAX)
        return 0; /* CURLE_WRITE_ERROR */
    if (transfer->progress != IN_BODY && length >= 5 && memcmp(line, "HTTP/", 5) == 0) {
        transfer->progress = IN_HEADERS;
        keep_phrase(transfer, line, length);
    } else if (length <= 2 && (line[0] == '\r' || line[0] == '\n')) {
        long status = 0;
        curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
        transfer->progress = status >= 200 ? IN_BODY : BEFORE_STATUS; /* after a 1xx comes the answer proper */
    }
    return length;
}

static size_t on_body(char *data, size_t size, size_t count, void *context)
{
    struct http_transfer *transfer = context;
    transfer->body_bytes += size * count;
    search_add(&transfer->search, data, size * count);
    transfer->enough = transfer->body_bytes > (transfer->search.found ? BODY_MAX : SEARCH_MAX);
    return transfer->enough ? 0 : size * count; /* 0: CURLE_WRITE_ERROR */
}

static void drop_handle(struct http_transfer *transfer)
{
    if (!transfer->easy)
        return;
    curl_multi_remove_handle(transfer->http->multi, transfer->easy); /* closes its connection */
    curl_easy_cleanup(transfer->easy);
}

static void destroy(struct http_transfer *transfer)
{
    drop_handle(transfer);
    curl_slist_free_all(transfer->headers);
    if (transfer->check)
        transfer->check->transfer = NULL;
    free(transfer);
}

static int add_header(struct http_transfer *transfer, const char *line)
{
    struct curl_slist *headers = curl_slist_append(transfer->headers, line);
    if (!headers)
        return -ENOMEM;
    transfer->headers = headers;
    return 0;
}

static int set_headers(struct http_transfer *transfer)
{
    const char *host = transfer->check->request.health.host;
    char line[sizeof "Host: " + HEALTH_HOST_MAX];
    if (*host) {
        snprintf(line, sizeof line, "Host: %s", host);
        if (add_header(transfer, line) < 0)
            return -ENOMEM;
    }
    return add_header(transfer, "Connection: close");
}

/* What this check may do, and nothing that a file, the environment or a server could add to it. */
static void set_limits(CURL *easy, uint32_t timeout_ms)
{
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http");
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_HTTP09_ALLOWED, 0L);
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(easy, CURLOPT_PROXY, ""); /* not even what the environment says */
    curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
    curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
    curl_easy_setopt(easy, CURLOPT_DNS_CACHE_TIMEOUT, 0L);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 4096L); /* a thousand checks at once: 4 KiB each, not 16 */
    /* The role's own deadline ends a check; libcurl's default of 300 s for connecting must not
     * come first. */
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)timeout_ms + 1000);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "bluegreen-probe/" BLUEGREEN_VERSION);
}

/* Borrows what the transfer has, and the transfer. */
static CURL *new_handle(struct http_transfer *transfer, const char *url)
{
    CURL *easy = curl_easy_init();
    if (!easy || curl_easy_setopt(easy, CURLOPT_URL, url) != CURLE_OK) {
        curl_easy_cleanup(easy);
        return NULL;
    }
    set_limits(easy, transfer->check->request.health.timeout_ms);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer->headers);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, hand_over_socket);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
    return easy;
}

/* Goes for this URL, on the check's next socket, and leaves what it was at; or -ENOMEM and changes nothing. */
static int go_for(struct http_transfer *transfer, const char *url)
{
    CURL *easy = new_handle(transfer, url);
    if (!easy)
        return -ENOMEM;
    if (curl_multi_add_handle(transfer->http->multi, easy) != CURLM_OK) {
        curl_easy_cleanup(easy);
        return -ENOMEM;
    }
    drop_handle(transfer);
    transfer->easy = easy;
    transfer->progress = BEFORE_STATUS; /* header and body bytes go on counting: the bounds are the check's */
    return 0;
}

static int begin(struct http_transfer *transfer)
{
    const struct check_request *request = &transfer->check->request;
    char address[ADDRESS_TEXT_MAX];
    char url[sizeof "http://[]:65535" + ADDRESS_TEXT_MAX + HEALTH_PATH_MAX];
    address_format(&request->target, address);
    bool v6 = request->target.family == 6;
    snprintf(url, sizeof url, "http://%s%s%s:%u%s", v6 ? "[" : "", address, v6 ? "]" : "", request->health.port,
             request->health.path);
    search_begin(&transfer->search, request->contains);
    return set_headers(transfer) < 0 ? -ENOMEM : go_for(transfer, url);
}

void http_begin(struct http *http, struct check *check)
{
    struct http_transfer *transfer = calloc(1, sizeof *transfer);
    if (transfer) {
        *transfer = (struct http_transfer){.http = http, .check = check};
        check->transfer = transfer;
        if (begin(transfer) == 0)
            return;
        destroy(transfer);
    }
    struct probe_result result = {0};
    reason_set(&result, PROBE_INTERNAL, "the probe ran out of memory");
    check_finish(check, &result);
}

/* --- its end ---------------------------------------------------------------------------------- */

/*
 * Goes on with the next socket, or returns false and leaves the transfer as it is. With a new handle: one that is used
 * again keeps a pointer to the last header of the answer before, which libcurl has freed then (7.88, Debian 12), and an
 * answer whose first header is a continued line would be written there.
 */
static bool follow(struct http_transfer *transfer)
{
    struct check *check = transfer->check;
    char *to = NULL;
    curl_easy_getinfo(transfer->easy, CURLINFO_REDIRECT_URL, &to);
    if (!to || !check->request.health.follow_redirects || check->next_socket == check->socket_count ||
        !redirect_is_status(transfer_status(transfer)))
        return false;
    char *url = redirect_url(&check->request, to);
    bool going = url && go_for(transfer, url) == 0;
    free(url);
    return going;
}

static void transfer_done(struct http_transfer *transfer, CURLcode code)
{
    if (code == CURLE_OK && follow(transfer))
        return;
    struct check *check = transfer->check;
    struct probe_result result = {0};
    bool enough = code == CURLE_WRITE_ERROR && transfer->enough;
    if (code == CURLE_OK || enough)
        outcome_of_answer(transfer, &result);
    else
        outcome_of_failure(transfer, code, &result);
    destroy(transfer);
    check_finish(check, &result);
}

static void collect(struct http *http)
{
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(http->multi, &left))) {
        void *transfer = NULL;
        if (message->msg == CURLMSG_DONE) {
            CURLcode code = message->data.result; /* the message dies with the handle's removal */
            curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
            transfer_done(transfer, code);
        }
    }
}

void http_expire(struct check *check, struct probe_result *result)
{
    struct http_transfer *transfer = check->transfer;
    outcome_of_timeout(transfer, result);
    destroy(transfer);
}

void http_abandon(struct check *check)
{
    destroy(check->transfer);
}
