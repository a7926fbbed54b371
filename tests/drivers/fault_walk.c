/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fault_walk SERIES...: does what a series says once while every call of the agent that may fail is noted
 * (fail_at.so), and then again for each of them and each error that the kernel has for it, with that one call failing
 * once, in one agent that goes on. After each: the client that is under way got all its answers, whatever was refused
 * names the fault, the next command works, and nothing is left behind. The agent may have ended in series "restart"
 * only, where it must say why.
 *
 *   WORLD, BUILD    as in tests/world/lib.sh; apps web (live, with a client) and api are configured, the releases v1
 * and v2
 *   FAULT_SECONDS   for each series: as many faults as fit, evenly chosen; 0: all. FAULT_ALL=1: with each error
 *   FAULT_PART=K/N  one of so many parts of it, for several worlds side by side; FAULT_WALKED=FILE: what one of them
 * has walked, the others leave out
 *   FAULT_ONLY      what is walked: fault_only.h; FAULT_PROGRAM: only in that program
 *   FAULT_VERBOSE=1 shows each, 2 where the call comes from
 *   FAULT_LASTING=1   the disk of the state directory is full, or read-only, from each call on that needs room there,
 * until the answer has come
 *
 * Prints a table of what was walked, and a line for each thing that is not as it should be; the status says if there
 * are.
 */
#include "fault_agent.h"
#include "fault_client.h"
#include "fault_only.h"
#include "fault_series.h"
#include "fault_table.h"
#include "fault_traces.h"

#include <strings.h>

enum { SETTLE_MS = 4000, LATE_MS = 150, WALKED = 1 << 15, TELL_EVERY = 250 };

static struct {
    const struct series *series;
    struct traces before, after;
    uint32_t points[FAIL_POINTS]; /* the chosen ones of the agent's */
    uint32_t count;
    uint64_t *walked; /* hash table of the places that an earlier series has, or another world */
    unsigned wrong, faults, seconds;
    int verbose;
    bool lasting;
} walk;

/* --- what is found ------------------------------------------------------------------------------------------- */

static void wrong(const struct fail_point *point, int error, const char *what, const char *details)
{
    char name[64];
    walk.wrong++;
    count(walk.series->name, point, error, WRONG);
    printf("WRONG %s: %s: %s(%s) %s %s: %s%s%.900s\n", walk.series->name, point->program, fail_names[point->call],
           point->object, point->library, error_name(error, name), what, details[0] ? ": " : "", details);
    show_place(point);
    fflush(stdout);
}

/* Whether the text has the error in one of the ways in which it is told. Where one data base of users has no memory,
 * the C library goes on to the next one, which has not heard of the user. */
static bool names_error(const char *text, int error)
{
    int plain = plain_error(error);
    /* The role that speaks to clients may end of it, as long as that is told. libnl leaves an answer unread and tells
     * of the next one, and has words of its own. */
    if (strstr(text, "the api role ") || strcasestr(text, "sequence number mismatch") ||
        strcasestr(text, strerror(plain)) || strcasestr(text, strerrorname_np(plain)))
        return true;
    switch (plain) {
    case ENOMEM: /* pthread_create(3) says EAGAIN of that */
    case ENOBUFS:
        return strcasestr(text, "memory") || strstr(text, "start a thread") || strstr(text, "there is no user");
    case EAGAIN: return strcasestr(text, "try again") || strcasestr(text, "another agent answers");
    case EBUSY: return strcasestr(text, "busy");
    case EINTR: return strcasestr(text, "interrupted");
    case EADDRINUSE: return strcasestr(text, "another agent");
    case EPERM: return strcasestr(text, "permi");
    default: return false;
    }
}

/* --- one fault ------------------------------------------------------------------------------------------------ */

/* A check has a socket while it runs: of several looks, the one with the least. */
static void look_before(void)
{
    traces_take(&walk.before, agent.world);
    for (int i = 0; i < 12; i++) {
        usleep(17000);
        traces_take(&walk.after, agent.world);
        if (walk.after.count < walk.before.count)
            walk.before = walk.after;
    }
}

/* Nothing runs or drains any more. */
static bool quiet(void)
{
    struct seen web, api;
    return look("web", &web) && look("api", &api) && !web.busy && !web.draining && !api.busy && !api.draining;
}

/* As before, at the latest when all that goes on by itself has ended. */
static bool settled(char *difference, size_t size)
{
    uint64_t until = now_ms() + SETTLE_MS;
    difference[0] = '\0';
    do {
        if (agent_gone()) {
            snprintf(difference, size, "the agent has ended");
            return false;
        }
        if (quiet()) {
            usleep(20000); /* until the connections that asked are closed at the other end, too */
            traces_take(&walk.after, agent.world);
            if (traces_same(&walk.before, &walk.after, difference, size))
                return true;
        }
        usleep(20000);
    } while (now_ms() < until);
    return false;
}

