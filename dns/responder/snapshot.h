// What answers come from at one moment: the zone, and how the services stand.
#pragma once

#include "dns/responder/cookie.h"
#include "dns/responder/zone.h"

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
    // client's prefix (0: no limit), and one in how many of the rest is answered with TC (0: none).
    uint32_t rate_limit;
    uint32_t slip;
    struct dns_snapshot *former; // dns/responder/publish.c's, and nobody else's
    uint64_t counts[3];          // services by target: withdraw, depreference, announce
    size_t service_count;
    struct dns_service_state services[];
};
