// Operators' changes of intent, one after another: guarded, made durable, applied, acknowledged; in
// that order. Isolation alone is applied first: containment waits for no disk (it is acknowledged
// when durable all the same).
#pragma once

#include "controller/api/api.h"
#include "controller/core/ledger.h"

struct changes;

struct changes_shell {
    struct core *(*core)(void *arg);
    void (*save)(void *arg, const char *text, uint64_t version); // comes back by changes_saved()
    void (*applied)(void *arg);                                  // the core took an input
    uint64_t (*now_ns)(void *arg);
};

// ledger is taken over. NULL only when out of memory.
struct changes *changes_new(struct ledger *ledger, const struct changes_shell *shell, void *arg);
void changes_free(struct changes *changes); // what waits is dropped; its tickets are the API's

void changes_submit(struct changes *changes, const struct api_change *change,
                    struct api_ticket *ticket);

// After each input of the core: the guard may have its answer.
void changes_step(struct changes *changes);
void changes_saved(struct changes *changes, uint64_t version, const char *error);

// Intents ended by themselves, or were made at start: writes the ledger as the core has it.
void changes_sync(struct changes *changes);
bool changes_idle(const struct changes *changes);
// What the ledger has for a service that may not be configured; NULL if nothing. Wall-clock times.
const struct intent *changes_kept(const struct changes *changes, const char *service);
// The last save failed: the sentence that says so; NULL when all is well.
const char *changes_trouble(const struct changes *changes);
