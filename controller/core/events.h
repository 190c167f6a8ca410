// What happened, kept so that it can be explained: a ring of the last events, each with its cause.
// Pure.
//
// A transition is filled in as it goes: decided, acknowledged by BIRD, seen to be so.
#pragma once

#include "controller/core/decision.h"

enum event_kind {
    EVENT_START,      // the daemon started, or a service was configured
    EVENT_TRANSITION, // a change of target
    EVENT_HEALTH,     // a probe's health changed
    EVENT_INTENT,     // an operator's verb, or its end
    EVENT_DRIFT,      // somebody switched a protocol of ours; repaired
    EVENT_BIRD,       // BIRD's socket came or went, or BIRD fell silent
    EVENT_SESSION,    // a BGP session of BIRD's came up or went
    EVENT_CONFIGURE,  // the include file was loaded, or refused
    EVENT_OBSERVED,   // a prefix is hidden, leaked, or well again
    EVENT_TROUBLE,    // of our own: a file that can't be written ...
};

const char *event_name(enum event_kind kind);

#define EVENT_TEXT_MAX 512
#define EVENTS_KEPT    1024

struct event {
    uint64_t seq; // from 1, without gaps
    enum event_kind kind;
    bool warning;
    char service[SERVICE_NAME_MAX]; // empty if it is about none
    enum target from, to;           // of a transition
    enum cause cause;
    uint64_t evidence_ns;     // monotonic, when its evidence was in hand; 0 if it has none
    uint64_t at_ns;           // monotonic, when it was decided
    uint64_t acknowledged_ns; // when BIRD had said yes to every command of it; 0: not yet
    uint64_t observed_ns; // when BIRD was seen to do it on enough sessions (or none); 0: not yet
    char text[EVENT_TEXT_MAX];
};

struct events {
    uint64_t next_seq; // of the next one; zero-initialised ring begins at 1
    struct event ring[EVENTS_KEPT];
};

// Appends one; the oldest goes. The returned slot may be filled in until it is reused.
__attribute__((format(printf, 5, 6))) struct event *events_add(struct events *events,
                                                               enum event_kind kind,
                                                               const char *service, uint64_t at_ns,
                                                               const char *text, ...);

// The event of that number, or NULL if it is gone or never was.
struct event *events_get(struct events *events, uint64_t seq);
uint64_t events_first(const struct events *events); // number of the oldest kept
uint64_t events_end(const struct events *events);   // one past the newest
