/* SPDX-License-Identifier: GPL-2.0-or-later */
/* [share] and [egress]: keys whose values have a language of their own. */
#include "conf/app_keys.h"

#include "model/grammar.h"

#include <errno.h>
#include <stdlib.h>

int app_key_share_host(void *target, const char *value, struct error *err)
{
    struct service *service = target;
    return grammar_shares(value, service->shares, &service->share_count, err);
}

/* Connecting to a socket takes the right to write to it, not to the file system that it is in. */
int app_key_share_socket(void *target, const char *value, struct error *err)
{
    struct service *service = target;
    size_t first = service->file_count;
    int result = grammar_files(value, FILE_READ, service->files, &service->file_count, err);
    for (size_t i = first; result == 0 && i < service->file_count; i++) {
        service->files[i].shared = true;
        if (service->files[i].target)
            result =
                error_set(err, EINVAL, "sockets are shown where they are; leave \"-> %.60s\" out, or use [files] read",
                          service->files[i].target);
    }
    return result;
}

int app_key_allow(void *target, const char *value, struct error *err)
{
    struct egress *egress = &((struct service *)target)->egress;
    return grammar_reach(value, egress->allow, &egress->allow_count, err);
}

int app_key_standby_allow(void *target, const char *value, struct error *err)
{
    struct egress *egress = &((struct service *)target)->egress;
    return grammar_reach(value, egress->standby_allow, &egress->standby_allow_count, err);
}
