// What popgated costs BIRD while nothing happens: 20 prefixes, announced on 5 sessions and seen to
// be so, with an empty table and with a full one. BIRD's own part is measured while popgated sleeps
// (SIGSTOP) and taken off.
#include "tests/bench/cost.h"
#include "tests/bench/operator.h"
#include "tests/bench/report.h"
#include "tests/lab/pop.h"

#define SERVICES     20
#define SESSIONS     5
#define REST_S       10
#define SETTLE_S     3
#define FULL         1000000
#define WAIT_MS      120000
#define GOAL_PERCENT 2

struct rest {
    struct lab_node *node;
    struct lab_bird *bird;
    struct lab_popgated *popgated;
    struct tap *taps[SESSIONS];
};

static void pause_s(unsigned seconds)
{
    (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &(struct timespec){.tv_sec = seconds}, NULL);
}

// ---- The lab

static struct rest make_lab(void)
{
    static char names[SESSIONS][LAB_NAME_MAX], local[SESSIONS][16], remote[SESSIONS][16];
    char config[LAB_CONFIG_MAX];
    struct rest rest = {.node = lab_node("pop")};
    struct lab_router router = {.id = "10.0.0.1", .as = POP_AS};

    for (unsigned i = 0; i < SESSIONS; i++) {
        char ours[32], theirs[32];

        snprintf(names[i], sizeof names[i], "up%u", i);
        snprintf(local[i], sizeof local[i], "10.0.%u.1", i);
        snprintf(remote[i], sizeof remote[i], "10.0.%u.2", i);
        snprintf(ours, sizeof ours, "%s/24", local[i]);
        snprintf(theirs, sizeof theirs, "%s/24", remote[i]);
        struct lab_node *upstream = lab_node(names[i]);
        lab_link(rest.node, ours, upstream, theirs);
        rest.taps[i] = tap_start(upstream, &(struct tap_options){.local = remote[i],
                                                                 .peer = local[i],
                                                                 .as = UPSTREAM_AS + i,
                                                                 .router_as = POP_AS});
        router.neighbors[i] = (struct lab_neighbor){.name = names[i],
                                                    .local = local[i],
                                                    .remote = remote[i],
                                                    .as = UPSTREAM_AS + i,
                                                    .passive = true};
    }
    rest.bird = lab_bird_start(rest.node, lab_router_config(rest.node, &router, config));
    for (unsigned i = 0; i < SESSIONS; i++) {
        LAB_WAIT(tap_established(rest.taps[i]), "the sessions", WAIT_MS);
    }
    return rest;
}

static void run_popgated(struct rest *rest)
{
    char config[LAB_CONFIG_MAX], sections[8192];
    FILE *out = fmemopen(sections, sizeof sections, "w");

    (void)lab_tcp_server_start(rest->node, "127.0.0.1", 8080, LAB_TCP_SILENT, NULL);
    fprintf(out, "min_sessions = %u\n[probe web]\ntype = tcp\ntarget = 127.0.0.1:8080\n", SESSIONS);
    for (unsigned i = 0; i < SERVICES; i++) {
        fprintf(out, "[service s%u]\nprefixes = 192.0.2.%u/32\nrequire = web\n", i, i);
    }
    fclose(out);
    rest->popgated = lab_popgated_start(
        rest->node, lab_popgated_config(rest->node, rest->bird, POP_AS, sections, config));
}

static bool all_is_announced(const struct rest *rest)
{
    for (unsigned i = 0; i < SESSIONS; i++) {
        if (tap_route_count(rest->taps[i]) != SERVICES) {
            return false;
        }
    }
    return true;
}

static void fill_table(const struct rest *rest)
{
    tap_feed(rest->taps[0], FULL);
    LAB_WAIT(tap_flushed(rest->taps[0]), "the full table to be written", WAIT_MS);
    LAB_WAIT(lab_bird_imported(rest->bird, "up0") == FULL, "BIRD to have the full table", WAIT_MS);
}

// ---- What it costs

static double bird_percent(const struct rest *rest)
{
    pid_t pid = lab_pid(lab_bird_process(rest->bird));
    double before_s = cost_runtime_s(pid);
    uint64_t begin_ns = lab_now_ns();

    pause_s(REST_S);
    return 100 * (cost_runtime_s(pid) - before_s) /
           ((double)(lab_now_ns() - begin_ns) / (NS_PER_MS * 1000));
}

static void measure(const struct rest *rest, const struct report *report, const char *what)
{
    LAB_WAIT(all_is_announced(rest), "every prefix to be announced on every session", WAIT_MS);
    LAB_WAIT(LAB_POPGATE(rest->node, NULL, "check") == 0, "popgated to see all of it", WAIT_MS);
    pause_s(SETTLE_S);
    double with = bird_percent(rest);
    lab_stop(lab_popgated_process(rest->popgated));
    double without = bird_percent(rest);
    lab_cont(lab_popgated_process(rest->popgated));
    report_value(report, what, "% of a core", with - without, GOAL_PERCENT);
}

int main(int argc, char **argv)
{
    const char *json_path = json_path_of(argc, argv);

    lab_init();
    struct rest rest = make_lab();
    struct report report =
        report_begin("20 services announced on 5 sessions, nothing happens", json_path, rest.node);
    run_popgated(&rest);
    measure(&rest, &report, "CPU of BIRD for popgated, empty table");
    fill_table(&rest);
    measure(&rest, &report, "CPU of BIRD for popgated, 1,000,000 routes");
    report_end(&report);
    lab_clear();
    return 0;
}
