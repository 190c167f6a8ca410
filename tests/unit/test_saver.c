// The saver: one save at a time in a worker, and of those that wait only the newest.
#include "controller/daemon/saver.h"

#include "tests/test.h"

#include <stdio.h>
#include <string.h>

static uv_loop_t loop;
static struct saver *saver;
static uv_sem_t may_write;
static char written[256]; // by the worker: the texts, one after another
static char told[256];    // on the loop: versions and errors

static int write_it(void *arg, const char *directory, const char *text, size_t length,
                    char error[ERROR_MAX])
{
    (void)arg;
    uv_sem_wait(&may_write);
    size_t used = strlen(written);
    snprintf(written + used, sizeof written - used, "%s:%.*s ", directory,
             text != NULL ? (int)length : 9, text != NULL ? text : "(removed)");
    if (text == NULL || strncmp(text, "bad", 3) != 0) {
        return 0;
    }
    snprintf(error, ERROR_MAX, "can't save %s", text);
    return -5;
}

static void on_done(void *arg, uint64_t version, const char *error)
{
    (void)arg;
    size_t used = strlen(told);
    snprintf(told + used, sizeof told - used, "%d%s%s ", (int)version, error != NULL ? " " : "",
             error != NULL ? error : "");
}

static int start(void **state)
{
    (void)state;
    written[0] = told[0] = '\0';
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(uv_sem_init(&may_write, 0), 0);
    saver = saver_new(&loop, "dir", write_it, on_done, NULL);
    assert_non_null(saver);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    saver_free(saver);
    uv_sem_destroy(&may_write);
    return uv_loop_close(&loop);
}

TEST_FIXTURE(start, stop);

static void submit(const char *text, uint64_t version)
{
    saver_submit(saver, text, text != NULL ? strlen(text) : 0, version);
}

static void let_it_write(unsigned times)
{
    for (unsigned i = 0; i < times; i++) {
        uv_sem_post(&may_write);
    }
    uv_run(&loop, UV_RUN_DEFAULT);
}

TEST(a_save_is_told_when_it_is_done)
{
    char text[] = "one";
    submit(text, 1);
    strcpy(text, "xxx"); // it was copied
    assert_false(saver_idle(saver));
    assert_string_equal(told, "");
    let_it_write(1);
    assert_true(saver_idle(saver));
    assert_string_equal(written, "dir:one ");
    assert_string_equal(told, "1 ");
}

TEST(of_those_that_wait_the_newest_wins)
{
    submit("one", 1);
    submit("two", 2);
    submit("three", 3);
    submit("four", 4);
    let_it_write(2);
    assert_string_equal(written, "dir:one dir:four ");
    assert_string_equal(told, "1 4 ");
}

TEST(an_error_is_told_of_the_save_that_had_it)
{
    submit("bad one", 1);
    submit("two", 2);
    submit("bad three", 3);
    submit("four", 4);
    let_it_write(2);
    assert_string_equal(told, "1 can't save bad one 4 ");
    submit("bad five", 5);
    submit("bad six", 6);
    let_it_write(2);
    assert_string_equal(told, "1 can't save bad one 4 5 can't save bad five 6 can't save bad six ");
}

TEST(no_text_removes_the_file)
{
    submit("one", 1);
    submit(NULL, 2);
    let_it_write(2);
    assert_string_equal(written, "dir:one dir:(removed) ");
    assert_string_equal(told, "1 2 ");
}
