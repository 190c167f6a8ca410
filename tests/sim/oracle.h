// What must hold whatever happens: the design's promises, checked against what went into the core
// and what came out, by books of its own. It is told verdicts, verbs, configurations, and what the
// world did; it never looks at the core's intents, counts or health.
#pragma once

#include "controller/core/core.h"
#include "controller/core/outcome.h"
#include "tests/sim/bird.h"

// What the books know of a gate; ordered as its states are.
enum level { LEVEL_CLOSED, LEVEL_UNKNOWN, LEVEL_DEGRADED, LEVEL_OPEN, LEVELS };

struct oracle_probe {
    uint64_t fails, passes, alive, bad; // known verdicts in a row: fail, pass, not fail, not pass
    enum level settled;
    uint64_t known_at_ms;   // of the last verdict that was known, or of the start
    uint64_t crashed_at_ms; // of a definitive failure in its crash_grace; 0: none
    bool anew;              // it was blind, and has not been settled since
    bool blackholed;        // it failed, and its way was a blackhole
};

struct oracle_intent {
    enum intent_kind kind;
    int64_t since_ms; // monotonic
    uint64_t grace_ms;
    int64_t until_ms;                                     // 0: without end
    uint64_t since_wall_ms, until_wall_ms, kept_grace_ms; // as the ledger has it
    bool differs; // it ended before the start or began after it: the ledger has another end
};

// What the ledger has of a service, for certain: acknowledged, and not replaced since.
struct oracle_safe {
    enum intent_kind kind;
    unsigned verb;    // its number; 0: nobody's
    unsigned written; // whose it was when that was acknowledged, if the next save has another's
    bool ended;       // its time is over: the ledger may forget it
};

static inline struct oracle_safe safe_of(enum intent_kind kind, unsigned verb)
{
    return (struct oracle_safe){kind, verb, verb, false};
}

#define VERB_SERVICES 8
#define SAVE_MAX_MS   4000 // no save takes longer
#define ASKED_MAX     160

// What an operator asks for; its reason in the ledger is "v" and its number.
struct asked {
    unsigned number; // from 1
    enum verb verb;
    unsigned names[VERB_SERVICES];
    size_t name_count;
    bool gone[VERB_SERVICES]; // a reload took the service away: it is not for that any more
    uint64_t for_ms;          // 0: until ended by hand
    bool guarded;             // the guard has to look: without force
    uint64_t asked_ns;
    // Answered, but it may be in the ledger all the same: its save failed, which says nothing of
    // what is on disk, or it stands though nobody could save it.
    bool doubtful;
    bool covered; // doubtful, and a save has begun since, which will tell
};

struct oracle_service {
    bool configured;
    size_t index;  // in the configuration
    unsigned used; // of its plot's addresses
    struct oracle_intent intent;
    unsigned intent_verb; // the number of the verb that it comes from
    struct oracle_safe safe;
    struct oracle_safe
        inherited;           // from the service that had its address before; maybe not on disk yet
    bool unsure;             // what is wanted of it is not known until somebody says so again
    unsigned last_isolation; // the number of the last verb that isolates it
    bool intended;           // an intent was in force at the last check

    enum target target; // as events have told
    uint64_t target_at_ns;
    uint64_t event;    // number of the event of its last change of target; 0: none
    bool acknowledged; // and that was said to be acknowledged

    uint64_t since_ms[LEVELS]; // its gate at least that good without a break; UINT64_MAX: is not
    uint64_t worsened_at_ns;   // by evidence; 0: never
    uint64_t worsenings;       // by evidence, since it last kept one state for max_hold_down
    uint64_t remembered[2];    // of those: being saved, saved
    uint64_t changed_at_ns;    // of target by evidence
    bool covered;              // by an intent since then: what health had under it is not known
    uint64_t adopt_until_ms;

    unsigned file_on; // legs that the file had on when the daemon started, see books_leg()
    bool had, lacked; // since then: BIRD had one of its legs on, did not have all of those
    bool known;       // since the start: its probes said that it works
    unsigned on;      // legs that BIRD has on now

    // Of being cut off: the way by which a probe last passed, when that was asked; said to be held
    // because of a probe.
    enum way_kind passed_by;
    size_t passed_probe;
    bool held;
    size_t held_probe;

    uint64_t wrong_since_ns; // neighbours see another thing than the target; 0: they don't
    uint64_t back_at_ns;     // when its target was last more than withdraw again
    bool visible;            // every established session had a route of ours at the last check
};

