// Events of a status.
#include "controller/api/status_parts.h"

#include <string.h>

#define EVENTS_EXPLAIN 20 // of one service

static void reaction(struct json_writer *writer, const char *key, uint64_t from_ns, uint64_t at_ns)
{
    if (at_ns != 0) {
        jw_ms(writer, key, status_less(at_ns, from_ns));
    }
}

static void event_one(struct json_writer *writer, const struct status_view *view,
                      const struct event *event)
{
    uint64_t from_ns = event->evidence_ns != 0 ? event->evidence_ns : event->at_ns;
    jw_open(writer, NULL, '{');
    jw_uint(writer, "seq", event->seq);
    jw_string(writer, "kind", event_name(event->kind));
    jw_bool(writer, "warning", event->warning);
    status_past(writer, view, "at", "age_ms", event->at_ns / NS_PER_MS);
    jw_uint(writer, "at_monotonic_ns", event->at_ns);
    jw_string(writer, "service", event->service[0] != '\0' ? event->service : NULL);
    if (event->kind == EVENT_TRANSITION) {
        jw_string(writer, "from", target_name(event->from));
        jw_string(writer, "to", target_name(event->to));
        jw_string(writer, "cause", cause_name(event->cause));
        if (event->evidence_ns != 0) {
            reaction(writer, "decided_ms", from_ns, event->at_ns);
        }
        reaction(writer, "acknowledged_ms", from_ns, event->acknowledged_ns);
        reaction(writer, "observed_ms", from_ns, event->observed_ns);
    }
    jw_string(writer, "text", event->text);
    jw_close(writer, '}');
}

static bool is_about(const struct event *event, const char *service)
{
    return service == NULL || strcmp(event->service, service) == 0;
}

void status_events_from(struct json_writer *writer, const struct status_view *view, uint64_t since,
                        const char *service)
{
    struct events *events = view->core->events;
    jw_open(writer, "events", '[');
    for (uint64_t seq = since; seq < events_end(events); seq++) {
        const struct event *event = events_get(events, seq);
        if (is_about(event, service)) {
            event_one(writer, view, event);
        }
    }
    jw_close(writer, ']');
}

// The number from which on there are EVENTS_EXPLAIN of the service, or all that are kept.
uint64_t status_last_events(struct events *events, const char *service)
{
    uint64_t seq = events_end(events);
    for (size_t found = 0; seq > events_first(events) && found < EVENTS_EXPLAIN;) {
        seq--;
        found += is_about(events_get(events, seq), service);
    }
    return seq;
}
