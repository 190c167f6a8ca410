#include "controller/api/inside.h"

#include "base/endpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define REQUEST_MS      10000 // from connecting to the whole request, and from the answer to its end
#define SWEEP_MS        1000
#define ACCEPTS_AT_ONCE 16

const unsigned peers_max[PEER_KINDS] = {[PEER_OPERATOR] = 32, [PEER_LOCAL] = 16, [PEER_TCP] = 16};

// ---- peers ----

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

// The kernel's word for who connected.
static enum peer_kind peer_of(const struct api *api, int fd, uid_t *uid)
{
    struct ucred peer;
    int domain;
    socklen_t size = sizeof domain;
    *uid = (uid_t)-1;
    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) != 0 || domain != AF_UNIX) {
        return PEER_TCP;
    }
    size = sizeof peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) {
        return PEER_LOCAL;
    }
    *uid = peer.uid;
    bool may_change = peer.uid == 0 || peer.uid == geteuid() ||
                      (api->has_group && in_group(fd, peer.gid, api->group));
    return may_change ? PEER_OPERATOR : PEER_LOCAL;
}

static void on_listener(uv_poll_t *poll, int status, int events);

static void on_sweep(uv_timer_t *timer)
{
    struct api *api = timer->data;
    uint64_t now_ms = clock_ms();
    for (const struct peer *peer = api->peers; peer != NULL; peer = peer->next) {
        if (!peer->waiting && now_ms - peer->since_ms > REQUEST_MS) {
            shutdown(peer->fd, SHUT_RDWR); // libmicrohttpd sees the end and closes it
        }
    }
    for (size_t i = 0; i < api->listener_count; i++) {
        if (!uv_is_active((uv_handle_t *)&api->listeners[i].poll)) {
            uv_poll_start(&api->listeners[i].poll, UV_READABLE, on_listener);
        }
    }
    if (api->peers == NULL) {
        uv_timer_stop(timer);
    }
}

static void sweep_later(struct api *api)
{
    if (!uv_is_active((uv_handle_t *)&api->sweep_timer)) {
        uv_timer_start(&api->sweep_timer, on_sweep, SWEEP_MS, SWEEP_MS);
    }
}

static void *peer_begins(struct api *api, int fd)
{
    struct peer *peer = calloc(1, sizeof *peer);
    if (peer == NULL) {
        return NULL; // its requests are refused
    }
    peer->api = api;
    peer->fd = fd;
    peer->kind = peer_of(api, fd, &peer->uid);
    peer->since_ms = clock_ms();
    peer->next = api->peers;
    if (peer->next != NULL) {
        peer->next->previous = peer;
    }
    api->peers = peer;
    api->peer_counts[peer->kind]++;
    sweep_later(api);
    return peer;
}

static void peer_ends(struct peer *peer)
{
    struct api *api = peer->api;
    *(peer->previous != NULL ? &peer->previous->next : &api->peers) = peer->next;
    if (peer->next != NULL) {
        peer->next->previous = peer->previous;
    }
    api->peer_counts[peer->kind]--;
    free(peer);
}

void listen_on_connection(void *arg, struct MHD_Connection *connection, void **context,
                          enum MHD_ConnectionNotificationCode code)
{
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        *context = info != NULL ? peer_begins(arg, info->connect_fd) : NULL;
    } else if (*context != NULL) {
        peer_ends(*context);
        *context = NULL;
    }
}

// ---- connections ----

static void take_connection(struct api *api, int fd, const struct sockaddr_storage *address,
                            socklen_t length)
{
    uid_t uid;
    enum peer_kind kind = peer_of(api, fd, &uid);
    if ((address->ss_family != AF_UNIX && !address_is_loopback(address)) ||
        api->peer_counts[kind] >= peers_max[kind]) {
        close(fd);
        return;
    }
    // From here on fd is libmicrohttpd's, also when it refuses.
    MHD_add_connection(api->http, fd, (const struct sockaddr *)address, length);
}

static void on_listener(uv_poll_t *poll, int status, int events)
{
    const struct listener *listener = poll->data;
    struct api *api = listener->api;
    (void)status;
    (void)events;
    for (unsigned i = 0; i < ACCEPTS_AT_ONCE; i++) {
        struct sockaddr_storage address = {.ss_family = AF_UNSPEC};
        socklen_t length = sizeof address;
        int fd = accept4(listener->fd, (struct sockaddr *)&address, &length,
                         SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            // Out of descriptors or memory: the sweep listens again.
            if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
                uv_poll_stop(poll);
                sweep_later(api);
            }
            break;
        }
        take_connection(api, fd, &address, length);
    }
    api_run(api);
}

// ---- sockets ----

static bool is_live(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    bool live = fd >= 0 && (connect(fd, (const struct sockaddr *)address, sizeof *address) == 0 ||
                            errno == EAGAIN);
    if (fd >= 0) {
        close(fd);
    }
    return live;
}

// A listening descriptor, or -1 with an error said.
static int listen_unix(struct api *api, const char *runtime_dir, char error[ERROR_MAX])
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int length = snprintf(address.sun_path, sizeof address.sun_path, "%s/" API_SOCKET, runtime_dir);
    if ((size_t)length >= sizeof address.sun_path) {
        error_say(error, "can't listen on %s/" API_SOCKET ": longer than %zu bytes", runtime_dir,
                  sizeof address.sun_path - 1);
        return -1;
    }
    memcpy(api->path, address.sun_path, sizeof api->path);
    if (is_live(&address)) {
        error_say(error, "can't listen on %s: another popgated answers there", api->path);
        return -1;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || (unlink(api->path) != 0 && errno != ENOENT) ||
        bind(fd, (const struct sockaddr *)&address, sizeof address) != 0) {
        goto failed;
    }
    api->has_path = true;
    if (chmod(api->path, 0666) != 0 || listen(fd, SOMAXCONN) != 0) {
        goto failed;
    }
    return fd;
failed:
    error_say(error, "can't listen on %s: %s", api->path, strerror(errno));
    if (fd >= 0) {
        close(fd);
    }
    return -1;
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

static bool add_listener(struct api *api, int fd, char error[ERROR_MAX])
{
    if (fd < 0) {
        return false;
    }
    struct listener *listener = &api->listeners[api->listener_count];
    *listener = (struct listener){.fd = fd, .api = api};
    int result = uv_poll_init(api->loop, &listener->poll, fd);
    if (result != 0) {
        error_say(error, "can't watch a listening socket: %s", uv_strerror(result));
        close(fd);
        return false;
    }
    listener->poll.data = listener;
    api->listener_count++;
    api->handles++;
    uv_poll_start(&listener->poll, UV_READABLE, on_listener);
    return true;
}

static void find_group(struct api *api, const char *name)
{
    const struct group *group = name[0] != '\0' ? getgrnam(name) : NULL;
    api->has_group = group != NULL;
    api->group = group != NULL ? group->gr_gid : 0;
}

bool listen_open(struct api *api, const struct config *config, char error[ERROR_MAX])
{
    find_group(api, config->control.group);
    return add_listener(api, listen_unix(api, config->pop.runtime_dir, error), error) &&
           (config->control.http.length == 0 ||
            add_listener(api, listen_tcp(&config->control.http, error), error));
}
