// The dns probe against servers that behave, and others that don't.
#include "dns/text.h"
#include "dns/wire.h"
#include "probes/dns_query.h"
#include "tests/unit/own_clock.h"
#include "tests/unit/probe_fixture.h"

#include <netinet/icmp6.h>
#include <netinet/ip6.h>
#include <netinet/udp.h>
#include <strings.h>

// ---- A DNS server on one port of the loopback, over UDP and TCP

struct server;

// Writes the answer to a query; returns its length, 0 for none.
typedef size_t (*behaviour)(struct server *server, const struct dns_header *header,
                            const struct dns_question *question, uint8_t *out);

struct server {
    uv_poll_t udp;
    uv_tcp_t listener, connection;
    int udp_fd;
    unsigned port;
    behaviour on_udp, on_tcp;
    unsigned udp_queries, tcp_queries;
    struct sockaddr_storage client;   // who sent the last query over UDP
    bool edns, nsid_asked, dnssec_ok; // of the last query
    uint16_t flags;
    struct dns_name last_name;
    uint8_t cookie[64]; // of the last query
    size_t cookie_length;
    uint8_t cookies_given; // the server's part is made of it; 0: it knows of none
    bool gives_others;     // cookies that begin with another client's part
    // What answer() writes.
    const char *txt, *nsid;
    uint16_t rcode, reply_flags;
    // How TCP answers.
    bool byte_by_byte, closes_early, closes_after_some;
    uint8_t buffer[4096];
    size_t received, sending, sent;
    size_t first_frame; // of two in one answer; 0: there is one
    uv_write_t write;
    bool connected;
};

static size_t answer(struct server *server, const struct dns_header *header,
                     const struct dns_question *question, uint8_t *out)
{
    struct dns_writer writer;
    uint8_t length = server->txt ? (uint8_t)strlen(server->txt) : 0;
    uint16_t flags = DNS_QR | server->reply_flags | (server->rcode & DNS_RCODE_MASK);
    dns_write_begin(&writer, out, 1024, header->id, flags);
    dns_write_question(&writer, question);
    if (server->txt) {
        dns_record_begin(&writer, DNS_ANSWER, &question->name, DNS_TXT, question->class, 0);
        dns_write_u8(&writer, length);
        dns_write_bytes(&writer, server->txt, length);
        dns_record_end(&writer);
    }
    if (server->edns) {
        dns_opt_begin(&writer, &(struct dns_edns){.udp_size = 1232,
                                                  .rcode_high = (uint8_t)(server->rcode >> 4)});
        if (server->nsid) {
            dns_write_option(&writer, DNS_OPTION_NSID, server->nsid, strlen(server->nsid));
        }
        if (server->cookies_given && server->cookie_length >= DNS_CLIENT_COOKIE) {
            uint8_t cookie[DNS_CLIENT_COOKIE + DNS_SERVER_COOKIE_MIN];
            memset(cookie, server->cookies_given, sizeof cookie);
            memcpy(cookie, server->cookie, server->gives_others ? 0 : DNS_CLIENT_COOKIE);
            dns_write_option(&writer, DNS_OPTION_COOKIE, cookie, sizeof cookie);
        }
        dns_record_end(&writer);
    }
    return dns_write_end(&writer);
}

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
                 .ip = {.ip6_vfc = 6 << 4,
                        .ip6_plen = htons(sizeof(struct udphdr)),
                        .ip6_nxt = IPPROTO_UDP,
                        .ip6_hlim = 64,
                        .ip6_src = in6addr_loopback,
                        .ip6_dst = in6addr_loopback},
                 .udp = {.source = client->sin6_port,
                         .dest = htons((uint16_t)server->port),
                         .len = htons(sizeof(struct udphdr))}};
    const struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback};
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

