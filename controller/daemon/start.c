// popgated's start: what there was is read, everything is opened, and the loop runs.
#include "controller/daemon/daemon.h"
#include "controller/daemon/inside.h"

#include "base/clock.h"

#include "controller/config/load.h"
#include "controller/daemon/attended.h"
#include "controller/daemon/log.h"
#include "controller/daemon/notify.h"
#include "controller/daemon/worked.h"

#include "probes/aside.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#define CHECK_FILE_MS 1000
#define POOL_THREADS  4     // libuv's: one for each of those who may wait for a disk
#define DESCRIPTORS   65536 // as the unit's LimitNOFILE

static void on_watchdog(uv_timer_t *timer)
{
    (void)timer;
    notify_watchdog();
}

// What is heard; until then it is held. Each would end a start by itself, and nobody would be left
// to withdraw what the run before left announced to be taken over.
static const int heard[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1};
#define HEARD (sizeof heard / sizeof *heard)

static bool hear_signals(struct daemon *daemon)
{
    daemon->signals = (struct signals){.on_signal = daemon_on_signal, .arg = daemon};
    int status = signals_open(&daemon->signals, daemon->loop, heard, HEARD);
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
    daemon->gather = (struct gather){.work = daemon_after_input, .arg = daemon};
    gather_open(&daemon->gather, daemon->loop);
    daemon->include_watch = (struct include_watch){
        .include = daemon_watched_include, .foreign = daemon_on_foreign_include, .arg = daemon};
    int status = users_open(&daemon->users, daemon->loop, "/etc/passwd");
    if (status != 0) {
        log_line(LOG_LEVEL_WARNING, "can't read who is who in /etc/passwd: %s; numbers tell",
                 uv_strerror(status));
    }
    status =
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

// The clocks are those by which the past was read.
static bool begin_core(struct daemon *daemon, struct past *past, uint64_t read_ns, uint64_t wall_ms)
{
    struct core_start start = {.config = daemon->config,
                               .events = &daemon->events,
                               .former = past->former,
                               .same_boot = past->same_boot,
                               .intents = past->intents,
                               .recent = past->recent,
                               .now_ns = now_ns()};
    daemon->core = core_new(&start);
    daemon->changes = changes_new(&past->ledger, read_ns, wall_ms);
    daemon->shell = (struct shell){.effects = &daemon_effects,
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

// Nothing is down for want of them: a secret is made up, as if the file said nothing of them, and
// who has a cookie of before gets another one. A reload then wants them again.
static void do_without_secrets(struct daemon *daemon)
{
    struct config *config = daemon->config;
    char why[ERROR_MAX];
    if (config->responder.listen_count == 0 ||
        identity_check_secrets(config, why) == SECRETS_SOUND) {
        return;
    }
    log_line(LOG_LEVEL_ERROR, "%s; one is made up, until a reload", why);
    if (daemon->config_trouble[0] == '\0') {
        error_say(daemon->config_trouble, "%s; one that was made up at the start is in use", why);
    }
    config->responder.cookie_secret_file[0] = '\0';
    config->responder.cookie_secret_credential[0] = '\0';
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
    do_without_secrets(daemon);
    daemon->identity = identity_new(daemon->config, NULL, error);
    if (daemon->identity == NULL) {
        return false;
    }
    daemon_publish_identity(daemon);
    responding_some(&daemon->responding, daemon->responder, daemon->config);
    return true;
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
    const struct config *config = daemon->config;
    struct past past;
    // First: its socket tells whether another popgated runs already, which must be left alone.
    daemon->api = api_new(daemon->loop, config, &daemon_api, daemon, error);
    if (daemon->api == NULL) {
        return false;
    }
    if (api_trouble(daemon->api) != NULL) {
        log_line(LOG_LEVEL_ERROR, "%s; it is tried again each second", api_trouble(daemon->api));
    }
    if (!attended_begin(config->pop.runtime_dir, error)) {
        log_line(LOG_LEVEL_WARNING,
                 "%s; should a stop end just a restart of popgated, nobody would notice", error);
    }
    snprintf(error, ERROR_MAX, "out of memory");
    uint64_t read_ns = now_ns();
    uint64_t wall_ms = clock_wall_ms();
    bool ok = state_files_read(&past, &daemon->ledger_place, config, &daemon->events,
                               daemon->boot_id, read_ns, wall_ms);
    char *drained = past.ledger_damaged ? ledger_text(&past.ledger) : NULL;
    ok = ok && (drained != NULL || !past.ledger_damaged) &&
         begin_core(daemon, &past, read_ns, wall_ms);
    past_clear(&past);
    bool files = daemon_open_files(daemon);
    daemon->scheduler = scheduler_new(daemon->loop, daemon_on_verdict, daemon);
    daemon->reload = daemon->scheduler != NULL
                         ? reload_new(daemon->loop, daemon->config_path, daemon->scheduler,
                                      &daemon_reload, daemon)
                         : NULL;
    ok = ok && files && daemon->reload != NULL && daemon_connect_bird(daemon, links);
    // Before the probes, which may ask it.
    ok = ok && begin_responder(daemon, error);
    if (ok && !daemon_run_probes(daemon, config)) {
        snprintf(error, ERROR_MAX, "out of memory");
        ok = false;
    }
    if (ok) {
        daemon_set_all_fast(daemon);
        uv_timer_start(&daemon->check, daemon_on_check, CHECK_FILE_MS, CHECK_FILE_MS);
    }
    if (ok && drained != NULL) {
        replace_ledger(daemon, drained);
    }
    daemon_tell_stamp_trouble(daemon);
    free(drained);
    return ok;
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

// arg: room for the first error
static void log_mistake(void *arg, bool error, const char *line)
{
    char *first = arg;
    if (error && first[0] == '\0') {
        error_say(first, "%s", line);
    }
    log_line(error ? LOG_LEVEL_ERROR : LOG_LEVEL_WARNING, "%s", line);
}

// What the file says, and its text; else what worked last, and no text.
static struct config *read_config(struct daemon *daemon, char **text)
{
    char why[ERROR_MAX] = "";
    struct config *config = config_load_text(daemon->config_path, log_mistake, why, text);
    return config != NULL ? config : worked_load(daemon->config_path, why, daemon->config_trouble);
}

int daemon_run(const char *config_path)
{
    static struct daemon
        daemon; // its events alone are hundreds of kilobytes: too much for the stack
    struct link_arg links[2];
    char error[ERROR_MAX] = "";
    char *text = NULL;
    signals_hold(heard, HEARD);
    log_init();
    // CAP_NET_BIND_SERVICE, if we have it, is not for the commands of exec probes.
    (void)prctl(PR_CAP_AMBIENT, (unsigned long)PR_CAP_AMBIENT_CLEAR_ALL, 0UL, 0UL, 0UL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGCHLD, SIG_DFL); // ignored, as we may have inherited it, it would reap exec's commands
    raise_descriptors();
    daemon = (struct daemon){.loop = uv_default_loop(), .config_path = config_path};
    daemon.config = read_config(&daemon, &text);
    if (daemon.config == NULL || !make_directory(daemon.config->pop.runtime_dir)) {
        config_free(daemon.config);
        free(text);
        return 1;
    }
    if (!threads_can_start(error)) {
        log_line(LOG_LEVEL_ERROR, "can't start: %s", error);
        config_free(daemon.config);
        free(text);
        return 1;
    }
    if (!hear_signals(&daemon)) {
        config_free(daemon.config);
        free(text);
        return 1;
    }
    init_handles(&daemon);
    bool ok = begin(&daemon, links, error);
    if (ok) {
        daemon_after_input(&daemon);
        daemon_log_responder(&daemon);
        notify_state("READY=1");
        if (text != NULL) {
            daemon_keep_worked(&daemon, text);
        }
    } else {
        log_line(LOG_LEVEL_ERROR, "can't start: %s", error);
        daemon.failed = true;
        daemon_close(&daemon);
    }
    free(text);
    uv_run(daemon.loop, UV_RUN_DEFAULT);
    int status = daemon_status(&daemon);
    if (status == 0) {
        attended_end(daemon.config->pop.runtime_dir);
    }
    daemon_end(&daemon);
    uv_loop_close(daemon.loop);
    if (aside_is_busy()) {
        (void)fflush(NULL);
        _exit(status);
    }
    return status;
}
