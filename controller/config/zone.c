// The zone that [responder] and the answers make, and what is wrong with it.
#include "base/hash.h"
#include "controller/config/build.h"
#include "controller/config/values.h"

#include "dns/rdata.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

// The zone's name servers and its hostmaster, where they are not told. False when out of memory.
static bool set_default_names(struct config *config)
{
    if (config->responder.ns_count == 0) {
        config->responder.ns = malloc(sizeof *config->responder.ns);
        if (config->responder.ns == NULL) {
            return false;
        }
        config->responder.ns[0] = dns_name_below("ns", &config->responder.zone);
        config->responder.ns_count = 1;
    }
    if (config->responder.hostmaster.length == 0) {
        config->responder.hostmaster = dns_name_below("hostmaster", &config->responder.zone);
    }
    return true;
}

static const void *address_bytes(const struct sockaddr_storage *address, size_t *length)
{
    if (address->ss_family == AF_INET6) {
        *length = sizeof(struct in6_addr);
        return &((const struct sockaddr_in6 *)address)->sin6_addr;
    }
    *length = sizeof(struct in_addr);
    return &((const struct sockaddr_in *)address)->sin_addr;
}

static bool same_address(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
    size_t length;
    const void *bytes = address_bytes(a, &length);
    return a->ss_family == b->ss_family && memcmp(bytes, address_bytes(b, &length), length) == 0;
}

// Each address that others can reach us at, once.
static size_t list_addresses(const struct config *config, struct sockaddr_storage *out)
{
    size_t count = 0;
    for (size_t i = 0; i < config->responder.listen_count; i++) {
        const struct sockaddr_storage *address = &config->responder.listen[i].address;
        bool known = false;
        for (size_t j = 0; j < count; j++) {
            known = known || same_address(&out[j], address);
        }
        if (!known && listen_reach(&config->responder.listen[i]) == REACH_ANY) {
            out[count++] = *address;
        }
    }
    return count;
}

// The first server that has the addresses of `listen`, for want of an answer; NULL: none has.
static const struct dns_name *server_by_listen(const struct config *config)
{
    for (size_t i = 0; i < config->responder.ns_count; i++) {
        const struct dns_name *server = &config->responder.ns[i];
        bool answered = !dns_name_is_within(server, &config->responder.zone);
        for (size_t j = 0; !answered && j < config->answer_count; j++) {
            answered = dns_name_equal(server, &config->answers[j].name);
        }
        if (!answered) {
            return server;
        }
    }
    return NULL;
}

// Networks from which no packet goes to others': RFC 1918, RFC 6598, RFC 3927, RFC 4193.
static bool is_private(const struct sockaddr_storage *address)
{
    if (address->ss_family == AF_INET6) {
        return (((const struct sockaddr_in6 *)address)->sin6_addr.s6_addr[0] & 0xfe) == 0xfc;
    }
    uint32_t in = ntohl(((const struct sockaddr_in *)address)->sin_addr.s_addr);
    return in >> 24 == 10 || in >> 20 == 0xac1 || in >> 16 == 0xc0a8 || in >> 22 == 0x191 ||
           in >> 16 == 0xa9fe;
}

// Whether `listen` has the address with the port that resolvers ask.
static bool is_at_53(const struct config *config, const struct sockaddr_storage *address)
{
    for (size_t i = 0; i < config->responder.listen_count; i++) {
        const struct endpoint *listen = &config->responder.listen[i];
        if (endpoint_port(listen) == 53 && same_address(&listen->address, address)) {
            return true;
        }
    }
    return false;
}

static void check_address(const struct builder *builder, const char *server,
                          const struct sockaddr_storage *address)
{
    size_t length;
    char host[INET6_ADDRSTRLEN] = "";
    const char *problem = !is_at_53(builder->config, address)
                              ? "where `listen` has no port 53, and resolvers ask no other"
                          : is_private(address) ? "which is private: nobody elsewhere reaches it"
                                                : NULL;
    inet_ntop(address->ss_family, address_bytes(address, &length), host, sizeof host);
    if (problem != NULL) {
        mistake_warning(builder->mistakes,
                        section_line(section_single(builder, "responder"), "listen"),
                        "the zone's server %.150s has the address %s, %s; write [answer %.150s] "
                        "with the addresses by which it is found, this one too if it is meant",
                        server, host, problem, server);
    }
}

