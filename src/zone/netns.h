/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Named network namespaces, as ip-netns(8) keeps them: a mount of the namespace on /run/netns/NAME. The calling process
 * itself never leaves its own: what has to happen inside is done by a short thread.
 */
#pragma once

#include "base/error.h"

/* Runs inside a namespace, in a thread of its own while the caller waits. */
typedef int netns_function(void *context, struct error *err);

/* Makes the namespace, runs the function in it, gives it its name. *fd is the caller's. -EEXIST: the name is taken. */
int netns_create(const char *name, netns_function *inside, void *context, int *fd, struct error *err);
/* -ENOENT if there is none. */
int netns_open(const char *name, int *fd, struct error *err);
/* Takes the name away; the namespace ends with its last user. A missing one is fine. */
int netns_remove(const char *name, struct error *err);
int netns_run(int fd, netns_function *inside, void *context, struct error *err);
/* A socket that belongs to the namespace, close-on-exec; type may carry SOCK_NONBLOCK. */
int netns_socket(int fd, int family, int type, int protocol, struct error *err);
