// See pair.h. fra1 and ams1 know each other by iBGP, as PoPs of one AS do: so each sees that it is
// not the last one.
#include "tests/lab/pair.h"

#include <stdio.h>
#include <string.h>

#define ADDRESS_V4 "192.0.2.53"
#define ADDRESS_V6 "2001:db8::53"

const char *const pair_names[] = {"fra1", "ams1"};

static const struct {
    const char *up_v4, *up_v6;       // to the upstream: own
    const char *peer_v4, *peer_v6;   // and its end
    const char *other_v4, *other_v6; // to the other PoP
} ends[] = {
    {"10.0.4.1", "2001:db8:4::1", "10.0.4.2", "2001:db8:4::2", "10.0.6.1", "2001:db8:6::1"},
    {"10.0.5.1", "2001:db8:5::1", "10.0.5.2", "2001:db8:5::2", "10.0.6.2", "2001:db8:6::2"},
};

static void link_with(struct lab_node *a, const char *a_v4, const char *a_v6, struct lab_node *b,
                      const char *b_v4, const char *b_v6)
{
    char a_both[128], b_both[128];

    snprintf(a_both, sizeof a_both, "%s/24 %s/64", a_v4, a_v6);
    snprintf(b_both, sizeof b_both, "%s/24 %s/64", b_v4, b_v6);
    lab_link(a, a_both, b, b_both);
}

static void make_network(struct pair *pair)
{
    pair->upstream = lab_node("upstreams");
    for (size_t i = 0; i < PAIR_POPS; i++) {
        struct lab_node *node = pair->pops[i].node = lab_node(pair_names[i]);

        link_with(node, ends[i].up_v4, ends[i].up_v6, pair->upstream, ends[i].peer_v4,
                  ends[i].peer_v6);
        lab_ip(node, "route add default via %s", ends[i].peer_v4);
        lab_ip(node, "-6 route add default via %s", ends[i].peer_v6);
        lab_address_add(node, POP_V4 " " POP_V6);
    }
    link_with(pair->pops[0].node, ends[0].other_v4, ends[0].other_v6, pair->pops[1].node,
              ends[1].other_v4, ends[1].other_v6);
}

static void start_upstream(struct pair *pair)
{
    char config[LAB_CONFIG_MAX];
    FILE *stream = fmemopen(config, sizeof config, "w");

    if (stream == NULL) {
        lab_fail("out of memory");
    }
    fprintf(stream, "log stderr all;\nrouter id 10.0.4.2;\nprotocol device { }\n"
                    "protocol kernel { ipv4 { export all; }; }\n"
                    "protocol kernel { ipv6 { export all; }; }\n"
                    "filter honour {\n"
                    "  if (65535, 0) ~ bgp_community then bgp_local_pref = 0;\n"
                    "  accept;\n}\n");
    for (size_t i = 0; i < PAIR_POPS; i++) {
        fprintf(stream,
                "protocol bgp %s {\n  local %s as %u;\n  neighbor %s as %u;\n  passive;\n"
                "  ipv4 { import filter honour; export none; };\n"
                "  ipv6 { import filter honour; export none; };\n}\n",
                pair_names[i], ends[i].peer_v4, UPSTREAM_AS, ends[i].up_v4, POP_AS);
    }
    fclose(stream);
    pair->upstream_bird = lab_bird_start(pair->upstream, config);
}

static void start_pop(struct pair *pair, size_t i)
{
    struct pop *pop = &pair->pops[i];
    size_t other = 1 - i;
    struct lab_router router = {
        .id = ends[i].up_v4,
        .as = POP_AS,
        .neighbors = {{.name = "upstream",
                       .local = ends[i].up_v4,
                       .remote = ends[i].peer_v4,
                       .as = UPSTREAM_AS},
                      {.name = "other_pop",
                       .local = ends[i].other_v4,
                       .remote = ends[other].other_v4,
                       .as = POP_AS,
                       .passive = i == 0}},
    };

    pop->bird = lab_bird_start(pop->node, lab_router_config(pop->node, &router, pop->bird_conf));
}

static void run_popgated(struct pair *pair, size_t i)
{
    char sections[1024];

    snprintf(sections, sizeof sections,
             "[responder]\nlisten = " ADDRESS_V4 ":53 [" ADDRESS_V6 "]:53\nrate_limit = 0\n"
             "[probe id4]\ntype = dns\ntarget = " ADDRESS_V4 ":53\nnsid = %s\n" POP_PROBE_KEYS
             "[probe id6]\ntype = dns\ntarget = [" ADDRESS_V6 "]:53\nnsid = %s\n" POP_PROBE_KEYS
             "[service " PAIR_SERVICE "]\nprefixes = " POP_V4 " " POP_V6 "\nrequire = id4 id6\n"
             "grace = 2s\n",
             pair_names[i], pair_names[i]);
    pop_run(&pair->pops[i], sections);
}

struct pair pair_make(void)
{
    struct pair pair = {0};

    make_network(&pair);
    start_upstream(&pair);
    for (size_t i = 0; i < PAIR_POPS; i++) {
        start_pop(&pair, i);
    }
    for (size_t i = 0; i < PAIR_POPS; i++) {
        run_popgated(&pair, i);
    }
    for (size_t i = 0; i < PAIR_POPS; i++) {
        LAB_WAIT(lab_bird_imported(pair.upstream_bird, pair_names[i]) == 2,
                 "the upstream to have both prefixes of each PoP", POP_WAIT_MS);
        LAB_WAIT(lab_bird_imported(pair.pops[i].bird, "other_pop") == 2,
                 "each PoP to have the other's prefixes", POP_WAIT_MS);
    }
    pair.client = (struct lab_server){.from = pair.upstream, .address = ADDRESS_V4};
    return pair;
}

size_t pair_best(const struct pair *pair)
{
    const char *route = lab_birdc(pair->upstream_bird, "show route " POP_V4 " primary");

    return strstr(route, ends[0].up_v4) != NULL ? 0 : 1;
}
