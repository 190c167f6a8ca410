// The last-PoP guard: what counts as another PoP's path, and what is refused for want of one.
#include "controller/core/guard.h"

#include "tests/unit/small_config.h"

static struct config *config;
static struct guard *guard;
static struct orders orders;
static struct order asked; // what is being answered
static char message[ERROR_MAX];

static int start(void **state)
{
    (void)state;
    static const size_t services[] = {0, 1};
    config = small_config(PROBE("p") "[service dns]\nprefixes = 192.0.2.1/32\nrequire = p\n"
                                     "[service web]\nprefixes = 2001:db8::1/128\nrequire = p\n"
                                     "[service other]\nprefixes = 192.0.2.3/32\nrequire = p\n");
    guard = guard_new(config, services, 2, 7);
    assert_non_null(guard);
    assert_true(orders_init(&orders, 16));
    return 0;
}

static int stop(void **state)
{
    (void)state;
    orders_free(&orders);
    guard_free(guard);
    config_free(config);
    return 0;
}

TEST_FIXTURE(start, stop);

static bool next_question(void)
{
    guard_plan(guard, &orders);
    return orders_take(&orders, &asked);
}

static void expect_command(const char *expected)
{
    assert_true(next_question());
    assert_string_equal(asked.command, expected);
    assert_int_equal(asked.link, ORDER_LINK_ASK);
    assert_false(asked.urgent);
}

static void line(unsigned code, const char *text)
{
    struct bird_line it = line_of(code, text);
    guard_line(guard, asked.token, &it);
}

static void bird_has_protocols(void)
{
    assert_true(next_question());
    line(1002, "upstream   BGP        ---        up     00:22:45.151  Established   ");
    line(1002, "backbone   OSPF       master4    up     00:22:45.151  Running");
    line(1002, "direct1    Direct     ---        up     00:22:45.151  ");
    line(1002, "popgate_dns_v4 Static popgate4   up     00:22:45.151  ");
    guard_end(guard, asked.token, true);
}

#define ROUTE(protocol) "192.0.2.1/32 unicast [" protocol " 10:00:00.000] * (100)"

static void route_from(const char *text)
{
    assert_true(next_question());
    if (text != NULL) {
        line(1007, "Table master4:");
        line(1007, text);
    }
    guard_end(guard, asked.token, true);
}

static void route_from_both(const char *first, const char *second)
{
    assert_true(next_question());
    line(1007, "Table master4:");
    line(1007, first);
    line(1007, second);
    guard_end(guard, asked.token, true);
}

TEST(it_asks_for_the_protocols_and_then_for_each_prefix_of_these_services)
{
    expect_command("show protocols");
    expect_command("show route 192.0.2.1/32 all");
    expect_command("show route 2001:db8::1/128 all");
    assert_false(next_question());
}

TEST(it_passes_when_every_prefix_has_a_path_from_a_routing_protocol)
{
    bird_has_protocols();
    route_from(ROUTE("upstream"));
    assert_false(guard_done(guard));
    route_from(ROUTE("backbone"));
    assert_true(guard_done(guard));
    assert_int_equal(guard_outcome(guard, message), OUTCOME_DONE);
}

TEST(a_prefix_without_a_path_is_named_in_the_refusal)
{
    bird_has_protocols();
    route_from(ROUTE("upstream"));
    route_from(NULL);
    assert_int_equal(guard_outcome(guard, message), OUTCOME_REFUSED);
    assert_non_null(strstr(message, "2001:db8::1/128"));
    assert_non_null(strstr(message, "--force"));
}

TEST(our_own_and_this_hosts_routes_are_no_other_pop)
{
    bird_has_protocols();
    route_from_both(ROUTE("popgate_dns_v4"), ROUTE("direct1"));
    route_from(ROUTE("upstream"));
    assert_int_equal(guard_outcome(guard, message), OUTCOME_REFUSED);
    assert_non_null(strstr(message, "192.0.2.1/32"));
}

TEST(a_second_path_behind_ours_counts)
{
    bird_has_protocols();
    route_from_both(ROUTE("popgate_dns_v4"),
                    "                     unicast [upstream 10:00:00.000] (100) [AS64500i]");
    route_from(ROUTE("upstream"));
    assert_int_equal(guard_outcome(guard, message), OUTCOME_DONE);
}

TEST(a_path_from_an_unknown_protocol_does_not_count)
{
    bird_has_protocols();
    route_from(ROUTE("stranger"));
    route_from(ROUTE("upstream"));
    assert_int_equal(guard_outcome(guard, message), OUTCOME_REFUSED);
}

TEST(a_lost_answer_is_no_permission)
{
    bird_has_protocols();
    route_from(ROUTE("upstream"));
    assert_true(next_question());
    line(1007, ROUTE("upstream"));
    guard_end(guard, asked.token, false);
    assert_true(guard_done(guard));
    assert_int_equal(guard_outcome(guard, message), OUTCOME_UNSEEN);
    assert_non_null(strstr(message, "BIRD did not answer"));
}

TEST(after_a_lost_answer_nothing_more_is_asked)
{
    assert_true(next_question());
    guard_end(guard, asked.token, false);
    assert_false(guard_done(guard)); // the others were asked with it
    while (next_question()) {
        guard_end(guard, asked.token, true);
    }
    assert_true(guard_done(guard));
    assert_int_equal(guard_outcome(guard, message), OUTCOME_UNSEEN);
}

// A reload lets a guard go and asks again; BIRD may answer the first one's questions after that.
TEST(answers_to_another_guards_questions_are_no_news)
{
    const uint64_t of_another[] = {order_token(ORDER_PEERS, 0, 6), order_token(ORDER_PATHS, 0, 6),
                                   order_token(ORDER_PATHS, 1, 6)};
    bird_has_protocols();
    for (size_t i = 0; i < 3; i++) {
        struct bird_line path = line_of(1007, ROUTE("upstream"));
        guard_line(guard, of_another[i], &path);
        guard_end(guard, of_another[i], true);
    }
    assert_false(guard_done(guard));
    route_from(NULL);
    route_from(NULL);
    assert_true(guard_done(guard));
    assert_int_equal(guard_outcome(guard, message), OUTCOME_REFUSED);
}

TEST(more_lines_than_were_asked_for_do_no_harm)
{
    bird_has_protocols();
    route_from(ROUTE("upstream"));
    route_from(ROUTE("upstream"));
    line(1007, ROUTE("upstream"));
    assert_int_equal(guard_outcome(guard, message), OUTCOME_DONE);
}
