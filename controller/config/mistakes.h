// What is wrong with a configuration file: collected while it is read, told in the file's order.
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#define MISTAKE_MAX 512

struct mistake {
    unsigned line; // 0: of the file as a whole
    bool error;    // or a warning
    size_t number; // as found, so that order within a line is kept
    char *text;
};

// Zero it to begin.
struct mistakes {
    struct mistake *items;
    size_t count;
    size_t errors;
};

__attribute__((format(printf, 3, 4))) void mistake_error(struct mistakes *mistakes, unsigned line,
                                                         const char *format, ...);
__attribute__((format(printf, 3, 4))) void mistake_warning(struct mistakes *mistakes, unsigned line,
                                                           const char *format, ...);

// Hands each one to tell as "file:line: text", sorted by line; frees them all.
void mistakes_tell(struct mistakes *mistakes, const char *file,
                   void (*tell)(void *arg, bool error, const char *line), void *arg);
