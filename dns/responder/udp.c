// The hot path: from the socket to the socket, a batch at a time (see udp.h). serve() is all of it;
// between its two system calls there is no lock, no allocation and no other call to the kernel.
//
// The thread sleeps in recvmmsg(2). What wakes it to end is shutdown(2): a UDP socket has nothing
// to shut down, and Linux says so (ENOTCONN), but it does end its readers' sleep, for good. What
// has been received by then is still answered. An inherited socket must not be left like that:
// there the sleep is short.

#include "dns/responder/udp.h"
#include "dns/responder/dice.h"
#include "dns/responder/thread.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BATCH         64
#define QUERY_MAX     4096
#define RESPONSE_MAX  4096
#define BUFFER_SIZE   (1 << 20) // the socket's: some milliseconds at full rate
#define SENDING_MAX   (1 << 28) // more than the kernel keeps for neighbours that don't answer
#define DATAGRAM_COST 512       // octets of that buffer, at the least, that one datagram takes
#define TROUBLE_MS    10        // rest after a receive error, so as not to spin
#define LOOK_MS       100       // an inherited socket's thread looks whether it is to end

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

struct slot {
    union address client;
    const void *asked; // the address that the query came to: 4 bytes or 16
    struct iovec query_part, response_part;
    // What the kernel says of the query; there may be more than we asked for, since systemd sets
    // its own options on its sockets. And from which address the answer is to go.
    _Alignas(struct cmsghdr) uint8_t received[256];
    _Alignas(struct cmsghdr) uint8_t source[CMSG_SPACE(sizeof(struct in6_pktinfo))];
    uint8_t query[QUERY_MAX];
    uint8_t response[RESPONSE_MAX];
};

struct udp_worker {
    int socket;
    bool wildcard, inherited;
    union address here; // where it is bound
    struct dice dice;
    struct publisher *publisher;
    struct dns_hold hold;
    struct rrl *rrl;
    struct dns_counters counters;
    pthread_t thread;
    _Atomic bool stopping;
    bool joined;
    struct mmsghdr queries[BATCH], answers[BATCH];
    struct slot slots[BATCH];
};

struct moment {
    uint32_t now_s;  // Unix time, for cookies
    uint64_t now_ms; // monotonic, for the rate limit
};

// To within the kernel's tick, for which the vDSO only reads memory.
static struct moment read_clocks(void)
{
    struct timespec real, monotonic;
    clock_gettime(CLOCK_REALTIME_COARSE, &real);
    clock_gettime(CLOCK_MONOTONIC_COARSE, &monotonic);
    return (struct moment){
        .now_s = (uint32_t)real.tv_sec,
        .now_ms = (uint64_t)monotonic.tv_sec * 1000 + (uint64_t)monotonic.tv_nsec / 1000000,
    };
}

static const void *bytes_of(const union address *address)
{
    return address->any.sa_family == AF_INET6 ? (const void *)&address->v6.sin6_addr
                                              : (const void *)&address->v4.sin_addr;
}

static void prepare_query(struct udp_worker *worker, size_t i)
{
    struct slot *slot = &worker->slots[i];
    slot->asked = bytes_of(&worker->here);
    slot->query_part = (struct iovec){.iov_base = slot->query, .iov_len = QUERY_MAX};
    worker->queries[i].msg_hdr = (struct msghdr){
        .msg_name = &slot->client,
        .msg_namelen = sizeof slot->client,
        .msg_iov = &slot->query_part,
        .msg_iovlen = 1,
        .msg_control = worker->wildcard ? slot->received : NULL,
        .msg_controllen = worker->wildcard ? sizeof slot->received : 0,
    };
}

// Makes the control message that sends from the address that was asked. No interface: routing
// finds it, as it does for a bound socket. False when the query was not to one address alone.
static bool aim_v4(struct in_pktinfo info, struct slot *slot, struct msghdr *out)
{
    if (info.ipi_spec_dst.s_addr != info.ipi_addr.s_addr) {
        return false; // broadcast or multicast
    }
    info.ipi_ifindex = 0;
    out->msg_control = slot->source;
    out->msg_controllen = CMSG_SPACE(sizeof info);
    struct cmsghdr *control = CMSG_FIRSTHDR(out);
    *control = (struct cmsghdr){
        .cmsg_level = IPPROTO_IP, .cmsg_type = IP_PKTINFO, .cmsg_len = CMSG_LEN(sizeof info)};
    memcpy(CMSG_DATA(control), &info, sizeof info);
    slot->asked = CMSG_DATA(control) + offsetof(struct in_pktinfo, ipi_addr);
    return true;
}

