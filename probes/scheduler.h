// Runs probes, across changes of the configuration: who is there, what they share, and who hears of
// their verdicts. What one probe does is in probes/life.h.
#pragma once

#include "probes/conf.h"
#include "probes/verdict.h"

#include <time.h>
#include <uv.h>

struct scheduler;
struct turns; // see probes/turns.h

// Called on the loop for each verdict; index is the probe's place in the array last applied.
typedef void (*scheduler_verdict_cb)(void *arg, size_t index, const struct verdict *verdict);

// NULL only when out of memory.
struct scheduler *scheduler_new(uv_loop_t *loop, scheduler_verdict_cb on_verdict, void *arg);

// Runs just these probes from now on: those with the name and fingerprint of a running one go on
// without a break (their conf pointer moves to the new one), others are closed and opened. 0 or
// UV_ENOMEM (nothing changed).
int scheduler_apply(struct scheduler *scheduler, const struct probe_conf *const *probes,
                    size_t count);

// The same in two steps, for whoever can't let the loop wait. First, from any thread, all that
// takes time or may fail: former are the probes last applied. NULL when out of memory.
struct scheduler_plan *scheduler_plan(struct scheduler *scheduler,
                                      const struct probe_conf *const *former, size_t former_count,
                                      const struct probe_conf *const *probes, size_t count);
void scheduler_plan_free(struct scheduler_plan *plan); // one that is not carried out

// Then, on the loop; takes the plan over. Probes are closed and opened over the next turns, a few
// in each. Nobody hears any more of those that are to be closed, but they look at the former
// configuration until on_settled, which may come before this returns (or, after scheduler_close(),
// never). Another plan is carried out after that only.
void scheduler_carry_out(struct scheduler *scheduler, struct scheduler_plan *plan,
                         void (*on_settled)(void *arg), void *arg);

// While fast, checks are fast_interval apart instead of interval (the health is unsettled).
void scheduler_set_fast(struct scheduler *scheduler, size_t index, bool fast);

// The state of a probe's crash watch, for operators: "off", "tcp connection held", "kernel
// notifications", "not available: <why>", or two of them; returns out.
const char *scheduler_watch_text(const struct scheduler *scheduler, size_t index,
                                 char out[WATCH_TEXT_MAX]);

// What keeps the prober from seeing anything, so that no bad verdict counts; NULL: nothing. Valid
// until the loop goes on.
const char *scheduler_trouble(struct scheduler *scheduler);

// How the loop's time goes.
struct turns *scheduler_turns(struct scheduler *scheduler);

// When the certificate that the probe last saw ends to be valid; 0: there is none.
time_t scheduler_not_after(const struct scheduler *scheduler, size_t index);

// Closes every probe; on_closed (may be NULL) when the last handle is gone and scheduler is freed.
void scheduler_close(struct scheduler *scheduler, void (*on_closed)(void *arg), void *arg);
