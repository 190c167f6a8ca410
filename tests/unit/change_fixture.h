// What the tests of changes share: two services, BIRD's answers to the guard, a ledger to be saved.
#pragma once

#include "controller/core/change.h"

#include "base/clock.h"
#include "controller/core/ledger.h"

#include "tests/unit/core_fixture.h"
#include "tests/unit/put_intent.h"
#include "tests/unit/small_config.h"

enum { DNS, TOKEN };

struct answered {
    unsigned times;
    enum outcome outcome;
    char message[512];
};

static __attribute__((unused)) struct fixture *fixture;
static __attribute__((unused)) struct changes *changes;
static __attribute__((unused)) struct answered first, second;
static __attribute__((unused)) char asked[1024];    // commands of the guard, each with a newline
static __attribute__((unused)) uint64_t tokens[16]; // of those that are unanswered
static __attribute__((unused)) size_t unanswered;
static __attribute__((unused)) char saved[1024]; // the last text to be saved
static __attribute__((unused)) uint64_t version;
static __attribute__((unused)) unsigned saves;
static __attribute__((unused)) uint64_t now_ns;
static __attribute__((unused)) uint64_t stepped_ms; // the wall clock, since the start; may wrap
static __attribute__((unused)) bool bird_is_down, bird_is_slow;

static inline uint64_t wall_ms(void)
{
    return FIXTURE_WALL_MS + (now_ns - FIXTURE_NOW_NS) / NS_PER_MS + stepped_ms;
}

// Returns whether there were answers at once: that BIRD can't be asked, or has withdrawn.
static inline bool take_orders(void)
{
    struct order order;
    bool lost = false;
    while (core_order(fixture->core, &order)) {
        if (order_kind(order.token) != ORDER_PEERS && order_kind(order.token) != ORDER_PATHS) {
            if (!bird_is_slow) {
                core_end(fixture->core, order.token, BIRD_END_REPLY, 0, "", now_ns);
                lost = true;
            }
            continue;
        }
        if (bird_is_down) {
            core_end(fixture->core, order.token, BIRD_END_LOST, 0, "", now_ns);
            lost = true;
            continue;
        }
        size_t used = strlen(asked);
        snprintf(asked + used, sizeof asked - used, "%s\n", order.command);
        tokens[unanswered++] = order.token;
    }
    return lost;
}

static inline void take_answer(const struct change_effect *effect)
{
    struct answered *ticket = effect->ticket;
    assert_int_equal(ticket->times, 0); // exactly one answer
    assert_int_not_equal(effect->outcome, OUTCOME_WAITS);
    ticket->times++;
    ticket->outcome = effect->outcome;
    snprintf(ticket->message, sizeof ticket->message, "%s", effect->message);
}

// What the shell does after each input.
static inline void step(void)
{
    struct change_effect effect;
    do {
        while (changes_step(changes, fixture->core, now_ns, wall_ms(), &effect)) {
            if (effect.kind == CHANGE_SAVES) {
                snprintf(saved, sizeof saved, "%s", effect.text);
                version = effect.version;
                saves++;
                free(effect.text);
            } else {
                take_answer(&effect);
            }
        }
    } while (take_orders());
}

static inline int start_with(const char *services)
{
    struct ledger ledger = {0};
    fixture = fixture_new("", services);
    for (size_t i = 0; i < fixture->config->probe_count; i++) {
        struct verdict pass = {.kind = VERDICT_PASS};
        core_verdict(fixture->core, i, &pass, FIXTURE_NOW_NS);
        core_verdict(fixture->core, i, &pass, FIXTURE_NOW_NS);
    }
    struct intent kept = {.kind = INTENT_DRAIN, .since_wall_ms = 1};
    assert_true(ledger_put(&ledger, "gone", &kept));
    now_ns = FIXTURE_NOW_NS;
    stepped_ms = 0;
    changes = changes_new(&ledger, now_ns, wall_ms());
    assert_non_null(changes);
    first = second = (struct answered){.times = 0};
    asked[0] = saved[0] = '\0';
    unanswered = saves = 0;
    bird_is_down = bird_is_slow = false;
    announcer_link(fixture->core->announcer, true);
    announcer_snapshot_begin(fixture->core->announcer, true);
    (void)announcer_snapshot_end(fixture->core->announcer);
    return 0;
}

