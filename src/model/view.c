/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an app sees of the host's files: from the configuration to steps. */
#include "model/view.h"

#include "model/path.h"
#include "model/view_system.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* --- collecting ------------------------------------------------------------------------------------ */

struct draft {
    uint32_t kind, flags;
    size_t source, target; /* in texts */
};

struct builder {
    const struct view_request *request;
    struct draft *drafts;
    size_t count, capacity;
    struct text texts;
    bool failed;
};

static void builder_clear(struct builder *builder)
{
    free(builder->drafts);
    text_clear(&builder->texts);
}

static size_t keep(struct builder *builder, const char *text)
{
    size_t at = builder->texts.length;
    text_add_bytes(&builder->texts, text, strlen(text) + 1);
    return at;
}

static void add(struct builder *builder, uint32_t kind, uint32_t flags, const char *source, const char *target)
{
    if (builder->count == builder->capacity) {
        size_t capacity = builder->capacity ? builder->capacity * 2 : 128;
        struct draft *drafts = realloc(builder->drafts, capacity * sizeof *drafts);
        if (!drafts) {
            builder->failed = true;
            return;
        }
        builder->drafts = drafts;
        builder->capacity = capacity;
    }
    builder->drafts[builder->count++] =
        (struct draft){.kind = kind, .flags = flags, .source = keep(builder, source), .target = keep(builder, target)};
}

static const char *target_of(const struct view_file *file)
{
    return file->target ? file->target : file->source;
}

static bool is_below(const char *path, const char *directory)
{
    return path_is_in(path, directory) && strcmp(path, directory) != 0;
}

/* Does a rule show something in this directory? */
static bool shows_below(const struct view_request *request, const char *directory)
{
    for (size_t i = 0; i < request->file_count; i++) {
        const struct view_file *file = &request->files[i];
        if (file->access != FILE_HIDE && is_below(target_of(file), directory))
            return true;
    }
    return false;
}

/* A directory that cannot be entered would hide what a rule shows in it: there an empty one does. */
static void hide(struct builder *builder, uint32_t flags, const char *path)
{
    if (shows_below(builder->request, path))
        add(builder, VIEW_TMPFS, flags | VIEW_READ_ONLY, "", path);
    else
        add(builder, VIEW_HIDE, flags, "", path);
}

/* --- rules ------------------------------------------------------------------------------------------- */

/* Private to each app, so that what the host has there is not seen. */
static const char *const private_directories[] = {"/tmp", "/var/tmp", "/dev"};
static const char *const homes[] = {"/home", "/root", "/run/user"};

bool view_covers(const struct sandbox *sandbox, const char *path)
{
    for (size_t i = 0; i < sizeof private_directories / sizeof *private_directories; i++) {
        if (is_below(path, private_directories[i]))
            return true;
    }
    for (size_t i = 0; i < sizeof homes / sizeof *homes; i++) {
        if (is_below(path, homes[i]))
            return !sandbox->home_visible;
    }
    return !sandbox->run_visible && is_below(path, "/run");
}

static bool is_writable(const struct view_file *file)
{
    return file->access == FILE_WRITE || file->access == FILE_STATE;
}

static const char *access_name(const struct view_file *file)
{
    static const char *const names[] = {
        [FILE_READ] = "read", [FILE_WRITE] = "write", [FILE_STATE] = "state", [FILE_HIDE] = "hide"};
    return names[file->access];
}

static bool agree(const struct view_file *a, const struct view_file *b)
{
    bool hidden = a->access == FILE_HIDE;
    if (hidden != (b->access == FILE_HIDE) || is_writable(a) != is_writable(b))
        return false;
    return hidden || strcmp(a->source, b->source) == 0;
}

/* The agent's own directories: whoever writes there decides what runs as whom. What lies in them may be shown. */
static int check_agents_own(const struct view_request *request, const struct view_file *file, struct error *err)
{
    for (size_t i = 0; request->hidden && request->hidden[i]; i++) {
        const char *own = request->hidden[i];
        if (strcmp(file->source, own) == 0 || (is_writable(file) && path_is_in(file->source, own)) ||
            strcmp(target_of(file), own) == 0)
            return error_set(err, EINVAL, "[files] %s: %s belongs to bluegreend and is never given to an app",
                             access_name(file), file->source);
    }
    return 0;
}

