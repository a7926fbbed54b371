/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Encoding and decoding of the messages between agent and shim. */
#include "model/shim_protocol.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const char *shim_stage_text(uint32_t stage)
{
    static const char *const texts[SHIM_STAGES] = {
        [SHIM_STAGE_NONE] = "start",
        [SHIM_STAGE_PREPARE] = "prepare the zone",
        [SHIM_STAGE_CLONE] = "make the process in its cgroup",
        [SHIM_STAGE_CGROUP_NAMESPACE] = "make the cgroup namespace",
        [SHIM_STAGE_PROPAGATION] = "separate the mounts",
        [SHIM_STAGE_PROC] = "mount /proc",
        [SHIM_STAGE_RESOLV_CONF] = "lay the zone's file over /etc/resolv.conf",
        [SHIM_STAGE_HOSTS] = "lay the zone's file over /etc/hosts",
        [SHIM_STAGE_TMP] = "mount a private /tmp",
        [SHIM_STAGE_SHM] = "mount a private /dev/shm",
        [SHIM_STAGE_STDIO] = "connect stdin, stdout and stderr",
        [SHIM_STAGE_OOM] = "reset oom_score_adj",
        [SHIM_STAGE_BOUNDING] = "drop the bounding set of capabilities",
        [SHIM_STAGE_GROUPS] = "set the supplementary groups",
        [SHIM_STAGE_GID] = "set the group",
        [SHIM_STAGE_UID] = "set the user",
        [SHIM_STAGE_CAPABILITIES] = "drop the capabilities",
        [SHIM_STAGE_NO_NEW_PRIVILEGES] = "set no_new_privs",
        [SHIM_STAGE_WORKDIR] = "change to the working directory",
        [SHIM_STAGE_DESCRIPTORS] = "close the descriptors",
        [SHIM_STAGE_SIGNALS] = "reset the signals",
        [SHIM_STAGE_EXEC] = "execute",
        [SHIM_STAGE_TIMEOUT] = "wait for the execution",
    };
    return stage < SHIM_STAGES ? texts[stage] : "start (at a stage that this agent does not know)";
}

void shim_start_clear(struct shim_start *start)
{
    free(start->argv);
    free(start->environment);
    *start = (struct shim_start){0};
}

/* --- writing -------------------------------------------------------------------------------- */

static size_t padded(size_t length)
{
    return (length + 3) & ~(size_t)3;
}

struct writer {
    uint8_t *bytes;
    size_t size, used;
    bool full;
};

static struct writer begin(void *message, size_t size)
{
    struct writer writer = {.bytes = message, .size = size, .used = sizeof(struct shim_header)};
    writer.full = size < writer.used;
    return writer;
}

static void put(struct writer *writer, enum shim_tag tag, const void *value, size_t length)
{
    struct shim_field field = {.tag = (uint16_t)tag, .length = (uint32_t)length};
    if (writer->full || length > SHIM_MESSAGE_MAX || writer->size - writer->used < sizeof field + padded(length)) {
        writer->full = true;
        return;
    }
    uint8_t *at = writer->bytes + writer->used;
    memcpy(at, &field, sizeof field);
    if (length > 0)
        memcpy(at + sizeof field, value, length);
    memset(at + sizeof field + length, 0, padded(length) - length);
    writer->used += sizeof field + padded(length);
}

static void put_u32(struct writer *writer, enum shim_tag tag, uint32_t value)
{
    put(writer, tag, &value, sizeof value);
}

static void put_text(struct writer *writer, enum shim_tag tag, const char *text)
{
    put(writer, tag, text, strlen(text) + 1);
}

static size_t end(struct writer *writer, enum shim_type type, uint32_t serial)
{
    if (writer->full || writer->used > SHIM_MESSAGE_MAX)
        return 0;
    struct shim_header header = {.magic = SHIM_MAGIC,
                                 .version = SHIM_VERSION,
                                 .type = (uint16_t)type,
                                 .length = (uint32_t)writer->used,
                                 .serial = serial};
    memcpy(writer->bytes, &header, sizeof header);
    return writer->used;
}

