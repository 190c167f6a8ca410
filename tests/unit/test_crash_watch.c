// The crash watch: what the kernel says of a server's end, and what comes of it.
#include "probes/address_message.h"
#include "probes/selfcheck.h"
#include "probes/udp_watch.h"
#include "tests/unit/http_server.h"
#include "tests/unit/own_clock.h"
#include "tests/unit/probe_fixture.h"

#include <linux/if_addr.h>
#include <linux/inet_diag.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>

static struct endpoint endpoint_of(const char *text)
{
    struct endpoint endpoint;
    char error[ERROR_MAX];
    assert_int_equal(endpoint_parse(text, true, &endpoint, error), 0);
    return endpoint;
}

// ---- Which socket it was, purely

static bool concerns(const char *gone, const char *target)
{
    struct endpoint of_gone = endpoint_of(gone);
    struct endpoint of_target = endpoint_of(target);
    return udp_watch_concerns(&of_gone, &of_target);
}

TEST(a_socket_of_the_targets_address_and_port_concerns_it)
{
    assert_true(concerns("192.0.2.53:53", "192.0.2.53:53"));
    assert_true(concerns("[2001:db8::53]:53", "[2001:db8::53]:53"));
}

TEST(another_address_or_port_does_not)
{
    assert_false(concerns("192.0.2.53:54", "192.0.2.53:53"));
    assert_false(concerns("192.0.2.54:53", "192.0.2.53:53"));
    assert_false(concerns("[2001:db8::54]:53", "[2001:db8::53]:53"));
    assert_false(concerns("192.0.2.53:53", "[2001:db8::53]:53"));
    assert_false(concerns("[2001:db8::53]:53", "192.0.2.53:53"));
}

TEST(a_wildcard_socket_concerns_every_target_of_its_family)
{
    assert_true(concerns("0.0.0.0:53", "192.0.2.53:53"));
    assert_false(concerns("0.0.0.0:53", "[2001:db8::53]:53"));
    assert_true(concerns("[::]:53", "[2001:db8::53]:53"));
    assert_true(concerns("[::]:53", "192.0.2.53:53"));
}

TEST(a_mapped_address_is_an_ipv4_one)
{
    assert_true(concerns("[::ffff:192.0.2.53]:53", "192.0.2.53:53"));
    assert_false(concerns("[::ffff:192.0.2.54]:53", "192.0.2.53:53"));
    assert_false(concerns("[::ffff:192.0.2.53]:53", "[2001:db8::53]:53"));
}

struct notification {
    struct nlmsghdr header;
    struct inet_diag_msg body;
};

static struct notification notification_of(uint8_t family, uint16_t port)
{
    struct notification notification = {
        .header = {.nlmsg_len = sizeof notification, .nlmsg_type = SOCK_DIAG_BY_FAMILY},
        .body = {.idiag_family = family, .id.idiag_sport = htons(port)},
    };
    return notification;
}

TEST(a_notification_tells_the_sockets_address)
{
    char text[ENDPOINT_TEXT_MAX];
    struct endpoint gone;
    struct notification v4 = notification_of(AF_INET, 53);
    inet_pton(AF_INET, "192.0.2.53", v4.body.id.idiag_src);
    assert_true(udp_watch_parse(&v4.header, &gone));
    assert_string_equal(endpoint_text(&gone, text), "192.0.2.53:53");
    struct notification v6 = notification_of(AF_INET6, 5353);
    inet_pton(AF_INET6, "2001:db8::53", v6.body.id.idiag_src);
    assert_true(udp_watch_parse(&v6.header, &gone));
    assert_string_equal(endpoint_text(&gone, text), "[2001:db8::53]:5353");
}

TEST(what_is_no_notification_is_skipped)
{
    struct endpoint gone;
    struct notification notification = notification_of(AF_UNIX, 53);
    assert_false(udp_watch_parse(&notification.header, &gone));
    notification = notification_of(AF_INET, 53);
    notification.header.nlmsg_len--;
    assert_false(udp_watch_parse(&notification.header, &gone));
    notification = notification_of(AF_INET, 53);
    notification.header.nlmsg_type = NLMSG_ERROR;
    assert_false(udp_watch_parse(&notification.header, &gone));
}

// ---- Which address it was, purely

struct address_message {
    struct nlmsghdr header;
    struct ifaddrmsg body;
    unsigned char attributes[128];
};

