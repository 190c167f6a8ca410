// What a process has cost so far: CPU time and memory, as /proc tells it.
#pragma once

#include "tests/lab/lab.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static inline void cost_read(pid_t pid, const char *file, char *out, size_t size)
{
    char path[64];

    snprintf(path, sizeof path, "/proc/%d/%s", pid, file);
    FILE *stream = fopen(path, "re");
    if (stream == NULL) {
        lab_fail("read %s: %s", path, strerror(errno));
    }
    const size_t length = fread(out, 1, size - 1, stream);
    out[length] = '\0';
    fclose(stream);
}

// A line of /proc/PID/status in kB, such as "VmHWM:".
static inline double cost_memory_mib(pid_t pid, const char *key)
{
    char text[8192];

    cost_read(pid, "status", text, sizeof text);
    const char *at = strstr(text, key);
    if (at == NULL) {
        lab_fail("find %s in /proc/%d/status", key, pid);
    }
    return strtod(at + strlen(key), NULL) / 1024;
}

// utime + stime, see proc(5).
static inline double cost_cpu_s(pid_t pid)
{
    char text[1024];
    unsigned long user = 0, system = 0;

    cost_read(pid, "stat", text, sizeof text);
    const char *after_name = strrchr(text, ')');
    if (after_name == NULL ||
        sscanf(after_name + 1, // NOLINT(cert-err34-c)
               " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) != 2) {
        lab_fail("read the CPU time from /proc/%d/stat: \"%s\"", pid, text);
    }
    return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}
