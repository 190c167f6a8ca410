// When a thousand things are to begin at once, each turn of the loop begins as many as there is
// time for, in the order in which they were wanted; so what the first ones bring about is not
// delayed by the rest.
#pragma once

#include "probes/turns.h"

// One that may be wanted. Zeroed but for the two of the owner it is not.
struct start {
    void *owner;
    void (*run)(void *owner);
    struct start *next, **link; // in the queue
};

struct starts {
    uv_idle_t idle; // runs while there is a queue
    const struct turns *turns;
    uint64_t turn, spent_ns; // what has been spent in that turn
    struct start *first, **end;
    void *owner;
    void (*on_free)(void *owner); // after starts_close(), from the loop
};

// owner and on_free are set.
void starts_open(struct starts *starts, uv_loop_t *loop, const struct turns *turns);
void starts_close(struct starts *starts);

// Calls run once: now, or if others wait or this turn has spent its time, in a later turn. For
// callbacks of the loop that do nothing after it.
void starts_now(struct starts *starts, struct start *start);

// The same, but in the next turn at the earliest. For anywhere.
void starts_soon(struct starts *starts, struct start *start);

// It is wanted no more.
void starts_forget(struct starts *starts, struct start *start);
