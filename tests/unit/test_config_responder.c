// popgate.conf: [responder] and [answer].
#include "tests/unit/config_fixture.h"

// ---- [responder] and [answer]

#define RESPONDER "[responder]\nlisten = 192.0.2.53:53 [2001:db8::53]:53\nzone = pop.example.net\n"
#define ANSWER    "[answer api.pop.example.net]\n" // line 14 after HEAD, SERVICE and RESPONDER

static const char *name_text(const struct dns_name *name)
{
    static char text[DNS_NAME_TEXT_MAX];
    return dns_name_text(name, text);
}

TEST(a_small_responder_has_all_defaults)
{
    struct config *config = parse_good(HEAD SERVICE RESPONDER);
    assert_int_equal(config->responder.listen_count, 2);
    assert_int_equal(config->responder.listen[0].address.ss_family, AF_INET);
    assert_int_equal(config->responder.listen[1].length, sizeof(struct sockaddr_in6));
    assert_int_equal(config->responder.threads, 1);
    assert_int_equal(config->responder.udp_size, 1232);
    assert_int_equal(config->responder.rate_limit, 200);
    assert_int_equal(config->responder.slip, 2);
    assert_true(config->responder.cookies);
    assert_true(config->responder.nsid);
    assert_int_equal(config->responder.tcp_clients, 1000);
    assert_int_equal(config->responder.tcp_clients_per_address, 20);
    assert_int_equal(config->responder.tcp_idle_ms, 10000);
    assert_int_equal(config->responder.tcp_max_age_ms, 300000);
    const struct zone_conf *zone = &config->zone;
    assert_string_equal(zone->id, "fra1");
    assert_string_equal(zone->region, "");
    assert_null(zone->version);
    assert_string_equal(name_text(zone->apex), "pop.example.net.");
    assert_int_equal(zone->server_count, 1);
    assert_string_equal(name_text(&zone->servers[0]), "ns.pop.example.net.");
    assert_string_equal(name_text(&zone->hostmaster), "hostmaster.pop.example.net.");
    assert_int_equal(zone->ttl_s, 3600);
    assert_int_equal(zone->negative_ttl_s, 60);
    assert_int_equal(zone->address_count, 2);
    assert_int_equal(zone->service_count, 1);
    assert_string_equal(zone->services[0], "dns");
    assert_int_equal(zone->answer_count, 0);
    config_free(config);
}

TEST(without_a_responder_there_is_none)
{
    struct config *config = parse_good(HEAD SERVICE);
    assert_int_equal(config->responder.listen_count, 0);
    assert_null(config->zone.apex);
    config_free(config);
}

TEST(a_responder_says_what_it_is_told)
{
    struct config *config =
        parse_good(HEAD SERVICE "[responder]\nlisten = 0.0.0.0:5300\n  192.0.2.1:5353 ; and more\n"
                                "listen = 127.0.0.1:53 192.0.2.1:53\n"
                                "zone = Pop.example.net.\nns = ns1.example.net ns2.example.net.\n"
                                "hostmaster = dns.team@example.net\nid = {pop.id}-a\nnsid = off\n"
                                "version = popgate, what else\nttl = 2h\nnegative_ttl = 5\n"
                                "cookies = off\n");
    const struct zone_conf *zone = &config->zone;
    assert_int_equal(config->responder.listen_count, 4);
    assert_string_equal(zone->id, "fra1-a");
    assert_string_equal(zone->version, "popgate, what else");
    assert_int_equal(zone->server_count, 2);
    assert_string_equal(name_text(&zone->servers[1]), "ns2.example.net.");
    assert_string_equal(name_text(&zone->hostmaster), "dns\\.team.example.net.");
    assert_int_equal(zone->ttl_s, 7200);
    assert_int_equal(zone->negative_ttl_s, 5);
    assert_int_equal(zone->address_count, 1); // nobody elsewhere reaches the others
    assert_false(config->responder.nsid);
    assert_false(config->responder.cookies);
    config_free(config);
}

