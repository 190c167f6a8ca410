// See transfer.h. The life of one request, and what became of it.
#include "probes/transfer_inside.h"

#include "probes/client_cert.h"
#include "probes/descriptor.h"
#include "probes/system_error.h"
#include "probes/transfer_failure.h"
#include "probes/trust.h"

#include <assert.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>

// Bytes of a peer that may have filled one of libcurl's own bounds, which are of some 100 kB.
#define LINE_MAX_SENT 65536

// ---- The end of a transfer

// There may be secrets among the headers.
static void free_list(struct curl_slist *list)
{
    for (struct curl_slist *line = list; line != NULL; line = line->next) {
        explicit_bzero(line->data, strlen(line->data));
    }
    curl_slist_free_all(list);
}

static void free_parts(struct transfer *transfer)
{
    X509_STORE_free(transfer->store);
    transfer->store = NULL;
    if (transfer->own != NULL) {
        client_cert_kind.drop(transfer->own);
        transfer->own = NULL;
    }
    for (size_t i = 0; i < sizeof transfer->lists / sizeof *transfer->lists; i++) {
        free_list(transfer->lists[i]);
        transfer->lists[i] = NULL;
    }
    transfer_request_wipe(transfer->request);
}

static void drop(struct transfer *transfer)
{
    curl_job_end(&transfer->job);
    free_parts(transfer);
}

// libcurl is "out of memory" when a line of the header is longer than its 100 kB, and never hands
// it over. So it is, unless the peer has sent next to nothing.
static bool is_endless_line(const struct transfer *transfer, CURLcode code)
{
    return code == CURLE_OUT_OF_MEMORY && !tls_peer_in_handshake(&transfer->peer) &&
           transfer->received > LINE_MAX_SENT;
}

// What the system said to libcurl, which tells neither when nor to which call: that the kernel
// itself forbids the way is believed when it says so again.
static int system_error(const struct transfer *transfer, CURLcode code)
{
    long os_errno = 0;
    curl_easy_getinfo(transfer->job.easy, CURLINFO_OS_ERRNO, &os_errno);
    int error = uv_translate_sys_error((int)os_errno);
    bool our_own = code == CURLE_COULDNT_CONNECT && probe_error_from_afar(error) != error &&
                   socket_own_error(transfer->request->source, &transfer->address) == error;
    return our_own ? error : probe_error_from_afar(error);
}

static void result_of_failure(struct transfer *transfer, CURLcode code)
{
    char address[ENDPOINT_TEXT_MAX];
    char connecting[TRANSFER_WHAT_MAX];
    char what[TRANSFER_WHAT_MAX];
    bool body = transfer->body.overflow;
    bool head = transfer->head.overflow || is_endless_line(transfer, code);
    snprintf(connecting, sizeof connecting, "connect to %s",
             endpoint_text(&transfer->address, address));
    struct transfer_failure failure = {
        .code = code,
        .text = transfer->error,
        .own_error = transfer->job.error,
        .os_error = system_error(transfer, code),
        .peer = &transfer->peer,
        .too_large = body   ? "body"
                     : head ? "header"
                            : NULL,
        .size_max = body ? transfer->body.size : transfer->head.size,
        .connecting = connecting,
        .what = transfer_what(transfer, what),
    };
    transfer_failure_judge(&failure, time(NULL), &transfer->result);
}

static void result_of_success(struct transfer *transfer)
{
    char what[TRANSFER_WHAT_MAX];
    const char *redirect = NULL;
    // Nobody took the verification away from us: without it, nothing that came is evidence.
    if ((transfer->peer.started || transfer->request->handshake) && !transfer->peer.verified) {
        finding_set(&transfer->result, VERDICT_UNKNOWN, "local",
                    "%s: the certificate was not verified (trouble of popgated's own)",
                    transfer_what(transfer, what));
        return;
    }
    curl_easy_getinfo(transfer->job.easy, CURLINFO_RESPONSE_CODE, &transfer->status);
    curl_easy_getinfo(transfer->job.easy, CURLINFO_REDIRECT_URL, &redirect);
    snprintf(transfer->redirect, sizeof transfer->redirect, "%s", redirect != NULL ? redirect : "");
    finding_set(&transfer->result, VERDICT_PASS, "ok", "%s", transfer_what(transfer, what));
}

static void end(struct transfer *transfer, CURLcode code)
{
    if (code == CURLE_OK && !transfer->job.error) {
        result_of_success(transfer);
    } else {
        result_of_failure(transfer, code);
    }
    drop(transfer);
    transfer->on_done(transfer);
}

// A handshake is over when it is done, whatever the protocol above it would say next; but where the
// server has not yet said what it makes of our certificate, that is part of it.
static void on_job_done(struct curl_job *job, CURLcode code)
{
    struct transfer *transfer = job->owner;
    bool handshaken = transfer->request->handshake && transfer->peer.finished;
    if (handshaken && code == CURLE_OK && tls_peer_owes_word(&transfer->peer) && !job->error &&
        transfer->request->starttls == TRANSFER_STARTTLS_OFF) {
        job->error = curl_job_listen(job);
        if (job->error == 0) {
            return;
        }
    }
    bool taken = !tls_peer_refused_us(&transfer->peer) && !tls_peer_owes_word(&transfer->peer);
    end(transfer, handshaken && taken ? CURLE_OK : code);
}

