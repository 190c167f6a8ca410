// From a service's death (SIGKILL of a real unbound) to the withdrawal at the neighbour: popgated
// with its defaults beside ExaBGP's healthcheck at its fastest; and both with the same settings
// (interval, fast interval, rise 1, fall 1), where popgated's crash watch is off in one of them.
// Both watch the same unbound with a DNS query, and each has a neighbour of its own.
//
// ExaBGP's healthcheck runs a shell command for each check; dig is what its users take for DNS. Its
// fastest setting is an interval next to nothing: with 0 it ends after the first check.
#include "tests/bench/report.h"
#include "tests/lab/pop.h"

#define TRIES     30
#define PEER_V4   "10.0.9.1" // ExaBGP, on the router
#define PEER_TAP  "10.0.9.2"
#define PEER_AS   64700
#define SETTLE_MS 300 // at most, before the kill

struct setting {
    const char *keys; // of popgated's probe
    unsigned exabgp_ms;
    const char *popgated, *exabgp; // names of their rows
    double goal;
};

static const struct setting settings[] = {
    {"", 10, "killed to withdrawal, default settings", "ExaBGP healthcheck, 10 ms", 0.01},
    {"interval = 10ms\nfast_interval = 10ms\ntimeout = 1s\nrise = 1\nfall = 1\nwatch = off\n", 10,
     "killed to withdrawal, 10 ms, watch off", "ExaBGP healthcheck, 10 ms", 0},
    {"interval = 100ms\nfast_interval = 100ms\ntimeout = 1s\nrise = 1\nfall = 1\n", 100,
     "killed to withdrawal, 100 ms", "ExaBGP healthcheck, 100 ms", 0},
};

// ---- ExaBGP
// ----------------------------------------------------------------------------------------

static void write_exabgp_conf(const struct lab_node *node, const struct setting *setting)
{
    char text[2048];

    snprintf(text, sizeof text,
             "process watch {\n"
             "  run /usr/bin/python3 -m exabgp healthcheck --no-syslog"
             " --cmd \"dig @192.0.2.53 +tries=1 +time=1 +notcp CH TXT id.server.\""
             " --interval %.3f --fast-interval %.3f --rise 1 --fall 1 --timeout 2"
             " --ip " POP_V4 " --next-hop " PEER_V4 " --withdraw-on-down --no-ip-setup;\n"
             "  encoder text;\n"
             "}\n"
             "neighbor " PEER_TAP " {\n"
             "  router-id " PEER_V4 ";\n  local-address " PEER_V4 ";\n"
             "  local-as %u;\n  peer-as %u;\n"
             "  family { ipv4 unicast; }\n"
             "  api { processes [ watch ]; }\n"
             "}\n",
             setting->exabgp_ms / 1000.0, setting->exabgp_ms / 1000.0, POP_AS, PEER_AS);
    lab_write(node, "exabgp.conf", text);
}

static struct tap *start_exabgp(struct pop *pop, const struct setting *setting)
{
    char path[LAB_PATH_MAX];
    struct lab_node *neighbor = lab_node("neighbor");

    lab_link(pop->node, PEER_V4 "/24", neighbor, PEER_TAP "/24");
    struct tap *tap = tap_start(neighbor, &(struct tap_options){.local = PEER_TAP,
                                                                .peer = PEER_V4,
                                                                .as = PEER_AS,
                                                                .router_as = POP_AS,
                                                                .passive = true});
    write_exabgp_conf(pop->node, setting);
    struct lab_command command = {
        .name = "exabgp",
        .argv = LAB_ARGV("exabgp", lab_path(pop->node, "exabgp.conf", path)),
        .environment = LAB_ARGV("exabgp.daemon.user=root", "exabgp.daemon.drop=false",
                                "exabgp.api.cli=false", "exabgp.log.destination=stdout"),
    };
    lab_spawn(pop->node, &command);
    LAB_WAIT(tap_established(tap), "ExaBGP's session", POP_WAIT_MS);
    return tap;
}

