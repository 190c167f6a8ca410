// dns/zone: which node stands for a name, whose records hold in which state, and what is refused.
#include "tests/test.h"
#include "tests/unit/respond_fixture.h"

#define NORMAL    DNS_STATE_NORMAL
#define DEGRADED  DNS_STATE_DEGRADED
#define DRAINED   DNS_STATE_DRAINED
#define WITHDRAWN DNS_STATE_WITHDRAWN

static const char *const services[] = {"dns", "web"};

// A zone example., of server ns.example.org., with the services above.
static struct zone_conf conf_of(const struct told *told, size_t count)
{
    static struct dns_name apex, server;
    apex = fixture_name("example");
    server = fixture_name("ns.example.org");
    struct zone_conf conf = {.id = "fra1",
                             .region = "",
                             .apex = &apex,
                             .servers = &server,
                             .server_count = 1,
                             .hostmaster = fixture_name("hostmaster.example"),
                             .ttl_s = 3600,
                             .negative_ttl_s = 60,
                             .services = services,
                             .service_count = 2};
    fixture_answers(&conf, told, count);
    return conf;
}

static struct zone *zone_of(const struct told *told, size_t count)
{
    struct zone_conf conf = conf_of(told, count);
    struct zone *zone = zone_new(&conf);
    assert_non_null(zone);
    fixture_drop(&conf);
    return zone;
}

// NULL: nothing.
static const char *mistake_of(const struct zone_conf *conf, size_t answer, char error[ERROR_MAX])
{
    struct zone_check *check = zone_check_new(conf);
    assert_non_null(check);
    int result = zone_check(check, answer, error);
    zone_check_free(check);
    return result == 0 ? NULL : error;
}

static struct zone_place place_of(const struct zone *zone, const char *text)
{
    struct dns_name name = fixture_name(text);
    return zone_find(zone, &name, DNS_CLASS_IN);
}

static const struct zone_rrset *set_of(const struct zone_node *node, enum dns_state state,
                                       uint16_t type)
{
    for (size_t i = 0; i < node->states[state].count; i++) {
        if (node->states[state].sets[i].type == type) {
            return &node->states[state].sets[i];
        }
    }
    return NULL;
}

// ---- Names

// The zone of RFC 4592 section 2.2.1, but for its delegation, which a responder has none of.
static const struct told rfc_4592[] = {
    {"*.example",
     NO_SERVICE,
     3600,
     {{NORMAL, DNS_TXT, "\"this is a wildcard\""}, {NORMAL, DNS_MX, "10 host1.example"}}},
    {"sub.*.example", NO_SERVICE, 3600, {{NORMAL, DNS_TXT, "\"this is not a wildcard\""}}},
    {"host1.example", NO_SERVICE, 3600, {{NORMAL, DNS_A, "192.0.2.1"}}},
    {"_ssh._tcp.host1.example", NO_SERVICE, 3600, {{NORMAL, DNS_SRV, "0 0 22 host1.example"}}},
    {"_ssh._tcp.host2.example", NO_SERVICE, 3600, {{NORMAL, DNS_SRV, "0 0 22 host2.example"}}},
};

TEST(names_are_matched_as_in_the_example_of_rfc_4592)
{
    static const struct {
        const char *asked, *node;
    } cases[] = {
        {"host3.example", "*.example"},     {"foo.bar.example", "*.example"},
        {"HOST1.Example", "host1.example"}, {"sub.*.example", "sub.*.example"},
        {"*.example", "*.example"},         {"_telnet._tcp.host1.example", NULL},
        {"host2.example", "host2.example"}, {"_tcp.host2.example", "_tcp.host2.example"},
        {"x.host2.example", NULL},          {"ghost.*.example", NULL},
        {"a.sub.*.example", NULL},          {"example", "example"},
    };
    struct zone *zone = zone_of(rfc_4592, sizeof rfc_4592 / sizeof *rfc_4592);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct zone_place place = place_of(zone, cases[i].asked);
        assert_true(place.inside);
        if (cases[i].node == NULL) {
            assert_null(place.node);
            continue;
        }
        struct dns_name expected = fixture_name(cases[i].node);
        assert_non_null(place.node);
        assert_int_equal(place.node->length, expected.length);
        assert_memory_equal(place.node->name, expected.wire, expected.length);
    }
    zone_free(zone);
}

