// The oracle's own books: probes' health by rise and fall, gates, intents and their clocks. Written
// from the manual's words, not from the core's code, so that a mistake has to be made twice.
#include "tests/sim/oracle.h"

#include <string.h>

static uint64_t ms_of(uint64_t ns)
{
    return ns / NS_PER_MS;
}

// ---- Probes

static uint64_t blind_ms(const struct oracle_probe *probe, const struct probe_conf *conf)
{
    return probe->known_at_ms + conf->unknown_grace_ms + conf->interval_ms + conf->timeout_ms;
}

static bool crash_over(const struct oracle_probe *probe, const struct probe_conf *conf,
                       uint64_t now_ms)
{
    return probe->crashed_at_ms != 0 && now_ms >= probe->crashed_at_ms + conf->crash_grace_ms;
}

static void settle(struct oracle_probe *probe, const struct probe_conf *conf, uint64_t now_ms)
{
    enum level before = probe->anew ? LEVEL_UNKNOWN : probe->settled;
    enum level level = before;
    if (crash_over(probe, conf, now_ms)) {
        level = LEVEL_CLOSED;
        probe->crashed_at_ms = 0;
    } else if (probe->crashed_at_ms != 0) {
        return; // it has its grace
    } else if (probe->fails >= conf->fall) {
        level = LEVEL_CLOSED;
    } else if (probe->passes >= conf->rise) {
        level = LEVEL_OPEN;
    } else if ((before == LEVEL_OPEN && probe->bad >= conf->fall) ||
               (before < LEVEL_DEGRADED && probe->alive >= conf->rise)) {
        level = LEVEL_DEGRADED;
    }
    if (level != LEVEL_UNKNOWN) {
        probe->settled = level;
        probe->anew = false;
    }
}

// What happened to it by itself until now.
static void pass_time(struct oracle_probe *probe, const struct probe_conf *conf, uint64_t now_ms)
{
    if (crash_over(probe, conf, now_ms)) {
        probe->settled = LEVEL_CLOSED;
        probe->anew = false;
        probe->crashed_at_ms = 0;
    }
    if (now_ms >= blind_ms(probe, conf)) {
        probe->anew = true;
        probe->fails = probe->passes = probe->alive = probe->bad = 0;
    }
}

void oracle_verdict(struct oracle *oracle, size_t index, const struct verdict *verdict,
                    uint64_t now_ns)
{
    struct oracle_probe *probe = &oracle->probes[index];
    const struct probe_conf *conf = &oracle->config->probes[index];
    if (verdict->kind == VERDICT_UNKNOWN) {
        return;
    }
    pass_time(probe, conf, ms_of(now_ns));
    bool fail = verdict->kind == VERDICT_FAIL;
    bool pass = verdict->kind == VERDICT_PASS;
    probe->fails = fail ? probe->fails + 1 : 0;
    probe->passes = pass ? probe->passes + 1 : 0;
    probe->alive = fail ? 0 : probe->alive + 1;
    probe->bad = pass ? 0 : probe->bad + 1;
    probe->known_at_ms = ms_of(now_ns);
    if (!fail) {
        probe->crashed_at_ms = 0;
    } else if (verdict->definitive && probe->crashed_at_ms == 0) {
        probe->crashed_at_ms = ms_of(now_ns);
    }
    settle(probe, conf, ms_of(now_ns));
}

// ---- Gates

// What one probe says to a gate. late: what is to happen at this very millisecond has not happened
// yet.
static enum level needed_view(const struct oracle *oracle, const struct service_conf *conf,
                              size_t index, bool degrades, bool late, uint64_t now_ms)
{
    struct oracle_probe probe = oracle->probes[index];
    pass_time(&probe, &oracle->config->probes[index], now_ms - (late ? 2 : 0));
    bool closes = probe.anew && conf->on_unknown == ON_UNKNOWN_WITHDRAW;
    if (!degrades) {
        return closes ? LEVEL_CLOSED : probe.settled;
    }
    if (probe.settled == LEVEL_UNKNOWN) { // passed over when it can't look
        return !probe.anew ? LEVEL_UNKNOWN : closes ? LEVEL_DEGRADED : LEVEL_OPEN;
    }
    return probe.settled < LEVEL_OPEN || closes ? LEVEL_DEGRADED : LEVEL_OPEN;
}

