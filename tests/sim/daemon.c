// The daemon's life in the simulation: the shell that popgated has, with effects of this world. It
// may die between any two of them.
#include "tests/sim/world.h"

#include "controller/core/past.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STOP_WITHIN_NS  (3000 * NS_PER_MS)
#define OUTSTANDING_MAX 24

static const char *const file_names[SHELL_FILES] = {"include file", "ledger", "boot memory"};

struct model_file *daemon_file(struct world *world, enum shell_file file)
{
    return file == SHELL_INCLUDE ? &world->model.disk : &world->disks[file].there;
}

uint64_t slow_ns(const struct world *world, unsigned link)
{
    return link == ORDER_LINK_ASK && world->slow_until_ns > world->now_ns ? 400 * NS_PER_MS : 0;
}

// ---- Effects

// Before each effect; once it has died, it does nothing any more.
static bool is_dead(struct world *world)
{
    if (world->dies_in > 0 && --world->dies_in == 0) {
        tell(world, "the daemon dies in the middle of its work");
        world->died = true;
    }
    return world->died;
}

// Promise 3: BIRD is configured only when the file is new to it, and by hand if so set. Somebody
// may have loaded the file in the same second: then nobody has told the daemon yet.
static void check_configure(struct world *world, const char *command)
{
    if (strcmp(command, "configure") != 0 && strcmp(command, "configure check") != 0) {
        return; // `configure status` only asks
    }
    if (world->config->bird.configure == CONFIGURE_MANUAL) {
        oracle_broken(&world->oracle, "promise 3: %s with configure = manual", command);
    }
    if (world->seen_at_ns != NEVER_NS && world->now_ns - world->seen_at_ns > 2 * NS_PER_S) {
        oracle_broken(&world->oracle, "promise 3: %s although BIRD had the revision already",
                      command);
    }
}

static bool has_room(void *arg)
{
    const struct world *world = arg;
    return !world->died && line_outstanding(&world->lines[ORDER_LINK_ACT]) < OUTSTANDING_MAX;
}

static bool send_order(void *arg, const struct order *order)
{
    struct world *world = arg;
    if (is_dead(world)) {
        return true;
    }
    bool sent = line_send(&world->lines[order->link], &world->dice, slow_ns(world, order->link),
                          order, world->now_ns);
    if (sent) {
        tell(world, "order: %s", order->command);
        check_configure(world, order->command);
        oracle_order(&world->oracle, order->command, &world->model, world_clock_ns(world));
    }
    return sent;
}

static void withdrawn(void *arg)
{
    (void)is_dead(arg);
}

static void add_words(struct words *words, const struct birdconf *file, const size_t *slots,
                      size_t count)
{
    if (strcmp(words->revision, file->revision) != 0) {
        words->count = 0;
        snprintf(words->revision, sizeof words->revision, "%s", file->revision);
    }
    for (size_t i = 0; i < count && words->count < WORDS_MAX; i++) {
        size_t offset = file->slots[slots[i]].offset;
        words->items[words->count].offset = offset;
        memcpy(words->items[words->count++].text, file->text + offset, 3);
    }
}

// As birdconf_patch(): only into a file of that revision.
static void put_words(struct model_file *file, const struct words *words)
{
    char revision[MODEL_REVISION_MAX];
    model_revision(file, revision);
    for (size_t i = 0; i < words->count && strcmp(revision, words->revision) == 0; i++) {
        memcpy(file->text + words->items[i].offset, words->items[i].text, 3);
    }
}

