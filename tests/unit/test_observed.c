// Observed: what sessions are seen to export, and how that stands against the target.
#include "controller/core/observed.h"

#include "base/clock.h"
#include "tests/unit/small_config.h"

enum { V4, V6, WEB }; // prefixes, in order

static struct config *config;
static struct observed *observed;
static struct orders orders;
static uint64_t now_ms, now_ns;

static void begin(const char *more)
{
    char text[1024];
    snprintf(text, sizeof text,
             "%s" PROBE("p") "[service dns]\nprefixes = 192.0.2.1/32 2001:db8::1/128\nrequire = p\n"
                             "[service web]\nprefixes = 192.0.2.2/32\nrequire = p\n",
             more);
    config = small_config(text);
    observed = observed_new(config);
    assert_non_null(observed);
    assert_true(orders_init(&orders, 64));
    now_ms = 100000;
    now_ns = UINT64_C(100000000000);
    observed->budget.measured = true; // and questions cost nothing
}

static int start(void **state)
{
    (void)state;
    begin("");
    return 0;
}

static int stop(void **state)
{
    (void)state;
    orders_free(&orders);
    observed_free(observed);
    config_free(config);
    return 0;
}

TEST_FIXTURE(start, stop);

static int start_with_two_wanted(void **state)
{
    (void)state;
    begin("sessions = up1 up2\nmin_sessions = 2\n");
    return 0;
}

static void row(const char *name, const char *type, bool established)
{
    struct bird_protocol protocol = {.up = established, .established = established};
    snprintf(protocol.name, sizeof protocol.name, "%s", name);
    snprintf(protocol.type, sizeof protocol.type, "%s", type);
    observed_row(observed, &protocol);
}

// A snapshot with these sessions; "+" is established.
static void sessions(const char *text)
{
    char name[16];
    char sign;
    int read;
    observed_snapshot_begin(observed);
    while (sscanf(text, " %15[a-z0-9]%c%n", name, &sign, &read) == 2) {
        row(name, "BGP", sign == '+');
        text += read;
    }
    assert_true(observed_snapshot_end(observed));
}

