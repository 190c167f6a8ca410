// What is made of a certificate, a handshake and a stapled OCSP response.
#include "probes/tls_peer.h"

#include "tests/test.h"
#include "tests/unit/first_error.h"
#include "tests/unit/issued.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/param_build.h>
#include <openssl/ssl.h>

#define NOW ((time_t)1900000000) // 2030-03-17

// ---- Certificates

TEST(a_certificate_is_read)
{
    struct certificate seen;
    struct issued ca = issue("Root", NULL, NULL);
    struct issued leaf = issue("dns", "DNS:a.example,IP:192.0.2.7,IP:2001:db8::1,email:x@y.z", &ca);
    certificate_read(leaf.x509, &seen);
    assert_string_equal(seen.subject, "CN=dns");
    assert_string_equal(seen.issuer, "CN=Root");
    assert_string_equal(seen.names, "a.example, 192.0.2.7, 2001:db8::1");
    assert_int_equal(seen.not_after - seen.not_before, 3651 * DAY_S);
    assert_false(seen.self_issued);
    certificate_read(ca.x509, &seen);
    assert_true(seen.self_issued);
    assert_string_equal(seen.names, "");
    issued_drop(&leaf);
    issued_drop(&ca);
}

TEST(many_names_are_cut_and_odd_ones_made_printable)
{
    struct certificate seen;
    char names[1024] = "DNS:name0.example";
    for (int i = 1; i < 30; i++) {
        snprintf(names + strlen(names), sizeof names - strlen(names), ",DNS:name%d.example", i);
    }
    struct issued leaf = issue("a\x1b[31mb", names, NULL);
    certificate_read(leaf.x509, &seen);
    assert_string_equal(seen.names + strlen(seen.names) - 3, "...");
    assert_null(strchr(seen.subject, '\x1b'));
    issued_drop(&leaf);
}

TEST(a_pin_is_written_as_it_is_read)
{
    uint8_t pin[PIN_SIZE];
    uint8_t back[PIN_SIZE];
    char text[PIN_TEXT_MAX];
    for (size_t i = 0; i < sizeof pin; i++) {
        pin[i] = (uint8_t)(7 * i);
    }
    assert_true(pin_parse(pin_text(pin, text), back));
    assert_memory_equal(pin, back, sizeof pin);
    static const char *const wrong[] = {
        "",
        "sha256//",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==",
        "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "sha256//AAAAAAAAAAAAAAAAAAAAAAAAA*AAAAAAAAAAAAAAAAA=",
        "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=A",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_false(pin_parse(wrong[i], back));
    }
}

TEST(a_span_is_told_in_its_largest_unit)
{
    char text[SPAN_TEXT_MAX];
    assert_string_equal(span_text(0, text), "0 seconds");
    assert_string_equal(span_text(1, text), "1 second");
    assert_string_equal(span_text(119, text), "119 seconds");
    assert_string_equal(span_text(120, text), "2 minutes");
    assert_string_equal(span_text(7200, text), "2 hours");
    assert_string_equal(span_text(2 * DAY_S - 1, text), "47 hours");
    assert_string_equal(span_text(41 * DAY_S, text), "41 days");
}

// ---- A finished handshake

struct handshake {
    struct tls_options options;
    struct tls_alpn alpn;
    struct tls_peer peer;
};

static void finished(struct handshake *out)
{
    *out = (struct handshake){.options.min_version = TLS_1_2};
    out->peer = (struct tls_peer){
        .options = &out->options,
        .alpn = &out->alpn,
        .name = "dns.example.net",
        .started = true,
        .finished = true,
        .verified = true,
        .alert = -1,
        .version = "TLSv1.3",
        .cipher = "TLS_AES_256_GCM_SHA384",
        .leaf = {.subject = "CN=dns.example.net",
                 .issuer = "CN=Intermediate",
                 .names = "dns.example.net",
                 .not_before = NOW - DAY_S,
                 .not_after = NOW + 41 * DAY_S},
    };
}

static void assert_finding(const struct finding *finding, enum verdict_kind kind, const char *code,
                           const char *cause_part)
{
    if (finding->kind != kind || strcmp(finding->code, code) != 0 ||
        strstr(finding->cause, cause_part) == NULL) {
        fail_msg("%s (%s): %s", verdict_name(finding->kind), finding->code, finding->cause);
    }
}

