/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The zone's resolv.conf and hosts. */
#include "zone/hosts.h"

#include "base/cleanup.h"
#include "model/types.h"
#include "os/files.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

enum { SYSTEM_FILE_MAX = 256 * 1024 };

/* The host's file first; where it names only a stub on the loopback, what the stub itself asks. */
static const char *const resolv_sources[] = {
    "/etc/resolv.conf", "/run/systemd/resolve/resolv.conf", /* systemd-resolved */
    "/run/NetworkManager/no-stub-resolv.conf",              /* NetworkManager with dnsmasq or resolved */
    "/run/dnsmasq/resolv.conf",                             /* dnsmasq under resolvconf(8) */
};

/* The first word of a line, cut off in place; *rest is what follows it. */
static char *first_word(char *line, char **rest)
{
    char *word = line + strspn(line, " \t");
    *rest = word + strcspn(word, " \t");
    if (**rest)
        *(*rest)++ = '\0';
    *rest += strspn(*rest, " \t");
    return word;
}

static bool is_loopback(const struct address *address)
{
    static const uint8_t one[16] = {[15] = 1};
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    if (address->family == 4)
        return address->bytes[0] == 127;
    return memcmp(address->bytes, one, sizeof one) == 0 ||
           (memcmp(address->bytes, mapped, sizeof mapped) == 0 && address->bytes[12] == 127);
}

static bool is_link_local(const struct address *address)
{
    return address->family == 6 && address->bytes[0] == 0xfe && (address->bytes[1] & 0xc0) == 0x80;
}

static bool is_nowhere(const struct address *address)
{
    static const uint8_t zeros[16];
    return memcmp(address->bytes, zeros, address->family == 4 ? 4 : 16) == 0; /* 0.0.0.0 means this host */
}

static bool name_server_usable(const char *text)
{
    struct address address;
    return address_parse(text, &address) && !is_loopback(&address) && !is_link_local(&address) && !is_nowhere(&address);
}

/* Calls for each line (without its newline, writable) of a copy of content. */
typedef void line_function(char *line, void *context);

static void each_line(const char *content, line_function *function, void *context)
{
    CLEANUP_FREE char *copy = strdup(content);
    for (char *line = copy, *next; line && *line; line = next) {
        next = line + strcspn(line, "\n");
        if (*next)
            *next++ = '\0';
        function(line, context);
    }
} /* NOLINT(clang-analyzer-unix.Malloc): line leads to copy, which goes here */

struct resolv_filter {
    struct text *out;
    unsigned servers;
};

static void filter_resolv_line(char *line, void *context)
{
    struct resolv_filter *filter = context;
    CLEANUP_FREE char *words = strdup(line);
    char *rest;
    if (!words)
        return;
    bool is_server = strcmp(first_word(words, &rest), "nameserver") == 0;
    rest[strcspn(rest, " \t#;\r")] = '\0';
    if (is_server && !name_server_usable(rest))
        return;
    filter->servers += is_server;
    text_addf(filter->out, "%s\n", line);
}

unsigned hosts_filter_resolv(const char *content, struct text *out)
{
    struct resolv_filter filter = {.out = out};
    each_line(content, filter_resolv_line, &filter);
    return filter.servers;
}

static void keep_foreign_entry(char *line, void *context)
{
    CLEANUP_FREE char *words = strdup(line);
    char *rest;
    struct address address;
    if (!words)
        return;
    if (address_parse(first_word(words, &rest), &address) && !is_loopback(&address))
        text_addf(context, "%s\n", line);
}

void hosts_build(const char *host_file, const char *hostname, const struct zone_addresses *addresses, bool ipv6,
                 struct text *out)
{
    char service[ADDRESS_TEXT_MAX];
    text_add(out, "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n");
    text_addf(out, "%s %s\n", address_format(&addresses->service4, service), hostname);
    if (ipv6)
        text_addf(out, "%s %s\n", address_format(&addresses->service6, service), hostname);
    text_addf(out, "%s host.bluegreen\n", address_format(&addresses->host4, service));
    each_line(host_file, keep_foreign_entry, out);
}

static int write_text(const char *directory, const char *name, const struct text *text, struct error *err)
{
    char path[PATH_MAX];
    if (text->failed)
        return error_errno(err, ENOMEM, "write %s", name);
    if ((size_t)snprintf(path, sizeof path, "%s/%s", directory, name) >= sizeof path)
        return error_errno(err, ENAMETOOLONG, "write %s/%s", directory, name);
    return file_write_atomic(path, 0644, text->data ? text->data : "", text->length, err);
}

/* A name server on the host's loopback is asked by the host's end of the cable, once [share] lets the zone. */
static int write_resolv(const char *directory, const struct zone_addresses *addresses, struct error *err)
{
    char host[ADDRESS_TEXT_MAX];
    CLEANUP_TEXT struct text best = {0};
    for (size_t i = 0; i < sizeof resolv_sources / sizeof *resolv_sources; i++) {
        CLEANUP_FREE char *content = NULL;
        CLEANUP_TEXT struct text text = {0};
        if (file_read(resolv_sources[i], SYSTEM_FILE_MAX, &content, NULL, NULL) < 0)
            continue;
        if (hosts_filter_resolv(content, &text) > 0)
            return write_text(directory, "resolv.conf", &text, err);
        if (!best.data) { /* its search domains and options, for want of better */
            best = text;
            text = (struct text){0};
        }
    }
    text_addf(&best,
              "# No name server of the host can be reached but by [share] host = 53/udp, 53/tcp.\n"
              "nameserver %s\n",
              address_format(&addresses->host4, host));
    return write_text(directory, "resolv.conf", &best, err);
}

int hosts_write(const char *directory, const char *hostname, const struct zone_addresses *addresses, bool ipv6,
                struct error *err)
{
    CLEANUP_FREE char *content = NULL;
    CLEANUP_TEXT struct text text = {0};
    if (file_read("/etc/hosts", SYSTEM_FILE_MAX, &content, NULL, NULL) < 0)
        content = NULL;
    hosts_build(content ? content : "", hostname, addresses, ipv6, &text);
    int result = write_text(directory, "hosts", &text, err);
    return result < 0 ? result : write_resolv(directory, addresses, err);
}
