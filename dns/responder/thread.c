// See thread.h.

#include "dns/responder/thread.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#define NICER 5 // than the main thread

int dns_thread_start(pthread_t *out, void *(*run)(void *arg), void *arg)
{
    sigset_t all, former;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &former); // a thread begins with its maker's mask
    int error = pthread_create(out, NULL, run, arg);
    pthread_sigmask(SIG_SETMASK, &former, NULL);
    if (error != 0) {
        errno = error;
        return -1;
    }
    return 0;
}

void dns_thread_begin(const char *name)
{
    pid_t self = gettid();
    pthread_setname_np(pthread_self(), name);
    // Linux has this for each thread, and nobody needs a privilege to be nicer.
    errno = 0;
    int present = getpriority(PRIO_PROCESS, (id_t)self);
    if (errno == 0) {
        setpriority(PRIO_PROCESS, (id_t)self, present + NICER);
    }
}
