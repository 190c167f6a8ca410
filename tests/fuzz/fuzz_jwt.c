// Reads anything as a token (the first line) and the key set to judge it by (the rest), and both as
// answers of an issuer. Nothing is believed without a key, nor in an algorithm that is not allowed,
// and every refusal has its reason.
#include "probes/jwt.h"
#include "probes/oauth.h"

#include <stdlib.h>
#include <string.h>

#define NOW_S 1800000000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool what)
{
    if (!what) {
        abort();
    }
}

static void judge(const struct jwt_rules *rules, const char *token, size_t length,
                  const json_t *keys, struct jwt_judgement *out)
{
    jwt_judge(rules, token, length, keys, NOW_S, out);
    bool good = out->finding.kind == VERDICT_PASS;
    require(good || out->finding.kind == VERDICT_FAIL);
    require(good == (strcmp(out->finding.code, "ok") == 0));
    require(out->finding.code[0] && out->finding.cause[0]);
    require(!good || (keys != NULL && !out->newer_keys_may_help));
}

static void read_answer(const char *text, size_t length)
{
    static char token[JWT_MAX + 1];
    char error[ERROR_MAX] = "";
    char told[OAUTH_ERROR_MAX];
    size_t token_length = oauth_read_token(text, length, token, error);
    require(token_length > 0 ? strlen(token) == token_length : error[0] != '\0');
    error[0] = '\0';
    require(oauth_read_active(text, length, error) != (error[0] != '\0'));
    require(strlen(oauth_read_error(text, length, told)) < OAUTH_ERROR_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *token = (const char *)data;
    const char *line_end = size > 0 ? memchr(data, '\n', size) : NULL;
    size_t length = line_end != NULL ? (size_t)(line_end - token) : size;
    const char *rest = line_end != NULL ? line_end + 1 : token + size;
    size_t rest_length = size - (size_t)(rest - token);
    struct jwt_rules lax = {.leeway_ms = 1000};
    struct jwt_rules strict = {.min_lifetime_ms = 1000, .issuer = "i", .audience = "a"};
    struct jwt_judgement judgement;
    char error[ERROR_MAX] = "";
    int64_t exp_s;
    if (size == 0) {
        return 0;
    }
    require(jwt_word_parse("s", &strict.scopes, error) == 0);
    require(jwt_claim_parse("region=r", &strict.claims, error) == 0);
    require(jwt_algorithm_parse("EdDSA", &strict.algorithms, error) == 0);

    json_t *keys = jwt_keys_parse(rest, rest_length, error);
    require(keys != NULL || error[0]);
    judge(&lax, token, length, NULL, &judgement);
    judge(&lax, token, length, keys, &judgement);
    bool believed = judgement.finding.kind == VERDICT_PASS;
    judge(&strict, token, length, keys, &judgement);
    require(believed || judgement.finding.kind == VERDICT_FAIL);
    require(jwt_read_exp(token, length, &exp_s) || !believed);
    json_decref(keys);

    read_answer(rest, rest_length);
    return 0;
}
