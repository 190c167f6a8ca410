// What the daemon's own files share; nobody else includes it: daemon.c (as it runs), start.c,
// stop.c.
#pragma once

#include "controller/api/api.h"
#include "controller/core/change.h"
#include "controller/core/core.h"
#include "controller/core/shell.h"
#include "controller/daemon/birdconf_worker.h"
#include "controller/daemon/gather.h"
#include "controller/daemon/identity.h"
#include "controller/daemon/include_watch.h"
#include "controller/daemon/reload.h"
#include "controller/daemon/responding.h"
#include "controller/daemon/saver.h"
#include "controller/daemon/signals.h"
#include "controller/daemon/state_files.h"
#include "controller/daemon/users.h"

#include "birdctl/session.h"
#include "probes/scheduler.h"

struct daemon {
    uv_loop_t *loop;
    const char *config_path;
    struct config *config;
    struct core *core;
    struct events events;
    char reload_trouble[ERROR_MAX]; // why the last reload failed; empty: it did not
    char config_trouble[ERROR_MAX]; // what is in use instead of what the file says; or empty
    char told[PROBLEMS_LINE_MAX];   // to the service manager
    struct bird_session *links[2];  // by enum order_link
    unsigned open_links;            // that are being closed
    struct scheduler *scheduler;
    struct responder *responder;
    struct responding responding;
    struct identity *identity;
    struct api *api;
    struct changes *changes;
    struct shell shell;
    struct birdconf_worker *include;   // on disk
    struct saver *savers[SHELL_FILES]; // of the other ones
    struct saver *worked;              // of the configuration in use
    char *unkept;                      // its text, until it is saved
    uint64_t worked_version;           // of the text that was submitted last
    char unkept_trouble[ERROR_MAX];    // why it is not saved; empty: it is, or it is under way
    struct ledger_place ledger_place;  // the worker's while a save is under way
    char boot_id[64];
    uv_timer_t tick, watchdog, check, stop, give_up;
    struct gather gather;
    struct include_watch include_watch;
    struct signals signals;
    struct users users;
    bool closing;
    bool failed; // to start, or to do something that a stop promises
    bool restarts;
    struct reload *reload;
};

struct link_arg {
    struct daemon *daemon;
    enum order_link link;
};

static inline uint64_t now_ns(void)
{
    return uv_hrtime();
}

// ---- daemon.c: as it runs

extern const struct shell_effects daemon_effects;
extern const struct api_shell daemon_api;
extern const struct reload_shell daemon_reload;

// At once; what may come a thousand at a time is told to the daemon's gather instead.
void daemon_after_input(void *arg);
bool daemon_connect_bird(struct daemon *daemon, struct link_arg args[2]); // false: out of memory
bool daemon_open_files(struct daemon *daemon);                            // the same

void daemon_on_verdict(void *arg, size_t index, const struct verdict *verdict);
bool daemon_run_probes(struct daemon *daemon, const struct config *config); // the same
void daemon_set_all_fast(struct daemon *daemon);

const struct include *daemon_watched_include(void *arg);
void daemon_on_foreign_include(void *arg);
void daemon_on_check(uv_timer_t *timer); // now and then
void daemon_tell_stamp_trouble(struct daemon *daemon);
void daemon_keep_worked(struct daemon *daemon, const char *text);

void daemon_log_responder(const struct daemon *daemon); // where it listens, or can't
void daemon_publish_identity(void *arg);

// ---- stop.c

void daemon_on_signal(void *arg, int number);
void daemon_close(struct daemon *daemon);       // whatever is open; the loop ends then
void daemon_end(struct daemon *daemon);         // frees the rest
int daemon_status(const struct daemon *daemon); // with which the process is to exit
