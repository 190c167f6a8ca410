// The tcp probe against servers that behave, and others that don't.
#include "tests/unit/own_clock.h"
#include "tests/unit/probe_fixture.h"

#include <sys/syscall.h>

struct world {
    struct fixture fixture;
    uv_tcp_t listener, connection;
    unsigned port;
    bool connected;
    uv_write_t write;
    char saying[5000];
    const char *banner; // sent on connecting
    const char *echo;   // sent when anything arrives
    size_t banner_length;
    bool hangs_up; // after the banner
    bool deaf;     // accepts nothing
    bool saw_end, saw_reset;
    char received[256];
    size_t received_length;
};

static void hang_up(struct world *world)
{
    if (world->connected) {
        world->connected = false;
        uv_close((uv_handle_t *)&world->connection, NULL);
    }
}

static void on_written(uv_write_t *write, int status)
{
    struct world *world = write->data;
    if (status == 0 && world->hangs_up) {
        hang_up(world);
    }
}

static void say(struct world *world, const char *what, size_t length)
{
    // uv_buf_t is not const.
    assert_true(length <= sizeof world->saying);
    memcpy(world->saying, what, length);
    uv_buf_t buffer = uv_buf_init(world->saying, (unsigned)length);
    world->write.data = world;
    uv_write(&world->write, (uv_stream_t *)&world->connection, &buffer, 1, on_written);
}

static void on_allocate(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    struct world *world = handle->data;
    (void)suggested;
    *out = uv_buf_init(world->received + world->received_length,
                       (unsigned)(sizeof world->received - world->received_length));
}

static void on_bytes(uv_stream_t *stream, ssize_t length, const uv_buf_t *buffer)
{
    struct world *world = stream->data;
    (void)buffer;
    if (length < 0) {
        world->saw_end = length == UV_EOF;
        world->saw_reset = length == UV_ECONNRESET;
        hang_up(world);
        return;
    }
    world->received_length += (size_t)length;
    if (world->echo != NULL) {
        say(world, world->echo, strlen(world->echo));
    }
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct world *world = listener->data;
    assert_int_equal(status, 0);
    if (world->deaf || world->connected) {
        return;
    }
    uv_tcp_init(listener->loop, &world->connection);
    world->connection.data = world;
    world->connected = true;
    uv_accept(listener, (uv_stream_t *)&world->connection);
    uv_read_start((uv_stream_t *)&world->connection, on_allocate, on_bytes);
    if (world->banner != NULL) {
        say(world, world->banner,
            world->banner_length ? world->banner_length : strlen(world->banner));
    } else if (world->hangs_up) {
        hang_up(world);
    }
}

static int set_up(void **state)
{
    struct world *world = calloc(1, sizeof *world);
    struct sockaddr_in address;
    int length = sizeof address;
    assert_non_null(world);
    fixture_open(&world->fixture, "tcp");
    uv_tcp_init(&world->fixture.loop, &world->listener);
    uv_ip4_addr("127.0.0.1", 0, &address);
    assert_int_equal(uv_tcp_bind(&world->listener, (struct sockaddr *)&address, 0), 0);
    world->listener.data = world;
    assert_int_equal(uv_listen((uv_stream_t *)&world->listener, 8, on_connection), 0);
    assert_int_equal(uv_tcp_getsockname(&world->listener, (struct sockaddr *)&address, &length), 0);
    world->port = ntohs(address.sin_port);
    fixture_target(&world->fixture, "127.0.0.1", world->port);
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;
    uv_close((uv_handle_t *)&world->listener, NULL);
    hang_up(world);
    fixture_close(&world->fixture);
    free(world);
    return 0;
}

TEST_FIXTURE(set_up, tear_down);

static void set(struct world *world, const char *name, const char *value)
{
    fixture_set(&world->fixture, name, value);
}

static void assert_passes(struct world *world, const char *cause_part)
{
    assert_verdict(fixture_run(&world->fixture, 1), VERDICT_PASS, "ok", cause_part);
}

static void assert_fails(struct world *world, const char *code, const char *cause_part)
{
    assert_verdict(fixture_run(&world->fixture, 1), VERDICT_FAIL, code, cause_part);
}

// ---- Behaviour

TEST(a_connection_passes)
{
    struct world *world = *state;
    fixture_run(&world->fixture, 3);
    assert_verdict(&world->fixture.verdicts[0], VERDICT_PASS, "ok", ": connected");
    assert_verdict(&world->fixture.verdicts[2], VERDICT_PASS, "ok", ": connected");
}

TEST(an_unused_port_refuses)
{
    struct world *world = *state;
    unsigned port = free_port();
    char cause[96];
    fixture_target(&world->fixture, "127.0.0.1", port);
    snprintf(cause, sizeof cause, "connect to 127.0.0.1:%u: nothing listens there", port);
    assert_fails(world, "refused", cause);
}

