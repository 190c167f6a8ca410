// Gets the include file loaded by BIRD when its revision is new: `configure check`, then
// `configure`; a failed check brings the former file back. The only place from which BIRD is ever
// reconfigured (design, promise 3). Pure.
#pragma once

#include "controller/core/birdconf.h"
#include "controller/core/order.h"

#include "birdctl/reply.h"

enum load_state {
    LOAD_WAITING,      // BIRD has not said yet what it has loaded
    LOAD_SAVING,       // the new file is being written
    LOAD_CHECKING,     // configure check
    LOAD_CONFIGURING,  // configure
    LOAD_LOADED,       // BIRD has our revision
    LOAD_REFUSED,      // the check failed: message is BIRD's; the former file is back
    LOAD_NOT_INCLUDED, // BIRD is configured, but has none of our protocols: the include line is
                       // missing
    LOAD_BY_HAND,      // configure = manual: somebody must run it
};

const char *load_name(enum load_state state);

#define LOADER_OFF_MAX 16

struct loader {
    enum load_state state;
    enum load_state reported; // by the last loader_step()
    bool automatic;
    struct birdconf *file; // the former one, kept in step as well until BIRD has next; may be NULL
    struct birdconf *next; // of this configuration
    bool next_on_disk;     // what is on disk is next
    bool next_trusted;     // BIRD has loaded next before: it stays on disk
    bool configured;       // BIRD took the `configure`; its revision will tell the rest
    uint64_t version;      // of what should be on disk; counts changes
    // Slots of what is on disk that were switched off since the shell last looked; it writes a few
    // of them at once. off_count may be larger than LOADER_OFF_MAX: too many, the whole file is to
    // be saved.
    size_t off[LOADER_OFF_MAX], off_count;
    uint64_t saved; // version on disk
    uint64_t retry_at_ms;
    char loaded[REVISION_TEXT_MAX]; // that BIRD has; empty: none
    bool revision_known;
    char message[ERROR_MAX];
};

// Takes both files; former may be NULL. BIRD is told by `configure` if automatic.
void loader_init(struct loader *loader, struct birdconf *former, struct birdconf *next,
                 bool automatic);
void loader_clear(struct loader *loader);

// What must be on disk now: its text, and version to be said to loader_saved(). NULL: no file.
const struct birdconf *loader_file(const struct loader *loader);

// Switches a protocol in what is on disk and in what is to come. Returns whether what is on disk
// changed (version is new).
bool loader_set(struct loader *loader, const char *protocol, bool enabled);

// Somebody may have put another file in its place: writes it again.
void loader_write_again(struct loader *loader);

// The file of that version was written, or could not be.
void loader_saved(struct loader *loader, uint64_t version);

// The connection to BIRD came up or went: what it has loaded must be seen anew.
void loader_link(struct loader *loader);

// What the pipes' description says: a revision, or "" if BIRD has no such protocols.
void loader_revision(struct loader *loader, const char *revision, uint64_t now_ms);

// Replies to ORDER_CHECK and ORDER_CONFIGURE: every line's text (BIRD's message), and the end.
void loader_reply_line(struct loader *loader, const struct bird_line *line);
void loader_reply_end(struct loader *loader, enum order_kind kind, bool complete, unsigned code,
                      uint64_t now_ms);

// Does what is due; returns whether state changed (report it).
bool loader_step(struct loader *loader, struct orders *orders, uint64_t now_ms);
uint64_t loader_next_ms(const struct loader *loader);
