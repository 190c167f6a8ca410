// Reloads of the configuration, which never keep the loop from its work: a worker thread reads the
// file, checks it and builds all that is made of it; the loop only swaps; and the worker frees what
// was in use before.
//
//     IDLE ──asked──▶ BUILDING ─▶ TELLING ──sound──▶ READY ──may swap──▶ SETTLING ─▶ FREEING ─▶
//     IDLE
//                                    └──────────────mistaken──────────────────────────▶┘
//
// Who asks while one is under way is heard by one more that begins afterwards, and sees the file as
// it is then. Everybody is answered once. A reload that fails changes nothing.
#pragma once

#include "controller/core/core.h"
#include "controller/core/outcome.h"
#include "controller/daemon/identity.h"

#include "probes/scheduler.h"

#include <uv.h>

// All that is made of a configuration, and replaced with it.
struct setup {
    struct config *config;
    struct core *core;
    struct identity *identity;
    uint64_t *remembered; // room for a number of each service
};

// What was built.
struct reload_next {
    struct setup setup;          // its core is prepared (core_prepare())
    struct scheduler_plan *plan; // for its probes
    char *text;                  // of the file that it was made of
    size_t *before;              // of each service, its index in the setup before; SIZE_MAX: none
};

struct reload_shell {
    // What is in use; the next is built against it, and frees it when it has taken over.
    struct setup (*present)(void *arg);
    // Whether a swap can be now. When that may have changed, reload_go_on() is called.
    bool (*may_swap)(void *arg);
    // Puts next->setup in the place of the one in use, which it leaves there instead, and carries
    // out the plan, with on_settled and its argument. False and why not: nothing has changed.
    bool (*swap)(void *arg, struct reload_next *next, void (*on_settled)(void *arg),
                 void *settled_arg, char error[ERROR_MAX]);
    // One has ended. why: it failed; NULL: it has taken over.
    void (*ended)(void *arg, const char *why);
    void (*answer)(void *arg, void *ticket, enum outcome outcome, const char *message);
};

struct reload;

// path and shell must outlive it. NULL only when out of memory.
struct reload *reload_new(uv_loop_t *loop, const char *path, struct scheduler *scheduler,
                          const struct reload_shell *shell, void *arg);

// ticket (NULL: nobody waits) is answered when a reload that began after this has ended. False: too
// many wait already, and it is not taken.
bool reload_ask(struct reload *reload, void *ticket);

void reload_go_on(struct reload *reload);

// The longest turn of the loop while the last one was under way, in ns; 0: there was none.
uint64_t reload_longest_turn_ns(const struct reload *reload);

// Tickets that are left are dropped. What the worker does ends by itself, and the loop with it;
// then reload_free().
void reload_close(struct reload *reload);
void reload_free(struct reload *reload);
