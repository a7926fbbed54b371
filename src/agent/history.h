/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What history tells. */
#pragma once

struct asked;

void handle_history(const struct asked *asked);
