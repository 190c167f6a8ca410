// What the responder has to say, compiled for answering: every name, and for each state of the
// service that it follows, its records. Immutable once made, so that any number of threads may read
// it; what changes with the services is in the snapshot (dns/responder/snapshot.h).
#pragma once

#include "base/error.h"
#include "dns/wire.h"

#include <sys/socket.h>

// What a name's records follow: what popgate wants of the service, and why.
enum dns_state {
    DNS_STATE_NORMAL,    // announced
    DNS_STATE_DEGRADED,  // depreferenced on evidence
    DNS_STATE_DRAINED,   // by an operator, while it is depreferenced and after
    DNS_STATE_WITHDRAWN, // on evidence, by isolation, or not known healthy yet
    DNS_STATES,
};

// "", "degraded", "drained", "withdrawn": the word after the dot of a key.
const char *dns_state_name(enum dns_state state);

// A state that has no records of its own takes those of the next one here, and so on; DNS_STATES
// ends the list. degraded -> normal; drained -> withdrawn -> normal; withdrawn -> drained ->
// normal: who leaves is treated like who is gone, and never like who is merely second choice.
//
// Types that lead a client to an address (A, AAAA, CNAME, SVCB, HTTPS) go together: the first state
// in the list that has any of them provides them all, so that nobody is given an address that was
// written for another state. Every other type (TXT, MX, SRV, CAA) looks for itself. Where a CNAME
// is found, it is alone (RFC 1034 section 3.6.2).
extern const enum dns_state dns_state_fallback[DNS_STATES][DNS_STATES];
bool zone_leads_to_address(uint16_t type); // one of those that go together

struct dns_record_conf {
    enum dns_state state;
    uint16_t type;
    uint16_t length;
    const uint8_t *rdata; // names in it uncompressed
};

struct dns_answer_conf {
    struct dns_name name; // within the zone; its leftmost label may be "*" (RFC 4592)
    uint32_t ttl_s;
    size_t service; // in zone_conf.services; SIZE_MAX: follows none, always normal
    const struct dns_record_conf *records;
    size_t record_count;
};

struct zone_conf {
    const char *id, *region; // of the PoP; region may be empty: no such name
    const char *version;     // NULL: not told to anyone
    // The zone. A NULL apex: none, only the names of class CH.
    const struct dns_name *apex;
    const struct dns_name *servers; // NS, at least one
    size_t server_count;
    struct dns_name hostmaster; // SOA RNAME
    uint32_t serial;
    uint32_t ttl_s;          // of SOA and NS
    uint32_t negative_ttl_s; // RFC 2308 section 5
    // Addresses of those servers within the zone that have no answer of their own.
    const struct sockaddr_storage *addresses;
    size_t address_count;
    const char *const *services; // names, each of which becomes one below the apex
    size_t service_count;
    const struct dns_answer_conf *answers;
    size_t answer_count;
};

struct zone;

// Copies all it needs. NULL only when out of memory: conf has been checked (zone_check()).
struct zone *zone_new(const struct zone_conf *conf);

// Shares are counted: zone_new() makes the first, zone_free() gives one back, from any thread, and
// the zone goes with the last. zone_share() returns zone.
struct zone *zone_share(struct zone *zone);
void zone_free(struct zone *zone);

// A configuration's names in order, to find what is wrong with it: for answers beyond count in
// little more than the time that it takes to read them.
struct zone_check;

// NULL when out of memory. conf must outlive it.
struct zone_check *zone_check_new(const struct zone_conf *conf);
void zone_check_free(struct zone_check *check);

// What is wrong with the answer number `answer` of conf, whose other answers count too: outside of
// the zone, the same name twice (in whatever case), a name that the responder has itself, "*" not
// as a whole leftmost label, CNAME beside others in one state or at the apex or round in a circle,
// more records than one answer can hold. For SIZE_MAX: what is wrong with the rest (a service
// called like one of the responder's own names, or like another but for case). 0, or -1 with a
// message.
int zone_check(const struct zone_check *check, size_t answer, char error[ERROR_MAX]);

// Whether anything is at name, which is within the zone: names below it and wildcards too.
bool zone_check_has(const struct zone_check *check, const struct dns_name *name);

// The answer at name, which is within the zone, its wildcard's if need be; SIZE_MAX: none.
size_t zone_check_answer(const struct zone_check *check, const struct dns_name *name);

// Whether in any state the answer begins a chain of more CNAMEs than one response follows.
#define ZONE_CHAIN_MAX 8
bool zone_check_is_long(const struct zone_check *check, size_t answer);

bool zone_is_server(const struct zone_conf *conf, const struct dns_name *name);

// The state whose records of this type (or of those that go with it) the answer gives in state;
// DNS_STATES: none has any.
enum dns_state zone_provider(const struct dns_answer_conf *answer, enum dns_state state,
                             uint16_t type);

// The labels below the apex that are the responder's own; NULL ends the list.
extern const char *const zone_own_labels[];

// ---- For dns/responder/respond.c

// Who provides a name's records.
enum zone_kind {
    ZONE_EMPTY,    // a name that only has names below it (RFC 4592 section 2.2.2)
    ZONE_IDENTITY, // id., region., id.server and so on
    ZONE_WHOAMI,   // the asker
    ZONE_HEALTH,   // the snapshot, as for services
    ZONE_SERVICE,
    ZONE_APEX, // and the servers' addresses
    ZONE_ANSWER,
};

// A name in the zone that a record leads to.
struct zone_target {
    struct dns_name name;
    size_t prefix; // octets of it before the apex
};

// A record as it is sent, but for its owner and for compression: where a name in it would go on at
// the apex, there is room for a pointer to wherever the message has the apex.
struct zone_record {
    const uint8_t *wire; // type, class, TTL, length, rdata
    uint16_t length;
    uint16_t apex_at[2];              // offsets of that room; 0: none
    const struct zone_target *target; // NULL: it has none in the zone
};

struct zone_rrset {
    uint16_t type, count;
    const struct zone_record *records;
};

struct zone_rrsets {
    size_t count;
    const struct zone_rrset *sets;
};

struct zone_node {
    enum zone_kind kind;
    size_t service;                   // that it follows, or whose it is; SIZE_MAX: none
    uint8_t length;                   // of its name in wire form
    const uint8_t *name;              // in lower case
    const struct zone_node *wildcard; // its child "*"
    struct zone_rrsets states[DNS_STATES];
};

// The answer to "what is there at this name?"
struct zone_place {
    const struct zone_node *node; // NULL: there is no such name
    bool inside;                  // of the zone (of those of class CH: of what we have there)
    size_t prefix;                // octets of the name before the apex
};

struct zone_place zone_find(const struct zone *zone, const struct dns_name *name, uint16_t class);

// The SOA record as a negative answer has it (RFC 2308 section 5). Only if there is a zone.
const struct zone_rrset *zone_negative(const struct zone *zone);

// The PoP's id.
const char *zone_id(const struct zone *zone);
