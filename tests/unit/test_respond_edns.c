// From a query to its response: EDNS, cookies, what is no proper query, and how large an answer is.
#include "tests/unit/responses.h"

TEST_GROUP(set_up, tear_down);

// For what is no message that the writer would write.
static void assert_bytes_say(const char *hex, const char *expected)
{
    struct exchanged exchanged;
    uint8_t query[1024];
    struct ask ask = {.name = hex};
    exchange_bytes(rich, &ask, query, from_hex(hex, query), &exchanged);
    assert_string_equal(exchanged.length ? exchanged.said.text : "(nothing)", expected);
    done(&exchanged);
}

// ---- EDNS

TEST(edns_is_complied_with)
{
#define ID "NOERROR aa\n- id.pop.example.net. 0 TXT \"fra1\""
    static const struct says cases[] = {
        {{"id.pop.example.net", .type = DNS_TXT}, ID},
        {{"id.pop.example.net", .type = DNS_TXT, .udp_size = 4096}, ID "\nopt 1232"},
        {{"id.pop.example.net", .type = DNS_TXT, .udp_size = 1}, ID "\nopt 1232"},
        {{"id.pop.example.net", .type = DNS_TXT, .udp_size = 1232, .dnssec_ok = true},
         ID "\nopt 1232 do"},
        {{"id.pop.example.net", .type = DNS_TXT, .udp_size = 1232, .options = "0064 0000"},
         ID "\nopt 1232"},
        {{"id.pop.example.net", .type = DNS_TXT, .udp_size = 1232, .version = 1},
         "BADVERS\nopt 1232"},
        {{"id.pop.example.net", .type = DNS_TXT, .udp_size = 1232, .version = 255,
          .dnssec_ok = true, .options = "0003 0000 000a 0001 00"},
         "BADVERS\nopt 1232 do"},
        {{"missing.pop.example.net", .type = DNS_A, .udp_size = 1232},
         "NXDOMAIN aa" SOA "\nopt 1232"},
        {{"example.org", .type = DNS_A, .udp_size = 1232}, "REFUSED\nopt 1232 15:0014"},
        {{"id.pop.example.net", .type = DNS_TXT, .udp_size = 1232, .options = "0003 0000"},
         ID "\nopt 1232 3:66726131"},
        {{"example.org", .type = DNS_TXT, .udp_size = 1232, .options = "0003 0000"},
         "REFUSED\nopt 1232 3:66726131 15:0014"},
        {{"id.pop.example.net", .type = DNS_TXT, .udp_size = 1232, .options = "000b 0000"},
         ID "\nopt 1232"},
        {{"id.pop.example.net", .type = DNS_TXT, .udp_size = 1232, .options = "000b 0000",
          .tcp = true},
         ID "\nopt 1232 11:0064"},
        {{"id.pop.example.net", .type = DNS_TXT, .udp_size = 1232, .tcp = true}, ID "\nopt 1232"},
    };
#undef ID
    ASSERT_ALL_SAY(cases);
}

TEST(what_nobody_configured_is_not_said)
{
    struct dns_snapshot *plain = rich_snapshot();
    struct exchanged exchanged;
    plain->nsid_length = 0;
    plain->cookies.count = 0;
    exchange_of(plain,
                &(struct ask){"id.pop.example.net", .type = DNS_TXT, .udp_size = 1232,
                              .options = "0003 0000 000a 0008 2464c4abcf10c957"},
                &exchanged);
    assert_string_equal(exchanged.said.text,
                        "NOERROR aa\n- id.pop.example.net. 0 TXT \"fra1\"\nopt 1232");
    done(&exchanged);
    dns_snapshot_free(plain);
}

