// What must be so at an end: when a stop is over, and after a long quiet time.
#include "tests/sim/inside.h"

#include <stdlib.h>
#include <string.h>

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
        if (!on_its_way && !seen_agrees(model, plot, service->used, service->target)) {
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
        bool would_fail = cut_off_fails(oracle, service, levels, cut_off);
        if (cut_off_open(oracle, service->index, cut_off)) {
            continue;
        }
        enum target target = expected(oracle, service, levels, would_fail, now_ns);
        if (service->target != target) {
            oracle_broken(oracle, "after quiet %s is at %s, should be at %s", name,
                          target_name(service->target), target_name(target));
        }
        if (!seen_agrees(model, plot, service->used, target)) {
            oracle_broken(oracle, "after quiet neighbours see %s otherwise than at %s", name,
                          target_name(target));
        }
    }
    check_observed(oracle, core, model);
    check_sessions(oracle, core, model);
    check_file(oracle, model);
}
