// The session with BIRD, against a fake BIRD whose every word the test decides, and against a real
// one where it is installed. The fake is a plain socket, so that what is in it can be counted.

#include "birdctl/session.h"

#include "tests/unit/guard.h"
#include "tests/unit/own_clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
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
#define WINDOW_MAX 960
#define LANE_MAX   4096
#define GREETING_2 "0001 BIRD 2.0.12 ready.\n"
#define GREETING_3 "0001 BIRD 3.3.2 ready.\n"

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

static void note_closed(void *arg)
{
    struct world *world = arg;
    world->closed = true;
}

static void close_if(struct world *world, enum close_at here)
{
    if (world->close_at == here && world->session) {
        bird_session_close(world->session, world->close_within_ms, note_closed, world);
        world->session = NULL;
    }
}

static void note_event(struct world *world)
{
    world->events_after_close += world->session == NULL;
}

static void on_link(void *arg, enum bird_link link, const char *reason,
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
    linked->version = version ? *version : (struct bird_version){0};
    close_if(world, at[link]);
}

static void on_line(void *arg, uint64_t token, const struct bird_line *line)
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

static void on_end(void *arg, uint64_t token, enum bird_end end, unsigned code, const char *text)
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

static void on_echo(void *arg, const char *text)
{
    struct world *world = arg;
    note_event(world);
    world->echo_count++;
    snprintf(world->last_echo, sizeof world->last_echo, "%s", text);
    close_if(world, AT_ECHO);
}

// The fake BIRD.

static struct sockaddr_un address_of(const struct world *world)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", world->path);
    return address;
}

