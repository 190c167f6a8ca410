// Who checks a configuration as root sees more than popgated will.
#pragma once

#include <stdbool.h>

#define AS_USER_MAX 64

// Becomes popgated's user, for good: whom state_dir belongs to or, where there is none yet, the
// user popgate. True, and name tells who that is. False, and name tells nobody, when this is not
// root, or popgated runs as root too, or there is no such user, or the kernel does not let it (a
// container that knows no others).
bool as_user_become(const char *state_dir, char name[AS_USER_MAX]);
