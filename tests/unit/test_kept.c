// Things that are read from files for all who use them, and go with the last of these.
#include "probes/kept.h"

#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

static uv_loop_t loop;
static char paths[2][32];
static unsigned alive, reads; // things

struct thing {
    unsigned holders;
};

// Aside, while the loop waits for it.
static void *read_thing(const struct kept_files *files, char problem[VERDICT_CAUSE_MAX])
{
    struct thing *thing = calloc(1, sizeof *thing);
    (void)files, (void)problem;
    thing->holders = 1;
    alive++;
    reads++;
    return thing;
}

static void hold(void *thing)
{
    ((struct thing *)thing)->holders++;
}

static void drop(void *thing)
{
    if (--((struct thing *)thing)->holders == 0) {
        free(thing);
        alive--;
    }
}

static const struct kept_kind kind = {
    .code = "thing", .read = read_thing, .hold = hold, .drop = drop};
static struct kept kept;

static int set_up(void **state)
{
    (void)state;
    alive = reads = 0;
    kept = (struct kept){.loop = &loop, .kind = &kind};
    for (size_t i = 0; i < 2; i++) {
        snprintf(paths[i], sizeof paths[i], "/tmp/popgate-kept-XXXXXX");
        close(mkstemp(paths[i]));
    }
    return uv_loop_init(&loop);
}

// Nothing is left of what nobody uses.
static int tear_down(void **state)
{
    (void)state;
    uv_run(&loop, UV_RUN_DEFAULT);
    unlink(paths[0]);
    unlink(paths[1]);
    return alive > 0 || kept.items != NULL ? -1 : uv_loop_close(&loop);
}

TEST_FIXTURE(set_up, tear_down);

struct user {
    struct kept_user kept;
    unsigned had;
    bool leaves; // as soon as it has one
};

static void on_thing(void *owner, void *thing, const struct finding *problem)
{
    struct user *user = owner;
    assert_null(problem);
    user->had++;
    drop(thing);
    if (user->leaves) {
        kept_leave(&user->kept);
    }
}

static void ask(struct user *user, size_t path)
{
    const struct kept_files files = {.paths = {paths[path]}};
    user->kept.owner = user;
    user->kept.on_thing = on_thing;
    kept_ask(&kept, &files, &user->kept);
}

static void ask_and_have(struct user *user, size_t path)
{
    unsigned had = user->had;
    ask(user, path);
    while (user->had == had) {
        uv_run(&loop, UV_RUN_ONCE);
    }
}

TEST(what_many_use_is_read_once_and_forgotten_with_the_last_of_them)
{
    struct user first = {.had = 0};
    struct user second = {.had = 0};
    ask_and_have(&first, 0);
    ask_and_have(&second, 0);
    kept_leave(&first.kept);
    ask_and_have(&second, 0);
    assert_int_equal(reads, 1);
    kept_leave(&second.kept);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(alive, 0);
    ask_and_have(&first, 0);
    assert_int_equal(reads, 2);
    kept_leave(&first.kept);
}

TEST(who_asks_for_other_files_lets_go_of_the_former)
{
    struct user user = {.had = 0};
    ask_and_have(&user, 0);
    ask_and_have(&user, 1);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(alive, 1);
    assert_int_equal(reads, 2);
    kept_leave(&user.kept);
}

TEST(who_leaves_takes_nothing_from_who_waits_beside_him)
{
    struct user first = {.leaves = true};
    struct user second = {.leaves = true};
    ask(&first, 0);
    ask(&second, 0);
    while (first.had + second.had < 2) {
        uv_run(&loop, UV_RUN_ONCE);
    }
    assert_int_equal(reads, 1);
}

TEST(what_is_read_for_somebody_who_left_is_thrown_away)
{
    struct user user = {.had = 0};
    ask(&user, 0);
    kept_leave(&user.kept);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(user.had, 0);
    while (reads == 0 || alive > 0) { // on the thread that it left behind
        usleep(1000);
    }
}
