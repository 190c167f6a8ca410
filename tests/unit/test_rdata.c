// dns/rdata: what is written in the configuration becomes what goes over the wire, or is refused.
#include "dns/rdata.h"
#include "dns/text.h"
#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BYTES(literal) (const uint8_t *)(literal), sizeof(literal) - 1

// RFC 9460 appendix D.2's long hints are left out; the rest of it is here.
static const struct {
    uint16_t type;
    const char *text;
    const uint8_t *rdata;
    size_t length;
} sound[] = {
    {DNS_A, "192.0.2.1", BYTES("\300\000\002\001")},
    {DNS_A, " \t192.0.2.1 ", BYTES("\300\000\002\001")},
    {DNS_A, "\\# 4 C0000201", BYTES("\300\000\002\001")},
    {DNS_A, "\\# 4 c0 00 0201 ", BYTES("\300\000\002\001")},
    {DNS_AAAA, "2001:db8::1",
     BYTES("\x20\x01\x0d\xb8\000\000\000\000\000\000\000\000\000\000\000\001")},
    {DNS_CNAME, "a.Example.", BYTES("\001a\007Example\000")},
    {DNS_CNAME, ".", BYTES("\000")},
    {DNS_CNAME, "two\\ words.x", BYTES("\011two words\001x\000")},
    {DNS_NS, "ns.example", BYTES("\002ns\007example\000")},
    {DNS_MX, "10 mail.example.net", BYTES("\000\012\004mail\007example\003net\000")},
    {DNS_MX, "0 .", BYTES("\000\000\000")},
    {DNS_SRV, "1 2 65535 a.example", BYTES("\000\001\000\002\377\377\001a\007example\000")},
    {DNS_TXT, "plain", BYTES("\005plain")},
    {DNS_TXT, "\"\"", BYTES("\000")},
    {DNS_TXT, "\"a b\" c \"d;\\\"\\\\\\200\"", BYTES("\003a b\001c\005d;\"\\\310")},
    {DNS_TXT, "v=spf1\\;x", BYTES("\010v=spf1;x")},
    {DNS_CAA, "0 issue \"ca.example; a=b\"", BYTES("\000\005issueca.example; a=b")},
    {DNS_CAA, "128 tbs unknown", BYTES("\200\003tbsunknown")},
    {DNS_CAA, "0 issue \"\"", BYTES("\000\005issue")},
    {DNS_HTTPS, "0 foo.example.com.", BYTES("\000\000\003foo\007example\003com\000")},
    {DNS_SVCB, "1 .", BYTES("\000\001\000")},
    {DNS_SVCB, "16 foo.example.com. port=53",
     BYTES("\000\020\003foo\007example\003com\000\000\003\000\002\000\065")},
    {DNS_SVCB, "1 foo.example.com. key667=hello",
     BYTES("\000\001\003foo\007example\003com\000\002\233\000\005hello")},
    {DNS_SVCB, "1 foo.example.com. key667=\"hello\\210qoo\"",
     BYTES("\000\001\003foo\007example\003com\000\002\233\000\011hello\322qoo")},
    {DNS_SVCB, "16 foo.example.org. alpn=h2,h3-19 mandatory=ipv4hint,alpn ipv4hint=192.0.2.1",
     BYTES("\000\020\003foo\007example\003org\000\000\000\000\004\000\001\000\004\000\001\000\011"
           "\002h2\005h3-19\000\004\000\004\300\000\002\001")},
    {DNS_SVCB, "16 foo.example.org. alpn=\"f\\\\\\\\oo\\\\,bar,h2\"",
     BYTES("\000\020\003foo\007example\003org\000\000\001\000\014\010f\\oo,bar\002h2")},
    {DNS_SVCB, "16 foo.example.org. alpn=f\\\\\\092oo\\092,bar,h2",
     BYTES("\000\020\003foo\007example\003org\000\000\001\000\014\010f\\oo,bar\002h2")},
    {DNS_HTTPS, "1 . alpn=h3 no-default-alpn ech=AAECAw== ipv6hint=2001:db8::1 key9",
     BYTES("\000\001\000\000\001\000\003\002h3\000\002\000\000\000\005\000\004\000\001\002\003"
           "\000\006\000\020\x20\x01\x0d\xb8\000\000\000\000\000\000\000\000\000\000\000\001"
           "\000\011\000\000")},
    {65280, "\\# 0", BYTES("")},
    {65280, "\\# 3 abCdef", BYTES("\xab\xcd\xef")},
};

