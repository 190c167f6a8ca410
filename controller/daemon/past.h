// What a start finds of before: the ledger, the include file, what this boot remembers.
#pragma once

#include "controller/core/birdconf.h"
#include "controller/core/events.h"
#include "controller/core/ledger.h"

struct past {
    struct ledger ledger;
    struct birdconf *former; // the include file; NULL: none that is ours
    struct intent *intents;  // of each service of the configuration, with monotonic times
    uint64_t *recent;        // withdrawals that this boot remembers, of each service
    bool same_boot;          // popgated ran before since this machine booted
    bool ledger_damaged;     // every service is drained; write the ledger anew
};

// Reads it all; trouble goes to events. boot_id receives this boot's. false: out of memory.
bool past_read(struct past *past, const struct config *config, struct events *events,
               char boot_id[64], uint64_t now_ns);
void past_clear(struct past *past);