TEST(a_responder_is_refused_for_what_is_wrong)
{
    static const struct {
        const char *text, *line;
    } wrong[] = {
        {"[responder]\nzone = example.net\n", "f:11: [responder] has no `listen`"},
        {"[responder]\nlisten = 192.0.2.53\n", "f:12: `listen`: \"192.0.2.53\" is not address:"},
        {RESPONDER "listen = 192.0.2.53:53\n", "f:14: `listen`: 192.0.2.53:53 is here twice"},
        {RESPONDER "listen = 0.0.0.0:53\n", "f:14: `listen`: an address and the wildcard"},
        {"[responder]\nlisten = [::]:53 [::1]:53\n", "f:12: `listen`: [::1]:53 and the wildcard"},
        {RESPONDER "listen = [::ffff:192.0.2.1]:53\n", "an IPv4 address in disguise"},
        {RESPONDER "listen = [fe80::1]:53\n", "f:14: `listen`: [fe80::1]:53 can't be listened on"},
        {RESPONDER "listen = [ff02::1]:53\n", "it is multicast"},
        {RESPONDER "listen = 224.0.0.1:53\n", "it is multicast"},
        {RESPONDER "listen = 255.255.255.255:53\n", "it is broadcast"},
        {RESPONDER "listen = 192.0.2.1:0\n", "f:14: `listen`: \"192.0.2.1:0\" is not address:"},
        {RESPONDER "ns = 192.0.2.1\n",
         "f:14: `ns`: \"192.0.2.1\" is not a domain name: it is an IP"},
        {RESPONDER "ns = 2001:db8::1\n", "it is an IP address"},
        {RESPONDER "ns = *.example.net\n", "an asterisk has no place here"},
        {RESPONDER "ns = ns/1.example.net\n", "only letters, digits, - and _ are in names"},
        {RESPONDER "hostmaster = d\xc3\xa9s@example.net\n", "is not a mailbox"},
        {RESPONDER "hostmaster = dns@b\xc3\xbc.example\n", "it is not ASCII"},
        {"[responder]\nlisten = 192.0.2.53:53\nzone = pop example.net\n", "f:13: `zone`: "},
        {RESPONDER "ns = ns.a NS.A\n", "f:14: `ns`: NS.A is here twice"},
        {RESPONDER "ns = a..b\n", "f:14: `ns`: \"a..b\" is not a domain name: a label is empty"},
        {RESPONDER "hostmaster = @example.net\n", "f:14: `hostmaster`: \"@example.net\" is not a"},
        {RESPONDER "threads = 65\n", "f:14: `threads`: 65 is not within 1 to 64"},
        {RESPONDER "udp_size = 511\n", "f:14: `udp_size`: 511 is not within 512 to 1400"},
        {RESPONDER "ttl = 1500ms\n", "f:14: `ttl`: \"1500ms\" is neither seconds nor a duration"},
        {RESPONDER "ttl = 2147483648\n", "f:14: `ttl`: \"2147483648\" is neither"},
        {RESPONDER "cookie = on\n", "f:14: unknown key `cookie` in [responder]; did you mean "},
        {RESPONDER "cookie_secret_file = cookies\n", "\"cookies\" does not begin with /"},
        {RESPONDER "cookies = off\ncookie_secret_file = /a\n",
         "f:15: `cookie_secret_file` is of no use with `cookies = off`"},
        {RESPONDER "cookie_secret_credential = a/b\n", "f:14: `cookie_secret_credential`: it is a"},
        {RESPONDER "cookie_secret_file = /a\ncookie_secret_credential = a\n",
         "f:15: one of `cookie_secret_file` (line 14) and `cookie_secret_credential` is enough"},
        {"[responder]\nlisten = 192.0.2.53:53\nzone = .\n", "f:13: `zone`: a PoP does not answer"},
        {"[responder]\nlisten = 192.0.2.53:53\nns = a.b\n",
         "f:13: `ns` is of the zone, but there is no `zone`"},
        {RESPONDER "id = {pop.region}\n", "f:14: `id`: {pop.region} stands for nothing"},
    };
    char text[1024];
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        snprintf(text, sizeof text, HEAD SERVICE "%s", wrong[i].text);
        assert_error(text, wrong[i].line);
    }
}

// ---- The serial

static uint32_t serial_of(const char *text)
{
    struct config *config = parse_good(text);
    uint32_t serial = config->zone.serial;
    config_free(config);
    assert_int_not_equal(serial, 0);
    return serial;
}

