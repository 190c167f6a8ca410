// What is done after each input, and in which order: orders first, then the slots of the include
// file, what the responder says, files to save, answers, log lines, the next wake-up. Pure: each
// doing is an effect of the caller's; the daemon has libuv's, the simulation its world's.
//
//     input ─▶ core, changes ─▶ shell_work() ─▶ send, patch, publish, save, answer, log, wake,
//                                               reload, end
//
// A file is made up and handed over only when its last save has ended: of many changes in a row,
// the first is saved at once, and what came of all the others together after it. What nobody waits
// for rests between two saves, so that a thousand deaths are not slowed down by writing each down.
#pragma once

#include "controller/core/change.h"
#include "controller/core/core.h"

enum shell_file { SHELL_INCLUDE, SHELL_LEDGER, SHELL_MEMORY, SHELL_FILES };

struct shell_save {
    enum shell_file file;
    const char *text; // valid during the call; NULL: there is to be no such file
    size_t length;
    uint64_t version;
    bool insists; // of the ledger: see struct change_effect
};

struct shell_effects {
    // BIRD's links take more orders; else the rest stays with the core until replies come.
    bool (*room)(void *arg);
    // False: the order did not leave, and never will.
    bool (*send)(void *arg, const struct order *order);
    void (*withdrawn)(void *arg); // withdrawals are among what was just sent
    // Writes these slots of the file on disk as soon as its disk lets it: in what is there now, or
    // in what is being saved.
    void (*patch)(void *arg, const struct birdconf *file, const size_t *slots, size_t count);
    void (*publish)(void *arg); // what the responder says, if it is other than before
    bool (*idle)(void *arg, enum shell_file file);          // its last save has ended
    void (*save)(void *arg, const struct shell_save *save); // ends with shell_saved(), later
    void (*answer)(void *arg, void *ticket, enum outcome outcome, const char *message);
    void (*log)(void *arg, const struct event *event, bool more); // more of them follow at once
    void (*wake)(void *arg, uint64_t at_ms); // by shell_tick(); UINT64_MAX: not by itself
    void (*reload)(void *arg);               // now is a moment in which the core may be replaced
    void (*end)(void *arg);                  // all is done that a stop waits for
};

struct shell {
    const struct shell_effects *effects;
    void *arg; // of theirs
    struct core *core;
    struct changes *changes;
    struct events *events;
    const char *boot_id;
    uint64_t *remembered; // recent withdrawals of each service as last saved; UINT64_MAX: not yet
    uint64_t logged;      // number of the last event logged
    uint64_t began_ns[SHELL_FILES]; // the last save
    uint64_t rest_ms[SHELL_FILES];  // no save before that
    uint64_t wake_ms;               // as last asked for; 0: not, or it is over
    bool memory_due;                // something happened that may be to be remembered
    bool memory_trouble;            // it could not be saved
    bool working, again;            // in shell_work(); it was called from within itself
    bool stopping, ended;
};

// A core for another configuration takes over (core_take_over()), with what the ledger kept for
// services that were away. remembered, for its services, is in use from now on; before: of each of
// them its index in the configuration before, SIZE_MAX: none. What the shell had is the caller's to
// free. Only when it may.
bool shell_may_swap(const struct shell *shell);
void shell_swap(struct shell *shell, struct core *next, uint64_t *remembered, const size_t *before,
                uint64_t now_ns, uint64_t wall_ms);

// Inputs that are more than the core's or the changes' own; the other ones go there, and
// shell_work() after each of them.
void shell_tick(struct shell *shell, uint64_t now_ns, uint64_t wall_ms);
void shell_saved(struct shell *shell, enum shell_file file, uint64_t version, const char *error,
                 uint64_t now_ns, uint64_t wall_ms);
void shell_stop(struct shell *shell, uint64_t now_ns, uint64_t wall_ms);
// An end to be started again at once (core_restart()). shell_stop() may follow.
void shell_restart(struct shell *shell, uint64_t now_ns, uint64_t wall_ms);

// Does what is to be done. May be called from within an effect.
void shell_work(struct shell *shell, uint64_t now_ns, uint64_t wall_ms);