static struct address_message address_message(uint16_t type, uint8_t family, uint8_t flags)
{
    struct address_message message = {
        .header = {.nlmsg_len = NLMSG_LENGTH(sizeof message.body), .nlmsg_type = type},
        .body = {.ifa_family = family, .ifa_flags = flags},
    };
    return message;
}

static void add_attribute(struct address_message *message, uint16_t type, const char *address)
{
    unsigned char bytes[16];
    bool v6 = message->body.ifa_family == AF_INET6;
    size_t size = v6 ? 16 : 4;
    assert_int_equal(inet_pton(message->body.ifa_family, address, bytes), 1);
    struct rtattr attribute = {.rta_len = (unsigned short)RTA_LENGTH(size), .rta_type = type};
    unsigned char *at = (unsigned char *)message + message->header.nlmsg_len;
    memcpy(at, &attribute, sizeof attribute);
    memcpy(at + RTA_LENGTH(0), bytes, size);
    message->header.nlmsg_len += RTA_SPACE(size);
}

static enum address_state state_of(const struct address_message *message, const char *text)
{
    struct endpoint address;
    char error[ERROR_MAX];
    assert_int_equal(endpoint_parse(text, false, &address, error), 0);
    return address_in_message(&message->header, &address);
}

TEST(an_address_is_ready_missing_tentative_or_failed)
{
    struct address_message message = address_message(RTM_NEWADDR, AF_INET6, 0);
    add_attribute(&message, IFA_ADDRESS, "2001:db8::53");
    assert_int_equal(state_of(&message, "2001:db8::53"), ADDRESS_READY);
    assert_int_equal(state_of(&message, "2001:db8::54"), ADDRESS_MISSING);
    assert_int_equal(state_of(&message, "192.0.2.53"), ADDRESS_MISSING);
    message.body.ifa_flags = IFA_F_TENTATIVE | IFA_F_PERMANENT;
    assert_int_equal(state_of(&message, "2001:db8::53"), ADDRESS_TENTATIVE);
    message.body.ifa_flags = IFA_F_TENTATIVE | IFA_F_OPTIMISTIC; // RFC 4429: in use already
    assert_int_equal(state_of(&message, "2001:db8::53"), ADDRESS_READY);
    message.body.ifa_flags = IFA_F_TENTATIVE | IFA_F_DADFAILED;
    assert_int_equal(state_of(&message, "2001:db8::53"), ADDRESS_FAILED);
}

TEST(the_far_end_of_a_point_to_point_link_is_not_ours)
{
    struct address_message message = address_message(RTM_NEWADDR, AF_INET, 0);
    add_attribute(&message, IFA_ADDRESS, "192.0.2.2");
    add_attribute(&message, IFA_LOCAL, "192.0.2.1");
    assert_int_equal(state_of(&message, "192.0.2.1"), ADDRESS_READY);
    assert_int_equal(state_of(&message, "192.0.2.2"), ADDRESS_MISSING);
}

TEST(a_broken_address_message_is_skipped)
{
    struct address_message message = address_message(RTM_NEWADDR, AF_INET, 0);
    add_attribute(&message, IFA_LOCAL, "192.0.2.1");
    message.header.nlmsg_len -= 4;
    assert_int_equal(state_of(&message, "192.0.2.1"), ADDRESS_MISSING);
    message.header.nlmsg_len = sizeof message.header;
    assert_int_equal(state_of(&message, "192.0.2.1"), ADDRESS_MISSING);
}

// ---- A server's end, on real sockets. Probes of an interval of an hour: only the watch begins a
// check.

struct world {
    struct fixture fixture;
    struct endpoint bound;
    int server;
};

static struct world world;

static int socket_at(int type, const char *address)
{
    struct endpoint any = endpoint_of(strchr(address, ':') != NULL ? "[::1]:1" : "127.0.0.1:1");
    char error[ERROR_MAX];
    int fd = socket(any.address.ss_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_true(fd >= 0);
    assert_int_equal(endpoint_parse(address, false, &any, error), 0);
    if (world.bound.length == 0) {
        world.bound = any;
    }
    int on = 1;
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on), 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&world.bound.address, world.bound.length), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&world.bound.address, &world.bound.length),
                     0);
    return fd;
}

