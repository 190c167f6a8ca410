// dns/wire: what it reads, what it refuses, and that what it writes reads the same.
#include "dns/text.h"
#include "dns/wire.h"
#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BYTES(literal) (const uint8_t *)(literal), sizeof(literal) - 1

// ---- Helpers

static struct dns_name name_of(const char *text)
{
    struct dns_name name;
    const char *problem = dns_name_parse(text, &name);
    if (problem != NULL) {
        fail_msg("%s: %s", text, problem);
    }
    return name;
}

static void assert_name_is(const struct dns_name *name, const char *text)
{
    char out[DNS_NAME_TEXT_MAX];
    assert_string_equal(dns_name_text(name, out), text);
}

static void assert_name_refused(const char *text)
{
    struct dns_name name;
    if (dns_name_parse(text, &name) == NULL) {
        fail_msg("\"%s\" should not be a name", text);
    }
}

// Reads a name at offset of a message that is a header of zeros and then bytes.
static bool read_name_at(const uint8_t *bytes, size_t length, size_t offset, struct dns_name *out,
                         size_t *end)
{
    // An exact allocation, so that a sanitizer sees a read beyond the end.
    size_t size = DNS_HEADER_SIZE + length;
    uint8_t *message = calloc(1, size);
    assert_non_null(message);
    memcpy(message + DNS_HEADER_SIZE, bytes, length);
    struct dns_reader reader = {.message = message, .end = size, .offset = offset};
    bool ok = dns_read_name(&reader, out);
    *end = reader.offset;
    free(message);
    return ok;
}

static bool name_is_readable(const uint8_t *bytes, size_t length, size_t offset)
{
    struct dns_name name;
    size_t end;
    return read_name_at(bytes, length, offset, &name, &end);
}

// A message with one answer of the given rdata; reads that record back from it.
struct answered {
    uint8_t message[2048];
    size_t length;
    struct dns_record record;
    bool sound;
};

static void answer_with(struct answered *out, uint16_t type, uint16_t class, const uint8_t *rdata,
                        size_t length)
{
    struct dns_writer writer;
    struct dns_name owner = name_of("example.");
    dns_write_begin(&writer, out->message, sizeof out->message, 1, DNS_QR);
    dns_record_begin(&writer, DNS_ANSWER, &owner, type, class, 60);
    dns_write_bytes(&writer, rdata, length);
    dns_record_end(&writer);
    out->length = dns_write_end(&writer);
    struct dns_reader reader = {.message = out->message, .end = out->length, .offset = 12};
    out->sound = dns_read_record(&reader, &out->record);
}

static void assert_text(uint16_t type, const uint8_t *rdata, size_t length, const char *expected)
{
    struct answered answered;
    char text[512];
    answer_with(&answered, type, DNS_CLASS_IN, rdata, length);
    assert_true(answered.sound);
    assert_true(dns_rdata_text(answered.message, &answered.record, text, sizeof text));
    assert_string_equal(text, expected);
}

static bool rdata_is_read(uint16_t type, const uint8_t *rdata, size_t length)
{
    struct answered answered;
    answer_with(&answered, type, DNS_CLASS_IN, rdata, length);
    return answered.sound;
}

// ---- Names

TEST(a_name_is_read_from_text_and_written_as_text)
{
    static const char *const same[] = {
        ".",
        "example.",
        "a.b.c.d.",
        "dot\\.in\\.label.example.",
        "\\000\\255\\032.example.",
        "\\\"\\(\\)\\;\\@\\$\\\\.",
        "*._tcp.x-y_z.",
    };
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        struct dns_name name = name_of(same[i]);
        assert_name_is(&name, same[i]);
    }
    struct dns_name name = name_of("id.server");
    assert_name_is(&name, "id.server.");
    assert_int_equal(name.length, 11);
    assert_memory_equal(name.wire, "\002id\006server\000", 11);
}

