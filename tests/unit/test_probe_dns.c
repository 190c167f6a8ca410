// The dns probe: UDP, TCP and both.
#include "tests/unit/dns_server.h"

// ---- A DNS server on one port of the loopback, over UDP and TCP

static size_t silence(struct server *server, const struct dns_header *header,
                      const struct dns_question *question, uint8_t *out)
{
    (void)server;
    (void)header;
    (void)question;
    (void)out;
    return 0;
}

// Who has not the server's cookie gets it, and no answer.
static size_t answer_the_known(struct server *server, const struct dns_header *header,
                               const struct dns_question *question, uint8_t *out)
{
    bool known = server->cookie_length == DNS_CLIENT_COOKIE + DNS_SERVER_COOKIE_MIN &&
                 server->cookie[DNS_CLIENT_COOKIE] == server->cookies_given;
    server->rcode = known ? DNS_NOERROR : DNS_BADCOOKIE;
    return answer(server, header, question, out);
}

static size_t answer_badcookie(struct server *server, const struct dns_header *header,
                               const struct dns_question *question, uint8_t *out)
{
    server->rcode = DNS_BADCOOKIE;
    size_t length = answer(server, header, question, out);
    server->rcode = DNS_NOERROR;
    return length;
}

static size_t truncate_it(struct server *server, const struct dns_header *header,
                          const struct dns_question *question, uint8_t *out)
{
    size_t length = answer(server, header, question, out);
    out[2] |= DNS_TC >> 8;
    return length;
}

static size_t answer_another_id(struct server *server, const struct dns_header *header,
                                const struct dns_question *question, uint8_t *out)
{
    struct dns_header other = *header;
    other.id ^= 1;
    return answer(server, &other, question, out);
}

static size_t answer_another_opcode(struct server *server, const struct dns_header *header,
                                    const struct dns_question *question, uint8_t *out)
{
    size_t length = answer(server, header, question, out);
    out[2] |= 0x28; // UPDATE
    return length;
}

static size_t answer_another_question(struct server *server, const struct dns_header *header,
                                      const struct dns_question *question, uint8_t *out)
{
    struct dns_question other = *question;
    other.name.wire[1] ^= 3;
    return answer(server, header, &other, out);
}

static size_t answer_another_type(struct server *server, const struct dns_header *header,
                                  const struct dns_question *question, uint8_t *out)
{
    struct dns_question other = *question;
    other.type = DNS_A;
    return answer(server, header, &other, out);
}

static size_t answer_another_class(struct server *server, const struct dns_header *header,
                                   const struct dns_question *question, uint8_t *out)
{
    struct dns_question other = *question;
    other.class = DNS_CLASS_IN;
    return answer(server, header, &other, out);
}

static size_t echo_the_query(struct server *server, const struct dns_header *header,
                             const struct dns_question *question, uint8_t *out)
{
    size_t length = answer(server, header, question, out);
    out[2] &= 0x7f;
    return length;
}

static size_t answer_in_lower_case(struct server *server, const struct dns_header *header,
                                   const struct dns_question *question, uint8_t *out)
{
    struct dns_question lower = *question;
    for (size_t i = 0; i < lower.name.length; i++) {
        uint8_t c = lower.name.wire[i];
        lower.name.wire[i] = c >= 'A' && c <= 'Z' ? c | 0x20 : c;
    }
    return answer(server, header, &lower, out);
}

// Over UDP: somebody who can't see the query is there first.
static size_t answer_rightly_at_last(struct server *server, const struct dns_header *header,
                                     const struct dns_question *question, uint8_t *out)
{
    behaviour last = server->udp_queries < 3 ? answer_in_lower_case : answer;
    return last(server, header, question, out);
}

// As a router or a firewall on the way does (RFC 4443 section 3.1, code 1).
static size_t prohibit_it(struct server *server, const struct dns_header *header,
                          const struct dns_question *question, uint8_t *out)
{
    const struct sockaddr_in6 *client = (const struct sockaddr_in6 *)&server->client;
    struct {
        struct icmp6_hdr icmp;
        struct ip6_hdr ip; // of the packet that is prohibited, from here on
        struct udphdr udp;
    } message = {.icmp = {.icmp6_type = ICMP6_DST_UNREACH, .icmp6_code = ICMP6_DST_UNREACH_ADMIN},
                 .ip = {.ip6_plen = htons(sizeof(struct udphdr)),
                        .ip6_nxt = IPPROTO_UDP,
                        .ip6_hlim = 64,
                        .ip6_src = in6addr_loopback,
                        .ip6_dst = in6addr_loopback},
                 .udp = {.source = client->sin6_port,
                         .dest = htons((uint16_t)server->port),
                         .len = htons(sizeof(struct udphdr))}};
    message.ip.ip6_vfc = 6 << 4;
    struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback};
    (void)header, (void)question, (void)out;
    int fd = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMPV6);
    assert_true(fd >= 0);
    assert_int_equal(
        sendto(fd, &message, sizeof message, 0, (const struct sockaddr *)&to, sizeof to),
        sizeof message);
    close(fd);
    return 0;
}

