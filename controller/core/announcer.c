#include "controller/core/announcer.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const struct announcer_protocol *)a)->name,
                  ((const struct announcer_protocol *)b)->name);
}

static void list_protocols(struct announcer *announcer)
{
    const struct config *config = announcer->config;
    for (size_t i = 0; i < config->service_count; i++) {
        for (unsigned family = FAMILY_V4; family < FAMILIES; family++) {
            for (unsigned leg = LEG_PRIMARY; leg < LEGS && config->services[i].has_family[family];
                 leg++) {
                struct announcer_protocol *protocol =
                    &announcer->protocols[announcer->protocol_count++];
                *protocol = (struct announcer_protocol){.service = i, .family = family, .leg = leg};
                names_protocol(&config->services[i], family, leg, protocol->name);
            }
        }
    }
    qsort(announcer->protocols, announcer->protocol_count, sizeof *announcer->protocols,
          compare_names);
}

struct announcer *announcer_new(const struct config *config)
{
    struct announcer *announcer = calloc(1, sizeof *announcer);
    if (announcer == NULL) {
        return NULL;
    }
    size_t count = config->service_count + 1; // calloc(0) may be NULL
    announcer->config = config;
    announcer->services = calloc(count, sizeof *announcer->services);
    announcer->protocols = calloc(count * FAMILIES * LEGS, sizeof *announcer->protocols);
    announcer->queue = calloc(count, sizeof *announcer->queue);
    if (announcer->services == NULL || announcer->protocols == NULL || announcer->queue == NULL) {
        announcer_free(announcer);
        return NULL;
    }
    list_protocols(announcer);
    return announcer;
}

void announcer_free(struct announcer *announcer)
{
    if (announcer == NULL) {
        return;
    }
    free(announcer->services);
    free(announcer->protocols);
    free(announcer->queue);
    free(announcer);
}

static void enqueue(struct announcer *announcer, size_t service)
{
    assert(service < announcer->config->service_count);
    if (!announcer->services[service].queued) {
        assert(announcer->queue_length < announcer->config->service_count);
        announcer->services[service].queued = true;
        announcer->queue[announcer->queue_length++] = service;
    }
}

static void want(struct announcer *announcer, struct leg *leg, bool wanted, uint64_t file_version)
{
    if (leg->wanted == wanted) {
        return;
    }
    assert(wanted || announcer->wanted_on > 0);
    leg->wanted = wanted;
    leg->file_version = file_version;
    for (unsigned family = 0; family < FAMILIES && !wanted; family++) {
        // The file on disk may say that it is on: since we last looked, anybody's `configure` may
        // have given it to BIRD.
        if (leg->state[family] == LEG_ABSENT || leg->state[family] == LEG_OFF) {
            leg->state[family] = LEG_UNSEEN;
        }
    }
    announcer->wanted_on += wanted ? 1 : (size_t)-1;
}

void announcer_set_target(struct announcer *announcer, size_t service, enum target target,
                          uint64_t file_version)
{
    assert(service < announcer->config->service_count && target <= TARGET_ANNOUNCE);
    struct announced *announced = &announcer->services[service];
    announced->target = target;
    want(announcer, &announced->legs[LEG_PRIMARY], target == TARGET_ANNOUNCE, file_version);
    want(announcer, &announced->legs[LEG_DRAIN], target == TARGET_DEPREFERENCE, file_version);
    enqueue(announcer, service);
}

void announcer_link(struct announcer *announcer, bool up)
{
    announcer->link_up = up;
    announcer->snapshot_taken = false;
    announcer->mass_unanswered = false;
    announcer->unanswered = 0;
    announcer->pipes_off = false;
    announcer->stray[0] = '\0';
    announcer->link_began = ++announcer->actions;
    for (size_t i = 0; i < announcer->config->service_count; i++) {
        struct announced *announced = &announcer->services[i];
        enqueue(announcer, i);
        for (unsigned leg = 0; leg < LEGS; leg++) {
            struct leg *it = &announced->legs[leg];
            it->state[FAMILY_V4] = it->state[FAMILY_V6] = LEG_UNSEEN;
            it->sent = LEG_IDLE;
            it->unanswered = 0;
            it->in_mass = false;
            it->acted = announcer->actions;
        }
    }
}

