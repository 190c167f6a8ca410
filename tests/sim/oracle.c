#include "tests/sim/oracle.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REPAIR_WITHIN_NS (4000 * NS_PER_MS) // a snapshot a second, slow answers, the repair
#define NOTICE_AFTER_NS                                                                            \
    (3000 * NS_PER_MS) // a slow answer makes it look less often, until a quick one
#define CONTAIN_WITHIN_NS  (200 * NS_PER_MS) // an answer of a millisecond is followed by 99 of rest
#define WITHDRAW_WITHIN_NS (100 * NS_PER_MS) // BIRD does some forty commands before

void oracle_broken(struct oracle *oracle, const char *text, ...)
{
    if (oracle->broken[0] != '\0') {
        return;
    }
    va_list args;
    va_start(args, text);
    vsnprintf(oracle->broken, sizeof oracle->broken, text, args);
    va_end(args);
}

static const struct service_conf *conf_of(const struct oracle *oracle,
                                          const struct oracle_service *service)
{
    return &oracle->config->services[service->index];
}

static struct oracle_service *at_index(struct oracle *oracle, size_t index)
{
    return &oracle->services[oracle->names[index]];
}

static unsigned legs_of(const struct oracle *oracle, const struct oracle_service *service)
{
    unsigned legs = 0;
    for (unsigned family = 0; family < FAMILIES; family++) {
        bool has = conf_of(oracle, service)->has_family[family];
        legs |= has ? books_leg(family, false) | books_leg(family, true) : 0;
    }
    return legs;
}

// ---- Transitions

static uint64_t hold_down_ms(const struct service_conf *conf, uint64_t worsenings)
{
    uint64_t ms = worsenings > 0 ? conf->hold_down_ms : 0;
    for (uint64_t i = 1; i < worsenings && ms < conf->max_hold_down_ms; i++) {
        ms *= 2;
    }
    return ms < conf->max_hold_down_ms ? ms : conf->max_hold_down_ms;
}

static bool by_evidence(enum cause cause)
{
    return cause == CAUSE_UNHEALTHY || cause == CAUSE_DEGRADED || cause == CAUSE_HEALTHY ||
           cause == CAUSE_HOLD_DOWN;
}

// Promises 1 and 8: what improves is known to be that good, and has been for hold_down.
static void check_improvement(struct oracle *oracle, const struct oracle_service *service,
                              const struct event *event, uint64_t now_ns)
{
    const struct service_conf *conf = conf_of(oracle, service);
    uint64_t since_ms =
        service->since_ms[event->to == TARGET_ANNOUNCE ? LEVEL_OPEN : LEVEL_DEGRADED];
    uint64_t now_ms = now_ns / NS_PER_MS;
    uint64_t needed_ms = hold_down_ms(conf, service->worsenings);
    if (since_ms == UINT64_MAX) {
        oracle_broken(oracle, "promise 1: %s went to %s, but its probes don't say so", conf->name,
                      target_name(event->to));
    } else if (now_ms - since_ms < needed_ms) {
        oracle_broken(oracle,
                      "promise 8: %s improved, well for %" PRIu64 " ms of %" PRIu64
                      " after withdrawal number %" PRIu64,
                      conf->name, now_ms - since_ms, needed_ms, service->worsenings);
    } else if (service->worsened_at_ns != 0 &&
               now_ns - service->worsened_at_ns < needed_ms * NS_PER_MS) {
        oracle_broken(
            oracle, "promise 8: %s improved %" PRIu64 " ms after withdrawal number %" PRIu64,
            conf->name, (now_ns - service->worsened_at_ns) / NS_PER_MS, service->worsenings);
    }
}

// An operator's word, or its end, is neither a flap nor damped.
static void check_damping(struct oracle *oracle, struct oracle_service *service,
                          const struct event *event, uint64_t now_ns)
{
    bool vague;
    bool auto_now = books_intent(service, now_ns, &vague) == INTENT_AUTO;
    if (!by_evidence(event->cause) || service->intended || vague || !auto_now) {
        return;
    }
    if (event->to > event->from) {
        check_improvement(oracle, service, event, now_ns);
    } else if (event->cause == CAUSE_HOLD_DOWN) {
        return; // at a restart it turned out that BIRD does not have it
    } else {
        service->worsenings++;
        service->worsened_at_ns = now_ns;
    }
    service->changed_at_ns = now_ns;
    service->covered = false;
}

