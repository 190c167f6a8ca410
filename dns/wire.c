// The codec behind dns/wire.h. One table says what each type's rdata is made of; checking, printing
// and copying all walk it, so that they can't disagree.
#include "dns/wire.h"

#include "base/bytes.h"

#include <arpa/inet.h>
#include <assert.h>
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define POINTER_BITS 0xc0u
#define POINTER_MAX  0x3fffu
#define HOPS_MAX     127 // as many as a name can have labels; any honest encoder stays below

// ---- Tables

// What rdata is made of: 1 2 4 integers of so many octets; a IPv4, A IPv6 address; n name, N name
// that must not be compressed; s string in quotes, t string without them; q the rest, in quotes;
// x the rest in hex; b the rest in base64; p a SvcParam (RFC 9460 section 2.2); o an EDNS option;
// u unknown. A star after the last one: as often as there is more.
static const struct {
    uint16_t type;
    const char *name;
    const char *layout;
} types[] = {
    {DNS_A, "A", "a"},           {DNS_NS, "NS", "n"},          {DNS_CNAME, "CNAME", "n"},
    {DNS_SOA, "SOA", "nn44444"}, {DNS_PTR, "PTR", "n"},        {DNS_MX, "MX", "2n"},
    {DNS_TXT, "TXT", "ss*"},     {DNS_AAAA, "AAAA", "A"},      {DNS_SRV, "SRV", "222N"},
    {DNS_OPT, "OPT", "o*"},      {DNS_DS, "DS", "211x"},       {DNS_DNSKEY, "DNSKEY", "211b"},
    {DNS_SVCB, "SVCB", "2Np*"},  {DNS_HTTPS, "HTTPS", "2Np*"}, {DNS_ANY, "ANY", "u"},
    {DNS_CAA, "CAA", "1tq"},
};
#define TYPES (sizeof types / sizeof *types)

static const struct {
    uint16_t rcode;
    const char *name;
} rcodes[] = {
    {DNS_NOERROR, "NOERROR"},
    {DNS_FORMERR, "FORMERR"},
    {DNS_SERVFAIL, "SERVFAIL"},
    {DNS_NXDOMAIN, "NXDOMAIN"},
    {DNS_NOTIMP, "NOTIMP"},
    {DNS_REFUSED, "REFUSED"},
    {6, "YXDOMAIN"},
    {7, "YXRRSET"},
    {8, "NXRRSET"},
    {9, "NOTAUTH"},
    {10, "NOTZONE"},
    {DNS_BADVERS, "BADVERS"},
    {DNS_BADCOOKIE, "BADCOOKIE"},
};
#define RCODES (sizeof rcodes / sizeof *rcodes)

// RFC 9460 section 14.3.2; the form is a field of the types' table, or k: keys, l: protocol names,
// -: no value.
static const struct {
    const char *name;
    char form;
} svc_params[] = {
    {"mandatory", 'k'}, {"alpn", 'l'}, {"no-default-alpn", '-'}, {"port", '2'},
    {"ipv4hint", 'a'},  {"ech", 'b'},  {"ipv6hint", 'A'},
};
#define SVC_PARAMS (sizeof svc_params / sizeof *svc_params)

static const char *layout_of(uint16_t type, uint16_t class)
{
    if ((type == DNS_A || type == DNS_AAAA) && class != DNS_CLASS_IN) {
        return "u"; // addresses of other networks
    }
    for (size_t i = 0; i < TYPES; i++) {
        if (types[i].type == type) {
            return types[i].layout;
        }
    }
    return "u";
}

// "TYPE65535" with prefix "TYPE".
static bool parse_numbered(const char *text, const char *prefix, unsigned max, uint16_t *out)
{
    size_t skip = strlen(prefix);
    unsigned number = 0;
    if (strncasecmp(text, prefix, skip) != 0 || text[skip] == '\0') {
        return false;
    }
    for (const char *at = text + skip; *at; at++) {
        if (*at < '0' || *at > '9') {
            return false;
        }
        number = number * 10 + (unsigned)(*at - '0');
        if (number > max) {
            return false;
        }
    }
    *out = (uint16_t)number;
    return true;
}

