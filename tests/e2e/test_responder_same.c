// The same zone in the responder, in Knot DNS and in NSD: thousands of random and odd queries must
// get the same answer from all of them. Where they don't, a rule below says why both are right, or
// why ours is; a rule that explains nothing fails the test as well.
#include "tests/lab/answering.h"
#include "tests/lab/service.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ZONE    ANSWERING_ZONE
#define QUERIES 4000
#define SEED    UINT64_C(20261121)

#define KNOT_V4 "10.0.8.1"
#define NSD_V4  "10.0.9.1"

// ---- The zone, twice

#define FORTY "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define LONG  "\"" FORTY FORTY FORTY FORTY "\""

// A name's records as lines of a section and of a zone file: the type in lower case, the rdata.
struct record {
    const char *name, *type, *rdata;
};

static const struct record records[] = {
    {"api", "a", "192.0.2.10"},
    {"api", "a", "192.0.2.11"},
    {"api", "aaaa", "2001:db8::10"},
    {"front", "cname", "api." ZONE "."},
    {"first", "cname", "front." ZONE "."},
    {"away", "cname", "www.example.org."},
    {"dangling", "cname", "nothing." ZONE "."},
    {"to-wild", "cname", "some.wild." ZONE "."},
    {"to-empty", "cname", "below." ZONE "."},
    {"to-apex", "cname", ZONE "."},
    {"*.wild", "a", "192.0.2.99"},
    {"*.wild", "txt", "\"wild\""},
    {"*.wild", "mx", "10 api." ZONE "."},
    {"host.wild", "txt", "\"not wild\""},
    {"deep.host2.wild", "a", "192.0.2.97"},
    {"*.alias", "cname", "front." ZONE "."},
    {"deep.er.below", "a", "192.0.2.98"},
    {"mail", "mx", "10 api." ZONE "."},
    {"mail", "mx", "20 mx.example.org."},
    {"mail", "mx", "30 first." ZONE "."},
    {"mail", "txt", "\"v=spf1; -all\""},
    {"mail", "txt", "\"a\" \"b\""},
    {"mail", "srv", "1 2 443 api." ZONE "."},
    {"mail", "caa", "0 issue \"ca.example.net\""},
    {"mail", "https", "1 . alpn=h2"},
    {"mail", "svcb", "1 api." ZONE ". port=853"},
    {"medium", "txt", LONG},
    {"medium", "txt", "\"1\" " LONG},
    {"medium", "txt", "\"2\" " LONG},
    {"long", "txt", "\"1\" " LONG},
    {"long", "txt", "\"2\" " LONG},
    {"long", "txt", "\"3\" " LONG},
    {"long", "txt", "\"4\" " LONG},
    {"long", "txt", "\"5\" " LONG},
    {"long", "txt", "\"6\" " LONG},
    {"long", "txt", "\"7\" " LONG},
    {"long", "txt", "\"8\" " LONG},
};
#define RECORDS (sizeof records / sizeof *records)

static void write_sections(char out[LAB_CONFIG_MAX])
{
    size_t used = 0;

    used += (size_t)snprintf(out, LAB_CONFIG_MAX,
                             ANSWERING_RESPONDER "ns = ns1." ZONE " ns2.example.org\n");
    for (size_t i = 0; i < RECORDS; i++) {
        bool more = i > 0 && strcmp(records[i].name, records[i - 1].name) == 0;

        if (!more) {
            used += (size_t)snprintf(out + used, LAB_CONFIG_MAX - used, "[answer %s." ZONE "]\n",
                                     records[i].name);
        }
        used += (size_t)snprintf(out + used, LAB_CONFIG_MAX - used, "%s = %s\n", records[i].type,
                                 records[i].rdata);
    }
    used += (size_t)snprintf(out + used, LAB_CONFIG_MAX - used, "%s", ANSWERING_SERVICE);
    assert_true(used < LAB_CONFIG_MAX);
}

