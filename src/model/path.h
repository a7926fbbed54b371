/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Absolute paths as text. No file system is asked, so two spellings of one file through a link stay two. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* In place: "//", "/./" and a '/' at the end go. False, and nothing changed, if the path is relative or has a "..". */
bool path_normalise(char *path);
/* Is path directory itself or something in it? Both normalised; everything is in "/". */
bool path_is_in(const char *path, const char *directory);
/* Length of the directory's part of a normalised path, at least 1: "/a/b" has "/a", "/a" has "/". */
size_t path_parent_length(const char *path);
