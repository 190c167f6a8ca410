// The responder's sockets and threads, on loopback: what is asked is id.server (CH TXT) with NSID,
// and both say which snapshot the answer came from.

#include "dns/responder/responder.h"
#include "dns/text.h"
#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define GUARD_MS     30000 // an upper bound for something broken, never waited for
#define LISTEN_MAX   4
#define QUERY_MAX    64
#define NEVER_MS     3600000
#define IDLE_MS      300
#define RETRY_MS     100
#define UNPRIVILEGED 65534
#define BEFORE       "before"
#define AFTER        "after"

struct world {
    struct responder *responder;
    struct endpoint listen[LISTEN_MAX];
    struct responder_conf conf;
    char error[256];
    uint16_t port;
};

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

// ---- Addresses

static struct endpoint address_of(const char *host, uint16_t port)
{
    struct endpoint out = {0};
    struct sockaddr_in *v4 = (struct sockaddr_in *)&out.address;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&out.address;
    if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        out.length = sizeof *v4;
        return out;
    }
    assert_int_equal(inet_pton(AF_INET6, host, &v6->sin6_addr), 1);
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    out.length = sizeof *v6;
    return out;
}

static int bound_socket(const char *host, uint16_t port, int type)
{
    const struct endpoint address = address_of(host, port);
    const int opened = socket(address.address.ss_family, type, 0);
    assert_true(opened >= 0);
    if (bind(opened, (const struct sockaddr *)&address.address, address.length) != 0) {
        close(opened);
        return -1;
    }
    return opened;
}

static uint16_t port_of(int socket)
{
    struct sockaddr_in6 bound = {0};
    socklen_t length = sizeof bound;
    assert_int_equal(getsockname(socket, (struct sockaddr *)&bound, &length), 0);
    return ntohs(bound.sin6_port); // where IPv4 has it too
}

static bool is_free(const char *host, uint16_t port, int type)
{
    const int probe = bound_socket(host, port, type);
    if (probe < 0) {
        return false;
    }
    close(probe);
    return true;
}

// Of UDP and TCP, on every address of this host.
static uint16_t free_port(void)
{
    for (;;) {
        const int probe = bound_socket("0.0.0.0", 0, SOCK_STREAM);
        const uint16_t port = port_of(probe);
        close(probe);
        if (is_free("0.0.0.0", port, SOCK_STREAM) && is_free("0.0.0.0", port, SOCK_DGRAM) &&
            is_free("::", port, SOCK_STREAM) && is_free("::", port, SOCK_DGRAM)) {
            return port;
        }
    }
}

// ---- The world

static struct dns_snapshot *make_snapshot(const char *id)
{
    const struct zone_conf conf = {.id = id, .region = ""};
    struct zone *zone = zone_new(&conf);
    assert_non_null(zone);
    struct dns_snapshot *snapshot = dns_snapshot_new(zone, 0);
    assert_non_null(snapshot);
    zone_free(zone);
    snapshot->udp_size = 1232;
    snapshot->nsid_length = (uint8_t)strlen(id);
    memcpy(snapshot->nsid, id, strlen(id));
    return snapshot;
}

static int begin(void **state)
{
    static struct world world;
    world = (struct world){.port = free_port()};
    world.conf = (struct responder_conf){
        .listen = world.listen,
        .threads = 1,
        .tcp = {.idle_ms = NEVER_MS,
                .total_ms = NEVER_MS,
                .clients = 100,
                .clients_per_prefix = 100},
    };
    world.responder = responder_new(NULL, 0);
    responder_publish(world.responder, make_snapshot(BEFORE));
    *state = &world;
    return 0;
}

static int end(void **state)
{
    struct world *world = *state;
    responder_free(world->responder);
    return 0;
}

TEST_FIXTURE(begin, end);

static void want(struct world *world, const char *host)
{
    world->listen[world->conf.listen_count++] = address_of(host, world->port);
}

static void listen_now(struct world *world)
{
    if (responder_listen(world->responder, &world->conf, world->error) != 0) {
        fail_msg("%s", world->error);
    }
}

static void listen_on(struct world *world, const char *host)
{
    want(world, host);
    listen_now(world);
}

static uint64_t total(const struct world *world, enum dns_count count)
{
    struct dns_totals totals;
    uint64_t sum = 0;
    responder_totals(world->responder, &totals);
    for (size_t i = 0; i < DNS_CHANNELS; i++) {
        sum += totals.counts[i][count];
    }
    return sum;
}

static size_t open_connections(const struct world *world)
{
    struct dns_totals totals;
    responder_totals(world->responder, &totals);
    return totals.tcp_open;
}

#define WAIT_FOR(condition)                                                                        \
    for (const uint64_t until = now_ms() + GUARD_MS; !(condition); sched_yield()) {                \
        assert_true(now_ms() < until);                                                             \
    }

// ---- Queries and answers

static size_t write_query(uint8_t out[QUERY_MAX], uint16_t id)
{
    struct dns_question question = {.type = DNS_TXT, .class = DNS_CLASS_CH};
    assert_null(dns_name_parse("id.server", &question.name));
    const struct dns_edns edns = {.udp_size = 1232};
    struct dns_writer writer;
    dns_write_begin(&writer, out, QUERY_MAX, id, 0);
    dns_write_question(&writer, &question);
    dns_opt_begin(&writer, &edns);
    dns_write_option(&writer, DNS_OPTION_NSID, NULL, 0);
    dns_record_end(&writer);
    const size_t length = dns_write_end(&writer);
    assert_true(length > 0);
    return length;
}

struct reply {
    uint16_t id;
    bool truncated;
    char text[64], nsid[64]; // "" if it has none
};

static struct reply read_reply(const uint8_t *bytes, size_t length)
{
    struct reply reply = {0};
    struct dns_reader reader = {.message = bytes, .end = length};
    struct dns_header header;
    struct dns_question question;
    assert_true(dns_read_header(&reader, &header));
    assert_true(header.flags & DNS_QR);
    assert_int_equal(header.counts[DNS_QUESTION], 1);
    assert_true(dns_read_question(&reader, &question));
    reply.id = header.id;
    reply.truncated = header.flags & DNS_TC;
    const unsigned records =
        header.counts[DNS_ANSWER] + header.counts[DNS_AUTHORITY] + header.counts[DNS_ADDITIONAL];
    for (unsigned i = 0; i < records; i++) {
        struct dns_record record;
        struct dns_edns edns;
        struct dns_reader options;
        struct dns_option option;
        assert_true(dns_read_record(&reader, &record));
        if (record.type == DNS_TXT) {
            dns_txt_bytes(bytes, &record, (uint8_t *)reply.text);
        } else if (dns_read_edns(bytes, &record, &edns, &options)) {
            while (dns_read_option(&options, &option)) {
                if (option.code == DNS_OPTION_NSID) {
                    memcpy(reply.nsid, option.bytes, option.length);
                }
            }
        }
    }
    assert_int_equal(reader.offset, length);
    return reply;
}