#define FIRST  "[answer a.pop.example.net]\nservice = dns\na = 192.0.2.10\ntxt = {pop.id}\n"
#define SECOND "[answer b.pop.example.net]\na = 192.0.2.11\n"

TEST(pops_with_the_same_zone_have_the_same_serial)
{
    uint32_t serial = serial_of(HEAD SERVICE RESPONDER FIRST SECOND);
    static const char *const same[] = {
        "[pop]\nid = ams1\nregion = west\n[bird]\nlocal_as = 64513\n"
        "[probe p]\ntype = tcp\ntarget = 192.0.2.54:53\n" SERVICE RESPONDER FIRST SECOND,
        HEAD SERVICE RESPONDER "threads = 4\nrate_limit = 0\nid = x\nversion = y\n" FIRST SECOND,
        HEAD SERVICE SECOND FIRST RESPONDER,
    };
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        assert_int_equal(serial_of(same[i]), serial);
    }
}

TEST(whatever_changes_in_the_zone_changes_its_serial)
{
    static const char *const zones[] = {
        HEAD SERVICE RESPONDER FIRST SECOND,
        HEAD SERVICE RESPONDER FIRST,
        HEAD SERVICE RESPONDER SECOND,
        HEAD SERVICE RESPONDER FIRST SECOND "ttl = 5\n",
        HEAD SERVICE RESPONDER FIRST SECOND "txt = x\n",
        HEAD SERVICE RESPONDER FIRST "a.drained = 192.0.2.12\n" SECOND,
        HEAD SERVICE RESPONDER "ns = ns.example.org\n" FIRST SECOND,
        HEAD SERVICE RESPONDER "hostmaster = dns@example.org\n" FIRST SECOND,
        HEAD SERVICE RESPONDER "ttl = 2h\n" FIRST SECOND,
        HEAD SERVICE RESPONDER "negative_ttl = 2\n" FIRST SECOND,
        HEAD SERVICE RESPONDER "listen = 198.51.100.1:53\n" FIRST SECOND,
        HEAD SERVICE
        "[service web]\nprefixes = 192.0.2.54/32\nrequire = p\n" RESPONDER FIRST SECOND,
        HEAD SERVICE "[responder]\nlisten = 192.0.2.53:53\nzone = example.net\n" FIRST SECOND,
    };
    uint32_t serials[sizeof zones / sizeof *zones];
    for (size_t i = 0; i < sizeof zones / sizeof *zones; i++) {
        serials[i] = serial_of(zones[i]);
        for (size_t j = 0; j < i; j++) {
            assert_int_not_equal(serials[i], serials[j]);
        }
    }
}

TEST(the_serial_is_what_it_is_told_to_be)
{
    assert_int_equal(serial_of(HEAD SERVICE RESPONDER "serial = 4294967295\n"), UINT32_MAX);
    assert_int_equal(serial_of(HEAD SERVICE RESPONDER "serial = 2026112101\n" FIRST), 2026112101);
    assert_error(HEAD SERVICE RESPONDER "serial = 4294967296\n",
                 "f:14: `serial`: 4294967296 is not within 1 to 4294967295");
    assert_error(HEAD SERVICE "[responder]\nlisten = 192.0.2.53:53\nserial = 1\n",
                 "f:13: `serial` is of the zone, but there is no `zone`");
}

TEST(a_server_that_nobody_can_find_is_a_warning)
{
    static const char *const wildcard =
        HEAD SERVICE "[responder]\nlisten = 0.0.0.0:53 [::]:53\nzone = pop.example.net\n";
    char text[1024];
    assert_warning(wildcard, "f:13: the zone's server ns.pop.example.net. has no address");
    assert_warning(HEAD SERVICE "[responder]\nlisten = 127.0.0.1:53 [::1]:53\nzone = a.example\n",
                   "f:13: the zone's server ns.a.example. has no address");
    snprintf(text, sizeof text, "%sns = ns.example.net\n", wildcard);
    config_free(parse_good(text));
    snprintf(text, sizeof text, "%s[answer NS.pop.example.net]\na = 192.0.2.1\n", wildcard);
    config_free(parse_good(text));
}

#define LISTEN(addresses) HEAD SERVICE "[responder]\nzone = a.example\nlisten = " addresses "\n"