static void begin(const char *type, const char *address, int kind)
{
    struct fixture *fixture = &world.fixture;
    char text[ENDPOINT_TEXT_MAX];
    world.bound.length = 0;
    world.server = socket_at(kind, address);
    fixture_open(fixture, type);
    fixture_set(fixture, "watch", "auto");
    fixture_set(fixture, "interval", "1h");
    fixture_set(fixture, "target", endpoint_text(&world.bound, text));
}

static void run(size_t verdicts)
{
    const struct probe_conf *conf = &world.fixture.conf;
    if (world.fixture.scheduler == NULL) {
        world.fixture.scheduler =
            scheduler_new(&world.fixture.loop, fixture_on_verdict, &world.fixture);
        assert_int_equal(scheduler_apply(world.fixture.scheduler, &conf, 1), 0);
    }
    world.fixture.wanted = verdicts;
    guard_awaits(verdicts > 1 ? "the verdict of a check that only the watch begins"
                              : "the first verdict");
    if (world.fixture.count < verdicts) {
        uv_run(&world.fixture.loop, UV_RUN_DEFAULT);
    }
}

static const char *watch_now(void)
{
    static char text[WATCH_TEXT_MAX];
    return scheduler_watch_text(world.fixture.scheduler, 0, text);
}

static void run_until_watch_says(const char *text)
{
    guard_awaits("the watch to have begun");
    while (strcmp(watch_now(), text) != 0) {
        uv_run(&world.fixture.loop, UV_RUN_ONCE);
    }
}

static void end(void)
{
    scheduler_close(world.fixture.scheduler, NULL, NULL);
    fixture_close(&world.fixture);
    world.fixture.scheduler = NULL;
}

// Answers the query that has come with REFUSED, which is expected here.
static void answer_query(uv_poll_t *poll, int status, int events)
{
    uint8_t message[512];
    struct sockaddr_storage from;
    socklen_t from_length = sizeof from;
    (void)status;
    (void)events;
    int fd = *(int *)poll->data;
    ssize_t length =
        recvfrom(fd, message, sizeof message, 0, (struct sockaddr *)&from, &from_length);
    if (length > 12) {
        message[2] |= 0x80;
        message[3] = 5;
        message[11] = 0; // no OPT record
        (void)sendto(fd, message, (size_t)length - 11, 0, (struct sockaddr *)&from, from_length);
    }
}

static void serve(uv_poll_t *poll)
{
    uv_poll_init(&world.fixture.loop, poll, world.server);
    poll->data = &world.server;
    uv_poll_start(poll, UV_READABLE, answer_query);
}

static void begin_dns(const char *address)
{
    begin("dns", address, SOCK_DGRAM);
    fixture_set(&world.fixture, "qname", "www.example.net");
    fixture_set(&world.fixture, "rcode", "REFUSED");
}

static void a_udp_server_that_ends(const char *address)
{
    uv_poll_t poll;
    begin_dns(address);
    serve(&poll);
    run(1);
    assert_verdict(&world.fixture.verdicts[0], VERDICT_PASS, "ok", "REFUSED");
    run_until_watch_says("kernel notifications");
    uv_close((uv_handle_t *)&poll, NULL);
    close(world.server);
    run(2);
    assert_verdict(&world.fixture.verdicts[1], VERDICT_FAIL, "refused", "port unreachable");
    assert_true(world.fixture.verdicts[1].definitive);
    end();
}

TEST(a_udp_server_that_ends_is_noticed_and_refusal_is_definitive)
{
    a_udp_server_that_ends("127.0.0.1");
}

TEST(the_same_over_ipv6)
{
    a_udp_server_that_ends("::1");
}

TEST(of_a_udp_server_on_another_host_the_kernel_tells_nothing)
{
    static const char *const others[] = {"192.0.2.53", "2001:db8::53"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        begin_dns("127.0.0.1");
        fixture_target(&world.fixture, others[i], 53);
        fixture_set(&world.fixture, "timeout", "50ms");
        run(1);
        assert_string_equal(watch_now(), "not available: the target is not on this host");
        close(world.server);
        end();
    }
}

// Workers on one port: the kernel hands each query to one of them.
TEST(one_worker_of_several_costs_one_check_that_passes)
{
    uv_poll_t poll;
    begin_dns("127.0.0.1");
    run(0);
    int worker = world.server;
    serve(&poll);
    run(1);
    run_until_watch_says("kernel notifications");
    int other = socket_at(SOCK_DGRAM, "127.0.0.1");
    close(other);
    run(2);
    assert_int_equal(world.fixture.verdicts[1].kind, VERDICT_PASS);
    uv_close((uv_handle_t *)&poll, NULL);
    close(worker);
    run(3);
    assert_true(world.fixture.verdicts[2].definitive);
    end();
}

