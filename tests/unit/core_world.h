// A core between a BIRD and a disk that do as they are told.
#pragma once

#include "controller/core/core.h"
#include "controller/core/explain.h"
#include "tests/unit/put_intent.h"
#include "tests/unit/small_config.h"

#include <fnmatch.h>
#include <stdlib.h>

#ifndef PROTOCOLS
#define PROTOCOLS 8
#endif

enum { A, B };     // probes
enum { DNS, WEB }; // services

#define NS_PER_MS  UINT64_C(1000000)
#define BLIND_MS   120000 // more than unknown_grace
#define ONE_PROBE  PROBE("a")
#define TWO_PROBES PROBE("a") PROBE("b")
#define BIRD_UNKNOWN_NAME                                                                          \
    "syntax error, unexpected CF_SYM_UNDEFINED, expecting CF_SYM_KNOWN or TEXT or ALL"
#define DNS_NEEDS_A                                                                                \
    "[service dns]\nprefixes = 192.0.2.1/32\nrequire = a\nhold_down = 10s\nadopt_grace = 20s\n"
#define WEB_NEEDS_B "[service web]\nprefixes = 192.0.2.2/32\nrequire = b\n"

static struct config *config, *next_config;
static struct events *events;
static struct core *core;
static uint64_t now_ns;

static struct {
    struct {
        char name[BIRD_PROTOCOL_MAX];
        bool on, counted;
    } protocols[PROTOCOLS];
    size_t count;
    char revision[REVISION_TEXT_MAX];
    unsigned refusal;            // reply code to every switch; 0: none
    bool lies;                   // says that it switches, and does not
    bool session_down;           // up1
    bool includes_another;       // `configure` reads no file of ours
    bool strips;                 // an export filter takes communities off
    unsigned cuts;               // so many lists of protocols end in the midst
    size_t cut_rows;             // after so many of ours
    unsigned check;              // reply code to `configure check`
    unsigned switches;           // commands that switch
    unsigned looks;              // for a route
    unsigned moved;              // what the pipes have carried
    char last[BIRD_COMMAND_MAX]; // of those
} bird;

static inline void bird_gets(const struct birdconf *file)
{
    bird.count = 0;
    for (size_t i = 0; i < file->slot_count; i++) {
        snprintf(bird.protocols[i].name, BIRD_PROTOCOL_MAX, "%s", file->slots[i].protocol);
        bird.protocols[i].on = birdconf_get(file, file->slots[i].protocol);
        bird.count++;
    }
    snprintf(bird.revision, sizeof bird.revision, "%s", file->revision);
}

static inline bool *bird_protocol(const char *name)
{
    for (size_t i = 0; i < bird.count; i++) {
        if (strcmp(bird.protocols[i].name, name) == 0) {
            return &bird.protocols[i].on;
        }
    }
    fail_msg("BIRD has no %s", name);
    abort(); // not reached
}

static inline void tell_line(uint64_t token, unsigned code, const char *text)
{
    struct bird_line line = line_of(code, text);
    core_line(core, token, &line, now_ns);
}

static inline unsigned bird_switches(const struct order *order, bool on)
{
    char pattern[BIRD_PROTOCOL_MAX];
    char text[BIRD_PROTOCOL_MAX + 16];
    bool found = false;
    bird.switches++;
    snprintf(bird.last, sizeof bird.last, "%s", order->command);
    assert_true(sscanf(order->command, "%*s %*[\"]%63[^\"]", pattern) == 1 ||
                sscanf(order->command, "%*s %63s", pattern) == 1);
    for (size_t i = 0; i < bird.count; i++) {
        found = found || fnmatch(pattern, bird.protocols[i].name, 0) == 0;
    }
    if (!found && strchr(order->command, '"') == NULL) {
        return BIRD_CODE_SYNTAX;
    }
    if (bird.refusal != 0) {
        return bird.refusal;
    }
    for (size_t i = 0; i < bird.count; i++) {
        if (fnmatch(pattern, bird.protocols[i].name, 0) == 0) {
            bird.protocols[i].on = bird.lies ? bird.protocols[i].on : on;
            snprintf(text, sizeof text, "%s: done", bird.protocols[i].name);
            tell_line(order->token, on ? 11 : 9, text);
        }
    }
    return 0;
}

