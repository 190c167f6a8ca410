// The API on a real socket: who may do what, what is refused and how, and that no client holds up
// another or the loop.
//
// This program's clock_gettime() comes before the C library's, for libuv and libmicrohttpd too:
// time passes when a test says so.
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

static int connect_tcp(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)tcp_port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
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

static const char *word(const struct reply *reply, const char *key)
{
    const char *text = json_string_value(json_object_get(reply->json, key));
    return text != NULL ? text : "";
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

// The HTTP status that a process of that user and group gets; the loop runs here meanwhile.
static unsigned status_for(uid_t uid, gid_t extra_group, const char *request)
{
    int result[2];
    unsigned status = 0;
    assert_int_equal(pipe(result), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        char text[4096] = "";
        bool ready = setgroups(extra_group != 0 ? 1 : 0, &extra_group) == 0 &&
                     setgid(NOBODY) == 0 && setuid(uid) == 0;
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        snprintf(address.sun_path, sizeof address.sun_path, "%s/" API_SOCKET, directory);
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);
        if (ready && connect(fd, (struct sockaddr *)&address, sizeof address) == 0 &&
            send(fd, request, strlen(request), MSG_NOSIGNAL) > 0 &&
            recv(fd, text, sizeof text - 1, 0) > 9) {
            status = (unsigned)strtoul(text + 9, NULL, 10);
        }
        _exit(write(result[1], &status, sizeof status) == sizeof status ? 0 : 1);
    }
    close(result[1]);
    assert_int_equal(fcntl(result[0], F_SETFL, O_NONBLOCK), 0);
    while (read(result[0], &status, sizeof status) < 0) {
        uv_run(&loop, UV_RUN_NOWAIT);
    }
    close(result[0]);
    assert_int_equal(waitpid(child, NULL, 0), child);
    return status;
}

// ---- Reading

TEST(status_services_and_events_are_served)
{
    local("GET", "/v1/status", "", 200, "\"pop\":\"fra1\"");
    local("GET", "/v1/status?full=1", "", 200, "192.0.2.53/32");
    local("GET", "/v1/services/token", "", 200, "\"service\":{\"name\":\"token\"");
    local("GET", "/v1/events?since=1&service=dns", "", 200, "\"events\":[");
    local("GET", "/healthz", "", 200, "ok\nBIRD is out of reach");
    local("GET", "/v1/status", "", 200, "Content-Type: application/json");
}

TEST(what_is_not_there_is_said_so)
{
    local("GET", "/v1/services/tokn", "", 404, "did you mean `token`");
    local("GET", "/v1/events?service=dsn", "", 404, "did you mean `dns`");
    local("GET", "/v1/events?since=now", "", 400, "`since`");
    local("GET", "/v2/status", "", 404, "nothing at /v2/status");
    local("POST", "/v1/status", "", 405, "wrong method");
    local("GET", "/v1/drain", "", 405, "wrong method");
    local("POST", "/v1/drai", "{}", 404, "nothing at /v1/drai");
    local("DELETE", "/v1/status", "", 405, "wrong method");
}

TEST(many_readers_are_all_answered)
{
    int fds[20];
    for (size_t i = 0; i < 20; i++) {
        fds[i] = connect_unix();
        put_request(fds[i], "GET", "/v1/status", "", 0);
    }
    for (size_t i = 0; i < 20; i++) {
        struct reply *reply = reply_of(fds[i]);
        assert_int_equal(reply->status, 200);
        assert_string_equal(word(reply, "pop"), "fra1");
        reply_free(reply);
    }
}

// ---- Changing

