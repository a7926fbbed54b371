/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * zone_driver INSTANCE RUN STATE SHIM: an agent's zone part under a test's hand. Reads commands from stdin, one a line,
 * and answers each with one line that begins with "ok" or "error ERRNO". It holds at most one zone.
 *
 *   describe                                  which cgroup backend
 *   create|adopt|clean APP COLOUR NUMBER
 *   start UID GID WORKDIR STOP_MS DELAY_MS WORD...
 *   stop
 *   wait SECONDS running|exited|stopped|gone  events of other kinds are passed over
 *   status                                    ok pid P shim S restarts R exit none|code N|signal N
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
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { WORDS_MAX = 64 };

struct driver {
    struct zone_host *host;
    struct zone *zone;
    const char *state_dir;
    struct error err;
};

static const char *const event_names[] = {"none", "running", "exited", "stopped", "gone"};

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
    struct zone_launch launch = {
        .argv = *argv,
        .environment = environment,
        .workdir = words[3],
        .uid = (uid_t)strtoul(words[1], &end, 10),
        .gid = (gid_t)strtoul(words[2], &end, 10),
        .hostname = "zone-under-test",
        .stop_timeout_ms = (uint32_t)strtoul(words[4], &end, 10),
        .restart_delay_ms = (uint32_t)strtoul(words[5], &end, 10),
    };
    return zone_start(driver->zone, &launch, &driver->err);
}

static int do_start(struct driver *driver, char *words[], size_t count)
{
    CLEANUP_WORDS struct words argv = {0};
    for (size_t i = 6; i < count; i++)
        words_add(&argv, words[i]);
    int result = start_words(driver, (const char *const *)words, count, &argv);
    if (result == 0)
        printf("ok pid %d\n", (int)zone_app(driver->zone)->pid);
    return result == 0 ? 1 : result;
}

static int do_big(struct driver *driver, char *words[], size_t count)
{
    CLEANUP_WORDS struct words argv = {0};
    const char *const settings[] = {"start", "0", "0", "/", "1000", "1000"};
    char word[101];
    memset(word, 'x', 100);
    word[100] = '\0';
    words_add(&argv, "/bin/true");
    for (unsigned long i = 0, wanted = count > 1 ? strtoul(words[1], NULL, 10) : 0; i < wanted; i++)
        words_add(&argv, word);
    return start_words(driver, settings, 6, &argv);
}

/* 1 = answered already. */
static int do_wait(struct driver *driver, char *words[], size_t count)
{
    uint64_t until = clock_monotonic_ms() + (count > 1 ? strtoul(words[1], NULL, 10) * 1000 : 0);
    for (;;) {
        enum zone_event event;
        while ((event = zone_receive(driver->zone)) != ZONE_EVENT_NONE) {
            if (count > 2 && strcmp(event_names[event], words[2]) == 0) {
                printf("ok %s\n", event_names[event]);
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

static int do_status(struct driver *driver)
{
    const struct zone_app *app = zone_app(driver->zone);
    enum zone_event event;
    do
        event = zone_receive(driver->zone);
    while (event != ZONE_EVENT_NONE && event != ZONE_EVENT_GONE);
    printf("ok pid %d shim %d restarts %u exit ", (int)app->pid, (int)zone_shim_pid(driver->zone), app->restarts);
    if (app->exited)
        printf("%s %d %llu\n", app->signalled ? "signal" : "code", app->value, (unsigned long long)app->unix_ms);
    else
        printf("none\n");
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
        return zone_stop(driver->zone, &driver->err);
    if (strcmp(verb, "wait") == 0)
        return do_wait(driver, words, count);
    if (strcmp(verb, "status") == 0)
        return do_status(driver);
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
    if (strcmp(verb, "describe") == 0) {
        printf("ok %s\n", zone_host_describe(driver->host));
        return 1;
    }
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
