/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * shim_driver SHIM DIRECTORY [CGROUP]: a zone's shim under a test's hand, without zone, network or agent around it. It
 * runs SHIM in the network namespace that it is in, with DIRECTORY for socket and log; with CGROUP, an existing
 * directory of cgroup v2, the shim is in CGROUP/shim and each process in CGROUP/payload/NAME. Reads commands from
 * stdin, one a line, and answers each with one line.
 *
 *   launch                         ok PID
 *   connect                        the state in HELLO
 *   start [KEY=VALUE...] -- WORD...
 *       name uid stop_ms stop_signal delay_ms max_ms restart notify watchdog_ms deadline_ms stdio=FILE oom
 *       filter=kill (a system call filter that ends the process at its next one, which is its exec)
 *                                  the state in STARTED, FAILED or REFUSED
 *   stop [NAME] | set [frozen=0|1] [oom=N]
 *   wait SECONDS TYPE [NAME]       the state in the next message of that type about NAME (- = main); others are passed
 *                                  over
 *   last [NAME]                    the state in the last message about it, after all that wait to be read
 *   raw HEX                        sends these bytes
 *   hangup | kill
 *
 * A state: TYPE name pid=P phase=N restarts=N exit=none|code:N|signal:N ready=B frozen=B hits=N error=N stage=N
 * object=TEXT output=TEXT
 */
#include "base/cleanup.h"
#include "base/text.h"
#include "model/shim_protocol.h"
#include "os/loop.h"
#include "os/process.h"
#include "zone/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { WORDS_MAX = 64, LINE = 1024, ANSWER_MS = 6000 };

struct driver {
    const char *shim, *directory, *cgroup;
    int channel;
    pid_t pid;
    int pidfd;
    uint32_t serial;
    /* The last message about each process. */
    struct {
        char name[PROCESS_NAME_MAX + 1];
        char line[LINE];
    } last[SHIM_PROCESSES_MAX * 2];
};

static const char *type_name(uint16_t type)
{
    static const char *const names[] = {"hello",   "started",  "failed", "refused", "running", "exited",
                                        "stopped", "notified", "done",   "ended",   "process"};
    return type >= SHIM_HELLO && type <= SHIM_PROCESS ? names[type - SHIM_HELLO] : "unknown";
}

/* --- messages from the shim -------------------------------------------------------------------- */

struct incoming {
    uint16_t type;
    uint32_t serial;
    char name[PROCESS_NAME_MAX + 1];
    char line[LINE];
};

static int pid_of(int pidfd)
{
    char path[64], line[128];
    int pid = 0;
    snprintf(path, sizeof path, "/proc/self/fdinfo/%d", pidfd);
    CLEANUP_FILE FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof line, file))
        sscanf(line, "Pid: %d", &pid);
    return pid;
}

static void describe(struct incoming *in, const struct shim_state *state, const int *fds, size_t fd_count)
{
    char exit[32] = "none";
    size_t app = in->type == SHIM_HELLO ? 1 : 0;
    if (state->exited)
        snprintf(exit, sizeof exit, "%s:%u", state->signalled ? "signal" : "code", state->exit_value);
    text_copy(in->name, sizeof in->name, state->process ? state->process : "");
    snprintf(
        in->line, sizeof in->line,
        "%s %s pid=%d phase=%u restarts=%u exit=%s ready=%d frozen=%d hits=%u error=%u stage=%u object=%s output=%s",
        type_name(in->type), in->name[0] ? in->name : "-", fd_count > app ? pid_of(fds[app]) : 0, state->phase,
        state->restarts, exit, state->ready, state->frozen, state->watchdog_hits, state->error, state->stage,
        state->object ? state->object : "", state->output ? state->output : "");
}

static void remember(struct driver *driver, const struct incoming *in)
{
    for (size_t i = 0; i < SHIM_PROCESSES_MAX * 2; i++) {
        if (driver->last[i].line[0] && strcmp(driver->last[i].name, in->name) != 0)
            continue;
        memcpy(driver->last[i].name, in->name, sizeof in->name);
        memcpy(driver->last[i].line, in->line, sizeof in->line);
        return;
    }
}

/* 1: a message; 0: none within the time; negative: the connection is gone. */
static int receive(struct driver *driver, uint64_t until, struct incoming *in)
{
    uint32_t bytes[SHIM_ANSWER_MAX / sizeof(uint32_t)], unknown;
    int fds[MESSAGE_FDS_MAX];
    size_t fd_count = 0;
    struct shim_header header;
    struct shim_state state;
    uint64_t now = clock_monotonic_ms();
    struct pollfd ready = {.fd = driver->channel, .events = POLLIN};
    if (driver->channel < 0)
        return -ENOTCONN;
    if (poll(&ready, 1, until > now ? (int)(until - now) : 0) <= 0)
        return 0;
    ssize_t got = message_receive(driver->channel, bytes, sizeof bytes, fds, &fd_count);
    if (got <= 0)
        return got == 0 ? -EPIPE : (int)got;
    if (shim_check(bytes, (size_t)got, &header) < 0 || shim_decode_state(bytes, (size_t)got, &state, &unknown) < 0)
        return -EBADMSG;
    in->type = header.type;
    in->serial = header.serial;
    describe(in, &state, fds, fd_count);
    for (size_t i = 0; i < fd_count; i++)
        close(fds[i]);
    remember(driver, in);
    return 1;
}

