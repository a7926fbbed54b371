/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A zone's log files, handed out as descriptors: who asks reads them by himself. */
#include "agent/logs.h"

#include "agent/agent.h"
#include "agent/api_role.h"
#include "agent/replies.h"
#include "agent/requests.h"
#include "model/wire_command.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

/* Which zone's log is meant where none was named. */
static enum colour zone_with_log(const struct app *app, uint32_t wanted)
{
    if (wanted != 0)
        return (enum colour)(wanted - 1);
    if (app->live >= 0)
        return (enum colour)app->live;
    return app->zones[BLUE].state == ZONE_ABSENT && app->zones[GREEN].state != ZONE_ABSENT ? GREEN : BLUE;
}

static void open_files(const struct zone_host *host, const struct app *app, enum colour colour,
                       struct wire_files *files, int fds[])
{
    static const char *const suffixes[] = {
        [WIRE_FILE_LOG] = "",
        [WIRE_FILE_LOG_OLD] = ".1",
        [WIRE_FILE_INDEX] = ".index",
        [WIRE_FILE_INDEX_OLD] = ".1.index",
    };
    char log[PATH_MAX - 16], path[PATH_MAX];
    if (!zone_log_path_of(host, app->name, colour, log, sizeof log))
        return;
    for (uint8_t kind = 0; kind < sizeof suffixes / sizeof *suffixes; kind++) {
        snprintf(path, sizeof path, "%s%s", log, suffixes[kind]);
        /* A description of its own for each client: an offset that nobody else moves. */
        int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
        if (fd < 0)
            continue;
        fds[files->count] = fd;
        files->kinds[files->count++] = kind;
    }
}

void handle_logs(const struct asked *asked, struct app *app)
{
    struct agent *agent = asked->agent;
    const struct wire_header *header = &asked->request->header;
    enum colour colour = zone_with_log(app, asked->request->zone);
    struct wire_files files = {.zone = (uint8_t)colour};
    int fds[sizeof files.kinds];
    text_copy(files.release, sizeof files.release, zone_of(app, colour)->release);
    open_files(agent->zone_host, app, colour, &files, fds);
    if (files.count == 0) {
        char text[WIRE_TEXT_MAX];
        snprintf(text, sizeof text, "there is no log of zone %s of %s yet: nothing has run in it", colour_name(colour),
                 app->name);
        request_answer(asked, RESULT_REFUSED, text);
        return;
    }
    client_send_files(agent, &files, header->client, header->request, WIRE_FILES, sizeof files, fds, files.count);
    for (size_t i = 0; i < files.count; i++)
        close(fds[i]);
    request_answer(asked, RESULT_DONE, "");
}
