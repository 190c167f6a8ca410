// Which tokens are believed, and what is said of the others.
#include "probes/jwt.h"
#include "tests/lab/mint.h"
#include "tests/test.h"

#include <stdio.h>

#define NOW 1800000000 // 2027-01-15T08:00:00Z

#define CLAIMS_BUT_EXP                                                                             \
    "\"iss\":\"https://id.example.net\",\"aud\":[\"api\",\"eu-central\"],"                         \
    "\"scope\":\"probe read\",\"region\":\"eu-central\",\"pop\":\"fra1\""
#define CLAIMS "{" CLAIMS_BUT_EXP ",\"nbf\":1799999900,\"exp\":1800003600}"

static json_t *rsa, *other_rsa, *ec;

static int make_keys(void **state)
{
    (void)state;
    rsa = mint_key("RS256", "one");
    other_rsa = mint_key("RS256", "two");
    ec = mint_key("ES256", "ec");
    return 0;
}

static int drop_keys(void **state)
{
    (void)state;
    json_decref(rsa);
    json_decref(other_rsa);
    json_decref(ec);
    return 0;
}

TEST_GROUP(make_keys, drop_keys);

// Everything is asked for.
static struct jwt_rules strict(void)
{
    struct jwt_rules rules = {.leeway_ms = 30000, .min_lifetime_ms = 60000};
    char error[ERROR_MAX];
    snprintf(rules.issuer, sizeof rules.issuer, "https://id.example.net");
    snprintf(rules.audience, sizeof rules.audience, "eu-central");
    assert_int_equal(jwt_word_parse("probe", &rules.scopes, error), 0);
    assert_int_equal(jwt_word_parse("read", &rules.scopes, error), 0);
    assert_int_equal(jwt_claim_parse("region=eu-central", &rules.claims, error), 0);
    assert_int_equal(jwt_claim_parse("pop=fra1", &rules.claims, error), 0);
    return rules;
}

static struct jwt_judgement judge_text(const struct jwt_rules *rules, const char *token,
                                       const char *key_set)
{
    struct jwt_judgement judgement;
    char error[ERROR_MAX];
    json_t *keys = key_set != NULL ? jwt_keys_parse(key_set, strlen(key_set), error) : NULL;
    if (key_set != NULL && keys == NULL) {
        fail_msg("%s: %s", key_set, error);
    }
    jwt_judge(rules, token, strlen(token), keys, NOW, &judgement);
    json_decref(keys);
    return judgement;
}

static void assert_judged(struct jwt_judgement judgement, const char *code, const char *cause_part)
{
    if (strcmp(judgement.finding.code, code) != 0 ||
        strstr(judgement.finding.cause, cause_part) == NULL ||
        (judgement.finding.kind == VERDICT_PASS) != (strcmp(code, "ok") == 0)) {
        fail_msg("%s: %s\n  expected %s with \"%s\"", judgement.finding.code,
                 judgement.finding.cause, code, cause_part);
    }
}

// Judges by the strict rules, against the key set of key and other_rsa; frees the token.
static struct jwt_judgement judge(const json_t *key, char *token)
{
    struct jwt_rules rules = strict();
    char *key_set = mint_key_set(key, other_rsa);
    struct jwt_judgement judgement = judge_text(&rules, token, key_set);
    free(key_set);
    free(token);
    return judgement;
}

static void assert_claims(const char *claims, const char *code, const char *cause_part)
{
    assert_judged(judge(ec, mint_token(ec, claims)), code, cause_part);
}

// ---- Signatures

TEST(a_token_with_every_claim_as_expected_is_good)
{
    assert_judged(judge(rsa, mint_token(rsa, CLAIMS)), "ok",
                  "signed with RS256 by key kid=one, expires in 60 minutes");
}

