// The core over reloads, restarts and stops.
#include "tests/unit/core_world.h"

TEST_FIXTURE(start, stop);

TEST(answers_to_orders_from_before_a_reload_are_ignored)
{
    running(ONE_PROBE DNS_NEEDS_A);
    core_echo(core, "popgate", now_ns);
    struct order order;
    assert_true(core_order(core, &order));
    assert_int_equal(order_kind(order.token), ORDER_PROTOCOLS);
    reload(TWO_PROBES DNS_NEEDS_A WEB_NEEDS_B);
    tell_line(order.token, 1002, "popgate_dns_v4 Static popgate4 up 00:00:01.000  ");
    core_end(core, order.token, BIRD_END_REPLY, 0, "", now_ns);
    assert_false(core->announcer->snapshot_taken);
    assert_int_equal(target_of(DNS), TARGET_ANNOUNCE);
    settle();
    assert_true(core->announcer->snapshot_taken);
}

// The look-up asks for a prefix that there is no more, and for the sixteenth configuration after.
TEST(answers_are_ignored_however_many_reloads_came_between)
{
    running(TWO_PROBES DNS_NEEDS_A WEB_NEEDS_B);
    struct order order;
    do {
        pass_ms(10);
        observed_look(core->observed, WEB, LOOK_CHANGED);
        core_tick(core, now_ns);
        assert_true(core_order(core, &order));
    } while (order_kind(order.token) != ORDER_ROUTE);
    uint64_t late = order.token;
    for (unsigned i = 0; i < 8; i++) {
        struct config *before = config;
        reload(ONE_PROBE DNS_NEEDS_A);
        config = next_config;
        reload(ONE_PROBE DNS_NEEDS_A "prepend = 1\n");
        config_free(config);
        config_free(before);
        config = next_config;
        next_config = NULL;
    }
    tell_line(late, 1007, "192.0.2.2/32 blackhole [direct1 00:00:00] * (240)");
    core_end(core, late, BIRD_END_REPLY, 0, "", now_ns);
    core_check_invariants(core, now_ns);
    late |= UINT64_C(0xfff) << 52;
    late &= ~(UINT64_C(0xfff) << 52) | (uint64_t)core->generation << 52; // as if it were ours
    core_end(core, late, BIRD_END_REPLY, 0, "", now_ns);
    core_check_invariants(core, now_ns);
}

TEST(a_reload_that_is_nothing_to_bird_asks_it_nothing_and_hears_its_answers)
{
    running(ONE_PROBE DNS_NEEDS_A);
    core_echo(core, "popgate", now_ns);
    struct order order;
    struct order revision;
    struct order more;
    assert_true(core_order(core, &order));
    assert_true(core_order(core, &revision));
    reload("[probe a]\ntype = tcp\ntarget = 127.0.0.1:9\n" DNS_NEEDS_A "grace = 1s\n");
    assert_false(core_order(core, &more));
    tell_line(order.token, 1002, "popgate_dns_v4 Static popgate4 down 00:00:01.000  ");
    core_end(core, order.token, BIRD_END_REPLY, 0, "", now_ns);
    assert_int_equal(count_events(EVENT_DRIFT), 1);
    assert_true(core_order(core, &more)); // and repairs what they tell
    assert_int_equal(order_kind(more.token), ORDER_ENABLE);
    assert_int_equal(core->observed->prefixes[0].condition, CONDITION_AS_MEANT);
}

// BIRD has just taken 5 ms for a look at everything, and rests.
TEST(a_look_that_waits_is_not_dropped_by_a_reload)
{
    running(ONE_PROBE DNS_NEEDS_A);
    struct order look;
    core_echo(core, "Reconfigured", now_ns);
    assert_true(core_order(core, &look));
    now_ns += 5 * NS_PER_MS;
    bird_does(&look);
    settle();
    *bird_protocol("popgate_dns_v4") = false;
    core_echo(core, "Reconfigured", now_ns);
    reload("[probe a]\ntype = tcp\ntarget = 127.0.0.1:9\n" DNS_NEEDS_A);
    settle();
    assert_int_equal(core_next_ms(core), now_ns / NS_PER_MS + 20);
    pass_ms(20);
    assert_true(*bird_protocol("popgate_dns_v4"));
}

