// What an http probe makes of an answer.
#include "probes/http_match.h"

#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void set_statuses(struct http_expected *expected, const char *words)
{
    char copy[256];
    char error[ERROR_MAX];
    char *rest = copy;
    char *word;
    snprintf(copy, sizeof copy, "%s", words);
    expected->statuses.count = 0;
    while ((word = strsep(&rest, " ")) != NULL) {
        assert_int_equal(http_parse_status(word, &expected->statuses, error), 0);
    }
}

static void set_headers(struct http_headers *headers, const char *words)
{
    char copy[256];
    char error[ERROR_MAX];
    char *rest = copy;
    char *word;
    snprintf(copy, sizeof copy, "%s", words);
    memset(headers, 0, sizeof *headers);
    while ((word = strsep(&rest, " ")) != NULL) {
        assert_int_equal(http_parse_header(word, headers, error), 0);
    }
}

static struct http_expected any_success(void)
{
    struct http_expected expected = {.statuses.count = 0};
    set_statuses(&expected, "200-299");
    return expected;
}

// Matches and says what is wrong; body may hold NULs.
static struct finding match(const struct http_expected *expected, long status, const char *head,
                            const char *body, size_t body_length)
{
    // Of just that size, so that a sanitizer sees who reads on.
    char *own = malloc(body_length + 1);
    char error[ERROR_MAX];
    struct finding finding;
    assert_non_null(own);
    memcpy(own, body, body_length);
    own[body_length] = '\0';
    bool searches = expected->body_regex[0] != '\0';
    if (searches) {
        assert_int_equal(http_regex_check(expected, error), 0);
    }
    struct http_answer answer = {.status = status,
                                 .head = head,
                                 .head_length = strlen(head),
                                 .body = own,
                                 .body_length = body_length,
                                 .matches =
                                     searches && http_regex_search(expected, own, body_length) == 1,
                                 .redirect = "",
                                 .remark = ""};
    http_match(expected, &answer, &finding);
    free(own);
    return finding;
}

static void assert_finding(struct finding finding, enum verdict_kind kind, const char *code,
                           const char *cause_part)
{
    assert_string_equal(finding.code, code);
    assert_int_equal(finding.kind, kind);
    if (strstr(finding.cause, cause_part) == NULL) {
        fail_msg("\"%s\" is not in \"%s\"", cause_part, finding.cause);
    }
}

TEST(a_status_within_a_range_passes)
{
    struct http_expected expected = any_success();
    set_statuses(&expected, "200-204 301");
    assert_finding(match(&expected, 200, "", "", 0), VERDICT_PASS, "ok", "status 200, 0 bytes");
    assert_finding(match(&expected, 204, "", "abc", 3), VERDICT_PASS, "ok", "3 bytes");
    assert_finding(match(&expected, 301, "", "", 0), VERDICT_PASS, "ok", "status 301");
    assert_finding(match(&expected, 205, "", "", 0), VERDICT_FAIL, "status",
                   "status 205, expected 200-204 301");
    assert_finding(match(&expected, 199, "", "", 0), VERDICT_FAIL, "status", "status 199");
    assert_finding(match(&expected, 0, "", "", 0), VERDICT_FAIL, "status", "status 0");
}

TEST(a_server_that_is_asked_too_often_has_not_failed)
{
    struct http_expected expected = any_success();
    assert_finding(match(&expected, 429, "", "", 0), VERDICT_UNKNOWN, "rate-limited",
                   "status 429, too many requests, expected 200-299");
    assert_finding(match(&expected, 428, "", "", 0), VERDICT_FAIL, "status", "status 428");
    assert_finding(match(&expected, 503, "", "", 0), VERDICT_FAIL, "status", "status 503");
    set_statuses(&expected, "200 429");
    assert_finding(match(&expected, 429, "", "", 0), VERDICT_PASS, "ok", "status 429");
    set_headers(&expected.headers, "Retry-After:");
    assert_finding(match(&expected, 429, "", "", 0), VERDICT_FAIL, "header", "Retry-After");
}

TEST(a_status_that_is_none_is_refused)
{
    static const char *const wrong[] = {"",         "20",   "2000",     "099",     "600",
                                        "2xx",      "200-", "-200",     "299-200", "+200",
                                        "200-299-", " 200", "200-2990", "200,201", "200--299"};
    struct http_statuses statuses = {0};
    char error[ERROR_MAX];
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(http_parse_status(wrong[i], &statuses, error), -1);
        assert_non_null(strstr(error, "neither a status"));
    }
    for (size_t i = 0; i < HTTP_STATUS_RANGES_MAX; i++) {
        assert_int_equal(http_parse_status("200", &statuses, error), 0);
    }
    assert_int_equal(http_parse_status("200", &statuses, error), -1);
}

TEST(words_become_headers)
{
    struct http_headers headers;
    set_headers(&headers, "X-Region: eu central Accept: text/html;q=1 X-Empty:");
    assert_int_equal(headers.count, 3);
    assert_string_equal(http_header(&headers, 0), "X-Region: eu central");
    assert_string_equal(http_header(&headers, 1), "Accept: text/html;q=1");
    assert_string_equal(http_header(&headers, 2), "X-Empty:");
}

TEST(headers_have_a_name_and_a_bound)
{
    struct http_headers headers = {0};
    char error[ERROR_MAX];
    assert_int_equal(http_parse_header("value", &headers, error), -1);
    assert_int_equal(http_parse_header(":", &headers, error), -1);
    assert_int_equal(http_parse_header("a(b:", &headers, error), -1);
    assert_int_equal(http_parse_header("Name:\r\nOther:", &headers, error), -1);
    for (size_t i = 0; i < HTTP_HEADERS_MAX; i++) {
        assert_int_equal(http_parse_header("Name:", &headers, error), 0);
    }
    assert_int_equal(http_parse_header("Name:", &headers, error), -1);
    size_t words = 0;
    while (http_parse_header("0123456789", &headers, error) == 0) {
        assert_true(++words < 200);
    }
    assert_true(headers.length <= sizeof headers.text);
}