TEST(cookies_are_made_checked_and_malformed_ones_refused)
{
#define ID   "NOERROR aa\n- id.pop.example.net. 0 TXT \"fra1\"\nopt 1232"
#define MADE " 10:2464c4abcf10c957010000005cf79f111f8130c3eee29480" // RFC 9018 appendix A.1
    static const struct says cases[] = {
        {{"id.pop.example.net", .type = DNS_TXT, .udp_size = 1232,
          .options = "000a 0008 2464c4abcf10c957"},
         ID MADE},
        {{"id.pop.example.net", .type = DNS_TXT, .udp_size = 1232,
          .options = "000a 0018 2464c4abcf10c957010000005cf79f111f8130c3eee29480"},
         ID MADE},
        {{"id.pop.example.net", .type = DNS_TXT, .udp_size = 1232,
          .options = "000a 0010 2464c4abcf10c9570102030405060708"},
         ID MADE},
        {{"id.pop.example.net", .type = DNS_TXT, .udp_size = 1232,
          .options = "000a 0008 2464c4abcf10c957 000a 0001 00"}, // only the first counts
         ID MADE},
        {{"example.org", .type = DNS_TXT, .udp_size = 1232,
          .options = "000a 0008 2464c4abcf10c957"},
         "REFUSED\nopt 1232" MADE " 15:0014"},
        {{"id.pop.example.net", .type = DNS_TXT, .udp_size = 1232,
          .options = "000a 0007 2464c4abcf10c9"},
         "FORMERR\nopt 1232"},
        {{"id.pop.example.net", .type = DNS_TXT, .udp_size = 1232, .options = "000a 0000"},
         "FORMERR\nopt 1232"},
        // Who asks nothing but a cookie (RFC 7873 section 5.4).
        {{NULL, .udp_size = 1232, .options = "000a 0008 2464c4abcf10c957"},
         "NOERROR\nopt 1232" MADE},
        {{NULL, .udp_size = 1232,
          .options = "000a 0018 2464c4abcf10c957010000005cf79f111f8130c3eee29480"},
         "NOERROR\nopt 1232" MADE},
        {{NULL, .udp_size = 1232, .options = "000a 0010 2464c4abcf10c9570102030405060708"},
         "BADCOOKIE\nopt 1232" MADE},
        {{NULL, .udp_size = 1232}, "FORMERR\nopt 1232"},
    };
#undef ID
#undef MADE
    ASSERT_ALL_SAY(cases);
}

TEST(a_good_cookie_is_known_from_others_before_the_answer)
{
    static const struct {
        const char *option;
        enum cookie_verdict verdict;
    } cases[] = {
        {"", COOKIE_NONE},
        {"000a 0008 2464c4abcf10c957", COOKIE_NEW},
        {"000a 0018 2464c4abcf10c957010000005cf79f111f8130c3eee29480", COOKIE_GOOD},
        {"000a 0018 2464c4abcf10c957010000005cf79f111f8130c3eee29481", COOKIE_BAD},
    };
    struct sockaddr_in client = {.sin_family = AF_INET};
    inet_pton(AF_INET, "198.51.100.100", &client.sin_addr);
    struct dns_asker asker = {.address = (struct sockaddr *)&client, .now_s = NOW_S};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t query[512];
        struct dns_request request;
        struct ask ask = {"id.pop.example.net", .type = DNS_TXT, .udp_size = 1232,
                          .options = cases[i].option};
        size_t length = write_query(&ask, query, sizeof query);
        assert_true(dns_request_read(rich, &asker, query, length, &request));
        assert_int_equal(request.cookie, cases[i].verdict);
    }
}

// ---- What is no proper query

#define H_ID  "beef "
#define QUERY "03666f6f03706f70076578616d706c65036e657400 0001 0001" // foo.pop.example.net A
#define OPT   "00 0029 04d0 00000000 0000"
#define ODD   "c00c 0001 0001 00000000 0004 c0000201" // a record

