// The core as a whole: what goes in as verdicts, intents and BIRD's answers comes out as orders, a
// file and events. BIRD here is a few protocols that are on or off, and does at once what it is
// told.
#include "tests/unit/core_world.h"

TEST_FIXTURE(start, stop);

TEST(nothing_is_announced_until_it_is_known_healthy)
{
    begin(ONE_PROBE DNS_NEEDS_A, false, NULL);
    links_come_up();
    settle();
    assert_string_equal(load_name(core->loader.state), load_name(LOAD_LOADED));
    assert_false(*bird_protocol("popgate_dns_v4"));
    say(A, "p");
    settle();
    assert_false(*bird_protocol("popgate_dns_v4"));
    say(A, "p");
    settle();
    assert_true(*bird_protocol("popgate_dns_v4"));
    assert_false(*bird_protocol("popgate_dns_v4_drain"));
}

TEST(the_order_to_withdraw_comes_out_in_the_same_call_as_the_verdict)
{
    running(ONE_PROBE DNS_NEEDS_A);
    say(A, "ff");
    expect_no_order(&core->orders);
    say(A, "f");
    struct order order;
    assert_true(core_order(core, &order));
    assert_string_equal(order.command, "disable popgate_dns_v4");
    assert_true(order.urgent);
}

TEST(a_transition_is_followed_until_it_is_seen)
{
    running(ONE_PROBE DNS_NEEDS_A);
    const struct event *event = last_event(EVENT_TRANSITION);
    assert_int_equal(event->to, TARGET_ANNOUNCE);
    assert_int_equal(event->cause, CAUSE_HEALTHY);
    assert_int_equal(event->evidence_ns, now_ns);
    assert_int_equal(event->acknowledged_ns, now_ns);
    assert_int_equal(event->observed_ns, now_ns);
    say(A, "fff");
    event = last_event(EVENT_TRANSITION);
    assert_int_equal(event->from, TARGET_ANNOUNCE);
    assert_int_equal(event->to, TARGET_WITHDRAW);
    assert_true(event->warning);
    assert_int_equal(event->acknowledged_ns, 0);
    now_ns += 5 * NS_PER_MS;
    settle();
    assert_int_equal(event->acknowledged_ns, now_ns);
    assert_int_equal(event->observed_ns, now_ns);
    assert_non_null(strstr(event->text, "probe a is down: refused"));
}

TEST(what_no_look_up_can_change_is_looked_up_in_its_turn_alone)
{
    running("min_sessions = 2\n" ONE_PROBE DNS_NEEDS_A); // and there is one session
    for (unsigned i = 0; i < 20; i++) {
        pass_ms(100);
    }
    bird.looks = 0;
    for (unsigned i = 0; i < 100; i++) {
        pass_ms(100);
    }
    assert_int_equal(core->observed->prefixes[0].condition, CONDITION_SHORT);
    assert_in_range(bird.looks, 9, 11); // each second
}

TEST(a_drain_that_an_export_filter_makes_none_is_not_seen)
{
    running(ONE_PROBE DNS_NEEDS_A);
    bird.strips = true;
    struct intent drain = {
        .kind = INTENT_DRAIN, .since_ms = now_ns / NS_PER_MS, .grace_ms = 3600000, .by = "alice"};
    put_intent(core, DNS, &drain, "drained by alice", now_ns);
    settle();
    for (unsigned i = 0; i < 12; i++) {
        pass_ms(100);
    }
    assert_int_equal(target_of(DNS), TARGET_DEPREFERENCE);
    assert_false(core->services[DNS].seen);
    assert_int_equal(last_event(EVENT_TRANSITION)->observed_ns, 0);
    assert_int_equal(core->observed->prefixes[0].condition, CONDITION_ALTERED);
    assert_non_null(strstr(last_event(EVENT_OBSERVED)->text, "without community 65535:0 on up1"));
    bird.strips = false;
    pass_ms(1000);
    assert_true(core->services[DNS].seen);
}

// A former run left the file and BIRD like this; then a start within the same boot.
static void restarted(bool in_file, bool in_bird, bool same_boot)
{
    config = small_config(ONE_PROBE DNS_NEEDS_A);
    struct birdconf *former = birdconf_render(config);
    birdconf_set(former, "popgate_dns_v4", in_file);
    bird_gets(former);
    *bird_protocol("popgate_dns_v4") = in_bird;
    begin(NULL, same_boot, former);
    birdconf_free(former);
    links_come_up();
    settle();
}

