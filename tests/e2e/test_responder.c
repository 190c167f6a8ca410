// The responder of a real popgated, as dig, kdig and other clients see it: who answers, what it
// says in each state of a service, how it listens, and that reloads lose nothing.
#include "tests/lab/answering.h"
#include "tests/lab/dns_load.h"
#include "tests/lab/pair.h"

#include <ctype.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ZONE ANSWERING_ZONE

#define FORTY "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define LONG  "\"" FORTY FORTY FORTY FORTY "\"\n    "

// Each state has addresses of its own here.
#define API                                                                                        \
    "[answer api." ZONE "]\nservice = web\nttl = 30\n"                                             \
    "a = 192.0.2.10 192.0.2.11 192.0.2.12\naaaa = 2001:db8::10\n"                                  \
    "a.degraded = 192.0.2.20\naaaa.degraded = 2001:db8::20\n"                                      \
    "a.drained = 192.0.2.30\naaaa.drained = 2001:db8::30\n"                                        \
    "a.withdrawn = 192.0.2.40\naaaa.withdrawn = 2001:db8::40\n"
#define RECORDS                                                                                    \
    API "[answer front." ZONE "]\nttl = 5m\ncname = api." ZONE "\n"                                \
        "[answer first." ZONE "]\ncname = front." ZONE "\n"                                        \
        "[answer away." ZONE "]\ncname = www.example.org\n"                                        \
        "[answer *.wild." ZONE "]\na = 192.0.2.99\n"                                               \
        "[answer deep.below." ZONE "]\na = 192.0.2.98\n"                                           \
        "[answer mail." ZONE "]\nmx = 10 api." ZONE "\nmx = 20 mx.example.org\n"                   \
        "txt = \"v=spf1; -all\"\nsrv = 1 2 443 api." ZONE "\n"                                     \
        "caa = 0 issue \"ca.example.net\"\nhttps = 1 . alpn=h2\nsvcb = 1 api." ZONE " port=853\n"  \
        "[answer long." ZONE "]\ntxt = " LONG LONG LONG LONG LONG LONG LONG LONG LONG "\"end\"\n"

static struct answering serving(const char *more)
{
    struct answering answering = answering_make();
    char sections[LAB_CONFIG_MAX];

    snprintf(sections, sizeof sections, "%s%s", more, RECORDS ANSWERING_SERVICE);
    answering_run(&answering, sections);
    return answering;
}

// ---- Dig and kdig

#define WORDS_MAX   16
#define NEEDLES_MAX 5

struct question {
    const char *words;              // after `dig @ADDRESS`
    const char *finds[NEEDLES_MAX]; // in what it prints, white space squeezed, in any case
    const char *misses[NEEDLES_MAX];
};

