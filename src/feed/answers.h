/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Answers that are the feed's own: a client must be able to tell them from the app's. */
#pragma once

#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

/* Head and a short body that says what was wrong and whether it helps to try again. */
void answer_own(uint16_t status, const char *why, bool close, bool without_body, struct text *out);