TEST(a_restart_takes_over_what_file_and_bird_agree_on)
{
    restarted(true, true, true);
    assert_int_equal(target_of(DNS), TARGET_ANNOUNCE);
    assert_int_equal(core->services[DNS].decision.cause, CAUSE_ADOPTED);
    assert_int_equal(bird.switches, 0);
    say(A, "pp");
    settle();
    assert_int_equal(bird.switches, 0);
}

// popgate.conf has got an address of IPv6 meanwhile, which BIRD can't have yet.
TEST(a_restart_with_a_further_family_leaves_what_bird_has)
{
    struct config *before = small_config(ONE_PROBE DNS_NEEDS_A);
    struct birdconf *former = birdconf_render(before);
    config = small_config(ONE_PROBE "[service dns]\nprefixes = 192.0.2.1/32 2001:db8::1/128\n"
                                    "require = a\nhold_down = 10s\n");
    birdconf_set(former, "popgate_dns_v4", true);
    bird_gets(former);
    begin(NULL, true, former);
    birdconf_free(former);
    config_free(before);
    links_come_up();
    settle();
    assert_int_equal(target_of(DNS), TARGET_ANNOUNCE);
    assert_int_equal(count_events(EVENT_TRANSITION), 0);
    assert_true(*bird_protocol("popgate_dns_v4"));
    assert_true(*bird_protocol("popgate_dns_v6"));
}

TEST(a_reload_that_takes_a_family_away_gives_up_nothing_adopted)
{
    config = small_config(ONE_PROBE "[service dns]\nprefixes = 192.0.2.1/32 2001:db8::1/128\n"
                                    "require = a\nhold_down = 10s\n");
    struct birdconf *former = birdconf_render(config);
    birdconf_set(former, "popgate_dns_v4", true);
    birdconf_set(former, "popgate_dns_v6", true);
    bird_gets(former);
    begin(NULL, true, former);
    birdconf_free(former);
    reload(ONE_PROBE DNS_NEEDS_A); // before BIRD has been looked at
    links_come_up();
    settle();
    assert_int_equal(target_of(DNS), TARGET_ANNOUNCE);
    assert_int_equal(count_events(EVENT_TRANSITION), 0);
}

TEST(what_evidence_has_decided_since_the_restart_is_not_given_up)
{
    config = small_config(ONE_PROBE DNS_NEEDS_A);
    struct birdconf *former = birdconf_render(config);
    birdconf_set(former, "popgate_dns_v4", true);
    bird_gets(former);
    *bird_protocol("popgate_dns_v4") = false;
    begin(NULL, true, former);
    birdconf_free(former);
    say(A, "dd"); // while BIRD is away
    assert_int_equal(target_of(DNS), TARGET_DEPREFERENCE);
    links_come_up();
    settle();
    assert_int_equal(target_of(DNS), TARGET_DEPREFERENCE);
    assert_int_equal(core->services[DNS].decision.cause, CAUSE_DEGRADED);
    assert_true(*bird_protocol("popgate_dns_v4_drain"));
}

TEST(what_only_the_file_has_is_not_taken_over)
{
    restarted(true, false, true);
    assert_int_equal(target_of(DNS), TARGET_WITHDRAW);
    assert_false(*bird_protocol("popgate_dns_v4"));
    say(A, "pp");
    settle();
    assert_int_equal(target_of(DNS), TARGET_WITHDRAW); // waits out hold_down
    pass_ms(10000);
    assert_true(*bird_protocol("popgate_dns_v4"));
}

TEST(what_only_bird_has_is_withdrawn)
{
    restarted(false, true, true);
    assert_int_equal(target_of(DNS), TARGET_WITHDRAW);
    assert_false(*bird_protocol("popgate_dns_v4"));
}

TEST(after_a_reboot_nothing_is_taken_over)
{
    restarted(true, true, false);
    assert_int_equal(target_of(DNS), TARGET_WITHDRAW);
    assert_false(*bird_protocol("popgate_dns_v4"));
}

TEST(somebodys_disable_is_repaired_and_the_file_written_again)
{
    running(ONE_PROBE DNS_NEEDS_A);
    uint64_t before = core->include.wanted;
    *bird_protocol("popgate_dns_v4") = false;
    pass_ms(1000);
    assert_true(*bird_protocol("popgate_dns_v4"));
    assert_true(core->include.saved > before);
    assert_int_equal(core->drifts, 1);
    assert_non_null(strstr(last_event(EVENT_DRIFT)->text, "popgate_dns_v4"));
}

