// See counters.h.

#include "dns/responder/counters.h"

#include <assert.h>

const char *dns_count_name(enum dns_count count)
{
    static const char *const names[DNS_COUNTS] = {
        [DNS_COUNT_RECEIVED] = "received",         [DNS_COUNT_IGNORED] = "ignored",
        [DNS_COUNT_TRUNCATED] = "truncated",       [DNS_COUNT_COOKIE_GOOD] = "cookie_good",
        [DNS_COUNT_COOKIE_BAD] = "cookie_bad",     [DNS_COUNT_SLIPPED] = "slipped",
        [DNS_COUNT_DROPPED] = "dropped",           [DNS_COUNT_UNSENT] = "unsent",
        [DNS_COUNT_ACCEPTED] = "tcp_accepted",     [DNS_COUNT_EVICTED] = "tcp_evicted",
        [DNS_COUNT_REFUSED] = "tcp_refused",       [DNS_COUNT_TIMED_OUT] = "tcp_timed_out",
        [DNS_COUNT_UNACCEPTED] = "tcp_unaccepted",
    };
    assert(count < DNS_COUNTS);
    return names[count];
}

const char *dns_channel_name(enum dns_channel channel)
{
    static const char *const names[DNS_CHANNELS] = {
        [DNS_UDP4] = "udp4",
        [DNS_UDP6] = "udp6",
        [DNS_TCP4] = "tcp4",
        [DNS_TCP6] = "tcp6",
    };
    assert(channel < DNS_CHANNELS);
    return names[channel];
}

void dns_count_request(struct dns_counters *counters, const struct dns_request *request)
{
    if (request->cookie == COOKIE_GOOD) {
        count_one(&counters->counts[DNS_COUNT_COOKIE_GOOD]);
    } else if (request->cookie == COOKIE_BAD) {
        count_one(&counters->counts[DNS_COUNT_COOKIE_BAD]);
    }
}

void dns_count_outcome(struct dns_counters *counters, const struct dns_outcome *outcome)
{
    size_t rcode = outcome->rcode < DNS_RCODES ? outcome->rcode : DNS_RCODES - 1;
    count_one(&counters->rcodes[rcode]);
    count_one(&counters->kinds[outcome->kind]);
    if (outcome->truncated) {
        count_one(&counters->counts[DNS_COUNT_TRUNCATED]);
    }
}

static void add(uint64_t *totals, const _Atomic uint64_t *counters, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        totals[i] += atomic_load_explicit(&counters[i], memory_order_relaxed);
    }
}

void dns_counters_add(struct dns_totals *totals, enum dns_channel channel,
                      const struct dns_counters *counters)
{
    add(totals->rcodes[channel], counters->rcodes, DNS_RCODES);
    add(totals->kinds[channel], counters->kinds, DNS_KINDS);
    add(totals->counts[channel], counters->counts, DNS_COUNTS);
}
