// A BGP tap: see tap.h. One thread per tap runs sessions one after another; the lock guards all
// that the test's thread looks at.
#include "tests/lab/tap.h"
#include "tests/lab/rib.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define BGP_PORT        179
#define HOLD_SECONDS    240
#define KEEPALIVE_MS    1000 // often enough for the shortest hold time, 3 s
#define RETRY_MS        20
#define RECEIVE_BYTES   ((size_t)256 * 1024)
#define FEED_PATHS      500
#define FEED_FIRST      0x14000000U // 20.0.0.0
#define SESSION_WAIT_MS 10000

struct address {
    struct sockaddr_storage storage;
    socklen_t length;
};

struct tap {
    const struct lab_node *node;
    struct address local, peer;
    struct bgp_attributes origin; // of what we announce: AS path, preference
    uint8_t next_hop[2][16];      // by family
    uint32_t as;
    bool passive;
    int wake; // eventfd: something below changed
    pthread_t thread;

    // The thread's own.
    int listener; // passive only, else -1
    uint8_t *received;
    size_t received_length;

    pthread_mutex_t lock; // of everything below
    bool ending, wanted;
    uint64_t established_ns; // 0: not
    struct rib rib;
    uint8_t *queue; // bytes to the router
    size_t queue_begin, queue_end, queue_capacity;
};

// ---- Queue (locked)

static void queue_put(struct tap *tap, const uint8_t *bytes, size_t length)
{
    if (tap->queue_end + length > tap->queue_capacity) {
        tap->queue_capacity = 2 * (tap->queue_end + length);
        tap->queue = realloc(tap->queue, tap->queue_capacity);
        if (tap->queue == NULL) {
            abort(); // the router would be told half of it
        }
    }
    memcpy(tap->queue + tap->queue_end, bytes, length);
    tap->queue_end += length;
}

static bool queue_is_empty(const struct tap *tap)
{
    return tap->queue_begin == tap->queue_end;
}

static void queue_clear(struct tap *tap)
{
    tap->queue_begin = tap->queue_end = 0;
}

static bool queue_write(struct tap *tap, int fd)
{
    while (!queue_is_empty(tap)) {
        ssize_t sent = send(fd, tap->queue + tap->queue_begin, tap->queue_end - tap->queue_begin,
                            MSG_NOSIGNAL | MSG_DONTWAIT);

        if (sent < 0) {
            return errno == EAGAIN || errno == EINTR;
        }
        tap->queue_begin += (size_t)sent;
    }
    queue_clear(tap);
    return true;
}

// ---- What is received (locked)

struct arrival {
    struct tap *tap;
    uint64_t ns;
    const struct bgp_attributes *attributes; // kept once for all prefixes of the message
};

static void on_prefix(void *arg, const struct bgp_prefix *prefix,
                      const struct bgp_attributes *attributes)
{
    struct arrival *arrival = arg;
    struct rib *rib = &arrival->tap->rib;

    if (attributes != NULL && arrival->attributes == NULL) {
        arrival->attributes = rib_keep(rib, attributes);
    }
    struct tap_event event = {
        .ns = arrival->ns,
        .kind = attributes != NULL ? TAP_ANNOUNCED : TAP_WITHDRAWN,
        .prefix = *prefix,
        .attributes = attributes != NULL ? arrival->attributes : NULL,
    };
    rib_add(rib, &event);
}

static void put_keepalive(struct tap *tap)
{
    uint8_t message[BGP_MESSAGE_MAX];

    queue_put(tap, message, bgp_write_keepalive(message));
}

// False when the session is at its end.
static bool on_message(struct tap *tap, const uint8_t *message, size_t length, uint64_t ns)
{
    struct arrival arrival = {.tap = tap, .ns = ns};

    switch (bgp_message_type(message)) {
    case BGP_OPEN:
        put_keepalive(tap);
        return true;
    case BGP_KEEPALIVE:
        if (tap->established_ns == 0) {
            tap->established_ns = ns;
        }
        return true;
    case BGP_UPDATE:
        return bgp_read_update(message, length, on_prefix, &arrival);
    case BGP_NOTIFICATION:
        return false;
    }
    return true; // ROUTE-REFRESH and the like are not for us
}

