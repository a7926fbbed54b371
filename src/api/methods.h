/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The methods: from a parsed call to a request for the monitor, or to an answer on the spot; and from the monitor's end
 * of a request to the last reply. Strict: a parameter that a method does not have is an error, not a typing slip that
 * passes in silence.
 */
#pragma once

#include "api/message.h"
#include "api/varlink.h"

/* Descriptions: interface_types.c has the beginning of the agent's, interface.c the rest of it. */
extern const char interface_agent_types[], interface_agent_methods[], interface_service[];

/* True: *message is filled in around the client and request numbers that the caller has put into its header, and is to
 * be sent to the monitor. False: the answer, a result or an error, was added to output. */
bool method_prepare(const struct varlink_call *call, union method_message *message, struct text *output);

/* Adds an error reply for a result other than RESULT_DONE. */
void method_error(enum wire_result result, const char *reason, size_t size, struct text *output);
