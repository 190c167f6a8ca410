// The include file's worker: what it does when, and that nobody waits for it.
#include "controller/daemon/birdconf_worker.h"

#include "tests/test.h"
#include "tests/unit/guard.h"
#include "tests/unit/small_config.h"

#include "base/file.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define SERVICES                                                                                   \
    "[service a]\nprefixes = 192.0.2.1/32\nrequire = p\n"                                          \
    "[service b]\nprefixes = 192.0.2.2/32\nrequire = p\n"

static uv_loop_t loop;
static struct birdconf_worker *worker;
static struct config *config;
static struct birdconf *file;
static char directory[64];
static char told[256]; // versions and errors
static unsigned found;

// This program's come before the C library's: a disk that hangs when it is told so.
static atomic_bool disk_hangs;
static atomic_uint hanging;

static void use_disk(void)
{
    hanging++;
    while (disk_hangs) {
        usleep(1000);
    }
    hanging--;
}

ssize_t pwrite(int fd, const void *bytes, size_t size, off_t offset)
{
    ssize_t (*real)(int, const void *, size_t, off_t);
    *(void **)&real = dlsym(RTLD_NEXT, "pwrite");
    use_disk();
    return real(fd, bytes, size, offset);
}

int rename(const char *from, const char *to)
{
    int (*real)(const char *, const char *);
    *(void **)&real = dlsym(RTLD_NEXT, "rename");
    use_disk();
    return real(from, to);
}

static void on_saved(void *arg, uint64_t version, const char *error)
{
    (void)arg;
    size_t used = strlen(told);
    snprintf(told + used, sizeof told - used, "%d%s ", (int)version, error != NULL ? "!" : "");
}

static void on_foreign(void *arg)
{
    (void)arg;
    found++;
}

static int start(void **state)
{
    static const struct birdconf_worker_events events = {on_saved, on_foreign};
    (void)state;
    guard_begin();
    strcpy(directory, "/tmp/test_birdconf_worker.XXXXXX");
    if (mkdtemp(directory) == NULL) {
        return -1;
    }
    told[0] = '\0';
    found = 0;
    config = small_config(PROBE("p") SERVICES);
    file = birdconf_render(config);
    assert_int_equal(uv_loop_init(&loop), 0);
    worker = birdconf_worker_new(&loop, directory, &events, NULL);
    assert_non_null(worker);
    return 0;
}

static int stop(void **state)
{
    char path[128];
    (void)state;
    birdconf_worker_free(worker);
    birdconf_free(file);
    config_free(config);
    snprintf(path, sizeof path, "%s/" BIRDCONF_FILE, directory);
    (void)unlink(path);
    (void)rmdir(directory);
    return uv_loop_close(&loop);
}

TEST_FIXTURE(start, stop);

static void hang(void)
{
    disk_hangs = true;
}

static void await_hanging(void)
{
    guard_awaits("the worker to wait for the disk");
    while (hanging == 0) {
        usleep(1000);
    }
}

static void work_off(void)
{
    disk_hangs = false;
    guard_awaits("the worker to be done");
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_true(birdconf_worker_idle(worker));
}

static void save(uint64_t version)
{
    birdconf_worker_save(worker, file->text, file->length, version);
}

static size_t switched(const char *protocol, bool on)
{
    size_t slot = birdconf_slot_index(file, protocol);
    assert_true(slot < file->slot_count);
    assert_true(birdconf_switch(file, slot, on));
    return slot;
}

static void patch(const char *protocol)
{
    size_t slot = switched(protocol, false);
    birdconf_worker_patch(worker, file, &slot, 1);
}

static bool is_on(const char *protocol)
{
    char error[ERROR_MAX];
    struct birdconf *there = birdconf_read(directory, error);
    assert_non_null(there);
    bool on = birdconf_get(there, protocol);
    birdconf_free(there);
    return on;
}

static void begin_with_both_on(void)
{
    switched("popgate_a_v4", true);
    switched("popgate_b_v4", true);
    save(1);
    work_off();
    assert_true(is_on("popgate_a_v4"));
    assert_true(is_on("popgate_b_v4"));
}

