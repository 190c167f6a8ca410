// The include file on the file system: <runtime_dir>/bird.conf saved, patched, looked at and read
// back. Blocking, all of it.
#pragma once

#include "controller/core/birdconf.h"

// In runtime_dir. Its temporary name must not match the operator's include "bird*.conf".
#define BIRDCONF_FILE "bird.conf"

// Write, fsync, rename, fsync of the directory; safe in a worker thread, one at a time. 0 or
// -errno, with error saying what was attempted and why it failed. length 0 removes the file.
int birdconf_save(const char *runtime_dir, const char *text, size_t length, char error[ERROR_MAX]);

// What is on disk is just this text (conf NULL: no file).
bool birdconf_is_saved(const struct birdconf *conf, const char *runtime_dir);

bool birdconf_exists(const char *runtime_dir);

// NULL with an empty error: there is no file.
struct birdconf *birdconf_read(const char *runtime_dir, char error[ERROR_MAX]);

// Writes the words of these slots, as conf has them, straight into the file on disk: a few
// microseconds, for what can't wait for birdconf_save(). Every state in between is one that BIRD
// may read. Nothing is written unless the file there is of conf's revision. 0 or -errno.
int birdconf_patch(const struct birdconf *conf, const char *runtime_dir, const size_t *slots,
                   size_t count);