static bool on_bytes(struct tap *tap, uint64_t ns)
{
    size_t at = 0;
    ssize_t length = 0;
    bool going = true;

    while (going &&
           (length = bgp_message_length(tap->received + at, tap->received_length - at)) > 0) {
        going = on_message(tap, tap->received + at, (size_t)length, ns);
        at += (size_t)length;
    }
    tap->received_length -= at;
    memmove(tap->received, tap->received + at, tap->received_length);
    return going && length >= 0;
}

// ---- Sessions, on the tap's thread

static bool is_wanted(struct tap *tap)
{
    pthread_mutex_lock(&tap->lock);
    bool wanted = tap->wanted && !tap->ending;
    pthread_mutex_unlock(&tap->lock);
    return wanted;
}

// Waits for events on fd (-1: none) or a wake, which it takes back. Returns fd's events.
static short wait_for(struct tap *tap, int fd, short events, int timeout_ms)
{
    struct pollfd polled[] = {{.fd = tap->wake, .events = POLLIN}, {.fd = fd, .events = events}};
    uint64_t wakes;

    if (poll(polled, 2, timeout_ms) > 0 && polled[0].revents != 0) {
        (void)!read(tap->wake, &wakes, sizeof wakes);
    }
    return polled[1].revents;
}

static int accept_router(struct tap *tap)
{
    if (wait_for(tap, tap->listener, POLLIN, -1) == 0) {
        return -1;
    }
    return accept4(tap->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
}

static int connect_router(struct tap *tap)
{
    int error = 0;
    socklen_t size = sizeof error;
    int fd = socket(tap->peer.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0) {
        return -1;
    }
    if (bind(fd, (struct sockaddr *)&tap->local.storage, tap->local.length) == 0 &&
        (connect(fd, (struct sockaddr *)&tap->peer.storage, tap->peer.length) == 0 ||
         errno == EINPROGRESS) &&
        (wait_for(tap, fd, POLLOUT, 1000) & POLLOUT) != 0 &&
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0) {
        return fd;
    }
    close(fd);
    return -1;
}

static void session_begin(struct tap *tap)
{
    uint8_t message[BGP_MESSAGE_MAX];
    const struct sockaddr_in *local = (const struct sockaddr_in *)&tap->local.storage;
    const struct sockaddr_in6 *local6 = (const struct sockaddr_in6 *)&tap->local.storage;
    uint32_t id;

    if (tap->local.storage.ss_family == AF_INET) {
        id = ntohl(local->sin_addr.s_addr);
    } else {
        memcpy(&id, local6->sin6_addr.s6_addr + 12, sizeof id);
        id = ntohl(id) | 0x0a000000U;
    }
    tap->received_length = 0;
    pthread_mutex_lock(&tap->lock);
    queue_clear(tap);
    queue_put(tap, message, bgp_write_open(message, tap->as, HOLD_SECONDS, id));
    pthread_mutex_unlock(&tap->lock);
}

static void session_end(struct tap *tap, int fd)
{
    uint8_t message[BGP_MESSAGE_MAX];

    if (!is_wanted(tap)) {
        (void)send(fd, message, bgp_write_cease(message), MSG_NOSIGNAL | MSG_DONTWAIT);
    }
    close(fd);
    pthread_mutex_lock(&tap->lock);
    tap->established_ns = 0;
    queue_clear(tap);
    rib_lose_all(&tap->rib, lab_now_ns());
    pthread_mutex_unlock(&tap->lock);
}

// One turn: write what waits, read what came. False when the session is at its end.
static bool session_turn(struct tap *tap, int fd)
{
    pthread_mutex_lock(&tap->lock);
    bool going = queue_write(tap, fd);
    const short events = (short)(POLLIN | (queue_is_empty(tap) ? 0 : POLLOUT));
    pthread_mutex_unlock(&tap->lock);

    const short ready = going ? wait_for(tap, fd, events, KEEPALIVE_MS) : 0;
    if ((ready & (POLLIN | POLLHUP | POLLERR)) == 0) {
        return going;
    }
    ssize_t got = recv(fd, tap->received + tap->received_length,
                       RECEIVE_BYTES - tap->received_length, MSG_DONTWAIT);
    uint64_t ns = lab_now_ns();
    int on = 1;
    // BIRD's next message waits for our acknowledgement (Nagle), which the kernel would delay by 40
    // ms.
    setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
    if (got <= 0) {
        return got < 0 && (errno == EAGAIN || errno == EINTR);
    }
    tap->received_length += (size_t)got;
    pthread_mutex_lock(&tap->lock);
    going = on_bytes(tap, ns);
    pthread_mutex_unlock(&tap->lock);
    return going;
}

static void session_run(struct tap *tap, int fd)
{
    int on = 1;
    uint64_t keepalive_ns = lab_now_ns();

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    session_begin(tap);
    while (is_wanted(tap) && session_turn(tap, fd)) {
        if (lab_now_ns() - keepalive_ns > KEEPALIVE_MS * UINT64_C(1000000)) {
            keepalive_ns = lab_now_ns();
            pthread_mutex_lock(&tap->lock);
            if (tap->established_ns != 0) {
                put_keepalive(tap);
            }
            pthread_mutex_unlock(&tap->lock);
        }
    }
    session_end(tap, fd);
}

static bool is_ending(struct tap *tap)
{
    pthread_mutex_lock(&tap->lock);
    bool ending = tap->ending;
    pthread_mutex_unlock(&tap->lock);
    return ending;
}

static void *tap_main(void *arg)
{
    struct tap *tap = arg;

    lab_enter(tap->node);
    while (!is_ending(tap)) {
        if (!is_wanted(tap)) {
            (void)wait_for(tap, -1, 0, -1);
            continue;
        }
        int fd = tap->passive ? accept_router(tap) : connect_router(tap);
        if (fd >= 0) {
            session_run(tap, fd);
        }
        (void)wait_for(tap, -1, 0, RETRY_MS);
    }
    lab_leave();
    return NULL;
}

// ---- From the test's thread

static void wake(struct tap *tap)
{
    uint64_t one = 1;

    (void)!write(tap->wake, &one, sizeof one);
}

static struct address parse_address(const char *text, uint16_t port)
{
    struct address address = {.length = sizeof(struct sockaddr_in)};
    struct sockaddr_in *v4 = (struct sockaddr_in *)&address.storage;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&address.storage;

    if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
    } else if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(port);
        address.length = sizeof *v6;
    } else {
        lab_fail("start a tap: \"%s\" is no address", text);
    }
    return address;
}

