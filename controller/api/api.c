#include "controller/api/api.h"

#include "base/endpoint.h"

#include "base/clock.h"

#include "base/error.h"

#include "base/json_writer.h"
#include "controller/api/request.h"
#include "controller/api/status.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <microhttpd.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BODY_MAX          ((size_t)64 << 10)
#define REQUEST_MS        10000 // from connecting to the whole request, and from the answer to its end
#define SWEEP_MS          1000
#define ACCEPTS_AT_ONCE   16
#define CONNECTION_MEMORY ((size_t)16 << 10)
#define RENDER_SHARE      4 // pauses last so many times as long as the rendering before

// Who is at the other end. Each kind has connections of its own, so that none starves another.
enum peer_kind { PEER_OPERATOR, PEER_LOCAL, PEER_TCP, PEER_KINDS };
static const unsigned peers_max[PEER_KINDS] = {
    [PEER_OPERATOR] = 32, [PEER_LOCAL] = 16, [PEER_TCP] = 16};

// A connection; libmicrohttpd tells when it begins and ends.
struct peer {
    struct peer *previous, *next;
    struct api *api;
    int fd;
    enum peer_kind kind;
    uid_t uid;
    uint64_t since_ms; // of what the deadline counts from
    bool waiting;      // for us, not for the client
    struct api_ticket *ticket;
};

enum stage {
    STAGE_READING,
    STAGE_RENDERING, // suspended, in the queue for its turn
    STAGE_WAITING,   // for api_answer(); suspended unless it came at once
    STAGE_ANSWERED,
};

struct route;

struct api_ticket {
    struct api *api;
    struct MHD_Connection *connection;
    struct peer *peer;
    const struct route *route; // NULL: status says why
    const char *rest;          // of the path, after a route that is a prefix
    char *path;
    char *body;
    size_t length;
    enum stage stage;
    bool suspended;
    unsigned status;
    char *text; // the answer
    size_t text_length;
    const char *type;
    struct api_ticket *next; // in the queue for rendering
};

struct listener {
    uv_poll_t poll;
    int fd;
    struct api *api;
};

struct api {
    uv_loop_t *loop;
    const struct api_shell *shell;
    void *arg;
    struct MHD_Daemon *http;
    uv_poll_t http_poll;
    uv_timer_t http_timer;   // libmicrohttpd's own time-outs and left-over work
    uv_timer_t render_timer; // the next turn at rendering
    uv_timer_t sweep_timer;  // looks for clients that are too slow
    struct listener listeners[2];
    size_t listener_count;
    struct peer *peers;
    unsigned peer_counts[PEER_KINDS];
    struct api_ticket *queue, **queue_end;
    uint64_t render_not_before_ns;
    uint64_t started_ns;
    bool closing;
    bool has_group;
    gid_t group;
    char path[sizeof((struct sockaddr_un *)NULL)->sun_path];
    bool has_path; // the socket is ours to remove
    size_t handles;
    void (*on_closed)(void *arg);
    void *closed_arg;
};

static uint64_t clock_ms(void)
{
    return uv_hrtime() / NS_PER_MS;
}

// ---- answers ----

static void on_http_timer(uv_timer_t *timer);

static void take_answer(struct api_ticket *ticket, unsigned status, char *text, size_t length,
                        const char *type)
{
    static const char no_memory[] = "{\"error\":\"out of memory\"}\n";
    if (text == NULL) {
        status = 500;
        text = strdup(no_memory);
        length = text != NULL ? sizeof no_memory - 1 : 0;
        type = "application/json";
    }
    ticket->stage = STAGE_ANSWERED;
    ticket->status = status;
    ticket->text = text;
    ticket->text_length = length;
    ticket->type = type;
    ticket->peer->since_ms = clock_ms();
    ticket->peer->waiting = false;
    if (ticket->suspended) {
        ticket->suspended = false;
        MHD_resume_connection(ticket->connection);
        uv_timer_start(&ticket->api->http_timer, on_http_timer, 0, 0); // nothing else wakes it
    }
}

static void answer_status(struct api_ticket *ticket, unsigned status, const char *message)
{
    assert(ticket->stage != STAGE_ANSWERED);
    struct json_writer writer = {0};
    size_t length = 0;
    jw_open(&writer, NULL, '{');
    jw_string(&writer, status == 200 ? "message" : "error", message);
    jw_close(&writer, '}');
    char *text = jw_finish(&writer, &length);
    take_answer(ticket, status, text, length, "application/json");
}