// The answer's lines; those of attributes begin with a tab.
static void answer(uint64_t token, const char *lines)
{
    char copy[512];
    snprintf(copy, sizeof copy, "%s", lines != NULL ? lines : "");
    for (char *line = strtok(copy, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        struct bird_line it = line_of(line[0] == '\t' ? 1012 : 1007, line);
        observed_line(observed, token, &it);
    }
    observed_end(observed, token, LOOK_ANSWERED, 0, now_ns);
}

#define ROUTE(protocol) "192.0.2.1/32         blackhole [" protocol " 10:00:00.000] * (260)"
#define PRIMARY         ROUTE("popgate_dns_v4")
#define STRIPPED        ROUTE("popgate_dns_v4_drain")
#define TWIN            STRIPPED "\n\tBGP.community: (65535,0)"
#define OTHER           ROUTE("direct1")

// What session up1 exports of 192.0.2.1/32; NULL: nothing.
static void up1_exports(const char *line)
{
    sessions("up1+");
    observed_look(observed, 0, LOOK_CHANGED);
    observed_plan(observed, &orders, 0, false, now_ns);
    struct order order;
    while (orders_take(&orders, &order)) {
        answer(order.token, order_a(order.token) == V4 ? line : NULL);
    }
}

static void expect(enum target target, enum condition condition)
{
    assert_string_equal(condition_name(observed_view(observed, V4, target).condition),
                        condition_name(condition));
}

TEST(a_session_that_comes_up_is_looked_at_for_every_prefix)
{
    sessions("up1+ up2-");
    assert_int_equal(sessions_established(&observed->sessions), 1);
    observed_plan(observed, &orders, 0, false, now_ns);
    expect_order(&orders, "show route 192.0.2.1/32 export 'up1' all");
    expect_order(&orders, "show route 2001:db8::1/128 export 'up1' all");
    expect_order(&orders, "show route 192.0.2.2/32 export 'up1' all");
    expect_no_order(&orders);
    sessions("up1+ up2-");
    observed_plan(observed, &orders, 0, false, now_ns);
    expect_no_order(&orders);
}

TEST(a_session_whose_name_can_t_be_asked_for_stays_unknown)
{
    observed_snapshot_begin(observed);
    row("a'b", "BGP", true);
    row("up1", "BGP", true);
    assert_true(observed_snapshot_end(observed));
    observed_look(observed, 1, LOOK_REST);
    observed_plan(observed, &orders, 0, false, now_ns);
    expect_order(&orders, "show route 192.0.2.1/32 export 'up1' all");
    assert_int_equal(observed_view(observed, WEB, TARGET_WITHDRAW).unknown, 2);
    assert_int_equal(observed->in_flight, 3);
}

TEST(only_bgp_protocols_are_sessions)
{
    observed_snapshot_begin(observed);
    row("static1", "Static", true);
    assert_true(observed_snapshot_end(observed));
    assert_int_equal(sessions_established(&observed->sessions), 0);
}

TEST_WITH(only_sessions_that_were_named_are_watched, start_with_two_wanted, stop)
{
    sessions("up1+ peer+");
    assert_int_equal(sessions_established(&observed->sessions), 1);
}

TEST(until_looked_up_nothing_is_known)
{
    sessions("up1+");
    expect(TARGET_ANNOUNCE, CONDITION_UNKNOWN);
    expect(TARGET_WITHDRAW, CONDITION_UNKNOWN);
    assert_false(observed_as_meant(observed, 0, TARGET_WITHDRAW));
}

TEST(ours_exported_is_as_announcing_means_it)
{
    up1_exports(PRIMARY);
    expect(TARGET_ANNOUNCE, CONDITION_AS_MEANT);
    expect(TARGET_DEPREFERENCE, CONDITION_LATE);
    expect(TARGET_WITHDRAW, CONDITION_LATE);
    assert_int_equal(observed_view(observed, V4, TARGET_ANNOUNCE).announced, 1);
}

TEST(the_twin_exported_is_as_depreferencing_means_it)
{
    up1_exports(TWIN);
    expect(TARGET_DEPREFERENCE, CONDITION_AS_MEANT);
    expect(TARGET_ANNOUNCE, CONDITION_LATE);
    expect(TARGET_WITHDRAW, CONDITION_LATE);
}

TEST(a_twin_that_lost_its_community_on_the_way_out_is_altered_and_drains_nobody)
{
    char text[CARRIED_TEXT_MAX];
    up1_exports(STRIPPED);
    expect(TARGET_DEPREFERENCE, CONDITION_ALTERED);
    expect(TARGET_ANNOUNCE, CONDITION_LATE);
    assert_false(condition_reaches(CONDITION_ALTERED, TARGET_DEPREFERENCE));
    struct prefix_view view = observed_view(observed, V4, TARGET_DEPREFERENCE);
    assert_int_equal(view.announced, 1);
    assert_int_equal(view.altered, 1);
    assert_string_equal(view.altered_session, "up1");
    assert_string_equal(observed_lacks(observed, V4, TARGET_DEPREFERENCE, &view, text),
                        "community 65535:0");
    up1_exports(TWIN);
    expect(TARGET_DEPREFERENCE, CONDITION_AS_MEANT);
}

static int start_with_attributes(void **state)
{
    (void)state;
    begin("");
    observed_free(observed);
    config_free(config);
    config = small_config(PROBE("p") "[service dns]\nprefixes = 192.0.2.1/32 2001:db8::1/128\n"
                                     "require = p\ncommunities = 64512:1\n");
    observed = observed_new(config);
    return observed == NULL;
}

TEST_WITH(a_primary_that_lacks_something_is_altered_and_announces_all_the_same,
          start_with_attributes, stop)
{
    up1_exports(PRIMARY);
    expect(TARGET_ANNOUNCE, CONDITION_ALTERED);
    assert_true(condition_reaches(CONDITION_ALTERED, TARGET_ANNOUNCE));
    up1_exports(PRIMARY "\n\tbgp_community: (64512,1)");
    expect(TARGET_ANNOUNCE, CONDITION_AS_MEANT);
}

TEST_WITH(attributes_of_another_route_are_not_of_ours, start_with_attributes, stop)
{
    up1_exports(PRIMARY "\n" OTHER "\n\tBGP.community: (64512,1)");
    expect(TARGET_ANNOUNCE, CONDITION_ALTERED);
    up1_exports(OTHER "\n\tBGP.community: (64512,1)");
    expect(TARGET_ANNOUNCE, CONDITION_HIDDEN);
}

TEST(one_session_that_alters_is_enough_to_be_altered)
{
    sessions("up1+ up2+");
    observed_look(observed, 0, LOOK_CHANGED);
    observed_plan(observed, &orders, 0, false, now_ns);
    struct order order;
    while (orders_take(&orders, &order)) {
        answer(order.token, order_b(order.token) == 0 ? TWIN : STRIPPED);
    }
    expect(TARGET_DEPREFERENCE, CONDITION_ALTERED);
    assert_string_equal(observed_view(observed, V4, TARGET_DEPREFERENCE).altered_session, "up2");
}

TEST(where_an_export_limit_keeps_routes_back_what_is_exported_in_fact_counts)
{
    sessions("up1+");
    observed->sessions.all[0].bgp.limited = true;
    observed_plan(observed, &orders, 0, false, now_ns);
    answer(expect_order(&orders, "show route 192.0.2.1/32 exported 'up1'"), STRIPPED);
    answer(expect_order(&orders, "show route 2001:db8::1/128 exported 'up1'"), NULL);
    answer(expect_order(&orders, "show route 192.0.2.2/32 exported 'up1'"), OTHER);
    expect_no_order(&orders);
    assert_int_equal(observed_view(observed, V4, TARGET_DEPREFERENCE).unknown, 1);
    assert_int_equal(observed_view(observed, V6, TARGET_ANNOUNCE).condition, CONDITION_HIDDEN);
    observed_plan(observed, &orders, 0, false, now_ns);
    answer(expect_order(&orders, "show route 192.0.2.1/32 export 'up1' all"), TWIN);
    expect_no_order(&orders);
    expect(TARGET_DEPREFERENCE, CONDITION_AS_MEANT);
    observed_look(observed, 0, LOOK_CHANGED); // and the next time from the beginning
    observed_plan(observed, &orders, 0, false, now_ns);
    expect_order(&orders, "show route 192.0.2.1/32 exported 'up1'");
}

TEST(nothing_exported_is_as_withdrawing_means_it_and_else_hidden)
{
    up1_exports(NULL);
    expect(TARGET_WITHDRAW, CONDITION_AS_MEANT);
    expect(TARGET_ANNOUNCE, CONDITION_HIDDEN);
    assert_true(observed_as_meant(observed, 0, TARGET_WITHDRAW));
    assert_false(observed_as_meant(observed, 0, TARGET_ANNOUNCE));
}

TEST(anothers_route_hides_ours_or_leaks)
{
    up1_exports(OTHER);
    expect(TARGET_ANNOUNCE, CONDITION_HIDDEN);
    expect(TARGET_WITHDRAW, CONDITION_LEAK);
    struct prefix_view view = observed_view(observed, V4, TARGET_WITHDRAW);
    assert_int_equal(view.other, 1);
    assert_string_equal(view.other_name, "direct1");
    assert_string_equal(view.other_session, "up1");
}

TEST(the_first_route_of_an_answer_is_the_one_exported)
{
    sessions("up1+");
    observed_plan(observed, &orders, 0, false, now_ns);
    uint64_t token = expect_order(&orders, "show route 192.0.2.1/32 export 'up1' all");
    struct bird_line table = line_of(1007, "Table master4:");
    struct bird_line second = line_of(1007, OTHER);
    observed_line(observed, token, &table);
    observed_line(observed, token,
                  &(struct bird_line){.kind = BIRD_LINE, .code = 1007, .text = PRIMARY});
    observed_line(observed, token, &second);
    observed_end(observed, token, LOOK_ANSWERED, 0, now_ns);
    expect(TARGET_ANNOUNCE, CONDITION_AS_MEANT);
}

TEST_WITH(fewer_sessions_than_min_sessions_are_short, start_with_two_wanted, stop)
{
    up1_exports(PRIMARY);
    expect(TARGET_ANNOUNCE, CONDITION_SHORT);
}

TEST(no_session_at_all_is_short_but_withdrawn_well)
{
    expect(TARGET_ANNOUNCE, CONDITION_SHORT);
    expect(TARGET_WITHDRAW, CONDITION_AS_MEANT);
}

TEST(a_session_that_went_exports_nothing)
{
    up1_exports(PRIMARY);
    sessions("up1-");
    expect(TARGET_ANNOUNCE, CONDITION_SHORT);
    sessions("up1+");
    expect(TARGET_ANNOUNCE, CONDITION_UNKNOWN);
    sessions("");
    assert_int_equal(sessions_established(&observed->sessions), 0);
}

TEST(what_is_known_stays_when_another_session_comes)
{
    up1_exports(PRIMARY);
    sessions("up1+ up2+");
    assert_int_equal(observed_view(observed, V4, TARGET_ANNOUNCE).announced, 1);
    assert_int_equal(observed_view(observed, V4, TARGET_ANNOUNCE).unknown, 1);
    observed_plan(observed, &orders, 0, false, now_ns);
    expect_order(&orders, "show route 192.0.2.1/32 export 'up2' all");
}

TEST(an_answer_older_than_our_last_command_is_dropped_and_asked_again)
{
    up1_exports(PRIMARY);
    observed_look(observed, 0, LOOK_CHANGED);
    observed_plan(observed, &orders, 5, false, now_ns);
    uint64_t token = expect_order(&orders, "show route 192.0.2.1/32 export 'up1' all");
    uint64_t other = expect_order(&orders, "show route 2001:db8::1/128 export 'up1' all");
    observed_end(observed, token, LOOK_ANSWERED, 6, now_ns);
    expect(TARGET_ANNOUNCE, CONDITION_AS_MEANT); // as known before
    answer(other, NULL);
    observed_plan(observed, &orders, 6, false, now_ns);
    token = expect_order(&orders, "show route 192.0.2.1/32 export 'up1' all");
    observed_end(observed, token, LOOK_ANSWERED, 6, now_ns);
    expect(TARGET_WITHDRAW, CONDITION_AS_MEANT);
}

TEST(one_answer_does_not_colour_the_next)
{
    sessions("up1+");
    observed_plan(observed, &orders, 0, false, now_ns);
    uint64_t first = expect_order(&orders, "show route 192.0.2.1/32 export 'up1' all");
    uint64_t second = expect_order(&orders, "show route 2001:db8::1/128 export 'up1' all");
    answer(first, PRIMARY);
    answer(second, NULL);
    assert_int_equal(observed_view(observed, V6, TARGET_WITHDRAW).condition, CONDITION_AS_MEANT);
}

TEST(only_so_many_look_ups_are_unanswered_at_once)
{
    sessions("a+ b+ c+ d+ e+ f+ g+ h+");
    observed_plan(observed, &orders, 0, false, now_ns);
    assert_int_equal(orders.count, BUDGET_BATCH);
    struct order order;
    for (size_t left = BUDGET_BATCH; left-- > 0;) {
        assert_true(orders_take(&orders, &order));
        answer(order.token, NULL);
        observed_plan(observed, &orders, 0, false, now_ns);
        assert_int_equal(orders.count, left > 0 ? left : 24 - BUDGET_BATCH);
    }
}

TEST(looking_in_turn_comes_to_every_entry)
{
    sessions("up1+ up2+");
    observed_plan(observed, &orders, 0, false, now_ns);
    struct order order;
    while (orders_take(&orders, &order)) {
        answer(order.token, NULL);
    }
    size_t asked[3][2] = {{0}};
    for (unsigned i = 0; i < 6; i++) {
        observed_look_in_turn(observed, 1);
        observed_plan(observed, &orders, 0, false, now_ns);
        assert_true(orders_take(&orders, &order));
        asked[order_a(order.token)][order_b(order.token)]++;
        answer(order.token, NULL);
    }
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(asked[i % 3][i / 3], 1);
    }
    observed_look_in_turn(observed, 1000);
    observed_plan(observed, &orders, 0, false, now_ns);
    assert_int_equal(orders.count, 6);
}

