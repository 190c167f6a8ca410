// Steps of the wall clock while popgated runs: what has an end ends when it would have, and a
// restart finds it so.
#include "tests/unit/change_fixture.h"

TEST_FIXTURE(start, stop);

#define HOUR_MS UINT64_C(3600000)

static const uint64_t steps_ms[] = {HOUR_MS, -HOUR_MS, 1001, (uint64_t)-1001};

// Without a grace, which would be timed, too.
static void drain_for(size_t service, uint64_t for_ms)
{
    struct change change = {.verb = VERB_DRAIN,
                            .services = &service,
                            .service_count = 1,
                            .for_ms = for_ms,
                            .has_grace = true,
                            .force = true};
    assert_int_equal(ask(&first, &change), OUTCOME_WAITS);
    save_ends(NULL);
    answered(&first, OUTCOME_DONE);
}

// What a restart would make of the ledger as it is on disk.
static struct intent found_again(const char *service)
{
    struct ledger ledger = {0};
    char message[ERROR_MAX];
    assert_true(ledger_parse(saved, strlen(saved), &ledger, message));
    const struct ledger_entry *entry = ledger_find(&ledger, service);
    assert_non_null(entry);
    struct intent intent = entry->intent;
    intent_from_wall(&intent, now_ns / NS_PER_MS, wall_ms());
    ledger_clear(&ledger);
    return intent;
}

static void assert_saved_again(unsigned before)
{
    assert_int_equal(saves, before + 1);
    save_ends(NULL);
    assert_idle();
}

#define WITHOUT_TOKEN PROBE("p") "[service dns]\nprefixes = 192.0.2.53/32\nrequire = p\n"
#define WITH_TOKEN    WITHOUT_TOKEN "[service token]\nprefixes = 198.51.100.1/32\nrequire = p\n"

TEST(a_drain_ends_when_it_was_to_end_though_the_clock_steps_and_popgated_restarts)
{
    for (size_t i = 0; i < sizeof steps_ms / sizeof *steps_ms; i++) {
        drain_for(TOKEN, 2 * HOUR_MS);
        uint64_t until_ms = now_ns / NS_PER_MS + 2 * HOUR_MS;
        unsigned before = saves;
        pass_ms(1000);
        stepped_ms += steps_ms[i];
        step();
        assert_saved_again(before);
        pass_ms(3000);
        assert_int_equal(found_again("token").until_ms, until_ms);
        assert_int_equal(fixture->core->services[TOKEN].intent.until_ms, until_ms);
        assert_int_equal(fixture->core->services[TOKEN].intent.until_wall_ms,
                         wall_ms() + 2 * HOUR_MS - 4000);
        submit(&second, VERB_UNDRAIN, TOKEN);
        save_ends(NULL);
    }
}

TEST(and_its_grace_is_neither_cut_short_nor_given_again)
{
    for (size_t i = 0; i < sizeof steps_ms / sizeof *steps_ms; i++) {
        uint64_t since_ms = now_ns / NS_PER_MS;
        force_drain(&first, TOKEN);
        save_ends(NULL);
        pass_ms(1000);
        stepped_ms += steps_ms[i];
        step();
        save_ends(NULL);
        struct intent found = found_again("token");
        assert_int_equal(found.since_ms, since_ms);
        assert_int_equal(found.grace_ms, fixture->config->services[TOKEN].grace_ms);
        submit(&second, VERB_UNDRAIN, TOKEN);
        save_ends(NULL);
        pass_ms(1000);
    }
}

TEST(what_is_kept_for_a_service_that_is_gone_ends_then_too)
{
    drain_for(TOKEN, 2 * HOUR_MS);
    uint64_t until_ms = now_ns / NS_PER_MS + 2 * HOUR_MS;
    reload_with(WITHOUT_TOKEN);
    unsigned before = saves;
    stepped_ms = 3 * HOUR_MS;
    step();
    assert_saved_again(before);
    assert_int_equal(found_again("token").until_ms, until_ms);
    reload_with(WITH_TOKEN);
    assert_int_equal(intent_of(TOKEN), INTENT_DRAIN);
    assert_int_equal(fixture->core->services[TOKEN].intent.until_ms, until_ms);
}