bool dns_type_parse(const char *text, uint16_t *out)
{
    for (size_t i = 0; i < TYPES; i++) {
        if (strcasecmp(types[i].name, text) == 0) {
            *out = types[i].type;
            return true;
        }
    }
    return parse_numbered(text, "TYPE", UINT16_MAX, out);
}

const char *dns_type_text(uint16_t type, char out[DNS_TYPE_TEXT_MAX])
{
    for (size_t i = 0; i < TYPES; i++) {
        if (types[i].type == type) {
            snprintf(out, DNS_TYPE_TEXT_MAX, "%s", types[i].name);
            return out;
        }
    }
    snprintf(out, DNS_TYPE_TEXT_MAX, "TYPE%u", (unsigned)type);
    return out;
}

bool dns_rcode_parse(const char *text, uint16_t *out)
{
    for (size_t i = 0; i < RCODES; i++) {
        if (strcasecmp(rcodes[i].name, text) == 0) {
            *out = rcodes[i].rcode;
            return true;
        }
    }
    return parse_numbered(text, "RCODE", 4095, out);
}

const char *dns_rcode_text(uint16_t rcode, char out[DNS_TYPE_TEXT_MAX])
{
    for (size_t i = 0; i < RCODES; i++) {
        if (rcodes[i].rcode == rcode) {
            snprintf(out, DNS_TYPE_TEXT_MAX, "%s", rcodes[i].name);
            return out;
        }
    }
    snprintf(out, DNS_TYPE_TEXT_MAX, "RCODE%u", (unsigned)rcode);
    return out;
}

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

// One octet; those of special and all that can't be printed are escaped (RFC 1035 section 5.1).
static void put_octet(struct text *text, uint8_t octet, const char *special, int first_printable)
{
    if (octet < first_printable || octet > '~') {
        put(text, "\\%03u", (unsigned)octet);
    } else {
        put(text, strchr(special, octet) ? "\\%c" : "%c", octet);
    }
}

static void put_quoted(struct text *text, const uint8_t *bytes, size_t length)
{
    put(text, "\"");
    for (size_t i = 0; i < length; i++) {
        put_octet(text, bytes[i], "\"\\", ' ');
    }
    put(text, "\"");
}

static void put_name(struct text *text, const struct dns_name *name)
{
    const uint8_t *label = name->wire;
    if (*label == 0) {
        put(text, ".");
    }
    for (; *label; label += 1 + *label) {
        for (size_t i = 1; i <= *label; i++) {
            put_octet(text, label[i], ".\\\"();@$", '!');
        }
        put(text, ".");
    }
}

static void put_hex(struct text *text, const uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        put(text, "%02X", (unsigned)bytes[i]);
    }
}

static void put_base64(struct text *text, const uint8_t *bytes, size_t length)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < length; i += 3) {
        size_t left = length - i;
        uint32_t group = (uint32_t)bytes[i] << 16;
        group |= left > 1 ? (uint32_t)bytes[i + 1] << 8 : 0;
        group |= left > 2 ? (uint32_t)bytes[i + 2] : 0;
        put(text, "%c%c%c%c", digits[group >> 18], digits[group >> 12 & 63],
            left > 1 ? digits[group >> 6 & 63] : '=', left > 2 ? digits[group & 63] : '=');
    }
}

static void put_address(struct text *text, int family, const uint8_t *bytes)
{
    char address[INET6_ADDRSTRLEN];
    put(text, "%s", inet_ntop(family, bytes, address, sizeof address));
}

// ---- Names

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

