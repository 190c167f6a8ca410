#include "tests/sim/world.h"

#include "tests/sim/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void tell(const struct world *world, const char *text, ...)
{
    if (world->verbose) {
        va_list args;
        va_start(args, text);
        printf("%10.3f  ", (double)world->now_ns / (double)NS_PER_S);
        vprintf(text, args);
        putchar('\n');
        va_end(args);
    }
}

uint64_t world_clock_ns(const struct world *world)
{
    return world->now_ns - world->boot_ns;
}

uint64_t world_wall_ms(const struct world *world)
{
    return world->wall_ms + world->now_ns / NS_PER_MS;
}

struct abilities world_abilities(const struct world *world)
{
    const struct line *act = &world->lines[ORDER_LINK_ACT];
    const struct line *ask = &world->lines[ORDER_LINK_ASK];
    const struct disk *disk = &world->disks[SHELL_INCLUDE];
    struct abilities abilities = {.switches = daemon_lives(world) && world->model.running &&
                                              !world->model.hung && !world->model.refuses &&
                                              act->told == BIRD_LINK_UP};
    abilities.repairs = abilities.switches && ask->told == BIRD_LINK_UP && !disk->fails &&
                        disk->slow_until_ns + 3 * NS_PER_S <= world->now_ns &&
                        world->slow_until_ns <= world->now_ns &&
                        strcmp(world->model.loaded.revision, world->oracle.revision) == 0;
    abilities.notices = abilities.repairs && (world->echoes || world->bird_major > 2);
    return abilities;
}

// ---- BIRD

static void step_line(struct world *world, unsigned link)
{
    struct link_arg arg = {world, link};
    line_step(&world->lines[link], &world->model, &world->orphans, &world->dice,
              slow_ns(world, link), world->now_ns, &daemon_line_events, &arg);
}

void world_lose_bird(struct world *world)
{
    model_stop(&world->model);
    world->orphans.count = 0;
    for (unsigned i = 0; i < 2 && daemon_lives(world); i++) {
        struct link_arg arg = {world, i};
        line_lost(&world->lines[i], &world->dice, world->now_ns, &daemon_line_events, &arg);
    }
    world->wake_at_ns = NEVER_NS;
}

static void start_bird(struct world *world)
{
    tell(world, "BIRD starts");
    world->bird_at_ns = NEVER_NS;
    world->model.broken = false; // else it would not start
    model_start(&world->model);
    for (size_t i = 0; i < MODEL_SESSIONS; i++) {
        world->session_at_ns[i] = world->now_ns + dice_ms(&world->dice, 100, 2000);
    }
    oracle_disturbed(&world->oracle, world_clock_ns(world));
}

static void wake_bird(struct world *world)
{
    tell(world, "BIRD wakes");
    world->wake_at_ns = NEVER_NS;
    world->model.hung = false;
    orphans_do(&world->orphans, &world->model);
    oracle_tampered(&world->oracle, world_clock_ns(world));
}

void world_echo(struct world *world, const char *text)
{
    if (daemon_lives(world) && world->echoes && !world->model.hung &&
        world->lines[ORDER_LINK_ASK].state == LINE_READY) {
        core_echo(world->shell.core, text, world_clock_ns(world));
        daemon_gather_input(world);
    }
}

void world_configure(struct world *world)
{
    tell(world, "somebody: birdc configure");
    model_configure(&world->model);
    oracle_tampered(&world->oracle, world_clock_ns(world));
    world_echo(world, "Reconfiguring");
}

static void establish(struct world *world, size_t session)
{
    world->session_at_ns[session] = NEVER_NS;
    if (world->model.running && !world->model.established[session]) {
        world->model.established[session] = true;
        model_see(&world->model);
        oracle_disturbed(&world->oracle, world_clock_ns(world));
    }
}

// With configure = manual, somebody does it sooner or later.
static void by_hand(struct world *world)
{
    world->configure_at_ns = NEVER_NS;
    if (world->model.running && !world->model.hung) {
        world_configure(world);
    }
}

