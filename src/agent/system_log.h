/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The history's events in the system's journal. */
#pragma once

struct agent;
struct record;

/* Says there what this record has to tell, if anything. */
void system_log_record(struct agent *agent, const struct record *record);
