/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages between agent and shim: reading them. Apart from the writing because everything here is about bytes that
 * nobody has looked at yet. shim_check() has seen the frame and the bounds of every field; the rest looks at values.
 */
#include "model/shim_fields.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    FILTER_MAX = 4096, /* BPF_MAXINSNS of linux/bpf_common.h */
    SIGNAL_MAX = 64,   /* _NSIG of every machine that we know, but MIPS with its 128 */
    OOM_SCORE_MAX = 1000,
    RESOURCES = 16, /* RLIM_NLIMITS */
};

void shim_start_clear(struct shim_start *start)
{
    free(start->argv);
    free(start->environment);
    free(start->view.steps);
    free((void *)(uintptr_t)start->rlimits);
    *start = (struct shim_start){0};
}

/* --- START ---------------------------------------------------------------------------------------- */

static bool take_numbers(struct shim_reader *reader, size_t max, const uint32_t **numbers, size_t *count)
{
    *numbers = (const uint32_t *)(const void *)reader->value;
    *count = reader->field.length / sizeof **numbers;
    return shim_field_once(reader) && reader->field.length % sizeof **numbers == 0 && *count <= max;
}

static bool take_filter(struct shim_reader *reader, struct shim_start *start)
{
    start->filter = reader->value;
    start->filter_count = reader->field.length / SHIM_FILTER_BYTES;
    return shim_field_once(reader) && reader->field.length % SHIM_FILTER_BYTES == 0 && start->filter_count > 0 &&
           start->filter_count <= FILTER_MAX;
}

/* A step that we cannot perform is as an unknown field: whoever sent it relies on it. */
static int take_view_step(const struct shim_reader *reader, struct shim_start *start)
{
    struct shim_view_field fixed;
    if (reader->field.length < sizeof fixed)
        return -EBADMSG;
    memcpy(&fixed, reader->value, sizeof fixed);
    const uint8_t *source = reader->value + sizeof fixed;
    size_t rest = reader->field.length - sizeof fixed;
    const uint8_t *end = memchr(source, '\0', rest);
    if (!end || !shim_is_text(end + 1, rest - (size_t)(end + 1 - source)))
        return -EBADMSG;
    if (fixed.kind == 0 || fixed.kind >= VIEW_KINDS || fixed.flags >= VIEW_FLAGS_END)
        return -EOPNOTSUPP;
    struct view_step *step = &start->view.steps[start->view.count++];
    *step = (struct view_step){
        .kind = fixed.kind, .flags = fixed.flags, .source = (const char *)source, .target = (const char *)end + 1};
    bool good = step->target[0] == '/' && (step->source[0] == '/' || step->source[0] == '\0');
    return shim_checked(good && (step->kind == VIEW_BIND) == (step->source[0] == '/'));
}

static bool take_rlimit(const struct shim_reader *reader, struct shim_start *start)
{
    struct shim_rlimit limit;
    if (reader->field.length != sizeof limit)
        return false;
    memcpy(&limit, reader->value, sizeof limit);
    for (size_t i = 0; i < start->rlimit_count; i++) {
        if (start->rlimits[i].resource == limit.resource)
            return false;
    }
    ((struct shim_rlimit *)(uintptr_t)start->rlimits)[start->rlimit_count++] = limit;
    return limit.zero == 0 && limit.resource < RESOURCES && limit.soft <= limit.hard;
}

/* The name goes into a variable with ':' between names. */
static bool take_listen(const struct shim_reader *reader, struct shim_start *start)
{
    struct shim_listen_field fixed;
    if (reader->field.length <= sizeof fixed || start->listen_count == SHIM_LISTENS_MAX)
        return false;
    memcpy(&fixed, reader->value, sizeof fixed);
    const uint8_t *name = reader->value + sizeof fixed;
    if (!shim_is_text(name, reader->field.length - sizeof fixed) || name[0] == '\0')
        return false;
    for (const uint8_t *c = name; *c; c++) {
        if (*c <= ' ' || *c >= 0x7f || *c == ':')
            return false;
    }
    start->listens[start->listen_count++] =
        (struct shim_listen){.name = (const char *)name, .protocol = fixed.protocol, .port = fixed.port};
    return (fixed.protocol == 6 || fixed.protocol == 17) && fixed.port > 0 && fixed.port <= UINT16_MAX &&
           reader->field.length - sizeof fixed <= PORT_NAME_MAX + 1;
}

