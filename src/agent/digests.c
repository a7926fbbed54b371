/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Processes of bluegreen-digest: started, listened to as fast as somebody wants to know, ended when they hang. */
#include "agent/digests.h"

#include "agent/agent.h"
#include "base/cleanup.h"
#include "os/log.h"
#include "os/process.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum { SLACK_MS = 5000 }; /* it keeps its own time, and we see that it does */

struct digest_run {
    struct list link; /* among the agent's, until its process was collected */
    struct agent *agent;
    struct process process;
    struct loop_source *source, *exit_source;
    struct loop_timer *timer;
    uint64_t until_ms;
    digest_on_change *on_change;
    void *context;
    bool has, over;
    struct digest_message head;
    char last[DIGEST_PATH_MAX + 1]; /* the path before: they come in order */
    uint32_t files;
    uint64_t bytes;
    char failure[WIRE_TEXT_MAX + 1];
};

/* --- starting ----------------------------------------------------------------------------------- */

static int add_number(struct words *argv, uint32_t number)
{
    char text[16];
    snprintf(text, sizeof text, "%u", number);
    return words_add(argv, text);
}

static int make_argv(const struct agent *agent, const struct digest_spec *spec, struct words *argv)
{
    CLEANUP_TEXT struct text groups = {0};
    text_add(&groups, "");
    for (size_t i = 0; i < spec->group_count; i++)
        text_addf(&groups, "%s%u", i ? "," : "", (unsigned)spec->groups[i]);
    int result = groups.failed ? -ENOMEM : words_add(argv, agent->options.digest_path);
    if (result == 0)
        result = add_number(argv, spec->uid);
    if (result == 0)
        result = add_number(argv, spec->gid);
    if (result == 0)
        result = words_add(argv, groups.data);
    if (result == 0)
        result = words_add(argv, spec->what);
    if (result == 0)
        result = words_add(argv, spec->directory);
    for (size_t i = 0; result == 0 && spec->pids && i < spec->pids->count; i++)
        result = words_add(argv, spec->pids->items[i]);
    return result;
}

static void collect(struct digest_run *run)
{
    siginfo_t info = {0};
    waitid((idtype_t)P_PIDFD, (id_t)run->process.pidfd, &info, WEXITED | WNOHANG | __WALL);
    loop_remove_fd(run->source);
    loop_remove_fd(run->exit_source);
    loop_timer_free(run->timer);
    process_forget(&run->process);
    list_remove(&run->link);
    free(run);
}

static void on_exit_of_digest(void *context, int fd, uint32_t events)
{
    (void)fd;
    (void)events;
    collect(context);
}

static void on_message(void *context, int fd, uint32_t events)
{
    struct digest_run *run = context;
    (void)fd;
    (void)events;
    if (run->on_change)
        run->on_change(run->context);
}

static void end(struct digest_run *run, const char *why)
{
    run->over = true;
    text_copy(run->failure, sizeof run->failure, why);
    loop_timer_disarm(run->timer);
    loop_remove_fd(run->source);
    run->source = NULL;
}

static void on_silence(void *context)
{
    struct digest_run *run = context;
    end(run, "it hung: nothing was read for 10 s (is a file system of its path hanging?)");
    log_warning("bluegreen-digest %d says nothing any more, and is ended", (int)run->process.pid);
    if (run->on_change)
        run->on_change(run->context);
}

int digest_start(struct agent *agent, const struct digest_spec *spec, digest_on_change *on_change, void *context,
                 struct digest_run **out, struct error *err)
{
    CLEANUP_WORDS struct words argv = {0};
    struct digest_run *run = calloc(1, sizeof *run);
    if (!run || make_argv(agent, spec, &argv) < 0) {
        free(run);
        return error_errno(err, ENOMEM, "start bluegreen-digest");
    }
    *run = (struct digest_run){.agent = agent, .on_change = on_change, .context = context};
    list_init(&run->link);
    run->timer = loop_timer_new(agent->loop, on_silence, run);
    int result = run->timer ? process_start(argv.items, &run->process, err) : -ENOMEM;
    if (result < 0) {
        loop_timer_free(run->timer);
        free(run);
        return result;
    }
    run->until_ms = clock_monotonic_ms() + 1000ull * DIGEST_SECONDS_MAX + SLACK_MS;
    list_append(&agent->digests, &run->link);
    *out = run;
    return 0;
}

