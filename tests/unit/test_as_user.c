// Who checks a configuration as popgated's user: named only when that is who looked.
#include "controller/daemon/as_user.h"

#include "tests/test.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define STRANGER 12345
#define SKIPPED  77

// Root of a user namespace that knows nobody else.
static bool rule_alone(void)
{
    char map[32];
    int length = snprintf(map, sizeof map, "0 %u 1", (unsigned)geteuid());
    if (unshare(CLONE_NEWUSER) != 0) {
        return false;
    }
    int fd = open("/proc/self/uid_map", O_WRONLY | O_CLOEXEC);
    bool ok = fd >= 0 && write(fd, map, (size_t)length) == length;
    close(fd);
    return ok && geteuid() == 0;
}

static int become_in_vain(const char *state_dir)
{
    char name[AS_USER_MAX] = "";
    if (!rule_alone()) {
        return SKIPPED;
    }
    return !as_user_become(state_dir, name) && name[0] == '\0' && geteuid() == 0 ? 0 : 1;
}

TEST(who_could_not_become_the_user_does_not_say_that_he_did)
{
    char directory[] = "/tmp/popgate-as-user-XXXXXX";
    int status;
    assert_non_null(mkdtemp(directory));
    bool anothers = chown(directory, STRANGER, STRANGER) == 0;
    pid_t child = fork();
    if (child == 0) {
        _exit(become_in_vain(anothers ? directory : "/")); // which is root's
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    rmdir(directory);
    if (WIFEXITED(status) && WEXITSTATUS(status) == SKIPPED) {
        skip();
    }
    assert_int_equal(status, 0);
}
