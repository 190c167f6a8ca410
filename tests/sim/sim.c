// The simulation: the real health, gate, decision, announcer and loader against a model of BIRD and
// of the world, in simulated time. Everything is drawn from one seed; a failure prints the seed,
// and the seed replays it alone.
//
//     sim [--seed N] [--events N] [--episodes N] [--forever] [--verbose]
#include "controller/config/load.h"

#include "tests/sim/bird.h"
#include "tests/sim/oracle.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S  (1000 * NS_PER_MS)
#define STORM_NS  (120 * NS_PER_S)
#define QUIET_NS  (60 * NS_PER_S)
#define CRASH_NS  (3 * NS_PER_S)
#define FILES_MAX 4

struct saved_file {
    char text[MODEL_FILE_MAX];
    size_t length;
    bool exists;
};

struct world {
    uint64_t random;
    uint64_t now_ns;
    struct config *config;
    struct events events;
    struct core *core; // NULL while the daemon is dead
    struct model model;
    struct oracle oracle;
    bool verbose, quiet;
    unsigned generation;

    enum verdict_kind truth[ORACLE_PROBES];
    bool blind[ORACLE_PROBES]; // the prober can't look: unknown
    uint64_t verdict_at_ns[ORACLE_PROBES];

    struct intent ledger[ORACLE_SERVICES]; // on disk
    uint64_t memory[ORACLE_SERVICES];      // recent withdrawals, in runtime_dir
    bool memory_exists;

    bool saving, save_fails;
    uint64_t save_version, save_done_ns;
    struct saved_file save;  // being written
    struct saved_file stale; // what somebody may put back

    uint64_t daemon_at_ns, bird_at_ns, wake_at_ns; // when what is dead or hung comes back
    uint64_t connect_at_ns[2];
    uint64_t notice_at_ns; // when the daemon is told that somebody wrote the include file
    uint64_t slow_ask_until_ns;
    uint64_t mischief_at_ns, session_at_ns[MODEL_SESSIONS];
    bool bird_had[ORACLE_SERVICES]; // since the daemon started
    uint64_t inputs;
    uint64_t loaded_at_ns; // since when BIRD has had our revision; UINT64_MAX: it has not
    uint64_t told;         // number of the last event printed
};

// xorshift64*: good enough to choose among mischiefs, and the same everywhere.
static uint64_t draw(struct world *world)
{
    world->random ^= world->random >> 12;
    world->random ^= world->random << 25;
    world->random ^= world->random >> 27;
    return world->random * UINT64_C(2685821657736338717);
}

static uint64_t below(struct world *world, uint64_t bound)
{
    return draw(world) % bound;
}

static bool chance(struct world *world, unsigned percent)
{
    return below(world, 100) < percent;
}

static uint64_t within_ms(struct world *world, uint64_t low, uint64_t high)
{
    return (low + below(world, high - low + 1)) * NS_PER_MS;
}

__attribute__((format(printf, 2, 3))) static void tell(const struct world *world, const char *text,
                                                       ...)
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

// ---- a configuration at random ----

static void print_names(struct world *world, FILE *out, const char *key, unsigned from, unsigned to)
{
    if (from == to) {
        return;
    }
    fprintf(out, "%s =", key);
    for (unsigned i = from; i < to; i++) {
        fprintf(out, " p%u", i);
    }
    fputc('\n', out);
    (void)world;
}

static void print_service(struct world *world, FILE *out, unsigned index, unsigned probes)
{
    unsigned require = 1 + (unsigned)below(world, 2);
    unsigned any = (unsigned)below(world, 3);
    unsigned degrade = (unsigned)below(world, 2);
    unsigned first = (unsigned)below(world, probes);
    fprintf(out, "[service s%u]\nprefixes = 192.0.2.%u/32 198.51.100.%u/32%s\n", index, index,
            index,
            chance(world, 50) ? ""
            : index == 0      ? " 2001:db8::a/128"
            : index == 1      ? " 2001:db8::b/128"
                              : "");
    unsigned end = first + require < probes ? first + require : probes;
    print_names(world, out, "require", first, end);
    unsigned any_end = end + any < probes ? end + any : probes;
    print_names(world, out, "any", end, any_end);
    print_names(world, out, "degrade", any_end,
                any_end + degrade < probes ? any_end + degrade : probes);
    if (index > 0 && chance(world, 30)) {
        fprintf(out, "depends = s%u\n", (unsigned)below(world, index));
    }
    fprintf(out,
            "hold_down = %us\nmax_hold_down = 16s\ngrace = %us\nadopt_grace = 10s\non_unknown = "
            "%s\non_exit = %s\n"
            "last_pop_guard = off\n",
            1 + (unsigned)below(world, 3), (unsigned)below(world, 6),
            chance(world, 60) ? "hold" : "withdraw", chance(world, 50) ? "keep" : "withdraw");
}

