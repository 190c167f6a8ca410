// What becomes of a service's routes at a neighbour by the kind of the session, whatever BIRD is
// seen to export: some attributes are not sent to some, or make them drop the route. Pure.
#pragma once

#include "controller/core/sessions.h"

enum fate {
    FATE_TAKEN,     // as far as popgate can know
    FATE_DROPPED,   // an internal neighbour finds its own AS in the path (RFC 4271, 9.1.2)
    FATE_SAME,      // drained, it is sent just what it was sent before
    FATE_BY_FILTER, // drained, only the MED is other: sent if the export filter sets it (bird-facts
                    // 24)
};

// drained: of the drain twin. An unknown session takes everything.
enum fate fate_of(const struct service_conf *service, const struct session *session, bool drained);
