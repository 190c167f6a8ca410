// Certificates made on the spot: an authority, intermediates, leaves that are good or bad in one
// way, and OCSP responses about them. Keys are EC P-256.
#pragma once

#include "tests/lab/lab.h"

struct lab_cert;

struct lab_cert_options {
    const char *name;         // the subject's CN
    const char *names;        // subjectAltName as openssl.cnf has it: "DNS:a.example, IP:192.0.2.1"
    struct lab_cert *issuer;  // NULL: self-signed
    bool authority;           // may sign others
    int64_t begins_s, ends_s; // from now; both 0: an hour ago, and in 90 days
};

// Lives until lab_clear().
struct lab_cert *lab_cert(const struct lab_cert_options *options);

// Writes certificates, one after the other, or a key, as PEM into a file of the node's directory.
void lab_cert_write(struct lab_node *node, const char *file, struct lab_cert *const certs[]);
#define LAB_CERTS(...) ((struct lab_cert *const[]){__VA_ARGS__, NULL})
void lab_cert_write_key(struct lab_node *node, const char *file, const struct lab_cert *cert);

// Writes the issuer's OCSP response about cert (DER), good from begins_s to ends_s from now, or
// telling that it is revoked. signer: NULL for the issuer, or another who has no right to.
struct lab_ocsp {
    bool revoked;
    int64_t begins_s, ends_s;
    struct lab_cert *signer;
};
void lab_cert_write_ocsp(struct lab_node *node, const char *file, struct lab_cert *cert,
                         const struct lab_ocsp *ocsp);

// The pin of its key, "sha256//..."; returns out.
#define LAB_PIN_MAX 64
const char *lab_cert_pin(const struct lab_cert *cert, char out[LAB_PIN_MAX]);

// The certificate itself, for tests that need no server.
struct x509_st *lab_cert_x509(const struct lab_cert *cert);
