// A zone with something of everything, queries to it, and what the responses to them say, as text.
#pragma once

#include "dns/rdata.h"
#include "dns/responder/publish.h"
#include "dns/responder/respond.h"
#include "dns/text.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NO_SERVICE    SIZE_MAX
#define TOLD_RECORDS  8
#define TOLD_MAX      24
#define RESPONSE_TEXT 8192

// An answer as a test says it.
struct told {
    const char *name; // absolute
    size_t service;
    uint32_t ttl_s;
    struct {
        enum dns_state state;
        uint16_t type;
        const char *text;
    } records[TOLD_RECORDS];
};

static inline void fixture_must(bool promise, const char *what)
{
    if (!promise) {
        fprintf(stderr, "the fixture is wrong: %s\n", what);
        abort();
    }
}

static inline struct dns_name fixture_name(const char *text)
{
    struct dns_name name;
    const char *problem = dns_name_parse(text, &name);
    fixture_must(problem == NULL, problem);
    return name;
}

// conf's answers, made of told; freed by fixture_drop().
static inline void fixture_answers(struct zone_conf *conf, const struct told *told, size_t count)
{
    struct dns_answer_conf *answers = calloc(count + 1, sizeof *answers);
    fixture_must(answers != NULL, "memory");
    for (size_t i = 0; i < count; i++) {
        struct dns_record_conf *records = calloc(TOLD_RECORDS, sizeof *records);
        fixture_must(records != NULL, "memory");
        answers[i] = (struct dns_answer_conf){.name = fixture_name(told[i].name),
                                              .ttl_s = told[i].ttl_s,
                                              .service = told[i].service,
                                              .records = records};
        for (size_t j = 0; j < TOLD_RECORDS && told[i].records[j].text != NULL; j++) {
            uint8_t *rdata = malloc(DNS_RDATA_MAX);
            size_t length;
            fixture_must(rdata != NULL, "memory");
            const char *problem =
                dns_rdata_parse(told[i].records[j].type, told[i].records[j].text, rdata, &length);
            fixture_must(problem == NULL, problem);
            records[j] = (struct dns_record_conf){.state = told[i].records[j].state,
                                                  .type = told[i].records[j].type,
                                                  .length = (uint16_t)length,
                                                  .rdata = rdata};
            answers[i].record_count = j + 1;
        }
    }
    conf->answers = answers;
    conf->answer_count = count;
}

static inline void fixture_drop(struct zone_conf *conf)
{
    for (size_t i = 0; i < conf->answer_count; i++) {
        for (size_t j = 0; j < conf->answers[i].record_count; j++) {
            free((void *)conf->answers[i].records[j].rdata);
        }
        free((void *)conf->answers[i].records);
    }
    free((void *)conf->answers);
    conf->answers = NULL;
    conf->answer_count = 0;
}

