// What a token's client says, and how it reads the answers.
#include "probes/oauth.h"

#include "tests/test.h"

#include <stdio.h>
#include <string.h>

TEST(a_form_is_encoded)
{
    char form[128] = "";
    assert_true(oauth_form_add(form, sizeof form, "grant_type", "client_credentials"));
    assert_true(oauth_form_add(form, sizeof form, "scope", "a b&c=\xc3\xa9"));
    assert_string_equal(form, "grant_type=client_credentials&scope=a%20b%26c%3D%C3%A9");
}

TEST(a_form_that_does_not_fit_is_emptied)
{
    char form[12] = "";
    assert_true(oauth_form_add(form, sizeof form, "a", "b"));
    assert_false(oauth_form_add(form, sizeof form, "secret", "secret"));
    assert_string_equal(form, "");
}

TEST(a_client_is_named_as_in_the_rfc)
{
    char header[128];
    char longer[4096];
    // The example of RFC 6749 section 2.3.1; its secret is "7Fjfp0ZBr1KtDRbnfVdmIw" in
    // section 4.1.3.
    assert_true(oauth_basic("s6BhdRkqt3", "7Fjfp0ZBr1KtDRbnfVdmIw", header, sizeof header));
    assert_string_equal(header,
                        "Authorization: Basic czZCaGRSa3F0Mzo3RmpmcDBaQnIxS3REUmJuZlZkbUl3");
    assert_true(oauth_basic("probe", "s3cret", header, sizeof header));
    assert_string_equal(header, "Authorization: Basic cHJvYmU6czNjcmV0");
    assert_true(oauth_basic("a", "b:c", header, sizeof header)); // a:b%3Ac
    assert_string_equal(header, "Authorization: Basic YTpiJTNBYw==");
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    assert_false(oauth_basic("a", longer, header, sizeof header));
    assert_false(oauth_basic("a", "much longer than there is room for", header, 40));
}

static size_t read_token(const char *text, char token[JWT_MAX + 1], char error[ERROR_MAX])
{
    error[0] = '\0';
    return oauth_read_token(text, strlen(text), token, error);
}

TEST(a_bearer_token_is_read)
{
    char token[JWT_MAX + 1];
    char error[ERROR_MAX];
    assert_int_equal(
        read_token("{\"access_token\":\"a.b.c\",\"token_type\":\"bearer\",\"expires_in\":3600}",
                   token, error),
        5);
    assert_string_equal(token, "a.b.c");
}

TEST(an_answer_without_a_bearer_token_says_why)
{
    static const struct {
        const char *text, *error;
    } cases[] = {
        {"", "the answer is empty"},
        {"[1]", "not a JSON object"},
        {"{\"access_token\":\"x\",", "not a JSON object"},
        {"{}", "no access_token"},
        {"{\"access_token\":7,\"token_type\":\"Bearer\"}", "no access_token"},
        {"{\"access_token\":\"\",\"token_type\":\"Bearer\"}", "no access_token"},
        {"{\"access_token\":\"x\"}", "token_type is missing"},
        {"{\"access_token\":\"x\\r\\nX-Admin: yes\",\"token_type\":\"Bearer\"}",
         "no Bearer token has"},
        {"{\"access_token\":\"x y\",\"token_type\":\"Bearer\"}", "no Bearer token has"},
        {"{\"access_token\":\"x=y\",\"token_type\":\"Bearer\"}", "no Bearer token has"},
        {"{\"access_token\":\"\\u00e9\",\"token_type\":\"Bearer\"}", "no Bearer token has"},
        {"{\"access_token\":\"x\",\"token_type\":\"DPoP\"}", "token_type is DPoP, not Bearer"},
        {"{\"access_token\":\"x\",\"access_token\":\"y\",\"token_type\":\"Bearer\"}",
         "not a JSON object"},
    };
    char token[JWT_MAX + 1];
    char error[ERROR_MAX];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(read_token(cases[i].text, token, error), 0);
        if (strstr(error, cases[i].error) == NULL) {
            fail_msg("%s: %s", cases[i].text, error);
        }
    }
}

TEST(every_character_of_rfc_6750_may_be_in_a_token)
{
    assert_true(oauth_is_bearer("azAZ09-._~+/=="));
    assert_false(oauth_is_bearer(""));
    assert_false(oauth_is_bearer("=="));
    assert_false(oauth_is_bearer("a\nb"));
}

TEST(a_token_longer_than_its_room_is_refused)
{
    static char answer[JWT_MAX + 64];
    char token[JWT_MAX + 1];
    char error[ERROR_MAX];
    snprintf(answer, sizeof answer, "{\"token_type\":\"Bearer\",\"access_token\":\"%0*d\"}",
             JWT_MAX, 0);
    assert_int_equal(read_token(answer, token, error), JWT_MAX);
    snprintf(answer, sizeof answer, "{\"token_type\":\"Bearer\",\"access_token\":\"%0*d\"}",
             JWT_MAX + 1, 0);
    assert_int_equal(read_token(answer, token, error), 0);
    assert_non_null(strstr(error, "16385 bytes"));
}

TEST(an_error_answer_is_told)
{
    static const struct {
        const char *text, *told;
    } cases[] = {
        {"{\"error\":\"invalid_client\"}", ": invalid_client"},
        {"{\"error\":\"invalid_scope\",\"error_description\":\"no\"}", ": invalid_scope"},
        {"{\"error\":7}", ""},
        {"{\"error\":\"Basic YzpzZWNyZXQ=\"}", ""},
        {"{\"error\":\"\\u001b[2J\"}", ""},
        {"<html>", ""},
        {"", ""},
    };
    char told[OAUTH_ERROR_MAX];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_string_equal(oauth_read_error(cases[i].text, strlen(cases[i].text), told),
                            cases[i].told);
    }
}

TEST(only_true_is_active)
{
    static const struct {
        const char *text, *error; // NULL: active
    } cases[] = {
        {"{\"active\":true,\"scope\":\"probe\"}", NULL},
        {"{\"active\":false}", "the token is not active"},
        {"{\"active\":\"true\"}", "no boolean"},
        {"{\"active\":1}", "no boolean"},
        {"{}", "no boolean"},
        {"true", "not a JSON object"},
        {"{\"active\":false,\"active\":true}", "not a JSON object"},
    };
    char error[ERROR_MAX];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bool active = oauth_read_active(cases[i].text, strlen(cases[i].text), error);
        assert_int_equal(active, cases[i].error == NULL);
        if (cases[i].error != NULL) {
            assert_non_null(strstr(error, cases[i].error));
        }
    }
}
