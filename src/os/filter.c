/* SPDX-License-Identifier: GPL-2.0-or-later */
/* System call filters: from a table of names to a seccomp program, by libseccomp. */
#include "os/filter.h"

#include "base/cleanup.h"
#include "os/log.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ARGUMENTS_MAX = sizeof((struct filter_rule *)0)->arguments / sizeof(struct filter_argument) };

/* The other tables of calls that a machine's kernel serves. */
static const uint32_t neighbours[] = {
#if defined(__x86_64__)
    SCMP_ARCH_X86, SCMP_ARCH_X32,
#elif defined(__aarch64__)
    SCMP_ARCH_ARM,
#elif defined(__s390x__)
    SCMP_ARCH_S390,
#endif
    0};

static void release_filter(scmp_filter_ctx *filter)
{
    if (*filter)
        seccomp_release(*filter);
}
#define CLEANUP_FILTER CLEANUP(release_filter)

static uint32_t native_action(enum filter_action action)
{
    switch (action) {
    case FILTER_ALLOW: return SCMP_ACT_ALLOW;
    case FILTER_REFUSE: return SCMP_ACT_ERRNO(EPERM);
    case FILTER_UNKNOWN: return SCMP_ACT_ERRNO(ENOSYS);
    case FILTER_LOG: return SCMP_ACT_LOG;
    case FILTER_KILL: break;
    }
    return SCMP_ACT_KILL_PROCESS;
}

static struct scmp_arg_cmp native_argument(const struct filter_argument *argument)
{
    struct scmp_arg_cmp native = {.arg = argument->index, .datum_a = argument->value};
    switch ((enum filter_compare)argument->compare) {
    case FILTER_EQUAL: native.op = SCMP_CMP_EQ; break;
    case FILTER_NOT_EQUAL: native.op = SCMP_CMP_NE; break;
    case FILTER_BELOW: native.op = SCMP_CMP_LT; break;
    case FILTER_ABOVE: native.op = SCMP_CMP_GT; break;
    case FILTER_MASKED:
        native.op = SCMP_CMP_MASKED_EQ;
        native.datum_a = argument->mask;
        native.datum_b = argument->value;
        break;
    }
    return native;
}

/* libseccomp 2.5.4 gets the other rules of a call wrong that has one with "not equal": they match no more. */
static bool is_beside_not_equal(const struct filter_spec *spec, const struct filter_rule *rule)
{
    bool not_equal = false;
    size_t rules = 0;
    for (size_t i = 0; i < spec->count; i++) {
        const struct filter_rule *other = &spec->rules[i];
        if (strcmp(other->call, rule->call) != 0)
            continue;
        rules++;
        for (unsigned n = 0; n < other->argument_count && n < ARGUMENTS_MAX; n++)
            not_equal = not_equal || other->arguments[n].compare == FILTER_NOT_EQUAL;
    }
    return not_equal && rules > 1;
}

static int check_rule(const struct filter_spec *spec, const struct filter_rule *rule, struct error *err)
{
    if (rule->argument_count > ARGUMENTS_MAX)
        return error_set(err, EINVAL, "the filter rule for %s has %u arguments, and %d is the most", rule->call,
                         rule->argument_count, ARGUMENTS_MAX);
    if (rule->argument_count > 0 && is_beside_not_equal(spec, rule))
        return error_set(err, EINVAL, "a filter has several rules for %s, one of them with \"not equal\": use ranges",
                         rule->call);
    return 0;
}

static int add_rule(scmp_filter_ctx filter, const struct filter_rule *rule, struct error *err)
{
    struct scmp_arg_cmp arguments[ARGUMENTS_MAX];
    int call = seccomp_syscall_resolve_name(rule->call);
    if (call == __NR_SCMP_ERROR)
        return 0; /* newer than this libseccomp: "otherwise" says what becomes of it */
    for (unsigned i = 0; i < rule->argument_count; i++)
        arguments[i] = native_argument(&rule->arguments[i]);
    int result = seccomp_rule_add_array(filter, native_action(rule->action), call, rule->argument_count, arguments);
    if (result == 0 || result == -EDOM) /* a call of other machines only */
        return 0;
    return error_errno(err, -result, "add the rule for %s to a system call filter", rule->call);
}

