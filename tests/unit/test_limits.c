// Who gets no answer from the responder, or not all that he asks for: by what address he has, by
// what address he asked, and whether he has shown that the address is his.
//
// This program's recvmmsg() and accept4() come before the C library's, and tell the responder's
// threads of addresses that no test could have on loopback.

#include "dns/responder/tcp.h"
#include "dns/responder/udp.h"
#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define GUARD_MS    30000 // an upper bound for something broken, never waited for
#define QUERY_MAX   128
#define MANY        50
#define CLIENT_PART "popgate!"
#define ID          "fra1"

// ---- What the kernel says, or would

static _Atomic(const char *) asked_address; // of every datagram; NULL: as it is
static _Atomic(const char *) peer_address;  // of every TCP connection over IPv6; NULL: as it is

static void say_asked_address(struct msghdr *message, const char *address)
{
    for (struct cmsghdr *control = CMSG_FIRSTHDR(message); control != NULL;
         control = CMSG_NXTHDR(message, control)) {
        if (control->cmsg_level == IPPROTO_IP && control->cmsg_type == IP_PKTINFO) {
            struct in_pktinfo info;
            memcpy(&info, CMSG_DATA(control), sizeof info);
            inet_pton(AF_INET, address, &info.ipi_addr); // ipi_spec_dst stays our own
            memcpy(CMSG_DATA(control), &info, sizeof info);
        } else if (control->cmsg_level == IPPROTO_IPV6 && control->cmsg_type == IPV6_PKTINFO) {
            struct in6_pktinfo info;
            memcpy(&info, CMSG_DATA(control), sizeof info);
            inet_pton(AF_INET6, address, &info.ipi6_addr);
            memcpy(CMSG_DATA(control), &info, sizeof info);
        }
    }
}

int recvmmsg(int socket, struct mmsghdr *messages, unsigned count, int flags,
             struct timespec *timeout)
{
    int received = (int)syscall(SYS_recvmmsg, socket, messages, count, flags, timeout);
    const char *address = asked_address;
    for (int i = 0; i < received && address != NULL; i++) {
        say_asked_address(&messages[i].msg_hdr, address);
    }
    return received;
}

// The C library's own declaration of it is none that ISO C could define.
int accept_as(int socket, struct sockaddr *peer, socklen_t *length, int flags) __asm__("accept4");
int accept_as(int socket, struct sockaddr *peer, socklen_t *length, int flags)
{
    int accepted = (int)syscall(SYS_accept4, socket, peer, length, flags);
    const char *address = peer_address;
    if (accepted >= 0 && address != NULL && peer->sa_family == AF_INET6) {
        inet_pton(AF_INET6, address, &((struct sockaddr_in6 *)peer)->sin6_addr);
    }
    return accepted;
}

// ---- The world: one UDP socket's thread, or that of TCP

struct world {
    struct publisher *publisher;
    struct rrl *rrl;
    struct udp_worker *udp;
    struct tcp_server *tcp;
    struct cookie_secrets secrets;
    struct sockaddr_storage address; // to ask
    socklen_t length;
    int client;
};

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

#define WAIT_FOR(condition)                                                                        \
    for (const uint64_t until = now_ms() + GUARD_MS; !(condition); sched_yield()) {                \
        assert_true(now_ms() < until);                                                             \
    }

static int begin(void **state)
{
    static struct world world;
    struct zone_conf conf = {.id = ID, .region = ""};
    struct zone *zone = zone_new(&conf);
    assert_non_null(zone);
    struct dns_snapshot *snapshot = dns_snapshot_new(zone, 0);
    assert_non_null(snapshot);
    zone_free(zone);
    world = (struct world){.publisher = publisher_new(), .rrl = rrl_new(), .client = -1};
    assert_true(world.publisher != NULL && world.rrl != NULL);
    world.secrets.count = 1;
    memcpy(world.secrets.bytes[0], "0123456789abcdef", COOKIE_SECRET_SIZE);
    snapshot->udp_size = 1232;
    snapshot->rate_limit = 1; // answers a second
    snapshot->slip = 1;       // all others are told to use TCP: nobody waits for what never comes
    snapshot->cookies = world.secrets;
    publisher_publish(world.publisher, snapshot);
    asked_address = peer_address = NULL;
    *state = &world;
    return 0;
}

static int end(void **state)
{
    struct world *world = *state;
    if (world->udp != NULL) {
        udp_worker_stop(world->udp);
        udp_worker_free(world->udp);
    }
    if (world->tcp != NULL) {
        tcp_server_stop(world->tcp);
    }
    if (world->client >= 0) {
        close(world->client);
    }
    publisher_free(world->publisher);
    rrl_free(world->rrl);
    return 0;
}

TEST_FIXTURE(begin, end);