// \x01 stands for the family: 4 or 6.
static const struct question questions[] = {
    {"CH TXT id.server", {"id.server. 0 CH TXT \"pop\"", "status: NOERROR", "qr aa rd;"}, {"ra;"}},
    {"CH TXT hostname.bind", {"hostname.bind. 0 CH TXT \"pop\""}, {0}},
    {"CH TXT version.bind", {"version.bind. 0 CH TXT \"a version\""}, {0}},
    {"CH TXT version.server", {"version.server. 0 CH TXT \"a version\""}, {0}},
    {"CH TXT authors.bind", {"status: REFUSED"}, {0}},
    {"+nsid SOA " ZONE, {"NSID: 70", "\"pop\""}, {0}},
    {"+nsid A www.example.org", {"status: REFUSED", "NSID: 70", "\"pop\""}, {0}},
    {"SOA " ZONE, {ZONE ". 3600 IN SOA ns1." ZONE ". hostmaster." ZONE ". ", "qr aa rd;"}, {0}},
    {"NS " ZONE,
     {ZONE ". 3600 IN NS ns1." ZONE ".", ZONE ". 3600 IN NS ns2.example.org.",
      "ns1." ZONE ". 3600 IN A 192.0.2.53", "ns1." ZONE ". 3600 IN AAAA 2001:db8::53"},
     {0}},
    {"A ns1." ZONE, {"ns1." ZONE ". 3600 IN A 192.0.2.53"}, {0}},
    {"TXT id." ZONE, {"id." ZONE ". 0 IN TXT \"pop\""}, {0}},
    {"TXT region." ZONE, {"region." ZONE ". 0 IN TXT \"eu-central\""}, {0}},
    {"TXT health." ZONE,
     {"health." ZONE ". 0 IN TXT \"announce=1\" \"depreference=0\" \"withdraw=0\""},
     {0}},
    {"TXT web." ZONE, {"web." ZONE ". 0 IN TXT \"target=announce\" \"since=20", "Z\""}, {0}},
    {"+subnet=198.51.100.0/24 TXT whoami." ZONE,
     {"\"transport=udp\"", "\"subnet=198.51.100.0/24\"", "\"pop=pop\"", "198.51.100.0/24/24"},
     {0}},
    {"+tcp TXT whoami." ZONE, {"whoami." ZONE ". 0 IN TXT", "\"transport=tcp\""}, {"subnet="}},
    {"A api." ZONE,
     {"api." ZONE ". 30 IN A 192.0.2.10", "192.0.2.11", "192.0.2.12", "answer: 3"},
     {"192.0.2.20"}},
    {"AAAA api." ZONE, {"api." ZONE ". 30 IN AAAA 2001:db8::10"}, {0}},
    {"A ApI.PoP.eXaMpLe.NeT", {"status: NOERROR", "192.0.2.10"}, {0}},
    {"A front." ZONE, {"front." ZONE ". 300 IN CNAME api." ZONE ".", "30 IN A 192.0.2.10"}, {0}},
    {"A first." ZONE,
     {"first." ZONE ". 30 IN CNAME front." ZONE ".", "front." ZONE ". 300 IN CNAME api." ZONE ".",
      "30 IN A 192.0.2.10"},
     {0}},
    {"CNAME first." ZONE, {"30 IN CNAME front." ZONE ".", "answer: 1"}, {0}},
    {"A away." ZONE, {"IN CNAME www.example.org.", "answer: 1", "status: NOERROR"}, {0}},
    {"TXT first." ZONE, {"IN CNAME api." ZONE ".", "IN SOA", "status: NOERROR"}, {0}},
    {"A some.thing.wild." ZONE, {"some.thing.wild." ZONE ". 30 IN A 192.0.2.99"}, {0}},
    {"A wild." ZONE, {"status: NOERROR", "answer: 0", "IN SOA"}, {0}},
    {"MX a.wild." ZONE, {"status: NOERROR", "answer: 0", "IN SOA"}, {0}},
    {"A below." ZONE, {"status: NOERROR", "answer: 0", "IN SOA"}, {0}},
    {"A nowhere." ZONE, {"status: NXDOMAIN", "answer: 0", ZONE ". 60 IN SOA", "qr aa rd;"}, {0}},
    {"A other.below." ZONE, {"status: NXDOMAIN", "IN SOA"}, {0}},
    {"A www.example.org", {"status: REFUSED", "answer: 0"}, {" aa"}},
    {"NS .", {"status: REFUSED"}, {0}},
    {"MX mail." ZONE,
     {"MX 10 api." ZONE ".", "MX 20 mx.example.org.", "api." ZONE ". 30 IN A 192.0.2.10",
      "api." ZONE ". 30 IN AAAA 2001:db8::10"},
     {0}},
    {"TXT mail." ZONE, {"TXT \"v=spf1; -all\""}, {0}},
    {"SRV mail." ZONE, {"SRV 1 2 443 api." ZONE "."}, {0}},
    {"CAA mail." ZONE, {"CAA 0 issue \"ca.example.net\""}, {0}},
    {"TYPE65 mail." ZONE, {"answer: 1"}, {0}},
    {"TYPE64 mail." ZONE, {"answer: 1"}, {0}},
    {"TYPE1234 mail." ZONE, {"status: NOERROR", "answer: 0", "IN SOA"}, {0}},
    {"DNSKEY " ZONE, {"status: NOERROR", "answer: 0", "IN SOA"}, {0}},
    {"ANY api." ZONE, {"status: NOERROR", "answer: "}, {"answer: 0", "answer: 4"}},
    {"AXFR " ZONE, {"failed"}, {"192.0.2.10"}},
    {"+noedns SOA " ZONE, {"status: NOERROR", "additional: 0"}, {0}},
    {"TXT long." ZONE, {"tcp", "answer: 1", "\"end\""}, {0}},
    {"+notcp +ignore TXT long." ZONE, {"qr aa tc rd;"}, {"\"end\""}},
};

// White space becomes one space.
static void squeeze(char *text)
{
    char *out = text;

    for (const char *in = text; *in != '\0'; in++) {
        if (!isspace((unsigned char)*in)) {
            *out++ = *in;
        } else if (out > text && out[-1] != ' ') {
            *out++ = ' ';
        }
    }
    *out = '\0';
}

static const char *run_client(const struct lab_server *server, const char *program,
                              const char *question)
{
    static char output[LAB_OUTPUT_MAX];
    char at[64], words[512], *rest = words;
    const char *argv[WORDS_MAX] = {program, at, "+timeout=5", "+tries=1"};
    size_t argc = 4;

    if (strcmp(program, "kdig") == 0) {
        argv[3] = "+retry=0";
        argv[argc++] = "+edns"; // as dig does by default
        argv[argc++] = "+rdflag";
    }
    snprintf(at, sizeof at, "@%s", server->address);
    snprintf(words, sizeof words, "%s", question);
    while (argc + 1 < WORDS_MAX && (argv[argc] = strsep(&rest, " ")) != NULL) {
        argc++;
    }
    argv[argc] = NULL;
    (void)lab_run(server->from, argv, output, sizeof output);
    squeeze(output);
    return output;
}

