// The include file on disk: what should be there, and what is known to be.
#include "controller/core/include.h"

#include "tests/unit/small_config.h"

enum { DNS, WEB };

#define DNS_SERVICE "[service dns]\nprefixes = 192.0.2.1/32 2001:db8::1/128\nrequire = p\n"
#define WEB_SERVICE "[service web]\nprefixes = 192.0.2.2/32\nrequire = p\n"
#define NEW_WEB     "[service web]\nprefixes = 192.0.2.3/32\nrequire = p\n"

static struct config *config, *former_config;
static struct include include;
static uint64_t now_ms;

static int start(void **state)
{
    (void)state;
    config = small_config(PROBE("p") DNS_SERVICE NEW_WEB);
    former_config = small_config(PROBE("p") WEB_SERVICE "[service old]\nprefixes = 192.0.2.9/32\n"
                                                        "require = p\n");
    now_ms = 1000;
    return 0;
}

static int stop(void **state)
{
    (void)state;
    include_clear(&include);
    config_free(config);
    config_free(former_config);
    return 0;
}

TEST_FIXTURE(start, stop);

static void begin(void)
{
    assert_true(include_init(&include, config, NULL, birdconf_render(config)));
}

// With "popgate_old_v4" and "popgate_web_v4" on in the former file.
static void begin_after_another(void)
{
    struct birdconf *former = birdconf_render(former_config);
    assert_true(birdconf_set(former, "popgate_old_v4", true));
    assert_true(birdconf_set(former, "popgate_web_v4", true));
    assert_true(include_init(&include, config, former, birdconf_render(config)));
}

static void save(const char *error)
{
    assert_true(include_submit(&include, now_ms));
    include_saved(&include, include.submitted, error, now_ms);
}

// The patch is of these protocols; "" none.
static void expect_patch(const char *names)
{
    size_t slots[INCLUDE_PATCH_MAX];
    size_t count = include_take_patch(&include, slots);
    char text[1024] = "";
    for (size_t i = 0; i < count; i++) {
        size_t used = strlen(text);
        snprintf(text + used, sizeof text - used, "%s%s", i > 0 ? " " : "",
                 include_file(&include)->slots[slots[i]].protocol);
    }
    assert_string_equal(text, names);
}

static bool is_on(const struct birdconf *file, const char *protocol)
{
    return birdconf_get(file, protocol);
}

TEST(a_change_is_submitted_once_and_saved_when_the_disk_says_so)
{
    begin();
    save(NULL);
    assert_true(include_is_saved(&include));
    assert_false(include_submit(&include, now_ms));
    include_set(&include, DNS, TARGET_ANNOUNCE);
    assert_false(include_is_saved(&include));
    assert_true(include_submit(&include, now_ms));
    assert_false(include_submit(&include, now_ms));
    assert_false(include_is_saved(&include));
    include_saved(&include, include.submitted, NULL, now_ms);
    assert_true(include_is_saved(&include));
}

TEST(what_changes_while_a_save_is_under_way_is_another_one)
{
    begin();
    assert_true(include_submit(&include, now_ms));
    uint64_t first = include.submitted;
    include_set(&include, DNS, TARGET_ANNOUNCE);
    include_saved(&include, first, NULL, now_ms);
    assert_false(include_is_saved(&include));
    save(NULL);
    assert_true(include_is_saved(&include));
}

TEST(setting_what_is_so_already_changes_nothing)
{
    begin();
    include_set(&include, DNS, TARGET_WITHDRAW);
    include_set(&include, WEB, TARGET_ANNOUNCE);
    save(NULL);
    include_set(&include, DNS, TARGET_WITHDRAW);
    include_set(&include, WEB, TARGET_ANNOUNCE);
    assert_false(include_submit(&include, now_ms));
}

TEST(a_target_switches_its_leg_in_every_family)
{
    begin();
    include_set(&include, DNS, TARGET_ANNOUNCE);
    assert_true(is_on(include.next, "popgate_dns_v4") && is_on(include.next, "popgate_dns_v6"));
    include_set(&include, DNS, TARGET_DEPREFERENCE);
    assert_true(is_on(include.next, "popgate_dns_v4_drain"));
    assert_true(is_on(include.next, "popgate_dns_v6_drain"));
    assert_false(is_on(include.next, "popgate_dns_v4") || is_on(include.next, "popgate_dns_v6"));
    assert_false(is_on(include.next, "popgate_web_v4"));
}

