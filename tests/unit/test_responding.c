// Where the responder listens while not all of its addresses can be had.
#include "controller/daemon/responding.h"

#include "tests/unit/free_port.h"
#include "tests/unit/small_config.h"

#include <sys/socket.h>
#include <unistd.h>

#define NOBODY 65534
#define TRIES  3

static unsigned lines_in(int fd)
{
    char text[4096];
    unsigned lines = 0;
    ssize_t got = recv(fd, text, sizeof text, MSG_DONTWAIT);
    for (ssize_t i = 0; i < got; i++) {
        lines += text[i] == '\n';
    }
    return lines;
}

// The first address is systemd's socket, which lets none of another user's join; the other one is
// somebody's, and is tried again for ever.
static void try_again(struct responding *responding, struct responder *responder, uint16_t port)
{
    char text[256];
    snprintf(text, sizeof text,
             "[responder]\nzone = pop.example.net\nlisten = 127.0.0.1:%u 127.0.0.2:%u\n"
             "threads = 2\n",
             port, port);
    struct config *config = small_config(text);
    assert_int_equal(seteuid(NOBODY), 0);
    for (unsigned i = 0; i < TRIES; i++) {
        responding_some(responding, responder, config);
    }
    assert_int_equal(seteuid(0), 0);
    config_free(config);
}

TEST(a_remark_is_logged_once_however_often_it_is_tried_again)
{
    struct responding responding = {.count = 0};
    uint16_t port = free_port();
    int ends[2];
    if (geteuid() != 0) {
        skip();
    }
    int others = bound_socket("127.0.0.2", port, SOCK_STREAM);
    struct responder *responder =
        responder_new((int[]){bound_socket("127.0.0.1", port, SOCK_DGRAM)}, 1);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    int saved = dup(STDERR_FILENO);
    assert_int_equal(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
    try_again(&responding, responder, port);
    assert_int_equal(dup2(saved, STDERR_FILENO), STDERR_FILENO);
    assert_int_equal(responding.count, 1);
    assert_non_null(strstr(responding.trouble, "127.0.0.2"));
    assert_int_equal(lines_in(ends[0]), 1);
    responding_clear(&responding);
    responder_free(responder);
    close(saved);
    close(ends[0]);
    close(ends[1]);
    close(others);
}
