// See scheduler.h. What a probe does is in probes/life.c; here is which probes there are, what they
// share, and who hears of their verdicts. Nothing is allocated but in scheduler_plan().
#include "probes/scheduler.h"

#include "probes/life.h"
#include "probes/udp_targets.h"
#include "probes/watch.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

// Probes that begin or end in one turn of the loop. Ending one may take tens of microseconds: the
// kernel's, for its sockets.
#define PER_TURN 16

#define NOBODY SIZE_MAX // no probe; the index of a probe of which nobody is to hear

struct entry {
    const struct probe_conf *conf;
    struct probe *probe;
};

struct scheduler {
    struct probe_host host;
    struct udp_targets udp;
    scheduler_verdict_cb on_verdict;
    void *arg;
    struct entry *entries; // as last applied
    size_t count;
    size_t begun;          // of these: all before that one
    struct entry *leaving; // of those applied before; they look at their configuration still
    size_t leaving_count;
    uv_idle_t settle; // active while some are to begin or to end
    void (*on_settled)(void *arg);
    void *settled_arg;
    size_t alive; // probes, closing ones too, and what the scheduler itself has open
    bool closing;
    void (*on_closed)(void *arg);
    void *closed_arg;
};

static void on_verdict(void *owner, size_t index, const struct verdict *verdict)
{
    struct scheduler *scheduler = owner;
    if (index == NOBODY) {
        return;
    }
    scheduler->on_verdict(scheduler->arg, index, verdict);
    udp_targets_retry(&scheduler->udp, verdict->at_ns);
}

// Something that was alive is gone.
static void on_gone(void *owner)
{
    struct scheduler *scheduler = owner;
    scheduler->alive--;
    if (!scheduler->closing || scheduler->alive > 0) {
        return;
    }
    void (*on_closed)(void *) = scheduler->on_closed;
    void *arg = scheduler->closed_arg;
    selfcheck_close(&scheduler->host.selfcheck);
    free(scheduler->entries);
    free(scheduler->leaving);
    free(scheduler);
    if (on_closed != NULL) {
        on_closed(arg);
    }
}

struct scheduler *scheduler_new(uv_loop_t *loop, scheduler_verdict_cb verdict_cb, void *arg)
{
    struct scheduler *scheduler = calloc(1, sizeof *scheduler);
    if (scheduler == NULL) {
        return NULL;
    }
    *scheduler = (struct scheduler){
        .host = {.loop = loop,
                 .turns = {.owner = scheduler, .on_free = on_gone},
                 .starts = {.owner = scheduler, .on_free = on_gone},
                 .owner = scheduler,
                 .on_verdict = on_verdict,
                 .on_gone = on_gone},
        .on_verdict = verdict_cb,
        .arg = arg,
        .alive = 4, // the turns, the starts, the UDP targets, and what settles
    };
    selfcheck_open(&scheduler->host.selfcheck);
    turns_open(&scheduler->host.turns, loop);
    starts_open(&scheduler->host.starts, loop, &scheduler->host.turns);
    uv_idle_init(loop, &scheduler->settle);
    scheduler->settle.data = scheduler;
    udp_targets_init(&scheduler->udp, loop, scheduler, on_gone);
    return scheduler;
}

// ---- Which probes there are

struct scheduler_plan {
    struct entry *entries;  // those that begin have their probes
    size_t *from;           // of each entry: the former one that it goes on from, or NOBODY
    struct entry *leaving;  // room for all former ones
    struct udp_target *udp; // room for all
    struct udp_place {
        uint16_t port;
        size_t entry;
    } * udp_places; // by port: the entries that are to be in udp
    size_t count, former_count, udp_count;
};

struct former {
    const struct probe_conf *conf;
    size_t index;
};

static int by_identity(const void *a, const void *b)
{
    const struct probe_conf *left = ((const struct former *)a)->conf;
    const struct probe_conf *right = ((const struct former *)b)->conf;
    if (left->fingerprint != right->fingerprint) {
        return left->fingerprint < right->fingerprint ? -1 : 1;
    }
    return strcmp(left->name, right->name);
}

static bool plan_from(struct scheduler_plan *plan, const struct probe_conf *const *former)
{
    struct former *sorted = calloc(plan->former_count + 1, sizeof *sorted);
    if (sorted == NULL) {
        return false;
    }
    for (size_t i = 0; i < plan->former_count; i++) {
        sorted[i] = (struct former){former[i], i};
    }
    qsort(sorted, plan->former_count, sizeof *sorted, by_identity);
    for (size_t i = 0; i < plan->count; i++) {
        struct former wanted = {.conf = plan->entries[i].conf};
        const struct former *found =
            bsearch(&wanted, sorted, plan->former_count, sizeof *sorted, by_identity);
        plan->from[i] = found != NULL ? found->index : NOBODY;
    }
    free(sorted);
    return true;
}

