// A whole PoP, as most end-to-end tests and the demo want it: a router with BIRD and popgated,
// unbound behind an anycast address of each family on the router's lo, and a tap as the upstream.
#pragma once

#include "tests/lab/bird.h"
#include "tests/lab/lab.h"
#include "tests/lab/popgated.h"
#include "tests/lab/service.h"
#include "tests/lab/tap.h"

#define POP_AS      64512
#define UPSTREAM_AS 64600
#define TRANSIT_AS  64700

// The session with the transit (`transit` alone is a word of BIRD 3.0 and 3.1: bird-facts 27).
#define POP_TRANSIT "to_transit"

#define POP_V4 "192.0.2.53/32"
#define POP_V6 "2001:db8::53/128"

// What unbound answers for.
#define POP_WWW    "www.example.net"
#define POP_WWW_V4 "192.0.2.80"
extern const struct lab_unbound pop_unbound;

#define POP_WAIT_MS 20000 // long, for a machine that is busy; a test that passes never waits it out

struct pop_options {
    bool another_pop;    // iBGP with another PoP, which announces nothing until the test says so
    bool transit;        // a second upstream, a real BIRD
    bool direct_lo;      // BIRD takes the anycast addresses from lo as well (bird-facts 11)
    bool no_include;     // bird.conf lacks popgate's line
    bool no_unbound;     // the service is not there yet: lab_unbound_restart() starts it
    bool bare;           // neither unbound nor the addresses
    const char *exports; // to the upstream; NULL: LAB_EXPORT
    const char *extra;   // more of bird.conf; may be NULL
};

struct pop {
    struct lab_node *node;          // the router
    struct lab_node *upstream;      // where the tap is
    struct lab_bird *bird;          // on it
    struct tap *tap;                // the upstream, and what it sees
    struct tap *another_pop;        // NULL unless asked for
    struct lab_bird *transit;       // NULL unless asked for
    struct lab_node *transit_node;  // where it runs
    struct lab_process *unbound;    // on the router
    struct lab_popgated *popgated;  // after pop_run()
    char bird_conf[LAB_CONFIG_MAX]; // as it was written
};

// Everything but popgated; BIRD's sessions are established.
struct pop pop_make(const struct pop_options *options);

// Probes of the service, as lines of popgate.conf, and the service's section up to its timing; a
// test adds keys and sections of its own after them:
//     pop_run(&pop, POP_PROBES POP_SERVICE POP_TIMING "communities = 64512:100\n");
#define POP_PROBE_KEYS                                                                             \
    "qname = id.server\nclass = CH\nqtype = TXT\n"                                                 \
    "interval = 200ms\nfast_interval = 50ms\ntimeout = 2s\nrise = 2\nfall = 2\n"
#define POP_PROBES                                                                                 \
    "[probe dns4]\ntype = dns\ntarget = 192.0.2.53:53\n" POP_PROBE_KEYS                            \
    "[probe dns6]\ntype = dns\ntarget = [2001:db8::53]:53\n" POP_PROBE_KEYS
#define POP_SERVICE                                                                                \
    "[service dns]\nprefixes = " POP_V4 " " POP_V6 "\nrequire = dns4 dns6\n"                       \
    "last_pop_guard = off\n"
#define POP_HOLD_DOWN_MS 400
#define POP_GRACE_MS     600
#define POP_TIMING       "hold_down = 400ms\nmax_hold_down = 1s\ngrace = 600ms\n"
#define POP_USUAL        POP_PROBES POP_SERVICE POP_TIMING

void pop_run(struct pop *pop, const char *sections);    // starts popgated
void pop_write(struct pop *pop, const char *sections);  // its configuration, for the next start
void pop_reload(struct pop *pop, const char *sections); // SIGHUP

// ---- What the upstream sees

bool pop_announced(const struct pop *pop); // both prefixes
bool pop_withdrawn(const struct pop *pop); // neither of them
bool pop_draining(const struct pop *pop);  // both, with GRACEFUL_SHUTDOWN (RFC 8326)

#define POP_WAIT_ANNOUNCED(pop)                                                                    \
    LAB_WAIT(pop_announced(pop), "the upstream to have both prefixes", POP_WAIT_MS)
#define POP_WAIT_WITHDRAWN(pop)                                                                    \
    LAB_WAIT(pop_withdrawn(pop), "the upstream to have lost both prefixes", POP_WAIT_MS)
#define POP_WAIT_DRAINING(pop)                                                                     \
    LAB_WAIT(pop_draining(pop), "GRACEFUL_SHUTDOWN at the upstream", POP_WAIT_MS)

// Everything that BIRD had to say has come: the number of events until now, as a mark.
size_t pop_mark(const struct pop *pop);

// The history of both prefixes since mark, once everything has come, must be this: A an
// announcement, G one with GRACEFUL_SHUTDOWN, W a withdrawal, L lost with the session. "" says that
// nothing was sent.
#define POP_HISTORY(pop, mark, letters) pop_history((pop), (mark), (letters), __FILE__, __LINE__)
void pop_history(const struct pop *pop, size_t mark, const char *letters, const char *file,
                 int line);

// The same, awaited: of what may have come and gone before the test has looked at it.
#define POP_WAIT_HISTORY(pop, mark, letters)                                                       \
    LAB_WAIT(pop_saw((pop), (mark), (letters)), "the upstream to have seen " letters, POP_WAIT_MS)
bool pop_saw(const struct pop *pop, size_t mark, const char *letters);

// POP_HISTORY() of another prefix.
#define POP_HISTORY_OF(pop, prefix, mark, letters)                                                 \
    pop_history_of((pop), (prefix), (mark), (letters), __FILE__, __LINE__)
void pop_history_of(const struct pop *pop, const char *prefix, size_t mark, const char *letters,
                    const char *file, int line);

// ---- What popgated says

// One value of /v1/status?full=1, as text ("true", "12"); a path is words, an object of an array is
// chosen by its name or prefix, e.g. "services dns prefixes 192.0.2.53/32 condition". "" when there
// is no such thing, or no answer. Valid until the next call.
const char *pop_status(const struct pop *pop, const char *path);

bool pop_says(const struct pop *pop, const char *path, const char *value);
bool pop_says_part(const struct pop *pop, const char *path, const char *part);
#define POP_WAIT_SAYS(pop, path, value)                                                            \
    LAB_WAIT(pop_says((pop), (path), (value)), "popgated to say " path " = " value, POP_WAIT_MS)

// Is there an event whose text contains this?
bool pop_has_event(const struct pop *pop, const char *text);

// `popgate WORDS...` must end with this status; what it wrote is in pop_output.
#define POP_COMMAND(pop, status, ...)                                                              \
    pop_command((pop), (status), LAB_ARGV(__VA_ARGS__), __FILE__, __LINE__)
void pop_command(const struct pop *pop, int status, const char *const words[], const char *file,
                 int line);
extern char pop_output[LAB_OUTPUT_MAX];
