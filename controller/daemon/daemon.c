#include "controller/daemon/daemon.h"

#include "base/clock.h"

#include "controller/api/api.h"
#include "controller/api/status.h"
#include "controller/config/load.h"
#include "controller/config/values.h"
#include "controller/core/change.h"
#include "controller/core/core.h"
#include "controller/core/shell.h"
#include "controller/daemon/birdconf_worker.h"
#include "controller/daemon/identity.h"
#include "controller/daemon/include_watch.h"
#include "controller/daemon/log.h"
#include "controller/daemon/notify.h"
#include "controller/daemon/reload.h"
#include "controller/daemon/saver.h"
#include "controller/daemon/signals.h"
#include "controller/daemon/state_files.h"

#include "birdctl/session.h"
#include "probes/scheduler.h"
#include "probes/turns.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#define BIRD_DEADLINE_MS 1000
#define BIRD_GIVE_UP_MS  30000
#define BIRD_REPLY_MS    10000
#define BIRD_BACKOFF_MIN 20
#define BIRD_BACKOFF_MAX 500
#define STOP_WITHIN_MS   7000 // less than the unit's TimeoutStopSec, with LINK_ENDS_MS
#define GIVE_UP_MS       1500 // after that: what holds it up then is a disk
#define LINK_ENDS_MS     1000 // of that, for the answers that are outstanding when a link is closed
#define CHECK_FILE_MS    1000
#define POOL_THREADS     4     // libuv's: one for each of those who may wait for a disk
#define DESCRIPTORS      65536 // as the unit's LimitNOFILE
#define OUTSTANDING_MAX  2048  // commands; the rest stays with the core until replies come

struct daemon {
    uv_loop_t *loop;
    const char *config_path;
    struct config *config;
    struct core *core;
    struct events events;
    char reload_trouble[ERROR_MAX]; // why the last reload failed; empty: it did not
    char told[PROBLEMS_LINE_MAX];   // to the service manager
    struct bird_session *links[2];  // by enum order_link
    struct scheduler *scheduler;
    struct responder *responder;
    struct identity *identity;
    struct api *api;
    struct changes *changes;
    struct shell shell;
    struct birdconf_worker *include;   // on disk
    struct saver *savers[SHELL_FILES]; // of the other ones
    struct ledger_place ledger_place;  // the worker's while a save is under way
    char boot_id[64];
    uv_timer_t tick, watchdog, check, stop, give_up;
    struct include_watch include_watch;
    struct signals signals;
    bool closing;
    bool failed; // something was not done that a stop promises
    struct reload *reload;
};

static uint64_t now_ns(void)
{
    return uv_hrtime();
}

static void tell_manager(struct daemon *daemon);
static void close_all(struct daemon *daemon);

// ---- After each input: orders, files, log lines, timers

static bool can_send(void *arg)
{
    const struct daemon *daemon = arg;
    const struct bird_session *link = daemon->links[ORDER_LINK_ACT];
    return link == NULL || bird_session_outstanding(link) < OUTSTANDING_MAX;
}

static bool send_order(void *arg, const struct order *order)
{
    struct daemon *daemon = arg;
    struct bird_session *link = daemon->links[order->link];
    return link != NULL &&
           bird_session_send(link, order->command, order->token, order->urgent) == 0;
}

// The kernel may have put BIRD's turn on this core, behind us.
static void let_bird_run(void *arg)
{
    (void)arg;
    sched_yield();
}

static void patch_include(void *arg, const struct birdconf *file, const size_t *slots, size_t count)
{
    birdconf_worker_patch(((const struct daemon *)arg)->include, file, slots, count);
}

static void publish_identity(void *arg)
{
    struct daemon *daemon = arg;
    struct dns_snapshot *snapshot =
        identity_snapshot(daemon->identity, daemon->core, now_ns() / NS_PER_MS, clock_wall_ms());
    if (snapshot != NULL) {
        responder_publish(daemon->responder, snapshot);
    }
}

static bool is_idle(void *arg, enum shell_file file)
{
    const struct daemon *daemon = arg;
    return file == SHELL_INCLUDE ? !birdconf_worker_saves(daemon->include)
                                 : saver_idle(daemon->savers[file]);
}