TEST(a_header_is_found_by_name_and_part_of_its_value)
{
    struct http_expected expected = any_success();
    const char *head = "HTTP/1.1 200 OK\nServer: nginx/1.22\nx-region:eu-central\n";
    set_headers(&expected.headers, "server: nginx X-Region: eu-central");
    assert_finding(match(&expected, 200, head, "", 0), VERDICT_PASS, "ok", "");
    set_headers(&expected.headers, "X-Region:");
    assert_finding(match(&expected, 200, head, "", 0), VERDICT_PASS, "ok", "");
    set_headers(&expected.headers, "X-Region: eu-west");
    assert_finding(match(&expected, 200, head, "", 0), VERDICT_FAIL, "header",
                   "no header with \"X-Region: eu-west\", but \"x-region:eu-central\"");
    set_headers(&expected.headers, "Region: eu-central");
    assert_finding(match(&expected, 200, head, "", 0), VERDICT_FAIL, "header",
                   "no header with \"Region: eu-central\"");
    assert_finding(match(&expected, 200, "", "", 0), VERDICT_FAIL, "header", "no header with");
}

TEST(the_body_is_searched_beyond_nuls)
{
    struct http_expected expected = any_success();
    static const char body[] = "one\0two\0three";
    snprintf(expected.body_contains, sizeof expected.body_contains, "two");
    snprintf(expected.body_regex, sizeof expected.body_regex, "^thr[e]+$");
    assert_finding(match(&expected, 200, "", body, sizeof body - 1), VERDICT_PASS, "ok", "");
    assert_finding(match(&expected, 200, "", body, 3), VERDICT_FAIL, "body",
                   "no \"two\" in the body: \"one\"");
    assert_finding(match(&expected, 200, "", body, 8), VERDICT_FAIL, "body",
                   "does not match ^thr[e]+$: \"one.two.\"");
    expected.body_contains[0] = '\0';
    assert_finding(match(&expected, 200, "", "", 0), VERDICT_FAIL, "body", "does not match");
}

TEST(a_regex_matches_anywhere_in_a_line_unless_it_is_anchored)
{
    static const struct {
        const char *regex;
        enum verdict_kind kind;
    } cases[] = {
        {"ready", VERDICT_PASS},       {"^ready", VERDICT_FAIL},
        {"^second|zzz", VERDICT_PASS}, {"zzz|ready$", VERDICT_PASS},
        {"first$", VERDICT_FAIL},      {"first\\sline\\ssecond", VERDICT_PASS},
        {"[)\\)]", VERDICT_PASS},
    };
    struct http_expected expected = any_success();
    static const char body[] = "first line\nsecond line (up) ready\n\xff";
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        snprintf(expected.body_regex, sizeof expected.body_regex, "%s", cases[i].regex);
        assert_int_equal(match(&expected, 200, "", body, sizeof body - 1).kind, cases[i].kind);
    }
}

TEST(a_regex_sees_the_beginning_of_a_large_body_only)
{
    struct http_expected expected = any_success();
    static char body[HTTP_REGEX_MAX + 3];
    memset(body, 'x', sizeof body);
    body[HTTP_REGEX_MAX - 1] = 'e';
    body[HTTP_REGEX_MAX] = 'n';
    body[HTTP_REGEX_MAX + 1] = 'd';
    snprintf(expected.body_regex, sizeof expected.body_regex, "e");
    assert_finding(match(&expected, 200, "", body, sizeof body), VERDICT_PASS, "ok", "");
    snprintf(expected.body_regex, sizeof expected.body_regex, "en");
    assert_finding(match(&expected, 200, "", body, sizeof body), VERDICT_FAIL, "body",
                   "the body's beginning does not match en");
}

TEST(what_is_shown_of_a_body_is_short_and_printable)
{
    struct http_expected expected = any_success();
    char body[400];
    memset(body, '\x1b', sizeof body);
    snprintf(expected.body_contains, sizeof expected.body_contains, "never");
    struct finding finding = match(&expected, 200, "", body, sizeof body);
    assert_finding(finding, VERDICT_FAIL, "body", ".....\"");
    assert_null(strchr(finding.cause, '\x1b'));
}

TEST(a_wrong_expression_is_refused)
{
    struct http_expected expected = any_success();
    char error[ERROR_MAX];
    snprintf(expected.body_regex, sizeof expected.body_regex, "(open");
    assert_int_equal(http_regex_check(&expected, error), -1);
    assert_non_null(strstr(error, "body_regex \"(open\": "));
    snprintf(expected.body_regex, sizeof expected.body_regex, "(a*)*\\1");
    assert_int_equal(http_regex_check(&expected, error), -1);
    assert_non_null(strstr(error, "back-references"));
    snprintf(expected.body_regex, sizeof expected.body_regex, "a|b)");
    assert_int_equal(http_regex_check(&expected, error), -1);
    assert_non_null(strstr(error, ") without ("));
    snprintf(expected.body_regex, sizeof expected.body_regex, "a)(b");
    assert_int_equal(http_regex_check(&expected, error), -1);
    snprintf(expected.body_regex, sizeof expected.body_regex, "a\\\\1");
    assert_int_equal(http_regex_check(&expected, error), 0);
}