// A socket on that address, and its port in world->address, which is loopback's if it is wildcard.
static int server_socket(struct world *world, const char *host, int type)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)&world->address;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&world->address;
    bool is_v4 = inet_pton(AF_INET, host, &v4->sin_addr) == 1;
    assert_true(is_v4 || inet_pton(AF_INET6, host, &v6->sin6_addr) == 1);
    world->address.ss_family = is_v4 ? AF_INET : AF_INET6;
    world->length = is_v4 ? sizeof *v4 : sizeof *v6;
    int server = socket(world->address.ss_family, type, 0);
    assert_true(server >= 0);
    assert_int_equal(bind(server, (struct sockaddr *)&world->address, world->length), 0);
    assert_int_equal(getsockname(server, (struct sockaddr *)&world->address, &world->length), 0);
    if (is_v4) {
        v4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    } else {
        v6->sin6_addr = in6addr_loopback;
    }
    return server;
}

// From another address than the server's, where there are two on loopback.
static int client_of(const struct world *world, int type)
{
    struct sockaddr_in other = {.sin_family = AF_INET,
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1)};
    struct timeval guard = {.tv_sec = GUARD_MS / 1000};
    int client = socket(world->address.ss_family, type, 0);
    assert_true(client >= 0);
    if (world->address.ss_family == AF_INET) {
        assert_int_equal(bind(client, (const struct sockaddr *)&other, sizeof other), 0);
    }
    assert_int_equal(setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &guard, sizeof guard), 0);
    assert_int_equal(connect(client, (const struct sockaddr *)&world->address, world->length), 0);
    return client;
}

static void listen_udp(struct world *world, const char *host)
{
    bool wildcard = strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0;
    int server = server_socket(world, host, SOCK_DGRAM);
    world->udp = udp_worker_start(server, wildcard, false, world->publisher, world->rrl);
    assert_non_null(world->udp);
    world->client = client_of(world, SOCK_DGRAM);
}

static uint64_t udp_count(const struct world *world, enum dns_count count)
{
    return udp_worker_counters(world->udp)->counts[count];
}

// ---- Queries for id.server, and answers

// cookie: its octets, or NULL.
static void ask(const struct world *world, const uint8_t *cookie, size_t length)
{
    uint8_t query[QUERY_MAX];
    struct dns_question question = {.type = DNS_TXT, .class = DNS_CLASS_CH};
    struct dns_edns edns = {.udp_size = 1232};
    struct dns_writer writer;
    assert_null(dns_name_parse("id.server", &question.name));
    dns_write_begin(&writer, query, sizeof query, 7, 0);
    dns_write_question(&writer, &question);
    dns_opt_begin(&writer, &edns);
    if (cookie != NULL) {
        dns_write_option(&writer, DNS_OPTION_COOKIE, cookie, length);
    }
    dns_record_end(&writer);
    size_t size = dns_write_end(&writer);
    assert_int_equal(send(world->client, query, size, 0), size);
}

// Receives an answer; returns whether it is whole, and not only an advice to use TCP.
static bool is_answered(const struct world *world)
{
    uint8_t bytes[2048];
    ssize_t length = recv(world->client, bytes, sizeof bytes, 0);
    assert_true(length > 0);
    struct dns_reader reader = {.message = bytes, .end = (size_t)length};
    struct dns_header header;
    assert_true(dns_read_header(&reader, &header));
    assert_int_equal(header.id, 7);
    assert_int_equal(header.flags & DNS_TC ? 0 : 1, header.counts[DNS_ANSWER]);
    return !(header.flags & DNS_TC);
}

static unsigned answers_of(const struct world *world, unsigned queries, const uint8_t *cookie,
                           size_t length)
{
    unsigned answered = 0;
    for (unsigned i = 0; i < queries; i++) {
        ask(world, cookie, length);
    }
    for (unsigned i = 0; i < queries; i++) {
        answered += is_answered(world);
    }
    return answered;
}

// The client's cookie with a server's part of that secret.
static void make_cookie(const struct world *world, const struct cookie_secrets *secrets,
                        uint8_t out[COOKIE_SIZE])
{
    struct sockaddr_storage ours;
    socklen_t length = sizeof ours;
    assert_int_equal(getsockname(world->client, (struct sockaddr *)&ours, &length), 0);
    cookie_make(secrets, (struct sockaddr *)&ours, (uint32_t)time(NULL),
                (const uint8_t *)CLIENT_PART, out);
}