TEST(a_reload_that_changes_nothing_switches_nothing)
{
    running(TWO_PROBES DNS_NEEDS_A WEB_NEEDS_B);
    reload(TWO_PROBES DNS_NEEDS_A WEB_NEEDS_B);
    settle();
    pass_ms(1000);
    assert_int_equal(bird.switches, 0);
    assert_int_equal(core->services[DNS].decision.cause, CAUSE_HEALTHY);
    assert_int_equal(core->observed->prefixes[0].condition, CONDITION_AS_MEANT);
    assert_int_equal(count_events(EVENT_OBSERVED), 0);
}

TEST(a_service_whose_probe_is_new_stays_for_adopt_grace)
{
    running(ONE_PROBE DNS_NEEDS_A "on_unknown = withdraw\n");
    reload("[probe a]\ntype = tcp\ntarget = 127.0.0.1:9\n" DNS_NEEDS_A "on_unknown = withdraw\n");
    settle();
    assert_int_equal(target_of(DNS), TARGET_ANNOUNCE);
    assert_int_equal(core->services[DNS].decision.cause, CAUSE_ADOPTED);
    assert_string_equal(why(DNS), "left as it was, until the probes know; probe a is unknown: no "
                                  "verdict yet");
    pass_ms(20000);
    assert_int_equal(target_of(DNS), TARGET_WITHDRAW);
    assert_string_equal(why(DNS), "unknown for longer than adopt_grace; probe a is unknown: no "
                                  "verdict yet");
}

#define TIMED(interval)                                                                            \
    "[probe a]\ntype = tcp\ntarget = 127.0.0.1:1\ninterval = " interval "\n" DNS_NEEDS_A           \
    "on_unknown = withdraw\n"

TEST(a_probe_keeps_its_health_when_only_its_timing_is_new)
{
    running(ONE_PROBE DNS_NEEDS_A "on_unknown = withdraw\n");
    reload(TIMED("7s"));
    settle();
    assert_int_equal(health_shown(&core->healths[0]), HEALTH_UP);
    assert_int_equal(core->services[DNS].decision.cause, CAUSE_HEALTHY);
}

TEST(a_probe_that_is_blind_by_its_new_timing_is_so_at_once)
{
    running(ONE_PROBE DNS_NEEDS_A "on_unknown = withdraw\n");
    pass_ms(20000);
    reload("[probe a]\ntype = tcp\ntarget = 127.0.0.1:1\nunknown_grace = 1s\n" DNS_NEEDS_A
           "on_unknown = withdraw\n");
    assert_int_equal(health_shown(&core->healths[0]), HEALTH_UNKNOWN);
    assert_non_null(strstr(last_event(EVENT_HEALTH)->text, "nothing known for unknown_grace"));
}

TEST(a_dead_service_goes_however_often_its_probes_timing_changes)
{
    running(ONE_PROBE DNS_NEEDS_A "on_unknown = withdraw\n");
    say(0, "f");
    reload(TIMED("7s"));
    say(0, "f");
    config_free(config);
    config = next_config;
    reload(TIMED("8s"));
    say(0, "f");
    settle();
    assert_int_equal(target_of(DNS), TARGET_WITHDRAW);
}

TEST(a_new_service_is_said_to_be_not_known_healthy_yet)
{
    running(ONE_PROBE DNS_NEEDS_A);
    reload(TWO_PROBES DNS_NEEDS_A WEB_NEEDS_B);
    assert_string_equal(why(WEB), "not known healthy yet; probe b is unknown: no verdict yet");
}

TEST(a_withdrawal_for_want_of_news_says_so)
{
    running(ONE_PROBE DNS_NEEDS_A "on_unknown = withdraw\n");
    pass_ms(BLIND_MS);
    assert_int_equal(target_of(DNS), TARGET_WITHDRAW);
    assert_string_equal(why(DNS), "unknown for longer than unknown_grace; probe a is unknown: no "
                                  "verdict comes from it");
}

