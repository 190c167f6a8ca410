// Services that are cut off by being announced: what has to be seen before one is held, what holds
// nobody, and what ends it.
#define PROTOCOLS 128
#include "controller/core/problems.h"

#include "tests/unit/core_world.h"

TEST_FIXTURE(start, stop);

#define BEHIND                                                                                     \
    "[probe a]\ntype = tcp\ntarget = 192.0.2.1:53\ninterval = 1s\ntimeout = 1s\nfall = 2\n"
#define ALSO_BEHIND                                                                                \
    "[probe b]\ntype = tcp\ntarget = 192.0.2.2:53\ninterval = 1s\ntimeout = 1s\nfall = 2\n"
#define AGES_MS UINT64_C(7200000)

static const struct way blackhole = {.kind = WAY_BLACKHOLE};
static const struct way local = {.kind = WAY_LOCAL, .length = 32, .text = "192.0.2.1/32"};
static const struct way by_bird = {.kind = WAY_ROUTE,
                                   .length = 32,
                                   .by_bird = true,
                                   .metric = 32,
                                   .text = "192.0.2.1/32 via 10.8.0.2"};

static bool asks(size_t probe, enum verdict_kind kind)
{
    return core_asks_way(core, probe, &(struct verdict){.kind = kind}, now_ns);
}

// A check ends, as the shell hands it over: with the kernel's way, if that is asked for.
static bool check(size_t probe, char verdict, const struct way *way)
{
    struct verdict it = {.kind = verdict == 'p' ? VERDICT_PASS : VERDICT_FAIL};
    bool asked = asks(probe, it.kind);
    if (asked) {
        core_way(core, probe, &it, way, now_ns);
    }
    say(probe, (char[]){verdict, '\0'});
    settle();
    return asked;
}

static void fail_on(const struct way *way)
{
    check(A, 'f', way);
    check(A, 'f', way);
    assert_int_equal(target_of(DNS), TARGET_WITHDRAW);
}

static bool is_held(void)
{
    return core->services[DNS].decision.cut_off;
}

static void held(const char *text)
{
    running(text);
    fail_on(&blackhole);
    check(A, 'p', &by_bird);
    assert_true(is_held());
    check(A, 'p', &by_bird);
}

TEST(who_fails_in_a_blackhole_while_announced_and_passes_while_withdrawn_is_not_announced_again)
{
    running(BEHIND DNS_NEEDS_A);
    fail_on(&blackhole);
    assert_true(check(A, 'p', &by_bird));
    check(A, 'p', &by_bird);
    pass_ms(AGES_MS);
    check(A, 'p', &by_bird);
    assert_int_equal(target_of(DNS), TARGET_WITHDRAW);
    assert_int_equal(core->services[DNS].decision.cause, CAUSE_CUT_OFF);
    assert_non_null(strstr(why(DNS), "popgate's own route takes the place of 192.0.2.1/32 via "));
    assert_true(last_event(EVENT_OBSERVED)->warning);
    assert_int_equal(count_events(EVENT_OBSERVED), 1);
}

TEST(who_is_cut_off_is_a_critical_problem_of_its_own_with_the_cure)
{
    struct problem found[PROBLEMS_MAX];
    struct own_trouble own = {.ledger = NULL};
    held(BEHIND DNS_NEEDS_A);
    assert_int_equal(problems_find(core, &own, DNS, now_ns / NS_PER_MS, found, PROBLEMS_MAX), 1);
    assert_string_equal(found[0].code, "cut-off");
    assert_int_equal(found[0].severity, SEVERITY_CRITICAL);
    assert_non_null(strstr(found[0].text, "takes the place of"));
    assert_non_null(strstr(found[0].advice, "metric 1"));
}

// A gate names one probe of those that are too few.
TEST(any_probe_of_the_gate_may_be_the_one_that_is_cut_off)
{
    running(BEHIND PROBE("b") "[service dns]\nprefixes = 192.0.2.1/32\nany = b a\nany_min = 1\n"
                              "hold_down = 10s\n");
    say(B, "fff");
    fail_on(&blackhole);
    check(A, 'p', &by_bird);
    assert_true(is_held());
}

