// EDNS and header compliance, as those test who look after the DNS as a whole: raw queries, odd in
// one way each, and what the RFCs want for an answer. Every row is asked over UDP and TCP, IPv4 and
// IPv6; whatever comes back must be well-formed, in answer to it, and no larger than asked for.
#include "tests/lab/answering.h"

#include <stdio.h>
#include <string.h>

#define ZONE      ANSWERING_ZONE
#define SHORT_UDP 512
#define UDP_SIZE  1232 // the responder's default

enum {
    AA = 1 << 0,
    TC = 1 << 1,  // over UDP; none over TCP
    OPT = 1 << 2, // version 0, no flag but DO
    DO = 1 << 3,
    RD = 1 << 4,
    CD = 1 << 5,
    FOUND = 1 << 6,       // has answers
    NEGATIVE = 1 << 7,    // no answers, but the SOA
    NO_QUESTION = 1 << 8, // the answer may come without it
    NSID = 1 << 9,
    COOKIE = 1 << 10,     // of client and server
    KEEPALIVE = 1 << 11,  // over TCP; not over UDP
    NO_OPTIONS = 1 << 12, // but extended errors (RFC 8914)
    SILENCE = 1 << 13,    // must not be answered
    UDP_ONLY = 1 << 14,
};

#define OPTION_NSID    "\x00\x03\x00\x00"
#define OPTION_UNKNOWN "\x00\x64\x00\x00"
#define OPTION_EXPIRE  "\x00\x09\x00\x00"
#define OPTION_SUBNET  "\x00\x08\x00\x07\x00\x01\x18\x00\xc6\x33\x64"
#define OPTION_COOKIE                                                                              \
    "\x00\x0a\x00\x08"                                                                             \
    "12345678"
#define OPTION_KEEPALIVE "\x00\x0b\x00\x00"
#define OPTION_PADDING   "\x00\x0c\x00\x04\x00\x00\x00\x00"

// id.server CH TXT as it stands in a message.
#define ID_SERVER                                                                                  \
    "\x02"                                                                                         \
    "id"                                                                                           \
    "\x06"                                                                                         \
    "server"                                                                                       \
    "\x00"                                                                                         \
    "\x00\x10\x00\x03"
// Header less the id: flags, and the four counts.
#define HEADER(questions, additional)                                                              \
    "\x00\x00"                                                                                     \
    "\x00" questions "\x00\x00"                                                                    \
    "\x00\x00"                                                                                     \
    "\x00" additional
#define PLAIN_OPT                                                                                  \
    "\x00"                                                                                         \
    "\x00\x29"                                                                                     \
    "\x04\xd0"                                                                                     \
    "\x00\x00\x00\x00"                                                                             \
    "\x00\x00"

#define APEX(...)                                                                                  \
    {                                                                                              \
        .name = ZONE, .type = DNS_SOA, __VA_ARGS__                                                 \
    }
#define EDNS_APEX(...)   APEX(.edns = true, __VA_ARGS__)
#define OPTIONS(literal) .options = LAB_BYTES(literal)

struct compliance {
    const char *title;
    struct lab_query query;
    struct lab_bytes raw; // instead: the whole message but its id
    unsigned wants;
    uint16_t rcode, other_rcode; // other_rcode: as good; 0: there is none
};

