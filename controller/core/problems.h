// What is wrong at present, worst first: the one list that status, check and the service manager's
// line are made of. None of them decides for itself whether something is wrong, or how much. Pure.
#pragma once

#include "controller/core/core.h"

enum severity { SEVERITY_WARNING, SEVERITY_CRITICAL };

const char *severity_name(enum severity severity); // "warning", "critical"

#define PROBLEM_TEXT_MAX (EVENT_TEXT_MAX + SERVICE_NAME_MAX + 32)
#define PROBLEMS_MAX     64 // that anybody is shown at once
#define PROBLEM_OF_NONE  SIZE_MAX

struct problem {
    enum severity severity;
    const char *code;            // for machines: "bird", "withdrawn"; it stays what it is
    size_t service;              // or PROBLEM_OF_NONE: of the PoP as a whole
    uint64_t since_ms;           // monotonic; 0: not known
    char text[PROBLEM_TEXT_MAX]; // what is wrong, with the service's name in it
    char advice[ERROR_MAX];      // what it leads to or what to do; may be empty
};

// What only the shell knows; NULL: all is well.
struct own_trouble {
    const char *ledger; // it can't be saved, or could not be read
    const char *prober; // why no bad verdict counts at present
    const char *reload; // the last one failed
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
