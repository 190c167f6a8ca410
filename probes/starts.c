// See starts.h.
#include "probes/starts.h"

#include "base/clock.h"

#include <assert.h>
#include <stddef.h>

// Spent in one turn, and then whatever the last start takes. So long that of a thousand withdrawals
// those that have to wait come to BIRD in few commands, and so short that nobody else is kept
// waiting for long.
#define TURN_NS (10 * NS_PER_MS)

static bool has_time(struct starts *starts)
{
    if (starts->turn != starts->turns->count) {
        starts->turn = starts->turns->count;
        starts->spent_ns = 0;
    }
    return starts->spent_ns < TURN_NS;
}

static void run(struct starts *starts, struct start *start)
{
    uint64_t begun_ns = uv_hrtime();
    start->run(start->owner);
    starts->spent_ns += uv_hrtime() - begun_ns;
}

static void take_out(struct starts *starts, struct start *start)
{
    assert(start->link);
    *start->link = start->next;
    if (start->next != NULL) {
        start->next->link = start->link;
    } else {
        starts->end = start->link;
    }
    start->link = NULL;
}

static void on_idle(uv_idle_t *idle)
{
    struct starts *starts = idle->data;
    while (starts->first != NULL && has_time(starts)) {
        struct start *start = starts->first;
        take_out(starts, start);
        run(starts, start);
    }
    if (starts->first == NULL) {
        uv_idle_stop(idle);
    }
}

void starts_open(struct starts *starts, uv_loop_t *loop, const struct turns *turns)
{
    starts->turns = turns;
    starts->first = NULL;
    starts->end = &starts->first;
    uv_idle_init(loop, &starts->idle);
    starts->idle.data = starts;
}

static void on_closed(uv_handle_t *handle)
{
    struct starts *starts = handle->data;
    starts->on_free(starts->owner);
}

void starts_close(struct starts *starts)
{
    assert(!starts->first);
    uv_close((uv_handle_t *)&starts->idle, on_closed);
}

void starts_soon(struct starts *starts, struct start *start)
{
    if (start->link != NULL) {
        return;
    }
    start->next = NULL;
    start->link = starts->end;
    *starts->end = start;
    starts->end = &start->next;
    uv_idle_start(&starts->idle, on_idle);
}

void starts_now(struct starts *starts, struct start *start)
{
    if (starts->first == NULL && has_time(starts)) {
        run(starts, start);
    } else {
        starts_soon(starts, start);
    }
}

void starts_forget(struct starts *starts, struct start *start)
{
    if (start->link != NULL) {
        take_out(starts, start);
    }
}