static void ignore_report(void *arg, bool error, const char *line)
{
    (void)arg;
    if (error) {
        fprintf(stderr, "sim: %s\n", line);
    }
}

static void make_config(struct world *world)
{
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    unsigned probes = 2 + (unsigned)below(world, 5);
    unsigned services = 1 + (unsigned)below(world, 4);
    fprintf(
        out,
        "[pop]\nid = sim1\nstate_dir = /nowhere\nruntime_dir = /nowhere\n[bird]\nlocal_as = 64512\n"
        "min_sessions = %u\n",
        1 + (unsigned)below(world, 2));
    for (unsigned i = 0; i < probes; i++) {
        fprintf(out,
                "[probe p%u]\ntype = tcp\ntarget = 127.0.0.1:53\ninterval = 1s\ntimeout = "
                "500ms\nrise = %u\nfall = %u\n"
                "unknown_grace = 5s\n",
                i, 1 + (unsigned)below(world, 3), 1 + (unsigned)below(world, 4));
    }
    for (unsigned i = 0; i < services; i++) {
        print_service(world, out, i, probes);
    }
    fclose(out);
    world->config = config_parse("sim.conf", text, ignore_report, NULL);
    if (world->config == NULL) {
        fprintf(stderr, "%s", text);
        abort();
    }
    free(text);
}

// ---- the shell that the daemon would be ----

static void patch(struct world *world)
{
    size_t slots[INCLUDE_PATCH_MAX];
    size_t count = include_take_patch(&world->core->include, slots);
    const struct birdconf *file = core_file(world->core);
    bool fits = file != NULL && world->model.disk_exists && !world->saving && !world->save_fails &&
                file->length == world->model.disk_length;
    for (size_t i = 0; fits && i < count; i++) {
        size_t offset = file->slots[slots[i]].offset;
        memcpy(world->model.disk + offset, file->text + offset, 3);
    }
}

static void save_begin(struct world *world)
{
    if (world->saving || !include_submit(&world->core->include, world->now_ns / NS_PER_MS)) {
        return;
    }
    const struct birdconf *file = core_file(world->core);
    world->saving = true;
    world->save_version = world->core->include.submitted;
    world->save_done_ns = world->now_ns + within_ms(world, 0, world->quiet ? 2 : 20);
    world->save.exists = file != NULL;
    world->save.length = file != NULL ? file->length : 0;
    if (file != NULL) {
        memcpy(world->save.text, file->text, file->length);
    }
}

static void remember(struct world *world)
{
    for (size_t i = 0; i < world->config->service_count; i++) {
        world->memory[i] = world->core->services[i].decision.recent;
        if (world->core->ledger_dirty) {
            world->ledger[i] = world->core->services[i].intent;
        }
    }
    world->core->ledger_dirty = false;
    world->memory_exists = true;
}

static bool can_act(const struct world *world)
{
    return world->core != NULL && world->model.running && !world->model.hung &&
           world->model.connections[ORDER_LINK_ACT].open &&
           world->model.connections[ORDER_LINK_ASK].open && !world->save_fails &&
           world->slow_ask_until_ns <= world->now_ns && world->core->loader.state == LOAD_LOADED;
}

// Promise 1 at a restart: what BIRD did not have must not come from a file that says so.
static void check_adoption(struct world *world, const struct order *order)
{
    size_t service = order_a(order->token);
    if (order_kind(order->token) == ORDER_ENABLE && service < world->config->service_count &&
        world->core->services[service].decision.adopted && !world->bird_had[service]) {
        snprintf(world->oracle.broken, sizeof world->oracle.broken,
                 "promise 1: %s is switched on at a restart although BIRD did not have it",
                 world->config->services[service].name);
    }
}

