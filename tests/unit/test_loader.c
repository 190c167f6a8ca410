// The loader: the one place from which BIRD is reconfigured, and when it is not.
#include "controller/core/loader.h"

#include "tests/unit/small_config.h"

#include <stdlib.h>

static struct config *config, *former_config;
static struct include include;
static struct loader loader;
static struct orders orders;
static uint64_t now_ms;

static int start(void **state)
{
    (void)state;
    config = small_config(PROBE("p") "[service dns]\nprefixes = 192.0.2.1/32\nrequire = p\n");
    former_config =
        small_config(PROBE("p") "[service dns]\nprefixes = 192.0.2.9/32\nrequire = p\n");
    assert_true(orders_init(&orders, 8));
    now_ms = 50000;
    return 0;
}

static int stop(void **state)
{
    (void)state;
    orders_free(&orders);
    include_clear(&include);
    config_free(config);
    config_free(former_config);
    return 0;
}

TEST_FIXTURE(start, stop);

static void begin(bool former, bool automatic)
{
    assert_true(include_init(&include, config, former ? birdconf_render(former_config) : NULL,
                             birdconf_render(config)));
    loader_init(&loader, &include, automatic);
}

static bool step(void)
{
    return loader_step(&loader, &orders, now_ms);
}

static void save(void)
{
    if (include_submit(&include, now_ms)) {
        include_saved(&include, include.submitted, NULL, now_ms);
    }
    step();
}

static void bird_has(const char *revision)
{
    loader_revision(&loader, revision, now_ms);
    step();
}

static void bird_answers(enum order_kind kind, unsigned code, const char *text)
{
    struct bird_line line = line_of(code, text);
    loader_reply_line(&loader, kind, &line);
    loader_reply_end(&loader, kind, true, code, now_ms);
}

// To `configure status`; then, if nothing is in the way, `configure` is said.
static void bird_is_at(unsigned code, const char *text)
{
    step();
    expect_order(&orders, "configure status");
    bird_answers(ORDER_UNDER_WAY, code, text);
    step();
}

static void nothing_is_under_way(void)
{
    bird_is_at(3, "Daemon is up and running");
}

static void expect_state(enum load_state state)
{
    assert_string_equal(load_name(loader.state), load_name(state));
}

static bool new_file_is_on_disk(void)
{
    return include_file(&include) == include.next;
}

static void refuse_the_check(void)
{
    bird_has("");
    save();
    expect_order(&orders, "configure check");
    bird_answers(ORDER_CHECK, 8002, "/etc/bird/bird.conf:7:3 syntax error");
}

TEST(a_new_file_is_saved_checked_and_configured_in_this_order)
{
    begin(true, true);
    step();
    expect_state(LOAD_WAITING);
    expect_no_order(&orders);
    bird_has(include.former->revision);
    expect_state(LOAD_SAVING);
    assert_true(new_file_is_on_disk());
    step();
    expect_no_order(&orders);
    save();
    expect_order(&orders, "configure check");
    expect_state(LOAD_CHECKING);
    step();
    expect_no_order(&orders);
    bird_answers(ORDER_CHECK, 20, "Configuration OK");
    step();
    expect_state(LOAD_ASKING);
    nothing_is_under_way();
    expect_order(&orders, "configure");
    step();
    expect_no_order(&orders);
    bird_answers(ORDER_CONFIGURE, 3, "Reconfigured");
    step();
    expect_state(LOAD_CONFIGURING);
    bird_has(include.next->revision);
    expect_state(LOAD_LOADED);
    assert_null(include.former);
    assert_true(new_file_is_on_disk());
    expect_no_order(&orders);
}

TEST(what_bird_has_already_is_not_configured_again)
{
    assert_true(include_init(&include, config, birdconf_render(config), birdconf_render(config)));
    loader_init(&loader, &include, true);
    assert_null(include.former);
    bird_has(include.next->revision);
    expect_state(LOAD_LOADED);
    save();
    expect_no_order(&orders);
}