// A state's addresses end in its number, so that a mix of two states shows.
static const struct told rich_answers[] = {
    {"api.pop.example.net",
     0,
     30,
     {{DNS_STATE_NORMAL, DNS_A, "192.0.2.10"},
      {DNS_STATE_NORMAL, DNS_A, "192.0.2.20"},
      {DNS_STATE_NORMAL, DNS_A, "192.0.2.30"},
      {DNS_STATE_NORMAL, DNS_AAAA, "2001:db8::10"},
      {DNS_STATE_NORMAL, DNS_TXT, "normal"},
      {DNS_STATE_DEGRADED, DNS_A, "192.0.2.11"},
      {DNS_STATE_DRAINED, DNS_A, "192.0.2.12"},
      {DNS_STATE_DRAINED, DNS_TXT, "drained"}}},
    {"moving.pop.example.net",
     1,
     30,
     {{DNS_STATE_NORMAL, DNS_A, "192.0.2.40"},
      {DNS_STATE_NORMAL, DNS_MX, "10 mail.pop.example.net"},
      {DNS_STATE_WITHDRAWN, DNS_CNAME, "Elsewhere.example.ORG"}}},
    {"only-drained.pop.example.net", 0, 30, {{DNS_STATE_DRAINED, DNS_A, "192.0.2.52"}}},
    {"pop.example.net",
     NO_SERVICE,
     300,
     {{DNS_STATE_NORMAL, DNS_A, "192.0.2.1"},
      {DNS_STATE_NORMAL, DNS_MX, "5 mail.pop.example.net"},
      {DNS_STATE_NORMAL, DNS_CAA, "0 issue \"ca.example.org; a=b\""}}},
    {"mail.pop.example.net",
     NO_SERVICE,
     300,
     {{DNS_STATE_NORMAL, DNS_A, "192.0.2.25"}, {DNS_STATE_NORMAL, DNS_AAAA, "2001:db8::25"}}},
    {"alias.pop.example.net",
     NO_SERVICE,
     60,
     {{DNS_STATE_NORMAL, DNS_CNAME, "Api.Pop.Example.Net"}}},
    {"alias2.pop.example.net",
     NO_SERVICE,
     60,
     {{DNS_STATE_NORMAL, DNS_CNAME, "alias.pop.example.net"}}},
    {"away.pop.example.net", NO_SERVICE, 60, {{DNS_STATE_NORMAL, DNS_CNAME, "www.example.org"}}},
    {"nowhere.pop.example.net",
     NO_SERVICE,
     60,
     {{DNS_STATE_NORMAL, DNS_CNAME, "missing.pop.example.net"}}},
    {"to-whoami.pop.example.net",
     NO_SERVICE,
     60,
     {{DNS_STATE_NORMAL, DNS_CNAME, "whoami.pop.example.net"}}},
    {"loop1.pop.example.net",
     NO_SERVICE,
     60,
     {{DNS_STATE_NORMAL, DNS_CNAME, "loop2.pop.example.net"}}},
    {"loop2.pop.example.net",
     NO_SERVICE,
     60,
     {{DNS_STATE_NORMAL, DNS_CNAME, "loop1.pop.example.net"}}},
    {"_sip._udp.deep.pop.example.net",
     NO_SERVICE,
     60,
     {{DNS_STATE_NORMAL, DNS_SRV, "1 2 5060 mail.pop.example.net"},
      {DNS_STATE_NORMAL, DNS_SRV, "1 2 5061 mail.pop.example.net"},
      {DNS_STATE_NORMAL, DNS_SRV, "1 2 5062 sip.example.org"}}},
    {"*.wild.pop.example.net",
     1,
     60,
     {{DNS_STATE_NORMAL, DNS_A, "192.0.2.60"}, {DNS_STATE_NORMAL, DNS_TXT, "wild"}}},
    {"*.wildalias.pop.example.net",
     NO_SERVICE,
     60,
     {{DNS_STATE_NORMAL, DNS_CNAME, "any.wild.pop.example.net"}}},
    {"*.selfish.pop.example.net",
     NO_SERVICE,
     60,
     {{DNS_STATE_NORMAL, DNS_CNAME, "x.selfish.pop.example.net"}}},
    {"host.wild.pop.example.net", NO_SERVICE, 60, {{DNS_STATE_NORMAL, DNS_TXT, "host"}}},
    {"svc.pop.example.net",
     0,
     60,
     {{DNS_STATE_NORMAL, DNS_HTTPS, "1 mail.pop.example.net alpn=h2,h3"},
      {DNS_STATE_NORMAL, DNS_SVCB, "0 svc.example.org"},
      {DNS_STATE_NORMAL, DNS_PTR, "\\# 22 046d61696c 03706f70 076578616d706c65 036e6574 00"}}},
    {"big.pop.example.net",
     NO_SERVICE,
     60,
     {{DNS_STATE_NORMAL, 65280,
       "\\# 300 "
       "000000000000000000000000000000000000000000000000000000000000"
       "000000000000000000000000000000000000000000000000000000000000"
       "000000000000000000000000000000000000000000000000000000000000"
       "000000000000000000000000000000000000000000000000000000000000"
       "000000000000000000000000000000000000000000000000000000000000"
       "000000000000000000000000000000000000000000000000000000000000"
       "000000000000000000000000000000000000000000000000000000000000"
       "000000000000000000000000000000000000000000000000000000000000"
       "000000000000000000000000000000000000000000000000000000000000"
       "000000000000000000000000000000000000000000000000000000000000"}}},
    {"many.pop.example.net",
     NO_SERVICE,
     60,
     {{DNS_STATE_NORMAL, DNS_MX, "1 a-rather-long-name-for-one-mail-server.pop.example.net"},
      {DNS_STATE_NORMAL, DNS_MX, "2 b-rather-long-name-for-one-mail-server.pop.example.net"},
      {DNS_STATE_NORMAL, DNS_MX, "3 c-rather-long-name-for-one-mail-server.pop.example.net"},
      {DNS_STATE_NORMAL, DNS_MX,
       "4 d-rather-long-name-for-one-mail-server-that-is-none-of-ours.example.org"},
      {DNS_STATE_NORMAL, DNS_MX,
       "5 e-rather-long-name-for-one-mail-server-that-is-none-of-ours.example.org"},
      {DNS_STATE_NORMAL, DNS_MX,
       "6 f-rather-long-name-for-one-mail-server-that-is-none-of-ours.example.org"},
      {DNS_STATE_NORMAL, DNS_MX,
       "7 g-rather-long-name-for-one-mail-server-that-is-none-of-ours.example.org"}}},
};
#define RICH_ANSWERS (sizeof rich_answers / sizeof *rich_answers)