static void assert_judged(const struct handshake *handshake, enum verdict_kind kind,
                          const char *code, const char *cause_part)
{
    struct finding finding;
    tls_peer_judge(&handshake->peer, NOW, &finding);
    assert_finding(&finding, kind, code, cause_part);
}

TEST(a_good_handshake_says_what_was_negotiated)
{
    struct handshake handshake;
    finished(&handshake);
    assert_judged(&handshake, VERDICT_PASS, "ok",
                  "TLSv1.3 TLS_AES_256_GCM_SHA384, expires 2030-04-27 (41 days), "
                  "issuer CN=Intermediate");
}

TEST(thresholds_are_met_to_the_second)
{
    struct handshake handshake;
    finished(&handshake);
    handshake.options.min_days = 41;
    handshake.options.fail_days = 7;
    assert_judged(&handshake, VERDICT_PASS, "ok", "41 days");
    handshake.peer.leaf.not_after--;
    assert_judged(&handshake, VERDICT_DEGRADED, "expiring",
                  "expires in 40 days, on 2030-04-27, min_days is 41");
    handshake.peer.leaf.not_after = NOW + 7 * DAY_S;
    assert_judged(&handshake, VERDICT_DEGRADED, "expiring", "expires in 7 days");
    handshake.peer.leaf.not_after--;
    assert_judged(&handshake, VERDICT_FAIL, "expiring", "fail_days is 7");
}

TEST(the_certificate_of_a_chain_that_ends_first_is_what_counts)
{
    struct handshake handshake;
    finished(&handshake);
    handshake.options.min_days = 20;
    assert_judged(&handshake, VERDICT_PASS, "ok", "expires 2030-04-27 (41 days)");
    handshake.peer.first = (struct certificate){
        .subject = "CN=Intermediate", .issuer = "CN=Root", .not_after = NOW + 19 * DAY_S};
    assert_judged(&handshake, VERDICT_DEGRADED, "expiring",
                  "intermediate certificate expires in 19 days, on 2030-04-05, min_days is 20 "
                  "(CN=Intermediate, issuer CN=Root)");
    handshake.options.min_days = 0;
    assert_judged(&handshake, VERDICT_PASS, "ok", "expires 2030-04-27 (41 days)");
}

TEST(fail_days_above_min_days_are_refused)
{
    char error[ERROR_MAX] = "";
    struct probe_problems problems = {first_error_say, error};
    struct tls_options options = {.min_days = 7, .fail_days = 7};
    tls_options_check(&options, true, &problems);
    options = (struct tls_options){.fail_days = 8};
    tls_options_check(&options, true, &problems);
    assert_string_equal(error, "");
    options.min_days = 7;
    tls_options_check(&options, true, &problems);
    assert_non_null(strstr(error, "fail_days is 8, more than min_days (7)"));
}

TEST(one_pin_of_several_is_enough)
{
    struct handshake handshake;
    finished(&handshake);
    memset(handshake.peer.leaf.pin, 7, PIN_SIZE);
    handshake.options.pins.count = 2;
    assert_judged(&handshake, VERDICT_FAIL, "pin", "sha256//BwcHBwcHBwcH");
    memset(handshake.options.pins.digest[1], 7, PIN_SIZE);
    assert_judged(&handshake, VERDICT_PASS, "ok", "");
    handshake.options.pins.count = 1;
    assert_judged(&handshake, VERDICT_FAIL, "pin", "not pinned");
}

TEST(no_protocol_fails_if_one_is_wanted)
{
    struct handshake handshake;
    char error[ERROR_MAX];
    finished(&handshake);
    assert_int_equal(tls_parse_alpn("h2", &handshake.alpn, error), 0);
    assert_int_equal(tls_parse_alpn("http/1.1", &handshake.alpn, error), 0);
    assert_int_equal(handshake.alpn.length, 12);
    assert_memory_equal(handshake.alpn.wire, "\x02h2\x08http/1.1", 12);
    assert_judged(&handshake, VERDICT_FAIL, "alpn", "chose none of the ALPN protocols h2 http/1.1");
    snprintf(handshake.peer.protocol, sizeof handshake.peer.protocol, "h2");
    assert_judged(&handshake, VERDICT_PASS, "ok", "");
    assert_int_equal(tls_parse_alpn("h2,http/1.1", &handshake.alpn, error), -1);
    assert_non_null(strstr(error, "white space, not commas"));
    struct tls_alpn full = {.length = TLS_ALPN_MAX - 3};
    assert_int_equal(tls_parse_alpn("abc", &full, error), -1);
    assert_int_equal(tls_parse_alpn("ab", &full, error), 0);
}