// With the responder's own SOA.
static void write_zone(const struct lab_server *responder, char out[LAB_CONFIG_MAX])
{
    size_t used = (size_t)snprintf(out, LAB_CONFIG_MAX,
                                   "$ORIGIN " ZONE ".\n$TTL 30\n@ 3600 SOA %s\n"
                                   "@ 3600 NS ns1\n@ 3600 NS ns2.example.org.\n"
                                   "ns1 3600 A " ANSWERING_V4 "\nns1 3600 AAAA " ANSWERING_V6 "\n"
                                   "id 0 TXT pop\nregion 0 TXT eu-central\n",
                                   lab_ask_text(responder, ZONE, DNS_SOA));

    for (size_t i = 0; i < RECORDS; i++) {
        used += (size_t)snprintf(out + used, LAB_CONFIG_MAX - used, "%s %s %s\n", records[i].name,
                                 records[i].type, records[i].rdata);
    }
    assert_true(used < LAB_CONFIG_MAX);
}

// ---- The queries

struct asked {
    struct lab_query query;
    char name[256];
    bool tcp;
};

// xorshift64*
static uint64_t next_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return (*state * UINT64_C(2685821657736338717)) >> 16;
}

#define PICK(state, list) ((list)[next_random(state) % (sizeof(list) / sizeof *(list))])

