#include "controller/api/listen.h"

#include "controller/api/api.h"

#include "base/clock.h"

#include "base/endpoint.h"
#include "base/groups.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define REQUEST_MS      10000 // from connecting to the whole request, and from the answer to its end
#define SWEEP_MS        1000
#define ACCEPTS_AT_ONCE 16
#define GROUP_WITHIN_MS 1000 // a start waits no longer for the name of [control] group

static const unsigned peers_max[PEER_KINDS] = {
    [PEER_OPERATOR] = 32, [PEER_LOCAL] = 16, [PEER_TCP] = 16};

static uint64_t clock_ms(void)
{
    return uv_hrtime() / NS_PER_MS;
}

// ---- Peers

static bool in_group(int fd, gid_t primary, gid_t group)
{
    gid_t few[64];
    gid_t *groups = few;
    socklen_t size = sizeof few;
    if (primary == group) {
        return true;
    }
    int result = getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size);
    if (result != 0 && errno == ERANGE) {
        groups = malloc(size);
        result = groups != NULL ? getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) : -1;
    }
    bool found = false;
    for (size_t i = 0; result == 0 && i < size / sizeof *groups; i++) {
        found = found || groups[i] == group;
    }
    if (groups != few) {
        free(groups);
    }
    return found;
}

static bool is_member(const struct listening *listening, int fd, gid_t primary)
{
    gid_t group;
    return listening->group != NULL && group_found(listening->group, &group) &&
           in_group(fd, primary, group);
}

// The kernel's word for who connected.
static enum peer_kind peer_of(const struct listening *listening, int fd, uid_t *uid, pid_t *pid)
{
    struct ucred peer;
    int domain;
    socklen_t size = sizeof domain;
    *uid = (uid_t)-1;
    *pid = 0;
    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) != 0 || domain != AF_UNIX) {
        return PEER_TCP;
    }
    size = sizeof peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) {
        return PEER_LOCAL;
    }
    *uid = peer.uid;
    *pid = peer.pid;
    bool may_change = peer.uid == 0 || peer.uid == geteuid() || is_member(listening, fd, peer.gid);
    return may_change ? PEER_OPERATOR : PEER_LOCAL;
}

static void on_listener(uv_poll_t *poll, int status, int events);

static void on_sweep(uv_timer_t *timer)
{
    struct listening *listening = timer->data;
    uint64_t now_ms = clock_ms();
    for (const struct peer *peer = listening->peers; peer != NULL; peer = peer->next) {
        if (!peer->waiting && now_ms - peer->since_ms > REQUEST_MS) {
            shutdown(peer->fd, SHUT_RDWR); // its owner sees the end and closes it
        }
    }
    for (size_t i = 0; i < listening->listener_count; i++) {
        if (!uv_is_active((uv_handle_t *)&listening->listeners[i].poll)) {
            uv_poll_start(&listening->listeners[i].poll, UV_READABLE, on_listener);
        }
    }
    if (listening->lost) {
        listening_keep_socket(listening);
    }
    if (listening->peers == NULL && !listening->lost) {
        uv_timer_stop(timer);
    }
}

static void sweep_later(struct listening *listening)
{
    if (!uv_is_active((uv_handle_t *)&listening->sweep)) {
        uv_timer_start(&listening->sweep, on_sweep, SWEEP_MS, SWEEP_MS);
    }
}

struct peer *peer_begins(struct listening *listening, int fd)
{
    struct peer *peer = calloc(1, sizeof *peer);
    if (peer == NULL) {
        return NULL; // its requests are refused
    }
    peer->listening = listening;
    peer->fd = fd;
    peer->kind = peer_of(listening, fd, &peer->uid, &peer->pid);
    peer->since_ms = clock_ms();
    peer->next = listening->peers;
    if (peer->next != NULL) {
        peer->next->previous = peer;
    }
    listening->peers = peer;
    listening->counts[peer->kind]++;
    sweep_later(listening);
    return peer;
}

void peer_ends(struct peer *peer)
{
    struct listening *listening = peer->listening;
    *(peer->previous != NULL ? &peer->previous->next : &listening->peers) = peer->next;
    if (peer->next != NULL) {
        peer->next->previous = peer->previous;
    }
    listening->counts[peer->kind] -= !peer->placeless;
    free(peer);
}

void peer_waits(struct peer *peer)
{
    peer->waiting = true;
}

void peer_gives_place(struct peer *peer)
{
    peer->listening->counts[peer->kind] -= !peer->placeless;
    peer->placeless = true;
}

void peer_answered(struct peer *peer)
{
    peer->listening->counts[peer->kind] += peer->placeless;
    peer->waiting = peer->placeless = false;
    peer->since_ms = clock_ms();
}

