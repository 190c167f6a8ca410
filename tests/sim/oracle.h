// What must hold whatever happens: the design's promises, checked against what went into the core
// and what came out, by its own simple bookkeeping, never by the core's.
#pragma once

#include "controller/core/core.h"
#include "tests/sim/bird.h"

#define ORACLE_PROBES   16
#define ORACLE_SERVICES 8

struct oracle_probe {
    uint64_t fails, passes, alive; // known verdicts in a row: fail, pass, not fail
    bool down;                     // fall reached, rise not since
    bool degraded;                 // the last known verdicts were not all passes
};

struct oracle_service {
    enum target target;      // last seen
    uint64_t worsened_at_ns; // by evidence; 0: never
    uint64_t worsenings;     // by evidence, since it last kept one state for max_hold_down
    uint64_t changed_at_ns;  // of target by evidence
    uint64_t wrong_since_ns; // neighbours see another thing than the target; 0: they don't
    bool visible;            // every established session had a route of ours at the last check
    bool intended;           // an intent was in force at the last check
};

struct oracle {
    const struct config *config;
    struct oracle_probe probes[ORACLE_PROBES];
    struct oracle_service services[ORACLE_SERVICES];
    uint64_t seen_events;     // number of the last event looked at
    uint64_t disturbed_at_ns; // when the world last did something that the core has to repair
    char broken[512];         // the promise that was broken, in words; empty while all hold
};

// A daemon starts (again): its memory of verdicts is gone. kept: what it remembers of withdrawals
// is not.
void oracle_start(struct oracle *oracle, const struct config *config, const struct core *core,
                  bool first, uint64_t now_ns);

void oracle_verdict(struct oracle *oracle, size_t probe, enum verdict_kind kind);
void oracle_disturbed(struct oracle *oracle, uint64_t now_ns);

// After each input to the core.
void oracle_check(struct oracle *oracle, const struct core *core, const struct model *model,
                  bool quiet_links, uint64_t now_ns);

// After a long quiet time with probes that say truth[probe]: everything must be as it should.
void oracle_check_quiet(struct oracle *oracle, const struct core *core, const struct model *model,
                        const enum verdict_kind truth[], uint64_t now_ns);
