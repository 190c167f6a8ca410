// Address prefixes, as they are announced.
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

enum family { FAMILY_V4, FAMILY_V6, FAMILIES };

struct prefix {
    enum family family;
    uint8_t length;      // bits
    uint8_t address[16]; // network order; 4 bytes used for v4; host bits are zero
};
#define PREFIX_TEXT_MAX 50
const char *prefix_text(const struct prefix *prefix, char out[PREFIX_TEXT_MAX]);

// Parses "192.0.2.0/24" or "2001:db8::/48" (RFC 4632, RFC 4291 section 2.3); 0 or -1 with a
// message.
int prefix_parse(const char *text, struct prefix *out, char error[ERROR_MAX]);

bool prefix_equal(const struct prefix *a, const struct prefix *b);
bool prefix_covers(const struct prefix *outer, const struct prefix *inner); // or equals

// Order by family, address, length: what covers a prefix comes before it.
int prefix_compare(const struct prefix *a, const struct prefix *b);
