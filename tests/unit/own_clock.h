// Time as a test has it: it stands still while anything runs, however busy the machine is, and
// passes only while a loop sleeps.
//
// This program's clock_gettime(), epoll_wait() and epoll_pwait() come before the C library's, for
// libuv and libcurl too.
#pragma once

#include "base/clock.h"
#include "tests/test.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define OWN_CLOCK_LOOK_MS 5 // how often stands_still is asked

static struct {
    _Atomic uint64_t now_ns;
    uint64_t worked_ns; // of the processor's time, the test's thread has had so much
    // Where all that may come comes from this process, and is there at once (pipes, Unix sockets):
    // a loop that would sleep finds the time over, without any sleep. Else it passes as it really
    // does.
    bool jumps;
    // While this says so (NULL: never), no time passes, whoever sleeps.
    bool (*stands_still)(void);
    _Atomic time_t wall_step_s; // the wall clock differs by so much
    _Atomic unsigned wall_reads;
} own_clock = {.now_ns = 1000000 * NS_PER_S};

static inline uint64_t own_clock_real_ns(clockid_t clock)
{
    struct timespec now;
    (void)syscall(SYS_clock_gettime, clock, &now); // can't fail
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static inline void own_clock_pass_ns(uint64_t ns)
{
    own_clock.now_ns += ns;
}

// The same, and the thread has worked all the while.
static inline void own_clock_work_ns(uint64_t ns)
{
    own_clock.worked_ns += ns;
    own_clock_pass_ns(ns);
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    bool wall = clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE;
    if (clock == CLOCK_THREAD_CPUTIME_ID) {
        *now = (struct timespec){.tv_sec = (time_t)(own_clock.worked_ns / NS_PER_S),
                                 .tv_nsec = (long)(own_clock.worked_ns % NS_PER_S)};
        return 0;
    }
    if (!wall && clock != CLOCK_MONOTONIC && clock != CLOCK_MONOTONIC_COARSE) {
        return (int)syscall(SYS_clock_gettime, clock, now);
    }
    uint64_t ns = wall ? own_clock_real_ns(clock) : own_clock.now_ns;
    *now = (struct timespec){.tv_sec = (time_t)(ns / NS_PER_S), .tv_nsec = (long)(ns % NS_PER_S)};
    now->tv_sec += wall ? own_clock.wall_step_s : 0;
    own_clock.wall_reads += wall;
    return 0;
}

// The kernel's word, waiting for no longer than that; -1 ms: for ever.
static inline int own_clock_wait(int epoll, struct epoll_event *events, int room, int wait_ms,
                                 const sigset_t *mask)
{
    return (int)syscall(SYS_epoll_pwait, epoll, events, room, wait_ms, mask, (size_t)8);
}

static inline bool own_clock_stands_still(void)
{
    return own_clock.stands_still != NULL && own_clock.stands_still();
}

int epoll_pwait(int epoll, struct epoll_event *events, int room, int wait_ms, const sigset_t *mask)
{
    int count = own_clock_wait(epoll, events, room, 0, mask);
    while (count == 0 && wait_ms != 0 && own_clock_stands_still()) {
        count = own_clock_wait(epoll, events, room, OWN_CLOCK_LOOK_MS, mask);
    }
    if (count != 0 || wait_ms == 0) {
        return count;
    }
    if (own_clock.jumps) {
        if (wait_ms < 0) {
            fail_msg("the loop would sleep for ever: nothing is due, and nothing can come");
        }
        own_clock_pass_ns((uint64_t)wait_ms * NS_PER_MS);
        return 0;
    }
    uint64_t began_ns = own_clock_real_ns(CLOCK_MONOTONIC);
    count = own_clock_wait(epoll, events, room, wait_ms, mask);
    int number = errno;
    uint64_t slept_ns = own_clock_real_ns(CLOCK_MONOTONIC) - began_ns;
    uint64_t most_ns = wait_ms < 0 ? UINT64_MAX : (uint64_t)wait_ms * NS_PER_MS;
    // Who is woken late has not slept longer for it, and who was not woken has slept to the end.
    own_clock_pass_ns(count == 0 || slept_ns > most_ns ? most_ns : slept_ns);
    errno = number;
    return count;
}

int epoll_wait(int epoll, struct epoll_event *events, int room, int wait_ms)
{
    return epoll_pwait(epoll, events, room, wait_ms, NULL);
}
