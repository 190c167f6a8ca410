#include "controller/core/announcer_inside.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const struct announcer_protocol *)a)->name,
                  ((const struct announcer_protocol *)b)->name);
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

static void list_protocols(struct announcer *announcer, size_t first, size_t end)
{
    for (size_t i = first; i < end; i++) {
        const struct service_conf *conf = announcer_conf(announcer, i);
        for (unsigned family = FAMILY_V4; family < FAMILIES; family++) {
            for (unsigned leg = LEG_PRIMARY; leg < LEGS && conf->has_family[family]; leg++) {
                struct announcer_protocol *protocol =
                    &announcer->protocols[announcer->protocol_count++];
                *protocol = (struct announcer_protocol){.service = i, .family = family, .leg = leg};
                names_protocol(conf, family, leg, protocol->name);
            }
        }
    }
    qsort(announcer->protocols, announcer->protocol_count, sizeof *announcer->protocols,
          compare_names);
    for (size_t i = 0; i < announcer->protocol_count; i++) {
        const struct announcer_protocol *protocol = &announcer->protocols[i];
        announcer->services[protocol->service].protocols[protocol->leg][protocol->family] = i;
    }
}

// config's protocols are listed already: what has the name of one of them is not retired.
static void leave_out(const struct announcer *announcer, struct retired *retired)
{
    for (unsigned family = 0; family < FAMILIES; family++) {
        char name[BIRD_PROTOCOL_MAX];
        names_protocol(&retired->conf, family, LEG_PRIMARY, name);
        if (find_protocol(announcer, name) != NULL) {
            retired->conf.has_family[family] = false;
        }
    }
}

static bool allocate(struct announcer *announcer, size_t retired_count)
{
    size_t count = announcer->service_count + 1; // calloc(0) may be NULL
    announcer->retired = calloc(retired_count + 1, sizeof *announcer->retired);
    announcer->services = calloc(count, sizeof *announcer->services);
    announcer->protocols = calloc(count * FAMILIES * LEGS, sizeof *announcer->protocols);
    announcer->kept = calloc(count * FAMILIES * LEGS / 64 + 1, sizeof *announcer->kept);
    bool ok = announcer->retired != NULL && announcer->services != NULL &&
              announcer->protocols != NULL && announcer->kept != NULL;
    for (unsigned i = 0; i < WAITING_LISTS; i++) {
        announcer->waiting[i].items = calloc(count, sizeof *announcer->waiting[i].items);
        ok = ok && announcer->waiting[i].items != NULL;
    }
    return ok;
}

struct announcer *announcer_new(const struct config *config, const struct retired *retired,
                                size_t retired_count)
{
    struct announcer *announcer = calloc(1, sizeof *announcer);
    if (announcer == NULL) {
        return NULL;
    }
    announcer->config = config;
    announcer->service_count = config->service_count + retired_count;
    if (!allocate(announcer, retired_count)) {
        announcer_free(announcer);
        return NULL;
    }
    list_protocols(announcer, 0, config->service_count);
    for (size_t i = 0; i < retired_count; i++) {
        announcer->retired[i] = retired[i];
        leave_out(announcer, &announcer->retired[i]);
    }
    list_protocols(announcer, config->service_count, announcer->service_count);
    return announcer;
}

void announcer_free(struct announcer *announcer)
{
    if (announcer == NULL) {
        return;
    }
    free(announcer->retired);
    free(announcer->services);
    free(announcer->protocols);
    free(announcer->kept);
    for (unsigned i = 0; i < WAITING_LISTS; i++) {
        free(announcer->waiting[i].items);
    }
    free(announcer);
}

void waiting_put(struct announcer *announcer, enum waiting_name name, size_t service)
{
    size_t size = announcer->service_count;
    struct waiting_list *list = &announcer->waiting[name];
    assert(service < size);
    if (!announcer->services[service].waits[name]) {
        assert(list->count < size);
        announcer->services[service].waits[name] = true;
        list->items[(list->first + list->count++) % size] = service;
    }
}

size_t waiting_take(struct announcer *announcer, enum waiting_name name)
{
    struct waiting_list *list = &announcer->waiting[name];
    assert(list->count > 0);
    size_t service = list->items[list->first];
    list->first = (list->first + 1) % announcer->service_count;
    list->count--;
    announcer->services[service].waits[name] = false;
    return service;
}

