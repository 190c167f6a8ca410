// See jwt.h. The order of the checks is the order of trust: form, algorithm, key, signature, and
// only then what the token says.
#include "probes/jwt.h"

#include "probes/certificate.h"

#include <assert.h>
#include <inttypes.h>
#include <jose/b64.h>
#include <jose/jws.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define SHOWN_MAX       64 // bytes of a claim in a cause
#define ED25519_KEY     32 // bytes
#define ED25519_SIGNED  64
#define RSA_N_MAX       1366 // base64url of 8192 bits; a larger one would hold up the loop
#define RSA_E_MAX       6    // the same, of 32 bits
#define NO_KID_KEYS_MAX 16   // tried for a token that names none

// What may sign, and the key that it takes. HMAC and `none` are not here, so nothing can allow
// them.
static const struct algorithm {
    const char *name, *kty, *crv;
} algorithms[] = {
    {"RS256", "RSA", NULL},      {"RS384", "RSA", NULL},   {"RS512", "RSA", NULL},
    {"PS256", "RSA", NULL},      {"PS384", "RSA", NULL},   {"PS512", "RSA", NULL},
    {"ES256", "EC", "P-256"},    {"ES384", "EC", "P-384"}, {"ES512", "EC", "P-521"},
    {"EdDSA", "OKP", "Ed25519"},
};
#define ALGORITHMS (sizeof algorithms / sizeof *algorithms)

// The public numbers of each kind of key (RFC 7518 section 6, RFC 8037 section 2).
static const char *const public_members[] = {"kty", "crv", "x", "y", "n", "e"};

// A token's three parts, and the first two of them read.
struct token {
    const char *part[3]; // base64url
    size_t length[3];
    size_t signed_length; // of the first two with the dot between them
    json_t *header, *claims;
};

// False, and out says why.
#define REFUSE(out, ...) (finding_set(&(out)->finding, VERDICT_FAIL, __VA_ARGS__), false)

// ---- Keys of the configuration

static const struct algorithm *find_algorithm(const char *name)
{
    for (size_t i = 0; i < ALGORITHMS; i++) {
        if (strcmp(algorithms[i].name, name) == 0) {
            return &algorithms[i];
        }
    }
    return NULL;
}

int jwt_algorithm_parse(const char *word, void *field, char error[ERROR_MAX])
{
    const struct algorithm *algorithm = find_algorithm(word);
    if (algorithm == NULL) {
        return error_say(
            error,
            "\"%.32s\" can't be allowed; RS256, RS384, RS512, PS256, PS384, PS512, ES256, "
            "ES384, ES512 and EdDSA can",
            word);
    }
    *(unsigned *)field |= 1U << (algorithm - algorithms);
    return 0;
}

int jwt_word_parse(const char *word, void *field, char error[ERROR_MAX])
{
    struct jwt_words *words = field;
    if (words->count == JWT_WORDS_MAX) {
        return error_say(error, "more than %d", JWT_WORDS_MAX);
    }
    int length = snprintf(words->items[words->count], KEY_TEXT_MAX, "%s", word);
    if (length >= KEY_TEXT_MAX) {
        return error_say(error, "longer than %d bytes", KEY_TEXT_MAX - 1);
    }
    words->count++;
    return 0;
}

int jwt_claim_parse(const char *word, void *field, char error[ERROR_MAX])
{
    const char *equals = strchr(word, '=');
    if (equals == NULL || equals == word || !equals[1]) {
        return error_say(error, "\"%.64s\" is not NAME=VALUE, such as region={pop.region}", word);
    }
    return jwt_word_parse(word, field, error);
}

// ---- Reading

json_t *jwt_keys_parse(const char *text, size_t length, char error[ERROR_MAX])
{
    json_error_t problem;
    json_t *set = json_loadb(text, length, JSON_REJECT_DUPLICATES, &problem);
    if (set == NULL) {
        (void)error_say(error, "not JSON: %.100s", problem.text);
        return NULL;
    }
    const json_t *keys = json_object_get(set, "keys");
    size_t count = json_array_size(keys);
    if (!json_is_array(keys)) {
        (void)error_say(error, "not a key set: it has no array \"keys\"");
    } else if (count == 0) {
        (void)error_say(error, "the key set is empty");
    } else if (count > JWT_KEYS_MAX) {
        (void)error_say(error, "%zu keys, more than %d", count, JWT_KEYS_MAX);
    } else {
        return set;
    }
    json_decref(set);
    return NULL;
}