TEST(every_asymmetric_algorithm_is_verified)
{
    static const char *const names[] = {"RS384", "RS512", "PS256", "PS384", "PS512",
                                        "ES256", "ES384", "ES512", "EdDSA"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char cause[64];
        json_t *key = mint_key(names[i], "k");
        snprintf(cause, sizeof cause, "signed with %s by key kid=k", names[i]);
        assert_judged(judge(key, mint_token(key, CLAIMS)), "ok", cause);

        // One character of the payload, and one of the signature.
        char *token = mint_token(key, CLAIMS);
        char *payload = strchr(token, '.') + 20;
        *payload = *payload == 'A' ? 'B' : 'A';
        struct jwt_judgement judgement = judge(key, token);
        assert_true(strcmp(judgement.finding.code, "signature") == 0 ||
                    strcmp(judgement.finding.code, "malformed") == 0);
        token = mint_token(key, CLAIMS);
        char *signature = strrchr(token, '.') + 10;
        *signature = *signature == 'A' ? 'B' : 'A';
        assert_judged(judge(key, token), "signature", "by key kid=k does not verify");
        json_decref(key);
    }
}

TEST(alg_none_is_refused)
{
    assert_judged(judge(rsa, mint_join("{\"alg\":\"none\"}", CLAIMS, "")), "alg",
                  "signed with alg none, which is not allowed");
    assert_judged(judge(rsa, mint_join("{\"alg\":\"None\",\"kid\":\"one\"}", CLAIMS, "")), "alg",
                  "alg None");
    assert_judged(judge(rsa, mint_join("{\"kid\":\"one\"}", CLAIMS, "")), "alg", "alg missing");
    assert_judged(judge(rsa, mint_join("{\"alg\":[\"RS256\"]}", CLAIMS, "")), "alg", "alg RS256");
}

TEST(an_hmac_with_the_public_key_is_refused)
{
    json_t *confused = mint_confused_key(rsa);
    assert_judged(judge(rsa, mint_token(confused, CLAIMS)), "alg",
                  "signed with alg HS256, which is not allowed");
    assert_judged(judge(rsa, mint_signed(confused, "{\"alg\":\"HS256\",\"kid\":\"one\"}", CLAIMS)),
                  "alg", "HS256");
    json_decref(confused);
}

TEST(only_allowed_algorithms_are_believed)
{
    struct jwt_rules rules = strict();
    char error[ERROR_MAX];
    char *key_set = mint_key_set(rsa, ec);
    char *by_rsa = mint_token(rsa, CLAIMS);
    char *by_ec = mint_token(ec, CLAIMS);
    assert_int_equal(jwt_algorithm_parse("PS256", &rules.algorithms, error), 0);
    assert_int_equal(jwt_algorithm_parse("ES256", &rules.algorithms, error), 0);
    assert_judged(judge_text(&rules, by_rsa, key_set), "alg", "RS256, which is not allowed");
    assert_judged(judge_text(&rules, by_ec, key_set), "ok", "ES256");
    free(by_ec);
    free(by_rsa);
    free(key_set);
}

TEST(none_and_hmac_cant_be_allowed)
{
    static const char *const never[] = {"none", "HS256", "HS384", "HS512", "rs256", ""};
    unsigned set = 0;
    char error[ERROR_MAX];
    for (size_t i = 0; i < sizeof never / sizeof *never; i++) {
        assert_int_equal(jwt_algorithm_parse(never[i], &set, error), -1);
        assert_non_null(strstr(error, "can't be allowed"));
    }
    assert_int_equal(set, 0);
}

TEST(an_unknown_key_may_be_a_newer_one)
{
    json_t *newer = mint_key("ES256", "newer");
    struct jwt_judgement judgement = judge(rsa, mint_token(newer, CLAIMS));
    assert_judged(judgement, "kid", "key kid=newer is none of the issuer's");
    assert_true(judgement.newer_keys_may_help);
    json_decref(newer);
}

TEST(a_key_of_the_same_name_that_does_not_verify_may_be_an_older_one)
{
    json_t *newer = mint_key("RS256", "one");
    struct jwt_judgement judgement = judge(rsa, mint_token(newer, CLAIMS));
    assert_judged(judgement, "signature", "its signature by key kid=one does not verify");
    assert_true(judgement.newer_keys_may_help);
    json_decref(newer);
}

TEST(what_no_key_can_mend_asks_for_no_newer_ones)
{
    assert_false(judge(rsa, mint_join("{\"alg\":\"none\"}", CLAIMS, "")).newer_keys_may_help);
    assert_false(judge(rsa, mint_token(rsa, "{}")).newer_keys_may_help);
    assert_false(judge(rsa, strdup("x")).newer_keys_may_help);
}

