/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `status` for people. */
#include "cli/cli.h"
#include "cli/table.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { LABEL_WIDTH = 9 }; /* of the lines under a table */

static enum style colour_style(enum bluegreen_colour colour)
{
    return colour == BLUEGREEN_BLUE ? STYLE_BLUE : colour == BLUEGREEN_GREEN ? STYLE_GREEN : STYLE_PLAIN;
}

static bool is_one_of(const char *word, const char *const words[])
{
    for (; *words; words++) {
        if (strcmp(word, *words) == 0)
            return true;
    }
    return false;
}

static enum style state_style(const char *state)
{
    static const char *const bad[] = {"failed", "unhealthy", NULL};
    static const char *const moving[] = {"staging", "starting", "draining", NULL};
    static const char *const quiet[] = {"absent", "stopped", "unknown", NULL};
    if (strcmp(state, "live") == 0)
        return STYLE_BOLD;
    return is_one_of(state, bad)      ? STYLE_RED
           : is_one_of(state, moving) ? STYLE_YELLOW
           : is_one_of(state, quiet)  ? STYLE_DIM
                                      : STYLE_PLAIN;
}

static void add_number(struct table *table, int64_t number, bool known)
{
    if (known)
        table_add(table, STYLE_PLAIN, "%lld", (long long)number);
    else
        table_add(table, STYLE_DIM, "-");
}

static void add_zone(struct table *table, const struct bluegreen_app *app, enum bluegreen_colour colour)
{
    const struct bluegreen_zone *zone = &app->zones[colour];
    bool there = strcmp(zone->state, "absent") != 0;
    char addresses[128] = "";
    for (const char *const *address = zone->addresses; *address; address++) {
        size_t length = strlen(addresses);
        snprintf(addresses + length, sizeof addresses - length, "%s%s", length ? "  " : "", *address);
    }
    table_add(table, STYLE_BOLD, "%s", app->live == colour ? "*" : " ");
    table_add(table, colour_style(colour), "%s", bluegreen_colour_name(colour));
    table_add(table, state_style(zone->state), "%s", zone->state);
    table_add(table, zone->release ? STYLE_PLAIN : STYLE_DIM, "%s", zone->release ? zone->release : "-");
    table_add(table, state_style(zone->verdict), "%s", there ? zone->verdict : "-");
    add_number(table, (int64_t)zone->tcp, there);
    add_number(table, (int64_t)zone->udp, there);
    add_number(table, zone->pid, zone->pid > 0);
    add_number(table, (int64_t)zone->restarts, there);
    table_add(table, STYLE_PLAIN, "%s", addresses);
}

static void print_zones(const struct terminal *terminal, const struct bluegreen_app *app)
{
    static const char *const titles[] = {" ",   "zone", "state", "release",  "health",
                                         "tcp", "udp",  "pid",   "restarts", "addresses"};
    static const bool right[] = {false, false, false, false, false, true, true, true, true, false};
    struct table table = {.terminal = terminal, .titles = titles, .columns = 10, .right = right};
    add_zone(&table, app, BLUEGREEN_BLUE);
    add_zone(&table, app, BLUEGREEN_GREEN);
    table_print(&table);
}

static void print_head(const struct terminal *terminal, const struct bluegreen_app *app)
{
    terminal_print(terminal, STYLE_BOLD, app->name);
    printf("  ");
    terminal_print(terminal, STYLE_PLAIN, app->state);
    if (app->live != BLUEGREEN_NONE) {
        const char *release = app->zones[app->live].release;
        printf(", live on ");
        terminal_print(terminal, colour_style(app->live), bluegreen_colour_name(app->live));
        printf(" with release ");
        terminal_print(terminal, STYLE_BOLD, release ? release : "-");
    }
    if (app->group) {
        printf(", group ");
        terminal_print(terminal, STYLE_PLAIN, app->group);
    }
    putchar('\n');
}

