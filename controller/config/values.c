// See values.h. Pure but for the allocation of the lists, which config_free() frees.
#include "controller/config/values.h"

#include "base/error.h"

#include "base/array.h"

#include <arpa/inet.h>
#include <assert.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define COMMUNITIES_MAX 64 // of each kind: far below what a BGP message holds (RFC 4271, 4.1)
#define LISTEN_MAX      64
#define SERVERS_MAX     16
#define TTL_MAX         INT32_MAX // seconds (RFC 2181 section 8)

// The struct of which field is the member.
#define OWNER(field, type, member) ((type *)((char *)(field)-offsetof(type, member)))

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS  "0123456789"
#define ATEXT   "!#$%&'*+-/=?^_`{|}~." // with those, what a mailbox may have (RFC 5322, 3.2.3)

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

// The number that all of text is, in decimal, or in hexadecimal after 0x; false if it is none or
// larger than max.
static bool parse_number(const char *text, size_t length, uint64_t max, uint64_t *out)
{
    bool hex = length > 2 && text[0] == '0' && text[1] == 'x';
    uint64_t number = 0;
    for (size_t i = hex ? 2 : 0; i < length; i++) {
        const char *digits = "0123456789abcdef";
        const char *digit = memchr(digits, text[i], hex ? 16 : 10);
        if (!digit) {
            return false;
        }
        number = number * (hex ? 16 : 10) + (uint64_t)(digit - digits);
        if (number > max) {
            return false;
        }
    }
    *out = number;
    return length > 0;
}

