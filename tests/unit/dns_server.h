// A DNS server on one port of the loopback, over UDP and TCP, and a probe of it.
#pragma once

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

static inline size_t answer(struct server *server, const struct dns_header *header,
                            const struct dns_question *question, uint8_t *out)
{
    struct dns_writer writer;
    uint8_t length = server->txt != NULL ? (uint8_t)strlen(server->txt) : 0;
    uint16_t flags = DNS_QR | server->reply_flags | (server->rcode & DNS_RCODE_MASK);
    dns_write_begin(&writer, out, 1024, header->id, flags);
    dns_write_question(&writer, question);
    if (server->txt != NULL) {
        dns_record_begin(&writer, DNS_ANSWER, &question->name, DNS_TXT, question->class, 0);
        dns_write_bytes(&writer, &length, 1);
        dns_write_bytes(&writer, server->txt, length);
        dns_record_end(&writer);
    }
    if (server->edns) {
        dns_opt_begin(&writer, &(struct dns_edns){.udp_size = 1232,
                                                  .rcode_high = (uint8_t)(server->rcode >> 4)});
        if (server->nsid != NULL) {
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

static inline void put_length(uint8_t *out, size_t length)
{
    out[0] = (uint8_t)(length >> 8);
    out[1] = (uint8_t)length;
}

static inline void note_edns(struct server *server, struct dns_reader *reader,
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

static inline size_t respond(struct server *server, behaviour behave, const uint8_t *query,
                             size_t length, uint8_t *out)
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

static inline void on_udp_query(uv_poll_t *poll, int status, int events)
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

static inline void send_some(struct server *server);

static inline void on_written(uv_write_t *write, int status)
{
    struct server *server = write->data;
    if (status == 0) {
        send_some(server);
    }
}

static inline void hang_up(struct server *server)
{
    if (server->connected) {
        server->connected = false;
        uv_close((uv_handle_t *)&server->connection, NULL);
    }
}

static inline void send_some(struct server *server)
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

static inline void on_allocate(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    struct server *server = handle->data;
    (void)suggested;
    *out = uv_buf_init((char *)server->buffer + server->received,
                       (unsigned)(sizeof server->buffer - server->received));
}

static inline void on_tcp_bytes(uv_stream_t *stream, ssize_t length, const uv_buf_t *buffer)
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

static inline void on_connection(uv_stream_t *listener, int status)
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

static inline void server_open(struct server *server, uv_loop_t *loop, const char *address)
{
    *server =
        (struct server){.on_udp = answer, .on_tcp = answer, .txt = "fra1", .port = free_port()};
    struct endpoint endpoint = address_of(address, (uint16_t)server->port);
    const struct sockaddr *bound = (const struct sockaddr *)&endpoint.address;
    uv_tcp_init(loop, &server->listener);
    server->listener.data = server;
    assert_int_equal(uv_tcp_bind(&server->listener, bound, 0), 0);
    assert_int_equal(uv_listen((uv_stream_t *)&server->listener, 8, on_connection), 0);
    server->udp_fd = socket(bound->sa_family, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(server->udp_fd, bound, endpoint.length), 0);
    uv_poll_init(loop, &server->udp, server->udp_fd);
    server->udp.data = server;
    uv_poll_start(&server->udp, UV_READABLE, on_udp_query);
}

static inline void server_close(struct server *server)
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

static inline int set_up_at(void **state, const char *address)
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

static inline int set_up(void **state)
{
    return set_up_at(state, "127.0.0.1");
}

static inline int tear_down(void **state)
{
    struct world *world = *state;
    server_close(&world->server);
    fixture_close(&world->fixture);
    free(world);
    return 0;
}

static inline void set(struct world *world, const char *name, const char *value)
{
    fixture_set(&world->fixture, name, value);
}

static inline void assert_passes(struct world *world, const char *cause_part)
{
    assert_verdict(fixture_run(&world->fixture, 1), VERDICT_PASS, "ok", cause_part);
}

static inline void assert_fails(struct world *world, const char *code, const char *cause_part)
{
    assert_verdict(fixture_run(&world->fixture, 1), VERDICT_FAIL, code, cause_part);
}
