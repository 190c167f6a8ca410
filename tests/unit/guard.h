// A bound on waiting for what never comes when something is broken: the program ends, and says what
// it waited for. No machine is so slow that it matters otherwise.
#pragma once

#include <signal.h>
#include <string.h>
#include <unistd.h>

#define GUARD_S 30 // for each test

static const char *volatile guard_awaited = "the end of the test";

static inline void guard_over(int signal)
{
    static const char words[] = "\nafter 30 s this test still waits in vain for ";
    (void)signal;
    (void)!write(STDERR_FILENO, words, sizeof words - 1);
    (void)!write(STDERR_FILENO, guard_awaited, strlen(guard_awaited));
    (void)!write(STDERR_FILENO, "\n", 1);
    _exit(1);
}

// At the beginning of each test.
static inline void guard_begin(void)
{
    guard_awaited = "its end";
    signal(SIGALRM, guard_over);
    alarm(GUARD_S);
}

// From here on the test waits for this; words must last.
static inline void guard_awaits(const char *words)
{
    guard_awaited = words;
}
