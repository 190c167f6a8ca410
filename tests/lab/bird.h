// Real BIRDs in nodes, and the usual PoP's configuration for them.
#pragma once

#include "tests/lab/lab.h"
#include "tests/lab/tap.h"

struct lab_bird;

// The BIRD of every lab: BIRD in the environment, e.g. /opt/bird-3.3.2/sbin/bird, else bird; and
// the client that came with it.
const char *lab_bird_program(void);
const char *lab_birdc_program(char out[LAB_PATH_MAX]);

// Runs it with this configuration, and waits till its control socket answers. One per node.
struct lab_bird *lab_bird_start(struct lab_node *node, const char *config);

struct lab_process *lab_bird_process(struct lab_bird *bird); // to stop, signal, kill
struct lab_node *lab_bird_node(const struct lab_bird *bird);

// Where its clients find it: its own control socket, or whatever a relay said stands before that.
const char *lab_bird_socket(const struct lab_bird *bird);
void lab_bird_behind(struct lab_bird *bird, const char *socket);

void lab_bird_kill(struct lab_bird *bird);    // SIGKILL
void lab_bird_restart(struct lab_bird *bird); // kills it when it runs, starts, waits as at first

// Replaces the configuration file; `configure` is for the test to say.
void lab_bird_write(struct lab_bird *bird, const char *config);

// Says command on the control socket. Returns the whole reply as BIRD sent it, with the codes, e.g.
// "0009-popgate_dns_v4: disabled\n0000 \n"; valid until the next command to this BIRD.
const char *lab_birdc(struct lab_bird *bird, const char *command);

// Imported routes of a protocol, as `show protocols all` counts them, all channels together.
uint64_t lab_bird_imported(struct lab_bird *bird, const char *protocol);

bool lab_bird_established(struct lab_bird *bird, const char *session);

// ---- The usual router

struct lab_neighbor {
    const char *name;           // of the protocol
    const char *local, *remote; // addresses
    uint32_t as;
    const char *exports; // BIRD's words after `export`; NULL: LAB_EXPORT
    bool passive;        // wait for the other side to connect
};
#define LAB_EXPORT "where proto ~ \"popgate_*\" || proto = \"lab_marker\""
// The same, and BIRD sends the MED of those that have one (bird-facts 14 and 24).
#define LAB_EXPORT_MED                                                                             \
    "filter { if proto ~ \"popgate_*\" || proto = \"lab_marker\""                                  \
    " then { if defined(bgp_med) then bgp_med = bgp_med; accept; } reject; }"
#define LAB_NEIGHBORS 8

struct lab_router {
    const char *id; // router id
    uint32_t as;
    struct lab_neighbor neighbors[LAB_NEIGHBORS]; // ends at a NULL name
    bool direct_lo;                               // protocol direct on lo
    const char *extra;                            // more configuration; may be NULL
};

// BIRD's configuration for a node: includes popgate's file of the node's run/, and has the
// neighbours with both families and short retry times. Returns out.
#define LAB_CONFIG_MAX 16384
const char *lab_router_config(const struct lab_node *node, const struct lab_router *router,
                              char out[LAB_CONFIG_MAX]);

// Returns when the tap has everything that this BIRD (with lab_router_config) had to tell it before
// the call. For tests that nothing was sent: a marker route, 203.0.113.255/32, comes and goes. It
// makes events of its own, so ask tap_events() for your prefix.
void lab_barrier(struct lab_bird *bird, struct tap *tap);
