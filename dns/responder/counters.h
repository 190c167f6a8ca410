// What the responder counts: each thread its own, written by it alone and read by anyone at any
// time; whoever reads adds them up.
#pragma once

#include "dns/responder/respond.h"

#include <stdatomic.h>

#define DNS_RCODES 24 // 0 to BADCOOKIE; whatever is above counts as the last

enum dns_count {
    DNS_COUNT_RECEIVED,
    DNS_COUNT_IGNORED, // not a query that may be answered
    DNS_COUNT_TRUNCATED,
    DNS_COUNT_COOKIE_GOOD,
    DNS_COUNT_COOKIE_BAD,
    DNS_COUNT_SLIPPED,    // over the rate limit, answered with TC
    DNS_COUNT_DROPPED,    // over the rate limit, not answered
    DNS_COUNT_UNSENT,     // the kernel would not take the answer
    DNS_COUNT_ACCEPTED,   // TCP connections
    DNS_COUNT_EVICTED,    // for room: the one that was idle longest
    DNS_COUNT_REFUSED,    // too many from one address
    DNS_COUNT_TIMED_OUT,  // idle, too slow, or too old
    DNS_COUNT_UNACCEPTED, // accept(2) failed: out of descriptors or memory; tried again soon
    DNS_COUNTS,
};
const char *dns_count_name(enum dns_count count);

struct dns_counters {
    _Atomic uint64_t rcodes[DNS_RCODES];
    _Atomic uint64_t kinds[DNS_KINDS];
    _Atomic uint64_t counts[DNS_COUNTS];
};

// Only the thread that owns the counter may call it: no locked instruction is needed.
static inline void count_one(_Atomic uint64_t *counter)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + 1,
                          memory_order_relaxed);
}

// The same for every transport. counters are the calling thread's.
void dns_count_request(struct dns_counters *counters, const struct dns_request *request);
void dns_count_outcome(struct dns_counters *counters, const struct dns_outcome *outcome);

// Sums, by transport and family.
enum dns_channel { DNS_UDP4, DNS_UDP6, DNS_TCP4, DNS_TCP6, DNS_CHANNELS };
const char *dns_channel_name(enum dns_channel channel); // "udp4", ...

struct dns_totals {
    uint64_t rcodes[DNS_CHANNELS][DNS_RCODES];
    uint64_t kinds[DNS_CHANNELS][DNS_KINDS];
    uint64_t counts[DNS_CHANNELS][DNS_COUNTS];
    uint64_t tcp_open; // connections now
};

void dns_counters_add(struct dns_totals *totals, enum dns_channel channel,
                      const struct dns_counters *counters);
