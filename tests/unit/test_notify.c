// What the service manager is told, also when it does not read for a while.
#include "controller/daemon/notify.h"

#include "tests/test.h"
#include "tests/unit/guard.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>

static int manager;
static char heard[256];

// The kernel chooses an abstract name.
static int start(void **state)
{
    (void)state;
    guard_begin();
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    socklen_t length = sizeof address;
    char name[64];
    manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(manager, (struct sockaddr *)&address, sizeof(sa_family_t)), 0);
    assert_int_equal(getsockname(manager, (struct sockaddr *)&address, &length), 0);
    snprintf(name, sizeof name, "@%.*s", (int)(length - sizeof(sa_family_t) - 1),
             address.sun_path + 1);
    return setenv("NOTIFY_SOCKET", name, 1);
}

static int stop(void **state)
{
    (void)state;
    return close(manager);
}

TEST_FIXTURE(start, stop);

// "" if nothing was said.
static const char *hear(void)
{
    ssize_t length = recv(manager, heard, sizeof heard - 1, 0);
    heard[length > 0 ? length : 0] = '\0';
    return heard;
}

// So much that there is no room for more, as when nobody reads.
static size_t fill(void)
{
    struct sockaddr_un address;
    socklen_t length = sizeof address;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    size_t count = 0;
    assert_int_equal(getsockname(manager, (struct sockaddr *)&address, &length), 0);
    while (sendto(fd, "x", 1, 0, (struct sockaddr *)&address, length) == 1) {
        count++;
    }
    assert_int_equal(errno, EAGAIN);
    close(fd);
    return count;
}

static void read_away(size_t count)
{
    for (size_t i = 0; i < count; i++) {
        assert_string_equal(hear(), "x");
    }
}

TEST(the_manager_hears_each_thing_in_a_datagram_of_its_own)
{
    notify_state("READY=1");
    notify_status("fine");
    notify_watchdog();
    assert_string_equal(hear(), "READY=1");
    assert_string_equal(hear(), "STATUS=fine");
    assert_string_equal(hear(), "WATCHDOG=1");
    assert_string_equal(hear(), "");
}

TEST(nobody_waits_for_a_manager_that_does_not_read_and_it_hears_the_newest_later)
{
    size_t count = fill();
    notify_state("RELOADING=1");
    notify_state("READY=1");
    notify_status("a problem");
    notify_status("fine");
    notify_watchdog();
    read_away(count);
    assert_string_equal(hear(), "");
    notify_again();
    assert_string_equal(hear(), "READY=1");
    assert_string_equal(hear(), "STATUS=fine");
    assert_string_equal(hear(), "");
    notify_again();
    assert_string_equal(hear(), "");
}

TEST(without_a_manager_nothing_is_left_to_be_told)
{
    assert_int_equal(unsetenv("NOTIFY_SOCKET"), 0);
    notify_state("READY=1");
    close(manager);
    assert_int_equal(start(NULL), 0);
    notify_again();
    assert_string_equal(hear(), "");
}
