// The ledger: what was put in comes back, and whatever is not wholly understood counts as damaged.
#include "controller/daemon/state_files.h"

#include "tests/test.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static const char drained_text[] = "{\"version\":1,\"services\":{}}";

static char directory[64];
static char message[ERROR_MAX];
static struct ledger_place place;

static int make_directory(void **state)
{
    (void)state;
    place = (struct ledger_place){.missing = false};
    strcpy(directory, "/tmp/test_ledger.XXXXXX");
    return mkdtemp(directory) != NULL ? 0 : -1;
}

static void remove_stamp(void)
{
    char path[128];
    snprintf(path, sizeof path, "%s-stamp/ledger", directory);
    unlink(path);
    *strrchr(path, '/') = '\0';
    rmdir(path);
}

static int remove_directory(void **state)
{
    (void)state;
    remove_stamp();
    DIR *entries = opendir(directory);
    const struct dirent *entry;
    while ((entry = readdir(entries)) != NULL) {
        char path[512];
        snprintf(path, sizeof path, "%s/%s", directory, entry->d_name);
        unlink(path);
    }
    closedir(entries);
    return rmdir(directory);
}

TEST_FIXTURE(make_directory, remove_directory);

static void put_file(const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "%s/" LEDGER_FILE, directory);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static size_t files_with(const char *part)
{
    DIR *entries = opendir(directory);
    const struct dirent *entry;
    size_t count = 0;
    assert_non_null(entries);
    while ((entry = readdir(entries)) != NULL) {
        count += strstr(entry->d_name, part) != NULL;
    }
    closedir(entries);
    return count;
}

static struct intent drained(void)
{
    return (struct intent){.kind = INTENT_DRAIN,
                           .since_wall_ms = 1700000000123,
                           .until_wall_ms = 1700000600123,
                           .grace_ms = 30000,
                           .reason = "new \"line card\"\n\xc3\xbc",
                           .by = "alice (1000)"};
}

static void save(const struct ledger *ledger)
{
    char *text = ledger_text(ledger);
    assert_non_null(text);
    assert_int_equal(ledger_save(directory, &place, text, message), 0);
    free(text);
}

// The state directory as it is where its file system is not mounted.
static void unmount(char elsewhere[128])
{
    char path[128];
    snprintf(path, sizeof path, "%s/" LEDGER_FILE, directory);
    snprintf(elsewhere, 128, "%s-stamp/moved", directory);
    assert_int_equal(rename(path, elsewhere), 0);
}

static void mount(const char *elsewhere)
{
    char path[128];
    snprintf(path, sizeof path, "%s/" LEDGER_FILE, directory);
    assert_int_equal(rename(elsewhere, path), 0);
}

#define PLAIN_TEST(name) TEST_WITH(name, NULL, NULL)

// A disk that gives back other bits than it was given.
PLAIN_TEST(no_flipped_bit_goes_unnoticed)
{
    struct ledger ledger = {0};
    struct intent isolated = {.kind = INTENT_ISOLATE, .since_wall_ms = 1, .by = "root (0)"};
    struct intent drain = drained();
    assert_true(ledger_put(&ledger, "dns", &drain));
    assert_true(ledger_put(&ledger, "token", &isolated));
    char *text = ledger_text(&ledger);
    size_t length = strlen(text);
    ledger_clear(&ledger);
    assert_true(ledger_parse(text, length, &ledger, message));
    assert_int_equal(ledger.count, 2);
    ledger_clear(&ledger);
    for (size_t bit = 0; bit < 8 * length; bit++) {
        text[bit / 8] = (char)(text[bit / 8] ^ 1 << bit % 8);
        if (ledger_parse(text, length, &ledger, message)) {
            fail_msg("bit %zu of byte %zu: %s", bit % 8, bit / 8, text);
        }
        text[bit / 8] = (char)(text[bit / 8] ^ 1 << bit % 8);
    }
    free(text);
}

TEST(no_ledger_where_one_was_before_is_not_a_first_start)
{
    char elsewhere[128];
    struct ledger ledger = {0};
    struct ledger_place next = {.missing = false};
    save(&ledger);
    unmount(elsewhere);
    assert_int_equal(ledger_read(directory, &next, &ledger, message), LEDGER_UNREADABLE);
    assert_non_null(strstr(message, "though there was one"));
    mount(elsewhere);
    assert_int_equal(ledger_read(directory, &next, &ledger, message), LEDGER_OK);
    unmount(elsewhere);
    remove_stamp();
    assert_int_equal(unlink(elsewhere), 0);
    remove_stamp();
    assert_int_equal(ledger_read(directory, &next, &ledger, message), LEDGER_NONE);
}