TEST(a_wrong_name_is_refused)
{
    assert_name_refused("");
    assert_name_refused(".a");
    assert_name_refused("a..b");
    assert_name_refused("a..");
    assert_name_refused("a\\");
    assert_name_refused("a\\25");
    assert_name_refused("a\\256");
    char label[70];
    memset(label, 'x', 64);
    label[64] = '\0';
    assert_name_refused(label);
    label[63] = '\0';
    struct dns_name name = name_of(label);
    assert_int_equal(name.length, 65);
}

TEST(a_name_may_have_255_octets_and_no_more)
{
    struct dns_name name;
    char text[300] = "";
    for (size_t i = 0; i < 127; i++) {
        memcpy(text + 2 * i, "a.", 2); // 254 in all
    }
    name = name_of(text);
    assert_int_equal(name.length, DNS_NAME_MAX);
    text[253] = '\0'; // without the last dot
    name = name_of(text);
    assert_int_equal(name.length, DNS_NAME_MAX);
    text[253] = 'a'; // a longer last label
    assert_name_refused(text);
    text[253] = '.'; // one more label
    text[254] = 'a';
    assert_name_refused(text);
}

TEST(names_are_equal_in_any_case)
{
    struct dns_name a = name_of("WWW.Example.COM");
    struct dns_name b = name_of("www.exAMPLE.com.");
    struct dns_name c = name_of("www.example.con");
    struct dns_name d = name_of("www-example.com");
    struct dns_name at = name_of("\\@");      // 0x40, not a letter
    struct dns_name grave = name_of("\\096"); // 0x60
    assert_true(dns_name_equal(&a, &b));
    assert_false(dns_name_equal(&a, &c));
    assert_false(dns_name_equal(&a, &d));
    assert_false(dns_name_equal(&at, &grave));
}

TEST(a_compressed_name_is_followed_backwards)
{
    struct dns_name name;
    size_t end;
    // "example." at 12, "www" and a pointer to it at 21
    assert_true(read_name_at(BYTES("\007example\000\003www\300\014rest"), 21, &name, &end));
    assert_name_is(&name, "www.example.");
    assert_int_equal(end, 27);
}

TEST(a_pointer_that_goes_nowhere_is_refused)
{
    assert_false(name_is_readable(BYTES("\300\014"), 12));         // to itself
    assert_false(name_is_readable(BYTES("\300\016\000\000"), 12)); // forwards
    assert_false(name_is_readable(BYTES("\001a\300\014"), 12));    // a loop through a label
    assert_false(name_is_readable(BYTES("\001a\300\014"), 14));    // the same from the pointer
    assert_false(name_is_readable(BYTES("\300\000"), 12));         // into the header
    assert_false(name_is_readable(BYTES("\000\300"), 13));         // cut in the middle
    assert_false(name_is_readable(BYTES("\000\377\377"), 13));     // beyond the end
    assert_false(name_is_readable(BYTES("\100a\000"), 12));        // reserved kinds of label
    assert_false(name_is_readable(BYTES("\200a\000"), 12));
    assert_false(name_is_readable(BYTES("\003ab"), 12)); // a label beyond the end
    assert_false(name_is_readable(BYTES("\002ab"), 12)); // no root
    assert_true(name_is_readable(BYTES("\000\300\014"), 13));
}

TEST(a_chain_of_pointers_is_followed_only_so_far)
{
    uint8_t chain[1 + 2 * 200] = {0};
    for (size_t i = 0; i < 200; i++) {
        size_t target = DNS_HEADER_SIZE + (i ? 1 + 2 * (i - 1) : 0);
        chain[1 + 2 * i] = (uint8_t)(0xc0 | target >> 8);
        chain[2 + 2 * i] = (uint8_t)target;
    }
    assert_true(name_is_readable(chain, sizeof chain, DNS_HEADER_SIZE + 1 + 2 * 126));
    assert_false(name_is_readable(chain, sizeof chain, DNS_HEADER_SIZE + 1 + 2 * 127));
}

