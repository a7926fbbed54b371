/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages between agent and shim: writing them. shim_decode.c reads them. */
#include "model/shim_protocol.h"

#include <stdio.h>
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
        [SHIM_STAGE_SOURCE] = "open what is to be shown to the app",
        [SHIM_STAGE_VIEW] = "lay out the app's files",
        [SHIM_STAGE_RLIMITS] = "set the resource limits",
        [SHIM_STAGE_FILTER] = "load the system call filter",
        [SHIM_STAGE_TERMINAL] = "take the terminal",
        [SHIM_STAGE_NOTIFY] = "make the socket for sd_notify",
        [SHIM_STAGE_KILLED] = "execute",
        [SHIM_STAGE_LISTEN] = "listen for the app",
    };
    return stage < SHIM_STAGES ? texts[stage] : "start (at a stage that this agent does not know)";
}

void shim_stage_describe(uint32_t stage, const char *object, char text[SHIM_STAGE_TEXT_MAX])
{
    bool has_object = object && *object;
    bool is_its_object = stage == SHIM_STAGE_EXEC || stage == SHIM_STAGE_KILLED || stage == SHIM_STAGE_WORKDIR;
    snprintf(text, SHIM_STAGE_TEXT_MAX, "%s%s%.*s", shim_stage_text(stage),
             !has_object     ? ""
             : is_its_object ? " "
                             : ": ",
             SHIM_OBJECT_MAX, has_object ? object : "");
}

