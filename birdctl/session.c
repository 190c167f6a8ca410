// One connection to BIRD's control socket, kept up (see session.h).
//
// A connection's life is one line of states; drop() ends it from any of them, and
// bird_session_close() the session:
//
//     RESTING ──timer──▶ CONNECTING ──▶ GREETING ──greeting──▶ READY ──▶ DRAINING ──▶ CLOSED
//        ▲                    │             │                    ├─▶ DEAF
//        └──────── drop() ────┴─────────────┴────────────────────┘
//
// DEAF has heard too much of one reply, and waits to be given up.
//
// BIRD 3 can die of a client that is gone when an answer is written to it (bird-facts 23), so no
// pipe is closed with an answer outstanding. DRAINING waits for the answers. Who drops a connection
// that BIRD still has parts from it (pipes.c).
//
// A command waits in one of two lanes, is written when the window has room for it, and is then a
// `sent` until its reply's last line. Lanes and sent are rings, allocated with the session.

#include "birdctl/inside.h"

#include <assert.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define QUOTED_MAX 65 // of BIRD's words in a reason
#define ECHO_BYTES 4096

// Ordinary commands leave room in the window for an urgent one, so that it never waits for theirs.
static const size_t lane_window[LANES] = {WINDOW_MAX, WINDOW_MAX - BIRD_COMMAND_MAX};

// Before 2.0.12 BIRD begins its buffer anew only when it has answered all that is in it, and drops
// who fills it before (bird-facts 29): what counts is all that was written since nothing was
// outstanding; half of it, as BIRD may read the next command before it has begun anew. It may do so
// several times in a row, if we never let up: then it drops us after all.
static const size_t old_window[LANES] = {WINDOW_MAX / 2, WINDOW_MAX / 2 - BIRD_COMMAND_MAX / 2};

// Rings.

static struct command *lane_add(struct lane *lane)
{
    return &lane->items[(lane->first + lane->count++) % LANE_MAX];
}

// An emptied lane begins anew, so that a quiet session touches few pages of it.
static struct command *lane_take(struct lane *lane)
{
    assert(lane->count > 0);
    struct command *command = &lane->items[lane->first];
    lane->count--;
    lane->first = lane->count == 0 ? 0 : (lane->first + 1) % LANE_MAX;
    return command;
}

static void sent_add(struct sent_ring *ring, struct sent sent)
{
    assert(ring->count < SENT_MAX);
    ring->items[(ring->first + ring->count++) % SENT_MAX] = sent;
    ring->burst = ring->count == 1 ? sent.length : ring->burst + sent.length;
    ring->bytes += sent.length;
    ring->own += sent.own;
}

static struct sent sent_take(struct sent_ring *ring)
{
    assert(ring->count > 0);
    struct sent sent = ring->items[ring->first];
    ring->first = (ring->first + 1) % SENT_MAX;
    ring->count--;
    ring->bytes -= sent.length;
    ring->own -= sent.own;
    return sent;
}

static bool is_closed(const struct bird_session *session)
{
    return session->state >= DRAINING;
}

// Events. Each is the last thing done before looking at the state again, since the user may have
// closed the session in it.

static void tell_link(struct bird_session *session, enum bird_link link, const char *reason)
{
    if (session->link == link && strcmp(session->reason, reason) == 0) {
        return;
    }
    session->link = link;
    snprintf(session->reason, sizeof session->reason, "%s", reason);
    session->events.on_link(session->arg, link, session->reason,
                            link == BIRD_LINK_UP ? &session->version : NULL);
}

// The link is down already, so no event can queue another command.
static void lose_commands(struct bird_session *session)
{
    while (!is_closed(session) && session->sent.count > 0) {
        struct sent sent = sent_take(&session->sent);
        if (!sent.own) {
            session->events.on_end(session->arg, sent.token, BIRD_END_LOST, 0, "");
        }
    }
    for (size_t i = 0; i < LANES; i++) {
        while (!is_closed(session) && session->lanes[i].count > 0) {
            uint64_t token = lane_take(&session->lanes[i])->token;
            session->events.on_end(session->arg, token, BIRD_END_LOST, 0, "");
        }
    }
}