// ---- One that failed

static void assert_explained(struct handshake *handshake, int error, const char *code,
                             const char *cause_part)
{
    struct finding finding;
    handshake->peer.finished = handshake->peer.verified = false;
    handshake->peer.verify_error = error;
    tls_peer_explain(&handshake->peer, "", NOW, &finding);
    assert_finding(&finding, VERDICT_FAIL, code, cause_part);
}

TEST(a_wrong_chain_is_told_apart)
{
    struct handshake handshake;
    finished(&handshake);
    handshake.peer.wrong = handshake.peer.leaf;
    handshake.peer.sent = 1;
    handshake.peer.wrong.not_after = NOW - 3 * DAY_S;
    assert_explained(&handshake, X509_V_ERR_CERT_HAS_EXPIRED, "expired",
                     "certificate expired 3 days ago (CN=dns.example.net, issuer CN=Intermediate)");
    handshake.peer.wrong.not_before = NOW + 18000;
    assert_explained(&handshake, X509_V_ERR_CERT_NOT_YET_VALID, "not-yet-valid", "in 5 hours");
    assert_explained(&handshake, X509_V_ERR_HOSTNAME_MISMATCH, "name",
                     "certificate is for dns.example.net, not for dns.example.net");
    assert_explained(&handshake, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, "incomplete-chain",
                     "issuer CN=Intermediate not found");
    handshake.peer.sent = 2;
    assert_explained(&handshake, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, "unknown-ca",
                     "unknown CA: CN=Intermediate");
    assert_explained(&handshake, X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, "unknown-ca", "unknown CA");
    assert_explained(&handshake, X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, "self-signed",
                     "self-signed (CN=dns.example.net)");
    handshake.peer.verify_depth = 1;
    assert_explained(&handshake, X509_V_ERR_CERT_HAS_EXPIRED, "expired",
                     "intermediate certificate expired");
    assert_explained(&handshake, X509_V_ERR_INVALID_CA, "certificate",
                     "intermediate certificate: ");
}

TEST(an_alert_is_told_in_words)
{
    struct handshake handshake;
    char error[ERROR_MAX];
    finished(&handshake);
    handshake.peer.alert = SSL_AD_PROTOCOL_VERSION;
    assert_explained(&handshake, X509_V_OK, "version", "does not speak TLS 1.2 or later");
    handshake.peer.alert = SSL_AD_NO_APPLICATION_PROTOCOL;
    assert_int_equal(tls_parse_alpn("dot", &handshake.alpn, error), 0);
    assert_explained(&handshake, X509_V_OK, "alpn", "refuses the ALPN protocols dot");
    handshake.peer.alert = SSL_AD_UNRECOGNIZED_NAME;
    assert_explained(&handshake, X509_V_OK, "alert", "the alert 112, unrecognized name");
}

// OpenSSL passes over a HelloRequest (RFC 5246 section 7.4.1.1) in the middle of a handshake.
TEST(messages_without_end_end_the_handshake)
{
    static const unsigned char record[] = {SSL3_RT_HANDSHAKE,     3, 3, 0, 4,
                                           SSL3_MT_HELLO_REQUEST, 0, 0, 0};
    struct handshake handshake;
    struct finding finding;
    char error[256];
    finished(&handshake);
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    X509_STORE *store = X509_STORE_new();
    assert_true(tls_peer_attach(&handshake.peer, context, store, NULL));
    SSL *ssl = SSL_new(context);
    BIO *from_server = BIO_new(BIO_s_mem());
    SSL_set_bio(ssl, from_server, BIO_new(BIO_s_null()));
    for (int i = 0; i < 1000; i++) {
        BIO_write(from_server, record, sizeof record);
    }
    ERR_clear_error();
    assert_int_equal(SSL_get_error(ssl, SSL_connect(ssl)), SSL_ERROR_SSL);
    ERR_error_string_n(ERR_get_error(), error, sizeof error);
    tls_peer_explain(&handshake.peer, error, NOW, &finding);
    assert_finding(&finding, VERDICT_FAIL, "tls", "the server sends TLS messages without end");
    SSL_free(ssl);
    X509_STORE_free(store);
    SSL_CTX_free(context);
}

