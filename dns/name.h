// Domain names (RFC 1035). Pure.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DNS_LABEL_MAX     63
#define DNS_NAME_MAX      255  // octets in wire form, the root's too (RFC 1035 section 2.3.4)
#define DNS_NAME_TEXT_MAX 1024 // each octet as \DDD, dots, NUL

// In wire form, uncompressed, the root's empty label included: length is 1 to 255.
struct dns_name {
    size_t length;
    uint8_t wire[DNS_NAME_MAX];
};

// Reads a name as in a zone file (RFC 1035 section 5.1: \. and \DDD; always absolute, the last dot
// may be missing). NULL, or what is wrong with it; out is then undefined.
const char *dns_name_parse(const char *text, struct dns_name *out);

// Writes it as dns_name_parse() reads it, with the last dot; returns out.
const char *dns_name_text(const struct dns_name *name, char out[DNS_NAME_TEXT_MAX]);

// One octet as text: those of special, and all that can't be printed, are escaped (RFC 1035 section
// 5.1); returns out.
#define DNS_OCTET_TEXT_MAX 5
const char *dns_octet_text(uint8_t octet, const char *special, uint8_t first_printable,
                           char out[DNS_OCTET_TEXT_MAX]);

// Reads one octet of a text, escaped or not (RFC 1035 section 5.1: \. and \DDD). Returns what
// follows it, or NULL when its escape is none.
const char *dns_octet_parse(const char *at, uint8_t *out);

// Whether they are the same name; ASCII letters in either case are equal (RFC 4343).
bool dns_name_equal(const struct dns_name *a, const struct dns_name *b);

// Whether name is the apex or below it.
bool dns_name_is_within(const struct dns_name *name, const struct dns_name *apex);

// The uncompressed name that wire begins with.
struct dns_name dns_name_at(const uint8_t *wire);

// label.apex; there must be room.
struct dns_name dns_name_below(const char *label, const struct dns_name *apex);
