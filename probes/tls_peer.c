// See tls_peer.h.
#include "probes/tls_peer.h"

#include "probes/client_cert.h"
#include "probes/system_error.h"

#include <errno.h>
#include <inttypes.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#define DAY_S        86400
#define MESSAGES_MAX 200 // an honest server has some ten

const char *const tls_version_words[] = {"1.0", "1.1", "1.2", "1.3", NULL};
const char *const tls_ocsp_words[] = {"off", "require", NULL};

static const struct {
    int wire;
    const char *name;
} versions[] = {[TLS_1_0] = {TLS1_VERSION, "TLSv1.0"},
                [TLS_1_1] = {TLS1_1_VERSION, "TLSv1.1"},
                [TLS_1_2] = {TLS1_2_VERSION, "TLSv1.2"},
                [TLS_1_3] = {TLS1_3_VERSION, "TLSv1.3"}};

static const char *version_name(int wire)
{
    for (size_t i = 0; i < sizeof versions / sizeof *versions; i++) {
        if (versions[i].wire == wire) {
            return versions[i].name;
        }
    }
    return wire == SSL3_VERSION ? "SSLv3" : "an unknown version";
}

// ---- Keys

int tls_parse_pin(const char *value, void *field, char error[ERROR_MAX])
{
    struct tls_pins *pins = field;
    if (pins->count == TLS_PINS_MAX) {
        return error_say(error, "more than %d pins", TLS_PINS_MAX);
    }
    if (!pin_parse(value, pins->digest[pins->count])) {
        return error_say(
            error, "\"%.80s\" is not sha256// and the base64 of a public key's SHA-256", value);
    }
    pins->count++;
    return 0;
}

int tls_parse_alpn(const char *value, void *field, char error[ERROR_MAX])
{
    struct tls_alpn *alpn = field;
    size_t length = strlen(value);
    if (strchr(value, ',') != NULL) {
        return error_say(error, "\"%.40s\": white space, not commas, between protocols", value);
    }
    if (length > 255 || alpn->length + 1 + length > sizeof alpn->wire) {
        return error_say(error, "\"%.40s\" is more than fits: %d bytes in all", value,
                         TLS_ALPN_MAX);
    }
    alpn->wire[alpn->length] = (uint8_t)length;
    memcpy(alpn->wire + alpn->length + 1, value, length);
    alpn->length += 1 + length;
    return 0;
}

static void check_own(const struct tls_options *options, const struct probe_problems *problems)
{
    const struct kept_files files = {.paths = {options->client_cert, options->client_key}};
    const struct {
        const char *key, *path;
    } keys[] = {{"client_cert", options->client_cert}, {"client_key", options->client_key}};
    bool absolute = true;
    if (!options->client_cert[0] && !options->client_key[0]) {
        return;
    }
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        absolute = absolute && keys[i].path[0] == '/';
        if (!keys[i].path[0]) {
            probe_problem(problems, true, "%s is missing: %s is of no use without it", keys[i].key,
                          keys[1 - i].key);
        } else if (keys[i].path[0] != '/') {
            probe_check_file(problems, keys[i].key, keys[i].path);
        }
    }
    if (absolute) {
        client_cert_check(&files, time(NULL), problems);
    }
}

void tls_options_check(const struct tls_options *options, bool encrypted,
                       const struct probe_problems *problems)
{
    const struct {
        bool set;
        const char *key;
    } useless[] = {{options->ca[0] != '\0', "ca"},
                   {options->min_days > 0, "min_days"},
                   {options->fail_days > 0, "fail_days"},
                   {options->pins.count > 0, "pin"},
                   {options->ocsp == TLS_OCSP_REQUIRE, "ocsp"},
                   {options->client_cert[0] != '\0', "client_cert"}};
    for (size_t i = 0; !encrypted && i < sizeof useless / sizeof *useless; i++) {
        if (useless[i].set) {
            probe_problem(problems, false, "%s is of no use with http: nothing is encrypted",
                          useless[i].key);
        }
    }
    probe_check_file(problems, "ca", options->ca);
    check_own(options, problems);
    if (options->min_days > 0 && options->fail_days > options->min_days) {
        probe_problem(problems, true,
                      "fail_days is %" PRIu64 ", more than min_days (%" PRIu64
                      "): it would fail before it is degraded",
                      options->fail_days, options->min_days);
    }
}

