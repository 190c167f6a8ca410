// Compiles the configuration into what dns/responder/zone.h describes: nodes in a hash table by
// name, each with its records for each state, ready to be sent. Everything lies in a few large
// chunks, which go as one.
#include "dns/responder/zone.h"

#include "base/bytes.h"

#include "dns/rdata.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_SIZE  ((size_t)64 * 1024)
#define LABELS_MAX  127
#define RECORD_HEAD 10 // type, class, TTL, rdata's length

#define IDENTITY_TTL_S 0 // what asks who answered wants to know it now

// A secondary's timers: there is none, since transfers are refused; the usual values.
#define SOA_REFRESH_S 3600
#define SOA_RETRY_S   900
#define SOA_EXPIRE_S  604800

struct chunk {
    struct chunk *next;
    size_t used, size;
    alignas(max_align_t) uint8_t bytes[];
};

// Open addressing with linear probing; a power of two in size, and never more than half full.
struct table {
    size_t size, count;
    struct slot {
        uint64_t hash;
        struct zone_node *node; // NULL: free
    } * slots;
};

struct zone {
    atomic_size_t shares;
    struct chunk *chunks;
    struct table names; // class IN
    struct table chaos; // class CH
    struct zone_node *apex;
    struct dns_name apex_name;
    size_t depth; // labels below the apex of the deepest name
    struct zone_rrset negative;
    const char *id;
};

const char *const zone_own_labels[] = {"id", "region", "whoami", "health", NULL};

static const char *const state_names[] = {
    [DNS_STATE_NORMAL] = "",
    [DNS_STATE_DEGRADED] = "degraded",
    [DNS_STATE_DRAINED] = "drained",
    [DNS_STATE_WITHDRAWN] = "withdrawn",
};

const char *dns_state_name(enum dns_state state)
{
    assert(state < DNS_STATES);
    return state_names[state];
}

const enum dns_state dns_state_fallback[DNS_STATES][DNS_STATES] = {
    [DNS_STATE_NORMAL] = {DNS_STATE_NORMAL, DNS_STATES},
    [DNS_STATE_DEGRADED] = {DNS_STATE_DEGRADED, DNS_STATE_NORMAL, DNS_STATES},
    [DNS_STATE_DRAINED] = {DNS_STATE_DRAINED, DNS_STATE_WITHDRAWN, DNS_STATE_NORMAL, DNS_STATES},
    [DNS_STATE_WITHDRAWN] = {DNS_STATE_WITHDRAWN, DNS_STATE_DRAINED, DNS_STATE_NORMAL, DNS_STATES},
};

// ---- Memory

static void *take(struct zone *zone, size_t size)
{
    const size_t align = alignof(max_align_t);
    size = (size + align - 1) / align * align;
    struct chunk *chunk = zone->chunks;
    if (!chunk || size > chunk->size - chunk->used) {
        size_t room = size > CHUNK_SIZE ? size : CHUNK_SIZE;
        chunk = malloc(sizeof *chunk + room);
        if (!chunk) {
            return NULL;
        }
        *chunk = (struct chunk){.next = zone->chunks, .size = room};
        zone->chunks = chunk;
    }
    void *out = chunk->bytes + chunk->used;
    chunk->used += size;
    return memset(out, 0, size);
}

// ---- Names

// A name in lower case, with zeros after it so that it can be read by eight octets at a time.
struct folded {
    size_t length;
    uint8_t wire[DNS_NAME_MAX + 9];
};

// Each octet of word in lower case. Lengths of labels, at most 63, are below any letter.
static uint64_t fold_word(uint64_t word)
{
    const uint64_t ones = 0x0101010101010101;
    uint64_t low = word & 0x7f * ones; // what is added below can't carry into the next octet
    uint64_t from_a = low + (0x80 - 'A') * ones;
    uint64_t beyond_z = low + (0x7f - 'Z') * ones;
    uint64_t upper = from_a & ~beyond_z & ~word & 0x80 * ones;
    return word | upper >> 2;
}