// Promise 2: nothing is withdrawn but for what is known, or set so.
static void check_cause(struct oracle *oracle, const struct oracle_service *service,
                        const struct event *event, const struct bounds *gate, uint64_t now_ns)
{
    const struct service_conf *conf = conf_of(oracle, service);
    bool vague;
    bool intended =
        books_intent(service, now_ns, &vague) != INTENT_AUTO || service->intended || vague;
    if (event->text[0] == '\0') {
        oracle_broken(oracle, "%s changed to %s and the event has no text", conf->name,
                      target_name(event->to));
    }
    if (event->to > event->from || intended || oracle->stopping) {
        return;
    }
    enum level at_most = event->to == TARGET_WITHDRAW ? LEVEL_CLOSED : LEVEL_DEGRADED;
    switch (event->cause) {
    case CAUSE_UNHEALTHY:
    case CAUSE_DEGRADED:
        if (gate->low > at_most) {
            oracle_broken(oracle, "promise 2: %s went to %s as %s, but no verdict said so",
                          conf->name, target_name(event->to), cause_name(event->cause));
        }
        break;
    case CAUSE_UNKNOWN:
        if (conf->on_unknown == ON_UNKNOWN_HOLD && conf->depends.count == 0 &&
            (service->known || now_ns / NS_PER_MS < service->adopt_until_ms)) {
            oracle_broken(oracle, "promise 2: %s is withdrawn as unknown, with on_unknown = hold",
                          conf->name);
        }
        break;
    case CAUSE_START:
    case CAUSE_HOLD_DOWN:
        if (!service->lacked) {
            oracle_broken(oracle, "promise 2: the restart withdrew %s, which BIRD had as it was",
                          conf->name);
        }
        break;
    default:
        oracle_broken(oracle, "promise 2: %s went to %s by itself (%s)", conf->name,
                      target_name(event->to), cause_name(event->cause));
    }
}

void oracle_way(struct oracle *oracle, size_t probe, unsigned place, enum verdict_kind kind,
                enum way_kind way)
{
    struct oracle_service *service = books_led_to(oracle, probe, place);
    if (service == NULL) {
        oracle_broken(oracle, "the way of p%zu was asked for, which leads to no service", probe);
    } else if (kind == VERDICT_FAIL) {
        oracle->probes[probe].blackholed = way == WAY_BLACKHOLE;
    } else {
        service->passed_by = way;
        service->passed_probe = probe;
    }
}

// Promise 8: who was seen to be cut off by being announced is held, and nobody else.
static void check_held(struct oracle *oracle, struct oracle_service *service,
                       const struct event *event)
{
    bool holds = strstr(event->text, "takes the place of") != NULL;
    if (!holds && strstr(event->text, "does not take") == NULL) {
        return; // of something else
    }
    // With others that suffice it may have been announced meanwhile.
    bool again = service->held && !books_requires(conf_of(oracle, service), service->held_probe);
    bool right = holds ? oracle->probes[service->passed_probe].blackholed &&
                             service->passed_by == WAY_ROUTE &&
                             service->target == TARGET_WITHDRAW && (!service->held || again)
                       : service->held && service->passed_by == WAY_LOCAL;
    if (!right) {
        oracle_broken(oracle, "promise 8: %s is %s although that was not seen", event->service,
                      holds ? "held as cut off" : "not held any more");
    }
    service->held = holds;
    service->held_probe = service->passed_probe;
}

