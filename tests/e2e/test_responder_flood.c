// The responder under those who mean no good, and under load: garbage, half-open and slow TCP
// clients leave everyone else as they were; what changes under load is never half changed; and a
// withdrawal happens all the same.
#include "tests/lab/answering.h"
#include "tests/lab/dns_load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ZONE ANSWERING_ZONE

// ---- Garbage
// -------------------------------------------------------------------------------------

#define FLOODED 200000 // datagrams, at least

// However long a slow machine takes for it, as long as it goes on.
static void wait_till_flooded(struct lab_flood *const floods[], size_t count)
{
    for (uint64_t sent = 0; sent < FLOODED; sent += FLOODED / 20) {
        for (size_t i = 0; i < count; i++) {
            LAB_WAIT(lab_flood_sent(floods[i]) >= sent + FLOODED / 20, "the flood to go on",
                     POP_WAIT_MS);
        }
    }
}

// A cheap generator; the same flood every time (xorshift64*).
static uint64_t next_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(2685821657736338717);
}

// Random bytes, random headers before them, and real queries with some bytes changed.
static size_t garbage(void *arg, uint64_t i, uint8_t out[LAB_QUERY_MAX])
{
    static const struct lab_query query = {.name = "api." ZONE,
                                           .edns = true,
                                           .options = LAB_BYTES("\x00\x0a\x00\x08"
                                                                "12345678")};
    uint64_t *state = arg;

    if (i % 3 == 0) {
        size_t length = next_random(state) % 100;

        for (size_t j = 0; j < length; j++) {
            out[j] = (uint8_t)next_random(state);
        }
        return length;
    }
    size_t length = lab_query_write(&query, (uint16_t)i, out);
    size_t changes = next_random(state) % 4 + 1;
    for (size_t j = 0; j < changes; j++) {
        out[next_random(state) % length] = (uint8_t)next_random(state);
    }
    return i % 3 == 1 ? length : next_random(state) % length;
}

LAB_TEST(a_flood_of_garbage_leaves_the_service_as_it_was)
{
    struct answering answering = answering_make();
    uint64_t seeds[] = {1, 2};
    struct lab_flood *floods[2];

    answering_run(&answering,
                  ANSWERING_RESPONDER "[answer api." ZONE "]\na = 192.0.2.10\n" ANSWERING_SERVICE);
    for (size_t i = 0; i < 2; i++) {
        floods[i] = lab_flood_start(&answering.ways[i], garbage, &seeds[i]);
    }
    wait_till_flooded(floods, 2);
    // While it lasts, as TCP has a queue of its own, and after.
    assert_string_equal(lab_ask_text(&answering.ways[WAY_TCP4], "api." ZONE, DNS_A), "192.0.2.10");
    for (size_t i = 0; i < 2; i++) {
        lab_flood_stop(floods[i]);
    }
    struct lab_query query = {.name = "api." ZONE};
    for (enum answering_way way = 0; way < ANSWERING_WAYS; way++) {
        LAB_WAIT(lab_answers(&answering.ways[way], &query), "the flood to drain", POP_WAIT_MS);
        assert_string_equal(lab_ask_text(&answering.ways[way], "api." ZONE, DNS_A), "192.0.2.10");
    }
    assert_true(lab_running(lab_popgated_process(answering.pop.popgated)));
}

// ---- Neighbours that are not there
// ---------------------------------------------------------------

#define NOBODIES        64
#define QUERIES_OF_EACH 100
#define AFTER_THEM      50
#define NOBODY_NETWORK  0x0a000100U // 10.0.1.0/24, the link between the two
#define FIRST_OF_NOBODY 100U

// In the name of an address on the link that nobody has.
static void ask_for_nobody(struct lab_node *from, uint32_t address)
{
    static const struct lab_query query = {
        .name = "id.server", .type = DNS_TXT, .class = DNS_CLASS_CH};
    struct sockaddr_in source = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(address)};
    struct sockaddr_in server = {.sin_family = AF_INET, .sin_port = htons(53)};
    uint8_t message[LAB_QUERY_MAX];
    size_t length = lab_query_write(&query, 1, message);
    int fd = lab_socket(from, AF_INET, SOCK_DGRAM);

    inet_pton(AF_INET, ANSWERING_V4, &server.sin_addr);
    assert_int_equal(setsockopt(fd, IPPROTO_IP, IP_TRANSPARENT, &(int){1}, sizeof(int)), 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&source, sizeof source), 0);
    for (size_t i = 0; i < QUERIES_OF_EACH; i++) {
        assert_int_equal(sendto(fd, message, length, 0, (struct sockaddr *)&server, sizeof server),
                         length);
    }
    close(fd);
}

