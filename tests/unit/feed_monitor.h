/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The monitor, for tests of the feed role: starts the real program, tells it what the agent would, gives it sockets,
 * and keeps what it says. Two zones of feed_zone.h, one door into each. */
#pragma once

#include "base/cleanup.h"
#include "feed_zone.h"
#include "model/feed_wire.h"
#include "os/log.h"
#include "os/loop.h"
#include "os/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

struct monitor {
    struct test_zone zones[COLOURS];
    int doors[COLOURS];
    uint16_t door_ports[COLOURS];
    char directory[64];
    struct feed_rules rules;
    struct feed_zone there[COLOURS];
    int8_t live;
    struct process process;
    pthread_t reader;
    pthread_mutex_t mutex;
    struct feed_figures figures;
    struct feed_ready ready;
    struct feed_done done;
    struct feed_item items[64];
    size_t item_count;
    bool wrong;      /* it sent a message that is not valid */
    char faults[64]; /* the page of faulty.so (feed_faults.h); empty: it runs without */
    uint64_t token;
};

static inline void send_message(struct monitor *monitor, enum feed_message kind, struct feed_header *message,
                                size_t size, const int *fds, size_t count)
{
    *message = (struct feed_header){FEED_VERSION, (uint32_t)kind};
    while (message_send(monitor->process.channel, message, size, fds, count) == -EAGAIN)
        pause_ms(1);
}

