/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages between agent and shim: reading them. Apart from the writing because everything here is about bytes that
 * nobody has looked at yet. shim_check() has seen the frame and the bounds of every field; the rest looks at values.
 */
#include "model/shim_protocol.h"

#include "base/text.h"

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

/* --- frame -------------------------------------------------------------------------------------- */

static size_t padded(size_t length)
{
    return (length + 3) & ~(size_t)3;
}

int shim_check(const void *message, size_t length, struct shim_header *header)
{
    if (length < sizeof *header || length > SHIM_MESSAGE_MAX || length % 4 != 0)
        return -EBADMSG;
    memcpy(header, message, sizeof *header);
    if (header->magic != SHIM_MAGIC || header->version == 0 || header->length != length)
        return -EBADMSG;
    for (size_t at = sizeof *header; at < length;) {
        struct shim_field field;
        if (length - at < sizeof field)
            return -EBADMSG;
        memcpy(&field, (const uint8_t *)message + at, sizeof field);
        at += sizeof field;
        if (field.zero != 0 ||
            field.length > length - at) /* length - at is a multiple of four, so the padding fits too */
            return -EBADMSG;
        at += padded(field.length);
    }
    return 0;
}

/* One field of a message that passed shim_check. */
struct reader {
    const uint8_t *message;
    size_t length, at;
    uint64_t seen; /* tags that came; bit 63 is not one */
    struct shim_field field;
    const uint8_t *value;
};

static struct reader begin(const void *message, size_t length)
{
    return (struct reader){.message = message, .length = length, .at = sizeof(struct shim_header)};
}

/* False at the end. */
static bool next(struct reader *reader)
{
    if (reader->at >= reader->length)
        return false;
    memcpy(&reader->field, reader->message + reader->at, sizeof reader->field);
    reader->value = reader->message + reader->at + sizeof reader->field;
    reader->at += sizeof reader->field + padded(reader->field.length);
    return true;
}

/* Each field that is known, by take(); others are skipped if they may be. */
static int each_field(struct reader *reader, int (*take)(struct reader *reader, void *into), void *into,
                      uint32_t *unknown)
{
    *unknown = 0;
    while (next(reader)) {
        int result = take(reader, into);
        if (result == -ENOENT)
            result = reader->field.tag & SHIM_TAG_CRITICAL ? -EOPNOTSUPP : 0;
        if (result == -EOPNOTSUPP)
            *unknown = reader->field.tag;
        if (result < 0)
            return result;
    }
    return 0;
}

/* --- values -------------------------------------------------------------------------------------- */

static uint64_t bit(uint16_t tag)
{
    return UINT64_C(1) << (tag & ~SHIM_TAG_CRITICAL);
}

/* For fields that may come once: true the first time. Tags of ours are below 63. */
static bool once(struct reader *reader)
{
    bool first = !(reader->seen & bit(reader->field.tag));
    reader->seen |= bit(reader->field.tag);
    return first;
}

static bool take_number(struct reader *reader, uint32_t min, uint32_t max, uint32_t *number)
{
    uint32_t value;
    if (!once(reader) || reader->field.length != sizeof value)
        return false;
    memcpy(&value, reader->value, sizeof value);
    *number = value;
    return value >= min && value <= max;
}

static bool take_flag(struct reader *reader, bool *flag)
{
    uint32_t number;
    bool good = take_number(reader, 0, 1, &number);
    *flag = good && number == 1;
    return good;
}

static bool is_text(const uint8_t *value, size_t length)
{
    return length > 0 && memchr(value, '\0', length) == value + length - 1;
}

static bool take_word(const struct reader *reader, const char **text)
{
    *text = (const char *)reader->value;
    return is_text(reader->value, reader->field.length);
}

static bool take_text(struct reader *reader, size_t max, const char **text)
{
    return once(reader) && reader->field.length <= max + 1 && take_word(reader, text);
}

/* It becomes part of a path, and is shown. */
static bool take_name(struct reader *reader, const char **name)
{
    if (!take_text(reader, PROCESS_NAME_MAX, name) || (*name)[0] == '\0' || (*name)[0] == '.')
        return false;
    for (const char *c = *name; *c; c++) {
        if (*c <= ' ' || *c >= 0x7f || *c == '/')
            return false;
    }
    return !text_equal(*name, SHIM_PROCESS_MAIN);
}

