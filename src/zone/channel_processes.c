/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is known of a zone's processes, and what the shim says of them, noted there. channel.c is about messages. */
#include "zone/channel_processes.h"

#include "base/text.h"

#include <stdlib.h>
#include <string.h>

struct zone_app *channel_process(const struct channel *channel, const char *name)
{
    if (!name || !*name)
        return (struct zone_app *)(uintptr_t)&channel->app;
    for (size_t i = 0; i < channel->other_count; i++) {
        if (strcmp(channel->others[i].name, name) == 0)
            return &channel->others[i];
    }
    return NULL;
}

void channel_forget_process(struct channel *channel, size_t index)
{
    size_t last = --channel->other_count;
    channel->others[index] = channel->others[last];
    channel->transient[index] = channel->transient[last];
}

/* The shim runs SHIM_PROCESSES_MAX at most: among that many there is one that has ended. */
static bool make_room(struct channel *channel)
{
    if (!channel->others)
        channel->others = calloc(SHIM_PROCESSES_MAX, sizeof *channel->others);
    for (size_t i = 0; channel->others && channel->other_count == SHIM_PROCESSES_MAX && i < SHIM_PROCESSES_MAX; i++) {
        if (channel->others[i].pid == 0)
            channel_forget_process(channel, i);
    }
    return channel->others && channel->other_count < SHIM_PROCESSES_MAX;
}

struct zone_app *channel_known_process(struct channel *channel, const char *name)
{
    struct zone_app *process = channel_process(channel, name);
    if (process || !make_room(channel))
        return process;
    process = &channel->others[channel->other_count];
    *process = (struct zone_app){0};
    if (!text_copy(process->name, sizeof process->name, name))
        return NULL;
    channel->transient[channel->other_count++] = false;
    return process;
}

void channel_mark_transient(struct channel *channel, const char *name)
{
    struct zone_app *process = channel_process(channel, name);
    if (process && process != &channel->app)
        channel->transient[process - channel->others] = true;
}

void channel_take_process(struct zone_app *process, const struct shim_state *state)
{
    process->restarts = state->restarts;
    process->exited = state->exited;
    process->signalled = state->signalled;
    process->value = (int)state->exit_value;
    process->unix_ms = state->exit_unix_ms;
    process->ready = state->ready;
    process->stopping = state->phase == SHIM_STOPPING;
    process->over = state->phase == SHIM_OVER;
    process->watchdog_hits = state->watchdog_hits;
    if (state->exit_count > 0) { /* what comes right after HELLO says nothing of them */
        process->exit_count = state->exit_count;
        memcpy(process->exit_ages_ms, state->exit_ages, state->exit_count * sizeof *state->exit_ages);
    }
    text_copy(process->output, sizeof process->output, state->output ? state->output : "");
    text_sanitise(process->output);
    if (state->phase == SHIM_IDLE || state->phase == SHIM_BACK_OFF || state->phase == SHIM_OVER)
        process->pid = 0;
}