TEST(what_is_malformed_gets_an_error_or_silence)
{
    static const struct {
        const char *hex, *expected;
    } cases[] = {
        {"", "(nothing)"},
        {"beef0000000100000000", "(nothing)"},
        {H_ID "8000 0001 0000 0000 0000" QUERY, "(nothing)"}, // a response
        {H_ID "0000 0000 0000 0000 0000", "FORMERR"},
        {H_ID "0000 0001 0000 0000 0000", "FORMERR"},
        {H_ID "0100 0001 0000 0000 0000 03666f6f", "FORMERR rd"},
        {H_ID "0000 0001 0000 0000 0000 c00c 0001 0001", "FORMERR"}, // points at itself
        {H_ID "0000 0001 0000 0000 0000 40 0001 0001", "FORMERR"},
        {H_ID "0000 0001 0000 0000 0000" QUERY "00", "FORMERR"}, // trailing
        {H_ID "0000 0001 0000 0000 0001" QUERY OPT "00", "FORMERR\nopt 1232"},
        {H_ID "0000 0001 0000 0000 0001" QUERY, "FORMERR"},       // OPT announced only
        {H_ID "0000 0002 0000 0000 0000" QUERY QUERY, "FORMERR"}, // RFC 9619
        {H_ID "0000 0002 0000 0000 0001" QUERY QUERY OPT, "FORMERR\nopt 1232"},
        {H_ID "0000 0001 0000 0000 0002" QUERY OPT OPT, "FORMERR\nopt 1232"}, // two of it
        {H_ID "0000 0001 0000 0000 0001" QUERY "0161" OPT, "FORMERR"},        // not the root's
        {H_ID "0000 0001 0000 0000 0001" QUERY "40" OPT, "FORMERR"},
        {H_ID "0000 0001 0000 0000 0001" QUERY "c0", "FORMERR"},
        {H_ID "0000 0001 0000 0000 0001" QUERY "c00c 0001 0001 00000000 0005 c0000201", "FORMERR"},
        {H_ID "0000 0001 0001 0000 0000" QUERY OPT, "FORMERR"}, // not in additional
        {H_ID "0000 0001 0000 0000 0001" QUERY "00 0029 04d0 00000000 0003 000a 00", "FORMERR"},
        {H_ID "0000 0001 0000 0000 0001" QUERY "00 0029 04d0 00000000 0005 000a 000800", "FORMERR"},
        // Well-formed, if odd: what is of no use is left alone.
        {H_ID "0000 0001 0001 0001 0002" QUERY ODD "c00c 0010 0001 00000000 0001 00" ODD OPT,
         "NXDOMAIN aa" SOA "\nopt 1232"},
        // Nor is it looked at, which could take long: a pointer to nowhere, half an address.
        {H_ID "0000 0001 0000 0000 0002" QUERY "ffff 0001 0001 00000000 0002 c000" OPT,
         "NXDOMAIN aa" SOA "\nopt 1232"},
        {H_ID "0000 0001 0000 0000 0001" QUERY "00 0029 04d0 00007fff 0000",
         "NXDOMAIN aa" SOA "\nopt 1232"}, // unknown EDNS flags
        {H_ID "0000 0001 0000 0000 0001" QUERY "00 0029 04d0 00ff0000 0000", "BADVERS\nopt 1232"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_bytes_say(cases[i].hex, cases[i].expected);
    }
}

// ---- Signatures (RFC 8945), for which there are no keys here

#define KEY    "03 6b6579 00"
#define ALG    "0b 686d61632d736861323536 00" // hmac-sha256
#define AT     "0000 6553f100 012c"
#define OTHER  "1234 0000 0000" // the original id, no error, no more
#define SIGNED KEY "00fa 00ff 00000000 0021" ALG AT "0004 01020304" OTHER
#define BAD_KEY                                                                                    \
    "\n+ key. 0 TYPE250 \\# 29 0B686D61632D7368613235360000006553F100012C0000123400110000"

TEST(who_signs_is_told_that_his_key_is_unknown)
{
    static const struct {
        const char *hex, *expected;
    } cases[] = {
        {H_ID "0110 0001 0000 0000 0001" QUERY SIGNED, "NOTAUTH rd cd" BAD_KEY},
        {H_ID "0000 0001 0000 0000 0002" QUERY OPT SIGNED, "NOTAUTH\nopt 1232" BAD_KEY},
        // Not even that the zone is another's.
        {H_ID "0000 0001 0000 0000 0001"
              "03666f6f036e657400 0001 0001" SIGNED,
         "NOTAUTH" BAD_KEY},
        // RFC 8945 section 5.1: the last one, in additional, and once.
        {H_ID "0000 0001 0000 0000 0002" QUERY SIGNED OPT, "FORMERR\nopt 1232"},
        {H_ID "0000 0001 0000 0000 0002" QUERY SIGNED SIGNED, "FORMERR"},
        {H_ID "0000 0001 0001 0000 0000" QUERY SIGNED, "FORMERR"},
        {H_ID "0000 0001 0000 0000 0001" QUERY SIGNED "00", "FORMERR"},
        {H_ID "0000 0000 0000 0000 0001" SIGNED, "FORMERR"},
        {H_ID "0000 0001 0000 0000 0001" QUERY KEY "00fa 0001 00000000 0021" ALG AT
              "0004 01020304" OTHER,
         "FORMERR"},
        {H_ID "0000 0001 0000 0000 0001" QUERY KEY "00fa 00ff 00000001 0021" ALG AT
              "0004 01020304" OTHER,
         "FORMERR"},
        // RFC 8945 section 4.2: the algorithm's name is never compressed.
        {H_ID "0000 0001 0000 0000 0001" QUERY KEY "00fa 00ff 00000000 0016 c00c" AT
              "0004 01020304" OTHER,
         "FORMERR"},
        {H_ID "0000 0001 0000 0000 0001" QUERY KEY "00fa 00ff 00000000 0022" ALG AT
              "0004 01020304" OTHER "00",
         "FORMERR"},
        {H_ID "0000 0001 0000 0000 0001" QUERY KEY "00fa 00ff 00000000 001f" ALG AT "0004 01020304"
              "1234 0000",
         "FORMERR"},
        {H_ID "0000 0001 0000 0000 0001" QUERY KEY "00fa 00ff 00000000 0000", "FORMERR"},
        {H_ID "0000 0001 0000 0000 0002" QUERY "00 0029 04d0 00ff0000 0000" SIGNED,
         "BADVERS\nopt 1232"},
        {H_ID "1000 0001 0000 0000 0001" QUERY SIGNED, "NOTIMP"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_bytes_say(cases[i].hex, cases[i].expected);
    }
}

// Names of 255 octets: the question's, the key's, the algorithm's.
TEST(a_signature_that_has_no_room_in_the_answer_is_for_tcp)
{
    uint8_t query[1024];
    char name[] = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx."
                  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx."
                  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx."
                  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
    struct dns_question question = {
        .name = fixture_name(name), .type = DNS_A, .class = DNS_CLASS_IN};
    struct dns_writer writer;
    dns_write_begin(&writer, query, sizeof query, 1, 0);
    dns_write_question(&writer, &question);
    dns_record_begin(&writer, DNS_ADDITIONAL, &question.name, DNS_TSIG, DNS_CLASS_ANY, 0);
    dns_write_name(&writer, &question.name);
    dns_write_bytes(&writer, (const uint8_t[16]){0}, 16);
    dns_record_end(&writer);
    size_t length = dns_write_end(&writer);
    for (unsigned tcp = 0; tcp < 2; tcp++) {
        struct exchanged exchanged;
        exchange_bytes(rich, &(struct ask){.tcp = tcp}, query, length, &exchanged);
        assert_int_equal(exchanged.outcome.rcode, DNS_NOTAUTH);
        assert_int_equal(exchanged.outcome.truncated, !tcp);
        assert_int_equal(exchanged.response[11], tcp);
        done(&exchanged);
    }
}

TEST(other_opcodes_are_not_implemented_whatever_is_in_them)
{
    for (uint16_t opcode = 1; opcode < 16; opcode++) {
        struct exchanged exchanged;
        exchange_of(rich,
                    &(struct ask){"pop.example.net", .type = DNS_SOA,
                                  .flags = (uint16_t)(opcode << 11), .udp_size = 1232},
                    &exchanged);
        assert_string_equal(exchanged.said.text, "NOTIMP\nopt 1232 15:0015");
        assert_int_equal(exchanged.response[2] >> 3 & 15, opcode);
        assert_int_equal(exchanged.outcome.kind, DNS_KIND_INVALID);
        done(&exchanged);
    }
    assert_bytes_say(H_ID "7800 0000 0000 0000 0000", "NOTIMP");
    assert_bytes_say(H_ID "1110 0001 0000 0000 0000" QUERY, "NOTIMP rd cd");
    assert_bytes_say(H_ID "2800 0001 0000 0001 0000" QUERY "ff", "NOTIMP");
    assert_bytes_say(H_ID "3000 ffff ffff ffff ffff", "NOTIMP");
}

TEST(a_query_cut_anywhere_is_a_format_error)
{
    uint8_t query[512];
    struct ask ask = {"api.pop.example.net", .type = DNS_A, .udp_size = 1232,
                      .options = "0003 0000 000a 0008 2464c4abcf10c957"};
    size_t whole = write_query(&ask, query, sizeof query);
    for (size_t length = 0; length < whole; length++) {
        struct exchanged exchanged;
        exchange_bytes(rich, &ask, query, length, &exchanged);
        assert_int_equal(exchanged.length > 0, length >= DNS_HEADER_SIZE);
        assert_true(exchanged.length == 0 || exchanged.outcome.rcode == DNS_FORMERR);
        done(&exchanged);
    }
}

// ---- Size

TEST(a_response_is_never_larger_than_allowed_and_cut_between_rrsets_only)
{
    struct exchanged whole;
    exchange_of(
        rich, &(struct ask){"many.pop.example.net", .type = DNS_MX, .tcp = true, .udp_size = 1232},
        &whole);
    assert_false(whole.outcome.truncated);
    assert_int_equal(whole.response[7], 7);
    struct dns_snapshot *small = rich_snapshot();
    // From too small for it to more than it needs, octet by octet.
    for (uint16_t size = DNS_UDP_MAX; size < 1232; size++) {
        static const char *const names[] = {"many.pop.example.net", "big.pop.example.net",
                                            "alias2.pop.example.net", "pop.example.net"};
        static const uint16_t types[] = {DNS_MX, 65280, DNS_A, DNS_NS};
        for (size_t i = 0; i < 4; i++) {
            struct ask ask = {names[i], .type = types[i], .udp_size = size};
            struct exchanged exchanged;
            exchange_of(small, &ask, &exchanged);
            assert_true(exchanged.length <= size);
            if (i == 0) {
                assert_int_equal(exchanged.outcome.truncated, whole.length > size);
                assert_int_equal(exchanged.response[7], whole.length > size ? 0 : 7);
            }
            assert_true(exchanged.response[11] >= 1); // OPT stays
            done(&exchanged);
        }
    }
    dns_snapshot_free(small);
    done(&whole);
}

// A response that needs need octets with the OPT record is whole in need, and cut in need - 1.
TEST(what_fits_exactly_is_not_cut)
{
    struct dns_snapshot *snapshot = rich_snapshot();
    struct ask asks[] = {
        {"many.pop.example.net", .type = DNS_MX, .udp_size = 4096},
        {"big.pop.example.net", .type = 65280, .udp_size = 4096,
         .options = "0003 0000 000a 0008 2464c4abcf10c957"},
    };
    for (size_t i = 0; i < 2; i++) {
        struct exchanged exchanged;
        snapshot->udp_size = 4096;
        exchange_of(snapshot, &asks[i], &exchanged);
        assert_false(exchanged.outcome.truncated);
        size_t need = exchanged.length;
        done(&exchanged);
        if (need <= DNS_UDP_MAX) {
            continue; // nobody can ask for less
        }
        snapshot->udp_size = (uint16_t)need;
        exchange_of(snapshot, &asks[i], &exchanged);
        assert_false(exchanged.outcome.truncated);
        assert_int_equal(exchanged.length, need);
        done(&exchanged);
        snapshot->udp_size = (uint16_t)(need - 1);
        exchange_of(snapshot, &asks[i], &exchanged);
        assert_true(exchanged.outcome.truncated);
        done(&exchanged);
    }
    dns_snapshot_free(snapshot);
}

TEST(over_tcp_nothing_is_cut)
{
    struct exchanged exchanged;
    exchange_of(rich, &(struct ask){"many.pop.example.net", .type = DNS_MX, .tcp = true},
                &exchanged);
    assert_false(exchanged.outcome.truncated);
    assert_int_equal(exchanged.response[7], 7);
    done(&exchanged);
    exchange_of(rich, &(struct ask){"many.pop.example.net", .type = DNS_MX}, &exchanged);
    assert_string_equal(exchanged.said.text, "NOERROR aa tc");
    done(&exchanged);
}

// A name of 255 octets, every option, and a response of 512 octets at most.
TEST(the_longest_question_and_every_option_fit_into_512_octets)
{
    struct dns_snapshot *snapshot = rich_snapshot();
    char name[256] = "";
    snapshot->nsid_length = DNS_NSID_MAX;
    snapshot->udp_size = 100; // nonsense, taken for 512
    for (size_t i = 0; i < 3; i++) {
        memset(name + 64 * i, 'x', 63);
        name[64 * i + 63] = '.';
    }
    memset(name + 192, 'x', 45);
    memcpy(name + 237, ".pop.example.net", 17);
    struct dns_name longest = fixture_name(name);
    assert_int_equal(longest.length, DNS_NAME_MAX);
    struct ask ask = {name, .type = DNS_TXT, .udp_size = 512,
                      .options = "0003 0000 000a 0008 2464c4abcf10c957 0008 0014 0002 80 00 "
                                 "20010db8000000000000000000000001 000b 0000"};
    struct exchanged exchanged;
    exchange_of(snapshot, &ask, &exchanged);
    assert_true(exchanged.length <= DNS_UDP_MAX);
    assert_int_equal(exchanged.outcome.rcode, DNS_NXDOMAIN);
    done(&exchanged);
    dns_snapshot_free(snapshot);
}

TEST(who_is_over_the_rate_limit_gets_tc_and_nothing_else)
{
    static const struct says cases[] = {
        {{"api.pop.example.net", .type = DNS_A, .only_tc = true, .flags = DNS_RD}, "NOERROR tc rd"},
        {{"missing.pop.example.net", .type = DNS_A, .only_tc = true, .udp_size = 1232,
          .options = "000a 0008 2464c4abcf10c957"},
         "NOERROR tc\nopt 1232 10:2464c4abcf10c957010000005cf79f111f8130c3eee29480"},
        {{"example.org", .type = DNS_A, .only_tc = true},
         "REFUSED"}, // has no records to begin with
    };
    ASSERT_ALL_SAY(cases);
}

TEST(who_allows_less_than_512_octets_is_allowed_them_all_the_same)
{
    static const struct says cases[] = {
        {{"alias2.pop.example.net", .type = DNS_CNAME, .udp_size = 1},
         "NOERROR aa\n- alias2.pop.example.net. 60 CNAME alias.pop.example.net.\nopt 1232"},
        {{"many.pop.example.net", .type = DNS_MX, .udp_size = 1}, "NOERROR aa tc\nopt 1232"},
    };
    ASSERT_ALL_SAY(cases);
}

TEST(names_are_written_as_pointers_into_the_question)
{
    struct exchanged exchanged;
    exchange_of(rich, &(struct ask){"pop.example.net", .type = DNS_NS}, &exchanged);
    const uint8_t *answer = exchanged.response + DNS_HEADER_SIZE + 17 + 4;
    static const uint8_t expected[] = {0xc0, 12, 0, 2, 0,   1,   0,   0,    0x0e,
                                       0x10, 0,  6, 3, 'n', 's', '1', 0xc0, 12};
    assert_memory_equal(answer, expected, sizeof expected);
    done(&exchanged);
}

// RFC 3597 section 4, RFC 2782, RFC 9460 section 2.2.
TEST(names_in_newer_types_are_written_in_full)
{
    static const uint8_t mail[] = "\004mail\003pop\007example\003net";
    static const struct ask asks[] = {
        {"_sip._udp.deep.pop.example.net", .type = DNS_SRV},
        {"svc.pop.example.net", .type = DNS_HTTPS},
    };
    for (size_t i = 0; i < 2; i++) {
        struct exchanged exchanged;
        exchange_of(rich, &asks[i], &exchanged);
        assert_non_null(memmem(exchanged.response, exchanged.length, mail, sizeof mail));
        done(&exchanged);
    }
}

// ---- Counting

TEST(each_query_is_of_a_kind)
{
    static const struct {
        struct ask ask;
        enum dns_kind kind;
        uint16_t rcode;
    } cases[] = {
        {{"id.server", .type = DNS_TXT, .class = DNS_CLASS_CH}, DNS_KIND_IDENTITY, DNS_NOERROR},
        {{"region.pop.example.net", .type = DNS_A}, DNS_KIND_IDENTITY, DNS_NOERROR},
        {{"whoami.pop.example.net", .type = DNS_TXT}, DNS_KIND_WHOAMI, DNS_NOERROR},
        {{"health.pop.example.net", .type = DNS_TXT}, DNS_KIND_HEALTH, DNS_NOERROR},
        {{"web.pop.example.net", .type = DNS_TXT}, DNS_KIND_HEALTH, DNS_NOERROR},
        {{"pop.example.net", .type = DNS_SOA}, DNS_KIND_ZONE, DNS_NOERROR},
        {{"ns1.pop.example.net", .type = DNS_A}, DNS_KIND_ZONE, DNS_NOERROR},
        {{"deep.pop.example.net", .type = DNS_A}, DNS_KIND_ZONE, DNS_NOERROR},
        {{"api.pop.example.net", .type = DNS_A}, DNS_KIND_ANSWER, DNS_NOERROR},
        {{"a.wild.pop.example.net", .type = DNS_A}, DNS_KIND_ANSWER, DNS_NOERROR},
        {{"nowhere.pop.example.net", .type = DNS_A}, DNS_KIND_ANSWER, DNS_NXDOMAIN},
        {{"missing.pop.example.net", .type = DNS_A}, DNS_KIND_MISSING, DNS_NXDOMAIN},
        {{"missing.pop.example.net", .type = DNS_A, .only_tc = true},
         DNS_KIND_MISSING,
         DNS_NOERROR},
        {{"example.org", .type = DNS_A}, DNS_KIND_OUTSIDE, DNS_REFUSED},
        {{"pop.example.net", .type = DNS_A, .udp_size = 512, .version = 1},
         DNS_KIND_INVALID,
         DNS_BADVERS},
        {{NULL, .udp_size = 512, .options = "000a 0008 2464c4abcf10c957"},
         DNS_KIND_INVALID,
         DNS_NOERROR},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct exchanged exchanged;
        exchange_of(rich, &cases[i].ask, &exchanged);
        assert_int_equal(exchanged.outcome.kind, cases[i].kind);
        assert_int_equal(exchanged.outcome.rcode, cases[i].rcode);
        assert_non_null(dns_kind_name(cases[i].kind));
        done(&exchanged);
    }
}
