/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A zone's place in the cgroup tree: a directory of our own where we own the tree, a scope of systemd's where that
 * does, none where cgroup v2 cannot be used. Who makes it differs, and so does when: the shim is born in ours, and
 * moved into systemd's. Each of the first three does nothing where it is not called for.
 */
#pragma once

#include "zone/handle.h"

/* Without systemd. *fd is where the shim is to be born, the caller's; it stays as it is where there is no tree. */
int place_make_own(struct zone *zone, int *fd, struct error *err);
/* With systemd: the shim, which does nothing yet, is moved into a scope. */
int place_make_scope(struct zone *zone, pid_t shim, struct error *err);
/* Of a zone whose shim is there. -ENOENT: it is not where it has to be. */
int place_find(struct zone *zone, struct error *err);
/* Ends what is in it and removes it; idempotent. */
int place_end(struct zone_host *host, const struct zone_id *id, struct error *err);