TEST(a_token_without_kid_is_tried_with_every_key)
{
    char *token = mint_signed(other_rsa, "{\"alg\":\"RS256\"}", CLAIMS);
    assert_judged(judge(rsa, token), "ok", "signed with RS256, expires");
    json_t *stranger = mint_key("RS256", NULL);
    assert_judged(judge(rsa, mint_token(stranger, CLAIMS)), "signature",
                  "verifies with none of the issuer's 2 keys for RS256");
    json_decref(stranger);
    json_t *of_another_kind = mint_key("EdDSA", NULL);
    assert_judged(judge(rsa, mint_token(of_another_kind, CLAIMS)), "kid",
                  "of the issuer's 2 keys none is for EdDSA");
    json_decref(of_another_kind);
}

TEST(a_key_is_used_for_its_own_purpose_only)
{
    struct jwt_rules rules = strict();
    static const struct {
        const char *member, *value;
    } others[] = {{"alg", "\"RS512\""},         {"use", "\"enc\""}, {"kty", "\"EC\""},
                  {"key_ops", "[\"encrypt\"]"}, {"use", "1"},       {"key_ops", "\"verify\""}};
    char *token = mint_token(rsa, CLAIMS);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        json_t *changed = json_deep_copy(rsa);
        json_object_set_new(changed, others[i].member,
                            json_loads(others[i].value, JSON_DECODE_ANY, NULL));
        char *key_set = mint_key_set(changed, NULL);
        assert_judged(judge_text(&rules, token, key_set), "kid",
                      "its key kid=one is not one for RS256");
        free(key_set);
        json_decref(changed);
    }
    free(token);
}

// X25519 has keys of the same form, and they sign nothing (RFC 8037 section 2).
TEST(a_key_of_another_curve_is_not_tried)
{
    struct jwt_rules rules = strict();
    json_t *key = mint_key("EdDSA", "ed");
    json_t *changed = json_deep_copy(key);
    json_object_set_new(changed, "crv", json_string("X25519"));
    char *token = mint_token(key, CLAIMS);
    char *key_set = mint_key_set(changed, NULL);
    assert_judged(judge_text(&rules, token, key_set), "kid", "its key kid=ed is not one for EdDSA");
    free(key_set);
    free(token);
    json_decref(changed);
    json_decref(key);
}

TEST(a_key_in_the_tokens_own_header_is_not_looked_at)
{
    json_t *own = mint_key("RS256", "one");
    json_t *header =
        json_pack("{s:s,s:s,s:o,s:s,s:s}", "alg", "RS256", "kid", "one", "jwk", mint_public(own),
                  "jku", "http://192.0.2.1/", "x5u", "http://192.0.2.1/");
    char *text = json_dumps(header, 0);
    assert_judged(judge(rsa, mint_signed(own, text, CLAIMS)), "signature", "does not verify");
    free(text);
    json_decref(header);
    json_decref(own);
}

TEST(short_rsa_keys_verify_nothing)
{
    struct jwt_rules rules = strict();
    static const char key_set[] = "{\"keys\":[{\"kty\":\"RSA\",\"kid\":\"one\",\"e\":\"AQAB\","
                                  "\"n\":\"AQAB\"},{\"kty\":\"RSA\",\"kid\":\"one\"}]}";
    char *token = mint_token(rsa, CLAIMS);
    assert_judged(judge_text(&rules, token, key_set), "signature", "does not verify");
    free(token);
}

// A larger one would hold up the loop, and all other probes.
TEST(rsa_keys_beyond_8192_bits_are_not_tried)
{
    static const struct {
        const char *member;
        size_t length; // of its base64url
        const char *code;
    } table[] = {{"n", 1366, "signature"},                                             // 1024 bytes
                 {"n", 1367, "kid"},       {"n", 20000, "kid"}, {"e", 6, "signature"}, // 32 bits
                 {"e", 7, "kid"},          {"e", 1366, "kid"}};
    struct jwt_rules rules = strict();
    char *token = mint_token(rsa, CLAIMS);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        char number[20001];
        json_t *large = json_deep_copy(rsa);
        memset(number, 'Q', table[i].length);
        number[table[i].length] = '\0';
        json_object_set_new(large, table[i].member, json_string(number));
        char *key_set = mint_key_set(large, NULL);
        assert_judged(judge_text(&rules, token, key_set), table[i].code, "key kid=one");
        free(key_set);
        json_decref(large);
    }
    free(token);
}

