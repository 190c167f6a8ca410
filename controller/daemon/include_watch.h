// Notices that somebody else wrote the include file, or took it away: at once, as the kernel tells
// of changes in runtime_dir, and in another directory that has its name; and that it is gone, with
// the directory perhaps, when asked to look. The file is looked at by the worker that writes it.
//
// While a save is under way, or wanted, nothing is said: what is on disk is about to change.
#pragma once

#include "controller/core/include.h"
#include "controller/daemon/birdconf_worker.h"

#include <uv.h>

struct include_watch {
    uv_fs_event_t changed;
    char directory[PATH_LEN_MAX];
    struct birdconf_worker *worker;
    const struct include *(*include)(void *arg); // what should be on disk; NULL: whatever there is
    void (*foreign)(void *arg);
    void *arg;
};

// 0, or a negative uv error: the kernel tells of no changes, and only include_watch_look() notices
// something. The watch is to be closed in either case. The worker is to be set before the loop
// runs.
int include_watch_start(struct include_watch *watch, uv_loop_t *loop, const char *runtime_dir);
void include_watch_close(struct include_watch *watch);

void include_watch_look(struct include_watch *watch);

// The worker says that what is there is not ours.
void include_watch_found(struct include_watch *watch);
