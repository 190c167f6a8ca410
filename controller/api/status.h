// The core as JSON: what `popgate status`, `explain`, `probes` and `events` show. Pure.
//
// A time is given twice: as a UTC timestamp for people and records ("since"), and as an age that no
// step of the clock can falsify ("age_ms"). A prefix's condition is the settled one (a withdrawal
// that is a moment old is no trouble yet); its numbers of sessions are what is seen now.
#pragma once

#include "controller/core/problems.h"
#include "dns/responder/counters.h"

#include <time.h>

// Prefixes shown of each service unless all are asked for; those that are not as meant come first.
#define STATUS_PREFIXES 8

// Of the loop's turns the longest, in ns: since it runs, in the last ten seconds, and while the
// last reload was under way.
struct status_turns {
    uint64_t ever_ns, recent_ns, in_reload_ns;
};

// What the prober knows beyond its verdicts.
struct status_prober {
    // The state of a probe's crash watch in words.
    const char *(*watch)(void *arg, size_t probe, char out[WATCH_TEXT_MAX]);
    // When the certificate that the probe last saw ends to be valid; 0: there is none.
    time_t (*not_after)(void *arg, size_t probe);
    // How long the loop was at most busy before it looked around again.
    struct status_turns (*longest_turns)(void *arg);
};

struct status_view {
    const struct core *core;
    struct own_trouble own;
    uint64_t started_ns; // of the daemon, monotonic
    uint64_t now_ns, now_wall_ms;
    const struct status_prober *prober; // NULL: nobody knows
    // What the responder has counted; NULL: nobody knows.
    void (*totals)(void *arg, struct dns_totals *out);
    void *arg; // of both
};

// The texts are malloc'd, the caller's; NULL when out of memory.

// /v1/status. full: every prefix of every service.
char *status_all(const struct status_view *view, bool full, size_t *length);

// /v1/services/NAME: one service with every prefix, the probes that it needs, and its last events.
char *status_service(const struct status_view *view, size_t service, size_t *length);

// /v1/events: those from number since on; service NULL: of all. "next" is the since to ask with the
// next time.
char *status_events(const struct status_view *view, uint64_t since, const char *service,
                    size_t *length);
