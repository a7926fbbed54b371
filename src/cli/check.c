/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `check`: the configuration is read by who will use it, `bluegreend --check`, so that no second reader can be of
 * another opinion. It prints one problem a line, "FILE: [SECTION] KEY: REASON", and warnings and notes with that
 * word before them; --json takes these apart.
 */
#include "cli/cli.h"
#include "cli/json.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef BLUEGREEN_SBINDIR
#define BLUEGREEN_SBINDIR "/usr/sbin"
#endif

/* Beside this program (a build directory), in the sbin of its prefix, or where it was configured to be. */
static bool find_agent(char *path, size_t size)
{
    char self[PATH_MAX] = "";
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    char *slash = length > 0 ? strrchr(self, '/') : NULL;
    if (slash) {
        *slash = '\0';
        static const char *const places[] = {"bluegreend", "../sbin/bluegreend"};
        for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
            if ((size_t)snprintf(path, size, "%s/%s", self, places[i]) < size && access(path, X_OK) == 0)
                return true;
        }
    }
    return (size_t)snprintf(path, size, "%s/bluegreend", BLUEGREEN_SBINDIR) < size && access(path, X_OK) == 0;
}

/* "bluegreend", "--check", the files. The caller's. */
static char **check_command(const struct cli *cli)
{
    char **argv = calloc((size_t)cli->count + 3, sizeof *argv);
    if (!argv)
        return NULL;
    argv[0] = (char *)"bluegreend";
    argv[1] = (char *)"--check";
    for (int i = 0; i < cli->count; i++)
        argv[i + 2] = cli->arguments[i];
    return argv;
}

enum line { LINE_PROBLEM, LINE_WARNING, LINE_NOTE };
static const char *const prefixes[] = {"", "warning: ", "note: "}; /* as the agent has them */

/* --- taking a problem apart ----------------------------------------------------------------------------- */

struct problem {
    const char *file, *section, *key, *reason; /* point into the line; NULL = not said */
};

/* Cuts line at the first separator; what follows it, or NULL if there is none. */
static char *cut_at(char *line, const char *separator)
{
    char *at = strstr(line, separator);
    if (!at)
        return NULL;
    *at = '\0';
    return at + strlen(separator);
}

static struct problem take_apart(char *line)
{
    struct problem problem = {0};
    static const char prefix[] = "bluegreend: ";
    if (strncmp(line, prefix, sizeof prefix - 1) == 0)
        line += sizeof prefix - 1;
    char *bracket = strstr(line, ": [");
    char *section = bracket ? strchr(bracket, ']') : NULL;
    if (!section) {
        /* "FILE: REASON", where the file looks like one */
        char *colon = strstr(line, ": ");
        char *slash = strchr(line, '/'), *dot = strstr(line, ".conf");
        if (colon && ((slash && slash < colon) || (dot && dot < colon))) {
            problem.file = line;
            line = cut_at(line, ": ");
        }
        problem.reason = line;
        return problem;
    }
    *bracket = *section = '\0';
    problem.file = line;
    problem.section = bracket + 3;
    char *rest = section + 1;
    if (rest[0] == ' ') {
        problem.key = rest + 1;
        char *reason = cut_at(rest, ": ");
        problem.reason = reason ? reason : "";
        if (!reason) { /* no key: "FILE: [SECTION] REASON" */
            problem.reason = problem.key;
            problem.key = NULL;
        }
    } else {
        problem.reason = rest + (rest[0] == ':') + (rest[0] == ':' && rest[1] == ' ');
    }
    return problem;
}

static void print_problem(const struct problem *problem, bool first)
{
    const char *const names[] = {"file", "section", "key", "reason"};
    const char *const values[] = {problem->file, problem->section, problem->key, problem->reason};
    fputs(first ? "{" : ",{", stdout);
    for (int i = 0; i < 4; i++) {
        printf("%s\"%s\":", i ? "," : "", names[i]);
        json_print_string(stdout, values[i]);
    }
    putchar('}');
}

/* --- running ---------------------------------------------------------------------------------------------- */

