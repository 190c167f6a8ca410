// A page of docs/runbooks, carried out on a booted PoP as an operator does: its commands in their
// order, each of which must end with 0 and say what stands below it. Other than that it is the
// page that is tested, so nothing of its commands is repeated here.
#pragma once

#include "tests/lab/booted.h"

// What the page leaves to whoever reads it, in the order in which it comes: work is done before the
// next command with these words in it. A list ends with {NULL, NULL}; all of it must come to pass.
struct runbook_hand {
    const char *before;
    void (*work)(const struct booted *pop);
};

// Where the commands run; what they name by "./" is there. It lasts over a reboot.
#define RUNBOOK_DIRECTORY "/var/cache/runbook"

// "removal" is docs/runbooks/removal.md. Whatever is not as the page has it fails the test, with
// the line of the command.
void runbook_run(const struct booted *pop, const char *name, const struct runbook_hand *hands);
