// Runs probes. Each has one timer: it ends the pause before a check, and then the check's time. The
// scheduler owns struct probe; types see it through the functions of probes/probe.h only.
//
//     WAITING ──timer, trigger──▶ CHECKING ──verdict, timeout──▶ WAITING      any ──apply──▶
//     CLOSING
//
// Promises: one verdict for each check; no check of a probe begins before its last one has ended; a
// closing probe is silent, and never looks at its configuration again. Nothing is allocated but in
// scheduler_apply().
//
// A trigger (the crash watch) makes a probe alert. It is checked at once; a check in progress
// begins anew, as its question may have died with the server; and while the checks fail otherwise
// than by refusal, some more follow in short order: a server of several processes does not die all
// at once. A refusal of an alert probe is definitive.
//
// A type whose open() failed has nothing left to close. What a type needs of its configuration it
// reads through probe_conf() each time: a reload may have moved it.
#include "probes/scheduler.h"

#include "base/clock.h"

#include "base/random.h"
#include "probes/judge.h"
#include "probes/selfcheck.h"
#include "probes/system_error.h"
#include "probes/watch.h"

#include <assert.h>
#include <netinet/in.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SPREAD_UNIT 65536u

#define ALERT_CHECKS 6
#define RESTARTS_MAX 8  // of one check
#define TRIGGERS_MAX 32 // in a second; polling goes on without more
#define UDP_RETRY_NS (10 * NS_PER_S)
#define LONG_TURN_NS (10 * UINT64_C(1000000))

enum phase { PHASE_WAITING, PHASE_CHECKING, PHASE_CLOSING };

struct probe {
    struct scheduler *scheduler;
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
    struct watch watch;
    unsigned handles; // not yet closed: the timer, the watch's, the type's
    uint64_t spread;  // of the first start, in units of the interval / SPREAD_UNIT
    uint64_t base_ns; // the last start, or when the probe was made
    uint64_t idle_ns; // of the loop, as the check began
    uint64_t held_ns; // likewise, see held_ns()
    time_t not_after; // of the certificate that was seen last; 0: none
    alignas(max_align_t) unsigned char state[];
};

struct scheduler {
    uv_loop_t *loop;
    scheduler_verdict_cb on_verdict;
    void *arg;
    struct probe **probes; // as last applied
    size_t count;
    size_t alive; // with the closing ones, and the handles that are not of a probe
    struct selfcheck selfcheck;
    uv_prepare_t turn;
    uint64_t turn_ns, turn_idle_ns; // as the loop's turn began
    uint64_t held_ns;               // by all the long turns before it
    struct udp_watch udp;
    bool udp_wanted;
    uint64_t udp_tried_ns, udp_lost_ns;
    bool closing;
    void (*on_closed)(void *arg);
    void *closed_arg;
};

static void on_timer(uv_timer_t *timer);
static void retry_udp(struct scheduler *scheduler, uint64_t now_ns);

// ---- When

// The timer goes off after after_ns, or a little later, never earlier.
static void arm(struct probe *probe, uint64_t after_ns)
{
    uint64_t after_ms = after_ns == 0 ? 0 : after_ns / NS_PER_MS + 1;
    uv_update_time(probe->scheduler->loop);
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
        return interval * NS_PER_MS / SPREAD_UNIT * probe->spread;
    }
    return interval * NS_PER_MS - random_upto(jitter * NS_PER_MS);
}

// Before the next check, by how many are left. A dying process closes its connections before its
// listeners: a check that came between is reset when the listener goes, and has waited long enough.
// Twice, for who has several listeners; then for several processes, which die one by one. The
// loop's timers round up to the next millisecond.
static const uint64_t alert_pause_ns[ALERT_CHECKS] = {[3] = 1000000, [2] = 2000000, [1] = 8000000};

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
    uint64_t idle = uv_metrics_idle_time(probe->scheduler->loop) - probe->idle_ns;
    return elapsed > idle ? elapsed - idle : 0;
}

// How long a loop was kept from looking around by turns that were long. Many short ones, as in a
// flood, take the processor but keep nobody waiting.
static uint64_t held_ns(const struct scheduler *scheduler, uint64_t now_ns)
{
    uint64_t elapsed = now_ns - scheduler->turn_ns;
    uint64_t idle = uv_metrics_idle_time(scheduler->loop) - scheduler->turn_idle_ns;
    return scheduler->held_ns + (elapsed > idle + LONG_TURN_NS ? elapsed - idle : 0);
}

static struct course course_of(const struct probe *probe, const char *awaited, uint64_t now_ns)
{
    return (struct course){
        .timeout_ms = probe->conf->timeout_ms,
        .max_latency_ms = probe->conf->max_latency_ms,
        .took_ns = now_ns - probe->base_ns,
        .busy_ns = busy_ns(probe, now_ns),
        .held_ns = held_ns(probe->scheduler, now_ns) - probe->held_ns,
        .alert = probe->alert > 0,
        .awaited = awaited,
    };
}