static void save_file(void *arg, const struct shell_save *save)
{
    struct daemon *daemon = arg;
    if (save->file == SHELL_INCLUDE) {
        birdconf_worker_save(daemon->include, save->text, save->length, save->version);
        return;
    }
    if (save->file == SHELL_LEDGER) {
        daemon->ledger_place.insist = save->insists; // the saver is idle: one save at a time
    }
    saver_submit(daemon->savers[save->file], save->text, save->length, save->version);
}

static void answer(void *arg, void *ticket, enum outcome outcome, const char *message)
{
    (void)arg;
    api_answer(ticket, outcome, message);
}

static void log_it(void *arg, const struct event *event)
{
    (void)arg;
    log_event(event);
}

static void on_tick(uv_timer_t *timer);

static void wake_at(void *arg, uint64_t at_ms)
{
    struct daemon *daemon = arg;
    uint64_t now_ms = now_ns() / NS_PER_MS;
    if (at_ms == UINT64_MAX) {
        uv_timer_stop(&daemon->tick);
        return;
    }
    uv_update_time(daemon->loop);
    uv_timer_start(&daemon->tick, on_tick, at_ms > now_ms ? at_ms - now_ms : 1, 0);
}

static void may_reload(void *arg)
{
    reload_go_on(((struct daemon *)arg)->reload);
}

static void end_now(void *arg)
{
    close_all(arg);
}

static const struct shell_effects effects = {
    can_send,  send_order, let_bird_run, patch_include, publish_identity, is_idle,
    save_file, answer,     log_it,       wake_at,       may_reload,       end_now};

static void after_input(struct daemon *daemon)
{
    shell_work(&daemon->shell, now_ns(), clock_wall_ms());
}

static void on_tick(uv_timer_t *timer)
{
    struct daemon *daemon = timer->data;
    shell_tick(&daemon->shell, now_ns(), clock_wall_ms());
}

// ---- BIRD

struct link_arg {
    struct daemon *daemon;
    enum order_link link;
};

static void on_link(void *arg, enum bird_link state, const char *reason,
                    const struct bird_version *version)
{
    struct link_arg *link = arg;
    core_link(link->daemon->core, link->link, state, reason, version, now_ns());
    after_input(link->daemon);
}

static void on_line(void *arg, uint64_t token, const struct bird_line *line)
{
    struct link_arg *link = arg;
    core_line(link->daemon->core, token, line, now_ns());
}

static void on_end(void *arg, uint64_t token, enum bird_end end, unsigned code, const char *text)
{
    struct link_arg *link = arg;
    core_end(link->daemon->core, token, end, code, text, now_ns());
    after_input(link->daemon);
}

static void on_echo(void *arg, const char *text)
{
    struct link_arg *link = arg;
    core_echo(link->daemon->core, text, now_ns());
    after_input(link->daemon);
}

static bool connect_bird(struct daemon *daemon, struct link_arg args[2])
{
    static const struct bird_session_events events = {on_link, on_line, on_end, on_echo};
    for (unsigned link = 0; link < 2; link++) {
        struct bird_session_options options = {.socket_path = daemon->config->bird.socket,
                                               .deadline_ms = BIRD_DEADLINE_MS,
                                               .give_up_ms = BIRD_GIVE_UP_MS,
                                               .reply_ms = BIRD_REPLY_MS,
                                               .backoff_min_ms = BIRD_BACKOFF_MIN,
                                               .backoff_max_ms = BIRD_BACKOFF_MAX,
                                               .echo = link == ORDER_LINK_ASK};
        args[link] = (struct link_arg){.daemon = daemon, .link = link};
        daemon->links[link] = bird_session_new(daemon->loop, &options, &events, &args[link]);
        if (daemon->links[link] == NULL) {
            return false;
        }
    }
    return true;
}

// ---- Probes