TEST(a_token_without_kid_is_tried_with_sixteen_keys_and_no_more)
{
    enum { MANY = 40, LAST_TRIED = 15 };
    struct jwt_rules rules = strict();
    json_t *keys = json_array();
    json_t *set = json_pack("{s:o}", "keys", keys);
    char *token = mint_signed(rsa, "{\"alg\":\"RS256\"}", CLAIMS);
    for (size_t i = 0; i < MANY; i++) {
        json_array_append_new(keys, mint_public(other_rsa));
    }
    json_array_set_new(keys, LAST_TRIED, mint_public(rsa));
    char *key_set = json_dumps(set, 0);
    assert_judged(judge_text(&rules, token, key_set), "ok", "RS256");
    free(key_set);
    json_array_set_new(keys, LAST_TRIED, mint_public(other_rsa));
    json_array_set_new(keys, LAST_TRIED + 1, mint_public(rsa));
    key_set = json_dumps(set, 0);
    assert_judged(judge_text(&rules, token, key_set), "signature", "none of the issuer's 16 keys");
    free(key_set);
    free(token);
    json_decref(set);
}

TEST(without_keys_nothing_is_signed_by_a_known_one)
{
    struct jwt_rules rules = strict();
    char *token = mint_token(rsa, CLAIMS);
    struct jwt_judgement judgement = judge_text(&rules, token, NULL);
    assert_judged(judgement, "kid", "none of the issuer's");
    assert_true(judgement.newer_keys_may_help);
    free(token);
}

TEST(critical_extensions_are_refused)
{
    assert_judged(
        judge(rsa,
              mint_signed(rsa, "{\"alg\":\"RS256\",\"kid\":\"one\",\"crit\":[\"b64\"]}", CLAIMS)),
        "malformed", "critical extensions");
}

// ---- Claims

TEST(an_expired_token_says_since_when)
{
    assert_claims("{" CLAIMS_BUT_EXP ",\"exp\":1799999960}", "exp", "expired 40 seconds ago");
    assert_claims("{" CLAIMS_BUT_EXP ",\"exp\":1799740800}", "exp", "expired 3 days ago");
    assert_claims("{" CLAIMS_BUT_EXP ",\"exp\":-1e300}", "exp", "expired");
}

TEST(the_leeway_forgives_clocks_that_differ)
{
    struct jwt_rules rules = strict();
    rules.min_lifetime_ms = 0;
    char *key_set = mint_key_set(ec, NULL);
    char *token = mint_token(ec, "{" CLAIMS_BUT_EXP ",\"exp\":1799999971,\"nbf\":1800000030.7}");
    assert_judged(judge_text(&rules, token, key_set), "ok", "expired within leeway, by 29 seconds");
    rules.leeway_ms = 29000;
    assert_judged(judge_text(&rules, token, key_set), "exp", "expired 29 seconds ago");
    free(token);
    free(key_set);
}

TEST(a_token_that_soon_expires_is_not_enough)
{
    assert_claims("{" CLAIMS_BUT_EXP ",\"exp\":1800000059}", "exp",
                  "expires in 59 seconds, sooner than min_lifetime 1m");
    assert_claims("{" CLAIMS_BUT_EXP ",\"exp\":1800000060}", "ok", "expires in ");
}

TEST(a_token_without_expiry_is_refused)
{
    assert_claims("{" CLAIMS_BUT_EXP "}", "exp", "exp is missing, not a time");
    assert_claims("{" CLAIMS_BUT_EXP ",\"exp\":\"1800003600\"}", "exp",
                  "exp is a string, not a time");
}