TEST(only_a_withdrawal_is_patched_and_once)
{
    begin();
    include_set(&include, DNS, TARGET_ANNOUNCE);
    include_set(&include, WEB, TARGET_ANNOUNCE);
    expect_patch("");
    include_set(&include, DNS, TARGET_WITHDRAW);
    expect_patch("popgate_dns_v4 popgate_dns_v6");
    expect_patch("");
    assert_true(include_submit(&include, now_ms)); // the whole follows
}

TEST(where_the_twin_takes_over_nothing_is_patched)
{
    begin();
    include_set(&include, DNS, TARGET_ANNOUNCE);
    include_set(&include, WEB, TARGET_ANNOUNCE);
    include_set(&include, WEB, TARGET_WITHDRAW);
    include_set(&include, DNS, TARGET_DEPREFERENCE);
    expect_patch("popgate_web_v4");
}

TEST(who_is_withdrawn_at_once_with_a_hundred_others_is_patched_as_they_are)
{
    size_t slots[INCLUDE_PATCH_MAX];
    begin();
    for (unsigned i = 0; i < 50; i++) {
        include_set(&include, DNS, TARGET_ANNOUNCE);
        include_set(&include, DNS, TARGET_WITHDRAW);
    }
    assert_int_equal(include_take_patch(&include, slots), 100); // of two families
}

TEST(too_many_patches_are_none)
{
    begin();
    for (unsigned i = 0; i <= INCLUDE_PATCH_MAX / 2; i++) {
        include_set(&include, DNS, TARGET_ANNOUNCE);
        include_set(&include, DNS, TARGET_WITHDRAW);
    }
    expect_patch("");
    include_set(&include, DNS, TARGET_ANNOUNCE);
    include_set(&include, DNS, TARGET_WITHDRAW);
    expect_patch("popgate_dns_v4 popgate_dns_v6");
}

TEST(the_former_file_is_kept_in_step_and_may_be_put_back)
{
    begin_after_another();
    assert_ptr_equal(include_file(&include), include.former);
    assert_false(is_on(include.former, "popgate_old_v4"));
    assert_false(is_on(include.former, "popgate_web_v4"));
    include_set(&include, WEB, TARGET_ANNOUNCE);
    assert_true(is_on(include.former, "popgate_web_v4"));
    assert_true(is_on(include.next, "popgate_web_v4"));
    save(NULL);
    include_put(&include, true);
    assert_ptr_equal(include_file(&include), include.next);
    save(NULL);
    include_set(&include, DNS, TARGET_ANNOUNCE);
    include_set(&include, WEB, TARGET_WITHDRAW);
    include_put(&include, false);
    assert_false(is_on(include_file(&include), "popgate_web_v4"));
    expect_patch(""); // they were of the other file
    assert_true(include_submit(&include, now_ms));
}

TEST(what_only_the_file_that_is_not_wanted_has_is_no_change)
{
    begin_after_another();
    save(NULL);
    include_set(&include, DNS, TARGET_ANNOUNCE);
    assert_false(include_submit(&include, now_ms));
    include_set(&include, DNS, TARGET_WITHDRAW);
    expect_patch("");
}

TEST(once_settled_there_is_no_former_file)
{
    begin_after_another();
    include_settle(&include);
    assert_null(include.former);
    include_put(&include, false);
    assert_null(include_file(&include));
}

TEST(the_same_file_as_before_is_not_kept_twice)
{
    struct birdconf *former = birdconf_render(config);
    birdconf_set(former, "popgate_dns_v4", true);
    assert_true(include_init(&include, config, former, birdconf_render(config)));
    assert_null(include.former);
    assert_true(include.next_was_former);
    assert_ptr_equal(include_file(&include), include.next);
}

TEST(a_failed_save_is_tried_again_after_a_while)
{
    begin();
    save("no space left");
    assert_false(include_is_saved(&include));
    assert_int_equal(include.tried, include.submitted);
    assert_true(include_next_ms(&include) == now_ms + INCLUDE_RETRY_MS);
    now_ms += INCLUDE_RETRY_MS - 1;
    assert_false(include_submit(&include, now_ms));
    now_ms++;
    assert_true(include_submit(&include, now_ms));
    assert_false(include_submit(&include, now_ms));
    assert_true(include_next_ms(&include) == UINT64_MAX);
    assert_string_equal(include.trouble, "no space left"); // until it is known to be well
    include_saved(&include, include.submitted, NULL, now_ms);
    assert_string_equal(include.trouble, "");
    assert_true(include_is_saved(&include));
    assert_true(include_next_ms(&include) == UINT64_MAX);
}

