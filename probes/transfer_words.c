// See transfer_inside.h. What a transfer is called, and what it waits for.
#include "probes/transfer_inside.h"

#include <stdio.h>

const char *transfer_method(const struct transfer *transfer)
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
        snprintf(out, TRANSFER_WHAT_MAX, "%.8s %.70s at %s", transfer_method(transfer),
                 transfer->request->url, address);
    }
    return out;
}

curl_off_t transfer_connecting_us(const struct transfer *transfer)
{
    curl_off_t took_us = 0;
    curl_easy_getinfo(transfer->job.easy, CURLINFO_CONNECT_TIME_T, &took_us);
    return took_us;
}

void transfer_set_awaited(struct transfer *transfer)
{
    char what[TRANSFER_WHAT_MAX];
    char address[ENDPOINT_TEXT_MAX];
    transfer_what(transfer, what);
    if (!transfer->peer.started && transfer_connecting_us(transfer) == transfer->connected_us) {
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
