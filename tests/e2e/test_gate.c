// A prefix is announced only while its service is known healthy, whatever else is on the router.
#include "tests/lab/pop.h"

#include <string.h>

#define MS UINT64_C(1000000) // in ns

// Hold-down counts from the first good verdict, and no good verdict is older than the revival.
LAB_TEST(a_service_is_announced_once_it_is_healthy_and_withdrawn_when_it_dies)
{
    struct pop pop = pop_make(&(struct pop_options){.no_unbound = true});

    pop_run(&pop, POP_USUAL);
    POP_WAIT_SAYS(&pop, "probes dns4 health", "down");
    POP_HISTORY(&pop, 0, "");

    lab_unbound_restart(pop.unbound);
    POP_WAIT_ANNOUNCED(&pop);
    lab_kill(pop.unbound);
    POP_WAIT_WITHDRAWN(&pop);
    POP_WAIT_SAYS(&pop, "services dns cause", "unhealthy");

    uint64_t revived_ns = lab_now_ns();
    lab_unbound_restart(pop.unbound);
    POP_WAIT_ANNOUNCED(&pop);
    assert_true(tap_announced_at_ns(pop.tap, POP_V4) - revived_ns >= POP_HOLD_DOWN_MS * MS);
    assert_true(tap_announced_at_ns(pop.tap, POP_V6) - revived_ns >= POP_HOLD_DOWN_MS * MS);
    POP_WAIT_SAYS(&pop, "services dns cause", "healthy");
    POP_WAIT_SAYS(&pop, "services dns seen", "true");
    POP_HISTORY(&pop, 0, "AWA");
}

LAB_TEST(a_service_that_died_before_popgated_began_is_never_announced)
{
    struct pop pop = pop_make(&(struct pop_options){.no_unbound = true});

    pop_run(&pop, POP_USUAL);
    POP_WAIT_SAYS(&pop, "probes dns4 health", "down");
    POP_WAIT_SAYS(&pop, "services dns seen", "true");
    assert_true(pop_says(&pop, "services dns target", "withdraw"));
    POP_HISTORY(&pop, 0, "");
}

LAB_TEST(each_repeated_withdrawal_doubles_the_hold_down)
{
    struct pop pop = pop_make(&(struct pop_options){0});

    pop_run(&pop, POP_USUAL);
    POP_WAIT_ANNOUNCED(&pop);
    uint64_t least_ms = POP_HOLD_DOWN_MS;
    for (int i = 0; i < 2; i++) {
        lab_kill(pop.unbound);
        POP_WAIT_WITHDRAWN(&pop);
        uint64_t revived_ns = lab_now_ns();
        lab_unbound_restart(pop.unbound);
        POP_WAIT_ANNOUNCED(&pop);
        assert_true(tap_announced_at_ns(pop.tap, POP_V4) - revived_ns >= least_ms * MS);
        least_ms *= 2;
    }
}

LAB_TEST(both_upstreams_and_a_real_bird_beyond_see_the_same)
{
    struct pop pop = pop_make(&(struct pop_options){.transit = true});

    pop_run(&pop, POP_USUAL);
    POP_WAIT_ANNOUNCED(&pop);
    LAB_WAIT(lab_bird_imported(pop.transit, "pop") == 2, "both prefixes at the transit",
             POP_WAIT_MS);
    LAB_WAIT(pop_says(&pop, "services dns prefixes " POP_V4 " sessions", "2"),
             "popgated to see both sessions", POP_WAIT_MS);

    POP_COMMAND(&pop, 0, "drain", "dns", "--grace", "1h");
    POP_WAIT_DRAINING(&pop);
    LAB_WAIT(strstr(lab_birdc(pop.transit, "show route " POP_V6 " all"), "(65535,0)") != NULL,
             "GRACEFUL_SHUTDOWN at the transit", POP_WAIT_MS);
    POP_COMMAND(&pop, 0, "drain", "dns", "--now");
    LAB_WAIT(lab_bird_imported(pop.transit, "pop") == 0, "no prefix at the transit", POP_WAIT_MS);
    POP_WAIT_WITHDRAWN(&pop);
}

static const char two_services[] =
    POP_USUAL "[probe web]\ntype = tcp\ntarget = 192.0.2.53:80\n"
              "interval = 200ms\nfast_interval = 50ms\ntimeout = 2s\n"
              "[service web]\nprefixes = 198.51.100.0/24 2001:db8:80::/48\nrequire = web\n"
              "last_pop_guard = off\n" POP_TIMING;

