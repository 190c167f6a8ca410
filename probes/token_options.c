// See token_options.h.
#include "probes/token_options.h"

#include "base/clock.h"

#include <string.h>

static const char *const auth_words[] = {"basic", "post", NULL};

#define FIELD(member) .offset = offsetof(struct token_options, member)
#define TEXT(member)  FIELD(member), .size = sizeof((struct token_options *)0)->member

const struct key token_keys[] = {
    {.name = "token_url", .kind = KEY_WORD, TEXT(token_url)},
    {.name = "client_id", .kind = KEY_STRING, TEXT(client_id)},
    {.name = "secret_file", .kind = KEY_STRING, TEXT(secret_file)},
    {.name = "secret_credential", .kind = KEY_WORD, TEXT(secret_credential)},
    {.name = "auth", .kind = KEY_CHOICE, FIELD(auth), .choices = auth_words, .fallback = "basic"},
    {.name = "scope", .kind = KEY_STRING, TEXT(scope)},
    {.name = "token_file", .kind = KEY_STRING, TEXT(token_file)},
    {.name = "jwks_url", .kind = KEY_WORD, TEXT(jwks_url)},
    {.name = "jwks_target", .kind = KEY_ENDPOINT, FIELD(jwks_target)},
    {.name = "jwks_max_age",
     .kind = KEY_DURATION,
     FIELD(jwks_max_age_ms),
     .min = 600 * MS_PER_S,
     .max = 365 * MS_PER_DAY,
     .fallback = "1h"},
    {.name = "algorithms",
     .kind = KEY_CUSTOM,
     FIELD(rules.algorithms),
     .parse = jwt_algorithm_parse,
     .list = true},
    {.name = "issuer", .kind = KEY_WORD, TEXT(rules.issuer)},
    {.name = "audience", .kind = KEY_STRING, TEXT(rules.audience)},
    {.name = "require_scope",
     .kind = KEY_CUSTOM,
     FIELD(rules.scopes),
     .parse = jwt_word_parse,
     .list = true},
    {.name = "claims",
     .kind = KEY_CUSTOM,
     FIELD(rules.claims),
     .parse = jwt_claim_parse,
     .list = true},
    {.name = "leeway",
     .kind = KEY_DURATION,
     FIELD(rules.leeway_ms),
     .max = MS_PER_HOUR,
     .fallback = "30s"},
    {.name = "min_lifetime",
     .kind = KEY_DURATION,
     FIELD(rules.min_lifetime_ms),
     .max = MS_PER_DAY,
     .fallback = "0s"},
    {.name = "introspection_url", .kind = KEY_WORD, TEXT(introspection_url)},
    {.name = "protected_url", .kind = KEY_WORD, TEXT(protected_url)},
    {.name = "protected_target", .kind = KEY_ENDPOINT, FIELD(protected_target)},
    TLS_KEYS(struct token_options, tls),
    KEY_END,
};

const struct endpoint *token_target(const struct endpoint *own, const struct endpoint *target)
{
    return own->length > 0 ? own : target;
}

static bool has_rules(const struct jwt_rules *rules)
{
    return rules->algorithms || rules->issuer[0] || rules->audience[0] || rules->scopes.count > 0 ||
           rules->claims.count > 0 || rules->min_lifetime_ms > 0;
}

static void check_options(const struct token_options *options,
                          const struct probe_problems *problems)
{
    bool has_secret = options->secret_file[0] || options->secret_credential[0];
    bool is_client = options->token_url[0] || options->introspection_url[0];
    bool asks_as_client = options->client_id[0] || has_secret || options->auth == CLIENT_AUTH_POST;
    bool judged =
        options->jwks_url[0] || options->introspection_url[0] || options->protected_url[0];
    bool rules = has_rules(&options->rules);
    const struct {
        bool wrong, error;
        const char *text;
    } cases[] = {
        {!options->token_url[0] == !options->token_file[0], true,
         "just one of token_url and token_file is needed: where the token comes from"},
        {is_client && (!options->client_id[0] || !has_secret), true,
         "token_url and introspection_url need client_id, and secret_file or secret_credential"},
        {options->secret_file[0] && options->secret_credential[0], true,
         "one of secret_file and secret_credential is enough"},
        {strchr(options->secret_credential, '/') != NULL, true,
         "secret_credential is a name, not a path"},
        {!options->jwks_url[0] && rules, true,
         "what a token says counts only when it is signed: jwks_url is missing"},
        {!judged && !rules, true,
         "jwks_url, introspection_url or protected_url is needed: what judges the token"},
        {options->token_file[0] && options->scope[0], false,
         "scope is of no use with token_file: no token is asked for"},
        {options->token_file[0] && !is_client && asks_as_client, false,
         "client_id, its secret and auth are of no use with token_file: nobody is asked as a "
         "client"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (cases[i].wrong) {
            probe_problem(problems, cases[i].error, "%s", cases[i].text);
        }
    }
    probe_check_secret(problems, "secret_file", options->secret_file);
    probe_check_secret(problems, "token_file", options->token_file);
}

// Whoever is on the way over a network hears what is sent in clear, and may answer.
static void check_clear(const char *key, const char *url, const struct endpoint *target,
                        const char *danger, const struct probe_problems *problems)
{
    struct endpoint address;
    if (!url_encrypted(url) && url_address(url, target, &address) == 0 &&
        !address_is_loopback(&address.address)) {
        probe_problem(problems, false, "%s is http: and leads away from this host: %s", key,
                      danger);
    }
}

void token_options_check(const struct probe_conf *conf, const struct probe_problems *problems)
{
    static const char sent[] = "the client's secret and the token go in clear";
    static const char used[] = "the token goes in clear";
    static const char keys[] = "whoever is on the way can give other keys";
    const struct token_options *options = conf->options;
    const struct {
        const char *key, *url;
        const struct endpoint *target;
        const char *danger;
    } urls[] = {
        {"token_url", options->token_url, &conf->target, sent},
        {"jwks_url", options->jwks_url, token_target(&options->jwks_target, &conf->target), keys},
        {"introspection_url", options->introspection_url, &conf->target, sent},
        {"protected_url", options->protected_url,
         token_target(&options->protected_target, &conf->target), used},
    };
    char error[ERROR_MAX];
    bool encrypted = false;
    check_options(options, problems);
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        encrypted |= url_encrypted(urls[i].url);
        if (urls[i].url[0] && url_check(urls[i].url, urls[i].target, error) != 0) {
            probe_problem(problems, true, "%s", error);
        } else if (urls[i].url[0]) {
            check_clear(urls[i].key, urls[i].url, urls[i].target, urls[i].danger, problems);
        }
    }
    tls_options_check(&options->tls, encrypted, problems);
}

// The first request of which a refusal is a failure: not the one for the keys.
static const char *watched_url(const struct token_options *options)
{
    return options->token_url[0]           ? options->token_url
           : options->introspection_url[0] ? options->introspection_url
                                           : options->protected_url;
}

unsigned token_options_watch(const struct probe_conf *conf)
{
    return conf->target.length > 0 || watched_url(conf->options)[0] ? PROBE_WATCH_TCP : 0;
}

int token_options_watch_address(const struct probe_conf *conf, struct endpoint *out)
{
    const struct token_options *options = conf->options;
    const char *url = watched_url(options);
    const struct endpoint *target = url == options->protected_url
                                        ? token_target(&options->protected_target, &conf->target)
                                        : &conf->target;
    return url_address(url, target, out);
}
