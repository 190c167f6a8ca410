// What the files of a transfer share: its life (transfer.c), how it speaks with libcurl
// (transfer_curl.c), and its words (transfer_words.c).
#pragma once

#include "probes/transfer.h"

// Where it goes, and whom it expects there. False, and the result is set, if there is something on
// our side that keeps it from beginning. handshake: the URL of one that is nothing else, or "".
bool transfer_prepare(struct transfer *transfer, struct url *url, char handshake[URL_MAX]);

// Begins libcurl's part. False when out of memory.
bool transfer_begin(struct transfer *transfer, const struct url *url, const char *handshake);

const char *transfer_method(const struct transfer *transfer);

// What libcurl's connecting took so far, of all connections that it made.
curl_off_t transfer_connecting_us(const struct transfer *transfer);

// Notes what is awaited, of a transfer that is libcurl's.
void transfer_set_awaited(struct transfer *transfer);
