// One connection to BIRD's control socket, kept up (see session.h).
//
// A connection's life is one line of states; drop() ends it from any of them:
//
//     RESTING ──timer──▶ CONNECTING ──▶ GREETING ──greeting──▶ READY
//        ▲                    │             │                    │
//        └──── pipe closed ◀──┴─── drop() ──┴────────────────────┘
//
// A command waits in one of two lanes, is written when the window has room for it, and is then a
// `sent` until its reply's last line. Lanes and sent are rings, allocated with the session.

#include "birdctl/session.h"

#include <assert.h>
#include <errno.h>
#include <grp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>

#define LANE_MAX   4096
#define WINDOW_MAX 960              // bytes written and unanswered; BIRD's buffer has 1024
#define SENT_MAX   (WINDOW_MAX / 2) // the shortest command has a letter and a newline
#define INPUT_MAX  16384
#define QUOTED_MAX 65 // of BIRD's words in a reason

#define ECHO_BYTES 4096
#define ECHO_MAJOR 2 // 3.x has no such command (bird-facts 8)

enum state { RESTING, CONNECTING, GREETING, READY, CLOSED };

enum lane_name { URGENT, NORMAL, LANES };

// Ordinary commands leave room in the window for an urgent one, so that it never waits for theirs.
static const size_t lane_window[LANES] = {WINDOW_MAX, WINDOW_MAX - BIRD_COMMAND_MAX};

struct command {
    uint64_t token;
    size_t length; // of text, its newline included
    char text[BIRD_COMMAND_MAX];
};

struct lane {
    size_t first, count;
    struct command items[LANE_MAX];
};

struct sent {
    uint64_t token;
    uint64_t written_ms;
    size_t length;
    bool own; // the session's, not the user's: no events
};

struct sent_ring {
    size_t first, count, bytes, own;
    struct sent items[SENT_MAX];
};

struct bird_session {
    struct bird_session_options options;
    char path[sizeof((struct sockaddr_un *)NULL)->sun_path];
    bool path_too_long;
    struct bird_session_events events;
    void *arg;

    uv_loop_t *loop;
    uv_pipe_t pipe;
    uv_timer_t timer;
    uv_connect_t connecting;
    uv_write_t writing;
    size_t open_handles;
    bool is_writing; // the rest of output, by the loop
    void (*on_closed)(void *arg);
    void *closed_arg;

    enum state state;
    uint64_t backoff_ms;
    uint64_t heard_ms;   // the last line, or the begin of the connection
    int write_error;     // ends the connection as soon as no caller is on the stack
    enum bird_link link; // as last told
    char reason[BIRD_REASON_MAX];
    struct bird_version version;

    struct lane lanes[LANES];
    struct sent_ring sent;
    struct bird_reader reader;
    char output[WINDOW_MAX];
    char input[INPUT_MAX];
};

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
    ring->bytes += sent.length;
    ring->own += sent.own;
}

static struct sent sent_take(struct sent_ring *ring)
{
    assert(ring->count > 0);
    const struct sent sent = ring->items[ring->first];
    ring->first = (ring->first + 1) % SENT_MAX;
    ring->count--;
    ring->bytes -= sent.length;
    ring->own -= sent.own;
    return sent;
}

// Reasons, as an operator reads them.

// The group that may write to the socket, for the advice; -1 if even looking at it is forbidden.
static int socket_group(const char *path, char *out, size_t size)
{
    struct stat status;
    struct group entry, *found = NULL;
    char names[1024];
    if (stat(path, &status) != 0) {
        return -1;
    }
    if (getgrgid_r(status.st_gid, &entry, names, sizeof names, &found) == 0 && found) {
        snprintf(out, size, "%s", entry.gr_name);
    } else {
        snprintf(out, size, "with id %lu", (unsigned long)status.st_gid);
    }
    return 0;
}