static int check_place(const struct view_file *file, struct error *err)
{
    const char *target = target_of(file);
    if (strcmp(target, "/") == 0 || strcmp(file->source, "/") == 0)
        return error_set(err, EINVAL,
                         "[files] %s: / is too much; name directories, or loosen [sandbox] system = writable",
                         access_name(file));
    if (strcmp(target, "/proc") == 0 || strcmp(target, "/sys") == 0 || strcmp(target, "/dev") == 0)
        return error_set(err, EINVAL,
                         "[files] %s: %s is made anew for each app; see [sandbox] kernel and [sandbox] devices",
                         access_name(file), target);
    return 0;
}

static int check_rules(const struct view_request *request, struct error *err)
{
    for (size_t i = 0; i < request->file_count; i++) {
        const struct view_file *file = &request->files[i];
        if (file->automatic)
            continue;
        int result = check_place(file, err);
        if (result == 0 && file->access != FILE_HIDE)
            result = check_agents_own(request, file, err);
        if (result < 0)
            return result;
        for (size_t j = 0; j < i; j++) {
            const struct view_file *other = &request->files[j];
            if (!other->automatic && strcmp(target_of(file), target_of(other)) == 0 && !agree(file, other))
                return error_set(err, EINVAL, "[files]: %s cannot be both %s = %s and %s = %s; remove one of them",
                                 target_of(file), access_name(other), other->source, access_name(file), file->source);
        }
    }
    return 0;
}

/* What decides on a path is the deepest that it lies in: a private directory, or a rule. */
struct depth {
    size_t length;
    bool visible;
};

static void deepen(struct depth *depth, const char *directory, bool visible)
{
    size_t length = strlen(directory);
    if (length >= depth->length)
        *depth = (struct depth){.length = length, .visible = visible};
}

/* Would an app see path, with the rules before the last-th and all that are not automatic? */
static bool is_seen(const struct view_request *request, size_t last, const char *path)
{
    struct depth depth = {.visible = true};
    const struct view_fixed *step;
    for (size_t at = 0; (step = view_system(request, &at));) {
        bool covers = step->kind == VIEW_TMPFS || step->kind == VIEW_HIDE || step->kind == VIEW_DEV;
        if (covers && is_below(path, step->target))
            deepen(&depth, step->target, false);
    }
    if (request->sandbox->home_visible && is_below(path, "/run/user"))
        deepen(&depth, "/run/user", true);
    for (size_t i = 0; request->hidden && request->hidden[i]; i++) {
        if (path_is_in(path, request->hidden[i]))
            deepen(&depth, request->hidden[i], false);
    }
    for (size_t i = 0; i < request->file_count; i++) {
        const struct view_file *file = &request->files[i];
        if ((!file->automatic || i < last) && path_is_in(path, target_of(file)))
            deepen(&depth, target_of(file), file->access != FILE_HIDE);
    }
    return depth.visible;
}

/* What is hidden below source would be seen again where that is shown at another place. */
static void hide_again(struct builder *builder, const struct view_file *file, const char *hidden)
{
    if (!is_below(hidden, file->source) || strcmp(file->source, target_of(file)) == 0)
        return;
    CLEANUP_TEXT struct text path = {0};
    text_addf(&path, "%s%s", target_of(file), hidden + strlen(file->source));
    builder->failed |= path.failed;
    if (!path.failed)
        hide(builder, VIEW_OPTIONAL, path.data);
}

static void hide_all_again(struct builder *builder, const struct view_file *file)
{
    const struct view_request *request = builder->request;
    const struct view_fixed *secret;
    for (size_t at = 0; (secret = view_secrets(request, &at));)
        hide_again(builder, file, secret->target);
    for (size_t i = 0; request->hidden && request->hidden[i]; i++)
        hide_again(builder, file, request->hidden[i]);
    for (size_t i = 0; i < request->file_count; i++) {
        if (request->files[i].access == FILE_HIDE)
            hide_again(builder, file, request->files[i].source);
    }
}

