/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a sandbox must leave to any server, for escape.c: a zone that is tight because nothing works is no good. */
#pragma once

#include "escape.h"

#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/wait.h>

/* A program without a file, as some runtimes and installers make it. */
static bool works_memory_program(void)
{
    int fd = memfd_create("bluegreen-works", MFD_CLOEXEC), from = open("/bin/true", O_RDONLY | O_CLOEXEC), status;
    char buffer[65536];
    ssize_t got;
    while ((got = read(from, buffer, sizeof buffer)) > 0) {
        if (write(fd, buffer, (size_t)got) != got)
            return judge(-1, "write");
    }
    pid_t child = fork();
    if (child == 0) {
        char *const words[] = {(char[]){"true"}, NULL}, *const none[] = {NULL};
        fexecve(fd, words, none);
        _exit(127);
    }
    waitpid(child, &status, 0);
    say("status %d", status);
    return status == 0;
}

static bool works_just_in_time(void)
{
#if defined __x86_64__
    static const unsigned char code[] = {0xb8, 42, 0, 0, 0, 0xc3}; /* mov eax, 42; ret */
#elif defined __aarch64__
    static const uint32_t code[] = {0x52800540, 0xd65f03c0}; /* mov w0, #42; ret */
#else
    say("no code for this machine");
    return true;
#endif
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED)
        return judge(-1, "mmap");
    memcpy(page, code, sizeof code);
    __builtin___clear_cache((char *)page, (char *)page + sizeof code);
    if (mprotect(page, 4096, PROT_READ | PROT_EXEC) < 0)
        return judge(-1, "mprotect");
    int (*function)(void);
    memcpy(&function, &page, sizeof function);
    return judge(function() == 42 ? 0 : -1, "code made at run time");
}

static void *thread(void *context)
{
    *(int *)context = 1;
    return NULL;
}

static bool works_thread(void)
{
    pthread_t handle;
    int ran = 0;
    errno = pthread_create(&handle, NULL, thread, &ran);
    if (errno)
        return judge(-1, "pthread_create");
    pthread_join(handle, NULL);
    return ran;
}

static bool works_waiting(void)
{
    sigset_t none;
    sigemptyset(&none);
    return judge(epoll_create1(0), "epoll_create1") && judge(eventfd(0, 0), "eventfd") &&
           judge(inotify_init1(0), "inotify_init1") && judge(timerfd_create(CLOCK_MONOTONIC, 0), "timerfd_create") &&
           judge(signalfd(-1, &none, 0), "signalfd");
}

static bool works_tmp(void)
{
    char path[] = "/tmp/worksXXXXXX", other[] = "/var/tmp/worksXXXXXX";
    return judge(mkstemp(path), "/tmp") && judge(unlink(path), "unlink") && judge(mkstemp(other), "/var/tmp") &&
           judge(unlink(other), "unlink");
}

/* A server's own socket, where they are wont to put it. */
static bool works_run(void)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX, .sun_path = "/run/works.sock"};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool works = judge(fd, "socket") && judge(bind(fd, (struct sockaddr *)&at, sizeof at), "bind in /run") &&
                 judge(listen(fd, 1), "listen");
    unlink(at.sun_path);
    return works;
}

static bool works_shared_memory(void)
{
    int fd = shm_open("/bluegreen-works", O_CREAT | O_RDWR, 0600);
    bool works = judge(fd, "shm_open") && judge(ftruncate(fd, 4096), "ftruncate");
    shm_unlink("/bluegreen-works");
    return works;
}

static bool works_terminal(void)
{
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (master < 0 || grantpt(master) < 0 || unlockpt(master) < 0)
        return judge(-1, "a terminal of its own");
    return judge(open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC), "its other end");
}

static bool works_devices(void)
{
    return can_open("/dev/null", O_RDWR) && can_read("/dev/zero") && can_read("/dev/urandom") &&
           can_open("/dev/full", O_WRONLY) && can_open("/dev/stdout", O_WRONLY | O_APPEND) &&
           can_open("/dev/fd", O_RDONLY);
}

static bool works_low_port(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(443)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return judge(bind(fd, (struct sockaddr *)&at, sizeof at), "bind to port 443");
}

static bool works_own_process(void)
{
    return can_read("/proc/self/status") && can_read("/proc/self/maps") && can_read("/proc/meminfo") &&
           can_read("/proc/cpuinfo") && can_open("/sys/fs/cgroup/cgroup.procs", O_RDONLY);
}

static bool works_signal_child(void)
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        pause();
        _exit(0);
    }
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    say("status %x", status);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}
