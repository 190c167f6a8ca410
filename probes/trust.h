// Trust anchors: each CA file is read once, and again when it has changed, however many probes and
// handshakes use it.
#pragma once

#include "probes/finding.h"

struct x509_store_st;
struct trust_file;

// The files read so far. Zeroed is empty.
struct trust {
    struct trust_file *files;
};

// The store of the PEM file at path ("": the system's anchors), the caller's own reference: it
// stays whole, until X509_STORE_free(), when the file is read again. NULL and an `unknown` with the
// code "ca" when it can't be read or holds no certificate: that is our trouble, not the service's.
struct x509_store_st *trust_store(struct trust *trust, const char *path, struct finding *out);

void trust_clear(struct trust *trust);
