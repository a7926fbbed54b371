/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Telling the service manager, by the sd_notify(3) protocol. Without NOTIFY_SOCKET nothing happens. */
#pragma once

#include <stdint.h>

void notify_ready(void);
void notify_reloading(uint64_t monotonic_us);
void notify_stopping(void);