// A clock that is wrong at boot, and is put right: an end of before counts from the boot, at most
// for its whole length.
TEST(so_does_what_the_ledger_had_of_before_the_start)
{
    struct ledger ledger = {0};
    struct intent kept = {.kind = INTENT_DRAIN,
                          .since_wall_ms = FIXTURE_WALL_MS + 20 * HOUR_MS,
                          .until_wall_ms = FIXTURE_WALL_MS + 22 * HOUR_MS};
    assert_true(ledger_put(&ledger, "token", &kept));
    reload_with(WITHOUT_TOKEN);
    changes_free(changes);
    changes = changes_new(&ledger, now_ns, wall_ms());
    assert_non_null(changes);
    stepped_ms = 20 * HOUR_MS;
    reload_with(WITH_TOKEN); // the first that looks at the clock
    assert_int_equal(fixture->core->services[TOKEN].intent.until_ms,
                     FIXTURE_NOW_NS / NS_PER_MS + 2 * HOUR_MS);
    assert_int_equal(found_again("token").until_ms, FIXTURE_NOW_NS / NS_PER_MS + 2 * HOUR_MS);
}

TEST(a_step_that_a_reload_is_the_first_to_see_is_written_down)
{
    drain_for(TOKEN, 2 * HOUR_MS);
    uint64_t until_ms = now_ns / NS_PER_MS + 2 * HOUR_MS;
    unsigned before = saves;
    stepped_ms = HOUR_MS;
    reload_with(WITHOUT_TOKEN);
    assert_saved_again(before);
    assert_int_equal(found_again("token").until_ms, until_ms);
}

TEST(a_step_in_mid_save_is_written_down_after_that)
{
    size_t service = TOKEN;
    struct change change = {.verb = VERB_DRAIN,
                            .services = &service,
                            .service_count = 1,
                            .for_ms = 2 * HOUR_MS,
                            .force = true};
    assert_int_equal(ask(&first, &change), OUTCOME_WAITS);
    unsigned before = saves;
    stepped_ms = HOUR_MS;
    pass_ms(10);
    save_ends(NULL);
    answered(&first, OUTCOME_DONE);
    assert_saved_again(before);
    assert_int_equal(found_again("token").until_ms, fixture->core->services[TOKEN].intent.until_ms);
}

TEST(what_is_found_after_a_step_is_read_by_the_clock_as_it_is_now)
{
    struct ledger found = {0};
    struct intent intent = {.kind = INTENT_DRAIN,
                            .since_wall_ms = FIXTURE_WALL_MS + HOUR_MS,
                            .until_wall_ms = FIXTURE_WALL_MS + 2 * HOUR_MS};
    assert_true(ledger_put(&found, "elsewhere", &intent));
    changes_sync(changes);
    step();
    stepped_ms = HOUR_MS;
    changes_found(changes, fixture->core, &found, now_ns, wall_ms());
    save_ends("there was a ledger; it is read now");
    ledger_clear(&found);
    pass_ms(1000);
    step();
    assert_int_equal(found_again("elsewhere").until_ms, FIXTURE_NOW_NS / NS_PER_MS + HOUR_MS);
}

TEST(a_slip_of_a_second_is_not_worth_a_save_nor_is_a_step_when_nothing_ends)
{
    unsigned before = saves;
    stepped_ms = HOUR_MS;
    step();
    assert_int_equal(saves, before);
    drain_for(TOKEN, 2 * HOUR_MS);
    before = saves;
    stepped_ms += 1000;
    step();
    assert_int_equal(saves, before);
    stepped_ms += 1; // but many of them are
    step();
    assert_saved_again(before);
}

