/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the modules feeding*.c share: an app's feed role as the agent has it. Others need agent/feeding.h only. */
#pragma once

#include "agent/agent.h"
#include "model/feed_wire.h"

/* Listening sockets in a zone's network namespace, where clients of its fed ports come in. They are kept here, so that
 * nobody is refused while a role that died is started again. */
struct zone_doors {
    uint32_t serial; /* another one for each zone that was built */
    uint32_t made;   /* so many doors of it were */
    size_t count;
    struct door {
        uint32_t made;   /* the how-manieth */
        uint8_t index;   /* of its port in [ports], which stays as it is as long as the zone does */
        uint16_t port;   /* where clients find it */
        uint16_t target; /* the app's port behind it */
        enum protocol protocol;
        int fds[2]; /* IPv4, IPv6; -1 = none */
    } doors[FEED_DOORS_MAX];
};

/* Somebody waits for what the role says to an order. */
struct feeding_order {
    struct list link;
    struct feeding *feeding;
    uint64_t token;
    uint64_t client, request; /* 0: nobody does */
    bool of_step, given_up;   /* STEP_SEED waits for it; or did, and it is to come to nothing */
    uint8_t action;           /* enum feed_action */
    enum colour to;           /* of a seed: the zone that gets the copy */
    uint64_t mark;
    char failure[WIRE_TEXT_MAX + 1]; /* of a seed: the hook's */
};

struct door_told {
    uint32_t serial, made; /* of the door; 0: nothing was told */
    bool shut;
};

struct feeding {
    struct app *app;
    struct process process; /* pid 0: it does not run */
    struct loop_source *source, *exit_source;
    struct loop_timer *respawn_timer, *hold_timer;
    uint64_t started_ms;
    uint32_t failures;
    char failure[FEED_TEXT_MAX + 1]; /* why it could not be started, or "" */
    bool killed;
    bool ends;          /* it was killed because it is not wanted as it is */
    bool clears;        /* and its journal goes with it */
    uint64_t leaves_ms; /* not 0: it is not wanted, and only ends what its clients have begun, no longer than that */
    bool unfed;         /* live is not fed: what the journal says is not true any more, and it was removed */
    struct feed_figures figures;
    bool has_figures;
    /* What this role was told. */
    struct feed_rules rules;
    struct feed_zone zones[COLOURS];
    struct door_told doors[COLOURS][FEED_DOORS_MAX];
    int live; /* or -2: nothing yet */
    /* STEP_TAIL: first the other zone catches up with nobody held up, then the rest is applied while clients wait. */
    bool catches_up, near; /* near: what is left can be applied soon; of a group, others are waited for */
    uint64_t catch_began_ms, catch_applied, catch_behind;
    bool holds, asked, planned; /* it is in force; this role was told; the answer was "ready" */
    uint64_t hold_until_ms;
    uint64_t missed; /* that the switch goes on without */
    uint64_t token;  /* of the last order or hold */
    struct list orders;
};

/* feeding.c */
bool feeding_is_wanted(const struct app *app);   /* a zone of it has doors */
void feeding_leave_now(struct feeding *feeding); /* it ends, and its journal goes */

/* feeding_messages.c */
void feeding_send(struct feeding *feeding, enum feed_message kind, struct feed_header *message, size_t length,
                  const int *fds, size_t count);
void feeding_on_message(void *context, int fd, uint32_t events);

/* feeding_adopt.c */
bool feeding_is_left(const struct agent *agent, const char *app);
void feeding_make_lasting(struct feeding *feeding); /* it was just started: it goes on without this agent */
int feeding_connect(struct feeding *feeding);       /* to one of a former agent; -ENOENT */

/* feeding_telling.c: everything that the role has not been told yet. */
void feeding_tell(struct feeding *feeding);
void feeding_tell_door(struct feeding *feeding, const struct app_zone *zone, const struct door *door, bool open);
void feeding_wants_sockets(struct feeding *feeding, const struct feed_sockets *want);

/* feeding_hold.c */
void feeding_catch_up(struct feeding *feeding); /* its figures are others */
void feeding_hold_tell(struct feeding *feeding);
void feeding_hold_ended(struct feeding *feeding); /* the role was told who is live, which ends its hold */
void feeding_ready(struct feeding *feeding, const struct feed_ready *ready);
void feeding_hold_late(void *context);

/* feeding_orders.c */
void feeding_item(struct feeding *feeding, const struct feed_item *item);
void feeding_done(struct feeding *feeding, const struct feed_done *done);
void feeding_orders_end(struct feeding *feeding, const char *why);