// A name of one label, most likely meant to be one within the zone, as in a zone file.
static bool is_relative(const struct config *config, const struct dns_name *name)
{
    return name->length > 1 && name->length == name->wire[0] + 2u &&
           !dns_name_is_within(name, &config->responder.zone);
}

// Whether a server within the zone that has the addresses of `listen` is found by them.
static void check_servers(const struct builder *builder)
{
    const struct config *config = builder->config;
    const struct section *responder = section_single(builder, "responder");
    const struct dns_name *server = server_by_listen(config);
    char text[DNS_NAME_TEXT_MAX];
    for (size_t i = 0; i < config->responder.ns_count; i++) {
        if (is_relative(config, &config->responder.ns[i])) {
            mistake_warning(builder->mistakes, section_line(responder, "ns"),
                            "`ns`: %.64s is a name of one label: names are absolute here, with the "
                            "zone written out",
                            dns_name_text(&config->responder.ns[i], text));
        }
    }
    if (server == NULL) {
        return;
    }
    dns_name_text(server, text);
    if (config->zone.address_count == 0) {
        mistake_warning(
            builder->mistakes,
            section_line(responder, section_find(responder, "ns") != NULL ? "ns" : "zone"),
            "the zone's server %.200s has no address: `listen` has only "
            "wildcards and loopback; write [answer %.200s] with the addresses",
            text, text);
    }
    for (size_t i = 0; i < config->zone.address_count; i++) {
        check_address(builder, text, &config->zone.addresses[i]);
    }
}

// What [responder] says of the zone.
static const char *const of_zone[] = {"ns", "hostmaster", "ttl", "negative_ttl", "serial"};

// ---- The serial

static uint64_t hash_entries(uint64_t hash, const struct section *section, const char *key)
{
    for (size_t i = 0; section != NULL && i < section->entry_count; i++) {
        const struct entry *entry = &section->entries[i];
        if (key == NULL || strcmp(entry->key, key) == 0) {
            hash = section_hash(section_hash(hash, entry->key), entry->value);
        }
    }
    return hash;
}

// Of what the file says of the zone, as it is written: PoPs with the same configuration have the
// same one, though {pop.id} is another at each. Nobody needs it to grow, for the zone is
// transferred to nobody. Where a section stands does not matter.
static uint32_t serial_of(const struct builder *builder)
{
    const struct config *config = builder->config;
    const struct section *responder = section_single(builder, "responder");
    size_t addresses = server_by_listen(config) != NULL ? config->zone.address_count : 0;
    uint64_t hash = hash_entries(HASH_START, responder, "zone");
    for (size_t i = 0; i < sizeof of_zone / sizeof *of_zone; i++) {
        hash = hash_entries(hash, responder, of_zone[i]);
    }
    for (size_t i = 0; i < addresses; i++) {
        size_t length;
        const void *bytes = address_bytes(&config->zone.addresses[i], &length);
        hash += hash_bytes(HASH_START, bytes, length);
    }
    for (size_t i = 0; i < config->service_count; i++) {
        hash += section_hash(HASH_START, config->services[i].name);
    }
    for (size_t i = 0; i < config->answer_count; i++) {
        const struct section *answer = section_of(builder, "answer", i);
        hash += hash_entries(section_hash(HASH_START, answer->name), answer, NULL);
    }
    uint32_t serial = (uint32_t)(hash ^ hash >> 32);
    return serial != 0 ? serial : 1;
}

// ---- What is wrong

static void check_zone_keys(const struct builder *builder)
{
    const struct section *responder = section_single(builder, "responder");
    for (size_t i = 0; i < sizeof of_zone / sizeof *of_zone; i++) {
        const struct entry *entry = section_find(responder, of_zone[i]);
        if (entry != NULL && section_find(responder, "zone") == NULL) {
            mistake_error(builder->mistakes, entry->line,
                          "`%s` is of the zone, but there is no "
                          "`zone`",
                          entry->key);
        }
    }
    for (size_t i = 0; i < builder->config->answer_count; i++) {
        if (section_find(responder, "zone") == NULL) {
            const struct section *answer = section_of(builder, "answer", i);
            mistake_error(
                builder->mistakes, answer->line, "[answer %s] lies in no zone: %s", answer->name,
                responder != NULL ? "[responder] has no `zone`" : "there is no [responder]");
        }
    }
}