static void ask_question(const struct lab_server *server, const char *program,
                         const struct question *question)
{
    const char *output = run_client(server, program, question->words);

    for (size_t i = 0; i < NEEDLES_MAX && question->finds[i] != NULL; i++) {
        if (strcasestr(output, question->finds[i]) == NULL) {
            lab_fail("%s @%s %s lacks \"%s\":\n%s", program, server->address, question->words,
                     question->finds[i], output);
        }
    }
    for (size_t i = 0; i < NEEDLES_MAX && question->misses[i] != NULL; i++) {
        if (strcasestr(output, question->misses[i]) != NULL) {
            lab_fail("%s @%s %s should not have \"%s\":\n%s", program, server->address,
                     question->words, question->misses[i], output);
        }
    }
}

LAB_TEST(dig_and_kdig_are_answered_to_the_letter)
{
    struct answering answering =
        serving(ANSWERING_RESPONDER "version = a version\nns = ns1." ZONE " ns2.example.org\n");

    for (enum answering_way way = WAY_UDP4; way <= WAY_UDP6; way++) {
        for (size_t i = 0; i < sizeof questions / sizeof *questions; i++) {
            ask_question(&answering.ways[way], "dig", &questions[i]);
            ask_question(&answering.ways[way], "kdig", &questions[i]);
        }
    }
}

LAB_TEST(whoami_tells_the_address_that_the_query_came_from)
{
    struct answering answering = serving(ANSWERING_RESPONDER);

    for (enum answering_way way = 0; way < ANSWERING_WAYS; way++) {
        bool v6 = way == WAY_UDP6 || way == WAY_TCP6;
        const struct lab_server *server = &answering.ways[way];

        assert_string_equal(lab_ask_text(server, "whoami." ZONE, v6 ? DNS_AAAA : DNS_A),
                            v6 ? "2001:db8:1::2" : "10.0.1.2");
        assert_string_equal(lab_ask_text(server, "whoami." ZONE, v6 ? DNS_A : DNS_AAAA), "NODATA");
        const char *text = lab_ask_text(server, "whoami." ZONE, DNS_TXT);
        assert_non_null(strstr(text, v6 ? "\"address=2001:db8:1::2\"" : "\"address=10.0.1.2\""));
        assert_non_null(strstr(text, server->tcp ? "\"transport=tcp\"" : "\"transport=udp\""));
        assert_non_null(strstr(text, "\"port="));
        assert_null(strstr(text, "subnet="));
    }
}

LAB_TEST(what_is_not_configured_is_not_told)
{
    struct answering answering = answering_make();

    answering_run(&answering, "[responder]\n" ANSWERING_LISTEN "nsid = off\ncookies = off\n"
                              "rate_limit = 0\n" ANSWERING_SERVICE);
    struct question nothing[] = {
        {"CH TXT id.server", {"id.server. 0 CH TXT \"pop\""}, {0}},
        {"CH TXT version.bind", {"answer: 0"}, {"popgate"}},
        {"CH TXT version.server", {"answer: 0"}, {"popgate"}},
        {"+nsid CH TXT id.server", {"\"pop\""}, {"NSID: "}},
        {"SOA " ZONE, {"status: REFUSED"}, {0}},
    };
    for (size_t i = 0; i < sizeof nothing / sizeof *nothing; i++) {
        ask_question(&answering.ways[WAY_UDP4], "dig", &nothing[i]);
    }
}

LAB_TEST(records_take_turns)
{
    struct answering answering = serving(ANSWERING_RESPONDER);
    static const char *const addresses[] = {"192.0.2.10", "192.0.2.11", "192.0.2.12"};
    char question[64];

    snprintf(question, sizeof question, "+short A api.%s", ZONE);
    for (size_t i = 0; i < 3; i++) {
        LAB_WAIT(strncmp(run_client(&answering.ways[WAY_UDP4], "dig", question), addresses[i],
                         strlen(addresses[i])) == 0,
                 "each address to come first", POP_WAIT_MS);
    }
}

// ---- States

#define API_NORMAL    "192.0.2.10 192.0.2.11 192.0.2.12"
#define API_DEGRADED  "192.0.2.20"
#define API_DRAINED   "192.0.2.30"
#define API_WITHDRAWN "192.0.2.40"

// What a name says in each state, by every way to ask.
static void wait_says(const struct answering *answering, const char *name, const char *expected)
{
    char what[256];

    snprintf(what, sizeof what, "%s to be %s", name, expected);
    for (enum answering_way way = 0; way < ANSWERING_WAYS; way++) {
        LAB_WAIT(strcmp(lab_ask_text(&answering->ways[way], name, DNS_A), expected) == 0, what,
                 POP_WAIT_MS);
    }
}

static void wait_target(const struct answering *answering, const char *target)
{
    char part[64];

    snprintf(part, sizeof part, "\"target=%s\"", target);
    LAB_WAIT(strstr(lab_ask_text(&answering->ways[WAY_UDP4], "web." ZONE, DNS_TXT), part) != NULL,
             part, POP_WAIT_MS);
}