static void on_verdict(void *arg, size_t index, const struct verdict *verdict)
{
    struct daemon *daemon = arg;
    core_verdict(daemon->core, index, verdict, now_ns());
    scheduler_set_fast(daemon->scheduler, index, core_probe_unsettled(daemon->core, index));
    after_input(daemon);
}

static bool run_probes(struct daemon *daemon, const struct config *config)
{
    const struct probe_conf **probes = calloc(config->probe_count + 1, sizeof *probes);
    if (probes == NULL) {
        return false;
    }
    for (size_t i = 0; i < config->probe_count; i++) {
        probes[i] = &config->probes[i];
    }
    int status = scheduler_apply(daemon->scheduler, probes, config->probe_count);
    free(probes);
    return status == 0;
}

static void set_all_fast(struct daemon *daemon)
{
    for (size_t i = 0; i < daemon->config->probe_count; i++) {
        scheduler_set_fast(daemon->scheduler, i, core_probe_unsettled(daemon->core, i));
    }
}

// ---- Files

static const struct include *watched_include(void *arg)
{
    const struct daemon *daemon = arg;
    return daemon->shell.stopping ? NULL : &daemon->core->include;
}

static void on_foreign_include(void *arg)
{
    struct daemon *daemon = arg;
    core_file_foreign(daemon->core, now_ns());
    after_input(daemon);
}

static void on_check(uv_timer_t *timer)
{
    struct daemon *daemon = timer->data;
    include_watch_look(&daemon->include_watch);
    tell_manager(daemon);
    notify_again();
}

static void on_include_saved(void *arg, uint64_t version, const char *error)
{
    struct daemon *daemon = arg;
    shell_saved(&daemon->shell, SHELL_INCLUDE, version, error, now_ns(), clock_wall_ms());
}

static void on_include_found(void *arg)
{
    include_watch_found(&((const struct daemon *)arg)->include_watch);
}

static void tell_stamp_trouble(struct daemon *daemon)
{
    char *trouble = daemon->ledger_place.stamp_trouble;
    if (trouble[0] != '\0') {
        events_add(&daemon->events, EVENT_TROUBLE, NULL, now_ns(),
                   "%s; should the ledger's file system not be mounted at a start, nobody would "
                   "notice",
                   trouble)
            ->warning = true;
        trouble[0] = '\0';
    }
}

static void on_ledger_saved(void *arg, uint64_t version, const char *error)
{
    struct daemon *daemon = arg;
    if (daemon->closing) {
        return; // whoever asked was answered when the API closed
    }
    struct ledger_place *place = &daemon->ledger_place;
    if (place->has_found) {
        place->has_found = false;
        changes_found(daemon->changes, daemon->core, &place->found, now_ns(), clock_wall_ms());
        ledger_clear(&place->found);
    }
    tell_stamp_trouble(daemon);
    shell_saved(&daemon->shell, SHELL_LEDGER, version, error, now_ns(), clock_wall_ms());
}

static void on_memory_saved(void *arg, uint64_t version, const char *error)
{
    struct daemon *daemon = arg;
    shell_saved(&daemon->shell, SHELL_MEMORY, version, error, now_ns(), clock_wall_ms());
}

static int write_ledger(void *arg, const char *directory, const char *text, size_t length,
                        char error[ERROR_MAX])
{
    struct daemon *daemon = arg;
    (void)length;
    return ledger_save(directory, &daemon->ledger_place, text, error);
}

static int write_memory(void *arg, const char *directory, const char *text, size_t length,
                        char error[ERROR_MAX])
{
    (void)arg;
    (void)length;
    return boot_memory_save(directory, text, error);
}

// ---- Operators

static const struct core *api_core(void *arg)
{
    return ((struct daemon *)arg)->core;
}

static void api_on_change(void *arg, const struct change *change, struct api_ticket *ticket)
{
    struct daemon *daemon = arg;
    enum outcome outcome = daemon->shell.stopping
                               ? OUTCOME_STOPPING
                               : changes_submit(daemon->changes, daemon->core, change, ticket,
                                                now_ns(), clock_wall_ms());
    if (outcome != OUTCOME_WAITS) {
        api_answer(ticket, outcome, NULL);
        return;
    }
    after_input(daemon);
}

