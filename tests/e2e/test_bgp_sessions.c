// BGP sessions of a real BIRD: their coming and going, what they agreed on, and a PoP without any.
#include "tests/lab/pop.h"

#include <signal.h>
#include <string.h>

// No session, but what would make one.
#define RANGE                                                                                      \
    "protocol bgp many { local 10.0.1.1 as 64512; neighbor range 10.99.0.0/16 as 64999; "          \
    "ipv4 { import none; export none; }; }\n"

LAB_TEST(a_session_that_goes_and_comes_is_told_and_what_it_agreed_on)
{
    struct pop pop = pop_make(&(struct pop_options){.another_pop = true, .extra = RANGE});

    pop_run(&pop, POP_USUAL);
    POP_WAIT_ANNOUNCED(&pop);
    POP_WAIT_SAYS(&pop, "bird sessions upstream kind", "external");
    POP_WAIT_SAYS(&pop, "bird sessions another_pop kind", "internal");
    assert_true(pop_says(&pop, "bird sessions upstream neighbor", "10.0.1.2"));
    assert_true(pop_says(&pop, "bird sessions upstream neighbor_as", "64600"));
    assert_true(pop_says(&pop, "bird sessions upstream graceful_restart_s", "0"));
    assert_true(strlen(pop_status(&pop, "bird sessions upstream hold_time_s")) > 0);
    assert_true(pop_says(&pop, "bird sessions many state", ""));
    assert_true(pop_has_event(&pop, "2 of 2 BGP sessions are established"));

    tap_drop_session(pop.another_pop);
    LAB_WAIT(pop_has_event(&pop, "BGP session another_pop is down"), "word of it", POP_WAIT_MS);
    POP_WAIT_SAYS(&pop, "bird sessions another_pop state", "down");
    POP_WAIT_SAYS(&pop, "bird established", "1");
    tap_reconnect(pop.another_pop);
    LAB_WAIT(pop_has_event(&pop, "BGP session another_pop is established"), "word of its return",
             POP_WAIT_MS);
}

LAB_TEST(of_a_bird_that_hangs_no_session_is_said_to_be_established)
{
    struct pop pop = pop_make(&(struct pop_options){0});

    pop_run(&pop, POP_USUAL);
    POP_WAIT_SAYS(&pop, "bird established", "1");
    lab_stop(lab_bird_process(pop.bird));
    POP_WAIT_SAYS(&pop, "bird established", "0");
    POP_WAIT_SAYS(&pop, "bird sessions upstream state", "unknown");
    lab_signal(lab_bird_process(pop.bird), SIGCONT);
    POP_WAIT_SAYS(&pop, "bird established", "1");
}

LAB_TEST(an_isolation_without_any_session_is_done_when_bird_has_no_route_of_ours)
{
    struct pop pop = pop_make(&(struct pop_options){0});

    pop_run(&pop, POP_USUAL);
    POP_WAIT_ANNOUNCED(&pop);
    tap_drop_session(pop.tap);
    POP_WAIT_SAYS(&pop, "bird established", "0");
    POP_COMMAND(&pop, 0, "isolate", "dns", "--reason", "forensics", "--wait");
    assert_true(pop_says(&pop, "services dns seen", "true"));
}

LAB_TEST(a_pop_that_needs_no_session_is_well_without_one)
{
    struct pop pop = pop_make(&(struct pop_options){0});

    tap_drop_session(pop.tap);
    pop_run(&pop, "min_sessions = 0\n" POP_USUAL);
    POP_WAIT_SAYS(&pop, "services dns seen", "true");
    POP_WAIT_SAYS(&pop, "services dns target", "announce");
    POP_WAIT_SAYS(&pop, "services dns prefixes " POP_V4 " announced", "true");
    LAB_WAIT(pop_says(&pop, "problem_count", "0"), "all to be well", POP_WAIT_MS);
    POP_COMMAND(&pop, 0, "check");
}

LAB_TEST(prepending_at_a_drain_is_warned_of_where_there_is_an_internal_session)
{
    struct pop pop = pop_make(&(struct pop_options){.another_pop = true});

    pop_run(&pop, POP_USUAL "drain_prepend = 2\n");
    POP_WAIT_ANNOUNCED(&pop);
    LAB_WAIT(pop_says_part(&pop, "problems 0 text", "drain_prepend") ||
                 pop_says(&pop, "problem_count", "1"),
             "the warning", POP_WAIT_MS);
    POP_COMMAND(&pop, 1, "check");
    assert_non_null(strstr(pop_output, "drain_prepend puts our own AS into the path"));
}