// Has the responder read all that was sent to its IPv4 socket? A line of proc(5)'s net/udp has the
// local and the remote address, the state, and the queues for sending and receiving.
static bool has_read_all(struct lab_node *node)
{
    char text[LAB_OUTPUT_MAX];
    char receiving[9]; // bytes, hexadecimal

    (void)lab_run(node, LAB_ARGV("cat", "/proc/net/udp"), text, sizeof text);
    const char *line = strstr(text, ":0035 ");
    return line != NULL && sscanf(line, ":0035 %*s %*s %*[^:]:%8s", receiving) == 1 &&
           strcmp(receiving, "00000000") == 0;
}

// The kernel holds answers to them back for seconds, while it looks for them.
LAB_TEST(answers_that_nobody_takes_leave_room_for_others)
{
    struct answering answering = answering_make();

    answering_run(&answering, ANSWERING_RESPONDER);
    for (uint32_t i = 0; i < NOBODIES; i++) {
        ask_for_nobody(answering.pop.upstream, NOBODY_NETWORK + FIRST_OF_NOBODY + i);
    }
    LAB_WAIT(has_read_all(answering.pop.node), "the responder to read them", POP_WAIT_MS);
    for (size_t i = 0; i < AFTER_THEM; i++) {
        assert_string_equal(lab_ask_text(&answering.ways[WAY_UDP4], "id." ZONE, DNS_TXT),
                            "\"pop\"");
    }
}

// ---- TCP clients
// ---------------------------------------------------------------------------------

#define HALF_OPEN 1000

// Did the server close it?
static bool is_closed(const struct lab_client *client)
{
    struct pollfd polled = {.fd = client->fd, .events = POLLIN};
    uint8_t byte;

    return poll(&polled, 1, 0) == 1 && recv(client->fd, &byte, 1, MSG_DONTWAIT) <= 0;
}

static size_t count_closed(const struct lab_client *clients, size_t count)
{
    size_t closed = 0;

    for (size_t i = 0; i < count; i++) {
        closed += is_closed(&clients[i]);
    }
    return closed;
}

// Open, and with half a query sent: as many clients as fit, and then more.
LAB_TEST(half_open_clients_make_room_and_leave_udp_as_it_was)
{
    static struct lab_client clients[HALF_OPEN];
    static const uint8_t half[] = {0, 40, 1, 2, 3};
    struct answering answering = answering_make();
    struct lab_stream_result result;
    struct lab_query query = {.name = "api." ZONE};

    test_needs_descriptors(HALF_OPEN + 100);
    answering_run(&answering, ANSWERING_RESPONDER
                  "tcp_clients = 100\ntcp_clients_per_address = 30000\ntcp_idle = 10m\n"
                  "tcp_max_age = 1h\n"
                  "[answer api." ZONE "]\na = 192.0.2.10\n" ANSWERING_SERVICE);
    struct lab_stream *stream = lab_stream_start(
        &(struct lab_stream_options){.server = answering.ways[WAY_UDP4], .query = query});
    for (size_t i = 0; i < HALF_OPEN; i++) {
        clients[i] = lab_client_open(&answering.ways[i % 2 ? WAY_TCP4 : WAY_TCP6]);
        (void)send(clients[i].fd, half, i % 4 < 2 ? 1 : sizeof half, MSG_NOSIGNAL);
    }
    LAB_WAIT(count_closed(clients, HALF_OPEN) >= HALF_OPEN - 100, "the oldest to make room",
             POP_WAIT_MS);
    assert_string_equal(lab_ask_text(&answering.ways[WAY_TCP4], "api." ZONE, DNS_A), "192.0.2.10");
    assert_string_equal(lab_ask_text(&answering.ways[WAY_TCP6], "api." ZONE, DNS_A), "192.0.2.10");
    uint64_t answered = lab_stream_answered(stream);
    LAB_WAIT(lab_stream_answered(stream) > answered + 100, "UDP to go on", POP_WAIT_MS);
    lab_stream_stop(stream);
    lab_stream_result(stream, &result);
    assert_int_equal(result.lost, 0);
    assert_int_equal(result.said_count, 1);
    for (size_t i = 0; i < HALF_OPEN; i++) {
        lab_client_close(&clients[i]);
    }
}

