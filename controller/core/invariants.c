// What is true of a core between any two inputs, in one place and in full. Simulation and tests
// call it after each input; the daemon never does, as it looks at everything there is. It computes
// anew what the core keeps, by the shortest way there is, and never by the way that the core takes.
#include "controller/core/inside.h"

#include <assert.h>
#include <fnmatch.h>
#include <string.h>

#define NEVER UINT64_MAX

// ---- Probes and gates

static void check_health(const struct health *health, const struct core_probe *probe,
                         uint64_t now_ms)
{
    assert(health->settled <= HEALTH_UP);
    assert(health->since_ms <= now_ms && health->known_at_ms <= now_ms);
    // Runs of known verdicts: a fail ends two of them, a pass the two others.
    assert(health->fails == 0 || (health->passes == 0 && health->alive == 0));
    assert(health->passes == 0 || (health->fails == 0 && health->bad == 0));
    assert(health->fails <= health->bad && health->passes <= health->alive);
    assert(health->crashed_at_ms == 0 || health->fails > 0);
    assert(probe->last.kind <= VERDICT_PASS);
    assert(memchr(probe->bad, '\0', sizeof probe->bad) != NULL);
}

static void check_gate(const struct core *core, size_t index)
{
    const struct gate *gate = &core->gates[index];
    struct gate anew = gate_of(conf_of(core, index), core->healths, core->gates);
    assert(gate->state <= GATE_OPEN);
    assert(gate_equals(gate, &anew)); // nobody was forgotten when a probe's health changed
    assert((gate->state == GATE_OPEN) == (gate->probe == GATE_NOBODY));
    assert(gate->probe == GATE_NOBODY || gate->probe < core->config->probe_count);
    assert(gate->service == GATE_NOBODY || gate->service < core->config->service_count);
    assert(gate->held_by == GATE_NOBODY || gate->held_by < core->config->probe_count);
}

// ---- Decisions

static void check_times(const struct decision *decision, uint64_t now_ms)
{
    const uint64_t *good_since_ms = decision->good_since_ms;
    assert(decision->since_ms <= now_ms && decision->allowed_since_ms <= now_ms);
    // Good enough to announce is good enough to depreference.
    assert(good_since_ms[TARGET_DEPREFERENCE] <= good_since_ms[TARGET_ANNOUNCE]);
    for (unsigned level = TARGET_DEPREFERENCE; level <= TARGET_ANNOUNCE; level++) {
        assert(good_since_ms[level] == NEVER || good_since_ms[level] <= now_ms);
    }
}

static void check_target(const struct decision *decision, const struct intent *intent)
{
    switch (intent->kind) {
    case INTENT_AUTO:
        assert(decision->target == decision->allowed);
        break;
    case INTENT_DRAIN:
        assert(decision->target <= TARGET_DEPREFERENCE && decision->target <= decision->allowed);
        break;
    case INTENT_ISOLATE:
        assert(decision->target == TARGET_WITHDRAW);
        break;
    case INTENT_PIN:
        assert(decision->target == TARGET_ANNOUNCE);
        break;
    }
}

// To decide again now would change nothing, unless a time has come that core_tick() waits for.
static void check_decided(const struct core *core, size_t index, uint64_t now_ms)
{
    const struct core_service *service = &core->services[index];
    const struct service_conf *conf = conf_of(core, index);
    struct decision again = service->decision;
    uint64_t decided_ms = service->decided_ms;
    struct intent room;
    const struct intent *intent = core_intent_of(core, index, &room);
    bool due = decision_next_ms(&again, conf, intent, decided_ms) <= now_ms;
    bool changed = !due && decision_step(&again, conf, &core->gates[index], intent, now_ms);
    assert(!changed);
    assert(due ||
           (again.allowed == service->decision.allowed && again.cause == service->decision.cause));
}

// Who is held was seen to be cut off by a probe of its own, and is not announced but by a pin.
static void check_cut_off(const struct core *core, size_t index)
{
    const struct core_service *service = &core->services[index];
    const struct cut_off *cut_off = &service->cut_off;
    assert(cut_off->state == CUT_OFF_HELD || !service->decision.cut_off);
    assert(!service->decision.cut_off || service->decision.allowed == TARGET_WITHDRAW);
    if (cut_off->state != CUT_OFF_NOT) {
        const struct lead *lead = &core->leads[cut_off->probe];
        assert(cut_off->probe < core->config->probe_count);
        assert(lead->prefix != NULL && lead->service == index);
    }
}

