// Reads the text of rdata part by part: a table says what each type's parts are and what to say of
// one that is wrong. Whatever the text was, the rdata is then checked as a whole.
#include "dns/rdata.h"

#include "base/bytes.h"
#include "base/text.h"

#include <arpa/inet.h>
#include <assert.h>
#include <ctype.h>
#include <sodium/utils.h>
#include <string.h>
#include <strings.h>

#define PRIORITY_SIZE 2 // of SVCB, before its target

static const char too_long[] = "the record is longer than 4096 octets";

// Kinds: 1 2 numbers of so many octets; a IPv4, A IPv6 address; N name; s strings up to the end;
// t word; q string without its length; p SvcParams up to the end.
struct part {
    char kind;
    const char *wrong;
};

static const struct form {
    uint16_t type;
    struct part parts[5];
} forms[] = {
    {DNS_A, {{'a', "the address must be an IPv4 address"}}},
    {DNS_NS, {{'N', "the name server is missing"}}},
    {DNS_CNAME, {{'N', "the name is missing"}}},
    {DNS_MX,
     {{'2', "the preference must be a number up to 65535"}, {'N', "the mail server is missing"}}},
    {DNS_TXT, {{'s', "a string is missing"}}},
    {DNS_AAAA, {{'A', "the address must be an IPv6 address"}}},
    {DNS_SRV,
     {{'2', "the priority must be a number up to 65535"},
      {'2', "the weight must be a number up to 65535"},
      {'2', "the port must be a number up to 65535"},
      {'N', "the target is missing"}}},
    {DNS_SVCB,
     {{'2', "the priority must be a number up to 65535"},
      {'N', "the target is missing"},
      {'p', ""}}},
    {DNS_HTTPS,
     {{'2', "the priority must be a number up to 65535"},
      {'N', "the target is missing"},
      {'p', ""}}},
    {DNS_CAA,
     {{'1', "the flags must be a number up to 255"},
      {'t', "the tag is missing"},
      {'q', "the value is missing"}}},
};

struct parser {
    const char *at;
    uint8_t *out; // DNS_RDATA_MAX octets
    size_t length;
};

// ---- Pieces of text

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool at_end(struct parser *parser)
{
    while (is_blank(*parser->at)) {
        parser->at++;
    }
    return *parser->at == '\0';
}

static const char *put(struct parser *parser, const void *bytes, size_t length)
{
    if (length > DNS_RDATA_MAX - parser->length) {
        return too_long;
    }
    if (length > 0) {
        memcpy(parser->out + parser->length, bytes, length);
    }
    parser->length += length;
    return NULL;
}

static const char *put_number(struct parser *parser, unsigned long value, size_t size)
{
    uint8_t bytes[2];
    put_u16(bytes, (uint16_t)value);
    return put(parser, bytes + sizeof bytes - size, size);
}

// The text up to the next blank (or stop), escapes as they are. NULL, or wrong.
static const char *read_word(struct parser *parser, char stop, char *out, size_t size,
                             const char *wrong)
{
    size_t length = 0;
    assert(wrong);
    if (at_end(parser)) {
        return wrong;
    }
    for (; *parser->at && !is_blank(*parser->at) && *parser->at != stop; parser->at++) {
        bool escape = *parser->at == '\\' && parser->at[1];
        if (strchr("\"();", *parser->at) != NULL) {
            return "quotes, brackets and semicolons must be within quotes or after a backslash";
        }
        if (length + 3 > size) {
            return wrong;
        }
        out[length++] = *parser->at;
        if (escape) {
            out[length++] = *++parser->at;
        }
    }
    out[length] = '\0';
    return length > 0 ? NULL : wrong;
}

// A string, in quotes or not, without its escapes.
static const char *read_string(struct parser *parser, uint8_t *out, size_t size, size_t *length,
                               const char *long_problem)
{
    bool quoted = *parser->at == '"';
    parser->at += quoted;
    for (*length = 0; quoted ? *parser->at != '"' : *parser->at && !is_blank(*parser->at);) {
        if (*parser->at == '\0') {
            return "a quote is missing at the end of a string";
        }
        if (strchr(quoted ? "" : "\"();", *parser->at) != NULL) {
            return "quotes, brackets and semicolons must be within quotes or after a backslash";
        }
        if (*length == size) {
            return long_problem;
        }
        parser->at = dns_octet_parse(parser->at, &out[(*length)++]);
        if (parser->at == NULL) {
            return "a backslash needs three digits (up to 255) or one other character after it";
        }
    }
    parser->at += quoted;
    return *parser->at == '\0' || is_blank(*parser->at)
               ? NULL
               : "a blank is missing after the end of a string";
}

