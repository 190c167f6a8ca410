// dns/respond: what is said to which query, to the octet where it matters.
#include "tests/test.h"
#include "tests/unit/respond_fixture.h"

#define SOA                                                                                        \
    "\n? pop.example.net. 60 SOA ns1.pop.example.net. hostmaster.pop.example.net. 7 3600 900 "     \
    "604800 60"

#define NOW_S 1559731985u

struct ask {
    const char *name; // NULL: no question
    uint16_t type;
    uint16_t class; // 0: IN
    uint16_t flags;
    uint16_t udp_size; // 0: no OPT
    uint8_t version;
    bool dnssec_ok;
    const char *options; // hexadecimal: codes, lengths, contents
    bool tcp, v6, only_tc;
    unsigned turn;
};

// A query and its response, each in an allocation of its own so that a sanitizer sees its end.
struct exchanged {
    uint8_t *query, *response;
    size_t query_length, length; // length 0: there was no response
    struct dns_outcome outcome;
    struct said said;
};

static struct dns_snapshot *rich;

static int set_up(void **state)
{
    (void)state;
    rich = rich_snapshot();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    dns_snapshot_free(rich);
    return 0;
}

TEST_GROUP(set_up, tear_down);

static size_t from_hex(const char *hex, uint8_t *out)
{
    size_t length = 0;
    for (; *hex; hex += hex[0] == ' ' ? 1 : 2) {
        if (*hex != ' ') {
            const char pair[] = {hex[0], hex[1], '\0'};
            out[length++] = (uint8_t)strtoul(pair, NULL, 16);
        }
    }
    return length;
}

static size_t write_query(const struct ask *ask, uint8_t *out, size_t size)
{
    struct dns_writer writer;
    uint8_t options[512];
    dns_write_begin(&writer, out, size, 0xbeef, ask->flags);
    if (ask->name) {
        struct dns_question question = {.name = fixture_name(ask->name),
                                        .type = ask->type,
                                        .class = ask->class ? ask->class : DNS_CLASS_IN};
        dns_write_question(&writer, &question);
    }
    if (ask->udp_size) {
        struct dns_edns edns = {
            .udp_size = ask->udp_size, .version = ask->version, .dnssec_ok = ask->dnssec_ok};
        dns_opt_begin(&writer, &edns);
        dns_write_bytes(&writer, options, from_hex(ask->options ? ask->options : "", options));
        dns_record_end(&writer);
    }
    return dns_write_end(&writer);
}

static void exchange_bytes(const struct dns_snapshot *snapshot, const struct ask *ask,
                           const uint8_t *query, size_t length, struct exchanged *out)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(5300)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(5300)};
    inet_pton(AF_INET, "198.51.100.100", &v4.sin_addr);
    inet_pton(AF_INET6, "2001:db8:220:1:59de:d0f4:8769:82b8", &v6.sin6_addr);
    const struct dns_asker asker = {.address =
                                        ask->v6 ? (struct sockaddr *)&v6 : (struct sockaddr *)&v4,
                                    .transport = ask->tcp ? DNS_TCP : DNS_UDP,
                                    .now_s = NOW_S,
                                    .turn = ask->turn,
                                    .keepalive_ds = 100};
    size_t size = ask->tcp ? DNS_MESSAGE_MAX : 4096;
    struct dns_request request;
    *out = (struct exchanged){.query = malloc(length + 1), .query_length = length};
    assert_non_null(out->query);
    memcpy(out->query, query, length);
    out->query = realloc(out->query, length ? length : 1);
    assert_non_null(out->query);
    if (!dns_request_read(snapshot, &asker, out->query, length, &request)) {
        return;
    }
    out->response = malloc(size);
    assert_non_null(out->response);
    out->length =
        dns_respond(snapshot, &asker, &request, ask->only_tc, out->response, size, &out->outcome);
    const char *problem =
        response_problem(out->query, length, out->response, out->length, size, &out->outcome);
    if (problem) {
        fail_msg("%s: %s", ask->name ? ask->name : "(no question)", problem);
    }
    assert_non_null(response_text(out->response, out->length, &out->said));
}

static void exchange_of(const struct dns_snapshot *snapshot, const struct ask *ask,
                        struct exchanged *out)
{
    uint8_t query[1024];
    exchange_bytes(snapshot, ask, query, write_query(ask, query, sizeof query), out);
}

static void done(struct exchanged *exchanged)
{
    free(exchanged->query);
    free(exchanged->response);
}

static void assert_says(const struct ask *ask, const char *expected)
{
    struct exchanged exchanged;
    exchange_of(rich, ask, &exchanged);
    assert_string_equal(exchanged.said.text, expected);
    done(&exchanged);
}

