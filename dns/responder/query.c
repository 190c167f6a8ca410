// See query.h.
#include "dns/responder/query.h"

#include "base/bytes.h"

#include <string.h>

// RFC 7871 sections 6 and 7.1.2. A query's scope is zero; family 0 is for who wants no subnet used.
static bool subnet_is_sound(const struct dns_option *option)
{
    static const unsigned longest[] = {
        [DNS_FAMILY_NONE] = 0, [DNS_FAMILY_IPV4] = 32, [DNS_FAMILY_IPV6] = 128};
    if (option->length < 4) {
        return false;
    }
    unsigned family = get_u16(option->bytes);
    unsigned source = option->bytes[2];
    unsigned scope = option->bytes[3];
    if (family > DNS_FAMILY_IPV6 || source > longest[family] || scope != 0 ||
        option->length != 4 + (source + 7) / 8) {
        return false;
    }
    unsigned unused_bits = (8 - source % 8) % 8;
    return (option->bytes[option->length - 1] & ((1U << unused_bits) - 1)) == 0 || source == 0;
}

// False: malformed. Of several cookies the first counts (RFC 7873 section 5.2), of subnets too.
static bool read_option(const struct dns_snapshot *snapshot, const struct dns_asker *asker,
                        const struct dns_option *option, struct dns_request *out)
{
    switch (option->code) {
    case DNS_OPTION_NSID:
        out->wants_nsid = true;
        return true;
    case DNS_OPTION_KEEPALIVE:
        out->wants_keepalive = true;
        return true;
    case DNS_OPTION_SUBNET:
        if (out->has_subnet) {
            return true;
        }
        if (!subnet_is_sound(option)) {
            return false;
        }
        out->has_subnet = true;
        out->subnet_length = (uint8_t)option->length;
        memcpy(out->subnet, option->bytes, option->length);
        return true;
    case DNS_OPTION_COOKIE:
        if (snapshot->cookies.count == 0 || out->cookie != COOKIE_NONE) {
            return true;
        }
        out->cookie = cookie_check(&snapshot->cookies, asker->address, asker->now_s, option->bytes,
                                   option->length);
        if (out->cookie == COOKIE_MALFORMED) {
            return false;
        }
        memcpy(out->client_cookie, option->bytes, COOKIE_CLIENT_SIZE);
        return true;
    default:
        return true;
    }
}

static uint16_t read_edns(const struct dns_snapshot *snapshot, const struct dns_asker *asker,
                          const uint8_t *query, const struct dns_record *record,
                          struct dns_request *out)
{
    struct dns_reader options;
    struct dns_option option;
    // RFC 6891 section 6.1.1: the root's, and no more than one.
    if (out->has_edns || !dns_read_edns(query, record, &out->edns, &options)) {
        return DNS_FORMERR;
    }
    out->has_edns = true;
    if (out->edns.version > 0) {
        return DNS_BADVERS; // what its options mean is not known
    }
    while (dns_read_option(&options, &option)) {
        if (!read_option(snapshot, asker, &option, out)) {
            return DNS_FORMERR;
        }
    }
    return DNS_NOERROR;
}

// RFC 8945 section 4.2, by which the algorithm's name is not compressed. False: malformed.
static bool read_tsig(struct dns_reader *reader, struct dns_tsig *out)
{
    struct dns_record record;
    const uint8_t *bytes;
    uint16_t length;
    if (!dns_read_record(reader, &record) || record.class != DNS_CLASS_ANY || record.ttl != 0) {
        return false;
    }
    struct dns_reader rdata = {.message = reader->message,
                               .offset = record.rdata,
                               .end = record.rdata + record.rdata_length};
    if (!dns_read_name(&rdata, &out->algorithm) ||
        rdata.offset != record.rdata + out->algorithm.length ||
        (bytes = dns_take(&rdata, sizeof out->time)) == NULL || !dns_read_u16(&rdata, &length) ||
        dns_take(&rdata, length) == NULL || !dns_read_u16(&rdata, &out->original_id) ||
        dns_take(&rdata, 2) == NULL || !dns_read_u16(&rdata, &length) ||
        dns_take(&rdata, length) == NULL) {
        return false;
    }
    out->key = record.owner;
    memcpy(out->time, bytes, sizeof out->time);
    return rdata.offset == rdata.end;
}