// 192.0.2.1 is dns, 192.0.2.2 web; what is on is exported.
static inline void bird_shows_route(const struct order *order)
{
    const char *service = strstr(order->command, "192.0.2.1/") != NULL ? "dns" : "web";
    for (size_t i = 0; i < bird.count; i++) {
        if (bird.protocols[i].on && strstr(bird.protocols[i].name, service) != NULL) {
            char text[128];
            snprintf(text, sizeof text, "192.0.2.1/32 blackhole [%s 00:00:00] * (260)",
                     bird.protocols[i].name);
            tell_line(order->token, 1007, text);
            if (strstr(bird.protocols[i].name, "_drain") != NULL && !bird.strips) {
                tell_line(order->token, 1012, "\tBGP.community: (65535,0)");
            }
            return;
        }
    }
}

static inline void bird_shows_protocols(const struct order *order)
{
    tell_line(order->token, 1002,
              bird.session_down ? "up1 BGP --- start 00:00:01.000  Active  Socket: No route to host"
                                : "up1 BGP --- up 00:00:01.000  Established");
    for (size_t i = 0; i < (bird.cuts > 0 ? bird.cut_rows : bird.count); i++) {
        char text[128];
        snprintf(text, sizeof text, "%s Static popgate4 %s 00:00:01.000  ", bird.protocols[i].name,
                 bird.protocols[i].on ? "up" : "down");
        tell_line(order->token, 1002, text);
    }
}

static inline void bird_shows_revision(const struct order *order)
{
    char text[64];
    snprintf(text, sizeof text, "  Description:    popgate %s", bird.revision);
    if (bird.revision[0] != '\0') {
        tell_line(order->token, 1006, text);
    }
}

static inline void bird_shows_pipe(const struct order *order)
{
    char text[64];
    for (size_t i = 0; i < bird.count; i++) {
        bird.moved += bird.protocols[i].counted != bird.protocols[i].on;
        bird.protocols[i].counted = bird.protocols[i].on;
    }
    snprintf(text, sizeof text, "     Import updates:  9  0  0  0  %u", bird.moved);
    tell_line(order->token, 1006, text);
}

static inline void bird_does(const struct order *order)
{
    unsigned code = 0;
    switch (order_kind(order->token)) {
    case ORDER_ENABLE:
    case ORDER_DISABLE:
        code = bird_switches(order, order_kind(order->token) == ORDER_ENABLE);
        break;
    case ORDER_PROTOCOLS:
    case ORDER_LOOK:
        bird_shows_protocols(order);
        code = bird.cuts > 0 ? BIRD_CODE_SYNTAX : 0;
        bird.cuts -= bird.cuts > 0;
        break;
    case ORDER_REVISION:
        bird_shows_revision(order);
        break;
    case ORDER_PIPE:
        bird_shows_pipe(order);
        break;
    case ORDER_ROUTE:
        bird.looks++;
        bird_shows_route(order);
        break;
    case ORDER_CHECK:
        code = bird.check;
        tell_line(order->token, code, code == 8002 ? "bird.conf:3:1 syntax error" : "OK");
        break;
    case ORDER_CONFIGURE:
        if (!bird.includes_another) {
            bird_gets(core_file(core));
        }
        code = 3;
        break;
    case ORDER_UNDER_WAY:
    case ORDER_SESSION:
    case ORDER_BFD:
    case ORDER_PEERS:
    case ORDER_PATHS:
    case ORDER_KINDS:
        break;
    }
    core_end(core, order->token, BIRD_END_REPLY, code,
             code == BIRD_CODE_SYNTAX ? BIRD_UNKNOWN_NAME : "", now_ns);
}