static void note_what_bird_has(struct world *world)
{
    for (size_t i = 0; i < world->model.prefix_count; i++) {
        for (size_t j = 0; j < world->model.protocol_count; j++) {
            const struct model_protocol *protocol = &world->model.protocols[j];
            const struct model_prefix *prefix = &world->model.prefixes[i];
            if (protocol->enabled && (strcmp(protocol->name, prefix->primary) == 0 ||
                                      strcmp(protocol->name, prefix->drain) == 0)) {
                world->bird_had[prefix->service] = true;
            }
        }
    }
}

// Promise 3. Somebody may have loaded the file in the same second: then nobody has told the daemon
// yet.
static void check_configure(struct world *world, const struct order *order)
{
    bool configure =
        order_kind(order->token) == ORDER_CHECK || order_kind(order->token) == ORDER_CONFIGURE;
    bool loaded = strcmp(world->model.revision, world->core->include.next->revision) == 0;
    if (!loaded) {
        world->loaded_at_ns = UINT64_MAX;
    } else if (world->loaded_at_ns == UINT64_MAX) {
        world->loaded_at_ns = world->now_ns;
    }
    if (configure && loaded && can_act(world) &&
        world->now_ns - world->loaded_at_ns > 2 * NS_PER_S) {
        snprintf(world->oracle.broken, sizeof world->oracle.broken,
                 "promise 3: %s although BIRD had the revision already", order->command);
    }
}

static void after_input(struct world *world)
{
    struct order order;
    core_check_invariants(world->core, world->now_ns); // the orders are still there to be seen
    note_what_bird_has(world);
    while (core_order(world->core, &order)) {
        if (!world->model.connections[order.link].open) {
            core_end(world->core, order.token, BIRD_END_LOST, 0, "", world->now_ns);
            continue;
        }
        uint64_t delay_ns = within_ms(world, 0, 1);
        if (order.link == ORDER_LINK_ASK && world->slow_ask_until_ns > world->now_ns) {
            delay_ns = within_ms(world, 0, 400);
        }
        tell(world, "order: %s", order.command);
        check_configure(world, &order);
        check_adoption(world, &order);
        model_queue(&world->model, &order, world->now_ns + delay_ns);
    }
    for (uint64_t seq = world->told + 1; seq < events_end(&world->events); seq++) {
        world->told = seq;
        tell(world, "event: %s %s %s", event_name(events_get(&world->events, seq)->kind),
             events_get(&world->events, seq)->service, events_get(&world->events, seq)->text);
    }
    patch(world);
    save_begin(world);
    remember(world);
    world->inputs++;
    core_check_invariants(world->core, world->now_ns);
    oracle_check(&world->oracle, world->core, &world->model,
                 can_act(world) && world->core->loader.state == LOAD_LOADED, world->now_ns);
}

static void start_daemon(struct world *world)
{
    char error[ERROR_MAX];
    struct birdconf *former = NULL;
    if (world->model.disk_exists) {
        former = birdconf_parse(world->model.disk, world->model.disk_length, error);
    }
    struct core_start start = {.config = world->config,
                               .events = &world->events,
                               .former = former,
                               .same_boot = world->memory_exists,
                               .intents = world->ledger,
                               .recent = world->memory_exists ? world->memory : NULL,
                               .generation = ++world->generation,
                               .now_ns = world->now_ns};
    bool first = !world->memory_exists;
    world->core = core_new(&start);
    birdconf_free(former);
    if (world->core == NULL) {
        abort();
    }
    world->saving = false;
    world->daemon_at_ns = UINT64_MAX;
    for (unsigned i = 0; i < 2; i++) {
        world->connect_at_ns[i] = world->now_ns + within_ms(world, 1, 50);
    }
    for (size_t i = 0; i < world->config->probe_count; i++) {
        world->verdict_at_ns[i] = world->now_ns + within_ms(world, 1, 1000);
    }
    memset(world->bird_had, 0, sizeof world->bird_had);
    tell(world, "daemon starts%s", first ? " for the first time since boot" : "");
    oracle_start(&world->oracle, world->config, world->core, first, world->now_ns);
    after_input(world);
}

