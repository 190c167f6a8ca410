// A session's pipes: the connection that there is, and those that BIRD still has although we want
// them no more.
//
// Who drops a connection that BIRD still has parts from it: we say that nothing more comes, and
// read what does till BIRD hangs up, while the next connection is being made. Hence several pipes;
// when each of them waits for BIRD, one more would wait, too: no other is made until BIRD has let
// go of one.
#include "birdctl/inside.h"

#include <stdlib.h>
#include <sys/socket.h>

// Read while parting, then it is no BIRD: one that has read our end hangs up at once.
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

struct pipe *session_free_pipe(struct bird_session *session)
{
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
    if (length > 0) {
        pipe->discarded += (uint64_t)length;
    }
    if (length < 0 || pipe->discarded > PARTING_MAX) {
        session_close_pipe(pipe);
        session_finish_if_drained(pipe->session);
    }
}
