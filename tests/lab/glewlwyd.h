// Glewlwyd, an OAuth 2.0 and OpenID Connect server of Debian, with one client that may use the
// client credentials grant.
#pragma once

#include "tests/lab/lab.h"
#include "tests/lab/mint.h"

#define LAB_GLEWLWYD_ISSUER "https://id.example.net"
#define LAB_GLEWLWYD_CLIENT "probe"
#define LAB_GLEWLWYD_SECRET "s3cret"

struct lab_glewlwyd;

// Serves http://ADDRESS:port/api/oidc/token, /jwks and /introspect, on every address of the node.
// Tokens are signed by key, live for 10 minutes, have the requested scope (`probe` is granted) as
// `scope` and `aud`, and region as the claim `region`. Waits till it serves.
struct lab_glewlwyd *lab_glewlwyd_start(struct lab_node *node, uint16_t port, const json_t *key,
                                        const char *region);

// The region of the client's next tokens.
void lab_glewlwyd_set_region(struct lab_glewlwyd *glewlwyd, const char *region);

// Signs with another key, and publishes that one only: restarts it, and waits till it serves.
void lab_glewlwyd_rotate(struct lab_glewlwyd *glewlwyd, const json_t *key);

// Once more, after lab_kill() too; waits till it serves.
void lab_glewlwyd_restart(struct lab_glewlwyd *glewlwyd);

// To kill or to stop it.
struct lab_process *lab_glewlwyd_process(struct lab_glewlwyd *glewlwyd);