// The rest between two connections.

static void on_timer(uv_timer_t *timer);

static void set_timer(struct bird_session *session, uint64_t delay_ms)
{
    uv_timer_start(&session->timer, on_timer, delay_ms, 0);
}

static void rest(struct bird_session *session)
{
    session->state = RESTING;
    set_timer(session, session->backoff_ms);
    uint64_t doubled = session->backoff_ms * 2;
    session->backoff_ms =
        doubled < session->options.backoff_max_ms ? doubled : session->options.backoff_max_ms;
}

enum whereabouts { BIRD_IS_GONE, BIRD_IS_THERE };

// Ends the connection; a new one is made after the back-off.
static void drop(struct bird_session *session, enum whereabouts bird, const char *reason)
{
    assert(session->state != RESTING && !is_closed(session));
    if (bird == BIRD_IS_THERE) {
        session_part(session);
    } else {
        session_close_pipe(session->pipe);
    }
    rest(session);
    tell_link(session, BIRD_LINK_DOWN, reason);
    lose_commands(session);
}

// Of other errors, such as a want of memory, BIRD knows nothing.
static enum whereabouts whereabouts_after(const struct bird_session *session, int error)
{
    bool gone = session->state == CONNECTING || error == UV_EPIPE || error == UV_ECONNRESET ||
                error == UV_ENOTCONN;
    return gone ? BIRD_IS_GONE : BIRD_IS_THERE;
}

static void drop_for_error(struct bird_session *session, const char *attempted, int error)
{
    char reason[BIRD_REASON_MAX];
    session_describe_error(session, attempted, error, reason);
    drop(session, whereabouts_after(session, error), reason);
}

// Drops for what was read. It may be anything, so only what is safe in a log is quoted.
static void drop_for_line(struct bird_session *session, const struct bird_line *line,
                          const char *verdict)
{
    char quoted[QUOTED_MAX];
    char reason[BIRD_REASON_MAX];
    snprintf(quoted, sizeof quoted, "%s", line->text);
    for (char *c = quoted; *c != '\0'; c++) {
        *c = *c >= ' ' && *c <= '~' ? *c : '?';
    }
    snprintf(reason, sizeof reason, "read from %s: \"%s\" %s", session->path, quoted, verdict);
    drop(session, BIRD_IS_THERE, reason);
}

// Writing.

static bool is_awaiting(const struct bird_session *session)
{
    return session->state == CONNECTING || session->state == GREETING || session->sent.count > 0;
}

// Not the loop's cached time: what holds the loop up must not count as silence of BIRD's.
static uint64_t now_ms(struct bird_session *session)
{
    uv_update_time(session->loop);
    return uv_now(session->loop);
}

static void watch(struct bird_session *session)
{
    if (is_awaiting(session) && !uv_is_active((const uv_handle_t *)&session->timer)) {
        set_timer(session, session->options.deadline_ms);
    }
}

// Not dropped here: the user may be in bird_session_send(), from which no event comes.
static void fail_write(struct bird_session *session, int error)
{
    session->write_error = error;
    set_timer(session, 0);
}

static void pump(struct bird_session *session);

static void on_written(uv_write_t *request, int status)
{
    struct pipe *pipe = request->data;
    struct bird_session *session = pipe->session;
    pipe->is_writing = false;
    if (pipe != session->pipe || session->state != READY) {
        return;
    }
    if (status < 0) {
        fail_write(session, status);
        return;
    }
    pump(session);
}

// At once if the socket takes it, which it does unless BIRD has stopped reading for long.
static void write_output(struct bird_session *session, size_t length)
{
    uv_stream_t *stream = (uv_stream_t *)&session->pipe->handle;
    uv_buf_t buffer = uv_buf_init(session->output, (unsigned)length);
    int written = uv_try_write(stream, &buffer, 1);
    if (written == UV_EAGAIN) {
        written = 0;
    }
    if (written < 0) {
        fail_write(session, written);
        return;
    }
    if ((size_t)written == length) {
        return;
    }
    buffer.base += written;
    buffer.len -= (size_t)written;
    int error = uv_write(&session->pipe->writing, stream, &buffer, 1, on_written);
    if (error < 0) {
        fail_write(session, error);
        return;
    }
    session->pipe->is_writing = true;
}

