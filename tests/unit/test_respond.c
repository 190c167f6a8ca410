// From a query to its response: who the PoP is, and what its zone has.
#include "tests/unit/responses.h"

TEST_GROUP(set_up, tear_down);

// ---- Identity

TEST(the_pop_says_who_it_is)
{
    static const struct says cases[] = {
        {{"id.server", .type = DNS_TXT, .class = DNS_CLASS_CH},
         "NOERROR aa\n- id.server. 0 CH TXT \"fra1\""},
        {{"HOSTNAME.bind", .type = DNS_TXT, .class = DNS_CLASS_CH},
         "NOERROR aa\n- HOSTNAME.bind. 0 CH TXT \"fra1\""},
        {{"version.bind", .type = DNS_TXT, .class = DNS_CLASS_CH},
         "NOERROR aa\n- version.bind. 0 CH TXT \"popgate 1\""},
        {{"version.server", .type = DNS_ANY, .class = DNS_CLASS_CH},
         "NOERROR aa\n- version.server. 0 CH TXT \"popgate 1\""},
        {{"id.server", .type = DNS_A, .class = DNS_CLASS_CH}, "NOERROR aa"},
        {{"authors.bind", .type = DNS_TXT, .class = DNS_CLASS_CH}, "REFUSED"},
        {{"id.server", .type = DNS_TXT}, "REFUSED"},
        {{"id.pop.example.net", .type = DNS_TXT},
         "NOERROR aa\n- id.pop.example.net. 0 TXT \"fra1\""},
        {{"region.pop.example.net", .type = DNS_TXT},
         "NOERROR aa\n- region.pop.example.net. 0 TXT \"eu-central\""},
        {{"id.pop.example.net", .type = DNS_A}, "NOERROR aa" SOA},
        {{"x.id.pop.example.net", .type = DNS_TXT}, "NXDOMAIN aa" SOA},
        {{"health.pop.example.net", .type = DNS_TXT},
         "NOERROR aa\n- health.pop.example.net. 0 TXT \"announce=1\" \"depreference=0\" "
         "\"withdraw=1\""},
        {{"dns.pop.example.net", .type = DNS_TXT},
         "NOERROR aa\n- dns.pop.example.net. 0 TXT \"target=announce\" "
         "\"since=2026-11-21T03:20:51Z\""},
        {{"dns.pop.example.net", .type = DNS_AAAA}, "NOERROR aa" NO_TIME},
    };
    ASSERT_ALL_SAY(cases);
}

TEST(whoami_is_the_asker_himself)
{
    static const struct says cases[] = {
        {{"whoami.pop.example.net", .type = DNS_A},
         "NOERROR aa\n- whoami.pop.example.net. 0 A 198.51.100.100"},
        {{"whoami.pop.example.net", .type = DNS_AAAA}, "NOERROR aa" NO_TIME},
        {{"whoami.pop.example.net", .type = DNS_AAAA, .v6 = true},
         "NOERROR aa\n- whoami.pop.example.net. 0 AAAA 2001:db8:220:1:59de:d0f4:8769:82b8"},
        {{"whoami.pop.example.net", .type = DNS_A, .v6 = true}, "NOERROR aa" NO_TIME},
        {{"whoami.pop.example.net", .type = DNS_TXT},
         "NOERROR aa\n- whoami.pop.example.net. 0 TXT \"address=198.51.100.100\" \"port=5300\" "
         "\"transport=udp\" \"pop=fra1\""},
        {{"whoami.pop.example.net", .type = DNS_TXT, .v6 = true, .tcp = true},
         "NOERROR aa\n- whoami.pop.example.net. 0 TXT "
         "\"address=2001:db8:220:1:59de:d0f4:8769:82b8\" \"port=5300\" \"transport=tcp\" "
         "\"pop=fra1\""},
        {{"whoami.pop.example.net", .type = DNS_MX}, "NOERROR aa" NO_TIME},
        {{"to-whoami.pop.example.net", .type = DNS_A},
         "NOERROR aa\n- to-whoami.pop.example.net. 60 CNAME whoami.pop.example.net."
         "\n- whoami.pop.example.net. 0 A 198.51.100.100"},
    };
    ASSERT_ALL_SAY(cases);
}