TEST(when_the_link_went_all_is_forgotten_and_nothing_is_in_flight)
{
    up1_exports(PRIMARY);
    sessions("up1+ a+ b+ c+ d+ e+ f+ g+");
    observed_plan(observed, &orders, 0, false, now_ns);
    while (orders_take(&orders, &(struct order){.urgent = false})) {
    }
    observed_forget(observed);
    assert_int_equal(sessions_established(&observed->sessions), 0);
    sessions("up1+");
    expect(TARGET_ANNOUNCE, CONDITION_UNKNOWN);
    observed_plan(observed, &orders, 0, false, now_ns);
    assert_int_equal(orders.count, 1); // what one costs may be another thing now
}

TEST(a_lost_look_up_changes_nothing)
{
    up1_exports(PRIMARY);
    observed_look(observed, 0, LOOK_CHANGED);
    observed_plan(observed, &orders, 0, false, now_ns);
    uint64_t token = expect_order(&orders, "show route 192.0.2.1/32 export 'up1' all");
    observed_end(observed, token, LOOK_LOST, 0, now_ns);
    expect(TARGET_ANNOUNCE, CONDITION_AS_MEANT);
}

TEST(what_is_odd_must_be_so_for_a_second_before_it_is_called_so)
{
    up1_exports(PRIMARY);
    assert_false(observed_step(observed, V4, TARGET_ANNOUNCE, now_ms)); // no news
    assert_int_equal(observed->prefixes[V4].condition, CONDITION_AS_MEANT);
    up1_exports(OTHER);
    assert_false(observed_step(observed, V4, TARGET_ANNOUNCE, now_ms));
    assert_false(observed_step(observed, V4, TARGET_ANNOUNCE, now_ms + 999));
    assert_int_equal(observed->prefixes[V4].condition, CONDITION_AS_MEANT);
    assert_true(observed_step(observed, V4, TARGET_ANNOUNCE, now_ms + 1000));
    assert_int_equal(observed->prefixes[V4].condition, CONDITION_HIDDEN);
    up1_exports(PRIMARY);
    assert_true(observed_step(observed, V4, TARGET_ANNOUNCE, now_ms + 1001));
    assert_int_equal(observed->prefixes[V4].condition, CONDITION_AS_MEANT);
}

