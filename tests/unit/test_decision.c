// The decision: what health allows, damped, under the operator's intent.
#include "controller/core/decision.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

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

static void the_first_announcement_waits_for_health_and_for_nothing_else(void **state)
{
    (void)state;
    assert_false(step());
    expect(TARGET_WITHDRAW, CAUSE_START);
    gate.state = GATE_OPEN;
    assert_true(step());
    expect(TARGET_ANNOUNCE, CAUSE_HEALTHY);
    assert_int_equal(decision.since_ms, now_ms);
    assert_false(step());
}

static void a_closed_gate_withdraws_at_once(void **state)
{
    (void)state;
    gate_becomes(GATE_OPEN);
    gate_becomes(GATE_CLOSED);
    expect(TARGET_WITHDRAW, CAUSE_UNHEALTHY);
}

static void a_degraded_gate_depreferences_at_once(void **state)
{
    (void)state;
    gate_becomes(GATE_OPEN);
    gate_becomes(GATE_DEGRADED);
    expect(TARGET_DEPREFERENCE, CAUSE_DEGRADED);
}

static void hold_down_counts_from_when_the_gate_is_good_again(void **state)
{
    (void)state;
    gate_becomes(GATE_OPEN);
    gate_becomes(GATE_CLOSED);
    pass_ms(HOLD_MS * 3);
    gate_becomes(GATE_OPEN);
    expect_announced_after(HOLD_MS);
}

static void hold_down_begins_anew_after_a_break(void **state)
{
    (void)state;
    gate_becomes(GATE_OPEN);
    gate_becomes(GATE_CLOSED);
    gate_becomes(GATE_OPEN);
    pass_ms(HOLD_MS - 1);
    gate_becomes(GATE_CLOSED);
    expect(TARGET_WITHDRAW, CAUSE_UNHEALTHY);
    gate_becomes(GATE_OPEN);
    expect_announced_after(HOLD_MS);
}

static void being_only_degraded_does_not_count_for_announcing(void **state)
{
    (void)state;
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

static void unknown_is_a_break_in_being_good(void **state)
{
    (void)state;
    gate_becomes(GATE_OPEN);
    gate_becomes(GATE_CLOSED);
    gate_becomes(GATE_OPEN);
    pass_ms(HOLD_MS - 1);
    gate_becomes(GATE_UNKNOWN);
    gate_becomes(GATE_OPEN);
    expect_announced_after(HOLD_MS);
}

static void hold_down_doubles_with_each_withdrawal_up_to_the_maximum(void **state)
{
    (void)state;
    static const uint64_t expected[] = {HOLD_MS, 2 * HOLD_MS, 4 * HOLD_MS, MAX_HOLD_MS};
    gate_becomes(GATE_OPEN);
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        gate_becomes(GATE_CLOSED);
        assert_int_equal(decision_hold_down_ms(&decision, &conf), expected[i]);
        gate_becomes(GATE_OPEN);
        expect_announced_after(expected[i]);
    }
}

static void withdrawals_are_forgotten_after_max_hold_down_of_one_state(void **state)
{
    (void)state;
    gate_becomes(GATE_OPEN);
    fail_and_recover(1);
    fail_and_recover(MAX_HOLD_MS - 1);
    assert_int_equal(decision.recent, 2);
    pass_ms(1);
    assert_int_equal(decision.recent, 0);
}

static void a_long_outage_still_leaves_one_hold_down_to_wait(void **state)
{
    (void)state;
    gate_becomes(GATE_OPEN);
    fail_and_recover(1);
    fail_and_recover(1);
    gate_becomes(GATE_CLOSED);
    pass_ms(10 * MAX_HOLD_MS);
    gate_becomes(GATE_OPEN);
    expect_announced_after(HOLD_MS);
}

static void what_the_boot_remembers_is_waited_out(void **state)
{
    (void)state;
    decision_init(&decision, 2, now_ms);
    gate_becomes(GATE_OPEN);
    expect_announced_after(2 * HOLD_MS);
}

static void no_hold_down_means_none_however_often_it_fell(void **state)
{
    (void)state;
    conf.hold_down_ms = 0;
    decision_init(&decision, UINT64_MAX / 2, now_ms);
    gate_becomes(GATE_OPEN);
    expect(TARGET_ANNOUNCE, CAUSE_HEALTHY);
}

static void unknown_never_improves_anything(void **state)
{
    (void)state;
    gate_becomes(GATE_OPEN);
    gate_becomes(GATE_CLOSED);
    gate_becomes(GATE_UNKNOWN);
    pass_ms(10 * MAX_HOLD_MS);
    assert_int_equal(decision.target, TARGET_WITHDRAW);
}

