// What is drawn at random, all from one seed: xorshift64*, good enough to choose among mischiefs,
// and the same everywhere.
#pragma once

#include "base/clock.h"

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#define NEVER_NS UINT64_MAX

struct dice {
    uint64_t state;
};

static inline uint64_t dice_draw(struct dice *dice)
{
    dice->state ^= dice->state >> 12;
    dice->state ^= dice->state << 25;
    dice->state ^= dice->state >> 27;
    return dice->state * UINT64_C(2685821657736338717);
}

static inline uint64_t dice_below(struct dice *dice, uint64_t bound)
{
    assert(bound > 0);
    return dice_draw(dice) % bound;
}

static inline bool dice_chance(struct dice *dice, unsigned percent)
{
    return dice_below(dice, 100) < percent;
}

// In nanoseconds.
static inline uint64_t dice_ms(struct dice *dice, uint64_t low, uint64_t high)
{
    return (low + dice_below(dice, high - low + 1)) * NS_PER_MS;
}
