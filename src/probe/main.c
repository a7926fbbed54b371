/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bluegreen-probe: makes the HTTP and TCP checks that bluegreend asks for, over sockets that
 * bluegreend made inside the zones. A program of its own because libcurl is large and because what
 * it reads comes from apps: before the first byte it gives away root and everything but the
 * descriptors it holds.
 *
 *     bluegreen-probe [USER]       with its channel to bluegreend as descriptor 3
 */
#include "base/cleanup.h"
#include "os/filter.h"
#include "os/log.h"
#include "os/process.h"
#include "probe/check.h"
#include "probe/filter.h"
#include "probe/http.h"
#include "probe/role.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#define DESCRIPTORS_RESERVED 32 /* standard streams, channel, loop, what libcurl keeps */
#define CHECKS_MAX           4096

static int give_up_root(const char *user, struct error *err)
{
    struct user_ids ids;
    if (geteuid() != 0)
        return 0;
    if (!user)
        return error_set(err, EPERM, "refusing to run as root: name the user to become as the first argument");
    int result = role_user_find(user, &ids, err);
    return result < 0 ? result : privileges_drop(&ids, err);
}

/* As many checks as there can be descriptors for: a request whose sockets do not fit would be
 * lost. */
static size_t checks_that_fit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return 1;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
        getrlimit(RLIMIT_NOFILE, &limit);
    size_t checks =
        limit.rlim_cur > DESCRIPTORS_RESERVED ? (limit.rlim_cur - DESCRIPTORS_RESERVED) / CHECK_SOCKETS_MAX : 1;
    return checks < CHECKS_MAX ? checks : CHECKS_MAX;
}

static int run(const char *user, struct error *err)
{
    struct loop *loop = NULL;
    struct http *http = NULL;
    struct role *role = NULL;
    int result = give_up_root(user, err);
    if (result == 0)
        result = loop_new(&loop, err);
    if (result == 0)
        result = http_new(loop, &http, err);
    if (result == 0)
        result = role_new(loop, http, ROLE_CHANNEL, checks_that_fit(), &role, err);
    if (result == 0 && filter_fits_build())
        result = probe_filter_load(err);
    if (result == 0) {
        result = loop_run(loop);
        if (result < 0)
            error_errno(err, -result, "wait for events");
    }
    role_free(role);
    http_free(http);
    loop_free(loop);
    return result;
}

int main(int argc, char *argv[])
{
    struct error err = {0};
    log_open("bluegreen-probe");
    tzset(); /* reads /etc/localtime while that can still be opened */
    if (argc > 2 || !role_channel_is_there()) {
        fprintf(stderr, "bluegreen-probe is started by bluegreend, with their channel as "
                        "descriptor 3; it is no command\n");
        return 2;
    }
    /* A terminal's interrupt is for the monitor, which closes the channel when it ends. */
    signal(SIGINT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    int result = run(argc > 1 ? argv[1] : NULL, &err);
    if (result < 0)
        log_error("%s", err.text);
    return result < 0 ? EXIT_FAILURE : result;
}
