/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The points of fail_at.c: where a call comes from, whether it is known, whether it is its turn. A place is a hash of
 * the call, of what it is on, and of the return addresses within the program and its libraries, but not within the C
 * library: the order in which timers and messages come does not change it, as a number of the n-th call would be.
 */
#undef _FORTIFY_SOURCE
#include "fail_at_point.h"

#include <ctype.h>
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <link.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { MODULES = 64, DEPTH = 48 };

/* What is loaded, so that an address is told as one of the file's. Module 0 is the program. */
static struct module {
    uintptr_t base, from, to;
    char name[FAIL_LIBRARY]; /* "" of the program */
} modules[MODULES];
static unsigned module_count;
static struct fail_control *control;
static __thread bool inside __attribute__((tls_model("initial-exec")));
static long (*next_syscall)(long, ...);

static int note_module(struct dl_phdr_info *info, size_t size, void *context)
{
    (void)size;
    (void)context;
    static const char *const without[] = {"libc.so", "ld-linux", "libgcc_s", "fail_at", "linux-vdso"};
    for (size_t i = 0; i < sizeof without / sizeof *without; i++) {
        if (strstr(info->dlpi_name, without[i]))
            return 0;
    }
    for (int i = 0; i < info->dlpi_phnum && module_count < MODULES; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        uintptr_t from = info->dlpi_addr + part->p_vaddr;
        if (part->p_type != PT_LOAD || !(part->p_flags & PF_X))
            continue;
        struct module *module = &modules[module_count++];
        const char *slash = strrchr(info->dlpi_name, '/');
        *module = (struct module){.base = info->dlpi_addr, .from = from, .to = from + part->p_memsz};
        snprintf(module->name, sizeof module->name, "%.*s", FAIL_LIBRARY - 1, slash ? slash + 1 : "");
    }
    return 0;
}

__attribute__((constructor)) static void open_control(void)
{
    void *unused[4];
    *(void **)&next_syscall = dlsym(RTLD_NEXT, "syscall");
    backtrace(unused, 4); /* the first one loads a library */
    dl_iterate_phdr(note_module, NULL);
    const char *path = getenv(FAIL_ENVIRONMENT);
    int fd = path ? (int)next_syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC) : -1;
    void *mapped = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (mapped == MAP_FAILED) {
        static const char said[] = "fail_at: " FAIL_ENVIRONMENT " names no file that can be mapped\n";
        next_syscall(SYS_write, 2, said, sizeof said - 1);
        _exit(125);
    }
    close(fd);
    control = mapped;
}

/* --- the call ---------------------------------------------------------------------------------------------- */

static void name_descriptor(int fd, char *text, size_t size)
{
    char link[48];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    long length = next_syscall(SYS_readlinkat, AT_FDCWD, link, text, size - 1);
    text[length < 0 ? 0 : length] = '\0';
    if (strncmp(text, "socket:", strlen("socket:")) != 0)
        return;
    int domain = 0, protocol = 0;
    socklen_t length_of = sizeof domain;
    next_syscall(SYS_getsockopt, fd, SOL_SOCKET, SO_DOMAIN, &domain, &length_of);
    next_syscall(SYS_getsockopt, fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &length_of);
    if (domain == AF_NETLINK)
        snprintf(text, size, "netlink %c", 'a' + protocol % 26); /* digits go, see below */
    else
        snprintf(text, size, "%s", domain == AF_UNIX ? "unix" : "inet");
}

/* Numbers and colours are others each time: "N" and "COLOUR" for them. */
static void make_plain(const char *from, char to[FAIL_OBJECT])
{
    size_t used = 0;
    while (*from && used + 8 < FAIL_OBJECT) {
        size_t length = 1, colour = strncmp(from, "blue", 4) == 0 ? 4 : strncmp(from, "green", 5) == 0 ? 5 : 0;
        if (colour && !isalpha((unsigned char)from[colour])) {
            used += (size_t)sprintf(to + used, "COLOUR");
            length = colour;
        } else if (isdigit((unsigned char)*from)) {
            to[used++] = 'N';
            length = strspn(from, "0123456789");
        } else {
            to[used++] = *from;
        }
        from += length;
    }
    to[used] = '\0';
}

