#include "tests/sim/world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STOP_WITHIN_NS  (3000 * NS_PER_MS)
#define OUTSTANDING_MAX 2048

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
    struct abilities abilities = {.switches = world->core != NULL && world->model.running &&
                                              !world->model.hung && !world->model.refuses &&
                                              act->told == BIRD_LINK_UP};
    abilities.repairs = abilities.switches && ask->told == BIRD_LINK_UP && !world->save_fails &&
                        world->slow_until_ns <= world->now_ns &&
                        strcmp(world->model.loaded.revision, world->oracle.revision) == 0;
    return abilities;
}

// ---- the shell that the daemon would be ----

static uint64_t slow_ns(const struct world *world, unsigned link)
{
    return link == ORDER_LINK_ASK && world->slow_until_ns > world->now_ns ? 400 * NS_PER_MS : 0;
}

static void patch(struct world *world)
{
    size_t slots[INCLUDE_PATCH_MAX];
    size_t count = include_take_patch(&world->core->include, slots);
    const struct birdconf *file = core_file(world->core);
    struct model_file *disk = &world->model.disk;
    bool fits = file != NULL && disk->exists && !world->saving && !world->save_fails &&
                file->length == disk->length;
    for (size_t i = 0; fits && i < count; i++) {
        size_t offset = file->slots[slots[i]].offset;
        memcpy(disk->text + offset, file->text + offset, 3);
    }
}

static void save_begin(struct world *world)
{
    struct include *include = &world->core->include;
    if (world->saving || !include_submit(include, world_clock_ns(world) / NS_PER_MS)) {
        return;
    }
    const struct birdconf *file = core_file(world->core);
    world->saving = true;
    world->save_version = include->submitted;
    world->save_done_ns = world->now_ns + dice_ms(&world->dice, 0, world->quiet ? 2 : 20);
    world->save.exists = file != NULL;
    world->save.length = file != NULL ? file->length : 0;
    if (world->save.length > MODEL_FILE_MAX) {
        abort();
    }
    if (file != NULL) {
        memcpy(world->save.text, file->text, file->length);
    }
}

static void save_end(struct world *world)
{
    struct model_file *disk = &world->model.disk;
    bool failed = world->save_fails;
    world->saving = false;
    if (!failed) {
        if (disk->exists) {
            memcpy(world->stale.text, disk->text, disk->length);
            world->stale.length = disk->length;
            world->stale.exists = true;
        }
        memcpy(disk->text, world->save.text, world->save.length);
        disk->length = world->save.length;
        disk->exists = world->save.exists;
    }
    core_file_saved(world->core, world->save_version, failed ? "no space left" : NULL,
                    world_clock_ns(world));
    world_after_input(world);
}

static void remember(struct world *world)
{
    memset(world->memory, 0, sizeof world->memory);
    for (size_t i = 0; i < world->config->service_count; i++) {
        unsigned name = scene_number(world->config->services[i].name);
        world->memory[name] = world->core->services[i].decision.recent;
        if (world->core->ledger_dirty) {
            world->ledger[name] = world->core->services[i].intent;
        }
    }
    world->core->ledger_dirty = false;
    world->memory_exists = true;
}

// Promise 3: BIRD is configured only when the file is new to it, and by hand if so set. Somebody
// may have loaded the file in the same second: then nobody has told the daemon yet.
static void check_configure(struct world *world, const char *command)
{
    bool configure = strncmp(command, "configure", 9) == 0;
    if (configure && world->scene.manual) {
        oracle_broken(&world->oracle, "promise 3: %s with configure = manual", command);
    }
    if (configure && world->seen_at_ns != NEVER_NS &&
        world->now_ns - world->seen_at_ns > 2 * NS_PER_S) {
        oracle_broken(&world->oracle, "promise 3: %s although BIRD had the revision already",
                      command);
    }
}

static void send_orders(struct world *world)
{
    struct order order;
    while (line_outstanding(&world->lines[ORDER_LINK_ACT]) < OUTSTANDING_MAX &&
           core_order(world->core, &order)) {
        if (line_send(&world->lines[order.link], &world->dice, slow_ns(world, order.link), &order,
                      world->now_ns)) {
            tell(world, "order: %s", order.command);
            check_configure(world, order.command);
            oracle_order(&world->oracle, order.command, &world->model, world_clock_ns(world));
        } else {
            core_end(world->core, order.token, BIRD_END_LOST, 0, "", world_clock_ns(world));
        }
    }
}

static void tell_events(struct world *world)
{
    for (uint64_t seq = world->told + 1; seq < events_end(&world->events); seq++) {
        const struct event *event = events_get(&world->events, seq);
        world->told = seq;
        if (event != NULL) {
            tell(world, "event: %s %s %s", event_name(event->kind), event->service, event->text);
        }
    }
}

