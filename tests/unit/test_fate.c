// What a kind of session makes of a service's routes.
#include "controller/core/fate.h"

#include "tests/unit/small_config.h"

static struct config *config;
static struct session session;

static int start(void **state)
{
    (void)state;
    config = NULL;
    session = (struct session){.name = "up1", .there = true, .bgp_known = true};
    session.bgp = (struct bird_bgp){.neighbor_as = 64513, .local_as = 64512};
    return 0;
}

static int stop(void **state)
{
    (void)state;
    config_free(config);
    return 0;
}

TEST_FIXTURE(start, stop);

static void internal(void)
{
    session.bgp.neighbor_as = session.bgp.local_as;
}

// Of a service with these keys besides.
static void expect(const char *keys, enum fate normal, enum fate drained)
{
    char text[512];
    config_free(config);
    snprintf(text, sizeof text,
             PROBE("p") "[service dns]\nprefixes = 192.0.2.1/32\nrequire = p\n%s", keys);
    config = small_config(text);
    assert_int_equal(fate_of(&config->services[0], &session, false), normal);
    assert_int_equal(fate_of(&config->services[0], &session, true), drained);
}

TEST(as_it_comes_a_drain_is_something_to_every_neighbour)
{
    expect("", FATE_TAKEN, FATE_TAKEN);
    internal();
    expect("", FATE_TAKEN, FATE_TAKEN);
}

TEST(internal_neighbours_drop_what_has_our_own_as_in_its_path)
{
    expect("prepend = 2\n", FATE_TAKEN, FATE_TAKEN);
    expect("drain_prepend = 2\n", FATE_TAKEN, FATE_TAKEN);
    internal();
    expect("prepend = 2\n", FATE_DROPPED, FATE_DROPPED);
    expect("prepend = 2\ndrain_prepend = 0\n", FATE_DROPPED, FATE_TAKEN);
    expect("drain_prepend = 2\n", FATE_TAKEN, FATE_DROPPED);
    expect("drain_local_pref = 50\n", FATE_TAKEN, FATE_TAKEN);
}

TEST(external_neighbours_are_sent_no_local_pref)
{
    expect("drain_communities = none\ndrain_local_pref = 50\n", FATE_TAKEN, FATE_SAME);
    expect("drain_local_pref = 50\n", FATE_TAKEN, FATE_TAKEN);
    internal();
    expect("drain_communities = none\ndrain_local_pref = 50\n", FATE_TAKEN, FATE_TAKEN);
}

TEST(external_neighbours_are_sent_a_med_only_as_the_filter_says)
{
    expect("drain_communities = none\ndrain_med = 50\n", FATE_TAKEN, FATE_BY_FILTER);
    expect("drain_communities = none\ndrain_med = 50\ndrain_local_pref = 50\n", FATE_TAKEN,
           FATE_BY_FILTER);
    expect("drain_med = 50\n", FATE_TAKEN, FATE_TAKEN);
    internal();
    expect("drain_communities = none\ndrain_med = 50\n", FATE_TAKEN, FATE_TAKEN);
}

TEST(of_a_session_that_is_not_known_nothing_is_said)
{
    internal();
    session.bgp_known = false;
    expect("prepend = 2\n", FATE_TAKEN, FATE_TAKEN);
}