static const struct {
    uint16_t type;
    const char *text, *says;
} wrong[] = {
    {DNS_A, "", "IPv4"},
    {DNS_A, "192.0.2", "IPv4"},
    {DNS_A, "192.0.2.256", "IPv4"},
    {DNS_A, "2001:db8::1", "IPv4"},
    {DNS_A, "192.0.2.1 192.0.2.2", "more than"},
    {DNS_A, "\\# 3 c00002", "what this type is made of"},
    {DNS_A, "\\# 4 c00002", "not that of the octets"},
    {DNS_A, "\\# 4 c00002zz", "hexadecimal"},
    {DNS_A, "\\# 4 c00002011", "hexadecimal"},
    {DNS_A, "\\# x", "hexadecimal"},
    {DNS_A, "\\#", "hexadecimal"},
    {DNS_AAAA, "192.0.2.1", "IPv6"},
    {DNS_AAAA, "2001:db8::1%eth0", "IPv6"},
    {DNS_CNAME, "", "missing"},
    {DNS_CNAME, "a..b", "empty"},
    {DNS_CNAME, "\"a b\"", "quotes"},
    {DNS_CNAME, "a\\", "backslash"},
    {DNS_CNAME, "\\# 2 c000", "what this type is made of"},
    {DNS_MX, "mail.example", "preference"},
    {DNS_MX, "65536 mail.example", "preference"},
    {DNS_MX, "10", "mail server"},
    {DNS_SRV, "1 2 x a.example", "port"},
    {DNS_SRV, "1 -2 3 a.example", "weight"},
    {DNS_SRV, "1 2 3", "target"},
    {DNS_TXT, "", "missing"},
    {DNS_TXT, "\"open", "quote is missing"},
    {DNS_TXT, "\"a\"b", "blank is missing"},
    {DNS_TXT, "a;b", "semicolons"},
    {DNS_TXT, "a\"b", "quotes"},
    {DNS_TXT, "\\256", "three digits"},
    {DNS_CAA, "256 issue a", "flags"},
    {DNS_CAA, "0 is-sue a", "letters and digits"},
    {DNS_CAA, "0 0123456789abcdef a", "letters and digits"},
    {DNS_CAA, "0 issue", "value is missing"},
    {DNS_CAA, "0", "tag is missing"},
    {DNS_SVCB, "0 a.example port=53", "alias"},
    {DNS_SVCB, "1 a.example port=53 port=53", "twice"},
    {DNS_SVCB, "1 a.example port=65536", "port"},
    {DNS_SVCB, "1 a.example port", "port"},
    {DNS_SVCB, "1 a.example nonsense=1", "unknown"},
    {DNS_SVCB, "1 a.example key65536=1", "unknown"},
    {DNS_SVCB, "1 a.example =1", "unknown"},
    {DNS_SVCB, "1 a.example alpn", "alpn"},
    {DNS_SVCB, "1 a.example alpn=h2,,h3", "alpn"},
    {DNS_SVCB, "1 a.example alpn=h2\\\\", "alpn"},
    {DNS_SVCB, "1 a.example no-default-alpn", "needs alpn"},
    {DNS_SVCB, "1 a.example alpn=h2 no-default-alpn=x", "no value"},
    {DNS_SVCB, "1 a.example mandatory=mandatory", "other keys"},
    {DNS_SVCB, "1 a.example port=1 mandatory=port,port", "each once"},
    {DNS_SVCB, "1 a.example mandatory=port", "not there"},
    {DNS_SVCB, "1 a.example mandatory", "names of keys"},
    {DNS_SVCB, "1 a.example ipv4hint=192.0.2.1,", "IPv4"},
    {DNS_SVCB, "1 a.example ipv6hint=192.0.2.1", "IPv6"},
    {DNS_SVCB, "1 a.example ech=AAECAw=", "base64"},
    {DNS_SVCB, "1 a.example ech=AAECAx==", "base64"},
    {DNS_SVCB, "1 a.example ech=AAF=", "base64"},
    {DNS_SVCB, "1 a.example ech=AA==AAAA", "base64"},
    {DNS_SVCB, "1 a.example ech", "base64"},
    {DNS_SVCB, "1 a.example port=\"53\\000\"", "NUL"},
    {DNS_SVCB, "\\# 11 0001 00 0009 0000 0008 0000", "ascending"},
    {DNS_SVCB, "\\# 7 0001 00 0003 0001", "what this type is made of"},
    // The second name points into the first.
    {DNS_SOA,
     "\\# 39 0b6161616161616161616161 03626262 00 c00c 0000000100000002000000030000000400000005",
     "what this type is made of"},
    {65280, "anything", "\\# LENGTH HEX"},
    {65280, "", "empty"},
};