static void kill_daemon(struct world *world)
{
    tell(world, "daemon dies");
    // What was written to BIRD's socket BIRD still does, or it does not.
    for (unsigned i = 0; i < 2; i++) {
        while (world->model.connections[i].count > 0 && !world->model.hung && chance(world, 80)) {
            model_do(&world->model, i, NULL, world->now_ns);
        }
        world->model.connections[i].count = 0;
        world->model.connections[i].open = false;
    }
    core_free(world->core);
    world->core = NULL;
    world->saving = false; // the temporary file is not renamed
    world->daemon_at_ns = world->now_ns + within_ms(world, 10, 3000);
}

static void lose_links(struct world *world, const char *why)
{
    for (unsigned i = 0; i < 2; i++) {
        world->model.connections[i].open = false;
        world->model.connections[i].count = 0;
        world->connect_at_ns[i] = world->now_ns + within_ms(world, 20, 500);
        if (world->core != NULL) {
            core_link(world->core, i, BIRD_LINK_DOWN, why, NULL, world->now_ns);
        }
    }
}

// ---- mischief ----

static void stop_bird(struct world *world)
{
    tell(world, "BIRD dies");
    model_stop(&world->model);
    lose_links(world, "BIRD closed the connection");
    world->bird_at_ns = world->now_ns + within_ms(world, 10, 4000);
    if (world->core != NULL) {
        after_input(world);
    }
}

static void start_bird(struct world *world)
{
    tell(world, "BIRD starts");
    world->bird_at_ns = UINT64_MAX;
    if (world->model.broken) {
        world->model.broken = false; // else it would not start
    }
    model_start(&world->model);
    for (size_t i = 0; i < MODEL_SESSIONS; i++) {
        world->session_at_ns[i] = world->now_ns + within_ms(world, 100, 2000);
    }
    oracle_disturbed(&world->oracle, world->now_ns);
}

static void operator_switches(struct world *world)
{
    if (world->model.protocol_count == 0 || !world->model.running || world->model.hung) {
        return;
    }
    const char *name = world->model.protocols[below(world, world->model.protocol_count)].name;
    name = chance(world, 10) && world->model.pipes ? "popgate4_pipe" : name;
    bool enable = chance(world, 50);
    tell(world, "somebody: birdc %s %s", enable ? "enable" : "disable", name);
    model_switch(&world->model, name, enable);
    oracle_disturbed(&world->oracle, world->now_ns);
}

static bool in_step(const struct world *world)
{
    if (world->core == NULL || world->saving || !can_act(world) ||
        world->core->loader.state != LOAD_LOADED) {
        return false;
    }
    for (size_t i = 0; i < world->config->service_count; i++) {
        if (!announcer_settled(world->core->announcer, i) ||
            world->oracle.services[i].wrong_since_ns != 0) {
            return false;
        }
    }
    return world->model.connections[ORDER_LINK_ACT].count == 0 && world->model.include_line &&
           !world->model.broken &&
           strcmp(world->model.revision, world->core->include.next->revision) == 0 &&
           include_is_saved(&world->core->include);
}

static void operator_configures(struct world *world)
{
    if (!world->model.running || world->model.hung) {
        return;
    }
    bool ok;
    char message[ERROR_MAX];
    bool harmless = in_step(world) && world->now_ns - world->oracle.disturbed_at_ns > 4 * NS_PER_S;
    if (!harmless && chance(world, 30) && world->stale.exists && world->model.disk_exists) {
        tell(world, "somebody puts a stale file back");
        memcpy(world->model.disk, world->stale.text, world->stale.length);
        world->model.disk_length = world->stale.length;
        world->notice_at_ns = world->now_ns + within_ms(world, 0, 50);
    }
    uint64_t changes = world->model.changes;
    tell(world, "somebody: birdc configure");
    model_configure(&world->model, &ok, message);
    if (harmless && world->model.changes != changes) {
        snprintf(world->oracle.broken, sizeof world->oracle.broken,
                 "promise 4: somebody's configure changed what neighbours see");
    }
    oracle_disturbed(&world->oracle, world->now_ns);
}

