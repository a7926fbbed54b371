/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * start: from the wish to the first instruction of a sandboxed program, against what others take to start the same
 * static program: bubblewrap with everything unshared, crun (or runc), systemd-nspawn; all in turn, so that they see
 * the same machine. The floor is a bare fork and exec. Whoever is not installed is said and left out. A zone's
 * network is connected and addressed, the others' holds a loopback only. To be run in a private world (make bench).
 *
 * The program is the shim's own executable: it is static, and without arguments it says so and ends.
 */
#include "base/cleanup.h"
#include "figure.h"
#include "os/loop.h"
#include "zone/zone.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ROUNDS = 30, PAUSE_MS = 20, CONTENDERS = 6, WORDS_MAX = 20, NUMBER = 1 };

extern char **environ;

struct contender {
    const char *name;
    const char *words[WORDS_MAX];           /* none for what the agent's code does */
    double exec_us[ROUNDS], all_us[ROUNDS]; /* until the program ran; until all was gone again */
};

static struct {
    struct zone_host *host;
    struct zone *zone; /* one that is there already */
    char program[512], root[512], bundle[512];
} bench;

static _Noreturn void die(const char *what, const struct error *err)
{
    fprintf(stderr, "bench start: %s: %s\n", what, err ? err->text : strerror(errno));
    exit(1);
}

static double now_us(void)
{
    return (double)clock_monotonic_ns() / 1000;
}

/* Until the program has said what it says; 0, or -1 if the writer ended before. */
static int wait_for_program(int fd)
{
    static const char wanted[] = "bluegreen-zone is";
    char text[4096];
    size_t length = 0;
    while (length < sizeof text - 1) {
        ssize_t got = read(fd, text + length, sizeof text - 1 - length);
        if (got <= 0)
            break;
        length += (size_t)got;
        text[length] = '\0';
        if (strstr(text, wanted))
            return 0;
    }
    fprintf(stderr, "bench start: it said: %.*s\n", (int)length, text);
    return -1;
}

/* --- the others --------------------------------------------------------------------------------------- */

static int run_command(struct contender *contender, int round)
{
    int ends[2], status;
    pid_t pid;
    posix_spawn_file_actions_t actions;
    if (pipe2(ends, O_CLOEXEC) < 0)
        die("pipe", NULL);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO);
    double began = now_us();
    errno =
        posix_spawnp(&pid, contender->words[0], &actions, NULL, (char *const *)(uintptr_t)contender->words, environ);
    if (errno)
        die(contender->words[0], NULL);
    close(ends[1]);
    int result = wait_for_program(ends[0]);
    contender->exec_us[round] = now_us() - began;
    waitpid(pid, &status, 0);
    contender->all_us[round] = now_us() - began;
    close(ends[0]);
    posix_spawn_file_actions_destroy(&actions);
    return result;
}

/* What the containers are made of: a root with nothing but the program, and a specification with everything that the
 * runtime's own default has. */
static void make_root(void)
{
    static const char script[] =
        "set -e; cd \"$BENCH_ROOT\"; mkdir usr etc proc sys dev tmp run; cp \"$BENCH_PROGRAM\" program; "
        "echo ID=bench >etc/os-release; cd \"$BENCH_BUNDLE\"; "
        "if command -v crun >/dev/null; then crun spec; elif command -v runc >/dev/null; then runc spec; else exit 0; "
        "fi; "
        "sed -i -e 's/\"terminal\": true/\"terminal\": false/' -e 's:\"sh\":\"/program\":' "
        "-e \"s:\\\"path\\\"\\: \\\"rootfs\\\":\\\"path\\\"\\: \\\"$BENCH_ROOT\\\":\" config.json";
    setenv("BENCH_PROGRAM", bench.program, 1);
    setenv("BENCH_ROOT", bench.root, 1);
    setenv("BENCH_BUNDLE", bench.bundle, 1);
    if (mkdir(bench.root, 0755) < 0 || mkdir(bench.bundle, 0755) < 0 || system(script) != 0)
        die("make a root for the others", NULL);
}

static bool installed(const char *name)
{
    char command[128];
    snprintf(command, sizeof command, "command -v %s >/dev/null", name);
    return system(command) == 0;
}

static size_t add_others(struct contender *contenders, size_t count)
{
    const char *oci = installed("crun") ? "crun" : "runc";
    const struct contender others[] = {
        {"bubblewrap",
         {"bwrap", "--unshare-all", "--die-with-parent", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev",
          "--tmpfs", "/tmp", bench.program}},
        {oci,
         {oci, strcmp(oci, "crun") == 0 ? "--cgroup-manager=disabled" : "--log-format=text", "run", "-b", bench.bundle,
          "bench-start"}},
        {"systemd-nspawn",
         {"systemd-nspawn", "-q", "-D", bench.root, "--register=no", "--keep-unit", "--private-network", "/program"}},
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        if (installed(others[i].words[0]))
            contenders[count++] = others[i];
        else
            printf("start: %s is not installed: tools/deps bench\n", others[i].words[0]);
    }
    return count;
}

/* --- ours ---------------------------------------------------------------------------------------------- */