// One part, as the JSON object that it must be; NULL and REFUSE() if it isn't. A member that is
// there twice could mean one thing to us and another to a client (RFC 7519 section 4).
static json_t *read_part(const struct token *token, int part, struct jwt_judgement *out)
{
    static const char *const names[] = {"header", "payload"};
    char text[JWT_MAX];
    json_error_t problem;
    size_t length = jose_b64_dec_buf(token->part[part], token->length[part], text, sizeof text);
    if (length > sizeof text) {
        (void)REFUSE(out, "malformed", "its %s is not base64url", names[part]);
        return NULL;
    }
    json_t *read = json_loadb(text, length, JSON_REJECT_DUPLICATES, &problem);
    if (!json_is_object(read)) {
        json_decref(read);
        (void)REFUSE(out, "malformed", "its %s is not a JSON object", names[part]);
        return NULL;
    }
    return read;
}

// Three parts with dots between (RFC 7515 section 7.1).
static bool split(const char *text, size_t length, struct token *token, struct jwt_judgement *out)
{
    size_t parts = 0;
    const char *end = text + length;
    for (const char *at = text; at != NULL; parts++) {
        const char *dot = memchr(at, '.', (size_t)(end - at));
        if (parts < 3) {
            token->part[parts] = at;
            token->length[parts] = (size_t)((dot != NULL ? dot : end) - at);
        }
        at = dot != NULL ? dot + 1 : NULL;
    }
    if (parts != 3) {
        return REFUSE(out, "malformed",
                      parts == 5 ? "it is encrypted (JWE)" : "it is not a signed JWT");
    }
    token->signed_length = (size_t)(token->part[2] - 1 - text);
    return true;
}

static bool read_token(const char *text, size_t length, struct token *token,
                       struct jwt_judgement *out)
{
    if (length > JWT_MAX) {
        return REFUSE(out, "malformed", "it has %zu bytes, more than %d", length, JWT_MAX);
    }
    if (!split(text, length, token, out)) {
        return false;
    }
    token->header = read_part(token, 0, out);
    token->claims = token->header != NULL ? read_part(token, 1, out) : NULL;
    return token->claims != NULL;
}

// ---- Words

static const char *type_name(const json_t *value)
{
    static const char *const names[] = {
        [JSON_OBJECT] = "an object", [JSON_ARRAY] = "a list",  [JSON_STRING] = "a string",
        [JSON_INTEGER] = "a number", [JSON_REAL] = "a number", [JSON_TRUE] = "true",
        [JSON_FALSE] = "false",      [JSON_NULL] = "null",
    };
    return value != NULL ? names[json_typeof(value)] : "missing";
}

// A string, or the strings of a list; as much as fits.
static const char *shown(const json_t *value, char out[SHOWN_MAX])
{
    size_t at = 0;
    if (!json_is_array(value) || json_array_size(value) == 0) {
        const char *text = json_string_value(value);
        snprintf(out, SHOWN_MAX, "%s", text != NULL ? text : type_name(value));
        return out;
    }
    for (size_t i = 0; i < json_array_size(value) && at < SHOWN_MAX; i++) {
        const json_t *item = json_array_get(value, i);
        const char *text = json_string_value(item);
        int wrote = snprintf(out + at, SHOWN_MAX - at, "%s%s", i ? ", " : "",
                             text != NULL ? text : type_name(item));
        at += (size_t)wrote;
    }
    return out;
}

// ---- Header

