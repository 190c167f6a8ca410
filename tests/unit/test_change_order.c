// Changes of intent that meet each other, a reload, or a disk that can not save.
#include "tests/unit/change_fixture.h"

TEST_FIXTURE(start, stop);

TEST(ending_what_is_not_there_says_so)
{
    submit(&first, VERB_UNDRAIN, TOKEN);
    save_ends(NULL);
    answered(&first, OUTCOME_NOTHING);
    assert_string_equal(first.message, "nothing changed: not drained");
    force_drain(&first, TOKEN);
    save_ends(NULL);
    submit(&first, VERB_UNDRAIN, TOKEN);
    save_ends(NULL);
    assert_string_equal(first.message, "undrained");
}

static size_t intent_events(const char *service)
{
    size_t count = 0;
    const struct events *events = &fixture->events;
    for (uint64_t seq = events_first(events); seq < events_end(events); seq++) {
        const struct event *event = events_get(&fixture->events, seq);
        count += event->kind == EVENT_INTENT && strcmp(event->service, service) == 0;
    }
    return count;
}

TEST(and_is_no_event_of_a_service_at_which_nothing_ended)
{
    submit(&first, VERB_UNDRAIN, TOKEN);
    save_ends(NULL);
    assert_int_equal(intent_events("token"), 0);
    force_drain(&first, TOKEN);
    save_ends(NULL);
    struct change all = {.verb = VERB_UNDRAIN,
                         .services = (size_t[]){DNS, TOKEN},
                         .service_count = 2,
                         .by = "alice (1)"};
    assert_int_equal(ask(&first, &all), OUTCOME_WAITS);
    save_ends(NULL);
    answered(&first, OUTCOME_DONE);
    assert_int_equal(intent_events("dns"), 0);
    assert_int_equal(intent_events("token"), 2);
}

TEST(isolation_overtakes_an_undrain_that_is_being_saved)
{
    force_drain(&first, TOKEN);
    save_ends(NULL);
    submit(&first, VERB_UNDRAIN, TOKEN);
    submit(&second, VERB_ISOLATE, TOKEN);
    save_ends(NULL);
    assert_int_equal(intent_of(TOKEN), INTENT_ISOLATE);
    save_ends(NULL);
    assert_non_null(strstr(saved, "\"isolate\""));
    answered(&second, OUTCOME_DONE);
}

// Who is told that it was not done may rely on that after a crash, too.
TEST(isolation_overtakes_a_release_that_is_being_saved_and_is_on_disk_when_that_is_told)
{
    submit(&first, VERB_ISOLATE, TOKEN);
    save_ends(NULL);
    submit(&first, VERB_RELEASE, TOKEN);
    submit(&second, VERB_ISOLATE, TOKEN);
    save_ends(NULL); // of the release
    assert_int_equal(first.times, 0);
    assert_int_equal(intent_of(TOKEN), INTENT_ISOLATE);
    assert_non_null(strstr(saved, "\"isolate\""));
    save_ends(NULL);
    answered(&second, OUTCOME_DONE);
    assert_non_null(strstr(saved, "\"isolate\""));
    save_ends(NULL);
    answered(&first, OUTCOME_HINDERED);
    assert_int_equal(intent_of(TOKEN), INTENT_ISOLATE);
}

TEST(what_ends_while_a_change_is_applied_is_written_after_it)
{
    force_drain(&first, TOKEN);
    force_drain(&second, DNS);
    fixture->core->ledger_dirty = true; // what an intent that ends leads to
    save_ends(NULL);
    answered(&first, OUTCOME_DONE);
    assert_int_equal(saves, 2);
    assert_int_equal(intent_of(DNS), INTENT_AUTO);
    save_ends(NULL);
    answered(&second, OUTCOME_DONE);
    assert_int_equal(intent_of(DNS), INTENT_DRAIN);
    assert_int_equal(saves, 3);
    save_ends(NULL);
    assert_idle();
}

