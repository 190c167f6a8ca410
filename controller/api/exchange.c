// A request from its first byte to its answer: read, sent on by its route, given its turn at
// rendering, answered at once or when the shell says so.
#include "controller/api/inside.h"

#include "base/clock.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define BODY_MAX     ((size_t)64 << 10)
#define RENDER_SHARE 4 // pauses last so many times as long as the rendering before

// ---- Turns at rendering

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

// ---- Requests

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
    ticket->peer->request = ticket;
    ticket->route = route_find(ticket->path, method, &ticket->rest, &ticket->status);
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

enum MHD_Result exchange_on_request(void *arg, struct MHD_Connection *connection, const char *path,
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
        return answer_send(ticket);
    }
    ticket->suspended = true;
    peer_waits(ticket->peer);
    if (ticket->stage == STAGE_WAITING) {
        peer_gives_place(ticket->peer);
    }
    MHD_suspend_connection(connection);
    return MHD_YES;
}

void exchange_on_completed(void *arg, struct MHD_Connection *connection, void **context,
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
    ticket->peer->request = NULL;
    free(ticket->path);
    free(ticket->body);
    free(ticket->text);
    free(ticket);
    *context = NULL;
}
