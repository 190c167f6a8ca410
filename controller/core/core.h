// The controller without the world: verdicts, intents, BIRD's answers and time go in; orders for
// BIRD, a file to save and events come out. No clock, no I/O, no globals, nothing allocated after
// core_new(). daemon.c is the shell around it; tests/sim drives the same code through simulated
// time.
//
//     verdict ─▶ health ─▶ gate ─▶ decision ─▶ announcer ─▶ orders
//                                    ▲  │           ▲
//                           intent ──┘  └▶ events   └── snapshots, replies, look-ups (observed)
#pragma once

#include "controller/core/affected.h"
#include "controller/core/announcer.h"
#include "controller/core/contest.h"
#include "controller/core/cut_off.h"
#include "controller/core/deadlines.h"
#include "controller/core/decision.h"
#include "controller/core/events.h"
#include "controller/core/guard.h"
#include "controller/core/include.h"
#include "controller/core/loader.h"
#include "controller/core/observed.h"

#include "birdctl/reply.h"

struct core_probe {
    struct verdict last;
    char bad[VERDICT_CAUSE_MAX]; // the last cause that speaks for being down, or degraded
    uint64_t verdicts[VERDICT_PASS + 1];
    bool blackholed; // it failed, and the kernel's way to its target was a blackhole
    bool cut_off;    // its service was withdrawn when that was so, and no other way was seen since
};

// Of a probe: the service whose gate needs it and whose prefix its target lies in.
struct lead {
    size_t service;
    const struct prefix *prefix; // NULL: there is none
};

struct core_service {
    struct intent intent;
    struct decision decision;
    uint64_t decided_ms;    // when it was last decided
    uint64_t transition;    // number of the event of the last change of target; 0: none yet
    enum target tentative;  // adopted from the file, and BIRD has not confirmed it yet;
                            // TARGET_WITHDRAW: nothing
    bool file_on[FAMILIES]; // that file had it on in
    bool seen;              // all its prefixes are as meant, as far as seen
    bool seen_through;      // the last change of target was seen to be done
    uint64_t look_again_ms; // look-ups of what is not as meant; 0: nothing to do
    uint64_t look_pause_ms;
    struct cut_off cut_off;
};

// Services that are looked at one by one after a switch; more take a whole snapshot.
#define LOOKS_MAX 8

// Answers that tell how long BIRD takes for a look at all that is ours: the least of them counts,
// as whatever else the machine does only makes them longer.
#define OURS_TAKEN 3

// What BIRD is to be asked about protocols, and when (looking.c).
struct looking {
    bool snapshot_wanted, snapshot_in_turn, snapshot_under_way;
    bool snapshot_cut;          // the last one did not come to its end
    uint64_t snapshot_at_ms;    // of the next one in its turn
    uint64_t snapshot_began_ns; // of the last one
    uint64_t snapshot_rest_ms;  // none before that because of replies
    uint64_t snapshot_soon_ms;  // of one because of replies; 0: none waits
    size_t services[LOOKS_MAX]; // of which something was switched; to be looked at
    size_t service_count;
    bool everywhere;                   // more of them, or what is no service's
    bool ours_under_way;               // a look at all our protocols, of a BIRD that echoes nothing
    uint64_t ours_at_ms;               // the next one
    uint64_t ours_soonest_ms;          // and none before that, whatever happens
    uint64_t ours_began_ns;            // the last one
    uint64_t ours_took_ns[OURS_TAKEN]; // BIRD, by the last few; a ring
    unsigned ours_looks;
    uint64_t pipes_at_ms;    // the next questions of what the pipes have carried
    size_t pipes_left;       // of those under way
    uint64_t pipes_read;     // made of their answers so far
    uint64_t pipes_stood;    // and of those before; 0: not known
    uint64_t pipes_acted;    // what we ourselves had done when they were asked
    uint64_t answered_ns;    // when BIRD had last answered a question
    uint64_t drifts_counted; // of drifts: looks end with them
    uint64_t drift_began_ms; // of the second that the two below count in
    unsigned drift_rounds;   // looks that found drift
    unsigned drift_logged;
};

struct core_link {
    enum bird_link state;
    uint64_t since_ns;
    char reason[256];
    struct bird_version version;
};

struct core {
    const struct config *config;
    struct succession *succession; // while it is prepared
    struct health *healths;        // of each probe
    struct core_probe *probes;     // what else is known of each
    struct lead *leads;            // of each
    struct gate *gates;            // of each service
    struct core_service *services;
    struct way *ways;           // of each that is held as cut off: by which it is reached. Of the
                                // rest nothing is written, so that it takes no memory
    uint64_t *walked, walks;    // core_is_cut_off(): of each service, the last walk that came to it
    struct affected affected;   // services to be decided anew
    struct deadlines deadlines; // of each probe, then of each service
    struct announcer *announcer;
    struct observed *observed;
    struct include include;
    struct loader loader;
    struct contest contest; // with another popgated
    struct orders orders;
    struct events *events;     // borrowed: it outlives reloads
    struct guard *guard;       // borrowed; NULL: there is nothing to ask
    struct core_link links[2]; // by enum order_link
    unsigned generation;       // of this core, in every token
    uint64_t sighted_ns;       // end of the last whole snapshot; until then, the start
    uint64_t drifts;
    struct looking looking;
    uint64_t evidence_ns; // of the input being worked on
    bool ledger_dirty;    // an intent ended by itself: the shell saves the ledger
    bool stopping;
    bool restarts;                    // stopping, to be started again at once
    bool denied;                      // BIRD refuses our commands
    char reported[EVENT_TEXT_MAX];    // the last trouble with loading, so that it is reported once
    char revision[REVISION_TEXT_MAX]; // being read from the reply under way
};