static bool has_room(const struct bird_session *session, enum lane_name lane, size_t length)
{
    const struct bird_version *version = &session->version;
    const struct sent_ring *sent = &session->sent;
    if (version->major == 2 && version->minor == 0 && version->patch < 12) {
        return sent->count == 0 || sent->burst + length <= old_window[lane];
    }
    return sent->bytes + length <= lane_window[lane];
}

// The lane whose next command the window has room for; LANES if there is none.
static enum lane_name next_lane(const struct bird_session *session)
{
    for (enum lane_name i = URGENT; i < LANES; i++) {
        const struct lane *lane = &session->lanes[i];
        if (lane->count > 0) {
            return has_room(session, i, lane->items[lane->first].length) ? i : LANES;
        }
    }
    return LANES;
}

// Writes all that the window has room for, in one piece.
static void pump(struct bird_session *session)
{
    if (session->state != READY || session->pipe->is_writing || session->write_error != 0) {
        return;
    }
    size_t length = 0;
    uint64_t written_ms = now_ms(session);
    for (enum lane_name i = next_lane(session); i != LANES; i = next_lane(session)) {
        const struct command *command = lane_take(&session->lanes[i]);
        memcpy(session->output + length, command->text, command->length);
        length += command->length;
        sent_add(&session->sent, (struct sent){command->token, written_ms, command->length, false});
    }
    if (length > 0) {
        watch(session);
        write_output(session, length);
    }
}

static void ask_for_echo(struct bird_session *session)
{
    struct bird_command command = bird_echo(ECHO_BYTES);
    size_t length = strlen(command.text) + 1;
    memcpy(session->output, command.text, length - 1);
    session->output[length - 1] = '\n';
    sent_add(&session->sent, (struct sent){0, now_ms(session), length, true});
    watch(session);
    write_output(session, length);
}

// Reading.

static void greet(struct bird_session *session, const struct bird_line *line)
{
    if (!bird_parse_greeting(line, &session->version)) {
        drop_for_line(session, line, "isn't a greeting of BIRD's; is [bird] socket right?");
        return;
    }
    session->state = READY;
    session->backoff_ms = session->options.backoff_min_ms;
    if (session->options.echo && session->version.major == BIRD_ECHO_MAJOR) {
        ask_for_echo(session);
    }
    pump(session);
    tell_link(session, BIRD_LINK_UP, "");
}

static bool is_without_end(struct bird_session *session, const struct bird_line *line)
{
    struct reply *reply = &session->reply;
    uint64_t now_ms = uv_now(session->loop);
    if (line->kind == BIRD_LAST) {
        *reply = (struct reply){0};
        return false;
    }
    if (reply->bytes > 0) {
        uint64_t gap_ms = now_ms - reply->line_ms;
        uint64_t most_ms = session->options.deadline_ms;
        reply->ms += gap_ms < most_ms ? gap_ms : most_ms;
    }
    reply->line_ms = now_ms;
    reply->bytes += line->length + 1;
    return reply->bytes > BIRD_REPLY_MAX || reply->ms > session->options.reply_ms;
}

static void wait_deaf(struct bird_session *session, uint64_t left_ms)
{
    uint64_t look_ms = session->options.deadline_ms;
    set_timer(session, look_ms < left_ms ? look_ms : left_ms);
}

