// The responder over TCP: pieces, pipelines, slow clients, and how many there may be.
#include "tests/unit/transports_fixture.h"

TEST_FIXTURE(begin, end);

// ---- The world

static size_t open_connections(const struct world *world)
{
    struct dns_totals totals;
    responder_totals(world->responder, &totals);
    return totals.tcp_open;
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
    int client = client_of(world, "127.0.0.1", SOCK_STREAM);
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
    int client = client_of(world, "127.0.0.1", SOCK_STREAM);
    int on = 1;
    setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    uint8_t query[2 + QUERY_MAX];
    for (uint16_t id = 0; id < 3; id++) {
        size_t length = write_tcp_query(query, id);
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
    int client = client_of(world, "127.0.0.1", SOCK_STREAM);
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
    int client = client_of(world, "127.0.0.1", SOCK_STREAM);
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
    struct linger reset = {.l_onoff = 1};
    for (unsigned i = 0; i < 20; i++) {
        int client = client_of(world, "127.0.0.1", SOCK_STREAM);
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
    int client = client_of(world, "127.0.0.1", SOCK_STREAM);
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
    size_t size = write_tcp_query(query, 0), skipped = from % size;
    size_t length = 0;
    for (uint16_t id = (uint16_t)(from / size); length + size <= sizeof row; id++) {
        length += write_tcp_query(row + length, id);
    }
    length -= skipped;
    ssize_t sent =
        send(client, row + skipped, length < most ? length : most, MSG_DONTWAIT | MSG_NOSIGNAL);
    assert_true(sent > 0 || errno == EAGAIN);
    return sent > 0 ? (size_t)sent : 0;
}

static size_t row_queries(size_t octets)
{
    uint8_t query[2 + QUERY_MAX];
    return octets / write_tcp_query(query, 0);
}

// Sends until nobody takes any more, though not all has been read: a reader that is merely slow has
// read all that there was. Returns how many octets that was.
static size_t stuff(const struct world *world, int client)
{
    size_t sent = 0;
    uint64_t full_since = now_ms();
    uint64_t until = full_since + GUARD_MS;
    while (now_ms() - full_since < 300 || total(world, DNS_COUNT_RECEIVED) >= row_queries(sent)) {
        size_t more = send_row(client, sent, SIZE_MAX);
        sent += more;
        full_since = more > 0 ? now_ms() : full_since;
        assert_true(now_ms() < until);
        sched_yield();
    }
    return sent;
}

// With little room for what is on its way.
static int narrow_client_of(struct world *world)
{
    int small = 4096;
    struct endpoint address = address_of("127.0.0.1", world->port);
    int client = socket(AF_INET, SOCK_STREAM, 0);
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
    int client = narrow_client_of(world);
    size_t sent = stuff(world, client);
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
    int client = narrow_client_of(world);
    uint16_t count = (uint16_t)row_queries(stuff(world, client));
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
    int client = narrow_client_of(world);
    stuff(world, client);
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
    int client = client_of(world, "127.0.0.1", SOCK_STREAM);
    assert_closed(client);
    assert_int_equal(total(world, DNS_COUNT_TIMED_OUT), 1);
    close(client);
}

TEST(a_query_that_takes_too_long_ends_the_connection)
{
    struct world *world = *state;
    world->conf.tcp.idle_ms = 300;
    listen_on(world, "127.0.0.1");
    int client = client_of(world, "127.0.0.1", SOCK_STREAM);
    uint8_t query[2 + QUERY_MAX] = {0xff, 0xff};
    uint64_t until = now_ms() + GUARD_MS;
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
    int client = client_of(world, "127.0.0.1", SOCK_STREAM);
    uint64_t until = now_ms() + GUARD_MS;
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
    int first = client_of(world, "127.0.0.1", SOCK_STREAM);
    int second = client_of(world, "127.0.0.1", SOCK_STREAM);
    int third = client_of(world, "127.0.0.1", SOCK_STREAM);
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
    struct endpoint address = address_of("127.0.0.1", world->port);
    int client = socket(AF_INET, SOCK_STREAM, 0);
    set_receive_guard(client);
    struct rlimit former, none;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &former), 0);
    none = former;
    none.rlim_cur = 0;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    int connected = connect(client, (const struct sockaddr *)&address.address, address.length);
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
    test_needs_descriptors(1200);
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
