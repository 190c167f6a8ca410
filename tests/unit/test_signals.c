// Signals on the loop: heard, and no work of its own.
#include "controller/daemon/signals.h"

#include "probes/turns.h"

#include "tests/unit/guard.h"
#include "tests/unit/own_clock.h"

#include <pthread.h>
#include <stdlib.h>

#define ROUNDS  10
#define WAIT_MS 15 // longer than what makes a turn a long one

static uv_loop_t loop;
static struct signals signals;
static unsigned heard[NSIG];
static unsigned close_at; // closed in the event after so many; 0: not

static void on_signal(void *arg, int number)
{
    unsigned *total = arg;
    heard[number]++;
    if (++*total == close_at) {
        signals_close(&signals);
    }
}

static unsigned total;

static int start(void **state)
{
    static const int numbers[] = {SIGHUP, SIGTERM};
    (void)state;
    guard_begin();
    memset(heard, 0, sizeof heard);
    total = close_at = 0;
    signals = (struct signals){.on_signal = on_signal, .arg = &total};
    assert_int_equal(uv_loop_init(&loop), 0);
    return signals_open(&signals, &loop, numbers, 2);
}

static int stop(void **state)
{
    (void)state;
    if (!uv_is_closing((uv_handle_t *)&signals.poll)) {
        signals_close(&signals);
    }
    uv_run(&loop, UV_RUN_DEFAULT);
    return uv_loop_close(&loop);
}

TEST_FIXTURE(start, stop);

TEST(each_signal_is_heard_with_its_number)
{
    kill(getpid(), SIGHUP);
    kill(getpid(), SIGTERM);
    guard_awaits("two signals");
    while (total < 2) {
        uv_run(&loop, UV_RUN_ONCE);
    }
    assert_int_equal(heard[SIGHUP], 1);
    assert_int_equal(heard[SIGTERM], 1);
}

TEST(one_that_came_while_it_was_held_is_heard_then)
{
    static const int numbers[] = {SIGUSR1};
    struct signals later = {.on_signal = on_signal, .arg = &total};
    signals_hold(numbers, 1);
    kill(getpid(), SIGUSR1);
    assert_int_equal(signals_open(&later, &loop, numbers, 1), 0);
    guard_awaits("a signal");
    while (total < 1) {
        uv_run(&loop, UV_RUN_ONCE);
    }
    assert_int_equal(heard[SIGUSR1], 1);
    signals_close(&later);
    uv_run(&loop, UV_RUN_NOWAIT);
}

TEST(they_may_be_closed_in_the_event_of_one)
{
    close_at = 1;
    kill(getpid(), SIGHUP);
    kill(getpid(), SIGTERM);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(total, 1);
}

static void *send_signals(void *arg)
{
    for (unsigned i = 0; i < ROUNDS; i++) {
        usleep(WAIT_MS * 1000);
        atomic_store((atomic_bool *)arg, i == ROUNDS - 1); // who waits then is woken once more
        kill(getpid(), SIGHUP);
    }
    return NULL;
}

static void on_gone(void *owner)
{
    *(bool *)owner = true;
}

// What the loop waits is no work, whatever ends its waiting: else nobody's silence would count.
TEST(waiting_that_signals_end_is_not_taken_for_work)
{
    pthread_t sender;
    atomic_bool sent = false;
    bool gone = false;
    struct turns turns = {.owner = &gone, .on_free = on_gone};
    turns_open(&turns, &loop);
    assert_int_equal(pthread_create(&sender, NULL, send_signals, &sent), 0);
    guard_awaits("signals");
    while (!sent || total == 0) {
        uv_run(&loop, UV_RUN_ONCE);
    }
    pthread_join(sender, NULL);
    uv_run(&loop, UV_RUN_NOWAIT);
    assert_int_equal(turns_long(&turns, uv_hrtime()).held_ns, 0);
    assert_int_equal(turns_longest_ns(&turns), 0);
    turns_close(&turns);
    while (!gone) {
        uv_run(&loop, UV_RUN_NOWAIT);
    }
}
