// The decision: what health allows, damped, under the operator's intent.
#include "controller/core/decision.h"

#include "tests/test.h"

#define HOLD_MS     UINT64_C(10000)
#define MAX_HOLD_MS UINT64_C(60000)
#define GRACE_MS    UINT64_C(30000)
#define ADOPT_MS    UINT64_C(20000)

static struct service_conf conf;
static struct decision decision;
static struct intent intent;
static struct gate gate;
static uint64_t now_ms;

static int start(void **state)
{
    (void)state;
    now_ms = 5000;
    conf = (struct service_conf){.hold_down_ms = HOLD_MS,
                                 .max_hold_down_ms = MAX_HOLD_MS,
                                 .grace_ms = GRACE_MS,
                                 .adopt_grace_ms = ADOPT_MS,
                                 .on_unknown = ON_UNKNOWN_HOLD};
    intent = (struct intent){.kind = INTENT_AUTO};
    gate = (struct gate){.state = GATE_UNKNOWN, .probe = 0, .service = GATE_NOBODY};
    decision_init(&decision, 0, now_ms);
    return 0;
}

TEST_FIXTURE(start, NULL);

static bool step(void)
{
    return decision_step(&decision, &conf, &gate, &intent, now_ms);
}

static void gate_becomes(enum gate_state state)
{
    gate.state = state;
    step();
}

static void pass_ms(uint64_t ms)
{
    now_ms += ms;
    step();
}

static void operator_says(enum intent_kind kind)
{
    intent = (struct intent){.kind = kind, .since_ms = now_ms, .grace_ms = GRACE_MS};
    step();
}

static void expect(enum target target, enum cause cause)
{
    assert_string_equal(target_name(decision.target), target_name(target));
    assert_string_equal(cause_name(decision.cause), cause_name(cause));
}

// Nothing but the hold_down stands in the way, and it lasts exactly so long.
static void expect_announced_after(uint64_t ms)
{
    expect(TARGET_WITHDRAW, CAUSE_HOLD_DOWN);
    assert_int_equal(decision_next_ms(&decision, &conf, &intent, now_ms), now_ms + ms);
    pass_ms(ms - 1);
    expect(TARGET_WITHDRAW, CAUSE_HOLD_DOWN);
    pass_ms(1);
    expect(TARGET_ANNOUNCE, CAUSE_HEALTHY);
}

static void fail_and_recover(uint64_t up_ms)
{
    gate_becomes(GATE_CLOSED);
    pass_ms(1);
    gate_becomes(GATE_OPEN);
    pass_ms(decision_hold_down_ms(&decision, &conf));
    expect(TARGET_ANNOUNCE, CAUSE_HEALTHY);
    pass_ms(up_ms);
}

TEST(the_first_announcement_waits_for_health_and_for_nothing_else)
{
    assert_false(step());
    expect(TARGET_WITHDRAW, CAUSE_START);
    gate.state = GATE_OPEN;
    assert_true(step());
    expect(TARGET_ANNOUNCE, CAUSE_HEALTHY);
    assert_int_equal(decision.since_ms, now_ms);
    assert_false(step());
}

TEST(a_closed_gate_withdraws_at_once)
{
    gate_becomes(GATE_OPEN);
    gate_becomes(GATE_CLOSED);
    expect(TARGET_WITHDRAW, CAUSE_UNHEALTHY);
}

TEST(a_degraded_gate_depreferences_at_once)
{
    gate_becomes(GATE_OPEN);
    gate_becomes(GATE_DEGRADED);
    expect(TARGET_DEPREFERENCE, CAUSE_DEGRADED);
}

TEST(hold_down_counts_from_when_the_gate_is_good_again)
{
    gate_becomes(GATE_OPEN);
    gate_becomes(GATE_CLOSED);
    pass_ms(HOLD_MS * 3);
    gate_becomes(GATE_OPEN);
    expect_announced_after(HOLD_MS);
}

TEST(hold_down_begins_anew_after_a_break)
{
    gate_becomes(GATE_OPEN);
    gate_becomes(GATE_CLOSED);
    gate_becomes(GATE_OPEN);
    pass_ms(HOLD_MS - 1);
    gate_becomes(GATE_CLOSED);
    expect(TARGET_WITHDRAW, CAUSE_UNHEALTHY);
    gate_becomes(GATE_OPEN);
    expect_announced_after(HOLD_MS);
}