// ---- A handshake in memory

// What somebody did to the client's verification after it was set up.
enum tampering { LEFT_ALONE, SWITCHED_OFF, ANSWERED_FOR };

static int accept_all(int good, X509_STORE_CTX *context)
{
    (void)good;
    (void)context;
    return 1;
}

static SSL *server_of(SSL_CTX *context, const struct issued *leaf)
{
    assert_int_equal(SSL_CTX_use_certificate(context, leaf->x509), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(context, leaf->key), 1);
    SSL *ssl = SSL_new(context);
    assert_non_null(ssl);
    SSL_set_accept_state(ssl);
    return ssl;
}

// A server of that certificate, which a root in the client's store has issued, or another one.
struct opposite {
    const char *names;
    bool known;
    enum tampering tampering;
    EVP_PKEY *key;     // its own; NULL: one on P-256
    EVP_PKEY *more;    // of one more certificate that it sends; NULL: none
    const char *group; // of its Diffie-Hellman, which it then insists on; NULL: none
};

static void set_up_server(SSL_CTX *context, const struct opposite *opposite,
                          const struct issued *root)
{
    if (opposite->more != NULL) {
        EVP_PKEY_up_ref(opposite->more);
        struct issued more = issue_key(opposite->more, "more", NULL, root);
        assert_int_equal(SSL_CTX_add_extra_chain_cert(context, more.x509), 1); // takes it over
        EVP_PKEY_free(more.key);
    }
    if (opposite->group != NULL) {
        EVP_PKEY_CTX *maker = EVP_PKEY_CTX_new_from_name(NULL, "DH", NULL);
        OSSL_PARAM named[] = {OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME,
                                                               (char *)opposite->group, 0),
                              OSSL_PARAM_construct_end()};
        EVP_PKEY *group = NULL;
        assert_int_equal(EVP_PKEY_fromdata_init(maker), 1);
        assert_int_equal(EVP_PKEY_fromdata(maker, &group, EVP_PKEY_KEY_PARAMETERS, named), 1);
        EVP_PKEY_CTX_free(maker);
        assert_int_equal(SSL_CTX_set0_tmp_dh_pkey(context, group), 1);
        SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION);
        assert_int_equal(SSL_CTX_set_cipher_list(context, "DHE-RSA-AES128-GCM-SHA256"), 1);
    }
}

static void shake_hands_with(struct handshake *out, const struct opposite *opposite)
{
    struct issued root = issue("Root", NULL, NULL);
    struct issued other = issue("Another root", NULL, NULL);
    enum tampering tampering = opposite->tampering;
    EVP_PKEY *key = opposite->key;
    if (key != NULL) {
        EVP_PKEY_up_ref(key);
    }
    struct issued leaf = issue_key(key != NULL ? key : EVP_EC_gen("P-256"), "dns", opposite->names,
                                   opposite->known ? &root : &other);
    SSL_CTX *client_context = SSL_CTX_new(TLS_client_method());
    SSL_CTX *server_context = SSL_CTX_new(TLS_server_method());
    X509_STORE *store = X509_STORE_new();
    BIO *client_end, *server_end;
    assert_int_equal(X509_STORE_add_cert(store, root.x509), 1);
    finished(out);
    out->peer.started = out->peer.finished = out->peer.verified = false;
    out->peer.leaf.subject[0] = '\0';
    assert_true(tls_peer_attach(&out->peer, client_context, store, NULL));
    SSL *client = SSL_new(client_context);
    set_up_server(server_context, opposite, &root);
    SSL *server = server_of(server_context, &leaf);
    assert_int_equal(BIO_new_bio_pair(&client_end, 1 << 16, &server_end, 1 << 16), 1);
    SSL_set_bio(client, client_end, client_end);
    SSL_set_bio(server, server_end, server_end);
    SSL_set_connect_state(client);
    if (tampering != LEFT_ALONE) {
        SSL_set_verify(client, tampering == SWITCHED_OFF ? SSL_VERIFY_NONE : SSL_VERIFY_PEER,
                       tampering == ANSWERED_FOR ? accept_all : NULL);
    }
    for (int i = 0; i < 10; i++) { // more than the messages of any handshake
        (void)SSL_do_handshake(client);
        (void)SSL_do_handshake(server);
    }
    ERR_clear_error();
    SSL_free(client);
    SSL_free(server);
    X509_STORE_free(store);
    SSL_CTX_free(client_context);
    SSL_CTX_free(server_context);
    issued_drop(&leaf);
    issued_drop(&other);
    issued_drop(&root);
}