static void check_cookies(const struct builder *builder)
{
    const struct section *responder = section_single(builder, "responder");
    const struct entry *file = section_find(responder, "cookie_secret_file");
    const struct entry *credential = section_find(responder, "cookie_secret_credential");
    if (file != NULL && credential != NULL) {
        mistake_error(builder->mistakes, credential->line,
                      "one of `cookie_secret_file` (line %u) and `cookie_secret_credential` is "
                      "enough",
                      file->line);
    }
    const struct entry *secret = file != NULL ? file : credential;
    if (secret != NULL && !builder->config->responder.cookies) {
        mistake_error(builder->mistakes, secret->line,
                      "`%s` is of no use with `cookies = off`: remove one of them", secret->key);
    }
    if (credential != NULL &&
        strchr(builder->config->responder.cookie_secret_credential, '/') != NULL) {
        mistake_error(builder->mistakes, credential->line,
                      "`cookie_secret_credential`: it is a name, not a path");
    }
}

// A state without a service, which was reported when the answer was read.
static bool follows_nothing(const struct dns_answer_conf *answer)
{
    bool follows = false;
    for (size_t i = 0; i < answer->record_count; i++) {
        follows = follows || answer->records[i].state != DNS_STATE_NORMAL;
    }
    return follows && answer->service == SIZE_MAX;
}

static bool is_cname(const struct dns_answer_conf *answer, enum dns_state state)
{
    enum dns_state from = zone_provider(answer, state, DNS_CNAME);
    return from != DNS_STATES && answer_has_record(answer, from, DNS_CNAME);
}

static bool is_ever_cname(const struct dns_answer_conf *answer)
{
    for (unsigned state = 0; state < DNS_STATES; state++) {
        if (is_cname(answer, state)) {
            return true;
        }
    }
    return false;
}

// Types whose target must have addresses, not another name (RFC 2181 section 10.3, RFC 2782).
static bool wants_addresses(uint16_t type)
{
    return type == DNS_MX || type == DNS_SRV;
}

static void check_target(const struct builder *builder, const struct zone_check *check,
                         const struct section *section, uint16_t type_number,
                         const struct dns_name *target)
{
    const struct zone_conf *zone = &builder->config->zone;
    char text[DNS_NAME_TEXT_MAX];
    char type[DNS_TYPE_TEXT_MAX];
    dns_type_text(type_number, type);
    dns_name_text(target, text);
    if (is_relative(builder->config, target)) {
        mistake_warning(builder->mistakes, section->line,
                        "[answer %s]: %s leads to %.64s, a name of one label: names are absolute "
                        "here, with the zone written out",
                        section->name, type, text);
    }
    if (!dns_name_is_within(target, zone->apex)) {
        return;
    }
    size_t answer = zone_check_answer(check, target);
    if (!zone_check_has(check, target)) {
        mistake_warning(builder->mistakes, section->line,
                        "[answer %s]: %s leads to %.200s, which is within the zone but not "
                        "there: no [answer] has it",
                        section->name, type, text);
    } else if (answer != SIZE_MAX && wants_addresses(type_number) &&
               is_ever_cname(&zone->answers[answer])) {
        mistake_warning(builder->mistakes, section->line,
                        "[answer %s]: %s leads to %.200s, which is a CNAME: not every client "
                        "follows it there (RFC 2181); write the name that it leads to",
                        section->name, type, text);
    }
}

// Of an answer that is otherwise sound: where it leads to.
static void check_targets(const struct builder *builder, const struct zone_check *check,
                          size_t number)
{
    const struct dns_answer_conf *answer = &builder->config->zone.answers[number];
    const struct section *section = section_of(builder, "answer", number);
    for (size_t i = 0; i < answer->record_count; i++) {
        const struct dns_record_conf *record = &answer->records[i];
        struct dns_names names = dns_names_of(record->type);
        if (names.count > 0) {
            struct dns_name target = dns_name_at(record->rdata + names.at);
            check_target(builder, check, section, record->type, &target);
        }
    }
    if (zone_check_is_long(check, number)) {
        mistake_warning(builder->mistakes, section->line,
                        "[answer %s]: more than %d CNAMEs one after the other, which is all that "
                        "one answer follows: clients have to ask again",
                        section->name, ZONE_CHAIN_MAX);
    }
}

