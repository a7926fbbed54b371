/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether the call that is about to be made is the one that is to fail: see fail_at_point.c. */
#pragma once

#include "fail_at.h"

enum fail_object { ON_NOTHING, ON_PATH, ON_FD };

/* 0: let it through; else the errno, FAIL_SHORT or FAIL_REFUSED + errno that it is to fail with. errno stays. */
#define fail_now(call, kind, object) fail_from(call, kind, object, (uintptr_t)__builtin_return_address(0))
int fail_from(enum fail_call call, enum fail_object kind, intptr_t object, uintptr_t caller);
