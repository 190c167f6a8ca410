// An API on sockets of its own, its shell and its clients, for the tests of both.
//
// clock_gettime() here comes before the C library's, for libuv and libmicrohttpd too: time passes
// when a test says so.
#pragma once

#include "controller/api/api.h"

#include "tests/unit/core_fixture.h"
#include "tests/unit/guard.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <jansson.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NOBODY 65534
#define GROUP  "games"

static char directory[64];
static struct fixture *fixture;
static uv_loop_t loop;
static struct api *api;
static unsigned tcp_port;

// What the shell was handed.
static struct change changed;
static size_t changed_services[8];
static size_t change_count, reload_count;
static bool answer_later;
static struct api_ticket *waiting;

static time_t passed_s; // on top of the time that really passes

// So does fopen(): a disk may hang, and what is opened from here the loop waits for.
static unsigned opened; // but for what the kernel itself tells

FILE *fopen(const char *path, const char *mode)
{
    opened += strncmp(path, "/proc/", 6) != 0;
    assert_int_equal(mode[0], 'r');
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd >= 0 ? fdopen(fd, "r") : NULL;
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    int result = (int)syscall(SYS_clock_gettime, clock, now);
    now->tv_sec += passed_s;
    return result;
}

static const struct core *shell_core(void *arg)
{
    (void)arg;
    return fixture->core;
}

static void shell_change(void *arg, const struct change *change, struct api_ticket *ticket)
{
    (void)arg;
    assert_true(change->service_count <= 8);
    changed = *change;
    memcpy(changed_services, change->services, change->service_count * sizeof *changed_services);
    change_count++;
    if (answer_later) {
        waiting = ticket;
    } else {
        api_answer(ticket, OUTCOME_DONE, "drained");
    }
}

static void shell_reload(void *arg, struct api_ticket *ticket)
{
    (void)arg;
    reload_count++;
    api_answer(ticket, OUTCOME_INVALID, "popgate.conf:3: unknown key");
}

static struct own_trouble own_trouble(void *arg)
{
    (void)arg;
    return (struct own_trouble){.ledger = NULL};
}

static const char *user_name(void *arg, uid_t uid)
{
    (void)arg;
    return uid == NOBODY ? "nobody" : NULL;
}

static char told[ERROR_MAX];
static unsigned told_count;

static void shell_tell(void *arg, const char *text)
{
    (void)arg;
    snprintf(told, sizeof told, "%s", text);
    told_count++;
}

static const struct api_shell shell = {.core = shell_core,
                                       .change = shell_change,
                                       .reload = shell_reload,
                                       .trouble = own_trouble,
                                       .user = user_name,
                                       .tell = shell_tell};

static int set_up(void **state)
{
    (void)state;
    char more[512];
    char error[ERROR_MAX] = "";
    guard_begin();
    strcpy(directory, "/tmp/test_api.XXXXXX");
    if (mkdtemp(directory) == NULL || chmod(directory, 0755) != 0) {
        return -1;
    }
    snprintf(more, sizeof more,
             "runtime_dir = %s\nstate_dir = %s\n[control]\ngroup = " GROUP
             "\nhttp = 127.0.0.1:%u\n",
             directory, directory, tcp_port = 20000 + (unsigned)getpid() % 12000);
    fixture = fixture_new(more, FIXTURE_SERVICES);
    change_count = reload_count = told_count = 0;
    answer_later = false;
    waiting = NULL;
    uv_loop_init(&loop);
    api = api_new(&loop, fixture->config, &shell, NULL, error);
    if (api == NULL) {
        print_error("%s\n", error);
    }
    return api != NULL ? 0 : -1;
}

static void note(void *arg)
{
    *(bool *)arg = true;
}

static void stop(void)
{
    bool closed = false;
    api_close(api, note, &closed);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_true(closed);
    api = NULL;
}

static int tear_down(void **state)
{
    (void)state;
    if (api != NULL) {
        stop();
    }
    assert_int_equal(uv_loop_close(&loop), 0);
    fixture_free(fixture);
    return rmdir(directory);
}

TEST_FIXTURE(set_up, tear_down);

// ---- Clients

static int connect_unix(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s/" API_SOCKET, directory);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static void put(int fd, const char *text, size_t length)
{
    while (length > 0) {
        ssize_t sent = send(fd, text, length, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent > 0) {
            text += sent;
            length -= (size_t)sent;
        } else {
            assert_true(sent < 0 && errno == EAGAIN);
        }
        uv_run(&loop, UV_RUN_NOWAIT);
    }
}

static void put_request(int fd, const char *method, const char *path, const char *body,
                        size_t length)
{
    char head[512];
    int size =
        snprintf(head, sizeof head, "%s %s HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n",
                 method, path, length);
    put(fd, head, (size_t)size);
    put(fd, body, length);
}

struct reply {
    unsigned status;
    char text[65536];
    json_t *json; // of the body
};

// Runs the loop until the other end closes; reads its reply.
static struct reply *reply_of(int fd)
{
    struct reply *reply = calloc(1, sizeof *reply);
    size_t length = 0;
    assert_non_null(reply);
    guard_awaits("an answer");
    for (;;) {
        uv_run(&loop, UV_RUN_NOWAIT);
        ssize_t got = recv(fd, reply->text + length, sizeof reply->text - 1 - length, MSG_DONTWAIT);
        if (got == 0) {
            break;
        }
        assert_true(got > 0 || errno == EAGAIN);
        length += got > 0 ? (size_t)got : 0;
    }
    close(fd);
    assert_int_equal(strncmp(reply->text, "HTTP/1.1 ", 9), 0);
    reply->status = (unsigned)strtoul(reply->text + 9, NULL, 10);
    const char *body = strstr(reply->text, "\r\n\r\n");
    reply->json = body != NULL ? json_loads(body + 4, 0, NULL) : NULL;
    return reply;
}

static void reply_free(struct reply *reply)
{
    json_decref(reply->json);
    free(reply);
}

// One whole exchange; says (may be NULL) must stand in the reply.
static void exchange(int fd, const char *method, const char *path, const char *body,
                     unsigned status, const char *says)
{
    put_request(fd, method, path, body, strlen(body));
    struct reply *reply = reply_of(fd);
    if (reply->status != status || (says != NULL && strstr(reply->text, says) == NULL)) {
        fail_msg("%s %s %s: wanted %u %s, got: %s", method, path, body, status,
                 says != NULL ? says : "", reply->text);
    }
    reply_free(reply);
}

static void local(const char *method, const char *path, const char *body, unsigned status,
                  const char *says)
{
    exchange(connect_unix(), method, path, body, status, says);
}

// More turns of the loop than anything here needs: all that happens is in this process.
static void turn(void)
{
    for (unsigned i = 0; i < 100; i++) {
        uv_run(&loop, UV_RUN_NOWAIT);
    }
}

static void pass_s(unsigned seconds)
{
    for (unsigned i = 0; i < seconds; i++) {
        passed_s++;
        turn();
    }
}