// BIRD's socket fills, and BIRD waits, with this connection only.
static void go_deaf(struct bird_session *session)
{
    char reason[BIRD_REASON_MAX];
    session->state = DEAF;
    uv_read_stop((uv_stream_t *)&session->pipe->handle);
    wait_deaf(session, session->options.give_up_ms);
    snprintf(
        reason, sizeof reason,
        "BIRD on %s gives an answer that comes to no end, %llu bytes in %llu ms; no more of it "
        "is read",
        session->path, (unsigned long long)session->reply.bytes,
        (unsigned long long)session->reply.ms);
    tell_link(session, BIRD_LINK_SILENT, reason);
}

static void take_reply_line(struct bird_session *session, const struct bird_line *line)
{
    if (session->sent.count == 0) {
        drop_for_line(session, line,
                      "answers no command; the connection is out of step and is remade");
        return;
    }
    struct sent sent = session->sent.items[session->sent.first];
    if (is_without_end(session, line)) {
        go_deaf(session);
        return;
    }
    if (line->kind == BIRD_LAST) {
        sent_take(&session->sent);
    }
    if (sent.own) {
        return;
    }
    session->events.on_line(session->arg, sent.token, line);
    // The line lives until the reader goes on, whatever the event did to the connection.
    if (!is_closed(session) && line->kind == BIRD_LAST) {
        session->events.on_end(session->arg, sent.token, BIRD_END_REPLY, line->code, line->text);
    }
}

// A line after silence: the deadline counts anew, and BIRD is back.
static void end_silence(struct bird_session *session)
{
    if (session->link != BIRD_LINK_SILENT) {
        return;
    }
    if (session->write_error == 0) {
        uv_timer_stop(&session->timer);
        watch(session);
    }
    tell_link(session, BIRD_LINK_UP, "");
}

// Only whether it is the last one of a reply matters. Of what can't be read we part.
static void drain_line(struct bird_session *session, const struct bird_line *line)
{
    if (session->sent.count == 0) {
        return;
    }
    if (line->kind == BIRD_LAST) {
        sent_take(&session->sent);
    } else if (line->kind == BIRD_GARBLED) {
        session_part(session);
        session->sent = (struct sent_ring){0};
    }
    session_finish_if_drained(session);
}

static void take_line(void *arg, const struct bird_line *line)
{
    struct bird_session *session = arg;
    session->heard_ms = uv_now(session->loop);
    if (session->state == READY && line->kind != BIRD_GARBLED) {
        end_silence(session);
    }
    if (session->state == DRAINING) {
        drain_line(session, line);
    }
    if (session->state != GREETING && session->state != READY) {
        return; // of a connection that was dropped or closed
    }
    if (line->kind == BIRD_GARBLED) {
        drop_for_line(session, line, "isn't BIRD's control protocol; is [bird] socket right?");
    } else if (session->state == GREETING) {
        greet(session, line);
    } else if (line->kind == BIRD_ECHO) {
        session->events.on_echo(session->arg, line->text);
    } else {
        take_reply_line(session, line);
    }
}

void session_lend_input(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    (void)suggested;
    struct bird_session *session = ((struct pipe *)handle->data)->session;
    *out = uv_buf_init(session->input, sizeof session->input);
}

static void read_failed(struct bird_session *session, int error)
{
    char reason[BIRD_REASON_MAX];
    if (session->state == DRAINING) {
        session_close_pipe(session->pipe);
        session->sent = (struct sent_ring){0};
        session_finish_if_drained(session);
    } else if (error == UV_EOF || error == UV_ECONNRESET) {
        snprintf(reason, sizeof reason, "BIRD closed the connection on %s: it stopped or restarts",
                 session->path);
        drop(session, BIRD_IS_GONE, reason);
    } else {
        drop_for_error(session, "read from", error);
    }
}

void session_on_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *buffer)
{
    struct pipe *pipe = stream->data;
    struct bird_session *session = pipe->session;
    if (pipe->is_parting) {
        session_read_parting(pipe, length);
    } else if (pipe == session->pipe && length < 0) {
        read_failed(session, (int)length);
    } else if (pipe == session->pipe) {
        bird_reader_feed(&session->reader, buffer->base, (size_t)length, take_line, session);
        pump(session);
    }
}

// Connecting.

