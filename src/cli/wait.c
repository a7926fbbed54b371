/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `wait` and `lock`: requests whose words are the user's own. */
#include "cli/cli.h"
#include "cli/since.h"

#include <stddef.h>

int wait_run(struct cli *cli)
{
    const struct bluegreen_request request = {
        .verb = BLUEGREEN_WAIT, .app = cli->arguments[0], .text = cli->arguments[1]};
    if (cli->timeout && !duration_parse(cli->timeout, &cli->timeout_ms))
        return cli_misuse(cli, NULL, "'%s' is no time to wait: 30s, 10m, 1h30m", cli->timeout);
    return operate_ask(cli, &request);
}

int lock_run(struct cli *cli)
{
    if (!cli->message || !*cli->message)
        return cli_misuse(cli, NULL, "why? Whoever is refused because of the lock reads it: -m 'moving the host'");
    return operate_run(cli, BLUEGREEN_LOCK);
}