static inline struct dns_snapshot *fixture_snapshot(struct zone *zone, size_t services)
{
    static const uint8_t secret[COOKIE_SECRET_SIZE] = {0xe5, 0xe9, 0x73, 0xe5, 0xa6, 0xb2,
                                                       0xa4, 0x3f, 0x48, 0xe7, 0xdc, 0x84,
                                                       0x9e, 0x37, 0xbf, 0xcf};
    struct dns_snapshot *snapshot = dns_snapshot_new(zone, services);
    fixture_must(snapshot != NULL, "memory");
    snapshot->udp_size = 1232;
    snapshot->nsid_length = 4;
    memcpy(snapshot->nsid, "fra1", 4);
    snapshot->cookies.count = 1;
    memcpy(snapshot->cookies.bytes[0], secret, sizeof secret);
    snapshot->counts[2] = 1;
    snapshot->counts[0] = 1;
    for (size_t i = 0; i < services; i++) {
        static const char text[] = "\017target=announce\032since=2026-11-21T03:20:51Z";
        snapshot->services[i].text_length = sizeof text - 1;
        memcpy(snapshot->services[i].text, text, sizeof text - 1);
    }
    return snapshot;
}

// The zone pop.example.net with rich_answers, and services dns (0) and web (1), both normal.
static inline struct dns_snapshot *rich_snapshot(void)
{
    static const char *const services[] = {"dns", "web"};
    struct dns_name apex = fixture_name("Pop.example.net");
    struct dns_name servers[] = {fixture_name("ns1.pop.example.net"),
                                 fixture_name("ns2.example.org")};
    struct sockaddr_storage addresses[2] = {{.ss_family = AF_INET}, {.ss_family = AF_INET6}};
    inet_pton(AF_INET, "192.0.2.53", &((struct sockaddr_in *)&addresses[0])->sin_addr);
    inet_pton(AF_INET6, "2001:db8::53", &((struct sockaddr_in6 *)&addresses[1])->sin6_addr);
    struct zone_conf conf = {.id = "fra1",
                             .region = "eu-central",
                             .version = "popgate 1",
                             .apex = &apex,
                             .servers = servers,
                             .server_count = 2,
                             .hostmaster = fixture_name("hostmaster.pop.example.net"),
                             .serial = 7,
                             .ttl_s = 3600,
                             .negative_ttl_s = 60,
                             .addresses = addresses,
                             .address_count = 2,
                             .services = services,
                             .service_count = 2};
    fixture_answers(&conf, rich_answers, RICH_ANSWERS);
    struct zone *zone = zone_new(&conf);
    fixture_must(zone != NULL, "memory");
    struct dns_snapshot *snapshot = fixture_snapshot(zone, 2);
    zone_free(zone); // the snapshot has its share
    fixture_drop(&conf);
    return snapshot;
}

