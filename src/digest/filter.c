/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The system call filter of bluegreen-digest: an allow-list. Not that of the roles, which open nothing. */
#include "digest/digest.h"

#include "os/filter.h"

#include <fcntl.h>
#include <sys/mman.h>

#define WRITES (O_ACCMODE | O_CREAT | O_TRUNC | O_APPEND)

static const struct filter_rule rules[] = {
    /* reading */
    {"openat", FILTER_ALLOW, 1, {{2, FILTER_MASKED, O_RDONLY, WRITES}}},
    {"open", FILTER_ALLOW, 1, {{1, FILTER_MASKED, O_RDONLY, WRITES}}},
    {"read", FILTER_ALLOW},
    {"pread64", FILTER_ALLOW},
    {"lseek", FILTER_ALLOW},
    {"close", FILTER_ALLOW},
    {"fstat", FILTER_ALLOW},
    {"fstat64", FILTER_ALLOW},
    {"newfstatat", FILTER_ALLOW},
    {"fstatat64", FILTER_ALLOW},
    {"stat", FILTER_ALLOW},
    {"lstat", FILTER_ALLOW},
    {"statx", FILTER_ALLOW},
    {"getdents64", FILTER_ALLOW},
    {"readlinkat", FILTER_ALLOW},
    {"fcntl", FILTER_ALLOW, 1, {{1, FILTER_EQUAL, F_GETFL, 0}}},
    {"fcntl64", FILTER_ALLOW, 1, {{1, FILTER_EQUAL, F_GETFL, 0}}},
    {"fcntl", FILTER_ALLOW, 1, {{1, FILTER_EQUAL, F_SETFD, 0}}}, /* fdopendir */
    {"fcntl64", FILTER_ALLOW, 1, {{1, FILTER_EQUAL, F_SETFD, 0}}},
    /* telling */
    {"sendmsg", FILTER_ALLOW},
    {"poll", FILTER_ALLOW},
    {"ppoll", FILTER_ALLOW},
    /* memory, but no new code; time */
    {"mmap", FILTER_ALLOW, 1, {{2, FILTER_MASKED, 0, PROT_EXEC}}},
    {"mprotect", FILTER_ALLOW, 1, {{2, FILTER_MASKED, 0, PROT_EXEC}}},
    {"brk", FILTER_ALLOW},
    {"munmap", FILTER_ALLOW},
    {"mremap", FILTER_ALLOW},
    {"madvise", FILTER_ALLOW},
    {"clock_gettime", FILTER_ALLOW},
    {"gettimeofday", FILTER_ALLOW},
    {"getrandom", FILTER_ALLOW},
    {"futex", FILTER_ALLOW},
    /* signals and the end */
    {"rt_sigprocmask", FILTER_ALLOW},
    {"rt_sigreturn", FILTER_ALLOW},
    {"restart_syscall", FILTER_ALLOW},
    {"exit", FILTER_ALLOW},
    {"exit_group", FILTER_ALLOW},
};

int digest_filter_load(struct error *err)
{
    static const struct filter_spec spec = {
        .otherwise = FILTER_REFUSE, .foreign = FILTER_KILL, .rules = rules, .count = sizeof rules / sizeof *rules};
    return filter_load(&spec, err);
}
