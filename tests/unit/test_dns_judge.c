// Which records of a message count as answers: those of the type and class that were asked for, in
// the answer section.
#include "probes/dns_query.h"

#include "tests/test.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#define QNAME   "www.example.net"
#define RECORDS 6

struct record {
    enum dns_section section;
    uint16_t type, class;
    const char *data; // an address, or a name; NULL: the list's end
};

static void write_rdata(struct dns_writer *writer, const struct record *record)
{
    uint8_t address[16];
    struct dns_name name;
    size_t length = record->type == DNS_AAAA ? 16 : 4;
    if (record->data[0] == '\0') {
        return; // no rdata at all
    }
    if (record->type == DNS_A || record->type == DNS_AAAA) {
        assert_int_equal(inet_pton(length == 4 ? AF_INET : AF_INET6, record->data, address), 1);
        dns_write_bytes(writer, address, length);
    } else {
        assert_null(dns_name_parse(record->data, &name));
        dns_write_name(writer, &name);
    }
}

// What is made of an answer with these records to a query for QNAME.
static struct dns_judgement judged(const struct dns_options *options, const struct record *records)
{
    struct dns_query query;
    struct dns_judgement judgement;
    struct dns_writer writer;
    uint8_t message[1024];
    dns_query_make(options, &(struct dns_cookie){.length = 0}, &query);
    dns_write_begin(&writer, message, sizeof message, query.id, DNS_QR);
    dns_write_question(&writer, &query.question);
    for (size_t i = 0; i < RECORDS && records[i].data != NULL; i++) {
        dns_record_begin(&writer, records[i].section, &query.question.name, records[i].type,
                         records[i].class, 60);
        write_rdata(&writer, &records[i]);
        dns_record_end(&writer);
    }
    size_t length = dns_write_end(&writer);
    assert_true(length > 0);
    memcpy(message + length, (uint8_t[]){192, 0, 2, 1}, 4); // behind it, where nothing is read
    dns_judge(options, &query, message, length, &judgement);
    return judgement;
}

static struct dns_options options_for(uint16_t qtype)
{
    return (struct dns_options){.qname = QNAME, .qtype = qtype, .least.given = true};
}

static void assert_counted(uint16_t qtype, const struct record *records, unsigned answers)
{
    char expected[64];
    struct dns_options options = options_for(qtype);
    struct dns_judgement judgement = judged(&options, records);
    snprintf(expected, sizeof expected, "NOERROR, %u answer%s", answers, answers == 1 ? "" : "s");
    assert_string_equal(judgement.cause, expected);
    options.least = (struct dns_least){.given = true, .answers = answers + 1};
    judgement = judged(&options, records);
    assert_int_equal(judgement.kind, DNS_WRONG);
    assert_string_equal(judgement.code, "answer");
}

TEST(only_answers_of_the_type_asked_for_count)
{
    assert_counted(DNS_A,
                   (struct record[RECORDS]){{DNS_ANSWER, DNS_CNAME, DNS_CLASS_IN, "a.example.net"},
                                            {DNS_ANSWER, DNS_A, DNS_CLASS_IN, "192.0.2.1"},
                                            {DNS_ANSWER, DNS_AAAA, DNS_CLASS_IN, "2001:db8::1"},
                                            {DNS_ANSWER, DNS_A, DNS_CLASS_IN, "192.0.2.2"}},
                   2);
    assert_counted(
        DNS_A, (struct record[RECORDS]){{DNS_ANSWER, DNS_CNAME, DNS_CLASS_IN, "a.example.net"}}, 0);
    assert_counted(DNS_CNAME,
                   (struct record[RECORDS]){{DNS_ANSWER, DNS_CNAME, DNS_CLASS_IN, "a.example.net"},
                                            {DNS_ANSWER, DNS_A, DNS_CLASS_IN, "192.0.2.1"}},
                   1);
}

TEST(only_answers_of_the_class_asked_for_count)
{
    assert_counted(DNS_A,
                   (struct record[RECORDS]){{DNS_ANSWER, DNS_A, DNS_CLASS_CH, "192.0.2.1"},
                                            {DNS_ANSWER, DNS_A, DNS_CLASS_IN, "192.0.2.2"}},
                   1);
}

