// What a check's word is worth, given how the check went. Pure.
//
// Time in which popgated was held (stopped, blocked, without the processor) is none of the
// service's, and too much of it makes what was seen no evidence. Time in which it worked is
// different: somebody gave it that work, perhaps another service's server that wants this one's
// silence to be excused. So it excuses nothing; the check was given that time again (life.h).
#pragma once

#include "probes/finding.h"

// How a check went.
struct course {
    uint64_t timeout_ms, max_latency_ms; // as configured; max_latency_ms 0: any
    uint64_t took_ns;                    // since it began
    uint64_t busy_ns;                    // of that, our loop did not wait for anything
    uint64_t held_ns;       // of that, our loop was held: stopped, blocked, without the processor
    uint64_t worked_ns;     // of that, our loop was at work in long turns, for whomever
    bool given;             // more than its timeout, for what our loop worked
    bool alert;             // a crash was reported, so that a refusal is its proof
    struct awaited awaited; // what: only when its time ran out
};

// The time of a check that has said nothing is over: for how much longer it is waited for; 0: no
// longer. What the loop worked on in long turns is no time of the service's: it gets that again,
// once and never more than its timeout, and then its silence counts.
uint64_t judge_more_ns(const struct course *course);

// The verdict: what the probe type said (NULL: nothing, its time ran out), unless popgated itself
// stood in the way. All but at_ns is filled in.
//
//     a pass that took longer than max_latency    degraded "slow"
//     a fail that came so late                    unknown "stalled": by more than half of the time
//     nothing, while we were held                 unknown "stalled"  } both together for more
//     nothing, which waited for us                unknown "local"    } than half of the time
//     nothing                                     fail "timeout"
//     a refusal after an alert                    definitive
void judge(const struct course *course, const struct finding *said, struct verdict *out);

// Does the verdict speak against the service?
bool verdict_is_bad(const struct verdict *verdict);

// We can't even reach ourselves, and sick says why: a bad verdict becomes `unknown` "prober-sick".
void judge_sick(const char *sick, struct verdict *verdict);