LAB_TEST(one_address_gets_no_more_than_its_share)
{
    struct lab_client clients[8];
    struct answering answering = answering_make();

    answering_run(&answering, ANSWERING_RESPONDER
                  "tcp_clients_per_address = 5\ntcp_idle = 10m\ntcp_max_age = 1h\n"
                  "[answer api." ZONE "]\na = 192.0.2.10\n" ANSWERING_SERVICE);
    for (size_t i = 0; i < 8; i++) {
        clients[i] = lab_client_open(&answering.ways[WAY_TCP4]);
    }
    LAB_WAIT(count_closed(clients, 8) == 3, "the three too many to be closed", POP_WAIT_MS);
    assert_string_equal(lab_ask_text(&answering.ways[WAY_TCP6], "api." ZONE, DNS_A), "192.0.2.10");
    for (size_t i = 0; i < 8; i++) {
        lab_client_close(&clients[i]);
    }
}

LAB_TEST(slow_clients_are_cut)
{
    static const uint8_t prefix[] = {0, 40};
    struct answering answering = answering_make();
    struct lab_client clients[3];
    uint8_t query[LAB_QUERY_MAX];

    answering_run(&answering,
                  ANSWERING_RESPONDER "tcp_idle = 1s\ntcp_max_age = 2s\n"
                                      "[answer api." ZONE "]\na = 192.0.2.10\n" ANSWERING_SERVICE);
    for (size_t i = 0; i < 3; i++) {
        clients[i] = lab_client_open(&answering.ways[WAY_TCP4]);
    }
    // The first says nothing, the second half of something, the third asks again and again.
    (void)send(clients[1].fd, prefix, sizeof prefix, MSG_NOSIGNAL);
    size_t length = lab_query_write(&(struct lab_query){.name = "api." ZONE}, 7, query);
    uint64_t began_ns = lab_now_ns();
    uint8_t answer[DNS_MESSAGE_MAX];
    size_t answered = 0;
    while (lab_client_send(&clients[2], query, length) &&
           lab_client_receive(&clients[2], LAB_DNS_MS, answer) > 0) {
        answered++;
        if (lab_now_ns() - began_ns > POP_WAIT_MS * UINT64_C(1000000)) {
            lab_fail("a client that asks again and again is never cut");
        }
    }
    assert_true(answered > 0);
    LAB_WAIT(is_closed(&clients[0]) && is_closed(&clients[1]), "both to be cut", POP_WAIT_MS);
    for (size_t i = 0; i < 3; i++) {
        lab_client_close(&clients[i]);
    }
}