TEST(a_server_at_an_address_that_nobody_elsewhere_reaches_is_a_warning)
{
    static const char *const private[] = {
        LISTEN("10.0.0.53:53"),   LISTEN("172.31.0.53:53"),  LISTEN("192.168.0.53:53"),
        LISTEN("100.64.0.53:53"), LISTEN("169.254.0.53:53"), LISTEN("[fd00::53]:53"),
    };
    static const char *const public[] = {
        LISTEN("11.0.0.53:53"),
        LISTEN("172.32.0.53:53"),
        LISTEN("100.128.0.53:53"),
        LISTEN("[2001:db8::53]:53"),
        LISTEN("10.0.0.53:53") "[answer ns.a.example]\na = 10.0.0.53\n", // so it is meant
        LISTEN("10.0.0.53:53") "ns = ns.example.org\n",
        HEAD SERVICE "[responder]\nlisten = 10.0.0.53:53\n",
    };
    for (size_t i = 0; i < sizeof private / sizeof *private; i++) {
        assert_warning(private[i], "which is private: nobody elsewhere reaches it; write [answer "
                                   "ns.a.example.] with the addresses");
    }
    for (size_t i = 0; i < sizeof public / sizeof *public; i++) {
        config_free(parse_good(public[i]));
    }
}

TEST(a_server_at_another_port_is_a_warning)
{
    assert_warning(LISTEN("192.0.2.53:53 192.0.2.54:5353"),
                   "f:13: the zone's server ns.a.example. has the address 192.0.2.54, where "
                   "`listen` has no port 53, and resolvers ask no other; write");
    config_free(parse_good(LISTEN("192.0.2.53:53 192.0.2.53:5353")));
    config_free(parse_good(LISTEN("192.0.2.53:53 127.0.0.1:5353")));
}

// The record number i as `dig` shows it.
static const char *record_text(const struct dns_answer_conf *answer, size_t i)
{
    static char text[4096];
    struct dns_record record = {.type = answer->records[i].type,
                                .class = DNS_CLASS_IN,
                                .rdata_length = answer->records[i].length};
    assert_true(i < answer->record_count);
    assert_true(dns_rdata_text(answer->records[i].rdata, &record, text, sizeof text));
    return text;
}

TEST(answers_have_records_for_each_state)
{
    struct config *config =
        parse_good(HEAD SERVICE RESPONDER ANSWER "service = dns\nttl = 30s\n"
                                                 "a = 192.0.2.10 192.0.2.11\n  192.0.2.12\n"
                                                 "a.drained = 198.51.100.10\n"
                                                 "mx.withdrawn = 10 mail.example.net\n"
                                                 "mx.withdrawn = 20 mail2.example.net\n"
                                                 "[answer *.w.pop.example.net]\n"
                                                 "cname = {pop.id}.example.net\n");
    assert_int_equal(config->answer_count, 2);
    const struct dns_answer_conf *answer = &config->answers[0];
    assert_string_equal(name_text(&answer->name), "api.pop.example.net.");
    assert_int_equal(answer->service, 0);
    assert_int_equal(answer->ttl_s, 30);
    assert_int_equal(answer->record_count, 6);
    assert_int_equal(answer->records[0].state, DNS_STATE_NORMAL);
    assert_string_equal(record_text(answer, 2), "192.0.2.12");
    assert_int_equal(answer->records[3].state, DNS_STATE_DRAINED);
    assert_string_equal(record_text(answer, 3), "198.51.100.10");
    assert_int_equal(answer->records[5].state, DNS_STATE_WITHDRAWN);
    assert_string_equal(record_text(answer, 5), "20 mail2.example.net.");
    answer = &config->answers[1];
    assert_true(answer->service == SIZE_MAX);
    assert_int_equal(answer->ttl_s, 30);
    assert_string_equal(record_text(answer, 0), "fra1.example.net.");
    assert_ptr_equal(config->zone.answers, config->answers);
    config_free(config);
}