static void plan_by_hand(struct world *world)
{
    if (world->scene.manual && world->configure_at_ns == NEVER_NS && daemon_lives(world) &&
        strcmp(world->model.loaded.revision, world->oracle.revision) != 0) {
        world->configure_at_ns = world->now_ns + dice_ms(&world->dice, 500, 8000);
    }
}

// ---- What happens by itself

// A target in a prefix of whose gate does not need it is nobody's business here.
bool world_cuts_off(struct world *world, size_t probe)
{
    unsigned place = world->scene.probes[probe].place;
    return world->behind[probe] && model_has(&world->model, place) &&
           books_led_to(&world->oracle, probe, place) != NULL;
}

// The kernel's way to the probe's target, if it is asked for.
static void tell_way(struct world *world, size_t probe, const struct verdict *verdict)
{
    uint64_t clock_ns = world_clock_ns(world);
    if (!core_asks_way(world->shell.core, probe, verdict, clock_ns)) {
        return;
    }
    unsigned place = world->scene.probes[probe].place;
    struct way way = {.kind = WAY_LOCAL, .text = "local"};
    if (world_cuts_off(world, probe)) {
        way = (struct way){.kind = WAY_BLACKHOLE};
    } else if (world->behind[probe]) {
        bool v6 = place % PLOT_PREFIXES == PLOT_PREFIXES - 1;
        way = (struct way){
            .kind = WAY_ROUTE, .length = v6 ? 128 : 32, .by_bird = true, .text = "via 10.8.0.2"};
    }
    tell(world, "the way of p%zu is of kind %d", probe, way.kind);
    oracle_way(&world->oracle, probe, place, verdict->kind, way.kind);
    core_way(world->shell.core, probe, verdict, &way, clock_ns);
}

void world_verdict(struct world *world, size_t probe, bool definitive)
{
    const struct probe_conf *conf = &world->config->probes[probe];
    enum verdict_kind kind = world->truth[probe];
    if (!world->quiet && !definitive && dice_chance(&world->dice, 3)) {
        kind = dice_below(&world->dice, VERDICT_PASS + 1); // a lost packet, a hiccup
    }
    bool cut_off = world_cuts_off(world, probe);
    if (cut_off) {
        kind = VERDICT_FAIL;
    }
    if (world->blind[probe]) {
        kind = VERDICT_UNKNOWN;
    }
    struct check check;
    struct verdict it;
    check_draw(&check, conf, kind, definitive && !cut_off, !world->quiet, &world->dice);
    if (cut_off && kind == VERDICT_FAIL) {
        check.code = "unreachable"; // nobody is there who could refuse
    }
    const char *broken = check_run(&check, conf, &it);
    if (broken != NULL) {
        oracle_broken(&world->oracle, "%s: p%zu is %s (%s): %s", broken, probe,
                      verdict_name(it.kind), it.code, it.cause);
    }
    it.at_ns = world_clock_ns(world);
    if (!world->mute[probe]) {
        tell_way(world, probe, &it);
        oracle_verdict(&world->oracle, probe, &it, world_clock_ns(world));
        core_verdict(world->shell.core, probe, &it, world_clock_ns(world));
    }
    bool fast = core_probe_unsettled(world->shell.core, probe);
    uint64_t interval_ms = fast ? conf->fast_interval_ms : conf->interval_ms;
    world->verdict_at_ns[probe] =
        world->now_ns + dice_ms(&world->dice, interval_ms * 9 / 10, interval_ms);
    if (!world->mute[probe]) {
        daemon_gather_input(world);
    }
}

static void notice_file(struct world *world)
{
    world->notice_at_ns = NEVER_NS;
    if (daemon_lives(world) && include_is_saved(&world->shell.core->include)) {
        core_file_foreign(world->shell.core, world_clock_ns(world));
        daemon_after_input(world);
    }
}

