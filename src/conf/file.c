/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading a configuration file from the disk. */
#include "conf/file.h"

#include "os/files.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

int conf_read(const char *path, char **content, size_t *length, struct problems *problems)
{
    struct stat status;
    struct error err = {0};
    int result = stat(path, &status) < 0 ? -errno : 0;
    if (result == -ENOENT)
        return result;
    if (result == 0 && !S_ISREG(status.st_mode)) { /* a fifo would keep us waiting for ever */
        problem_in_file(problems, "is not a regular file");
        return -EINVAL;
    }
    if (result == 0)
        result = file_read(path, CONF_FILE_MAX, content, length, &err);
    if (result == -EFBIG)
        problem_in_file(problems, "larger than %u KiB: this is not a configuration file", CONF_FILE_MAX >> 10);
    else if (result < 0)
        problem_in_file(problems, "cannot be read: %s", strerror(-result));
    return result;
}