static void api_on_reload(void *arg, struct api_ticket *ticket)
{
    struct daemon *daemon = arg;
    if (daemon->shell.stopping || !reload_ask(daemon->reload, ticket)) {
        api_answer(ticket, daemon->shell.stopping ? OUTCOME_STOPPING : OUTCOME_BUSY,
                   daemon->shell.stopping ? NULL : "too many wait for a reload already");
    }
}

static const char *prober_watch(void *arg, size_t probe, char out[WATCH_TEXT_MAX])
{
    return scheduler_watch_text(((struct daemon *)arg)->scheduler, probe, out);
}

static void api_totals(void *arg, struct dns_totals *out)
{
    responder_totals(((struct daemon *)arg)->responder, out);
}

static time_t prober_not_after(void *arg, size_t probe)
{
    return scheduler_not_after(((struct daemon *)arg)->scheduler, probe);
}

static struct status_turns prober_longest_turns(void *arg)
{
    const struct daemon *daemon = arg;
    const struct turns *turns = scheduler_turns(daemon->scheduler);
    return (struct status_turns){.ever_ns = turns_longest_ns(turns),
                                 .recent_ns = turns_recent_ns(turns, now_ns()),
                                 .in_reload_ns = reload_longest_turn_ns(daemon->reload)};
}

static const struct status_prober prober = {prober_watch, prober_not_after, prober_longest_turns};

static struct own_trouble own_trouble(void *arg)
{
    const struct daemon *daemon = arg;
    return (struct own_trouble){.ledger = changes_trouble(daemon->changes),
                                .prober = scheduler_trouble(daemon->scheduler),
                                .reload = daemon->reload_trouble[0] != '\0' ? daemon->reload_trouble
                                                                            : NULL};
}

// `systemctl status` has a line for it.
static void tell_manager(struct daemon *daemon)
{
    char line[PROBLEMS_LINE_MAX];
    struct own_trouble own = own_trouble(daemon);
    problems_line(daemon->core, &own, now_ns() / NS_PER_MS, line);
    if (strcmp(line, daemon->told) != 0) {
        snprintf(daemon->told, sizeof daemon->told, "%s", line);
        notify_status(line);
    }
}

// ---- Reload

// False and why not; else what it remarks is in the log.
static bool listen_to(struct daemon *daemon, const struct config *config, char error[ERROR_MAX])
{
    struct responder_conf conf = identity_listen(config);
    if (responder_listen(daemon->responder, &conf, error) != 0) {
        return false;
    }
    if (error[0] != '\0') {
        log_line(LOG_LEVEL_WARNING, "%s", error);
    }
    return true;
}

static void log_responder(const struct config *config)
{
    char text[IDENTITY_TEXT_MAX];
    if (config->responder.listen_count > 0) {
        log_line(LOG_LEVEL_INFO, "%s", identity_text(config, text));
    }
}

static struct setup reload_present(void *arg)
{
    const struct daemon *daemon = arg;
    return (struct setup){daemon->config, daemon->core, daemon->identity, daemon->shell.remembered};
}

static bool reload_may_swap(void *arg)
{
    return shell_may_swap(&((const struct daemon *)arg)->shell);
}

static bool reload_swap(void *arg, struct reload_next *next, void (*on_settled)(void *arg),
                        void *settled_arg, char error[ERROR_MAX])
{
    struct daemon *daemon = arg;
    struct setup old = reload_present(daemon);
    if (!listen_to(daemon, next->setup.config, error)) {
        return false;
    }
    scheduler_carry_out(daemon->scheduler, next->plan, on_settled, settled_arg);
    next->plan = NULL;
    identity_take_over(next->setup.identity, old.identity);
    shell_swap(&daemon->shell, next->setup.core, next->setup.remembered, next->before, now_ns(),
               clock_wall_ms());
    daemon->config = next->setup.config;
    daemon->core = next->setup.core;
    daemon->identity = next->setup.identity;
    next->setup = old;
    set_all_fast(daemon);
    if (daemon->config->responder.listen_count == 0) {
        responder_publish(daemon->responder, NULL); // connections stay, but not with frozen answers
    }
    log_responder(daemon->config);
    publish_identity(daemon); // who asked for the reload gets the new answers
    return true;
}