TEST(a_ledger_that_was_not_read_is_read_and_not_written_over)
{
    char elsewhere[128];
    struct ledger ledger = {0};
    struct ledger_place next = {.missing = false};
    struct intent intent = drained();
    assert_true(ledger_put(&ledger, "dns", &intent));
    save(&ledger);
    unmount(elsewhere);
    struct ledger none;
    assert_int_equal(ledger_read(directory, &next, &none, message), LEDGER_UNREADABLE);
    assert_int_equal(ledger_save(directory, &next, drained_text, message), -ENOENT);
    mount(elsewhere);
    assert_int_equal(ledger_save(directory, &next, drained_text, message), -EEXIST);
    assert_true(next.has_found);
    assert_int_equal(next.found.count, 1);
    assert_int_equal(ledger_read(directory, &place, &none, message), LEDGER_OK);
    assert_int_equal(none.count, 1);
    ledger_clear(&none);
    assert_int_equal(ledger_save(directory, &next, drained_text, message), 0);
    ledger_clear(&next.found);
    ledger_clear(&ledger);
}

TEST(what_an_operator_insists_on_is_saved_where_there_was_a_ledger)
{
    char elsewhere[128];
    struct ledger ledger = {0};
    struct ledger_place next = {.insist = true};
    save(&ledger);
    unmount(elsewhere);
    assert_int_equal(ledger_read(directory, &next, &ledger, message), LEDGER_UNREADABLE);
    assert_int_equal(ledger_save(directory, &next, drained_text, message), 0);
    assert_int_equal(unlink(elsewhere), 0);
}

TEST(a_damaged_file_that_came_meanwhile_is_kept_aside)
{
    struct ledger ledger = {0};
    save(&ledger);
    put_file("half a fi");
    assert_int_equal(ledger_save(directory, &place, drained_text, message), 0);
    assert_int_equal(files_with("damaged-1"), 1);
    assert_int_equal(ledger_read(directory, &place, &ledger, message), LEDGER_OK);
}

TEST(what_was_saved_is_read_again)
{
    struct ledger ledger = {0};
    struct ledger read;
    struct intent intent = drained();
    struct intent isolated = {.kind = INTENT_ISOLATE, .since_wall_ms = 5, .by = "root (0)"};
    struct intent pinned = {.kind = INTENT_PIN, .since_wall_ms = 5, .until_wall_ms = 9};
    assert_true(ledger_put(&ledger, "web", &isolated));
    assert_true(ledger_put(&ledger, "dns", &intent));
    assert_true(ledger_put(&ledger, "gone-service", &pinned));
    save(&ledger);
    assert_int_equal(ledger_read(directory, &place, &read, message), LEDGER_OK);
    assert_int_equal(read.count, 3);
    const struct intent *dns = &ledger_find(&read, "dns")->intent;
    assert_int_equal(dns->kind, INTENT_DRAIN);
    assert_int_equal(dns->since_wall_ms, intent.since_wall_ms);
    assert_int_equal(dns->until_wall_ms, intent.until_wall_ms);
    assert_int_equal(dns->grace_ms, intent.grace_ms);
    assert_string_equal(dns->reason, intent.reason);
    assert_string_equal(dns->by, intent.by);
    assert_int_equal(ledger_find(&read, "web")->intent.kind, INTENT_ISOLATE);
    assert_int_equal(ledger_find(&read, "gone-service")->intent.kind, INTENT_PIN);
    assert_null(ledger_find(&read, "other"));
    ledger_clear(&ledger);
    ledger_clear(&read);
}

PLAIN_TEST(putting_again_replaces_and_auto_removes)
{
    struct ledger ledger = {0};
    struct intent intent = drained();
    struct intent automatic = {.kind = INTENT_AUTO};
    for (unsigned i = 0; i < 100; i++) {
        char name[SERVICE_NAME_MAX];
        snprintf(name, sizeof name, "s%u", (i * 37) % 100);
        assert_true(ledger_put(&ledger, name, &intent));
    }
    intent.kind = INTENT_ISOLATE;
    assert_true(ledger_put(&ledger, "s42", &intent));
    assert_int_equal(ledger.count, 100);
    assert_int_equal(ledger_find(&ledger, "s42")->intent.kind, INTENT_ISOLATE);
    assert_true(ledger_put(&ledger, "s42", &automatic));
    assert_true(ledger_put(&ledger, "never-there", &automatic));
    assert_int_equal(ledger.count, 99);
    assert_null(ledger_find(&ledger, "s42"));
    for (unsigned i = 0; i < 100; i++) {
        char name[SERVICE_NAME_MAX];
        snprintf(name, sizeof name, "s%u", i);
        assert_true((ledger_find(&ledger, name) != NULL) == (i != 42));
    }
    ledger_clear(&ledger);
}

