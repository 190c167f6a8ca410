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

static void a_probe_affects_who_needs_it_in_whatever_way(void **state)
{
    (void)state;
    affected_probe(&affected, A);
    for (size_t i = 0; i < SERVICES; i++) {
        size_t service = config->service_order[i];
        if (service == WEB || service == ALONE) {
            expect(service);
        }
    }
    expect_none();
}

static void each_comes_once_however_often_it_is_affected(void **state)
{
    (void)state;
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

static void who_is_depended_on_comes_before_who_depends(void **state)
{
    (void)state;
    affected_service(&affected, WEB);
    affected_service(&affected, DNS);
    affected_service(&affected, BASE);
    expect(BASE);
    expect(DNS);
    expect(WEB);
    expect_none();
}

static void a_changed_gate_affects_who_depends_on_it_directly(void **state)
{
    (void)state;
    affected_service(&affected, BASE);
    expect(BASE);
    affected_dependents(&affected, BASE);
    expect(DNS);
    expect_none(); // dns's gate may be as it was
    affected_dependents(&affected, ALONE);
    expect_none();
}

static void many_services_come_in_order_whatever_the_order_of_their_probes(void **state)
{
    (void)state;
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

// ---- deadlines ----

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

static void nothing_is_due_until_it_is_set(void **state)
{
    (void)state;
    assert_true(deadlines_next_ms(&deadlines) == DEADLINE_NEVER);
    assert_true(deadlines_due(&deadlines, UINT64_MAX) == DEADLINES_NONE);
}

static void the_first_is_told_and_comes_when_due_and_once(void **state)
{
    (void)state;
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

static void a_deadline_may_be_put_off_brought_forward_and_dropped(void **state)
{
    (void)state;
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

static void however_they_are_set_they_come_in_order(void **state)
{
    (void)state;
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

#define TEST(name)     cmocka_unit_test_setup_teardown(name, start, stop)
#define DEADLINE(name) cmocka_unit_test_setup_teardown(name, set_deadlines, free_deadlines)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_probe_affects_who_needs_it_in_whatever_way),
        TEST(each_comes_once_however_often_it_is_affected),
        TEST(who_is_depended_on_comes_before_who_depends),
        TEST(a_changed_gate_affects_who_depends_on_it_directly),
        TEST(many_services_come_in_order_whatever_the_order_of_their_probes),
        DEADLINE(nothing_is_due_until_it_is_set),
        DEADLINE(the_first_is_told_and_comes_when_due_and_once),
        DEADLINE(a_deadline_may_be_put_off_brought_forward_and_dropped),
        DEADLINE(however_they_are_set_they_come_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
