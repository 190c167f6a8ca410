// See life.h.
//
// A trigger (the crash watch) makes a probe alert. It is checked at once; a check in progress
// begins anew, as its question may have died with the server; and while the checks fail otherwise
// than by refusal, some more follow in short order: a server of several processes does not die all
// at once. A refusal of an alert probe is definitive.
//
// A type whose open() failed has nothing left to close. What a type needs of its configuration it
// reads through probe_conf() each time: a reload may have moved it.
#include "probes/life.h"

#include "base/clock.h"
#include "base/random.h"
#include "probes/judge.h"
#include "probes/system_error.h"
#include "probes/watch.h"

#include <assert.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALERT_CHECKS 6
#define RESTARTS_MAX 8  // of one check
#define TRIGGERS_MAX 32 // in a second; polling goes on without more

enum phase { PHASE_NEW, PHASE_WAITING, PHASE_CHECKING, PHASE_CLOSING };

struct probe {
    struct probe_host *host;
    const struct probe_type *type;
    const struct probe_conf *conf; // NULL once closing
    size_t index;
    uv_timer_t timer;
    enum phase phase;
    bool opened;       // by its type
    bool started;      // at least once
    bool fast;         // fast_interval instead of interval
    bool triggered;    // a check is wanted as soon as possible
    bool last_look;    // the check's time is over, see on_timer()
    unsigned alert;    // checks that still count as triggered, the one in progress too
    unsigned restarts; // of the check in progress
    unsigned triggers; // since triggers_since_ns
    uint64_t triggers_since_ns;
    struct start start; // of the next check, while it is due
    struct watch watch;
    unsigned handles;        // not yet closed: the timer, the watch's, the type's
    uint64_t spread;         // of the first start, in units of the interval / PROBE_SPREAD
    uint64_t base_ns;        // the last start, or when the probe began to run
    uint64_t idle_ns;        // of the loop, as the check began
    struct turns_long turns; // likewise
    bool given;              // more than its timeout, to the check
    uint64_t own_ns;         // that the check waited for ourselves
    time_t not_after;        // of the certificate that was seen last; 0: none
    alignas(max_align_t) unsigned char state[];
};

static void on_timer(uv_timer_t *timer);

// ---- When

// The timer goes off after after_ns, or a little later, never earlier.
static void arm(struct probe *probe, uint64_t after_ns)
{
    uint64_t after_ms = after_ns == 0 ? 0 : after_ns / NS_PER_MS + 1;
    uv_update_time(probe->host->loop);
    int error = uv_timer_start(&probe->timer, on_timer, after_ms, 0);
    assert(error == 0);
    (void)error;
}

// The pause from one start to the next. Jitter only shortens it, so that the interval is a bound.
static uint64_t period_ns(const struct probe *probe)
{
    const struct probe_conf *conf = probe->conf;
    uint64_t interval = conf->interval_ms;
    uint64_t jitter = conf->jitter_ms ? conf->jitter_ms : interval / 10;
    if (probe->fast && conf->fast_interval_ms < interval) {
        interval = conf->fast_interval_ms;
        jitter = jitter < interval / 10 ? jitter : interval / 10;
    }
    if (!probe->started) {
        return interval * NS_PER_MS / PROBE_SPREAD * probe->spread;
    }
    return interval * NS_PER_MS - random_upto(jitter * NS_PER_MS);
}

// Before the next check, by how many are left. A dying process closes its connections before its
// listeners: a check that came between is reset when the listener goes, and has waited long enough.
// Twice, for who has several listeners; then for several processes, which die one by one. The
// loop's timers round up to the next millisecond.
static const uint64_t alert_pause_ns[ALERT_CHECKS] = {
    [3] = 1 * NS_PER_MS, [2] = 2 * NS_PER_MS, [1] = 8 * NS_PER_MS};

static void arm_next(struct probe *probe)
{
    uint64_t now_ns = uv_hrtime();
    uint64_t due_ns = probe->triggered ? now_ns
                      : probe->alert   ? now_ns + alert_pause_ns[probe->alert]
                                       : probe->base_ns + period_ns(probe);
    arm(probe, due_ns > now_ns ? due_ns - now_ns : 0);
}

// ---- Verdicts

// How long the loop was busy, not waiting, since the check began.
static uint64_t busy_ns(const struct probe *probe, uint64_t now_ns)
{
    uint64_t elapsed = now_ns - probe->base_ns;
    uint64_t idle = turns_idle_ns(&probe->host->turns) - probe->idle_ns;
    return elapsed > idle ? elapsed - idle : 0;
}

// Long turns since the check began.
static struct turns_long long_turns(const struct probe *probe, uint64_t now_ns)
{
    return turns_since(&probe->host->turns, &probe->turns, now_ns);
}