static void end_daemon(struct world *world)
{
    for (unsigned i = 0; i < 2; i++) {
        line_begin(&world->lines[i], NEVER_NS);
    }
    oracle_end(&world->oracle, world_clock_ns(world));
    core_free(world->core);
    config_free(world->config);
    world->core = NULL;
    world->config = NULL;
    world->saving = false; // the temporary file is not renamed
    world->stopping = false;
    world->stop_at_ns = NEVER_NS;
    world->daemon_at_ns = world->now_ns + dice_ms(&world->dice, 10, 3000);
}

static void end_stop(struct world *world)
{
    tell(world, "daemon has stopped");
    for (unsigned i = 0; i < 2; i++) {
        line_abandon(&world->lines[i], &world->model, &world->orphans, &world->dice, true);
    }
    if (world->stop_able && world->oracle.broken[0] == '\0') {
        oracle_check_stopped(&world->oracle, &world->model, world_clock_ns(world));
    }
    end_daemon(world);
}

// They look at everything there is: of many services, not after each input.
static void check_invariants(struct world *world)
{
    if (world->inputs % (1 + world->config->service_count / 4) == 0) {
        core_check_invariants(world->core, world_clock_ns(world));
    }
}

void world_after_input(struct world *world)
{
    check_invariants(world); // first: the orders are still to be seen
    send_orders(world);
    tell_events(world);
    patch(world);
    save_begin(world);
    remember(world);
    world->inputs++;
    struct abilities abilities = world_abilities(world);
    world->stop_able = world->stop_able && abilities.repairs;
    world->seen_at_ns = !abilities.repairs              ? NEVER_NS
                        : world->seen_at_ns == NEVER_NS ? world->now_ns
                                                        : world->seen_at_ns;
    oracle_check(&world->oracle, world->core, &world->model, abilities, world_clock_ns(world));
    if (world->stopping && core_quiet(world->core) && !world->saving) {
        end_stop(world);
    }
}

// ---- the daemon's life ----

static struct intent from_ledger(const struct world *world, unsigned name)
{
    struct intent intent = world->ledger[name];
    if (intent.kind != INTENT_AUTO) {
        intent_from_wall(&intent, world_clock_ns(world) / NS_PER_MS, world_wall_ms(world));
    }
    return intent;
}

void world_start_daemon(struct world *world)
{
    char error[ERROR_MAX];
    struct intent intents[SCENE_SERVICES];
    uint64_t recent[SCENE_SERVICES];
    const struct model_file *disk = &world->model.disk;
    struct birdconf *former = disk->exists ? birdconf_parse(disk->text, disk->length, error) : NULL;
    bool first = !world->memory_exists;
    world->config = scene_config(&world->scene);
    for (size_t i = 0; i < world->config->service_count; i++) {
        unsigned name = scene_number(world->config->services[i].name);
        intents[i] = from_ledger(world, name);
        recent[i] = first ? 0 : world->memory[name];
    }
    struct core_start start = {.config = world->config,
                               .events = &world->events,
                               .former = former,
                               .same_boot = !first,
                               .intents = intents,
                               .recent = recent,
                               .generation = ++world->generation,
                               .now_ns = world_clock_ns(world)};
    tell(world, "daemon starts%s", first ? " for the first time since boot" : "");
    oracle_start(&world->oracle, world->config, &world->scene, disk, !first, world_wall_ms(world),
                 &world->events, world_clock_ns(world));
    world->core = core_new(&start);
    birdconf_free(former);
    if (world->core == NULL) {
        abort();
    }
    world->daemon_at_ns = NEVER_NS;
    for (unsigned i = 0; i < 2; i++) {
        line_begin(&world->lines[i], world->now_ns + dice_ms(&world->dice, 1, 50));
    }
    for (size_t i = 0; i < world->config->probe_count; i++) {
        world->verdict_at_ns[i] = world->now_ns + dice_ms(&world->dice, 1, 1000);
    }
    world_after_input(world);
}

void world_kill_daemon(struct world *world)
{
    tell(world, "daemon dies");
    // What was written to BIRD's socket BIRD still does, or it does not.
    for (unsigned i = 0; i < 2; i++) {
        line_abandon(&world->lines[i], &world->model, &world->orphans, &world->dice, false);
    }
    end_daemon(world);
}

void world_stop_daemon(struct world *world)
{
    tell(world, "daemon is told to stop");
    world->stopping = true;
    world->stop_able = world->now_ns > world->boot_ns && world_abilities(world).repairs;
    world->stop_at_ns = world->now_ns + STOP_WITHIN_NS;
    oracle_stop(&world->oracle, world_clock_ns(world));
    core_stop(world->core, world_clock_ns(world));
    world_after_input(world);
}