TEST(every_verb_reaches_the_shell)
{
    static const struct {
        const char *path, *body;
        enum verb verb;
    } verbs[] = {
        {"/v1/drain", "{\"services\":[\"token\"],\"reason\":\"r\",\"now\":true}", VERB_DRAIN},
        {"/v1/undrain", "{\"services\":[\"token\"]}", VERB_UNDRAIN},
        {"/v1/isolate", "{\"services\":[\"token\"]}", VERB_ISOLATE},
        {"/v1/release", "{\"services\":[\"token\"]}", VERB_RELEASE},
        {"/v1/pin", "{\"services\":[\"token\"],\"for\":\"5m\",\"reason\":\"r\"}", VERB_PIN},
        {"/v1/unpin", "{\"services\":[\"token\"]}", VERB_UNPIN},
    };
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        local("POST", verbs[i].path, verbs[i].body, 200,
              "{\"outcome\":\"done\",\"message\":\"drained\"}");
        assert_int_equal(change_count, i + 1);
        assert_int_equal(changed.verb, verbs[i].verb);
        assert_int_equal(changed.service_count, 1);
        assert_int_equal(changed_services[0], 1);
        assert_string_equal(changed.by, getuid() == 0 ? "root (0)" : changed.by);
    }
    local("POST", "/v1/reload", "", 422, "popgate.conf:3: unknown key");
    assert_int_equal(reload_count, 1);
}

// A hung root disk, or a directory service behind NSS, would stop the loop.
TEST(a_change_waits_for_no_file_to_know_who_asks)
{
    opened = 0;
    local("POST", "/v1/isolate", "{\"services\":[\"token\"]}", 200, "done");
    assert_int_equal(change_count, 1);
    assert_int_equal(opened, 0);
}

TEST(who_asks_is_told_with_whom_he_says_to_be)
{
    if (getuid() != 0) {
        skip();
        return;
    }
    local("POST", "/v1/drain", "{\"services\":[\"token\"],\"by\":\"alice\"}", 200, "done");
    assert_memory_equal(changed.by, "alice, says ", strlen("alice, says "));
    assert_non_null(strstr(changed.by, "root (0)"));
}

TEST(what_is_wrong_with_a_change_never_reaches_the_shell)
{
    local("POST", "/v1/drain", "{\"services\":[\"dns\"", 400, "not JSON");
    local("POST", "/v1/drain", "", 400, "not JSON");
    local("POST", "/v1/drain", "{\"services\":[\"dsn\"]}", 404, "did you mean `dns`");
    fixture->core->services[0].intent.kind = INTENT_ISOLATE;
    local("POST", "/v1/undrain", "{\"services\":[\"dns\"]}", 409, "only release");
    fixture->core->services[1].intent.kind = INTENT_ISOLATE;
    local("POST", "/v1/undrain", "{\"all\":true}", 200, "no service to undrain");
    assert_int_equal(change_count, 0);
}

TEST(a_body_too_long_is_refused)
{
    size_t length = (size_t)1 << 20;
    char *body = malloc(length);
    assert_non_null(body);
    memset(body, ' ', length);
    int fd = connect_unix();
    put_request(fd, "POST", "/v1/drain", body, length);
    struct reply *reply = reply_of(fd);
    assert_int_equal(reply->status, 413);
    reply_free(reply);
    free(body);
    assert_int_equal(change_count, 0);
}

TEST(a_body_in_pieces_is_put_together)
{
    static const char body[] = "{\"services\":[\"dns\"]}";
    static const char head[] = "POST /v1/drain HTTP/1.1\r\nHost: x\r\nContent-Length: 20\r\n\r\n";
    int fd = connect_unix();
    for (size_t i = 0; i < strlen(head); i++) {
        put(fd, head + i, 1);
    }
    for (size_t i = 0; i < strlen(body); i++) {
        assert_int_equal(change_count, 0);
        put(fd, body + i, 1);
    }
    struct reply *reply = reply_of(fd);
    assert_int_equal(reply->status, 200);
    reply_free(reply);
}

// ---- Tickets

// Sends a change and runs the loop until the shell has its ticket.
static int change_in_waiting(void)
{
    int fd = connect_unix();
    static const char body[] = "{\"services\":[\"dns\"]}";
    answer_later = true;
    put_request(fd, "POST", "/v1/drain", body, strlen(body));
    while (waiting == NULL) {
        uv_run(&loop, UV_RUN_NOWAIT);
    }
    return fd;
}

TEST(a_ticket_may_be_answered_later)
{
    int fd = change_in_waiting();
    local("GET", "/v1/status", "", 200, NULL); // others go on meanwhile
    char byte;
    assert_true(recv(fd, &byte, 1, MSG_DONTWAIT) < 0);
    api_answer(waiting, OUTCOME_REFUSED, "no other PoP announces 192.0.2.53/32");
    struct reply *reply = reply_of(fd);
    assert_int_equal(reply->status, 409);
    assert_string_equal(word(reply, "error"), "no other PoP announces 192.0.2.53/32");
    reply_free(reply);
}

