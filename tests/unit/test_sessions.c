// Sessions: what is told of their coming and going, and how much of it.
#include "controller/core/sessions.h"

#include "tests/unit/small_config.h"

static struct config *config;
static struct sessions sessions;
static uint64_t now_ms;
static struct session_news news;

static int start_with(const char *more)
{
    config = small_config(more);
    memset(&sessions, 0, sizeof sessions);
    sessions_init(&sessions, config);
    now_ms = 1000000;
    return 0;
}

static int start(void **state)
{
    (void)state;
    return start_with("");
}

static int start_with_two_named(void **state)
{
    (void)state;
    return start_with("sessions = up1 up2\n");
}

static int stop(void **state)
{
    (void)state;
    config_free(config);
    return 0;
}

TEST_FIXTURE(start, stop);

static void row(const char *name, const char *state, const char *info)
{
    char text[160];
    struct bird_protocol protocol;
    snprintf(text, sizeof text, "%s BGP --- %s 10:00:00.000  %s", name, state, info);
    struct bird_line line = line_of(BIRD_CODE_PROTOCOL, text);
    assert_true(bird_parse_protocol(&line, &protocol));
    sessions_row(&sessions, config, &protocol);
}

static void end(void)
{
    while (sessions_missing(&sessions) != SESSIONS_NONE) {
    }
}

// A snapshot with these sessions, parted by spaces: "+up1" is established, "-up1" is not.
static void look(const char *text)
{
    char name[32];
    int read;
    sessions_begin(&sessions);
    for (; sscanf(text, " %31s%n", name, &read) == 1; text += read) {
        row(name + 1, name[0] == '+' ? "up" : "start",
            name[0] == '+' ? "Established   " : "Active        Socket: Connection refused");
    }
    end();
}

static void expect(const char *text, bool warning)
{
    assert_true(sessions_news(&sessions, now_ms, &news));
    assert_string_equal(news.text, text);
    assert_int_equal(news.warning, warning);
}

static void expect_nothing(void)
{
    if (sessions_news(&sessions, now_ms, &news)) {
        fail_msg("told: %s", news.text);
    }
}

TEST(how_sessions_were_at_the_first_look_is_told_in_one_line)
{
    look("+up1 -up2 +up3");
    expect("2 of 3 BGP sessions are established: all but up2 (start, Active, Socket: Connection "
           "refused)",
           true);
    expect_nothing();
    sessions_forget(&sessions);
    look("+up1");
    expect("1 of 1 BGP session is established", false);
    sessions_forget(&sessions);
    look("");
    expect("BIRD has no BGP session", false);
}

TEST_WITH(a_named_session_that_bird_lacks_is_told_at_the_first_look, start_with_two_named, stop)
{
    look("+up1 +other");
    expect("1 of 2 BGP sessions are established: all but up2 (BIRD has none)", true);
}

TEST(each_change_is_told_once_and_with_what_bird_says)
{
    look("+up1 +up2");
    assert_true(sessions_news(&sessions, now_ms, &news));
    now_ms += 5000;
    look("-up1 +up2");
    expect("BGP session up1 is down (start, Active, Socket: Connection refused)", true);
    expect_nothing();
    assert_int_equal(sessions.all[0].since_ms, now_ms);
    look("-up1 +up2");
    expect_nothing();
    look("+up1");
    expect("BGP session up1 is established", false);
    expect("BGP session up2 is gone: BIRD has no such protocol any more", true);
    expect_nothing();
    look("+up1 +up3");
    expect("BGP session up3 is established", false);
    expect_nothing();
}