/* The answer to a request, or (serial 0) the next message of this type about this process. */
static void answer_with(struct driver *driver, unsigned timeout_ms, uint32_t serial, const char *type, const char *name)
{
    uint64_t until = clock_monotonic_ms() + timeout_ms;
    struct incoming in;
    int result;
    while ((result = receive(driver, until, &in)) > 0) {
        if (serial ? in.serial == serial
                   : strcmp(type, type_name(in.type)) == 0 && (!name || strcmp(name, in.name) == 0)) {
            printf("%s\n", in.line);
            return;
        }
    }
    printf("error %s\n", result == 0 ? "nothing came" : strerrorname_np(-result));
}

/* --- commands -------------------------------------------------------------------------------------- */

static int open_listener(const struct driver *driver)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s/shim", driver->directory);
    unlink(address.sun_path);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 4) < 0)
        perror("shim_driver: listen");
    return fd;
}

static int open_cgroup(const struct driver *driver, const char *name)
{
    char path[512];
    if (!driver->cgroup)
        return -1;
    snprintf(path, sizeof path, "%s/payload", driver->cgroup);
    mkdir(path, 0755);
    snprintf(path, sizeof path, "%s/%s", driver->cgroup, name);
    mkdir(path, 0755);
    return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void do_launch(struct driver *driver)
{
    struct error err = {0};
    CLEANUP_FD int listener = open_listener(driver);
    CLEANUP_FD int netns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    CLEANUP_FD int log = open(driver->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CLEANUP_FD int cgroup = open_cgroup(driver, "shim");
    const struct shim_launch launch = {.executable = driver->shim,
                                       .name = "web.blue",
                                       .directory = driver->directory,
                                       .netns = netns,
                                       .listener = listener,
                                       .log_directory = log,
                                       .cgroup = cgroup};
    struct shim_launched launched;
    if (shim_launch(&launch, &launched, &err) < 0) {
        printf("error %s\n", err.text);
        return;
    }
    driver->pid = launched.pid;
    driver->pidfd = launched.pidfd;
    close(launched.report);
    printf("ok %d\n", (int)driver->pid);
}

static void do_connect(struct driver *driver)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s/shim", driver->directory);
    close_fd(&driver->channel);
    memset(driver->last, 0, sizeof driver->last);
    driver->channel = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (connect(driver->channel, (struct sockaddr *)&address, sizeof address) < 0)
        printf("error connect %s\n", strerrorname_np(errno));
    else
        answer_with(driver, ANSWER_MS, 0, "hello", NULL);
}

static uint32_t number(const char *text)
{
    char *end;
    return (uint32_t)strtoul(text, &end, 10);
}

static void take_setting(struct shim_start *start, const char *key, const char *value, const char **file)
{
    const struct {
        const char *key;
        uint32_t *number;
    } numbers[] = {
        {"uid", &start->uid},
        {"stop_ms", &start->stop_timeout_ms},
        {"stop_signal", &start->stop_signal},
        {"delay_ms", &start->restart_delay_ms},
        {"max_ms", &start->restart_max_ms},
        {"restart", &start->restart},
        {"watchdog_ms", &start->watchdog_ms},
        {"deadline_ms", &start->deadline_ms},
        {"oom", &start->oom_score},
    };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        if (strcmp(key, numbers[i].key) == 0)
            *numbers[i].number = number(value);
    }
    if (strcmp(key, "name") == 0)
        start->process = value;
    if (strcmp(key, "notify") == 0)
        start->notify = true;
    if (strcmp(key, "stdio") == 0)
        *file = value;
    static const struct sock_filter killer[] = {{.code = BPF_RET | BPF_K, .k = SECCOMP_RET_KILL_PROCESS}};
    if (strcmp(key, "filter") == 0) {
        start->filter = killer;
        start->filter_count = 1;
    }
}

static void send_start(struct driver *driver, const struct shim_start *start, const char *file)
{
    static uint32_t message[SHIM_MESSAGE_MAX / sizeof(uint32_t)];
    char name[64];
    int fds[4];
    size_t count = 0;
    snprintf(name, sizeof name, "payload/%s", start->process ? start->process : SHIM_PROCESS_MAIN);
    CLEANUP_FD int cgroup = open_cgroup(driver, name);
    CLEANUP_FD int stdio = file ? open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0666) : -1;
    if (cgroup >= 0)
        fds[count++] = cgroup;
    for (int i = 0; i < 3 && file; i++)
        fds[count++] = stdio;
    size_t length = shim_encode_start(start, ++driver->serial, message, sizeof message);
    int result = message_send(driver->channel, message, length, fds, count);
    if (result < 0)
        printf("error %s\n", strerrorname_np(-result));
    else
        answer_with(driver, ANSWER_MS, driver->serial, NULL, NULL);
}

