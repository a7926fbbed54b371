#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The probe role against good, broken and hostile servers: see tests/drivers/probe_driver.c.
exec "$BUILD/tests/drivers/probe_driver" "$BUILD/bluegreen-probe"