const char *dns_name_text(const struct dns_name *name, char out[DNS_NAME_TEXT_MAX])
{
    struct text text = {.out = out, .size = DNS_NAME_TEXT_MAX};
    put_name(&text, name);
    assert(!text.overflow);
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
            if (!at) {
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

// ---- Reading

static const uint8_t *take(struct dns_reader *reader, size_t length)
{
    if (length > reader->end - reader->offset) {
        return NULL;
    }
    const uint8_t *bytes = reader->message + reader->offset;
    reader->offset += length;
    return bytes;
}

static bool read_u16(struct dns_reader *reader, uint16_t *out)
{
    const uint8_t *bytes = take(reader, 2);
    *out = bytes ? get_u16(bytes) : 0;
    return bytes != NULL;
}

bool dns_read_header(struct dns_reader *reader, struct dns_header *out)
{
    bool ok = read_u16(reader, &out->id) && read_u16(reader, &out->flags);
    for (size_t i = 0; ok && i < DNS_SECTIONS; i++) {
        ok = read_u16(reader, &out->counts[i]);
    }
    return ok;
}

bool dns_read_name(struct dns_reader *reader, struct dns_name *out)
{
    struct dns_reader at = *reader;
    size_t segment = at.offset; // each pointer must lead to before the place it was reached from
    unsigned hops = 0;
    out->length = 0;
    for (;;) {
        const uint8_t *head = take(&at, 1);
        if (!head) {
            return false;
        }
        if ((*head & POINTER_BITS) == POINTER_BITS) {
            const uint8_t *low = take(&at, 1);
            if (!low) {
                return false;
            }
            if (hops++ == 0) {
                reader->offset = at.offset;
            }
            at.offset = get_u16(head) & POINTER_MAX;
            if (at.offset >= segment || at.offset < DNS_HEADER_SIZE || hops > HOPS_MAX) {
                return false;
            }
            segment = at.offset;
            continue;
        }
        size_t length = *head; // 64 to 191, reserved kinds of label, are too long and end here
        if (length > DNS_LABEL_MAX || out->length + 1 + length + (length ? 1 : 0) > DNS_NAME_MAX ||
            (length && !take(&at, length))) {
            return false;
        }
        memcpy(out->wire + out->length, head, 1 + length);
        out->length += 1 + length;
        if (length == 0) {
            break;
        }
    }
    if (hops == 0) {
        reader->offset = at.offset;
    }
    return true;
}

bool dns_read_question(struct dns_reader *reader, struct dns_question *out)
{
    return dns_read_name(reader, &out->name) && read_u16(reader, &out->type) &&
           read_u16(reader, &out->class);
}

static bool skip_name(struct dns_reader *reader)
{
    for (;;) {
        const uint8_t *head = take(reader, 1);
        if (!head) {
            return false;
        }
        if ((*head & POINTER_BITS) == POINTER_BITS) {
            return take(reader, 1) != NULL;
        }
        if (*head == 0) {
            return true;
        }
        if (*head > DNS_LABEL_MAX || !take(reader, *head)) {
            return false;
        }
    }
}

bool dns_skip_question(struct dns_reader *reader)
{
    return skip_name(reader) && take(reader, 4);
}

bool dns_skip_record(struct dns_reader *reader, uint16_t *type)
{
    uint16_t rdata_length;
    return skip_name(reader) && read_u16(reader, type) && take(reader, 6) &&
           read_u16(reader, &rdata_length) && take(reader, rdata_length);
}

// One piece of rdata. bytes and length are as in the message; name is set for n and N. For p and o,
// code is theirs and bytes are the value.
struct field {
    char kind;
    uint16_t code;
    const uint8_t *bytes;
    size_t length;
    struct dns_name name;
};

// Reads a code, a length and as many bytes: EDNS options and SvcParams alike.
static bool read_option(struct dns_reader *reader, uint16_t *code, const uint8_t **bytes,
                        size_t *length)
{
    uint16_t octets;
    if (!read_u16(reader, code) || !read_u16(reader, &octets)) {
        return false;
    }
    *length = octets;
    *bytes = take(reader, octets);
    return *bytes != NULL;
}

static bool read_field(struct dns_reader *rdata, char kind, struct field *out)
{
    size_t start = rdata->offset;
    size_t length = 0;
    out->kind = kind;
    switch (kind) {
    case '1':
    case '2':
    case '4':
        length = (size_t)(kind - '0');
        break;
    case 'a':
        length = 4;
        break;
    case 'A':
        length = 16;
        break;
    case 's':
    case 't':
        length = start < rdata->end ? 1u + rdata->message[start] : 1;
        break;
    case 'n':
    case 'N':
        if (!dns_read_name(rdata, &out->name)) {
            return false;
        }
        out->bytes = rdata->message + start;
        out->length = rdata->offset - start;
        return true;
    case 'p':
    case 'o':
        return read_option(rdata, &out->code, &out->bytes, &out->length);
    default: // the rest
        length = rdata->end - start;
        break;
    }
    out->length = length;
    out->bytes = take(rdata, length);
    return out->bytes != NULL;
}

struct walk {
    struct dns_reader rdata;
    const char *layout;
};

enum step { STEP_FIELD, STEP_END, STEP_BAD };

static struct walk walk_begin(const uint8_t *message, const struct dns_record *record)
{
    return (struct walk){.rdata = {.message = message,
                                   .end = record->rdata + record->rdata_length,
                                   .offset = record->rdata},
                         .layout = layout_of(record->type, record->class)};
}

static enum step walk_next(struct walk *walk, struct field *out)
{
    bool at_end = walk->rdata.offset == walk->rdata.end;
    if (walk->layout[0] == '\0') {
        return at_end ? STEP_END : STEP_BAD;
    }
    bool repeated = walk->layout[1] == '*';
    if (repeated && at_end) {
        return STEP_END;
    }
    if (!read_field(&walk->rdata, walk->layout[0], out)) {
        return STEP_BAD;
    }
    walk->layout += repeated ? 0 : 1;
    return STEP_FIELD;
}

static bool rdata_is_sound(const uint8_t *message, const struct dns_record *record)
{
    struct walk walk = walk_begin(message, record);
    struct field field;
    enum step step;
    do {
        step = walk_next(&walk, &field);
    } while (step == STEP_FIELD);
    return step == STEP_END;
}

bool dns_rdata_is_plain(uint16_t type, const uint8_t *rdata, size_t length)
{
    const struct dns_record record = {.type = type, .class = DNS_CLASS_IN, .rdata_length = length};
    struct walk walk = walk_begin(rdata, &record);
    struct field field;
    enum step step;
    while ((step = walk_next(&walk, &field)) == STEP_FIELD) {
        bool is_name = field.kind == 'n' || field.kind == 'N';
        if (is_name && field.name.length != field.length) {
            return false;
        }
    }
    return step == STEP_END;
}

bool dns_read_record(struct dns_reader *reader, struct dns_record *out)
{
    const uint8_t *fixed;
    if (!dns_read_name(reader, &out->owner) || !(fixed = take(reader, 10))) {
        return false;
    }
    out->type = get_u16(fixed);
    out->class = get_u16(fixed + 2);
    out->ttl = get_u32(fixed + 4);
    out->rdata_length = get_u16(fixed + 8);
    out->rdata = reader->offset;
    return take(reader, out->rdata_length) && rdata_is_sound(reader->message, out);
}

// ---- Rdata as text

bool dns_svc_key_parse(const char *text, uint16_t *out)
{
    for (size_t i = 0; i < SVC_PARAMS; i++) {
        if (strcmp(svc_params[i].name, text) == 0) {
            *out = (uint16_t)i;
            return true;
        }
    }
    return parse_numbered(text, "key", UINT16_MAX, out);
}

char dns_svc_form(uint16_t key)
{
    return key < SVC_PARAMS ? svc_params[key].form : 'u';
}

static void put_svc_key(struct text *text, uint16_t code)
{
    if (code < SVC_PARAMS) {
        put(text, "%s", svc_params[code].name);
    } else {
        put(text, "key%u", (unsigned)code);
    }
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
            put_octet(text, bytes[i], "\"\\", ' ');
        }
        break;
    default:
        put(text, "%u", (unsigned)get_u16(bytes));
        break;
    }
}