static void check_events(struct oracle *oracle, const struct core *core,
                         const struct bounds gates[], uint64_t now_ns)
{
    for (uint64_t seq = oracle->seen_events + 1; seq < events_end(core->events); seq++) {
        const struct event *event = events_get(core->events, seq);
        oracle->seen_events = seq;
        bool of_service =
            event != NULL && (event->kind == EVENT_TRANSITION || event->kind == EVENT_OBSERVED);
        if (!of_service) {
            continue;
        }
        struct oracle_service *service = &oracle->services[scene_number(event->service)];
        if (event->kind == EVENT_OBSERVED) {
            check_held(oracle, service, event);
            continue;
        }
        if (!service->configured) {
            oracle_broken(oracle, "an event of %s, which is not configured", event->service);
            return;
        }
        if (event->from != service->target) {
            oracle_broken(oracle, "%s: an event says from %s, but it was %s", event->service,
                          target_name(event->from), target_name(service->target));
        }
        check_cause(oracle, service, event, &gates[service->index], now_ns);
        check_damping(oracle, service, event, now_ns);
        service->target = event->to;
        service->target_at_ns = now_ns;
        service->back_at_ns = event->from == TARGET_WITHDRAW ? now_ns : service->back_at_ns;
        service->event = seq;
        service->acknowledged = false;
    }
}

// ---- Targets

static void check_intended(struct oracle *oracle, const struct oracle_service *service,
                           enum intent_kind kind, uint64_t now_ns)
{
    const char *name = conf_of(oracle, service)->name;
    enum target target = service->target;
    if (kind == INTENT_ISOLATE && target != TARGET_WITHDRAW) {
        oracle_broken(oracle, "promise 1: %s is isolated and at %s", name, target_name(target));
    }
    // core_tick() comes when core_next_ms() says, so one ms after is late.
    int64_t grace_ms = oracle->stopping ? -1 : (int64_t)service->intent.grace_ms;
    int64_t grace_end_ms = service->intent.since_ms + grace_ms;
    if (kind == INTENT_DRAIN && target != TARGET_WITHDRAW &&
        (oracle->stopping || (int64_t)(now_ns / NS_PER_MS) > grace_end_ms + 1)) {
        oracle_broken(oracle, "promise 1: %s is drained, its grace is over, and it is at %s", name,
                      target_name(target));
    }
    if (kind == INTENT_DRAIN && target == TARGET_ANNOUNCE) {
        oracle_broken(oracle, "promise 1: %s is drained and announced", name);
    }
    if (kind == INTENT_PIN && target != TARGET_ANNOUNCE) {
        oracle_broken(oracle, "%s is pinned and at %s", name, target_name(target));
    }
}

// Promise 1, straight from the words of intents and probes.
static void check_target(struct oracle *oracle, struct oracle_service *service,
                         const struct bounds *gate, uint64_t now_ns)
{
    const struct service_conf *conf = conf_of(oracle, service);
    bool vague;
    enum intent_kind kind = books_intent(service, now_ns, &vague);
    service->intended = kind != INTENT_AUTO || vague;
    service->covered = service->covered || service->intended;
    if (oracle->stopping && conf->on_exit == ON_EXIT_WITHDRAW) {
        if (service->target != TARGET_WITHDRAW) {
            oracle_broken(oracle, "%s is at %s although popgated stops", conf->name,
                          target_name(service->target));
        }
        return; // nothing is decided for it any more
    }
    if (oracle->stopping && kind == INTENT_PIN) {
        kind = INTENT_AUTO; // nobody would be there to end it
    }
    if (kind == INTENT_AUTO && service->intent.kind != INTENT_AUTO && !oracle->stopping) {
        books_end(service);
    }
    if (vague) {
        return;
    }
    check_intended(oracle, service, kind, now_ns);
    if (kind == INTENT_PIN) {
        return;
    }
    if (service->held && books_requires(conf, service->held_probe) &&
        service->target != TARGET_WITHDRAW) {
        oracle_broken(oracle, "promise 8: %s is at %s again, which cuts it off", conf->name,
                      target_name(service->target));
    }
    bool held = conf->on_unknown == ON_UNKNOWN_HOLD && service->known;
    bool too_long =
        gate->high == LEVEL_UNKNOWN && !held && now_ns / NS_PER_MS > service->adopt_until_ms + 1;
    bool closed = gate->high == LEVEL_CLOSED || too_long;
    // Just before it is blind, a probe that degrades is unknown: which leaves as it is what was
    // adopted.
    bool degraded = gate->high == LEVEL_DEGRADED && gate->low == LEVEL_DEGRADED;
    if ((closed && service->target != TARGET_WITHDRAW) ||
        (degraded && service->target == TARGET_ANNOUNCE)) {
        oracle_broken(oracle, "promise 1: %s is at %s, but its probes say %s", conf->name,
                      target_name(service->target), closed ? "withdraw" : "depreference");
    }
}

