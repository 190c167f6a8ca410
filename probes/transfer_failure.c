// See transfer_failure.h. Ours ranks before what the peer did, what the peer did before the words
// of libcurl.
#include "probes/transfer_failure.h"

#include "probes/system_error.h"

#include <errno.h>
#include <string.h>

// What libcurl's codes mean here; what is not listed is a "protocol" error, told by libcurl's
// text.
static const struct {
    CURLcode code;
    bool ours;
    const char *word;
    const char *cause; // NULL: libcurl's own
} meanings[] = {
    {CURLE_OUT_OF_MEMORY, true, "local", "out of memory (trouble of popgated's own)"},
    {CURLE_FAILED_INIT, true, "local", NULL},
    {CURLE_BAD_FUNCTION_ARGUMENT, true, "local", NULL},
    {CURLE_UNKNOWN_OPTION, true, "local", NULL},
    {CURLE_NOT_BUILT_IN, true, "local", NULL},
    {CURLE_SSL_ENGINE_INITFAILED, true, "local", NULL},
    {CURLE_SSL_CIPHER, true, "local", NULL},
    {CURLE_OPERATION_TIMEDOUT, false, "timeout", NULL},
    {CURLE_ABORTED_BY_CALLBACK, false, "too-large", "the server sends without end"},
    {CURLE_GOT_NOTHING, false, "closed", "closed the connection without an answer"},
    {CURLE_PARTIAL_FILE, false, "closed", "closed the connection before the answer's end"},
    {CURLE_TOO_MANY_REDIRECTS, false, "redirect", "too many redirects"},
    {CURLE_URL_MALFORMAT, false, "redirect", "redirected to a URL that is none"},
    {CURLE_USE_SSL_FAILED, false, "starttls", "the server does not offer STARTTLS"},
    {CURLE_UNSUPPORTED_PROTOCOL, false, "protocol", NULL},
    {CURLE_WEIRD_SERVER_REPLY, false, "protocol", NULL},
};

static void judge_system(int error, const char *attempted, struct finding *out)
{
    if (error == -ECONNREFUSED) {
        finding_set(out, VERDICT_FAIL, "refused", "%s: nothing listens there (connection refused)",
                    attempted);
    } else if (error == -ECONNRESET || error == -EPIPE) {
        finding_set(out, VERDICT_FAIL, "reset", "%s: the connection was reset", attempted);
    } else {
        finding_error(out, error, attempted);
    }
}

static void judge_code(const struct transfer_failure *failure, struct finding *out)
{
    const char *text = failure->text[0] ? failure->text : curl_easy_strerror(failure->code);
    // libcurl has one code for a URL's protocol and for an answer's.
    if (failure->code == CURLE_UNSUPPORTED_PROTOCOL && strstr(text, "disabled") != NULL) {
        finding_set(out, VERDICT_FAIL, "redirect",
                    "%s: redirected to what is not followed: from https: only https: is, from "
                    "http: both",
                    failure->what);
        return;
    }
    for (size_t i = 0; i < sizeof meanings / sizeof *meanings; i++) {
        if (meanings[i].code == failure->code) {
            finding_set(out, meanings[i].ours ? VERDICT_UNKNOWN : VERDICT_FAIL, meanings[i].word,
                        "%s: %s", failure->what,
                        meanings[i].cause != NULL ? meanings[i].cause : text);
            return;
        }
    }
    finding_set(out, VERDICT_FAIL, "protocol", "%s: %s", failure->what, text);
}

static void judge_tls(const struct transfer_failure *failure, time_t now, struct finding *out)
{
    struct finding found;
    tls_peer_explain(failure->peer, failure->text, now, &found);
    finding_set(out, found.kind, found.code, "%s: %s", failure->what, found.cause);
}

void transfer_failure_judge(const struct transfer_failure *failure, time_t now, struct finding *out)
{
    CURLcode code = failure->code;
    int error = failure->os_error;
    bool unverified = failure->peer->verify_error != 0;
    char shown[TLS_SHOWN_MAX];
    if (failure->own_error) {
        judge_system(failure->own_error, failure->connecting, out);
    } else if (code == CURLE_COULDNT_CONNECT && error) {
        judge_system(error, failure->connecting, out);
        // Ours ranks before what the peer did, theirs after.
        // NOLINTNEXTLINE(bugprone-branch-clone)
    } else if (tls_peer_in_handshake(failure->peer) && !unverified && probe_error_is_ours(error)) {
        judge_system(error, failure->what, out);
        // NOLINTNEXTLINE(bugprone-branch-clone)
    } else if (tls_peer_refused_us(failure->peer) && !unverified) {
        judge_tls(failure, now, out); // its alert comes late, where it is TLS 1.3
    } else if (failure->too_large != NULL) {
        finding_set(out, VERDICT_FAIL, "too-large", "%s: %s larger than %zu bytes", failure->what,
                    failure->too_large, failure->size_max);
    } else if (code != CURLE_OUT_OF_MEMORY &&
               (tls_peer_in_handshake(failure->peer) || code == CURLE_PEER_FAILED_VERIFICATION)) {
        judge_tls(failure, now, out);
    } else if (code == CURLE_RECV_ERROR && !probe_error_is_ours(error) &&
               tls_peer_owes_word(failure->peer)) {
        finding_set(out, VERDICT_FAIL, "closed",
                    "%s: the server ended the connection without another word%s", failure->what,
                    tls_peer_shown_text(failure->peer, shown));
    } else if ((code == CURLE_RECV_ERROR || code == CURLE_SEND_ERROR) && error) {
        judge_system(error, failure->what, out);
    } else {
        judge_code(failure, out);
    }
}