static const struct compliance table[] = {
    // What every resolver asks
    {"no EDNS", APEX(0), .wants = AA | FOUND},
    {"RD is copied, RA is never set", APEX(.flags = DNS_RD), .wants = AA | FOUND | RD},
    {"AD is cleared", APEX(.flags = DNS_AD), .wants = AA | FOUND},
    {"CD is copied (RFC 4035 section 3.1.6)", APEX(.flags = DNS_CD), .wants = AA | FOUND | CD},
    {"header's Z is ignored and cleared", APEX(.flags = 0x40), .wants = AA | FOUND},
    {"AA of a query means nothing", APEX(.flags = DNS_AA), .wants = AA | FOUND},
    {"a type nobody knows", {.name = ZONE, .type = 1000}, .wants = AA | NEGATIVE},
    {"a name that is not there",
     {.name = "nowhere." ZONE},
     .wants = AA | NEGATIVE,
     .rcode = DNS_NXDOMAIN},
    {"a name elsewhere", {.name = "example.org"}, .rcode = DNS_REFUSED},
    {"the root", {.name = ".", .type = DNS_NS}, .rcode = DNS_REFUSED},
    {"a class nobody uses", {.name = ZONE, .class = 4}, .rcode = DNS_REFUSED},
    {"class CH, the zone's name", {.name = ZONE, .class = DNS_CLASS_CH}, .rcode = DNS_REFUSED},
    {"class CH, id.server",
     {.name = "id.server", .type = DNS_TXT, .class = DNS_CLASS_CH},
     .wants = AA | FOUND},
    {"class CH, id.server in any case",
     {.name = "iD.sErVeR", .type = DNS_TXT, .class = DNS_CLASS_CH},
     .wants = AA | FOUND},
    {"DS at the apex", {.name = ZONE, .type = DNS_DS}, .wants = AA | NEGATIVE},
    {"DNSKEY of an unsigned zone", {.name = ZONE, .type = DNS_DNSKEY}, .wants = AA | NEGATIVE},
    {"ANY (RFC 8482)", {.name = ZONE, .type = DNS_ANY}, .wants = AA | FOUND},
    {"an octet string as a name",
     {.name = "\\000\\255\\.\\032." ZONE},
     .wants = AA | NEGATIVE,
     .rcode = DNS_NXDOMAIN},

    // EDNS(0), RFC 6891
    {"EDNS", EDNS_APEX(0), .wants = AA | FOUND | OPT | NO_OPTIONS},
    {"DO (RFC 3225: copied)", EDNS_APEX(.edns_flags = 0x8000), .wants = AA | FOUND | OPT | DO},
    {"unknown flags", EDNS_APEX(.edns_flags = 0x7fff), .wants = AA | FOUND | OPT},
    {"unknown option", EDNS_APEX(OPTIONS(OPTION_UNKNOWN)), .wants = AA | FOUND | OPT | NO_OPTIONS},
    {"version 1", EDNS_APEX(.edns_version = 1), .wants = OPT, .rcode = DNS_BADVERS},
    {"version 255", EDNS_APEX(.edns_version = 255), .wants = OPT, .rcode = DNS_BADVERS},
    {"version 1, unknown option", EDNS_APEX(.edns_version = 1, OPTIONS(OPTION_UNKNOWN)),
     .wants = OPT | NO_OPTIONS, .rcode = DNS_BADVERS},
    {"version 1, unknown flags", EDNS_APEX(.edns_version = 1, .edns_flags = 0x40), .wants = OPT,
     .rcode = DNS_BADVERS},
    {"a size of 1 is 512", EDNS_APEX(.edns_size = 1), .wants = AA | FOUND | OPT},
    {"EDNS, not there",
     {.name = "nowhere." ZONE, .edns = true},
     .wants = AA | NEGATIVE | OPT,
     .rcode = DNS_NXDOMAIN},
    {"EDNS, elsewhere", {.name = "example.org", .edns = true}, .wants = OPT, .rcode = DNS_REFUSED},
    {"EDNS, a type nobody knows",
     {.name = ZONE, .type = 1000, .edns = true},
     .wants = AA | NEGATIVE | OPT},

    // Options
    {"NSID (RFC 5001)", EDNS_APEX(OPTIONS(OPTION_NSID)), .wants = AA | FOUND | OPT | NSID},
    {"NSID of a refusal",
     {.name = "example.org", .edns = true, OPTIONS(OPTION_NSID)},
     .wants = OPT | NSID,
     .rcode = DNS_REFUSED},
    {"NSID is not sent unasked", EDNS_APEX(.edns_flags = 0x8000),
     .wants = AA | FOUND | OPT | DO | NO_OPTIONS},
    {"cookie of the client", EDNS_APEX(OPTIONS(OPTION_COOKIE)), .wants = AA | FOUND | OPT | COOKIE},
    {"cookie of a server elsewhere",
     EDNS_APEX(OPTIONS("\x00\x0a\x00\x18"
                       "12345678"
                       "another's cookie")),
     .wants = AA | FOUND | OPT | COOKIE},
    {"cookie of 32 + 8 bytes",
     EDNS_APEX(OPTIONS("\x00\x0a\x00\x28"
                       "12345678"
                       "0123456789abcdef0123456789abcdef")),
     .wants = AA | FOUND | OPT | COOKIE},
    {"cookie too short",
     EDNS_APEX(OPTIONS("\x00\x0a\x00\x07"
                       "1234567")),
     .wants = OPT, .rcode = DNS_FORMERR},
    {"cookie of a length between",
     EDNS_APEX(OPTIONS("\x00\x0a\x00\x0c"
                       "12345678"
                       "abcd")),
     .wants = OPT, .rcode = DNS_FORMERR},
    {"cookie too long",
     EDNS_APEX(OPTIONS("\x00\x0a\x00\x29"
                       "12345678"
                       "0123456789abcdef0123456789abcdef!")),
     .wants = OPT, .rcode = DNS_FORMERR},
    {"cookie and no question (RFC 7873 section 5.4)",
     {.edns = true, OPTIONS(OPTION_COOKIE)},
     .wants = OPT | COOKIE | NO_QUESTION},
    {"client subnet", EDNS_APEX(OPTIONS(OPTION_SUBNET)), .wants = AA | FOUND | OPT},
    {"client subnet of no family", EDNS_APEX(OPTIONS("\x00\x08\x00\x04\x00\x09\x00\x00")),
     .wants = OPT | AA, .rcode = DNS_FORMERR, .other_rcode = DNS_REFUSED},
    {"client subnet cut short", EDNS_APEX(OPTIONS("\x00\x08\x00\x03\x00\x01\x18")), .wants = OPT,
     .rcode = DNS_FORMERR},
    {"client subnet longer than an address",
     EDNS_APEX(OPTIONS("\x00\x08\x00\x09\x00\x01\x21\x00\xc6\x33\x64\x01\x01")), .wants = OPT,
     .rcode = DNS_FORMERR},
    {"expire", EDNS_APEX(OPTIONS(OPTION_EXPIRE)), .wants = AA | FOUND | OPT | NO_OPTIONS},
    {"padding", EDNS_APEX(OPTIONS(OPTION_PADDING)), .wants = AA | FOUND | OPT},
    {"keepalive (RFC 7828)", EDNS_APEX(OPTIONS(OPTION_KEEPALIVE)),
     .wants = AA | FOUND | OPT | KEEPALIVE},
    {"a list of options",
     EDNS_APEX(OPTIONS(OPTION_NSID OPTION_SUBNET OPTION_EXPIRE OPTION_COOKIE OPTION_UNKNOWN)),
     .wants = AA | FOUND | OPT | NSID | COOKIE},

    // Truncation
    {"too long without EDNS", {.name = "long." ZONE, .type = DNS_TXT}, .wants = AA | TC},
    {"too long for 512",
     {.name = "long." ZONE, .type = DNS_TXT, .edns = true, .edns_size = 512},
     .wants = AA | TC | OPT},
    {"too long for 100, which is 512",
     {.name = "medium." ZONE, .type = DNS_TXT, .edns = true, .edns_size = 100},
     .wants = AA | FOUND | OPT},
    {"too long for what the server sends",
     {.name = "long." ZONE, .type = DNS_TXT, .edns = true, .edns_size = 65535},
     .wants = AA | TC | OPT},

    // Opcodes
    {"IQUERY", APEX(.flags = 1 << 11), .rcode = DNS_NOTIMP, .wants = NO_QUESTION},
    {"STATUS", APEX(.flags = 2 << 11), .rcode = DNS_NOTIMP, .wants = NO_QUESTION},
    {"NOTIFY (RFC 1996)", APEX(.flags = 4 << 11), .rcode = DNS_NOTIMP, .other_rcode = DNS_REFUSED,
     .wants = NO_QUESTION},
    {"UPDATE (RFC 2136)", APEX(.flags = 5 << 11), .rcode = DNS_NOTIMP, .other_rcode = DNS_REFUSED,
     .wants = NO_QUESTION},
    {"opcode 15", APEX(.flags = 15 << 11), .rcode = DNS_NOTIMP, .wants = NO_QUESTION},
    {"opcode 15, header only", .raw = LAB_BYTES("\x78\x00\x00\x00\x00\x00\x00\x00\x00\x00"),
     .rcode = DNS_NOTIMP, .wants = NO_QUESTION},
    {"opcode 15, EDNS", EDNS_APEX(.flags = 15 << 11), .rcode = DNS_NOTIMP,
     .wants = OPT | NO_QUESTION},
    {"a transfer", {.name = ZONE, .type = 252}, .rcode = DNS_REFUSED, .other_rcode = DNS_NOTIMP},
    {"an incremental transfer",
     {.name = ZONE, .type = 251},
     .rcode = DNS_REFUSED,
     .other_rcode = DNS_NOTIMP},

    // Malformed
    {"header only", .raw = LAB_BYTES(HEADER("\x00", "\x00")), .rcode = DNS_FORMERR,
     .wants = NO_QUESTION},
    {"EDNS and no question", {.edns = true}, .rcode = DNS_FORMERR, .wants = OPT | NO_QUESTION},
    {"two questions", .raw = LAB_BYTES(HEADER("\x02", "\x00") ID_SERVER ID_SERVER),
     .rcode = DNS_FORMERR, .wants = NO_QUESTION},
    {"a question that is not there", .raw = LAB_BYTES(HEADER("\x01", "\x00")), .rcode = DNS_FORMERR,
     .wants = NO_QUESTION},
    {"a question cut short",
     .raw = LAB_BYTES(HEADER("\x01", "\x00") "\x02"
                                             "id"
                                             "\x06"
                                             "serv"),
     .rcode = DNS_FORMERR, .wants = NO_QUESTION},
    {"a question without its class",
     .raw = LAB_BYTES(HEADER("\x01", "\x00") "\x02"
                                             "id"
                                             "\x00"
                                             "\x00\x10"),
     .rcode = DNS_FORMERR, .wants = NO_QUESTION},
    {"bytes after the question", APEX(.tail = LAB_BYTES("more")), .rcode = DNS_FORMERR,
     .wants = NO_QUESTION},
    {"bytes after OPT", EDNS_APEX(.tail = LAB_BYTES("more")), .rcode = DNS_FORMERR,
     .wants = NO_QUESTION},
    {"a name that points at itself",
     .raw = LAB_BYTES(HEADER("\x01", "\x00") "\xc0\x0c"
                                             "\x00\x10\x00\x03"),
     .rcode = DNS_FORMERR, .wants = NO_QUESTION},
    {"a name that points ahead",
     .raw = LAB_BYTES(HEADER("\x01", "\x00") "\xc0\x20"
                                             "\x00\x10\x00\x03"),
     .rcode = DNS_FORMERR, .wants = NO_QUESTION},
    {"a name with a label of type 01",
     .raw = LAB_BYTES(HEADER("\x01", "\x00") "\x41"
                                             "a"
                                             "\x00"
                                             "\x00\x10\x00\x03"),
     .rcode = DNS_FORMERR, .wants = NO_QUESTION},
    {"a name with a label of type 10",
     .raw = LAB_BYTES(HEADER("\x01", "\x00") "\x81"
                                             "a"
                                             "\x00"
                                             "\x00\x10\x00\x03"),
     .rcode = DNS_FORMERR, .wants = NO_QUESTION},
    {"an OPT record cut short",
     .raw = LAB_BYTES(HEADER("\x01", "\x01") ID_SERVER "\x00"
                                                       "\x00\x29"
                                                       "\x04"),
     .rcode = DNS_FORMERR, .wants = NO_QUESTION},
    {"an OPT record that is not there", .raw = LAB_BYTES(HEADER("\x01", "\x01") ID_SERVER),
     .rcode = DNS_FORMERR, .wants = NO_QUESTION},
    {"two OPT records", .raw = LAB_BYTES(HEADER("\x01", "\x02") ID_SERVER PLAIN_OPT PLAIN_OPT),
     .rcode = DNS_FORMERR, .wants = NO_QUESTION},
    {"an OPT record that is not of the root",
     .raw = LAB_BYTES(HEADER("\x01", "\x01") ID_SERVER "\x01"
                                                       "a" PLAIN_OPT),
     .rcode = DNS_FORMERR, .wants = NO_QUESTION},
    {"an option longer than OPT",
     EDNS_APEX(OPTIONS("\x00\x64\x00\xff"
                       "short")),
     .rcode = DNS_FORMERR, .wants = NO_QUESTION},
    {"half an option's head", EDNS_APEX(OPTIONS("\x00\x64\x00")), .rcode = DNS_FORMERR,
     .wants = NO_QUESTION},

    // What must not be answered, lest two servers answer each other for ever
    {"a response", APEX(.flags = DNS_QR), .wants = SILENCE},
    {"a response with opcode 15", APEX(.flags = DNS_QR | 15 << 11), .wants = SILENCE},
    {"less than a header", .raw = LAB_BYTES("\x00\x00\x00\x01\x00\x00\x00\x00"),
     .wants = SILENCE | UDP_ONLY},
    {"one byte more than an id", .raw = LAB_BYTES("\x00"), .wants = SILENCE | UDP_ONLY},
};

