// The `http` probe and what a server may send before its answer (1xx, RFC 9110 section 15.2); its
// answers are judged in tests/unit/test_http_match.c, and over real servers in
// tests/e2e/test_probe_tls.c.
#include "probes/aside.h"
#include "tests/unit/http_server.h"
#include "tests/unit/own_clock.h"
#include "tests/unit/probe_fixture.h"

#include <dlfcn.h>
#include <regex.h>
#include <sched.h>
#include <stdatomic.h>

#define EARLY  "HTTP/1.1 103 Early Hints\r\nX-Server: early\r\n\r\n"
#define EARLY4 EARLY EARLY EARLY EARLY
#define FINAL  "HTTP/1.1 200 OK\r\nX-Server: final\r\nContent-Length: 2\r\n\r\nok"

static struct fixture fixture;
static struct http_server server;

static const char *answer_early_then_final(const char *request)
{
    (void)request;
    return EARLY4 EARLY4 FINAL;
}

static const char *answer_final(const char *request)
{
    (void)request;
    return FINAL;
}

static const char *answer_early_only(const char *request)
{
    (void)request;
    return EARLY;
}

static void begin(const char *(*answer)(const char *))
{
    fixture_open(&fixture, "http");
    http_server_open(&server, &fixture.loop, "127.0.0.1");
    server.answer = answer;
    fixture_set(&fixture, "url", server.url);
}

static void end(void)
{
    http_server_close(&server);
    fixture_close(&fixture);
}

TEST(early_answers_are_passed_over)
{
    begin(answer_early_then_final);
    fixture_set(&fixture, "expect_header", "X-Server:");
    fixture_set(&fixture, "expect_header", "final");
    assert_verdict(fixture_run(&fixture, 1), VERDICT_PASS, "ok", "200");
    end();
}

TEST(headers_of_an_early_answer_are_not_the_answers)
{
    begin(answer_early_then_final);
    fixture_set(&fixture, "expect_header", "X-Server:");
    fixture_set(&fixture, "expect_header", "early");
    assert_verdict(fixture_run(&fixture, 1), VERDICT_FAIL, "header", "X-Server");
    end();
}

static void on_turn(uv_prepare_t *prepare)
{
    (void)prepare;
    own_clock_pass_ns(NS_PER_MS);
}

// libcurl itself stops at 300 KiB of them, in the versions that count; the timeout stops the rest.
TEST(a_flood_of_early_answers_is_a_failure_that_ends)
{
    begin(answer_early_only);
    server.flood = EARLY4 EARLY4;
    fixture_set(&fixture, "timeout", "500ms");
    uv_prepare_t turns; // the loop never sleeps, and some time must pass all the same
    uv_prepare_init(&fixture.loop, &turns);
    uv_prepare_start(&turns, on_turn);
    assert_int_equal(fixture_run(&fixture, 1)->kind, VERDICT_FAIL);
    for (size_t i = 0; i < HTTP_SERVER_CLIENTS; i++) {
        while (server.clients[i].fd >= 0) {
            uv_run(&fixture.loop, UV_RUN_ONCE); // until it sees that nobody listens any more
        }
    }
    uv_close((uv_handle_t *)&turns, NULL);
    end();
}

static const char *answer_chunked(const char *request)
{
    (void)request;
    return "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;";
}

TEST(a_chunk_extension_without_end_is_a_failure)
{
    begin(answer_chunked);
    server.flood = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
                   "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
    assert_verdict(fixture_run(&fixture, 1), VERDICT_FAIL, "too-large", "sends without end");
    end();
}

static const char *answer_endless_header(const char *request)
{
    (void)request;
    return "HTTP/1.1 200 OK\r\nX-Long: ";
}

static const char *answer_endless_status(const char *request)
{
    (void)request;
    return "HTTP/1.1 200 ";
}

TEST(a_header_or_status_line_without_end_is_the_servers_failure)
{
    static const char *(*const answers[])(const char *) = {answer_endless_header,
                                                           answer_endless_status};
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        begin(answers[i]);
        server.flood = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
                       "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
        assert_verdict(fixture_run(&fixture, 1), VERDICT_FAIL, "too-large", "header larger than");
        end();
    }
}

static char long_line[150000]; // more than libcurl takes, and all of it is there at once

static const char *answer_long_line(const char *request)
{
    (void)request;
    return long_line;
}

TEST(a_header_line_that_comes_at_once_and_is_too_long_is_the_servers_failure)
{
    int begun = snprintf(long_line, sizeof long_line, "HTTP/1.1 200 OK\r\nX-Long: ");
    memset(long_line + begun, 'x', sizeof long_line - 1 - (size_t)begun);
    begin(answer_long_line);
    assert_verdict(fixture_run(&fixture, 1), VERDICT_FAIL, "too-large", "header larger than");
    end();
}

TEST(no_proxy_of_the_environment_is_asked)
{
    static const char *const names[] = {"http_proxy", "all_proxy", "ALL_PROXY"};
    struct http_server proxy;
    begin(answer_final);
    http_server_open(&proxy, &fixture.loop, "127.0.0.1");
    proxy.answer = answer_final;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        setenv(names[i], proxy.url, 1);
        assert_verdict(fixture_run(&fixture, 1), VERDICT_PASS, "ok", "200");
        unsetenv(names[i]);
        assert_int_equal(server.asked, i + 1);
        assert_int_equal(proxy.accepted, 0);
    }
    http_server_close(&proxy);
    end();
}

