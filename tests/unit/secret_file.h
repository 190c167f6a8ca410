// A file with a secret, for probes that name one.
#pragma once

#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char secret_file[] = "/tmp/popgate-test-secret-XXXXXX";

static inline int write_secret(void **state)
{
    (void)state;
    int fd = mkstemp(secret_file); // readable by us only
    if (fd < 0 || write(fd, "s3cret\n", 7) != 7 || close(fd) != 0) {
        perror(secret_file);
        return -1;
    }
    return 0;
}

static inline int remove_secret(void **state)
{
    (void)state;
    unlink(secret_file);
    return 0;
}
