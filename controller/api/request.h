// An operator's change of intent, read from the body of a request. Pure.
//
//     {"services": ["dns"] | "all": true, "reason": "...", "for": "10m",
//      "grace": "30s" | "now": true, "force": true}
//
// Strict: what is not known, or means nothing for the verb, is refused. So is what would end an
// isolation or a pin by the way: only `release` ends the one, `unpin` the other, though `drain` and
// `isolate` may always take over from `pin`, and `isolate` from everything.
#pragma once

#include "controller/api/api.h"

struct request {
    struct api_change change; // its services point to the array below; by is left empty
    size_t *services;         // malloc'd; request_clear()
};

// Returns 200, or the HTTP status of a refusal (400, 404, 409, 500) with a message. With "all",
// services that the verb does not fit are left out; there may be none left.
unsigned request_parse(const struct core *core, enum api_verb verb, const char *body, size_t length,
                       struct request *out, char error[ERROR_MAX]);
void request_clear(struct request *request);

// Why the verb can't be done to a service with that intent ("isolated; only release ends that");
// NULL: it can.
const char *verb_hindrance(enum api_verb verb, enum intent_kind intent);

// "drain", "undrain" ...
const char *verb_name(enum api_verb verb);
