#include "controller/daemon/state_files.h"
#include "controller/daemon/birdconf_file.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MEMORY_MAX     ((size_t)4 << 20)
#define ASIDE_MAX      1000
#define ASIDE_PATH_MAX (PATH_MAX + 16)
#define STAMP_FILE     "ledger"
#define BOOT_ID_FILE   "/proc/sys/kernel/random/boot_id"

bool state_files_fit(const char *directory, char message[ERROR_MAX])
{
    struct stat found;
    if (stat(directory, &found) != 0) {
        error_say(message, "%s: %s", directory, strerror(errno));
    } else if (!S_ISDIR(found.st_mode)) {
        error_say(message, "%s: %s", directory, strerror(ENOTDIR));
    } else if (access(directory, R_OK | W_OK | X_OK) != 0) {
        error_say(message, "can't write into %s: %s", directory, strerror(errno));
    } else {
        return true;
    }
    return false;
}

// ---- The ledger

static bool same_file(const char *a, const char *b)
{
    struct stat one;
    struct stat other;
    return lstat(a, &one) == 0 && lstat(b, &other) == 0 && one.st_dev == other.st_dev &&
           one.st_ino == other.st_ino;
}

// For what link() does not take: text under the other name, then both change places.
static bool exchange(const char *state_dir, const char *path, const char *aside, const char *text)
{
    char ignored[ERROR_MAX];
    int result =
        file_replace(state_dir, strrchr(aside, '/') + 1, text, strlen(text), 0640, ignored);
    if (result != 0) {
        errno = -result;
        return false;
    }
    if (renameat2(AT_FDCWD, path, AT_FDCWD, aside, RENAME_EXCHANGE) == 0) {
        return true;
    }
    int number = errno;
    unlink(aside);
    errno = number;
    return false;
}

static void know(struct ledger_place *place, const struct stat *file)
{
    place->known.device = file->st_dev;
    place->known.inode = file->st_ino;
    place->known.size = file->st_size;
    place->known.modified = file->st_mtim;
}

static bool is_known(const struct ledger_place *place, const struct stat *file)
{
    return place->known.device == file->st_dev && place->known.inode == file->st_ino &&
           place->known.size == file->st_size &&
           place->known.modified.tv_sec == file->st_mtim.tv_sec &&
           place->known.modified.tv_nsec == file->st_mtim.tv_nsec;
}

// ---- The stamp: there was a ledger

static void stamp_place(const char *state_dir, char directory[PATH_MAX])
{
    size_t length = strlen(state_dir);
    while (length > 1 && state_dir[length - 1] == '/') {
        length--;
    }
    snprintf(directory, PATH_MAX, "%.*s-stamp", (int)length, state_dir);
}

static bool is_stamped(const char *state_dir)
{
    char directory[PATH_MAX];
    char path[PATH_MAX + sizeof "/" STAMP_FILE];
    struct stat ignored;
    stamp_place(state_dir, directory);
    snprintf(path, sizeof path, "%s/" STAMP_FILE, directory);
    return lstat(path, &ignored) == 0;
}

static void stamp(const char *state_dir, struct ledger_place *place)
{
    static const char text[] = "popgated has a ledger in the directory of this name without "
                               "-stamp: should it be missing there,\n"
                               "its file system is not mounted. Remove this file if the ledger is "
                               "gone for good.\n";
    char directory[PATH_MAX];
    if (place->stamped) {
        return;
    }
    place->stamped = true;
    if (is_stamped(state_dir)) {
        return;
    }
    stamp_place(state_dir, directory);
    if (mkdir(directory, 0755) != 0 && errno != EEXIST) {
        error_say(place->stamp_trouble,
                  "can't make %s, which is to tell that there is a ledger: %s", directory,
                  strerror(errno));
        return;
    }
    struct stat owner;
    if (geteuid() == 0 && stat(state_dir, &owner) == 0) {
        (void)!chown(directory, owner.st_uid, owner.st_gid); // where that fails, so will the file
    }
    file_replace(directory, STAMP_FILE, text, sizeof text - 1, 0644, place->stamp_trouble);
}

// ---- Keeping what can't be used

// False with errno.
static bool keep(const char *state_dir, const char *path, const char *text,
                 char aside[ASIDE_PATH_MAX])
{
    struct stat ignored;
    for (unsigned i = 1; i <= ASIDE_MAX; i++) {
        snprintf(aside, ASIDE_PATH_MAX, "%s.damaged-%u", path, i);
        if (same_file(path, aside)) {
            return true;
        }
        if (lstat(aside, &ignored) != 0) {
            return link(path, aside) == 0 || exchange(state_dir, path, aside, text);
        }
    }
    errno = EEXIST;
    return false;
}

void ledger_set_aside(const char *state_dir, struct ledger_place *place, const char *text,
                      char message[ERROR_MAX])
{
    char path[PATH_MAX];
    char aside[ASIDE_PATH_MAX];
    char ignored[ERROR_MAX];
    snprintf(path, sizeof path, "%s/" LEDGER_FILE, state_dir);
    message[0] = '\0';
    struct stat file;
    if (lstat(path, &file) != 0) {
        return;
    }
    if (keep(state_dir, path, text, aside)) {
        if (lstat(path, &file) == 0) { // it may be text by now
            know(place, &file);
        }
        file_sync_directory(state_dir, ignored);
        error_say(message, "what was in the place of the ledger is kept as %s", aside);
    } else {
        error_say(message,
                  "what is in the place of the ledger, %s, can't be kept under another name: %s",
                  path, strerror(errno));
    }
}

