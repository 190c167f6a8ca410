#include "controller/core/deadlines.h"

#include <assert.h>
#include <stdlib.h>

bool deadlines_init(struct deadlines *deadlines, size_t count)
{
    *deadlines = (struct deadlines){.at_ms = calloc(count + 1, sizeof *deadlines->at_ms),
                                    .heap = calloc(count + 1, sizeof *deadlines->heap),
                                    .place = calloc(count + 1, sizeof *deadlines->place),
                                    .count = count};
    if (deadlines->at_ms == NULL || deadlines->heap == NULL || deadlines->place == NULL) {
        deadlines_free(deadlines);
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        deadlines->at_ms[i] = DEADLINE_NEVER;
        deadlines->heap[i] = deadlines->place[i] = i;
    }
    return true;
}

void deadlines_free(struct deadlines *deadlines)
{
    free(deadlines->at_ms);
    free(deadlines->heap);
    free(deadlines->place);
    *deadlines = (struct deadlines){0};
}

static bool sooner(const struct deadlines *deadlines, size_t a, size_t b)
{
    return deadlines->at_ms[deadlines->heap[a]] < deadlines->at_ms[deadlines->heap[b]];
}

static void swap(struct deadlines *deadlines, size_t a, size_t b)
{
    size_t thing = deadlines->heap[a];
    deadlines->heap[a] = deadlines->heap[b];
    deadlines->heap[b] = thing;
    deadlines->place[deadlines->heap[a]] = a;
    deadlines->place[deadlines->heap[b]] = b;
}

static void rise(struct deadlines *deadlines, size_t at)
{
    while (at > 0 && sooner(deadlines, at, (at - 1) / 2)) {
        swap(deadlines, at, (at - 1) / 2);
        at = (at - 1) / 2;
    }
}

static void sink(struct deadlines *deadlines, size_t at)
{
    for (;;) {
        size_t soonest = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < deadlines->count; child++) {
            soonest = sooner(deadlines, child, soonest) ? child : soonest;
        }
        if (soonest == at) {
            return;
        }
        swap(deadlines, at, soonest);
        at = soonest;
    }
}

void deadlines_set(struct deadlines *deadlines, size_t thing, uint64_t at_ms)
{
    assert(thing < deadlines->count);
    deadlines->at_ms[thing] = at_ms;
    rise(deadlines, deadlines->place[thing]);
    sink(deadlines, deadlines->place[thing]);
}

uint64_t deadlines_next_ms(const struct deadlines *deadlines)
{
    return deadlines->count > 0 ? deadlines->at_ms[deadlines->heap[0]] : DEADLINE_NEVER;
}

size_t deadlines_due(struct deadlines *deadlines, uint64_t now_ms)
{
    uint64_t next_ms = deadlines_next_ms(deadlines);
    if (next_ms == DEADLINE_NEVER || next_ms > now_ms) {
        return DEADLINES_NONE;
    }
    size_t thing = deadlines->heap[0];
    deadlines_set(deadlines, thing, DEADLINE_NEVER);
    return thing;
}
