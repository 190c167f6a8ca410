// See verdict.h.
#include "probes/verdict.h"

static const char *const names[] = {[VERDICT_UNKNOWN] = "unknown",
                                    [VERDICT_FAIL] = "fail",
                                    [VERDICT_DEGRADED] = "degraded",
                                    [VERDICT_PASS] = "pass"};

const char *verdict_name(enum verdict_kind kind)
{
    return names[kind];
}
