// What of a leg's attributes an exported route carries, as BIRD shows it after the export filter:
// one that strips GRACEFUL_SHUTDOWN makes a drain none. Pure.
//
// Looked for is what the leg sets and nothing else: what a filter adds is the operator's. Of the
// twin it is only that in which it differs from the primary: what both have drains nobody.
#pragma once

#include "controller/core/names.h"

#include "birdctl/reply.h"

enum carried_group {
    CARRIED_COMMUNITIES,
    CARRIED_LARGE,
    CARRIED_EXT,
    CARRIED_MED,
    CARRIED_LOCAL_PREF,
    CARRIED_PREPEND,
    CARRIED_GROUPS,
};

#define CARRIED_MAX 128 // of a kind: a twin has the primary's and its own

struct carried {
    const struct attributes *wanted;
    const struct attributes *but; // what need not be there; NULL: nothing
    uint64_t local_as;            // what is prepended
    bool external;                // the session is: it sends no local_pref (RFC 4271, 5.1.5)
    uint64_t seen[CARRIED_GROUPS][CARRIED_MAX / 64];
    enum carried_group group; // of the line before
};

void carried_begin(struct carried *carried, const struct service_conf *service, enum leg_name leg,
                   uint64_t local_as, bool external);
// After a reload that is nothing to BIRD: the same leg, of another configuration.
void carried_move(struct carried *carried, const struct service_conf *service, enum leg_name leg);
void carried_line(struct carried *carried, const struct bird_line *line);

// The first attribute that is lacking, as carried_text() knows it; 0: none is.
uint16_t carried_lacks(const struct carried *carried);

// In the words of popgate.conf, e.g. "community 65535:0".
#define CARRIED_TEXT_MAX 96
const char *carried_text(const struct service_conf *service, enum leg_name leg, uint16_t lacks,
                         char out[CARRIED_TEXT_MAX]);
