#include "controller/core/order.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define KIND_BITS 4

uint64_t order_token(enum order_kind kind, size_t a, size_t b)
{
    assert(a <= ORDER_INDEX_MAX && b <= ORDER_INDEX_MAX && kind < 1U << KIND_BITS);
    return ((uint64_t)kind << (2 * ORDER_INDEX_BITS)) | ((uint64_t)a << ORDER_INDEX_BITS) | b;
}

enum order_kind order_kind(uint64_t token)
{
    return (enum order_kind)((token >> (2 * ORDER_INDEX_BITS)) & ((1U << KIND_BITS) - 1));
}

size_t order_a(uint64_t token)
{
    return (size_t)((token >> ORDER_INDEX_BITS) & ORDER_INDEX_MAX);
}

size_t order_b(uint64_t token)
{
    return (size_t)(token & ORDER_INDEX_MAX);
}

bool orders_init(struct orders *orders, size_t capacity)
{
    *orders = (struct orders){.ring = calloc(capacity, sizeof *orders->ring), .capacity = capacity};
    return orders->ring != NULL;
}

void orders_free(struct orders *orders)
{
    free(orders->ring);
    *orders = (struct orders){0};
}

size_t orders_room(const struct orders *orders)
{
    return orders->capacity - orders->count;
}

bool orders_put(struct orders *orders, enum order_link link, bool urgent, uint64_t token,
                struct bird_command command)
{
    assert(orders_room(orders) > 0);
    if (command.text[0] == '\0') {
        return false;
    }
    struct order *order = &orders->ring[(orders->first + orders->count) % orders->capacity];
    *order = (struct order){.link = link, .urgent = urgent, .token = token};
    memcpy(order->command, command.text, sizeof order->command);
    orders->count++;
    return true;
}

bool orders_take(struct orders *orders, struct order *out)
{
    if (orders->count == 0) {
        return false;
    }
    *out = orders->ring[orders->first];
    orders->first = (orders->first + 1) % orders->capacity;
    orders->count--;
    return true;
}
