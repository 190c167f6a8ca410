// Certificates made in memory, for tests of those who judge them or show them.
#pragma once

#include "tests/test.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>

#define DAY_S INT64_C(86400)

struct issued {
    X509 *x509;
    EVP_PKEY *key;
};

static inline void issued_extend(X509 *x509, int nid, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
    assert_non_null(extension);
    assert_int_equal(X509_add_ext(x509, extension, -1), 1);
    X509_EXTENSION_free(extension);
}

// From now.
static inline void issued_time(const struct issued *made, int64_t begins_s, int64_t ends_s)
{
    X509_gmtime_adj(X509_getm_notBefore(made->x509), (long)begins_s);
    X509_gmtime_adj(X509_getm_notAfter(made->x509), (long)ends_s);
}

// Signed by issuer (NULL: by itself), good from a day ago for ten years, as OCSP's own checks use
// the real clock. Takes the key over.
static inline struct issued issue_key(EVP_PKEY *key, const char *name, const char *names,
                                      const struct issued *issuer)
{
    static long serial = 1;
    struct issued made = {.x509 = X509_new(), .key = key};
    const struct issued *signer = issuer != NULL ? issuer : &made;
    assert_non_null(made.x509);
    assert_non_null(made.key);
    X509_set_version(made.x509, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(made.x509), serial++);
    issued_time(&made, -DAY_S, 3650 * DAY_S);
    X509_set_pubkey(made.x509, made.key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(made.x509), "CN", MBSTRING_UTF8,
                               (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(made.x509, X509_get_subject_name(signer->x509));
    issued_extend(made.x509, NID_basic_constraints,
                  issuer != NULL ? "CA:FALSE" : "critical,CA:TRUE");
    if (names != NULL) {
        issued_extend(made.x509, NID_subject_alt_name, names);
    }
    assert_true(X509_sign(made.x509, signer->key, EVP_sha256()) > 0);
    return made;
}

static inline struct issued issue(const char *name, const char *names, const struct issued *issuer)
{
    return issue_key(EVP_EC_gen("P-256"), name, names, issuer);
}

static inline void issued_drop(struct issued *issued)
{
    X509_free(issued->x509);
    EVP_PKEY_free(issued->key);
}
