// What a core keeps over a reload and a restart (the operators' word, withdrawals that are still
// recent), and what it forgets when BIRD goes (that it refused).
#include "controller/core/core.h"

#include "base/clock.h"

#include "tests/unit/put_intent.h"
#include "tests/unit/small_config.h"

#include <stdlib.h>

#define HOLD_DOWN_MS UINT64_C(10000)
#define GRACE_MS     UINT64_C(30000)
#define SERVICE(name, address)                                                                     \
    "[service " name "]\nprefixes = " address "/32\nrequire = a\nhold_down = 10s\n"
#define DNS    SERVICE("dns", "192.0.2.1")
#define WEB    SERVICE("web", "192.0.2.2")
#define TOKEN  SERVICE("token", "192.0.2.3")
#define MAIL   SERVICE("mail", "192.0.2.4")
#define DENIED "Access denied"

static struct config *config, *next_config;
static struct events *events;
static struct core *core;
static uint64_t now_ns;

static int start(void **state)
{
    (void)state;
    now_ns = 1000000 * NS_PER_MS;
    events = calloc(1, sizeof *events);
    return events == NULL;
}

static int stop(void **state)
{
    (void)state;
    core_free(core);
    config_free(config);
    config_free(next_config);
    free(events);
    core = NULL;
    config = next_config = NULL;
    return 0;
}

TEST_FIXTURE(start, stop);

static uint64_t now_ms(void)
{
    return now_ns / NS_PER_MS;
}

static void begin(const char *services, const uint64_t *recent)
{
    char text[2048];
    snprintf(text, sizeof text, "%s%s", PROBE("a"), services);
    config = small_config(text);
    struct core_start how = {
        .config = config, .events = events, .recent = recent, .now_ns = now_ns};
    core = core_new(&how);
    assert_non_null(core);
}

static void reload(const char *services)
{
    char text[2048];
    struct core *old = core;
    snprintf(text, sizeof text, "%s%s", PROBE("a"), services);
    next_config = small_config(text);
    core = core_prepare(old, next_config);
    assert_non_null(core);
    core_take_over(core, old, now_ns);
    core_go_on(core, now_ns);
    core_free(old);
}

static void pass_ms(uint64_t ms)
{
    now_ns += ms * NS_PER_MS;
    core_tick(core, now_ns);
}

static void say(enum verdict_kind kind, unsigned times)
{
    for (unsigned i = 0; i < times; i++) {
        struct verdict verdict = {.kind = kind, .at_ns = now_ns};
        core_verdict(core, 0, &verdict, now_ns);
    }
}

static size_t index_of(const char *service)
{
    for (size_t i = 0; i < core->config->service_count; i++) {
        if (strcmp(core->config->services[i].name, service) == 0) {
            return i;
        }
    }
    fail_msg("there is no service %s", service);
    return 0;
}

static enum target target_of(const char *service)
{
    return core->services[index_of(service)].decision.target;
}

static void intend(const char *service, enum intent_kind kind, uint64_t lasts_ms)
{
    struct intent intent = {.kind = kind,
                            .since_ms = now_ms(),
                            .grace_ms = GRACE_MS,
                            .until_ms = lasts_ms != 0 ? now_ms() + lasts_ms : 0,
                            .since_wall_ms = 1795222208123,
                            .reason = "line card",
                            .by = "alice (1)"};
    put_intent(core, index_of(service), &intent, "as alice says", now_ns);
}

static void assert_intends(const char *service, enum intent_kind kind, uint64_t since_ms,
                           uint64_t until_ms)
{
    const struct intent *intent = &core->services[index_of(service)].intent;
    assert_int_equal(intent->kind, kind);
    assert_int_equal(intent->since_ms, since_ms);
    assert_int_equal(intent->until_ms, until_ms);
    assert_int_equal(intent->grace_ms, GRACE_MS);
    assert_int_equal(intent->since_wall_ms, 1795222208123);
    assert_string_equal(intent->reason, "line card");
    assert_string_equal(intent->by, "alice (1)");
}

TEST(what_operators_want_outlives_a_reload)
{
    uint64_t since_ms = now_ms();
    begin(DNS WEB TOKEN MAIL, NULL);
    say(VERDICT_PASS, 2);
    intend("dns", INTENT_DRAIN, 0);
    intend("web", INTENT_ISOLATE, 0);
    intend("token", INTENT_PIN, 90000);
    pass_ms(1000);
    reload(MAIL TOKEN WEB DNS); // in another order
    assert_intends("dns", INTENT_DRAIN, since_ms, 0);
    assert_intends("web", INTENT_ISOLATE, since_ms, 0);
    assert_intends("token", INTENT_PIN, since_ms, since_ms + 90000);
    assert_int_equal(core->services[index_of("mail")].intent.kind, INTENT_AUTO);
    assert_int_equal(target_of("dns"), TARGET_DEPREFERENCE);
    assert_int_equal(target_of("web"), TARGET_WITHDRAW);
    assert_int_equal(target_of("token"), TARGET_ANNOUNCE);
    assert_int_equal(target_of("mail"), TARGET_ANNOUNCE);
    assert_false(core->ledger_dirty);
}