// ---- What BIRD has

void books_legs(struct oracle *oracle, const struct model *model)
{
    if (oracle->switched != model->switched) {
        oracle->switched = model->switched;
        for (unsigned name = 0; name < SCENE_NAMES; name++) {
            oracle->services[name].on = 0;
        }
        for (size_t i = 0; i < model->loaded.protocol_count; i++) {
            const struct model_protocol *protocol = &model->loaded.protocols[i];
            if (protocol->enabled && model->running) {
                oracle->services[protocol->service].on |=
                    books_leg(protocol->family, protocol->drain);
            }
        }
    }
    for (unsigned name = 0; name < SCENE_NAMES; name++) {
        struct oracle_service *service = &oracle->services[name];
        service->had = service->had || service->on != 0;
        // Under an intent, it may be popgated that has switched it off.
        service->lacked =
            service->lacked || service->intended || (service->file_on & ~service->on) != 0;
    }
}

// Promise 1 at a restart: what BIRD did not have must not come from a file that says so.
void oracle_order(struct oracle *oracle, const char *command, const struct model *model,
                  uint64_t now_ns)
{
    static const char enable[] = "enable popgate_";
    if (strncmp(command, enable, sizeof enable - 1) != 0) {
        return;
    }
    books_legs(oracle, model);
    const struct oracle_service *service =
        &oracle->services[scene_number(command + sizeof enable - 1)];
    bool known = service->event != 0 || service->intent.kind != INTENT_AUTO || service->known ||
                 books_asked(oracle, scene_number(command + sizeof enable - 1));
    if (!service->configured || known || service->had) {
        return;
    }
    struct bounds gates[SCENE_SERVICES];
    books_gates(oracle, now_ns, gates);
    if (gates[service->index].high < LEVEL_DEGRADED) {
        oracle_broken(oracle,
                      "promise 1: %s is switched on at a restart although BIRD did not have it",
                      conf_of(oracle, service)->name);
    }
}

// ---- What neighbours see

static bool matches(enum view view, enum target target, bool established)
{
    switch (target) {
    case TARGET_ANNOUNCE:
        return view == VIEW_PRIMARY || !established;
    case TARGET_DEPREFERENCE:
        return view == VIEW_DRAIN || !established;
    case TARGET_WITHDRAW:
        break;
    }
    return view != VIEW_PRIMARY && view != VIEW_DRAIN;
}

// used: the addresses of the plot that are in the configuration; the others are withdrawn.
static bool plot_agrees(const struct model *model, unsigned plot, unsigned used, enum target target)
{
    for (unsigned k = 0; k < PLOT_PREFIXES; k++) {
        const struct model_prefix *prefix = &model->prefixes[plot * PLOT_PREFIXES + k];
        enum target meant = (used & (1U << k)) != 0 ? target : TARGET_WITHDRAW;
        for (size_t session = 0; session < MODEL_SESSIONS; session++) {
            if (!matches(prefix->seen[session], meant, model->established[session])) {
                return false;
            }
        }
    }
    return true;
}

static bool plot_visible(const struct model *model, unsigned plot, unsigned used)
{
    for (unsigned k = 0; k < PLOT_PREFIXES; k++) {
        const struct model_prefix *prefix = &model->prefixes[plot * PLOT_PREFIXES + k];
        for (size_t session = 0; session < MODEL_SESSIONS && (used & (1U << k)) != 0; session++) {
            enum view view = prefix->seen[session];
            if (model->established[session] && view != VIEW_PRIMARY && view != VIEW_DRAIN) {
                return false;
            }
        }
    }
    return true;
}

