// What a start finds of before, and that a damaged ledger drains everything.
#include "base/clock.h"
#include "controller/daemon/birdconf_file.h"
#include "controller/daemon/state_files.h"

#include "tests/unit/small_config.h"

#include <dirent.h>
#include <stdlib.h>
#include <unistd.h>

enum { DNS, WEB };

static char directory[64];
static char message[ERROR_MAX];
static struct config *config;
static struct events *events;
static struct past past;
static char boot_id[64];
static struct ledger_place place;

static int start(void **state)
{
    (void)state;
    place = (struct ledger_place){.stamped = true}; // no stamps left behind
    strcpy(directory, "/tmp/test_past.XXXXXX");
    assert_non_null(mkdtemp(directory));
    config = small_config(PROBE("p") "[service dns]\nprefixes = 192.0.2.1/32\nrequire = p\n"
                                     "[service web]\nprefixes = 192.0.2.2/32\nrequire = p\n");
    snprintf(config->pop.state_dir, sizeof config->pop.state_dir, "%s", directory);
    snprintf(config->pop.runtime_dir, sizeof config->pop.runtime_dir, "%s", directory);
    events = calloc(1, sizeof *events);
    assert_non_null(events);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    DIR *entries = opendir(directory);
    const struct dirent *entry;
    while ((entry = readdir(entries)) != NULL) {
        char path[512];
        snprintf(path, sizeof path, "%s/%s", directory, entry->d_name);
        unlink(path);
    }
    closedir(entries);
    past_clear(&past);
    config_free(config);
    free(events);
    return rmdir(directory);
}

TEST_FIXTURE(start, stop);

static void put_file(const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void look_back(void)
{
    assert_true(
        state_files_read(&past, &place, config, events, boot_id, 1000000000000, clock_wall_ms()));
}

TEST(the_first_start_finds_nothing_and_drains_nothing)
{
    look_back();
    assert_int_equal(past.intents[DNS].kind, INTENT_AUTO);
    assert_int_equal(past.recent[DNS], 0);
    assert_null(past.former);
    assert_false(past.same_boot);
    assert_false(past.ledger_damaged);
    assert_int_equal(events_end(events), 1);
}

TEST(an_unreadable_boot_id_is_said)
{
    struct past unknown = {.boot_unknown = true};
    assert_true(past_make(&unknown, config, events, 1000000000000, clock_wall_ms()));
    assert_int_equal(events_end(events), 2);
    assert_true(events_get(events, 1)->warning);
    assert_non_null(strstr(events_get(events, 1)->text, "every restart counts as a reboot"));
    past_clear(&unknown);
}

TEST(a_damaged_ledger_drains_every_service_and_says_so)
{
    put_file(LEDGER_FILE, "{\"version\": 1, \"services\": {\"dns\": {\"intent\": \"iso");
    look_back();
    assert_true(past.ledger_damaged);
    for (size_t i = DNS; i <= WEB; i++) {
        assert_int_equal(past.intents[i].kind, INTENT_DRAIN);
        assert_int_equal(past.intents[i].grace_ms, 0);
        assert_int_equal(past.intents[i].until_ms, 0);
        assert_true(past.intents[i].reason[0] != '\0');
        assert_non_null(ledger_find(&past.ledger, config->services[i].name));
    }
    assert_true(events_get(events, 1)->warning);
    assert_non_null(strstr(events_get(events, 1)->text, "every service is drained"));
}

TEST(an_intent_comes_back_with_monotonic_times)
{
    struct ledger ledger = {0};
    struct intent intent = {.kind = INTENT_ISOLATE, .since_wall_ms = clock_wall_ms() - 60000};
    assert_true(ledger_put(&ledger, "web", &intent));
    char *text = ledger_text(&ledger);
    assert_int_equal(ledger_save(directory, &place, text, message), 0);
    free(text);
    ledger_clear(&ledger);
    look_back();
    assert_int_equal(past.intents[DNS].kind, INTENT_AUTO);
    assert_int_equal(past.intents[WEB].kind, INTENT_ISOLATE);
    assert_in_range(past.intents[WEB].since_ms, 1, 1000000 - 60000);
}

static bool fits(const char *path)
{
    message[0] = '\0';
    return state_files_fit(path, message);
}

TEST(a_directory_that_is_none_or_cannot_be_written_into_is_said_to_be_that)
{
    char path[128];
    assert_true(fits(directory));
    snprintf(path, sizeof path, "%s/none", directory);
    assert_false(fits(path));
    assert_non_null(strstr(message, "/none: No such file or directory"));
    assert_false(fits("/dev/null"));
    assert_string_equal(message, "/dev/null: Not a directory");
    assert_false(fits("/proc/self")); // not even root
    assert_non_null(strstr(message, "can't write into /proc/self: "));
}

TEST(withdrawals_are_remembered_within_a_boot_only)
{
    struct boot_entry entry = {.service = "web", .recent = 3};
    struct boot_memory memory = {.entries = &entry, .count = 1};
    char id[64];
    assert_true(boot_id_read(id));
    char *text = boot_memory_text(&memory, id);
    assert_int_equal(boot_memory_save(directory, text, message), 0);
    free(text);
    look_back();
    assert_true(past.same_boot);
    assert_int_equal(past.recent[DNS], 0);
    assert_int_equal(past.recent[WEB], 3);
    past_clear(&past);
    text = boot_memory_text(&memory, "00000000-0000-0000-0000-000000000000");
    assert_int_equal(boot_memory_save(directory, text, message), 0);
    free(text);
    look_back();
    assert_false(past.same_boot);
    assert_int_equal(past.recent[WEB], 0);
}

TEST(an_include_file_of_ours_is_found_and_a_foreign_one_told)
{
    struct birdconf *conf = birdconf_render(config);
    assert_int_equal(birdconf_save(directory, conf->text, conf->length, message), 0);
    look_back();
    assert_string_equal(past.former->revision, conf->revision);
    birdconf_free(conf);
    past_clear(&past);
    put_file("bird.conf", "# by hand\n");
    look_back();
    assert_null(past.former);
    assert_non_null(strstr(events_get(events, 1)->text, "nothing is taken over"));
}
