// What there is to ask for: reads, which render the core, and changes, which go to the shell.
#include "controller/api/inside.h"

#include "base/clock.h"
#include "controller/api/request.h"
#include "controller/api/status.h"
#include "controller/api/who.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

// ---- Reads

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
    answer_text(ticket, 200, text, length, "application/json");
}

// SIZE_MAX, and answered, when there is none of that name.
static size_t service_named(struct api_ticket *ticket, const char *name)
{
    char message[ERROR_MAX];
    size_t service =
        request_service(ticket->api->shell->core(ticket->api->arg)->config, name, message);
    if (service == SIZE_MAX) {
        answer_status(ticket, 404, message);
    }
    return service;
}

static void render_service(struct api_ticket *ticket)
{
    struct status_view view = view_of(ticket->api);
    size_t service = service_named(ticket, ticket->rest);
    if (service != SIZE_MAX) {
        size_t length = 0;
        char *text = status_service(&view, service, &length);
        answer_text(ticket, 200, text, length, "application/json");
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
        answer_text(ticket, 200, text, length, "application/json");
    }
}

static void render_health(struct api_ticket *ticket)
{
    const struct core *core = ticket->api->shell->core(ticket->api->arg);
    bool up = core->links[ORDER_LINK_ACT].state == BIRD_LINK_UP;
    char *text = strdup(up ? "ok\nBIRD is up\n" : "ok\nBIRD is out of reach\n");
    answer_text(ticket, 200, text, text != NULL ? strlen(text) : 0, "text/plain; charset=utf-8");
}

// ---- Changes

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
        api_answer(ticket, OUTCOME_NOTHING, message);
    } else {
        const struct who who = {.uid = ticket->peer->uid,
                                .pid = ticket->peer->pid,
                                .proc = "/proc",
                                .claimed = request.claimed,
                                .name = api->shell->user,
                                .arg = api->arg};
        who_asks(&who, request.change.by);
        api->shell->change(api->arg, &request.change, ticket);
    }
    request_clear(&request);
}

static void reload(struct api_ticket *ticket)
{
    ticket->api->shell->reload(ticket->api->arg, ticket);
}

// ---- The table

static const struct route routes[] = {
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

const struct route *route_find(const char *path, const char *method, const char **rest,
                               unsigned *status)
{
    const char *wanted = strcmp(method, "HEAD") == 0 ? "GET" : method;
    *status = 404;
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
        if (!path_fits(&routes[i], path)) {
            continue;
        }
        *status = 405;
        if (strcmp(routes[i].method, wanted) == 0) {
            *rest = path + strlen(routes[i].path);
            return &routes[i];
        }
    }
    return NULL;
}