size_t shim_encode_start(const struct shim_start *start, uint32_t serial, void *message, size_t size)
{
    struct writer writer = begin(message, size);
    for (size_t i = 0; i < start->argument_count; i++)
        put_text(&writer, SHIM_TAG_ARGUMENT, start->argv[i]);
    for (size_t i = 0; i < start->variable_count; i++)
        put_text(&writer, SHIM_TAG_VARIABLE, start->environment[i]);
    put_text(&writer, SHIM_TAG_WORKDIR, start->workdir);
    put_text(&writer, SHIM_TAG_HOSTNAME, start->hostname);
    put_u32(&writer, SHIM_TAG_UID, start->uid);
    put_u32(&writer, SHIM_TAG_GID, start->gid);
    put(&writer, SHIM_TAG_GROUPS, start->groups, start->group_count * sizeof *start->groups);
    put_u32(&writer, SHIM_TAG_STOP_TIMEOUT, start->stop_timeout_ms);
    put_u32(&writer, SHIM_TAG_RESTART_DELAY, start->restart_delay_ms);
    return end(&writer, SHIM_START, serial);
}

size_t shim_encode_stop(uint32_t serial, void *message, size_t size)
{
    struct writer writer = begin(message, size);
    return end(&writer, SHIM_STOP, serial);
}

size_t shim_encode_state(enum shim_type type, const struct shim_state *state, uint32_t serial, void *message,
                         size_t size)
{
    struct writer writer = begin(message, size);
    put_u32(&writer, SHIM_TAG_PHASE, state->phase);
    put_u32(&writer, SHIM_TAG_RESTARTS, state->restarts);
    if (state->exited) {
        put_u32(&writer, state->signalled ? SHIM_TAG_EXIT_SIGNAL : SHIM_TAG_EXIT_CODE, state->exit_value);
        put(&writer, SHIM_TAG_EXIT_TIME, &state->exit_unix_ms, sizeof state->exit_unix_ms);
    }
    if (state->stage)
        put_u32(&writer, SHIM_TAG_STAGE, state->stage);
    if (state->error)
        put_u32(&writer, SHIM_TAG_ERROR, state->error);
    if (state->tag)
        put_u32(&writer, SHIM_TAG_REFUSED, state->tag);
    return end(&writer, type, serial);
}

/* --- reading -------------------------------------------------------------------------------- */

