// A query as it came, read for the responder: what can be said of it before it is answered. Pure.
#pragma once

#include "dns/responder/snapshot.h"

// Of a client's subnet, as RFC 7871 section 6 numbers them.
enum dns_family { DNS_FAMILY_NONE, DNS_FAMILY_IPV4, DNS_FAMILY_IPV6 };

// A signature's record (RFC 8945 section 4.2), as far as an answer to it repeats it.
struct dns_tsig {
    struct dns_name key, algorithm;
    uint8_t time[6 + 2]; // when it was signed, and how much that may be off
    uint16_t original_id;
};

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
    uint16_t rcode;   // DNS_NOERROR: to be answered from the zone; else already this error
    bool zoneless;    // no question: who asks just wants a cookie (RFC 7873 section 5.4)
    bool unknown_key; // signed: rcode is NOTAUTH, for there are no keys here
    struct dns_question question; // if has_question; as sent, in its case
    struct dns_tsig tsig;         // if unknown_key
};

enum dns_transport { DNS_UDP, DNS_TCP };

struct dns_asker {
    const struct sockaddr *address;
    enum dns_transport transport;
    uint32_t now_s;        // Unix time
    uint32_t turn;         // at random, anew for each query: rotates records
    uint16_t keepalive_ds; // TCP's idle limit, in 100 ms, for RFC 7828
};

// False: no response must be sent (shorter than a header, or itself a response).
bool dns_request_read(const struct dns_snapshot *snapshot, const struct dns_asker *asker,
                      const uint8_t *query, size_t length, struct dns_request *out);
