// libcurl's multi interface on libuv; see transfer.h. libcurl says which sockets to watch and when
// to wake it; the hub does both, and looks afterwards which transfers are over.
//
// libcurl is never called from within its own callbacks; what fails in one of them (no descriptor,
// no room in epoll) is noted in the transfer, which ends with it on the hub's next turn.
#include "probes/transfer.h"

#include "probes/descriptor.h"
#include "probes/received.h"
#include "probes/system_error.h"

#include <assert.h>
#include <curl/curl.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// libcurl's own patience is longer than any probe's timeout: that one is the scheduler's.
#define PATIENCE_MS (24L * 3600 * 1000)

// Bytes on the wire for one of a body: the smallest chunks, of one byte, take six. And more, for
// headers and a handshake.
#define WRAPPED_FACTOR 8
#define WRAPPED_MORE   (1 << 20)

struct watch {
    struct transfer_hub *hub;
    struct watch *next; // while it is spare
    uv_poll_t poll;
    int fd, events;
    bool live;
};

struct transfer_hub {
    uv_loop_t *loop;
    CURLM *multi;
    uv_timer_t timer;
    struct transfer *active;
    struct watch *spare; // those that have been used and are not now
    struct trust trust;
    struct transfer_hub *next; // of the thread's
    unsigned users;
    unsigned handles; // not yet closed
    bool in_timer;
};

static _Thread_local struct transfer_hub *hubs;

// ---- Words

static bool in_handshake(const struct transfer *transfer)
{
    return transfer->peer.started && !transfer->peer.finished;
}

static const char *method_of(const struct transfer *transfer)
{
    return transfer->request->method ? transfer->request->method : "GET";
}

const char *transfer_what(const struct transfer *transfer, char out[TRANSFER_WHAT_MAX])
{
    char address[ENDPOINT_TEXT_MAX];
    endpoint_text(&transfer->address, address);
    if (transfer->request->handshake || in_handshake(transfer)) {
        snprintf(out, TRANSFER_WHAT_MAX, "TLS handshake with %s (%.60s)", address, transfer->host);
    } else {
        snprintf(out, TRANSFER_WHAT_MAX, "%.8s %.70s at %s", method_of(transfer),
                 transfer->request->url, address);
    }
    return out;
}

static bool is_connected(const struct transfer *transfer)
{
    curl_off_t connected_us = 0;
    curl_easy_getinfo(transfer->easy, CURLINFO_CONNECT_TIME_T, &connected_us);
    return connected_us > 0;
}

