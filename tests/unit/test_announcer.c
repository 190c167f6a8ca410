// The announcer: which protocols are switched, in which order, and what is believed of BIRD.
#include "controller/core/announcer.h"

#include "tests/unit/small_config.h"

enum { DNS, WEB };

static struct config *config;
static struct announcer *announcer;
static struct orders orders;
static uint64_t file; // version on disk

static int start(void **state)
{
    (void)state;
    config = small_config(PROBE("p") "[service dns]\nprefixes = 192.0.2.1/32 2001:db8::1/128\n"
                                     "require = p\n"
                                     "[service web]\nprefixes = 192.0.2.2/32\nrequire = p\n");
    announcer = announcer_new(config, NULL, 0);
    assert_non_null(announcer);
    assert_true(orders_init(&orders, 16));
    file = 0;
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

// BIRD's rows, "name+" is on and "name-" is off; returns how many were drift.
static size_t rows(const char *text)
{
    size_t drifts = 0;
    char name[BIRD_PROTOCOL_MAX];
    char sign;
    int read;
    while (sscanf(text, " %63[a-z0-9_]%c%n", name, &sign, &read) == 2) {
        drifts += announcer_row(announcer, name, sign == '+');
        text += read;
    }
    return drifts;
}

static size_t snapshot(const char *text)
{
    announcer_snapshot_begin(announcer, true);
    size_t drifts = rows(text);
    assert_true(announcer_snapshot_end(announcer));
    return drifts;
}

#define DNS_OFF         "popgate_dns_v4- popgate_dns_v6- popgate_dns_v4_drain- popgate_dns_v6_drain- "
#define DNS_ON          "popgate_dns_v4+ popgate_dns_v6+ popgate_dns_v4_drain- popgate_dns_v6_drain- "
#define DNS_TWIN        "popgate_dns_v4- popgate_dns_v6- popgate_dns_v4_drain+ popgate_dns_v6_drain+ "
#define DNS_BOTH        "popgate_dns_v4+ popgate_dns_v6+ popgate_dns_v4_drain+ popgate_dns_v6_drain+ "
#define WEB_OFF         "popgate_web_v4- popgate_web_v4_drain- "
#define WEB_ON          "popgate_web_v4+ popgate_web_v4_drain- "
#define ANNOUNCE        TARGET_ANNOUNCE, 1
#define WITHDRAW        TARGET_WITHDRAW, 1
#define DEPREFER        TARGET_DEPREFERENCE, 1
#define NO_PROTO        BIRD_NO_PROTOCOL
#define ALL_WELL        BIRD_OK
#define ENABLED         11
#define DISABLED        9
#define ALREADY_ENABLED 10

static void plan(void)
{
    announcer_plan(announcer, &orders, file);
}

static void expect(const char *command)
{
    expect_order(&orders, command);
}

// One command for each family: their tokens.
struct tokens {
    uint64_t of[FAMILIES];
};

static struct tokens expect_dns(const char *verb, const char *leg)
{
    struct tokens tokens;
    for (enum family family = 0; family < FAMILIES; family++) {
        char command[BIRD_COMMAND_MAX];
        snprintf(command, sizeof command, "%s popgate_dns_%s%s", verb, names_family(family), leg);
        tokens.of[family] = expect_order(&orders, command);
    }
    return tokens;
}

static void answer_dns(struct tokens tokens, enum bird_outcome outcome)
{
    announcer_reply_end(announcer, tokens.of[FAMILY_V4], outcome);
    announcer_reply_end(announcer, tokens.of[FAMILY_V6], outcome);
}

static void expect_nothing(void)
{
    plan();
    expect_no_order(&orders);
}

// BIRD has the protocols like this, the file is on disk, and these are the targets.
static void running(const char *protocols, enum target dns, enum target web)
{
    file = 1;
    announcer_link(announcer, true);
    announcer_set_target(announcer, DNS, dns, 1);
    announcer_set_target(announcer, WEB, web, 1);
    snapshot(protocols);
    expect_nothing();
    assert_true(announcer_settled(announcer, DNS));
    assert_true(announcer_settled(announcer, WEB));
}

TEST(nothing_is_sent_while_the_link_is_down)
{
    announcer_set_target(announcer, DNS, ANNOUNCE);
    file = 1;
    expect_nothing();
}

TEST(switching_on_waits_for_the_file_on_disk)
{
    running(DNS_OFF WEB_OFF, TARGET_WITHDRAW, TARGET_WITHDRAW);
    announcer_set_target(announcer, DNS, TARGET_ANNOUNCE, 7);
    expect_nothing();
    file = 6;
    expect_nothing();
    file = 7;
    plan();
    expect_dns("enable", "");
    expect_nothing();
}

TEST(switching_on_waits_until_the_protocols_are_seen)
{
    file = 1;
    announcer_link(announcer, true);
    announcer_set_target(announcer, DNS, ANNOUNCE);
    snapshot(WEB_OFF);
    plan();
    while (orders_take(&orders, &(struct order){.urgent = false})) {
    }
    snapshot(DNS_OFF WEB_OFF);
    plan();
    expect_dns("enable", "");
}

TEST(a_withdrawal_waits_for_no_file)
{
    running(DNS_ON WEB_ON, TARGET_ANNOUNCE, TARGET_ANNOUNCE);
    announcer_set_target(announcer, DNS, TARGET_WITHDRAW, 99);
    plan();
    struct order order;
    assert_true(orders_take(&orders, &order));
    assert_string_equal(order.command, "disable popgate_dns_v4");
    assert_true(order.urgent);
    assert_int_equal(order.link, ORDER_LINK_ACT);
    assert_true(orders_take(&orders, &order));
    assert_string_equal(order.command, "disable popgate_dns_v6");
    assert_true(order.urgent);
    expect_nothing();
}

TEST(draining_keeps_the_primary_until_the_twin_is_up_in_both_families)
{
    running(DNS_ON WEB_ON, TARGET_ANNOUNCE, TARGET_ANNOUNCE);
    announcer_set_target(announcer, DNS, DEPREFER);
    plan();
    struct tokens token = expect_dns("enable", "_drain");
    expect_nothing();
    announcer_reply_line(announcer, ENABLED, "popgate_dns_v4_drain: enabled");
    announcer_reply_line(announcer, ENABLED, "popgate_dns_v6_drain: enabled");
    answer_dns(token, ALL_WELL);
    expect_nothing(); // enabled is not yet up
    announcer_snapshot_begin(announcer, false);
    rows("popgate_dns_v4+ popgate_dns_v6+ popgate_dns_v4_drain+ popgate_dns_v6_drain- " WEB_ON);
    assert_true(announcer_snapshot_end(announcer));
    expect_nothing(); // enabled again at most once a second
    snapshot("popgate_dns_v4+ popgate_dns_v6+ popgate_dns_v4_drain+ popgate_dns_v6_drain- " WEB_ON);
    plan();
    expect_dns("enable", "_drain");
    expect_nothing();
}

TEST(the_primary_goes_when_the_twin_is_seen_to_be_up)
{
    running(DNS_ON WEB_ON, TARGET_ANNOUNCE, TARGET_ANNOUNCE);
    announcer_set_target(announcer, DNS, DEPREFER);
    plan();
    struct tokens token = expect_dns("enable", "_drain");
    answer_dns(token, ALL_WELL);
    snapshot(DNS_BOTH WEB_ON);
    plan();
    expect_dns("disable", "");
    expect_nothing();
}

TEST(undraining_makes_before_it_breaks)
{
    running(DNS_TWIN WEB_ON, TARGET_DEPREFERENCE, TARGET_ANNOUNCE);
    announcer_set_target(announcer, DNS, ANNOUNCE);
    plan();
    struct tokens token = expect_dns("enable", "");
    expect_nothing();
    answer_dns(token, ALL_WELL);
    snapshot(DNS_BOTH WEB_ON);
    plan();
    expect_dns("disable", "_drain");
}

TEST(withdrawing_takes_the_twin_first)
{
    running(DNS_ON WEB_ON, TARGET_ANNOUNCE, TARGET_ANNOUNCE);
    announcer_set_target(announcer, DNS, DEPREFER);
    plan();
    struct tokens token = expect_dns("enable", "_drain");
    answer_dns(token, ALL_WELL);
    snapshot(DNS_BOTH WEB_ON);
    announcer_set_target(announcer, DNS, WITHDRAW);
    plan();
    expect_dns("disable", "_drain");
    expect_dns("disable", "");
    expect_nothing();
}

TEST(one_pattern_does_when_nothing_is_to_stay_on)
{
    running(DNS_ON WEB_ON, TARGET_ANNOUNCE, TARGET_ANNOUNCE);
    announcer_set_target(announcer, DNS, WITHDRAW);
    announcer_set_target(announcer, WEB, WITHDRAW);
    plan();
    uint64_t token = expect_order(&orders, "disable \"popgate_*\"");
    expect_nothing();
    announcer_reply_line(announcer, DISABLED, "popgate_dns_v4: disabled");
    announcer_reply_line(announcer, DISABLED, "popgate_dns_v6: disabled");
    announcer_reply_line(announcer, DISABLED, "popgate_web_v4: disabled");
    assert_false(announcer_settled(announcer, DNS));
    announcer_reply_end(announcer, token, ALL_WELL);
    assert_true(announcer_settled(announcer, DNS));
    assert_true(announcer_settled(announcer, WEB));
}

TEST(the_pattern_for_twins_goes_before_the_pattern_for_all)
{
    running(DNS_TWIN WEB_ON, TARGET_DEPREFERENCE, TARGET_ANNOUNCE);
    announcer_set_target(announcer, DNS, WITHDRAW);
    announcer_set_target(announcer, WEB, WITHDRAW);
    plan();
    expect("disable \"popgate_*_drain\"");
    expect("disable \"popgate_*\"");
    expect_nothing();
}

TEST(the_pattern_waits_for_room)
{
    running(DNS_TWIN WEB_ON, TARGET_DEPREFERENCE, TARGET_ANNOUNCE);
    while (orders_room(&orders) > 1) {
        orders_put(&orders, ORDER_LINK_ASK, false, 0, (struct bird_command){"x"});
    }
    announcer_set_target(announcer, DNS, WITHDRAW);
    announcer_set_target(announcer, WEB, WITHDRAW);
    plan();
    while (orders_room(&orders) < 16) {
        expect("x");
    }
    plan();
    expect("disable \"popgate_*_drain\"");
    expect("disable \"popgate_*\"");
}

TEST(what_is_wanted_again_is_enabled_behind_the_pattern)
{
    running(DNS_ON WEB_ON, TARGET_ANNOUNCE, TARGET_ANNOUNCE);
    announcer_set_target(announcer, DNS, WITHDRAW);
    announcer_set_target(announcer, WEB, WITHDRAW);
    plan();
    expect("disable \"popgate_*\"");
    announcer_set_target(announcer, WEB, ANNOUNCE);
    plan();
    expect("enable popgate_web_v4");
    expect_nothing();
}

TEST(a_change_of_mind_does_not_wait_for_the_answer)
{
    running(DNS_OFF WEB_ON, TARGET_WITHDRAW, TARGET_ANNOUNCE);
    announcer_set_target(announcer, DNS, ANNOUNCE);
    plan();
    struct tokens first = expect_dns("enable", "");
    announcer_set_target(announcer, DNS, WITHDRAW);
    plan();
    struct tokens second = expect_dns("disable", "");
    announcer_reply_line(announcer, ENABLED, "popgate_dns_v4: enabled");
    announcer_reply_line(announcer, ENABLED, "popgate_dns_v6: enabled");
    answer_dns(first, ALL_WELL);
    assert_false(announcer_settled(announcer, DNS));
    announcer_reply_line(announcer, DISABLED, "popgate_dns_v4: disabled");
    announcer_reply_line(announcer, DISABLED, "popgate_dns_v6: disabled");
    answer_dns(second, ALL_WELL);
    assert_true(announcer_settled(announcer, DNS));
    expect_nothing();
}

TEST(a_row_older_than_our_command_is_not_believed)
{
    running(DNS_ON WEB_ON, TARGET_ANNOUNCE, TARGET_ANNOUNCE);
    announcer_snapshot_begin(announcer, false);
    announcer_set_target(announcer, DNS, WITHDRAW);
    plan();
    struct tokens token = expect_dns("disable", "");
    announcer_reply_line(announcer, DISABLED, "popgate_dns_v4: disabled");
    announcer_reply_line(announcer, DISABLED, "popgate_dns_v6: disabled");
    answer_dns(token, ALL_WELL);
    assert_int_equal(rows(DNS_ON WEB_ON), 0);
    assert_true(announcer_snapshot_end(announcer));
    assert_true(announcer_settled(announcer, DNS));
    expect_nothing();
}

TEST(a_snapshot_from_before_the_link_came_up_says_nothing)
{
    announcer_link(announcer, true);
    announcer_snapshot_begin(announcer, false);
    announcer_link(announcer, false);
    announcer_link(announcer, true);
    rows(DNS_ON WEB_ON);
    assert_false(announcer_snapshot_end(announcer));
    assert_false(announcer->snapshot_taken);
}

TEST(somebodys_disable_is_drift_and_repaired)
{
    running(DNS_ON WEB_ON, TARGET_ANNOUNCE, TARGET_ANNOUNCE);
    assert_int_equal(snapshot("popgate_dns_v4- popgate_dns_v6+ popgate_dns_v4_drain- "
                              "popgate_dns_v6_drain- " WEB_ON),
                     1);
    plan();
    expect_dns("enable", "");
}

TEST(somebodys_enable_is_drift_and_repaired)
{
    running(DNS_OFF WEB_ON, TARGET_WITHDRAW, TARGET_ANNOUNCE);
    assert_int_equal(snapshot(DNS_TWIN WEB_ON), 2);
    plan();
    expect_dns("disable", "_drain");
    expect_nothing();
}

TEST(a_protocol_of_no_service_is_switched_off_if_it_is_named_as_ours)
{
    running(DNS_ON WEB_ON, TARGET_ANNOUNCE, TARGET_ANNOUNCE);
    assert_int_equal(snapshot(DNS_ON WEB_ON "popgate_gone_v4+ upstream+ popgate_former_v4-"), 1);
    plan();
    expect("disable \"popgate_gone_v4\"");
    expect_nothing();
}

TEST(our_pipes_are_switched_on_again)
{
    running(DNS_ON WEB_ON, TARGET_ANNOUNCE, TARGET_ANNOUNCE);
    assert_int_equal(snapshot(DNS_ON WEB_ON "popgate4_pipe- popgate6_pipe+"), 1);
    plan();
    expect("enable \"popgate?_pipe\"");
    assert_int_equal(snapshot(DNS_ON WEB_ON "popgate4_pipe+ popgate6_pipe+"), 0);
    expect_nothing();
}

TEST(switching_on_waits_for_replies_and_is_never_overtaken)
{
    running(DNS_OFF WEB_ON, TARGET_WITHDRAW, TARGET_ANNOUNCE);
    for (unsigned i = 0; i < ANNOUNCER_UNANSWERED_MAX / 4; i++) {
        announcer_set_target(announcer, DNS, ANNOUNCE);
        plan();
        expect_dns("enable", "");
        announcer_set_target(announcer, DNS, WITHDRAW);
        plan();
        expect_dns("disable", "");
    }
    announcer_set_target(announcer, DNS, ANNOUNCE);
    expect_nothing();
    announcer_set_target(announcer, WEB, WITHDRAW); // waits for nothing
    plan();
    expect("disable popgate_web_v4");
    uint64_t token = order_token(ORDER_ENABLE, DNS, 0);
    announcer_reply_end(announcer, token, ALL_WELL);
    expect_nothing();
    announcer_reply_end(announcer, token, ALL_WELL);
    plan();
    expect_dns("enable", "");
}

// What is written beyond that waits in the session, where a withdrawal overtakes it.
TEST(what_is_switched_on_at_once_is_never_more_than_bird_reads_at_once)
{
    enum { MANY = 30, BIRDS_BUFFER = 1024 }; // docs/bird-facts.md, fact 6
    char text[3500] = PROBE("p");
    size_t used = strlen(text);
    stop(state);
    for (unsigned i = 0; i < MANY; i++) {
        used += (size_t)snprintf(text + used, sizeof text - used,
                                 "[service s%028u]\nprefixes = 10.0.0.%u/32\nrequire = p\n", i, i);
    }
    config = small_config(text);
    announcer = announcer_new(config, NULL, 0);
    assert_non_null(announcer);
    assert_true(orders_init(&orders, (size_t)4 * MANY));
    announcer_link(announcer, true);
    for (size_t i = 0; i < MANY; i++) {
        announcer_set_target(announcer, i, ANNOUNCE);
    }
    announcer_snapshot_begin(announcer, true);
    for (size_t i = 0; i < announcer->protocol_count; i++) {
        announcer_row(announcer, announcer->protocols[i].name, false);
    }
    assert_true(announcer_snapshot_end(announcer));
    file = 1;
    struct order order[4 * MANY];
    size_t switched_on = 0;
    while (switched_on < MANY) {
        size_t count = 0, octets = 0;
        plan();
        for (; orders_take(&orders, &order[count]); count++) {
            assert_int_equal(strncmp(order[count].command, "enable ", 7), 0);
            octets += strlen(order[count].command) + 1;
        }
        assert_in_range(octets, 1, BIRDS_BUFFER - 1);
        for (size_t i = 0; i < count; i++) {
            announcer_reply_end(announcer, order[i].token, ALL_WELL);
        }
        switched_on += count;
    }
    assert_int_equal(switched_on, MANY);
}

TEST(a_withdrawal_does_not_wait_until_its_protocols_are_seen)
{
    announcer_set_target(announcer, WEB, ANNOUNCE);
    announcer_link(announcer, true);
    announcer_set_target(announcer, DNS, WITHDRAW);
    plan();
    expect_dns("disable", "_drain");
    expect_dns("disable", "");
    expect_nothing();
}

TEST(what_is_to_be_off_is_switched_off_as_soon_as_the_link_is_up)
{
    announcer_set_target(announcer, WEB, ANNOUNCE);
    announcer_set_target(announcer, DNS, WITHDRAW);
    announcer_link(announcer, true);
    plan();
    expect_dns("disable", "_drain");
    expect_dns("disable", "");
    expect_nothing();
}

TEST(nothing_is_known_when_the_link_is_lost)
{
    running(DNS_ON WEB_ON, TARGET_ANNOUNCE, TARGET_ANNOUNCE);
    announcer_link(announcer, false);
    assert_false(announcer_settled(announcer, DNS));
    announcer_link(announcer, true);
    assert_int_equal(snapshot(DNS_OFF WEB_ON), 0); // BIRD came up so: nobody's drift
    plan();
    expect_dns("enable", "");
}

TEST(a_protocol_that_bird_lacks_is_enabled_once_it_is_there)
{
    running(DNS_OFF WEB_ON, TARGET_WITHDRAW, TARGET_ANNOUNCE);
    announcer_set_target(announcer, DNS, ANNOUNCE);
    plan();
    struct tokens token = expect_dns("enable", "");
    answer_dns(token, NO_PROTO);
    assert_true(announcer_lacks_protocol(announcer, DNS));
    assert_false(announcer_settled(announcer, DNS));
    expect_nothing();
    snapshot(DNS_OFF WEB_ON);
    assert_false(announcer_lacks_protocol(announcer, DNS));
    plan();
    expect_dns("enable", "");
}

TEST(what_came_on_in_one_family_goes_at_once_though_bird_lacks_the_other)
{
    struct order order;
    running(DNS_OFF WEB_ON, TARGET_WITHDRAW, TARGET_ANNOUNCE);
    announcer_set_target(announcer, DNS, ANNOUNCE);
    plan();
    struct tokens tokens = expect_dns("enable", "");
    announcer_reply_line(announcer, ENABLED, "popgate_dns_v4: enabled");
    announcer_reply_end(announcer, tokens.of[FAMILY_V4], ALL_WELL);
    announcer_reply_end(announcer, tokens.of[FAMILY_V6], NO_PROTO);
    assert_true(announcer_lacks_protocol(announcer, DNS));
    announcer_set_target(announcer, DNS, WITHDRAW);
    plan();
    assert_true(orders_take(&orders, &order));
    assert_string_equal(order.command, "disable popgate_dns_v4");
    assert_true(order.urgent);
}

TEST(what_bird_lacks_is_withdrawn_well_enough)
{
    running(WEB_ON, TARGET_WITHDRAW, TARGET_ANNOUNCE);
    assert_true(announcer_lacks_protocol(announcer, DNS));
    expect_nothing();
}

// The file said that it is on, and it may have been loaded by anybody's `configure` since.
TEST(what_may_have_come_on_since_is_switched_off_all_the_same)
{
    running(WEB_OFF, TARGET_WITHDRAW, TARGET_WITHDRAW);
    announcer_set_target(announcer, DNS, ANNOUNCE);
    announcer_set_target(announcer, WEB, TARGET_ANNOUNCE, 7);
    expect_nothing();
    announcer_set_target(announcer, DNS, WITHDRAW);
    plan();
    answer_dns(expect_dns("disable", ""), NO_PROTO);
    expect_nothing();
    assert_true(announcer_settled(announcer, DNS));
    announcer_set_target(announcer, WEB, TARGET_WITHDRAW, 8);
    plan();
    expect("disable popgate_web_v4");
}

TEST(what_is_in_doubt_is_switched_off_again_and_settled_when_that_is_answered)
{
    running(DNS_OFF WEB_ON, TARGET_WITHDRAW, TARGET_ANNOUNCE);
    announcer_doubt(announcer, DNS);
    assert_false(announcer_settled(announcer, DNS));
    plan();
    answer_dns(expect_dns("disable", "_drain"), ALL_WELL);
    answer_dns(expect_dns("disable", ""), ALL_WELL);
    expect_nothing();
    assert_true(announcer_settled(announcer, DNS));
}

TEST(what_is_in_doubt_waits_for_the_answer_to_what_is_on_whatever_that_is)
{
    running(DNS_OFF WEB_ON, TARGET_WITHDRAW, TARGET_ANNOUNCE);
    announcer_doubt(announcer, WEB);
    announcer_set_target(announcer, WEB, WITHDRAW);
    plan();
    uint64_t token = expect_order(&orders, "disable popgate_web_v4");
    expect_nothing();
    assert_true(announcer_is_busy(announcer));
    announcer_reply_end(announcer, token, BIRD_ACCESS_DENIED);
    plan();
    expect("disable popgate_web_v4_drain");
    expect("disable popgate_web_v4"); // once more, since it is asked anyway
    expect_nothing();
}

TEST(a_refused_command_is_not_sent_again_before_the_next_snapshot)
{
    running(DNS_ON WEB_ON, TARGET_ANNOUNCE, TARGET_ANNOUNCE);
    announcer_set_target(announcer, DNS, WITHDRAW);
    plan();
    struct tokens token = expect_dns("disable", "");
    answer_dns(token, ALL_WELL);
    assert_false(announcer_settled(announcer, DNS));
    expect_nothing();
    snapshot(DNS_ON WEB_ON);
    plan();
    expect_dns("disable", "");
}

TEST(already_enabled_is_no_news_about_what_is_up)
{
    running(DNS_ON WEB_ON, TARGET_ANNOUNCE, TARGET_ANNOUNCE);
    announcer_reply_line(announcer, ALREADY_ENABLED, "popgate_dns_v4: already enabled");
    assert_true(announcer_settled(announcer, DNS));
    announcer_reply_line(announcer, ENABLED, "popgate_dns_v4: enabled");
    assert_false(announcer_settled(announcer, DNS));
}

TEST(names_that_are_not_ours_in_a_reply_are_skipped)
{
    running(DNS_ON WEB_ON, TARGET_ANNOUNCE, TARGET_ANNOUNCE);
    char text[200];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    announcer_reply_line(announcer, DISABLED, text);
    announcer_reply_line(announcer, DISABLED, "upstream: disabled");
    announcer_reply_line(announcer, DISABLED, "");
    announcer_reply_line(announcer, 1002, "popgate_dns_v4: disabled");
    assert_true(announcer_settled(announcer, DNS));
}

// A reload makes another announcer.
TEST(taking_over_knows_what_is_off_and_keeps_the_way_free)
{
    running(DNS_ON WEB_OFF, TARGET_ANNOUNCE, TARGET_WITHDRAW);
    struct announcer *old = announcer;
    announcer = announcer_new(config, NULL, 0);
    assert_non_null(announcer);
    announcer_link(announcer, true);
    announcer_set_target(announcer, DNS, ANNOUNCE);
    announcer_set_target(announcer, WEB, WITHDRAW);
    announcer_take_over(announcer, DNS, old, DNS);
    announcer_take_over(announcer, WEB, old, WEB);
    announcer_free(old);
    expect_nothing();
    assert_true(announcer_is_on(announcer, DNS, FAMILY_V4));
}

TEST(a_command_under_way_leaves_its_leg_unknown_to_the_next_announcer)
{
    running(DNS_ON WEB_ON, TARGET_ANNOUNCE, TARGET_ANNOUNCE);
    announcer_set_target(announcer, WEB, WITHDRAW);
    plan();
    expect("disable popgate_web_v4");
    struct announcer *old = announcer;
    announcer = announcer_new(config, NULL, 0);
    assert_non_null(announcer);
    announcer_link(announcer, true);
    announcer_set_target(announcer, DNS, ANNOUNCE);
    announcer_set_target(announcer, WEB, WITHDRAW);
    announcer_take_over(announcer, DNS, old, DNS);
    announcer_take_over(announcer, WEB, old, WEB);
    announcer_free(old);
    plan();
    expect("disable popgate_web_v4");
    expect_nothing();
}

TEST(what_is_seen_to_be_on_overtakes_what_is_not_seen_at_all)
{
    struct order order;
    announcer_link(announcer, true);
    announcer_set_target(announcer, DNS, ANNOUNCE);
    announcer_set_target(announcer, WEB, WITHDRAW);
    rows(DNS_ON);
    plan();
    assert_true(orders_take(&orders, &order)); // of web, unseen
    assert_false(order.urgent);
    while (orders_take(&orders, &order)) {
        assert_false(order.urgent);
    }
    announcer_set_target(announcer, DNS, WITHDRAW);
    plan();
    assert_true(orders_take(&orders, &order));
    assert_true(order.urgent);
}
