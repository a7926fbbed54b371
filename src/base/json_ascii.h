/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * JSON without bytes beyond ASCII, for parsers that are strict and cannot read them: json-c 0.18, which is Debian 13's,
 * takes each for a control character (its issue 892).
 */
#pragma once

#include "base/text.h"

/*
 * Appends the same JSON with \uXXXX in the place of each character beyond ASCII. -EBADMSG if json is not UTF-8, or has
 * such a character behind a backslash, which no JSON has and which would become JSON; -ENOMEM.
 */
int json_ascii(const char *json, size_t length, struct text *ascii);