static enum level view_of(const struct oracle *oracle, const struct service_conf *conf,
                          size_t index, bool degrades, bool worst, uint64_t now_ms)
{
    enum level early = needed_view(oracle, conf, index, degrades, false, now_ms);
    enum level late = needed_view(oracle, conf, index, degrades, true, now_ms);
    return (early < late) == worst ? early : late;
}

static enum level least(enum level a, enum level b)
{
    return a < b ? a : b;
}

static enum level any_level(const struct service_conf *conf, const enum level views[])
{
    size_t at_least[LEVELS] = {0};
    for (size_t i = 0; i < conf->any.count; i++) {
        for (unsigned level = 0; level <= views[i]; level++) {
            at_least[level]++;
        }
    }
    unsigned level = LEVEL_OPEN;
    while (conf->any.count > 0 && level > LEVEL_CLOSED && at_least[level] < conf->any_min) {
        level--;
    }
    return level;
}

static enum level gate_in_light(const struct oracle *oracle, const struct service_conf *conf,
                                bool worst, uint64_t now_ms)
{
    enum level level = LEVEL_OPEN;
    enum level views[SCENE_PROBES];
    for (size_t i = 0; i < conf->require.count; i++) {
        size_t probe = conf->require.items[i];
        level = least(level, view_of(oracle, conf, probe, false, worst, now_ms));
    }
    for (size_t i = 0; i < conf->any.count; i++) {
        views[i] = view_of(oracle, conf, conf->any.items[i], false, worst, now_ms);
    }
    level = least(level, any_level(conf, views));
    for (size_t i = 0; i < conf->degrade.count; i++) {
        size_t probe = conf->degrade.items[i];
        level = least(level, view_of(oracle, conf, probe, true, worst, now_ms));
    }
    return level;
}

void books_gates(const struct oracle *oracle, uint64_t now_ns, struct bounds out[SCENE_SERVICES])
{
    const struct config *config = oracle->config;
    for (size_t i = 0; i < config->service_count; i++) {
        size_t index = config->service_order[i];
        const struct service_conf *conf = &config->services[index];
        struct bounds *bounds = &out[index];
        bounds->low = gate_in_light(oracle, conf, true, ms_of(now_ns));
        bounds->high = gate_in_light(oracle, conf, false, ms_of(now_ns));
        for (size_t j = 0; j < conf->depends.count; j++) {
            bounds->low = least(bounds->low, out[conf->depends.items[j]].low);
            bounds->high = least(bounds->high, out[conf->depends.items[j]].high);
        }
    }
}

enum level books_gate(const struct config *config, size_t index, const enum level probes[])
{
    const struct service_conf *conf = &config->services[index];
    enum level level = LEVEL_OPEN;
    enum level views[SCENE_PROBES];
    for (size_t i = 0; i < conf->require.count; i++) {
        level = least(level, probes[conf->require.items[i]]);
    }
    for (size_t i = 0; i < conf->any.count; i++) {
        views[i] = probes[conf->any.items[i]];
    }
    level = least(level, any_level(conf, views));
    for (size_t i = 0; i < conf->degrade.count; i++) {
        level = probes[conf->degrade.items[i]] < LEVEL_OPEN ? least(level, LEVEL_DEGRADED) : level;
    }
    for (size_t i = 0; i < conf->depends.count; i++) {
        level = least(level, books_gate(config, conf->depends.items[i], probes));
    }
    return level;
}

enum target books_target(enum level level)
{
    return level == LEVEL_OPEN       ? TARGET_ANNOUNCE
           : level == LEVEL_DEGRADED ? TARGET_DEPREFERENCE
                                     : TARGET_WITHDRAW;
}

// ---- Intents

enum intent_kind books_intent(const struct oracle_service *service, uint64_t now_ns, bool *vague)
{
    const struct oracle_intent *intent = &service->intent;
    int64_t now_ms = (int64_t)ms_of(now_ns);
    *vague = service->unsure || (intent->until_ms != 0 && now_ms >= intent->until_ms &&
                                 now_ms <= intent->until_ms + 1);
    bool over = intent->until_ms != 0 && now_ms > intent->until_ms + 1;
    return over ? INTENT_AUTO : intent->kind;
}