TEST(a_fail_after_blindness_announces_nothing)
{
    running(ONE_PROBE "[service dns]\nprefixes = 192.0.2.1/32\nrequire = a\n"
                      "on_unknown = withdraw\nhold_down = 0ms\nmax_hold_down = 0ms\n");
    assert_int_equal(target_of(DNS), TARGET_ANNOUNCE);
    pass_ms(BLIND_MS);
    pass_ms(3600000);
    assert_int_equal(target_of(DNS), TARGET_WITHDRAW);
    say(A, "f");
    assert_int_equal(target_of(DNS), TARGET_WITHDRAW);
    assert_string_equal(why(DNS), "unknown for longer than unknown_grace; probe a is unknown: "
                                  "sees again, and is not settled yet");
    say(A, "pp");
    assert_int_equal(target_of(DNS), TARGET_ANNOUNCE);
}

TEST(a_probe_that_only_degrades_withdraws_nothing_when_it_sees_for_the_first_time)
{
    running(TWO_PROBES DNS_NEEDS_A "degrade = b\non_unknown = withdraw\n");
    reload("[probe a]\ntype = tcp\ntarget = 127.0.0.1:1\n[probe b]\ntype = tcp\n"
           "target = 127.0.0.1:9\nunknown_grace = 1s\n" DNS_NEEDS_A
           "degrade = b\non_unknown = withdraw\n");
    for (unsigned i = 0; i < 10; i++) {
        pass_ms(1000);
        say(A, "p");
    }
    assert_int_equal(target_of(DNS), TARGET_DEPREFERENCE);
    say(B, "p");
    assert_int_equal(target_of(DNS), TARGET_DEPREFERENCE);
}

TEST(a_service_that_is_no_longer_configured_is_withdrawn)
{
    running(TWO_PROBES DNS_NEEDS_A WEB_NEEDS_B);
    assert_true(*bird_protocol("popgate_web_v4"));
    bird.check = 8002; // even if BIRD would not take the new file
    reload(TWO_PROBES DNS_NEEDS_A);
    settle();
    pass_ms(1000);
    assert_false(*bird_protocol("popgate_web_v4"));
    assert_true(*bird_protocol("popgate_dns_v4"));
    assert_int_equal(core->drifts, 0);
    assert_false(birdconf_get(core_file(core), "popgate_web_v4"));
    assert_true(birdconf_get(core_file(core), "popgate_dns_v4"));
}

#define SERVICE(name, last) "[service " name "]\nprefixes = 192.0.2." last "/32\nrequire = a\n"

// BIRD has them until somebody configures it.
TEST(what_a_reload_takes_away_is_retired_at_once_and_is_no_drift)
{
    const char *gone[] = {"popgate_x_v4", "popgate_y_v4", "popgate_z_v4"};
    running(ONE_PROBE DNS_NEEDS_A SERVICE("x", "3") SERVICE("y", "4") SERVICE("z", "5"));
    for (size_t i = 0; i < 3; i++) {
        assert_true(*bird_protocol(gone[i]));
    }
    reload("configure = manual\n" ONE_PROBE DNS_NEEDS_A);
    settle();
    for (size_t i = 0; i < 3; i++) {
        assert_false(*bird_protocol(gone[i]));
    }
    assert_true(*bird_protocol("popgate_dns_v4"));
    assert_in_range(bird.switches, 1, 3);
    pass_ms(1000);
    assert_int_equal(core->drifts, 0);
    *bird_protocol(gone[1]) = true; // by somebody's hand
    pass_ms(1000);
    assert_false(*bird_protocol(gone[1]));
    assert_int_equal(core->drifts, 1);
}

TEST(what_bird_logs_of_what_is_retired_is_looked_at_too)
{
    running(ONE_PROBE DNS_NEEDS_A SERVICE("x", "3"));
    reload("configure = manual\n" ONE_PROBE DNS_NEEDS_A);
    settle();
    assert_false(*bird_protocol("popgate_x_v4"));
    *bird_protocol("popgate_x_v4") = true; // by somebody's hand
    core_echo(core, "popgate_x_v4: State changed to up", now_ns);
    settle();
    assert_false(*bird_protocol("popgate_x_v4"));
    assert_int_equal(core->drifts, 1);
}