static void on_connected(uv_connect_t *request, int status)
{
    struct pipe *pipe = request->data;
    struct bird_session *session = pipe->session;
    if (pipe != session->pipe || session->state != CONNECTING) {
        return;
    }
    if (status == 0) {
        session->state = GREETING;
        status = uv_read_start((uv_stream_t *)&pipe->handle, session_lend_input, session_on_read);
    }
    if (status < 0) {
        drop_for_error(session, "connect to", status);
    }
}

static void connect_pipe(struct bird_session *session)
{
    struct pipe *pipe = session_free_pipe(session);
    if (pipe == NULL) {
        rest(session);
        return;
    }
    int error = uv_pipe_init(session->loop, &pipe->handle, 0);
    assert(error == 0); // it opens nothing yet
    (void)error;
    pipe->is_open = true;
    pipe->is_writing = false;
    session->pipe = pipe;
    session->open_handles++;
    session->state = CONNECTING;
    session->heard_ms = uv_now(session->loop);
    session->write_error = 0;
    session->reader = (struct bird_reader){0};
    session->reply = (struct reply){0};
    if (session->path_too_long) {
        drop_for_error(session, "connect to", UV_ENAMETOOLONG);
        return;
    }
    uv_pipe_connect(&pipe->connecting, &pipe->handle, session->path, on_connected);
    watch(session);
}

// Time. One timer: the back-off while resting, the bound while draining, else the deadline of what
// is awaited.

static uint64_t silent_for_ms(const struct bird_session *session)
{
    uint64_t since_ms = session->heard_ms;
    if (session->sent.count > 0) {
        uint64_t written_ms = session->sent.items[session->sent.first].written_ms;
        since_ms = written_ms > since_ms ? written_ms : since_ms;
    }
    return uv_now(session->loop) - since_ms;
}

// If we were held up ourselves, what BIRD said in time waits to be read.
static bool may_have_spoken(const struct bird_session *session)
{
    struct pollfd waiting = {.fd = -1, .events = POLLIN};
    if (session->state == CONNECTING ||
        uv_fileno((const uv_handle_t *)&session->pipe->handle, &waiting.fd) != 0) {
        return true; // the loop hasn't even told us of the connection
    }
    return poll(&waiting, 1, 0) > 0;
}

static void check_deadline(struct bird_session *session)
{
    const struct bird_session_options *options = &session->options;
    bool is_silent = session->link == BIRD_LINK_SILENT;
    uint64_t allowed_ms = options->deadline_ms + (is_silent ? options->give_up_ms : 0);
    uint64_t silent_ms = silent_for_ms(session);
    char reason[BIRD_REASON_MAX];
    if (silent_ms < allowed_ms) {
        set_timer(session, allowed_ms - silent_ms);
    } else if (may_have_spoken(session)) {
        set_timer(session, 1);
    } else if (!is_silent) {
        snprintf(reason, sizeof reason,
                 "BIRD on %s has said nothing for %llu ms; is it stopped or busy? What was sent "
                 "stays sent",
                 session->path, (unsigned long long)silent_ms);
        set_timer(session, options->give_up_ms);
        tell_link(session, BIRD_LINK_SILENT, reason);
    } else if (session_free_pipe(session) == NULL) {
        set_timer(session, options->give_up_ms); // where another would be silent, too
    } else {
        snprintf(reason, sizeof reason,
                 "BIRD on %s has said nothing for %llu ms; dropped the connection to try a new one",
                 session->path, (unsigned long long)silent_ms);
        drop(session, BIRD_IS_THERE, reason);
    }
}

// Nothing is read, so nothing tells of BIRD's end but a look now and then.
static void check_deaf(struct bird_session *session)
{
    char reason[BIRD_REASON_MAX];
    uint64_t deaf_ms = uv_now(session->loop) - session->heard_ms;
    if (session_has_hung_up(session->pipe)) {
        read_failed(session, UV_EOF);
        return;
    }
    if (deaf_ms < session->options.give_up_ms || session_free_pipe(session) == NULL) {
        wait_deaf(session, session->options.give_up_ms - deaf_ms);
        return;
    }
    snprintf(reason, sizeof reason,
             "BIRD on %s gave an answer that came to no end; dropped the connection to try a new "
             "one",
             session->path);
    drop(session, BIRD_IS_THERE, reason);
}