TEST(a_bird_that_lies_is_not_asked_without_end)
{
    running(ONE_PROBE DNS_NEEDS_A);
    say(0, "fff");
    settle();
    assert_false(*bird_protocol("popgate_dns_v4"));
    bird.lies = true;
    *bird_protocol("popgate_dns_v4") = true;
    pass_ms(1000);
    unsigned before = bird.switches;
    pass_ms(1000);
    assert_in_range(bird.switches - before, 1, 40);
    bird.lies = false;
    pass_ms(1000);
    assert_false(*bird_protocol("popgate_dns_v4"));
}

TEST(an_echo_about_us_is_looked_into_at_once)
{
    running(ONE_PROBE DNS_NEEDS_A);
    *bird_protocol("popgate_dns_v4") = false;
    core_echo(core, "Disabling protocol popgate_dns_v4", now_ns);
    settle();
    assert_true(*bird_protocol("popgate_dns_v4"));
}

// 3.x has no echo: somebody's `enable`, `configure undo`, or a `configure timeout` that is over.
TEST(a_bird_that_echoes_nothing_is_looked_at_often_enough_for_containment)
{
    static const struct bird_version version = {3, 3, 2};
    struct intent isolated = {.kind = INTENT_ISOLATE, .by = "alice"};
    running(TWO_PROBES DNS_NEEDS_A WEB_NEEDS_B);
    core_link(core, ORDER_LINK_ASK, BIRD_LINK_UP, "", &version, now_ns);
    put_intent(core, DNS, &isolated, "isolated", now_ns);
    settle();
    for (unsigned i = 0; i < 5; i++) {
        unsigned waited_ms = 0;
        *bird_protocol("popgate_dns_v4") = true;
        while (*bird_protocol("popgate_dns_v4")) {
            pass_ms(1);
            waited_ms++;
        }
        assert_in_range(waited_ms, 1, 45);
        pass_ms(7 + i);
    }
    assert_int_equal(core->drifts, 5);
    assert_true(*bird_protocol("popgate_web_v4"));
}

// Its next order that looks at all that is ours, answered after so long.
static void bird_takes_for_ours(uint64_t ns)
{
    struct order order;
    for (;;) {
        if (!core_order(core, &order)) {
            now_ns += NS_PER_MS;
            core_tick(core, now_ns);
        } else if (order_kind(order.token) == ORDER_LOOK) {
            now_ns += ns;
            bird_does(&order);
            settle();
            return;
        } else {
            bird_does(&order);
        }
    }
}

TEST(looking_at_all_that_is_ours_takes_a_hundredth_of_birds_time)
{
    static const struct bird_version version = {3, 3, 2};
    running(ONE_PROBE DNS_NEEDS_A);
    core_link(core, ORDER_LINK_ASK, BIRD_LINK_UP, "", &version, now_ns);
    settle();
    core->looking.snapshot_at_ms += 10000; // of everything: that would show that it is quick again
    for (unsigned i = 0; i < 3; i++) {
        bird_takes_for_ours(2 * NS_PER_MS);
    }
    uint64_t ended_ns = now_ns;
    bird_takes_for_ours(NS_PER_MS / 10);
    assert_in_range((now_ns - ended_ns) / NS_PER_MS, 198, 200);
    for (unsigned i = 0; i < 4; i++) { // the machine is busy now and then
        ended_ns = now_ns;
        bird_takes_for_ours(i % 2 == 0 ? 5 * NS_PER_MS : NS_PER_MS / 10);
        assert_in_range((now_ns - ended_ns) / NS_PER_MS, 30, 36);
    }
}

// A millisecond of a BIRD that takes 5 ms for each look at all that is ours.
static unsigned pass_with_dear_looks(void)
{
    struct order order;
    unsigned looks = 0;
    now_ns += NS_PER_MS;
    core_tick(core, now_ns);
    while (core_order(core, &order)) {
        if (order_kind(order.token) == ORDER_LOOK) {
            now_ns += 5 * NS_PER_MS;
            looks++;
        }
        bird_does(&order);
    }
    return looks;
}

