// The world around the core in the simulation: BIRD, the disks, the clocks, and everything that
// happens by itself (world.c); the daemon's life, with its shell's effects (daemon.c); mischief
// (mischief.c).
#pragma once

#include "controller/core/shell.h"
#include "tests/sim/line.h"
#include "tests/sim/verbs.h"

// Words to be put into the include file, when its disk lets them.
#define WORDS_MAX 64
struct words {
    size_t count;
    char revision[MODEL_REVISION_MAX]; // of the file that they are for
    struct {
        size_t offset;
        char text[3];
    } items[WORDS_MAX];
    uint64_t at_ns; // NEVER_NS: when the save under way has ended
};

// A file of the daemon's, and its saver.
struct disk {
    bool fails;             // saves end with an error
    bool busy;              // one is under way
    bool failed;            // the last of the daemon's
    uint64_t slow_until_ns; // saves take long
    uint64_t done_at_ns, version;
    struct model_file there, writing;
    struct words words; // that wait
    // What is there would not outlast a power cut: that would, as it was spoilt or not.
    bool unsynced, synced_spoilt;
    struct model_file synced;
};

// A reload that a worker prepares.
struct next {
    struct scene scene;
    struct config *config; // NULL: there is none
    struct core *core;
    uint64_t *remembered;
    uint64_t ready_at_ns;
};

struct world {
    struct dice dice;
    uint64_t now_ns;
    uint64_t boot_ns;      // the monotonic clock's zero
    uint64_t wall_ms;      // the wall clock at zero
    uint64_t seen_wall_ms; // that, when the daemon last looked
    char boot_id[16];
    struct scene scene;
    struct model model;
    struct line lines[2]; // by enum order_link
    struct orphans orphans;
    struct disk disks[SHELL_FILES]; // the include file itself is the model's
    struct oracle oracle;
    bool verbose, quiet, echoes;
    unsigned bird_major; // of its version: 3 echoes nothing, and says so
    uint64_t inputs;

    // The daemon; its shell's core is NULL while it is dead.
    struct config *config;
    struct events events;
    struct shell shell;
    unsigned generation;
    struct next next;
    uint64_t tick_at_ns;
    unsigned dies_in; // effects from now; 0: it does not
    bool died, ended; // in the middle of its work; a stop is done
    bool due;         // what was gathered is to be worked off
    bool crowded;     // orders have stayed with the core
    bool stop_able;
    uint64_t stop_at_ns; // it waits no longer

    enum verdict_kind truth[SCENE_PROBES];
    bool blind[SCENE_PROBES]; // the prober can't look: unknown
    bool mute[SCENE_PROBES];  // nor does it say so
    // Its target is not on this host, but behind a route whose place ours takes in the kernel.
    bool behind[SCENE_PROBES];
    uint64_t verdict_at_ns[SCENE_PROBES];

    struct model_file stale; // an include file that somebody may put back
    bool ledger_spoilt;
    unsigned verbs; // number of the last one

    uint64_t daemon_at_ns, bird_at_ns, wake_at_ns; // when what is dead or hung comes back
    uint64_t notice_at_ns;    // when the daemon is told that somebody wrote the include file
    uint64_t configure_at_ns; // when the operator gets round to it (configure = manual)
    uint64_t slow_until_ns;   // BIRD is slow to answer questions
    uint64_t mischief_at_ns, session_at_ns[MODEL_SESSIONS];
    uint64_t seen_at_ns; // since when BIRD has had our revision, and could say so; NEVER_NS: not
};

__attribute__((format(printf, 2, 3))) void tell(const struct world *world, const char *text, ...);

uint64_t world_clock_ns(const struct world *world); // the daemon's monotonic clock
uint64_t world_wall_ms(const struct world *world);
bool world_cuts_off(struct world *world, size_t probe); // at present
struct abilities world_abilities(const struct world *world);
void world_lose_bird(struct world *world);
void world_verdict(struct world *world, size_t probe, bool definitive);
void world_echo(struct world *world, const char *text);
void world_configure(struct world *world); // somebody: birdc configure

void world_begin(struct world *world, uint64_t seed, bool verbose);
void world_run(struct world *world, uint64_t end_ns);
void world_end(struct world *world);

// daemon.c
static inline bool daemon_lives(const struct world *world)
{
    return world->shell.core != NULL;
}
struct model_file *daemon_file(struct world *world, enum shell_file file);
void daemon_start(struct world *world);
void daemon_kill(struct world *world);
void daemon_lose_power(struct world *world); // if it lives
void daemon_stop(struct world *world);
void daemon_reload(struct world *world, const struct scene *scene); // sooner or later
void daemon_ask(struct world *world, struct asked *asked);          // an operator's verb
void daemon_after_input(struct world *world);
void daemon_gather_input(struct world *world); // now, or at the end of this instant
void daemon_end_phase(struct world *world);
uint64_t daemon_next_ns(const struct world *world);
void daemon_go_on(struct world *world); // with what is due: ticks, saves, a reload, the end
uint64_t slow_ns(const struct world *world, unsigned link);
extern const struct line_events daemon_line_events; // for struct link_arg

struct link_arg {
    struct world *world;
    enum order_link link;
};

// mischief.c: one thing at random.
void mischief(struct world *world);
bool mischief_allow(const char *name);  // one that is known to break a promise; false: no such
bool mischief_forbid(const char *name); // leaves it out, to narrow down what breaks a promise