TEST(what_is_retired_is_withdrawn_over_another_reload)
{
    running(ONE_PROBE DNS_NEEDS_A SERVICE("x", "3"));
    core_link(core, ORDER_LINK_ACT, BIRD_LINK_DOWN, "gone", NULL, now_ns);
    reload("configure = manual\n" ONE_PROBE DNS_NEEDS_A);
    struct config *before = config;
    config = next_config;
    reload("configure = manual\n" ONE_PROBE DNS_NEEDS_A "prepend = 1\n");
    config_free(before);
    const char *first = "";
    core_stop(core, now_ns);
    assert_int_equal(core_unconfirmed(core, &first), 2);
    links_come_up();
    settle();
    assert_false(*bird_protocol("popgate_x_v4"));
    assert_int_equal(core->drifts, 0);
    assert_true(core_quiet(core));
}

TEST(a_family_that_a_reload_takes_away_is_retired_alone)
{
    running(ONE_PROBE "[service dns]\nprefixes = 192.0.2.1/32 2001:db8::1/128\nrequire = a\n");
    assert_true(*bird_protocol("popgate_dns_v6"));
    reload("configure = manual\n" ONE_PROBE DNS_NEEDS_A);
    settle();
    assert_false(*bird_protocol("popgate_dns_v6"));
    assert_true(*bird_protocol("popgate_dns_v4"));
    assert_int_equal(bird.switches, 1);
    assert_int_equal(core->drifts, 0);
}

TEST(what_only_the_former_file_has_is_retired_at_a_start)
{
    struct config *before = small_config(TWO_PROBES DNS_NEEDS_A WEB_NEEDS_B);
    struct birdconf *former = birdconf_render(before);
    config = small_config("configure = manual\n" ONE_PROBE DNS_NEEDS_A);
    birdconf_set(former, "popgate_dns_v4", true);
    birdconf_set(former, "popgate_web_v4", true);
    bird_gets(former);
    begin(NULL, true, former);
    birdconf_free(former);
    config_free(before);
    links_come_up();
    settle();
    assert_false(*bird_protocol("popgate_web_v4"));
    assert_true(*bird_protocol("popgate_dns_v4"));
    pass_ms(1000);
    assert_int_equal(core->drifts, 0);
}

TEST(a_clean_stop_withdraws_unless_told_to_keep)
{
    running(TWO_PROBES DNS_NEEDS_A WEB_NEEDS_B "on_exit = keep\n");
    core_stop(core, now_ns);
    assert_false(core_quiet(core));
    settle();
    assert_true(core_quiet(core));
    assert_false(*bird_protocol("popgate_dns_v4"));
    assert_true(*bird_protocol("popgate_web_v4"));
    assert_int_equal(last_event(EVENT_TRANSITION)->cause, CAUSE_EXIT);
    pass_ms(1000);
    assert_false(*bird_protocol("popgate_dns_v4"));
    say(B, "fff"); // what is kept is kept only while it is well
    settle();
    assert_false(*bird_protocol("popgate_web_v4"));
}

TEST(what_is_kept_at_a_stop_is_not_left_between_two_legs)
{
    running(TWO_PROBES DNS_NEEDS_A "on_exit = keep\n" WEB_NEEDS_B "degrade = a\non_exit = keep\n");
    say(B, "pp");
    say(A, "ddd"); // what web can do without
    struct order order;
    do {
        save_file();
        assert_true(core_order(core, &order));
        bird_does(&order);
    } while (strcmp(order.command, "enable popgate_web_v4_drain") != 0);
    core_stop(core, now_ns);
    assert_false(core_quiet(core));
    settle();
    assert_true(core_quiet(core));
    assert_true(*bird_protocol("popgate_web_v4_drain"));
    assert_false(*bird_protocol("popgate_web_v4"));
}

