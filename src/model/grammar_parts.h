/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between the files that read values. */
#pragma once

#include "model/service.h"

#define QUOTE_MAX 80 /* how much of a wrong value a message repeats */

/* "PORTS", "V4:PORTS" or "[V6]:PORTS" into listen, published and count; writes into text. */
int grammar_published(char *text, struct port *port, struct error *err);
/* Reads the decimal number at the start of text; false if there is none or it is above max. */
bool leading_number(const char *text, uint64_t max, uint64_t *number, const char **rest);
