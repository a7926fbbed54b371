/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * VERB_DOCTOR: a copy of the agent looks at the host and at the apps, which may take seconds, and says what it finds as
 * it finds it. One looks at a time: a probe's table and link have names.
 */
#include "agent/doctor.h"

#include "agent/api_role.h"
#include "agent/apps.h"
#include "agent/doctor_look.h"
#include "agent/replies.h"
#include "agent/requests.h"
#include "model/wire_answers.h"
#include "os/copy.h"
#include "os/process.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

enum {
    LOOK_MS = 30000,
    ROWS_MAX = 1000, /* more than anybody reads, and what still goes through the channel at once */
};

struct checkup {
    struct agent *agent;
    uint64_t client, request; /* client 0: it has gone */
    struct copy copy;
    struct loop_source *source, *exit_source;
    struct loop_timer *timer;
    bool late;
    unsigned found[DOCTOR_LEVELS];
    unsigned rows, unshown;
};

/* --- telling ------------------------------------------------------------------------------------- */

static void send_row(struct checkup *checkup, const char *kind, const struct doctor_finding *finding, const char *text)
{
    struct wire_item item = {0};
    if (checkup->rows == ROWS_MAX) {
        checkup->unshown++;
        return;
    }
    checkup->rows++;
    text_copy(item.kind, sizeof item.kind, kind);
    snprintf(item.name, sizeof item.name, "%s%s%s", doctor_check_name(finding->check), finding->app[0] ? ":" : "",
             finding->app);
    text_copy(item.text, sizeof item.text, text);
    text_sanitise(item.text);
    client_send(checkup->agent, &item, checkup->client, checkup->request, WIRE_ITEM, sizeof item);
}

/* A text that is longer than a row goes on in the next one, cut between words where that is possible. */
static void send_text(struct checkup *checkup, const struct doctor_finding *finding)
{
    const char *kind = doctor_level_name(finding->level), *at = finding->text;
    do {
        char part[WIRE_TEXT_MAX + 1];
        text_copy(part, sizeof part, at);
        char *blank = at[strlen(part)] ? strrchr(part, ' ') : NULL;
        if (blank && blank > part)
            *blank = '\0';
        at += strlen(part);
        at += *at == ' ';
        send_row(checkup, kind, finding, part);
        kind = "more";
    } while (*at);
}

static void tell(struct checkup *checkup, const struct doctor_finding *finding)
{
    if (finding->level >= DOCTOR_LEVELS || finding->check >= DOCTOR_CHECKS || finding->line_count > DOCTOR_LINES_MAX)
        return;
    checkup->found[finding->level]++;
    send_text(checkup, finding);
    for (size_t i = 0; i < finding->line_count; i++)
        send_row(checkup, "mend", finding, finding->lines[i]);
}

static void add_count(struct text *text, unsigned count, const char *what)
{
    text_addf(text, "%s%u %s%s", text->length ? ", " : "", count, what, count == 1 ? "" : "s");
}

/* --- the end ------------------------------------------------------------------------------------- */

static void free_checkup(struct checkup *checkup)
{
    checkup->agent->checkup = NULL;
    loop_remove_fd(checkup->source);
    loop_remove_fd(checkup->exit_source);
    loop_timer_free(checkup->timer);
    free(checkup);
}

static void finish(struct checkup *checkup, int status)
{
    CLEANUP_TEXT struct text text = {0};
    add_count(&text, checkup->found[DOCTOR_FAULT], "fault");
    add_count(&text, checkup->found[DOCTOR_WARNING], "warning");
    add_count(&text, checkup->found[DOCTOR_NOTE], "note");
    if (checkup->unshown)
        text_addf(&text, "; %u more rows are not shown", checkup->unshown);
    if (checkup->client == 0)
        return;
    if (checkup->late)
        reply_end(checkup->agent, checkup->client, checkup->request, RESULT_FAILED,
                  "the look took longer than 30 s and was ended; what is above had been found by then");
    else if (status != 0)
        reply_end(checkup->agent, checkup->client, checkup->request, RESULT_FAILED,
                  "the look ended before it was done: it was killed, or memory is out; try again");
    else
        reply_end(checkup->agent, checkup->client, checkup->request, RESULT_DONE, text.failed ? "" : text.data);
}