TEST(nobody_waits_for_a_disk_that_hangs)
{
    begin_with_both_on();
    hang();
    patch("popgate_a_v4");
    await_hanging();
    patch("popgate_b_v4");
    save(2);
    birdconf_worker_look(worker, BIRDCONF_LOOK_WHOLE);
    assert_string_equal(told, "1 ");
    assert_true(birdconf_worker_saves(worker));
    work_off();
    assert_string_equal(told, "1 2 ");
    assert_false(is_on("popgate_a_v4"));
    assert_false(is_on("popgate_b_v4"));
    assert_int_equal(found, 0);
}

TEST(a_patch_alone_is_no_save_and_switches_in_the_file_that_is_there)
{
    begin_with_both_on();
    patch("popgate_a_v4");
    assert_false(birdconf_worker_saves(worker));
    assert_false(birdconf_worker_idle(worker));
    work_off();
    assert_false(is_on("popgate_a_v4"));
    assert_true(is_on("popgate_b_v4"));
    assert_string_equal(told, "1 ");
}

TEST(what_is_withdrawn_while_a_file_is_being_saved_is_off_in_it_as_soon_as_it_is_there)
{
    begin_with_both_on();
    hang();
    save(2);
    await_hanging();
    patch("popgate_a_v4");
    work_off();
    assert_string_equal(told, "1 2 ");
    assert_false(is_on("popgate_a_v4"));
    assert_true(is_on("popgate_b_v4"));
}

TEST(what_is_withdrawn_after_a_text_that_waits_is_off_in_that_too)
{
    begin_with_both_on();
    hang();
    save(2);
    await_hanging();
    save(3);
    patch("popgate_a_v4");
    work_off();
    assert_string_equal(told, "1 2 3 ");
    assert_false(is_on("popgate_a_v4"));
    assert_true(is_on("popgate_b_v4"));
}

TEST(a_word_is_never_put_over_a_text_that_is_newer)
{
    begin_with_both_on();
    hang();
    save(2);
    await_hanging();
    patch("popgate_a_v4");
    switched("popgate_a_v4", true);
    save(3);
    patch("popgate_b_v4");
    work_off();
    assert_true(is_on("popgate_a_v4"));
    assert_false(is_on("popgate_b_v4"));
}

TEST(of_texts_that_wait_the_newest_is_saved)
{
    hang();
    save(1);
    await_hanging();
    save(2);
    birdconf_worker_save(worker, NULL, 0, 3);
    switched("popgate_a_v4", true);
    save(4);
    work_off();
    assert_string_equal(told, "1 4 ");
    assert_true(is_on("popgate_a_v4"));
}

TEST(no_text_removes_the_file)
{
    begin_with_both_on();
    birdconf_worker_save(worker, NULL, 0, 2);
    birdconf_worker_look(worker, BIRDCONF_LOOK_WHOLE);
    work_off();
    assert_false(birdconf_exists(directory));
    assert_string_equal(told, "1 2 ");
    assert_int_equal(found, 0);
}

TEST(a_save_that_fails_is_told_and_nothing_is_called_somebody_elses_then)
{
    begin_with_both_on();
    char path[128];
    snprintf(path, sizeof path, "%s/" BIRDCONF_FILE, directory);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(directory), 0);
    birdconf_worker_look(worker, BIRDCONF_LOOK_THERE);
    work_off();
    assert_int_equal(found, 1);
    save(2);
    birdconf_worker_look(worker, BIRDCONF_LOOK_THERE);
    work_off();
    assert_string_equal(told, "1 2! ");
    assert_int_equal(found, 1);
}

TEST(a_look_that_others_wait_behind_says_nothing)
{
    char path[128];
    begin_with_both_on();
    snprintf(path, sizeof path, "%s/" BIRDCONF_FILE, directory);
    assert_int_equal(unlink(path), 0);
    birdconf_worker_look(worker, BIRDCONF_LOOK_THERE);
    save(2);
    work_off();
    assert_int_equal(found, 0);
    assert_true(birdconf_exists(directory));
}