void books_end(struct oracle_service *service)
{
    service->safe.ended = service->safe.ended || service->safe.verb == service->intent_verb;
    service->intent = (struct oracle_intent){.kind = INTENT_AUTO};
}

// A clock that was stepped back makes nothing last longer than it was to last, and gives no grace a
// second time.
void books_read_again(struct oracle_intent *intent, uint64_t wall_ms, uint64_t now_ns)
{
    int64_t now_ms = (int64_t)ms_of(now_ns);
    int64_t age_ms = (int64_t)(wall_ms - intent->since_wall_ms);
    intent->since_ms = now_ms - (age_ms > 0 ? age_ms : 0);
    intent->grace_ms = age_ms >= 0 ? intent->kept_grace_ms : 0;
    if (intent->until_wall_ms != 0) {
        int64_t left_ms = (int64_t)(intent->until_wall_ms - wall_ms);
        intent->differs = age_ms < 0 || left_ms < 0;
        int64_t whole_ms = (int64_t)(intent->until_wall_ms - intent->since_wall_ms);
        left_ms = left_ms < 0 ? 0 : left_ms < whole_ms ? left_ms : whole_ms;
        intent->until_ms = now_ms + left_ms > 0 ? now_ms + left_ms : 1;
    }
}

// ---- Configurations

unsigned books_leg(unsigned family, bool drain)
{
    return 1U << (2 * family + drain);
}

static void note_file(struct oracle *oracle, const struct model_file *disk)
{
    static struct model_conf conf;
    if (disk == NULL || !model_read(disk, &conf)) {
        return;
    }
    for (size_t i = 0; i < conf.protocol_count; i++) {
        const struct model_protocol *protocol = &conf.protocols[i];
        if (protocol->enabled) {
            oracle->services[protocol->service].file_on |=
                books_leg(protocol->family, protocol->drain);
        }
    }
}

static struct oracle_service blank(const struct oracle_service *before)
{
    return (struct oracle_service){
        .configured = before->configured,
        .index = before->index,
        .used = before->used,
        .intent = before->intent,
        .intent_verb = before->intent_verb,
        .safe = before->safe,
        .inherited = before->inherited,
        .unsure = before->unsure,
        .last_isolation = before->last_isolation,
        .since_ms = {[LEVEL_DEGRADED] = UINT64_MAX, [LEVEL_OPEN] = UINT64_MAX}};
}

static void configure(struct oracle *oracle, const struct config *config, const struct scene *scene)
{
    struct birdconf *file = birdconf_render(config);
    memcpy(oracle->revision, file->revision, sizeof oracle->revision);
    birdconf_free(file);
    oracle->config = config;
    for (unsigned name = 0; name < SCENE_NAMES; name++) {
        oracle->services[name].configured = false;
    }
    for (unsigned plot = 0; plot < SCENE_PLOTS; plot++) {
        oracle->owner[plot] = NOBODY;
    }
    for (size_t i = 0; i < config->service_count; i++) {
        oracle->names[i] = scene->services[i].name;
        struct oracle_service *service = &oracle->services[oracle->names[i]];
        service->configured = true;
        service->index = i;
        service->used = scene->services[i].prefixes;
        oracle->owner[scene->services[i].plot] = scene->services[i].name;
    }
    for (unsigned name = 0; name < SCENE_NAMES; name++) {
        if (!oracle->services[name].configured) {
            oracle->services[name] = blank(&oracle->services[name]);
        }
    }
}

// A start's adoption: what the file had on, if popgated ran before since the boot.
static void adopt(struct oracle_service *service, const struct service_conf *conf, bool same_boot,
                  uint64_t now_ns)
{
    unsigned primaries = books_leg(FAMILY_V4, false) | books_leg(FAMILY_V6, false);
    unsigned has = 0;
    for (unsigned family = 0; family < FAMILIES; family++) {
        has |= conf->has_family[family] ? books_leg(family, false) | books_leg(family, true) : 0;
    }
    service->file_on &= has;
    bool announced = (service->file_on & primaries) != 0;
    service->target = !same_boot || service->file_on == 0 ? TARGET_WITHDRAW
                      : announced                         ? TARGET_ANNOUNCE
                                                          : TARGET_DEPREFERENCE;
    service->target_at_ns = now_ns;
    service->adopt_until_ms = ms_of(now_ns) + conf->adopt_grace_ms;
}