static int bind_socket(const struct world *world)
{
    const struct sockaddr_un address = address_of(world);
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static void fake_start(struct world *world)
{
    world->listener = bind_socket(world);
    assert_int_equal(listen(world->listener, 8), 0);
}

static void fake_hang_up(struct world *world)
{
    assert_true(world->client >= 0);
    close(world->client);
    world->client = -1;
}

static void fake_say(struct world *world, const char *text)
{
    const size_t length = strlen(text);
    assert_int_equal(write(world->client, text, length), length);
}

// How many bytes the session has written that the fake hasn't read.
static size_t unread(const struct world *world)
{
    int bytes = 0;
    assert_int_equal(ioctl(world->client, FIONREAD, &bytes), 0);
    return (size_t)bytes;
}

// Takes one whole command, if one is there.
static bool fake_hears(struct world *world, char *out, size_t size)
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

static void assert_heard(struct world *world, const char *expected)
{
    char command[BIRD_COMMAND_MAX * 2];
    assert_true(fake_hears(world, command, sizeof command));
    assert_string_equal(command, expected);
}

static void fake_answer(struct world *world, const char *command)
{
    char reply[BIRD_COMMAND_MAX * 3];
    snprintf(reply, sizeof reply, "0009-%s\n0000 \n", command);
    fake_say(world, reply);
}

static void fake_turn(struct world *world)
{
    char command[BIRD_COMMAND_MAX * 2];
    struct pollfd peer = {.fd = world->client, .events = POLLRDHUP};
    if (poll(&peer, 1, 0) > 0 && (peer.revents & (POLLHUP | POLLRDHUP))) {
        fake_hang_up(world); // as BIRD does: the session dropped it, or is done with it
    }
    if (world->client < 0 && world->listener >= 0) {
        world->client = accept4(world->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        world->accepted += world->client >= 0;
        if (world->client >= 0 && world->greeting) {
            (void)!write(world->client, world->greeting, strlen(world->greeting)); // may be gone
        }
    }
    while (world->client >= 0 && world->answers && fake_hears(world, command, sizeof command)) {
        fake_answer(world, command);
    }
}

// The world.

static void on_tick(uv_timer_t *timer)
{
    (void)timer;
}

static void turn(struct world *world)
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

static struct bird_session_options patient(const struct world *world)
{
    return (struct bird_session_options){.socket_path = world->path,
                                         .deadline_ms = 60000,
                                         .give_up_ms = 60000,
                                         .reply_ms = 60000,
                                         .backoff_min_ms = 1,
                                         .backoff_max_ms = 4};
}

static struct bird_session_options impatient(const struct world *world)
{
    struct bird_session_options options = patient(world);
    options.deadline_ms = 20;
    return options;
}

static void begin(struct world *world, struct bird_session_options options)
{
    static const struct bird_session_events events = {on_link, on_line, on_end, on_echo};
    world->session = bird_session_new(&world->loop, &options, &events, world);
    assert_non_null(world->session);
}

static const struct linked *last_link(const struct world *world)
{
    static const struct linked none = {.link = BIRD_LINK_DOWN};
    return world->link_count > 0 ? &world->links[world->link_count - 1] : &none;
}

static bool is_up(const struct world *world)
{
    return last_link(world)->link == BIRD_LINK_UP;
}

static bool is_down_with_reason(const struct world *world)
{
    return world->link_count > 0 && last_link(world)->link == BIRD_LINK_DOWN;
}

static bool is_silent(const struct world *world)
{
    return last_link(world)->link == BIRD_LINK_SILENT;
}

static void begin_and_greet(struct world *world, struct bird_session_options options)
{
    fake_start(world);
    begin(world, options);
    run_until(world, is_up(world));
}

static void send_numbered(struct world *world, uint64_t token, bool urgent)
{
    char command[64];
    snprintf(command, sizeof command, "disable \"popgate_%s%llu_v4\"", urgent ? "u" : "n",
             (unsigned long long)token);
    assert_int_equal(bird_session_send(world->session, command, token, urgent), 0);
}

static void assert_reason_has(const struct world *world, const char *words)
{
    if (!strstr(last_link(world)->reason, words)) {
        fail_msg("reason \"%s\" lacks \"%s\"", last_link(world)->reason, words);
    }
}

static int make_world(void **state)
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

static int end_world(void **state)
{
    struct world *world = *state;
    if (world->session) {
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

TEST_FIXTURE(make_world, end_world);

static int ignore_broken_pipes(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    return 0;
}

TEST_GROUP(ignore_broken_pipes, NULL);

// Talking.

TEST(the_greeting_brings_the_link_up_and_tells_the_version)
{
    struct world *world = *state;
    begin_and_greet(world, patient(world));
    assert_int_equal(world->link_count, 1);
    assert_int_equal(last_link(world)->version.major, 2);
    assert_int_equal(last_link(world)->version.patch, 12);
    assert_string_equal(last_link(world)->reason, "");
}

TEST(a_command_is_in_the_socket_when_send_returns)
{
    struct world *world = *state;
    begin_and_greet(world, patient(world));
    assert_int_equal(bird_session_send(world->session, "disable \"popgate_*\"", 1, true), 0);
    assert_int_equal(unread(world), strlen("disable \"popgate_*\"\n"));
    assert_int_equal(bird_session_outstanding(world->session), 1);
    assert_heard(world, "disable \"popgate_*\"");
}

TEST(replies_end_their_commands_in_order)
{
    struct world *world = *state;
    begin_and_greet(world, patient(world));
    for (uint64_t token = 100; token < 103; token++) {
        send_numbered(world, token, false);
    }
    fake_say(world, "0009-first\n0000 one\n8003 No protocols match\n");
    run_until(world, world->end_count == 2);
    fake_say(world, "90");
    turn(world);
    fake_say(world, "01 syntax error\n");
    run_until(world, world->end_count == 3);
    static const unsigned codes[] = {0, 8003, 9001};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(world->ends[i].token, 100 + i);
        assert_int_equal(world->ends[i].end, BIRD_END_REPLY);
        assert_int_equal(world->ends[i].code, codes[i]);
    }
    assert_string_equal(world->ends[1].text, "No protocols match");
    assert_int_equal(world->line_count, 4);
    assert_int_equal(bird_session_outstanding(world->session), 0);
}

static void answer_one_by_one(struct world *world, size_t count)
{
    char command[BIRD_COMMAND_MAX * 2];
    for (size_t heard = 0; heard < count; heard++) {
        run_until(world, unread(world) > 0);
        assert_in_range(unread(world), 1, WINDOW_MAX);
        assert_true(fake_hears(world, command, sizeof command));
        fake_answer(world, command);
        run_until(world, world->end_count == heard + 1);
    }
}

TEST(the_window_is_never_exceeded_however_slowly_bird_reads)
{
    struct world *world = *state;
    begin_and_greet(world, patient(world));
    for (uint64_t token = 0; token < 500; token++) {
        send_numbered(world, token, token % 10 == 9);
        assert_in_range(unread(world), 1, WINDOW_MAX);
    }
    assert_int_equal(bird_session_outstanding(world->session), 500);
    answer_one_by_one(world, 500);
    bool ended[500] = {false};
    for (size_t i = 0; i < 500; i++) {
        assert_int_equal(world->ends[i].end, BIRD_END_REPLY);
        assert_false(ended[world->ends[i].token]);
        ended[world->ends[i].token] = true;
    }
}

// Whatever BIRD has answered of it: before 2.0.12 it begins its buffer anew when all is answered.
TEST(an_old_bird_is_asked_no_more_before_it_has_answered_all)
{
    struct world *world = *state;
    char command[BIRD_COMMAND_MAX * 2];
    world->greeting = "0001 BIRD 2.0.11 ready.\n";
    begin_and_greet(world, patient(world));
    for (uint64_t token = 0; token < 100; token++) {
        send_numbered(world, token, token % 10 == 9);
    }
    for (size_t heard = 0, answered = 0, burst = 0; answered < 100;) {
        run_until(world, heard > answered || unread(world) > 0);
        while (fake_hears(world, command, sizeof command)) {
            heard++;
            burst += strlen(command) + 1;
        }
        assert_in_range(burst, 1, WINDOW_MAX / 2);
        fake_say(world, "0000 \n");
        answered++;
        run_until(world, world->end_count == answered);
        burst = answered == heard ? 0 : burst;
    }
}

// The kernel counts each small write as some hundreds of bytes.
TEST(a_socket_full_of_tiny_commands_is_written_on_when_it_has_room)
{
    struct world *world = *state;
    begin_and_greet(world, patient(world));
    for (uint64_t token = 0; token < WINDOW_MAX; token++) {
        assert_int_equal(bird_session_send(world->session, "x", token, true), 0);
        assert_in_range(unread(world), 1, WINDOW_MAX);
    }
    answer_one_by_one(world, WINDOW_MAX);
    for (size_t i = 0; i < WINDOW_MAX; i++) {
        assert_int_equal(world->ends[i].token, i);
        assert_int_equal(world->ends[i].end, BIRD_END_REPLY);
    }
}

TEST(an_urgent_command_overtakes_those_not_yet_written_and_finds_room)
{
    struct world *world = *state;
    char command[BIRD_COMMAND_MAX];
    begin_and_greet(world, patient(world));
    for (uint64_t token = 0; token < 100; token++) {
        send_numbered(world, token, false);
    }
    const size_t full = unread(world);
    send_numbered(world, 1000, true);
    assert_true(unread(world) > full);
    size_t before = 0;
    while (fake_hears(world, command, sizeof command) && !strstr(command, "popgate_u1000_v4")) {
        before++;
    }
    assert_string_equal(command, "disable \"popgate_u1000_v4\"");
    assert_in_range(before, 1, 50);
}

TEST(urgent_commands_keep_their_order_among_themselves)
{
    struct world *world = *state;
    begin_and_greet(world, patient(world));
    world->answers = true;
    for (uint64_t token = 0; token < 200; token++) {
        send_numbered(world, token, true);
    }
    run_until(world, world->end_count == 200);
    for (size_t i = 0; i < 200; i++) {
        assert_int_equal(world->ends[i].token, i);
    }
}

TEST(a_command_may_be_sent_from_the_event_of_another)
{
    struct world *world = *state;
    begin_and_greet(world, patient(world));
    world->answers = true;
    world->follow_up = 50;
    send_numbered(world, 1000, false);
    run_until(world, world->end_count == 51);
    assert_int_equal(world->ends[50].token, 1);
}

TEST(what_is_no_command_is_refused)
{
    struct world *world = *state;
    char command[BIRD_COMMAND_MAX + 1];
    fake_start(world);
    begin(world, patient(world));
    assert_int_equal(bird_session_send(world->session, "show status", 1, false), UV_ENOTCONN);
    run_until(world, is_up(world));
    memset(command, 'x', sizeof command);
    command[BIRD_COMMAND_MAX] = '\0';
    assert_int_equal(bird_session_send(world->session, command, 1, false), UV_EINVAL);
    assert_int_equal(bird_session_send(world->session, "", 1, false), UV_EINVAL);
    assert_int_equal(bird_session_send(world->session, "a\nb", 1, true), UV_EINVAL);
    assert_int_equal(bird_session_send(world->session, "a\r", 1, true), UV_EINVAL);
    assert_int_equal(bird_session_outstanding(world->session), 0);
    command[BIRD_COMMAND_MAX - 1] = '\0';
    assert_int_equal(bird_session_send(world->session, command, 1, false), 0);
    assert_heard(world, command);
}

TEST(a_full_lane_refuses_and_leaves_the_urgent_one_open)
{
    struct world *world = *state;
    begin_and_greet(world, patient(world));
    uint64_t taken = 0;
    while (bird_session_send(world->session, "show status", taken, false) == 0) {
        taken++;
        assert_true(taken <= LANE_MAX + WINDOW_MAX);
    }
    assert_true(taken >= LANE_MAX);
    assert_int_equal(bird_session_send(world->session, "show status", 0, false), UV_ENOBUFS);
    assert_int_equal(bird_session_send(world->session, "disable \"popgate_*\"", taken, true), 0);
    world->answers = true;
    run_until(world, world->end_count == taken + 1);
    assert_int_equal(world->link_count, 1);
}

// Echo.

TEST(echo_is_asked_of_bird_2_first_and_by_itself)
{
    struct world *world = *state;
    struct bird_session_options options = patient(world);
    options.echo = true;
    begin_and_greet(world, options);
    assert_int_equal(bird_session_outstanding(world->session), 0);
    send_numbered(world, 7, true);
    assert_heard(world, "echo all 4096");
    assert_heard(world, "disable \"popgate_u7_v4\"");
    fake_say(world, "0000 \n+Disabling protocol x\n0009-x\n+Reconfiguring\n y: disabled\n"
                    "<3 messages lost>\n0000 \n");
    run_until(world, world->end_count == 1);
    assert_int_equal(world->ends[0].token, 7);
    assert_int_equal(world->line_count, 3);
    assert_int_equal(world->echo_count, 3);
    assert_string_equal(world->last_echo, "<3 messages lost>");
}

TEST(echo_is_not_asked_of_bird_3)
{
    struct world *world = *state;
    struct bird_session_options options = patient(world);
    options.echo = true;
    world->greeting = GREETING_3;
    begin_and_greet(world, options);
    assert_int_equal(unread(world), 0);
}

TEST(echo_that_is_refused_changes_nothing)
{
    struct world *world = *state;
    struct bird_session_options options = patient(world);
    options.echo = true;
    begin_and_greet(world, options);
    send_numbered(world, 7, true);
    fake_say(world, "8007 Access denied\n0000 \n");
    run_until(world, world->end_count == 1);
    assert_int_equal(world->ends[0].code, 0);
    assert_int_equal(world->line_count, 1);
    assert_int_equal(world->link_count, 1);
}

// Silence.

TEST(a_missed_deadline_is_silence_and_the_answer_ends_it)
{
    struct world *world = *state;
    begin_and_greet(world, impatient(world));
    send_numbered(world, 1, true);
    send_numbered(world, 2, true);
    run_until(world, is_silent(world));
    assert_reason_has(world, "has said nothing for");
    send_numbered(world, 3, true);
    assert_int_equal(world->end_count, 0);
    world->answers = true;
    run_until(world, world->end_count == 3);
    assert_true(is_up(world));
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(world->ends[i].token, i + 1);
        assert_int_equal(world->ends[i].end, BIRD_END_REPLY);
    }
    assert_int_equal(world->accepted, 1);
}

TEST(silence_is_noticed_again_after_an_answer)
{
    struct world *world = *state;
    begin_and_greet(world, impatient(world));
    send_numbered(world, 1, true);
    run_until(world, is_silent(world));
    fake_say(world, "0000 \n");
    run_until(world, is_up(world));
    send_numbered(world, 2, true);
    run_until(world, is_silent(world)); // give_up_ms is beyond the guard
}

TEST(a_stopped_bird_that_does_not_greet_is_silent_and_gets_the_commands_when_it_wakes)
{
    struct world *world = *state;
    world->greeting = NULL;
    fake_start(world);
    begin(world, impatient(world));
    run_until(world, is_silent(world));
    assert_int_equal(world->link_count, 1);
    send_numbered(world, 5, true);
    run_until(world, world->client >= 0);
    assert_int_equal(unread(world), 0);
    fake_say(world, GREETING_2);
    run_until(world, is_up(world));
    assert_heard(world, "disable \"popgate_u5_v4\"");
}

TEST(a_bird_that_stays_silent_is_given_up_and_tried_anew)
{
    struct world *world = *state;
    struct bird_session_options options = impatient(world);
    options.give_up_ms = 20;
    begin_and_greet(world, options);
    send_numbered(world, 1, true);
    run_until(world, is_silent(world));
    assert_int_equal(world->end_count, 0);
    run_until(world, world->end_count == 1);
    assert_int_equal(world->ends[0].end, BIRD_END_LOST);
    assert_true(is_down_with_reason(world));
    assert_reason_has(world, "dropped the connection");
    run_until(world, is_up(world));
    assert_true(world->accepted >= 2);
    assert_int_equal(world->end_count, 1);
}

TEST(being_held_up_ourselves_is_not_silence_of_bird)
{
    struct world *world = *state;
    begin_and_greet(world, impatient(world));
    const size_t links = world->link_count;
    send_numbered(world, 1, true);
    fake_say(world, "0000 \n");
    own_clock_pass_ns(60 * NS_PER_MS); // three deadlines, with the answer in the socket
    run_until(world, world->end_count == 1);
    assert_int_equal(world->link_count, links);
}

// Loss.

TEST(loss_ends_every_command_once_and_none_can_be_sent)
{
    struct world *world = *state;
    bool ended[300] = {false};
    begin_and_greet(world, patient(world));
    for (uint64_t token = 0; token < 300; token++) {
        send_numbered(world, token, token % 3 == 0);
    }
    fake_say(world, "0000 \n0000 \n00");
    run_until(world, world->end_count == 2);
    world->greeting = NULL;
    fake_hang_up(world);
    run_until(world, is_down_with_reason(world));
    assert_reason_has(world, "BIRD closed the connection");
    assert_int_equal(world->end_count, 300);
    for (size_t i = 0; i < 300; i++) {
        assert_int_equal(world->ends[i].end, i < 2 ? BIRD_END_REPLY : BIRD_END_LOST);
        assert_false(ended[world->ends[i].token]);
        ended[world->ends[i].token] = true;
    }
    assert_int_equal(world->send_when_lost, UV_ENOTCONN);
    assert_int_equal(bird_session_outstanding(world->session), 0);
    assert_int_equal(bird_session_send(world->session, "show status", 1, false), UV_ENOTCONN);
}

TEST(a_write_into_a_closed_socket_is_a_loss_told_later)
{
    struct world *world = *state;
    begin_and_greet(world, patient(world));
    fake_hang_up(world);
    send_numbered(world, 1, true);
    send_numbered(world, 2, true);
    assert_int_equal(world->end_count, 0);
    assert_int_equal(world->link_count, 1);
    run_until(world, is_down_with_reason(world));
    assert_int_equal(world->end_count, 2);
    run_until(world, is_up(world));
    assert_int_equal(world->end_count, 2);
    send_numbered(world, 3, true);
    assert_heard(world, "disable \"popgate_u3_v4\"");
}

TEST(a_line_cut_off_by_a_loss_does_not_leak_into_the_next_connection)
{
    struct world *world = *state;
    begin_and_greet(world, patient(world));
    send_numbered(world, 1, true);
    fake_say(world, "0009-popgate");
    fake_hang_up(world);
    run_until(world, is_down_with_reason(world));
    run_until(world, is_up(world));
    assert_int_equal(world->accepted, 2);
}

TEST(a_greeting_resets_the_back_off)
{
    struct world *world = *state;
    struct bird_session_options options = patient(world);
    options.backoff_max_ms = 1U << 30; // not reset, it would outgrow the guard within the rounds
    begin_and_greet(world, options);
    for (unsigned round = 0; round < 20; round++) {
        fake_hang_up(world);
        run_until(world, is_down_with_reason(world));
        run_until(world, is_up(world));
    }
}

TEST(it_reconnects_when_the_socket_appears)
{
    struct world *world = *state;
    begin(world, patient(world));
    run_until(world, is_down_with_reason(world));
    assert_reason_has(world, "no such file or directory; is BIRD running, and is [bird] socket");
    assert_reason_has(world, world->path);
    for (unsigned i = 0; i < 20; i++) {
        turn(world);
    }
    assert_int_equal(world->link_count, 1); // the same reason is told once
    fake_start(world);
    run_until(world, is_up(world));
}

TEST(a_stale_socket_says_that_bird_is_not_running)
{
    struct world *world = *state;
    close(bind_socket(world));
    begin(world, patient(world));
    run_until(world, is_down_with_reason(world));
    assert_reason_has(world, "BIRD isn't running");
    unlink(world->path);
    run_until(world, strstr(last_link(world)->reason, "no such file"));
    assert_int_equal(world->link_count, 2); // another reason is told
}

TEST(a_full_backlog_says_that_bird_accepts_no_connection)
{
    struct world *world = *state;
    const struct sockaddr_un address = address_of(world);
    const int listener = bind_socket(world);
    int waiting[2];
    assert_int_equal(listen(listener, 0), 0);
    for (size_t i = 0; i < 2; i++) {
        waiting[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)!connect(waiting[i], (const struct sockaddr *)&address, sizeof address);
    }
    begin(world, patient(world));
    run_until(world, is_down_with_reason(world));
    assert_reason_has(world, "is it stopped or stuck?");
    for (size_t i = 0; i < 2; i++) {
        close(waiting[i]);
    }
    close(listener);
}

TEST(an_overlong_path_is_refused_not_shortened)
{
    struct world *world = *state;
    char path[200];
    memset(path, 'p', sizeof path);
    path[0] = '/';
    path[sizeof path - 1] = '\0';
    struct bird_session_options options = patient(world);
    options.socket_path = path;
    begin(world, options);
    run_until(world, is_down_with_reason(world));
    assert_reason_has(world, "longer than");
}

TEST(running_out_of_descriptors_is_said_to_be_our_own_trouble)
{
    struct world *world = *state;
    struct rlimit before;
    fake_start(world);
    begin(world, patient(world));
    const int next = dup(0);
    assert_true(next >= 0);
    close(next);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    const struct rlimit none = {(rlim_t)next, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    for (unsigned i = 0; i < 1000 && !is_down_with_reason(world); i++) {
        uv_run(&world->loop, UV_RUN_ONCE);
    }
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_reason_has(world, "out of file descriptors (trouble of our own");
    run_until(world, is_up(world));
}

// In a child, since there is no way back from being nobody.
static int reason_as_nobody(struct world *world, const char *words)
{
    if (uv_loop_fork(&world->loop) != 0 || setgroups(0, NULL) != 0 || setgid(65534) != 0 ||
        setuid(65534) != 0) {
        return 2;
    }
    begin(world, patient(world));
    for (unsigned i = 0; i < 1000 && !is_down_with_reason(world); i++) {
        uv_run(&world->loop, UV_RUN_ONCE);
    }
    return strstr(last_link(world)->reason, words) ? 0 : 1;
}

static void assert_nobody_is_told(struct world *world, const char *words)
{
    int status = 0;
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        _exit(reason_as_nobody(world, words));
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

TEST(lack_of_permission_names_the_group_or_the_directory)
{
    struct world *world = *state;
    if (geteuid() != 0) {
        skip();
    }
    fake_start(world);
    assert_int_equal(chmod(world->path, 0660), 0);
    assert_int_equal(chmod(world->directory, 0755), 0);
    assert_nobody_is_told(world, "must be in the socket's group, root");
    assert_int_equal(chmod(world->directory, 0700), 0);
    assert_nobody_is_told(world, "may not enter the socket's directory");
}

TEST(a_garbled_connection_is_told_dropped_and_remade)
{
    struct world *world = *state;
    begin_and_greet(world, patient(world));
    send_numbered(world, 1, true);
    fake_say(world, "HTTP/1.1 400 Bad Request\n0000 \n");
    run_until(world, is_down_with_reason(world));
    assert_reason_has(world, "\"HTTP/1.1 400 Bad Request\" isn't BIRD's control protocol");
    assert_int_equal(world->end_count, 1);
    assert_int_equal(world->ends[0].end, BIRD_END_LOST);
    run_until(world, is_up(world));
    assert_int_equal(world->accepted, 2);
}

TEST(garbage_is_quoted_so_that_a_log_can_bear_it)
{
    struct world *world = *state;
    begin_and_greet(world, patient(world));
    fake_say(world, "\x1b[2J\xff \xc3\xa9\n");
    run_until(world, is_down_with_reason(world));
    assert_reason_has(world, "\"?[2J? ??\" isn't BIRD's control protocol");
}

TEST(a_reply_that_nobody_asked_for_means_out_of_step)
{
    struct world *world = *state;
    begin_and_greet(world, patient(world));
    fake_say(world, "0000 surprise\n");
    run_until(world, is_down_with_reason(world));
    assert_reason_has(world, "\"surprise\" answers no command");
}

TEST(a_greeting_that_is_not_birds_is_refused)
{
    struct world *world = *state;
    world->greeting = "0001 FRR 10 ready.\n";
    fake_start(world);
    begin(world, patient(world));
    run_until(world, is_down_with_reason(world));
    assert_reason_has(world, "\"FRR 10 ready.\" isn't a greeting of BIRD's");
}

// Closing.

TEST(it_may_be_closed_in_any_event_and_none_follows)
{
    struct world *world = *state;
    for (enum close_at at = AT_UP; at <= AT_LOST; at++) {
        struct bird_session_options options = at == AT_SILENT ? impatient(world) : patient(world);
        world->close_at = at;
        world->closed = false;
        world->link_count = 0;
        world->listener < 0 ? fake_start(world) : (void)0;
        begin(world, options);
        run_until(world, at == AT_UP ? world->closed : is_up(world));
        if (at != AT_UP) {
            send_numbered(world, 1, true);
            send_numbered(world, 2, true);
            send_numbered(world, 3, false);
        }
        if (at == AT_LINE || at == AT_LAST_LINE || at == AT_END || at == AT_ECHO) {
            fake_say(world, "+echo\n0009-line\n0000 \n0000 \n+echo\n0000 \n");
        }
        if (at == AT_DOWN || at == AT_LOST) {
            fake_hang_up(world);
        }
        run_until(world, world->closed);
        if (world->client >= 0) {
            fake_hang_up(world);
        }
    }
    assert_int_equal(world->events_after_close, 0);
}

TEST(it_may_be_closed_when_silence_ends)
{
    struct world *world = *state;
    begin_and_greet(world, impatient(world));
    send_numbered(world, 1, true);
    run_until(world, is_silent(world));
    world->close_at = AT_UP;
    fake_say(world, "0009-line\n0000 \n");
    run_until(world, world->closed);
    assert_int_equal(world->line_count, 0);
}

TEST(it_may_be_closed_at_once_or_while_resting)
{
    struct world *world = *state;
    begin(world, patient(world));
    bird_session_close(world->session, 0, note_closed, world);
    world->session = NULL;
    run_until(world, world->closed);

    struct bird_session_options options = patient(world);
    options.backoff_min_ms = options.backoff_max_ms = 60000;
    world->closed = false;
    begin(world, options);
    run_until(world, is_down_with_reason(world));
    turn(world);
    bird_session_close(world->session, 0, note_closed, world);
    world->session = NULL;
    run_until(world, world->closed);
}

// The connection that the session has now becomes the former one.
static int keep_former(struct world *world)
{
    const int former = world->client;
    assert_true(former >= 0);
    world->client = -1;
    return former;
}

static short state_of(int fd)
{
    struct pollfd peer = {.fd = fd, .events = POLLIN | POLLRDHUP};
    assert_true(poll(&peer, 1, 0) >= 0);
    return peer.revents;
}

static int unread_by_session(int fd)
{
    int bytes = 0;
    assert_int_equal(ioctl(fd, TIOCOUTQ, &bytes), 0);
    return bytes;
}

// Replies without end.

#define ROW "1002-popgate_dns_v4 Static     popgate4   up     00:42:01.801  \n"

// Goes on with rows where the former call stopped, as far as the socket takes them.
static void fake_pours_rows(struct world *world, size_t *poured, size_t most)
{
    static char rows[1000 * (sizeof ROW - 1) + 1];
    for (size_t i = 0; i < 1000; i++) {
        memcpy(rows + i * (sizeof ROW - 1), ROW, sizeof ROW);
    }
    ssize_t written = 1;
    while (world->client >= 0 && written > 0 && *poured < most) {
        const size_t at = *poured % (sizeof rows - 1);
        const size_t left = sizeof rows - 1 - at;
        written = write(world->client, rows + at, most - *poured < left ? most - *poured : left);
        *poured += written > 0 ? (size_t)written : 0;
    }
}

TEST(an_answer_without_end_is_silence_and_no_more_of_it_is_read)
{
    struct world *world = *state;
    struct bird_session_options options = patient(world);
    options.deadline_ms = 20;
    options.give_up_ms = 100;
    begin_and_greet(world, options);
    send_numbered(world, 1, false);
    size_t poured = 0;
    while (!is_silent(world)) {
        fake_pours_rows(world, &poured, SIZE_MAX);
        turn(world);
    }
    assert_reason_has(world, "an answer that comes to no end, 1677");
    const size_t lines = world->line_count;
    send_numbered(world, 2, true);
    fake_pours_rows(world, &poured, SIZE_MAX);
    const int unread_then = unread_by_session(world->client);
    assert_true(unread_then > 0);
    const int former = keep_former(world);
    run_until(world, world->end_count == 2);
    assert_int_equal(world->ends[0].end, BIRD_END_LOST);
    assert_int_equal(world->ends[1].end, BIRD_END_LOST);
    assert_int_equal(world->line_count, lines);
    run_until(world, is_up(world));
    assert_int_equal(state_of(former) & (POLLRDHUP | POLLHUP), POLLRDHUP);
    run_until(world, unread_by_session(former) == 0); // to be forgotten, so that BIRD may end it
    assert_int_equal(world->line_count, lines);
    close(former);
}

static void trickle(struct world *world)
{
    own_clock_pass_ns(NS_PER_MS);
    fake_say(world, "1002-and on\n");
    turn(world);
}

TEST(an_answer_that_trickles_on_is_without_end_too)
{
    struct world *world = *state;
    struct bird_session_options options = patient(world);
    options.reply_ms = 20;
    begin_and_greet(world, options);
    send_numbered(world, 1, false);
    while (!is_silent(world)) {
        trickle(world);
    }
    assert_reason_has(world, "an answer that comes to no end");
    assert_int_equal(world->end_count, 0);
}

TEST(a_long_answer_is_read_to_its_end)
{
    struct world *world = *state;
    size_t poured = 0;
    begin_and_greet(world, patient(world));
    send_numbered(world, 1, false);
    while (poured < 100000 * (sizeof ROW - 1)) {
        fake_pours_rows(world, &poured, 100000 * (sizeof ROW - 1));
        turn(world);
    }
    run_until(world, unread_by_session(world->client) == 0);
    fake_say(world, "0000 \n");
    run_until(world, world->end_count == 1);
    assert_int_equal(world->line_count, 100001);
    assert_int_equal(world->link_count, 1);
}

TEST(what_held_us_or_bird_up_makes_no_answer_longer)
{
    struct world *world = *state;
    struct bird_session_options options = impatient(world);
    options.reply_ms = 3 * options.deadline_ms;
    begin_and_greet(world, options);
    send_numbered(world, 1, false);
    fake_say(world, "1002-first\n");
    run_until(world, world->line_count == 1);
    own_clock_pass_ns(30 * NS_PER_S);
    fake_say(world, "1002-second\n");
    run_until(world, world->line_count == 2);
    own_clock_pass_ns(30 * NS_PER_S);
    fake_say(world, "1002-third\n0000 \n");
    run_until(world, world->end_count == 1);
    assert_int_equal(world->ends[0].end, BIRD_END_REPLY);
}

TEST(the_end_of_bird_is_noticed_while_nothing_is_read)
{
    struct world *world = *state;
    struct bird_session_options options = patient(world);
    options.deadline_ms = 50;
    options.reply_ms = 20;
    begin_and_greet(world, options);
    send_numbered(world, 1, false);
    while (!is_silent(world)) {
        trickle(world);
    }
    fake_hang_up(world);
    run_until(world, is_down_with_reason(world)); // give_up_ms is beyond the guard
    assert_reason_has(world, "BIRD closed the connection");
    run_until(world, is_up(world));
}

TEST(it_may_be_closed_under_an_answer_without_end)
{
    struct world *world = *state;
    struct bird_session_options options = patient(world);
    options.reply_ms = 20;
    world->close_at = AT_SILENT;
    world->close_within_ms = 60000;
    begin_and_greet(world, options);
    send_numbered(world, 1, false);
    while (world->session) {
        trickle(world);
    }
    run_until(world, world->client < 0); // the fake ends when it hears that we do
    run_until(world, world->closed);
}

// BIRD 3 can die of a client that is gone when an answer is written to it.

static void close_within(struct world *world, uint64_t within_ms)
{
    bird_session_close(world->session, within_ms, note_closed, world);
    world->session = NULL;
}

static void turn_some(struct world *world)
{
    for (unsigned i = 0; i < 20; i++) {
        turn(world);
    }
}

TEST(closing_waits_until_all_that_was_written_is_answered)
{
    struct world *world = *state;
    begin_and_greet(world, patient(world));
    send_numbered(world, 1, true);
    send_numbered(world, 2, false);
    close_within(world, 60000);
    turn_some(world);
    fake_say(world, "0009-first\n0000 \n0009-sec");
    turn_some(world);
    assert_false(world->closed);
    assert_true(world->client >= 0);
    fake_say(world, "ond\n0000 \n");
    run_until(world, world->closed);
    run_until(world, world->client < 0);
    assert_int_equal(world->line_count + world->end_count, 0);
}

TEST(closing_waits_no_longer_than_it_may)
{
    struct world *world = *state;
    begin_and_greet(world, patient(world));
    send_numbered(world, 1, true);
    close_within(world, 20);
    run_until(world, world->closed);
    run_until(world, world->client < 0);
}

TEST(closing_waits_for_nothing_when_nothing_is_outstanding)
{
    struct world *world = *state;
    begin_and_greet(world, patient(world));
    send_numbered(world, 1, true);
    fake_say(world, "0000 \n");
    run_until(world, world->end_count == 1);
    close_within(world, 60000);
    run_until(world, world->closed);
}

TEST(closing_ends_when_bird_does)
{
    struct world *world = *state;
    begin_and_greet(world, patient(world));
    send_numbered(world, 1, true);
    close_within(world, 60000);
    turn_some(world);
    fake_hang_up(world);
    run_until(world, world->closed);
}

TEST(closing_forgets_what_was_not_written)
{
    struct world *world = *state;
    char command[BIRD_COMMAND_MAX * 2];
    begin_and_greet(world, patient(world));
    for (uint64_t token = 0; token < 100; token++) {
        send_numbered(world, token, false);
    }
    const size_t written = unread(world);
    size_t heard = 0;
    close_within(world, 60000);
    while (world->client >= 0 && fake_hears(world, command, sizeof command)) {
        heard += strlen(command) + 1;
        fake_answer(world, command);
        turn(world);
    }
    run_until(world, world->closed);
    assert_int_equal(heard, written);
}

TEST(a_line_that_ends_silence_and_in_whose_event_it_is_closed_is_an_answer)
{
    struct world *world = *state;
    begin_and_greet(world, impatient(world));
    send_numbered(world, 1, true);
    run_until(world, is_silent(world));
    world->close_at = AT_UP;
    world->close_within_ms = 60000;
    fake_say(world, "0000 \n");
    run_until(world, world->closed);
}

static int give_up_on(struct world *world, uint64_t token)
{
    const size_t ended = world->end_count;
    send_numbered(world, token, true);
    run_until(world, is_silent(world));
    const int former = keep_former(world);
    run_until(world, world->end_count == ended + 1);
    run_until(world, is_up(world));
    return former;
}

TEST(a_connection_given_up_is_read_to_its_end_and_never_closed_under_an_answer)
{
    struct world *world = *state;
    char answer[4096];
    struct bird_session_options options = impatient(world);
    options.give_up_ms = 20;
    begin_and_greet(world, options);
    const int former = give_up_on(world, 1);
    assert_true(state_of(former) & POLLRDHUP); // BIRD, awake, sees that we are done with it
    assert_false(state_of(former) & POLLHUP);
    memset(answer, 'x', sizeof answer);
    for (unsigned i = 0; i < 100; i++) { // it ends no line, and need not
        run_until(world, unread_by_session(former) == 0);
        assert_int_equal(write(former, answer, sizeof answer), sizeof answer);
    }
    send_numbered(world, 2, true);
    assert_heard(world, "disable \"popgate_u2_v4\"");
    fake_say(world, "0000 \n");
    run_until(world, world->end_count == 2);
    assert_int_equal(world->ends[1].end, BIRD_END_REPLY);
    assert_int_equal(world->line_count, 1); // none of the former one
    close(former);
    turn_some(world);
    assert_true(is_up(world));
    assert_int_equal(world->accepted, 2);
}

TEST(of_two_connections_given_up_the_first_is_closed)
{
    struct world *world = *state;
    struct bird_session_options options = impatient(world);
    options.give_up_ms = 20;
    begin_and_greet(world, options);
    const int first = give_up_on(world, 1);
    const int second = give_up_on(world, 2);
    run_until(world, state_of(first) & POLLHUP);
    assert_false(state_of(second) & POLLHUP);
    close(first);
    close(second);
}

TEST(a_garbled_connection_is_not_closed_under_an_answer_either)
{
    struct world *world = *state;
    begin_and_greet(world, patient(world));
    send_numbered(world, 1, true);
    send_numbered(world, 2, true);
    fake_say(world, "0000 \nHTTP/1.1 400 Bad Request\n0000 \n");
    const int former = keep_former(world);
    run_until(world, is_down_with_reason(world));
    run_until(world, is_up(world));
    assert_int_equal(state_of(former) & (POLLRDHUP | POLLHUP), POLLRDHUP);
    close(former);
}

TEST(what_was_never_asked_anything_is_closed_at_once)
{
    struct world *world = *state;
    struct bird_session_options options = impatient(world);
    options.give_up_ms = 20;
    world->greeting = NULL;
    fake_start(world);
    begin(world, options);
    run_until(world, is_silent(world));
    run_until(world, world->client >= 0);
    const int former = keep_former(world);
    run_until(world, state_of(former) & POLLHUP);
    close(former);
}

TEST(closing_waits_for_a_connection_given_up_too)
{
    struct world *world = *state;
    struct bird_session_options options = impatient(world);
    options.give_up_ms = 20;
    begin_and_greet(world, options);
    const int former = give_up_on(world, 1);
    close_within(world, 60000);
    turn_some(world);
    assert_false(world->closed);
    close(former);
    run_until(world, world->closed);
}

// A real BIRD, alone in a network of its own if we may make one.

static const char *bird_program(void)
{
    const char *program = getenv("BIRD");
    return program ? program : "/usr/sbin/bird";
}

static pid_t start_bird(const struct world *world)
{
    char conf[128];
    snprintf(conf, sizeof conf, "%s/bird.conf", world->directory);
    FILE *file = fopen(conf, "w");
    assert_non_null(file);
    fprintf(file, "log \"/dev/null\" all;\nrouter id 192.0.2.1;\nprotocol device {}\n"
                  "ipv4 table popgate4;\n");
    for (unsigned i = 0; i < 20; i++) {
        fprintf(file,
                "protocol static popgate_s%u_v4 { disabled on; ipv4 { table popgate4; };"
                " route 192.0.2.%u/32 blackhole; }\n",
                i, i);
    }
    assert_int_equal(fclose(file), 0);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); // a failed test leaves no BIRD behind
        if (geteuid() == 0 && unshare(CLONE_NEWNET) != 0) {
            _exit(126);
        }
        execl(bird_program(), "bird", "-f", "-c", conf, "-s", world->path, (char *)NULL);
        _exit(127);
    }
    return child;
}

static void stop_bird(const struct world *world, pid_t bird)
{
    char conf[128];
    snprintf(conf, sizeof conf, "%s/bird.conf", world->directory);
    kill(bird, SIGKILL);
    waitpid(bird, NULL, 0);
    unlink(conf);
}

TEST(real_bird_takes_a_thousand_pipelined_commands_without_dropping_us)
{
    struct world *world = *state;
    char command[64];
    if (access(bird_program(), X_OK) != 0) {
        skip();
    }
    struct bird_session_options options = patient(world);
    options.echo = true;
    const pid_t bird = start_bird(world);
    begin(world, options);
    run_until(world, is_up(world));
    const size_t links = world->link_count;
    const unsigned major = last_link(world)->version.major;
    for (uint64_t token = 0; token < 1000; token++) {
        snprintf(command, sizeof command, "%s \"popgate_s%llu_v4\"",
                 token / 20 % 2 == 0 ? "enable" : "disable", (unsigned long long)(token % 20));
        assert_int_equal(bird_session_send(world->session, command, token, false), 0);
    }
    run_until(world, world->end_count == 1000);
    for (size_t i = 0; i < 1000; i++) {
        assert_int_equal(world->ends[i].token, i);
        assert_int_equal(world->ends[i].end, BIRD_END_REPLY);
        assert_int_equal(world->ends[i].code, 0);
    }
    assert_int_equal(world->link_count, links);
    if (major == 2) {
        run_until(world, world->echo_count > 0);
    }
    assert_int_equal(bird_session_send(world->session, "enable \"nosuch\"", 1, false), 0);
    run_until(world, world->end_count == 1001);
    assert_int_equal(world->ends[1000].code, 8003);
    stop_bird(world, bird);
}

TEST(real_bird_stopped_is_silent_woken_it_answers_and_killed_it_is_down)
{
    struct world *world = *state;
    if (access(bird_program(), X_OK) != 0) {
        skip();
    }
    struct bird_session_options options = patient(world);
    options.deadline_ms = 100;
    const pid_t bird = start_bird(world);
    begin(world, options);
    run_until(world, is_up(world));
    kill(bird, SIGSTOP);
    assert_int_equal(bird_session_send(world->session, "enable \"popgate_s1_v4\"", 1, true), 0);
    run_until(world, is_silent(world));
    kill(bird, SIGCONT);
    run_until(world, world->end_count == 1);
    assert_true(is_up(world));
    assert_int_equal(world->ends[0].end, BIRD_END_REPLY);
    assert_string_equal(world->ends[0].text, "");
    stop_bird(world, bird);
    run_until(world, is_down_with_reason(world));
}
