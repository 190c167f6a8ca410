// Groups by name and number, and a directory service that hangs.
#include "base/groups.h"

#include "tests/test.h"
#include "tests/unit/guard.h"

#include <errno.h>
#include <grp.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

// This program's comes before the C library's: it knows one group, and hangs when it is told so.
static atomic_bool directory_hangs;
static atomic_uint asked;

int getgrnam_r(const char *name, struct group *entry, char *room, size_t size, struct group **found)
{
    (void)room;
    (void)size;
    asked++;
    while (directory_hangs) {
        usleep(1000);
    }
    *found = NULL;
    if (strcmp(name, "far-away") == 0) {
        *entry = (struct group){.gr_gid = 4711};
        *found = entry;
    }
    return 0;
}

static int start(void **state)
{
    (void)state;
    guard_begin();
    directory_hangs = false;
    asked = 0;
    return 0;
}

TEST_FIXTURE(start, NULL);

TEST(a_local_group_is_found_by_number_and_by_name_and_nobody_else_is_asked)
{
    char name[64];
    gid_t group = 1;
    assert_true(group_local_name(0, name, sizeof name));
    assert_string_equal(name, "root");
    struct group_lookup *lookup = group_look_up("root", 0);
    assert_non_null(lookup);
    assert_true(group_found(lookup, &group));
    assert_int_equal(group, 0);
    assert_int_equal(asked, 0);
    group_lookup_free(lookup);
}

TEST(a_number_without_a_local_group_has_no_name)
{
    char name[64];
    assert_false(group_local_name(4000000000U, name, sizeof name));
}

TEST(a_group_of_a_directory_is_found_too)
{
    gid_t group = 0;
    struct group_lookup *lookup = group_look_up("far-away", 60000);
    assert_non_null(lookup);
    assert_true(group_found(lookup, &group));
    assert_int_equal(group, 4711);
    group_lookup_free(lookup);
}

TEST(a_group_that_nobody_has_is_not_found)
{
    gid_t group;
    struct group_lookup *lookup = group_look_up("nobody-has-this-group", 60000);
    assert_non_null(lookup);
    assert_int_equal(asked, 1);
    assert_false(group_found(lookup, &group));
    group_lookup_free(lookup);
}

TEST(a_directory_that_hangs_is_not_waited_for_and_heard_when_it_answers)
{
    gid_t group = 0;
    directory_hangs = true;
    struct group_lookup *lookup = group_look_up("far-away", 20);
    assert_non_null(lookup);
    assert_false(group_found(lookup, &group));
    directory_hangs = false;
    guard_awaits("the directory's answer");
    while (!group_found(lookup, &group)) {
        usleep(1000);
    }
    assert_int_equal(group, 4711);
    group_lookup_free(lookup);
}

TEST(who_is_being_asked_may_go_on_when_nobody_waits_any_more)
{
    directory_hangs = true;
    struct group_lookup *lookup = group_look_up("far-away", 1);
    assert_non_null(lookup);
    group_lookup_free(lookup);
    directory_hangs = false;
}
