/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The files of both releases, and what their processes have loaded: two sorted streams of digests, compared as they
 * come. Apart from diff.c because it takes time, and goes on from event to event. */
#include "agent/diff.h"

#include "agent/api_role.h"
#include "agent/digests.h"
#include "model/wire_answers.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    ROWS_MAX = 200,    /* of files, and of libraries */
    AT_ONCE_MAX = 256, /* then others have their turn */
    PROGRESS_MS = 1000,
};

static const char *const phase_names[DIFF_PHASES] = {[DIFF_FILES] = "files", [DIFF_LIBRARIES] = "libraries"};

static void say_progress(struct diff *diff)
{
    uint64_t now = clock_monotonic_ms(), bytes[COLOURS] = {0};
    uint32_t files[COLOURS] = {0};
    if (now - diff->said_ms < PROGRESS_MS)
        return;
    diff->said_ms = now;
    for (int colour = 0; colour < COLOURS; colour++)
        digest_done(diff->sides[colour].run, &files[colour], &bytes[colour]);
    struct wire_progress message = {.zone = BLUE, .elapsed_ms = now - diff->began_ms};
    text_copy(message.step, sizeof message.step, "diff");
    snprintf(message.text, sizeof message.text,
             "%s: %u files, %" PRIu64 " MiB of blue; %u files, %" PRIu64 " MiB of green", phase_names[diff->phase],
             files[BLUE], bytes[BLUE] >> 20, files[GREEN], bytes[GREEN] >> 20);
    client_send(diff->agent, &message, diff->client, diff->request, WIRE_PROGRESS, sizeof message);
}

void diff_drop_runs(struct diff *diff)
{
    for (int colour = 0; colour < COLOURS; colour++) {
        digest_drop(diff->sides[colour].run);
        diff->sides[colour].run = NULL;
    }
}

/* --- one file ------------------------------------------------------------------------------------- */

static void describe(const struct digest_message *file, char text[WIRE_TEXT_MAX + 1])
{
    char sum[2 * DIGEST_SUM_SIZE + 1];
    for (size_t i = 0; i < DIGEST_SUM_SIZE; i++)
        snprintf(sum + 2 * i, 3, "%02x", file->sum[i]);
    if (file->error == ESTALE)
        snprintf(text, WIRE_TEXT_MAX + 1, "replaced since it was loaded");
    else if (file->error)
        snprintf(text, WIRE_TEXT_MAX + 1, "unreadable: %s", strerror(file->error));
    else if (file->type == 'f')
        snprintf(text, WIRE_TEXT_MAX + 1, "%04o %" PRIu64 " B sha256:%s", file->mode, file->size, sum);
    else if (file->type == 'l')
        snprintf(text, WIRE_TEXT_MAX + 1, "link sha256:%s", sum);
    else
        snprintf(text, WIRE_TEXT_MAX + 1, "%s %04o",
                 file->type == 'd'   ? "directory"
                 : file->type == 'm' ? "another file system"
                                     : "no file",
                 file->mode);
}

static bool same_file(const struct digest_message *a, const struct digest_message *b)
{
    return a->type == b->type && a->mode == b->mode && a->size == b->size && a->error == b->error &&
           memcmp(a->sum, b->sum, sizeof a->sum) == 0;
}

/* A library that only one zone has loaded says something of what it was asked to do so far, not of the host. */
static enum parity_of whose(const struct diff *diff, const struct digest_message *blue,
                            const struct digest_message *green)
{
    bool own = diff->phase == DIFF_FILES || !blue || !green || text_starts_with(blue->path, DIGEST_RELEASE);
    return own ? PARITY_RELEASE : PARITY_HOST;
}

/* The end of a path says most. */
static void name_of(const struct diff *diff, const char *path, char name[WIRE_TEXT_MAX + 1])
{
    enum { SHOWN = WIRE_TEXT_MAX - 16 };
    size_t length = strlen(path);
    bool cut = length > SHOWN;
    snprintf(name, WIRE_TEXT_MAX + 1, "%s%s%.*s", phase_names[diff->phase],
             cut              ? "/..."
             : path[0] == '/' ? ""
                              : "/",
             (int)SHOWN, cut ? path + length - SHOWN : path);
}

/* One of them may be NULL. */
static void compare_file(struct diff *diff, const struct digest_message *blue, const struct digest_message *green)
{
    struct parity_difference row = {.of = whose(diff, blue, green)};
    bool unreadable =
        (blue && blue->error && blue->error != ESTALE) || (green && green->error && green->error != ESTALE);
    if (blue && green && same_file(blue, green) && !unreadable)
        return;
    if (diff->rows == ROWS_MAX) {
        diff->unshown++;
        return;
    }
    diff->rows++;
    /* cppcheck-suppress nullPointerRedundantCheck ; one of them is there */
    name_of(diff, (blue ? blue : green)->path, row.name);
    if (blue)
        describe(blue, row.values[BLUE]);
    if (green)
        describe(green, row.values[GREEN]);
    if (!unreadable) {
        diff_found(diff, &row);
        return;
    }
    diff->unknown++;
    diff_send(diff, "unknown", row.name, row.values[BLUE], row.values[GREEN], "it cannot be read as the app's user");
}