static bool meets_itself; // whoever connects to where nobody listens

// The C library's own declaration of it is none that ISO C could define.
int connect_as(int fd, const struct sockaddr *address, socklen_t length) __asm__("connect");
int connect_as(int fd, const struct sockaddr *address, socklen_t length)
{
    if (meets_itself) {
        (void)bind(fd, address, length);
    }
    return (int)syscall(SYS_connect, fd, address, length);
}

// On this host, the kernel may choose the very port that is asked for: the connection is to itself.
TEST(who_meets_only_himself_is_refused)
{
    static const char *const addresses[] = {"127.0.0.1", "::1"};
    struct world *world = *state;
    for (size_t i = 0; i < 2; i++) {
        fixture_target(&world->fixture, addresses[i], free_port());
        meets_itself = true;
        const struct verdict *verdict = fixture_run(&world->fixture, 1);
        meets_itself = false;
        assert_verdict(verdict, VERDICT_FAIL, "refused", "nothing listens there");
    }
}

TEST(an_expected_banner_passes)
{
    struct world *world = *state;
    world->banner = "220 mail.example ESMTP\r\n";
    set(world, "expect", "220 ");
    assert_passes(world, "the answer is as expected");
}

TEST(another_banner_fails_at_the_timeout_or_the_end)
{
    struct world *world = *state;
    world->banner = "554 go\r\n";
    set(world, "expect", "220 ");
    set(world, "timeout", "1s"); // a busy machine is late by less than half of it
    assert_fails(world, "timeout", "no \"220 \" in the answer of 127.0.0.1:");
    assert_fails(world, "timeout", "(got \"554 go\\x0d\\x0a\")");
    world->hangs_up = true;
    assert_fails(world, "closed",
                 "closed the connection without the expected \"220 \"; got \"554 go\\x0d\\x0a\"");
}

TEST(what_is_sent_arrives_and_is_answered)
{
    struct world *world = *state;
    world->echo = "+PONG\r\n";
    set(world, "send", "PING\\r\\n\\x00\\\\");
    set(world, "expect", "+PONG\\r\\n");
    assert_passes(world, "as expected");
    assert_int_equal(world->received_length, 8);
    assert_memory_equal(world->received, "PING\r\n\0\\", 8);
}

static void fill(char *bytes, size_t at, const char *text)
{
    for (; *text; text++) {
        bytes[at++] = *text;
    }
}

TEST(the_expected_is_searched_in_4096_bytes_only)
{
    struct world *world = *state;
    static char long_banner[5000];
    memset(long_banner, 'x', sizeof long_banner);
    fill(long_banner, 4092, "good");
    world->banner = long_banner;
    world->banner_length = sizeof long_banner;
    set(world, "expect", "good");
    assert_passes(world, "as expected");
    fill(long_banner, 4092, "xgood");
    assert_fails(world, "answer", "sent 4096 bytes without the expected \"good\"");
}

TEST(the_server_sees_an_orderly_end)
{
    struct world *world = *state;
    static char banner[5000]; // more than the probe reads
    memset(banner, 'x', sizeof banner);
    fill(banner, 0, "220");
    world->banner = banner;
    world->banner_length = sizeof banner;
    set(world, "expect", "220");
    assert_passes(world, "as expected");
    while (world->connected) {
        uv_run(&world->fixture.loop, UV_RUN_ONCE);
    }
    assert_true(world->saw_end);
    assert_false(world->saw_reset);
}

TEST(a_connection_closed_at_once_fails_if_something_is_expected)
{
    struct world *world = *state;
    world->hangs_up = true;
    set(world, "expect", "220");
    assert_fails(world, "closed", "closed the connection without the expected \"220\"; got \"\"");
}

TEST(no_descriptors_are_no_evidence)
{
    struct world *world = *state;
    struct rlimit before = take_descriptors();
    const struct verdict *verdict = fixture_run(&world->fixture, 1);
    give_descriptors_back(before);
    assert_verdict(verdict, VERDICT_UNKNOWN, "local", "too many open files");
}

TEST(a_source_that_is_not_ours_is_no_evidence)
{
    struct world *world = *state;
    set(world, "source", "192.0.2.77");
    assert_verdict(fixture_run(&world->fixture, 1), VERDICT_UNKNOWN, "local",
                   "address not available");
    set(world, "source", "127.0.0.9");
    assert_passes(world, "connected");
}

TEST(wrong_escapes_are_refused)
{
    struct world *world = *state;
    static const char *const wrong[] = {"\\", "\\q", "\\x", "\\x1", "\\x1g"};
    const struct key *key = key_find(world->fixture.conf.type->keys, "send");
    char error[ERROR_MAX];
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(key_set(key, wrong[i], world->fixture.conf.options, error), -1);
        assert_non_null(strstr(error, "after a backslash"));
    }
}
