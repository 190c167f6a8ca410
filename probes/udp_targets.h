// The UDP targets of all probes that want to know when a server of theirs is gone: they share one
// udp_watch, and each word of the kernel's triggers those that it may be about.
#pragma once

#include "probes/udp_watch.h"

struct probe;

struct udp_target {
    const struct endpoint *endpoint; // of the probe's configuration
    struct probe *probe;
};

struct udp_targets {
    uv_loop_t *loop;
    struct udp_watch watch;
    struct udp_target *items; // by port
    size_t count;
    uint64_t tried_ns, lost_ns;
    uv_timer_t catch_up; // when more was lost within a second
    bool closing, timer_gone;
    void *owner;
    void (*on_free)(void *owner);
};

// on_free comes after udp_targets_close(), from the loop.
void udp_targets_init(struct udp_targets *targets, uv_loop_t *loop, void *owner,
                      void (*on_free)(void *owner));

// Just these from now on, in no order; takes the array over, which may be NULL if count is 0.
void udp_targets_set(struct udp_targets *targets, struct udp_target *items, size_t count);

// What could not be had is tried again, from time to time. To be called now and then.
void udp_targets_retry(struct udp_targets *targets, uint64_t now_ns);

void udp_targets_close(struct udp_targets *targets);
