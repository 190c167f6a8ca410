// The main() of every program of tests (see test.h), and the list that its tests enter.
#include "tests/test.h"

#include "probes/aside.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

static struct test *tests;
static struct test_fixture group;

// In the file's order: that of constructors is the compiler's.
void test_enter(struct test *test)
{
    struct test **place = &tests;
    while (*place != NULL && (*place)->line <= test->line) {
        place = &(*place)->next;
    }
    test->next = *place;
    *place = test;
}

void test_enter_group(const struct test_fixture *fixture)
{
    group = *fixture;
}

static bool is_meant(const struct test *test, int argc, char **argv)
{
    char pattern[256];
    for (int i = 1; i < argc; i++) {
        snprintf(pattern, sizeof pattern, "*%s*", argv[i]);
        if (fnmatch(pattern, test->name, 0) == 0) {
            return true;
        }
    }
    return argc < 2;
}

// Work that a test left behind uses what exit() takes apart.
static void await_work_aside(void)
{
    const struct timespec a_while = {.tv_nsec = 1000000};
    while (aside_is_busy()) {
        nanosleep(&a_while, NULL);
    }
}

static void begin(const struct test *test)
{
    static void (*begun)(void);
    if (test->begin != NULL && test->begin != begun) {
        begun = test->begin;
        begun();
    }
}

int test_main(int argc, char **argv)
{
    size_t count = 0;
    for (const struct test *test = tests; test != NULL; test = test->next) {
        count++;
    }
    struct CMUnitTest *meant = calloc(count + 1, sizeof *meant);
    if (meant == NULL) {
        perror(program_invocation_short_name);
        return 1;
    }
    count = 0;
    for (const struct test *test = tests; test != NULL; test = test->next) {
        if (is_meant(test, argc, argv)) {
            begin(test);
            meant[count++] = (struct CMUnitTest){test->name, test->run, test->fixture->setup,
                                                 test->fixture->teardown, test->state};
        }
    }
    if (count == 0) {
        fprintf(stderr, "%s: no test has such a name\n", program_invocation_short_name);
    }
    int failed = count == 0 ? 1
                            : _cmocka_run_group_tests(program_invocation_short_name, meant, count,
                                                      group.setup, group.teardown);
    free(meant);
    await_work_aside();
    return failed;
}

__attribute__((weak)) int main(int argc, char **argv)
{
    return test_main(argc, argv);
}

void test_needs_descriptors_as(const char *test, unsigned count)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    if (limit.rlim_cur >= count) {
        return;
    }
    limit.rlim_cur = count;
    limit.rlim_max = limit.rlim_max > count ? limit.rlim_max : count;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) {
        print_message("skipped: %s: it needs %u descriptors (ulimit -n)\n", test, count);
        skip();
    }
}
