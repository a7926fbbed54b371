/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * VERB_RELEASE, between its files: releases.c begins it, release_phases.c does one thing after the other, each in a
 * process with the app's user's rights (release_work.c), release_telling.c says what comes of it, and
 * release_holding.c what must stay.
 */
#pragma once

#include "agent/agent.h"
#include "agent/hook.h"
#include "agent/release_work.h"
#include "os/command.h"

struct asked;

enum release_phase {
    PHASE_MAKE,    /* fetch: a directory for it */
    PHASE_FETCH,   /* the configured command */
    PHASE_KEEP,    /* it is whole */
    PHASE_DISCARD, /* it failed */
    PHASE_LOOK,    /* what is there? */
    PHASE_PRUNE,
    PHASES
};

/* Who waits for it. */
struct release_watcher {
    struct list link;
    uint64_t client, request;
    bool brief; /* may not read what the app's commands say */
};

struct release_job {
    struct list link; /* among the app's */
    struct app *app;
    enum wire_action action;
    enum release_phase phase;
    char release[RELEASE_NAME_MAX + 1]; /* fetch */
    char who[WIRE_WHO_MAX + 1];
    uint64_t begun_ms, begun_unix_ms;
    struct list watchers;
    char *directory, *place; /* of all releases; of this one while it is fetched */
    uint32_t keep, timeout_ms;
    struct resolved resolved;
    struct host_command child;
    struct loop_source *exit_source;
    struct loop_timer *timer;
    uint64_t phase_ms;            /* when it began */
    bool late;                    /* killed at its deadline */
    bool given_up;                /* killed, and does not end: told, and waited for without anybody */
    int said;                     /* what the child says, but for the command; -1 = nothing */
    struct hook_output output;    /* of the command */
    char told[WIRE_TEXT_MAX + 1]; /* its last line, as it was last told */
    char failure[ERROR_TEXT_MAX]; /* "" = none so far */
    bool aborted;
    bool fetched; /* it is there */
    struct release_list list;
    struct words doomed, removed; /* removed: they are gone */
    struct text notes;            /* what else was found, lines */
};

/* --- releases.c --- */
static inline bool release_changes(const struct release_job *job)
{
    return job->action != WIRE_RELEASE_LIST;
}
/* The one of the app that changes something, or NULL. */
struct release_job *release_running(const struct app *app);

/* --- release_phases.c --- */
/* Begins it; what follows, follows by itself, maybe at once. */
void release_enter(struct release_job *job, enum release_phase phase);
void release_on_timer(void *context);         /* the job's */
void release_listen(struct release_job *job); /* somebody has come who wants to know what the command says */
void release_kill(struct release_job *job);   /* what it does now */
/* The first reason is the one that is told. */
void release_set_failure(struct release_job *job, const char *format, ...) __attribute__((format(printf, 2, 3)));
void release_free(struct release_job *job);

/* --- release_telling.c --- */
/* NULL without memory for it, which it was told. */
struct release_watcher *release_watch(struct release_job *job, const struct asked *asked);
void release_progress(struct release_job *job, const char *text);
void release_output(struct release_job *job); /* the command's last line, where it is a new one */
void release_items(struct release_job *job);
/* To everybody who waits, and into the history. */
void release_end(struct release_job *job);

/* --- release_holding.c --- */
/* What no prune may remove. */
int release_held(const struct release_job *job, struct words *held);
/* Nobody else changes this directory. */
enum wire_result release_admit(struct app *app, const struct wire_request *request, struct error *err);
