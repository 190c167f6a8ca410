// Rdata as people read it. Pure.
#pragma once

#include "dns/wire.h"

// The rdata as `dig +short` prints it, unknown types as RFC 3597 section 5 says. record was read
// from message. False when it does not fit into size; what did fit is there, with a NUL.
bool dns_rdata_text(const uint8_t *message, const struct dns_record *record, char *out,
                    size_t size);

// The octets of all strings of a TXT record, joined (RFC 7208 section 3.3), with no quotes and no
// escapes. Returns how many; 0 for other types. out holds at least record->rdata_length.
size_t dns_txt_bytes(const uint8_t *message, const struct dns_record *record, uint8_t *out);
