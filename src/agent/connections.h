/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is told of connections. */
#pragma once

struct app;
struct asked;

void handle_connections(const struct asked *asked, struct app *app);
