/* SPDX-License-Identifier: GPL-2.0-or-later */
/* [health], [files], [sandbox] and [limits]: keys whose values have a language of their own. */
#include "conf/app_keys.h"

#include "model/grammar.h"

#include <errno.h>
#include <string.h>

/* --- [health] --------------------------------------------------------------------------------- */

static int refuse_second_check(const struct health *health, struct error *err)
{
    static const char *const names[] = {[HEALTH_TCP] = "tcp", [HEALTH_HTTP] = "http", [HEALTH_EXEC] = "exec"};
    if (health->kind == HEALTH_ALIVE)
        return 0;
    return error_set(err, EINVAL, "there is one check, and %s is set already; keep one of the two",
                     names[health->kind]);
}

int app_key_http(void *target, const char *value, struct error *err)
{
    struct service *service = target;
    int result = refuse_second_check(&service->health, err);
    return result < 0 ? result : grammar_health_http(value, &service->health, err);
}

int app_key_tcp(void *target, const char *value, struct error *err)
{
    struct service *service = target;
    int result = refuse_second_check(&service->health, err);
    return result < 0 ? result : grammar_health_tcp(value, &service->health, err);
}

int app_key_exec(void *target, const char *value, struct error *err)
{
    struct service *service = target;
    int result = refuse_second_check(&service->health, err);
    if (result == 0)
        result = grammar_command(value, &service->health.exec, err);
    if (result == 0)
        service->health.kind = HEALTH_EXEC;
    return result;
}

/* It goes into a request as it stands: nothing in it may end the header. */
int app_key_host(void *target, const char *value, struct error *err)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_:[]";
    struct service *service = target;
    if (value[strspn(value, allowed)] || !text_copy(service->health.host, HEALTH_HOST_MAX + 1, value)) {
        service->health.host[0] = '\0';
        return error_set(err, EINVAL, "\"%.60s\" is not a host name, as in \"www.example.org\"", value);
    }
    return 0;
}

int app_key_status(void *target, const char *value, struct error *err)
{
    struct service *service = target;
    return grammar_status(value, &service->health, err);
}

/* --- [files] and [sandbox] -------------------------------------------------------------------- */

static int set_files(void *target, const char *value, enum file_access access, struct error *err)
{
    struct service *service = target;
    return grammar_files(value, access, service->files, &service->file_count, err);
}

int app_key_file_read(void *target, const char *value, struct error *err)
{
    return set_files(target, value, FILE_READ, err);
}

int app_key_file_write(void *target, const char *value, struct error *err)
{
    return set_files(target, value, FILE_WRITE, err);
}

int app_key_file_state(void *target, const char *value, struct error *err)
{
    return set_files(target, value, FILE_STATE, err);
}

int app_key_file_hide(void *target, const char *value, struct error *err)
{
    return set_files(target, value, FILE_HIDE, err);
}

int app_key_devices(void *target, const char *value, struct error *err)
{
    struct service *service = target;
    return grammar_list(value, &service->sandbox.devices, err);
}

/* --- [limits] --------------------------------------------------------------------------------- */

/* 0 is a limit here: no swap at all. */
int app_key_swap(void *target, const char *value, struct error *err)
{
    struct limits *limits = &((struct service *)target)->limits;
    int result = key_memory(value, 0, &limits->swap, err);
    if (result == 0)
        limits->swap_set = true;
    return result;
}

int app_key_cpu(void *target, const char *value, struct error *err)
{
    struct service *service = target;
    return grammar_cpu(value, &service->limits.cpu_permille, err);
}

int app_key_required(void *target, const char *value, struct error *err)
{
    struct service *service = target;
    bool required;
    int result = grammar_boolean(value, &required, err);
    if (result == 0)
        service->limits.optional = !required;
    return result;
}
