// The responder's life: its end, reloads that lose nothing, and its snapshots.
#include "tests/unit/transports_fixture.h"

#define RETRY_MS 100
#define AFTER    "after"

TEST_FIXTURE(begin, end);

// ---- The end

// Lets no thread but this one run unless this one sleeps: what they are sent then waits.
static void hold_back_threads(cpu_set_t *former)
{
    struct sched_param param = {0};
    cpu_set_t one;
    CPU_ZERO(&one);
    assert_int_equal(sched_getaffinity(0, sizeof *former, former), 0);
    CPU_SET(sched_getcpu(), &one);
    DIR *tasks = opendir("/proc/self/task");
    assert_non_null(tasks);
    for (struct dirent *entry; (entry = readdir(tasks)) != NULL;) {
        pid_t task = (pid_t)strtol(entry->d_name, NULL, 10);
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
    size_t size = dns_write_end(&writer);
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
    struct dns_record_conf record = {.type = DNS_TXT, .length = sizeof rdata, .rdata = rdata};
    struct dns_answer_conf answer = {
        .name = apex, .service = SIZE_MAX, .records = &record, .record_count = 1};
    struct zone_conf conf = {.id = BEFORE,
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
    int tcp = client_of(world, "127.0.0.1", SOCK_STREAM);
    int udp = client_of(world, "127.0.0.1", SOCK_DGRAM);
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
    int client = client_of(world, host, SOCK_DGRAM);
    struct pollfd one = {.fd = client, .events = POLLIN};
    uint8_t query[QUERY_MAX], got[2048];
    bool answers = send(client, query, write_query(query, 1), 0) > 0 &&
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
    int other = bound_socket("127.0.0.3", world->port, SOCK_DGRAM);
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
    int result = responder_listen(world->responder, &world->conf, world->error);
    assert_int_equal(seteuid(0), 0);
    if (result == 0) {
        skip(); // net.ipv4.ip_unprivileged_port_start
    }
    assert_string_equal(world->error,
                        "can't listen on 127.98.76.54:53/tcp: Permission denied (needs "
                        "CAP_NET_BIND_SERVICE or systemd's socket activation)");
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
    int udp = client_of(world, "127.0.0.1", SOCK_DGRAM);
    int tcp = client_of(world, "127.0.0.1", SOCK_STREAM);
    pthread_t publisher;
    atomic_store(&over, false);
    assert_int_equal(pthread_create(&publisher, NULL, publish_on, world), 0);
    unsigned after = 0, before = 0;
    for (uint16_t i = 0; i < 2000 || !before || !after; i++) {
        send_query(udp, i);
        send_tcp_query(tcp, i);
        struct reply replies[] = {receive_reply(udp), receive_tcp_reply(tcp)};
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
    int client = client_of(world, "127.0.0.1", SOCK_DGRAM);
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
    while (readdir(descriptors) != NULL) {
        count++;
    }
    closedir(descriptors);
    return count;
}

// The thread may be anywhere in taking over its listeners when it is told to end.
TEST(whoever_ends_while_it_begins_leaves_no_descriptor)
{
    struct world *world = *state;
    struct tcp_limits limits = world->conf.tcp;
    struct publisher *publisher = publisher_new();
    assert_non_null(publisher);
    tcp_server_stop(tcp_server_start(&limits, publisher)); // libuv keeps what the first one needs
    size_t before = count_descriptors();
    for (size_t i = 0; i < 300; i++) {
        struct tcp_server *server = tcp_server_start(&limits, publisher);
        assert_non_null(server);
        for (size_t j = 0; j < 64; j++) {
            int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
            assert_int_equal(listen(listener, 1), 0);
            assert_int_equal(tcp_server_listen(server, listener), 0);
        }
        tcp_server_stop(server);
    }
    assert_int_equal(count_descriptors(), before);
    publisher_free(publisher);
}