static void read_findings(struct checkup *checkup)
{
    struct doctor_finding finding;
    ssize_t length;
    while ((length = message_receive(checkup->copy.channel, &finding, sizeof finding, NULL, NULL)) > 0) {
        if (length == (ssize_t)sizeof finding && checkup->client)
            tell(checkup, &finding);
    }
    if (length != -EAGAIN) { /* its end */
        loop_remove_fd(checkup->source);
        checkup->source = NULL;
    }
}

static void on_findings(void *context, int fd, uint32_t events)
{
    (void)fd;
    (void)events;
    read_findings(context);
}

static void on_copy_exit(void *context, int fd, uint32_t events)
{
    struct checkup *checkup = context;
    (void)fd;
    (void)events;
    read_findings(checkup);
    loop_remove_fd(checkup->source);
    loop_remove_fd(checkup->exit_source);
    checkup->source = checkup->exit_source = NULL;
    finish(checkup, copy_collect(&checkup->copy));
    free_checkup(checkup);
}

static void on_late(void *context)
{
    struct checkup *checkup = context;
    checkup->late = true;
    copy_kill(&checkup->copy);
}

void doctor_client_gone(struct agent *agent, uint64_t client)
{
    struct checkup *checkup = agent->checkup;
    if (!checkup || (client != 0 && checkup->client != client))
        return;
    checkup->client = 0;
    copy_kill(&checkup->copy);
}

void doctor_dispose(struct agent *agent)
{
    struct checkup *checkup = agent->checkup;
    if (!checkup)
        return;
    copy_kill(&checkup->copy);
    loop_remove_fd(checkup->source);
    loop_remove_fd(checkup->exit_source);
    checkup->source = checkup->exit_source = NULL;
    copy_collect(&checkup->copy);
    free_checkup(checkup);
}

/* --- the beginning ------------------------------------------------------------------------------- */

static int start(struct checkup *checkup, const struct app *only, struct error *err)
{
    struct look look = {.agent = checkup->agent, .only = only};
    struct loop *loop = checkup->agent->loop;
    checkup->timer = loop_timer_new(loop, on_late, checkup);
    if (!checkup->timer)
        return error_errno(err, ENOMEM, "look at the host");
    int result = copy_start(doctor_look, &look, &checkup->copy, err);
    if (result < 0)
        return result;
    checkup->source = loop_add_fd(loop, checkup->copy.channel, EPOLLIN, on_findings, checkup);
    checkup->exit_source = loop_add_fd(loop, checkup->copy.pidfd, EPOLLIN, on_copy_exit, checkup);
    if (!checkup->source || !checkup->exit_source) {
        doctor_dispose(checkup->agent);
        return error_errno(err, ENOMEM, "watch a copy of the agent");
    }
    loop_timer_arm(checkup->timer, LOOK_MS);
    return 0;
}

void handle_doctor(const struct asked *asked)
{
    struct agent *agent = asked->agent;
    struct app *only = asked->request->app[0] ? app_find(agent, asked->request->app) : NULL;
    struct error err = {0};
    char text[WIRE_TEXT_MAX];
    if (asked->request->app[0] && !only) {
        snprintf(text, sizeof text, "there is no app %s; its configuration would be %.120s/apps/%s.conf",
                 asked->request->app, agent->options.config_dir, asked->request->app);
        request_answer(asked, RESULT_NO_SUCH_APP, text);
        return;
    }
    if (agent->checkup) {
        request_answer(asked, RESULT_BUSY, "the doctor looks for somebody else at the moment; try again");
        return;
    }
    struct checkup *checkup = calloc(1, sizeof *checkup);
    if (!checkup) {
        request_answer(asked, RESULT_FAILED, "out of memory; try again");
        return;
    }
    *checkup = (struct checkup){.agent = agent,
                                .client = asked->request->header.client,
                                .request = asked->request->header.request,
                                .copy = COPY_NONE};
    agent->checkup = checkup;
    if (start(checkup, only, &err) == 0)
        return;
    request_answer(asked, RESULT_FAILED, err.text);
    if (agent->checkup)
        free_checkup(checkup);
}
