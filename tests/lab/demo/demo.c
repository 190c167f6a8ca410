// `make demo`: the main job, on real BIRD and real services, in about half a minute.
//
// A PoP's router with BIRD, popgated and three services behind anycast addresses of their own
// (unbound, nginx with TLS, Glewlwyd for tokens), two upstreams (a BIRD, and a listener that writes
// down when each UPDATE came) and another PoP; at the end two PoPs whose responders share an
// address, and a client that moves from one to the other. Each step says what was done and what the
// upstreams saw of it. Ends with 1 if a step did not happen. Everything is gone afterwards, after
// Ctrl-C too; with --keep it stays until then.
#include "tests/lab/pair.h"
#include "tests/lab/trio.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MS           UINT64_C(1000000) // in ns
#define HOLD_DOWN_MS 2000
#define GRACE_MS     2000

#define ROUTES 4 // dns has two prefixes

static const char defaults[] = "[defaults]\ninterval = 1s\nfast_interval = 100ms\n"
                               "timeout = 500ms\nrise = 2\nfall = 2\n"
                               "hold_down = 2s\ngrace = 2s\n";

// ---- Telling

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

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static bool has_all(const struct pop *pop, enum trio_service service)
{
    return tap_has(pop->tap, trio_prefixes[service]) &&
           (service != TRIO_DNS || tap_has(pop->tap, POP_V6));
}

static bool has_none(const struct pop *pop, enum trio_service service)
{
    return !tap_has(pop->tap, trio_prefixes[service]) &&
           (service != TRIO_DNS || !tap_has(pop->tap, POP_V6));
}

static uint64_t announced_ns(const struct pop *pop, enum trio_service service)
{
    uint64_t first_ns = tap_announced_at_ns(pop->tap, trio_prefixes[service]);

    return service == TRIO_DNS ? later(first_ns, tap_announced_at_ns(pop->tap, POP_V6)) : first_ns;
}