// RFC 9460 section 2.1. A value that is not what its key says ends where it goes wrong.
static void put_svc_param(struct text *text, const struct field *field)
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

static void put_field(struct text *text, const struct field *field)
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
    case 'N':
        put_name(text, &field->name);
        break;
    case 's':
        put_quoted(text, field->bytes + 1, field->length - 1);
        break;
    case 't':
        for (size_t i = 1; i < field->length; i++) {
            put_octet(text, field->bytes[i], "\"\\", '!');
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
    struct walk walk = walk_begin(message, record);
    struct field field;
    assert(size > 0);
    out[0] = '\0';
    for (bool first = true; walk_next(&walk, &field) == STEP_FIELD; first = false) {
        put(&text, "%s", first ? "" : " ");
        put_field(&text, &field);
    }
    return !text.overflow;
}

size_t dns_txt_bytes(const uint8_t *message, const struct dns_record *record, uint8_t *out)
{
    struct walk walk = walk_begin(message, record);
    struct field field;
    size_t length = 0;
    while (record->type == DNS_TXT && walk_next(&walk, &field) == STEP_FIELD) {
        memcpy(out + length, field.bytes + 1, field.length - 1);
        length += field.length - 1;
    }
    return length;
}

// ---- EDNS (RFC 6891 section 6.1)