TEST(being_only_degraded_does_not_count_for_announcing)
{
    gate_becomes(GATE_OPEN);
    gate_becomes(GATE_CLOSED);
    gate_becomes(GATE_DEGRADED);
    pass_ms(HOLD_MS);
    expect(TARGET_DEPREFERENCE, CAUSE_DEGRADED);
    pass_ms(HOLD_MS);
    gate_becomes(GATE_OPEN);
    expect(TARGET_DEPREFERENCE, CAUSE_HOLD_DOWN);
    pass_ms(HOLD_MS);
    expect(TARGET_ANNOUNCE, CAUSE_HEALTHY);
}

TEST(unknown_is_a_break_in_being_good)
{
    gate_becomes(GATE_OPEN);
    gate_becomes(GATE_CLOSED);
    gate_becomes(GATE_OPEN);
    pass_ms(HOLD_MS - 1);
    gate_becomes(GATE_UNKNOWN);
    gate_becomes(GATE_OPEN);
    expect_announced_after(HOLD_MS);
}

TEST(hold_down_doubles_with_each_withdrawal_up_to_the_maximum)
{
    static const uint64_t expected[] = {HOLD_MS, 2 * HOLD_MS, 4 * HOLD_MS, MAX_HOLD_MS};
    gate_becomes(GATE_OPEN);
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        gate_becomes(GATE_CLOSED);
        assert_int_equal(decision_hold_down_ms(&decision, &conf), expected[i]);
        gate_becomes(GATE_OPEN);
        expect_announced_after(expected[i]);
    }
}

TEST(withdrawals_are_forgotten_after_max_hold_down_of_one_state)
{
    gate_becomes(GATE_OPEN);
    fail_and_recover(1);
    fail_and_recover(MAX_HOLD_MS - 1);
    assert_int_equal(decision.recent, 2);
    pass_ms(1);
    assert_int_equal(decision.recent, 0);
}

TEST(a_long_outage_still_leaves_one_hold_down_to_wait)
{
    gate_becomes(GATE_OPEN);
    fail_and_recover(1);
    fail_and_recover(1);
    gate_becomes(GATE_CLOSED);
    pass_ms(10 * MAX_HOLD_MS);
    gate_becomes(GATE_OPEN);
    expect_announced_after(HOLD_MS);
}

TEST(what_the_boot_remembers_is_waited_out)
{
    decision_init(&decision, 2, now_ms);
    gate_becomes(GATE_OPEN);
    expect_announced_after(2 * HOLD_MS);
}

TEST(no_hold_down_means_none_however_often_it_fell)
{
    conf.hold_down_ms = 0;
    decision_init(&decision, UINT64_MAX / 2, now_ms);
    gate_becomes(GATE_OPEN);
    expect(TARGET_ANNOUNCE, CAUSE_HEALTHY);
}

TEST(unknown_never_improves_anything)
{
    gate_becomes(GATE_OPEN);
    gate_becomes(GATE_CLOSED);
    gate_becomes(GATE_UNKNOWN);
    pass_ms(10 * MAX_HOLD_MS);
    assert_int_equal(decision.target, TARGET_WITHDRAW);
}

TEST(what_was_announced_stays_while_unknown_is_held)
{
    gate_becomes(GATE_OPEN);
    gate_becomes(GATE_UNKNOWN);
    pass_ms(10 * MAX_HOLD_MS);
    assert_int_equal(decision.target, TARGET_ANNOUNCE);
}

TEST(on_unknown_withdraw_withdraws)
{
    conf.on_unknown = ON_UNKNOWN_WITHDRAW;
    gate_becomes(GATE_OPEN);
    gate_becomes(GATE_UNKNOWN);
    expect(TARGET_WITHDRAW, CAUSE_UNKNOWN);
}

TEST(a_gate_closed_for_blindness_is_called_unknown)
{
    gate_becomes(GATE_OPEN);
    gate.blind = true;
    gate_becomes(GATE_CLOSED);
    expect(TARGET_WITHDRAW, CAUSE_UNKNOWN);
}

TEST(a_drain_depreferences_for_its_grace_and_then_withdraws)
{
    gate_becomes(GATE_OPEN);
    operator_says(INTENT_DRAIN);
    expect(TARGET_DEPREFERENCE, CAUSE_DRAIN);
    assert_int_equal(decision_next_ms(&decision, &conf, &intent, now_ms), now_ms + GRACE_MS);
    pass_ms(GRACE_MS - 1);
    expect(TARGET_DEPREFERENCE, CAUSE_DRAIN);
    pass_ms(1);
    expect(TARGET_WITHDRAW, CAUSE_DRAIN);
}