unsigned listening_peers_max(unsigned wait)
{
    unsigned sum = wait;
    for (unsigned kind = 0; kind < PEER_KINDS; kind++) {
        sum += peers_max[kind];
    }
    return sum;
}

// ---- Connections

static void take_connection(struct listening *listening, int fd,
                            const struct sockaddr_storage *address, socklen_t length)
{
    uid_t uid;
    pid_t pid;
    enum peer_kind kind = peer_of(listening, fd, &uid, &pid);
    if ((address->ss_family != AF_UNIX && !address_is_loopback(address)) ||
        listening->counts[kind] >= peers_max[kind]) {
        close(fd);
        return;
    }
    listening->take(listening->arg, fd, (const struct sockaddr *)address, length);
}

// Takes a few of who waits. False: there are no more, or no more can be had now.
static bool take_waiting(struct listener *listener)
{
    struct listening *listening = listener->listening;
    bool more = true;
    for (unsigned i = 0; i < ACCEPTS_AT_ONCE && more; i++) {
        struct sockaddr_storage address = {.ss_family = AF_UNSPEC};
        socklen_t length = sizeof address;
        int fd = accept4(listener->fd, (struct sockaddr *)&address, &length,
                         SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            // Out of descriptors or memory: the sweep listens again.
            if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
                uv_poll_stop(&listener->poll);
                sweep_later(listening);
            }
            more = false;
        } else {
            take_connection(listening, fd, &address, length);
        }
    }
    listening->taken(listening->arg);
    return more;
}

static void on_listener(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    (void)take_waiting(poll->data);
}

// ---- Sockets

// False: it is too long.
static bool address_of(const char *runtime_dir, struct sockaddr_un *out)
{
    *out = (struct sockaddr_un){.sun_family = AF_UNIX};
    int length = snprintf(out->sun_path, sizeof out->sun_path, "%s/" API_SOCKET, runtime_dir);
    return (size_t)length < sizeof out->sun_path;
}

bool listening_is_live(const char *runtime_dir)
{
    struct sockaddr_un address;
    if (!address_of(runtime_dir, &address)) {
        return false;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    bool live = fd >= 0 && (connect(fd, (const struct sockaddr *)&address, sizeof address) == 0 ||
                            errno == EAGAIN);
    if (fd >= 0) {
        close(fd);
    }
    return live;
}

static bool is_ours(const struct listening *listening)
{
    struct stat file;
    return listening->file.inode != 0 && lstat(listening->path, &file) == 0 &&
           file.st_dev == listening->file.device && file.st_ino == listening->file.inode;
}

static void note_ours(struct listening *listening)
{
    struct stat file;
    if (lstat(listening->path, &file) == 0) {
        listening->file.device = file.st_dev;
        listening->file.inode = file.st_ino;
    }
}

// A listening descriptor, or -1 with an error said.
static int listen_unix(struct listening *listening, const char *runtime_dir, char error[ERROR_MAX])
{
    struct sockaddr_un address;
    if (!address_of(runtime_dir, &address)) {
        error_say(error, "can't listen on %s/" API_SOCKET ": longer than %zu bytes", runtime_dir,
                  sizeof address.sun_path - 1);
        return -1;
    }
    memcpy(listening->path, address.sun_path, sizeof listening->path);
    if (listening_is_live(runtime_dir)) {
        error_say(error, "can't listen on %s: another popgated answers there", listening->path);
        return -1;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || (unlink(listening->path) != 0 && errno != ENOENT) ||
        bind(fd, (const struct sockaddr *)&address, sizeof address) != 0) {
        goto failed;
    }
    if (chmod(listening->path, 0666) != 0 || listen(fd, SOMAXCONN) != 0) {
        goto failed;
    }
    note_ours(listening); // not before it can be used
    return fd;
failed:
    error_say(error, "can't listen on %s: %s", listening->path, strerror(errno));
    if (fd >= 0) {
        close(fd);
    }
    return -1;
}

// What waits to be taken is taken before, as it came by a file that was ours; all that can have
// waited, unless there are no descriptors. False with an error said: the old one stays, and there
// is no new one.
static bool replace_listener(struct listening *listening, int fd, char error[ERROR_MAX])
{
    struct listener *listener = &listening->listeners[0];
    for (unsigned i = 0; i < SOMAXCONN / ACCEPTS_AT_ONCE && take_waiting(listener); i++) {
    }
    uv_poll_stop(&listener->poll);
    bool replaced = dup3(fd, listener->fd, O_CLOEXEC) >= 0;
    if (!replaced) {
        error_say(error, "can't listen on %s: dup3: %s", listening->path, strerror(errno));
        unlink(listening->path);
        listening->file.inode = 0;
    }
    close(fd);
    uv_poll_start(&listener->poll, UV_READABLE, on_listener);
    return replaced;
}

static void on_changed(uv_fs_event_t *handle, const char *name, int events, int status);

// Anew where it is watched already: that may have been another directory of this name. Without the
// kernel's word for it nobody notices; that there is none is told for the include file.
static void watch_socket(struct listening *listening, const char *runtime_dir)
{
    uv_fs_event_stop(&listening->changed);
    (void)uv_fs_event_start(&listening->changed, on_changed, runtime_dir, 0);
}

void listening_keep_socket(struct listening *listening)
{
    char directory[sizeof listening->path];
    char error[ERROR_MAX];
    if (is_ours(listening)) {
        return;
    }
    snprintf(directory, sizeof directory, "%.*s",
             (int)(strlen(listening->path) - strlen("/" API_SOCKET)), listening->path);
    int fd = listen_unix(listening, directory, error);
    bool made = fd >= 0 && replace_listener(listening, fd, error);
    if (made) {
        watch_socket(listening, directory);
        error_say(error, "the socket %s was taken away, not by popgate; it is there again",
                  listening->path);
    }
    if (made || !listening->lost) {
        listening->tell(listening->arg, error);
    }
    listening->lost = !made;
    if (listening->lost) {
        sweep_later(listening);
    }
}

// What we do to it ourselves comes here too, and finds it to be ours.
static void on_changed(uv_fs_event_t *handle, const char *name, int events, int status)
{
    (void)events;
    if (status == 0 && name != NULL && strcmp(name, API_SOCKET) == 0) {
        listening_keep_socket(handle->data);
    }
}

static int listen_tcp(const struct endpoint *endpoint, char error[ERROR_MAX])
{
    char text[ENDPOINT_TEXT_MAX];
    int yes = 1;
    int fd = socket(endpoint->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) != 0 ||
        bind(fd, (const struct sockaddr *)&endpoint->address, endpoint->length) != 0 ||
        listen(fd, SOMAXCONN) != 0) {
        error_say(error, "can't listen on %s ([control] http): %s", endpoint_text(endpoint, text),
                  strerror(errno));
        if (fd >= 0) {
            close(fd);
        }
        return -1;
    }
    return fd;
}

