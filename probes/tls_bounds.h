// What a TLS server may make its clients compute: the sizes of keys and groups, and how many
// certificates. OpenSSL takes any that a server sends, up to ones that cost seconds of the
// processor; what is larger than this has no honest server, and is refused before it is computed
// with. Pure.
#pragma once

#include <stdbool.h>

#define TLS_GROUP_BITS_MAX    4096 // of a Diffie-Hellman group that the server made up: 30 ms
#define TLS_KEY_BITS_MAX      8192 // of a key in a certificate
#define TLS_EXPONENT_BITS_MAX 64   // RSA's public one
#define TLS_CERTIFICATES_MAX  12   // in one message
#define TLS_HELLOS_MAX        4    // one, one for another group, and as many when it begins anew

#define TLS_COSTLY_MAX 96

struct evp_pkey_st;
struct ssl_ctx_st;
struct stack_st_X509;

// The groups that may be negotiated. False when out of memory.
bool tls_bounds_set(struct ssl_ctx_st *ctx);

// Whether they stay within these bounds; if not, why says what does not.
bool tls_bounds_group(const struct evp_pkey_st *group, char why[TLS_COSTLY_MAX]);
bool tls_bounds_certificates(const struct stack_st_X509 *certificates, char why[TLS_COSTLY_MAX]);