static bool is_ready(int socket, short events)
{
    struct pollfd one = {.fd = socket, .events = events};
    return poll(&one, 1, 0) == 1;
}

static void set_receive_guard(int socket)
{
    const struct timeval guard = {.tv_sec = GUARD_MS / 1000};
    assert_int_equal(setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &guard, sizeof guard), 0);
}

// Connected, so that only what comes from just that address is received.
static int client_of(struct world *world, const char *host, int type)
{
    const struct endpoint address = address_of(host, world->port);
    const int client = socket(address.address.ss_family, type, 0);
    assert_true(client >= 0);
    set_receive_guard(client);
    assert_int_equal(connect(client, (const struct sockaddr *)&address.address, address.length), 0);
    return client;
}

static void send_query(int client, uint16_t id)
{
    uint8_t query[QUERY_MAX];
    const size_t length = write_query(query, id);
    assert_int_equal(send(client, query, length, 0), length);
}

static struct reply receive_reply(int client)
{
    uint8_t bytes[2048];
    const ssize_t length = recv(client, bytes, sizeof bytes, 0);
    assert_true(length > 0);
    return read_reply(bytes, (size_t)length);
}

static void assert_answered(int client, uint16_t id, const char *text)
{
    const struct reply reply = receive_reply(client);
    assert_int_equal(reply.id, id);
    assert_string_equal(reply.text, text);
    assert_string_equal(reply.nsid, text);
}

static void assert_udp_works(struct world *world, const char *host)
{
    const int client = client_of(world, host, SOCK_DGRAM);
    send_query(client, 7);
    assert_answered(client, 7, BEFORE);
    close(client);
}

// With its length before it.
static size_t write_tcp_query(uint8_t out[2 + QUERY_MAX], uint16_t id)
{
    const size_t length = write_query(out + 2, id);
    out[0] = (uint8_t)(length >> 8);
    out[1] = (uint8_t)length;
    return 2 + length;
}

static void send_tcp_query(int client, uint16_t id)
{
    uint8_t query[2 + QUERY_MAX];
    const size_t length = write_tcp_query(query, id);
    assert_int_equal(send(client, query, length, MSG_NOSIGNAL), length);
}

static void receive_whole(int client, uint8_t *out, size_t length)
{
    assert_int_equal(recv(client, out, length, MSG_WAITALL), length);
}

static struct reply receive_tcp_reply(int client)
{
    uint8_t prefix[2], bytes[2048];
    receive_whole(client, prefix, 2);
    const size_t length = (size_t)(prefix[0] << 8 | prefix[1]);
    assert_true(length <= sizeof bytes);
    receive_whole(client, bytes, length);
    return read_reply(bytes, length);
}

static void assert_tcp_answered(int client, uint16_t id)
{
    const struct reply reply = receive_tcp_reply(client);
    assert_int_equal(reply.id, id);
    assert_string_equal(reply.text, BEFORE);
}

static void assert_tcp_works(struct world *world, const char *host)
{
    const int client = client_of(world, host, SOCK_STREAM);
    send_tcp_query(client, 8);
    assert_tcp_answered(client, 8);
    close(client);
}

// With or without a reset.
static void assert_closed(int client)
{
    uint8_t byte;
    const ssize_t got = recv(client, &byte, 1, 0);
    assert_true(got == 0 || (got < 0 && errno == ECONNRESET));
}

// ---- UDP

TEST(udp_is_answered_over_ipv4_and_ipv6)
{
    struct world *world = *state;
    want(world, "127.0.0.1");
    listen_on(world, "::1");
    assert_udp_works(world, "127.0.0.1");
    assert_udp_works(world, "::1");
}

TEST(what_is_no_query_is_ignored_and_the_next_answered)
{
    struct world *world = *state;
    listen_on(world, "127.0.0.1");
    const int client = client_of(world, "127.0.0.1", SOCK_DGRAM);
    uint8_t response[QUERY_MAX];
    const size_t length = write_query(response, 1);
    response[2] |= 0x80; // QR
    assert_int_equal(send(client, "", 0, 0), 0);
    assert_int_equal(send(client, "short", 5, 0), 5);
    assert_int_equal(send(client, response, length, 0), length);
    send_query(client, 2);
    assert_answered(client, 2, BEFORE);
    assert_int_equal(total(world, DNS_COUNT_IGNORED), 3);
    assert_int_equal(total(world, DNS_COUNT_RECEIVED), 4);
    close(client);
}

TEST(a_datagram_longer_than_any_query_is_ignored)
{
    struct world *world = *state;
    listen_on(world, "127.0.0.1");
    const int client = client_of(world, "127.0.0.1", SOCK_DGRAM);
    uint8_t huge[5000] = {0};
    write_query(huge, 1);
    assert_int_equal(send(client, huge, sizeof huge, 0), sizeof huge);
    send_query(client, 2);
    assert_answered(client, 2, BEFORE);
    assert_int_equal(total(world, DNS_COUNT_IGNORED), 1);
    close(client);
}

// A whole IPv4 packet; the kernel fills in checksum and length of its header.
static size_t write_packet(uint8_t out[128], const char *from, uint16_t from_port, const char *to,
                           uint16_t to_port)
{
    struct iphdr ip = {.version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_UDP};
    struct udphdr udp = {.source = htons(from_port), .dest = htons(to_port)};
    const size_t length = write_query(out + sizeof ip + sizeof udp, 9);
    assert_int_equal(inet_pton(AF_INET, from, &ip.saddr), 1);
    assert_int_equal(inet_pton(AF_INET, to, &ip.daddr), 1);
    udp.len = htons((uint16_t)(sizeof udp + length)); // check 0: none (RFC 768)
    memcpy(out, &ip, sizeof ip);
    memcpy(out + sizeof ip, &udp, sizeof udp);
    return sizeof ip + sizeof udp + length;
}

static void send_forged(struct world *world, const char *from, uint16_t from_port)
{
    const int raw = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
    if (raw < 0) {
        skip(); // not root
    }
    uint8_t packet[128];
    const size_t length = write_packet(packet, from, from_port, "127.0.0.1", world->port);
    const struct endpoint to = address_of("127.0.0.1", 0);
    assert_int_equal(
        sendto(raw, packet, length, 0, (const struct sockaddr *)&to.address, to.length), length);
    close(raw);
}

TEST(port_0_is_never_answered)
{
    struct world *world = *state;
    listen_on(world, "127.0.0.1");
    send_forged(world, "127.0.0.2", 0);
    WAIT_FOR(total(world, DNS_COUNT_RECEIVED) == 1);
    assert_udp_works(world, "127.0.0.1");
    assert_int_equal(total(world, DNS_COUNT_IGNORED), 1);
    assert_int_equal(total(world, DNS_COUNT_UNSENT), 0);
}

