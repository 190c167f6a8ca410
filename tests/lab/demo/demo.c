// `make demo`: the main job, on real BIRD and a real DNS server, in about half a minute.
//
// A PoP's router with BIRD, popgated and unbound behind an anycast address of each family, two
// upstreams (a BIRD, and a listener that writes down when each UPDATE came) and another PoP. Each
// step says what was done and what the upstreams saw of it. Ends with 1 if a step did not happen.
// Everything is gone afterwards, after Ctrl-C too; with --keep it stays until then.
#include "tests/lab/pop.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MS           UINT64_C(1000000) // in ns
#define HOLD_DOWN_MS 2000
#define GRACE_MS     2000

static const char sections[] = "[defaults]\n"
                               "interval = 1s\n"
                               "fast_interval = 100ms\n"
                               "timeout = 500ms\n"
                               "rise = 2\n"
                               "fall = 2\n"
                               "hold_down = 2s\n"
                               "grace = 2s\n"
                               "[probe dns4]\ntype = dns\ntarget = 192.0.2.53:53\n"
                               "qname = id.server\nclass = CH\nqtype = TXT\n"
                               "[probe dns6]\ntype = dns\ntarget = [2001:db8::53]:53\n"
                               "qname = id.server\nclass = CH\nqtype = TXT\n"
                               "[service dns]\nprefixes = " POP_V4 " " POP_V6
                               "\nrequire = dns4 dns6\ncommunities = 64512:100\n";

// --- Telling -------------------------------------------------------------------------------------

static unsigned steps;

static void step(const char *what)
{
    printf("\n%2u. %s\n", ++steps, what);
}

static void saw(const char *what, uint64_t began_ns, uint64_t ended_ns)
{
    printf("      %-60s %8.1f ms\n", what, (double)(ended_ns - began_ns) / (double)MS);
}

static void note(const char *text)
{
    printf("      %s\n", text);
}

static void show_command(const struct pop *pop, const char *verb, const char *service)
{
    printf("\n    $ popgate %s%s%s\n\n", verb, service != NULL ? " " : "",
           service != NULL ? service : "");
    POP_COMMAND(pop, 0, verb, service);
    fputs(pop_output, stdout);
}

// --- What the upstreams see ----------------------------------------------------------------------

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static uint64_t announced_ns(const struct pop *pop)
{
    return later(tap_announced_at_ns(pop->tap, POP_V4), tap_announced_at_ns(pop->tap, POP_V6));
}

static uint64_t withdrawn_ns(const struct pop *pop)
{
    return later(tap_withdrawn_at_ns(pop->tap, POP_V4), tap_withdrawn_at_ns(pop->tap, POP_V6));
}

static void transit_has(const struct pop *pop, size_t routes)
{
    LAB_WAIT(lab_bird_imported(pop->transit, "pop") == routes, "the transit to have the same",
             POP_WAIT_MS);
}

static bool transit_drains(const struct pop *pop, const char *prefix)
{
    char command[96];

    snprintf(command, sizeof command, "show route %s all", prefix);
    return strstr(lab_birdc(pop->transit, command), "(65535,0)") != NULL;
}

static void wait_announced(const struct pop *pop, uint64_t began_ns)
{
    POP_WAIT_ANNOUNCED(pop);
    saw("announced: both prefixes at the upstream", began_ns, announced_ns(pop));
    transit_has(pop, 2);
}

static void wait_withdrawn(const struct pop *pop, uint64_t began_ns)
{
    POP_WAIT_WITHDRAWN(pop);
    saw("withdrawn: both prefixes gone from the upstream", began_ns, withdrawn_ns(pop));
    transit_has(pop, 0);
}

// --- The steps -----------------------------------------------------------------------------------

static void introduce(struct pop *pop)
{
    char version[64] = "";

    sscanf(lab_birdc(pop->bird, "show status"), "%*s %63[^\n]", version);
    printf("popgate: one anycast DNS service at one PoP, and what the world sees of it\n"
           "\n"
           "    upstream --+\n"
           "               +-- pop -- another_pop\n"
           "    transit  --+\n"
           "\n"
           "    pop          router: BIRD %s, popgated, and unbound on its lo,\n"
           "                 behind " POP_V4 " and " POP_V6 "\n"
           "    upstream     BGP neighbour that notes the time at which each UPDATE comes\n"
           "    transit      BGP neighbour, a BIRD; it is asked what it has\n"
           "    another_pop  PoP of the same AS, by iBGP\n"
           "\n"
           "Times run from the act until the upstream had the last UPDATE of both prefixes\n"
           "in hand. The probes ask once a second, every 100 ms when in doubt; hold_down\n"
           "is %d s, grace %d s.\n",
           version, HOLD_DOWN_MS / 1000, GRACE_MS / 1000);
}

static void start_popgated(struct pop *pop)
{
    step("popgated is started, unbound answers");
    const uint64_t began_ns = lab_now_ns();
    pop_run(pop, sections);
    wait_announced(pop, began_ns);
    POP_WAIT_SAYS(pop, "services dns prefixes " POP_V4 " sessions", "3");
    POP_WAIT_SAYS(pop, "services dns prefixes " POP_V6 " sessions", "3");
    show_command(pop, "status", NULL);
}

static void kill_the_service(struct pop *pop)
{
    step("unbound is killed (SIGKILL)");
    const uint64_t killed_ns = lab_now_ns();
    lab_kill(pop->unbound);
    wait_withdrawn(pop, killed_ns);

    step("unbound is started again");
    const uint64_t revived_ns = lab_now_ns();
    lab_unbound_restart(pop->unbound);
    wait_announced(pop, revived_ns);
    note("of which 2000 ms are hold_down");
    if (announced_ns(pop) - revived_ns < HOLD_DOWN_MS * MS) {
        lab_fail("it was announced before hold_down was over");
    }
}