static void fold(const uint8_t *wire, size_t length, struct folded *out)
{
    size_t at = 0;
    uint64_t word;
    out->length = length;
    for (; at + sizeof word <= length; at += sizeof word) {
        memcpy(&word, wire + at, sizeof word);
        word = fold_word(word);
        memcpy(out->wire + at, &word, sizeof word);
    }
    word = 0;
    memcpy(&word, wire + at, length - at);
    word = fold_word(word);
    memcpy(out->wire + at, &word, sizeof word);
    memset(out->wire + length, 0, sizeof word);
}

// Of a part of a folded name. It needs no secret: all names in the table are the operator's.
static uint64_t hash_of(const uint8_t *wire, size_t length)
{
    uint64_t hash = length;
    for (size_t at = 0; at < length; at += sizeof hash) {
        uint64_t word;
        memcpy(&word, wire + at, sizeof word);
        hash = (hash ^ word) * 0x9e3779b97f4a7c15;
        hash ^= hash >> 32;
    }
    return hash;
}

static struct slot *find_slot(const struct table *table, uint64_t hash, const uint8_t *wire,
                              size_t length)
{
    for (size_t i = hash;; i++) {
        struct slot *slot = &table->slots[i & (table->size - 1)];
        if (!slot->node || (slot->hash == hash && slot->node->length == length &&
                            memcmp(slot->node->name, wire, length) == 0)) {
            return slot;
        }
    }
}

static struct zone_node *find(const struct table *table, const uint8_t *wire, size_t length)
{
    return table->size ? find_slot(table, hash_of(wire, length), wire, length)->node : NULL;
}

static bool grow(struct table *table)
{
    struct table larger = {.size = table->size ? 2 * table->size : 16, .count = table->count};
    larger.slots = calloc(larger.size, sizeof *larger.slots);
    if (!larger.slots) {
        return false;
    }
    for (size_t i = 0; i < table->size; i++) {
        const struct slot *slot = &table->slots[i];
        if (slot->node) {
            *find_slot(&larger, slot->hash, slot->node->name, slot->node->length) = *slot;
        }
    }
    free(table->slots);
    *table = larger;
    return true;
}

// Finds or makes the node. NULL: out of memory.
static struct zone_node *add(struct zone *zone, struct table *table, const uint8_t *wire,
                             size_t length)
{
    if (2 * (table->count + 1) > table->size && !grow(table)) {
        return NULL;
    }
    uint64_t hash = hash_of(wire, length);
    struct slot *slot = find_slot(table, hash, wire, length);
    if (slot->node) {
        return slot->node;
    }
    struct zone_node *node = take(zone, sizeof *node);
    uint8_t *name = take(zone, length);
    if (!node || !name) {
        return NULL;
    }
    *node = (struct zone_node){
        .kind = ZONE_EMPTY, .service = SIZE_MAX, .length = (uint8_t)length, .name = name};
    memcpy(name, wire, length);
    *slot = (struct slot){.hash = hash, .node = node};
    table->count++;
    return node;
}

// Where the labels of a folded name that are below the apex begin; returns how many, or SIZE_MAX:
// it is not in the zone.
static size_t labels_below(const struct zone *zone, const struct folded *name,
                           uint8_t out[LABELS_MAX])
{
    size_t count = 0;
    size_t at = 0;
    size_t apex = zone->apex->length;
    while (name->length - at > apex) {
        out[count++] = (uint8_t)at;
        at += 1u + name->wire[at];
    }
    return name->length - at == apex && memcmp(name->wire + at, zone->apex->name, apex) == 0
               ? count
               : SIZE_MAX;
}

