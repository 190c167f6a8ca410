// What an `http` probe expects of an answer, and whether an answer is so. Pure.
#pragma once

#include "base/keys.h"
#include "probes/finding.h"

#define HTTP_REGEX_MAX         8192 // bytes of a body that body_regex looks at
#define HTTP_STATUS_RANGES_MAX 8
#define HTTP_HEADERS_MAX       8

struct http_statuses {
    size_t count;
    struct http_status_range {
        unsigned first, last;
    } ranges[HTTP_STATUS_RANGES_MAX];
};

// Headers as they are written, "Name: value", one after the other, each ended by NUL.
struct http_headers {
    size_t count, length;
    char text[1024];
};

struct http_expected {
    struct http_statuses statuses;
    struct http_headers headers; // the value is a part of the answer's; none: the header is there
    char body_contains[KEY_TEXT_MAX]; // empty: not asked for
    char body_regex[KEY_TEXT_MAX];    // POSIX extended, empty: not asked for
};

// Key parsers, one word at a time: "200-299", "301"; the words of headers, where a word that ends
// with a colon begins the next one.
int http_parse_status(const char *value, void *field, char error[ERROR_MAX]);
int http_parse_header(const char *value, void *field, char error[ERROR_MAX]);

// The i-th header, "Name: value".
const char *http_header(const struct http_headers *headers, size_t i);

// Whether body_regex, which must not be empty, is one: 0, or -1 with a message.
int http_regex_check(const struct http_expected *expected, char error[ERROR_MAX]);

// Whether it matches the first HTTP_REGEX_MAX bytes of body, stretch by stretch between
// NULs: 1 or 0, or -1 when out of memory. What that takes depends on the body: not for the loop.
int http_regex_search(const struct http_expected *expected, const char *body, size_t length);

struct http_answer {
    long status;
    const char *head; // lines, each ending with "\n"
    size_t head_length;
    const char *body;
    size_t body_length;
    bool matches;         // as http_regex_search() has it, if there is a body_regex
    const char *redirect; // where to, or ""
    const char *remark;   // that goes with a status that is not expected, or ""
};

// A pass ("status 200, 512 bytes"); a fail with the code "status", "header" or "body"; or, where
// the server says that it is asked too often, an `unknown` ("rate-limited").
void http_match(const struct http_expected *expected, const struct http_answer *answer,
                struct finding *out);
