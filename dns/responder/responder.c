// Sockets, threads and snapshots of the responder (see responder.h).
//
// An address has a stack of UDP workers, the newest on top. The first socket is bound without
// SO_REUSEPORT, so that a second popgated or another name server on the address is found out; only
// then it is opened to the others of its group, which the kernel knows in the order of their
// binding.
//
// A socket of such a group is not closed while the address is wanted: however well its thread
// empties it, the kernel gives it datagrams until it is gone (while a socket leaves the group, it
// is still found by its address), and these would be lost. With fewer threads wanted the kernel is
// told to use the first sockets only, and the threads of the others sleep until they are wanted
// again.

#include "dns/responder/responder.h"
#include "dns/responder/udp.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ADDRESS_TEXT_MAX (INET6_ADDRSTRLEN + 10)
#define TCP_BACKLOG      1024
// Of a connection: enough for what DNS says, and all that a client who does not read can take from
// the kernel, whose TCP memory BGP needs too.
#define TCP_SEND_BUFFER    65536
#define TCP_RECEIVE_BUFFER 16384

struct worker {
    struct udp_worker *udp;
    int socket; // the UDP worker's; here only to set options
    enum dns_channel channel;
    struct worker *next;
};

struct station { // one address
    struct endpoint address;
    int tcp; // the TCP server's socket
    struct worker *workers;
    unsigned count;  // of them
    unsigned active; // that get datagrams: the oldest ones; 0: the station is new
    bool inherited;  // the first worker's socket
    bool wanted;     // by the responder_listen() at hand
    struct station *next;
};

struct responder {
    struct publisher *publisher;
    struct tcp_server *tcp; // NULL: there was nothing to listen on yet
    struct rrl *rrl;        // likewise
    struct station *stations;
    struct worker *leaving;
    struct dns_totals past; // of workers that are gone
    int *inherited;         // for life: threads get descriptors of their own
    size_t inherited_count;
};

// ---- Addresses

static bool is_wildcard(const struct endpoint *address)
{
    if (address->address.ss_family == AF_INET6) {
        return IN6_IS_ADDR_UNSPECIFIED(
            &((const struct sockaddr_in6 *)&address->address)->sin6_addr);
    }
    return ((const struct sockaddr_in *)&address->address)->sin_addr.s_addr == INADDR_ANY;
}

static bool same_v4(const struct sockaddr_in *a, const struct sockaddr_in *b)
{
    return a->sin_port == b->sin_port && a->sin_addr.s_addr == b->sin_addr.s_addr;
}

static bool same_v6(const struct sockaddr_in6 *a, const struct sockaddr_in6 *b)
{
    return a->sin6_port == b->sin6_port && a->sin6_scope_id == b->sin6_scope_id &&
           IN6_ARE_ADDR_EQUAL(&a->sin6_addr, &b->sin6_addr);
}

static bool same_address(const struct sockaddr *a, const struct sockaddr *b)
{
    if (a->sa_family != b->sa_family) {
        return false;
    }
    return a->sa_family == AF_INET6
               ? same_v6((const struct sockaddr_in6 *)a, (const struct sockaddr_in6 *)b)
               : same_v4((const struct sockaddr_in *)a, (const struct sockaddr_in *)b);
}

static const char *address_text(const struct endpoint *address, char out[ADDRESS_TEXT_MAX])
{
    bool v6 = address->address.ss_family == AF_INET6;
    const struct sockaddr_in *in = (const struct sockaddr_in *)&address->address;
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&address->address;
    char host[INET6_ADDRSTRLEN] = "";
    inet_ntop(address->address.ss_family, v6 ? (const void *)&in6->sin6_addr : &in->sin_addr, host,
              sizeof host);
    snprintf(out, ADDRESS_TEXT_MAX, v6 ? "[%s]:%u" : "%s:%u", host,
             ntohs(v6 ? in6->sin6_port : in->sin_port));
    return out;
}

// ---- Errors