TEST(a_moment_of_being_well_starts_the_second_anew)
{
    up1_exports(OTHER);
    observed_step(observed, V4, TARGET_ANNOUNCE, now_ms);
    up1_exports(PRIMARY);
    observed_step(observed, V4, TARGET_ANNOUNCE, now_ms + 500);
    up1_exports(OTHER);
    observed_step(observed, V4, TARGET_ANNOUNCE, now_ms + 600);
    assert_false(observed_step(observed, V4, TARGET_ANNOUNCE, now_ms + 1500));
    assert_true(observed_step(observed, V4, TARGET_ANNOUNCE, now_ms + 1600));
}

TEST(more_names_than_can_be_kept_are_another_protocol)
{
    for (unsigned i = 0; i <= OBSERVED_NAMES_MAX; i++) {
        char line[80];
        snprintf(line, sizeof line, "192.0.2.1/32 unicast [other%u 10:00:00] * (240)", i);
        up1_exports(line);
    }
    expect(TARGET_WITHDRAW, CONDITION_LEAK);
    assert_string_equal(observed_view(observed, V4, TARGET_WITHDRAW).other_name,
                        "another protocol");
}

TEST(more_sessions_than_can_be_watched_are_told)
{
    observed_snapshot_begin(observed);
    for (unsigned i = 0; i <= SESSIONS_MAX; i++) {
        char name[16];
        assert_false(observed->sessions.too_many);
        snprintf(name, sizeof name, "s%u", i);
        row(name, "BGP", true);
    }
    assert_true(observed_snapshot_end(observed));
    assert_true(observed->sessions.too_many);
    assert_int_equal(sessions_established(&observed->sessions), SESSIONS_MAX);
}

