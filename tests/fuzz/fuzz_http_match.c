// Matches any answer with what might be expected of it: status, header and body come from the
// input. Whatever they are, a finding has a code and a printable cause, and what was put into the
// answer is found in it.
#include "probes/http_match.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool what)
{
    if (!what) {
        abort();
    }
}

// The words of the first line are statuses, those of the second headers; returns what follows.
static const char *expect(struct http_expected *expected, const char *at)
{
    char word[64];
    char error[ERROR_MAX];
    for (int line = 0; line < 2; line++) {
        while (*at && *at != '\n') {
            size_t length = strcspn(at, " \n");
            snprintf(word, sizeof word, "%.*s", (int)(length < 63 ? length : 63), at);
            if (line == 0) {
                (void)http_parse_status(word, &expected->statuses, error);
            } else if (word[0]) {
                (void)http_parse_header(word, &expected->headers, error);
            }
            at += length;
            at += strspn(at, " ");
        }
        at += *at == '\n';
    }
    return at;
}

static void require_good(const struct finding *finding)
{
    require(finding->code[0] && finding->cause[0]);
    require(finding->kind == VERDICT_PASS || finding->kind == VERDICT_FAIL ||
            strcmp(finding->code, "rate-limited") == 0);
    for (const char *at = finding->cause; *at; at++) {
        require(isprint((unsigned char)*at) || (unsigned char)*at >= 0x80);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const expressions[] = {"^ok$", "[0-9]+ zones?", "(a|b)*c{2,3}"};
    struct http_expected expected = {.statuses.count = 0};
    struct finding finding;
    char error[ERROR_MAX];
    char *text = malloc(size + 1);
    char *body = malloc(size + 1);
    if (text == NULL || body == NULL || size < 2) {
        goto end;
    }
    memcpy(text, data, size);
    text[size] = '\0';
    const char *rest = expect(&expected, text);
    size_t rest_length = size - (size_t)(rest - text);
    size_t head_length = rest_length * data[0] / 256;
    size_t body_length = rest_length - head_length;
    memcpy(body, rest + head_length, body_length);
    body[body_length] = '\0';
    for (size_t i = 0; i < data[1] % 8 && isprint((unsigned char)body[i]); i++) {
        expected.body_contains[i] = body[i];
    }
    snprintf(expected.body_regex, sizeof expected.body_regex, "%s", expressions[data[1] % 3]);
    require(http_regex_check(&expected, error) == 0);
    struct http_answer answer = {.status = data[0] * 4L,
                                 .head = rest,
                                 .head_length = head_length,
                                 .body = body,
                                 .body_length = body_length,
                                 .matches = !(data[1] & 0x80) ||
                                            http_regex_search(&expected, body, body_length) == 1,
                                 .redirect = "",
                                 .remark = ""};
    http_match(&expected, &answer, &finding);
    require_good(&finding);
    // The body begins with what it must contain, so that is never what is missing.
    require(data[1] & 0x80 || strcmp(finding.code, "body") != 0);

end:
    free(text);
    free(body);
    return 0;
}
