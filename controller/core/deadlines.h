// When each of several things has something to do by itself, and which of them is first. Pure.
//
// An indexed binary heap: to set one costs the logarithm of how many there are, to ask for the
// first nothing, whatever the others do.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DEADLINE_NEVER UINT64_MAX
#define DEADLINES_NONE SIZE_MAX

struct deadlines {
    uint64_t *at_ms; // of each thing
    size_t *heap;    // things, the soonest first
    size_t *place;   // of each thing in heap
    size_t count;
};

bool deadlines_init(struct deadlines *deadlines, size_t count); // all never; false: out of memory
void deadlines_free(struct deadlines *deadlines);

void deadlines_set(struct deadlines *deadlines, size_t thing, uint64_t at_ms);
uint64_t deadlines_next_ms(const struct deadlines *deadlines);

// A thing whose time has come, the longest due first, which is set to never; DEADLINES_NONE: none.
size_t deadlines_due(struct deadlines *deadlines, uint64_t now_ms);
