// Compiles the configuration into what dns/responder/zone.h describes: the records of each name for
// each state, ready to be sent; then the names.
#include "base/bytes.h"
#include "dns/responder/zone_inside.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define RECORD_HEAD 10 // type, class, TTL, rdata's length

#define IDENTITY_TTL_S 0 // what asks who answered wants to know it now

// A secondary's timers: there is none, since transfers are refused; the usual values.
#define SOA_REFRESH_S 3600
#define SOA_RETRY_S   900
#define SOA_EXPIRE_S  604800

// ---- Records

static bool set_target(struct zone *zone, struct zone_record *record, const struct dns_name *name,
                       size_t prefix)
{
    struct zone_target *target = zone_take(zone, sizeof *target);
    if (target != NULL) {
        *target = (struct zone_target){.name = *name, .prefix = prefix};
        record->target = target;
    }
    return target != NULL;
}

// To whose names others go on, or ask for their addresses (RFC 1035 section 3.3).
static bool leads_on(uint16_t type)
{
    return type != DNS_SOA && type != DNS_PTR;
}

static bool compile(struct zone *zone, uint16_t class, uint32_t ttl_s,
                    const struct dns_record_conf *conf, struct zone_record *out)
{
    uint8_t *wire = zone_take(zone, RECORD_HEAD + (size_t)conf->length);
    if (wire == NULL) {
        return false;
    }
    struct dns_names names = dns_names_of(conf->type);
    size_t from = names.at;
    size_t length = RECORD_HEAD + from;
    size_t pointers = 0;
    memcpy(wire + RECORD_HEAD, conf->rdata, from);
    for (size_t i = 0; i < names.count; i++) {
        struct dns_name name = dns_name_at(conf->rdata + from);
        size_t prefix = zone_prefix(zone, &name);
        bool inside = prefix != SIZE_MAX;
        // The root is shorter than a pointer.
        bool shorter = inside && names.compressed && zone->apex->length > 1;
        size_t kept = shorter ? prefix : name.length;
        memcpy(wire + length, name.wire, kept);
        from += name.length;
        length += kept;
        if (kept < name.length) {
            out->apex_at[pointers++] = (uint16_t)length;
            length += 2;
        }
        if (inside && leads_on(conf->type) && !set_target(zone, out, &name, prefix)) {
            return false;
        }
    }
    memcpy(wire + length, conf->rdata + from, conf->length - from);
    length += conf->length - from;
    put_u16(wire, conf->type);
    put_u16(wire + 2, class);
    put_u32(wire + 4, ttl_s);
    put_u16(wire + 8, (uint16_t)(length - RECORD_HEAD));
    out->wire = wire;
    out->length = (uint16_t)length;
    return true;
}

// What a name has of its own, before states without any fall back on others.
struct own {
    size_t count, room;
    struct own_set {
        enum dns_state state;
        struct zone_rrset set;
    } * sets;
};

static struct own_set *own_set(struct own *own, enum dns_state state, uint16_t type)
{
    for (size_t i = 0; i < own->count; i++) {
        if (own->sets[i].state == state && own->sets[i].set.type == type) {
            return &own->sets[i];
        }
    }
    if (own->count == own->room) {
        size_t room = own->room ? 2 * own->room : 8;
        struct own_set *sets = realloc(own->sets, room * sizeof *sets);
        if (sets == NULL) {
            return NULL;
        }
        own->sets = sets;
        own->room = room;
    }
    own->sets[own->count] = (struct own_set){.state = state, .set = {.type = type}};
    return &own->sets[own->count++];
}

