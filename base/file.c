#include "base/file.h"

#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int failed_to(char error[ERROR_MAX], const char *what, const char *path)
{
    int number = errno;
    error_say(error, "can't %s %s: %s", what, path, strerror(number));
    return -number;
}

static int write_all(int fd, const char *text, size_t length)
{
    while (length > 0) {
        ssize_t written = write(fd, text, length);
        if (written < 0 && errno != EINTR) {
            return -1;
        }
        if (written > 0) {
            text += written;
            length -= (size_t)written;
        }
    }
    return 0;
}

// 0, or -1 with errno.
static int give_to_owner(int fd, const char *directory)
{
    struct stat owner;
    if (geteuid() != 0) {
        return 0;
    }
    return stat(directory, &owner) != 0 ? -1 : fchown(fd, owner.st_uid, owner.st_gid);
}

static int write_new(const char *directory, const char *path, const char *text, size_t length,
                     mode_t mode, char error[ERROR_MAX])
{
    int result = 0;
    unlink(path); // what a crash left, maybe another user's; a FIFO would block
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0) {
        return failed_to(error, "create", path);
    }
    if (give_to_owner(fd, directory) != 0) {
        result = failed_to(error, "give the directory's owner", path);
    } else if (fchmod(fd, mode) != 0) {
        result = failed_to(error, "set the mode of", path);
    } else if (write_all(fd, text, length) != 0) {
        result = failed_to(error, "write", path);
    } else if (fsync(fd) != 0) {
        result = failed_to(error, "sync", path);
    }
    if (close(fd) != 0 && result == 0) {
        result = failed_to(error, "close", path);
    }
    return result;
}

int file_sync_directory(const char *directory, char error[ERROR_MAX])
{
    int result = 0;
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return failed_to(error, "open the directory", directory);
    }
    if (fsync(fd) != 0) {
        result = failed_to(error, "sync the directory", directory);
    }
    close(fd);
    return result;
}

bool file_open_standard(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        // The lowest that is free is fd, as those below are open.
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd) {
            return false;
        }
    }
    return true;
}

int file_replace(const char *directory, const char *name, const char *text, size_t length,
                 mode_t mode, char error[ERROR_MAX])
{
    char path[PATH_MAX];
    char temp[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    snprintf(temp, sizeof temp, "%s/%s.tmp", directory, name);
    error[0] = '\0';
    int result = write_new(directory, temp, text, length, mode, error);
    if (result == 0 && rename(temp, path) != 0) {
        result = failed_to(error, "put the new file in place of", path);
    }
    if (result != 0) {
        unlink(temp);
        return result;
    }
    return file_sync_directory(directory, error);
}

static int read_all(int fd, char *text, size_t room, size_t *length)
{
    *length = 0;
    while (*length < room) {
        ssize_t got = read(fd, text + *length, room - *length);
        if (got == 0) {
            return 0;
        }
        if (got < 0 && errno != EINTR) {
            return -1;
        }
        *length += got > 0 ? (size_t)got : 0;
    }
    return 0;
}

int file_read(const char *path, size_t max, char **text, size_t *length, char error[ERROR_MAX])
{
    struct stat stat;
    int result = 0;
    // Not to wait for the other end, should it be a FIFO.
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    *text = NULL;
    *length = 0;
    error[0] = '\0';
    if (fd < 0) {
        return failed_to(error, "open", path);
    }
    if (fstat(fd, &stat) != 0) {
        result = failed_to(error, "look at", path);
        goto end;
    }
    if (!S_ISREG(stat.st_mode)) {
        error_say(error, "can't read %s: it is not a regular file", path);
        result = -EINVAL;
        goto end;
    }
    if (stat.st_size > (off_t)max) {
        error_say(error, "can't read %s: longer than %zu bytes", path, max);
        result = -EFBIG;
        goto end;
    }
    size_t room = (size_t)stat.st_size;
    *text = malloc(room + 1);
    if (*text == NULL || read_all(fd, *text, room, length) != 0) {
        result = failed_to(error, "read", path);
        goto end;
    }
    (*text)[*length] = '\0';
end:
    if (result != 0) {
        free(*text);
        *text = NULL;
    }
    close(fd);
    return result;
}