// ---- What OpenSSL tells during the handshake

static int peer_index(void)
{
    static int index = -1;
    if (index < 0) {
        index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL);
    }
    return index;
}

static struct tls_peer *peer_of(const SSL *ssl)
{
    return SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), peer_index());
}

// What is too large is refused before anything is computed with it; the rest is OpenSSL's.
static int on_certificates(X509_STORE_CTX *context, void *arg)
{
    struct tls_peer *peer = arg;
    if (!tls_bounds_certificates(X509_STORE_CTX_get0_untrusted(context), peer->costly)) {
        X509_STORE_CTX_set_error(context, X509_V_ERR_CERT_CHAIN_TOO_LONG);
        return 0;
    }
    return X509_verify_cert(context);
}

typedef int (*security_cb)(const SSL *ssl, const SSL_CTX *ctx, int what, int bits, int nid,
                           void *other, void *arg);
static security_cb ordinary_security; // OpenSSL's, by the context's security level

static int on_security(const SSL *ssl, const SSL_CTX *ctx, int what, int bits, int nid, void *other,
                       void *arg)
{
    if (what == SSL_SECOP_TMP_DH && ssl != NULL && other != NULL &&
        !tls_bounds_group(other, peer_of(ssl)->costly)) {
        return 0;
    }
    return ordinary_security(ssl, ctx, what, bits, nid, other, arg);
}