TEST(changes_are_made_one_after_another)
{
    force_drain(&first, TOKEN);
    force_drain(&second, DNS);
    assert_int_equal(saves, 1);
    assert_null(strstr(saved, "\"dns\""));
    save_ends(NULL);
    answered(&first, OUTCOME_DONE);
    assert_int_equal(second.times, 0);
    assert_int_equal(saves, 2);
    assert_non_null(strstr(saved, "\"dns\""));
    assert_non_null(strstr(saved, "\"token\""));
    save_ends(NULL);
    answered(&second, OUTCOME_DONE);
}

TEST(the_end_of_another_save_is_not_taken_for_ours)
{
    force_drain(&first, TOKEN);
    version++;
    save_ends(NULL);
    assert_int_equal(first.times, 0);
    assert_int_equal(intent_of(TOKEN), INTENT_AUTO);
}

TEST(a_guard_is_not_answered_with_the_answers_of_the_one_before)
{
    submit(&first, VERB_DRAIN, TOKEN);
    submit(&second, VERB_DRAIN, DNS);
    asked[0] = '\0';
    bird_says(1002, PROTOCOL, BIRD_END_REPLY);
    assert_string_equal(asked, "");
    bird_says(0, NULL, BIRD_END_LOST);
    answered(&first, OUTCOME_UNSEEN);
    assert_string_equal(asked, "show protocols\nshow route 192.0.2.53/32 table master4 all\nshow "
                               "route 2001:db8::53/128 table master6 all\n");
    assert_int_equal(second.times, 0);
}

TEST(too_many_changes_are_turned_away)
{
    static struct answered many[64];
    size_t service = TOKEN;
    struct change change = {.verb = VERB_DRAIN, .services = &service, .service_count = 1};
    for (size_t i = 0; i < 64; i++) {
        assert_int_equal(ask(&many[i], &change), OUTCOME_WAITS);
        assert_int_equal(many[i].times, 0);
    }
    assert_int_equal(ask(&first, &change), OUTCOME_BUSY);
    assert_int_equal(first.times, 0);
}

TEST(what_ended_by_itself_is_written_and_the_rest_kept)
{
    changes_sync(changes);
    step();
    assert_int_equal(saves, 1);
    assert_non_null(strstr(saved, "\"gone\"")); // no longer configured, but it may come back
    save_ends(NULL);
    assert_idle();
}

static void drain_for(struct answered *ticket, size_t service, uint64_t for_ms)
{
    struct change change = {.verb = VERB_DRAIN,
                            .services = &service,
                            .service_count = 1,
                            .for_ms = for_ms,
                            .reason = "for a while",
                            .force = true};
    assert_int_equal(ask(ticket, &change), OUTCOME_WAITS);
    save_ends(NULL);
    answered(ticket, OUTCOME_DONE);
}

static void drain_as(const char *by, const char *reason)
{
    size_t service = TOKEN;
    struct change change = {
        .verb = VERB_DRAIN, .services = &service, .service_count = 1, .force = true};
    snprintf(change.by, sizeof change.by, "%s", by);
    snprintf(change.reason, sizeof change.reason, "%s", reason);
    assert_int_equal(ask(&first, &change), OUTCOME_WAITS);
    save_ends(NULL);
    answered(&first, OUTCOME_DONE);
}

TEST(a_drain_for_a_time_shortens_no_drain_that_lasts_longer)
{
    const struct intent *intent = &fixture->core->services[TOKEN].intent;
    drain_for(&first, TOKEN, 60000);
    assert_string_equal(first.message, "drained");
    drain_for(&first, TOKEN, 90000);
    assert_int_equal(intent->until_ms, now_ns / NS_PER_MS + 90000);
    drain_as("bob (2)", "until told");
    assert_int_equal(intent->until_ms, 0);
    drain_for(&first, TOKEN, 2000);
    assert_int_equal(intent->until_ms, 0);
    assert_string_equal(intent->reason, "until told");
    assert_string_equal(first.message, "drained; 1 of 1 was drained for longer already, and will "
                                       "be");
}

