// The verdict of a check that is one transfer.
#pragma once

#include "probes/probe.h"
#include "probes/transfer.h"

// What to make of an answer that came whole.
typedef void (*transfer_judge)(const struct transfer *transfer, struct finding *out);

// Ends the probe's check with what became of its transfer; judge is asked if there is an answer.
// What was attempted stands before what was found.
void transfer_verdict(struct probe *probe, const struct transfer *transfer, transfer_judge judge);