/* How the process is to be looked after. */
static int supervision_field(struct shim_reader *reader, struct shim_start *start)
{
    switch (reader->field.tag) {
    case SHIM_TAG_PROCESS: return shim_checked(shim_take_name(reader, &start->process));
    case SHIM_TAG_STOP_TIMEOUT: return shim_checked(shim_take_number(reader, 0, UINT32_MAX, &start->stop_timeout_ms));
    case SHIM_TAG_STOP_SIGNAL: return shim_checked(shim_take_number(reader, 1, SIGNAL_MAX, &start->stop_signal));
    case SHIM_TAG_RESTART: return shim_checked(shim_take_number(reader, 0, SHIM_RESTART_NO, &start->restart));
    case SHIM_TAG_RESTART_DELAY: return shim_checked(shim_take_number(reader, 0, UINT32_MAX, &start->restart_delay_ms));
    case SHIM_TAG_RESTART_MAX: return shim_checked(shim_take_number(reader, 1, UINT32_MAX, &start->restart_max_ms));
    case SHIM_TAG_WATCHDOG:
        start->notify = true;
        return shim_checked(shim_take_number(reader, 0, UINT32_MAX, &start->watchdog_ms));
    case SHIM_TAG_DEADLINE: return shim_checked(shim_take_number(reader, 1, UINT32_MAX, &start->deadline_ms));
    case SHIM_TAG_STDIO: start->stdio = true; return shim_checked(shim_take_flag(reader, &start->terminal));
    default: return -ENOENT;
    }
}

static int start_field(struct shim_reader *reader, void *into)
{
    struct shim_start *start = into;
    const char *text;
    bool good;
    switch (reader->field.tag) {
    case SHIM_TAG_ARGUMENT:
        if ((good = shim_take_word(reader, &text)))
            start->argv[start->argument_count++] = (char *)(uintptr_t)text;
        return shim_checked(good);
    case SHIM_TAG_VARIABLE:
        if ((good = shim_take_word(reader, &text) && strchr(text, '=') > text))
            start->environment[start->variable_count++] = (char *)(uintptr_t)text;
        return shim_checked(good);
    case SHIM_TAG_WORKDIR:
        return shim_checked(shim_take_text(reader, SHIM_MESSAGE_MAX, &start->workdir) && start->workdir[0] == '/');
    case SHIM_TAG_HOSTNAME: return shim_checked(shim_take_text(reader, SHIM_MESSAGE_MAX, &start->hostname));
    case SHIM_TAG_UID:
        return shim_checked(shim_take_number(reader, 0, UINT32_MAX - 1, &start->uid)); /* the last: "no change" */
    case SHIM_TAG_GID: return shim_checked(shim_take_number(reader, 0, UINT32_MAX - 1, &start->gid));
    case SHIM_TAG_GROUPS:
        return shim_checked(take_numbers(reader, SHIM_MESSAGE_MAX, &start->groups, &start->group_count));
    case SHIM_TAG_VIEW: return take_view_step(reader, start);
    case SHIM_TAG_FILTER: return shim_checked(take_filter(reader, start));
    case SHIM_TAG_RLIMIT: return shim_checked(take_rlimit(reader, start));
    case SHIM_TAG_LISTEN: return shim_checked(take_listen(reader, start));
    case SHIM_TAG_OOM_SCORE: return shim_checked(shim_take_number(reader, 0, OOM_SCORE_MAX, &start->oom_score));
    default: return supervision_field(reader, start);
    }
}