static bool aim_v6(struct in6_pktinfo info, struct slot *slot, struct msghdr *out)
{
    if (IN6_IS_ADDR_MULTICAST(&info.ipi6_addr)) {
        return false;
    }
    if (!IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr)) { // such an address means nothing without it
        info.ipi6_ifindex = 0;
    }
    out->msg_control = slot->source;
    out->msg_controllen = CMSG_SPACE(sizeof info);
    struct cmsghdr *control = CMSG_FIRSTHDR(out);
    *control = (struct cmsghdr){
        .cmsg_level = IPPROTO_IPV6, .cmsg_type = IPV6_PKTINFO, .cmsg_len = CMSG_LEN(sizeof info)};
    memcpy(CMSG_DATA(control), &info, sizeof info);
    slot->asked = CMSG_DATA(control) + offsetof(struct in6_pktinfo, ipi6_addr);
    return true;
}

static bool aim(struct msghdr *query, struct slot *slot, struct msghdr *out)
{
    for (struct cmsghdr *control = CMSG_FIRSTHDR(query); control != NULL;
         control = CMSG_NXTHDR(query, control)) {
        if (control->cmsg_level == IPPROTO_IP && control->cmsg_type == IP_PKTINFO) {
            struct in_pktinfo info;
            memcpy(&info, CMSG_DATA(control), sizeof info);
            return aim_v4(info, slot, out);
        }
        if (control->cmsg_level == IPPROTO_IPV6 && control->cmsg_type == IPV6_PKTINFO) {
            struct in6_pktinfo info;
            memcpy(&info, CMSG_DATA(control), sizeof info);
            return aim_v6(info, slot, out);
        }
    }
    return false;
}

// Not from where no resolver asks: without a port to answer to, or forged so that a service that
// sends something back to whoever writes to it would keep on asking. Both families have the port in
// the same place.
static bool is_from_a_client(const union address *client)
{
    in_port_t port = ntohs(client->v4.sin_port);
    return port != 0 && port != 7 && port != 13 && port != 19 && port != 37;
}

// From the address that it was sent to, as this host's own probes are: nobody else gets the answer,
// whoever asked.
static bool is_own(const struct slot *slot)
{
    const union address *client = &slot->client; // lengths that the compiler knows: no calls
    return client->any.sa_family == AF_INET6
               ? memcmp(&client->v6.sin6_addr, slot->asked, sizeof client->v6.sin6_addr) == 0
               : memcmp(&client->v4.sin_addr, slot->asked, sizeof client->v4.sin_addr) == 0;
}

static bool may_answer(const struct udp_worker *worker, struct msghdr *query, struct slot *slot,
                       struct msghdr *out)
{
    return !(query->msg_flags & MSG_TRUNC) && is_from_a_client(&slot->client) &&
           (!worker->wildcard || aim(query, slot, out));
}

// Who slips and whose records are rotated is one throw of the dice: nobody is both.
static enum rrl_verdict limit_rate(struct udp_worker *worker, const struct dns_snapshot *snapshot,
                                   const struct dns_asker *asker, const struct dns_request *request,
                                   const struct slot *slot, uint64_t now_ms)
{
    if (request->cookie == COOKIE_GOOD || is_own(slot)) {
        return RRL_ANSWER; // its address is not forged, or is no other's
    }
    enum rrl_verdict verdict = rrl_check(worker->rrl, asker->address, now_ms, snapshot->rate_limit,
                                         snapshot->slip, asker->turn);
    if (verdict == RRL_DROP) {
        count_one(&worker->counters.counts[DNS_COUNT_DROPPED]);
    } else if (verdict == RRL_SLIP) {
        count_one(&worker->counters.counts[DNS_COUNT_SLIPPED]);
    }
    return verdict;
}