TEST(a_refused_file_gives_way_to_the_former_one)
{
    begin(true, true);
    refuse_the_check();
    expect_state(LOAD_REFUSED);
    assert_false(new_file_is_on_disk());
    assert_non_null(include.former);
    assert_ptr_equal(include_file(&include), include.former);
    assert_false(include_is_saved(&include));
    assert_string_equal(loader.message, "/etc/bird/bird.conf:7:3 syntax error");
}

TEST(a_refused_file_without_a_former_one_is_removed)
{
    begin(false, true);
    refuse_the_check();
    assert_null(include_file(&include));
}

TEST(a_refusal_is_a_change_to_report)
{
    begin(true, true);
    refuse_the_check();
    assert_true(step());
    expect_state(LOAD_REFUSED);
    assert_false(step());
}

TEST(a_refused_configure_brings_the_former_file_back_as_well)
{
    begin(true, true);
    bird_has("");
    save();
    expect_order(&orders, "configure check");
    bird_answers(ORDER_CHECK, 20, "Configuration OK");
    nothing_is_under_way();
    expect_order(&orders, "configure");
    bird_answers(ORDER_CONFIGURE, 8002, "bird.conf: gone");
    expect_state(LOAD_REFUSED);
    assert_false(new_file_is_on_disk());
}

TEST(a_refusal_without_words_says_its_code)
{
    begin(true, true);
    bird_has("");
    save();
    loader_reply_end(&loader, ORDER_CHECK, true, 8007, now_ms);
    assert_string_equal(loader.message, "BIRD answered 8007");
}

TEST(what_was_refused_is_tried_again_after_five_seconds)
{
    begin(true, true);
    refuse_the_check();
    assert_int_equal(loader_next_ms(&loader), now_ms + 5000);
    save();
    now_ms += 4999;
    step();
    expect_state(LOAD_REFUSED);
    now_ms += 1;
    step();
    expect_state(LOAD_SAVING);
    assert_true(new_file_is_on_disk());
    expect_no_order(&orders);
    save();
    expect_order(&orders, "configure check");
    bird_answers(ORDER_CHECK, 20, "Configuration OK");
    nothing_is_under_way();
    expect_order(&orders, "configure");
}

TEST(configure_waits_until_the_present_state_is_on_disk)
{
    begin(true, true);
    bird_has("");
    save();
    expect_order(&orders, "configure check");
    include_set(&include, 0, TARGET_ANNOUNCE);
    bird_answers(ORDER_CHECK, 20, "Configuration OK");
    step();
    expect_no_order(&orders);
    save();
    expect_order(&orders, "configure status");
    include_set(&include, 0, TARGET_WITHDRAW);
    bird_answers(ORDER_UNDER_WAY, 3, "Daemon is up and running");
    step();
    expect_no_order(&orders);
    save();
    nothing_is_under_way();
    expect_order(&orders, "configure");
}

static void to_be_configured(void)
{
    begin(true, true);
    bird_has("");
    save();
    expect_order(&orders, "configure check");
    bird_answers(ORDER_CHECK, 20, "Configuration OK");
}

// A second one is the end of BIRD 3.3.2 (bird-facts 28).
TEST(configure_waits_for_another_one_that_is_under_way)
{
    static const unsigned codes[] = {BIRD_CODE_RECONFIGURING, BIRD_CODE_QUEUED,
                                     BIRD_CODE_SHUTTING_DOWN};
    to_be_configured();
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        bird_is_at(codes[i], "Reconfiguration in progress");
        expect_state(LOAD_ASKING);
        expect_no_order(&orders);
        assert_int_equal(loader_next_ms(&loader), now_ms + 100);
        now_ms += 100;
    }
    nothing_is_under_way();
    expect_order(&orders, "configure");
}

TEST(somebodys_configure_timeout_is_not_confirmed_by_ours)
{
    to_be_configured();
    step();
    expect_order(&orders, "configure status");
    struct bird_line lines[] = {
        line_of(BIRD_CODE_RECONFIGURING, "Reconfiguration in progress"),
        line_of(BIRD_CODE_UNCONFIRMED, "Configuration unconfirmed, undo in 49.898 s"),
    };
    loader_reply_line(&loader, ORDER_UNDER_WAY, &lines[0]);
    loader_reply_line(&loader, ORDER_UNDER_WAY, &lines[1]);
    loader_reply_end(&loader, ORDER_UNDER_WAY, true, 0, now_ms);
    expect_state(LOAD_UNCONFIRMED);
    assert_true(step());
    now_ms += 600000; // nor when it was undone: that would bring it back
    step();
    expect_no_order(&orders);
    bird_has(include.next->revision);
    expect_state(LOAD_LOADED);
}

