// The `token` probe: gets an access token as a client does, judges it, and has it judged by those
// who will have to.
//
//     GRANT ─▶ KEYS ─▶ (judge) ─▶ INTROSPECTION ─▶ USE
//
// Each step is one request; all but the first two are left out unless asked for.
//
// Promises: an issuer that can't give a good token fails; a key set that can't be had is no
// evidence about the issuer, so the verdict is `unknown` (code "jwks"), unless a key of the last
// set verifies the token; `degraded` once that set is older than jwks_max_age: who begins to verify
// tokens now can't. A key set is fetched when it is old, and at once for a key that it lacks (the
// issuer has rotated), but for that reason not more often than each second; until then a key that
// it lacks is no evidence either, since it may be there by now. Neither secret nor token is in any
// text that leaves this file, whatever the issuer sends back; the token is wiped when a check ends.
#include "base/clock.h"
#include "probes/certificate.h"
#include "probes/oauth.h"
#include "probes/probe.h"
#include "probes/token_secrets.h"
#include "probes/transfer.h"
#include "probes/types.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define KEYS_OLD_NS   (300 * NS_PER_S)
#define KEYS_PAUSE_NS (10 * NS_PER_S)
#define KEYS_RETRY_NS NS_PER_S // after a fetch that failed, and for want of a key
#define ANSWER_MAX    65536
#define HEAD_MAX      65536
#define FORM_MAX      (JWT_MAX + 4096)
#define BEARER        "Authorization: Bearer "
#define FORM_TYPE     "Content-Type: application/x-www-form-urlencoded"
#define REVEALED_MAX  12 // bytes of a secret in a row

enum step { STEP_GRANT, STEP_KEYS, STEP_INTROSPECTION, STEP_USE };

// The last key set that could be had, kept from check to check.
struct key_cache {
    json_t *set;                     // NULL: none yet
    uint64_t had_ns;                 // when that was
    uint64_t old_ns;                 // when to fetch it again; on uv_hrtime()'s clock, as the next
    uint64_t again_ns;               // not before this for want of a key
    char problem[VERDICT_CAUSE_MAX]; // of the last fetch; empty if it went well
};

struct state {
    struct probe *probe;
    struct transfer transfer;
    struct transfer_request request;
    struct token_options options; // copies: a reload may take the configuration away in mid-check
    struct endpoint target, source;
    struct token_secrets secrets;
    struct key_cache keys;
    uv_timer_t patience;          // with the key set's server
    uint64_t began_ns, waited_ns; // the latter for files of our own
    enum step step;
    bool fetched;                    // the key set, in this check
    char degraded[VERDICT_CODE_MAX]; // why a good token is not enough; empty: it is
    char remark[VERDICT_CAUSE_MAX];  // on what was degraded, or on the good token
    const char *headers[2];
    size_t token_length;
    char token[JWT_MAX + 1];
    char authorization[sizeof BEARER + JWT_MAX];
    char form[FORM_MAX];
    char answer[ANSWER_MAX];
};

// ---- Ends of a check; the verdict is always the last thing that is done.

static const struct token_options *options_of(const struct state *state)
{
    return &state->options;
}

static void stop(struct state *state)
{
    uv_timer_stop(&state->patience);
    explicit_bzero(state->token, strlen(state->token));
    explicit_bzero(state->authorization, strlen(state->authorization));
    explicit_bzero(state->form, strlen(state->form));
    explicit_bzero(state->answer, state->transfer.body.length);
}

// Any part of it is too much: a cause is cut where it is too long, and so is what it quotes.
static bool has_part_of(const char *cause, const char *text)
{
    char part[REVEALED_MAX + 1];
    size_t length = text != NULL ? strnlen(text, REVEALED_MAX) : 0;
    for (size_t left = strlen(cause); length > 0 && left >= length; left--, cause++) {
        snprintf(part, sizeof part, "%.*s", (int)length, cause);
        if (strstr(text, part) != NULL) {
            return true;
        }
    }
    return false;
}