// The algorithm that the token claims, if it is allowed.
static const struct algorithm *judge_header(const struct jwt_rules *rules,
                                            const struct token *token, struct jwt_judgement *out)
{
    char text[SHOWN_MAX];
    const json_t *alg = json_object_get(token->header, "alg");
    const json_t *kid = json_object_get(token->header, "kid");
    const struct algorithm *algorithm =
        json_is_string(alg) ? find_algorithm(json_string_value(alg)) : NULL;
    unsigned allowed = rules->algorithms ? rules->algorithms : ~0U;
    if (algorithm == NULL || !(allowed & 1U << (algorithm - algorithms))) {
        (void)REFUSE(out, "alg", "signed with alg %s, which is not allowed", shown(alg, text));
        return NULL;
    }
    // RFC 7515 section 4.1.11: what is critical and not understood makes the token invalid, and
    // there is nothing of the kind that is understood here.
    if (json_object_get(token->header, "crit") != NULL) {
        (void)REFUSE(out, "malformed",
                     "its header has critical extensions (crit), which no check knows");
        return NULL;
    }
    if (kid != NULL && !json_is_string(kid)) {
        (void)REFUSE(out, "malformed", "its kid is %s, not a string", type_name(kid));
        return NULL;
    }
    return algorithm;
}

// ---- Signature

static void unheard(void *arg, const char *file, int line, uint64_t error, const char *format,
                    va_list arguments)
{
    (void)arg, (void)file, (void)line, (void)error, (void)format, (void)arguments;
}

static bool libjose_verifies(const struct token *token, const json_t *key)
{
    bool verified = false;
    json_t *jws =
        json_pack("{s:s%,s:s%,s:s%}", "protected", token->part[0], token->length[0], "payload",
                  token->part[1], token->length[1], "signature", token->part[2], token->length[2]);
    json_t *public = json_object();
    jose_cfg_t *quiet = jose_cfg();
    if (jws == NULL || public == NULL || quiet == NULL) {
        goto end;
    }
    for (size_t i = 0; i < sizeof public_members / sizeof *public_members; i++) {
        json_t *member = json_object_get(key, public_members[i]);
        if (member != NULL && json_object_set(public, public_members[i], member) != 0) {
            goto end;
        }
    }
    jose_cfg_set_err_func(quiet, unheard, NULL); // else it writes to stderr
    verified = jose_jws_ver(quiet, jws, NULL, public, false);
end:
    jose_cfg_decref(quiet);
    json_decref(public);
    json_decref(jws);
    return verified;
}

static bool eddsa_verifies(const struct token *token, const json_t *key)
{
    unsigned char public[ED25519_KEY];
    unsigned char signature[ED25519_SIGNED];
    if (jose_b64_dec(json_object_get(key, "x"), public, sizeof public) != sizeof public ||
        jose_b64_dec_buf(token->part[2], token->length[2], signature, sizeof signature) !=
            sizeof signature) {
        return false;
    }
    EVP_PKEY *made = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, public, sizeof public);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool verified =
        made != NULL && context != NULL &&
        EVP_DigestVerifyInit(context, NULL, NULL, NULL, made) == 1 &&
        EVP_DigestVerify(context, signature, sizeof signature,
                         (const unsigned char *)token->part[0], token->signed_length) == 1;
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(made);
    return verified;
}

static bool verifies(const struct algorithm *algorithm, const struct token *token,
                     const json_t *key)
{
    bool verified = strcmp(algorithm->kty, "OKP") == 0 ? eddsa_verifies(token, key)
                                                       : libjose_verifies(token, key);
    ERR_clear_error(); // the next user of OpenSSL on this thread would find it
    return verified;
}

static bool is_or_absent(const json_t *object, const char *name, const char *expected)
{
    const json_t *value = json_object_get(object, name);
    return value == NULL ||
           (json_is_string(value) && strcmp(json_string_value(value), expected) == 0);
}

static bool is(const json_t *object, const char *name, const char *expected)
{
    return json_object_get(object, name) != NULL && is_or_absent(object, name, expected);
}

static bool list_has(const json_t *list, const char *expected)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *item = json_string_value(json_array_get(list, i));
        if (item != NULL && strcmp(item, expected) == 0) {
            return true;
        }
    }
    return false;
}

// Was this key made for checking signatures of the algorithm (RFC 7517 section 4)?
static bool key_suits(const json_t *key, const struct algorithm *algorithm)
{
    const json_t *operations = json_object_get(key, "key_ops");
    bool quick = json_string_length(json_object_get(key, "n")) <= RSA_N_MAX &&
                 json_string_length(json_object_get(key, "e")) <= RSA_E_MAX;
    return quick && is(key, "kty", algorithm->kty) &&
           (algorithm->crv == NULL || is(key, "crv", algorithm->crv)) &&
           is_or_absent(key, "alg", algorithm->name) && is_or_absent(key, "use", "sig") &&
           (operations == NULL || list_has(operations, "verify"));
}

