// See certificate.h.
#include "probes/certificate.h"

#include "probes/tls_bounds.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <inttypes.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ocsp.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#define PIN_PREFIX     "sha256//"
#define OCSP_LEEWAY_S  300                   // clocks differ
#define OCSP_AGE_MAX_S (10 * INT64_C(86400)) // as long as the CA/Browser Forum allows one to hold

// ---- Words

const char *span_text(int64_t seconds, char out[SPAN_TEXT_MAX])
{
    static const struct {
        int64_t seconds;
        const char *one;
    } units[] = {{86400, "day"}, {3600, "hour"}, {60, "minute"}, {1, "second"}};
    size_t unit = 0;
    while (unit < 3 && seconds < 2 * units[unit].seconds) {
        unit++;
    }
    int64_t count = seconds / units[unit].seconds;
    snprintf(out, SPAN_TEXT_MAX, "%" PRId64 " %s%s", count, units[unit].one, count == 1 ? "" : "s");
    return out;
}

const char *date_text(time_t when, char out[DATE_TEXT_MAX])
{
    struct tm parts;
    if (gmtime_r(&when, &parts) == NULL || strftime(out, DATE_TEXT_MAX, "%Y-%m-%d", &parts) == 0) {
        snprintf(out, DATE_TEXT_MAX, "?");
    }
    return out;
}

const char *pin_text(const uint8_t pin[PIN_SIZE], char out[PIN_TEXT_MAX])
{
    unsigned char base64[PIN_TEXT_MAX];
    EVP_EncodeBlock(base64, pin, PIN_SIZE);
    snprintf(out, PIN_TEXT_MAX, PIN_PREFIX "%.44s", (const char *)base64);
    return out;
}

bool pin_parse(const char *text, uint8_t out[PIN_SIZE])
{
    uint8_t decoded[PIN_SIZE + 1]; // OpenSSL counts the padding
    size_t prefix = strlen(PIN_PREFIX);
    if (strncmp(text, PIN_PREFIX, prefix) != 0 || strlen(text) != prefix + 44 ||
        text[prefix + 43] != '=' || text[prefix + 42] == '=') {
        return false;
    }
    if (EVP_DecodeBlock(decoded, (const unsigned char *)text + prefix, 44) != PIN_SIZE + 1) {
        return false;
    }
    memcpy(out, decoded, PIN_SIZE);
    return true;
}

// ---- Certificates

// A string that ends, whatever the certificate holds: what can't be printed becomes '?'.
static void make_printable(char *text)
{
    for (; *text; text++) {
        if (!isprint((unsigned char)*text)) {
            *text = '?';
        }
    }
}

static void name_text(const X509_NAME *name, char *out, size_t size)
{
    char text[1024];
    size_t length = 0;
    BIO *bio = BIO_new(BIO_s_mem());
    if (bio != NULL && X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253) >= 0) {
        int got = BIO_read(bio, text, sizeof text - 1);
        length = got > 0 ? (size_t)got : 0;
    }
    BIO_free(bio);
    text[length] = '\0';
    make_printable(text);
    snprintf(out, size, "%s", length ? text : "(no name)");
}

static time_t time_of(const ASN1_TIME *time)
{
    struct tm parts;
    return ASN1_TIME_to_tm(time, &parts) == 1 ? timegm(&parts) : 0;
}

static bool alternative_text(const GENERAL_NAME *name, char *out, size_t size)
{
    char address[INET6_ADDRSTRLEN];
    if (name->type == GEN_DNS) {
        snprintf(out, size, "%.*s", ASN1_STRING_length(name->d.dNSName),
                 (const char *)ASN1_STRING_get0_data(name->d.dNSName));
        make_printable(out);
        return true;
    }
    if (name->type != GEN_IPADD) {
        return false;
    }
    int family = ASN1_STRING_length(name->d.iPAddress) == 4 ? AF_INET : AF_INET6;
    if (family == AF_INET6 && ASN1_STRING_length(name->d.iPAddress) != 16) {
        return false;
    }
    snprintf(out, size, "%s",
             inet_ntop(family, ASN1_STRING_get0_data(name->d.iPAddress), address, sizeof address));
    return true;
}

static void read_names(const X509 *x509, char *out, size_t size)
{
    char one[256];
    size_t used = 0;
    GENERAL_NAMES *names = X509_get_ext_d2i(x509, NID_subject_alt_name, NULL, NULL);
    out[0] = '\0';
    for (int i = 0; i < sk_GENERAL_NAME_num(names) && used < size; i++) {
        if (alternative_text(sk_GENERAL_NAME_value(names, i), one, sizeof one)) {
            used += (size_t)snprintf(out + used, size - used, "%s%s", used ? ", " : "", one);
        }
    }
    GENERAL_NAMES_free(names);
    if (used >= size) {
        memcpy(out + size - sizeof "...", "...", sizeof "...");
    }
}

static void read_pin(X509 *x509, uint8_t pin[PIN_SIZE])
{
    unsigned char *key = NULL;
    int length = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x509), &key);
    memset(pin, 0, PIN_SIZE);
    if (length > 0) {
        (void)EVP_Digest(key, (size_t)length, pin, NULL, EVP_sha256(), NULL);
    }
    OPENSSL_free(key);
}

