/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the keys of the sandbox, the limits and the end of an app are written in: lists of files, CPUs, signals. */
#include "model/grammar.h"

#include "base/cleanup.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#define QUOTE_MAX 80

enum { CPU_PERCENT_MAX = 102400, REALTIME_SPAN = 30 };

/* --- units ------------------------------------------------------------------------------------ */

int grammar_cpu(const char *value, uint32_t *permille, struct error *err)
{
    char number[8] = "";
    uint64_t percent = 0;
    size_t length = strspn(value, "0123456789");
    bool unit = strcmp(value + length, "%") == 0;
    if (length > 0 && length < sizeof number) {
        memcpy(number, value, length);
        number[length] = '\0';
    }
    if (!unit || !text_to_u64(number, CPU_PERCENT_MAX, &percent) || percent == 0)
        return error_set(err, EINVAL,
                         "\"%.*s\" is not a share of the CPUs; write whole percent of one CPU, as in 50%% for half of "
                         "one or 150%% for one and a half (1%% to %d%%)",
                         QUOTE_MAX, value, CPU_PERCENT_MAX);
    *permille = (uint32_t)percent * 10;
    return 0;
}

/* Those by which programs are asked to end. SIGKILL cannot be caught: that is what stop_timeout = 0 is for. */
static const struct {
    const char *name;
    int number;
} signals[] = {{"TERM", SIGTERM}, {"INT", SIGINT},   {"QUIT", SIGQUIT}, {"HUP", SIGHUP},     {"USR1", SIGUSR1},
               {"USR2", SIGUSR2}, {"ABRT", SIGABRT}, {"ALRM", SIGALRM}, {"WINCH", SIGWINCH}, {"PWR", SIGPWR}};

static bool realtime_signal(const char *name, int *number)
{
    uint64_t offset = 0;
    if (!text_starts_with(name, "RTMIN"))
        return false;
    const char *rest = name + strlen("RTMIN");
    if (*rest && (*rest != '+' || !text_to_u64(rest + 1, REALTIME_SPAN, &offset)))
        return false;
    *number = SIGRTMIN + (int)offset;
    return *number <= SIGRTMAX;
}

int grammar_signal(const char *value, int *number, struct error *err)
{
    const char *name = text_starts_with(value, "SIG") ? value + 3 : value;
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        if (strcmp(name, signals[i].name) == 0) {
            *number = signals[i].number;
            return 0;
        }
    }
    if (realtime_signal(name, number))
        return 0;
    if (strcmp(name, "KILL") == 0)
        return error_set(err, EINVAL, "SIGKILL leaves no time to end; write stop_timeout = 0 to have the app killed");
    return error_set(err, EINVAL,
                     "\"%.*s\" is not a signal to end a program with; it is SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, "
                     "SIGUSR2, SIGABRT, SIGALRM, SIGWINCH, SIGPWR or SIGRTMIN+N",
                     QUOTE_MAX, value);
}

/* --- lists ------------------------------------------------------------------------------------ */

int grammar_list(const char *value, struct words *words, struct error *err)
{
    CLEANUP_WORDS struct words split = {0};
    CLEANUP_FREE char *copy = strdup(value);
    if (!copy)
        return error_errno(err, ENOMEM, "read a list");
    for (char *rest = copy; rest;) { /* not strtok: it takes no notice of what is empty */
        char *item = text_trim(strsep(&rest, "|"));
        if (!*item)
            return error_set(err, EINVAL, "nothing between two '|'; write A | B");
        if (words_add(&split, item) < 0)
            return error_errno(err, ENOMEM, "read a list");
    }
    words_clear(words);
    *words = split;
    split = (struct words){0};
    return 0;
}

/* "PATH" or "PATH -> PATH IN THE ZONE"; item is changed. */
static int read_rule(char *item, enum file_access access, struct file_rule *rule, struct error *err)
{
    char *arrow = strstr(item, "->"), *target = NULL;
    if (arrow) {
        *arrow = '\0';
        item = text_trim(item);
        target = text_trim(arrow + 2);
        if (access == FILE_HIDE)
            return error_set(err, EINVAL, "\"%.*s\" has a '->'; what is hidden has no other place", QUOTE_MAX, item);
        if (!*item || !*target || strstr(target, "->"))
            return error_set(err, EINVAL,
                             "\"%.*s\" is not one path, \"->\" and another; write PATH -> PATH IN THE ZONE", QUOTE_MAX,
                             *item ? item : target);
    }
    *rule = (struct file_rule){.access = access, .source = strdup(item), .target = target ? strdup(target) : NULL};
    if (rule->source && (!target || rule->target))
        return 0;
    free(rule->source);
    free(rule->target);
    *rule = (struct file_rule){0};
    return error_errno(err, ENOMEM, "read a list of files");
}

int grammar_files(const char *value, enum file_access access, struct file_rule rules[], size_t *count,
                  struct error *err)
{
    CLEANUP_WORDS struct words items = {0};
    size_t used = *count;
    int result = grammar_list(value, &items, err);
    for (size_t i = 0; result == 0 && i < items.count; i++) {
        if (used == FILE_RULES_MAX)
            result = error_set(err, EINVAL, "more than %d paths in [files]; name directories instead of files",
                               FILE_RULES_MAX);
        else
            result = read_rule(items.items[i], access, &rules[used], err);
        used += result == 0;
    }
    if (result == 0) {
        *count = used;
        return 0;
    }
    while (used > *count) {
        free(rules[--used].source);
        free(rules[used].target);
        rules[used] = (struct file_rule){0};
    }
    return result;
}