static void add_rules(struct builder *builder)
{
    const struct view_request *request = builder->request;
    for (size_t i = 0; i < request->file_count; i++) {
        const struct view_file *file = &request->files[i];
        if (file->access == FILE_HIDE) {
            hide(builder, VIEW_OPTIONAL, target_of(file));
        } else if (!file->automatic || !is_seen(request, i, target_of(file))) {
            add(builder, VIEW_BIND, is_writable(file) ? 0 : VIEW_READ_ONLY, file->source, target_of(file));
            hide_all_again(builder, file);
        }
    }
}

/* --- building ---------------------------------------------------------------------------------------- */

static bool has_target(const struct view_request *request, const char *path)
{
    for (size_t i = 0; i < request->file_count; i++) {
        if (strcmp(target_of(&request->files[i]), path) == 0)
            return true;
    }
    return false;
}

static void add_name_service(struct builder *builder, const char *source, const char *target)
{
    uint32_t flags = VIEW_READ_ONLY | VIEW_NO_EXEC | VIEW_FOLLOW | VIEW_OPTIONAL;
    if (source && source[0] && !has_target(builder->request, target))
        add(builder, VIEW_BIND, flags, source, target);
}

static void add_everything(struct builder *builder)
{
    const struct view_request *request = builder->request;
    const struct sandbox *sandbox = request->sandbox;
    const struct view_fixed *step;
    for (size_t at = 0; (step = view_system(request, &at));) {
        if (step->kind == VIEW_HIDE)
            hide(builder, step->flags, step->target);
        else
            add(builder, step->kind, step->flags, "", step->target);
    }
    if (sandbox->home_visible && !sandbox->run_visible)
        add(builder, VIEW_BIND, VIEW_SYSTEMS_OWN | (sandbox->system_writable ? 0 : VIEW_READ_ONLY), "/run/user",
            "/run/user");
    for (size_t i = 0; i < sandbox->devices.count; i++)
        add(builder, VIEW_BIND, VIEW_DEVICE | VIEW_NO_EXEC, sandbox->devices.items[i], sandbox->devices.items[i]);
    add_name_service(builder, request->resolv_conf, "/etc/resolv.conf");
    add_name_service(builder, request->hosts, "/etc/hosts");
    for (size_t i = 0; request->hidden && request->hidden[i]; i++)
        hide(builder, VIEW_SYSTEMS_OWN, request->hidden[i]);
    add_rules(builder);
}

/* A directory's name is shorter than that of what lies in it; what has the same length keeps its order. */
static void sort(struct draft *drafts, size_t count, const char *texts)
{
    for (size_t i = 1; i < count; i++) {
        const struct draft draft = drafts[i];
        size_t length = strlen(texts + draft.target), at = i;
        for (; at > 0 && strlen(texts + drafts[at - 1].target) > length; at--)
            drafts[at] = drafts[at - 1];
        drafts[at] = draft;
    }
}

static void hand_over(struct builder *builder, struct view *view)
{
    view->count = builder->count;
    view->texts = builder->texts.data;
    builder->texts = (struct text){0};
    for (size_t i = 0; i < builder->count; i++) {
        const struct draft *draft = &builder->drafts[i];
        view->steps[i] = (struct view_step){.kind = draft->kind,
                                            .flags = draft->flags,
                                            .source = view->texts + draft->source,
                                            .target = view->texts + draft->target};
    }
}

int view_build(const struct view_request *request, struct view *view, struct error *err)
{
    __attribute__((cleanup(builder_clear))) struct builder builder = {.request = request};
    *view = (struct view){0};
    int result = check_rules(request, err);
    if (result < 0)
        return result;
    add_everything(&builder);
    if (!builder.failed && !builder.texts.failed)
        view->steps = calloc(builder.count, sizeof *view->steps);
    if (!view->steps)
        return error_errno(err, ENOMEM, "lay out the app's files");
    sort(builder.drafts, builder.count, builder.texts.data);
    hand_over(&builder, view);
    return 0;
}

void view_clear(struct view *view)
{
    free(view->steps);
    free(view->texts);
    *view = (struct view){0};
}
