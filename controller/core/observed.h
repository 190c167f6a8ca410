// What BIRD is seen to do: for each prefix and BGP session, which protocol's route is exported, and
// whether it carries what that protocol sets. Pure.
//
// Nothing here is assumed from what was asked for. A look-up is `show route PREFIX export SESSION
// all`; of a session with an export limit, of which that knows nothing, after `exported SESSION`
// (bird-facts 24). Services that just changed come first, the others in turn, for no more of BIRD's
// time than budget.h allows.
#pragma once

#include "controller/config/config.h"
#include "controller/core/budget.h"
#include "controller/core/carried.h"
#include "controller/core/decision.h"
#include "controller/core/order.h"
#include "controller/core/sessions.h"

#define OBSERVED_NAMES_MAX  64
#define OBSERVED_PER_SECOND 256 // look-ups in turn, of all that is quiet

enum seen {
    SEEN_UNKNOWN, // not looked up yet, or BIRD's answer told nothing
    SEEN_NONE,    // not exported
    SEEN_PRIMARY, // ours
    SEEN_DRAIN,   // ours, the twin's
    SEEN_OTHER,   // another protocol's
};

struct seen_entry {
    uint8_t seen;     // enum seen
    uint8_t queued;   // a bit for each of the queues
    bool in_fact;     // ours is exported in fact, through a limit; with what is still to be asked
    uint16_t other;   // name's index, for SEEN_OTHER
    uint16_t lacks;   // the first attribute that ours lacks (carried_text()); 0: none
    uint32_t asked;   // the announcer's clock of actions (low bits) when the look-up was sent
    uint32_t exports; // the session's, then
    uint32_t seen_s;  // when BIRD said so, in monotonic s
};

// How a prefix stands against its target.
enum condition {
    CONDITION_UNKNOWN, // not looked up yet
    CONDITION_AS_MEANT,
    CONDITION_SHORT,  // announced on fewer sessions than min_sessions
    CONDITION_HIDDEN, // another protocol's route is exported instead of ours, or none (bird-facts
                      // 11), or BIRD has not read ours
    CONDITION_LEAK, // target is withdraw, but another protocol's route is exported (bird-facts 12)
    CONDITION_LATE, // BIRD still exports what the target is not
    CONDITION_NO_CHANNEL, // too few sessions carry routes of its address family
    CONDITION_ALTERED,    // ours is exported, but to some session without what it is to carry
    CONDITION_PENDING,    // the target is new, and BIRD is not seen to do it yet; only
                          // core_condition()
};
#define CONDITIONS (CONDITION_PENDING + 1)

const char *condition_name(enum condition condition);

// Is the target reached? An altered route announces; but it drains nobody.
bool condition_reaches(enum condition condition, enum target target);

struct seen_prefix {
    size_t service;
    const struct prefix *prefix;
    enum condition condition; // settled; see observed_step()
    uint64_t odd_since_ms;    // when it last stopped being as meant; 0 while it is
};

struct prefix_view {
    enum condition condition;
    size_t announced;                       // sessions that export ours
    size_t other;                           // sessions that export another protocol's
    const char *other_name, *other_session; // of the first such; NULL if none
    size_t unknown;                         // established sessions not looked up yet
    size_t uncarried; // established sessions without a channel of its address family
    // Of the sessions that the configuration names, the first that is established and carries the
    // family, but exports none of ours; NULL: none.
    const char *lacking;
    size_t altered;              // sessions to which the leg that is meant is exported altered
    uint16_t lacks;              // what it lacks on the first such, of that leg
    const char *altered_session; // the first such; NULL if none
    uint64_t since_ms;           // the oldest answer that this rests on; 0: on none
};

// What is to be looked up. What just changed is first; then the rest and what is looked at in turn,
// alternately, so that much of the one does not keep out the other.
enum look_queue_name { LOOK_CHANGED, LOOK_REST, LOOK_QUEUES };
struct look_queue {
    size_t *items; // entries, a ring
    size_t first, length;
};

