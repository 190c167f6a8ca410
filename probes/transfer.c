// See transfer.h. Prepares libcurl for one request, takes in what comes, and says what it was.
#include "probes/transfer.h"

#include "probes/client_cert.h"
#include "probes/descriptor.h"
#include "probes/received.h"
#include "probes/system_error.h"
#include "probes/transfer_failure.h"
#include "probes/trust.h"

#include <assert.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>

// libcurl's own patience is longer than any probe's timeout: that one is the scheduler's.
#define PATIENCE_MS (24L * 3600 * 1000)

// Bytes on the wire for one of a body: the smallest chunks, of one byte, take six. And more, for
// headers and a handshake.
#define WRAPPED_FACTOR 8
#define WRAPPED_MORE   (1 << 20)

// Bytes of a peer that may have filled one of libcurl's own bounds, which are of some 100 kB.
#define LINE_MAX_SENT 65536

// ---- Words

static const char *method_of(const struct transfer *transfer)
{
    return transfer->request->method != NULL ? transfer->request->method : "GET";
}

const char *transfer_what(const struct transfer *transfer, char out[TRANSFER_WHAT_MAX])
{
    char address[ENDPOINT_TEXT_MAX];
    endpoint_text(&transfer->address, address);
    if (transfer->request->handshake || tls_peer_in_handshake(&transfer->peer)) {
        snprintf(out, TRANSFER_WHAT_MAX, "TLS handshake with %s (%.60s)", address, transfer->host);
    } else {
        snprintf(out, TRANSFER_WHAT_MAX, "%.8s %.70s at %s", method_of(transfer),
                 transfer->request->url, address);
    }
    return out;
}

// What libcurl's connecting took so far, of all connections that it made.
static curl_off_t connecting_us(const struct transfer *transfer)
{
    curl_off_t took_us = 0;
    curl_easy_getinfo(transfer->job.easy, CURLINFO_CONNECT_TIME_T, &took_us);
    return took_us;
}

static void set_awaited(struct transfer *transfer)
{
    char what[TRANSFER_WHAT_MAX];
    char address[ENDPOINT_TEXT_MAX];
    transfer_what(transfer, what);
    if (!transfer->peer.started && connecting_us(transfer) == transfer->connected_us) {
        snprintf(transfer->awaited, sizeof transfer->awaited, "TCP connection to %s",
                 endpoint_text(&transfer->address, address));
    } else if (transfer->job.listening != NULL) {
        snprintf(transfer->awaited, sizeof transfer->awaited,
                 "word on the client's certificate after the %.150s", what);
    } else if (transfer->request->handshake && !transfer->peer.started) {
        snprintf(transfer->awaited, sizeof transfer->awaited, "STARTTLS offer of %s",
                 endpoint_text(&transfer->address, address));
    } else if (transfer->request->handshake || tls_peer_in_handshake(&transfer->peer)) {
        snprintf(transfer->awaited, sizeof transfer->awaited, "%s", what);
    } else if (transfer->head.length == 0) {
        snprintf(transfer->awaited, sizeof transfer->awaited, "answer to %s", what);
    } else {
        snprintf(transfer->awaited, sizeof transfer->awaited,
                 "end of the answer to %s (%zu bytes of its body came)", what,
                 transfer->body.length);
    }
}

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

// ---- What libcurl asks of us

// After a redirect it is another port, and nothing has come from there yet.
static void set_address(struct transfer *transfer, const struct curl_sockaddr *address)
{
    assert(address->addrlen <= sizeof transfer->address.address);
    memcpy(&transfer->address.address, &address->addr, address->addrlen);
    transfer->address.length = address->addrlen;
    transfer->connected_us = connecting_us(transfer);
    transfer->peer.started = false;
    transfer->head.length = 0;
}