static void operator_intends(struct world *world)
{
    if (world->core == NULL) {
        return;
    }
    size_t service = below(world, world->config->service_count);
    enum intent_kind kind = below(world, 4);
    struct intent intent = {.kind = kind};
    uint64_t now_ms = world->now_ns / NS_PER_MS;
    if (kind != INTENT_AUTO) {
        intent.since_ms = now_ms;
        intent.grace_ms = world->config->services[service].grace_ms;
        bool ends = kind == INTENT_PIN || (kind == INTENT_DRAIN && chance(world, 50));
        intent.until_ms = ends ? now_ms + 500 + below(world, 20000) : 0;
    }
    tell(world, "operator: %s %s", intent_name(kind), world->config->services[service].name);
    world->ledger[service] = intent; // on disk first
    if (chance(world, 5)) {
        kill_daemon(world); // between the ledger and the word
        return;
    }
    core_intent(world->core, service, &intent, "an operator", world->now_ns);
    after_input(world);
}

static void reboot(struct world *world)
{
    tell(world, "the machine reboots");
    if (world->core != NULL) {
        kill_daemon(world);
    }
    stop_bird(world);
    world->model.disk_exists = false;
    world->stale.exists = false;
    world->memory_exists = false;
}

static void reload(struct world *world)
{
    if (world->core == NULL) {
        return;
    }
    tell(world, "the daemon reloads");
    struct core *core = core_prepare(world->core, world->config);
    if (core == NULL) {
        abort();
    }
    core_take_over(core, world->core, world->now_ns);
    core_free(world->core);
    world->core = core;
    world->generation = core->generation;
    after_input(world);
}

static void flip_probe(struct world *world)
{
    size_t probe = below(world, world->config->probe_count);
    static const enum verdict_kind kinds[] = {VERDICT_PASS, VERDICT_PASS, VERDICT_FAIL,
                                              VERDICT_DEGRADED};
    world->truth[probe] = kinds[below(world, 4)];
    world->blind[probe] = chance(world, 15);
    tell(world, "probe p%zu is %s%s from now on", probe, verdict_name(world->truth[probe]),
         world->blind[probe] ? ", but can't look" : "");
}

static void hang_bird(struct world *world)
{
    if (world->model.running && !world->model.hung) {
        tell(world, "BIRD hangs");
        world->model.hung = true;
        world->wake_at_ns = world->now_ns + within_ms(world, 100, 10000);
    }
}

static void session_flaps(struct world *world)
{
    size_t session = below(world, MODEL_SESSIONS);
    if (world->model.running && world->model.established[session]) {
        tell(world, "session up%zu goes down", session);
        world->model.established[session] = false;
        world->session_at_ns[session] = world->now_ns + within_ms(world, 100, 5000);
        model_see(&world->model);
        oracle_disturbed(&world->oracle, world->now_ns);
    }
}

static void somebody_edits(struct world *world)
{
    switch (below(world, 4)) {
    case 0:
        world->model.broken = !world->model.broken;
        break;
    case 1:
        world->model.include_line = !world->model.include_line;
        break;
    case 2:
        world->model.leaks = !world->model.leaks;
        break;
    default:
        world->model.prefixes[below(world, world->model.prefix_count)].device ^= true;
        break;
    }
    model_see(&world->model);
    tell(world, "somebody edits: broken %d, include %d, leaks %d", world->model.broken,
         world->model.include_line, world->model.leaks);
    oracle_disturbed(&world->oracle, world->now_ns);
}

static void disk_trouble(struct world *world)
{
    world->save_fails = !world->save_fails;
    tell(world, "runtime_dir is %s", world->save_fails ? "full" : "well");
    oracle_disturbed(&world->oracle, world->now_ns);
}

static void ask_is_slow(struct world *world)
{
    world->slow_ask_until_ns = world->now_ns + within_ms(world, 100, 5000);
    tell(world, "BIRD is slow to answer questions");
}

static void daemon_dies(struct world *world)
{
    if (world->core != NULL) {
        kill_daemon(world);
    }
}

struct mischief {
    unsigned weight;
    void (*do_it)(struct world *world);
};

static const struct mischief mischiefs[] = {
    {50, flip_probe},    {14, operator_intends}, {8, operator_switches}, {8, operator_configures},
    {4, stop_bird},      {4, hang_bird},         {6, session_flaps},     {4, daemon_dies},
    {3, somebody_edits}, {2, disk_trouble},      {2, ask_is_slow},       {2, reload},
    {1, reboot},
};

