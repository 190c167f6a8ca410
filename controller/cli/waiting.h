// Whether what --wait waits for has come, as a status tells it. Pure.
#pragma once

#include "base/error.h"
#include "controller/cli/options.h"

#include <jansson.h>

enum waited {
    WAITED_SEEN,
    WAITED_NOT_YET,
    WAITED_NEVER, // not by itself: message says why
};

// Is every service concerned seen to be as it is waited for?
enum waited waited_services(const struct options *options, const json_t *status,
                            char message[ERROR_MAX]);

// Has BIRD popgate's file as it is now?
enum waited waited_include(const json_t *status, char message[ERROR_MAX]);

// Did the command line name the service, or say --all?
bool waited_concerns(const struct options *options, const char *service);
