// A token issuer of our own that misbehaves when told to: for what no real one can be made to do.
//
// http://ADDRESS:PORT/token, /keys, /introspect and /protected, for the client `probe` with the
// secret `s3cret`. Its tokens are for LAB_CHECK_ID and LAB_CHECK_REGION (tests/lab/check.h).
#pragma once

#include "tests/lab/lab.h"

struct lab_issuer;

enum lab_issuer_path {
    LAB_ISSUER_TOKEN,
    LAB_ISSUER_KEYS,
    LAB_ISSUER_INTROSPECT,
    LAB_ISSUER_PROTECTED,
    LAB_ISSUER_PATHS
};

enum lab_issuer_mode {
    LAB_ISSUER_GOOD,
    // Whatever is asked for:
    LAB_ISSUER_500,
    LAB_ISSUER_EMPTY,
    LAB_ISSUER_GARBAGE,
    LAB_ISSUER_HUGE,    // 50 MiB
    LAB_ISSUER_DRIP,    // a byte at a time, for ever
    LAB_ISSUER_LOOP,    // redirects to itself
    LAB_ISSUER_REFUSES, // 401; an introspection calls the token inactive
    LAB_ISSUER_ECHO,    // 400, and the request as the error
    // Of tokens only:
    LAB_ISSUER_ALG_NONE,
    LAB_ISSUER_HMAC, // with the public key for its secret
    LAB_ISSUER_WRONG_KID,
    LAB_ISSUER_WRONG_KEY, // under the right kid
    LAB_ISSUER_EXPIRED,
    LAB_ISSUER_FUTURE,
    LAB_ISSUER_WRONG_ISSUER,
    LAB_ISSUER_WRONG_AUDIENCE,
    LAB_ISSUER_WRONG_REGION,
    LAB_ISSUER_NO_SCOPE,
    LAB_ISSUER_OPAQUE, // no JWT at all
};

struct lab_issuer *lab_issuer_start(struct lab_node *node, const char *address, uint16_t port);

// From the next request on.
void lab_issuer_set(struct lab_issuer *issuer, enum lab_issuer_path path,
                    enum lab_issuer_mode mode);

// Signs with a new key from now on, and publishes that one only.
void lab_issuer_rotate(struct lab_issuer *issuer);

// How many requests for the path there were.
size_t lab_issuer_asked(struct lab_issuer *issuer, enum lab_issuer_path path);

// A token as /token gives it now; the caller frees it.
char *lab_issuer_token(struct lab_issuer *issuer);

// Nothing listens any more, until it recovers.
void lab_issuer_crash(struct lab_issuer *issuer);
void lab_issuer_recover(struct lab_issuer *issuer);
