// See client_cert.h.
#include "probes/client_cert.h"

#include "base/file.h"
#include "probes/certificate.h"
#include "probes/secret.h"
#include "probes/tls_bounds.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHAIN_SIZE_MAX (256 << 10)           // bytes
#define SOON_S         (14 * INT64_C(86400)) // or a quarter of its life, whichever is shorter

struct client_cert {
    unsigned holders; // on the loop; before and after that it is the reader's alone
    X509 *leaf;
    STACK_OF(X509) * chain;
    EVP_PKEY *key;
    struct certificate seen;
};

static void drop(void *thing)
{
    struct client_cert *cert = thing;
    if (--cert->holders > 0) {
        return;
    }
    X509_free(cert->leaf);
    sk_X509_pop_free(cert->chain, X509_free);
    EVP_PKEY_free(cert->key);
    free(cert);
}

static void hold(void *thing)
{
    ((struct client_cert *)thing)->holders++;
}

// ---- Reading; problems are told by the words of the configuration

static bool read_chain(struct client_cert *cert, const char *path, char problem[VERDICT_CAUSE_MAX])
{
    char error[ERROR_MAX];
    char *text = NULL;
    size_t length = 0;
    X509 *one;
    if (file_read(path, CHAIN_SIZE_MAX, &text, &length, error) != 0) {
        snprintf(problem, VERDICT_CAUSE_MAX, "read client_cert: %.200s", error);
        return false;
    }
    BIO *bio = BIO_new_mem_buf(text, (int)length);
    cert->leaf = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    cert->chain = sk_X509_new_null();
    while (cert->leaf != NULL && cert->chain != NULL &&
           (one = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
        if (sk_X509_push(cert->chain, one) == 0) {
            X509_free(one);
            break;
        }
    }
    // Whatever else ended it is no end.
    bool whole = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    BIO_free(bio);
    OPENSSL_cleanse(text, length); // the key may stand there too
    free(text);
    if (cert->leaf == NULL || !whole) {
        snprintf(problem, VERDICT_CAUSE_MAX, "read client_cert %.160s: %s", path,
                 cert->leaf == NULL ? "no PEM certificate in it"
                                    : "what follows its first certificate can't be read");
    }
    return cert->leaf != NULL && whole;
}

static int on_passphrase(char *out, int size, int writing, void *asked)
{
    (void)out, (void)size, (void)writing;
    *(bool *)asked = true;
    return -1;
}

static bool read_key(struct client_cert *cert, const char *path, char problem[VERDICT_CAUSE_MAX])
{
    char error[ERROR_MAX];
    struct secret secret = {.text = NULL};
    bool encrypted = false;
    if (secret_load_lines(&secret, path, error) != 0) {
        snprintf(problem, VERDICT_CAUSE_MAX, "read client_key %.220s", error);
        return false;
    }
    BIO *bio = BIO_new_mem_buf(secret.text, (int)secret.length);
    cert->key = PEM_read_bio_PrivateKey(bio, NULL, on_passphrase, &encrypted);
    BIO_free(bio);
    secret_drop(&secret);
    if (cert->key == NULL) {
        snprintf(problem, VERDICT_CAUSE_MAX, "read client_key %.160s: %s", path,
                 encrypted ? "it is encrypted, and popgated has no passphrase"
                           : "no private key in PEM in it");
    }
    return cert->key != NULL;
}

// OpenSSL says at once whether it will show it.
static bool is_usable(const struct client_cert *cert, char why[128])
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    bool usable = ctx != NULL && client_cert_use(cert, ctx);
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    snprintf(why, 128, "OpenSSL does not take it: %.90s",
             reason != NULL ? reason : "out of memory");
    SSL_CTX_free(ctx);
    return usable;
}

