// What the tests of the pure core share: a small configuration, BIRD's lines, and a look at the
// orders that came out.
#pragma once

#include "controller/config/load.h"
#include "controller/core/order.h"

#include "birdctl/reply.h"
#include "tests/test.h"

#include <stdio.h>
#include <string.h>

#define PROBE(name) "[probe " name "]\ntype = tcp\ntarget = 127.0.0.1:1\n"

static inline void small_config_problem(void *arg, bool error, const char *line)
{
    (void)arg;
    if (error) {
        print_error("%s\n", line);
    }
}

// more: further keys of [bird], then sections.
static inline struct config *small_config(const char *more)
{
    char text[8192];
    int length =
        snprintf(text, sizeof text, "[pop]\nid = fra1\n[bird]\nlocal_as = 64512\n%s", more);
    assert_in_range(length, 0, sizeof text - 1);
    struct config *config = config_parse("test.conf", text, small_config_problem, NULL);
    assert_non_null(config);
    return config;
}

static inline struct bird_line line_of(unsigned code, const char *text)
{
    return (struct bird_line){
        .kind = BIRD_LINE, .code = code, .text = text, .length = strlen(text)};
}

// The next order is this one; returns its token.
static inline uint64_t expect_order(struct orders *orders, const char *command)
{
    struct order order = {.command = "nothing"};
    orders_take(orders, &order);
    assert_string_equal(order.command, command);
    return order.token;
}

static inline void expect_no_order(struct orders *orders)
{
    struct order order = {.command = ""};
    orders_take(orders, &order);
    assert_string_equal(order.command, "");
}
