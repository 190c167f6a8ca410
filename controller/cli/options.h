// The command line: which options there are, which of them a verb takes, and how that is told. What
// a changing verb takes are the fields of its request (base/verbs.h), each an option of its name.
#pragma once

#include "base/verbs.h"

// The options: the fields but for FIELD_SERVICES, whose names stand by themselves, and after them
// those of the command alone.
enum { OPTION_WAIT = FIELDS, OPTION_SINCE, OPTION_FOLLOW, OPTIONS };

// What --wait waits for: what the services' targets say, or one of these.
enum wait_for { WAIT_FOR_TARGET, WAIT_FOR_WITHDRAWN, WAIT_FOR_ANNOUNCED };

struct options {
    const char *socket;
    bool json;
    const char *values[OPTIONS]; // as given, "" where there is no value; NULL: not given
    enum wait_for wait_for;
    uint64_t wait_ms;
    char **services;
    size_t service_count;
    const struct verb_row *of; // the verb whose change is waited for; NULL: none
};

// What a verb takes.
struct taken {
    unsigned options;          // FIELD_BIT() of each
    size_t least, most;        // services; most 0: none
    const struct verb_row *of; // a changing verb: services or --all, and what it needs; or NULL
};

enum command_line {
    COMMAND_LINE_VERB,
    COMMAND_LINE_HELP,
    COMMAND_LINE_VERSION,
    COMMAND_LINE_WRONG
};

// Reads it into out, whose socket and wait_ms are set to what they are by default; argv, which ends
// at NULL, is left in another order. *verb is NULL if there is none. What is wrong is said.
enum command_line options_read(struct options *out, char **argv, const char **verb);

// Does the verb take all that is given, and as many services?
bool options_fit(const struct options *options, const struct taken *taken);

// What stands after the verb: "SERVICE...|--all [--reason TEXT]". Returns out.
#define USAGE_MAX 256
const char *options_usage(const struct taken *taken, char out[USAGE_MAX]);