// Services that were away and are back have what the ledger kept for them.
static void intents_from_ledger(struct world *world, const struct config *old)
{
    for (size_t i = 0; i < world->config->service_count; i++) {
        const char *name = world->config->services[i].name;
        bool known = false;
        for (size_t j = 0; j < old->service_count; j++) {
            known = known || strcmp(name, old->services[j].name) == 0;
        }
        struct intent intent = from_ledger(world, scene_number(name));
        if (!known && intent.kind != INTENT_AUTO) {
            core_intent(world->core, i, &intent, "as the ledger kept it", world_clock_ns(world));
        }
    }
}

void world_reload(struct world *world, const struct scene *scene)
{
    struct config *old_config = world->config;
    struct core *old = world->core;
    world->scene = *scene;
    world->config = scene_config(scene);
    oracle_reload(&world->oracle, world->config, scene, world_wall_ms(world),
                  world_clock_ns(world));
    world->core = core_prepare(old, world->config);
    if (world->core == NULL) {
        abort();
    }
    core_take_over(world->core, old, world_clock_ns(world));
    send_orders(world); // those of two inputs together are not what the invariants are about
    intents_from_ledger(world, old_config);
    core_free(old);
    config_free(old_config);
    world->generation = world->core->generation;
    world_after_input(world);
}

// ---- BIRD ----

struct link_arg {
    struct world *world;
    enum order_link link;
};

static void on_link(void *arg, enum bird_link state, const char *reason)
{
    static const struct bird_version version = {2, 0, 12};
    struct link_arg *link = arg;
    tell(link->world, "link %d: %s", link->link,
         state == BIRD_LINK_UP     ? "up"
         : state == BIRD_LINK_DOWN ? reason
                                   : "silent");
    core_link(link->world->core, link->link, state, reason, state == BIRD_LINK_UP ? &version : NULL,
              world_clock_ns(link->world));
    world_after_input(link->world);
}

static void on_line(void *arg, uint64_t token, const struct bird_line *line)
{
    struct link_arg *link = arg;
    core_line(link->world->core, token, line, world_clock_ns(link->world));
}

static void on_end(void *arg, uint64_t token, enum bird_end end, unsigned code, const char *text)
{
    struct link_arg *link = arg;
    core_end(link->world->core, token, end, code, text, world_clock_ns(link->world));
    world_after_input(link->world);
}

static const struct line_events line_events = {on_link, on_line, on_end};

static void step_line(struct world *world, unsigned link)
{
    struct link_arg arg = {world, link};
    line_step(&world->lines[link], &world->model, &world->orphans, &world->dice,
              slow_ns(world, link), world->now_ns, &line_events, &arg);
}

