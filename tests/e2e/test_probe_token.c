// The token probe sees what a client would: against Glewlwyd as it comes from Debian, and against
// an issuer of ours for what no real one can be made to do.
#include "tests/lab/check.h"
#include "tests/lab/glewlwyd.h"
#include "tests/lab/issuer.h"
#include "tests/lab/pki.h"
#include "tests/lab/service.h"

#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#define HOST "192.0.2.80"
#define AT   "http://" HOST ":8080"

static struct lab_node *node;
static struct lab_issuer *issuer;
static char keys_text[4096];

// A file of the node that only its owner may read; its path is valid until the next call.
static const char *private_file(const char *name, const char *text)
{
    static char path[LAB_PATH_MAX];

    lab_write(node, name, text);
    assert_int_equal(chmod(lab_path(node, name, path), 0600), 0);
    return path;
}

static void make_node(void)
{
    node = lab_node("id");
    lab_address_add(node, HOST "/32");
}

static void make_issuer(void)
{
    make_node();
    issuer = lab_issuer_start(node, HOST, 8080);
}

// All that the probe can ask for, but for the lines in more.
static const char *strict_keys(const char *more)
{
    snprintf(keys_text, sizeof keys_text,
             "type = token\ntoken_url = " AT "/token\nclient_id = probe\nsecret_file = %s\n"
             "jwks_url = " AT "/keys\nissuer = https://id.example.net\n"
             "audience = {pop.region}\nrequire_scope = probe\n"
             "claims = region={pop.region} pop={pop.id}\n%s",
             private_file("secret", "s3cret\n"), more);
    return keys_text;
}