// One query. False: nothing is to be sent; else out says what.
static bool answer(struct udp_worker *worker, const struct dns_snapshot *snapshot,
                   struct moment moment, struct mmsghdr *query, struct slot *slot,
                   struct msghdr *out)
{
    if (query->msg_hdr.msg_namelen == 0) {
        return false; // the socket was shut down; not a datagram
    }
    count_one(&worker->counters.counts[DNS_COUNT_RECEIVED]);
    *out = (struct msghdr){.msg_name = &slot->client,
                           .msg_namelen = query->msg_hdr.msg_namelen,
                           .msg_iov = &slot->response_part,
                           .msg_iovlen = 1};
    struct dns_asker asker = {.address = &slot->client.any,
                              .transport = DNS_UDP,
                              .now_s = moment.now_s,
                              .turn = dice_throw(&worker->dice)};
    struct dns_request request;
    if (snapshot == NULL || !may_answer(worker, &query->msg_hdr, slot, out) ||
        !dns_request_read(snapshot, &asker, slot->query, query->msg_len, &request)) {
        count_one(&worker->counters.counts[DNS_COUNT_IGNORED]);
        return false;
    }
    dns_count_request(&worker->counters, &request);
    enum rrl_verdict verdict = limit_rate(worker, snapshot, &asker, &request, slot, moment.now_ms);
    if (verdict == RRL_DROP) {
        return false;
    }
    struct dns_outcome outcome;
    slot->response_part.iov_base = slot->response;
    slot->response_part.iov_len = dns_respond(snapshot, &asker, &request, verdict == RRL_SLIP,
                                              slot->response, RESPONSE_MAX, &outcome);
    dns_count_outcome(&worker->counters, &outcome);
    return true;
}

// An answer that can't be sent (no route, a firewall's veto, no room) costs nobody else his, and
// nobody waits for it.
static void send_answers(struct udp_worker *worker, unsigned count)
{
    for (unsigned sent = 0; sent < count;) {
        int result = sendmmsg(worker->socket, &worker->answers[sent], count - sent,
                              MSG_DONTWAIT | MSG_NOSIGNAL);
        if (result > 0) {
            sent += (unsigned)result;
        } else if (errno != EINTR) {
            count_one(&worker->counters.counts[DNS_COUNT_UNSENT]);
            sent++;
        }
    }
}

// A batch; with MSG_DONTWAIT, nothing in it waits. Returns how many datagrams it was, or -1.
static int serve(struct udp_worker *worker, int flags)
{
    int received = recvmmsg(worker->socket, worker->queries, BATCH, flags, NULL);
    if (received <= 0) {
        return -1;
    }
    struct moment moment = read_clocks();
    const struct dns_snapshot *snapshot = hold_take(worker->publisher, &worker->hold);
    unsigned count = 0;
    for (int i = 0; i < received; i++) {
        if (answer(worker, snapshot, moment, &worker->queries[i], &worker->slots[i],
                   &worker->answers[count].msg_hdr)) {
            count++;
        }
        prepare_query(worker, (size_t)i);
    }
    hold_release(&worker->hold);
    send_answers(worker, count);
    return received;
}

// How many datagrams may have been waiting when the end was called for: with more to come at any
// time, "until there is none" might be never.
static int most_waiting(int socket)
{
    int size = 0;
    socklen_t length = sizeof size;
    getsockopt(socket, SOL_SOCKET, SO_RCVBUF, &size, &length);
    return size / DATAGRAM_COST;
}

static void *run(void *arg)
{
    struct udp_worker *worker = arg;
    dns_thread_begin("dns-udp");
    while (!atomic_load_explicit(&worker->stopping, memory_order_acquire)) {
        if (serve(worker, MSG_WAITFORONE) < 0 && errno != EINTR && errno != EAGAIN) {
            nanosleep(&(struct timespec){.tv_nsec = TROUBLE_MS * 1000000L}, NULL);
        }
    }
    int served = 0;
    for (int left = most_waiting(worker->socket); left > 0 && served >= 0; left -= served) {
        served = serve(worker, MSG_DONTWAIT);
    }
    close(worker->socket);
    return NULL;
}

