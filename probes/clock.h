// What the `clock` probe makes of the kernel's word on its clock.
#pragma once

#include "probes/verdict.h"

#include <sys/timex.h>

// state is what adjtimex(2) returned with time. Pure. Fills kind, code and cause only. The offset
// is the kernel's: what it has yet to slew, or the estimated error, whichever is more. (maxerror is
// no measure: it grows by 500 ppm between a client's polls, up to a second with the usual ones.
// Past 16 seconds the kernel itself says unsynchronised.)
void clock_judge(int state, const struct timex *time, uint64_t max_offset_ms, struct verdict *out);
