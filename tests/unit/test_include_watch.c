// Who else writes the include file is noticed at once, and who takes it away; our own saves are not
// taken for somebody else's.
#include "controller/daemon/include_watch.h"

#include "tests/test.h"
#include "tests/unit/small_config.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define SERVICE "[service dns]\nprefixes = 192.0.2.1/32\nrequire = p\n"

static uv_loop_t loop;
static struct include_watch watch;
static struct config *config;
static struct include include;
static char directory[64];
static bool stopping;
static unsigned noticed;
static struct birdconf_worker *worker;

static const struct include *what_should_be(void *arg)
{
    (void)arg;
    return stopping ? NULL : &include;
}

static void on_foreign(void *arg)
{
    (void)arg;
    noticed++;
}

static const char *path_of(const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    return path;
}

// As somebody's editor does.
static void write_file(const char *name, const char *text)
{
    FILE *file = fopen(path_of(name), "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void on_saved(void *arg, uint64_t version, const char *error)
{
    (void)arg;
    assert_null(error);
    include_saved(&include, version, NULL, 1);
}

static void on_found(void *arg)
{
    (void)arg;
    include_watch_found(&watch);
}

// The kernel has told of every change by the time that the call which makes it returns.
static void settle(void)
{
    for (unsigned i = 0; i < 10; i++) {
        do {
            uv_run(&loop, UV_RUN_NOWAIT);
        } while (!birdconf_worker_idle(worker));
    }
}

static void save(void)
{
    const struct birdconf *file = include_file(&include);
    assert_true(include_submit(&include, 1));
    birdconf_worker_save(worker, file->text, file->length, include.submitted);
    settle();
}

static unsigned changes_noticed(void)
{
    unsigned before = noticed;
    settle();
    return noticed - before;
}

static void look(void)
{
    include_watch_look(&watch);
    settle();
}

static int start(void **state)
{
    static const struct birdconf_worker_events events = {on_saved, on_found};
    (void)state;
    strcpy(directory, "/tmp/test_include_watch.XXXXXX");
    if (mkdtemp(directory) == NULL) {
        return -1;
    }
    stopping = false;
    noticed = 0;
    config = small_config(PROBE("p") SERVICE);
    assert_true(include_init(&include, config, NULL, birdconf_render(config)));
    assert_int_equal(uv_loop_init(&loop), 0);
    include_put(&include, true);
    worker = birdconf_worker_new(&loop, directory, &events, NULL);
    assert_non_null(worker);
    watch =
        (struct include_watch){.worker = worker, .include = what_should_be, .foreign = on_foreign};
    assert_int_equal(include_watch_start(&watch, &loop, directory), 0);
    save();
    return 0;
}

static int stop(void **state)
{
    (void)state;
    include_watch_close(&watch);
    uv_run(&loop, UV_RUN_DEFAULT);
    birdconf_worker_free(worker);
    assert_int_equal(uv_loop_close(&loop), 0);
    include_clear(&include);
    config_free(config);
    unlink(path_of(BIRDCONF_FILE));
    return rmdir(directory);
}

TEST_FIXTURE(start, stop);

TEST(a_file_that_somebody_else_wrote_is_noticed)
{
    assert_int_equal(changes_noticed(), 0);
    write_file(BIRDCONF_FILE, "# nothing\n");
    assert_true(changes_noticed() > 0);
}

TEST(a_file_that_somebody_else_put_in_place_of_ours_is_noticed)
{
    char theirs[128];
    write_file("theirs", "# nothing\n");
    assert_int_equal(changes_noticed(), 0);
    snprintf(theirs, sizeof theirs, "%s", path_of("theirs"));
    assert_int_equal(rename(theirs, path_of(BIRDCONF_FILE)), 0);
    assert_true(changes_noticed() > 0);
}

TEST(one_word_is_enough)
{
    struct birdconf *edited = birdconf_render(config);
    assert_true(birdconf_switch(edited, 0, true));
    write_file(BIRDCONF_FILE, edited->text);
    birdconf_free(edited);
    assert_true(changes_noticed() > 0);
}

TEST(what_we_patch_is_not_taken_for_somebody_elses)
{
    size_t slot = 0;
    include_set(&include, 0, TARGET_ANNOUNCE);
    save();
    struct birdconf *edited = birdconf_render(config);
    birdconf_worker_patch(worker, edited, &slot, 1);
    birdconf_free(edited);
    assert_int_equal(changes_noticed(), 0);
}

TEST(what_we_save_is_not_taken_for_somebody_elses)
{
    include_set(&include, 0, TARGET_ANNOUNCE);
    save();
    assert_int_equal(changes_noticed(), 0);
    include_write_again(&include);
    save();
    assert_int_equal(changes_noticed(), 0);
}

TEST(while_another_text_is_to_be_saved_nothing_is_said)
{
    include_set(&include, 0, TARGET_ANNOUNCE);
    write_file(BIRDCONF_FILE, "# nothing\n");
    assert_int_equal(changes_noticed(), 0);
    assert_true(include_submit(&include, 1));
    write_file(BIRDCONF_FILE, "# nothing\n");
    assert_int_equal(changes_noticed(), 0);
}

TEST(nor_when_the_daemon_stops)
{
    stopping = true;
    write_file(BIRDCONF_FILE, "# nothing\n");
    assert_int_equal(changes_noticed(), 0);
    look();
    assert_int_equal(noticed, 0);
}

TEST(a_file_that_somebody_took_away_is_noticed)
{
    assert_int_equal(unlink(path_of(BIRDCONF_FILE)), 0);
    assert_true(changes_noticed() > 0);
}

TEST(a_directory_that_somebody_made_anew_is_found_by_looking)
{
    assert_int_equal(unlink(path_of(BIRDCONF_FILE)), 0);
    assert_int_equal(rmdir(directory), 0);
    assert_int_equal(mkdir(directory, 0700), 0);
    (void)changes_noticed();
    noticed = 0;
    look();
    assert_int_equal(noticed, 1);
    include_write_again(&include);
    save();
    look();
    assert_int_equal(noticed, 1);
}

// As from a backup: the file is there, and an older one.
static void assert_older_file_is_noticed(bool looked_meanwhile)
{
    char former[128];
    struct birdconf *older = birdconf_render(config);
    assert_true(birdconf_switch(older, 0, true));
    snprintf(former, sizeof former, "%s.old", directory);
    assert_int_equal(rename(directory, former), 0);
    if (looked_meanwhile) {
        (void)changes_noticed();
        look();
    }
    assert_int_equal(mkdir(directory, 0700), 0);
    write_file(BIRDCONF_FILE, older->text);
    birdconf_free(older);
    noticed = 0;
    settle();
    look();
    assert_true(noticed > 0);
    snprintf(former, sizeof former, "%s.old/%s", directory, BIRDCONF_FILE);
    assert_int_equal(unlink(former), 0);
    *strrchr(former, '/') = '\0';
    assert_int_equal(rmdir(former), 0);
}

TEST(a_directory_that_was_replaced_by_one_with_an_older_file_is_noticed)
{
    assert_older_file_is_noticed(false);
}

TEST(also_when_there_was_none_between_the_two)
{
    assert_older_file_is_noticed(true);
}

static void write_again(void)
{
    include_write_again(&include);
    save();
    assert_int_equal(changes_noticed(), 0);
}

static void assert_watched(void)
{
    write_file(BIRDCONF_FILE, "# nothing\n");
    assert_true(changes_noticed() > 0);
}

static void take_away(void)
{
    assert_int_equal(unlink(path_of(BIRDCONF_FILE)), 0);
    assert_int_equal(rmdir(directory), 0);
}

TEST(and_watched_like_the_one_before)
{
    take_away();
    assert_int_equal(mkdir(directory, 0700), 0);
    (void)changes_noticed();
    write_again(); // for another reason, before anybody looked
    assert_watched();
}

TEST(also_when_there_was_none_for_a_while)
{
    take_away();
    (void)changes_noticed();
    look();
    assert_int_equal(mkdir(directory, 0700), 0);
    write_again();
    look();
    assert_watched();
}

TEST(or_the_one_before_has_another_name_now)
{
    char aside[sizeof directory + 2];
    snprintf(aside, sizeof aside, "%s.1", directory);
    assert_int_equal(rename(directory, aside), 0);
    assert_int_equal(mkdir(directory, 0700), 0);
    (void)changes_noticed();
    write_again();
    assert_watched();
    char left[sizeof aside + sizeof BIRDCONF_FILE];
    snprintf(left, sizeof left, "%s/" BIRDCONF_FILE, aside);
    assert_int_equal(unlink(left), 0);
    assert_int_equal(rmdir(aside), 0);
}