/* Returns when the program has spoken; *began is when it was asked for. */
static int start_in(struct zone *zone)
{
    char *argv[] = {bench.program, NULL};
    int ends[2], null = open("/dev/null", O_RDWR | O_CLOEXEC);
    struct error err = {0};
    if (null < 0 || pipe2(ends, O_CLOEXEC) < 0)
        die("pipe", NULL);
    const int stdio[] = {null, ends[1], ends[1]};
    const struct zone_launch launch = {.argv = {.items = argv, .count = 1},
                                       .workdir = "/",
                                       .uid = 65534,
                                       .gid = 65534,
                                       .hostname = "bench",
                                       .process = "bench",
                                       .stop_timeout_ms = 1000,
                                       .restart = {.policy = RESTART_NO, .delay_ms = 1000},
                                       .stdio = stdio};
    if (zone_start(zone, &launch, &err) < 0)
        die("start in a zone", &err);
    close(ends[1]);
    close(null);
    int result = wait_for_program(ends[0]);
    close(ends[0]);
    return result;
}

static void wait_for_end(struct zone *zone)
{
    enum zone_event event;
    do {
        struct pollfd ready = {.fd = zone_event_fd(zone), .events = POLLIN};
        poll(&ready, 1, 5000);
        while ((event = zone_receive(zone, NULL)) != ZONE_EVENT_NONE && event != ZONE_EVENT_ENDED)
            ;
    } while (event != ZONE_EVENT_ENDED);
}

static int run_zone(struct contender *contender, int round)
{
    const struct zone_id id = {.app = "bench", .colour = BLUE, .number = NUMBER};
    struct zone *zone;
    struct error err = {0};
    double began = now_us();
    if (zone_create(bench.host, &id, &zone, &err) < 0)
        die("make a zone", &err);
    int result = start_in(zone);
    contender->exec_us[round] = now_us() - began;
    zone_destroy(zone);
    contender->all_us[round] = now_us() - began;
    return result;
}

static int run_process(struct contender *contender, int round)
{
    double began = now_us();
    int result = start_in(bench.zone);
    contender->exec_us[round] = now_us() - began;
    wait_for_end(bench.zone);
    contender->all_us[round] = now_us() - began;
    return result;
}

static void make_host(void)
{
    static char shim[512];
    const struct zone_id id = {.app = "bench", .colour = GREEN, .number = NUMBER + 1};
    struct error err = {0};
    snprintf(shim, sizeof shim, "%s/bluegreen-zone", getenv("BUILD"));
    struct zone_host_options options = {
        .instance = "bench", .run_dir = getenv("WORLD"), .state_dir = getenv("WORLD"), .shim_path = shim};
    prefix_parse("10.201.0.0/16", &options.pools.ipv4);
    prefix_parse("fd00:b9::/48", &options.pools.ipv6);
    if (zone_host_open(&options, &bench.host, &err) < 0 || zone_create(bench.host, &id, &bench.zone, &err) < 0)
        die("make a zone", &err);
}

/* --- figures -------------------------------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void print(struct contender *contender, double zone_us)
{
    qsort(contender->exec_us, ROUNDS, sizeof(double), compare);
    qsort(contender->all_us, ROUNDS, sizeof(double), compare);
    printf("start: %-28s to exec min/median/max %6.0f/%6.0f/%6.0f us, until it is gone %6.0f us, of a zone %.2f\n",
           contender->name, contender->exec_us[0], contender->exec_us[ROUNDS / 2], contender->exec_us[ROUNDS - 1],
           contender->all_us[ROUNDS / 2], contender->exec_us[ROUNDS / 2] / zone_us);
    figure("Starting a program apart from the rest", "us to exec", contender->name, contender->exec_us[ROUNDS / 2]);
    figure("Starting a program apart from the rest", "us until it is gone", contender->name,
           contender->all_us[ROUNDS / 2]);
}

int main(void)
{
    static struct contender contenders[CONTENDERS] = {{.name = "bluegreen: a zone"},
                                                      {.name = "bluegreen: a process in a zone"}};
    const char *build = getenv("BUILD"), *world = getenv("WORLD");
    if (!build || !world) {
        fprintf(stderr, "usage: tests/world/enter start\n");
        return 2;
    }
    /* Not below /run, which an app does not see. */
    snprintf(bench.program, sizeof bench.program, "/mnt/bluegreen-zone");
    snprintf(bench.root, sizeof bench.root, "%s/bench.root", world);
    snprintf(bench.bundle, sizeof bench.bundle, "%s/bench.bundle", world);
    if (system("mount -t tmpfs none /mnt && cp \"$BUILD/bluegreen-zone\" /mnt") != 0)
        die("put the program where all can see it", NULL);
    make_root();
    make_host();
    contenders[2] = (struct contender){.name = "floor: fork and exec", .words = {bench.program}};
    size_t count = add_others(contenders, 3);
    /* The first round, which fills caches, is not counted: the next one overwrites it. */
    for (int round = -1; round < ROUNDS; round++) {
        for (size_t i = 0; i < count; i++) {
            int (*run)(struct contender *, int) = i == 0 ? run_zone : i == 1 ? run_process : run_command;
            if (run(&contenders[i], round < 0 ? 0 : round) < 0)
                die(contenders[i].name, &(struct error){.text = "the program did not run"});
            poll(NULL, 0, PAUSE_MS); /* what is removed goes in the background */
        }
    }
    qsort(contenders[0].exec_us, ROUNDS, sizeof(double), compare);
    double zone_us = contenders[0].exec_us[ROUNDS / 2];
    for (size_t i = 0; i < count; i++)
        print(&contenders[i], zone_us);
    zone_destroy(bench.zone);
    zone_host_close(bench.host);
    return system("umount -l /mnt") != 0;
}
