/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * probe_driver BLUEGREEN-PROBE: the real probe role, driven by the real prober, against servers as apps can be
 * (probe_servers.h) on loopback. As root the role becomes bluegreen-probe, or nobody where there is no such user.
 * Prints ok, not ok or skip for each test, then 1..N.
 */
#include "base/cleanup.h"
#include "health/prober.h"
#include "os/log.h"
#include "probe_servers.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pwd.h>
#include <sys/resource.h>
#include <sys/wait.h>

static struct {
    struct loop *loop;
    struct prober *prober;
    struct loop_timer *guard;
    const char *executable, *user;
    size_t awaited, come;
    bool late;
    unsigned tests;
    bool failed;
} driver;

/* --- reporting -------------------------------------------------------------------------------- */

static void report(bool ok, const char *name, const char *format, ...) __attribute__((format(printf, 3, 4)));

static void report(bool ok, const char *name, const char *format, ...)
{
    driver.tests++;
    printf("%s %s\n", ok ? "ok" : "not ok", name);
    if (!ok) {
        va_list arguments;
        va_start(arguments, format);
        printf("    ");
        vprintf(format, arguments);
        printf("\n");
        va_end(arguments);
        driver.failed = true;
    }
    fflush(stdout);
}

static void skip(const char *name, const char *why)
{
    driver.tests++;
    printf("skip %s %s\n", name, why);
}

/* --- checks through the prober ---------------------------------------------------------------- */

static void on_guard(void *context)
{
    (void)context;
    driver.late = true;
    loop_quit(driver.loop, 0);
}

static void on_result(void *context, const struct probe_result *result)
{
    *(struct probe_result *)context = *result;
    if (++driver.come == driver.awaited)
        loop_quit(driver.loop, 0);
}

static bool run_until(size_t results, uint64_t limit_ms)
{
    driver.awaited = results;
    driver.late = false;
    loop_timer_arm(driver.guard, limit_ms);
    if (driver.come < results)
        loop_run(driver.loop);
    loop_timer_disarm(driver.guard);
    return !driver.late;
}

static void run_for(uint64_t milliseconds)
{
    run_until(SIZE_MAX, milliseconds);
}

static struct address loopback(int family)
{
    struct address address = {.family = family == AF_INET6 ? 6 : 4};
    if (family == AF_INET6)
        address.bytes[15] = 1;
    else
        memcpy(address.bytes, (uint8_t[]){127, 0, 0, 1}, 4);
    return address;
}