static void end(struct state *state, enum verdict_kind kind, const char *code, const char *cause)
{
    // The secret travels in base64, too: "Authorization: Basic ...".
    const char *sent = strrchr(state->authorization, ' ');
    bool reveals = has_part_of(cause, state->secrets.client.text) ||
                   has_part_of(cause, state->token) ||
                   has_part_of(cause, sent != NULL ? sent + 1 : NULL);
    stop(state);
    probe_waited_for_ourselves(state->probe, state->waited_ns);
    probe_verdict(state->probe, kind, code, "%s",
                  reveals ? "what went wrong has the secret or the token in it, so it is not shown"
                          : cause);
}

static void end_unread(struct state *state, const char *what, const char *problem)
{
    struct finding finding;
    finding_set(&finding, VERDICT_UNKNOWN, "secret", "read the %s: %s", what, problem);
    end(state, finding.kind, finding.code, finding.cause);
}

// What the token is called in causes.
static const char *token_origin(const struct state *state)
{
    const struct token_options *options = options_of(state);
    return options->token_url[0] ? options->token_url : options->token_file;
}

static void end_judged(struct state *state, const struct finding *finding)
{
    struct finding whole;
    finding_set(&whole, finding->kind, finding->code, "token from %s: %s", token_origin(state),
                finding->cause);
    end(state, whole.kind, whole.code, whole.cause);
}

static void end_good(struct state *state)
{
    struct finding finding;
    if (state->degraded[0]) {
        end(state, VERDICT_DEGRADED, state->degraded, state->remark);
        return;
    }
    finding_set(&finding, VERDICT_PASS, "ok", "%s", state->remark);
    end_judged(state, &finding);
}

// Was the token refused because somebody put it into a file and forgot it? That tells nothing of
// who refuses it, whatever he says: the key that signed it may have gone meanwhile, too. Then found
// is an `unknown`.
static bool is_forgotten(const struct state *state, struct finding *found)
{
    struct finding refusal = *found;
    int64_t now_s = time(NULL);
    int64_t exp_s;
    char span[SPAN_TEXT_MAX];
    if (state->secrets.given.text == NULL) {
        return false;
    }
    if (strcmp(found->code, "exp") == 0) {
        found->kind = VERDICT_UNKNOWN;
        return true;
    }
    if (!jwt_read_exp(state->token, state->token_length, &exp_s) || exp_s > now_s) {
        return false;
    }
    finding_set(found, VERDICT_UNKNOWN, "exp", "expired %s ago; %s", span_text(now_s - exp_s, span),
                refusal.cause);
    return true;
}

// ---- Requests

static void send_request(struct state *state, enum step step)
{
    state->step = step;
    state->request.headers = state->headers;
    state->request.source = &state->source;
    state->request.tls = &options_of(state)->tls;
    explicit_bzero(state->answer, state->transfer.body.length); // it may hold the token
    transfer_start(&state->transfer, &state->request);
}

// Is there an answer, over TLS as it was asked for if it was over TLS? If not, found says why.
static bool answered(struct state *state, struct finding *found)
{
    struct finding tls;
    char what[TRANSFER_WHAT_MAX];
    *found = state->transfer.result;
    if (found->kind != VERDICT_PASS || !state->transfer.peer.finished) {
        return found->kind == VERDICT_PASS;
    }
    tls_peer_judge(&state->transfer.peer, time(NULL), &tls);
    if (tls.kind == VERDICT_PASS) {
        return true;
    }
    finding_set(found, tls.kind, tls.code, "%s: %s", transfer_what(&state->transfer, what),
                tls.cause);
    if (tls.kind == VERDICT_DEGRADED) {
        snprintf(state->degraded, sizeof state->degraded, "%s", tls.code);
        snprintf(state->remark, sizeof state->remark, "%s", found->cause);
        return true;
    }
    return false;
}

