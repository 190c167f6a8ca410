// What a tap remembers: see rib.h.
#include "tests/lab/rib.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static void *need(void *memory)
{
    if (memory == NULL) {
        abort(); // a test machine without memory has no business to go on
    }
    return memory;
}

static uint64_t hash(const struct bgp_prefix *prefix)
{
    const uint8_t *bytes = (const uint8_t *)prefix;
    uint64_t value = 14695981039346656037U; // FNV-1a

    for (size_t i = 0; i < sizeof *prefix; i++) {
        value = (value ^ bytes[i]) * 1099511628211U;
    }
    return value ^ value >> 32;
}

// The prefix's place, or the free one where it belongs. A prefix has no padding: bytes compare.
static struct rib_route *place(struct rib_route *routes, size_t capacity,
                               const struct bgp_prefix *prefix)
{
    _Static_assert(sizeof *prefix == 18, "padding in struct bgp_prefix");
    size_t i = hash(prefix) & (capacity - 1);

    while (routes[i].used && memcmp(&routes[i].prefix, prefix, sizeof *prefix) != 0) {
        i = (i + 1) & (capacity - 1);
    }
    return &routes[i];
}

static void make_room_for_event(struct rib *rib)
{
    if (rib->event_count == rib->event_capacity) {
        rib->event_capacity = rib->event_capacity > 0 ? 2 * rib->event_capacity : 1024;
        rib->events = need(realloc(rib->events, rib->event_capacity * sizeof *rib->events));
    }
}

static void make_room_for_route(struct rib *rib)
{
    if (2 * rib->route_count >= rib->route_capacity) {
        size_t capacity = rib->route_capacity > 0 ? 2 * rib->route_capacity : 1024;
        struct rib_route *routes = need(calloc(capacity, sizeof *routes));

        for (size_t i = 0; i < rib->route_capacity; i++) {
            if (rib->routes[i].used) {
                *place(routes, capacity, &rib->routes[i].prefix) = rib->routes[i];
            }
        }
        free(rib->routes);
        rib->routes = routes;
        rib->route_capacity = capacity;
    }
}

const struct bgp_attributes *rib_keep(struct rib *rib, const struct bgp_attributes *attributes)
{
    struct attributes_node *node = need(malloc(sizeof *node));

    node->attributes = *attributes;
    node->next = rib->attributes;
    rib->attributes = node;
    return &node->attributes;
}

void rib_add(struct rib *rib, const struct tap_event *event)
{
    make_room_for_event(rib);
    make_room_for_route(rib);
    struct rib_route *route = place(rib->routes, rib->route_capacity, &event->prefix);
    bool present = event->kind == TAP_ANNOUNCED;

    rib->route_count += !route->used;
    rib->present_count += (size_t)present - (size_t)route->present;
    route->used = true;
    route->prefix = event->prefix;
    route->present = present;
    if (present) {
        route->announced_ns = event->ns;
        route->attributes = event->attributes;
    } else {
        route->withdrawn_ns = event->ns;
    }
    rib->events[rib->event_count++] = *event;
}

void rib_lose_all(struct rib *rib, uint64_t ns)
{
    for (size_t i = 0; i < rib->route_capacity; i++) {
        struct rib_route *route = &rib->routes[i];

        if (route->present) {
            make_room_for_event(rib);
            rib->events[rib->event_count++] = (struct tap_event){ns, TAP_LOST, route->prefix, NULL};
            route->present = false;
            route->withdrawn_ns = ns;
        }
    }
    rib->present_count = 0;
}

const struct rib_route *rib_find(const struct rib *rib, const struct bgp_prefix *prefix)
{
    if (rib->route_capacity == 0) {
        return NULL;
    }
    const struct rib_route *route = place(rib->routes, rib->route_capacity, prefix);
    return route->used ? route : NULL;
}

void rib_free(struct rib *rib)
{
    while (rib->attributes != NULL) {
        struct attributes_node *node = rib->attributes;

        rib->attributes = node->next;
        free(node);
    }
    free(rib->events);
    free(rib->routes);
    *rib = (struct rib){0};
}