TEST(where_those_looks_are_dear_the_pipes_tell_when_one_is_due)
{
    static const struct bird_version version = {3, 3, 2};
    struct intent isolated = {.kind = INTENT_ISOLATE, .by = "alice"};
    running(ONE_PROBE DNS_NEEDS_A);
    core_link(core, ORDER_LINK_ASK, BIRD_LINK_UP, "", &version, now_ns);
    put_intent(core, DNS, &isolated, "isolated", now_ns);
    settle();
    core->looking.snapshot_at_ms += 10000; // of everything, and rarely
    for (unsigned i = 0; i < 2000; i++) {
        (void)pass_with_dear_looks();
    }
    for (unsigned i = 0; i < 5; i++) {
        uint64_t began_ns = now_ns;
        *bird_protocol("popgate_dns_v4") = true;
        while (*bird_protocol("popgate_dns_v4")) {
            (void)pass_with_dear_looks();
        }
        assert_in_range((now_ns - began_ns) / NS_PER_MS, 1, 45);
        for (unsigned j = 0; j < 100; j++) {
            (void)pass_with_dear_looks();
        }
    }
    unsigned looks = 0;
    for (unsigned i = 0; i < 2000; i++) { // while nothing comes or goes
        looks += pass_with_dear_looks();
    }
    assert_in_range(looks, 3, 5);
}

// With `debug commands` BIRD echoes our own questions: each would lead to the next.
TEST(the_echo_of_a_command_leads_to_no_question)
{
    struct order order;
    running(ONE_PROBE DNS_NEEDS_A);
    core_echo(core, "CLI: show protocols all \"popgate?_pipe\"", now_ns);
    assert_false(core_order(core, &order));
}

// The next order to BIRD is of this kind.
static struct order expect_kind(enum order_kind kind)
{
    struct order order = {.token = 0};
    assert_true(core_order(core, &order));
    assert_int_equal(order_kind(order.token), kind);
    return order;
}

static void expect_no_more_orders(void)
{
    struct order order;
    assert_false(core_order(core, &order));
}

TEST(the_echo_of_what_we_do_ourselves_waits_for_the_answer)
{
    running(TWO_PROBES DNS_NEEDS_A WEB_NEEDS_B);
    say(A, "fff");
    struct order off = expect_kind(ORDER_DISABLE);
    core_echo(core, "Disabling protocol popgate_dns_v4", now_ns);
    expect_no_more_orders();
    bird_does(&off);
    struct order look = expect_kind(ORDER_LOOK); // once, for the reply and the echo
    assert_string_equal(look.command, "show protocols \"popgate_dns_v*\"");
    while (core_order(core, &look)) {
        assert_int_equal(order_kind(look.token), ORDER_ROUTE);
    }
}

TEST(who_was_switched_is_looked_at_and_nobody_else)
{
    running(TWO_PROBES DNS_NEEDS_A WEB_NEEDS_B);
    *bird_protocol("popgate_dns_v4_drain") = true; // somebody's hand, not noticed yet
    say(A, "fff");
    settle();
    assert_false(*bird_protocol("popgate_dns_v4"));
    assert_false(*bird_protocol("popgate_dns_v4_drain"));
    assert_int_equal(core->drifts, 1);
}

TEST(bird_is_looked_at_for_no_more_than_a_fifth_of_its_time)
{
    running(ONE_PROBE DNS_NEEDS_A);
    core_echo(core, "Reconfigured", now_ns);
    struct order look = expect_kind(ORDER_PROTOCOLS);
    now_ns += 5 * NS_PER_MS; // BIRD has thousands of protocols
    bird_does(&look);
    settle();
    *bird_protocol("popgate_dns_v4") = false;
    core_echo(core, "Reconfigured", now_ns);
    expect_no_more_orders();
    assert_int_equal(core_next_ms(core), now_ns / NS_PER_MS + 20);
    pass_ms(20);
    assert_true(*bird_protocol("popgate_dns_v4"));
}

TEST(a_session_that_goes_and_comes_is_an_event)
{
    running(ONE_PROBE DNS_NEEDS_A);
    assert_string_equal(last_event(EVENT_SESSION)->text, "1 of 1 BGP session is established");
    bird.session_down = true;
    pass_ms(1000);
    assert_string_equal(last_event(EVENT_SESSION)->text,
                        "BGP session up1 is down (start, Active, Socket: No route to host)");
    assert_true(last_event(EVENT_SESSION)->warning);
    pass_ms(40000);
    bird.session_down = false;
    pass_ms(1000);
    assert_string_equal(last_event(EVENT_SESSION)->text, "BGP session up1 is established");
    assert_int_equal(count_events(EVENT_SESSION), 3);
}

