/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Clients that misbehave on the control socket, and one that does not.
 *
 *   abuse SOCKET KIND SECONDS [COUNT [FILE]]   prints a line "KIND FIGURE N FIGURE N ..."; exits 1 where the agent did
 *                                              what it should not: kept silent, answered what is no call, left who was
 *                                              right
 *
 *   polite      asks for the status again and again, over new connections, every COUNT ms: how long that took, in us.
 *               In FILE (seconds.h), what it was answered and what it was not; a connection that ends without an answer
 *               is none of these there, for agents are killed beside it
 *   slow        COUNT connections that send a byte every 100 ms and never end their message
 *   huge        a message that does not end, as fast as it goes
 *   many        opens COUNT connections, asks over each, and keeps those that were accepted
 *   malformed   what is no call, one kind after another
 *   noise       COUNT calls with some bytes turned into others
 *   vanish      begins what is answered bit by bit, and goes away
 *   deaf        COUNT connections that call and call, and read nothing
 *   half        calls, says that it will say no more, and wants its answer
 *   pipelined   COUNT calls at once; as many answers, in their order
 *   all         each of them but polite and many, SECONDS each
 */
#include "seconds.h"
#include "target.h"

#include <err.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/un.h>
#include <sys/wait.h>

#define AGENT    "io.bluegreen.Agent."
#define STATUS   "{\"method\":\"" AGENT "Status\"}"
#define PATIENCE 3000 /* ms that an answer may take where everybody misbehaves */

static struct sockaddr_un at = {.sun_family = AF_UNIX};
static uint64_t until;
static unsigned count = 50, pause_ms = 5;

static uint64_t now_ms(void)
{
    return now_ns() / 1000000;
}

static bool over(void)
{
    return now_ms() >= until;
}

/* -1: nobody is there, which is the agent's right while it is started again. */
static int dial(void)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd >= 0 && connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    usleep(20000);
    return -1;
}

static bool say(int fd, const char *bytes, size_t length)
{
    return send(fd, bytes, length, MSG_NOSIGNAL) == (ssize_t)length;
}

/* The next message into text, of those behind it nothing. 1; 0: closed; -1: nothing for so long. */
static int hear(int fd, char *text, size_t size, int ms)
{
    uint64_t end = now_ms() + (uint64_t)ms;
    size_t used = 0;

    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        uint64_t now = now_ms();
        char bytes[16384], *ends;
        ssize_t got;

        if (now >= end || poll(&p, 1, (int)(end - now)) == 0)
            return -1;
        got = recv(fd, bytes, sizeof(bytes), MSG_PEEK);
        if (got <= 0)
            return 0;
        ends = memchr(bytes, '\0', (size_t)got);
        got = recv(fd, bytes, ends ? (size_t)(ends - bytes) + 1 : (size_t)got, 0);
        if (got <= 0)
            return 0;
        got -= ends != NULL;
        if ((size_t)got > size - 1 - used)
            got = (ssize_t)(size - 1 - used);
        memcpy(text + used, bytes, (size_t)got);
        used += (size_t)got;
        text[used] = '\0';
        if (ends)
            return 1;
    }
}

/* --- one at a time -------------------------------------------------------------------------- */

static int polite(void)
{
    struct histogram h = {0};
    struct seconds seconds = {0};
    static char text[1 << 20];
    unsigned failed = 0;

    while (!over()) {
        uint64_t began = now_ns(), took;
        int fd = dial(), heard = 0;

        if (fd >= 0 && say(fd, STATUS, sizeof(STATUS)))
            heard = hear(fd, text, sizeof(text), 10000);
        took = (now_ns() - began) / 1000;
        if (heard == 1 && strstr(text, "\"apps\"")) {
            histogram_add(&h, took);
            seconds_answer(&seconds, took);
        } else {
            failed++;
            if (heard)
                seconds_failure(took, "%.200s", heard < 0 ? "the agent does not answer within 10 s" : text);
        }
        if (fd >= 0)
            close(fd);
        usleep(pause_ms * 1000);
    }
    if (seconds_file >= 0)
        seconds_flush(&seconds);
    printf("polite answered %" PRIu64 " failed %u p50 %" PRIu64 " p99 %" PRIu64 " max %" PRIu64 "\n", h.count, failed,
           histogram_at(&h, 500), histogram_at(&h, 990), h.max);
    return failed > 0 || h.count == 0;
}