// popgated starts anew, and finds what was written last or, as nothing was, that of the token
// service.
static void restart_with(const struct intent *kept)
{
    struct ledger ledger = {0};
    char message[ERROR_MAX];
    if (saved[0] == '\0') {
        assert_true(ledger_put(&ledger, "token", kept));
    } else {
        assert_true(ledger_parse(saved, strlen(saved), &ledger, message));
    }
    struct intent intent = ledger_find(&ledger, "token")->intent;
    intent_from_wall(&intent, now_ns / NS_PER_MS, wall_ms());
    put_intent(fixture->core, TOKEN, &intent, "found", now_ns);
    changes_free(changes);
    changes = changes_new(&ledger, now_ns, wall_ms());
    assert_non_null(changes);
    step();
}

// The clock was stepped back while popgated did not run, and is behind for long.
TEST(of_a_drain_of_the_future_no_restart_gives_the_grace_again)
{
    struct intent kept = {
        .kind = INTENT_DRAIN, .since_wall_ms = FIXTURE_WALL_MS + 10000, .grace_ms = 30000};
    restart_with(&kept);
    assert_int_equal(target_of(TOKEN), TARGET_WITHDRAW);
    save_ends(NULL);
    pass_ms(20000); // the clock has come to where the grace would still last
    restart_with(&kept);
    assert_int_equal(target_of(TOKEN), TARGET_WITHDRAW);
    pass_ms(1000);
    assert_int_equal(target_of(TOKEN), TARGET_WITHDRAW);
}

TEST(nor_does_any_make_it_last_longer)
{
    struct intent kept = {.kind = INTENT_DRAIN,
                          .since_wall_ms = FIXTURE_WALL_MS + 20 * HOUR_MS,
                          .until_wall_ms = FIXTURE_WALL_MS + 22 * HOUR_MS};
    restart_with(&kept);
    save_ends(NULL);
    for (unsigned i = 0; i < 3; i++) {
        pass_ms(HOUR_MS / 2);
        restart_with(&kept);
        assert_idle(); // nothing to be written any more
    }
    assert_int_equal(fixture->core->services[TOKEN].intent.until_ms,
                     FIXTURE_NOW_NS / NS_PER_MS + 2 * HOUR_MS);
}

TEST(what_ends_at_no_time_needs_no_writing)
{
    struct intent kept = {.kind = INTENT_DRAIN, .since_wall_ms = FIXTURE_WALL_MS + HOUR_MS};
    restart_with(&kept);
    assert_int_equal(saves, 0);
    assert_int_equal(fixture->core->services[TOKEN].intent.since_wall_ms, kept.since_wall_ms);
}

// What began before the boot: whatever writes the ledger, and however often it is read.
TEST(of_a_drain_of_before_the_boot_no_restart_shortens_the_grace)
{
    const uint64_t up_ms = FIXTURE_NOW_NS / NS_PER_MS;
    struct intent kept = {.kind = INTENT_DRAIN,
                          .since_wall_ms = FIXTURE_WALL_MS - up_ms - 60000,
                          .grace_ms = up_ms + 100000};
    restart_with(&kept);
    for (unsigned i = 0; i < 3; i++) {
        changes_sync(changes);
        step();
        save_ends(NULL);
        pass_ms(10000);
        restart_with(&kept);
    }
    const struct intent *intent = &fixture->core->services[TOKEN].intent;
    assert_int_equal(intent->since_wall_ms, kept.since_wall_ms);
    assert_int_equal(intent_next_ms(intent, now_ns / NS_PER_MS), up_ms + 40000);
    pass_ms(9999);
    assert_int_equal(target_of(TOKEN), TARGET_DEPREFERENCE);
    pass_ms(1);
    assert_int_equal(target_of(TOKEN), TARGET_WITHDRAW);
}

// A clock that says 1970 gives no end the time that stands for none.
TEST(an_end_before_the_epoch_stays_an_end)
{
    struct intent intent = {.kind = INTENT_PIN, .since_ms = 1000, .until_ms = 2000};
    intent_to_wall(&intent, 90000, 5000);
    assert_int_equal(intent.until_wall_ms, 1);
}