static void reload_ended(void *arg, const char *why)
{
    struct daemon *daemon = arg;
    daemon->reload_trouble[0] = '\0';
    if (why != NULL) {
        error_say(daemon->reload_trouble, "reload of %s failed: %s", daemon->config_path, why);
        events_add(&daemon->events, EVENT_TROUBLE, NULL, now_ns(),
                   "reload of %s failed, nothing was changed: %s", daemon->config_path, why)
            ->warning = true;
    }
    after_input(daemon);
}

static void reload_answer(void *arg, void *ticket, enum outcome outcome, const char *message)
{
    (void)arg;
    api_answer(ticket, outcome, message);
}

// ---- Start and stop

// Whoever watches over us (OnFailure= of the unit) finishes what we could not.
// Files are written, and a configuration is read, by threads that nothing can stop; exit() would
// wait for them, too.
static void on_give_up(uv_timer_t *timer)
{
    const struct daemon *daemon = timer->data;
    bool include = birdconf_worker_saves(daemon->include);
    log_line(include ? LOG_LEVEL_ERROR : LOG_LEVEL_WARNING,
             "stopped while the disk still has not answered%s",
             include ? "; a restart of BIRD may bring up what the old include file says" : "");
    _exit(daemon->failed || include ? 1 : 0);
}

static void tell_unconfirmed(const struct daemon *daemon, const char *first, size_t left)
{
    const struct core_link *link = &daemon->core->links[ORDER_LINK_ACT];
    log_line(LOG_LEVEL_ERROR,
             "stopping, and BIRD has not confirmed within %d ms that %s%s %s withdrawn%s%s: "
             "they may still be announced (popgated --withdraw-all tries on)",
             STOP_WITHIN_MS, first, left > 1 ? " and others" : "", left > 1 ? "are" : "is",
             link->reason[0] != '\0' ? "; " : "", link->reason);
}

static void on_stop_timeout(uv_timer_t *timer)
{
    struct daemon *daemon = timer->data;
    const char *first = "";
    size_t left = core_unconfirmed(daemon->core, &first);
    const char *unsaved = daemon->core->include.trouble;
    if (left > 0) {
        tell_unconfirmed(daemon, first, left);
    }
    if (unsaved[0] != '\0') {
        log_line(LOG_LEVEL_ERROR,
                 "stopping, and the include file is not saved: %s; a restart of BIRD may bring up "
                 "what the old one says (popgated --withdraw-all tries on)",
                 unsaved);
    } else if (left == 0 && !core_quiet(daemon->core)) {
        log_line(LOG_LEVEL_WARNING,
                 "stopping, and BIRD has not confirmed within %d ms that what is kept is announced "
                 "or depreferenced as it was to be",
                 STOP_WITHIN_MS);
    } else if (left == 0) {
        log_line(LOG_LEVEL_WARNING, "stopping although the disk has not answered within %d ms",
                 STOP_WITHIN_MS);
    }
    daemon->failed = daemon->failed || left > 0 || unsaved[0] != '\0';
    close_all(daemon);
}

static void on_signal(void *arg, int number)
{
    struct daemon *daemon = arg;
    if (daemon->shell.stopping) {
        return;
    }
    if (number == SIGHUP) {
        (void)reload_ask(daemon->reload, NULL);
        return;
    }
    notify_state("STOPPING=1");
    uv_timer_start(&daemon->stop, on_stop_timeout, STOP_WITHIN_MS, 0);
    shell_stop(&daemon->shell, now_ns(), clock_wall_ms());
}

static void on_watchdog(uv_timer_t *timer)
{
    (void)timer;
    notify_watchdog();
}

static void close_links(struct daemon *daemon)
{
    uint64_t left_ms = uv_timer_get_due_in(&daemon->stop);
    for (unsigned i = 0; i < 2; i++) {
        if (daemon->links[i] != NULL) {
            bird_session_close(daemon->links[i], left_ms < LINK_ENDS_MS ? left_ms : LINK_ENDS_MS,
                               NULL, NULL);
            daemon->links[i] = NULL;
        }
    }
}

