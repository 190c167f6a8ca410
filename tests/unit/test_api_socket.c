// The API's socket stays where clients look for it, whatever is done to its file.
#include "tests/unit/api_fixture.h"

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

TEST(an_address_for_http_that_another_has_is_trouble_and_taken_when_it_is_free)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)tcp_port)};
    char error[ERROR_MAX] = "";
    stop();
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int other = socket(AF_INET, SOCK_STREAM, 0);
    int yes = 1;
    assert_int_equal(setsockopt(other, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes), 0);
    assert_int_equal(bind(other, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(other, 1), 0);
    api = api_new(&loop, fixture->config, &shell, NULL, error);
    assert_non_null(api);
    assert_non_null(strstr(api_trouble(api), "in use"));
    local("GET", "/v1/status", "", 200, NULL);
    api_keep_socket(api);
    assert_non_null(api_trouble(api));
    close(other);
    api_keep_socket(api);
    assert_null(api_trouble(api));
    int client = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(client, (struct sockaddr *)&address, sizeof address), 0);
    exchange(client, "GET", "/healthz", "", 200, "ok\n");
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
