// Too many watches (epoll(7), max_user_watches): what the loop can't watch says nothing about a
// service.
#include "tests/unit/probe_fixture.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/syscall.h>

static struct fixture fixture;
static bool is_full;

// This program's epoll_ctl() comes before the C library's, for libuv too.
int epoll_ctl(int epoll, int what, int fd, struct epoll_event *event)
{
    if (is_full && what == EPOLL_CTL_ADD) {
        errno = ENOSPC;
        return -1;
    }
    return (int)syscall(SYS_epoll_ctl, epoll, what, fd, event);
}

static void on_timer(uv_timer_t *timer)
{
    uv_close((uv_handle_t *)timer, NULL);
}

static void watch_what_the_loop_itself_needs(void)
{
    uv_timer_t timer;
    uv_timer_init(&fixture.loop, &timer);
    uv_timer_start(&timer, on_timer, 1, 0);
    uv_run(&fixture.loop, UV_RUN_DEFAULT);
}

TEST(what_can_not_be_watched_is_no_failure_of_the_service)
{
    static const struct {
        const char *type, *key, *value;
    } table[] = {{"tcp", NULL, NULL},
                 {"dns", "protocol", "udp"},
                 {"dns", "protocol", "tcp"},
                 {"http", "url", "http://127.0.0.1/"},
                 {"tls", NULL, NULL}};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, length), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &length), 0);
    assert_int_equal(listen(listener, 8), 0);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        fixture_open(&fixture, table[i].type);
        fixture_target(&fixture, "127.0.0.1", ntohs(address.sin_port));
        if (strcmp(table[i].type, "dns") == 0) {
            fixture_set(&fixture, "qname", "id.server");
        }
        if (table[i].key != NULL) {
            fixture_set(&fixture, table[i].key, table[i].value);
        }
        watch_what_the_loop_itself_needs();
        is_full = true;
        const struct verdict *verdict = fixture_run(&fixture, 1);
        is_full = false;
        assert_verdict(verdict, VERDICT_UNKNOWN, "local", "no space left on device");
        fixture_close(&fixture);
    }
    close(listener);
}