TEST(no_file_is_a_first_start_but_no_directory_is_trouble)
{
    struct ledger ledger;
    assert_int_equal(ledger_read(directory, &place, &ledger, message), LEDGER_NONE);
    assert_string_equal(message, "");
    assert_int_equal(ledger_read("/nonexistent/popgate", &place, &ledger, message),
                     LEDGER_UNREADABLE);
    assert_non_null(strstr(message, "/nonexistent/popgate"));
    assert_non_null(strstr(message, "No such file"));
}

static const char sound_entry[] =
    "\"dns\":{\"intent\":\"drain\",\"since_ms\":1,\"until_ms\":0,\"grace_ms\":1,"
    "\"reason\":\"\",\"by\":\"\"}";

PLAIN_TEST(what_is_not_wholly_understood_is_damaged)
{
    static const char *const texts[] = {
        "",
        "garbage",
        "{\"version\":1,\"services\":{\"dns\":{\"intent\":\"dra",
        "[]",
        "{}",
        "{\"version\":1}",
        "{\"version\":2,\"services\":{}}",
        "{\"version\":\"1\",\"services\":{}}",
        "{\"version\":1,\"services\":[]}",
        "{\"version\":1,\"services\":{},\"more\":1}",
        "{\"version\":1,\"services\":{\"dns\":1}}",
        "{\"version\":1,\"services\":{\"dns\":{\"intent\":\"drain\"}}}",
        "{\"version\":1,\"services\":{\"a b\":{\"intent\":\"drain\",\"since_ms\":1,\"until_ms\":0,"
        "\"grace_ms\":1,\"reason\":\"\",\"by\":\"\"}}}",
        "{\"version\":1,\"services\":{\"dns\":{\"intent\":\"dance\",\"since_ms\":1,\"until_ms\":0,"
        "\"grace_ms\":1,\"reason\":\"\",\"by\":\"\"}}}",
        "{\"version\":1,\"services\":{\"dns\":{\"intent\":\"drain\",\"since_ms\":-1,\"until_ms\":0,"
        "\"grace_ms\":1,\"reason\":\"\",\"by\":\"\"}}}",
        "{\"version\":1,\"services\":{\"dns\":{\"intent\":\"drain\",\"since_ms\":1,\"until_ms\":0,"
        "\"grace_ms\":9223372036854775807,\"reason\":\"\",\"by\":\"\"}}}",
        "{\"version\":1,\"services\":{\"dns\":{\"intent\":\"drain\",\"since_ms\":1,\"until_ms\":0,"
        "\"grace_ms\":1,\"reason\":7,\"by\":\"\"}}}",
        "{\"version\":1,\"services\":{\"dns\":{\"intent\":\"drain\",\"since_ms\":1,\"until_ms\":0,"
        "\"grace_ms\":1,\"reason\":\"\",\"by\":\"\",\"x\":1}}}",
        "{\"version\":1,\"services\":{\"dns\":{\"intent\":\"pin\",\"since_ms\":1,\"until_ms\":0,"
        "\"grace_ms\":1,\"reason\":\"\",\"by\":\"\"}}}",
        "{\"version\":1,\"services\":{\"dns\":{\"intent\":\"isolate\",\"since_ms\":1,\"until_ms\":"
        "5,"
        "\"grace_ms\":1,\"reason\":\"\",\"by\":\"\"}}}",
    };
    char twice[1024];
    struct ledger ledger = {0};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (ledger_parse(texts[i], strlen(texts[i]), &ledger, message)) {
            fail_msg("taken for sound: %s", texts[i]);
        }
        assert_int_equal(ledger.count, 0);
        assert_string_not_equal(message, "");
    }
    snprintf(twice, sizeof twice, "{\"version\":1,\"services\":{%s,%s}}", sound_entry, sound_entry);
    assert_false(ledger_parse(twice, strlen(twice), &ledger, message));
    snprintf(twice, sizeof twice, "{\"version\":1,\"services\":{%s}}", sound_entry);
    assert_true(ledger_parse(twice, strlen(twice), &ledger, message));
    ledger_clear(&ledger);
}

