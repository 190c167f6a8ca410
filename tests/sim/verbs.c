#include "tests/sim/verbs.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEP_MS 1000 // of the wall clock: less is nothing

// ---- What the ledger says

struct entry {
    enum intent_kind kind; // INTENT_AUTO: there is none
    unsigned verb;         // number of the verb that wrote it; 0: not an operator's
    uint64_t since_wall_ms, until_wall_ms, grace_ms;
};

static enum intent_kind kind_named(const char *name)
{
    return strcmp(name, "drain") == 0     ? INTENT_DRAIN
           : strcmp(name, "isolate") == 0 ? INTENT_ISOLATE
                                          : INTENT_PIN;
}

// False: it can't be read.
static bool read_ledger(const struct model_file *file, struct entry entries[SCENE_NAMES])
{
    memset(entries, 0, SCENE_NAMES * sizeof *entries);
    if (!file->exists) {
        return true;
    }
    json_t *root = json_loadb(file->text, file->length, 0, NULL);
    json_t *services = json_object_get(root, "services");
    const char *name;
    json_t *value;
    json_object_foreach(services, name, value)
    {
        struct entry *entry = &entries[scene_number(name)];
        const char *reason = json_string_value(json_object_get(value, "reason"));
        entry->kind = kind_named(json_string_value(json_object_get(value, "intent")));
        entry->verb = reason[0] == 'v' ? (unsigned)strtoul(reason + 1, NULL, 10) : 0;
        entry->since_wall_ms = (uint64_t)json_integer_value(json_object_get(value, "since_ms"));
        entry->until_wall_ms = (uint64_t)json_integer_value(json_object_get(value, "until_ms"));
        entry->grace_ms = (uint64_t)json_integer_value(json_object_get(value, "grace_ms"));
    }
    json_decref(root);
    return root != NULL;
}

// ---- What a verb does, by the manual

static enum intent_kind sets(enum verb verb)
{
    return verb == VERB_DRAIN     ? INTENT_DRAIN
           : verb == VERB_ISOLATE ? INTENT_ISOLATE
           : verb == VERB_PIN     ? INTENT_PIN
                                  : INTENT_AUTO;
}

static bool hindered(enum verb verb, enum intent_kind kind)
{
    switch (verb) {
    case VERB_DRAIN:
        return kind == INTENT_ISOLATE;
    case VERB_PIN:
        return kind == INTENT_ISOLATE || kind == INTENT_DRAIN;
    case VERB_UNDRAIN:
        return kind == INTENT_ISOLATE || kind == INTENT_PIN;
    case VERB_UNPIN:
        return kind == INTENT_ISOLATE || kind == INTENT_DRAIN;
    case VERB_RELEASE:
        return kind == INTENT_DRAIN || kind == INTENT_PIN;
    case VERB_ISOLATE:
    case VERBS:
        break;
    }
    return false;
}

static bool is_drained(const struct oracle_intent *intent, uint64_t now_ns)
{
    return intent->kind == INTENT_DRAIN &&
           (intent->until_ms == 0 || (int64_t)(now_ns / NS_PER_MS) < intent->until_ms);
}

// Does a drain of before last longer than this one? Then it stays as it is, but for its grace.
// close: by so little that it depends on when it is written down.
static bool outlasts(const struct oracle_intent *before, const struct asked *asked, uint64_t now_ns,
                     bool *close)
{
    int64_t until_ms = (int64_t)(now_ns / NS_PER_MS + asked->for_ms);
    *close = before->until_ms != 0 && llabs(before->until_ms - until_ms) < SAVE_MAX_MS;
    return is_drained(before, now_ns) && asked->verb == VERB_DRAIN && asked->for_ms != 0 &&
           (before->until_ms == 0 || before->until_ms > until_ms);
}