TEST(a_record_may_go_on_in_the_next_line)
{
    struct config *config =
        parse_good(HEAD SERVICE RESPONDER ANSWER "txt = \"v=DKIM1 ; k=rsa; \" ; a comment\n"
                                                 "  \"p={pop.id}\"   ; another\n"
                                                 "txt = \"a \\\" ; b\"\n"
                                                 "caa = 0 issue \"ca.example; x=y\"\n"
                                                 "https = 1 . alpn=h2,h3 port=8443\n");
    const struct dns_answer_conf *answer = &config->answers[0];
    assert_int_equal(answer->record_count, 4);
    assert_string_equal(record_text(answer, 0), "\"v=DKIM1 ; k=rsa; \" \"p=fra1\"");
    assert_string_equal(record_text(answer, 1), "\"a \\\" ; b\"");
    assert_string_equal(record_text(answer, 2), "0 issue \"ca.example; x=y\"");
    config_free(config);
}

// RFC 3597.
TEST(a_type_that_has_no_name_here_is_written_by_its_number)
{
    struct config *config =
        parse_good(HEAD SERVICE RESPONDER ANSWER "service = dns\nTYPE65280 = \\# 4 0a00 0001\n"
                                                 "TYPE65280 = \\# 3 ; next\n  aabbcc\n"
                                                 "TYPE65280.drained = \\# 0\n"
                                                 "type44 = \\# 2 0404\nTYPE1 = \\# 4 c0000201\n");
    const struct dns_answer_conf *answer = &config->answers[0];
    static const struct {
        enum dns_state state;
        uint16_t type;
        const char *text;
    } records[] = {
        {DNS_STATE_NORMAL, 65280, "\\# 4 0A000001"}, {DNS_STATE_NORMAL, 65280, "\\# 3 AABBCC"},
        {DNS_STATE_DRAINED, 65280, "\\# 0"},         {DNS_STATE_NORMAL, 44, "\\# 2 0404"},
        {DNS_STATE_NORMAL, DNS_A, "192.0.2.1"},
    };
    assert_int_equal(answer->record_count, 5);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(answer->records[i].state, records[i].state);
        assert_int_equal(answer->records[i].type, records[i].type);
        assert_string_equal(record_text(answer, i), records[i].text);
    }
    config_free(config);
}

TEST(a_type_by_number_is_refused_for_what_is_wrong)
{
    static const struct {
        const char *text, *line;
    } wrong[] = {
        {"TYPE65280 = \\# 4 0a0000\n",
         "f:15: `TYPE65280`: \"\\# 4 0a0000\": the number after \\# is"},
        {"TYPE65280 = 192.0.2.1\n", "records of this type can only be written as \\# LENGTH HEX"},
        {"TYPE65280 =\n", "f:15: `TYPE65280`: has no value"},
        {"TYPE1 = \\# 3 c00002\n", "the octets are not what this type is made of"},
        {"TYPE65536 = \\# 0\n", "f:15: unknown key `TYPE65536` in [answer]"},
        {"TYPE65280.down = \\# 0\n",
         "f:15: unknown key `TYPE65280.down` in [answer] (after the dot"},
        {"TYPE65280. = \\# 0\n", "f:15: unknown key `TYPE65280.`"},
        {"TYPE = \\# 0\n", "f:15: unknown key `TYPE`"},
        {"TYPE65280.drained = \\# 0\n", "`TYPE65280.drained` follows a service, but"},
        {"TYPE39 = \\# 1 00\n", "TYPE39 is no type that an answer can have"},
        {"TYPE46 = \\# 0\n", "TYPE46 is no type that an answer can have"},
        {"TYPE2 = ns.example.net\n", "NS is no type that an answer can have"},
    };
    char text[1024];
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        snprintf(text, sizeof text, HEAD SERVICE RESPONDER ANSWER "%s", wrong[i].text);
        struct config *config = parse(text);
        if (config != NULL || strstr(told, wrong[i].line) == NULL) {
            print_message("wanted: %s\ntold: %s", wrong[i].line, told);
        }
        assert_null(config);
        assert_non_null(strstr(told, wrong[i].line));
    }
}

TEST(a_quote_that_is_not_closed_hides_no_comment)
{
    struct config *config = parse_good(HEAD SERVICE RESPONDER "version = 5\" ; of disk\n");
    assert_string_equal(config->responder.version, "5\"");
    config_free(config);
}

