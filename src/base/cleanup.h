/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Ownership in the type of a declaration: what is declared with one of these is released when it
 * goes out of scope, and leaves the scope alive only through steal_fd() or steal_ptr().
 */
#pragma once

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* unused: to clang it is, where the cleanup is all that it is there for */
#define CLEANUP(function) __attribute__((cleanup(function), unused))

static inline void cleanup_free_(void *pointer)
{
    free(*(void **)pointer);
}

static inline void cleanup_close_(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

static inline void cleanup_file_(FILE **file)
{
    if (*file)
        fclose(*file);
}

static inline void cleanup_dir_(DIR **dir)
{
    if (*dir)
        closedir(*dir);
}

#define CLEANUP_FREE CLEANUP(cleanup_free_)
#define CLEANUP_FD   CLEANUP(cleanup_close_)
#define CLEANUP_FILE CLEANUP(cleanup_file_)
#define CLEANUP_DIR  CLEANUP(cleanup_dir_)

static inline int steal_fd(int *fd)
{
    int stolen = *fd;
    *fd = -1;
    return stolen;
}

/* Closes *fd if it is open and forgets it. */
static inline void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static inline void *steal_ptr_(void *pointer)
{
    void *stolen = *(void **)pointer;
    *(void **)pointer = NULL;
    return stolen;
}

#define steal_ptr(pointer) ((__typeof__(*(pointer)))steal_ptr_(pointer))
