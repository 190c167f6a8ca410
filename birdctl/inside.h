// What the session's own files share; nobody else includes it: session.c (the connection's life,
// and the user's side), pipes.c (the pipes, and those that are parted from), reasons.c (why there
// is no connection, in an operator's words).
#pragma once

#include "birdctl/session.h"

#include <sys/un.h>

#define LANE_MAX   4096
#define WINDOW_MAX 960              // bytes written and unanswered; BIRD's buffer has 1024
#define SENT_MAX   (WINDOW_MAX / 2) // the shortest command has a letter and a newline
#define INPUT_MAX  16384
#define PIPES      8

enum state { RESTING, CONNECTING, GREETING, READY, DEAF, DRAINING, CLOSED };

enum lane_name { URGENT, NORMAL, LANES };

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
    size_t burst; // bytes since nothing was outstanding
    struct sent items[SENT_MAX];
};

// The reply under way, of which at least one line has come.
struct reply {
    uint64_t bytes, ms;
    uint64_t line_ms; // when its last one did
};

struct pipe {
    uv_pipe_t handle;
    uv_connect_t connecting;
    uv_write_t writing;
    bool is_open;    // until the loop has closed it
    bool is_writing; // the rest of output, by the loop
    bool is_parting; // we part from it
    uint64_t discarded;
    struct bird_session *session;
};

// Of the socket's, when the session was made.
struct known_group {
    gid_t number;
    char name[64]; // empty: /etc/group has none for it
};

struct bird_session {
    struct bird_session_options options;
    char path[sizeof((struct sockaddr_un *)NULL)->sun_path];
    bool path_too_long;
    struct known_group group;
    struct bird_session_events events;
    void *arg;

    uv_loop_t *loop;
    struct pipe pipes[PIPES];
    struct pipe *pipe; // the connection, from CONNECTING to DRAINING, else NULL
    size_t parting;    // how many we part from
    uv_timer_t timer;
    size_t open_handles;
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
    struct reply reply;
    struct bird_reader reader;
    char output[WINDOW_MAX];
    char input[INPUT_MAX];
};

// ---- reasons.c

void session_name_group(struct bird_session *session); // once, when the session is made
void session_describe_error(const struct bird_session *session, const char *attempted, int error,
                            char out[BIRD_REASON_MAX]);

// ---- pipes.c

// NULL: BIRD, or the loop, is still to close one.
struct pipe *session_free_pipe(struct bird_session *session);
void session_close_pipe(struct pipe *pipe);

// From the connection that there is, if there is one.
void session_part(struct bird_session *session);
void session_read_parting(struct pipe *pipe, ssize_t length); // that we part from
void session_look_at_unread(struct bird_session *session);    // closes those that have hung up
bool session_has_hung_up(const struct pipe *pipe);

// Closes all that is open; the session is freed when that is done.
void session_finish(struct bird_session *session);
void session_finish_if_drained(struct bird_session *session);

// ---- session.c

void session_lend_input(uv_handle_t *handle, size_t suggested, uv_buf_t *out);
void session_on_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *buffer);