TEST(a_client_subnet_is_told_and_echoed_with_its_scope_by_whoami_only)
{
#define WHOAMI                                                                                     \
    "NOERROR aa\n- whoami.pop.example.net. 0 TXT \"address=198.51.100.100\" \"port=5300\""
    static const struct says cases[] = {
        {{"whoami.pop.example.net", .type = DNS_TXT, .udp_size = 1232,
          .options = "0008 0007 0001 18 00 cb0071"},
         WHOAMI " \"transport=udp\" \"subnet=203.0.113.0/24\" \"pop=fra1\""
                "\nopt 1232 8:00011818cb0071"},
        {{"whoami.pop.example.net", .type = DNS_TXT, .udp_size = 1232,
          .options = "0008 000b 0002 38 00 20010db8000001"},
         WHOAMI " \"transport=udp\" \"subnet=2001:db8:0:100::/56\" \"pop=fra1\""
                "\nopt 1232 8:0002383820010db8000001"},
        {{"whoami.pop.example.net", .type = DNS_TXT, .udp_size = 1232,
          .options = "0008 0004 0001 00 00"},
         WHOAMI " \"transport=udp\" \"subnet=0.0.0.0/0\" \"pop=fra1\"\nopt 1232 8:00010000"},
        {{"whoami.pop.example.net", .type = DNS_TXT, .udp_size = 1232,
          .options = "0008 0004 0000 00 00"},
         WHOAMI " \"transport=udp\" \"subnet=0/0\" \"pop=fra1\"\nopt 1232 8:00000000"},
        {{"id.pop.example.net", .type = DNS_TXT, .udp_size = 1232,
          .options = "0008 0007 0001 18 00 cb0071"},
         "NOERROR aa\n- id.pop.example.net. 0 TXT \"fra1\"\nopt 1232"},
    };
#undef WHOAMI
    ASSERT_ALL_SAY(cases);
}

TEST(a_malformed_client_subnet_is_a_format_error)
{
    static const char *const options[] = {
        "0008 0003 0001 00",               // too short
        "0008 0006 0001 18 00 cb00",       // shorter than its prefix
        "0008 0008 0001 18 00 cb007100",   // longer
        "0008 0007 0001 17 00 cb0071",     // a bit beyond the prefix
        "0008 0007 0001 18 01 cb0071",     // a scope, in a query
        "0008 0009 0001 21 00 cb00710000", // 33 bits of IPv4
        "0008 0015 0002 81 00 20010db800000000000000000000000000",
        "0008 0005 0000 01 00 80", // bits of no family
        "0008 0004 0003 00 00",    // of an unknown one
        "0008 0000",
    };
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        struct ask ask = {"id.pop.example.net", .type = DNS_TXT, .udp_size = 1232,
                          .options = options[i]};
        assert_says(&ask, "FORMERR\nopt 1232");
    }
}

// ---- Answers

TEST(answers_follow_their_service)
{
    // a, aaaa and txt of api.pop.example.net; a and mx of moving.pop.example.net.
    static const char *const api[DNS_STATES] = {"192.0.2.10", "192.0.2.11", "192.0.2.12",
                                                "192.0.2.12"};
    static const bool aaaa[DNS_STATES] = {true, false, false, false};
    static const char *const txt[DNS_STATES] = {"normal", "normal", "drained", "drained"};
    for (enum dns_state s = 0; s < DNS_STATES; s++) {
        char expected[256];
        rich->services[0].state = s;
        struct exchanged exchanged;
        exchange_of(rich, &(struct ask){"api.pop.example.net", .type = DNS_A}, &exchanged);
        assert_non_null(strstr(exchanged.said.text, api[s]));
        assert_int_equal(exchanged.response[7], s == DNS_STATE_NORMAL ? 3 : 1);
        done(&exchanged);
        assert_says(&(struct ask){"api.pop.example.net", .type = DNS_AAAA},
                    aaaa[s] ? "NOERROR aa\n- api.pop.example.net. 30 AAAA 2001:db8::10"
                            : "NOERROR aa" SOA_FOR("30"));
        snprintf(expected, sizeof expected, "NOERROR aa\n- api.pop.example.net. 30 TXT \"%s\"",
                 txt[s]);
        assert_says(&(struct ask){"api.pop.example.net", .type = DNS_TXT}, expected);
        // Not listed for a better state: then nothing, never what was meant for another.
        assert_says(&(struct ask){"only-drained.pop.example.net", .type = DNS_A},
                    s >= DNS_STATE_DRAINED
                        ? "NOERROR aa\n- only-drained.pop.example.net. 30 A 192.0.2.52"
                        : "NOERROR aa" SOA_FOR("30"));
    }
    rich->services[0].state = DNS_STATE_NORMAL;
    rich->services[1].state = DNS_STATE_WITHDRAWN;
    static const struct says moved[] = {
        {{"moving.pop.example.net", .type = DNS_A},
         "NOERROR aa\n- moving.pop.example.net. 30 CNAME Elsewhere.example.ORG."},
        {{"moving.pop.example.net", .type = DNS_MX},
         "NOERROR aa\n- moving.pop.example.net. 30 CNAME Elsewhere.example.ORG."},
        {{"moving.pop.example.net", .type = DNS_ANY},
         "NOERROR aa\n- moving.pop.example.net. 30 CNAME Elsewhere.example.ORG."},
    };
    ASSERT_ALL_SAY(moved);
    rich->services[1].state = DNS_STATE_NORMAL;
}

