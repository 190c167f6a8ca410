// Time: spans and deadlines are on the monotonic clock, in nanoseconds or milliseconds; what people
// and files are told is on the wall clock. Nothing pure reads either: time is handed in.
#pragma once

#include <stdint.h>

#define NS_PER_US UINT64_C(1000)
#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S  UINT64_C(1000000000)

#define MS_PER_S    UINT64_C(1000)
#define MS_PER_HOUR (3600 * MS_PER_S)
#define MS_PER_DAY  (24 * MS_PER_HOUR)

uint64_t clock_monotonic_ns(void);
uint64_t clock_wall_ms(void); // of the Unix epoch