/* What is no call is told so, or its sender is left. */
static bool refused(const char *bytes, size_t length, unsigned *told, unsigned *closed)
{
    char text[8192];
    int fd = dial(), heard;

    if (fd < 0)
        return true;
    heard = say(fd, bytes, length) ? hear(fd, text, sizeof(text), PATIENCE) : 0;
    close(fd);
    *told += heard == 1;
    *closed += heard == 0;
    if (heard == 0 || (heard == 1 && strncmp(text, "{\"error\"", 8) == 0))
        return true;
    printf("malformed %.80s: %s\n", bytes, heard < 0 ? "no answer" : text);
    return false;
}

#define CALL(method, parameters) "{\"method\":\"" AGENT method "\",\"parameters\":" parameters "}"
#define BAD(text)          \
    {                      \
        text, sizeof(text) \
    }

static const struct {
    const char *bytes;
    size_t length;
} bad[] = {
    BAD(""),
    BAD("{"),
    BAD("[]"),
    BAD("null"),
    BAD("\"x\""),
    BAD("{}"),
    BAD("{\"method\":1}"),
    BAD("{\"method\":\"Status\"}"),
    BAD("{\"method\":\"" AGENT "\"}"),
    BAD("{\"method\":\"" AGENT "Status\\u0000\"}"),
    BAD(STATUS "x"),
    BAD(STATUS STATUS),
    BAD("{\"method\":\"" AGENT "Status\",}"),
    BAD("{'method':'" AGENT "Status'}"),
    BAD("{\"method\":\"" AGENT "Status\",\"more\":\"yes\"}"),
    BAD("{\"method\":\"" AGENT "Status\",\"upgrade\":true}"),
    BAD("{\"method\":\"" AGENT "Status\",\"parameters\":[]}"),
    BAD("{\"method\":\"" AGENT "Status\",\"parameters\":\"x\"}"),
    BAD("{\"method\":\"" AGENT "Status\",\"method\":\"" AGENT "Nothing\"}"),
    BAD(CALL("Status", "{\"app\":\"web\",\"app\":7}")),
    BAD(CALL("Status", "{\"ap\":\"web\"}")),
    BAD(CALL("Status", "{\"app\":\"\xff\xfe\"}")),
    BAD(CALL("Status", "{\"app\":\"w\\u0000b\"}")),
    BAD(CALL("Status", "{\"app\":\"../../etc/passwd\"}")),
    BAD(CALL("Status", "{\"app\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}")),
    BAD(CALL("Deploy", "{}")),
    BAD(CALL("Deploy", "{\"app\":7,\"release\":\"v1\"}")),
    BAD(CALL("Deploy", "{\"app\":\"web\",\"release\":{\"a\":[[]]}}")),
    BAD(CALL("Deploy", "{\"app\":\"web\",\"release\":null}")),
    BAD(CALL("Deploy", "{\"app\":\"web\",\"release\":\"../v1\"}")),
    BAD(CALL("History", "{\"limit\":-1}")),
    BAD(CALL("History", "{\"limit\":99999999999999999999}")),
    BAD(CALL("History", "{\"limit\":1e400}")),
    BAD(CALL("History", "{\"limit\":NaN}")),
    BAD(CALL("Wait", "{\"app\":\"web\",\"state\":\"never heard of\"}")),
    BAD(CALL("Logs", "{\"app\":\"web\",\"zone\":\"red\"}")),
    BAD(CALL("Exec", "{\"app\":\"web\",\"command\":[]}")),
    BAD(CALL("Exec", "{\"app\":\"web\",\"command\":[1,2]}")),
    BAD(CALL("Feed", "{\"app\":\"web\",\"action\":\"explode\"}")),
    BAD("{\"method\":\"org.varlink.service.GetInterfaceDescription\",\"parameters\":{\"interface\":7}}"),
};

static bool deep(unsigned *told, unsigned *closed)
{
    char text[2 * 4000 + 200];
    int length = snprintf(text, sizeof(text), "{\"method\":\"" AGENT "Status\",\"parameters\":");

    memset(text + length, '[', 4000);
    memset(text + length + 4000, ']', 4000);
    text[length + 8000] = '}';
    text[length + 8001] = '\0';
    return refused(text, (size_t)length + 8002, told, closed);
}

static int malformed(void)
{
    unsigned told = 0, closed = 0, wrong = 0;

    do {
        for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
            wrong += !refused(bad[i].bytes, bad[i].length, &told, &closed);
        wrong += !deep(&told, &closed);
    } while (!over());
    printf("malformed told %u closed %u wrong %u\n", told, closed, wrong);
    return wrong > 0;
}

