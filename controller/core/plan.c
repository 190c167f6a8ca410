// What the announcer does: from how things stand to orders. A service noted in WAITING_NEW is
// sorted into the lists where it has to wait, and each list moves on as far as its limit allows; so
// one service costs the same however many others there are.
#include "controller/core/announcer_inside.h"

#include <assert.h>
#include <string.h>

// ---- What a leg needs

// What is seen to be on, or may come on, goes before what is off in all likelihood.
static bool may_be_on(const struct announcer *announcer, size_t service, const struct leg *leg)
{
    return leg->unanswered > 0 || leg_has_state(announcer, service, leg, LEG_ON) ||
           leg_has_state(announcer, service, leg, LEG_STARTING);
}

static bool needs_disable(const struct announcer *announcer, size_t service, enum leg_name name)
{
    const struct announced *announced = &announcer->services[service];
    const struct leg *leg = &announced->legs[name];
    const struct leg *other = &announced->legs[name == LEG_PRIMARY ? LEG_DRAIN : LEG_PRIMARY];
    if (leg->wanted || (other->wanted && !leg_is_on(announcer, service, other))) {
        return false; // make before break
    }
    if (leg->unanswered > 0) {
        return leg->sent == LEG_ENABLING;
    }
    return may_be_on(announcer, service, leg) ||
           leg_has_state(announcer, service, leg, LEG_UNSEEN); // withdrawing does not wait to look
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
    return leg_has_state(announcer, service, leg, LEG_OFF);
}

// ---- Orders for one leg

static void sent(struct announcer *announcer, struct leg *leg, bool enable)
{
    announcer->actions++;
    leg->sent = enable ? LEG_ENABLING : LEG_DISABLING;
    leg->unanswered++;
    leg->acted = announcer->actions;
}

static void order_protocol(struct announcer *announcer, struct orders *orders, size_t service,
                           enum leg_name name, enum family family, bool enable, bool urgent)
{
    struct announced *announced = &announcer->services[service];
    const char *protocol = announcer->protocols[announced->protocols[name][family]].name;
    enum order_kind kind = enable ? ORDER_ENABLE : ORDER_DISABLE;
    orders_put(orders, ORDER_LINK_ACT, urgent,
               order_token(kind, service, announcer_part(name, family)),
               enable ? bird_enable_one(protocol) : bird_disable_one(protocol));
    announcer->unanswered++;
    sent(announcer, &announced->legs[name], enable);
}

static void order_leg(struct announcer *announcer, struct orders *orders, size_t service,
                      enum leg_name name, bool enable)
{
    const struct leg *leg = &announcer->services[service].legs[name];
    assert(announcer->link_up && leg->wanted == enable); // never both ways
    bool urgent = !enable && (announcer->wanted_on == 0 || may_be_on(announcer, service, leg));
    for (enum family family = FAMILY_V4; family < FAMILIES; family++) {
        if (announcer_conf(announcer, service)->has_family[family]) {
            order_protocol(announcer, orders, service, name, family, enable, urgent);
        }
    }
}

// The twin goes first: taking the primary first would show the neighbour a depreferenced route on
// its way out.
static const enum leg_name leg_order[] = {LEG_DRAIN, LEG_PRIMARY};

// ---- Orders for many

// The nearest protocol that is to be kept, from `at` on downwards or upwards; NULL: there is none.
static const struct announcer_protocol *kept_before(const struct announcer *announcer, size_t at)
{
    uint64_t below = (UINT64_C(1) << at % 64) - 1;
    for (size_t word = at / 64 + 1; word-- > 0; below = UINT64_MAX) {
        uint64_t bits = announcer->kept[word] & below;
        if (bits != 0) {
            return &announcer->protocols[64 * word + 63 - (size_t)__builtin_clzll(bits)];
        }
    }
    return NULL;
}

static const struct announcer_protocol *kept_after(const struct announcer *announcer, size_t at)
{
    uint64_t from = UINT64_MAX << at % 64;
    for (size_t word = at / 64; 64 * word < announcer->protocol_count; word++, from = UINT64_MAX) {
        uint64_t bits = announcer->kept[word] & from;
        if (bits != 0) {
            return &announcer->protocols[64 * word + (size_t)__builtin_ctzll(bits)];
        }
    }
    return NULL;
}

