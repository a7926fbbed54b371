/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Linked into every program of a build with SANITIZE=, never into another: what its sanitizers look for, and where they
 * say what they found. Not in the environment, which neither the agent's roles nor its helpers have from us, and not by
 * log_path=, for a role cannot open anything any more when it has something to report.
 *
 * The reports of all programs go to one file, REPORTS. It has to be there: tests/run makes it. Else they go to standard
 * error.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sanitizer/common_interface_defs.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

/* Out of the way of the descriptors that programs give each other by number. */
enum { REPORTS_FD = 900 };

#define OF_THE_SANITIZERS __attribute__((visibility("default"), used, no_sanitize("address", "undefined")))

const char *__asan_default_options(void);
const char *__ubsan_default_options(void);
void __asan_on_error(void);
void __ubsan_on_report(void);
int __lsan_is_turned_off(void);

/* No status that a program of ours ends with. A preloaded library comes before the sanitizer's: the tests' do no harm
 * there. The code says what it does when memory is short. */
OF_THE_SANITIZERS const char *__asan_default_options(void)
{
    return "exitcode=86:verify_asan_link_order=0:allocator_may_return_null=1:detect_stack_use_after_return=1:"
           "quarantine_size_mb=16:print_suppressions=0";
}

OF_THE_SANITIZERS const char *__ubsan_default_options(void)
{
    return "exitcode=86:print_stacktrace=1";
}

static void open_reports(void)
{
    int file = open(REPORTS, O_WRONLY | O_APPEND | O_CLOEXEC);
    if (file >= 0) {
        fcntl(file, F_DUPFD_CLOEXEC, REPORTS_FD);
        close(file);
    }
}

/* A child that was forked and not executed may have closed what is not its own. And reports go to a descriptor that was
 * named by the same process only. */
static void find_reports(void)
{
    if (fcntl(REPORTS_FD, F_GETFD) < 0)
        open_reports();
    if (fcntl(REPORTS_FD, F_GETFD) >= 0)
        __sanitizer_set_report_fd((void *)(intptr_t)REPORTS_FD);
}

OF_THE_SANITIZERS void __asan_on_error(void)
{
    find_reports();
}

OF_THE_SANITIZERS void __ubsan_on_report(void)
{
    find_reports();
}

/* Who looks for leaks finds the threads in /proc: the feed role has its directory as root, and there is none. */
OF_THE_SANITIZERS int __lsan_is_turned_off(void)
{
    return access("/proc/self/task", R_OK) < 0;
}

/* Who looks for leaks is another thread, which traces this one: roles forbid that (privileges_drop) while they work. */
static void let_leaks_be_found(void)
{
    prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
    find_reports();
}

__attribute__((constructor)) static void begin_sanitized(void)
{
    find_reports();
    pthread_atfork(NULL, NULL, find_reports);
    atexit(let_leaks_be_found);
}