// Promise 4: what is not as decided is repaired soon, when nobody disturbs.
static void check_repair(struct oracle *oracle, uint64_t *wrong_since_ns, bool wrong, bool able,
                         const char *name, enum target target, uint64_t now_ns)
{
    if (!wrong || !able) {
        *wrong_since_ns = 0;
        return;
    }
    if (*wrong_since_ns < oracle->disturbed_at_ns || *wrong_since_ns == 0) {
        *wrong_since_ns = now_ns;
    }
    if (now_ns - *wrong_since_ns > REPAIR_WITHIN_NS) {
        oracle_broken(oracle,
                      "promise 4: for %" PRIu64 " ms neighbours have seen %s otherwise than at %s",
                      (now_ns - *wrong_since_ns) / NS_PER_MS, name, target_name(target));
    }
}

bool oracle_sees_off(const struct oracle *oracle, const struct oracle_service *service,
                     uint64_t now_ns)
{
    return (service->on & legs_of(oracle, service)) == 0 ||
           now_ns <= oracle->tampered_at_ns + REPAIR_WITHIN_NS;
}

// Promise 7: a withdrawal waits for nothing but BIRD.
static void check_withdrawal(struct oracle *oracle, const struct oracle_service *service,
                             uint64_t now_ns)
{
    uint64_t since_ns = service->target_at_ns;
    if (service->target != TARGET_WITHDRAW || (service->on & legs_of(oracle, service)) == 0 ||
        oracle->able_since_ns == NEVER_NS ||
        since_ns <= oracle->tampered_at_ns + REPAIR_WITHIN_NS) {
        return;
    }
    since_ns = oracle->able_since_ns > since_ns ? oracle->able_since_ns : since_ns;
    if (now_ns > since_ns + WITHDRAW_WITHIN_NS) {
        oracle_broken(oracle, "promise 7: %s is not withdrawn after %" PRIu64 " ms",
                      conf_of(oracle, service)->name, (now_ns - since_ns) / NS_PER_MS);
    }
}

// Promise 4: what is isolated stays off, whoever switches it on.
static void check_contained(struct oracle *oracle, const struct oracle_service *service,
                            uint64_t now_ns)
{
    bool vague;
    bool isolated = books_intent(service, now_ns, &vague) == INTENT_ISOLATE && !vague;
    if (isolated && (service->on & legs_of(oracle, service)) != 0 &&
        oracle->noticing_since_ns != NEVER_NS &&
        now_ns - oracle->noticing_since_ns > NOTICE_AFTER_NS &&
        now_ns - service->target_at_ns > CONTAIN_WITHIN_NS &&
        now_ns - oracle->tampered_at_ns > CONTAIN_WITHIN_NS) {
        oracle_broken(oracle, "promise 4: isolated %s has been on for %" PRIu64 " ms",
                      conf_of(oracle, service)->name,
                      (now_ns - oracle->tampered_at_ns) / NS_PER_MS);
    }
}

// Between announced and depreferenced there is never a gap (bird-facts 5).
static void check_gap(struct oracle *oracle, struct oracle_service *service, bool visible,
                      bool able, uint64_t now_ns)
{
    if (service->visible && !visible && able && service->target != TARGET_WITHDRAW &&
        now_ns - service->back_at_ns > REPAIR_WITHIN_NS &&
        now_ns - oracle->disturbed_at_ns > REPAIR_WITHIN_NS) {
        oracle_broken(oracle, "%s vanished on its way to %s", conf_of(oracle, service)->name,
                      target_name(service->target));
    }
    service->visible = visible;
}

