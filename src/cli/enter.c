/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `exec --root`: a command in the namespaces of an app's process with the rights of whoever calls, without the app's
 * user, sandbox and limits. The agent has no part in it but to say which process that is: it runs nothing as root for
 * anybody.
 *
 * The app owns some of what it sees, and must not thereby own the command: where the C library looks for somebody to
 * ask (name caches, D-Bus, systemd below /run) it finds nobody, and no descriptor or variable of the caller goes along.
 */
#include "cli/cli.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { EXIT_NOT_EXECUTABLE = 126, EXIT_NOT_FOUND = 127 }; /* as shells have it */

#define NAMESPACES (CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP)

static int fail(const struct cli *cli, enum bluegreen_error_kind kind, const char *what, const char *why)
{
    struct bluegreen_error error = {.kind = kind};
    snprintf(error.reason, sizeof error.reason, "%s%s%s", what, why ? ": " : "", why ? why : "");
    cli_fail(cli, &error);
    return EXIT_NOT_RUN;
}

/* The app's process in the zone; 0 = none runs there. -1: *error says why. */
static int64_t find_process(const struct cli *cli, enum bluegreen_colour zone, struct bluegreen_error *error)
{
    struct bluegreen *agent;
    struct bluegreen_status *status;
    if (bluegreen_open(cli->socket, &agent, error) < 0)
        return -1;
    int result = bluegreen_status(agent, cli->arguments[0], &status, error);
    bluegreen_close(agent);
    if (result < 0)
        return -1;
    const struct bluegreen_app *app = status->count == 1 ? status->apps[0] : NULL;
    enum bluegreen_colour colour = zone != BLUEGREEN_NONE || !app ? zone : app->live;
    int64_t pid = app && colour != BLUEGREEN_NONE ? app->zones[colour].pid : 0;
    bluegreen_status_free(status);
    return pid;
}

/* A descriptor of the process, or a negative exit status that was told already. The number may have become somebody
 * else's between the agent's look and ours: so it is asked for again once the descriptor holds it. */
static int open_process(const struct cli *cli, enum bluegreen_colour zone)
{
    struct bluegreen_error error;
    int64_t pid = find_process(cli, zone, &error);
    if (pid < 0) {
        cli_fail(cli, &error);
        return -1;
    }
    int fd = pid == 0 ? -1 : (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);
    if (fd >= 0 && find_process(cli, zone, &error) == pid)
        return fd;
    if (fd >= 0)
        close(fd);
    fail(cli, BLUEGREEN_REFUSED,
         "the app does not run in this zone, so there are no namespaces to enter; look with 'bluegreen status'", NULL);
    return -1;
}

/* --- in the zone, before the command ------------------------------------------------------------------------ */

/* Nobody's but the command's: the app sees neither the cover nor what the command mounts. */
static const char *make_view(void)
{
    static const char *const covered[] = {"/run", "/var/run"};
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return "take a view of the files of its own";
    for (size_t i = 0; i < sizeof covered / sizeof *covered; i++) {
        struct stat status;
        if (lstat(covered[i], &status) < 0 || !S_ISDIR(status.st_mode)) /* /var/run is mostly a link to /run */
            continue;
        if (mount("none", covered[i], "tmpfs", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=755,size=4k") < 0)
            return covered[i];
    }
    /* The working directory is still that of the view before. */
    return chdir("/") < 0 ? "/" : NULL;
}

static bool clean_environment(void)
{
    static const char *const kept[] = {"TERM", "LANG", "LC_ALL"};
    enum { KEPT = sizeof kept / sizeof *kept };
    char values[KEPT][64];
    for (int i = 0; i < KEPT; i++) {
        const char *value = getenv(kept[i]);
        bool plain = value && strlen(value) < sizeof values[i] && !strchr(value, '/'); /* no name of the app's files */
        snprintf(values[i], sizeof values[i], "%s", plain ? value : "");
    }
    bool done = clearenv() == 0;
    for (int i = 0; done && i < KEPT; i++)
        done = !values[i][0] || setenv(kept[i], values[i], 1) == 0;
    return done && setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1) == 0 &&
           setenv("HOME", "/root", 1) == 0 && setenv("USER", "root", 1) == 0 && setenv("LOGNAME", "root", 1) == 0 &&
           setenv("SHELL", "/bin/sh", 1) == 0;
}

static int run_command(const struct cli *cli)
{
    const char *failed = make_view();
    if (!failed && (!clean_environment() || close_range(STDERR_FILENO + 1, ~0U, 0) < 0))
        failed = "clean what the command would inherit";
    if (failed) {
        fprintf(stderr, "bluegreen: exec %s: cover what is the app's: %s: %s\n", cli->arguments[0], failed,
                strerror(errno));
        return EXIT_NOT_RUN;
    }
    execvp(cli->command[0], cli->command);
    int number = errno;
    fprintf(stderr, "bluegreen: exec %s: run %s: %s\n", cli->arguments[0], cli->command[0], strerror(number));
    return number == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE;
}

static int wait_for(pid_t pid)
{
    int status;
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR)
            return EXIT_NOT_RUN;
    }
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int enter_run(struct cli *cli, enum bluegreen_colour zone)
{
    if (geteuid() != 0)
        return fail(cli, BLUEGREEN_NOT_ALLOWED,
                    "--root enters the zone with your own rights, and only root may enter one: call it with sudo, or "
                    "leave --root out to run the command as the app's user",
                    NULL);
    int process = open_process(cli, zone);
    if (process < 0)
        return EXIT_NOT_RUN;
    int entered = setns(process, NAMESPACES);
    int number = errno;
    close(process);
    if (entered < 0)
        return fail(cli, BLUEGREEN_FAILED, "enter the namespaces of the zone", strerror(number));
    fflush(stdout);
    pid_t pid = fork(); /* the pid namespace is that of children */
    if (pid == 0)
        _exit(run_command(cli));
    if (pid < 0)
        return fail(cli, BLUEGREEN_FAILED, "start a process in the zone", strerror(errno));
    signal(SIGINT, SIG_IGN); /* from the terminal they are meant for the command */
    signal(SIGQUIT, SIG_IGN);
    return wait_for(pid);
}