// ---- Judging

static size_t wrongs;

struct heard {
    const struct compliance *row;
    const char *way;
    bool tcp;
    size_t length;
    struct lab_answer answer;
};

__attribute__((format(printf, 2, 3))) static void judge(const struct heard *heard,
                                                        const char *format, ...)
{
    static char text[LAB_ANSWER_TEXT_MAX];
    char wrong[256];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(wrong, sizeof wrong, format, arguments);
    va_end(arguments);
    print_error("%s, %s: %s. The answer, of %zu bytes:\n%s\n", heard->row->title, heard->way, wrong,
                heard->length, lab_answer_text(&heard->answer, text));
    wrongs++;
}

static void expect(const struct heard *heard, bool as_it_should, const char *what)
{
    if (!as_it_should) {
        judge(heard, "%s", what);
    }
}

static void judge_header(const struct heard *heard)
{
    const struct compliance *row = heard->row;
    uint16_t flags = heard->answer.header.flags;
    uint16_t asked =
        row->raw.at != NULL ? (uint16_t)(((const uint8_t *)row->raw.at)[0] << 8) : row->query.flags;

    if (heard->answer.rcode != row->rcode &&
        (row->other_rcode == 0 || heard->answer.rcode != row->other_rcode)) {
        judge(heard, "rcode %u, expected %u", heard->answer.rcode, row->rcode);
    }
    expect(heard, (flags & DNS_QR) != 0, "QR is clear");
    expect(heard, ((flags ^ asked) & DNS_OPCODE_MASK) == 0, "another opcode");
    expect(heard, (flags & DNS_RA) == 0, "RA is set");
    expect(heard, (flags & 0x40) == 0, "Z is set");
    expect(heard, (flags & DNS_AD) == 0, "AD is set");
    expect(heard, ((flags & DNS_RD) != 0) == ((row->wants & RD) != 0), "RD");
    expect(heard, ((flags & DNS_CD) != 0) == ((row->wants & CD) != 0), "CD");
    expect(heard, ((flags & DNS_TC) != 0) == ((row->wants & TC) != 0 && !heard->tcp), "TC");
    if (heard->answer.rcode == DNS_NOERROR || heard->answer.rcode == DNS_NXDOMAIN) {
        expect(heard, ((flags & DNS_AA) != 0) == ((row->wants & AA) != 0), "AA");
    }
}

