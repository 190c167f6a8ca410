// See transfer_verdict.h.
#include "probes/transfer_verdict.h"

void transfer_verdict(struct probe *probe, const struct transfer *transfer, transfer_judge judge)
{
    struct finding found = transfer->result;
    char what[TRANSFER_WHAT_MAX];
    probe_waited_for_ourselves(probe, transfer->waited_ns);
    if (transfer->peer.leaf.subject[0]) {
        probe_not_after(probe, tls_peer_first(&transfer->peer)->not_after);
    }
    if (found.kind != VERDICT_PASS) {
        probe_verdict(probe, found.kind, found.code, "%s", found.cause);
        return;
    }
    judge(transfer, &found);
    probe_verdict(probe, found.kind, found.code, "%s: %s", transfer_what(transfer, what),
                  found.cause);
}
