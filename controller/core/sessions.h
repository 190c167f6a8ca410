// BIRD's BGP sessions, as `show protocols` tells of them: those of every BGP protocol, or those
// that the configuration names. A session keeps its place, by which others remember what they know
// of it. Pure.
#pragma once

#include "controller/config/config.h"

#include "birdctl/reply.h"

#define SESSIONS_MAX  256
#define SESSIONS_NONE SIZE_MAX

struct session {
    char name[SESSION_NAME_MAX];
    bool named; // by the configuration: its place is its own
    bool there; // BIRD has it
    bool established;
    bool in_snapshot;
    unsigned questions; // about it that are unanswered: its place is nobody else's before
};

struct sessions {
    struct session all[SESSIONS_MAX];
    size_t count;
    bool too_many; // some are not watched
    bool unplaced; // in the snapshot under way
};

// Those that the configuration names.
void sessions_init(struct sessions *sessions, const struct config *config);

// None is known to be established any more, and no question is unanswered.
void sessions_forget(struct sessions *sessions);

// Rows of a snapshot: begin, each row, and sessions_missing() until it returns SESSIONS_NONE, which
// ends the snapshot. Both return the place of a session that came up or went down.
void sessions_begin(struct sessions *sessions);
size_t sessions_row(struct sessions *sessions, const struct config *config,
                    const struct bird_protocol *row);
size_t sessions_missing(struct sessions *sessions);

// A session that is established exists.
size_t sessions_established(const struct sessions *sessions);
