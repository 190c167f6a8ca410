// 1,000 services with 10,000 prefixes: how long it takes until the last one is withdrawn, beside
// one command typed by hand that does the same; and what popgated costs while nothing happens.
//
// Each service needs a TCP probe of its own (every second), with a target of its own that holds
// connections, as real servers do; and one that all share (every 100 ms), whose target holds none.
// popgated sleeps (SIGSTOP) while the command typed by hand is measured, and else would announce
// everything again at once.
#include "tests/bench/cost.h"
#include "tests/bench/operator.h"
#include "tests/bench/report.h"
#include "tests/lab/pop.h"

#define SERVICES         1000
#define PREFIXES         10 // of each
#define ROUTES           ((size_t)SERVICES * PREFIXES)
#define TRIES            15
#define CRASHES          5 // of all targets of the services' own probes
#define DRIFTS           20
#define IDLE_S           20
#define WAIT_MS          300000 // BIRD 3, on a busy machine, shows 10,000 prefixes within minutes
#define MEMORY_GOAL_MIB  32
#define CPU_GOAL_PERCENT 10
#define OWN_GOAL_MS      100
#define DRIFT_GOAL_MS    50
#define OWN_PORT         8000
#define SHARED_PORT      8001
#define BY_HAND          "disable \"popgate_*\"\n"
#define EVERYTHING       "\"all\":true"
#define ONE              "\"services\":[\"s0\"]"
#define OF_ONE           "100.64.0.0/32"
#define ROUTER           "127.0.0.1" // the probes' targets are on the router itself

struct lab {
    struct pop pop;
    struct lab_tcp_server *own, *shared;
    int hand;
};

// ---- Configuration

static void write_service(FILE *out, unsigned number)
{
    fprintf(out,
            "[probe own%u]\ntype = tcp\ntarget = 127.1.%u.%u:%u\ninterval = 1s\n"
            "fast_interval = 100ms\nrise = 1\nfall = 1\n"
            "[service s%u]\nrequire = own%u shared\nhold_down = 0ms\nlast_pop_guard = off\n"
            "prefixes =",
            number, number >> 8, number & 0xff, OWN_PORT, number, number);
    for (unsigned i = 0; i < PREFIXES; i++) {
        unsigned host = number * PREFIXES + i; // in 100.64.0.0/10

        fprintf(out, " 100.64.%u.%u/32", host >> 8, host & 0xff);
    }
    fprintf(out, "\n");
}

static char *make_config(const struct pop *pop)
{
    char head[LAB_CONFIG_MAX];
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);

    fputs(lab_popgated_config(pop->node, pop->bird, POP_AS, "", head), out);
    fprintf(out,
            "[probe shared]\ntype = tcp\ntarget = " ROUTER ":%u\ninterval = 100ms\n"
            "fast_interval = 50ms\nrise = 1\nfall = 1\n",
            SHARED_PORT);
    for (unsigned i = 0; i < SERVICES; i++) {
        write_service(out, i);
    }
    fclose(out);
    return text;
}

// ---- Withdrawing everything
// ------------------------------------------------------------------------

static void wait_till_announced(const struct lab *lab)
{
    LAB_WAIT(tap_route_count(lab->pop.tap) == ROUTES, "every prefix to be announced", WAIT_MS);
    // The next try must not find popgated, or BIRD, still busy with this one.
    lab_barrier(lab->pop.bird, lab->pop.tap);
    LAB_WAIT(pop_says(&lab->pop, "services s999 seen", "true") &&
                 pop_says(&lab->pop, "services s0 seen", "true"),
             "popgated to see every prefix", WAIT_MS);
}

// When the first and the last prefix went, of all that did since mark.
struct span {
    uint64_t first_ns, last_ns;
};

static struct span wait_till_withdrawn(const struct lab *lab, size_t mark)
{
    struct tap_event event;
    struct span span;

    LAB_WAIT(tap_route_count(lab->pop.tap) == 0, "every prefix to be withdrawn", WAIT_MS);
    size_t end = tap_event_count(lab->pop.tap);
    if (end - mark != ROUTES) {
        lab_fail("withdraw %zu prefixes: the neighbour was told of %zu changes", ROUTES,
                 end - mark);
    }
    (void)tap_events(lab->pop.tap, mark, NULL, &event, 1);
    span.first_ns = event.ns;
    (void)tap_events(lab->pop.tap, end - 1, NULL, &event, 1);
    span.last_ns = event.ns;
    return span;
}

