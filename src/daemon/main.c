/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bluegreend: arguments, where the other executables are, and what is to be done. */
#include "agent/run.h"
#include "base/text.h"
#include "daemon/rights.h"
#include "os/limits.h"
#include "os/log.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { EXIT_USAGE = 2, LARGE_BLOCK = 64 << 10 };

enum mode { MODE_RUN, MODE_CHECK, MODE_TEARDOWN };

struct arguments {
    enum mode mode;
    char config_dir[PATH_MAX], state_dir[PATH_MAX], run_dir[PATH_MAX];
};

static void usage(FILE *out)
{
    fputs("usage: bluegreend [--config DIR] [--state DIR] [--run DIR] [--check [FILE...]] [--teardown]\n"
          "\n"
          "  --config DIR   configuration, default " BLUEGREEN_SYSCONFDIR "/bluegreen\n"
          "  --state DIR    journal, kept configurations, logs, default " BLUEGREEN_STATEDIR "/bluegreen\n"
          "  --run DIR      sockets, default " BLUEGREEN_RUNDIR "/bluegreen\n"
          "  --check        check the configuration (or only these files) and exit: 0 good, 2 not\n"
          "  --teardown     remove every zone and both tables, restore the host's sysctls, and exit\n"
          "  --version      print the version and exit\n",
          out);
}

static bool take_directory(char path[PATH_MAX], const char *value)
{
    char here[PATH_MAX / 2];
    bool absolute = value[0] == '/';
    bool fits = absolute
                    ? text_copy(path, PATH_MAX, value)
                    : getcwd(here, sizeof here) && (size_t)snprintf(path, PATH_MAX, "%s/%s", here, value) < PATH_MAX;
    if (!fits)
        fprintf(stderr, "bluegreend: the directory's name is too long: %.60s...\n", value);
    return fits;
}

static bool take_mode(struct arguments *arguments, enum mode mode)
{
    bool free = arguments->mode == MODE_RUN || arguments->mode == mode;
    if (!free)
        fputs("bluegreend: --check and --teardown exclude each other\n", stderr);
    arguments->mode = mode;
    return free;
}

/* -1: go on; else the exit status. */
static int parse(int argc, char *argv[], struct arguments *arguments)
{
    enum { CONFIG = 256, STATE, RUN, CHECK, TEARDOWN, VERSION };
    static const struct option options[] = {
        {"config", required_argument, NULL, CONFIG},
        {"state", required_argument, NULL, STATE},
        {"run", required_argument, NULL, RUN},
        {"check", no_argument, NULL, CHECK},
        {"teardown", no_argument, NULL, TEARDOWN},
        {"version", no_argument, NULL, VERSION},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    bool fits = true;
    for (int option; (option = getopt_long(argc, argv, "h", options, NULL)) != -1;) {
        switch (option) {
        case CONFIG: fits = fits && take_directory(arguments->config_dir, optarg); break;
        case STATE: fits = fits && take_directory(arguments->state_dir, optarg); break;
        case RUN: fits = fits && take_directory(arguments->run_dir, optarg); break;
        case CHECK: fits = take_mode(arguments, MODE_CHECK) && fits; break;
        case TEARDOWN: fits = take_mode(arguments, MODE_TEARDOWN) && fits; break;
        case VERSION: puts("bluegreend " BLUEGREEN_VERSION); return EXIT_SUCCESS;
        case 'h': usage(stdout); return EXIT_SUCCESS;
        default: usage(stderr); return EXIT_USAGE;
        }
    }
    if (optind < argc && arguments->mode != MODE_CHECK)
        fprintf(stderr, "bluegreend: what is \"%s\" for? Only --check takes files.\n", argv[optind]);
    return fits && (optind == argc || arguments->mode == MODE_CHECK) ? -1 : EXIT_USAGE;
}

/* The other executables are in LIBEXECDIR, or where the developer says, or beside this one when it runs from the
 * build tree. */
static void find_helper(const char *self, const char *name, char path[PATH_MAX])
{
    const char *directory = getenv("BLUEGREEN_LIBEXEC");
    snprintf(path, PATH_MAX, "%s/%s", directory ? directory : BLUEGREEN_LIBEXECDIR, name);
    if (directory || access(path, X_OK) == 0)
        return;
    char beside[PATH_MAX];
    text_copy(beside, sizeof beside, self);
    char *slash = strrchr(beside, '/');
    if (slash && (size_t)snprintf(slash + 1, sizeof beside - (size_t)(slash + 1 - beside), "%s", name) < PATH_MAX &&
        access(beside, X_OK) == 0)
        text_copy(path, PATH_MAX, beside);
}

static int find_self(char self[PATH_MAX], struct error *err)
{
    static const char link[] = "/proc/self/exe";
    ssize_t length = readlink(link, self, PATH_MAX - 1);
    self[length > 0 ? length : 0] = '\0';
    return length > 0 ? 0 : error_errno(err, errno, "find this program, to start its roles: read %s", link);
}

/* A block as large as those that a transaction or a file takes for a moment goes back to the system when it is freed.
 * By itself the C library takes the first one of them for a habit, and keeps as much from then on. */
static void give_memory_back(void)
{
    mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK);
    mallopt(M_TRIM_THRESHOLD, LARGE_BLOCK);
}

static int require_root(void)
{
    if (geteuid() == 0)
        return 0;
    fputs("bluegreend: it makes network namespaces and rules, so it must run as root: \"sudo bluegreend\", or "
          "\"systemctl start bluegreend\". (--check works for everybody.)\n",
          stderr);
    return -EPERM;
}

int main(int argc, char *argv[])
{
    struct arguments arguments = {0};
    text_copy(arguments.config_dir, PATH_MAX, BLUEGREEN_SYSCONFDIR "/bluegreen");
    text_copy(arguments.state_dir, PATH_MAX, BLUEGREEN_STATEDIR "/bluegreen");
    text_copy(arguments.run_dir, PATH_MAX, BLUEGREEN_RUNDIR "/bluegreen");
    int status = parse(argc, argv, &arguments);
    if (status >= 0)
        return status;

    char self[PATH_MAX] = "", shim[PATH_MAX], api[PATH_MAX], probe[PATH_MAX], scope[PATH_MAX], digest[PATH_MAX],
         feed[PATH_MAX];
    struct error err = {0};
    int result = find_self(self, &err);
    find_helper(self, "bluegreen-zone", shim);
    find_helper(self, "bluegreen-api", api);
    find_helper(self, "bluegreen-probe", probe);
    find_helper(self, "bluegreen-scope", scope);
    find_helper(self, "bluegreen-digest", digest);
    find_helper(self, "bluegreen-feed", feed);
    const struct agent_options options = {
        .config_dir = arguments.config_dir,
        .state_dir = arguments.state_dir,
        .run_dir = arguments.run_dir,
        .shim_path = shim,
        .api_path = api,
        .scope_path = scope,
        .probe_path = probe,
        .digest_path = digest,
        .feed_path = feed,
    };
    log_open("bluegreend");
    if (arguments.mode == MODE_CHECK)
        return agent_check(&options, argv + optind, argc - optind) < 0 ? EXIT_USAGE : EXIT_SUCCESS;
    if (require_root() < 0)
        return EXIT_FAILURE;
    give_memory_back();
    limits_raise_files();
    if (result == 0)
        result = rights_limit(&err);
    if (result == 0)
        result = arguments.mode == MODE_TEARDOWN ? agent_teardown(&options, &err) : agent_run(&options, &err);
    if (result < 0)
        log_error("%s", err.text);
    return result == -AGENT_MISCONFIGURED ? EXIT_USAGE : result < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