static curl_socket_t on_open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct transfer *transfer = arg;
    (void)purpose;
    set_address(transfer, address);
    int fd = socket_from(transfer->request->source, address->family, address->socktype,
                         address->protocol);
    if (fd < 0) {
        transfer->job.error = fd;
        curl_job_over(&transfer->job);
        return CURL_SOCKET_BAD;
    }
    transfer->fd = fd;
    return fd;
}

// The name that is verified and shown is the one of the URL, which a redirect may have changed.
static void set_host(struct transfer *transfer, const struct url *url)
{
    size_t length = strlen(url->host);
    bool bracketed = url->host[0] == '[';
    // No certificate has the root's dot, nor has SNI (RFC 6066 section 3).
    bool dotted = length > 1 && url->host[length - 1] == '.';
    snprintf(transfer->host, sizeof transfer->host, "%.*s",
             (int)(length - (bracketed ? 2 : dotted)), url->host + bracketed);
}

static void on_handshake(void *owner)
{
    struct transfer *transfer = owner;
    if (!tls_peer_owes_word(&transfer->peer)) {
        curl_job_over(&transfer->job);
    }
}

static CURLcode on_tls_context(CURL *easy, void *context, void *arg)
{
    struct transfer *transfer = arg;
    const char *now_at = NULL;
    struct url url;
    if (!transfer->request->handshake) {
        curl_easy_getinfo(easy, CURLINFO_EFFECTIVE_URL, &now_at);
        if (now_at == NULL || url_parse(now_at, &url) != NULL) {
            return CURLE_URL_MALFORMAT;
        }
        set_host(transfer, &url);
    }
    return tls_peer_attach(&transfer->peer, context, transfer->store, transfer->own)
               ? CURLE_OK
               : CURLE_OUT_OF_MEMORY;
}

// ---- What comes in

static size_t take(struct transfer_buffer *buffer, const char *bytes, size_t length)
{
    if (buffer->size - buffer->length < length) {
        buffer->overflow = true;
        return 0;
    }
    if (buffer->bytes != NULL) {
        memcpy(buffer->bytes + buffer->length, bytes, length);
    }
    buffer->length += length;
    return length;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *arg)
{
    struct transfer *transfer = arg;
    return take(&transfer->body, bytes, size * count);
}

static size_t on_header(char *bytes, size_t size, size_t count, void *arg)
{
    struct transfer *transfer = arg;
    size_t length = size * count;
    size_t trimmed = length;
    if (length >= 5 && memcmp(bytes, "HTTP/", 5) == 0) {
        transfer->head.length = 0; // of another answer, after a redirect or a 100 Continue
    }
    while (trimmed > 0 && (bytes[trimmed - 1] == '\n' || bytes[trimmed - 1] == '\r')) {
        trimmed--;
    }
    if (trimmed == 0) {
        return length;
    }
    bool taken = take(&transfer->head, bytes, trimmed) && take(&transfer->head, "\n", 1);
    return taken ? length : 0;
}

// What a server wraps its answer in (chunk extensions, say) reaches neither of these, and would be
// read for as long as it comes.
static int on_progress(void *arg, curl_off_t wanted, curl_off_t got, curl_off_t to_send,
                       curl_off_t sent)
{
    struct transfer *transfer = arg;
    (void)wanted, (void)got, (void)to_send, (void)sent;
    transfer->received = tcp_received(transfer->fd);
    return transfer->received > WRAPPED_FACTOR * transfer->body.size + WRAPPED_MORE;
}

// ---- The beginning of a transfer

static struct curl_slist *append(struct transfer *transfer, struct curl_slist *list,
                                 const char *line)
{
    struct curl_slist *longer = curl_slist_append(list, line);
    transfer->job.error = longer != NULL ? transfer->job.error : UV_ENOMEM;
    return longer != NULL ? longer : list;
}