TEST(an_answer_that_cannot_be_sent_costs_nobody_else_his)
{
    struct world *world = *state;
    listen_on(world, "127.0.0.1");
    // Without SO_BROADCAST, nothing can be sent to such an address.
    for (unsigned i = 0; i < 3; i++) {
        send_forged(world, "127.255.255.255", 5353);
        assert_udp_works(world, "127.0.0.1");
    }
    assert_int_equal(total(world, DNS_COUNT_UNSENT), 3);
    assert_int_equal(total(world, DNS_COUNT_IGNORED), 0);
}

TEST(a_wildcard_socket_answers_from_the_address_that_was_asked)
{
    struct world *world = *state;
    want(world, "0.0.0.0");
    listen_on(world, "::");
    assert_udp_works(world, "127.0.0.1");
    assert_udp_works(world, "127.0.0.2");
    assert_udp_works(world, "127.1.2.3");
    assert_udp_works(world, "::1");
    assert_tcp_works(world, "127.0.0.2");
    assert_tcp_works(world, "::1");
}

TEST(what_was_sent_to_everybody_is_ignored)
{
    struct world *world = *state;
    listen_on(world, "0.0.0.0");
    const struct endpoint everybody = address_of("127.255.255.255", world->port);
    const int client = bound_socket("127.0.0.1", 0, SOCK_DGRAM);
    const int on = 1;
    uint8_t query[QUERY_MAX];
    const size_t length = write_query(query, 1);
    setsockopt(client, SOL_SOCKET, SO_BROADCAST, &on, sizeof on);
    assert_int_equal(sendto(client, query, length, 0, (const struct sockaddr *)&everybody.address,
                            everybody.length),
                     length);
    WAIT_FOR(total(world, DNS_COUNT_IGNORED) == 1);
    assert_udp_works(world, "127.0.0.1");
    close(client);
}

// A client with another address than the server's.
static int neighbour_of(struct world *world, const char *host)
{
    const struct endpoint address = address_of(host, world->port);
    const int client = bound_socket("127.0.0.2", 0, SOCK_DGRAM);
    assert_true(client >= 0);
    set_receive_guard(client);
    assert_int_equal(connect(client, (const struct sockaddr *)&address.address, address.length), 0);
    return client;
}

static void limit_rate(struct world *world, uint32_t rate, uint32_t slip)
{
    struct dns_snapshot *snapshot = make_snapshot(BEFORE);
    snapshot->rate_limit = rate;
    snapshot->slip = slip;
    responder_publish(world->responder, snapshot);
}

TEST(over_the_rate_limit_udp_is_dropped_and_tcp_is_not)
{
    struct world *world = *state;
    limit_rate(world, 1, 0);
    listen_on(world, "127.0.0.1");
    const int client = neighbour_of(world, "127.0.0.1");
    for (uint16_t i = 0; i < 50; i++) {
        send_query(client, i);
    }
    assert_answered(client, 0, BEFORE);
    WAIT_FOR(total(world, DNS_COUNT_RECEIVED) == 50);
    WAIT_FOR(total(world, DNS_COUNT_DROPPED) > 0);
    const int tcp = client_of(world, "127.0.0.1", SOCK_STREAM);
    for (uint16_t i = 0; i < 50; i++) {
        send_tcp_query(tcp, i);
        assert_tcp_answered(tcp, i);
    }
    close(tcp);
    close(client);
}

TEST(or_told_to_use_tcp)
{
    struct world *world = *state;
    limit_rate(world, 1, 1);
    listen_on(world, "127.0.0.1");
    const int client = neighbour_of(world, "127.0.0.1");
    unsigned truncated = 0;
    for (uint16_t i = 0; i < 50; i++) {
        send_query(client, i);
    }
    for (uint16_t i = 0; i < 50; i++) {
        const struct reply reply = receive_reply(client);
        assert_string_equal(reply.text, reply.truncated ? "" : BEFORE);
        truncated += reply.truncated;
    }
    assert_true(truncated > 0);
    assert_int_equal(total(world, DNS_COUNT_SLIPPED), truncated);
    assert_int_equal(total(world, DNS_COUNT_TRUNCATED), truncated);
    close(client);
}

TEST(counters_add_up)
{
    struct world *world = *state;
    world->conf.threads = 3;
    want(world, "127.0.0.1");
    listen_on(world, "::1");
    for (unsigned i = 0; i < 20; i++) {
        assert_udp_works(world, "127.0.0.1");
        assert_udp_works(world, "::1");
        assert_tcp_works(world, "::1");
    }
    struct dns_totals totals;
    responder_totals(world->responder, &totals);
    const unsigned wanted[DNS_CHANNELS] = {[DNS_UDP4] = 20, [DNS_UDP6] = 20, [DNS_TCP6] = 20};
    for (size_t i = 0; i < DNS_CHANNELS; i++) {
        assert_int_equal(totals.counts[i][DNS_COUNT_RECEIVED], wanted[i]);
        assert_int_equal(totals.rcodes[i][DNS_NOERROR], wanted[i]);
        assert_int_equal(totals.kinds[i][DNS_KIND_IDENTITY], wanted[i]);
    }
    assert_int_equal(totals.counts[DNS_TCP6][DNS_COUNT_ACCEPTED], 20);
}

// ---- TCP

TEST(tcp_is_answered_over_ipv4_and_ipv6)
{
    struct world *world = *state;
    want(world, "127.0.0.1");
    listen_on(world, "::1");
    assert_tcp_works(world, "127.0.0.1");
    assert_tcp_works(world, "::1");
}

TEST(queries_in_one_segment_are_all_answered)
{
    struct world *world = *state;
    listen_on(world, "127.0.0.1");
    const int client = client_of(world, "127.0.0.1", SOCK_STREAM);
    uint8_t all[100 * (2 + QUERY_MAX)];
    size_t length = 0;
    for (uint16_t i = 0; i < 100; i++) {
        length += write_tcp_query(all + length, i);
    }
    assert_int_equal(send(client, all, length, 0), length);
    for (uint16_t i = 0; i < 100; i++) {
        assert_tcp_answered(client, i);
    }
    close(client);
}

TEST(a_query_octet_by_octet_is_answered)
{
    struct world *world = *state;
    listen_on(world, "127.0.0.1");
    const int client = client_of(world, "127.0.0.1", SOCK_STREAM);
    const int on = 1;
    setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    uint8_t query[2 + QUERY_MAX];
    for (uint16_t id = 0; id < 3; id++) {
        const size_t length = write_tcp_query(query, id);
        for (size_t i = 0; i < length; i++) {
            assert_int_equal(send(client, query + i, 1, 0), 1);
        }
    }
    for (uint16_t id = 0; id < 3; id++) {
        assert_tcp_answered(client, id);
    }
    close(client);
}

TEST(the_longest_query_there_can_be_is_read_to_its_end)
{
    struct world *world = *state;
    listen_on(world, "127.0.0.1");
    const int client = client_of(world, "127.0.0.1", SOCK_STREAM);
    static uint8_t longest[2 + DNS_MESSAGE_MAX];
    write_query(longest + 2, 1);
    longest[0] = longest[1] = 0xff;
    assert_int_equal(send(client, longest, sizeof longest, 0), sizeof longest); // and trailing 0s
    send_tcp_query(client, 2);
    assert_int_equal(receive_tcp_reply(client).id, 1);
    assert_tcp_answered(client, 2);
    close(client);
}

