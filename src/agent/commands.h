/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Commands that clients run in zones. */
#pragma once

#include <stdint.h>

struct agent;
struct app_zone;
struct wire_command;
struct zone_app;

/* VERB_EXEC: unlike requests it is not looked at yet, but for its length. */
void handle_exec(struct agent *agent, const struct wire_command *command);
/* A process ended that is neither the zone's main process, nor one of its configuration, nor its check. */
void commands_ended(struct app_zone *zone, const struct zone_app *about);
/* Ends those in an adopted zone: a former agent ran them, and nobody waits for them any more. */
void commands_found(struct app_zone *zone);
/* Nothing of the zone runs any more. */
void commands_zone_gone(struct app_zone *zone);
/* A client closed its connection; 0: the api role died, all of them are gone. */
void commands_of_client_gone(struct agent *agent, uint64_t client);
void commands_close(struct agent *agent);