void api_answer(struct api_ticket *ticket, enum outcome outcome, const char *message)
{
    static const struct {
        unsigned status;
        const char *message;
    } answers[OUTCOMES] = {
        [OUTCOME_DONE] = {200, "done"},
        [OUTCOME_NOTHING] = {200, "nothing changed"},
        [OUTCOME_REFUSED] = {409, "refused by a guard"},
        [OUTCOME_UNSEEN] = {409, "BIRD did not answer"},
        [OUTCOME_HINDERED] = {409, "another intent stands"},
        [OUTCOME_UNSAFE] = {500, "could not be made safe on disk"},
        [OUTCOME_INVALID] = {422, "the configuration can't be used"},
        [OUTCOME_BUSY] = {503, "too many changes wait already; try again in a moment"},
        [OUTCOME_STOPPING] = {503, "popgated is stopping"},
        [OUTCOME_NO_MEMORY] = {500, "out of memory"},
    };
    assert(outcome > OUTCOME_WAITS && outcome < OUTCOMES);
    answer_status(ticket, answers[outcome].status,
                  message != NULL ? message : answers[outcome].message);
}

static enum MHD_Result send_answer(struct api_ticket *ticket)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(ticket->text_length, ticket->text, MHD_RESPMEM_MUST_FREE);
    if (response == NULL) {
        return MHD_NO;
    }
    ticket->text = NULL;
    MHD_add_response_header(response, "Content-Type", ticket->type);
    MHD_add_response_header(response, "Cache-Control", "no-store");
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    MHD_add_response_header(response, "Connection", "close");
    enum MHD_Result result = MHD_queue_response(ticket->connection, ticket->status, response);
    MHD_destroy_response(response);
    return result;
}

// ---- reads ----

static struct status_view view_of(const struct api *api)
{
    return (struct status_view){.core = api->shell->core(api->arg),
                                .own = api->shell->trouble(api->arg),
                                .started_ns = api->started_ns,
                                .now_ns = uv_hrtime(),
                                .now_wall_ms = clock_wall_ms(),
                                .prober = api->shell->prober,
                                .totals = api->shell->totals,
                                .arg = api->arg};
}

static const char *argument(const struct api_ticket *ticket, const char *name)
{
    return MHD_lookup_connection_value(ticket->connection, MHD_GET_ARGUMENT_KIND, name);
}

static void render_status(struct api_ticket *ticket)
{
    struct status_view view = view_of(ticket->api);
    const char *full = argument(ticket, "full");
    size_t length = 0;
    char *text = status_all(&view, full != NULL && strcmp(full, "1") == 0, &length);
    take_answer(ticket, 200, text, length, "application/json");
}

// SIZE_MAX, and answered, when there is none of that name.
static size_t service_named(struct api_ticket *ticket, const char *name)
{
    const struct config *config = ticket->api->shell->core(ticket->api->arg)->config;
    size_t service = config_service(config, name);
    if (service != SIZE_MAX) {
        return service;
    }
    char message[ERROR_MAX];
    const char *nearest = config_nearest_service(config, name);
    error_say(message,
              nearest != NULL ? "no service `%.64s`; did you mean `%s`?" : "no service `%.64s`",
              name, nearest);
    answer_status(ticket, 404, message);
    return SIZE_MAX;
}

static void render_service(struct api_ticket *ticket)
{
    struct status_view view = view_of(ticket->api);
    size_t service = service_named(ticket, ticket->rest);
    if (service != SIZE_MAX) {
        size_t length = 0;
        char *text = status_service(&view, service, &length);
        take_answer(ticket, 200, text, length, "application/json");
    }
}

static void render_events(struct api_ticket *ticket)
{
    struct status_view view = view_of(ticket->api);
    const char *since_text = argument(ticket, "since");
    const char *service = argument(ticket, "service");
    char *end = NULL;
    errno = 0;
    uint64_t since = since_text != NULL ? strtoull(since_text, &end, 10) : 0;
    if (since_text != NULL && (end == since_text || *end != '\0' || errno != 0)) {
        answer_status(ticket, 400, "`since` must be the number of an event");
        return;
    }
    if (service == NULL || service_named(ticket, service) != SIZE_MAX) {
        size_t length = 0;
        char *text = status_events(&view, since, service, &length);
        take_answer(ticket, 200, text, length, "application/json");
    }
}

