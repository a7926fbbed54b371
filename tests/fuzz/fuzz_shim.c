/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any bytes as a message between agent and shim: what either end accepts must be safe to act on. */
#include "fuzz.h"
#include "model/shim_protocol.h"

#include <stdlib.h>
#include <string.h>

/* All of it lies in the message. */
static void check_nudge(const struct shim_nudge *nudge)
{
    static volatile uint32_t read;
    require(nudge->count > 0 && nudge->count <= SHIM_SOCKETS_MAX && nudge->idle_ms > 0);
    for (size_t i = 0; i < nudge->count; i++)
        read = nudge->sockets[i].listen;
    (void)read;
}

static void check_name(const char *name)
{
    require(!name || (name[0] && strlen(name) <= PROCESS_NAME_MAX && !strchr(name, '/') && name[0] != '.'));
}

/* What the shim does with one: walks through everything, and reads every byte. */
static void check_start(const struct shim_start *start)
{
    size_t read = strlen(start->hostname);
    for (size_t i = 0; i < start->argument_count; i++)
        read += strlen(start->argv[i]);
    require(start->argument_count > 0 && start->argv[0][0] == '/' && !start->argv[start->argument_count]);
    for (size_t i = 0; i < start->variable_count; i++)
        require(strchr(start->environment[i], '=') > start->environment[i]);
    require(!start->environment[start->variable_count] && start->workdir[0] == '/');
    for (size_t i = 0; i < start->view.count; i++) {
        const struct view_step *step = &start->view.steps[i];
        require(step->kind > 0 && step->kind < VIEW_KINDS && step->target[0] == '/');
        read += strlen(step->source) + strlen(step->target);
    }
    for (size_t i = 0; i < start->group_count; i++)
        read += start->groups[i];
    for (size_t i = 0; i < start->filter_count * SHIM_FILTER_BYTES; i++)
        read += ((const uint8_t *)start->filter)[i];
    for (size_t i = 0; i < start->rlimit_count; i++)
        require(start->rlimits[i].soft <= start->rlimits[i].hard);
    check_name(start->process);
    require(start->oom_score <= 1000 && start->stop_signal <= 64 && start->restart <= SHIM_RESTART_NO);
    require((start->deadline_ms == 0 && !start->stdio) || start->process);
    /* What was understood can be said again. */
    static uint8_t again[SHIM_MESSAGE_MAX];
    require(read > 0 && shim_encode_start(start, 1, again, sizeof again) > 0);
}

static void check_state(const struct shim_state *state)
{
    check_name(state->process);
    require(!state->object || strlen(state->object) <= SHIM_OBJECT_MAX);
    require(state->exit_count <= SHIM_EXITS_MAX);
    volatile uint32_t sum = 0;
    for (size_t i = 0; i < state->exit_count; i++)
        sum += state->exit_ages[i];
    require(!state->output || strlen(state->output) <= SHIM_OUTPUT_MAX);
    for (const char *c = state->output; c && *c; c++)
        require((unsigned char)*c >= ' ' || *c == '\t');
}

static void try_bytes(const uint8_t *data, size_t size, bool mend)
{
    uint32_t *exact = malloc(size ? size : 1), unknown;
    struct shim_header header = {
        .magic = SHIM_MAGIC, .version = SHIM_VERSION, .type = SHIM_START, .length = (uint32_t)size};
    struct shim_start start;
    struct shim_state state;
    struct shim_nudge nudge;
    struct shim_set set;
    const char *process;
    require(exact != NULL);
    memcpy(exact, data, size);
    if (mend && size >= sizeof header)
        memcpy(exact, &header, sizeof header);
    if (shim_check(exact, size, &header) == 0) {
        if (shim_decode_start(exact, size, &start, &unknown) == 0) {
            check_start(&start);
            shim_start_clear(&start);
        }
        if (shim_decode_state(exact, size, &state, &unknown) == 0)
            check_state(&state);
        if (shim_decode_stop(exact, size, &process, &unknown) == 0)
            check_name(process);
        if (shim_decode_nudge(exact, size, &nudge, &unknown) == 0)
            check_nudge(&nudge);
        if (shim_decode_set(exact, size, &set, &unknown) == 0)
            require(set.oom_score <= 1000);
    }
    free(exact);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    try_bytes(data, size, false);
    try_bytes(data, size, true);
    return 0;
}