TEST(dynamic_sessions_that_are_gone_leave_their_places_to_new_ones)
{
    for (unsigned i = 0; i < 3 * SESSIONS_MAX; i++) {
        char name[16];
        snprintf(name, sizeof name, "dynbgp%u", i);
        observed_snapshot_begin(observed);
        row(name, "BGP", true);
        assert_true(observed_snapshot_end(observed));
        observed_plan(observed, &orders, 0, false, now_ns);
        struct order order;
        while (orders_take(&orders, &order)) {
            assert_non_null(strstr(order.command, name));
            answer(order.token, order_a(order.token) == V4 ? PRIMARY : NULL);
        }
        assert_int_equal(observed_view(observed, V4, TARGET_ANNOUNCE).announced, 1);
    }
    assert_false(observed->sessions.too_many);
    assert_true(observed->sessions.count <= 2);
}

TEST(a_place_is_not_given_away_under_an_unanswered_question)
{
    sessions("old1+");
    observed_plan(observed, &orders, 0, false, now_ns);
    uint64_t token = expect_order(&orders, "show route 192.0.2.1/32 export 'old1' all");
    sessions("");
    sessions("new1+");
    answer(token, PRIMARY); // of old1
    assert_int_equal(observed_view(observed, V4, TARGET_ANNOUNCE).announced, 0);
    assert_int_equal(observed_view(observed, V4, TARGET_ANNOUNCE).unknown, 1);
}

