/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * zone_driver INSTANCE RUN STATE SHIM: an agent's zone part under a test's hand. Reads commands from stdin, one a line,
 * and answers each with one line that begins with "ok" or "error ERRNO". It holds at most one zone.
 *
 *   describe                                  which cgroup backend
 *   controllers | available                   what zones get of cgroup v2; bytes of memory for another zone
 *   create|adopt|clean APP COLOUR NUMBER
 *   start UID GID WORKDIR STOP_MS DELAY_MS WORD...
 *   set KEY VALUE                             for all starts to come; the keys are in settings[]
 *   file read|write|state|hide SOURCE [TARGET]     likewise; "file none" forgets them
 *   stop [PROCESS]                            or everything
 *   wait SECONDS EVENT [PROCESS]              events of other kinds are passed over; ok EVENT NAME [(late)] OUTPUT
 *   status [PROCESS]                          ok pid P shim S restarts R exit none|code N|signal N ready 0 over 0
 *   processes                                 ok NAME:PID...
 *   freeze | thaw | live yes|no
 *   plug | unplug                             its clients wait in the kernel
 *   limit KEY=NUMBER...                       of [limits]
 *   usage                                     ok known MEMORY CPU TASKS memory M peak P cpu C throttled T tasks N
 *                                             ooms O hits H H
 *   connect PORT                              from inside the zone to its own address
 *   destroy | release
 *   cycle COUNT APP COLOUR NUMBER             creates and destroys
 *   fds                                       ok COUNT, open descriptors
 *   forward | restore                         the host's sysctls
 *   big WORDS                                 start with that many arguments of 100 bytes
 */
#include "base/cleanup.h"
#include "base/text.h"
#include "os/log.h"
#include "os/loop.h"
#include "zone/forwarding.h"
#include "zone/zone.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { WORDS_MAX = 64, FILES_MAX = 16 };

/* What "set" changes of a launch. */
struct settings {
    char process[PROCESS_NAME_MAX + 1];
    unsigned signal, restart, restart_max, syscalls, writable, open_files, live, notify, watchdog, deadline;
};

static const struct {
    const char *key;
    size_t offset;
} settings[] = {
    {"signal", offsetof(struct settings, signal)},
    {"restart", offsetof(struct settings, restart)}, /* enum restart_policy */
    {"restart_max", offsetof(struct settings, restart_max)},
    {"syscalls", offsetof(struct settings, syscalls)}, /* enum syscall_profile */
    {"writable", offsetof(struct settings, writable)}, /* system = writable */
    {"open_files", offsetof(struct settings, open_files)},
    {"live", offsetof(struct settings, live)},
    {"notify", offsetof(struct settings, notify)},
    {"watchdog", offsetof(struct settings, watchdog)},
    {"deadline", offsetof(struct settings, deadline)},
};

struct driver {
    struct zone_host *host;
    struct zone *zone;
    const char *state_dir;
    struct settings settings;
    struct view_file files[FILES_MAX];
    size_t file_count;
    struct error err;
    enum zone_event kept; /* that came while something was being started */
    struct zone_app kept_about;
};

static const char *const event_names[] = {
    [ZONE_EVENT_NONE] = "none",       [ZONE_EVENT_RUNNING] = "running",   [ZONE_EVENT_EXITED] = "exited",
    [ZONE_EVENT_STOPPED] = "stopped", [ZONE_EVENT_NOTIFIED] = "notified", [ZONE_EVENT_ENDED] = "ended",
    [ZONE_EVENT_OOM] = "oom",         [ZONE_EVENT_GONE] = "gone"};

static int parse_id(char *words[], size_t count, struct zone_id *id, struct error *err)
{
    uint64_t number;
    *id = (struct zone_id){0};
    if (count < 3 || !text_copy(id->app, sizeof id->app, words[0]) || !colour_parse(words[1], &id->colour) ||
        !text_to_u64(words[2], UINT16_MAX, &number))
        return error_set(err, EINVAL, "APP COLOUR NUMBER are missing or wrong");
    id->number = (uint16_t)number;
    return 0;
}