static void take_over_leg(struct leg *leg, const struct leg *before)
{
    for (unsigned family = 0; family < FAMILIES && before->unanswered == 0; family++) {
        leg->state[family] = before->state[family];
    }
}

void announcer_take_over(struct announcer *announcer, size_t service, const struct announcer *old,
                         size_t before)
{
    assert(service < announcer->config->service_count && before < old->config->service_count);
    const struct service_conf *conf = &announcer->config->services[service];
    if (!announcer->link_up || !old->link_up ||
        strcmp(conf->symbol, old->config->services[before].symbol) != 0) {
        return;
    }
    for (unsigned leg = 0; leg < LEGS; leg++) {
        take_over_leg(&announcer->services[service].legs[leg], &old->services[before].legs[leg]);
    }
}

static const struct announcer_protocol *find_protocol(const struct announcer *announcer,
                                                      const char *name)
{
    struct announcer_protocol key;
    int length = snprintf(key.name, sizeof key.name, "%s", name);
    if (length < 0 || (size_t)length >= sizeof key.name) {
        return NULL;
    }
    return bsearch(&key, announcer->protocols, announcer->protocol_count, sizeof key,
                   compare_names);
}

void announcer_snapshot_begin(struct announcer *announcer, bool in_turn)
{
    announcer->snapshot_in_turn = in_turn;
    announcer->snapshot_began = announcer->actions;
    announcer->pipes_off = false;
    announcer->stray[0] = '\0';
    for (size_t i = 0; i < announcer->protocol_count; i++) {
        announcer->protocols[i].in_snapshot = false;
    }
}

// A row counts only if nothing was done to its leg since the snapshot was asked for: it may be
// older than that.
static bool is_current(const struct announcer *announcer, const struct leg *leg)
{
    return leg->unanswered == 0 && leg->acted <= announcer->snapshot_began;
}

static bool row_of_no_service(struct announcer *announcer, const char *name, bool up)
{
    if (names_is_pipe(name)) {
        announcer->pipes_off = announcer->pipes_off || !up;
        return !up;
    }
    if (up && names_is_ours(name)) {
        snprintf(announcer->stray, sizeof announcer->stray, "%s", name);
        return true;
    }
    return false;
}

bool announcer_row(struct announcer *announcer, const char *name, bool up)
{
    const struct announcer_protocol *found = find_protocol(announcer, name);
    if (found == NULL) {
        return row_of_no_service(announcer, name, up);
    }
    announcer->protocols[found - announcer->protocols].in_snapshot = true;
    struct leg *leg = &announcer->services[found->service].legs[found->leg];
    if (!is_current(announcer, leg)) {
        return false;
    }
    enum leg_state before = leg->state[found->family];
    if (before == LEG_STARTING && !up && !announcer->snapshot_in_turn) {
        return false; // it takes its time: enabled again at most once a second
    }
    leg->state[found->family] = up ? LEG_ON : LEG_OFF;
    return (before == LEG_ON && !up) || (before == LEG_OFF && up);
}

bool announcer_snapshot_end(struct announcer *announcer)
{
    if (!announcer->link_up || announcer->snapshot_began < announcer->link_began) {
        return false;
    }
    for (size_t i = 0; i < announcer->protocol_count; i++) {
        const struct announcer_protocol *protocol = &announcer->protocols[i];
        struct leg *leg = &announcer->services[protocol->service].legs[protocol->leg];
        if (!protocol->in_snapshot && is_current(announcer, leg)) {
            leg->state[protocol->family] = LEG_ABSENT;
        }
    }
    announcer->snapshot_taken = true;
    for (size_t i = 0; i < announcer->config->service_count; i++) {
        if (!announcer_settled(announcer, i)) {
            enqueue(announcer, i);
        }
    }
    return true;
}