static void render_health(struct api_ticket *ticket)
{
    const struct core *core = ticket->api->shell->core(ticket->api->arg);
    bool up = core->links[ORDER_LINK_ACT].state == BIRD_LINK_UP;
    char *text = strdup(up ? "ok\nBIRD is up\n" : "ok\nBIRD is out of reach\n");
    take_answer(ticket, 200, text, text != NULL ? strlen(text) : 0, "text/plain; charset=utf-8");
}

// ---- changes ----

// From the local file only: a directory service that hangs must not hang the loop.
static void name_user(uid_t uid, char out[INTENT_BY_MAX])
{
    FILE *file = fopen("/etc/passwd", "re");
    const struct passwd *user = NULL;
    while (file != NULL && (user = fgetpwent(file)) != NULL && user->pw_uid != uid) {
    }
    if (user != NULL) {
        snprintf(out, INTENT_BY_MAX, "%.40s (%u)", user->pw_name, (unsigned)uid);
    } else {
        snprintf(out, INTENT_BY_MAX, "uid %u", (unsigned)uid);
    }
    if (file != NULL) {
        fclose(file);
    }
}

static void change(struct api_ticket *ticket)
{
    struct api *api = ticket->api;
    struct request request;
    enum verb verb = verb_named(ticket->rest);
    char message[ERROR_MAX];
    unsigned status =
        request_parse(api->shell->core(api->arg), verb, ticket->body != NULL ? ticket->body : "",
                      ticket->length, &request, message);
    if (status != 200) {
        answer_status(ticket, status, message);
        return;
    }
    if (request.change.service_count == 0) {
        error_say(message, "there is no service to %s", verb_rows[verb].name);
        answer_status(ticket, 200, message);
    } else {
        name_user(ticket->peer->uid, request.change.by);
        api->shell->change(api->arg, &request.change, ticket);
    }
    request_clear(&request);
}

static void reload(struct api_ticket *ticket)
{
    ticket->api->shell->reload(ticket->api->arg, ticket);
}

// ---- routes ----

static const struct route {
    const char *method, *path;
    enum { REST_NONE, REST_ANY, REST_VERB } rest; // what may follow path
    void (*render)(struct api_ticket *ticket);    // of GET
    void (*act)(struct api_ticket *ticket);       // of POST
} routes[] = {
    {"GET", "/healthz", REST_NONE, .render = render_health},
    {"GET", "/v1/status", REST_NONE, .render = render_status},
    {"GET", "/v1/events", REST_NONE, .render = render_events},
    {"GET", "/v1/services/", REST_ANY, .render = render_service},
    {"POST", "/v1/reload", REST_NONE, .act = reload},
    {"POST", "/v1/", REST_VERB, .act = change},
};

static bool path_fits(const struct route *route, const char *path)
{
    size_t length = strlen(route->path);
    const char *rest = path + length;
    return strncmp(path, route->path, length) == 0 &&
           (route->rest == REST_ANY || (route->rest == REST_NONE && *rest == '\0') ||
            (route->rest == REST_VERB && verb_named(rest) != VERBS));
}

static void find_route(struct api_ticket *ticket, const char *method)
{
    const char *wanted = strcmp(method, "HEAD") == 0 ? "GET" : method;
    ticket->status = 404;
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
        if (!path_fits(&routes[i], ticket->path)) {
            continue;
        }
        ticket->status = 405;
        if (strcmp(routes[i].method, wanted) == 0) {
            ticket->route = &routes[i];
            ticket->rest = ticket->path + strlen(routes[i].path);
            return;
        }
    }
}

// ---- turns at rendering ----

static void on_render(uv_timer_t *timer);

static void next_turn(struct api *api)
{
    uint64_t now_ns = uv_hrtime();
    uint64_t wait_ms = api->render_not_before_ns > now_ns
                           ? (api->render_not_before_ns - now_ns) / NS_PER_MS + 1
                           : 0;
    uv_update_time(api->loop);
    uv_timer_start(&api->render_timer, on_render, wait_ms, 0);
}

static void on_render(uv_timer_t *timer)
{
    struct api *api = timer->data;
    struct api_ticket *ticket = api->queue;
    uint64_t began_ns = uv_hrtime();
    api->queue = ticket->next;
    if (api->queue == NULL) {
        api->queue_end = &api->queue;
    }
    ticket->route->render(ticket);
    uint64_t ended_ns = uv_hrtime();
    api->render_not_before_ns = ended_ns + (ended_ns - began_ns) * RENDER_SHARE;
    if (api->queue != NULL) {
        next_turn(api);
    }
}

