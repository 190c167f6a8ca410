// A test is a sentence about behaviour and its proof, in one place:
//
//     TEST(a_drained_service_is_withdrawn_after_its_grace)
//     {
//         ...
//     }
//
// It enters itself into its program's one group of tests, which run in the order of the file. A
// program is a file of tests, linked with tests/test.c, which has its main(): `build/test_x` runs
// all of them, `build/test_x 'PATTERN'...` those whose names have that in them (* and ? as in a
// shell). Underneath it is cmocka: its assertions, its `void **state`, its output.
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

// Both return 0, or another value when they fail; either may be NULL.
struct test_fixture {
    CMFixtureFunction setup, teardown;
};

struct test {
    const char *name;
    void (*run)(void **state);
    const struct test_fixture *fixture;
    void *state;         // what *state is at first
    void (*begin)(void); // called once for all tests that have it, before anything else
    int line;
    struct test *next;
};

// Around each of the file's tests: TEST_FIXTURE(start, stop); once, at the file's top level.
static const struct test_fixture test_fixture __attribute__((unused));
#define TEST_FIXTURE(setup, teardown)                                                              \
    static const struct test_fixture test_fixture = {(setup), (teardown)}

// Around all of them, once: TEST_GROUP(make_keys, drop_keys);
#define TEST_GROUP(setup, teardown)                                                                \
    __attribute__((constructor)) static void enter_group(void)                                     \
    {                                                                                              \
        test_enter_group(&(const struct test_fixture){(setup), (teardown)});                       \
    }                                                                                              \
    struct test_fixture

#define TEST(name) TEST_ENTERED(name, name, &test_fixture, NULL, NULL)

// A test with a fixture other than the file's.
#define TEST_WITH(name, setup, teardown)                                                           \
    TEST_ENTERED(name, name, (&(const struct test_fixture){(setup), (teardown)}), NULL, NULL)

// What the others are made of. What runs may be another function than the one that follows.
#define TEST_ENTERED(name, runs, fixture, first_state, begin)                                      \
    static void name(void **);                                                                     \
    static struct test test_##name = {#name, runs, fixture, first_state, begin, __LINE__, NULL};   \
    __attribute__((constructor)) static void enter_##name(void)                                    \
    {                                                                                              \
        test_enter(&test_##name);                                                                  \
    }                                                                                              \
    static void name(void **state __attribute__((unused)))

// Raises the limit where it has to, as root the hard one too; skips the test, by name, where it
// can't.
#define test_needs_descriptors(count) test_needs_descriptors_as(__func__, count)
void test_needs_descriptors_as(const char *test, unsigned count);

void test_enter(struct test *test);
void test_enter_group(const struct test_fixture *fixture); // copied

// Runs the tests, those that argv[1] and on name if there is any, and returns the exit status. For
// a program that plays other parts too, and so needs a main() of its own.
int test_main(int argc, char **argv);