// How long a beginning of name must be to be none of other's (NULL: of any length).
static size_t apart(const char *name, const struct announcer_protocol *other)
{
    size_t length = 0;
    while (other != NULL && name[length] != '\0' && name[length] == other->name[length]) {
        length++;
    }
    return other != NULL ? length + 1 : 0;
}

// Where a service is among the protocols, which are sorted by name.
static size_t place_of(const struct announcer *announcer, size_t service)
{
    bool v4 = announcer_conf(announcer, service)->has_family[FAMILY_V4];
    return announcer->services[service].protocols[LEG_PRIMARY][v4 ? FAMILY_V4 : FAMILY_V6];
}

// The shortest beginning of the service's names that nobody's has who is to be kept; all its
// protocols have it in common. False: there is none but the names themselves.
static bool find_prefix(const struct announcer *announcer, size_t service,
                        char prefix[BIRD_PROTOCOL_MAX])
{
    size_t at = place_of(announcer, service);
    size_t most = names_base_length(announcer_conf(announcer, service));
    memcpy(prefix, announcer->protocols[at].name, most);
    prefix[most] = '\0';
    size_t before = apart(prefix, kept_before(announcer, at));
    size_t after = apart(prefix, kept_after(announcer, at));
    size_t length = before > after ? before : after;
    length = length > strlen(NAMES_OURS) ? length : strlen(NAMES_OURS);
    if (length > most) {
        return false;
    }
    prefix[length] = '\0';
    return true;
}

// What needs to be switched off of all that a sweep takes in.
struct sweepings {
    size_t legs, twins;
    bool urgent;
};

// Is the leg, by the first of its protocols, among them? All its protocols' names must begin so.
static bool takes_in(const struct announcer *announcer, const struct announcer_protocol *protocol,
                     size_t prefix_length)
{
    const struct service_conf *conf = announcer_conf(announcer, protocol->service);
    bool first = protocol->family == FAMILY_V4 || !conf->has_family[FAMILY_V4];
    return first && needs_disable(announcer, protocol->service, protocol->leg) &&
           prefix_length <= names_base_length(conf);
}

// With a number, what it takes in counts as commanded by the sweep of that number.
static struct sweepings take_in(struct announcer *announcer, const struct sweep *sweep,
                                size_t prefix_length, unsigned number)
{
    struct sweepings found = {0};
    for (size_t i = sweep->first; i < sweep->end; i++) {
        const struct announcer_protocol *protocol = &announcer->protocols[i];
        struct leg *leg = &announcer->services[protocol->service].legs[protocol->leg];
        // While an earlier sweep is unanswered, the leg has a command of its own.
        if (leg->sweep != 0 || !takes_in(announcer, protocol, prefix_length)) {
            continue;
        }
        found.legs++;
        found.twins += protocol->leg == LEG_DRAIN;
        found.urgent = found.urgent || may_be_on(announcer, protocol->service, leg);
        if (number > 0) {
            sent(announcer, leg, false);
            leg->sweep = number;
        }
    }
    return found;
}

static unsigned free_sweep(const struct announcer *announcer)
{
    unsigned number = 1;
    while (number <= ANNOUNCER_OFF_MAX && announcer->sweeps[number - 1].end > 0) {
        number++;
    }
    return number <= ANNOUNCER_OFF_MAX ? number : 0;
}

static void order_pattern(struct announcer *announcer, struct orders *orders, const char *prefix,
                          bool twins, bool urgent, size_t part)
{
    char pattern[BIRD_PROTOCOL_MAX + 8];
    names_beginning(prefix, twins, pattern);
    orders_put(orders, ORDER_LINK_ACT, urgent,
               order_token(ORDER_DISABLE, announcer->service_count, part), bird_disable(pattern));
    announcer->unanswered++;
}