static void print_label(const struct terminal *terminal, const char *label)
{
    printf("     ");
    terminal_cell(terminal, STYLE_DIM, label, LABEL_WIDTH);
}

static void print_ports(const struct terminal *terminal, const struct bluegreen_app *app)
{
    for (size_t i = 0; i < app->port_count; i++) {
        const struct bluegreen_port *port = &app->ports[i];
        const struct bluegreen_published *published = &app->published[i];
        print_label(terminal, i == 0 ? "ports" : "");
        terminal_print(terminal, STYLE_PLAIN, port->listen);
        printf(" %s %u", terminal_arrow(terminal), port->target);
        if (published->count > 1)
            printf("-%u", port->target + published->count - 1);
        printf("/%s  ", port->protocol);
        terminal_print(terminal, STYLE_DIM, port->name);
        if (published->host_connections)
            printf("  %u connection%s still a process of the host's", published->host_connections,
                   published->host_connections == 1 ? " is" : "s are");
        putchar('\n');
    }
}

static void print_firewall(const struct terminal *terminal, const char *firewall)
{
    if (!firewall)
        return;
    print_label(terminal, "firewall");
    terminal_print(terminal, STYLE_RED, firewall);
    putchar('\n');
}

static void print_operation(const struct terminal *terminal, const struct bluegreen_operation *operation)
{
    char since[64];
    if (!operation)
        return;
    print_label(terminal, "running");
    terminal_print(terminal, STYLE_YELLOW, operation->verb);
    printf(", at step ");
    terminal_print(terminal, STYLE_PLAIN, operation->step);
    printf(", since %s, by ", format_time(operation->since, since, sizeof since));
    terminal_print(terminal, STYLE_PLAIN, operation->who);
    putchar('\n');
}

/* "until 10:42:11: 3 of 41 probes failed, 0 restarts" */
static void print_bake(const struct terminal *terminal, const struct bluegreen_bake *bake)
{
    char until[64];
    if (!bake)
        return;
    print_label(terminal, "baking");
    printf("until %s", format_time(bake->until, until, sizeof until));
    if (*bake->verdict) {
        printf(": ");
        terminal_print(terminal, STYLE_PLAIN, bake->verdict);
    }
    putchar('\n');
}

/* "green has 10% of new connections since 10:42:11: 0 of 41 probes failed, 0 restarts" */
static void print_canary(const struct terminal *terminal, const struct bluegreen_canary *canary)
{
    char since[64];
    if (!canary)
        return;
    print_label(terminal, "canary");
    printf("%s has %u%% of new %s since %s", bluegreen_colour_name(canary->zone), canary->percent,
           canary->sticky ? "clients" : "connections", format_time(canary->since, since, sizeof since));
    if (*canary->verdict) {
        printf(": ");
        terminal_print(terminal, STYLE_PLAIN, canary->verdict);
    }
    putchar('\n');
}

static void print_preview(const struct terminal *terminal, const struct bluegreen_preview *preview)
{
    if (!preview)
        return;
    print_label(terminal, "preview");
    printf("%s", bluegreen_colour_name(preview->zone));
    if (preview->url) {
        printf(" at ");
        terminal_print(terminal, STYLE_PLAIN, preview->url);
    }
    if (preview->clients > 0)
        printf("%s for %" PRIu64 " network%s on the published ports", preview->url ? ", and" : "", preview->clients,
               preview->clients == 1 ? "" : "s");
    putchar('\n');
}

/* "blue: 12 of 40 connections left, 3 nudged; cut in 18 s; 'bluegreen connections web' lists them" */
static void print_drain(const struct terminal *terminal, const char *app, const struct bluegreen_drain *drain)
{
    char left[32];
    if (!drain)
        return;
    print_label(terminal, "draining");
    printf("%" PRIu64 " of %" PRIu64 " connection%s left", drain->connections, drain->most,
           drain->most == 1 ? "" : "s");
    if (drain->nudged)
        printf(", %" PRIu64 " nudged", drain->nudged);
    printf("; %s in %s; 'bluegreen connections %s' lists them\n",
           strcmp(drain->then, "leave") == 0 ? "left alone" : "cut", format_duration(drain->left_ms, left, sizeof left),
           app);
}