static size_t count_fields(const void *message, size_t length, uint16_t tag)
{
    struct shim_reader reader = shim_reader_begin(message, length);
    size_t count = 0;
    while (shim_next(&reader))
        count += reader.field.tag == tag;
    return count;
}

static bool is_whole(const struct shim_start *start, uint64_t seen)
{
    static const uint16_t needed[] = {SHIM_TAG_WORKDIR, SHIM_TAG_HOSTNAME,     SHIM_TAG_UID,          SHIM_TAG_GID,
                                      SHIM_TAG_GROUPS,  SHIM_TAG_STOP_TIMEOUT, SHIM_TAG_RESTART_DELAY};
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++) {
        if (!(seen & shim_tag_bit(needed[i])))
            return false;
    }
    /* What runs once is not the app. */
    if ((start->deadline_ms > 0 || start->stdio) && !start->process)
        return false;
    if (start->listen_count > 0 && start->process)
        return false;
    return start->argument_count > 0 && start->argv[0][0] == '/';
}

int shim_decode_start(void *message, size_t length, struct shim_start *start, uint32_t *unknown)
{
    struct shim_reader reader = shim_reader_begin(message, length);
    *start = (struct shim_start){0};
    *unknown = 0;
    start->argv = calloc(count_fields(message, length, SHIM_TAG_ARGUMENT) + 1, sizeof *start->argv);
    start->environment = calloc(count_fields(message, length, SHIM_TAG_VARIABLE) + 1, sizeof *start->environment);
    start->view.steps = calloc(count_fields(message, length, SHIM_TAG_VIEW) + 1, sizeof *start->view.steps);
    start->rlimits = calloc(count_fields(message, length, SHIM_TAG_RLIMIT) + 1, sizeof *start->rlimits);
    int result = -ENOMEM;
    if (start->argv && start->environment && start->view.steps && start->rlimits)
        result = shim_each_field(&reader, start_field, start, unknown);
    if (result == 0)
        result = shim_checked(is_whole(start, reader.seen));
    if (result < 0)
        shim_start_clear(start);
    return result;
}

/* --- STOP, SET, NUDGE, and what a shim says --------------------------------------------------------------- */

static int stop_field(struct shim_reader *reader, void *into)
{
    return reader->field.tag == SHIM_TAG_PROCESS ? shim_checked(shim_take_name(reader, into)) : -ENOENT;
}

int shim_decode_stop(const void *message, size_t length, const char **process, uint32_t *unknown)
{
    struct shim_reader reader = shim_reader_begin(message, length);
    *process = NULL;
    int result = shim_each_field(&reader, stop_field, process, unknown);
    if (result < 0)
        *process = NULL;
    return result;
}

static int set_field(struct shim_reader *reader, void *into)
{
    struct shim_set *set = into;
    switch (reader->field.tag) {
    case SHIM_TAG_OOM_SCORE:
        set->has_oom_score = true;
        return shim_checked(shim_take_number(reader, 0, OOM_SCORE_MAX, &set->oom_score));
    case SHIM_TAG_FROZEN: set->has_frozen = true; return shim_checked(shim_take_flag(reader, &set->frozen));
    default: return -ENOENT;
    }
}

int shim_decode_set(const void *message, size_t length, struct shim_set *set, uint32_t *unknown)
{
    struct shim_reader reader = shim_reader_begin(message, length);
    *set = (struct shim_set){0};
    return shim_each_field(&reader, set_field, set, unknown);
}

static bool take_sockets(struct shim_reader *reader, struct shim_nudge *nudge)
{
    nudge->sockets = (const struct shim_socket *)(const void *)reader->value;
    nudge->count = reader->field.length / sizeof *nudge->sockets;
    return shim_field_once(reader) && reader->field.length % sizeof *nudge->sockets == 0 && nudge->count > 0 &&
           nudge->count <= SHIM_SOCKETS_MAX;
}