static struct sweep find_sweep(const struct announcer *announcer, size_t service,
                               const char *prefix, size_t length)
{
    const struct announcer_protocol *protocols = announcer->protocols;
    struct sweep sweep = {.first = place_of(announcer, service)};
    sweep.end = sweep.first + 1;
    while (sweep.first > 0 && strncmp(protocols[sweep.first - 1].name, prefix, length) == 0) {
        sweep.first--;
    }
    while (sweep.end < announcer->protocol_count &&
           strncmp(protocols[sweep.end].name, prefix, length) == 0) {
        sweep.end++;
    }
    return sweep;
}

// One command, or one for the twins and one for all, in place of many: everything off that begins
// as the service does. False: that would take nobody else along.
static bool sweep_out(struct announcer *announcer, struct orders *orders, size_t service)
{
    char prefix[BIRD_PROTOCOL_MAX];
    unsigned number = free_sweep(announcer);
    if (number == 0 || !find_prefix(announcer, service, prefix)) {
        return false;
    }
    size_t length = strlen(prefix);
    struct sweep sweep = find_sweep(announcer, service, prefix, length);
    struct sweepings found = take_in(announcer, &sweep, length, 0);
    bool everything = announcer->wanted_on == 0;
    if (found.legs < 2 || (!everything && found.legs <= 1U + (found.twins > 0))) {
        return false;
    }
    bool urgent = everything || found.urgent;
    if (found.twins > 0) {
        order_pattern(announcer, orders, prefix, true, urgent, ANNOUNCER_PART);
    }
    order_pattern(announcer, orders, prefix, false, urgent, ANNOUNCER_SWEEP + number - 1);
    announcer->sweeps[number - 1] = sweep;
    (void)take_in(announcer, &sweep, length, number);
    return true;
}

// Nobody else waits to be switched off.
static bool waits_alone(const struct announcer *announcer, size_t service)
{
    size_t others = 0;
    for (enum waiting_name name = WAITING_OFF; name <= WAITING_DOUBT; name++) {
        others += announcer->waiting[name].count - announcer->services[service].waits[name];
    }
    return others == 0;
}

// When nothing at all is to stay on, one pattern does for every service, and waits for nothing.
static void sweep_everything(struct announcer *announcer, struct orders *orders)
{
    const struct waiting_list *off = &announcer->waiting[WAITING_OFF];
    const struct waiting_list *doubt = &announcer->waiting[WAITING_DOUBT];
    const struct waiting_list *list = off->count > 0 ? off : doubt;
    if (list->count == 0 || orders_room(orders) < ANNOUNCER_ORDERS_PER_SERVICE) {
        return;
    }
    size_t service = list->items[list->first];
    if (waits_alone(announcer, service)) {
        return;
    }
    for (size_t i = 0; i < ANNOUNCER_OFF_MAX; i++) {
        const struct sweep *sweep = &announcer->sweeps[i];
        if (sweep->first == 0 && sweep->end == announcer->protocol_count) {
            return; // it is on its way
        }
    }
    (void)sweep_out(announcer, orders, service);
}

// ---- The plan

static void sort_out(struct announcer *announcer, size_t service)
{
    const struct leg *legs = announcer->services[service].legs;
    for (unsigned i = 0; i < LEGS; i++) {
        if (needs_disable(announcer, service, i)) {
            bool urgent = may_be_on(announcer, service, &legs[i]);
            waiting_put(announcer, urgent ? WAITING_OFF : WAITING_DOUBT, service);
        }
        if (needs_enable(announcer, service, i)) {
            waiting_put(announcer, WAITING_ON, service);
        }
    }
}

static bool needs_off(const struct announcer *announcer, size_t service)
{
    return needs_disable(announcer, service, LEG_PRIMARY) ||
           needs_disable(announcer, service, LEG_DRAIN);
}

