// What may go wrong, and what operators do: a table of it, with how often.
#include "tests/sim/world.h"

#include <stdio.h>
#include <string.h>

static unsigned below(struct world *world, size_t bound)
{
    return (unsigned)dice_below(&world->dice, bound);
}

static bool chance(struct world *world, unsigned percent)
{
    return dice_chance(&world->dice, percent);
}

static void disturb(struct world *world)
{
    oracle_disturbed(&world->oracle, world_clock_ns(world));
}

// ---- Services

static void flip_probe(struct world *world)
{
    static const enum verdict_kind kinds[] = {VERDICT_PASS, VERDICT_PASS, VERDICT_FAIL,
                                              VERDICT_DEGRADED};
    size_t probe = below(world, world->scene.probe_count);
    world->truth[probe] = kinds[below(world, 4)];
    world->blind[probe] = chance(world, 15);
    world->mute[probe] = chance(world, 3);
    tell(world, "probe p%zu is %s%s%s from now on", probe, verdict_name(world->truth[probe]),
         world->blind[probe] ? ", but can't look" : "", world->mute[probe] ? ", but is mute" : "");
}

// From this host to one behind it, or back.
static void move_service(struct world *world)
{
    size_t probe = below(world, world->scene.probe_count);
    if (world->scene.probes[probe].place != NOBODY) {
        world->behind[probe] = !world->behind[probe];
        tell(world, "what p%zu looks at is %s", probe,
             world->behind[probe] ? "behind a route from now on" : "on this host from now on");
    }
}

// The kernel tells of it at once.
static void crash_service(struct world *world)
{
    size_t probe = below(world, world->scene.probe_count);
    tell(world, "what p%zu looks at crashes", probe);
    world->truth[probe] = chance(world, 30) ? VERDICT_PASS : VERDICT_FAIL; // it may be back at once
    world->blind[probe] = world->mute[probe] = false;
    if (daemon_lives(world)) {
        enum verdict_kind truth = world->truth[probe];
        world->truth[probe] = VERDICT_FAIL;
        world_verdict(world, probe, true);
        world->truth[probe] = truth;
    }
}

// ---- BIRD and its operator

static void kill_bird(struct world *world)
{
    tell(world, "BIRD dies");
    world_lose_bird(world);
    world->bird_at_ns = world->now_ns + dice_ms(&world->dice, 10, 4000);
}

static void hang_bird(struct world *world)
{
    if (world->model.running && !world->model.hung) {
        tell(world, "BIRD hangs");
        world->model.hung = true;
        world->wake_at_ns =
            world->now_ns + (chance(world, 80) ? dice_ms(&world->dice, 100, 10000)
                                               : dice_ms(&world->dice, 25000, 40000));
    }
}

static void restrict_bird(struct world *world)
{
    world->model.refuses = !world->model.refuses;
    tell(world, "BIRD %s", world->model.refuses ? "refuses commands" : "takes commands");
    oracle_tampered(&world->oracle, world_clock_ns(world)); // it is asked again once a second
}

static void slow_bird(struct world *world)
{
    world->slow_until_ns = world->now_ns + dice_ms(&world->dice, 100, 5000);
    tell(world, "BIRD is slow to answer questions");
}

static void cut_answer(struct world *world)
{
    world->model.cut = 1 + below(world, chance(world, 50) ? 10 : 200);
    tell(world, "one of BIRD's next answers ends in the midst");
}

static void flap_session(struct world *world)
{
    size_t session = below(world, MODEL_SESSIONS);
    if (world->model.running && world->model.established[session]) {
        tell(world, "session up%zu goes down", session);
        world->model.established[session] = false;
        world->session_at_ns[session] = world->now_ns + dice_ms(&world->dice, 100, 5000);
        model_see(&world->model);
        disturb(world);
    }
}

static void switch_by_hand(struct world *world)
{
    const struct model_conf *loaded = &world->model.loaded;
    if (loaded->protocol_count == 0 || !world->model.running || world->model.hung) {
        return;
    }
    const char *name = loaded->protocols[below(world, loaded->protocol_count)].name;
    name = chance(world, 10) ? "popgate?_pipe" : chance(world, 10) ? "popgate_*" : name;
    bool enable = chance(world, 50);
    char text[MODEL_NAME_MAX + 16];
    snprintf(text, sizeof text, "%s %s", enable ? "Enabling" : "Disabling", name);
    tell(world, "somebody: birdc %s %s", enable ? "enable" : "disable", name);
    model_switch(&world->model, name, enable);
    oracle_tampered(&world->oracle, world_clock_ns(world));
    world_echo(world, text);
}

