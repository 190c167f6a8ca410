// Asking popgated: what is said when no answer comes.
#include "controller/cli/client.h"

#include "tests/test.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static char said[4096]; // on stderr

// Takes one connection, reads the request and closes it, as a popgated does that is killed.
static void *dies(void *arg)
{
    char request[4096];
    const int *listener = arg;
    int fd = accept(*listener, NULL, NULL);
    assert_true(fd >= 0);
    assert_true(read(fd, request, sizeof request) > 0);
    close(fd);
    return NULL;
}

static enum exit_status ask(const char *socket_path, const char *body)
{
    struct answer answer;
    FILE *file = tmpfile();
    int former = dup(STDERR_FILENO);
    assert_non_null(file);
    dup2(fileno(file), STDERR_FILENO);
    enum exit_status result = client_ask(socket_path, "/v1/drain", body, &answer);
    dup2(former, STDERR_FILENO);
    close(former);
    answer_clear(&answer);
    rewind(file);
    said[fread(said, 1, sizeof said - 1, file)] = '\0';
    fclose(file);
    return result;
}

static enum exit_status ask_who_dies(const char *body)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    pthread_t thread;
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "/tmp/popgate-client-%d.sock",
             (int)getpid());
    unlink(address.sun_path);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(pthread_create(&thread, NULL, dies, &listener), 0);
    enum exit_status result = ask(address.sun_path, body);
    pthread_join(thread, NULL);
    close(listener);
    unlink(address.sun_path);
    return result;
}

TEST(a_change_whose_answer_is_lost_may_have_been_made)
{
    assert_int_equal(ask_who_dies("{}"), EXIT_NO_DAEMON);
    assert_non_null(strstr(said, "whether it was done all the same is not known"));
}

TEST(a_look_whose_answer_is_lost_changed_nothing)
{
    assert_int_equal(ask_who_dies(NULL), EXIT_NO_DAEMON);
    assert_null(strstr(said, "was done"));
}

TEST(where_nobody_listens_nothing_was_done)
{
    assert_int_equal(ask("/nonexistent/popgate.sock", "{}"), EXIT_NO_DAEMON);
    assert_non_null(strstr(said, "no such file"));
    assert_null(strstr(said, "was done"));
}