// All records of conf that are of the same state and type as its first. NULL: out of memory.
static struct zone_record *compile_alike(struct zone *zone, uint16_t class, uint32_t ttl_s,
                                         const struct dns_record_conf *conf, size_t count,
                                         uint16_t *alike)
{
    size_t found = 0;
    for (size_t i = 0; i < count; i++) {
        found += conf[i].state == conf->state && conf[i].type == conf->type;
    }
    struct zone_record *records = zone_take(zone, found * sizeof *records);
    found = 0;
    for (size_t i = 0; records != NULL && i < count; i++) {
        if (conf[i].state == conf->state && conf[i].type == conf->type &&
            !compile(zone, class, ttl_s, &conf[i], &records[found++])) {
            return NULL;
        }
    }
    *alike = (uint16_t)found;
    return records;
}

static bool own_records(struct zone *zone, struct own *own, uint16_t class, uint32_t ttl_s,
                        const struct dns_record_conf *conf, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct own_set *owned = own_set(own, conf[i].state, conf[i].type);
        if (owned == NULL) {
            return false;
        }
        if (owned->set.records == NULL) {
            owned->set.records =
                compile_alike(zone, class, ttl_s, &conf[i], count - i, &owned->set.count);
        }
        if (owned->set.records == NULL) {
            return false;
        }
    }
    return true;
}

static bool provides(const struct own_set *owned, uint16_t type)
{
    return zone_leads_to_address(type) ? zone_leads_to_address(owned->set.type)
                                       : owned->set.type == type;
}

// The state whose records of this type (or of those that go with it) hold in state; DNS_STATES:
// none has any.
static enum dns_state provider(const struct own *own, enum dns_state state, uint16_t type)
{
    for (const enum dns_state *from = dns_state_fallback[state]; *from != DNS_STATES; from++) {
        for (size_t i = 0; i < own->count; i++) {
            if (own->sets[i].state == *from && provides(&own->sets[i], type)) {
                return *from;
            }
        }
    }
    return DNS_STATES;
}

static bool resolve(struct zone *zone, const struct own *own, enum dns_state state,
                    struct zone_rrsets *out)
{
    struct zone_rrset *sets = zone_take(zone, own->count * sizeof *sets);
    size_t count = 0;
    bool alone = false;
    for (size_t i = 0; sets != NULL && i < own->count && !alone; i++) {
        const struct own_set *owned = &own->sets[i];
        if (owned->state == provider(own, state, owned->set.type)) {
            alone = owned->set.type == DNS_CNAME;
            count = alone ? 0 : count;
            sets[count++] = owned->set;
        }
    }
    *out = (struct zone_rrsets){.count = count, .sets = sets};
    return sets != NULL;
}

static bool set_node(struct zone *zone, struct zone_node *node, const struct own *own)
{
    for (enum dns_state state = 0; state < DNS_STATES; state++) {
        if (!resolve(zone, own, state, &node->states[state])) {
            return false;
        }
    }
    return true;
}

// ---- The names

// conf's answer for name; NULL: it has none.
static const struct dns_answer_conf *answer_of(const struct zone_conf *conf,
                                               const struct dns_name *name)
{
    for (size_t i = 0; i < conf->answer_count; i++) {
        if (dns_name_equal(&conf->answers[i].name, name)) {
            return &conf->answers[i];
        }
    }
    return NULL;
}

static bool add_txt(struct zone *zone, struct zone_node *node, uint16_t class, const char *text)
{
    uint8_t rdata[1 + UINT8_MAX];
    size_t length = 0;
    struct own own = {0};
    for (; text[length]; length++) {
        assert(length < UINT8_MAX);
        rdata[1 + length] = (uint8_t)text[length];
    }
    rdata[0] = (uint8_t)length;
    struct dns_record_conf record = {
        .type = DNS_TXT, .length = (uint16_t)(1 + length), .rdata = rdata};
    bool ok = node != NULL && own_records(zone, &own, class, IDENTITY_TTL_S, &record, 1) &&
              set_node(zone, node, &own);
    if (ok) {
        node->kind = ZONE_IDENTITY;
    }
    free(own.sets);
    return ok;
}

