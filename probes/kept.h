// What is read from files for all who use it: once, and again when a file has changed, however many
// probes and handshakes there are. Files are looked at aside (probes/aside.h): a disk that does not
// answer keeps only those waiting who need one.
#pragma once

#include "probes/finding.h"

#define KEPT_FILES_MAX 2

struct kept_item;
struct uv_loop_s;

// The paths of the files that make one thing; none where it is NULL.
struct kept_files {
    const char *paths[KEPT_FILES_MAX];
};

// A kind of things, which count who holds them.
struct kept_kind {
    const char *code; // of the `unknown`, when one can't be had
    // Makes one of its files, aside: the caller's own. NULL, and problem says what was attempted
    // and why it failed.
    void *(*read)(const struct kept_files *files, char problem[VERDICT_CAUSE_MAX]);
    void (*hold)(void *thing);
    void (*drop)(void *thing);
};

// Those of a kind that were read so far. Zeroed but for loop and kind is empty.
struct kept {
    struct uv_loop_s *loop;
    const struct kept_kind *kind;
    struct kept_item *items;
};

// Who waits for one. Zeroed but for the two of the owner nobody does.
struct kept_wait {
    void *owner;
    // thing: the caller's own hold, which stays whole, until it is dropped, when a file is read
    // again. NULL, and problem is an `unknown` with the kind's code or "local", when it can't be
    // had: that is our trouble, not the service's.
    void (*on_thing)(void *owner, void *thing, const struct finding *problem);
    struct kept_wait *next, **link; // among those of an item
};

// Asks for what these files make as they are now: on_thing follows once, at once or later, unless
// it is forgotten.
void kept_ask(struct kept *kept, const struct kept_files *files, struct kept_wait *wait);
void kept_forget(struct kept_wait *wait);

// Nobody waits. What it has open closes by itself.
void kept_close(struct kept *kept);
