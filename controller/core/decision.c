#include "controller/core/decision.h"

#include <assert.h>

#define NEVER UINT64_MAX

const char *cause_name(enum cause cause)
{
    static const char *const names[] = {"start",     "adopted", "healthy",   "degraded",
                                        "unhealthy", "unknown", "hold-down", "drain",
                                        "isolate",   "pin",     "exit",      "cut-off"};
    return names[cause];
}

void decision_init(struct decision *decision, uint64_t recent, uint64_t now_ms)
{
    *decision = (struct decision){.target = TARGET_WITHDRAW,
                                  .cause = CAUSE_START,
                                  .since_ms = now_ms,
                                  .allowed = TARGET_WITHDRAW,
                                  .allowed_since_ms = now_ms,
                                  .good_since_ms = {0, NEVER, NEVER},
                                  .recent = recent};
}

void decision_adopt(struct decision *decision, const struct service_conf *conf, enum target target,
                    uint64_t now_ms)
{
    assert(target > TARGET_WITHDRAW && target <= TARGET_ANNOUNCE);
    decision->target = target;
    decision->cause = CAUSE_ADOPTED;
    decision->allowed = target;
    decision->adopted = true;
    decision->adopt_until_ms = now_ms + conf->adopt_grace_ms;
}

void decision_keep(struct decision *decision, const struct service_conf *conf, uint64_t now_ms)
{
    uint64_t until_ms = now_ms + conf->adopt_grace_ms;
    if (decision->allowed > TARGET_WITHDRAW && !decision->adopted) {
        decision->adopted = decision->kept = true;
        decision->adopt_until_ms = until_ms;
    } else if (decision->adopted && until_ms < decision->adopt_until_ms) {
        decision->adopt_until_ms = until_ms;
    }
}

void decision_disown(struct decision *decision, uint64_t now_ms)
{
    decision->allowed = TARGET_WITHDRAW;
    decision->allowed_since_ms = now_ms;
    decision->adopted = false;
    decision->cause = CAUSE_START;
    if (decision->recent == 0) {
        decision->recent = 1;
    }
}

bool decision_exit(struct decision *decision, uint64_t now_ms)
{
    if (decision->target == TARGET_WITHDRAW) {
        return false;
    }
    decision->target = TARGET_WITHDRAW;
    decision->cause = CAUSE_EXIT;
    decision->since_ms = now_ms;
    decision->recent++;
    return true;
}

uint64_t decision_hold_down_ms(const struct decision *decision, const struct service_conf *conf)
{
    if (decision->recent == 0 || conf->hold_down_ms == 0) {
        return 0;
    }
    uint64_t hold_ms = conf->hold_down_ms;
    for (uint64_t i = 1; i < decision->recent && hold_ms < conf->max_hold_down_ms; i++) {
        hold_ms *= 2;
    }
    return hold_ms < conf->max_hold_down_ms ? hold_ms : conf->max_hold_down_ms;
}

uint64_t decision_hold_down_left_ms(const struct decision *decision,
                                    const struct service_conf *conf, uint64_t now_ms)
{
    unsigned level = decision->allowed + 1;
    if (level > TARGET_ANNOUNCE || decision->good_since_ms[level] == NEVER || decision->cut_off) {
        return 0;
    }
    uint64_t end_ms = decision->good_since_ms[level] + decision_hold_down_ms(decision, conf);
    return end_ms > now_ms ? end_ms - now_ms : 0;
}

// What health alone would have now. Unknown never improves anything; what is announced already
// stays, for adopt_grace after a restart, and what was known healthy for good with on_unknown =
// hold.
static enum target wish_of(const struct decision *decision, const struct service_conf *conf,
                           const struct gate *gate, uint64_t now_ms)
{
    switch (gate->state) {
    case GATE_OPEN:
        return TARGET_ANNOUNCE;
    case GATE_DEGRADED:
        return TARGET_DEPREFERENCE;
    case GATE_CLOSED:
        return TARGET_WITHDRAW;
    case GATE_UNKNOWN:
        break;
    }
    bool was_known = !decision->adopted || decision->kept;
    bool keep = (was_known && conf->on_unknown == ON_UNKNOWN_HOLD) ||
                (decision->adopted && now_ms < decision->adopt_until_ms);
    return keep ? decision->allowed : TARGET_WITHDRAW;
}

static void allow(struct decision *decision, enum target allowed, uint64_t now_ms)
{
    decision->allowed = allowed;
    decision->allowed_since_ms = now_ms;
}

