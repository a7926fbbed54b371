/* SPDX-License-Identifier: GPL-2.0-or-later */
/* [preview]: ports, and clients by their addresses. */
#include "model/grammar.h"

#include "base/cleanup.h"
#include "model/grammar_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char preview_form[] = "PORT or ADDRESS:PORT, with \"-> NAME\" for another port of [ports] than its first";

static int take_port(const char *item, struct port *port, struct error *err)
{
    CLEANUP_FREE char *copy = strdup(item);
    if (!copy)
        return error_errno(err, ENOMEM, "read a port");
    char *arrow = strstr(copy, "->");
    *port = (struct port){0};
    if (arrow) {
        const char *name = text_trim(arrow + 2);
        if (!name[0] || !text_copy(port->name, sizeof port->name, name))
            return error_set(err, EINVAL, "\"%.*s\": no port's name behind '->'; write %s", QUOTE_MAX, item,
                             preview_form);
        *arrow = '\0';
    }
    return grammar_published(text_trim(copy), port, err);
}

int grammar_preview_ports(const char *value, struct preview *preview, struct error *err)
{
    struct port ports[PREVIEW_PORTS_MAX];
    CLEANUP_WORDS struct words items = {0};
    int result = grammar_list(value, &items, err);
    if (result == 0 && items.count > PREVIEW_PORTS_MAX)
        result = error_set(err, EINVAL, "more than %d ports", PREVIEW_PORTS_MAX);
    for (size_t i = 0; result == 0 && i < items.count; i++)
        result = take_port(items.items[i], &ports[i], err);
    if (result < 0)
        return result;
    preview->port_count = items.count;
    memcpy(preview->ports, ports, items.count * sizeof *ports);
    return 0;
}

/* One address is the prefix of all its bits. */
static int take_client(const char *item, struct prefix *client, struct error *err)
{
    struct address address;
    if (address_parse(item, &address))
        *client = (struct prefix){.address = address, .length = address.family == 6 ? 128 : 32};
    else if (!prefix_parse(item, client))
        return error_set(err, EINVAL,
                         "\"%.*s\" is no address and no network; write them with '|' between, as in \"192.0.2.0/24 | "
                         "2001:db8::7\" (bits "
                         "behind the length are 0)",
                         QUOTE_MAX, item);
    if (client->length == 0)
        return error_set(err, EINVAL, "%.*s are all clients; to have them all, make the release live", QUOTE_MAX, item);
    return 0;
}

int grammar_preview_clients(const char *value, struct preview *preview, struct error *err)
{
    struct prefix from[PREVIEW_FROM_MAX];
    CLEANUP_WORDS struct words items = {0};
    int result = grammar_list(value, &items, err);
    if (result == 0 && items.count > PREVIEW_FROM_MAX)
        result = error_set(err, EINVAL, "more than %d addresses and networks", PREVIEW_FROM_MAX);
    for (size_t i = 0; result == 0 && i < items.count; i++)
        result = take_client(items.items[i], &from[i], err);
    if (result < 0)
        return result;
    preview->from_count = items.count;
    memcpy(preview->from, from, items.count * sizeof *from);
    return 0;
}