#define EDNS_DO 0x8000u

bool dns_read_edns(const uint8_t *message, const struct dns_record *record, struct dns_edns *out,
                   struct dns_reader *options)
{
    if (record->type != DNS_OPT || record->owner.length != 1) {
        return false;
    }
    *out = (struct dns_edns){.udp_size = record->class,
                             .rcode_high = (uint8_t)(record->ttl >> 24),
                             .version = (uint8_t)(record->ttl >> 16),
                             .dnssec_ok = (record->ttl & EDNS_DO) != 0};
    *options = walk_begin(message, record).rdata;
    return true;
}

bool dns_read_option(struct dns_reader *options, struct dns_option *out)
{
    size_t length;
    if (!read_option(options, &out->code, &out->bytes, &length)) {
        return false;
    }
    out->length = (uint16_t)length;
    return true;
}

// ---- Writing

void dns_write_begin(struct dns_writer *writer, uint8_t *buffer, size_t size, uint16_t id,
                     uint16_t flags)
{
    assert(size <= DNS_MESSAGE_MAX);
    *writer = (struct dns_writer){.buffer = buffer, .size = size};
    dns_write_u16(writer, id);
    dns_write_u16(writer, flags);
    for (size_t i = 0; i < DNS_SECTIONS; i++) {
        dns_write_u16(writer, 0);
    }
}

size_t dns_write_end(struct dns_writer *writer)
{
    assert(!writer->in_record);
    if (writer->overflow) {
        return 0;
    }
    for (size_t i = 0; i < DNS_SECTIONS; i++) {
        put_u16(writer->buffer + 4 + 2 * i, writer->counts[i]);
    }
    return writer->length;
}

void dns_write_bytes(struct dns_writer *writer, const void *bytes, size_t length)
{
    if (writer->overflow || length > writer->size - writer->length) {
        writer->overflow = true;
        return;
    }
    if (length > 0) {
        memcpy(writer->buffer + writer->length, bytes, length);
    }
    writer->length += length;
}

void dns_write_u8(struct dns_writer *writer, uint8_t value)
{
    dns_write_bytes(writer, &value, 1);
}

void dns_write_u16(struct dns_writer *writer, uint16_t value)
{
    uint8_t bytes[2];
    put_u16(bytes, value);
    dns_write_bytes(writer, bytes, sizeof bytes);
}

void dns_write_u32(struct dns_writer *writer, uint32_t value)
{
    dns_write_u16(writer, (uint16_t)(value >> 16));
    dns_write_u16(writer, (uint16_t)value);
}

// Whether the name at offset of our own message is exactly suffix.
static bool is_suffix_at(const uint8_t *message, size_t offset, const uint8_t *suffix)
{
    for (;;) {
        while ((message[offset] & POINTER_BITS) == POINTER_BITS) {
            offset = get_u16(message + offset) & POINTER_MAX;
        }
        size_t length = message[offset];
        // Lengths first: the suffix may be the shorter one.
        if (length != *suffix || memcmp(message + offset, suffix, 1 + length) != 0) {
            return false;
        }
        if (length == 0) {
            return true;
        }
        offset += 1 + length;
        suffix += 1 + length;
    }
}

// The first of known names that is suffix; 0 if none.
static uint16_t find_suffix(const struct dns_writer *writer, size_t known, const uint8_t *suffix)
{
    for (size_t i = 0; i < known; i++) {
        if (is_suffix_at(writer->buffer, writer->suffixes[i], suffix)) {
            return writer->suffixes[i];
        }
    }
    return 0;
}

