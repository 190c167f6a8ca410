// See pki.h.
#include "tests/lab/pki.h"

#include "probes/certificate.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ocsp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOUR_S INT64_C(3600)

struct lab_cert {
    struct lab_cert *issuer;
    X509 *x509;
    EVP_PKEY *key;
};

static _Noreturn void give_up(const char *attempted)
{
    char why[256];

    ERR_error_string_n(ERR_get_error(), why, sizeof why);
    lab_fail("pki: %s: %s", attempted, why);
}

static void cert_end(void *arg)
{
    struct lab_cert *cert = arg;

    X509_free(cert->x509);
    EVP_PKEY_free(cert->key);
    free(cert);
}

static void set_name(X509_NAME *name, const char *text)
{
    if (X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)text, -1, -1,
                                   0) != 1) {
        give_up("name a certificate");
    }
}

static void add_extension(X509 *x509, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;

    X509V3_set_ctx(&context, issuer, x509, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    if (extension == NULL || X509_add_ext(x509, extension, -1) != 1) {
        give_up("add an extension");
    }
    X509_EXTENSION_free(extension);
}

static void set_time(ASN1_TIME *field, int64_t from_now_s)
{
    if (X509_gmtime_adj(field, (long)from_now_s) == NULL) {
        give_up("set a time");
    }
}

struct lab_cert *lab_cert(const struct lab_cert_options *options)
{
    static long serial = 1;
    struct lab_cert *cert = calloc(1, sizeof *cert);
    bool timed = options->begins_s != 0 || options->ends_s != 0;

    if (cert == NULL) {
        lab_fail("out of memory");
    }
    lab_at_clear(cert_end, cert);
    cert->issuer = options->issuer != NULL ? options->issuer : cert;
    cert->key = EVP_EC_gen("P-256");
    cert->x509 = X509_new();
    if (cert->key == NULL || cert->x509 == NULL) {
        give_up("make a key");
    }
    X509 *x509 = cert->x509;
    X509_set_version(x509, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(x509), serial++);
    set_time(X509_getm_notBefore(x509), timed ? options->begins_s : -HOUR_S);
    set_time(X509_getm_notAfter(x509), timed ? options->ends_s : INT64_C(90) * 24 * HOUR_S + 60);
    X509_set_pubkey(x509, cert->key);
    set_name(X509_get_subject_name(x509), options->name);
    X509_set_issuer_name(x509, X509_get_subject_name(cert->issuer->x509));
    add_extension(x509, cert->issuer->x509, NID_basic_constraints,
                  options->authority ? "critical,CA:TRUE" : "critical,CA:FALSE");
    add_extension(x509, cert->issuer->x509, NID_subject_key_identifier, "hash");
    if (options->names != NULL) {
        add_extension(x509, cert->issuer->x509, NID_subject_alt_name, options->names);
    }
    if (X509_sign(x509, cert->issuer->key, EVP_sha256()) == 0) {
        give_up("sign a certificate");
    }
    return cert;
}

static FILE *open_file(struct lab_node *node, const char *file)
{
    char path[LAB_PATH_MAX];
    FILE *out = fopen(lab_path(node, file, path), "we");

    if (out == NULL) {
        lab_fail("write %s", path);
    }
    return out;
}

void lab_cert_write(struct lab_node *node, const char *file, struct lab_cert *const certs[])
{
    FILE *out = open_file(node, file);

    for (size_t i = 0; certs[i] != NULL; i++) {
        if (PEM_write_X509(out, certs[i]->x509) != 1) {
            give_up("write a certificate");
        }
    }
    fclose(out);
}

void lab_cert_write_key(struct lab_node *node, const char *file, const struct lab_cert *cert)
{
    FILE *out = open_file(node, file);

    if (PEM_write_PrivateKey(out, cert->key, NULL, NULL, 0, NULL, NULL) != 1) {
        give_up("write a key");
    }
    fclose(out);
}

static OCSP_RESPONSE *ocsp_response(struct lab_cert *cert, const struct lab_ocsp *ocsp)
{
    struct lab_cert *signer = ocsp->signer != NULL ? ocsp->signer : cert->issuer;
    ASN1_TIME *begins = X509_gmtime_adj(NULL, (long)ocsp->begins_s);
    ASN1_TIME *ends = X509_gmtime_adj(NULL, (long)ocsp->ends_s);
    OCSP_BASICRESP *basic = OCSP_BASICRESP_new();
    OCSP_CERTID *id = OCSP_cert_to_id(NULL, cert->x509, cert->issuer->x509);

    if (OCSP_basic_add1_status(basic, id,
                               ocsp->revoked ? V_OCSP_CERTSTATUS_REVOKED : V_OCSP_CERTSTATUS_GOOD,
                               ocsp->revoked ? OCSP_REVOKED_STATUS_KEYCOMPROMISE : 0,
                               ocsp->revoked ? begins : NULL, begins, ends) == NULL ||
        OCSP_basic_sign(basic, signer->x509, signer->key, EVP_sha256(), NULL, 0) != 1) {
        give_up("make an OCSP response");
    }
    OCSP_RESPONSE *response = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic);
    OCSP_CERTID_free(id);
    OCSP_BASICRESP_free(basic);
    ASN1_TIME_free(begins);
    ASN1_TIME_free(ends);
    return response;
}

void lab_cert_write_ocsp(struct lab_node *node, const char *file, struct lab_cert *cert,
                         const struct lab_ocsp *ocsp)
{
    FILE *out = open_file(node, file);
    OCSP_RESPONSE *response = ocsp_response(cert, ocsp);
    unsigned char *der = NULL;
    int length = i2d_OCSP_RESPONSE(response, &der);

    if (length <= 0 || fwrite(der, 1, (size_t)length, out) != (size_t)length) {
        give_up("write an OCSP response");
    }
    OPENSSL_free(der);
    OCSP_RESPONSE_free(response);
    fclose(out);
}

const char *lab_cert_pin(const struct lab_cert *cert, char out[LAB_PIN_MAX])
{
    struct certificate seen;

    certificate_read(cert->x509, &seen);
    return pin_text(seen.pin, out);
}

struct x509_st *lab_cert_x509(const struct lab_cert *cert)
{
    return cert->x509;
}
