/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Asking before something is lost. Only where a person sits, that is where stdin and stdout are a terminal and --json
 * was not given: a script is never asked, and does what it did before there were questions.
 */
#pragma once

#include "cli/usage.h"

/* True: go on. Asks if the verb loses something and nobody said --yes; no answer is no. */
bool confirm_verb(const struct cli *cli, const struct verb *verb);
/* True if there is somebody to ask. */
bool confirm_possible(const struct cli *cli);
/* The question with " Go on? [y/N] " behind it; true if the answer is yes. */
bool confirm_ask(const char *question);

/* For the table of verbs. False: nothing is lost, or nobody knows, and the agent's answer will say more. */
bool confirm_deploy(const struct cli *cli, char *question, size_t size);
bool confirm_stop(const struct cli *cli, char *question, size_t size);
bool confirm_remove(const struct cli *cli, char *question, size_t size);
bool confirm_release(const struct cli *cli, char *question, size_t size);
bool confirm_schema(const struct cli *cli, char *question, size_t size);
