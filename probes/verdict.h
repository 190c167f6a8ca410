// What one check of one thing came to. Pure.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define VERDICT_CODE_MAX  32
#define VERDICT_CAUSE_MAX 256

enum verdict_kind { VERDICT_UNKNOWN, VERDICT_FAIL, VERDICT_DEGRADED, VERDICT_PASS };

// "unknown", "fail", "degraded", "pass".
const char *verdict_name(enum verdict_kind kind);

struct verdict {
    enum verdict_kind kind;
    bool definitive;               // a crash seen by the kernel: needs no further `fall`
    uint64_t at_ns;                // monotonic, when the evidence was in hand
    uint64_t duration_ns;          // of the check
    char code[VERDICT_CODE_MAX];   // for machines, e.g. "timeout", "refused", "rcode"
    char cause[VERDICT_CAUSE_MAX]; // for operators: what was attempted, on what, why it failed
};
