// When BIRD is asked which protocols are up: everything once a second, who was switched at once;
// and never for more of its time than is good for it.
#include "controller/core/inside.h"

#include <string.h>

#define SNAPSHOT_SHARE   4 // pauses after replies last so many times as long as the snapshot before
#define SNAPSHOT_REST_MS 50 // and no longer than this
#define DRIFT_ROUNDS     10 // repaired without pause, within a second
#define PACE_MS          30 // pause between looks that are repeated
#define OURS_SHARE       99 // and at least so many times as long as one takes, at all that is ours

void core_want_snapshot(struct core *core)
{
    core->looking.snapshot_wanted = true;
}

void core_look_forget(struct core *core)
{
    core->looking.snapshot_under_way = core->looking.ours_under_way = false;
    core->looking.pipes_left = 0;
    core->looking.pipes_stood = 0;
    core->looking.service_count = 0;
    core->looking.everywhere = false;
}

// Something of the service (beyond those that are configured: of a retired one, or who knows of
// which) was switched. Where repairing leads to nothing but more drift, it goes on with the
// snapshot in its turn.
void core_look_soon(struct core *core, size_t service, uint64_t now_ns)
{
    bool known = false;
    for (size_t i = 0; i < core->looking.service_count; i++) {
        known = known || core->looking.services[i] == service;
    }
    if (known || (core->looking.drift_rounds >= DRIFT_ROUNDS &&
                  ms_of(now_ns) - core->looking.drift_began_ms < SNAPSHOT_MS)) {
        return;
    }
    if (service < core->config->service_count && core->looking.service_count < LOOKS_MAX) {
        core->looking.services[core->looking.service_count++] = service;
    } else {
        core->looking.everywhere = true;
    }
}

static void count_round(struct core *core)
{
    core->looking.drift_rounds += core->drifts != core->looking.drifts_counted;
    core->looking.drifts_counted = core->drifts;
}

// BIRD begins with a question when it has answered the one before.
static uint64_t took_ns(const struct looking *looking, uint64_t began_ns, uint64_t now_ns)
{
    return now_ns - (looking->answered_ns > began_ns ? looking->answered_ns : began_ns);
}

// How long looks at all that is ours pause when one takes BIRD so long.
static uint64_t pause_ms(uint64_t ns)
{
    uint64_t rest_ms = ms_of(ns * OURS_SHARE);
    return rest_ms > PACE_MS ? rest_ms : PACE_MS;
}

// What took long once may have taken anybody's time. 0: nothing known.
static uint64_t ours_take_ns(const struct looking *looking)
{
    uint64_t least_ns = looking->ours_looks > 0 ? UINT64_MAX : 0;
    for (unsigned i = 0; i < OURS_TAKEN && i < looking->ours_looks; i++) {
        least_ns = looking->ours_took_ns[i] < least_ns ? looking->ours_took_ns[i] : least_ns;
    }
    return least_ns;
}

static void ours_ended(struct looking *looking, uint64_t now_ns)
{
    looking->ours_took_ns[looking->ours_looks++ % OURS_TAKEN] =
        took_ns(looking, looking->ours_began_ns, now_ns);
    looking->ours_under_way = false;
    looking->ours_at_ms = ms_of(now_ns) + pause_ms(ours_take_ns(looking));
    looking->ours_soonest_ms = ms_of(now_ns + ours_take_ns(looking) * SNAPSHOT_SHARE);
}

void core_look_ended(struct core *core, bool ours, uint64_t now_ns)
{
    count_round(core);
    if (ours) {
        ours_ended(&core->looking, now_ns);
    }
}

// What we switch ourselves is looked at anyway.
void core_look_pipe_ended(struct core *core, uint64_t now_ns)
{
    struct looking *looking = &core->looking;
    if (looking->pipes_left == 0 || --looking->pipes_left > 0) {
        return;
    }
    bool alone = looking->pipes_acted == core->announcer->actions;
    bool moved = looking->pipes_stood != 0 && looking->pipes_read != looking->pipes_stood;
    if (alone && moved && looking->ours_soonest_ms < looking->ours_at_ms) {
        looking->ours_at_ms = looking->ours_soonest_ms;
    }
    looking->pipes_stood = alone ? looking->pipes_read : 0;
    looking->pipes_at_ms = ms_of(now_ns) + PACE_MS;
}

