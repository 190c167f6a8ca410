#include "controller/daemon/birdconf_file.h"

#include "base/file.h"
#include "base/hash.h"

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

void birdconf_words_add(struct birdconf_words *words, const struct birdconf *conf,
                        const size_t *slots, size_t count)
{
    size_t length = conf->length < sizeof words->head ? conf->length : sizeof words->head;
    if (words->head_length != length || memcmp(words->head, conf->text, length) != 0) {
        words->count = 0;
        words->head_length = length;
        memcpy(words->head, conf->text, length);
    }
    for (size_t i = 0; i < count && words->count < BIRDCONF_WORDS_MAX; i++) {
        size_t offset = conf->slots[slots[i]].offset;
        words->items[words->count].offset = offset;
        memcpy(words->items[words->count++].text, conf->text + offset, BIRDCONF_SLOT);
    }
}

bool birdconf_words_set(const struct birdconf_words *words, char *text, size_t length)
{
    if (length < words->head_length || memcmp(text, words->head, words->head_length) != 0) {
        return false;
    }
    for (size_t i = 0; i < words->count; i++) {
        memcpy(text + words->items[i].offset, words->items[i].text, BIRDCONF_SLOT);
    }
    return true;
}

static bool has_head(int fd, const struct birdconf_words *words)
{
    char head[BIRDCONF_HEAD];
    return pread(fd, head, words->head_length, 0) == (ssize_t)words->head_length &&
           memcmp(head, words->head, words->head_length) == 0;
}

int birdconf_patch(const struct birdconf_words *words, const char *runtime_dir)
{
    char path[PATH_SIZE];
    snprintf(path, sizeof path, "%s/" BIRDCONF_FILE, runtime_dir);
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) {
        return -errno;
    }
    int result = has_head(fd, words) ? 0 : -ESTALE;
    for (size_t i = 0; i < words->count && result == 0; i++) {
        if (pwrite(fd, words->items[i].text, BIRDCONF_SLOT, (off_t)words->items[i].offset) !=
            BIRDCONF_SLOT) {
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

struct birdconf_print birdconf_print(const char *text, size_t length)
{
    return (struct birdconf_print){.is_none = text == NULL,
                                   .length = text != NULL ? length : 0,
                                   .hash = hash_bytes(HASH_START, text, text != NULL ? length : 0)};
}

bool birdconf_is(const char *runtime_dir, struct birdconf_print expected)
{
    char path[PATH_SIZE];
    char bytes[16384];
    struct birdconf_print found = {.hash = HASH_START};
    ssize_t got;
    snprintf(path, sizeof path, "%s/" BIRDCONF_FILE, runtime_dir);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return errno == ENOENT && expected.is_none;
    }
    while ((got = read(fd, bytes, sizeof bytes)) > 0 && found.length <= expected.length) {
        found.hash = hash_bytes(found.hash, bytes, (size_t)got);
        found.length += (size_t)got;
    }
    close(fd);
    return got == 0 && !expected.is_none && found.length == expected.length &&
           found.hash == expected.hash;
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
