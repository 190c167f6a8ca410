// How popgated is restarted: at once while that may help, and slowly, but for ever, when it does
// not.
#include "controller/daemon/restarts.h"

#include "tests/test.h"

#include <string.h>

#define START_MS UINT64_C(1000000)

// So many ends, each so long after the one before, as they go through the file.
static bool ends(struct restarts *restarts, uint64_t *now_ms, unsigned count, uint64_t every_ms)
{
    bool slow = false;
    for (unsigned i = 0; i < count; i++) {
        char text[RESTARTS_TEXT_MAX];
        *now_ms += every_ms;
        restarts_text(restarts, text);
        restarts_parse(text, *now_ms, restarts);
        slow = restarts_ended(restarts, *now_ms);
    }
    return slow;
}

TEST(a_few_ends_are_no_reason_to_wait)
{
    struct restarts restarts = {.count = 0};
    uint64_t now_ms = START_MS;
    assert_false(ends(&restarts, &now_ms, RESTARTS_QUICK - 1, 60));
}

TEST(ends_one_after_the_other_are)
{
    struct restarts restarts = {.count = 0};
    uint64_t now_ms = START_MS;
    assert_true(ends(&restarts, &now_ms, RESTARTS_QUICK, 60));
}

TEST(it_stays_slow_for_as_long_as_starts_fail)
{
    struct restarts restarts = {.count = 0};
    uint64_t now_ms = START_MS;
    assert_true(ends(&restarts, &now_ms, RESTARTS_QUICK, 60));
    for (unsigned i = 0; i < 1000; i++) {
        assert_true(ends(&restarts, &now_ms, 1, RESTARTS_CALM_MS - 1));
    }
}

TEST(after_a_run_that_lasted_it_is_quick_again)
{
    struct restarts restarts = {.count = 0};
    uint64_t now_ms = START_MS;
    assert_true(ends(&restarts, &now_ms, RESTARTS_QUICK, 60));
    assert_false(ends(&restarts, &now_ms, 1, RESTARTS_CALM_MS));
    assert_false(ends(&restarts, &now_ms, RESTARTS_QUICK - 2, 60));
    assert_true(ends(&restarts, &now_ms, 1, 60));
}

TEST(rare_crashes_stay_quick_for_ever)
{
    struct restarts restarts = {.count = 0};
    uint64_t now_ms = START_MS;
    assert_false(ends(&restarts, &now_ms, 1000, RESTARTS_WITHIN_MS / (RESTARTS_QUICK - 1) + 1));
}

TEST(what_is_damaged_or_of_another_boot_is_forgotten)
{
    static const char *const texts[] = {"",         "slow",         "slow x",
                                        "slow 5 4", "slow 2000001", "quick 1 "};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct restarts restarts;
        restarts_parse(texts[i], 2000000, &restarts);
        assert_int_equal(restarts.count, 0);
        assert_false(restarts.slow);
    }
}