static char moved[256]; // the answer to /moved

static const char *answer_moved(const char *request)
{
    return strncmp(request, "GET /moved ", 11) == 0 ? moved : FINAL;
}

static const char *answer_always_moved(const char *request)
{
    (void)request;
    return moved;
}

// Nothing listens at the address that the redirect names, and no resolver knows its name.
TEST(a_redirect_leads_to_no_other_address)
{
    static const char *const hosts[] = {"127.0.0.2", "elsewhere.invalid"};
    const char *port;
    char url[96];
    begin(answer_moved);
    port = strrchr(server.url, ':') + 1;
    fixture_set(&fixture, "follow_redirects", "yes");
    snprintf(url, sizeof url, "%s/moved", server.url);
    fixture_set(&fixture, "url", url);
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        snprintf(moved, sizeof moved,
                 "HTTP/1.1 302 Found\r\nLocation: http://%s:%s/there\r\nContent-Length: 0\r\n\r\n",
                 hosts[i], port);
        assert_verdict(fixture_run(&fixture, 1), VERDICT_PASS, "ok", "200");
        assert_int_equal(server.asked, 2 * (i + 1));
    }
    end();
}

TEST(what_a_redirect_leads_to_is_named_when_it_is_not_there)
{
    char expected[64];
    unsigned port = free_port();
    begin(answer_always_moved);
    fixture_set(&fixture, "follow_redirects", "yes");
    fixture_set(&fixture, "url", server.url);
    snprintf(moved, sizeof moved,
             "HTTP/1.1 302 Found\r\nLocation: http://192.0.2.1:%u/\r\nContent-Length: 0\r\n\r\n",
             port);
    snprintf(expected, sizeof expected, "connect to 127.0.0.1:%u: nothing listens there", port);
    assert_verdict(fixture_run(&fixture, 1), VERDICT_FAIL, "refused", expected);
    end();
}

TEST(an_address_in_the_url_is_where_it_connects)
{
    static const char *const addresses[] = {"127.0.0.1", "::1"};
    for (size_t i = 0; i < 2; i++) {
        fixture_open(&fixture, "http");
        http_server_open(&server, &fixture.loop, addresses[i]);
        server.answer = answer_final;
        fixture_set(&fixture, "url", server.url);
        assert_verdict(fixture_run(&fixture, 1), VERDICT_PASS, "ok", "200");
        assert_int_equal(server.asked, 1);
        end();
    }
}

TEST(the_body_of_an_answer_to_head_cannot_be_asked_for)
{
    static const char *const keys[] = {"body_contains", "body_regex"};
    char error[ERROR_MAX];
    for (size_t i = 0; i < 2; i++) {
        fixture_open(&fixture, "http");
        fixture_set(&fixture, "url", "http://192.0.2.80/");
        fixture_set(&fixture, "method", "HEAD");
        assert_int_equal(first_error(&fixture.conf, error), 0);
        fixture_set(&fixture, keys[i], "ok");
        assert_int_equal(first_error(&fixture.conf, error), -1);
        assert_string_equal(error, "the answer to HEAD has no body to look into");
        fixture_close(&fixture);
    }
}

// ---- The search in the body, aside

// This program's regexec() comes before the C library's.
static atomic_bool search_hangs;

int regexec(const regex_t *regex, const char *text, size_t count, regmatch_t matches[count],
            int flags)
{
    __typeof__(&regexec) real;
    void *symbol = dlsym(RTLD_NEXT, "regexec");
    memcpy(&real, &symbol, sizeof real);
    while (search_hangs) {
        usleep(1000);
    }
    return real(regex, text, count, matches, flags);
}

TEST(a_body_is_searched)
{
    begin(answer_final);
    fixture_set(&fixture, "body_regex", "^o[k]$");
    assert_verdict(fixture_run(&fixture, 2), VERDICT_PASS, "ok", "200");
    end();
    begin(answer_final);
    fixture_set(&fixture, "body_regex", "^k");
    assert_verdict(fixture_run(&fixture, 2), VERDICT_FAIL, "body", "the body does not match ^k");
    end();
    begin(answer_final);
    fixture_set(&fixture, "body_regex", "ok");
    fixture_set(&fixture, "expect_header", "X-Region:");
    assert_verdict(fixture_run(&fixture, 1), VERDICT_FAIL, "header", "no header with");
    end();
}

// One body cost a second of the loop's, with an expression that is harmless otherwise.
TEST(a_search_that_takes_long_keeps_nobody_waiting_and_is_no_evidence)
{
    begin(answer_final);
    fixture_set(&fixture, "body_regex", "ok");
    fixture_set(&fixture, "timeout", "200ms");
    search_hangs = true;
    assert_verdict(fixture_run(&fixture, 2), VERDICT_UNKNOWN, "local",
                   "search the body for body_regex: that of the check before has not ended");
    assert_verdict(&fixture.verdicts[0], VERDICT_UNKNOWN, "local",
                   "no end of the search for body_regex within 200ms");
    end();
    assert_true(aside_is_busy());
    search_hangs = false;
    while (aside_is_busy()) {
        guard_awaits("the end of what was left behind");
        sched_yield();
    }
}