/* All that it says, ended by NUL; the caller's. NULL when memory ran out. */
static char *read_all(int fd)
{
    char *said = NULL;
    size_t length = 0, capacity = 0;
    for (;;) {
        if (capacity - length < 2) {
            capacity = capacity ? capacity * 2 : 4096;
            char *grown = realloc(said, capacity);
            if (!grown) {
                free(said);
                return NULL;
            }
            said = grown;
        }
        ssize_t got = read(fd, said + length, capacity - length - 1);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        length += (size_t)got;
    }
    said[length] = '\0';
    return said;
}

/* output -1: ours. */
static pid_t start(const char *path, char **argv, int output)
{
    fflush(stdout);
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    if (output >= 0) {
        dup2(output, STDOUT_FILENO);
        dup2(output, STDERR_FILENO);
    }
    execv(path, argv);
    dprintf(STDERR_FILENO, "run %s: %s\n", path, strerror(errno));
    _exit(EXIT_REFUSED);
}

/* Exit status of the program, EXIT_REFUSED if it came to no good end. */
static int wait_for(pid_t pid)
{
    int status;
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR)
            return EXIT_REFUSED;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_REFUSED;
}

/* What it said is in *said, NULL where that could not be had. */
static int run_and_read(const char *path, char **argv, char **said)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return EXIT_REFUSED;
    pid_t pid = start(path, argv, ends[1]);
    close(ends[1]);
    *said = pid > 0 ? read_all(ends[0]) : NULL;
    close(ends[0]);
    return pid > 0 ? wait_for(pid) : EXIT_REFUSED;
}

static int check_people(const char *path, char **argv)
{
    pid_t pid = start(path, argv, -1);
    int status = pid > 0 ? wait_for(pid) : EXIT_REFUSED;
    if (status == EXIT_DONE)
        puts("the configuration is good");
    return status;
}

static enum line line_kind(const char *line)
{
    for (enum line kind = LINE_NOTE; kind > LINE_PROBLEM; kind--) {
        if (strncmp(line, prefixes[kind], strlen(prefixes[kind])) == 0)
            return kind;
    }
    return LINE_PROBLEM;
}

/* Of what was said, the lines of this kind, as a JSON list; all of them on stderr, too. */
static void print_lines(const char *said, enum line kind)
{
    char *copy = strdup(said ? said : ""), *rest = copy;
    bool first = true;
    putchar('[');
    for (char *line; (line = strsep(&rest, "\n")) != NULL;) {
        if (!*line || line_kind(line) != kind)
            continue;
        fprintf(stderr, "%s\n", line);
        struct problem problem = take_apart(line + strlen(prefixes[kind]));
        print_problem(&problem, first);
        first = false;
    }
    putchar(']');
    free(copy);
}

static int check_json(const char *path, char **argv)
{
    char *said = NULL;
    int status = run_and_read(path, argv, &said);
    printf("{\"ok\":%s,\"problems\":", status == EXIT_DONE ? "true" : "false");
    print_lines(status == EXIT_DONE ? NULL : said, LINE_PROBLEM);
    printf(",\"warnings\":");
    print_lines(said, LINE_WARNING);
    printf(",\"notes\":");
    print_lines(said, LINE_NOTE);
    puts("}");
    free(said);
    return status;
}

int check_run(struct cli *cli)
{
    char path[PATH_MAX];
    struct bluegreen_error error = {.kind = BLUEGREEN_FAILED};
    if (!find_agent(path, sizeof path)) {
        snprintf(error.reason, sizeof error.reason,
                 "bluegreend, which reads the configuration, is neither beside this program nor in %s: install it",
                 BLUEGREEN_SBINDIR);
        return cli_fail(cli, &error);
    }
    char **argv = check_command(cli);
    if (!argv) {
        snprintf(error.reason, sizeof error.reason, "out of memory");
        return cli_fail(cli, &error);
    }
    int status = cli->json ? check_json(path, argv) : check_people(path, argv);
    free(argv);
    return status;
}
