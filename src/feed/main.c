/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bluegreen-feed: carries an app's fed ports, journals what live was sent, and sends it to the other zone. A program of
 * its own because it reads what clients and apps send: before the first byte it has given away root, its view of the
 * files but for its journal's directory, and everything but the descriptors that it is given.
 *
 *     bluegreen-feed USER DIRECTORY       with its channel to bluegreend as descriptor 3
 */
#include "base/cleanup.h"
#include "feed/filter.h"
#include "feed/role.h"
#include "os/filter.h"
#include "os/log.h"
#include "os/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>

#define DESCRIPTORS_RESERVED 1024 /* channel, loop, journal, doors, sockets in stock, kept connections */
#define DESCRIPTORS_EACH     4    /* a client: itself, its connection to live, its request's body, its answer's */

/* Whoever starts it without root, as a test does, has it in the directory only. */
static int give_up_rights(const char *user, int directory, struct error *err)
{
    struct user_ids ids;
    if (geteuid() != 0)
        return fchdir(directory) < 0 ? error_errno(err, errno, "go into the feed's directory") : 0;
    int result = role_user_find(user, &ids, err);
    if (result < 0)
        return result;
    if (fchdir(directory) < 0 || chroot(".") < 0)
        return error_errno(err, errno, "make the feed's directory its root");
    return privileges_drop(&ids, err);
}

static size_t clients_that_fit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return 16;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
        getrlimit(RLIMIT_NOFILE, &limit);
    size_t clients =
        limit.rlim_cur > DESCRIPTORS_RESERVED ? (limit.rlim_cur - DESCRIPTORS_RESERVED) / DESCRIPTORS_EACH : 16;
    return clients < CLIENTS_MAX ? clients : CLIENTS_MAX;
}

static int run(const char *user, const char *path, struct error *err)
{
    CLEANUP_FD int directory = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct loop *loop = NULL;
    struct role *role = NULL;
    if (directory < 0)
        return error_errno(err, errno, "open %s, the feed's directory", path);
    umask(077);
    int result = give_up_rights(user, directory, err);
    if (result == 0)
        result = loop_new(&loop, err);
    if (result == 0)
        result = role_new(loop, ROLE_CHANNEL, directory, clients_that_fit(), &role, err);
    if (result == 0 && filter_fits_build())
        result = feed_filter_load(err);
    if (result == 0) {
        result = loop_run(loop);
        if (result < 0)
            error_errno(err, -result, "wait for events");
    }
    role_free(role);
    loop_free(loop);
    return result;
}

int main(int argc, char *argv[])
{
    struct error err = {0};
    log_open("bluegreen-feed");
    tzset(); /* reads /etc/localtime while that can still be opened */
    if (argc != 3 || !role_channel_is_there()) {
        fprintf(stderr, "bluegreen-feed is started by bluegreend, with their channel as descriptor 3; it is no "
                        "command\n");
        return 2;
    }
    /* A terminal's interrupt is for the monitor, which closes the channel when it ends. */
    signal(SIGINT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    int result = run(argv[1], argv[2], &err);
    if (result < 0)
        log_error("%s", err.text);
    return result < 0 ? EXIT_FAILURE : result;
}
