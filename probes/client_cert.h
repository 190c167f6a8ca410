// The certificate by which popgated itself is known to servers that ask for one (mutual TLS), with
// its key: `client_cert` and `client_key`.
//
// Promises: the key's file is trusted as any other secret's (probes/secret.h), its text is wiped
// once it is read, and no message has any of it. One that can't be used is our own trouble.
#pragma once

#include "probes/conf.h"
#include "probes/kept.h"

#include <time.h>

struct client_cert;
struct ssl_ctx_st;

// Of a PEM file with the certificate, and those that lead from it to the authority, and one with
// its key; both may be the same. The code is "client-cert".
extern const struct kept_kind client_cert_kind;

// False, and why is an `unknown`, when no server can take it at this time.
bool client_cert_is_valid(const struct client_cert *cert, time_t now, struct finding *why);

// Has ctx show it when asked. False when out of memory.
bool client_cert_use(const struct client_cert *cert, struct ssl_ctx_st *ctx);

// Says what is wrong with these files now, and that little time is left. All are warnings: they may
// be mended while popgated runs.
void client_cert_check(const struct kept_files *files, time_t now,
                       const struct probe_problems *problems);