// At once, unless the disk is busy or slow: as birdconf_worker_patch().
static void patch(void *arg, const struct birdconf *file, const size_t *slots, size_t count)
{
    struct world *world = arg;
    struct disk *disk = &world->disks[SHELL_INCLUDE];
    struct words newer = {.count = 0};
    if (is_dead(world) || disk->fails) {
        return;
    }
    bool waits = disk->words.count > 0;
    bool slow = disk->slow_until_ns > world->now_ns;
    add_words(&newer, file, slots, count);
    if (!waits && !disk->busy && !slow) {
        put_words(&world->model.disk, &newer);
        return;
    }
    if (waits && disk->busy && disk->words.at_ns != NEVER_NS) {
        put_words(&disk->writing, &newer); // its turn comes after the words
    }
    add_words(&disk->words, file, slots, count);
    if (!waits) {
        disk->words.at_ns =
            disk->busy ? NEVER_NS : world->now_ns + dice_ms(&world->dice, 100, 3000);
    }
}

static void end_words(struct world *world)
{
    struct words *words = &world->disks[SHELL_INCLUDE].words;
    put_words(&world->model.disk, words);
    words->count = 0;
}

static void publish(void *arg)
{
    (void)is_dead(arg);
}

static bool is_idle(void *arg, enum shell_file file)
{
    const struct world *world = arg;
    return !world->died && !world->disks[file].busy;
}

static void save(void *arg, const struct shell_save *what)
{
    struct world *world = arg;
    struct disk *disk = &world->disks[what->file];
    if (is_dead(world)) {
        return;
    }
    if (disk->busy || what->length > MODEL_FILE_MAX) {
        oracle_broken(&world->oracle, "the %s is saved while it is being saved",
                      file_names[what->file]);
        return;
    }
    bool slow = disk->slow_until_ns > world->now_ns;
    disk->busy = true;
    disk->version = what->version;
    disk->done_at_ns = world->now_ns + (slow ? dice_ms(&world->dice, 100, 3000)
                                             : dice_ms(&world->dice, 0, world->quiet ? 2 : 20));
    if (disk->words.count > 0 && disk->done_at_ns < disk->words.at_ns) {
        disk->done_at_ns = disk->words.at_ns; // whose turn comes first
    }
    disk->writing.exists = what->text != NULL;
    disk->writing.length = what->length;
    if (what->text != NULL) {
        memcpy(disk->writing.text, what->text, what->length);
    }
    if (what->file == SHELL_LEDGER) {
        verbs_saving(&world->oracle);
    } else if (what->file == SHELL_MEMORY) {
        oracle_remembering(&world->oracle, world_clock_ns(world));
    }
}

static void answer(void *arg, void *ticket, enum outcome outcome, const char *message)
{
    struct world *world = arg;
    unsigned number = (unsigned)(uintptr_t)ticket;
    if (is_dead(world)) {
        return;
    }
    tell(world, "answer to verb %u: %d %s", number, outcome, message);
    verbs_answered(&world->oracle, number, outcome, &world->model, daemon_file(world, SHELL_LEDGER),
                   world_clock_ns(world), world_wall_ms(world));
}

static void log_event(void *arg, const struct event *event, bool more)
{
    (void)more;
    struct world *world = arg;
    if (!is_dead(world)) {
        tell(world, "event: %s %s %s", event_name(event->kind), event->service, event->text);
    }
}

static void wake_at(void *arg, uint64_t at_ms)
{
    struct world *world = arg;
    if (is_dead(world)) {
        return;
    }
    uint64_t at_ns = at_ms == UINT64_MAX ? NEVER_NS : at_ms * NS_PER_MS + world->boot_ns;
    world->tick_at_ns = at_ns > world->now_ns ? at_ns : world->now_ns + NS_PER_MS;
}

static void check(struct world *world);