TEST(a_long_record_fits)
{
    char text[8192];
    size_t used = (size_t)snprintf(text, sizeof text, HEAD SERVICE RESPONDER ANSWER "txt =");
    for (size_t i = 0; i < 20; i++) {
        used += (size_t)snprintf(text + used, sizeof text - used, " \"%0190zu\"\n", i);
    }
    struct config *config = parse_good(text);
    assert_int_equal(config->answers[0].record_count, 1);
    assert_int_equal(config->answers[0].records[0].length, (size_t)20 * 191);
    config_free(config);
    for (size_t i = 0; i < 2; i++) {
        used += (size_t)snprintf(text + used, sizeof text - used, " \"%0190zu\"\n", i);
    }
    assert_error(text, "f:15: `txt`: \"\"0000");
}

TEST(an_answer_is_refused_for_what_is_wrong)
{
    static const struct {
        const char *text, *line;
    } wrong[] = {
        {ANSWER, "f:14: [answer api.pop.example.net] has no record"},
        {ANSWER "ttl = 5\n", "f:14: [answer api.pop.example.net] has no record"},
        {ANSWER "a = 192.0.2.300\n", "f:15: `a`: \"192.0.2.300\": the address must be an IPv4"},
        {ANSWER "a = 192.0.2.1\n 192.0.2.1\n", "f:16: `a`: 192.0.2.1 is here twice"},
        {ANSWER "a =\n", "f:15: `a`: has no value"},
        {ANSWER "service =\na = 192.0.2.1\naaaa = ::1\na.drained = 192.0.2.2\n",
         "f:15: `service`: has no value"},
        {ANSWER "mx = mail\n", "f:15: `mx`: \"mail\": the preference must be a number"},
        {ANSWER "txt = v=DKIM1; k=rsa\n", "must be within quotes"},
        {ANSWER "txt = {pop.name}\n", "f:15: `txt`: there is {pop.id} and {pop.region}, but no"},
        {ANSWER "a.drained = 192.0.2.1\n",
         "f:15: `a.drained` follows a service, but [answer api.pop.example.net] has no `service`"},
        {ANSWER "service = dnss\na = 192.0.2.1\n",
         "f:15: `service` of [answer api.pop.example.net]: there is no service `dnss`; did you "
         "mean "
         "`dns`?"},
        {ANSWER "a.draned = 192.0.2.1\na = 192.0.2.1\n", "did you mean `a.drained`?"},
        {ANSWER "a.down = 192.0.2.1\n",
         "f:15: unknown key `a.down` in [answer] (after the dot: deg"},
        {ANSWER "service = dns\na.isolated = 192.0.2.1\n", "degraded, drained or withdrawn"},
        {ANSWER "a.normal = 192.0.2.1\n", "the normal state is without a dot"},
        {ANSWER "cname = API.pop.example.net\n", "CNAME leads back to this name, in a circle"},
        {ANSWER "service = dns\na = 192.0.2.1\ncname.drained = api.pop.example.net\n",
         "CNAME.drained leads back to this name"},
        {"[answer *.w.pop.example.net]\ncname = a.w.pop.example.net\n", "leads back to this name"},
        {ANSWER "ptr = a.b\na = 192.0.2.1\n", "f:15: unknown key `ptr` in [answer]"},
        {ANSWER "a = 192.0.2.1\nttl = 1\nttl = 2\n", "f:17: `ttl` is set already, in line 16"},
        {"[answer a..b]\na = 192.0.2.1\n", "f:14: [answer a..b]: a label is empty"},
        {"[answer a b.pop.example.net]\na = 192.0.2.1\n",
         "f:14: [answer a b.pop.example.net]: only letters"},
        {"[answer \xc3\xbc.pop.example.net]\na = 192.0.2.1\n", "it is not ASCII"},
        {ANSWER "cname = 192.0.2.1\n", "f:15: `cname`: \"192.0.2.1\": it is an IP address"},
        {ANSWER "mx = 10 2001:db8::1\n", "f:15: `mx`: \"10 2001:db8::1\": it is an IP address"},
        {ANSWER "srv = 1 2 3 *.example.net\n", "an asterisk has no place here"},
        {ANSWER "svcb = 1 a$.example.net\n", "f:15: `svcb`: \"1 a$.example.net\": only letters"},
        {"[answer]\na = 192.0.2.1\n", "f:14: [answer] needs a name: [answer NAME]"},
        {"[answer api.example.net]\na = 192.0.2.1\n", "f:14: [answer api.example.net]: "},
        {"[answer id.pop.example.net]\na = 192.0.2.1\n", "f:14: [answer id.pop.example.net]: "},
        {"[answer a.*.pop.example.net]\na = 192.0.2.1\n", "f:14: [answer a.*.pop.example.net]: "},
        {ANSWER "a = 192.0.2.1\ncname = a.b\n", "f:14: [answer api.pop.example.net]: "},
    };
    char text[1024];
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        snprintf(text, sizeof text, HEAD SERVICE RESPONDER "%s", wrong[i].text);
        assert_error(text, wrong[i].line);
    }
    assert_error(HEAD SERVICE ANSWER "a = 192.0.2.1\n",
                 "f:11: [answer api.pop.example.net] lies in no zone: there is no [responder]");
}