TEST(a_token_of_the_future_says_from_when)
{
    assert_claims("{" CLAIMS_BUT_EXP ",\"exp\":1800007200,\"nbf\":1800003600}", "nbf",
                  "not valid before 2027-01-15T09:00:00Z, in 60 minutes");
    assert_claims("{" CLAIMS_BUT_EXP ",\"exp\":1800007200,\"nbf\":1e300}", "nbf",
                  "not valid before");
    assert_claims("{" CLAIMS_BUT_EXP ",\"exp\":1800007200,\"nbf\":true}", "nbf", "nbf is true");
    assert_claims("{" CLAIMS_BUT_EXP ",\"exp\":1800007200}", "ok", "");
}

TEST(another_issuer_is_refused)
{
    assert_claims("{\"iss\":\"https://evil.example\",\"exp\":1800003600}", "iss",
                  "issuer is https://evil.example, this PoP expects https://id.example.net");
    assert_claims("{\"iss\":[\"https://id.example.net\"],\"exp\":1800003600}", "iss",
                  "this PoP expects");
    assert_claims("{\"exp\":1800003600}", "iss", "issuer is missing");
}

#define FROM_US "{\"iss\":\"https://id.example.net\",\"exp\":1800003600,"

TEST(the_wrong_audience_is_refused)
{
    assert_claims(FROM_US "\"aud\":\"eu-west\"}", "aud",
                  "audience is eu-west, this PoP expects eu-central");
    assert_claims(FROM_US "\"aud\":[\"eu-west\",7,\"us-east\"]}", "aud",
                  "audience is eu-west, a number, us-east, this PoP");
    assert_claims(FROM_US "\"aud\":{\"eu-central\":1}}", "aud", "audience is an object");
    assert_claims(FROM_US "\"aud\":[]}", "aud", "audience is a list");
    assert_claims(FROM_US "\"aud\":\"eu-central \"}", "aud", "this PoP expects");
}

TEST(a_missing_scope_is_named)
{
#define FOR_US FROM_US "\"aud\":\"eu-central\","
#define HERE   "\"region\":\"eu-central\",\"pop\":\"fra1\"}"
    assert_claims(FOR_US "\"scope\":\"probe\"}", "scope", "scope lacks read (it is probe)");
    assert_claims(FOR_US "\"scope\":\"probes reads\"}", "scope", "scope lacks probe");
    assert_claims(FOR_US "\"nothing\":1}", "scope", "(it is missing)");
    assert_claims(FOR_US "\"scope\":\"read  probe\"," HERE, "ok", "");
    assert_claims(FOR_US "\"scope\":[\"read\",\"probe\"]," HERE, "ok", "");
    assert_claims(FOR_US "\"scp\":\"read probe\"," HERE, "ok", "");
}

TEST(a_token_for_another_region_or_pop_is_refused)
{
#define SCOPED FOR_US "\"scope\":\"probe read\","
    assert_claims(SCOPED "\"region\":\"eu-west\",\"pop\":\"fra1\"}", "claim",
                  "region is eu-west, this PoP expects eu-central");
    assert_claims(SCOPED "\"region\":\"eu-central\",\"pop\":\"ams2\"}", "claim",
                  "pop is ams2, this PoP expects fra1");
    assert_claims(SCOPED "\"region\":[\"eu-central\"],\"pop\":\"fra1\"}", "claim",
                  "this PoP expects eu-central");
    assert_claims(SCOPED "\"pop\":\"fra1\"}", "claim", "region is missing");
}

TEST(what_is_not_asked_for_is_not_judged)
{
    struct jwt_rules rules = {.leeway_ms = 0};
    char *key_set = mint_key_set(ec, NULL);
    char *token = mint_token(ec, "{\"exp\":1800000001}");
    assert_judged(judge_text(&rules, token, key_set), "ok", "expires in 1 second");
    free(token);
    free(key_set);
}

// ---- Form

TEST(what_is_no_jwt_is_malformed)
{
    static const struct {
        const char *token, *cause;
    } cases[] = {
        {"", "not a signed JWT"},
        {"abc", "not a signed JWT"},
        {"a.b", "not a signed JWT"},
        {"a.b.c.d", "not a signed JWT"},
        {"a.b.c.d.e", "encrypted"},
        {"..", "header is not a JSON object"},
        {"*.e30.x", "header is not base64url"},
        {"e30=.e30.x", "header is not base64url"},
        {"W10.e30.x", "header is not a JSON object"}, // []
        {"e30.*.x", "payload is not base64url"},
        {"e30.Mg.x", "payload is not a JSON object"}, // 2
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_judged(judge(rsa, strdup(cases[i].token)), "malformed", cases[i].cause);
    }
}

