/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the parts of the command line program share: its options, and how it fails. */
#pragma once

#include "bluegreen/bluegreen.h"
#include "cli/terminal.h"

/* Exit status, as bluegreen(1) has it. */
enum {
    EXIT_DONE = 0,
    EXIT_REFUSED = 1,
    EXIT_WRONG = 2,
    EXIT_UNREACHABLE = 3,
    EXIT_DIFFERENT = 4, /* diff */
    EXIT_TIMED_OUT = 5, /* wait */
    EXIT_FAULTY = 6,    /* doctor: a fault */
    EXIT_WARNED = 7,    /* doctor: no fault, but a warning */
    EXIT_NOT_RUN = 125, /* exec */
};

struct cli {
    const char *socket; /* NULL = the library's default */
    bool json;
    bool force;
    bool names;                           /* status: names only */
    const char *limit;                    /* history and logs: as it was written, or NULL */
    bool follow;                          /* logs */
    const char *since;                    /* logs and history: as it was written, or NULL */
    const char *until;                    /* history: the same */
    const char *of_verb, *of_release;     /* history: only of these, or NULL */
    bool failed, incidents, no_incidents; /* history: only what failed; only incidents, or none */
    bool verbose;                         /* history: each entry whole */
    bool no_test;                         /* deploy */
    const char *stop_after;               /* deploy: as it was written, or NULL */
    bool queue;                           /* --wait: wait for the operation that runs */
    bool past_contract;
    const char *canary; /* switch: as it was written, or NULL */
    bool sticky;
    const char *lose;    /* deploy, switch, rollback: as it was written, or NULL */
    uint64_t lose_count; /* the same; 0 = none */
    bool yes;            /* ask nothing */
    const char *group;   /* switch and rollback: instead of an app, or NULL */
    const char *message; /* lock */
    const char *timeout; /* wait: as it was written, or NULL */
    uint64_t timeout_ms; /* the same; 0 = none */
    bool root;           /* exec: with the caller's rights */
    bool no_color;
    const char *verb;
    enum bluegreen_verb operation; /* what the verb asks of the agent, if it is but one thing */
    char **arguments;              /* after the verb */
    int count;
    char **command; /* exec: what stands behind "--", ended by NULL; NULL = no "--" */
    struct terminal terminal;
};

/* Says what went wrong on stderr, and with --json as the last object on stdout. Returns the exit status. */
int cli_fail(const struct cli *cli, const struct bluegreen_error *error);
/* The same for wrong usage; hint is what to look at, or NULL. */
int cli_misuse(const struct cli *cli, const char *hint, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* check.c: works without an agent. Returns the exit status. */
int check_run(struct cli *cli);

/* exec.c, logs.c, top.c. Return the exit status. */
int exec_run(struct cli *cli, enum bluegreen_colour zone);
int logs_run(struct cli *cli, enum bluegreen_colour zone);
int top_run(struct cli *cli);
int connections_run(struct cli *cli, enum bluegreen_colour zone); /* connections.c */
int history_run(struct cli *cli);                                 /* history.c */
/* wait.c */
int wait_run(struct cli *cli);
int lock_run(struct cli *cli);
int diff_run(struct cli *cli);   /* diff.c */
int doctor_run(struct cli *cli); /* doctor.c */
int schema_run(struct cli *cli); /* schema.c */
/* feed.c */
int feed_run(struct cli *cli);
void show_feed_line(const struct cli *cli, const struct bluegreen_feed *feed); /* as a row of a status */
/* enter.c: exec --root, in the namespaces of this app's process. */
int enter_run(struct cli *cli, enum bluegreen_colour zone);

/* operate.c: asks for an operation and shows it to its end. Returns the exit status. */
int operate_run(struct cli *cli, enum bluegreen_verb operation);
/* The same for a request that is more than its verb, its app and a release. */
int operate_ask(struct cli *cli, const struct bluegreen_request *request);
unsigned operate_flags(const struct cli *cli); /* what the options mean to the agent */

/* release.c: releases on the disk. Returns the exit status. */
int release_run(struct cli *cli);

/* show_*.c */
void show_status(const struct cli *cli, const struct bluegreen_status *status);
/* "1204 connections, 20311 requests". */
const char *format_served(const struct bluegreen_served *served, char *text, size_t size);
void show_result(const struct cli *cli, const char *app, const struct bluegreen_result *result);
