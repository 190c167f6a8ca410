// A message about what went wrong: what was attempted, on what, and why it failed, in words that an
// operator can act on. The caller owns its room.
#pragma once

#define ERROR_MAX 256

// Writes the message; what is too long is cut. Returns -1, so that a function can end with it.
__attribute__((format(printf, 2, 3))) int error_say(char error[ERROR_MAX], const char *format, ...);