TEST(a_damaged_file_is_kept_aside_and_stays_damaged_until_the_next_save)
{
    struct ledger ledger;
    struct ledger empty = {0};
    put_file("half a fi");
    assert_int_equal(ledger_read(directory, &place, &ledger, message), LEDGER_DAMAGED);
    assert_int_equal(ledger.count, 0);
    assert_int_equal(files_with("damaged"), 0); // whoever reads changes nothing
    ledger_set_aside(directory, &place, drained_text, message);
    assert_non_null(strstr(message, ".damaged-1"));
    assert_int_equal(ledger_read(directory, &place, &ledger, message), LEDGER_DAMAGED);
    ledger_set_aside(directory, &place, drained_text, message);
    assert_int_equal(files_with("damaged"), 1);
    save(&empty);
    assert_int_equal(ledger_read(directory, &place, &ledger, message), LEDGER_OK);
    assert_int_equal(files_with("damaged"), 1);
    put_file("again");
    ledger_set_aside(directory, &place, drained_text, message);
    assert_non_null(strstr(message, ".damaged-2"));
}

TEST(a_file_too_large_is_damaged)
{
    struct ledger ledger;
    char path[128];
    put_file("{}");
    snprintf(path, sizeof path, "%s/" LEDGER_FILE, directory);
    assert_int_equal(truncate(path, (off_t)LEDGER_TEXT_MAX + 1), 0);
    assert_int_equal(ledger_read(directory, &place, &ledger, message), LEDGER_DAMAGED);
}

TEST(a_ledger_that_is_no_file_is_unreadable)
{
    struct ledger ledger;
    char path[128];
    snprintf(path, sizeof path, "%s/" LEDGER_FILE, directory);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(ledger_read(directory, &place, &ledger, message), LEDGER_UNREADABLE);
    assert_non_null(strstr(message, path));
}

TEST(what_is_no_ledger_is_kept_aside_too)
{
    struct ledger ledger;
    char path[128];
    snprintf(path, sizeof path, "%s/" LEDGER_FILE, directory);
    assert_int_equal(symlink("/nonexistent/popgate", path), 0);
    assert_int_equal(ledger_read(directory, &place, &ledger, message), LEDGER_UNREADABLE);
    ledger_set_aside(directory, &place, drained_text, message);
    assert_non_null(strstr(message, ".damaged-1"));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(ledger_read(directory, &place, &ledger, message), LEDGER_UNREADABLE);
    ledger_set_aside(directory, &place, drained_text, message);
    assert_non_null(strstr(message, ".damaged-2"));
    assert_int_equal(ledger_read(directory, &place, &ledger, message), LEDGER_OK);
    snprintf(path, sizeof path, "%s/" LEDGER_FILE ".damaged-2", directory);
    assert_int_equal(rmdir(path), 0);
}

TEST(what_a_crash_left_does_not_stop_a_save)
{
    struct ledger ledger;
    struct ledger empty = {0};
    char path[128];
    snprintf(path, sizeof path, "%s/" LEDGER_FILE ".tmp", directory);
    assert_int_equal(mkfifo(path, 0600), 0);
    save(&empty);
    assert_int_equal(ledger_read(directory, &place, &ledger, message), LEDGER_OK);
    assert_int_equal(files_with("tmp"), 0);
}

TEST(a_failed_save_says_why_and_leaves_the_old_file)
{
    struct ledger ledger = {0};
    struct ledger read;
    struct intent intent = drained();
    struct rlimit limit;
    struct rlimit small = {.rlim_cur = 10};
    assert_true(ledger_put(&ledger, "dns", &intent));
    save(&ledger);
    // As good as a full disk: no file may grow beyond ten bytes.
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    small.rlim_max = limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    int result = ledger_save(directory, &place, "{\"version\": 1, \"services\": {}}", message);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_int_equal(result, -EFBIG);
    assert_non_null(strstr(message, directory));
    assert_non_null(strstr(message, "File too large"));
    assert_int_equal(files_with(".tmp"), 0);
    assert_int_equal(ledger_read(directory, &place, &read, message), LEDGER_OK);
    assert_int_equal(read.count, 1);
    assert_int_equal(ledger_save("/proc/1", &place, "{}", message) < 0, true);
    assert_non_null(strstr(message, "/proc/1"));
    ledger_clear(&ledger);
    ledger_clear(&read);
}

