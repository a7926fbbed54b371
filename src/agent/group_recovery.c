/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Moves of a group that an agent began and did not see the end of. Apart from groups.c, which makes them. */
#include "agent/group.h"

#include "agent/apps.h"
#include "agent/groups.h"
#include "agent/records.h"
#include "os/log.h"

/* The transaction was one: if one of them is where it was to go, all are. */
static bool took_place(struct agent *agent, const struct group_move *move)
{
    for (size_t i = 0; i < move->count; i++) {
        struct app *app = app_find(agent, move->members[i].app);
        int live = -1;
        if (!app || move->members[i].zone < 0 || !app->zones[move->members[i].zone].service ||
            traffic_read_live(agent->traffic, app->name, &live, NULL) < 0 || live != move->members[i].zone)
            return false;
    }
    return true;
}

void groups_recover(struct agent *agent, const struct fold *fold)
{
    for (size_t i = 0; i < fold->groups.count; i++) {
        struct record record;
        const struct group_move *move = &fold->groups.items[i];
        if (move->phase != GROUP_ABOUT || !took_place(agent, move))
            continue;
        log_notice("group %s: its transaction had taken place before the agent ended", move->name);
        record_init(&record, RECORD_GROUP, "");
        record.group = *move;
        record.group.phase = GROUP_MOVED;
        agent_record(agent, &record, NULL);
        for (size_t j = 0; j < move->count; j++) {
            struct app *app = app_find(agent, move->members[j].app);
            app->live = move->members[j].zone;
            app->state = APP_RUNNING;
        }
    }
}