TEST(without_any_session_an_isolation_is_seen_when_bird_has_no_route_of_ours)
{
    running(ONE_PROBE DNS_NEEDS_A);
    bird.session_down = true;
    pass_ms(1000);
    assert_false(core->services[DNS].seen); // it is announced to nobody
    bird.lies = true;
    struct intent isolate = {.kind = INTENT_ISOLATE};
    put_intent(core, DNS, &isolate, "isolated", now_ns);
    settle();
    pass_ms(1000);
    assert_false(core->services[DNS].seen); // BIRD has it on still
    bird.lies = false;
    pass_ms(1000);
    pass_ms(1000);
    assert_true(core->services[DNS].seen);
    assert_true(last_event(EVENT_TRANSITION)->observed_ns != 0);
}

TEST(a_pop_that_needs_no_session_is_seen_to_announce_without_one)
{
    bird.session_down = true;
    running("min_sessions = 0\n" ONE_PROBE DNS_NEEDS_A);
    pass_ms(1000);
    assert_true(core->services[DNS].seen);
    assert_int_equal(core->observed->prefixes[0].condition, CONDITION_AS_MEANT);
    say(A, "fff");
    settle();
    pass_ms(1000);
    assert_true(core->services[DNS].seen);
    assert_false(*bird_protocol("popgate_dns_v4"));
}

TEST(a_session_s_end_is_one_event_and_not_one_more_of_each_prefix)
{
    running(ONE_PROBE DNS_NEEDS_A);
    size_t observed = count_events(EVENT_OBSERVED);
    bird.session_down = true;
    pass_ms(1000);
    pass_ms(1000);
    pass_ms(1000);
    bird.session_down = false;
    pass_ms(1000);
    pass_ms(1000);
    assert_int_equal(count_events(EVENT_OBSERVED), observed);
    assert_true(core->services[DNS].seen);
}

TEST(a_bird_that_refuses_is_asked_again_only_once_a_second)
{
    running(ONE_PROBE DNS_NEEDS_A);
    bird.refusal = 8007;
    say(A, "fff");
    settle();
    assert_int_equal(bird.switches, 1);
    pass_ms(1000);
    assert_int_equal(bird.switches, 2);
    assert_int_equal(count_events(EVENT_TROUBLE), 1);
    assert_non_null(strstr(last_event(EVENT_TROUBLE)->text, "8007"));
    assert_true(core->denied);
    bird.refusal = 0;
    pass_ms(1000);
    assert_false(*bird_protocol("popgate_dns_v4"));
    assert_false(core->denied); // which the link did not have to go down for
    assert_false(last_event(EVENT_TROUBLE)->warning);
}

static void bird_loses(const char *protocol)
{
    for (size_t i = 0; i < bird.count; i++) {
        if (strcmp(bird.protocols[i].name, protocol) == 0) {
            bird.protocols[i] = bird.protocols[--bird.count];
        }
    }
}

TEST(what_bird_does_not_have_it_does_not_refuse_to_switch_off)
{
    running(ONE_PROBE DNS_NEEDS_A);
    bird_loses("popgate_dns_v4");
    say(A, "fff");
    settle();
    assert_string_equal(bird.last, "disable popgate_dns_v4");
    assert_true(announcer_settled(core->announcer, DNS));
    assert_false(core->denied);
    assert_int_equal(count_events(EVENT_TROUBLE), 0);
}

TEST(a_refusal_is_not_over_because_bird_lacks_another_protocol)
{
    running(TWO_PROBES DNS_NEEDS_A WEB_NEEDS_B);
    bird.refusal = 8007;
    say(B, "fff");
    settle();
    assert_true(core->denied);
    bird_loses("popgate_dns_v4");
    say(A, "fff");
    settle();
    assert_string_equal(bird.last, "disable popgate_dns_v4");
    assert_true(core->denied);
    assert_int_equal(count_events(EVENT_TROUBLE), 1);
}