static void set_awaited(struct transfer *transfer)
{
    char what[TRANSFER_WHAT_MAX];
    char address[ENDPOINT_TEXT_MAX];
    transfer_what(transfer, what);
    if (!transfer->peer.started && !is_connected(transfer)) {
        snprintf(transfer->awaited, sizeof transfer->awaited, "TCP connection to %s",
                 endpoint_text(&transfer->address, address));
    } else if (transfer->request->handshake && !transfer->peer.started) {
        snprintf(transfer->awaited, sizeof transfer->awaited, "STARTTLS offer of %s",
                 endpoint_text(&transfer->address, address));
    } else if (transfer->request->handshake || in_handshake(transfer)) {
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

static void drop(struct transfer *transfer)
{
    CURL *easy = transfer->easy;
    *transfer->link = transfer->next;
    if (transfer->next) {
        transfer->next->link = transfer->link;
    }
    transfer->easy = NULL;
    curl_multi_remove_handle(transfer->hub->multi, easy);
    curl_easy_cleanup(easy);
    for (size_t i = 0; i < sizeof transfer->lists / sizeof *transfer->lists; i++) {
        curl_slist_free_all(transfer->lists[i]);
        transfer->lists[i] = NULL;
    }
}

static const char *connect_text(const struct transfer *transfer, char out[TRANSFER_WHAT_MAX])
{
    char address[ENDPOINT_TEXT_MAX];
    snprintf(out, TRANSFER_WHAT_MAX, "connect to %s", endpoint_text(&transfer->address, address));
    return out;
}

static void result_error(struct transfer *transfer, int error, const char *attempted)
{
    if (error == UV_ECONNREFUSED) {
        finding_set(&transfer->result, VERDICT_FAIL, "refused",
                    "%s: nothing listens there (connection refused)", attempted);
    } else if (error == UV_ECONNRESET || error == UV_EPIPE) {
        finding_set(&transfer->result, VERDICT_FAIL, "reset", "%s: the connection was reset",
                    attempted);
    } else {
        finding_error(&transfer->result, error, attempted);
    }
}

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

static void result_meaning(struct transfer *transfer, CURLcode code, const char *what)
{
    const char *text = transfer->error[0] ? transfer->error : curl_easy_strerror(code);
    for (size_t i = 0; i < sizeof meanings / sizeof *meanings; i++) {
        if (meanings[i].code == code) {
            finding_set(&transfer->result, meanings[i].ours ? VERDICT_UNKNOWN : VERDICT_FAIL,
                        meanings[i].word, "%s: %s", what,
                        meanings[i].cause ? meanings[i].cause : text);
            return;
        }
    }
    finding_set(&transfer->result, VERDICT_FAIL, "protocol", "%s: %s", what, text);
}

static void result_of_failure(struct transfer *transfer, CURLcode code)
{
    char what[TRANSFER_WHAT_MAX];
    struct finding finding;
    long os_errno = 0;
    curl_easy_getinfo(transfer->easy, CURLINFO_OS_ERRNO, &os_errno);
    int error = uv_translate_sys_error((int)os_errno);
    if (transfer->local_error) {
        result_error(transfer, transfer->local_error, connect_text(transfer, what));
    } else if (code == CURLE_COULDNT_CONNECT && os_errno) {
        result_error(transfer, error, connect_text(transfer, what));
    } else if (in_handshake(transfer) && transfer->peer.verify_error == 0 && os_errno &&
               // Ours ranks before what the peer did, theirs after.
               // NOLINTNEXTLINE(bugprone-branch-clone)
               probe_error_is_ours(error)) {
        result_error(transfer, error, transfer_what(transfer, what));
    } else if (transfer->body.overflow || transfer->head.overflow) {
        bool body = transfer->body.overflow;
        finding_set(&transfer->result, VERDICT_FAIL, "too-large", "%s: %s larger than %zu bytes",
                    transfer_what(transfer, what), body ? "body" : "header",
                    body ? transfer->body.size : transfer->head.size);
    } else if (code != CURLE_OUT_OF_MEMORY &&
               (in_handshake(transfer) || code == CURLE_PEER_FAILED_VERIFICATION)) {
        tls_peer_explain(&transfer->peer, transfer->error, time(NULL), &finding);
        finding_set(&transfer->result, finding.kind, finding.code, "%s: %s",
                    transfer_what(transfer, what), finding.cause);
    } else if ((code == CURLE_RECV_ERROR || code == CURLE_SEND_ERROR) && os_errno) {
        result_error(transfer, error, transfer_what(transfer, what));
    } else {
        result_meaning(transfer, code, transfer_what(transfer, what));
    }
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
    curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &transfer->status);
    curl_easy_getinfo(transfer->easy, CURLINFO_REDIRECT_URL, &redirect);
    snprintf(transfer->redirect, sizeof transfer->redirect, "%s", redirect ? redirect : "");
    finding_set(&transfer->result, VERDICT_PASS, "ok", "%s", transfer_what(transfer, what));
}

static void finish(struct transfer *transfer, CURLcode code)
{
    if (code == CURLE_OK && !transfer->local_error) {
        result_of_success(transfer);
    } else {
        result_of_failure(transfer, code);
    }
    drop(transfer);
    transfer->on_done(transfer);
}

// A handshake is over when it is done, whatever the protocol above it would say next. The
// callbacks may start and cancel transfers, so nothing is held across one.
static void finish_what_is_over(struct transfer_hub *hub)
{
    CURLMsg *message;
    int left;
    hub->users++;
    while ((message = curl_multi_info_read(hub->multi, &left)) != NULL) {
        struct transfer *transfer = NULL;
        CURLcode code = message->data.result;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&transfer);
        finish(transfer, code);
    }
    for (struct transfer *at = hub->active; at;) {
        if (at->local_error || (at->request->handshake && at->peer.finished)) {
            finish(at, CURLE_OK);
            at = hub->active;
        } else {
            at = at->next;
        }
    }
    transfer_hub_release(hub);
}

// ---- libcurl's wishes