static void remember_suffix(struct dns_writer *writer)
{
    if (!writer->overflow && writer->length <= POINTER_MAX &&
        writer->suffix_count < DNS_SUFFIXES_MAX) {
        writer->suffixes[writer->suffix_count++] = (uint16_t)writer->length;
    }
}

void dns_write_name(struct dns_writer *writer, const struct dns_name *name, bool compress)
{
    // What this name adds is not whole yet, so it is not searched.
    size_t known = compress && !writer->overflow ? writer->suffix_count : 0;
    for (const uint8_t *label = name->wire; *label; label += 1 + *label) {
        uint16_t seen = find_suffix(writer, known, label);
        if (seen) {
            dns_write_u16(writer, (uint16_t)(POINTER_BITS << 8 | seen));
            return;
        }
        remember_suffix(writer);
        dns_write_bytes(writer, label, 1u + *label);
    }
    dns_write_u8(writer, 0);
}

static void count(struct dns_writer *writer, enum dns_section section)
{
    assert(section >= writer->section);
    writer->section = section;
    writer->counts[section]++;
}

void dns_write_question(struct dns_writer *writer, const struct dns_question *question)
{
    dns_write_name(writer, &question->name, true);
    dns_write_u16(writer, question->type);
    dns_write_u16(writer, question->class);
    count(writer, DNS_QUESTION);
}

void dns_record_begin(struct dns_writer *writer, enum dns_section section,
                      const struct dns_name *owner, uint16_t type, uint16_t class, uint32_t ttl)
{
    assert(!writer->in_record);
    dns_write_name(writer, owner, true);
    dns_write_u16(writer, type);
    dns_write_u16(writer, class);
    dns_write_u32(writer, ttl);
    writer->in_record = true;
    writer->rdata = writer->length;
    dns_write_u16(writer, 0);
    count(writer, section);
}

void dns_record_end(struct dns_writer *writer)
{
    assert(writer->in_record);
    if (!writer->overflow) {
        put_u16(writer->buffer + writer->rdata, (uint16_t)(writer->length - writer->rdata - 2));
    }
    writer->in_record = false;
}

void dns_opt_begin(struct dns_writer *writer, const struct dns_edns *edns)
{
    static const struct dns_name root = {.length = 1};
    uint32_t ttl = (uint32_t)edns->rcode_high << 24 | (uint32_t)edns->version << 16 |
                   (edns->dnssec_ok ? EDNS_DO : 0);
    dns_record_begin(writer, DNS_ADDITIONAL, &root, DNS_OPT, edns->udp_size, ttl);
}

void dns_write_option(struct dns_writer *writer, uint16_t code, const void *bytes, size_t length)
{
    assert(length <= UINT16_MAX);
    dns_write_u16(writer, code);
    dns_write_u16(writer, (uint16_t)length);
    dns_write_bytes(writer, bytes, length);
}

void dns_copy_record(struct dns_writer *writer, enum dns_section section, const uint8_t *message,
                     const struct dns_record *record)
{
    struct walk walk = walk_begin(message, record);
    struct field field;
    dns_record_begin(writer, section, &record->owner, record->type, record->class, record->ttl);
    while (walk_next(&walk, &field) == STEP_FIELD) {
        if (field.kind == 'n' || field.kind == 'N') {
            dns_write_name(writer, &field.name, field.kind == 'n');
        } else if (field.kind == 'p' || field.kind == 'o') {
            dns_write_option(writer, field.code, field.bytes, field.length);
        } else {
            dns_write_bytes(writer, field.bytes, field.length);
        }
    }
    dns_record_end(writer);
}

struct dns_mark dns_mark(const struct dns_writer *writer)
{
    assert(!writer->overflow && !writer->in_record);
    struct dns_mark mark = {.length = writer->length, .suffix_count = writer->suffix_count};
    memcpy(mark.counts, writer->counts, sizeof mark.counts);
    return mark;
}

void dns_rewind(struct dns_writer *writer, const struct dns_mark *mark)
{
    assert(mark->length <= writer->length);
    writer->length = mark->length;
    writer->suffix_count = mark->suffix_count;
    writer->overflow = false;
    writer->in_record = false;
    memcpy(writer->counts, mark->counts, sizeof writer->counts);
    writer->section = DNS_QUESTION;
}
