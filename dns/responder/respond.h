// A query in, a response out. Pure: all that an answer depends on is in the snapshot, the query and
// what is known of who asks; nothing is allocated.
//
// Authoritative only (RFC 1034 section 4.3.2, RFC 2308, RFC 4592), and never larger than what
// was asked for: never a resolver, never much of an amplifier.
#pragma once

#include "dns/responder/cookie.h"
#include "dns/responder/zone.h"

// ---- what answers come from

#define DNS_STATE_TEXT_MAX 96

struct dns_service_state {
    enum dns_state state;
    uint8_t target; // index in dns_targets, for health.
    uint8_t text_length;
    uint8_t text[DNS_STATE_TEXT_MAX]; // rdata of its TXT record: target=, since=
};

#define DNS_NSID_MAX 64

// Immutable: the main thread makes another one when a service changes, and hands it over to the
// responder, which frees it when no thread is left that reads it.
struct dns_snapshot {
    struct zone *zone; // counted: dns_snapshot_new()
    struct cookie_secrets cookies;
    uint16_t udp_size;   // no answer over UDP is larger
    uint8_t nsid_length; // 0: NSID is not answered
    uint8_t nsid[DNS_NSID_MAX];
    // Response rate limiting over UDP for those without a good cookie: answers a second for a
    // client's prefix from each UDP thread (0: no limit; who sets it divides by the threads, for
    // the kernel spreads clients over them), and every how many of the rest is answered with TC (0:
    // none).
    uint32_t rate_limit;
    uint32_t slip;
    struct dns_snapshot *former; // dns/responder/publish.c's, and nobody else's
    uint64_t counts[3];          // services by target: withdraw, depreference, announce
    size_t service_count;
    struct dns_service_state services[];
};

// ---- a query, read

// What can be said of any query before it is answered.
struct dns_request {
    uint16_t id, flags;
    bool has_question, has_edns;
    struct dns_edns edns;
    bool wants_nsid;
    bool has_subnet, wants_keepalive; // RFC 7871; RFC 7828
    uint8_t subnet_length;            // octets of the option below
    uint8_t subnet[4 + 16];           // RFC 7871 section 6
    enum cookie_verdict cookie;
    uint8_t client_cookie[COOKIE_CLIENT_SIZE];
    uint16_t rcode; // DNS_NOERROR: to be answered from the zone; else already this error
    bool zoneless;  // no question: who asks just wants a cookie (RFC 7873 section 5.4)
    struct dns_question question; // if has_question; as sent, in its case
};

enum dns_transport { DNS_UDP, DNS_TCP };

struct dns_asker {
    const struct sockaddr *address;
    enum dns_transport transport;
    uint32_t now_s;        // Unix time
    unsigned turn;         // differs from one query to the next: rotates records
    uint16_t keepalive_ds; // TCP's idle limit, in 100 ms, for RFC 7828
};

// False: no response must be sent (shorter than a header, or itself a response).
bool dns_request_read(const struct dns_snapshot *snapshot, const struct dns_asker *asker,
                      const uint8_t *query, size_t length, struct dns_request *out);

// ---- the response

enum dns_kind {
    DNS_KIND_IDENTITY,
    DNS_KIND_WHOAMI,
    DNS_KIND_HEALTH,  // health., and the services' names
    DNS_KIND_ZONE,    // the apex, the servers' addresses, and what lies empty between
    DNS_KIND_ANSWER,  // [answer]
    DNS_KIND_MISSING, // NXDOMAIN
    DNS_KIND_OUTSIDE, // REFUSED
    DNS_KIND_INVALID, // nothing that has a name: FORMERR, NOTIMP, BADVERS, a cookie alone
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