TEST(the_closest_encloser_decides_however_deep_or_short_it_is)
{
    static const struct told told[] = {
        {"b.example", NO_SERVICE, 60, {{NORMAL, DNS_TXT, "b"}}},
        {"*.example", NO_SERVICE, 60, {{NORMAL, DNS_TXT, "w"}}},
    };
    struct zone *zone = zone_of(told, 1);
    assert_null(place_of(zone, "q.example").node); // one octet alone makes no wildcard
    zone_free(zone);
    zone = zone_of(told, 2);
    assert_non_null(place_of(zone, "x.y.q.example").node);
    assert_null(place_of(zone, "x.y.b.example").node);
    zone_free(zone);
}

TEST(case_is_ignored_for_letters_and_for_nothing_else)
{
    enum { OCTETS = 256, OF_EACH = 9 }; // more than a word, so that its end is seen too
    static struct told told[OCTETS];
    static char names[OCTETS][4 * OF_EACH + 16];
    size_t count = 0;
    for (int octet = 0; octet < OCTETS; octet++) {
        for (size_t i = 0; i < OF_EACH; i++) {
            snprintf(names[octet] + 4 * i, 5, "\\%03u", (unsigned)octet & 255u);
        }
        snprintf(names[octet] + (size_t)4 * OF_EACH, 16, ".example");
        if (octet < 'A' || octet > 'Z') {
            told[count++] = (struct told){names[octet], NO_SERVICE, 60, {{NORMAL, DNS_TXT, "x"}}};
        }
    }
    struct zone *zone = zone_of(told, count);
    for (int octet = 0; octet < OCTETS; octet++) {
        const struct zone_node *node = place_of(zone, names[octet]).node;
        bool upper = octet >= 'A' && octet <= 'Z';
        assert_non_null(node);
        for (size_t i = 1; i <= OF_EACH; i++) {
            assert_int_equal(node->name[i], upper ? octet - 'A' + 'a' : octet);
        }
    }
    zone_free(zone);
}

TEST(only_names_within_the_zone_are_inside)
{
    struct zone *zone = zone_of(rfc_4592, 1);
    assert_true(place_of(zone, "EXAMPLE").inside);
    assert_int_equal(place_of(zone, "a.b.example").prefix, 4);
    assert_int_equal(place_of(zone, "example").prefix, 0);
    assert_false(place_of(zone, ".").inside);
    assert_false(place_of(zone, "org").inside);
    assert_false(place_of(zone, "example.org").inside);
    assert_false(place_of(zone, "notexample").inside);
    assert_false(place_of(zone, "x\\007example").inside); // the same octets, but one label
    struct dns_name name = fixture_name("id.example");
    assert_false(zone_find(zone, &name, DNS_CLASS_CH).inside);
    assert_false(zone_find(zone, &name, DNS_CLASS_ANY).inside);
    zone_free(zone);
}

TEST(a_name_far_deeper_than_any_in_the_zone_is_found_missing_or_under_its_wildcard)
{
    static const struct told told[] = {
        {"*.a.example", NO_SERVICE, 60, {{NORMAL, DNS_TXT, "w"}}},
        {"b.example", NO_SERVICE, 60, {{NORMAL, DNS_TXT, "b"}}},
    };
    struct zone *zone = zone_of(told, 2);
    char text[260];
    for (size_t labels = 1; labels <= 120; labels++) {
        for (size_t i = 0; i < labels; i++) {
            text[2 * i] = 'x';
            text[2 * i + 1] = '.';
        }
        snprintf(text + 2 * labels, 20, "a.example");
        assert_non_null(place_of(zone, text).node);
        snprintf(text + 2 * labels, 20, "b.example");
        assert_null(place_of(zone, text).node);
        assert_true(place_of(zone, text).inside);
    }
    zone_free(zone);
}