static void do_mischief(struct world *world)
{
    unsigned total = 0;
    for (size_t i = 0; i < sizeof mischiefs / sizeof mischiefs[0]; i++) {
        total += mischiefs[i].weight;
    }
    uint64_t at = below(world, total);
    size_t i = 0;
    while (at >= mischiefs[i].weight) {
        at -= mischiefs[i++].weight;
    }
    mischiefs[i].do_it(world);
    world->mischief_at_ns = world->now_ns + within_ms(world, 1, 1500);
}

// ---- what happens by itself ----

static void verdict(struct world *world, size_t probe)
{
    enum verdict_kind kind = world->truth[probe];
    if (!world->quiet && chance(world, 3)) {
        kind = below(world, VERDICT_PASS + 1); // a lost packet, a hiccup
    }
    if (world->blind[probe]) {
        kind = VERDICT_UNKNOWN;
    }
    struct verdict it = {.kind = kind, .at_ns = world->now_ns, .duration_ns = NS_PER_MS};
    snprintf(it.cause, sizeof it.cause, "said %s", verdict_name(kind));
    bool fast = core_probe_unsettled(world->core, probe);
    world->verdict_at_ns[probe] =
        world->now_ns + (fast ? within_ms(world, 90, 110) : within_ms(world, 950, 1050));
    oracle_verdict(&world->oracle, probe, kind);
    core_verdict(world->core, probe, &it, world->now_ns);
    after_input(world);
}

static void save_end(struct world *world)
{
    world->saving = false;
    bool failed = world->save_fails;
    if (!failed) {
        if (world->model.disk_exists) {
            memcpy(world->stale.text, world->model.disk, world->model.disk_length);
            world->stale.length = world->model.disk_length;
            world->stale.exists = true;
        }
        memcpy(world->model.disk, world->save.text, world->save.length);
        world->model.disk_length = world->save.length;
        world->model.disk_exists = world->save.exists;
    }
    uint64_t version = world->save_version;
    core_file_saved(world->core, version, failed ? "no space left" : NULL, world->now_ns);
    after_input(world);
}

static void connect_link(struct world *world, unsigned link)
{
    static const struct bird_version version = {2, 0, 12};
    world->connect_at_ns[link] = UINT64_MAX;
    if (!world->model.running || world->model.hung) {
        world->connect_at_ns[link] = world->now_ns + within_ms(world, 20, 500);
        return;
    }
    world->model.connections[link].open = true;
    core_link(world->core, link, BIRD_LINK_UP, "", &version, world->now_ns);
    after_input(world);
}

static void wake_bird(struct world *world)
{
    tell(world, "BIRD wakes");
    world->model.hung = false;
    oracle_disturbed(&world->oracle, world->now_ns);
}

static void notice_file(struct world *world)
{
    world->notice_at_ns = UINT64_MAX;
    if (world->core != NULL && !world->saving) {
        core_file_foreign(world->core, world->now_ns);
        after_input(world);
    }
}

static void establish(struct world *world, size_t session)
{
    world->session_at_ns[session] = UINT64_MAX;
    if (world->model.running && !world->model.established[session]) {
        world->model.established[session] = true;
        model_see(&world->model);
        oracle_disturbed(&world->oracle, world->now_ns);
    }
}

static void do_commands(struct world *world, unsigned link)
{
    model_do(&world->model, link, world->core, world->now_ns);
    after_input(world);
}

static uint64_t earliest(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t command_at_ns(const struct world *world, unsigned link)
{
    const struct model_connection *connection = &world->model.connections[link];
    bool waits = connection->open && connection->count > 0 && !world->model.hung;
    return waits ? connection->queue[connection->first].at_ns : UINT64_MAX;
}

static uint64_t tick_at_ns(const struct world *world)
{
    uint64_t next_ms = core_next_ms(world->core);
    return next_ms == UINT64_MAX ? UINT64_MAX : next_ms * NS_PER_MS;
}

static uint64_t next_at_ns(const struct world *world)
{
    uint64_t at_ns = earliest(world->daemon_at_ns, earliest(world->bird_at_ns, world->wake_at_ns));
    at_ns = earliest(at_ns, world->notice_at_ns);
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
        at_ns = earliest(at_ns, earliest(command_at_ns(world, i), world->connect_at_ns[i]));
    }
    at_ns = earliest(at_ns, world->saving ? world->save_done_ns : UINT64_MAX);
    return earliest(at_ns, tick_at_ns(world));
}

