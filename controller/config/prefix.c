#include "controller/config/prefix.h"

#include "controller/config/values.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

static const uint8_t address_bits[FAMILIES] = {[FAMILY_V4] = 32, [FAMILY_V6] = 128};
static const int address_family[FAMILIES] = {[FAMILY_V4] = AF_INET, [FAMILY_V6] = AF_INET6};

const char *prefix_text(const struct prefix *prefix, char out[PREFIX_TEXT_MAX])
{
    char address[INET6_ADDRSTRLEN] = "";
    inet_ntop(address_family[prefix->family], prefix->address, address, sizeof address);
    snprintf(out, PREFIX_TEXT_MAX, "%s/%u", address, (unsigned)prefix->length);
    return out;
}

// Clears the bits past length; returns whether any was set.
static bool clear_host_bits(struct prefix *prefix)
{
    bool any = false;
    for (unsigned bit = prefix->length; bit < address_bits[prefix->family]; bit++) {
        uint8_t mask = (uint8_t)(0x80U >> (bit % 8));
        any = any || (prefix->address[bit / 8] & mask);
        prefix->address[bit / 8] &= (uint8_t)~mask;
    }
    return any;
}

// Where BIRD refuses a route, or no neighbour takes it (IANA's registries of special-purpose
// addresses, RFC 6890, and of multicast ones).
static const char *never_announced(const struct prefix *prefix)
{
    static const struct {
        struct prefix range;
        const char *what;
    } table[] = {
        {{.family = FAMILY_V4, .length = 8, .address = {0}}, "\"this network\""},
        {{.family = FAMILY_V4, .length = 8, .address = {127}}, "loopback"},
        {{.family = FAMILY_V4, .length = 16, .address = {169, 254}}, "link-local"},
        {{.family = FAMILY_V4, .length = 4, .address = {224}}, "multicast"},
        {{.family = FAMILY_V4, .length = 4, .address = {240}}, "reserved"},
        {{.family = FAMILY_V6, .length = 127, .address = {0}}, "loopback, or no address"},
        {{.family = FAMILY_V6, .length = 96, .address = {[10] = 0xff, [11] = 0xff}},
         "IPv4 in another form"},
        {{.family = FAMILY_V6, .length = 10, .address = {0xfe, 0x80}}, "link-local"},
        {{.family = FAMILY_V6, .length = 8, .address = {0xff}}, "multicast"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        if (prefix_covers(&table[i].range, prefix)) {
            return table[i].what;
        }
    }
    return NULL;
}

int prefix_parse(const char *text, struct prefix *out, char error[ERROR_MAX])
{
    char address[INET6_ADDRSTRLEN];
    char meant[PREFIX_TEXT_MAX];
    struct prefix prefix = {.family = strchr(text, ':') != NULL ? FAMILY_V6 : FAMILY_V4};
    uint64_t length;
    size_t address_length = strcspn(text, "/");
    if (address_length >= sizeof address) {
        return error_say(error, "\"%.80s\" is not a prefix, e.g. 192.0.2.0/24", text);
    }
    memcpy(address, text, address_length);
    address[address_length] = '\0';
    if (inet_pton(address_family[prefix.family], address, prefix.address) != 1) {
        return error_say(error, "\"%.80s\" is not a prefix, e.g. 192.0.2.0/24 or 2001:db8::/48",
                         text);
    }
    unsigned bits = address_bits[prefix.family];
    if (text[address_length] == '\0') {
        return error_say(error, "\"%.80s\" has no length; did you mean %s/%u?", text, address,
                         bits);
    }
    const char *slash = text + address_length;
    if (!number_parse(slash + 1, strlen(slash + 1), bits, &length)) {
        return error_say(error, "\"%.80s\": the length is not a number from 1 to %u", text, bits);
    }
    if (length == 0) {
        return error_say(error, "%.80s is a default route, which popgate doesn't announce", text);
    }
    prefix.length = (uint8_t)length;
    if (clear_host_bits(&prefix)) {
        return error_say(error, "%.80s has host bits set; did you mean %s?", text,
                         prefix_text(&prefix, meant));
    }
    const char *what = never_announced(&prefix);
    if (what != NULL) {
        return error_say(error, "%.80s is %s, which is never announced", text, what);
    }
    *out = prefix;
    return 0;
}

bool prefix_equal(const struct prefix *a, const struct prefix *b)
{
    return prefix_compare(a, b) == 0;
}

bool prefix_covers(const struct prefix *outer, const struct prefix *inner)
{
    struct prefix cut = *inner;
    if (outer->family != inner->family || outer->length > inner->length) {
        return false;
    }
    cut.length = outer->length;
    clear_host_bits(&cut);
    return prefix_equal(outer, &cut);
}

int prefix_compare(const struct prefix *a, const struct prefix *b)
{
    if (a->family != b->family) {
        return a->family < b->family ? -1 : 1;
    }
    int order = memcmp(a->address, b->address, sizeof a->address);
    return order ? order : (int)a->length - (int)b->length;
}
