// Who asked for a change, as status and the log name him.
#include "controller/api/who.h"

#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char proc[32];
static char session[64];
static const char *claimed;
static uid_t alice;

static int set_up(void **state)
{
    (void)state;
    claimed = "";
    alice = 1000;
    snprintf(proc, sizeof proc, "/tmp/popgate-who-XXXXXX");
    if (mkdtemp(proc) == NULL) {
        return -1;
    }
    snprintf(session, sizeof session, "%s/7", proc);
    return mkdir(session, 0700);
}

static int tear_down(void **state)
{
    char path[96];
    (void)state;
    snprintf(path, sizeof path, "%s/loginuid", session);
    unlink(path);
    rmdir(session);
    return rmdir(proc);
}

TEST_FIXTURE(set_up, tear_down);

static const char *name_of(void *arg, uid_t uid)
{
    return uid == *(uid_t *)arg ? "alice" : NULL;
}

static void ask(uid_t uid, pid_t pid, char by[INTENT_BY_MAX])
{
    struct who who = {
        .uid = uid, .pid = pid, .proc = proc, .claimed = claimed, .name = name_of, .arg = &alice};
    who_asks(&who, by);
}

static const char *asked(uid_t uid, const char *loginuid)
{
    static char by[INTENT_BY_MAX];
    char path[96];
    snprintf(path, sizeof path, "%s/loginuid", session);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(loginuid, file);
    fclose(file);
    ask(uid, 7, by);
    return by;
}

// Behind sudo everybody was `root (0)`.
TEST(behind_sudo_it_is_whoever_logged_in)
{
    assert_string_equal(asked(0, "4242"), "uid 4242 as root (0)");
    assert_string_equal(asked(4242, "0"), "root (0) as uid 4242");
    assert_string_equal(asked(0, "1000"), "alice (1000) as root (0)");
}

TEST(who_is_himself_is_named_once)
{
    assert_string_equal(asked(0, "0"), "root (0)");
    assert_string_equal(asked(4242, "4242\n"), "uid 4242");
}

TEST(where_nobody_logged_in_it_is_the_user)
{
    char by[INTENT_BY_MAX];
    assert_string_equal(asked(0, "4294967295"), "root (0)"); // a timer
    assert_string_equal(asked(0, ""), "root (0)");
    assert_string_equal(asked(0, "nonsense"), "root (0)");
    ask(0, 8, by); // gone by now, or a kernel without it
    assert_string_equal(by, "root (0)");
}

// A wrapper, or a colleague at the same account: nobody has checked that.
TEST(whom_he_says_to_be_is_told_as_what_he_says)
{
    claimed = "bob";
    assert_string_equal(asked(0, "0"), "bob, says root (0)");
    assert_string_equal(asked(0, "1000"), "bob, says alice (1000) as root (0)");
}

TEST(the_longest_is_told_whole)
{
    char longest[INTENT_CLAIM_MAX];
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    claimed = longest;
    alice = 4294967293;
    const char *by = asked(4294967294, "4294967293");
    assert_string_equal(by + sizeof longest - 1, ", says alice (4294967293) as uid 4294967294");
}
