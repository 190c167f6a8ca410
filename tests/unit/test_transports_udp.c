// The responder over UDP: who is answered, from which address, and who is not.
#include "tests/unit/transports_fixture.h"

TEST_FIXTURE(begin, end);

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
    int client = client_of(world, "127.0.0.1", SOCK_DGRAM);
    uint8_t response[QUERY_MAX];
    size_t length = write_query(response, 1);
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
    int client = client_of(world, "127.0.0.1", SOCK_DGRAM);
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
    size_t length = write_query(out + sizeof ip + sizeof udp, 9);
    assert_int_equal(inet_pton(AF_INET, from, &ip.saddr), 1);
    assert_int_equal(inet_pton(AF_INET, to, &ip.daddr), 1);
    udp.len = htons((uint16_t)(sizeof udp + length)); // check 0: none (RFC 768)
    memcpy(out, &ip, sizeof ip);
    memcpy(out + sizeof ip, &udp, sizeof udp);
    return sizeof ip + sizeof udp + length;
}

static void send_forged(struct world *world, const char *from, uint16_t from_port)
{
    int raw = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
    if (raw < 0) {
        skip(); // not root
    }
    uint8_t packet[128];
    size_t length = write_packet(packet, from, from_port, "127.0.0.1", world->port);
    struct endpoint to = address_of("127.0.0.1", 0);
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

// Echo, daytime, chargen and time send something back, which would be answered, and so on.
TEST(a_service_that_answers_anything_is_never_answered)
{
    static const uint16_t ports[] = {7, 13, 19, 37};
    struct world *world = *state;
    listen_on(world, "127.0.0.1");
    for (size_t i = 0; i < 4; i++) {
        send_forged(world, "127.0.0.2", ports[i]);
        WAIT_FOR(total(world, DNS_COUNT_RECEIVED) == i + 1);
    }
    assert_udp_works(world, "127.0.0.1");
    assert_int_equal(total(world, DNS_COUNT_IGNORED), 4);
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
    struct endpoint everybody = address_of("127.255.255.255", world->port);
    int client = bound_socket("127.0.0.1", 0, SOCK_DGRAM);
    int on = 1;
    uint8_t query[QUERY_MAX];
    size_t length = write_query(query, 1);
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
    struct endpoint address = address_of(host, world->port);
    int client = bound_socket("127.0.0.2", 0, SOCK_DGRAM);
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
    int client = neighbour_of(world, "127.0.0.1");
    for (uint16_t i = 0; i < 50; i++) {
        send_query(client, i);
    }
    assert_answered(client, 0, BEFORE);
    WAIT_FOR(total(world, DNS_COUNT_RECEIVED) == 50);
    WAIT_FOR(total(world, DNS_COUNT_DROPPED) > 0);
    int tcp = client_of(world, "127.0.0.1", SOCK_STREAM);
    for (uint16_t i = 0; i < 50; i++) {
        send_tcp_query(tcp, i);
        assert_tcp_answered(tcp, i);
    }
    close(tcp);
    close(client);
}

// What neighbours that ask once each get of count places, and how much of it at the most.
static void assert_one_budget(struct world *world, const char *const *places, size_t count)
{
    enum { ASKED = 64, RATE = 2 };
    struct dns_totals totals;
    int clients[ASKED];
    limit_rate(world, RATE, 0);
    uint64_t since_ms = now_ms();
    for (size_t i = 0; i < ASKED; i++) {
        clients[i] = neighbour_of(world, places[i % count]);
        send_query(clients[i], (uint16_t)i);
    }
    WAIT_FOR(total(world, DNS_COUNT_RECEIVED) == ASKED);
    WAIT_FOR(total(world, DNS_COUNT_DROPPED) > 0);
    responder_totals(world->responder, &totals);
    uint64_t answered = totals.rcodes[DNS_UDP4][DNS_NOERROR];
    assert_true(answered <= RATE + (now_ms() - since_ms) * RATE / 1000 + 1);
    for (size_t i = 0; i < ASKED; i++) {
        close(clients[i]);
    }
}

TEST(a_client_has_one_budget_whatever_thread_his_sockets_come_to)
{
    struct world *world = *state;
    world->conf.threads = 8;
    listen_on(world, "127.0.0.1");
    assert_one_budget(world, (const char *const[]){"127.0.0.1"}, 1);
}

TEST(a_client_has_one_budget_for_all_addresses)
{
    static const char *const places[] = {"127.0.0.1", "127.0.0.3", "127.0.0.4", "127.0.0.5"};
    struct world *world = *state;
    for (size_t i = 0; i < 4; i++) {
        want(world, places[i]);
    }
    listen_now(world);
    assert_one_budget(world, places, 4);
}

// With one socket, so that one thread has all of them.
TEST(of_many_threads_one_gives_a_client_his_whole_budget)
{
    struct world *world = *state;
    world->conf.threads = 8;
    limit_rate(world, 50, 0);
    listen_on(world, "127.0.0.1");
    int client = neighbour_of(world, "127.0.0.1");
    for (uint16_t i = 0; i < 50; i++) {
        send_query(client, i);
        assert_answered(client, i, BEFORE);
    }
    close(client);
}

TEST(or_told_to_use_tcp)
{
    struct world *world = *state;
    limit_rate(world, 1, 1);
    listen_on(world, "127.0.0.1");
    int client = neighbour_of(world, "127.0.0.1");
    unsigned truncated = 0;
    for (uint16_t i = 0; i < 50; i++) {
        send_query(client, i);
    }
    for (uint16_t i = 0; i < 50; i++) {
        struct reply reply = receive_reply(client);
        assert_string_equal(reply.text, reply.truncated ? "" : BEFORE);
        truncated += reply.truncated;
    }
    assert_true(truncated > 0);
    assert_int_equal(total(world, DNS_COUNT_SLIPPED), truncated);
    assert_int_equal(total(world, DNS_COUNT_TRUNCATED), truncated);
    close(client);
}

TEST(or_only_one_in_slip_is_told)
{
    enum { ASKED = 200 };
    struct world *world = *state;
    limit_rate(world, 1, 2);
    listen_on(world, "127.0.0.1");
    int client = neighbour_of(world, "127.0.0.1");
    for (int i = 0; i < ASKED; i++) {
        send_query(client, (uint16_t)i);
    }
    WAIT_FOR(total(world, DNS_COUNT_RECEIVED) == ASKED);
    WAIT_FOR(total(world, DNS_COUNT_DROPPED) > 0 && total(world, DNS_COUNT_SLIPPED) > 0);
    close(client);
}

static uint64_t answered_or_dropped(const struct world *world)
{
    struct dns_totals totals;
    responder_totals(world->responder, &totals);
    return totals.rcodes[DNS_UDP4][DNS_NOERROR] + totals.rcodes[DNS_UDP6][DNS_NOERROR] +
           total(world, DNS_COUNT_DROPPED);
}

// As its own probes are, which no flood with a forged address is to fail.
TEST(whoever_asks_from_the_address_that_he_asks_is_not_limited)
{
    enum { ASKED = 50 };
    static const char *const places[] = {"127.0.0.1", "::1"};
    struct world *world = *state;
    limit_rate(world, 1, 0);
    want(world, places[0]);
    want(world, places[1]);
    listen_now(world);
    for (size_t i = 0; i < 2; i++) {
        int client = client_of(world, places[i], SOCK_DGRAM);
        for (int id = 0; id < ASKED; id++) {
            send_query(client, (uint16_t)id);
        }
        WAIT_FOR(answered_or_dropped(world) == (i + 1) * ASKED);
        close(client);
    }
    assert_int_equal(total(world, DNS_COUNT_DROPPED), 0);
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
    unsigned wanted[DNS_CHANNELS] = {[DNS_UDP4] = 20, [DNS_UDP6] = 20, [DNS_TCP6] = 20};
    for (size_t i = 0; i < DNS_CHANNELS; i++) {
        assert_int_equal(totals.counts[i][DNS_COUNT_RECEIVED], wanted[i]);
        assert_int_equal(totals.rcodes[i][DNS_NOERROR], wanted[i]);
        assert_int_equal(totals.kinds[i][DNS_KIND_IDENTITY], wanted[i]);
    }
    assert_int_equal(totals.counts[DNS_TCP6][DNS_COUNT_ACCEPTED], 20);
}

// ---- Which record comes first

static struct dns_snapshot *make_pairs(void)
{
    static const uint8_t addresses[4][16] = {{1}, {2}, {3}, {4}};
    struct dns_record_conf records[4];
    struct dns_name apex, server;
    assert_null(dns_name_parse("example.net", &apex));
    assert_null(dns_name_parse("ns.example.org", &server));
    for (size_t i = 0; i < 4; i++) {
        records[i] = (struct dns_record_conf){
            .type = i < 2 ? DNS_A : DNS_AAAA, .length = i < 2 ? 4 : 16, .rdata = addresses[i]};
    }
    struct dns_answer_conf answer = {.name = dns_name_below("www", &apex),
                                     .service = SIZE_MAX,
                                     .records = records,
                                     .record_count = 4};
    struct zone_conf conf = {.id = "x",
                             .region = "",
                             .apex = &apex,
                             .servers = &server,
                             .server_count = 1,
                             .hostmaster = server,
                             .answers = &answer,
                             .answer_count = 1};
    struct zone *zone = zone_new(&conf);
    assert_non_null(zone);
    struct dns_snapshot *snapshot = dns_snapshot_new(zone, 0);
    assert_non_null(snapshot);
    zone_free(zone);
    snapshot->udp_size = 1232;
    return snapshot;
}

// The first octet of the first address.
static uint8_t first_of(int client, uint16_t type)
{
    uint8_t bytes[512];
    struct dns_question question = {.type = type, .class = DNS_CLASS_IN};
    struct dns_header header;
    struct dns_record record = {.rdata = 0};
    struct dns_writer writer;
    assert_null(dns_name_parse("www.example.net", &question.name));
    dns_write_begin(&writer, bytes, sizeof bytes, 1, 0);
    dns_write_question(&writer, &question);
    size_t length = dns_write_end(&writer);
    assert_int_equal(send(client, bytes, length, 0), length);
    ssize_t received = recv(client, bytes, sizeof bytes, 0);
    assert_true(received > 0);
    struct dns_reader reader = {.message = bytes, .end = (size_t)received};
    assert_true(dns_read_header(&reader, &header) && dns_read_question(&reader, &question) &&
                dns_read_record(&reader, &record));
    assert_int_equal(header.counts[DNS_ANSWER], 2);
    return bytes[record.rdata];
}

// As stub resolvers do: in step with whatever only counts queries.
TEST(whoever_asks_for_both_families_in_turn_gets_each_record_first_sometimes)
{
    struct world *world = *state;
    unsigned v4 = 0, v6 = 0;
    responder_publish(world->responder, make_pairs());
    listen_on(world, "127.0.0.1");
    int client = client_of(world, "127.0.0.1", SOCK_DGRAM);
    for (unsigned i = 0; i < 128; i++) {
        v4 += first_of(client, DNS_A) == 1;
        v6 += first_of(client, DNS_AAAA) == 3;
    }
    assert_in_range(v4, 1, 127); // 2^-127 is the chance that they don't
    assert_in_range(v6, 1, 127);
    close(client);
}