static int do_create(struct driver *driver, char *words[], size_t count)
{
    struct zone_id id;
    int result = parse_id(words + 1, count - 1, &id, &driver->err);
    if (result < 0)
        return result;
    if (strcmp(words[0], "clean") == 0)
        return zone_clean(driver->host, &id, &driver->err);
    if (strcmp(words[0], "adopt") == 0)
        return zone_adopt(driver->host, &id, &driver->zone, &driver->err);
    return zone_create(driver->host, &id, &driver->zone, &driver->err);
}

static int start_words(struct driver *driver, const char *const words[], size_t count, const struct words *argv)
{
    CLEANUP_WORDS struct words environment = {0};
    char *end;
    if (words_add(&environment, "PATH=/usr/bin:/bin:/usr/sbin:/sbin") < 0 || count < 6)
        return error_set(&driver->err, EINVAL, "start UID GID WORKDIR STOP_MS DELAY_MS WORD...");
    const struct settings *set = &driver->settings;
    struct sandbox sandbox = {.syscalls = (enum syscall_profile)set->syscalls, .system_writable = set->writable};
    struct zone_launch launch = {
        .argv = *argv,
        .environment = environment,
        .workdir = words[3],
        .uid = (uid_t)strtoul(words[1], &end, 10),
        .gid = (gid_t)strtoul(words[2], &end, 10),
        .hostname = "zone-under-test",
        .stop_timeout_ms = (uint32_t)strtoul(words[4], &end, 10),
        .stop_signal = (int)set->signal,
        .restart = {.policy = (enum restart_policy)set->restart,
                    .delay_ms = (uint32_t)strtoul(words[5], &end, 10),
                    .delay_max_ms = set->restart_max},
        .process = set->process[0] ? set->process : NULL,
        .sandbox = &sandbox,
        .files = driver->files,
        .file_count = driver->file_count,
        .open_files = set->open_files,
        .live = set->live,
        .notify = set->notify,
        .watchdog_ms = set->watchdog,
        .deadline_ms = set->deadline,
    };
    return zone_start(driver->zone, &launch, &driver->err);
}

static enum zone_event receive(struct driver *driver, struct zone_app *about)
{
    enum zone_event kept = driver->kept;
    if (kept == ZONE_EVENT_NONE)
        return zone_receive(driver->zone, about);
    *about = driver->kept_about;
    driver->kept = ZONE_EVENT_NONE;
    return kept;
}

/* What runs once is not waited for by zone_start; but by us. */
static int wait_for_start(struct driver *driver)
{
    const char *name = driver->settings.process;
    while (driver->kept == ZONE_EVENT_NONE && zone_starting(driver->zone, name)) {
        struct pollfd ready = {.fd = zone_event_fd(driver->zone), .events = POLLIN};
        if (poll(&ready, 1, 10000) <= 0)
            return error_set(&driver->err, ETIMEDOUT, "no answer");
        driver->kept = zone_receive(driver->zone, &driver->kept_about);
    }
    if (driver->kept != ZONE_EVENT_ENDED || !driver->kept_about.start_error)
        return 0;
    driver->kept = ZONE_EVENT_NONE;
    return error_set(&driver->err, driver->kept_about.start_error, "%s", driver->kept_about.reason);
}

static int do_start(struct driver *driver, char *words[], size_t count)
{
    CLEANUP_WORDS struct words argv = {0};
    for (size_t i = 6; i < count; i++)
        words_add(&argv, words[i]);
    int result = start_words(driver, (const char *const *)words, count, &argv);
    if (result == 0)
        result = wait_for_start(driver);
    const struct zone_app *app = result == 0 ? zone_process(driver->zone, driver->settings.process) : NULL;
    if (result == 0)
        printf("ok pid %d\n", app ? (int)app->pid : 0);
    return result == 0 ? 1 : result;
}

static int do_big(struct driver *driver, char *words[], size_t count)
{
    CLEANUP_WORDS struct words argv = {0};
    const char *const words_before[] = {"start", "0", "0", "/", "1000", "1000"};
    char word[101];
    memset(word, 'x', 100);
    word[100] = '\0';
    words_add(&argv, "/bin/true");
    for (unsigned long i = 0, wanted = count > 1 ? strtoul(words[1], NULL, 10) : 0; i < wanted; i++)
        words_add(&argv, word);
    return start_words(driver, words_before, 6, &argv);
}