/* One field of a message that passed shim_check; *at moves on. False at the end. */
static bool next_field(const uint8_t *message, size_t length, size_t *at, struct shim_field *field,
                       const uint8_t **value)
{
    if (*at >= length)
        return false;
    memcpy(field, message + *at, sizeof *field);
    *value = message + *at + sizeof *field;
    *at += sizeof *field + padded(field->length);
    return true;
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

static bool take_u32(const struct shim_field *field, const uint8_t *value, uint32_t *number)
{
    if (field->length != sizeof *number)
        return false;
    memcpy(number, value, sizeof *number);
    return true;
}

static bool take_text(const struct shim_field *field, const uint8_t *value, const char **text)
{
    if (field->length == 0 || memchr(value, '\0', field->length) != value + field->length - 1)
        return false;
    *text = (const char *)value;
    return true;
}

static bool take_groups(const struct shim_field *field, const uint8_t *value, struct shim_start *start)
{
    if (field->length % sizeof *start->groups != 0)
        return false;
    start->groups = (const uint32_t *)(const void *)value;
    start->group_count = field->length / sizeof *start->groups;
    return true;
}

/* Which fields of a START came; each but words may come once. */
enum {
    SEEN_WORKDIR = 1,
    SEEN_UID = 2,
    SEEN_GID = 4,
    SEEN_GROUPS = 8,
    SEEN_HOSTNAME = 16,
    SEEN_STOP = 32,
    SEEN_DELAY = 64,
    SEEN_ALL = 127
};

static bool once(unsigned *seen, unsigned field)
{
    bool first = !(*seen & field);
    *seen |= field;
    return first;
}

static int start_field(const struct shim_field *field, const uint8_t *value, struct shim_start *start, unsigned *seen)
{
    const char *text = NULL;
    bool good;
    switch (field->tag) {
    case SHIM_TAG_ARGUMENT:
        if ((good = take_text(field, value, &text)))
            start->argv[start->argument_count++] = (char *)(uintptr_t)text;
        break;
    case SHIM_TAG_VARIABLE:
        if ((good = take_text(field, value, &text) && strchr(text, '=') > text))
            start->environment[start->variable_count++] = (char *)(uintptr_t)text;
        break;
    case SHIM_TAG_WORKDIR:
        good = once(seen, SEEN_WORKDIR) && take_text(field, value, &start->workdir) && start->workdir[0] == '/';
        break;
    case SHIM_TAG_UID:
        good = once(seen, SEEN_UID) && take_u32(field, value, &start->uid) && start->uid != UINT32_MAX;
        break;
    case SHIM_TAG_GID:
        good = once(seen, SEEN_GID) && take_u32(field, value, &start->gid) && start->gid != UINT32_MAX;
        break;
    case SHIM_TAG_GROUPS: good = once(seen, SEEN_GROUPS) && take_groups(field, value, start); break;
    case SHIM_TAG_HOSTNAME: good = once(seen, SEEN_HOSTNAME) && take_text(field, value, &start->hostname); break;
    case SHIM_TAG_STOP_TIMEOUT: good = once(seen, SEEN_STOP) && take_u32(field, value, &start->stop_timeout_ms); break;
    case SHIM_TAG_RESTART_DELAY:
        good = once(seen, SEEN_DELAY) && take_u32(field, value, &start->restart_delay_ms);
        break;
    default: return field->tag & SHIM_TAG_CRITICAL ? -EOPNOTSUPP : 0;
    }
    return good ? 0 : -EBADMSG;
}

static size_t count_fields(const uint8_t *message, size_t length, uint16_t tag)
{
    size_t count = 0, at = sizeof(struct shim_header);
    struct shim_field field;
    const uint8_t *value;
    while (next_field(message, length, &at, &field, &value))
        count += field.tag == tag;
    return count;
}

static int start_fields(const uint8_t *message, size_t length, struct shim_start *start, uint32_t *unknown)
{
    unsigned seen = 0;
    size_t at = sizeof(struct shim_header);
    struct shim_field field;
    const uint8_t *value;
    while (next_field(message, length, &at, &field, &value)) {
        int result = start_field(&field, value, start, &seen);
        if (result == -EOPNOTSUPP)
            *unknown = field.tag;
        if (result < 0)
            return result;
    }
    return seen == SEEN_ALL && start->argument_count > 0 && start->argv[0][0] == '/' ? 0 : -EBADMSG;
}

int shim_decode_start(void *message, size_t length, struct shim_start *start, uint32_t *unknown)
{
    *start = (struct shim_start){0};
    *unknown = 0;
    start->argv = calloc(count_fields(message, length, SHIM_TAG_ARGUMENT) + 1, sizeof *start->argv);
    start->environment = calloc(count_fields(message, length, SHIM_TAG_VARIABLE) + 1, sizeof *start->environment);
    int result = start->argv && start->environment ? start_fields(message, length, start, unknown) : -ENOMEM;
    if (result < 0)
        shim_start_clear(start);
    return result;
}

static int state_field(const struct shim_field *field, const uint8_t *value, struct shim_state *state)
{
    bool good;
    switch (field->tag) {
    case SHIM_TAG_PHASE: good = take_u32(field, value, &state->phase); break;
    case SHIM_TAG_RESTARTS: good = take_u32(field, value, &state->restarts); break;
    case SHIM_TAG_EXIT_CODE:
    case SHIM_TAG_EXIT_SIGNAL:
        good = !state->exited && take_u32(field, value, &state->exit_value);
        state->exited = true;
        state->signalled = field->tag == SHIM_TAG_EXIT_SIGNAL;
        break;
    case SHIM_TAG_EXIT_TIME:
        good = field->length == sizeof state->exit_unix_ms;
        if (good)
            memcpy(&state->exit_unix_ms, value, sizeof state->exit_unix_ms);
        break;
    case SHIM_TAG_STAGE: good = take_u32(field, value, &state->stage); break;
    case SHIM_TAG_ERROR: good = take_u32(field, value, &state->error); break;
    case SHIM_TAG_REFUSED: good = take_u32(field, value, &state->tag); break;
    default: return field->tag & SHIM_TAG_CRITICAL ? -EOPNOTSUPP : 0;
    }
    return good ? 0 : -EBADMSG;
}

int shim_decode_state(const void *message, size_t length, struct shim_state *state, uint32_t *unknown)
{
    *state = (struct shim_state){0};
    *unknown = 0;
    size_t at = sizeof(struct shim_header);
    struct shim_field field;
    const uint8_t *value;
    while (next_field(message, length, &at, &field, &value)) {
        int result = state_field(&field, value, state);
        if (result == -EOPNOTSUPP)
            *unknown = field.tag;
        if (result < 0)
            return result;
    }
    return 0;
}
