/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which redirects a check may follow. An app behind a published port redirects to the name that it
 * was called by, so the configured Host counts as the target; its address and port stay the ones
 * that the check was given.
 */
#include "probe/redirect.h"

#include "base/cleanup.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

bool redirect_is_status(uint16_t status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

static void cleanup_url(CURLU **url)
{
    curl_url_cleanup(*url);
}

static void cleanup_part(char **part)
{
    curl_free(*part);
}

#define CLEANUP_URL  CLEANUP(cleanup_url)
#define CLEANUP_PART CLEANUP(cleanup_part)

static CURLU *parse(const char *text)
{
    CURLU *url = curl_url();
    if (url && curl_url_set(url, CURLUPART_URL, text, 0) == CURLUE_OK)
        return url;
    curl_url_cleanup(url);
    return NULL;
}

/* Host and port of a URL; false if either cannot be had. */
static bool authority(CURLU *url, char **host, char **port)
{
    return curl_url_get(url, CURLUPART_HOST, host, 0) == CURLUE_OK &&
           curl_url_get(url, CURLUPART_PORT, port, CURLU_DEFAULT_PORT) == CURLUE_OK;
}

static bool same_authority(CURLU *a, CURLU *b)
{
    CLEANUP_PART char *a_host = NULL, *a_port = NULL, *b_host = NULL, *b_port = NULL;
    return authority(a, &a_host, &a_port) && authority(b, &b_host, &b_port) && strcasecmp(a_host, b_host) == 0 &&
           strcmp(a_port, b_port) == 0;
}

static CURLU *target_url(const struct check_request *request)
{
    char address[ADDRESS_TEXT_MAX], text[sizeof "http://[]:65535/" + ADDRESS_TEXT_MAX];
    bool v6 = request->target.family == 6;
    address_format(&request->target, address);
    snprintf(text, sizeof text, "http://%s%s%s:%u/", v6 ? "[" : "", address, v6 ? "]" : "", request->health.port);
    return parse(text);
}

static CURLU *host_url(const struct check_request *request)
{
    char text[sizeof "http:///" + HEALTH_HOST_MAX];
    if (!request->health.host[0])
        return NULL;
    snprintf(text, sizeof text, "http://%s/", request->health.host);
    return parse(text);
}

static bool allowed(const struct check_request *request, CURLU *url, CURLU *target)
{
    CLEANUP_PART char *scheme = NULL;
    CLEANUP_URL CURLU *host = host_url(request);
    if (curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK || strcasecmp(scheme, "http") != 0)
        return false;
    return same_authority(url, target) || (host && same_authority(url, host));
}

bool redirect_allowed(const struct check_request *request, const char *text)
{
    CLEANUP_URL CURLU *url = parse(text);
    CLEANUP_URL CURLU *target = target_url(request);
    return url && target && allowed(request, url, target);
}

/* Everything of the URL's that is not address or port, copied onto the target. */
static bool copy_path(CURLU *to, CURLU *from)
{
    CLEANUP_PART char *path = NULL, *query = NULL;
    if (curl_url_get(from, CURLUPART_PATH, &path, 0) != CURLUE_OK ||
        curl_url_set(to, CURLUPART_PATH, path, 0) != CURLUE_OK)
        return false;
    CURLUcode code = curl_url_get(from, CURLUPART_QUERY, &query, 0);
    return code == CURLUE_NO_QUERY || (code == CURLUE_OK && curl_url_set(to, CURLUPART_QUERY, query, 0) == CURLUE_OK);
}

char *redirect_url(const struct check_request *request, const char *text)
{
    CLEANUP_URL CURLU *url = parse(text);
    CLEANUP_URL CURLU *target = target_url(request);
    CLEANUP_PART char *whole = NULL;
    if (!url || !target || !allowed(request, url, target) || !copy_path(target, url) ||
        curl_url_get(target, CURLUPART_URL, &whole, 0) != CURLUE_OK)
        return NULL;
    return strdup(whole);
}
