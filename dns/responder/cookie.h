// DNS cookies (RFC 7873), with the server cookie of RFC 9018, which all PoPs that share the secret
// make and accept alike. Pure.
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define COOKIE_CLIENT_SIZE 8
#define COOKIE_SERVER_SIZE 16
#define COOKIE_SIZE        (COOKIE_CLIENT_SIZE + COOKIE_SERVER_SIZE)
#define COOKIE_SECRET_SIZE 16
#define COOKIE_SECRETS_MAX 3

// The first makes cookies, all are accepted: how a secret is rolled over without anyone noticing
// (RFC 9018 section 5). count 0: cookies are off.
struct cookie_secrets {
    size_t count;
    uint8_t bytes[COOKIE_SECRETS_MAX][COOKIE_SECRET_SIZE];
};

enum cookie_verdict {
    COOKIE_NONE,      // no such option
    COOKIE_MALFORMED, // FORMERR (RFC 7873 section 5.2.2)
    COOKIE_NEW,       // only the client's part
    COOKIE_BAD,       // not ours, too old, or of the future
    COOKIE_GOOD,
};

// Judges an option's bytes as sent from client at now_s (Unix time; serial arithmetic as RFC 9018
// section 4.3: up to an hour old, up to five minutes ahead).
enum cookie_verdict cookie_check(const struct cookie_secrets *secrets,
                                 const struct sockaddr *client, uint32_t now_s,
                                 const uint8_t *option, size_t length);

// The option for the answer: the client's part, and a server cookie of the first secret.
void cookie_make(const struct cookie_secrets *secrets, const struct sockaddr *client,
                 uint32_t now_s, const uint8_t client_part[COOKIE_CLIENT_SIZE],
                 uint8_t out[COOKIE_SIZE]);

// Reads a secrets file's text: one secret a line as 32 hexadecimal digits, the one that makes
// cookies first; # begins a comment. 0, or -1 with a message that names the line, never the secret.
int cookie_secrets_parse(const char *text, size_t length, struct cookie_secrets *out,
                         char error[ERROR_MAX]);