TEST(a_refused_file_is_told_once_with_birds_own_words)
{
    begin(ONE_PROBE DNS_NEEDS_A, false, NULL);
    bird.check = 8002;
    links_come_up();
    settle();
    assert_non_null(strstr(last_event(EVENT_CONFIGURE)->text, "bird.conf:3:1 syntax error"));
    assert_true(last_event(EVENT_CONFIGURE)->warning);
    for (unsigned i = 0; i < 12; i++) {
        pass_ms(1000);
    }
    assert_int_equal(count_events(EVENT_CONFIGURE), 1);
    bird.check = 20;
    pass_ms(5000);
    assert_string_equal(load_name(core->loader.state), load_name(LOAD_LOADED));
    assert_int_equal(count_events(EVENT_CONFIGURE), 2);
}

TEST(a_file_that_cannot_be_written_keeps_nothing_off_the_air)
{
    running(ONE_PROBE DNS_NEEDS_A);
    say(A, "fff");
    settle();
    say(A, "pp");
    now_ns += 10000 * NS_PER_MS;
    core_tick(core, now_ns);
    struct order order;
    while (core_order(core, &order)) {
        assert_int_not_equal(order_kind(order.token), ORDER_ENABLE);
        bird_does(&order);
    }
    for (unsigned i = 0; i < 2; i++) {
        assert_true(include_submit(&core->include, now_ns / NS_PER_MS));
        core_file_saved(core, core->include.submitted,
                        "can't write bird.conf: No space left on device", now_ns);
        now_ns += INCLUDE_RETRY_MS * NS_PER_MS;
    }
    assert_true(core_order(core, &order));
    assert_string_equal(order.command, "enable popgate_dns_v4");
    assert_int_equal(count_events(EVENT_TROUBLE), 1);
}

TEST(crash_grace_is_woken_up_for)
{
    running(ONE_PROBE DNS_NEEDS_A);
    config->probes[A].crash_grace_ms = 40;
    pass_ms(5000);
    say(A, "!");
    assert_true(core_next_ms(core) <= now_ns / NS_PER_MS + 40);
    assert_int_equal(target_of(DNS), TARGET_ANNOUNCE);
    pass_ms(40);
    assert_int_equal(target_of(DNS), TARGET_WITHDRAW);
}

TEST(hold_down_is_woken_up_for)
{
    running(ONE_PROBE DNS_NEEDS_A);
    say(A, "fffpp");
    core_link(core, ORDER_LINK_ASK, BIRD_LINK_DOWN, "gone", NULL, now_ns);
    core_tick(core, now_ns);
    say(A, "p");
    assert_true(core_next_ms(core) <= now_ns / NS_PER_MS + 10000);
    now_ns += 10000 * NS_PER_MS;
    core_tick(core, now_ns);
    assert_int_equal(target_of(DNS), TARGET_ANNOUNCE);
}

TEST(the_last_verdict_is_kept_with_its_time)
{
    running(ONE_PROBE DNS_NEEDS_A);
    now_ns += 7;
    say(A, "?");
    assert_int_equal(core->probes[A].last.kind, VERDICT_UNKNOWN);
    assert_int_equal(core->probes[A].last.at_ns, now_ns);
    assert_int_equal(core->probes[A].verdicts[VERDICT_PASS], 2);
    assert_int_equal(core->probes[A].verdicts[VERDICT_UNKNOWN], 1);
}

TEST(a_probe_that_can_not_look_is_named_with_its_cause)
{
    running(TWO_PROBES "[service dns]\nprefixes = 192.0.2.1/32\nrequire = a b\n");
    assert_string_equal(why(DNS), "all probes pass");
    say(B, "?");
    assert_string_equal(why(DNS), "probe b can't look now: out of descriptors; what it last saw "
                                  "was good");
    now_ns += BLIND_MS * NS_PER_MS;
    say(A, "pp");
    say(B, "?");
    assert_string_equal(why(DNS), "probe b can't look now: out of descriptors; held as last known");
    assert_int_equal(target_of(DNS), TARGET_ANNOUNCE);
    say(B, "p");
    assert_string_equal(why(DNS), "probe b sees again, and is not settled yet; held as last known");
    say(B, "p");
    assert_string_equal(why(DNS), "all probes pass");
}

TEST(a_probe_that_falls_silent_is_named_too)
{
    running(ONE_PROBE DNS_NEEDS_A);
    pass_ms(BLIND_MS);
    assert_string_equal(why(DNS),
                        "probe a can't look now: no verdict comes from it; held as last known");
}