TEST(what_an_earlier_session_in_its_place_was_seen_to_export_is_forgotten)
{
    up1_exports(PRIMARY);
    sessions("");
    sessions("up2+");
    expect(TARGET_WITHDRAW, CONDITION_UNKNOWN);
    assert_int_equal(observed->sessions.count, 1);
}

TEST(enough_places_again_is_told_too)
{
    for (unsigned round = 0; round < 2; round++) {
        observed_snapshot_begin(observed);
        for (unsigned i = 0; i <= SESSIONS_MAX - round; i++) {
            char name[16];
            snprintf(name, sizeof name, "s%u", i);
            row(name, "BGP", true);
        }
        assert_true(observed_snapshot_end(observed));
        assert_int_equal(observed->sessions.too_many, round == 0);
    }
}

TEST(a_look_up_that_failed_tells_nothing)
{
    up1_exports(PRIMARY);
    observed_look(observed, 0, LOOK_CHANGED);
    observed_plan(observed, &orders, 0, false, now_ns);
    uint64_t token = expect_order(&orders, "show route 192.0.2.1/32 export 'up1' all");
    observed_end(observed, token, LOOK_FAILED, 0, now_ns);
    expect(TARGET_WITHDRAW, CONDITION_UNKNOWN);
    expect(TARGET_ANNOUNCE, CONDITION_UNKNOWN);
}

// up1 has an IPv4 channel only.
static void up1_is_for_ipv4(void)
{
    observed->sessions.all[0].bgp_known = true;
    observed->sessions.all[0].bgp = (struct bird_bgp){.ipv4 = true};
}

TEST(a_family_that_no_session_carries_is_said_to_be_that)
{
    sessions("up1+");
    up1_is_for_ipv4();
    observed_plan(observed, &orders, 0, false, now_ns);
    answer(expect_order(&orders, "show route 192.0.2.1/32 export 'up1' all"), PRIMARY);
    answer(expect_order(&orders, "show route 192.0.2.2/32 export 'up1' all"), PRIMARY);
    expect_no_order(&orders);
    struct prefix_view view = observed_view(observed, V6, TARGET_ANNOUNCE);
    assert_string_equal(condition_name(view.condition), "no-channel");
    assert_int_equal(view.uncarried, 1);
    assert_int_equal(observed_view(observed, V6, TARGET_WITHDRAW).condition, CONDITION_AS_MEANT);
    expect(TARGET_ANNOUNCE, CONDITION_AS_MEANT);
}

TEST(enough_sessions_with_the_channel_are_enough)
{
    sessions("up1+ up2+");
    up1_is_for_ipv4();
    observed_plan(observed, &orders, 0, false, now_ns);
    struct order order;
    while (orders_take(&orders, &order)) {
        answer(order.token, order_a(order.token) == V6
                                ? "2001:db8::1/128 blackhole [popgate_dns_v6 10:00:00.000] * (260)"
                                : PRIMARY);
    }
    assert_int_equal(observed_view(observed, V6, TARGET_ANNOUNCE).condition, CONDITION_AS_MEANT);
}

