// Changes of intent: guarded, saved, applied, acknowledged, in that order; isolation first.
#include "tests/unit/change_fixture.h"

TEST_FIXTURE(start, stop);

TEST(a_ledger_found_later_takes_the_place_of_what_was_drained_without_it)
{
    drain_for_want_of_a_ledger(DNS);
    drain_for_want_of_a_ledger(TOKEN);
    finds("dns", INTENT_ISOLATE);
    assert_int_equal(intent_of(DNS), INTENT_ISOLATE);
    assert_string_equal(fixture->core->services[DNS].intent.reason, "found");
    assert_int_equal(intent_of(TOKEN), INTENT_AUTO);
}

TEST(a_ledger_found_later_betters_nothing_that_an_operator_did)
{
    submit(&first, VERB_ISOLATE, TOKEN);
    save_ends(NULL);
    finds("token", INTENT_DRAIN);
    assert_int_equal(intent_of(TOKEN), INTENT_ISOLATE);
    finds("dns", INTENT_DRAIN);
    assert_int_equal(intent_of(DNS), INTENT_DRAIN);
    finds("elsewhere", INTENT_ISOLATE);
    force_drain(&second, DNS);
    assert_non_null(strstr(saved, "\"elsewhere\""));
}

TEST(a_drain_is_guarded_then_saved_then_applied_then_acknowledged)
{
    submit(&first, VERB_DRAIN, TOKEN);
    assert_string_equal(asked, "show protocols\nshow route 198.51.100.1/32 table master4 all\n");
    assert_int_equal(saves, 0);
    guard_sees(true);
    assert_int_equal(saves, 1);
    assert_non_null(strstr(saved, "\"token\""));
    assert_int_equal(intent_of(TOKEN), INTENT_AUTO);
    assert_int_equal(first.times, 0);
    save_ends(NULL);
    assert_int_equal(intent_of(TOKEN), INTENT_DRAIN);
    answered(&first, OUTCOME_DONE);
    assert_string_equal(first.message, "drained");
    assert_idle();
}

TEST(draining_again_what_is_withdrawn_announces_nothing)
{
    uint64_t grace_ms = fixture->config->services[TOKEN].grace_ms;
    force_drain(&first, TOKEN);
    save_ends(NULL);
    pass_ms(grace_ms - 1);
    assert_int_equal(target_of(TOKEN), TARGET_DEPREFERENCE);
    pass_ms(1);
    assert_int_equal(target_of(TOKEN), TARGET_WITHDRAW);
    force_drain(&second, TOKEN);
    assert_non_null(strstr(saved, "\"token\""));
    assert_non_null(strstr(strstr(saved, "\"token\""), "\"grace_ms\": 0,")); // nor does a restart
    save_ends(NULL);
    answered(&second, OUTCOME_DONE);
    assert_int_equal(target_of(TOKEN), TARGET_WITHDRAW);
    pass_ms(grace_ms);
    assert_int_equal(target_of(TOKEN), TARGET_WITHDRAW);
}

TEST(what_is_applied_says_who_why_and_since_when)
{
    force_drain(&first, TOKEN);
    save_ends(NULL);
    submit(&second, VERB_PIN, DNS);
    save_ends(NULL);
    const struct intent *drain = &fixture->core->services[TOKEN].intent;
    assert_int_equal(drain->since_ms, FIXTURE_NOW_NS / 1000000);
    assert_int_equal(drain->grace_ms, fixture->config->services[TOKEN].grace_ms);
    const struct intent *pin = &fixture->core->services[DNS].intent;
    assert_string_equal(pin->by, "alice (1)");
    assert_string_equal(pin->reason, "why");
    assert_true(pin->since_wall_ms > 0);
}

TEST(without_another_pop_a_drain_is_refused_and_nothing_saved)
{
    submit(&first, VERB_DRAIN, TOKEN);
    guard_sees(false);
    answered(&first, OUTCOME_REFUSED);
    assert_non_null(strstr(first.message, "198.51.100.1/32"));
    assert_int_equal(saves, 0);
    assert_int_equal(intent_of(TOKEN), INTENT_AUTO);
    assert_idle();
}

