/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files: whole reads with a bound, atomic writes, directories, sysctls. */
#pragma once

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Reads the whole file, at most max bytes (-EFBIG above). *content is NUL-terminated and the caller's. */
int file_read(const char *path, size_t max, char **content, size_t *length, struct error *err);
/* The same of a regular file in a place that others may write: no symbolic link anywhere in the path (-ELOOP), never
 * waits for a FIFO (-EINVAL for what is no regular file). */
int file_read_untrusted(const char *path, size_t max, char **content, size_t *length, struct error *err);
/* Writes through a temporary file, fsync, rename, fsync of the directory: old or new, never half. */
int file_write_atomic(const char *path, mode_t mode, const void *content, size_t length, struct error *err);
/* All of it, to a descriptor whose writes wait. 0 or -errno. */
int file_write_all(int fd, const void *bytes, size_t length);
/* Writes into an existing file (sysctl, cgroup attribute) in one write(2). */
int file_poke(const char *path, const char *value, struct error *err);
/* Reads one line without its newline, for sysctls and cgroup attributes. */
int file_peek(const char *path, char *value, size_t size, struct error *err);
/* mkdir -p with this mode for what is new; an existing directory is fine. */
int directory_make(const char *path, mode_t mode, struct error *err);
/* Removes a tree below (and with) path; missing is fine. Follows no symbolic link. */
int directory_remove(const char *path, struct error *err);
/* The last lines of a text file, at most `lines` lines and size-1 bytes, sanitised. Missing file: "". The first `skip`
 * bytes are left out; a file that is shorter was begun anew since somebody counted them, and nothing of it is. */
int file_tail(const char *path, uint64_t skip, unsigned lines, char *tail, size_t size);