TEST(what_the_service_can_do_without_is_not_said_to_pass)
{
    running(TWO_PROBES "[service dns]\nprefixes = 192.0.2.1/32\nany = a b\n");
    say(B, "fff");
    assert_string_equal(why(DNS), "enough probes pass; probe b is down: refused");
    assert_int_equal(target_of(DNS), TARGET_ANNOUNCE);
}

TEST(not_being_able_to_look_is_no_reason_for_being_down)
{
    running(ONE_PROBE DNS_NEEDS_A);
    say(A, "fff");
    assert_string_equal(why(DNS), "probe a is down: refused");
    say(A, "?");
    assert_string_equal(why(DNS), "probe a is down: refused; now can't look: out of descriptors");
    pass_ms(BLIND_MS);
    assert_string_equal(why(DNS), "probe a was down: refused; now can't look: out of descriptors");
}

TEST(hold_down_tells_what_is_left)
{
    running(ONE_PROBE DNS_NEEDS_A);
    say(A, "fffpp");
    assert_string_equal(why(DNS), "healthy again, waiting out hold_down of 10 s, 10 s are left");
    now_ns += 4000 * NS_PER_MS;
    assert_string_equal(why(DNS), "healthy again, waiting out hold_down of 10 s, 6 s are left");
}

TEST(who_depends_is_withdrawn_in_the_same_call)
{
    running(TWO_PROBES "[service web]\nprefixes = 192.0.2.2/32\nrequire = b\ndepends = dns\n"
                       "[service dns]\nprefixes = 192.0.2.1/32\nrequire = a\n");
    say(A, "fff");
    assert_int_equal(target_of(0), TARGET_WITHDRAW);
    assert_int_equal(target_of(1), TARGET_WITHDRAW);
    assert_string_equal(why(0), "depends on dns: probe a is down: refused");
    settle();
    assert_string_equal(bird.last, "disable \"popgate_*\"");
}

TEST(an_intent_is_obeyed_and_ends_by_itself)
{
    running(ONE_PROBE DNS_NEEDS_A);
    struct intent intent = {.kind = INTENT_DRAIN,
                            .since_ms = now_ns / NS_PER_MS,
                            .grace_ms = 3000,
                            .until_ms = now_ns / NS_PER_MS + 9000,
                            .by = "alice (1)",
                            .reason = "line card"};
    put_intent(core, DNS, &intent, "drained by alice", now_ns);
    settle();
    assert_true(*bird_protocol("popgate_dns_v4_drain"));
    assert_false(*bird_protocol("popgate_dns_v4"));
    assert_string_equal(why(DNS), "drained by alice (1): line card");
    pass_ms(3000);
    assert_false(*bird_protocol("popgate_dns_v4_drain"));
    assert_false(core->ledger_dirty);
    pass_ms(6000);
    assert_true(core->ledger_dirty);
    assert_int_equal(core->services[DNS].intent.kind, INTENT_AUTO);
    assert_true(*bird_protocol("popgate_dns_v4"));
}

TEST(an_isolation_is_told_to_bird_though_it_is_believed_to_be_off)
{
    running(ONE_PROBE DNS_NEEDS_A);
    say(A, "fff");
    settle();
    *bird_protocol("popgate_dns_v4") = true; // somebody's hand, and nobody has looked since
    struct intent intent = {.kind = INTENT_ISOLATE};
    put_intent(core, DNS, &intent, "isolated", now_ns);
    assert_false(announcer_settled(core->announcer, DNS));
    settle();
    assert_false(*bird_protocol("popgate_dns_v4"));
    assert_true(announcer_settled(core->announcer, DNS));
}

TEST(what_an_isolation_only_doubts_is_ordered_off_when_what_is_on_was_answered_for)
{
    running(ONE_PROBE DNS_NEEDS_A);
    struct intent intent = {.kind = INTENT_ISOLATE};
    put_intent(core, DNS, &intent, "isolated", now_ns);
    struct order order;
    assert_true(core_order(core, &order));
    assert_string_equal(order.command, "disable popgate_dns_v4");
    struct order next;
    while (core_order(core, &next)) {
        assert_int_not_equal(order_kind(next.token), ORDER_DISABLE);
    }
    bird_does(&order);
    assert_false(announcer_settled(core->announcer, DNS)); // so nothing is acknowledged
    assert_true(core_order(core, &order));
    assert_string_equal(order.command, "disable popgate_dns_v4_drain");
}
