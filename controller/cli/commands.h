// What popgate's verbs do. Each gets its name as verb.
#pragma once

#include "controller/cli/client.h"
#include "controller/cli/options.h"

#include <time.h>

// ---- Looking

enum exit_status do_status(const struct options *options, const char *verb);
enum exit_status do_explain(const struct options *options, const char *verb);
enum exit_status do_probes(const struct options *options, const char *verb);
enum exit_status do_events(const struct options *options, const char *verb);
enum exit_status do_check(const struct options *options, const char *verb); // has its own statuses

// ---- Changing

enum exit_status do_change(const struct options *options, const char *verb); // each of base/verbs.h
enum exit_status do_reload(const struct options *options, const char *verb);

static inline bool is_given(const struct options *options, unsigned option)
{
    return options->values[option] != NULL;
}

static inline void pause_ms(uint64_t ms)
{
    struct timespec time = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};
    nanosleep(&time, NULL);
}
