// See http_match.h.
#include "probes/http_match.h"

#include <ctype.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define SHOWN_MAX 96

// ---- Keys

static bool parse_code(const char *text, char **end, unsigned *out)
{
    unsigned long code = strtoul(text, end, 10);
    *out = (unsigned)code;
    return isdigit((unsigned char)text[0]) && *end == text + 3 && code >= 100 && code <= 599;
}

int http_parse_status(const char *value, void *field, char error[ERROR_MAX])
{
    struct http_statuses *statuses = field;
    struct http_status_range range;
    char *end;
    if (statuses->count == HTTP_STATUS_RANGES_MAX) {
        return error_say(error, "more than %d statuses", HTTP_STATUS_RANGES_MAX);
    }
    bool good = parse_code(value, &end, &range.first);
    range.last = range.first;
    if (good && *end == '-') {
        good = parse_code(end + 1, &end, &range.last) && range.first <= range.last;
    }
    if (!good || *end) {
        return error_say(
            error, "\"%.80s\" is neither a status such as 204 nor a range such as 200-299", value);
    }
    statuses->ranges[statuses->count++] = range;
    return 0;
}

// A header's name: a token (RFC 9110 section 5.6.2).
static bool is_name(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (!isalnum((unsigned char)text[i]) && strchr("!#$%&'*+-.^_`|~", text[i]) == NULL) {
            return false;
        }
    }
    return length > 0;
}

int http_parse_header(const char *value, void *field, char error[ERROR_MAX])
{
    struct http_headers *headers = field;
    size_t length = strlen(value);
    for (size_t i = 0; i < length; i++) {
        if (iscntrl((unsigned char)value[i])) {
            return error_say(error, "a header has a control character in it");
        }
    }
    bool begins = length > 1 && value[length - 1] == ':' && is_name(value, length - 1);
    if (!begins && headers->count == 0) {
        return error_say(error, "\"%.80s\" is no header's name and a colon", value);
    }
    if ((begins && headers->count == HTTP_HEADERS_MAX) ||
        headers->length + 1 + length + 1 > sizeof headers->text) {
        return error_say(error, "more than %d headers or %zu bytes", HTTP_HEADERS_MAX,
                         sizeof headers->text);
    }
    // A word joins the header before it in place of its NUL.
    size_t at = headers->length;
    if (begins) {
        headers->count++;
    } else {
        headers->text[at - 1] = ' ';
    }
    memcpy(headers->text + at, value, length + 1);
    headers->length = at + length + 1;
    return 0;
}

const char *http_header(const struct http_headers *headers, size_t i)
{
    const char *at = headers->text;
    while (i-- > 0) {
        at += strlen(at) + 1;
    }
    return at;
}

static int compile(const char *before, const struct http_expected *expected, const char *after,
                   regex_t *out)
{
    char whole[sizeof expected->body_regex + sizeof "^.*()"];
    (void)snprintf(whole, sizeof whole, "%s%s%s", before, expected->body_regex, after);
    return regcomp(out, whole, REG_EXTENDED | REG_NOSUB | REG_NEWLINE);
}

// Bound to the beginning of a line, a search reads each line once; free, it would begin anew at
// each byte, and a hostile body would take time with the square of its length.
static int compile_to_search(const struct http_expected *expected, regex_t *out)
{
    return compile("^.*(", expected, ")", out);
}

int http_regex_check(const struct http_expected *expected, char error[ERROR_MAX])
{
    char why[128];
    regex_t regex;
    // Going back costs time without a bound.
    for (const char *at = expected->body_regex; (at = strchr(at, '\\')) != NULL && at[1]; at += 2) {
        if (isdigit((unsigned char)at[1])) {
            return error_say(error, "body_regex \"%.80s\": back-references are not allowed",
                             expected->body_regex);
        }
    }
    int code = compile("", expected, "", &regex);
    if (code != 0) {
        regerror(code, &regex, why, sizeof why);
        return error_say(error, "body_regex \"%.80s\": %s", expected->body_regex, why);
    }
    regfree(&regex);
    // A lone ")" would stand for itself, but not once there is a "(" before it.
    if (compile("(", expected, "", &regex) == 0) {
        regfree(&regex);
        return error_say(error, "body_regex \"%.80s\": ) without (; write \\) for the character",
                         expected->body_regex);
    }
    if (compile_to_search(expected, &regex) != 0) {
        return error_say(error, "body_regex: out of memory");
    }
    regfree(&regex);
    return 0;
}

// Each stretch between NULs is searched for itself.
int http_regex_search(const struct http_expected *expected, const char *body, size_t length)
{
    const char *at = body;
    const char *end = body + (length < HTTP_REGEX_MAX ? length : HTTP_REGEX_MAX);
    int code = REG_NOMATCH;
    regex_t regex;
    if (compile_to_search(expected, &regex) != 0) {
        return -1;
    }
    while (at <= end && code == REG_NOMATCH) {
        size_t stretch = strnlen(at, (size_t)(end - at));
        regmatch_t bounds = {.rm_so = 0, .rm_eo = (regoff_t)stretch};
        code = regexec(&regex, at, 1, &bounds, REG_STARTEND);
        at += stretch + 1;
    }
    regfree(&regex);
    return code == 0 ? 1 : code == REG_NOMATCH ? 0 : -1;
}