static int nudge_field(struct shim_reader *reader, void *into)
{
    struct shim_nudge *nudge = into;
    switch (reader->field.tag) {
    case SHIM_TAG_SOCKETS: return shim_checked(take_sockets(reader, nudge));
    case SHIM_TAG_IDLE: return shim_checked(shim_take_number(reader, 1, UINT32_MAX, &nudge->idle_ms));
    default: return -ENOENT;
    }
}

int shim_decode_nudge(const void *message, size_t length, struct shim_nudge *nudge, uint32_t *unknown)
{
    struct shim_reader reader = shim_reader_begin(message, length);
    *nudge = (struct shim_nudge){0};
    int result = shim_each_field(&reader, nudge_field, nudge, unknown);
    return result < 0 ? result : shim_checked(nudge->count > 0 && nudge->idle_ms > 0);
}

static bool take_exit(struct shim_reader *reader, struct shim_state *state)
{
    bool first = !state->exited;
    state->exited = true;
    state->signalled = reader->field.tag == SHIM_TAG_EXIT_SIGNAL;
    return first && shim_take_number(reader, 0, UINT32_MAX, &state->exit_value);
}

static bool take_time(struct shim_reader *reader, uint64_t *time)
{
    if (!shim_field_once(reader) || reader->field.length != sizeof *time)
        return false;
    memcpy(time, reader->value, sizeof *time);
    return true;
}

static int state_field(struct shim_reader *reader, void *into)
{
    struct shim_state *state = into;
    switch (reader->field.tag) {
    case SHIM_TAG_PHASE: return shim_checked(shim_take_number(reader, 0, UINT32_MAX, &state->phase));
    case SHIM_TAG_RESTARTS: return shim_checked(shim_take_number(reader, 0, UINT32_MAX, &state->restarts));
    case SHIM_TAG_EXIT_CODE:
    case SHIM_TAG_EXIT_SIGNAL: return shim_checked(take_exit(reader, state));
    case SHIM_TAG_EXIT_TIME: return shim_checked(take_time(reader, &state->exit_unix_ms));
    case SHIM_TAG_STAGE: return shim_checked(shim_take_number(reader, 0, UINT32_MAX, &state->stage));
    case SHIM_TAG_ERROR: return shim_checked(shim_take_number(reader, 0, UINT32_MAX, &state->error));
    case SHIM_TAG_REFUSED: return shim_checked(shim_take_number(reader, 0, UINT32_MAX, &state->tag));
    case SHIM_TAG_COUNT: return shim_checked(shim_take_number(reader, 0, UINT32_MAX, &state->count));
    case SHIM_TAG_READY: return shim_checked(shim_take_flag(reader, &state->ready));
    case SHIM_TAG_FROZEN: return shim_checked(shim_take_flag(reader, &state->frozen));
    case SHIM_TAG_WATCHDOG_HITS: return shim_checked(shim_take_number(reader, 0, UINT32_MAX, &state->watchdog_hits));
    case SHIM_TAG_PROCESS: return shim_checked(shim_take_name(reader, &state->process));
    case SHIM_TAG_OBJECT: return shim_checked(shim_take_text(reader, SHIM_OBJECT_MAX, &state->object));
    case SHIM_TAG_OUTPUT: return shim_checked(shim_take_printable(reader, SHIM_OUTPUT_MAX, &state->output));
    case SHIM_TAG_EXIT_AGES:
        return shim_checked(take_numbers(reader, SHIM_EXITS_MAX, &state->exit_ages, &state->exit_count));
    default: return -ENOENT;
    }
}

int shim_decode_state(const void *message, size_t length, struct shim_state *state, uint32_t *unknown)
{
    struct shim_reader reader = shim_reader_begin(message, length);
    *state = (struct shim_state){0};
    return shim_each_field(&reader, state_field, state, unknown);
}
