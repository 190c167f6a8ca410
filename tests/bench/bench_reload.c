// 2,000 services, 4,000 probes and 10,000 [answer]s: how long a withdrawal takes that is asked for
// while such a configuration is being reloaded, beside one at rest; and the loop's longest turn
// meanwhile.
//
// Each reload changes every second probe and what every second answer says, so that two thousand
// probes end and two thousand begin; what BIRD reads stays as it is. The withdrawals come at all
// moments of a reload: while the worker reads the file, when the loop swaps, and while probes end.
#include "tests/bench/cost.h"
#include "tests/bench/operator.h"
#include "tests/bench/report.h"
#include "tests/lab/pop.h"

#include <signal.h>

#define SERVICES    2000
#define ANSWERS     10000
#define TRIES       100
#define RELOADS     5 // whole ones, to know how long one takes
#define RESTS       3
#define REST_S      11
#define WAIT_MS     60000
#define PORT        8000
#define TARGETS     4
#define ROUTER      "127.0.0.1" // the probes' targets are on the router itself
#define CANARY      "s1000"
#define CANARY_V4   "100.64.3.232/32"
#define GOAL_MORE   2.0 // ms that a withdrawal in mid-reload may take longer
#define CANARY_JSON "\"services\":[\"" CANARY "\"]"

struct lab {
    struct pop pop;
    char *configs[2];
    unsigned turn;    // which of both is next
    double reload_ms; // one takes so long
    struct samples rest, middle, whole, longest, longest_at_rest;
};

// ---- Configuration

static void write_service(FILE *out, unsigned number, unsigned timeout_ms)
{
    fprintf(out,
            "[probe a%u]\ntype = tcp\ntarget = " ROUTER ":%u\n"
            "[probe b%u]\ntype = tcp\ntarget = " ROUTER ":%u\ntimeout = %ums\n"
            "[service s%u]\nprefixes = 100.64.%u.%u/32\nrequire = a%u b%u\nhold_down = 0ms\n"
            "last_pop_guard = off\n",
            number, PORT + number % TARGETS, number, PORT + number % TARGETS, timeout_ms, number,
            number >> 8, number & 0xff, number, number);
}

static char *make_config(const struct pop *pop, unsigned variant)
{
    char head[LAB_CONFIG_MAX];
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);

    fputs(lab_popgated_config(pop->node, pop->bird, POP_AS, "", head), out);
    fprintf(out, "[responder]\nlisten = " ROUTER ":5300\nzone = pop.example.net\n"
                 "ns = ns.example.net\n"
                 "[defaults]\ninterval = 20s\nfast_interval = 2s\ntimeout = 5s\nrise = 1\n"
                 "fall = 1\nwatch = off\n");
    for (unsigned i = 0; i < SERVICES; i++) {
        write_service(out, i, 5000 + variant);
    }
    for (unsigned i = 0; i < ANSWERS; i++) {
        fprintf(out,
                "[answer name%u.pop.example.net]\nservice = s%u\na = 192.0.2.%u\n"
                "a.withdrawn = 198.51.100.1\n",
                i, i % SERVICES, i % 2 * variant + 1);
    }
    fclose(out);
    return text;
}

// ---- Reloads

static size_t reloads(const struct lab *lab)
{
    return lab_popgated_notified(lab->pop.popgated, "READY=1");
}

// Writes the other configuration, and sends the signal; returns when.
static uint64_t begin_reload(struct lab *lab)
{
    lab_write(lab->pop.node, "popgate.conf", lab->configs[++lab->turn % 2]);
    uint64_t now_ns = lab_now_ns();

    lab_signal(lab_popgated_process(lab->pop.popgated), SIGHUP);
    return now_ns;
}

// Until popgated has freed the old things, too, and is at rest.
static void wait_till_over(struct lab *lab, size_t before)
{
    LAB_WAIT(reloads(lab) > before, "the reload to end", WAIT_MS);
    (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &(struct timespec){.tv_nsec = 300000000}, NULL);
}

// What popgated says of one service: a small answer, which takes the loop no time.
static json_t *ask_canary(const struct lab *lab)
{
    return api_ask(lab->pop.node, "GET", "/v1/services/" CANARY, "", NULL);
}

static void sample_longest_turn(const struct lab *lab, const char *which, struct samples *samples)
{
    json_t *answer = ask_canary(lab);
    const json_t *us = json_object_get(json_object_get(answer, "loop"), which);

    sample(samples, (double)json_integer_value(us) / 1000);
    json_decref(answer);
}

// For as long as popgated remembers turns.
static void measure_turns_at_rest(struct lab *lab)
{
    (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &(struct timespec){.tv_sec = REST_S}, NULL);
    sample_longest_turn(lab, "longest_turn_in_10s_us", &lab->longest_at_rest);
}