TEST(members_that_are_there_twice_are_refused)
{
    assert_judged(
        judge(rsa,
              mint_signed(rsa, "{\"alg\":\"none\",\"alg\":\"RS256\",\"kid\":\"one\"}", CLAIMS)),
        "malformed", "header");
    assert_claims("{" CLAIMS_BUT_EXP ",\"exp\":1,\"exp\":1800003600}", "malformed", "payload");
}

TEST(a_kid_that_is_no_string_is_refused)
{
    assert_judged(judge(rsa, mint_signed(rsa, "{\"alg\":\"RS256\",\"kid\":1}", CLAIMS)),
                  "malformed", "its kid is a number, not a string");
}

TEST(a_huge_token_is_refused)
{
    size_t size = (size_t)1 << 20;
    char *token = malloc(size + 1);
    assert_non_null(token);
    memset(token, 'A', size);
    token[10] = token[20] = '.';
    token[size] = '\0';
    assert_judged(judge(rsa, token), "malformed", "1048576 bytes, more than 16384");
}

TEST(no_cause_is_longer_than_its_room_whatever_the_token_says)
{
    char claims[8000];
    snprintf(claims, sizeof claims, "{\"iss\":\"%0*d\",\"exp\":1800003600}", 7000, 0);
    assert_claims(claims, "iss", "this PoP expects https://id.example.net");
    snprintf(claims, sizeof claims, "{\"alg\":\"RS256\",\"kid\":\"%0*d\"}", 7000, 0);
    assert_judged(judge(rsa, mint_signed(rsa, claims, CLAIMS)), "kid",
                  "000 is none of the issuer's for RS256");
}

TEST(what_is_no_key_set_is_refused)
{
    static const struct {
        const char *text, *error;
    } cases[] = {
        {"", "not JSON"},
        {"<html>", "not JSON"},
        {"[]", "not a key set"},
        {"{}", "not a key set"},
        {"{\"keys\":{}}", "not a key set"},
        {"{\"keys\":[]}", "the key set is empty"},
        {"{\"keys\":[{}],\"keys\":[{}]}", "duplicate"},
    };
    char error[ERROR_MAX];
    char many[1024] = "{\"keys\":[";
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_null(jwt_keys_parse(cases[i].text, strlen(cases[i].text), error));
        assert_non_null(strstr(error, cases[i].error));
    }
    for (size_t i = 0; i <= JWT_KEYS_MAX; i++) {
        snprintf(many + strlen(many), sizeof many - strlen(many), "%s{}", i ? "," : "");
    }
    snprintf(many + strlen(many), sizeof many - strlen(many), "]}");
    assert_null(jwt_keys_parse(many, strlen(many), error));
    assert_non_null(strstr(error, "65 keys, more than 64"));
}

TEST(keys_that_are_none_do_no_harm)
{
    struct jwt_rules rules = strict();
    char *good = mint_key_set(ec, NULL);
    char mixed[2048];
    snprintf(mixed, sizeof mixed, "{\"keys\":[null,7,\"x\",[],{},{\"kid\":7},%s",
             good + strlen("{\"keys\":["));
    char *token = mint_token(ec, CLAIMS);
    assert_judged(judge_text(&rules, token, mixed), "ok", "kid=ec");
    free(token);
    free(good);
}

TEST(words_and_claims_are_bounded)
{
    struct jwt_words words = {.count = 0};
    char error[ERROR_MAX];
    for (size_t i = 0; i < JWT_WORDS_MAX; i++) {
        assert_int_equal(jwt_claim_parse("a=b", &words, error), 0);
    }
    assert_int_equal(jwt_claim_parse("a=b", &words, error), -1);
    assert_non_null(strstr(error, "more than 8"));
    words.count = 0;
    assert_int_equal(jwt_claim_parse("region", &words, error), -1);
    assert_int_equal(jwt_claim_parse("=x", &words, error), -1);
    assert_int_equal(jwt_claim_parse("x=", &words, error), -1);
    assert_non_null(strstr(error, "is not NAME=VALUE"));
}