static bool number_of(const char *text, unsigned long max, unsigned long *out)
{
    *out = 0;
    if (*text == '\0') {
        return false;
    }
    for (; *text; text++) {
        if (*text < '0' || *text > '9') {
            return false;
        }
        *out = *out * 10 + (unsigned long)(*text - '0');
        if (*out > max) {
            return false;
        }
    }
    return true;
}

// ---- SvcParams (RFC 9460 section 2.1 and appendix A)

struct value {
    size_t length;
    uint8_t bytes[DNS_RDATA_MAX + 1]; // a NUL after them
};

// Moves text to behind the next comma, and ends the element before it; NULL: there is none left. An
// empty element is an element.
static char *next_element(char **text)
{
    char *element = *text;
    if (element != NULL) {
        char *comma = strchr(element, ',');
        *text = comma != NULL ? comma + 1 : NULL;
        if (comma != NULL) {
            *comma = '\0';
        }
    }
    return element;
}

static const char *put_addresses(struct parser *parser, int family, char *text)
{
    uint8_t address[16];
    for (const char *element; (element = next_element(&text)) != NULL;) {
        if (inet_pton(family, element, address) != 1) {
            return family == AF_INET ? "ipv4hint must be IPv4 addresses with commas between them"
                                     : "ipv6hint must be IPv6 addresses with commas between them";
        }
        const char *problem = put(parser, address, family == AF_INET ? 4 : 16);
        if (problem != NULL) {
            return problem;
        }
    }
    return NULL;
}

// Keys, in ascending order whatever order they were written in.
static const char *put_keys(struct parser *parser, char *text)
{
    size_t start = parser->length;
    uint16_t key;
    for (const char *element; (element = next_element(&text)) != NULL;) {
        if (!dns_svc_key_parse(element, &key)) {
            return "mandatory must be names of keys with commas between them";
        }
        const char *problem = put_number(parser, key, 2);
        if (problem != NULL) {
            return problem;
        }
        uint8_t *place = parser->out + parser->length - 2;
        for (; place > parser->out + start && get_u16(place - 2) > key; place -= 2) {
            memcpy(place, place - 2, 2);
        }
        put_u16(place, key);
    }
    return NULL;
}

// Names of protocols; a comma or a backslash in one has a backslash before it.
static const char *put_protocols(struct parser *parser, const struct value *value)
{
    for (size_t at = 0;; at++) { // over the comma
        uint8_t name[1 + UINT8_MAX] = {0};
        for (; at < value->length && value->bytes[at] != ','; at++) {
            at += value->bytes[at] == '\\';
            if (at == value->length || name[0] == UINT8_MAX) {
                return "a protocol in alpn is longer than 255 octets, or ends in a backslash";
            }
            name[++name[0]] = value->bytes[at];
        }
        const char *problem = put(parser, name, 1u + name[0]);
        if (problem != NULL || at == value->length) {
            return problem;
        }
    }
}

// RFC 4648 section 4, with its padding, and bits that are padding zero.
static const char *put_base64(struct parser *parser, const struct value *value)
{
    uint8_t bytes[DNS_RDATA_MAX];
    size_t length;
    int result = sodium_base642bin(bytes, sizeof bytes, (const char *)value->bytes, value->length,
                                   NULL, &length, NULL, sodium_base64_VARIANT_ORIGINAL);
    return result == 0 ? put(parser, bytes, length) : "ech must be base64";
}

static const char *put_port(struct parser *parser, const char *text)
{
    unsigned long port;
    return number_of(text, UINT16_MAX, &port) ? put_number(parser, port, 2)
                                              : "port must be a number up to 65535";
}