TEST(a_compressed_name_of_more_than_255_octets_is_refused)
{
    uint8_t bytes[300] = {0};
    for (size_t i = 0; i < 3; i++) {
        bytes[i * 64] = 63;
    }
    // three labels of 63 and the root are 193 octets; one more of 61 before them makes 255
    bytes[193] = 61;
    bytes[255] = 0xc0;
    bytes[256] = 12;
    assert_true(name_is_readable(bytes, sizeof bytes, 12 + 193));
    bytes[193] = 62;
    bytes[255] = 'x';
    bytes[256] = 0xc0;
    bytes[257] = 12;
    assert_false(name_is_readable(bytes, sizeof bytes, 12 + 193));
}

// ---- Types and codes

TEST(types_and_rcodes_have_names_or_numbers)
{
    uint16_t number;
    char text[DNS_TYPE_TEXT_MAX];
    assert_true(dns_type_parse("aaaa", &number));
    assert_int_equal(number, DNS_AAAA);
    assert_true(dns_type_parse("TYPE65535", &number));
    assert_string_equal(dns_type_text(number, text), "TYPE65535");
    assert_string_equal(dns_type_text(DNS_HTTPS, text), "HTTPS");
    assert_false(dns_type_parse("TYPE65536", &number));
    assert_false(dns_type_parse("TYPE", &number));
    assert_false(dns_type_parse("TYPE1x", &number));
    assert_false(dns_type_parse("AAAAA", &number));
    assert_true(dns_rcode_parse("refused", &number));
    assert_int_equal(number, DNS_REFUSED);
    assert_true(dns_rcode_parse("RCODE4095", &number));
    assert_string_equal(dns_rcode_text(number, text), "RCODE4095");
    assert_false(dns_rcode_parse("RCODE4096", &number));
    assert_string_equal(dns_rcode_text(DNS_BADVERS, text), "BADVERS");
}

// ---- Rdata

TEST(rdata_is_written_as_dig_prints_it)
{
    assert_text(DNS_A, BYTES("\300\000\002\001"), "192.0.2.1");
    assert_text(DNS_AAAA, BYTES("\040\001\015\270\0\0\0\0\0\0\0\0\0\0\0\001"), "2001:db8::1");
    assert_text(DNS_NS, BYTES("\002ns\007Example\000"), "ns.Example.");
    assert_text(DNS_MX, BYTES("\000\012\300\014"), "10 example.");
    assert_text(DNS_SOA, BYTES("\300\014\000\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4\377\377\377\377"),
                "example. . 1 2 3 4 4294967295");
    assert_text(DNS_TXT, BYTES("\004fra1\005a\"\\ \001"), "\"fra1\" \"a\\\"\\\\ \\001\"");
    assert_text(DNS_TXT, BYTES("\000"), "\"\"");
    assert_text(DNS_SRV, BYTES("\0\1\0\2\1\273\001a\000"), "1 2 443 a.");
    assert_text(DNS_CAA, BYTES("\200\005issueca.example"), "128 issue \"ca.example\"");
    assert_text(DNS_DS, BYTES("\060\071\015\002\336\255\276\357"), "12345 13 2 DEADBEEF");
    assert_text(DNS_DNSKEY, BYTES("\001\001\003\015\1\2\3\4"), "257 3 13 AQIDBA==");
    assert_text(DNS_DNSKEY, BYTES("\001\001\003\015\1\2\3\4\5"), "257 3 13 AQIDBAU=");
    assert_text(1234, BYTES("\336\255"), "\\# 2 DEAD");
    assert_text(1234, BYTES(""), "\\# 0");
    assert_text(DNS_SOA,
                BYTES("\002ns\300\014\001h\300\037\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4\0\0\0\5"),
                "ns.example. h.ns.example. 1 2 3 4 5"); // its names compressed
}