TEST(a_drain_never_announces_what_is_unhealthy)
{
    gate_becomes(GATE_CLOSED);
    operator_says(INTENT_DRAIN);
    expect(TARGET_WITHDRAW, CAUSE_UNHEALTHY);
}

TEST(undraining_is_at_once_when_it_was_healthy_all_the_time)
{
    gate_becomes(GATE_OPEN);
    operator_says(INTENT_DRAIN);
    pass_ms(GRACE_MS * 2);
    operator_says(INTENT_AUTO);
    expect(TARGET_ANNOUNCE, CAUSE_HEALTHY);
    assert_int_equal(decision.recent, 0);
}

TEST(undraining_waits_for_what_is_left_of_hold_down)
{
    gate_becomes(GATE_OPEN);
    operator_says(INTENT_DRAIN);
    gate_becomes(GATE_CLOSED);
    gate_becomes(GATE_OPEN);
    pass_ms(HOLD_MS / 2);
    operator_says(INTENT_AUTO);
    expect_announced_after(HOLD_MS / 2);
}

TEST(isolation_withdraws_this_instant_whatever_the_health)
{
    gate_becomes(GATE_OPEN);
    operator_says(INTENT_ISOLATE);
    expect(TARGET_WITHDRAW, CAUSE_ISOLATE);
    pass_ms(10 * MAX_HOLD_MS);
    expect(TARGET_WITHDRAW, CAUSE_ISOLATE);
}

TEST(a_pin_announces_whatever_the_health)
{
    gate_becomes(GATE_CLOSED);
    operator_says(INTENT_PIN);
    expect(TARGET_ANNOUNCE, CAUSE_PIN);
    operator_says(INTENT_AUTO);
    expect(TARGET_WITHDRAW, CAUSE_UNHEALTHY);
}

TEST(an_intent_expires_at_its_time_and_auto_never)
{
    intent = (struct intent){.kind = INTENT_PIN, .until_ms = 9000};
    assert_false(intent_expired(&intent, 8999));
    assert_true(intent_expired(&intent, 9000));
    intent.until_ms = 0;
    assert_false(intent_expired(&intent, UINT64_MAX));
    intent = (struct intent){.kind = INTENT_AUTO, .until_ms = 1};
    assert_false(intent_expired(&intent, 9000));
}

TEST(the_end_of_an_intent_is_something_to_wake_up_for)
{
    gate_becomes(GATE_OPEN);
    intent = (struct intent){.kind = INTENT_PIN, .until_ms = now_ms + 77};
    assert_int_equal(decision_next_ms(&decision, &conf, &intent, now_ms), now_ms + 77);
    intent.kind = INTENT_AUTO;
    intent.until_ms = 0;
    assert_true(decision_next_ms(&decision, &conf, &intent, now_ms) == UINT64_MAX);
}

TEST(what_is_adopted_stays_until_there_is_evidence)
{
    conf.on_unknown = ON_UNKNOWN_WITHDRAW;
    decision_adopt(&decision, &conf, TARGET_ANNOUNCE, now_ms);
    assert_false(step());
    expect(TARGET_ANNOUNCE, CAUSE_ADOPTED);
    gate_becomes(GATE_CLOSED);
    expect(TARGET_WITHDRAW, CAUSE_UNHEALTHY);
}

TEST(adoption_ends_with_adopt_grace_when_unknown_is_not_held)
{
    conf.on_unknown = ON_UNKNOWN_WITHDRAW;
    decision_adopt(&decision, &conf, TARGET_ANNOUNCE, now_ms);
    step();
    assert_int_equal(decision_next_ms(&decision, &conf, &intent, now_ms), now_ms + ADOPT_MS);
    pass_ms(ADOPT_MS - 1);
    expect(TARGET_ANNOUNCE, CAUSE_ADOPTED);
    pass_ms(1);
    assert_int_equal(decision.target, TARGET_WITHDRAW);
}

TEST(adoption_ends_with_adopt_grace_though_unknown_is_held)
{
    decision_adopt(&decision, &conf, TARGET_DEPREFERENCE, now_ms);
    pass_ms(ADOPT_MS - 1);
    expect(TARGET_DEPREFERENCE, CAUSE_ADOPTED);
    pass_ms(1);
    expect(TARGET_WITHDRAW, CAUSE_UNKNOWN);
    pass_ms(1);
    expect(TARGET_WITHDRAW, CAUSE_UNKNOWN);
    gate_becomes(GATE_OPEN);
    expect_announced_after(HOLD_MS);
}

