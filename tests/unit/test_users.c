// The names of this host's users: there without waiting, and as late as their disk has them.
#include "controller/daemon/users.h"

#include "tests/unit/guard.h"
#include "tests/unit/own_clock.h"

#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/stat.h>

static uv_loop_t loop;
static struct users users;
static char directory[32];
static char path[64];

static int set_up(void **state)
{
    (void)state;
    guard_begin();
    snprintf(directory, sizeof directory, "/tmp/popgate-users-XXXXXX");
    if (mkdtemp(directory) == NULL) {
        return -1;
    }
    snprintf(path, sizeof path, "%s/passwd", directory);
    return uv_loop_init(&loop);
}

static int tear_down(void **state)
{
    (void)state;
    users_close(&users);
    uv_run(&loop, UV_RUN_DEFAULT);
    unlink(path);
    rmdir(directory);
    return uv_loop_close(&loop);
}

TEST_FIXTURE(set_up, tear_down);

static void write_users(const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void begin(void)
{
    assert_int_equal(users_open(&users, &loop, path), 0);
}

// What is being read has been.
static void await_end(void)
{
    guard_awaits("the end of reading");
    while (users.aside.work != NULL) {
        uv_run(&loop, UV_RUN_ONCE);
    }
}

TEST(a_user_has_the_first_name_of_his_number)
{
    write_users("root:x:0:0::/root:/bin/sh\nbob:x:1001:1001::/:\nalice:x:1000:1000::/:\n"
                "toor:x:0:0::/root:/bin/sh\n");
    begin();
    await_end();
    assert_string_equal(users_name(&users, 0), "root");
    assert_string_equal(users_name(&users, 1000), "alice");
    assert_string_equal(users_name(&users, 1001), "bob");
    assert_null(users_name(&users, 1002));
}

TEST(of_many_users_each_has_his_name)
{
    char text[1000 * sizeof "u1000:x:1000:1000::/:\n"] = "";
    size_t length = 0;
    for (int uid = 1000; uid > 0; uid--) {
        length += (size_t)snprintf(text + length, sizeof text - length, "u%d:x:%d:%d::/:\n", uid,
                                   uid, uid);
    }
    write_users(text);
    begin();
    await_end();
    assert_int_equal(users.count, 1000);
    for (uid_t uid = 1; uid <= 1000; uid++) {
        char name[16];
        snprintf(name, sizeof name, "u%u", uid);
        assert_string_equal(users_name(&users, uid), name);
    }
}

TEST(who_is_unknown_is_looked_for_and_named_the_next_time)
{
    write_users("alice:x:1000:1000::/:\n");
    begin();
    await_end();
    write_users("alice:x:1000:1000::/:\nbob:x:1001:1001::/:\n");
    assert_null(users_name(&users, 1001));
    await_end();
    assert_string_equal(users_name(&users, 1001), "bob");
}

TEST(who_is_renamed_has_the_new_name_within_a_minute)
{
    write_users("alice:x:1000:1000::/:\n");
    begin();
    await_end();
    write_users("bob:x:1000:1000::/:\n");
    users_look(&users);
    assert_null(users.aside.work);
    users.read_ms -= 60000;
    users_look(&users);
    await_end();
    assert_string_equal(users_name(&users, 1000), "bob");
}

TEST(what_can_t_be_read_leaves_what_was_known)
{
    write_users("alice:x:1000:1000::/:\n");
    begin();
    await_end();
    unlink(path);
    assert_null(users_name(&users, 1001));
    await_end();
    assert_string_equal(users_name(&users, 1000), "alice");
}

// A directory opens like a file, and ends as one does that its disk can't read on.
TEST(what_breaks_off_while_it_is_read_leaves_what_was_known)
{
    write_users("alice:x:1000:1000::/:\n");
    begin();
    await_end();
    unlink(path);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_null(users_name(&users, 1001));
    await_end();
    rmdir(path);
    const char *name = users_name(&users, 1000);
    assert_non_null(name);
    assert_string_equal(name, "alice");
}

// Opening a pipe that nobody writes to waits, as a disk does that hangs.
TEST(a_disk_that_hangs_holds_up_nobody_and_one_thread)
{
    assert_int_equal(mkfifo(path, 0600), 0);
    begin();
    assert_null(users_name(&users, 1000));
    assert_null(users_name(&users, 1000));
    users_close(&users);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_true(aside_is_busy());
    int writer = open(path, O_WRONLY | O_CLOEXEC); // waits until it is being read
    assert_true(writer >= 0);
    close(writer);
    guard_awaits("the end of what was left behind");
    while (aside_is_busy()) {
        sched_yield();
    }
}