static void held_till_b_passes(void)
{
    running(BEHIND PROBE("b") "[service dns]\nprefixes = 192.0.2.1/32\nany = b a\nany_min = 1\n"
                              "hold_down = 0s\n");
    say(B, "fff");
    fail_on(&blackhole);
    check(A, 'p', &by_bird);
    assert_true(is_held());
    say(B, "ppp");
    settle();
    assert_int_equal(target_of(DNS), TARGET_ANNOUNCE);
}

TEST(who_is_cut_off_is_announced_as_long_as_enough_other_probes_pass)
{
    held_till_b_passes();
    check(A, 'f', &blackhole);
    check(A, 'f', &blackhole);
    assert_int_equal(target_of(DNS), TARGET_ANNOUNCE);
}

TEST(who_is_announced_for_others_is_not_withdrawn_for_what_was_seen_before)
{
    held_till_b_passes();
    check(A, 'p', &local); // its address is on lo by now
    check(A, 'p', &local);
    say(B, "fff");
    settle();
    assert_int_equal(target_of(DNS), TARGET_ANNOUNCE);
}

TEST(of_several_that_are_cut_off_together_none_is_one_that_is_left)
{
    running(BEHIND "[probe b]\ntype = tcp\ntarget = 192.0.2.1:54\ninterval = 1s\ntimeout = 1s\n"
                   "[service dns]\nprefixes = 192.0.2.1/32\nany = b a\nany_min = 1\n"
                   "hold_down = 10s\n");
    check(B, 'f', &blackhole);
    check(B, 'f', &blackhole);
    check(B, 'f', &blackhole);
    fail_on(&blackhole);
    for (unsigned i = 0; i < 3; i++) {
        check(A, 'p', &by_bird);
        check(B, 'p', &by_bird);
    }
    assert_true(is_held());
    check(A, 'p', &local); // a's too, if it was not b that was suspected
    check(B, 'p', &local);
    assert_false(is_held());
}

// It passes as long as that service is withdrawn, and it is.
TEST(a_probe_cut_off_by_another_services_prefix_is_left_for_this_one)
{
    running(BEHIND ALSO_BEHIND DNS_NEEDS_A
            "[service web]\nprefixes = 192.0.2.2/32\nany = a b\nany_min = 1\n"
            "hold_down = 10s\n");
    fail_on(&blackhole);
    check(B, 'f', &blackhole);
    check(B, 'f', &blackhole);
    assert_int_equal(target_of(WEB), TARGET_WITHDRAW);
    for (unsigned i = 0; i < 3; i++) {
        check(A, 'p', &by_bird);
        check(B, 'p', &by_bird);
    }
    pass_ms(10000);
    assert_true(is_held());
    assert_int_equal(target_of(WEB), TARGET_ANNOUNCE);
}

#define EACH_NEEDS_ONE_OF_A_AND_B                                                                  \
    "[service dns]\nprefixes = 192.0.2.1/32\nany = a b\nany_min = 1\nhold_down = 10s\n"            \
    "[service web]\nprefixes = 192.0.2.2/32\nany = a b\nany_min = 1\nhold_down = 10s\n"

static void check_both(char verdict, const struct way *way)
{
    check(A, verdict, way);
    check(B, verdict, way);
}

static void both_held(const char *text)
{
    running(text);
    check_both('f', &blackhole);
    check_both('f', &blackhole);
    assert_int_equal(target_of(DNS), TARGET_WITHDRAW);
    assert_int_equal(target_of(WEB), TARGET_WITHDRAW);
    for (unsigned i = 0; i < 4; i++) {
        check_both('p', &by_bird);
    }
}

TEST(two_that_cut_each_other_off_do_not_come_back_by_each_others_withdrawal)
{
    both_held(BEHIND ALSO_BEHIND EACH_NEEDS_ONE_OF_A_AND_B);
    pass_ms(AGES_MS);
    check_both('p', &by_bird);
    pass_ms(AGES_MS);
    assert_int_equal(target_of(DNS), TARGET_WITHDRAW);
    assert_int_equal(target_of(WEB), TARGET_WITHDRAW);
    assert_int_equal(core->services[WEB].decision.cause, CAUSE_CUT_OFF);
}

TEST(two_that_each_require_what_the_other_one_cuts_off_do_not_come_back_together)
{
    both_held(BEHIND ALSO_BEHIND PROBE(
        "c") "[service dns]\nprefixes = 192.0.2.1/32\nrequire = b\nany = a c\nany_min = 1\n"
             "[service web]\nprefixes = 192.0.2.2/32\nrequire = a\nany = b c\nany_min = 1\n");
    say(config_probe(config, "c"), "ppp");
    settle();
    pass_ms(AGES_MS);
    check_both('p', &by_bird);
    assert_int_equal(target_of(DNS), TARGET_WITHDRAW);
    assert_int_equal(target_of(WEB), TARGET_WITHDRAW);
}