TEST(records_take_turns_at_being_first)
{
    static const char *const expected[] = {
        "NOERROR aa\n- api.pop.example.net. 30 A 192.0.2.10\n- api.pop.example.net. 30 A "
        "192.0.2.20\n- api.pop.example.net. 30 A 192.0.2.30",
        "NOERROR aa\n- api.pop.example.net. 30 A 192.0.2.20\n- api.pop.example.net. 30 A "
        "192.0.2.30\n- api.pop.example.net. 30 A 192.0.2.10",
        "NOERROR aa\n- api.pop.example.net. 30 A 192.0.2.30\n- api.pop.example.net. 30 A "
        "192.0.2.10\n- api.pop.example.net. 30 A 192.0.2.20",
    };
    for (unsigned turn = 0; turn < 6; turn++) {
        assert_says(&(struct ask){"api.pop.example.net", .type = DNS_A, .turn = turn},
                    expected[turn % 3]);
    }
}

TEST(the_apex_has_soa_ns_and_its_answer)
{
    static const struct says cases[] = {
        {{"pop.example.net", .type = DNS_SOA},
         "NOERROR aa\n- pop.example.net. 3600 SOA ns1.pop.example.net. "
         "hostmaster.pop.example.net. 7 3600 900 604800 60"},
        {{"pop.example.net", .type = DNS_NS},
         "NOERROR aa\n- pop.example.net. 3600 NS ns1.pop.example.net."
         "\n- pop.example.net. 3600 NS ns2.example.org."
         "\n+ ns1.pop.example.net. 3600 A 192.0.2.53"
         "\n+ ns1.pop.example.net. 3600 AAAA 2001:db8::53"},
        {{"pop.example.net", .type = DNS_A}, "NOERROR aa\n- pop.example.net. 300 A 192.0.2.1"},
        {{"pop.example.net", .type = DNS_MX},
         "NOERROR aa\n- pop.example.net. 300 MX 5 mail.pop.example.net."
         "\n+ mail.pop.example.net. 300 A 192.0.2.25"
         "\n+ mail.pop.example.net. 300 AAAA 2001:db8::25"},
        {{"pop.example.net", .type = DNS_CAA},
         "NOERROR aa\n- pop.example.net. 300 CAA 0 issue \"ca.example.org; a=b\""},
        {{"pop.example.net", .type = DNS_DNSKEY}, "NOERROR aa" SOA},
        {{"pop.example.net", .type = DNS_DS}, "NOERROR aa" SOA},
        {{"ns1.pop.example.net", .type = DNS_A},
         "NOERROR aa\n- ns1.pop.example.net. 3600 A 192.0.2.53"},
        {{"ns1.pop.example.net", .type = DNS_TXT}, "NOERROR aa" SOA},
    };
    ASSERT_ALL_SAY(cases);
}

