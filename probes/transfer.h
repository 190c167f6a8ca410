// One request over HTTP or HTTPS, or a bare TLS handshake, on the loop: the ground under the probe
// types that speak through libcurl.
//
// Nothing blocks and nothing is looked up: a transfer goes to an address, there is no resolver, no
// proxy, no netrc, no cookie and no reuse of a connection or a TLS session. Certificates are always
// verified.
#pragma once

#include "probes/curl_loop.h"
#include "probes/transfer_request.h"
#include "probes/url.h"

#define TRANSFER_WHAT_MAX      160
#define TRANSFER_BODY_DEFAULT  65536
#define TRANSFER_REDIRECTS_MAX 3

// Bytes come into memory of the caller's; one more than size are a failure ("too-large").
struct transfer_buffer {
    char *bytes; // NULL: thrown away
    size_t size, length;
    bool overflow;
};

struct transfer;
typedef void (*transfer_cb)(struct transfer *transfer);

// Zeroed is idle. The owner sets loop, owner, on_done and the two buffers' bytes and size; the rest
// is the transfer's. Before it goes, or its loop does, it is closed.
struct transfer {
    struct curl_loop *loop;
    void *owner;
    transfer_cb on_done;
    // Of the answer: all header lines, each ending with "\n" (of the last answer only, if there
    // were redirects), and the body.
    struct transfer_buffer head, body;

    // When it is done. result.kind is VERDICT_PASS when an answer came whole, whatever its status.
    struct finding result;
    long status;            // HTTP's
    struct tls_peer peer;   // peer.finished: it was over TLS, and peer is verified
    char redirect[URL_MAX]; // where the answer leads, if redirects are not followed

    struct transfer_request *request; // its own; without headers and body once it is over
    struct curl_job job;
    struct curl_slist *lists[2];
    struct kept_user anchors, certificate; // the files that it uses; the latter: ours
    uint64_t began_ns;
    uint64_t waited_ns; // for them, once it is done or cancelled, as struct awaited has it
    struct x509_store_st *store;
    struct client_cert *own;
    struct endpoint address; // what it connects to; a redirect leads to another port of it
    char host[URL_HOST_MAX];
    char awaited[VERDICT_CAUSE_MAX];
    char error[CURL_ERROR_SIZE];
    int64_t connected_us; // that connections before this one took to be made
    int fd;               // libcurl's socket, the last one that it opened
    uint64_t received;    // through it, when libcurl last told of progress
};

// Begins. on_done follows exactly once, at once or later, unless it is cancelled. The transfer must
// be idle. Nothing of the request is needed once this returns.
void transfer_start(struct transfer *transfer, const struct transfer_request *request);

// Drops it, if it is under way; on_done does not follow. Returns what was awaited, e.g.
// "TLS handshake with 192.0.2.53:853 (dns.example.net)", and whose that was.
struct awaited transfer_cancel(struct transfer *transfer);

// "TLS handshake with 192.0.2.53:853 (dns.example.net)", "GET https://... at 192.0.2.53:443": the
// beginning of a cause. Valid once it was started.
const char *transfer_what(const struct transfer *transfer, char out[TRANSFER_WHAT_MAX]);

// Gives back what it keeps of its last request. It is idle.
void transfer_close(struct transfer *transfer);