static const char *put_svc_value(struct parser *parser, uint16_t key, struct value *value)
{
    char form = dns_svc_form(key);
    value->bytes[value->length] = '\0';
    char *text = (char *)value->bytes;
    if (form != 'l' && form != 'u' && strlen(text) != value->length) {
        return "a parameter's value has a NUL in it";
    }
    switch (form) {
    case 'k':
        return put_keys(parser, text);
    case 'l':
        return put_protocols(parser, value);
    case '2':
        return put_port(parser, text);
    case 'a':
        return put_addresses(parser, AF_INET, text);
    case 'A':
        return put_addresses(parser, AF_INET6, text);
    case 'b':
        return put_base64(parser, value);
    default: // RFC 9460 section 2.1: as it is; that "-" has none is checked with the whole
        return put(parser, value->bytes, value->length);
    }
}

// Puts the parameter that has been written last, from offset last, where its key belongs among
// those from offset first; the same key twice stays so, for the check to find.
static void sort_in(struct parser *parser, size_t first, size_t last)
{
    uint8_t param[DNS_RDATA_MAX];
    size_t length = parser->length - last;
    size_t place = first;
    while (place < last && get_u16(parser->out + place) <= get_u16(parser->out + last)) {
        place += 4u + get_u16(parser->out + place + 2);
    }
    memcpy(param, parser->out + last, length);
    memmove(parser->out + place + length, parser->out + place, last - place);
    memcpy(parser->out + place, param, length);
}

static const char *parse_svc_param(struct parser *parser, size_t first)
{
    static const char unknown[] = "a parameter's key is unknown; keyNNN names any by its number";
    char name[32];
    uint16_t key;
    struct value value = {0};
    const char *problem = read_word(parser, '=', name, sizeof name, unknown);
    if (problem != NULL || !dns_svc_key_parse(name, &key)) {
        return problem != NULL ? problem : unknown;
    }
    if (*parser->at == '=') {
        parser->at++;
        problem = read_string(parser, value.bytes, DNS_RDATA_MAX, &value.length, too_long);
    }
    size_t start = parser->length;
    if (problem != NULL || (problem = put_number(parser, key, 2)) != NULL ||
        (problem = put_number(parser, 0, 2)) != NULL ||
        (problem = put_svc_value(parser, key, &value)) != NULL) {
        return problem;
    }
    put_u16(parser->out + start + 2, (uint16_t)(parser->length - start - 4));
    sort_in(parser, first, start);
    return NULL;
}

static const char *parse_svc_params(struct parser *parser)
{
    size_t first = parser->length;
    const char *problem = NULL;
    while (problem == NULL && !at_end(parser)) {
        problem = parse_svc_param(parser, first);
    }
    return problem;
}

// ---- What each type demands beyond its layout

static bool alpn_is_sound(const uint8_t *value, size_t length)
{
    size_t at = 0;
    while (at < length && value[at] > 0 && value[at] < length - at) {
        at += 1u + value[at];
    }
    return length > 0 && at == length;
}

static bool mandatory_is_sound(const uint8_t *value, size_t length)
{
    for (size_t at = 0; at + 2 < length; at += 2) {
        if (get_u16(value + at) >= get_u16(value + at + 2)) {
            return false;
        }
    }
    return length > 0 && length % 2 == 0 && get_u16(value) != 0; // it doesn't name itself
}

static const char *check_svc_value(uint16_t key, const uint8_t *value, size_t length)
{
    switch (dns_svc_form(key)) {
    case 'k':
        return mandatory_is_sound(value, length) ? NULL
                                                 : "mandatory must name other keys, each once";
    case 'l':
        return alpn_is_sound(value, length) ? NULL : "alpn must name protocols, none of them empty";
    case '-':
        return length == 0 ? NULL : "no-default-alpn takes no value";
    case '2':
        return length == 2 ? NULL : "port must be a number up to 65535";
    case 'a':
        return length > 0 && length % 4 == 0 ? NULL : "ipv4hint must be IPv4 addresses";
    case 'A':
        return length > 0 && length % 16 == 0 ? NULL : "ipv6hint must be IPv6 addresses";
    case 'b':
        return length > 0 ? NULL : "ech must be base64";
    default:
        return NULL;
    }
}

