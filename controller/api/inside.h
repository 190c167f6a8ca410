// What the API's own files share; nobody else includes it. Each uses those before it: http.c
// (libmicrohttpd on the loop), answer.c (answers), routes.c (what there is to ask for), exchange.c
// (a request from its first byte to its answer, turns at rendering), api.c (beginning and end).
#pragma once

#include "controller/api/api.h"
#include "controller/api/listen.h"

#include "base/error.h"

#include <microhttpd.h>

enum stage {
    STAGE_READING,
    STAGE_RENDERING, // suspended, in the queue for its turn
    STAGE_WAITING,   // for api_answer(); suspended unless it came at once
    STAGE_ANSWERED,
};

// What there is to ask for.
struct route {
    const char *method, *path;
    enum { REST_NONE, REST_ANY, REST_VERB } rest; // what may follow path
    void (*render)(struct api_ticket *ticket);    // of GET
    void (*act)(struct api_ticket *ticket);       // of POST
};

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

struct api {
    uv_loop_t *loop;
    const struct api_shell *shell;
    void *arg;
    struct MHD_Daemon *http;
    uv_poll_t http_poll;
    uv_timer_t http_timer;   // libmicrohttpd's own time-outs and left-over work
    uv_timer_t render_timer; // the next turn at rendering
    struct listening listening;
    struct api_ticket *queue, **queue_end;
    uint64_t render_not_before_ns;
    uint64_t started_ns;
    bool closing;
    size_t handles;
    void (*on_closed)(void *arg);
    void *closed_arg;
};

// ---- Http.c

// libmicrohttpd does what there is to do.
void api_run(struct api *api);
// The same, but from the loop: nothing else tells it that a connection goes on.
void api_wake(struct api *api);

// ---- Answer.c

// Answers with that text (malloc'd, taken over; NULL: out of memory), or with a message as JSON.
void answer_text(struct api_ticket *ticket, unsigned status, char *text, size_t length,
                 const char *type);
void answer_status(struct api_ticket *ticket, unsigned status, const char *message);
// What the ticket was answered with, to libmicrohttpd.
enum MHD_Result answer_send(struct api_ticket *ticket);

// ---- Routes.c

// The route for a request, and the rest of its path; NULL: there is none, *status says why.
const struct route *route_find(const char *path, const char *method, const char **rest,
                               unsigned *status);

// ---- Exchange.c

// libmicrohttpd's handler of requests, and MHD_OPTION_NOTIFY_COMPLETED.
enum MHD_Result exchange_on_request(void *arg, struct MHD_Connection *connection, const char *path,
                                    const char *method, const char *version, const char *data,
                                    size_t *size, void **context);
void exchange_on_completed(void *arg, struct MHD_Connection *connection, void **context,
                           enum MHD_RequestTerminationCode code);
