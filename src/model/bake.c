/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The bake: readings against limits. */
#include "model/bake.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    MINUTE_MS = 60000,
    SAMPLE_MS = MINUTE_MS / BAKE_SAMPLES,
};

/* --- readings ---------------------------------------------------------------------------------- */

static void add_sample(struct bake_watch *watch, uint64_t now_ms)
{
    uint32_t at = (watch->first_sample + watch->samples) % BAKE_SAMPLES;
    if (watch->samples == BAKE_SAMPLES)
        watch->first_sample = (watch->first_sample + 1) % BAKE_SAMPLES;
    else
        watch->samples++;
    watch->sampled_ms[at] = now_ms;
    watch->sampled_resets[at] = watch->now.resets;
}

/* What is older than a minute goes, but for the youngest of it: the minute begins there. */
static void drop_samples(struct bake_watch *watch, uint64_t now_ms)
{
    while (watch->samples > 1) {
        uint32_t second = (watch->first_sample + 1) % BAKE_SAMPLES;
        if (now_ms - watch->sampled_ms[second] < MINUTE_MS)
            return;
        watch->first_sample = second;
        watch->samples--;
    }
}

void bake_watch_start(struct bake_watch *watch, const struct bake_figures *base, uint64_t now_ms)
{
    *watch = (struct bake_watch){.base = *base, .now = *base};
    add_sample(watch, now_ms);
}

static void begin_again(struct bake_figures *base, const struct bake_figures *now)
{
    if (now->restarts < base->restarts)
        base->restarts = now->restarts;
    if (now->oom_kills < base->oom_kills)
        base->oom_kills = now->oom_kills;
    if (now->overflows < base->overflows)
        base->overflows = now->overflows;
}

void bake_watch_figures(struct bake_watch *watch, const struct bake_figures *now, uint64_t now_ms)
{
    begin_again(&watch->base, now);
    if (now->resets < watch->now.resets)
        watch->samples = 0;
    watch->now = *now;
    uint32_t last = (watch->first_sample + watch->samples + BAKE_SAMPLES - 1) % BAKE_SAMPLES;
    if (watch->samples == 0 || now_ms - watch->sampled_ms[last] >= SAMPLE_MS)
        add_sample(watch, now_ms);
    drop_samples(watch, now_ms);
}

void bake_watch_probe(struct bake_watch *watch, const struct probe_result *result)
{
    if (result->outcome == PROBE_INTERNAL)
        return;
    watch->probes++;
    if (result->outcome == PROBE_PASS)
        return;
    watch->probes_failed++;
    text_copy(watch->probe_detail, sizeof watch->probe_detail, result->detail);
}

void bake_watch_guard(struct bake_watch *watch, const char *failed)
{
    watch->guards++;
    if (failed && !watch->guard_failed[0])
        snprintf(watch->guard_failed, sizeof watch->guard_failed, "%s", failed[0] ? failed : "it failed");
}

/* --- the verdict --------------------------------------------------------------------------------- */

static uint32_t restarts_of(const struct bake_watch *watch)
{
    return watch->now.restarts - watch->base.restarts;
}

static uint64_t overflows_of(const struct bake_watch *watch)
{
    return watch->now.overflows - watch->base.overflows;
}

static uint64_t resets_of(const struct bake_watch *watch)
{
    return watch->samples ? watch->now.resets - watch->sampled_resets[watch->first_sample] : 0;
}

static const char *plural(uint64_t count)
{
    return count == 1 ? "" : "s";
}

static const char *since(const struct bake_watch *watch)
{
    return watch->canary ? "has a share" : "became live";
}

static bool processes_breached(const struct bake_watch *watch, const struct bake *limits, char *why, size_t size)
{
    uint32_t kills = watch->now.oom_kills - watch->base.oom_kills, restarts = restarts_of(watch);
    if (kills > 0)
        snprintf(why, size, "memory ran out: the kernel killed %" PRIu32 " of its processes", kills);
    else if (limits->restarts != BAKE_UNLIMITED && restarts > limits->restarts)
        snprintf(why, size, "%" PRIu32 " exit%s or restart%s since it %s ([bake] restarts = %" PRIu32 ")", restarts,
                 plural(restarts), plural(restarts), since(watch), limits->restarts);
    else
        return false;
    return true;
}

static bool network_breached(const struct bake_watch *watch, const struct bake *limits, char *why, size_t size)
{
    uint64_t overflows = overflows_of(watch), resets = resets_of(watch);
    if (limits->overflows != BAKE_UNLIMITED && overflows > limits->overflows)
        snprintf(why, size,
                 "%" PRIu64 " connection%s found its listening queue full since it %s ([bake] overflows = "
                 "%" PRIu32 ")",
                 overflows, plural(overflows), since(watch), limits->overflows);
    else if (limits->resets != BAKE_UNLIMITED && resets > limits->resets)
        snprintf(why, size, "it sent %" PRIu64 " TCP reset%s within a minute ([bake] resets = %" PRIu32 ")", resets,
                 plural(resets), limits->resets);
    else
        return false;
    return true;
}

static bool probes_breached(const struct bake_watch *watch, const struct bake *limits, char *why, size_t size)
{
    if (watch->probes < BAKE_PROBES_LEAST ||
        (uint64_t)watch->probes_failed * 100 <= (uint64_t)watch->probes * limits->errors_percent)
        return false;
    snprintf(why, size,
             "%" PRIu32 " of %" PRIu32 " probes failed ([bake] errors = %" PRIu32 "%%), the last of them: %s",
             watch->probes_failed, watch->probes, limits->errors_percent, watch->probe_detail);
    return true;
}

bool bake_breached(const struct bake_watch *watch, const struct bake *limits, const char *unhealthy, char *why,
                   size_t size)
{
    if (processes_breached(watch, limits, why, size))
        return true;
    if (unhealthy)
        snprintf(why, size, "it became unhealthy: %s", unhealthy);
    else if (watch->guard_failed[0])
        snprintf(why, size, "the guard hook failed: %s", watch->guard_failed);
    else
        return network_breached(watch, limits, why, size) || probes_breached(watch, limits, why, size);
    return true;
}

void bake_text(const struct bake_watch *watch, const struct bake *limits, char *text, size_t size)
{
    uint32_t restarts = restarts_of(watch);
    uint64_t overflows = overflows_of(watch), resets = resets_of(watch);
    int used = snprintf(text, size, "%" PRIu32 " of %" PRIu32 " probes failed, %" PRIu32 " restart%s",
                        watch->probes_failed, watch->probes, restarts, plural(restarts));
    if (used >= 0 && (size_t)used < size && (resets || limits->resets != BAKE_UNLIMITED))
        used += snprintf(text + used, size - (size_t)used, ", %" PRIu64 " reset%s in the last minute", resets,
                         plural(resets));
    if (used >= 0 && (size_t)used < size && overflows)
        used +=
            snprintf(text + used, size - (size_t)used, ", %" PRIu64 " listen overflow%s", overflows, plural(overflows));
    if (used >= 0 && (size_t)used < size && watch->guards)
        snprintf(text + used, size - (size_t)used, ", the guard ran %" PRIu32 " time%s", watch->guards,
                 plural(watch->guards));
}