TEST(what_is_missing_is_told_from_what_is_empty_and_from_what_is_not_ours)
{
    static const struct says cases[] = {
        {{"missing.pop.example.net", .type = DNS_A}, "NXDOMAIN aa" SOA},
        {{"x.api.pop.example.net", .type = DNS_A}, "NXDOMAIN aa" SOA},
        {{"deep.pop.example.net", .type = DNS_A}, "NOERROR aa" SOA}, // empty, between names
        {{"_udp.deep.pop.example.net", .type = DNS_ANY}, "NOERROR aa" SOA},
        {{"wild.pop.example.net", .type = DNS_A}, "NOERROR aa" SOA},
        {{"example.net", .type = DNS_A}, "REFUSED"},
        {{"xpop.example.net", .type = DNS_A}, "REFUSED"},
        {{".", .type = DNS_NS}, "REFUSED"},
        {{"pop.example.net", .type = DNS_A, .class = DNS_CLASS_ANY}, "REFUSED"},
        {{"pop.example.net", .type = DNS_A, .class = DNS_CLASS_NONE}, "REFUSED"},
        {{"pop.example.net", .type = DNS_A, .class = DNS_CLASS_CH}, "REFUSED"},
    };
    ASSERT_ALL_SAY(cases);
}

TEST(wildcards_answer_for_what_has_no_name_of_its_own)
{
    static const struct says cases[] = {
        {{"A.wild.pop.example.net", .type = DNS_A},
         "NOERROR aa\n- A.wild.pop.example.net. 60 A 192.0.2.60"},
        {{"a.b.c.wild.pop.example.net", .type = DNS_TXT},
         "NOERROR aa\n- a.b.c.wild.pop.example.net. 60 TXT \"wild\""},
        {{"a.wild.pop.example.net", .type = DNS_AAAA}, "NOERROR aa" SOA},
        {{"host.wild.pop.example.net", .type = DNS_A}, "NOERROR aa" SOA},
        {{"x.host.wild.pop.example.net", .type = DNS_A}, "NXDOMAIN aa" SOA},
        {{"*.wild.pop.example.net", .type = DNS_A},
         "NOERROR aa\n- *.wild.pop.example.net. 60 A 192.0.2.60"},
        {{"q.wildalias.pop.example.net", .type = DNS_A},
         "NOERROR aa\n- q.wildalias.pop.example.net. 60 CNAME any.wild.pop.example.net."
         "\n- any.wild.pop.example.net. 60 A 192.0.2.60"},
    };
    ASSERT_ALL_SAY(cases);
}

TEST(aliases_are_followed_within_the_zone_and_no_further)
{
#define ALIAS  "\n- alias.pop.example.net. 60 CNAME Api.Pop.Example.Net."
#define ALIAS2 "\n- alias2.pop.example.net. 60 CNAME alias.pop.example.net."
    static const struct says cases[] = {
        // The alias' letters up to the apex, whose letters are the question's: one name still.
        {{"alias2.pop.example.net", .type = DNS_AAAA},
         "NOERROR aa" ALIAS2 "\n- alias.pop.example.net. 60 CNAME Api.pop.example.net."
         "\n- Api.pop.example.net. 30 AAAA 2001:db8::10"},
        {{"alias2.pop.example.net", .type = DNS_MX},
         "NOERROR aa" ALIAS2
         "\n- alias.pop.example.net. 60 CNAME Api.pop.example.net." SOA_FOR("30")},
        {{"alias2.pop.example.net", .type = DNS_CNAME}, "NOERROR aa" ALIAS2},
        {{"alias2.pop.example.net", .type = DNS_ANY}, "NOERROR aa" ALIAS2},
        // Its addresses were not asked for.
        {{"alias.pop.example.net", .type = DNS_CNAME},
         "NOERROR aa\n- alias.pop.example.net. 60 CNAME Api.pop.example.net."},
        {{"alias.pop.example.net", .type = DNS_ANY},
         "NOERROR aa\n- alias.pop.example.net. 60 CNAME Api.pop.example.net."},
        {{"away.pop.example.net", .type = DNS_A},
         "NOERROR aa\n- away.pop.example.net. 60 CNAME www.example.org."},
        {{"nowhere.pop.example.net", .type = DNS_A},
         "NXDOMAIN aa\n- nowhere.pop.example.net. 60 CNAME missing.pop.example.net." SOA},
        {{"loop1.pop.example.net", .type = DNS_A},
         "NOERROR aa\n- loop1.pop.example.net. 60 CNAME loop2.pop.example.net."
         "\n- loop2.pop.example.net. 60 CNAME loop1.pop.example.net."},
        {{"q.selfish.pop.example.net", .type = DNS_A},
         "NOERROR aa\n- q.selfish.pop.example.net. 60 CNAME x.selfish.pop.example.net."
         "\n- x.selfish.pop.example.net. 60 CNAME x.selfish.pop.example.net."},
    };
#undef ALIAS
#undef ALIAS2
    ASSERT_ALL_SAY(cases);
}