// The value of key among params; NULL: it is not there.
static const uint8_t *find_svc_param(const uint8_t *params, size_t length, uint16_t key,
                                     size_t *value_length)
{
    for (size_t at = 0; at < length; at += 4u + get_u16(params + at + 2)) {
        if (get_u16(params + at) == key) {
            *value_length = get_u16(params + at + 2);
            return params + at + 4;
        }
    }
    return NULL;
}

enum { KEY_MANDATORY, KEY_ALPN, KEY_NO_DEFAULT_ALPN }; // RFC 9460 section 14.3.2

static const char *check_svcb(const uint8_t *rdata, size_t length)
{
    size_t name = PRIORITY_SIZE;
    while (rdata[name] != 0) {
        name += 1u + rdata[name];
    }
    const uint8_t *params = rdata + name + 1;
    size_t params_length = length - name - 1;
    size_t unused;
    long former = -1;
    if (get_u16(rdata) == 0 && params_length > 0) {
        return "priority 0 makes it an alias, which takes no parameters";
    }
    for (size_t at = 0; at < params_length; at += 4u + get_u16(params + at + 2)) {
        uint16_t key = get_u16(params + at);
        if (key <= former) {
            return "a parameter is there twice, or they are not in ascending order";
        }
        const char *problem = check_svc_value(key, params + at + 4, get_u16(params + at + 2));
        if (problem != NULL) {
            return problem;
        }
        former = key;
    }
    if (find_svc_param(params, params_length, KEY_NO_DEFAULT_ALPN, &unused) != NULL &&
        find_svc_param(params, params_length, KEY_ALPN, &unused) == NULL) {
        return "no-default-alpn needs alpn beside it";
    }
    size_t mandatory_length = 0;
    const uint8_t *mandatory =
        find_svc_param(params, params_length, KEY_MANDATORY, &mandatory_length);
    for (size_t i = 0; i < mandatory_length; i += 2) {
        if (find_svc_param(params, params_length, get_u16(mandatory + i), &unused) == NULL) {
            return "mandatory names a parameter that is not there";
        }
    }
    return NULL;
}

// RFC 8659 section 4.1
static const char *check_caa(const uint8_t *rdata)
{
    bool sound = rdata[1] >= 1 && rdata[1] <= 15;
    for (size_t i = 0; sound && i < rdata[1]; i++) {
        sound = rdata[2 + i] < 0x80 && isalnum(rdata[2 + i]);
    }
    return sound ? NULL : "the tag must be 1 to 15 letters and digits";
}

static const char *check(uint16_t type, const uint8_t *rdata, size_t length)
{
    if (!dns_rdata_is_plain(type, rdata, length)) {
        return "the octets are not what this type is made of";
    }
    switch (type) {
    case DNS_SVCB:
    case DNS_HTTPS:
        return check_svcb(rdata, length);
    case DNS_CAA:
        return check_caa(rdata);
    default:
        return NULL;
    }
}

// ---- Parts

static const char *parse_name(struct parser *parser, const char *wrong)
{
    char text[DNS_NAME_TEXT_MAX];
    struct dns_name name;
    const char *problem = at_end(parser) ? wrong
                                         : read_word(parser, '\0', text, sizeof text,
                                                     "the name is longer than 255 octets");
    if (problem == NULL) {
        problem = dns_name_parse(text, &name);
    }
    return problem != NULL ? problem : put(parser, name.wire, name.length);
}

static const char *parse_number(struct parser *parser, size_t size, const char *wrong)
{
    char text[16];
    unsigned long value;
    const char *problem = read_word(parser, '\0', text, sizeof text, wrong);
    if (problem == NULL && !number_of(text, size == 1 ? UINT8_MAX : UINT16_MAX, &value)) {
        problem = wrong;
    }
    return problem != NULL ? problem : put_number(parser, value, size);
}

static const char *parse_address(struct parser *parser, int family, const char *wrong)
{
    char text[INET6_ADDRSTRLEN + 2];
    uint8_t address[16];
    const char *problem = read_word(parser, '\0', text, sizeof text, wrong);
    if (problem == NULL && inet_pton(family, text, address) != 1) {
        problem = wrong;
    }
    return problem != NULL ? problem : put(parser, address, family == AF_INET ? 4 : 16);
}

