// Two popgated on one BIRD, as the core sees it whose file BIRD has not read: it gives way to the
// other, says so, and goes on by itself.
#include "controller/core/problems.h"

#include "tests/unit/core_world.h"

TEST_FIXTURE(start, stop);

#define SWITCHED_BACK_MS 100

static struct birdconf *theirs;

// BIRD has another popgated's file, of the same service, which that has announced.
static void another_is_there(void)
{
    struct config *other = small_config(ONE_PROBE DNS_NEEDS_A "communities = 64512:7\n");
    theirs = birdconf_render(other);
    assert_non_null(theirs);
    config_free(other);
    bird_gets(theirs);
    birdconf_free(theirs);
    *bird_protocol("popgate_dns_v4") = true;
    bird.includes_another = true;
}

static void they_switch_back(unsigned rounds)
{
    for (unsigned i = 0; i < rounds; i++) {
        *bird_protocol("popgate_dns_v4") = true;
        core_echo(core, "Protocol popgate_dns_v4 changed state to up", now_ns);
        pass_ms(SWITCHED_BACK_MS);
    }
}

static void contested(void)
{
    begin(ONE_PROBE DNS_NEEDS_A, false, NULL);
    another_is_there();
    links_come_up();
    settle();
    they_switch_back(60);
    assert_true(core_gives_way(core));
}

TEST(who_is_switched_back_each_time_by_another_popgated_switches_no_more)
{
    contested();
    assert_true(bird.switches <= 10);
    bird.switches = 0;
    size_t told = count_events(EVENT_TROUBLE);
    they_switch_back(100);
    assert_int_equal(bird.switches, 0);
    assert_true(*bird_protocol("popgate_dns_v4"));
    assert_int_equal(count_events(EVENT_TROUBLE), told); // once
    assert_non_null(strstr(last_event(EVENT_TROUBLE)->text, "another popgated switches the same"));
}

TEST(it_is_a_problem_with_what_to_do)
{
    struct problem found[PROBLEMS_MAX];
    struct own_trouble own = {.ledger = NULL};
    contested();
    size_t count =
        problems_find(core, &own, PROBLEM_OF_NONE, now_ns / NS_PER_MS, found, PROBLEMS_MAX);
    size_t i = 0;
    while (i < count && strcmp(found[i].code, "another-popgated") != 0) {
        i++;
    }
    assert_true(i < count);
    assert_int_equal(found[i].severity, SEVERITY_CRITICAL);
    assert_non_null(strstr(found[i].text, bird.revision));
    assert_non_null(strstr(found[i].advice, "stop one of the two"));
}

TEST(it_goes_on_by_itself_when_bird_reads_its_own_file)
{
    contested();
    bird.includes_another = false;
    bird_gets(core_file(core)); // somebody mended the include line
    *bird_protocol("popgate_dns_v4") = true;
    pass_ms(2000);
    assert_false(core_gives_way(core));
    assert_false(*bird_protocol("popgate_dns_v4"));
    say(A, "pp");
    settle();
    pass_ms(20000);
    assert_true(*bird_protocol("popgate_dns_v4"));
    assert_non_null(strstr(last_event(EVENT_TROUBLE)->text, "no other popgated"));
}

TEST(it_goes_on_by_itself_when_nobody_switches_back_any_more)
{
    contested();
    assert_true(*bird_protocol("popgate_dns_v4"));
    for (unsigned i = 0; i < 75; i++) {
        pass_ms(1000);
    }
    assert_false(core_gives_way(core));
    assert_false(*bird_protocol("popgate_dns_v4"));
    assert_int_equal(core->contest.state, CONTEST_NONE);
}

TEST(a_reload_forgets_no_contest)
{
    contested();
    bird.switches = 0;
    reload(ONE_PROBE DNS_NEEDS_A "communities = 64512:9\n");
    they_switch_back(20);
    assert_true(core_gives_way(core));
    assert_int_equal(bird.switches, 0);
}

TEST(a_stop_withdraws_all_the_same)
{
    contested();
    core_stop(core, now_ns);
    settle();
    assert_false(*bird_protocol("popgate_dns_v4"));
    assert_true(core_quiet(core));
}

// What somebody else enables time and again, with our file in BIRD, is switched off each time.
TEST(whose_file_bird_has_read_never_gives_way)
{
    running(ONE_PROBE DNS_NEEDS_A);
    say(A, "fff");
    settle();
    they_switch_back(100);
    assert_false(core_gives_way(core));
    assert_true(bird.switches > 2 * CONTEST_ROUNDS);
    pass_ms(2000);
    assert_false(*bird_protocol("popgate_dns_v4"));
}

TEST(what_is_decided_to_be_withdrawn_is_withdrawn_whoever_else_switches)
{
    contested();
    say(A, "pp");
    settle();
    assert_true(core_gives_way(core));
    assert_true(*bird_protocol("popgate_dns_v4"));
    say(A, "fff");
    settle();
    assert_false(*bird_protocol("popgate_dns_v4"));
}

TEST(what_bird_refuses_to_switch_off_is_no_contest)
{
    begin(ONE_PROBE DNS_NEEDS_A, false, NULL);
    another_is_there();
    links_come_up();
    settle();
    snprintf(bird.protocols[bird.count].name, BIRD_PROTOCOL_MAX, "popgate_stray_v4");
    bird.protocols[bird.count++].on = true;
    bird.refusal = 8007;
    for (unsigned i = 0; i < 30; i++) {
        pass_ms(1000);
    }
    assert_false(core_gives_way(core));
}