void books_forget(struct oracle_service *service, const struct service_conf *conf, uint64_t now_ns)
{
    if (now_ns - service->changed_at_ns >= conf->max_hold_down_ms * NS_PER_MS) {
        bool well = service->target == TARGET_ANNOUNCE || service->covered;
        service->worsenings = well || service->worsenings == 0 ? 0 : 1;
    }
}

void oracle_start(struct oracle *oracle, const struct config *config, const struct scene *scene,
                  const struct model_file *disk, bool same_boot, const struct events *events,
                  uint64_t now_ns)
{
    configure(oracle, config, scene);
    oracle->stopping = false;
    oracle->seen_events = events_end(events) - 1;
    oracle->disturbed_at_ns = now_ns;
    oracle->able_since_ns = oracle->noticing_since_ns = NEVER_NS;
    oracle->switched = UINT64_MAX;
    for (size_t i = 0; i < config->probe_count; i++) {
        oracle->probes[i] =
            (struct oracle_probe){.settled = LEVEL_UNKNOWN, .known_at_ms = ms_of(now_ns)};
    }
    for (unsigned name = 0; name < SCENE_NAMES; name++) {
        struct oracle_service before = oracle->services[name];
        oracle->services[name] = blank(&before);
        if (same_boot && before.configured) {
            oracle->services[name].worsened_at_ns = before.worsened_at_ns;
            oracle->services[name].worsenings =
                before.worsenings < before.remembered[1] ? before.worsenings : before.remembered[1];
            oracle->services[name].remembered[0] = before.remembered[0];
            oracle->services[name].remembered[1] = before.remembered[1];
            oracle->services[name].changed_at_ns = before.changed_at_ns;
            oracle->services[name].covered = before.covered;
        }
    }
    note_file(oracle, disk);
    for (size_t i = 0; i < config->service_count; i++) {
        adopt(&oracle->services[scene_number(config->services[i].name)], &config->services[i],
              same_boot, now_ns);
    }
    memset(oracle->retired_wrong_since_ns, 0, sizeof oracle->retired_wrong_since_ns);
}

// What the daemon has done by itself until now; of what it withdraws at its end it decides nothing
// any more.
static void bring_up_to(struct oracle *oracle, uint64_t now_ns)
{
    for (size_t i = 0; i < oracle->config->service_count; i++) {
        const struct service_conf *conf = &oracle->config->services[i];
        struct oracle_service *service = &oracle->services[scene_number(conf->name)];
        if (oracle->stopping && conf->on_exit == ON_EXIT_WITHDRAW) {
            continue;
        }
        books_forget(service, conf, now_ns);
        int64_t over_ms = (int64_t)ms_of(now_ns) - service->intent.until_ms;
        if (service->intent.until_ms != 0 && over_ms >= 0) {
            struct oracle_intent intent = service->intent;
            books_end(service);
            service->intent = over_ms <= 0 ? intent : service->intent; // it may have come to that
        }
    }
}

bool books_asked(const struct oracle *oracle, unsigned name)
{
    for (size_t i = 0; i < oracle->asked_count; i++) {
        for (size_t j = 0; j < oracle->asked[i].name_count; j++) {
            if (oracle->asked[i].names[j] == name) {
                return true;
            }
        }
    }
    return false;
}

// What waits is for services of the same name, and for none that is gone; but what was being saved
// may be in the ledger.
static void drop_gone(struct oracle *oracle)
{
    for (size_t i = 0; i < oracle->asked_count; i++) {
        struct asked *asked = &oracle->asked[i];
        for (size_t j = 0; j < asked->name_count; j++) {
            struct oracle_service *service = &oracle->services[asked->names[j]];
            asked->gone[j] = asked->gone[j] || !service->configured;
            service->unsure = service->unsure || !service->configured;
        }
    }
}

