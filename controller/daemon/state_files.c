#include "controller/daemon/state_files.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEXT_MAX       ((size_t)4 << 20)
#define ASIDE_MAX      1000
#define ASIDE_PATH_MAX (PATH_MAX + 16)
#define BOOT_ID_FILE   "/proc/sys/kernel/random/boot_id"

// ---- the ledger ----

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

void ledger_set_aside(const char *state_dir, const char *text, char message[ERROR_MAX])
{
    char path[PATH_MAX];
    char aside[ASIDE_PATH_MAX];
    char ignored[ERROR_MAX];
    snprintf(path, sizeof path, "%s/" LEDGER_FILE, state_dir);
    message[0] = '\0';
    struct stat unused;
    if (lstat(path, &unused) != 0) {
        return;
    }
    if (keep(state_dir, path, text, aside)) {
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
static enum ledger_found missing(const char *state_dir, char message[ERROR_MAX])
{
    struct stat stat_of_directory;
    if (stat(state_dir, &stat_of_directory) == 0) {
        message[0] = '\0';
        return LEDGER_NONE;
    }
    error_say(message,
              "can't look for the ledger in %s: %s; create or mount it, then restart popgated",
              state_dir, strerror(errno));
    return LEDGER_UNREADABLE;
}

enum ledger_found ledger_read(const char *state_dir, struct ledger *out, char message[ERROR_MAX])
{
    char path[PATH_MAX];
    char why[ERROR_MAX];
    char *text;
    size_t length;
    *out = (struct ledger){0};
    message[0] = '\0';
    snprintf(path, sizeof path, "%s/" LEDGER_FILE, state_dir);
    int result = file_read(path, TEXT_MAX, &text, &length, why);
    struct stat ignored;
    if (result == -ENOENT && lstat(path, &ignored) != 0) { // a symbolic link to nowhere is a ledger
        return missing(state_dir, message);
    }
    if (result != 0) {
        return unusable(result == -EFBIG ? LEDGER_DAMAGED : LEDGER_UNREADABLE, path, why, message);
    }
    bool sound = ledger_parse(text, length, out, why);
    free(text);
    return sound ? LEDGER_OK : unusable(LEDGER_DAMAGED, path, why, message);
}

int ledger_save(const char *state_dir, const char *text, char message[ERROR_MAX])
{
    return file_replace(state_dir, LEDGER_FILE, text, strlen(text), 0640, message);
}

// ---- the boot memory ----

bool boot_memory_read(const char *runtime_dir, const char *boot_id, struct boot_memory *out)
{
    char path[PATH_MAX];
    char why[ERROR_MAX];
    char *text;
    size_t length;
    *out = (struct boot_memory){0};
    snprintf(path, sizeof path, "%s/" BOOT_MEMORY_FILE, runtime_dir);
    if (file_read(path, TEXT_MAX, &text, &length, why) != 0) {
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

// ---- a start ----

bool state_files_read(struct past *past, const struct config *config, struct events *events,
                      char boot_id[64], uint64_t now_ns, uint64_t wall_ms)
{
    *past = (struct past){.same_boot = false};
    (void)ledger_read(config->pop.state_dir, &past->ledger, past->ledger_trouble);
    past->former = birdconf_read(config->pop.runtime_dir, past->former_trouble);
    past->same_boot =
        boot_id_read(boot_id) && boot_memory_read(config->pop.runtime_dir, boot_id, &past->memory);
    return past_make(past, config, events, now_ns, wall_ms);
}
