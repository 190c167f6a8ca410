// See text.h.
#include "dns/text.h"

#include "base/bytes.h"

#include <arpa/inet.h>
#include <assert.h>
#include <sodium/utils.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

// ---- Text under construction

struct text {
    char *out;
    size_t size, length;
    bool overflow;
};

__attribute__((format(printf, 2, 3))) static void put(struct text *text, const char *format, ...)
{
    if (text->overflow) {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    size_t room = text->size - text->length;
    int wanted = vsnprintf(text->out + text->length, room, format, arguments);
    va_end(arguments);
    if (wanted < 0 || (size_t)wanted >= room) {
        text->overflow = true;
    } else {
        text->length += (size_t)wanted;
    }
}

static void put_octet(struct text *text, uint8_t octet, uint8_t first_printable)
{
    char piece[DNS_OCTET_TEXT_MAX];
    put(text, "%s", dns_octet_text(octet, "\"\\", first_printable, piece));
}

static void put_quoted(struct text *text, const uint8_t *bytes, size_t length)
{
    put(text, "\"");
    for (size_t i = 0; i < length; i++) {
        put_octet(text, bytes[i], ' ');
    }
    put(text, "\"");
}

static void put_hex(struct text *text, const uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        put(text, "%02X", (unsigned)bytes[i]);
    }
}

static void put_base64(struct text *text, const uint8_t *bytes, size_t length)
{
    char group[sizeof "AAAA"];
    for (size_t i = 0; i < length; i += 3) {
        size_t octets = length - i < 3 ? length - i : 3;
        sodium_bin2base64(group, sizeof group, bytes + i, octets, sodium_base64_VARIANT_ORIGINAL);
        put(text, "%s", group);
    }
}

static void put_address(struct text *text, int family, const uint8_t *bytes)
{
    char address[INET6_ADDRSTRLEN];
    put(text, "%s", inet_ntop(family, bytes, address, sizeof address));
}

static void put_name(struct text *text, const struct dns_name *name)
{
    char written[DNS_NAME_TEXT_MAX];
    put(text, "%s", dns_name_text(name, written));
}

static void put_svc_key(struct text *text, uint16_t key)
{
    char name[DNS_SVC_KEY_TEXT_MAX];
    put(text, "%s", dns_svc_key_text(key, name));
}

// How many octets one element of the list takes; 0 if the rest is no such element.
static size_t svc_element(char form, const uint8_t *bytes, size_t left)
{
    size_t length = form == 'a' ? 4 : form == 'A' ? 16 : form == 'l' ? 1u + *bytes : 2;
    return length <= left ? length : 0;
}

static void put_svc_element(struct text *text, char form, const uint8_t *bytes)
{
    switch (form) {
    case 'a':
        put_address(text, AF_INET, bytes);
        break;
    case 'A':
        put_address(text, AF_INET6, bytes);
        break;
    case 'k':
        put_svc_key(text, get_u16(bytes));
        break;
    case 'l': // a list's escapes, and over these those of a string (RFC 9460 appendix A.1)
        for (size_t i = 1; i <= *bytes; i++) {
            put(text, "%s", bytes[i] == ',' || bytes[i] == '\\' ? "\\\\" : "");
            put_octet(text, bytes[i], ' ');
        }
        break;
    default:
        put(text, "%u", (unsigned)get_u16(bytes));
        break;
    }
}

// RFC 9460 section 2.1. A value that is not what its key says ends where it goes wrong.
static void put_svc_param(struct text *text, const struct dns_field *field)
{
    char form = dns_svc_form(field->code);
    put_svc_key(text, field->code);
    if (form == '-') {
        return;
    }
    put(text, "=");
    if (form == 'u') {
        put_quoted(text, field->bytes, field->length);
        return;
    }
    if (form == 'b') {
        put_base64(text, field->bytes, field->length);
        return;
    }
    const char *quote = form == 'l' ? "\"" : "";
    put(text, "%s", quote);
    for (size_t at = 0, step = 0; at < field->length; at += step) {
        step = svc_element(form, field->bytes + at, field->length - at);
        if (step == 0) {
            break;
        }
        put(text, "%s", at ? "," : "");
        put_svc_element(text, form, field->bytes + at);
    }
    put(text, "%s", quote);
}

static void put_field(struct text *text, const struct dns_field *field)
{
    switch (field->kind) {
    case '1':
        put(text, "%u", (unsigned)*field->bytes);
        break;
    case '2':
        put(text, "%u", (unsigned)get_u16(field->bytes));
        break;
    case '4':
        put(text, "%lu", (unsigned long)get_u32(field->bytes));
        break;
    case 'a':
        put_address(text, AF_INET, field->bytes);
        break;
    case 'A':
        put_address(text, AF_INET6, field->bytes);
        break;
    case 'n':
        put_name(text, &field->name);
        break;
    case 's':
        put_quoted(text, field->bytes + 1, field->length - 1);
        break;
    case 't':
        for (size_t i = 1; i < field->length; i++) {
            put_octet(text, field->bytes[i], '!');
        }
        break;
    case 'q':
        put_quoted(text, field->bytes, field->length);
        break;
    case 'x':
        put_hex(text, field->bytes, field->length);
        break;
    case 'b':
        put_base64(text, field->bytes, field->length);
        break;
    case 'p':
        put_svc_param(text, field);
        break;
    case 'o':
        put(text, "%u:", (unsigned)field->code);
        put_hex(text, field->bytes, field->length);
        break;
    default:
        put(text, "\\# %zu%s", field->length, field->length ? " " : "");
        put_hex(text, field->bytes, field->length);
        break;
    }
}

bool dns_rdata_text(const uint8_t *message, const struct dns_record *record, char *out, size_t size)
{
    struct text text = {.out = out, .size = size};
    struct dns_walk walk = dns_record_walk(message, record);
    struct dns_field field;
    assert(size > 0);
    out[0] = '\0';
    for (bool first = true; dns_walk_next(&walk, &field) == DNS_STEP_FIELD; first = false) {
        put(&text, "%s", first ? "" : " ");
        put_field(&text, &field);
    }
    return !text.overflow;
}

size_t dns_txt_bytes(const uint8_t *message, const struct dns_record *record, uint8_t *out)
{
    struct dns_walk walk = dns_record_walk(message, record);
    struct dns_field field;
    size_t length = 0;
    while (record->type == DNS_TXT && dns_walk_next(&walk, &field) == DNS_STEP_FIELD) {
        memcpy(out + length, field.bytes + 1, field.length - 1);
        length += field.length - 1;
    }
    return length;
}