void core_look_answered(struct core *core, uint64_t now_ns)
{
    core->looking.answered_ns = now_ns;
}

void core_look_snapshot_ended(struct core *core, bool complete, uint64_t now_ns)
{
    // It takes BIRD no less than a look at what is ours: which it may have answered slowly once.
    uint64_t ours_at_ms =
        ms_of(now_ns) + pause_ms(took_ns(&core->looking, core->looking.snapshot_began_ns, now_ns));
    count_round(core);
    core->looking.ours_at_ms =
        ours_at_ms < core->looking.ours_at_ms ? ours_at_ms : core->looking.ours_at_ms;
    core->looking.snapshot_under_way = false;
    core->looking.snapshot_at_ms = ms_of(now_ns) + SNAPSHOT_MS;
    uint64_t rest_ms = ms_of((now_ns - core->looking.snapshot_began_ns) * SNAPSHOT_SHARE);
    core->looking.snapshot_rest_ms =
        ms_of(now_ns) + (rest_ms < SNAPSHOT_REST_MS ? rest_ms : SNAPSHOT_REST_MS);
    if (!complete) {
        core_look_cut(core, now_ns);
    }
    core->looking.snapshot_cut = !complete;
}

// An answer ended in the midst: everything is looked at soon, once; after that, in its turn.
void core_look_cut(struct core *core, uint64_t now_ns)
{
    struct looking *looking = &core->looking;
    if (!looking->snapshot_cut) {
        looking->snapshot_soon_ms =
            looking->snapshot_rest_ms > ms_of(now_ns) ? looking->snapshot_rest_ms : ms_of(now_ns);
    }
}

// BIRD does not tell when somebody switches a protocol: then all that is ours is looked at often.
static bool is_blind(const struct core *core)
{
    const struct core_link *link = &core->links[ORDER_LINK_ASK];
    return link->state == BIRD_LINK_UP && link->version.major > BIRD_ECHO_MAJOR;
}

void core_look_tick(struct core *core, uint64_t now_ms)
{
    if (core->looking.snapshot_soon_ms != 0 && now_ms >= core->looking.snapshot_soon_ms) {
        core->looking.snapshot_soon_ms = 0;
        core_want_snapshot(core);
    }
    if (now_ms >= core->looking.snapshot_at_ms) {
        core->looking.snapshot_at_ms = now_ms + SNAPSHOT_MS;
        core->looking.snapshot_in_turn = true;
        core_want_snapshot(core);
        observed_look_in_turn(core->observed, OBSERVED_PER_SECOND);
    }
}

// So dear are those looks that what is switched by hand might be on the air for long: whether any
// route of ours has come or gone at all costs BIRD the same, and next to nothing, however many
// services there are (bird-facts 35). What makes it answer late then is not that question.
static bool watches_pipes(const struct core *core)
{
    return is_blind(core) && pause_ms(ours_take_ns(&core->looking)) > PACE_MS;
}

uint64_t core_look_next_ms(const struct core *core)
{
    const struct looking *looking = &core->looking;
    uint64_t next_ms = looking->snapshot_at_ms;
    if (looking->snapshot_soon_ms != 0 && looking->snapshot_soon_ms < next_ms) {
        next_ms = looking->snapshot_soon_ms;
    }
    if (is_blind(core) && !looking->ours_under_way && looking->ours_at_ms < next_ms) {
        next_ms = looking->ours_at_ms;
    }
    if (watches_pipes(core) && looking->pipes_left == 0 && looking->pipes_at_ms < next_ms) {
        next_ms = looking->pipes_at_ms;
    }
    return core->links[ORDER_LINK_ASK].state != BIRD_LINK_DOWN ? next_ms : UINT64_MAX;
}

