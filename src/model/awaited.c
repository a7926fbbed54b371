/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The states' names, and what each asks of the facts. */
#include "model/awaited.h"

#include "base/text.h"

#include <errno.h>
#include <string.h>

static const struct {
    const char *name;
    bool of_release; /* may be followed by =RELEASE */
} states[AWAITS] = {
    [AWAIT_IDLE] = {"idle", false},       [AWAIT_LIVE] = {"live", true},        [AWAIT_HEALTHY] = {"healthy", true},
    [AWAIT_STANDBY] = {"standby", true},  [AWAIT_DRAINED] = {"drained", false}, [AWAIT_BAKED] = {"baked", false},
    [AWAIT_STOPPED] = {"stopped", false}, [AWAIT_EMPTY] = {"empty", false},
};

static bool find_state(const char *text, size_t length, enum await *what)
{
    for (unsigned i = 0; i < AWAITS; i++) {
        if (strlen(states[i].name) == length && strncmp(states[i].name, text, length) == 0) {
            *what = (enum await)i;
            return true;
        }
    }
    return false;
}

bool awaited_parse(const char *text, struct awaited *awaited, struct error *err)
{
    const char *sign = strchr(text, '=');
    *awaited = (struct awaited){0};
    if (!find_state(text, sign ? (size_t)(sign - text) : strlen(text), &awaited->what)) {
        error_set(err, EINVAL,
                  "\"%.40s\" is no state to wait for: idle, live, healthy, standby, drained, baked, stopped or empty; "
                  "live, healthy and standby may name a release, as in live=v2",
                  text);
        return false;
    }
    if (!sign)
        return true;
    if (!states[awaited->what].of_release) {
        error_set(err, EINVAL, "%s is no state of a release: leave \"=%.64s\" out", states[awaited->what].name,
                  sign + 1);
        return false;
    }
    if (!release_name_valid(sign + 1) || !text_copy(awaited->release, sizeof awaited->release, sign + 1)) {
        error_set(err, EINVAL,
                  "\"%.64s\" is not a valid release name: 1 to 64 letters, digits and ._+-, not beginning with '.' or "
                  "'-'",
                  sign + 1);
        return false;
    }
    return true;
}

static bool is_meant(const struct awaited *awaited, const char *release)
{
    return !awaited->release[0] || strcmp(awaited->release, release) == 0;
}

bool awaited_holds(const struct awaited *awaited, const struct situation *now)
{
    switch (awaited->what) {
    case AWAIT_IDLE: return !now->operates && !now->drains && !now->bakes;
    case AWAIT_LIVE: return now->live_well && is_meant(awaited, now->live);
    case AWAIT_HEALTHY: return now->staged_well && is_meant(awaited, now->staged);
    case AWAIT_STANDBY: return now->may_go_back && is_meant(awaited, now->standby);
    case AWAIT_DRAINED: return !now->operates && !now->drains;
    case AWAIT_BAKED: return !now->operates && !now->bakes;
    case AWAIT_STOPPED: return now->state == APP_STOPPED && !now->operates;
    case AWAIT_EMPTY: return now->state == APP_EMPTY && !now->operates && !now->zones_left;
    case AWAITS: break;
    }
    return false;
}