void certificate_read(X509 *x509, struct certificate *out)
{
    memset(out, 0, sizeof *out);
    name_text(X509_get_subject_name(x509), out->subject, sizeof out->subject);
    name_text(X509_get_issuer_name(x509), out->issuer, sizeof out->issuer);
    read_names(x509, out->names, sizeof out->names);
    out->not_before = time_of(X509_get0_notBefore(x509));
    out->not_after = time_of(X509_get0_notAfter(x509));
    out->self_issued = X509_NAME_cmp(X509_get_subject_name(x509), X509_get_issuer_name(x509)) == 0;
    read_pin(x509, out->pin);
    ERR_clear_error();
}

// ---- OCSP

struct ocsp_status {
    int status, reason; // V_OCSP_CERTSTATUS_...
    ASN1_GENERALIZEDTIME *revoked, *updated, *next;
};

// The responder may name the certificate by another digest than SHA-1, the usual one.
static bool find_status(OCSP_BASICRESP *basic, const X509 *leaf, const X509 *issuer,
                        struct ocsp_status *out)
{
    const EVP_MD *const digests[2] = {EVP_sha1(), EVP_sha256()};
    bool found = false;
    for (size_t i = 0; i < 2 && !found; i++) {
        OCSP_CERTID *id = OCSP_cert_to_id(digests[i], leaf, issuer);
        found = id != NULL && OCSP_resp_find_status(basic, id, &out->status, &out->reason,
                                                    &out->revoked, &out->updated, &out->next) == 1;
        OCSP_CERTID_free(id);
    }
    return found;
}

static void judge_status(const struct ocsp_status *status, time_t now, struct finding *out)
{
    char span[SPAN_TEXT_MAX];
    if (status->status == V_OCSP_CERTSTATUS_REVOKED) {
        finding_set(out, VERDICT_FAIL, "revoked",
                    "certificate revoked %s ago, says the OCSP response (%s)",
                    span_text(now - time_of(status->revoked), span),
                    status->reason >= 0 ? OCSP_crl_reason_str(status->reason) : "no reason given");
    } else if (status->status != V_OCSP_CERTSTATUS_GOOD) {
        finding_set(out, VERDICT_FAIL, "ocsp", "the OCSP responder does not know the certificate");
    } else if (time_of(status->updated) > now + OCSP_LEEWAY_S) {
        finding_set(out, VERDICT_FAIL, "ocsp", "stapled OCSP response is from the future, by %s",
                    span_text(time_of(status->updated) - now, span));
    } else if (status->next != NULL && time_of(status->next) < now - OCSP_LEEWAY_S) {
        finding_set(out, VERDICT_FAIL, "ocsp",
                    "stapled OCSP response is stale: the next was due %s ago",
                    span_text(now - time_of(status->next), span));
    } else if (status->next == NULL && time_of(status->updated) < now - OCSP_AGE_MAX_S) {
        finding_set(out, VERDICT_FAIL, "ocsp",
                    "stapled OCSP response is stale: it is %s old and tells of no next",
                    span_text(now - time_of(status->updated), span));
    } else {
        finding_set(out, VERDICT_PASS, "ok", "stapled OCSP response good");
    }
}

static void judge_basic(OCSP_BASICRESP *basic, STACK_OF(X509) * chain, X509_STORE *store,
                        time_t now, struct finding *out)
{
    struct ocsp_status status = {.status = V_OCSP_CERTSTATUS_UNKNOWN};
    const X509 *issuer = sk_X509_value(chain, sk_X509_num(chain) > 1 ? 1 : 0);
    char costly[TLS_COSTLY_MAX];
    if (!tls_bounds_certificates(OCSP_resp_get0_certs(basic), costly)) {
        finding_set(out, VERDICT_FAIL, "ocsp", "stapled OCSP response: %s", costly);
    } else if (OCSP_basic_verify(basic, chain, store, 0) != 1) {
        finding_set(out, VERDICT_FAIL, "ocsp",
                    "stapled OCSP response is not signed by the certificate's issuer");
    } else if (!find_status(basic, sk_X509_value(chain, 0), issuer, &status)) {
        finding_set(out, VERDICT_FAIL, "ocsp",
                    "stapled OCSP response is about another certificate");
    } else {
        judge_status(&status, now, out);
    }
}

void ocsp_judge(const uint8_t *response, size_t length, STACK_OF(X509) * chain, X509_STORE *store,
                time_t now, struct finding *out)
{
    const unsigned char *at = response;
    if (response == NULL || length == 0 || sk_X509_num(chain) < 1) {
        finding_set(out, VERDICT_FAIL, "ocsp", "no stapled OCSP response");
        return;
    }
    OCSP_RESPONSE *parsed = d2i_OCSP_RESPONSE(NULL, &at, (long)length);
    OCSP_BASICRESP *basic = parsed != NULL ? OCSP_response_get1_basic(parsed) : NULL;
    if (basic != NULL) {
        judge_basic(basic, chain, store, now, out);
    } else if (parsed != NULL) {
        finding_set(out, VERDICT_FAIL, "ocsp", "stapled OCSP response is an error: %s",
                    OCSP_response_status_str(OCSP_response_status(parsed)));
    } else {
        finding_set(out, VERDICT_FAIL, "ocsp", "stapled OCSP response can't be read");
    }
    OCSP_BASICRESP_free(basic);
    OCSP_RESPONSE_free(parsed);
    ERR_clear_error();
}