TEST(of_two_that_cut_each_other_off_both_come_back_when_one_is_reached_otherwise)
{
    both_held(BEHIND ALSO_BEHIND EACH_NEEDS_ONE_OF_A_AND_B);
    pass_ms(AGES_MS);
    check(A, 'p', &local);
    pass_ms(20000);
    assert_int_equal(target_of(DNS), TARGET_ANNOUNCE);
    assert_int_equal(target_of(WEB), TARGET_ANNOUNCE);
}

TEST(who_was_tried_again_and_passes_on_for_long_holds_nobody_any_more)
{
    const struct intent intent = {.kind = INTENT_AUTO};
    both_held(BEHIND ALSO_BEHIND EACH_NEEDS_ONE_OF_A_AND_B);
    pass_ms(AGES_MS);
    put_intent(core, DNS, &intent, "undrained", now_ns);
    check(A, 'p', &local);
    pass_ms(20000);
    assert_int_equal(target_of(DNS), TARGET_ANNOUNCE);
    assert_int_equal(target_of(WEB), TARGET_WITHDRAW);
    pass_ms(AGES_MS);
    check(A, 'p', &local);
    pass_ms(20000);
    assert_int_equal(target_of(WEB), TARGET_ANNOUNCE);
}

TEST(who_cuts_off_a_probe_and_was_tried_again_lends_it_to_nobody_until_it_is_seen_to_pass_on)
{
    const struct intent intent = {.kind = INTENT_AUTO};
    both_held(BEHIND ALSO_BEHIND PROBE("c") EACH_NEEDS_ONE_OF_A_AND_B "degrade = c\n");
    pass_ms(AGES_MS);
    put_intent(core, DNS, &intent, "undrained", now_ns);
    assert_int_equal(target_of(DNS), TARGET_ANNOUNCE);
    check(B, 'p', &by_bird);
    check(A, 'f', &blackhole);
    say(config_probe(config, "c"), "ppp"); // web is decided anew, for another reason
    settle();
    assert_true(core->services[WEB].decision.cut_off);
    check(A, 'f', &blackhole);
    pass_ms(AGES_MS);
    assert_int_equal(target_of(DNS), TARGET_ANNOUNCE); // by b, which web lends for good
    assert_int_equal(target_of(WEB), TARGET_WITHDRAW);
}

TEST(of_several_that_are_suspected_one_that_is_dead_by_itself_hides_no_other)
{
    running(BEHIND "[probe b]\ntype = tcp\ntarget = 192.0.2.1:54\ninterval = 1s\ntimeout = 1s\n"
                   "[service dns]\nprefixes = 192.0.2.1/32\nany = b a\nany_min = 1\n"
                   "hold_down = 10s\n");
    check(B, 'f', &blackhole);
    check(B, 'f', &blackhole);
    check(B, 'f', &blackhole);
    fail_on(&blackhole);
    check(A, 'p', &by_bird);
    check(A, 'p', &by_bird);
    assert_true(is_held());
    pass_ms(AGES_MS);
    check(B, 'p', &local);
    check(B, 'p', &local);
    check(B, 'p', &local);
    assert_false(is_held());
}

TEST(enough_others_of_any_free_nobody_whose_gate_closes_by_what_it_depends_on)
{
    running(BEHIND PROBE("b") "[service web]\nprefixes = 192.0.2.2/32\nrequire = a\n"
                              "[service dns]\nprefixes = 192.0.2.1/32\nany = a b\nany_min = 1\n"
                              "depends = web\nhold_down = 10s\n");
    size_t dns = config_service(config, "dns");
    check(A, 'f', &blackhole);
    check(A, 'f', &blackhole);
    assert_int_equal(target_of(dns), TARGET_WITHDRAW);
    check(A, 'p', &by_bird);
    check(A, 'p', &by_bird);
    pass_ms(AGES_MS);
    check(A, 'p', &by_bird);
    assert_int_equal(target_of(dns), TARGET_WITHDRAW);
    assert_true(core->services[dns].decision.cut_off);
}

