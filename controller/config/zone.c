// [responder] and [answer NAME]: the records that they say, and the zone that these make.
#include "base/text.h"
#include "controller/config/build.h"

#include "base/array.h"
#include "controller/config/expand.h"
#include "controller/config/values.h"

#include "dns/rdata.h"

#include <assert.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RECORD_TEXT_MAX ((size_t)4 * DNS_RDATA_MAX) // every octet as \DDD

// --- records -------------------------------------------------------------------------------------

// What a key such as "aaaa.drained" is of; false: it is of no record.
static bool split_key(const char *key, uint16_t *type, enum dns_state *state)
{
    char word[16];
    size_t length = strcspn(key, ".");
    const char *rest = key[length] ? key + length + 1 : "";
    if (length >= sizeof word || !key_find(answer_keys, key)) {
        return false;
    }
    memcpy(word, key, length);
    word[length] = '\0';
    for (unsigned i = 0; i < DNS_STATES; i++) {
        if (strcmp(dns_state_name(i), rest) == 0) {
            *state = i;
            return dns_type_parse(word, type);
        }
    }
    return false;
}

static bool holds_record(const struct dns_answer_conf *answer, const struct dns_record_conf *record)
{
    for (size_t i = 0; i < answer->record_count; i++) {
        const struct dns_record_conf *other = &answer->records[i];
        if (other->state == record->state && other->type == record->type &&
            other->length == record->length &&
            memcmp(other->rdata, record->rdata, record->length) == 0) {
            return true;
        }
    }
    return false;
}

// Copies the rdata too. False when out of memory.
static bool append_record(struct dns_answer_conf *answer, const struct dns_record_conf *record)
{
    struct dns_record_conf *records =
        array_room((void *)answer->records, answer->record_count, sizeof *records);
    uint8_t *rdata = malloc(record->length + (size_t)1);
    if (records) {
        answer->records = records;
    }
    if (!records || !rdata) {
        free(rdata);
        return false;
    }
    memcpy(rdata, record->rdata, record->length);
    records[answer->record_count] = *record;
    records[answer->record_count++].rdata = rdata;
    return true;
}

// In the name that the record leads to, as it is written.
static const char *target_mistake(uint16_t type, const char *text)
{
    size_t before = type == DNS_CNAME                                         ? 0
                    : type == DNS_MX || type == DNS_SVCB || type == DNS_HTTPS ? 1
                    : type == DNS_SRV                                         ? 3
                                                                              : SIZE_MAX;
    char word[WORD_MAX];
    if (before == SIZE_MAX || strncmp(text, "\\#", 2) == 0) { // octets (RFC 3597) have no mistakes
        return NULL;
    }
    for (size_t i = 0; i <= before; i++) {
        if (!text_next_word(&text, word, sizeof word)) {
            return NULL;
        }
    }
    return domain_mistake(word, false);
}

static void add_record(const struct builder *builder, const struct entry *entry,
                       struct dns_record_conf record, const char *text,
                       struct dns_answer_conf *answer)
{
    uint8_t rdata[DNS_RDATA_MAX];
    size_t length = 0;
    const char *mistake = dns_rdata_parse(record.type, text, rdata, &length);
    mistake = mistake ? mistake : target_mistake(record.type, text);
    record.rdata = rdata;
    record.length = (uint16_t)length;
    if (mistake) {
        mistake_error(builder->mistakes, entry->line, "`%s`: \"%.80s\": %s", entry->key, text,
                      mistake);
    } else if (holds_record(answer, &record)) {
        mistake_error(builder->mistakes, entry->line, "`%s`: %.80s is here twice", entry->key,
                      text);
    } else if (!append_record(answer, &record)) {
        mistake_error(builder->mistakes, entry->line, "out of memory");
    }
}

// Each word is a record.
static void add_words(const struct builder *builder, const struct entry *entry,
                      struct dns_record_conf record, struct dns_answer_conf *answer)
{
    char expanded[WORD_MAX];
    char word[WORD_MAX];
    char error[ERROR_MAX];
    if (expand(builder->config, entry->value, expanded, error) != 0) {
        return; // reported when the keys were read
    }
    for (const char *at = expanded; text_next_word(&at, word, sizeof word);) {
        add_record(builder, entry, record, word, answer);
    }
}