TEST(sockets_of_other_ports_begin_no_check)
{
    uv_poll_t poll;
    begin_dns("127.0.0.1");
    serve(&poll);
    run(1);
    run_until_watch_says("kernel notifications");
    struct endpoint of_server = world.bound;
    for (int i = 0; i < 50; i++) {
        world.bound.length = 0;
        close(socket_at(SOCK_DGRAM, "127.0.0.1"));
    }
    world.bound = of_server;
    uv_close((uv_handle_t *)&poll, NULL);
    close(world.server);
    run(2); // the kernel tells in order: the others came before
    assert_true(world.fixture.verdicts[1].definitive);
    end();
}

// A netlink socket that is told the same as the watch's, with more room.
static int open_witness(void)
{
    struct sockaddr_nl local = {.nl_family = AF_NETLINK};
    unsigned group = SKNLGRP_INET_UDP_DESTROY;
    int room = 1 << 24;
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    assert_true(fd >= 0);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room); // else it reads in time
    assert_int_equal(bind(fd, (const struct sockaddr *)&local, sizeof local), 0);
    assert_int_equal(setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group), 0);
    return fd;
}

// Waits till the kernel has told of so many sockets' end at that address.
static void wait_for_ends(int witness, const struct endpoint *address, size_t count)
{
    _Alignas(struct nlmsghdr) char message[4096];
    char wanted[ENDPOINT_TEXT_MAX], text[ENDPOINT_TEXT_MAX];
    struct endpoint gone;
    guard_awaits("the kernel to tell of a socket's end");
    endpoint_text(address, wanted);
    while (count > 0) {
        assert_true(recv(witness, message, sizeof message, 0) > 0);
        count -= udp_watch_parse((const struct nlmsghdr *)message, &gone) &&
                 strcmp(endpoint_text(&gone, text), wanted) == 0;
    }
}

// Sockets of the server's port go at another address, more than the kernel keeps word of, and then
// the server: what was lost may have been any of them.
TEST(a_server_whose_end_was_lost_among_others_is_noticed)
{
    uv_poll_t poll;
    begin_dns("127.0.0.1");
    serve(&poll);
    run(1);
    run_until_watch_says("kernel notifications");
    struct endpoint other = world.bound;
    ((struct sockaddr_in *)&other.address)->sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1);
    int witness = open_witness();
    for (int i = 0; i < 2000; i++) {
        int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        assert_int_equal(bind(fd, (struct sockaddr *)&other.address, other.length), 0);
        close(fd);
        wait_for_ends(witness, &other, 1);
    }
    uv_close((uv_handle_t *)&poll, NULL);
    close(world.server);
    wait_for_ends(witness, &world.bound, 1);
    close(witness);
    run(2);
    assert_verdict(&world.fixture.verdicts[1], VERDICT_FAIL, "refused", "port unreachable");
    assert_true(world.fixture.verdicts[1].definitive);
    end();
}

// The first netlink socket of a process has its pid for its address.
static bool forge(const struct notification *notification)
{
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK, .nl_pid = (uint32_t)getpid()};
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    assert_true(fd >= 0);
    ssize_t sent = sendto(fd, notification, sizeof *notification, 0,
                          (const struct sockaddr *)&kernel, sizeof kernel);
    close(fd);
    return sent > 0;
}

TEST(a_notification_that_is_not_the_kernels_is_not_believed)
{
    uv_poll_t poll;
    begin_dns("127.0.0.1");
    serve(&poll);
    run(1);
    run_until_watch_says("kernel notifications");
    struct notification gone =
        notification_of(AF_INET, ntohs(((struct sockaddr_in *)&world.bound.address)->sin_port));
    inet_pton(AF_INET, "127.0.0.1", gone.body.id.idiag_src);
    bool forged = forge(&gone);
    for (int turn = 0; turn < 20; turn++) {
        uv_run(&world.fixture.loop, UV_RUN_NOWAIT);
    }
    size_t checks = world.fixture.count;
    uv_close((uv_handle_t *)&poll, NULL);
    close(world.server);
    end();
    if (!forged) {
        skip(); // that takes privilege
    }
    assert_int_equal(checks, 1);
}