static void check_service(const struct core *core, size_t index, uint64_t now_ms)
{
    const struct core_service *service = &core->services[index];
    const struct decision *decision = &service->decision;
    assert(decision->target <= TARGET_ANNOUNCE && decision->allowed <= TARGET_ANNOUNCE);
    assert(decision->cause <= CAUSE_CUT_OFF && service->intent.kind <= INTENT_PIN);
    assert(!decision->adopted || decision->allowed > TARGET_WITHDRAW);
    check_times(decision, now_ms);
    check_cut_off(core, index);
    if (!core_decides(core, index)) {
        assert(decision->target == TARGET_WITHDRAW);
    } else {
        struct intent room;
        check_target(&service->decision, core_intent_of(core, index, &room));
        check_decided(core, index, now_ms);
    }
    // What was adopted is confirmed or given up with the first look at BIRD.
    assert(service->tentative == TARGET_WITHDRAW || !core->announcer->snapshot_taken);
    assert(service->transition < events_end(core->events));
    assert(!service->seen || service->seen_through || service->transition == 0);
    assert(service->look_again_ms == 0 || service->look_pause_ms >= LOOK_AGAIN_MS);
}

// ---- The include file

static void check_slots(const struct birdconf *file)
{
    for (size_t i = 0; i < file->slot_count; i++) {
        const struct birdconf_slot *slot = &file->slots[i];
        const char *word = file->text + slot->offset;
        assert(slot->offset > 0 && slot->offset + strlen("off;\n") <= file->length);
        assert(memcmp(word, "on ;\n", 5) == 0 || memcmp(word, "off;\n", 5) == 0);
        assert(i == 0 || strcmp(file->slots[i - 1].protocol, slot->protocol) < 0);
    }
}

// The file says of each service what its target is; of anything else, that it is off.
static void check_mirror(const struct core *core, const struct birdconf *file)
{
    size_t on = 0;
    size_t wanted = 0;
    for (size_t i = 0; i < core->config->service_count; i++) {
        enum target target = core->services[i].decision.target;
        for (unsigned family = 0; family < FAMILIES && target > TARGET_WITHDRAW; family++) {
            char name[BIRD_PROTOCOL_MAX];
            enum leg_name leg = target == TARGET_ANNOUNCE ? LEG_PRIMARY : LEG_DRAIN;
            names_protocol(conf_of(core, i), family, leg, name);
            bool has = birdconf_slot_index(file, name) < file->slot_count;
            assert(!has || birdconf_get(file, name));
            wanted += has;
        }
    }
    for (size_t i = 0; i < file->slot_count; i++) {
        on += birdconf_get(file, file->slots[i].protocol);
    }
    assert(on == wanted);
}

static void check_include(const struct core *core)
{
    const struct include *include = &core->include;
    assert(include->saved <= include->tried && include->tried <= include->submitted);
    assert(include->submitted <= include->wanted);
    assert(include->next != NULL && include->former != include->next);
    assert(include->wanted > 0);
    check_slots(include->next);
    check_mirror(core, include->next);
    if (include->former != NULL) {
        assert(strcmp(include->former->revision, include->next->revision) != 0);
        check_slots(include->former);
        check_mirror(core, include->former);
    }
    for (size_t i = 0; i < include->patch_count && i < INCLUDE_PATCH_MAX; i++) {
        assert(include->patch[i] < include_file(include)->slot_count);
    }
}

static void check_loader(const struct loader *loader)
{
    const struct include *include = loader->include;
    switch (loader->state) {
    case LOAD_WAITING:
        break;
    case LOAD_LOADED:
        assert(loader->revision_known && strcmp(loader->loaded, include->next->revision) == 0);
        assert(loader->next_trusted && include->former == NULL && include->next_wanted);
        break;
    case LOAD_REFUSED:
        assert(include->next_wanted == loader->next_trusted && loader->message[0] != '\0');
        break;
    case LOAD_SAVING:
    case LOAD_CHECKING:
    case LOAD_ASKING:
    case LOAD_CONFIGURING:
    case LOAD_NOT_INCLUDED:
    case LOAD_BY_HAND:
    case LOAD_UNCONFIRMED:
        assert(include->next_wanted); // what is to be loaded is what is to be on disk
        break;
    }
    assert(!loader->configured || loader->state == LOAD_CONFIGURING);
    // BIRD was asked to load the file only by who may ask it.
    assert(loader->automatic || (loader->state != LOAD_CHECKING && loader->state != LOAD_ASKING &&
                                 loader->state != LOAD_CONFIGURING));
}

// ---- The announcer