/* One check on its way; *result is filled in later. Exits if the prober refuses it: no test wants that. */
static void begin_check(const struct server *server, const struct health *health, size_t sockets,
                        struct probe_result *result)
{
    struct address target = loopback(server->family);
    struct error err = {0};
    int fds[CHECK_SOCKETS_MAX];
    uint64_t id;
    for (size_t i = 0; i < sockets; i++)
        fds[i] = socket(server->family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (prober_check(driver.prober, health, &target, fds, sockets, on_result, result, &id, &err) < 0) {
        fprintf(stderr, "begin a check: %s\n", err.text);
        exit(1);
    }
}

static struct health health_of(const struct server *server, const char *path)
{
    struct health health = {.kind = HEALTH_HTTP, .port = server->port, .timeout_ms = 3000};
    text_copy(health.path, sizeof health.path, path);
    return health;
}

static struct probe_result check_once(const struct server *server, const struct health *health)
{
    struct probe_result result = {.outcome = PROBE_OUTCOMES};
    driver.come = 0;
    begin_check(server, health, CHECK_SOCKETS_MAX, &result);
    run_until(1, 10000);
    return result;
}

static void expect(const char *name, const struct probe_result *result, enum probe_outcome outcome, uint16_t status,
                   const char *detail)
{
    bool ok = result->outcome == outcome && result->status == status &&
              (*detail == '=' ? strcmp(result->detail, detail + 1) == 0 : strstr(result->detail, detail) != NULL);
    report(ok, name, "expected outcome %d, status %u, '%s'; got %d, %u, '%s'", outcome, status, detail, result->outcome,
           result->status, result->detail);
}

/* --- one request against one kind of server ---------------------------------------------------- */

struct behaviour {
    const char *name;
    server_function *serve;
    enum probe_outcome outcome;
    uint16_t status;
    const char *detail; /* contained in the result's; all of it if it begins with '=' */
    uint32_t timeout_ms;
};

static const struct behaviour behaviours[] = {
    {"keep-alive", serve_ok, PROBE_PASS, 200, "=HTTP 200 OK", 0},
    {"http-1.0", serve_http10, PROBE_PASS, 200, "=HTTP 200 Fine", 0},
    {"chunked", serve_chunked, PROBE_PASS, 200, "=HTTP 200 OK", 0},
    {"interim-answers", serve_continue, PROBE_PASS, 200, "=HTTP 200 OK", 0},
    {"no-content", serve_no_content, PROBE_PASS, 204, "=HTTP 204 No Content", 0},
    {"503", serve_503, PROBE_STATUS, 503, "=HTTP 503 Service Unavailable", 0},
    {"no-phrase", serve_no_phrase, PROBE_STATUS, 500, "=HTTP 500", 0},
    {"escape-codes", serve_escape_codes, PROBE_STATUS, 500, "HTTP 500 ?[2J? ? and", 0},
    {"status-999", serve_status_999, PROBE_PROTOCOL, 0, "status", 0},
    {"garbage", serve_garbage, PROBE_PROTOCOL, 0, "no HTTP", 0},
    {"another-protocol", serve_ssh, PROBE_PROTOCOL, 0, "no HTTP", 0},
    {"endless-headers", serve_endless_headers, PROBE_PROTOCOL, 200, "64 KiB of headers", 0},
    {"endless-header-line", serve_endless_header_line, PROBE_PROTOCOL, 200, "header line", 0},
    {"endless-interim", serve_endless_continue, PROBE_PROTOCOL, 100, "64 KiB of headers", 0},
    {"endless-body", serve_endless_body, PROBE_PASS, 200, "=HTTP 200 OK", 0},
    {"endless-503", serve_endless_503, PROBE_STATUS, 503, "=HTTP 503 Busy", 0},
    {"short-body", serve_short_body, PROBE_PROTOCOL, 200, "closed before its body", 0},
    {"bad-length", serve_bad_length, PROBE_PROTOCOL, 200, "HTTP 200 OK, but", 0},
    {"dripping-status", serve_drip_status, PROBE_TIMEOUT, 0, "(connected, no status line)", 400},
    {"dripping-headers", serve_drip_headers, PROBE_TIMEOUT, 200, "headers did not end", 400},
    {"dripping-body", serve_drip_body, PROBE_TIMEOUT, 200,
     "=no complete answer within 400 ms (HTTP 200 OK, its body did not end)", 400},
    {"silence", serve_silence, PROBE_TIMEOUT, 0, "=no answer within 1 s (connected, no status line)", 1000},
    {"reset", serve_reset, PROBE_REFUSED, 0, "=connection reset", 0},
    {"reset-in-body", serve_reset_in_body, PROBE_REFUSED, 200, "=connection reset", 0},
    {"closed", serve_close, PROBE_PROTOCOL, 0, "=connection closed without an answer", 0},
};

static void test_behaviours(void)
{
    for (size_t i = 0; i < sizeof behaviours / sizeof *behaviours; i++) {
        const struct behaviour *behaviour = &behaviours[i];
        struct server server;
        if (!server_start(&server, AF_INET, behaviour->serve))
            exit(1);
        struct health health = health_of(&server, "/healthz");
        uint64_t began = clock_monotonic_ms();
        if (behaviour->timeout_ms)
            health.timeout_ms = behaviour->timeout_ms;
        struct probe_result result = check_once(&server, &health);
        uint64_t took = clock_monotonic_ms() - began;
        expect(behaviour->name, &result, behaviour->outcome, behaviour->status, behaviour->detail);
        if (behaviour->timeout_ms && (took < health.timeout_ms || took > health.timeout_ms + 1500))
            report(false, behaviour->name, "took %" PRIu64 " ms", took);
        server_stop(&server);
    }
}

static void test_closed_at_once(void)
{
    struct server server;
    server_start(&server, AF_INET, serve_close_at_once);
    struct health health = health_of(&server, "/");
    struct probe_result result = check_once(&server, &health);
    /* Whether our request meets the closed socket is a race. */
    report(result.outcome == PROBE_PROTOCOL || result.outcome == PROBE_REFUSED, "closed-at-once", "outcome %d, '%s'",
           result.outcome, result.detail);
    server_stop(&server);
}

static void test_request(void)
{
    struct server server;
    server_start(&server, AF_INET, serve_picky);
    struct health health = health_of(&server, "/a/../healthz?deep=1&x=%20");
    strcpy(health.host, "www.example.org:81");
    struct probe_result result = check_once(&server, &health);
    expect("request-as-configured", &result, PROBE_PASS, 200, "=HTTP 200 OK");
    server_stop(&server);
}

static void test_status_list(void)
{
    struct server server;
    server_start(&server, AF_INET, serve_503);
    struct health health = health_of(&server, "/");
    health.status[0] = (struct status_range){500, 599};
    health.status_count = 1;
    struct probe_result result = check_once(&server, &health);
    expect("status-list", &result, PROBE_PASS, 503, "=HTTP 503 Service Unavailable");
    server_stop(&server);
}

/* --- redirects -------------------------------------------------------------------------------- */

static void redirect_case(const char *name, server_function *serve, bool follow, size_t sockets,
                          enum probe_outcome outcome, uint16_t status, const char *detail)
{
    struct server server;
    server_start(&server, AF_INET, serve);
    struct health health = health_of(&server, "/a/start");
    strcpy(health.host, "www.example.org");
    health.follow_redirects = follow;
    struct probe_result result = {.outcome = PROBE_OUTCOMES};
    driver.come = 0;
    begin_check(&server, &health, sockets, &result);
    run_until(1, 5000);
    expect(name, &result, outcome, status, detail);
    server_stop(&server);
}

static void test_redirects(void)
{
    redirect_case("redirect-not-followed", serve_redirect_relative, false, 4, PROBE_STATUS, 302,
                  "HTTP 302 Found (not followed) to http://127.0.0.1:");
    redirect_case("redirect-relative", serve_redirect_relative, true, 2, PROBE_PASS, 200, "=HTTP 200 OK");
    redirect_case("redirect-to-host", serve_redirect_to_name, true, 2, PROBE_PASS, 200, "=HTTP 200 OK");
    redirect_case("redirect-without-sockets", serve_redirect_relative, true, 1, PROBE_STATUS, 302,
                  "=HTTP 302 Found after 0 redirects");
    redirect_case("redirect-loop", serve_redirect_loop, true, 4, PROBE_STATUS, 302,
                  "=HTTP 302 Found after 3 redirects");
}

static void test_redirects_elsewhere(void)
{
    uint16_t port;
    CLEANUP_FD int victim = listen_on_loopback(AF_INET, 16, &port);
    char by_port[64];
    snprintf(by_port, sizeof by_port, "http://127.0.0.1:%u/", port);
    const char *const places[] = {by_port,
                                  "http://example.org/",
                                  "http://www.example.org:81/",
                                  "https://www.example.org/",
                                  "//elsewhere.example.org/",
                                  "http://www.example.org@127.0.0.2/",
                                  "file:///etc/passwd",
                                  "gopher://127.0.0.1:70/x",
                                  "http://[::1]/"};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        char name[128];
        text_copy(server_elsewhere, sizeof server_elsewhere, places[i]);
        snprintf(name, sizeof name, "redirect-elsewhere-%zu", i);
        redirect_case(name, serve_redirect_elsewhere, true, 4, PROBE_STATUS, 302,
                      "HTTP 302 Found away from the zone, to ");
    }
    report(poll(&(struct pollfd){.fd = victim, .events = POLLIN}, 1, 100) == 0, "redirect-contacts-nobody",
           "the probe connected to port %u", port);
}

