/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The doctor, for others than doctor_*.c. */
#pragma once

#include <stdint.h>

struct agent;
struct asked;

void handle_doctor(const struct asked *asked);
void doctor_client_gone(struct agent *agent, uint64_t client);
void doctor_dispose(struct agent *agent); /* the agent ends */