// Whoever takes it sends a session ticket, or at least ends without an alert, since we have said
// that nothing more will come.
static void on_word(struct curl_job *job)
{
    struct transfer *transfer = job->owner;
    char bytes[512];
    size_t length = 0;
    CURLcode code = curl_easy_recv(job->easy, bytes, sizeof bytes, &length);
    if (code != CURLE_AGAIN || !tls_peer_owes_word(&transfer->peer)) {
        end(transfer, tls_peer_refused_us(&transfer->peer) ? CURLE_RECV_ERROR : CURLE_OK);
    }
}

// ---- Its beginning

static void clear(struct transfer *transfer)
{
    transfer->status = 0;
    transfer->job.error = 0;
    transfer->job.owner = transfer;
    transfer->job.on_done = on_job_done;
    transfer->job.on_readable = on_word;
    transfer->fd = -1;
    transfer->received = transfer->waited_ns = 0;
    transfer->connected_us = 0;
    transfer->error[0] = transfer->redirect[0] = transfer->awaited[0] = '\0';
    transfer->head.length = transfer->body.length = 0;
    transfer->head.overflow = transfer->body.overflow = false;
    transfer->peer = (struct tls_peer){.alert = -1};
}

static void begin_now(struct transfer *transfer)
{
    char what[TRANSFER_WHAT_MAX];
    char handshake[URL_MAX];
    struct url url;
    bool prepared = transfer_prepare(transfer, &url, handshake);
    if (prepared && transfer_begin(transfer, &url, handshake)) {
        return;
    }
    if (prepared) {
        finding_error(&transfer->result, UV_ENOMEM, transfer_what(transfer, what));
    }
    free_parts(transfer);
    transfer->on_done(transfer);
}

// ---- What we need of our own

// It can't be had.
static void end_before(struct transfer *transfer, const struct finding *problem)
{
    transfer->result = *problem;
    free_parts(transfer);
    transfer->on_done(transfer);
}

static void on_client_cert(void *owner, void *own, const struct finding *problem)
{
    struct transfer *transfer = owner;
    struct finding why;
    transfer->waited_ns = uv_hrtime() - transfer->began_ns;
    transfer->own = own;
    if (own == NULL) {
        end_before(transfer, problem);
    } else if (!client_cert_is_valid(own, time(NULL), &why)) {
        end_before(transfer, &why);
    } else {
        begin_now(transfer);
    }
}

static void on_anchors(void *owner, void *store, const struct finding *problem)
{
    struct transfer *transfer = owner;
    const struct tls_options *tls = transfer->request->tls;
    transfer->waited_ns = uv_hrtime() - transfer->began_ns;
    transfer->store = store;
    if (store == NULL) {
        end_before(transfer, problem);
    } else if (tls->client_cert[0]) {
        const struct kept_files files = {.paths = {tls->client_cert, tls->client_key}};
        kept_ask(curl_loop_client_certs(transfer->loop), &files, &transfer->certificate);
    } else {
        begin_now(transfer);
    }
}

// A redirect may lead to https.
static bool needs_anchors(const struct transfer_request *request)
{
    return request->handshake || request->redirects > 0 || url_encrypted(request->url);
}

static void ask_for_anchors(struct transfer *transfer)
{
    const struct kept_files files = {.paths = {trust_path(transfer->request->tls->ca)}};
    transfer->began_ns = uv_hrtime();
    transfer->anchors.owner = transfer->certificate.owner = transfer;
    transfer->anchors.on_thing = on_anchors;
    transfer->certificate.on_thing = on_client_cert;
    kept_ask(curl_loop_trust(transfer->loop), &files, &transfer->anchors);
}

// ---- Its life

void transfer_start(struct transfer *transfer, const struct transfer_request *request)
{
    assert(transfer->loop && transfer->on_done && !transfer->job.easy);
    transfer_request_free(transfer->request);
    transfer->request = transfer_request_copy(request);
    clear(transfer);
    if (transfer->request == NULL) {
        finding_error(&transfer->result, UV_ENOMEM, "begin a request");
        transfer->on_done(transfer);
    } else if (needs_anchors(transfer->request)) {
        ask_for_anchors(transfer);
    } else {
        begin_now(transfer);
    }
}

static void set_awaited_file(struct transfer *transfer)
{
    const struct tls_options *tls = transfer->request->tls;
    if (transfer->store != NULL) {
        snprintf(transfer->awaited, sizeof transfer->awaited,
                 "content of client_cert %.90s or %.90s", tls->client_cert, tls->client_key);
    } else {
        snprintf(transfer->awaited, sizeof transfer->awaited, "content of %s%.160s",
                 tls->ca[0] ? "the CA file " : "the system's CA file", tls->ca);
    }
}

struct awaited transfer_cancel(struct transfer *transfer)
{
    if (transfer->job.easy != NULL) {
        transfer_set_awaited(transfer);
        drop(transfer);
    } else if (kept_awaits(&transfer->anchors) || kept_awaits(&transfer->certificate)) {
        set_awaited_file(transfer);
        kept_forget(&transfer->anchors);
        kept_forget(&transfer->certificate);
        free_parts(transfer);
        transfer->waited_ns = ALL_ITS_TIME;
    }
    return (struct awaited){transfer->awaited, transfer->waited_ns};
}

void transfer_close(struct transfer *transfer)
{
    assert(!transfer->job.easy);
    kept_leave(&transfer->anchors);
    kept_leave(&transfer->certificate);
    transfer_request_free(transfer->request);
    transfer->request = NULL;
}
