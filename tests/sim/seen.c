// What BIRD has and its neighbours see: soon what is decided, at once where that is a withdrawal,
// and never less on the way.
#include "tests/sim/inside.h"

#include <inttypes.h>
#include <string.h>

#define NOTICE_AFTER_NS                                                                            \
    (3000 * NS_PER_MS) // a slow answer makes it look less often, until a quick one
#define CONTAIN_WITHIN_NS  (200 * NS_PER_MS) // an answer of a millisecond is followed by 99 of rest
#define WITHDRAW_WITHIN_NS (100 * NS_PER_MS) // BIRD does some forty commands before

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
bool seen_agrees(const struct model *model, unsigned plot, unsigned used, enum target target)
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

void seen_neighbours(struct oracle *oracle, const struct model *model, struct abilities abilities,
                     uint64_t now_ns)
{
    for (unsigned plot = 0; plot < SCENE_PLOTS; plot++) {
        if (oracle->owner[plot] == NOBODY) {
            check_repair(oracle, &oracle->retired_wrong_since_ns[plot],
                         !seen_agrees(model, plot, 0, TARGET_WITHDRAW), abilities.repairs,
                         model->prefixes[(size_t)plot * PLOT_PREFIXES].text, TARGET_WITHDRAW,
                         now_ns);
            continue;
        }
        struct oracle_service *service = &oracle->services[oracle->owner[plot]];
        bool wrong = !seen_agrees(model, plot, service->used, service->target);
        check_repair(oracle, &service->wrong_since_ns, wrong, abilities.repairs,
                     conf_of(oracle, service)->name, service->target, now_ns);
        check_withdrawal(oracle, service, now_ns);
        check_contained(oracle, service, now_ns);
        check_gap(oracle, service, plot_visible(model, plot, service->used), abilities.repairs,
                  now_ns);
    }
}

// Promise 5: what an event calls acknowledged is so in BIRD, at that instant.
void seen_acknowledged(struct oracle *oracle, const struct core *core,
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
