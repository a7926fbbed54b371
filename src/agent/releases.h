/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Releases on the disk, as far as others have to do with them. */
#pragma once

#include "base/error.h"
#include "model/wire.h"

#include <stdbool.h>
#include <stdint.h>

struct agent;
struct app;
struct asked;
struct folded_app;

void handle_release(const struct asked *asked, struct app *app);
bool releases_changing(const struct app *app); /* a fetch or a prune runs */
void releases_attach(const struct asked *asked, struct app *app);
/* Ends the fetch that runs, and answers; false: none does. */
bool releases_abort(const struct asked *asked, struct app *app);
/* May this release be staged: is it in the app's directory, if it has one, and does it stay there? */
enum wire_result release_admit_staging(const struct app *app, const char *release, struct error *err);
void releases_client_gone(struct agent *agent, uint64_t client);
void releases_recover(struct app *app, const struct folded_app *folded);
void releases_dispose(struct app *app); /* no process of them stays behind */
