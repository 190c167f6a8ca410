// See scheduler.h. What a probe does is in probes/life.c; here is which probes there are, what they
// share, and who hears of their verdicts. Nothing is allocated but in scheduler_apply().
#include "probes/scheduler.h"

#include "probes/life.h"
#include "probes/udp_targets.h"
#include "probes/watch.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct entry {
    const struct probe_conf *conf;
    struct probe *probe;
    bool kept; // across a scheduler_apply()
};

struct scheduler {
    struct probe_host host;
    struct udp_targets udp;
    scheduler_verdict_cb on_verdict;
    void *arg;
    struct entry *entries; // as last applied
    size_t count;
    size_t alive; // probes, closing ones too, and what the scheduler itself has open
    bool closing;
    void (*on_closed)(void *arg);
    void *closed_arg;
};

static void on_verdict(void *owner, size_t index, const struct verdict *verdict)
{
    struct scheduler *scheduler = owner;
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
    free(scheduler);
    if (on_closed) {
        on_closed(arg);
    }
}

struct scheduler *scheduler_new(uv_loop_t *loop, scheduler_verdict_cb verdict_cb, void *arg)
{
    struct scheduler *scheduler = calloc(1, sizeof *scheduler);
    if (!scheduler) {
        return NULL;
    }
    *scheduler = (struct scheduler){
        .host = {.loop = loop,
                 .turns = {.owner = scheduler, .on_free = on_gone},
                 .owner = scheduler,
                 .on_verdict = on_verdict,
                 .on_gone = on_gone},
        .on_verdict = verdict_cb,
        .arg = arg,
        .alive = 1, // the turns
    };
    selfcheck_open(&scheduler->host.selfcheck);
    turns_open(&scheduler->host.turns, loop);
    udp_targets_init(&scheduler->udp, loop, scheduler, on_gone);
    return scheduler;
}

// ---- Which probes there are

static int by_identity(const void *a, const void *b)
{
    const struct probe_conf *left = ((const struct entry *)a)->conf;
    const struct probe_conf *right = ((const struct entry *)b)->conf;
    if (left->fingerprint != right->fingerprint) {
        return left->fingerprint < right->fingerprint ? -1 : 1;
    }
    return strcmp(left->name, right->name);
}

// All that can fail, before anything changes.
struct plan {
    struct entry *former; // by identity; kept: goes on
    struct entry *next;   // kept: was running before
    struct udp_target *udp;
    size_t udp_count;
};

static void plan_drop(struct plan *plan, size_t count)
{
    for (size_t i = 0; plan->next && i < count; i++) {
        if (!plan->next[i].kept) {
            probe_free(plan->next[i].probe);
        }
    }
    free(plan->former);
    free(plan->next);
    free(plan->udp);
}

static bool plan_make(struct plan *plan, struct scheduler *scheduler,
                      const struct probe_conf *const *confs, size_t count)
{
    *plan = (struct plan){
        .former = calloc(scheduler->count + 1, sizeof *plan->former),
        .next = calloc(count + 1, sizeof *plan->next),
        .udp = calloc(count + 1, sizeof *plan->udp),
    };
    if (!plan->former || !plan->next || !plan->udp) {
        return false;
    }
    for (size_t i = 0; i < scheduler->count; i++) {
        plan->former[i] =
            (struct entry){scheduler->entries[i].conf, scheduler->entries[i].probe, false};
    }
    qsort(plan->former, scheduler->count, sizeof *plan->former, by_identity);
    for (size_t i = 0; i < count; i++) {
        struct entry *entry = &plan->next[i];
        entry->conf = confs[i];
        struct entry *former =
            bsearch(entry, plan->former, scheduler->count, sizeof *entry, by_identity);
        if (former) {
            former->kept = entry->kept = true;
        }
        entry->probe = former ? former->probe
                              : probe_new(&scheduler->host, confs[i], PROBE_SPREAD * i / count);
        if (!entry->probe) {
            return false;
        }
        if (watch_wanted(confs[i]) & PROBE_WATCH_UDP) {
            plan->udp[plan->udp_count++] = (struct udp_target){&confs[i]->target, entry->probe};
        }
    }
    return true;
}

int scheduler_apply(struct scheduler *scheduler, const struct probe_conf *const *probes,
                    size_t count)
{
    struct plan plan;
    assert(!scheduler->closing);
    if (!plan_make(&plan, scheduler, probes, count)) {
        plan_drop(&plan, count);
        return UV_ENOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        probe_place(plan.next[i].probe, i, probes[i]);
        if (!plan.next[i].kept) {
            scheduler->alive++;
            probe_run(plan.next[i].probe);
        }
    }
    for (size_t i = 0; i < scheduler->count; i++) {
        if (!plan.former[i].kept) {
            probe_stop(plan.former[i].probe);
        }
    }
    free(plan.former);
    free(scheduler->entries);
    scheduler->entries = plan.next;
    scheduler->count = count;
    udp_targets_set(&scheduler->udp, plan.udp, plan.udp_count);
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

time_t scheduler_not_after(const struct scheduler *scheduler, size_t index)
{
    return probe_seen_not_after(probe_at(scheduler, index));
}

void scheduler_close(struct scheduler *scheduler, void (*on_closed)(void *arg), void *arg)
{
    assert(!scheduler->closing);
    scheduler->closing = true;
    scheduler->on_closed = on_closed;
    scheduler->closed_arg = arg;
    for (size_t i = 0; i < scheduler->count; i++) {
        probe_stop(scheduler->entries[i].probe);
    }
    scheduler->count = 0;
    scheduler->alive += udp_targets_close(&scheduler->udp);
    turns_close(&scheduler->host.turns);
}