static void check_leg(const struct core *core, size_t service, enum leg_name name)
{
    const struct announcer *announcer = core->announcer;
    const struct leg *leg = &announcer->services[service].legs[name];
    enum target target = core->services[service].decision.target;
    assert(leg->wanted ==
           (target == (name == LEG_PRIMARY ? TARGET_ANNOUNCE : TARGET_DEPREFERENCE)));
    assert((leg->sent == LEG_IDLE) == (leg->unanswered == 0));
    assert(leg->sweep <= ANNOUNCER_OFF_MAX);
    assert(leg->sweep == 0 || (leg->unanswered > 0 && announcer->sweeps[leg->sweep - 1].end > 0));
    assert(leg->acted <= announcer->actions);
    assert(leg->file_version <= core->include.wanted);
    for (unsigned family = 0; family < FAMILIES; family++) {
        assert(leg->state[family] <= LEG_ON);
    }
    assert(announcer->link_up || leg->unanswered == 0);
}

static void check_line(const struct announcer *announcer, enum waiting_name name)
{
    const struct waiting_list *list = &announcer->waiting[name];
    size_t count = announcer->service_count;
    size_t waiting = 0;
    assert(list->count <= count);
    for (size_t i = 0; i < list->count; i++) {
        size_t service = list->items[(list->first + i) % count];
        assert(service < count && announcer->services[service].waits[name]);
    }
    for (size_t i = 0; i < count; i++) {
        waiting += announcer->services[i].waits[name];
    }
    assert(waiting == list->count);
}

static void check_protocols(const struct announcer *announcer)
{
    for (size_t i = 0; i < announcer->protocol_count; i++) {
        const struct announcer_protocol *protocol = &announcer->protocols[i];
        const struct announced *service = &announcer->services[protocol->service];
        bool kept = (announcer->kept[i / 64] >> i % 64 & 1) != 0;
        assert(i == 0 || strcmp(announcer->protocols[i - 1].name, protocol->name) < 0);
        assert(service->protocols[protocol->leg][protocol->family] == i);
        assert(kept == (service->target > TARGET_WITHDRAW));
        assert(protocol->snapshot <= announcer->snapshots);
    }
    for (size_t i = 0; i < ANNOUNCER_OFF_MAX; i++) {
        assert(announcer->sweeps[i].first <= announcer->sweeps[i].end);
        assert(announcer->sweeps[i].end <= announcer->protocol_count);
    }
}

static void check_announcer(const struct core *core)
{
    const struct announcer *announcer = core->announcer;
    size_t wanted = 0;
    uint64_t unanswered = 0; // commands for single legs; sweeps are counted once
    for (size_t i = 0; i < core->config->service_count; i++) {
        assert(announcer->services[i].target == core->services[i].decision.target);
        for (unsigned leg = 0; leg < LEGS; leg++) {
            const struct leg *it = &announcer->services[i].legs[leg];
            check_leg(core, i, leg);
            wanted += it->wanted;
            unanswered += it->unanswered - (it->sweep != 0);
        }
    }
    assert(wanted == announcer->wanted_on);
    for (size_t i = 0; i < ANNOUNCER_OFF_MAX; i++) {
        unanswered += announcer->sweeps[i].end > 0;
    }
    assert(unanswered <= announcer->unanswered);
    assert(announcer->link_up == (core->links[ORDER_LINK_ACT].state != BIRD_LINK_DOWN));
    assert(announcer->link_up || (announcer->unanswered == 0 && !announcer->snapshot_taken));
    assert(announcer->link_began <= announcer->actions);
    assert(announcer->snapshot_began <= announcer->actions);
    check_protocols(announcer);
    for (unsigned i = 0; i < WAITING_LISTS; i++) {
        check_line(announcer, i);
    }
}

// ---- Orders

static bool switches(const struct order *order)
{
    return order_kind(order->token) == ORDER_ENABLE || order_kind(order->token) == ORDER_DISABLE;
}

static const struct order *order_at(const struct orders *orders, size_t i)
{
    return &orders->ring[(orders->first + i) % orders->capacity];
}

// Of the orders that came of this input, no two command one leg both ways.
static void check_one_way(const struct core *core, size_t i)
{
    const struct orders *orders = &core->orders;
    const struct order *one = order_at(orders, i);
    size_t all = core->announcer->service_count;
    for (size_t j = i + 1; j < orders->count && switches(one); j++) {
        const struct order *other = order_at(orders, j);
        bool both = order_a(one->token) == order_a(other->token) &&
                    order_b(one->token) == order_b(other->token) && order_a(one->token) != all;
        assert(!switches(other) || !both || order_kind(one->token) == order_kind(other->token));
    }
}

// What switches off more than a leg touches nothing that is to be on.
static void check_pattern(const struct core *core, const struct order *order)
{
    char pattern[BIRD_PROTOCOL_MAX + 8] = "";
    const char *quote = strchr(order->command, '"');
    if (order_kind(order->token) != ORDER_DISABLE ||
        order_a(order->token) < core->announcer->service_count) {
        return;
    }
    assert(quote != NULL && strlen(quote + 1) <= sizeof pattern);
    memcpy(pattern, quote + 1, strcspn(quote + 1, "\""));
    for (size_t i = 0; i < core->announcer->protocol_count; i++) {
        const struct announcer_protocol *protocol = &core->announcer->protocols[i];
        const struct leg *leg = &core->announcer->services[protocol->service].legs[protocol->leg];
        assert(!leg->wanted || fnmatch(pattern, protocol->name, 0) != 0);
    }
}

