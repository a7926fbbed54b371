/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Every key of an app's file on one page: where it belongs, what it takes, its bounds. Defaults are in app_file.c. */
#include "conf/app_keys.h"

#define MINUTE 60000u
#define HOUR   3600000u
#define DAY    86400000u
#define MIB    1048576u
#define TIB_K  1073741824u /* in KiB */
#define MANY   1000000u    /* more than anybody counts up to */

#define NOW         .now = now_always
#define FIELD(name) .offset = offsetof(struct service, name)
#define CALL(section_, key_, function, ...)                            \
    {                                                                  \
        .section = section_, .key = key_, .set = function, __VA_ARGS__ \
    }
#define DURATION(section_, key_, field, from, to, ...)                                                            \
    {                                                                                                             \
        .section = section_, .key = key_, .kind = KEY_DURATION, FIELD(field), .min = from, .max = to, __VA_ARGS__ \
    }
#define NUMBER(section_, key_, field, from, to, ...)                                                            \
    {                                                                                                           \
        .section = section_, .key = key_, .kind = KEY_NUMBER, FIELD(field), .min = from, .max = to, __VA_ARGS__ \
    }
#define BOUND(section_, key_, field, from, to, ...)                                                            \
    {                                                                                                          \
        .section = section_, .key = key_, .kind = KEY_BOUND, FIELD(field), .min = from, .max = to, __VA_ARGS__ \
    }
#define HOOK(section_, key_, ...)                                              \
    {                                                                          \
        .section = section_, .key = key_, .set_any = app_key_hook, __VA_ARGS__ \
    }
#define MEMORY(section_, key_, field, ...)                                                          \
    {                                                                                               \
        .section = section_, .key = key_, .kind = KEY_MEMORY, FIELD(field), .min = MIB, __VA_ARGS__ \
    }
#define SIZE(section_, key_, field, from_k, to_k, ...)                                                            \
    {                                                                                                             \
        .section = section_, .key = key_, .kind = KEY_SIZE, FIELD(field), .min = from_k, .max = to_k, __VA_ARGS__ \
    }
#define BOOLEAN(section_, key_, field, ...)                                              \
    {                                                                                    \
        .section = section_, .key = key_, .kind = KEY_BOOLEAN, FIELD(field), __VA_ARGS__ \
    }
#define WORD(section_, key_, field, list, ...)                                                       \
    {                                                                                                \
        .section = section_, .key = key_, .kind = KEY_WORD, FIELD(field), .words = list, __VA_ARGS__ \
    }
#define FLAG(section_, key_, field, list, ...)                                                       \
    {                                                                                                \
        .section = section_, .key = key_, .kind = KEY_FLAG, FIELD(field), .words = list, __VA_ARGS__ \
    }

/* In the order of their enums. */
static const char *const drain_words[] = {[DRAIN_CUT] = "cut", [DRAIN_LEAVE] = "leave", NULL};
static const char *const profile_words[] = {[SYSCALLS_DEFAULT] = "default",
                                            [SYSCALLS_BASELINE] = "baseline",
                                            [SYSCALLS_LOG] = "log",
                                            [SYSCALLS_OFF] = "off",
                                            NULL};
static const char *const policy_words[] = {
    [RESTART_ALWAYS] = "always", [RESTART_ON_FAILURE] = "on-failure", [RESTART_NO] = "no", NULL};
static const char *const system_words[] = {"read-only", "writable", NULL};
static const char *const switch_words[] = {"overlap", "hold", NULL};
static const char *const egress_words[] = {[EGRESS_OPEN] = "open", [EGRESS_CLOSED] = "closed", NULL};
static const char *const fence_words[] = {[EGRESS_SAME] = "same", [EGRESS_FENCED] = "closed", NULL};
static const char *const feed_words[] = {
    [FEED_OFF] = "off", [FEED_HTTP] = "http", [FEED_STREAM] = "stream", [FEED_DATAGRAM] = "datagram", NULL};
static const char *const compare_words[] = {
    [FEED_COMPARE_STATUS] = "status", [FEED_COMPARE_BODY] = "body", [FEED_COMPARE_NONE] = "none", NULL};
static const char *const client_words[] = {
    [FEED_CLIENT_HEADER] = "header", [FEED_CLIENT_PROXY] = "proxy", [FEED_CLIENT_NONE] = "none", NULL};
static const char *const doubt_words[] = {
    [FEED_DOUBT_ASK] = "ask", [FEED_DOUBT_APPLY] = "apply", [FEED_DOUBT_SKIP] = "skip", NULL};
