// BIRD's BGP sessions, as `show protocols` tells of them: those of every BGP protocol, or those
// that the configuration names. A session keeps its place, by which others remember what they know
// of it. Pure.
#pragma once

#include "controller/config/config.h"
#include "controller/core/order.h"

#include "birdctl/reply.h"

#define SESSIONS_MAX  256
#define SESSIONS_NONE SIZE_MAX

enum session_state {
    SESSION_UNSEEN,
    SESSION_ABSENT, // BIRD has no protocol of that name
    SESSION_DOWN,
    SESSION_ESTABLISHED,
};

const char *session_state_name(enum session_state state);

// So many lines within a minute; what is more is only counted.
struct allowance {
    uint64_t began_ms; // of the minute
    unsigned told, held;
};

struct session {
    char name[SESSION_NAME_MAX];
    bool named; // by the configuration: its place is its own
    bool there; // BIRD has it
    bool established;
    bool in_snapshot;
    unsigned questions; // about it that are unanswered: its place is nobody else's before
    char says[96];      // BIRD's words on its state: "start, Active, Socket: Connection refused"
    enum session_state state; // as sessions_news() last found it
    uint64_t since_ms;        // when it was first seen to be so
    struct allowance allowance;
    bool bgp_known;      // what BIRD says of it in detail
    uint64_t bgp_at_ms;  // when it was last asked for that; 0: not yet
    uint64_t asked_ms;   // when the last such question was put
    uint32_t exports;    // another number whenever it exports something else; 0: not known
    uint64_t exports_ms; // when it was last known to be still the same
    uint64_t ask_at_ms;  // when it is to be asked again
    struct bird_bgp bgp; // capabilities and hold time only while it is established
    char bfd[12];        // state of BFD with its neighbor; empty: there is none
    char bfd_next[12];   // in the reply being read
};

struct sessions {
    struct session all[SESSIONS_MAX];
    size_t count;
    bool too_many; // some are not watched
    bool unplaced; // in the snapshot under way
    bool known;    // they have been looked at since BIRD last answered
    struct allowance allowance;
    bool asking; // a question of sessions_plan() is unanswered
    uint64_t ask_bfd_at_ms;
    uint32_t changes;              // of what sessions export
    struct bird_bgp_reader reader; // of that question's reply
};

// May the session be told of? A place that is free may not, nor what is no session but makes one of
// each neighbor within a range.
bool session_is_one(const struct session *session);

// Has it a channel for routes of that family? As far as it is known.
bool session_carries(const struct session *session, enum family family);
enum session_state session_state(const struct session *session); // once it is known

// Those that the configuration names.
void sessions_init(struct sessions *sessions, const struct config *config);

// None is known to be established any more, and no question is unanswered.
void sessions_forget(struct sessions *sessions);

// After a reload: what is known of those that are still watched.
void sessions_take_over(struct sessions *sessions, const struct config *config,
                        const struct sessions *old);

// Rows of a snapshot: begin, each row, and sessions_missing() until it returns SESSIONS_NONE, which
// ends the snapshot. Both return the place of a session that came up or went down.
void sessions_begin(struct sessions *sessions);
size_t sessions_row(struct sessions *sessions, const struct config *config,
                    const struct bird_protocol *row);
size_t sessions_missing(struct sessions *sessions);

// What has changed since this last said so, one thing a time; false: nothing more. After the end of
// a snapshot. How they were when BIRD was first looked at is one thing. A session that flaps is
// told of SESSION_LINES times within a minute, all of them SESSIONS_LINES times; how often they
// changed beyond that is told when the minute is over.
#define SESSION_LINES    6
#define SESSIONS_LINES   60
#define SESSION_TEXT_MAX 400
struct session_news {
    bool warning;
    char text[SESSION_TEXT_MAX];
};
bool sessions_news(struct sessions *sessions, uint64_t now_ms, struct session_news *out);

// Asks BIRD about what only changes with a session: capabilities, hold time, channels, BFD. One
// question at a time, about each session when it came or went and once a minute, so that it costs
// BIRD next to nothing. often: once a second, or less with many, since what it says of exports
// spares dearer questions. Then the reply's lines, and its end; lost: the link went.
void sessions_plan(struct sessions *sessions, struct orders *orders, bool often, uint64_t now_ms);
void sessions_line(struct sessions *sessions, uint64_t token, const struct bird_line *line);
void sessions_end(struct sessions *sessions, uint64_t token, bool lost, uint64_t now_ms);

// A question about the session of that place was answered.
void sessions_answered(struct sessions *sessions, size_t place);

// For how long the neighbor keeps our routes when this BIRD dies: graceful restart's time, and what
// the long-lived one adds. In s; 0: not at all.
uint32_t session_restart_s(const struct session *session);
uint32_t session_stale_s(const struct session *session);

// Is any established session known to carry routes of that family, or not known not to?
bool sessions_carry(const struct sessions *sessions, enum family family);

size_t sessions_count(const struct sessions *sessions); // whatever their state

// A session that is established exists.
size_t sessions_established(const struct sessions *sessions);
