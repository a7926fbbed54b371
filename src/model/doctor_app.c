/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What of the agent, its zones and their ports is not as it should be. */
#include "model/doctor.h"

#include <stdio.h>
#include <string.h>

/* --- the agent ----------------------------------------------------------------------------------- */

enum {
    DISK_FAULT = 1 << 20,    /* less than some hundred records of the journal and one file of a zone */
    DISK_WARNING = 64 << 20, /* less than the logs of a few zones */
    CLOCK_SLACK_MS = 2000,   /* a clock that is being adjusted */
};

static void judge_disk(struct doctor *doctor, const struct doctor_state *state)
{
    if (state->size == 0)
        return;
    doctor_looked(doctor, DOCTOR_DISK);
    /* A small file system of its own is nobody's oversight while it is half empty. */
    if (state->available >= DISK_WARNING || (state->available >= DISK_FAULT && state->available * 2 >= state->size))
        return;
    doctor_begin(doctor, state->available < DISK_FAULT ? DOCTOR_FAULT : DOCTOR_WARNING, DOCTOR_DISK, NULL,
                 "%s has %llu KiB left: without room the journal cannot be written, and nothing is deployed",
                 state->directory, (unsigned long long)(state->available >> 10));
    doctor_line(doctor, "du -xah %s | sort -h | tail", state->directory);
    doctor_line(doctor, "bluegreen release APP prune    # for each app with releases on this file system");
    doctor_end(doctor);
}

static void judge_journal(struct doctor *doctor, const struct doctor_state *state)
{
    doctor_looked(doctor, DOCTOR_JOURNAL);
    if (state->read_only) {
        doctor_begin(doctor, DOCTOR_FAULT, DOCTOR_JOURNAL, NULL,
                     "%s is on a file system that is read-only: nothing but a rollback is done", state->directory);
        doctor_line(doctor, "mount -o remount,rw \"$(findmnt -no TARGET -T %s)\"", state->directory);
        doctor_end(doctor);
    } else if (state->journal_broken) {
        doctor_begin(doctor, DOCTOR_FAULT, DOCTOR_JOURNAL, NULL,
                     "the last record could not be written to the journal in %s: nothing but a rollback is done until "
                     "it can be",
                     state->directory);
        doctor_line(doctor, "df -h %s", state->directory);
        doctor_end(doctor);
    }
}

static void judge_role(struct doctor *doctor, const char *what, int64_t pid)
{
    if (pid > 0)
        return;
    doctor_begin(doctor, DOCTOR_FAULT, DOCTOR_ROLES, NULL,
                 "%s does not run; the agent starts it again, later each time: its log says why it ended", what);
    doctor_line(doctor, "journalctl -u bluegreend -n 50");
    doctor_end(doctor);
}

void doctor_judge_state(struct doctor *doctor, const struct doctor_state *state)
{
    judge_journal(doctor, state);
    judge_disk(doctor, state);
    doctor_looked(doctor, DOCTOR_ROLES);
    judge_role(doctor, "the role that talks to clients", state->api_pid);
    judge_role(doctor, "the role that makes health checks", state->probe_pid);
    doctor_looked(doctor, DOCTOR_CLOCK);
    if (state->latest_unix_ms <= state->now_unix_ms + CLOCK_SLACK_MS)
        return;
    doctor_begin(doctor, DOCTOR_WARNING, DOCTOR_CLOCK, NULL,
                 "the clock is %llu s behind what the journal says happened last: [standby] keep and the history count "
                 "from a time that has not come yet",
                 (unsigned long long)(state->latest_unix_ms - state->now_unix_ms) / 1000);
    doctor_line(doctor, "timedatectl set-ntp true");
    doctor_end(doctor);
}

/* --- zones --------------------------------------------------------------------------------------- */

static void judge_shim(struct doctor *doctor, const struct doctor_zone *zone)
{
    const char *colour = colour_name(zone->colour);
    if (zone->shim == '-' || (zone->shim && !strchr("TtZXx", zone->shim)))
        return;
    if (zone->shim == 'T' || zone->shim == 't') {
        doctor_begin(doctor, DOCTOR_FAULT, DOCTOR_SHIMS, zone->app,
                     "the shim of zone %s (pid %lld) is stopped: its app is not restarted when it ends", colour,
                     (long long)zone->shim_pid);
        doctor_line(doctor, "kill -CONT %lld", (long long)zone->shim_pid);
    } else {
        doctor_begin(doctor, DOCTOR_FAULT, DOCTOR_SHIMS, zone->app,
                     "the shim of zone %s (pid %lld) is dead, and nothing runs there", colour,
                     (long long)zone->shim_pid);
        doctor_line(doctor, "bluegreen status %s", zone->app);
    }
    doctor_end(doctor);
}

static bool is_live(const struct doctor_zone *zone)
{
    return zone->state == ZONE_LIVE;
}

static void judge_health(struct doctor *doctor, const struct doctor_zone *zone)
{
    const char *colour = colour_name(zone->colour);
    enum doctor_check check = is_live(zone) ? DOCTOR_ZONES : DOCTOR_STANDBY;
    if (zone->crash_loop) {
        doctor_begin(doctor, is_live(zone) ? DOCTOR_FAULT : DOCTOR_WARNING, check, zone->app,
                     "a process of zone %s (release %s) exits again and again%s%s", colour, zone->release,
                     zone->why[0] ? ": " : "", zone->why);
        doctor_line(doctor, "bluegreen logs %s %s", zone->app, colour);
        doctor_end(doctor);
    } else if (zone->unhealthy && is_live(zone)) {
        doctor_begin(doctor, DOCTOR_FAULT, DOCTOR_ZONES, zone->app,
                     "zone %s (release %s) is live and fails its checks: %s", colour, zone->release, zone->why);
        doctor_line(doctor, "bluegreen logs %s %s", zone->app, colour);
        doctor_line(doctor, "bluegreen rollback %s", zone->app);
        doctor_end(doctor);
    } else if (zone->unhealthy) {
        doctor_begin(doctor, DOCTOR_WARNING, DOCTOR_STANDBY, zone->app,
                     "zone %s (release %s, %s) fails its checks, so a switch or rollback to it would be refused: %s",
                     colour, zone->release, zone_state_name(zone->state), zone->why);
        doctor_line(doctor, "bluegreen logs %s %s", zone->app, colour);
        doctor_end(doctor);
    }
}

