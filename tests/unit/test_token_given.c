// A `token` probe with a token that was put into a file, and whoever is to take it: the issuer by
// introspection, or a protected service. No keys judge it before.
#include "probes/token_options.h"
#include "tests/lab/mint.h"
#include "tests/unit/http_server.h"
#include "tests/unit/probe_fixture.h"

#define HOUR_S INT64_C(3600)

static struct fixture fixture;
static struct http_server server;
static const char *status, *body;
static char file[] = "/tmp/popgate-test-given-XXXXXX";

static const char *answer(const char *request)
{
    static char text[512];
    (void)request;
    snprintf(text, sizeof text, "HTTP/1.1 %s\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n%s",
             status, strlen(body), body);
    return text;
}

static int make_file(void **state)
{
    (void)state;
    int fd = mkstemp(file); // readable by us only
    return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(file);
}

TEST_GROUP(make_file, remove_file);

static void put(const char *text)
{
    FILE *out = fopen(file, "w");
    assert_non_null(out);
    assert_true(fputs(text, out) >= 0);
    assert_int_equal(fclose(out), 0);
}

// A token that expires, or did, so many seconds from now.
static void put_token(int64_t left_s)
{
    char claims[64];
    json_t *key = mint_key("ES256", "gone");
    snprintf(claims, sizeof claims, "{\"exp\":%" PRId64 "}", time(NULL) + left_s);
    char *token = mint_token(key, claims);
    put(token);
    free(token);
    json_decref(key);
}

static void set_url(const char *key)
{
    char url[128];
    snprintf(url, sizeof url, "%s/%s", server.url, key);
    fixture_set(&fixture, key, url);
}

static int set_up(void **state)
{
    (void)state;
    body = "";
    fixture_open(&fixture, "token");
    http_server_open(&server, &fixture.loop, "127.0.0.1");
    server.answer = answer;
    fixture_set(&fixture, "token_file", file);
    return 0;
}

TEST_FIXTURE(set_up, NULL);

static void assert_comes_to(enum verdict_kind kind, const char *code, const char *cause)
{
    assert_verdict(fixture_run(&fixture, 1), kind, code, cause);
    http_server_close(&server);
    fixture_close(&fixture);
}

TEST(who_refuses_a_given_token_that_has_expired_has_not_failed)
{
    set_url("protected_url");
    status = "401 Unauthorized";
    put_token(-24 * HOUR_S);
    assert_comes_to(VERDICT_UNKNOWN, "exp", "popgate-test-given-");
    assert_non_null(
        strstr(fixture.verdicts[0].cause, "expired 24 hours ago; GET http://127.0.0.1:"));
}

TEST(a_given_token_is_forgotten_from_its_own_exp_on_whatever_leeway_there_is)
{
    set_url("protected_url");
    status = "403 Forbidden";
    put_token(-2);
    assert_comes_to(VERDICT_UNKNOWN, "exp", "expired ");
}

TEST(who_refuses_a_given_token_that_lasts_has_failed)
{
    set_url("protected_url");
    status = "401 Unauthorized";
    put_token(HOUR_S);
    assert_comes_to(VERDICT_FAIL, "protected", "status 401, expected 200");
}

TEST(who_refuses_a_given_token_that_tells_no_exp_has_failed)
{
    set_url("protected_url");
    status = "401 Unauthorized";
    put("opaque");
    assert_comes_to(VERDICT_FAIL, "protected", "status 401, expected 200");
}

// What is no refusal is evidence, whatever it was asked with.
TEST(a_server_in_trouble_has_failed_also_with_a_given_token_that_has_expired)
{
    set_url("protected_url");
    status = "500 Oh";
    put_token(-24 * HOUR_S);
    assert_comes_to(VERDICT_FAIL, "protected", "status 500, expected 200");
}

TEST(who_takes_a_given_token_that_has_expired_passes)
{
    set_url("protected_url");
    status = "200 OK";
    put_token(-24 * HOUR_S);
    assert_comes_to(VERDICT_PASS, "ok", "accepted");
}

TEST(an_issuer_to_whom_a_given_token_that_has_expired_is_inactive_has_not_failed)
{
    fixture_set(&fixture, "client_id", "probe");
    fixture_set(&fixture, "secret_file", file); // any secret does
    set_url("introspection_url");
    status = "200 OK";
    body = "{\"active\":false}";
    put_token(-24 * HOUR_S);
    assert_comes_to(VERDICT_UNKNOWN, "exp", "expired 24 hours ago; POST http://127.0.0.1:");
}