// What is known at start, beside the configuration.
struct core_start {
    const struct config *config;
    struct events *events;
    const struct birdconf *former; // the include file found on disk, or NULL; copied
    bool same_boot;                // popgated ran before since this machine booted: adopt
    // For each service of config: its intent (NULL: all auto), and what this boot remembers of
    // withdrawals (NULL: none).
    const struct intent *intents;
    const uint64_t *recent;
    unsigned generation; // differs from that of the core before
    uint64_t now_ns;
};

// NULL only when out of memory.
struct core *core_new(const struct core_start *start);

// A reload, in three steps. First, from any thread while old goes on: a core for the new
// configuration, with all that takes time or memory. Of old, only what never changes is looked at.
// NULL only when out of memory.
struct core *core_prepare(const struct core *old, const struct config *config);
// Then, at once: all that old knows by now of probes and services which core has still is core's.
// Takes no memory and can't fail. old is good only to be freed, from any thread.
void core_take_over(struct core *core, struct core *old, uint64_t now_ns);
// At last, when what is wanted of services that are new is noted (core_note_intent()), so that none
// is announced before: decides, and has orders.
void core_go_on(struct core *core, uint64_t now_ns);

void core_free(struct core *core);

void core_verdict(struct core *core, size_t probe, const struct verdict *verdict, uint64_t now_ns);

// Is the kernel's way to the probe's target wanted, now that it has this verdict? core_way() says
// it, just before core_verdict(), which decides by both.
bool core_asks_way(const struct core *core, size_t probe, const struct verdict *verdict,
                   uint64_t now_ns);
void core_way(struct core *core, size_t probe, const struct verdict *verdict, const struct way *way,
              uint64_t now_ns);

// The operator's word, already in the ledger; what is the event's text. Note it for each of the
// services, then say so once: what is decided together is one command where it can be (isolating
// everything), and not a command for each.
void core_note_intent(struct core *core, size_t service, const struct intent *intent,
                      const char *what, uint64_t now_ns);
void core_intents_noted(struct core *core, uint64_t now_ns);

// Asks BIRD what the guard wants to know, until guard_done(); it is the caller's, and must last as
// long. One at a time, and none across a reload.
void core_ask_guard(struct core *core, struct guard *guard, uint64_t now_ns);

void core_link(struct core *core, enum order_link link, enum bird_link state, const char *reason,
               const struct bird_version *version, uint64_t now_ns);
void core_line(struct core *core, uint64_t token, const struct bird_line *line, uint64_t now_ns);
void core_end(struct core *core, uint64_t token, enum bird_end end, unsigned code, const char *text,
              uint64_t now_ns);
void core_echo(struct core *core, const char *text, uint64_t now_ns);
// The save of a version that include_submit() gave out ended; error: why it failed, or NULL.
void core_file_saved(struct core *core, uint64_t version, const char *error, uint64_t now_ns);
// What is on disk is not what was saved: somebody else wrote it.
void core_file_foreign(struct core *core, uint64_t now_ns);
void core_tick(struct core *core, uint64_t now_ns);
// A clean stop: what says on_exit = withdraw is withdrawn. core_quiet(): BIRD has said that it is,
// and what is kept is not between announce and depreference.
void core_stop(struct core *core, uint64_t now_ns);
// An end to be started again at once, with the same ledger: everything stays as it is, whatever
// on_exit says. A stop may follow.
void core_restart(struct core *core, uint64_t now_ns);
bool core_quiet(const struct core *core);
// How many services are to be withdrawn and are not known to be, and the name of the first.
size_t core_unconfirmed(const struct core *core, const char **first);

// After each input: takes the orders that came of it. false: no more.
bool core_order(struct core *core, struct order *out);

// The include file that must be on disk now (NULL: none); what of it is to be patched, and when it
// is to be saved, core->include says (include_take_patch(), include_submit()).
const struct birdconf *core_file(const struct core *core);

// When core_tick() has something to do next, in monotonic ms; UINT64_MAX: never.
uint64_t core_next_ms(const struct core *core);

// Aborts when anything is untrue that is always true between inputs. For simulation and tests: it
// looks at everything there is.
void core_check_invariants(const struct core *core, uint64_t now_ns);

// BIRD answers questions at present: what was last seen is what is seen. Questions that come to no
// end, and a link that comes up again and again, are no answers: after a while BIRD is out of
// sight. Both are asked of the time at which people are told, not of the last core_tick(): whoever
// reads that no question is answered reads of nothing that it is seen.
#define CORE_SIGHT_MS 10000
bool core_is_out_of_sight(const struct core *core, uint64_t now_ms);
bool core_sees(const struct core *core, uint64_t now_ms);

// What is seen of a prefix now, against its service's target, and how many sessions are seen to be
// established: nothing is known while BIRD answers no questions.
struct prefix_view core_view(const struct core *core, size_t prefix, uint64_t now_ms);
size_t core_established(const struct core *core, uint64_t now_ms);

// How a prefix stands, as people are told; seen is its core_view() now. Until a change of target
// has been seen through, what is not as meant yet is pending, and no trouble; from then on what is
// seen counts, though its settled name may be a second away.
enum condition core_condition(const struct core *core, size_t prefix,
                              const struct prefix_view *seen, uint64_t now_ms);

// Everything of the service is as its target says, and BIRD is in sight: what was seen before it
// went out of sight is not what is seen.
bool core_is_seen(const struct core *core, size_t service, uint64_t now_ms);

// Another popgated switches our protocols back: nothing is switched from here, but for a stop.
bool core_gives_way(const struct core *core);

// The probe's health is unsettled: check at fast_interval.
bool core_probe_unsettled(const struct core *core, size_t probe);