struct oracle {
    const struct config *config; // NULL: no daemon runs
    struct oracle_probe probes[SCENE_PROBES];
    struct oracle_service services[SCENE_NAMES];  // by name
    uint64_t retired_wrong_since_ns[SCENE_PLOTS]; // of addresses that no service has
    struct asked asked[ASKED_MAX];
    size_t asked_count;
    unsigned names[SCENE_SERVICES]; // of the configuration's services
    unsigned owner[SCENE_PLOTS];    // name of the service that has them, or NOBODY
    uint64_t seen_events;           // number of the last event looked at
    uint64_t tampered_at_ns;        // when somebody last switched or configured
    uint64_t disturbed_at_ns;       // when the world last did something that is to be repaired
    uint64_t able_since_ns;     // when BIRD could last begin to do what it is told; NEVER_NS: not
    uint64_t noticing_since_ns; // when it could last begin to notice; NEVER_NS: it can't
    uint64_t switched;          // the model's count when its legs were last looked at
    bool stopping;
    char revision[REVISION_TEXT_MAX]; // of the file for this configuration
    char broken[512];                 // the promise that was broken, in words; empty: all hold
};

// Bounds of what the gate of a service may be, where a limit of time is just being passed.
struct bounds {
    enum level low, high;
};

// What the daemon can do at present.
struct abilities {
    bool switches; // BIRD does at once what it is told
    bool repairs;  // and answers questions, has our file, and the disk takes files
    bool notices;  // and can see at once what somebody has switched
};

// A daemon starts with this configuration. same_boot: it may adopt what disk says, and remembers
// withdrawals.
void oracle_start(struct oracle *oracle, const struct config *config, const struct scene *scene,
                  const struct model_file *disk, bool same_boot, const struct events *events,
                  uint64_t now_ns);
// One that runs takes over another configuration: before the core does.
void oracle_reload(struct oracle *oracle, const struct config *config, const struct scene *scene,
                   const struct scene *before, uint64_t now_ns);
void oracle_stop(struct oracle *oracle, uint64_t now_ns); // a clean stop begins
void oracle_end(struct oracle *oracle, uint64_t now_ns);  // the daemon is gone

void oracle_verdict(struct oracle *oracle, size_t probe, const struct verdict *verdict,
                    uint64_t now_ns);
// The kernel's way to a probe's target (place: among all plots' addresses) was asked for.
void oracle_way(struct oracle *oracle, size_t probe, unsigned place, enum verdict_kind kind,
                enum way_kind way);
// The boot memory is being saved with what there is now; it is saved.
void oracle_remembering(struct oracle *oracle, uint64_t now_ns);
void oracle_remembered(struct oracle *oracle);
void oracle_disturbed(struct oracle *oracle, uint64_t now_ns); // the world changed
void oracle_tampered(struct oracle *oracle, uint64_t now_ns);  // somebody's hand was in it

// The books' own view of every gate, by the configuration's index; and of an intent, vague when it
// is just ending.
void books_gates(const struct oracle *oracle, uint64_t now_ns, struct bounds out[SCENE_SERVICES]);
enum intent_kind books_intent(const struct oracle_service *service, uint64_t now_ns, bool *vague);
// A gate, when every probe's level is given.
enum level books_gate(const struct config *config, size_t index, const enum level probes[]);
enum target books_target(enum level level); // of a gate that is not unknown
// Withdrawals are forgotten when one state was kept for max_hold_down.
// What the ledger kept is read with the wall clock of now: at a start, and only then.
void books_read_again(struct oracle_intent *intent, uint64_t wall_ms, uint64_t now_ns);
bool books_asked(const struct oracle *oracle, unsigned name); // something that has no answer yet
void books_end(struct oracle_service *service);               // the intent in force has ended
void books_legs(struct oracle *oracle, const struct model *model); // as BIRD has them now
void books_forget(struct oracle_service *service, const struct service_conf *conf, uint64_t now_ns);
// The service that is cut off when that address is (among all plots'), by that probe; NULL: none.
bool books_requires(const struct service_conf *conf, size_t probe);
struct oracle_service *books_led_to(struct oracle *oracle, size_t probe, unsigned place);
unsigned books_leg(unsigned family, bool drain); // its bit in a service's legs

__attribute__((format(printf, 2, 3))) void oracle_broken(struct oracle *oracle, const char *text,
                                                         ...);

// Does BIRD have any of the service on? Not what somebody may have switched just now.
bool oracle_sees_off(const struct oracle *oracle, const struct oracle_service *service,
                     uint64_t now_ns);

// After an input to the core that is worked off with those that follow: what it decided by itself.
void oracle_gathered(struct oracle *oracle, const struct core *core, const struct model *model,
                     uint64_t now_ns);
// After each other input.
void oracle_check(struct oracle *oracle, const struct core *core, const struct model *model,
                  struct abilities abilities, uint64_t now_ns);
// An order goes out.
void oracle_order(struct oracle *oracle, const char *command, const struct model *model,
                  uint64_t now_ns);

// After a long quiet time with probes that say truth[probe]: everything must be as it should.
// cut_off[probe]: the place of its target, if it is cut off by being announced; else NOBODY.
void oracle_check_quiet(struct oracle *oracle, const struct core *core, const struct model *model,
                        const enum verdict_kind truth[], const unsigned cut_off[], uint64_t now_ns);

// A clean stop has ended, and BIRD could do all along what it was told.
void oracle_check_stopped(struct oracle *oracle, const struct model *model, uint64_t now_ns);