static bool judge_signature(const struct token *token, const struct algorithm *algorithm,
                            const json_t *keys, struct jwt_judgement *out)
{
    const json_t *list = json_object_get(keys, "keys");
    const char *kid = json_string_value(json_object_get(token->header, "kid"));
    size_t named = 0;
    size_t tried = 0;
    for (size_t i = 0; i < json_array_size(list) && tried < NO_KID_KEYS_MAX; i++) {
        const json_t *key = json_array_get(list, i);
        if (kid != NULL && !is(key, "kid", kid)) {
            continue;
        }
        named++;
        if (key_suits(key, algorithm)) {
            tried++;
            if (verifies(algorithm, token, key)) {
                return true;
            }
        }
    }
    out->newer_keys_may_help = true;
    if (kid == NULL) {
        return tried ? REFUSE(out, "signature",
                              "its signature verifies with none of the issuer's %zu keys for %s",
                              tried, algorithm->name)
                     : REFUSE(out, "kid", "of the issuer's %zu keys none is for %s", named,
                              algorithm->name);
    }
    if (tried) {
        return REFUSE(out, "signature", "its signature by key kid=%.64s does not verify", kid);
    }
    return REFUSE(out, "kid", "its key kid=%.64s is %s %s", kid,
                  named ? "not one for" : "none of the issuer's for", algorithm->name);
}

// ---- Claims

static bool judge_issuer(const struct jwt_rules *rules, const json_t *claims,
                         struct jwt_judgement *out)
{
    char text[SHOWN_MAX];
    return !rules->issuer[0] || is(claims, "iss", rules->issuer) ||
           REFUSE(out, "iss", "issuer is %s, this PoP expects %.64s",
                  shown(json_object_get(claims, "iss"), text), rules->issuer);
}

// One, or a list (RFC 7519 section 4.1.3).
static bool judge_audience(const struct jwt_rules *rules, const json_t *claims,
                           struct jwt_judgement *out)
{
    char text[SHOWN_MAX];
    const json_t *audience = json_object_get(claims, "aud");
    return !rules->audience[0] || is(claims, "aud", rules->audience) ||
           list_has(audience, rules->audience) ||
           REFUSE(out, "aud", "audience is %s, this PoP expects %.64s", shown(audience, text),
                  rules->audience);
}

// A NumericDate (RFC 7519 section 2) as whole seconds; far beyond any clock it stops, so that sums
// with it can't overflow.
static bool read_date(const json_t *value, int64_t *out)
{
    static const double most = 1e15;
    double seconds = json_number_value(value);
    *out = (int64_t)(seconds > most ? most : seconds < -most ? -most : seconds);
    return json_is_number(value);
}

static bool judge_expiry(const struct jwt_rules *rules, const json_t *claims, int64_t now_s,
                         struct jwt_judgement *out)
{
    char text[SPAN_TEXT_MAX];
    char least[DURATION_TEXT_MAX];
    int64_t expires;
    const json_t *exp = json_object_get(claims, "exp");
    if (!read_date(exp, &expires)) {
        return REFUSE(out, "exp", "exp is %s, not a time", type_name(exp));
    }
    if (expires + (int64_t)(rules->leeway_ms / 1000) <= now_s) {
        return REFUSE(out, "exp", "expired %s ago", span_text(now_s - expires, text));
    }
    if (rules->min_lifetime_ms && expires - now_s < (int64_t)(rules->min_lifetime_ms / 1000)) {
        return REFUSE(out, "exp", "expires in %s, sooner than min_lifetime %s",
                      span_text(expires - now_s, text),
                      duration_text(rules->min_lifetime_ms, least));
    }
    return true;
}

static bool judge_start(const struct jwt_rules *rules, const json_t *claims, int64_t now_s,
                        struct jwt_judgement *out)
{
    char text[SPAN_TEXT_MAX];
    char when[SHOWN_MAX] = "a time far ahead";
    int64_t start;
    struct tm utc;
    const json_t *nbf = json_object_get(claims, "nbf");
    if (nbf == NULL) {
        return true;
    }
    if (!read_date(nbf, &start)) {
        return REFUSE(out, "nbf", "nbf is %s, not a time", type_name(nbf));
    }
    if (start <= now_s + (int64_t)(rules->leeway_ms / 1000)) {
        return true;
    }
    if (gmtime_r(&(time_t){start}, &utc) != NULL) {
        strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &utc);
    }
    return REFUSE(out, "nbf", "not valid before %s, in %s", when, span_text(start - now_s, text));
}

