// How the kernel would send to an address, as the shell asked it at one moment. Pure.
#pragma once

#include "controller/config/prefix.h"

enum way_kind {
    WAY_UNKNOWN,   // it could not be asked, or there is none
    WAY_LOCAL,     // to this host itself
    WAY_ROUTE,     // by a route that leads somewhere
    WAY_BLACKHOLE, // into a blackhole, as popgate's routes are
};

#define WAY_TEXT_MAX 192
struct way {
    enum way_kind kind;
    uint8_t length;          // WAY_ROUTE: bits of the route's prefix
    bool by_bird;            // and whether BIRD has put it there
    uint32_t metric;         // the less, the better
    char text[WAY_TEXT_MAX]; // as `ip route` has it, for people
};

// What BIRD's kernel protocol gives its routes, unless bird.conf says otherwise (bird-facts 26).
#define WAY_BIRD_METRIC 32

// Is it a route whose place popgate's own of that prefix takes, once BIRD gives it to the kernel?
static inline bool way_is_covered(const struct way *way, const struct prefix *prefix)
{
    bool loses = way->by_bird || way->metric > WAY_BIRD_METRIC;
    return way->kind == WAY_ROUTE &&
           (way->length < prefix->length || (way->length == prefix->length && loses));
}