static struct course course_of(const struct probe *probe, struct awaited awaited, uint64_t now_ns)
{
    struct turns_long turns = long_turns(probe, now_ns);
    return (struct course){
        .timeout_ms = probe->conf->timeout_ms,
        .max_latency_ms = probe->conf->max_latency_ms,
        .took_ns = now_ns - probe->base_ns,
        .busy_ns = busy_ns(probe, now_ns),
        .held_ns = turns.held_ns,
        .worked_ns = turns.worked_ns,
        .given = probe->given,
        .alert = probe->alert > 0,
        .awaited = awaited,
    };
}

// said NULL: nothing was, and awaited says what.
static void finish(struct probe *probe, const struct finding *said, struct awaited awaited)
{
    struct probe_host *host = probe->host;
    struct verdict verdict = {.at_ns = uv_hrtime()};
    struct course course = course_of(probe, awaited, verdict.at_ns);
    assert(probe->phase == PHASE_CHECKING);
    judge(&course, said, &verdict);
    const char *sick = verdict_is_bad(&verdict) && !probe->type->local
                           ? selfcheck_run(&host->selfcheck, verdict.at_ns)
                           : NULL;
    if (sick != NULL) {
        judge_sick(sick, &verdict);
    }
    bool over = verdict.definitive || verdict.kind > VERDICT_FAIL;
    probe->alert = probe->alert == 0 || over ? 0 : probe->alert - 1;
    probe->restarts = 0;
    probe->phase = PHASE_WAITING;
    host->on_verdict(host->owner, probe->index, &verdict);
    // The callback may have closed it or, through a trigger, armed it; once more does no harm.
    if (probe->phase == PHASE_WAITING) {
        if (!watch_verdict(&probe->watch, probe->conf, verdict.kind, verdict.at_ns)) {
            probe_trigger(probe);
        }
        arm_next(probe);
    }
}

void probe_verdict(struct probe *probe, enum verdict_kind kind, const char *code, const char *cause,
                   ...)
{
    struct finding said = {.kind = kind};
    va_list arguments;
    va_start(arguments, cause);
    snprintf(said.code, sizeof said.code, "%s", code);
    vsnprintf(said.cause, sizeof said.cause, cause, arguments);
    va_end(arguments);
    finish(probe, &said, (struct awaited){.own_ns = probe->own_ns});
}

void probe_error(struct probe *probe, int error, const char *attempted)
{
    struct finding said;
    finding_error(&said, error, attempted);
    finish(probe, &said, (struct awaited){.own_ns = probe->own_ns});
}

void probe_waited_for_ourselves(struct probe *probe, uint64_t ns)
{
    probe->own_ns = ns;
}

// ---- Checks

static void begin(struct probe *probe)
{
    starts_forget(&probe->host->starts, &probe->start);
    probe->phase = PHASE_CHECKING;
    probe->started = true;
    probe->last_look = false;
    probe->own_ns = 0;
    probe->alert = probe->triggered ? ALERT_CHECKS : probe->alert;
    probe->triggered = false;
    probe->base_ns = uv_hrtime();
    probe->idle_ns = turns_idle_ns(&probe->host->turns);
    probe->turns = turns_long(&probe->host->turns, probe->base_ns);
    probe->given = false;
    if (!probe->opened) {
        int error = probe->type->open != NULL ? probe->type->open(probe) : 0;
        if (error) {
            probe_verdict(probe, VERDICT_UNKNOWN, "local", "setting up the %s probe: %s",
                          probe->type->name, uv_strerror(error));
            return;
        }
        probe->opened = true;
    }
    arm(probe, probe->conf->timeout_ms * NS_PER_MS);
    probe->type->start(probe);
}

static void begin_one(void *owner)
{
    begin(owner);
}

static bool gives_time(struct probe *probe)
{
    struct course course = course_of(probe, (struct awaited){.what = NULL}, uv_hrtime());
    uint64_t more_ns = judge_more_ns(&course);
    if (more_ns == 0) {
        return false;
    }
    probe->given = true;
    arm(probe, more_ns);
    return true;
}

static void on_timer(uv_timer_t *timer)
{
    struct probe *probe = timer->data;
    if (probe->phase == PHASE_WAITING) {
        starts_now(&probe->host->starts, &probe->start);
    } else if (probe->triggered && probe->restarts < RESTARTS_MAX) {
        probe->restarts++;
        (void)probe->type->cancel(probe);
        begin(probe);
    } else if (!probe->last_look && gives_time(probe)) {
        return;
    } else if (!probe->last_look) {
        // The loop runs timers before it reads sockets: after a stall the answer may be there, not
        // yet read. It is, before the timer goes off once more.
        probe->last_look = true;
        arm(probe, 1);
    } else {
        finish(probe, NULL, probe->type->cancel(probe));
    }
}

