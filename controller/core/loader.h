// Gets the include file loaded by BIRD when its revision is new: `configure check`, then
// `configure`; a failed check brings the former file back. Never while a configuration is under
// way, which BIRD 3.3.2 does not survive (bird-facts 28), and never while somebody's waits to be
// confirmed, as ours would confirm it. The only place from which BIRD is ever
// reconfigured (design, promise 3). Pure.
#pragma once

#include "controller/core/include.h"
#include "controller/core/order.h"

#include "birdctl/reply.h"

enum load_state {
    LOAD_WAITING,      // BIRD has not said yet what it has loaded
    LOAD_SAVING,       // the new file is being written
    LOAD_CHECKING,     // configure check
    LOAD_ASKING,       // configure status, until nothing is under way
    LOAD_CONFIGURING,  // configure
    LOAD_LOADED,       // BIRD has our revision
    LOAD_REFUSED,      // the check failed: message is BIRD's; the former file is back
    LOAD_NOT_INCLUDED, // BIRD is configured, but has none of our protocols: the include line is
                       // missing
    LOAD_BY_HAND,      // configure = manual: somebody must run it
    LOAD_UNCONFIRMED,  // somebody's `configure timeout` is open: by hand when that is settled
};

const char *load_name(enum load_state state);

struct loader {
    enum load_state state;
    enum load_state reported; // by the last loader_step()
    bool automatic;
    struct include *include;
    bool next_trusted;   // BIRD has loaded include's next before: it stays on disk
    bool configured;     // BIRD took the `configure`; its revision will tell the rest
    unsigned in_the_way; // code of what ORDER_UNDER_WAY found; 0: nothing
    uint64_t retry_at_ms;
    char loaded[REVISION_TEXT_MAX]; // that BIRD has; empty: none
    bool revision_known;
    char message[ERROR_MAX];
};

// Of include, which must outlive it, it says which of both files is to be on disk. BIRD is told by
// `configure` if automatic.
void loader_init(struct loader *loader, struct include *include, bool automatic);

// The connection to BIRD came up or went: what it has loaded must be seen anew.
void loader_link(struct loader *loader);

// What the pipes' description says: a revision, or "" if BIRD has no such protocols.
void loader_revision(struct loader *loader, const char *revision, uint64_t now_ms);

// Replies to ORDER_CHECK, ORDER_UNDER_WAY and ORDER_CONFIGURE: every line's text (BIRD's message),
// and the end.
void loader_reply_line(struct loader *loader, enum order_kind kind, const struct bird_line *line);
void loader_reply_end(struct loader *loader, enum order_kind kind, bool complete, unsigned code,
                      uint64_t now_ms);

// Does what is due; returns whether state changed (report it).
bool loader_step(struct loader *loader, struct orders *orders, uint64_t now_ms);
uint64_t loader_next_ms(const struct loader *loader);
