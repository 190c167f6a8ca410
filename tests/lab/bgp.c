// BGP-4 messages: see bgp.h.
#include "tests/lab/bgp.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AS_TRANS     23456 // RFC 6793, section 4.2.3
#define SAFI_UNICAST 1

#define FLAG_OPTIONAL   0x80
#define FLAG_TRANSITIVE 0x40
#define FLAG_EXTENDED   0x10

// RFC 4271, section 5; RFC 1997; RFC 4360; RFC 4760; RFC 8092.
enum attribute_type {
    ORIGIN = 1,
    AS_PATH = 2,
    NEXT_HOP = 3,
    MED = 4,
    LOCAL_PREF = 5,
    COMMUNITIES = 8,
    MP_REACH = 14,
    MP_UNREACH = 15,
    EXT_COMMUNITIES = 16,
    LARGE_COMMUNITIES = 32,
};

static const uint16_t afi[] = {[BGP_V4] = 1, [BGP_V6] = 2};

static size_t address_bytes(uint8_t family)
{
    return family == BGP_V4 ? 4 : 16;
}

bool bgp_prefix_parse(const char *text, struct bgp_prefix *out)
{
    char address[INET6_ADDRSTRLEN];
    const char *slash = strchr(text, '/');
    char *end = NULL;

    *out = (struct bgp_prefix){.family = strchr(text, ':') != NULL ? BGP_V6 : BGP_V4};
    if (slash == NULL || (size_t)(slash - text) >= sizeof address) {
        return false;
    }
    snprintf(address, sizeof address, "%.*s", (int)(slash - text), text);
    const unsigned long bits = strtoul(slash + 1, &end, 10);
    out->length = (uint8_t)bits;
    return end != slash + 1 && *end == '\0' && bits <= 8 * address_bytes(out->family) &&
           inet_pton(out->family == BGP_V4 ? AF_INET : AF_INET6, address, out->address) == 1;
}

// ---- Writing

// Callers know that there is room.
struct writer {
    uint8_t *bytes;
    size_t length;
};

static void put(struct writer *writer, uint64_t value, size_t bytes)
{
    while (bytes-- > 0) {
        writer->bytes[writer->length++] = (uint8_t)(value >> (8 * bytes));
    }
}

static void put_bytes(struct writer *writer, const void *bytes, size_t length)
{
    memcpy(writer->bytes + writer->length, bytes, length);
    writer->length += length;
}

static struct writer message_begin(uint8_t *out, enum bgp_type type)
{
    struct writer writer = {.bytes = out};

    memset(out, 0xff, 16);
    writer.length = 16;
    put(&writer, 0, 2);
    put(&writer, type, 1);
    return writer;
}

static void set_length(uint8_t *at, size_t length)
{
    at[0] = (uint8_t)(length >> 8);
    at[1] = (uint8_t)length;
}

static size_t message_end(const struct writer *writer)
{
    assert(writer->length <= BGP_MESSAGE_MAX);
    set_length(writer->bytes + 16, writer->length);
    return writer->length;
}

static void put_multiprotocol_capability(struct writer *writer, enum bgp_family family)
{
    put(writer, 1, 1);
    put(writer, 4, 1);
    put(writer, afi[family], 2);
    put(writer, SAFI_UNICAST, 2);
}

size_t bgp_write_open(uint8_t *out, uint32_t as, uint16_t hold_seconds, uint32_t id)
{
    struct writer writer = message_begin(out, BGP_OPEN);

    put(&writer, 4, 1);
    put(&writer, as > UINT16_MAX ? AS_TRANS : as, 2);
    put(&writer, hold_seconds, 2);
    put(&writer, id, 4);
    put(&writer, 2 + 18, 1);
    put(&writer, 2, 1); // parameter: capabilities (RFC 5492)
    put(&writer, 18, 1);
    put_multiprotocol_capability(&writer, BGP_V4);
    put_multiprotocol_capability(&writer, BGP_V6);
    put(&writer, 65, 1); // four-byte AS number (RFC 6793)
    put(&writer, 4, 1);
    put(&writer, as, 4);
    return message_end(&writer);
}

size_t bgp_write_keepalive(uint8_t *out)
{
    struct writer writer = message_begin(out, BGP_KEEPALIVE);

    return message_end(&writer);
}