static void judge_sections(const struct heard *heard)
{
    const struct lab_answer *answer = &heard->answer;
    unsigned wants = heard->row->wants;

    if (wants & FOUND || (wants & TC && heard->tcp)) {
        expect(heard, answer->counts[DNS_ANSWER] > 0, "nothing in the answer section");
    } else {
        expect(heard, answer->counts[DNS_ANSWER] == 0, "something in the answer section");
    }
    if (wants & NEGATIVE) {
        expect(heard, answer->counts[DNS_AUTHORITY] == 1 && answer->records[0].type == DNS_SOA,
               "not the SOA in the authority section (RFC 2308 section 3)");
    }
    expect(heard, answer->has_question || wants & NO_QUESTION, "no question");
}

static void judge_question(const struct heard *heard)
{
    const struct lab_query *asked = &heard->row->query;
    char name[DNS_NAME_TEXT_MAX];

    if (asked->name != NULL && heard->answer.has_question) {
        dns_name_text(&heard->answer.question.name, name);
        expect(heard,
               strncmp(name, asked->name, strlen(asked->name)) == 0 ||
                   strchr(asked->name, '\\') != NULL,
               "the question's case was not kept");
        expect(heard, heard->answer.question.type == (asked->type != 0 ? asked->type : DNS_A),
               "another type in the question");
    }
}

