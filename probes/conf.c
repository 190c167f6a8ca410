// What all probes have in common in the configuration.
#include "probes/conf.h"

#include "base/clock.h"
#include "probes/secret.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define FIELD(member) .offset = offsetof(struct probe_conf, member)

#define FAST_INTERVAL_MS 100 // as below

const struct key probe_common_keys[] = {
    {.name = "target", .kind = KEY_ENDPOINT, FIELD(target)},
    {.name = "source", .kind = KEY_ADDRESS, FIELD(source)},
    {.name = "interval",
     .kind = KEY_DURATION,
     FIELD(interval_ms),
     .min = 10,
     .max = MS_PER_DAY,
     .fallback = "1s"},
    {.name = "fast_interval",
     .kind = KEY_DURATION,
     FIELD(fast_interval_ms),
     .min = 10,
     .max = MS_PER_DAY,
     .fallback = "100ms"},
    {.name = "timeout",
     .kind = KEY_DURATION,
     FIELD(timeout_ms),
     .min = 1,
     .max = MS_PER_HOUR,
     .fallback = "500ms"},
    // 0: a tenth of the interval.
    {.name = "jitter",
     .kind = KEY_DURATION,
     FIELD(jitter_ms),
     .max = MS_PER_HOUR,
     .fallback = "0ms"},
    // 0: any.
    {.name = "max_latency",
     .kind = KEY_DURATION,
     FIELD(max_latency_ms),
     .max = MS_PER_HOUR,
     .fallback = "0ms"},
    {.name = "rise", .kind = KEY_UINT, FIELD(rise), .min = 1, .max = 1000, .fallback = "2"},
    {.name = "fall", .kind = KEY_UINT, FIELD(fall), .min = 1, .max = 1000, .fallback = "3"},
    {.name = "unknown_grace",
     .kind = KEY_DURATION,
     FIELD(unknown_grace_ms),
     .max = MS_PER_DAY,
     .fallback = "30s"},
    {.name = "watch", .kind = KEY_BOOL, FIELD(watch), .fallback = "auto"},
    {.name = "crash_grace",
     .kind = KEY_DURATION,
     FIELD(crash_grace_ms),
     .max = MS_PER_HOUR,
     .fallback = "0ms"},
    KEY_END,
};

void probe_problem(const struct probe_problems *problems, bool error, const char *format, ...)
{
    char text[ERROR_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    problems->say(problems->arg, error, text);
}

// If there is one at all.
static bool is_absolute(const struct probe_problems *problems, const char *key, const char *path)
{
    if (path[0] && path[0] != '/') {
        probe_problem(problems, true, "%s \"%.80s\" must be an absolute path", key, path);
    }
    return path[0] == '/';
}

void probe_check_file(const struct probe_problems *problems, const char *key, const char *path)
{
    if (is_absolute(problems, key, path) && access(path, R_OK) != 0) {
        probe_problem(problems, false, "%s %.160s: %s", key, path, strerror(errno));
    }
}

void probe_check_secret(const struct probe_problems *problems, const char *key, const char *path)
{
    char why[ERROR_MAX];
    struct secret secret = {.text = NULL};
    if (is_absolute(problems, key, path) && secret_load(&secret, path, why) != 0) {
        probe_problem(problems, false, "%s %.200s", key, why);
    }
    secret_drop(&secret);
}

void probe_check(const struct probe_conf *conf, const struct probe_problems *problems)
{
    const struct {
        bool wrong, error;
        const char *text;
    } cases[] = {
        {conf->type->needs_target && conf->target.length == 0, true, "target is missing"},
        {conf->source.length > 0 && conf->target.length > 0 &&
             conf->source.address.ss_family != conf->target.address.ss_family,
         true, "source and target must both be IPv4 or both IPv6"},
        {conf->jitter_ms > conf->interval_ms, true, "jitter is longer than interval"},
        {conf->max_latency_ms >= conf->timeout_ms, true,
         "max_latency must be shorter than timeout"},
        {conf->timeout_ms / 10 > conf->interval_ms, false,
         "timeout is more than ten times interval: a hang is noticed when timeout has passed "
         "`fall` "
         "times over, however short interval is"},
        {conf->fast_interval_ms > conf->interval_ms && conf->fast_interval_ms > FAST_INTERVAL_MS,
         false, "fast_interval is longer than interval, which counts then"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (cases[i].wrong) {
            probe_problem(problems, cases[i].error, "%s", cases[i].text);
        }
    }
    if (conf->type->check != NULL) {
        conf->type->check(conf, problems);
    }
}

unsigned probe_watch_tcp(const struct probe_conf *conf)
{
    (void)conf;
    return PROBE_WATCH_TCP;
}