static void check_neighbours(struct oracle *oracle, const struct model *model,
                             struct abilities abilities, uint64_t now_ns)
{
    for (unsigned plot = 0; plot < SCENE_PLOTS; plot++) {
        if (oracle->owner[plot] == NOBODY) {
            check_repair(oracle, &oracle->retired_wrong_since_ns[plot],
                         !plot_agrees(model, plot, 0, TARGET_WITHDRAW), abilities.repairs,
                         model->prefixes[(size_t)plot * PLOT_PREFIXES].text, TARGET_WITHDRAW,
                         now_ns);
            continue;
        }
        struct oracle_service *service = &oracle->services[oracle->owner[plot]];
        bool wrong = !plot_agrees(model, plot, service->used, service->target);
        check_repair(oracle, &service->wrong_since_ns, wrong, abilities.repairs,
                     conf_of(oracle, service)->name, service->target, now_ns);
        check_withdrawal(oracle, service, now_ns);
        check_contained(oracle, service, now_ns);
        check_gap(oracle, service, plot_visible(model, plot, service->used), abilities.repairs,
                  now_ns);
    }
}

// Promise 5: what an event calls acknowledged is so in BIRD, at that instant.
static void check_acknowledged(struct oracle *oracle, const struct core *core,
                               struct oracle_service *service, uint64_t now_ns)
{
    const struct event *event = events_get(core->events, service->event);
    if (service->acknowledged || event == NULL || event->acknowledged_ns == 0) {
        return;
    }
    service->acknowledged = true;
    unsigned primaries = books_leg(FAMILY_V4, false) | books_leg(FAMILY_V6, false);
    unsigned twins = books_leg(FAMILY_V4, true) | books_leg(FAMILY_V6, true);
    unsigned wrong = service->target == TARGET_ANNOUNCE       ? twins
                     : service->target == TARGET_DEPREFERENCE ? primaries
                                                              : primaries | twins;
    wrong &= service->on & legs_of(oracle, service);
    if (event->acknowledged_ns == now_ns && wrong != 0 &&
        service->target_at_ns > oracle->tampered_at_ns + REPAIR_WITHIN_NS) {
        oracle_broken(oracle, "promise 5: %s is said to be at %s, but BIRD has %x of it on",
                      conf_of(oracle, service)->name, target_name(service->target), wrong);
    }
}

static void note_levels(struct oracle_service *service, const struct bounds *gate, uint64_t now_ms)
{
    service->known = service->known || gate->high >= LEVEL_DEGRADED;
    for (unsigned level = LEVEL_DEGRADED; level <= LEVEL_OPEN; level++) {
        if (gate->high < level) {
            service->since_ms[level] = UINT64_MAX;
        } else if (service->since_ms[level] == UINT64_MAX) {
            service->since_ms[level] = now_ms;
        }
    }
}

void oracle_check(struct oracle *oracle, const struct core *core, const struct model *model,
                  struct abilities abilities, uint64_t now_ns)
{
    struct bounds gates[SCENE_SERVICES];
    if (!abilities.notices) {
        oracle->noticing_since_ns = NEVER_NS;
    } else if (oracle->noticing_since_ns == NEVER_NS) {
        oracle->noticing_since_ns = now_ns;
    }
    if (!abilities.switches) {
        oracle->able_since_ns = NEVER_NS;
    } else if (oracle->able_since_ns == NEVER_NS) {
        oracle->able_since_ns = now_ns;
    }
    books_gates(oracle, now_ns, gates);
    for (size_t i = 0; i < oracle->config->service_count; i++) {
        note_levels(at_index(oracle, i), &gates[i], now_ns / NS_PER_MS);
        books_forget(at_index(oracle, i), &oracle->config->services[i], now_ns);
    }
    books_legs(oracle, model);
    check_events(oracle, core, gates, now_ns);
    for (size_t i = 0; i < oracle->config->service_count; i++) {
        struct oracle_service *service = at_index(oracle, i);
        if (core->services[i].decision.target != service->target) {
            oracle_broken(oracle, "%s is at %s without an event", conf_of(oracle, service)->name,
                          target_name(core->services[i].decision.target));
        }
        check_target(oracle, service, &gates[i], now_ns);
        check_acknowledged(oracle, core, service, now_ns);
    }
    check_neighbours(oracle, model, abilities, now_ns);
}

// ---- At the end of a stop, and after a long quiet time

