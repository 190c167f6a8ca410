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

// What a check waited for, and whose that was.
struct awaited {
    const char *what; // e.g. "answer to id.server CH TXT"
    // For so long the target could not answer, since something of our own was not ready (a file to
    // be read, a command to be started). ALL_ITS_TIME: that is what is awaited still.
    uint64_t own_ns;
};
#define ALL_ITS_TIME UINT64_MAX
