// Health: verdicts are settled by rise and fall, and not being able to look is no verdict.
#include "controller/core/health.h"

#include "tests/test.h"

#define VERDICT_EVERY_MS 100
#define BLIND_AFTER_MS   (5000 + 1000 + 500)

static struct probe_conf conf;
static struct health health;
static uint64_t now_ms;

static int start(void **state)
{
    (void)state;
    now_ms = 1000;
    conf = (struct probe_conf){
        .rise = 2, .fall = 3, .interval_ms = 1000, .timeout_ms = 500, .unknown_grace_ms = 5000};
    health_init(&health, now_ms);
    return 0;
}

TEST_FIXTURE(start, NULL);

// One verdict after another: p(ass), d(egraded), f(ail), ! a definitive fail, ? unknown. Returns
// whether the last one changed anything.
static bool say(const char *verdicts)
{
    bool changed = false;
    for (; *verdicts != '\0'; verdicts++) {
        enum verdict_kind kind = *verdicts == 'p'   ? VERDICT_PASS
                                 : *verdicts == 'd' ? VERDICT_DEGRADED
                                 : *verdicts == '?' ? VERDICT_UNKNOWN
                                                    : VERDICT_FAIL;
        now_ms += VERDICT_EVERY_MS;
        changed = health_observe(&health, &conf, kind, *verdicts == '!', now_ms);
    }
    return changed;
}

static bool wait_ms(uint64_t ms)
{
    now_ms += ms;
    return health_tick(&health, &conf, now_ms);
}

TEST(it_is_unknown_until_rise_passes_in_a_row)
{
    assert_int_equal(health.settled, HEALTH_UNKNOWN);
    assert_false(say("p"));
    assert_int_equal(health.settled, HEALTH_UNKNOWN);
    assert_false(say("fp"));
    assert_true(say("p"));
    assert_int_equal(health.settled, HEALTH_UP);
    assert_int_equal(health.since_ms, now_ms);
    assert_false(say("p"));
}

TEST(fewer_than_fall_fails_move_nothing)
{
    say("pp");
    assert_false(say("ff"));
    assert_int_equal(health.settled, HEALTH_UP);
    say("pff");
    assert_int_equal(health.settled, HEALTH_UP);
    assert_true(say("f"));
    assert_int_equal(health.settled, HEALTH_DOWN);
}

TEST(a_pass_among_fails_does_not_lift_it)
{
    say("ppfff");
    say("pfpf");
    assert_int_equal(health.settled, HEALTH_DOWN);
    say("pp");
    assert_int_equal(health.settled, HEALTH_UP);
}

TEST(degraded_for_fall_times_is_degraded)
{
    say("pp");
    say("ddpdd");
    assert_int_equal(health.settled, HEALTH_UP);
    assert_true(say("d"));
    assert_int_equal(health.settled, HEALTH_DEGRADED);
}

TEST(fails_mixed_with_degraded_are_degraded_and_not_down)
{
    say("pp");
    say("fd");
    assert_int_equal(health.settled, HEALTH_UP);
    say("f");
    assert_int_equal(health.settled, HEALTH_DEGRADED);
    say("fdffd");
    assert_int_equal(health.settled, HEALTH_DEGRADED);
}

TEST(passes_mixed_with_degraded_lift_it_only_to_degraded)
{
    say("ppfff");
    say("pd");
    assert_int_equal(health.settled, HEALTH_DEGRADED);
    say("pdpd");
    assert_int_equal(health.settled, HEALTH_DEGRADED);
}

TEST(degraded_ends_by_rise_passes_or_fall_fails)
{
    say("dd");
    assert_int_equal(health.settled, HEALTH_DEGRADED);
    say("pp");
    assert_int_equal(health.settled, HEALTH_UP);
    say("ddd");
    say("ff");
    assert_int_equal(health.settled, HEALTH_DEGRADED);
    say("f");
    assert_int_equal(health.settled, HEALTH_DOWN);
}

TEST(unknown_neither_breaks_a_streak_nor_adds_to_it)
{
    say("pp");
    assert_false(say("ff??????"));
    assert_int_equal(health.settled, HEALTH_UP);
    assert_true(say("f"));
    assert_int_equal(health.settled, HEALTH_DOWN);
    say("p???");
    assert_int_equal(health.settled, HEALTH_DOWN);
    say("p");
    assert_int_equal(health.settled, HEALTH_UP);
}

TEST(unknown_for_ever_makes_it_blind_but_never_down)
{
    say("pp");
    for (unsigned i = 0; i < 1000; i++) {
        say("?");
    }
    assert_true(health.blind);
    assert_int_equal(health.settled, HEALTH_UP);
    assert_int_equal(health_shown(&health), HEALTH_UNKNOWN);
}

TEST(silence_makes_it_blind_after_unknown_grace_and_one_check)
{
    say("pp");
    assert_int_equal(health_next_ms(&health, &conf), now_ms + BLIND_AFTER_MS);
    assert_false(wait_ms(BLIND_AFTER_MS - 1));
    assert_int_equal(health_shown(&health), HEALTH_UP);
    assert_true(wait_ms(1));
    assert_int_equal(health_shown(&health), HEALTH_UNKNOWN);
    assert_false(wait_ms(1));
    assert_true(health_next_ms(&health, &conf) == UINT64_MAX);
}