static inline int start(void **state)
{
    (void)state;
    return start_with(FIXTURE_SERVICES);
}

static inline int start_without_guard(void **state)
{
    (void)state;
    return start_with(FIXTURE_SERVICES "last_pop_guard = off\n");
}

static inline int stop(void **state)
{
    (void)state;
    changes_free(changes);
    fixture_free(fixture);
    return 0;
}

static inline enum outcome ask(struct answered *ticket, const struct change *change)
{
    *ticket = (struct answered){.times = 0};
    enum outcome outcome =
        changes_submit(changes, fixture->core, change, ticket, now_ns, wall_ms());
    step();
    return outcome;
}

static inline void submit(struct answered *ticket, enum verb verb, size_t service)
{
    struct change change = {
        .verb = verb, .services = &service, .service_count = 1, .reason = "why", .by = "alice (1)"};
    assert_int_equal(ask(ticket, &change), OUTCOME_WAITS);
}

static inline void force_drain(struct answered *ticket, size_t service)
{
    struct change change = {
        .verb = VERB_DRAIN, .services = &service, .service_count = 1, .force = true};
    assert_int_equal(ask(ticket, &change), OUTCOME_WAITS);
}

static inline void answered(const struct answered *ticket, enum outcome outcome)
{
    assert_int_equal(ticket->times, 1);
    assert_int_equal(ticket->outcome, outcome);
}

// BIRD's answer to the guard's first question that has none yet; NULL: nothing in it.
static inline void bird_says(unsigned code, const char *text, enum bird_end end)
{
    assert_true(unanswered > 0);
    uint64_t token = tokens[0];
    memmove(tokens, tokens + 1, --unanswered * sizeof *tokens);
    if (text != NULL) {
        struct bird_line line = line_of(code, text);
        core_line(fixture->core, token, &line, now_ns);
    }
    core_end(fixture->core, token, end, 0, "", now_ns);
    step();
}

#define PROTOCOL "up1 BGP --- up 00:00:01.000  Established"

// BIRD's answers to the guard about the token service's one prefix.
static inline void guard_sees(bool another_pop)
{
    bird_says(1002, PROTOCOL, BIRD_END_REPLY);
    bird_says(1007, another_pop ? "198.51.100.1/32 unicast [up1 00:00:01.000] * (100)" : NULL,
              BIRD_END_REPLY);
}

static inline void save_ends(const char *error)
{
    changes_saved(changes, fixture->core, version, error, now_ns, wall_ms());
    step();
}

// Nothing is left to be saved now.
static inline void assert_idle(void)
{
    unsigned before = saves;
    step();
    assert_int_equal(saves, before);
}

static inline enum intent_kind intent_of(size_t service)
{
    return fixture->core->services[service].intent.kind;
}

// A ledger that turns up in the place of ours.
static inline void finds(const char *service, enum intent_kind kind)
{
    struct ledger found = {0};
    struct intent intent = {.kind = kind, .since_wall_ms = 1, .reason = "found"};
    assert_true(ledger_put(&found, service, &intent));
    changes_found(changes, fixture->core, &found, now_ns, wall_ms());
    save_ends("there was a ledger; it is read now");
    ledger_clear(&found);
}

static inline void drain_for_want_of_a_ledger(size_t service)
{
    struct intent intent = {.kind = INTENT_DRAIN, .by = "popgated", .since_wall_ms = 1};
    put_intent(fixture->core, service, &intent, "unreadable", now_ns);
}

static inline enum target target_of(size_t service)
{
    return fixture->core->services[service].decision.target;
}

static inline void pass_ms(uint64_t ms)
{
    now_ns += ms * NS_PER_MS;
    core_tick(fixture->core, now_ns);
}

// As a reload does, with this configuration; what was before is freed.
static inline void reload_with(const char *text)
{
    struct config *config = small_config(text);
    struct core *core = core_prepare(fixture->core, config);
    assert_non_null(core);
    changes_let_go(changes, fixture->core);
    core_take_over(core, fixture->core, now_ns);
    changes_take_over(changes, core, fixture->config, now_ns, wall_ms());
    core_go_on(core, now_ns);
    core_free(fixture->core);
    config_free(fixture->config);
    fixture->core = core;
    fixture->config = config;
    unanswered = 0;
    asked[0] = '\0';
    step();
}