static void on_timer(uv_timer_t *timer)
{
    struct transfer_hub *hub = timer->data;
    int running;
    hub->in_timer = true;
    curl_multi_socket_action(hub->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    hub->in_timer = false;
    finish_what_is_over(hub);
}

static void wake_in(struct transfer_hub *hub, uint64_t after_ms)
{
    uv_update_time(hub->loop);
    int error = uv_timer_start(&hub->timer, on_timer, after_ms, 0);
    assert(error == 0);
    (void)error;
}

static int on_wish_for_time(CURLM *multi, long timeout_ms, void *arg)
{
    struct transfer_hub *hub = arg;
    (void)multi;
    if (timeout_ms < 0) {
        uv_timer_stop(&hub->timer);
    } else {
        // At once within the timer's turn would be in the same turn, and keep the loop from all
        // else for as long as the server is fast enough.
        wake_in(hub, hub->in_timer && timeout_ms == 0 ? 1 : (uint64_t)timeout_ms);
    }
    return 0;
}

// libuv says UV_EBADF for any pending error of the socket, and stops watching; libcurl finds
// out what it is.
static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct watch *watch = poll->data;
    struct transfer_hub *hub = watch->hub;
    int action = (events & UV_READABLE ? CURL_CSELECT_IN : 0) |
                 (events & UV_WRITABLE ? CURL_CSELECT_OUT : 0) |
                 (status < 0 ? CURL_CSELECT_ERR | CURL_CSELECT_IN | CURL_CSELECT_OUT : 0);
    int fd = watch->fd;
    int running;
    hub->users++;
    curl_multi_socket_action(hub->multi, fd, action, &running);
    if (status < 0 && watch->live && watch->fd == fd) {
        (void)uv_poll_start(&watch->poll, watch->events, on_poll);
    }
    finish_what_is_over(hub);
    transfer_hub_release(hub);
}

static void hub_free_if_done(struct transfer_hub *hub);

static void on_watch_closed(uv_handle_t *handle)
{
    struct watch *watch = handle->data;
    struct transfer_hub *hub = watch->hub;
    watch->next = hub->spare;
    hub->spare = watch;
    hub->handles--;
    hub_free_if_done(hub);
}

static void watch_end(struct watch *watch)
{
    watch->live = false;
    uv_close((uv_handle_t *)&watch->poll, on_watch_closed);
}

// NULL and a negative uv error when fd can't be watched.
static struct watch *watch_begin(struct transfer_hub *hub, int fd, int *error)
{
    struct watch *watch = hub->spare;
    if (watch) {
        hub->spare = watch->next;
    } else {
        watch = malloc(sizeof *watch);
        if (!watch) {
            *error = UV_ENOMEM;
            return NULL;
        }
    }
    *watch = (struct watch){.hub = hub, .fd = fd, .live = true};
    *error = uv_poll_init_socket(hub->loop, &watch->poll, fd);
    if (*error) {
        watch->next = hub->spare;
        hub->spare = watch;
        return NULL;
    }
    watch->poll.data = watch;
    hub->handles++;
    return watch;
}

static int on_wish_for_events(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
    struct transfer_hub *hub = arg;
    struct watch *watch = socket_arg;
    struct transfer *transfer = NULL;
    int error = 0;
    if (what == CURL_POLL_REMOVE) {
        if (watch) {
            curl_multi_assign(hub->multi, fd, NULL);
            watch_end(watch);
        }
        return 0;
    }
    if (!watch) {
        watch = watch_begin(hub, fd, &error);
        curl_multi_assign(hub->multi, fd, watch);
    }
    if (watch) {
        watch->events =
            (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
        error = uv_poll_start(&watch->poll, watch->events, on_poll);
    }
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&transfer);
    if (error && transfer) {
        transfer->local_error = error;
        wake_in(hub, 0);
    }
    return 0;
}

static curl_socket_t on_open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct transfer *transfer = arg;
    (void)purpose;
    int fd = socket_from(transfer->request->source, address->family, address->socktype,
                         address->protocol);
    if (fd < 0) {
        transfer->local_error = fd;
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
    snprintf(transfer->host, sizeof transfer->host, "%.*s", (int)(bracketed ? length - 2 : length),
             url->host + bracketed);
}

