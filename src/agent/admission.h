/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What may begin now, on which zone; and if not, what a client is told. */
#pragma once

#include "base/error.h"
#include "model/types.h"
#include "model/wire.h"

struct app;

/* Returns result, with what to tell the client in err. */
enum wire_result admit_refuse(struct error *err, enum wire_result result, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* RESULT_DONE if no operation runs on it. */
enum wire_result admit_busy(const struct app *app, struct error *err);
/* The same, or one that this may end: see operation_can_be_left. */
enum wire_result admit_running(const struct app *app, enum wire_verb verb, struct error *err);
/* A new release: nothing of the configuration is against it. */
enum wire_result admit_staging(struct app *app, const struct wire_request *request, enum colour *target,
                               struct error *err);
/* May this begin now, and on which zone? If one runs all the same, it is to be left first, and this asked again. */
enum wire_result admit(struct app *app, const struct wire_request *request, enum colour *target, struct error *err);