TEST(thousands_of_names_are_each_found_and_no_other)
{
    enum { NAMES = 3000 };
    static struct told told[NAMES];
    static char names[NAMES][32];
    for (size_t i = 0; i < NAMES; i++) {
        snprintf(names[i], sizeof names[i], "n%zu.d%zu.example", i, i % 7);
        told[i] = (struct told){names[i], NO_SERVICE, 60, {{NORMAL, DNS_TXT, names[i]}}};
    }
    struct zone *zone = zone_of(told, NAMES);
    for (size_t i = 0; i < NAMES; i++) {
        struct zone_place place = place_of(zone, names[i]);
        assert_non_null(place.node);
        const struct zone_rrset *set = set_of(place.node, NORMAL, DNS_TXT);
        assert_non_null(set);
        assert_memory_equal(set->records[0].wire + 11, names[i], strlen(names[i]));
        names[i][0] = 'm';
        assert_null(place_of(zone, names[i]).node);
    }
    zone_free(zone);
}

TEST(the_zone_may_be_the_root)
{
    struct zone_conf conf = conf_of(NULL, 0);
    struct dns_name root = fixture_name(".");
    conf.apex = &root;
    struct zone *zone = zone_new(&conf);
    assert_non_null(zone);
    assert_int_equal(place_of(zone, ".").node->kind, ZONE_APEX);
    assert_int_equal(place_of(zone, "id").node->kind, ZONE_IDENTITY);
    assert_null(place_of(zone, "a.b").node);
    zone_free(zone);
    fixture_drop(&conf);
}

TEST(without_a_zone_there_is_only_class_ch)
{
    struct zone_conf conf = {.id = "fra1", .region = ""};
    struct zone *zone = zone_new(&conf);
    struct dns_name name = fixture_name("ID.server");
    assert_non_null(zone);
    assert_int_equal(zone_find(zone, &name, DNS_CLASS_CH).node->kind, ZONE_IDENTITY);
    assert_false(zone_find(zone, &name, DNS_CLASS_IN).inside);
    name = fixture_name("hostname.bind");
    assert_true(zone_find(zone, &name, DNS_CLASS_CH).inside);
    name = fixture_name("version.bind"); // told to no one unless configured
    assert_false(zone_find(zone, &name, DNS_CLASS_CH).inside);
    name = fixture_name("x.id.server");
    assert_false(zone_find(zone, &name, DNS_CLASS_CH).inside);
    zone_free(zone);
}

TEST(the_zone_goes_with_its_last_share)
{
    struct zone *zone = zone_of(rfc_4592, 1);
    assert_ptr_equal(zone_share(zone), zone);
    zone_free(zone);
    assert_true(place_of(zone, "example").inside); // the sanitizer's word
    zone_free(zone);
    zone_free(NULL);
}

// ---- States

// Records say where they come from: an address's last octet, or TXT's only letter.
struct states_case {
    const char *records; // "a" A, "t" TXT, "c" CNAME, "h" HTTPS; then the state's number
    const char *expected[DNS_STATES];
};

static void tell_case(struct told *told, const char *records)
{
    static const char *const texts[][DNS_STATES] = {
        {"192.0.2.0", "192.0.2.1", "192.0.2.2", "192.0.2.3"},
        {"0", "1", "2", "3"},
        {"0.example", "1.example", "2.example", "3.example"},
        {"0 0.example", "0 1.example", "0 2.example", "0 3.example"},
    };
    static const uint16_t types[] = {DNS_A, DNS_TXT, DNS_CNAME, DNS_HTTPS};
    static const char letters[] = "atch";
    *told = (struct told){.name = "x.example", .service = 0, .ttl_s = 1};
    for (size_t i = 0; records[2 * i]; i++) {
        size_t kind = (size_t)(strchr(letters, records[2 * i]) - letters);
        size_t state = (size_t)(records[2 * i + 1] - '0');
        told->records[i].state = (enum dns_state)state;
        told->records[i].type = types[kind];
        told->records[i].text = texts[kind][state];
    }
}

