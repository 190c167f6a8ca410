#include "controller/core/events.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

const char *event_name(enum event_kind kind)
{
    static const char *const names[] = {"start", "transition", "health",    "intent",   "drift",
                                        "bird",  "session",    "configure", "observed", "trouble"};
    return names[kind];
}

uint64_t events_end(const struct events *events)
{
    return events->next_seq == 0 ? 1 : events->next_seq;
}

uint64_t events_first(const struct events *events)
{
    uint64_t end = events_end(events);
    return end > EVENTS_KEPT ? end - EVENTS_KEPT : 1;
}

struct event *events_add(struct events *events, enum event_kind kind, const char *service,
                         uint64_t at_ns, const char *text, ...)
{
    assert(kind <= EVENT_TROUBLE && text != NULL);
    uint64_t seq = events_end(events);
    struct event *event = &events->ring[seq % EVENTS_KEPT];
    *event = (struct event){.seq = seq, .kind = kind, .at_ns = at_ns};
    if (service != NULL) {
        snprintf(event->service, sizeof event->service, "%s", service);
    }
    va_list args;
    va_start(args, text);
    vsnprintf(event->text, sizeof event->text, text, args);
    va_end(args);
    events->next_seq = seq + 1;
    return event;
}

struct event *events_get(struct events *events, uint64_t seq)
{
    if (seq < events_first(events) || seq >= events_end(events)) {
        return NULL;
    }
    return &events->ring[seq % EVENTS_KEPT];
}
