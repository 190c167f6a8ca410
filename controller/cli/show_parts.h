// What several of the answers show; nobody but show_*.c includes it.
#pragma once

#include "controller/cli/reading.h"
#include "controller/cli/show.h"

// Of tables.
enum { SHOW_SINCE_WIDTH = 7 };
size_t show_name_width(const json_t *array); // the widest name's, within bounds

// What is wrong with the PoP as a whole, and with the services that are asked for (all, if none
// is).
void show_problems(const struct show *show, const json_t *status, char *const *only,
                   size_t only_count);

// A line about a prefix that is not as meant.
void show_odd_prefix(const struct show *show, size_t indent, const json_t *prefix);

// How the service needs the probe; NULL: it does not.
const char *show_need(const json_t *service, const char *probe);
// A probe's last verdict.
void show_verdict(const json_t *probe, char *out, size_t size);

void show_event_lines(const struct show *show, const json_t *events);