size_t bgp_write_cease(uint8_t *out)
{
    struct writer writer = message_begin(out, BGP_NOTIFICATION);

    put(&writer, 6, 1);
    put(&writer, 2, 1);
    return message_end(&writer);
}

static void put_attribute(struct writer *writer, uint8_t flags, enum attribute_type type,
                          size_t length)
{
    put(writer, flags | FLAG_EXTENDED, 1);
    put(writer, type, 1);
    put(writer, length, 2);
}

static void put_numbers(struct writer *writer, uint8_t flags, enum attribute_type type,
                        const uint32_t *numbers, size_t count)
{
    if (count > 0) {
        put_attribute(writer, flags, type, 4 * count);
    }
    for (size_t i = 0; i < count; i++) {
        put(writer, numbers[i], 4);
    }
}

static void put_as_path(struct writer *writer, const struct bgp_attributes *attributes)
{
    size_t count = attributes->as_path_length;

    put_attribute(writer, FLAG_TRANSITIVE, AS_PATH, count > 0 ? 2 + 4 * count : 0);
    if (count > 0) {
        put(writer, 2, 1); // AS_SEQUENCE
        put(writer, count, 1);
    }
    for (size_t i = 0; i < count; i++) {
        put(writer, attributes->as_path[i], 4);
    }
}

static void put_attributes(struct writer *writer, const struct bgp_attributes *attributes)
{
    uint8_t community = FLAG_OPTIONAL | FLAG_TRANSITIVE;

    put_attribute(writer, FLAG_TRANSITIVE, ORIGIN, 1);
    put(writer, 0, 1);
    put_as_path(writer, attributes);
    put_numbers(writer, FLAG_OPTIONAL, MED, &attributes->med, attributes->has_med);
    put_numbers(writer, FLAG_TRANSITIVE, LOCAL_PREF, &attributes->local_pref,
                attributes->has_local_pref);
    // RFC 1997: two bytes each, where we hold four
    if (attributes->community_count > 0) {
        put_attribute(writer, community, COMMUNITIES, 4 * attributes->community_count);
    }
    for (size_t i = 0; i < attributes->community_count; i++) {
        put(writer, attributes->communities[i][0], 2);
        put(writer, attributes->communities[i][1], 2);
    }
    if (attributes->ext_community_count > 0) {
        put_attribute(writer, community, EXT_COMMUNITIES, 8 * attributes->ext_community_count);
    }
    for (size_t i = 0; i < attributes->ext_community_count; i++) {
        put(writer, attributes->ext_communities[i], 8);
    }
    put_numbers(writer, community, LARGE_COMMUNITIES, attributes->large_communities[0],
                3 * attributes->large_community_count);
}

// As many as end before limit; at least one fits in any message of ours.
static size_t put_prefixes(struct writer *writer, size_t limit, const struct bgp_prefix *prefixes,
                           size_t count)
{
    size_t taken = 0;

    while (taken < count && writer->length + 1 + 16 <= limit) {
        const struct bgp_prefix *prefix = &prefixes[taken++];

        assert(prefix->family == prefixes[0].family);
        put(writer, prefix->length, 1);
        put_bytes(writer, prefix->address, (prefix->length + 7U) / 8U);
    }
    return taken;
}

static size_t put_withdrawn_v4(struct writer *writer, const struct bgp_prefix *prefixes,
                               size_t count)
{
    size_t length_at = writer->length;

    put(writer, 0, 2);
    size_t taken = put_prefixes(writer, BGP_MESSAGE_MAX - 2, prefixes, count);
    set_length(writer->bytes + length_at, writer->length - length_at - 2);
    put(writer, 0, 2);
    return taken;
}

static size_t put_multiprotocol(struct writer *writer, const struct bgp_attributes *attributes,
                                const struct bgp_prefix *prefixes, size_t count)
{
    size_t length_at = writer->length + 2;

    put_attribute(writer, FLAG_OPTIONAL, attributes != NULL ? MP_REACH : MP_UNREACH, 0);
    put(writer, afi[BGP_V6], 2);
    put(writer, SAFI_UNICAST, 1);
    if (attributes != NULL) {
        put(writer, 16, 1);
        put_bytes(writer, attributes->next_hop, 16);
        put(writer, 0, 1);
    }
    size_t taken = put_prefixes(writer, BGP_MESSAGE_MAX, prefixes, count);
    set_length(writer->bytes + length_at, writer->length - length_at - 2);
    return taken;
}

