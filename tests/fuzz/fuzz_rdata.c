// Any text as a record of any type. What is accepted is sound rdata, and its text as `dig` prints
// it is accepted again as the same octets.
#include "dns/rdata.h"
#include "dns/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX (8 * DNS_RDATA_MAX) // each octet as \DDD, twice escaped at worst

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool promise, const char *what)
{
    if (!promise) {
        fprintf(stderr, "%s\n", what);
        abort();
    }
}

static void check(uint16_t type, const uint8_t *rdata, size_t length)
{
    static char text[TEXT_MAX];
    static uint8_t back[DNS_RDATA_MAX];
    struct dns_record record = {.type = type, .class = DNS_CLASS_IN, .rdata_length = length};
    size_t back_length;
    must(dns_rdata_is_plain(type, rdata, length), "accepted what is not sound");
    must(dns_rdata_text(rdata, &record, text, sizeof text), "longer as text than thought");
    const char *problem = dns_rdata_parse(type, text, back, &back_length);
    must(problem == NULL, problem);
    must(back_length == length && memcmp(back, rdata, length) == 0, "another when read again");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint16_t types[] = {DNS_A,   DNS_NS,  DNS_CNAME, DNS_MX,    DNS_TXT, DNS_AAAA,
                                     DNS_SRV, DNS_CAA, DNS_SVCB,  DNS_HTTPS, 65280,   DNS_SOA};
    if (size < 1) {
        return 0;
    }
    uint16_t type = types[data[0] % (sizeof types / sizeof *types)];
    char *text = malloc(size);
    uint8_t *rdata = malloc(DNS_RDATA_MAX);
    size_t length;
    must(text != NULL && rdata != NULL, "memory");
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    // SOA can only be written as \# LENGTH HEX, but is not printed so.
    if (dns_rdata_parse(type, text, rdata, &length) == NULL) {
        must(length <= DNS_RDATA_MAX, "longer than allowed");
        if (type != DNS_SOA) {
            check(type, rdata, length);
        }
    }
    free(rdata);
    free(text);
    return 0;
}