// After a switch, when all its commands are answered: who was switched, or with more than a few of
// them everything; that for no more than a fifth of BIRD's time, as with thousands of protocols a
// snapshot takes as long as many withdrawals.
static void ask_looks(struct core *core, uint64_t now_ns)
{
    if (announcer_is_busy(core->announcer) ||
        (core->looking.service_count == 0 && !core->looking.everywhere)) {
        return;
    }
    if (core->looking.everywhere && ms_of(now_ns) < core->looking.snapshot_rest_ms) {
        core->looking.snapshot_soon_ms = core->looking.snapshot_rest_ms;
    } else if (core->looking.everywhere) {
        core_want_snapshot(core);
    }
    bool whole = core->looking.everywhere || core->looking.snapshot_wanted;
    for (; core->looking.service_count > 0 && !whole && orders_room(&core->orders) > 0;
         core->looking.service_count--) {
        size_t service = core->looking.services[core->looking.service_count - 1];
        char pattern[BIRD_PROTOCOL_MAX];
        names_look(conf_of(core, service), pattern);
        orders_put(&core->orders, ORDER_LINK_ASK, false,
                   order_token(ORDER_LOOK, service, core->announcer->actions & ORDER_INDEX_MAX),
                   bird_show_protocols_like(pattern));
    }
    if (whole) {
        core->looking.service_count = 0;
        core->looking.everywhere = false;
    }
}

static void ask_snapshot(struct core *core, uint64_t now_ns)
{
    if (!core->looking.snapshot_wanted || core->looking.snapshot_under_way ||
        core->links[ORDER_LINK_ASK].state == BIRD_LINK_DOWN || orders_room(&core->orders) < 2) {
        return;
    }
    core->looking.snapshot_wanted = false;
    core->looking.snapshot_soon_ms = 0;
    core->looking.snapshot_under_way = true;
    core->looking.snapshot_began_ns = now_ns;
    announcer_snapshot_begin(core->announcer, core->looking.snapshot_in_turn);
    core->looking.snapshot_in_turn = false;
    observed_snapshot_begin(core->observed);
    orders_put(&core->orders, ORDER_LINK_ASK, false, order_token(ORDER_PROTOCOLS, 0, 0),
               bird_show_protocols());
    orders_put(&core->orders, ORDER_LINK_ASK, false, order_token(ORDER_REVISION, 0, 0),
               bird_show_protocols_all(NAMES_PIPES));
}

static void ask_ours(struct core *core, uint64_t now_ns)
{
    struct looking *looking = &core->looking;
    if (!is_blind(core) || looking->ours_under_way || ms_of(now_ns) < looking->ours_at_ms ||
        orders_room(&core->orders) == 0) {
        return;
    }
    looking->ours_under_way = true;
    looking->ours_began_ns = now_ns;
    orders_put(&core->orders, ORDER_LINK_ASK, false,
               order_token(ORDER_LOOK, core->config->service_count,
                           core->announcer->actions & ORDER_INDEX_MAX),
               bird_show_protocols_like(NAMES_OURS_AND_PIPES));
}

static void ask_pipes(struct core *core, uint64_t now_ns)
{
    struct looking *looking = &core->looking;
    if (!watches_pipes(core) || looking->pipes_left > 0 || ms_of(now_ns) < looking->pipes_at_ms ||
        orders_room(&core->orders) < FAMILIES) {
        return;
    }
    looking->pipes_read = 0;
    looking->pipes_left = FAMILIES;
    if (looking->pipes_acted != core->announcer->actions) {
        looking->pipes_acted = core->announcer->actions;
        looking->pipes_stood = 0;
    }
    for (unsigned family = 0; family < FAMILIES; family++) {
        orders_put(&core->orders, ORDER_LINK_ASK, false, order_token(ORDER_PIPE, family, 0),
                   bird_show_protocol_all(names_pipe(family)));
    }
}

void core_look_ask(struct core *core, uint64_t now_ns)
{
    ask_looks(core, now_ns);
    ask_ours(core, now_ns);
    ask_pipes(core, now_ns);
    ask_snapshot(core, now_ns);
}
