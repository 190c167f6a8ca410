// What a service's prefixes should be: its gate, damped, under the operator's intent. Pure.
//
// Promises (design 1, 2, 8): announced only while known healthy and nobody drained it, a `pin`
// apart; unknown is held or withdrawn as configured, never read as failure; an improvement waits
// until the gate has been that good for hold_down without a break, doubled for each recent
// withdrawal up to max_hold_down.
#pragma once

#include "controller/core/gate.h"
#include "controller/core/intent.h"

// Why the target is what it is.
enum cause {
    CAUSE_START,     // not known healthy yet
    CAUSE_ADOPTED,   // taken over from BIRD at a restart
    CAUSE_HEALTHY,   // the gate is open
    CAUSE_DEGRADED,  // the gate is degraded
    CAUSE_UNHEALTHY, // the gate is closed
    CAUSE_UNKNOWN,   // unknown for good, and on_unknown = withdraw
    CAUSE_HOLD_DOWN, // healthy again, waiting out hold_down
    CAUSE_DRAIN,     // drained
    CAUSE_ISOLATE,   // isolated
    CAUSE_PIN,       // pinned
    CAUSE_EXIT,      // the daemon stops (on_exit = withdraw)
    CAUSE_CUT_OFF,   // healthy, but being announced cuts it off
};

const char *cause_name(enum cause cause); // "healthy", "hold-down", ...

struct decision {
    enum target target;
    enum cause cause;
    uint64_t since_ms; // of target

    enum target allowed; // by health and damping, whatever the intent
    uint64_t allowed_since_ms;
    uint64_t good_since_ms[TARGET_ANNOUNCE +
                           1]; // gate at least this good without a break; UINT64_MAX: is not
    uint64_t recent;           // withdrawals and depreferences, on evidence or at a stop, not yet
                               // forgotten
    bool adopted;              // allowed rests on what BIRD had at a restart, or before a reload
    bool kept;                 // before a reload: it was known healthy then
    uint64_t adopt_until_ms;
    bool cut_off; // by being announced, as was seen (cut_off.h): it is not, however healthy
};

// At start: withdrawn. recent carries over what this boot remembers (0 at first).
void decision_init(struct decision *decision, uint64_t recent, uint64_t now_ms);

// At a restart within a boot: BIRD announces it now. This process never knew it healthy, so that
// ends with adopt_grace, whatever on_unknown says.
void decision_adopt(struct decision *decision, const struct service_conf *conf, enum target target,
                    uint64_t now_ms);

// At a reload, what it rests on may be new and unknown: it stays as it is for adopt_grace, or with
// on_unknown = hold until there is evidence, as it was known healthy before. What is adopted
// already, of a restart or a reload before, is so no longer for that, and shorter if adopt_grace
// is.
void decision_keep(struct decision *decision, const struct service_conf *conf, uint64_t now_ms);

// It turned out that BIRD does not have what was adopted.
void decision_disown(struct decision *decision, uint64_t now_ms);

// popgated stops, and withdraws it, for good as far as this process goes. What was announced counts
// as withdrawn like any other: who starts next waits hold_down. Returns whether target changed.
bool decision_exit(struct decision *decision, uint64_t now_ms);

// Decides anew. Returns whether target changed. Expired intents must have been ended before
// (intent_expired()).
bool decision_step(struct decision *decision, const struct service_conf *conf,
                   const struct gate *gate, const struct intent *intent, uint64_t now_ms);

// The next time at which decision_step() may change something by itself; UINT64_MAX for never.
uint64_t decision_next_ms(const struct decision *decision, const struct service_conf *conf,
                          const struct intent *intent, uint64_t now_ms);

// How long an improvement has to wait now, in ms (design, promise 8).
uint64_t decision_hold_down_ms(const struct decision *decision, const struct service_conf *conf);

// What is left of it, in ms; 0 when nothing waits.
uint64_t decision_hold_down_left_ms(const struct decision *decision,
                                    const struct service_conf *conf, uint64_t now_ms);
