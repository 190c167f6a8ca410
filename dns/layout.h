// What each type's rdata is made of: one table, which checking, printing and copying all walk, so
// that they can't disagree. Pure.
#pragma once

#include "dns/codes.h"
#include "dns/reader.h"

// One piece of rdata. kind: 1 2 4 integers of so many octets; a IPv4, A IPv6 address; n name;
// s string to be written in quotes, t string without them; q the rest, in quotes; x the rest in
// hex; b the rest in base64; p a SvcParam (RFC 9460 section 2.2); o an EDNS option; u unknown.
struct dns_field {
    char kind;
    const uint8_t *bytes; // as they are in the message; of p and o the value
    size_t length;
    uint16_t code;        // of p and o
    struct dns_name name; // of n
};

struct dns_walk {
    struct dns_reader rdata;
    const char *layout;
};

// Begins with the first piece of rdata that lies at offset of message.
struct dns_walk dns_walk_begin(uint16_t type, uint16_t class, const uint8_t *message, size_t offset,
                               size_t length);

// The names in rdata of a type, which stand together in all types that have any; all zero where
// there are none, or the type is not known.
struct dns_names {
    size_t count;
    size_t at;       // the first one's offset
    size_t before;   // fields before it
    bool compressed; // they may be, where they are written (RFC 3597 section 4)
};
struct dns_names dns_names_of(uint16_t type);

enum dns_step { DNS_STEP_FIELD, DNS_STEP_END, DNS_STEP_BAD };
enum dns_step dns_walk_next(struct dns_walk *walk, struct dns_field *out);

// Whether rdata by itself is what its type says (class IN), with no name in it compressed.
bool dns_rdata_is_plain(uint16_t type, const uint8_t *rdata, size_t length);
