// popgated's stop: what is to go is withdrawn, and everything is closed, within a bounded time.
#include "controller/daemon/inside.h"

#include "base/clock.h"

#include "controller/daemon/attended.h"
#include "controller/daemon/log.h"
#include "controller/daemon/notify.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// Together less than the unit's TimeoutStopSec: for what a stop does; then for the answers that are
// outstanding when the links are closed, which have what is left of that as well, since BIRD 3 can
// die of a link that is closed before; and for whatever else holds the end up, which is a disk.
#define STOP_WITHIN_MS 7000
#define LINK_ENDS_MS   1000
#define GIVE_UP_MS     1000
#define EXIT_RESTART   75 // EX_TEMPFAIL: to whoever started us it is a failure

int daemon_status(const struct daemon *daemon)
{
    return daemon->failed ? 1 : daemon->restarts ? EXIT_RESTART : 0;
}

// Whoever watches over us (OnFailure= of the unit) finishes what we could not.
// Files are written, and a configuration is read, by threads that nothing can stop; exit() would
// wait for them, too.
static void on_give_up(uv_timer_t *timer)
{
    const struct daemon *daemon = timer->data;
    bool include = daemon->include != NULL && birdconf_worker_saves(daemon->include);
    log_line(include ? LOG_LEVEL_ERROR : LOG_LEVEL_WARNING,
             "stopped while the disk still has not answered%s",
             include ? "; a restart of BIRD may bring up what the old include file says" : "");
    int status = include ? 1 : daemon_status(daemon);
    if (status == 0 && saver_idle(daemon->savers[SHELL_MEMORY])) { // else that disk hangs, too
        attended_end(daemon->config->pop.runtime_dir);
    }
    _exit(status);
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
    daemon_close(daemon);
}

// Whoever started us starts us again, or has the fail-safe go on. A stop that comes before the end
// is a stop; after that it waits until there is nobody to hear it, and finds a failure.
static void restart(struct daemon *daemon)
{
    if (getenv("NOTIFY_SOCKET") == NULL) {
        log_line(LOG_LEVEL_WARNING, "SIGUSR1 is for who runs under a service manager: nobody would "
                                    "start popgated again; going on");
        return;
    }
    daemon->restarts = true;
    uv_timer_start(&daemon->stop, on_stop_timeout, STOP_WITHIN_MS, 0);
    shell_restart(&daemon->shell, now_ns(), clock_wall_ms());
}

void daemon_on_signal(void *arg, int number)
{
    struct daemon *daemon = arg;
    bool ends = number == SIGTERM || number == SIGINT;
    if (daemon->shell.stopping && !(daemon->restarts && ends)) {
        return;
    }
    if (number == SIGHUP) {
        (void)reload_ask(daemon->reload, NULL);
        return;
    }
    if (number == SIGUSR1) {
        restart(daemon);
        return;
    }
    daemon->restarts = false;
    notify_state("STOPPING=1");
    uv_timer_start(&daemon->stop, on_stop_timeout, STOP_WITHIN_MS, 0);
    shell_stop(&daemon->shell, now_ns(), clock_wall_ms());
}

static void give_up_within(struct daemon *daemon, uint64_t ms)
{
    uv_timer_start(&daemon->give_up, on_give_up, ms, 0);
    uv_unref((uv_handle_t *)&daemon->give_up);
}

static void on_link_closed(void *arg)
{
    struct daemon *daemon = arg;
    if (--daemon->open_links == 0) {
        give_up_within(daemon, GIVE_UP_MS);
    }
}

static void close_links(struct daemon *daemon)
{
    uint64_t within_ms = uv_timer_get_due_in(&daemon->stop) + LINK_ENDS_MS;
    struct bird_session *links[] = {daemon->links[0], daemon->links[1]};
    memset(daemon->links, 0, sizeof daemon->links);
    daemon->open_links = 0;
    for (unsigned i = 0; i < 2; i++) {
        daemon->open_links += links[i] != NULL;
    }
    give_up_within(daemon, (daemon->open_links > 0 ? within_ms : 0) + GIVE_UP_MS);
    for (unsigned i = 0; i < 2; i++) {
        if (links[i] != NULL) {
            bird_session_close(links[i], within_ms, on_link_closed, daemon);
        }
    }
}

void daemon_close(struct daemon *daemon)
{
    if (daemon->closing) {
        return;
    }
    daemon->closing = daemon->shell.ended = true;
    if (daemon->api != NULL) {
        api_close(daemon->api, NULL, NULL);
        daemon->api = NULL;
    }
    if (daemon->reload != NULL) {
        reload_close(daemon->reload);
    }
    if (daemon->scheduler != NULL) {
        scheduler_close(daemon->scheduler, NULL, NULL);
    }
    close_links(daemon);
    uv_timer_t *timers[] = {&daemon->tick, &daemon->check, &daemon->stop};
    for (size_t i = 0; i < sizeof timers / sizeof timers[0]; i++) {
        uv_close((uv_handle_t *)timers[i], NULL);
    }
    uv_unref((uv_handle_t *)&daemon->watchdog); // it is told to the end, which give_up bounds
    gather_close(&daemon->gather);
    include_watch_close(&daemon->include_watch);
    users_close(&daemon->users);
    signals_close(&daemon->signals);
}

void daemon_end(struct daemon *daemon)
{
    reload_free(daemon->reload);
    responder_free(daemon->responder);
    responding_clear(&daemon->responding);
    identity_free(daemon->identity);
    changes_free(daemon->changes);
    ledger_clear(&daemon->ledger_place.found);
    core_free(daemon->core);
    birdconf_worker_free(daemon->include);
    saver_free(daemon->savers[SHELL_LEDGER]);
    saver_free(daemon->savers[SHELL_MEMORY]);
    saver_free(daemon->worked);
    free(daemon->unkept);
    config_free(daemon->config);
    free(daemon->shell.remembered);
}
