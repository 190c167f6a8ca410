// See codes.h.
#include "dns/codes.h"

#include "base/text.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

struct code {
    uint16_t number;
    const char *name;
};

static const struct code types[] = {
    {DNS_A, "A"},       {DNS_NS, "NS"},       {DNS_CNAME, "CNAME"}, {DNS_SOA, "SOA"},
    {DNS_PTR, "PTR"},   {DNS_MX, "MX"},       {DNS_TXT, "TXT"},     {DNS_AAAA, "AAAA"},
    {DNS_SRV, "SRV"},   {DNS_OPT, "OPT"},     {DNS_DS, "DS"},       {DNS_DNSKEY, "DNSKEY"},
    {DNS_SVCB, "SVCB"}, {DNS_HTTPS, "HTTPS"}, {DNS_ANY, "ANY"},     {DNS_CAA, "CAA"},
};
#define TYPES (sizeof types / sizeof *types)

static const struct code rcodes[] = {
    {DNS_NOERROR, "NOERROR"},
    {DNS_FORMERR, "FORMERR"},
    {DNS_SERVFAIL, "SERVFAIL"},
    {DNS_NXDOMAIN, "NXDOMAIN"},
    {DNS_NOTIMP, "NOTIMP"},
    {DNS_REFUSED, "REFUSED"},
    {6, "YXDOMAIN"},
    {7, "YXRRSET"},
    {8, "NXRRSET"},
    {DNS_NOTAUTH, "NOTAUTH"},
    {10, "NOTZONE"},
    {DNS_BADVERS, "BADVERS"},
    {DNS_BADCOOKIE, "BADCOOKIE"},
};
#define RCODES (sizeof rcodes / sizeof *rcodes)

// RFC 9460 section 14.3.2, by key.
static const struct {
    const char *name;
    char form;
} svc_params[] = {
    {"mandatory", 'k'}, {"alpn", 'l'}, {"no-default-alpn", '-'}, {"port", '2'},
    {"ipv4hint", 'a'},  {"ech", 'b'},  {"ipv6hint", 'A'},
};
#define SVC_PARAMS (sizeof svc_params / sizeof *svc_params)

// "TYPE65535" with prefix "TYPE".
static bool parse_numbered(const char *text, const char *prefix, uint64_t max, uint16_t *out)
{
    size_t skip = strlen(prefix);
    uint64_t number = 0;
    if (strncasecmp(text, prefix, skip) != 0) {
        return false;
    }
    const char *end = text_digits(text + skip, &number);
    *out = (uint16_t)number;
    return end != NULL && *end == '\0' && number <= max;
}

static bool code_parse(const struct code *codes, size_t count, const char *text, const char *prefix,
                       uint64_t max, uint16_t *out)
{
    for (size_t i = 0; i < count; i++) {
        if (strcasecmp(codes[i].name, text) == 0) {
            *out = codes[i].number;
            return true;
        }
    }
    return parse_numbered(text, prefix, max, out);
}

static const char *code_text(const struct code *codes, size_t count, uint16_t number,
                             const char *prefix, char out[DNS_TYPE_TEXT_MAX])
{
    for (size_t i = 0; i < count; i++) {
        if (codes[i].number == number) {
            snprintf(out, DNS_TYPE_TEXT_MAX, "%s", codes[i].name);
            return out;
        }
    }
    snprintf(out, DNS_TYPE_TEXT_MAX, "%s%u", prefix, (unsigned)number);
    return out;
}

bool dns_type_parse(const char *text, uint16_t *out)
{
    return code_parse(types, TYPES, text, "TYPE", UINT16_MAX, out);
}

const char *dns_type_text(uint16_t type, char out[DNS_TYPE_TEXT_MAX])
{
    return code_text(types, TYPES, type, "TYPE", out);
}

bool dns_rcode_parse(const char *text, uint16_t *out)
{
    return code_parse(rcodes, RCODES, text, "RCODE", 4095, out);
}

const char *dns_rcode_text(uint16_t rcode, char out[DNS_TYPE_TEXT_MAX])
{
    return code_text(rcodes, RCODES, rcode, "RCODE", out);
}

bool dns_svc_key_parse(const char *text, uint16_t *out)
{
    for (size_t i = 0; i < SVC_PARAMS; i++) {
        if (strcmp(svc_params[i].name, text) == 0) {
            *out = (uint16_t)i;
            return true;
        }
    }
    return parse_numbered(text, "key", UINT16_MAX, out);
}

char dns_svc_form(uint16_t key)
{
    return key < SVC_PARAMS ? svc_params[key].form : 'u';
}

const char *dns_svc_key_text(uint16_t key, char out[DNS_SVC_KEY_TEXT_MAX])
{
    if (key < SVC_PARAMS) {
        snprintf(out, DNS_SVC_KEY_TEXT_MAX, "%s", svc_params[key].name);
    } else {
        snprintf(out, DNS_SVC_KEY_TEXT_MAX, "key%u", (unsigned)key);
    }
    return out;
}
