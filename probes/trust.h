// Trust anchors, as X509_STORE, kept for all handshakes (probes/kept.h).
#pragma once

#include "probes/kept.h"

// Of one PEM file. The code is "ca".
extern const struct kept_kind trust_kind;

// The file to read for the `ca` of a configuration: where that is "", the system's.
const char *trust_path(const char *ca);