static void print_served(const struct terminal *terminal, const struct bluegreen_served *served)
{
    char since[64], text[160];
    if (!served)
        return;
    print_label(terminal, "served");
    printf("%s since %s\n", format_served(served, text, sizeof text), format_time(served->since, since, sizeof since));
}

static void print_schema(const struct terminal *terminal, const struct bluegreen_schema *schema)
{
    if (!schema)
        return;
    print_label(terminal, "schema");
    terminal_print(terminal, strcmp(schema->state, "broken") == 0 ? STYLE_RED : STYLE_PLAIN, schema->text);
    putchar('\n');
}

static void print_kept(const struct terminal *terminal, const struct bluegreen_app *app, int zone)
{
    char until[64];
    const char *kept = app->workload[zone]->kept_until;
    if (!kept)
        return;
    print_label(terminal, bluegreen_colour_name((enum bluegreen_colour)zone));
    printf("kept until %s, for a rollback\n", format_time(kept, until, sizeof until));
}

static void print_fence(const struct terminal *terminal, const struct bluegreen_app *app, int zone)
{
    const struct bluegreen_workload *workload = app->workload[zone];
    bool closed = workload->fence && strcmp(workload->fence, "closed") == 0;
    if (!workload->fence || (!closed && !workload->refused))
        return;
    print_label(terminal, bluegreen_colour_name((enum bluegreen_colour)zone));
    printf("%s, %" PRIu64 " attempt%s to reach something refused\n", closed ? "fenced" : "not fenced now",
           workload->refused, workload->refused == 1 ? "" : "s");
}

static void print_lock(const struct terminal *terminal, const struct bluegreen_lock *lock)
{
    char since[64];
    if (!lock)
        return;
    print_label(terminal, "locked");
    terminal_print(terminal, STYLE_YELLOW, lock->reason);
    printf(", since %s, by ", format_time(lock->since, since, sizeof since));
    terminal_print(terminal, STYLE_PLAIN, lock->who);
    putchar('\n');
}

static void print_queued(const struct terminal *terminal, uint64_t queued)
{
    if (queued == 0)
        return;
    print_label(terminal, "waiting");
    printf("%" PRIu64 " for %s turn\n", queued, queued == 1 ? "its" : "their");
}

static void print_crash_loop(const struct terminal *terminal, const struct bluegreen_app *app, int zone)
{
    if (!app->workload[zone]->crash_loop)
        return;
    print_label(terminal, bluegreen_colour_name((enum bluegreen_colour)zone));
    terminal_print(terminal, STYLE_RED, "crash loop: it ends again and again; 'bluegreen logs' shows what it says");
    putchar('\n');
}

/* "CPU 3.0% of 150%, memory 12 MiB of 512 MiB, 14 tasks" */
static void print_usage(const struct terminal *terminal, const struct bluegreen_app *app, int zone)
{
    const struct bluegreen_usage *usage = app->workload[zone]->usage;
    char text[48], limit[32];
    if (!usage)
        return;
    print_label(terminal, bluegreen_colour_name((enum bluegreen_colour)zone));
    if (usage->measured || usage->cpu_us) {
        printf("CPU %s", format_cpu(usage->cpu_permille, text, sizeof text));
        if (usage->cpu_limit)
            printf(" of %s", format_cpu(usage->cpu_limit, limit, sizeof limit));
        printf(", ");
    }
    printf("memory %s%s", usage->measured ? "" : "about ", format_bytes(usage->memory, text, sizeof text));
    if (usage->memory_limit)
        printf(" of %s", format_bytes(usage->memory_limit, limit, sizeof limit));
    if (usage->memory_peak)
        printf(", %s at most", format_bytes(usage->memory_peak, text, sizeof text));
    if (usage->tasks)
        printf(", %" PRIu64 " task%s", usage->tasks, usage->tasks == 1 ? "" : "s");
    if (usage->tasks_limit)
        printf(" of %" PRIu64, usage->tasks_limit);
    if (usage->oom_kills) {
        snprintf(text, sizeof text, ", %" PRIu64 " out of memory", usage->oom_kills);
        terminal_print(terminal, STYLE_RED, text);
    }
    if (!usage->limited)
        terminal_print(terminal, STYLE_YELLOW, ", the configured limits do not hold");
    putchar('\n');
}

