// One check of a probe in the simulation: what the service does and what of our own comes in
// between are drawn; probes/judge.h, the real one, makes a verdict of how the check went; and what
// that may be is told from what was drawn alone.
#pragma once

#include "probes/conf.h"
#include "probes/verdict.h"
#include "tests/sim/dice.h"

struct check {
    // The service: what it says (VERDICT_UNKNOWN: the prober can't look), and when, once asked.
    enum verdict_kind says;
    const char *code;
    uint64_t answers_ns;     // NEVER_NS: it is silent
    uint64_t max_latency_ms; // of the probe; 0: any
    bool dialog; // it needs us for each of its steps, so that our long turns keep it waiting
    bool alert;  // its crash was reported
    // We: what we waited for before we could ask (NEVER_NS: in vain); then, from a moment on, a
    // turn of the loop that worked for somebody else, and one that was held.
    uint64_t own_ns, busy_from_ns, worked_ns, held_ns;
    bool sick;
};

// A service whose truth is kind; with trouble of our own, if any is allowed.
void check_draw(struct check *check, const struct probe_conf *conf, enum verdict_kind kind,
                bool definitive, bool trouble, struct dice *dice);

// The verdict, but for at_ns. NULL, or the promise that it breaks.
const char *check_run(const struct check *check, const struct probe_conf *conf,
                      struct verdict *out);