#define EXPECT(kind, code, cause_part, more)                                                       \
    LAB_CHECK(node, VERDICT_##kind, (code), (cause_part), strict_keys(more))

// ---- A good issuer

LAB_TEST(a_good_token_passes)
{
    make_issuer();
    EXPECT(PASS, "ok",
           "token from " AT "/token: signed with ES256 by key kid=key-1, expires in 2 hours", "");
    EXPECT(PASS, "ok", "signed with ES256", "auth = post\n");
}

LAB_TEST(the_whole_path_of_a_service_account_passes)
{
    make_issuer();
    EXPECT(PASS, "ok", "signed with ES256",
           "introspection_url = " AT "/introspect\nprotected_url = " AT "/protected\n");
    assert_int_equal(lab_issuer_asked(issuer, LAB_ISSUER_INTROSPECT), 1);
    assert_int_equal(lab_issuer_asked(issuer, LAB_ISSUER_PROTECTED), 1);
}

LAB_TEST(an_inactive_or_refused_token_fails)
{
    make_issuer();
    lab_issuer_set(issuer, LAB_ISSUER_INTROSPECT, LAB_ISSUER_REFUSES);
    EXPECT(FAIL, "introspection", "/introspect", "introspection_url = " AT "/introspect\n");
    EXPECT(FAIL, "introspection", "the token is not active",
           "introspection_url = " AT "/introspect\n");
    lab_issuer_set(issuer, LAB_ISSUER_PROTECTED, LAB_ISSUER_REFUSES);
    EXPECT(FAIL, "protected", "status 401, expected 200", "protected_url = " AT "/protected\n");
    EXPECT(FAIL, "protected", "nothing listens there",
           "protected_url = http://" HOST ":81/protected\n");
    lab_issuer_set(issuer, LAB_ISSUER_INTROSPECT, LAB_ISSUER_GARBAGE);
    EXPECT(FAIL, "introspection", "not a JSON object", "introspection_url = " AT "/introspect\n");
}

// But for its end: that nobody has renewed the file tells nothing of the issuer.
LAB_TEST(a_given_token_is_judged_like_a_granted_one)
{
    char more[256];

    make_issuer();
    for (int expired = 0; expired < 2; expired++) {
        lab_issuer_set(issuer, LAB_ISSUER_TOKEN, expired ? LAB_ISSUER_EXPIRED : LAB_ISSUER_GOOD);
        char *token = lab_issuer_token(issuer);
        snprintf(more, sizeof more,
                 "type = token\ntoken_file = %s\njwks_url = " AT "/keys\naudience = {pop.region}\n",
                 private_file("token", token));
        free(token);
        if (expired) {
            LAB_CHECK(node, VERDICT_UNKNOWN, "exp", "token: expired 4 days ago", more);
        } else {
            LAB_CHECK(node, VERDICT_PASS, "ok", "signed with ES256", more);
        }
    }
    assert_int_equal(lab_issuer_asked(issuer, LAB_ISSUER_TOKEN), 0);
}

LAB_TEST(an_opaque_token_is_judged_by_those_who_know_it)
{
    char keys[512];

    make_issuer();
    lab_issuer_set(issuer, LAB_ISSUER_TOKEN, LAB_ISSUER_OPAQUE);
    EXPECT(FAIL, "malformed", "it is not a signed JWT", "");
    snprintf(keys, sizeof keys,
             "type = token\ntoken_url = " AT "/token\nclient_id = probe\nsecret_file = %s\n"
             "introspection_url = " AT "/introspect\n",
             private_file("secret", "s3cret"));
    LAB_CHECK(node, VERDICT_PASS, "ok", "accepted", keys);
}

// ---- A hostile one

LAB_TEST(a_bad_token_fails_and_says_what_is_wrong_with_it)
{
    static const struct {
        enum lab_issuer_mode mode;
        const char *code, *cause;
    } cases[] = {
        {LAB_ISSUER_ALG_NONE, "alg", "token from " AT "/token: signed with alg none, which is not"},
        {LAB_ISSUER_HMAC, "alg", "signed with alg HS256, which is not allowed"},
        {LAB_ISSUER_WRONG_KID, "kid", "its key kid=nobodys is none of the issuer's for ES256"},
        {LAB_ISSUER_WRONG_KEY, "signature", "its signature by key kid=key-1 does not verify"},
        {LAB_ISSUER_EXPIRED, "exp", "expired 4 days ago"},
        {LAB_ISSUER_FUTURE, "nbf", "not valid before 20"},
        {LAB_ISSUER_WRONG_ISSUER, "iss", "issuer is https://evil.example, this PoP expects https:"},
        {LAB_ISSUER_WRONG_AUDIENCE, "aud", "audience is eu-west, this PoP expects eu-central"},
        {LAB_ISSUER_WRONG_REGION, "claim", "region is eu-west, this PoP expects eu-central"},
        {LAB_ISSUER_NO_SCOPE, "scope", "scope lacks probe (it is other)"},
        {LAB_ISSUER_500, "http-status", "status 500, expected 200"},
        {LAB_ISSUER_EMPTY, "malformed", "the answer is empty"},
        {LAB_ISSUER_GARBAGE, "malformed", "the answer is not a JSON object"},
        {LAB_ISSUER_HUGE, "too-large", "body larger than 65536 bytes"},
        {LAB_ISSUER_LOOP, "http-status", "(redirects to http://" HOST ":8080/token, not followed)"},
        {LAB_ISSUER_REFUSES, "grant", "status 401, expected 200: invalid_client"},
    };

    make_issuer();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        lab_issuer_set(issuer, LAB_ISSUER_TOKEN, cases[i].mode);
        EXPECT(FAIL, cases[i].code, cases[i].cause, "");
    }
}

LAB_TEST(a_byte_at_a_time_is_a_timeout)
{
    make_issuer();
    lab_issuer_set(issuer, LAB_ISSUER_TOKEN, LAB_ISSUER_DRIP);
    EXPECT(FAIL, "timeout", "within 2000ms", "timeout = 2s\n");
}

LAB_TEST(a_crashed_issuer_refuses)
{
    make_issuer();
    lab_issuer_crash(issuer);
    EXPECT(FAIL, "refused", "connect to " HOST ":8080: nothing listens there", "");
    lab_issuer_recover(issuer);
    EXPECT(PASS, "ok", "", "");
}

LAB_TEST(a_wrong_secret_is_refused_by_the_issuer)
{
    make_issuer();
    strict_keys("");
    private_file("secret", "another");
    LAB_CHECK(node, VERDICT_FAIL, "grant",
              "status 401, expected 200: invalid_client; asked as client ", keys_text);
    LAB_CHECK(node, VERDICT_FAIL, "grant", "with the secret of /", keys_text);
}

// ---- The key set

