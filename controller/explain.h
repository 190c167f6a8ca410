// Why a service's target is what it is, in words that an operator can act on. Pure.
#pragma once

#include "controller/core.h"

void explain_service(const struct core *core, size_t index, char *out, size_t size);