TEST(a_bird_that_cannot_be_asked_refuses_a_drain_at_once)
{
    bird_is_down = true;
    submit(&first, VERB_DRAIN, TOKEN);
    answered(&first, OUTCOME_UNSEEN);
    assert_non_null(strstr(first.message, "did not answer"));
}

TEST(a_table_that_bird_has_not_is_no_want_of_other_pops)
{
    submit(&first, VERB_DRAIN, TOKEN);
    bird_says(1002, PROTOCOL, BIRD_END_REPLY);
    core_end(fixture->core, tokens[0], BIRD_END_REPLY, BIRD_CODE_SYNTAX, "syntax error", now_ns);
    step();
    answered(&first, OUTCOME_UNSEEN);
}

TEST(force_asks_nobody)
{
    force_drain(&first, TOKEN);
    assert_string_equal(asked, "");
    assert_int_equal(saves, 1);
}

TEST_WITH(a_service_of_one_pop_is_not_guarded, start_without_guard, stop)
{
    submit(&first, VERB_DRAIN, TOKEN);
    assert_string_equal(asked, "");
    assert_int_equal(saves, 1);
}

TEST(what_is_withdrawn_already_is_not_guarded)
{
    struct verdict fail = {.kind = VERDICT_FAIL, .definitive = true};
    core_verdict(fixture->core, 1, &fail, FIXTURE_NOW_NS);
    submit(&first, VERB_DRAIN, TOKEN);
    assert_string_equal(asked, "");
    assert_int_equal(saves, 1);
}

TEST(a_failed_save_changes_nothing)
{
    force_drain(&first, TOKEN);
    save_ends("can't write ledger.json: No space left on device");
    answered(&first, OUTCOME_UNSAFE);
    assert_string_equal(first.message,
                        "nothing was changed: can't write ledger.json: No space left on device");
    assert_int_equal(intent_of(TOKEN), INTENT_AUTO);
    assert_non_null(strstr(changes_trouble(changes), "No space left"));
    force_drain(&second, DNS);
    assert_null(strstr(saved, "\"token\"")); // nor does it come back with the next save
    save_ends(NULL);
    assert_null(changes_trouble(changes));
}

// Its end came while the pin, which it stood in the way of, was being saved: what is not in the
// ledger is not acknowledged.
TEST(what_the_ledger_has_not_is_not_applied_when_its_hindrance_ends_meanwhile)
{
    size_t both[] = {DNS, TOKEN};
    struct intent drain = {.kind = INTENT_DRAIN, .until_ms = now_ns / NS_PER_MS + 100};
    put_intent(fixture->core, TOKEN, &drain, "drained", now_ns);
    struct change pin = {
        .verb = VERB_PIN, .services = both, .service_count = 2, .for_ms = 60000, .reason = "why"};
    assert_int_equal(ask(&first, &pin), OUTCOME_WAITS);
    now_ns += 200 * NS_PER_MS;
    core_tick(fixture->core, now_ns);
    assert_int_equal(intent_of(TOKEN), INTENT_AUTO);
    save_ends(NULL);
    answered(&first, OUTCOME_PARTLY); // `pin a b` with exit status 0 would claim both
    assert_string_equal(first.message, "pinned, but 1 of 2 as they were: what stood in the way at "
                                       "token has ended just now; ask again");
    assert_int_equal(intent_of(DNS), INTENT_PIN);
    assert_int_equal(intent_of(TOKEN), INTENT_AUTO);
}

TEST(what_stands_in_the_way_is_named)
{
    struct answered third;
    force_drain(&third, DNS); // is being saved
    force_drain(&second, TOKEN);
    submit(&first, VERB_PIN, TOKEN);
    save_ends(NULL);
    save_ends(NULL);
    save_ends(NULL);
    answered(&first, OUTCOME_HINDERED);
    assert_string_equal(first.message, "nothing was changed: token is drained; undrain it before");
}

