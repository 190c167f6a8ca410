// A leaky bucket for each prefix, in a set-associative table like a processor's cache (see rrl.h).
//
// A bucket is one word, so that threads can replace it as a whole: the prefix's tag, and the moment
// at which all that it was given is paid for at the rate. That is never further ahead than a
// second. The clock of the word goes round in 71 minutes: what seems a little further ahead than it
// can be was written by a thread whose clock is newer; anything else lies in the past. (Who comes
// back after just one round finds the second that he left.)

#include "dns/responder/rrl.h"

#include <netinet/in.h>
#include <sodium/crypto_shorthash.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define WAYS      8 // a set fills a line of the cache
#define SETS      4096
#define TICKS_MS  UINT64_C(64000) // of the word's clock
#define SECOND    (1000 * TICKS_MS)
#define TIME_MASK ((UINT64_C(1) << 38) - 1)
#define TAG_USED  (TIME_MASK + 1) // in every tag, so that 0 is an unused bucket

struct rrl {
    uint8_t key[crypto_shorthash_KEYBYTES];
    _Alignas(WAYS * sizeof(uint64_t)) _Atomic uint64_t sets[SETS][WAYS];
};

struct rrl *rrl_new(void)
{
    struct rrl *rrl = aligned_alloc(_Alignof(struct rrl), sizeof *rrl);
    if (rrl == NULL) {
        return NULL;
    }
    memset(rrl, 0, sizeof *rrl);
    if (getrandom(rrl->key, sizeof rrl->key, 0) != (ssize_t)sizeof rrl->key) {
        free(rrl);
        return NULL;
    }
    return rrl;
}

void rrl_free(struct rrl *rrl)
{
    free(rrl);
}

static uint64_t hash_prefix(const struct rrl *rrl, const struct sockaddr *client)
{
    uint8_t prefix[8] = {(uint8_t)client->sa_family};
    if (client->sa_family == AF_INET6) {
        memcpy(prefix + 1, &((const struct sockaddr_in6 *)client)->sin6_addr, 7); // a /56
    } else {
        memcpy(prefix + 1, &((const struct sockaddr_in *)client)->sin_addr, 3); // a /24
    }
    uint64_t hash;
    crypto_shorthash((uint8_t *)&hash, prefix, sizeof prefix, rrl->key);
    return hash;
}

// For how long the bucket is paid for already.
static uint64_t ahead_of(uint64_t bucket, uint64_t now)
{
    uint64_t ahead = (bucket - now) & TIME_MASK;
    return bucket != 0 && ahead <= 2 * SECOND ? ahead : 0;
}

// The bucket with that tag, or the one that is missed least, and what it held.
static _Atomic uint64_t *find(_Atomic uint64_t set[WAYS], uint64_t tag, uint64_t now, uint64_t *out)
{
    _Atomic uint64_t *least = NULL;
    uint64_t least_ahead = UINT64_MAX;
    for (size_t i = 0; i < WAYS; i++) {
        uint64_t bucket = atomic_load_explicit(&set[i], memory_order_relaxed);
        if ((bucket & ~TIME_MASK) == tag) {
            *out = bucket;
            return &set[i];
        }
        uint64_t ahead = ahead_of(bucket, now);
        if (ahead < least_ahead) {
            least = &set[i];
            least_ahead = ahead;
            *out = bucket;
        }
    }
    return least;
}

// False: that would be more than the rate. Tried again only when another thread was faster.
static bool spend(struct rrl *rrl, uint64_t hash, uint64_t now, uint32_t rate)
{
    uint64_t price = SECOND / rate;
    uint64_t tag = (hash & ~TIME_MASK) | TAG_USED;
    for (;;) {
        uint64_t former = 0;
        _Atomic uint64_t *bucket = find(rrl->sets[hash % SETS], tag, now, &former);
        uint64_t ahead = (former & ~TIME_MASK) == tag ? ahead_of(former, now) : 0;
        if (ahead + price > rate * price) {
            return false;
        }
        uint64_t next = tag | ((now + ahead + price) & TIME_MASK);
        if (atomic_compare_exchange_weak_explicit(bucket, &former, next, memory_order_relaxed,
                                                  memory_order_relaxed)) {
            return true;
        }
    }
}

enum rrl_verdict rrl_check(struct rrl *rrl, const struct sockaddr *client, uint64_t now_ms,
                           uint32_t rate, uint32_t slip, uint32_t dice)
{
    if (rate == 0) {
        return RRL_ANSWER;
    }
    rate = rate < RRL_RATE_MAX ? rate : RRL_RATE_MAX;
    if (spend(rrl, hash_prefix(rrl, client), now_ms * TICKS_MS, rate)) {
        return RRL_ANSWER;
    }
    return slip > 0 && dice % slip == 0 ? RRL_SLIP : RRL_DROP;
}
