// A `token` probe over hours: an issuer that gives good tokens, and what becomes of its keys.
#include "probes/token_options.h"
#include "tests/lab/mint.h"
#include "tests/unit/http_server.h"
#include "tests/unit/own_clock.h"
#include "tests/unit/probe_fixture.h"
#include "tests/unit/secret_file.h"

#define ANSWER_MAX 8192
#define MINUTE_NS  (60 * NS_PER_S)

static struct fixture fixture;
static struct {
    struct http_server server;
    json_t *key;        // what it signs with
    char *keys, *token; // what it gives
    bool keys_broken;
    unsigned keys_asked;
    char answer[ANSWER_MAX];
} issuer;

static const char *answer(const char *request)
{
    char body[ANSWER_MAX - 256];
    bool keys = strncmp(request, "GET /keys", strlen("GET /keys")) == 0;
    issuer.keys_asked += keys;
    if (keys) {
        snprintf(body, sizeof body, "%s", issuer.keys);
    } else {
        snprintf(body, sizeof body, "{\"access_token\":\"%s\",\"token_type\":\"Bearer\"}",
                 issuer.token);
    }
    snprintf(issuer.answer, sizeof issuer.answer,
             "HTTP/1.1 %s\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n%s",
             keys && issuer.keys_broken ? "500 Oh" : "200 OK", strlen(body), body);
    return issuer.answer;
}

// Signs with a new key from now on, and gives it.
static void rotate(const char *kid)
{
    char claims[64];
    json_decref(issuer.key);
    free(issuer.keys);
    free(issuer.token);
    issuer.key = mint_key("ES256", kid);
    issuer.keys = mint_key_set(issuer.key, NULL);
    snprintf(claims, sizeof claims, "{\"exp\":%lld}", (long long)time(NULL) + 86400);
    issuer.token = mint_token(issuer.key, claims);
}

static void begin(void)
{
    const struct probe_conf *conf = &fixture.conf;
    fixture.conf.interval_ms = fixture.conf.fast_interval_ms = 10;
    fixture.scheduler = scheduler_new(&fixture.loop, fixture_on_verdict, &fixture);
    assert_non_null(fixture.scheduler);
    assert_int_equal(scheduler_apply(fixture.scheduler, &conf, 1), 0);
}

static int set_up(void **state)
{
    char url[128];
    (void)state;
    rotate("first");
    issuer.keys_broken = false;
    issuer.keys_asked = 0;
    fixture_open(&fixture, "token");
    http_server_open(&issuer.server, &fixture.loop, "127.0.0.1");
    issuer.server.answer = answer;
    fixture_set(&fixture, "client_id", "probe");
    fixture_set(&fixture, "secret_file", secret_file);
    snprintf(url, sizeof url, "%s/token", issuer.server.url);
    fixture_set(&fixture, "token_url", url);
    snprintf(url, sizeof url, "%s/keys", issuer.server.url);
    fixture_set(&fixture, "jwks_url", url);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    scheduler_close(fixture.scheduler, NULL, NULL);
    http_server_close(&issuer.server);
    fixture_close(&fixture);
    json_decref(issuer.key);
    free(issuer.keys);
    free(issuer.token);
    issuer.key = NULL;
    issuer.keys = issuer.token = NULL;
    return 0;
}

TEST_FIXTURE(set_up, tear_down);

TEST_GROUP(write_secret, remove_secret);

// What the next check, after that time, comes to.
static void assert_next(uint64_t after_ns, enum verdict_kind kind, const char *code,
                        const char *cause_part)
{
    own_clock_pass_ns(after_ns);
    fixture.count = 0;
    fixture.wanted = 1;
    uv_run(&fixture.loop, UV_RUN_DEFAULT);
    assert_verdict(&fixture.verdicts[0], kind, code, cause_part);
}

TEST(keys_that_could_not_be_had_for_an_hour_are_degraded)
{
    begin();
    assert_next(0, VERDICT_PASS, "ok", "signed with ES256 by key kid=first");
    issuer.keys_broken = true;
    assert_next(6 * MINUTE_NS, VERDICT_PASS, "ok", "by an older key set: GET ");
    assert_next(53 * MINUTE_NS, VERDICT_PASS, "ok", "by an older key set: GET ");
    assert_next(2 * MINUTE_NS, VERDICT_DEGRADED, "jwks",
                "the issuer's keys are of 61 minutes ago, more than jwks_max_age 1h: GET ");
    assert_next(0, VERDICT_DEGRADED, "jwks", "status 500, expected 200");
    issuer.keys_broken = false;
    assert_next(MINUTE_NS, VERDICT_PASS, "ok", "signed with ES256 by key kid=first");
}

TEST(how_old_keys_may_be_is_configured)
{
    fixture_set(&fixture, "jwks_max_age", "10m");
    begin();
    assert_next(0, VERDICT_PASS, "ok", "");
    issuer.keys_broken = true;
    assert_next(9 * MINUTE_NS, VERDICT_PASS, "ok", "by an older key set");
    assert_next(2 * MINUTE_NS, VERDICT_DEGRADED, "jwks", "more than jwks_max_age 10m");
}

TEST(keys_that_are_fetched_again_and_again_are_never_old)
{
    begin();
    for (unsigned i = 1; i < 40; i++) {
        assert_next(6 * MINUTE_NS, VERDICT_PASS, "ok", "kid=first, expires in");
        assert_int_equal(issuer.keys_asked, i);
    }
}

// The issuer has rotated: its new key is looked for at once, and again a second later, and until
// then that it is not there says nothing.
TEST(a_key_that_is_not_known_is_looked_for_again)
{
    char *old = strdup(issuer.keys);
    begin();
    assert_next(0, VERDICT_PASS, "ok", "kid=first");
    rotate("second");
    char *new = issuer.keys;
    issuer.keys = old;
    assert_next(0, VERDICT_FAIL, "kid", "its key kid=second is none of the issuer's");
    assert_int_equal(issuer.keys_asked, 2);
    assert_next(0, VERDICT_UNKNOWN, "jwks", "asked for again in a second");
    assert_int_equal(issuer.keys_asked, 2);
    issuer.keys = new;
    assert_next(NS_PER_S, VERDICT_PASS, "ok", "kid=second");
    assert_int_equal(issuer.keys_asked, 3);
    free(old);
}

static void give_token_of_yesterday(char *file)
{
    char claims[64];
    int fd = mkstemp(file);
    assert_true(fd >= 0);
    snprintf(claims, sizeof claims, "{\"exp\":%lld}", (long long)time(NULL) - 86400);
    char *token = mint_token(issuer.key, claims);
    assert_int_equal(write(fd, token, strlen(token)), strlen(token));
    close(fd);
    free(token);
    ((struct token_options *)fixture.conf.options)->token_url[0] = '\0';
    fixture_set(&fixture, "token_file", file);
}

TEST(a_given_token_that_has_expired_tells_nothing_of_its_issuer)
{
    char file[] = "/tmp/popgate-test-token-XXXXXX";
    give_token_of_yesterday(file);
    begin();
    assert_next(0, VERDICT_UNKNOWN, "exp", "expired 24 hours ago");
    unlink(file);
}

TEST(nor_does_it_when_the_key_that_signed_it_has_gone)
{
    char file[] = "/tmp/popgate-test-token-XXXXXX";
    give_token_of_yesterday(file);
    rotate("second");
    begin();
    assert_next(0, VERDICT_UNKNOWN, "exp", "expired 24 hours ago; its key kid=first is none");
    unlink(file);
}
