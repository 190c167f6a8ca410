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
