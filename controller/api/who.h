// Who asks, as status and the log are to name him: whoever logged in, not only whom he became.
#pragma once

#include "controller/core/intent.h"

#include <sys/types.h>

// "alice (1000)"; where the process that asks is of another user's session, as behind sudo,
// "alice (1000) as root (0)". proc is where to look that up: "/proc". From local files only: a
// directory service that hangs must not hang the loop.
void who_asks(uid_t uid, pid_t pid, const char *proc, char out[INTENT_BY_MAX]);