static size_t answer_garbage(struct server *server, const struct dns_header *header,
                             const struct dns_question *question, uint8_t *out)
{
    size_t length = answer(server, header, question, out);
    memset(out + length - 8, 0xff, 8);
    return length;
}

static size_t answer_half_a_header(struct server *server, const struct dns_header *header,
                                   const struct dns_question *question, uint8_t *out)
{
    (void)answer(server, header, question, out);
    return 7;
}

static size_t answer_without_question(struct server *server, const struct dns_header *header,
                                      const struct dns_question *question, uint8_t *out)
{
    struct dns_writer writer;
    (void)question;
    dns_write_begin(&writer, out, 512, header->id, DNS_QR | server->rcode);
    return dns_write_end(&writer);
}

// Over TCP: an answer with another id, and the right one close behind.
static size_t answer_twice(struct server *server, const struct dns_header *header,
                           const struct dns_question *question, uint8_t *out)
{
    size_t first = answer_another_id(server, header, question, out);
    size_t second = answer(server, header, question, out + first + 2);
    server->first_frame = first;
    put_length(out + first, second);
    return first + 2 + second;
}

static size_t drop_the_first(struct server *server, const struct dns_header *header,
                             const struct dns_question *question, uint8_t *out)
{
    return server->udp_queries == 1 ? 0 : answer(server, header, question, out);
}

// ---- A probe of id.server CH TXT and its server

static int set_up_v6(void **state)
{
    return set_up_at(state, "::1");
}

TEST_FIXTURE(set_up, tear_down);

// ---- Over UDP

TEST(a_right_answer_passes)
{
    struct world *world = *state;
    char cause[128];
    snprintf(cause, sizeof cause, "UDP query id.server CH TXT to %s:%u: NOERROR, 1 answer",
             "127.0.0.1", world->server.port);
    assert_passes(world, cause);
    assert_int_equal(world->server.udp_queries, 1);
    assert_int_equal(world->server.tcp_queries, 0);
}

TEST_WITH(a_right_answer_passes_over_ipv6, set_up_v6, tear_down)
{
    assert_passes(*state, "[::1]:");
}

TEST(checks_repeat_with_other_ids_ports_and_letter_case)
{
    struct world *world = *state;
    fixture_run(&world->fixture, 5);
    for (size_t i = 0; i < 5; i++) {
        assert_verdict(&world->fixture.verdicts[i], VERDICT_PASS, "ok", "NOERROR");
    }
}

TEST(another_rcode_fails)
{
    struct world *world = *state;
    world->server.rcode = DNS_SERVFAIL;
    assert_fails(world, "rcode", ": rcode SERVFAIL, expected NOERROR");
}

TEST(an_expected_rcode_passes)
{
    struct world *world = *state;
    set(world, "rcode", "NXDOMAIN REFUSED");
    world->server.txt = NULL;
    world->server.rcode = DNS_NXDOMAIN;
    assert_passes(world, "NXDOMAIN, 0 answers");
    world->server.rcode = DNS_REFUSED;
    assert_passes(world, "REFUSED");
    world->server.rcode = DNS_NOERROR;
    assert_fails(world, "rcode", "rcode NOERROR, expected NXDOMAIN or REFUSED");
}

TEST(the_extended_rcode_counts)
{
    struct world *world = *state;
    world->server.rcode = DNS_BADVERS; // its lower four bits are NOERROR
    assert_fails(world, "rcode", "rcode BADVERS, expected NOERROR");
}

TEST(a_server_that_understood_nothing_is_believed)
{
    struct world *world = *state;
    world->server.on_udp = answer_without_question;
    world->server.rcode = DNS_FORMERR;
    assert_fails(world, "rcode", "rcode FORMERR, expected NOERROR");
}

TEST(a_lost_packet_is_sent_again)
{
    struct world *world = *state;
    world->server.on_udp = drop_the_first;
    set(world, "timeout", "900ms");
    assert_passes(world, "NOERROR");
    assert_int_equal(world->server.udp_queries, 2);
}

TEST(silence_fails_after_three_tries)
{
    struct world *world = *state;
    char cause[160];
    world->server.on_udp = silence;
    set(world, "timeout", "150ms");
    snprintf(cause, sizeof cause,
             "no answer to UDP query id.server CH TXT to 127.0.0.1:%u (3 tries) within 150ms",
             world->server.port);
    assert_fails(world, "timeout", cause);
    assert_int_equal(world->server.udp_queries, 3);
}

