// What the tests of configuration files share: a small file, its mistakes, and one that must be its
// only one.
#pragma once

#include "controller/config/build.h"
#include "dns/text.h"
#include "tests/test.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HEAD                                                                                       \
    "[pop]\nid = fra1\n[bird]\nlocal_as = 64512\n"                                                 \
    "[probe p]\ntype = tcp\ntarget = 192.0.2.53:53\n" // seven lines

#define SERVICE "[service dns]\nprefixes = 192.0.2.53/32\nrequire = p\n"

static char told[16384];
static size_t errors, warnings;

static inline void hear(void *arg, bool error, const char *line)
{
    (void)arg;
    size_t used = strlen(told);
    snprintf(told + used, sizeof told - used, "%s\n", line);
    errors += error;
    warnings += !error;
}

static inline void forget(void)
{
    told[0] = '\0';
    errors = warnings = 0;
}

static inline struct config *parse(const char *text)
{
    forget();
    return config_parse("f", text, hear, NULL);
}

static inline struct config *parse_good(const char *text)
{
    struct config *config = parse(text);
    if (config == NULL || errors || warnings) {
        print_message("%s", told);
    }
    assert_non_null(config);
    assert_int_equal(errors + warnings, 0);
    return config;
}

// The text has this one error and no other.
static inline void assert_error(const char *text, const char *line)
{
    struct config *config = parse(text);
    if (config != NULL || errors != 1 || strstr(told, line) == NULL) {
        print_message("wanted: %s\ntold: %s", line, told);
    }
    assert_null(config);
    assert_int_equal(errors, 1);
    assert_non_null(strstr(told, line));
}

static inline void assert_warning(const char *text, const char *line)
{
    struct config *config = parse(text);
    assert_non_null(config);
    assert_int_equal(errors, 0);
    assert_non_null(strstr(told, line));
    config_free(config);
}
