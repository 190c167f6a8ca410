// popgated as it runs: what comes in from BIRD, probes, disks and operators goes to the core, and
// what comes of that is done, in the order that shell.h has.
#include "controller/daemon/inside.h"

#include "base/clock.h"

#include "controller/api/status.h"
#include "controller/daemon/log.h"
#include "controller/daemon/notify.h"
#include "controller/daemon/route.h"
#include "controller/daemon/worked.h"

#include "probes/turns.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BIRD_DEADLINE_MS 1000
#define BIRD_GIVE_UP_MS  30000
#define BIRD_REPLY_MS    10000
#define BIRD_BACKOFF_MIN 20
#define BIRD_BACKOFF_MAX 500
#define OUTSTANDING_MAX  2048 // commands; the rest stays with the core until replies come

static void tell_manager(struct daemon *daemon);
static void keep_again(struct daemon *daemon);

// ---- After each input: orders, files, log lines, timers

static bool can_send(void *arg)
{
    const struct daemon *daemon = arg;
    const struct bird_session *link = daemon->links[ORDER_LINK_ACT];
    return link == NULL || bird_session_outstanding(link) < OUTSTANDING_MAX;
}

// An order that ends without its link going down is waited for by who gave it. No link gets as many
// as it can't take, but if it should, it goes down.
static bool send_order(void *arg, const struct order *order)
{
    struct daemon *daemon = arg;
    struct bird_session *link = daemon->links[order->link];
    int status = link != NULL ? bird_session_send(link, order->command, order->token, order->urgent)
                              : UV_ENOTCONN;
    if (status == UV_ENOBUFS) {
        bird_session_renew(link);
    }
    return status == 0;
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

void daemon_publish_identity(void *arg)
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

static void log_it(void *arg, const struct event *event, bool more)
{
    (void)arg;
    log_event(event, more);
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
    daemon_close(arg);
}

const struct shell_effects daemon_effects = {
    can_send,   send_order, let_bird_run, patch_include, daemon_publish_identity,
    is_idle,    save_file,  answer,       log_it,        wake_at,
    may_reload, end_now};

void daemon_after_input(void *arg)
{
    struct daemon *daemon = arg;
    shell_work(&daemon->shell, now_ns(), clock_wall_ms());
}

static void on_tick(uv_timer_t *timer)
{
    struct daemon *daemon = timer->data;
    shell_tick(&daemon->shell, now_ns(), clock_wall_ms());
}

// ---- BIRD

static void on_link(void *arg, enum bird_link state, const char *reason,
                    const struct bird_version *version)
{
    struct link_arg *link = arg;
    core_link(link->daemon->core, link->link, state, reason, version, now_ns());
    daemon_after_input(link->daemon);
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
    gather_input(&link->daemon->gather);
}

static void on_echo(void *arg, const char *text)
{
    struct link_arg *link = arg;
    core_echo(link->daemon->core, text, now_ns());
    gather_input(&link->daemon->gather);
}

bool daemon_connect_bird(struct daemon *daemon, struct link_arg args[2])
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

void daemon_on_verdict(void *arg, size_t index, const struct verdict *verdict)
{
    struct daemon *daemon = arg;
    uint64_t at_ns = now_ns();
    if (core_asks_way(daemon->core, index, verdict, at_ns)) {
        struct way way;
        route_to(&daemon->config->probes[index].target, &way);
        core_way(daemon->core, index, verdict, &way, at_ns);
    }
    core_verdict(daemon->core, index, verdict, at_ns);
    scheduler_set_fast(daemon->scheduler, index, core_probe_unsettled(daemon->core, index));
    gather_input(&daemon->gather);
}

bool daemon_run_probes(struct daemon *daemon, const struct config *config)
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

void daemon_set_all_fast(struct daemon *daemon)
{
    for (size_t i = 0; i < daemon->config->probe_count; i++) {
        scheduler_set_fast(daemon->scheduler, i, core_probe_unsettled(daemon->core, i));
    }
}

// ---- Files

const struct include *daemon_watched_include(void *arg)
{
    const struct daemon *daemon = arg;
    return daemon->shell.stopping ? NULL : &daemon->core->include;
}

void daemon_on_foreign_include(void *arg)
{
    struct daemon *daemon = arg;
    core_file_foreign(daemon->core, now_ns());
    if (daemon->api != NULL) {
        api_keep_socket(daemon->api);
    }
    daemon_after_input(daemon);
}

// Whoever had the port may be gone.
static void listen_again(struct daemon *daemon)
{
    responding_some(&daemon->responding, daemon->responder, daemon->config);
    if (daemon->responding.trouble[0] == '\0') {
        daemon_log_responder(daemon);
    }
}

void daemon_on_check(uv_timer_t *timer)
{
    struct daemon *daemon = timer->data;
    include_watch_look(&daemon->include_watch);
    api_keep_socket(daemon->api); // a directory that was replaced by a copy has all but a listener
    users_look(&daemon->users);
    if (daemon->responding.trouble[0] != '\0') {
        listen_again(daemon);
    }
    keep_again(daemon);
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
    include_watch_found(&((struct daemon *)arg)->include_watch);
}

void daemon_tell_stamp_trouble(struct daemon *daemon)
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
    daemon_tell_stamp_trouble(daemon);
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

static int write_worked(void *arg, const char *directory, const char *text, size_t length,
                        char error[ERROR_MAX])
{
    (void)arg;
    return worked_save(directory, text, length, error);
}

static void on_worked_saved(void *arg, uint64_t version, const char *error)
{
    struct daemon *daemon = arg;
    if (version != daemon->worked_version) {
        return; // a newer one is on its way
    }
    if (error != NULL && daemon->unkept_trouble[0] == '\0') {
        log_line(LOG_LEVEL_WARNING,
                 "%s; should popgate.conf be broken at a start, an older one would be used, or "
                 "none; it is tried again each second",
                 error);
    }
    error_say(daemon->unkept_trouble, "%s", error != NULL ? error : "");
    if (error == NULL) {
        free(daemon->unkept);
        daemon->unkept = NULL;
    }
}

// What is there still may announce what was removed since.
static void keep_again(struct daemon *daemon)
{
    if (daemon->unkept != NULL && saver_idle(daemon->worked)) {
        saver_submit(daemon->worked, daemon->unkept, strlen(daemon->unkept),
                     daemon->worked_version);
    }
}

void daemon_keep_worked(struct daemon *daemon, const char *text)
{
    free(daemon->unkept);
    daemon->unkept = strdup(text); // out of memory: it is tried once
    saver_submit(daemon->worked, text, strlen(text), ++daemon->worked_version);
}

static const struct birdconf_worker_events include_events = {on_include_saved, on_include_found};

bool daemon_open_files(struct daemon *daemon)
{
    daemon->include =
        birdconf_worker_new(daemon->loop, daemon->config->pop.runtime_dir, &include_events, daemon);
    daemon->include_watch.worker = daemon->include;
    daemon->savers[SHELL_LEDGER] = saver_new(daemon->loop, daemon->config->pop.state_dir,
                                             write_ledger, on_ledger_saved, daemon);
    daemon->savers[SHELL_MEMORY] = saver_new(daemon->loop, daemon->config->pop.runtime_dir,
                                             write_memory, on_memory_saved, daemon);
    daemon->worked = saver_new(daemon->loop, daemon->config->pop.state_dir, write_worked,
                               on_worked_saved, daemon);
    return daemon->include != NULL && daemon->worked != NULL &&
           daemon->savers[SHELL_LEDGER] != NULL && daemon->savers[SHELL_MEMORY] != NULL;
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
    daemon_after_input(daemon);
}

static void api_on_reload(void *arg, struct api_ticket *ticket)
{
    struct daemon *daemon = arg;
    if (daemon->shell.stopping || !reload_ask(daemon->reload, ticket)) {
        api_answer(ticket, daemon->shell.stopping ? OUTCOME_STOPPING : OUTCOME_BUSY,
                   daemon->shell.stopping ? NULL : "too many wait for a reload already");
    }
}

static const char *api_user(void *arg, uid_t uid)
{
    return users_name(&((struct daemon *)arg)->users, uid);
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

static const char *unless_empty(const char *text)
{
    return text[0] != '\0' ? text : NULL;
}

static struct own_trouble own_trouble(void *arg)
{
    const struct daemon *daemon = arg;
    return (struct own_trouble){.ledger = changes_trouble(daemon->changes),
                                .prober = scheduler_trouble(daemon->scheduler),
                                .reload = unless_empty(daemon->reload_trouble),
                                .config = unless_empty(daemon->config_trouble),
                                .kept = unless_empty(daemon->unkept_trouble),
                                .responder = unless_empty(daemon->responding.trouble),
                                .control = daemon->api != NULL ? api_trouble(daemon->api) : NULL};
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

static void api_on_socket(void *arg, const char *text)
{
    struct daemon *daemon = arg;
    events_add(&daemon->events, EVENT_TROUBLE, NULL, now_ns(), "%s", text)->warning = true;
    daemon_after_input(daemon);
}

const struct api_shell daemon_api = {.core = api_core,
                                     .change = api_on_change,
                                     .reload = api_on_reload,
                                     .trouble = own_trouble,
                                     .user = api_user,
                                     .tell = api_on_socket,
                                     .prober = &prober,
                                     .totals = api_totals};

// ---- Reload

void daemon_log_responder(const struct daemon *daemon)
{
    char text[IDENTITY_TEXT_MAX];
    if (daemon->responding.trouble[0] != '\0') {
        log_line(LOG_LEVEL_ERROR, "%s; it is tried again each second", daemon->responding.trouble);
    } else if (daemon->config->responder.listen_count > 0) {
        log_line(LOG_LEVEL_INFO, "%s", identity_text(daemon->config, text));
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
    bool was_in_trouble = daemon->responding.trouble[0] != '\0';
    if (!responding_all(&daemon->responding, daemon->responder, next->setup.config, error)) {
        if (!was_in_trouble) {
            return false;
        }
        responding_some(&daemon->responding, daemon->responder, next->setup.config);
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
    daemon_set_all_fast(daemon);
    if (daemon->config->responder.listen_count == 0) {
        responder_publish(daemon->responder, NULL); // connections stay, but not with frozen answers
    }
    daemon_log_responder(daemon);
    daemon_publish_identity(daemon); // who asked for the reload gets the new answers
    daemon_keep_worked(daemon, next->text);
    return true;
}

static void reload_ended(void *arg, const char *why)
{
    struct daemon *daemon = arg;
    daemon->reload_trouble[0] = '\0';
    if (why == NULL) {
        daemon->config_trouble[0] = '\0';
    }
    if (why != NULL) {
        error_say(daemon->reload_trouble, "reload of %s failed: %s", daemon->config_path, why);
        events_add(&daemon->events, EVENT_TROUBLE, NULL, now_ns(),
                   "reload of %s failed, nothing was changed: %s", daemon->config_path, why)
            ->warning = true;
    }
    daemon_after_input(daemon);
}

static void reload_answer(void *arg, void *ticket, enum outcome outcome, const char *message)
{
    (void)arg;
    api_answer(ticket, outcome, message);
}

const struct reload_shell daemon_reload = {reload_present, reload_may_swap, reload_swap,
                                           reload_ended, reload_answer};