// Called for each certificate of the chain, and for each thing that is wrong; the first one ends
// the handshake.
static int on_verify(int good, X509_STORE_CTX *context)
{
    const SSL *ssl = X509_STORE_CTX_get_ex_data(context, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct tls_peer *peer = peer_of(ssl);
    X509 *leaf = X509_STORE_CTX_get0_cert(context);
    X509 *wrong = X509_STORE_CTX_get_current_cert(context);
    if (leaf != NULL && !peer->leaf.subject[0]) {
        certificate_read(leaf, &peer->leaf);
        peer->sent = sk_X509_num(X509_STORE_CTX_get0_untrusted(context));
    }
    if (!good && peer->verify_error == X509_V_OK) {
        peer->verify_error = X509_STORE_CTX_get_error(context);
        peer->verify_depth = X509_STORE_CTX_get_error_depth(context);
        if (wrong != NULL) {
            certificate_read(wrong, &peer->wrong);
        }
    }
    return good;
}

static void read_ocsp(struct tls_peer *peer, SSL *ssl)
{
    unsigned char *response = NULL;
    long length = SSL_get_tlsext_status_ocsp_resp(ssl, &response);
    ocsp_judge(length > 0 ? response : NULL, length > 0 ? (size_t)length : 0,
               SSL_get0_verified_chain(ssl), SSL_CTX_get_cert_store(SSL_get_SSL_CTX(ssl)),
               time(NULL), &peer->ocsp);
}

static void read_first(struct tls_peer *peer, const STACK_OF(X509) * chain)
{
    X509 *first = sk_X509_value(chain, 0);
    for (int i = 1; i < sk_X509_num(chain); i++) {
        X509 *other = sk_X509_value(chain, i);
        if (ASN1_TIME_compare(X509_get0_notAfter(other), X509_get0_notAfter(first)) == -1) {
            first = other;
        }
    }
    if (first != sk_X509_value(chain, 0)) {
        certificate_read(first, &peer->first);
    }
}

static void read_finished(struct tls_peer *peer, SSL *ssl)
{
    const unsigned char *protocol = NULL;
    unsigned length = 0;
    peer->finished = true;
    peer->verified = (SSL_get_verify_mode(ssl) & SSL_VERIFY_PEER) != 0 &&
                     SSL_get_verify_result(ssl) == X509_V_OK && peer->leaf.subject[0];
    snprintf(peer->version, sizeof peer->version, "%s", version_name(SSL_version(ssl)));
    snprintf(peer->cipher, sizeof peer->cipher, "%s", SSL_get_cipher_name(ssl));
    SSL_get0_alpn_selected(ssl, &protocol, &length);
    snprintf(peer->protocol, sizeof peer->protocol, "%.*s", (int)length, (const char *)protocol);
    read_first(peer, SSL_get0_verified_chain(ssl));
    if (peer->options->ocsp == TLS_OCSP_REQUIRE) {
        read_ocsp(peer, ssl);
    }
    if (peer->on_finished != NULL) {
        peer->on_finished(peer->owner);
    }
}

static void on_info(const SSL *ssl, int where, int value)
{
    struct tls_peer *peer = peer_of(ssl);
    if (where & SSL_CB_HANDSHAKE_START) {
        peer->started = true;
    } else if ((where & SSL_CB_HANDSHAKE_DONE) && !peer->finished) {
        read_finished(peer, (SSL *)ssl); // OpenSSL's getters don't take a const one
    } else if ((where & SSL_CB_READ_ALERT) == SSL_CB_READ_ALERT && value >> 8 == SSL3_AL_FATAL) {
        peer->alert = value & 0xff;
    }
}

// OpenSSL reads on, and keeps the loop from all else, for as long as there come messages that it
// skips (HelloRequest) or only takes note of (session tickets), or that begin the handshake anew.
// After too many it finds nothing more to read from.
static void on_message(int sent, int version, int type, const void *bytes, size_t length, SSL *ssl,
                       void *arg)
{
    struct tls_peer *peer = peer_of(ssl);
    bool counts = !sent && (type == SSL3_RT_HANDSHAKE || type == SSL3_RT_ALERT);
    bool hello = counts && type == SSL3_RT_HANDSHAKE && length > 0 &&
                 *(const uint8_t *)bytes == SSL3_MT_SERVER_HELLO;
    (void)version, (void)arg;
    peer->messages += counts;
    peer->hellos += hello;
    if (counts && type == SSL3_RT_HANDSHAKE && length > 0) {
        peer->asked |= *(const uint8_t *)bytes == SSL3_MT_CERTIFICATE_REQUEST;
        peer->spoke |= *(const uint8_t *)bytes == SSL3_MT_NEWSESSION_TICKET;
    }
    peer->spoke |= peer->finished && !sent && type == SSL3_RT_INNER_CONTENT_TYPE &&
                   *(const uint8_t *)bytes == SSL3_RT_APPLICATION_DATA;
    if (peer->messages > MESSAGES_MAX || peer->hellos > TLS_HELLOS_MAX) {
        SSL_set0_rbio(ssl, NULL);
    }
}

static bool set_name(X509_VERIFY_PARAM *param, const char *name)
{
    // The subject's CN has been no host name for long (RFC 9525 section 2).
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT |
                                               X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return X509_VERIFY_PARAM_set1_ip_asc(param, name) == 1 ||
           X509_VERIFY_PARAM_set1_host(param, name, 0) == 1;
}

static bool set_versions(SSL_CTX *ctx, int min_version)
{
    // OpenSSL's default security level has no cipher for the versions before 1.2; whoever asks for
    // them knows what he does.
    if (min_version < TLS_1_2) {
        SSL_CTX_set_security_level(ctx, 0);
    }
    return SSL_CTX_set_min_proto_version(ctx, versions[min_version].wire) == 1 &&
           SSL_CTX_set_max_proto_version(ctx, 0) == 1;
}

bool tls_peer_attach(struct tls_peer *peer, SSL_CTX *ctx, X509_STORE *store,
                     const struct client_cert *own)
{
    *peer = (struct tls_peer){.options = peer->options,
                              .alpn = peer->alpn,
                              .name = peer->name,
                              .owner = peer->owner,
                              .on_finished = peer->on_finished,
                              .alert = -1};
    if (SSL_CTX_set_ex_data(ctx, peer_index(), peer) != 1) {
        return false;
    }
    SSL_CTX_set1_cert_store(ctx, store);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, on_verify);
    SSL_CTX_set_cert_verify_callback(ctx, on_certificates, peer);
    if (SSL_CTX_get_security_callback(ctx) != on_security) {
        ordinary_security = SSL_CTX_get_security_callback(ctx);
        SSL_CTX_set_security_callback(ctx, on_security);
    }
    SSL_CTX_set_info_callback(ctx, on_info);
    SSL_CTX_set_msg_callback(ctx, on_message);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    if (peer->options->ocsp == TLS_OCSP_REQUIRE) {
        SSL_CTX_set_tlsext_status_type(ctx, TLSEXT_STATUSTYPE_ocsp);
    }
    return tls_bounds_set(ctx) && (own == NULL || client_cert_use(own, ctx)) &&
           set_name(SSL_CTX_get0_param(ctx), peer->name) &&
           set_versions(ctx, peer->options->min_version) &&
           (peer->alpn == NULL || peer->alpn->length == 0 ||
            SSL_CTX_set_alpn_protos(ctx, peer->alpn->wire, (unsigned)peer->alpn->length) == 0);
}

