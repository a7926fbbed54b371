/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The limit of open files. The agent keeps about six descriptors for each zone and a soft limit of 1024 would end at
 * some 85 apps, so it takes what the hard limit allows; its children get back what was there: programs that use
 * select(2) rely on a soft limit of 1024.
 */
#pragma once

/* Raises the soft limit to the hard one. Failing changes nothing and is not said: the old limit holds. */
void limits_raise_files(void);
/* In a child before its exec: the soft limit as it was. Async-signal-safe. */
void limits_restore_files(void);