TEST(with_watch_off_nothing_is_watched)
{
    uv_poll_t poll;
    begin_dns("127.0.0.1");
    fixture_set(&world.fixture, "watch", "off");
    serve(&poll);
    run(1);
    assert_string_equal(watch_now(), "off");
    uv_close((uv_handle_t *)&poll, NULL);
    close(world.server);
    end();
}

TEST(a_watch_that_cannot_be_had_says_why_and_polling_goes_on)
{
    begin_dns("127.0.0.1");
    fixture_set(&world.fixture, "interval", "10ms");
    const struct probe_conf *conf = &world.fixture.conf;
    world.fixture.scheduler =
        scheduler_new(&world.fixture.loop, fixture_on_verdict, &world.fixture);
    (void)uv_run(&world.fixture.loop, UV_RUN_NOWAIT);
    struct rlimit before = take_descriptors();
    assert_int_equal(scheduler_apply(world.fixture.scheduler, &conf, 1), 0);
    give_descriptors_back(before);
    assert_non_null(strstr(watch_now(), "not available: netlink socket"));
    assert_non_null(strstr(watch_now(), "too many open files"));
    close(world.server);
    run(3);
    assert_verdict(&world.fixture.verdicts[2], VERDICT_FAIL, "refused", "nothing listens");
    assert_false(world.fixture.verdicts[2].definitive);
    end();
}

// ---- The held connection

static int accept_one(void)
{
    int fd = -1;
    guard_awaits("a connection of the probe or of its watch");
    while (fd < 0) {
        uv_run(&world.fixture.loop, UV_RUN_NOWAIT);
        fd = accept4(world.server, NULL, NULL, SOCK_CLOEXEC);
    }
    return fd;
}

static void begin_tcp(const char *address)
{
    begin("tcp", address, SOCK_STREAM);
    assert_int_equal(listen(world.server, 16), 0);
}

static void a_tcp_server_that_ends(const char *address)
{
    begin_tcp(address);
    run(1);
    assert_int_equal(world.fixture.verdicts[0].kind, VERDICT_PASS);
    close(accept_one()); // the check's
    int held = accept_one();
    run_until_watch_says("tcp connection held");
    close(world.server);
    close(held);
    run(2);
    assert_verdict(&world.fixture.verdicts[1], VERDICT_FAIL, "refused", "nothing listens");
    assert_true(world.fixture.verdicts[1].definitive);
    assert_string_equal(watch_now(), "not available: no tcp connection while the probe fails; held "
                                     "again once it passes");
    end();
}

TEST(a_tcp_server_that_ends_is_noticed_and_refusal_is_definitive)
{
    a_tcp_server_that_ends("127.0.0.1");
    a_tcp_server_that_ends("::1");
}

static const char *answer_ok(const char *request)
{
    (void)request;
    return "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
}

static void a_server_that_only_the_url_names(const char *address)
{
    struct fixture *fixture = &world.fixture;
    struct http_server server;
    fixture_open(fixture, "http");
    http_server_open(&server, &fixture->loop, address);
    server.answer = answer_ok;
    fixture_set(fixture, "watch", "auto");
    fixture_set(fixture, "interval", "1h");
    fixture_set(fixture, "url", server.url);
    run(1);
    assert_verdict(&fixture->verdicts[0], VERDICT_PASS, "ok", "200");
    while (server.accepted < 2 || strcmp(watch_now(), "tcp connection held") != 0) {
        uv_run(&fixture->loop, UV_RUN_ONCE);
    }
    http_server_close(&server);
    run(2);
    assert_verdict(&fixture->verdicts[1], VERDICT_FAIL, "refused", "nothing listens");
    assert_true(fixture->verdicts[1].definitive);
    end();
}

TEST(an_address_in_the_url_is_watched_without_a_target)
{
    a_server_that_only_the_url_names("127.0.0.1");
    a_server_that_only_the_url_names("::1");
}

// What the watch of a token probe with these URLs says before its first check.
static void assert_token_watch(const char *key, const char *url, const char *watch)
{
    struct fixture *fixture = &world.fixture;
    fixture_open(fixture, "token");
    fixture_set(fixture, "watch", "auto");
    fixture_set(fixture, "jwks_url", "http://127.0.0.1:1/keys");
    fixture_set(fixture, key, url);
    run(0);
    assert_string_equal(watch_now(), watch);
    end();
}

