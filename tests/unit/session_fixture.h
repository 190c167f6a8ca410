// A fake BIRD whose every word the test decides, and the session with it. The fake is a plain
// socket, so that what is in it can be counted.
#pragma once

#include "birdctl/session.h"
#include "tests/unit/guard.h"
#include "tests/unit/own_clock.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define ENDS_MAX   9000
#define LINKS_MAX  64
#define GREETING_2 "0001 BIRD 2.0.12 ready.\n"

struct ended {
    uint64_t token;
    enum bird_end end;
    unsigned code;
    char text[64];
};

struct linked {
    enum bird_link link;
    char reason[BIRD_REASON_MAX];
    struct bird_version version;
};

enum close_at { NEVER, AT_UP, AT_LINE, AT_LAST_LINE, AT_END, AT_ECHO, AT_SILENT, AT_DOWN, AT_LOST };

struct world {
    uv_loop_t loop;
    uv_timer_t tick; // the loop turns at least this often, to look at the fake
    char directory[64], path[96];

    int listener, client; // of the fake; -1 when there is none
    unsigned accepted;
    const char *greeting; // said to each new connection; NULL for none
    bool answers;         // every command at once, "0009-<command>" and "0000 "

    struct bird_session *session;
    bool closed;
    enum close_at close_at;
    uint64_t close_within_ms;
    unsigned events_after_close;
    struct linked links[LINKS_MAX];
    size_t link_count;
    struct ended ends[ENDS_MAX];
    size_t end_count;
    size_t line_count, echo_count;
    char last_line[BIRD_LINE_MAX + 1], last_echo[BIRD_LINE_MAX + 1];
    int send_when_lost; // what bird_session_send() said within on_end of a lost command
    uint64_t follow_up; // commands that on_end still sends, each in the event of the one before
};

// Events.

static inline void note_closed(void *arg)
{
    struct world *world = arg;
    world->closed = true;
}

static inline void close_if(struct world *world, enum close_at here)
{
    if (world->close_at == here && world->session != NULL) {
        bird_session_close(world->session, world->close_within_ms, note_closed, world);
        world->session = NULL;
    }
}

static inline void note_event(struct world *world)
{
    world->events_after_close += world->session == NULL;
}

static inline void on_link(void *arg, enum bird_link link, const char *reason,
                           const struct bird_version *version)
{
    struct world *world = arg;
    static const enum close_at at[] = {AT_DOWN, AT_UP, AT_SILENT};
    note_event(world);
    assert_true(world->link_count < LINKS_MAX);
    assert_int_equal(version != NULL, link == BIRD_LINK_UP);
    struct linked *linked = &world->links[world->link_count++];
    linked->link = link;
    snprintf(linked->reason, sizeof linked->reason, "%s", reason);
    linked->version = version != NULL ? *version : (struct bird_version){0};
    close_if(world, at[link]);
}

static inline void on_line(void *arg, uint64_t token, const struct bird_line *line)
{
    struct world *world = arg;
    (void)token;
    note_event(world);
    world->line_count++;
    snprintf(world->last_line, sizeof world->last_line, "%s", line->text);
    close_if(world, AT_LINE);
    if (line->kind == BIRD_LAST) {
        close_if(world, AT_LAST_LINE);
    }
}

static inline void on_end(void *arg, uint64_t token, enum bird_end end, unsigned code,
                          const char *text)
{
    struct world *world = arg;
    note_event(world);
    assert_true(world->end_count < ENDS_MAX);
    struct ended *ended = &world->ends[world->end_count++];
    *ended = (struct ended){token, end, code, ""};
    snprintf(ended->text, sizeof ended->text, "%s", text);
    if (end == BIRD_END_LOST) {
        world->send_when_lost = bird_session_send(world->session, "show status", 1, false);
        close_if(world, AT_LOST);
        return;
    }
    if (world->follow_up > 0) {
        assert_int_equal(bird_session_send(world->session, "next", world->follow_up--, false), 0);
    }
    close_if(world, AT_END);
}

static inline void on_echo(void *arg, const char *text)
{
    struct world *world = arg;
    note_event(world);
    world->echo_count++;
    snprintf(world->last_echo, sizeof world->last_echo, "%s", text);
    close_if(world, AT_ECHO);
}

// The fake BIRD.

static inline struct sockaddr_un address_of(const struct world *world)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", world->path);
    return address;
}

