// The `http` probe: one request, judged by its status, its headers and its body; over TLS also by
// what a `tls` probe would ask of the certificate.
#include "probes/body_search.h"
#include "probes/http_match.h"
#include "probes/probe.h"
#include "probes/transfer_verdict.h"
#include "probes/types.h"

#include <assert.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEAD_MAX 16384

struct http_options {
    char url[URL_MAX];
    int method; // index into methods
    struct http_expected expected;
    struct http_headers headers; // sent
    uint64_t max_body;           // bytes
    bool follow_redirects;
    struct tls_options tls;
};

struct state {
    struct probe *probe;
    struct transfer transfer;
    struct body_search search; // open if there is a body_regex
    uint64_t answered_ns;
    bool matches; // by that search
};

enum { METHOD_GET, METHOD_HEAD };
static const char *const methods[] = {[METHOD_GET] = "GET", [METHOD_HEAD] = "HEAD", NULL};

#define FIELD(member) .offset = offsetof(struct http_options, member)

static const struct key http_keys[] = {
    {.name = "url", .kind = KEY_WORD, FIELD(url), .size = URL_MAX, .required = true},
    {.name = "method", .kind = KEY_CHOICE, FIELD(method), .choices = methods, .fallback = "GET"},
    {.name = "header",
     .kind = KEY_CUSTOM,
     FIELD(headers),
     .parse = http_parse_header,
     .list = true},
    {.name = "status",
     .kind = KEY_CUSTOM,
     FIELD(expected.statuses),
     .parse = http_parse_status,
     .fallback = "200-299",
     .list = true},
    {.name = "expect_header",
     .kind = KEY_CUSTOM,
     FIELD(expected.headers),
     .parse = http_parse_header,
     .list = true},
    {.name = "body_contains",
     .kind = KEY_STRING,
     FIELD(expected.body_contains),
     .size = KEY_TEXT_MAX},
    {.name = "body_regex", .kind = KEY_STRING, FIELD(expected.body_regex), .size = KEY_TEXT_MAX},
    {.name = "max_body", .kind = KEY_UINT, FIELD(max_body), .max = 1048576, .fallback = "65536"},
    {.name = "follow_redirects", .kind = KEY_BOOL, FIELD(follow_redirects), .fallback = "off"},
    TLS_KEYS(struct http_options, tls),
    KEY_END,
};

static void http_check(const struct probe_conf *conf, const struct probe_problems *problems)
{
    const struct http_options *options = conf->options;
    char error[ERROR_MAX];
    if (url_check(options->url, &conf->target, error) < 0) {
        probe_problem(problems, true, "%s", error);
    }
    if (options->method == METHOD_HEAD &&
        (options->expected.body_contains[0] || options->expected.body_regex[0])) {
        probe_problem(problems, true, "the answer to HEAD has no body to look into");
    }
    if (options->expected.body_regex[0] && http_regex_check(&options->expected, error) < 0) {
        probe_problem(problems, true, "%s", error);
    }
    tls_options_check(&options->tls, url_encrypted(options->url) || options->follow_redirects,
                      problems);
}

static const struct http_options *options_of(const struct state *state)
{
    return probe_conf(state->probe)->options;
}

static void match_answer(const struct transfer *transfer, bool matches, struct finding *out)
{
    const struct state *state = transfer->owner;
    char shown[TLS_SHOWN_MAX];
    struct http_answer answer = {
        .status = transfer->status,
        .head = transfer->head.bytes,
        .head_length = transfer->head.length,
        .body = transfer->body.bytes,
        .body_length = transfer->body.length,
        .matches = matches,
        .redirect = transfer->redirect,
        .remark = transfer->status >= 400 && transfer->peer.finished
                      ? tls_peer_shown_text(&transfer->peer, shown)
                      : "",
    };
    http_match(&options_of(state)->expected, &answer, out);
}

// A pass of the answer can still be a degraded certificate; a failure of the answer comes first.
static void judge_answer(const struct transfer *transfer, struct finding *out)
{
    const struct state *state = transfer->owner;
    struct finding certificate;
    match_answer(transfer, state->matches, out);
    if (!transfer->peer.finished || out->kind != VERDICT_PASS) {
        return;
    }
    tls_peer_judge(&transfer->peer, time(NULL), &certificate);
    if (certificate.kind != VERDICT_PASS) {
        *out = certificate;
    }
}

// Whether all but the expression is as expected.
static bool is_to_be_searched(const struct state *state, const struct transfer *transfer)
{
    struct finding found = transfer->result;
    if (!options_of(state)->expected.body_regex[0] || found.kind != VERDICT_PASS) {
        return false;
    }
    match_answer(transfer, true, &found);
    return found.kind == VERDICT_PASS;
}

