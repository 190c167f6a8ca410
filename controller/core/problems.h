// What is wrong at present, worst first: the one list that status, check and the service manager's
// line are made of. None of them decides for itself whether something is wrong, or how much. Pure.
#pragma once

#include "controller/core/core.h"

enum severity { SEVERITY_WARNING, SEVERITY_CRITICAL };

const char *severity_name(enum severity severity); // "warning", "critical"

// What is wrong, for machines: each name stays what it is, and stands in popgate(1).
enum problem_code {
    PROBLEM_BIRD,
    PROBLEM_BIRD_ASKING,
    PROBLEM_BIRD_DENIED,
    PROBLEM_ANOTHER_POPGATED,
    PROBLEM_SESSIONS,
    PROBLEM_SESSIONS_TOO_MANY,
    PROBLEM_SESSION,
    PROBLEM_SESSION_ABSENT,
    PROBLEM_SESSION_RANGE,
    PROBLEM_INCLUDE_NOT_SAVED,
    PROBLEM_INCLUDE_REFUSED,
    PROBLEM_INCLUDE_NOT_READ,
    PROBLEM_INCLUDE_BY_HAND,
    PROBLEM_INCLUDE_UNCONFIRMED,
    PROBLEM_LEDGER,
    PROBLEM_PROBER,
    PROBLEM_RELOAD,
    PROBLEM_CONFIG,
    PROBLEM_CONFIG_NOT_KEPT,
    PROBLEM_RESPONDER,
    PROBLEM_CONTROL,
    PROBLEM_STOPPING,
    PROBLEM_LEDGER_DRAINED,
    PROBLEM_INTENT,
    PROBLEM_CUT_OFF,
    PROBLEM_WITHDRAWN,
    PROBLEM_DEPREFERENCED,
    PROBLEM_HELD,
    PROBLEM_UNSEEN,
    PROBLEM_LEAK,
    PROBLEM_HIDDEN,
    PROBLEM_SHORT,
    PROBLEM_LATE,
    PROBLEM_NO_CHANNEL,
    PROBLEM_LACKING,
    PROBLEM_ALTERED,
    PROBLEM_PREPEND_INTERNAL,
    PROBLEM_DRAIN_SAME,
    PROBLEM_DRAIN_BY_FILTER,
    PROBLEM_STALE,
};
#define PROBLEM_CODES (PROBLEM_STALE + 1)

const char *problem_code_name(enum problem_code code); // "bird-denied"

#define PROBLEM_TEXT_MAX (EVENT_TEXT_MAX + SERVICE_NAME_MAX + 32)
#define PROBLEMS_MAX     64 // that anybody is shown at once
#define PROBLEM_OF_NONE  SIZE_MAX

struct problem {
    enum severity severity;
    const char *code;            // problem_code_name()
    size_t service;              // or PROBLEM_OF_NONE: of the PoP as a whole
    uint64_t since_ms;           // monotonic; 0: not known
    char text[PROBLEM_TEXT_MAX]; // what is wrong, with the service's name in it
    char advice[ERROR_MAX];      // what it leads to or what to do; may be empty
};

// What only the shell knows; NULL: all is well.
struct own_trouble {
    const char *ledger;    // it can't be saved, or could not be read
    const char *prober;    // why no bad verdict counts at present
    const char *reload;    // the last one failed
    const char *config;    // what is in use instead of what the file, broken at the start, says
    const char *kept;      // the configuration in use could not be, for such a start
    const char *responder; // an address of it could not be had
    const char *control;   // the one of [control] http could not be had
};

// Fills in out, at most max of them. Returns how many there are. service: only those of that
// service and of the PoP as a whole; PROBLEM_OF_NONE: all.
size_t problems_find(const struct core *core, const struct own_trouble *own, size_t service,
                     uint64_t now_ms, struct problem out[], size_t max);

// One line about it all: the worst problem, or how many services are seen to be announced if there
// is none.
#define PROBLEMS_LINE_MAX ((size_t)2 * PROBLEM_TEXT_MAX)
void problems_line(const struct core *core, const struct own_trouble *own, uint64_t now_ms,
                   char out[PROBLEMS_LINE_MAX]);
