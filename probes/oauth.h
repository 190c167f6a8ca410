// The messages of OAuth 2.0 (RFC 6749) that the `token` probe exchanges, and nothing of how they
// travel. Pure.
#pragma once

#include "probes/jwt.h"

// Adds "name=value", after an '&' if there is something already, to a form of size bytes (encoded
// as application/x-www-form-urlencoded). False, and the form is empty, when it does not fit.
bool oauth_form_add(char *form, size_t size, const char *name, const char *value);

// "Authorization: Basic ..." for a client (RFC 6749 section 2.3.1). False when it does not fit.
bool oauth_basic(const char *client_id, const char *secret, char *out, size_t size);

// May text be sent as a Bearer token (RFC 6750 section 2.1)? Nothing else goes into a header: a
// line's end in it would be a header, or a request, of the issuer's own making.
bool oauth_is_bearer(const char *text);

// The access token of a successful answer (RFC 6749 section 5.1) in out; its length, or 0 with what
// is wrong.
size_t oauth_read_token(const char *text, size_t length, char out[JWT_MAX + 1],
                        char error[ERROR_MAX]);

// The error code of an error answer (RFC 6749 section 5.2), e.g. ": invalid_client"; or an empty
// text, if there is none, or one that is more than a word. Its error_description is not looked at.
#define OAUTH_ERROR_MAX 64
const char *oauth_read_error(const char *text, size_t length, char out[OAUTH_ERROR_MAX]);

// Does an introspection's answer call the token active (RFC 7662 section 2.2)? If not, error says
// so, or what is wrong with the answer.
bool oauth_read_active(const char *text, size_t length, char error[ERROR_MAX]);