static void enqueue(struct api_ticket *ticket)
{
    struct api *api = ticket->api;
    bool first = api->queue == NULL;
    *api->queue_end = ticket;
    api->queue_end = &ticket->next;
    ticket->stage = STAGE_RENDERING;
    if (first) {
        next_turn(api);
    }
}

// ---- requests ----

static void refuse_route(struct api_ticket *ticket)
{
    char message[ERROR_MAX];
    error_say(message, ticket->status == 405 ? "%.64s: wrong method" : "there is nothing at %.64s",
              ticket->path);
    answer_status(ticket, ticket->status, message);
}

// The whole request is there.
static void dispatch(struct api_ticket *ticket)
{
    const struct route *route = ticket->route;
    if (ticket->api->closing) {
        api_answer(ticket, OUTCOME_STOPPING, NULL);
    } else if (route == NULL) {
        refuse_route(ticket);
    } else if (ticket->length > BODY_MAX) {
        answer_status(ticket, 413, "the body is longer than 64 KiB");
    } else if (route->render != NULL) {
        enqueue(ticket);
    } else if (ticket->peer->kind != PEER_OPERATOR) {
        answer_status(
            ticket, 403,
            ticket->peer->kind == PEER_TCP
                ? "changes are taken on the Unix socket only"
                : "not allowed: only root and members of the group in [control] may change");
    } else {
        ticket->stage = STAGE_WAITING;
        route->act(ticket);
    }
}

static enum MHD_Result begin_request(struct api *api, struct MHD_Connection *connection,
                                     const char *path, const char *method, void **context)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct api_ticket *ticket = calloc(1, sizeof *ticket);
    if (ticket == NULL || info == NULL || info->socket_context == NULL) {
        free(ticket);
        return MHD_NO;
    }
    *ticket = (struct api_ticket){
        .api = api, .connection = connection, .peer = info->socket_context, .path = strdup(path)};
    if (ticket->path == NULL) {
        free(ticket);
        return MHD_NO;
    }
    ticket->peer->ticket = ticket;
    find_route(ticket, method);
    *context = ticket;
    return MHD_YES;
}

// What is too long is counted but not kept: the client gets an answer rather than a reset.
static void take_body(struct api_ticket *ticket, const char *data, size_t size)
{
    if (ticket->length + size <= BODY_MAX) {
        if (ticket->body == NULL) {
            ticket->body = malloc(BODY_MAX);
        }
        if (ticket->body == NULL) {
            size = BODY_MAX + 1;
        } else {
            memcpy(ticket->body + ticket->length, data, size);
        }
    }
    ticket->length += size;
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection, const char *path,
                                  const char *method, const char *version, const char *data,
                                  size_t *size, void **context)
{
    (void)version;
    if (*context == NULL) {
        return begin_request(arg, connection, path, method, context);
    }
    struct api_ticket *ticket = *context;
    if (*size > 0) {
        take_body(ticket, data, *size);
        *size = 0;
        return MHD_YES;
    }
    if (ticket->stage == STAGE_READING) {
        dispatch(ticket);
    }
    if (ticket->stage == STAGE_ANSWERED) {
        return send_answer(ticket);
    }
    ticket->suspended = true;
    ticket->peer->waiting = true;
    MHD_suspend_connection(connection);
    return MHD_YES;
}

static void on_completed(void *arg, struct MHD_Connection *connection, void **context,
                         enum MHD_RequestTerminationCode code)
{
    (void)arg;
    (void)connection;
    (void)code;
    struct api_ticket *ticket = *context;
    if (ticket == NULL) {
        return;
    }
    assert(ticket->stage == STAGE_READING || ticket->stage == STAGE_ANSWERED);
    ticket->peer->ticket = NULL;
    free(ticket->path);
    free(ticket->body);
    free(ticket->text);
    free(ticket);
    *context = NULL;
}

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

static void on_connection(void *arg, struct MHD_Connection *connection, void **context,
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

// ---- the loop ----

static void run_http(struct api *api)
{
    MHD_UNSIGNED_LONG_LONG wait_ms;
    MHD_run(api->http);
    if (MHD_get_timeout(api->http, &wait_ms) == MHD_YES) {
        uv_timer_start(&api->http_timer, on_http_timer, wait_ms, 0);
    } else {
        uv_timer_stop(&api->http_timer);
    }
}

static void on_http_timer(uv_timer_t *timer)
{
    run_http(timer->data);
}

static void on_http(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    run_http(poll->data);
}

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
    run_http(api);
}

