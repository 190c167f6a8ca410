// Random numbers that cost next to nothing, for what must not fall into step with whoever asks:
// which record comes first, which query over the limit is told to use TCP. They keep no secret.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/random.h>

struct dice {
    uint64_t state; // one thread's
};

// False and errno: there is no randomness to begin with.
static inline bool dice_seed(struct dice *dice)
{
    return getrandom(&dice->state, sizeof dice->state, 0) == (ssize_t)sizeof dice->state;
}

// SplitMix64; its upper half.
static inline uint32_t dice_throw(struct dice *dice)
{
    uint64_t mixed = dice->state += UINT64_C(0x9e3779b97f4a7c15);
    mixed = (mixed ^ mixed >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94d049bb133111eb);
    return (uint32_t)((mixed ^ mixed >> 31) >> 32);
}
