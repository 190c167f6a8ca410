// The crash watch of one probe: polling finds a hang, the kernel tells of a crash.
//
// While the probe passes, a TCP target (or where the probe's URL leads) is held by one idle
// connection; its end is told at once, so that a check follows. A server that ends idle connections
// costs that one check: the connection is made again when the probe has passed, after a pause that
// grows up to a minute where they don't last. UDP targets share one watch, see
// probes/udp_targets.h.
#pragma once

#include "probes/channel.h"
#include "probes/conf.h"
#include "probes/udp_watch.h"
#include "probes/verdict.h"

struct watch {
    uv_loop_t *loop;
    struct channel channel;
    bool connected, ended, closing; // ended: by the server, at least once
    enum verdict_kind last;         // that was known
    int error;                      // of our own, why there is no connection; 0: none
    size_t received;                // bytes that the server sent unasked
    bool undecided; // the last connection has ended, and no verdict has said whether by a crash
    uint64_t since_ns, lasted_ns, again_ns, pause_ns;
    bool elsewhere;        // a UDP target: not on this host, whose kernel tells nothing of it
    uint64_t looked_at_ns; // when that was asked; 0: never
    void *owner;
    void (*on_ended)(void *owner), (*on_free)(void *owner);
};

// on_ended: the held connection has ended, for no reason of ours; from the loop. on_free:
// watch_close() has freed what it held.
void watch_init(struct watch *watch, uv_loop_t *loop, void *owner, void (*on_ended)(void *owner),
                void (*on_free)(void *owner));

// What of PROBE_WATCH_* the probe wants.
unsigned watch_wanted(const struct probe_conf *conf);

// The probe has a verdict: makes a connection, if one is to be held and is not. False: it could not
// be made, for no reason of ours.
bool watch_verdict(struct watch *watch, const struct probe_conf *conf, enum verdict_kind kind,
                   uint64_t now_ns);

// False: nothing was held, and on_free is not called.
bool watch_close(struct watch *watch);

// "off", "tcp connection held", "kernel notifications", "not available: <why>", or two of them.
const char *watch_text(const struct watch *watch, const struct probe_conf *conf,
                       const struct udp_watch *udp, char out[WATCH_TEXT_MAX]);