// Whom the issuer refuses, and where that client's secret is kept; nothing where it is asked as
// nobody or the refusal is no matter of that.
static void refused_client(const struct state *state, char *out, size_t size)
{
    const struct token_options *options = options_of(state);
    long status = state->transfer.status;
    bool credential = options->secret_credential[0] != '\0';
    out[0] = '\0';
    if ((state->step == STEP_GRANT || state->step == STEP_INTROSPECTION) &&
        (status == 400 || status == 401 || status == 403)) {
        snprintf(out, size, "; asked as client %.48s with the secret of %s%.96s",
                 options->client_id, credential ? "credential " : "",
                 credential ? options->secret_credential : options->secret_file);
    }
}

// The same, and is its status 200?
static bool answered_200(struct state *state, struct finding *found)
{
    const struct transfer *transfer = &state->transfer;
    char what[TRANSFER_WHAT_MAX];
    char error[OAUTH_ERROR_MAX];
    char client[VERDICT_CAUSE_MAX];
    char shown[TLS_SHOWN_MAX] = "";
    if (!answered(state, found)) {
        return false;
    }
    if (transfer->status == 200) {
        return true;
    }
    oauth_read_error(transfer->body.bytes, transfer->body.length, error);
    refused_client(state, client, sizeof client);
    if (transfer->peer.finished && transfer->status >= 400 && !error[0]) {
        tls_peer_shown_text(&transfer->peer, shown);
    }
    if (transfer->status == 429) { // RFC 6585 section 4: it is well, and we ask too often
        finding_set(found, VERDICT_UNKNOWN, "rate-limited", "%s: status 429, too many requests",
                    transfer_what(transfer, what));
        return false;
    }
    finding_set(found, VERDICT_FAIL, error[0] ? "grant" : "http-status",
                "%s: status %ld, expected 200%s%.*s%s%s%s", transfer_what(transfer, what),
                transfer->status, transfer->redirect[0] ? " (redirects to " : "",
                (int)strcspn(transfer->redirect, "?#"), transfer->redirect,
                transfer->redirect[0] ? ", not followed)" : error, shown, client);
    return false;
}

// Asks as the client: the form is made already. False, and the check has ended, if that can't be.
static bool authenticate(struct state *state, const char *url)
{
    const struct token_options *options = options_of(state);
    state->headers[0] = FORM_TYPE;
    state->headers[1] = state->authorization;
    bool basic = options->auth == CLIENT_AUTH_BASIC;
    bool fits = basic ? oauth_basic(options->client_id, state->secrets.client.text,
                                    state->authorization, sizeof state->authorization)
                      : oauth_form_add(state->form, FORM_MAX, "client_id", options->client_id) &&
                            oauth_form_add(state->form, FORM_MAX, "client_secret",
                                           state->secrets.client.text);
    if (!fits) {
        end_unread(state, "client's secret", "it is too long for a request");
        return false;
    }
    state->request = (struct transfer_request){.method = "POST",
                                               .url = url,
                                               .header_count = basic ? 2 : 1,
                                               .body = state->form,
                                               .body_length = strlen(state->form),
                                               .target = &state->target};
    return true;
}

// ---- Use: somebody takes the token for what it is

static void begin_use(struct state *state)
{
    const struct token_options *options = options_of(state);
    if (!options->protected_url[0]) {
        end_good(state);
        return;
    }
    snprintf(state->authorization, sizeof state->authorization, BEARER "%s", state->token);
    state->headers[0] = state->authorization;
    state->request = (struct transfer_request){
        .url = options->protected_url,
        .header_count = 1,
        .target = token_target(&options->protected_target, &state->target)};
    send_request(state, STEP_USE);
}

// RFC 6750 section 3.1.
static bool refuses_token(const struct state *state, const struct finding *found)
{
    long status = state->transfer.status;
    bool by_status = strcmp(found->code, "http-status") == 0 || strcmp(found->code, "grant") == 0;
    return by_status && (status == 400 || status == 401 || status == 403);
}