TEST(a_long_chain_of_aliases_is_cut)
{
    enum { LINKS = 20 };
    static char names[LINKS + 1][32];
    static struct told told[LINKS];
    struct dns_name apex = fixture_name("example"), server = fixture_name("ns.example.org");
    struct zone_conf conf = {.id = "x",
                             .region = "",
                             .apex = &apex,
                             .servers = &server,
                             .server_count = 1,
                             .hostmaster = apex};
    for (size_t i = 0; i <= LINKS; i++) {
        snprintf(names[i], sizeof names[i], "n%zu.example", i);
    }
    for (size_t i = 0; i < LINKS; i++) {
        told[i] =
            (struct told){names[i], NO_SERVICE, 60, {{DNS_STATE_NORMAL, DNS_CNAME, names[i + 1]}}};
    }
    fixture_answers(&conf, told, LINKS);
    struct zone *zone = zone_new(&conf);
    assert_non_null(zone);
    struct dns_snapshot *snapshot = fixture_snapshot(zone, 0);
    struct exchanged exchanged;
    exchange_of(snapshot, &(struct ask){"n0.example", .type = DNS_A}, &exchanged);
    assert_int_equal(exchanged.outcome.rcode, DNS_NOERROR);
    assert_int_equal(exchanged.response[7], 9);
    done(&exchanged);
    exchange_of(snapshot, &(struct ask){"n15.example", .type = DNS_A}, &exchanged);
    assert_int_equal(exchanged.outcome.rcode, DNS_NXDOMAIN);
    assert_int_equal(exchanged.response[7], 5);
    done(&exchanged);
    dns_snapshot_free(snapshot);
    zone_free(zone);
    fixture_drop(&conf);
}

TEST(the_zone_may_have_its_servers_elsewhere)
{
    struct dns_name apex = fixture_name("example"), server = fixture_name("ns.example.org");
    struct zone_conf conf = {.id = "x",
                             .region = "",
                             .apex = &apex,
                             .servers = &server,
                             .server_count = 1,
                             .hostmaster = fixture_name("host.example"),
                             .ttl_s = 60,
                             .negative_ttl_s = 3600};
    struct zone *zone = zone_new(&conf);
    assert_non_null(zone);
    struct dns_snapshot *snapshot = fixture_snapshot(zone, 0);
    struct exchanged exchanged;
    exchange_of(snapshot, &(struct ask){"x.example", .type = DNS_A}, &exchanged);
    // The SOA's TTL is the smaller of its own and its last field (RFC 2308 section 5).
    assert_string_equal(exchanged.said.text, "NXDOMAIN aa\n? example. 60 SOA ns.example.org. "
                                             "host.example. 0 3600 900 604800 3600");
    done(&exchanged);
    dns_snapshot_free(snapshot);
    zone_free(zone);
}

TEST(the_zone_may_be_the_root)
{
    struct dns_name apex = fixture_name("."), server = fixture_name("ns");
    struct zone_conf conf = {.id = "x",
                             .region = "",
                             .apex = &apex,
                             .servers = &server,
                             .server_count = 1,
                             .hostmaster = fixture_name("dns.operator"), // fills its memory
                             .ttl_s = 60,
                             .negative_ttl_s = 60};
    struct zone *zone = zone_new(&conf);
    assert_non_null(zone);
    struct dns_snapshot *snapshot = fixture_snapshot(zone, 0);
    struct exchanged exchanged;
    exchange_of(snapshot, &(struct ask){"a.b", .type = DNS_A}, &exchanged);
    assert_string_equal(exchanged.said.text,
                        "NXDOMAIN aa\n? . 60 SOA ns. dns.operator. 0 3600 900 604800 60");
    done(&exchanged);
    exchange_of(snapshot, &(struct ask){".", .type = DNS_NS}, &exchanged);
    assert_string_equal(exchanged.said.text, "NOERROR aa\n- . 60 NS ns.");
    done(&exchanged);
    dns_snapshot_free(snapshot);
    zone_free(zone);
}

