// Why a service's target is what it is, in words that an operator can act on. Pure.
#pragma once

#include "controller/core/core.h"

// As things are at now_ms. The text follows what is known without a change of target: a probe that
// can't look, the time that is left of hold_down.
void explain_service(const struct core *core, size_t index, uint64_t now_ms, char *out,
                     size_t size);