TEST(who_can_t_be_asked_what_is_under_way_is_configured)
{
    to_be_configured();
    bird_is_at(9001, "syntax error");
    expect_order(&orders, "configure");
}

TEST(without_an_include_line_it_says_so_after_two_seconds)
{
    begin(true, true);
    bird_has("");
    save();
    expect_order(&orders, "configure check");
    bird_answers(ORDER_CHECK, 20, "Configuration OK");
    nothing_is_under_way();
    bird_answers(ORDER_CONFIGURE, 4, "Reconfiguration in progress");
    assert_true(loader_next_ms(&loader) == UINT64_MAX); // nothing to do before BIRD says more
    bird_has("");
    expect_state(LOAD_CONFIGURING);
    assert_int_equal(loader_next_ms(&loader), now_ms + 2000);
    now_ms += 2000;
    step();
    expect_state(LOAD_NOT_INCLUDED);
    bird_has(include.next->revision);
    expect_state(LOAD_LOADED);
}

TEST(an_include_line_that_brings_an_older_file_leads_to_the_new_one)
{
    to_be_configured();
    step();
    nothing_is_under_way();
    expect_order(&orders, "configure");
    bird_answers(ORDER_CONFIGURE, 3, "Reconfigured");
    now_ms += 2000;
    bird_has("");
    expect_state(LOAD_NOT_INCLUDED);
    bird_has("0123456789abcdef");
    expect_state(LOAD_SAVING);
    save();
    expect_order(&orders, "configure check");
    bird_answers(ORDER_CHECK, 20, "Configuration OK");
    step();
    nothing_is_under_way();
    expect_order(&orders, "configure");
    bird_answers(ORDER_CONFIGURE, 3, "Reconfigured");
    now_ms += 2000;
    bird_has("0123456789abcdef"); // BIRD reads another file than ours: that is not tried for ever
    expect_state(LOAD_NOT_INCLUDED);
    bird_has("0123456789abcdef");
    expect_state(LOAD_NOT_INCLUDED);
}

TEST(by_hand_the_file_is_written_and_bird_is_left_alone)
{
    begin(true, false);
    bird_has(include.former->revision);
    expect_state(LOAD_BY_HAND);
    assert_true(new_file_is_on_disk());
    save();
    expect_no_order(&orders);
    bird_has(include.next->revision);
    expect_state(LOAD_LOADED);
}

TEST(somebodys_configure_with_the_new_file_is_as_good_as_ours)
{
    begin(true, true);
    bird_has(include.former->revision);
    expect_state(LOAD_SAVING);
    bird_has(include.next->revision);
    expect_state(LOAD_LOADED);
    save();
    expect_no_order(&orders);
}

TEST(somebodys_configure_with_another_file_is_put_right)
{
    begin(true, true);
    bird_has(include.next->revision);
    expect_state(LOAD_LOADED);
    bird_has("0123456789abcdef");
    expect_state(LOAD_SAVING);
    save();
    expect_order(&orders, "configure check");
}

TEST(what_bird_once_had_loaded_stays_on_disk_though_refused)
{
    begin(true, true);
    bird_has(include.next->revision);
    refuse_the_check();
    expect_state(LOAD_REFUSED);
    assert_true(new_file_is_on_disk());
}

TEST(a_lost_link_in_the_middle_starts_over)
{
    begin(true, true);
    bird_has("");
    save();
    expect_order(&orders, "configure check");
    loader_link(&loader);
    loader_reply_end(&loader, ORDER_CHECK, false, 0, now_ms);
    expect_state(LOAD_WAITING);
    step();
    expect_no_order(&orders);
    bird_has("");
    save();
    expect_order(&orders, "configure check");
}