size_t bgp_write_update(uint8_t *out, const struct bgp_attributes *attributes,
                        const struct bgp_prefix *prefixes, size_t count, size_t *taken)
{
    struct writer writer = message_begin(out, BGP_UPDATE);
    bool v6 = prefixes[0].family == BGP_V6;

    assert(count > 0);
    if (attributes == NULL && !v6) {
        *taken = put_withdrawn_v4(&writer, prefixes, count);
        return message_end(&writer);
    }
    put(&writer, 0, 2);
    size_t length_at = writer.length;
    put(&writer, 0, 2);
    if (attributes != NULL) {
        put_attributes(&writer, attributes);
    }
    if (v6) {
        *taken = put_multiprotocol(&writer, attributes, prefixes, count);
    } else {
        put_attribute(&writer, FLAG_TRANSITIVE, NEXT_HOP, 4);
        put_bytes(&writer, attributes->next_hop, 4);
    }
    set_length(out + length_at, writer.length - length_at - 2);
    if (!v6) {
        *taken = put_prefixes(&writer, BGP_MESSAGE_MAX, prefixes, count);
    }
    return message_end(&writer);
}

// ---- Reading

// A span of the message; reading past its end makes it bad, and gives zeros.
struct reader {
    const uint8_t *at, *end;
    bool bad;
};

static size_t left(const struct reader *reader)
{
    return (size_t)(reader->end - reader->at);
}

static struct reader take(struct reader *reader, size_t length)
{
    struct reader part = {.at = reader->at, .end = reader->at};

    if (length > left(reader)) {
        reader->bad = true;
        reader->at = reader->end;
        return part;
    }
    reader->at += length;
    part.end = reader->at;
    return part;
}

static uint64_t get(struct reader *reader, size_t bytes)
{
    struct reader part = take(reader, bytes);
    uint64_t value = 0;

    while (part.at < part.end) {
        value = value << 8 | *part.at++;
    }
    return value;
}

ssize_t bgp_message_length(const uint8_t *bytes, size_t length)
{
    if (length < BGP_HEADER_BYTES) {
        return 0;
    }
    size_t total = (size_t)bytes[16] << 8 | bytes[17];
    if (total < BGP_HEADER_BYTES || total > BGP_MESSAGE_MAX) {
        return -1;
    }
    return length < total ? 0 : (ssize_t)total;
}

enum bgp_type bgp_message_type(const uint8_t *message)
{
    return message[18];
}

static void read_as_path(struct reader *value, struct bgp_attributes *out)
{
    while (left(value) > 0 && !value->bad) {
        (void)get(value, 1); // sequence or set
        size_t count = (size_t)get(value, 1);

        for (; count > 0 && !value->bad; count--) {
            uint32_t as = (uint32_t)get(value, 4);

            if (out->as_path_length < BGP_PATH_MAX) {
                out->as_path[out->as_path_length++] = as;
            }
        }
    }
}

static void read_communities(struct reader *value, struct bgp_attributes *out)
{
    while (left(value) > 0 && !value->bad && out->community_count < BGP_COMMUNITY_MAX) {
        uint32_t *community = out->communities[out->community_count++];

        community[0] = (uint32_t)get(value, 2);
        community[1] = (uint32_t)get(value, 2);
    }
}

static void read_large_communities(struct reader *value, struct bgp_attributes *out)
{
    while (left(value) > 0 && !value->bad && out->large_community_count < BGP_COMMUNITY_MAX) {
        uint32_t *community = out->large_communities[out->large_community_count++];

        for (size_t i = 0; i < 3; i++) {
            community[i] = (uint32_t)get(value, 4);
        }
    }
}

static void read_ext_communities(struct reader *value, struct bgp_attributes *out)
{
    while (left(value) > 0 && !value->bad && out->ext_community_count < BGP_COMMUNITY_MAX) {
        out->ext_communities[out->ext_community_count++] = get(value, 8);
    }
}