static int listen_at(const struct lab_node *node, const struct address *local)
{
    int on = 1;
    int fd = lab_socket(node, local->storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK);

    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (const struct sockaddr *)&local->storage, local->length) != 0 ||
        listen(fd, 8) != 0) {
        lab_fail("listen for BGP in node %s: %s", lab_name(node), strerror(errno));
    }
    return fd;
}

static void set_next_hop(struct tap *tap, const char *address)
{
    struct address parsed = parse_address(address, 0);
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)&parsed.storage;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&parsed.storage;

    if (parsed.storage.ss_family == AF_INET) {
        memcpy(tap->next_hop[BGP_V4], &v4->sin_addr, 4);
    } else {
        memcpy(tap->next_hop[BGP_V6], &v6->sin6_addr, 16);
    }
}

// RFC 4271, section 5.1: our AS goes before the path towards another AS only, LOCAL_PREF inside
// ours.
static void set_origin(struct tap *tap, const struct tap_options *options)
{
    if (options->as != options->router_as) {
        tap->origin.as_path[tap->origin.as_path_length++] = options->as;
    } else {
        tap->origin.has_local_pref = true;
        tap->origin.local_pref = 100;
    }
    set_next_hop(tap, options->local);
    if (options->other != NULL) {
        set_next_hop(tap, options->other);
    }
}

static void tap_end(void *arg)
{
    struct tap *tap = arg;

    pthread_mutex_lock(&tap->lock);
    tap->ending = true;
    pthread_mutex_unlock(&tap->lock);
    wake(tap);
    pthread_join(tap->thread, NULL);
    if (tap->listener >= 0) {
        close(tap->listener);
    }
    close(tap->wake);
    pthread_mutex_destroy(&tap->lock);
    rib_free(&tap->rib);
    free(tap->queue);
    free(tap->received);
    free(tap);
}