LAB_TEST(a_key_set_that_cant_be_had_is_no_evidence)
{
    static const struct {
        enum lab_issuer_mode mode;
        const char *cause;
    } cases[] = {
        {LAB_ISSUER_500, "can't judge the token: GET " AT "/keys"},
        {LAB_ISSUER_EMPTY, "not JSON"},
        {LAB_ISSUER_GARBAGE, "not JSON"},
        {LAB_ISSUER_HUGE, "body larger than 65536 bytes"},
        {LAB_ISSUER_LOOP, "not followed"},
    };

    make_issuer();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        lab_issuer_set(issuer, LAB_ISSUER_KEYS, cases[i].mode);
        EXPECT(UNKNOWN, "jwks", cases[i].cause, "");
    }
    lab_issuer_set(issuer, LAB_ISSUER_KEYS, LAB_ISSUER_DRIP);
    EXPECT(UNKNOWN, "jwks", "in time", "timeout = 2s\n");
    EXPECT(UNKNOWN, "jwks", "nothing listens there", "jwks_target = " HOST ":81\n");
}

static void break_keys_after_the_first(void *arg, size_t i)
{
    (void)arg;
    if (i == 1) {
        lab_issuer_set(issuer, LAB_ISSUER_KEYS, LAB_ISSUER_500);
    }
}

LAB_TEST(a_cached_key_goes_on_to_verify)
{
    struct verdict verdicts[5];

    make_issuer();
    lab_check_times(node, strict_keys(""), 5, break_keys_after_the_first, NULL, verdicts);
    lab_assert_verdict(&verdicts[4], VERDICT_PASS, "ok", "kid=key-1");
    assert_int_equal(lab_issuer_asked(issuer, LAB_ISSUER_TOKEN), 5);
    assert_int_equal(lab_issuer_asked(issuer, LAB_ISSUER_KEYS), 1);
}

static void rotate_before_the_second(void *arg, size_t i)
{
    (void)arg;
    if (i == 1) {
        lab_issuer_rotate(issuer);
    }
}

LAB_TEST(a_rotated_key_is_fetched_at_once)
{
    struct verdict verdicts[3];

    make_issuer();
    lab_check_times(node, strict_keys(""), 3, rotate_before_the_second, NULL, verdicts);
    lab_assert_verdict(&verdicts[0], VERDICT_PASS, "ok", "kid=key-1");
    lab_assert_verdict(&verdicts[1], VERDICT_PASS, "ok", "kid=key-2");
    lab_assert_verdict(&verdicts[2], VERDICT_PASS, "ok", "kid=key-2");
    assert_int_equal(lab_issuer_asked(issuer, LAB_ISSUER_KEYS), 2);
}

static void rotate_and_break_keys(void *arg, size_t i)
{
    rotate_before_the_second(arg, i);
    break_keys_after_the_first(arg, i);
}

LAB_TEST(a_rotated_key_that_cant_be_had_is_no_evidence)
{
    struct verdict verdicts[4];

    make_issuer();
    lab_check_times(node, strict_keys(""), 4, rotate_and_break_keys, NULL, verdicts);
    for (size_t i = 1; i < 4; i++) {
        lab_assert_verdict(&verdicts[i], VERDICT_UNKNOWN, "jwks", "status 500, expected 200");
    }
}

LAB_TEST(keys_that_nobody_has_are_asked_for_once_only)
{
    struct verdict verdicts[8];

    make_issuer();
    lab_issuer_set(issuer, LAB_ISSUER_TOKEN, LAB_ISSUER_WRONG_KID);
    lab_check_times(node, strict_keys(""), 8, NULL, NULL, verdicts);
    // A failure is what a look at the keys of now says; between those, a second apart, it is
    // unknown.
    size_t failures = 0;
    for (size_t i = 0; i < 8; i++) {
        bool looked = i == 0 || verdicts[i].kind == VERDICT_FAIL;
        failures += looked;
        lab_assert_verdict(&verdicts[i], looked ? VERDICT_FAIL : VERDICT_UNKNOWN,
                           looked ? "kid" : "jwks", "kid=nobodys");
    }
    assert_true(failures < 8);
    assert_int_equal(lab_issuer_asked(issuer, LAB_ISSUER_KEYS), failures);
}

// ---- The secret

LAB_TEST(a_secret_that_cant_be_trusted_is_no_evidence)
{
    char path[LAB_PATH_MAX];

    make_issuer();
    strict_keys("");
    lab_path(node, "secret", path);
    chmod(path, 0644);
    LAB_CHECK(node, VERDICT_UNKNOWN, "secret", "secret: others may read it", keys_text);
    chmod(path, 0620);
    LAB_CHECK(node, VERDICT_UNKNOWN, "secret", "its group may write it", keys_text);
    chmod(path, 0640);
    LAB_CHECK(node, VERDICT_PASS, "ok", "", keys_text);
    unlink(path);
    LAB_CHECK(node, VERDICT_UNKNOWN, "secret", "No such file or directory", keys_text);
    assert_int_equal(lab_issuer_asked(issuer, LAB_ISSUER_TOKEN), 1);
}