static bool add_listener(struct listening *listening, int fd, char error[ERROR_MAX])
{
    if (fd < 0) {
        return false;
    }
    struct listener *listener = &listening->listeners[listening->listener_count];
    *listener = (struct listener){.fd = fd, .listening = listening};
    int result = uv_poll_init(listening->loop, &listener->poll, fd);
    if (result != 0) {
        error_say(error, "can't watch a listening socket: %s", uv_strerror(result));
        close(fd);
        return false;
    }
    listener->poll.data = listener;
    listening->listener_count++;
    listening->handles++;
    uv_poll_start(&listener->poll, UV_READABLE, on_listener);
    return true;
}

void listening_try_http(struct listening *listening)
{
    char error[ERROR_MAX] = "";
    if (listening->http_trouble[0] != '\0') {
        (void)add_listener(listening, listen_tcp(&listening->http, error), error);
        error_say(listening->http_trouble, "%s", error);
    }
}

bool listening_open(struct listening *listening, const struct config *config, char error[ERROR_MAX])
{
    if (config->control.group[0] != '\0') {
        listening->group = group_look_up(config->control.group, GROUP_WITHIN_MS);
    }
    uv_timer_init(listening->loop, &listening->sweep);
    listening->sweep.data = listening;
    uv_fs_event_init(listening->loop, &listening->changed);
    listening->changed.data = listening;
    listening->handles += 2;
    if (!add_listener(listening, listen_unix(listening, config->pop.runtime_dir, error), error)) {
        return false;
    }
    watch_socket(listening, config->pop.runtime_dir);
    listening->http = config->control.http;
    if (listening->http.length > 0) {
        error_say(listening->http_trouble, "not tried yet");
        listening_try_http(listening);
    }
    return true;
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct listening *listening = handle->data;
    if (--listening->handles == 0) {
        listening->on_closed(listening->arg);
    }
}

static void on_listener_closed(uv_handle_t *handle)
{
    struct listener *listener = handle->data;
    close(listener->fd);
    handle->data = listener->listening;
    on_handle_closed(handle);
}

void listening_close(struct listening *listening, void (*on_closed)(void *arg))
{
    listening->on_closed = on_closed;
    uv_close((uv_handle_t *)&listening->changed, on_handle_closed);
    if (is_ours(listening)) {
        unlink(listening->path);
    }
    for (size_t i = 0; i < listening->listener_count; i++) {
        uv_close((uv_handle_t *)&listening->listeners[i].poll, on_listener_closed);
    }
    uv_close((uv_handle_t *)&listening->sweep, on_handle_closed);
    group_lookup_free(listening->group);
    listening->group = NULL;
}
