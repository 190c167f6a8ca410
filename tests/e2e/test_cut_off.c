// Services that are cut off by being announced: behind the router, where BIRD gives popgate's own
// route to the kernel, in the place of the one by which they are reached.
#include "tests/lab/pop.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SERVER_V4 "10.8.0.2"
#define SERVER_V6 "2001:db8:8::2"
#define KERNEL(exports)                                                                            \
    "protocol kernel { ipv4 { export " exports "; }; }\n"                                          \
    "protocol kernel { ipv6 { export " exports "; }; }\n"

// unbound on a host behind the router.
static struct pop pop_behind(const char *extra)
{
    struct pop pop = pop_make(&(struct pop_options){.bare = true, .extra = extra});
    struct lab_node *server = lab_node("server");

    lab_link(pop.node, "10.8.0.1/24 2001:db8:8::1/64", server, SERVER_V4 "/24 " SERVER_V6 "/64");
    lab_address_add(server, POP_V4 " " POP_V6);
    pop.unbound = lab_unbound_start(server, &pop_unbound);
    return pop;
}

static void is_held(const struct pop *pop, const char *route)
{
    POP_WAIT_SAYS(pop, "services dns cause", "cut-off");
    POP_HISTORY(pop, 0, "AW");
    assert_true(pop_has_event(pop, route));
    POP_COMMAND(pop, 0, "explain", "dns");
    assert_non_null(strstr(pop_output, "popgate's own route takes the place of"));
    assert_non_null(strstr(pop_output, route));
    POP_COMMAND(pop, 2, "check", "dns");
    assert_non_null(strstr(pop_output, "popgate's own route takes the place of"));
}

static long passes(const struct pop *pop, const char *path)
{
    return strtol(pop_status(pop, path), NULL, 10);
}

static void stays_announced(const struct pop *pop)
{
    POP_WAIT_ANNOUNCED(pop);
    long ipv4 = passes(pop, "probes dns4 verdicts pass");
    long ipv6 = passes(pop, "probes dns6 verdicts pass");
    LAB_WAIT(passes(pop, "probes dns4 verdicts pass") > ipv4 + 2 &&
                 passes(pop, "probes dns6 verdicts pass") > ipv6 + 2,
             "both probes to pass three times", POP_WAIT_MS);
    POP_HISTORY(pop, 0, "AWA");
}

// The route that BIRD brings the kernel from its static comes and goes with ours: what is withdrawn
// is well again at once. It came and went for ever.
LAB_TEST(a_service_whose_route_ours_takes_the_place_of_is_announced_once_and_held)
{
    struct pop pop =
        pop_behind(KERNEL("all") "protocol static behind4 { ipv4; route " POP_V4 " via " SERVER_V4
                                 "; }\nprotocol static behind6 { ipv6; route " POP_V6
                                 " via " SERVER_V6 "; }\n");

    pop_run(&pop, POP_USUAL);
    is_held(&pop, " dev server proto bird metric 32"); // of either family, whichever passes first

    // The manual's cure is seen by itself.
    lab_ip(pop.node, "route add " POP_V4 " via " SERVER_V4 " metric 1");
    lab_ip(pop.node, "-6 route add " POP_V6 " via " SERVER_V6 " metric 1");
    stays_announced(&pop);
}

// IPv6 routes that are added by hand have metric 1024, and BIRD's 32 (bird-facts 26); of a filter
// in BIRD's kernel protocol nothing is to be seen from here.
LAB_TEST(a_service_behind_a_route_by_hand_is_held_until_it_is_undrained)
{
    struct pop pop = pop_behind(KERNEL("all"));
    char config[LAB_CONFIG_MAX];
    char *all;

    lab_ip(pop.node, "route add " POP_V4 " via " SERVER_V4);
    lab_ip(pop.node, "-6 route add " POP_V6 " via " SERVER_V6);
    pop_run(&pop, POP_USUAL);
    is_held(&pop, "/128 via " SERVER_V6 " dev server proto boot metric 1024");

    snprintf(config, sizeof config, "%s", pop.bird_conf);
    while ((all = strstr(config, "export all")) != NULL) {
        memcpy(all, "import all", strlen("import all")); // which exports nothing
    }
    lab_bird_write(pop.bird, config);
    lab_birdc(pop.bird, "configure");
    POP_COMMAND(&pop, 0, "undrain", "dns");
    stays_announced(&pop);
}

// Automation may reload each minute: that tries nothing again.
LAB_TEST(a_service_that_is_held_stays_so_over_a_reload)
{
    struct pop pop = pop_behind(KERNEL("all"));

    lab_ip(pop.node, "route add " POP_V4 " via " SERVER_V4 " metric 100");
    lab_ip(pop.node, "-6 route add " POP_V6 " via " SERVER_V6);
    pop_run(&pop, POP_USUAL);
    is_held(&pop, " dev server proto boot metric 10");
    pop_reload(&pop, POP_USUAL "communities = 64512:100\n");
    LAB_WAIT(pop_has_event(&pop, "configuration reloaded"), "the reload", POP_WAIT_MS);
    is_held(&pop, " dev server proto boot metric 10");
}
