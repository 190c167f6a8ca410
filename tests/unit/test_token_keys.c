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

struct warnings {
    char text[1024];
};

static void note_warning(void *arg, bool error, const char *text)
{
    struct warnings *warnings = arg;
    size_t length = strlen(warnings->text);
    if (!error) {
        snprintf(warnings->text + length, sizeof warnings->text - length, "%s\n", text);
    }
}

static struct warnings warnings_of(const struct setting settings[SETTINGS_MAX])
{
    struct warnings warnings = {.text = ""};
    struct probe_problems problems = {note_warning, &warnings};
    struct fixture fixture;
    fixture_open(&fixture, "token");
    for (size_t i = 0; i < SETTINGS_MAX && settings[i].name != NULL; i++) {
        fixture_set(&fixture, settings[i].name, settings[i].value);
    }
    probe_check(&fixture.conf, &problems);
    fixture_close(&fixture);
    return warnings;
}

TEST(what_goes_in_clear_over_a_network_is_warned_of)
{
    static const struct {
        struct setting settings[SETTINGS_MAX];
        bool token, keys;
    } table[] = {
        {{{"token_url", "http://192.0.2.80/t"}, {"jwks_url", "https://192.0.2.80/k"}}, true, false},
        {{{"token_url", "https://192.0.2.80/t"}, {"jwks_url", "http://[2001:db8::1]/k"}},
         false,
         true},
        {{{"token_url", "http://127.0.0.1/t"}, {"jwks_url", "http://[::1]/k"}}, false, false},
        {{{"token_url", "http://id.example.net/t"},
          {"jwks_url", "http://id.example.net/k"},
          {"target", "192.0.2.80:80"},
          {"jwks_target", "127.0.0.1:80"}},
         true,
         false},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct warnings warnings = warnings_of(table[i].settings);
        assert_int_equal(strstr(warnings.text, "token_url is http: and leads away") != NULL,
                         table[i].token);
        assert_int_equal(strstr(warnings.text, "jwks_url is http: and leads away") != NULL,
                         table[i].keys);
    }
}
