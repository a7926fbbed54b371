/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages of bluegreen-digest: what is valid, and how names are written. */
#include "model/digest_wire.h"

#include "base/text.h"

#include <stdio.h>
#include <string.h>

static bool path_clean(const char path[DIGEST_PATH_MAX + 1])
{
    const char *end = memchr(path, '\0', DIGEST_PATH_MAX + 1);
    if (!end || end == path || !text_is_utf8(path, (size_t)(end - path)))
        return false;
    for (const char *c = path; c < end; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            return false;
    }
    return true;
}

bool digest_message_valid(const struct digest_message *message, size_t length)
{
    if (length != sizeof *message || message->error < 0)
        return false;
    switch ((enum digest_kind)message->kind) {
    case DIGEST_PROGRESS:
    case DIGEST_END: return true;
    case DIGEST_FILE:
        return message->type && strchr("fdlmo", message->type) && message->mode <= 07777 && path_clean(message->path);
    }
    return false;
}

static int weight(char c)
{
    return c == '/' ? 1 : c == '\0' ? 0 : (unsigned char)c + 2;
}

int digest_order(const char *a, const char *b)
{
    while (*a && *a == *b) {
        a++;
        b++;
    }
    return weight(*a) - weight(*b);
}

bool digest_encode(const char *name, char *path, size_t size)
{
    size_t used = strlen(path), start = used;
    bool utf8 = text_is_utf8(name, strlen(name));
    for (const char *c = name; *c; c++) {
        unsigned char byte = (unsigned char)*c;
        bool plain = byte >= 0x20 && byte != 0x7f && byte != '\\' && (byte < 0x80 || utf8);
        if (used + (plain ? 1 : 4) >= size) {
            path[start] = '\0';
            return false;
        }
        if (plain)
            path[used++] = *c;
        else
            used += (size_t)snprintf(path + used, 5, "\\x%02x", byte);
    }
    path[used] = '\0';
    return true;
}