TEST(a_restart_leaves_everything_as_it_is)
{
    running(TWO_PROBES DNS_NEEDS_A WEB_NEEDS_B "on_exit = keep\n");
    struct intent drain = {
        .kind = INTENT_DRAIN, .since_ms = now_ns / NS_PER_MS, .grace_ms = 3600000, .by = "alice"};
    put_intent(core, WEB, &drain, "drained", now_ns);
    settle();
    bird.switches = 0;
    core_restart(core, now_ns);
    assert_true(core_quiet(core));
    settle();
    pass_ms(1000);
    assert_int_equal(bird.switches, 0);
    assert_true(*bird_protocol("popgate_dns_v4"));
    assert_true(*bird_protocol("popgate_web_v4_drain"));
    say(A, "fff"); // what is down is withdrawn until the last
    settle();
    assert_false(*bird_protocol("popgate_dns_v4"));
}

TEST(a_stop_in_the_midst_of_a_restart_is_a_stop)
{
    running(TWO_PROBES DNS_NEEDS_A WEB_NEEDS_B "on_exit = keep\n");
    core_restart(core, now_ns);
    core_stop(core, now_ns);
    assert_false(core_quiet(core));
    settle();
    assert_false(*bird_protocol("popgate_dns_v4"));
    assert_true(*bird_protocol("popgate_web_v4"));
}

TEST(a_stop_that_withdrew_is_a_withdrawal)
{
    running(TWO_PROBES DNS_NEEDS_A WEB_NEEDS_B "on_exit = keep\n");
    core_stop(core, now_ns);
    assert_int_equal(core->services[DNS].decision.recent, 1);
    assert_int_equal(core->services[WEB].decision.recent, 0);
}

TEST(and_one_of_what_was_withdrawn_before_is_none)
{
    running(ONE_PROBE DNS_NEEDS_A);
    say(A, "fff");
    uint64_t recent = core->services[DNS].decision.recent;
    core_stop(core, now_ns);
    assert_int_equal(core->services[DNS].decision.recent, recent);
}

TEST(what_is_kept_at_a_stop_keeps_no_grace_and_no_pin)
{
    running(TWO_PROBES DNS_NEEDS_A "on_exit = keep\n" WEB_NEEDS_B "on_exit = keep\n");
    struct intent drain = {
        .kind = INTENT_DRAIN, .since_ms = now_ns / NS_PER_MS, .grace_ms = 3600000, .by = "alice"};
    struct intent pin = {.kind = INTENT_PIN,
                         .since_ms = now_ns / NS_PER_MS,
                         .until_ms = now_ns / NS_PER_MS + 3600000,
                         .by = "alice"};
    put_intent(core, 0, &drain, "drained", now_ns);
    put_intent(core, 1, &pin, "pinned", now_ns);
    say(B, "fff");
    settle();
    assert_true(*bird_protocol("popgate_dns_v4_drain"));
    assert_true(*bird_protocol("popgate_web_v4"));
    core_stop(core, now_ns);
    assert_false(core_quiet(core));
    settle();
    assert_true(core_quiet(core));
    assert_false(*bird_protocol("popgate_dns_v4_drain"));
    assert_false(*bird_protocol("popgate_dns_v4"));
    assert_false(*bird_protocol("popgate_web_v4"));
    // It is only now that they don't count: the ledger has them still.
    assert_int_equal(core->services[0].intent.grace_ms, 3600000);
    assert_int_equal(core->services[1].intent.kind, INTENT_PIN);
}

TEST(a_stop_is_not_over_while_bird_cannot_be_asked_to_withdraw)
{
    const char *first = "";
    running(TWO_PROBES DNS_NEEDS_A WEB_NEEDS_B "on_exit = keep\n");
    core_link(core, ORDER_LINK_ACT, BIRD_LINK_DOWN, "gone", NULL, now_ns);
    core_stop(core, now_ns);
    assert_false(core_quiet(core));
    assert_int_equal(core_unconfirmed(core, &first), 1);
    assert_string_equal(first, "dns");
    core_link(core, ORDER_LINK_ACT, BIRD_LINK_UP, "", NULL, now_ns);
    settle();
    assert_true(core_quiet(core));
    assert_false(*bird_protocol("popgate_dns_v4"));
}