#define LAYERS 30 // of two services each, which depend on both of the next layer

TEST(what_many_depend_on_by_many_ways_is_looked_at_once)
{
    char text[8000] = BEHIND PROBE("b");
    size_t length = strlen(text);
    for (unsigned i = 0; i < LAYERS; i++) {
        for (unsigned side = 0; side < 2; side++) {
            length += (size_t)snprintf(text + length, sizeof text - length,
                                       "[service %c%u]\nprefixes = 198.51.100.%u/32\nrequire = b\n",
                                       "xy"[side], i, 2 * i + side);
            if (i + 1 < LAYERS) {
                length += (size_t)snprintf(text + length, sizeof text - length,
                                           "depends = x%u y%u\n", i + 1, i + 1);
            }
        }
    }
    snprintf(text + length, sizeof text - length,
             "[service dns]\nprefixes = 192.0.2.1/32\nany = a b\nany_min = 2\ndepends = x0 y0\n");
    running(text);
    size_t dns = config_service(config, "dns");
    check(A, 'f', &blackhole);
    check(A, 'f', &blackhole);
    assert_int_equal(target_of(dns), TARGET_WITHDRAW);
    check(A, 'p', &by_bird);
    check(A, 'p', &by_bird);
    assert_true(core->services[dns].decision.cut_off);
}

TEST(another_services_withdrawal_frees_nobody)
{
    running(BEHIND PROBE("b") DNS_NEEDS_A
            "[service web]\nprefixes = 198.51.100.1/32\nrequire = a b\n");
    fail_on(&blackhole);
    check(A, 'p', &by_bird);
    check(A, 'p', &by_bird);
    pass_ms(AGES_MS);
    say(B, "ppp");
    say(B, "fff");
    settle();
    pass_ms(AGES_MS);
    check(A, 'p', &by_bird);
    assert_true(is_held());
    assert_int_equal(target_of(DNS), TARGET_WITHDRAW);
}

TEST(of_one_verdict_its_way_and_what_it_says_are_one_change)
{
    held(BEHIND DNS_NEEDS_A);
    pass_ms(60000);
    uint64_t before = count_events(EVENT_TRANSITION);
    struct verdict degraded = {.kind = VERDICT_DEGRADED};
    for (unsigned i = 0; i < 3; i++) {
        if (core_asks_way(core, A, &degraded, now_ns)) {
            core_way(core, A, &degraded, i < 1 ? &by_bird : &local, now_ns);
        }
        core_verdict(core, A, &degraded, now_ns);
        settle();
    }
    assert_int_equal(target_of(DNS), TARGET_DEPREFERENCE);
    assert_int_equal(count_events(EVENT_TRANSITION), before + 1);
}

TEST(nobody_is_held_on_a_guess)
{
    const struct way more_specific = {.kind = WAY_ROUTE, .length = 33, .by_bird = true};
    const struct way preferred = {.kind = WAY_ROUTE, .length = 32, .metric = 1};
    const struct way none = {.kind = WAY_UNKNOWN};
    const struct {
        const struct way *failing, *passing;
    } rows[] = {
        {&by_bird, &by_bird}, // it died, and its way was as ever
        {&none, &by_bird},
        {&blackhole, &local}, // its address had gone from lo
        {&blackhole, &more_specific},
        {&blackhole, &preferred},
        {&blackhole, &none},
        {&blackhole, &blackhole}, // somebody else's
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        running(BEHIND DNS_NEEDS_A);
        fail_on(rows[i].failing);
        check(A, 'p', rows[i].passing);
        check(A, 'p', rows[i].passing);
        assert_false(is_held());
        pass_ms(10000);
        assert_int_equal(target_of(DNS), TARGET_ANNOUNCE);
        core_free(core);
        core = NULL;
    }
}

TEST(a_route_that_is_wider_or_worse_is_one_whose_place_ours_takes)
{
    struct prefix prefix = {.family = FAMILY_V4, .length = 32};
    struct way way = {.kind = WAY_ROUTE, .length = 0};
    assert_true(way_is_covered(&way, &prefix));
    way.length = 32;
    way.metric = 1024;
    assert_true(way_is_covered(&way, &prefix));
    way.metric = WAY_BIRD_METRIC; // nobody knows which of the two comes first
    assert_false(way_is_covered(&way, &prefix));
    way.by_bird = true;
    assert_true(way_is_covered(&way, &prefix));
    prefix.length = 24;
    assert_false(way_is_covered(&way, &prefix));
}