// The first of these entries and those that continue it are one record.
static void add_lines(const struct builder *builder, const struct entry *entries, size_t count,
                      struct dns_record_conf record, struct dns_answer_conf *answer)
{
    char text[RECORD_TEXT_MAX];
    char expanded[WORD_MAX];
    char error[ERROR_MAX];
    size_t used = 0;
    bool sound = true;
    for (size_t i = 0; i < count && (i == 0 || entries[i].continued); i++) {
        const struct entry *line = &entries[i];
        sound = sound && expand(builder->config, line->value, expanded, error) == 0;
        if (sound && used + strlen(expanded) + 2 > sizeof text) {
            mistake_error(builder->mistakes, line->line, "`%s`: the record is too long", line->key);
            sound = false;
        }
        if (sound) {
            used += (size_t)snprintf(text + used, sizeof text - used, "%s%s", i == 0 ? "" : " ",
                                     expanded);
        }
    }
    if (sound && used > 0) {
        add_record(builder, &entries[0], record, text, answer);
    }
}

static void add_records(const struct builder *builder, const struct section *section,
                        struct dns_answer_conf *answer)
{
    for (size_t i = 0; i < section->entry_count; i++) {
        const struct entry *entry = &section->entries[i];
        struct dns_record_conf record = {.length = 0};
        if (!split_key(entry->key, &record.type, &record.state)) {
            continue;
        }
        if (record.type == DNS_A || record.type == DNS_AAAA) {
            add_words(builder, entry, record, answer);
        } else if (!entry->continued) {
            add_lines(builder, entry, section->entry_count - i, record, answer);
        }
    }
}

// --- [answer NAME] -------------------------------------------------------------------------------

// Keys of records that say nothing without more keys, and none at all.
static void check_keys(const struct builder *builder, const struct section *section, bool sound)
{
    bool any = !sound; // then there may be one that could not be read
    for (size_t i = 0; i < section->entry_count; i++) {
        const struct entry *entry = &section->entries[i];
        uint16_t type;
        enum dns_state state;
        if (!split_key(entry->key, &type, &state)) {
            any = any || !key_find(answer_keys, entry->key);
            continue;
        }
        any = true;
        if (state != DNS_STATE_NORMAL && !section_find(section, "service")) {
            mistake_error(builder->mistakes, entry->line,
                          "`%s` follows a service, but [answer %s] has no `service`", entry->key,
                          section->name);
            break;
        }
    }
    if (!any) {
        mistake_error(builder->mistakes, section->line, "[answer %s] has no record", section->name);
    }
}

static bool has_record(const struct dns_answer_conf *answer, enum dns_state state, uint16_t type)
{
    for (size_t i = 0; i < answer->record_count; i++) {
        if (answer->records[i].state == state && answer->records[i].type == type) {
            return true;
        }
    }
    return false;
}

// Addresses of a state stand for those of both families: clients of one may be forgotten.
static void check_families(const struct builder *builder, const struct section *section,
                           const struct dns_answer_conf *answer)
{
    if (answer->service == SIZE_MAX || !has_record(answer, DNS_STATE_NORMAL, DNS_A) ||
        !has_record(answer, DNS_STATE_NORMAL, DNS_AAAA)) {
        return;
    }
    for (unsigned state = DNS_STATE_NORMAL + 1; state < DNS_STATES; state++) {
        bool a = has_record(answer, state, DNS_A);
        bool aaaa = has_record(answer, state, DNS_AAAA);
        if (a != aaaa) {
            mistake_warning(builder->mistakes, section->line,
                            "[answer %s] has `%s.%s` but no `%s.%s`: clients that want the other "
                            "get no address while %s is %s",
                            section->name, a ? "a" : "aaaa", dns_state_name(state),
                            a ? "aaaa" : "a", dns_state_name(state),
                            builder->config->services[answer->service].name, dns_state_name(state));
        }
    }
}

