// See oauth.h.
#include "probes/oauth.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

// ---- Requests

// Appends value to what is in out, as a form has it (WHATWG URL, section 5.2; RFC 6749 appendix B).
static bool encode(char *out, size_t size, const char *value)
{
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._*";
    size_t at = strlen(out);
    for (; *value; value++) {
        if (at + sizeof "%00" > size) {
            return false;
        }
        if (strchr(plain, *value) != NULL) {
            out[at++] = *value;
        } else {
            at += (size_t)snprintf(out + at, size - at, "%%%02X", (unsigned char)*value);
        }
        out[at] = '\0';
    }
    return true;
}

static bool append(char *out, size_t size, const char *text)
{
    size_t at = strlen(out);
    return (size_t)snprintf(out + at, size - at, "%s", text) < size - at;
}

bool oauth_form_add(char *form, size_t size, const char *name, const char *value)
{
    if (append(form, size, form[0] ? "&" : "") && encode(form, size, name) &&
        append(form, size, "=") && encode(form, size, value)) {
        return true;
    }
    explicit_bzero(form, size);
    return false;
}

bool oauth_basic(const char *client_id, const char *secret, char *out, size_t size)
{
    static const char scheme[] = "Authorization: Basic ";
    char pair[4096] = "";
    bool fits = encode(pair, sizeof pair, client_id) && append(pair, sizeof pair, ":") &&
                encode(pair, sizeof pair, secret);
    size_t length = strlen(pair);
    fits = fits && sizeof scheme + (length + 2) / 3 * 4 <= size;
    if (fits) {
        snprintf(out, size, "%s", scheme);
        EVP_EncodeBlock((unsigned char *)out + sizeof scheme - 1, (const unsigned char *)pair,
                        (int)length);
    }
    explicit_bzero(pair, sizeof pair);
    return fits;
}

// ---- Answers

// The answer as a JSON object; NULL, and error says what is wrong.
static json_t *read_object(const char *text, size_t length, char error[ERROR_MAX])
{
    json_t *read = json_loadb(text, length, JSON_REJECT_DUPLICATES, NULL);
    if (json_is_object(read)) {
        return read;
    }
    json_decref(read);
    (void)error_say(error, length == 0 ? "the answer is empty" : "the answer is not a JSON object");
    return NULL;
}

bool oauth_is_bearer(const char *text)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/";
    size_t length = strspn(text, allowed);
    return length > 0 && text[length + strspn(text + length, "=")] == '\0';
}

size_t oauth_read_token(const char *text, size_t length, char out[JWT_MAX + 1],
                        char error[ERROR_MAX])
{
    json_t *answer = read_object(text, length, error);
    const json_t *token = json_object_get(answer, "access_token");
    const char *type = json_string_value(json_object_get(answer, "token_type"));
    size_t token_length = json_string_length(token);
    if (answer == NULL) {
        return 0;
    }
    if (token_length == 0) {
        (void)error_say(error, "the answer has no access_token");
    } else if (token_length > JWT_MAX) {
        (void)error_say(error, "the access_token has %zu bytes, more than %d", token_length,
                        JWT_MAX);
        token_length = 0;
    } else if (strlen(json_string_value(token)) != token_length ||
               !oauth_is_bearer(json_string_value(token))) {
        (void)error_say(error, "the access_token has characters in it that no Bearer token has "
                               "(RFC 6750 section 2.1)");
        token_length = 0;
    } else if (type == NULL || strcasecmp(type, "bearer") != 0) {
        (void)error_say(error, "token_type is %.32s, not Bearer", type != NULL ? type : "missing");
        token_length = 0;
    } else {
        memcpy(out, json_string_value(token), token_length + 1);
    }
    json_decref(answer);
    return token_length;
}

const char *oauth_read_error(const char *text, size_t length, char out[OAUTH_ERROR_MAX])
{
    json_t *answer = json_loadb(text, length, JSON_REJECT_DUPLICATES, NULL);
    const char *error = json_string_value(json_object_get(answer, "error"));
    out[0] = '\0';
    // All registered ones are such words. Others may be anything, a copy of the request too.
    if (error != NULL && error[strspn(error, "abcdefghijklmnopqrstuvwxyz_")] == '\0') {
        snprintf(out, OAUTH_ERROR_MAX, ": %s", error);
    }
    json_decref(answer);
    return out;
}

bool oauth_read_active(const char *text, size_t length, char error[ERROR_MAX])
{
    json_t *answer = read_object(text, length, error);
    const json_t *active = json_object_get(answer, "active");
    if (answer != NULL && !json_is_true(active)) {
        (void)error_say(error, json_is_false(active) ? "the token is not active"
                                                     : "the answer has no boolean \"active\"");
    }
    bool is_active = json_is_true(active);
    json_decref(answer);
    return is_active;
}
