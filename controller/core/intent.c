#include "controller/core/intent.h"

const char *target_name(enum target target)
{
    static const char *const names[] = {"withdraw", "depreference", "announce"};
    return names[target];
}

const char *intent_hinders(const struct intent *intent, enum verb verb)
{
    return verb_rows[verb].hindered[intent->kind];
}

uint64_t intent_age_ms(const struct intent *intent, uint64_t now_ms)
{
    return now_ms - intent->since_ms;
}

uint64_t intent_grace_left_ms(const struct intent *intent, uint64_t now_ms)
{
    uint64_t age_ms = intent_age_ms(intent, now_ms);
    bool lasts = intent->kind == INTENT_DRAIN && age_ms < intent->grace_ms;
    return lasts ? intent->grace_ms - age_ms : 0;
}

enum target intent_over(const struct intent *intent, enum target allowed, uint64_t now_ms,
                        bool *rules)
{
    enum target most =
        intent_grace_left_ms(intent, now_ms) > 0 ? TARGET_DEPREFERENCE : TARGET_WITHDRAW;
    switch (intent->kind) {
    case INTENT_AUTO:
        *rules = false;
        return allowed;
    case INTENT_PIN:
        *rules = true;
        return TARGET_ANNOUNCE;
    case INTENT_DRAIN:
    case INTENT_ISOLATE:
        break;
    }
    *rules = most <= allowed;
    return *rules ? most : allowed;
}

uint64_t intent_next_ms(const struct intent *intent, uint64_t now_ms)
{
    uint64_t end_ms = intent->until_ms > now_ms ? intent->until_ms : UINT64_MAX;
    uint64_t left_ms = intent_grace_left_ms(intent, now_ms);
    uint64_t grace_ms = left_ms > 0 ? now_ms + left_ms : UINT64_MAX;
    return grace_ms < end_ms ? grace_ms : end_ms;
}

struct intent intent_at_stop(const struct intent *intent)
{
    struct intent left = *intent;
    if (left.kind == INTENT_PIN) {
        left = (struct intent){.kind = INTENT_AUTO};
    }
    left.grace_ms = 0;
    return left;
}

bool intent_expired(const struct intent *intent, uint64_t now_ms)
{
    return intent->kind != INTENT_AUTO && intent->until_ms != 0 && now_ms >= intent->until_ms;
}

static uint64_t wall_before(uint64_t wall_ms, uint64_t ago_ms)
{
    return wall_ms > ago_ms ? wall_ms - ago_ms : 0;
}

void intent_to_wall(struct intent *intent, uint64_t now_ms, uint64_t now_wall_ms)
{
    intent->since_wall_ms = wall_before(now_wall_ms, intent_age_ms(intent, now_ms));
    intent->until_wall_ms = 0;
    if (intent->until_ms != 0) {
        uint64_t wall_ms = intent->until_ms >= now_ms
                               ? now_wall_ms + (intent->until_ms - now_ms)
                               : wall_before(now_wall_ms, now_ms - intent->until_ms);
        intent->until_wall_ms = wall_ms > 0 ? wall_ms : 1; // zero means no end
    }
}

bool intent_from_wall(struct intent *intent, uint64_t now_ms, uint64_t now_wall_ms)
{
    bool in_future = intent->since_wall_ms > now_wall_ms;
    bool timed = intent->grace_ms != 0 || intent->until_wall_ms != 0;
    intent->since_ms = in_future ? now_ms : now_ms - (now_wall_ms - intent->since_wall_ms);
    intent->grace_ms = in_future ? 0 : intent->grace_ms;
    intent->until_ms = 0;
    if (intent->until_wall_ms != 0) {
        uint64_t from_wall_ms = in_future ? intent->since_wall_ms : now_wall_ms;
        uint64_t left_ms =
            intent->until_wall_ms > from_wall_ms ? intent->until_wall_ms - from_wall_ms : 0;
        // Zero means no end, so an end at zero is one at 1.
        intent->until_ms = now_ms + left_ms > 0 ? now_ms + left_ms : 1;
    }
    if (in_future && timed) {
        intent_to_wall(intent, now_ms, now_wall_ms);
    }
    return in_future && timed;
}

bool intent_is_timed(const struct intent *intent)
{
    return intent->kind != INTENT_AUTO && (intent->until_ms != 0 || intent->grace_ms != 0);
}
