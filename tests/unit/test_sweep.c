// Many withdrawals at once: the first go at once, a command each; those that have to wait are made
// one command with others, which touches nobody who is to stay.
#include "controller/core/announcer.h"

#include "tests/unit/small_config.h"

#include <fnmatch.h>
#include <stdlib.h>

enum { SERVICES = 60 };
#define ON_AIR TARGET_ANNOUNCE, 1
#define OFF    TARGET_WITHDRAW, 1

static struct config *config;
static struct announcer *announcer;
static struct orders orders;

static struct config *services_from(unsigned first)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    fprintf(out, "[pop]\nid = fra1\n[bird]\nlocal_as = 64512\n" PROBE("p"));
    for (unsigned i = first; i < SERVICES; i++) {
        fprintf(out, "[service s%u]\nprefixes = 192.0.2.%u/32\nrequire = p\n", i, i);
    }
    fclose(out);
    struct config *services = config_parse("test.conf", text, small_config_problem, NULL);
    free(text);
    assert_non_null(services);
    return services;
}

// s0 .. s59, all on.
static void begin(void)
{
    config = services_from(0);
    announcer = announcer_new(config, NULL, 0);
    assert_non_null(announcer);
    assert_true(orders_init(&orders, (size_t)2 * SERVICES));
    announcer_link(announcer, true);
    announcer_snapshot_begin(announcer, true);
    for (unsigned i = 0; i < SERVICES; i++) {
        char name[BIRD_PROTOCOL_MAX];
        announcer_set_target(announcer, i, ON_AIR);
        snprintf(name, sizeof name, "popgate_s%u_v4", i);
        announcer_row(announcer, name, true);
        snprintf(name, sizeof name, "popgate_s%u_v4_drain", i);
        announcer_row(announcer, name, false);
    }
    assert_true(announcer_snapshot_end(announcer));
}

static int start(void **state)
{
    (void)state;
    begin();
    return 0;
}

static int stop(void **state)
{
    (void)state;
    orders_free(&orders);
    announcer_free(announcer);
    config_free(config);
    return 0;
}

TEST_FIXTURE(start, stop);

static void plan(void)
{
    announcer_plan(announcer, &orders, 1);
}

static void withdraw(size_t service)
{
    announcer_set_target(announcer, service, OFF);
    plan();
}

// What BIRD says to a name or a pattern, and does: a line for each protocol that matches.
static void answer(const struct order *order)
{
    char pattern[BIRD_PROTOCOL_MAX + 8];
    bool on = order->command[0] == 'e';
    assert_true(sscanf(order->command, "%*s %*[\"]%71[^\"]", pattern) == 1 ||
                sscanf(order->command, "%*s %71s", pattern) == 1);
    for (size_t i = 0; i < announcer->protocol_count; i++) {
        char text[BIRD_PROTOCOL_MAX + 16];
        const char *name = announcer->protocols[i].name;
        snprintf(text, sizeof text, "%s: %s", name, on ? "enabled" : "disabled");
        if (fnmatch(pattern, name, 0) == 0) {
            announcer_reply_line(announcer, on ? BIRD_CODE_ENABLED : BIRD_CODE_DISABLED, text);
        }
    }
    announcer_reply_end(announcer, order->token, BIRD_OK);
}

static struct order expect(const char *command)
{
    struct order order = {.command = "nothing"};
    orders_take(&orders, &order);
    assert_string_equal(order.command, command);
    return order;
}

static void expect_off(unsigned service)
{
    char command[BIRD_COMMAND_MAX];
    snprintf(command, sizeof command, "disable popgate_s%u_v4", service);
    expect(command);
}

// Withdraws s0, s1 ... one after another until no more commands go out. Returns the first order.
static struct order fill_the_window(void)
{
    struct order first = {.command = ""};
    for (unsigned i = 0; i < ANNOUNCER_OFF_MAX; i++) {
        withdraw(i);
        assert_int_equal(orders.count, 1);
        if (i == 0) {
            assert_true(orders_take(&orders, &first));
        } else {
            expect_off(i);
        }
    }
    return first;
}

TEST(each_death_has_its_command_at_once_while_few_are_unanswered)
{
    struct order first = fill_the_window();
    assert_string_equal(first.command, "disable popgate_s0_v4");
    assert_true(first.urgent);
    withdraw(30);
    withdraw(59);
    assert_int_equal(orders.count, 0);
    assert_true(announcer_is_busy(announcer));
}

TEST(those_that_had_to_wait_are_one_command_if_that_hurts_nobody)
{
    struct order first = fill_the_window();
    for (unsigned i = 40; i < 50; i++) {
        withdraw(i); // with s4, which is off, all that begin with s4
    }
    withdraw(51);
    withdraw(53);
    answer(&first);
    plan();
    struct order pattern = expect("disable \"popgate_s4*\"");
    assert_true(pattern.urgent);
    expect_no_order(&orders); // s51, s53 wait on: there is room for one
    answer(&pattern);
    for (unsigned i = 40; i < 50; i++) {
        assert_true(announcer_settled(announcer, i));
    }
    plan();
    expect_off(51); // s50, s52 are to stay
    expect_no_order(&orders);
}

TEST(a_name_that_begins_like_one_that_stays_is_taken_alone)
{
    struct order first = fill_the_window();
    withdraw(30);
    withdraw(31);
    withdraw(32);
    answer(&first);
    plan();
    expect_off(30); // popgate_s3* would take s33
}