bool config_read_answer(const struct builder *builder, const struct section *section,
                        struct dns_answer_conf *answer)
{
    size_t errors_before = builder->mistakes->errors;
    const struct entry *service = section_find(section, "service");
    const char *mistake = domain_mistake(section->name, true);
    mistake = mistake ? mistake : dns_name_parse(section->name, &answer->name);
    if (mistake) {
        mistake_error(builder->mistakes, section->line, "[answer %s]: %s", section->name, mistake);
    }
    answer->service = SIZE_MAX;
    if (service && service->value[0]) {
        answer->service = config_find(builder, section, service, true, service->value);
    }
    add_records(builder, section, answer);
    check_keys(builder, section, builder->mistakes->errors == errors_before);
    if (builder->mistakes->errors == errors_before) {
        check_families(builder, section, answer);
    }
    return !mistake;
}

// --- [responder] ---------------------------------------------------------------------------------

// label.zone; value_zone() has seen to it that there is room.
static void put_below(const char *label, const struct dns_name *zone, struct dns_name *out)
{
    size_t length = strlen(label);
    assert(zone->length + length + 1 <= DNS_NAME_MAX);
    out->wire[0] = (uint8_t)length;
    memcpy(out->wire + 1, label, length);
    memcpy(out->wire + 1 + length, zone->wire, zone->length);
    out->length = zone->length + length + 1;
}

// The zone's name servers and its hostmaster, where they are not told. False when out of memory.
static bool set_default_names(struct config *config)
{
    if (config->responder.ns_count == 0) {
        config->responder.ns = malloc(sizeof *config->responder.ns);
        if (!config->responder.ns) {
            return false;
        }
        put_below("ns", &config->responder.zone, &config->responder.ns[0]);
        config->responder.ns_count = 1;
    }
    if (config->responder.hostmaster.length == 0) {
        put_below("hostmaster", &config->responder.zone, &config->responder.hostmaster);
    }
    return true;
}