TEST(what_was_known_healthy_is_held_over_a_reload)
{
    gate_becomes(GATE_OPEN);
    decision_keep(&decision, &conf, now_ms);
    gate_becomes(GATE_UNKNOWN);
    pass_ms(ADOPT_MS * 10);
    expect(TARGET_ANNOUNCE, CAUSE_ADOPTED);
}

TEST(and_for_adopt_grace_when_unknown_is_not_held)
{
    conf.on_unknown = ON_UNKNOWN_WITHDRAW;
    gate_becomes(GATE_OPEN);
    decision_keep(&decision, &conf, now_ms);
    gate_becomes(GATE_UNKNOWN);
    pass_ms(ADOPT_MS - 1);
    expect(TARGET_ANNOUNCE, CAUSE_ADOPTED);
    pass_ms(1);
    expect(TARGET_WITHDRAW, CAUSE_UNKNOWN);
}

TEST(reloads_do_not_lengthen_an_adoption)
{
    static const int settings[] = {ON_UNKNOWN_HOLD, ON_UNKNOWN_WITHDRAW};
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        conf.on_unknown = settings[i];
        decision_init(&decision, 0, now_ms);
        decision_adopt(&decision, &conf, TARGET_ANNOUNCE, now_ms);
        pass_ms(ADOPT_MS - 1);
        decision_keep(&decision, &conf, now_ms);
        expect(TARGET_ANNOUNCE, CAUSE_ADOPTED);
        pass_ms(1);
        expect(TARGET_WITHDRAW, CAUSE_UNKNOWN);
    }
}

TEST(a_reload_with_a_shorter_adopt_grace_shortens_an_adoption)
{
    decision_adopt(&decision, &conf, TARGET_ANNOUNCE, now_ms);
    pass_ms(1);
    conf.adopt_grace_ms = 10;
    decision_keep(&decision, &conf, now_ms);
    pass_ms(9);
    expect(TARGET_ANNOUNCE, CAUSE_ADOPTED);
    pass_ms(1);
    expect(TARGET_WITHDRAW, CAUSE_UNKNOWN);
}

TEST(holding_over_a_reload_ends_when_a_reload_says_so)
{
    gate_becomes(GATE_OPEN);
    decision_keep(&decision, &conf, now_ms);
    gate_becomes(GATE_UNKNOWN);
    conf.on_unknown = ON_UNKNOWN_WITHDRAW;
    decision_keep(&decision, &conf, now_ms);
    step();
    expect(TARGET_ANNOUNCE, CAUSE_ADOPTED);
    pass_ms(ADOPT_MS);
    expect(TARGET_WITHDRAW, CAUSE_UNKNOWN);
}

TEST(and_is_not_over_when_a_reload_says_hold)
{
    conf.on_unknown = ON_UNKNOWN_WITHDRAW;
    gate_becomes(GATE_OPEN);
    decision_keep(&decision, &conf, now_ms);
    gate_becomes(GATE_UNKNOWN);
    conf.on_unknown = ON_UNKNOWN_HOLD;
    decision_keep(&decision, &conf, now_ms);
    pass_ms(ADOPT_MS * 10);
    expect(TARGET_ANNOUNCE, CAUSE_ADOPTED);
}

TEST(adopted_and_found_healthy_it_just_goes_on)
{
    decision_adopt(&decision, &conf, TARGET_ANNOUNCE, now_ms);
    step();
    gate.state = GATE_OPEN;
    assert_false(step());
    expect(TARGET_ANNOUNCE, CAUSE_HEALTHY);
    assert_false(decision.adopted);
}

TEST(what_bird_turns_out_not_to_have_waits_like_a_withdrawal)
{
    decision_adopt(&decision, &conf, TARGET_ANNOUNCE, now_ms);
    step();
    decision_disown(&decision, now_ms);
    step();
    expect(TARGET_WITHDRAW, CAUSE_START);
    gate_becomes(GATE_OPEN);
    expect_announced_after(HOLD_MS);
}

TEST(the_time_of_being_adopted_does_not_count_as_being_good)
{
    decision_adopt(&decision, &conf, TARGET_ANNOUNCE, now_ms);
    step();
    pass_ms(HOLD_MS);
    decision_disown(&decision, now_ms);
    gate_becomes(GATE_OPEN);
    expect_announced_after(HOLD_MS);
}