TEST(the_kernel_is_asked_of_failures_soon_after_the_announcement_only)
{
    running(BEHIND DNS_NEEDS_A);
    assert_false(asks(A, VERDICT_PASS));
    assert_false(asks(A, VERDICT_UNKNOWN));
    assert_true(asks(A, VERDICT_FAIL));
    pass_ms(59000);
    assert_true(asks(A, VERDICT_FAIL));
    pass_ms(6000); // a minute, and what fall takes
    assert_false(asks(A, VERDICT_FAIL));
    fail_on(&blackhole);
    assert_false(asks(A, VERDICT_FAIL));
    assert_false(asks(A, VERDICT_PASS));
}

// A thousand that crash are withdrawn before anything is asked.
TEST(of_who_refused_nothing_is_asked)
{
    struct verdict crash = {.kind = VERDICT_FAIL, .definitive = true};
    struct verdict refusal = {.kind = VERDICT_FAIL, .code = "refused"};
    running(BEHIND DNS_NEEDS_A);
    assert_false(core_asks_way(core, A, &crash, now_ns));
    assert_false(core_asks_way(core, A, &refusal, now_ns));
}

TEST(of_probes_whose_target_is_not_in_a_prefix_of_the_service_nothing_is_asked)
{
    running(BEHIND PROBE("b") DNS_NEEDS_A WEB_NEEDS_B);
    assert_false(asks(B, VERDICT_FAIL));
}

TEST(who_is_well_long_after_the_withdrawal_was_not_cured_by_it)
{
    running(BEHIND DNS_NEEDS_A);
    fail_on(&blackhole);
    pass_ms(70000);
    check(A, 'p', &by_bird);
    assert_false(is_held());
}

TEST(who_is_reached_by_another_way_is_announced_again_without_waiting_anew)
{
    held(BEHIND DNS_NEEDS_A);
    pass_ms(60000);
    check(A, 'p', &local);
    assert_false(is_held());
    assert_int_equal(target_of(DNS), TARGET_ANNOUNCE);
    assert_int_equal(count_events(EVENT_OBSERVED), 2);
}

TEST(what_is_seen_of_it_at_a_stop_that_decides_nothing_more_is_kept_straight)
{
    held(BEHIND DNS_NEEDS_A "on_exit = withdraw\n");
    core_stop(core, now_ns);
    check(A, 'p', &local);
    assert_false(is_held());
    core_check_invariants(core, now_ns);
}

TEST(an_undrain_tries_once_more)
{
    const struct intent intent = {.kind = INTENT_AUTO};
    held(BEHIND DNS_NEEDS_A);
    pass_ms(60000);
    put_intent(core, DNS, &intent, "undrained", now_ns);
    assert_int_equal(target_of(DNS), TARGET_ANNOUNCE);
    fail_on(&blackhole);
    check(A, 'p', &by_bird);
    assert_true(is_held());
}

TEST(a_pin_announces_it_all_the_same_and_ends_in_what_was)
{
    struct intent pin = {.kind = INTENT_PIN, .until_ms = now_ns / NS_PER_MS + 30000};
    held(BEHIND DNS_NEEDS_A);
    put_intent(core, DNS, &pin, "pinned", now_ns);
    assert_int_equal(target_of(DNS), TARGET_ANNOUNCE);
    check(A, 'f', &blackhole);
    check(A, 'p', &local); // its way while it is announced is none that it has by itself
    check(A, 'f', &blackhole);
    check(A, 'f', &blackhole);
    pass_ms(31000);
    assert_int_equal(target_of(DNS), TARGET_WITHDRAW);
    assert_true(is_held());
}

TEST(a_reload_tries_nothing_again)
{
    held(BEHIND DNS_NEEDS_A);
    reload(PROBE("b") BEHIND DNS_NEEDS_A "communities = 64512:100\n");
    settle();
    pass_ms(AGES_MS);
    assert_true(is_held());
    assert_int_equal(target_of(DNS), TARGET_WITHDRAW);
    check(B, 'p', &local); // a by now
    assert_false(is_held());
}

TEST(a_reload_with_another_prefix_or_probe_begins_anew)
{
    held(BEHIND DNS_NEEDS_A);
    reload(PROBE("a") DNS_NEEDS_A);
    settle();
    assert_false(is_held());
}