// said NULL: nothing was, and awaited says what.
static void finish(struct probe *probe, const struct finding *said, const char *awaited)
{
    struct scheduler *scheduler = probe->scheduler;
    struct verdict verdict = {.at_ns = uv_hrtime()};
    const struct course course = course_of(probe, awaited, verdict.at_ns);
    assert(probe->phase == PHASE_CHECKING);
    judge(&course, said, &verdict);
    const char *sick = verdict_is_bad(&verdict) && !probe->type->local
                           ? selfcheck_run(&scheduler->selfcheck, verdict.at_ns)
                           : NULL;
    if (sick) {
        judge_sick(sick, &verdict);
    }
    bool over = verdict.definitive || verdict.kind > VERDICT_FAIL;
    probe->alert = probe->alert == 0 || over ? 0 : probe->alert - 1;
    probe->restarts = 0;
    probe->phase = PHASE_WAITING;
    scheduler->on_verdict(scheduler->arg, probe->index, &verdict);
    // The callback may have closed it or, through a trigger, armed it; once more does no harm.
    if (probe->phase == PHASE_WAITING) {
        watch_verdict(&probe->watch, verdict.kind, verdict.at_ns);
        retry_udp(scheduler, verdict.at_ns);
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
    finish(probe, &said, NULL);
}

void probe_error(struct probe *probe, int error, const char *attempted)
{
    struct finding said;
    finding_error(&said, error, attempted);
    finish(probe, &said, NULL);
}

static void on_turn(uv_prepare_t *turn)
{
    struct scheduler *scheduler = turn->data;
    uint64_t now_ns = uv_hrtime();
    scheduler->held_ns = held_ns(scheduler, now_ns);
    scheduler->turn_ns = now_ns;
    scheduler->turn_idle_ns = uv_metrics_idle_time(scheduler->loop);
}

static void time_out(struct probe *probe)
{
    finish(probe, NULL, probe->type->cancel(probe));
}

// ---- Checks

static void begin(struct probe *probe)
{
    probe->phase = PHASE_CHECKING;
    probe->started = true;
    probe->last_look = false;
    probe->alert = probe->triggered ? ALERT_CHECKS : probe->alert;
    probe->triggered = false;
    probe->base_ns = uv_hrtime();
    probe->idle_ns = uv_metrics_idle_time(probe->scheduler->loop);
    probe->held_ns = held_ns(probe->scheduler, probe->base_ns);
    if (!probe->opened) {
        int error = probe->type->open ? probe->type->open(probe) : 0;
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

static void on_timer(uv_timer_t *timer)
{
    struct probe *probe = timer->data;
    if (probe->phase == PHASE_WAITING) {
        begin(probe);
    } else if (probe->triggered && probe->restarts < RESTARTS_MAX) {
        probe->restarts++;
        (void)probe->type->cancel(probe);
        begin(probe);
    } else if (!probe->last_look) {
        // The loop runs timers before it reads sockets: after a stall the answer may be there, not
        // yet read. It is, before the timer goes off once more.
        probe->last_look = true;
        arm(probe, 1);
    } else {
        time_out(probe);
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

void probe_trigger(struct probe *probe)
{
    if (probe->phase == PHASE_CLOSING || !may_trigger(probe)) {
        return;
    }
    probe->triggered = true;
    if (probe->phase == PHASE_WAITING) {
        arm_next(probe);
    } else if (probe->restarts < RESTARTS_MAX) {
        arm(probe, 0); // not from here: the type may be in the middle of start()
    }
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
    return probe->scheduler->loop;
}

// ---- Life and death of a probe

static struct probe *probe_new(struct scheduler *scheduler, const struct probe_conf *conf)
{
    struct probe *probe = calloc(1, sizeof *probe + conf->type->state_size);
    if (!probe) {
        return NULL;
    }
    probe->scheduler = scheduler;
    probe->type = conf->type;
    probe->conf = conf;
    probe->base_ns = uv_hrtime();
    return probe;
}

static void handle_gone(struct probe *probe);

static void probe_run(struct probe *probe)
{
    int error = uv_timer_init(probe->scheduler->loop, &probe->timer);
    assert(error == 0);
    (void)error;
    probe->timer.data = probe;
    probe->handles = 1;
    probe->scheduler->alive++;
    watch_init(&probe->watch, probe, handle_gone);
    arm_next(probe);
}

static void scheduler_free_if_done(struct scheduler *scheduler)
{
    if (!scheduler->closing || scheduler->alive > 0) {
        return;
    }
    void (*on_closed)(void *) = scheduler->on_closed;
    void *arg = scheduler->closed_arg;
    selfcheck_close(&scheduler->selfcheck);
    free(scheduler->probes);
    free(scheduler);
    if (on_closed) {
        on_closed(arg);
    }
}

static void handle_gone(struct probe *probe)
{
    assert(probe->phase == PHASE_CLOSING && probe->handles > 0);
    if (--probe->handles > 0) {
        return;
    }
    struct scheduler *scheduler = probe->scheduler;
    free(probe);
    scheduler->alive--;
    scheduler_free_if_done(scheduler);
}

void probe_closed(struct probe *probe)
{
    handle_gone(probe);
}

static void on_timer_closed(uv_handle_t *handle)
{
    handle_gone(handle->data);
}

static void probe_stop(struct probe *probe)
{
    bool checking = probe->phase == PHASE_CHECKING;
    probe->phase = PHASE_CLOSING;
    // The timer's handle is gone in a later turn of the loop only, so the probe outlives this call.
    uv_close((uv_handle_t *)&probe->timer, on_timer_closed);
    probe->handles += watch_close(&probe->watch);
    if (checking && probe->opened) {
        (void)probe->type->cancel(probe);
    }
    if (probe->opened && probe->type->close) {
        probe->handles++;
        probe->type->close(probe);
    }
    probe->conf = NULL;
}

// ---- UDP servers that are gone

// gone NULL: some were missed, so every one may be. Not more often than each second then.
static void on_udp_gone(void *owner, const struct endpoint *gone)
{
    struct scheduler *scheduler = owner;
    uint64_t now_ns = uv_hrtime();
    if (!gone && scheduler->udp_lost_ns != 0 && now_ns - scheduler->udp_lost_ns < NS_PER_S) {
        return;
    }
    scheduler->udp_lost_ns = gone ? scheduler->udp_lost_ns : now_ns;
    for (size_t i = 0; i < scheduler->count; i++) {
        struct probe *probe = scheduler->probes[i];
        if ((watch_wanted(probe->conf) & PROBE_WATCH_UDP) &&
            (!gone || udp_watch_concerns(gone, &probe->conf->target))) {
            probe_trigger(probe);
        }
    }
}

static void on_udp_free(void *owner)
{
    struct scheduler *scheduler = owner;
    scheduler->alive--;
    scheduler_free_if_done(scheduler);
}

// The ports of all that is to be watched, each once; as many as fit.
static size_t udp_ports(const struct scheduler *scheduler, uint16_t *ports, size_t size)
{
    size_t count = 0;
    for (size_t i = 0; i < scheduler->count && count < size; i++) {
        const struct probe_conf *conf = scheduler->probes[i]->conf;
        bool had = !(watch_wanted(conf) & PROBE_WATCH_UDP);
        for (size_t j = 0; j < count && !had; j++) {
            had = ports[j] == endpoint_port(&conf->target);
        }
        if (!had) {
            ports[count++] = endpoint_port(&conf->target);
        }
    }
    return count;
}

// Opens, narrows or closes the watch: it is as the probes of now want it.
static void watch_udp(struct scheduler *scheduler)
{
    uint16_t ports[UDP_WATCH_PORTS_MAX + 1];
    size_t count = udp_ports(scheduler, ports, sizeof ports / sizeof *ports);
    scheduler->udp_wanted = count > 0;
    if (count == 0) {
        udp_watch_close(&scheduler->udp);
        return;
    }
    if (scheduler->udp.netlink.state == NETLINK_FREE) {
        scheduler->udp_tried_ns = uv_hrtime();
        udp_watch_open(&scheduler->udp, scheduler->loop);
        scheduler->alive += scheduler->udp.netlink.state != NETLINK_FREE;
    }
    udp_watch_ports(&scheduler->udp, ports, count);
}

// What could not be had is tried again, from time to time.
static void retry_udp(struct scheduler *scheduler, uint64_t now_ns)
{
    if (!scheduler->udp_wanted || scheduler->udp.confirmed ||
        now_ns - scheduler->udp_tried_ns < UDP_RETRY_NS) {
        return;
    }
    if (scheduler->udp.netlink.state == NETLINK_OPEN) {
        udp_watch_close(&scheduler->udp); // opened at the next verdict
    } else {
        watch_udp(scheduler);
    }
}

// ---- The scheduler

struct scheduler *scheduler_new(uv_loop_t *loop, scheduler_verdict_cb on_verdict, void *arg)
{
    struct scheduler *scheduler = calloc(1, sizeof *scheduler);
    if (!scheduler) {
        return NULL;
    }
    *scheduler = (struct scheduler){
        .loop = loop,
        .on_verdict = on_verdict,
        .arg = arg,
        .udp = {.owner = scheduler, .on_gone = on_udp_gone, .on_free = on_udp_free},
    };
    selfcheck_open(&scheduler->selfcheck);
    // libuv keeps account of the time that the loop waits.
    (void)uv_loop_configure(loop, UV_METRICS_IDLE_TIME);
    uv_prepare_init(loop, &scheduler->turn);
    scheduler->turn.data = scheduler;
    scheduler->alive = 1;
    scheduler->turn_ns = uv_hrtime();
    scheduler->turn_idle_ns = uv_metrics_idle_time(loop);
    uv_prepare_start(&scheduler->turn, on_turn);
    uv_unref((uv_handle_t *)&scheduler->turn); // it keeps no loop running
    return scheduler;
}

// Takes the running probe that conf describes out of the scheduler's; NULL if there is none.
static struct probe *take_running(struct scheduler *scheduler, const struct probe_conf *conf)
{
    for (size_t i = 0; i < scheduler->count; i++) {
        struct probe *probe = scheduler->probes[i];
        if (probe && probe->conf->fingerprint == conf->fingerprint &&
            strcmp(probe->conf->name, conf->name) == 0) {
            scheduler->probes[i] = NULL;
            return probe;
        }
    }
    return NULL;
}

static bool is_running(const struct scheduler *scheduler, const struct probe_conf *conf)
{
    for (size_t i = 0; i < scheduler->count; i++) {
        const struct probe_conf *running = scheduler->probes[i]->conf;
        if (running->fingerprint == conf->fingerprint && strcmp(running->name, conf->name) == 0) {
            return true;
        }
    }
    return false;
}

// All that can fail, before anything changes: the new array, with the new probes in it.
static struct probe **make_new(struct scheduler *scheduler, const struct probe_conf *const *confs,
                               size_t count)
{
    struct probe **probes = calloc(count ? count : 1, sizeof(struct probe *));
    if (!probes) {
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        if (is_running(scheduler, confs[i])) {
            continue;
        }
        probes[i] = probe_new(scheduler, confs[i]);
        if (!probes[i]) {
            goto err;
        }
        probes[i]->spread = SPREAD_UNIT * i / count;
    }
    return probes;

err:
    for (size_t i = 0; i < count; i++) {
        free(probes[i]);
    }
    free(probes);
    return NULL;
}

int scheduler_apply(struct scheduler *scheduler, const struct probe_conf *const *probes,
                    size_t count)
{
    assert(!scheduler->closing);
    struct probe **next = make_new(scheduler, probes, count);
    if (!next) {
        return UV_ENOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        bool made = next[i] != NULL;
        if (!made) {
            next[i] = take_running(scheduler, probes[i]);
            next[i]->conf = probes[i];
        }
        next[i]->index = i;
        if (made) {
            probe_run(next[i]);
        }
    }
    for (size_t i = 0; i < scheduler->count; i++) {
        if (scheduler->probes[i]) {
            probe_stop(scheduler->probes[i]);
        }
    }
    free(scheduler->probes);
    scheduler->probes = next;
    scheduler->count = count;
    watch_udp(scheduler);
    return 0;
}

const char *scheduler_watch_text(const struct scheduler *scheduler, size_t index,
                                 char out[WATCH_TEXT_MAX])
{
    assert(index < scheduler->count);
    return watch_text(&scheduler->probes[index]->watch, &scheduler->udp, out);
}

void probe_not_after(struct probe *probe, time_t not_after)
{
    probe->not_after = not_after;
}

const char *scheduler_trouble(struct scheduler *scheduler)
{
    return selfcheck_known(&scheduler->selfcheck, uv_hrtime());
}

time_t scheduler_not_after(const struct scheduler *scheduler, size_t index)
{
    assert(index < scheduler->count);
    return scheduler->probes[index]->not_after;
}

void scheduler_set_fast(struct scheduler *scheduler, size_t index, bool fast)
{
    assert(index < scheduler->count);
    struct probe *probe = scheduler->probes[index];
    if (probe->fast == fast) {
        return;
    }
    probe->fast = fast;
    if (probe->phase == PHASE_WAITING) {
        arm_next(probe);
    }
}

static void on_turn_closed(uv_handle_t *handle)
{
    struct scheduler *scheduler = handle->data;
    scheduler->alive--;
    scheduler_free_if_done(scheduler);
}

void scheduler_close(struct scheduler *scheduler, void (*on_closed)(void *arg), void *arg)
{
    assert(!scheduler->closing);
    scheduler->closing = true;
    scheduler->on_closed = on_closed;
    scheduler->closed_arg = arg;
    for (size_t i = 0; i < scheduler->count; i++) {
        probe_stop(scheduler->probes[i]);
    }
    scheduler->count = 0;
    udp_watch_close(&scheduler->udp);
    uv_close((uv_handle_t *)&scheduler->turn, on_turn_closed);
}
