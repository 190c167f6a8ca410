// What the failure of a transfer means.
#include "probes/transfer_failure.h"

#include "tests/test.h"

#include <errno.h>
#include <openssl/x509_vfy.h>
#include <stdio.h>
#include <string.h>

enum tls { PLAIN, SHAKING, UNVERIFIED, SHAKEN, UNANSWERED };

struct trial {
    CURLcode code;
    int own_error, os_error;
    enum tls tls;
    const char *too_large, *text;
    // The verdict.
    enum verdict_kind kind;
    const char *word, *cause; // the cause from its beginning
};

#define FAIL    VERDICT_FAIL
#define UNKNOWN VERDICT_UNKNOWN

static const struct trial trials[] = {
    // What kept us from going on is ours or the path's, whatever libcurl makes of it.
    {CURLE_OK, -EMFILE, 0, PLAIN, NULL, "", UNKNOWN, "local",
     "connect: too many open files (trouble of popgated's own)"},
    {CURLE_COULDNT_CONNECT, -EADDRNOTAVAIL, -ECONNREFUSED, PLAIN, NULL, "", UNKNOWN, "local",
     "connect: address not available"},
    {CURLE_OK, -ENOSPC, 0, SHAKING, NULL, "", UNKNOWN, "local", "connect: no space left"},
    {CURLE_OK, -ENOTDIR, 0, SHAKING, NULL, "", FAIL, "error", "connect: not a directory"},

    // Connecting.
    {CURLE_COULDNT_CONNECT, 0, -ECONNREFUSED, PLAIN, NULL, "told", FAIL, "refused",
     "connect: nothing listens there (connection refused)"},
    {CURLE_COULDNT_CONNECT, 0, -EHOSTUNREACH, PLAIN, NULL, "told", FAIL, "unreachable",
     "connect: host is unreachable"},
    {CURLE_COULDNT_CONNECT, 0, -EACCES, PLAIN, NULL, "told", UNKNOWN, "local",
     "connect: permission denied"},
    {CURLE_COULDNT_CONNECT, 0, 0, PLAIN, NULL, "told", FAIL, "protocol", "ask: told"},

    // In a handshake: our own trouble, then what the peer did.
    {CURLE_SSL_CONNECT_ERROR, 0, -ENOBUFS, SHAKING, NULL, "told", UNKNOWN, "local",
     "ask: no buffer space available"},
    {CURLE_SSL_CONNECT_ERROR, 0, -ECONNRESET, SHAKING, NULL, "told", FAIL, "tls", "ask: "},
    {CURLE_SSL_CONNECT_ERROR, 0, -ENOBUFS, UNVERIFIED, NULL, "told", FAIL, "self-signed",
     "ask: certificate is self-signed"},
    {CURLE_PEER_FAILED_VERIFICATION, 0, 0, UNVERIFIED, NULL, "told", FAIL, "self-signed",
     "ask: certificate is self-signed"},
    {CURLE_OUT_OF_MEMORY, 0, 0, SHAKING, NULL, "told", UNKNOWN, "local",
     "ask: out of memory (trouble of popgated's own)"},

    // More than we take.
    {CURLE_WRITE_ERROR, 0, 0, SHAKEN, "body", "told", FAIL, "too-large",
     "ask: body larger than 512 bytes"},
    {CURLE_WRITE_ERROR, 0, -ECONNRESET, PLAIN, "header", "told", FAIL, "too-large",
     "ask: header larger than 512 bytes"},
    {CURLE_ABORTED_BY_CALLBACK, 0, 0, PLAIN, NULL, "told", FAIL, "too-large",
     "ask: the server sends without end"},

    // Talking.
    {CURLE_RECV_ERROR, 0, -ECONNRESET, SHAKEN, NULL, "told", FAIL, "reset",
     "ask: the connection was reset"},
    {CURLE_SEND_ERROR, 0, -EPIPE, PLAIN, NULL, "told", FAIL, "reset",
     "ask: the connection was reset"},
    {CURLE_RECV_ERROR, 0, -ENOMEM, PLAIN, NULL, "told", UNKNOWN, "local", "ask: not enough memory"},
    {CURLE_RECV_ERROR, 0, 0, PLAIN, NULL, "told", FAIL, "protocol", "ask: told"},
    {CURLE_RECV_ERROR, 0, -ECONNRESET, UNANSWERED, NULL, "told", FAIL, "closed",
     "ask: the server ended the connection without another word; the server asked for a client "
     "certificate, and no client_cert"},
    {CURLE_RECV_ERROR, 0, -ENOMEM, UNANSWERED, NULL, "told", UNKNOWN, "local",
     "ask: not enough memory"},
    // An error of the system's that is left over from before says nothing.
    {CURLE_GOT_NOTHING, 0, -ECONNRESET, PLAIN, NULL, "told", FAIL, "closed",
     "ask: closed the connection without an answer"},

    // libcurl's word.
    {CURLE_PARTIAL_FILE, 0, 0, PLAIN, NULL, "told", FAIL, "closed",
     "ask: closed the connection before the answer's end"},
    {CURLE_OPERATION_TIMEDOUT, 0, 0, PLAIN, NULL, "told", FAIL, "timeout", "ask: told"},
    {CURLE_TOO_MANY_REDIRECTS, 0, 0, PLAIN, NULL, "told", FAIL, "redirect",
     "ask: too many redirects"},
    {CURLE_URL_MALFORMAT, 0, 0, PLAIN, NULL, "told", FAIL, "redirect",
     "ask: redirected to a URL that is none"},
    {CURLE_UNSUPPORTED_PROTOCOL, 0, 0, PLAIN, NULL, "Received HTTP/0.9 when not allowed", FAIL,
     "protocol", "ask: Received HTTP/0.9"},
    {CURLE_UNSUPPORTED_PROTOCOL, 0, 0, SHAKEN, NULL,
     "Protocol \"http\" not supported or disabled in libcurl", FAIL, "redirect",
     "ask: redirected to what is not followed: from https: only https: is"},
    {CURLE_USE_SSL_FAILED, 0, 0, PLAIN, NULL, "told", FAIL, "starttls",
     "ask: the server does not offer STARTTLS"},
    {CURLE_WEIRD_SERVER_REPLY, 0, 0, PLAIN, NULL, "told", FAIL, "protocol", "ask: told"},
    {CURLE_BAD_CONTENT_ENCODING, 0, 0, PLAIN, NULL, "", FAIL, "protocol",
     "ask: Unrecognized or bad HTTP Content or Transfer-Encoding"},
    {CURLE_NOT_BUILT_IN, 0, 0, PLAIN, NULL, "told", UNKNOWN, "local", "ask: told"},
    {CURLE_FAILED_INIT, 0, 0, PLAIN, NULL, "told", UNKNOWN, "local", "ask: told"},
    {CURLE_BAD_FUNCTION_ARGUMENT, 0, 0, PLAIN, NULL, "told", UNKNOWN, "local", "ask: told"},
    {CURLE_UNKNOWN_OPTION, 0, 0, PLAIN, NULL, "told", UNKNOWN, "local", "ask: told"},
    {CURLE_SSL_ENGINE_INITFAILED, 0, 0, PLAIN, NULL, "told", UNKNOWN, "local", "ask: told"},
    {CURLE_SSL_CIPHER, 0, 0, PLAIN, NULL, "told", UNKNOWN, "local", "ask: told"},
};