TEST(who_ends_after_his_queries_gets_his_answers)
{
    struct world *world = *state;
    listen_on(world, "127.0.0.1");
    const int client = client_of(world, "127.0.0.1", SOCK_STREAM);
    send_tcp_query(client, 1);
    send_tcp_query(client, 2);
    assert_int_equal(shutdown(client, SHUT_WR), 0);
    assert_tcp_answered(client, 1);
    assert_tcp_answered(client, 2);
    assert_closed(client);
    close(client);
}

TEST(a_connection_that_is_reset_leaves_nothing)
{
    struct world *world = *state;
    listen_on(world, "127.0.0.1");
    const struct linger reset = {.l_onoff = 1};
    for (unsigned i = 0; i < 20; i++) {
        const int client = client_of(world, "127.0.0.1", SOCK_STREAM);
        send_tcp_query(client, 1);
        setsockopt(client, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        close(client);
    }
    WAIT_FOR(total(world, DNS_COUNT_ACCEPTED) + total(world, DNS_COUNT_UNACCEPTED) > 0);
    WAIT_FOR(open_connections(world) == 0);
    assert_tcp_works(world, "127.0.0.1");
}

TEST(what_is_no_query_ends_the_connection_after_the_answers_before_it)
{
    struct world *world = *state;
    listen_on(world, "127.0.0.1");
    const int client = client_of(world, "127.0.0.1", SOCK_STREAM);
    uint8_t bytes[2 * (2 + QUERY_MAX)];
    size_t length = write_tcp_query(bytes, 1);
    memset(bytes + length, 0, 2); // a query of no octets
    length += 2;
    assert_int_equal(send(client, bytes, length, 0), length);
    assert_tcp_answered(client, 1);
    assert_closed(client);
    close(client);
}

// Sends a part of an endless row of queries, from its octet number `from` on; returns how much of
// it was taken.
static size_t send_row(int client, size_t from, size_t most)
{
    uint8_t row[100 * (2 + QUERY_MAX)], query[2 + QUERY_MAX];
    const size_t size = write_tcp_query(query, 0), skipped = from % size;
    size_t length = 0;
    for (uint16_t id = (uint16_t)(from / size); length + size <= sizeof row; id++) {
        length += write_tcp_query(row + length, id);
    }
    length -= skipped;
    const ssize_t sent =
        send(client, row + skipped, length < most ? length : most, MSG_DONTWAIT | MSG_NOSIGNAL);
    assert_true(sent > 0 || errno == EAGAIN);
    return sent > 0 ? (size_t)sent : 0;
}

static size_t row_queries(size_t octets)
{
    uint8_t query[2 + QUERY_MAX];
    return octets / write_tcp_query(query, 0);
}

// Sends until nobody takes any more; returns how many octets that was.
static size_t stuff(int client)
{
    size_t sent = 0;
    for (uint64_t full_since = now_ms(); now_ms() - full_since < 300;) { // or is very slow
        const size_t more = send_row(client, sent, SIZE_MAX);
        sent += more;
        full_since = more > 0 ? now_ms() : full_since;
        sched_yield();
    }
    return sent;
}

// With little room for what is on its way.
static int narrow_client_of(struct world *world)
{
    const int small = 4096;
    const struct endpoint address = address_of("127.0.0.1", world->port);
    const int client = socket(AF_INET, SOCK_STREAM, 0);
    set_receive_guard(client);
    setsockopt(client, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    setsockopt(client, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    assert_int_equal(connect(client, (const struct sockaddr *)&address.address, address.length), 0);
    return client;
}

TEST(who_does_not_read_is_not_read_from_and_gets_it_all_once_he_does)
{
    struct world *world = *state;
    listen_on(world, "127.0.0.1");
    const int client = narrow_client_of(world);
    size_t sent = stuff(client);
    assert_true(total(world, DNS_COUNT_RECEIVED) < row_queries(sent));
    assert_tcp_works(world, "127.0.0.1"); // others wait for nothing
    uint16_t id = 0;
    while (sent < 1000000 || id < row_queries(sent)) {
        if (sent < 1000000) {
            sent += send_row(client, sent, 1000000 - sent + 1);
        }
        if (id < row_queries(sent)) {
            assert_tcp_answered(client, id++);
        }
    }
    close(client);
}

TEST(even_if_he_has_ended_meanwhile)
{
    struct world *world = *state;
    listen_on(world, "127.0.0.1");
    const int client = narrow_client_of(world);
    const uint16_t count = (uint16_t)row_queries(stuff(client));
    assert_int_equal(shutdown(client, SHUT_WR), 0);
    for (uint16_t id = 0; id < count; id++) {
        assert_tcp_answered(client, id);
    }
    assert_closed(client);
    close(client);
}

TEST(or_is_cut_when_he_never_does)
{
    struct world *world = *state;
    listen_on(world, "127.0.0.1");
    const int client = narrow_client_of(world);
    stuff(client);
    world->conf.tcp.idle_ms = 100; // only now, so that it is not cut before, however slow all is
    listen_now(world);
    WAIT_FOR(total(world, DNS_COUNT_TIMED_OUT) == 1 && open_connections(world) == 0);
    close(client);
}

TEST(an_idle_connection_is_closed)
{
    struct world *world = *state;
    world->conf.tcp.idle_ms = 200;
    listen_on(world, "127.0.0.1");
    const int client = client_of(world, "127.0.0.1", SOCK_STREAM);
    assert_closed(client);
    assert_int_equal(total(world, DNS_COUNT_TIMED_OUT), 1);
    close(client);
}

TEST(a_query_that_takes_too_long_ends_the_connection)
{
    struct world *world = *state;
    world->conf.tcp.idle_ms = 300;
    listen_on(world, "127.0.0.1");
    const int client = client_of(world, "127.0.0.1", SOCK_STREAM);
    uint8_t query[2 + QUERY_MAX] = {0xff, 0xff};
    const uint64_t until = now_ms() + GUARD_MS;
    for (size_t i = 0; total(world, DNS_COUNT_TIMED_OUT) == 0; i++) { // always something new
        send(client, query + (i < 2 ? i : 2), 1, MSG_NOSIGNAL);
        assert_true(now_ms() < until);
        poll(NULL, 0, 10);
    }
    assert_closed(client);
    close(client);
}

TEST(a_busy_connection_is_closed_at_the_total_limit)
{
    struct world *world = *state;
    world->conf.tcp.total_ms = 500;
    listen_on(world, "127.0.0.1");
    const int client = client_of(world, "127.0.0.1", SOCK_STREAM);
    const uint64_t until = now_ms() + GUARD_MS;
    while (total(world, DNS_COUNT_TIMED_OUT) == 0) {
        uint8_t query[2 + QUERY_MAX], got[2048];
        send(client, query, write_tcp_query(query, 1), MSG_NOSIGNAL);
        if (recv(client, got, sizeof got, 0) <= 0) {
            break;
        }
        assert_true(now_ms() < until);
    }
    assert_int_equal(total(world, DNS_COUNT_TIMED_OUT), 1);
    close(client);
}

TEST(the_longest_idle_makes_room_for_a_new_one)
{
    struct world *world = *state;
    world->conf.tcp.clients = 3;
    listen_on(world, "127.0.0.1");
    int clients[4];
    for (uint16_t i = 0; i < 3; i++) {
        clients[i] = client_of(world, "127.0.0.1", SOCK_STREAM);
        send_tcp_query(clients[i], i);
        assert_tcp_answered(clients[i], i);
    }
    send_tcp_query(clients[0], 10); // now the second is
    assert_tcp_answered(clients[0], 10);
    clients[3] = client_of(world, "127.0.0.1", SOCK_STREAM);
    assert_closed(clients[1]);
    static const size_t staying[] = {0, 2, 3};
    for (size_t i = 0; i < 3; i++) {
        send_tcp_query(clients[staying[i]], 20);
        assert_tcp_answered(clients[staying[i]], 20);
    }
    assert_int_equal(total(world, DNS_COUNT_EVICTED), 1);
    assert_int_equal(open_connections(world), 3);
    for (size_t i = 0; i < 4; i++) {
        close(clients[i]);
    }
}

TEST(nobody_gets_more_connections_than_his_own)
{
    struct world *world = *state;
    world->conf.tcp.clients_per_prefix = 2;
    want(world, "127.0.0.1");
    listen_on(world, "::1");
    const int first = client_of(world, "127.0.0.1", SOCK_STREAM);
    const int second = client_of(world, "127.0.0.1", SOCK_STREAM);
    const int third = client_of(world, "127.0.0.1", SOCK_STREAM);
    assert_closed(third);
    assert_int_equal(total(world, DNS_COUNT_REFUSED), 1);
    assert_tcp_works(world, "::1");
    send_tcp_query(second, 2);
    assert_tcp_answered(second, 2);
    close(first);
    WAIT_FOR(open_connections(world) == 1);
    assert_tcp_works(world, "127.0.0.1");
    close(second);
    close(third);
}

TEST(out_of_descriptors_it_waits_and_goes_on)
{
    struct world *world = *state;
    listen_on(world, "127.0.0.1");
    const struct endpoint address = address_of("127.0.0.1", world->port);
    const int client = socket(AF_INET, SOCK_STREAM, 0);
    set_receive_guard(client);
    struct rlimit former, none;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &former), 0);
    none = former;
    none.rlim_cur = 0;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    const int connected =
        connect(client, (const struct sockaddr *)&address.address, address.length);
    WAIT_FOR(total(world, DNS_COUNT_UNACCEPTED) >= 2);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &former), 0);
    assert_int_equal(connected, 0);
    send_tcp_query(client, 1);
    assert_tcp_answered(client, 1);
    close(client);
}

