/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which process a pidfd is of. Apart from process.h because the shim wants nothing else of it. */
#pragma once

#include <sys/types.h>

/* As we see it; 0: it has ended and was waited for, or is none of our namespace. A negative errno: nobody could say. */
pid_t pidfd_pid(int pidfd);
