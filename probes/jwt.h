// Is this JSON Web Token (RFC 7519, compact form) genuine, and is it the one that this PoP should
// get? Pure: token, key set, rules and the time go in, a judgement comes out; no I/O.
//
// The library is libjose: jansson and OpenSSL, which popgate has anyway, and no network code at
// all. librhonabwy would bring a second libcurl (of GnuTLS) into the process, and fetches keys that
// a token points to (jku, x5u) unless each call forbids it. What libjose lacks, EdDSA (RFC 8037),
// is one call of OpenSSL.
//
// Promises: only algorithms of the rules are believed, and those are all asymmetric. A key is used
// for nothing but its own kty, crv, alg and use, and only its public numbers reach the library:
// what a token says about keys in its header (jwk, jku, x5u, x5c) is never looked at. No cause has
// the token in it.
#pragma once

#include "base/keys.h"
#include "probes/finding.h"

#include <jansson.h>

#define JWT_MAX       16384 // bytes of a token
#define JWT_KEYS_MAX  64    // of a key set
#define JWT_WORDS_MAX 8     // of each list in the rules

struct jwt_words {
    char items[JWT_WORDS_MAX][KEY_TEXT_MAX];
    size_t count;
};

struct jwt_rules {
    unsigned algorithms; // set of jwt_algorithm_parse(); empty: all of them
    char issuer[KEY_TEXT_MAX], audience[KEY_TEXT_MAX]; // empty: any
    struct jwt_words scopes;                           // all must be there
    struct jwt_words claims;                           // NAME=VALUE, all must be so
    uint64_t leeway_ms;                                // for clocks that differ
    uint64_t min_lifetime_ms;                          // must be left
};

struct jwt_judgement {
    // pass or fail: ok, malformed, alg, kid, signature, iss, aud, exp, nbf, scope, claim. The cause
    // is about "the token": "audience is eu-west, this PoP expects eu-central".
    struct finding finding;
    bool newer_keys_may_help; // it failed for want of the right key only
};

// Reads a key set (JWKS, RFC 7517 section 5). The caller owns it (json_decref()). NULL, and error
// says what is wrong with it.
json_t *jwt_keys_parse(const char *text, size_t length, char error[ERROR_MAX]);

// Judges length bytes of token at now_s (seconds since 1970). keys are of jwt_keys_parse(), or
// NULL: then nothing is signed by a known key.
void jwt_judge(const struct jwt_rules *rules, const char *token, size_t length, const json_t *keys,
               int64_t now_s, struct jwt_judgement *out);

// When a token says that it expires (seconds since 1970), which nobody vouches for: enough to doubt
// a token, never to believe it. False: it does not say, or is no signed JWT.
bool jwt_read_exp(const char *token, size_t length, int64_t *out_s);

// parse() of struct key, for lists: into `unsigned`, a set of algorithms by their JOSE names (RFC
// 7518 section 3.1, RFC 8037); and into struct jwt_words, of any words or of NAME=VALUE only.
int jwt_algorithm_parse(const char *word, void *field, char error[ERROR_MAX]);
int jwt_word_parse(const char *word, void *field, char error[ERROR_MAX]);
int jwt_claim_parse(const char *word, void *field, char error[ERROR_MAX]);
