#include "controller/core/fate.h"

// What a drain changes.
enum { LISTS = 1, MED = 2, LOCAL_PREF = 4, PREPEND = 8 };

// The twin has the primary's communities too, and more of them or none.
static unsigned changes(const struct attributes *primary, const struct attributes *drain)
{
    bool lists = primary->communities_count != drain->communities_count ||
                 primary->large_communities_count != drain->large_communities_count ||
                 primary->ext_communities_count != drain->ext_communities_count;
    bool med = primary->has_med != drain->has_med || primary->med != drain->med;
    bool local_pref = primary->has_local_pref != drain->has_local_pref ||
                      primary->local_pref != drain->local_pref;
    return (lists ? LISTS : 0) | (med ? MED : 0) | (local_pref ? LOCAL_PREF : 0) |
           (primary->prepend != drain->prepend ? PREPEND : 0);
}

enum fate fate_of(const struct service_conf *service, const struct session *session, bool drained)
{
    const struct bird_bgp *bgp = &session->bgp;
    const struct attributes *attributes = drained ? &service->drain : &service->primary;
    if (!session->bgp_known || bgp->neighbor_as == 0 || bgp->local_as == 0) {
        return FATE_TAKEN;
    }
    bool internal = bgp->neighbor_as == bgp->local_as;
    if (internal && attributes->prepend > 0) {
        return FATE_DROPPED;
    }
    unsigned unsent = internal ? 0U : LOCAL_PREF;
    unsigned sent = changes(&service->primary, &service->drain) & ~unsent;
    if (!drained || (sent != 0 && (internal || sent != MED))) {
        return FATE_TAKEN;
    }
    return sent == 0 ? FATE_SAME : FATE_BY_FILTER;
}