LAB_TEST(answers_follow_the_state_of_their_service)
{
    struct answering answering =
        serving(ANSWERING_RESPONDER "[answer half." ZONE "]\nservice = web\na = 192.0.2.1\n"
                                    "a.withdrawn = 192.0.2.4\n"
                                    "[answer plain." ZONE "]\na = 192.0.2.9\n");
    const struct pop *pop = &answering.pop;

    wait_says(&answering, "api." ZONE, API_NORMAL);
    wait_says(&answering, "half." ZONE, "192.0.2.1");

    lab_tcp_server_crash(answering.spare);
    wait_says(&answering, "api." ZONE, API_DEGRADED);
    wait_says(&answering, "half." ZONE, "192.0.2.1");
    wait_target(&answering, "depreference");
    lab_tcp_server_recover(answering.spare);
    wait_says(&answering, "api." ZONE, API_NORMAL);

    lab_tcp_server_crash(answering.web);
    wait_says(&answering, "api." ZONE, API_WITHDRAWN);
    wait_says(&answering, "half." ZONE, "192.0.2.4");
    wait_target(&answering, "withdraw");
    lab_tcp_server_recover(answering.web);
    wait_says(&answering, "api." ZONE, API_NORMAL);

    POP_COMMAND(pop, 0, "drain", "web", "--reason", "test");
    wait_says(&answering, "api." ZONE, API_DRAINED); // while it is depreferenced
    LAB_WAIT(!tap_has(pop->tap, ANSWERING_WEB_V4), "the withdrawal", POP_WAIT_MS);
    wait_says(&answering, "api." ZONE, API_DRAINED); // and after
    wait_says(&answering, "half." ZONE, "192.0.2.4");
    POP_COMMAND(pop, 0, "undrain", "web");
    wait_says(&answering, "api." ZONE, API_NORMAL);

    POP_COMMAND(pop, 0, "isolate", "web", "--reason", "test");
    wait_says(&answering, "api." ZONE, API_WITHDRAWN);
    POP_COMMAND(pop, 0, "release", "web");
    wait_says(&answering, "api." ZONE, API_NORMAL);
    wait_says(&answering, "plain." ZONE, "192.0.2.9");
    wait_says(&answering, "front." ZONE, API_NORMAL " api." ZONE "."); // sorted by owner
}

// ---- Clients that are known, and those that are not

#define LIMITED  "rate_limit = 1\nslip = 1\ncookie_secret_file = "
#define SECRET_A "00112233445566778899aabbccddeeff\n"
#define SECRET_B "ffeeddccbbaa99887766554433221100\n"
#define BURST    50

#define CLIENT_V4 "198.51.100.200" // on the upstream
#define CLIENT_COOKIE                                                                              \
    "\x00\x0a\x00\x08"                                                                             \
    "87654321"

struct cookie {
    uint8_t option[4 + 24];
};

static void write_secret(const struct lab_node *node, const char *text)
{
    char path[LAB_PATH_MAX];

    lab_write(node, "cookies", text);
    chmod(lab_path(node, "cookies", path), 0600);
}

static const char *limited_sections(const struct lab_node *node, const char *listen,
                                    const char *more, char out[LAB_CONFIG_MAX])
{
    char path[LAB_PATH_MAX];

    snprintf(out, LAB_CONFIG_MAX, "[responder]\nzone = " ZONE "\n%s" LIMITED "%s\n%s%s", listen,
             lab_path(node, "cookies", path), more, ANSWERING_SERVICE);
    return out;
}

static struct cookie get_cookie(const struct lab_server *server)
{
    struct cookie cookie = {{0, DNS_OPTION_COOKIE, 0, 24}};
    struct lab_query query = {
        .name = ZONE, .type = DNS_SOA, .edns = true, .options = LAB_BYTES(CLIENT_COOKIE)};
    const struct dns_option *option = lab_answer_option(lab_ask(server, &query), DNS_OPTION_COOKIE);

    assert_non_null(option);
    assert_int_equal(option->length, 24);
    memcpy(cookie.option + 4, option->bytes, 24);
    return cookie;
}

// How many of a burst of queries were sent to TCP.
static size_t truncated_of_burst(const struct lab_server *server, const struct cookie *cookie)
{
    struct lab_query query = {.name = ZONE, .type = DNS_SOA, .edns = true};
    size_t truncated = 0;

    if (cookie != NULL) {
        query.options = (struct lab_bytes){cookie->option, sizeof cookie->option};
    }
    for (size_t i = 0; i < BURST; i++) {
        const struct lab_answer *answer = lab_ask(server, &query);

        if (answer->header.flags & DNS_TC) {
            assert_int_equal(answer->record_count, 0);
            truncated++;
        }
    }
    return truncated;
}