// A drain of what a reload then takes away: it must neither be in the ledger nor out of it because
// its save failed.
TEST(a_failed_save_leaves_nothing_behind_for_what_a_reload_takes_away)
{
    force_drain(&first, DNS);
    save_ends(NULL);
    submit(&first, VERB_UNDRAIN, DNS);
    save_ends("disk is gone");
    save_ends("disk is gone"); // nor is it saved that nothing was changed
    force_drain(&first, TOKEN);
    save_ends("disk is gone");
    save_ends("disk is gone");
    assert_idle();
    struct config *config = small_config(PROBE("other") "[service other]\n"
                                                        "prefixes = 192.0.2.99/32\n"
                                                        "require = other\n");
    struct core *next = core_prepare(fixture->core, config);
    assert_non_null(next);
    core_take_over(next, fixture->core, now_ns);
    core_go_on(next, now_ns);
    core_free(fixture->core);
    fixture->core = next;
    now_ns += 2000 * NS_PER_MS; // it is tried again
    step();
    assert_non_null(strstr(saved, "\"dns\""));
    assert_null(strstr(saved, "\"token\""));
    core_free(fixture->core);
    fixture->core = NULL;
    config_free(config);
}

TEST(isolation_is_applied_before_it_is_saved_and_acknowledged_after)
{
    size_t service = TOKEN;
    struct change isolate = {.verb = VERB_ISOLATE, .services = &service, .service_count = 1};
    changes_submit(changes, fixture->core, &isolate, &first, now_ns, FIXTURE_WALL_MS);
    assert_int_equal(intent_of(TOKEN), INTENT_ISOLATE);
    assert_int_equal(fixture->core->services[TOKEN].decision.target, TARGET_WITHDRAW);
    step();
    assert_int_equal(saves, 1);
    assert_string_equal(asked, "");
    assert_int_equal(first.times, 0);
    save_ends(NULL);
    answered(&first, OUTCOME_DONE);
}

TEST(an_isolation_that_could_not_be_saved_stands_and_says_so)
{
    submit(&first, VERB_ISOLATE, TOKEN);
    save_ends("disk is gone");
    answered(&first, OUTCOME_UNSAFE);
    assert_string_equal(first.message, "isolated now, but a restart would forget it: disk is gone");
    assert_int_equal(intent_of(TOKEN), INTENT_ISOLATE);
}

TEST(isolation_overtakes_a_drain_that_waits_for_the_guard)
{
    submit(&first, VERB_DRAIN, TOKEN);
    submit(&second, VERB_ISOLATE, TOKEN);
    assert_int_equal(intent_of(TOKEN), INTENT_ISOLATE);
    assert_non_null(strstr(saved, "\"isolate\""));
    save_ends(NULL);
    answered(&second, OUTCOME_DONE);
    guard_sees(true);
    save_ends(NULL);
    answered(&first, OUTCOME_HINDERED);
    assert_int_equal(intent_of(TOKEN), INTENT_ISOLATE);
    assert_non_null(strstr(saved, "\"isolate\""));
}

// What popgated would not read again, it does not write.
TEST(a_ledger_too_long_to_be_read_is_not_written)
{
    struct ledger ledger = {0};
    struct intent kept = {.kind = INTENT_DRAIN, .since_wall_ms = 1};
    memset(kept.reason, 1, sizeof kept.reason - 1); // six bytes each in JSON
    for (unsigned i = 0; i < 14000; i++) {
        char name[SERVICE_NAME_MAX];
        snprintf(name, sizeof name, "s%05u", i);
        assert_true(ledger_put(&ledger, name, &kept));
    }
    changes_free(changes);
    changes = changes_new(&ledger, now_ns, wall_ms());
    force_drain(&first, TOKEN);
    answered(&first, OUTCOME_UNSAFE);
    assert_non_null(strstr(first.message, "shorter reasons"));
    assert_int_equal(intent_of(TOKEN), INTENT_AUTO);
    submit(&second, VERB_ISOLATE, TOKEN);
    answered(&second, OUTCOME_UNSAFE);
    assert_int_equal(intent_of(TOKEN), INTENT_ISOLATE);
    assert_int_equal(saves, 0);
}

TEST(isolation_is_on_disk_before_what_was_asked_for_earlier)
{
    struct answered third;
    submit(&third, VERB_DRAIN, DNS);   // its guard waits for BIRD
    force_drain(&first, TOKEN);        // is being saved
    submit(&first, VERB_UNDRAIN, DNS); // waits for the drain
    submit(&second, VERB_ISOLATE, DNS);
    save_ends(NULL);
    assert_int_equal(saves, 2);
    assert_non_null(strstr(saved, "\"isolate\""));
    save_ends(NULL);
    answered(&second, OUTCOME_DONE);
    assert_int_equal(third.times, 0);
}

