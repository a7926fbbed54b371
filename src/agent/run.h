/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The agent from outside: what daemon/ needs. */
#pragma once

#include "base/error.h"

#include <errno.h>

/* The error code that means: the configuration files are wrong, and starting again will not help. */
#define AGENT_MISCONFIGURED EBADRQC

#define API_USER "bluegreen-api"

/* Absolute paths; borrowed for the agent's life. */
struct agent_options {
    const char *config_dir;
    const char *state_dir;
    const char *run_dir;
    const char *api_path;    /* bluegreen-api */
    const char *shim_path;   /* bluegreen-zone */
    const char *scope_path;  /* bluegreen-scope; need not exist */
    const char *probe_path;  /* bluegreen-probe */
    const char *digest_path; /* bluegreen-digest */
    const char *feed_path;   /* bluegreen-feed */
};

/* Runs until SIGTERM or SIGINT. The zones and the rule set stay. 0 or a negative errno with the reason. */
int agent_run(const struct agent_options *options, struct error *err);

/* Checks the configuration files (all if count is 0): problems on stderr, one a line; 0 or -EINVAL. */
int agent_check(const struct agent_options *options, char *const files[], int count);

/* Removes every zone, both tables, and restores the host's sysctls. No agent may be running. */
int agent_teardown(const struct agent_options *options, struct error *err);