static void judge_option(const struct heard *heard, unsigned bit, uint16_t code, uint16_t length)
{
    const struct dns_option *option = lab_answer_option(&heard->answer, code);

    if (heard->row->wants & bit) {
        expect(heard, option != NULL, "an option is missing");
        if (option != NULL && option->length != length) {
            judge(heard, "option %u has %u bytes, expected %u", code, option->length, length);
        }
    } else {
        expect(heard, option == NULL, "an option that nobody asked for");
    }
}

static void judge_edns(const struct heard *heard)
{
    const struct lab_answer *answer = &heard->answer;
    unsigned wants = heard->row->wants;

    // A malformed query may be answered without OPT, when it can't be told whether it had one.
    if (wants & OPT || heard->row->rcode != DNS_FORMERR) {
        expect(heard, answer->has_edns == ((wants & OPT) != 0), "OPT");
    }
    if (!(wants & OPT)) {
        return;
    }
    expect(heard, answer->edns.version == 0, "the version is not 0");
    expect(heard, answer->edns.dnssec_ok == ((wants & DO) != 0), "DO");
    expect(heard, answer->edns.udp_size >= SHORT_UDP, "the OPT record says less than 512 bytes");
    judge_option(heard, NSID, DNS_OPTION_NSID, (uint16_t)strlen("pop"));
    judge_option(heard, COOKIE, DNS_OPTION_COOKIE, 24);
    judge_option(heard, heard->tcp ? KEEPALIVE : 0, 11, 2);
    if (wants & NO_OPTIONS) {
        for (size_t i = 0; i < answer->option_count; i++) {
            expect(heard, answer->options[i].code == DNS_OPTION_ERROR, "an option came back");
        }
    }
}