// The node of a name in the zone, with all that lie between it and the apex.
static struct zone_node *add_name(struct zone *zone, const struct dns_name *name)
{
    struct folded folded;
    uint8_t labels[LABELS_MAX];
    fold(name->wire, name->length, &folded);
    size_t count = labels_below(zone, &folded, labels);
    assert(count != SIZE_MAX);
    zone->depth = count > zone->depth ? count : zone->depth;
    struct zone_node *node = zone->apex;
    for (size_t i = count; i-- > 0;) {
        const uint8_t *wire = folded.wire + labels[i];
        struct zone_node *child = add(zone, &zone->names, wire, folded.length - labels[i]);
        if (!child) {
            return NULL;
        }
        if (wire[0] == 1 && wire[1] == '*') {
            node->wildcard = child;
        }
        node = child;
    }
    return node;
}

static struct zone_node *add_label(struct zone *zone, const char *label)
{
    struct dns_name name;
    size_t length = strlen(label);
    assert(length <= DNS_LABEL_MAX && 1 + length + zone->apex_name.length <= DNS_NAME_MAX);
    name.wire[0] = (uint8_t)length;
    memcpy(name.wire + 1, label, length);
    memcpy(name.wire + 1 + length, zone->apex_name.wire, zone->apex_name.length);
    name.length = 1 + length + zone->apex_name.length;
    return add_name(zone, &name);
}

// The answer of a name that is not in the table, by its closest encloser (RFC 4592 section 3.3.1).
// What lies deeper than any name needs no look-up, however many labels somebody sends.
static struct zone_place find_enclosed(const struct zone *zone, const struct folded *name)
{
    uint8_t labels[LABELS_MAX];
    size_t count = labels_below(zone, name, labels);
    if (count == SIZE_MAX) {
        return (struct zone_place){0};
    }
    const struct zone_node *encloser = NULL;
    for (size_t i = count > zone->depth ? count - zone->depth : 1; i < count && !encloser; i++) {
        encloser = find(&zone->names, name->wire + labels[i], name->length - labels[i]);
    }
    encloser = encloser ? encloser : zone->apex;
    return (struct zone_place){
        .node = encloser->wildcard, .inside = true, .prefix = name->length - zone->apex->length};
}

struct zone_place zone_find(const struct zone *zone, const struct dns_name *name, uint16_t class)
{
    struct folded folded;
    fold(name->wire, name->length, &folded);
    if (class == DNS_CLASS_CH) {
        const struct zone_node *node = find(&zone->chaos, folded.wire, folded.length);
        return (struct zone_place){.node = node, .inside = node != NULL};
    }
    if (class != DNS_CLASS_IN || !zone->apex) {
        return (struct zone_place){0};
    }
    const struct zone_node *node = find(&zone->names, folded.wire, folded.length);
    if (!node) {
        return find_enclosed(zone, &folded);
    }
    return (struct zone_place){
        .node = node, .inside = true, .prefix = folded.length - zone->apex->length};
}

// ---- Records

// The uncompressed name that wire begins with.
static struct dns_name name_at(const uint8_t *wire)
{
    struct dns_name name = {.length = 1};
    for (; wire[name.length - 1] != 0; name.length += 1u + wire[name.length - 1]) {
    }
    memcpy(name.wire, wire, name.length);
    return name;
}

// Octets of name before the apex; SIZE_MAX: it is not in the zone.
static size_t prefix_of(const struct zone *zone, const struct dns_name *name)
{
    struct folded folded;
    uint8_t labels[LABELS_MAX];
    if (!zone->apex) {
        return SIZE_MAX;
    }
    fold(name->wire, name->length, &folded);
    return labels_below(zone, &folded, labels) == SIZE_MAX ? SIZE_MAX
                                                           : name->length - zone->apex->length;
}

// RFC 3597 section 4: compression is for the types of RFC 1035 alone.
static bool is_compressed(uint16_t type)
{
    return type == DNS_NS || type == DNS_CNAME || type == DNS_SOA || type == DNS_MX;
}

static bool set_target(struct zone *zone, struct zone_record *record, const struct dns_name *name,
                       size_t prefix)
{
    struct zone_target *target = take(zone, sizeof *target);
    if (target) {
        *target = (struct zone_target){.name = *name, .prefix = prefix};
        record->target = target;
    }
    return target != NULL;
}