static void arm(const struct fail_point *point, uint32_t which, int error)
{
    struct fail_control *control = agent.control;
    control->mode = FAIL_OFF;
    control->place = point->place;
    control->call = point->call;
    control->caller = point->caller;
    control->which = which;
    control->error = error;
    control->seen = control->done = 0;
    control->mode = walk.lasting ? FAIL_LASTING : FAIL_ONCE;
}

/* Some calls come behind the answer: in the drain, at a timer. */
static bool reached(void)
{
    for (int i = 0; i < LATE_MS / 10 && !agent.control->done; i++)
        usleep(10000);
    agent.control->mode = FAIL_OFF;
    return agent.control->done;
}

/* Whatever is not as it was is brought back by the next command, which therefore has to work. */
static void mend(const struct fail_point *point, int error, bool done)
{
    static char difference[4096];
    struct said said;
    if (agent_gone()) {
        if (!walk.series->ends || strncmp(agent.end, "status", strlen("status")) != 0)
            wrong(point, error, "the agent has ended", agent.end);
        if (!agent_start()) {
            wrong(point, error, "the agent does not start again", "");
            return;
        }
        done = false;
    }
    for (int i = 0; i < 200 && !quiet(); i++)
        usleep(20000);
    bool as_before = done && !walk.series->ends && settled(difference, sizeof difference);
    if (!as_before && !walk.series->mend(&said))
        wrong(point, error, "the next command fails", said.text);
    if (as_before || settled(difference, sizeof difference))
        return;
    wrong(point, error, "something is left, or missing", difference);
    look_before();
}

/* Each end of the probe role doubles the time until it is started again, and here it ends every second: an agent that
 * is new begins anew. */
static void forget_ends(const char *log)
{
    if (strstr(log, "the probe role (pid ") && !agent_gone()) {
        agent_kill(SIGKILL);
        agent_start();
    }
}

static void inject(const struct fail_point *point, uint32_t which, int error)
{
    static char log[65536];
    static struct said said;
    char name[64];
    unsigned long failed = client.failed;
    log_mark();
    arm(point, which, error);
    bool done = walk.series->act(&said), hit = reached(), told;
    log_read(log, sizeof log);
    told = names_error(said.text, error) || names_error(log, error);
    walk.faults++;
    count(walk.series->name, point, error, FAULTS);
    count(walk.series->name, point, error, !hit ? UNREACHED : done ? NO_LOSS : REFUSED);
    if (hit && !done && !told && !is_untold(point))
        wrong(point, error, "the message does not name it", said.text[0] ? said.text : log);
    if (!hit && !done && !agent_gone())
        wrong(point, error, "it failed without the fault", said.text);
    if (said.kind == BLUEGREEN_INTERRUPTED)
        wrong(point, error, "no answer came", log);
    forget_ends(log);
    mend(point, error, done);
    if (client.failed != failed)
        wrong(point, error, "the client's requests failed", client.why);
    if (walk.verbose) {
        printf("%s: %s(%s) #%u %s: %s%s %.300s\n", walk.series->name, fail_names[point->call], point->object, which,
               error_name(error, name),
               !hit   ? "not reached"
               : done ? "no loss"
                      : "refused",
               done && hit && !told ? ", untold" : "", said.text);
        if (walk.verbose > 1 && hit && done && !told)
            show_place(point);
        fflush(stdout);
    }
}

/* --- walking -------------------------------------------------------------------------------------------------- */

/* In the file that several worlds have, if there is one. */
static bool open_walked(void)
{
    const char *path = getenv("FAULT_WALKED");
    size_t size = WALKED * sizeof *walk.walked;
    int fd = path ? open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;
    if (path && (fd < 0 || ftruncate(fd, (off_t)size) < 0))
        return false;
    walk.walked = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | (path ? 0 : MAP_ANONYMOUS), fd, 0);
    if (fd >= 0)
        close(fd);
    return walk.walked != MAP_FAILED;
}

/* True the first time. */
static bool is_new(uint64_t place)
{
    size_t i = place % WALKED;
    while (walk.walked[i] && walk.walked[i] != place)
        i = (i + 1) % WALKED;
    bool new = !walk.walked[i];
    walk.walked[i] = place;
    return new;
}

/* A place is the same in every world. */
static bool in_part(uint64_t place)
{
    const char *part = getenv("FAULT_PART");
    unsigned mine, parts;
    return !part || sscanf(part, "%u/%u", &mine, &parts) != 2 || parts == 0 || place % parts == mine;
}

static bool chosen(uint32_t index)
{
    const struct fail_point *point = &agent.control->points[index];
    const char *program = getenv("FAULT_PROGRAM"), *full = agent.control->full;
    if (program && strcmp(program, point->program) != 0)
        return false;
    if (walk.lasting && (!fail_needs_room(point->call) || strncmp(point->object, full, strlen(full)) != 0))
        return false;
    return only_takes(agent.control, index, 0) && errors_of(point)[0] && in_part(point->place) &&
           (only_count > 0 || is_new(point->place));
}