// ---- What a response says

struct said {
    char text[RESPONSE_TEXT];
    size_t length;
};

__attribute__((format(printf, 2, 3))) static inline void say(struct said *said, const char *format,
                                                             ...)
{
    va_list arguments;
    va_start(arguments, format);
    int wanted =
        vsnprintf(said->text + said->length, sizeof said->text - said->length, format, arguments);
    va_end(arguments);
    fixture_must(wanted >= 0 && (size_t)wanted < sizeof said->text - said->length, "room for text");
    said->length += (size_t)wanted;
}

static inline void say_opt(struct said *said, const uint8_t *message,
                           const struct dns_record *record, uint16_t *rcode)
{
    struct dns_edns edns;
    struct dns_reader options;
    struct dns_option option;
    fixture_must(dns_read_edns(message, record, &edns, &options), "OPT reads");
    *rcode |= (uint16_t)(edns.rcode_high << 4);
    say(said, "\nopt %u%s", (unsigned)edns.udp_size, edns.dnssec_ok ? " do" : "");
    while (dns_read_option(&options, &option)) {
        say(said, " %u:", (unsigned)option.code);
        for (size_t i = 0; i < option.length; i++) {
            say(said, "%02x", option.bytes[i]);
        }
    }
}

// "NXDOMAIN aa", then a line for each record: - in the answer, ? in authority, + in additional, as
// "- owner TTL TYPE rdata"; last "opt SIZE [do] [CODE:HEX]...". NULL: it is not well-formed.
static inline const char *response_text(const uint8_t *message, size_t length, struct said *said)
{
    struct dns_reader reader = {.message = message, .end = length};
    struct dns_header header;
    struct dns_question question;
    struct said records = {0};
    char rcode_text[DNS_TYPE_TEXT_MAX];
    *said = (struct said){0};
    if (!dns_read_header(&reader, &header)) {
        return NULL;
    }
    uint16_t rcode = header.flags & DNS_RCODE_MASK;
    for (unsigned i = 0; i < header.counts[DNS_QUESTION]; i++) {
        if (!dns_read_question(&reader, &question)) {
            return NULL;
        }
    }
    for (enum dns_section section = DNS_ANSWER; section < DNS_SECTIONS; section++) {
        for (unsigned i = 0; i < header.counts[section]; i++) {
            struct dns_record record;
            char owner[DNS_NAME_TEXT_MAX], type[DNS_TYPE_TEXT_MAX], rdata[2048];
            if (!dns_read_record(&reader, &record)) {
                return NULL;
            }
            if (record.type == DNS_OPT) {
                say_opt(&records, message, &record, &rcode);
                continue;
            }
            dns_rdata_text(message, &record, rdata, sizeof rdata);
            say(&records, "\n%c %s %lu%s %s %s", " -?+"[section],
                dns_name_text(&record.owner, owner), (unsigned long)record.ttl,
                record.class == DNS_CLASS_CH ? " CH" : "", dns_type_text(record.type, type), rdata);
        }
    }
    if (reader.offset != reader.end) {
        return NULL;
    }
    say(said, "%s%s%s%s%s%s", dns_rcode_text(rcode, rcode_text), header.flags & DNS_AA ? " aa" : "",
        header.flags & DNS_TC ? " tc" : "", header.flags & DNS_RD ? " rd" : "",
        header.flags & DNS_CD ? " cd" : "", records.text);
    return said->text;
}

// ---- Whether a response is one to that query