TEST(who_stops_looks_up_no_more_routes)
{
    running(TWO_PROBES DNS_NEEDS_A WEB_NEEDS_B "on_exit = keep\n");
    core_stop(core, now_ns);
    bird.looks = 0;
    settle();
    pass_ms(1000);
    assert_int_equal(bird.looks, 0);
}

TEST(what_is_withdrawn_while_bird_is_away_is_off_when_it_is_back)
{
    running(ONE_PROBE DNS_NEEDS_A);
    core_link(core, ORDER_LINK_ACT, BIRD_LINK_DOWN, "gone", NULL, now_ns);
    core_link(core, ORDER_LINK_ASK, BIRD_LINK_DOWN, "gone", NULL, now_ns);
    say(A, "fff");
    settle();
    assert_int_equal(bird.switches, 0);
    assert_true(*bird_protocol("popgate_dns_v4"));
    links_come_up();
    settle();
    assert_false(*bird_protocol("popgate_dns_v4"));
    assert_int_equal(core->drifts, 0);
}

TEST(events_are_numbered_without_gaps_and_the_oldest_go)
{
    assert_null(events_get(events, 1));
    for (unsigned i = 1; i <= EVENTS_KEPT + 5; i++) {
        assert_int_equal(events_add(events, EVENT_START, "dns", i, "event %u", i)->seq, i);
    }
    assert_null(events_get(events, 0));
    assert_null(events_get(events, 5));
    assert_string_equal(events_get(events, 6)->text, "event 6");
    assert_string_equal(events_get(events, EVENTS_KEPT + 5)->service, "dns");
    assert_null(events_get(events, EVENTS_KEPT + 6));
    assert_int_equal(events_first(events), 6);
}

TEST(a_token_gives_back_what_was_put_in)
{
    size_t most = (1 << 24) - 1;
    uint64_t token = order_token(ORDER_CONFIGURE, most, 5);
    assert_int_equal(order_kind(token), ORDER_CONFIGURE);
    assert_int_equal(order_a(token), most);
    assert_int_equal(order_b(token), 5);
    assert_int_equal(order_b(order_token(ORDER_ENABLE, 0, most)), most);
    token |= UINT64_C(0xfff) << 52; // the core's
    assert_int_equal(order_kind(token), ORDER_CONFIGURE);
}

TEST(orders_come_out_as_they_were_put_in)
{
    struct orders orders;
    assert_true(orders_init(&orders, 3));
    for (unsigned i = 0; i < 10; i++) {
        orders_put(&orders, ORDER_LINK_ASK, false, i, (struct bird_command){"first"});
        orders_put(&orders, ORDER_LINK_ASK, false, i, (struct bird_command){"second"});
        assert_int_equal(orders_room(&orders), 1);
        struct order order;
        assert_true(orders_take(&orders, &order));
        assert_int_equal(order.command[0], 'f');
        assert_int_equal(order.token, i);
        assert_true(orders_take(&orders, &order));
        assert_int_equal(order.command[0], 's');
        assert_false(orders_take(&orders, &order));
    }
    orders_free(&orders);
}

static enum condition condition_now(void)
{
    struct prefix_view seen = core_view(core, 0, now_ns / NS_PER_MS);
    return core_condition(core, 0, &seen, now_ns / NS_PER_MS);
}

TEST(what_was_as_meant_by_the_target_before_is_not_said_to_be_so_by_a_new_one)
{
    running(ONE_PROBE DNS_NEEDS_A);
    pass_ms(1000);
    assert_int_equal(condition_now(), CONDITION_AS_MEANT);
    say(A, "fff");
    assert_int_equal(target_of(DNS), TARGET_WITHDRAW);
    assert_int_equal(condition_now(), CONDITION_PENDING);
    settle();
    pass_ms(1000);
    assert_int_equal(condition_now(), CONDITION_AS_MEANT);
    bird.lies = true; // it says that it switches on, and does not
    say(A, "pp");
    pass_ms(10000);
    assert_int_equal(target_of(DNS), TARGET_ANNOUNCE);
    assert_int_not_equal(condition_now(), CONDITION_AS_MEANT);
}
