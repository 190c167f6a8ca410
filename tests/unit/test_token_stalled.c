// A `token` probe whose issuer keeps it waiting: whatever happens meanwhile, it lets go at once,
// says nothing more, and never looks at a configuration that is gone.
#include "tests/unit/http_server.h"
#include "tests/unit/own_clock.h"
#include "tests/unit/probe_fixture.h"
#include "tests/unit/secret_file.h"

// {"alg":"RS256","kid":"k"}, {} and a signature that nobody will look at.
#define TOKEN "eyJhbGciOiJSUzI1NiIsImtpZCI6ImsifQ.e30.AAAA"
#define GRANTED                                                                                    \
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"                   \
    "Content-Length: 84\r\n\r\n{\"access_token\":\"" TOKEN "\",\"token_type\":\"Bearer\"}"

static struct fixture fixture;
static struct http_server issuer;

static const char *answer_nothing(const char *request)
{
    (void)request;
    return NULL;
}

static const char *answer_grants_only(const char *request)
{
    return strncmp(request, "POST /token", strlen("POST /token")) == 0 ? GRANTED : NULL;
}

static int set_up(void **state)
{
    char url[128];
    (void)state;
    fixture_open(&fixture, "token");
    http_server_open(&issuer, &fixture.loop, "127.0.0.1");
    fixture_set(&fixture, "interval", "1h");
    fixture_set(&fixture, "client_id", "probe");
    fixture_set(&fixture, "secret_file", secret_file);
    snprintf(url, sizeof url, "%s/token", issuer.url);
    fixture_set(&fixture, "token_url", url);
    snprintf(url, sizeof url, "%s/keys", issuer.url);
    fixture_set(&fixture, "jwks_url", url);
    return 0;
}

TEST_FIXTURE(set_up, NULL);

TEST_GROUP(write_secret, remove_secret);

// A configuration of its own, as a reload makes it: it can be taken away.
static struct probe_conf *copy_conf(uint64_t fingerprint)
{
    struct probe_conf *copy = malloc(sizeof *copy);
    assert_non_null(copy);
    *copy = fixture.conf;
    copy->fingerprint = fingerprint;
    copy->options = malloc(copy->type->options_size);
    assert_non_null(copy->options);
    memcpy(copy->options, fixture.conf.options, copy->type->options_size);
    return copy;
}

static void free_conf(struct probe_conf *conf)
{
    free(conf->options);
    free(conf);
}

static void apply(const struct probe_conf *conf)
{
    assert_int_equal(scheduler_apply(fixture.scheduler, &conf, conf ? 1 : 0), 0);
}

// Runs until the issuer has been asked so often, and answers no more.
static struct probe_conf *begin_and_stall(const char *(*answer)(const char *), size_t asked)
{
    struct probe_conf *conf = copy_conf(1);
    issuer.answer = answer;
    fixture.scheduler = scheduler_new(&fixture.loop, fixture_on_verdict, &fixture);
    assert_non_null(fixture.scheduler);
    apply(conf);
    while (issuer.asked < asked) {
        uv_run(&fixture.loop, UV_RUN_ONCE);
    }
    assert_int_equal(fixture.count, 0);
    return conf;
}

static bool has_clients(void)
{
    for (size_t i = 0; i < HTTP_SERVER_CLIENTS; i++) {
        if (issuer.clients[i].fd >= 0) {
            return true;
        }
    }
    return false;
}

// The issuer sees its client leave, and not because the time is over, which is long.
static void run_until_let_go(void)
{
    while (has_clients()) {
        uv_run(&fixture.loop, UV_RUN_ONCE);
    }
    assert_int_equal(fixture.count, 0);
}

static void end(void)
{
    if (fixture.scheduler != NULL) {
        scheduler_close(fixture.scheduler, NULL, NULL);
    }
    http_server_close(&issuer);
    fixture_close(&fixture);
}

static void removed_by_a_reload(const char *(*answer)(const char *), size_t asked)
{
    struct probe_conf *conf = begin_and_stall(answer, asked);
    apply(NULL);
    free_conf(conf);
    run_until_let_go();
    end();
}

TEST(a_reload_that_removes_it_ends_a_stalled_grant)
{
    removed_by_a_reload(answer_nothing, 1);
}

TEST(a_reload_that_removes_it_ends_a_stalled_fetch_of_keys)
{
    removed_by_a_reload(answer_grants_only, 2);
}

// It goes on with what it has begun, and the next check is of the new configuration.
TEST(a_reload_that_leaves_it_alone_leaves_its_check_alone)
{
    struct probe_conf *conf = begin_and_stall(answer_nothing, 1);
    struct probe_conf *same = copy_conf(1);
    apply(same);
    free_conf(conf);
    for (int turn = 0; turn < 4; turn++) {
        uv_run(&fixture.loop, UV_RUN_NOWAIT);
    }
    assert_true(has_clients());
    for (size_t i = 0; i < HTTP_SERVER_CLIENTS; i++) {
        http_client_end(&issuer.clients[i]);
    }
    fixture.wanted = 1;
    uv_run(&fixture.loop, UV_RUN_DEFAULT);
    assert_verdict(&fixture.verdicts[0], VERDICT_FAIL, "closed", "without an answer");
    end();
    free_conf(same);
}

TEST(a_reload_that_changes_it_begins_it_anew)
{
    struct probe_conf *conf = begin_and_stall(answer_grants_only, 2);
    struct probe_conf *other = copy_conf(2);
    apply(other);
    free_conf(conf);
    while (issuer.asked < 4) { // a grant and the keys, once more
        uv_run(&fixture.loop, UV_RUN_ONCE);
    }
    assert_int_equal(fixture.count, 0);
    end();
    free_conf(other);
}

static void on_closed(void *arg)
{
    *(bool *)arg = true;
}

static void stopped_while(const char *(*answer)(const char *), size_t asked)
{
    bool closed = false;
    struct probe_conf *conf = begin_and_stall(answer, asked);
    scheduler_close(fixture.scheduler, on_closed, &closed);
    free_conf(conf);
    fixture.scheduler = NULL;
    while (!closed) {
        uv_run(&fixture.loop, UV_RUN_ONCE);
    }
    run_until_let_go();
    end();
}

TEST(a_stop_ends_a_stalled_grant)
{
    stopped_while(answer_nothing, 1);
}

TEST(a_stop_ends_a_stalled_fetch_of_keys)
{
    stopped_while(answer_grants_only, 2);
}

static bool keys_are_not_asked_for(void)
{
    return issuer.asked < 2;
}

// The key set's server has half of the time: what is said is about the keys, and not a timeout.
TEST(keys_that_never_come_are_no_evidence)
{
    fixture_set(&fixture, "timeout", "400ms");
    own_clock.stands_still = keys_are_not_asked_for;
    struct probe_conf *conf = begin_and_stall(answer_grants_only, 2);
    fixture.wanted = 1;
    uv_run(&fixture.loop, UV_RUN_DEFAULT);
    assert_verdict(&fixture.verdicts[0], VERDICT_UNKNOWN, "jwks",
                   "can't judge the token: no answer");
    own_clock.stands_still = NULL;
    end();
    free_conf(conf);
}

static const char *answer_too_many(const char *request)
{
    (void)request;
    return "HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
}

TEST(an_issuer_that_is_asked_too_often_has_not_failed)
{
    struct probe_conf *conf = copy_conf(1);
    issuer.answer = answer_too_many;
    fixture.scheduler = scheduler_new(&fixture.loop, fixture_on_verdict, &fixture);
    fixture.wanted = 1;
    apply(conf);
    uv_run(&fixture.loop, UV_RUN_DEFAULT);
    assert_verdict(&fixture.verdicts[0], VERDICT_UNKNOWN, "rate-limited", "too many requests");
    end();
    free_conf(conf);
}