// Whether the answer ever gives its records of this state and type: a CNAME that a state falls back
// to is alone there.
static bool is_ever_said(const struct dns_answer_conf *answer, enum dns_state state, uint16_t type)
{
    for (unsigned i = 0; i < DNS_STATES; i++) {
        if (zone_provider(answer, i, type) == state && !is_cname(answer, i)) {
            return true;
        }
    }
    return false;
}

static void check_silent(const struct builder *builder, size_t number)
{
    const struct dns_answer_conf *answer = &builder->config->answers[number];
    const struct section *section = section_of(builder, "answer", number);
    for (size_t i = 0; i < answer->record_count; i++) {
        const struct dns_record_conf *record = &answer->records[i];
        char type[DNS_TYPE_TEXT_MAX];
        if (!zone_leads_to_address(record->type) &&
            !is_ever_said(answer, record->state, record->type)) {
            mistake_warning(builder->mistakes, section->line,
                            "[answer %s]: %s%s%s is never said: that state falls back on a CNAME, "
                            "which is alone; give it addresses of its own",
                            section->name, dns_type_text(record->type, type),
                            record->state == DNS_STATE_NORMAL ? "" : ".",
                            dns_state_name(record->state));
        }
    }
}

// What the zone says about itself, and about each answer in turn.
static void check_zone(const struct builder *builder)
{
    const struct config *config = builder->config;
    char error[ERROR_MAX];
    for (size_t i = 0; i < config->service_count; i++) {
        if (!config->services[i].name[0]) {
            return; // reported; it would be found wrong here once more
        }
    }
    struct zone_check *check = zone_check_new(&config->zone);
    if (check == NULL) {
        mistake_error(builder->mistakes, 0, "out of memory");
        return;
    }
    if (zone_check(check, SIZE_MAX, error)) {
        mistake_error(builder->mistakes, section_line(section_single(builder, "responder"), "zone"),
                      "[responder]: %s", error);
    }
    for (size_t i = 0; i < config->answer_count; i++) {
        if (follows_nothing(&config->answers[i])) {
            continue;
        }
        if (zone_check(check, i, error)) {
            const struct section *answer = section_of(builder, "answer", i);
            mistake_error(builder->mistakes, answer->line, "[answer %s]: %s", answer->name, error);
        } else {
            check_targets(builder, check, i);
            check_silent(builder, i);
        }
    }
    zone_check_free(check);
}

static bool make_zone(const struct builder *builder)
{
    struct config *config = builder->config;
    struct sockaddr_storage *addresses =
        calloc(config->responder.listen_count + 1, sizeof *addresses);
    const char **services = calloc(config->service_count + 1, sizeof *services);
    bool has_zone = config->responder.zone.length > 0;
    if (config->responder.id[0] == '\0') {
        memcpy(config->responder.id, config->pop.id, sizeof config->responder.id);
    }
    config->zone = (struct zone_conf){
        .id = config->responder.id,
        .region = config->pop.region,
        .version = config->responder.version[0] ? config->responder.version : NULL,
        .apex = has_zone ? &config->responder.zone : NULL,
        .hostmaster = config->responder.hostmaster,
        .ttl_s = config->responder.ttl_s,
        .negative_ttl_s = config->responder.negative_ttl_s,
        .servers = config->responder.ns,
        .server_count = config->responder.ns_count,
        .addresses = addresses,
        .services = services,
        .answers = config->answers,
        .answer_count = config->answer_count,
    };
    if (addresses == NULL || services == NULL) {
        return false;
    }
    config->zone.address_count = list_addresses(config, addresses);
    for (size_t i = 0; i < config->service_count; i++) {
        services[config->zone.service_count++] = config->services[i].name;
    }
    config->zone.serial =
        config->responder.serial != 0 ? (uint32_t)config->responder.serial : serial_of(builder);
    return true;
}

void config_make_zone(const struct builder *builder)
{
    struct config *config = builder->config;
    bool has_zone = config->responder.zone.length > 0;
    check_zone_keys(builder);
    check_cookies(builder);
    if ((has_zone && !set_default_names(config)) || !make_zone(builder)) {
        mistake_error(builder->mistakes, 0, "out of memory");
    } else if (has_zone) {
        check_zone(builder);
        check_servers(builder);
    }
}
