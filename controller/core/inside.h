// What core's own files share; nobody else includes it: birth.c (start), reload.c, core.c (inputs
// from probes, operators, disk and clock; outputs), answers.c (inputs from BIRD), looking.c (when
// it is asked), targets.c (what is made of them all),
// ways.c (what the kernel is asked).
#pragma once

#include "controller/core/core.h"

#include "base/clock.h"

#include <assert.h>

#define SNAPSHOT_MS      1000
#define LOOK_AGAIN_MS    20
#define LOOK_AGAIN_MAX   1000
#define GENERATION_SHIFT 52 // in a token; see order.h

static inline uint64_t ms_of(uint64_t ns)
{
    return ns / NS_PER_MS;
}

// What is the core's in every token of its orders.
static inline uint64_t generation_of(const struct core *core)
{
    return (uint64_t)core->generation << GENERATION_SHIFT; // but for what is shifted out
}

static inline const struct service_conf *conf_of(const struct core *core, size_t service)
{
    assert(service < core->config->service_count);
    return &core->config->services[service];
}

// Who was who in the configuration before. SIZE_MAX: there is none.
struct succession {
    size_t *probes_before; // of each probe, its index in the core before, if it asks the same there
    size_t *services_before; // of each service
    size_t *services_after;  // of each service of the core before, its index in this one
    bool same_to_bird;       // nothing that BIRD is told or asked is new
};
void core_succession_free(struct succession *succession); // may be NULL

// What belongs to its configuration; retired: what BIRD may have of others.
bool core_allocate(struct core *core, const struct retired *retired, size_t retired_count);

// The target is new: the include file and the announcer are told. The file first: the announcer
// switches nothing on before the file on disk says so.
void core_tell_announcer(struct core *core, size_t service);

// The service's target went from `from` to what its decision says now: an event, and all that
// follows.
void core_transition(struct core *core, size_t service, enum target from, uint64_t now_ns);

// What has become of the probe's health by time alone; noted for core_decide().
void core_tick_probe(struct core *core, size_t index, uint64_t now_ns);

// Decides every service anew that was noted in core->affected, and those that depend on it;
// core_flush() makes orders of it.
void core_decide(struct core *core, uint64_t now_ns);

// The same for every service, whatever is known of it: at a start and after a reload.
void core_decide_all(struct core *core, uint64_t now_ns);

// Is the service decided at all? A stop withdraws for good what it does not keep.
bool core_decides(const struct core *core, size_t service);

// The service's intent, or, into *room, what is left of it at a stop.
const struct intent *core_intent_of(const struct core *core, size_t service, struct intent *room);

// When core_tick() has to look at the service: after its decision or look_again_ms was touched.
void core_set_deadline(struct core *core, size_t service);

// What was adopted from the file stands only if BIRD has it too (a crash may have come between the
// two).
void core_confirm_adoption(struct core *core, uint64_t now_ns);

// ---- ways.c

void core_find_leads(struct core *core);
// The service was withdrawn, by its gate: was it cut off by being announced?
void core_suspect(struct core *core, size_t service, uint64_t now_ns);
bool core_is_cut_off(struct core *core, size_t service); // it is held for that
// The probe passes: long after its service was announced again, it is one that is not cut off.
void core_passed_on(struct core *core, size_t probe, uint64_t now_ns);
// What was seen of that counts no more.
void core_try_again(struct core *core, size_t service);
// After a reload, what is held stays so, where service and probe are still there.
void core_keep_cut_off(struct core *core, const struct core *old);

// ---- looking.c

void core_want_snapshot(struct core *core);
void core_look_forget(struct core *core); // what was asked will not be answered
// Something of the service (SIZE_MAX: who knows of which) was switched. Where repairing leads to
// nothing but more drift, it goes on with the snapshot in its turn.
void core_look_soon(struct core *core, size_t service, uint64_t now_ns);
// All our protocols are looked at by an ORDER_LOOK of a service after the last.
void core_look_ended(struct core *core, bool ours, uint64_t now_ns);
void core_look_pipe_ended(struct core *core, uint64_t now_ns);
void core_look_snapshot_ended(struct core *core, bool complete, uint64_t now_ns);
void core_look_cut(struct core *core, uint64_t now_ns);
void core_look_answered(struct core *core, uint64_t now_ns); // any question is, after the above
void core_look_tick(struct core *core, uint64_t now_ms);
uint64_t core_look_next_ms(const struct core *core);
void core_look_ask(struct core *core, uint64_t now_ns); // what is due now

// A contest with another popgated began or ended, if that is news: told once.
void core_contest_news(struct core *core, bool news, uint64_t now_ns);

// Makes orders of all that is to be done now. Ends every input.
void core_flush(struct core *core, uint64_t now_ns);