static uint64_t grace_of(const struct oracle *oracle, const struct oracle_service *service,
                         uint64_t now_ns)
{
    const struct oracle_intent *before = &service->intent;
    uint64_t gone_ms = (uint64_t)((int64_t)(now_ns / NS_PER_MS) - before->since_ms);
    bool again = is_drained(before, now_ns);
    if (service->target == TARGET_WITHDRAW || (again && gone_ms >= before->grace_ms)) {
        return 0;
    }
    return again ? before->grace_ms - gone_ms : oracle->config->services[service->index].grace_ms;
}

static void put_in_force(struct oracle *oracle, struct oracle_service *service,
                         const struct asked *asked, uint64_t now_ns, uint64_t wall_ms)
{
    uint64_t now_ms = now_ns / NS_PER_MS;
    struct oracle_intent before = service->intent;
    bool close;
    bool longer = outlasts(&before, asked, now_ns, &close);
    struct oracle_intent intent = {.kind = sets(asked->verb)};
    if (intent.kind != INTENT_AUTO) {
        intent.since_ms = (int64_t)now_ms;
        intent.since_wall_ms = wall_ms;
        intent.until_ms = asked->for_ms != 0 ? (int64_t)(now_ms + asked->for_ms) : 0;
        intent.until_wall_ms = asked->for_ms != 0 ? wall_ms + asked->for_ms : 0;
    }
    if (longer) {
        intent.until_ms = before.until_ms;
        intent.until_wall_ms =
            before.until_ms != 0 ? wall_ms + (uint64_t)before.until_ms - now_ms : 0;
    }
    intent.grace_ms = intent.kind == INTENT_DRAIN ? grace_of(oracle, service, now_ns) : 0;
    intent.kept_grace_ms = intent.grace_ms;
    service->intent = intent;
    service->intent_verb = longer ? service->intent_verb : asked->number;
    service->unsure = false;
    service->held = service->held && intent.kind != INTENT_AUTO; // tried again
}

// ---- Asking and answering

void verbs_asked(struct oracle *oracle, const struct asked *asked, uint64_t now_ns,
                 uint64_t wall_ms)
{
    if (oracle->asked_count == ASKED_MAX) {
        abort();
    }
    oracle->asked[oracle->asked_count++] = *asked;
    for (size_t i = 0; asked->verb == VERB_ISOLATE && i < asked->name_count; i++) {
        struct oracle_service *service = &oracle->services[asked->names[i]];
        put_in_force(oracle, service, asked, now_ns, wall_ms);
        service->last_isolation = asked->number;
    }
}

static void forget(struct oracle *oracle, struct asked *asked)
{
    *asked = oracle->asked[--oracle->asked_count];
}

static bool is_guarded(const struct oracle *oracle, const struct asked *asked,
                       const struct oracle_service *service)
{
    return asked->guarded && oracle->config->services[service->index].last_pop_guard &&
           service->target != TARGET_WITHDRAW && service->target_at_ns < asked->asked_ns;
}

// Whether another PoP announces all that the service has; sure: and that was so all along.
static bool elsewhere(const struct oracle *oracle, const struct model *model, unsigned name,
                      uint64_t asked_ns, bool *sure)
{
    unsigned plot = 0;
    while (oracle->owner[plot] != name) {
        plot++;
    }
    *sure = model->elsewhere_changed_ns[plot] < asked_ns;
    return model->elsewhere[plot];
}

static void check_guard(struct oracle *oracle, const struct asked *asked, bool passed,
                        const struct model *model)
{
    bool all = true;
    bool all_sure = true;
    for (size_t i = 0; i < asked->name_count; i++) {
        const struct oracle_service *service = &oracle->services[asked->names[i]];
        bool sure;
        if (asked->gone[i] || !service->configured) {
            continue;
        }
        bool is_elsewhere = elsewhere(oracle, model, asked->names[i], asked->asked_ns, &sure);
        if (passed && is_guarded(oracle, asked, service) && sure && !is_elsewhere) {
            oracle_broken(oracle, "s%u is drained, and no other PoP announces it", asked->names[i]);
        }
        all = all && is_elsewhere;
        all_sure = all_sure && sure;
    }
    if (!passed && (!asked->guarded || (all && all_sure))) {
        oracle_broken(oracle, "verb %u is refused by the guard, though other PoPs announce it all",
                      asked->number);
    }
}

