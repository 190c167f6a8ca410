// The numbers of DNS and the names that people write for them. Pure.
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum dns_class { DNS_CLASS_IN = 1, DNS_CLASS_CH = 3, DNS_CLASS_NONE = 254, DNS_CLASS_ANY = 255 };

enum dns_type {
    DNS_A = 1,
    DNS_NS = 2,
    DNS_CNAME = 5,
    DNS_SOA = 6,
    DNS_PTR = 12,
    DNS_MX = 15,
    DNS_TXT = 16,
    DNS_AAAA = 28,
    DNS_SRV = 33,
    DNS_OPT = 41,
    DNS_DS = 43,
    DNS_DNSKEY = 48,
    DNS_SVCB = 64,
    DNS_HTTPS = 65,
    DNS_TSIG = 250,
    DNS_IXFR = 251,
    DNS_AXFR = 252,
    DNS_MAILB = 253,
    DNS_MAILA = 254,
    DNS_ANY = 255,
    DNS_CAA = 257,
};

enum dns_rcode {
    DNS_NOERROR = 0,
    DNS_FORMERR = 1,
    DNS_SERVFAIL = 2,
    DNS_NXDOMAIN = 3,
    DNS_NOTIMP = 4,
    DNS_REFUSED = 5,
    DNS_NOTAUTH = 9,
    DNS_BADVERS = 16,
    DNS_BADCOOKIE = 23,
};

// EDNS option codes: RFC 5001, RFC 7871, RFC 7873, RFC 7828, RFC 8914.
enum dns_option_code {
    DNS_OPTION_NSID = 3,
    DNS_OPTION_SUBNET = 8,
    DNS_OPTION_COOKIE = 10,
    DNS_OPTION_KEEPALIVE = 11,
    DNS_OPTION_ERROR = 15,
};

#define DNS_TYPE_TEXT_MAX    12 // "TYPE65535"
#define DNS_SVC_KEY_TEXT_MAX 16 // "no-default-alpn"

// "AAAA", or "TYPE1234" (RFC 3597 section 5). dns_type_text() returns out.
bool dns_type_parse(const char *text, uint16_t *out);
const char *dns_type_text(uint16_t type, char out[DNS_TYPE_TEXT_MAX]);

// "NXDOMAIN", or "RCODE1234"; 12 bits with EDNS (RFC 6891 section 6.1.3).
bool dns_rcode_parse(const char *text, uint16_t *out);
const char *dns_rcode_text(uint16_t rcode, char out[DNS_TYPE_TEXT_MAX]);

// A SvcParam's key (RFC 9460 section 14.3): "alpn", "key1234". dns_svc_key_text() returns out.
bool dns_svc_key_parse(const char *text, uint16_t *out);
const char *dns_svc_key_text(uint16_t key, char out[DNS_SVC_KEY_TEXT_MAX]);

// What the key's value is: k keys, l protocol names, - nothing, 2 a number of 16 bits, a IPv4, A
// IPv6 addresses, b what is written in base64, u unknown.
char dns_svc_form(uint16_t key);
