// Operators' changes of intent, one after another: guarded, made durable, applied, acknowledged; in
// that order. A verb that is done at once (isolation) is applied first: containment waits for no
// disk, and it is on disk before what was asked for earlier. It is acknowledged when it is durable
// and BIRD has confirmed it; where that does not come, the answer says so.
// What waits for the guard holds up nothing but what concerns the same services.
// What has an end ends by the monotonic clock as long as popgated runs: when the wall clock is
// stepped, the ledger is written anew, so that a restart after that does not believe the step.
//
// Pure: requests, ends of saves and time go in; a ledger to save and answers come out.
#pragma once

#include "controller/core/core.h"
#include "controller/core/outcome.h"

struct changes;
struct ledger;

// What an operator asked for.
struct change {
    enum verb verb;
    const size_t *services; // indices of the core's configuration, valid during the call
    size_t service_count;
    char reason[INTENT_REASON_MAX];
    char by[INTENT_BY_MAX]; // controller/api/who.h
    uint64_t for_ms;        // 0: until ended by hand
    bool has_grace;         // grace_ms instead of the service's own
    uint64_t grace_ms;
    bool force; // past the last-PoP guard
};

// What is to be done for the changes.
struct change_effect {
    enum { CHANGE_SAVES, CHANGE_ANSWERS } kind;
    // CHANGE_SAVES: the ledger's text, malloc'd and the taker's, and the version to be handed to
    // changes_saved(). Nothing else is to be saved until then.
    char *text;
    uint64_t version;
    bool insists; // an operator's change, not only what there was before
    // CHANGE_ANSWERS: what became of the change that this ticket came with, in an operator's words.
    void *ticket;
    enum outcome outcome;
    char message[ERROR_MAX + 96];
};

// ledger, as it is on disk, is taken over; the clocks are those by which it was read, so that a
// step since is noticed. NULL only when out of memory.
struct changes *changes_new(struct ledger *ledger, uint64_t now_ns, uint64_t wall_ms);
void changes_free(struct changes *changes); // what waits is dropped, its tickets with it

// OUTCOME_WAITS: ticket comes back with an answer. Anything else: it does not, this is it.
enum outcome changes_submit(struct changes *changes, struct core *core, const struct change *change,
                            void *ticket, uint64_t now_ns, uint64_t wall_ms);

// The save of that version ended; error NULL: well.
void changes_saved(struct changes *changes, struct core *core, uint64_t version, const char *error,
                   uint64_t now_ns, uint64_t wall_ms);

// A ledger that was in the place of ours, and unknown: nobody's word in it is lost. What was
// drained only because it could not be read is as it says; elsewhere an isolation in it stands, and
// a drain where nothing else is wanted. Before changes_saved(), which then has the error.
void changes_found(struct changes *changes, struct core *core, const struct ledger *found,
                   uint64_t now_ns, uint64_t wall_ms);

// The ledger is to be written though nobody changed it: it could not be read at start.
void changes_sync(struct changes *changes);

// After each input, when the core's orders are out: goes on with what waits. True with one thing to
// be done for it; false: nothing more. It may have new orders for BIRD (the guard's).
bool changes_step(struct changes *changes, struct core *core, uint64_t now_ns, uint64_t wall_ms,
                  struct change_effect *out);

// When changes_step() has something to do by itself, in monotonic ms; UINT64_MAX: never.
uint64_t changes_next_ms(const struct changes *changes);

// core is about to be replaced by another (a reload): the guard's questions are asked again of
// that.
void changes_let_go(struct changes *changes, struct core *core);

// core is new, of another configuration than before, and has decided nothing yet (core_go_on()):
// what waits is for the services of the same name, and for none of those that are gone. Services
// that were away and are back have what the ledger kept for them, and one under a new name what it
// kept for the old one, as its prefix tells (but for a pin).
void changes_take_over(struct changes *changes, struct core *core, const struct config *before,
                       uint64_t now_ns, uint64_t wall_ms);

// The last save failed: the sentence that says so; NULL when all is well.
const char *changes_trouble(const struct changes *changes);
