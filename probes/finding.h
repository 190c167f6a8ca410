// What a pure judgement says about one thing that was seen, before it becomes a probe's verdict.
#pragma once

#include "probes/verdict.h"

struct finding {
    enum verdict_kind kind;
    char code[VERDICT_CODE_MAX];   // as in struct verdict
    char cause[VERDICT_CAUSE_MAX]; // what was seen and expected, e.g. "certificate expired ..."
};

// Fills out; format as printf's. Text that does not fit is cut.
__attribute__((format(printf, 4, 5))) void finding_set(struct finding *out, enum verdict_kind kind,
                                                       const char *code, const char *format, ...);
