#include "controller/daemon/birdconf_file.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATH_SIZE (PATH_LEN_MAX + 32)
#define TEXT_MAX  (64U << 20) // bytes

int birdconf_save(const char *runtime_dir, const char *text, size_t length, char error[ERROR_MAX])
{
    if (length > 0) {
        return file_replace(runtime_dir, BIRDCONF_FILE, text, length, 0644, error);
    }
    char path[PATH_SIZE];
    snprintf(path, sizeof path, "%s/" BIRDCONF_FILE, runtime_dir);
    if (unlink(path) != 0 && errno != ENOENT) {
        int number = errno;
        error_say(error, "can't remove %s: %s", path, strerror(number));
        return -number;
    }
    return file_sync_directory(runtime_dir, error);
}

// The head has the revision, and with it the place of every slot.
static bool has_head_of(int fd, const struct birdconf *conf)
{
    char head[BIRDCONF_HEAD];
    size_t length = conf->length < sizeof head ? conf->length : sizeof head;
    return pread(fd, head, length, 0) == (ssize_t)length && memcmp(head, conf->text, length) == 0;
}

int birdconf_patch(const struct birdconf *conf, const char *runtime_dir, const size_t *slots,
                   size_t count)
{
    char path[PATH_SIZE];
    snprintf(path, sizeof path, "%s/" BIRDCONF_FILE, runtime_dir);
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) {
        return -errno;
    }
    int result = has_head_of(fd, conf) ? 0 : -ESTALE;
    for (size_t i = 0; i < count && result == 0; i++) {
        off_t offset = (off_t)conf->slots[slots[i]].offset;
        if (pwrite(fd, conf->text + offset, BIRDCONF_SLOT, offset) != BIRDCONF_SLOT) {
            result = -EIO;
        }
    }
    close(fd);
    return result;
}

bool birdconf_exists(const char *runtime_dir)
{
    char path[PATH_SIZE];
    snprintf(path, sizeof path, "%s/" BIRDCONF_FILE, runtime_dir);
    return access(path, F_OK) == 0;
}

bool birdconf_is_saved(const struct birdconf *conf, const char *runtime_dir)
{
    char path[PATH_SIZE];
    char error[ERROR_MAX];
    char *text = NULL;
    size_t length;
    snprintf(path, sizeof path, "%s/" BIRDCONF_FILE, runtime_dir);
    int status = file_read(path, TEXT_MAX, &text, &length, error);
    bool saved = conf == NULL ? status == -ENOENT
                              : status == 0 && length == conf->length &&
                                    memcmp(text, conf->text, length) == 0;
    free(text);
    return saved;
}

struct birdconf *birdconf_read(const char *runtime_dir, char error[ERROR_MAX])
{
    char path[PATH_SIZE];
    char why[ERROR_MAX];
    char *text = NULL;
    size_t length;
    snprintf(path, sizeof path, "%s/" BIRDCONF_FILE, runtime_dir);
    int status = file_read(path, TEXT_MAX, &text, &length, error);
    if (status != 0) {
        if (status == -ENOENT) {
            error[0] = '\0';
        }
        return NULL;
    }
    struct birdconf *conf = birdconf_parse(text, length, why);
    if (conf == NULL) {
        error_say(error, "%.120s: %.120s", path, why);
    }
    free(text);
    return conf;
}