TEST(draining_again_without_a_reason_keeps_the_former_one_and_whose_it_is)
{
    const struct intent *intent = &fixture->core->services[TOKEN].intent;
    drain_as("alice (1)", "kernel update");
    drain_as("bob (2)", "");
    assert_string_equal(intent->reason, "kernel update");
    assert_string_equal(intent->by, "alice (1)");
    assert_non_null(strstr(saved, "kernel update"));
    drain_as("bob (2)", "new disks");
    assert_string_equal(intent->reason, "new disks");
    assert_string_equal(intent->by, "bob (2)");
}

TEST(but_whoever_drains_what_was_drained_without_any_reason_is_who_did_it)
{
    const struct intent *intent = &fixture->core->services[TOKEN].intent;
    drain_as("alice (1)", "");
    drain_as("bob (2)", "");
    assert_string_equal(intent->by, "bob (2)");
}

TEST(and_whoever_drains_what_popgated_drained_for_want_of_a_ledger_does_so_himself)
{
    struct intent lost = {.kind = INTENT_DRAIN, .by = "popgated", .reason = "unreadable"};
    const struct intent *intent = &fixture->core->services[TOKEN].intent;
    put_intent(fixture->core, TOKEN, &lost, "unreadable", now_ns);
    drain_as("bob (2)", "");
    assert_string_equal(intent->by, "bob (2)");
    assert_string_equal(intent->reason, "");
}

TEST(isolating_again_without_a_reason_keeps_the_former_one_and_whose_it_is)
{
    const struct intent *intent = &fixture->core->services[TOKEN].intent;
    size_t service = TOKEN;
    struct change again = {
        .verb = VERB_ISOLATE, .services = &service, .service_count = 1, .by = "bob (2)"};
    submit(&first, VERB_ISOLATE, TOKEN);
    save_ends(NULL);
    assert_int_equal(ask(&second, &again), OUTCOME_WAITS);
    save_ends(NULL);
    assert_string_equal(intent->reason, "why");
    assert_string_equal(intent->by, "alice (1)");
}

TEST(draining_again_begins_no_grace_anew)
{
    uint64_t grace_ms = fixture->config->services[TOKEN].grace_ms;
    force_drain(&first, TOKEN);
    save_ends(NULL);
    pass_ms(grace_ms - 1);
    force_drain(&first, TOKEN);
    save_ends(NULL);
    assert_int_equal(target_of(TOKEN), TARGET_DEPREFERENCE);
    pass_ms(1);
    assert_int_equal(target_of(TOKEN), TARGET_WITHDRAW);
}

TEST(draining_what_its_probes_withdrew_never_announces_it)
{
    struct verdict fail = {.kind = VERDICT_FAIL, .definitive = true};
    struct verdict pass = {.kind = VERDICT_PASS};
    core_verdict(fixture->core, 1, &fail, now_ns);
    assert_int_equal(target_of(TOKEN), TARGET_WITHDRAW);
    size_t service = TOKEN;
    struct change drain = {.verb = VERB_DRAIN,
                           .services = &service,
                           .service_count = 1,
                           .has_grace = true,
                           .grace_ms = 86400000};
    assert_int_equal(ask(&first, &drain), OUTCOME_WAITS);
    save_ends(NULL);
    core_verdict(fixture->core, 1, &pass, now_ns);
    core_verdict(fixture->core, 1, &pass, now_ns);
    pass_ms(3600000);
    assert_int_equal(fixture->core->services[TOKEN].decision.allowed, TARGET_ANNOUNCE);
    assert_int_equal(target_of(TOKEN), TARGET_WITHDRAW);
}