static void close_all(struct daemon *daemon)
{
    if (daemon->closing) {
        return;
    }
    daemon->closing = daemon->shell.ended = true;
    uv_timer_start(&daemon->give_up, on_give_up, GIVE_UP_MS, 0);
    uv_unref((uv_handle_t *)&daemon->give_up);
    if (daemon->api != NULL) {
        api_close(daemon->api, NULL, NULL);
    }
    if (daemon->reload != NULL) {
        reload_close(daemon->reload);
    }
    if (daemon->scheduler != NULL) {
        scheduler_close(daemon->scheduler, NULL, NULL);
    }
    close_links(daemon);
    uv_timer_t *timers[] = {&daemon->tick, &daemon->watchdog, &daemon->check, &daemon->stop};
    for (size_t i = 0; i < sizeof timers / sizeof timers[0]; i++) {
        uv_close((uv_handle_t *)timers[i], NULL);
    }
    include_watch_close(&daemon->include_watch);
    signals_close(&daemon->signals);
}

static bool hear_signals(struct daemon *daemon)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};
    daemon->signals = (struct signals){.on_signal = on_signal, .arg = daemon};
    int status = signals_open(&daemon->signals, daemon->loop, numbers, 3);
    if (status != 0) {
        log_line(LOG_LEVEL_ERROR, "can't start: can't hear signals: %s", uv_strerror(status));
    }
    return status == 0;
}

static void init_handles(struct daemon *daemon)
{
    uv_timer_t *timers[] = {&daemon->tick, &daemon->watchdog, &daemon->check, &daemon->stop};
    for (size_t i = 0; i < sizeof timers / sizeof timers[0]; i++) {
        uv_timer_init(daemon->loop, timers[i]);
        timers[i]->data = daemon;
    }
    uv_timer_init(daemon->loop, &daemon->give_up); // not closed: it watches over the closing
    daemon->give_up.data = daemon;
    daemon->include_watch = (struct include_watch){
        .include = watched_include, .foreign = on_foreign_include, .arg = daemon};
    int status =
        include_watch_start(&daemon->include_watch, daemon->loop, daemon->config->pop.runtime_dir);
    if (status != 0) {
        log_line(
            LOG_LEVEL_WARNING,
            "can't watch %s for changes by others: %s; drift is found within a second all the same",
            daemon->config->pop.runtime_dir, uv_strerror(status));
    }
    uint64_t watchdog_us;
    if (sd_watchdog_enabled(0, &watchdog_us) > 0) {
        uv_timer_start(&daemon->watchdog, on_watchdog, 0, watchdog_us / 2000);
    }
}

static bool begin_core(struct daemon *daemon, struct past *past)
{
    struct core_start start = {.config = daemon->config,
                               .events = &daemon->events,
                               .former = past->former,
                               .same_boot = past->same_boot,
                               .intents = past->intents,
                               .recent = past->recent,
                               .now_ns = now_ns()};
    daemon->core = core_new(&start);
    daemon->changes = changes_new(&past->ledger);
    daemon->shell = (struct shell){.effects = &effects,
                                   .arg = daemon,
                                   .core = daemon->core,
                                   .changes = daemon->changes,
                                   .events = &daemon->events,
                                   .boot_id = daemon->boot_id};
    daemon->shell.remembered =
        calloc(daemon->config->service_count + 1, sizeof *daemon->shell.remembered);
    if (daemon->shell.remembered == NULL || daemon->core == NULL || daemon->changes == NULL) {
        return false;
    }
    for (size_t i = 0; i < daemon->config->service_count; i++) {
        daemon->shell.remembered[i] = UINT64_MAX;
    }
    return true;
}