static void read_next_hop(struct reader *value, size_t length, struct bgp_attributes *out)
{
    struct reader next_hop = take(value, length);
    size_t bytes = left(&next_hop);

    memcpy(out->next_hop, next_hop.at, bytes < 16 ? bytes : 16);
}

struct prefixes {
    enum bgp_family family;
    struct reader bytes;
};

struct update {
    struct prefixes withdrawn, announced, withdrawn_v6, announced_v6;
    struct bgp_attributes attributes;
};

// RFC 4760, sections 3 and 4. Families other than IPv6 unicast are left out.
static void read_multiprotocol(struct reader *value, bool reach, struct update *update)
{
    bool ours = get(value, 2) == afi[BGP_V6];
    bool unicast = get(value, 1) == SAFI_UNICAST;

    if (reach) {
        read_next_hop(value, (size_t)get(value, 1), &update->attributes);
        (void)get(value, 1);
    }
    if (ours && unicast && !value->bad) {
        struct prefixes *prefixes = reach ? &update->announced_v6 : &update->withdrawn_v6;

        prefixes->bytes = *value;
    }
}

static bool read_attribute(struct reader *attributes, struct update *update)
{
    struct bgp_attributes *out = &update->attributes;
    uint64_t flags = get(attributes, 1);
    uint64_t type = get(attributes, 1);
    size_t length = (size_t)get(attributes, flags & FLAG_EXTENDED ? 2 : 1);
    struct reader value = take(attributes, length);

    switch (type) {
    case AS_PATH:
        read_as_path(&value, out);
        break;
    case NEXT_HOP:
        read_next_hop(&value, length, out);
        break;
    case MED:
        out->med = (uint32_t)get(&value, 4);
        out->has_med = true;
        break;
    case LOCAL_PREF:
        out->local_pref = (uint32_t)get(&value, 4);
        out->has_local_pref = true;
        break;
    case COMMUNITIES:
        read_communities(&value, out);
        break;
    case LARGE_COMMUNITIES:
        read_large_communities(&value, out);
        break;
    case EXT_COMMUNITIES:
        read_ext_communities(&value, out);
        break;
    case MP_REACH:
    case MP_UNREACH:
        read_multiprotocol(&value, type == MP_REACH, update);
        break;
    default:
        break;
    }
    return !value.bad && !attributes->bad;
}

static bool read_prefixes(struct prefixes *prefixes, const struct bgp_attributes *attributes,
                          bgp_prefix_cb on_prefix, void *arg)
{
    struct reader *bytes = &prefixes->bytes;

    while (left(bytes) > 0) {
        struct bgp_prefix prefix = {.family = (uint8_t)prefixes->family};

        prefix.length = (uint8_t)get(bytes, 1);
        struct reader address = take(bytes, (prefix.length + 7U) / 8U);
        if (bytes->bad || prefix.length > 8 * address_bytes(prefix.family)) {
            return false;
        }
        memcpy(prefix.address, address.at, left(&address));
        on_prefix(arg, &prefix, attributes);
    }
    return true;
}

bool bgp_read_update(const uint8_t *message, size_t length, bgp_prefix_cb on_prefix, void *arg)
{
    struct reader body = {.at = message + BGP_HEADER_BYTES, .end = message + length};
    struct update update = {.withdrawn_v6 = {.family = BGP_V6, .bytes = {body.at, body.at, false}}};

    assert(length >= BGP_HEADER_BYTES);
    update.announced_v6 = update.withdrawn_v6;
    update.withdrawn.bytes = take(&body, (size_t)get(&body, 2));
    struct reader attributes = take(&body, (size_t)get(&body, 2));
    update.announced.bytes = body;
    bool sound = !body.bad;
    while (sound && left(&attributes) > 0) {
        sound = read_attribute(&attributes, &update);
    }
    return sound && read_prefixes(&update.withdrawn, NULL, on_prefix, arg) &&
           read_prefixes(&update.withdrawn_v6, NULL, on_prefix, arg) &&
           read_prefixes(&update.announced, &update.attributes, on_prefix, arg) &&
           read_prefixes(&update.announced_v6, &update.attributes, on_prefix, arg);
}