void oracle_check_stopped(struct oracle *oracle, const struct model *model, uint64_t now_ns)
{
    if (now_ns - oracle->disturbed_at_ns <= REPAIR_WITHIN_NS) {
        return; // it need not have noticed yet
    }
    for (unsigned plot = 0; plot < SCENE_PLOTS; plot++) {
        if (oracle->owner[plot] == NOBODY) {
            continue;
        }
        const struct oracle_service *service = &oracle->services[oracle->owner[plot]];
        const struct service_conf *conf = conf_of(oracle, service);
        // What is kept need not have come on yet; but it is not left between its two legs.
        bool on_its_way =
            service->target != TARGET_WITHDRAW && now_ns - service->back_at_ns <= REPAIR_WITHIN_NS;
        if (!on_its_way && !plot_agrees(model, plot, service->used, service->target)) {
            oracle_broken(oracle, "popgated has stopped, and %s (on_exit = %s) is not at %s",
                          conf->name, conf->on_exit == ON_EXIT_KEEP ? "keep" : "withdraw",
                          target_name(service->target));
        }
    }
}

// Promise 5: what status says was seen is what neighbours have.
static void check_observed(struct oracle *oracle, const struct core *core,
                           const struct model *model)
{
    size_t index = 0;
    for (size_t i = 0; i < oracle->config->service_count; i++) {
        const struct service_conf *conf = &oracle->config->services[i];
        for (size_t j = 0; j < conf->prefix_count; j++, index++) {
            char text[PREFIX_TEXT_MAX];
            const struct model_prefix *prefix =
                model_prefix(model, prefix_text(&conf->prefixes[j], text));
            struct prefix_view view =
                observed_view(core->observed, index, at_index(oracle, i)->target);
            size_t ours = 0;
            size_t others = 0;
            size_t altered = 0;
            for (size_t session = 0; session < MODEL_SESSIONS; session++) {
                enum view seen = prefix->seen[session];
                ours += seen == VIEW_PRIMARY || seen == VIEW_DRAIN;
                others += seen == VIEW_OTHER;
                altered += seen == VIEW_DRAIN && model->strips &&
                           at_index(oracle, i)->target == TARGET_DEPREFERENCE;
            }
            if (view.announced != ours || view.other != others) {
                oracle_broken(
                    oracle,
                    "promise 5: %s is on %zu sessions (%zu of others), status says %zu (%zu)", text,
                    ours, others, view.announced, view.other);
            }
            if (view.altered != altered) {
                oracle_broken(oracle,
                              "promise 5: %s lost its attributes on %zu sessions, status says %zu",
                              text, altered, view.altered);
            }
        }
    }
}

// Each session is told to be as it is, and the last word of it in the events too.
static void check_sessions(struct oracle *oracle, const struct core *core,
                           const struct model *model)
{
    const struct sessions *sessions = &core->observed->sessions;
    size_t told = 0;
    for (size_t i = 0; i < sessions->count; i++) {
        const struct session *session = &sessions->all[i];
        if (!session_is_one(session) || strncmp(session->name, "up", 2) != 0) {
            continue;
        }
        size_t number = strtoul(session->name + 2, NULL, 10);
        bool established = number < MODEL_SESSIONS && model->established[number];
        told++;
        if (session->established != established ||
            (session->state == SESSION_ESTABLISHED) != established) {
            oracle_broken(oracle, "after quiet %s is said to be %s", session->name,
                          session_state_name(session->state));
        }
    }
    if (told != MODEL_SESSIONS) {
        oracle_broken(oracle, "after quiet %zu sessions are known of %d", told, MODEL_SESSIONS);
    }
}

// Promise 4: the file on disk says of each protocol what BIRD does.
static void check_file(struct oracle *oracle, const struct model *model)
{
    static struct model_conf disk;
    if (!model_read(&model->disk, &disk) || strcmp(disk.revision, oracle->revision) != 0 ||
        strcmp(model->loaded.revision, oracle->revision) != 0 ||
        disk.protocol_count != model->loaded.protocol_count) {
        oracle_broken(oracle, "after quiet the include file is of revision %s, BIRD has %s, not %s",
                      disk.revision, model->loaded.revision, oracle->revision);
        return;
    }
    for (size_t i = 0; i < disk.protocol_count; i++) {
        if (disk.protocols[i].enabled != model->loaded.protocols[i].enabled) {
            oracle_broken(oracle, "promise 4: %s is %s in BIRD, the include file says otherwise",
                          disk.protocols[i].name,
                          model->loaded.protocols[i].enabled ? "on" : "off");
        }
    }
}

