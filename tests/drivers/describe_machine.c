/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Prints the state machines' tables as ARCHITECTURE.md has them, so that the page is checked against the code. */
#include "model/machine.h"

#include <stdio.h>

int main(void)
{
    CLEANUP_TEXT struct text text = {0};
    machine_describe(&text);
    if (text.failed)
        return 1;
    fputs(text.data, stdout);
    return 0;
}