LAB_TEST(only_unknown_clients_are_limited)
{
    struct answering answering = answering_make();
    const struct lab_server *udp = &answering.ways[WAY_UDP4];
    struct cookie bad = {{0, DNS_OPTION_COOKIE, 0, 24}};
    char sections[LAB_CONFIG_MAX];

    write_secret(answering.pop.node, SECRET_A);
    answering_run(&answering, limited_sections(answering.pop.node, ANSWERING_LISTEN, "", sections));
    struct cookie good = get_cookie(udp);
    memcpy(bad.option, good.option, sizeof bad.option);
    bad.option[sizeof bad.option - 1] ^= 1;

    assert_int_equal(truncated_of_burst(udp, &good), 0);
    assert_true(truncated_of_burst(udp, NULL) > 0);
    assert_true(truncated_of_burst(udp, &bad) > 0);
    assert_int_equal(truncated_of_burst(&answering.ways[WAY_TCP4], NULL), 0);
    // Another address can't use it.
    assert_true(truncated_of_burst(&answering.ways[WAY_UDP6], &good) > 0);
}

LAB_TEST(a_secret_is_rolled_over_without_anyone_noticing)
{
    struct answering answering = answering_make();
    const struct lab_server *udp = &answering.ways[WAY_UDP4];
    char sections[LAB_CONFIG_MAX];

    write_secret(answering.pop.node, SECRET_A);
    answering_run(&answering, limited_sections(answering.pop.node, ANSWERING_LISTEN, "", sections));
    struct cookie old = get_cookie(udp);

    write_secret(answering.pop.node, SECRET_B SECRET_A);
    pop_reload(&answering.pop,
               limited_sections(answering.pop.node, ANSWERING_LISTEN,
                                "[answer new." ZONE "]\na = 192.0.2.1\n", sections));
    LAB_WAIT(strcmp(lab_ask_text(&answering.ways[WAY_TCP4], "new." ZONE, DNS_A), "192.0.2.1") == 0,
             "the reload", POP_WAIT_MS);
    struct cookie new = get_cookie(udp);
    assert_memory_not_equal(old.option, new.option, sizeof old.option);
    assert_int_equal(truncated_of_burst(udp, &old), 0);
    assert_int_equal(truncated_of_burst(udp, &new), 0);

    write_secret(answering.pop.node, SECRET_B);
    pop_reload(&answering.pop,
               limited_sections(answering.pop.node, ANSWERING_LISTEN,
                                "[answer newer." ZONE "]\na = 192.0.2.1\n", sections));
    LAB_WAIT(strcmp(lab_ask_text(&answering.ways[WAY_TCP4], "newer." ZONE, DNS_A), "192.0.2.1") ==
                 0,
             "the second reload", POP_WAIT_MS);
    assert_int_equal(truncated_of_burst(udp, &new), 0);
    assert_true(truncated_of_burst(udp, &old) > 0);
}

LAB_TEST(a_client_stays_known_at_another_pop)
{
    struct answering answering = answering_make();
    struct pop another = {.node = lab_node("another")};
    struct lab_router router = {.id = "10.0.7.1", .as = POP_AS};
    struct lab_server first = answering.ways[WAY_UDP4];
    struct lab_server second = {
        .from = answering.pop.upstream, .address = "10.0.7.1", .source = CLIENT_V4};
    char sections[LAB_CONFIG_MAX];

    first.source = CLIENT_V4;
    lab_address_add(answering.pop.upstream, CLIENT_V4 "/32");
    lab_ip(answering.pop.node, "route add " CLIENT_V4 " via 10.0.1.2");
    lab_link(another.node, "10.0.7.1/24", answering.pop.upstream, "10.0.7.2/24");
    lab_ip(another.node, "route add " CLIENT_V4 " via 10.0.7.2");
    another.bird =
        lab_bird_start(another.node, lab_router_config(another.node, &router, another.bird_conf));
    write_secret(answering.pop.node, SECRET_A);
    write_secret(another.node, SECRET_A);
    answering_run(&answering, limited_sections(answering.pop.node, ANSWERING_LISTEN, "", sections));
    limited_sections(another.node, "listen = 10.0.7.1:53\n", "", sections);
    pop_run(&another, sections);

    struct cookie cookie = get_cookie(&first);
    assert_int_equal(truncated_of_burst(&second, &cookie), 0);
    assert_true(truncated_of_burst(&second, NULL) > 0);
}

// ---- Listening

static const struct lab_query identity = {
    .name = "id.server", .type = DNS_TXT, .class = DNS_CLASS_CH};