static CURLcode on_tls_context(CURL *easy, void *context, void *arg)
{
    struct transfer *transfer = arg;
    const char *now_at = NULL;
    struct url url;
    if (!transfer->request->handshake) {
        curl_easy_getinfo(easy, CURLINFO_EFFECTIVE_URL, &now_at);
        if (!now_at || url_parse(now_at, &url) != NULL) {
            return CURLE_URL_MALFORMAT;
        }
        set_host(transfer, &url);
    }
    return tls_peer_attach(&transfer->peer, context, transfer->store) ? CURLE_OK
                                                                      : CURLE_OUT_OF_MEMORY;
}

// ---- What comes in

static size_t take(struct transfer_buffer *buffer, const char *bytes, size_t length)
{
    if (buffer->size - buffer->length < length) {
        buffer->overflow = true;
        return 0;
    }
    if (buffer->bytes) {
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
    const struct transfer *transfer = arg;
    (void)wanted, (void)got, (void)to_send, (void)sent;
    return tcp_received(transfer->fd) > WRAPPED_FACTOR * transfer->body.size + WRAPPED_MORE;
}

// ---- The beginning of a transfer

static struct curl_slist *append(struct transfer *transfer, struct curl_slist *list,
                                 const char *line)
{
    struct curl_slist *longer = curl_slist_append(list, line);
    transfer->local_error = longer ? transfer->local_error : UV_ENOMEM;
    return longer ? longer : list;
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
    snprintf(url->host, sizeof url->host, "%s", name ? name : address);
    url->https = true;
    snprintf(out, URL_MAX, "%s://%s:%s/%s", forms[starttls].scheme, url->host, url->port,
             forms[starttls].path);
}

#define SET(option, value) (code = code ? code : curl_easy_setopt(easy, option, value))

static CURLcode set_transport(struct transfer *transfer, CURL *easy)
{
    CURLcode code = CURLE_OK;
    SET(CURLOPT_PRIVATE, transfer);
    SET(CURLOPT_ERRORBUFFER, transfer->error);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_NOPROXY, "*");
    SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    SET(CURLOPT_FRESH_CONNECT, 1L);
    SET(CURLOPT_FORBID_REUSE, 1L);
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

static CURLcode set_request(struct transfer *transfer, CURL *easy)
{
    const struct transfer_request *request = transfer->request;
    CURLcode code = CURLE_OK;
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_URL, request->url);
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_FOLLOWLOCATION, request->redirects > 0 ? 1L : 0L);
    SET(CURLOPT_MAXREDIRS, (long)request->redirects);
    SET(CURLOPT_USERAGENT, "popgate/" POPGATE_VERSION);
    SET(CURLOPT_HTTPHEADER, transfer->lists[1]);
    if (request->body) {
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_length);
        SET(CURLOPT_POSTFIELDS, request->body);
    }
    if (strcmp(method_of(transfer), "HEAD") == 0) {
        SET(CURLOPT_NOBODY, 1L);
    } else if (request->method) {
        SET(CURLOPT_CUSTOMREQUEST, request->method);
    }
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, transfer);
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, transfer);
    return code;
}

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

static void clear(struct transfer *transfer, const struct transfer_request *request)
{
    transfer->request = request;
    transfer->status = 0;
    transfer->local_error = 0;
    transfer->fd = -1;
    transfer->error[0] = transfer->redirect[0] = transfer->awaited[0] = '\0';
    transfer->head.length = transfer->body.length = 0;
    transfer->head.overflow = transfer->body.overflow = false;
    transfer->peer = (struct tls_peer){
        .options = request->tls, .alpn = request->alpn, .name = transfer->host, .alert = -1};
}

// False, and the result is set, if there is something on our side that keeps it from beginning.
static bool prepare(struct transfer *transfer, char handshake[URL_MAX], struct url *url)
{
    const struct transfer_request *request = transfer->request;
    const char *problem = request->handshake ? NULL : url_parse(request->url, url);
    bool targeted = request->target && request->target->length > 0;
    transfer->address = targeted ? *request->target : url->address;
    if (problem || transfer->address.length == 0) {
        finding_set(&transfer->result, VERDICT_UNKNOWN, "local", "\"%.100s\" %s", request->url,
                    problem ? problem : "has no address");
        return false;
    }
    if (request->handshake) {
        handshake_url(transfer, url, handshake);
    }
    set_host(transfer, url);
    if (!url->https && request->redirects == 0) {
        return true;
    }
    transfer->store = trust_store(&transfer->hub->trust, request->tls->ca, &transfer->result);
    return transfer->store != NULL;
}

