/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Starts that are under way, and why they fail. */
#include "zone/starts.h"

#include "base/text.h"

#include <errno.h>
#include <string.h>

/* --- under way ------------------------------------------------------------------------------------- */

bool starts_add(struct starts *starts, uint32_t serial, const char *process, const char *who)
{
    if (starts->count == SHIM_PROCESSES_MAX)
        return false;
    struct start *start = &starts->items[starts->count++];
    start->serial = serial;
    text_copy(start->process, sizeof start->process, process);
    text_copy(start->who, sizeof start->who, who);
    return true;
}

bool starts_take(struct starts *starts, uint32_t serial, struct start *start)
{
    for (size_t i = 0; serial != 0 && i < starts->count; i++) {
        if (starts->items[i].serial != serial)
            continue;
        *start = starts->items[i];
        starts->items[i] = starts->items[--starts->count];
        return true;
    }
    return false;
}

bool starts_waiting(const struct starts *starts, const char *prefix)
{
    for (size_t i = 0; i < starts->count; i++) {
        if (text_starts_with(starts->items[i].process, prefix))
            return true;
    }
    return false;
}

/* --- failures -------------------------------------------------------------------------------------- */

/* What to look at, for the failures that a user can mend. Error 0: whatever it was. */
static const struct {
    enum shim_stage stage;
    int error;
    const char *text;
} advices[] = {
    {SHIM_STAGE_EXEC, ENOENT, "there is no such file in the zone, or the interpreter that it names is missing"},
    {SHIM_STAGE_EXEC, EACCES, "it must be executable, and every directory above it open, for the app's user"},
    {SHIM_STAGE_EXEC, ENOEXEC, "it is neither a program of this machine nor a script that names its interpreter"},
    {SHIM_STAGE_WORKDIR, 0, "see [app] workdir: it must exist and be open for the app's user"},
    {SHIM_STAGE_SOURCE, ENOENT, "see [files]: it must be there before the app starts (state makes a directory)"},
    {SHIM_STAGE_SOURCE, ELOOP,
     "a part of it is a symbolic link, which is not followed: see who made it, and name in [files] the place you mean"},
    {SHIM_STAGE_SOURCE, ENOTDIR, "a part of it is no directory: see [files]"},
    {SHIM_STAGE_SOURCE, 0, "see [files] and [sandbox]"},
    {SHIM_STAGE_VIEW, ENOENT, "see [files]: where a path is to be shown, a file or directory must be already"},
    {SHIM_STAGE_VIEW, ELOOP,
     "a part of it is a symbolic link, which is not followed: see who made it, and name in [files] the place you mean"},
    {SHIM_STAGE_VIEW, ENOSYS, "the sandbox needs Linux 5.12 or newer"},
    {SHIM_STAGE_VIEW, 0, "see [files] and [sandbox]"},
    {SHIM_STAGE_RLIMITS, EPERM,
     "[limits] open_files is more than the agent may give: raise LimitNOFILE= of its unit (or its ulimit -n)"},
    {SHIM_STAGE_RLIMITS, 0, "see [limits] open_files: fs.nr_open is the most that a process can have"},
    {SHIM_STAGE_FILTER, 0,
     "the kernel needs CONFIG_SECCOMP_FILTER; [sandbox] syscalls = off runs the app without its protection"},
    {SHIM_STAGE_CLONE, EAGAIN, "the zone has as many processes as [limits] tasks allows, or the host as it can"},
    {SHIM_STAGE_CLONE, EBUSY, "its cgroup takes no processes: somebody enabled controllers in it"},
    {SHIM_STAGE_CLONE, EOPNOTSUPP, "its cgroup takes no processes: see cgroup.type in it"},
    {SHIM_STAGE_CLONE, ENOMEM, "the zone is ending, or memory has run out"},
    {SHIM_STAGE_CGROUP_NAMESPACE, 0, "the kernel needs CONFIG_CGROUPS and namespaces (Linux 4.6)"},
    {SHIM_STAGE_KILLED, 0, "its process was killed before that: by somebody, or because memory ran out"},
    {SHIM_STAGE_TIMEOUT, 0, "a file system that the app needs may hang"},
};

static const char *advice(const struct shim_state *state)
{
    for (size_t i = 0; i < sizeof advices / sizeof *advices; i++) {
        if (advices[i].stage == state->stage && (advices[i].error == 0 || advices[i].error == (int)state->error))
            return advices[i].text;
    }
    return NULL;
}

static int explain_failure(const char *who, const struct shim_state *state, const char *object, struct error *err)
{
    char what[SHIM_STAGE_TEXT_MAX];
    const char *next = advice(state);
    shim_stage_describe(state->stage, state->object ? state->object : object, what);
    int result = error_errno(err, state->error ? (int)state->error : EPROTO, "start %s: %s", who, what);
    return next ? error_suffix(err, "; %s", next) : result;
}

static int explain_refusal(const char *who, const struct shim_state *state, struct error *err)
{
    switch (state->error) {
    case EBUSY: return error_set(err, EBUSY, "start %s: it runs already or is just being stopped", who);
    case EAGAIN:
        return error_set(err, EAGAIN,
                         "start %s: %d processes run in the zone, and its shim takes no more; wait until checks or "
                         "commands (bluegreen exec) have ended, or end some",
                         who, SHIM_PROCESSES_MAX);
    case EOPNOTSUPP:
        if (state->tag == SHIM_TAG_LISTEN)
            return error_set(err, EOPNOTSUPP,
                             "start %s: this zone's shim is older than [ports] listen; deploy again, which makes a new "
                             "zone",
                             who);
        return error_set(err, EOPNOTSUPP,
                         "start %s: its shim is older than this agent and does not know field %#x; make the zone anew",
                         who, state->tag);
    default: return error_errno(err, state->error ? (int)state->error : EPROTO, "start %s: its shim refuses", who);
    }
}

int start_explain(const char *who, enum shim_type type, const struct shim_state *state, const char *object,
                  struct error *err)
{
    return type == SHIM_FAILED ? explain_failure(who, state, object, err) : explain_refusal(who, state, err);
}

void start_failed(const struct start *start, const struct shim_state *state, enum shim_type type,
                  struct zone_app *about)
{
    struct error err = {0};
    *about = (struct zone_app){0};
    start_explain(start->who, type, state, "", &err);
    text_copy(about->name, sizeof about->name, start->process);
    text_copy(about->reason, sizeof about->reason, err.text);
    about->start_error = err.code;
}
