/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The small languages inside configuration values: units, ports, command lines, status lists. Pure. */
#pragma once

#include "base/error.h"
#include "base/text.h"
#include "model/service.h"

/* "500ms", "30s", "5m", "2h", "1d"; a unit is required except for 0. Errors say what is accepted. */
int grammar_duration(const char *value, uint64_t *milliseconds, struct error *err);
/* "512M", "2G", "100K", "4096" (bytes); powers of 1024. */
int grammar_size(const char *value, uint64_t *bytes, struct error *err);
/* "150%", "50%" of one CPU, whole percent from 1 to 102400, into thousandths of a CPU. */
int grammar_cpu(const char *value, uint32_t *permille, struct error *err);
/* "SIGTERM", "TERM", "SIGRTMIN+3": the signals that can ask a program to end. Others and numbers are refused. */
int grammar_signal(const char *value, int *signal, struct error *err);
/* "yes|no|true|false|on|off|1|0". */
int grammar_boolean(const char *value, bool *boolean, struct error *err);
/* "[ADDRESS:]PORT -> ZONEPORT/tcp", ".../udp [move|keep]", "FIRST-LAST -> FIRST-LAST/tcp". Fills everything but
 * the name. */
int grammar_port(const char *value, struct port *port, struct error *err);
/* ":8080/healthz" or ":8080" into health->port and ->path. */
int grammar_health_http(const char *value, struct health *health, struct error *err);
int grammar_health_tcp(const char *value, struct health *health, struct error *err);
/* "200", "200-399", "200 204 301-308". */
int grammar_status(const char *value, struct health *health, struct error *err);
/* "/healthz 200 | /login 200 Sign in": pages with the statuses and the text that are wanted of them. On an error
 * nothing changed. */
int grammar_pages(const char *value, struct test_page pages[TEST_PAGES_MAX], size_t *count, struct error *err);
/* "COMMAND" as below, or "host: COMMAND". Replaces *rule. */
int grammar_hook(const char *value, struct hook_rule *rule, struct error *err);
/* "10%": whole percent from 0 to 100. */
int grammar_percent(const char *value, uint32_t *percent, struct error *err);
/* Splits a command line as systemd's ExecStart does: blanks separate, '...' and "..." group anywhere in a word, C
 * escapes outside and inside both; no shell, no variables. At least one word. Replaces *words. */
int grammar_command(const char *value, struct words *words, struct error *err);
/* "A=1 | B=two words" into NAME=VALUE words; names are [A-Za-z_][A-Za-z0-9_]*, each once. Replaces
 * *words. */
int grammar_environment(const char *value, struct words *words, struct error *err);
/* "PATH | PATH -> PATH IN THE ZONE" into rules of this access, behind the *count that are there (of FILE_RULES_MAX).
 * Their texts are the caller's. Whether a path makes sense is service_problems' to say. On an error nothing changed. */
int grammar_files(const char *value, enum file_access access, struct file_rule rules[], size_t *count,
                  struct error *err);
/* "A | B | C", none of them empty. Replaces *words. */
int grammar_list(const char *value, struct words *words, struct error *err);
/* "8081 | 198.51.100.7:8444 -> https", "192.0.2.0/24 | 2001:db8::7": [preview] port and from. On an error nothing
 * changed. */
int grammar_preview_ports(const char *value, struct preview *preview, struct error *err);
int grammar_preview_clients(const char *value, struct preview *preview, struct error *err);
/* "5432, 6379/udp": ports of the host's own, each once; on an error nothing changed. */
int grammar_shares(const char *value, struct share_port ports[SHARE_PORTS_MAX], size_t *count, struct error *err);
/* "192.0.2.0/24:443/tcp [2001:db8::7]:53": destinations. On an error nothing changed. */
int grammar_reach(const char *value, struct reach_rule rules[REACH_RULES_MAX], size_t *count, struct error *err);
/* "POST PUT": names with blanks, commas or '|' between, each once, at least one. Replaces *words. */
int grammar_names(const char *value, struct words *words, struct error *err);
/* [feed] methods, "POST PUT" or "all"; ignore; key, "header X-Account". On an error nothing changed. */
int grammar_feed_methods(const char *value, struct feed *feed, struct error *err);
int grammar_feed_ignore(const char *value, struct feed *feed, struct error *err);
int grammar_feed_key(const char *value, struct feed_key *key, struct error *err);
/* One env_file's content as systemd's EnvironmentFile=: comments, quotes, continuation. What systemd would drop with a
 * warning is an error that names the line. Appends; the same name may come twice, the last counts. */
int grammar_environment_file(const char *content, size_t length, struct words *words, struct error *err);
