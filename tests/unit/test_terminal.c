// What standard output is: a terminal of some width, with colours or without, or something else.
#include "controller/cli/lines.h"

#include "tests/test.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define COLUMNS 132

static int former; // standard output, meanwhile

static void become(int fd)
{
    assert_true(fd >= 0);
    assert_int_equal(dup2(fd, STDOUT_FILENO), STDOUT_FILENO);
    close(fd);
}

static int set_up(void **state)
{
    static int master;
    struct winsize size = {.ws_col = COLUMNS, .ws_row = 24};
    *state = &master;
    unsetenv("COLUMNS");
    unsetenv("NO_COLOR");
    setenv("TERM", "xterm", 1);
    fflush(stdout);
    former = dup(STDOUT_FILENO);
    master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(former >= 0 && master >= 0);
    assert_int_equal(grantpt(master), 0);
    assert_int_equal(unlockpt(master), 0);
    become(open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC));
    assert_int_equal(ioctl(STDOUT_FILENO, TIOCSWINSZ, &size), 0);
    return 0;
}

static int tear_down(void **state)
{
    fflush(stdout);
    become(former);
    close(*(int *)*state);
    return 0;
}

TEST_FIXTURE(set_up, tear_down);

TEST(a_terminal_has_its_width_and_colours)
{
    (void)state;
    struct show show = show_terminal();
    assert_int_equal(show.width, COLUMNS);
    assert_true(show.colour);
}

TEST(who_can_or_wants_no_colours_gets_none)
{
    static const char *const terms[] = {"dumb", "", NULL};
    (void)state;
    for (size_t i = 0; i < sizeof terms / sizeof *terms; i++) {
        if (terms[i] != NULL) {
            setenv("TERM", terms[i], 1);
        } else {
            unsetenv("TERM");
        }
        assert_false(show_terminal().colour);
    }
    setenv("TERM", "xterm", 1);
    setenv("NO_COLOR", "1", 1);
    assert_false(show_terminal().colour);
}

TEST(what_is_no_terminal_is_neither_wrapped_nor_coloured)
{
    (void)state;
    become(open("/dev/null", O_WRONLY | O_CLOEXEC));
    struct show show = show_terminal();
    assert_int_equal(show.width, SHOW_UNWRAPPED);
    assert_false(show.colour);
    setenv("COLUMNS", "80", 1);
    assert_int_equal(show_terminal().width, 80);
}