static bool same_address(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
    if (a->ss_family != b->ss_family) {
        return false;
    }
    if (a->ss_family == AF_INET6) {
        return memcmp(&((const struct sockaddr_in6 *)a)->sin6_addr,
                      &((const struct sockaddr_in6 *)b)->sin6_addr, sizeof(struct in6_addr)) == 0;
    }
    return ((const struct sockaddr_in *)a)->sin_addr.s_addr ==
           ((const struct sockaddr_in *)b)->sin_addr.s_addr;
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

// Only wildcards and loopback were told: then nobody knows the address of a server within the zone.
static void check_servers(const struct builder *builder)
{
    const struct config *config = builder->config;
    for (size_t i = 0; config->zone.address_count == 0 && i < config->responder.ns_count; i++) {
        const struct dns_name *server = &config->responder.ns[i];
        char text[DNS_NAME_TEXT_MAX];
        bool answered = !dns_name_is_within(server, &config->responder.zone);
        for (size_t j = 0; j < config->answer_count; j++) {
            answered = answered || dns_name_equal(server, &config->answers[j].name);
        }
        if (!answered) {
            mistake_warning(builder->mistakes,
                            section_line(builder->responder,
                                         section_find(builder->responder, "ns") ? "ns" : "zone"),
                            "the zone's server %.200s has no address: `listen` has only "
                            "wildcards and loopback; write [answer %.200s] with the addresses",
                            dns_name_text(server, text), text);
        }
    }
}

static void check_zone_keys(const struct builder *builder)
{
    static const char *const of_zone[] = {"ns", "hostmaster", "ttl", "negative_ttl"};
    const struct section *responder = builder->responder;
    for (size_t i = 0; i < sizeof of_zone / sizeof *of_zone; i++) {
        const struct entry *entry = section_find(responder, of_zone[i]);
        if (entry && !section_find(responder, "zone")) {
            mistake_error(builder->mistakes, entry->line,
                          "`%s` is of the zone, but there is no "
                          "`zone`",
                          entry->key);
        }
    }
    for (size_t i = 0; i < builder->config->answer_count; i++) {
        if (!section_find(responder, "zone")) {
            mistake_error(builder->mistakes, builder->answer_sections[i]->line,
                          "[answer %s] lies in no zone: %s", builder->answer_sections[i]->name,
                          responder ? "[responder] has no `zone`" : "there is no [responder]");
        }
    }
}

static void check_cookies(const struct builder *builder)
{
    const struct entry *file = section_find(builder->responder, "cookie_secret_file");
    const struct entry *credential = section_find(builder->responder, "cookie_secret_credential");
    if (file && credential) {
        mistake_error(builder->mistakes, credential->line,
                      "one of `cookie_secret_file` (line %u) and `cookie_secret_credential` is "
                      "enough",
                      file->line);
    }
    const struct entry *secret = file ? file : credential;
    if (secret && !builder->config->responder.cookies) {
        mistake_error(builder->mistakes, secret->line,
                      "`%s` is of no use with `cookies = off`: remove one of them", secret->key);
    }
    if (credential && strchr(builder->config->responder.cookie_secret_credential, '/')) {
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

// Of an answer that is otherwise sound: names in the zone that it leads to and that are not there.
static void check_targets(const struct builder *builder, size_t number)
{
    const struct zone_conf *zone = &builder->config->zone;
    const struct dns_answer_conf *answer = &zone->answers[number];
    for (size_t i = 0; i < answer->record_count; i++) {
        const struct dns_record_conf *record = &answer->records[i];
        size_t at = dns_rdata_name(record->type);
        struct dns_name target = {.length = 0};
        char text[DNS_NAME_TEXT_MAX];
        char type[DNS_TYPE_TEXT_MAX];
        if (at >= record->length) {
            continue;
        }
        while (record->rdata[at + target.length] != 0) {
            target.length += 1u + record->rdata[at + target.length];
        }
        memcpy(target.wire, record->rdata + at, ++target.length);
        if (dns_name_is_within(&target, zone->apex) && !zone_has(zone, &target)) {
            mistake_warning(builder->mistakes, builder->answer_sections[number]->line,
                            "[answer %s]: %s leads to %.200s, which is within the zone but not "
                            "there: no [answer] has it",
                            builder->answer_sections[number]->name,
                            dns_type_text(record->type, type), dns_name_text(&target, text));
        }
    }
}

static bool is_cname(const struct dns_answer_conf *answer, enum dns_state state)
{
    enum dns_state from = zone_provider(answer, state, DNS_CNAME);
    return from != DNS_STATES && has_record(answer, from, DNS_CNAME);
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
    for (size_t i = 0; i < answer->record_count; i++) {
        const struct dns_record_conf *record = &answer->records[i];
        char type[DNS_TYPE_TEXT_MAX];
        if (!zone_leads_to_address(record->type) &&
            !is_ever_said(answer, record->state, record->type)) {
            mistake_warning(
                builder->mistakes, builder->answer_sections[number]->line,
                "[answer %s]: %s%s%s is never said: that state falls back on a CNAME, "
                "which is alone; give it addresses of its own",
                builder->answer_sections[number]->name, dns_type_text(record->type, type),
                record->state == DNS_STATE_NORMAL ? "" : ".", dns_state_name(record->state));
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
    if (zone_check(&config->zone, SIZE_MAX, error)) {
        mistake_error(builder->mistakes, section_line(builder->responder, "zone"),
                      "[responder]: %s", error);
    }
    for (size_t i = 0; i < config->answer_count; i++) {
        if (follows_nothing(&config->answers[i])) {
            continue;
        }
        if (zone_check(&config->zone, i, error)) {
            mistake_error(builder->mistakes, builder->answer_sections[i]->line, "[answer %s]: %s",
                          builder->answer_sections[i]->name, error);
        } else {
            check_targets(builder, i);
            check_silent(builder, i);
        }
    }
}

static bool make_zone(struct config *config)
{
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
    if (!addresses || !services) {
        return false;
    }
    config->zone.address_count = list_addresses(config, addresses);
    for (size_t i = 0; i < config->service_count; i++) {
        services[config->zone.service_count++] = config->services[i].name;
    }
    return true;
}

void config_make_zone(const struct builder *builder)
{
    struct config *config = builder->config;
    bool has_zone = config->responder.zone.length > 0;
    check_zone_keys(builder);
    check_cookies(builder);
    if ((has_zone && !set_default_names(config)) || !make_zone(config)) {
        mistake_error(builder->mistakes, 0, "out of memory");
    } else if (has_zone) {
        check_zone(builder);
        check_servers(builder);
    }
}
