// What a process has cost so far: CPU time and memory, as /proc tells it.
#pragma once

#include "tests/lab/lab.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static inline void cost_read(pid_t pid, const char *file, char *out, size_t size)
{
    char path[128];

    snprintf(path, sizeof path, "/proc/%d/%s", pid, file);
    FILE *stream = fopen(path, "re");
    if (stream == NULL) {
        lab_fail("read %s: %s", path, strerror(errno));
    }
    size_t length = fread(out, 1, size - 1, stream);
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

// In s: what the process's threads, as many as there are now, have run on a CPU, to the nanosecond.
static inline double cost_runtime_s(pid_t pid)
{
    char path[64];
    const struct dirent *entry;
    double sum_ns = 0;

    snprintf(path, sizeof path, "/proc/%d/task", pid);
    DIR *tasks = opendir(path);
    while (tasks != NULL && (entry = readdir(tasks)) != NULL) {
        if (entry->d_name[0] != '.') {
            char file[64], text[128];

            snprintf(file, sizeof file, "task/%.20s/schedstat", entry->d_name);
            cost_read(pid, file, text, sizeof text);
            sum_ns += strtod(text, NULL);
        }
    }
    if (tasks == NULL) {
        lab_fail("read %s", path);
    }
    closedir(tasks);
    return sum_ns / 1e9;
}