TEST(a_pattern_takes_the_twins_first)
{
    struct order first = fill_the_window();
    struct leg *twin = &announcer->services[45].legs[LEG_DRAIN];
    twin->state[FAMILY_V4] = LEG_ON; // somebody's doing
    for (unsigned i = 40; i < 50; i++) {
        withdraw(i);
    }
    answer(&first);
    plan();
    expect("disable \"popgate_s4*_drain\"");
    expect("disable \"popgate_s4*\"");
}

TEST(when_all_are_to_go_the_pattern_for_all_waits_for_nothing)
{
    fill_the_window();
    for (unsigned i = ANNOUNCER_OFF_MAX; i < SERVICES; i++) {
        withdraw(i);
        assert_int_equal(orders.count, i == SERVICES - 1);
    }
    struct order pattern = expect("disable \"popgate_*\"");
    answer(&pattern);
    assert_true(announcer_settled(announcer, SERVICES - 1));
    assert_false(announcer_settled(announcer, 0)); // its own command is unanswered
    plan();
    expect_no_order(&orders);
}

TEST(what_is_wanted_again_under_a_pattern_and_then_is_not_has_a_command_of_its_own)
{
    for (unsigned i = 0; i < SERVICES; i++) {
        announcer_set_target(announcer, i, OFF);
    }
    plan();
    struct order pattern = expect("disable \"popgate_*\"");
    announcer_set_target(announcer, 7, ON_AIR);
    plan();
    struct order on = expect("enable popgate_s7_v4");
    announcer_set_target(announcer, 7, OFF);
    plan();
    struct order off = expect("disable popgate_s7_v4");
    answer(&pattern);
    assert_true(announcer_settled(announcer, 8));
    assert_false(announcer_settled(announcer, 7));
    answer(&on);
    answer(&off);
    assert_true(announcer_settled(announcer, 7));
    assert_false(announcer_is_busy(announcer));
}

TEST(what_changes_its_mind_twice_under_a_pattern_is_taken_in_by_no_other)
{
    struct order on[3];
    struct order off[3];
    announcer_set_target(announcer, 4, OFF); // s4 begins as they do
    for (unsigned i = 40; i < 50; i++) {
        announcer_set_target(announcer, i, OFF);
    }
    plan();
    struct order pattern = expect("disable \"popgate_s4*\"");
    for (unsigned i = 0; i < 3; i++) {
        announcer_set_target(announcer, 41 + i, ON_AIR);
    }
    plan();
    for (unsigned i = 0; i < 3; i++) {
        assert_true(orders_take(&orders, &on[i]));
        announcer_set_target(announcer, 41 + i, OFF);
    }
    plan();
    for (unsigned i = 0; i < 3; i++) {
        char command[BIRD_COMMAND_MAX];
        snprintf(command, sizeof command, "disable popgate_s%u_v4", 41 + i);
        off[i] = expect(command);
    }
    answer(&pattern);
    for (unsigned i = 0; i < 3; i++) {
        answer(&on[i]);
        answer(&off[i]);
        assert_true(announcer_settled(announcer, 41 + i));
    }
    assert_false(announcer_is_busy(announcer));
}

TEST(what_is_on_goes_before_what_has_not_been_seen)
{
    for (unsigned i = 0; i < 50; i++) {
        announcer->services[i].legs[LEG_PRIMARY].state[FAMILY_V4] = LEG_UNSEEN;
        if (i % 2 == 0) {
            withdraw(i);
        }
    }
    assert_int_equal(orders.count, ANNOUNCER_UNANSWERED_MAX);
    withdraw(59);
    for (unsigned i = 0; i < ANNOUNCER_UNANSWERED_MAX; i++) {
        struct order order;
        assert_true(orders_take(&orders, &order));
        assert_false(order.urgent);
    }
    assert_true(expect("disable popgate_s59_v4").urgent);
}

TEST(a_lost_link_forgets_what_was_under_way)
{
    for (unsigned i = 0; i < SERVICES; i++) {
        announcer_set_target(announcer, i, OFF);
    }
    plan();
    expect("disable \"popgate_*\"");
    announcer_link(announcer, false);
    announcer_link(announcer, true);
    plan();
    expect("disable \"popgate_*_drain\"");
    expect("disable \"popgate_*\"");
}

TEST(what_is_retired_goes_off_in_a_few_commands)
{
    enum { RETIRED = 50 };
    struct retired retired[RETIRED] = {0};
    struct announcer *old = announcer;
    struct config *next = services_from(RETIRED);
    struct order order;
    unsigned commands = 0;
    for (unsigned i = 0; i < RETIRED; i++) {
        retired[i] = (struct retired){.conf.has_family[FAMILY_V4] = true, .before = i};
        snprintf(retired[i].conf.symbol, sizeof retired[i].conf.symbol, "s%u", i);
    }
    announcer = announcer_new(next, retired, RETIRED);
    assert_non_null(announcer);
    announcer_link(announcer, true);
    for (unsigned i = RETIRED; i < SERVICES; i++) {
        announcer_set_target(announcer, i - RETIRED, ON_AIR);
        announcer_take_over(announcer, i - RETIRED, old, i);
    }
    announcer_take_over_retired(announcer, old);
    announcer_free(old);
    config_free(config);
    config = next;
    for (plan(); orders_take(&orders, &order); plan()) {
        assert_true(order.urgent);
        answer(&order);
        commands++;
    }
    assert_in_range(commands, 1, 20);
    for (unsigned i = 0; i < SERVICES; i++) {
        assert_true(announcer_settled(announcer, i));
        assert_true(announcer_is_on(announcer, i, FAMILY_V4) == (i < SERVICES - RETIRED));
    }
}