void world_lose_bird(struct world *world)
{
    model_stop(&world->model);
    world->orphans.count = 0;
    for (unsigned i = 0; i < 2 && world->core != NULL; i++) {
        struct link_arg arg = {world, i};
        line_lost(&world->lines[i], &world->dice, world->now_ns, &line_events, &arg);
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
    if (world->core != NULL && world->echoes && !world->model.hung &&
        world->lines[ORDER_LINK_ASK].state == LINE_READY) {
        core_echo(world->core, text, world_clock_ns(world));
        world_after_input(world);
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
    if (world->scene.manual && world->configure_at_ns == NEVER_NS && world->core != NULL &&
        strcmp(world->model.loaded.revision, world->oracle.revision) != 0) {
        world->configure_at_ns = world->now_ns + dice_ms(&world->dice, 500, 8000);
    }
}

// ---- what happens by itself ----

void world_verdict(struct world *world, size_t probe, bool definitive)
{
    const struct probe_conf *conf = &world->config->probes[probe];
    enum verdict_kind kind = world->truth[probe];
    if (!world->quiet && !definitive && dice_chance(&world->dice, 3)) {
        kind = dice_below(&world->dice, VERDICT_PASS + 1); // a lost packet, a hiccup
    }
    if (world->blind[probe]) {
        kind = VERDICT_UNKNOWN;
    }
    struct verdict it = {.kind = kind,
                         .definitive = definitive && kind == VERDICT_FAIL,
                         .at_ns = world_clock_ns(world),
                         .duration_ns = NS_PER_MS};
    snprintf(it.cause, sizeof it.cause, "said %s", verdict_name(kind));
    if (!world->mute[probe]) {
        oracle_verdict(&world->oracle, probe, &it, world_clock_ns(world));
        core_verdict(world->core, probe, &it, world_clock_ns(world));
    }
    bool fast = core_probe_unsettled(world->core, probe);
    uint64_t interval_ms = fast ? conf->fast_interval_ms : conf->interval_ms;
    world->verdict_at_ns[probe] =
        world->now_ns + dice_ms(&world->dice, interval_ms * 9 / 10, interval_ms);
    if (!world->mute[probe]) {
        world_after_input(world);
    }
}

static void notice_file(struct world *world)
{
    world->notice_at_ns = NEVER_NS;
    if (world->core != NULL && !world->saving) {
        core_file_foreign(world->core, world_clock_ns(world));
        world_after_input(world);
    }
}

static uint64_t earliest(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t tick_at_ns(const struct world *world)
{
    uint64_t next_ms = core_next_ms(world->core);
    return next_ms == UINT64_MAX ? NEVER_NS : next_ms * NS_PER_MS + world->boot_ns;
}

static uint64_t next_at_ns(const struct world *world)
{
    uint64_t at_ns = earliest(world->daemon_at_ns, earliest(world->bird_at_ns, world->wake_at_ns));
    at_ns = earliest(at_ns, earliest(world->notice_at_ns, world->configure_at_ns));
    at_ns = earliest(at_ns, world->mischief_at_ns);
    for (size_t i = 0; i < MODEL_SESSIONS; i++) {
        at_ns = earliest(at_ns, world->session_at_ns[i]);
    }
    if (world->core == NULL) {
        return at_ns;
    }
    for (size_t i = 0; i < world->config->probe_count; i++) {
        at_ns = earliest(at_ns, world->verdict_at_ns[i]);
    }
    for (unsigned i = 0; i < 2; i++) {
        at_ns = earliest(at_ns, line_next_ns(&world->lines[i], &world->model));
    }
    at_ns = earliest(at_ns, world->saving ? world->save_done_ns : NEVER_NS);
    return earliest(at_ns, earliest(tick_at_ns(world), world->stop_at_ns));
}

// What is due now of what the daemon takes part in.
static void do_inputs(struct world *world)
{
    uint64_t now_ns = world->now_ns;
    if (now_ns >= tick_at_ns(world)) {
        core_tick(world->core, world_clock_ns(world));
        world_after_input(world);
    }
    for (unsigned i = 0; i < 2 && world->core != NULL; i++) {
        if (now_ns >= line_next_ns(&world->lines[i], &world->model)) {
            step_line(world, i);
        }
    }
    for (size_t i = 0; world->core != NULL && i < world->config->probe_count; i++) {
        if (now_ns >= world->verdict_at_ns[i]) {
            world_verdict(world, i, false);
        }
    }
    if (world->core != NULL && world->saving && now_ns >= world->save_done_ns) {
        save_end(world);
    }
    if (world->core != NULL && now_ns >= world->stop_at_ns) {
        end_stop(world);
    }
}

// One thing that is due now, in an order that does not matter as all orders come up.
static void do_one(struct world *world)
{
    uint64_t now_ns = world->now_ns;
    if (now_ns >= world->daemon_at_ns) {
        world_start_daemon(world);
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
        if (world->core != NULL) {
            do_inputs(world);
        }
    }
    plan_by_hand(world);
}

void world_run(struct world *world, uint64_t end_ns)
{
    uint64_t at_ns;
    while (world->oracle.broken[0] == '\0' && (at_ns = next_at_ns(world)) < end_ns) {
        world->now_ns = at_ns > world->now_ns ? at_ns : world->now_ns;
        do_one(world);
    }
    if (world->oracle.broken[0] == '\0') {
        world->now_ns = end_ns;
    }
}

void world_begin(struct world *world, uint64_t seed, bool verbose)
{
    world->dice.state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    world->verbose = verbose;
    world->now_ns = NS_PER_S;
    world->wall_ms = UINT64_C(1795222208123);
    world->echoes = dice_chance(&world->dice, 50);
    scene_draw(&world->scene, &world->dice);
    model_init(&world->model);
    for (size_t i = 0; i < SCENE_PROBES; i++) {
        world->truth[i] = VERDICT_PASS;
    }
    for (size_t i = 0; i < MODEL_SESSIONS; i++) {
        world->session_at_ns[i] = NEVER_NS;
    }
    world->notice_at_ns = world->wake_at_ns = world->seen_at_ns = NEVER_NS;
    world->configure_at_ns = world->stop_at_ns = NEVER_NS;
    world->bird_at_ns = world->now_ns + dice_ms(&world->dice, 1, 2000);
    world->daemon_at_ns = world->now_ns + dice_ms(&world->dice, 1, 2000);
    world->mischief_at_ns = world->now_ns + dice_ms(&world->dice, 5000, 20000);
}

void world_end(struct world *world)
{
    core_free(world->core);
    config_free(world->config);
}
