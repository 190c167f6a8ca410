// What a `tls` probe knows beyond its verdicts.
#pragma once

#include "probes/probe.h"

#include <time.h>

// When the certificate that the probe last saw ends to be valid; 0: none seen yet. A probe of
// another type than `tls` and `http` has none.
time_t probe_not_after(struct probe *probe);