static void on_use(struct state *state)
{
    struct finding found;
    if (answered_200(state, &found)) {
        end_good(state);
        return;
    }
    if (refuses_token(state, &found) && is_forgotten(state, &found)) {
        end_judged(state, &found);
    } else {
        end(state, found.kind, found.kind == VERDICT_FAIL ? "protected" : found.code, found.cause);
    }
}

// ---- Introspection: the issuer itself knows the token (RFC 7662)

static void begin_introspection(struct state *state)
{
    const struct token_options *options = options_of(state);
    if (!options->introspection_url[0]) {
        begin_use(state);
        return;
    }
    state->form[0] = '\0';
    if (!oauth_form_add(state->form, FORM_MAX, "token", state->token) ||
        !oauth_form_add(state->form, FORM_MAX, "token_type_hint", "access_token")) {
        end(state, VERDICT_FAIL, "malformed", "the token is too long for a request");
        return;
    }
    if (authenticate(state, options->introspection_url)) {
        send_request(state, STEP_INTROSPECTION);
    }
}

static void on_introspection(struct state *state)
{
    const struct transfer *transfer = &state->transfer;
    struct finding found;
    char error[ERROR_MAX];
    char what[TRANSFER_WHAT_MAX];
    if (!answered_200(state, &found)) {
        end(state, found.kind, found.kind == VERDICT_FAIL ? "introspection" : found.code,
            found.cause);
        return;
    }
    if (!oauth_read_active(transfer->body.bytes, transfer->body.length, error)) {
        finding_set(&found, VERDICT_FAIL, "introspection", "%s: %s", transfer_what(transfer, what),
                    error);
        if (is_forgotten(state, &found)) {
            end_judged(state, &found);
        } else {
            end(state, found.kind, found.code, found.cause);
        }
        return;
    }
    begin_use(state);
}

// ---- Keys, and what they make of the token

static void on_patience(uv_timer_t *timer);

static void begin_keys(struct state *state)
{
    const struct token_options *options = options_of(state);
    uint64_t timeout_ms = probe_conf(state->probe)->timeout_ms;
    uint64_t gone_ms = (uv_hrtime() - state->began_ns) / NS_PER_MS;
    uint64_t left_ms = timeout_ms > gone_ms ? timeout_ms - gone_ms : 0;
    state->fetched = true;
    state->request = (struct transfer_request){
        .url = options->jwks_url, .target = token_target(&options->jwks_target, &state->target)};
    // The check's time must not run out here: that would be a failure. Half of what is left, so
    // that there is time for the steps that follow with the keys that we have.
    uv_update_time(probe_loop(state->probe));
    (void)uv_timer_start(&state->patience, on_patience, left_ms / 2, 0);
    send_request(state, STEP_KEYS);
}

static void remark_good(struct state *state, const char *cause)
{
    const struct key_cache *keys = &state->keys;
    uint64_t most_ms = options_of(state)->jwks_max_age_ms;
    uint64_t age_ms = (uv_hrtime() - keys->had_ns) / NS_PER_MS;
    bool stale = keys->problem[0];
    char age[SPAN_TEXT_MAX];
    char most[DURATION_TEXT_MAX];
    struct finding finding;
    if (state->degraded[0]) {
        return; // that is what the operator has to know
    }
    finding_set(&finding, VERDICT_PASS, "ok", "%s%s%s", cause,
                stale ? "; by an older key set: " : "", keys->problem);
    if (stale && age_ms > most_ms) {
        snprintf(state->degraded, sizeof state->degraded, "jwks");
        finding_set(&finding, VERDICT_DEGRADED, "jwks",
                    "the issuer's keys are of %s ago, more than jwks_max_age %s: %s",
                    span_text((int64_t)(age_ms / 1000), age), duration_text(most_ms, most),
                    keys->problem);
    }
    snprintf(state->remark, sizeof state->remark, "%s", finding.cause);
}

static void end_unjudged(struct state *state, const char *wanting)
{
    struct finding finding;
    const char *problem = state->keys.problem;
    finding_set(&finding, VERDICT_UNKNOWN, "jwks", "can't judge the token: %s%s",
                problem[0] ? problem : wanting,
                problem[0] ? "" : "; its issuer's keys are asked for again in a second");
    end(state, finding.kind, finding.code, finding.cause);
}