/* Where another architecture's calls are let through at all, the rules hold for them as well: a deny-list that an
 * "int $0x80" walks around denies nothing. */
static int set_architectures(scmp_filter_ctx filter, enum filter_action foreign)
{
    int result = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, native_action(foreign));
    for (size_t i = 0; neighbours[i] && foreign == FILTER_ALLOW && result == 0; i++)
        result = seccomp_arch_add(filter, neighbours[i]);
    return result;
}

/* libseccomp 2.5.4 goes on without memory in places, and would take the agent with it. So more than a filter ever needs
 * is asked for and given back, where it can be said that there is none. */
static bool has_memory(void)
{
    enum { ROOM = 2 << 20 }; /* 400 rules for three architectures: 0.6 MiB */
    void *volatile room = malloc(ROOM);
    free(room);
    return room != NULL;
}

static int build(const struct filter_spec *spec, scmp_filter_ctx *filter, struct error *err)
{
    if (!has_memory())
        return error_errno(err, ENOMEM, "make a system call filter");
    *filter = seccomp_init(native_action(spec->otherwise));
    if (!*filter)
        return error_errno(err, ENOMEM, "make a system call filter");
    int result = set_architectures(*filter, spec->foreign);
    if (result < 0)
        return error_errno(err, -result, "set the architectures of a system call filter");
    for (size_t i = 0; i < spec->count && result == 0; i++) {
        result = check_rule(spec, &spec->rules[i], err);
        if (result == 0)
            result = add_rule(*filter, &spec->rules[i], err);
    }
    return result;
}

/* Or SANITIZED is defined by who builds, for valgrind. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) /* gcc */
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif

bool filter_fits_build(void)
{
#ifdef SANITIZED
    log_warning("built for a sanitizer, which needs more system calls than the filter allows: running without it");
    return false;
#else
    return true;
#endif
}

int filter_load(const struct filter_spec *spec, struct error *err)
{
    CLEANUP_FILTER scmp_filter_ctx filter = NULL;
    int result = build(spec, &filter, err);
    if (result < 0)
        return result;
    seccomp_attr_set(filter, SCMP_FLTATR_API_SYSRAWRC, 1); /* the kernel's error, not one of the library's own */
    result = seccomp_load(filter);
    return result == 0 ? 0
                       : error_errno(err, -result,
                                     "load the system call filter (does this kernel have CONFIG_SECCOMP_FILTER?)");
}

/* The whole of a file in memory, as an array for the caller to free. */
static int take_program(int fd, void **program, size_t *count)
{
    struct stat about;
    if (fstat(fd, &about) < 0)
        return -errno;
    size_t size = (size_t)about.st_size;
    CLEANUP_FREE void *bytes = size > 0 && size % sizeof(struct sock_filter) == 0 ? malloc(size) : NULL;
    if (!bytes)
        return size > 0 ? -ENOMEM : -ENODATA;
    ssize_t got = pread(fd, bytes, size, 0);
    if (got != (ssize_t)size)
        return got < 0 ? -errno : -EIO;
    *count = size / sizeof(struct sock_filter);
    *program = steal_ptr(&bytes);
    return 0;
}

int filter_compile(const struct filter_spec *spec, void **program, size_t *count, struct error *err)
{
    CLEANUP_FILTER scmp_filter_ctx filter = NULL;
    int result = build(spec, &filter, err);
    if (result < 0)
        return result;
    CLEANUP_FD int fd = memfd_create("bluegreen-filter", MFD_CLOEXEC); /* libseccomp writes to descriptors only */
    if (fd < 0)
        return error_errno(err, errno, "make a file in memory for a system call filter");
    result = seccomp_export_bpf(filter, fd);
    if (result == 0)
        result = take_program(fd, program, count);
    return result == 0 ? 0 : error_errno(err, -result, "take the program of a system call filter");
}