// Everything has been as it should for a while, the file too: then somebody's configure changes
// nothing.
static bool in_step(const struct world *world)
{
    const struct oracle *oracle = &world->oracle;
    uint64_t clock_ns = world_clock_ns(world);
    struct abilities abilities = world_abilities(world);
    if (!abilities.repairs || world->disks[SHELL_INCLUDE].busy || !world->model.include_line ||
        world->model.broken || clock_ns - oracle->disturbed_at_ns < 4 * NS_PER_S ||
        line_outstanding(&world->lines[ORDER_LINK_ACT]) > 0) {
        return false;
    }
    for (size_t i = 0; i < world->config->service_count; i++) {
        const struct oracle_service *service =
            &oracle->services[scene_number(world->config->services[i].name)];
        if (service->wrong_since_ns != 0 || clock_ns - service->target_at_ns < 200 * NS_PER_MS) {
            return false;
        }
    }
    return true;
}

static void configure_by_hand(struct world *world)
{
    if (!world->model.running || world->model.hung) {
        return;
    }
    bool harmless = in_step(world);
    struct model_file *disk = &world->model.disk;
    if (!harmless && chance(world, 30) && world->stale.exists && disk->exists) {
        tell(world, "somebody puts a stale file back");
        memcpy(disk->text, world->stale.text, world->stale.length);
        disk->length = world->stale.length;
        world->notice_at_ns = world->now_ns + dice_ms(&world->dice, 0, 50);
    }
    uint64_t changes = world->model.changes;
    world_configure(world);
    if (harmless && world->model.changes != changes) {
        oracle_broken(&world->oracle,
                      "promise 4: somebody's configure changed what neighbours see");
    }
}

static void edit_bird_conf(struct world *world)
{
    struct model *model = &world->model;
    switch (below(world, 5)) {
    case 0:
        model->broken = !model->broken;
        break;
    case 1:
        model->include_line = !model->include_line;
        break;
    case 2:
        model->leaks = !model->leaks;
        break;
    case 3:
        model->strips = !model->strips;
        model->changes++; // everything is sent again
        break;
    default:
        model->prefixes[below(world, MODEL_PREFIXES)].device ^= true;
        break;
    }
    model_see(model);
    tell(world, "somebody edits: broken %d, include %d, leaks %d, strips %d", model->broken,
         model->include_line, model->leaks, model->strips);
    disturb(world);
}

// ---- Popgated, its disk, its machine

static void kill_daemon(struct world *world)
{
    if (daemon_lives(world)) {
        daemon_kill(world);
    }
}

static void kill_in_the_middle(struct world *world)
{
    world->dies_in = daemon_lives(world) ? 1 + below(world, 24) : 0;
}

static void stop_daemon(struct world *world)
{
    if (daemon_lives(world) && !world->shell.stopping) {
        daemon_stop(world);
    }
}

static void reload(struct world *world)
{
    if (daemon_lives(world)) {
        tell(world, "the daemon is told to reload");
        daemon_reload(world, &world->scene);
    }
}

// What scene.c can change, one bit each.
#define ADD_OR_REMOVE (1U << SCENE_ADDS | 1U << SCENE_REMOVES | 1U << SCENE_RENAMES)
#define ADDRESSES     (1U << SCENE_PREFIX | 1U << SCENE_FAMILY)
#define PROBES        (1U << SCENE_REWIRES | 1U << SCENE_RETIMES)
#define DAMPING       (1U << SCENE_DAMPING | 1U << SCENE_CONFIGURE)
#define ANYTHING      (ADD_OR_REMOVE | ADDRESSES | PROBES | DAMPING)

static void edit_scene(struct world *world, struct scene *scene, unsigned allowed)
{
    char what[96];
    unsigned wanted = 1 + below(world, 3);
    for (unsigned tries = 0; tries < 20 && wanted > 0; tries++) {
        enum scene_change change = below(world, SCENE_CHANGES);
        if ((allowed & 1U << change) != 0 && scene_change(scene, &world->dice, change, what)) {
            tell(world, "popgate.conf: %s", what);
            wanted--;
        }
    }
}

// popgate.conf is another, and popgated is told to read it; or is away just then and starts with
// it.
static void reconfigure(struct world *world, unsigned allowed)
{
    struct scene scene = world->scene;
    edit_scene(world, &scene, allowed);
    if (daemon_lives(world)) {
        tell(world, "the daemon is told to reload");
        daemon_reload(world, &scene);
    } else {
        world->scene = scene;
    }
}