static void shake_hands(struct handshake *out, const char *names, bool known,
                        enum tampering tampering)
{
    shake_hands_with(out,
                     &(struct opposite){.names = names, .known = known, .tampering = tampering});
}

TEST(who_has_a_certificate_of_a_known_issuer_for_the_name_is_verified)
{
    struct handshake handshake;
    shake_hands(&handshake, "DNS:dns.example.net", true, LEFT_ALONE);
    assert_true(handshake.peer.finished);
    assert_true(handshake.peer.verified);
}

TEST(with_anybody_else_there_is_no_handshake)
{
    struct handshake handshake;
    shake_hands(&handshake, "DNS:dns.example.org", true, LEFT_ALONE);
    assert_false(handshake.peer.finished);
    assert_false(handshake.peer.verified);
    assert_int_equal(handshake.peer.verify_error, X509_V_ERR_HOSTNAME_MISMATCH);
    shake_hands(&handshake, "DNS:dns.example.net", false, LEFT_ALONE);
    assert_false(handshake.peer.finished);
    assert_false(handshake.peer.verified);
    assert_int_not_equal(handshake.peer.verify_error, X509_V_OK);
}

TEST(what_nobody_has_verified_is_not_called_verified)
{
    struct handshake handshake;
    static const char *const names[] = {"DNS:dns.example.net", "DNS:dns.example.org"};
    for (size_t i = 0; i < 2; i++) {
        for (unsigned known = 0; known < 2; known++) {
            shake_hands(&handshake, names[i], known, SWITCHED_OFF);
            assert_true(handshake.peer.finished);
            assert_false(handshake.peer.verified);
        }
    }
    shake_hands(&handshake, "DNS:dns.example.net", false, ANSWERED_FOR);
    assert_true(handshake.peer.finished);
    assert_false(handshake.peer.verified);
}

// ---- What a server may make us compute

static void assert_too_large(struct handshake *handshake, const char *cause_part)
{
    struct finding finding;
    assert_false(handshake->peer.finished);
    tls_peer_explain(&handshake->peer, "", NOW, &finding);
    assert_finding(&finding, VERDICT_FAIL, "too-large", cause_part);
}

TEST(a_group_that_costs_too_much_is_refused)
{
    struct handshake handshake;
    struct opposite opposite = {.names = "DNS:dns.example.net",
                                .known = true,
                                .key = EVP_RSA_gen(2048),
                                .group = "modp_8192"};
    shake_hands_with(&handshake, &opposite);
    assert_too_large(&handshake, "the server's Diffie-Hellman group has 8192 bits, more than");
    opposite.group = "modp_2048";
    shake_hands_with(&handshake, &opposite);
    assert_true(handshake.peer.verified);
    EVP_PKEY_free(opposite.key);
}

// An RSA key of which nobody knows the other half.
static EVP_PKEY *rsa_of(const char *kind, int bits, int exponent_bits)
{
    EVP_PKEY_CTX *maker = EVP_PKEY_CTX_new_from_name(NULL, kind, NULL);
    OSSL_PARAM_BLD *parts = OSSL_PARAM_BLD_new();
    BIGNUM *modulus = BN_new();
    BIGNUM *exponent = BN_new();
    EVP_PKEY *key = NULL;
    BN_set_word(modulus, 1);
    BN_set_bit(modulus, bits - 1);
    BN_set_word(exponent, 1);
    BN_set_bit(exponent, exponent_bits - 1);
    OSSL_PARAM_BLD_push_BN(parts, OSSL_PKEY_PARAM_RSA_N, modulus);
    OSSL_PARAM_BLD_push_BN(parts, OSSL_PKEY_PARAM_RSA_E, exponent);
    OSSL_PARAM *made = OSSL_PARAM_BLD_to_param(parts);
    assert_int_equal(EVP_PKEY_fromdata_init(maker), 1);
    assert_int_equal(EVP_PKEY_fromdata(maker, &key, EVP_PKEY_PUBLIC_KEY, made), 1);
    OSSL_PARAM_free(made);
    OSSL_PARAM_BLD_free(parts);
    BN_free(modulus);
    BN_free(exponent);
    EVP_PKEY_CTX_free(maker);
    return key;
}