// One thing that is due now, in an order that does not matter as all orders come up.
static void do_one(struct world *world)
{
    uint64_t now_ns = world->now_ns;
    if (now_ns >= world->daemon_at_ns) {
        start_daemon(world);
    } else if (now_ns >= world->bird_at_ns) {
        start_bird(world);
    } else if (now_ns >= world->wake_at_ns) {
        world->wake_at_ns = UINT64_MAX;
        wake_bird(world);
    } else if (now_ns >= world->notice_at_ns) {
        notice_file(world);
    } else if (now_ns >= world->mischief_at_ns) {
        do_mischief(world);
    } else {
        for (size_t i = 0; i < MODEL_SESSIONS; i++) {
            if (now_ns >= world->session_at_ns[i]) {
                establish(world, i);
            }
        }
        for (unsigned i = 0; i < 2 && world->core != NULL; i++) {
            if (now_ns >= world->connect_at_ns[i]) {
                connect_link(world, i);
            }
            if (now_ns >= command_at_ns(world, i)) {
                do_commands(world, i);
            }
        }
        for (size_t i = 0; world->core != NULL && i < world->config->probe_count; i++) {
            if (now_ns >= world->verdict_at_ns[i]) {
                verdict(world, i);
            }
        }
        if (world->core != NULL && world->saving && now_ns >= world->save_done_ns) {
            save_end(world);
        }
        if (world->core != NULL && now_ns >= tick_at_ns(world)) {
            core_tick(world->core, now_ns);
            after_input(world);
        }
    }
}

static void run_until(struct world *world, uint64_t end_ns)
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

static void calm_down(struct world *world)
{
    world->quiet = true;
    world->mischief_at_ns = UINT64_MAX;
    world->save_fails = false;
    world->model.broken = false;
    world->model.include_line = true;
    world->slow_ask_until_ns = 0;
    memset(world->blind, 0, sizeof world->blind);
    bool ok;
    char message[ERROR_MAX];
    if (world->model.running) {
        model_configure(&world->model, &ok, message); // the operator mends bird.conf
    }
    oracle_disturbed(&world->oracle, world->now_ns);
    tell(world, "quiet");
}

static bool run_episode(uint64_t seed, bool verbose, uint64_t *inputs)
{
    struct world *world = calloc(1, sizeof *world);
    if (world == NULL) {
        abort();
    }
    world->random = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    world->verbose = verbose;
    world->now_ns = NS_PER_S;
    make_config(world);
    model_init(&world->model, world->config);
    for (size_t i = 0; i < ORACLE_PROBES; i++) {
        world->truth[i] = VERDICT_PASS;
    }
    for (size_t i = 0; i < MODEL_SESSIONS; i++) {
        world->session_at_ns[i] = UINT64_MAX;
    }
    world->notice_at_ns = UINT64_MAX;
    world->wake_at_ns = UINT64_MAX;
    world->loaded_at_ns = UINT64_MAX;
    world->bird_at_ns = world->now_ns + within_ms(world, 1, 2000);
    world->daemon_at_ns = world->now_ns + within_ms(world, 1, 2000);
    world->mischief_at_ns = world->now_ns + within_ms(world, 5000, 20000);
    run_until(world, world->now_ns + STORM_NS);
    if (world->oracle.broken[0] == '\0') {
        calm_down(world);
    }
    run_until(world, world->now_ns + QUIET_NS);
    if (world->oracle.broken[0] == '\0') {
        oracle_check_quiet(&world->oracle, world->core, &world->model, world->truth, world->now_ns);
    }
    bool held = world->oracle.broken[0] == '\0';
    if (!held) {
        fprintf(stderr,
                "sim: seed %" PRIu64 ", at %.3f s: %s\nreplay it with: sim --seed %" PRIu64
                " --episodes 1 --verbose\n",
                seed, (double)world->now_ns / (double)NS_PER_S, world->oracle.broken, seed);
    }
    *inputs += world->inputs;
    core_free(world->core);
    config_free(world->config);
    free(world);
    return held;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"seed", required_argument, NULL, 's'},     {"events", required_argument, NULL, 'n'},
        {"episodes", required_argument, NULL, 'e'}, {"forever", no_argument, NULL, 'f'},
        {"verbose", no_argument, NULL, 'v'},        {NULL, 0, NULL, 0}};
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