static void try_whole_reload(struct lab *lab)
{
    size_t before = reloads(lab);
    uint64_t begin_ns = begin_reload(lab);

    while (reloads(lab) == before) {
        (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &(struct timespec){.tv_nsec = 200000}, NULL);
    }
    sample_ns(&lab->whole, begin_ns, lab_now_ns());
    wait_till_over(lab, before);
    sample_longest_turn(lab, "longest_turn_in_reload_us", &lab->longest);
}

// ---- Withdrawals

static bool canary_seen(const struct lab *lab)
{
    json_t *answer = ask_canary(lab);
    bool seen = json_is_true(json_object_get(json_object_get(answer, "service"), "seen"));

    json_decref(answer);
    return seen;
}

static void wait_till_announced(const struct lab *lab)
{
    LAB_WAIT(tap_has(lab->pop.tap, CANARY_V4), "the prefix to be announced", WAIT_MS);
    LAB_WAIT(canary_seen(lab), "popgated to see it", WAIT_MS);
}

static void withdraw(const struct lab *lab, struct samples *samples)
{
    uint64_t asked_ns = api_change(lab->pop.node, "isolate", CANARY_JSON);

    LAB_WAIT(!tap_has(lab->pop.tap, CANARY_V4), "the prefix to be withdrawn", WAIT_MS);
    sample_ns(samples, asked_ns, tap_withdrawn_at_ns(lab->pop.tap, CANARY_V4));
}

static void announce(const struct lab *lab)
{
    api_change(lab->pop.node, "release", CANARY_JSON);
    wait_till_announced(lab);
}

static void try_at_rest(struct lab *lab)
{
    withdraw(lab, &lab->rest);
    announce(lab);
}

// part: of the time that a reload takes.
static void try_in_the_middle(struct lab *lab, double part)
{
    size_t before = reloads(lab);
    long pause_ns = (long)(part * lab->reload_ms * NS_PER_MS);

    begin_reload(lab);
    (void)clock_nanosleep(
        CLOCK_MONOTONIC, 0,
        &(struct timespec){.tv_sec = pause_ns / 1000000000, .tv_nsec = pause_ns % 1000000000},
        NULL);
    withdraw(lab, &lab->middle);
    wait_till_over(lab, before);
    sample_longest_turn(lab, "longest_turn_in_reload_us", &lab->longest);
    announce(lab);
}

// ---- The whole

static void make_lab(struct lab *lab)
{
    lab->pop = pop_make(&(struct pop_options){.bare = true});
    for (uint16_t i = 0; i < TARGETS; i++) {
        (void)lab_tcp_server_start(lab->pop.node, ROUTER, (uint16_t)(PORT + i), LAB_TCP_CLOSE,
                                   NULL);
    }
    lab->configs[0] = make_config(&lab->pop, 0);
    lab->configs[1] = make_config(&lab->pop, 1);
    lab->pop.popgated = lab_popgated_start(lab->pop.node, lab->configs[0]);
    LAB_WAIT(tap_route_count(lab->pop.tap) == SERVICES, "every prefix to be announced", WAIT_MS);
    wait_till_announced(lab);
    LAB_WAIT(pop_says(&lab->pop, "services s1999 seen", "true"), "popgated to see every prefix",
             WAIT_MS);
}

int main(int argc, char **argv)
{
    const char *json_path = json_path_of(argc, argv);
    static struct lab lab;

    lab_init();
    make_lab(&lab);
    struct report report = report_begin("A reload of 2,000 services, 4,000 probes, 10,000 answers",
                                        json_path, lab.pop.node);
    for (int i = 0; i < RESTS; i++) {
        measure_turns_at_rest(&lab);
    }
    for (int i = 0; i < RELOADS; i++) {
        try_whole_reload(&lab);
    }
    struct samples whole = lab.whole;
    qsort(whole.values, whole.count, sizeof(double), compare_values);
    lab.reload_ms = median(&whole);
    for (int i = 0; i < TRIES; i++) {
        try_at_rest(&lab);
        try_in_the_middle(&lab, (double)i / TRIES);
    }
    report_row(&report, &(struct row){.what = "isolate in mid-reload: request to withdrawal",
                                      .samples = &lab.middle,
                                      .beside = "at rest",
                                      .peer = &lab.rest});
    report_value(&report, "the same: more than at rest, median", "ms",
                 median(&lab.middle) - median(&lab.rest), GOAL_MORE);
    report_value(&report, "the same: more than at rest, p99", "ms",
                 quantile(&lab.middle, 0.99) - quantile(&lab.rest, 0.99), 0);
    report_row(&report, &(struct row){.what = "longest turn of the loop in a reload",
                                      .samples = &lab.longest,
                                      .beside = "in 10 s at rest",
                                      .peer = &lab.longest_at_rest});
    report_row(&report, &(struct row){.what = "SIGHUP until the new configuration is in use",
                                      .samples = &lab.whole});
    report_value(&report, "memory at most (VmHWM)", "MiB",
                 cost_memory_mib(lab_pid(lab_popgated_process(lab.pop.popgated)), "VmHWM:"), 0);
    report_end(&report);
    free(lab.configs[0]);
    free(lab.configs[1]);
    lab_clear();
    return 0;
}
