// The simulation: the real health, gate, decision, announcer and loader against a model of BIRD and
// of the world, in simulated time. Everything is drawn from one seed; a failure prints the seed,
// and the seed replays it alone.
//
//     sim [--seed N] [--events N] [--episodes N] [--forever] [--verbose]
//         [--with MISCHIEF] [--without MISCHIEF]
#include "tests/sim/world.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STORM_NS (120 * NS_PER_S)
#define QUIET_NS (60 * NS_PER_S)

static void calm_down(struct world *world)
{
    world->quiet = true;
    world->mischief_at_ns = NEVER_NS;
    for (unsigned file = 0; file < SHELL_FILES; file++) {
        world->disks[file].fails = false;
        world->disks[file].slow_until_ns = 0;
    }
    world->dies_in = 0;
    world->model.broken = world->model.refuses = false;
    world->model.cut = 0;
    world->model.include_line = true;
    world->slow_until_ns = 0;
    memset(world->blind, 0, sizeof world->blind);
    memset(world->mute, 0, sizeof world->mute);
    if (world->model.running) {
        model_configure(&world->model); // the operator mends bird.conf
    }
    oracle_tampered(&world->oracle, world_clock_ns(world));
    tell(world, "quiet");
}

static void check_quiet(struct world *world)
{
    enum verdict_kind truth[SCENE_PROBES];
    unsigned cut_off[SCENE_PROBES];
    for (size_t i = 0; i < SCENE_PROBES; i++) {
        truth[i] = world_cuts_off(world, i) ? VERDICT_FAIL : world->truth[i];
        cut_off[i] = world->behind[i] ? world->scene.probes[i].place : NOBODY;
    }
    oracle_check_quiet(&world->oracle, world->shell.core, &world->model, truth, cut_off,
                       world_clock_ns(world));
}

static bool run_episode(uint64_t seed, bool verbose, uint64_t *inputs)
{
    struct world *world = calloc(1, sizeof *world);
    if (world == NULL) {
        abort();
    }
    world_begin(world, seed, verbose);
    world_run(world, world->now_ns + STORM_NS);
    if (world->oracle.broken[0] == '\0') {
        calm_down(world);
        world_run(world, world->now_ns + QUIET_NS);
    }
    if (world->oracle.broken[0] == '\0') {
        verbs_check_quiet(&world->oracle);
        check_quiet(world);
    }
    bool held = world->oracle.broken[0] == '\0';
    if (!held) {
        fprintf(stderr,
                "sim: seed %" PRIu64 ", at %.3f s: %s\nreplay it with: sim --seed %" PRIu64
                " --episodes 1 --verbose\n",
                seed, (double)world->now_ns / (double)NS_PER_S, world->oracle.broken, seed);
    }
    *inputs += world->inputs;
    world_end(world);
    free(world);
    return held;
}

static bool choose(int option, const char *name)
{
    bool known = option == 'w' ? mischief_allow(name) : mischief_forbid(name);
    if (!known) {
        fprintf(stderr, "sim: there is no mischief %s\n", name);
    }
    return known;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"seed", required_argument, NULL, 's'},     {"events", required_argument, NULL, 'n'},
        {"episodes", required_argument, NULL, 'e'}, {"forever", no_argument, NULL, 'f'},
        {"verbose", no_argument, NULL, 'v'},        {"with", required_argument, NULL, 'w'},
        {"without", required_argument, NULL, 'o'},  {NULL, 0, NULL, 0}};
    uint64_t seed = 1;
    uint64_t events = 1000000;
    uint64_t episodes = UINT64_MAX;
    bool verbose = false;
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (option) {
        case 's':
            seed = strtoull(optarg, NULL, 10);
            break;
        case 'n':
            events = strtoull(optarg, NULL, 10);
            break;
        case 'e':
            episodes = strtoull(optarg, NULL, 10);
            events = UINT64_MAX;
            break;
        case 'f':
            events = UINT64_MAX;
            break;
        case 'v':
            verbose = true;
            break;
        case 'w':
        case 'o':
            if (!choose(option, optarg)) {
                return 2;
            }
            break;
        default:
            return 2;
        }
    }
    uint64_t inputs = 0;
    uint64_t done = 0;
    for (; inputs < events && done < episodes; done++) {
        if (!run_episode(seed + done, verbose, &inputs)) {
            return 1;
        }
    }
    printf("sim: %" PRIu64 " events in %" PRIu64 " episodes from seed %" PRIu64
           ": every promise held\n",
           inputs, done, seed);
    return 0;
}
