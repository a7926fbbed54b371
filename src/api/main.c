/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bluegreen-api: speaks with the clients of the control socket. A program of its own because it parses what they say:
 * nothing of what the monitor does as root is even loaded into it, and before the first byte it has given away root and
 * everything but the descriptors that it is given.
 *
 *     bluegreen-api USER       with its channel to bluegreend as descriptor 3
 */
#include "api/api.h"
#include "os/log.h"
#include "os/process.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Whoever starts it without root has nothing to give away. */
static int give_up_root(const char *user, struct error *err)
{
    struct user_ids ids;
    if (geteuid() != 0)
        return 0;
    int result = role_user_find(user, &ids, err);
    return result < 0 ? result : privileges_drop(&ids, err);
}

int main(int argc, char *argv[])
{
    struct error err = {0};
    log_open("bluegreen-api");
    if (argc != 2 || !role_channel_is_there()) {
        fputs("bluegreen-api is started by bluegreend, with their channel as descriptor 3; it is no command\n", stderr);
        return 2;
    }
    if (give_up_root(argv[1], &err) < 0) {
        log_error("%s", err.text);
        return EXIT_FAILURE;
    }
    return api_main(ROLE_CHANNEL);
}