static const char *advice_for(int error)
{
    static const struct {
        int error;
        const char *advice;
    } table[] = {
        {EACCES, " (needs CAP_NET_BIND_SERVICE or systemd's socket activation)"},
        {EADDRINUSE, " (another server has it: ss -lnp tells which)"},
        {EINVAL, " (link-local, multicast and IPv4-mapped addresses can't be had)"},
        {EAFNOSUPPORT, " (this host has no IPv6)"},
        {EMFILE, " (popgated is out of file descriptors: LimitNOFILE=)"},
        {ENFILE, " (this host is out of file descriptors: fs.file-max)"},
        {EAGAIN, " (no more threads: TasksMax=)"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        if (table[i].error == error) {
            return table[i].advice;
        }
    }
    return "";
}

// Describes errno; returns -1.
static int fail(char error[ERROR_MAX], const char *attempted, const struct endpoint *address,
                const char *transport)
{
    int number = errno;
    char text[ADDRESS_TEXT_MAX];
    return error_say(error, "can't %s %s/%s: %s%s", attempted, address_text(address, text),
                     transport, strerror(number), advice_for(number));
}

// ---- Sockets

static bool set(int socket, int level, int option, int value)
{
    return setsockopt(socket, level, option, &value, sizeof value) == 0;
}

// Bound, or -1 and errno. shared: joins the group of those that are there.
static int open_socket(const struct endpoint *address, int type, bool shared)
{
    bool v6 = address->address.ss_family == AF_INET6;
    int opened = socket(address->address.ss_family, type | SOCK_CLOEXEC, 0);
    if (opened < 0) {
        return -1;
    }
    if ((v6 && !set(opened, IPPROTO_IPV6, IPV6_V6ONLY, 1)) ||
        !(v6 ? set(opened, IPPROTO_IPV6, IPV6_FREEBIND, 1)
             : set(opened, IPPROTO_IP, IP_FREEBIND, 1)) ||
        (type == SOCK_STREAM && !set(opened, SOL_SOCKET, SO_REUSEADDR, 1)) ||
        (shared && !set(opened, SOL_SOCKET, SO_REUSEPORT, 1)) ||
        bind(opened, (const struct sockaddr *)&address->address, address->length) != 0) {
        int error = errno;
        close(opened);
        errno = error;
        return -1;
    }
    return opened;
}

static bool is_bound_to(int socket, const struct endpoint *address, int type)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } bound = {.v6.sin6_family = AF_UNSPEC};
    socklen_t length = sizeof bound, type_length = sizeof(int);
    int its_type = 0;
    return getsockname(socket, &bound.any, &length) == 0 &&
           getsockopt(socket, SOL_SOCKET, SO_TYPE, &its_type, &type_length) == 0 &&
           its_type == type && same_address(&bound.any, (const struct sockaddr *)&address->address);
}

// [::] that takes IPv4 too would show us IPv4 clients in disguise.
static bool is_dual(int socket, const struct endpoint *address)
{
    int only_v6 = 1;
    socklen_t length = sizeof only_v6;
    return address->address.ss_family == AF_INET6 && is_wildcard(address) &&
           getsockopt(socket, IPPROTO_IPV6, IPV6_V6ONLY, &only_v6, &length) == 0 && !only_v6;
}

// A descriptor of our own for an inherited socket; -1 and why not.
static int borrow(int inherited, const struct endpoint *address, const char *transport,
                  char error[ERROR_MAX])
{
    char text[ADDRESS_TEXT_MAX];
    if (is_dual(inherited, address)) {
        return error_say(error,
                         "can't listen on %s/%s: systemd's socket takes IPv4 too (set "
                         "BindIPv6Only=ipv6-only in its .socket unit)",
                         address_text(address, text), transport);
    }
    int socket = fcntl(inherited, F_DUPFD_CLOEXEC, 0);
    return socket >= 0 ? socket : fail(error, "listen on", address, transport);
}

// Sockets that were given up and are not closed yet may have the address that is wanted again: they
// let others join them (see close_station()).
static bool must_share(const struct responder *responder)
{
    return responder->leaving != NULL || tcp_server_unlistening(responder->tcp);
}

// ---- UDP: a group of sockets, a worker each