static void reconfigure_services(struct world *world)
{
    reconfigure(world, ADD_OR_REMOVE);
}

static void reconfigure_addresses(struct world *world)
{
    reconfigure(world, ADDRESSES);
}

static void reconfigure_probes(struct world *world)
{
    reconfigure(world, PROBES);
}

static void reconfigure_damping(struct world *world)
{
    reconfigure(world, DAMPING);
}

static void reconfigure_anything(struct world *world)
{
    reconfigure(world, ANYTHING);
}

static void restart_reconfigured(struct world *world)
{
    kill_daemon(world);
    reconfigure(world, ANYTHING);
}

static void fail_disk(struct world *world)
{
    static const char *const names[SHELL_FILES] = {"include file", "ledger", "boot memory"};
    unsigned file = below(world, SHELL_FILES);
    world->disks[file].fails = !world->disks[file].fails;
    tell(world, "saving the %s %s", names[file], world->disks[file].fails ? "fails" : "works");
    disturb(world);
}

static void slow_disk(struct world *world)
{
    unsigned file = below(world, SHELL_FILES);
    world->disks[file].slow_until_ns = world->now_ns + dice_ms(&world->dice, 500, 8000);
    tell(world, "disk %u is slow", file);
}

// While nobody has it in use.
static void spoil_ledger(struct world *world)
{
    struct model_file *ledger = daemon_file(world, SHELL_LEDGER);
    if (!daemon_lives(world) && ledger->exists) {
        tell(world, "somebody spoils the ledger");
        ledger->length /= 2;
        world->ledger_spoilt = true;
    }
}

static void step_clock(struct world *world)
{
    uint64_t by_ms = dice_ms(&world->dice, 100, 60000) / NS_PER_MS;
    by_ms = chance(world, 20) ? 60 * by_ms : by_ms;
    world->wall_ms += chance(world, 50) ? by_ms : -by_ms;
    tell(world, "the wall clock is stepped to %llu ms", (unsigned long long)world_wall_ms(world));
}

static void reboot(struct world *world)
{
    tell(world, "the machine reboots");
    if (daemon_lives(world)) {
        daemon_lose_power(world);
    }
    kill_bird(world);
    world->model.disk.exists = false;
    world->stale.exists = false;
    daemon_file(world, SHELL_MEMORY)->exists = false;
    snprintf(world->boot_id, sizeof world->boot_id, "boot%u", below(world, 1000000));
    world->boot_ns = world->now_ns - NS_PER_S;
}

// ---- Operators of popgate

static void another_pop(struct world *world)
{
    unsigned plot = below(world, SCENE_PLOTS);
    world->model.elsewhere[plot] = !world->model.elsewhere[plot];
    world->model.elsewhere_changed_ns[plot] = world_clock_ns(world);
    tell(world, "another PoP %s plot %u", world->model.elsewhere[plot] ? "announces" : "leaves",
         plot);
}

static void ask_for(struct world *world, enum verb verb, size_t first, size_t wanted)
{
    if (!daemon_lives(world) || world->shell.stopping) {
        return;
    }
    struct asked asked = {.verb = verb, .guarded = chance(world, 60)};
    while (asked.name_count < wanted) {
        size_t index = (first + asked.name_count) % world->config->service_count;
        asked.names[asked.name_count++] = world->oracle.names[index];
    }
    bool ends = asked.verb == VERB_PIN || (asked.verb == VERB_DRAIN && chance(world, 50));
    asked.for_ms = ends ? 500 + below(world, 20000) : 0;
    asked.guarded = asked.guarded && asked.verb == VERB_DRAIN;
    tell(world, "operator: verb %u, %s s%u and %zu more", world->verbs + 1,
         verb_rows[asked.verb].name, asked.names[0], asked.name_count - 1);
    daemon_ask(world, &asked);
}

// One verb, of one service or of several.
static void ask(struct world *world)
{
    if (daemon_lives(world)) {
        size_t count = world->config->service_count;
        enum verb verb = below(world, VERBS);
        size_t wanted =
            chance(world, 70) ? 1 : 1 + below(world, count < VERB_SERVICES ? count : VERB_SERVICES);
        ask_for(world, verb, below(world, count), wanted);
    }
}