TEST(after_a_failed_save_a_change_does_not_wait)
{
    begin();
    save("no space left");
    include_set(&include, DNS, TARGET_ANNOUNCE);
    save(NULL);
    assert_true(include_is_saved(&include));
}

TEST(what_somebody_else_wrote_over_is_written_again)
{
    begin();
    save(NULL);
    include_write_again(&include);
    assert_false(include_is_saved(&include));
    save(NULL);
}

// ---- Reload

enum { OLD_WEB, OLD_OLD };
static const size_t before[] = {[DNS] = SIZE_MAX, [WEB] = OLD_WEB};
static const size_t after[] = {[OLD_WEB] = WEB, [OLD_OLD] = SIZE_MAX};

static void prepare_after(const struct include *old)
{
    assert_true(include_prepare(&include, config, birdconf_render(config), old, before));
}

TEST(what_is_on_disk_goes_on_without_the_services_that_are_gone)
{
    struct include old;
    assert_true(include_init(&old, former_config, NULL, birdconf_render(former_config)));
    include_set(&old, OLD_WEB, TARGET_ANNOUNCE);
    prepare_after(&old);
    include_set(&old, OLD_OLD, TARGET_ANNOUNCE); // while the new one is prepared
    const struct birdconf *file = include_file(&old);
    include_take_over(&include, &old, before, after);
    include_clear(&old);
    assert_ptr_equal(include_file(&include), file);
    assert_true(birdconf_get(file, "popgate_web_v4"));
    assert_false(birdconf_get(file, "popgate_old_v4"));
    assert_false(birdconf_get(include.next, "popgate_web_v4")); // until it is set
    include_keep(&include, WEB, TARGET_ANNOUNCE);
    assert_true(birdconf_get(include.next, "popgate_web_v4"));
    assert_true(birdconf_get(file, "popgate_web_v4"));
    include_set(&include, WEB, TARGET_WITHDRAW);
    assert_false(birdconf_get(file, "popgate_web_v4"));
    assert_false(birdconf_get(include.next, "popgate_web_v4"));
    expect_patch("popgate_web_v4");
}

// BIRD has refused the file of the configuration before: the one before that is on disk still, and
// knows a service that is back.
TEST(a_file_that_was_put_back_is_kept_in_step_by_the_next_configuration)
{
    struct include old;
    struct birdconf *first = birdconf_render(config);
    assert_true(birdconf_set(first, "popgate_web_v4", true));
    assert_true(include_init(&old, former_config, first, birdconf_render(former_config)));
    include_set(&old, OLD_WEB, TARGET_ANNOUNCE);
    prepare_after(&old);
    include_take_over(&include, &old, before, after);
    include_clear(&old);
    assert_true(include.next_was_former); // the first one's revision
    include_keep(&include, WEB, TARGET_ANNOUNCE);
    include_set(&include, DNS, TARGET_DEPREFERENCE);
    assert_true(birdconf_get(include_file(&include), "popgate_web_v4"));
    assert_true(birdconf_get(include_file(&include), "popgate_dns_v6_drain"));
}

TEST(what_only_a_file_that_was_put_back_knows_is_kept_in_step_too)
{
    struct include old;
    struct config *third = small_config(PROBE("p") DNS_SERVICE WEB_SERVICE);
    assert_true(
        include_init(&old, former_config, birdconf_render(config), birdconf_render(former_config)));
    assert_true(include_prepare(&include, third, birdconf_render(third), &old, before));
    include_take_over(&include, &old, before, after);
    include_clear(&old);
    assert_ptr_equal(include_file(&include), include.former);
    include_set(&include, DNS, TARGET_ANNOUNCE); // which the configuration before did not have
    assert_true(birdconf_get(include.former, "popgate_dns_v4"));
    assert_true(birdconf_get(include.former, "popgate_dns_v6"));
    assert_true(birdconf_get(include.next, "popgate_dns_v4"));
    include_clear(&include);
    config_free(third);
}

TEST(a_reload_counts_on_from_the_save_under_way)
{
    struct include old;
    assert_true(include_init(&old, former_config, NULL, birdconf_render(former_config)));
    include_write_again(&old);
    assert_true(include_submit(&old, now_ms));
    prepare_after(&old);
    include_take_over(&include, &old, before, after);
    uint64_t under_way = old.submitted;
    include_clear(&old);
    include_saved(&include, under_way, NULL, now_ms);
    assert_false(include_is_saved(&include));
    assert_true(include_submit(&include, now_ms));
    assert_true(include.submitted > under_way);
}