static bool safe_has(const struct oracle_safe *safe, const struct entry *entry)
{
    return entry->verb == safe->verb || entry->verb == safe->written;
}

// before: the verb whose drain may last longer.
static void check_on_disk(struct oracle *oracle, const struct asked *asked, unsigned name,
                          const struct entry *entry, unsigned before)
{
    enum intent_kind kind = sets(asked->verb);
    const struct oracle_safe *safe = &oracle->services[name].safe;
    if (kind == INTENT_AUTO && safe->ended && safe_has(safe, entry)) {
        return; // it ended by itself before that could be done
    }
    if (kind == INTENT_DRAIN && entry->kind == kind && entry->verb == before) {
        return;
    }
    if (entry->kind != kind || (kind != INTENT_AUTO && entry->verb != asked->number)) {
        oracle_broken(oracle,
                      "promise 6: verb %u (%s) is acknowledged, and the ledger on disk has %s of "
                      "verb %u for s%u",
                      asked->number, verb_rows[asked->verb].name, intent_name(entry->kind),
                      entry->verb, name);
    } else if (kind != INTENT_AUTO &&
               entry->until_wall_ms !=
                   (asked->for_ms != 0 ? entry->since_wall_ms + asked->for_ms : 0)) {
        oracle_broken(oracle, "promise 6: verb %u ends at another time in the ledger",
                      asked->number);
    }
}

// In force, and safe on disk.
static void acknowledged(struct oracle *oracle, const struct asked *asked, bool confirmed,
                         const struct model *model, const struct model_file *ledger,
                         uint64_t now_ns, uint64_t wall_ms)
{
    static struct entry entries[SCENE_NAMES];
    if (!read_ledger(ledger, entries)) {
        oracle_broken(oracle, "promise 6: the ledger on disk can't be read");
    }
    books_legs(oracle, model);
    for (size_t i = 0; i < asked->name_count; i++) {
        unsigned name = asked->names[i];
        struct oracle_service *service = &oracle->services[name];
        bool vague;
        unsigned before = asked->number;
        if (asked->gone[i]) {
            continue;
        }
        if (asked->verb == VERB_ISOLATE) {
            if (service->intent_verb != asked->number) { // somebody has wanted another thing since
                if (service->safe.verb < asked->number) {
                    service->safe = safe_of(INTENT_ISOLATE, asked->number);
                }
                continue;
            }
            if (confirmed && !oracle_sees_off(oracle, service, now_ns)) {
                oracle_broken(oracle, "promise 5: s%u is said to be isolated, and BIRD has it on",
                              name);
            }
        } else if (service->last_isolation > asked->number ||
                   hindered(asked->verb, books_intent(service, now_ns, &vague)) ||
                   hindered(asked->verb, entries[name].kind)) { // it was when that was written
            continue;
        } else {
            bool close;
            bool longer = outlasts(&service->intent, asked, now_ns, &close);
            before = longer || close ? service->intent_verb : before;
            put_in_force(oracle, service, asked, now_ns, wall_ms);
        }
        check_on_disk(oracle, asked, name, &entries[name], before);
        // Which of two drains lasts longer may be seen otherwise when it is written than when it
        // is in force: the next save has that.
        service->safe = safe_of(sets(asked->verb), service->intent_verb);
        service->safe.written = entries[name].verb;
    }
}

