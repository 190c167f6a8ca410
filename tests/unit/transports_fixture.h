// The responder's sockets and threads on loopback, as its tests of UDP, of TCP and of its life see
// them: what is asked is id.server (CH TXT) with NSID, and the answer must be whole.
#pragma once

#include "dns/responder/responder.h"
#include "dns/text.h"
#include "tests/test.h"
#include "tests/unit/free_port.h"

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
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define GUARD_MS     30000 // an upper bound for something broken, never waited for
#define LISTEN_MAX   4
#define QUERY_MAX    64
#define NEVER_MS     3600000
#define UNPRIVILEGED 65534
#define BEFORE       "before"

struct world {
    struct responder *responder;
    struct endpoint listen[LISTEN_MAX];
    struct responder_conf conf;
    char error[256];
    uint16_t port;
};

static inline uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

// ---- The world

static inline struct dns_snapshot *make_snapshot(const char *id)
{
    struct zone_conf conf = {.id = id, .region = ""};
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

static inline int begin(void **state)
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

static inline int end(void **state)
{
    struct world *world = *state;
    responder_free(world->responder);
    return 0;
}

static inline void want(struct world *world, const char *host)
{
    world->listen[world->conf.listen_count++] = address_of(host, world->port);
}

static inline void listen_now(struct world *world)
{
    if (responder_listen(world->responder, &world->conf, world->error) != 0) {
        fail_msg("%s", world->error);
    }
}

static inline void listen_on(struct world *world, const char *host)
{
    want(world, host);
    listen_now(world);
}

static inline uint64_t total(const struct world *world, enum dns_count count)
{
    struct dns_totals totals;
    uint64_t sum = 0;
    responder_totals(world->responder, &totals);
    for (size_t i = 0; i < DNS_CHANNELS; i++) {
        sum += totals.counts[i][count];
    }
    return sum;
}

#define WAIT_FOR(condition)                                                                        \
    for (const uint64_t until = now_ms() + GUARD_MS; !(condition); sched_yield()) {                \
        assert_true(now_ms() < until);                                                             \
    }

// ---- Queries and answers

static inline size_t write_query(uint8_t out[QUERY_MAX], uint16_t id)
{
    struct dns_question question = {.type = DNS_TXT, .class = DNS_CLASS_CH};
    assert_null(dns_name_parse("id.server", &question.name));
    struct dns_edns edns = {.udp_size = 1232};
    struct dns_writer writer;
    dns_write_begin(&writer, out, QUERY_MAX, id, 0);
    dns_write_question(&writer, &question);
    dns_opt_begin(&writer, &edns);
    dns_write_option(&writer, DNS_OPTION_NSID, NULL, 0);
    dns_record_end(&writer);
    size_t length = dns_write_end(&writer);
    assert_true(length > 0);
    return length;
}

struct reply {
    uint16_t id;
    bool truncated;
    char text[64], nsid[64]; // "" if it has none
};

static inline struct reply read_reply(const uint8_t *bytes, size_t length)
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
    unsigned records =
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

static inline bool is_ready(int socket, short events)
{
    struct pollfd one = {.fd = socket, .events = events};
    return poll(&one, 1, 0) == 1;
}

static inline void set_receive_guard(int socket)
{
    struct timeval guard = {.tv_sec = GUARD_MS / 1000};
    assert_int_equal(setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &guard, sizeof guard), 0);
}

// Connected, so that only what comes from just that address is received.
static inline int client_of(struct world *world, const char *host, int type)
{
    struct endpoint address = address_of(host, world->port);
    int client = socket(address.address.ss_family, type, 0);
    assert_true(client >= 0);
    set_receive_guard(client);
    assert_int_equal(connect(client, (const struct sockaddr *)&address.address, address.length), 0);
    return client;
}

static inline void send_query(int client, uint16_t id)
{
    uint8_t query[QUERY_MAX];
    size_t length = write_query(query, id);
    assert_int_equal(send(client, query, length, 0), length);
}

static inline struct reply receive_reply(int client)
{
    uint8_t bytes[2048];
    ssize_t length = recv(client, bytes, sizeof bytes, 0);
    assert_true(length > 0);
    return read_reply(bytes, (size_t)length);
}

static inline void assert_answered(int client, uint16_t id, const char *text)
{
    struct reply reply = receive_reply(client);
    assert_int_equal(reply.id, id);
    assert_string_equal(reply.text, text);
    assert_string_equal(reply.nsid, text);
}

static inline void assert_udp_works(struct world *world, const char *host)
{
    int client = client_of(world, host, SOCK_DGRAM);
    send_query(client, 7);
    assert_answered(client, 7, BEFORE);
    close(client);
}

// With its length before it.
static inline size_t write_tcp_query(uint8_t out[2 + QUERY_MAX], uint16_t id)
{
    size_t length = write_query(out + 2, id);
    out[0] = (uint8_t)(length >> 8);
    out[1] = (uint8_t)length;
    return 2 + length;
}

static inline void send_tcp_query(int client, uint16_t id)
{
    uint8_t query[2 + QUERY_MAX];
    size_t length = write_tcp_query(query, id);
    assert_int_equal(send(client, query, length, MSG_NOSIGNAL), length);
}

static inline void receive_whole(int client, uint8_t *out, size_t length)
{
    assert_int_equal(recv(client, out, length, MSG_WAITALL), length);
}

static inline struct reply receive_tcp_reply(int client)
{
    uint8_t prefix[2], bytes[2048];
    receive_whole(client, prefix, 2);
    size_t length = (size_t)(prefix[0] << 8 | prefix[1]);
    assert_true(length <= sizeof bytes);
    receive_whole(client, bytes, length);
    return read_reply(bytes, length);
}

static inline void assert_tcp_answered(int client, uint16_t id)
{
    struct reply reply = receive_tcp_reply(client);
    assert_int_equal(reply.id, id);
    assert_string_equal(reply.text, BEFORE);
}

static inline void assert_tcp_works(struct world *world, const char *host)
{
    int client = client_of(world, host, SOCK_STREAM);
    send_tcp_query(client, 8);
    assert_tcp_answered(client, 8);
    close(client);
}

// With or without a reset.
static inline void assert_closed(int client)
{
    uint8_t byte;
    ssize_t got = recv(client, &byte, 1, 0);
    assert_true(got == 0 || (got < 0 && errno == ECONNRESET));
}

// ---- Reload

#define FLOCK 64
