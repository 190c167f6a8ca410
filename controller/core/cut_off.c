#include "controller/core/cut_off.h"

#define SOON_MS 60000

// A second opinion and a third may be asked for before the service is withdrawn.
static uint64_t patience_ms(const struct probe_conf *probe)
{
    return SOON_MS + probe->fall * (probe->interval_ms + probe->timeout_ms);
}

bool cut_off_is_soon(const struct probe_conf *probe, uint64_t announced_ms)
{
    return announced_ms < patience_ms(probe);
}

bool cut_off_judge(struct cut_off *cut_off, const struct probe_conf *probe, const struct way *way,
                   const struct prefix *prefix, bool announced, uint64_t now_ms,
                   struct way *held_by)
{
    bool was_held = cut_off->state == CUT_OFF_HELD;
    if (way->kind == WAY_UNKNOWN || (was_held && announced)) {
        return false; // nothing was seen; or it is pinned, and its way is none that it has by
                      // itself
    }
    // Whoever is well again only long after the withdrawal was not cured by it.
    bool cured = !announced && now_ms - cut_off->since_ms < patience_ms(probe);
    bool held = way_is_covered(way, prefix) && (was_held || cured);
    if (held != was_held) {
        cut_off->since_ms = now_ms;
    }
    cut_off->state = held ? CUT_OFF_HELD : CUT_OFF_NOT;
    if (held) {
        *held_by = *way;
    }
    return held != was_held;
}