// The sections after the question: of use are only OPT, and TSIG, which is the last record (RFC
// 8945 section 5.1). The rest is passed over, for reading names takes long where each is a pointer
// to the longest.
static uint16_t read_records(const struct dns_snapshot *snapshot, const struct dns_asker *asker,
                             struct dns_reader *reader, const struct dns_header *header,
                             struct dns_request *out)
{
    uint16_t rcode = DNS_NOERROR;
    bool sound = true;
    for (enum dns_section section = DNS_ANSWER; section < DNS_SECTIONS; section++) {
        for (unsigned i = 0; i < header->counts[section]; i++) {
            struct dns_reader at = *reader;
            struct dns_record record;
            uint16_t type;
            if (!dns_skip_record(reader, &type)) {
                return DNS_FORMERR;
            }
            if (type == DNS_TSIG) {
                out->unknown_key = section == DNS_ADDITIONAL &&
                                   i + 1U == header->counts[DNS_ADDITIONAL] &&
                                   read_tsig(&at, &out->tsig);
                sound = sound && out->unknown_key;
                continue;
            }
            if (type != DNS_OPT) {
                continue;
            }
            if (section != DNS_ADDITIONAL || !dns_read_record(&at, &record)) {
                return DNS_FORMERR;
            }
            rcode = read_edns(snapshot, asker, reader->message, &record, out);
            if (rcode == DNS_FORMERR) {
                return rcode; // a second one ends here too, so rcode is the first one's
            }
        }
    }
    return sound && reader->offset == reader->end ? rcode : DNS_FORMERR;
}

static uint16_t read_body(const struct dns_snapshot *snapshot, const struct dns_asker *asker,
                          struct dns_reader *reader, const struct dns_header *header,
                          struct dns_request *out)
{
    // Two questions or more have no meaning that anyone agrees on (RFC 9619); which is to be
    // echoed?
    bool alone = header->counts[DNS_QUESTION] == 1;
    for (unsigned i = 0; i < header->counts[DNS_QUESTION]; i++) {
        if (!(alone ? dns_read_question(reader, &out->question) : dns_skip_question(reader))) {
            return DNS_FORMERR;
        }
    }
    out->has_question = alone;
    uint16_t rcode = read_records(snapshot, asker, reader, header, out);
    if (rcode == DNS_NOERROR && !out->has_question) {
        // RFC 7873 section 5.4: who asks nothing else is told whether his cookie is still good.
        out->zoneless =
            header->counts[DNS_QUESTION] == 0 && out->cookie != COOKIE_NONE && !out->unknown_key;
        return !out->zoneless              ? DNS_FORMERR
               : out->cookie == COOKIE_BAD ? DNS_BADCOOKIE
                                           : DNS_NOERROR;
    }
    return rcode == DNS_NOERROR && out->unknown_key ? DNS_NOTAUTH : rcode;
}

bool dns_request_read(const struct dns_snapshot *snapshot, const struct dns_asker *asker,
                      const uint8_t *query, size_t length, struct dns_request *out)
{
    struct dns_reader reader = {.message = query, .end = length};
    struct dns_header header;
    if (!dns_read_header(&reader, &header) || header.flags & DNS_QR) {
        return false;
    }
    memset(out, 0, offsetof(struct dns_request, question)); // a name is large
    out->id = header.id;
    out->flags = header.flags;
    out->rcode = read_body(snapshot, asker, &reader, &header, out);
    // Other opcodes' sections may mean anything, so whether they are well-formed says nothing.
    if (header.flags & DNS_OPCODE_MASK) {
        out->rcode = DNS_NOTIMP;
        out->zoneless = false;
    }
    return true;
}