// Every connection goes to the transfer's address: the first one to its port, one after a
// redirect to the port that the redirect names.
static struct curl_slist *pinned_address(struct transfer *transfer, const struct url *url)
{
    char line[URL_HOST_MAX + ENDPOINT_TEXT_MAX + 16];
    char address[ENDPOINT_TEXT_MAX];
    endpoint_text(&transfer->address, address);
    snprintf(line, sizeof line, "%s:%s:%s", url->host, url->port, address);
    struct curl_slist *list = append(transfer, NULL, line);
    *(strrchr(address, ':') + 1) = '\0';
    snprintf(line, sizeof line, "::%s", address);
    return append(transfer, list, line);
}

static struct curl_slist *header_lines(struct transfer *transfer)
{
    struct curl_slist *list = NULL;
    for (size_t i = 0; i < transfer->request->header_count; i++) {
        list = append(transfer, list, transfer->request->headers[i]);
    }
    return list;
}

// The host and port of a handshake's URL are only words: the address is pinned.
static void handshake_url(const struct transfer *transfer, struct url *url, char out[URL_MAX])
{
    static const struct {
        const char *scheme, *path;
    } forms[] = {[TRANSFER_STARTTLS_OFF] = {"https", ""},
                 [TRANSFER_STARTTLS_SMTP] = {"smtp", "popgate"}, // the path is what EHLO says
                 [TRANSFER_STARTTLS_IMAP] = {"imap", ""}};
    int starttls = transfer->request->starttls;
    const char *name = transfer->request->server_name;
    char address[ENDPOINT_TEXT_MAX];
    endpoint_text(&transfer->address, address);
    char *colon = strrchr(address, ':');
    *colon = '\0';
    snprintf(url->port, sizeof url->port, "%.7s", colon + 1);
    snprintf(url->host, sizeof url->host, "%s", name != NULL ? name : address);
    url->https = true;
    snprintf(out, URL_MAX, "%s://%s:%s/%s", forms[starttls].scheme, url->host, url->port,
             forms[starttls].path);
}

#define SET(option, value) (code = code ? code : curl_easy_setopt(easy, option, value))

static CURLcode set_transport(struct transfer *transfer, CURL *easy)
{
    CURLcode code = CURLE_OK;
    SET(CURLOPT_PRIVATE, &transfer->job);
    SET(CURLOPT_ERRORBUFFER, transfer->error);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_NOPROXY, "*");
    SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    SET(CURLOPT_FRESH_CONNECT, 1L);
    SET(CURLOPT_CONNECTTIMEOUT_MS, PATIENCE_MS);
    SET(CURLOPT_SERVER_RESPONSE_TIMEOUT, PATIENCE_MS / 1000);
    SET(CURLOPT_CONNECT_TO, transfer->lists[0]);
    SET(CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
    SET(CURLOPT_OPENSOCKETDATA, transfer);
    SET(CURLOPT_NOPROGRESS, 0L);
    SET(CURLOPT_XFERINFOFUNCTION, on_progress);
    SET(CURLOPT_XFERINFODATA, transfer);
    return code;
}

// The chain and the name are verified by tls_peer.c, against anchors that are shared; libcurl
// would read its own for each transfer.
static CURLcode set_tls(struct transfer *transfer, CURL *easy)
{
    CURLcode code = CURLE_OK;
    SET(CURLOPT_SSL_SESSIONID_CACHE, 0L);
    SET(CURLOPT_SSL_VERIFYPEER, 0L);
    SET(CURLOPT_SSL_VERIFYHOST, 0L);
    SET(CURLOPT_CAINFO, NULL);
    SET(CURLOPT_CAPATH, NULL);
    SET(CURLOPT_SSL_CTX_FUNCTION, on_tls_context);
    SET(CURLOPT_SSL_CTX_DATA, transfer);
    return code;
}

// What was sent over TLS, secret headers too, is not sent once more in clear.
static const char *redirect_protocols(const struct transfer_request *request)
{
    return url_encrypted(request->url) ? "https" : "http,https";
}

