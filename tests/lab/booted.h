// A PoP as an operator installs it, on a booted systemd (boot.h): BIRD and popgated are what their
// units make of them, the service is popgated's own responder behind an anycast address of each
// family on lo, and a tap is the upstream.
#pragma once

#include "tests/lab/boot.h"
#include "tests/lab/pop.h"

struct booted {
    struct lab_node *node, *upstream;
    struct tap *tap;
    struct boot *boot;
};

// Of popgate.conf; a test may add keys of [service identity] after it, or sections.
#define BOOTED_HEAD                                                                                \
    "[pop]\nid = pop\nregion = " LAB_REGION "\n[bird]\nlocal_as = 64512\n"                         \
    "[responder]\nlisten = 192.0.2.53:53 [2001:db8::53]:53\nzone = pop.example.net\n"
#define BOOTED_PROBES                                                                              \
    "[probe dns4]\ntype = dns\ntarget = 192.0.2.53:53\n" POP_PROBE_KEYS "nsid = {pop.id}\n"        \
    "[probe dns6]\ntype = dns\ntarget = [2001:db8::53]:53\n" POP_PROBE_KEYS "nsid = {pop.id}\n"
#define BOOTED_SERVICE                                                                             \
    "[service identity]\nprefixes = " POP_V4 " " POP_V6 "\nrequire = dns4 dns6\n"                  \
    "last_pop_guard = off\n" POP_TIMING
#define BOOTED_USUAL BOOTED_HEAD BOOTED_PROBES BOOTED_SERVICE

// The host before popgate: BIRD is enabled, and its bird.conf includes popgate's file only if
// includes; not yet booted.
struct booted booted_host(bool includes);

// As README's "Use it" has it: puts the files there, and enables nothing.
void booted_install(const struct booted *pop);
void booted_configure(const struct booted *pop, const char *config); // writes popgate.conf

// Installed, configured with BOOTED_USUAL, booted, `systemctl enable --now`, announced.
struct booted booted_pop(void);

#define BOOTED_WAIT_ANNOUNCED(pop)                                                                 \
    LAB_WAIT(tap_has((pop)->tap, POP_V4) && tap_has((pop)->tap, POP_V6),                           \
             "the upstream to have both prefixes", BOOTED_WAIT_MS)
#define BOOTED_WAIT_WITHDRAWN(pop)                                                                 \
    LAB_WAIT(!tap_has((pop)->tap, POP_V4) && !tap_has((pop)->tap, POP_V6),                         \
             "the upstream to have lost both prefixes", BOOTED_WAIT_MS)
#define BOOTED_WAIT_MS 40000

// A word of `systemctl show`: LAB_WAIT(booted_is(&pop, "popgated", "ActiveState", "active"), ...).
bool booted_is(const struct booted *pop, const char *unit, const char *property, const char *value);

// Does the journal of this boot have it?
bool booted_log_has(const struct booted *pop, const char *text);

// argv must end with this status; what it wrote is in pop_output.
#define BOOTED_RUN(pop, status, ...)                                                               \
    booted_run((pop), (status), LAB_ARGV(__VA_ARGS__), __FILE__, __LINE__)
void booted_run(const struct booted *pop, int status, const char *const argv[], const char *file,
                int line);