/* --- listening ---------------------------------------------------------------------------------- */

static void take_end(struct digest_run *run)
{
    char why[WIRE_TEXT_MAX + 1];
    run->files = run->head.files;
    run->bytes = run->head.size;
    switch (run->head.error) {
    case 0: end(run, ""); return;
    case ETIME: snprintf(why, sizeof why, "it took longer than %u s", DIGEST_SECONDS_MAX); break;
    case EFBIG: snprintf(why, sizeof why, "it is larger than %llu GiB", DIGEST_BYTES_MAX >> 30); break;
    case EOVERFLOW: snprintf(why, sizeof why, "it has more than %u files", DIGEST_FILES_MAX); break;
    default: text_copy(why, sizeof why, strerror(run->head.error)); break;
    }
    end(run, why);
}

/* False: the next message is wanted. */
static bool take(struct digest_run *run)
{
    if (run->head.kind == DIGEST_END) {
        take_end(run);
        return true;
    }
    if (run->head.kind == DIGEST_PROGRESS) {
        run->files = run->head.files;
        run->bytes = run->head.size;
        if (clock_monotonic_ms() >= run->until_ms)
            end(run, "it did not end at its time");
        return run->over;
    }
    if (digest_order(run->last, run->head.path) >= 0) {
        end(run, "bluegreen-digest said what it must not");
        return true;
    }
    text_copy(run->last, sizeof run->last, run->head.path);
    run->has = true;
    return true;
}

static void wait_for_more(struct digest_run *run)
{
    if (!run->source)
        run->source = loop_add_fd(run->agent->loop, run->process.channel, EPOLLIN, on_message, run);
    if (!run->source)
        end(run, "out of memory");
    else if (loop_timer_due_ms(run->timer) == 0)
        loop_timer_arm(run->timer, DIGEST_SILENCE_MS);
}

enum digest_state digest_state(struct digest_run *run)
{
    while (!run->has && !run->over) {
        ssize_t got = message_receive(run->process.channel, &run->head, sizeof run->head, NULL, NULL);
        if (got == -EAGAIN) {
            wait_for_more(run);
            return run->over ? DIGEST_OVER : DIGEST_WAITS;
        }
        loop_timer_disarm(run->timer);
        if (got <= 0)
            end(run, "bluegreen-digest died; see the agent's log");
        else if (!digest_message_valid(&run->head, (size_t)got))
            end(run, "bluegreen-digest said what it must not");
        else if (take(run))
            break;
    }
    if (run->has) { /* whoever waits for the other one must not be woken by this one */
        loop_remove_fd(run->source);
        run->source = NULL;
    }
    return run->has ? DIGEST_HAS : DIGEST_OVER;
}

const struct digest_message *digest_head(const struct digest_run *run)
{
    return &run->head;
}

void digest_next(struct digest_run *run)
{
    run->has = false;
}

void digest_done(const struct digest_run *run, uint32_t *files, uint64_t *bytes)
{
    *files = run->files;
    *bytes = run->bytes;
}

const char *digest_failure(const struct digest_run *run)
{
    return run->failure;
}

/* --- the end ------------------------------------------------------------------------------------- */

static void kill_process(const struct digest_run *run)
{
    syscall(SYS_pidfd_send_signal, run->process.pidfd, SIGKILL, NULL, 0);
}

void digest_drop(struct digest_run *run)
{
    if (!run)
        return;
    run->on_change = NULL;
    end(run, "");
    close_fd(&run->process.channel);
    kill_process(run);
    run->exit_source = loop_add_fd(run->agent->loop, run->process.pidfd, EPOLLIN, on_exit_of_digest, run);
    if (!run->exit_source)
        collect(run);
}

void digests_dispose(struct agent *agent)
{
    struct digest_run *run;
    list_for_each(run, &agent->digests, link)
    {
        kill_process(run);
        collect(run);
    }
}