static CURLcode set_request(struct transfer *transfer, CURL *easy)
{
    const struct transfer_request *request = transfer->request;
    CURLcode code = CURLE_OK;
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_REDIR_PROTOCOLS_STR, redirect_protocols(request));
    SET(CURLOPT_URL, request->url);
    SET(CURLOPT_FORBID_REUSE, 1L);
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_FOLLOWLOCATION, request->redirects > 0 ? 1L : 0L);
    SET(CURLOPT_MAXREDIRS, (long)request->redirects);
    SET(CURLOPT_USERAGENT, "popgate/" POPGATE_VERSION);
    SET(CURLOPT_HTTPHEADER, transfer->lists[1]);
    if (request->body != NULL) {
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_length);
        SET(CURLOPT_POSTFIELDS, request->body);
    }
    if (strcmp(method_of(transfer), "HEAD") == 0) {
        SET(CURLOPT_NOBODY, 1L);
    } else if (request->method != NULL) {
        SET(CURLOPT_CUSTOMREQUEST, request->method);
    }
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, transfer);
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, transfer);
    return code;
}

// libcurl never uses such a connection for anything else, and closes it with its handle.
// libcurl would make of an ALPN answer what it means to HTTP, so it is not told of it.
static CURLcode set_handshake(const struct transfer *transfer, CURL *easy, const char *url)
{
    CURLcode code = CURLE_OK;
    SET(CURLOPT_PROTOCOLS_STR, "https,smtp,imap");
    SET(CURLOPT_URL, url);
    SET(CURLOPT_CONNECT_ONLY, 1L);
    SET(CURLOPT_SSL_ENABLE_ALPN, 0L);
    if (transfer->request->starttls != TRANSFER_STARTTLS_OFF) {
        SET(CURLOPT_USE_SSL, (long)CURLUSESSL_ALL);
    }
    return code;
}

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

static void expect_peer(struct transfer *transfer)
{
    const struct transfer_request *request = transfer->request;
    transfer->peer.options = request->tls;
    transfer->peer.alpn = request->alpn;
    transfer->peer.name = transfer->host;
    transfer->peer.owner = transfer;
    transfer->peer.on_finished = request->handshake ? on_handshake : NULL;
}

// False, and the result is set, if there is something on our side that keeps it from beginning.
static bool prepare(struct transfer *transfer, struct url *url, char handshake[URL_MAX])
{
    const struct transfer_request *request = transfer->request;
    handshake[0] = '\0';
    *url = (struct url){.https = false};
    const char *problem = request->handshake ? NULL : url_parse(request->url, url);
    bool targeted = request->target != NULL && request->target->length > 0;
    transfer->address = targeted ? *request->target : url->address;
    if (problem != NULL || transfer->address.length == 0) {
        finding_set(&transfer->result, VERDICT_UNKNOWN, "local", "\"%.100s\" %s", request->url,
                    problem != NULL ? problem : "has no address");
        return false;
    }
    if (request->handshake) {
        handshake_url(transfer, url, handshake);
    }
    set_host(transfer, url);
    expect_peer(transfer);
    return true;
}

static bool begin(struct transfer *transfer, const struct url *url, const char *handshake)
{
    CURL *easy = curl_easy_init();
    if (easy == NULL) {
        return false;
    }
    transfer->lists[0] = pinned_address(transfer, url);
    transfer->lists[1] = header_lines(transfer);
    CURLcode code = transfer->job.error ? CURLE_OUT_OF_MEMORY : set_transport(transfer, easy);
    code = code ? code : set_tls(transfer, easy);
    code = code           ? code
           : handshake[0] ? set_handshake(transfer, easy, handshake)
                          : set_request(transfer, easy);
    if (code) {
        curl_easy_cleanup(easy);
    } else if (curl_job_begin(&transfer->job, transfer->loop, easy)) {
        return true;
    }
    return false;
}

static void begin_now(struct transfer *transfer)
{
    char what[TRANSFER_WHAT_MAX];
    char handshake[URL_MAX];
    struct url url;
    bool prepared = prepare(transfer, &url, handshake);
    if (prepared && begin(transfer, &url, handshake)) {
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
        set_awaited(transfer);
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