LAB_TEST(an_address_may_come_later)
{
    struct answering answering =
        serving("[responder]\nzone = " ZONE "\nlisten = " ANSWERING_V4 ":53 192.0.2.77:53 "
                "[2001:db8::77]:53\n");
    struct lab_server late4 = {.from = answering.pop.node, .address = "192.0.2.77"};
    struct lab_server late6 = {.from = answering.pop.node, .address = "2001:db8::77"};

    assert_false(lab_answers(&late6, &identity));
    lab_address_add(answering.pop.node, "192.0.2.77/32 2001:db8::77/128");
    LAB_WAIT(lab_answers(&late4, &identity) && lab_answers(&late6, &identity),
             "the addresses to be usable", POP_WAIT_MS);
    for (int tcp = 0; tcp <= 1; tcp++) {
        late4.tcp = late6.tcp = tcp;
        assert_string_equal(lab_ask_text(&late4, "id." ZONE, DNS_TXT), "\"pop\"");
        assert_string_equal(lab_ask_text(&late6, "id." ZONE, DNS_TXT), "\"pop\"");
    }
}

LAB_TEST(answers_come_from_the_address_that_was_asked)
{
    // The clients' sockets are connected: they get nothing that comes from elsewhere.
    struct answering answering =
        serving("[responder]\nzone = " ZONE "\nlisten = 0.0.0.0:53 [::]:53\n");
    static const char *const addresses[] = {ANSWERING_V4, "192.0.2.77",   "10.0.1.1",
                                            ANSWERING_V6, "2001:db8::77", "2001:db8:1::1"};

    lab_address_add(answering.pop.node, "192.0.2.77/32 2001:db8::77/128");
    lab_ip(answering.pop.upstream, "route add 192.0.2.77 via 10.0.1.1");
    lab_ip(answering.pop.upstream, "route add 2001:db8::77 via 2001:db8:1::1");
    for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++) {
        struct lab_server server = {.from = answering.pop.upstream, .address = addresses[i]};

        assert_string_equal(lab_ask_text(&server, "id." ZONE, DNS_TXT), "\"pop\"");
        server.tcp = true;
        assert_string_equal(lab_ask_text(&server, "id." ZONE, DNS_TXT), "\"pop\"");
    }
}

LAB_TEST(port_53_needs_one_capability_and_not_root)
{
    struct answering answering = answering_make();
    char config[LAB_CONFIG_MAX], file[LAB_PATH_MAX], program[LAB_PATH_MAX];

    if (!lab_has_users()) {
        skip();
    }
    lab_write(answering.pop.node, "popgate.conf",
              lab_popgated_config(answering.pop.node, answering.pop.bird, POP_AS,
                                  ANSWERING_RESPONDER ANSWERING_SERVICE, config));
    lab_program_for_all(answering.pop.node, lab_popgated_program(), program);
    lab_path(answering.pop.node, "popgate.conf", file);
    struct lab_command bound = {
        .name = "popgated",
        .argv = LAB_ARGV("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups",
                         "--inh-caps", "-all,+net_bind_service", "--ambient-caps",
                         "-all,+net_bind_service", "--bounding-set", "-all,+net_bind_service",
                         program, "--config", file),
    };
    lab_spawn(answering.pop.node, &bound);
    LAB_WAIT(lab_answers(&answering.ways[WAY_UDP4], &identity) &&
                 lab_answers(&answering.ways[WAY_TCP6], &identity),
             "an answer from port 53", POP_WAIT_MS);
}

// What its addresses are for is not there; everything else is.
LAB_TEST(without_that_capability_it_says_so_and_runs)
{
    struct answering answering = answering_make();
    char config[LAB_CONFIG_MAX], file[LAB_PATH_MAX], program[LAB_PATH_MAX];

    if (!lab_has_users()) {
        skip();
    }
    lab_write(answering.pop.node, "popgate.conf",
              lab_popgated_config(answering.pop.node, answering.pop.bird, POP_AS,
                                  ANSWERING_RESPONDER ANSWERING_SERVICE, config));
    lab_program_for_all(answering.pop.node, lab_popgated_program(), program);
    struct lab_process *popgated = lab_spawn(
        answering.pop.node,
        &(struct lab_command){.name = "popgated",
                              .argv = LAB_ARGV(program, "--config",
                                               lab_path(answering.pop.node, "popgate.conf", file)),
                              .user = LAB_NOBODY});
    LAB_WAIT(lab_log_contains(popgated, "Permission denied"), "the complaint", POP_WAIT_MS);
    assert_true(lab_log_contains(popgated, ANSWERING_V4));
    LAB_WAIT(LAB_POPGATE(answering.pop.node, NULL, "status") == 0, "it to answer", POP_WAIT_MS);
}