static bool add_chaos(struct zone *zone, const char *text, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct dns_name name;
        const char *problem = dns_name_parse(names[i], &name);
        assert(!problem);
        (void)problem;
        if (!add_txt(zone, zone_add(zone, &zone->chaos, &name), DNS_CLASS_CH, text)) {
            return false;
        }
    }
    return true;
}

static bool add_made(struct zone *zone, const char *label, enum zone_kind kind, size_t service)
{
    struct zone_node *node = zone_add_label(zone, label);
    if (node != NULL) {
        node->kind = kind;
        node->service = service;
    }
    return node != NULL;
}

static bool add_own_names(struct zone *zone, const struct zone_conf *conf)
{
    bool ok = add_txt(zone, zone_add_label(zone, "id"), DNS_CLASS_IN, conf->id) &&
              (!conf->region[0] ||
               add_txt(zone, zone_add_label(zone, "region"), DNS_CLASS_IN, conf->region)) &&
              add_made(zone, "whoami", ZONE_WHOAMI, SIZE_MAX) &&
              add_made(zone, "health", ZONE_HEALTH, SIZE_MAX);
    for (size_t i = 0; ok && i < conf->service_count; i++) {
        ok = add_made(zone, conf->services[i], ZONE_SERVICE, i);
    }
    return ok;
}

static uint16_t soa_rdata(const struct zone_conf *conf, uint8_t out[2 * DNS_NAME_MAX + 20])
{
    const struct dns_name *primary = &conf->servers[0];
    uint32_t numbers[] = {conf->serial, SOA_REFRESH_S, SOA_RETRY_S, SOA_EXPIRE_S,
                          conf->negative_ttl_s};
    memcpy(out, primary->wire, primary->length);
    memcpy(out + primary->length, conf->hostmaster.wire, conf->hostmaster.length);
    size_t length = primary->length + conf->hostmaster.length;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++, length += 4) {
        put_u32(out + length, numbers[i]);
    }
    return (uint16_t)length;
}

static bool own_soa(struct zone *zone, struct own *own, const struct zone_conf *conf)
{
    uint8_t rdata[2 * DNS_NAME_MAX + 20];
    uint32_t negative = conf->ttl_s < conf->negative_ttl_s ? conf->ttl_s : conf->negative_ttl_s;
    struct dns_record_conf soa = {
        .type = DNS_SOA, .length = soa_rdata(conf, rdata), .rdata = rdata};
    zone->negative.type = DNS_SOA;
    zone->negative.records =
        compile_alike(zone, DNS_CLASS_IN, negative, &soa, 1, &zone->negative.count);
    return zone->negative.records != NULL &&
           own_records(zone, own, DNS_CLASS_IN, conf->ttl_s, &soa, 1);
}

static bool own_servers(struct zone *zone, struct own *own, const struct zone_conf *conf)
{
    struct dns_record_conf *records = calloc(conf->server_count, sizeof *records);
    if (records == NULL) {
        return false;
    }
    for (size_t i = 0; i < conf->server_count; i++) {
        records[i] = (struct dns_record_conf){.type = DNS_NS,
                                              .length = (uint16_t)conf->servers[i].length,
                                              .rdata = conf->servers[i].wire};
    }
    bool ok = own_records(zone, own, DNS_CLASS_IN, conf->ttl_s, records, conf->server_count);
    free(records);
    return ok;
}

static bool own_addresses(struct zone *zone, struct own *own, const struct zone_conf *conf)
{
    struct dns_record_conf *records = calloc(conf->address_count + 1, sizeof *records);
    if (records == NULL) {
        return false;
    }
    for (size_t i = 0; i < conf->address_count; i++) {
        const struct sockaddr_storage *address = &conf->addresses[i];
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;
        records[i] = address->ss_family == AF_INET
                         ? (struct dns_record_conf){.type = DNS_A,
                                                    .length = 4,
                                                    .rdata = (const uint8_t *)&v4->sin_addr}
                         : (struct dns_record_conf){
                               .type = DNS_AAAA, .length = 16, .rdata = v6->sin6_addr.s6_addr};
    }
    bool ok = own_records(zone, own, DNS_CLASS_IN, conf->ttl_s, records, conf->address_count);
    free(records);
    return ok;
}

