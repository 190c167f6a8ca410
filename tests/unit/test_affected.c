// Who is to be decided anew, and who is next to be looked at: only those whom it concerns, in
// order.
#include "controller/core/affected.h"
#include "controller/core/deadlines.h"

#include "tests/unit/small_config.h"

#include <stdlib.h>

// In the file's order, which is not that of dependence: web depends on dns, which depends on base.
enum { WEB, DNS, BASE, ALONE, SERVICES };
enum { A, B, C };

static struct config *config;
static struct affected affected;
static struct deadlines deadlines;

static int start(void **state)
{
    (void)state;
    config = small_config(PROBE("a") PROBE("b") PROBE(
        "c") "[service web]\nprefixes = 192.0.2.1/32\nrequire = a b\ndepends = dns\n"
             "[service dns]\nprefixes = 192.0.2.2/32\nany = b c\ndegrade = b\n"
             "depends = base\n"
             "[service base]\nprefixes = 192.0.2.3/32\nrequire = c\n"
             "[service alone]\nprefixes = 192.0.2.4/32\nrequire = c\ndegrade = a\n");
    assert_true(affected_init(&affected, config));
    return 0;
}

static int stop(void **state)
{
    (void)state;
    affected_free(&affected);
    config_free(config);
    return 0;
}

TEST_FIXTURE(start, stop);

static void expect(size_t service)
{
    size_t taken = SERVICES;
    assert_true(affected_take(&affected, &taken));
    assert_int_equal(taken, service);
}

static void expect_none(void)
{
    size_t taken;
    assert_false(affected_take(&affected, &taken));
}

TEST(a_probe_affects_who_needs_it_in_whatever_way)
{
    affected_probe(&affected, A);
    for (size_t i = 0; i < SERVICES; i++) {
        size_t service = config->service_order[i];
        if (service == WEB || service == ALONE) {
            expect(service);
        }
    }
    expect_none();
}

TEST(each_comes_once_however_often_it_is_affected)
{
    affected_probe(&affected, B); // dns needs it in two ways
    affected_service(&affected, DNS);
    affected_probe(&affected, B);
    expect(DNS);
    expect(WEB);
    expect_none();
    affected_service(&affected, DNS);
    expect(DNS);
    expect_none();
}

TEST(who_is_depended_on_comes_before_who_depends)
{
    affected_service(&affected, WEB);
    affected_service(&affected, DNS);
    affected_service(&affected, BASE);
    expect(BASE);
    expect(DNS);
    expect(WEB);
    expect_none();
}

TEST(a_changed_gate_affects_who_depends_on_it_directly)
{
    affected_service(&affected, BASE);
    expect(BASE);
    affected_dependents(&affected, BASE);
    expect(DNS);
    expect_none(); // dns's gate may be as it was
    affected_dependents(&affected, ALONE);
    expect_none();
}

TEST(many_services_come_in_order_whatever_the_order_of_their_probes)
{
    enum { MANY = 40 };
    char text[4000] = PROBE("a");
    for (unsigned i = 0; i < MANY; i++) {
        size_t used = strlen(text);
        snprintf(text + used, sizeof text - used,
                 "[service s%u]\nprefixes = 10.0.0.%u/32\nrequire = a\n", i, i);
    }
    affected_free(&affected);
    config_free(config);
    config = small_config(text);
    assert_true(affected_init(&affected, config));
    for (unsigned i = 0; i < MANY; i++) {
        affected_service(&affected, (i * 17 + 5) % MANY);
    }
    for (unsigned i = 0; i < MANY; i++) {
        expect(config->service_order[i]);
    }
    expect_none();
}

// ---- Deadlines

static int set_deadlines(void **state)
{
    (void)state;
    assert_true(deadlines_init(&deadlines, 50));
    return 0;
}

static int free_deadlines(void **state)
{
    (void)state;
    deadlines_free(&deadlines);
    return 0;
}

#define DEADLINE_TEST(name) TEST_WITH(name, set_deadlines, free_deadlines)

DEADLINE_TEST(nothing_is_due_until_it_is_set)
{
    assert_true(deadlines_next_ms(&deadlines) == DEADLINE_NEVER);
    assert_true(deadlines_due(&deadlines, UINT64_MAX) == DEADLINES_NONE);
}

DEADLINE_TEST(the_first_is_told_and_comes_when_due_and_once)
{
    deadlines_set(&deadlines, 7, 300);
    deadlines_set(&deadlines, 3, 100);
    deadlines_set(&deadlines, 9, 200);
    assert_int_equal(deadlines_next_ms(&deadlines), 100);
    assert_true(deadlines_due(&deadlines, 99) == DEADLINES_NONE);
    assert_int_equal(deadlines_due(&deadlines, 200), 3);
    assert_int_equal(deadlines_due(&deadlines, 200), 9);
    assert_true(deadlines_due(&deadlines, 200) == DEADLINES_NONE);
    assert_int_equal(deadlines_next_ms(&deadlines), 300);
}

DEADLINE_TEST(a_deadline_may_be_put_off_brought_forward_and_dropped)
{
    deadlines_set(&deadlines, 1, 100);
    deadlines_set(&deadlines, 2, 200);
    deadlines_set(&deadlines, 1, 300);
    assert_int_equal(deadlines_next_ms(&deadlines), 200);
    deadlines_set(&deadlines, 1, 50);
    assert_int_equal(deadlines_next_ms(&deadlines), 50);
    deadlines_set(&deadlines, 1, DEADLINE_NEVER);
    assert_int_equal(deadlines_due(&deadlines, 1000), 2);
    assert_true(deadlines_due(&deadlines, 1000) == DEADLINES_NONE);
}

DEADLINE_TEST(however_they_are_set_they_come_in_order)
{
    for (size_t round = 0; round < 3; round++) {
        for (size_t i = 0; i < 50; i++) {
            deadlines_set(&deadlines, (i * 13 + round) % 50, (i * 29 + round) % 50 + 1);
        }
    }
    for (uint64_t at_ms = 1; at_ms <= 50; at_ms++) {
        assert_int_equal(deadlines_next_ms(&deadlines), at_ms);
        assert_true(deadlines_due(&deadlines, at_ms) != DEADLINES_NONE);
    }
    assert_true(deadlines_due(&deadlines, 1000) == DEADLINES_NONE);
}
