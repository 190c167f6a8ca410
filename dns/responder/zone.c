// See zone.h. Nodes in a hash table by name, each with its records for each state, ready to be
// sent. Everything lies in a few large chunks, which go as one.
#include "dns/responder/zone_inside.h"

#include <assert.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_SIZE ((size_t)64 * 1024)
#define LABELS_MAX 127

struct zone_chunk {
    struct zone_chunk *next;
    size_t used, size;
    alignas(max_align_t) uint8_t bytes[];
};

// ---- Memory

void *zone_take(struct zone *zone, size_t size)
{
    size_t align = alignof(max_align_t);
    size = (size + align - 1) / align * align;
    struct zone_chunk *chunk = zone->chunks;
    if (chunk == NULL || size > chunk->size - chunk->used) {
        size_t room = size > CHUNK_SIZE ? size : CHUNK_SIZE;
        chunk = malloc(sizeof *chunk + room);
        if (chunk == NULL) {
            return NULL;
        }
        *chunk = (struct zone_chunk){.next = zone->chunks, .size = room};
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
    uint64_t ones = 0x0101010101010101;
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
        if (slot->node == NULL || (slot->hash == hash && slot->node->length == length &&
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
    if (larger.slots == NULL) {
        return false;
    }
    for (size_t i = 0; i < table->size; i++) {
        const struct slot *slot = &table->slots[i];
        if (slot->node != NULL) {
            *find_slot(&larger, slot->hash, slot->node->name, slot->node->length) = *slot;
        }
    }
    free(table->slots);
    *table = larger;
    return true;
}

static struct zone_node *add(struct zone *zone, struct table *table, const uint8_t *wire,
                             size_t length)
{
    if (2 * (table->count + 1) > table->size && !grow(table)) {
        return NULL;
    }
    uint64_t hash = hash_of(wire, length);
    struct slot *slot = find_slot(table, hash, wire, length);
    if (slot->node != NULL) {
        return slot->node;
    }
    struct zone_node *node = zone_take(zone, sizeof *node);
    uint8_t *name = zone_take(zone, length);
    if (node == NULL || name == NULL) {
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

struct zone_node *zone_add(struct zone *zone, struct table *table, const struct dns_name *name)
{
    struct folded folded;
    fold(name->wire, name->length, &folded);
    return add(zone, table, folded.wire, folded.length);
}

struct zone_node *zone_add_name(struct zone *zone, const struct dns_name *name)
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
        if (child == NULL) {
            return NULL;
        }
        if (wire[0] == 1 && wire[1] == '*') {
            node->wildcard = child;
        }
        node = child;
    }
    return node;
}

struct zone_node *zone_add_label(struct zone *zone, const char *label)
{
    struct dns_name name = dns_name_below(label, &zone->apex_name);
    return zone_add_name(zone, &name);
}

size_t zone_prefix(const struct zone *zone, const struct dns_name *name)
{
    struct folded folded;
    uint8_t labels[LABELS_MAX];
    if (zone->apex == NULL) {
        return SIZE_MAX;
    }
    fold(name->wire, name->length, &folded);
    return labels_below(zone, &folded, labels) == SIZE_MAX ? SIZE_MAX
                                                           : name->length - zone->apex->length;
}

// ---- Looking up

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
    for (size_t i = count > zone->depth ? count - zone->depth : 1; i < count && encloser == NULL;
         i++) {
        encloser = find(&zone->names, name->wire + labels[i], name->length - labels[i]);
    }
    encloser = encloser != NULL ? encloser : zone->apex;
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
    if (class != DNS_CLASS_IN || zone->apex == NULL) {
        return (struct zone_place){0};
    }
    const struct zone_node *node = find(&zone->names, folded.wire, folded.length);
    if (node == NULL) {
        return find_enclosed(zone, &folded);
    }
    return (struct zone_place){
        .node = node, .inside = true, .prefix = folded.length - zone->apex->length};
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

// ---- Shares

struct zone *zone_share(struct zone *zone)
{
    atomic_fetch_add(&zone->shares, 1);
    return zone;
}

void zone_free(struct zone *zone)
{
    if (zone == NULL || atomic_fetch_sub(&zone->shares, 1) > 1) {
        return;
    }
    while (zone->chunks != NULL) {
        struct zone_chunk *chunk = zone->chunks;
        zone->chunks = chunk->next;
        free(chunk);
    }
    free(zone->names.slots);
    free(zone->chaos.slots);
    free(zone);
}