static void do_start(struct driver *driver, char *words[], size_t count)
{
    char *environment[] = {(char[]){"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}, (char[]){"NOTIFY_SOCKET=/not/this"}, NULL};
    const char *file = NULL;
    struct shim_start start = {.environment = environment,
                               .variable_count = 2,
                               .workdir = "/",
                               .hostname = "zone",
                               .stop_timeout_ms = 2000,
                               .restart_delay_ms = 100};
    size_t i = 1;
    for (; i < count && strcmp(words[i], "--") != 0; i++) {
        char *value = strchr(words[i], '=');
        if (value)
            *value++ = '\0';
        take_setting(&start, words[i], value ? value : "", &file);
    }
    start.gid = start.uid;
    start.stdio = file;
    start.argv = words + i + 1;
    start.argument_count = i < count ? count - i - 1 : 0;
    send_start(driver, &start, file);
}

static void send_plain(struct driver *driver, const void *message, size_t length)
{
    int result = message_send(driver->channel, message, length, NULL, 0);
    if (result < 0)
        printf("error %s\n", strerrorname_np(-result));
    else
        printf("ok\n");
}

static void do_stop(struct driver *driver, const char *name)
{
    uint32_t message[64];
    size_t length = shim_encode_stop(name, ++driver->serial, message, sizeof message);
    send_plain(driver, message, length);
}

static void do_set(struct driver *driver, char *words[], size_t count)
{
    uint32_t message[64];
    struct shim_set set = {0};
    for (size_t i = 1; i < count; i++) {
        if (text_starts_with(words[i], "frozen="))
            set.frozen = (set.has_frozen = true) && number(words[i] + 7);
        if (text_starts_with(words[i], "oom=")) {
            set.has_oom_score = true;
            set.oom_score = number(words[i] + 4);
        }
    }
    size_t length = shim_encode_set(&set, ++driver->serial, message, sizeof message);
    if (message_send(driver->channel, message, length, NULL, 0) < 0)
        printf("error\n");
    else
        answer_with(driver, ANSWER_MS, driver->serial, NULL, NULL);
}

static void do_last(struct driver *driver, const char *name)
{
    struct incoming in;
    uint64_t now = clock_monotonic_ms();
    while (receive(driver, now + 100, &in) > 0)
        ;
    for (size_t i = 0; i < SHIM_PROCESSES_MAX * 2; i++) {
        if (driver->last[i].line[0] && strcmp(driver->last[i].name, name) == 0) {
            printf("%s\n", driver->last[i].line);
            return;
        }
    }
    printf("error unknown\n");
}

static void do_raw(struct driver *driver, const char *hex)
{
    uint8_t message[512];
    size_t length = 0;
    unsigned byte;
    for (; length < sizeof message && sscanf(hex + 2 * length, "%2x", &byte) == 1; length++)
        message[length] = (uint8_t)byte;
    send_plain(driver, message, length);
}

static void obey(struct driver *driver, char *words[], size_t count)
{
    const char *verb = words[0], *name = count > 1 ? words[1] : NULL;
    if (strcmp(verb, "launch") == 0) {
        do_launch(driver);
    } else if (strcmp(verb, "connect") == 0) {
        do_connect(driver);
    } else if (strcmp(verb, "start") == 0) {
        do_start(driver, words, count);
    } else if (strcmp(verb, "stop") == 0) {
        do_stop(driver, name);
    } else if (strcmp(verb, "set") == 0) {
        do_set(driver, words, count);
    } else if (strcmp(verb, "wait") == 0 && count > 2) {
        const char *about = count > 3 ? words[3] : NULL;
        answer_with(driver, number(words[1]) * 1000, 0, words[2], about && strcmp(about, "-") == 0 ? "" : about);
    } else if (strcmp(verb, "last") == 0) {
        do_last(driver, name ? name : "");
    } else if (strcmp(verb, "raw") == 0 && name) {
        do_raw(driver, name);
    } else if (strcmp(verb, "hangup") == 0) {
        close_fd(&driver->channel);
        printf("ok\n");
    } else if (strcmp(verb, "kill") == 0) {
        printf("%s\n", kill(driver->pid, SIGKILL) == 0 ? "ok" : "error");
    } else {
        printf("error no such command\n");
    }
}

int main(int argument_count, char *arguments[])
{
    static struct driver driver = {.channel = -1, .pidfd = -1};
    char line[4096], *words[WORDS_MAX + 1];
    if (argument_count < 3) {
        fprintf(stderr, "usage: shim_driver SHIM DIRECTORY [CGROUP]\n");
        return 2;
    }
    driver.shim = arguments[1];
    driver.directory = arguments[2];
    driver.cgroup = argument_count > 3 ? arguments[3] : NULL;
    while (fgets(line, sizeof line, stdin)) {
        size_t count = 0;
        for (char *word = strtok(line, " \n"); word && count < WORDS_MAX; word = strtok(NULL, " \n"))
            words[count++] = word;
        words[count] = NULL;
        if (count > 0)
            obey(&driver, words, count);
        fflush(stdout);
    }
    return 0;
}