static void on_timer(uv_timer_t *timer)
{
    struct bird_session *session = timer->data;
    if (session->state == RESTING) {
        connect_pipe(session);
    } else if (session->state == DRAINING) {
        session_finish(session);
    } else if (session->state == DEAF) {
        check_deaf(session);
    } else if (session->write_error != 0) {
        drop_for_error(session, "write to", session->write_error);
    } else if (is_awaiting(session)) {
        check_deadline(session);
    }
}

// The user's side.

struct bird_session *bird_session_new(uv_loop_t *loop, const struct bird_session_options *options,
                                      const struct bird_session_events *events, void *arg)
{
    assert(loop && options && options->socket_path && events);
    assert(options->backoff_min_ms > 0 && options->backoff_min_ms <= options->backoff_max_ms);
    assert(events->on_link && events->on_line && events->on_end && events->on_echo);
    struct bird_session *session = calloc(1, sizeof *session);
    if (session == NULL) {
        return NULL;
    }
    size_t length = strlen(options->socket_path);
    session->path_too_long = length >= sizeof session->path;
    snprintf(session->path, sizeof session->path, "%s", options->socket_path);
    session_name_group(session);
    session->options = *options;
    session->options.socket_path = session->path;
    session->backoff_ms = options->backoff_min_ms;
    session->events = *events;
    session->arg = arg;
    session->loop = loop;
    session->timer.data = session;
    for (size_t i = 0; i < PIPES; i++) {
        struct pipe *pipe = &session->pipes[i];
        pipe->session = session;
        pipe->handle.data = pipe->connecting.data = pipe->writing.data = pipe;
    }
    session->state = RESTING;
    session->link = BIRD_LINK_DOWN;
    uv_timer_init(loop, &session->timer);
    session->open_handles = 1;
    set_timer(session, 0);
    return session;
}

int bird_session_send(struct bird_session *session, const char *command, uint64_t token,
                      bool urgent)
{
    assert(session && !is_closed(session) && command);
    struct lane *lane = &session->lanes[urgent ? URGENT : NORMAL];
    size_t length = strnlen(command, BIRD_COMMAND_MAX);
    if (length == 0 || length >= BIRD_COMMAND_MAX || strpbrk(command, "\r\n") != NULL) {
        return UV_EINVAL;
    }
    if (session->link == BIRD_LINK_DOWN) {
        return UV_ENOTCONN;
    }
    if (lane->count == LANE_MAX) {
        return UV_ENOBUFS;
    }
    struct command *queued = lane_add(lane);
    queued->token = token;
    queued->length = length + 1;
    memcpy(queued->text, command, length);
    queued->text[length] = '\n';
    pump(session);
    return 0;
}

void bird_session_renew(struct bird_session *session)
{
    assert(session && !is_closed(session));
    if (session->state == READY && session->write_error == 0) {
        fail_write(session, UV_EBUSY);
    }
}

size_t bird_session_outstanding(const struct bird_session *session)
{
    assert(session);
    return session->lanes[URGENT].count + session->lanes[NORMAL].count + session->sent.count -
           session->sent.own;
}

void bird_session_close(struct bird_session *session, uint64_t within_ms,
                        void (*on_closed)(void *arg), void *arg)
{
    assert(session && !is_closed(session));
    bool may_be_answered = session->state == READY && session->write_error == 0;
    session->state = DRAINING;
    session->on_closed = on_closed;
    session->closed_arg = arg;
    if (!may_be_answered) {
        session_part(session);
        session->sent = (struct sent_ring){0};
    }
    session_look_at_unread(session);
    if (within_ms == 0) {
        session_finish(session);
        return;
    }
    uv_update_time(session->loop);
    set_timer(session, within_ms);
    session_finish_if_drained(session);
}
