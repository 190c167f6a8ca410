// The oracle's books of operators' verbs (design, promise 6): what was asked for, what was
// acknowledged, what the ledger on disk may say, and what it says.
#pragma once

#include "tests/sim/oracle.h"

// Asked for, and taken. What is done at once is in force from now on.
void verbs_asked(struct oracle *oracle, const struct asked *asked, uint64_t now_ns,
                 uint64_t wall_ms);

// Who asked has this answer. ledger: the file as it is on disk.
void verbs_answered(struct oracle *oracle, unsigned number, enum outcome outcome,
                    const struct model *model, const struct model_file *ledger, uint64_t now_ns,
                    uint64_t wall_ms);

// The ledger is being saved; it is saved.
void verbs_saving(struct oracle *oracle);
void verbs_saved(struct oracle *oracle);

// The daemon ends. Its wall clock was last seen to be so far ahead of its monotonic one, and it had
// the time and the disk to write that down: the ledger has everybody's end by that.
void verbs_check_clock(struct oracle *oracle, const struct model_file *ledger, uint64_t ahead_ms);

// A start, before oracle_start(): what the ledger has must be what was acknowledged, or asked for
// and not answered, and never half of it. From then on it is what is wanted. damaged: somebody
// spoilt it, and all services of config are to be drained.
void verbs_restart(struct oracle *oracle, const struct config *config,
                   const struct model_file *ledger, bool damaged, uint64_t now_ns,
                   uint64_t wall_ms);

// After a long quiet time everybody has an answer.
void verbs_check_quiet(struct oracle *oracle);