static void put_length(uint8_t *out, size_t length)
{
    out[0] = (uint8_t)(length >> 8);
    out[1] = (uint8_t)length;
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

static void note_edns(struct server *server, struct dns_reader *reader,
                      const struct dns_header *header)
{
    struct dns_record record;
    struct dns_edns edns;
    struct dns_reader options;
    struct dns_option option;
    server->edns = server->nsid_asked = server->dnssec_ok = false;
    server->cookie_length = 0;
    if (header->counts[DNS_ADDITIONAL] == 0) {
        return;
    }
    assert_true(dns_read_record(reader, &record));
    assert_true(dns_read_edns(reader->message, &record, &edns, &options));
    assert_int_equal(edns.udp_size, 1232);
    server->edns = true;
    server->dnssec_ok = edns.dnssec_ok;
    while (dns_read_option(&options, &option)) {
        server->nsid_asked |= option.code == DNS_OPTION_NSID;
        if (option.code == DNS_OPTION_COOKIE) {
            assert_true(option.length <= sizeof server->cookie);
            memcpy(server->cookie, option.bytes, option.length);
            server->cookie_length = option.length;
        }
    }
}

static size_t respond(struct server *server, behaviour behave, const uint8_t *query, size_t length,
                      uint8_t *out)
{
    struct dns_reader reader = {.message = query, .end = length};
    struct dns_header header;
    struct dns_question question;
    assert_true(dns_read_header(&reader, &header) && dns_read_question(&reader, &question));
    server->flags = header.flags;
    server->last_name = question.name;
    note_edns(server, &reader, &header);
    return behave(server, &header, &question, out);
}

static void on_udp_query(uv_poll_t *poll, int status, int events)
{
    struct server *server = poll->data;
    socklen_t client_length = sizeof server->client;
    uint8_t query[1024];
    uint8_t out[1024];
    assert_int_equal(status, 0);
    (void)events;
    ssize_t length = recvfrom(server->udp_fd, query, sizeof query, 0,
                              (struct sockaddr *)&server->client, &client_length);
    assert_true(length > 0);
    server->udp_queries++;
    size_t reply = respond(server, server->on_udp, query, (size_t)length, out);
    if (reply > 0) {
        sendto(server->udp_fd, out, reply, 0, (struct sockaddr *)&server->client, client_length);
    }
}

static void send_some(struct server *server);

static void on_written(uv_write_t *write, int status)
{
    struct server *server = write->data;
    if (status == 0) {
        send_some(server);
    }
}

static void hang_up(struct server *server)
{
    if (server->connected) {
        server->connected = false;
        uv_close((uv_handle_t *)&server->connection, NULL);
    }
}

static void send_some(struct server *server)
{
    size_t left = server->sending - server->sent;
    if (left == 0 || (server->closes_after_some && server->sent > 0)) {
        if (server->closes_after_some) {
            hang_up(server);
        }
        return;
    }
    bool partly = server->byte_by_byte || server->closes_after_some;
    uv_buf_t buffer =
        uv_buf_init((char *)server->buffer + server->sent, partly ? 1 : (unsigned)left);
    server->sent += buffer.len;
    server->write.data = server;
    uv_write(&server->write, (uv_stream_t *)&server->connection, &buffer, 1, on_written);
}

static void on_allocate(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    struct server *server = handle->data;
    (void)suggested;
    *out = uv_buf_init((char *)server->buffer + server->received,
                       (unsigned)(sizeof server->buffer - server->received));
}

static void on_tcp_bytes(uv_stream_t *stream, ssize_t length, const uv_buf_t *buffer)
{
    struct server *server = stream->data;
    uint8_t out[1024];
    (void)buffer;
    if (length < 0) {
        hang_up(server);
        return;
    }
    server->received += (size_t)length;
    size_t query = (size_t)(server->buffer[0] << 8 | server->buffer[1]);
    if (server->received < 2 || server->received < 2 + query) {
        return;
    }
    server->tcp_queries++;
    if (server->closes_early) {
        hang_up(server);
        return;
    }
    size_t reply = respond(server, server->on_tcp, server->buffer + 2, query, out);
    if (reply > 0) {
        put_length(server->buffer, server->first_frame ? server->first_frame : reply);
        memcpy(server->buffer + 2, out, reply);
        server->sending = 2 + reply;
        server->sent = 0;
        send_some(server);
    }
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct server *server = listener->data;
    assert_int_equal(status, 0);
    assert_false(server->connected);
    uv_tcp_init(listener->loop, &server->connection);
    uv_tcp_nodelay(&server->connection, 1);
    server->connection.data = server;
    server->connected = true;
    server->received = 0;
    uv_accept(listener, (uv_stream_t *)&server->connection);
    uv_read_start((uv_stream_t *)&server->connection, on_allocate, on_tcp_bytes);
}

static void server_open(struct server *server, uv_loop_t *loop, const char *address)
{
    struct sockaddr_storage bound = {0};
    int length = sizeof bound;
    *server = (struct server){.on_udp = answer, .on_tcp = answer, .txt = "fra1"};
    if (strchr(address, ':')) {
        uv_ip6_addr(address, 0, (struct sockaddr_in6 *)&bound);
    } else {
        uv_ip4_addr(address, 0, (struct sockaddr_in *)&bound);
    }
    uv_tcp_init(loop, &server->listener);
    server->listener.data = server;
    assert_int_equal(uv_tcp_bind(&server->listener, (struct sockaddr *)&bound, 0), 0);
    assert_int_equal(uv_listen((uv_stream_t *)&server->listener, 8, on_connection), 0);
    assert_int_equal(uv_tcp_getsockname(&server->listener, (struct sockaddr *)&bound, &length), 0);
    server->port = ntohs(((struct sockaddr_in *)&bound)->sin_port);
    server->udp_fd = socket(bound.ss_family, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(server->udp_fd, (struct sockaddr *)&bound, (socklen_t)length), 0);
    uv_poll_init(loop, &server->udp, server->udp_fd);
    server->udp.data = server;
    uv_poll_start(&server->udp, UV_READABLE, on_udp_query);
}

static void server_close(struct server *server)
{
    uv_close((uv_handle_t *)&server->listener, NULL);
    uv_close((uv_handle_t *)&server->udp, NULL);
    close(server->udp_fd);
    hang_up(server);
}

// ---- A probe of id.server CH TXT and its server

struct world {
    struct fixture fixture;
    struct server server;
};

static int set_up_at(void **state, const char *address)
{
    struct world *world = calloc(1, sizeof *world);
    assert_non_null(world);
    fixture_open(&world->fixture, "dns");
    server_open(&world->server, &world->fixture.loop, address);
    fixture_target(&world->fixture, address, world->server.port);
    fixture_set(&world->fixture, "qname", "id.server");
    fixture_set(&world->fixture, "class", "CH");
    fixture_set(&world->fixture, "qtype", "TXT");
    *state = world;
    return 0;
}

static int set_up(void **state)
{
    return set_up_at(state, "127.0.0.1");
}

static int set_up_v6(void **state)
{
    return set_up_at(state, "::1");
}

static int tear_down(void **state)
{
    struct world *world = *state;
    server_close(&world->server);
    fixture_close(&world->fixture);
    free(world);
    return 0;
}

TEST_FIXTURE(set_up, tear_down);

static void set(struct world *world, const char *name, const char *value)
{
    fixture_set(&world->fixture, name, value);
}

static void assert_passes(struct world *world, const char *cause_part)
{
    assert_verdict(fixture_run(&world->fixture, 1), VERDICT_PASS, "ok", cause_part);
}

static void assert_fails(struct world *world, const char *code, const char *cause_part)
{
    assert_verdict(fixture_run(&world->fixture, 1), VERDICT_FAIL, code, cause_part);
}

static void assert_refused(const struct world *world, const char *error_part)
{
    char error[ERROR_MAX] = "";
    assert_int_equal(first_error(&world->fixture.conf, error), -1);
    assert_non_null(strstr(error, error_part));
}

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
    fixture_target(&world->fixture, "127.0.0.1", unused_port());
    assert_fails(world, "refused", "nothing listens there (port unreachable)");
}

