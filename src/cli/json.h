/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The little JSON that this program writes itself; all else is printed as the agent sent it. */
#pragma once

#include <stdio.h>

/* A JSON string in quotes, or null for NULL. Bytes that are not UTF-8 become U+FFFD. */
void json_print_string(FILE *file, const char *string);