TEST(a_token_is_watched_where_a_refusal_would_be_a_failure)
{
    static const char later[] = "not available: no tcp connection before the first pass";
    assert_token_watch("token_url", "http://127.0.0.1:1/token", later);
    assert_token_watch("introspection_url", "http://127.0.0.1:1/introspect", later);
    assert_token_watch("protected_url", "http://127.0.0.1:1/", later);
    assert_token_watch("target", "127.0.0.1:1", later);
    assert_token_watch("token_file", "/t", "not available: the probe has no target");
}

TEST(a_server_that_ends_idle_connections_costs_one_check_and_nothing_else)
{
    begin_tcp("127.0.0.1");
    run(1);
    close(accept_one());
    int held = accept_one();
    run_until_watch_says("tcp connection held");
    close(held);
    run(2);
    assert_int_equal(world.fixture.verdicts[1].kind, VERDICT_PASS);
    close(accept_one());
    // No connection is held again before the pause is over.
    assert_non_null(strstr(watch_now(), "the server ended the idle tcp connection"));
    for (int i = 0; i < 20; i++) {
        uv_run(&world.fixture.loop, UV_RUN_NOWAIT);
    }
    assert_int_equal(accept(world.server, NULL, NULL), -1);
    assert_int_equal(world.fixture.count, 2);
    close(world.server);
    end();
}

TEST(greetings_on_the_held_connection_are_no_event)
{
    begin_tcp("127.0.0.1");
    run(1);
    close(accept_one());
    int held = accept_one();
    assert_int_equal(send(held, "220 ready\r\n", 11, 0), 11);
    run_until_watch_says("tcp connection held");
    for (int i = 0; i < 20; i++) {
        uv_run(&world.fixture.loop, UV_RUN_NOWAIT);
    }
    assert_string_equal(watch_now(), "tcp connection held");
    assert_int_equal(world.fixture.count, 1);
    close(held);
    close(world.server);
    end();
}

TEST(a_server_that_never_stops_talking_is_let_go)
{
    static const char noise[65536] = "";
    begin_tcp("127.0.0.1");
    run(1);
    close(accept_one());
    int held = accept_one();
    guard_awaits("the watch to let go");
    while (strstr(watch_now(), "sends unasked") == NULL) {
        (void)send(held, noise, sizeof noise, MSG_DONTWAIT | MSG_NOSIGNAL);
        uv_run(&world.fixture.loop, UV_RUN_NOWAIT);
    }
    assert_int_equal(world.fixture.count, 1);
    close(held);
    close(world.server);
    end();
}

// ---- The prober itself

TEST(a_well_prober_reaches_itself)
{
    struct selfcheck selfcheck;
    selfcheck_open(&selfcheck);
    assert_null(selfcheck_run(&selfcheck, 1));
    assert_null(selfcheck_run(&selfcheck, UINT64_C(1000000000)));
    selfcheck_close(&selfcheck);
}

TEST(a_prober_without_descriptors_is_sick_until_it_has_some)
{
    struct selfcheck selfcheck;
    selfcheck_open(&selfcheck);
    struct rlimit before = take_descriptors();
    assert_null(selfcheck_known(&selfcheck, 1)); // nobody has looked yet
    const char *why = selfcheck_run(&selfcheck, 1);
    give_descriptors_back(before);
    assert_non_null(why);
    assert_non_null(selfcheck_known(&selfcheck, 2));
    assert_non_null(strstr(why, "make a TCP socket over the loopback: Too many open files"));
    assert_non_null(selfcheck_run(&selfcheck, 2)); // still the former answer
    assert_null(selfcheck_known(&selfcheck, UINT64_C(1000000000)));
    assert_null(selfcheck_run(&selfcheck, UINT64_C(1000000001)));
    selfcheck_close(&selfcheck);
}

TEST(a_check_that_never_worked_is_not_believed)
{
    struct selfcheck selfcheck;
    struct rlimit before = take_descriptors();
    selfcheck_open(&selfcheck);
    const char *why = selfcheck_run(&selfcheck, 1);
    give_descriptors_back(before);
    assert_null(why);
    assert_true(selfcheck.sick);
    selfcheck_close(&selfcheck);
}