TEST(answers_are_wrong_together)
{
    assert_null(parse(HEAD SERVICE RESPONDER ANSWER "a = 192.0.2.1\n"
                                                    "[answer API.pop.example.net]\na = x\n"
                                                    "[answer other.example.net]\na = 192.0.2.1\n"));
    assert_non_null(strstr(told, "f:16: [answer API.pop.example.net]: "));
    assert_non_null(strstr(told, "f:17: `a`: \"x\": "));
    assert_non_null(strstr(told, "f:18: [answer other.example.net]: "));
}

TEST(a_service_called_like_a_name_of_ours_is_refused)
{
    assert_error(HEAD "[service whoami]\nprefixes = 192.0.2.53/32\nrequire = p\n" RESPONDER,
                 "f:13: [responder]: ");
    config_free(parse_good(HEAD "[service whoami]\nprefixes = 192.0.2.53/32\nrequire = p\n"
                                "[responder]\nlisten = 192.0.2.53:53\n"));
}

TEST(names_that_lead_to_each_other_are_refused_all)
{
    assert_null(parse(HEAD SERVICE RESPONDER ANSWER
                      "service = dns\ncname = b.pop.example.net\n"
                      "[answer b.pop.example.net]\nservice = dns\na = 192.0.2.1\n"
                      "cname.drained = c.pop.example.net\n"
                      "[answer c.pop.example.net]\ncname = api.pop.example.net\n"));
    assert_non_null(strstr(told, "f:17: [answer b.pop.example.net]: CNAME.drained leads back"));
    // In two states that are never there at once they do no harm.
    config_free(parse_good(HEAD SERVICE RESPONDER ANSWER
                           "service = dns\na = 192.0.2.1\ncname.drained = b.pop.example.net\n"
                           "[answer b.pop.example.net]\nservice = dns\na.drained = 192.0.2.1\n"
                           "cname = api.pop.example.net\n"));
}

TEST(a_name_that_is_not_in_the_zone_is_a_warning)
{
    assert_warning(HEAD SERVICE RESPONDER ANSWER "mx = 5 mail.pop.example.net\n",
                   "f:14: [answer api.pop.example.net]: MX leads to mail.pop.example.net., which");
    config_free(parse_good(HEAD SERVICE RESPONDER ANSWER
                           "mx = 1 ns.pop.example.net\nmx = 2 a.w.pop.example.net\n"
                           "mx = 3 mail.example.net\nmx = 4 dns.pop.example.net\n"
                           "https = 0 whoami.pop.example.net\nsrv = 1 2 3 .\n"
                           "[answer *.w.pop.example.net]\na = 192.0.2.1\n"));
    // A name between takes what is below it from the wildcard (RFC 4592).
    assert_warning(HEAD SERVICE RESPONDER ANSWER "mx = 2 b.a.w.pop.example.net\n"
                                                 "[answer *.w.pop.example.net]\na = 192.0.2.1\n"
                                                 "[answer a.w.pop.example.net]\na = 192.0.2.1\n",
                   "MX leads to b.a.w.pop.example.net.");
}

TEST(a_name_of_one_label_is_a_warning)
{
    static const char *const records[] = {"cname = www\n", "mx = 10 mail\n", "srv = 1 2 3 www\n",
                                          "https = 0 www\n"};
    char text[1024];
    for (size_t i = 0; i < 4; i++) {
        snprintf(text, sizeof text, HEAD SERVICE RESPONDER ANSWER "%s", records[i]);
        assert_warning(text, ", a name of one label: names are absolute here");
    }
    assert_warning(HEAD SERVICE RESPONDER "ns = ns1 ns2.example.net\n",
                   "f:14: `ns`: ns1. is a name of one label");
    config_free(parse_good(HEAD SERVICE RESPONDER ANSWER "https = 1 . port=8443\nsrv = 1 2 3 .\n"));
    // A zone may be of one label itself.
    config_free(parse_good(HEAD SERVICE "[responder]\nlisten = 198.51.100.53:53\nzone = internal\n"
                                        "ns = internal\n[answer internal]\na = 198.51.100.53\n"
                                        "[answer www.internal]\nmx = 10 internal\n"));
}