// With what systemd hands over (sd_listen_fds(3)), if it does. Answers are there before the first
// query can be.
static bool begin_responder(struct daemon *daemon, char error[ERROR_MAX])
{
    int found = sd_listen_fds(1);
    size_t count = found > 0 ? (size_t)found : 0;
    int *inherited = calloc(count + 1, sizeof *inherited);
    for (size_t i = 0; inherited != NULL && i < count; i++) {
        inherited[i] = SD_LISTEN_FDS_START + (int)i;
    }
    daemon->responder = inherited != NULL ? responder_new(inherited, count) : NULL;
    free(inherited);
    if (daemon->responder == NULL) {
        snprintf(error, ERROR_MAX, "out of memory");
        return false;
    }
    daemon->identity = identity_new(daemon->config, NULL, clock_wall_ms(), error);
    if (daemon->identity == NULL) {
        return false;
    }
    publish_identity(daemon);
    return listen_to(daemon, daemon->config, error);
}

// Last of a start: one that fails leaves what it found.
static void replace_ledger(struct daemon *daemon, const char *text)
{
    char message[ERROR_MAX];
    ledger_set_aside(daemon->config->pop.state_dir, &daemon->ledger_place, text, message);
    if (message[0] != '\0') {
        events_add(&daemon->events, EVENT_TROUBLE, NULL, now_ns(), "%s", message)->warning = true;
    }
    changes_sync(daemon->changes);
}

static bool begin(struct daemon *daemon, struct link_arg links[2], char error[ERROR_MAX])
{
    static const struct api_shell shell = {api_core,    api_on_change, api_on_reload,
                                           own_trouble, &prober,       api_totals};
    static const struct reload_shell reload_shell = {reload_present, reload_may_swap, reload_swap,
                                                     reload_ended, reload_answer};
    static const struct birdconf_worker_events include_events = {on_include_saved,
                                                                 on_include_found};
    const struct config *config = daemon->config;
    struct past past;
    // First: its socket tells whether another popgated runs already, which must be left alone.
    daemon->api = api_new(daemon->loop, config, &shell, daemon, error);
    if (daemon->api == NULL) {
        return false;
    }
    snprintf(error, ERROR_MAX, "out of memory");
    bool ok = state_files_read(&past, &daemon->ledger_place, config, &daemon->events,
                               daemon->boot_id, now_ns(), clock_wall_ms());
    char *drained = past.ledger_damaged ? ledger_text(&past.ledger) : NULL;
    ok = ok && (drained != NULL || !past.ledger_damaged) && begin_core(daemon, &past);
    past_clear(&past);
    daemon->include =
        birdconf_worker_new(daemon->loop, config->pop.runtime_dir, &include_events, daemon);
    daemon->include_watch.worker = daemon->include;
    daemon->savers[SHELL_LEDGER] =
        saver_new(daemon->loop, config->pop.state_dir, write_ledger, on_ledger_saved, daemon);
    daemon->savers[SHELL_MEMORY] =
        saver_new(daemon->loop, config->pop.runtime_dir, write_memory, on_memory_saved, daemon);
    daemon->scheduler = scheduler_new(daemon->loop, on_verdict, daemon);
    daemon->reload = daemon->scheduler != NULL
                         ? reload_new(daemon->loop, daemon->config_path, daemon->scheduler,
                                      &reload_shell, daemon)
                         : NULL;
    ok = ok && daemon->include != NULL && daemon->savers[SHELL_LEDGER] != NULL &&
         daemon->savers[SHELL_MEMORY] != NULL && daemon->reload != NULL &&
         connect_bird(daemon, links);
    // Before the probes, which may ask it.
    ok = ok && begin_responder(daemon, error);
    if (ok && !run_probes(daemon, config)) {
        snprintf(error, ERROR_MAX, "out of memory");
        ok = false;
    }
    if (ok) {
        set_all_fast(daemon);
        uv_timer_start(&daemon->check, on_check, CHECK_FILE_MS, CHECK_FILE_MS);
    }
    if (ok && drained != NULL) {
        replace_ledger(daemon, drained);
    }
    tell_stamp_trouble(daemon);
    free(drained);
    return ok;
}

