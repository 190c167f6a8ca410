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
    expect_command("show route 192.0.2.1/32 table master4 all");
    expect_command("show route 2001:db8::1/128 table master6 all");
    assert_false(next_question());
}

TEST(it_asks_in_the_tables_that_ours_go_to)
{
    snprintf(config->bird.table4, sizeof config->bird.table4, "anycast4");
    snprintf(config->bird.table6, sizeof config->bird.table6, "anycast6");
    bird_has_protocols();
    expect_command("show route 192.0.2.1/32 table anycast4 all");
    expect_command("show route 2001:db8::1/128 table anycast6 all");
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

// A route's line and what `all` says of it, as BIRD 2 does; more: a line of attributes.
static void path(const char *route, const char *attribute, const char *more)
{
    line(1007, route);
    line(1007, "\tvia 10.0.0.99 on eth0");
    line(1008, "\tType: BGP univ");
    line(1012, "\tBGP.origin: IGP");
    line(1012, "\tBGP.local_pref: 100");
    line(1012, attribute);
    line(1012, more);
}

static void expect_refused_for_unfit(void)
{
    assert_true(guard_done(guard));
    assert_int_equal(guard_outcome(guard, message), OUTCOME_REFUSED);
    assert_non_null(strstr(message, "192.0.2.1/32"));
    assert_non_null(strstr(message, "leaving (65535:0), stale (65535:6) or unreachable"));
}

TEST(who_is_leaving_too_is_no_witness)
{
    static const char *const attributes[] = {
        "\tBGP.community: (65535,0)", "\tbgp_community: (65535,0)",
        "\tBGP.community: (64512,1) (65535,0) (64512,2)", "\tBGP.community: (64512,1) (65535,6)",
        "\tbgp_community: (65535,6)"};
    for (size_t i = 0; i < sizeof attributes / sizeof *attributes; i++) {
        guard_free(guard);
        static const size_t services[] = {0};
        guard = guard_new(config, services, 1, 7);
        bird_has_protocols();
        assert_true(next_question());
        path(ROUTE("upstream"), attributes[i], "\tBGP.large_community: (64512, 1, 2)");
        guard_end(guard, asked.token, true);
        expect_refused_for_unfit();
    }
}

TEST(nor_when_the_list_of_its_communities_is_long)
{
    bird_has_protocols();
    assert_true(next_question());
    path(ROUTE("upstream"), "\tBGP.community: (64512,1000) (64512,1001)", "\t\t(64512,1036)");
    line(1012, "\t\t(64512,1037) (65535,0)");
    guard_end(guard, asked.token, true);
    route_from(ROUTE("upstream"));
    expect_refused_for_unfit();
}

TEST(only_communities_say_that_it_leaves)
{
    bird_has_protocols();
    assert_true(next_question());
    path(ROUTE("upstream"), "\tBGP.community: (64512,65535) (65535,65281)",
         "\tBGP.large_community: (65535,0,1)");
    line(1012, "\t\t(65535,0)"); // of the list above
    guard_end(guard, asked.token, true);
    route_from(ROUTE("upstream"));
    assert_int_equal(guard_outcome(guard, message), OUTCOME_DONE);
}

TEST(beside_one_that_leaves_another_is_a_witness)
{
    for (unsigned order = 0; order < 2; order++) {
        guard_free(guard);
        static const size_t services[] = {0};
        guard = guard_new(config, services, 1, 7);
        bird_has_protocols();
        assert_true(next_question());
        path(ROUTE("upstream"), order == 0 ? "\tBGP.community: (65535,0)" : "\tBGP.med: 1",
             "\tBGP.large_community: (64512, 1, 2)");
        path("                     unicast [backbone 10:00:00.000] (100)",
             order == 1 ? "\tBGP.community: (65535,0)" : "\tBGP.med: 1",
             "\tBGP.large_community: (64512, 1, 2)");
        guard_end(guard, asked.token, true);
        assert_int_equal(guard_outcome(guard, message), OUTCOME_DONE);
    }
}

TEST(a_path_that_leads_nowhere_is_no_witness)
{
    static const char *const kinds[] = {"unreachable", "blackhole", "prohibited"};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        char route[128];
        guard_free(guard);
        static const size_t services[] = {0};
        guard = guard_new(config, services, 1, 7);
        snprintf(route, sizeof route, "192.0.2.1/32         %s [upstream 10:00:00.000] * (100) [i]",
                 kinds[i]);
        bird_has_protocols();
        route_from(route);
        expect_refused_for_unfit();
    }
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