struct observed {
    const struct config *config;
    struct seen_prefix *prefixes; // of all services, in order
    size_t *first;                // of each service, its first prefix; one more entry for the end
    size_t prefix_count;
    struct sessions sessions;
    struct seen_entry *entries; // [session][prefix]
    size_t entry_sessions;      // that entries has room for
    struct look_queue queues[LOOK_QUEUES];
    size_t queue_room;
    size_t turn;      // the last entry that was looked up in turn
    size_t turn_left; // how many more may be
    bool turn_next;   // it is the turn's turn
    struct budget budget;
    uint64_t now_ms;  // when it last planned
    size_t in_flight; // look-ups unanswered
    char names[OBSERVED_NAMES_MAX][SESSION_NAME_MAX];
    size_t name_count;
    char answer[SESSION_NAME_MAX]; // protocol in the look-up's reply being read
    enum seen answer_seen;         // what that is
    size_t answer_prefix;          // about this one
    bool answer_over;              // what follows is of another route
    struct carried carried;        // by it, if it is ours
};

struct observed *observed_new(const struct config *config);
void observed_free(struct observed *observed);

// After a reload that is nothing to BIRD: the same prefixes, of another configuration.
void observed_move(struct observed *observed, const struct config *config);

// Nothing is known any more, and nothing is in flight.
void observed_forget(struct observed *observed);

// Rows of a snapshot: begin, each row, end. Sessions that came up are looked up at once. end
// returns false when out of memory (then nothing is seen of new sessions).
void observed_snapshot_begin(struct observed *observed);
void observed_row(struct observed *observed, const struct bird_protocol *row);
bool observed_snapshot_end(struct observed *observed);

// At all prefixes of the service; or at what of them is not known to be as the target says: the
// rest has its turn.
void observed_look(struct observed *observed, size_t service, enum look_queue_name when);
void observed_look_again(struct observed *observed, size_t service, enum target target,
                         enum look_queue_name when);
// At count more entries; what was left of the last time is left out.
void observed_look_in_turn(struct observed *observed, size_t count);

// Orders the look-ups that the budget allows; while commands are under way (busy), which BIRD is to
// spend its time on, one at a time, and none if they are dear. actions: the announcer's clock.
void observed_plan(struct observed *observed, struct orders *orders, uint64_t actions, bool busy,
                   uint64_t now_ns);

// When there is something to plan, if nothing else happens; UINT64_MAX: never.
uint64_t observed_next_ns(const struct observed *observed);

enum look_end {
    LOOK_ANSWERED,
    LOOK_FAILED, // with an error that tells nothing of what is exported: it is unknown
    LOOK_LOST,   // the link went
};

// A look-up's reply. end returns the prefix that it was about. acted: the announcer's clock when
// that prefix's service was last acted on; an answer asked for before that is dropped and asked
// again.
void observed_line(struct observed *observed, uint64_t token, const struct bird_line *line);
size_t observed_end(struct observed *observed, uint64_t token, enum look_end end, uint64_t acted,
                    uint64_t now_ns);
// Can it be a reply to one of the look-ups that are unanswered?
bool observed_asks(const struct observed *observed, uint64_t token);
size_t observed_service(const struct observed *observed, uint64_t token);

struct prefix_view observed_view(const struct observed *observed, size_t prefix,
                                 enum target target);

// What the altered route of a view lacks, as carried_text() says it.
const char *observed_lacks(const struct observed *observed, size_t prefix, enum target target,
                           const struct prefix_view *view, char out[CARRIED_TEXT_MAX]);

// An answer that is older than this says nothing any more: the look-ups of three turns are missing.
uint64_t observed_good_for_ms(const struct observed *observed);

// Are there answers of the service that are too old? As of the last plan.
bool observed_is_stale(const struct observed *observed, size_t service);

// The target is seen to be reached for everything of the service.
bool observed_as_meant(const struct observed *observed, size_t service, enum target target);

// Settles a prefix's condition: what is odd must be so for a second before it is called so. Returns
// whether that is news: to be as meant when it is first seen is none.
bool observed_step(struct observed *observed, size_t prefix, enum target target, uint64_t now_ms);