/* --- connecting ------------------------------------------------------------------------------- */

static void test_refused(void)
{
    struct server server = {.family = AF_INET};
    close(listen_on_loopback(AF_INET, 1, &server.port)); /* nobody there now */
    struct health health = health_of(&server, "/");
    struct probe_result result = check_once(&server, &health);
    expect("http-refused", &result, PROBE_REFUSED, 0, "=connection refused");
    health.kind = HEALTH_TCP;
    result = check_once(&server, &health);
    expect("tcp-refused", &result, PROBE_REFUSED, 0, "=connection refused");
}

static void test_tcp(void)
{
    struct server server;
    server_start(&server, AF_INET, serve_silence);
    struct health health = health_of(&server, "");
    health.kind = HEALTH_TCP;
    struct probe_result result = check_once(&server, &health);
    expect("tcp", &result, PROBE_PASS, 0, "=connected");
    server_stop(&server);
}

/* A listener that accepts nobody: once its queue is full the kernel drops what comes. */
static void test_no_connection(void)
{
    struct server server = {.family = AF_INET};
    int listener = listen_on_loopback(AF_INET, 0, &server.port);
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(server.port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fillers[4];
    for (size_t i = 0; i < 4; i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (connect(fillers[i], (struct sockaddr *)&address, sizeof address) < 0 && errno != EINPROGRESS)
            exit(1);
    }
    struct health health = health_of(&server, "/");
    health.timeout_ms = 400;
    struct probe_result result = check_once(&server, &health);
    expect("http-no-connection", &result, PROBE_TIMEOUT, 0, "=no connection within 400 ms");
    health.kind = HEALTH_TCP;
    result = check_once(&server, &health);
    expect("tcp-no-connection", &result, PROBE_TIMEOUT, 0, "=no connection within 400 ms");
    close(listener);
    for (size_t i = 0; i < 4; i++)
        close(fillers[i]);
}

static void test_ipv6(void)
{
    struct server server;
    if (!server_start(&server, AF_INET6, serve_redirect_loop)) {
        skip("ipv6-http", "there is no ::1 here");
        skip("ipv6-tcp", "there is no ::1 here");
        return;
    }
    struct health health = health_of(&server, "/");
    health.follow_redirects = true;
    struct probe_result result = check_once(&server, &health);
    expect("ipv6-http", &result, PROBE_STATUS, 302, "=HTTP 302 Found after 3 redirects");
    health.kind = HEALTH_TCP;
    result = check_once(&server, &health);
    expect("ipv6-tcp", &result, PROBE_PASS, 0, "=connected");
    server_stop(&server);
}

/* --- the role as a process -------------------------------------------------------------------- */

/* The number behind "KEY:" in /proc/PID/status, in this base; UINT64_MAX if there is none. */
static uint64_t process_status(pid_t pid, const char *key, int base)
{
    char path[64], line[256];
    uint64_t value = UINT64_MAX;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    CLEANUP_FILE FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof line, file)) {
        size_t length = strlen(key);
        if (strncmp(line, key, length) == 0 && line[length] == ':')
            value = strtoull(line + length + 1, NULL, base);
    }
    return value;
}