TEST(what_stands_beside_the_answers_does_not_count)
{
    assert_counted(DNS_A,
                   (struct record[RECORDS]){{DNS_ANSWER, DNS_A, DNS_CLASS_IN, "192.0.2.1"},
                                            {DNS_AUTHORITY, DNS_A, DNS_CLASS_IN, "192.0.2.2"},
                                            {DNS_ADDITIONAL, DNS_A, DNS_CLASS_IN, "192.0.2.3"}},
                   1);
    assert_counted(DNS_A,
                   (struct record[RECORDS]){{DNS_AUTHORITY, DNS_NS, DNS_CLASS_IN, "ns.example.net"},
                                            {DNS_ADDITIONAL, DNS_A, DNS_CLASS_IN, "192.0.2.3"}},
                   0);
}

TEST(any_asks_for_all_types)
{
    assert_counted(DNS_ANY,
                   (struct record[RECORDS]){{DNS_ANSWER, DNS_NS, DNS_CLASS_IN, "ns.example.net"},
                                            {DNS_ANSWER, DNS_AAAA, DNS_CLASS_IN, "2001:db8::1"},
                                            {DNS_ANSWER, DNS_A, DNS_CLASS_CH, "192.0.2.1"}},
                   2);
}

TEST(what_is_expected_must_be_one_of_those_that_count)
{
    static const struct record records[RECORDS] = {
        {DNS_ANSWER, DNS_A, DNS_CLASS_IN, "192.0.2.1"},
        {DNS_ANSWER, DNS_A, DNS_CLASS_CH, "192.0.2.2"},
        {DNS_ADDITIONAL, DNS_A, DNS_CLASS_IN, "192.0.2.3"}};
    static const struct {
        const char *expected;
        enum dns_judgement_kind kind;
    } table[] = {{"192.0.2.1", DNS_RIGHT}, {"192.0.2.2", DNS_WRONG}, {"192.0.2.3", DNS_WRONG}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct dns_options options = options_for(DNS_A);
        snprintf(options.answer, sizeof options.answer, "%s", table[i].expected);
        assert_int_equal(judged(&options, records).kind, table[i].kind);
        options = options_for(DNS_A);
        snprintf(options.answer_one_of, sizeof options.answer_one_of, "%s", table[i].expected);
        assert_int_equal(judged(&options, records).kind, table[i].kind);
        options = options_for(DNS_A);
        snprintf(options.answer_contains, sizeof options.answer_contains, "%s", table[i].expected);
        assert_int_equal(judged(&options, records).kind, table[i].kind);
    }
}

// Only class IN says how long such a record is (RFC 1035 section 3.4.1).
TEST(an_address_of_another_length_is_not_the_one_expected)
{
    struct dns_options options = options_for(DNS_A);
    options.class = 1; // CH
    snprintf(options.answer, sizeof options.answer, "192.0.2.1");
    assert_int_equal(
        judged(&options, (struct record[RECORDS]){{DNS_ANSWER, DNS_A, DNS_CLASS_CH, ""}}).kind,
        DNS_WRONG);
    assert_int_equal(
        judged(&options, (struct record[RECORDS]){{DNS_ANSWER, DNS_A, DNS_CLASS_CH, "192.0.2.1"}})
            .kind,
        DNS_RIGHT);
}

// An answer with a record that can't be read, and with a cookie.
static struct dns_judgement judged_with_cookie(uint8_t first_octet_differs_by)
{
    static const struct dns_options options = {
        .qname = QNAME, .qtype = DNS_A, .edns = true, .cookie = true};
    struct dns_query query;
    struct dns_judgement judgement;
    struct dns_writer writer;
    struct dns_cookie cookie;
    uint8_t message[512];
    dns_cookie_make(&cookie);
    dns_query_make(&options, &cookie, &query);
    dns_write_begin(&writer, message, sizeof message, query.id, DNS_QR);
    dns_write_question(&writer, &query.question);
    dns_record_begin(&writer, DNS_ANSWER, &query.question.name, DNS_A, DNS_CLASS_IN, 60);
    dns_write_bytes(&writer, "\300", 1);
    dns_record_end(&writer);
    dns_opt_begin(&writer, &(struct dns_edns){.udp_size = 1232});
    cookie.bytes[0] ^= first_octet_differs_by;
    dns_write_option(&writer, DNS_OPTION_COOKIE, cookie.bytes, cookie.length);
    dns_record_end(&writer);
    dns_judge(&options, &query, message, dns_write_end(&writer), &judgement);
    return judgement;
}