// ---- What the server makes of our certificate

bool tls_peer_owes_word(const struct tls_peer *peer)
{
    return peer->finished && peer->asked && !peer->spoke && peer->alert < 0 &&
           strcmp(peer->version, version_name(TLS1_3_VERSION)) == 0;
}

bool tls_peer_refused_us(const struct tls_peer *peer)
{
    static const int alerts[] = {SSL_AD_BAD_CERTIFICATE,     SSL_AD_UNSUPPORTED_CERTIFICATE,
                                 SSL_AD_CERTIFICATE_REVOKED, SSL_AD_CERTIFICATE_EXPIRED,
                                 SSL_AD_CERTIFICATE_UNKNOWN, SSL_AD_UNKNOWN_CA,
                                 SSL_AD_ACCESS_DENIED,       SSL_AD_CERTIFICATE_REQUIRED};
    bool refused = false;
    for (size_t i = 0; i < sizeof alerts / sizeof *alerts; i++) {
        refused = refused || peer->alert == alerts[i];
    }
    // Before TLS 1.3 there is no better word for the want of one.
    bool wanted = peer->alert == SSL_AD_HANDSHAKE_FAILURE && !peer->options->client_cert[0];
    return peer->asked && (refused || wanted);
}

const char *tls_peer_shown_text(const struct tls_peer *peer, char out[TLS_SHOWN_MAX])
{
    const char *cert = peer->options->client_cert;
    out[0] = '\0';
    if (peer->asked) {
        snprintf(out, TLS_SHOWN_MAX, "; the server asked for a client certificate%s%.100s",
                 cert[0] ? ": it was shown " : ", and no client_cert is configured", cert);
    }
    return out;
}

static void explain_refusal(const struct tls_peer *peer, struct finding *out)
{
    const char *cert = peer->options->client_cert;
    // OpenSSL 3.0 has no word for the newest.
    const char *alert = peer->alert == SSL_AD_CERTIFICATE_REQUIRED
                            ? "certificate required"
                            : SSL_alert_desc_string_long(peer->alert);
    if (cert[0]) {
        finding_set(out, VERDICT_FAIL, "client-cert",
                    "the server refuses client_cert %.80s: alert %d, %s", cert, peer->alert, alert);
    } else {
        finding_set(out, VERDICT_FAIL, "client-cert",
                    "the server wants a client certificate, and no client_cert is configured: "
                    "alert %d, %s",
                    peer->alert, alert);
    }
}

// ---- After a finished handshake

static bool pin_matches(const struct tls_pins *pins, const struct certificate *leaf)
{
    for (size_t i = 0; i < pins->count; i++) {
        if (memcmp(pins->digest[i], leaf->pin, PIN_SIZE) == 0) {
            return true;
        }
    }
    return pins->count == 0;
}