static void advise_on_permission(const char *path, char *out, size_t size)
{
    char group[64];
    if (socket_group(path, group, sizeof group) != 0) {
        snprintf(out, size,
                 "popgated's user may not enter the socket's directory (it must be in the "
                 "directory's group, e.g. bird)");
        return;
    }
    snprintf(out, size,
             "popgated's user must be in the socket's group, %s, and the group must be allowed to "
             "write to it",
             group);
}

static const char *advice_for(int error)
{
    static const struct {
        int error;
        const char *advice;
    } table[] = {
        {UV_ENOENT, "is BIRD running, and is [bird] socket right?"},
        {UV_ENOTDIR, "is [bird] socket right?"},
        {UV_ECONNREFUSED, "BIRD isn't running (it left its socket behind), or the file isn't a "
                          "socket of BIRD's"},
        {UV_EAGAIN, "BIRD accepts no more connections; is it stopped or stuck?"},
        {UV_ENAMETOOLONG, "[bird] socket is longer than a socket's path may be"},
        {UV_EMFILE, "popgated is out of file descriptors (trouble of our own; LimitNOFILE=)"},
        {UV_ENFILE, "this host is out of file descriptors (trouble of our own; fs.file-max)"},
        {UV_ENOMEM, "this host is out of memory (trouble of our own)"},
        {UV_ENOBUFS, "this host is out of memory (trouble of our own)"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        if (table[i].error == error) {
            return table[i].advice;
        }
    }
    return NULL;
}

static void describe_error(const struct bird_session *session, const char *attempted, int error,
                           char out[BIRD_REASON_MAX])
{
    char permission[256];
    const char *advice = advice_for(error);
    if (error == UV_EACCES || error == UV_EPERM) {
        advise_on_permission(session->path, permission, sizeof permission);
        advice = permission;
    }
    snprintf(out, BIRD_REASON_MAX, "%s %s: %s%s%s", attempted, session->path, uv_strerror(error),
             advice ? "; " : "", advice ? advice : "");
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
    while (session->state != CLOSED && session->sent.count > 0) {
        const struct sent sent = sent_take(&session->sent);
        if (!sent.own) {
            session->events.on_end(session->arg, sent.token, BIRD_END_LOST, 0, "");
        }
    }
    for (size_t i = 0; i < LANES; i++) {
        while (session->state != CLOSED && session->lanes[i].count > 0) {
            const uint64_t token = lane_take(&session->lanes[i])->token;
            session->events.on_end(session->arg, token, BIRD_END_LOST, 0, "");
        }
    }
}

// Closing of handles, and the rest between two connections.

static void free_when_closed(struct bird_session *session)
{
    if (--session->open_handles > 0) {
        return;
    }
    void (*on_closed)(void *arg) = session->on_closed;
    void *arg = session->closed_arg;
    free(session);
    if (on_closed) {
        on_closed(arg);
    }
}

static void on_timer(uv_timer_t *timer);

static void set_timer(struct bird_session *session, uint64_t delay_ms)
{
    uv_timer_start(&session->timer, on_timer, delay_ms, 0);
}

static void on_pipe_closed(uv_handle_t *handle)
{
    struct bird_session *session = handle->data;
    if (session->state == CLOSED) {
        free_when_closed(session);
        return;
    }
    session->open_handles--;
    set_timer(session, session->backoff_ms);
    const uint64_t doubled = session->backoff_ms * 2;
    session->backoff_ms =
        doubled < session->options.backoff_max_ms ? doubled : session->options.backoff_max_ms;
}

static void on_timer_closed(uv_handle_t *handle)
{
    free_when_closed(handle->data);
}

// Ends the connection; a new one is made after the back-off.
static void drop(struct bird_session *session, const char *reason)
{
    assert(session->state != RESTING && session->state != CLOSED);
    session->state = RESTING;
    uv_timer_stop(&session->timer);
    uv_close((uv_handle_t *)&session->pipe, on_pipe_closed);
    tell_link(session, BIRD_LINK_DOWN, reason);
    lose_commands(session);
}

static void drop_for_error(struct bird_session *session, const char *attempted, int error)
{
    char reason[BIRD_REASON_MAX];
    describe_error(session, attempted, error, reason);
    drop(session, reason);
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
    drop(session, reason);
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
    struct bird_session *session = request->data;
    session->is_writing = false;
    if (session->state != READY) {
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
    uv_stream_t *stream = (uv_stream_t *)&session->pipe;
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
    const int error = uv_write(&session->writing, stream, &buffer, 1, on_written);
    if (error < 0) {
        fail_write(session, error);
        return;
    }
    session->is_writing = true;
}

// The lane whose next command the window has room for; LANES if there is none.
static enum lane_name next_lane(const struct bird_session *session)
{
    for (enum lane_name i = URGENT; i < LANES; i++) {
        const struct lane *lane = &session->lanes[i];
        if (lane->count > 0) {
            const size_t length = lane->items[lane->first].length;
            return session->sent.bytes + length <= lane_window[i] ? i : LANES;
        }
    }
    return LANES;
}

// Writes all that the window has room for, in one piece.
static void pump(struct bird_session *session)
{
    if (session->state != READY || session->is_writing || session->write_error != 0) {
        return;
    }
    size_t length = 0;
    const uint64_t written_ms = now_ms(session);
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
    const struct bird_command command = bird_echo(ECHO_BYTES);
    const size_t length = strlen(command.text) + 1;
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
    if (session->options.echo && session->version.major == ECHO_MAJOR) {
        ask_for_echo(session);
    }
    pump(session);
    tell_link(session, BIRD_LINK_UP, "");
}

static void take_reply_line(struct bird_session *session, const struct bird_line *line)
{
    if (session->sent.count == 0) {
        drop_for_line(session, line,
                      "answers no command; the connection is out of step and is remade");
        return;
    }
    const struct sent sent = session->sent.items[session->sent.first];
    if (line->kind == BIRD_LAST) {
        sent_take(&session->sent);
    }
    if (sent.own) {
        return;
    }
    session->events.on_line(session->arg, sent.token, line);
    // The line lives until the reader goes on, whatever the event did to the connection.
    if (session->state != CLOSED && line->kind == BIRD_LAST) {
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

static void take_line(void *arg, const struct bird_line *line)
{
    struct bird_session *session = arg;
    if (session->state != GREETING && session->state != READY) {
        return; // the rest of what a dropped or closed connection said
    }
    session->heard_ms = uv_now(session->loop);
    if (line->kind == BIRD_GARBLED) {
        drop_for_line(session, line, "isn't BIRD's control protocol; is [bird] socket right?");
        return;
    }
    if (session->state == GREETING) {
        greet(session, line);
        return;
    }
    end_silence(session);
    if (session->state != READY) {
        return;
    }
    if (line->kind == BIRD_ECHO) {
        session->events.on_echo(session->arg, line->text);
    } else {
        take_reply_line(session, line);
    }
}

static void lend_input(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    (void)suggested;
    struct bird_session *session = handle->data;
    *out = uv_buf_init(session->input, sizeof session->input);
}

static void on_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *buffer)
{
    struct bird_session *session = stream->data;
    if (session->state != GREETING && session->state != READY) {
        return;
    }
    if (length == UV_EOF || length == UV_ECONNRESET) {
        char reason[BIRD_REASON_MAX];
        snprintf(reason, sizeof reason, "BIRD closed the connection on %s: it stopped or restarts",
                 session->path);
        drop(session, reason);
    } else if (length < 0) {
        drop_for_error(session, "read from", (int)length);
    } else {
        bird_reader_feed(&session->reader, buffer->base, (size_t)length, take_line, session);
        pump(session);
    }
}

// Connecting.

static void on_connected(uv_connect_t *request, int status)
{
    struct bird_session *session = request->data;
    if (session->state != CONNECTING) {
        return;
    }
    if (status == 0) {
        session->state = GREETING;
        status = uv_read_start((uv_stream_t *)&session->pipe, lend_input, on_read);
    }
    if (status < 0) {
        drop_for_error(session, "connect to", status);
    }
}

static void connect_pipe(struct bird_session *session)
{
    const int error = uv_pipe_init(session->loop, &session->pipe, 0);
    assert(error == 0); // it opens nothing yet
    (void)error;
    session->open_handles++;
    session->state = CONNECTING;
    session->heard_ms = uv_now(session->loop);
    session->write_error = 0;
    session->is_writing = false;
    session->reader = (struct bird_reader){0};
    if (session->path_too_long) {
        drop_for_error(session, "connect to", UV_ENAMETOOLONG);
        return;
    }
    uv_pipe_connect(&session->connecting, &session->pipe, session->path, on_connected);
    watch(session);
}

// Time. One timer: the back-off while resting, else the deadline of what is awaited.

static uint64_t silent_for_ms(const struct bird_session *session)
{
    uint64_t since_ms = session->heard_ms;
    if (session->sent.count > 0) {
        const uint64_t written_ms = session->sent.items[session->sent.first].written_ms;
        since_ms = written_ms > since_ms ? written_ms : since_ms;
    }
    return uv_now(session->loop) - since_ms;
}

// If we were held up ourselves, what BIRD said in time waits to be read.
static bool may_have_spoken(const struct bird_session *session)
{
    struct pollfd waiting = {.fd = -1, .events = POLLIN};
    if (session->state == CONNECTING ||
        uv_fileno((const uv_handle_t *)&session->pipe, &waiting.fd) != 0) {
        return true; // the loop hasn't even told us of the connection
    }
    return poll(&waiting, 1, 0) > 0;
}

static void check_deadline(struct bird_session *session)
{
    const struct bird_session_options *options = &session->options;
    const bool is_silent = session->link == BIRD_LINK_SILENT;
    const uint64_t allowed_ms = options->deadline_ms + (is_silent ? options->give_up_ms : 0);
    const uint64_t silent_ms = silent_for_ms(session);
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
    } else {
        snprintf(reason, sizeof reason,
                 "BIRD on %s has said nothing for %llu ms; dropped the connection to try a new one",
                 session->path, (unsigned long long)silent_ms);
        drop(session, reason);
    }
}

static void on_timer(uv_timer_t *timer)
{
    struct bird_session *session = timer->data;
    if (session->state == RESTING) {
        connect_pipe(session);
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
    if (!session) {
        return NULL;
    }
    const size_t length = strlen(options->socket_path);
    session->path_too_long = length >= sizeof session->path;
    snprintf(session->path, sizeof session->path, "%s", options->socket_path);
    session->options = *options;
    session->options.socket_path = session->path;
    session->backoff_ms = options->backoff_min_ms;
    session->events = *events;
    session->arg = arg;
    session->loop = loop;
    session->pipe.data = session->timer.data = session;
    session->connecting.data = session->writing.data = session;
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
    assert(session && session->state != CLOSED && command);
    struct lane *lane = &session->lanes[urgent ? URGENT : NORMAL];
    const size_t length = strnlen(command, BIRD_COMMAND_MAX);
    if (length == 0 || length >= BIRD_COMMAND_MAX || strpbrk(command, "\r\n")) {
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

size_t bird_session_outstanding(const struct bird_session *session)
{
    assert(session);
    return session->lanes[URGENT].count + session->lanes[NORMAL].count + session->sent.count -
           session->sent.own;
}

void bird_session_close(struct bird_session *session, void (*on_closed)(void *arg), void *arg)
{
    assert(session && session->state != CLOSED);
    const bool has_pipe = session->open_handles > 1;
    session->state = CLOSED;
    session->on_closed = on_closed;
    session->closed_arg = arg;
    uv_close((uv_handle_t *)&session->timer, on_timer_closed);
    if (has_pipe && !uv_is_closing((uv_handle_t *)&session->pipe)) {
        uv_close((uv_handle_t *)&session->pipe, on_pipe_closed);
    }
}