// doubted: also what is off in all likelihood. That goes behind what is on, whoever's it is.
static void switch_off(struct announcer *announcer, struct orders *orders, size_t service,
                       bool doubted)
{
    // Else a sweep took it with it: looking for another one costs all protocols.
    bool needed = needs_off(announcer, service);
    // Alone it has its own command: shorter to find, and nothing that others could be hurt by.
    if (needed && !waits_alone(announcer, service) &&
        announcer->services[service].target == TARGET_WITHDRAW &&
        sweep_out(announcer, orders, service)) {
        return;
    }
    for (unsigned i = 0; i < LEGS && needed; i++) {
        const struct leg *leg = &announcer->services[service].legs[leg_order[i]];
        if (needs_disable(announcer, service, leg_order[i]) &&
            (doubted || may_be_on(announcer, service, leg))) {
            order_leg(announcer, orders, service, leg_order[i], false);
        }
    }
    if (needs_off(announcer, service)) {
        waiting_put(announcer, WAITING_DOUBT, service);
    }
}

// False: it has to wait for the file.
static bool switch_on(struct announcer *announcer, struct orders *orders, size_t service,
                      uint64_t file)
{
    for (unsigned i = 0; i < LEGS; i++) {
        if (!needs_enable(announcer, service, leg_order[i])) {
            continue;
        }
        if (announcer->services[service].legs[leg_order[i]].file_version > file) {
            return false;
        }
        order_leg(announcer, orders, service, leg_order[i], true);
    }
    return true;
}

static void plan_others(struct announcer *announcer, struct orders *orders)
{
    if (announcer->pipes_off) {
        orders_put(orders, ORDER_LINK_ACT, false,
                   order_token(ORDER_ENABLE, announcer->service_count, ANNOUNCER_PART),
                   bird_enable(NAMES_PIPES));
        announcer->unanswered++;
        announcer->pipes_off = false;
    }
    for (; announcer->stray_count > 0 && orders_room(orders) > 0; announcer->stray_count--) {
        announcer->unanswered +=
            orders_put(orders, ORDER_LINK_ACT, true,
                       order_token(ORDER_DISABLE, announcer->service_count, ANNOUNCER_PART),
                       bird_disable(announcer->strays[announcer->stray_count - 1]));
    }
}

// What of it is on was written just now: BIRD must not read another command of ours before it has
// told its neighbours.
static bool is_commanded(const struct announcer *announcer, size_t service)
{
    const struct leg *legs = announcer->services[service].legs;
    return legs[LEG_PRIMARY].unanswered + legs[LEG_DRAIN].unanswered > 0;
}

static bool may_go_on(const struct announcer *announcer, const struct orders *orders,
                      enum waiting_name name, size_t unanswered_max)
{
    return announcer->waiting[name].count > 0 && announcer->unanswered < unanswered_max &&
           orders_room(orders) >= ANNOUNCER_ORDERS_PER_SERVICE;
}

void announcer_plan(struct announcer *announcer, struct orders *orders, uint64_t file)
{
    if (!announcer->link_up) {
        return; // everything is planned when the link is up again
    }
    while (announcer->waiting[WAITING_NEW].count > 0) {
        sort_out(announcer, waiting_take(announcer, WAITING_NEW));
    }
    if (announcer->wanted_on == 0) {
        sweep_everything(announcer, orders);
    }
    while (may_go_on(announcer, orders, WAITING_OFF, ANNOUNCER_OFF_MAX)) {
        switch_off(announcer, orders, waiting_take(announcer, WAITING_OFF), false);
    }
    const struct waiting_list *doubt = &announcer->waiting[WAITING_DOUBT];
    while (may_go_on(announcer, orders, WAITING_DOUBT, ANNOUNCER_UNANSWERED_MAX) &&
           !is_commanded(announcer, doubt->items[doubt->first])) {
        switch_off(announcer, orders, waiting_take(announcer, WAITING_DOUBT), true);
    }
    const struct waiting_list *on = &announcer->waiting[WAITING_ON];
    while (may_go_on(announcer, orders, WAITING_ON, ANNOUNCER_UNANSWERED_MAX) &&
           switch_on(announcer, orders, on->items[on->first], file)) {
        (void)waiting_take(announcer, WAITING_ON);
    }
    if (orders_room(orders) >= ANNOUNCER_ORDERS_PER_SERVICE) {
        plan_others(announcer, orders);
    }
}