TEST(svcb_parameters_are_written_by_name)
{
    assert_text(DNS_HTTPS,
                BYTES("\000\001\000"
                      "\000\000\000\002\000\001"
                      "\000\001\000\006\002h2\002h3"
                      "\000\002\000\000"
                      "\000\003\000\002\001\273"
                      "\000\004\000\010\300\000\002\001\300\000\002\002"
                      "\000\005\000\002\001\002"
                      "\002\233\000\001x"),
                "1 . mandatory=alpn alpn=\"h2,h3\" no-default-alpn port=443 "
                "ipv4hint=192.0.2.1,192.0.2.2 ech=AQI= key667=\"x\"");
    // a list that ends in the middle of an element
    assert_text(DNS_SVCB, BYTES("\000\001\000\000\001\000\003\007h2"), "1 . alpn=\"\"");
}

TEST(rdata_that_is_not_what_its_type_says_is_refused)
{
    assert_false(rdata_is_read(DNS_A, BYTES("\300\000\002")));
    assert_false(rdata_is_read(DNS_A, BYTES("\300\000\002\001\001")));
    assert_false(rdata_is_read(DNS_AAAA, BYTES("\300\000\002\001")));
    assert_false(rdata_is_read(DNS_NS, BYTES("\002ns\007Exa")));
    assert_false(rdata_is_read(DNS_NS, BYTES("\002ns\000x")));
    assert_false(rdata_is_read(DNS_TXT, BYTES("")));
    assert_false(rdata_is_read(DNS_TXT, BYTES("\005fra1")));
    assert_false(rdata_is_read(DNS_TXT, BYTES("\004fra1\001")));
    assert_false(rdata_is_read(DNS_SOA, BYTES("\300\014\000\0\0\0\1")));
    assert_false(rdata_is_read(DNS_OPT, BYTES("\000\003\000\001")));
    assert_false(rdata_is_read(DNS_SVCB, BYTES("\000\001\000\000\001\000\003\007h")));
    assert_true(rdata_is_read(1234, BYTES("anything")));
}

TEST(an_address_of_another_class_is_opaque)
{
    struct answered answered;
    char text[64];
    answer_with(&answered, DNS_A, DNS_CLASS_CH, BYTES("\000\001\002"));
    assert_true(answered.sound);
    assert_true(dns_rdata_text(answered.message, &answered.record, text, sizeof text));
    assert_string_equal(text, "\\# 3 000102");
}

TEST(text_that_does_not_fit_is_cut)
{
    struct answered answered;
    char text[8];
    answer_with(&answered, DNS_TXT, DNS_CLASS_IN, BYTES("\012abcdefghij"));
    assert_false(dns_rdata_text(answered.message, &answered.record, text, sizeof text));
    assert_true(strlen(text) < sizeof text);
}

TEST(the_strings_of_a_txt_record_are_joined)
{
    struct answered answered;
    uint8_t bytes[32];
    answer_with(&answered, DNS_TXT, DNS_CLASS_CH, BYTES("\003abc\000\002\"d"));
    assert_int_equal(dns_txt_bytes(answered.message, &answered.record, bytes), 5);
    assert_memory_equal(bytes, "abc\"d", 5);
    answer_with(&answered, DNS_A, DNS_CLASS_IN, BYTES("\300\000\002\001"));
    assert_int_equal(dns_txt_bytes(answered.message, &answered.record, bytes), 0);
}

// ---- Messages

static size_t write_reply(uint8_t *buffer, size_t size)
{
    struct dns_writer writer;
    struct dns_name www = name_of("www.example.com");
    struct dns_name zone = name_of("example.com");
    struct dns_name mail = name_of("mail.example.com");
    dns_write_begin(&writer, buffer, size, 0x1234, DNS_QR | DNS_AA);
    dns_write_question(&writer, &(struct dns_question){www, DNS_MX, DNS_CLASS_IN});
    dns_record_begin(&writer, DNS_ANSWER, &zone, DNS_MX, DNS_CLASS_IN, 300);
    dns_write_u16(&writer, 10);
    dns_write_name(&writer, &mail);
    dns_record_end(&writer);
    dns_opt_begin(&writer,
                  &(struct dns_edns){.udp_size = 1232, .rcode_high = 1, .dnssec_ok = true});
    dns_write_option(&writer, DNS_OPTION_NSID, "fra1", 4);
    dns_write_option(&writer, DNS_OPTION_COOKIE, "12345678", 8);
    dns_record_end(&writer);
    return dns_write_end(&writer);
}

