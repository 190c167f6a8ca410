#include "controller/api/inside.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CONNECTION_MEMORY ((size_t)16 << 10)
#define WAITING_MAX       160 // for changes and reloads: the shell turns away more

// ---- Beginning

static void on_http(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    api_run(poll->data);
}

static void take(void *arg, int fd, const struct sockaddr *address, socklen_t length)
{
    struct api *api = arg;
    // From here on fd is libmicrohttpd's, also when it refuses.
    MHD_add_connection(api->http, fd, address, length);
}

static void taken(void *arg)
{
    api_run(arg);
}

static void tell(void *arg, const char *text)
{
    const struct api *api = arg;
    api->shell->tell(api->arg, text);
}

static void on_connection(void *arg, struct MHD_Connection *connection, void **context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct api *api = arg;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        // Without a peer its requests are refused.
        *context = info != NULL ? peer_begins(&api->listening, info->connect_fd) : NULL;
    } else if (*context != NULL) {
        peer_ends(*context);
        *context = NULL;
    }
}

static bool start_http(struct api *api, char error[ERROR_MAX])
{
    api->http =
        MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME, 0,
                         NULL, NULL, exchange_on_request, api, MHD_OPTION_CONNECTION_LIMIT,
                         listening_peers_max(WAITING_MAX), MHD_OPTION_CONNECTION_MEMORY_LIMIT,
                         CONNECTION_MEMORY, MHD_OPTION_NOTIFY_COMPLETED, exchange_on_completed, api,
                         MHD_OPTION_NOTIFY_CONNECTION, on_connection, api, MHD_OPTION_END);
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
    start_timer(api, &api->http_timer);
    start_timer(api, &api->render_timer);
    api->listening =
        (struct listening){.loop = loop, .take = take, .taken = taken, .tell = tell, .arg = api};
    api->handles++; // of which it has several
    if (!listening_open(&api->listening, config, error) || !start_http(api, error)) {
        api_close(api, NULL, NULL);
        return NULL;
    }
    return api;
}

void api_keep_socket(struct api *api)
{
    listening_keep_socket(&api->listening);
    listening_try_http(&api->listening);
}

const char *api_trouble(const struct api *api)
{
    return api->listening.http_trouble[0] != '\0' ? api->listening.http_trouble : NULL;
}

// ---- End

static void part_closed(void *arg)
{
    struct api *api = arg;
    if (--api->handles > 0) {
        return;
    }
    if (api->on_closed != NULL) {
        api->on_closed(api->closed_arg);
    }
    free(api);
}

static void on_handle_closed(uv_handle_t *handle)
{
    part_closed(handle->data);
}

// libmicrohttpd can't stop while a connection is suspended, and none is from here on; a few rounds
// send what fits.
static void stop_http(struct api *api)
{
    enum { ROUNDS = 8 };
    for (const struct peer *peer = api->listening.peers; peer != NULL; peer = peer->next) {
        struct api_ticket *ticket = peer->request;
        if (ticket != NULL && ticket->suspended) {
            api_answer(
                ticket, OUTCOME_STOPPING,
                ticket->stage == STAGE_WAITING
                    ? "popgated is stopping, and does not know yet whether this outlives it: "
                      "look when it is back"
                    : NULL);
        }
    }
    for (unsigned i = 0; i < ROUNDS && api->listening.peers != NULL; i++) {
        MHD_run(api->http);
    }
    MHD_stop_daemon(api->http);
}

void api_close(struct api *api, void (*on_closed)(void *arg), void *arg)
{
    api->closing = true;
    api->on_closed = on_closed;
    api->closed_arg = arg;
    listening_close(&api->listening, part_closed);
    if (api->http_poll.data != NULL) {
        uv_close((uv_handle_t *)&api->http_poll, on_handle_closed);
    }
    if (api->http != NULL) {
        stop_http(api);
    }
    uv_close((uv_handle_t *)&api->http_timer, on_handle_closed);
    uv_close((uv_handle_t *)&api->render_timer, on_handle_closed);
}