LAB_TEST(an_issuer_that_sends_the_secret_back_does_not_reveal_it)
{
    make_issuer();
    lab_issuer_set(issuer, LAB_ISSUER_TOKEN, LAB_ISSUER_ECHO);
    struct verdict verdict = lab_check(node, strict_keys("auth = post\n"));
    lab_assert_verdict(&verdict, VERDICT_FAIL, "malformed", "so it is not shown");
}

LAB_TEST(a_systemd_credential_is_read)
{
    static const char keys[] =
        "type = token\ntoken_url = " AT "/token\nclient_id = probe\nsecret_credential = secret\n"
        "jwks_url = " AT "/keys\n";

    make_issuer();
    private_file("secret", "s3cret");
    LAB_CHECK(node, VERDICT_UNKNOWN, "secret", "there is no $CREDENTIALS_DIRECTORY", keys);
    setenv("CREDENTIALS_DIRECTORY", lab_dir(node), 1);
    LAB_CHECK(node, VERDICT_PASS, "ok", "", keys);
    unsetenv("CREDENTIALS_DIRECTORY");
}

static void change_secret(void *arg, size_t i)
{
    (void)arg;
    private_file("secret", i % 2 == 0 ? "s3cret" : "wrong");
}

LAB_TEST(a_changed_secret_is_read_again)
{
    struct verdict verdicts[4];

    make_issuer();
    lab_check_times(node, strict_keys(""), 4, change_secret, NULL, verdicts);
    for (size_t i = 0; i < 4; i++) {
        lab_assert_verdict(&verdicts[i], i % 2 == 0 ? VERDICT_PASS : VERDICT_FAIL,
                           i % 2 == 0 ? "ok" : "grant", "");
    }
}

LAB_TEST(a_process_with_a_secret_leaves_no_core)
{
    make_issuer();
    prctl(PR_SET_DUMPABLE, 1L, 0L, 0L, 0L);
    EXPECT(PASS, "ok", "", "");
    assert_int_equal(prctl(PR_GET_DUMPABLE, 0L, 0L, 0L, 0L), 0);
    prctl(PR_SET_DUMPABLE, 1L, 0L, 0L, 0L);
}

// ---- TLS

// nginx before the issuer, with a certificate for id.example.net that ends at ends_s from now.
static void make_tls_issuer(int64_t ends_s)
{
    make_issuer();
    struct lab_cert *root = lab_cert(&(struct lab_cert_options){.name = "root", .authority = true});
    struct lab_cert *leaf = lab_cert(&(struct lab_cert_options){.name = "id.example.net",
                                                                .names = "DNS:id.example.net",
                                                                .issuer = root,
                                                                .begins_s = INT64_C(-30) * 86400,
                                                                .ends_s = ends_s});
    char conf[1024];

    lab_cert_write(node, "ca.pem", LAB_CERTS(root));
    lab_cert_write(node, "leaf.pem", LAB_CERTS(leaf));
    lab_cert_write_key(node, "leaf.key", leaf);
    snprintf(conf, sizeof conf,
             "server { listen " HOST ":443 ssl; ssl_certificate %s/leaf.pem; "
             "ssl_certificate_key %s/leaf.key; location / { proxy_pass " AT "; } }",
             lab_dir(node), lab_dir(node));
    lab_nginx_start(node, conf);
}

static const char *tls_keys(const char *more)
{
    snprintf(keys_text, sizeof keys_text,
             "type = token\ntarget = " HOST ":443\ntoken_url = https://id.example.net/token\n"
             "client_id = probe\nsecret_file = %s\njwks_url = https://id.example.net/keys\n%s",
             private_file("secret", "s3cret"), more);
    return keys_text;
}

