// See transfer_inside.h. What libcurl is told of a request, what it asks for meanwhile, and what it
// hands over.
#include "probes/transfer_inside.h"

#include "probes/descriptor.h"
#include "probes/received.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

// libcurl's own patience is longer than any probe's timeout: that one is the scheduler's.
#define PATIENCE_MS (24L * 3600 * 1000)

// Bytes on the wire for one of a body: the smallest chunks, of one byte, take six. And more, for
// headers and a handshake.
#define WRAPPED_FACTOR 8
#define WRAPPED_MORE   (1 << 20)

// ---- What libcurl asks of us

// After a redirect it is another port, and nothing has come from there yet.
static void set_address(struct transfer *transfer, const struct curl_sockaddr *address)
{
    assert(address->addrlen <= sizeof transfer->address.address);
    memcpy(&transfer->address.address, &address->addr, address->addrlen);
    transfer->address.length = address->addrlen;
    transfer->connected_us = transfer_connecting_us(transfer);
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
    if (strcmp(transfer_method(transfer), "HEAD") == 0) {
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

static void expect_peer(struct transfer *transfer)
{
    const struct transfer_request *request = transfer->request;
    transfer->peer.options = request->tls;
    transfer->peer.alpn = request->alpn;
    transfer->peer.name = transfer->host;
    transfer->peer.owner = transfer;
    transfer->peer.on_finished = request->handshake ? on_handshake : NULL;
}

bool transfer_prepare(struct transfer *transfer, struct url *url, char handshake[URL_MAX])
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

bool transfer_begin(struct transfer *transfer, const struct url *url, const char *handshake)
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