// A disk that hangs, and operators who gave up and tried again.
TEST(clients_that_wait_or_died_waiting_keep_nobody_out)
{
    enum { DEAD = 40 };
    struct api_ticket *tickets[DEAD];
    for (unsigned i = 0; i < DEAD; i++) {
        waiting = NULL;
        close(change_in_waiting());
        tickets[i] = waiting;
    }
    answer_later = false;
    local("POST", "/v1/isolate", "{\"services\":[\"dns\"]}", 200, NULL);
    local("GET", "/v1/status", "", 200, NULL);
    for (unsigned i = 0; i < DEAD; i++) {
        api_answer(tickets[i], OUTCOME_DONE, NULL);
    }
    local("GET", "/v1/status", "", 200, NULL);
}

TEST(a_client_that_went_away_harms_nothing)
{
    close(change_in_waiting());
    for (unsigned i = 0; i < 10; i++) {
        uv_run(&loop, UV_RUN_NOWAIT);
    }
    api_answer(waiting, OUTCOME_DONE, "drained");
    local("GET", "/v1/status", "", 200, NULL);
}

TEST(closing_answers_what_still_waits)
{
    int fd = change_in_waiting();
    stop();
    struct reply *reply = reply_of(fd);
    assert_int_equal(reply->status, 503);
    assert_string_equal(word(reply, "outcome"), "stopping");
    assert_non_null(strstr(word(reply, "error"), "popgated is stopping, and does not know yet"));
    reply_free(reply);
}

// ---- Who

TEST(a_request_that_comes_while_closing_is_turned_away)
{
    static const char request[] = "GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n";
    char text[1024] = "";
    int fd = connect_unix();
    uv_run(&loop, UV_RUN_NOWAIT); // accepted
    assert_int_equal(send(fd, request, strlen(request), 0), strlen(request));
    stop();
    assert_true(recv(fd, text, sizeof text - 1, 0) > 0);
    assert_non_null(strstr(text, "503"));
    close(fd);
}

TEST(everybody_may_read_but_only_operators_may_change)
{
    static const char read_request[] = "GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n";
    static const char change_request[] = "POST /v1/drain HTTP/1.1\r\nHost: x\r\n"
                                         "Content-Length: 20\r\n\r\n{\"services\":[\"dns\"]}";
    const struct group *group = getgrnam(GROUP);
    if (getuid() != 0 || group == NULL) {
        skip();
        return;
    }
    assert_int_equal(status_for(NOBODY, 0, read_request), 200);
    assert_int_equal(status_for(NOBODY, 0, change_request), 403);
    assert_int_equal(change_count, 0);
    assert_int_equal(status_for(NOBODY, group->gr_gid, change_request), 200);
    assert_int_equal(change_count, 1);
    assert_non_null(strstr(changed.by, "nobody (65534)"));
    assert_int_equal(status_for(0, 0, change_request), 200);
    assert_int_equal(change_count, 2);
}

