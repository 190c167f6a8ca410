// What the answers are made of; nobody but status*.c includes it.
#pragma once

#include "controller/api/status.h"

#include "base/clock.h"
#include "base/json_writer.h"

static inline uint64_t status_now_ms(const struct status_view *view)
{
    return view->now_ns / NS_PER_MS;
}

static inline uint64_t status_less(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

// A past time of the monotonic clock, as a timestamp and as an age.
static inline void status_past(struct json_writer *writer, const struct status_view *view,
                               const char *key, const char *age_key, uint64_t at_ms)
{
    uint64_t age_ms = status_less(status_now_ms(view), at_ms);
    jw_time(writer, key, status_less(view->now_wall_ms, age_ms));
    jw_uint(writer, age_key, age_ms);
}

// A service, whole or with a few prefixes.
void status_one_service(struct json_writer *writer, const struct status_view *view, const char *key,
                        size_t service, bool full);
// Does the probe decide about the service? Its own do, and the one that does so through a service
// that it depends on.
bool status_matters(const struct core *core, size_t service, size_t probe);

// "events": those from number since on, of one service (by name) or of all (NULL).
void status_events_from(struct json_writer *writer, const struct status_view *view, uint64_t since,
                        const char *service);
// The number from which on there are some twenty of the service, or all that are kept.
uint64_t status_last_events(struct events *events, const char *service);