TEST(what_was_settled_before_blindness_says_nothing_of_now)
{
    say("pp");
    wait_ms(BLIND_AFTER_MS);
    assert_false(say("?"));
    assert_true(health.blind);
    assert_false(say("f")); // known, but not known to be up
    assert_true(health.blind);
    assert_int_equal(health_shown(&health), HEALTH_UNKNOWN);
    assert_false(say("pf"));
    assert_true(health.blind);
    assert_true(say("ff"));
    assert_false(health.blind);
    assert_int_equal(health_shown(&health), HEALTH_DOWN);
}

TEST(rise_passes_end_blindness)
{
    say("pp");
    wait_ms(BLIND_AFTER_MS);
    assert_false(say("p"));
    assert_true(health.blind);
    assert_true(say("p"));
    assert_int_equal(health_shown(&health), HEALTH_UP);
    assert_int_equal(health_next_ms(&health, &conf), now_ms + BLIND_AFTER_MS);
}

TEST(verdicts_from_before_blindness_do_not_count)
{
    say("pppppff");
    wait_ms(BLIND_AFTER_MS);
    assert_false(say("ff"));
    assert_true(health.blind);
    wait_ms(BLIND_AFTER_MS);
    assert_false(say("ff"));
    assert_true(health.blind);
    assert_true(say("f"));
    assert_int_equal(health_shown(&health), HEALTH_DOWN);
}

TEST(a_crash_settles_what_sees_again)
{
    say("pp");
    wait_ms(BLIND_AFTER_MS);
    assert_true(say("!"));
    assert_int_equal(health_shown(&health), HEALTH_DOWN);
}

TEST(a_verdict_that_comes_after_a_long_silence_finds_it_blind)
{
    say("pp");
    now_ms += BLIND_AFTER_MS;
    assert_true(say("p"));
    assert_true(health.blind);
}

TEST(it_is_checked_fast_while_it_settles_anew)
{
    say("pp");
    wait_ms(BLIND_AFTER_MS);
    assert_false(health_unsettled(&health));
    say("p");
    assert_true(health_unsettled(&health));
    say("p");
    assert_false(health_unsettled(&health));
}

TEST(what_is_shown_is_so_since_blindness_began_or_ended)
{
    say("pp");
    wait_ms(BLIND_AFTER_MS);
    uint64_t blind_at_ms = now_ms;
    wait_ms(1000);
    say("p");
    assert_int_equal(health.since_ms, blind_at_ms);
    say("p");
    assert_int_equal(health.since_ms, now_ms);
    conf.crash_grace_ms = UINT64_C(2) * BLIND_AFTER_MS; // a crash is settled while nobody can look
    say("p!");
    wait_ms(BLIND_AFTER_MS);
    blind_at_ms = now_ms;
    wait_ms(BLIND_AFTER_MS);
    assert_int_equal(health.settled, HEALTH_DOWN);
    assert_int_equal(health.since_ms, blind_at_ms);
}

TEST(a_definitive_fail_needs_no_fall)
{
    say("pp");
    assert_true(say("!"));
    assert_int_equal(health.settled, HEALTH_DOWN);
    say("p");
    assert_int_equal(health.settled, HEALTH_DOWN);
    say("p");
    assert_int_equal(health.settled, HEALTH_UP);
}

TEST(crash_grace_is_waited_out_from_the_first_definitive_fail)
{
    conf.crash_grace_ms = 250;
    say("pp");
    assert_false(say("!"));
    assert_int_equal(health_next_ms(&health, &conf), now_ms + 250);
    assert_false(say("!"));
    assert_false(wait_ms(149));
    assert_int_equal(health.settled, HEALTH_UP);
    assert_true(wait_ms(1));
    assert_int_equal(health.settled, HEALTH_DOWN);
}

TEST(fall_does_not_overtake_crash_grace)
{
    conf.crash_grace_ms = 60000;
    say("pp");
    assert_false(say("!ffffffff"));
    assert_int_equal(health.settled, HEALTH_UP);
    assert_true(wait_ms(60000));
    assert_int_equal(health.settled, HEALTH_DOWN);
}

TEST(an_answer_within_crash_grace_calls_the_crash_off)
{
    conf.crash_grace_ms = 250;
    say("pp!d");
    assert_false(wait_ms(1000));
    assert_int_equal(health.settled, HEALTH_UP);
}

TEST(unknown_within_crash_grace_does_not_call_the_crash_off)
{
    conf.crash_grace_ms = 250;
    say("pp!??");
    assert_int_equal(health.settled, HEALTH_UP);
    assert_true(say("?"));
    assert_int_equal(health.settled, HEALTH_DOWN);
}

TEST(it_is_unsettled_while_the_last_verdict_disagrees)
{
    assert_true(health_unsettled(&health));
    say("pp");
    assert_false(health_unsettled(&health));
    say("d");
    assert_true(health_unsettled(&health));
    say("p");
    assert_false(health_unsettled(&health));
    say("fff");
    assert_false(health_unsettled(&health));
    say("d");
    assert_true(health_unsettled(&health));
    say("d");
    assert_false(health_unsettled(&health));
    say("p");
    assert_true(health_unsettled(&health));
}
