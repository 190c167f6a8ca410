// The include file on the file system: <runtime_dir>/bird.conf saved, patched, looked at and read
// back. Blocking, all of it.
#pragma once

#include "controller/core/birdconf.h"

// In runtime_dir. Its temporary name must not match the operator's include "bird*.conf".
#define BIRDCONF_FILE "bird.conf"

// Write, fsync, rename, fsync of the directory; safe in a worker thread, one at a time. 0 or
// -errno, with error saying what was attempted and why it failed. length 0 removes the file.
int birdconf_save(const char *runtime_dir, const char *text, size_t length, char error[ERROR_MAX]);

// What is remembered of a text, to tell another one from it: of a thousand services it is a MB.
struct birdconf_print {
    bool is_none; // there is no file
    size_t length;
    uint64_t hash;
};

struct birdconf_print birdconf_print(const char *text, size_t length); // NULL: no file

// What is on disk is just that text.
bool birdconf_is(const char *runtime_dir, struct birdconf_print expected);

bool birdconf_exists(const char *runtime_dir);

// NULL with an empty error: there is no file.
struct birdconf *birdconf_read(const char *runtime_dir, char error[ERROR_MAX]);

// Words of a file's slots, to be written straight into what is there: for what can't wait for
// birdconf_save(). They hold nothing of the file that they are of.
#define BIRDCONF_WORDS_MAX 512

struct birdconf_words {
    size_t count;
    size_t head_length;
    char head[BIRDCONF_HEAD]; // of the file: it has the revision, and with it the place of every
                              // slot
    struct {
        size_t offset;
        char text[BIRDCONF_SLOT];
    } items[BIRDCONF_WORDS_MAX];
};

// The words of these slots as conf has them now, beside those that are there already, unless they
// are of another revision. What there is no room for is left out: it takes the whole file.
void birdconf_words_add(struct birdconf_words *words, const struct birdconf *conf,
                        const size_t *slots, size_t count);

// Into a text. False: it is of another revision, nothing was written.
bool birdconf_words_set(const struct birdconf_words *words, char *text, size_t length);

// Into the file on disk: a few microseconds, if the disk is well. Every state in between is one
// that BIRD may read. 0 or -errno; -ESTALE: the file there is of another revision, nothing was
// written.
int birdconf_patch(const struct birdconf_words *words, const char *runtime_dir);