// Asks more than the kernel's buffers hold answers of, and reads none: the server must not
// wait.
LAB_TEST(a_client_that_never_reads_is_cut)
{
    struct answering answering = answering_make();
    uint8_t framed[2 + LAB_QUERY_MAX];

    answering_run(&answering,
                  ANSWERING_RESPONDER "tcp_idle = 1s\ntcp_max_age = 1h\n"
                                      "[answer api." ZONE "]\na = 192.0.2.10\n" ANSWERING_SERVICE);
    struct lab_client client = lab_client_open(&answering.ways[WAY_TCP4]);
    struct timeval patience = {.tv_sec = POP_WAIT_MS / 1000};
    setsockopt(client.fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    size_t length = lab_query_write(&(struct lab_query){.name = "api." ZONE}, 7, framed + 2);
    framed[0] = 0;
    framed[1] = (uint8_t)length;
    uint64_t began_ns = lab_now_ns();
    while (send(client.fd, framed, length + 2, MSG_NOSIGNAL) > 0) { // a part will do
        if (lab_now_ns() - began_ns > POP_WAIT_MS * UINT64_C(1000000)) {
            lab_fail("a client that never reads is never cut");
        }
    }
    assert_true(errno == ECONNRESET || errno == EPIPE);
    assert_string_equal(lab_ask_text(&answering.ways[WAY_TCP4], "api." ZONE, DNS_A), "192.0.2.10");
    lab_client_close(&client);
}

// ---- Two states
// ----------------------------------------------------------------------------------

#define NORMAL  "192.0.2.10 192.0.2.11 192.0.2.12 192.0.2.13"
#define DRAINED "192.0.2.30 192.0.2.31 192.0.2.32"
#define CHANGES 30
#define CLIENTS 8

// The chain goes another way in each state; an address of the 203.0.113s can only be seen by taking
// its halves from two states.
#define CHANGING                                                                                   \
    "[answer api." ZONE "]\nservice = web\na = " NORMAL "\na.drained = " DRAINED "\n"              \
    "[answer front." ZONE "]\nservice = web\ncname = here." ZONE "\n"                              \
    "cname.drained = there." ZONE "\n"                                                             \
    "[answer here." ZONE "]\nservice = web\na = " NORMAL "\na.drained = 203.0.113.1\n"             \
    "[answer there." ZONE "]\nservice = web\na = 203.0.113.2\na.drained = " DRAINED "\n"

static const char *const never_mixed[] = {NORMAL,
                                          DRAINED,
                                          NORMAL " here." ZONE ".",
                                          DRAINED " there." ZONE ".",
                                          "here." ZONE ". " NORMAL,
                                          "there." ZONE ". " DRAINED};

static void expect_unmixed(const struct lab_stream_result *result)
{
    assert_false(result->said_more);
    for (size_t i = 0; i < result->said_count; i++) {
        bool known = false;

        for (size_t j = 0; j < sizeof never_mixed / sizeof *never_mixed; j++) {
            known = known || strcmp(result->said[i].text, never_mixed[j]) == 0;
        }
        if (!known) {
            lab_fail("an answer of two states: %s", result->said[i].text);
        }
    }
}

LAB_TEST(an_answer_never_mixes_two_states)
{
    static const char *const names[] = {"api." ZONE, "front." ZONE};
    struct answering answering = answering_make();
    struct lab_stream *streams[CLIENTS];
    struct lab_query flooding = {.name = "front." ZONE};

    answering_run(&answering, ANSWERING_RESPONDER "threads = 2\n" CHANGING ANSWERING_SERVICE);
    for (size_t i = 0; i < CLIENTS; i++) {
        streams[i] = lab_stream_start(
            &(struct lab_stream_options){.server = answering.ways[i % ANSWERING_WAYS],
                                         .query = {.name = names[i / ANSWERING_WAYS % 2]}});
    }
    lab_dnsperf_start(&(struct lab_dnsperf){.server = answering.ways[WAY_UDP4],
                                            .queries = &flooding,
                                            .query_count = 1,
                                            .seconds = 600});
    for (int i = 0; i < CHANGES; i++) {
        POP_COMMAND(&answering.pop, 0, i % 2 ? "undrain" : "drain", "web", "--reason", "test");
        LAB_WAIT(strcmp(lab_ask_text(&answering.ways[WAY_TCP4], "api." ZONE, DNS_A),
                        i % 2 ? NORMAL : DRAINED) == 0,
                 "the other state", POP_WAIT_MS);
        for (size_t j = 0; j < CLIENTS; j++) {
            uint64_t before = lab_stream_answered(streams[j]);
            LAB_WAIT(lab_stream_answered(streams[j]) > before, "each client to be told",
                     POP_WAIT_MS);
        }
    }
    for (size_t i = 0; i < CLIENTS; i++) {
        struct lab_stream_result result;

        lab_stream_stop(streams[i]);
        lab_stream_result(streams[i], &result);
        assert_int_equal(result.malformed, 0);
        assert_int_equal(result.said_count, 2);
        expect_unmixed(&result);
    }
}

// ---- Withdrawal
// ----------------------------------------------------------------------------------

static size_t real_query(void *arg, uint64_t i, uint8_t out[LAB_QUERY_MAX])
{
    static const struct lab_query query = {
        .name = "id.server", .type = DNS_TXT, .class = DNS_CLASS_CH};

    (void)arg;
    return lab_query_write(&query, (uint16_t)i, out);
}

LAB_TEST(a_withdrawal_happens_under_flood)
{
    struct answering answering = answering_make();

    answering_run(&answering, ANSWERING_RESPONDER ANSWERING_SERVICE);
    struct lab_flood *flood = lab_flood_start(&answering.ways[WAY_UDP4], real_query, NULL);
    wait_till_flooded(&flood, 1);
    lab_tcp_server_crash(answering.web);
    LAB_WAIT(!tap_has(answering.pop.tap, ANSWERING_WEB_V4), "the withdrawal", POP_WAIT_MS);
    lab_tcp_server_recover(answering.web);
    LAB_WAIT(tap_has(answering.pop.tap, ANSWERING_WEB_V4), "the announcement", POP_WAIT_MS);
}
