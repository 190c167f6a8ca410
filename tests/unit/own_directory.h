// Files that a test makes, readable by us only, in a directory of its own.
#pragma once

#include "tests/test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static char directory[] = "/tmp/popgate-test-XXXXXX"; // for mkdtemp()

// Good for seven more calls.
static inline char *path_of(const char *name)
{
    static char paths[8][128];
    static unsigned next;
    char *out = paths[next++ % 8];
    snprintf(out, sizeof paths[0], "%s/%s", directory, name);
    return out;
}

static inline FILE *create(const char *name)
{
    int fd = open(path_of(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    FILE *file = fdopen(fd, "w");
    assert_non_null(file);
    return file;
}
