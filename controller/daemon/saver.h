// Saves a file in a worker thread, so that a slow disk never delays the loop (design, promise 7).
// One save at a time; of several asked for meanwhile only the newest is done.
#pragma once

#include "base/keys.h"

#include <uv.h>

struct saver;

// Does the saving, in the worker: 0, or -errno with a message. text NULL: remove the file. arg is
// done's too; what of it is used must be left alone on the loop while a save is under way.
typedef int (*saver_write_fn)(void *arg, const char *directory, const char *text, size_t length,
                              char error[ERROR_MAX]);

// On the loop: everything up to version is saved, or (error not NULL) could not be.
typedef void (*saver_done_cb)(void *arg, uint64_t version, const char *error);

// directory is copied. NULL only when out of memory.
struct saver *saver_new(uv_loop_t *loop, const char *directory, saver_write_fn write,
                        saver_done_cb done, void *arg);

// Copies text. A failed copy is reported through done, later.
void saver_submit(struct saver *saver, const char *text, size_t length, uint64_t version);

bool saver_idle(const struct saver *saver);
void saver_free(struct saver *saver); // must be idle