static void what_was_announced_stays_while_unknown_is_held(void **state)
{
    (void)state;
    gate_becomes(GATE_OPEN);
    gate_becomes(GATE_UNKNOWN);
    pass_ms(10 * MAX_HOLD_MS);
    assert_int_equal(decision.target, TARGET_ANNOUNCE);
}

static void on_unknown_withdraw_withdraws(void **state)
{
    (void)state;
    conf.on_unknown = ON_UNKNOWN_WITHDRAW;
    gate_becomes(GATE_OPEN);
    gate_becomes(GATE_UNKNOWN);
    expect(TARGET_WITHDRAW, CAUSE_UNKNOWN);
}

static void a_gate_closed_for_blindness_is_called_unknown(void **state)
{
    (void)state;
    gate_becomes(GATE_OPEN);
    gate.blind = true;
    gate_becomes(GATE_CLOSED);
    expect(TARGET_WITHDRAW, CAUSE_UNKNOWN);
}

static void a_drain_depreferences_for_its_grace_and_then_withdraws(void **state)
{
    (void)state;
    gate_becomes(GATE_OPEN);
    operator_says(INTENT_DRAIN);
    expect(TARGET_DEPREFERENCE, CAUSE_DRAIN);
    assert_int_equal(decision_next_ms(&decision, &conf, &intent, now_ms), now_ms + GRACE_MS);
    pass_ms(GRACE_MS - 1);
    expect(TARGET_DEPREFERENCE, CAUSE_DRAIN);
    pass_ms(1);
    expect(TARGET_WITHDRAW, CAUSE_DRAIN);
}

static void a_drain_never_announces_what_is_unhealthy(void **state)
{
    (void)state;
    gate_becomes(GATE_CLOSED);
    operator_says(INTENT_DRAIN);
    expect(TARGET_WITHDRAW, CAUSE_UNHEALTHY);
}

static void undraining_is_at_once_when_it_was_healthy_all_the_time(void **state)
{
    (void)state;
    gate_becomes(GATE_OPEN);
    operator_says(INTENT_DRAIN);
    pass_ms(GRACE_MS * 2);
    operator_says(INTENT_AUTO);
    expect(TARGET_ANNOUNCE, CAUSE_HEALTHY);
    assert_int_equal(decision.recent, 0);
}

static void undraining_waits_for_what_is_left_of_hold_down(void **state)
{
    (void)state;
    gate_becomes(GATE_OPEN);
    operator_says(INTENT_DRAIN);
    gate_becomes(GATE_CLOSED);
    gate_becomes(GATE_OPEN);
    pass_ms(HOLD_MS / 2);
    operator_says(INTENT_AUTO);
    expect_announced_after(HOLD_MS / 2);
}

static void isolation_withdraws_this_instant_whatever_the_health(void **state)
{
    (void)state;
    gate_becomes(GATE_OPEN);
    operator_says(INTENT_ISOLATE);
    expect(TARGET_WITHDRAW, CAUSE_ISOLATE);
    pass_ms(10 * MAX_HOLD_MS);
    expect(TARGET_WITHDRAW, CAUSE_ISOLATE);
}

static void a_pin_announces_whatever_the_health(void **state)
{
    (void)state;
    gate_becomes(GATE_CLOSED);
    operator_says(INTENT_PIN);
    expect(TARGET_ANNOUNCE, CAUSE_PIN);
    operator_says(INTENT_AUTO);
    expect(TARGET_WITHDRAW, CAUSE_UNHEALTHY);
}

static void an_intent_expires_at_its_time_and_auto_never(void **state)
{
    (void)state;
    intent = (struct intent){.kind = INTENT_PIN, .until_ms = 9000};
    assert_false(intent_expired(&intent, 8999));
    assert_true(intent_expired(&intent, 9000));
    intent.until_ms = 0;
    assert_false(intent_expired(&intent, UINT64_MAX));
    intent = (struct intent){.kind = INTENT_AUTO, .until_ms = 1};
    assert_false(intent_expired(&intent, 9000));
}

static void the_end_of_an_intent_is_something_to_wake_up_for(void **state)
{
    (void)state;
    gate_becomes(GATE_OPEN);
    intent = (struct intent){.kind = INTENT_PIN, .until_ms = now_ms + 77};
    assert_int_equal(decision_next_ms(&decision, &conf, &intent, now_ms), now_ms + 77);
    intent.kind = INTENT_AUTO;
    intent.until_ms = 0;
    assert_true(decision_next_ms(&decision, &conf, &intent, now_ms) == UINT64_MAX);
}