void announcer_reply_line(struct announcer *announcer, unsigned code, const char *text)
{
    bool off = code == BIRD_CODE_ALREADY_DISABLED || code == BIRD_CODE_DISABLED;
    if (!off && code != BIRD_CODE_ALREADY_ENABLED && code != BIRD_CODE_ENABLED) {
        return;
    }
    char name[BIRD_PROTOCOL_MAX];
    size_t length = strcspn(text, ":");
    if (length >= sizeof name) {
        return;
    }
    memcpy(name, text, length);
    name[length] = '\0';
    const struct announcer_protocol *found = find_protocol(announcer, name);
    if (found == NULL) {
        return;
    }
    enum leg_state *state =
        &announcer->services[found->service].legs[found->leg].state[found->family];
    if (off) {
        *state = LEG_OFF;
    } else if (code == BIRD_CODE_ENABLED || *state != LEG_ON) {
        *state = LEG_STARTING;
    }
}

// What else the service needs, the next snapshot says: a BIRD that refuses is not asked without
// end.
static void answered(struct announcer *announcer, size_t service, enum leg_name name,
                     enum bird_outcome outcome)
{
    struct leg *leg = &announcer->services[service].legs[name];
    if (leg->unanswered > 0) {
        leg->unanswered--;
    }
    leg->acted = announcer->actions;
    if (leg->unanswered == 0) {
        leg->sent = LEG_IDLE;
    }
    for (unsigned family = 0; family < FAMILIES; family++) {
        // What BIRD has, it named in the lines before.
        bool unnamed = outcome == BIRD_OK && leg->state[family] == LEG_UNSEEN;
        if (outcome == BIRD_NO_PROTOCOL || unnamed) {
            leg->state[family] = LEG_ABSENT;
        }
    }
}

static void mass_answered(struct announcer *announcer, enum bird_outcome outcome)
{
    announcer->mass_unanswered = false;
    for (size_t i = 0; i < announcer->config->service_count; i++) {
        for (unsigned leg = 0; leg < LEGS; leg++) {
            if (announcer->services[i].legs[leg].in_mass) {
                announcer->services[i].legs[leg].in_mass = false;
                answered(announcer, i, leg, outcome);
            }
        }
    }
}

void announcer_reply_end(struct announcer *announcer, uint64_t token, enum bird_outcome outcome)
{
    assert(order_kind(token) == ORDER_ENABLE || order_kind(token) == ORDER_DISABLE);
    announcer->actions++;
    announcer->unanswered -= announcer->unanswered > 0;
    size_t service = order_a(token);
    if (service < announcer->config->service_count) {
        answered(announcer, service, (enum leg_name)order_b(token), outcome);
    } else if (order_b(token) == ANNOUNCER_MASS) {
        mass_answered(announcer, outcome);
    }
}

static bool leg_on(const struct announcer *announcer, size_t service, const struct leg *leg)
{
    for (unsigned family = 0; family < FAMILIES; family++) {
        if (announcer->config->services[service].has_family[family] &&
            leg->state[family] != LEG_ON) {
            return false;
        }
    }
    return leg->unanswered == 0;
}

bool announcer_is_on(const struct announcer *announcer, size_t service, enum family family)
{
    for (unsigned i = 0; i < LEGS; i++) {
        const struct leg *leg = &announcer->services[service].legs[i];
        if (leg->state[family] == LEG_ON && leg->unanswered == 0) {
            return true;
        }
    }
    return false;
}

static bool has_state(const struct announcer *announcer, size_t service, const struct leg *leg,
                      enum leg_state state)
{
    for (unsigned family = 0; family < FAMILIES; family++) {
        if (announcer->config->services[service].has_family[family] &&
            leg->state[family] == state) {
            return true;
        }
    }
    return false;
}