static void check_orders(const struct core *core)
{
    const struct orders *orders = &core->orders;
    assert(orders->count <= orders->capacity && orders->first < orders->capacity);
    for (size_t i = 0; i < orders->count; i++) {
        const struct order *order = order_at(orders, i);
        uint64_t token = order->token;
        enum order_kind kind = order_kind(token);
        assert(kind < ORDER_KINDS && order->command[0] != '\0');
        assert(order_token(kind, order_a(token), order_b(token)) == token);
        assert(order->link == (switches(order) ? ORDER_LINK_ACT : ORDER_LINK_ASK));
        assert(!order->urgent || kind == ORDER_DISABLE); // only withdrawing overtakes
        assert(!switches(order) || order_a(token) <= core->announcer->service_count);
        assert(kind != ORDER_ROUTE || order_a(token) < core->observed->prefix_count);
        check_one_way(core, i);
        check_pattern(core, order);
    }
}

// ---- What is seen

static void check_look_ups(const struct observed *observed)
{
    size_t entries = observed->entry_sessions * observed->prefix_count;
    size_t queued = 0;
    assert(observed->in_flight <= BUDGET_BATCH);
    assert(observed->in_flight == observed->budget.unanswered);
    for (unsigned name = 0; name < LOOK_QUEUES; name++) {
        const struct look_queue *queue = &observed->queues[name];
        assert(queue->length <= entries);
        for (size_t i = 0; i < queue->length; i++) {
            size_t entry = queue->items[(queue->first + i) % observed->queue_room];
            assert(entry < entries && (observed->entries[entry].queued >> name & 1) != 0);
        }
        queued += queue->length;
    }
    for (size_t i = 0; i < entries; i++) {
        const struct seen_entry *entry = &observed->entries[i];
        assert(entry->seen <= SEEN_OTHER);
        assert(entry->seen != SEEN_OTHER || entry->other < observed->name_count ||
               entry->other == UINT16_MAX);
        queued -= (size_t)(entry->queued & 1) + (entry->queued >> 1);
    }
    assert(queued == 0);
}

static void check_observed(const struct core *core)
{
    const struct observed *observed = core->observed;
    assert(observed->sessions.count <= SESSIONS_MAX);
    assert(observed->name_count <= OBSERVED_NAMES_MAX);
    assert(observed->entry_sessions <= observed->sessions.count);
    for (size_t i = 0; i < core->config->service_count; i++) {
        assert(observed->first[i + 1] - observed->first[i] == conf_of(core, i)->prefix_count);
    }
    for (size_t i = 0; i < observed->prefix_count; i++) {
        const struct seen_prefix *prefix = &observed->prefixes[i];
        assert(prefix->condition < CONDITIONS);
        assert(observed->first[prefix->service] <= i && i < observed->first[prefix->service + 1]);
    }
    check_look_ups(observed);
}

// ---- The whole

// core_tick() comes no later than anything that waits for a time.
static void check_wake_up(const struct core *core)
{
    uint64_t next_ms = core_next_ms(core);
    for (size_t i = 0; i < core->config->probe_count; i++) {
        assert(next_ms <= health_next_ms(&core->healths[i], &core->config->probes[i]));
    }
    for (size_t i = 0; i < core->config->service_count; i++) {
        const struct core_service *service = &core->services[i];
        assert(service->look_again_ms == 0 || next_ms <= service->look_again_ms);
        assert(next_ms <= decision_next_ms(&service->decision, conf_of(core, i), &service->intent,
                                           service->decided_ms) ||
               core->stopping);
    }
    assert(next_ms <= loader_next_ms(&core->loader));
    assert(next_ms <= include_next_ms(&core->include));
}

void core_check_invariants(const struct core *core, uint64_t now_ns)
{
    uint64_t now_ms = ms_of(now_ns);
    for (size_t i = 0; i < core->config->probe_count; i++) {
        check_health(&core->healths[i], &core->probes[i], now_ms);
    }
    for (size_t i = 0; i < core->config->service_count; i++) {
        check_gate(core, i);
        check_service(core, i, now_ms);
    }
    check_include(core);
    check_loader(&core->loader);
    check_announcer(core);
    check_orders(core);
    check_observed(core);
    assert(!core->looking.snapshot_under_way ||
           core->links[ORDER_LINK_ASK].state != BIRD_LINK_DOWN);
    check_wake_up(core);
    assert(core->affected.count == 0); // whoever notes a service decides it in the same input
}