static bool compile(struct zone *zone, uint16_t class, uint32_t ttl_s,
                    const struct dns_record_conf *conf, struct zone_record *out)
{
    uint8_t *wire = take(zone, RECORD_HEAD + (size_t)conf->length);
    if (!wire) {
        return false;
    }
    size_t names = conf->type == DNS_SOA ? 2 : dns_rdata_name(conf->type) != SIZE_MAX ? 1 : 0;
    size_t from = conf->type == DNS_SOA || names == 0 ? 0 : dns_rdata_name(conf->type);
    size_t length = RECORD_HEAD + from;
    size_t pointers = 0;
    memcpy(wire + RECORD_HEAD, conf->rdata, from);
    for (size_t i = 0; i < names; i++) {
        struct dns_name name = name_at(conf->rdata + from);
        size_t prefix = prefix_of(zone, &name);
        bool inside = prefix != SIZE_MAX;
        // The root is shorter than a pointer.
        bool shorter = inside && is_compressed(conf->type) && zone->apex->length > 1;
        size_t kept = shorter ? prefix : name.length;
        memcpy(wire + length, name.wire, kept);
        from += name.length;
        length += kept;
        if (kept < name.length) {
            out->apex_at[pointers++] = (uint16_t)length;
            length += 2;
        }
        if (inside && conf->type != DNS_SOA && !set_target(zone, out, &name, prefix)) {
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
        if (!sets) {
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
    struct zone_record *records = take(zone, found * sizeof *records);
    found = 0;
    for (size_t i = 0; records && i < count; i++) {
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
        if (!owned) {
            return false;
        }
        if (!owned->set.records) {
            owned->set.records =
                compile_alike(zone, class, ttl_s, &conf[i], count - i, &owned->set.count);
        }
        if (!owned->set.records) {
            return false;
        }
    }
    return true;
}

bool zone_leads_to_address(uint16_t type)
{
    return type == DNS_A || type == DNS_AAAA || type == DNS_CNAME || type == DNS_SVCB ||
           type == DNS_HTTPS;
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
    struct zone_rrset *sets = take(zone, own->count * sizeof *sets);
    size_t count = 0;
    bool alone = false;
    for (size_t i = 0; sets && i < own->count && !alone; i++) {
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
    const struct dns_record_conf record = {
        .type = DNS_TXT, .length = (uint16_t)(1 + length), .rdata = rdata};
    bool ok = node && own_records(zone, &own, class, IDENTITY_TTL_S, &record, 1) &&
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
        struct folded folded;
        const char *problem = dns_name_parse(names[i], &name);
        assert(!problem);
        (void)problem;
        fold(name.wire, name.length, &folded);
        struct zone_node *node = add(zone, &zone->chaos, folded.wire, folded.length);
        if (!add_txt(zone, node, DNS_CLASS_CH, text)) {
            return false;
        }
    }
    return true;
}

static bool add_made(struct zone *zone, const char *label, enum zone_kind kind, size_t service)
{
    struct zone_node *node = add_label(zone, label);
    if (node) {
        node->kind = kind;
        node->service = service;
    }
    return node != NULL;
}

static bool add_own_names(struct zone *zone, const struct zone_conf *conf)
{
    bool ok = add_txt(zone, add_label(zone, "id"), DNS_CLASS_IN, conf->id) &&
              (!conf->region[0] ||
               add_txt(zone, add_label(zone, "region"), DNS_CLASS_IN, conf->region)) &&
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
    const uint32_t numbers[] = {conf->serial, SOA_REFRESH_S, SOA_RETRY_S, SOA_EXPIRE_S,
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
    const struct dns_record_conf soa = {
        .type = DNS_SOA, .length = soa_rdata(conf, rdata), .rdata = rdata};
    zone->negative.type = DNS_SOA;
    zone->negative.records =
        compile_alike(zone, DNS_CLASS_IN, negative, &soa, 1, &zone->negative.count);
    return zone->negative.records && own_records(zone, own, DNS_CLASS_IN, conf->ttl_s, &soa, 1);
}

static bool own_servers(struct zone *zone, struct own *own, const struct zone_conf *conf)
{
    struct dns_record_conf *records = calloc(conf->server_count, sizeof *records);
    if (!records) {
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
    if (!records) {
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

static bool is_server(const struct zone_conf *conf, const struct dns_name *name)
{
    for (size_t i = 0; i < conf->server_count; i++) {
        if (dns_name_equal(&conf->servers[i], name)) {
            return true;
        }
    }
    return false;
}

static bool add_apex(struct zone *zone, const struct zone_conf *conf)
{
    const struct dns_answer_conf *answer = answer_of(conf, conf->apex);
    struct own own = {0};
    bool ok = own_soa(zone, &own, conf) && own_servers(zone, &own, conf) &&
              (!answer || own_answer(zone, &own, answer)) &&
              (answer || !is_server(conf, conf->apex) || own_addresses(zone, &own, conf)) &&
              set_node(zone, zone->apex, &own);
    zone->apex->kind = ZONE_APEX;
    zone->apex->service = answer ? answer->service : SIZE_MAX;
    free(own.sets);
    return ok;
}

// If it has an answer of its own, that takes the place of these addresses: answers are added later.
static bool add_server(struct zone *zone, const struct zone_conf *conf, const struct dns_name *name)
{
    size_t prefix = prefix_of(zone, name);
    if (prefix == SIZE_MAX || prefix == 0 || conf->address_count == 0) {
        return true;
    }
    struct own own = {0};
    struct zone_node *node = add_name(zone, name);
    bool ok = node && own_addresses(zone, &own, conf) && set_node(zone, node, &own);
    if (ok) {
        node->kind = ZONE_APEX;
    }
    free(own.sets);
    return ok;
}

static bool add_answer(struct zone *zone, const struct dns_answer_conf *answer)
{
    struct own own = {0};
    struct zone_node *node = add_name(zone, &answer->name);
    if (node == zone->apex) {
        return true; // add_apex() has it
    }
    bool ok = node && own_answer(zone, &own, answer) && set_node(zone, node, &own);
    if (ok) {
        node->kind = ZONE_ANSWER;
        node->service = answer->service;
    }
    free(own.sets);
    return ok;
}

static bool add_zone(struct zone *zone, const struct zone_conf *conf)
{
    struct folded folded;
    assert(conf->server_count > 0);
    fold(conf->apex->wire, conf->apex->length, &folded);
    zone->apex_name = *conf->apex;
    zone->apex = add(zone, &zone->names, folded.wire, folded.length);
    bool ok = zone->apex && add_own_names(zone, conf) && add_apex(zone, conf);
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
    if (!zone) {
        return NULL;
    }
    atomic_init(&zone->shares, 1);
    size_t id_size = strlen(conf->id) + 1;
    char *id = take(zone, id_size);
    if (!id) {
        goto err;
    }
    zone->id = memcpy(id, conf->id, id_size);
    if (!add_chaos(zone, conf->id, identity, 2) ||
        (conf->version && !add_chaos(zone, conf->version, version, 2)) ||
        (conf->apex && !add_zone(zone, conf))) {
        goto err;
    }
    return zone;
err:
    zone_free(zone);
    return NULL;
}

struct zone *zone_share(struct zone *zone)
{
    atomic_fetch_add(&zone->shares, 1);
    return zone;
}

void zone_free(struct zone *zone)
{
    if (!zone || atomic_fetch_sub(&zone->shares, 1) > 1) {
        return;
    }
    while (zone->chunks) {
        struct chunk *chunk = zone->chunks;
        zone->chunks = chunk->next;
        free(chunk);
    }
    free(zone->names.slots);
    free(zone->chaos.slots);
    free(zone);
}

const struct zone_rrset *zone_negative(const struct zone *zone)
{
    assert(zone->apex);
    return &zone->negative;
}

const char *zone_id(const struct zone *zone)
{
    return zone->id;
}
