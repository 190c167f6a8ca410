// A probe's verdicts, settled by rise and fall into its health. Pure.
//
// Promises: one bad verdict moves nothing unless it is definitive; an `unknown` verdict is no
// evidence and moves nothing ever; a prober that has said nothing known for `unknown_grace` is
// called blind, not the service down; and one that sees again is blind until it is settled anew, as
// what was settled before says nothing of now.
#pragma once

#include "probes/conf.h"
#include "probes/verdict.h"

// Ordered from worst to best; unknown: never settled.
enum health_state { HEALTH_UNKNOWN, HEALTH_DOWN, HEALTH_DEGRADED, HEALTH_UP };

const char *health_name(enum health_state state); // "unknown", "down", "degraded", "up"

struct health {
    enum health_state settled;
    uint64_t since_ms; // of what health_shown() says
    // Known verdicts in a row, since it was last blind: fail; pass; not fail; not pass.
    uint64_t fails, passes, alive, bad;
    uint64_t known_at_ms;   // of the last verdict that was not unknown (or of the start)
    uint64_t crashed_at_ms; // of a definitive failure waiting out crash_grace; 0 if none
    bool blind;             // nothing known for unknown_grace, and nothing settled since
};

void health_init(struct health *health, uint64_t now_ms);

// Takes one verdict. Returns whether settled or blind changed.
bool health_observe(struct health *health, const struct probe_conf *conf, enum verdict_kind kind,
                    bool definitive, uint64_t now_ms);

// Lets time pass: blindness, crash_grace. Returns whether settled or blind changed.
bool health_tick(struct health *health, const struct probe_conf *conf, uint64_t now_ms);

// When health_tick() has something to do next; UINT64_MAX for never.
uint64_t health_next_ms(const struct health *health, const struct probe_conf *conf);

// What operators are shown: unknown while blind, else what is settled.
enum health_state health_shown(const struct health *health);

// It is blind and sees again: settled by the next verdicts.
bool health_settles_anew(const struct health *health);

// The last verdict disagrees with what is settled: check faster.
bool health_unsettled(const struct health *health);