static const char *parse_strings(struct parser *parser, const char *wrong)
{
    const char *problem = at_end(parser) ? wrong : NULL;
    while (problem == NULL && !at_end(parser)) {
        uint8_t string[UINT8_MAX];
        size_t length;
        problem = read_string(parser, string, sizeof string, &length,
                              "a string is longer than 255 octets: make two of it");
        if (problem == NULL) {
            problem = put_number(parser, length, 1);
        }
        if (problem == NULL) {
            problem = put(parser, string, length);
        }
    }
    return problem;
}

static const char *parse_tag(struct parser *parser, const char *wrong)
{
    char text[UINT8_MAX];
    const char *problem = read_word(parser, '\0', text, sizeof text, wrong);
    if (problem == NULL) {
        problem = put_number(parser, strlen(text), 1);
    }
    return problem != NULL ? problem : put(parser, text, strlen(text));
}

static const char *parse_value(struct parser *parser, const char *wrong)
{
    uint8_t value[DNS_RDATA_MAX];
    size_t length;
    if (at_end(parser)) {
        return wrong;
    }
    const char *problem = read_string(parser, value, sizeof value, &length, too_long);
    return problem != NULL ? problem : put(parser, value, length);
}

static const char *parse_part(struct parser *parser, const struct part *part)
{
    switch (part->kind) {
    case '1':
    case '2':
        return parse_number(parser, (size_t)(part->kind - '0'), part->wrong);
    case 'a':
        return parse_address(parser, AF_INET, part->wrong);
    case 'A':
        return parse_address(parser, AF_INET6, part->wrong);
    case 'N':
        return parse_name(parser, part->wrong);
    case 's':
        return parse_strings(parser, part->wrong);
    case 't':
        return parse_tag(parser, part->wrong);
    case 'q':
        return parse_value(parser, part->wrong);
    default:
        assert(part->kind == 'p');
        return parse_svc_params(parser);
    }
}

// ---- Any type (RFC 3597 section 5)

static const char *parse_generic(struct parser *parser)
{
    static const char wrong[] = "after \\# come the number of octets and these in hexadecimal";
    char text[8];
    unsigned long expected;
    const char *problem = read_word(parser, '\0', text, sizeof text, wrong);
    if (problem != NULL || !number_of(text, DNS_RDATA_MAX, &expected)) {
        return wrong;
    }
    while (!at_end(parser)) {
        int high = text_hex_digit(parser->at[0]);
        int low = high < 0 ? -1 : text_hex_digit(parser->at[1]);
        if (low < 0) {
            return wrong;
        }
        problem = put_number(parser, (unsigned long)(high << 4 | low), 1);
        if (problem != NULL) {
            return problem;
        }
        parser->at += 2;
    }
    return parser->length == expected ? NULL : "the number after \\# is not that of the octets";
}

static const struct form *form_of(uint16_t type)
{
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        if (forms[i].type == type) {
            return &forms[i];
        }
    }
    return NULL;
}

static const char *parse_parts(struct parser *parser, const struct form *form)
{
    const char *problem = NULL;
    for (const struct part *part = form->parts; part->kind && problem == NULL; part++) {
        problem = parse_part(parser, part);
    }
    if (problem == NULL && !at_end(parser)) {
        problem = "there is more than the record needs";
    }
    return problem;
}

const char *dns_rdata_parse(uint16_t type, const char *text, uint8_t out[DNS_RDATA_MAX],
                            size_t *length)
{
    struct parser parser = {.at = text, .out = out};
    const struct form *form = form_of(type);
    const char *problem;
    bool empty = at_end(&parser);
    if (strncmp(parser.at, "\\#", 2) == 0 && (is_blank(parser.at[2]) || parser.at[2] == '\0')) {
        parser.at += 2;
        problem = parse_generic(&parser);
    } else if (form != NULL) {
        problem = parse_parts(&parser, form);
    } else {
        problem = empty ? "the record is empty"
                        : "records of this type can only be written as \\# LENGTH HEX";
    }
    *length = parser.length;
    return problem != NULL ? problem : check(type, out, parser.length);
}