static void try_by_hand(const struct lab *lab, struct samples *first, struct samples *last)
{
    struct lab_process *popgated = lab_popgated_process(lab->pop.popgated);

    lab_stop(popgated);
    size_t mark = tap_event_count(lab->pop.tap);
    uint64_t typed_ns = hand_type(lab->hand, BY_HAND);
    struct span span = wait_till_withdrawn(lab, mark);

    hand_read_reply(lab->hand);
    sample_ns(first, typed_ns, span.first_ns);
    sample_ns(last, typed_ns, span.last_ns);
    lab_cont(popgated);
    wait_till_announced(lab);
}

static void try_shared_probe(const struct lab *lab, struct samples *first, struct samples *last)
{
    const json_int_t event = api_next_event(lab->pop.node);
    size_t mark = tap_event_count(lab->pop.tap);

    lab_tcp_server_crash(lab->shared);
    struct span span = wait_till_withdrawn(lab, mark);
    uint64_t decided_ns = api_decided_ns(lab->pop.node, event);
    sample_ns(first, decided_ns, span.first_ns);
    sample_ns(last, decided_ns, span.last_ns);
    lab_tcp_server_recover(lab->shared);
    wait_till_announced(lab);
}

static void try_isolate_all(const struct lab *lab, struct samples *last)
{
    size_t mark = tap_event_count(lab->pop.tap);
    uint64_t requested_ns = api_change(lab->pop.node, "isolate", EVERYTHING);

    sample_ns(last, requested_ns, wait_till_withdrawn(lab, mark).last_ns);
    api_change(lab->pop.node, "release", EVERYTHING);
    wait_till_announced(lab);
}

// Each probe's crash watch holds a connection, by whose end it learns of the crash.
static void try_own_probes(const struct lab *lab, struct samples *first, struct samples *last)
{
    LAB_WAIT(lab_tcp_server_held(lab->own) >= SERVICES, "every crash watch to hold a connection",
             WAIT_MS);
    size_t mark = tap_event_count(lab->pop.tap);
    uint64_t killed_ns = lab_now_ns();

    lab_tcp_server_crash(lab->own);
    struct span span = wait_till_withdrawn(lab, mark);
    sample_ns(first, killed_ns, span.first_ns);
    sample_ns(last, killed_ns, span.last_ns);
    lab_tcp_server_recover(lab->own);
    wait_till_announced(lab);
}

// It is isolated, and somebody switches it on at BIRD: how long is it on the air? Nothing, if BIRD
// was quicker to withdraw it than to announce it.
static void try_drift(const struct lab *lab, struct samples *on_air)
{
    struct tap_event events[2];
    size_t mark = tap_event_count(lab->pop.tap);

    (void)lab_birdc(lab->pop.bird, "enable popgate_s0_v4");
    (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &(struct timespec){.tv_nsec = 700000000}, NULL);
    lab_barrier(lab->pop.bird, lab->pop.tap);
    if (tap_has(lab->pop.tap, OF_ONE)) {
        lab_fail("isolated, and announced for 0.7 s");
    }
    if (tap_events(lab->pop.tap, mark, OF_ONE, events, 2) == 2) {
        sample_ns(on_air, events[0].ns, events[1].ns);
    } else {
        sample(on_air, 0);
    }
}

static void try_drifts(const struct lab *lab, struct samples *on_air)
{
    api_change(lab->pop.node, "isolate", ONE);
    LAB_WAIT(!tap_has(lab->pop.tap, OF_ONE), "the isolation", WAIT_MS);
    for (int i = 0; i < DRIFTS; i++) {
        try_drift(lab, on_air);
    }
    api_change(lab->pop.node, "release", ONE);
    wait_till_announced(lab);
}

// ---- What it costs
// ---------------------------------------------------------------------------------

static pid_t pid_of(const struct lab *lab)
{
    return lab_pid(lab_popgated_process(lab->pop.popgated));
}

