#include "controller/core/guard.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PEERS_MAX 1024
#define AT_ONCE   8

#define GRACEFUL_SHUTDOWN "(65535,0)"
#define LLGR_STALE        "(65535,6)"

// What is seen of another PoP, from least to most.
enum witness { WITNESS_NONE, WITNESS_UNFIT, WITNESS_FIT };

struct guard {
    size_t number; // the second index of its questions' tokens
    const struct config *config;
    const struct prefix **prefixes;
    enum witness *witnesses; // of each prefix
    size_t prefix_count;
    enum witness path;      // being read, so far
    bool in_communities;    // of that
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
    guard->config = config;
    size_t total = 0;
    for (size_t i = 0; i < count; i++) {
        total += config->services[services[i]].prefix_count;
    }
    guard->prefixes = calloc(total + 1, sizeof *guard->prefixes);
    guard->witnesses = calloc(total + 1, sizeof *guard->witnesses);
    guard->peers = calloc(PEERS_MAX, sizeof *guard->peers);
    if (guard->prefixes == NULL || guard->witnesses == NULL || guard->peers == NULL) {
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
    free(guard->witnesses);
    free(guard->peers);
    free(guard);
}

static bool all_asked(const struct guard *guard)
{
    return guard->lost || guard->asked > guard->prefix_count;
}

static struct bird_command ask_paths(const struct guard *guard, size_t prefix)
{
    char text[PREFIX_TEXT_MAX];
    const char *table = guard->prefixes[prefix]->family == FAMILY_V4 ? guard->config->bird.table4
                                                                     : guard->config->bird.table6;
    return bird_show_route(prefix_text(guard->prefixes[prefix], text), table);
}

void guard_plan(struct guard *guard, struct orders *orders)
{
    while (!all_asked(guard) && guard->asked - guard->answered < AT_ONCE &&
           orders_room(orders) > 0) {
        if (guard->asked == 0) {
            orders_put(orders, ORDER_LINK_ASK, false, order_token(ORDER_PEERS, 0, guard->number),
                       bird_show_protocols());
        } else {
            size_t prefix = guard->asked - 1;
            orders_put(orders, ORDER_LINK_ASK, false,
                       order_token(ORDER_PATHS, prefix, guard->number), ask_paths(guard, prefix));
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

// The path being read is over.
static void path_over(struct guard *guard, size_t prefix)
{
    if (guard->path > guard->witnesses[prefix]) {
        guard->witnesses[prefix] = guard->path;
    }
    guard->path = WITNESS_NONE;
    guard->in_communities = false;
}

static void path_line(struct guard *guard, size_t prefix, const struct bird_line *line)
{
    struct bird_route route;
    struct bird_attribute attribute;
    if (bird_parse_route(line, &route)) {
        path_over(guard, prefix);
        if (is_peer(guard, route.protocol)) {
            guard->path = route.unicast ? WITNESS_FIT : WITNESS_UNFIT;
        }
    } else if (bird_parse_attribute(line, &attribute)) {
        bool goes_on = attribute.kind == BIRD_ATTRIBUTE_MORE && guard->in_communities;
        guard->in_communities = attribute.kind == BIRD_ATTRIBUTE_COMMUNITIES || goes_on;
        if (guard->in_communities && guard->path == WITNESS_FIT &&
            (strstr(attribute.value, GRACEFUL_SHUTDOWN) != NULL ||
             strstr(attribute.value, LLGR_STALE) != NULL)) {
            guard->path = WITNESS_UNFIT;
        }
    }
}

void guard_line(struct guard *guard, uint64_t token, const struct bird_line *line)
{
    struct bird_protocol row;
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
    } else if (prefix < guard->prefix_count) {
        path_line(guard, prefix, line);
    }
}

void guard_end(struct guard *guard, uint64_t token, bool answered)
{
    if (order_b(token) != guard->number) {
        return;
    }
    assert(guard->answered < guard->asked);
    guard->answered++;
    guard->lost = guard->lost || !answered;
    if (order_kind(token) == ORDER_PATHS) {
        path_over(guard, order_a(token));
    }
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
        if (guard->witnesses[i] < WITNESS_FIT) {
            snprintf(message, ERROR_MAX,
                     "no other path to %s is visible in BIRD%s: this may be the last PoP that "
                     "announces it; --force drains "
                     "all the same (last_pop_guard = off for a service that has one PoP)",
                     prefix_text(guard->prefixes[i], text),
                     guard->witnesses[i] == WITNESS_UNFIT
                         ? " but from who is leaving (65535:0), stale (65535:6) or unreachable"
                         : "");
            return OUTCOME_REFUSED;
        }
    }
    return OUTCOME_DONE;
}
