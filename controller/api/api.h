// HTTP/JSON for operators: on the Unix socket <runtime_dir>/popgate.sock (peer's uid decides who
// may change), and read-only on TCP loopback when configured. libmicrohttpd, driven by the loop
// through its epoll descriptor.
//
// Reads render the core as it is at that moment. Changes are parsed, checked and handed to the
// shell, which answers when the change is safe on disk.
//
// Clients can't slow the loop down (design, promise 7): each request has a connection of its own
// and ten seconds, connections are limited apart for operators, other local users and TCP, and
// rendering gets at most a fifth of the loop's time.
#pragma once

#include "controller/core/change.h"
#include "controller/core/problems.h"
#include "dns/responder/counters.h"

#include <sys/types.h>
#include <uv.h>

#define API_SOCKET "popgate.sock"

struct api;
struct status_prober; // see controller/api/status.h

struct api_ticket; // a request waiting for its answer

struct api_shell {
    const struct core *(*core)(void *arg);
    // Must lead to exactly one api_answer(), at once or later.
    void (*change)(void *arg, const struct change *change, struct api_ticket *ticket);
    // Reload the configuration; the same.
    void (*reload)(void *arg, struct api_ticket *ticket);
    // What else is wrong.
    struct own_trouble (*trouble)(void *arg);
    // The user's name, as far as it is known without looking; NULL: it is not.
    const char *(*user)(void *arg, uid_t uid);
    // Something happened to the socket; text says what.
    void (*tell)(void *arg, const char *text);
    // What only the prober knows, and the responder's counters (struct status_view's), called with
    // the same arg; may be NULL.
    const struct status_prober *prober;
    void (*totals)(void *arg, struct dns_totals *out);
};

// Answers a change or a reload. message is for the operator; NULL: the outcome says enough. The
// client may be gone by then; the ticket never is.
void api_answer(struct api_ticket *ticket, enum outcome outcome, const char *message);

// NULL with an error said. Creates the socket: mode 0666, since everybody may read; root, the
// daemon's own uid and members of control.group may change. A stale socket is replaced, a live one
// is an error. config is used only now, shell must outlive it; uptime counts from now.
struct api *api_new(uv_loop_t *loop, const struct config *config, const struct api_shell *shell,
                    void *arg, char error[ERROR_MAX]);

// Something was taken out of runtime_dir, or that itself: makes the socket anew if it is gone. And
// takes the address for http, if another had it and it is free.
void api_keep_socket(struct api *api);

// Why nobody is served at [control] http; NULL: all is well.
const char *api_trouble(const struct api *api);

// Tickets that are unanswered are answered 503 and gone: no api_answer() for them may follow.
// on_closed (may be NULL) when its handles are gone.
void api_close(struct api *api, void (*on_closed)(void *arg), void *arg);