static size_t open_descriptors(pid_t pid)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    CLEANUP_DIR DIR *dir = opendir(path);
    size_t count = 0;
    while (dir && readdir(dir))
        count++;
    return count;
}

static void test_confinement(void)
{
    pid_t pid = prober_pid(driver.prober);
    report(process_status(pid, "NoNewPrivs", 10) == 1, "no-new-privs", "not set");
    report(process_status(pid, "CapEff", 16) == 0 && process_status(pid, "CapPrm", 16) == 0, "no-capabilities",
           "it has some");
#ifdef __SANITIZE_ADDRESS__
    skip("seccomp", "built with a sanitizer");
#else
    report(process_status(pid, "Seccomp", 10) == 2, "seccomp", "mode %" PRIu64, process_status(pid, "Seccomp", 10));
#endif
    if (geteuid() != 0) {
        skip("not-root", "not started as root");
        return;
    }
    report(process_status(pid, "Uid", 10) != 0 && process_status(pid, "Gid", 10) != 0 &&
               process_status(pid, "CapBnd", 16) == 0,
           "not-root", "uid %" PRIu64, process_status(pid, "Uid", 10));
}

static void test_idle(void)
{
    pid_t pid = prober_pid(driver.prober);
    run_for(200);
    uint64_t before = process_status(pid, "voluntary_ctxt_switches", 10);
    run_for(1500);
    uint64_t after = process_status(pid, "voluntary_ctxt_switches", 10);
    report(before == after && before != UINT64_MAX, "idle-sleeps", "%" PRIu64 " wake-ups in 1.5 s", after - before);
}

enum { MANY = 1000 };