int prefix_parse(const char *text, struct prefix *out, char error[ERROR_MAX])
{
    char address[INET6_ADDRSTRLEN];
    char meant[PREFIX_TEXT_MAX];
    struct prefix prefix = {.family = strchr(text, ':') ? FAMILY_V6 : FAMILY_V4};
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
    if (!parse_number(slash + 1, strlen(slash + 1), bits, &length)) {
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

// Appends item to the array at items, which has count items of size bytes.
static int append(void *items, size_t *count, const void *item, size_t size, char *error)
{
    void *array;
    memcpy(&array, items, sizeof array);
    array = array_room(array, *count, size);
    if (!array) {
        return error_say(error, "out of memory");
    }
    memcpy((char *)array + *count * size, item, size);
    memcpy(items, &array, sizeof array);
    ++*count;
    return 0;
}

int value_prefix(const char *word, void *field, char error[ERROR_MAX])
{
    struct service_conf *service = OWNER(field, struct service_conf, prefixes);
    struct prefix prefix = {.length = 0};
    if (prefix_parse(word, &prefix, error) != 0) {
        return -1;
    }
    service->has_family[prefix.family] = true;
    return append(&service->prefixes, &service->prefix_count, &prefix, sizeof prefix, error);
}

// IANA, "Border Gateway Protocol (BGP) Well-known Communities".
static const struct {
    const char *name;
    uint32_t low; // after 65535:
} well_known[] = {
    {"graceful-shutdown", 0},       // RFC 8326
    {"accept-own", 1},              // RFC 7611
    {"llgr-stale", 6},              // RFC 9494
    {"no-llgr", 7},                 // RFC 9494
    {"blackhole", 666},             // RFC 7999
    {"no-export", 65281},           // RFC 1997
    {"no-advertise", 65282},        // RFC 1997
    {"no-export-subconfed", 65283}, // RFC 1997
    {"no-peer", 65284},             // RFC 3765
};

static bool well_known_community(const char *word, struct community *out)
{
    for (size_t i = 0; i < sizeof well_known / sizeof *well_known; i++) {
        if (strcmp(word, well_known[i].name) == 0) {
            *out = (struct community){{65535, well_known[i].low, 0}};
            return true;
        }
    }
    return false;
}

// Parses count numbers, each at most max, between colons.
static bool parse_parts(const char *word, size_t count, uint64_t max, uint32_t *parts)
{
    for (size_t i = 0; i < count; i++) {
        size_t length = strcspn(word, ":");
        uint64_t number;
        if (!parse_number(word, length, max, &number) ||
            word[length] != (i + 1 < count ? ':' : '\0')) {
            return false;
        }
        parts[i] = (uint32_t)number;
        word += length + 1;
    }
    return true;
}

static int check_room(size_t count, char *error)
{
    if (count >= COMMUNITIES_MAX) {
        return error_say(error, "more than %d communities of one kind", COMMUNITIES_MAX);
    }
    return 0;
}

int value_community(const char *word, void *field, char error[ERROR_MAX])
{
    struct attributes *attributes = OWNER(field, struct attributes, communities);
    struct community community = {{0}};
    if (strcmp(word, "none") == 0) {
        return 0;
    }
    if (!well_known_community(word, &community) && !parse_parts(word, 2, 65535, community.part)) {
        struct nearest nearest = {.wanted = word};
        for (size_t i = 0; i < sizeof well_known / sizeof *well_known; i++) {
            nearest_offer(&nearest, well_known[i].name);
        }
        if (nearest.best) {
            return error_say(error, "\"%.80s\" is not a community; did you mean %s?", word,
                             nearest.best);
        }
        return error_say(
            error,
            "\"%.80s\" is not a community: two numbers up to 65535, e.g. 64512:100, or a "
            "well-known name, e.g. no-export",
            word);
    }
    if (array_holds(attributes->communities, attributes->communities_count, &community,
                    sizeof community)) {
        return error_say(error, "%.80s is here twice", word);
    }
    if (check_room(attributes->communities_count, error) != 0) {
        return -1;
    }
    return append(&attributes->communities, &attributes->communities_count, &community,
                  sizeof community, error);
}

int value_large_community(const char *word, void *field, char error[ERROR_MAX])
{
    struct attributes *attributes = OWNER(field, struct attributes, large_communities);
    struct community community;
    if (!parse_parts(word, 3, UINT32_MAX, community.part)) {
        return error_say(error,
                         "\"%.80s\" is not a large community (RFC 8092): three numbers up to "
                         "4294967295, e.g. 64512:1:100",
                         word);
    }
    if (array_holds(attributes->large_communities, attributes->large_communities_count, &community,
                    sizeof community)) {
        return error_say(error, "%.80s is here twice", word);
    }
    if (check_room(attributes->large_communities_count, error) != 0) {
        return -1;
    }
    return append(&attributes->large_communities, &attributes->large_communities_count, &community,
                  sizeof community, error);
}

// rt and ro have 6 bytes: AS and number, one of them of 4 bytes (RFC 4360 section 3.1, RFC 5668);
// generic has all 8.
static bool parse_ext_community(const char *word, struct ext_community *out)
{
    size_t kind_length = strcspn(word, ":");
    *out = (struct ext_community){{0}, {0}, {0}};
    if (kind_length >= sizeof out->kind || word[kind_length] != ':' ||
        !parse_parts(word + kind_length + 1, 2, UINT32_MAX, out->part)) {
        return false;
    }
    memcpy(out->kind, word, kind_length);
    if (strcmp(out->kind, "generic") == 0) {
        snprintf(out->text, sizeof out->text, "(generic, 0x%" PRIx32 ", 0x%" PRIx32 ")",
                 out->part[0], out->part[1]);
        return true;
    }
    snprintf(out->text, sizeof out->text, "(%s, %" PRIu32 ", %" PRIu32 ")", out->kind, out->part[0],
             out->part[1]);
    return (strcmp(out->kind, "rt") == 0 || strcmp(out->kind, "ro") == 0) &&
           (out->part[0] <= 65535 || out->part[1] <= 65535);
}

int value_ext_community(const char *word, void *field, char error[ERROR_MAX])
{
    struct attributes *attributes = OWNER(field, struct attributes, ext_communities);
    struct ext_community community;
    if (!parse_ext_community(word, &community)) {
        return error_say(error,
                         "\"%.80s\" is not an extended community: rt:64512:100, ro:64512:100 (one "
                         "number above 65535 at most) or generic:0x43000000:0x1",
                         word);
    }
    for (size_t i = 0; i < attributes->ext_communities_count; i++) {
        if (strcmp(attributes->ext_communities[i].text, community.text) == 0) {
            return error_say(error, "%.80s is here twice", word);
        }
    }
    if (check_room(attributes->ext_communities_count, error) != 0) {
        return -1;
    }
    return append(&attributes->ext_communities, &attributes->ext_communities_count, &community,
                  sizeof community, error);
}

static int parse_uint32(const char *value, uint32_t *out, bool *has, char *error)
{
    uint64_t number;
    if (!parse_number(value, strlen(value), UINT32_MAX, &number)) {
        return error_say(error, "\"%.80s\" is not a number up to 4294967295", value);
    }
    *out = (uint32_t)number;
    *has = true;
    return 0;
}

int value_med(const char *value, void *field, char error[ERROR_MAX])
{
    struct attributes *attributes = OWNER(field, struct attributes, med);
    return parse_uint32(value, &attributes->med, &attributes->has_med, error);
}

int value_local_pref(const char *value, void *field, char error[ERROR_MAX])
{
    struct attributes *attributes = OWNER(field, struct attributes, local_pref);
    return parse_uint32(value, &attributes->local_pref, &attributes->has_local_pref, error);
}

// Copies value into out if it is short enough and has only those characters.
static int copy_charset(const char *value, const char *allowed, const char *words, char *out,
                        size_t size, char *error)
{
    size_t length = strlen(value);
    size_t good = strspn(value, allowed);
    if (good < length) {
        return error_say(error, "\"%.80s\" may have only %s in it", value, words);
    }
    if (length >= size) {
        return error_say(error, "\"%.80s\" has %zu bytes, at most %zu are allowed", value, length,
                         size - 1);
    }
    memset(out, 0, size);
    memcpy(out, value, length + 1);
    return 0;
}

// What BIRD allows between apostrophes (its conf/cf-lex.l).
static int copy_symbol(const char *value, char *out, size_t size, char *error)
{
    return copy_charset(value, LETTERS DIGITS "_-.:", "letters, digits and _ - . :", out, size,
                        error);
}

int value_session(const char *word, void *field, char error[ERROR_MAX])
{
    struct config *config = OWNER(field, struct config, bird.sessions);
    char session[SESSION_NAME_MAX];
    if (copy_symbol(word, session, sizeof session, error) != 0) {
        return -1;
    }
    for (size_t i = 0; i < config->bird.session_count; i++) {
        if (strcmp(config->bird.sessions[i], session) == 0) {
            return error_say(error, "%s is here twice", session);
        }
    }
    return append(&config->bird.sessions, &config->bird.session_count, session, sizeof session,
                  error);
}

int value_label(const char *value, void *field, char error[ERROR_MAX])
{
    return copy_charset(value, LETTERS DIGITS "_-.", "letters, digits and _ - .", field, 64, error);
}

int value_symbol(const char *value, void *field, char error[ERROR_MAX])
{
    return copy_symbol(value, field, 64, error);
}

int value_path(const char *value, void *field, char error[ERROR_MAX])
{
    size_t length = strlen(value);
    if (value[0] != '/') {
        return error_say(error, "\"%.80s\" does not begin with /", value);
    }
    if (strpbrk(value, " \t\"'\\")) {
        return error_say(error, "\"%.80s\" has white space, a quote or a backslash in it", value);
    }
    if (length >= PATH_LEN_MAX) {
        return error_say(error, "\"%.80s...\" has %zu bytes, at most %d are allowed", value, length,
                         PATH_LEN_MAX - 1);
    }
    memset(field, 0, PATH_LEN_MAX);
    memcpy(field, value, length + 1);
    return 0;
}

enum reach listen_reach(const struct endpoint *address)
{
    if (address->address.ss_family == AF_INET6) {
        const struct in6_addr *in6 = &((const struct sockaddr_in6 *)&address->address)->sin6_addr;
        return IN6_IS_ADDR_UNSPECIFIED(in6) ? REACH_WILDCARD
               : IN6_IS_ADDR_LOOPBACK(in6)  ? REACH_HOST
                                            : REACH_ANY;
    }
    uint32_t in = ntohl(((const struct sockaddr_in *)&address->address)->sin_addr.s_addr);
    return in == INADDR_ANY ? REACH_WILDCARD : in >> 24 == 127 ? REACH_HOST : REACH_ANY;
}

bool listen_overlaps(const struct endpoint *a, const struct endpoint *b)
{
    return a->address.ss_family == b->address.ss_family && endpoint_port(a) == endpoint_port(b) &&
           (listen_reach(a) == REACH_WILDCARD) != (listen_reach(b) == REACH_WILDCARD);
}

// Why nobody could listen there, or ask there; NULL: they could.
static const char *unfit(const struct endpoint *address)
{
    if (address->address.ss_family == AF_INET6) {
        const struct in6_addr *in6 = &((const struct sockaddr_in6 *)&address->address)->sin6_addr;
        return IN6_IS_ADDR_V4MAPPED(in6)    ? "an IPv4 address in disguise; write it as such"
               : IN6_IS_ADDR_LINKLOCAL(in6) ? "link-local, of one link only"
               : IN6_IS_ADDR_MULTICAST(in6) ? "multicast"
                                            : NULL;
    }
    uint32_t in = ntohl(((const struct sockaddr_in *)&address->address)->sin_addr.s_addr);
    return IN_MULTICAST(in) ? "multicast" : in == INADDR_BROADCAST ? "broadcast" : NULL;
}

int value_listen(const char *word, void *field, char error[ERROR_MAX])
{
    struct config *config = OWNER(field, struct config, responder.listen);
    struct endpoint endpoint;
    if (endpoint_parse(word, true, &endpoint, error) != 0) {
        return -1;
    }
    struct endpoint address = {.address = endpoint.address, .length = endpoint.length};
    if (unfit(&address)) {
        return error_say(error, "%.80s can't be listened on: it is %s", word, unfit(&address));
    }
    for (size_t i = 0; i < config->responder.listen_count; i++) {
        const struct endpoint *other = &config->responder.listen[i];
        if (other->length == address.length &&
            memcmp(&other->address, &address.address, address.length) == 0) {
            return error_say(error, "%.80s is here twice", word);
        }
        if (listen_overlaps(other, &address)) {
            return error_say(error,
                             "%.80s and the wildcard (0.0.0.0 or [::]) of its port exclude each "
                             "other: name the wildcard alone, or each address",
                             listen_reach(&address) == REACH_WILDCARD ? "an address" : word);
        }
    }
    if (config->responder.listen_count == LISTEN_MAX) {
        return error_say(error, "more than %d addresses", LISTEN_MAX);
    }
    return append(&config->responder.listen, &config->responder.listen_count, &address,
                  sizeof address, error);
}

static bool is_ipv4(const char *text)
{
    char address[INET_ADDRSTRLEN + 1];
    struct in_addr in;
    size_t length = strlen(text);
    if (length >= sizeof address) {
        return false;
    }
    memcpy(address, text, length + 1);
    if (length > 0 && address[length - 1] == '.') {
        address[length - 1] = '\0';
    }
    return inet_pton(AF_INET, address, &in) == 1;
}

const char *domain_mistake(const char *text, bool wildcard)
{
    struct in6_addr in6;
    if (is_ipv4(text) || inet_pton(AF_INET6, text, &in6) == 1) {
        return "it is an IP address, and a name is wanted";
    }
    if (wildcard && text[0] == '*' && (text[1] == '.' || text[1] == '\0')) {
        text++;
    }
    for (; *text; text++) {
        if ((unsigned char)*text >= 0x80) {
            return "it is not ASCII: write it as the DNS has it (xn--...)";
        }
        if (*text == '*') {
            return wildcard ? "an asterisk can only be the whole leftmost label"
                            : "an asterisk has no place here";
        }
        if (*text == '\\' && text[1]) {
            text++; // whoever escapes means it
        } else if (!strchr(LETTERS DIGITS "-_.", *text)) {
            return "only letters, digits, - and _ are in names (\\DDD if you mean another octet)";
        }
    }
    return NULL;
}

static int parse_name(const char *text, struct dns_name *out, char *error)
{
    const char *mistake = domain_mistake(text, false);
    mistake = mistake ? mistake : dns_name_parse(text, out);
    if (mistake) {
        error_say(error, "\"%.80s\" is not a domain name: %s", text, mistake);
        return -1;
    }
    return 0;
}

int value_server(const char *word, void *field, char error[ERROR_MAX])
{
    struct config *config = OWNER(field, struct config, responder.ns);
    struct dns_name name;
    if (parse_name(word, &name, error) != 0) {
        return -1;
    }
    for (size_t i = 0; i < config->responder.ns_count; i++) {
        if (dns_name_equal(&config->responder.ns[i], &name)) {
            return error_say(error, "%.80s is here twice", word);
        }
    }
    if (config->responder.ns_count == SERVERS_MAX) {
        return error_say(error, "more than %d servers", SERVERS_MAX);
    }
    return append(&config->responder.ns, &config->responder.ns_count, &name, sizeof name, error);
}

int value_zone(const char *value, void *field, char error[ERROR_MAX])
{
    struct dns_name name;
    if (parse_name(value, &name, error) != 0) {
        return -1;
    }
    if (name.length == 1) {
        return error_say(error, "a PoP does not answer for the root");
    }
    if (name.length + 1 + DNS_LABEL_MAX > DNS_NAME_MAX) {
        return error_say(error, "\"%.80s\" is so long that there is no room for names below it",
                         value);
    }
    memcpy(field, &name, sizeof name);
    return 0;
}

// "dns.team@example.net" or "dns\.team.example.net" (RFC 1035 section 8).
int value_mailbox(const char *value, void *field, char error[ERROR_MAX])
{
    char text[DNS_NAME_TEXT_MAX];
    size_t used = 0;
    const char *at = strchr(value, '@');
    bool sound = true;
    for (const char *from = value; at && from < at && used + 3 < sizeof text; from++) {
        sound = sound && strchr(LETTERS DIGITS ATEXT, *from);
        if (!strchr(LETTERS DIGITS "-_", *from)) {
            text[used++] = '\\';
        }
        text[used++] = *from;
    }
    if (!sound || at == value || strlen(value) + used + 2 > sizeof text) {
        return error_say(error, "\"%.80s\" is not a mailbox, e.g. dns@example.net", value);
    }
    snprintf(text + used, sizeof text - used, "%s%s", at ? "." : "", at ? at + 1 : value);
    struct dns_name name;
    if (parse_name(text, &name, error) != 0) {
        return -1;
    }
    memcpy(field, &name, sizeof name);
    return 0;
}

int value_ttl(const char *value, void *field, char error[ERROR_MAX])
{
    uint64_t seconds;
    uint64_t ms;
    if (!parse_number(value, strlen(value), TTL_MAX, &seconds)) {
        if (!duration_parse(value, &ms) || ms % 1000 != 0 || ms / 1000 > TTL_MAX) {
            return error_say(
                error,
                "\"%.80s\" is neither seconds nor a duration in whole seconds, of up to "
                "%d s (RFC 2181)",
                value, TTL_MAX);
        }
        seconds = ms / 1000;
    }
    uint32_t ttl_s = (uint32_t)seconds;
    memcpy(field, &ttl_s, sizeof ttl_s);
    return 0;
}

int name_check(const char *name, size_t size, char error[ERROR_MAX])
{
    size_t length = strlen(name);
    if (length == 0 || !strchr(LETTERS, name[0]) || strspn(name, LETTERS DIGITS "_-") < length) {
        return error_say(error, "\"%.80s\" is not a name: letters, digits, _ and -, a letter first",
                         name);
    }
    if (length >= size) {
        return error_say(error, "the name \"%.80s\" has %zu bytes, at most %zu are allowed", name,
                         length, size - 1);
    }
    return 0;
}
