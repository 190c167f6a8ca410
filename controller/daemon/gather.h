// Inputs that come at once are worked off together: the first one at once, and all that follow it
// in the same phase of the loop's turn at the end of that phase, or as soon as the last work is so
// long ago that whoever is among them would be kept waiting. So a thousand deaths that one turn
// tells of are some works and some writes, and one death is as fast as ever.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#define GATHER_MS 1

struct gather {
    uv_prepare_t before; // the loop looks around: what timers and idle callbacks did is over
    uv_check_t after;    // and what sockets brought
    void (*work)(void *arg);
    void *arg;
    uint64_t worked_ns; // when last in this phase, its end; 0: not yet
    bool due;
};

// work and arg are set. It keeps no loop running.
void gather_open(struct gather *gather, uv_loop_t *loop);
void gather_close(struct gather *gather); // what is due is dropped

// Something came: calls work, now or in this phase.
void gather_input(struct gather *gather);
