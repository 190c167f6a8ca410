// The API on a real socket: who may do what, what is refused and how, and that no client holds up
// another or the loop.
#include "tests/unit/api_fixture.h"

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

static const char *word(const struct reply *reply, const char *key)
{
    const char *text = json_string_value(json_object_get(reply->json, key));
    return text != NULL ? text : "";
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