TEST(a_thousand_silent_clients_leave_udp_and_the_next_client_as_they_were)
{
    struct world *world = *state;
    world->conf.tcp.clients_per_prefix = 1000;
    listen_on(world, "127.0.0.1");
    static int clients[1000];
    for (size_t i = 0; i < 1000; i++) {
        clients[i] = client_of(world, "127.0.0.1", SOCK_STREAM);
    }
    assert_udp_works(world, "127.0.0.1");
    assert_tcp_works(world, "127.0.0.1");
    assert_int_equal(total(world, DNS_COUNT_EVICTED), 1001 - 100);
    for (size_t i = 0; i < 1000; i++) {
        close(clients[i]);
    }
}

// ---- The end

// Lets no thread but this one run unless this one sleeps: what they are sent then waits.
static void hold_back_threads(cpu_set_t *former)
{
    const struct sched_param param = {0};
    cpu_set_t one;
    CPU_ZERO(&one);
    assert_int_equal(sched_getaffinity(0, sizeof *former, former), 0);
    CPU_SET(sched_getcpu(), &one);
    DIR *tasks = opendir("/proc/self/task");
    assert_non_null(tasks);
    for (struct dirent *entry; (entry = readdir(tasks));) {
        const pid_t task = (pid_t)strtol(entry->d_name, NULL, 10);
        if (task > 0) {
            assert_int_equal(sched_setaffinity(task, sizeof one, &one), 0);
        }
        if (task > 0 && task != gettid()) {
            assert_int_equal(sched_setscheduler(task, SCHED_IDLE, &param), 0);
        }
    }
    closedir(tasks);
}

#define UDP_CROWD 200
#define TCP_CROWD 100

struct crowd {
    int udp, tcp, late;
};

// Nobody has answered when this returns, nor accepted the last connection.
static struct crowd ask_all_at_once(struct world *world, cpu_set_t *former)
{
    struct crowd crowd = {.udp = client_of(world, "127.0.0.1", SOCK_DGRAM),
                          .tcp = client_of(world, "127.0.0.1", SOCK_STREAM)};
    hold_back_threads(former);
    listen_on(world, "127.0.0.2"); // TCP's thread will hear of listeners before it sees who is late
    crowd.late = client_of(world, "127.0.0.1", SOCK_STREAM);
    send_tcp_query(crowd.late, UINT16_MAX);
    for (uint16_t i = 0; i < UDP_CROWD; i++) {
        send_query(crowd.udp, i);
    }
    for (uint16_t i = 0; i < TCP_CROWD; i++) {
        send_tcp_query(crowd.tcp, i);
    }
    assert_true(total(world, DNS_COUNT_RECEIVED) < UDP_CROWD + TCP_CROWD);
    return crowd;
}

static void assert_all_answered(struct crowd *crowd, const cpu_set_t *former)
{
    assert_int_equal(sched_setaffinity(0, sizeof *former, former), 0);
    for (uint16_t i = 0; i < UDP_CROWD; i++) {
        assert_answered(crowd->udp, i, BEFORE);
    }
    for (uint16_t i = 0; i < TCP_CROWD; i++) {
        assert_tcp_answered(crowd->tcp, i);
    }
    assert_tcp_answered(crowd->late, UINT16_MAX);
    close(crowd->udp);
}

TEST(at_the_end_all_that_was_received_is_answered)
{
    struct world *world = *state;
    cpu_set_t former;
    world->conf.threads = 2;
    listen_on(world, "127.0.0.1");
    struct crowd crowd = ask_all_at_once(world, &former);
    responder_free(world->responder);
    world->responder = NULL;
    assert_all_answered(&crowd, &former);
    assert_closed(crowd.tcp);
    assert_closed(crowd.late);
    assert_true(is_free("127.0.0.1", world->port, SOCK_DGRAM));
    close(crowd.tcp);
    close(crowd.late);
}

