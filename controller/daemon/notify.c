#include "controller/daemon/notify.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define TEXT_MAX 4096

static struct {
    char state[TEXT_MAX], status[TEXT_MAX]; // that are still to be told; empty: none
} pending;

// Of the manager; false: nobody wants to know.
static bool find_address(struct sockaddr_un *out, socklen_t *length)
{
    const char *path = getenv("NOTIFY_SOCKET");
    size_t size = path != NULL ? strlen(path) : 0;
    *out = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (size < 2 || size >= sizeof out->sun_path || (path[0] != '/' && path[0] != '@')) {
        return false;
    }
    memcpy(out->sun_path, path, size);
    if (path[0] == '@') {
        out->sun_path[0] = '\0'; // an abstract name, which no NUL ends
    }
    *length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size + (path[0] == '/'));
    return true;
}

// False: not now.
static bool tell(const char *text)
{
    struct sockaddr_un address;
    socklen_t length;
    if (!find_address(&address, &length)) {
        return true;
    }
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    bool told = fd >= 0 && sendto(fd, text, strlen(text), MSG_NOSIGNAL,
                                  (const struct sockaddr *)&address, length) >= 0;
    if (fd >= 0) {
        close(fd);
    }
    return told;
}

static void tell_pending(char text[TEXT_MAX])
{
    if (text[0] != '\0' && tell(text)) {
        text[0] = '\0';
    }
}

void notify_again(void)
{
    tell_pending(pending.state);
    tell_pending(pending.status);
}

void notify_state(const char *text)
{
    snprintf(pending.state, sizeof pending.state, "%s", text);
    notify_again();
}

void notify_status(const char *line)
{
    snprintf(pending.status, sizeof pending.status, "STATUS=%s", line);
    notify_again();
}

void notify_watchdog(void)
{
    notify_again();
    (void)tell("WATCHDOG=1");
}