LAB_TEST(services_are_announced_and_withdrawn_each_for_itself)
{
    struct pop pop = pop_make(&(struct pop_options){0});
    struct lab_tcp_server *web =
        lab_tcp_server_start(pop.node, "192.0.2.53", 80, LAB_TCP_SILENT, NULL);

    pop_run(&pop, two_services);
    POP_WAIT_ANNOUNCED(&pop);
    LAB_WAIT(tap_has(pop.tap, "198.51.100.0/24") && tap_has(pop.tap, "2001:db8:80::/48"),
             "the web's prefixes", POP_WAIT_MS);
    size_t mark = pop_mark(&pop);

    lab_tcp_server_crash(web);
    LAB_WAIT(!tap_has(pop.tap, "198.51.100.0/24") && !tap_has(pop.tap, "2001:db8:80::/48"),
             "the web's withdrawal", POP_WAIT_MS);
    POP_HISTORY(&pop, mark, "");
    assert_true(pop_says(&pop, "services dns target", "announce"));

    lab_tcp_server_recover(web);
    LAB_WAIT(tap_has(pop.tap, "198.51.100.0/24"), "the web's return", POP_WAIT_MS);
    POP_HISTORY(&pop, mark, "");
}

#define EXT_COMMUNITY UINT64_C(0x0002fc0000000000) // rt:64512:0 (RFC 4360, section 4)

static const char attributes[] = POP_USUAL "degrade = cache\n"
                                           "communities = 64512:100\n"
                                           "large_communities = 64512:1:2\n"
                                           "ext_communities = rt:64512:10\n"
                                           "med = 50\n"
                                           "drain_communities = graceful-shutdown 64512:666\n"
                                           "drain_large_communities = 64512:6:6\n"
                                           "drain_ext_communities = rt:64512:66\n"
                                           "drain_prepend = 3\n"
                                           "[probe cache]\ntype = tcp\ntarget = 192.0.2.53:6379\n"
                                           "interval = 200ms\nfast_interval = 50ms\ntimeout = 2s\n";

// The drain's lists are longer by what the service's own begin with.
static void assert_attributes(const struct pop *pop, const char *prefix, bool drain)
{
    const struct bgp_attributes *route = tap_route(pop->tap, prefix);
    size_t path_length = drain ? 4 : 1;

    assert_non_null(route);
    assert_int_equal(route->as_path_length, path_length);
    for (size_t i = 0; i < path_length; i++) {
        assert_int_equal(route->as_path[i], POP_AS);
    }
    assert_true(tap_has_community(pop->tap, prefix, POP_AS, 100));
    assert_int_equal(tap_has_community(pop->tap, prefix, POP_AS, 666), drain);
    assert_int_equal(tap_has_community(pop->tap, prefix, 65535, 0), drain);
    assert_int_equal(route->large_community_count, drain ? 2 : 1);
    assert_int_equal(route->large_communities[drain][1], drain ? 6 : 1);
    assert_int_equal(route->ext_community_count, drain ? 2 : 1);
    assert_true(route->ext_communities[drain] == EXT_COMMUNITY + (drain ? 66 : 10));
    assert_true(route->has_med);
    assert_int_equal(route->med, 50);
}

// With one UPDATE and no gap in each direction; the way back waits for the hold-down.
LAB_TEST(a_degraded_service_is_depreferenced_with_the_attributes_of_a_drain)
{
    struct pop pop = pop_make(&(struct pop_options){.exports = LAB_EXPORT_MED});
    struct lab_tcp_server *cache =
        lab_tcp_server_start(pop.node, "192.0.2.53", 6379, LAB_TCP_SILENT, NULL);

    pop_run(&pop, attributes);
    POP_WAIT_ANNOUNCED(&pop);
    assert_attributes(&pop, POP_V4, false);
    assert_attributes(&pop, POP_V6, false);
    size_t mark = pop_mark(&pop);

    lab_tcp_server_crash(cache);
    POP_WAIT_DRAINING(&pop);
    assert_attributes(&pop, POP_V4, true);
    assert_attributes(&pop, POP_V6, true);
    POP_WAIT_SAYS(&pop, "services dns cause", "degraded");
    POP_WAIT_SAYS(&pop, "services dns seen", "true");

    uint64_t revived_ns = lab_now_ns();
    lab_tcp_server_recover(cache);
    LAB_WAIT(!tap_has_community(pop.tap, POP_V4, 65535, 0) &&
                 !tap_has_community(pop.tap, POP_V6, 65535, 0),
             "the full announcement", POP_WAIT_MS);
    assert_true(tap_announced_at_ns(pop.tap, POP_V4) - revived_ns >= POP_HOLD_DOWN_MS * MS);
    POP_HISTORY(&pop, mark, "GA");
}