static bool is_pair(const struct client_cert *cert, const struct kept_files *files,
                    char problem[VERDICT_CAUSE_MAX])
{
    char why[128];
    int bits = EVP_PKEY_get_bits(cert->key);
    if (X509_check_private_key(cert->leaf, cert->key) != 1) {
        snprintf(problem, VERDICT_CAUSE_MAX,
                 "client_key %.80s is not the key of client_cert %.80s (%.40s)", files->paths[1],
                 files->paths[0], cert->seen.subject);
    } else if (bits > TLS_KEY_BITS_MAX) {
        snprintf(problem, VERDICT_CAUSE_MAX, "client_key %.160s has %d bits, more than %d",
                 files->paths[1], bits, TLS_KEY_BITS_MAX);
    } else if (!is_usable(cert, why)) {
        snprintf(problem, VERDICT_CAUSE_MAX, "client_cert %.110s: %.120s", files->paths[0], why);
    } else {
        return true;
    }
    return false;
}

static void *client_cert_read(const struct kept_files *files, char problem[VERDICT_CAUSE_MAX])
{
    struct client_cert *cert = calloc(1, sizeof *cert);
    bool good = false;
    if (cert == NULL) {
        snprintf(problem, VERDICT_CAUSE_MAX, "read client_cert %.160s: out of memory",
                 files->paths[0]);
        return NULL;
    }
    cert->holders = 1;
    // The key's file first: the other may be the same, and is then known to be trusted.
    if (read_key(cert, files->paths[1], problem) && read_chain(cert, files->paths[0], problem)) {
        certificate_read(cert->leaf, &cert->seen);
        good = is_pair(cert, files, problem);
    }
    if (!good) {
        drop(cert);
    }
    ERR_clear_error();
    return good ? cert : NULL;
}

const struct kept_kind client_cert_kind = {
    .code = "client-cert", .read = client_cert_read, .hold = hold, .drop = drop};

// ---- Use

bool client_cert_use(const struct client_cert *cert, SSL_CTX *ctx)
{
    return SSL_CTX_use_cert_and_key(ctx, cert->leaf, cert->key, cert->chain, 1) == 1;
}

bool client_cert_is_valid(const struct client_cert *cert, time_t now, struct finding *why)
{
    const struct certificate *seen = &cert->seen;
    bool early = now < seen->not_before;
    char span[SPAN_TEXT_MAX];
    if (!early && now <= seen->not_after) {
        return true;
    }
    span_text(early ? seen->not_before - now : now - seen->not_after, span);
    finding_set(why, VERDICT_UNKNOWN, "client-cert",
                early ? "client_cert is not valid yet, only in %s (%.60s, issuer %.60s)"
                      : "client_cert expired %s ago (%.60s, issuer %.60s)",
                span, seen->subject, seen->issuer);
    return false;
}

static void check_time(const struct client_cert *cert, const char *path, time_t now,
                       const struct probe_problems *problems)
{
    const struct certificate *seen = &cert->seen;
    int64_t quarter_s = (seen->not_after - seen->not_before) / 4;
    int64_t left_s = seen->not_after - now;
    struct finding why;
    char span[SPAN_TEXT_MAX];
    if (!client_cert_is_valid(cert, now, &why)) {
        probe_problem(problems, false, "%s, in %.80s: the verdict will be unknown", why.cause,
                      path);
    } else if (left_s < SOON_S && left_s < quarter_s) {
        probe_problem(problems, false, "client_cert %.120s expires in %s", path,
                      span_text(left_s, span));
    }
}

void client_cert_check(const struct kept_files *files, time_t now,
                       const struct probe_problems *problems)
{
    char problem[VERDICT_CAUSE_MAX];
    struct client_cert *cert = client_cert_read(files, problem);
    if (cert == NULL) {
        probe_problem(problems, false, "%s", problem);
        return;
    }
    check_time(cert, files->paths[0], now, problems);
    if (X509_check_purpose(cert->leaf, X509_PURPOSE_SSL_CLIENT, 0) != 1) {
        probe_problem(problems, false,
                      "client_cert %.160s is not for TLS clients (its key usage, RFC 5280 section "
                      "4.2.1.12)",
                      files->paths[0]);
    }
    drop(cert);
}
