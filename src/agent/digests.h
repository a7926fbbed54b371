/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Digests of files, made by bluegreen-digest as an app's user and taken one by one: what nobody takes stays in the
 * process, so a release of any size costs the agent one message.
 */
#pragma once

#include "base/error.h"
#include "base/text.h"
#include "model/digest_wire.h"

#include <sys/types.h>

struct agent;
struct digest_run;

struct digest_spec {
    const char *what;      /* "tree", "libraries" */
    const char *directory; /* the release's; "" for libraries of an app without one */
    const struct words *pids;
    uid_t uid;
    gid_t gid;
    const gid_t *groups;
    size_t group_count;
};

enum digest_state {
    DIGEST_WAITS, /* there is nothing yet; on_change follows */
    DIGEST_HAS,   /* digest_head is a file */
    DIGEST_OVER   /* there is no more; digest_failure says whether that was all */
};

typedef void digest_on_change(void *context);
int digest_start(struct agent *agent, const struct digest_spec *spec, digest_on_change *on_change, void *context,
                 struct digest_run **run, struct error *err);
enum digest_state digest_state(struct digest_run *run);
const struct digest_message *digest_head(const struct digest_run *run);
void digest_next(struct digest_run *run);
/* What is done so far, in all. */
void digest_done(const struct digest_run *run, uint32_t *files, uint64_t *bytes);
/* "", or why it ended before its end. */
const char *digest_failure(const struct digest_run *run);
/* NULL is fine. Its process is killed, and collected when it has died. */
void digest_drop(struct digest_run *run);
void digests_dispose(struct agent *agent); /* the agent ends */
