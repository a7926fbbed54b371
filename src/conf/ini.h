/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The one place that knows iniparser, 4.1 and 4.2 alike. */
#pragma once

#include "conf/scan.h"

/*
 * Scans content, loads it through iniparser and makes sure that both read the same; the values in *scan are then
 * iniparser's. After a problem iniparser is not asked, and *scan holds what could be read, so that the rest can
 * still be looked at. 0, or -EINVAL with at least one problem added.
 */
int ini_load(const char *content, size_t length, struct scan *scan, struct problems *problems);