static inline void save_file(void)
{
    if (include_submit(&core->include, now_ns / NS_PER_MS)) {
        core_file_saved(core, core->include.submitted, NULL, now_ns);
    }
}

// Everything is saved, sent and answered until there is no more to do at this moment.
static inline void settle(void)
{
    struct order order;
    for (unsigned i = 0; i < 25 * PROTOCOLS; i++) {
        save_file();
        core_check_invariants(core, now_ns);
        if (!core_order(core, &order)) {
            return;
        }
        bird_does(&order);
    }
    fail_msg("it never comes to an end: %s", order.command);
}

static inline void pass_ms(uint64_t ms)
{
    now_ns += ms * NS_PER_MS;
    core_tick(core, now_ns);
    settle();
}

static inline void say(size_t probe, const char *verdicts)
{
    for (; *verdicts != '\0'; verdicts++) {
        struct verdict verdict = {.kind = *verdicts == 'p'   ? VERDICT_PASS
                                          : *verdicts == 'd' ? VERDICT_DEGRADED
                                          : *verdicts == '?' ? VERDICT_UNKNOWN
                                                             : VERDICT_FAIL,
                                  .definitive = *verdicts == '!',
                                  .at_ns = now_ns};
        snprintf(verdict.cause, sizeof verdict.cause, "%s",
                 *verdicts == '?' ? "out of descriptors" : "refused");
        core_verdict(core, probe, &verdict, now_ns);
    }
}

static inline const char *why(size_t service)
{
    static char text[EVENT_TEXT_MAX];
    explain_service(core, service, now_ns / NS_PER_MS, text, sizeof text);
    return text;
}

static inline void links_come_up(void)
{
    static const struct bird_version version = {2, 0, 12};
    core_link(core, ORDER_LINK_ACT, BIRD_LINK_UP, "", &version, now_ns);
    core_link(core, ORDER_LINK_ASK, BIRD_LINK_UP, "", &version, now_ns);
}

static inline int start(void **state)
{
    (void)state;
    memset(&bird, 0, sizeof bird);
    bird.check = 20;
    now_ns = 1000000 * NS_PER_MS;
    events = calloc(1, sizeof *events);
    return events == NULL;
}

static inline int stop(void **state)
{
    (void)state;
    core_free(core);
    config_free(config);
    config_free(next_config);
    core = NULL;
    config = next_config = NULL;
    free(events);
    return 0;
}

static inline void begin(const char *text, bool same_boot, const struct birdconf *former)
{
    if (config == NULL) {
        config = small_config(text);
    }
    struct core_start how = {.config = config,
                             .events = events,
                             .former = former,
                             .same_boot = same_boot,
                             .now_ns = now_ns};
    core = core_new(&how);
    assert_non_null(core);
}

// Healthy, loaded, announced and seen to be so.
static inline void running(const char *text)
{
    begin(text, false, NULL);
    links_come_up();
    settle();
    for (size_t i = 0; i < config->probe_count; i++) {
        say(i, "pp");
    }
    settle();
    assert_true(*bird_protocol("popgate_dns_v4"));
    bird.switches = 0;
}

static inline void reload(const char *text)
{
    next_config = small_config(text);
    struct core *old = core;
    core = core_prepare(old, next_config);
    assert_non_null(core);
    core_take_over(core, old, now_ns);
    core_go_on(core, now_ns);
    core_free(old);
}

static inline enum target target_of(size_t service)
{
    return core->services[service].decision.target;
}

static inline const struct event *last_event(enum event_kind kind)
{
    for (uint64_t seq = events_end(events); seq-- > events_first(events);) {
        const struct event *event = events_get(events, seq);
        if (event->kind == kind) {
            return event;
        }
    }
    fail_msg("no such event: %s", event_name(kind));
    abort(); // not reached
}

static inline size_t count_events(enum event_kind kind)
{
    size_t count = 0;
    for (uint64_t seq = events_first(events); seq < events_end(events); seq++) {
        count += events_get(events, seq)->kind == kind;
    }
    return count;
}
