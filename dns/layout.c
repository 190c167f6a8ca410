// See layout.h.
#include "dns/layout.h"

// A star after the last one: as often as there is more. Compression is for the types of RFC 1035
// alone (RFC 3597 section 4). What comes with every query stands first: it is looked for most.
static const struct row {
    uint16_t type;
    const char *layout;
    bool compressed;
} rows[] = {
    {DNS_OPT, "o*", false},    {DNS_A, "a", false},        {DNS_NS, "n", true},
    {DNS_CNAME, "n", true},    {DNS_SOA, "nn44444", true}, {DNS_PTR, "n", true},
    {DNS_MX, "2n", true},      {DNS_TXT, "ss*", false},    {DNS_AAAA, "A", false},
    {DNS_SRV, "222n", false},  {DNS_DS, "211x", false},    {DNS_DNSKEY, "211b", false},
    {DNS_SVCB, "2np*", false}, {DNS_HTTPS, "2np*", false}, {DNS_CAA, "1tq", false},
};

static const struct row *row_of(uint16_t type)
{
    static const struct row unknown = {0, "u", false};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (rows[i].type == type) {
            return &rows[i];
        }
    }
    return &unknown;
}

static const char *layout_of(uint16_t type, uint16_t class)
{
    if ((type == DNS_A || type == DNS_AAAA) && class != DNS_CLASS_IN) {
        return "u"; // addresses of other networks
    }
    return row_of(type)->layout;
}

struct dns_names dns_names_of(uint16_t type)
{
    const struct row *row = row_of(type);
    struct dns_names names = {.compressed = row->compressed};
    const char *at = row->layout;
    for (; *at >= '1' && *at <= '4'; at++) {
        names.at += (size_t)(*at - '0');
        names.before++;
    }
    for (; *at == 'n'; at++) {
        names.count++;
    }
    return names.count > 0 ? names : (struct dns_names){.count = 0};
}

static bool read_coded(struct dns_reader *rdata, struct dns_field *out)
{
    struct dns_option option;
    if (!dns_read_option(rdata, &option)) {
        return false;
    }
    out->code = option.code;
    out->bytes = option.bytes;
    out->length = option.length;
    return true;
}

static bool read_field(struct dns_reader *rdata, char kind, struct dns_field *out)
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
        if (!dns_read_name(rdata, &out->name)) {
            return false;
        }
        out->bytes = rdata->message + start;
        out->length = rdata->offset - start;
        return true;
    case 'p':
    case 'o':
        return read_coded(rdata, out);
    default: // the rest
        length = rdata->end - start;
        break;
    }
    out->length = length;
    out->bytes = dns_take(rdata, length);
    return out->bytes != NULL;
}

struct dns_walk dns_walk_begin(uint16_t type, uint16_t class, const uint8_t *message, size_t offset,
                               size_t length)
{
    return (struct dns_walk){
        .rdata = {.message = message, .end = offset + length, .offset = offset},
        .layout = layout_of(type, class)};
}

enum dns_step dns_walk_next(struct dns_walk *walk, struct dns_field *out)
{
    bool at_end = walk->rdata.offset == walk->rdata.end;
    if (walk->layout[0] == '\0') {
        return at_end ? DNS_STEP_END : DNS_STEP_BAD;
    }
    bool repeated = walk->layout[1] == '*';
    if (repeated && at_end) {
        return DNS_STEP_END;
    }
    if (!read_field(&walk->rdata, walk->layout[0], out)) {
        return DNS_STEP_BAD;
    }
    walk->layout += repeated ? 0 : 1;
    return DNS_STEP_FIELD;
}

bool dns_rdata_is_plain(uint16_t type, const uint8_t *rdata, size_t length)
{
    struct dns_walk walk = dns_walk_begin(type, DNS_CLASS_IN, rdata, 0, length);
    struct dns_field field;
    enum dns_step step;
    while ((step = dns_walk_next(&walk, &field)) == DNS_STEP_FIELD) {
        if (field.kind == 'n' && field.name.length != field.length) {
            return false;
        }
    }
    return step == DNS_STEP_END;
}
