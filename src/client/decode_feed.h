/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How a feed stands, from JSON: as a part of an app's status, and as an answer of its own. */
#pragma once

#include "bluegreen/bluegreen.h"

struct json_object;

/* Borrows everything from object, for as long as that lives. */
void decode_feed(struct json_object *object, struct bluegreen_feed *feed);
/* Takes parameters over, on failure too; NULL when memory ran out. */
struct bluegreen_feed_answer *decode_feed_answer(struct json_object *parameters);