// A withdrawal is recent until the service has kept one state for max_hold_down (waiting out a
// hold_down does not count); what is not
// announced has always one to make good.
static void forget(struct decision *decision, const struct service_conf *conf, enum target wish,
                   uint64_t now_ms)
{
    uint64_t floor = decision->allowed == TARGET_ANNOUNCE ? 0 : 1;
    if (wish <= decision->allowed && decision->recent > floor &&
        now_ms - decision->allowed_since_ms >= conf->max_hold_down_ms) {
        decision->recent = floor;
    }
}

static void damp(struct decision *decision, const struct service_conf *conf,
                 const struct gate *gate, uint64_t now_ms)
{
    enum target wish = wish_of(decision, conf, gate, now_ms);
    // Damping is of health alone: what is not cut off any more has not to wait again.
    for (unsigned level = TARGET_DEPREFERENCE; level <= TARGET_ANNOUNCE; level++) {
        if (wish < level || gate->state == GATE_UNKNOWN) {
            decision->good_since_ms[level] = NEVER;
        } else if (decision->good_since_ms[level] == NEVER) {
            decision->good_since_ms[level] = now_ms;
        }
    }
    wish = decision->cut_off ? TARGET_WITHDRAW : wish;
    forget(decision, conf, wish, now_ms);
    if (gate->state != GATE_UNKNOWN) {
        decision->adopted = false;
    }
    if (wish < decision->allowed) {
        decision->recent++;
        decision->adopted = false;
        allow(decision, wish, now_ms);
        return;
    }
    if (wish > decision->allowed && decision->good_since_ms[wish] != NEVER &&
        now_ms - decision->good_since_ms[wish] >= decision_hold_down_ms(decision, conf)) {
        allow(decision, wish, now_ms); // in one step: neighbours are shown no level between
    }
}

static enum cause intent_cause(enum intent_kind kind)
{
    static const enum cause causes[] = {CAUSE_HEALTHY, CAUSE_DRAIN, CAUSE_ISOLATE, CAUSE_PIN};
    return causes[kind];
}

static enum cause health_cause(const struct decision *decision, const struct service_conf *conf,
                               const struct gate *gate, uint64_t now_ms)
{
    enum target wish = wish_of(decision, conf, gate, now_ms);
    if (decision->adopted) {
        return CAUSE_ADOPTED;
    }
    if (gate->state == GATE_UNKNOWN) {
        bool hold = conf->on_unknown == ON_UNKNOWN_HOLD;
        bool given_up = decision->cause == CAUSE_ADOPTED || decision->cause == CAUSE_UNKNOWN;
        bool never = decision->cause == CAUSE_START || (hold && !given_up);
        return never ? CAUSE_START : CAUSE_UNKNOWN;
    }
    if (wish > TARGET_WITHDRAW && decision->cut_off) {
        return CAUSE_CUT_OFF;
    }
    if (wish > decision->allowed) {
        return CAUSE_HOLD_DOWN;
    }
    if (gate->blind && wish == decision->allowed) {
        return CAUSE_UNKNOWN;
    }
    static const enum cause causes[] = {CAUSE_UNHEALTHY, CAUSE_DEGRADED, CAUSE_HEALTHY};
    return causes[decision->allowed];
}

bool decision_step(struct decision *decision, const struct service_conf *conf,
                   const struct gate *gate, const struct intent *intent, uint64_t now_ms)
{
    assert(gate->state <= GATE_OPEN && now_ms >= decision->since_ms);
    assert(!intent_expired(intent, now_ms));
    damp(decision, conf, gate, now_ms);
    bool by_intent;
    enum target target = intent_over(intent, decision->allowed, now_ms, &by_intent);
    decision->cause =
        by_intent ? intent_cause(intent->kind) : health_cause(decision, conf, gate, now_ms);
    if (target == decision->target) {
        return false;
    }
    decision->target = target;
    decision->since_ms = now_ms;
    return true;
}

static void sooner(uint64_t *next_ms, uint64_t at_ms, uint64_t now_ms)
{
    if (at_ms > now_ms && at_ms < *next_ms) {
        *next_ms = at_ms;
    }
}

uint64_t decision_next_ms(const struct decision *decision, const struct service_conf *conf,
                          const struct intent *intent, uint64_t now_ms)
{
    uint64_t next_ms = NEVER;
    uint64_t hold_ms = decision_hold_down_ms(decision, conf);
    for (unsigned level = decision->allowed + 1; level <= TARGET_ANNOUNCE; level++) {
        if (decision->good_since_ms[level] != NEVER) {
            sooner(&next_ms, decision->good_since_ms[level] + hold_ms, now_ms);
        }
    }
    if (decision->recent > 0) {
        sooner(&next_ms, decision->allowed_since_ms + conf->max_hold_down_ms, now_ms);
    }
    if (decision->adopted) {
        sooner(&next_ms, decision->adopt_until_ms, now_ms);
    }
    sooner(&next_ms, intent_next_ms(intent, now_ms), now_ms);
    return next_ms;
}