static bool plan_probes(struct scheduler_plan *plan, struct scheduler *scheduler)
{
    for (size_t i = 0; i < plan->count; i++) {
        struct entry *entry = &plan->entries[i];
        if (plan->from[i] != NOBODY) {
            continue;
        }
        entry->probe = probe_new(&scheduler->host, entry->conf, PROBE_SPREAD * i / plan->count);
        if (entry->probe == NULL) {
            return false;
        }
    }
    return true;
}

static int by_port(const void *a, const void *b)
{
    const struct udp_place *left = a;
    const struct udp_place *right = b;
    return left->port < right->port ? -1 : left->port > right->port;
}

static void plan_udp(struct scheduler_plan *plan)
{
    for (size_t i = 0; i < plan->count; i++) {
        const struct probe_conf *conf = plan->entries[i].conf;
        if (watch_wanted(conf) & PROBE_WATCH_UDP) {
            plan->udp_places[plan->udp_count++] =
                (struct udp_place){endpoint_port(&conf->target), i};
        }
    }
    qsort(plan->udp_places, plan->udp_count, sizeof *plan->udp_places, by_port);
}

struct scheduler_plan *scheduler_plan(struct scheduler *scheduler,
                                      const struct probe_conf *const *former, size_t former_count,
                                      const struct probe_conf *const *probes, size_t count)
{
    struct scheduler_plan *plan = calloc(1, sizeof *plan);
    if (plan == NULL) {
        return NULL;
    }
    *plan = (struct scheduler_plan){
        .entries = calloc(count + 1, sizeof *plan->entries),
        .from = calloc(count + 1, sizeof *plan->from),
        .leaving = calloc(former_count + 1, sizeof *plan->leaving),
        .udp = calloc(count + 1, sizeof *plan->udp),
        .udp_places = calloc(count + 1, sizeof *plan->udp_places),
        .count = count,
        .former_count = former_count,
    };
    if (plan->entries == NULL || plan->from == NULL || plan->leaving == NULL || plan->udp == NULL ||
        plan->udp_places == NULL) {
        goto err;
    }
    for (size_t i = 0; i < count; i++) {
        plan->entries[i].conf = probes[i];
    }
    if (!plan_from(plan, former) || !plan_probes(plan, scheduler)) {
        goto err;
    }
    plan_udp(plan);
    return plan;
err:
    scheduler_plan_free(plan);
    return NULL;
}

static void plan_free_arrays(struct scheduler_plan *plan)
{
    free(plan->entries);
    free(plan->from);
    free(plan->leaving);
    free(plan->udp);
    free(plan->udp_places);
    free(plan);
}

void scheduler_plan_free(struct scheduler_plan *plan)
{
    for (size_t i = 0; plan != NULL && plan->entries != NULL && i < plan->count; i++) {
        probe_free(plan->entries[i].probe);
    }
    if (plan != NULL) {
        plan_free_arrays(plan);
    }
}

// ---- From one set of probes to the next

// Some of those that are to end or to begin. False: none is left.
static bool settle_some(struct scheduler *scheduler)
{
    for (unsigned i = 0; i < PER_TURN && scheduler->leaving_count > 0; i++) {
        probe_stop(scheduler->leaving[--scheduler->leaving_count].probe);
    }
    unsigned begun = 0;
    for (; scheduler->begun < scheduler->count && begun < PER_TURN; scheduler->begun++) {
        struct probe *probe = scheduler->entries[scheduler->begun].probe;
        if (!probe_runs(probe)) {
            scheduler->alive++;
            probe_run(probe);
            begun++;
        }
    }
    if (scheduler->leaving_count > 0 || scheduler->begun < scheduler->count) {
        return true;
    }
    uv_idle_stop(&scheduler->settle);
    if (scheduler->on_settled != NULL) {
        void (*on_settled)(void *) = scheduler->on_settled;
        scheduler->on_settled = NULL;
        on_settled(scheduler->settled_arg);
    }
    return false;
}

static void on_settle(uv_idle_t *settle)
{
    (void)settle_some(settle->data);
}