TEST(an_unused_port_refuses)
{
    struct world *world = *state;
    fixture_target(&world->fixture, "127.0.0.1", free_port());
    assert_fails(world, "refused", "nothing listens there (port unreachable)");
}

TEST(what_does_not_answer_the_query_is_not_believed)
{
    struct world *world = *state;
    static const struct {
        behaviour behave;
        const char *why;
    } lies[] = {
        {answer_another_id, "another id"},          {answer_another_question, "another question"},
        {answer_another_opcode, "another opcode"},  {answer_another_type, "another question"},
        {answer_another_class, "another question"}, {echo_the_query, "a query"}};
    set(world, "timeout", "120ms");
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        world->server.on_udp = lies[i].behave;
        assert_fails(world, "timeout", lies[i].why);
    }
}

// Long enough to have a letter in upper case: once in 2^52 runs it has none.
#define LONG_NAME "abcdefghijklmnopqrstuvwxyz.abcdefghijklmnopqrstuvwxyz"

TEST(over_udp_an_answer_in_other_letter_case_is_somebody_elses)
{
    struct world *world = *state;
    set(world, "qname", LONG_NAME);
    set(world, "timeout", "120ms");
    world->server.on_udp = answer_in_lower_case;
    assert_fails(world, "timeout",
                 "(3 tries) (3 messages ignored, the last was the question in other letter case "
                 "(mixed_case = no allows it)) within 120ms");
    world->server.udp_queries = 0;
    world->server.on_udp = answer_rightly_at_last;
    assert_passes(world, "NOERROR");
}

TEST(over_tcp_an_answer_in_other_letter_case_fails)
{
    struct world *world = *state;
    set(world, "qname", LONG_NAME);
    set(world, "protocol", "tcp");
    world->server.on_tcp = answer_in_lower_case;
    assert_fails(world, "letter-case", "TCP query " LONG_NAME " CH TXT to 127.0.0.1:");
    assert_fails(world, "letter-case", ": the question in other letter case");
}

TEST(who_is_known_not_to_keep_the_letter_case_is_asked_as_written)
{
    struct world *world = *state;
    char name[DNS_NAME_TEXT_MAX];
    set(world, "mixed_case", "no");
    set(world, "qname", "Id.Server");
    world->server.on_udp = answer_in_lower_case;
    assert_passes(world, "NOERROR");
    assert_string_equal(dns_name_text(&world->server.last_name, name), "Id.Server.");
}

TEST(the_servers_cookie_goes_with_the_next_query)
{
    struct world *world = *state;
    world->server.cookies_given = 0x5c;
    fixture_run(&world->fixture, 1);
    assert_int_equal(world->server.cookie_length, DNS_CLIENT_COOKIE);
    fixture_run(&world->fixture, 2);
    assert_int_equal(world->server.cookie_length, DNS_CLIENT_COOKIE + DNS_SERVER_COOKIE_MIN);
    assert_int_equal(world->server.cookie[DNS_CLIENT_COOKIE], 0x5c);
    set(world, "cookie", "no");
    fixture_run(&world->fixture, 2);
    assert_int_equal(world->server.cookie_length, 0);
}

TEST(who_wants_another_cookie_is_asked_again_with_it)
{
    struct world *world = *state;
    world->server.on_udp = answer_the_known;
    world->server.cookies_given = 0x5c;
    assert_passes(world, "UDP query");
    assert_int_equal(world->server.udp_queries, 2);
    assert_int_equal(world->server.tcp_queries, 0);
}

TEST(who_wants_another_cookie_each_time_is_asked_over_tcp)
{
    struct world *world = *state;
    world->server.on_udp = answer_badcookie;
    world->server.cookies_given = 0x5c;
    assert_passes(world, "TCP (UDP truncated)");
    assert_int_equal(world->server.udp_queries, 2);
    set(world, "protocol", "both");
    assert_fails(world, "rcode", "BADCOOKIE");
}

TEST(an_answer_with_another_clients_cookie_is_not_believed)
{
    struct world *world = *state;
    world->server.cookies_given = 0x5c;
    world->server.gives_others = true;
    set(world, "timeout", "120ms");
    assert_fails(world, "timeout", "another cookie");
}

// Nobody else can have sent it.
TEST(over_tcp_another_clients_cookie_is_a_malformed_answer)
{
    struct world *world = *state;
    world->server.cookies_given = 0x5c;
    world->server.gives_others = true;
    set(world, "protocol", "tcp");
    assert_fails(world, "malformed", "another cookie");
}

