// What a start makes of what there is of before: the ledger, the include file, what this boot
// remembers. Pure; the shell reads them (controller/daemon/state_files.h).
#pragma once

#include "controller/core/birdconf.h"
#include "controller/core/events.h"
#include "controller/core/ledger.h"

// Zero it to begin.
struct past {
    // What was found.
    struct ledger ledger;
    char ledger_trouble[ERROR_MAX]; // why it can't be used; empty: it can, or there is none
    struct birdconf *former;        // the include file; NULL: none that is ours
    char former_trouble[ERROR_MAX]; // what is there and is not ours; empty: nothing
    struct boot_memory memory;
    bool boot_unknown; // the kernel does not tell this boot's id
    bool same_boot;    // popgated ran before since this machine booted

    // What is made of it.
    struct intent *intents; // of each service of the configuration, with monotonic times
    uint64_t *recent;       // withdrawals that this boot remembers, of each service
    bool ledger_damaged;    // every service is drained; write the ledger anew
};

// Trouble goes to events. false: out of memory.
bool past_make(struct past *past, const struct config *config, struct events *events,
               uint64_t now_ns, uint64_t wall_ms);
// Was it drained only because the ledger could not be read?
bool past_drained(const struct intent *intent);
void past_clear(struct past *past);