TEST(tcp_is_for_reading_only)
{
    exchange(connect_tcp(), "GET", "/v1/status", "", 200, "\"pop\":\"fra1\"");
    exchange(connect_tcp(), "GET", "/healthz", "", 200, "ok\n");
    exchange(connect_tcp(), "POST", "/v1/drain", "{\"services\":[\"dns\"]}", 403, "Unix socket");
    exchange(connect_tcp(), "POST", "/v1/reload", "", 403, "Unix socket");
    assert_int_equal(change_count + reload_count, 0);
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

static bool is_cut_off(int fd)
{
    char byte;
    return recv(fd, &byte, 1, MSG_DONTWAIT) == 0;
}

TEST(who_takes_too_long_to_ask_is_cut_off_however_busy_he_looks)
{
    int silent = connect_unix();
    int slow = connect_tcp();
    int late = -1;
    for (unsigned i = 0; i < 9; i++) {
        put(slow, &"GET /v1/st"[i], 1);
        late = i == 4 ? connect_unix() : late;
        pass_s(1);
    }
    assert_false(is_cut_off(silent));
    assert_false(is_cut_off(slow));
    put(late, "GET ", 4);
    pass_s(3);
    assert_true(is_cut_off(silent));
    assert_true(is_cut_off(slow));
    assert_false(is_cut_off(late));
    static const char rest[] = "/v1/status HTTP/1.1\r\nHost: x\r\n\r\n";
    put(late, rest, sizeof rest - 1);
    struct reply *reply = reply_of(late);
    assert_int_equal(reply->status, 200);
    reply_free(reply);
    close(silent);
    close(slow);
}

TEST(who_waits_for_us_is_not_cut_off)
{
    int fd = change_in_waiting();
    pass_s(60);
    api_answer(waiting, OUTCOME_DONE, "drained");
    struct reply *reply = reply_of(fd);
    assert_int_equal(reply->status, 200);
    reply_free(reply);
}

TEST(out_of_descriptors_it_listens_again_a_second_later)
{
    struct rlimit before;
    int fd = connect_unix();
    int next = dup(fd);
    close(next);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    struct rlimit none_left = {.rlim_cur = (rlim_t)next, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none_left), 0);
    put_request(fd, "GET", "/healthz", "", 0);
    turn();
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    char byte;
    assert_true(recv(fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK) < 0);
    assert_int_equal(errno, EAGAIN);
    pass_s(2);
    assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK), 1);
    struct reply *reply = reply_of(fd);
    assert_int_equal(reply->status, 200);
    reply_free(reply);
}

TEST(silent_clients_do_not_keep_operators_out)
{
    int silent[100];
    for (size_t i = 0; i < 100; i++) {
        silent[i] = connect_tcp();
        put(silent[i], "GET /v1/st", i % 2 == 0 ? 10 : 0);
    }
    local("POST", "/v1/isolate", "{\"all\":true}", 200, NULL);
    assert_int_equal(change_count, 1);
    for (size_t i = 0; i < 100; i++) {
        close(silent[i]);
    }
    exchange(connect_tcp(), "GET", "/healthz", "", 200, "ok\n"); // their places are free again
}

// ---- The socket

TEST(a_second_daemon_is_refused_and_leaves_the_first_its_socket)
{
    char error[ERROR_MAX] = "";
    assert_null(api_new(&loop, fixture->config, &shell, NULL, error));
    assert_non_null(strstr(error, "another popgated"));
    local("GET", "/v1/status", "", 200, NULL);
}

TEST(a_stale_socket_is_replaced)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char error[ERROR_MAX] = "";
    stop();
    snprintf(address.sun_path, sizeof address.sun_path, "%s/" API_SOCKET, directory);
    int stale = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(stale, (struct sockaddr *)&address, sizeof address), 0);
    close(stale);
    api = api_new(&loop, fixture->config, &shell, NULL, error);
    assert_non_null(api);
    local("GET", "/v1/status", "", 200, NULL);
}

static const char *socket_path(char out[sizeof((struct sockaddr_un *)NULL)->sun_path])
{
    snprintf(out, sizeof((struct sockaddr_un *)NULL)->sun_path, "%s/" API_SOCKET, directory);
    return out;
}

static void await_told(unsigned count)
{
    guard_awaits("what happened to the socket to be told");
    while (told_count < count) {
        uv_run(&loop, UV_RUN_NOWAIT);
    }
}

TEST(a_socket_that_somebody_takes_away_is_made_anew)
{
    char path[sizeof((struct sockaddr_un *)NULL)->sun_path];
    int before = connect_unix(); // and who came by the old one is served
    for (unsigned i = 1; i <= 3; i++) {
        assert_int_equal(unlink(socket_path(path)), 0);
        await_told(i);
        assert_non_null(strstr(told, "taken away"));
        local("POST", "/v1/isolate", "{\"all\":true}", 200, NULL);
    }
    exchange(before, "GET", "/healthz", "", 200, "ok\n");
    assert_int_equal(told_count, 3);
}

