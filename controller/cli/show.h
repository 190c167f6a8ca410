// The API's answers as text for a terminal. Pure but for writing to a stream.
//
// Lines fit the width; what can't is wrapped or cut with a "~". Colour only underlines what the
// words say already. Text from elsewhere is printed harmless.
#pragma once

#include "controller/cli/lines.h"

#include <jansson.h>

// The answer of /v1/status; only, if not empty, names the services to show.
void show_status(const struct show *show, const json_t *status, char *const *only,
                 size_t only_count);
void show_probes(const struct show *show, const json_t *status);
// Of /v1/services/NAME: the chain from probes to sessions, in plain words, and the last events.
void show_explain(const struct show *show, const json_t *answer);
// Of /v1/events.
void show_events(const struct show *show, const json_t *answer);

// One service in a sentence: "dns: announce, seen on 2 of 2 sessions".
void show_sentence(const struct show *show, const json_t *status, const json_t *service);