TEST(a_reload_waits_for_no_change_and_no_change_is_lost_by_it)
{
    struct answered third;
    force_drain(&second, DNS); // is being saved, and the disk hangs
    submit(&first, VERB_DRAIN, TOKEN);
    submit(&third, VERB_UNDRAIN, DNS);
    reload_with(PROBE("p") "[service new]\nprefixes = 192.0.2.1/32\nrequire = p\n"
                           "[service token]\nprefixes = 198.51.100.1/32\nrequire = p\n");
    save_ends(NULL);
    assert_int_equal(second.times, 0); // what was written has it: it is written without
    assert_null(strstr(saved, "\"dns\""));
    save_ends(NULL);
    answered(&second, OUTCOME_HINDERED);
    assert_non_null(strstr(second.message, "a reload took the service"));
    assert_int_equal(intent_of(0), INTENT_AUTO);
    save_ends(NULL);
    answered(&third, OUTCOME_HINDERED);
    // What the new core announces is asked for anew.
    while (unanswered > 0) {
        guard_sees(true);
    }
    save_ends(NULL);
    answered(&first, OUTCOME_DONE);
    assert_int_equal(intent_of(1), INTENT_DRAIN);
    assert_idle();
}

TEST(of_a_change_whose_service_a_reload_takes_away_in_mid_save_nothing_stays_on_disk)
{
    force_drain(&first, TOKEN);
    save_ends(NULL);
    size_t both[] = {DNS, TOKEN};
    struct change change = {.verb = VERB_UNDRAIN, .services = both, .service_count = 2};
    assert_int_equal(ask(&second, &change), OUTCOME_WAITS);
    assert_null(strstr(saved, "\"token\""));
    reload_with(PROBE("p") "[service dns]\nprefixes = 192.0.2.53/32\nrequire = p\n");
    save_ends(NULL);
    assert_int_equal(second.times, 0);
    assert_non_null(strstr(saved, "\"token\"")); // drained still, should it come back
    save_ends(NULL);
    assert_int_equal(second.times, 1);
}

TEST(and_an_isolation_stays_as_it_was_applied)
{
    submit(&first, VERB_ISOLATE, TOKEN);
    reload_with(PROBE("p") "[service dns]\nprefixes = 192.0.2.53/32\nrequire = p\n");
    save_ends(NULL);
    answered(&first, OUTCOME_DONE);
    assert_int_equal(saves, 1);
    assert_non_null(strstr(saved, "\"isolate\""));
}

TEST(a_drained_service_under_a_new_name_stays_drained)
{
    force_drain(&first, TOKEN);
    save_ends(NULL);
    struct config *config =
        small_config(PROBE("p") "[service issuer]\nprefixes = 198.51.100.1/32\nrequire = p\n"
                                "[service other]\nprefixes = 198.51.100.2/32\nrequire = p\n");
    struct core *core = core_prepare(fixture->core, config);
    assert_non_null(core);
    core_take_over(core, fixture->core, now_ns);
    changes_take_over(changes, core, fixture->config, now_ns, wall_ms());
    core_go_on(core, now_ns);
    assert_int_equal(core->services[0].intent.kind, INTENT_DRAIN);
    assert_int_equal(core->services[1].intent.kind, INTENT_AUTO);
    struct core *old = fixture->core;
    fixture->core = core;
    step();
    assert_non_null(strstr(saved, "\"issuer\""));
    fixture->core = old;
    core_free(core);
    config_free(config);
}

static unsigned announcements_of(const char *service)
{
    unsigned count = 0;
    for (uint64_t seq = events_first(&fixture->events); seq < events_end(&fixture->events); seq++) {
        const struct event *event = events_get(&fixture->events, seq);
        count += event->kind == EVENT_TRANSITION && event->to == TARGET_ANNOUNCE &&
                 strcmp(event->service, service) == 0;
    }
    return count;
}

TEST(and_is_announced_at_no_instant_though_its_probes_are_well)
{
    force_drain(&first, TOKEN);
    save_ends(NULL);
    reload_with("[probe web]\ntype = tcp\ntarget = [::1]:2\n"
                "[service issuer]\nprefixes = 198.51.100.1/32\nrequire = web\n"
                "[service new]\nprefixes = 198.51.100.2/32\nrequire = web\n");
    assert_int_equal(target_of(1), TARGET_ANNOUNCE); // at once, as nothing hinders it
    assert_int_equal(announcements_of("new"), 1);
    assert_int_equal(target_of(0), TARGET_DEPREFERENCE);
    assert_int_equal(announcements_of("issuer"), 0);
}