/* Twice, for what timers do differs. */
static bool list_points(void)
{
    struct said said;
    char difference[4096];
    agent.control->count = 0;
    for (int i = 0; i < 2; i++) {
        agent.control->mode = FAIL_RECORD;
        bool done = walk.series->act(&said);
        usleep(LATE_MS * 1000);
        agent.control->mode = FAIL_OFF;
        if (done && walk.series->ends)
            done = walk.series->mend(&said);
        if (!done || !settled(difference, sizeof difference)) {
            printf("WRONG %s: unharmed, it fails: %s\n", walk.series->name, done ? difference : said.text);
            return false;
        }
    }
    only_mark(agent.control);
    walk.count = 0;
    for (uint32_t i = 0; i < agent.control->count; i++) {
        if (chosen(i))
            walk.points[walk.count++] = i;
    }
    return true;
}

/* Each error at the first call from there, and one at the last. In little time, one error at each, another each time.
 * */
static void walk_point(uint32_t index, bool all)
{
    const struct fail_point *point = &agent.control->points[index];
    const int *errors = walk.lasting ? lasting_errors : errors_of(point);
    int possible = 0;
    while (possible < ERRORS_MAX && errors[possible])
        possible++;
    count(walk.series->name, point, 0, PLACES);
    for (int i = 0; i < possible; i++) {
        if (only_takes(agent.control, index, errors[i]) && (all || i == (int)(walk.faults % (unsigned)possible)))
            inject(point, 1, errors[i]);
    }
    if (all && point->times > 3 && only_takes(agent.control, index, errors[0]))
        inject(point, point->times / 2, errors[0]);
}

static void show_progress(uint32_t places)
{
    printf("%s: %u places of %u, %u faults so far\n", walk.series->name, places, walk.count, walk.faults);
    fflush(stdout);
}

/* With a step that has no factor in common with their number, all of them come once, and early ones from everywhere. */
static void walk_points(void)
{
    uint64_t until = now_ms() + (uint64_t)walk.seconds * 1000;
    uint32_t step = walk.seconds ? 7919 : 1, at = 0, i = 0; /* a prime */
    bool all = !walk.seconds || getenv("FAULT_ALL");
    for (; i < walk.count && (!walk.seconds || now_ms() < until); i++, at = (at + step) % walk.count) {
        walk_point(walk.points[at], all);
        if (i % TELL_EVERY == 0)
            show_progress(i);
    }
    show_progress(i);
}

static bool walk_series(const char *name)
{
    char difference[4096];
    walk.series = NULL;
    for (size_t i = 0; i < sizeof all_series / sizeof *all_series; i++) {
        if (strcmp(all_series[i].name, name) == 0)
            walk.series = &all_series[i];
    }
    if (!walk.series) {
        fprintf(stderr, "fault_walk: no such series: %s\n", name);
        return false;
    }
    look_before();
    struct said said;
    if (!walk.series->mend(&said))
        printf("WRONG %s: %s\n", name, said.text);
    settled(difference, sizeof difference);
    look_before();
    if (!list_points())
        return false;
    walk_points();
    return true;
}

/* What makes later releases alike: both zones are there. */
static bool prepare(void)
{
    struct said said;
    if (!agent_open(getenv("WORLD"), getenv("BUILD")) || !agent_start()) {
        fprintf(stderr, "fault_walk: the agent does not start\n");
        return false;
    }
    for (int i = 0; i < 2; i++) {
        if (!deploy_anew(&said)) {
            fprintf(stderr, "fault_walk: %s\n", said.text);
            return false;
        }
    }
    return client_start();
}

int main(int argc, char *argv[])
{
    const char *seconds = getenv("FAULT_SECONDS"), *verbose = getenv("FAULT_VERBOSE");
    walk.seconds = seconds ? (unsigned)atoi(seconds) : 0;
    walk.verbose = verbose ? atoi(verbose) : 0;
    walk.lasting = getenv("FAULT_LASTING");
    only_read();
    bool good = argc > 1 && open_walked() && prepare();
    if (good)
        snprintf(agent.control->full, sizeof agent.control->full, "%s/state/", agent.world);
    for (int i = 1; i < argc && good; i++)
        good = walk_series(argv[i]);
    good = only_all_found() && good;
    if (client.thread)
        client_end();
    show_table(&table_of_kinds, "series, kind of call");
    show_table(&table_of_errors, "series, error");
    printf("client: %lu requests, %lu failed\n", client.requests, client.failed);
    agent_kill(SIGTERM);
    return good && walk.wrong == 0 && client.failed == 0 ? 0 : 1;
}