static enum ledger_found unusable(enum ledger_found found, const char *path, const char *why,
                                  char message[ERROR_MAX])
{
    error_say(message, "the ledger %s is %s: %s", path,
              found == LEDGER_DAMAGED ? "damaged" : "unreadable", why);
    return found;
}

// No file is one thing, no directory for it another: maybe its file system isn't mounted.
static enum ledger_found missing(const char *state_dir, struct ledger_place *place,
                                 char message[ERROR_MAX])
{
    struct stat stat_of_directory;
    if (stat(state_dir, &stat_of_directory) != 0) {
        error_say(message,
                  "can't look for the ledger in %s: %s; create or mount it, and it is read",
                  state_dir, strerror(errno));
        place->missing = is_stamped(state_dir);
    } else if (is_stamped(state_dir)) {
        error_say(message,
                  "there is no ledger in %s, though there was one: mount its file system, and it "
                  "is read; or undrain what is to run",
                  state_dir);
        place->missing = true;
    } else {
        message[0] = '\0';
        return LEDGER_NONE;
    }
    return LEDGER_UNREADABLE;
}

enum ledger_found ledger_read(const char *state_dir, struct ledger_place *place, struct ledger *out,
                              char message[ERROR_MAX])
{
    char path[PATH_MAX];
    char why[ERROR_MAX];
    char *text;
    size_t length;
    *out = (struct ledger){0};
    message[0] = '\0';
    snprintf(path, sizeof path, "%s/" LEDGER_FILE, state_dir);
    struct stat file;
    bool there = lstat(path, &file) == 0; // before it is read: what comes later is not known
    int result = file_read(path, LEDGER_TEXT_MAX, &text, &length, why);
    if (result == -ENOENT && !there) { // a symbolic link to nowhere is a ledger
        return missing(state_dir, place, message);
    }
    if (result != 0) {
        return unusable(result == -EFBIG ? LEDGER_DAMAGED : LEDGER_UNREADABLE, path, why, message);
    }
    bool sound = ledger_parse(text, length, out, why);
    free(text);
    if (!sound) {
        return unusable(LEDGER_DAMAGED, path, why, message);
    }
    if (there) {
        know(place, &file);
    }
    stamp(state_dir, place);
    return LEDGER_OK;
}

// 0: the place is empty, or has what is known.
static int meet(const char *state_dir, const char *path, struct ledger_place *place,
                const char *text, char message[ERROR_MAX])
{
    struct stat file;
    if (lstat(path, &file) != 0) {
        if (place->missing && !place->insist) {
            error_say(message,
                      "there is no ledger in %s, though there was one: mount its file "
                      "system, and it is read",
                      state_dir);
            return -ENOENT;
        }
        return 0;
    }
    if (is_known(place, &file)) {
        return 0;
    }
    ledger_clear(&place->found);
    enum ledger_found found = ledger_read(state_dir, place, &place->found, message);
    if (found == LEDGER_OK) {
        place->has_found = true;
        place->missing = false;
        error_say(message, "there was a ledger %s that popgated did not know; it is read now",
                  path);
        return -EEXIST;
    }
    if (found == LEDGER_NONE) {
        return 0; // gone again
    }
    ledger_set_aside(state_dir, place, text, message);
    return lstat(path, &file) != 0 || is_known(place, &file) ? 0 : -EEXIST;
}

int ledger_save(const char *state_dir, struct ledger_place *place, const char *text,
                char message[ERROR_MAX])
{
    char path[PATH_MAX];
    struct stat file;
    snprintf(path, sizeof path, "%s/" LEDGER_FILE, state_dir);
    int result = meet(state_dir, path, place, text, message);
    if (result != 0) {
        return result;
    }
    result = file_replace(state_dir, LEDGER_FILE, text, strlen(text), 0640, message);
    if (result == 0) {
        if (lstat(path, &file) == 0) {
            know(place, &file);
        }
        place->missing = false;
        stamp(state_dir, place);
    }
    return result;
}

// ---- The boot memory

bool boot_memory_read(const char *runtime_dir, const char *boot_id, struct boot_memory *out)
{
    char path[PATH_MAX];
    char why[ERROR_MAX];
    char *text;
    size_t length;
    *out = (struct boot_memory){0};
    snprintf(path, sizeof path, "%s/" BOOT_MEMORY_FILE, runtime_dir);
    if (file_read(path, MEMORY_MAX, &text, &length, why) != 0) {
        return false;
    }
    bool ours = boot_memory_parse(text, length, boot_id, out);
    free(text);
    return ours;
}

int boot_memory_save(const char *runtime_dir, const char *text, char message[ERROR_MAX])
{
    return file_replace(runtime_dir, BOOT_MEMORY_FILE, text, strlen(text), 0640, message);
}

bool boot_id_read(char out[64])
{
    FILE *file = fopen(BOOT_ID_FILE, "re");
    if (file == NULL) {
        return false;
    }
    bool read = fgets(out, 64, file) != NULL;
    fclose(file);
    if (read) {
        out[strcspn(out, "\n")] = '\0';
    }
    return read && out[0] != '\0';
}

// ---- A start

bool state_files_read(struct past *past, struct ledger_place *place, const struct config *config,
                      struct events *events, char boot_id[64], uint64_t now_ns, uint64_t wall_ms)
{
    *past = (struct past){.same_boot = false};
    (void)ledger_read(config->pop.state_dir, place, &past->ledger, past->ledger_trouble);
    past->former = birdconf_read(config->pop.runtime_dir, past->former_trouble);
    past->boot_unknown = !boot_id_read(boot_id);
    past->same_boot =
        !past->boot_unknown && boot_memory_read(config->pop.runtime_dir, boot_id, &past->memory);
    return past_make(past, config, events, now_ns, wall_ms);
}
