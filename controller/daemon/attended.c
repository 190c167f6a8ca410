#include "controller/daemon/attended.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void path_in(const char *runtime_dir, char out[PATH_MAX])
{
    snprintf(out, PATH_MAX, "%s/running", runtime_dir);
}

bool attended_begin(const char *runtime_dir, char error[ERROR_MAX])
{
    char path[PATH_MAX];
    path_in(runtime_dir, path);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0) {
        error_say(error, "can't write %.200s: %s", path, strerror(errno));
        return false;
    }
    close(fd);
    return true;
}

void attended_end(const char *runtime_dir)
{
    char path[PATH_MAX];
    path_in(runtime_dir, path);
    (void)unlink(path);
}

bool attended_has_begun(const char *runtime_dir)
{
    char path[PATH_MAX];
    path_in(runtime_dir, path);
    return access(path, F_OK) == 0 || errno != ENOENT;
}
