// Unpredictable bytes for query ids, letter case and jitter, from a pool that getrandom(2) refills:
// no system call for each. Only for the loop's thread.
#pragma once

#include <stddef.h>
#include <stdint.h>

void random_bytes(void *out, size_t length);

// Evenly distributed in [0, bound], but for a bias of less than bound / 2^64.
uint64_t random_upto(uint64_t bound);
