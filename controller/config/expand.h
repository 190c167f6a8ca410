// {pop.id} and {pop.region} in a probe's values, so that PoPs can share their probes' configuration
// word for word. Pure.
#pragma once

#include "controller/config/config.h"
#include "controller/config/document.h"

// Copies value with both replaced by what [pop] says; other braces stay as they are. 0, or -1 with
// an operator's message: an unknown {pop....}, one that [pop] does not set, or too long a result.
int expand(const struct config *config, const char *value, char out[WORD_MAX],
           char error[ERROR_MAX]);
