// Any bytes as a query, over UDP and TCP, from IPv4 and IPv6, in any states of the services. There
// is a response or there is none; if there is one, it is well-formed and one to that query.
#include "tests/unit/respond_fixture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool promise, const char *what)
{
    if (!promise) {
        fprintf(stderr, "%s\n", what);
        abort();
    }
}

// RFC 6891 section 6.2.3, and the responder's own limit.
static size_t limit_of(const struct dns_snapshot *snapshot, const struct dns_asker *asker,
                       const struct dns_request *request, size_t size)
{
    size_t limit = DNS_UDP_MAX;
    if (asker->transport == DNS_TCP) {
        return size;
    }
    if (request->has_edns && request->edns.udp_size > limit) {
        limit = request->edns.udp_size;
    }
    limit = limit > snapshot->udp_size ? snapshot->udp_size : limit;
    return limit < size ? limit : size;
}

static void answer(const struct dns_snapshot *snapshot, const struct dns_asker *asker,
                   const uint8_t *query, size_t length, bool only_tc, size_t size)
{
    struct dns_request request;
    struct dns_outcome outcome;
    if (!dns_request_read(snapshot, asker, query, length, &request)) {
        must(length < DNS_HEADER_SIZE || query[2] & 0x80, "a query was ignored");
        return;
    }
    uint8_t *out = malloc(size);
    must(out != NULL, "memory");
    size_t written = dns_respond(snapshot, asker, &request, only_tc, out, size, &outcome);
    must(written > 0 && written <= size, "a response of no possible length");
    const char *problem = response_problem(query, length, out, written,
                                           limit_of(snapshot, asker, &request, size), &outcome);
    must(problem == NULL, problem);
    bool has_records = out[7] | out[9];
    must(!only_tc || !has_records, "records for who is over the rate limit");
    must(!outcome.truncated || only_tc || asker->transport == DNS_UDP, "TC over TCP");
    must(outcome.rcode != DNS_SERVFAIL, "SERVFAIL");
    free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct dns_snapshot *snapshot;
    if (snapshot == NULL) {
        snapshot = rich_snapshot();
    }
    if (size < 2 || size > DNS_MESSAGE_MAX) {
        return 0;
    }
    // The first two octets are what is known besides the query.
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(53)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(53)};
    inet_pton(AF_INET, "198.51.100.100", &v4.sin_addr);
    inet_pton(AF_INET6, "2001:db8:220:1:59de:d0f4:8769:82b8", &v6.sin6_addr);
    struct dns_asker asker = {.address =
                                  data[0] & 1 ? (struct sockaddr *)&v6 : (struct sockaddr *)&v4,
                              .transport = data[0] & 2 ? DNS_TCP : DNS_UDP,
                              .now_s = 1559731985,
                              .turn = data[1],
                              .keepalive_ds = 100};
    snapshot->services[0].state = data[0] >> 4 & 3;
    snapshot->services[1].state = data[0] >> 6 & 3;
    snapshot->udp_size = data[1] & 1 ? 1232 : 4096;
    size_t out_size = asker.transport == DNS_TCP ? DNS_MESSAGE_MAX
                      : data[1] & 2              ? DNS_UDP_MAX
                                                 : 4096;
    uint8_t *query = malloc(size - 1); // exact but for one, so that no allocation is empty
    must(query != NULL, "memory");
    memcpy(query, data + 2, size - 2);
    uint8_t *exact = size > 2 ? realloc(query, size - 2) : query;
    must(exact != NULL, "memory");
    answer(snapshot, &asker, exact, size - 2, data[0] & 4, out_size);
    free(exact);
    return 0;
}
