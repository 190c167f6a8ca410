// See url.h.
#include "probes/url.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static bool url_part(CURLU *parsed, CURLUPart part, unsigned flags, char *out, size_t size)
{
    char *text = NULL;
    if (curl_url_get(parsed, part, &text, flags) != CURLUE_OK) {
        return false;
    }
    bool fits = strlen(text) < size;
    snprintf(out, size, "%s", text);
    curl_free(text);
    return fits;
}

static bool is_ascii(const char *text)
{
    while (*text && (unsigned char)*text < 0x80) {
        text++;
    }
    return *text == '\0';
}

static const char *url_problem(CURLU *parsed, const char *text, struct url *out)
{
    char scheme[16];
    char ignored[ERROR_MAX];
    char address[URL_HOST_MAX + 8];
    if (curl_url_set(parsed, CURLUPART_URL, text, CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK ||
        !url_part(parsed, CURLUPART_HOST, 0, out->host, sizeof out->host) ||
        !url_part(parsed, CURLUPART_SCHEME, 0, scheme, sizeof scheme)) {
        return "is no URL such as https://dns.example.net/health";
    }
    if (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0) {
        return "is neither http: nor https:";
    }
    if (url_part(parsed, CURLUPART_USER, 0, ignored, sizeof ignored) ||
        url_part(parsed, CURLUPART_PASSWORD, 0, ignored, sizeof ignored)) {
        return "has a user or a password in it, which would be shown";
    }
    if (!is_ascii(text)) {
        return "is not ASCII; write the host as xn--..., and other bytes as %XX";
    }
    if (!url_part(parsed, CURLUPART_PORT, CURLU_DEFAULT_PORT, out->port, sizeof out->port)) {
        return "has a port that is none";
    }
    out->https = strcmp(scheme, "https") == 0;
    snprintf(address, sizeof address, "%s:%s", out->host, out->port);
    if (endpoint_parse(address, true, &out->address, ignored) < 0) {
        out->address.length = 0;
    }
    return NULL;
}

const char *url_parse(const char *text, struct url *out)
{
    CURLU *parsed = curl_url();
    const char *problem =
        parsed != NULL ? url_problem(parsed, text, out) : "can't be read: out of memory";
    curl_url_cleanup(parsed);
    return problem;
}

int url_check(const char *text, const struct endpoint *target, char error[ERROR_MAX])
{
    struct url url;
    if (strlen(text) >= URL_MAX) {
        return error_say(error, "the URL has more than %d bytes", URL_MAX - 1);
    }
    const char *problem = url_parse(text, &url);
    if (problem != NULL) {
        return error_say(error, "\"%.100s\" %s", text, problem);
    }
    if (url.address.length == 0 && (target == NULL || target->length == 0)) {
        return error_say(
            error,
            "\"%.80s\" names a host, and a probe asks no resolver: say where it is with "
            "`target`, or write its address in the URL",
            text);
    }
    return 0;
}

bool url_encrypted(const char *url)
{
    return strncasecmp(url, "https:", strlen("https:")) == 0;
}

int url_address(const char *text, const struct endpoint *target, struct endpoint *out)
{
    struct url url = {.https = false};
    bool targeted = target != NULL && target->length > 0;
    if (!targeted && url_parse(text, &url) != NULL) {
        return -ENOMEM; // it could be read before
    }
    *out = targeted ? *target : url.address;
    return 0;
}