TEST(a_mail_server_that_is_an_alias_is_a_warning)
{
#define ALIAS                                                                                      \
    "[answer b.pop.example.net]\nservice = dns\na = 192.0.2.1\ncname.drained = a.example\n"
#define TO " b.pop.example.net\n"
    assert_warning(HEAD SERVICE RESPONDER ANSWER "mx = 5" TO ALIAS,
                   "f:14: [answer api.pop.example.net]: MX leads to b.pop.example.net., which is a "
                   "CNAME: not every client follows");
    assert_warning(HEAD SERVICE RESPONDER ANSWER "srv = 1 2 3" TO ALIAS, "SRV leads to b.pop");
    config_free(parse_good(HEAD SERVICE RESPONDER ANSWER "https = 0" TO ALIAS));
#undef TO
#undef ALIAS
}

// The name that is asked, and those that count aliases lead to.
static void chain_of(size_t count, char out[8192])
{
    size_t used = (size_t)snprintf(out, 8192, HEAD SERVICE RESPONDER);
    for (size_t i = 0; i < count; i++) {
        used += (size_t)snprintf(out + used, 8192 - used,
                                 "[answer n%zu.pop.example.net]\ncname = n%zu.pop.example.net\n", i,
                                 i + 1);
    }
    snprintf(out + used, 8192 - used, "[answer n%zu.pop.example.net]\na = 192.0.2.1\n", count);
}

TEST(a_chain_of_aliases_that_is_not_followed_to_its_end_is_a_warning)
{
    char text[8192];
    chain_of(8, text);
    config_free(parse_good(text));
    chain_of(9, text);
    assert_warning(text,
                   "f:14: [answer n0.pop.example.net]: more than 8 CNAMEs one after the other");
    assert_int_equal(warnings, 1);
}

TEST(a_record_behind_a_cname_is_a_warning)
{
    assert_warning(HEAD SERVICE RESPONDER ANSWER "service = dns\ncname = a.b\ntxt.drained = x\n",
                   "f:14: [answer api.pop.example.net]: TXT.drained is never said");
    config_free(parse_good(HEAD SERVICE RESPONDER ANSWER
                           "service = dns\ncname = a.b\n"
                           "txt.drained = x\na.drained = 192.0.2.1\n"));
}

TEST(a_state_that_forgets_a_family_is_a_warning)
{
    assert_warning(HEAD SERVICE RESPONDER ANSWER "service = dns\na = 192.0.2.1\naaaa = ::1\n"
                                                 "aaaa.drained = ::2\n",
                   "f:14: [answer api.pop.example.net] has `aaaa.drained` but no `a.drained`");
    assert_warning(HEAD SERVICE RESPONDER ANSWER "service = dns\na = 192.0.2.1\naaaa = ::1\n"
                                                 "a.withdrawn = 192.0.2.2\n",
                   "f:14: [answer api.pop.example.net] has `a.withdrawn` but no `aaaa.withdrawn`");
    config_free(parse_good(HEAD SERVICE RESPONDER ANSWER "service = dns\na = 192.0.2.1\n"
                                                         "a.drained = 192.0.2.2\n"));
    config_free(parse_good(HEAD SERVICE RESPONDER ANSWER "service = dns\na = 192.0.2.1\n"
                                                         "aaaa = ::1\ncname.drained = a.b\n"));
}

TEST(every_fallback_parses)
{
    // key_set_fallbacks() asserts it.
    struct probe_conf probe = {0};
    key_set_fallbacks(probe_common_keys, &probe);
    for (size_t i = 0; probe_types[i] != NULL; i++) {
        void *options = calloc(1, probe_types[i]->options_size + 1);
        assert_non_null(options);
        key_set_fallbacks(probe_types[i]->keys, options);
        free(options);
    }
}