static void test_many(void)
{
    static struct probe_result results[MANY];
    struct server server;
    pid_t pid = prober_pid(driver.prober);
    run_for(100); /* a result is sent before the check's other sockets are closed */
    size_t before = open_descriptors(pid), passed = 0;
    server_start(&server, AF_INET, serve_late);
    struct health health = health_of(&server, "/");
    health.timeout_ms = 20000;
    driver.come = 0;
    uint64_t began = clock_monotonic_ms();
    for (size_t i = 0; i < MANY; i++) {
        results[i].outcome = PROBE_OUTCOMES;
        health.kind = i % 10 == 0 ? HEALTH_TCP : HEALTH_HTTP;
        begin_check(&server, &health, 1, &results[i]);
    }
    run_until(MANY, 30000);
    for (size_t i = 0; i < MANY; i++) {
        passed += results[i].outcome == PROBE_PASS;
        if (results[i].outcome != PROBE_PASS)
            printf("    %zu: %d '%s'\n", i, results[i].outcome, results[i].detail);
    }
    report(passed == MANY, "thousand-at-once", "%zu of %d passed", passed, MANY);
    printf("    %d checks in %" PRIu64 " ms\n", MANY, clock_monotonic_ms() - began);
    server_stop(&server);
    run_for(100);
    report(open_descriptors(pid) == before, "no-descriptor-left", "%zu before, %zu after", before,
           open_descriptors(pid));
}

/* --- a role that fails ------------------------------------------------------------------------ */

static pid_t wait_restart(pid_t old)
{
    for (int i = 0; i < 300; i++) {
        run_for(20);
        if (prober_pid(driver.prober) != 0 && prober_pid(driver.prober) != old)
            return prober_pid(driver.prober);
    }
    return 0;
}

static void fails_while_checking(const char *name, int signal, uint64_t at_least_ms, const struct server *server)
{
    struct probe_result results[3];
    struct health health = health_of(server, "/");
    char again[64];
    pid_t old = prober_pid(driver.prober);
    uint64_t began = clock_monotonic_ms();
    driver.come = 0;
    kill(old, signal == SIGSTOP ? SIGSTOP : 0); /* a stopped role takes nothing */
    for (int i = 0; i < 3; i++) {               /* the first would be overdue much later than the others */
        health.timeout_ms = i == 0 ? 60000 : 500;
        begin_check(server, &health, 1, &results[i]);
    }
    if (signal != SIGSTOP) {
        run_for(50);
        kill(old, signal);
    }
    bool all = run_until(3, 10000);
    uint64_t took = clock_monotonic_ms() - began;
    for (int i = 0; i < 3; i++)
        all = all && results[i].outcome == PROBE_INTERNAL;
    report(all && took >= at_least_ms, name, "%zu results in %" PRIu64 " ms", driver.come, took);
    snprintf(again, sizeof again, "%s-and-back", name);
    pid_t new = wait_restart(old);
    struct probe_result result = {.outcome = PROBE_OUTCOMES};
    health.timeout_ms = 100;
    if (new != 0)
        result = check_once(server, &health);
    report(result.outcome == PROBE_TIMEOUT, again, "pid %d, outcome %d", (int)new, result.outcome);
}

static void test_failing_role(void)
{
    struct server server;
    server_start(&server, AF_INET, serve_silence);
    fails_while_checking("killed-role", SIGKILL, 0, &server);
    fails_while_checking("hung-role", SIGSTOP, 5000, &server);
    server_stop(&server);
}

/* --- the channel without the prober ----------------------------------------------------------- */

static bool start_raw(struct process *process)
{
    struct error err = {0};
    char *argv[] = {(char *)driver.executable, (char *)driver.user, NULL};
    if (process_start(argv, process, &err) == 0)
        return true;
    report(false, "raw-role", "%s", err.text);
    return false;
}