// Several of one service in the same millisecond.
static void ask_the_same(struct world *world)
{
    if (daemon_lives(world)) {
        size_t service = below(world, world->config->service_count);
        for (unsigned i = 2 + below(world, 3); i > 0 && daemon_lives(world); i--) {
            ask_for(world, below(world, VERBS), service % world->config->service_count, 1);
        }
    }
}

// While a worker prepares another configuration, or as that takes over.
static void isolate_in_reload(struct world *world)
{
    reconfigure(world, chance(world, 30) ? ADD_OR_REMOVE : ANYTHING);
    if (daemon_lives(world) && !world->shell.stopping) {
        world->next.ready_at_ns = chance(world, 50) ? world->now_ns : world->next.ready_at_ns;
        ask_for(world, VERB_ISOLATE, below(world, world->config->service_count), 1);
    }
    if (daemon_lives(world) && chance(world, 30)) {
        ask_for(world, VERB_RELEASE, below(world, world->config->service_count), 1);
    }
}

// Many at once.
static void ask_often(struct world *world)
{
    for (unsigned i = 0; i < 12; i++) {
        ask(world);
    }
}

static struct mischief {
    const char *name;
    unsigned weight;
    void (*does)(struct world *world);
    const char *known_broken; // why it is left out
} mischiefs[] = {
    {"flip-probe", 50, flip_probe, NULL},
    {"crash-service", 6, crash_service, NULL},
    {"move-service", 8, move_service, NULL},
    {"ask", 14, ask, NULL},
    {"ask-often", 1, ask_often, NULL},
    {"ask-the-same", 2, ask_the_same, NULL},
    {"isolate-in-reload", 2, isolate_in_reload, NULL},
    {"another-pop", 3, another_pop, NULL},
    {"switch-by-hand", 8, switch_by_hand, NULL},
    {"configure-by-hand", 8, configure_by_hand, NULL},
    {"kill-bird", 4, kill_bird, NULL},
    {"hang-bird", 4, hang_bird, NULL},
    {"slow-bird", 2, slow_bird, NULL},
    {"cut-answer", 3, cut_answer, NULL},
    {"restrict-bird", 2, restrict_bird, NULL},
    {"flap-session", 6, flap_session, NULL},
    {"edit-bird-conf", 3, edit_bird_conf, NULL},
    {"kill-daemon", 3, kill_daemon, NULL},
    {"kill-in-the-middle", 3, kill_in_the_middle, NULL},
    {"stop-daemon", 2, stop_daemon, NULL},
    {"fail-disk", 3, fail_disk, NULL},
    {"slow-disk", 2, slow_disk, NULL},
    {"spoil-ledger", 3, spoil_ledger, NULL},
    {"step-clock", 2, step_clock, NULL},
    {"reload", 2, reload, NULL},
    {"reconfigure-services", 2, reconfigure_services, NULL},
    {"reconfigure-addresses", 2, reconfigure_addresses, NULL},
    {"reconfigure-probes", 2, reconfigure_probes, NULL},
    {"reconfigure-damping", 1, reconfigure_damping, NULL},
    {"reconfigure-anything", 2, reconfigure_anything, NULL},
    {"restart-reconfigured", 2, restart_reconfigured, NULL},
    {"reboot", 1, reboot, NULL},
};

#define MISCHIEFS (sizeof mischiefs / sizeof mischiefs[0])

bool mischief_allow(const char *name)
{
    for (size_t i = 0; i < MISCHIEFS; i++) {
        if (strcmp(mischiefs[i].name, name) == 0) {
            mischiefs[i].known_broken = NULL;
            return true;
        }
    }
    return false;
}

bool mischief_forbid(const char *name)
{
    for (size_t i = 0; i < MISCHIEFS; i++) {
        if (strcmp(mischiefs[i].name, name) == 0) {
            mischiefs[i].known_broken = "left out by --without";
            return true;
        }
    }
    return false;
}

void mischief(struct world *world)
{
    unsigned total = 0;
    for (size_t i = 0; i < MISCHIEFS; i++) {
        total += mischiefs[i].known_broken == NULL ? mischiefs[i].weight : 0;
    }
    unsigned at = below(world, total);
    size_t i = 0;
    for (;; i++) {
        unsigned weight = mischiefs[i].known_broken == NULL ? mischiefs[i].weight : 0;
        if (at < weight) {
            break;
        }
        at -= weight;
    }
    mischiefs[i].does(world);
    world->mischief_at_ns = world->now_ns + dice_ms(&world->dice, 1, 1500);
}