static bool needs_disable(const struct announcer *announcer, size_t service, enum leg_name name)
{
    const struct announced *announced = &announcer->services[service];
    const struct leg *leg = &announced->legs[name];
    const struct leg *other = &announced->legs[name == LEG_PRIMARY ? LEG_DRAIN : LEG_PRIMARY];
    if (leg->wanted || (other->wanted && !leg_on(announcer, service, other))) {
        return false; // make before break
    }
    if (leg->unanswered > 0) {
        return leg->sent == LEG_ENABLING;
    }
    return has_state(announcer, service, leg, LEG_ON) ||
           has_state(announcer, service, leg, LEG_STARTING) ||
           has_state(announcer, service, leg, LEG_UNSEEN); // withdrawing does not wait to look
}

static bool needs_enable(const struct announcer *announcer, size_t service, enum leg_name name)
{
    const struct leg *leg = &announcer->services[service].legs[name];
    if (!leg->wanted || !announcer->snapshot_taken) {
        return false;
    }
    if (leg->unanswered > 0) {
        return leg->sent == LEG_DISABLING;
    }
    return has_state(announcer, service, leg, LEG_OFF);
}

static void sent(struct announcer *announcer, struct leg *leg, bool enable)
{
    announcer->actions++;
    leg->sent = enable ? LEG_ENABLING : LEG_DISABLING;
    leg->unanswered++;
    leg->acted = announcer->actions;
}

static void order_leg(struct announcer *announcer, struct orders *orders, size_t service,
                      enum leg_name name, bool enable)
{
    const struct leg *leg = &announcer->services[service].legs[name];
    assert(announcer->link_up && leg->wanted == enable); // never both ways
    // What is seen to be on goes before what is off in all likelihood.
    bool urgent = !enable && (leg->unanswered > 0 || has_state(announcer, service, leg, LEG_ON) ||
                              has_state(announcer, service, leg, LEG_STARTING));
    char pattern[BIRD_PROTOCOL_MAX];
    names_pattern(&announcer->config->services[service], name, pattern);
    orders_put(orders, ORDER_LINK_ACT, urgent,
               order_token(enable ? ORDER_ENABLE : ORDER_DISABLE, service, name),
               enable ? bird_enable(pattern) : bird_disable(pattern));
    announcer->unanswered++;
    sent(announcer, &announcer->services[service].legs[name], enable);
}

// The twin goes first: taking the primary first would show the neighbour a depreferenced route on
// its way out.
static const enum leg_name leg_order[] = {LEG_DRAIN, LEG_PRIMARY};

static void plan_off(struct announcer *announcer, struct orders *orders, size_t service)
{
    for (unsigned i = 0; i < LEGS; i++) {
        if (needs_disable(announcer, service, leg_order[i])) {
            order_leg(announcer, orders, service, leg_order[i], false);
        }
    }
}

// False: something has to wait, for replies or for the file.
static bool plan_on(struct announcer *announcer, struct orders *orders, size_t service,
                    uint64_t file)
{
    for (unsigned i = 0; i < LEGS; i++) {
        if (!needs_enable(announcer, service, leg_order[i])) {
            continue;
        }
        if (announcer->unanswered >= ANNOUNCER_UNANSWERED_MAX ||
            announcer->services[service].legs[leg_order[i]].file_version > file) {
            return false;
        }
        order_leg(announcer, orders, service, leg_order[i], true);
    }
    return true;
}