static bool take_printable(struct reader *reader, size_t max, const char **text)
{
    if (!take_text(reader, max, text) || !text_is_utf8(*text, strlen(*text)))
        return false;
    for (const char *c = *text; *c; c++) {
        if (((unsigned char)*c < ' ' && *c != '\t') || *c == 0x7f)
            return false;
    }
    return true;
}

static int checked(bool good)
{
    return good ? 0 : -EBADMSG;
}

/* --- START ---------------------------------------------------------------------------------------- */

static bool take_numbers(struct reader *reader, size_t max, const uint32_t **numbers, size_t *count)
{
    *numbers = (const uint32_t *)(const void *)reader->value;
    *count = reader->field.length / sizeof **numbers;
    return once(reader) && reader->field.length % sizeof **numbers == 0 && *count <= max;
}

static bool take_filter(struct reader *reader, struct shim_start *start)
{
    start->filter = reader->value;
    start->filter_count = reader->field.length / SHIM_FILTER_BYTES;
    return once(reader) && reader->field.length % SHIM_FILTER_BYTES == 0 && start->filter_count > 0 &&
           start->filter_count <= FILTER_MAX;
}

/* A step that we cannot perform is as an unknown field: whoever sent it relies on it. */
static int take_view_step(const struct reader *reader, struct shim_start *start)
{
    struct shim_view_field fixed;
    if (reader->field.length < sizeof fixed)
        return -EBADMSG;
    memcpy(&fixed, reader->value, sizeof fixed);
    const uint8_t *source = reader->value + sizeof fixed;
    size_t rest = reader->field.length - sizeof fixed;
    const uint8_t *end = memchr(source, '\0', rest);
    if (!end || !is_text(end + 1, rest - (size_t)(end + 1 - source)))
        return -EBADMSG;
    if (fixed.kind == 0 || fixed.kind >= VIEW_KINDS || fixed.flags >= VIEW_FLAGS_END)
        return -EOPNOTSUPP;
    struct view_step *step = &start->view.steps[start->view.count++];
    *step = (struct view_step){
        .kind = fixed.kind, .flags = fixed.flags, .source = (const char *)source, .target = (const char *)end + 1};
    bool good = step->target[0] == '/' && (step->source[0] == '/' || step->source[0] == '\0');
    return checked(good && (step->kind == VIEW_BIND) == (step->source[0] == '/'));
}