TEST(and_ends_when_it_would_have_without)
{
    begin(DNS TOKEN, NULL);
    intend("dns", INTENT_PIN, 60000);
    intend("token", INTENT_DRAIN, 60000);
    pass_ms(20000);
    reload(DNS TOKEN);
    pass_ms(39999);
    assert_int_equal(target_of("dns"), TARGET_ANNOUNCE);
    assert_int_equal(core->services[index_of("token")].intent.kind, INTENT_DRAIN);
    pass_ms(1);
    assert_int_equal(target_of("dns"), TARGET_WITHDRAW);
    assert_int_equal(core->services[index_of("token")].intent.kind, INTENT_AUTO);
    assert_true(core->ledger_dirty);
}

TEST(withdrawals_that_this_boot_remembers_lengthen_the_hold_down)
{
    static const uint64_t recent[] = {3, 0};
    begin(DNS WEB, recent);
    say(VERDICT_PASS, 2);
    assert_int_equal(target_of("web"), TARGET_ANNOUNCE);
    pass_ms(4 * HOLD_DOWN_MS - 1);
    assert_int_equal(target_of("dns"), TARGET_WITHDRAW);
    assert_int_equal(core->services[index_of("dns")].decision.cause, CAUSE_HOLD_DOWN);
    pass_ms(1);
    assert_int_equal(target_of("dns"), TARGET_ANNOUNCE);
}

TEST(and_so_do_those_from_before_a_reload)
{
    static const uint64_t recent[] = {1};
    begin(DNS, recent);
    say(VERDICT_PASS, 2);
    pass_ms(HOLD_DOWN_MS);
    assert_int_equal(target_of("dns"), TARGET_ANNOUNCE);
    say(VERDICT_FAIL, 3);
    assert_int_equal(target_of("dns"), TARGET_WITHDRAW);
    say(VERDICT_PASS, 2);
    reload(WEB DNS);
    pass_ms(2 * HOLD_DOWN_MS - 1);
    assert_int_equal(target_of("dns"), TARGET_WITHDRAW);
    pass_ms(1);
    assert_int_equal(target_of("dns"), TARGET_ANNOUNCE);
}

static void link_is(enum bird_link state, const char *reason)
{
    static const struct bird_version version = {2, 0, 12};
    core_link(core, ORDER_LINK_ACT, state, reason, &version, now_ns);
    core_link(core, ORDER_LINK_ASK, state, reason, &version, now_ns);
}

// BIRD has the service on, though it is to be withdrawn, and refuses to switch it off.
static void bird_refuses(void)
{
    struct order order;
    unsigned refused = 0;
    pass_ms(1000); // a snapshot is due, if none is yet
    while (core_order(core, &order)) {
        enum order_kind kind = order_kind(order.token);
        unsigned code = kind == ORDER_DISABLE ? 8007 : 0;
        if (kind == ORDER_PROTOCOLS) {
            struct bird_line row =
                line_of(1002, "popgate_dns_v4 Static popgate4 up 00:00:01.000  ");
            core_line(core, order.token, &row, now_ns);
        }
        refused += code != 0;
        core_end(core, order.token, BIRD_END_REPLY, code, code != 0 ? DENIED : "", now_ns);
    }
    assert_true(refused > 0);
}

static unsigned told_of_refusals(void)
{
    unsigned count = 0;
    for (uint64_t seq = events_first(events); seq < events_end(events); seq++) {
        const struct event *event = events_get(events, seq);
        count += event->kind == EVENT_TROUBLE && strstr(event->text, DENIED) != NULL;
    }
    return count;
}

TEST(a_refusal_is_told_once_and_again_when_bird_was_away)
{
    begin(DNS, NULL);
    link_is(BIRD_LINK_UP, "");
    bird_refuses();
    assert_true(core->denied);
    bird_refuses();
    assert_int_equal(told_of_refusals(), 1);
    link_is(BIRD_LINK_DOWN, "gone");
    assert_false(core->denied);
    link_is(BIRD_LINK_UP, "");
    bird_refuses();
    assert_int_equal(told_of_refusals(), 2);
}

TEST(a_refusal_outlives_a_reload)
{
    begin(DNS, NULL);
    link_is(BIRD_LINK_UP, "");
    bird_refuses();
    reload(DNS);
    assert_true(core->denied);
    bird_refuses();
    assert_int_equal(told_of_refusals(), 1);
}
