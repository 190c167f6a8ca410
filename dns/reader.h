// A place in a message, and what moves it on. Pure.
//
// Reading never looks outside of the message, whatever is in it, and takes time linear in its
// length: compression pointers only go backwards, and a name follows a bounded number of them.
#pragma once

#include "base/bytes.h"
#include "dns/name.h"

#define DNS_HEADER_SIZE 12

// Read functions move it on, or return false (NULL) and leave it anywhere.
struct dns_reader {
    const uint8_t *message;
    size_t end;    // bytes of it that may be read
    size_t offset; // of the next one
};

// So many bytes of the message. This and the next are here for the responder's sake: some ten of
// them are a query, and calls would cost more than what they do.
static inline const uint8_t *dns_take(struct dns_reader *reader, size_t length)
{
    if (length > reader->end - reader->offset) {
        return NULL;
    }
    const uint8_t *bytes = reader->message + reader->offset;
    reader->offset += length;
    return bytes;
}

static inline bool dns_read_u16(struct dns_reader *reader, uint16_t *out)
{
    const uint8_t *bytes = dns_take(reader, 2);
    *out = bytes != NULL ? get_u16(bytes) : 0;
    return bytes != NULL;
}

bool dns_read_name(struct dns_reader *reader, struct dns_name *out);

// Passes over a name without a look at where its pointers lead.
bool dns_skip_name(struct dns_reader *reader);

// An EDNS option or a SvcParam.
struct dns_option {
    uint16_t code;
    uint16_t length;
    const uint8_t *bytes; // within the message
};

// False at the end.
bool dns_read_option(struct dns_reader *reader, struct dns_option *out);