static void cannot_search(struct state *state, const char *why)
{
    probe_verdict(state->probe, VERDICT_UNKNOWN, "local", "search the body for body_regex: %s",
                  why);
}

static void on_searched(void *owner, bool matches, const char *problem)
{
    struct state *state = owner;
    state->transfer.waited_ns += uv_hrtime() - state->answered_ns;
    state->matches = matches;
    if (problem != NULL) {
        cannot_search(state, problem);
    } else {
        transfer_verdict(state->probe, &state->transfer, judge_answer);
    }
}

static void on_done(struct transfer *transfer)
{
    struct state *state = transfer->owner;
    if (!is_to_be_searched(state, transfer)) {
        transfer_verdict(state->probe, transfer, judge_answer);
        return;
    }
    state->answered_ns = uv_hrtime();
    int error = body_search_begin(&state->search, &options_of(state)->expected,
                                  transfer->body.bytes, transfer->body.length);
    if (error) {
        cannot_search(state, error == UV_EBUSY ? "that of the check before has not ended"
                                               : uv_strerror(error));
    }
}

// ---- The probe type

static_assert(HTTP_HEADERS_MAX <= TRANSFER_HEADERS_MAX, "a request may have all of them");

static void http_start(struct probe *probe)
{
    struct state *state = probe_state(probe);
    const struct probe_conf *conf = probe_conf(probe);
    const struct http_options *options = conf->options;
    const char *headers[HTTP_HEADERS_MAX];
    for (size_t i = 0; i < options->headers.count; i++) {
        headers[i] = http_header(&options->headers, i);
    }
    const struct transfer_request request = {
        .method = methods[options->method],
        .url = options->url,
        .headers = headers,
        .header_count = options->headers.count,
        .target = &conf->target,
        .source = &conf->source,
        .tls = &options->tls,
        .redirects = options->follow_redirects ? TRANSFER_REDIRECTS_MAX : 0,
    };
    transfer_start(&state->transfer, &request);
}

static struct awaited http_cancel(struct probe *probe)
{
    struct state *state = probe_state(probe);
    if (body_search_forget(&state->search)) {
        return (struct awaited){"end of the search for body_regex", ALL_ITS_TIME};
    }
    return transfer_cancel(&state->transfer);
}

static void free_buffers(struct state *state)
{
    free(state->transfer.head.bytes);
    free(state->transfer.body.bytes);
}

static void on_search_free(void *owner)
{
    struct state *state = owner;
    probe_closed(state->probe);
}

static int http_open(struct probe *probe)
{
    struct state *state = probe_state(probe);
    const struct http_options *options = probe_conf(probe)->options;
    int result = UV_ENOMEM;
    state->probe = probe;
    state->transfer = (struct transfer){
        .owner = state,
        .on_done = on_done,
        .head = {.bytes = malloc(HEAD_MAX), .size = HEAD_MAX},
        .body = {.bytes = malloc(options->max_body + 1), .size = options->max_body},
    };
    if (state->transfer.head.bytes == NULL || state->transfer.body.bytes == NULL) {
        goto err;
    }
    result = curl_loop_acquire(probe_loop(probe), &state->transfer.loop);
    if (result) {
        goto err;
    }
    if (options->expected.body_regex[0]) {
        state->search = (struct body_search){
            .owner = state, .on_searched = on_searched, .on_free = on_search_free};
        result = body_search_open(&state->search, probe_loop(probe));
    }
    if (result) {
        goto err_loop;
    }
    return 0;

err_loop:
    curl_loop_release(state->transfer.loop);
err:
    free_buffers(state);
    return result;
}

static void http_close(struct probe *probe)
{
    struct state *state = probe_state(probe);
    transfer_close(&state->transfer);
    curl_loop_release(state->transfer.loop);
    free_buffers(state);
    if (state->search.owner != NULL) {
        body_search_close(&state->search);
    } else {
        probe_closed(probe);
    }
}

static int http_watch_address(const struct probe_conf *conf, struct endpoint *out)
{
    const struct http_options *options = conf->options;
    return url_address(options->url, &conf->target, out);
}

const struct probe_type probe_type_http = {
    .name = "http",
    .keys = http_keys,
    .options_size = sizeof(struct http_options),
    .check = http_check,
    .state_size = sizeof(struct state),
    .open = http_open,
    .close = http_close,
    .start = http_start,
    .cancel = http_cancel,
    .watch = probe_watch_tcp,
    .watch_address = http_watch_address,
};