static void judge_size(const struct heard *heard)
{
    const struct lab_query *asked = &heard->row->query;
    size_t own = !asked->edns                   ? SHORT_UDP
                 : asked->edns_size == 0        ? UDP_SIZE
                 : asked->edns_size < SHORT_UDP ? SHORT_UDP
                 : asked->edns_size < UDP_SIZE  ? asked->edns_size
                                                : UDP_SIZE;

    expect(heard, heard->tcp || heard->length <= own, "larger than asked for");
}

// ---- Asking

static size_t write_row(const struct compliance *row, uint16_t id, uint8_t out[LAB_QUERY_MAX])
{
    if (row->raw.at == NULL) {
        return lab_query_write(&row->query, id, out);
    }
    out[0] = (uint8_t)(id >> 8);
    out[1] = (uint8_t)id;
    memcpy(out + 2, row->raw.at, row->raw.length);
    return 2 + row->raw.length;
}

// What comes first after it is the answer to a query of the usual kind: nothing else was said.
static void expect_silence(const struct heard *heard, const struct lab_server *server)
{
    static uint8_t message[DNS_MESSAGE_MAX];
    static const struct lab_query usual = {.name = ZONE, .type = DNS_SOA};
    struct lab_client client = lab_client_open(server);
    uint8_t query[LAB_QUERY_MAX];
    size_t length = write_row(heard->row, 1, query);

    assert_true(lab_client_send(&client, query, length));
    length = lab_query_write(&usual, 2, query);
    (void)lab_client_send(&client, query, length);
    length = lab_client_receive(&client, LAB_DNS_MS, message);
    // Over TCP closing the connection is fine.
    if (!(heard->tcp && length == 0) && !(length > 2 && message[0] == 0 && message[1] == 2)) {
        lab_fail("%s, %s: must not be answered, but was", heard->row->title, heard->way);
    }
    lab_client_close(&client);
}

static void ask_row(const struct compliance *row, const struct lab_server *server, const char *way)
{
    static struct heard heard;
    static uint8_t message[DNS_MESSAGE_MAX];
    uint8_t query[LAB_QUERY_MAX];

    heard.row = row;
    heard.way = way;
    heard.tcp = server->tcp;
    if (row->wants & SILENCE) {
        expect_silence(&heard, server);
        return;
    }
    size_t length = write_row(row, 0xabcd, query);
    heard.length = lab_exchange(server, query, length, message);
    if (heard.length == 0) {
        lab_fail("%s, %s: no answer", row->title, way);
    }
    const char *wrong = lab_answer_read(message, heard.length, &heard.answer);
    if (wrong != NULL) {
        judge(&heard, "the answer has %s", wrong);
        return;
    }
    expect(&heard, heard.answer.header.id == 0xabcd, "another id");
    judge_header(&heard);
    judge_sections(&heard);
    judge_question(&heard);
    judge_edns(&heard);
    judge_size(&heard);
}

#define FORTY "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define LONG  "\"" FORTY FORTY FORTY FORTY "\"\n    "

LAB_TEST(every_query_gets_what_the_rfcs_say)
{
    struct answering answering = answering_make();

    answering_run(&answering, ANSWERING_RESPONDER
                  "[answer medium." ZONE "]\ntxt = " LONG LONG "\"end\"\n"
                  "[answer long." ZONE "]\ntxt = " LONG LONG LONG LONG LONG LONG LONG LONG
                  "\"end\"\n" ANSWERING_SERVICE);
    for (enum answering_way way = 0; way < ANSWERING_WAYS; way++) {
        for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
            if (!answering.ways[way].tcp || !(table[i].wants & UDP_ONLY)) {
                ask_row(&table[i], &answering.ways[way], answering_ways[way]);
            }
        }
    }
    assert_int_equal(wrongs, 0);
}
