// The world around the core in the simulation: the daemon's life and its shell, BIRD, the disk, the
// clocks, and everything that happens by itself. Mischief is in mischief.c.
#pragma once

#include "tests/sim/line.h"
#include "tests/sim/oracle.h"

struct world {
    struct dice dice;
    uint64_t now_ns;
    uint64_t boot_ns; // the monotonic clock's zero
    uint64_t wall_ms; // the wall clock at zero
    struct scene scene;
    struct config *config; // of the daemon that runs, or ran last
    struct events events;
    struct core *core; // NULL while the daemon is dead
    unsigned generation;
    struct model model;
    struct line lines[2]; // by enum order_link
    struct orphans orphans;
    struct oracle oracle;
    bool verbose, quiet, echoes;
    uint64_t inputs;
    uint64_t told; // number of the last event printed

    enum verdict_kind truth[SCENE_PROBES];
    bool blind[SCENE_PROBES]; // the prober can't look: unknown
    bool mute[SCENE_PROBES];  // nor does it say so
    uint64_t verdict_at_ns[SCENE_PROBES];

    struct intent ledger[SCENE_NAMES]; // on disk, with wall-clock times
    uint64_t memory[SCENE_NAMES];      // recent withdrawals, in runtime_dir
    bool memory_exists;

    bool saving, save_fails;
    uint64_t save_version, save_done_ns;
    struct model_file save;  // being written
    struct model_file stale; // what somebody may put back

    bool stopping, stop_able;
    uint64_t stop_at_ns; // it waits no longer

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
struct abilities world_abilities(const struct world *world);

void world_start_daemon(struct world *world);
void world_kill_daemon(struct world *world);
void world_stop_daemon(struct world *world);
void world_reload(struct world *world, const struct scene *scene);
void world_after_input(struct world *world);
void world_lose_bird(struct world *world);
void world_verdict(struct world *world, size_t probe, bool definitive);
void world_echo(struct world *world, const char *text);
void world_configure(struct world *world); // somebody: birdc configure

void world_begin(struct world *world, uint64_t seed, bool verbose);
void world_run(struct world *world, uint64_t end_ns);
void world_end(struct world *world);

// mischief.c: one thing at random.
void mischief(struct world *world);
bool mischief_allow(const char *name);  // one that is known to break a promise; false: no such
bool mischief_forbid(const char *name); // leaves it out, to narrow down what breaks a promise
