/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bluegreen-digest: reads a release's files, or what running processes have loaded, and tells bluegreend their digests.
 * A process of its own because that takes time and may hang, and because the files are the app's: it has the rights of
 * the app's user and nothing else, no capability, no socket but its channel, no way to write.
 *
 *     bluegreen-digest UID GID GROUPS tree DIRECTORY
 *     bluegreen-digest UID GID GROUPS libraries DIRECTORY PID...
 *
 * GROUPS are numbers with commas between them, DIRECTORY may be "" for libraries. The answer, model/digest_wire.h, goes
 * to descriptor 3.
 */
#include "digest/digest.h"

#include "base/text.h"
#include "os/filter.h"
#include "os/log.h"
#include "os/process.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

enum { CHANNEL = 3, GROUPS_MAX = 1024 };

struct rights {
    struct user_ids ids;
    gid_t groups[GROUPS_MAX];
    size_t count;
};

static bool read_id(const char *text, uint32_t *id)
{
    uint64_t number;
    bool valid = text_to_u64(text, UINT32_MAX - 1, &number); /* -1 means "as it is" to the kernel */
    *id = valid ? (uint32_t)number : 0;
    return valid;
}

static bool read_groups(char *text, struct rights *rights)
{
    char *rest = NULL;
    for (char *one = strtok_r(text, ",", &rest); one; one = strtok_r(NULL, ",", &rest)) {
        if (rights->count == GROUPS_MAX || !read_id(one, &rights->groups[rights->count++]))
            return false;
    }
    return true;
}

/* The app's user must not wait for what is only looked at. */
static void be_modest(void)
{
    if (setpriority(PRIO_PROCESS, 0, 19) < 0)
        log_debug("run at the lowest priority: %s", strerror(errno));
}

static int confine(const struct rights *rights, struct error *err)
{
    be_modest();
    int result = privileges_drop_with(&rights->ids, rights->groups, rights->count, err);
    if (result < 0)
        return result;
    /* Not before: ids that change make the kernel forget it. A monitor that is dead by now has closed the channel. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    return filter_fits_build() ? digest_filter_load(err) : 0;
}

static bool wanted_tree(int argc, char *argv[])
{
    return argc == 6 && strcmp(argv[4], "tree") == 0;
}

static bool wanted_libraries(int argc, char *argv[])
{
    uint32_t pid;
    bool wanted = argc >= 6 && strcmp(argv[4], "libraries") == 0;
    for (int i = 6; i < argc && wanted; i++)
        wanted = read_id(argv[i], &pid);
    return wanted;
}

int main(int argc, char *argv[])
{
    static struct digest digest;
    static struct rights rights;
    struct error err = {0};
    log_open("bluegreen-digest");
    bool usable = wanted_tree(argc, argv) || wanted_libraries(argc, argv);
    if (!usable || !read_id(argv[1], &rights.ids.uid) || !read_id(argv[2], &rights.ids.gid) ||
        !read_groups(argv[3], &rights)) {
        fprintf(stderr, "bluegreen-digest is run by bluegreend only, and not like this\n");
        return 2;
    }
    if (confine(&rights, &err) < 0) {
        log_error("%s", err.text);
        return EXIT_FAILURE;
    }
    digest_begin(&digest, CHANNEL);
    if (wanted_tree(argc, argv))
        digest_tree(&digest, argv[5]);
    else
        digest_libraries(&digest, argv[5], argv + 6);
    digest_end(&digest);
    return EXIT_SUCCESS;
}