static inline bool edns_is_asked(const uint8_t *query, size_t length)
{
    struct dns_reader reader = {.message = query, .end = length};
    struct dns_header header;
    struct dns_question question;
    struct dns_record record;
    bool ok = dns_read_header(&reader, &header);
    for (unsigned i = 0; ok && i < header.counts[DNS_QUESTION]; i++) {
        ok = header.counts[DNS_QUESTION] == 1 ? dns_read_question(&reader, &question)
                                              : dns_skip_question(&reader);
    }
    for (enum dns_section section = DNS_ANSWER; ok && section < DNS_SECTIONS; section++) {
        for (unsigned i = 0; ok && i < header.counts[section]; i++) {
            struct dns_reader opt = reader;
            uint16_t type;
            ok = dns_skip_record(&reader, &type);
            if (ok && type == DNS_OPT) {
                return section == DNS_ADDITIONAL && dns_read_record(&opt, &record) &&
                       record.owner.length == 1;
            }
        }
    }
    return false;
}

static inline const char *header_problem(const uint8_t *query, size_t query_length,
                                         const struct dns_header *header)
{
    struct dns_reader reader = {.message = query, .end = query_length};
    struct dns_header asked;
    if (!dns_read_header(&reader, &asked)) {
        return "answered what is no message";
    }
    if (header->id != asked.id) {
        return "another id";
    }
    uint16_t kept = DNS_OPCODE_MASK | DNS_RD | DNS_CD;
    if ((header->flags & kept) != (asked.flags & kept) || !(header->flags & DNS_QR)) {
        return "QR, opcode, RD or CD is not as it should be";
    }
    return header->flags & (DNS_RA | DNS_AD | 0x0040) ? "RA, AD or Z is set" : NULL;
}

static inline const char *question_problem(const uint8_t *query, size_t query_length,
                                           const uint8_t *response, size_t length,
                                           const struct dns_header *header)
{
    struct dns_question question;
    struct dns_reader reader = {.message = response, .end = length, .offset = DNS_HEADER_SIZE};
    if (header->counts[DNS_QUESTION] == 0) {
        uint16_t rcode = header->flags & DNS_RCODE_MASK;
        return header->counts[DNS_ANSWER] || header->counts[DNS_AUTHORITY] ||
                       (rcode != DNS_FORMERR && rcode != DNS_NOTIMP && rcode != DNS_NOERROR &&
                        rcode != (DNS_BADCOOKIE & DNS_RCODE_MASK))
                   ? "an answer without a question"
                   : NULL;
    }
    if (header->counts[DNS_QUESTION] != 1 || !dns_read_question(&reader, &question)) {
        return "more than one question, or one that can't be read";
    }
    size_t size = reader.offset - DNS_HEADER_SIZE;
    return query_length < reader.offset ||
                   memcmp(query + DNS_HEADER_SIZE, response + DNS_HEADER_SIZE, size) != 0
               ? "the question is not echoed octet by octet"
               : NULL;
}

// What is wrong with the response as one to query, whatever it says; NULL: nothing.
static inline const char *response_problem(const uint8_t *query, size_t query_length,
                                           const uint8_t *response, size_t length, size_t limit,
                                           const struct dns_outcome *outcome)
{
    struct dns_reader reader = {.message = response, .end = length};
    struct dns_header header;
    static struct said said;
    unsigned opts = 0;
    if (length > limit) {
        return "larger than allowed";
    }
    if (!dns_read_header(&reader, &header) || response_text(response, length, &said) == NULL) {
        return "not well-formed";
    }
    for (const char *at = said.text; (at = strstr(at, "\nopt ")) != NULL; at++) {
        opts++;
    }
    if (opts != (edns_is_asked(query, query_length) ? 1 : 0)) {
        return "OPT though it was not asked for, or none, or several";
    }
    if ((outcome->rcode & DNS_RCODE_MASK) != (header.flags & DNS_RCODE_MASK) ||
        outcome->truncated != ((header.flags & DNS_TC) != 0)) {
        return "the outcome is another than the response's";
    }
    const char *problem = header_problem(query, query_length, &header);
    return problem != NULL ? problem
                           : question_problem(query, query_length, response, length, &header);
}
