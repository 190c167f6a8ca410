// The pool behind base/random.h.
#include "base/random.h"

#include <stdlib.h>
#include <sys/random.h>

static uint8_t pool[256]; // getrandom(2) is never interrupted nor partial up to this size
static size_t left;

static uint8_t random_byte(void)
{
    if (left == 0) {
        if (getrandom(pool, sizeof pool, 0) != (ssize_t)sizeof pool) {
            abort(); // a kernel without it: guessable ids would be believed
        }
        left = sizeof pool;
    }
    return pool[--left];
}

void random_bytes(void *out, size_t length)
{
    uint8_t *bytes = out;
    for (size_t i = 0; i < length; i++) {
        bytes[i] = random_byte();
    }
}

uint64_t random_upto(uint64_t bound)
{
    uint64_t number;
    random_bytes(&number, sizeof number);
    return bound == UINT64_MAX ? number : number % (bound + 1);
}