static bool may_trigger(struct probe *probe)
{
    uint64_t now_ns = uv_hrtime();
    if (now_ns - probe->triggers_since_ns >= NS_PER_S) {
        probe->triggers_since_ns = now_ns;
        probe->triggers = 0;
    }
    return probe->triggers++ < TRIGGERS_MAX;
}

static void trigger(struct probe *probe, void (*start)(struct starts *, struct start *))
{
    if (probe->phase == PHASE_CLOSING || !may_trigger(probe)) {
        return;
    }
    probe->triggered = true;
    if (probe->phase == PHASE_WAITING) {
        start(&probe->host->starts, &probe->start);
    } else if (probe->phase == PHASE_CHECKING && probe->restarts < RESTARTS_MAX) {
        arm(probe, 0); // not from here: the type may be in the middle of start()
    }
}

void probe_trigger(struct probe *probe)
{
    trigger(probe, starts_soon);
}

const struct probe_conf *probe_conf(const struct probe *probe)
{
    assert(probe->conf);
    return probe->conf;
}

void *probe_state(struct probe *probe)
{
    return probe->state;
}

uv_loop_t *probe_loop(const struct probe *probe)
{
    return probe->host->loop;
}

// ---- Birth and death

static void handle_gone(struct probe *probe)
{
    assert(probe->phase == PHASE_CLOSING && probe->handles > 0);
    if (--probe->handles > 0) {
        return;
    }
    struct probe_host *host = probe->host;
    free(probe);
    host->on_gone(host->owner);
}

static void on_watch_ended(void *owner)
{
    trigger(owner, starts_now);
}

static void on_watch_free(void *owner)
{
    handle_gone(owner);
}

struct probe *probe_new(struct probe_host *host, const struct probe_conf *conf, uint64_t spread)
{
    struct probe *probe = calloc(1, sizeof *probe + conf->type->state_size);
    if (probe == NULL) {
        return NULL;
    }
    probe->host = host;
    probe->type = conf->type;
    probe->conf = conf;
    probe->spread = spread;
    probe->start = (struct start){.owner = probe, .run = begin_one};
    return probe;
}

void probe_free(struct probe *probe)
{
    assert(!probe || probe->phase == PHASE_NEW);
    free(probe);
}

bool probe_runs(const struct probe *probe)
{
    return probe->phase != PHASE_NEW && probe->phase != PHASE_CLOSING;
}

void probe_run(struct probe *probe)
{
    int error = uv_timer_init(probe->host->loop, &probe->timer);
    assert(error == 0);
    (void)error;
    assert(probe->phase == PHASE_NEW);
    probe->timer.data = probe;
    probe->handles = 1;
    watch_init(&probe->watch, probe->host->loop, probe, on_watch_ended, on_watch_free);
    probe->phase = PHASE_WAITING;
    probe->base_ns = uv_hrtime();
    arm_next(probe);
}

void probe_closed(struct probe *probe)
{
    handle_gone(probe);
}

static void on_timer_closed(uv_handle_t *handle)
{
    handle_gone(handle->data);
}

void probe_stop(struct probe *probe)
{
    bool checking = probe->phase == PHASE_CHECKING;
    assert(probe_runs(probe));
    probe->phase = PHASE_CLOSING;
    // The timer's handle is gone in a later turn of the loop only, so the probe outlives this call.
    uv_close((uv_handle_t *)&probe->timer, on_timer_closed);
    starts_forget(&probe->host->starts, &probe->start);
    probe->handles += watch_close(&probe->watch);
    if (checking && probe->opened) {
        (void)probe->type->cancel(probe);
    }
    if (probe->opened && probe->type->close != NULL) {
        probe->handles++;
        probe->type->close(probe);
    }
    probe->conf = NULL;
}

// ---- What its owner may change and ask

void probe_place(struct probe *probe, size_t index, const struct probe_conf *conf)
{
    probe->index = index;
    probe->conf = conf;
}

void probe_set_fast(struct probe *probe, bool fast)
{
    if (probe->fast == fast) {
        return;
    }
    probe->fast = fast;
    if (probe->phase == PHASE_WAITING) {
        arm_next(probe);
    }
}

const char *probe_watch_text(const struct probe *probe, const struct udp_watch *udp,
                             char out[WATCH_TEXT_MAX])
{
    return watch_text(&probe->watch, probe->conf, udp, out);
}

void probe_not_after(struct probe *probe, time_t not_after)
{
    probe->not_after = not_after;
}

time_t probe_seen_not_after(const struct probe *probe)
{
    return probe->not_after;
}