static int do_set(struct driver *driver, const char *key, const char *value)
{
    if (strcmp(key, "process") == 0)
        return text_copy(driver->settings.process, sizeof driver->settings.process, strcmp(value, "main") ? value : "")
                   ? 0
                   : error_set(&driver->err, EINVAL, "too long");
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        if (strcmp(settings[i].key, key) == 0) {
            *(unsigned *)(void *)((char *)&driver->settings + settings[i].offset) = (unsigned)strtoul(value, NULL, 0);
            return 0;
        }
    }
    return error_set(&driver->err, EINVAL, "no such setting: %s", key);
}

static int do_file(struct driver *driver, char *words[], size_t count)
{
    static const char *const names[] = {
        [FILE_READ] = "read", [FILE_WRITE] = "write", [FILE_STATE] = "state", [FILE_HIDE] = "hide"};
    for (size_t i = 0; strcmp(words[1], "none") == 0 && i < driver->file_count; i++) {
        free(driver->files[i].source);
        free(driver->files[i].target);
    }
    if (strcmp(words[1], "none") == 0) {
        driver->file_count = 0;
        return 0;
    }
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(words[1], names[i]) != 0 || count < 3 || driver->file_count == FILES_MAX)
            continue;
        driver->files[driver->file_count++] = (struct view_file){
            .access = (enum file_access)i, .source = strdup(words[2]), .target = strdup(words[count > 3 ? 3 : 2])};
        return 0;
    }
    return error_set(&driver->err, EINVAL, "file ACCESS SOURCE [TARGET]");
}

/* 1 = answered already. */
static int do_wait(struct driver *driver, char *words[], size_t count)
{
    uint64_t until = clock_monotonic_ms() + (count > 1 ? strtoul(words[1], NULL, 10) * 1000 : 0);
    struct zone_app about;
    for (;;) {
        enum zone_event event;
        while ((event = receive(driver, &about)) != ZONE_EVENT_NONE) {
            const char *name = about.name[0] ? about.name : "main";
            if (count > 2 && strcmp(event_names[event], words[2]) == 0 && (count == 3 || strcmp(name, words[3]) == 0)) {
                printf("ok %s %s %s%s\n", event_names[event], name, about.timed_out ? "(late) " : "", about.output);
                return 1;
            }
            if (event == ZONE_EVENT_GONE)
                return error_set(&driver->err, EPIPE, "gone");
        }
        uint64_t now = clock_monotonic_ms();
        if (now >= until)
            return error_set(&driver->err, ETIMEDOUT, "no such event");
        struct pollfd ready = {.fd = zone_event_fd(driver->zone), .events = POLLIN};
        poll(&ready, 1, (int)(until - now));
    }
}

static void receive_all(struct driver *driver)
{
    enum zone_event event;
    struct zone_app about;
    do
        event = receive(driver, &about);
    while (event != ZONE_EVENT_NONE && event != ZONE_EVENT_GONE);
}

static int do_status(struct driver *driver, const char *process)
{
    receive_all(driver);
    const struct zone_app *app = zone_process(driver->zone, process);
    if (!app)
        return error_set(&driver->err, ENOENT, "no such process");
    printf("ok pid %d shim %d restarts %u exit ", (int)app->pid, (int)zone_shim_pid(driver->zone), app->restarts);
    if (app->exited)
        printf("%s %d %llu", app->signalled ? "signal" : "code", app->value, (unsigned long long)app->unix_ms);
    else
        printf("none");
    printf(" ready %d over %d watchdog %u\n", app->ready, app->over, app->watchdog_hits);
    return 1;
}

static int do_processes(struct driver *driver)
{
    size_t count;
    receive_all(driver);
    const struct zone_app *others = zone_processes(driver->zone, &count);
    printf("ok");
    for (size_t i = 0; i < count; i++)
        printf(" %s:%d", others[i].name, (int)others[i].pid);
    printf("\n");
    return 1;
}