TEST(a_session_that_flaps_fills_no_log_and_is_counted)
{
    unsigned lines = 0;
    look("+up1");
    assert_true(sessions_news(&sessions, now_ms, &news));
    for (unsigned i = 0; i < 50; i++) {
        now_ms += 1000;
        look(i % 2 == 0 ? "-up1" : "+up1");
        lines += sessions_news(&sessions, now_ms, &news);
    }
    assert_int_equal(lines, SESSION_LINES);
    assert_non_null(strstr(news.text, "not listed"));
    now_ms += 60000;
    look("+up1");
    expect("BGP session up1 changed 44 more times within a minute", true);
    expect_nothing();
    look("-up1");
    expect("BGP session up1 is down (start, Active, Socket: Connection refused)", true);
}

TEST(dynamic_sessions_that_come_and_go_fill_no_log_either)
{
    unsigned lines = 0;
    look("");
    assert_true(sessions_news(&sessions, now_ms, &news));
    for (unsigned i = 0; i < 500; i++) {
        char text[32];
        snprintf(text, sizeof text, "+dynbgp%u", i);
        now_ms += 100;
        look(text);
        while (sessions_news(&sessions, now_ms, &news)) {
            lines++;
        }
    }
    assert_int_equal(lines, SESSIONS_LINES);
    assert_true(sessions.count <= 3);
    now_ms += 60000;
    look("+dynbgp499");
    expect("939 more changes of BGP sessions within a minute are not listed", true);
    expect_nothing();
}

// ---- Details

static struct orders orders;

static int start_asking(void **state)
{
    (void)state;
    assert_true(orders_init(&orders, 16));
    return start_with("");
}

static int stop_asking(void **state)
{
    orders_free(&orders);
    return stop(state);
}

static uint64_t asks(const char *command)
{
    sessions_plan(&sessions, &orders, false, now_ms);
    return expect_order(&orders, command);
}

static uint64_t asks_often(const char *command)
{
    sessions_plan(&sessions, &orders, true, now_ms);
    return expect_order(&orders, command);
}

static void asks_nothing(void)
{
    sessions_plan(&sessions, &orders, false, now_ms);
    expect_no_order(&orders);
}

static void answers(uint64_t token, unsigned code, const char *const lines[])
{
    for (size_t i = 0; lines[i] != NULL; i++) {
        struct bird_line line = line_of(code, lines[i]);
        line.code = i == 0 && code == BIRD_CODE_PROTOCOL_DETAIL ? BIRD_CODE_PROTOCOL : code;
        sessions_line(&sessions, token, &line);
    }
    sessions_end(&sessions, token, false, now_ms);
}

static const char *const up1_agreed[] = {"up1 BGP --- up 10:00:00.000  Established",
                                         "    Neighbor address: fe80::1%eth0",
                                         "    Neighbor AS:      64513",
                                         "    Local AS:         64512",
                                         "    Local capabilities",
                                         "      Graceful restart",
                                         "        Restart time: 120",
                                         "      Long-lived graceful restart",
                                         "        LL stale time: 3600",
                                         "    Neighbor capabilities",
                                         "      Graceful restart",
                                         "    Session:          external AS4",
                                         "    Hold timer:       1.000/90",
                                         "  Channel ipv4",
                                         NULL};
static const char *const nothing[] = {NULL};

TEST_WITH(details_are_asked_for_one_at_a_time_and_again_after_a_minute, start_asking, stop_asking)
{
    static const char *const bfd[] = {"bfd1:", "IP address Interface State Since Interval Timeout",
                                      "fe80::1 eth1 Down 10:00:00.000 0.1 0.5",
                                      "fe80::1 eth0 Up 10:00:00.000 0.1 0.5", NULL};
    look("+up1 -up2");
    assert_true(sessions_news(&sessions, now_ms, &news));
    uint64_t token = asks("show protocols all \"up1\"");
    asks_nothing();
    answers(token, BIRD_CODE_PROTOCOL_DETAIL, up1_agreed);
    answers(asks("show protocols all \"up2\""), BIRD_CODE_PROTOCOL_DETAIL, nothing);
    answers(asks("show bfd sessions"), BIRD_CODE_BFD, bfd);
    asks_nothing();
    assert_int_equal(sessions.all[0].bgp.hold_s, 90);
    assert_int_equal(session_restart_s(&sessions.all[0]), 120);
    assert_int_equal(session_stale_s(&sessions.all[0]), 0); // the neighbor does not know of it
    assert_string_equal(sessions.all[0].bfd, "Up");
    assert_string_equal(sessions.all[1].bfd, "");
    now_ms += 59999;
    asks_nothing();
    now_ms++;
    answers(asks("show protocols all \"up1\""), BIRD_CODE_PROTOCOL_DETAIL, up1_agreed);
    answers(asks("show protocols all \"up2\""), BIRD_CODE_PROTOCOL_DETAIL, nothing);
    answers(asks("show bfd sessions"), BIRD_CODE_BFD, nothing);
    assert_string_equal(sessions.all[0].bfd, "");
}