// What a worker has prepared takes over.
static void may_reload(void *arg)
{
    struct world *world = arg;
    struct next *next = &world->next;
    if (is_dead(world) || next->config == NULL || world->now_ns < next->ready_at_ns ||
        !shell_may_swap(&world->shell)) {
        return;
    }
    size_t before[SCENE_SERVICES];
    for (size_t i = 0; i < next->config->service_count; i++) {
        before[i] = config_service(world->config, next->config->services[i].name);
    }
    check(world); // what came of the input belongs to the configuration that goes
    tell(world, "the new configuration takes over");
    struct core *old = world->shell.core;
    uint64_t *remembered = world->shell.remembered;
    oracle_reload(&world->oracle, next->config, &next->scene, &world->scene, world_clock_ns(world));
    shell_swap(&world->shell, next->core, next->remembered, before, world_clock_ns(world),
               world_wall_ms(world));
    core_free(old);
    config_free(world->config);
    free(remembered);
    world->scene = next->scene;
    world->config = next->config;
    world->generation = world->shell.core->generation;
    next->config = NULL;
    shell_work(&world->shell, world_clock_ns(world), world_wall_ms(world));
}

static void end(void *arg)
{
    ((struct world *)arg)->ended = true;
}

static const struct shell_effects effects = {has_room,  send_order, withdrawn,  patch,
                                             publish,   is_idle,    save,       answer,
                                             log_event, wake_at,    may_reload, end};

// ---- Its end

static void put_there(struct model_file *there, const struct model_file *what)
{
    there->exists = what->exists;
    there->length = what->length;
    memcpy(there->text, what->text, what->length);
}

// What was being written is there, or it is not.
static void abandon_disks(struct world *world)
{
    struct words *words = &world->disks[SHELL_INCLUDE].words;
    if (words->count > 0 && words->at_ns != NEVER_NS && dice_chance(&world->dice, 50)) {
        put_words(&world->model.disk, words);
    }
    words->count = 0;
    for (unsigned file = 0; file < SHELL_FILES; file++) {
        struct disk *disk = &world->disks[file];
        if (disk->busy && !disk->fails && dice_chance(&world->dice, 50)) {
            struct model_file *there = daemon_file(world, file);
            tell(world, "but the %s is written", file_names[file]);
            put_there(there, &disk->writing);
            if (file == SHELL_MEMORY) {
                oracle_remembered(&world->oracle);
            } else if (file == SHELL_LEDGER) {
                world->ledger_spoilt = false;
            }
        }
        disk->busy = false;
    }
}

static void drop_next(struct world *world)
{
    if (world->next.config != NULL) {
        core_free(world->next.core);
        config_free(world->next.config);
        free(world->next.remembered);
        world->next.config = NULL;
    }
}

// Of a step that it could see and write down, a restart is to know nothing.
static void check_ledger_clock(struct world *world)
{
    const struct disk *disk = &world->disks[SHELL_LEDGER];
    if (!world->died && !disk->busy && !disk->failed && !world->ledger_spoilt) {
        verbs_check_clock(&world->oracle, &disk->there,
                          world->seen_wall_ms + world->boot_ns / NS_PER_MS);
    }
}

static void end_daemon(struct world *world, bool cleanly)
{
    for (unsigned i = 0; i < 2; i++) {
        line_abandon(&world->lines[i], &world->model, &world->orphans, &world->dice, cleanly);
    }
    check_ledger_clock(world);
    oracle_end(&world->oracle, world_clock_ns(world));
    abandon_disks(world);
    drop_next(world);
    core_free(world->shell.core);
    changes_free(world->shell.changes);
    free(world->shell.remembered);
    config_free(world->config);
    world->shell = (struct shell){.core = NULL};
    world->config = NULL;
    world->died = world->ended = world->due = false;
    world->dies_in = 0;
    world->stop_at_ns = world->tick_at_ns = NEVER_NS;
    world->daemon_at_ns = world->now_ns + dice_ms(&world->dice, 10, 3000);
}

void daemon_kill(struct world *world)
{
    tell(world, "daemon dies");
    end_daemon(world, false);
}

// What was written and not synced is lost, or it is not.
void daemon_lose_power(struct world *world)
{
    struct disk *disk = &world->disks[SHELL_LEDGER];
    daemon_kill(world);
    if (disk->unsynced && dice_chance(&world->dice, 50)) {
        tell(world, "and the ledger is the one of before");
        put_there(&disk->there, &disk->synced);
        world->ledger_spoilt = disk->synced_spoilt;
        disk->unsynced = false;
    }
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
    end_daemon(world, true);
}