static int noise(void)
{
    static char text[1 << 20];
    unsigned told = 0, closed = 0, silent = 0;

    srandom(7);
    for (unsigned n = 0; n < count && !over(); n++) {
        char call[] = CALL("Connections", "{\"app\":\"web\",\"zone\":\"blue\",\"limit\":10}");
        int fd = dial(), heard;

        if (fd < 0)
            continue;
        for (long flips = random() % 6 + 1; flips > 0; flips--)
            call[random() % (long)(sizeof(call) - 1)] = (char)(random() % 255 + 1);
        heard = say(fd, call, sizeof(call)) ? hear(fd, text, sizeof(text), PATIENCE) : 0;
        told += heard == 1;
        closed += heard == 0;
        silent += heard < 0;
        close(fd);
    }
    printf("noise told %u closed %u silent %u\n", told, closed, silent);
    return silent > 0;
}

/* A message that never ends is not taken for ever. */
static int huge(void)
{
    static char bytes[1 << 16];
    uint64_t taken = 0, connections = 0, most = 0;

    memset(bytes, '[', sizeof(bytes));
    do {
        struct timeval patience = {.tv_sec = 2};
        uint64_t here = 0;
        int fd = dial();

        if (fd < 0)
            continue;
        connections++;
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
        for (ssize_t n; (n = send(fd, bytes, sizeof(bytes), MSG_NOSIGNAL)) > 0;)
            here += (uint64_t)n;
        most = here > most ? here : most;
        taken += here;
        close(fd);
    } while (!over());
    printf("huge connections %" PRIu64 " bytes %" PRIu64 " most %" PRIu64 "\n", connections, taken, most);
    return most > 4u << 20; /* what a socket's buffers hold, and not much more */
}

static int vanish(void)
{
    static const char *const calls[] = {
        "{\"method\":\"" AGENT "Wait\",\"more\":true,\"parameters\":{\"app\":\"web\",\"state\":\"empty\"}}",
        "{\"method\":\"" AGENT "Attach\",\"more\":true,\"parameters\":{\"app\":\"web\"}}",
        "{\"method\":\"" AGENT "Diff\",\"more\":true,\"parameters\":{\"app\":\"web\"}}",
        "{\"method\":\"" AGENT "Test\",\"more\":true,\"parameters\":{\"app\":\"web\"}}",
        "{\"method\":\"" AGENT
        "Exec\",\"more\":true,\"parameters\":{\"app\":\"web\",\"command\":[\"/bin/sleep\",\"60\"]}}",
        "{\"method\":\"" AGENT "Logs\",\"parameters\":{\"app\":\"web\"}}",
        "{\"method\":\"" AGENT "Status\"}",
    };
    unsigned n = 0;

    while (!over()) {
        const char *call = calls[n++ % (sizeof(calls) / sizeof(*calls))];
        int fd = dial();

        if (fd < 0)
            continue;
        say(fd, call, strlen(call) + (n % 5 > 0)); /* some even without its end */
        usleep(n % 3 * 15000);
        close(fd);
    }
    printf("vanish calls %u\n", n);
    return 0;
}

static int half(void)
{
    static char text[1 << 20];
    unsigned answered = 0, failed = 0;

    while (!over()) {
        int fd = dial();

        if (fd < 0)
            continue;
        bool right = say(fd, STATUS, sizeof(STATUS)) && shutdown(fd, SHUT_WR) == 0 &&
                     hear(fd, text, sizeof(text), PATIENCE) == 1 && hear(fd, text, sizeof(text), PATIENCE) == 0;
        answered += right;
        failed += !right;
        close(fd);
    }
    printf("half answered %u failed %u\n", answered, failed);
    return failed > 0;
}

/* Every second one is an error, so that their order can be told. */
static int pipelined(void)
{
    static const char no[] = "{\"method\":\"" AGENT "Nothing\"}";
    static char text[1 << 20];
    unsigned answered = 0, wrong = 0;

    while (!over()) {
        int fd = dial();
        bool right = fd >= 0;
        unsigned asked = 0, heard = 0;

        if (fd < 0)
            continue;
        while (right && heard < count) {
            /* What is sent and not answered stays below what the sockets hold, or both would wait. */
            for (; asked < count && asked - heard < 100 && right; asked++)
                right = asked % 2 ? say(fd, no, sizeof(no)) : say(fd, STATUS, sizeof(STATUS));
            right = right && hear(fd, text, sizeof(text), PATIENCE) == 1 &&
                    (strncmp(text, "{\"error\"", 8) == 0) == (heard % 2 == 1);
            heard += right;
        }
        answered += heard;
        wrong += !right;
        close(fd);
    }
    printf("pipelined answered %u wrong %u\n", answered, wrong);
    return wrong > 0;
}

