// What a transfer is to do, and a copy of it that is the transfer's own: whoever asks for one keeps
// nothing for it, and a reload may take away what it was asked with. Pure.
#pragma once

#include "probes/tls_peer.h"

#define TRANSFER_HEADERS_MAX 8

enum transfer_starttls { TRANSFER_STARTTLS_OFF, TRANSFER_STARTTLS_SMTP, TRANSFER_STARTTLS_IMAP };

struct transfer_request {
    const char *method;         // NULL: GET
    const char *url;            // passed url_check(); not used for a handshake
    const char *const *headers; // "Name: value", more than what libcurl sends by itself
    size_t header_count;        // TRANSFER_HEADERS_MAX at most
    const char *body;           // NULL: none; sent as it is
    size_t body_length;
    const struct endpoint *target; // may be NULL or of length 0, but for a handshake
    const struct endpoint *source; // likewise: the kernel's choice
    const struct tls_options *tls; // needed for http too: a redirect may lead to https
    unsigned redirects;            // how many are followed

    // A handshake and nothing else: the name to ask for and to verify (NULL: target's address).
    bool handshake;
    const char *server_name;
    const struct tls_alpn *alpn; // may be NULL
    int starttls;                // enum transfer_starttls
};

// One block with all that the request points to. NULL when out of memory.
struct transfer_request *transfer_request_copy(const struct transfer_request *request);

// Wipes what of a copy may be secret, its headers and its body: it has none from then on.
void transfer_request_wipe(struct transfer_request *copy);

// Wipes and frees a copy, or NULL.
void transfer_request_free(struct transfer_request *copy);
