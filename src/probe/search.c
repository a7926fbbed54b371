/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Looking for a text in a body that comes in pieces. */
#include "probe/search.h"

#include <string.h>

void search_begin(struct search *search, const char *wanted)
{
    *search = (struct search){.wanted = wanted, .found = !wanted[0]};
}

static void keep_end(struct search *search, const char *piece, size_t length, size_t most)
{
    if (length >= most) {
        memcpy(search->end, piece + length - most, most);
        search->kept = most;
        return;
    }
    size_t of_former = search->kept + length > most ? most - length : search->kept;
    memmove(search->end, search->end + search->kept - of_former, of_former);
    memcpy(search->end + of_former, piece, length);
    search->kept = of_former + length;
}

void search_add(struct search *search, const char *piece, size_t length)
{
    char seam[2 * TEST_CONTAINS_MAX];
    size_t wanted = strlen(search->wanted);
    if (search->found || wanted > TEST_CONTAINS_MAX)
        return;
    size_t head = length < wanted ? length : wanted;
    memcpy(seam, search->end, search->kept);
    memcpy(seam + search->kept, piece, head);
    search->found = memmem(seam, search->kept + head, search->wanted, wanted) != NULL ||
                    memmem(piece, length, search->wanted, wanted) != NULL;
    keep_end(search, piece, length, wanted - 1);
}
