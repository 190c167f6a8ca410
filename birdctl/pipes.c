// A session's pipes: the connection that there is, and those that BIRD still has although we want
// them no more.
//
// Who drops a connection that BIRD still has parts from it: we say that nothing more comes, and
// read what does till BIRD hangs up, while the next connection is being made. Hence several pipes;
// when each of them waits for BIRD, one more would wait, too: no other is made until BIRD has let
// go of one. Nothing that we part from is closed before BIRD has hung up, however much it says:
// what is no BIRD, and talks without end, is not listened to any more.
#include "birdctl/inside.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>

// Read while parting: a BIRD that has read our end hangs up at once. From then on nothing tells of
// its end but a look now and then.
#define PARTING_MAX (UINT64_C(64) << 20)

static void free_when_closed(struct bird_session *session)
{
    if (--session->open_handles > 0 || session->state != CLOSED) {
        return;
    }
    void (*on_closed)(void *arg) = session->on_closed;
    void *arg = session->closed_arg;
    free(session);
    if (on_closed != NULL) {
        on_closed(arg);
    }
}

static void on_pipe_closed(uv_handle_t *handle)
{
    struct pipe *pipe = handle->data;
    pipe->is_open = false;
    free_when_closed(pipe->session);
}

static void on_timer_closed(uv_handle_t *handle)
{
    free_when_closed(handle->data);
}

void session_close_pipe(struct pipe *pipe)
{
    struct bird_session *session = pipe->session;
    session->parting -= pipe->is_parting;
    pipe->is_parting = false;
    if (pipe == session->pipe) {
        session->pipe = NULL;
    }
    uv_close((uv_handle_t *)&pipe->handle, on_pipe_closed);
}

bool session_has_hung_up(const struct pipe *pipe)
{
    struct pollfd peer = {.fd = -1};
    (void)uv_fileno((const uv_handle_t *)&pipe->handle, &peer.fd);
    return poll(&peer, 1, 0) > 0 && (peer.revents & (POLLHUP | POLLERR)) != 0;
}

void session_look_at_unread(struct bird_session *session)
{
    for (size_t i = 0; i < PIPES; i++) {
        struct pipe *pipe = &session->pipes[i];
        if (pipe->is_parting && pipe->discarded > PARTING_MAX && session_has_hung_up(pipe)) {
            session_close_pipe(pipe);
        }
    }
}

struct pipe *session_free_pipe(struct bird_session *session)
{
    session_look_at_unread(session);
    for (size_t i = 0; i < PIPES; i++) {
        if (!session->pipes[i].is_open) {
            return &session->pipes[i];
        }
    }
    return NULL;
}

void session_part(struct bird_session *session)
{
    struct pipe *pipe = session->pipe;
    int fd = -1;
    if (pipe == NULL) {
        return;
    }
    if (session->sent.count == 0 || uv_fileno((const uv_handle_t *)&pipe->handle, &fd) != 0 ||
        shutdown(fd, SHUT_WR) != 0) {
        session_close_pipe(pipe);
        return;
    }
    pipe->is_parting = true;
    pipe->discarded = 0;
    session->parting++;
    session->pipe = NULL;
    (void)uv_read_start((uv_stream_t *)&pipe->handle, session_lend_input,
                        session_on_read); // if DEAF
}

void session_finish(struct bird_session *session)
{
    session->state = CLOSED;
    for (size_t i = 0; i < PIPES; i++) {
        struct pipe *pipe = &session->pipes[i];
        if (pipe == session->pipe || pipe->is_parting) {
            session_close_pipe(pipe);
        }
    }
    uv_close((uv_handle_t *)&session->timer, on_timer_closed);
}

void session_finish_if_drained(struct bird_session *session)
{
    if (session->state == DRAINING && session->sent.count == 0 && session->parting == 0) {
        session_finish(session);
    }
}

void session_read_parting(struct pipe *pipe, ssize_t length)
{
    if (length < 0) {
        session_close_pipe(pipe);
        session_finish_if_drained(pipe->session);
        return;
    }
    pipe->discarded += (uint64_t)length;
    if (pipe->discarded > PARTING_MAX) {
        uv_read_stop((uv_stream_t *)&pipe->handle);
    }
}