TEST(what_has_another_cookie_is_told_without_a_look_at_its_records)
{
    struct dns_judgement judgement = judged_with_cookie(1);
    assert_int_equal(judgement.kind, DNS_FORGED);
    assert_string_equal(judgement.cause, "another cookie");
    judgement = judged_with_cookie(0);
    assert_int_equal(judgement.kind, DNS_WRONG);
    assert_string_equal(judgement.cause, "the answer's records can't be read");
}

static struct dns_judgement judged_with_answers(unsigned answers)
{
    static uint8_t message[DNS_MESSAGE_MAX];
    struct dns_options options = {.qname = "a", .qtype = DNS_A, .least = {true, 1000}};
    struct dns_query query;
    struct dns_judgement judgement;
    struct dns_writer writer;
    dns_query_make(&options, &(struct dns_cookie){.length = 0}, &query);
    dns_write_begin(&writer, message, sizeof message, query.id, DNS_QR);
    dns_write_question(&writer, &query.question);
    for (unsigned i = 0; i < answers; i++) {
        dns_record_begin(&writer, DNS_ANSWER, &query.question.name, DNS_A, DNS_CLASS_IN, 60);
        dns_write_bytes(&writer, (uint8_t[]){192, 0, 2, 1}, 4);
        dns_record_end(&writer);
    }
    dns_judge(&options, &query, message, dns_write_end(&writer), &judgement);
    return judgement;
}

TEST(more_answers_than_anybody_may_ask_for_are_wrong)
{
    assert_int_equal(judged_with_answers(1000).kind, DNS_RIGHT);
    struct dns_judgement judgement = judged_with_answers(1001);
    assert_int_equal(judgement.kind, DNS_WRONG);
    assert_string_equal(judgement.cause, "1001 answers, more than 1000 are not looked at");
}

// A referral upwards, a zone that was lost, a name whose records went.
TEST(an_answer_with_nothing_in_it_is_right_only_for_who_allows_it)
{
    static const struct record referral[RECORDS] = {{DNS_AUTHORITY, DNS_NS, DNS_CLASS_IN, "."}};
    struct dns_options options = {.qname = QNAME, .qtype = DNS_A};
    struct dns_judgement judgement = judged(&options, referral);
    assert_int_equal(judgement.kind, DNS_WRONG);
    assert_string_equal(judgement.cause, "0 answers, expected at least 1");
    options.rcodes = (struct dns_rcodes){.codes = {DNS_NOERROR, DNS_NXDOMAIN}, .count = 2};
    assert_int_equal(judged(&options, referral).kind, DNS_RIGHT);
    options.rcodes = (struct dns_rcodes){.codes = {DNS_NOERROR}, .count = 1};
    assert_int_equal(judged(&options, referral).kind, DNS_WRONG);
    options.least.given = true;
    assert_int_equal(judged(&options, referral).kind, DNS_RIGHT);
}

TEST(each_letter_of_a_query_is_in_either_case)
{
    static const struct dns_options options = {
        .qname = "ab.c.example", .qtype = DNS_A, .mixed_case = true};
    struct dns_query query;
    struct dns_name plain;
    uint8_t upper[DNS_NAME_MAX] = {0}, lower[DNS_NAME_MAX] = {0};
    assert_null(dns_name_parse(options.qname, &plain));
    for (int i = 0; i < 100; i++) { // once in 2^96 runs that is not enough
        dns_query_make(&options, &(struct dns_cookie){.length = 0}, &query);
        assert_true(dns_name_equal(&query.question.name, &plain));
        for (size_t at = 0; at < plain.length; at++) {
            upper[at] |= query.question.name.wire[at] >= 'A' && query.question.name.wire[at] <= 'Z';
            lower[at] |= query.question.name.wire[at] >= 'a' && query.question.name.wire[at] <= 'z';
        }
    }
    for (size_t at = 0; at < plain.length; at++) {
        bool letter = plain.wire[at] >= 'a' && plain.wire[at] <= 'z';
        assert_int_equal(upper[at] && lower[at], letter);
    }
}