// When nothing at all is to stay on, one pattern does for every service.
static void plan_mass(struct announcer *announcer, struct orders *orders)
{
    assert(announcer->wanted_on == 0 && !announcer->mass_unanswered);
    size_t primaries = 0;
    size_t twins = 0;
    for (size_t i = 0; i < announcer->queue_length; i++) {
        primaries += needs_disable(announcer, announcer->queue[i], LEG_PRIMARY);
        twins += needs_disable(announcer, announcer->queue[i], LEG_DRAIN);
    }
    if (primaries + twins < 2 || orders_room(orders) < 2) {
        return;
    }
    size_t all = announcer->config->service_count;
    if (twins > 0) {
        orders_put(orders, ORDER_LINK_ACT, true, order_token(ORDER_DISABLE, all, ANNOUNCER_PART),
                   bird_disable(NAMES_TWINS));
        announcer->unanswered++;
    }
    orders_put(orders, ORDER_LINK_ACT, true, order_token(ORDER_DISABLE, all, ANNOUNCER_MASS),
               bird_disable(NAMES_ALL));
    announcer->unanswered++;
    announcer->mass_unanswered = true;
    for (size_t i = 0; i < announcer->queue_length; i++) {
        for (unsigned leg = 0; leg < LEGS; leg++) {
            if (needs_disable(announcer, announcer->queue[i], leg)) {
                sent(announcer, &announcer->services[announcer->queue[i]].legs[leg], false);
                announcer->services[announcer->queue[i]].legs[leg].in_mass = true;
            }
        }
    }
}

static void plan_others(struct announcer *announcer, struct orders *orders)
{
    if (announcer->pipes_off) {
        orders_put(orders, ORDER_LINK_ACT, false,
                   order_token(ORDER_ENABLE, announcer->config->service_count, ANNOUNCER_PART),
                   bird_enable(NAMES_PIPES));
        announcer->unanswered++;
        announcer->pipes_off = false;
    }
    if (announcer->stray[0] != '\0') {
        announcer->unanswered +=
            orders_put(orders, ORDER_LINK_ACT, true,
                       order_token(ORDER_DISABLE, announcer->config->service_count, ANNOUNCER_PART),
                       bird_disable(announcer->stray));
        announcer->stray[0] = '\0';
    }
}

void announcer_plan(struct announcer *announcer, struct orders *orders, uint64_t file)
{
    if (!announcer->link_up) {
        return; // the queue is planned when the link is up again
    }
    if (announcer->wanted_on == 0 && !announcer->mass_unanswered) {
        plan_mass(announcer, orders);
    }
    size_t waiting = 0;
    for (size_t i = 0;
         i < announcer->queue_length && orders_room(orders) >= ANNOUNCER_ORDERS_PER_SERVICE; i++) {
        plan_off(announcer, orders, announcer->queue[i]);
    }
    for (size_t i = 0; i < announcer->queue_length; i++) {
        size_t service = announcer->queue[i];
        announcer->services[service].queued = orders_room(orders) < ANNOUNCER_ORDERS_PER_SERVICE ||
                                              !plan_on(announcer, orders, service, file);
        if (announcer->services[service].queued) {
            announcer->queue[waiting++] = service;
        }
    }
    announcer->queue_length = waiting;
    if (orders_room(orders) >= ANNOUNCER_ORDERS_PER_SERVICE) {
        plan_others(announcer, orders);
    }
}

bool announcer_settled(const struct announcer *announcer, size_t service)
{
    assert(service < announcer->config->service_count);
    const struct announced *announced = &announcer->services[service];
    for (unsigned i = 0; i < LEGS; i++) {
        const struct leg *leg = &announced->legs[i];
        if (leg->unanswered > 0) {
            return false;
        }
        for (unsigned family = 0; family < FAMILIES; family++) {
            bool off = leg->state[family] == LEG_OFF || leg->state[family] == LEG_ABSENT;
            if (announcer->config->services[service].has_family[family] &&
                !(leg->wanted ? leg->state[family] == LEG_ON : off)) {
                return false;
            }
        }
    }
    return true;
}

bool announcer_lacks_protocol(const struct announcer *announcer, size_t service)
{
    for (unsigned leg = 0; leg < LEGS; leg++) {
        if (has_state(announcer, service, &announcer->services[service].legs[leg], LEG_ABSENT)) {
            return true;
        }
    }
    return false;
}

uint64_t announcer_acted(const struct announcer *announcer, size_t service)
{
    const struct leg *legs = announcer->services[service].legs;
    return legs[LEG_PRIMARY].acted > legs[LEG_DRAIN].acted ? legs[LEG_PRIMARY].acted
                                                           : legs[LEG_DRAIN].acted;
}
