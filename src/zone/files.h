/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Directories that an app keeps its state in: made where they are missing. */
#pragma once

#include "base/error.h"
#include "model/view.h"

#include <sys/types.h>

/*
 * Makes those of the rules that are FILE_STATE and missing: the last part is the app's, with mode 750, what is missing
 * above is root's, with mode 755. A target that is missing on the host is made as an empty directory of root's, if the
 * one above it is there. What is there stays as it is. No symbolic link is followed (-ELOOP): an app may own a
 * directory above, and plant one.
 */
int files_make_state(const struct view_file *files, size_t count, const struct sandbox *sandbox, uid_t uid, gid_t gid,
                     struct error *err);