// The probes of those that are cut off by being announced would close its gate.
static bool fails_announced(struct oracle *oracle, const struct oracle_service *service,
                            const enum level levels[], const unsigned cut_off[])
{
    enum level then[SCENE_PROBES];
    for (size_t i = 0; i < oracle->config->probe_count; i++) {
        then[i] = books_led_to(oracle, i, cut_off[i]) == service ? LEVEL_CLOSED : levels[i];
    }
    return books_gate(oracle->config, service->index, then) == LEVEL_CLOSED;
}

// Of several of which some are enough, it depends on which were seen to be cut off together.
static bool is_open(struct oracle *oracle, size_t index, const unsigned cut_off[])
{
    const struct service_conf *conf = &oracle->config->services[index];
    bool any = false;
    for (size_t i = 0; i < conf->any.count; i++) {
        size_t probe = conf->any.items[i];
        const struct oracle_service *led_to = books_led_to(oracle, probe, cut_off[probe]);
        any = any || (led_to != NULL && led_to->index == index);
    }
    for (size_t i = 0; i < conf->depends.count; i++) {
        any = any || is_open(oracle, conf->depends.items[i], cut_off);
    }
    return any;
}

static enum target expected(const struct oracle *oracle, const struct oracle_service *service,
                            const enum level levels[], bool would_fail, uint64_t now_ns)
{
    bool vague;
    enum target target = books_target(books_gate(oracle->config, service->index, levels));
    target = would_fail ? TARGET_WITHDRAW : target;
    switch (books_intent(service, now_ns, &vague)) {
    case INTENT_PIN:
        return TARGET_ANNOUNCE;
    case INTENT_ISOLATE:
        return TARGET_WITHDRAW;
    case INTENT_DRAIN:
        if ((int64_t)(now_ns / NS_PER_MS) >=
            service->intent.since_ms + (int64_t)service->intent.grace_ms) {
            return TARGET_WITHDRAW;
        }
        return target < TARGET_DEPREFERENCE ? target : TARGET_DEPREFERENCE;
    case INTENT_AUTO:
        break;
    }
    return target;
}

void oracle_check_quiet(struct oracle *oracle, const struct core *core, const struct model *model,
                        const enum verdict_kind truth[], const unsigned cut_off[], uint64_t now_ns)
{
    static const enum level says[] = {[VERDICT_UNKNOWN] = LEVEL_UNKNOWN,
                                      [VERDICT_FAIL] = LEVEL_CLOSED,
                                      [VERDICT_DEGRADED] = LEVEL_DEGRADED,
                                      [VERDICT_PASS] = LEVEL_OPEN};
    enum level levels[SCENE_PROBES] = {LEVEL_CLOSED};
    for (size_t i = 0; i < oracle->config->probe_count; i++) {
        levels[i] = says[truth[i]];
    }
    for (unsigned plot = 0; plot < SCENE_PLOTS; plot++) {
        if (oracle->owner[plot] == NOBODY) {
            continue;
        }
        const struct oracle_service *service = &oracle->services[oracle->owner[plot]];
        const char *name = conf_of(oracle, service)->name;
        bool would_fail = fails_announced(oracle, service, levels, cut_off);
        if (is_open(oracle, service->index, cut_off)) {
            continue;
        }
        enum target target = expected(oracle, service, levels, would_fail, now_ns);
        if (service->target != target) {
            oracle_broken(oracle, "after quiet %s is at %s, should be at %s", name,
                          target_name(service->target), target_name(target));
        }
        if (!plot_agrees(model, plot, service->used, target)) {
            oracle_broken(oracle, "after quiet neighbours see %s otherwise than at %s", name,
                          target_name(target));
        }
    }
    check_observed(oracle, core, model);
    check_sessions(oracle, core, model);
    check_file(oracle, model);
}
