// How this host's kernel would send to an address: one question to its routing table, answered
// within the call (Linux takes no lock for it since 4.14), which sends nothing to anybody.
#pragma once

#include "base/endpoint.h"
#include "controller/core/way.h"

#include <stddef.h>
#include <stdint.h>

// Fills in all of it; WAY_UNKNOWN if the kernel does not say.
void route_to(const struct endpoint *target, struct way *out);

// What an answer of the kernel's says (RTM_NEWROUTE with RTM_F_FIB_MATCH, or an error), length
// bytes.
void route_read(const void *answer, size_t length, struct way *out);