TEST(what_does_not_answer_the_query_is_not_believed)
{
    struct world *world = *state;
    static const struct {
        behaviour behave;
        const char *why;
    } lies[] = {{answer_another_id, "another id"},
                {answer_another_question, "another question"},
                {answer_another_type, "another question"},
                {answer_another_class, "another question"},
                {echo_the_query, "a query"}};
    set(world, "timeout", "120ms");
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        world->server.on_udp = lies[i].behave;
        assert_fails(world, "timeout", lies[i].why);
    }
}

TEST(the_question_may_come_back_in_other_letter_case)
{
    struct world *world = *state;
    world->server.on_udp = answer_in_lower_case;
    fixture_run(&world->fixture, 3);
    assert_verdict(&world->fixture.verdicts[2], VERDICT_PASS, "ok", "");
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
    fixture_target(&world->fixture, "127.0.0.1", unused_port());
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

// ---- What is expected of an answer

TEST(the_answer_must_be_the_one_expected)
{
    struct world *world = *state;
    set(world, "answer", "fra1");
    assert_passes(world, "NOERROR");
    set(world, "answer", "\"fra1\""); // as dig prints it
    assert_passes(world, "NOERROR");
    world->server.txt = "ams2";
    assert_fails(world, "answer", "expected answer \"fra1\", got \"ams2\"");
    world->server.txt = NULL;
    assert_fails(world, "answer", "got none");
}

TEST(the_answer_may_be_one_of_several)
{
    struct world *world = *state;
    set(world, "answer_one_of", "ams1 fra1");
    assert_passes(world, "NOERROR");
    world->server.txt = "fra";
    assert_fails(world, "answer", "expected one of ams1 fra1, got \"fra\"");
    world->server.txt = "fra11";
    assert_fails(world, "answer", "expected one of");
}

TEST(the_answer_may_have_to_contain_something)
{
    struct world *world = *state;
    set(world, "answer_contains", "ra1");
    assert_passes(world, "NOERROR");
    set(world, "answer_contains", "ra2");
    assert_fails(world, "answer", "expected an answer with \"ra2\" in it, got \"fra1\"");
}

TEST(too_few_answers_fail)
{
    struct world *world = *state;
    set(world, "min_answers", "1");
    assert_passes(world, "1 answer");
    set(world, "min_answers", "2");
    assert_fails(world, "answer", "1 answer, expected at least 2");
}

TEST(flags_must_be_as_expected)
{
    struct world *world = *state;
    set(world, "aa", "yes");
    assert_fails(world, "flags", "the AA flag is clear, expected it set");
    world->server.reply_flags = DNS_AA | DNS_AD;
    assert_passes(world, "NOERROR");
    set(world, "ad", "no");
    assert_fails(world, "flags", "the AD flag is set, expected it clear");
    assert_true(world->server.flags & DNS_AD); // asked for, RFC 6840
}

TEST(nsid_must_be_as_expected)
{
    struct world *world = *state;
    set(world, "nsid", "fra1");
    assert_fails(world, "nsid", "no NSID, expected \"fra1\"");
    assert_true(world->server.nsid_asked);
    world->server.nsid = "ams\x01";
    assert_fails(world, "nsid", "NSID \"ams.\", expected \"fra1\"");
    world->server.nsid = "fra1";
    assert_passes(world, "NOERROR");
}

// ---- What is asked

TEST(the_query_is_as_configured)
{
    struct world *world = *state;
    assert_passes(world, "");
    assert_true(world->server.edns);
    assert_false(world->server.dnssec_ok);
    assert_true(world->server.flags & DNS_RD);
    set(world, "dnssec_ok", "yes");
    set(world, "recursion_desired", "no");
    assert_passes(world, "");
    assert_true(world->server.dnssec_ok);
    assert_false(world->server.flags & DNS_RD);
    set(world, "dnssec_ok", "no");
    set(world, "edns", "no");
    assert_passes(world, "");
    assert_false(world->server.edns);
}

TEST(random_labels_are_new_each_time)
{
    struct world *world = *state;
    char first[DNS_NAME_TEXT_MAX];
    char second[DNS_NAME_TEXT_MAX];
    set(world, "qname", "x-{random}.example");
    assert_passes(world, "UDP query x-{random}.example CH TXT");
    dns_name_text(&world->server.last_name, first);
    assert_passes(world, "NOERROR");
    dns_name_text(&world->server.last_name, second);
    assert_int_equal(strlen(first), strlen("x-000000000000.example."));
    assert_int_not_equal(strcasecmp(first, second), 0);
}

TEST(a_source_that_is_not_ours_is_no_evidence)
{
    struct world *world = *state;
    set(world, "source", "192.0.2.77");
    assert_verdict(fixture_run(&world->fixture, 1), VERDICT_UNKNOWN, "local",
                   "address not available");
    set(world, "source", "127.0.0.9");
    assert_passes(world, "NOERROR");
}

TEST(no_descriptors_are_no_evidence)
{
    struct world *world = *state;
    static const char *const protocols[] = {"udp", "tcp", "both"};
    for (size_t i = 0; i < 3; i++) {
        set(world, "protocol", protocols[i]);
        struct rlimit before = take_descriptors();
        const struct verdict *verdict = fixture_run(&world->fixture, 2);
        give_descriptors_back(before);
        assert_verdict(verdict, VERDICT_UNKNOWN, "local", "too many open files");
    }
    assert_passes(world, "NOERROR");
}

TEST(letter_case_is_random)
{
    struct world *world = *state;
    char name[DNS_NAME_TEXT_MAX];
    bool upper = false;
    bool lower = false;
    set(world, "qname", "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz");
    assert_passes(world, "NOERROR");
    dns_name_text(&world->server.last_name, name);
    for (const char *at = name; *at; at++) {
        upper |= *at >= 'A' && *at <= 'Z';
        lower |= *at >= 'a' && *at <= 'z';
    }
    assert_true(upper && lower); // once in 2^51 runs it isn't
}

TEST(wrong_options_are_refused)
{
    struct world *world = *state;
    char error[ERROR_MAX];
    const struct key *keys = world->fixture.conf.type->keys;
    assert_int_equal(key_set(key_find(keys, "qtype"), "AAAAA", world->fixture.conf.options, error),
                     -1);
    assert_int_equal(
        key_set(key_find(keys, "rcode"), "NOERROR NXDOMIAN", world->fixture.conf.options, error),
        -1);
    assert_non_null(strstr(error, "\"NXDOMIAN\" is not a response code"));
    set(world, "nsid", "fra1");
    set(world, "edns", "no");
    assert_refused(world, "nsid needs edns = yes");
    set(world, "edns", "yes");
    set(world, "qname", "a..b");
    assert_refused(world, "qname \"a..b\": a label is empty");
    set(world, "qname", "www.example");
    set(world, "qtype", "AAAA");
    set(world, "answer", "192.0.2.1");
    assert_refused(world, "expected answer \"192.0.2.1\" is not an IPv6 address");
    set(world, "answer", "2001:DB8:0::1");
    assert_int_equal(first_error(&world->fixture.conf, error), 0);
}