TEST(each_failure_is_told_as_whose_it_is)
{
    static const struct tls_options options = {.min_version = TLS_1_2};
    for (size_t i = 0; i < sizeof trials / sizeof *trials; i++) {
        const struct trial *trial = &trials[i];
        bool unanswered = trial->tls == UNANSWERED;
        struct tls_peer peer = {.options = &options,
                                .name = "x.example",
                                .started = trial->tls != PLAIN,
                                .finished = trial->tls == SHAKEN || unanswered,
                                .asked = unanswered,
                                .version = "TLSv1.3",
                                .alert = -1};
        if (trial->tls == UNVERIFIED) {
            peer.verify_error = X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT;
        }
        struct transfer_failure failure = {
            .code = trial->code,
            .text = trial->text,
            .own_error = trial->own_error,
            .os_error = trial->os_error,
            .peer = &peer,
            .too_large = trial->too_large,
            .size_max = 512,
            .connecting = "connect",
            .what = "ask",
        };
        struct finding finding;
        transfer_failure_judge(&failure, 0, &finding);
        if (finding.kind != trial->kind || strcmp(finding.code, trial->word) != 0 ||
            strncmp(finding.cause, trial->cause, strlen(trial->cause)) != 0) {
            fail_msg("%zu: %s (%s): %s", i, verdict_name(finding.kind), finding.code,
                     finding.cause);
        }
    }
}