/* --- from file to file ------------------------------------------------------------------------------- */

static void end_phase(struct diff *diff)
{
    for (int colour = 0; colour < COLOURS; colour++) {
        const struct diff_side *side = &diff->sides[colour];
        if (digest_failure(side->run)[0])
            diff_unknown(diff, phase_names[diff->phase], "not all of zone %s%s%s: %s", colour_name((enum colour)colour),
                         side->directory ? ", " : "", side->directory ? side->directory : "",
                         digest_failure(side->run));
    }
    if (diff->unshown)
        text_addf(&diff->notes, "%sand %u more %s differ", diff->notes.length ? "\n" : "", diff->unshown,
                  phase_names[diff->phase]);
    diff->beyond += diff->phase == DIFF_LIBRARIES ? diff->unshown : 0;
    diff->of_release += diff->phase == DIFF_FILES ? diff->unshown : 0;
    diff_drop_runs(diff);
    diff->phase++;
    diff_next_phase(diff);
}

/* False: one of them has nothing yet, or the phase is over and diff may be gone. */
static bool step(struct diff *diff)
{
    struct digest_run *blue = diff->sides[BLUE].run, *green = diff->sides[GREEN].run;
    enum digest_state left = digest_state(blue), right = digest_state(green);
    bool broken =
        (left == DIGEST_OVER && digest_failure(blue)[0]) || (right == DIGEST_OVER && digest_failure(green)[0]);
    if (broken || (left == DIGEST_OVER && right == DIGEST_OVER)) {
        end_phase(diff);
        return false;
    }
    say_progress(diff);
    if (left == DIGEST_WAITS || right == DIGEST_WAITS)
        return false;
    int order = left == DIGEST_OVER    ? 1
                : right == DIGEST_OVER ? -1
                                       : digest_order(digest_head(blue)->path, digest_head(green)->path);
    compare_file(diff, order <= 0 ? digest_head(blue) : NULL, order >= 0 ? digest_head(green) : NULL);
    if (order <= 0)
        digest_next(blue);
    if (order >= 0)
        digest_next(green);
    return true;
}

void diff_go_on(void *context)
{
    struct diff *diff = context;
    for (int i = 0; i < AT_ONCE_MAX; i++) {
        if (!step(diff))
            return;
    }
    loop_timer_arm(diff->timer, 0);
}

/* --- beginning a phase --------------------------------------------------------------------------------- */

/* NULL, or why there is nothing to compare. */
static const char *nothing_to_compare(const struct diff *diff)
{
    const struct diff_side *blue = &diff->sides[BLUE], *green = &diff->sides[GREEN];
    if (!blue->known || !green->known)
        return "it is not known whose they are";
    if (diff->phase == DIFF_LIBRARIES)
        return blue->pids.count && green->pids.count ? NULL : "not both zones have a process";
    return blue->directory && green->directory
               ? NULL
               : "no %r in [app] run, a process's run or [app] workdir says where a release is";
}

static int start_side(struct diff *diff, struct diff_side *side, struct error *err)
{
    const struct digest_spec spec = {
        .what = diff->phase == DIFF_FILES ? "tree" : "libraries",
        .directory = side->directory ? side->directory : "",
        .pids = diff->phase == DIFF_LIBRARIES ? &side->pids : NULL,
        .uid = side->uid,
        .gid = side->gid,
        .groups = side->groups,
        .group_count = side->group_count,
    };
    return digest_start(diff->agent, &spec, diff_go_on, diff, &side->run, err);
}

static void begin_phase(struct diff *diff)
{
    struct error err = {0};
    const char *nothing = nothing_to_compare(diff);
    const char *blue = diff->sides[BLUE].directory, *green = diff->sides[GREEN].directory;
    bool same = diff->phase == DIFF_FILES && blue && green && strcmp(blue, green) == 0;
    diff->rows = diff->unshown = 0;
    if (!nothing && !same && start_side(diff, &diff->sides[BLUE], &err) == 0 &&
        start_side(diff, &diff->sides[GREEN], &err) == 0) {
        loop_timer_arm(diff->timer, 0);
        return;
    }
    diff_drop_runs(diff);
    if (!same) /* else both zones have the very same files */
        diff_unknown(diff, phase_names[diff->phase], "not compared: %s", nothing ? nothing : err.text);
    diff->phase++;
    diff_next_phase(diff);
}

void diff_next_phase(struct diff *diff)
{
    if (diff->phase < DIFF_PHASES)
        begin_phase(diff);
    else
        diff_finish(diff);
}