static uint64_t withdrawn_ns(const struct pop *pop, enum trio_service service)
{
    uint64_t first_ns = tap_withdrawn_at_ns(pop->tap, trio_prefixes[service]);

    return service == TRIO_DNS ? later(first_ns, tap_withdrawn_at_ns(pop->tap, POP_V6)) : first_ns;
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

static size_t routes_of(enum trio_service service)
{
    return service == TRIO_DNS ? 2 : 1;
}

static void wait_announced(const struct pop *pop, enum trio_service service, uint64_t began_ns)
{
    char what[64];

    snprintf(what, sizeof what, "announced: %s at the upstream", trio_names[service]);
    LAB_WAIT(has_all(pop, service), what, POP_WAIT_MS);
    saw(what, began_ns, announced_ns(pop, service));
    transit_has(pop, ROUTES);
}

static void wait_withdrawn(const struct pop *pop, enum trio_service service, uint64_t began_ns)
{
    char what[64];

    snprintf(what, sizeof what, "withdrawn: %s gone from the upstream", trio_names[service]);
    LAB_WAIT(has_none(pop, service), what, POP_WAIT_MS);
    saw(what, began_ns, withdrawn_ns(pop, service));
    transit_has(pop, ROUTES - routes_of(service));
}

static void wait_all_announced(const struct pop *pop, uint64_t began_ns)
{
    uint64_t last_ns = began_ns;

    for (enum trio_service i = 0; i < TRIO_SERVICES; i++) {
        LAB_WAIT(has_all(pop, i), "the upstream to have all prefixes", POP_WAIT_MS);
        last_ns = later(last_ns, announced_ns(pop, i));
    }
    saw("announced: all prefixes at the upstream", began_ns, last_ns);
    transit_has(pop, ROUTES);
}

// Of every service, but one that may have changed.
static void saw_nothing(const struct pop *pop, size_t mark, enum trio_service but)
{
    for (enum trio_service i = 0; i < TRIO_SERVICES; i++) {
        if (i != but) {
            POP_HISTORY_OF(pop, trio_prefixes[i], mark, "");
        }
    }
    if (but != TRIO_DNS) {
        POP_HISTORY_OF(pop, POP_V6, mark, "");
    }
}

// ---- The steps

static void introduce(struct pop *pop)
{
    char version[64] = "";

    sscanf(lab_birdc(pop->bird, "show status"), "%*s %63[^\n]", version);
    printf("popgate: three anycast services at one PoP, and what the world sees of them\n"
           "\n"
           "    upstream --+\n"
           "               +-- pop -- another_pop\n"
           "    transit  --+\n"
           "\n"
           "    pop          router: BIRD %s, popgated, and on its lo\n"
           "                   dns    unbound, behind " POP_V4 " and " POP_V6 "\n"
           "                   web    nginx with TLS, behind " TRIO_WEB_V4 "\n"
           "                   login  Glewlwyd, OAuth 2.0 tokens, behind " TRIO_LOGIN_V4 "\n"
           "    upstream     BGP neighbour that notes the time at which each UPDATE comes\n"
           "    transit      BGP neighbour, a BIRD; it is asked what it has\n"
           "    another_pop  PoP of the same AS, by iBGP\n"
           "\n"
           "Times run from the act until the upstream had the last UPDATE of the service\n"
           "in hand. The probes ask once a second, every 100 ms when in doubt; the kernel\n"
           "tells of a crash. hold_down is %d s, grace %d s.\n",
           version, HOLD_DOWN_MS / 1000, GRACE_MS / 1000);
}

static void start_popgated(struct pop *pop, const struct trio *trio)
{
    char services[LAB_CONFIG_MAX], config[2 * LAB_CONFIG_MAX];

    step("popgated is started; unbound, nginx and Glewlwyd serve");
    snprintf(config, sizeof config, "%s%s", defaults,
             trio_sections(trio, NULL, "", "communities = 64512:100\n", services));
    uint64_t began_ns = lab_now_ns();
    pop_run(pop, config);
    wait_all_announced(pop, began_ns);
    POP_WAIT_SAYS(pop, "services dns seen", "true");
    POP_WAIT_SAYS(pop, "services web seen", "true");
    POP_WAIT_SAYS(pop, "services login seen", "true");
    POP_WAIT_SAYS(pop, "probes dns6 watch", "kernel notifications");
    show_command(pop, "status", NULL);
}

static void kill_the_service(struct pop *pop)
{
    step("unbound is killed (SIGKILL)");
    uint64_t killed_ns = lab_now_ns();
    lab_kill(pop->unbound);
    wait_withdrawn(pop, TRIO_DNS, killed_ns);

    step("unbound is started again");
    uint64_t revived_ns = lab_now_ns();
    lab_unbound_restart(pop->unbound);
    wait_announced(pop, TRIO_DNS, revived_ns);
    note("of which 2000 ms are hold_down");
    if (announced_ns(pop, TRIO_DNS) - revived_ns < HOLD_DOWN_MS * MS) {
        lab_fail("it was announced before hold_down was over");
    }
}

// The first paragraph of `popgate explain`: what it does, and why.
static void show_cause(const struct pop *pop, enum trio_service service)
{
    printf("\n    $ popgate explain %s\n\n", trio_names[service]);
    POP_COMMAND(pop, 0, "explain", trio_names[service]);
    printf("%.*s\n\n", (int)(strstr(pop_output, "\n\n") - pop_output), pop_output);
}

static void break_one(struct trio *trio, enum trio_service service, const char *how,
                      const char *cause, unsigned hold_down_ms)
{
    const struct pop *pop = trio->pop;
    char path[64], text[128];

    step(how);
    size_t mark = pop_mark(pop);
    uint64_t broken_ns = lab_now_ns();
    trio_break(trio, service);
    wait_withdrawn(pop, service, broken_ns);
    saw_nothing(pop, mark, service);
    note("of the other services the upstream saw nothing");
    snprintf(path, sizeof path, "services %s why", trio_names[service]);
    LAB_WAIT(pop_says_part(pop, path, cause), cause, POP_WAIT_MS);
    snprintf(path, sizeof path, "services %s seen", trio_names[service]);
    LAB_WAIT(pop_says(pop, path, "true"), "popgated to see it withdrawn", POP_WAIT_MS);
    show_cause(pop, service);

    printf("    mended:\n");
    uint64_t mended_ns = lab_now_ns();
    trio_mend(trio, service);
    wait_announced(pop, service, mended_ns);
    snprintf(text, sizeof text, "after a hold_down of %u ms%s", hold_down_ms,
             hold_down_ms > HOLD_DOWN_MS ? ", doubled, as it was withdrawn just before" : "");
    note(text);
    if (announced_ns(pop, service) - withdrawn_ns(pop, service) < hold_down_ms * MS) {
        lab_fail("it was announced before hold_down was over");
    }
    saw_nothing(pop, mark, service);
}

static void break_each(struct trio *trio)
{
    break_one(trio, TRIO_DNS, "unbound answers with an address of another host",
              "got " TRIO_WRONG_V4, 2 * HOLD_DOWN_MS);
    break_one(trio, TRIO_WEB, "nginx gets a certificate that expired three days ago",
              "expired 3 days ago", HOLD_DOWN_MS);
    break_one(trio, TRIO_LOGIN, "Glewlwyd gives tokens for another region",
              "region is " TRIO_WRONG_REGION, HOLD_DOWN_MS);
}

static void refuse_to_drain(struct pop *pop)
{
    step("popgate drain dns, while no other PoP announces the prefixes");
    size_t mark = pop_mark(pop);
    POP_COMMAND(pop, 4, "drain", "dns");
    saw_nothing(pop, mark, TRIO_SERVICES);
    note("refused (exit status 4); the upstream saw nothing");
}

static void drain(struct pop *pop)
{
    step("another_pop announces them too; popgate drain dns");
    tap_announce(pop->another_pop, POP_V4, NULL);
    tap_announce(pop->another_pop, POP_V6, NULL);
    LAB_WAIT(lab_bird_imported(pop->bird, "another_pop") == 2, "another PoP's paths", POP_WAIT_MS);
    size_t mark = pop_mark(pop);
    uint64_t drained_ns = lab_now_ns();
    POP_COMMAND(pop, 0, "drain", "dns", "--reason", "demo");
    POP_WAIT_DRAINING(pop);
    saw("GRACEFUL_SHUTDOWN (65535:0) on both prefixes", drained_ns, announced_ns(pop, TRIO_DNS));
    LAB_WAIT(transit_drains(pop, POP_V4) && transit_drains(pop, POP_V6),
             "the community at the transit", POP_WAIT_MS);
    wait_withdrawn(pop, TRIO_DNS, drained_ns);
    POP_HISTORY(pop, mark, "GW");
    note("for each prefix one UPDATE and, grace later, one withdrawal: no gap");
    POP_WAIT_SAYS(pop, "services dns seen", "true");
    show_command(pop, "explain", "dns");

    step("popgate undrain dns");
    uint64_t undrained_ns = lab_now_ns();
    POP_COMMAND(pop, 0, "undrain", "dns");
    wait_announced(pop, TRIO_DNS, undrained_ns);
}

static void configure_by_hand(struct pop *pop)
{
    step("an operator runs birdc configure");
    POP_WAIT_SAYS(pop, "include saved", "true");
    size_t mark = pop_mark(pop);
    lab_birdc(pop->bird, "configure");
    saw_nothing(pop, mark, TRIO_SERVICES);
    note("the upstream saw nothing");
}

static void restart_bird(struct pop *pop)
{
    step("BIRD is killed (SIGKILL)");
    uint64_t killed_ns = lab_now_ns();
    lab_bird_kill(pop->bird);
    LAB_WAIT(tap_route_count(pop->tap) == 0, "the upstream to lose all prefixes", POP_WAIT_MS);
    saw("lost with the session", killed_ns, withdrawn_ns(pop, TRIO_DNS));
    POP_WAIT_SAYS(pop, "bird link state", "down");

    step("BIRD is started again");
    uint64_t restarted_ns = lab_now_ns();
    lab_bird_restart(pop->bird);
    wait_all_announced(pop, restarted_ns);
    note("from the include file, as soon as the session was back");
}

static void restart_popgated(struct pop *pop)
{
    step("popgated is killed (SIGKILL) and started again");
    POP_WAIT_SAYS(pop, "services dns seen", "true");
    POP_WAIT_SAYS(pop, "include saved", "true");
    size_t mark = pop_mark(pop);
    lab_popgated_kill(pop->popgated);
    lab_popgated_restart(pop->popgated);
    for (enum trio_service i = 0; i < TRIO_SERVICES; i++) {
        char path[64];
        snprintf(path, sizeof path, "services %s cause", trio_names[i]);
        LAB_WAIT(pop_says(pop, path, "healthy"), "popgated to know it healthy", POP_WAIT_MS);
    }
    POP_WAIT_SAYS(pop, "services dns seen", "true");
    saw_nothing(pop, mark, TRIO_SERVICES);
    note("the upstream saw nothing; popgated knows again that all is well");
}

// ---- Two PoPs

#define ANSWERS_SHOWN 1000 // by each PoP, at least

static void show_answers(const struct lab_stream_result *result)
{
    for (size_t i = 0; i < result->said_count; i++) {
        printf("      answered %-51s %8lu\n", result->said[i].text,
               (unsigned long)result->said[i].count);
    }
    printf("      %-60s %8lu\n", "asked", (unsigned long)result->asked);
    printf("      %-60s %8lu\n", "lost", (unsigned long)result->lost);
}

static struct pair move_clients(void)
{
    char command[96], said[PAIR_POPS][16];
    struct lab_stream_result result;

    step("two more PoPs, fra1 and ams1, announce popgate's own responder to one upstream;\n"
         "    a client there asks id.server CH TXT again and again, and one PoP is drained");
    struct pair pair = pair_make();
    size_t from = pair_best(&pair), to = 1 - from;
    for (size_t i = 0; i < PAIR_POPS; i++) {
        snprintf(said[i], sizeof said[i], "\"%s\"", pair_names[i]);
    }
    struct lab_stream *stream = lab_stream_start(&(struct lab_stream_options){
        .server = pair.client,
        .query = {.name = "id.server", .type = DNS_TXT, .class = DNS_CLASS_CH},
        .pause_us = 200,
    });
    LAB_WAIT(lab_stream_said(stream, said[from]) >= ANSWERS_SHOWN, "answers of the first PoP",
             POP_WAIT_MS);
    snprintf(command, sizeof command, "\n    %s$ popgate drain %s\n\n", pair_names[from],
             PAIR_SERVICE);
    fputs(command, stdout);
    uint64_t drained_ns = lab_now_ns();
    POP_COMMAND(&pair.pops[from], 0, "drain", PAIR_SERVICE, "--reason", "demo");
    LAB_WAIT(lab_stream_said(stream, said[to]) >= ANSWERS_SHOWN &&
                 lab_bird_imported(pair.upstream_bird, pair_names[from]) == 0,
             "answers of the other PoP, and the withdrawal of the first", POP_WAIT_MS);
    lab_stream_stop(stream);
    lab_stream_result(stream, &result);
    saw("the first answer of the other PoP", drained_ns, result.said[1].first_ns);
    show_answers(&result);
    if (result.lost + result.malformed > 0 || result.said_count != PAIR_POPS) {
        lab_fail("a query was lost, or answered by nobody of the two");
    }
    note("every query was answered, by one PoP or by the other");
    return pair;
}

// ---- Afterwards

static void keep(const struct pop *pop, const struct pair *pair)
{
    char enter[LAB_ENTER_MAX], program[PATH_MAX], birdc_path[LAB_PATH_MAX];
    const char *birdc = lab_birdc_program(birdc_path);
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
           "  %s -s %s show protocols\n"
           "  dig @192.0.2.53 " POP_WWW " +short\n"
           "  kill $(pgrep unbound); popgate events --follow\n\n"
           "In the second one:\n\n"
           "  %s -s %s show route all\n",
           birdc, lab_bird_socket(pop->bird), birdc, lab_bird_socket(pop->transit));
    printf("\nOf the two PoPs, the upstream with the client, then %s and %s:\n\n", pair_names[0],
           pair_names[1]);
    printf("  %s\n", lab_enter_command(pair->upstream, enter));
    for (size_t i = 0; i < PAIR_POPS; i++) {
        printf("  %s\n", lab_enter_command(pair->pops[i].node, enter));
    }
    printf("\n  dig @192.0.2.53 id.server CH TXT +short\n");
    for (size_t i = 0; i < PAIR_POPS; i++) {
        printf("  %s --socket %s/run/popgate.sock undrain " PAIR_SERVICE "\n", program,
               lab_dir(pair->pops[i].node));
    }
    sigemptyset(&ending);
    sigaddset(&ending, SIGINT);
    sigaddset(&ending, SIGTERM);
    sigprocmask(SIG_BLOCK, &ending, NULL);
    sigwait(&ending, &number);
}

int main(int argc, char **argv)
{
    bool kept = argc == 2 && strcmp(argv[1], "--keep") == 0;

    if (argc > 2 || (argc == 2 && !kept)) {
        fprintf(stderr, "usage: %s [--keep]\n", argv[0]);
        return 2;
    }
    lab_init();
    setvbuf(stdout, NULL, _IOLBF, 0);
    uint64_t began_ns = lab_now_ns();
    struct pop pop = pop_make(&(struct pop_options){.another_pop = true, .transit = true});
    struct trio trio = trio_make(&pop);

    introduce(&pop);
    start_popgated(&pop, &trio);
    kill_the_service(&pop);
    break_each(&trio);
    refuse_to_drain(&pop);
    drain(&pop);
    configure_by_hand(&pop);
    restart_bird(&pop);
    restart_popgated(&pop);
    struct pair pair = move_clients();
    printf("\nEverything happened as it should, in %.0f s.\n",
           (double)(lab_now_ns() - began_ns) / (double)(1000 * MS));
    if (kept) {
        keep(&pop, &pair);
    }
    lab_clear();
    return 0;
}
