// See secret.h.
#include "probes/secret.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

void secret_drop(struct secret *secret)
{
    if (secret->text != NULL) {
        explicit_bzero(secret->text, secret->room);
        munmap(secret->text, secret->room);
    }
    *secret = (struct secret){.text = NULL};
}

// Why this file can't be trusted with a secret; NULL if it can.
static const char *file_problem(const struct stat *stat)
{
    if (!S_ISREG(stat->st_mode)) {
        return "it is not a regular file";
    }
    if (stat->st_mode & (S_IROTH | S_IWOTH | S_IXOTH)) {
        return "others may read it; chmod o= it";
    }
    if (stat->st_mode & S_IWGRP) {
        return "its group may write it; chmod g-w it";
    }
    if (stat->st_uid != 0 && stat->st_uid != geteuid()) {
        return "it belongs neither to root nor to the user of popgated";
    }
    return NULL;
}

// Why this can't be a secret; NULL, and the length is that of the line, if it can.
static const char *text_problem(const char *text, size_t *length, bool lines)
{
    if (*length > (lines ? SECRET_LINES_MAX : SECRET_MAX)) {
        return lines ? "it is larger than 262144 bytes" : "it is larger than 16384 bytes";
    }
    while (*length > 0 && (text[*length - 1] == '\n' || text[*length - 1] == '\r')) {
        --*length;
    }
    if (*length == 0) {
        return "it is empty";
    }
    for (size_t i = 0; i < *length; i++) {
        bool space = lines && text[i] != '\0' && strchr("\n\r\t", text[i]) != NULL;
        if (((unsigned char)text[i] < ' ' && !space) || text[i] == 0x7f) {
            return lines ? "it is not text" : "it holds more than one line of text";
        }
    }
    return NULL;
}

// Locked memory; where the limit forbids locking (RLIMIT_MEMLOCK) it is plain memory.
static bool make_room(struct secret *secret, bool lines)
{
    size_t size = (lines ? SECRET_LINES_MAX : SECRET_MAX) + 2; // its last end, and what is too long
    char *room = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (room == MAP_FAILED) {
        return false;
    }
    (void)mlock(room, size);
    (void)madvise(room, size, MADV_DONTDUMP);
    secret->text = room;
    secret->room = size;
    return true;
}

// Fills secret->text; -1 with errno.
static int read_all(int fd, struct secret *secret)
{
    while (secret->length < secret->room) {
        ssize_t got = read(fd, secret->text + secret->length, secret->room - secret->length);
        if (got <= 0) {
            return got == 0 ? 0 : -1;
        }
        secret->length += (size_t)got;
    }
    return 0;
}

static bool unchanged(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_mode == b->st_mode &&
           a->st_uid == b->st_uid && a->st_size == b->st_size &&
           a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static int load(struct secret *secret, const char *path, bool lines, char error[ERROR_MAX])
{
    const char *problem = NULL;
    struct stat now;
    assert(secret && path);
    if (secret->text != NULL && stat(path, &now) == 0 && unchanged(&now, &secret->seen)) {
        return 0;
    }
    secret_drop(secret);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); // never waits at a FIFO
    if (fd < 0 || fstat(fd, &secret->seen) != 0) {
        problem =
            errno == EACCES ? "Permission denied; chgrp popgate and chmod 640 it" : strerror(errno);
        goto err;
    }
    problem = file_problem(&secret->seen);
    if (problem != NULL) {
        goto err;
    }
    (void)prctl(PR_SET_DUMPABLE, 0L, 0L, 0L, 0L);
    if (!make_room(secret, lines) || read_all(fd, secret) != 0) {
        problem = strerror(errno);
        goto err;
    }
    problem = text_problem(secret->text, &secret->length, lines);
    if (problem != NULL) {
        goto err;
    }
    secret->text[secret->length] = '\0';
    close(fd);
    return 0;

err:
    if (fd >= 0) {
        close(fd);
    }
    secret_drop(secret);
    return error_say(error, "%.150s: %s", path, problem);
}

int secret_load(struct secret *secret, const char *path, char error[ERROR_MAX])
{
    return load(secret, path, false, error);
}

int secret_load_lines(struct secret *secret, const char *path, char error[ERROR_MAX])
{
    return load(secret, path, true, error);
}

int secret_path(const char *file, const char *credential, char out[SECRET_PATH_MAX],
                char error[ERROR_MAX])
{
    const char *directory = file[0] ? "" : getenv("CREDENTIALS_DIRECTORY");
    if (directory == NULL) {
        return error_say(
            error, "there is no $CREDENTIALS_DIRECTORY: has the unit LoadCredential=%.64s:...?",
            credential);
    }
    int length = snprintf(out, SECRET_PATH_MAX, "%s%s%s", directory, file[0] ? "" : "/",
                          file[0] ? file : credential);
    if (length >= SECRET_PATH_MAX) {
        return error_say(error, "%.150s: the path is too long", out);
    }
    return 0;
}