TEST(and_when_its_address_is_given_up)
{
    struct world *world = *state;
    cpu_set_t former;
    world->conf.threads = 2;
    listen_on(world, "127.0.0.1");
    struct crowd crowd = ask_all_at_once(world, &former);
    world->conf.listen_count = 0;
    listen_now(world);
    assert_all_answered(&crowd, &former);
    assert_false(is_ready(crowd.tcp, POLLIN)); // connections stay
    assert_false(is_ready(crowd.late, POLLIN));
    close(crowd.tcp);
    close(crowd.late);
}

static void *take_all(void *arg)
{
    static _Thread_local uint8_t bytes[1 << 20];
    while (recv(*(const int *)arg, bytes, sizeof bytes, 0) > 0) {
    }
    return NULL;
}

static void *send_all(void *arg)
{
    uint8_t query[QUERY_MAX], row[1000 * (2 + QUERY_MAX)];
    struct dns_question question = {.type = DNS_TXT, .class = DNS_CLASS_IN};
    struct dns_writer writer;
    size_t length = 0;
    assert_null(dns_name_parse("example", &question.name));
    dns_write_begin(&writer, query, sizeof query, 0, 0);
    dns_write_question(&writer, &question);
    const size_t size = dns_write_end(&writer);
    for (; length + 2 + size <= sizeof row; length += 2 + size) {
        row[length] = 0;
        row[length + 1] = (uint8_t)size;
        memcpy(row + length + 2, query, size);
    }
    while (send(*(const int *)arg, row, length, MSG_NOSIGNAL) > 0) {
    }
    return NULL;
}

// Its apex has a TXT record as large as there can be.
static struct dns_snapshot *make_large_snapshot(void)
{
    static uint8_t rdata[60000]; // empty strings
    struct dns_name apex;
    assert_null(dns_name_parse("example", &apex));
    const struct dns_record_conf record = {.type = DNS_TXT, .length = sizeof rdata, .rdata = rdata};
    const struct dns_answer_conf answer = {
        .name = apex, .service = SIZE_MAX, .records = &record, .record_count = 1};
    const struct zone_conf conf = {.id = BEFORE,
                                   .region = "",
                                   .apex = &apex,
                                   .servers = &apex,
                                   .server_count = 1,
                                   .hostmaster = apex,
                                   .answers = &answer,
                                   .answer_count = 1};
    struct zone *zone = zone_new(&conf);
    assert_non_null(zone);
    struct dns_snapshot *snapshot = dns_snapshot_new(zone, 0);
    assert_non_null(snapshot);
    zone_free(zone);
    return snapshot;
}

// What it sends fills the last turns, in which it takes what kept the turns before from their end.
TEST(at_the_end_who_sends_and_takes_all_the_while_is_cut)
{
    struct world *world = *state;
    want(world, "127.0.0.1");
    for (size_t round = 0; round < 20; round++) {
        pthread_t sender, taker;
        responder_publish(world->responder, make_large_snapshot());
        listen_now(world);
        int client = client_of(world, "127.0.0.1", SOCK_STREAM);
        assert_int_equal(pthread_create(&sender, NULL, send_all, &client), 0);
        assert_int_equal(pthread_create(&taker, NULL, take_all, &client), 0);
        WAIT_FOR(total(world, DNS_COUNT_RECEIVED) > 100);
        responder_free(world->responder);
        pthread_join(sender, NULL);
        pthread_join(taker, NULL);
        close(client);
        world->responder = responder_new(NULL, 0);
    }
}

// ---- Reload

#define FLOCK 64

TEST(other_threads_lose_no_query)
{
    struct world *world = *state;
    static const unsigned threads[] = {4, 1, 2, 4, 3, 1};
    listen_on(world, "127.0.0.1");
    int clients[FLOCK];
    for (size_t i = 0; i < FLOCK; i++) {
        clients[i] = client_of(world, "127.0.0.1", SOCK_DGRAM);
    }
    for (uint16_t round = 0; round < 60; round++) {
        for (size_t i = 0; i < FLOCK / 2; i++) {
            send_query(clients[i], round);
        }
        world->conf.threads = threads[round % 6];
        listen_now(world);
        for (size_t i = FLOCK / 2; i < FLOCK; i++) {
            send_query(clients[i], round);
        }
        for (size_t i = 0; i < FLOCK; i++) {
            assert_answered(clients[i], round, BEFORE);
        }
    }
    assert_int_equal(total(world, DNS_COUNT_RECEIVED), 60 * FLOCK);
    for (size_t i = 0; i < FLOCK; i++) {
        close(clients[i]);
    }
}

static bool is_refused(int client)
{
    uint8_t query[QUERY_MAX], got[2048];
    if (send(client, query, write_query(query, 1), 0) < 0) {
        return errno == ECONNREFUSED;
    }
    return recv(client, got, sizeof got, MSG_DONTWAIT) < 0 && errno == ECONNREFUSED;
}

TEST(addresses_come_and_go_and_connections_stay)
{
    struct world *world = *state;
    want(world, "127.0.0.1");
    listen_on(world, "127.0.0.2");
    const int tcp = client_of(world, "127.0.0.1", SOCK_STREAM);
    const int udp = client_of(world, "127.0.0.1", SOCK_DGRAM);
    send_tcp_query(tcp, 1);
    assert_tcp_answered(tcp, 1);
    world->conf.listen_count = 0;
    want(world, "127.0.0.3");
    listen_on(world, "127.0.0.2");
    assert_udp_works(world, "127.0.0.2");
    assert_udp_works(world, "127.0.0.3");
    assert_tcp_works(world, "127.0.0.3");
    WAIT_FOR(is_refused(udp));
    WAIT_FOR(is_free("127.0.0.1", world->port, SOCK_DGRAM));
    send_tcp_query(tcp, 2);
    assert_tcp_answered(tcp, 2);
    close(tcp);
    close(udp);
}

// What one who is leaving gets after its last look is lost, so that it may take more than one try.
static bool udp_answers(struct world *world, const char *host)
{
    const int client = client_of(world, host, SOCK_DGRAM);
    struct pollfd one = {.fd = client, .events = POLLIN};
    uint8_t query[QUERY_MAX], got[2048];
    const bool answers = send(client, query, write_query(query, 1), 0) > 0 &&
                         poll(&one, 1, RETRY_MS) == 1 && recv(client, got, sizeof got, 0) > 0;
    close(client);
    return answers;
}

