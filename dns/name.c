// See name.h.
#include "dns/name.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

static uint8_t lower(uint8_t octet)
{
    return octet >= 'A' && octet <= 'Z' ? octet | 0x20 : octet;
}

bool dns_name_equal(const struct dns_name *a, const struct dns_name *b)
{
    if (a->length != b->length) {
        return false;
    }
    // A label's length is at most 63, below any letter, so lower() leaves lengths alone.
    for (size_t i = 0; i < a->length; i++) {
        if (lower(a->wire[i]) != lower(b->wire[i])) {
            return false;
        }
    }
    return true;
}

bool dns_name_is_within(const struct dns_name *name, const struct dns_name *apex)
{
    size_t at = 0;
    while (name->length - at > apex->length) {
        at += 1u + name->wire[at];
    }
    struct dns_name rest = {.length = name->length - at};
    memcpy(rest.wire, name->wire + at, rest.length);
    return dns_name_equal(&rest, apex);
}

const char *dns_octet_text(uint8_t octet, const char *special, uint8_t first_printable,
                           char out[DNS_OCTET_TEXT_MAX])
{
    if (octet < first_printable || octet > '~') {
        snprintf(out, DNS_OCTET_TEXT_MAX, "\\%03u", (unsigned)octet);
    } else {
        snprintf(out, DNS_OCTET_TEXT_MAX, strchr(special, octet) != NULL ? "\\%c" : "%c", octet);
    }
    return out;
}

const char *dns_name_text(const struct dns_name *name, char out[DNS_NAME_TEXT_MAX])
{
    char piece[DNS_OCTET_TEXT_MAX];
    size_t at = 0;
    if (name->wire[0] == 0) {
        out[at++] = '.';
    }
    for (const uint8_t *label = name->wire; *label; label += 1 + *label) {
        for (size_t i = 1; i <= *label; i++) {
            const char *text = dns_octet_text(label[i], ".\\\"();@$", '!', piece);
            size_t length = strlen(text);
            assert(at + length + sizeof "." < DNS_NAME_TEXT_MAX);
            memcpy(out + at, text, length);
            at += length;
        }
        out[at++] = '.';
    }
    out[at] = '\0';
    return out;
}

const char *dns_octet_parse(const char *at, uint8_t *out)
{
    if (*at != '\\') {
        *out = (uint8_t)*at;
        return at + 1;
    }
    at++;
    if (!isdigit((unsigned char)*at)) {
        *out = (uint8_t)*at;
        return *at ? at + 1 : NULL;
    }
    if (!isdigit((unsigned char)at[1]) || !isdigit((unsigned char)at[2])) {
        return NULL;
    }
    int value = (at[0] - '0') * 100 + (at[1] - '0') * 10 + (at[2] - '0');
    *out = (uint8_t)value;
    return value <= UINT8_MAX ? at + 3 : NULL;
}

const char *dns_name_parse(const char *text, struct dns_name *out)
{
    size_t label = 0; // where the present label's length goes
    out->length = 1;
    if (*text == '\0') {
        return "a name can't be empty; the root is written as a dot";
    }
    if (strcmp(text, ".") == 0) {
        out->wire[0] = 0;
        return NULL;
    }
    for (const char *at = text; *at;) {
        bool dot = *at == '.';
        size_t length = out->length - label - 1;
        if (dot && length == 0) {
            return "a label is empty (two dots, or a dot at the beginning)";
        }
        if (!dot && length == DNS_LABEL_MAX) {
            return "a label is longer than 63 octets";
        }
        // One octet is kept for the root.
        if (out->length >= DNS_NAME_MAX - (dot ? 0 : 1)) {
            return "the name is longer than 255 octets";
        }
        if (dot) {
            out->wire[label] = (uint8_t)length;
            label = out->length++;
            at++;
        } else {
            at = dns_octet_parse(at, &out->wire[out->length++]);
            if (at == NULL) {
                return "a backslash needs three digits (up to 255) or one other character after it";
            }
        }
    }
    size_t last = out->length - label - 1;
    out->wire[label] = (uint8_t)last;
    if (last > 0) {
        out->wire[out->length++] = 0;
    }
    return NULL;
}

struct dns_name dns_name_at(const uint8_t *wire)
{
    struct dns_name name = {.length = 1};
    for (; wire[name.length - 1] != 0; name.length += 1u + wire[name.length - 1]) {
    }
    memcpy(name.wire, wire, name.length);
    return name;
}

struct dns_name dns_name_below(const char *label, const struct dns_name *apex)
{
    size_t length = strlen(label);
    struct dns_name name = {.length = 1 + length + apex->length};
    assert(length <= DNS_LABEL_MAX && name.length <= DNS_NAME_MAX);
    name.wire[0] = (uint8_t)length;
    memcpy(name.wire + 1, label, length);
    memcpy(name.wire + 1 + length, apex->wire, apex->length);
    return name;
}
