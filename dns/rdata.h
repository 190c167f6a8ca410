// Records as people write them in a zone file, made into rdata (RFC 1035 section 5). Pure.
#pragma once

#include "dns/wire.h"

// Longer ones are refused: of no use in what a PoP says of itself.
#define DNS_RDATA_MAX 4096

// Makes rdata of text, e.g. "10 mail.example.net" for MX. Types: A, AAAA, CNAME, NS, TXT, MX, SRV
// (RFC 2782), CAA (RFC 8659), SVCB and HTTPS (RFC 9460); others only as RFC 3597 section 5 writes
// them ("\# 4 c0000201"). Names in it are absolute and stay uncompressed. NULL, or what is wrong,
// naming the part.
const char *dns_rdata_parse(uint16_t type, const char *text, uint8_t out[DNS_RDATA_MAX],
                            size_t *length);
