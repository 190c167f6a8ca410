// A probe as it is configured, and what a type of probes is. No loop here: configuration and core
// include it.
//
// A probe type is one file with one struct probe_type; probes/types.c lists them all. A type only
// starts a check and says its verdict once: when to check, how long it may take and what a verdict
// means belong to the scheduler and to the controller.
#pragma once

#include "base/keys.h"
#include "probes/verdict.h"

#define PROBE_NAME_MAX 48

struct probe; // a running one, see probes/probe.h
struct probe_type;

// A probe as configured. Owned by the configuration.
struct probe_conf {
    char name[PROBE_NAME_MAX];
    const struct probe_type *type;
    unsigned line;        // of its section in the configuration file
    uint64_t fingerprint; // of all its resolved keys: equal means unchanged by a reload
    uint64_t asks;        // of what it asks, and whom: equal means that one's health is the other's
    struct endpoint target, source;
    uint64_t interval_ms, fast_interval_ms, timeout_ms, jitter_ms, max_latency_ms;
    uint64_t crash_grace_ms, unknown_grace_ms;
    uint64_t rise, fall;
    bool watch;
    void *options; // of type->options_size, filled by type->keys
};

// The keys that every type has; offsets into struct probe_conf.
extern const struct key probe_common_keys[];

// Who hears what is wrong with a probe's configuration. A warning leaves it usable.
struct probe_problems {
    void (*say)(void *arg, bool error, const char *text);
    void *arg;
};

__attribute__((format(printf, 3, 4))) void probe_problem(const struct probe_problems *problems,
                                                         bool error, const char *format, ...);

// The file that key names: an error if path is relative, a warning if it can't be read. path may be
// "".
void probe_check_file(const struct probe_problems *problems, const char *key, const char *path);

// The same for one with a secret: a warning too if it can't be trusted with one, or holds none
// (probes/secret.h).
void probe_check_secret(const struct probe_problems *problems, const char *key, const char *path);

// Checks what single keys can't: common keys against each other, then type->check; says all that it
// finds. Once all keys are set and their fallbacks filled in.
void probe_check(const struct probe_conf *conf, const struct probe_problems *problems);

struct probe_type {
    const char *name;
    const struct key *keys; // offsets into options
    size_t options_size;    // 0 if it has none
    bool needs_target;
    // Says what single keys can't see (a name that needs another key). May be NULL.
    void (*check)(const struct probe_conf *conf, const struct probe_problems *problems);
    size_t state_size; // of the type's own state, zeroed, one per running probe
    // Once, when the probe begins to run and when it ends. open: 0 or a negative uv error (the
    // probe then yields `unknown` and open is tried again at the next interval). close must call
    // probe_closed() when all its handles are gone, at once or later. Either may be NULL.
    int (*open)(struct probe *probe);
    void (*close)(struct probe *probe);
    // Begins one check. Must lead to exactly one probe_verdict(), at once or later.
    void (*start)(struct probe *probe);
    // The check in progress ran out of time (or the probe closes): drop it. No verdict may follow.
    // Returns what was being waited for, and whose that was, for the verdict of the timeout.
    struct awaited (*cancel)(struct probe *probe);
    // What of PROBE_WATCH_* the crash watch can do for such a probe. NULL: nothing.
    unsigned (*watch)(const struct probe_conf *conf);
    // Where the crash watch holds a TCP connection for it: 0 or a negative uv error. NULL: at its
    // target.
    int (*watch_address)(const struct probe_conf *conf, struct endpoint *out);
    // Looks at this host only, through no socket: its verdicts count while the prober is sick.
    bool local;
};

enum {
    PROBE_WATCH_TCP = 1,    // the target listens on TCP
    PROBE_WATCH_UDP = 2,    // the target answers over UDP
    PROBE_WATCH_ITSELF = 4, // the kernel tells the type itself, which calls probe_trigger()
};

// For struct probe_type's watch: always PROBE_WATCH_TCP.
unsigned probe_watch_tcp(const struct probe_conf *conf);

// How a crash watch stands, in words (scheduler_watch_text()).
#define WATCH_TEXT_MAX 192

// All types, NULL-terminated (probes/types.c).
extern const struct probe_type *const probe_types[];
const struct probe_type *probe_type_find(const char *name);