TEST(bytes_that_are_not_utf8_do_not_damage_the_ledger)
{
    struct ledger ledger = {0};
    struct ledger read;
    struct intent intent = drained();
    memset(intent.reason, 0xff, sizeof intent.reason - 1);
    intent.reason[sizeof intent.reason - 1] = '\0';
    assert_true(ledger_put(&ledger, "dns", &intent));
    save(&ledger);
    assert_int_equal(ledger_read(directory, &place, &read, message), LEDGER_OK);
    ledger_clear(&ledger);
    ledger_clear(&read);
}

PLAIN_TEST(wall_clock_times_become_monotonic_ones)
{
    struct intent intent = {.kind = INTENT_DRAIN, .since_wall_ms = 9000, .until_wall_ms = 12000};
    intent_from_wall(&intent, 5000, 10000);
    assert_int_equal(intent.since_ms, 4000);
    assert_int_equal(intent.until_ms, 7000);
    struct intent back = intent;
    back.since_wall_ms = back.until_wall_ms = 0;
    intent_to_wall(&back, 5000, 10000);
    assert_int_equal(back.since_wall_ms, 9000);
    assert_int_equal(back.until_wall_ms, 12000);
}

PLAIN_TEST(an_end_that_passed_is_over_and_no_end_stays_none)
{
    struct intent intent = {.kind = INTENT_DRAIN, .since_wall_ms = 1, .until_wall_ms = 2};
    intent_from_wall(&intent, 5000, 10000);
    assert_true(intent_expired(&intent, 5000));
    intent.until_wall_ms = 0;
    intent_from_wall(&intent, 5000, 10000);
    assert_false(intent_expired(&intent, 5000));
}

PLAIN_TEST(a_clock_stepped_back_does_not_make_a_pin_last_longer)
{
    struct intent intent = {.kind = INTENT_PIN, .since_wall_ms = 900000, .until_wall_ms = 960000};
    intent_from_wall(&intent, 5000, 10000);
    assert_int_equal(intent.since_ms, 5000);
    assert_int_equal(intent.until_ms, 65000);
}

PLAIN_TEST(a_clock_stepped_back_gives_no_grace_a_second_time)
{
    struct intent intent = {.kind = INTENT_DRAIN, .since_wall_ms = 900000, .grace_ms = 30000};
    intent_from_wall(&intent, 5000, 10000);
    assert_int_equal(intent.since_ms, 5000);
    assert_int_equal(intent.grace_ms, 0);
}

PLAIN_TEST(grace_goes_on_counting_over_a_reboot)
{
    struct intent intent = {.kind = INTENT_DRAIN, .since_wall_ms = 1000, .grace_ms = 30000};
    intent_from_wall(&intent, 5000, 26000); // drained 25 s ago, booted 5 s ago
    assert_int_equal(intent_next_ms(&intent, 5000), 10000);
    intent = (struct intent){.kind = INTENT_DRAIN, .since_wall_ms = 1000, .grace_ms = 3000};
    intent_from_wall(&intent, 5000, 26000);
    assert_int_equal(intent_grace_left_ms(&intent, 5000), 0);
    assert_int_equal(intent_next_ms(&intent, 5000), UINT64_MAX);
    assert_int_equal(intent_age_ms(&intent, 5000), 25000);
}

TEST(this_boot_is_remembered_and_another_is_not)
{
    struct boot_entry entries[] = {{"dns", 3}, {"web", 0}};
    struct boot_memory memory = {.entries = entries, .count = 2};
    struct boot_memory read;
    char boot[64];
    assert_true(boot_id_read(boot));
    assert_false(boot_memory_read(directory, boot, &read));
    char *text = boot_memory_text(&memory, boot);
    assert_int_equal(boot_memory_save(directory, text, message), 0);
    free(text);
    assert_true(boot_memory_read(directory, boot, &read));
    assert_int_equal(read.count, 2);
    assert_string_equal(read.entries[0].service, "dns");
    assert_int_equal(read.entries[0].recent, 3);
    boot_memory_clear(&read);
    assert_false(boot_memory_read(directory, "another", &read));
    assert_int_equal(boot_memory_save(directory, "{\"version\":1,\"boot\":", message), 0);
    assert_false(boot_memory_read(directory, boot, &read));
    assert_null(read.entries);
}