void doctor_judge_zone(struct doctor *doctor, const struct doctor_zone *zone)
{
    const char *colour = colour_name(zone->colour);
    judge_shim(doctor, zone);
    judge_health(doctor, zone);
    if (zone->lost) {
        doctor_begin(doctor, DOCTOR_FAULT, DOCTOR_ZONES, zone->app,
                     "zone %s was live when its shim died, and has not been healthy since: it is being rebuilt",
                     colour);
        doctor_line(doctor, "bluegreen status %s", zone->app);
        doctor_end(doctor);
    }
    if (zone->state == ZONE_FAILED) {
        doctor_begin(doctor, DOCTOR_NOTE, DOCTOR_STANDBY, zone->app,
                     "the last release staged in zone %s (%s) failed, so there is nothing to switch back to: %s",
                     colour, zone->release, zone->why);
        doctor_line(doctor, "bluegreen logs %s %s", zone->app, colour);
        doctor_end(doctor);
    }
    if (zone->unlimited) {
        doctor_begin(doctor, DOCTOR_WARNING, DOCTOR_CGROUPS, zone->app,
                     "zone %s runs without the [limits] of its configuration: this host has no cgroup v2 controllers "
                     "for it",
                     colour);
        doctor_end(doctor);
    }
    if (zone->overflows > 0) {
        doctor_begin(doctor, DOCTOR_WARNING, DOCTOR_BACKLOG, zone->app,
                     "%lld connections to zone %s found the queue of its listening socket full, since the zone was "
                     "made: the app accepts too slowly, or asks for too short a queue (listen(2))",
                     (long long)zone->overflows, colour);
        doctor_line(doctor, "bluegreen exec %s %s -- ss -ltn", zone->app, colour);
        doctor_end(doctor);
    }
}

/* --- ports --------------------------------------------------------------------------------------- */

/* "80" of "198.51.100.7:80/tcp"; the first of "8000-8010/tcp". */
static int first_port(const char *port, const char **number)
{
    const char *colon = strrchr(port, ':');
    *number = colon ? colon + 1 : port;
    return (int)strcspn(*number, "-/");
}

void doctor_judge_squatter(struct doctor *doctor, const struct doctor_squatter *squatter)
{
    char who[192] = "a process of the host", owner[32] = "";
    if (squatter->command[0])
        snprintf(who, sizeof who, "%.60s (pid %lld%s%.80s)", squatter->command, (long long)squatter->pid,
                 squatter->unit[0] ? ", " : "", squatter->unit);
    else if (squatter->unit[0])
        snprintf(who, sizeof who, "a process of %.120s", squatter->unit);
    if (!squatter->command[0])
        snprintf(owner, sizeof owner, " of uid %u", squatter->uid);
    if (squatter->preview)
        doctor_begin(doctor, DOCTOR_WARNING, DOCTOR_PORTS, squatter->app,
                     "%s%s listens on the host's port %s, which is a preview of %s: it gets no new connections while "
                     "there is a release to be looked at; give [preview] another port",
                     who, owner, squatter->port, squatter->app);
    else if (squatter->live)
        doctor_begin(
            doctor, DOCTOR_WARNING, DOCTOR_PORTS, squatter->app,
            "%s%s listens on the host's port %s, which is published: it gets no new connections, and would get "
            "them when %s is stopped",
            who, owner, squatter->port, squatter->app);
    else
        doctor_begin(doctor, DOCTOR_NOTE, DOCTOR_PORTS, squatter->app,
                     "%s%s listens on the host's port %s; the first release of %s takes it over", who, owner,
                     squatter->port, squatter->app);
    const char *number;
    int length_of_port = first_port(squatter->port, &number);
    size_t length = strlen(squatter->unit);
    if (!squatter->preview && length > 8 && strcmp(squatter->unit + length - 8, ".service") == 0)
        doctor_line(doctor, "systemctl disable --now %s", squatter->unit);
    else if (!squatter->preview && squatter->pid > 0)
        doctor_line(doctor, "kill %lld", (long long)squatter->pid);
    else
        doctor_line(doctor, "ss -lntup 'sport = :%.*s'", length_of_port, number);
    doctor_end(doctor);
}

void doctor_judge_target(struct doctor *doctor, const struct doctor_target *target)
{
    const char *colour = colour_name(target->colour);
    enum doctor_level level = target->live ? DOCTOR_FAULT : DOCTOR_WARNING;
    doctor_looked(doctor, DOCTOR_LISTENING);
    if (target->any && !target->loopback_only)
        return;
    if (target->any)
        doctor_begin(doctor, level, DOCTOR_LISTENING, target->app,
                     "what serves port %u in zone %s listens on the zone's loopback address only: clients are refused; "
                     "it has to listen on 0.0.0.0, or on the zone's own address",
                     target->target, colour);
    else
        doctor_begin(doctor, level, DOCTOR_LISTENING, target->app,
                     "nothing listens on port %u in zone %s, where [ports] sends clients: they are refused",
                     target->target, colour);
    doctor_line(doctor, "bluegreen exec %s %s -- ss -ltnp", target->app, colour);
    doctor_end(doctor);
}