LAB_TEST(a_port_that_another_has_takes_nothing_down_and_is_taken_when_it_is_free)
{
    struct answering answering = answering_make();
    char output[LAB_OUTPUT_MAX];
    struct lab_tcp_server *other =
        lab_tcp_server_start(answering.pop.node, ANSWERING_V4, 53, LAB_TCP_SILENT, NULL);

    pop_run(&answering.pop, ANSWERING_RESPONDER ANSWERING_SERVICE);
    struct lab_process *log = lab_popgated_process(answering.pop.popgated);
    assert_string_equal(lab_ask_text(&answering.ways[WAY_UDP6], "id." ZONE, DNS_TXT), "\"pop\"");
    LAB_WAIT(LAB_POPGATE(answering.pop.node, output, "check") == 1, "a warning", POP_WAIT_MS);
    assert_non_null(strstr(output, "in use"));
    assert_true(lab_log_contains(log, "tried again each second"));
    assert_false(lab_log_contains(log, "responder: zone " ZONE)); // on addresses that it has not
    lab_tcp_server_crash(other);
    LAB_WAIT(lab_answers(&answering.ways[WAY_UDP4], &identity), "the port to be taken",
             POP_WAIT_MS);
    LAB_WAIT(LAB_POPGATE(answering.pop.node, output, "check") == 0, "all to be well", POP_WAIT_MS);
    assert_true(lab_log_contains(log, "responder: zone " ZONE));
}

LAB_TEST(a_start_without_the_file_of_cookie_secrets_is_no_outage)
{
    char sections[LAB_CONFIG_MAX], secrets[LAB_PATH_MAX];
    struct answering answering = answering_make();

    lab_path(answering.pop.node, "secrets", secrets);
    snprintf(sections, sizeof sections, "%scookie_secret_file = %s\n%s", ANSWERING_RESPONDER,
             secrets, ANSWERING_SERVICE);
    answering_run(&answering, sections); // not there yet
    POP_COMMAND(&answering.pop, 1, "check");
    assert_non_null(strstr(pop_output, secrets));
    POP_WAIT_SAYS(&answering.pop, "responder cookie_secret", "made up at start");
    POP_COMMAND(&answering.pop, 1, "reload");

    lab_write(answering.pop.node, "secrets", "00112233445566778899aabbccddeeff\n");
    assert_int_equal(chmod(secrets, 0600), 0);
    POP_COMMAND(&answering.pop, 0, "reload");
    POP_COMMAND(&answering.pop, 0, "check");
    assert_true(pop_says_part(&answering.pop, "responder cookie_secret", secrets));
}

LAB_TEST(what_another_has_taken_is_named_and_the_reload_changes_nothing)
{
    struct answering answering = serving(ANSWERING_RESPONDER);
    struct lab_process *log = lab_popgated_process(answering.pop.popgated);

    lab_tcp_server_start(answering.pop.node, "10.0.1.1", 53, LAB_TCP_SILENT, NULL);
    pop_reload(&answering.pop,
               "[responder]\nzone = " ZONE "\nlisten = " ANSWERING_V4 ":53 10.0.1.1:53\n"
               "[answer new." ZONE "]\na = 192.0.2.1\n" ANSWERING_SERVICE);
    LAB_WAIT(lab_log_contains(log, "in use"), "the complaint", POP_WAIT_MS);
    assert_true(lab_log_contains(log, "10.0.1.1"));
    assert_string_equal(lab_ask_text(&answering.ways[WAY_UDP4], "new." ZONE, DNS_A), "NXDOMAIN");
    assert_string_equal(lab_ask_text(&answering.ways[WAY_UDP6], "id." ZONE, DNS_TXT), "\"pop\"");
}

LAB_TEST(from_an_address_to_the_wildcard_takes_a_restart)
{
    struct answering answering = serving(ANSWERING_RESPONDER);
    struct lab_process *log = lab_popgated_process(answering.pop.popgated);

    pop_reload(&answering.pop, "[responder]\nzone = " ZONE "\nlisten = 0.0.0.0:53\n");
    LAB_WAIT(lab_log_contains(log, "that takes a restart"), "the complaint", POP_WAIT_MS);
    assert_string_equal(lab_ask_text(&answering.ways[WAY_UDP4], "id." ZONE, DNS_TXT), "\"pop\"");
}

LAB_TEST(it_ends_and_begins_with_popgated)
{
    struct answering answering = serving(ANSWERING_RESPONDER);

    assert_int_equal(lab_popgated_stop(answering.pop.popgated), 0);
    for (enum answering_way way = 0; way < ANSWERING_WAYS; way++) {
        assert_false(lab_answers(&answering.ways[way], &identity));
    }
    lab_popgated_restart(answering.pop.popgated);
    for (enum answering_way way = 0; way < ANSWERING_WAYS; way++) {
        assert_true(lab_answers(&answering.ways[way], &identity));
    }
}

// ---- Reload

#define RELOADS 20

static void reload_number(const struct answering *answering, int number)
{
    char sections[LAB_CONFIG_MAX], name[64];

    snprintf(sections, sizeof sections,
             "[responder]\nzone = " ZONE "\n" ANSWERING_LISTEN
             "    %s\nthreads = %d\nrate_limit = 0\n"
             "[answer number-%d." ZONE "]\na = 192.0.2.1\n" RECORDS ANSWERING_SERVICE,
             number % 2 ? "127.0.0.1:5353 [::1]:5353" : "10.0.1.1:53", number % 3 + 1, number);
    pop_reload((struct pop *)&answering->pop, sections);
    snprintf(name, sizeof name, "number-%d.%s", number, ZONE);
    LAB_WAIT(strcmp(lab_ask_text(&answering->ways[WAY_UDP4], name, DNS_A), "192.0.2.1") == 0,
             "the reload", POP_WAIT_MS);
}