// Classic BPF, run by the kernel for each datagram: the query's id modulo count is the index of the
// socket that gets it (of a shorter one than that: the first).
static void steer(int socket, unsigned count)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 0),
        BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, count),
        BPF_STMT(BPF_RET | BPF_A, 0),
    };
    struct sock_fprog program = {.len = sizeof code / sizeof *code, .filter = code};
    setsockopt(socket, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof program);
}

// Without the program, the kernel uses all of them. Should it refuse one, there are more threads at
// work than wanted, which nobody needs to be woken for.
static void activate(struct station *station, unsigned threads)
{
    assert(station->workers != NULL);
    unsigned active = threads < station->count ? threads : station->count;
    int socket = station->workers->socket;
    if (active < station->count) {
        steer(socket, active);
    } else if (station->active < active) {
        set(socket, SOL_SOCKET, SO_DETACH_REUSEPORT_BPF, 0);
    }
    station->active = active;
}

// Takes over the socket.
static int add_worker(struct responder *responder, struct station *station, int socket,
                      bool inherited, char error[ERROR_MAX])
{
    struct worker *worker = malloc(sizeof *worker);
    if (worker == NULL) {
        close(socket);
        return fail(error, "start a thread for", &station->address, "udp");
    }
    worker->udp = udp_worker_start(socket, is_wildcard(&station->address), inherited,
                                   responder->publisher, responder->rrl);
    if (worker->udp == NULL) {
        free(worker);
        return fail(error, "start a thread for", &station->address, "udp");
    }
    worker->socket = socket;
    worker->channel = station->address.address.ss_family == AF_INET6 ? DNS_UDP6 : DNS_UDP4;
    worker->next = station->workers;
    station->workers = worker;
    station->count++;
    return 0;
}

static int adopt_workers(struct responder *responder, struct station *station,
                         char error[ERROR_MAX])
{
    for (size_t i = 0; i < responder->inherited_count; i++) {
        if (!is_bound_to(responder->inherited[i], &station->address, SOCK_DGRAM)) {
            continue;
        }
        station->inherited = true;
        int socket = borrow(responder->inherited[i], &station->address, "udp", error);
        if (socket < 0) {
            return -1;
        }
        fcntl(socket, F_SETFL, 0); // its worker sleeps in it
        if (add_worker(responder, station, socket, true, error) != 0) {
            return -1;
        }
    }
    return 0;
}

static void stop_workers(struct responder *responder, struct station *station)
{
    while (station->workers != NULL) {
        struct worker *worker = station->workers;
        station->workers = worker->next;
        set(worker->socket, SOL_SOCKET, SO_REUSEPORT, 1);
        udp_worker_stop(worker->udp);
        worker->next = responder->leaving;
        responder->leaving = worker;
    }
}

// wait: for those too that have not ended yet.
static void reap_workers(struct responder *responder, bool wait)
{
    for (struct worker **at = &responder->leaving; *at != NULL;) {
        struct worker *worker = *at;
        if (wait || udp_worker_ended(worker->udp)) {
            *at = worker->next;
            dns_counters_add(&responder->past, worker->channel, udp_worker_counters(worker->udp));
            udp_worker_free(worker->udp);
            free(worker);
        } else {
            at = &worker->next;
        }
    }
}

static void remark_alone(const struct station *station, int number, char remark[ERROR_MAX])
{
    char text[ADDRESS_TEXT_MAX];
    snprintf(remark, ERROR_MAX,
             "%s/udp has only %u thread%s: %s (more ListenDatagram= of it with ReusePort=yes would "
             "have as many)",
             address_text(&station->address, text), station->count, station->count == 1 ? "" : "s",
             number == EACCES ? "sockets beside systemd's take CAP_NET_BIND_SERVICE"
                              : "systemd's socket lets no other of this user's join");
}

static int add_workers(struct responder *responder, struct station *station, unsigned threads,
                       char error[ERROR_MAX])
{
    while (station->count < threads) {
        if (station->count > 0) {
            set(station->workers->socket, SOL_SOCKET, SO_REUSEPORT, 1); // the first is without
        }
        int socket =
            open_socket(&station->address, SOCK_DGRAM, station->count > 0 || must_share(responder));
        if (socket < 0 && station->inherited && (errno == EADDRINUSE || errno == EACCES)) {
            remark_alone(station, errno, error);
            return 0;
        }
        if (socket < 0) {
            return fail(error, "listen on", &station->address, "udp");
        }
        if (add_worker(responder, station, socket, false, error) != 0) {
            return -1;
        }
    }
    return 0;
}

