/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who asks for a group to move waits for each of its apps, drain included, and is answered once: a row and a line for
 * each, or the words of the one that kept the others from moving. Each of the waits is a request like any other.
 */
#include "agent/group.h"

#include "agent/api_role.h"
#include "agent/groups.h"
#include "agent/replies.h"
#include "agent/requests.h"
#include "model/wire_answers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct group_answer {
    struct agent *agent;
    uint64_t client, id;
    enum wire_verb verb;
    char name[APP_NAME_MAX + 1]; /* of the group */
    size_t waiting;              /* requests that hold it */
    size_t moved;
    uint32_t transaction_us;
    enum wire_result result; /* the first that is not done */
    char blamed[APP_NAME_MAX + 1];
    bool told;
    struct text blame, lines;
};

struct group_answer *group_answer_new(const struct asked *asked, const struct group_choice *choice)
{
    struct group_answer *answer = calloc(1, sizeof *answer);
    if (!answer)
        return NULL;
    *answer = (struct group_answer){.agent = asked->agent,
                                    .client = asked->request->header.client,
                                    .id = asked->request->header.request,
                                    .verb = (enum wire_verb)asked->request->verb,
                                    .waiting = 1};
    text_copy(answer->name, sizeof answer->name, asked->request->app);
    if (choice->stays.data)
        text_add(&answer->lines, choice->stays.data);
    return answer;
}

void group_answer_hold(struct group_answer *answer)
{
    answer->waiting++;
}

void group_answer_told(struct group_answer *answer)
{
    answer->told = true;
}

void group_answer_blame(struct group_answer *answer, const struct app *app)
{
    text_copy(answer->blamed, sizeof answer->blamed, app->name);
}

static void send(struct group_answer *answer)
{
    CLEANUP_TEXT struct text text = {0};
    if (answer->moved > 0)
        text_addf(&text, "group %s: %zu app%s moved in one transaction of %u us", answer->name, answer->moved,
                  answer->moved == 1 ? "" : "s", answer->transaction_us);
    else if (answer->blame.data)
        text_addf(&text, "%s\nNone of group %s moved", answer->blame.data, answer->name);
    else
        text_addf(&text, "%s of group %s: none moved", verb_name(answer->verb), answer->name);
    if (answer->lines.data && (answer->moved > 0 || !answer->blame.data))
        text_addf(&text, "\n%s", answer->lines.data);
    reply_end(answer->agent, answer->client, answer->id, answer->result,
              text.failed || answer->lines.failed ? "out of memory for the answer" : text.data);
}

void group_answer_drop(struct group_answer *answer, bool client_gone)
{
    answer->told = answer->told || client_gone;
    if (--answer->waiting > 0)
        return;
    if (!answer->told)
        send(answer);
    text_clear(&answer->blame);
    text_clear(&answer->lines);
    free(answer);
}

static void add_row(struct group_answer *answer, const struct app *app, const char *line)
{
    struct wire_item item = {.kind = "app"};
    text_copy(item.name, sizeof item.name, app->name);
    for (int colour = 0; colour < COLOURS; colour++)
        text_copy(item.values[colour], sizeof item.values[colour], app->zones[colour].release);
    snprintf(item.text, sizeof item.text, "%s", line);
    client_send(answer->agent, &item, answer->client, answer->id, WIRE_ITEM, sizeof item);
}

static void describe_receipt(const struct wire_receipt *receipt, char *line, size_t size)
{
    snprintf(line, size, "%s is live on %s, before it %s; %u connection%s ended by themselves, %u cut",
             receipt->release, colour_name((enum colour)receipt->to),
             receipt->from >= 0 ? colour_name((enum colour)receipt->from) : "nothing", receipt->drained,
             receipt->drained == 1 ? "" : "s", receipt->cut);
}

void group_answer_add(struct group_answer *answer, const struct app *app, enum wire_result result,
                      const struct wire_receipt *receipt, const char *text)
{
    char line[2 * WIRE_TEXT_MAX] = "";
    if (result != RESULT_DONE && answer->result == RESULT_DONE)
        answer->result = result;
    if (receipt) {
        answer->moved++;
        answer->transaction_us = receipt->transaction_us;
        describe_receipt(receipt, line, sizeof line);
    }
    if (result != RESULT_DONE && strcmp(answer->blamed, app->name) == 0)
        text_add(&answer->blame, text);
    text_addf(&answer->lines, "%s%s: %s%s%s", answer->lines.length ? "\n" : "", app->name, line,
              line[0] && text[0] ? "; " : "", text);
    add_row(answer, app, line[0] ? line : text);
    group_answer_drop(answer, false);
}