static bool own_answer(struct zone *zone, struct own *own, const struct dns_answer_conf *answer)
{
    return own_records(zone, own, DNS_CLASS_IN, answer->ttl_s, answer->records,
                       answer->record_count);
}

static bool add_apex(struct zone *zone, const struct zone_conf *conf)
{
    const struct dns_answer_conf *answer = answer_of(conf, conf->apex);
    struct own own = {0};
    bool ok =
        own_soa(zone, &own, conf) && own_servers(zone, &own, conf) &&
        (answer == NULL || own_answer(zone, &own, answer)) &&
        (answer != NULL || !zone_is_server(conf, conf->apex) || own_addresses(zone, &own, conf)) &&
        set_node(zone, zone->apex, &own);
    zone->apex->kind = ZONE_APEX;
    zone->apex->service = answer != NULL ? answer->service : SIZE_MAX;
    free(own.sets);
    return ok;
}

// If it has an answer of its own, that takes the place of these addresses: answers are added later.
static bool add_server(struct zone *zone, const struct zone_conf *conf, const struct dns_name *name)
{
    size_t prefix = zone_prefix(zone, name);
    if (prefix == SIZE_MAX || prefix == 0 || conf->address_count == 0) {
        return true;
    }
    struct own own = {0};
    struct zone_node *node = zone_add_name(zone, name);
    bool ok = node != NULL && own_addresses(zone, &own, conf) && set_node(zone, node, &own);
    if (ok) {
        node->kind = ZONE_APEX;
    }
    free(own.sets);
    return ok;
}

static bool add_answer(struct zone *zone, const struct dns_answer_conf *answer)
{
    struct own own = {0};
    struct zone_node *node = zone_add_name(zone, &answer->name);
    if (node == zone->apex) {
        return true; // add_apex() has it
    }
    bool ok = node != NULL && own_answer(zone, &own, answer) && set_node(zone, node, &own);
    if (ok) {
        node->kind = ZONE_ANSWER;
        node->service = answer->service;
    }
    free(own.sets);
    return ok;
}

static bool add_zone(struct zone *zone, const struct zone_conf *conf)
{
    assert(conf->server_count > 0);
    zone->apex_name = *conf->apex;
    zone->apex = zone_add(zone, &zone->names, conf->apex);
    bool ok = zone->apex != NULL && add_own_names(zone, conf) && add_apex(zone, conf);
    for (size_t i = 0; ok && i < conf->server_count; i++) {
        ok = add_server(zone, conf, &conf->servers[i]);
    }
    for (size_t i = 0; ok && i < conf->answer_count; i++) {
        ok = add_answer(zone, &conf->answers[i]);
    }
    return ok;
}

struct zone *zone_new(const struct zone_conf *conf)
{
    static const char *const identity[] = {"id.server", "hostname.bind"};
    static const char *const version[] = {"version.server", "version.bind"};
    struct zone *zone = calloc(1, sizeof *zone);
    if (zone == NULL) {
        return NULL;
    }
    atomic_init(&zone->shares, 1);
    size_t id_size = strlen(conf->id) + 1;
    char *id = zone_take(zone, id_size);
    if (id == NULL) {
        goto err;
    }
    zone->id = memcpy(id, conf->id, id_size);
    if (!add_chaos(zone, conf->id, identity, 2) ||
        (conf->version != NULL && !add_chaos(zone, conf->version, version, 2)) ||
        (conf->apex != NULL && !add_zone(zone, conf))) {
        goto err;
    }
    return zone;
err:
    zone_free(zone);
    return NULL;
}
