// Trust anchors: each CA file is read once, and again when it has changed, however many probes and
// handshakes use it. Files are looked at aside (probes/aside.h): a disk that does not answer keeps
// only those waiting who need one.
#pragma once

#include "probes/finding.h"

#include <uv.h>

struct x509_store_st;
struct trust_file;

// The files read so far. Zeroed but for the loop is empty.
struct trust {
    uv_loop_t *loop;
    struct trust_file *files;
};

// Who waits for a store. Zeroed but for the two of the owner nobody does.
struct trust_wait {
    void *owner;
    // store: the caller's own reference, which stays whole, until X509_STORE_free(), when the file
    // is read again. NULL, and problem is an `unknown` with the code "ca", when the file can't be
    // read or holds no certificate, or "local": that is our trouble, not the service's.
    void (*on_store)(void *owner, struct x509_store_st *store, const struct finding *problem);
    struct trust_wait *next, **link; // among those of a file
};

// Asks for the store of the PEM file at path ("": the system's anchors) as it is now: on_store
// follows once, at once or later, unless it is forgotten.
void trust_ask(struct trust *trust, const char *path, struct trust_wait *wait);
void trust_forget(struct trust_wait *wait);

// Nobody waits. What it has open closes by itself.
void trust_close(struct trust *trust);
