// How a loop's time goes: whoever waited for it must not be blamed for that.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#define TURNS_RECENT_S 10

struct turns {
    uv_loop_t *loop;
    uv_prepare_t prepare;
    uint64_t count;                   // of turns
    uint64_t begun_ns, begun_idle_ns; // of the turn in progress
    uint64_t cpu_ns, cpu_at_ns;       // of the processor's time, had by then; a little before that
    struct turns_long {
        uint64_t held_ns, worked_ns;
    } before;            // it
    uint64_t longest_ns; // since the loop runs
    struct {
        uint64_t second, longest_ns;
    } recent[TURNS_RECENT_S]; // by the second's number
    uint64_t marked_ns;       // the longest since turns_mark()
    bool running;
    void *owner;
    void (*on_free)(void *owner); // after turns_close(), from the loop
};

// Keeps account from now on; owner and on_free are set. It keeps no loop running.
void turns_open(struct turns *turns, uv_loop_t *loop);
void turns_close(struct turns *turns);

// How long the loop has waited for something to happen, since the beginning. What is left of a span
// of time, it was busy.
uint64_t turns_idle_ns(const struct turns *turns);

// How long the loop was kept from looking around by turns that were long, since the beginning. Many
// short ones, as in a flood, take the processor but keep nobody waiting. worked_ns: it was at work
// on the processor, for whoever gave it work. held_ns: it was not, as something held it: a stop, a
// file system, others that had the processor.
struct turns_long turns_long(const struct turns *turns, uint64_t now_ns);

// Likewise, but since then, when turns_long() said that.
struct turns_long turns_since(const struct turns *turns, const struct turns_long *then,
                              uint64_t now_ns);

// How long its longest turn was busy: since the loop runs, in the last TURNS_RECENT_S seconds, and
// since a mark was set.
uint64_t turns_longest_ns(const struct turns *turns);
uint64_t turns_recent_ns(const struct turns *turns, uint64_t now_ns);
uint64_t turns_marked_ns(const struct turns *turns);
void turns_mark(struct turns *turns);