static void judge(struct state *state)
{
    const struct token_options *options = options_of(state);
    struct jwt_judgement judgement;
    uint64_t now_ns = uv_hrtime();
    jwt_judge(&options->rules, state->token, state->token_length, state->keys.set, time(NULL),
              &judgement);
    bool wanting = judgement.newer_keys_may_help;
    if (judgement.finding.kind == VERDICT_PASS) {
        remark_good(state, judgement.finding.cause);
        begin_introspection(state);
    } else if (wanting && !state->fetched && now_ns >= state->keys.again_ns) {
        state->keys.again_ns = now_ns + KEYS_RETRY_NS;
        begin_keys(state);
    } else if (wanting && (!state->fetched || state->keys.problem[0])) {
        end_unjudged(state, judgement.finding.cause);
    } else {
        (void)is_forgotten(state, &judgement.finding);
        end_judged(state, &judgement.finding);
    }
}

static void keys_unavailable(struct state *state, const char *problem)
{
    struct key_cache *keys = &state->keys;
    snprintf(keys->problem, sizeof keys->problem, "%s", problem);
    keys->old_ns = uv_hrtime() + KEYS_PAUSE_NS;
    keys->again_ns = uv_hrtime() + KEYS_RETRY_NS;
    judge(state);
}

static void on_keys(struct state *state)
{
    const struct transfer *transfer = &state->transfer;
    struct finding found;
    char error[ERROR_MAX];
    char what[TRANSFER_WHAT_MAX];
    uv_timer_stop(&state->patience);
    if (!answered_200(state, &found)) {
        keys_unavailable(state, found.cause);
        return;
    }
    json_t *set = jwt_keys_parse(transfer->body.bytes, transfer->body.length, error);
    if (set == NULL) {
        finding_set(&found, VERDICT_UNKNOWN, "jwks", "%s: %s", transfer_what(transfer, what),
                    error);
        keys_unavailable(state, found.cause);
        return;
    }
    json_decref(state->keys.set);
    state->keys.set = set;
    state->keys.problem[0] = '\0';
    state->keys.had_ns = uv_hrtime();
    state->keys.old_ns = uv_hrtime() + KEYS_OLD_NS;
    judge(state);
}

static void on_patience(uv_timer_t *timer)
{
    struct state *state = timer->data;
    struct finding finding;
    finding_set(&finding, VERDICT_UNKNOWN, "jwks", "no %s in time",
                transfer_cancel(&state->transfer).what);
    keys_unavailable(state, finding.cause);
}

static void have_token(struct state *state)
{
    if (!options_of(state)->jwks_url[0]) {
        snprintf(state->remark, sizeof state->remark, "accepted");
        begin_introspection(state);
    } else if (uv_hrtime() >= state->keys.old_ns) {
        begin_keys(state);
    } else {
        judge(state);
    }
}

// ---- Grant (RFC 6749 section 4.4)

static void begin_grant(struct state *state)
{
    const struct token_options *options = options_of(state);
    state->form[0] = '\0';
    // The configuration's lines are short: these fit.
    (void)oauth_form_add(state->form, FORM_MAX, "grant_type", "client_credentials");
    if (options->scope[0]) {
        (void)oauth_form_add(state->form, FORM_MAX, "scope", options->scope);
    }
    if (authenticate(state, options->token_url)) {
        send_request(state, STEP_GRANT);
    }
}

static void on_grant(struct state *state)
{
    const struct transfer *transfer = &state->transfer;
    struct finding found;
    char error[ERROR_MAX];
    char what[TRANSFER_WHAT_MAX];
    if (!answered_200(state, &found)) {
        end(state, found.kind, found.code, found.cause);
        return;
    }
    state->token_length =
        oauth_read_token(transfer->body.bytes, transfer->body.length, state->token, error);
    if (state->token_length == 0) {
        finding_set(&found, VERDICT_FAIL, "malformed", "%s: %s", transfer_what(transfer, what),
                    error);
        end(state, found.kind, found.code, found.cause);
        return;
    }
    have_token(state);
}