// ---- Judging

#define TOO_MANY_REQUESTS 429 // RFC 6585 section 4

static bool status_is_expected(const struct http_statuses *statuses, long status)
{
    for (size_t i = 0; i < statuses->count; i++) {
        if (status >= (long)statuses->ranges[i].first && status <= (long)statuses->ranges[i].last) {
            return true;
        }
    }
    return false;
}

static const char *statuses_text(const struct http_statuses *statuses, char *out, size_t size)
{
    size_t used = 0;
    out[0] = '\0';
    for (size_t i = 0; i < statuses->count && used < size; i++) {
        const struct http_status_range *range = &statuses->ranges[i];
        int wrote = range->first == range->last
                        ? snprintf(out + used, size - used, "%s%u", i ? " " : "", range->first)
                        : snprintf(out + used, size - used, "%s%u-%u", i ? " " : "", range->first,
                                   range->last);
        used += (size_t)wrote;
    }
    return out;
}

// The beginning of bytes, printable.
static const char *shown(const char *bytes, size_t length, char out[SHOWN_MAX])
{
    size_t at = 0;
    for (; at < length && at < SHOWN_MAX - 4; at++) {
        out[at] = isprint((unsigned char)bytes[at]) ? bytes[at] : '.';
    }
    snprintf(out + at, SHOWN_MAX - at, "%s", at < length ? "..." : "");
    return out;
}

// Compares without regard to case in ASCII, whatever the bytes are.
static bool header_has(const char *line, size_t length, const char *expected, bool *named)
{
    size_t name = strcspn(expected, ":");
    const char *value = expected + name + 1;
    value += strspn(value, " ");
    if (length <= name || line[name] != ':' || strncasecmp(line, expected, name) != 0) {
        return false;
    }
    *named = true;
    return value[0] == '\0' ||
           memmem(line + name + 1, length - name - 1, value, strlen(value)) != NULL;
}

static bool match_header(const struct http_answer *answer, const char *expected,
                         struct finding *out)
{
    const char *other = NULL; // a header of that name
    size_t other_length = 0;
    char text[SHOWN_MAX];
    const char *at = answer->head;
    const char *end = answer->head + answer->head_length;
    while (at < end) {
        const char *line_end = memchr(at, '\n', (size_t)(end - at));
        size_t length = (size_t)((line_end != NULL ? line_end : end) - at);
        bool named = false;
        if (header_has(at, length, expected, &named)) {
            return true;
        }
        if (named) {
            other = at;
            other_length = length - (length > 0 && at[length - 1] == '\r');
        }
        at += length + 1;
    }
    finding_set(out, VERDICT_FAIL, "header", "no header with \"%.100s\"%s%s%s", expected,
                other != NULL ? ", but \"" : "",
                other != NULL ? shown(other, other_length, text) : "", other != NULL ? "\"" : "");
    return false;
}

static bool match_body(const struct http_expected *expected, const struct http_answer *answer,
                       struct finding *out)
{
    char body[SHOWN_MAX];
    const char *contains = expected->body_contains;
    shown(answer->body, answer->body_length, body);
    if (contains[0] &&
        memmem(answer->body, answer->body_length, contains, strlen(contains)) == NULL) {
        finding_set(out, VERDICT_FAIL, "body", "no \"%.60s\" in the body: \"%s\"", contains, body);
        return false;
    }
    if (expected->body_regex[0] && !answer->matches) {
        finding_set(out, VERDICT_FAIL, "body", "%s does not match %.60s: \"%s\"",
                    answer->body_length > HTTP_REGEX_MAX ? "the body's beginning" : "the body",
                    expected->body_regex, body);
        return false;
    }
    return true;
}

void http_match(const struct http_expected *expected, const struct http_answer *answer,
                struct finding *out)
{
    char statuses[8 * HTTP_STATUS_RANGES_MAX + 1];
    bool expects = status_is_expected(&expected->statuses, answer->status);
    if (!expects && answer->status == TOO_MANY_REQUESTS) { // it is well, and we ask too often
        finding_set(out, VERDICT_UNKNOWN, "rate-limited",
                    "status 429, too many requests, expected %s",
                    statuses_text(&expected->statuses, statuses, sizeof statuses));
        return;
    }
    if (!expects) {
        finding_set(out, VERDICT_FAIL, "status", "status %ld%s%.80s, expected %s%s", answer->status,
                    answer->redirect[0] ? " to " : "", answer->redirect,
                    statuses_text(&expected->statuses, statuses, sizeof statuses), answer->remark);
        return;
    }
    for (size_t i = 0; i < expected->headers.count; i++) {
        if (!match_header(answer, http_header(&expected->headers, i), out)) {
            return;
        }
    }
    if (match_body(expected, answer, out)) {
        finding_set(out, VERDICT_PASS, "ok", "status %ld, %zu bytes", answer->status,
                    answer->body_length);
    }
}
