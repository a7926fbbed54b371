/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The configuration files, read again. */
#pragma once

#include <stdbool.h>

struct address_pools;
struct agent;
struct agent_conf;
struct app;
struct app_set;
struct text;
struct words;

/* All of it or nothing. problems gets one line each; notes what waits for the next release. at_start: accounts and
 * executables that are missing keep nobody else from coming back, and are not looked for. */
int reload(struct agent *agent, bool at_start, struct words *problems, struct text *notes);
/* In what takes effect when the agent is started again. */
bool agent_conf_differs(const struct agent_conf *a, const struct agent_conf *b);
/* What the files say of the host: accounts, executables, routes (pools may be NULL: not looked at). -EINVAL with
 * problems. */
int check_host(const char *config_dir, const struct address_pools *pools, const struct app_set *set,
               struct words *problems);
/* The one app's file as it is on disk now, checked against the others. */
int reload_app(struct agent *agent, const char *name, struct app **app, struct words *problems);
