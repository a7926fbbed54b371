/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Every key of an app's file. The target of the rules is a struct service. */
#pragma once

#include "conf/keys.h"
#include "model/service.h"

extern const struct key_rule app_rules[];
extern const size_t app_rule_count;

/* [process NAME]: adds the process, so that its keys find it. */
int app_process_open(struct service *service, const char *name, struct error *err);

/* Keys whose values have a language of their own. */
key_setter app_key_name, app_key_user, app_key_group, app_key_group_name, app_key_run, app_key_workdir,
    app_key_environment, app_key_env_file, app_key_stop_signal;
key_setter_of app_key_process_run, app_key_process_when, app_key_port;
key_setter app_key_preview_port, app_key_preview_from;
key_setter app_key_http, app_key_tcp, app_key_exec, app_key_host, app_key_status;
key_setter app_key_file_read, app_key_file_write, app_key_file_state, app_key_file_hide, app_key_devices;
key_setter app_key_swap, app_key_cpu, app_key_required;
key_setter_of app_key_hook; /* [hooks], and [bake] guard */
key_setter app_key_releases_dir, app_key_releases_fetch;
key_setter app_key_pages, app_key_errors, app_key_keep, app_key_nudge;

key_setter app_key_share_host, app_key_share_socket, app_key_allow, app_key_standby_allow;

key_setter app_key_feed_ports, app_key_feed_methods, app_key_feed_sync, app_key_feed_key, app_key_feed_ignore;

/* The entries as a service, without its source. 0 or -EINVAL with problems, and *service empty. */
int app_from_scan(struct scan *scan, struct service *service, struct problems *problems);

/* What stands in [hooks] and [bake] and would never have an effect, because what it belongs to does not stand there. */
void app_check_release(const struct scan *scan, struct problems *problems);
/* The same of [feed], whose keys have no meaning in every mode. */
void app_check_feed(const struct scan *scan, const struct service *service, struct problems *problems);