static const char *const seed_words[] = {[FEED_SEED_ON_ORDER] = "order", [FEED_SEED_ON_RELEASE] = "release", NULL};
static const char *const sight_words[] = {"hidden", "visible", NULL};

_Static_assert(sizeof(enum drain_then) == sizeof(unsigned) && sizeof(enum syscall_profile) == sizeof(unsigned) &&
                   sizeof(enum restart_policy) == sizeof(unsigned) && sizeof(enum feed_mode) == sizeof(unsigned) &&
                   sizeof(enum feed_compare) == sizeof(unsigned) && sizeof(enum feed_client) == sizeof(unsigned) &&
                   sizeof(enum feed_doubt) == sizeof(unsigned) && sizeof(enum feed_seeding) == sizeof(unsigned) &&
                   sizeof(enum egress_policy) == sizeof(unsigned) && sizeof(enum egress_standby) == sizeof(unsigned),
               "KEY_WORD stores unsigned");

static bool now_always(const void *kept, const void *fresh)
{
    (void)kept;
    (void)fresh;
    return true;
}

/* Of an http check where port and kind stay as they are: the others belong to the release. */
static bool now_of_same_check(const void *kept, const void *fresh)
{
    const struct health *a = &((const struct service *)kept)->health, *b = &((const struct service *)fresh)->health;
    return a->kind == b->kind && a->port == b->port;
}