// bird-facts 11: the device route would win over a static of usual preference.
LAB_TEST(an_address_on_lo_and_a_direct_protocol_are_no_obstacle)
{
    struct pop pop = pop_make(&(struct pop_options){.direct_lo = true});

    pop_run(&pop, POP_USUAL);
    POP_WAIT_ANNOUNCED(&pop);
    POP_WAIT_SAYS(&pop, "services dns prefixes " POP_V4 " condition", "as-meant");
    POP_WAIT_SAYS(&pop, "services dns prefixes " POP_V6 " condition", "as-meant");
    POP_COMMAND(&pop, 0, "drain", "dns");
    POP_WAIT_WITHDRAWN(&pop);
    POP_HISTORY(&pop, 0, "AGW");
}

// bird-facts 12.
LAB_TEST(an_export_filter_that_leaks_the_device_route_is_seen_and_explained)
{
    struct pop pop = pop_make(&(struct pop_options){
        .direct_lo = true,
        .exports = "where proto ~ \"popgate_*\" || proto = \"lab_marker\" || source = RTS_DEVICE"});

    pop_run(&pop, POP_USUAL);
    POP_WAIT_SAYS(&pop, "services dns target", "announce");
    lab_kill(pop.unbound);
    POP_WAIT_SAYS(&pop, "services dns target", "withdraw");
    POP_WAIT_SAYS(&pop, "services dns prefixes " POP_V4 " condition", "leak");
    POP_WAIT_SAYS(&pop, "services dns prefixes " POP_V6 " condition", "leak");
    assert_true(pop_says(&pop, "services dns prefixes " POP_V4 " other", "direct1"));
    assert_true(pop_says(&pop, "services dns prefixes " POP_V4 " other_session", "upstream"));
    LAB_WAIT(pop_has_event(&pop, "leak"), "an event about the leak", POP_WAIT_MS);
    POP_COMMAND(&pop, 0, "explain", "dns");
    assert_non_null(strstr(pop_output, "direct1"));
    POP_COMMAND(&pop, 0, "status");
    assert_non_null(strstr(pop_output, "direct1"));
}

// bird-facts 18.
LAB_TEST(a_drain_that_an_export_filter_strips_is_not_called_seen)
{
    struct pop pop = pop_make(&(struct pop_options){
        .exports = "filter { if proto !~ \"popgate_*\" && proto != \"lab_marker\" then reject;"
                   " bgp_community.delete([(65535, *)]); accept; }"});

    pop_run(&pop, POP_USUAL);
    POP_WAIT_ANNOUNCED(&pop);
    POP_COMMAND(&pop, 5, "drain", "dns", "--grace", "1h", "--wait=1s");
    POP_WAIT_SAYS(&pop, "services dns prefixes " POP_V4 " lacks", "community 65535:0");
    POP_WAIT_SAYS(&pop, "services dns prefixes " POP_V4 " condition", "altered");
    assert_true(pop_says(&pop, "services dns seen", "false"));
    assert_false(pop_draining(&pop));
    POP_COMMAND(&pop, 0, "explain", "dns");
    assert_non_null(strstr(pop_output, "65535:0"));
    POP_COMMAND(&pop, 0, "undrain", "dns", "--wait");
}

LAB_TEST(a_better_route_of_somebody_else_is_shown_as_hiding_ours)
{
    struct pop pop = pop_make(&(struct pop_options){.extra = "protocol static somebody {\n"
                                                             "  ipv4 { preference 300; };\n"
                                                             "  route " POP_V4 " unreachable;\n"
                                                             "}\n"});

    pop_run(&pop, POP_USUAL);
    LAB_WAIT(tap_has(pop.tap, POP_V6), "the other prefix", POP_WAIT_MS);
    POP_WAIT_SAYS(&pop, "services dns prefixes " POP_V4 " condition", "hidden");
    POP_WAIT_SAYS(&pop, "services dns prefixes " POP_V6 " condition", "as-meant");
    assert_false(tap_has(pop.tap, POP_V4));
    POP_COMMAND(&pop, 0, "explain", "dns");
    assert_non_null(strstr(pop_output, "hidden"));

    lab_birdc(pop.bird, "disable somebody");
    POP_WAIT_ANNOUNCED(&pop);
    POP_WAIT_SAYS(&pop, "services dns prefixes " POP_V4 " condition", "as-meant");
}

LAB_TEST(fewer_sessions_than_asked_for_are_not_called_announced)
{
    struct pop pop = pop_make(&(struct pop_options){.another_pop = true});

    pop_run(&pop, "min_sessions = 2\nsessions = upstream another_pop\n" POP_USUAL);
    POP_WAIT_SAYS(&pop, "services dns prefixes " POP_V4 " announced", "true");
    tap_drop_session(pop.another_pop);
    POP_WAIT_SAYS(&pop, "services dns prefixes " POP_V4 " announced", "false");
    POP_WAIT_SAYS(&pop, "services dns prefixes " POP_V4 " condition", "short");
    POP_HISTORY(&pop, 0, "A");
    tap_reconnect(pop.another_pop);
    POP_WAIT_SAYS(&pop, "services dns prefixes " POP_V4 " announced", "true");
}