struct tap *tap_start(struct lab_node *node, const struct tap_options *options)
{
    struct tap *tap = calloc(1, sizeof *tap);

    if (tap == NULL || (tap->received = malloc(RECEIVE_BYTES)) == NULL) {
        lab_fail("out of memory");
    }
    tap->node = node;
    tap->as = options->as;
    set_origin(tap, options);
    tap->passive = options->passive;
    tap->local = parse_address(options->local, options->passive ? BGP_PORT : 0);
    tap->peer = parse_address(options->peer, BGP_PORT);
    tap->wanted = true;
    tap->listener = tap->passive ? listen_at(node, &tap->local) : -1;
    tap->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    pthread_mutex_init(&tap->lock, NULL);
    if (tap->wake < 0 || pthread_create(&tap->thread, NULL, tap_main, tap) != 0) {
        lab_fail("start a thread for a tap in node %s", lab_name(node));
    }
    lab_at_clear(tap_end, tap);
    return tap;
}

uint64_t tap_established_at_ns(struct tap *tap)
{
    pthread_mutex_lock(&tap->lock);
    uint64_t ns = tap->established_ns;
    pthread_mutex_unlock(&tap->lock);
    return ns;
}

bool tap_established(struct tap *tap)
{
    return tap_established_at_ns(tap) != 0;
}

static void set_wanted(struct tap *tap, bool wanted)
{
    pthread_mutex_lock(&tap->lock);
    tap->wanted = wanted;
    pthread_mutex_unlock(&tap->lock);
    wake(tap);
}

void tap_drop_session(struct tap *tap)
{
    set_wanted(tap, false);
    LAB_WAIT(!tap_established(tap), "the tap to drop its session", SESSION_WAIT_MS);
}

void tap_reconnect(struct tap *tap)
{
    set_wanted(tap, true);
}

static struct bgp_prefix parse_prefix(const char *text)
{
    struct bgp_prefix prefix;

    if (!bgp_prefix_parse(text, &prefix)) {
        lab_fail("look at a tap: \"%s\" is no prefix", text);
    }
    return prefix;
}

// A copy; all zero when never heard of.
static struct rib_route find(struct tap *tap, const char *text)
{
    struct bgp_prefix prefix = parse_prefix(text);

    pthread_mutex_lock(&tap->lock);
    const struct rib_route *route = rib_find(&tap->rib, &prefix);
    struct rib_route copy = route != NULL ? *route : (struct rib_route){0};
    pthread_mutex_unlock(&tap->lock);
    return copy;
}

bool tap_has(struct tap *tap, const char *prefix)
{
    return find(tap, prefix).present;
}

const struct bgp_attributes *tap_route(struct tap *tap, const char *prefix)
{
    struct rib_route route = find(tap, prefix);

    return route.present ? route.attributes : NULL;
}

bool tap_has_community(struct tap *tap, const char *prefix, uint32_t high, uint32_t low)
{
    const struct bgp_attributes *route = tap_route(tap, prefix);

    for (size_t i = 0; route != NULL && i < route->community_count; i++) {
        if (route->communities[i][0] == high && route->communities[i][1] == low) {
            return true;
        }
    }
    return false;
}

uint64_t tap_announced_at_ns(struct tap *tap, const char *prefix)
{
    return find(tap, prefix).announced_ns;
}

uint64_t tap_withdrawn_at_ns(struct tap *tap, const char *prefix)
{
    return find(tap, prefix).withdrawn_ns;
}

size_t tap_route_count(struct tap *tap)
{
    pthread_mutex_lock(&tap->lock);
    size_t count = tap->rib.present_count;
    pthread_mutex_unlock(&tap->lock);
    return count;
}

size_t tap_event_count(struct tap *tap)
{
    pthread_mutex_lock(&tap->lock);
    size_t count = tap->rib.event_count;
    pthread_mutex_unlock(&tap->lock);
    return count;
}