// ---- beginning ----

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

static bool start_http(struct api *api, char error[ERROR_MAX])
{
    unsigned connections = 0;
    for (unsigned kind = 0; kind < PEER_KINDS; kind++) {
        connections += peers_max[kind];
    }
    api->http = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL,
        on_request, api, MHD_OPTION_CONNECTION_LIMIT, connections,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_MEMORY, MHD_OPTION_NOTIFY_COMPLETED,
        on_completed, api, MHD_OPTION_NOTIFY_CONNECTION, on_connection, api, MHD_OPTION_END);
    const union MHD_DaemonInfo *info =
        api->http != NULL ? MHD_get_daemon_info(api->http, MHD_DAEMON_INFO_EPOLL_FD) : NULL;
    int result = info != NULL ? uv_poll_init(api->loop, &api->http_poll, info->epoll_fd) : UV_EIO;
    if (result != 0) {
        error_say(error, "can't start the HTTP server: %s",
                  info != NULL ? uv_strerror(result) : strerror(errno));
        return false;
    }
    api->http_poll.data = api;
    api->handles++;
    uv_poll_start(&api->http_poll, UV_READABLE, on_http);
    return true;
}

static void find_group(struct api *api, const char *name)
{
    const struct group *group = name[0] != '\0' ? getgrnam(name) : NULL;
    api->has_group = group != NULL;
    api->group = group != NULL ? group->gr_gid : 0;
}

static void start_timer(struct api *api, uv_timer_t *timer)
{
    uv_timer_init(api->loop, timer);
    timer->data = api;
    api->handles++;
}

struct api *api_new(uv_loop_t *loop, const struct config *config, const struct api_shell *shell,
                    void *arg, char error[ERROR_MAX])
{
    struct api *api = calloc(1, sizeof *api);
    if (api == NULL) {
        error_say(error, "can't start the API: out of memory");
        return NULL;
    }
    api->loop = loop;
    api->shell = shell;
    api->arg = arg;
    api->started_ns = uv_hrtime();
    api->queue_end = &api->queue;
    find_group(api, config->control.group);
    start_timer(api, &api->http_timer);
    start_timer(api, &api->render_timer);
    start_timer(api, &api->sweep_timer);
    if (!start_http(api, error) ||
        !add_listener(api, listen_unix(api, config->pop.runtime_dir, error), error) ||
        (config->control.http.length > 0 &&
         !add_listener(api, listen_tcp(&config->control.http, error), error))) {
        api_close(api, NULL, NULL);
        return NULL;
    }
    return api;
}

// ---- end ----

static void on_handle_closed(uv_handle_t *handle)
{
    struct api *api = handle->data;
    if (--api->handles > 0) {
        return;
    }
    if (api->on_closed != NULL) {
        api->on_closed(api->closed_arg);
    }
    free(api);
}

static void on_listener_closed(uv_handle_t *handle)
{
    struct listener *listener = handle->data;
    close(listener->fd);
    handle->data = listener->api;
    on_handle_closed(handle);
}

// libmicrohttpd can't stop while a connection is suspended, and none is from here on; a few rounds
// send what fits.
static void stop_http(struct api *api)
{
    enum { ROUNDS = 8 };
    for (const struct peer *peer = api->peers; peer != NULL; peer = peer->next) {
        if (peer->ticket != NULL && peer->ticket->suspended) {
            api_answer(peer->ticket, OUTCOME_STOPPING, NULL);
        }
    }
    for (unsigned i = 0; i < ROUNDS && api->peers != NULL; i++) {
        MHD_run(api->http);
    }
    MHD_stop_daemon(api->http);
}

void api_close(struct api *api, void (*on_closed)(void *arg), void *arg)
{
    api->closing = true;
    api->on_closed = on_closed;
    api->closed_arg = arg;
    if (api->has_path) {
        unlink(api->path);
    }
    for (size_t i = 0; i < api->listener_count; i++) {
        uv_close((uv_handle_t *)&api->listeners[i].poll, on_listener_closed);
    }
    if (api->http_poll.data != NULL) {
        uv_close((uv_handle_t *)&api->http_poll, on_handle_closed);
    }
    if (api->http != NULL) {
        stop_http(api);
    }
    uv_close((uv_handle_t *)&api->http_timer, on_handle_closed);
    uv_close((uv_handle_t *)&api->render_timer, on_handle_closed);
    uv_close((uv_handle_t *)&api->sweep_timer, on_handle_closed);
}
