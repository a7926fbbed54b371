/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What was, as JSON: entries of the history and what hooks wrote. */
#include "api/render_put.h"

#include "model/history.h"
#include "model/wire_answers.h"

static struct json_object *render_all_served(const struct wire_history *entry)
{
    struct json_object *list = json_object_new_array();
    for (int i = 0; i < WIRE_SERVED_MAX; i++) {
        if (entry->served[i].known)
            append(list, render_served(&entry->served[i]));
    }
    return list;
}

static struct json_object *render_steps(const struct wire_history *entry)
{
    struct json_object *list = json_object_new_array();
    const char *steps = entry->steps;
    char name[32];
    uint64_t ms;
    while (history_next_step(&steps, name, sizeof name, &ms)) {
        struct json_object *step = json_object_new_object();
        put_word(step, "step", name);
        put_number(step, "duration_ms", ms);
        append(list, step);
    }
    return list;
}

static void put_if(struct json_object *object, const char *name, bool known, uint64_t number)
{
    put(object, name, known ? json_object_new_uint64(number) : NULL);
}

static struct json_object *render_entry_receipt(const struct wire_history *entry)
{
    if (!entry->switched)
        return NULL;
    struct json_object *object = json_object_new_object();
    put_number(object, "transaction_us", entry->transaction_us);
    put_number(object, "generation_before", entry->generation_before);
    put_number(object, "generation_after", entry->generation_after);
    bool ended = entry->has_drain, counted = ended && !entry->drained_unknown;
    put_if(object, "drained", counted, entry->drained);
    put_if(object, "cut", ended, entry->cut);
    put_if(object, "left", ended, entry->left);
    put_if(object, "drain_ms", ended, entry->drain_ms);
    put_if(object, "nudged", counted, entry->nudged);
    return object;
}

struct json_object *render_hook(const struct wire_hook *hook)
{
    struct json_object *object = json_object_new_object();
    put_text(object, "hook", hook->name);
    put_colour(object, "zone", hook->zone);
    put_time(object, "ended", hook->ended_unix_ms);
    put_number(object, "duration_ms", hook->duration_ms);
    put_bool(object, "done", hook->ok);
    put_text_or_null(object, "reason", hook->reason);
    put_text(object, "output", hook->output);
    return object;
}

struct json_object *render_history(const struct wire_history *entry, struct json_object *hooks)
{
    struct json_object *object = json_object_new_object();
    put_number(object, "sequence", entry->sequence);
    put_time(object, "time", entry->begun_unix_ms);
    put_text(object, "app", entry->app);
    put_word(object, "verb",
             entry->incident    ? "incident"
             : entry->is_served ? "served"
                                : verb_name((enum wire_verb)entry->verb));
    put_colour(object, "from", entry->incident || entry->is_served ? -1 : entry->from);
    put_colour(object, "to", entry->to);
    put_text_or_null(object, "release", entry->release);
    put_text(object, "who", entry->who);
    put_number(object, "duration_ms", entry->duration_ms);
    put_bool(object, "done", entry->done);
    put_text_or_null(object, "reason", entry->reason);
    put(object, "incident",
        entry->incident ? json_object_new_string(incident_name((enum incident)entry->incident)) : NULL);
    put(object, "steps", render_steps(entry));
    put(object, "receipt", render_entry_receipt(entry));
    put(object, "served", render_all_served(entry));
    put(object, "hooks", hooks ? json_object_get(hooks) : NULL);
    return object;
}