struct idle {
    double cpu_percent, checks_per_s;
};

// The checks are counted by their target: without them the CPU time would mean nothing.
static struct idle measure_idle(const struct lab *lab)
{
    double before_s = cost_cpu_s(pid_of(lab));
    size_t checks = lab_tcp_server_accepted(lab->own);
    uint64_t begin_ns = lab_now_ns();

    (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &(struct timespec){.tv_sec = IDLE_S}, NULL);
    double elapsed_s = (double)(lab_now_ns() - begin_ns) / (NS_PER_MS * 1000);
    return (struct idle){
        .cpu_percent = 100 * (cost_cpu_s(pid_of(lab)) - before_s) / elapsed_s,
        .checks_per_s = (double)(lab_tcp_server_accepted(lab->own) - checks) / elapsed_s,
    };
}

// ---- The whole
// -------------------------------------------------------------------------------------

static struct lab make_lab(void)
{
    struct lab lab = {.pop = pop_make(&(struct pop_options){0})};

    lab.own = lab_tcp_server_start(lab.pop.node, "0.0.0.0", OWN_PORT, LAB_TCP_SILENT, NULL);
    lab.shared = lab_tcp_server_start(lab.pop.node, ROUTER, SHARED_PORT, LAB_TCP_CLOSE, NULL);
    lab.hand = hand_open(lab.pop.bird);
    char *config = make_config(&lab.pop);
    lab.pop.popgated = lab_popgated_start(lab.pop.node, config);
    free(config);
    wait_till_announced(&lab);
    return lab;
}

int main(int argc, char **argv)
{
    const char *json_path = json_path_of(argc, argv);
    static struct samples hand_first, hand, shared_first, shared, isolate, own_first, own, on_air;

    lab_init();
    struct lab lab = make_lab();
    struct report report =
        report_begin("1,000 services, 10,000 prefixes, 1,001 TCP probes", json_path, lab.pop.node);

    struct idle idle = measure_idle(&lab);
    report_value(&report, "idle: checks, as their target counted them", "checks/s",
                 idle.checks_per_s, 0);
    report_value(&report, "idle: CPU of popgated", "% of a core", idle.cpu_percent,
                 CPU_GOAL_PERCENT);
    for (int i = 0; i < TRIES; i++) {
        try_shared_probe(&lab, &shared_first, &shared);
        try_by_hand(&lab, &hand_first, &hand);
        try_isolate_all(&lab, &isolate);
    }
    try_drifts(&lab, &on_air);
    for (int i = 0; i < CRASHES; i++) {
        try_own_probes(&lab, &own_first, &own);
    }
    report_row(&report, &(struct row){.what = "a shared probe fails: decision to last withdrawal",
                                      .samples = &shared,
                                      .beside = "disable \"popgate_*\" by hand",
                                      .peer = &hand,
                                      .goal = 3});
    report_row(&report, &(struct row){.what = "a shared probe fails: decision to first",
                                      .samples = &shared_first,
                                      .beside = "disable \"popgate_*\" by hand",
                                      .peer = &hand_first});
    report_row(&report, &(struct row){.what = "isolate --all: request to last withdrawal",
                                      .samples = &isolate,
                                      .beside = "disable \"popgate_*\" by hand",
                                      .peer = &hand,
                                      .goal = 3});
    report_row(&report, &(struct row){.what = "1,000 own probes: targets killed to last withdrawal",
                                      .samples = &own,
                                      .goal = OWN_GOAL_MS});
    report_row(&report, &(struct row){.what = "1,000 own probes: targets killed to first",
                                      .samples = &own_first});
    report_row(&report, &(struct row){.what = "isolated, enabled by hand: time on the air",
                                      .samples = &on_air,
                                      .goal = DRIFT_GOAL_MS});
    report_value(&report, "memory now (VmRSS)", "MiB", cost_memory_mib(pid_of(&lab), "VmRSS:"),
                 MEMORY_GOAL_MIB);
    report_value(&report, "memory at most (VmHWM)", "MiB", cost_memory_mib(pid_of(&lab), "VmHWM:"),
                 MEMORY_GOAL_MIB);
    report_end(&report);
    close(lab.hand);
    lab_clear();
    return 0;
}