void verbs_answered(struct oracle *oracle, unsigned number, enum outcome outcome,
                    const struct model *model, const struct model_file *ledger, uint64_t now_ns,
                    uint64_t wall_ms)
{
    size_t i = 0;
    while (i < oracle->asked_count && oracle->asked[i].number != number) {
        i++;
    }
    if (i == oracle->asked_count || oracle->asked[i].doubtful) {
        oracle_broken(oracle, "verb %u is answered, and nobody waits for that", number);
        return;
    }
    struct asked *asked = &oracle->asked[i];
    switch (outcome) {
    case OUTCOME_DONE:
    case OUTCOME_PARTLY:
    case OUTCOME_UNCONFIRMED:
        check_guard(oracle, asked, true, model);
        acknowledged(oracle, asked, outcome == OUTCOME_DONE, model, ledger, now_ns, wall_ms);
        break;
    case OUTCOME_UNSAFE:
    case OUTCOME_HINDERED: // which may have come after it was written
        asked->doubtful = true;
        return;
    case OUTCOME_REFUSED:
        check_guard(oracle, asked, false, model);
        break;
    default:
        break;
    }
    forget(oracle, asked);
}

void verbs_saving(struct oracle *oracle)
{
    for (size_t i = 0; i < oracle->asked_count; i++) {
        oracle->asked[i].covered = oracle->asked[i].doubtful;
    }
}

void verbs_saved(struct oracle *oracle)
{
    for (size_t i = oracle->asked_count; i-- > 0;) {
        struct asked *asked = &oracle->asked[i];
        if (!asked->covered) {
            continue;
        }
        for (size_t j = 0; asked->verb == VERB_ISOLATE && j < asked->name_count; j++) {
            struct oracle_service *service = &oracle->services[asked->names[j]];
            if (service->intent_verb == asked->number) {
                service->safe = safe_of(INTENT_ISOLATE, asked->number);
            }
        }
        forget(oracle, asked);
    }
}

// ---- An end

// The ledger's end is reckoned from when it was written, ours from the answer.
static bool ends_as_it_should(const struct entry *entry, const struct oracle_intent *intent,
                              uint64_t ahead_ms)
{
    int64_t late_ms = (int64_t)(entry->until_wall_ms - ahead_ms) - intent->until_ms;
    return late_ms >= -SAVE_MAX_MS - STEP_MS && late_ms <= STEP_MS;
}

void verbs_check_clock(struct oracle *oracle, const struct model_file *ledger, uint64_t ahead_ms)
{
    static struct entry entries[SCENE_NAMES];
    if (!read_ledger(ledger, entries)) {
        oracle_broken(oracle, "promise 6: the ledger on disk can't be read");
    }
    for (unsigned name = 0; name < SCENE_NAMES; name++) {
        const struct oracle_service *service = &oracle->services[name];
        const struct oracle_intent *intent = &service->intent;
        const struct entry *entry = &entries[name];
        bool same = entry->kind == intent->kind && entry->verb == service->intent_verb &&
                    !service->unsure && !intent->differs;
        if (same && intent->until_ms != 0 && entry->until_wall_ms != 0 &&
            !ends_as_it_should(entry, intent, ahead_ms)) {
            oracle_broken(oracle,
                          "promise 6: by the ledger, verb %u for s%u ends at %" PRIu64
                          " ms by a clock that was stepped, which is not when it ends",
                          entry->verb, name, entry->until_wall_ms - ahead_ms);
        }
    }
}

// ---- A start

static bool concerns(const struct asked *asked, unsigned name)
{
    for (size_t i = 0; i < asked->name_count; i++) {
        if (asked->names[i] == name) {
            return true;
        }
    }
    return false;
}

static bool may_say(const struct oracle *oracle, unsigned name, const struct entry *entry)
{
    const struct oracle_service *service = &oracle->services[name];
    bool ended = entry->kind == INTENT_AUTO && service->safe.ended;
    bool inherited = entry->kind == service->inherited.kind &&
                     entry->verb == service->inherited.verb && entry->kind != INTENT_AUTO;
    if (ended || inherited || service->unsure ||
        (entry->kind == service->safe.kind &&
         (entry->kind == INTENT_AUTO || safe_has(&service->safe, entry)))) {
        return true;
    }
    for (size_t i = 0; i < oracle->asked_count; i++) {
        const struct asked *asked = &oracle->asked[i];
        if (concerns(asked, name) && entry->kind == sets(asked->verb) &&
            (entry->kind == INTENT_AUTO || entry->verb == asked->number)) {
            return true;
        }
    }
    return false;
}

