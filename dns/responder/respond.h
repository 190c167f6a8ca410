// A query in, a response out. Pure: all that an answer depends on is in the snapshot, the query and
// what is known of who asks; nothing is allocated.
//
// Authoritative only (RFC 1034 section 4.3.2, RFC 2308, RFC 4592), and never larger than what
// was asked for: never a resolver, never much of an amplifier.
#pragma once

#include "dns/responder/query.h"

enum dns_kind {
    DNS_KIND_IDENTITY,
    DNS_KIND_WHOAMI,
    DNS_KIND_HEALTH,  // health., and the services' names
    DNS_KIND_ZONE,    // the apex, the servers' addresses, and what lies empty between
    DNS_KIND_ANSWER,  // [answer]
    DNS_KIND_MISSING, // NXDOMAIN
    DNS_KIND_OUTSIDE, // REFUSED
    DNS_KIND_INVALID, // nothing that has a name: FORMERR, NOTIMP, NOTAUTH, BADVERS, a cookie
    DNS_KINDS,
};
const char *dns_kind_name(enum dns_kind kind);

struct dns_outcome {
    uint16_t rcode; // 12 bits
    enum dns_kind kind;
    bool truncated;
};

// Writes the response; returns its length, never 0, at most size, which must be at least
// DNS_UDP_MAX. only_tc: nothing but TC, for who is over the rate limit. rcode and kind are for the
// counters.
size_t dns_respond(const struct dns_snapshot *snapshot, const struct dns_asker *asker,
                   const struct dns_request *request, bool only_tc, uint8_t *out, size_t size,
                   struct dns_outcome *outcome);