static int do_limit(struct driver *driver, char *words[], size_t count)
{
    struct limits limits = {0};
    for (size_t i = 1; i < count; i++) {
        char *value = strchr(words[i], '=');
        if (!value)
            return error_set(&driver->err, EINVAL, "KEY=NUMBER");
        *value++ = '\0';
        uint64_t number = strtoull(value, NULL, 10);
        if (strcmp(words[i], "memory") == 0)
            limits.memory = number;
        else if (strcmp(words[i], "memory_high") == 0)
            limits.memory_high = number;
        else if (strcmp(words[i], "swap") == 0)
            limits.swap = number, limits.swap_set = true;
        else if (strcmp(words[i], "cpu") == 0)
            limits.cpu_permille = (uint32_t)number;
        else if (strcmp(words[i], "cpu_weight") == 0)
            limits.cpu_weight = (uint32_t)number;
        else if (strcmp(words[i], "tasks") == 0)
            limits.tasks = (uint32_t)number;
        else if (strcmp(words[i], "io_weight") == 0)
            limits.io_weight = (uint32_t)number;
        else
            return error_set(&driver->err, EINVAL, "no such limit: %s", words[i]);
    }
    return zone_limit(driver->zone, &limits, &driver->err);
}

static int do_usage(struct driver *driver)
{
    struct zone_usage usage;
    zone_usage(driver->zone, &usage);
    printf("ok known %d %d %d memory %llu peak %llu cpu %llu throttled %llu tasks %u ooms %u hits %u %u\n", usage.known,
           usage.cpu_known, usage.tasks_known, (unsigned long long)usage.memory, (unsigned long long)usage.memory_peak,
           (unsigned long long)usage.cpu_us, (unsigned long long)usage.throttled_us, usage.tasks, usage.oom_kills,
           usage.memory_limit_hits, usage.tasks_limit_hits);
    return 1;
}

static int do_connect(struct driver *driver, const char *port)
{
    const struct address *service = &zone_addresses(driver->zone)->service4;
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)strtoul(port, NULL, 10))};
    memcpy(&to.sin_addr, service->bytes, 4);
    CLEANUP_FD int fd = zone_socket(driver->zone, AF_INET, SOCK_STREAM, &driver->err);
    if (fd < 0)
        return fd;
    int code = connect(fd, (struct sockaddr *)&to, sizeof to) < 0 ? errno : 0;
    if (code == EINPROGRESS) {
        struct pollfd ready = {.fd = fd, .events = POLLOUT};
        socklen_t size = sizeof code;
        poll(&ready, 1, 2000);
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &size);
    }
    return code ? error_errno(&driver->err, code, "connect") : 0;
}

static int do_fds(void)
{
    unsigned count = 0;
    CLEANUP_DIR DIR *directory = opendir("/proc/self/fd");
    while (directory && readdir(directory))
        count++;
    printf("ok %u\n", count);
    return 1;
}

static int do_cycle(struct driver *driver, char *words[], size_t count)
{
    struct zone_id id;
    int result = parse_id(words + 2, count - 2, &id, &driver->err);
    for (unsigned long i = 0, wanted = strtoul(words[1], NULL, 10); i < wanted && result == 0; i++) {
        result = zone_create(driver->host, &id, &driver->zone, &driver->err);
        if (result == 0)
            zone_destroy(driver->zone);
        driver->zone = NULL;
    }
    return result;
}

static int do_forward(struct driver *driver)
{
    char changed[1024];
    int result = forwarding_enable(driver->state_dir, changed, sizeof changed, &driver->err);
    if (result == 0)
        printf("ok %s\n", changed);
    return result == 0 ? 1 : result;
}