LAB_TEST(an_issuer_over_tls_is_verified)
{
    char more[160];

    make_tls_issuer(INT64_C(20) * 86400);
    LAB_CHECK(node, VERDICT_FAIL, "incomplete-chain", "unknown CA", tls_keys(""));
    snprintf(more, sizeof more, "ca = %s/ca.pem\n", lab_dir(node));
    LAB_CHECK(node, VERDICT_PASS, "ok", "token from https://id.example.net/token: signed",
              tls_keys(more));
    snprintf(more, sizeof more, "ca = %s/ca.pem\nmin_days = 25\n", lab_dir(node));
    LAB_CHECK(node, VERDICT_DEGRADED, "expiring", "days", tls_keys(more));
    snprintf(more, sizeof more, "ca = %s/none.pem\n", lab_dir(node));
    LAB_CHECK(node, VERDICT_UNKNOWN, "ca", "none.pem", tls_keys(more));
}

LAB_TEST(an_expired_certificate_of_the_issuer_fails)
{
    char more[160];

    make_tls_issuer(INT64_C(-3) * 86400);
    snprintf(more, sizeof more, "ca = %s/ca.pem\n", lab_dir(node));
    LAB_CHECK(node, VERDICT_FAIL, "expired", "certificate expired 3 days ago", tls_keys(more));
}

// ---- A real issuer

#define OIDC "http://" HOST ":4593/api/oidc"

struct real {
    struct lab_glewlwyd *glewlwyd;
    json_t *keys[2];
};

static const char *real_keys(void)
{
    snprintf(keys_text, sizeof keys_text,
             "type = token\ntoken_url = " OIDC "/token\nclient_id = " LAB_GLEWLWYD_CLIENT "\n"
             "secret_file = %s\nscope = probe\njwks_url = " OIDC "/jwks\n"
             "issuer = " LAB_GLEWLWYD_ISSUER "\naudience = probe\nrequire_scope = probe\n"
             "claims = region={pop.region}\nmin_lifetime = 5m\n"
             "introspection_url = " OIDC "/introspect\n",
             private_file("secret", LAB_GLEWLWYD_SECRET));
    return keys_text;
}

LAB_TEST(glewlwyds_tokens_pass)
{
    static const char *const algorithms[] = {"RS256", "ES256", "EdDSA"};
    struct lab_glewlwyd *glewlwyd = NULL;

    make_node();
    for (size_t i = 0; i < sizeof algorithms / sizeof *algorithms; i++) {
        char cause[64];
        json_t *key = mint_key(algorithms[i], algorithms[i]);
        if (glewlwyd == NULL) {
            glewlwyd = lab_glewlwyd_start(node, 4593, key, LAB_CHECK_REGION);
        } else {
            lab_glewlwyd_rotate(glewlwyd, key);
        }
        snprintf(cause, sizeof cause, "signed with %s by key kid=%s", algorithms[i], algorithms[i]);
        LAB_CHECK(node, VERDICT_PASS, "ok", cause, real_keys());
        json_decref(key);
    }
}

LAB_TEST(a_token_of_glewlwyds_for_another_region_fails)
{
    make_node();
    json_t *key = mint_key("ES256", "one");
    struct lab_glewlwyd *glewlwyd = lab_glewlwyd_start(node, 4593, key, "eu-west");
    LAB_CHECK(node, VERDICT_FAIL, "claim", "region is eu-west, this PoP expects eu-central",
              real_keys());
    lab_glewlwyd_set_region(glewlwyd, LAB_CHECK_REGION);
    LAB_CHECK(node, VERDICT_PASS, "ok", "", real_keys());
    lab_kill(lab_glewlwyd_process(glewlwyd));
    LAB_CHECK(node, VERDICT_FAIL, "refused", "nothing listens there", real_keys());
    json_decref(key);
}

static void rotate_real(void *arg, size_t i)
{
    struct real *real = arg;

    if (i == 1) {
        lab_glewlwyd_rotate(real->glewlwyd, real->keys[1]);
    }
}

LAB_TEST(glewlwyds_new_key_is_taken_up_at_once)
{
    struct real real = {.keys = {mint_key("ES256", "old"), mint_key("ES256", "new")}};
    struct verdict verdicts[3];

    make_node();
    real.glewlwyd = lab_glewlwyd_start(node, 4593, real.keys[0], LAB_CHECK_REGION);
    lab_check_times(node, real_keys(), 3, rotate_real, &real, verdicts);
    lab_assert_verdict(&verdicts[0], VERDICT_PASS, "ok", "kid=old");
    lab_assert_verdict(&verdicts[1], VERDICT_PASS, "ok", "kid=new");
    lab_assert_verdict(&verdicts[2], VERDICT_PASS, "ok", "kid=new");
    json_decref(real.keys[0]);
    json_decref(real.keys[1]);
}
