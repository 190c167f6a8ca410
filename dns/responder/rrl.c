// A token bucket for each prefix, in a set-associative table like a processor's cache (see rrl.h).

#include "dns/responder/rrl.h"

#include <netinet/in.h>
#include <sodium/crypto_shorthash.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define WAYS   4 // a set fills a line of the cache
#define SETS   4096
#define ANSWER 1000U // an answer's price, in thousandths: rate answers a second are rate a ms

struct bucket {
    uint32_t tag;      // of the prefix's hash; 0: unused
    uint32_t since_ms; // when credit was right; wraps after 49 days, which then costs nobody much
    uint32_t credit;
    uint32_t over; // since the last slip
};

struct rrl {
    uint8_t key[crypto_shorthash_KEYBYTES];
    _Alignas(WAYS * sizeof(struct bucket)) struct bucket sets[SETS][WAYS];
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

static uint32_t credit_at(const struct bucket *bucket, uint32_t now_ms, uint32_t rate)
{
    uint64_t earned = (uint64_t)(now_ms - bucket->since_ms) * rate;
    uint64_t credit = bucket->credit + earned, most = (uint64_t)rate * ANSWER;
    return (uint32_t)(credit < most ? credit : most);
}

// The bucket with that tag, its credit brought up to date: there already, or in the place of the
// one that is missed least.
static struct bucket *find(struct bucket set[WAYS], uint32_t tag, uint32_t now_ms, uint32_t rate)
{
    struct bucket *least = NULL;
    uint32_t most_credit = 0;
    for (size_t i = 0; i < WAYS; i++) {
        struct bucket *bucket = &set[i];
        uint32_t credit =
            bucket->tag ? credit_at(bucket, now_ms, rate) : UINT32_MAX; // more than any in use
        if (bucket->tag == tag) {
            bucket->credit = credit;
            bucket->since_ms = now_ms;
            return bucket;
        }
        if (least == NULL || credit > most_credit) {
            least = bucket;
            most_credit = credit;
        }
    }
    *least = (struct bucket){.tag = tag, .since_ms = now_ms, .credit = rate * ANSWER};
    return least;
}

enum rrl_verdict rrl_check(struct rrl *rrl, const struct sockaddr *client, uint64_t now_ms,
                           uint32_t rate, uint32_t slip)
{
    if (rate == 0) {
        return RRL_ANSWER;
    }
    rate = rate < RRL_RATE_MAX ? rate : RRL_RATE_MAX;
    uint64_t hash = hash_prefix(rrl, client);
    uint32_t tag = (uint32_t)(hash >> 32) | 1; // never 0
    struct bucket *bucket = find(rrl->sets[hash % SETS], tag, (uint32_t)now_ms, rate);
    if (bucket->credit >= ANSWER) {
        bucket->credit -= ANSWER;
        return RRL_ANSWER;
    }
    if (slip == 0 || ++bucket->over < slip) {
        return RRL_DROP;
    }
    bucket->over = 0;
    return RRL_SLIP;
}