// BIRD 3.3.2's row of counters; the last is of routes that were exported.
static void exported(const char *row)
{
    const char *const lines[] = {"up1 BGP --- up 10:00:00.000  Established", "  Channel ipv4", row,
                                 NULL};
    answers(asks_often("show protocols all \"up1\""), BIRD_CODE_PROTOCOL_DETAIL, lines);
}

TEST_WITH(where_look_ups_are_dear_counters_tell_each_second_whether_exports_changed, start_asking,
          stop_asking)
{
    look("+up1");
    assert_true(sessions_news(&sessions, now_ms, &news));
    exported("      Export updates:     4          1          1          0    ---          0   7");
    answers(asks("show bfd sessions"), BIRD_CODE_BFD, nothing);
    asks_nothing();
    now_ms += 1000;
    asks_nothing();
    uint32_t before = sessions.all[0].exports;
    assert_int_not_equal(before, 0);
    exported("      Export updates:    99         55          1          0    ---          0   7");
    assert_int_equal(sessions.all[0].exports, before); // others' routes
    assert_int_equal(sessions.all[0].exports_ms, now_ms);
    now_ms += 1000;
    exported("      Export updates:    99         55          1          0    ---          0   8");
    assert_int_not_equal(sessions.all[0].exports, before);
    now_ms += 1000;
    exported("      Nothing of the kind");
    assert_int_equal(sessions.all[0].exports, 0);
}

TEST_WITH(a_session_that_changed_is_asked_about_soon_and_no_more_often_than_each_second,
          start_asking, stop_asking)
{
    look("+up1");
    assert_true(sessions_news(&sessions, now_ms, &news));
    answers(asks("show protocols all \"up1\""), BIRD_CODE_PROTOCOL_DETAIL, up1_agreed);
    answers(asks("show bfd sessions"), BIRD_CODE_BFD, nothing);
    now_ms += 200;
    look("-up1");
    assert_true(sessions_news(&sessions, now_ms, &news));
    assert_false(sessions.all[0].bgp.open); // what was agreed on is no more
    asks_nothing();
    now_ms += 800;
    sessions_end(&sessions, asks("show protocols all \"up1\""), true, now_ms);
    answers(asks("show bfd sessions"), BIRD_CODE_BFD, nothing);
}

static const char *const many_range[] = {
    "many BGP --- start 10:00:00.000  Passive", "  BGP state:          Passive",
    "    Neighbor range:   10.0.1.128/25", "  Channel ipv4", NULL};
static const char *const passive[] = {"pas BGP --- start 10:00:00.000  Passive",
                                      "  BGP state:          Passive",
                                      "    Neighbor address: 10.0.1.9", "  Channel ipv4", NULL};

TEST_WITH(a_range_of_neighbors_is_no_session, start_asking, stop_asking)
{
    sessions_begin(&sessions);
    row("many", "start", "Passive       ");
    row("pas", "start", "Passive       ");
    end();
    expect_nothing(); // it may be a session: its details tell
    answers(asks("show protocols all \"many\""), BIRD_CODE_PROTOCOL_DETAIL, many_range);
    expect_nothing();
    answers(asks("show protocols all \"pas\""), BIRD_CODE_PROTOCOL_DETAIL, passive);
    expect("0 of 1 BGP session is established: all but pas (start, Passive)", true);
    expect_nothing();
    assert_false(session_is_one(&sessions.all[0]));
    assert_true(session_is_one(&sessions.all[1]));
    look(""); // both are gone
    expect("BGP session pas is gone: BIRD has no such protocol any more", true);
    expect_nothing();
}