TEST(a_release_that_waited_ends_no_isolation_asked_for_after_it)
{
    struct answered third;
    force_drain(&third, DNS); // is being saved
    submit(&first, VERB_RELEASE, TOKEN);
    submit(&second, VERB_ISOLATE, TOKEN);
    save_ends(NULL);
    save_ends(NULL);
    answered(&second, OUTCOME_DONE);
    save_ends(NULL);
    answered(&first, OUTCOME_HINDERED);
    assert_int_equal(intent_of(TOKEN), INTENT_ISOLATE);
}

TEST(a_guard_that_waits_holds_up_only_what_concerns_the_same_service)
{
    struct answered third;
    submit(&first, VERB_DRAIN, TOKEN);
    force_drain(&third, TOKEN);
    assert_int_equal(saves, 0);
    force_drain(&second, DNS);
    save_ends(NULL);
    answered(&second, OUTCOME_DONE);
    assert_int_equal(intent_of(DNS), INTENT_DRAIN);
    guard_sees(true);
    save_ends(NULL);
    answered(&first, OUTCOME_DONE);
    assert_int_equal(third.times, 0);
    save_ends(NULL);
    answered(&third, OUTCOME_DONE);
}

TEST(an_isolation_that_bird_does_not_confirm_is_said_to_be_that)
{
    bird_is_slow = true;
    submit(&first, VERB_ISOLATE, TOKEN);
    save_ends(NULL);
    assert_int_equal(first.times, 0);
    assert_int_equal(changes_next_ms(changes), now_ns / NS_PER_MS + 5000);
    now_ns += 5000 * NS_PER_MS;
    step();
    answered(&first, OUTCOME_UNCONFIRMED);
    assert_string_equal(first.message, "isolated, but BIRD has not confirmed: it is out of reach: "
                                       "not connected yet");
    assert_idle();
}

TEST(an_isolation_neither_saved_nor_confirmed_says_both)
{
    bird_is_slow = true;
    submit(&first, VERB_ISOLATE, TOKEN);
    save_ends("disk is gone");
    assert_int_equal(first.times, 0);
    now_ns += 5000 * NS_PER_MS;
    step();
    answered(&first, OUTCOME_UNSAFE);
    assert_string_equal(first.message, "isolated now, but a restart would forget it: disk is gone; "
                                       "and BIRD has not confirmed: it is out of reach: not "
                                       "connected yet");
}

// What failed to be saved may be on disk all the same.
TEST(a_failed_release_is_written_over_at_once)
{
    submit(&first, VERB_ISOLATE, TOKEN);
    save_ends(NULL);
    answered(&first, OUTCOME_DONE);
    submit(&second, VERB_RELEASE, TOKEN);
    assert_null(strstr(saved, "\"isolate\""));
    save_ends("disk is gone");
    answered(&second, OUTCOME_UNSAFE);
    assert_int_equal(saves, 3);
    assert_non_null(strstr(saved, "\"isolate\""));
}

TEST(an_isolation_that_bird_has_yet_to_confirm_is_not_safe_while_a_failed_release_may_be_on_disk)
{
    bird_is_slow = true;
    submit(&first, VERB_ISOLATE, TOKEN);
    save_ends(NULL);
    submit(&second, VERB_RELEASE, TOKEN);
    save_ends("disk is gone");
    now_ns += 5000 * NS_PER_MS;
    step();
    answered(&first, OUTCOME_UNSAFE);
    assert_non_null(strstr(first.message, "a restart would forget it: disk is gone"));
}

TEST(and_is_safe_again_once_the_ledger_is_saved)
{
    bird_is_slow = true;
    submit(&first, VERB_ISOLATE, TOKEN);
    save_ends("disk is gone");
    now_ns += 1000 * NS_PER_MS;
    step();
    assert_int_equal(saves, 2);
    save_ends(NULL);
    now_ns += 4000 * NS_PER_MS;
    step();
    answered(&first, OUTCOME_UNCONFIRMED);
}
