// From popgated's decision to withdraw a prefix to the withdrawal at the neighbour: beside the
// same command typed by hand on BIRD's control socket, with an empty table and with a full one.
//
// By hand it is typed twice: while popgated sleeps (SIGSTOP), which is the bare limit, and while it
// is awake, as on a real router, where BIRD shares the cores with it. For contrast, on the full
// table, a static protocol of master4 itself: what a table of our own spares us.
#include "tests/bench/operator.h"
#include "tests/bench/report.h"
#include "tests/lab/pop.h"

#define TRIES       200
#define TRIES_MAIN  15 // in master4 itself
#define FULL        1000000
#define FEED_MS     120000
#define DNS_ALONE   "\"services\":[\"dns\"]"
#define BY_HAND     "disable \"popgate_dns_v4\"\n"
#define MAIN_STATIC "lab_marker" // of lab_router_config(), in master4
#define MAIN_PREFIX "203.0.113.255/32"

struct tries {
    struct samples decided;   // decision to wire
    struct samples requested; // the operator's request to wire
    struct samples limit;     // typed by hand to wire, popgated stopped
    struct samples awake;     // the same, popgated awake
};

static void wait_till_announced(const struct pop *pop)
{
    LAB_WAIT(tap_has(pop->tap, POP_V4), "the prefix to be announced", POP_WAIT_MS);
    POP_WAIT_SAYS(pop, "services dns seen", "true");
}

static uint64_t wait_for_withdrawal(const struct pop *pop, const char *prefix, uint64_t since_ns)
{
    LAB_WAIT(tap_withdrawn_at_ns(pop->tap, prefix) > since_ns, "the withdrawal", POP_WAIT_MS);
    return tap_withdrawn_at_ns(pop->tap, prefix);
}

static void try_popgated(const struct pop *pop, struct tries *tries)
{
    const json_int_t mark = api_next_event(pop->node);
    uint64_t requested_ns = api_change(pop->node, "isolate", DNS_ALONE);
    uint64_t wire_ns = wait_for_withdrawal(pop, POP_V4, requested_ns);

    sample_ns(&tries->decided, api_decided_ns(pop->node, mark), wire_ns);
    sample_ns(&tries->requested, requested_ns, wire_ns);
    api_change(pop->node, "release", DNS_ALONE);
    wait_till_announced(pop);
}

// Either way popgated finds the prefix withdrawn by somebody, and announces it again.
static void try_by_hand(const struct pop *pop, int hand, bool awake, struct samples *samples)
{
    struct lab_process *popgated = lab_popgated_process(pop->popgated);

    if (!awake) {
        lab_stop(popgated);
    }
    uint64_t typed_ns = hand_type(hand, BY_HAND);
    sample_ns(samples, typed_ns, wait_for_withdrawal(pop, POP_V4, typed_ns));
    hand_read_reply(hand);
    if (!awake) {
        lab_cont(popgated);
    }
    wait_till_announced(pop);
}

static struct tries measure(const struct pop *pop)
{
    struct tries tries = {0};
    int hand = hand_open(pop->bird);

    wait_till_announced(pop);
    for (int i = 0; i < TRIES; i++) {
        try_popgated(pop, &tries);
        try_by_hand(pop, hand, false, &tries.limit);
        try_by_hand(pop, hand, true, &tries.awake);
    }
    close(hand);
    return tries;
}

static void fill_table(const struct pop *pop)
{
    tap_feed(pop->another_pop, FULL);
    LAB_WAIT(tap_flushed(pop->another_pop), "the full table to be written", FEED_MS);
    LAB_WAIT(lab_bird_imported(pop->bird, "another_pop") == FULL, "BIRD to have the full table",
             FEED_MS);
}

static struct samples measure_main_table(const struct pop *pop)
{
    struct samples samples = {0};
    int hand = hand_open(pop->bird);

    for (int i = 0; i < TRIES_MAIN; i++) {
        lab_birdc(pop->bird, "enable " MAIN_STATIC);
        LAB_WAIT(tap_has(pop->tap, MAIN_PREFIX), "the route of master4", POP_WAIT_MS);
        uint64_t typed_ns = hand_type(hand, "disable " MAIN_STATIC "\n");
        sample_ns(&samples, typed_ns, wait_for_withdrawal(pop, MAIN_PREFIX, typed_ns));
        hand_read_reply(hand);
    }
    close(hand);
    return samples;
}

static void report_tries(const struct report *report, struct tries *tries, const char *decided,
                         const char *requested)
{
    report_row(report, &(struct row){.what = decided,
                                     .samples = &tries->decided,
                                     .beside = "by hand, popgated stopped",
                                     .peer = &tries->limit,
                                     .goal = 1.5});
    report_row(report, &(struct row){.what = decided,
                                     .samples = &tries->decided,
                                     .beside = "by hand, popgated awake",
                                     .peer = &tries->awake,
                                     .goal = 1.5});
    report_row(report, &(struct row){.what = requested,
                                     .samples = &tries->requested,
                                     .beside = "by hand, popgated stopped",
                                     .peer = &tries->limit});
}

int main(int argc, char **argv)
{
    const char *json_path = json_path_of(argc, argv);
    static struct tries empty, full;

    lab_init();
    struct pop pop = pop_make(&(struct pop_options){.another_pop = true});
    struct report report = report_begin(
        "From the decision to withdraw to the withdrawal at the neighbour", json_path, pop.node);

    pop_run(&pop, POP_PROBES "[service dns]\nprefixes = " POP_V4 "\nrequire = dns4\n"
                             "last_pop_guard = off\nhold_down = 0ms\n");
    empty = measure(&pop);
    report_tries(&report, &empty, "decision to wire, empty table",
                 "isolate: request to wire, empty table");
    fill_table(&pop);
    full = measure(&pop);
    report_tries(&report, &full, "decision to wire, 1,000,000 routes",
                 "isolate: request to wire, 1,000,000 routes");
    report_row(&report, &(struct row){.what = "decision to wire, 1,000,000 routes",
                                      .samples = &full.decided,
                                      .beside = "decision to wire, empty table",
                                      .peer = &empty.decided,
                                      .goal = 1.5});
    report_row(&report, &(struct row){.what = "isolate: request to wire, 1,000,000 routes",
                                      .samples = &full.requested,
                                      .beside = "isolate: request to wire, empty table",
                                      .peer = &empty.requested,
                                      .goal = 1.5});
    struct samples main_table = measure_main_table(&pop);
    report_row(&report, &(struct row){.what = "by hand, in master4 itself, 1,000,000 routes",
                                      .samples = &main_table,
                                      .beside = "by hand, popgated stopped",
                                      .peer = &full.limit});
    report_note(&report, "a try of about 40 ms is TCP: BIRD does not set TCP_NODELAY, so an UPDATE "
                         "may wait for the neighbour's delayed ACK, whoever asked for it");
    report_end(&report);
    lab_clear();
    return 0;
}