TEST(an_address_given_up_can_be_had_again_at_once)
{
    struct world *world = *state;
    cpu_set_t former;
    want(world, "127.0.0.1");
    want(world, "::1");
    listen_now(world);
    hold_back_threads(&former);
    for (unsigned i = 0; i < 6; i++) {
        world->conf.threads = i % 3 + 1;
        world->conf.listen_count = i % 2 ? 2 : 0;
        listen_now(world);
    }
    assert_int_equal(sched_setaffinity(0, sizeof former, &former), 0);
    WAIT_FOR(udp_answers(world, "127.0.0.1"));
    WAIT_FOR(udp_answers(world, "::1"));
    // Once it has been given up for good, nobody has it.
    world->conf.listen_count = 0;
    listen_now(world);
    WAIT_FOR(
        is_free("127.0.0.1", world->port, SOCK_DGRAM) && is_free("::1", world->port, SOCK_DGRAM) &&
        is_free("127.0.0.1", world->port, SOCK_STREAM) && is_free("::1", world->port, SOCK_STREAM));
    world->conf.listen_count = 2;
    listen_now(world);
    assert_udp_works(world, "127.0.0.1");
    assert_udp_works(world, "::1");
    assert_tcp_works(world, "127.0.0.1");
    assert_tcp_works(world, "::1");
}

TEST(an_address_may_appear_later)
{
    struct world *world = *state;
    want(world, "192.0.2.53");
    want(world, "2001:db8::53");
    listen_on(world, "127.0.0.1");
    assert_udp_works(world, "127.0.0.1");
}

TEST(what_cannot_be_had_is_said_and_all_is_as_it_was)
{
    struct world *world = *state;
    const int other = bound_socket("127.0.0.3", world->port, SOCK_DGRAM);
    listen_on(world, "127.0.0.1");
    world->conf.listen_count = 0;
    world->conf.threads = 3;
    want(world, "127.0.0.2");
    want(world, "127.0.0.1");
    want(world, "127.0.0.3");
    assert_int_equal(responder_listen(world->responder, &world->conf, world->error), -1);
    char wanted[256];
    snprintf(wanted, sizeof wanted,
             "can't listen on 127.0.0.3:%u/udp: Address already in use (another server has it: "
             "ss -lnp tells which)",
             world->port);
    assert_string_equal(world->error, wanted);
    for (unsigned i = 0; i < FLOCK; i++) { // whichever thread it was for
        assert_udp_works(world, "127.0.0.1");
    }
    assert_tcp_works(world, "127.0.0.1");
    WAIT_FOR(is_free("127.0.0.2", world->port, SOCK_DGRAM));
    close(other);
    listen_now(world);
    assert_udp_works(world, "127.0.0.3");
}

TEST(a_second_one_on_the_same_address_is_found_out)
{
    struct world *world = *state;
    world->conf.threads = 2;
    listen_on(world, "127.0.0.1");
    struct responder *second = responder_new(NULL, 0);
    assert_int_equal(responder_listen(second, &world->conf, world->error), -1);
    assert_non_null(strstr(world->error, "Address already in use"));
    responder_free(second);
}

TEST(an_address_named_twice_is_refused)
{
    struct world *world = *state;
    want(world, "127.0.0.1");
    want(world, "127.0.0.1");
    assert_int_equal(responder_listen(world->responder, &world->conf, world->error), -1);
    assert_non_null(strstr(world->error, "twice"));
}

TEST(a_port_that_needs_a_privilege_says_which)
{
    struct world *world = *state;
    if (geteuid() != 0) {
        skip();
    }
    world->port = 53;
    want(world, "127.98.76.54");
    assert_int_equal(seteuid(UNPRIVILEGED), 0);
    const int result = responder_listen(world->responder, &world->conf, world->error);
    assert_int_equal(seteuid(0), 0);
    if (result == 0) {
        skip(); // net.ipv4.ip_unprivileged_port_start
    }
    assert_string_equal(world->error,
                        "can't listen on 127.98.76.54:53/tcp: Permission denied (needs "
                        "CAP_NET_BIND_SERVICE or systemd's socket activation)");
}

// ---- Sockets from systemd

static void inherit(struct world *world, const int *sockets, size_t count)
{
    responder_free(world->responder);
    world->responder = responder_new(sockets, count);
    responder_publish(world->responder, make_snapshot(BEFORE));
}

TEST(inherited_sockets_are_used)
{
    struct world *world = *state;
    const int sockets[] = {bound_socket("127.0.0.2", world->port, SOCK_STREAM),
                           bound_socket("127.0.0.1", world->port, SOCK_DGRAM),
                           bound_socket("127.0.0.1", world->port, SOCK_STREAM)};
    assert_int_equal(fcntl(sockets[1], F_SETFL, O_NONBLOCK), 0);
    inherit(world, sockets, 3);
    listen_on(world, "127.0.0.1");
    assert_string_equal(world->error, "");
    assert_udp_works(world, "127.0.0.1");
    assert_tcp_works(world, "127.0.0.1");
    assert_true(fcntl(sockets[0], F_GETFD) >= 0); // nobody wanted it yet
    listen_on(world, "127.0.0.2");
    assert_tcp_works(world, "127.0.0.2");
    assert_udp_works(world, "127.0.0.2");
}

// As after a restart: systemd keeps the sockets.
static void inherit_copies(struct world *world, const int *sockets, size_t count)
{
    int copies[LISTEN_MAX];
    for (size_t i = 0; i < count; i++) {
        copies[i] = dup(sockets[i]);
        assert_true(copies[i] >= 0);
    }
    inherit(world, copies, count);
}

TEST(one_popgated_after_another_inherits_the_same_sockets)
{
    struct world *world = *state;
    const int sockets[] = {bound_socket("127.0.0.1", world->port, SOCK_DGRAM),
                           bound_socket("127.0.0.1", world->port, SOCK_STREAM)};
    want(world, "127.0.0.1");
    for (uint16_t i = 0; i < 3; i++) {
        inherit_copies(world, sockets, 2);
        listen_now(world);
        assert_udp_works(world, "127.0.0.1");
        assert_tcp_works(world, "127.0.0.1");
        responder_free(world->responder);
        world->responder = NULL;
        assert_false(is_ready(sockets[0], POLLIN | POLLRDHUP)); // as it is after a shutdown(2)
        // Those who come while there is none wait for the next one.
        const int udp = client_of(world, "127.0.0.1", SOCK_DGRAM);
        const int tcp = client_of(world, "127.0.0.1", SOCK_STREAM);
        send_query(udp, i);
        send_tcp_query(tcp, i);
        inherit_copies(world, sockets, 2);
        listen_now(world);
        assert_answered(udp, i, BEFORE);
        assert_tcp_answered(tcp, i);
        close(udp);
        close(tcp);
    }
    close(sockets[0]);
    close(sockets[1]);
}