TEST_WITH(what_a_firewall_afar_prohibits_is_a_failure_and_no_permission_of_ours, set_up_v6,
          tear_down)
{
    struct world *world = *state;
    if (geteuid() != 0) {
        skip(); // only root may forge what it says
    }
    world->server.on_udp = prohibit_it;
    assert_fails(world, "unreachable", "host is unreachable");
}

TEST(a_malformed_answer_fails)
{
    struct world *world = *state;
    world->server.on_udp = answer_garbage;
    assert_fails(world, "malformed", "records can't be read");
    world->server.on_udp = answer_half_a_header;
    assert_fails(world, "malformed", "only 7 bytes");
}

TEST(a_truncated_answer_is_asked_for_again_over_tcp)
{
    struct world *world = *state;
    world->server.on_udp = truncate_it;
    assert_passes(world, "TCP (UDP truncated) query id.server CH TXT");
    assert_int_equal(world->server.udp_queries, 1);
    assert_int_equal(world->server.tcp_queries, 1);
    world->server.closes_early = true;
    assert_fails(world, "closed", "TCP (UDP truncated) query");
}

// ---- Over TCP

TEST(tcp_alone_passes)
{
    struct world *world = *state;
    set(world, "protocol", "tcp");
    assert_passes(world, "TCP query id.server CH TXT");
    assert_int_equal(world->server.udp_queries, 0);
}

TEST(an_answer_in_single_bytes_passes)
{
    struct world *world = *state;
    set(world, "protocol", "tcp");
    world->server.byte_by_byte = true;
    assert_passes(world, "NOERROR");
}

TEST(a_connection_closed_early_fails)
{
    struct world *world = *state;
    set(world, "protocol", "tcp");
    world->server.closes_early = true;
    assert_fails(world, "closed", "closed the connection before it answered (0 bytes)");
    world->server.closes_early = false;
    world->server.closes_after_some = true;
    assert_fails(world, "closed", "before it answered (1 bytes)");
}

TEST(tcp_refused_fails)
{
    struct world *world = *state;
    set(world, "protocol", "tcp");
    fixture_target(&world->fixture, "127.0.0.1", free_port());
    assert_fails(world, "refused", "nothing listens there (connection refused)");
}

TEST(tcp_silence_fails)
{
    struct world *world = *state;
    set(world, "protocol", "tcp");
    set(world, "timeout", "100ms");
    world->server.on_tcp = silence;
    assert_fails(world, "timeout", "no answer to TCP query id.server CH TXT");
}

TEST(tcp_truncated_or_misleading_answers_fail)
{
    struct world *world = *state;
    set(world, "protocol", "tcp");
    world->server.on_tcp = truncate_it;
    assert_fails(world, "malformed", "truncated");
    set(world, "timeout", "100ms");
    world->server.on_tcp = answer_another_id;
    assert_fails(world, "timeout", "1 messages ignored, the last was another id");
}

// Many messages without a byte in them, behind one of two bytes.
static size_t answer_nothing_many_times(struct server *server, const struct dns_header *header,
                                        const struct dns_question *question, uint8_t *out)
{
    (void)header, (void)question;
    server->first_frame = 2;
    memset(out, 0, 200);
    return 200;
}

TEST(tcp_messages_without_end_that_answer_nothing_fail)
{
    struct world *world = *state;
    set(world, "protocol", "tcp");
    world->server.on_tcp = answer_nothing_many_times;
    assert_fails(world, "malformed", "the server sends messages that answer nothing");
}

TEST(the_right_answer_may_come_after_others)
{
    struct world *world = *state;
    set(world, "protocol", "tcp");
    world->server.on_tcp = answer_twice;
    assert_passes(world, "NOERROR");
    world->server.byte_by_byte = true;
    assert_passes(world, "NOERROR");
}

TEST(both_pass_only_together)
{
    struct world *world = *state;
    set(world, "protocol", "both");
    assert_passes(world, "UDP and TCP query id.server CH TXT");
    assert_int_equal(world->server.udp_queries, 1);
    assert_int_equal(world->server.tcp_queries, 1);
    set(world, "timeout", "150ms");
    world->server.on_tcp = silence;
    assert_fails(world, "timeout", "no answer to TCP query");
    world->server.on_tcp = answer;
    world->server.on_udp = silence;
    assert_fails(world, "timeout", "no answer to UDP query");
    world->server.on_tcp = silence;
    assert_fails(world, "timeout", "no answer to UDP and TCP query");
}

TEST(both_take_a_truncated_udp_answer_if_tcp_is_right)
{
    struct world *world = *state;
    set(world, "protocol", "both");
    world->server.on_udp = truncate_it;
    assert_passes(world, "UDP and TCP query");
    assert_int_equal(world->server.tcp_queries, 1);
}