// ---- After each input

static void check(struct world *world)
{
    struct abilities abilities = world_abilities(world);
    world->stop_able = world->stop_able && abilities.repairs;
    world->seen_at_ns = !abilities.repairs              ? NEVER_NS
                        : world->seen_at_ns == NEVER_NS ? world->now_ns
                                                        : world->seen_at_ns;
    oracle_check(&world->oracle, world->shell.core, &world->model, abilities,
                 world_clock_ns(world));
}

static void after_work(struct world *world)
{
    if (world->died) {
        daemon_kill(world);
        return;
    }
    world->inputs++;
    world->due = false;
    world->seen_wall_ms = world->wall_ms;
    world->crowded = world->shell.core->orders.count > 0;
    check(world);
    if (world->ended) {
        end_stop(world);
    }
}

// They look at everything there is: of many services, not after each input. And at the orders of
// one input: not while BIRD's link has no room for those of the one before.
static void check_invariants(struct world *world)
{
    if (!world->crowded && world->inputs % (1 + world->config->service_count / 4) == 0) {
        core_check_invariants(world->shell.core, world_clock_ns(world));
    }
}

void daemon_after_input(struct world *world)
{
    if (!world->due) {
        check_invariants(world); // first: the orders are still to be seen
    }
    shell_work(&world->shell, world_clock_ns(world), world_wall_ms(world));
    after_work(world);
}

// As the daemon's gather: what comes at the same time may be worked off together.
void daemon_gather_input(struct world *world)
{
    if (world->due || dice_chance(&world->dice, 30)) {
        world->due = true;
        oracle_gathered(&world->oracle, world->shell.core, &world->model, world_clock_ns(world));
    } else {
        daemon_after_input(world);
    }
}

void daemon_end_phase(struct world *world)
{
    if (world->due && daemon_lives(world)) {
        daemon_after_input(world);
    }
}

// ---- Inputs

void daemon_stop(struct world *world)
{
    world->stop_at_ns = world->now_ns + STOP_WITHIN_NS;
    if (dice_chance(&world->dice, 30)) { // everything goes on as it is
        tell(world, "daemon is told to restart");
        world->stop_able = false;
        shell_restart(&world->shell, world_clock_ns(world), world_wall_ms(world));
        after_work(world);
        return;
    }
    tell(world, "daemon is told to stop");
    world->stop_able = world_abilities(world).repairs;
    oracle_stop(&world->oracle, world_clock_ns(world));
    shell_stop(&world->shell, world_clock_ns(world), world_wall_ms(world));
    after_work(world);
}

void daemon_reload(struct world *world, const struct scene *scene)
{
    struct next *next = &world->next;
    drop_next(world);
    next->scene = *scene;
    next->config = scene_config(scene);
    next->core = core_prepare(world->shell.core, next->config);
    next->remembered = calloc(SCENE_SERVICES, sizeof *next->remembered);
    next->ready_at_ns = world->now_ns + dice_ms(&world->dice, 0, 300);
    if (next->core == NULL || next->remembered == NULL) {
        abort();
    }
}

void daemon_ask(struct world *world, struct asked *asked)
{
    size_t services[VERB_SERVICES];
    struct change change = {.verb = asked->verb,
                            .services = services,
                            .service_count = asked->name_count,
                            .for_ms = asked->for_ms,
                            .force = !asked->guarded,
                            .by = "an operator"};
    for (size_t i = 0; i < asked->name_count; i++) {
        services[i] = world->oracle.services[asked->names[i]].index;
    }
    asked->number = ++world->verbs;
    asked->asked_ns = world_clock_ns(world);
    snprintf(change.reason, sizeof change.reason, "v%u", asked->number);
    void *ticket = (void *)(uintptr_t)asked->number; // NOLINT(performance-no-int-to-ptr): a number
    enum outcome outcome = changes_submit(world->shell.changes, world->shell.core, &change, ticket,
                                          world_clock_ns(world), world_wall_ms(world));
    if (outcome == OUTCOME_WAITS) {
        verbs_asked(&world->oracle, asked, world_clock_ns(world), world_wall_ms(world));
        daemon_after_input(world);
    }
}

