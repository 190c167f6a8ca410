// The clock probe's judgement of what the kernel says, and the kernel itself.
#include "probes/clock.h"
#include "tests/unit/probe_fixture.h"

static struct verdict judge(int state, struct timex time, uint64_t max_offset_ms)
{
    struct verdict verdict = {.kind = VERDICT_UNKNOWN};
    clock_judge(state, &time, max_offset_ms, &verdict);
    return verdict;
}

TEST(a_synchronised_clock_passes_with_its_offset)
{
    struct verdict verdict = judge(TIME_OK, (struct timex){.offset = -1500, .esterror = 200}, 100);
    assert_verdict(&verdict, VERDICT_PASS, "ok", "offset -1.500ms, estimated error 0.200ms");
}

TEST(an_unsynchronised_clock_fails)
{
    struct verdict verdict = judge(TIME_ERROR, (struct timex){.status = STA_UNSYNC}, 100);
    assert_verdict(&verdict, VERDICT_FAIL, "unsynchronised", "is not synchronised");
    verdict = judge(TIME_OK, (struct timex){.status = STA_UNSYNC}, 100);
    assert_verdict(&verdict, VERDICT_FAIL, "unsynchronised", "is not synchronised");
    verdict = judge(TIME_ERROR, (struct timex){.status = 0}, 100);
    assert_verdict(&verdict, VERDICT_FAIL, "unsynchronised", "is not synchronised");
}

TEST(an_offset_of_either_sign_beyond_max_offset_fails)
{
    struct verdict verdict = judge(TIME_OK, (struct timex){.offset = 100001}, 100);
    assert_verdict(&verdict, VERDICT_FAIL, "offset", "but off by 100.001ms at most");
    verdict = judge(TIME_OK, (struct timex){.offset = -100001}, 100);
    assert_verdict(&verdict, VERDICT_FAIL, "offset", "max_offset 100ms");
    verdict = judge(TIME_OK, (struct timex){.offset = 100000}, 100);
    assert_int_equal(verdict.kind, VERDICT_PASS);
}

TEST(an_estimated_error_beyond_max_offset_fails)
{
    struct verdict verdict = judge(TIME_OK, (struct timex){.esterror = 250000}, 100);
    assert_verdict(&verdict, VERDICT_FAIL, "offset", "estimated error 250.000ms");
}

TEST(a_kernel_that_counts_nanoseconds_is_understood)
{
    struct timex time = {.offset = 99000000, .status = STA_NANO | STA_PLL};
    struct verdict verdict = judge(TIME_OK, time, 100);
    assert_verdict(&verdict, VERDICT_PASS, "ok", "offset +99.000ms");
    time.offset = 101000000;
    verdict = judge(TIME_OK, time, 100);
    assert_verdict(&verdict, VERDICT_FAIL, "offset", "offset +101.000ms");
}

TEST(a_leap_second_is_no_trouble)
{
    static const int states[] = {TIME_INS, TIME_DEL, TIME_OOP, TIME_WAIT};
    for (size_t i = 0; i < sizeof states / sizeof *states; i++) {
        struct verdict verdict = judge(states[i], (struct timex){.status = 0}, 100);
        assert_int_equal(verdict.kind, VERDICT_PASS);
    }
}

TEST(the_kernel_is_asked_without_privilege)
{
    struct fixture fixture;
    struct timex now = {.modes = 0};
    int said = adjtimex(&now);
    assert_true(said >= 0);
    fixture_open(&fixture, "clock");
    fixture_set(&fixture, "max_offset", "16s");
    const struct verdict *verdict = fixture_run(&fixture, 1);
    bool synchronised = said != TIME_ERROR && !(now.status & STA_UNSYNC);
    assert_int_equal(verdict->kind, synchronised ? VERDICT_PASS : VERDICT_FAIL);
    fixture_close(&fixture);
}