// ---- Stations

// Bound: the inherited one if there is any; -1 and why not.
static int tcp_socket(const struct responder *responder, const struct endpoint *address,
                      char error[ERROR_MAX])
{
    for (size_t i = 0; i < responder->inherited_count; i++) {
        if (is_bound_to(responder->inherited[i], address, SOCK_STREAM)) {
            return borrow(responder->inherited[i], address, "tcp", error);
        }
    }
    int socket = open_socket(address, SOCK_STREAM, must_share(responder));
    return socket >= 0 ? socket : fail(error, "listen on", address, "tcp");
}

static int open_tcp(struct responder *responder, struct station *station, char error[ERROR_MAX])
{
    int socket = tcp_socket(responder, &station->address, error);
    if (socket < 0) {
        return -1;
    }
    fcntl(socket, F_SETFL, O_NONBLOCK);
    // Connections inherit these.
    set(socket, IPPROTO_TCP, TCP_NODELAY, 1);
    set(socket, SOL_SOCKET, SO_SNDBUF, TCP_SEND_BUFFER);
    set(socket, SOL_SOCKET, SO_RCVBUF, TCP_RECEIVE_BUFFER);
    if (listen(socket, TCP_BACKLOG) != 0) {
        fail(error, "listen on", &station->address, "tcp");
        close(socket);
        return -1;
    }
    if (tcp_server_listen(responder->tcp, socket) != 0) {
        return fail(error, "listen on", &station->address, "tcp");
    }
    station->tcp = socket;
    return 0;
}

// Its sockets are closed a moment later, by their threads; until then they let others join them,
// for the next reload may want the address again.
static void close_station(struct responder *responder, struct station *station)
{
    stop_workers(responder, station);
    if (station->tcp >= 0) {
        set(station->tcp, SOL_SOCKET, SO_REUSEPORT, 1);
        tcp_server_unlisten(responder->tcp, station->tcp);
    }
    free(station);
}

static struct station *find_station(const struct responder *responder,
                                    const struct endpoint *address)
{
    struct station *station = responder->stations;
    while (station != NULL && !same_address((const struct sockaddr *)&station->address.address,
                                            (const struct sockaddr *)&address->address)) {
        station = station->next;
    }
    return station;
}

static int open_station(struct responder *responder, const struct endpoint *address,
                        unsigned threads, char error[ERROR_MAX])
{
    struct station *station = malloc(sizeof *station);
    if (station == NULL) {
        return fail(error, "listen on", address, "tcp");
    }
    *station = (struct station){.address = *address, .tcp = -1, .wanted = true};
    if (open_tcp(responder, station, error) != 0 || adopt_workers(responder, station, error) != 0 ||
        add_workers(responder, station, threads, error) != 0) {
        close_station(responder, station);
        return -1;
    }
    station->next = responder->stations;
    responder->stations = station;
    return 0;
}

static int want(struct responder *responder, const struct endpoint *address, unsigned threads,
                char error[ERROR_MAX])
{
    struct station *station = find_station(responder, address);
    if (station == NULL) {
        return open_station(responder, address, threads, error);
    }
    if (station->wanted) {
        errno = EADDRINUSE;
        return fail(error, "listen twice on", address, "udp");
    }
    station->wanted = true;
    return add_workers(responder, station, threads, error);
}

// What only the former conf wanted goes.
static void keep_wanted(struct responder *responder, unsigned threads)
{
    for (struct station **at = &responder->stations; *at != NULL;) {
        struct station *station = *at;
        if (station->wanted) {
            activate(station, threads);
            at = &station->next;
        } else {
            *at = station->next;
            close_station(responder, station);
        }
    }
}

// What only the conf at hand wanted goes.
static void keep_former(struct responder *responder)
{
    for (struct station **at = &responder->stations; *at != NULL;) {
        struct station *station = *at;
        if (station->active > 0) {
            activate(station, station->active);
            at = &station->next;
        } else {
            *at = station->next;
            close_station(responder, station);
        }
    }
}

