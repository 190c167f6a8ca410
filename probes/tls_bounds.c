// See tls_bounds.h.
#include "probes/tls_bounds.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdio.h>

// OpenSSL's own order, without the finite fields above 4096 bits.
#define GROUPS "X25519:P-256:X448:P-521:P-384:ffdhe2048:ffdhe3072:ffdhe4096"

bool tls_bounds_set(SSL_CTX *ctx)
{
    return SSL_CTX_set1_groups_list(ctx, GROUPS) == 1;
}

bool tls_bounds_group(const EVP_PKEY *group, char why[TLS_COSTLY_MAX])
{
    int bits = EVP_PKEY_get_bits(group);
    if (bits <= TLS_GROUP_BITS_MAX) {
        return true;
    }
    snprintf(why, TLS_COSTLY_MAX, "the server's Diffie-Hellman group has %d bits, more than %d",
             bits, TLS_GROUP_BITS_MAX);
    return false;
}

static int exponent_bits(const EVP_PKEY *key)
{
    BIGNUM *exponent = NULL;
    int bits = 0;
    bool is_rsa = EVP_PKEY_is_a(key, "RSA") || EVP_PKEY_is_a(key, "RSA-PSS");
    if (is_rsa && EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &exponent)) {
        bits = BN_num_bits(exponent);
    }
    BN_free(exponent);
    return bits;
}

static bool key_is_bounded(const EVP_PKEY *key, char why[TLS_COSTLY_MAX])
{
    int bits = EVP_PKEY_get_bits(key);
    if (bits > TLS_KEY_BITS_MAX) {
        snprintf(why, TLS_COSTLY_MAX,
                 "a key of the server's certificates has %d bits, more than %d", bits,
                 TLS_KEY_BITS_MAX);
        return false;
    }
    bits = exponent_bits(key);
    if (bits > TLS_EXPONENT_BITS_MAX) {
        snprintf(why, TLS_COSTLY_MAX,
                 "an RSA key of the server's has an exponent of %d bits, more than %d", bits,
                 TLS_EXPONENT_BITS_MAX);
        return false;
    }
    return true;
}

bool tls_bounds_certificates(const STACK_OF(X509) * certificates, char why[TLS_COSTLY_MAX])
{
    int count = sk_X509_num(certificates);
    if (count > TLS_CERTIFICATES_MAX) {
        snprintf(why, TLS_COSTLY_MAX, "the server sends %d certificates, more than %d", count,
                 TLS_CERTIFICATES_MAX);
        return false;
    }
    for (int i = 0; i < count; i++) {
        // One that can't be read is nobody's issuer.
        const EVP_PKEY *key = X509_get0_pubkey(sk_X509_value(certificates, i));
        if (key != NULL && !key_is_bounded(key, why)) {
            return false;
        }
    }
    return true;
}
