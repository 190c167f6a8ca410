// A prober that slept through its checks, as in a suspended machine or under SIGSTOP, blames nobody
// for it.
//
// Each test runs a probe in a child, which its parent stops in the middle of a check and lets go on
// when the check's time is long over; the child's exit status is what it saw.
//
// This program's clock_gettime() comes before the C library's, for libuv too: the time that the
// child is stopped for passes on its clock at once. What no test asks for is far longer than any
// machine takes.
#include "tests/unit/probe_fixture.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#define TIMEOUT  "20s"
#define ASLEEP_S 80 // more than all of a check's time and of what is allowed for a late timer

static _Atomic time_t *slept_s; // of the child, besides the time that really passed

int clock_gettime(clockid_t clock, struct timespec *now)
{
    int result = (int)syscall(SYS_clock_gettime, clock, now);
    bool passes = clock != CLOCK_THREAD_CPUTIME_ID; // who sleeps has nothing of the processor
    now->tv_sec += passes && slept_s != NULL ? *slept_s : 0;
    return result;
}

// Memory that parent and children share.
static int share_clock(void **state)
{
    (void)state;
    void *shared =
        mmap(NULL, sizeof *slept_s, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    slept_s = shared != MAP_FAILED ? shared : NULL;
    return slept_s != NULL ? 0 : -1;
}

TEST_GROUP(share_clock, NULL);

struct world {
    int server, peer;           // a listener, and its end of the check's connection
    unsigned port;              // of the listener
    enum verdict_kind expected; // of the check that was slept through
    const char *code, *cause_part;
    const char *key, *value; // of the probe, besides; may be NULL
};

static void listen_on_loopback(struct world *world)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    world->server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(world->server >= 0);
    assert_int_equal(bind(world->server, (struct sockaddr *)&address, length), 0);
    assert_int_equal(getsockname(world->server, (struct sockaddr *)&address, &length), 0);
    assert_int_equal(listen(world->server, 8), 0);
    world->port = ntohs(address.sin_port);
}

static void child_on_verdict(void *arg, size_t index, const struct verdict *verdict)
{
    const struct world *world = arg;
    (void)index;
    bool good = verdict->kind == world->expected && strcmp(verdict->code, world->code) == 0 &&
                strstr(verdict->cause, world->cause_part) != NULL;
    if (!good) {
        fprintf(stderr, "%s (%s): %s\n", verdict_name(verdict->kind), verdict->code,
                verdict->cause);
    }
    _exit(good ? 0 : 1);
}

// One check of a `tcp` probe that says "hello" and waits for "world".
static void child_run(struct world *world)
{
    struct fixture fixture;
    const struct probe_conf *conf = &fixture.conf;
    fixture_open(&fixture, "tcp");
    fixture_target(&fixture, "127.0.0.1", world->port);
    fixture_set(&fixture, "interval", "1h");
    fixture_set(&fixture, "send", "hello");
    fixture_set(&fixture, "expect", "world");
    fixture_set(&fixture, "timeout", TIMEOUT);
    if (world->key != NULL) {
        fixture_set(&fixture, world->key, world->value);
    }
    struct scheduler *scheduler = scheduler_new(&fixture.loop, child_on_verdict, world);
    (void)scheduler_apply(scheduler, &conf, 1);
    uv_run(&fixture.loop, UV_RUN_DEFAULT);
    _exit(2);
}

// Stops the child while its check waits for an answer; meanwhile happens, and then the time is
// over.
static void sleep_through_a_check(struct world *world, void (*meanwhile)(struct world *world))
{
    char bytes[16];
    int status;
    guard_begin();
    listen_on_loopback(world);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        child_run(world);
    }
    world->peer = accept4(world->server, NULL, NULL, SOCK_CLOEXEC);
    assert_true(world->peer >= 0);
    assert_true(recv(world->peer, bytes, sizeof bytes, 0) > 0);
    kill(child, SIGSTOP);
    assert_int_equal(waitpid(child, &status, WUNTRACED), child);
    assert_true(WIFSTOPPED(status));
    meanwhile(world);
    *slept_s += ASLEEP_S;
    kill(child, SIGCONT);
    assert_int_equal(waitpid(child, &status, 0), child);
    close(world->server);
    if (world->peer >= 0) {
        close(world->peer);
    }
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void nothing(struct world *world)
{
    (void)world;
}

static void answer(struct world *world)
{
    assert_int_equal(send(world->peer, "world", 5, MSG_NOSIGNAL), 5);
}

static void hang_up(struct world *world)
{
    close(world->peer);
    world->peer = -1;
}

TEST(a_check_that_was_slept_through_has_not_failed)
{
    struct world world = {.expected = VERDICT_UNKNOWN,
                          .code = "stalled",
                          .cause_part = "popgated itself was stalled for"};
    sleep_through_a_check(&world, nothing);
}

TEST(an_answer_that_came_meanwhile_counts)
{
    struct world world = {.expected = VERDICT_PASS, .code = "ok", .cause_part = ""};
    sleep_through_a_check(&world, answer);
}

TEST(an_answer_that_came_meanwhile_was_not_slow)
{
    struct world world = {.expected = VERDICT_PASS,
                          .code = "ok",
                          .cause_part = "",
                          .key = "max_latency",
                          .value = "10s"};
    sleep_through_a_check(&world, answer);
}

// As a server does that has waited long enough for its client.
TEST(a_server_that_hung_up_meanwhile_has_not_failed)
{
    struct world world = {.expected = VERDICT_UNKNOWN,
                          .code = "stalled",
                          .cause_part = "closed the connection without the expected"};
    sleep_through_a_check(&world, hang_up);
}