TEST(a_service_that_comes_back_with_a_reload_is_as_the_ledger_kept_it)
{
    force_drain(&first, TOKEN);
    save_ends(NULL);
    struct config *config =
        small_config(PROBE("p") "[service gone]\nprefixes = 192.0.2.1/32\nrequire = p\n"
                                "[service token]\nprefixes = 198.51.100.1/32\nrequire = p\n"
                                "[service new]\nprefixes = 192.0.2.2/32\nrequire = p\n");
    struct core *core = core_prepare(fixture->core, config);
    assert_non_null(core);
    core_take_over(core, fixture->core, now_ns);
    uint64_t since_ms = core->services[1].intent.since_ms;
    changes_take_over(changes, core, fixture->config, now_ns, wall_ms());
    core_go_on(core, now_ns);
    assert_int_equal(core->services[0].intent.kind, INTENT_DRAIN);
    assert_int_equal(core->services[0].decision.target, TARGET_WITHDRAW);
    assert_int_equal(core->services[1].intent.kind, INTENT_DRAIN);
    assert_int_equal(core->services[1].intent.since_ms, since_ms);
    assert_int_equal(core->services[2].intent.kind, INTENT_AUTO);
    core_free(core);
    config_free(config);
}

TEST(a_change_waits_for_the_ledger_being_written)
{
    changes_sync(changes);
    step();
    force_drain(&first, TOKEN);
    assert_int_equal(saves, 1);
    save_ends(NULL);
    assert_int_equal(saves, 2);
    assert_non_null(strstr(saved, "\"token\""));
}

TEST(what_could_not_be_saved_is_told_once_and_tried_again_each_second)
{
    submit(&first, VERB_ISOLATE, TOKEN);
    uint64_t events = events_end(&fixture->events);
    save_ends("disk is gone");
    assert_int_equal(events_end(&fixture->events), events + 1);
    assert_string_equal(events_get(&fixture->events, events)->text, "disk is gone");
    assert_int_equal(changes_next_ms(changes), now_ns / 1000000 + 1000);
    step();
    assert_int_equal(saves, 1);
    now_ns += 1000000000;
    step();
    assert_int_equal(saves, 2);
    assert_int_equal(changes_next_ms(changes), UINT64_MAX);
    save_ends("disk is gone");
    assert_int_equal(events_end(&fixture->events), events + 1);
    now_ns += 1000000000;
    step();
    assert_int_equal(saves, 3);
    save_ends(NULL);
    assert_int_equal(changes_next_ms(changes), UINT64_MAX);
    assert_null(changes_trouble(changes));
    assert_idle();
}

TEST(what_ends_and_is_not_yet_saved_is_still_there_for_a_service_that_a_reload_takes_away)
{
    force_drain(&first, DNS);
    save_ends(NULL);
    submit(&first, VERB_UNDRAIN, DNS);
    reload_with(PROBE("other") "[service other]\nprefixes = 192.0.2.99/32\nrequire = other\n");
    save_ends("disk is gone");
    save_ends("disk is gone");
    force_drain(&second, 0);
    assert_non_null(strstr(saved, "\"other\""));
    assert_non_null(strstr(saved, "\"dns\""));
}

TEST(what_was_saved_over_a_reload_is_there_for_a_service_that_the_next_one_takes_away)
{
    force_drain(&first, TOKEN);
    reload_with(PROBE("p") "[service dns]\nprefixes = 192.0.2.53/32\nrequire = p\n"
                           "[service token]\nprefixes = 198.51.100.1/32\nrequire = p\n");
    save_ends(NULL);
    answered(&first, OUTCOME_DONE);
    reload_with(PROBE("p") "[service dns]\nprefixes = 192.0.2.53/32\nrequire = p\n");
    force_drain(&second, 0);
    assert_non_null(strstr(saved, "\"token\""));
}
