// A small configuration and its core, for tests of what shows or changes it.
#pragma once

#include "controller/config/load.h"
#include "controller/core/core.h"
#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIXTURE_NOW_NS  UINT64_C(100000000000)
#define FIXTURE_WALL_MS UINT64_C(1795222208123) // 2026-11-21T00:50:08.123Z
#define FIXTURE_SERVICES                                                                           \
    "[probe dns-udp]\ntype = tcp\ntarget = 127.0.0.1:1\n"                                          \
    "[probe web]\ntype = tcp\ntarget = [::1]:2\n"                                                  \
    "[service dns]\nprefixes = 192.0.2.53/32 2001:db8::53/128\nrequire = dns-udp\n"                \
    "[service token]\nprefixes = 198.51.100.1/32\nrequire = web\ndegrade = dns-udp\n"

struct fixture {
    struct config *config;
    struct events events;
    struct core *core;
};

static inline void fixture_problem(void *arg, bool error, const char *line)
{
    (void)arg;
    if (error) {
        print_error("%s\n", line);
    }
}

// pop_more: further lines of [pop] and whole sections.
static inline struct fixture *fixture_new(const char *pop_more, const char *services)
{
    size_t size = strlen(pop_more) + strlen(services) + 256;
    char *text = malloc(size);
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(text);
    assert_non_null(fixture);
    snprintf(text, size, "[pop]\nid = fra1\nregion = eu\n%s\n[bird]\nlocal_as = 64512\n%s",
             pop_more, services);
    fixture->config = config_parse("test.conf", text, fixture_problem, NULL);
    assert_non_null(fixture->config);
    struct core_start start = {
        .config = fixture->config, .events = &fixture->events, .now_ns = FIXTURE_NOW_NS};
    fixture->core = core_new(&start);
    assert_non_null(fixture->core);
    free(text);
    return fixture;
}

static inline void fixture_free(struct fixture *fixture)
{
    core_free(fixture->core);
    config_free(fixture->config);
    free(fixture);
}

// BIRD says that there are these sessions, all established.
static inline void fixture_sessions(struct fixture *fixture, const char *const *names, size_t count)
{
    observed_snapshot_begin(fixture->core->observed);
    for (size_t i = 0; i < count; i++) {
        struct bird_protocol row = {.type = "BGP", .up = true, .established = true};
        snprintf(row.name, sizeof row.name, "%s", names[i]);
        observed_row(fixture->core->observed, &row);
    }
    assert_true(observed_snapshot_end(fixture->core->observed));
}
