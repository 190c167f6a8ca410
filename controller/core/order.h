// What the pure parts want BIRD to be told: a queue of orders that the shell takes and sends. Pure.
#pragma once

#include "birdctl/command.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum order_kind {
    ORDER_ENABLE,
    ORDER_DISABLE,
    ORDER_PROTOCOLS, // show protocols: the snapshot
    ORDER_LOOK,      // the same of one service
    ORDER_REVISION,  // show protocols all of the pipes: which file BIRD has loaded
    ORDER_ROUTE,     // show route PREFIX export SESSION
    ORDER_CHECK,     // configure check
    ORDER_UNDER_WAY, // configure status
    ORDER_CONFIGURE,
    ORDER_PIPE,    // show protocols all PIPE: has anything of ours come or gone?
    ORDER_SESSION, // show protocols all SESSION
    ORDER_BFD,     // show bfd sessions
    ORDER_PEERS,   // show protocols, for the guard: who brings paths of others
    ORDER_PATHS,   // show route PREFIX all, for the guard
    ORDER_KINDS,
};

// Switching has a connection of its own, so that no slow answer to a question stands before it.
enum order_link { ORDER_LINK_ACT, ORDER_LINK_ASK };

// A token names an order in its replies: from the top, the core's generation (12 bits, put in by
// it), the kind (4), and two indices that the kind defines. No index is too large for its bits: a
// configuration has at most 2^24 bytes (controller/config/load.c), and less of anything.
#define ORDER_INDEX_BITS 24
#define ORDER_INDEX_MAX  ((UINT64_C(1) << ORDER_INDEX_BITS) - 1)
uint64_t order_token(enum order_kind kind, size_t a, size_t b);
enum order_kind order_kind(uint64_t token);
size_t order_a(uint64_t token);
size_t order_b(uint64_t token);

struct order {
    enum order_link link;
    bool urgent;
    uint64_t token;
    char command[BIRD_COMMAND_MAX];
};

struct orders {
    struct order *ring;
    size_t capacity, first, count;
};

bool orders_init(struct orders *orders, size_t capacity); // false: out of memory
void orders_free(struct orders *orders);
size_t orders_room(const struct orders *orders);

// There must be room. A command that can't be said (it is empty) is not put: false.
bool orders_put(struct orders *orders, enum order_link link, bool urgent, uint64_t token,
                struct bird_command command);
bool orders_take(struct orders *orders, struct order *out); // false: none
