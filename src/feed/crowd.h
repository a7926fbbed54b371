/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Clients that wait too long, and too many clients: who has to go. Apart from what a client does. */
#pragma once

#include <stdint.h>

struct role;

/* Others want to come in: some of those that rest between two requests go, those first that rest longest; if none does,
 * those that send a request slowly. Who waits for an answer stays. */
void crowd_thin(struct role *role);
/* Somebody could not be let in for want of descriptors or memory: the doors are shut until the next sweep. */
void crowd_starves(struct role *role, int code);
void crowd_sweep(struct role *role, uint64_t now_ms); /* once a second: ends what its time is over for */