size_t tap_events(struct tap *tap, size_t mark, const char *prefix, struct tap_event *out,
                  size_t size)
{
    struct bgp_prefix only = prefix != NULL ? parse_prefix(prefix) : (struct bgp_prefix){0};
    size_t count = 0;

    pthread_mutex_lock(&tap->lock);
    for (size_t i = mark; i < tap->rib.event_count; i++) {
        const struct tap_event *event = &tap->rib.events[i];

        if (prefix == NULL || memcmp(&event->prefix, &only, sizeof only) == 0) {
            if (count < size) {
                out[count] = *event;
            }
            count++;
        }
    }
    pthread_mutex_unlock(&tap->lock);
    return count;
}

// ---- Announcing

static void send_update(struct tap *tap, const struct bgp_attributes *attributes,
                        const struct bgp_prefix *prefixes, size_t count)
{
    uint8_t message[BGP_MESSAGE_MAX];
    bool established;

    pthread_mutex_lock(&tap->lock);
    established = tap->established_ns != 0;
    while (established && count > 0) {
        size_t taken = 0;
        size_t length = bgp_write_update(message, attributes, prefixes, count, &taken);

        queue_put(tap, message, length);
        prefixes += taken;
        count -= taken;
    }
    pthread_mutex_unlock(&tap->lock);
    if (!established) {
        lab_fail("send an UPDATE from the tap in node %s: no session", lab_name(tap->node));
    }
    wake(tap);
}

// attributes with what we add: see set_origin().
static struct bgp_attributes complete(const struct tap *tap,
                                      const struct bgp_attributes *attributes, uint8_t family)
{
    static const struct bgp_attributes none;
    struct bgp_attributes out = attributes != NULL ? *attributes : none;
    const struct bgp_attributes *given = attributes != NULL ? attributes : &none;

    out.as_path_length = tap->origin.as_path_length;
    memcpy(out.as_path, tap->origin.as_path, sizeof out.as_path);
    for (size_t i = 0; i < given->as_path_length && out.as_path_length < BGP_PATH_MAX; i++) {
        out.as_path[out.as_path_length++] = given->as_path[i];
    }
    if (!out.has_local_pref) {
        out.has_local_pref = tap->origin.has_local_pref;
        out.local_pref = tap->origin.local_pref;
    }
    memcpy(out.next_hop, tap->next_hop[family], sizeof out.next_hop);
    return out;
}

void tap_announce(struct tap *tap, const char *prefix, const struct bgp_attributes *attributes)
{
    struct bgp_prefix parsed = parse_prefix(prefix);
    struct bgp_attributes completed = complete(tap, attributes, parsed.family);

    send_update(tap, &completed, &parsed, 1);
}

void tap_withdraw(struct tap *tap, const char *prefix)
{
    struct bgp_prefix parsed = parse_prefix(prefix);

    send_update(tap, NULL, &parsed, 1);
}

static struct bgp_prefix feed_prefix(size_t number)
{
    uint32_t address = htonl(FEED_FIRST + ((uint32_t)number << 8));
    struct bgp_prefix prefix = {.family = BGP_V4, .length = 24};

    memcpy(prefix.address, &address, sizeof address);
    return prefix;
}

void tap_feed(struct tap *tap, size_t count)
{
    struct bgp_prefix prefixes[1000];
    size_t fed = 0;

    assert(count <= TAP_FEED_MAX);
    while (fed < count) {
        uint32_t path = (uint32_t)(fed / 1000 % FEED_PATHS);
        struct bgp_attributes attributes = {
            .as_path = {65000 + path % 7, 64000 + path},
            .as_path_length = 2,
        };
        struct bgp_attributes completed = complete(tap, &attributes, BGP_V4);
        size_t part = 0;

        while (part < sizeof prefixes / sizeof *prefixes && fed < count) {
            prefixes[part++] = feed_prefix(fed++);
        }
        send_update(tap, &completed, prefixes, part);
    }
}

bool tap_flushed(struct tap *tap)
{
    pthread_mutex_lock(&tap->lock);
    bool flushed = queue_is_empty(tap);
    pthread_mutex_unlock(&tap->lock);
    return flushed;
}
