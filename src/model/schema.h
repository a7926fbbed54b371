/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Schema changes apart from the release: what the database of an app has come to, and what may be done then. A release
 * says which version it needs ([schema] needs); expand brings that about without harm to the one before it, contract
 * takes away what only older ones need. Pure: times come in, and whoever calls does what is decided.
 */
#pragma once

#include "base/error.h"
#include "base/text.h"
#include "model/types.h"
#include "model/wire.h"

enum schema_state {
    SCHEMA_NONE,        /* nothing was ever changed, or all of it was reverted */
    SCHEMA_EXPANDING,   /* commands run, or it is looked whether the live release is still well */
    SCHEMA_EXPANDED,    /* releases of before and of `expanded` both work */
    SCHEMA_CONTRACTING, /* there is no way back from here on */
    SCHEMA_CONTRACTED,
    SCHEMA_REVERTING,
    SCHEMA_BROKEN, /* `command` failed or was interrupted: nobody knows how far it came */
    SCHEMA_STATES
};

enum schema_command { SCHEMA_EXPAND, SCHEMA_CHECK, SCHEMA_VERIFY, SCHEMA_CONTRACT, SCHEMA_REVERT, SCHEMA_COMMANDS };

struct schema {
    enum schema_state state;
    enum schema_command command;   /* the last one */
    uint32_t version, base;        /* what it goes to, or went, and what was expanded (contract: contracted) before */
    uint32_t expanded, contracted; /* releases that need more than the one or less than the other cannot run */
    char release[RELEASE_NAME_MAX + 1];  /* whose command it was */
    char verified[RELEASE_NAME_MAX + 1]; /* the live one that was well after the expand: the way back; "" = none was */
    uint64_t changed_unix_ms, verified_unix_ms, contracted_unix_ms;
    char who[WIRE_WHO_MAX + 1];
    char reason[WIRE_TEXT_MAX + 1]; /* why broken */
};

const char *schema_state_name(enum schema_state state);
const char *schema_command_name(enum schema_command command);
/* Something is under way: only a running operation may leave it so. */
bool schema_moving(const struct schema *schema);
/* What was begun then, or later, came to its end well. */
bool schema_completed_since(const struct schema *schema, uint64_t unix_ms);
/* There is something to tell of. */
bool schema_known(const struct schema *schema);

/* For the journal: state, command, versions and the times but of the last change; the texts are fields of their own. */
void schema_format(const struct schema *schema, struct text *text);
bool schema_parse(const char *text, struct schema *schema);

/* --- what happens ------------------------------------------------------------------------------ */

/* version: what it is for. Not for SCHEMA_VERIFY, which is the end of an expand and of a check. */
void schema_begin(struct schema *schema, enum schema_command command, uint32_t version, const char *release,
                  const char *who, uint64_t unix_ms);
/* The next command of what is under way. */
void schema_goes_on(struct schema *schema, enum schema_command command);
/* release: the live one that was found well after an expand; "" = none is live. */
void schema_done(struct schema *schema, const char *verified, uint64_t unix_ms);
void schema_failed(struct schema *schema, const char *reason, uint64_t unix_ms);

/* --- what may happen --------------------------------------------------------------------------- */

struct schema_zone {
    const char *release, *colour;
    uint32_t needs;
    bool there;    /* it has processes, or is kept to be switched to */
    bool leaving;  /* it failed, and its processes are being ended: nobody can bring them back */
    bool draining; /* clients of the last switch are still there */
    bool was_live; /* it stands by */
    uint32_t connections;
};

/* What an app's zones hold, as far as a gate needs it. */
struct schema_around {
    const char *app;
    struct schema_zone live, other; /* there: else nothing else of it means anything */
    bool baking, bad;               /* the live release */
};

/* All return 0, or -EPERM with the reason and what to do. */

/* A release that runs already, or did: may clients come to it (again)? */
int schema_may_run(const struct schema *schema, const char *app, const char *release, uint32_t needs,
                   struct error *err);
/* A new one. expand: it has such a command. */
int schema_may_release(const struct schema *schema, const char *app, const char *release, uint32_t needs, bool expand,
                       struct error *err);
int schema_may_expand(const struct schema *schema, const char *app, const char *release, uint32_t needs, bool expand,
                      struct error *err);
int schema_may_check(const struct schema *schema, const char *app, struct error *err);
/* remove: a standby that needs the schema of before is to go first. */
int schema_may_contract(const struct schema *schema, const struct schema_around *around, bool remove,
                        struct error *err);
int schema_may_revert(const struct schema *schema, const struct schema_around *around, struct error *err);
/* True if the other zone's release is one that a contract leaves behind. */
bool schema_leaves_behind(const struct schema *schema, const struct schema_zone *other);

/* "expanded to 2 by v2 on 2026-11-23 10:00 UTC, v1 was healthy on it": what status shows. */
void schema_describe(const struct schema *schema, char *text, size_t size);
