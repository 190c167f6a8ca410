// The responder on sockets that it has from systemd.
#include "tests/unit/transports_fixture.h"

#define IDLE_MS 300

TEST_FIXTURE(begin, end);

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
    int sockets[] = {bound_socket("127.0.0.2", world->port, SOCK_STREAM),
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
    int sockets[] = {bound_socket("127.0.0.1", world->port, SOCK_DGRAM),
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
        int udp = client_of(world, "127.0.0.1", SOCK_DGRAM);
        int tcp = client_of(world, "127.0.0.1", SOCK_STREAM);
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
    int sockets[] = {bound_socket("127.0.0.1", world->port, SOCK_DGRAM),
                     bound_socket("127.0.0.1", world->port, SOCK_STREAM)};
    want(world, "127.0.0.1");
    want(world, "127.0.0.2");
    for (unsigned i = 0; i < 2; i++) {
        inherit_copies(world, sockets, 2);
        listen_now(world);
        assert_udp_works(world, "127.0.0.1");
        assert_udp_works(world, "127.0.0.2");
    }
    uint64_t before_us = processor_us();
    poll(NULL, 0, IDLE_MS);
    assert_true(processor_us() - before_us < IDLE_MS * 1000 / 10);
    close(sockets[0]);
    close(sockets[1]);
}

TEST(an_inherited_socket_that_was_given_up_is_found_again)
{
    struct world *world = *state;
    int sockets[] = {bound_socket("127.0.0.1", world->port, SOCK_DGRAM),
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
    int client = client_of(world, "127.0.0.1", SOCK_DGRAM);
    send_query(client, 1);
    world->conf.listen_count = 1;
    listen_now(world);
    assert_answered(client, 1, BEFORE);
    close(client);
}

TEST(a_reload_that_fails_costs_no_inherited_socket)
{
    struct world *world = *state;
    int other = bound_socket("127.0.0.2", world->port, SOCK_DGRAM);
    int sockets[] = {bound_socket("127.0.0.1", world->port, SOCK_DGRAM)};
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
    int sockets[] = {bound_socket("127.0.0.1", world->port, SOCK_DGRAM)};
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
    int sockets[] = {bound_socket("127.0.0.1", world->port, SOCK_DGRAM)};
    inherit(world, sockets, 1);
    world->conf.threads = 3;
    want(world, "127.0.0.1");
    assert_int_equal(seteuid(UNPRIVILEGED), 0);
    int result = responder_listen(world->responder, &world->conf, world->error);
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
    int sockets[] = {bound_socket("::", world->port, SOCK_STREAM)};
    inherit(world, sockets, 1);
    want(world, "::");
    assert_int_equal(responder_listen(world->responder, &world->conf, world->error), -1);
    assert_non_null(strstr(world->error, "BindIPv6Only=ipv6-only"));
}