TEST(whoever_has_a_good_cookie_is_not_limited_and_costs_the_others_nothing)
{
    struct world *world = *state;
    uint8_t cookie[COOKIE_SIZE];
    listen_udp(world, "127.0.0.1");
    make_cookie(world, &world->secrets, cookie);
    assert_int_equal(answers_of(world, MANY, cookie, sizeof cookie), MANY);
    assert_int_equal(udp_count(world, DNS_COUNT_COOKIE_GOOD), MANY);
    assert_int_equal(udp_count(world, DNS_COUNT_SLIPPED), 0);
    assert_int_equal(answers_of(world, 1, NULL, 0), 1);
    assert_true(answers_of(world, MANY, NULL, 0) < MANY);
}

TEST(whoever_only_asks_for_a_cookie_is_limited)
{
    struct world *world = *state;
    listen_udp(world, "127.0.0.1");
    assert_true(answers_of(world, MANY, (const uint8_t *)CLIENT_PART, COOKIE_CLIENT_SIZE) < MANY);
}

TEST(whoever_guesses_a_cookie_is_limited)
{
    struct world *world = *state;
    struct cookie_secrets guessed = {.count = 1, .bytes = {"fedcba9876543210"}};
    uint8_t cookie[COOKIE_SIZE];
    listen_udp(world, "127.0.0.1");
    make_cookie(world, &guessed, cookie);
    assert_true(answers_of(world, MANY, cookie, sizeof cookie) < MANY);
    assert_int_equal(udp_count(world, DNS_COUNT_COOKIE_BAD), MANY);
}

TEST(who_asks_from_the_address_that_he_asks_is_never_limited)
{
    static const char *const places[] = {"127.0.0.1", "::1", "0.0.0.0", "::"};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        struct world *world = *state;
        listen_udp(world, places[i]);
        if (world->address.ss_family == AF_INET) {
            assert_true(answers_of(world, MANY, NULL, 0) < MANY); // a neighbour is
            close(world->client);
            world->client = socket(AF_INET, SOCK_DGRAM, 0);
            assert_int_equal(
                connect(world->client, (struct sockaddr *)&world->address, world->length), 0);
        }
        assert_int_equal(answers_of(world, MANY, NULL, 0), MANY);
        end(state);
        begin(state);
    }
}

TEST(what_was_sent_to_a_multicast_address_is_ignored)
{
    static const struct {
        const char *listen, *asked, *ours;
    } table[] = {{"0.0.0.0", "224.0.0.251", "127.0.0.1"}, {"::", "ff02::fb", "::1"}};
    for (size_t i = 0; i < 2; i++) {
        struct world *world = *state;
        listen_udp(world, table[i].listen);
        asked_address = table[i].asked;
        ask(world, NULL, 0);
        WAIT_FOR(udp_count(world, DNS_COUNT_RECEIVED) == 1);
        asked_address = table[i].ours;
        assert_int_equal(answers_of(world, 1, NULL, 0), 1);
        assert_int_equal(udp_count(world, DNS_COUNT_IGNORED), 1);
        end(state);
        begin(state);
    }
}

static uint64_t tcp_count(const struct world *world, enum dns_count count)
{
    return tcp_server_counters(world->tcp, true)->counts[count];
}

// Connects as from that address; returns whether it was let in.
static bool is_let_in(const struct world *world, const char *from, int *client)
{
    uint64_t accepted = tcp_count(world, DNS_COUNT_ACCEPTED);
    uint64_t refused = tcp_count(world, DNS_COUNT_REFUSED);
    peer_address = from;
    *client = client_of(world, SOCK_STREAM);
    WAIT_FOR(tcp_count(world, DNS_COUNT_ACCEPTED) + tcp_count(world, DNS_COUNT_REFUSED) >
             accepted + refused);
    return tcp_count(world, DNS_COUNT_ACCEPTED) > accepted;
}

TEST(a_network_of_one_client_over_ipv6_is_one_client)
{
    struct world *world = *state;
    struct tcp_limits limits = {
        .idle_ms = 3600000, .total_ms = 3600000, .clients = 100, .clients_per_prefix = 2};
    int clients[5];
    int server = server_socket(world, "::1", SOCK_STREAM);
    assert_int_equal(listen(server, 8), 0);
    assert_int_equal(fcntl(server, F_SETFL, O_NONBLOCK), 0);
    world->tcp = tcp_server_start(&limits, world->publisher);
    assert_non_null(world->tcp);
    assert_int_equal(tcp_server_listen(world->tcp, server), 0);
    assert_true(is_let_in(world, "2001:db8:0:1::1", &clients[0]));
    assert_true(is_let_in(world, "2001:db8:0:1:ffff:ffff:ffff:ffff", &clients[1]));
    assert_false(is_let_in(world, "2001:db8:0:1:8000::", &clients[2]));
    assert_true(is_let_in(world, "2001:db8::1", &clients[3])); // the next /64 is somebody else's
    assert_true(is_let_in(world, "2001:db8:0:2::1", &clients[4]));
    for (size_t i = 0; i < 5; i++) {
        close(clients[i]);
    }
}
