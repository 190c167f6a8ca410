// What an operator wants of a service, and on which clock: an intent is kept in monotonic time,
// which no step of the clock can falsify, and written down in wall-clock time, which outlives a
// boot. Pure.
#pragma once

#include "base/verbs.h"

#include <stdbool.h>
#include <stdint.h>

// Ordered from worst to best.
enum target { TARGET_WITHDRAW, TARGET_DEPREFERENCE, TARGET_ANNOUNCE };

const char *target_name(enum target target); // "withdraw", "depreference", "announce"

#define INTENT_BY_MAX 136

// What the operator wants of a service; the ledger keeps it.
struct intent {
    enum intent_kind kind;
    uint64_t since_ms;      // monotonic; may wrap, as of what began before that clock: see below
    uint64_t grace_ms;      // drain: depreference for so long, then withdraw
    uint64_t until_ms;      // monotonic; 0: until it is ended by hand
    uint64_t since_wall_ms; // of the Unix epoch, for people
    uint64_t until_wall_ms;
    char reason[INTENT_REASON_MAX];
    char by[INTENT_BY_MAX]; // who asked: "alice (1000)"
};

// Why the verb can't be done to a service of that intent, after "is" ("isolated; only release ends
// that"); NULL: it can.
const char *intent_hinders(const struct intent *intent, enum verb verb);

// What the intent makes of the target that health allows: nothing worsens a pin, nothing betters a
// drain or an isolation. *rules: the target is the intent's, also where health would have the same.
enum target intent_over(const struct intent *intent, enum target allowed, uint64_t now_ms,
                        bool *rules);

// For how long it has been so, and what is left of a drain's grace (0: it is over, or has none).
uint64_t intent_age_ms(const struct intent *intent, uint64_t now_ms);
uint64_t intent_grace_left_ms(const struct intent *intent, uint64_t now_ms);

// When that changes by itself, or the intent ends; UINT64_MAX: never.
uint64_t intent_next_ms(const struct intent *intent, uint64_t now_ms);

// What is left of the intent when popgated stops and nobody is there any more to end it: a drain
// has no grace, and a pin is over.
struct intent intent_at_stop(const struct intent *intent);

bool intent_expired(const struct intent *intent, uint64_t now_ms);

// Sets an intent's monotonic times from its wall-clock ones, given both clocks' now. A since in the
// future (the clock was stepped back) counts as now, and what was to last so long lasts no longer;
// grace is over then, as nobody knows how much of it there was. True: of that something ends, so
// the wall-clock times are new, and are to be written down, or the next start would begin anew.
bool intent_from_wall(struct intent *intent, uint64_t now_ms, uint64_t now_wall_ms);
// The other way round, for an intent that was just made, and when the wall clock was stepped.
void intent_to_wall(struct intent *intent, uint64_t now_ms, uint64_t now_wall_ms);

// Does any of it end by itself, so that it matters which time the wall clock has?
bool intent_is_timed(const struct intent *intent);