TEST(what_is_written_reads_the_same)
{
    uint8_t message[512];
    struct dns_reader reader = {.message = message, .end = write_reply(message, sizeof message)};
    struct dns_header header;
    struct dns_question question;
    struct dns_record record;
    char text[128];
    assert_true(dns_read_header(&reader, &header));
    assert_int_equal(header.id, 0x1234);
    assert_int_equal(header.flags, DNS_QR | DNS_AA);
    assert_int_equal(header.counts[DNS_QUESTION], 1);
    assert_int_equal(header.counts[DNS_ANSWER], 1);
    assert_int_equal(header.counts[DNS_AUTHORITY], 0);
    assert_int_equal(header.counts[DNS_ADDITIONAL], 1);
    assert_true(dns_read_question(&reader, &question));
    assert_name_is(&question.name, "www.example.com.");
    assert_int_equal(question.type, DNS_MX);
    assert_true(dns_read_record(&reader, &record));
    assert_name_is(&record.owner, "example.com.");
    assert_int_equal(record.ttl, 300);
    assert_true(dns_rdata_text(message, &record, text, sizeof text));
    assert_string_equal(text, "10 mail.example.com.");
}

TEST(edns_and_its_options_are_read)
{
    uint8_t message[512];
    struct dns_reader reader = {.message = message, .end = write_reply(message, sizeof message)};
    struct dns_header header;
    struct dns_question question;
    struct dns_record record;
    struct dns_edns edns;
    struct dns_reader options;
    struct dns_option option;
    assert_true(dns_read_header(&reader, &header) && dns_read_question(&reader, &question));
    assert_true(dns_read_record(&reader, &record));
    assert_false(dns_read_edns(message, &record, &edns, &options)); // the MX
    assert_true(dns_read_record(&reader, &record));
    assert_true(dns_read_edns(message, &record, &edns, &options));
    assert_int_equal(edns.udp_size, 1232);
    assert_int_equal(edns.rcode_high, 1);
    assert_int_equal(edns.version, 0);
    assert_true(edns.dnssec_ok);
    assert_true(dns_read_option(&options, &option));
    assert_int_equal(option.code, DNS_OPTION_NSID);
    assert_int_equal(option.length, 4);
    assert_memory_equal(option.bytes, "fra1", 4);
    assert_true(dns_read_option(&options, &option));
    assert_int_equal(option.code, DNS_OPTION_COOKIE);
    assert_false(dns_read_option(&options, &option));
    assert_int_equal(reader.offset, reader.end);
}

TEST(a_message_never_outgrows_its_buffer)
{
    uint8_t whole[512];
    size_t length = write_reply(whole, sizeof whole);
    assert_true(length > 0);
    for (size_t size = 0; size < length; size++) {
        uint8_t *buffer = malloc(size ? size : 1);
        assert_non_null(buffer);
        assert_int_equal(write_reply(buffer, size), 0);
        free(buffer);
    }
    uint8_t *exact = malloc(length ? length : 1);
    assert_non_null(exact);
    assert_int_equal(write_reply(exact, length), length);
    assert_memory_equal(exact, whole, length);
    free(exact);
}

TEST(a_message_cut_anywhere_is_refused)
{
    uint8_t whole[512];
    size_t length = write_reply(whole, sizeof whole);
    for (size_t cut = 0; cut < length; cut++) {
        uint8_t *message = malloc(cut ? cut : 1);
        assert_non_null(message);
        memcpy(message, whole, cut);
        struct dns_reader reader = {.message = message, .end = cut};
        struct dns_header header;
        struct dns_question question;
        struct dns_record record;
        assert_false(dns_read_header(&reader, &header) && dns_read_question(&reader, &question) &&
                     dns_read_record(&reader, &record) && dns_read_record(&reader, &record));
        free(message);
    }
}