static uint64_t mix(uint64_t hash, const void *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ ((const unsigned char *)bytes)[i]) * 0x100000001b3; /* FNV-1a */
    return hash;
}

static void name_object(enum fail_object kind, intptr_t object, char plain[FAIL_OBJECT])
{
    char text[512] = "";
    if (kind == ON_PATH && object)
        snprintf(text, sizeof text, "%s", (const char *)object);
    else if (kind == ON_FD)
        name_descriptor((int)object, text, sizeof text);
    make_plain(text, plain);
}

/* False if the program has no part in it. */
static bool describe(struct fail_point *point, enum fail_call call, enum fail_object kind, intptr_t object)
{
    void *addresses[DEPTH];
    int depth = backtrace(addresses, DEPTH), known = 0;
    *point = (struct fail_point){.call = call};
    name_object(kind, object, point->object);
    snprintf(point->program, sizeof point->program, "%s", program_invocation_short_name);
    uint64_t hash = mix(0xcbf29ce484222325, &call, sizeof call);
    hash = mix(hash, point->program, strlen(point->program));
    hash = mix(hash, point->object, strlen(point->object));
    for (int i = 0; i < depth; i++) {
        uintptr_t address = (uintptr_t)addresses[i];
        for (unsigned m = 0; m < module_count; m++) {
            if (address < modules[m].from || address >= modules[m].to)
                continue;
            uint32_t offset = (uint32_t)(address - modules[m].base);
            hash = mix(mix(hash, &m, sizeof m), &offset, sizeof offset);
            if (!known++)
                memcpy(point->library, modules[m].name, sizeof point->library);
            if (m == 0 && point->frame_count < FAIL_FRAMES)
                point->frames[point->frame_count++] = offset;
        }
    }
    point->place = hash;
    return point->frame_count > 0;
}

/* Where a library begins is another place each time, but a page is a page. 0: from within the C library. */
static uint32_t caller_mark(uintptr_t caller)
{
    enum { PAGE = 4096 };
    for (unsigned m = 0; m < module_count; m++) {
        if (caller >= modules[m].from && caller < modules[m].to)
            return PAGE | (uint32_t)(caller % PAGE);
    }
    return 0;
}

/* Cheap, where describe() costs more than most calls. */
static bool may_be_from(uintptr_t caller)
{
    return !control->caller || control->caller == caller_mark(caller);
}

/* --- deciding ------------------------------------------------------------------------------------------------ */

static void record(const struct fail_point *point)
{
    while (atomic_exchange(&control->lock, 1))
        ;
    uint32_t count = control->count, i = 0;
    while (i < count && control->points[i].place != point->place)
        i++;
    if (i == count && count < FAIL_POINTS) {
        control->points[i] = *point;
        control->count = count + 1;
    }
    if (i < FAIL_POINTS)
        control->points[i].times++;
    control->lock = 0;
}

static int decide(const struct fail_point *point)
{
    if (point->place != control->place || atomic_fetch_add(&control->seen, 1) + 1 != control->which)
        return 0;
    control->pid = getpid();
    control->done = 1;
    return control->error;
}

/* Nothing to decide: off, or no call that can be the one. */
static bool passes(enum fail_call call, uintptr_t caller)
{
    if (!control || inside || control->mode == FAIL_OFF)
        return true;
    if (control->mode == FAIL_RECORD)
        return false;
    if (control->done)
        return control->mode == FAIL_ONCE || !fail_needs_room(call);
    return control->call != call || !may_be_from(caller);
}

static int fail_if_full(enum fail_object kind, intptr_t object)
{
    char plain[FAIL_OBJECT];
    name_object(kind, object, plain);
    return strncmp(plain, control->full, strlen(control->full)) == 0 ? control->error : 0;
}

int fail_from(enum fail_call call, enum fail_object kind, intptr_t object, uintptr_t caller)
{
    if (passes(call, caller))
        return 0;
    struct fail_point point;
    int error = 0, kept = errno;
    inside = true;
    if (control->mode == FAIL_LASTING && control->done) {
        error = fail_if_full(kind, object);
    } else if (describe(&point, call, kind, object)) {
        point.caller = caller_mark(caller);
        if (control->mode == FAIL_RECORD)
            record(&point);
        else
            error = decide(&point);
    }
    inside = false;
    errno = kept;
    return error;
}
