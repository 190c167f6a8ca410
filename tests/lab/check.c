// See check.h.
#include "tests/lab/check.h"

#include "controller/config/load.h"
#include "probes/scheduler.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX 8192

struct run {
    struct lab_node *node;
    uv_loop_t loop;
    struct scheduler *scheduler;
    size_t count, wanted;
    void (*before)(void *arg, size_t i);
    void *arg;
    struct verdict *out;
};

static void on_problem(void *arg, bool error, const char *line)
{
    (void)arg;
    if (error) {
        print_error("%s\n", line);
    }
}

static struct config *parse(const char *keys)
{
    char text[TEXT_MAX];
    const char *timeout = strstr(keys, "timeout =") ? "" : "timeout = 20s\n";

    if ((size_t)snprintf(text, sizeof text,
                         "[pop]\nid = " LAB_CHECK_ID "\nregion = " LAB_CHECK_REGION "\n"
                         "[bird]\nlocal_as = 64512\n"
                         "[probe tried]\n%s%s\n"
                         "[service tried]\nprefixes = 192.0.2.53/32\nrequire = tried\n",
                         timeout, keys) >= sizeof text) {
        lab_fail("check: the keys are too long");
    }
    struct config *config = config_parse("check", text, on_problem, NULL);

    if (config == NULL) {
        lab_fail("check: the keys are wrong:\n%s", keys);
    }
    return config;
}

static void on_verdict(void *arg, size_t index, const struct verdict *verdict)
{
    struct run *run = arg;

    (void)index;
    if (run->count == run->wanted) {
        return;
    }
    run->out[run->count++] = *verdict;
    if (run->count == run->wanted) {
        uv_stop(&run->loop);
    } else if (run->before != NULL) {
        lab_leave(); // as it is for the first, so that it may make sockets elsewhere
        run->before(run->arg, run->count);
        lab_enter(run->node);
    }
}

void lab_check_times(struct lab_node *node, const char *keys, size_t count,
                     void (*before)(void *arg, size_t i), void *arg, struct verdict *out)
{
    struct config *config = parse(keys);
    struct run run = {.node = node, .wanted = count, .before = before, .arg = arg, .out = out};
    const struct probe_conf *probe = &config->probes[0];

    config->probes[0].interval_ms = count > 1 ? 10 : 3600000;
    if (before != NULL) {
        before(arg, 0);
    }
    lab_enter(node);
    if (uv_loop_init(&run.loop) != 0 ||
        (run.scheduler = scheduler_new(&run.loop, on_verdict, &run)) == NULL ||
        scheduler_apply(run.scheduler, &probe, 1) != 0) {
        lab_fail("check: can't set up a scheduler");
    }
    uv_run(&run.loop, UV_RUN_DEFAULT);
    scheduler_close(run.scheduler, NULL, NULL);
    uv_run(&run.loop, UV_RUN_DEFAULT);
    if (uv_loop_close(&run.loop) != 0) {
        lab_fail("check: the probe left a handle open:\n%s", keys);
    }
    lab_leave();
    config_free(config);
}

struct verdict lab_check(struct lab_node *node, const char *keys)
{
    struct verdict verdict;

    lab_check_times(node, keys, 1, NULL, NULL, &verdict);
    return verdict;
}

void lab_assert_verdict(const struct verdict *verdict, enum verdict_kind kind, const char *code,
                        const char *cause_part)
{
    if (verdict->kind != kind || strcmp(verdict->code, code) != 0 ||
        strstr(verdict->cause, cause_part) == NULL) {
        lab_fail("%s (%s): %s\n  expected %s (%s) with \"%s\"", verdict_name(verdict->kind),
                 verdict->code, verdict->cause, verdict_name(kind), code, cause_part);
    }
}