static void save_end(struct world *world, enum shell_file file)
{
    struct disk *disk = &world->disks[file];
    struct model_file *there = daemon_file(world, file);
    // What fails may have got there all the same: only its safety is in doubt.
    bool written = !disk->fails || dice_chance(&world->dice, 20);
    disk->busy = false;
    disk->failed = disk->fails;
    if (written) {
        if (file == SHELL_INCLUDE && there->exists) {
            world->stale = *there;
        }
        if (!disk->unsynced) {
            put_there(&disk->synced, there);
            disk->synced_spoilt = world->ledger_spoilt;
        }
        disk->unsynced = disk->fails;
        put_there(there, &disk->writing);
        world->ledger_spoilt = world->ledger_spoilt && file != SHELL_LEDGER;
    }
    if (file == SHELL_INCLUDE) {
        end_words(world);
    }
    if (!disk->fails && file == SHELL_LEDGER) {
        verbs_saved(&world->oracle);
    } else if (written && file == SHELL_MEMORY) {
        oracle_remembered(&world->oracle);
    }
    shell_saved(&world->shell, file, disk->version, disk->fails ? "no space left" : NULL,
                world_clock_ns(world), world_wall_ms(world));
    after_work(world);
}

uint64_t daemon_next_ns(const struct world *world)
{
    uint64_t at_ns = world->tick_at_ns < world->stop_at_ns ? world->tick_at_ns : world->stop_at_ns;
    for (unsigned file = 0; file < SHELL_FILES; file++) {
        const struct disk *disk = &world->disks[file];
        at_ns = disk->busy && disk->done_at_ns < at_ns ? disk->done_at_ns : at_ns;
        at_ns = disk->words.count > 0 && disk->words.at_ns < at_ns ? disk->words.at_ns : at_ns;
    }
    bool prepares = world->next.config != NULL && world->now_ns < world->next.ready_at_ns;
    return prepares && world->next.ready_at_ns < at_ns ? world->next.ready_at_ns : at_ns;
}

void daemon_go_on(struct world *world)
{
    uint64_t now_ns = world->now_ns;
    if (now_ns >= world->tick_at_ns) {
        world->tick_at_ns = NEVER_NS;
        shell_tick(&world->shell, world_clock_ns(world), world_wall_ms(world));
        after_work(world);
    }
    if (world->disks[SHELL_INCLUDE].words.count > 0 &&
        now_ns >= world->disks[SHELL_INCLUDE].words.at_ns) {
        end_words(world);
    }
    for (unsigned file = 0; file < SHELL_FILES && daemon_lives(world); file++) {
        if (world->disks[file].busy && now_ns >= world->disks[file].done_at_ns) {
            save_end(world, file);
        }
    }
    if (daemon_lives(world) && world->next.config != NULL && now_ns >= world->next.ready_at_ns) {
        daemon_after_input(world);
    }
    if (daemon_lives(world) && now_ns >= world->stop_at_ns) {
        end_stop(world);
    }
}

static void on_link(void *arg, enum bird_link state, const char *reason)
{
    struct link_arg *link = arg;
    struct world *world = link->world;
    struct bird_version version = {world->bird_major, 0, 12};
    if (!daemon_lives(world)) {
        return;
    }
    tell(world, "link %d: %s", link->link,
         state == BIRD_LINK_UP     ? "up"
         : state == BIRD_LINK_DOWN ? reason
                                   : "silent");
    core_link(world->shell.core, link->link, state, reason, state == BIRD_LINK_UP ? &version : NULL,
              world_clock_ns(world));
    daemon_after_input(world);
}

