// Steps of the wall clock (an operator's `date`, a time server's first word after boot) do nothing:
// what is measured is measured on the monotonic clock. Only certificates, tokens and the ledger's
// intents are judged by the wall clock, each through a time that their own tests give them
// (test_tls_peer.c, test_jwt.c, test_ledger.c, test_change_clock.c).
//
// This program's gettimeofday() and time() come before the C library's too.
#include "tests/unit/own_clock.h"
#include "tests/unit/probe_fixture.h"

#include <sys/time.h>

#define YEAR_S 31536000

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    struct timespec precise;
    (void)zone;
    int result = clock_gettime(CLOCK_REALTIME, &precise);
    now->tv_sec = precise.tv_sec;
    now->tv_usec = precise.tv_nsec / 1000;
    return result;
}

time_t time(time_t *out)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (out != NULL) {
        *out = now.tv_sec;
    }
    return now.tv_sec;
}

struct world {
    struct fixture fixture;
    uv_poll_t poll;
    int server; // UDP
    bool answers;
    time_t step_s; // taken at each query
};

// Answers with REFUSED, which is expected here; the clock steps before that.
static void on_query(uv_poll_t *poll, int status, int events)
{
    struct world *world = poll->data;
    uint8_t message[512];
    struct sockaddr_storage from;
    socklen_t size = sizeof from;
    (void)status;
    (void)events;
    ssize_t length =
        recvfrom(world->server, message, sizeof message, 0, (struct sockaddr *)&from, &size);
    own_clock.wall_step_s = own_clock.wall_step_s == world->step_s ? 0 : world->step_s;
    if (length > 12 && world->answers) {
        message[2] |= 0x80;
        message[3] = 5;
        message[11] = 0; // no OPT record
        (void)sendto(world->server, message, (size_t)length - 11, 0, (struct sockaddr *)&from,
                     size);
    }
}

static void begin(struct world *world, time_t each_step_s, bool answers)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    own_clock.wall_step_s = 0;
    world->step_s = each_step_s;
    world->answers = answers;
    world->server = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_true(world->server >= 0);
    assert_int_equal(bind(world->server, (struct sockaddr *)&address, length), 0);
    assert_int_equal(getsockname(world->server, (struct sockaddr *)&address, &length), 0);
    fixture_open(&world->fixture, "dns");
    fixture_target(&world->fixture, "127.0.0.1", ntohs(address.sin_port));
    fixture_set(&world->fixture, "qname", "www.example.net");
    fixture_set(&world->fixture, "rcode", "REFUSED");
    uv_poll_init(&world->fixture.loop, &world->poll, world->server);
    world->poll.data = world;
    uv_poll_start(&world->poll, UV_READABLE, on_query);
}

static void end(struct world *world)
{
    uv_close((uv_handle_t *)&world->poll, NULL);
    close(world->server);
    fixture_close(&world->fixture);
    own_clock.wall_step_s = 0;
}

static const time_t steps_s[] = {YEAR_S, -YEAR_S};

TEST(checks_go_on_and_are_as_fast_as_they_are)
{
    for (size_t i = 0; i < 2; i++) {
        struct world world;
        begin(&world, steps_s[i], true);
        fixture_set(&world.fixture, "max_latency", "10s");
        fixture_run(&world.fixture, FIXTURE_VERDICTS);
        for (size_t j = 0; j < FIXTURE_VERDICTS; j++) {
            assert_verdict(&world.fixture.verdicts[j], VERDICT_PASS, "ok", "REFUSED");
        }
        end(&world);
    }
}

TEST(a_timeout_is_as_long_as_it_is)
{
    for (size_t i = 0; i < 2; i++) {
        struct world world;
        begin(&world, steps_s[i], false);
        fixture_set(&world.fixture, "timeout", "100ms");
        const struct verdict *last = fixture_run(&world.fixture, 2);
        assert_verdict(last, VERDICT_FAIL, "timeout", "within 100ms");
        assert_true(last->duration_ns >= UINT64_C(100000000));
        end(&world);
    }
}

TEST(nobody_reads_the_wall_clock_to_probe_dns)
{
    struct world world;
    begin(&world, YEAR_S, true);
    own_clock.wall_reads = 0;
    fixture_run(&world.fixture, FIXTURE_VERDICTS);
    assert_int_equal(own_clock.wall_reads, 0);
    assert_true(time(NULL) > 0); // it would be noticed
    assert_int_equal(own_clock.wall_reads, 1);
    end(&world);
}