static const char *alpn_text(const struct tls_alpn *alpn, char out[TLS_ALPN_MAX])
{
    size_t used = 0;
    out[0] = '\0';
    for (size_t at = 0; at < alpn->length; at += 1 + alpn->wire[at]) {
        used += (size_t)snprintf(out + used, TLS_ALPN_MAX - used, "%s%.*s", at ? " " : "",
                                 alpn->wire[at], (const char *)alpn->wire + at + 1);
    }
    return out;
}

// A pass, unless there is too little time left.
static void judge_days(const struct tls_peer *peer, time_t now, struct finding *out)
{
    const struct tls_options *options = peer->options;
    const struct certificate *first = tls_peer_first(peer);
    const char *what = first == &peer->leaf ? "certificate"
                       : first->self_issued ? "root certificate"
                                            : "intermediate certificate";
    int64_t left_s = first->not_after - now;
    char date[DATE_TEXT_MAX];
    char span[SPAN_TEXT_MAX];
    date_text(first->not_after, date);
    span_text(left_s, span);
    bool fails = left_s < (int64_t)options->fail_days * DAY_S;
    if (fails || left_s < (int64_t)options->min_days * DAY_S) {
        finding_set(out, fails ? VERDICT_FAIL : VERDICT_DEGRADED, "expiring",
                    "%s expires in %s, on %s, %s is %" PRIu64 " (%.60s, issuer %.60s)", what, span,
                    date, fails ? "fail_days" : "min_days",
                    fails ? options->fail_days : options->min_days, first->subject, first->issuer);
        return;
    }
    date_text(peer->leaf.not_after, date);
    span_text(peer->leaf.not_after - now, span);
    finding_set(out, VERDICT_PASS, "ok", "%s %s, expires %s (%s), issuer %.80s", peer->version,
                peer->cipher, date, span, peer->leaf.issuer);
}

void tls_peer_judge(const struct tls_peer *peer, time_t now, struct finding *out)
{
    char text[TLS_ALPN_MAX];
    char pin[PIN_TEXT_MAX];
    if (!pin_matches(&peer->options->pins, &peer->leaf)) {
        finding_set(out, VERDICT_FAIL, "pin", "the public key is %s, which is not pinned (%.80s)",
                    pin_text(peer->leaf.pin, pin), peer->leaf.subject);
    } else if (peer->alpn != NULL && peer->alpn->length > 0 && !peer->protocol[0]) {
        finding_set(out, VERDICT_FAIL, "alpn", "the server chose none of the ALPN protocols %s",
                    alpn_text(peer->alpn, text));
    } else if (peer->options->ocsp == TLS_OCSP_REQUIRE && peer->ocsp.kind != VERDICT_PASS) {
        *out = peer->ocsp;
    } else {
        judge_days(peer, now, out);
    }
}

// ---- After one that failed

static const char *which(const struct tls_peer *peer)
{
    return peer->verify_depth == 0   ? "certificate"
           : peer->wrong.self_issued ? "root certificate"
                                     : "intermediate certificate";
}

static void explain_time(const struct tls_peer *peer, time_t now, struct finding *out)
{
    const struct certificate *wrong = &peer->wrong;
    bool early = peer->verify_error == X509_V_ERR_CERT_NOT_YET_VALID;
    char span[SPAN_TEXT_MAX];
    int64_t off_s = early ? wrong->not_before - now : now - wrong->not_after;
    finding_set(out, VERDICT_FAIL, early ? "not-yet-valid" : "expired",
                early ? "%s not valid yet, only in %s (%.60s, issuer %.60s)"
                      : "%s expired %s ago (%.60s, issuer %.60s)",
                which(peer), span_text(off_s, span), wrong->subject, wrong->issuer);
}

static void explain_name(const struct tls_peer *peer, struct finding *out)
{
    finding_set(out, VERDICT_FAIL, "name", "certificate is for %s, not for %.60s (issuer %.40s)",
                peer->leaf.names[0] ? peer->leaf.names : "no host name at all", peer->name,
                peer->leaf.issuer);
}