/* 0: say ok; 1: answered; negative: driver->err. */
static int obey_with_zone(struct driver *driver, char *words[], size_t count)
{
    const char *verb = words[0];
    if (!driver->zone)
        return error_set(&driver->err, EINVAL, "there is no zone");
    if (strcmp(verb, "start") == 0)
        return do_start(driver, words, count);
    if (strcmp(verb, "big") == 0)
        return do_big(driver, words, count);
    if (strcmp(verb, "stop") == 0)
        return zone_stop(driver->zone, count > 1 ? words[1] : NULL, &driver->err);
    if (strcmp(verb, "wait") == 0)
        return do_wait(driver, words, count);
    if (strcmp(verb, "status") == 0)
        return do_status(driver, count > 1 ? words[1] : "");
    if (strcmp(verb, "processes") == 0)
        return do_processes(driver);
    if (strcmp(verb, "freeze") == 0 || strcmp(verb, "thaw") == 0)
        return zone_freeze(driver->zone, verb[0] == 'f', &driver->err);
    if (strcmp(verb, "plug") == 0)
        return zone_plug(driver->zone, &driver->err);
    if (strcmp(verb, "unplug") == 0)
        return zone_unplug(driver->zone, &driver->err);
    if (strcmp(verb, "live") == 0 && count == 2)
        return zone_set_live(driver->zone, strcmp(words[1], "yes") == 0, &driver->err);
    if (strcmp(verb, "limit") == 0)
        return do_limit(driver, words, count);
    if (strcmp(verb, "usage") == 0)
        return do_usage(driver);
    if (strcmp(verb, "connect") == 0 && count == 2)
        return do_connect(driver, words[1]);
    if (strcmp(verb, "destroy") == 0)
        zone_destroy(driver->zone);
    else if (strcmp(verb, "release") == 0)
        zone_release(driver->zone);
    else
        return error_set(&driver->err, EINVAL, "no such command: %s", verb);
    driver->zone = NULL;
    return 0;
}

static int obey(struct driver *driver, char *words[], size_t count)
{
    const char *verb = words[0];
    if (strcmp(verb, "create") == 0 || strcmp(verb, "adopt") == 0 || strcmp(verb, "clean") == 0)
        return do_create(driver, words, count);
    if (strcmp(verb, "fds") == 0)
        return do_fds();
    if (strcmp(verb, "cycle") == 0 && count == 5)
        return do_cycle(driver, words, count);
    if (strcmp(verb, "forward") == 0)
        return do_forward(driver);
    if (strcmp(verb, "restore") == 0)
        return forwarding_restore(driver->state_dir, &driver->err);
    if (strcmp(verb, "set") == 0 && count == 3)
        return do_set(driver, words[1], words[2]);
    if (strcmp(verb, "file") == 0 && count > 1)
        return do_file(driver, words, count);
    if (strcmp(verb, "describe") == 0)
        return printf("ok %s\n", zone_host_describe(driver->host)) > 0;
    if (strcmp(verb, "controllers") == 0)
        return printf("ok %s\n", zone_host_controllers(driver->host)) > 0;
    if (strcmp(verb, "available") == 0)
        return printf("ok %llu\n", (unsigned long long)zone_host_memory_available(driver->host)) > 0;
    return obey_with_zone(driver, words, count);
}

static size_t split(char *line, char *words[WORDS_MAX])
{
    size_t count = 0;
    for (char *word = strtok(line, " \n"); word && count < WORDS_MAX; word = strtok(NULL, " \n"))
        words[count++] = word;
    return count;
}

int main(int argument_count, char *arguments[])
{
    struct driver driver = {0};
    char line[4096], *words[WORDS_MAX];
    if (argument_count != 5) {
        fprintf(stderr, "usage: zone_driver INSTANCE RUN STATE SHIM\n");
        return 2;
    }
    struct zone_host_options options = {
        .instance = arguments[1], .run_dir = arguments[2], .state_dir = arguments[3], .shim_path = arguments[4]};
    prefix_parse("10.201.0.0/16", &options.pools.ipv4);
    prefix_parse("fd00:b9::/48", &options.pools.ipv6);
    driver.state_dir = arguments[3];
    log_open("zone_driver");
    if (zone_host_open(&options, &driver.host, &driver.err) < 0) {
        fprintf(stderr, "zone_driver: %s\n", driver.err.text);
        return 1;
    }
    while (fgets(line, sizeof line, stdin)) {
        size_t count = split(line, words);
        int result = count ? obey(&driver, words, count) : 1;
        if (result == 0)
            printf("ok\n");
        else if (result < 0)
            printf("error %d %s\n", -result, driver.err.text);
        fflush(stdout);
    }
    zone_release(driver.zone);
    zone_host_close(driver.host);
    return 0;
}
