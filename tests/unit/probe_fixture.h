// Runs one probe against servers of the test's own, on one loop, until it has said its verdicts.
#pragma once

#include "probes/scheduler.h"

#include "tests/test.h"
#include "tests/unit/first_error.h"
#include "tests/unit/free_port.h"
#include "tests/unit/guard.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FIXTURE_VERDICTS 8

struct fixture {
    uv_loop_t loop;
    struct scheduler *scheduler;
    struct probe_conf conf;
    struct verdict verdicts[FIXTURE_VERDICTS];
    size_t count, wanted;
};

static inline void fixture_set(struct fixture *fixture, const char *name, const char *value)
{
    char error[ERROR_MAX];
    const struct key *key = key_find(probe_common_keys, name);
    void *section = &fixture->conf;
    if (key == NULL) {
        key = key_find(fixture->conf.type->keys, name);
        section = fixture->conf.options;
    }
    assert_non_null(key);
    if (key_set(key, value, section, error) < 0) {
        fail_msg("%s = %s: %s", name, value, error);
    }
}

// A probe of the type with its defaults, but for a timeout that no slow machine will see, and
// without the crash watch: the servers here talk to one client at a time.
static inline void fixture_open(struct fixture *fixture, const char *type)
{
    guard_begin();
    memset(fixture, 0, sizeof *fixture);
    assert_int_equal(uv_loop_init(&fixture->loop), 0);
    fixture->conf.type = probe_type_find(type);
    assert_non_null(fixture->conf.type);
    fixture->conf.options = calloc(1, fixture->conf.type->options_size);
    assert_non_null(fixture->conf.options);
    snprintf(fixture->conf.name, sizeof fixture->conf.name, "probe");
    key_set_fallbacks(probe_common_keys, &fixture->conf);
    key_set_fallbacks(fixture->conf.type->keys, fixture->conf.options);
    fixture_set(fixture, "timeout", "20s");
    fixture_set(fixture, "watch", "off");
}

static inline void fixture_target(struct fixture *fixture, const char *address, unsigned port)
{
    char target[ENDPOINT_TEXT_MAX];
    snprintf(target, sizeof target, strchr(address, ':') != NULL ? "[%s]:%u" : "%s:%u", address,
             port);
    fixture_set(fixture, "target", target);
}

static inline void fixture_on_verdict(void *arg, size_t index, const struct verdict *verdict)
{
    struct fixture *fixture = arg;
    assert_int_equal(index, 0);
    if (fixture->count < FIXTURE_VERDICTS) {
        fixture->verdicts[fixture->count] = *verdict;
    }
    if (++fixture->count == fixture->wanted) {
        uv_stop(&fixture->loop);
    }
}

// Runs the probe until it has said so many verdicts, and closes it. Returns the last one.
static inline const struct verdict *fixture_run(struct fixture *fixture, size_t verdicts)
{
    const struct probe_conf *conf = &fixture->conf;
    char error[ERROR_MAX];
    fixture->conf.interval_ms = verdicts > 1 ? 10 : 3600000; // no check more than wanted
    if (first_error(conf, error) < 0) {
        fail_msg("%s", error);
    }
    fixture->count = 0;
    fixture->wanted = verdicts;
    fixture->scheduler = scheduler_new(&fixture->loop, fixture_on_verdict, fixture);
    assert_non_null(fixture->scheduler);
    assert_int_equal(scheduler_apply(fixture->scheduler, &conf, 1), 0);
    guard_awaits("the probe's verdicts");
    uv_run(&fixture->loop, UV_RUN_DEFAULT);
    guard_awaits("its end");
    scheduler_close(fixture->scheduler, NULL, NULL);
    // The servers see the end of their connections, and are ready for the next.
    for (int turn = 0; turn < 4; turn++) {
        uv_run(&fixture->loop, UV_RUN_NOWAIT);
    }
    return &fixture->verdicts[verdicts - 1];
}

// The test's own handles are closing by now. Nothing may be left open then.
static inline void fixture_close(struct fixture *fixture)
{
    uv_run(&fixture->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&fixture->loop), 0);
    free(fixture->conf.options);
}

static inline void assert_verdict(const struct verdict *verdict, enum verdict_kind kind,
                                  const char *code, const char *cause_part)
{
    if (verdict->kind != kind || strcmp(verdict->code, code) != 0 ||
        strstr(verdict->cause, cause_part) == NULL) {
        fail_msg("%s (%s): %s\n  expected %s (%s) with \"%s\"", verdict_name(verdict->kind),
                 verdict->code, verdict->cause, verdict_name(kind), code, cause_part);
    }
}

// Leaves the process without descriptors until the returned limit is given back.
#include <sys/resource.h>
static inline struct rlimit take_descriptors(void)
{
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    struct rlimit none = {.rlim_cur = 0, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    return before;
}

static inline void give_descriptors_back(struct rlimit before)
{
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}