// What goes on takes its place, and what does not is listed.
static void replace_entries(struct scheduler *scheduler, struct scheduler_plan *plan)
{
    for (size_t i = 0; i < plan->count; i++) {
        struct entry *entry = &plan->entries[i];
        if (plan->from[i] != NOBODY) {
            struct entry *former = &scheduler->entries[plan->from[i]];
            entry->probe = former->probe;
            former->probe = NULL;
        }
        probe_place(entry->probe, i, entry->conf);
    }
    for (size_t i = 0; i < plan->former_count; i++) {
        const struct entry *former = &scheduler->entries[i];
        if (former->probe != NULL) {
            probe_place(former->probe, NOBODY, former->conf);
            plan->leaving[scheduler->leaving_count++] = *former;
        }
    }
    for (size_t i = 0; i < plan->udp_count; i++) {
        const struct entry *entry = &plan->entries[plan->udp_places[i].entry];
        plan->udp[i] = (struct udp_target){&entry->conf->target, entry->probe};
    }
}

void scheduler_carry_out(struct scheduler *scheduler, struct scheduler_plan *plan,
                         void (*on_settled)(void *arg), void *arg)
{
    assert(!scheduler->closing && plan->former_count == scheduler->count);
    assert(scheduler->leaving_count == 0 && scheduler->begun == scheduler->count);
    replace_entries(scheduler, plan);
    free(scheduler->entries);
    free(scheduler->leaving);
    scheduler->entries = plan->entries;
    scheduler->count = plan->count;
    scheduler->begun = 0;
    scheduler->leaving = plan->leaving;
    scheduler->on_settled = on_settled;
    scheduler->settled_arg = arg;
    udp_targets_set(&scheduler->udp, plan->udp, plan->udp_count);
    plan->entries = NULL;
    plan->leaving = NULL;
    plan->udp = NULL;
    plan_free_arrays(plan);
    uv_idle_start(&scheduler->settle, on_settle);
    (void)settle_some(scheduler);
}

int scheduler_apply(struct scheduler *scheduler, const struct probe_conf *const *probes,
                    size_t count)
{
    const struct probe_conf **former = calloc(scheduler->count + 1, sizeof *former);
    if (former == NULL) {
        return UV_ENOMEM;
    }
    for (size_t i = 0; i < scheduler->count; i++) {
        former[i] = scheduler->entries[i].conf;
    }
    struct scheduler_plan *plan =
        scheduler_plan(scheduler, former, scheduler->count, probes, count);
    free(former);
    if (plan == NULL) {
        return UV_ENOMEM;
    }
    scheduler_carry_out(scheduler, plan, NULL, NULL);
    while (settle_some(scheduler)) {
    }
    return 0;
}

static struct probe *probe_at(const struct scheduler *scheduler, size_t index)
{
    assert(index < scheduler->count);
    return scheduler->entries[index].probe;
}

void scheduler_set_fast(struct scheduler *scheduler, size_t index, bool fast)
{
    probe_set_fast(probe_at(scheduler, index), fast);
}

// ---- What they know

const char *scheduler_watch_text(const struct scheduler *scheduler, size_t index,
                                 char out[WATCH_TEXT_MAX])
{
    return probe_watch_text(probe_at(scheduler, index), &scheduler->udp.watch, out);
}

const char *scheduler_trouble(struct scheduler *scheduler)
{
    return selfcheck_known(&scheduler->host.selfcheck, uv_hrtime());
}

struct turns *scheduler_turns(struct scheduler *scheduler)
{
    return &scheduler->host.turns;
}

time_t scheduler_not_after(const struct scheduler *scheduler, size_t index)
{
    return probe_seen_not_after(probe_at(scheduler, index));
}

static void on_settle_closed(uv_handle_t *handle)
{
    on_gone(handle->data);
}

void scheduler_close(struct scheduler *scheduler, void (*on_closed)(void *arg), void *arg)
{
    assert(!scheduler->closing);
    scheduler->closing = true;
    scheduler->on_closed = on_closed;
    scheduler->closed_arg = arg;
    for (size_t i = 0; i < scheduler->leaving_count; i++) {
        probe_stop(scheduler->leaving[i].probe);
    }
    for (size_t i = 0; i < scheduler->count; i++) {
        if (probe_runs(scheduler->entries[i].probe)) {
            probe_stop(scheduler->entries[i].probe);
        } else {
            probe_free(scheduler->entries[i].probe);
        }
    }
    scheduler->leaving_count = scheduler->count = scheduler->begun = 0;
    udp_targets_close(&scheduler->udp);
    turns_close(&scheduler->host.turns);
    starts_close(&scheduler->host.starts);
    uv_close((uv_handle_t *)&scheduler->settle, on_settle_closed);
}