// A service that is new, and has an address of one that is gone, is held as that one was; but not
// pinned.
static void inherit(struct oracle *oracle, const struct scene *before, const bool had[SCENE_NAMES],
                    unsigned plot, unsigned used)
{
    struct oracle_service *service = &oracle->services[oracle->owner[plot]];
    for (unsigned i = 0; i < before->service_count; i++) {
        const struct scene_service *other = &before->services[i];
        const struct oracle_service *gone = &oracle->services[other->name];
        if (other->plot != plot || (other->prefixes & used) == 0 || gone->configured ||
            !had[other->name]) {
            continue;
        }
        service->unsure = service->unsure || books_asked(oracle, other->name) || gone->unsure;
        if (gone->intent.kind == INTENT_DRAIN || gone->intent.kind == INTENT_ISOLATE) {
            service->intent = gone->intent;
            service->intent_verb = gone->intent_verb;
            service->inherited = safe_of(gone->intent.kind, gone->intent_verb);
        }
    }
}

void oracle_reload(struct oracle *oracle, const struct config *config, const struct scene *scene,
                   const struct scene *before, uint64_t now_ns)
{
    bool had[SCENE_NAMES];
    bring_up_to(oracle, now_ns);
    for (unsigned name = 0; name < SCENE_NAMES; name++) {
        had[name] = oracle->services[name].configured;
    }
    for (size_t i = 0; i < oracle->config->probe_count; i++) { // what is blind stays so
        pass_time(&oracle->probes[i], &oracle->config->probes[i], ms_of(now_ns));
    }
    configure(oracle, config, scene);
    for (size_t i = 0; i < config->probe_count; i++) {
        if (scene->probes[i].port != before->probes[i].port) {
            oracle->probes[i] =
                (struct oracle_probe){.settled = LEVEL_UNKNOWN, .known_at_ms = ms_of(now_ns)};
        }
    }
    for (unsigned name = 0; name < SCENE_NAMES; name++) {
        struct oracle_service *service = &oracle->services[name];
        if (!service->configured) {
            continue;
        }
        if (!had[name]) {
            *service = blank(service);
            unsigned plot = 0;
            while (oracle->owner[plot] != name) {
                plot++;
            }
            if (service->intent.kind == INTENT_AUTO) {
                inherit(oracle, before, had, plot, service->used);
            }
        }
        uint64_t until_ms = ms_of(now_ns) + config->services[service->index].adopt_grace_ms;
        if (service->known || until_ms < service->adopt_until_ms) { // an adoption is only shortened
            service->adopt_until_ms = until_ms;
        }
    }
    for (unsigned name = 0; name < SCENE_NAMES; name++) {
        struct oracle_service *service = &oracle->services[name];
        size_t probe = service->held_probe;
        service->held = service->held && scene->probes[probe].port == before->probes[probe].port &&
                        books_led_to(oracle, probe, scene->probes[probe].place) == service;
    }
    drop_gone(oracle);
    oracle->disturbed_at_ns = now_ns;
}

void oracle_stop(struct oracle *oracle, uint64_t now_ns)
{
    bring_up_to(oracle, now_ns);
    oracle->stopping = true;
    for (size_t i = 0; i < oracle->config->service_count; i++) {
        struct oracle_service *service = &oracle->services[oracle->names[i]];
        if (oracle->config->services[i].on_exit == ON_EXIT_WITHDRAW &&
            service->target != TARGET_WITHDRAW) {
            service->worsenings++; // a stop that withdraws is a withdrawal
            service->worsened_at_ns = service->changed_at_ns = now_ns;
            service->covered = false;
        }
    }
}

void oracle_end(struct oracle *oracle, uint64_t now_ns)
{
    bring_up_to(oracle, now_ns);
    oracle->config = NULL;
}

void oracle_disturbed(struct oracle *oracle, uint64_t now_ns)
{
    oracle->disturbed_at_ns = now_ns;
}

void oracle_tampered(struct oracle *oracle, uint64_t now_ns)
{
    oracle->disturbed_at_ns = oracle->tampered_at_ns = now_ns;
}

// What is forgotten at this very millisecond may be written as forgotten.
void oracle_remembering(struct oracle *oracle, uint64_t now_ns)
{
    for (unsigned name = 0; name < SCENE_NAMES; name++) {
        struct oracle_service *service = &oracle->services[name];
        struct oracle_service later = *service;
        if (service->configured) {
            books_forget(&later, &oracle->config->services[service->index], now_ns + NS_PER_MS);
        }
        service->remembered[0] = later.worsenings;
    }
}

void oracle_remembered(struct oracle *oracle)
{
    for (unsigned name = 0; name < SCENE_NAMES; name++) {
        oracle->services[name].remembered[1] = oracle->services[name].remembered[0];
    }
}