TEST_WITH(a_family_is_carried_by_sessions_that_have_a_channel_for_it, start_asking, stop_asking)
{
    look("+up1");
    assert_true(sessions_carry(&sessions, FAMILY_V6)); // nobody knows better yet
    assert_true(sessions_news(&sessions, now_ms, &news));
    answers(asks("show protocols all \"up1\""), BIRD_CODE_PROTOCOL_DETAIL, up1_agreed);
    assert_true(sessions_carry(&sessions, FAMILY_V4));
    assert_false(sessions_carry(&sessions, FAMILY_V6));
    look("-up1");
    assert_false(sessions_carry(&sessions, FAMILY_V4));
}

TEST_WITH(a_session_under_a_question_keeps_its_place, start_asking, stop_asking)
{
    look("+up1");
    assert_true(sessions_news(&sessions, now_ms, &news));
    uint64_t token = asks("show protocols all \"up1\"");
    look("");
    assert_true(sessions_news(&sessions, now_ms, &news));
    look("+up2");
    answers(token, BIRD_CODE_PROTOCOL_DETAIL, up1_agreed);
    assert_string_equal(sessions.all[0].name, "up1");
    assert_false(sessions.all[1].bgp_known);
    look("+up2 +up3");
    assert_string_equal(sessions.all[0].name, "up3");
    assert_false(sessions.all[0].bgp_known);
}

TEST_WITH(an_answer_about_a_session_that_there_is_none_of_is_nobodys, start_asking, stop_asking)
{
    look("+up1");
    assert_true(sessions_news(&sessions, now_ms, &news));
    (void)asks("show protocols all \"up1\"");
    struct sessions before = sessions;
    sessions_end(&sessions, order_token(ORDER_SESSION, 1, 0), false, now_ms);
    sessions_end(&sessions, order_token(ORDER_SESSION, ORDER_INDEX_MAX, 0), false, now_ms);
    before.asking = false;
    assert_memory_equal(&sessions, &before, sizeof before);
}

TEST(a_reload_keeps_what_is_known_of_sessions_that_are_still_watched)
{
    static struct sessions next;
    look("+up1 -up2");
    assert_true(sessions_news(&sessions, now_ms, &news));
    struct config *fewer = small_config("sessions = up2\n");
    memset(&next, 0, sizeof next);
    sessions_init(&next, fewer);
    sessions_take_over(&next, fewer, &sessions);
    sessions = next;
    config_free(config);
    config = fewer;
    assert_int_equal(sessions.count, 1);
    assert_true(sessions.all[0].named);
    expect_nothing();
    look("+up1 +up2");
    expect("BGP session up2 is established", false);
    expect_nothing();
}

TEST_WITH(a_change_of_exports_after_a_reload_has_a_number_that_none_had_before, start_asking,
          stop_asking)
{
    static struct sessions next;
    look("+up1");
    assert_true(sessions_news(&sessions, now_ms, &news));
    exported("      Export updates:     4          1          1          0    ---          0   7");
    answers(asks("show bfd sessions"), BIRD_CODE_BFD, nothing);
    uint32_t before = sessions.all[0].exports;
    memset(&next, 0, sizeof next);
    sessions_init(&next, config);
    sessions_take_over(&next, config, &sessions);
    sessions = next;
    assert_int_equal(sessions.all[0].exports, before);
    now_ms += 1000;
    exported("      Export updates:     4          1          1          0    ---          0   8");
    assert_int_not_equal(sessions.all[0].exports, before);
}
