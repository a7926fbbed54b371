/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What came of an HTTP check. Each fills in outcome, status and detail of a zeroed result. */
#pragma once

#include "probe/transfer.h"

/* The status if it is one that HTTP knows, else 0. */
uint16_t transfer_status(const struct http_transfer *transfer);

/* An answer came, whole or as much as we wanted of it: its status decides. */
void outcome_of_answer(const struct http_transfer *transfer, struct probe_result *result);
/* libcurl gave up, or was told to. */
void outcome_of_failure(const struct http_transfer *transfer, CURLcode code, struct probe_result *result);
/* The check's time is over. */
void outcome_of_timeout(const struct http_transfer *transfer, struct probe_result *result);