static bool has_word(const char *words, const char *expected)
{
    size_t length = strlen(expected);
    for (const char *at = words; at != NULL && *at;) {
        size_t word = strcspn(at, " ");
        if (word == length && strncmp(at, expected, length) == 0) {
            return true;
        }
        at += word + strspn(at + word, " ");
    }
    return false;
}

// `scope` is a string of words (RFC 8693 section 4.2); some issuers write a list, or call it `scp`.
static bool judge_scopes(const struct jwt_rules *rules, const json_t *claims,
                         struct jwt_judgement *out)
{
    char text[SHOWN_MAX];
    const json_t *scope = json_object_get(claims, "scope");
    if (scope == NULL) {
        scope = json_object_get(claims, "scp");
    }
    for (size_t i = 0; i < rules->scopes.count; i++) {
        const char *wanted = rules->scopes.items[i];
        if (!has_word(json_string_value(scope), wanted) && !list_has(scope, wanted)) {
            return REFUSE(out, "scope", "scope lacks %.64s (it is %s)", wanted, shown(scope, text));
        }
    }
    return true;
}

static bool judge_claims(const struct jwt_rules *rules, const json_t *claims,
                         struct jwt_judgement *out)
{
    char text[SHOWN_MAX];
    for (size_t i = 0; i < rules->claims.count; i++) {
        const char *rule = rules->claims.items[i];
        size_t length = strcspn(rule, "=");
        const json_t *value = json_object_getn(claims, rule, length);
        const char *expected = rule + length + 1;
        if (!json_is_string(value) || strcmp(json_string_value(value), expected) != 0) {
            return REFUSE(out, "claim", "%.*s is %s, this PoP expects %.64s",
                          (int)(length < SHOWN_MAX ? length : SHOWN_MAX), rule, shown(value, text),
                          expected);
        }
    }
    return true;
}

// ---- All of it

static void say_good(const struct algorithm *algorithm, const struct token *token, int64_t now_s,
                     struct jwt_judgement *out)
{
    char text[SPAN_TEXT_MAX];
    int64_t expires;
    read_date(json_object_get(token->claims, "exp"), &expires);
    const char *kid = json_string_value(json_object_get(token->header, "kid"));
    finding_set(&out->finding, VERDICT_PASS, "ok", "signed with %s%s%.64s, %s %s", algorithm->name,
                kid != NULL ? " by key kid=" : "", kid != NULL ? kid : "",
                expires > now_s ? "expires in" : "expired within leeway, by",
                span_text(expires > now_s ? expires - now_s : now_s - expires, text));
}

void jwt_judge(const struct jwt_rules *rules, const char *token, size_t length, const json_t *keys,
               int64_t now_s, struct jwt_judgement *out)
{
    struct token read = {.header = NULL};
    const struct algorithm *algorithm = NULL;
    assert(rules && token && out);
    *out = (struct jwt_judgement){.newer_keys_may_help = false};
    if (read_token(token, length, &read, out)) {
        algorithm = judge_header(rules, &read, out);
    }
    if (algorithm != NULL && judge_signature(&read, algorithm, keys, out) &&
        judge_issuer(rules, read.claims, out) && judge_audience(rules, read.claims, out) &&
        judge_expiry(rules, read.claims, now_s, out) &&
        judge_start(rules, read.claims, now_s, out) && judge_scopes(rules, read.claims, out) &&
        judge_claims(rules, read.claims, out)) {
        say_good(algorithm, &read, now_s, out);
    }
    json_decref(read.header);
    json_decref(read.claims);
}

bool jwt_read_exp(const char *token, size_t length, int64_t *out_s)
{
    struct token read = {.header = NULL};
    struct jwt_judgement ignored;
    bool said = read_token(token, length, &read, &ignored) &&
                read_date(json_object_get(read.claims, "exp"), out_s);
    json_decref(read.header);
    json_decref(read.claims);
    return said;
}
