// What the tests of responses share: a zone, queries, and a look at what came of them.
#pragma once

#include "tests/test.h"
#include "tests/unit/respond_fixture.h"

#define SOA_FOR(ttl)                                                                               \
    "\n? pop.example.net. " ttl " SOA ns1.pop.example.net. hostmaster.pop.example.net. 7 3600 "    \
    "900 604800 60"
#define SOA     SOA_FOR("60")
#define NO_TIME SOA_FOR("0") // nobody is to keep it

#define NOW_S 1559731985u

struct ask {
    const char *name; // NULL: no question
    uint16_t type;
    uint16_t class; // 0: IN
    uint16_t flags;
    uint16_t udp_size; // 0: no OPT
    uint8_t version;
    bool dnssec_ok;
    const char *options; // hexadecimal: codes, lengths, contents
    bool tcp, v6, only_tc;
    unsigned turn;
};

// A query and its response, each in an allocation of its own so that a sanitizer sees its end.
struct exchanged {
    uint8_t *query, *response;
    size_t query_length, length; // length 0: there was no response
    struct dns_outcome outcome;
    struct said said;
};

static struct dns_snapshot *rich;

static inline int set_up(void **state)
{
    (void)state;
    rich = rich_snapshot();
    return 0;
}

static inline int tear_down(void **state)
{
    (void)state;
    dns_snapshot_free(rich);
    return 0;
}

static inline size_t from_hex(const char *hex, uint8_t *out)
{
    size_t length = 0;
    for (; *hex; hex += hex[0] == ' ' ? 1 : 2) {
        if (*hex != ' ') {
            char pair[] = {hex[0], hex[1], '\0'};
            out[length++] = (uint8_t)strtoul(pair, NULL, 16);
        }
    }
    return length;
}

static inline size_t write_query(const struct ask *ask, uint8_t *out, size_t size)
{
    struct dns_writer writer;
    uint8_t options[512];
    dns_write_begin(&writer, out, size, 0xbeef, ask->flags);
    if (ask->name != NULL) {
        struct dns_question question = {.name = fixture_name(ask->name),
                                        .type = ask->type,
                                        .class = ask->class ? ask->class : DNS_CLASS_IN};
        dns_write_question(&writer, &question);
    }
    if (ask->udp_size) {
        struct dns_edns edns = {
            .udp_size = ask->udp_size, .version = ask->version, .dnssec_ok = ask->dnssec_ok};
        dns_opt_begin(&writer, &edns);
        dns_write_bytes(&writer, options,
                        from_hex(ask->options != NULL ? ask->options : "", options));
        dns_record_end(&writer);
    }
    return dns_write_end(&writer);
}

static inline void exchange_bytes(const struct dns_snapshot *snapshot, const struct ask *ask,
                                  const uint8_t *query, size_t length, struct exchanged *out)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(5300)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(5300)};
    inet_pton(AF_INET, "198.51.100.100", &v4.sin_addr);
    inet_pton(AF_INET6, "2001:db8:220:1:59de:d0f4:8769:82b8", &v6.sin6_addr);
    struct dns_asker asker = {.address = ask->v6 ? (struct sockaddr *)&v6 : (struct sockaddr *)&v4,
                              .transport = ask->tcp ? DNS_TCP : DNS_UDP,
                              .now_s = NOW_S,
                              .turn = ask->turn,
                              .keepalive_ds = 100};
    size_t size = ask->tcp ? DNS_MESSAGE_MAX : 4096;
    struct dns_request request;
    *out = (struct exchanged){.query = malloc(length + 1), .query_length = length};
    assert_non_null(out->query);
    memcpy(out->query, query, length);
    out->query = realloc(out->query, length ? length : 1);
    assert_non_null(out->query);
    if (!dns_request_read(snapshot, &asker, out->query, length, &request)) {
        return;
    }
    out->response = malloc(size);
    assert_non_null(out->response);
    out->length =
        dns_respond(snapshot, &asker, &request, ask->only_tc, out->response, size, &out->outcome);
    const char *problem =
        response_problem(out->query, length, out->response, out->length, size, &out->outcome);
    if (problem != NULL) {
        fail_msg("%s: %s", ask->name ? ask->name : "(no question)", problem);
    }
    assert_non_null(response_text(out->response, out->length, &out->said));
}

static inline void exchange_of(const struct dns_snapshot *snapshot, const struct ask *ask,
                               struct exchanged *out)
{
    uint8_t query[1024];
    exchange_bytes(snapshot, ask, query, write_query(ask, query, sizeof query), out);
}

static inline void done(struct exchanged *exchanged)
{
    free(exchanged->query);
    free(exchanged->response);
}

static inline void assert_says(const struct ask *ask, const char *expected)
{
    struct exchanged exchanged;
    exchange_of(rich, ask, &exchanged);
    assert_string_equal(exchanged.said.text, expected);
    done(&exchanged);
}

struct says {
    struct ask ask;
    const char *expected;
};

static inline void assert_all_say(const struct says *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        assert_says(&cases[i].ask, cases[i].expected);
    }
}

#define ASSERT_ALL_SAY(cases) assert_all_say(cases, sizeof(cases) / sizeof *(cases))