static void end(struct daemon *daemon)
{
    reload_free(daemon->reload);
    responder_free(daemon->responder);
    identity_free(daemon->identity);
    changes_free(daemon->changes);
    ledger_clear(&daemon->ledger_place.found);
    core_free(daemon->core);
    birdconf_worker_free(daemon->include);
    saver_free(daemon->savers[SHELL_LEDGER]);
    saver_free(daemon->savers[SHELL_MEMORY]);
    config_free(daemon->config);
    free(daemon->shell.remembered);
}

static bool make_directory(const char *path)
{
    if (mkdir(path, 0755) != 0 && errno != EEXIST) {
        log_line(LOG_LEVEL_ERROR,
                 "can't make directory %s: %s (tmpfiles.d and the unit make it; is it writable?)",
                 path, strerror(errno));
        return false;
    }
    return true;
}

// The usual 1024 are those of select(); a thousand probes with a held connection each want more.
// Not without bound: exec's commands inherit it, and some close all that they might have.
static void raise_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < DESCRIPTORS) {
        limit.rlim_cur = limit.rlim_max < DESCRIPTORS ? limit.rlim_max : DESCRIPTORS;
        (void)setrlimit(RLIMIT_NOFILE, &limit); // no worse than before
    }
}

static void *wait_for_leave(void *arg)
{
    uv_sem_wait(arg);
    return NULL;
}

// libuv aborts without a word when its pool of threads can't start.
static bool threads_can_start(char error[ERROR_MAX])
{
    pthread_t threads[POOL_THREADS];
    uv_sem_t leave;
    size_t count = 0;
    int result = 0;
    if (uv_sem_init(&leave, 0) != 0) {
        error_say(error, "out of memory");
        return false;
    }
    while (count < POOL_THREADS &&
           (result = pthread_create(&threads[count], NULL, wait_for_leave, &leave)) == 0) {
        count++;
    }
    for (size_t i = 0; i < count; i++) {
        uv_sem_post(&leave);
    }
    for (size_t i = 0; i < count; i++) {
        pthread_join(threads[i], NULL);
    }
    uv_sem_destroy(&leave);
    if (result != 0) {
        error_say(
            error,
            "can't start a thread beside %zu: %s (TasksMax= of the unit, or ulimit -u, is too "
            "small?)",
            count + 1, strerror(result));
    }
    return result == 0;
}

static void log_mistake(void *arg, bool error, const char *line)
{
    (void)arg;
    log_line(error ? LOG_LEVEL_ERROR : LOG_LEVEL_WARNING, "%s", line);
}

int daemon_run(const char *config_path)
{
    static struct daemon
        daemon; // its events alone are hundreds of kilobytes: too much for the stack
    struct link_arg links[2];
    char error[ERROR_MAX] = "";
    log_init();
    // CAP_NET_BIND_SERVICE, if we have it, is not for the commands of exec probes.
    (void)prctl(PR_CAP_AMBIENT, (unsigned long)PR_CAP_AMBIENT_CLEAR_ALL, 0UL, 0UL, 0UL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGCHLD, SIG_DFL); // ignored, as we may have inherited it, it would reap exec's commands
    raise_descriptors();
    daemon = (struct daemon){.loop = uv_default_loop(), .config_path = config_path};
    daemon.config = config_load(config_path, log_mistake, NULL);
    if (daemon.config == NULL || !make_directory(daemon.config->pop.runtime_dir)) {
        config_free(daemon.config);
        return 1;
    }
    if (!threads_can_start(error)) {
        log_line(LOG_LEVEL_ERROR, "can't start: %s", error);
        config_free(daemon.config);
        return 1;
    }
    if (!hear_signals(&daemon)) {
        config_free(daemon.config);
        return 1;
    }
    init_handles(&daemon);
    bool ok = begin(&daemon, links, error);
    if (ok) {
        after_input(&daemon);
        log_responder(daemon.config);
        notify_state("READY=1");
    } else {
        log_line(LOG_LEVEL_ERROR, "can't start: %s", error);
        close_all(&daemon);
    }
    uv_run(daemon.loop, UV_RUN_DEFAULT);
    end(&daemon);
    uv_loop_close(daemon.loop);
    return ok && !daemon.failed ? 0 : 1;
}
