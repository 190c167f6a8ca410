#include "controller/daemon/signals.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <sys/signalfd.h>
#include <unistd.h>

static void on_readable(uv_poll_t *poll, int status, int events)
{
    const struct signals *signals = poll->data;
    struct signalfd_siginfo info;
    (void)status;
    (void)events;
    while (read(signals->fd, &info, sizeof info) == (ssize_t)sizeof info) {
        signals->on_signal(signals->arg, (int)info.ssi_signo);
        if (uv_is_closing((const uv_handle_t *)poll)) {
            return;
        }
    }
}

static void hold(const int *numbers, size_t count, sigset_t *set)
{
    sigemptyset(set);
    for (size_t i = 0; i < count; i++) {
        sigaddset(set, numbers[i]);
    }
    (void)pthread_sigmask(SIG_BLOCK, set, NULL);
}

void signals_hold(const int *numbers, size_t count)
{
    sigset_t set;
    hold(numbers, count, &set);
}

int signals_open(struct signals *signals, uv_loop_t *loop, const int *numbers, size_t count)
{
    sigset_t set;
    hold(numbers, count, &set);
    signals->fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (signals->fd < 0) {
        return -errno;
    }
    int status = uv_poll_init(loop, &signals->poll, signals->fd);
    if (status != 0) {
        close(signals->fd);
        return status;
    }
    signals->poll.data = signals;
    status = uv_poll_start(&signals->poll, UV_READABLE, on_readable);
    assert(status == 0); // the loop takes a descriptor that it could watch
    return status;
}

static void on_closed(uv_handle_t *handle)
{
    close(((const struct signals *)handle->data)->fd);
}

void signals_close(struct signals *signals)
{
    uv_close((uv_handle_t *)&signals->poll, on_closed);
}