// ---- The responder

struct responder *responder_new(const int *inherited, size_t inherited_count)
{
    struct responder *responder = calloc(1, sizeof *responder);
    if (responder == NULL) {
        goto err_inherited;
    }
    responder->publisher = publisher_new();
    responder->inherited = calloc(inherited_count + 1, sizeof *inherited); // never of size 0
    if (responder->publisher == NULL || responder->inherited == NULL) {
        goto err_responder;
    }
    if (inherited_count > 0) {
        memcpy(responder->inherited, inherited, inherited_count * sizeof *inherited);
    }
    responder->inherited_count = inherited_count;
    return responder;

err_responder:
    publisher_free(responder->publisher);
    free(responder->inherited);
    free(responder);
err_inherited:
    for (size_t i = 0; i < inherited_count; i++) {
        close(inherited[i]);
    }
    return NULL;
}

// What all addresses share, before there is the first.
static int start_shared(struct responder *responder, const struct tcp_limits *limits,
                        char error[ERROR_MAX])
{
    responder->rrl = responder->rrl != NULL ? responder->rrl : rrl_new();
    if (responder->rrl == NULL) {
        return error_say(error, "can't have a table for the rate limit: %s", strerror(errno));
    }
    responder->tcp = tcp_server_start(limits, responder->publisher);
    if (responder->tcp == NULL) {
        return error_say(error, "can't start the thread for DNS over TCP: %s%s", strerror(errno),
                         advice_for(errno));
    }
    return 0;
}

int responder_listen(struct responder *responder, const struct responder_conf *conf,
                     char error[ERROR_MAX])
{
    assert(conf->listen_count == 0 || conf->threads > 0);
    assert(conf->threads <= RESPONDER_THREADS_MAX);
    error[0] = '\0';
    reap_workers(responder, false);
    if (responder->tcp == NULL && conf->listen_count > 0 &&
        start_shared(responder, &conf->tcp, error) != 0) {
        return -1;
    }
    for (struct station *station = responder->stations; station != NULL; station = station->next) {
        station->wanted = false;
    }
    for (size_t i = 0; i < conf->listen_count; i++) {
        if (want(responder, &conf->listen[i], conf->threads, error) != 0) {
            keep_former(responder);
            return -1;
        }
    }
    keep_wanted(responder, conf->threads);
    if (responder->tcp != NULL) {
        tcp_server_set_limits(responder->tcp, &conf->tcp);
    }
    return 0;
}

void responder_publish(struct responder *responder, struct dns_snapshot *snapshot)
{
    publisher_publish(responder->publisher, snapshot);
    reap_workers(responder, false);
}

static void add_workers_totals(const struct worker *workers, struct dns_totals *totals)
{
    for (const struct worker *worker = workers; worker != NULL; worker = worker->next) {
        dns_counters_add(totals, worker->channel, udp_worker_counters(worker->udp));
    }
}

void responder_totals(const struct responder *responder, struct dns_totals *out)
{
    *out = responder->past;
    add_workers_totals(responder->leaving, out);
    for (const struct station *station = responder->stations; station != NULL;
         station = station->next) {
        add_workers_totals(station->workers, out);
    }
    if (responder->tcp != NULL) {
        dns_counters_add(out, DNS_TCP4, tcp_server_counters(responder->tcp, false));
        dns_counters_add(out, DNS_TCP6, tcp_server_counters(responder->tcp, true));
        out->tcp_open = tcp_server_open(responder->tcp);
    }
}

void responder_free(struct responder *responder)
{
    if (responder == NULL) {
        return;
    }
    while (responder->stations != NULL) {
        struct station *station = responder->stations;
        responder->stations = station->next;
        close_station(responder, station);
    }
    reap_workers(responder, true);
    if (responder->tcp != NULL) {
        tcp_server_stop(responder->tcp);
    }
    for (size_t i = 0; i < responder->inherited_count; i++) {
        close(responder->inherited[i]);
    }
    publisher_free(responder->publisher);
    rrl_free(responder->rrl);
    free(responder->inherited);
    free(responder);
}
