// The probe types that there are; for probes/types.c and the types themselves. Everybody else asks
// probe_type_find().
#pragma once

#include "probes/conf.h"

extern const struct probe_type probe_type_dns;
extern const struct probe_type probe_type_tcp;
extern const struct probe_type probe_type_tls;
extern const struct probe_type probe_type_http;
extern const struct probe_type probe_type_token;
extern const struct probe_type probe_type_exec;
extern const struct probe_type probe_type_address;
extern const struct probe_type probe_type_clock;
