/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The configuration as it takes effect in one zone, key by key: what the file says with %r and %z put in, and the
 * defaults of what it does not say. Made from the table of keys, so that a new key is in it by itself.
 */
#pragma once

#include "base/error.h"
#include "model/parity.h"
#include "model/service.h"

/* Adds "section.key" for every key of the table, "ports.NAME", "process NAME.key", and "environment.NAME" without its
 * value. The service has its source. 0 or -ENOMEM. */
int conf_effective(const struct service *service, const char *release, enum colour zone, struct parity_list *list,
                   struct error *err);

/* The directory that is the release: what [releases] dir has, or what [app] run, a process, or [app] workdir says up to
 * the part with its name. *path is the caller's, and NULL if none of them has it. 0 or -ENOMEM. */
int conf_release_directory(const struct service *service, const char *release, enum colour zone, char **path,
                           struct error *err);
