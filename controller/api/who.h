// Who asks, as status and the log are to name him: whoever logged in, not only whom he became, and
// who he says that he is.
#pragma once

#include "controller/core/intent.h"

#include <sys/types.h>

struct who {
    uid_t uid; // of the process that asks
    pid_t pid;
    const char *proc;    // where the kernel tells of processes: "/proc"
    const char *claimed; // the name that the request gives; empty: none
    // A user's name; NULL: it is not known. It must not wait for any disk: the loop does.
    const char *(*name)(void *arg, uid_t uid);
    void *arg;
};

// "alice (1000)"; where the process that asks is of another user's session, as behind sudo, "alice
// (1000) as root (0)"; and what it claims, which nobody has checked, "bob, says alice (1000)".
void who_asks(const struct who *who, char out[INTENT_BY_MAX]);
