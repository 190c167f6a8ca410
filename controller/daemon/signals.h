// Signals as something that the loop reads. A handler would interrupt its waiting, and what it had
// waited until then would count as work (probes/turns.h): a SIGHUP every now and then, and no
// silence would be held against any service.
#pragma once

#include <signal.h>
#include <uv.h>

struct signals {
    uv_poll_t poll;
    int fd;
    void (*on_signal)(void *arg, int number);
    void *arg;
};

// Keeps these signals, in this thread and in those that it starts afterwards, until signals_open().
void signals_hold(const int *numbers, size_t count);

// Takes these signals from now on, and those that are held; on_signal and arg are set. They are
// blocked in this thread and in those that it starts afterwards, so call it before there are
// others. 0, or a negative uv error: then there is nothing to close.
int signals_open(struct signals *signals, uv_loop_t *loop, const int *numbers, size_t count);
void signals_close(struct signals *signals);
