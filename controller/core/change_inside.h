// What the changes' three files share; nobody else includes it: change.c (who comes next, what is
// saved and answered), change_apply.c (what a change makes of an intent), change_reload.c (another
// configuration, another ledger).
#pragma once

#include "controller/core/change.h"
#include "controller/core/ledger.h"

struct waiting {
    struct change what; // services points to the copy below
    size_t *services;
    struct mark {
        bool overtaken; // something that is done at once was asked for after it
        bool written;   // it is in what was saved last
        bool left;      // it was not applied
    } * marks;          // of each service
    bool blocked;       // what was asked for before concerns one of the services
    size_t outlasted;   // services whose drain of before lasts longer
    uint64_t confirm_until_ms;
    char unsafe[ERROR_MAX]; // why it could not be saved, of what was done at once
    void *ticket;
    enum outcome outcome; // once it is answered
    char message[sizeof((struct change_effect *)NULL)->message];
    struct waiting *next;
};

struct queue {
    struct waiting *first, **end;
};

struct changes {
    struct ledger ledger; // as on disk, plus the change being saved; its intents have both times
    uint64_t ahead_ms;    // the wall clock of the monotonic one, when the ledger was made; may wrap
    // In the order of asking. Confirming: saved, and BIRD is to say that it is so.
    struct queue waiting, confirming, answered;
    size_t counts[2];        // waiting or confirming; by at_once
    struct guard *guard;     // while it is asked for
    struct waiting *guarded; // for whom
    size_t guards;           // there were
    struct waiting *saving;
    bool outdated; // what is written has services that a reload took away since, or an isolation
    bool sync_wanted, syncing;
    char *text; // of version, to be handed out; NULL: it is
    uint64_t version;
    uint64_t retry_at_ms; // after a save that failed
    char trouble[ERROR_MAX];
};

static inline const struct verb_row *row_of(const struct waiting *change)
{
    return &verb_rows[change->what.verb];
}

// Before anything that looks at the clocks: where the wall clock was stepped, whatever has an end
// has it at another time of that.
void changes_follow_clock(struct changes *changes, struct core *core, uint64_t now_ns,
                          uint64_t wall_ms);

// Brings the ledger's entries up to what the core has, so that a failed save leaves nothing behind.
// False: out of memory.
bool changes_refresh(struct changes *changes, const struct core *core);

// Who waits for whom: what concerns other services waits for nobody.
void changes_find_blocked(struct changes *changes, const struct core *core);

// The intent that is asked for.
struct intent change_intent(const struct core *core, const struct change *what, size_t service,
                            uint64_t now_ms, uint64_t wall_ms);

// An isolation stands, whatever was asked for before it, its release too. False: out of memory.
bool changes_overtake(struct changes *changes, const struct core *core, const struct change *what);

// Can its i-th service still be changed? A change may have been overtaken while it waited.
bool change_fits(const struct core *core, const struct waiting *change, size_t i);

// Returns how many services it was applied to. Nothing is that the ledger has not: what stood in
// the way while that was written may have ended since.
size_t change_apply(struct core *core, struct waiting *change, uint64_t now_ns, uint64_t wall_ms);

// Does the verb end what none of the services has?
bool change_ends_nothing(const struct core *core, const struct waiting *change);