const char *shim_setup_text(uint32_t step)
{
    static const char *const texts[SHIM_SETUPS] = {
        [SHIM_SETUP_NONE] = "begin",
        [SHIM_SETUP_DUMPABLE] = "keep its memory to itself",
        [SHIM_SETUP_CAPABILITIES] = "drop capabilities",
        [SHIM_SETUP_DIRECTORY] = "go to /",
        [SHIM_SETUP_SIGNALS] = "listen to signals",
        [SHIM_SETUP_DESCRIPTORS] = "arrange its descriptors",
        [SHIM_SETUP_EVENTS] = "watch its descriptors",
        [SHIM_SETUP_SOCKET] = "listen to the agent",
        [SHIM_SETUP_LOG] = "make the pipe of the log",
    };
    return step < SHIM_SETUPS ? texts[step] : "a step that this agent does not know";
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
    if (value && length > 0)
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

/* What an older shim would not know is left out where it says what has always been. */
static void put_unless(struct writer *writer, enum shim_tag tag, uint32_t value, uint32_t usual)
{
    if (value != 0 && value != usual)
        put_u32(writer, tag, value);
}

static void put_bounded(struct writer *writer, enum shim_tag tag, const char *text, size_t max)
{
    if (!text)
        return;
    if (strlen(text) > max)
        writer->full = true;
    put_text(writer, tag, text);
}

/* Three parts behind one another: the fixed one and two texts. */
static void put_view_step(struct writer *writer, const struct view_step *step)
{
    const struct shim_view_field fixed = {.kind = step->kind, .flags = step->flags};
    size_t source = strlen(step->source) + 1, target = strlen(step->target) + 1;
    size_t at = writer->used + sizeof(struct shim_field);
    put(writer, SHIM_TAG_VIEW, NULL, sizeof fixed + source + target);
    if (writer->full)
        return;
    memcpy(writer->bytes + at, &fixed, sizeof fixed);
    memcpy(writer->bytes + at + sizeof fixed, step->source, source);
    memcpy(writer->bytes + at + sizeof fixed + source, step->target, target);
}

static void put_sandbox(struct writer *writer, const struct shim_start *start)
{
    for (size_t i = 0; i < start->view.count; i++)
        put_view_step(writer, &start->view.steps[i]);
    if (start->filter_count > 0)
        put(writer, SHIM_TAG_FILTER, start->filter, start->filter_count * SHIM_FILTER_BYTES);
    for (size_t i = 0; i < start->rlimit_count; i++)
        put(writer, SHIM_TAG_RLIMIT, &start->rlimits[i], sizeof start->rlimits[i]);
    put_unless(writer, SHIM_TAG_OOM_SCORE, start->oom_score, 0);
}

static void put_listens(struct writer *writer, const struct shim_start *start)
{
    for (size_t i = 0; i < start->listen_count; i++) {
        const struct shim_listen *listen = &start->listens[i];
        const struct shim_listen_field fixed = {.protocol = listen->protocol, .port = listen->port};
        size_t name = strlen(listen->name) + 1, at = writer->used + sizeof(struct shim_field);
        put(writer, SHIM_TAG_LISTEN, NULL, sizeof fixed + name);
        if (writer->full)
            return;
        memcpy(writer->bytes + at, &fixed, sizeof fixed);
        memcpy(writer->bytes + at + sizeof fixed, listen->name, name);
    }
}

static void put_supervision(struct writer *writer, const struct shim_start *start)
{
    put_bounded(writer, SHIM_TAG_PROCESS, start->process, PROCESS_NAME_MAX);
    put_unless(writer, SHIM_TAG_STOP_SIGNAL, start->stop_signal, SHIM_STOP_SIGNAL_USUAL);
    put_unless(writer, SHIM_TAG_RESTART, start->restart, SHIM_RESTART_ALWAYS);
    put_unless(writer, SHIM_TAG_RESTART_MAX, start->restart_max_ms, SHIM_RESTART_MAX_USUAL_MS);
    if (start->notify)
        put_u32(writer, SHIM_TAG_WATCHDOG, start->watchdog_ms);
    put_unless(writer, SHIM_TAG_DEADLINE, start->deadline_ms, 0);
    if (start->stdio)
        put_u32(writer, SHIM_TAG_STDIO, start->terminal);
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
    put_sandbox(&writer, start);
    put_supervision(&writer, start);
    put_listens(&writer, start);
    return end(&writer, SHIM_START, serial);
}

size_t shim_encode_stop(const char *process, uint32_t serial, void *message, size_t size)
{
    struct writer writer = begin(message, size);
    put_bounded(&writer, SHIM_TAG_PROCESS, process, PROCESS_NAME_MAX);
    return end(&writer, SHIM_STOP, serial);
}

size_t shim_encode_set(const struct shim_set *set, uint32_t serial, void *message, size_t size)
{
    struct writer writer = begin(message, size);
    if (set->has_oom_score)
        put_u32(&writer, SHIM_TAG_OOM_SCORE, set->oom_score);
    if (set->has_frozen)
        put_u32(&writer, SHIM_TAG_FROZEN, set->frozen);
    return end(&writer, SHIM_SET, serial);
}

size_t shim_encode_nudge(const struct shim_nudge *nudge, uint32_t serial, void *message, size_t size)
{
    struct writer writer = begin(message, size);
    put(&writer, SHIM_TAG_SOCKETS, nudge->sockets, nudge->count * sizeof *nudge->sockets);
    put_u32(&writer, SHIM_TAG_IDLE, nudge->idle_ms);
    return end(&writer, SHIM_NUDGE, serial);
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
    put_unless(&writer, SHIM_TAG_STAGE, state->stage, 0);
    put_unless(&writer, SHIM_TAG_ERROR, state->error, 0);
    put_unless(&writer, SHIM_TAG_REFUSED, state->tag, 0);
    put_unless(&writer, SHIM_TAG_READY, state->ready, 0);
    put_unless(&writer, SHIM_TAG_FROZEN, state->frozen, 0);
    put_unless(&writer, SHIM_TAG_WATCHDOG_HITS, state->watchdog_hits, 0);
    put_bounded(&writer, SHIM_TAG_PROCESS, state->process, PROCESS_NAME_MAX);
    put_bounded(&writer, SHIM_TAG_OBJECT, state->object, SHIM_OBJECT_MAX);
    put_bounded(&writer, SHIM_TAG_OUTPUT, state->output, SHIM_OUTPUT_MAX);
    if (state->exit_count > 0)
        put(&writer, SHIM_TAG_EXIT_AGES, state->exit_ages, state->exit_count * sizeof *state->exit_ages);
    put_unless(&writer, SHIM_TAG_COUNT, state->count, 0);
    return end(&writer, type, serial);
}