static void print_processes(const struct terminal *terminal, const struct bluegreen_app *app, int zone)
{
    for (const struct bluegreen_process *const *at = app->workload[zone]->processes; *at; at++) {
        const struct bluegreen_process *process = *at;
        print_label(terminal, bluegreen_colour_name((enum bluegreen_colour)zone));
        terminal_print(terminal, STYLE_PLAIN, process->name);
        printf(": ");
        terminal_print(terminal, strcmp(process->state, "back-off") == 0 ? STYLE_RED : STYLE_PLAIN, process->state);
        if (process->pid)
            printf(", pid %" PRId64, process->pid);
        if (strcmp(process->when, "live") == 0)
            printf(", in the live zone only");
        printf(", %" PRIu64 " restart%s\n", process->restarts, process->restarts == 1 ? "" : "s");
    }
}

/* What a table has no room for: why a zone is as it is, and how its app last ended. */
static void print_remarks(const struct terminal *terminal, const struct bluegreen_app *app)
{
    for (int i = 0; i < 2; i++) {
        const struct bluegreen_zone *zone = &app->zones[i];
        const char *name = bluegreen_colour_name((enum bluegreen_colour)i);
        char when[64];
        if (zone->detail) {
            print_label(terminal, name);
            terminal_print(terminal, STYLE_PLAIN, zone->detail);
            putchar('\n');
        }
        if (zone->last_exit) {
            bool signalled = zone->last_exit->signal != 0;
            print_label(terminal, name);
            printf("last exit: %s %d at %s\n", signalled ? "signal" : "code",
                   signalled ? zone->last_exit->signal : zone->last_exit->code,
                   format_time(zone->last_exit->time, when, sizeof when));
        }
    }
}

void show_status(const struct cli *cli, const struct bluegreen_status *status)
{
    const struct terminal *terminal = &cli->terminal;
    if (status->count == 0)
        printf("no app is configured: write one into apps/NAME.conf of the configuration (see bluegreen.conf(5)) and "
               "run 'bluegreen reload'\n");
    for (size_t i = 0; i < status->count; i++) {
        const struct bluegreen_app *app = status->apps[i];
        if (i > 0)
            putchar('\n');
        print_head(terminal, app);
        print_zones(terminal, app);
        print_ports(terminal, app);
        print_firewall(terminal, app->firewall);
        print_operation(terminal, app->operation);
        print_queued(terminal, app->queued);
        print_bake(terminal, app->bake);
        print_drain(terminal, app->name, app->drain);
        print_canary(terminal, app->canary);
        print_preview(terminal, app->preview);
        if (app->feed) {
            printf("     ");
            show_feed_line(cli, app->feed);
        }
        print_served(terminal, app->served);
        print_lock(terminal, app->lock);
        print_schema(terminal, app->schema);
        for (int zone = 0; zone < 2; zone++) {
            print_crash_loop(terminal, app, zone);
            print_kept(terminal, app, zone);
            print_fence(terminal, app, zone);
            print_usage(terminal, app, zone);
            print_processes(terminal, app, zone);
        }
        print_remarks(terminal, app);
    }
}
