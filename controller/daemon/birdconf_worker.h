// The include file on disk, in a worker thread: patched, replaced and looked at there, never on the
// loop, which waits for no disk (design, promise 7).
//
// One thing at a time, in this order: what is asked for while the worker is at it is done together
// afterwards, the words first, then the newest text (which has the words that came after it, too),
// then the look. So nothing that is old ever goes over what is newer.
#pragma once

#include "controller/daemon/birdconf_file.h"

#include <uv.h>

struct birdconf_worker;

// What is looked for.
enum birdconf_look {
    BIRDCONF_LOOK_NONE,
    BIRDCONF_LOOK_THERE, // is there a file, if there is to be one?
    BIRDCONF_LOOK_WHOLE  // has it just the text that we wrote?
};

// On the loop, with new()'s arg.
struct birdconf_worker_events {
    // Everything up to version is saved, or (error not NULL) could not be.
    void (*saved)(void *arg, uint64_t version, const char *error);
    // What is on disk is not what was last saved (once patched, only whether it is there counts);
    // and nothing was asked for since.
    void (*foreign)(void *arg);
};

// directory is copied. NULL only when out of memory.
struct birdconf_worker *birdconf_worker_new(uv_loop_t *loop, const char *directory,
                                            const struct birdconf_worker_events *events, void *arg);
void birdconf_worker_free(struct birdconf_worker *worker); // NULL, or one that is idle

// The words of these slots as file has them now go into what is on disk, if that is of file's
// revision. Nothing tells how that went: what was asked to be patched is to be saved, too.
void birdconf_worker_patch(struct birdconf_worker *worker, const struct birdconf *file,
                           const size_t *slots, size_t count);

// Copies text; NULL: there is to be no file. Of several that wait only the newest is saved.
void birdconf_worker_save(struct birdconf_worker *worker, const char *text, size_t length,
                          uint64_t version);

void birdconf_worker_look(struct birdconf_worker *worker, enum birdconf_look look);

bool birdconf_worker_saves(const struct birdconf_worker *worker); // a save has not ended yet
bool birdconf_worker_idle(const struct birdconf_worker *worker);  // nothing has