static inline void give_sockets(struct monitor *monitor, const struct feed_sockets *want)
{
    for (unsigned left = want->count; left > 0;) {
        struct feed_sockets message = {.zone = want->zone, .protocol = want->protocol, .serial = want->serial};
        int fds[FEED_SOCKETS_MAX];
        for (; left > 0 && message.count < FEED_SOCKETS_MAX; left--)
            fds[message.count++] =
                socket(AF_INET, (want->protocol == PROTOCOL_UDP ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);
        send_message(monitor, FEED_SOCKETS, &message.header, sizeof message, fds, message.count);
        for (size_t i = 0; i < message.count; i++)
            close(fds[i]);
    }
}

static inline void take_message(struct monitor *monitor, const void *message)
{
    const struct feed_header *header = message;
    if (header->kind == FEED_WANT) {
        give_sockets(monitor, message);
        return;
    }
    pthread_mutex_lock(&monitor->mutex);
    if (header->kind == FEED_FIGURES)
        monitor->figures = *(const struct feed_figures *)message;
    else if (header->kind == FEED_READY)
        monitor->ready = *(const struct feed_ready *)message;
    else if (header->kind == FEED_DONE)
        monitor->done = *(const struct feed_done *)message;
    else if (header->kind == FEED_ITEM && monitor->item_count < 64)
        monitor->items[monitor->item_count++] = *(const struct feed_item *)message;
    pthread_mutex_unlock(&monitor->mutex);
}

static inline void *read_messages(void *context)
{
    struct monitor *monitor = context;
    _Alignas(8) char message[FEED_MESSAGE_MAX];
    for (;;) {
        struct pollfd channel = {.fd = monitor->process.channel, .events = POLLIN};
        poll(&channel, 1, -1);
        ssize_t length = message_receive(monitor->process.channel, message, sizeof message, NULL, NULL);
        if (length == -EAGAIN)
            continue;
        if (length <= 0)
            return NULL;
        if (feed_message_valid(message, (size_t)length, false))
            take_message(monitor, message);
        else
            monitor->wrong = true;
    }
}

static inline void tell_zone(struct monitor *monitor, enum colour zone)
{
    send_message(monitor, FEED_ZONE, &monitor->there[zone].header, sizeof monitor->there[zone], NULL, 0);
}

static inline void tell_live(struct monitor *monitor, int8_t zone, bool planned)
{
    struct feed_live live = {.zone = zone, .planned = planned};
    monitor->live = zone;
    send_message(monitor, FEED_LIVE, &live.header, sizeof live, NULL, 0);
}

static inline void tell_door(struct monitor *monitor, enum feed_message kind, enum colour zone)
{
    struct feed_door door = {
        .zone = (uint8_t)zone, .port = 80, .target = monitor->zones[zone].port, .protocol = PROTOCOL_TCP};
    send_message(monitor, kind, &door.header, sizeof door, &monitor->doors[zone], kind == FEED_DOOR);
}

/* All that it has to know, as the agent tells it to one that is new, and to one that it takes over. */
static inline void tell_all(struct monitor *monitor)
{
    send_message(monitor, FEED_RULES, &monitor->rules.header, sizeof monitor->rules, NULL, 0);
    tell_zone(monitor, BLUE);
    tell_zone(monitor, GREEN);
    tell_live(monitor, monitor->live, false);
    tell_door(monitor, FEED_DOOR, BLUE);
    tell_door(monitor, FEED_DOOR, GREEN);
    pthread_create(&monitor->reader, NULL, read_messages, monitor);
}

static inline void feed_start(struct monitor *monitor)
{
    static char program[4096], preload[4096], faults[96], env[] = "/usr/bin/env", user[] = "nobody";
    struct error err = {0};
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 64);
    program[length > 0 ? length : 0] = '\0';
    for (int i = 0; i < 3; i++) /* BUILD/tests/unit/NAME */
        *strrchr(program, '/') = '\0';
    snprintf(preload, sizeof preload, "LD_PRELOAD=%.4000s/tests/drivers/faulty.so", program);
    snprintf(faults, sizeof faults, "FAULTY=%s", monitor->faults);
    strcat(program, "/bluegreen-feed");
    char *argv[] = {env, preload, faults, program, user, monitor->directory, NULL};
    if (process_start(monitor->faults[0] ? argv : argv + 3, &monitor->process, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        abort();
    }
    tell_all(monitor);
    monitor->rules.new_app = 0;
}

/* By SIGKILL, or by the end of the channel; the exit status, -1 for a signal. */
static inline int feed_end(struct monitor *monitor, bool kill_it)
{
    siginfo_t info = {0};
    if (kill_it)
        kill(monitor->process.pid, SIGKILL);
    else
        shutdown(monitor->process.channel, SHUT_RDWR);
    waitid(P_PID, (id_t)monitor->process.pid, &info, WEXITED);
    pthread_join(monitor->reader, NULL);
    process_forget(&monitor->process);
    return info.si_code == CLD_EXITED ? info.si_status : -1;
}

static inline void set_rules(struct feed_rules *rules)
{
    *rules = (struct feed_rules){.app = "web",
                                 .mode = FEED_HTTP,
                                 .compare = FEED_COMPARE_STATUS,
                                 .method_count = 4,
                                 .methods = {"POST", "PUT", "PATCH", "DELETE"},
                                 .lanes = 1,
                                 .sync_ms = 100,
                                 .journal_max = 64 << 20,
                                 .body_max = 1 << 20,
                                 .new_app = 1};
}

/* Two zones, a new journal, blue live; the rules may be changed before feed_start. */
static inline void monitor_begin(struct monitor *monitor)
{
    static const char *const names[] = {"blue", "green"};
    *monitor = (struct monitor){.live = BLUE, .directory = "/tmp/feed-XXXXXX"};
    pthread_mutex_init(&monitor->mutex, NULL);
    set_rules(&monitor->rules);
    if (!mkdtemp(monitor->directory) || (geteuid() == 0 && chown(monitor->directory, 65534, 65534) < 0))
        abort();
    for (int i = 0; i < COLOURS; i++) {
        monitor->doors[i] = listen_at(&monitor->door_ports[i]);
        if (!zone_start(&monitor->zones[i], names[i]) || monitor->doors[i] < 0)
            abort();
        monitor->there[i] = (struct feed_zone){.zone = (uint8_t)i, .there = 1, .serial = 1, .release = "v1"};
    }
}

static inline void monitor_end(struct monitor *monitor)
{
    char command[128];
    for (int i = 0; i < COLOURS; i++) {
        zone_silence(&monitor->zones[i]);
        close(monitor->doors[i]);
    }
    pause_ms(20); /* for the zones' threads */
    for (int i = 0; i < COLOURS; i++)
        free(monitor->zones[i].log);
    snprintf(command, sizeof command, "rm -rf %s", monitor->directory);
    if (system(command) != 0)
        abort();
}

/* The last of a test, for its teardown: 0 if the feed has said nothing wrong and, unless it is killed, ended well. */
static inline int monitor_leave(struct monitor *monitor, bool kill_it)
{
    int status = monitor->process.pid ? feed_end(monitor, kill_it) : 0;
    monitor_end(monitor);
    return monitor->wrong || (!kill_it && status != 0);
}

/* --- what it says ------------------------------------------------------------------------------------------------- */

static inline struct feed_figures figures_now(struct monitor *monitor)
{
    pthread_mutex_lock(&monitor->mutex);
    struct feed_figures figures = monitor->figures;
    pthread_mutex_unlock(&monitor->mutex);
    return figures;
}

/* Waits until the condition holds, which looks at `figures`; false after 10 s. */
#define WAIT_FIGURES(monitor, condition)                                                                          \
    ({                                                                                                            \
        struct feed_figures figures = {0};                                                                        \
        int left_ = 1000;                                                                                         \
        do {                                                                                                      \
            pause_ms(10);                                                                                         \
            figures = figures_now(monitor);                                                                       \
        } while (!(condition) && --left_ > 0);                                                                    \
        if (left_ == 0)                                                                                           \
            fprintf(stderr, "state %u, committed %lu, applied %lu %lu, in doubt %lu, %s\n", figures.state,        \
                    figures.committed, figures.applied[0], figures.applied[1], figures.in_doubt, figures.reason); \
        left_ > 0;                                                                                                \
    })

static inline struct feed_done order(struct monitor *monitor, enum feed_action action, uint64_t sequence, bool failed)
{
    struct feed_order message = {
        .token = ++monitor->token, .action = (uint8_t)action, .sequence = sequence, .failed = failed};
    monitor->item_count = 0;
    send_message(monitor, FEED_ORDER, &message.header, sizeof message, NULL, 0);
    for (int i = 0; i < 1200; i++) {
        pthread_mutex_lock(&monitor->mutex);
        struct feed_done done = monitor->done;
        pthread_mutex_unlock(&monitor->mutex);
        if (done.token == message.token)
            return done;
        pause_ms(10);
    }
    return (struct feed_done){.result = -ETIME};
}

static inline struct feed_ready hold(struct monitor *monitor, enum colour target, uint32_t wait_ms)
{
    struct feed_hold message = {.token = ++monitor->token, .wait_ms = wait_ms, .target = (uint8_t)target};
    send_message(monitor, FEED_HOLD, &message.header, sizeof message, NULL, 0);
    for (int i = 0; i < 1200; i++) {
        pthread_mutex_lock(&monitor->mutex);
        struct feed_ready ready = monitor->ready;
        pthread_mutex_unlock(&monitor->mutex);
        if (ready.token == message.token)
            return ready;
        pause_ms(5);
    }
    return (struct feed_ready){.missing = UINT64_MAX};
}

static inline void go(struct monitor *monitor)
{
    struct feed_hold message = {.token = monitor->token};
    send_message(monitor, FEED_GO, &message.header, sizeof message, NULL, 0);
}
