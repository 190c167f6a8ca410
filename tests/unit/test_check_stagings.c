// Stagings in which nothing was announced and all was said to be well: what stands between an order
// and its being so is told, whatever it is.
#include "controller/core/problems.h"

#include "tests/unit/core_world.h"

TEST_FIXTURE(start, stop);

static struct problem found[PROBLEMS_MAX];

// The problem of that code, NULL: there is none.
static const struct problem *told(const char *code)
{
    struct own_trouble own = {.ledger = NULL};
    size_t count =
        problems_find(core, &own, PROBLEM_OF_NONE, now_ns / NS_PER_MS, found, PROBLEMS_MAX);
    for (size_t i = 0; i < count && i < PROBLEMS_MAX; i++) {
        if (strcmp(found[i].code, code) == 0) {
            return &found[i];
        }
    }
    return NULL;
}

static void critical(const char *code)
{
    const struct problem *problem = told(code);
    assert_non_null(problem);
    assert_int_equal(problem->severity, SEVERITY_CRITICAL);
}

static size_t announced_says_the_line(void)
{
    char line[PROBLEMS_LINE_MAX];
    unsigned announced = 0;
    struct own_trouble own = {.ledger = NULL};
    problems_line(core, &own, now_ns / NS_PER_MS, line);
    // NOLINTNEXTLINE(cert-err34-c): our own line
    return sscanf(line, "%u of", &announced) == 1 ? announced : 0;
}

// Time passes, orders are sent and answered, but the disk says nothing.
static void pass_without_disk(uint64_t ms)
{
    struct order order;
    now_ns += ms * NS_PER_MS;
    core_tick(core, now_ns);
    for (unsigned i = 0; i < 200 && core_order(core, &order); i++) {
        bird_does(&order);
    }
}

TEST(when_all_is_as_it_should_be_nothing_is_told)
{
    running(ONE_PROBE DNS_NEEDS_A);
    pass_ms(20000);
    struct own_trouble own = {.ledger = NULL};
    assert_int_equal(
        problems_find(core, &own, PROBLEM_OF_NONE, now_ns / NS_PER_MS, found, PROBLEMS_MAX), 0);
    assert_int_equal(announced_says_the_line(), 1);
}

TEST(the_fsync_of_the_runtime_directory_hangs)
{
    running(ONE_PROBE DNS_NEEDS_A);
    say(A, "fff");
    settle();
    pass_ms(1000);
    say(A, "pp");
    for (unsigned i = 0; i < 40 && told("unseen") == NULL; i++) {
        pass_without_disk(1000);
        (void)include_submit(&core->include, now_ns / NS_PER_MS); // which never ends
    }
    assert_int_equal(target_of(DNS), TARGET_ANNOUNCE);
    assert_false(*bird_protocol("popgate_dns_v4"));
    critical("unseen");
    assert_non_null(told("include-not-saved"));
    assert_int_equal(announced_says_the_line(), 0);
}

TEST(enable_is_acknowledged_and_the_protocol_stays_down)
{
    begin(ONE_PROBE DNS_NEEDS_A, false, NULL);
    links_come_up();
    settle();
    bird.lies = true;
    say(A, "pp");
    settle();
    assert_int_equal(target_of(DNS), TARGET_ANNOUNCE);
    for (unsigned i = 0; i < 11; i++) {
        pass_ms(1000);
    }
    critical("unseen");
    assert_int_equal(announced_says_the_line(), 0);
}

// Neither `show protocols` nor a look-up is answered; what is switched is.
TEST(questions_are_not_answered)
{
    running(ONE_PROBE DNS_NEEDS_A);
    pass_ms(2000);
    core_link(core, ORDER_LINK_ASK, BIRD_LINK_SILENT, "BIRD has said nothing for 2000 ms", NULL,
              now_ns);
    assert_non_null(told("bird-asking"));
    assert_int_equal(announced_says_the_line(), 0);
    for (unsigned i = 0; i < 6; i++) { // given up, connected anew, silent again
        static const struct bird_version version = {2, 0, 12};
        now_ns += 2000 * NS_PER_MS;
        core_link(core, ORDER_LINK_ASK, BIRD_LINK_DOWN, "dropped", NULL, now_ns);
        core_link(core, ORDER_LINK_ASK, BIRD_LINK_UP, "", &version, now_ns);
    }
    critical("bird-asking");
}

// The session reads no more of it then (test_session.c), and the link is silent.
TEST(show_protocols_is_answered_without_end)
{
    running(ONE_PROBE DNS_NEEDS_A);
    pass_ms(20000);
    assert_true(core_is_seen(core, DNS, now_ns / NS_PER_MS));
    assert_int_equal(core_established(core, now_ns / NS_PER_MS), 1);
    struct order order;
    now_ns += 1000 * NS_PER_MS;
    core_tick(core, now_ns);
    while (core_order(core, &order) && order_kind(order.token) != ORDER_PROTOCOLS) {
        bird_does(&order);
    }
    for (unsigned i = 0; i < 11; i++) {
        now_ns += 1000 * NS_PER_MS;
        bird_shows_protocols(&order); // again and again, with no end
        core_tick(core, now_ns);
    }
    critical("bird-asking");
    assert_false(core_is_seen(core, DNS, now_ns / NS_PER_MS));
    assert_int_equal(core_established(core, now_ns / NS_PER_MS), 0);
    assert_int_equal(announced_says_the_line(), 0);
}

TEST(a_protocol_that_is_gone_later_is_told)
{
    running(ONE_PROBE DNS_NEEDS_A);
    pass_ms(20000);
    bird.count = 0; // somebody took the include line out
    bird.includes_another = true;
    for (unsigned i = 0; i < 5; i++) {
        pass_ms(1000);
    }
    critical("hidden");
    assert_non_null(strstr(told("hidden")->advice, "BIRD has no such route"));
    assert_int_equal(announced_says_the_line(), 0);
}