static void note(struct announcer *announcer, size_t service)
{
    waiting_put(announcer, WAITING_NEW, service);
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

// Its protocols are to be spared by sweeps, or not.
static void keep(struct announcer *announcer, size_t service, bool kept)
{
    for (unsigned i = 0; i < LEGS * FAMILIES; i++) {
        size_t protocol = announcer->services[service].protocols[i / FAMILIES][i % FAMILIES];
        uint64_t bit = UINT64_C(1) << protocol % 64;
        if (announcer_conf(announcer, service)->has_family[i % FAMILIES]) {
            uint64_t *word = &announcer->kept[protocol / 64];
            *word = kept ? *word | bit : *word & ~bit;
        }
    }
}

void announcer_set_target(struct announcer *announcer, size_t service, enum target target,
                          uint64_t file_version)
{
    assert(service < announcer->service_count && target <= TARGET_ANNOUNCE);
    struct announced *announced = &announcer->services[service];
    announced->target = target;
    keep(announcer, service, target > TARGET_WITHDRAW);
    want(announcer, &announced->legs[LEG_PRIMARY], target == TARGET_ANNOUNCE, file_version);
    want(announcer, &announced->legs[LEG_DRAIN], target == TARGET_DEPREFERENCE, file_version);
    note(announcer, service);
}

void announcer_doubt(struct announcer *announcer, size_t service)
{
    for (unsigned i = 0; i < LEGS * FAMILIES; i++) {
        enum leg_state *state =
            &announcer->services[service].legs[i / FAMILIES].state[i % FAMILIES];
        if (*state == LEG_ABSENT || *state == LEG_OFF) {
            *state = LEG_UNSEEN;
        }
    }
    note(announcer, service);
}

void announcer_link(struct announcer *announcer, bool up)
{
    announcer->link_up = up;
    announcer->snapshot_taken = false;
    announcer->unanswered = 0;
    memset(announcer->sweeps, 0, sizeof announcer->sweeps);
    announcer->pipes_off = false;
    announcer->stray_count = 0;
    announcer->link_began = ++announcer->actions;
    for (size_t i = 0; i < announcer->service_count; i++) {
        struct announced *announced = &announcer->services[i];
        note(announcer, i);
        for (unsigned leg = 0; leg < LEGS; leg++) {
            struct leg *it = &announced->legs[leg];
            it->state[FAMILY_V4] = it->state[FAMILY_V6] = LEG_UNSEEN;
            it->sent = LEG_IDLE;
            it->unanswered = 0;
            it->sweep = 0;
            it->acted = announcer->actions;
        }
    }
}

void announcer_move(struct announcer *announcer, const struct config *config)
{
    assert(config->service_count == announcer->config->service_count);
    announcer->config = config;
}

static void take_over_leg(struct leg *leg, const struct leg *before)
{
    for (unsigned family = 0; family < FAMILIES && before->unanswered == 0; family++) {
        leg->state[family] = before->state[family];
    }
}

static void take_over(struct announcer *announcer, size_t service, const struct announcer *old,
                      size_t before)
{
    if (!announcer->link_up || !old->link_up ||
        strcmp(announcer_conf(announcer, service)->symbol, announcer_conf(old, before)->symbol) !=
            0) {
        return;
    }
    for (unsigned leg = 0; leg < LEGS; leg++) {
        take_over_leg(&announcer->services[service].legs[leg], &old->services[before].legs[leg]);
    }
}

void announcer_take_over(struct announcer *announcer, size_t service, const struct announcer *old,
                         size_t before)
{
    assert(service < announcer->config->service_count && before < old->config->service_count);
    take_over(announcer, service, old, before);
}

static bool is_gone(const struct announcer *announcer, size_t service)
{
    const struct leg *legs = announcer->services[service].legs;
    const struct service_conf *conf = announcer_conf(announcer, service);
    for (unsigned i = 0; i < LEGS * FAMILIES; i++) {
        if (conf->has_family[i % FAMILIES] &&
            legs[i / FAMILIES].state[i % FAMILIES] != LEG_ABSENT) {
            return false;
        }
    }
    return true;
}

void announcer_take_over_retired(struct announcer *announcer, const struct announcer *old)
{
    size_t first = announcer->config->service_count;
    for (size_t i = first; i < announcer->service_count; i++) {
        struct retired *retired = &announcer->retired[i - first];
        assert(retired->before < old->service_count);
        take_over(announcer, i, old, retired->before);
        retired->gone = is_gone(announcer, i);
    }
}

void announcer_snapshot_begin(struct announcer *announcer, bool in_turn)
{
    announcer->snapshot_in_turn = in_turn;
    announcer->snapshot_began = announcer->actions;
    announcer->pipes_off = false;
    announcer->stray_count = 0;
    announcer->snapshots++;
}

// A row counts only if nothing was done to its leg since it was asked for: it may be older than
// that.
static bool is_current(const struct leg *leg, uint64_t began)
{
    return leg->unanswered == 0 && leg->acted <= began;
}

// Returns whether somebody else switched it.
static bool take_row(struct announcer *announcer, const struct announcer_protocol *protocol,
                     bool up, bool in_turn)
{
    struct leg *leg = &announcer->services[protocol->service].legs[protocol->leg];
    enum leg_state before = leg->state[protocol->family];
    if (before == LEG_STARTING && !up && !in_turn) {
        return false; // it takes its time: enabled again at most once a second
    }
    leg->state[protocol->family] = up ? LEG_ON : LEG_OFF;
    return (before == LEG_ON && !up) || (before == LEG_OFF && up);
}

static bool row_of_no_service(struct announcer *announcer, const char *name, bool up)
{
    if (names_is_pipe(name)) {
        announcer->pipes_off = announcer->pipes_off || !up;
        return !up;
    }
    if (up && names_is_ours(name)) {
        if (announcer->stray_count < ANNOUNCER_STRAYS_MAX) {
            snprintf(announcer->strays[announcer->stray_count++], BIRD_PROTOCOL_MAX, "%.*s",
                     BIRD_PROTOCOL_MAX - 1, name);
        }
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
    announcer->protocols[found - announcer->protocols].snapshot = announcer->snapshots;
    const struct leg *leg = &announcer->services[found->service].legs[found->leg];
    bool drifted = is_current(leg, announcer->snapshot_began) &&
                   take_row(announcer, found, up, announcer->snapshot_in_turn);
    if (drifted && announcer->snapshot_taken) {
        note(announcer, found->service); // also where the snapshot does not come to its end
    }
    return drifted;
}

bool announcer_look_row(struct announcer *announcer, const char *name, bool up, size_t asked)
{
    const struct announcer_protocol *found = find_protocol(announcer, name);
    if (!announcer->snapshot_taken) {
        return false;
    }
    if (found == NULL) {
        return row_of_no_service(announcer, name, up);
    }
    const struct leg *leg = &announcer->services[found->service].legs[found->leg];
    enum leg_state before = leg->state[found->family];
    uint64_t began = announcer->actions - ((announcer->actions - asked) & ORDER_INDEX_MAX);
    bool drifted = is_current(leg, began) && take_row(announcer, found, up, false);
    if (leg->state[found->family] != before) {
        note(announcer, found->service);
    }
    return drifted;
}

void announcer_look_end(struct announcer *announcer, size_t service)
{
    if (announcer->snapshot_taken && !announcer_settled(announcer, service)) {
        note(announcer, service);
    }
}

size_t announcer_whose(const struct announcer *announcer, const char *text)
{
    char name[BIRD_PROTOCOL_MAX];
    size_t length = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
    if (length >= sizeof name) {
        return SIZE_MAX;
    }
    memcpy(name, text, length);
    name[length] = '\0';
    const struct announcer_protocol *found = find_protocol(announcer, name);
    return found != NULL ? found->service : SIZE_MAX;
}

unsigned *announcer_round(struct announcer *announcer, const char *protocol)
{
    const struct announcer_protocol *found = find_protocol(announcer, protocol);
    return found != NULL ? &announcer->protocols[found - announcer->protocols].round : NULL;
}

bool announcer_snapshot_end(struct announcer *announcer)
{
    if (!announcer->link_up || announcer->snapshot_began < announcer->link_began) {
        return false;
    }
    for (size_t i = 0; i < announcer->protocol_count; i++) {
        const struct announcer_protocol *protocol = &announcer->protocols[i];
        struct leg *leg = &announcer->services[protocol->service].legs[protocol->leg];
        if (protocol->snapshot != announcer->snapshots &&
            is_current(leg, announcer->snapshot_began)) {
            leg->state[protocol->family] = LEG_ABSENT;
        }
    }
    announcer->snapshot_taken = true;
    for (size_t i = 0; i < announcer->service_count; i++) {
        if (!announcer_settled(announcer, i)) {
            note(announcer, i);
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
static void answered(const struct announcer *announcer, struct leg *leg)
{
    if (leg->unanswered > 0) {
        leg->unanswered--;
    }
    leg->acted = announcer->actions;
    if (leg->unanswered == 0) {
        leg->sent = LEG_IDLE;
    }
}

// What BIRD has, it named in the lines before.
static void not_named(struct leg *leg, enum family family, enum bird_outcome outcome)
{
    bool unnamed = outcome == BIRD_OK && leg->state[family] == LEG_UNSEEN;
    if (outcome == BIRD_NO_PROTOCOL || unnamed) {
        leg->state[family] = LEG_ABSENT;
    }
}

static void sweep_answered(struct announcer *announcer, size_t index, enum bird_outcome outcome)
{
    struct sweep *sweep = &announcer->sweeps[index];
    for (size_t i = sweep->first; i < sweep->end; i++) {
        const struct announcer_protocol *protocol = &announcer->protocols[i];
        struct leg *leg = &announcer->services[protocol->service].legs[protocol->leg];
        if (leg->sweep == index + 1) {
            leg->sweep = 0;
            answered(announcer, leg);
            not_named(leg, FAMILY_V4, outcome);
            not_named(leg, FAMILY_V6, outcome);
        }
    }
    *sweep = (struct sweep){0};
}

void announcer_reply_end(struct announcer *announcer, uint64_t token, enum bird_outcome outcome)
{
    assert(order_kind(token) == ORDER_ENABLE || order_kind(token) == ORDER_DISABLE);
    announcer->actions++;
    announcer->unanswered -= announcer->unanswered > 0;
    size_t service = order_a(token);
    size_t part = order_b(token);
    if (service < announcer->service_count && part < announcer_part(LEGS, 0)) {
        struct leg *leg = &announcer->services[service].legs[part / FAMILIES];
        answered(announcer, leg);
        not_named(leg, part % FAMILIES, outcome);
    } else if (service == announcer->service_count && part >= ANNOUNCER_SWEEP &&
               part - ANNOUNCER_SWEEP < ANNOUNCER_OFF_MAX) {
        sweep_answered(announcer, part - ANNOUNCER_SWEEP, outcome);
    }
}

bool leg_is_on(const struct announcer *announcer, size_t service, const struct leg *leg)
{
    for (unsigned family = 0; family < FAMILIES; family++) {
        if (announcer_conf(announcer, service)->has_family[family] &&
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

bool leg_has_state(const struct announcer *announcer, size_t service, const struct leg *leg,
                   enum leg_state state)
{
    for (unsigned family = 0; family < FAMILIES; family++) {
        if (announcer_conf(announcer, service)->has_family[family] && leg->state[family] == state) {
            return true;
        }
    }
    return false;
}

bool announcer_settled(const struct announcer *announcer, size_t service)
{
    assert(service < announcer->service_count);
    const struct announced *announced = &announcer->services[service];
    for (unsigned i = 0; i < LEGS; i++) {
        const struct leg *leg = &announced->legs[i];
        if (leg->unanswered > 0) {
            return false;
        }
        for (unsigned family = 0; family < FAMILIES; family++) {
            bool off = leg->state[family] == LEG_OFF || leg->state[family] == LEG_ABSENT;
            if (announcer_conf(announcer, service)->has_family[family] &&
                !(leg->wanted ? leg->state[family] == LEG_ON : off)) {
                return false;
            }
        }
    }
    return true;
}

bool announcer_is_between(const struct announcer *announcer, size_t service)
{
    const struct leg *legs = announcer->services[service].legs;
    const struct leg *wanted = &legs[legs[LEG_PRIMARY].wanted ? LEG_PRIMARY : LEG_DRAIN];
    const struct leg *other = &legs[legs[LEG_PRIMARY].wanted ? LEG_DRAIN : LEG_PRIMARY];
    bool other_on = other->unanswered > 0 || leg_has_state(announcer, service, other, LEG_ON) ||
                    leg_has_state(announcer, service, other, LEG_STARTING);
    return announcer->link_up && wanted->wanted && other_on &&
           !leg_has_state(announcer, service, wanted, LEG_ABSENT);
}

bool announcer_lacks_protocol(const struct announcer *announcer, size_t service)
{
    for (unsigned leg = 0; leg < LEGS; leg++) {
        if (leg_has_state(announcer, service, &announcer->services[service].legs[leg],
                          LEG_ABSENT)) {
            return true;
        }
    }
    return false;
}

bool announcer_is_busy(const struct announcer *announcer)
{
    return announcer->unanswered + announcer->waiting[WAITING_OFF].count +
               announcer->waiting[WAITING_DOUBT].count >
           0;
}

bool announcer_holds_back(const struct announcer *announcer)
{
    return announcer->unanswered > 0 && announcer->waiting[WAITING_OFF].count > 0;
}

bool announcer_wants_file(const struct announcer *announcer)
{
    return announcer->waiting[WAITING_ON].count > 0;
}

uint64_t announcer_acted(const struct announcer *announcer, size_t service)
{
    const struct leg *legs = announcer->services[service].legs;
    return legs[LEG_PRIMARY].acted > legs[LEG_DRAIN].acted ? legs[LEG_PRIMARY].acted
                                                           : legs[LEG_DRAIN].acted;
}
