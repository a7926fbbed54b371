/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The feed of an app: its role, started when a zone with [feed] is there, told what it has to know, and started again
 * when it dies. What the journal is worth is known here, too: once live was not fed, it says nothing any more.
 */
#include "agent/feeding.h"

#include "agent/feeding_role.h"
#include "agent/operations.h"
#include "agent/steps.h"
#include "agent/waiting.h"
#include "os/files.h"
#include "os/log.h"
#include "os/process.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define FEED_USER "bluegreen-feed"

enum {
    RESPAWN_MS = 100,
    RESPAWN_MAX_SHIFT = 7,
    WELL_MS = 10000,  /* a role that ran this long was well */
    BUFFER = 1 << 20, /* of the channel */
    REAP_MS = 100,    /* for one that was killed, when nobody will be there to hear of its end */
};

static void directory_of(const struct app *app, char *path, size_t size)
{
    snprintf(path, size, "%s/feed/%s", app->agent->options.state_dir, app->name);
}

static void remove_journal(const struct app *app)
{
    char path[PATH_MAX];
    struct error err = {0};
    directory_of(app, path, sizeof path);
    if (directory_remove(path, &err) < 0)
        log_warning("%s: remove the feed's journal: %s", app->name, err.text);
}

/* --- its end ---------------------------------------------------------------------------------------------- */

static void forget_told(struct feeding *feeding)
{
    memset(&feeding->rules, 0, sizeof feeding->rules);
    memset(feeding->zones, 0, sizeof feeding->zones);
    memset(feeding->doors, 0, sizeof feeding->doors);
    feeding->live = -2;
    feeding->asked = feeding->has_figures = feeding->killed = false;
}

static void forget_role(struct feeding *feeding)
{
    loop_remove_fd(feeding->source);
    loop_remove_fd(feeding->exit_source);
    feeding->source = feeding->exit_source = NULL;
    process_forget(&feeding->process);
    forget_told(feeding);
    feeding_orders_end(feeding, "the feed ended; it is started again");
    changed(feeding->app->agent);
}

bool feeding_is_wanted(const struct app *app)
{
    return app->zones[BLUE].doors || app->zones[GREEN].doors;
}

static void respawn_later(struct feeding *feeding)
{
    if (clock_monotonic_ms() - feeding->started_ms >= WELL_MS)
        feeding->failures = 0;
    uint32_t shift = feeding->failures < RESPAWN_MAX_SHIFT ? feeding->failures : RESPAWN_MAX_SHIFT;
    loop_timer_arm(feeding->respawn_timer, feeding->failures++ ? (uint64_t)RESPAWN_MS << shift : 1);
}