/* --- many at once --------------------------------------------------------------------------- */

static int *dial_all(unsigned *dialled)
{
    int *fds = calloc(count, sizeof(*fds));
    struct rlimit files;

    if (!fds)
        err(1, "memory for %u connections", count);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    for (*dialled = 0; *dialled < count; ++*dialled) {
        fds[*dialled] = dial();
        if (fds[*dialled] < 0)
            break;
    }
    return fds;
}

/* Also after what is still to be read. */
static bool is_closed(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    return poll(&p, 1, 0) > 0 && (p.revents & POLLHUP);
}

static int many(void)
{
    static char text[1 << 20];
    unsigned n, answered = 0, closed = 0, silent = 0;
    int *fds = dial_all(&n);

    for (unsigned i = 0; i < n; i++) {
        int heard = say(fds[i], STATUS, sizeof(STATUS)) ? hear(fds[i], text, sizeof(text), PATIENCE) : 0;

        answered += heard == 1;
        closed += heard == 0;
        silent += heard < 0;
    }
    while (!over())
        usleep(10000);
    free(fds);
    printf("many connected %u answered %u closed %u silent %u\n", n, answered, closed, silent);
    return silent > 0 || n == 0;
}

static int slow(void)
{
    unsigned n, closed = 0;
    int *fds = dial_all(&n);
    uint64_t began = now_ms(), first = 0, last = 0;

    for (unsigned i = 0; !over() && closed < n; i++) {
        char c = i ? ' ' : '{';

        usleep(100000);
        for (unsigned k = 0; k < n; k++) {
            if (fds[k] < 0 || (!is_closed(fds[k]) && say(fds[k], &c, 1)))
                continue;
            close(fds[k]);
            fds[k] = -1;
            last = now_ms() - began;
            first = closed++ ? first : last;
        }
    }
    free(fds);
    printf("slow connected %u closed %u first_ms %" PRIu64 " last_ms %" PRIu64 "\n", n, closed, first, last);
    return 0;
}

static int deaf(void)
{
    unsigned n, closed = 0;
    int *fds = dial_all(&n);
    uint64_t calls = 0;

    while (!over() && closed < n) {
        for (unsigned i = 0; i < n; i++) {
            ssize_t sent = 0;

            for (unsigned k = 0; fds[i] >= 0 && k < 50; k++) {
                sent = send(fds[i], STATUS, sizeof(STATUS), MSG_NOSIGNAL | MSG_DONTWAIT);
                if (sent != sizeof(STATUS))
                    break; /* what is cut off here makes the rest no calls: they count as well */
                calls++;
            }
            if (fds[i] >= 0 && sent < 0 && errno != EAGAIN) {
                close(fds[i]);
                fds[i] = -1;
                closed++;
            }
        }
        usleep(10000);
    }
    free(fds);
    printf("deaf connected %u calls %" PRIu64 " closed %u\n", n, calls, closed);
    return 0;
}

/* -------------------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    int (*run)(void);
} kinds[] = {
    {"polite", polite}, {"many", many},     {"slow", slow}, {"huge", huge}, {"malformed", malformed},
    {"noise", noise},   {"vanish", vanish}, {"deaf", deaf}, {"half", half}, {"pipelined", pipelined},
};

/* As a process of its own, whose connections end with it. */
static int run_apart(int (*run)(void), double seconds)
{
    int status = 1;
    pid_t pid = fork();

    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        until = now_ms() + (uint64_t)(seconds * 1000);
        status = run();
        fflush(stdout);
        _exit(status);
    }
    return pid > 0 && waitpid(pid, &status, 0) == pid ? status : 1;
}

int main(int argc, char *argv[])
{
    bool all = argc >= 3 && strcmp(argv[2], "all") == 0;
    int failed = 0, done = 0;

    if (argc < 4)
        errx(2, "usage: abuse SOCKET KIND SECONDS [COUNT [FILE]]");
    snprintf(at.sun_path, sizeof(at.sun_path), "%s", argv[1]);
    if (argc > 4)
        count = pause_ms = (unsigned)strtoul(argv[4], NULL, 10);
    if (argc > 5 && !seconds_open(argv[5]))
        err(1, "open %s", argv[5]);
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
        if (all ? i < 2 : strcmp(kinds[i].name, argv[2]) != 0)
            continue;
        failed |= run_apart(kinds[i].run, strtod(argv[3], NULL)) != 0;
        done++;
    }
    if (done == 0)
        errx(2, "no such kind: %s", argv[2]);
    return failed;
}