/* The exit status, or -1 if it still runs after 3 s. */
static int end_raw(struct process *process)
{
    int status = -1;
    if (poll(&(struct pollfd){.fd = process->pidfd, .events = POLLIN}, 1, 3000) != 1)
        kill(process->pid, SIGKILL);
    waitpid(process->pid, &status, 0);
    process_forget(process);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void raw_case(const char *name, const struct check_request *request, const int *fds, size_t count,
                     const char *detail)
{
    struct process process;
    struct check_result result = {0};
    if (!start_raw(&process))
        return;
    message_send(process.channel, request, sizeof *request, fds, count);
    poll(&(struct pollfd){.fd = process.channel, .events = POLLIN}, 1, 3000);
    ssize_t length = message_receive(process.channel, &result, sizeof result, NULL, NULL);
    report(length > 0 && check_result_valid(&result, (size_t)length) && result.id == request->id &&
               result.result.outcome == PROBE_INTERNAL && strstr(result.result.detail, detail),
           name, "length %zd, outcome %d, '%s'", length, result.result.outcome, result.result.detail);
    close_fd(&process.channel);
    int status = end_raw(&process);
    if (status != 0)
        report(false, name, "exit status %d after the channel closed", status);
}

static void test_bad_requests(void)
{
    struct check_request request;
    memset(&request, 0, sizeof request);
    request.version = CHECK_VERSION;
    request.id = 0x1234567890abcdef;
    request.target = loopback(AF_INET);
    request.health = (struct health){.kind = HEALTH_HTTP, .port = 1, .timeout_ms = 100, .path = "/"};
    CLEANUP_FD int tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CLEANUP_FD int udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    CLEANUP_FD int local = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CLEANUP_FD int file = open("/dev/null", O_RDONLY | O_CLOEXEC);
    raw_case("no-socket", &request, NULL, 0, "without a socket");
    raw_case("too-many-sockets", &request, (int[]){tcp, tcp, tcp, tcp, tcp}, 5, "too many");
    raw_case("udp-socket", &request, (int[]){tcp, udp}, 2, "cannot reach");
    raw_case("unix-socket", &request, &local, 1, "cannot reach");
    raw_case("no-socket-at-all", &request, &file, 1, "cannot reach");
    request.target.family = 6;
    raw_case("other-family", &request, &tcp, 1, "cannot reach");
    request.target.family = 4;
    strcpy(request.health.path, "/\r\nX: y");
    raw_case("invalid-request", &request, &tcp, 1, "not valid");
}

static void test_nonsense(void)
{
    struct process process;
    if (!start_raw(&process))
        return;
    send(process.channel, "nonsense", 8, MSG_NOSIGNAL);
    int status = end_raw(&process);
    report(status == 1, "nonsense-ends-it", "exit status %d", status);
}

static void test_by_hand(void)
{
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        close_fd(&(int){3});
        execl(driver.executable, driver.executable, (char *)NULL);
        _exit(99);
    }
    int status = -1;
    waitpid(pid, &status, 0);
    report(WIFEXITED(status) && WEXITSTATUS(status) == 2, "started-by-hand", "status %x", status);
}

static void test_stays_root_for_nobody(void)
{
    if (geteuid() != 0) {
        skip("refuses-root", "not started as root");
        return;
    }
    const char *user = driver.user;
    struct process process;
    for (int i = 0; i < 3; i++) {
        driver.user = (const char *[]){NULL, "root", "no-such-user-here"}[i];
        if (start_raw(&process))
            report(end_raw(&process) == 1,
                   i == 0   ? "refuses-root"
                   : i == 1 ? "refuses-user-root"
                            : "refuses-no-user",
                   "it went on");
    }
    driver.user = user;
}

int main(int argc, char *argv[])
{
    struct error err = {0};
    if (argc != 2) {
        fprintf(stderr, "usage: probe_driver BLUEGREEN-PROBE (an absolute path)\n");
        return 2;
    }
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    signal(SIGPIPE, SIG_IGN);
    log_open("probe_driver");
    driver.executable = argv[1];
    driver.user = geteuid() != 0 ? NULL : getpwnam("bluegreen-probe") ? "bluegreen-probe" : "nobody";
    if (loop_new(&driver.loop, &err) < 0 ||
        prober_new(driver.loop, driver.executable, driver.user, &driver.prober, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    driver.guard = loop_timer_new(driver.loop, on_guard, NULL);
    test_behaviours();
    test_closed_at_once();
    test_request();
    test_status_list();
    test_redirects();
    test_redirects_elsewhere();
    test_refused();
    test_tcp();
    test_no_connection();
    test_ipv6();
    test_confinement();
    test_many();
    test_idle();
    test_failing_role();
    test_bad_requests();
    test_nonsense();
    test_by_hand();
    test_stays_root_for_nobody();
    prober_free(driver.prober);
    loop_timer_free(driver.guard);
    loop_free(driver.loop);
    printf("1..%u\n", driver.tests);
    return driver.failed;
}
