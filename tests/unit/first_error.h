// The first error in a probe's configuration, for tests that are about one.
#pragma once

#include "probes/conf.h"

#include <stdio.h>

static inline void first_error_say(void *arg, bool error, const char *text)
{
    char *first = arg;
    if (error && first[0] == '\0') {
        snprintf(first, ERROR_MAX, "%s", text);
    }
}

// 0, or -1 and the error as probe_check() says it.
static inline int first_error(const struct probe_conf *conf, char error[ERROR_MAX])
{
    struct probe_problems problems = {first_error_say, error};
    error[0] = '\0';
    probe_check(conf, &problems);
    return error[0] == '\0' ? 0 : -1;
}
