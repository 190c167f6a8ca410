// The probe types that there are; for probes/types.c and the
// types themselves. Everybody else asks probe_type_find().
#pragma once

#include "probes/probe.h"

extern const struct probe_type probe_type_dns;
extern const struct probe_type probe_type_tcp;