TEST(what_is_sound_becomes_the_octets_that_the_rfcs_say)
{
    for (size_t i = 0; i < sizeof sound / sizeof *sound; i++) {
        uint8_t rdata[DNS_RDATA_MAX];
        size_t length;
        const char *problem = dns_rdata_parse(sound[i].type, sound[i].text, rdata, &length);
        if (problem != NULL) {
            fail_msg("%s: %s", sound[i].text, problem);
        }
        assert_int_equal(length, sound[i].length);
        assert_memory_equal(rdata, sound[i].rdata, length);
    }
}

TEST(what_is_printed_is_read_again_as_the_same)
{
    for (size_t i = 0; i < sizeof sound / sizeof *sound; i++) {
        struct dns_record record = {
            .type = sound[i].type, .class = DNS_CLASS_IN, .rdata_length = sound[i].length};
        char text[1024];
        uint8_t rdata[DNS_RDATA_MAX];
        size_t length;
        assert_true(dns_rdata_text(sound[i].rdata, &record, text, sizeof text));
        const char *problem = dns_rdata_parse(sound[i].type, text, rdata, &length);
        if (problem != NULL) {
            fail_msg("%s: %s", text, problem);
        }
        assert_int_equal(length, sound[i].length);
        assert_memory_equal(rdata, sound[i].rdata, length);
    }
}

TEST(what_is_wrong_is_refused_with_the_part_that_is)
{
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        uint8_t rdata[DNS_RDATA_MAX];
        size_t length;
        const char *problem = dns_rdata_parse(wrong[i].type, wrong[i].text, rdata, &length);
        if (problem == NULL || strstr(problem, wrong[i].says) == NULL) {
            fail_msg("\"%s\": %s", wrong[i].text, problem ? problem : "taken for right");
        }
    }
}

TEST(a_string_has_up_to_255_octets_and_a_record_up_to_4096)
{
    char text[3 * DNS_RDATA_MAX];
    uint8_t rdata[DNS_RDATA_MAX];
    size_t length;
    memset(text, 'x', sizeof text);
    text[255] = '\0';
    assert_null(dns_rdata_parse(DNS_TXT, text, rdata, &length));
    assert_int_equal(length, 256);
    text[255] = 'x';
    text[256] = '\0';
    assert_non_null(strstr(dns_rdata_parse(DNS_TXT, text, rdata, &length), "255"));
    for (size_t strings = 1; strings <= 17; strings++) {
        memset(text, 'x', sizeof text);
        for (size_t i = 1; i < strings; i++) {
            text[256 * i - 1] = ' ';
        }
        text[256 * strings - 1] = '\0';
        const char *problem = dns_rdata_parse(DNS_TXT, text, rdata, &length);
        assert_int_equal(problem == NULL, strings <= 16);
    }
}

// What may be compressed: RFC 3597 section 4.
TEST(names_in_rdata_are_where_their_types_say_and_compressed_in_the_oldest_only)
{
    static const struct {
        uint16_t type;
        struct dns_names names;
    } cases[] = {
        {DNS_CNAME, {1, 0, 0, true}},
        {DNS_NS, {1, 0, 0, true}},
        {DNS_SOA, {2, 0, 0, true}},
        {DNS_PTR, {1, 0, 0, true}},
        {DNS_MX, {1, 2, 1, true}},
        {DNS_SRV, {1, 6, 3, false}},
        {DNS_SVCB, {1, 2, 1, false}},
        {DNS_HTTPS, {1, 2, 1, false}},
        {DNS_A, {0}},
        {DNS_TXT, {0}},
        {DNS_DS, {0}},
        {DNS_CAA, {0}},
        {65280, {0}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct dns_names names = dns_names_of(cases[i].type);
        assert_int_equal(names.count, cases[i].names.count);
        assert_int_equal(names.at, cases[i].names.at);
        assert_int_equal(names.before, cases[i].names.before);
        assert_int_equal(names.compressed, cases[i].names.compressed);
    }
}
