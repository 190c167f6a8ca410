// One probe's life: the pause before a check, the check and its time, the verdict, the crash watch.
// What the probe's type sees of it is in probes/probe.h.
//
//     NEW ──run──▶ WAITING ──timer, trigger──▶ CHECKING ──verdict, timeout──▶ WAITING
//     any of these ──stop──▶ CLOSING
//
// Promises: one verdict for each check; no check of a probe begins before its last one has ended; a
// closing probe is silent, and never looks at its configuration again. Nothing is allocated but in
// probe_new().
#pragma once

#include "probes/probe.h"
#include "probes/selfcheck.h"
#include "probes/starts.h"
#include "probes/turns.h"
#include "probes/udp_watch.h"

// What all probes of a loop have in common, and who hears of them. It outlives them.
struct probe_host {
    uv_loop_t *loop;
    struct turns turns;
    struct starts starts; // of checks
    struct selfcheck selfcheck;
    void *owner;
    // A verdict of the probe at this index. The probe may be stopped from within.
    void (*on_verdict)(void *owner, size_t index, const struct verdict *verdict);
    void (*on_gone)(void *owner); // a stopped probe is, and its memory
};

// spread, below PROBE_SPREAD, says when in its first interval the probe begins. NULL when out of
// memory. From any thread: of host, only its address is taken.
#define PROBE_SPREAD 65536u
struct probe *probe_new(struct probe_host *host, const struct probe_conf *conf, uint64_t spread);

// For a probe that never ran.
void probe_free(struct probe *probe);
bool probe_runs(const struct probe *probe); // it did, and was not stopped

// Begins with the first pause.
void probe_run(struct probe *probe);

// Its place and its configuration from now on; a running probe's has the same fingerprint as
// before.
void probe_place(struct probe *probe, size_t index, const struct probe_conf *conf);

// While fast, checks are fast_interval apart instead of interval.
void probe_set_fast(struct probe *probe, bool fast);

// Drops the check in progress and closes all handles. on_gone follows, in a later turn of the loop.
void probe_stop(struct probe *probe);

// As watch_text().
const char *probe_watch_text(const struct probe *probe, const struct udp_watch *udp,
                             char out[WATCH_TEXT_MAX]);

// When the certificate that it last saw ends to be valid; 0: there is none.
time_t probe_seen_not_after(const struct probe *probe);