// Without CAP_NET_ADMIN it is as much as net.core.[rw]mem_max allow, or what systemd has set.
static void set_buffer(const struct udp_worker *worker, int option, int by_force, int size)
{
    if (setsockopt(worker->socket, SOL_SOCKET, by_force, &size, sizeof size) != 0 &&
        !worker->inherited) {
        setsockopt(worker->socket, SOL_SOCKET, option, &size, sizeof size);
    }
}

// The send buffer is large since an answer to an address on a network of ours that is nobody's
// stays in it for seconds, until the kernel gives up looking for that neighbour: with a small one,
// few queries with forged addresses would leave no room for anybody's answers.
//
// None of these is worth failing for, but for the one without which answers would go out from
// whatever address routing likes best.
static int set_options(const struct udp_worker *worker)
{
    int socket = worker->socket;
    int family = AF_UNSPEC;
    socklen_t length = sizeof family;
    if (getsockopt(socket, SOL_SOCKET, SO_DOMAIN, &family, &length) != 0) {
        return -1;
    }
    bool v6 = family == AF_INET6;
    int on = 1;
    set_buffer(worker, SO_RCVBUF, SO_RCVBUFFORCE, BUFFER_SIZE);
    set_buffer(worker, SO_SNDBUF, SO_SNDBUFFORCE, SENDING_MAX);
    if (worker->inherited) {
        struct timeval look = {.tv_usec = LOOK_MS * 1000L};
        setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &look, sizeof look);
    }
    // Fragments could be replaced on their way: none are made (RFC 9715), and no "fragmentation
    // needed", which may be forged, is heeded. Answers are small enough for any path.
    int probe = IP_PMTUDISC_PROBE; // IPv6 has the same number for it
    setsockopt(socket, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_MTU_DISCOVER : IP_MTU_DISCOVER,
               &probe, sizeof probe);
    return worker->wildcard ? setsockopt(socket, v6 ? IPPROTO_IPV6 : IPPROTO_IP,
                                         v6 ? IPV6_RECVPKTINFO : IP_PKTINFO, &on, sizeof on)
                            : 0;
}

struct udp_worker *udp_worker_start(int socket, bool wildcard, bool inherited,
                                    struct publisher *publisher, struct rrl *rrl)
{
    // Buffers that are never used cost no memory: calloc() leaves their pages to the kernel.
    struct udp_worker *worker = calloc(1, sizeof *worker);
    if (worker == NULL) {
        goto err_socket;
    }
    worker->socket = socket;
    worker->wildcard = wildcard;
    worker->inherited = inherited;
    worker->publisher = publisher;
    worker->rrl = rrl;
    socklen_t length = sizeof worker->here;
    if (getsockname(socket, &worker->here.any, &length) != 0 || set_options(worker) != 0 ||
        !dice_seed(&worker->dice)) {
        goto err_worker;
    }
    for (size_t i = 0; i < BATCH; i++) {
        prepare_query(worker, i);
    }
    publisher_add(publisher, &worker->hold);
    if (dns_thread_start(&worker->thread, run, worker) != 0) {
        goto err_hold;
    }
    return worker;

err_hold:
    publisher_remove(publisher, &worker->hold);
err_worker:
    free(worker);
err_socket:
    close(socket);
    return NULL;
}

const struct dns_counters *udp_worker_counters(const struct udp_worker *worker)
{
    return &worker->counters;
}

void udp_worker_stop(struct udp_worker *worker)
{
    // In this order: once it sees the flag, the thread may close the socket at any time.
    if (!worker->inherited) {
        shutdown(worker->socket, SHUT_RD);
    }
    atomic_store_explicit(&worker->stopping, true, memory_order_release);
}

bool udp_worker_ended(struct udp_worker *worker)
{
    worker->joined = worker->joined || pthread_tryjoin_np(worker->thread, NULL) == 0;
    return worker->joined;
}

void udp_worker_free(struct udp_worker *worker)
{
    assert(atomic_load_explicit(&worker->stopping, memory_order_relaxed));
    if (!worker->joined) {
        pthread_join(worker->thread, NULL);
    }
    publisher_remove(worker->publisher, &worker->hold);
    free(worker);
}
