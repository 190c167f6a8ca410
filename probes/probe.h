// A probe is one recurring check of one thing; it yields a verdict.
//
// A probe type is one file with one struct probe_type; probes/types.c lists them all. A type only
// starts a check and says its verdict once: when to check, how long it may take and what a verdict
// means belong to the scheduler and to the controller.
#pragma once

#include "base/keys.h"

#include <time.h>
#include <uv.h>

#define PROBE_NAME_MAX    48
#define VERDICT_CODE_MAX  32
#define VERDICT_CAUSE_MAX 256
#define WATCH_TEXT_MAX    192

enum verdict_kind { VERDICT_UNKNOWN, VERDICT_FAIL, VERDICT_DEGRADED, VERDICT_PASS };

// "unknown", "fail", "degraded", "pass".
const char *verdict_name(enum verdict_kind kind);

struct verdict {
    enum verdict_kind kind;
    bool definitive;               // a crash seen by the kernel: needs no further `fall`
    uint64_t at_ns;                // uv_hrtime() when the evidence was in hand
    uint64_t duration_ns;          // of the check
    char code[VERDICT_CODE_MAX];   // for machines, e.g. "timeout", "refused", "rcode"
    char cause[VERDICT_CAUSE_MAX]; // for operators: what was attempted, on what, why it failed
};

struct probe_type;

// A probe as configured. Owned by the configuration.
struct probe_conf {
    char name[PROBE_NAME_MAX];
    const struct probe_type *type;
    unsigned line;        // of its section in the configuration file
    uint64_t fingerprint; // of all its resolved keys: equal means unchanged by a reload
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

// The file that key names: an error if path is relative, a warning if there is none. path may be
// "".
void probe_check_file(const struct probe_problems *problems, const char *key, const char *path);

// Checks what single keys can't: common keys against each other, then type->check; says all that it
// finds. Once all keys are set and their fallbacks filled in.
void probe_check(const struct probe_conf *conf, const struct probe_problems *problems);

struct probe; // a running probe, see probes/scheduler.c

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
    // Returns what was being waited for, e.g. "answer to id.server CH TXT", for the scheduler's
    // timeout verdict.
    const char *(*cancel)(struct probe *probe);
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

// All types, NULL-terminated (probes/types.c).
extern const struct probe_type *const probe_types[];
const struct probe_type *probe_type_find(const char *name);

// For the types:
const struct probe_conf *probe_conf(const struct probe *probe);
void *probe_state(struct probe *probe);
uv_loop_t *probe_loop(const struct probe *probe);

// The check's verdict; cause is a printf format. The scheduler adds time, duration and
// `max_latency`.
__attribute__((format(printf, 4, 5))) void probe_verdict(struct probe *probe,
                                                         enum verdict_kind kind, const char *code,
                                                         const char *cause, ...);

// A certificate was seen that is valid until then; status shows it.
void probe_not_after(struct probe *probe, time_t not_after);

// As probe_verdict() for a system error: trouble of our own (EMFILE, ENFILE, ENOMEM, ENOBUFS,
// EPERM, EACCES, EADDRNOTAVAIL, EAFNOSUPPORT ...) is `unknown`, anything else is `fail`. error is a
// negative uv error; attempted says what was tried, e.g. "connect to 192.0.2.1:53".
void probe_error(struct probe *probe, int error, const char *attempted);

// Is this negative uv error about us rather than about the service? (design, promise 2)
bool probe_error_is_ours(int error);

// The code of a verdict about this negative uv error, e.g. "refused".
const char *probe_error_code(int error);

void probe_closed(struct probe *probe);

// Outside of a check: something happened to the target (a held connection ended), check it now.
void probe_trigger(struct probe *probe);
