// What is read from files for all who use it: once, and again when a file has changed, however many
// probes and handshakes there are. It is forgotten when nobody uses it any more. Files are looked
// at aside (probes/aside.h): a disk that does not answer keeps only those waiting who need one.
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

// Those of a kind that are used. Zeroed but for loop and kind is empty.
struct kept {
    struct uv_loop_s *loop;
    const struct kept_kind *kind;
    struct kept_item *items;
};

// Who uses one. Zeroed but for the two of the owner nobody does.
struct kept_user {
    void *owner;
    // thing: the caller's own hold, which stays whole, until it is dropped, when a file is read
    // again. NULL, and problem is an `unknown` with the kind's code or "local", when it can't be
    // had: that is our trouble, not the service's.
    void (*on_thing)(void *owner, void *thing, const struct finding *problem);
    struct kept_item *item;         // that was asked for last
    struct kept_user *next, **link; // among those who wait for it
};

// Asks for what these files make as they are now: on_thing follows once, at once or later, unless
// it is forgotten. They are used from then on, and those that were asked for before are not, until
// others are asked for or kept_leave().
void kept_ask(struct kept *kept, const struct kept_files *files, struct kept_user *user);
void kept_forget(struct kept_user *user);
bool kept_awaits(const struct kept_user *user);

// Forgets, and uses nothing. What nobody uses closes by itself.
void kept_leave(struct kept_user *user);
