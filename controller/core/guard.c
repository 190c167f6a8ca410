#include "controller/core/guard.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PEERS_MAX 1024
#define AT_ONCE   8

struct guard {
    size_t number; // the second index of its questions' tokens
    const struct prefix **prefixes;
    bool *elsewhere; // of each prefix
    size_t prefix_count;
    size_t asked, answered; // questions; the first is the list of protocols
    bool lost;
    char (*peers)[SESSION_NAME_MAX]; // protocols that bring paths of others
    size_t peer_count;
};

struct guard *guard_new(const struct config *config, const size_t *services, size_t count,
                        size_t number)
{
    struct guard *guard = calloc(1, sizeof *guard);
    if (guard == NULL) {
        return NULL;
    }
    guard->number = number;
    size_t total = 0;
    for (size_t i = 0; i < count; i++) {
        total += config->services[services[i]].prefix_count;
    }
    guard->prefixes = calloc(total + 1, sizeof *guard->prefixes);
    guard->elsewhere = calloc(total + 1, sizeof *guard->elsewhere);
    guard->peers = calloc(PEERS_MAX, sizeof *guard->peers);
    if (guard->prefixes == NULL || guard->elsewhere == NULL || guard->peers == NULL) {
        guard_free(guard);
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        const struct service_conf *service = &config->services[services[i]];
        for (size_t j = 0; j < service->prefix_count; j++) {
            guard->prefixes[guard->prefix_count++] = &service->prefixes[j];
        }
    }
    return guard;
}

void guard_free(struct guard *guard)
{
    if (guard == NULL) {
        return;
    }
    free(guard->prefixes);
    free(guard->elsewhere);
    free(guard->peers);
    free(guard);
}

static bool all_asked(const struct guard *guard)
{
    return guard->lost || guard->asked > guard->prefix_count;
}

void guard_plan(struct guard *guard, struct orders *orders)
{
    while (!all_asked(guard) && guard->asked - guard->answered < AT_ONCE &&
           orders_room(orders) > 0) {
        char text[PREFIX_TEXT_MAX];
        if (guard->asked == 0) {
            orders_put(orders, ORDER_LINK_ASK, false, order_token(ORDER_PEERS, 0, guard->number),
                       bird_show_protocols());
        } else {
            size_t prefix = guard->asked - 1;
            orders_put(orders, ORDER_LINK_ASK, false,
                       order_token(ORDER_PATHS, prefix, guard->number),
                       bird_show_route(prefix_text(guard->prefixes[prefix], text)));
        }
        guard->asked++;
    }
}

static bool brings_paths(const char *type)
{
    static const char *const types[] = {"BGP", "OSPF", "OSPFv2", "OSPFv3", "Babel", "RIP", "RIPng"};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (strcmp(type, types[i]) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_peer(const struct guard *guard, const char *name)
{
    for (size_t i = 0; i < guard->peer_count; i++) {
        if (strcmp(guard->peers[i], name) == 0) {
            return true;
        }
    }
    return false;
}

void guard_line(struct guard *guard, uint64_t token, const struct bird_line *line)
{
    struct bird_protocol row;
    struct bird_route route;
    size_t prefix = order_a(token);
    if (order_b(token) != guard->number) {
        return;
    }
    if (order_kind(token) == ORDER_PEERS) {
        if (bird_parse_protocol(line, &row) && brings_paths(row.type) &&
            guard->peer_count < PEERS_MAX) {
            snprintf(guard->peers[guard->peer_count++], SESSION_NAME_MAX, "%.*s",
                     SESSION_NAME_MAX - 1, row.name);
        }
    } else if (prefix < guard->prefix_count && bird_parse_route(line, &route) &&
               is_peer(guard, route.protocol)) {
        guard->elsewhere[prefix] = true;
    }
}

void guard_end(struct guard *guard, uint64_t token, bool complete)
{
    if (order_b(token) != guard->number) {
        return;
    }
    assert(guard->answered < guard->asked);
    guard->answered++;
    guard->lost = guard->lost || !complete;
}

bool guard_done(const struct guard *guard)
{
    return all_asked(guard) && guard->answered == guard->asked;
}

enum outcome guard_outcome(const struct guard *guard, char message[ERROR_MAX])
{
    if (guard->lost) {
        snprintf(message, ERROR_MAX,
                 "can't see whether another PoP announces the prefixes: BIRD did not answer; "
                 "--force drains all the same");
        return OUTCOME_UNSEEN;
    }
    for (size_t i = 0; i < guard->prefix_count; i++) {
        char text[PREFIX_TEXT_MAX];
        if (!guard->elsewhere[i]) {
            snprintf(message, ERROR_MAX,
                     "no other path to %s is visible in BIRD: this may be the last PoP that "
                     "announces it; --force drains "
                     "all the same (last_pop_guard = off for a service that has one PoP)",
                     prefix_text(guard->prefixes[i], text));
            return OUTCOME_REFUSED;
        }
    }
    return OUTCOME_DONE;
}