// What tell_case() was told, as it holds in state.
static const char *present_in(const struct zone_node *node, enum dns_state state, char out[32])
{
    size_t length = 0;
    for (size_t i = 0; i < node->states[state].count; i++) {
        const struct zone_rrset *set = &node->states[state].sets[i];
        const struct zone_record *record = &set->records[0];
        bool a = set->type == DNS_A;
        bool txt = set->type == DNS_TXT;
        bool cname = set->type == DNS_CNAME;
        out[length++] = a ? 'a' : txt ? 't' : cname ? 'c' : 'h';
        out[length++] = a     ? (char)('0' + record->wire[13])
                        : txt ? (char)record->wire[11]
                              : (char)record->target->name.wire[1];
    }
    out[length] = '\0';
    return out;
}

TEST(a_state_without_records_takes_those_of_the_next)
{
    // Expected: normal, degraded, drained, withdrawn.
    static const struct states_case cases[] = {
        {"a0", {"a0", "a0", "a0", "a0"}},
        {"a0a1", {"a0", "a1", "a0", "a0"}},
        {"a0a2", {"a0", "a0", "a2", "a2"}},
        {"a0a3", {"a0", "a0", "a3", "a3"}},
        {"a0a1a2a3", {"a0", "a1", "a2", "a3"}},
        {"a2", {"", "", "a2", "a2"}}, // nothing is ever borrowed from a worse state
        {"a1", {"", "a1", "", ""}},
        {"", {"", "", "", ""}},
        // Types that lead to an address go together; others look for themselves.
        {"a0h0a2", {"a0h0", "a0h0", "a2", "a2"}},
        {"a0h0t0t2", {"a0h0t0", "a0h0t0", "a0h0t2", "a0h0t2"}},
        {"a0t0h3", {"a0t0", "a0t0", "t0h3", "t0h3"}},
        {"a0t0t2h3", {"a0t0", "a0t0", "t2h3", "h3t2"}},
        // A CNAME is alone.
        {"a0t0c2", {"a0t0", "a0t0", "c2", "c2"}},
        {"c0a2", {"c0", "c0", "a2", "a2"}},
        {"c0t2", {"c0", "c0", "c0", "c0"}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct told told;
        tell_case(&told, cases[i].records);
        struct zone *zone = zone_of(&told, 1);
        const struct zone_node *node = place_of(zone, "x.example").node;
        assert_non_null(node);
        for (enum dns_state s = 0; s < DNS_STATES; s++) {
            char present[32];
            // In whatever order: only the pairs matter.
            present_in(node, s, present);
            size_t found = 0;
            for (const char *pair = cases[i].expected[s]; *pair; pair += 2, found += 2) {
                char wanted[] = {pair[0], pair[1], '\0'};
                if (strstr(present, wanted) == NULL) {
                    fail_msg("%s, %d: %s, not %s", cases[i].records, (int)s, present,
                             cases[i].expected[s]);
                }
            }
            assert_int_equal(strlen(present), found);
        }
        zone_free(zone);
    }
}

TEST(the_apex_keeps_soa_and_ns_in_every_state)
{
    static const struct told told[] = {
        {"example", 0, 60, {{NORMAL, DNS_A, "192.0.2.1"}, {DRAINED, DNS_A, "192.0.2.2"}}}};
    struct zone *zone = zone_of(told, 1);
    const struct zone_node *apex = place_of(zone, "example").node;
    for (enum dns_state s = 0; s < DNS_STATES; s++) {
        assert_non_null(set_of(apex, s, DNS_SOA));
        assert_non_null(set_of(apex, s, DNS_NS));
        assert_non_null(set_of(apex, s, DNS_A));
        assert_int_equal(apex->states[s].count, 3);
    }
    assert_int_equal(apex->service, 0);
    assert_int_equal(set_of(apex, DRAINED, DNS_A)->records[0].wire[13], 2);
    zone_free(zone);
}

TEST(a_server_in_the_zone_has_the_listening_addresses_unless_an_answer_says_others)
{
    static const struct told told[] = {
        {"ns2.example", NO_SERVICE, 60, {{NORMAL, DNS_A, "192.0.2.9"}}}};
    struct zone_conf conf = conf_of(told, 1);
    struct dns_name servers[] = {fixture_name("NS1.example"), fixture_name("ns2.example"),
                                 fixture_name("ns3.example.org"), fixture_name("example")};
    struct sockaddr_storage address = {.ss_family = AF_INET};
    inet_pton(AF_INET, "192.0.2.53", &((struct sockaddr_in *)&address)->sin_addr);
    conf.servers = servers;
    conf.server_count = 4;
    conf.addresses = &address;
    conf.address_count = 1;
    struct zone *zone = zone_new(&conf);
    assert_non_null(zone);
    const struct zone_node *ns1 = place_of(zone, "ns1.example").node;
    assert_int_equal(ns1->kind, ZONE_APEX);
    assert_int_equal(set_of(ns1, NORMAL, DNS_A)->records[0].wire[13], 53);
    const struct zone_node *ns2 = place_of(zone, "ns2.example").node;
    assert_int_equal(ns2->kind, ZONE_ANSWER);
    assert_int_equal(set_of(ns2, NORMAL, DNS_A)->count, 1);
    assert_int_equal(set_of(ns2, NORMAL, DNS_A)->records[0].wire[13], 9);
    assert_int_equal(set_of(place_of(zone, "example").node, NORMAL, DNS_A)->records[0].wire[13],
                     53);
    zone_free(zone);
    fixture_drop(&conf);
}

// ---- What is refused

#define LONG_LABEL "a123456789012345678901234567890123456789012345678901234567890"

TEST(a_wrong_answer_is_refused_with_the_reason)
{
    static const struct {
        struct told told;
        const char *says; // NULL: it is right
    } cases[] = {
        {{"x.example", 0, 60, {{NORMAL, DNS_A, "192.0.2.1"}}}, NULL},
        {{"example", 0, 60, {{NORMAL, DNS_A, "192.0.2.1"}}}, NULL},
        {{"*.a.example", 0, 60, {{DRAINED, DNS_CNAME, "a.example"}}}, NULL},
        {{"below.id.example", 0, 60, {{NORMAL, DNS_A, "192.0.2.1"}}}, NULL},
        {{"x.example.org", 0, 60, {{NORMAL, DNS_A, "192.0.2.1"}}}, "not within"},
        {{"xexample", 0, 60, {{NORMAL, DNS_A, "192.0.2.1"}}}, "not within"},
        {{"a.*.example", 0, 60, {{NORMAL, DNS_A, "192.0.2.1"}}}, "asterisk"},
        {{"a*.example", 0, 60, {{NORMAL, DNS_A, "192.0.2.1"}}}, "asterisk"},
        {{"**.example", 0, 60, {{NORMAL, DNS_A, "192.0.2.1"}}}, "asterisk"},
        {{"ID.example", 0, 60, {{NORMAL, DNS_A, "192.0.2.1"}}}, "itself"},
        {{"region.example", 0, 60, {{NORMAL, DNS_A, "192.0.2.1"}}}, "itself"},
        {{"whoami.example", 0, 60, {{NORMAL, DNS_A, "192.0.2.1"}}}, "itself"},
        {{"health.example", 0, 60, {{NORMAL, DNS_A, "192.0.2.1"}}}, "itself"},
        {{"Web.example", 0, 60, {{NORMAL, DNS_A, "192.0.2.1"}}}, "service web"},
        {{"FIRST.example", 0, 60, {{NORMAL, DNS_A, "192.0.2.1"}}}, "same name"},
        {{"example", 0, 60, {{NORMAL, DNS_CNAME, "a.example"}}}, "apex"},
        {{"example", 0, 60, {{WITHDRAWN, DNS_CNAME, "a.example"}}}, "apex"},
        {{"x.example", 0, 60, {{NORMAL, DNS_CNAME, "a"}, {NORMAL, DNS_TXT, "a"}}}, "alone"},
        {{"x.example", 0, 60, {{NORMAL, DNS_TXT, "a"}, {NORMAL, DNS_CNAME, "a"}}}, "alone"},
        {{"x.example", 0, 60, {{DRAINED, DNS_CNAME, "a"}, {DRAINED, DNS_CNAME, "b"}}}, "alone"},
        {{"x.example", 0, 60, {{DRAINED, DNS_CNAME, "a"}, {NORMAL, DNS_TXT, "b"}}}, NULL},
        {{"x.example", 0, 60, {{NORMAL, DNS_A, "192.0.2.1"}, {NORMAL, DNS_A, "192.0.2.1"}}},
         "twice"},
        {{"x.example", 0, 60, {{NORMAL, DNS_A, "192.0.2.1"}, {DRAINED, DNS_A, "192.0.2.1"}}}, NULL},
        {{"x.example", NO_SERVICE, 60, {{DRAINED, DNS_A, "192.0.2.1"}}}, "which service"},
        {{"x.example", 0, 0x80000000, {{NORMAL, DNS_A, "192.0.2.1"}}}, "TTL"},
        {{"x.example", 0, 60, {{NORMAL, DNS_NS, "ns.example"}}}, "no type"},
        {{"x.example", 0, 60, {{NORMAL, 255, "\\# 0"}}}, "no type"},
        {{"x.example", 0, 60, {{NORMAL, 65280, "\\# 0"}}}, NULL},
        {{"ns.example", 0, 60, {{NORMAL, DNS_CNAME, "a.example"}}}, "name server"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct told told[] = {{"first.example", 0, 60, {{NORMAL, DNS_A, "192.0.2.1"}}},
                              cases[i].told};
        struct zone_conf conf = conf_of(told, 2);
        struct dns_name server = fixture_name("ns.example");
        char error[256];
        conf.servers = &server;
        assert_null(mistake_of(&conf, 0, error));
        const char *problem = mistake_of(&conf, 1, error);
        if ((problem == NULL) != (cases[i].says == NULL) ||
            (problem != NULL && strstr(problem, cases[i].says) == NULL)) {
            fail_msg("case %zu, %s: %s", i, cases[i].told.name, problem ? problem : "right");
        }
        fixture_drop(&conf);
    }
}

TEST(more_records_than_an_answer_can_hold_are_refused)
{
    enum { RECORDS = 17 };
    static uint8_t rdata[RECORDS][DNS_RDATA_MAX];
    struct dns_record_conf records[RECORDS];
    for (size_t i = 0; i < RECORDS; i++) {
        rdata[i][0] = (uint8_t)i;
        records[i] =
            (struct dns_record_conf){.type = 65280, .length = DNS_RDATA_MAX, .rdata = rdata[i]};
    }
    struct zone_conf conf = conf_of(NULL, 0);
    struct dns_answer_conf answer = {
        .name = fixture_name("x.example"), .service = SIZE_MAX, .records = records};
    char error[256];
    free((void *)conf.answers);
    conf.answers = &answer;
    conf.answer_count = 1;
    answer.record_count = 15;
    assert_null(mistake_of(&conf, 0, error));
    answer.record_count = RECORDS;
    assert_non_null(strstr(mistake_of(&conf, 0, error), "more records"));
}

TEST(a_wrong_zone_is_refused_with_the_reason)
{
    static const struct {
        const char *services[2];
        const char *server, *says;
    } cases[] = {
        {{"dns", "web"}, "ns.example", NULL},
        {{"dns", "DNS"}, "ns.example", "one name"},
        {{"dns", "Whoami"}, "ns.example", "responder's own"},
        {{"dns", "region"}, "ns.example", "responder's own"},
        {{"dns", "web" LONG_LABEL}, "ns.example", "too long"},
        {{"dns", "web"}, "id.example", "name server id.example. is called"},
        {{"dns", "web"}, "WEB.example", "service web"},
        {{"dns", "web"}, "id.example.org", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct zone_conf conf = conf_of(NULL, 0);
        struct dns_name server = fixture_name(cases[i].server);
        char error[256];
        conf.servers = &server;
        conf.services = cases[i].services;
        const char *problem = mistake_of(&conf, SIZE_MAX, error);
        if ((problem == NULL) != (cases[i].says == NULL) ||
            (problem != NULL && strstr(problem, cases[i].says) == NULL)) {
            fail_msg("case %zu: %s", i, problem ? problem : "right");
        }
        fixture_drop(&conf);
    }
}

// Each is in the circle or not, whatever leads into it.
TEST(only_those_that_a_circle_of_cnames_goes_through_are_in_it)
{
    static const struct {
        struct told told;
        bool circular;
    } cases[] = {
        {{"before.example", 0, 60, {{NORMAL, DNS_CNAME, "a.example"}}}, false},
        {{"a.example", 0, 60, {{NORMAL, DNS_CNAME, "B.example"}}}, true},
        {{"b.example", 0, 60, {{NORMAL, DNS_CNAME, "c.wild.example"}}}, true},
        {{"*.wild.example", 0, 60, {{NORMAL, DNS_CNAME, "A.example"}}}, true},
        {{"self.example", 0, 60, {{NORMAL, DNS_CNAME, "self.example"}}}, true},
        {{"end.example", 0, 60, {{NORMAL, DNS_CNAME, "last.example"}}}, false},
        {{"last.example", 0, 60, {{NORMAL, DNS_A, "192.0.2.1"}}}, false},
        {{"drained.example", 0, 60, {{DRAINED, DNS_CNAME, "too.example"}}}, true},
        {{"too.example", 0, 60, {{DRAINED, DNS_CNAME, "drained.example"}}}, true},
        // While it is drained the other has an address; withdrawn, this one is as if drained.
        {{"state.example", 0, 60, {{DRAINED, DNS_CNAME, "other.example"}}}, false},
        {{"other.example",
          0,
          60,
          {{WITHDRAWN, DNS_CNAME, "state.example"}, {DRAINED, DNS_A, "192.0.2.1"}}},
         true},
    };
    enum { COUNT = sizeof cases / sizeof *cases };
    struct told told[COUNT];
    char error[ERROR_MAX];
    for (size_t i = 0; i < COUNT; i++) {
        told[i] = cases[i].told;
    }
    struct zone_conf conf = conf_of(told, COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        const char *mistake = mistake_of(&conf, i, error);
        if (cases[i].circular != (mistake != NULL && strstr(mistake, "circle") != NULL)) {
            fail_msg("%s: %s", told[i].name, mistake ? mistake : "right");
        }
    }
    fixture_drop(&conf);
}

TEST(an_answer_needs_a_zone)
{
    static const struct told told[] = {{"x.example", 0, 60, {{NORMAL, DNS_A, "192.0.2.1"}}}};
    struct zone_conf conf = conf_of(told, 1);
    char error[256];
    conf.apex = NULL;
    assert_non_null(strstr(mistake_of(&conf, 0, error), "zone"));
    assert_null(mistake_of(&conf, SIZE_MAX, error));
    fixture_drop(&conf);
}
