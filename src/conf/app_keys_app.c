/* SPDX-License-Identifier: GPL-2.0-or-later */
/* [app], [process NAME], [ports] and [preview]: keys whose values have a language of their own. */
#include "conf/app_keys.h"

#include "model/grammar.h"

#include <errno.h>
#include <string.h>

/* --- [app] ------------------------------------------------------------------------------------ */

static int set_name(const char *value, const char *whose, char name[APP_NAME_MAX + 1], struct error *err)
{
    if (!app_name_valid(value))
        return error_set(err, EINVAL,
                         "\"%.60s\" is not %s's name: a small letter, then small letters, digits "
                         "and '-', at most %d",
                         value, whose, APP_NAME_MAX);
    text_copy(name, APP_NAME_MAX + 1, value);
    return 0;
}

int app_key_name(void *target, const char *value, struct error *err)
{
    struct service *service = target;
    return set_name(value, "an app", service->name, err);
}

int app_key_group_name(void *target, const char *value, struct error *err)
{
    struct service *service = target;
    return set_name(value, "a group", service->group_name, err);
}

int app_key_user(void *target, const char *value, struct error *err)
{
    struct service *service = target;
    return key_account(value, service->user, sizeof service->user, err);
}

int app_key_group(void *target, const char *value, struct error *err)
{
    struct service *service = target;
    return key_account(value, service->group, sizeof service->group, err);
}

int app_key_run(void *target, const char *value, struct error *err)
{
    struct service *service = target;
    return grammar_command(value, &service->run, err);
}

int app_key_workdir(void *target, const char *value, struct error *err)
{
    struct service *service = target;
    return key_string(value, &service->workdir, err);
}

int app_key_environment(void *target, const char *value, struct error *err)
{
    struct service *service = target;
    return grammar_environment(value, &service->environment, err);
}

int app_key_env_file(void *target, const char *value, struct error *err)
{
    struct service *service = target;
    return key_string(value, &service->env_file, err);
}

int app_key_stop_signal(void *target, const char *value, struct error *err)
{
    struct service *service = target;
    return grammar_signal(value, &service->stop_signal, err);
}

/* --- [process NAME] --------------------------------------------------------------------------- */

_Static_assert(PROCESS_NAME_MAX == APP_NAME_MAX, "a process is named like an app");

int app_process_open(struct service *service, const char *name, struct error *err)
{
    if (!app_name_valid(name))
        return error_set(err, EINVAL,
                         "\"%.60s\" is not a process's name: a small letter, then small letters, digits and '-', at "
                         "most %d",
                         name, PROCESS_NAME_MAX);
    if (strcmp(name, "main") == 0)
        return error_set(err, EINVAL, "main is what [app] run starts; take another name");
    if (service->process_count == PROCESSES_MAX)
        return error_set(err, EINVAL, "more than %d processes beside [app] run; split the app", PROCESSES_MAX);
    text_copy(service->processes[service->process_count++].name, PROCESS_NAME_MAX + 1, name);
    return 0;
}

/* NULL for one that was refused, and said so, when its section was opened. */
static struct process_rule *find_process(struct service *service, const char *name)
{
    for (size_t i = 0; i < service->process_count; i++) {
        if (strcmp(service->processes[i].name, name) == 0)
            return &service->processes[i];
    }
    return NULL;
}

int app_key_process_run(void *target, const char *name, const char *value, struct error *err)
{
    struct process_rule *process = find_process(target, name);
    return process ? grammar_command(value, &process->run, err) : 0;
}

int app_key_process_when(void *target, const char *name, const char *value, struct error *err)
{
    static const char *const words[] = {"always", "live", NULL};
    struct process_rule *process = find_process(target, name);
    unsigned index;
    int result = key_word(value, words, &index, err);
    if (result == 0 && process)
        process->live_only = index == 1;
    return result;
}

/* --- [ports] and [preview] ---------------------------------------------------------------------- */

int app_key_port(void *target, const char *key, const char *value, struct error *err)
{
    struct service *service = target;
    struct port port = {0};
    if (key[0] < 'a' || key[0] > 'z' || strlen(key) > PORT_NAME_MAX)
        return error_set(err, EINVAL,
                         "not a port's name: a small letter, then small letters, digits, '-' and '_', "
                         "at most %d",
                         PORT_NAME_MAX);
    if (service->port_count == SERVICE_PORTS_MAX)
        return error_set(err, EINVAL, "more than %d ports; split the app", SERVICE_PORTS_MAX);
    int result = grammar_port(value, &port, err);
    if (result < 0)
        return result;
    text_copy(port.name, sizeof port.name, key);
    service->ports[service->port_count++] = port;
    return 0;
}

int app_key_preview_port(void *target, const char *value, struct error *err)
{
    struct service *service = target;
    return grammar_preview_ports(value, &service->preview, err);
}

int app_key_preview_from(void *target, const char *value, struct error *err)
{
    struct service *service = target;
    return grammar_preview_clients(value, &service->preview, err);
}