static void random_name(uint64_t *state, char out[256])
{
    // whoami., health. and web. differ from one moment and client to the next: not here.
    static const char *const within[] = {
        "",
        "",
        "ns1.",
        "ns2.",
        "id.",
        "region.",
        "api.",
        "front.",
        "first.",
        "away.",
        "dangling.",
        "to-wild.",
        "to-empty.",
        "to-apex.",
        "wild.",
        "some.wild.",
        "*.wild.",
        "host.wild.",
        "under.host.wild.",
        "deep.host2.wild.",
        "host2.wild.",
        "x.host2.wild.",
        "one.two.three.wild.",
        "alias.",
        "some.alias.",
        "*.alias.",
        "below.",
        "er.below.",
        "deep.er.below.",
        "other.er.below.",
        "x.below.",
        "mail.",
        "medium.",
        "long.",
        "nothing.",
        "under.nothing.",
        "under.api.",
        "under.away.",
        "under.front.",
        "*.",
        "\\000.",
        "a\\.b.",
        "\\255\\254.",
        "xn--bcher-kva.",
        "_tcp.",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa."};
    static const char *const outside[] = {".",
                                          "net.",
                                          "example.net.",
                                          "example.org.",
                                          "www.example.org.",
                                          "pop.example.com.",
                                          "xpop.example.net.",
                                          "pop.example.net.org.",
                                          "other.example.net."};

    if (next_random(state) % 16 == 0) {
        snprintf(out, 256, "%s", PICK(state, outside));
    } else {
        snprintf(out, 256, "%s" ZONE ".", PICK(state, within));
    }
    for (char *at = out; *at != '\0' && next_random(state) % 64 != 0; at++) {
        if (*at != '\\' && (at == out || at[-1] != '\\')) {
            *at = (char)(next_random(state) % 2 ? toupper(*at) : tolower(*at));
        }
    }
}

static void random_query(uint64_t *state, struct asked *out)
{
    static const uint16_t types[] = {
        DNS_A,         DNS_A,          DNS_A,          DNS_AAAA, DNS_AAAA,
        DNS_TXT,       DNS_TXT,        DNS_MX,         DNS_SRV,  DNS_CAA,
        DNS_HTTPS,     DNS_SVCB,       DNS_NS,         DNS_SOA,  DNS_CNAME,
        DNS_PTR,       DNS_DS,         DNS_DNSKEY,     DNS_ANY,  46 /* RRSIG */,
        47 /* NSEC */, 39 /* DNAME */, 13 /* HINFO */, 1000,     65534};
    static const uint16_t sizes[] = {0, 0, 1, 512, 513, 700, 1232, 4096, 65535};

    memset(out, 0, sizeof *out);
    random_name(state, out->name);
    out->query.name = out->name;
    out->query.type = PICK(state, types);
    out->query.class = next_random(state) % 32 == 0 ? 4 : DNS_CLASS_IN;
    out->query.flags = (uint16_t)(next_random(state) & (DNS_RD | DNS_CD | DNS_AD));
    out->query.edns = next_random(state) % 4 != 0;
    out->query.edns_size = PICK(state, sizes);
    out->query.edns_flags = next_random(state) % 8 == 0 ? 0x8000 : 0;
    out->query.edns_version = next_random(state) % 64 == 0;
    out->query.tsig = next_random(state) % 32 == 0;
    out->tcp = next_random(state) % 8 == 0;
}

// ---- The comparison

enum part {
    RCODE = 1 << 0,
    FLAGS = 1 << 1,
    TRUNCATED = 1 << 2,
    ANSWERS = 1 << 3,
    AUTHORITY = 1 << 4,
    ADDITIONAL = 1 << 5,
    EDNS = 1 << 6,
    CD = 1 << 7,
    ALL = (1 << 8) - 1,
};

struct reply {
    struct lab_answer answer;
    uint8_t message[DNS_MESSAGE_MAX];
    size_t length;
};

static struct reply ours, theirs;

static void hear(const struct lab_server *server, const struct asked *asked, struct reply *out)
{
    struct lab_server way = *server;
    uint8_t query[LAB_QUERY_MAX];
    size_t length = lab_query_write(&asked->query, 77, query);

    way.tcp = asked->tcp;
    out->length = lab_exchange(&way, query, length, out->message);
    const char *wrong = out->length == 0 ? "nothing in it"
                                         : lab_answer_read(out->message, out->length, &out->answer);
    if (wrong != NULL) {
        lab_fail("%s, asked for %s, type %u: the answer has %s", server->address, asked->name,
                 asked->query.type, wrong);
    }
}

static bool same_section(enum dns_section section)
{
    const struct lab_answer *a = &ours.answer, *b = &theirs.answer;
    size_t i = 0, j = 0;

    if (a->counts[section] != b->counts[section]) {
        return false;
    }
    while (i < a->record_count && a->records[i].section < section) {
        i++;
    }
    while (j < b->record_count && b->records[j].section < section) {
        j++;
    }
    for (size_t n = 0; n < a->counts[section]; n++) {
        if (strcasecmp(a->records[i + n].text, b->records[j + n].text) != 0) {
            return false;
        }
    }
    return true;
}

// What differs.
static unsigned compare(void)
{
    const struct lab_answer *a = &ours.answer, *b = &theirs.answer;
    uint16_t flags = a->header.flags ^ b->header.flags;

    return (a->rcode != b->rcode ? RCODE : 0U) |
           (flags & (DNS_QR | DNS_AA | DNS_RD | DNS_RA | DNS_AD) ? FLAGS : 0U) |
           (flags & DNS_CD ? CD : 0U) | (flags & DNS_TC ? TRUNCATED : 0U) |
           (same_section(DNS_ANSWER) ? 0U : ANSWERS) |
           (same_section(DNS_AUTHORITY) ? 0U : AUTHORITY) |
           (same_section(DNS_ADDITIONAL) ? 0U : ADDITIONAL) |
           (a->has_edns != b->has_edns ? EDNS : 0U);
}

// ---- The rules

enum { KNOT = 1, NSD = 2 };

struct rule {
    const char *why;
    unsigned servers; // that it speaks of
    unsigned parts;   // that may differ then
    bool (*holds)(const struct asked *asked);
};

static bool asks_with_cd(const struct asked *asked)
{
    return asked->query.flags & DNS_CD;
}

static bool has_tiny_size(const struct asked *asked)
{
    return asked->query.edns && asked->query.edns_size == 1;
}

static bool asks_for_signatures(const struct asked *asked)
{
    return asked->query.type == 46 || asked->query.type == 47;
}

static bool asks_for_any(const struct asked *asked)
{
    return asked->query.type == DNS_ANY;
}

static bool has_additional(const struct asked *asked)
{
    (void)asked;
    return ours.answer.counts[DNS_ADDITIONAL] > 0 && theirs.answer.counts[DNS_ADDITIONAL] == 0;
}

static bool signs_for_another_zone(const struct asked *asked)
{
    return asked->query.tsig && theirs.answer.rcode == DNS_REFUSED;
}

static bool signs_in_a_version_to_come(const struct asked *asked)
{
    return asked->query.tsig && asked->query.edns_version > 0;
}

static const struct rule rules[] = {
    {"a signature comes before anything else: RFC 8945 section 5.2; to Knot another's zone does",
     KNOT, RCODE | ADDITIONAL, signs_for_another_zone},
    {"what a version of EDNS to come means is not known, so is what is signed; NSD looks first",
     NSD, RCODE | ADDITIONAL, signs_in_a_version_to_come},
    {"CD is copied: RFC 4035 section 3.1.6", KNOT | NSD, CD, asks_with_cd},
    {"a size below 512 is 512: RFC 6891 section 6.2.3; Knot calls it a format error", KNOT, ALL,
     has_tiny_size},
    {"RRSIG and NSEC may stand beside a CNAME, so Knot follows none; ours never has any", KNOT,
     RCODE | ANSWERS | AUTHORITY, asks_for_signatures},
    {"ANY gets one RRset of the name: RFC 8482; others choose another, or all", KNOT | NSD,
     TRUNCATED | ANSWERS | ADDITIONAL, asks_for_any},
    {"addresses of names in the answer; NSD is told to answer minimally", NSD, ADDITIONAL,
     has_additional},
    {NULL, 0, 0, NULL},
};

static void tell(const struct asked *asked, const char *server, unsigned parts)
{
    static char text[LAB_ANSWER_TEXT_MAX];

    print_error(
        "%s differs in%s%s%s%s%s%s%s%s: %s, type %u, class %u%s%s, size %u, version %u, %s\n",
        server, parts & RCODE ? " rcode" : "", parts & FLAGS ? " flags" : "",
        parts & TRUNCATED ? " TC" : "", parts & ANSWERS ? " answers" : "",
        parts & AUTHORITY ? " authority" : "", parts & ADDITIONAL ? " additional" : "",
        parts & EDNS ? " EDNS" : "", parts & CD ? " CD" : "", asked->name, asked->query.type,
        asked->query.class, asked->query.edns ? ", EDNS" : "", asked->query.tsig ? ", TSIG" : "",
        asked->query.edns_size, asked->query.edns_version, asked->tcp ? "TCP" : "UDP");
    print_error("ours: %zu bytes, %s\n", ours.length, lab_answer_text(&ours.answer, text));
    print_error("theirs: %zu bytes, %s\n", theirs.length, lab_answer_text(&theirs.answer, text));
}

static size_t used[sizeof rules / sizeof *rules];

static bool is_explained(const struct asked *asked, unsigned server, unsigned parts)
{
    for (size_t i = 0; rules[i].why != NULL; i++) {
        if (rules[i].servers & server && rules[i].holds(asked)) {
            used[i] += (parts & rules[i].parts) != 0;
            parts &= ~rules[i].parts;
        }
    }
    return parts == 0;
}

static struct lab_node *neighbour(const struct answering *answering, const char *name,
                                  const char *address, const char *own)
{
    char there[64], here[64];
    struct lab_node *node = lab_node(name);

    snprintf(there, sizeof there, "%s/24", address);
    snprintf(here, sizeof here, "%s/24", own);
    lab_link(node, there, answering->pop.upstream, here);
    return node;
}

static size_t ask_all(const struct lab_server *responder, const struct lab_server *other,
                      const char *name, unsigned server)
{
    uint64_t state = SEED;
    size_t unexplained = 0;

    for (size_t i = 0; i < QUERIES && unexplained < 10; i++) {
        struct asked asked;

        random_query(&state, &asked);
        hear(responder, &asked, &ours);
        hear(other, &asked, &theirs);
        unsigned parts = compare();
        if (parts != 0 && !is_explained(&asked, server, parts)) {
            tell(&asked, name, parts);
            unexplained++;
        }
    }
    return unexplained;
}

LAB_TEST(the_same_zone_is_answered_the_same_elsewhere)
{
    struct answering answering = answering_make();
    const struct lab_server *responder = &answering.ways[WAY_UDP4];
    char sections[LAB_CONFIG_MAX], zone[LAB_CONFIG_MAX];

    write_sections(sections);
    answering_run(&answering, sections);
    write_zone(responder, zone);
    struct lab_authority authority = {.listen = KNOT_V4, .zone = ZONE, .file = zone};
    lab_knot_start(neighbour(&answering, "knot", KNOT_V4, "10.0.8.2"), &authority);
    authority.listen = NSD_V4;
    lab_nsd_start(neighbour(&answering, "nsd", NSD_V4, "10.0.9.2"), &authority);
    struct lab_server knot = {.from = answering.pop.upstream, .address = KNOT_V4};
    struct lab_server nsd = {.from = answering.pop.upstream, .address = NSD_V4};
    size_t unexplained = ask_all(responder, &knot, "Knot", KNOT);
    unexplained += ask_all(responder, &nsd, "NSD", NSD);
    assert_int_equal(unexplained, 0);
    for (size_t i = 0; rules[i].why != NULL; i++) {
        print_message("%zu: %s\n", used[i], rules[i].why);
        assert_true(used[i] > 0);
    }
}