static void what_is_adopted_stays_until_there_is_evidence(void **state)
{
    (void)state;
    conf.on_unknown = ON_UNKNOWN_WITHDRAW;
    decision_adopt(&decision, &conf, TARGET_ANNOUNCE, now_ms);
    assert_false(step());
    expect(TARGET_ANNOUNCE, CAUSE_ADOPTED);
    gate_becomes(GATE_CLOSED);
    expect(TARGET_WITHDRAW, CAUSE_UNHEALTHY);
}

static void adoption_ends_with_adopt_grace_when_unknown_is_not_held(void **state)
{
    (void)state;
    conf.on_unknown = ON_UNKNOWN_WITHDRAW;
    decision_adopt(&decision, &conf, TARGET_ANNOUNCE, now_ms);
    step();
    assert_int_equal(decision_next_ms(&decision, &conf, &intent, now_ms), now_ms + ADOPT_MS);
    pass_ms(ADOPT_MS - 1);
    expect(TARGET_ANNOUNCE, CAUSE_ADOPTED);
    pass_ms(1);
    assert_int_equal(decision.target, TARGET_WITHDRAW);
}

static void adoption_lasts_when_unknown_is_held(void **state)
{
    (void)state;
    decision_adopt(&decision, &conf, TARGET_DEPREFERENCE, now_ms);
    pass_ms(ADOPT_MS * 10);
    expect(TARGET_DEPREFERENCE, CAUSE_ADOPTED);
}

static void adopted_and_found_healthy_it_just_goes_on(void **state)
{
    (void)state;
    decision_adopt(&decision, &conf, TARGET_ANNOUNCE, now_ms);
    step();
    gate.state = GATE_OPEN;
    assert_false(step());
    expect(TARGET_ANNOUNCE, CAUSE_HEALTHY);
    assert_false(decision.adopted);
}

static void what_bird_turns_out_not_to_have_waits_like_a_withdrawal(void **state)
{
    (void)state;
    decision_adopt(&decision, &conf, TARGET_ANNOUNCE, now_ms);
    step();
    decision_disown(&decision, now_ms);
    step();
    expect(TARGET_WITHDRAW, CAUSE_START);
    gate_becomes(GATE_OPEN);
    expect_announced_after(HOLD_MS);
}

static void the_time_of_being_adopted_does_not_count_as_being_good(void **state)
{
    (void)state;
    decision_adopt(&decision, &conf, TARGET_ANNOUNCE, now_ms);
    step();
    pass_ms(HOLD_MS);
    decision_disown(&decision, now_ms);
    gate_becomes(GATE_OPEN);
    expect_announced_after(HOLD_MS);
}

#define TEST(name) cmocka_unit_test_setup(name, start)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_first_announcement_waits_for_health_and_for_nothing_else),
        TEST(a_closed_gate_withdraws_at_once),
        TEST(a_degraded_gate_depreferences_at_once),
        TEST(hold_down_counts_from_when_the_gate_is_good_again),
        TEST(hold_down_begins_anew_after_a_break),
        TEST(being_only_degraded_does_not_count_for_announcing),
        TEST(unknown_is_a_break_in_being_good),
        TEST(hold_down_doubles_with_each_withdrawal_up_to_the_maximum),
        TEST(withdrawals_are_forgotten_after_max_hold_down_of_one_state),
        TEST(a_long_outage_still_leaves_one_hold_down_to_wait),
        TEST(what_the_boot_remembers_is_waited_out),
        TEST(no_hold_down_means_none_however_often_it_fell),
        TEST(unknown_never_improves_anything),
        TEST(what_was_announced_stays_while_unknown_is_held),
        TEST(on_unknown_withdraw_withdraws),
        TEST(a_gate_closed_for_blindness_is_called_unknown),
        TEST(a_drain_depreferences_for_its_grace_and_then_withdraws),
        TEST(a_drain_never_announces_what_is_unhealthy),
        TEST(undraining_is_at_once_when_it_was_healthy_all_the_time),
        TEST(undraining_waits_for_what_is_left_of_hold_down),
        TEST(isolation_withdraws_this_instant_whatever_the_health),
        TEST(a_pin_announces_whatever_the_health),
        TEST(an_intent_expires_at_its_time_and_auto_never),
        TEST(the_end_of_an_intent_is_something_to_wake_up_for),
        TEST(what_is_adopted_stays_until_there_is_evidence),
        TEST(adoption_ends_with_adopt_grace_when_unknown_is_not_held),
        TEST(adoption_lasts_when_unknown_is_held),
        TEST(adopted_and_found_healthy_it_just_goes_on),
        TEST(what_bird_turns_out_not_to_have_waits_like_a_withdrawal),
        TEST(the_time_of_being_adopted_does_not_count_as_being_good),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
