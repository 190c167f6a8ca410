// When BIRD is asked which protocols are up: everything once a second, who was switched at once;
// and never for more of its time than is good for it.
#include "controller/core/inside.h"

#include <string.h>

#define LOOKS_PER_SECOND 256 // in turn, of all that is quiet
#define SNAPSHOT_SHARE   4 // pauses after replies last so many times as long as the snapshot before
#define SNAPSHOT_REST_MS 50 // and no longer than this
#define DRIFT_ROUNDS     10 // repaired without pause, within a second

void core_want_snapshot(struct core *core)
{
    core->looking.snapshot_wanted = true;
}

void core_look_forget(struct core *core)
{
    core->looking.snapshot_under_way = false;
    core->looking.service_count = 0;
    core->looking.everywhere = false;
}

// Something of the service (SIZE_MAX: who knows of which) was switched. Where repairing leads to
// nothing but more drift, it goes on with the snapshot in its turn.
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
    if (service != SIZE_MAX && core->looking.service_count < LOOKS_MAX) {
        core->looking.services[core->looking.service_count++] = service;
    } else {
        core->looking.everywhere = true;
    }
}

void core_look_snapshot_ended(struct core *core, uint64_t now_ns)
{
    core->looking.snapshot_under_way = false;
    core->looking.snapshot_at_ms = ms_of(now_ns) + SNAPSHOT_MS;
    uint64_t rest_ms = ms_of((now_ns - core->looking.snapshot_began_ns) * SNAPSHOT_SHARE);
    core->looking.snapshot_rest_ms =
        ms_of(now_ns) + (rest_ms < SNAPSHOT_REST_MS ? rest_ms : SNAPSHOT_REST_MS);
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
        observed_look_in_turn(core->observed, LOOKS_PER_SECOND);
    }
}

uint64_t core_look_next_ms(const struct core *core)
{
    const struct looking *looking = &core->looking;
    uint64_t next_ms = looking->snapshot_at_ms;
    if (looking->snapshot_soon_ms != 0 && looking->snapshot_soon_ms < next_ms) {
        next_ms = looking->snapshot_soon_ms;
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
    core->looking.drifts_before = core->drifts;
    core->looking.snapshot_began_ns = now_ns;
    announcer_snapshot_begin(core->announcer, core->looking.snapshot_in_turn);
    core->looking.snapshot_in_turn = false;
    observed_snapshot_begin(core->observed);
    orders_put(&core->orders, ORDER_LINK_ASK, false, order_token(ORDER_PROTOCOLS, 0, 0),
               bird_show_protocols());
    orders_put(&core->orders, ORDER_LINK_ASK, false, order_token(ORDER_REVISION, 0, 0),
               bird_show_protocols_all(NAMES_PIPES));
}

void core_look_ask(struct core *core, uint64_t now_ns)
{
    ask_looks(core, now_ns);
    ask_snapshot(core, now_ns);
}
