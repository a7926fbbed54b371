/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The logs of a zone, as descriptors for a client. */
#pragma once

struct app;
struct asked;

void handle_logs(const struct asked *asked, struct app *app);