static void refuse_to_drain(struct pop *pop)
{
    step("popgate drain dns, while no other PoP announces the prefixes");
    const size_t mark = pop_mark(pop);
    POP_COMMAND(pop, 4, "drain", "dns");
    POP_HISTORY(pop, mark, "");
    note("refused (exit status 4); the upstream saw nothing");
}

static void drain(struct pop *pop)
{
    step("another_pop announces them too; popgate drain dns");
    tap_announce(pop->another_pop, POP_V4, NULL);
    tap_announce(pop->another_pop, POP_V6, NULL);
    LAB_WAIT(lab_bird_imported(pop->bird, "another_pop") == 2, "another PoP's paths", POP_WAIT_MS);
    const size_t mark = pop_mark(pop);
    const uint64_t drained_ns = lab_now_ns();
    POP_COMMAND(pop, 0, "drain", "dns", "--reason", "demo");
    POP_WAIT_DRAINING(pop);
    saw("GRACEFUL_SHUTDOWN (65535:0) on both prefixes", drained_ns, announced_ns(pop));
    LAB_WAIT(transit_drains(pop, POP_V4) && transit_drains(pop, POP_V6),
             "the community at the transit", POP_WAIT_MS);
    wait_withdrawn(pop, drained_ns);
    POP_HISTORY(pop, mark, "GW");
    note("for each prefix one UPDATE and, grace later, one withdrawal: no gap");
    POP_WAIT_SAYS(pop, "services dns seen", "true");
    show_command(pop, "explain", "dns");

    step("popgate undrain dns");
    const uint64_t undrained_ns = lab_now_ns();
    POP_COMMAND(pop, 0, "undrain", "dns");
    wait_announced(pop, undrained_ns);
}

static void configure_by_hand(struct pop *pop)
{
    step("an operator runs birdc configure");
    POP_WAIT_SAYS(pop, "include saved", "true");
    const size_t mark = pop_mark(pop);
    lab_birdc(pop->bird, "configure");
    POP_HISTORY(pop, mark, "");
    note("the upstream saw nothing");
}

static void restart_bird(struct pop *pop)
{
    step("BIRD is killed (SIGKILL)");
    const uint64_t killed_ns = lab_now_ns();
    lab_bird_kill(pop->bird);
    POP_WAIT_WITHDRAWN(pop);
    saw("lost with the session", killed_ns, withdrawn_ns(pop));
    POP_WAIT_SAYS(pop, "bird link state", "down");

    step("BIRD is started again");
    const uint64_t restarted_ns = lab_now_ns();
    lab_bird_restart(pop->bird);
    wait_announced(pop, restarted_ns);
    note("from the include file, as soon as the session was back");
}

static void restart_popgated(struct pop *pop)
{
    step("popgated is killed (SIGKILL) and started again");
    POP_WAIT_SAYS(pop, "services dns seen", "true");
    POP_WAIT_SAYS(pop, "include saved", "true");
    const size_t mark = pop_mark(pop);
    lab_popgated_kill(pop->popgated);
    lab_popgated_restart(pop->popgated);
    POP_WAIT_SAYS(pop, "services dns cause", "healthy");
    POP_WAIT_SAYS(pop, "services dns seen", "true");
    POP_HISTORY(pop, mark, "");
    note("the upstream saw nothing; popgated knows again that all is well");
}

// --- Afterwards ----------------------------------------------------------------------------------

static void keep(const struct pop *pop)
{
    char enter[LAB_ENTER_MAX], program[PATH_MAX];
    sigset_t ending;
    int number;

    if (realpath(lab_popgate_program(), program) == NULL) {
        snprintf(program, sizeof program, "popgate");
    }
    printf("\nThe lab stays until Ctrl-C. Shells on the router and on the transit, as root:\n\n"
           "  %s\n",
           lab_enter_command(pop->node, enter));
    printf("  %s\n\nIn the first one:\n\n", lab_enter_command(pop->transit_node, enter));
    printf("  alias popgate='%s --socket %s/run/popgate.sock'\n", program, lab_dir(pop->node));
    printf("  popgate status\n"
           "  birdc -s %s show protocols\n"
           "  dig @192.0.2.53 id.server CH TXT +short\n"
           "  kill $(pgrep unbound); popgate events --follow\n\n"
           "In the second one:\n\n"
           "  birdc -s %s show route all\n",
           lab_bird_socket(pop->bird), lab_bird_socket(pop->transit));
    sigemptyset(&ending);
    sigaddset(&ending, SIGINT);
    sigaddset(&ending, SIGTERM);
    sigprocmask(SIG_BLOCK, &ending, NULL);
    sigwait(&ending, &number);
}

int main(int argc, char **argv)
{
    const bool kept = argc == 2 && strcmp(argv[1], "--keep") == 0;

    if (argc > 2 || (argc == 2 && !kept)) {
        fprintf(stderr, "usage: %s [--keep]\n", argv[0]);
        return 2;
    }
    lab_init();
    setvbuf(stdout, NULL, _IOLBF, 0);
    const uint64_t began_ns = lab_now_ns();
    struct pop pop = pop_make(&(struct pop_options){.another_pop = true, .transit = true});

    introduce(&pop);
    start_popgated(&pop);
    kill_the_service(&pop);
    refuse_to_drain(&pop);
    drain(&pop);
    configure_by_hand(&pop);
    restart_bird(&pop);
    restart_popgated(&pop);
    printf("\nEverything happened as it should, in %.0f s.\n",
           (double)(lab_now_ns() - began_ns) / (double)(1000 * MS));
    if (kept) {
        keep(&pop);
    }
    lab_clear();
    return 0;
}
