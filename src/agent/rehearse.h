/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A switch and its way back, for practice. */
#pragma once

struct app;

/* STEP_REHEARSE: the standby serves for a moment; STEP_SWITCH_BACK: back again, whatever came of the former. */
void rehearse_enter(struct app *app);
void rehearse_switch_back(struct app *app);
void rehearse_dispose(struct app *app);