// For what is no message that the writer would write.
static void assert_bytes_say(const char *hex, const char *expected)
{
    struct exchanged exchanged;
    uint8_t query[1024];
    const struct ask ask = {.name = hex};
    exchange_bytes(rich, &ask, query, from_hex(hex, query), &exchanged);
    assert_string_equal(exchanged.length ? exchanged.said.text : "(nothing)", expected);
    done(&exchanged);
}

struct says {
    struct ask ask;
    const char *expected;
};

static void assert_all_say(const struct says *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        assert_says(&cases[i].ask, cases[i].expected);
    }
}
#define ASSERT_ALL_SAY(cases) assert_all_say(cases, sizeof(cases) / sizeof *(cases))

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
        {{"dns.pop.example.net", .type = DNS_AAAA}, "NOERROR aa" SOA},
    };
    ASSERT_ALL_SAY(cases);
}

TEST(whoami_is_the_asker_himself)
{
    static const struct says cases[] = {
        {{"whoami.pop.example.net", .type = DNS_A},
         "NOERROR aa\n- whoami.pop.example.net. 0 A 198.51.100.100"},
        {{"whoami.pop.example.net", .type = DNS_AAAA}, "NOERROR aa" SOA},
        {{"whoami.pop.example.net", .type = DNS_AAAA, .v6 = true},
         "NOERROR aa\n- whoami.pop.example.net. 0 AAAA 2001:db8:220:1:59de:d0f4:8769:82b8"},
        {{"whoami.pop.example.net", .type = DNS_A, .v6 = true}, "NOERROR aa" SOA},
        {{"whoami.pop.example.net", .type = DNS_TXT},
         "NOERROR aa\n- whoami.pop.example.net. 0 TXT \"address=198.51.100.100\" \"port=5300\" "
         "\"transport=udp\" \"pop=fra1\""},
        {{"whoami.pop.example.net", .type = DNS_TXT, .v6 = true, .tcp = true},
         "NOERROR aa\n- whoami.pop.example.net. 0 TXT "
         "\"address=2001:db8:220:1:59de:d0f4:8769:82b8\" \"port=5300\" \"transport=tcp\" "
         "\"pop=fra1\""},
        {{"whoami.pop.example.net", .type = DNS_MX}, "NOERROR aa" SOA},
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
        const struct ask ask = {"id.pop.example.net", .type = DNS_TXT, .udp_size = 1232,
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
                            : "NOERROR aa" SOA);
        snprintf(expected, sizeof expected, "NOERROR aa\n- api.pop.example.net. 30 TXT \"%s\"",
                 txt[s]);
        assert_says(&(struct ask){"api.pop.example.net", .type = DNS_TXT}, expected);
        // Not listed for a better state: then nothing, never what was meant for another.
        assert_says(&(struct ask){"only-drained.pop.example.net", .type = DNS_A},
                    s >= DNS_STATE_DRAINED
                        ? "NOERROR aa\n- only-drained.pop.example.net. 30 A 192.0.2.52"
                        : "NOERROR aa" SOA);
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
         "NOERROR aa" ALIAS2 "\n- alias.pop.example.net. 60 CNAME Api.pop.example.net." SOA},
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
    const struct zone_conf conf = {.id = "x",
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
    const struct zone_conf conf = {.id = "x",
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
    const struct ask ask = {"id.pop.example.net", .type = DNS_TXT,
                            .flags = DNS_RD | DNS_CD | DNS_AD | DNS_RA | DNS_AA | DNS_TC | 0x0040 |
                                     DNS_NXDOMAIN};
    assert_says(&ask, "NOERROR aa rd cd\n- id.pop.example.net. 0 TXT \"fra1\"");
    assert_says(&(struct ask){"example.org", .type = DNS_A, .flags = DNS_RD | DNS_AA},
                "REFUSED rd");
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
    const struct dns_asker asker = {.address = (struct sockaddr *)&client, .now_s = NOW_S};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t query[512];
        struct dns_request request;
        const struct ask ask = {"id.pop.example.net", .type = DNS_TXT, .udp_size = 1232,
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
    assert_bytes_say(H_ID "2800 0001 0000 0001 0000" QUERY "ff", "NOTIMP");
    assert_bytes_say(H_ID "3000 ffff ffff ffff ffff", "NOTIMP");
}

TEST(a_query_cut_anywhere_is_a_format_error)
{
    uint8_t query[512];
    const struct ask ask = {"api.pop.example.net", .type = DNS_A, .udp_size = 1232,
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
            const struct ask ask = {names[i], .type = types[i], .udp_size = size};
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
    const struct ask asks[] = {
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
    const struct ask ask = {name, .type = DNS_TXT, .udp_size = 512,
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