static uint64_t processor_us(void)
{
    struct rusage used;
    assert_int_equal(getrusage(RUSAGE_SELF, &used), 0);
    return (uint64_t)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000 +
           (uint64_t)(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
}

TEST(who_has_nothing_to_do_sleeps)
{
    struct world *world = *state;
    const int sockets[] = {bound_socket("127.0.0.1", world->port, SOCK_DGRAM),
                           bound_socket("127.0.0.1", world->port, SOCK_STREAM)};
    want(world, "127.0.0.1");
    want(world, "127.0.0.2");
    for (unsigned i = 0; i < 2; i++) {
        inherit_copies(world, sockets, 2);
        listen_now(world);
        assert_udp_works(world, "127.0.0.1");
        assert_udp_works(world, "127.0.0.2");
    }
    const uint64_t before_us = processor_us();
    poll(NULL, 0, IDLE_MS);
    assert_true(processor_us() - before_us < IDLE_MS * 1000 / 10);
    close(sockets[0]);
    close(sockets[1]);
}

TEST(an_inherited_socket_that_was_given_up_is_found_again)
{
    struct world *world = *state;
    const int sockets[] = {bound_socket("127.0.0.1", world->port, SOCK_DGRAM),
                           bound_socket("127.0.0.1", world->port, SOCK_STREAM)};
    inherit(world, sockets, 2);
    want(world, "127.0.0.1");
    for (uint16_t i = 0; i < 20;
         i++) { // those who leave and those who come share it: nothing is lost
        world->conf.listen_count = 1;
        listen_now(world);
        assert_udp_works(world, "127.0.0.1");
        assert_tcp_works(world, "127.0.0.1");
        world->conf.listen_count = 0;
        listen_now(world);
        assert_false(is_free("127.0.0.1", world->port, SOCK_STREAM));
    }
    const int client = client_of(world, "127.0.0.1", SOCK_DGRAM);
    send_query(client, 1);
    world->conf.listen_count = 1;
    listen_now(world);
    assert_answered(client, 1, BEFORE);
    close(client);
}

TEST(a_reload_that_fails_costs_no_inherited_socket)
{
    struct world *world = *state;
    const int other = bound_socket("127.0.0.2", world->port, SOCK_DGRAM);
    const int sockets[] = {bound_socket("127.0.0.1", world->port, SOCK_DGRAM)};
    inherit(world, sockets, 1);
    want(world, "127.0.0.1");
    want(world, "127.0.0.2");
    assert_int_equal(responder_listen(world->responder, &world->conf, world->error), -1);
    assert_non_null(strstr(world->error, "127.0.0.2"));
    world->conf.listen_count = 1;
    listen_now(world);
    assert_udp_works(world, "127.0.0.1");
    assert_tcp_works(world, "127.0.0.1");
    close(other);
}

TEST(others_of_ours_join_an_inherited_one)
{
    struct world *world = *state;
    const int sockets[] = {bound_socket("127.0.0.1", world->port, SOCK_DGRAM)};
    inherit(world, sockets, 1);
    world->conf.threads = 3;
    listen_on(world, "127.0.0.1");
    assert_string_equal(world->error, "");
    for (unsigned i = 0; i < FLOCK; i++) {
        assert_udp_works(world, "127.0.0.1");
    }
}

TEST(unless_it_is_another_users)
{
    struct world *world = *state;
    if (geteuid() != 0) {
        skip();
    }
    const int sockets[] = {bound_socket("127.0.0.1", world->port, SOCK_DGRAM)};
    inherit(world, sockets, 1);
    world->conf.threads = 3;
    want(world, "127.0.0.1");
    assert_int_equal(seteuid(UNPRIVILEGED), 0);
    const int result = responder_listen(world->responder, &world->conf, world->error);
    assert_int_equal(seteuid(0), 0);
    assert_int_equal(result, 0);
    assert_non_null(strstr(world->error, "/udp has only 1 thread: systemd's socket lets no other"));
    for (unsigned i = 0; i < FLOCK; i++) {
        assert_udp_works(world, "127.0.0.1");
    }
}

TEST(an_inherited_wildcard_that_takes_both_families_is_refused)
{
    struct world *world = *state;
    const int sockets[] = {bound_socket("::", world->port, SOCK_STREAM)};
    inherit(world, sockets, 1);
    want(world, "::");
    assert_int_equal(responder_listen(world->responder, &world->conf, world->error), -1);
    assert_non_null(strstr(world->error, "BindIPv6Only=ipv6-only"));
}

// ---- Snapshots

static _Atomic bool over;

static void *publish_on(void *arg)
{
    struct world *world = arg;
    for (unsigned i = 0; !atomic_load(&over); i++) {
        responder_publish(world->responder, make_snapshot(i % 2 ? BEFORE : AFTER));
    }
    return NULL;
}

TEST(every_answer_is_of_one_snapshot)
{
    struct world *world = *state;
    world->conf.threads = 2;
    listen_on(world, "127.0.0.1");
    const int udp = client_of(world, "127.0.0.1", SOCK_DGRAM);
    const int tcp = client_of(world, "127.0.0.1", SOCK_STREAM);
    pthread_t publisher;
    atomic_store(&over, false);
    assert_int_equal(pthread_create(&publisher, NULL, publish_on, world), 0);
    unsigned after = 0, before = 0;
    for (uint16_t i = 0; i < 2000 || !before || !after; i++) {
        send_query(udp, i);
        send_tcp_query(tcp, i);
        const struct reply replies[] = {receive_reply(udp), receive_tcp_reply(tcp)};
        for (size_t k = 0; k < 2; k++) {
            assert_string_equal(replies[k].text, replies[k].nsid);
            before += strcmp(replies[k].text, BEFORE) == 0;
            after += strcmp(replies[k].text, AFTER) == 0;
        }
    }
    atomic_store(&over, true);
    pthread_join(publisher, NULL);
    close(udp);
    close(tcp);
}

TEST(without_a_snapshot_nothing_is_answered_and_then_all_is)
{
    struct world *world = *state;
    responder_free(world->responder);
    world->responder = responder_new(NULL, 0);
    listen_on(world, "127.0.0.1");
    const int client = client_of(world, "127.0.0.1", SOCK_DGRAM);
    send_query(client, 1);
    WAIT_FOR(total(world, DNS_COUNT_IGNORED) == 1);
    responder_publish(world->responder, make_snapshot(BEFORE));
    send_query(client, 2);
    assert_answered(client, 2, BEFORE);
    assert_tcp_works(world, "127.0.0.1");
    close(client);
}

static size_t count_descriptors(void)
{
    DIR *descriptors = opendir("/proc/self/fd");
    size_t count = 0;
    assert_non_null(descriptors);
    while (readdir(descriptors)) {
        count++;
    }
    closedir(descriptors);
    return count;
}

// The thread may be anywhere in taking over its listeners when it is told to end.
TEST(whoever_ends_while_it_begins_leaves_no_descriptor)
{
    struct world *world = *state;
    const struct tcp_limits limits = world->conf.tcp;
    struct publisher *publisher = publisher_new();
    assert_non_null(publisher);
    tcp_server_stop(tcp_server_start(&limits, publisher)); // libuv keeps what the first one needs
    const size_t before = count_descriptors();
    for (size_t i = 0; i < 300; i++) {
        struct tcp_server *server = tcp_server_start(&limits, publisher);
        assert_non_null(server);
        for (size_t j = 0; j < 64; j++) {
            const int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
            assert_int_equal(listen(listener, 1), 0);
            assert_int_equal(tcp_server_listen(server, listener), 0);
        }
        tcp_server_stop(server);
    }
    assert_int_equal(count_descriptors(), before);
    publisher_free(publisher);
}
