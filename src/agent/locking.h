/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Locks: who may deploy may keep others from it. */
#pragma once

#include "base/error.h"
#include "model/wire.h"

#include <stdbool.h>

struct app;
struct asked;
struct wire_lock;

/* RESULT_DONE if no lock keeps this from it; admit asks it, too. */
enum wire_result admit_locked(const struct app *app, const struct wire_request *request, struct error *err);
/* True, and answered, if a lock keeps it away. A group's apps are looked at one by one, when it is admitted. */
bool locked_out(const struct asked *asked);
void handle_lock(const struct asked *asked, struct app *app);
void handle_unlock(const struct asked *asked, struct app *app);
void lock_fill(const struct app *app, struct wire_lock *out);
