#include "controller/core/health.h"

#include <assert.h>

const char *health_name(enum health_state state)
{
    static const char *const names[] = {"unknown", "down", "degraded", "up"};
    return names[state];
}

void health_init(struct health *health, uint64_t now_ms)
{
    *health = (struct health){.settled = HEALTH_UNKNOWN, .since_ms = now_ms, .known_at_ms = now_ms};
}

// Returns whether that is new.
static bool settle(struct health *health, enum health_state state, bool blind, uint64_t now_ms)
{
    bool changed = health->settled != state || health->blind != blind;
    bool shown = changed && !(health->blind && blind);
    health->since_ms = shown ? now_ms : health->since_ms;
    health->settled = state;
    health->blind = blind;
    return changed;
}

static void count(struct health *health, enum verdict_kind kind)
{
    health->fails = kind == VERDICT_FAIL ? health->fails + 1 : 0;
    health->passes = kind == VERDICT_PASS ? health->passes + 1 : 0;
    health->alive = kind == VERDICT_FAIL ? 0 : health->alive + 1;
    health->bad = kind == VERDICT_PASS ? 0 : health->bad + 1;
}

// HEALTH_UNKNOWN: not settled.
static enum health_state settled_by(const struct health *health, const struct probe_conf *conf)
{
    enum health_state before = health->blind ? HEALTH_UNKNOWN : health->settled;
    // A crash waits out its grace, and is not overtaken by fall: a quick restart is ridden out.
    if (health->crashed_at_ms != 0) {
        return before;
    }
    if (health->fails >= conf->fall) {
        return HEALTH_DOWN;
    }
    if (health->passes >= conf->rise) {
        return HEALTH_UP;
    }
    bool declined = before == HEALTH_UP && health->bad >= conf->fall;
    bool recovered = before < HEALTH_DEGRADED && health->alive >= conf->rise;
    return declined || recovered ? HEALTH_DEGRADED : before;
}

bool health_observe(struct health *health, const struct probe_conf *conf, enum verdict_kind kind,
                    bool definitive, uint64_t now_ms)
{
    assert(kind <= VERDICT_PASS);
    bool changed = health_tick(health, conf, now_ms);
    if (kind == VERDICT_UNKNOWN) {
        return changed;
    }
    health->known_at_ms = now_ms;
    count(health, kind);
    if (kind != VERDICT_FAIL) {
        health->crashed_at_ms = 0;
    } else if (definitive && health->crashed_at_ms == 0) {
        health->crashed_at_ms = now_ms;
    }
    enum health_state state = settled_by(health, conf);
    if (state != HEALTH_UNKNOWN) {
        changed = settle(health, state, false, now_ms) || changed;
    }
    return health_tick(health, conf, now_ms) || changed;
}

// A prober that fell silent altogether is as blind as one that says unknown.
static uint64_t blind_at_ms(const struct health *health, const struct probe_conf *conf)
{
    return health->known_at_ms + conf->unknown_grace_ms + conf->interval_ms + conf->timeout_ms;
}

bool health_tick(struct health *health, const struct probe_conf *conf, uint64_t now_ms)
{
    assert(now_ms >= health->known_at_ms);
    bool silent = now_ms >= blind_at_ms(health, conf);
    bool crashed =
        health->crashed_at_ms != 0 && now_ms >= health->crashed_at_ms + conf->crash_grace_ms;
    if (crashed) {
        health->crashed_at_ms = 0;
    }
    if (silent) {
        health->fails = health->passes = health->alive = health->bad = 0;
    }
    return settle(health, crashed ? HEALTH_DOWN : health->settled,
                  silent || (health->blind && !crashed), now_ms);
}

uint64_t health_next_ms(const struct health *health, const struct probe_conf *conf)
{
    uint64_t next_ms = health->blind ? UINT64_MAX : blind_at_ms(health, conf);
    if (health->crashed_at_ms != 0 && health->crashed_at_ms + conf->crash_grace_ms < next_ms) {
        next_ms = health->crashed_at_ms + conf->crash_grace_ms;
    }
    return next_ms;
}

enum health_state health_shown(const struct health *health)
{
    return health->blind ? HEALTH_UNKNOWN : health->settled;
}

bool health_settles_anew(const struct health *health)
{
    return health->blind && (health->alive > 0 || health->bad > 0);
}

bool health_unsettled(const struct health *health)
{
    if (health->blind && health->settled != HEALTH_UNKNOWN) {
        return health_settles_anew(health);
    }
    switch (health->settled) {
    case HEALTH_UP:
        return health->bad > 0;
    case HEALTH_DOWN:
        return health->alive > 0;
    case HEALTH_DEGRADED:
        return health->fails > 0 || health->passes > 0;
    case HEALTH_UNKNOWN:
        break;
    }
    return true;
}