TEST(keys_that_cost_too_much_are_refused_before_anything_is_verified)
{
    static const struct {
        const char *kind;
        int bits, exponent_bits;
        const char *cause_part; // NULL: it may
    } table[] = {{"RSA", 8192, 64, NULL},
                 {"RSA", 16384, 17, "a key of the server's certificates has 16384 bits, more than"},
                 {"RSA", 3072, 3000, "an exponent of 3000 bits, more than 64"},
                 {"RSA-PSS", 3072, 3000, "an exponent of 3000 bits, more than 64"}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct handshake handshake;
        struct opposite opposite = {
            .names = "DNS:dns.example.net",
            .known = true,
            .more = rsa_of(table[i].kind, table[i].bits, table[i].exponent_bits)};
        shake_hands_with(&handshake, &opposite);
        EVP_PKEY_free(opposite.more);
        if (table[i].cause_part == NULL) {
            assert_true(handshake.peer.verified);
        } else {
            assert_too_large(&handshake, table[i].cause_part);
            assert_string_equal(handshake.peer.leaf.subject, "");
        }
    }
}

TEST(more_certificates_than_any_chain_has_are_refused)
{
    char why[TLS_COSTLY_MAX];
    struct issued root = issue("Root", NULL, NULL);
    STACK_OF(X509) *sent = sk_X509_new_null();
    for (int i = 0; i < TLS_CERTIFICATES_MAX; i++) {
        sk_X509_push(sent, root.x509);
    }
    assert_true(tls_bounds_certificates(sent, why));
    sk_X509_push(sent, root.x509);
    assert_false(tls_bounds_certificates(sent, why));
    assert_string_equal(why, "the server sends 13 certificates, more than 12");
    sk_X509_free(sent);
    issued_drop(&root);
}

// ---- OCSP

struct ocsp {
    int status;
    int64_t begins_s, ends_s; // from the real now
    bool of_another;
    const struct issued *signer; // NULL: the issuer
    bool tells_no_end;
};

static void judge_ocsp(const struct ocsp *ocsp, struct finding *out)
{
    struct issued ca = issue("Root", NULL, NULL);
    struct issued leaf = issue("dns", NULL, &ca);
    const struct issued *signer = ocsp->signer != NULL ? ocsp->signer : &ca;
    struct issued other = issue("other", NULL, &ca);
    const struct issued *about = ocsp->of_another ? &other : &leaf;
    unsigned char *der = NULL;
    ASN1_TIME *begins = X509_gmtime_adj(NULL, (long)ocsp->begins_s);
    ASN1_TIME *ends = X509_gmtime_adj(NULL, (long)ocsp->ends_s);
    OCSP_BASICRESP *basic = OCSP_BASICRESP_new();
    OCSP_CERTID *id = OCSP_cert_to_id(EVP_sha256(), about->x509, ca.x509);
    assert_non_null(OCSP_basic_add1_status(
        basic, id, ocsp->status, 1, ocsp->status == V_OCSP_CERTSTATUS_REVOKED ? begins : NULL,
        begins, ocsp->tells_no_end ? NULL : ends));
    assert_int_equal(OCSP_basic_sign(basic, signer->x509, signer->key, EVP_sha256(), NULL, 0), 1);
    OCSP_RESPONSE *response = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic);
    int length = i2d_OCSP_RESPONSE(response, &der);
    assert_true(length > 0);
    X509_STORE *store = X509_STORE_new();
    STACK_OF(X509) *chain = sk_X509_new_null();
    X509_STORE_add_cert(store, ca.x509);
    sk_X509_push(chain, leaf.x509);
    sk_X509_push(chain, ca.x509);
    ocsp_judge(der, (size_t)length, chain, store, time(NULL), out);
    sk_X509_free(chain);
    X509_STORE_free(store);
    OPENSSL_free(der);
    OCSP_RESPONSE_free(response);
    OCSP_CERTID_free(id);
    OCSP_BASICRESP_free(basic);
    ASN1_TIME_free(begins);
    ASN1_TIME_free(ends);
    issued_drop(&other);
    issued_drop(&leaf);
    issued_drop(&ca);
}

