// An operator's change of intent, read from the body of a request. Pure.
//
//     {"services": ["dns"] | "all": true, "reason": "...", "for": "10m",
//      "grace": "30s" | "now": true, "force": true, "by": "..."}
//
// Strict: what is not known, or means nothing for the verb (base/verbs.h), is refused. So is what
// would end an isolation or a pin by the way.
#pragma once

#include "controller/core/change.h"

struct request {
    struct change change;           // its services point to the array below; by is left empty
    size_t *services;               // malloc'd; request_clear()
    char claimed[INTENT_CLAIM_MAX]; // who is said to ask; empty: nobody is
};

// Returns 200, or the HTTP status of a refusal (400, 404, 409, 500) with a message. With "all",
// services that the verb does not fit are left out; there may be none left.
unsigned request_parse(const struct core *core, enum verb verb, const char *body, size_t length,
                       struct request *out, char error[ERROR_MAX]);
void request_clear(struct request *request);

// The service's index; SIZE_MAX, with an error that says the nearest: there is none of that name.
size_t request_service(const struct config *config, const char *name, char error[ERROR_MAX]);