TEST(what_records_lead_to_is_added_once_and_never_makes_an_answer_incomplete)
{
#define MAIL                                                                                       \
    "\n+ mail.pop.example.net. 300 A 192.0.2.25\n+ mail.pop.example.net. 300 AAAA 2001:db8::25"
    static const struct says cases[] = {
        {{"_sip._udp.deep.pop.example.net", .type = DNS_SRV},
         "NOERROR aa\n- _sip._udp.deep.pop.example.net. 60 SRV 1 2 5060 mail.pop.example.net."
         "\n- _sip._udp.deep.pop.example.net. 60 SRV 1 2 5061 mail.pop.example.net."
         "\n- _sip._udp.deep.pop.example.net. 60 SRV 1 2 5062 sip.example.org." MAIL},
        {{"svc.pop.example.net", .type = DNS_HTTPS},
         "NOERROR aa\n- svc.pop.example.net. 60 HTTPS 1 mail.pop.example.net. alpn=\"h2,h3\"" MAIL},
        {{"svc.pop.example.net", .type = DNS_SVCB},
         "NOERROR aa\n- svc.pop.example.net. 60 SVCB 0 svc.example.org."},
        // RFC 1035 section 3.3.12
        {{"svc.pop.example.net", .type = DNS_PTR},
         "NOERROR aa\n- svc.pop.example.net. 60 PTR mail.pop.example.net."},
    };
#undef MAIL
    ASSERT_ALL_SAY(cases);
}

TEST(any_is_one_rrset)
{
    static const struct says cases[] = {
        {{"api.pop.example.net", .type = DNS_ANY, .turn = 1},
         "NOERROR aa\n- api.pop.example.net. 30 A 192.0.2.20\n- api.pop.example.net. 30 A "
         "192.0.2.30\n- api.pop.example.net. 30 A 192.0.2.10"},
        {{"id.pop.example.net", .type = DNS_ANY},
         "NOERROR aa\n- id.pop.example.net. 0 TXT \"fra1\""},
        {{"whoami.pop.example.net", .type = DNS_ANY},
         "NOERROR aa\n- whoami.pop.example.net. 0 A 198.51.100.100"},
        {{"missing.pop.example.net", .type = DNS_ANY}, "NXDOMAIN aa" SOA},
    };
    ASSERT_ALL_SAY(cases);
}

TEST(transfers_are_refused_and_mailboxes_are_a_thing_of_the_past)
{
    static const struct says cases[] = {
        {{"pop.example.net", .type = DNS_AXFR, .tcp = true}, "REFUSED"},
        {{"pop.example.net", .type = DNS_IXFR}, "REFUSED"},
        {{"pop.example.net", .type = DNS_AXFR, .udp_size = 1232}, "REFUSED\nopt 1232 15:0015"},
        {{"pop.example.net", .type = DNS_MAILB}, "NOTIMP"},
        {{"pop.example.net", .type = DNS_MAILA}, "NOTIMP"},
    };
    ASSERT_ALL_SAY(cases);
}

TEST(letters_are_echoed_as_they_were_asked)
{
    static const struct says cases[] = {
        {{"Id.pOP.exAMPle.nET", .type = DNS_TXT},
         "NOERROR aa\n- Id.pOP.exAMPle.nET. 0 TXT \"fra1\""},
        {{"MISSING.POP.example.net", .type = DNS_A},
         "NXDOMAIN aa\n? POP.example.net. 60 SOA ns1.POP.example.net. "
         "hostmaster.POP.example.net. 7 3600 900 604800 60"},
    };
    ASSERT_ALL_SAY(cases);
}

TEST(flags_are_copied_or_cleared_as_the_rfcs_say)
{
    // RA, AD, and the bit that must be zero, which the fixture looks at; AA and TC are ours to set.
    struct ask ask = {"id.pop.example.net", .type = DNS_TXT,
                      .flags = DNS_RD | DNS_CD | DNS_AD | DNS_RA | DNS_AA | DNS_TC | 0x0040 |
                               DNS_NXDOMAIN};
    assert_says(&ask, "NOERROR aa rd cd\n- id.pop.example.net. 0 TXT \"fra1\"");
    assert_says(&(struct ask){"example.org", .type = DNS_A, .flags = DNS_RD | DNS_AA},
                "REFUSED rd");
}