static void assert_ocsp(const struct ocsp *ocsp, enum verdict_kind kind, const char *code,
                        const char *cause_part)
{
    struct finding finding;
    judge_ocsp(ocsp, &finding);
    assert_finding(&finding, kind, code, cause_part);
}

TEST(a_stapled_response_is_good_within_its_time)
{
    assert_ocsp(&(struct ocsp){.begins_s = -60, .ends_s = DAY_S}, VERDICT_PASS, "ok", "good");
    assert_ocsp(&(struct ocsp){.begins_s = -9 * DAY_S, .ends_s = -3 * DAY_S - 60}, VERDICT_FAIL,
                "ocsp", "stale: the next was due 3 days ago");
    assert_ocsp(&(struct ocsp){.begins_s = -DAY_S, .ends_s = -60}, VERDICT_PASS, "ok", "good");
    assert_ocsp(&(struct ocsp){.begins_s = 3 * DAY_S + 60, .ends_s = 9 * DAY_S}, VERDICT_FAIL,
                "ocsp", "from the future, by 3 days");
}

TEST(a_stapled_response_that_tells_no_end_has_one_all_the_same)
{
    assert_ocsp(&(struct ocsp){.begins_s = -9 * DAY_S, .tells_no_end = true}, VERDICT_PASS, "ok",
                "good");
    assert_ocsp(&(struct ocsp){.begins_s = -11 * DAY_S, .tells_no_end = true}, VERDICT_FAIL, "ocsp",
                "stale: it is 11 days old and tells of no next");
}

TEST(a_stapled_response_tells_of_a_revocation)
{
    assert_ocsp(
        &(struct ocsp){
            .status = V_OCSP_CERTSTATUS_REVOKED, .begins_s = -3 * DAY_S - 60, .ends_s = DAY_S},
        VERDICT_FAIL, "revoked", "revoked 3 days ago, says the OCSP response (keyCompromise)");
    assert_ocsp(&(struct ocsp){.status = V_OCSP_CERTSTATUS_UNKNOWN, .begins_s = -60, .ends_s = 60},
                VERDICT_FAIL, "ocsp", "does not know the certificate");
}

TEST(a_response_of_somebody_else_is_none)
{
    struct issued other = issue("Other", NULL, NULL);
    assert_ocsp(&(struct ocsp){.begins_s = -60, .ends_s = DAY_S, .signer = &other}, VERDICT_FAIL,
                "ocsp", "not signed by the certificate's issuer");
    assert_ocsp(&(struct ocsp){.begins_s = -60, .ends_s = DAY_S, .of_another = true}, VERDICT_FAIL,
                "ocsp", "about another certificate");
    issued_drop(&other);
}

TEST(rubbish_is_no_response)
{
    struct finding finding;
    struct issued leaf = issue("dns", NULL, NULL);
    STACK_OF(X509) *chain = sk_X509_new_null();
    sk_X509_push(chain, leaf.x509);
    ocsp_judge(NULL, 0, chain, NULL, NOW, &finding);
    assert_finding(&finding, VERDICT_FAIL, "ocsp", "no stapled OCSP response");
    ocsp_judge((const uint8_t *)"\x30\x03rub", 5, chain, NULL, NOW, &finding);
    assert_finding(&finding, VERDICT_FAIL, "ocsp", "can't be read");
    // responseStatus tryLater (3) and nothing else
    ocsp_judge((const uint8_t *)"\x30\x03\x0a\x01\x03", 5, chain, NULL, NOW, &finding);
    assert_finding(&finding, VERDICT_FAIL, "ocsp", "is an error: trylater");
    sk_X509_free(chain);
    issued_drop(&leaf);
}
