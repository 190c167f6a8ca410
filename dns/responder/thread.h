// Threads as the responder wants them: named, without signals (they are the main thread's), and
// yielding to the main thread when there is not enough processor for both, so that however many
// queries come, a withdrawal is not late.
#pragma once

#include <pthread.h>

// 0, or -1 and errno.
int dns_thread_start(pthread_t *out, void *(*run)(void *arg), void *arg);

// The first thing that such a thread does; name: at most 15 characters.
void dns_thread_begin(const char *name);