TEST(and_whoever_waits_at_the_old_one_is_served_however_many_there_are)
{
    char path[sizeof((struct sockaddr_un *)NULL)->sun_path];
    int fds[30];
    for (size_t i = 0; i < 30; i++) {
        fds[i] = connect_unix();
    }
    assert_int_equal(unlink(socket_path(path)), 0);
    api_keep_socket(api);
    for (size_t i = 0; i < 30; i++) {
        exchange(fds[i], "GET", "/healthz", "", 200, "ok\n");
    }
}

// The number that the old socket has may not be had again.
TEST(a_socket_that_cannot_take_the_place_of_the_old_one_is_none_and_tried_again)
{
    char path[sizeof((struct sockaddr_un *)NULL)->sun_path];
    char error[ERROR_MAX] = "";
    struct rlimit usual;
    int low[64];
    stop();
    for (size_t i = 0; i < 64; i++) {
        low[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
        assert_true(low[i] >= 0);
    }
    api = api_new(&loop, fixture->config, &shell, NULL, error);
    assert_non_null(api);
    for (size_t i = 0; i < 64; i++) {
        close(low[i]);
    }
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &usual), 0);
    struct rlimit few = {.rlim_cur = (rlim_t)low[63] + 1, .rlim_max = usual.rlim_max};
    assert_int_equal(unlink(socket_path(path)), 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    api_keep_socket(api);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &usual), 0);
    assert_non_null(strstr(told, "can't listen"));
    assert_int_not_equal(access(path, F_OK), 0);
    pass_s(2);
    await_told(2);
    assert_non_null(strstr(told, "it is there again"));
    local("GET", "/v1/status", "", 200, NULL);
}

TEST(what_stands_in_the_place_of_the_socket_is_told_once_until_it_is_gone)
{
    char path[sizeof((struct sockaddr_un *)NULL)->sun_path];
    char aside[sizeof path + 2];
    struct stat file;
    snprintf(aside, sizeof aside, "%s.1", socket_path(path));
    assert_int_equal(mkdir(aside, 0755), 0);
    assert_int_equal(renameat2(AT_FDCWD, aside, AT_FDCWD, path, RENAME_EXCHANGE), 0);
    await_told(1);
    assert_non_null(strstr(told, "can't listen"));
    pass_s(2);
    pass_s(2);
    assert_int_equal(told_count, 1);
    assert_int_equal(rmdir(path), 0); // tried again each second
    pass_s(2);
    await_told(2);
    local("GET", "/v1/status", "", 200, NULL);
    assert_int_equal(unlink(aside), 0);
    stop();
    assert_int_not_equal(lstat(path, &file), 0);
}

// Nothing in the directory tells when there are descriptors again.
TEST(a_socket_that_could_not_be_made_anew_is_tried_again)
{
    char path[sizeof((struct sockaddr_un *)NULL)->sun_path];
    struct rlimit before;
    int next = dup(STDERR_FILENO);
    close(next);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    struct rlimit none_left = {.rlim_cur = (rlim_t)next, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none_left), 0);
    assert_int_equal(unlink(socket_path(path)), 0);
    await_told(1);
    assert_non_null(strstr(told, "Too many open files"));
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    pass_s(2);
    await_told(2);
    local("GET", "/v1/status", "", 200, NULL);
}

TEST(a_socket_that_went_with_its_directory_is_made_anew_when_asked_to_look)
{
    char aside[sizeof directory + 2];
    snprintf(aside, sizeof aside, "%s.1", directory);
    assert_int_equal(rename(directory, aside), 0);
    assert_int_equal(mkdir(directory, 0755), 0);
    uv_run(&loop, UV_RUN_NOWAIT);
    api_keep_socket(api);
    local("GET", "/v1/status", "", 200, NULL);
    char path[sizeof((struct sockaddr_un *)NULL)->sun_path];
    assert_int_equal(unlink(socket_path(path)), 0); // the new directory is watched like the old one
    await_told(2);
    local("GET", "/v1/status", "", 200, NULL);
    char left[sizeof aside + sizeof API_SOCKET];
    snprintf(left, sizeof left, "%s/" API_SOCKET, aside);
    assert_int_equal(unlink(left), 0);
    assert_int_equal(rmdir(aside), 0);
}