static inline int bind_socket(const struct world *world)
{
    struct sockaddr_un address = address_of(world);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static inline void fake_start(struct world *world)
{
    world->listener = bind_socket(world);
    assert_int_equal(listen(world->listener, 8), 0);
}

static inline void fake_hang_up(struct world *world)
{
    assert_true(world->client >= 0);
    close(world->client);
    world->client = -1;
}

static inline void fake_say(struct world *world, const char *text)
{
    size_t length = strlen(text);
    assert_int_equal(write(world->client, text, length), length);
}

// Takes one whole command, if one is there.
static inline bool fake_hears(struct world *world, char *out, size_t size)
{
    ssize_t length = recv(world->client, out, size - 1, MSG_PEEK);
    if (length <= 0) {
        return false;
    }
    const char *newline = memchr(out, '\n', (size_t)length);
    assert_non_null(newline);
    length = recv(world->client, out, (size_t)(newline - out) + 1, 0);
    out[length - 1] = '\0';
    return true;
}

static inline void assert_heard(struct world *world, const char *expected)
{
    char command[BIRD_COMMAND_MAX * 2];
    assert_true(fake_hears(world, command, sizeof command));
    assert_string_equal(command, expected);
}

static inline void fake_answer(struct world *world, const char *command)
{
    char reply[BIRD_COMMAND_MAX * 3];
    snprintf(reply, sizeof reply, "0009-%s\n0000 \n", command);
    fake_say(world, reply);
}

static inline void fake_turn(struct world *world)
{
    char command[BIRD_COMMAND_MAX * 2];
    struct pollfd peer = {.fd = world->client, .events = POLLRDHUP};
    if (poll(&peer, 1, 0) > 0 && (peer.revents & (POLLHUP | POLLRDHUP))) {
        fake_hang_up(world); // as BIRD does: the session dropped it, or is done with it
    }
    if (world->client < 0 && world->listener >= 0) {
        world->client = accept4(world->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        world->accepted += world->client >= 0;
        if (world->client >= 0 && world->greeting != NULL) {
            (void)!write(world->client, world->greeting, strlen(world->greeting)); // may be gone
        }
    }
    while (world->client >= 0 && world->answers && fake_hears(world, command, sizeof command)) {
        fake_answer(world, command);
    }
}

// The world.

static inline void on_tick(uv_timer_t *timer)
{
    (void)timer;
}

static inline void turn(struct world *world)
{
    fake_turn(world);
    uv_run(&world->loop, UV_RUN_ONCE);
}

#define run_until(world, condition)                                                                \
    do {                                                                                           \
        guard_awaits(#condition);                                                                  \
        while (!(condition)) {                                                                     \
            turn(world);                                                                           \
        }                                                                                          \
    } while (0)

static inline struct bird_session_options patient(const struct world *world)
{
    return (struct bird_session_options){.socket_path = world->path,
                                         .deadline_ms = 60000,
                                         .give_up_ms = 60000,
                                         .reply_ms = 60000,
                                         .backoff_min_ms = 1,
                                         .backoff_max_ms = 4};
}

static inline void begin(struct world *world, struct bird_session_options options)
{
    static const struct bird_session_events events = {on_link, on_line, on_end, on_echo};
    world->session = bird_session_new(&world->loop, &options, &events, world);
    assert_non_null(world->session);
}

static inline const struct linked *last_link(const struct world *world)
{
    static const struct linked none = {.link = BIRD_LINK_DOWN};
    return world->link_count > 0 ? &world->links[world->link_count - 1] : &none;
}

static inline bool is_up(const struct world *world)
{
    return last_link(world)->link == BIRD_LINK_UP;
}

static inline bool is_down_with_reason(const struct world *world)
{
    return world->link_count > 0 && last_link(world)->link == BIRD_LINK_DOWN;
}

static inline void begin_and_greet(struct world *world, struct bird_session_options options)
{
    fake_start(world);
    begin(world, options);
    run_until(world, is_up(world));
}

static inline void send_numbered(struct world *world, uint64_t token, bool urgent)
{
    char command[64];
    snprintf(command, sizeof command, "disable \"popgate_%s%llu_v4\"", urgent ? "u" : "n",
             (unsigned long long)token);
    assert_int_equal(bird_session_send(world->session, command, token, urgent), 0);
}

static inline void assert_reason_has(const struct world *world, const char *words)
{
    if (strstr(last_link(world)->reason, words) == NULL) {
        fail_msg("reason \"%s\" lacks \"%s\"", last_link(world)->reason, words);
    }
}

static inline int make_world(void **state)
{
    struct world *world = calloc(1, sizeof *world);
    assert_non_null(world);
    guard_begin();
    uv_loop_init(&world->loop);
    uv_timer_init(&world->loop, &world->tick);
    uv_timer_start(&world->tick, on_tick, 1, 1);
    snprintf(world->directory, sizeof world->directory, "/tmp/popgate-test-XXXXXX");
    assert_non_null(mkdtemp(world->directory));
    snprintf(world->path, sizeof world->path, "%s/bird.ctl", world->directory);
    world->listener = world->client = -1;
    world->greeting = GREETING_2;
    *state = world;
    return 0;
}

static inline int end_world(void **state)
{
    struct world *world = *state;
    if (world->session != NULL) {
        bird_session_close(world->session, 0, note_closed, world);
        world->session = NULL;
        run_until(world, world->closed);
    }
    assert_int_equal(world->events_after_close, 0);
    if (world->client >= 0) {
        close(world->client);
    }
    if (world->listener >= 0) {
        close(world->listener);
    }
    uv_close((uv_handle_t *)&world->tick, NULL);
    uv_run(&world->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&world->loop), 0);
    unlink(world->path);
    rmdir(world->directory);
    free(world);
    return 0;
}

static inline int ignore_broken_pipes(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    return 0;
}

// How many bytes the session has written that the fake hasn't read.
static inline size_t unread(const struct world *world)
{
    int bytes = 0;
    assert_int_equal(ioctl(world->client, FIONREAD, &bytes), 0);
    return (size_t)bytes;
}

static inline int unread_by_session(int fd)
{
    int bytes = 0;
    assert_int_equal(ioctl(fd, TIOCOUTQ, &bytes), 0);
    return bytes;
}

static inline struct bird_session_options impatient(const struct world *world)
{
    struct bird_session_options options = patient(world);
    options.deadline_ms = 20;
    return options;
}

static inline bool is_silent(const struct world *world)
{
    return last_link(world)->link == BIRD_LINK_SILENT;
}

// The connection that the session has now becomes the former one.
static inline int keep_former(struct world *world)
{
    int former = world->client;
    assert_true(former >= 0);
    world->client = -1;
    return former;
}

static inline short state_of(int fd)
{
    struct pollfd peer = {.fd = fd, .events = POLLIN | POLLRDHUP};
    assert_true(poll(&peer, 1, 0) >= 0);
    return peer.revents;
}