const struct key_rule app_rules[] = {
    CALL("app", "name", app_key_name),
    CALL("app", "user", app_key_user),
    CALL("app", "group", app_key_group),
    CALL("app", "group_name", app_key_group_name),
    CALL("app", "run", app_key_run),
    CALL("app", "workdir", app_key_workdir),
    CALL("app", "environment", app_key_environment),
    CALL("app", "env_file", app_key_env_file),
    CALL("app", "stop_signal", app_key_stop_signal),
    DURATION("app", "stop_timeout", stop_timeout_ms, 0, HOUR),
    {.section = "process", .key = "run", .set_named = app_key_process_run},
    {.section = "process", .key = "when", .set_named = app_key_process_when},
    {.section = "ports", .set_any = app_key_port},
    CALL("files", "read", app_key_file_read),
    CALL("files", "write", app_key_file_write),
    CALL("files", "state", app_key_file_state),
    CALL("files", "hide", app_key_file_hide),
    WORD("sandbox", "syscalls", sandbox.syscalls, profile_words),
    FLAG("sandbox", "system", sandbox.system_writable, system_words),
    FLAG("sandbox", "home", sandbox.home_visible, sight_words),
    FLAG("sandbox", "kernel", sandbox.kernel_visible, sight_words),
    FLAG("sandbox", "run", sandbox.run_visible, sight_words),
    CALL("sandbox", "devices", app_key_devices),
    MEMORY("limits", "memory", limits.memory),
    MEMORY("limits", "memory_high", limits.memory_high),
    CALL("limits", "swap", app_key_swap),
    CALL("limits", "cpu", app_key_cpu),
    NUMBER("limits", "cpu_weight", limits.cpu_weight, 1, 10000),
    NUMBER("limits", "tasks", limits.tasks, 1, 4194304),
    NUMBER("limits", "io_weight", limits.io_weight, 1, 10000),
    NUMBER("limits", "open_files", limits.open_files, 16, 1073741816),
    CALL("limits", "required", app_key_required),
    WORD("restart", "policy", restart.policy, policy_words),
    DURATION("restart", "delay", restart.delay_ms, 100, MINUTE / 2),
    DURATION("restart", "max_delay", restart.delay_max_ms, 100, HOUR),
    NUMBER("restart", "limit", restart.limit, 1, 1000),
    DURATION("restart", "window", restart.window_ms, 1000, DAY),
    CALL("preview", "port", app_key_preview_port),
    CALL("preview", "from", app_key_preview_from, NOW),
    CALL("share", "host", app_key_share_host, NOW),
    CALL("share", "socket", app_key_share_socket),
    WORD("egress", "policy", egress.policy, egress_words, NOW),
    CALL("egress", "allow", app_key_allow, NOW),
    WORD("egress", "standby", egress.standby, fence_words, NOW),
    CALL("egress", "standby_allow", app_key_standby_allow, NOW),
    WORD("feed", "mode", feed.mode, feed_words, NOW),
    CALL("feed", "ports", app_key_feed_ports, NOW),
    CALL("feed", "methods", app_key_feed_methods, NOW),
    CALL("feed", "sync", app_key_feed_sync, NOW),
    SIZE("feed", "journal_max", feed.journal_max, 16384, TIB_K, NOW),
    NUMBER("feed", "lanes", feed.lanes, 1, FEED_LANES_MAX, NOW),
    CALL("feed", "key", app_key_feed_key, NOW),
    WORD("feed", "compare", feed.compare, compare_words, NOW),
    CALL("feed", "ignore", app_key_feed_ignore, NOW),
    WORD("feed", "client_address", feed.client, client_words, NOW),
    WORD("feed", "in_doubt", feed.in_doubt, doubt_words, NOW),
    SIZE("feed", "body_max", feed.body_max, 1, TIB_K, NOW),
    DURATION("feed", "wait", feed.wait_ms, 100, 5 * MINUTE, NOW),
    HOOK("feed", "seed"),
    WORD("feed", "seed_on", feed.seed_on, seed_words, NOW),
    DURATION("feed", "seed_timeout", feed.seed_timeout_ms, 1000, DAY, NOW),
    CALL("health", "http", app_key_http, .now = now_of_same_check),
    CALL("health", "tcp", app_key_tcp),
    CALL("health", "exec", app_key_exec),
    BOOLEAN("health", "notify", health.notify),
    DURATION("health", "watchdog", health.watchdog_ms, 1000, HOUR),
    DURATION("health", "interval", health.interval_ms, 50, HOUR, NOW),
    DURATION("health", "timeout", health.timeout_ms, 10, 10 * MINUTE, NOW),
    NUMBER("health", "passes", health.passes, 1, 100, NOW),
    NUMBER("health", "failures", health.failures, 1, 100, NOW),
    DURATION("health", "start_timeout", health.start_timeout_ms, 100, HOUR, NOW),
    DURATION("health", "grace", health.grace_ms, 0, HOUR, NOW),
    CALL("health", "host", app_key_host, .now = now_of_same_check),
    CALL("health", "status", app_key_status, .now = now_of_same_check),
    BOOLEAN("health", "follow_redirects", health.follow_redirects, .now = now_of_same_check),
    FLAG("switch", "mode", hold, switch_words),
    DURATION("switch", "hold_max", hold_max_ms, 1000, 5 * MINUTE, NOW),
    DURATION("drain", "timeout", drain_timeout_ms, 0, DAY, NOW),
    WORD("drain", "then", drain_then, drain_words, NOW),
    CALL("drain", "nudge", app_key_nudge, NOW),
    DURATION("drain", "nudge_after", nudge_after_ms, 100, HOUR, NOW),
    BOOLEAN("standby", "freeze", freeze, NOW),
    CALL("standby", "keep", app_key_keep, NOW),
    HOOK("hooks", "pre_start"),
    HOOK("hooks", "test"),
    HOOK("hooks", "pre_switch"),
    HOOK("hooks", "post_switch"),
    HOOK("hooks", "pre_rollback"),
    HOOK("hooks", "post_rollback"),
    HOOK("hooks", "on_failure"),
    HOOK("hooks", "on_rollback"),
    HOOK("hooks", "on_failover"),
    DURATION("hooks", "timeout", hook_timeout_ms, 1000, HOUR, NOW),
    NUMBER("schema", "needs", schema_needs, 0, INT32_MAX),
    HOOK("schema", "expand"),
    HOOK("schema", "check"),
    HOOK("schema", "contract"),
    HOOK("schema", "revert"),
    DURATION("schema", "timeout", schema_timeout_ms, 1000, DAY, NOW),
    CALL("releases", "dir", app_key_releases_dir, NOW),
    NUMBER("releases", "keep", releases_keep, 1, 1000, NOW),
    CALL("releases", "fetch", app_key_releases_fetch, NOW),
    DURATION("releases", "timeout", releases_timeout_ms, 1000, DAY, NOW),
    CALL("test", "http", app_key_pages, NOW),
    DURATION("bake", "time", bake.time_ms, 0, 7 * DAY, NOW),
    HOOK("bake", "guard"),
    DURATION("bake", "interval", bake.guard_interval_ms, 1000, HOUR, NOW),
    BOUND("bake", "restarts", bake.restarts, 0, MANY, NOW),
    BOUND("bake", "resets", bake.resets, 0, MANY, NOW),
    BOUND("bake", "overflows", bake.overflows, 0, MANY, NOW),
    CALL("bake", "errors", app_key_errors, NOW),
    BOOLEAN("failover", "auto", failover, NOW),
    BOOLEAN("parity", "strict", parity_strict, NOW),
};

const size_t app_rule_count = sizeof app_rules / sizeof *app_rules;
