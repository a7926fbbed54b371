/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is done in each step of an operation. */
#pragma once

#include "model/machine.h"

struct app;

void step_enter(struct app *app, enum step step);
