// The server cookie of RFC 9018: version, reserved, time, and a keyed hash over these, the client's
// part and its address.
#include "dns/responder/cookie.h"

#include "base/bytes.h"

#include <arpa/inet.h>
#include <assert.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define VERSION    1
#define PLAIN_SIZE (COOKIE_SERVER_SIZE - crypto_shorthash_BYTES) // of the part that is not the hash
#define OLDEST_S   3600
#define AHEAD_S    300

// The longest and shortest server cookies of any maker (RFC 7873 section 4.2).
#define SERVER_MIN 8
#define SERVER_MAX 32

_Static_assert(COOKIE_SECRET_SIZE == crypto_shorthash_KEYBYTES, "SipHash-2-4 takes the secret");

// cookie holds the client's part and the plain part of the server's.
static void hash(const uint8_t secret[COOKIE_SECRET_SIZE], const struct sockaddr *client,
                 const uint8_t *cookie, uint8_t out[crypto_shorthash_BYTES])
{
    uint8_t input[COOKIE_CLIENT_SIZE + PLAIN_SIZE + sizeof(struct in6_addr)];
    size_t length = COOKIE_CLIENT_SIZE + PLAIN_SIZE;
    memcpy(input, cookie, length);
    if (client->sa_family == AF_INET6) {
        memcpy(input + length, &((const struct sockaddr_in6 *)client)->sin6_addr, 16);
        length += 16;
    } else {
        assert(client->sa_family == AF_INET);
        memcpy(input + length, &((const struct sockaddr_in *)client)->sin_addr, 4);
        length += 4;
    }
    crypto_shorthash(out, input, length, secret);
}

static bool is_current(const uint8_t time[4], uint32_t now_s)
{
    uint32_t age_s = now_s - get_u32(time);
    return age_s <= OLDEST_S || age_s >= UINT32_MAX - AHEAD_S + 1;
}

enum cookie_verdict cookie_check(const struct cookie_secrets *secrets,
                                 const struct sockaddr *client, uint32_t now_s,
                                 const uint8_t *option, size_t length)
{
    if (length == COOKIE_CLIENT_SIZE) {
        return COOKIE_NEW;
    }
    if (length < COOKIE_CLIENT_SIZE + SERVER_MIN || length > COOKIE_CLIENT_SIZE + SERVER_MAX) {
        return COOKIE_MALFORMED;
    }
    const uint8_t *server = option + COOKIE_CLIENT_SIZE;
    if (length != COOKIE_SIZE || server[0] != VERSION || !is_current(server + 4, now_s)) {
        return COOKIE_BAD;
    }
    for (size_t i = 0; i < secrets->count; i++) {
        uint8_t expected[crypto_shorthash_BYTES];
        hash(secrets->bytes[i], client, option, expected);
        if (sodium_memcmp(server + PLAIN_SIZE, expected, sizeof expected) == 0) {
            return COOKIE_GOOD;
        }
    }
    return COOKIE_BAD;
}

void cookie_make(const struct cookie_secrets *secrets, const struct sockaddr *client,
                 uint32_t now_s, const uint8_t client_part[COOKIE_CLIENT_SIZE],
                 uint8_t out[COOKIE_SIZE])
{
    assert(secrets->count > 0);
    uint8_t plain[PLAIN_SIZE] = {VERSION};
    put_u32(plain + PLAIN_SIZE - 4, now_s);
    memcpy(out, client_part, COOKIE_CLIENT_SIZE);
    memcpy(out + COOKIE_CLIENT_SIZE, plain, PLAIN_SIZE);
    hash(secrets->bytes[0], client, out, out + COOKIE_CLIENT_SIZE + PLAIN_SIZE);
}

// ---- The secrets file

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

// Moves the line's ends inwards, over what is blank or a comment.
static void trim(const char **line, const char **end)
{
    const char *comment = memchr(*line, '#', (size_t)(*end - *line));
    *end = comment != NULL ? comment : *end;
    while (*line < *end && is_blank(**line)) {
        (*line)++;
    }
    while (*end > *line && is_blank((*end)[-1])) {
        (*end)--;
    }
}

static bool parse_secret(const char *text, size_t length, uint8_t out[COOKIE_SECRET_SIZE])
{
    size_t octets;
    return length == (size_t)2 * COOKIE_SECRET_SIZE &&
           sodium_hex2bin(out, COOKIE_SECRET_SIZE, text, length, NULL, &octets, NULL) == 0 &&
           octets == COOKIE_SECRET_SIZE;
}

int cookie_secrets_parse(const char *text, size_t length, struct cookie_secrets *out,
                         char error[ERROR_MAX])
{
    const char *const end = text + length;
    const char *next;
    *out = (struct cookie_secrets){0};
    for (unsigned number = 1; text < end; text = next, number++) {
        const char *line = text;
        const char *line_end = memchr(text, '\n', (size_t)(end - text));
        next = line_end != NULL ? line_end + 1 : end;
        line_end = line_end != NULL ? line_end : end;
        trim(&line, &line_end);
        if (line == line_end) {
            continue;
        }
        if (out->count == COOKIE_SECRETS_MAX) {
            return error_say(error, "line %u: more than %d secrets", number, COOKIE_SECRETS_MAX);
        }
        if (!parse_secret(line, (size_t)(line_end - line), out->bytes[out->count])) {
            return error_say(error, "line %u: a secret is %d hexadecimal digits and nothing else",
                             number, 2 * COOKIE_SECRET_SIZE);
        }
        out->count++;
    }
    if (out->count == 0) {
        return error_say(error, "there is no secret in it: one a line, %d hexadecimal digits",
                         2 * COOKIE_SECRET_SIZE);
    }
    return 0;
}