static void on_line(void *arg, uint64_t token, const struct bird_line *line)
{
    struct link_arg *link = arg;
    if (daemon_lives(link->world)) {
        core_line(link->world->shell.core, token, line, world_clock_ns(link->world));
    }
}

static void on_end(void *arg, uint64_t token, enum bird_end end, unsigned code, const char *text)
{
    struct link_arg *link = arg;
    if (daemon_lives(link->world)) {
        core_end(link->world->shell.core, token, end, code, text, world_clock_ns(link->world));
        daemon_gather_input(link->world);
    }
}

const struct line_events daemon_line_events = {on_link, on_line, on_end};

// ---- Its beginning

static void read_past(struct world *world, struct past *past)
{
    char error[ERROR_MAX];
    const struct model_file *ledger = daemon_file(world, SHELL_LEDGER);
    const struct model_file *disk = daemon_file(world, SHELL_INCLUDE);
    const struct model_file *memory = daemon_file(world, SHELL_MEMORY);
    if (ledger->exists) {
        (void)ledger_parse(ledger->text, ledger->length, &past->ledger, past->ledger_trouble);
    }
    past->former = disk->exists ? birdconf_parse(disk->text, disk->length, error) : NULL;
    past->same_boot = memory->exists && boot_memory_parse(memory->text, memory->length,
                                                          world->boot_id, &past->memory);
    if (!past_make(past, world->config, &world->events, world_clock_ns(world),
                   world_wall_ms(world))) {
        abort();
    }
}

static void begin_shell(struct world *world, struct past *past)
{
    struct core_start start = {.config = world->config,
                               .events = &world->events,
                               .former = past->former,
                               .same_boot = past->same_boot,
                               .intents = past->intents,
                               .recent = past->recent,
                               .generation = ++world->generation,
                               .now_ns = world_clock_ns(world)};
    world->shell = (struct shell){
        .effects = &effects,
        .arg = world,
        .core = core_new(&start),
        .changes = changes_new(&past->ledger, world_clock_ns(world), world_wall_ms(world)),
        .events = &world->events,
        .boot_id = world->boot_id,
        .logged = events_end(&world->events) - 1,
        .remembered = calloc(SCENE_SERVICES, sizeof(uint64_t))};
    if (world->shell.core == NULL || world->shell.changes == NULL ||
        world->shell.remembered == NULL) {
        abort();
    }
    memset(world->shell.remembered, 0xff, SCENE_SERVICES * sizeof(uint64_t));
    if (past->ledger_damaged) {
        changes_sync(world->shell.changes);
    }
}

void daemon_start(struct world *world)
{
    struct past past = {.same_boot = false};
    uint64_t clock_ns = world_clock_ns(world);
    world->config = scene_config(&world->scene);
    verbs_restart(&world->oracle, world->config, daemon_file(world, SHELL_LEDGER),
                  world->ledger_spoilt, clock_ns, world_wall_ms(world));
    oracle_start(&world->oracle, world->config, &world->scene, &world->model.disk,
                 daemon_file(world, SHELL_MEMORY)->exists, &world->events, clock_ns);
    read_past(world, &past);
    tell(world, "daemon starts%s", past.same_boot ? "" : " for the first time since boot");
    begin_shell(world, &past);
    past_clear(&past);
    world->daemon_at_ns = NEVER_NS;
    world->disks[SHELL_LEDGER].failed = world->disks[SHELL_LEDGER].unsynced = false;
    world->seen_wall_ms = world->wall_ms;
    for (unsigned i = 0; i < 2; i++) {
        line_begin(&world->lines[i], world->now_ns + dice_ms(&world->dice, 1, 50));
    }
    for (size_t i = 0; i < world->config->probe_count; i++) {
        world->verdict_at_ns[i] = world->now_ns + dice_ms(&world->dice, 1, 1000);
    }
    daemon_after_input(world);
}