static void say_end(const struct app *app, bool child, int status)
{
    char how[32] = "nobody knows how"; /* it was another agent's child */
    if (child)
        snprintf(how, sizeof how, "%s %d", WIFSIGNALED(status) ? "signal" : "code",
                 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    log_error("%s: the feed ended (%s) and is started again; clients wait for it", app->name, how);
}

static void clear_journal(struct feeding *feeding)
{
    if (feeding->clears)
        remove_journal(feeding->app);
    feeding->clears = false;
}

static void on_exit_of_role(void *context, int fd, uint32_t events)
{
    struct feeding *feeding = context;
    struct app *app = feeding->app;
    int status = 0;
    (void)fd;
    (void)events;
    bool child = waitpid(feeding->process.pid, &status, 0) > 0;
    bool meant = feeding->ends, wanted = feeding_is_wanted(app);
    if (!meant && wanted)
        say_end(app, child, status);
    feeding->ends = false;
    forget_role(feeding);
    feeding_end_stray(app->agent, app->name); /* its files: it has ended */
    clear_journal(feeding);
    if (!meant && wanted)
        respawn_later(feeding);
    else
        feeding_follow(app);
    if (operation_running(app) && operation_step(app) == STEP_FORGET)
        step_enter(app, STEP_FORGET);
}

/* Not wanted any more, or what it knows is not true, and then what it wrote goes, too. Nobody waits for its end here:
 * what is wanted next comes with its exit. */
static void end_role(struct feeding *feeding, bool clears)
{
    loop_timer_disarm(feeding->respawn_timer);
    feeding->leaves_ms = 0;
    feeding->clears |= clears;
    if (feeding->process.pid == 0) {
        clear_journal(feeding);
        return;
    }
    loop_remove_fd(feeding->source);
    feeding->source = NULL;
    feeding->ends = true;
    syscall(SYS_pidfd_send_signal, feeding->process.pidfd, SIGKILL, NULL, 0);
}

/* --- its start -------------------------------------------------------------------------------------------- */

static int make_directory(const struct app *app, char *path, size_t size, struct error *err)
{
    struct user_ids ids;
    struct stat status;
    char above[PATH_MAX];
    snprintf(above, sizeof above, "%s/feed", app->agent->options.state_dir);
    directory_of(app, path, size);
    int result = user_find(FEED_USER, &ids, err);
    if (result == 0)
        result = directory_make(above, 0700, err);
    if (result == 0)
        result = directory_make(path, 0700, err);
    if (result < 0)
        return result;
    /* One that is its own already may be read-only: the feed says so then, and goes on with all that needs no disk. */
    bool own = lstat(path, &status) == 0 && status.st_uid == ids.uid && status.st_gid == ids.gid;
    if (!own && lchown(path, ids.uid, ids.gid) < 0)
        return error_errno(err, errno, "give %s to user %s", path, FEED_USER);
    return 0;
}

static int watch(struct feeding *feeding, struct error *err)
{
    struct loop *loop = feeding->app->agent->loop;
    int buffer = BUFFER;
    setsockopt(feeding->process.channel, SOL_SOCKET, SO_SNDBUFFORCE, &buffer, sizeof buffer);
    forget_told(feeding);
    feeding->started_ms = clock_monotonic_ms();
    feeding->source = loop_add_fd(loop, feeding->process.channel, EPOLLIN, feeding_on_message, feeding);
    feeding->exit_source = loop_add_fd(loop, feeding->process.pidfd, EPOLLIN, on_exit_of_role, feeding);
    if (feeding->source && feeding->exit_source)
        return 0;
    if (feeding->exit_source) {
        end_role(feeding, false);
    } else { /* nobody would hear of its end: it has done nothing yet, and takes no time to die */
        syscall(SYS_pidfd_send_signal, feeding->process.pidfd, SIGKILL, NULL, 0);
        waitpid(feeding->process.pid, NULL, 0);
        forget_role(feeding);
    }
    return error_errno(err, ENOMEM, "watch the feed of %s", feeding->app->name);
}

/* Else it would be a process that the unit, once stopped, has left behind. */
static void leave_unit(const struct feeding *feeding)
{
    struct error err = {0};
    const struct app *app = feeding->app;
    if (zone_host_keep(app->agent->zone_host, app->name, "feed", feeding->process.pid, &err) < 0)
        log_warning("%s: its feed stays in the agent's unit: %s", app->name, err.text);
}

static int start(struct feeding *feeding, struct error *err)
{
    struct agent *agent = feeding->app->agent;
    char path[PATH_MAX], user[] = FEED_USER;
    int result = make_directory(feeding->app, path, sizeof path, err);
    char *argv[] = {(char *)agent->options.feed_path, user, path, NULL};
    feeding->started_ms = clock_monotonic_ms();
    feeding_end_stray(feeding->app->agent, feeding->app->name);
    if (result == 0)
        result = process_start(argv, &feeding->process, err);
    if (result < 0)
        return error_prefix(err, "start the feed of %s", feeding->app->name);
    result = watch(feeding, err);
    if (result == 0) {
        leave_unit(feeding);
        feeding_make_lasting(feeding);
    }
    return result;
}

static void start_or_later(struct feeding *feeding)
{
    struct error err = {0};
    feeding->failure[0] = '\0';
    if (start(feeding, &err) == 0) {
        feeding_tell(feeding);
        return;
    }
    log_error("%s; it is tried again", err.text);
    text_copy(feeding->failure, sizeof feeding->failure, err.text);
    respawn_later(feeding);
}

/* What clients did past it is not in its journal. */
void feeding_leave_now(struct feeding *feeding)
{
    end_role(feeding, true);
    feeding->unfed = true;
}

static void on_respawn(void *context)
{
    struct feeding *feeding = context;
    if (feeding->leaves_ms) {
        feeding_leave_now(feeding);
        feeding_follow(feeding->app);
        return;
    }
    if (feeding_is_wanted(feeding->app) && feeding->process.pid == 0)
        start_or_later(feeding);
}

static struct feeding *make_feeding(struct app *app)
{
    struct feeding *feeding = calloc(1, sizeof *feeding);
    if (!feeding)
        return NULL;
    feeding->app = app;
    feeding->process = (struct process){.pidfd = -1, .channel = -1};
    feeding->token = clock_unix_ms(); /* those of an agent before this one are others */
    list_init(&feeding->orders);
    forget_told(feeding);
    feeding->respawn_timer = loop_timer_new(app->agent->loop, on_respawn, feeding);
    feeding->hold_timer = loop_timer_new(app->agent->loop, feeding_hold_late, feeding);
    if (feeding->respawn_timer && feeding->hold_timer)
        return feeding;
    loop_timer_free(feeding->respawn_timer);
    loop_timer_free(feeding->hold_timer);
    free(feeding);
    return NULL;
}

/* What live does now is in no journal: whoever reads this one later would believe too much. */
static void see_to_truth(struct app *app)
{
    if (app->feeding && app->feeding->leaves_ms)
        return;
    bool runs = app->state == APP_RUNNING && app->live >= 0 && app->zones[app->live].service;
    bool unfed = runs && !zone_is_fed(&app->zones[app->live]);
    if (unfed && !(app->feeding && app->feeding->unfed)) {
        if (app->feeding)
            end_role(app->feeding, true);
        else
            remove_journal(app);
    }
    if (app->feeding && runs)
        app->feeding->unfed = unfed;
}

void feeding_follow(struct app *app)
{
    if (!app->feeding && feeding_is_wanted(app)) {
        app->feeding = make_feeding(app);
        if (!app->feeding)
            log_error("%s: no memory for its feed", app->name);
    }
    if (!app->feeding)
        return;
    see_to_truth(app);
    if (app->feeding->leaves_ms && feeding_is_wanted(app))
        feeding_leave_now(app->feeding); /* it is wanted again: clients are not to wait for the former one's */
    if (app->feeding->leaves_ms || app->feeding->ends)
        return;
    if (!feeding_is_wanted(app))
        end_role(app->feeding, false);
    else if (app->feeding->process.pid == 0 && loop_timer_due_ms(app->feeding->respawn_timer) == 0)
        start_or_later(app->feeding);
    else
        feeding_tell(app->feeding);
}

void feeding_recover(struct app *app)
{
    struct error err = {0};
    app->feeding = feeding_is_left(app->agent, app->name) ? make_feeding(app) : NULL;
    if (app->feeding && feeding_connect(app->feeding) == 0 && watch(app->feeding, &err) < 0)
        log_error("%s", err.text);
    feeding_follow(app);
}

bool feeding_ends(struct app *app)
{
    if (!app->feeding || app->feeding->process.pid == 0)
        return false;
    end_role(app->feeding, true);
    return true;
}

void feeding_forget(struct app *app)
{
    feeding_end_stray(app->agent, app->name);
    remove_journal(app);
}

/* The role goes on, as the zones do. */
void feeding_dispose(struct app *app)
{
    struct feeding *feeding = app->feeding;
    if (!feeding)
        return;
    feeding_orders_end(feeding, "the agent is going down");
    loop_remove_fd(feeding->source);
    loop_remove_fd(feeding->exit_source);
    if (feeding->ends) {
        struct pollfd ended = {.fd = feeding->process.pidfd, .events = POLLIN};
        poll(&ended, 1, REAP_MS);
        waitpid(feeding->process.pid, NULL, WNOHANG);
    }
    if (feeding->process.pid)
        process_forget(&feeding->process);
    loop_timer_free(feeding->respawn_timer);
    loop_timer_free(feeding->hold_timer);
    free(feeding);
    app->feeding = NULL;
}