static void explain_issuer(const struct tls_peer *peer, struct finding *out)
{
    if (peer->sent > 1 || peer->verify_depth > 0) {
        finding_set(out, VERDICT_FAIL, "unknown-ca",
                    "unknown CA: %.80s is not among the trusted ones (%.60s)", peer->wrong.issuer,
                    peer->leaf.subject);
    } else {
        finding_set(out, VERDICT_FAIL, "incomplete-chain",
                    "issuer %.60s not found: the server sends no intermediate certificate, or it "
                    "is an unknown CA (%.40s)",
                    peer->leaf.issuer, peer->leaf.subject);
    }
}

static void explain_verification(const struct tls_peer *peer, time_t now, struct finding *out)
{
    switch (peer->verify_error) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID:
        explain_time(peer, now, out);
        return;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        explain_name(peer, out);
        return;
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        finding_set(out, VERDICT_FAIL, "self-signed", "certificate is self-signed (%.80s)",
                    peer->leaf.subject);
        return;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
        explain_issuer(peer, out);
        return;
    case X509_V_ERR_OUT_OF_MEM:
        finding_error(out, -ENOMEM, "verify the certificate");
        return;
    default:
        finding_set(out, VERDICT_FAIL, "certificate", "%s: %s (%.60s, issuer %.60s)", which(peer),
                    X509_verify_cert_error_string(peer->verify_error), peer->wrong.subject,
                    peer->wrong.issuer);
    }
}

// Words of OpenSSL's and libcurl's that tell things apart which they don't number.
static const struct {
    const char *part, *code, *cause;
} texts[] = {
    {"Connection reset", "reset", "the connection was reset in the middle"},
    {"Broken pipe", "reset", "the connection was reset in the middle"},
    {"unexpected eof", "closed", "the server closed the connection in the middle"},
    {"SSL_ERROR_SYSCALL", "closed", "the server closed the connection in the middle"},
    {"wrong version number", "not-tls", "the server does not speak TLS"},
    {"packet length too long", "not-tls", "the server does not speak TLS"},
    {"http request", "not-tls", "the server does not speak TLS"},
    {"read bio not set", "tls", "the server sends TLS messages without end"},
};

static void explain_text(const char *error, struct finding *out)
{
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (strstr(error, texts[i].part) != NULL) {
            finding_set(out, VERDICT_FAIL, texts[i].code, "%s", texts[i].cause);
            return;
        }
    }
    finding_set(out, VERDICT_FAIL, "tls", "%s", error[0] ? error : "failed");
}

void tls_peer_explain(const struct tls_peer *peer, const char *error, time_t now,
                      struct finding *out)
{
    char text[TLS_ALPN_MAX];
    if (peer->costly[0]) {
        finding_set(out, VERDICT_FAIL, "too-large", "%s", peer->costly);
    } else if (peer->verify_error != X509_V_OK) {
        explain_verification(peer, now, out);
    } else if (tls_peer_refused_us(peer)) {
        explain_refusal(peer, out);
    } else if (peer->alert == SSL_AD_PROTOCOL_VERSION ||
               strstr(error, "unsupported protocol") != NULL) {
        finding_set(out, VERDICT_FAIL, "version", "the server does not speak TLS %s or later",
                    tls_version_words[peer->options->min_version]);
    } else if (peer->alert == SSL_AD_NO_APPLICATION_PROTOCOL && peer->alpn != NULL &&
               peer->alpn->length > 0) {
        finding_set(out, VERDICT_FAIL, "alpn", "the server refuses the ALPN protocols %s",
                    alpn_text(peer->alpn, text));
    } else if (peer->alert >= 0) {
        finding_set(out, VERDICT_FAIL, "alert", "the server ended it with the alert %d, %s",
                    peer->alert, SSL_alert_desc_string_long(peer->alert));
    } else {
        explain_text(error, out);
    }
}
