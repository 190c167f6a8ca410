// Which combinations of a token probe's keys make sense. What it makes of issuers, real and
// hostile, is in tests/e2e/test_probe_token.c.
#include "tests/unit/probe_fixture.h"

#define GRANT                                                                                      \
    {"token_url", "http://192.0.2.80/token"}, {"client_id", "probe"},                              \
    {                                                                                              \
        "secret_file", "/etc/popgate/secret"                                                       \
    }
#define JWKS                                                                                       \
    {                                                                                              \
        "jwks_url", "http://192.0.2.80/keys"                                                       \
    }
#define SETTINGS_MAX 6

struct setting {
    const char *name, *value;
};

// The problem that probe_check() sees, or "".
static const char *problem_of(const struct setting settings[SETTINGS_MAX])
{
    static char error[ERROR_MAX];
    struct fixture fixture;
    fixture_open(&fixture, "token");
    for (size_t i = 0; i < SETTINGS_MAX && settings[i].name != NULL; i++) {
        fixture_set(&fixture, settings[i].name, settings[i].value);
    }
    if (first_error(&fixture.conf, error) == 0) {
        error[0] = '\0';
    }
    fixture_close(&fixture);
    return error;
}

TEST(what_makes_sense_is_accepted)
{
    static const struct setting good[][SETTINGS_MAX] = {
        {GRANT, JWKS},
        {GRANT, {"introspection_url", "http://192.0.2.80/introspect"}},
        {{"token_file", "/etc/popgate/token"}, JWKS},
        {{"token_file", "/etc/popgate/token"}, {"protected_url", "http://192.0.2.80/"}},
        {GRANT, {"jwks_url", "https://id.example.net/keys"}, {"target", "192.0.2.80:443"}},
        {GRANT, {"jwks_url", "https://id.example.net/keys"}, {"jwks_target", "192.0.2.80:443"}},
        {{"token_url", "http://192.0.2.80/token"},
         {"client_id", "probe"},
         {"secret_credential", "secret"},
         JWKS,
         {"claims", "region=eu-central"}},
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_string_equal(problem_of(good[i]), "");
    }
}

TEST(what_makes_none_is_refused_with_a_reason)
{
    static const struct {
        struct setting settings[SETTINGS_MAX];
        const char *problem;
    } bad[] = {
        {{JWKS}, "one of token_url and token_file is needed"},
        {{GRANT, JWKS, {"token_file", "/t"}}, "one of token_url and token_file"},
        {{{"token_url", "http://192.0.2.80/token"}, JWKS}, "need client_id"},
        {{{"token_url", "http://192.0.2.80/token"}, {"client_id", "probe"}, JWKS},
         "secret_file or secret_credential"},
        {{{"token_file", "/t"}, {"introspection_url", "http://192.0.2.80/"}}, "need client_id"},
        {{GRANT, JWKS, {"secret_credential", "secret"}}, "is enough"},
        {{{"token_file", "relative"}, JWKS}, "must be an absolute path"},
        {{GRANT}, "what judges the token"},
        {{GRANT, {"protected_url", "http://192.0.2.80/"}, {"audience", "api"}},
         "jwks_url is missing"},
        {{GRANT, {"jwks_url", "https://id.example.net/keys"}}, "names a host"},
        {{GRANT, JWKS, {"protected_url", "ftp://192.0.2.80/"}}, "neither http: nor https:"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const char *problem = problem_of(bad[i].settings);
        if (strstr(problem, bad[i].problem) == NULL) {
            fail_msg("\"%s\", expected \"%s\"", problem, bad[i].problem);
        }
    }
}