// ---- The race
// --------------------------------------------------------------------------------------

static void start_popgated(struct pop *pop, const struct setting *setting)
{
    char sections[1024];

    snprintf(sections, sizeof sections,
             "[probe dns4]\ntype = dns\ntarget = 192.0.2.53:53\n"
             "qname = id.server\nclass = CH\nqtype = TXT\n"
             "%s"
             "[service dns]\nprefixes = " POP_V4 "\nrequire = dns4\nlast_pop_guard = off\n"
             "hold_down = 0ms\n",
             setting->keys);
    pop_run(pop, sections);
}

static void wait_till_announced(const struct pop *pop, struct tap *exabgp)
{
    LAB_WAIT(tap_has(pop->tap, POP_V4) && tap_has(exabgp, POP_V4), "both to announce the prefix",
             POP_WAIT_MS);
}

// The kill comes at no particular moment of either's interval.
static void wait_a_while(void)
{
    long ns = random() % SETTLE_MS * 1000000;

    (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &(struct timespec){.tv_nsec = ns}, NULL);
}

static void try_kill(const struct pop *pop, struct tap *exabgp, struct samples *ours,
                     struct samples *theirs)
{
    wait_till_announced(pop, exabgp);
    wait_a_while();
    uint64_t killed_ns = lab_now_ns();
    lab_kill(pop->unbound);
    LAB_WAIT(tap_withdrawn_at_ns(pop->tap, POP_V4) > killed_ns &&
                 tap_withdrawn_at_ns(exabgp, POP_V4) > killed_ns,
             "both to withdraw the prefix", POP_WAIT_MS);
    sample_ns(ours, killed_ns, tap_withdrawn_at_ns(pop->tap, POP_V4));
    sample_ns(theirs, killed_ns, tap_withdrawn_at_ns(exabgp, POP_V4));
    lab_unbound_restart(pop->unbound);
}

static void race(const struct setting *setting, struct samples *ours, struct samples *theirs)
{
    struct pop pop = pop_make(&(struct pop_options){0});

    start_popgated(&pop, setting);
    struct tap *exabgp = start_exabgp(&pop, setting);
    for (int i = 0; i < TRIES; i++) {
        try_kill(&pop, exabgp, ours, theirs);
    }
    lab_clear();
}

static void note_settings(const struct report *report, struct lab_node *node)
{
    char version[256], text[1024];

    (void)lab_run(node, LAB_ARGV("exabgp", "--version"), version, sizeof version);
    version[strcspn(version, "\n")] = '\0';
    snprintf(
        text, sizeof text,
        "%s. ExaBGP: rise 1, fall 1, fast interval as interval, dig with a timeout of 1 s, the "
        "least that it has. popgated: the same query for id.server CH TXT over UDP; defaults "
        "are interval 1 s, fast_interval 100 ms, timeout 500 ms, rise 2, fall 3, watch auto, "
        "and otherwise as ExaBGP",
        version);
    report_note(report, text);
    report_note(
        report,
        "a try of about 334 ms with watch off, a third of the timeout: a query that reached "
        "the dying socket is lost without an ICMP error, and is sent again then");
}

int main(int argc, char **argv)
{
    const char *json_path = json_path_of(argc, argv);

    lab_init();
    struct lab_node *node = lab_node("versions");
    struct report report = report_begin(
        "From a service's death to the withdrawal: unbound killed with SIGKILL", json_path, node);
    note_settings(&report, node);
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        struct samples ours = {0}, theirs = {0};

        race(&settings[i], &ours, &theirs);
        report_row(&report, &(struct row){.what = settings[i].popgated,
                                          .samples = &ours,
                                          .beside = settings[i].exabgp,
                                          .peer = &theirs,
                                          .goal = settings[i].goal});
    }
    report_end(&report);
    lab_clear();
    return 0;
}