static uint64_t earliest(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t next_at_ns(const struct world *world)
{
    uint64_t at_ns = earliest(world->daemon_at_ns, earliest(world->bird_at_ns, world->wake_at_ns));
    at_ns = earliest(at_ns, earliest(world->notice_at_ns, world->configure_at_ns));
    at_ns = earliest(at_ns, world->mischief_at_ns);
    for (size_t i = 0; i < MODEL_SESSIONS; i++) {
        at_ns = earliest(at_ns, world->session_at_ns[i]);
    }
    if (!daemon_lives(world)) {
        return at_ns;
    }
    for (size_t i = 0; i < world->config->probe_count; i++) {
        at_ns = earliest(at_ns, world->verdict_at_ns[i]);
    }
    for (unsigned i = 0; i < 2; i++) {
        at_ns = earliest(at_ns, line_next_ns(&world->lines[i], &world->model));
    }
    return earliest(at_ns, daemon_next_ns(world));
}

// What is due now of what the daemon takes part in.
static void do_inputs(struct world *world)
{
    uint64_t now_ns = world->now_ns;
    daemon_go_on(world);
    for (unsigned i = 0; i < 2 && daemon_lives(world); i++) {
        if (now_ns >= line_next_ns(&world->lines[i], &world->model)) {
            step_line(world, i);
        }
    }
    for (size_t i = 0; daemon_lives(world) && i < world->config->probe_count; i++) {
        if (now_ns >= world->verdict_at_ns[i]) {
            world_verdict(world, i, false);
        }
    }
}

// One thing that is due now, in an order that does not matter as all orders come up.
static void do_one(struct world *world)
{
    uint64_t now_ns = world->now_ns;
    if (now_ns >= world->daemon_at_ns) {
        daemon_start(world);
    } else if (now_ns >= world->bird_at_ns) {
        start_bird(world);
    } else if (now_ns >= world->wake_at_ns) {
        wake_bird(world);
    } else if (now_ns >= world->notice_at_ns) {
        notice_file(world);
    } else if (now_ns >= world->configure_at_ns) {
        by_hand(world);
    } else if (now_ns >= world->mischief_at_ns) {
        mischief(world);
    } else {
        for (size_t i = 0; i < MODEL_SESSIONS; i++) {
            if (now_ns >= world->session_at_ns[i]) {
                establish(world, i);
            }
        }
        if (daemon_lives(world)) {
            do_inputs(world);
        }
    }
    plan_by_hand(world);
}

void world_run(struct world *world, uint64_t end_ns)
{
    while (world->oracle.broken[0] == '\0') {
        uint64_t at_ns = next_at_ns(world);
        if (world->due && at_ns > world->now_ns) {
            daemon_end_phase(world); // which may bring what comes before
            continue;
        }
        if (at_ns >= end_ns) {
            world->now_ns = end_ns;
            return;
        }
        world->now_ns = at_ns > world->now_ns ? at_ns : world->now_ns;
        do_one(world);
    }
}

void world_begin(struct world *world, uint64_t seed, bool verbose)
{
    world->dice.state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    world->verbose = verbose;
    world->now_ns = NS_PER_S;
    world->wall_ms = UINT64_C(1795222208123);
    world->echoes = dice_chance(&world->dice, 50);
    world->bird_major = !world->echoes && dice_chance(&world->dice, 25) ? 3 : 2;
    snprintf(world->boot_id, sizeof world->boot_id, "boot1");
    scene_draw(&world->scene, &world->dice);
    for (size_t i = 0; i < SCENE_PLOTS; i++) {
        world->model.elsewhere[i] = dice_chance(&world->dice, 70);
    }
    model_init(&world->model);
    for (size_t i = 0; i < SCENE_PROBES; i++) {
        world->truth[i] = VERDICT_PASS;
    }
    for (size_t i = 0; i < MODEL_SESSIONS; i++) {
        world->session_at_ns[i] = NEVER_NS;
    }
    world->notice_at_ns = world->wake_at_ns = world->seen_at_ns = NEVER_NS;
    world->configure_at_ns = world->stop_at_ns = world->tick_at_ns = NEVER_NS;
    world->bird_at_ns = world->now_ns + dice_ms(&world->dice, 1, 2000);
    world->daemon_at_ns = world->now_ns + dice_ms(&world->dice, 1, 2000);
    world->mischief_at_ns = world->now_ns + dice_ms(&world->dice, 5000, 20000);
}

void world_end(struct world *world)
{
    if (daemon_lives(world)) {
        daemon_kill(world);
    }
}