// Of a verb that nobody else interferes with, all services have it or none.
static void check_halves(struct oracle *oracle, const struct asked *asked,
                         const struct entry entries[SCENE_NAMES])
{
    size_t has = 0;
    size_t lacks = 0;
    for (size_t i = 0; sets(asked->verb) != INTENT_AUTO && i < asked->name_count; i++) {
        if (asked->gone[i] || oracle->services[asked->names[i]].unsure) {
            return;
        }
        unsigned name = asked->names[i];
        const struct oracle_service *service = &oracle->services[name];
        bool interferes = service->last_isolation > asked->number ||
                          service->safe.verb > asked->number ||
                          service->safe.kind == sets(asked->verb) || // which may last longer
                          service->inherited.kind == sets(asked->verb) ||
                          hindered(asked->verb, service->safe.kind) ||
                          hindered(asked->verb, service->intent.kind);
        for (size_t j = 0; j < oracle->asked_count; j++) {
            interferes = interferes || (oracle->asked[j].number != asked->number &&
                                        concerns(&oracle->asked[j], name));
        }
        has += !interferes && entries[name].verb == asked->number;
        lacks += !interferes && entries[name].verb != asked->number;
    }
    if (has > 0 && lacks > 0) {
        oracle_broken(oracle, "promise 6: the ledger has half of verb %u", asked->number);
    }
}

static void believe(struct oracle_service *service, const struct entry *entry, uint64_t now_ns,
                    uint64_t wall_ms)
{
    service->intent = (struct oracle_intent){.kind = entry->kind,
                                             .since_wall_ms = entry->since_wall_ms,
                                             .until_wall_ms = entry->until_wall_ms,
                                             .kept_grace_ms = entry->grace_ms};
    service->intent_verb = entry->verb;
    service->inherited = safe_of(INTENT_AUTO, 0);
    service->unsure = false;
    service->safe = safe_of(entry->kind, entry->verb);
    books_read_again(&service->intent, wall_ms, now_ns);
}

void verbs_restart(struct oracle *oracle, const struct config *config,
                   const struct model_file *ledger, bool damaged, uint64_t now_ns, uint64_t wall_ms)
{
    static struct entry entries[SCENE_NAMES];
    if (read_ledger(ledger, entries) == damaged) {
        oracle_broken(oracle, "promise 6: the ledger on disk is %s",
                      damaged ? "readable" : "damaged");
    }
    for (size_t i = 0; damaged && i < config->service_count; i++) {
        entries[scene_number(config->services[i].name)] =
            (struct entry){.kind = INTENT_DRAIN, .since_wall_ms = wall_ms};
    }
    for (size_t i = 0; i < oracle->asked_count && !damaged; i++) {
        check_halves(oracle, &oracle->asked[i], entries);
    }
    for (unsigned name = 0; name < SCENE_NAMES; name++) {
        const struct oracle_service *service = &oracle->services[name];
        if (!damaged && !may_say(oracle, name, &entries[name])) {
            oracle_broken(oracle,
                          "promise 6: the ledger has %s of verb %u for s%u, which was "
                          "acknowledged as %s by verb %u",
                          intent_name(entries[name].kind), entries[name].verb, name,
                          intent_name(service->safe.kind), service->safe.verb);
        }
        believe(&oracle->services[name], &entries[name], now_ns, wall_ms);
    }
    oracle->asked_count = 0;
}

void verbs_check_quiet(struct oracle *oracle)
{
    for (size_t i = 0; i < oracle->asked_count; i++) {
        if (!oracle->asked[i].doubtful) {
            oracle_broken(oracle, "after quiet verb %u has no answer", oracle->asked[i].number);
        }
    }
}