TEST_WITH(a_named_session_that_lacks_the_route_is_named, start_with_two_wanted, stop)
{
    config->bird.min_sessions = 1;
    sessions("up1+ up2+");
    observed_plan(observed, &orders, 0, false, now_ns);
    assert_null(observed_view(observed, V4, TARGET_ANNOUNCE).lacking); // not looked up yet
    struct order order;
    while (orders_take(&orders, &order)) {
        answer(order.token, order_b(order.token) == 0 ? PRIMARY : NULL);
    }
    expect(TARGET_ANNOUNCE, CONDITION_AS_MEANT);
    assert_string_equal(observed_view(observed, V4, TARGET_ANNOUNCE).lacking, "up2");
    assert_null(observed_view(observed, V4, TARGET_WITHDRAW).lacking);
}

TEST(while_commands_are_under_way_bird_is_asked_one_thing_at_a_time)
{
    sessions("up1+");
    observed_plan(observed, &orders, 0, true, now_ns);
    uint64_t token = expect_order(&orders, "show route 192.0.2.1/32 export 'up1' all");
    expect_no_order(&orders);
    observed_plan(observed, &orders, 0, true, now_ns);
    expect_no_order(&orders);
    answer(token, NULL);
    observed_plan(observed, &orders, 0, true, now_ns);
    token = expect_order(&orders, "show route 2001:db8::1/128 export 'up1' all");
    expect_no_order(&orders);
    answer(token, NULL);
    observed_plan(observed, &orders, 0, false, now_ns);
    expect_order(&orders, "show route 192.0.2.2/32 export 'up1' all");
}

// Asks for whatever is allowed at each ms of that time; BIRD takes so long for each answer.
static size_t asked_within(uint64_t ms, uint64_t cost_ns)
{
    size_t asked = 0;
    for (uint64_t end_ns = now_ns + ms * 1000000; now_ns < end_ns; now_ns += 1000000) {
        struct order order;
        observed_look(observed, 0, LOOK_REST);
        observed_plan(observed, &orders, 0, false, now_ns);
        while (orders_take(&orders, &order)) {
            asked++;
            now_ns += cost_ns;
            answer(order.token, NULL);
        }
    }
    return asked;
}

#define DEAR_NS UINT64_C(25000000)

TEST(dear_look_ups_take_a_hundredth_of_bird_s_time_one_at_a_time)
{
    sessions("up1+");
    observed->budget.measured = false;
    observed_plan(observed, &orders, 0, false, now_ns);
    assert_int_equal(orders.count, 1); // before it is known what one costs
    struct order order;
    orders_take(&orders, &order);
    now_ns += DEAR_NS;
    answer(order.token, NULL);
    observed_plan(observed, &orders, 0, false, now_ns);
    expect_no_order(&orders); // it rests
    assert_true(observed_next_ns(observed) <= now_ns + BUDGET_REST * DEAR_NS);
    asked_within(60000, DEAR_NS); // uses up what was in hand
    assert_in_range(asked_within(100000, DEAR_NS), 38, 41);
}

TEST(what_changed_is_seen_though_the_budget_is_spent)
{
    sessions("up1+");
    observed->budget.measured = false;
    asked_within(60000, DEAR_NS); // uses up what was in hand
    uint64_t began_ns = now_ns;
    observed_look(observed, 1, LOOK_CHANGED);
    struct order order;
    while (observed->queues[LOOK_CHANGED].length > 0) {
        now_ns = observed_next_ns(observed) > now_ns ? observed_next_ns(observed) : now_ns;
        observed_plan(observed, &orders, 0, false, now_ns);
        while (orders_take(&orders, &order)) {
            assert_int_equal(order_a(order.token), WEB);
            now_ns += DEAR_NS;
            answer(order.token, NULL);
        }
    }
    assert_true(now_ns - began_ns <= (BUDGET_REST + 2) * DEAR_NS);
}

TEST(dear_look_ups_are_not_made_while_commands_are_under_way)
{
    sessions("up1+");
    observed->budget.measured = false;
    asked_within(200, DEAR_NS);
    now_ns += 60 * UINT64_C(1000000000);
    observed_look(observed, 0, LOOK_CHANGED);
    observed_plan(observed, &orders, 0, true, now_ns);
    expect_no_order(&orders);
    observed_plan(observed, &orders, 0, false, now_ns);
    assert_int_equal(orders.count, 1);
}

