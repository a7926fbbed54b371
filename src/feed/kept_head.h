/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A parsed head that stays, while the buffer that it was read from goes on. */
#pragma once

#include "feed/http.h"

/* Copies the head's bytes, which begin at `from`, and points its spans into the copy: to be freed, NULL without
 * memory. */
char *kept_head(struct http_head *head, const char *from);