// ---- The probe type

static void on_transfer(struct transfer *transfer)
{
    static void (*const on_step[])(struct state *) = {[STEP_GRANT] = on_grant,
                                                      [STEP_KEYS] = on_keys,
                                                      [STEP_INTROSPECTION] = on_introspection,
                                                      [STEP_USE] = on_use};
    struct state *state = transfer->owner;
    state->waited_ns += transfer->waited_ns;
    on_step[state->step](state);
}

static void on_secrets(void *owner, const char *what, const char *problem)
{
    struct state *state = owner;
    const struct secret *given = &state->secrets.given;
    state->waited_ns = uv_hrtime() - state->began_ns;
    if (what != NULL) {
        end_unread(state, what, problem);
    } else if (given->text == NULL) {
        begin_grant(state);
    } else if (!oauth_is_bearer(given->text)) {
        end_unread(state, "token",
                   "it has characters in it that no Bearer token has (RFC 6750 section 2.1)");
    } else {
        state->token_length = given->length;
        memcpy(state->token, given->text, given->length + 1);
        have_token(state);
    }
}

static void token_start(struct probe *probe)
{
    struct state *state = probe_state(probe);
    state->began_ns = uv_hrtime();
    state->fetched = false;
    state->degraded[0] = state->remark[0] = '\0';
    token_secrets_read(&state->secrets, options_of(state));
}

static struct awaited token_cancel(struct probe *probe)
{
    struct state *state = probe_state(probe);
    if (token_secrets_forget(&state->secrets)) {
        return (struct awaited){"content of the secret's or token's file", ALL_ITS_TIME};
    }
    struct awaited awaited = transfer_cancel(&state->transfer);
    awaited.own_ns += awaited.own_ns == ALL_ITS_TIME ? 0 : state->waited_ns;
    stop(state);
    return awaited;
}

static void on_secrets_free(void *owner)
{
    struct state *state = owner;
    probe_closed(state->probe);
}

static int token_open(struct probe *probe)
{
    struct state *state = probe_state(probe);
    const struct probe_conf *conf = probe_conf(probe);
    state->probe = probe;
    state->options = *(const struct token_options *)conf->options;
    state->target = conf->target;
    state->source = conf->source;
    int error = curl_loop_acquire(probe_loop(probe), &state->transfer.loop);
    if (error) {
        return error;
    }
    state->secrets =
        (struct token_secrets){.owner = state, .on_read = on_secrets, .on_free = on_secrets_free};
    error = token_secrets_open(&state->secrets, probe_loop(probe));
    if (error) {
        curl_loop_release(state->transfer.loop);
        return error;
    }
    state->transfer.owner = state;
    state->transfer.on_done = on_transfer;
    state->transfer.head = (struct transfer_buffer){.size = HEAD_MAX};
    state->transfer.body = (struct transfer_buffer){.bytes = state->answer, .size = ANSWER_MAX};
    error = uv_timer_init(probe_loop(probe), &state->patience);
    assert(error == 0);
    state->patience.data = state;
    return error;
}

static void on_closed(uv_handle_t *handle)
{
    struct state *state = handle->data;
    token_secrets_close(&state->secrets);
}

static void token_close(struct probe *probe)
{
    struct state *state = probe_state(probe);
    transfer_close(&state->transfer);
    curl_loop_release(state->transfer.loop);
    json_decref(state->keys.set);
    uv_close((uv_handle_t *)&state->patience, on_closed);
}

const struct probe_type probe_type_token = {
    .name = "token",
    .keys = token_keys,
    .options_size = sizeof(struct token_options),
    .check = token_options_check,
    .state_size = sizeof(struct state),
    .open = token_open,
    .close = token_close,
    .start = token_start,
    .cancel = token_cancel,
    .watch = token_options_watch,
    .watch_address = token_options_watch_address,
};
