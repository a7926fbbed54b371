/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Named network namespaces, and short threads inside them. */
#include "zone/netns.h"

#include "base/cleanup.h"
#include "os/files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#define NETNS_DIRECTORY "/run/netns" /* ip-netns(8) */

/* --- threads ------------------------------------------------------------------------------------ */

struct visit {
    int namespace_fd;     /* -1: a new namespace */
    const char *mount_on; /* where the new one gets its name, or NULL */
    netns_function *inside;
    void *context;
    struct error *err;
    int result;
};

static int enter(const struct visit *visit)
{
    if (visit->namespace_fd < 0)
        return unshare(CLONE_NEWNET) < 0 ? error_errno(visit->err, errno, "make a network namespace") : 0;
    return setns(visit->namespace_fd, CLONE_NEWNET) < 0 ? error_errno(visit->err, errno, "enter the network namespace")
                                                        : 0;
}

static void *visit_thread(void *context)
{
    struct visit *visit = context;
    visit->result = enter(visit);
    if (visit->result == 0 && visit->inside)
        visit->result = visit->inside(visit->context, visit->err);
    if (visit->result == 0 && visit->mount_on &&
        mount("/proc/thread-self/ns/net", visit->mount_on, "none", MS_BIND, NULL) < 0)
        visit->result = error_errno(visit->err, errno, "mount the network namespace on %s", visit->mount_on);
    return NULL;
}

static int run_thread(struct visit *visit)
{
    struct error unused;
    if (!visit->err)
        visit->err = &unused; /* cppcheck-suppress autoVariables ; the thread ends before this function does */
    pthread_attr_t attributes;
    pthread_t thread;
    sigset_t all, before;
    sigfillset(&all);
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, PTHREAD_STACK_MIN + 64 * 1024);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are the main thread's */
    int code = pthread_create(&thread, &attributes, visit_thread, visit);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    if (code != 0)
        return error_errno(visit->err, code, "start a thread for the network namespace");
    pthread_join(thread, NULL);
    return visit->result;
}

int netns_run(int fd, netns_function *inside, void *context, struct error *err)
{
    struct visit visit = {.namespace_fd = fd, .inside = inside, .context = context, .err = err};
    return run_thread(&visit);
}

struct socket_request {
    int family, type, protocol, fd;
};

static int open_socket(void *context, struct error *err)
{
    struct socket_request *request = context;
    request->fd = socket(request->family, request->type | SOCK_CLOEXEC, request->protocol);
    return request->fd < 0 ? error_errno(err, errno, "open a socket in the zone") : 0;
}

int netns_socket(int fd, int family, int type, int protocol, struct error *err)
{
    struct socket_request request = {.family = family, .type = type, .protocol = protocol, .fd = -1};
    int result = netns_run(fd, open_socket, &request, err);
    return result < 0 ? result : request.fd;
}

/* --- names -------------------------------------------------------------------------------------- */

static int name_path(const char *name, char path[PATH_MAX], struct error *err)
{
    if ((size_t)snprintf(path, PATH_MAX, "%s/%s", NETNS_DIRECTORY, name) >= PATH_MAX)
        return error_errno(err, ENAMETOOLONG, "network namespace %s", name);
    return 0;
}

/*
 * The directory is a mount of its own and shared, as ip-netns(8) makes it: then a namespace that loses its name here
 * loses it in every mount namespace, and is not kept alive by a copy.
 */
static int prepare_directory(struct error *err)
{
    int result = directory_make(NETNS_DIRECTORY, 0755, err);
    if (result < 0)
        return result;
    if (mount("", NETNS_DIRECTORY, "none", MS_SHARED | MS_REC, NULL) == 0)
        return 0;
    if (errno != EINVAL) /* EINVAL: not a mount yet */
        return error_errno(err, errno, "share the mount %s", NETNS_DIRECTORY);
    if (mount(NETNS_DIRECTORY, NETNS_DIRECTORY, "none", MS_BIND | MS_REC, NULL) < 0 ||
        mount("", NETNS_DIRECTORY, "none", MS_SHARED | MS_REC, NULL) < 0)
        return error_errno(err, errno, "make %s a shared mount", NETNS_DIRECTORY);
    return 0;
}

static int make_mount_point(const char *path, struct error *err)
{
    CLEANUP_FD int fd = open(path, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0);
    return fd < 0 ? error_errno(err, errno, "make %s", path) : 0;
}

int netns_open(const char *name, int *fd, struct error *err)
{
    char path[PATH_MAX];
    int result = name_path(name, path, err);
    if (result < 0)
        return result;
    CLEANUP_FD int opened = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (opened < 0)
        return error_errno(err, errno, "open the network namespace %s", path);
    struct statfs status;
    if (fstatfs(opened, &status) < 0 || status.f_type != NSFS_MAGIC)
        return error_set(err, ENOENT,
                         "open the network namespace %s: the file is left over, no namespace is mounted on it", path);
    *fd = steal_fd(&opened);
    return 0;
}

int netns_create(const char *name, netns_function *inside, void *context, int *fd, struct error *err)
{
    char path[PATH_MAX];
    int result = name_path(name, path, err);
    if (result == 0)
        result = prepare_directory(err);
    if (result == 0)
        result = make_mount_point(path, err);
    if (result < 0)
        return result;
    struct visit visit = {.namespace_fd = -1, .mount_on = path, .inside = inside, .context = context, .err = err};
    result = run_thread(&visit);
    if (result == 0)
        result = netns_open(name, fd, err);
    if (result < 0)
        netns_remove(name, NULL);
    return result;
}

int netns_remove(const char *name, struct error *err)
{
    char path[PATH_MAX];
    int result = name_path(name, path, err);
    if (result < 0)
        return result;
    /* EINVAL: nothing is mounted on the file. Mounts may lie on each other. */
    while (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) == 0)
        ;
    if (errno != EINVAL && errno != ENOENT)
        return error_errno(err, errno, "unmount the network namespace %s", path);
    if (unlink(path) < 0 && errno != ENOENT)
        return error_errno(err, errno, "remove %s", path);
    return 0;
}