LAB_TEST(reloads_lose_no_query)
{
    struct answering answering = serving(ANSWERING_RESPONDER);
    struct lab_stream *streams[ANSWERING_WAYS];
    size_t count = sizeof streams / sizeof *streams;
    struct lab_query query = {.name = "api." ZONE};
    // Many at a time, so that some wait in a socket that is given up.
    struct lab_dnsperf many = {.server = answering.ways[WAY_UDP4],
                               .queries = &query,
                               .query_count = 1,
                               .seconds = 4,
                               .clients = 32,
                               .max_qps = 20000};
    int reloads = 0;

    for (size_t i = 0; i < count; i++) {
        streams[i] = lab_stream_start(&(struct lab_stream_options){
            .server = answering.ways[i],
            .query = query,
            .pause_us = 100,
        });
    }
    struct lab_process *dnsperf = lab_dnsperf_start(&many);
    for (; reloads < RELOADS || lab_running(dnsperf); reloads++) {
        uint64_t before = lab_stream_answered(streams[0]);

        reload_number(&answering, reloads);
        LAB_WAIT(lab_stream_answered(streams[0]) > before + 10, "the stream to go on", POP_WAIT_MS);
    }
    for (size_t i = 0; i < count; i++) {
        struct lab_stream_result result;

        lab_stream_stop(streams[i]);
        lab_stream_result(streams[i], &result);
        print_message("%s: %lu asked, %lu answered\n", answering_ways[i],
                      (unsigned long)result.asked, (unsigned long)result.answered);
        assert_int_equal(result.lost, 0);
        assert_int_equal(result.malformed, 0);
        assert_int_equal(result.said_count, 1);
        assert_string_equal(result.said[0].text, API_NORMAL);
    }
    struct lab_dnsperf_result result = lab_dnsperf_end(&many, dnsperf);
    print_message("dnsperf: %lu asked, %lu answered, during %d reloads\n",
                  (unsigned long)result.sent, (unsigned long)result.completed, reloads);
    assert_int_equal(result.lost, 0);
}

// ---- Another PoP

LAB_TEST(clients_move_to_another_pop_without_a_query_lost)
{
    struct pair pair = pair_make();
    size_t from = pair_best(&pair);
    struct lab_stream_result result;
    char said[PAIR_POPS][16];

    for (size_t i = 0; i < PAIR_POPS; i++) {
        snprintf(said[i], sizeof said[i], "\"%s\"", pair_names[i]);
    }
    struct lab_stream *stream = lab_stream_start(
        &(struct lab_stream_options){.server = pair.client, .query = identity, .pause_us = 100});
    for (size_t i = 0; i < 6; i++) {
        size_t drained = i % 2 ? 1 - from : from;
        uint64_t before = lab_stream_said(stream, said[1 - drained]);

        POP_COMMAND(&pair.pops[drained], 0, "drain", PAIR_SERVICE, "--reason", "test");
        LAB_WAIT(lab_stream_said(stream, said[1 - drained]) > before + 10 &&
                     lab_bird_imported(pair.upstream_bird, pair_names[drained]) == 0,
                 "answers of the other PoP alone", POP_WAIT_MS);
        POP_COMMAND(&pair.pops[drained], 0, "undrain", PAIR_SERVICE);
        LAB_WAIT(lab_bird_imported(pair.upstream_bird, pair_names[drained]) == 2 &&
                     lab_bird_imported(pair.pops[1 - drained].bird, "other_pop") == 2,
                 "the PoP to be back", POP_WAIT_MS);
    }
    lab_stream_stop(stream);
    lab_stream_result(stream, &result);
    assert_int_equal(result.lost, 0);
    assert_int_equal(result.malformed, 0);
    assert_int_equal(result.said_count, 2);
}

// ---- The default service

LAB_TEST(the_identity_is_announced_while_it_answers)
{
    struct answering answering = answering_make();

    answering_run(&answering, ANSWERING_RESPONDER
                  "[probe id4]\ntype = dns\ntarget = " ANSWERING_V4 ":53\nnsid = pop\n"
                  "answer = \"pop\"\n" POP_PROBE_KEYS "[service identity]\nprefixes = " POP_V4
                  "\nrequire = id4\n"
                  "last_pop_guard = off\n" POP_TIMING);
    LAB_WAIT(tap_has(answering.pop.tap, POP_V4), "the identity to be announced", POP_WAIT_MS);
    LAB_WAIT(strstr(lab_ask_text(&answering.ways[WAY_UDP4], "identity." ZONE, DNS_TXT),
                    "target=announce") != NULL,
             "its own name to say so", POP_WAIT_MS);
}