static bool begin(struct transfer *transfer, const struct url *url, const char *handshake)
{
    struct transfer_hub *hub = transfer->hub;
    CURL *easy = curl_easy_init();
    if (!easy) {
        return false;
    }
    transfer->lists[0] = pinned_address(transfer, url);
    transfer->lists[1] = header_lines(transfer);
    CURLcode code = transfer->local_error ? CURLE_OUT_OF_MEMORY : set_transport(transfer, easy);
    code = code ? code : set_tls(transfer, easy);
    code = code           ? code
           : handshake[0] ? set_handshake(transfer, easy, handshake)
                          : set_request(transfer, easy);
    transfer->easy = easy;
    transfer->next = hub->active;
    transfer->link = &hub->active;
    if (hub->active) {
        hub->active->link = &transfer->next;
    }
    hub->active = transfer;
    if (code || curl_multi_add_handle(hub->multi, easy) != CURLM_OK) {
        drop(transfer);
        return false;
    }
    return true;
}

void transfer_start(struct transfer *transfer, const struct transfer_request *request)
{
    assert(transfer->hub && transfer->on_done && !transfer->easy);
    assert(request->tls);
    char handshake[URL_MAX] = "";
    char what[TRANSFER_WHAT_MAX];
    struct url url = {.https = false};
    clear(transfer, request);
    if (!prepare(transfer, handshake, &url)) {
        transfer->on_done(transfer);
    } else if (!begin(transfer, &url, handshake)) {
        finding_error(&transfer->result, UV_ENOMEM, transfer_what(transfer, what));
        transfer->on_done(transfer);
    }
}

const char *transfer_cancel(struct transfer *transfer)
{
    if (transfer->easy) {
        set_awaited(transfer);
        drop(transfer);
    }
    return transfer->awaited;
}

// ---- The hub

static void hub_free_if_done(struct transfer_hub *hub)
{
    if (hub->handles > 0) {
        return;
    }
    while (hub->spare) {
        struct watch *watch = hub->spare;
        hub->spare = watch->next;
        free(watch);
    }
    trust_clear(&hub->trust);
    free(hub);
    curl_global_cleanup();
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct transfer_hub *hub = handle->data;
    hub->handles--;
    hub_free_if_done(hub);
}

static bool hub_set(struct transfer_hub *hub)
{
    return curl_multi_setopt(hub->multi, CURLMOPT_SOCKETFUNCTION, on_wish_for_events) == CURLM_OK &&
           curl_multi_setopt(hub->multi, CURLMOPT_SOCKETDATA, hub) == CURLM_OK &&
           curl_multi_setopt(hub->multi, CURLMOPT_TIMERFUNCTION, on_wish_for_time) == CURLM_OK &&
           curl_multi_setopt(hub->multi, CURLMOPT_TIMERDATA, hub) == CURLM_OK;
}

static struct transfer_hub *hub_new(uv_loop_t *loop)
{
    struct transfer_hub *hub = calloc(1, sizeof *hub);
    if (!hub) {
        return NULL;
    }
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        goto err_hub;
    }
    hub->multi = curl_multi_init();
    if (!hub->multi || !hub_set(hub)) {
        goto err_multi;
    }
    if (uv_timer_init(loop, &hub->timer) != 0) {
        goto err_multi;
    }
    hub->loop = loop;
    hub->timer.data = hub;
    hub->handles = 1;
    hub->next = hubs;
    hubs = hub;
    return hub;

err_multi:
    curl_multi_cleanup(hub->multi);
    curl_global_cleanup();
err_hub:
    free(hub);
    return NULL;
}

int transfer_hub_acquire(uv_loop_t *loop, struct transfer_hub **out)
{
    struct transfer_hub *hub = hubs;
    while (hub && hub->loop != loop) {
        hub = hub->next;
    }
    *out = hub ? hub : hub_new(loop);
    if (!*out) {
        return UV_ENOMEM;
    }
    (*out)->users++;
    return 0;
}

void transfer_hub_release(struct transfer_hub *hub)
{
    struct transfer_hub **link = &hubs;
    assert(hub->users > 0);
    if (--hub->users > 0) {
        return;
    }
    assert(!hub->active);
    while (*link != hub) {
        link = &(*link)->next;
    }
    *link = hub->next;
    curl_multi_cleanup(hub->multi);
    uv_close((uv_handle_t *)&hub->timer, on_timer_closed);
}