static bool take_rlimit(const struct reader *reader, struct shim_start *start)
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
static bool take_listen(const struct reader *reader, struct shim_start *start)
{
    struct shim_listen_field fixed;
    if (reader->field.length <= sizeof fixed || start->listen_count == SHIM_LISTENS_MAX)
        return false;
    memcpy(&fixed, reader->value, sizeof fixed);
    const uint8_t *name = reader->value + sizeof fixed;
    if (!is_text(name, reader->field.length - sizeof fixed) || name[0] == '\0')
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
static int supervision_field(struct reader *reader, struct shim_start *start)
{
    switch (reader->field.tag) {
    case SHIM_TAG_PROCESS: return checked(take_name(reader, &start->process));
    case SHIM_TAG_STOP_TIMEOUT: return checked(take_number(reader, 0, UINT32_MAX, &start->stop_timeout_ms));
    case SHIM_TAG_STOP_SIGNAL: return checked(take_number(reader, 1, SIGNAL_MAX, &start->stop_signal));
    case SHIM_TAG_RESTART: return checked(take_number(reader, 0, SHIM_RESTART_NO, &start->restart));
    case SHIM_TAG_RESTART_DELAY: return checked(take_number(reader, 0, UINT32_MAX, &start->restart_delay_ms));
    case SHIM_TAG_RESTART_MAX: return checked(take_number(reader, 1, UINT32_MAX, &start->restart_max_ms));
    case SHIM_TAG_WATCHDOG:
        start->notify = true;
        return checked(take_number(reader, 0, UINT32_MAX, &start->watchdog_ms));
    case SHIM_TAG_DEADLINE: return checked(take_number(reader, 1, UINT32_MAX, &start->deadline_ms));
    case SHIM_TAG_STDIO: start->stdio = true; return checked(take_flag(reader, &start->terminal));
    default: return -ENOENT;
    }
}

static int start_field(struct reader *reader, void *into)
{
    struct shim_start *start = into;
    const char *text;
    bool good;
    switch (reader->field.tag) {
    case SHIM_TAG_ARGUMENT:
        if ((good = take_word(reader, &text)))
            start->argv[start->argument_count++] = (char *)(uintptr_t)text;
        return checked(good);
    case SHIM_TAG_VARIABLE:
        if ((good = take_word(reader, &text) && strchr(text, '=') > text))
            start->environment[start->variable_count++] = (char *)(uintptr_t)text;
        return checked(good);
    case SHIM_TAG_WORKDIR:
        return checked(take_text(reader, SHIM_MESSAGE_MAX, &start->workdir) && start->workdir[0] == '/');
    case SHIM_TAG_HOSTNAME: return checked(take_text(reader, SHIM_MESSAGE_MAX, &start->hostname));
    case SHIM_TAG_UID: return checked(take_number(reader, 0, UINT32_MAX - 1, &start->uid)); /* the last: "no change" */
    case SHIM_TAG_GID: return checked(take_number(reader, 0, UINT32_MAX - 1, &start->gid));
    case SHIM_TAG_GROUPS: return checked(take_numbers(reader, SHIM_MESSAGE_MAX, &start->groups, &start->group_count));
    case SHIM_TAG_VIEW: return take_view_step(reader, start);
    case SHIM_TAG_FILTER: return checked(take_filter(reader, start));
    case SHIM_TAG_RLIMIT: return checked(take_rlimit(reader, start));
    case SHIM_TAG_LISTEN: return checked(take_listen(reader, start));
    case SHIM_TAG_OOM_SCORE: return checked(take_number(reader, 0, OOM_SCORE_MAX, &start->oom_score));
    default: return supervision_field(reader, start);
    }
}

static size_t count_fields(const void *message, size_t length, uint16_t tag)
{
    struct reader reader = begin(message, length);
    size_t count = 0;
    while (next(&reader))
        count += reader.field.tag == tag;
    return count;
}

static bool is_whole(const struct shim_start *start, uint64_t seen)
{
    static const uint16_t needed[] = {SHIM_TAG_WORKDIR, SHIM_TAG_HOSTNAME,     SHIM_TAG_UID,          SHIM_TAG_GID,
                                      SHIM_TAG_GROUPS,  SHIM_TAG_STOP_TIMEOUT, SHIM_TAG_RESTART_DELAY};
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++) {
        if (!(seen & bit(needed[i])))
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
    struct reader reader = begin(message, length);
    *start = (struct shim_start){0};
    *unknown = 0;
    start->argv = calloc(count_fields(message, length, SHIM_TAG_ARGUMENT) + 1, sizeof *start->argv);
    start->environment = calloc(count_fields(message, length, SHIM_TAG_VARIABLE) + 1, sizeof *start->environment);
    start->view.steps = calloc(count_fields(message, length, SHIM_TAG_VIEW) + 1, sizeof *start->view.steps);
    start->rlimits = calloc(count_fields(message, length, SHIM_TAG_RLIMIT) + 1, sizeof *start->rlimits);
    int result = -ENOMEM;
    if (start->argv && start->environment && start->view.steps && start->rlimits)
        result = each_field(&reader, start_field, start, unknown);
    if (result == 0)
        result = checked(is_whole(start, reader.seen));
    if (result < 0)
        shim_start_clear(start);
    return result;
}

/* --- STOP, SET, NUDGE, and what a shim says --------------------------------------------------------------- */

static int stop_field(struct reader *reader, void *into)
{
    return reader->field.tag == SHIM_TAG_PROCESS ? checked(take_name(reader, into)) : -ENOENT;
}

int shim_decode_stop(const void *message, size_t length, const char **process, uint32_t *unknown)
{
    struct reader reader = begin(message, length);
    *process = NULL;
    int result = each_field(&reader, stop_field, process, unknown);
    if (result < 0)
        *process = NULL;
    return result;
}

static int set_field(struct reader *reader, void *into)
{
    struct shim_set *set = into;
    switch (reader->field.tag) {
    case SHIM_TAG_OOM_SCORE:
        set->has_oom_score = true;
        return checked(take_number(reader, 0, OOM_SCORE_MAX, &set->oom_score));
    case SHIM_TAG_FROZEN: set->has_frozen = true; return checked(take_flag(reader, &set->frozen));
    default: return -ENOENT;
    }
}

int shim_decode_set(const void *message, size_t length, struct shim_set *set, uint32_t *unknown)
{
    struct reader reader = begin(message, length);
    *set = (struct shim_set){0};
    return each_field(&reader, set_field, set, unknown);
}

static bool take_sockets(struct reader *reader, struct shim_nudge *nudge)
{
    nudge->sockets = (const struct shim_socket *)(const void *)reader->value;
    nudge->count = reader->field.length / sizeof *nudge->sockets;
    return once(reader) && reader->field.length % sizeof *nudge->sockets == 0 && nudge->count > 0 &&
           nudge->count <= SHIM_SOCKETS_MAX;
}

static int nudge_field(struct reader *reader, void *into)
{
    struct shim_nudge *nudge = into;
    switch (reader->field.tag) {
    case SHIM_TAG_SOCKETS: return checked(take_sockets(reader, nudge));
    case SHIM_TAG_IDLE: return checked(take_number(reader, 1, UINT32_MAX, &nudge->idle_ms));
    default: return -ENOENT;
    }
}

int shim_decode_nudge(const void *message, size_t length, struct shim_nudge *nudge, uint32_t *unknown)
{
    struct reader reader = begin(message, length);
    *nudge = (struct shim_nudge){0};
    int result = each_field(&reader, nudge_field, nudge, unknown);
    return result < 0 ? result : checked(nudge->count > 0 && nudge->idle_ms > 0);
}

static bool take_exit(struct reader *reader, struct shim_state *state)
{
    bool first = !state->exited;
    state->exited = true;
    state->signalled = reader->field.tag == SHIM_TAG_EXIT_SIGNAL;
    return first && take_number(reader, 0, UINT32_MAX, &state->exit_value);
}

static bool take_time(struct reader *reader, uint64_t *time)
{
    if (!once(reader) || reader->field.length != sizeof *time)
        return false;
    memcpy(time, reader->value, sizeof *time);
    return true;
}

static int state_field(struct reader *reader, void *into)
{
    struct shim_state *state = into;
    switch (reader->field.tag) {
    case SHIM_TAG_PHASE: return checked(take_number(reader, 0, UINT32_MAX, &state->phase));
    case SHIM_TAG_RESTARTS: return checked(take_number(reader, 0, UINT32_MAX, &state->restarts));
    case SHIM_TAG_EXIT_CODE:
    case SHIM_TAG_EXIT_SIGNAL: return checked(take_exit(reader, state));
    case SHIM_TAG_EXIT_TIME: return checked(take_time(reader, &state->exit_unix_ms));
    case SHIM_TAG_STAGE: return checked(take_number(reader, 0, UINT32_MAX, &state->stage));
    case SHIM_TAG_ERROR: return checked(take_number(reader, 0, UINT32_MAX, &state->error));
    case SHIM_TAG_REFUSED: return checked(take_number(reader, 0, UINT32_MAX, &state->tag));
    case SHIM_TAG_COUNT: return checked(take_number(reader, 0, UINT32_MAX, &state->count));
    case SHIM_TAG_READY: return checked(take_flag(reader, &state->ready));
    case SHIM_TAG_FROZEN: return checked(take_flag(reader, &state->frozen));
    case SHIM_TAG_WATCHDOG_HITS: return checked(take_number(reader, 0, UINT32_MAX, &state->watchdog_hits));
    case SHIM_TAG_PROCESS: return checked(take_name(reader, &state->process));
    case SHIM_TAG_OBJECT: return checked(take_text(reader, SHIM_OBJECT_MAX, &state->object));
    case SHIM_TAG_OUTPUT: return checked(take_printable(reader, SHIM_OUTPUT_MAX, &state->output));
    case SHIM_TAG_EXIT_AGES:
        return checked(take_numbers(reader, SHIM_EXITS_MAX, &state->exit_ages, &state->exit_count));
    default: return -ENOENT;
    }
}

int shim_decode_state(const void *message, size_t length, struct shim_state *state, uint32_t *unknown)
{
    struct reader reader = begin(message, length);
    *state = (struct shim_state){0};
    return each_field(&reader, state_field, state, unknown);
}
