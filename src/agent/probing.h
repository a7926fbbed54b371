/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The health of a zone: when it is asked, and what is made of the answer. */
#pragma once

struct app_zone;
struct probe_result;

void probing_start(struct app_zone *zone);
void on_probe_timer(void *context); /* of a zone's checks_timer */
void probing_stop(struct app_zone *zone);
void probing_now(struct app_zone *zone);    /* the next probe is due at once */
void probing_retime(struct app_zone *zone); /* its interval is another one now */
/* After a rest: it was healthy before, so the next pass confirms that. */
void probing_resume(struct app_zone *zone);
/* Unhealthy from now on, until what condemns it is over. */
void probing_condemn(struct app_zone *zone, const char *why);
void probing_result(struct app_zone *zone, const struct probe_result *result);