TEST(cheap_look_ups_of_what_changed_are_all_made_at_once)
{
    sessions("up1+");
    asked_within(1, 50000);
    assert_true(asked_within(1000, 50000) >= 1000);
}

TEST(dear_look_ups_have_no_turn_while_the_session_s_counters_stand_still)
{
    sessions("up1+");
    struct session *session = &observed->sessions.all[0];
    session->exports = 1;
    asked_within(1, 0);
    assert_int_equal(observed_view(observed, V4, TARGET_WITHDRAW).unknown, 0);
    observed->budget.measured = false; // what is not known is dear
    now_ns += 1000000000;
    observed_look_in_turn(observed, 256);
    observed_plan(observed, &orders, 0, false, now_ns);
    expect_no_order(&orders);
    session->exports = 2;
    observed_look_in_turn(observed, 256);
    observed_plan(observed, &orders, 0, false, now_ns);
    assert_int_equal(orders.count, 1);
}

TEST(what_changed_is_looked_at_before_what_has_its_turn)
{
    sessions("up1+ up2+");
    observed->budget.measured = false;
    observed_look_in_turn(observed, 6);
    observed_look(observed, 1, LOOK_CHANGED);
    observed_plan(observed, &orders, 0, false, now_ns);
    expect_order(&orders, "show route 192.0.2.2/32 export 'up1' all");
}

TEST(what_was_seen_long_ago_is_not_seen)
{
    up1_exports(PRIMARY);
    uint64_t good_for_ms = observed_good_for_ms(observed);
    assert_in_range(good_for_ms, 60000, 61000);
    observed_plan(observed, &orders, 0, true, now_ns + good_for_ms * NS_PER_MS);
    expect(TARGET_ANNOUNCE, CONDITION_AS_MEANT);
    assert_int_equal(observed_view(observed, V4, TARGET_ANNOUNCE).since_ms, now_ns / NS_PER_MS);
    now_ns += (good_for_ms + 1000) * NS_PER_MS;
    observed_plan(observed, &orders, 0, true, now_ns);
    expect(TARGET_ANNOUNCE, CONDITION_UNKNOWN);
    expect(TARGET_WITHDRAW, CONDITION_UNKNOWN);
    assert_true(observed_is_stale(observed, 0));
    up1_exports(PRIMARY);
    expect(TARGET_ANNOUNCE, CONDITION_AS_MEANT);
    assert_false(observed_is_stale(observed, 0));
}

TEST(what_the_session_s_counters_confirm_is_not_old)
{
    sessions("up1+");
    struct session *session = &observed->sessions.all[0];
    session->exports = 1;
    asked_within(1, 0);
    now_ns += 3600 * NS_PER_S;
    session->exports_ms = now_ns / NS_PER_MS;
    observed_plan(observed, &orders, 0, true, now_ns);
    assert_int_equal(observed_view(observed, V4, TARGET_WITHDRAW).unknown, 0);
    session->exports = 2;
    assert_int_equal(observed_view(observed, V4, TARGET_WITHDRAW).unknown, 1);
}

TEST(a_long_turn_makes_what_was_seen_good_for_longer)
{
    sessions("up1+");
    observed->budget.each_ns = DEAR_NS;
    assert_int_equal(observed_good_for_ms(observed), 60000 + 3 * 3 * 2500);
}

TEST(what_is_as_meant_is_not_looked_at_again)
{
    up1_exports(PRIMARY);
    observed_look_again(observed, 0, TARGET_ANNOUNCE, LOOK_REST);
    observed_plan(observed, &orders, 0, false, now_ns);
    answer(expect_order(&orders, "show route 2001:db8::1/128 export 'up1' all"), NULL);
    expect_no_order(&orders);
    observed_look_again(observed, 0, TARGET_WITHDRAW, LOOK_REST);
    observed_plan(observed, &orders, 0, false, now_ns);
    expect_order(&orders, "show route 192.0.2.1/32 export 'up1' all");
    expect_no_order(&orders);
}
