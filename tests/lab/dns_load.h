// Clients that keep asking a DNS server while a test does something to it: a stream that misses
// nothing of what it is told, dnsperf for queries a second, and a flood of whatever bytes.
#pragma once

#include "tests/lab/dns.h"

// ---- A stream

// Asks the same again and again, one query at a time, each once: never sends one a second time.
struct lab_stream;

struct lab_stream_options {
    struct lab_server server;
    struct lab_query query;
    unsigned pause_us; // between an answer and the next query
};

#define LAB_SAID_MAX  16
#define LAB_SAID_TEXT 512

struct lab_stream_result {
    uint64_t asked, answered, lost, malformed; // lost: not answered within LAB_DNS_MS
    // What it was told: the answers' rdata (lab_answer_rdata()), or the rcode; and how often.
    struct lab_said {
        char text[LAB_SAID_TEXT];
        uint64_t count, first_ns, last_ns;
    } said[LAB_SAID_MAX];
    size_t said_count;
    bool said_more; // than LAB_SAID_MAX different things
};

struct lab_stream *lab_stream_start(const struct lab_stream_options *options);
void lab_stream_result(struct lab_stream *stream, struct lab_stream_result *out); // so far
uint64_t lab_stream_answered(struct lab_stream *stream);
uint64_t lab_stream_said(struct lab_stream *stream, const char *text); // how often

// Waits for the answer to the last query; the result is final then.
void lab_stream_stop(struct lab_stream *stream);

// ---- A flood

struct lab_flood;

// Writes the i-th datagram into out and returns its length, on the flood's thread.
typedef size_t (*lab_flood_cb)(void *arg, uint64_t i, uint8_t out[LAB_QUERY_MAX]);

// Sends over UDP as fast as it can, and reads nothing of what comes back.
struct lab_flood *lab_flood_start(const struct lab_server *server, lab_flood_cb make, void *arg);
uint64_t lab_flood_sent(struct lab_flood *flood);
void lab_flood_stop(struct lab_flood *flood);

// ---- Dnsperf

struct lab_dnsperf {
    struct lab_server server;
    const struct lab_query *queries; // in turns
    size_t query_count;
    unsigned seconds;
    unsigned max_qps;     // 0: as many as possible
    unsigned clients;     // sockets; 0: 1
    unsigned outstanding; // 0: dnsperf's 100
};

struct lab_dnsperf_result {
    double qps;        // answered
    double latency_ms; // mean
    uint64_t sent, completed, lost;
};

// Runs it to its end.
struct lab_dnsperf_result lab_dnsperf(const struct lab_dnsperf *options);

// In the background, one at a time in a node.
struct lab_process *lab_dnsperf_start(const struct lab_dnsperf *options);

// What came of it, once it has ended by itself.
struct lab_dnsperf_result lab_dnsperf_end(const struct lab_dnsperf *options,
                                          struct lab_process *process);
