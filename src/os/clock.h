/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The time, as all programs here count it. Apart from loop.h because the shim and the helpers have no loop of ours. */
#pragma once

#include <stdint.h>

/* Since the machine was started; what deadlines and pauses go by. */
uint64_t clock_monotonic_ms(void);
uint64_t clock_monotonic_ns(void);
/* Since 1970, as the host believes; what people and journals are told. */
uint64_t clock_unix_ms(void);
