// The core as a whole: what goes in as verdicts, intents and BIRD's answers comes out as orders, a
// file and events. BIRD here is a few protocols that are on or off, and does at once what it is
// told.
#include "controller/core/core.h"
#include "controller/core/explain.h"

#include "tests/unit/small_config.h"

#include <fnmatch.h>
#include <stdlib.h>

enum { A, B };     // probes
enum { DNS, WEB }; // services

#define NS_PER_MS  UINT64_C(1000000)
#define PROTOCOLS  8
#define BLIND_MS   120000 // more than unknown_grace
#define ONE_PROBE  PROBE("a")
#define TWO_PROBES PROBE("a") PROBE("b")
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
        bool on;
    } protocols[PROTOCOLS];
    size_t count;
    char revision[REVISION_TEXT_MAX];
    unsigned refusal;            // reply code to every switch; 0: none
    bool lies;                   // says that it switches, and does not
    unsigned check;              // reply code to `configure check`
    unsigned switches;           // commands that switch
    unsigned looks;              // for a route
    char last[BIRD_COMMAND_MAX]; // of those
} bird;

static void bird_gets(const struct birdconf *file)
{
    bird.count = 0;
    for (size_t i = 0; i < file->slot_count; i++) {
        snprintf(bird.protocols[i].name, BIRD_PROTOCOL_MAX, "%s", file->slots[i].protocol);
        bird.protocols[i].on = birdconf_get(file, file->slots[i].protocol);
        bird.count++;
    }
    snprintf(bird.revision, sizeof bird.revision, "%s", file->revision);
}

static bool *bird_protocol(const char *name)
{
    for (size_t i = 0; i < bird.count; i++) {
        if (strcmp(bird.protocols[i].name, name) == 0) {
            return &bird.protocols[i].on;
        }
    }
    fail_msg("BIRD has no %s", name);
    return NULL;
}

static void tell_line(uint64_t token, unsigned code, const char *text)
{
    struct bird_line line = line_of(code, text);
    core_line(core, token, &line, now_ns);
}

static unsigned bird_switches(const struct order *order, bool on)
{
    char pattern[BIRD_PROTOCOL_MAX];
    char text[BIRD_PROTOCOL_MAX + 16];
    bird.switches++;
    snprintf(bird.last, sizeof bird.last, "%s", order->command);
    if (bird.refusal != 0) {
        return bird.refusal;
    }
    assert_int_equal(sscanf(order->command, "%*s \"%63[^\"]\"", pattern), 1);
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
static void bird_shows_route(const struct order *order)
{
    const char *service = strstr(order->command, "192.0.2.1/") != NULL ? "dns" : "web";
    for (size_t i = 0; i < bird.count; i++) {
        if (bird.protocols[i].on && strstr(bird.protocols[i].name, service) != NULL) {
            char text[128];
            snprintf(text, sizeof text, "192.0.2.1/32 blackhole [%s 00:00:00] * (260)",
                     bird.protocols[i].name);
            tell_line(order->token, 1007, text);
            return;
        }
    }
}

static void bird_shows_protocols(const struct order *order)
{
    tell_line(order->token, 1002, "up1 BGP --- up 00:00:01.000  Established");
    for (size_t i = 0; i < bird.count; i++) {
        char text[128];
        snprintf(text, sizeof text, "%s Static popgate4 %s 00:00:01.000  ", bird.protocols[i].name,
                 bird.protocols[i].on ? "up" : "down");
        tell_line(order->token, 1002, text);
    }
}

static void bird_shows_revision(const struct order *order)
{
    char text[64];
    snprintf(text, sizeof text, "  Description:    popgate %s", bird.revision);
    if (bird.revision[0] != '\0') {
        tell_line(order->token, 1006, text);
    }
}

static void bird_does(const struct order *order)
{
    unsigned code = 0;
    switch (order_kind(order->token)) {
    case ORDER_ENABLE:
    case ORDER_DISABLE:
        code = bird_switches(order, order_kind(order->token) == ORDER_ENABLE);
        break;
    case ORDER_PROTOCOLS:
        bird_shows_protocols(order);
        break;
    case ORDER_REVISION:
        bird_shows_revision(order);
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
        bird_gets(core_file(core));
        code = 3;
        break;
    case ORDER_UNDER_WAY:
    case ORDER_PEERS:
    case ORDER_PATHS:
    case ORDER_KINDS:
        break;
    }
    core_end(core, order->token, BIRD_END_REPLY, code, "", now_ns);
}

static void save_file(void)
{
    if (include_submit(&core->include, now_ns / NS_PER_MS)) {
        core_file_saved(core, core->include.submitted, NULL, now_ns);
    }
}

// Everything is saved, sent and answered until there is no more to do at this moment.
static void settle(void)
{
    struct order order;
    for (unsigned i = 0; i < 200; i++) {
        save_file();
        core_check_invariants(core, now_ns);
        if (!core_order(core, &order)) {
            return;
        }
        bird_does(&order);
    }
    fail_msg("it never comes to an end: %s", order.command);
}

static void pass_ms(uint64_t ms)
{
    now_ns += ms * NS_PER_MS;
    core_tick(core, now_ns);
    settle();
}

static void say(size_t probe, const char *verdicts)
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

static const char *why(size_t service)
{
    static char text[EVENT_TEXT_MAX];
    explain_service(core, service, now_ns / NS_PER_MS, text, sizeof text);
    return text;
}

static void links_come_up(void)
{
    static const struct bird_version version = {2, 0, 12};
    core_link(core, ORDER_LINK_ACT, BIRD_LINK_UP, "", &version, now_ns);
    core_link(core, ORDER_LINK_ASK, BIRD_LINK_UP, "", &version, now_ns);
}

static int start(void **state)
{
    (void)state;
    memset(&bird, 0, sizeof bird);
    bird.check = 20;
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
    core = NULL;
    config = next_config = NULL;
    free(events);
    return 0;
}

TEST_FIXTURE(start, stop);

static void begin(const char *text, bool same_boot, const struct birdconf *former)
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
static void running(const char *text)
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

static void reload(const char *text)
{
    next_config = small_config(text);
    struct core *old = core;
    core = core_prepare(old, next_config);
    assert_non_null(core);
    core_take_over(core, old, now_ns);
    core_free(old);
}

static enum target target_of(size_t service)
{
    return core->services[service].decision.target;
}

static const struct event *last_event(enum event_kind kind)
{
    for (uint64_t seq = events_end(events); seq-- > events_first(events);) {
        const struct event *event = events_get(events, seq);
        if (event->kind == kind) {
            return event;
        }
    }
    fail_msg("no such event: %s", event_name(kind));
    return NULL;
}

static size_t count_events(enum event_kind kind)
{
    size_t count = 0;
    for (uint64_t seq = events_first(events); seq < events_end(events); seq++) {
        count += events_get(events, seq)->kind == kind;
    }
    return count;
}

TEST(nothing_is_announced_until_it_is_known_healthy)
{
    begin(ONE_PROBE DNS_NEEDS_A, false, NULL);
    links_come_up();
    settle();
    assert_string_equal(load_name(core->loader.state), load_name(LOAD_LOADED));
    assert_false(*bird_protocol("popgate_dns_v4"));
    say(A, "p");
    settle();
    assert_false(*bird_protocol("popgate_dns_v4"));
    say(A, "p");
    settle();
    assert_true(*bird_protocol("popgate_dns_v4"));
    assert_false(*bird_protocol("popgate_dns_v4_drain"));
}

TEST(the_order_to_withdraw_comes_out_in_the_same_call_as_the_verdict)
{
    running(ONE_PROBE DNS_NEEDS_A);
    say(A, "ff");
    expect_no_order(&core->orders);
    say(A, "f");
    struct order order;
    assert_true(core_order(core, &order));
    assert_string_equal(order.command, "disable \"popgate_dns_v?\"");
    assert_true(order.urgent);
}

TEST(a_transition_is_followed_until_it_is_seen)
{
    running(ONE_PROBE DNS_NEEDS_A);
    const struct event *event = last_event(EVENT_TRANSITION);
    assert_int_equal(event->to, TARGET_ANNOUNCE);
    assert_int_equal(event->cause, CAUSE_HEALTHY);
    assert_int_equal(event->evidence_ns, now_ns);
    assert_int_equal(event->acknowledged_ns, now_ns);
    assert_int_equal(event->observed_ns, now_ns);
    say(A, "fff");
    event = last_event(EVENT_TRANSITION);
    assert_int_equal(event->from, TARGET_ANNOUNCE);
    assert_int_equal(event->to, TARGET_WITHDRAW);
    assert_true(event->warning);
    assert_int_equal(event->acknowledged_ns, 0);
    now_ns += 5 * NS_PER_MS;
    settle();
    assert_int_equal(event->acknowledged_ns, now_ns);
    assert_int_equal(event->observed_ns, now_ns);
    assert_non_null(strstr(event->text, "probe a is down: refused"));
}

// A former run left the file and BIRD like this; then a start within the same boot.
static void restarted(bool in_file, bool in_bird, bool same_boot)
{
    config = small_config(ONE_PROBE DNS_NEEDS_A);
    struct birdconf *former = birdconf_render(config);
    birdconf_set(former, "popgate_dns_v4", in_file);
    bird_gets(former);
    *bird_protocol("popgate_dns_v4") = in_bird;
    begin(NULL, same_boot, former);
    birdconf_free(former);
    links_come_up();
    settle();
}

TEST(a_restart_takes_over_what_file_and_bird_agree_on)
{
    restarted(true, true, true);
    assert_int_equal(target_of(DNS), TARGET_ANNOUNCE);
    assert_int_equal(core->services[DNS].decision.cause, CAUSE_ADOPTED);
    assert_int_equal(bird.switches, 0);
    say(A, "pp");
    settle();
    assert_int_equal(bird.switches, 0);
}

// popgate.conf has got an address of IPv6 meanwhile, which BIRD can't have yet.
TEST(a_restart_with_a_further_family_leaves_what_bird_has)
{
    struct config *before = small_config(ONE_PROBE DNS_NEEDS_A);
    struct birdconf *former = birdconf_render(before);
    config = small_config(ONE_PROBE "[service dns]\nprefixes = 192.0.2.1/32 2001:db8::1/128\n"
                                    "require = a\nhold_down = 10s\n");
    birdconf_set(former, "popgate_dns_v4", true);
    bird_gets(former);
    begin(NULL, true, former);
    birdconf_free(former);
    config_free(before);
    links_come_up();
    settle();
    assert_int_equal(target_of(DNS), TARGET_ANNOUNCE);
    assert_int_equal(count_events(EVENT_TRANSITION), 0);
    assert_true(*bird_protocol("popgate_dns_v4"));
    assert_true(*bird_protocol("popgate_dns_v6"));
}

TEST(a_reload_that_takes_a_family_away_gives_up_nothing_adopted)
{
    config = small_config(ONE_PROBE "[service dns]\nprefixes = 192.0.2.1/32 2001:db8::1/128\n"
                                    "require = a\nhold_down = 10s\n");
    struct birdconf *former = birdconf_render(config);
    birdconf_set(former, "popgate_dns_v4", true);
    birdconf_set(former, "popgate_dns_v6", true);
    bird_gets(former);
    begin(NULL, true, former);
    birdconf_free(former);
    reload(ONE_PROBE DNS_NEEDS_A); // before BIRD has been looked at
    links_come_up();
    settle();
    assert_int_equal(target_of(DNS), TARGET_ANNOUNCE);
    assert_int_equal(count_events(EVENT_TRANSITION), 0);
}

TEST(what_evidence_has_decided_since_the_restart_is_not_given_up)
{
    config = small_config(ONE_PROBE DNS_NEEDS_A);
    struct birdconf *former = birdconf_render(config);
    birdconf_set(former, "popgate_dns_v4", true);
    bird_gets(former);
    *bird_protocol("popgate_dns_v4") = false;
    begin(NULL, true, former);
    birdconf_free(former);
    say(A, "dd"); // while BIRD is away
    assert_int_equal(target_of(DNS), TARGET_DEPREFERENCE);
    links_come_up();
    settle();
    assert_int_equal(target_of(DNS), TARGET_DEPREFERENCE);
    assert_int_equal(core->services[DNS].decision.cause, CAUSE_DEGRADED);
    assert_true(*bird_protocol("popgate_dns_v4_drain"));
}

TEST(what_only_the_file_has_is_not_taken_over)
{
    restarted(true, false, true);
    assert_int_equal(target_of(DNS), TARGET_WITHDRAW);
    assert_false(*bird_protocol("popgate_dns_v4"));
    say(A, "pp");
    settle();
    assert_int_equal(target_of(DNS), TARGET_WITHDRAW); // waits out hold_down
    pass_ms(10000);
    assert_true(*bird_protocol("popgate_dns_v4"));
}

TEST(what_only_bird_has_is_withdrawn)
{
    restarted(false, true, true);
    assert_int_equal(target_of(DNS), TARGET_WITHDRAW);
    assert_false(*bird_protocol("popgate_dns_v4"));
}

TEST(after_a_reboot_nothing_is_taken_over)
{
    restarted(true, true, false);
    assert_int_equal(target_of(DNS), TARGET_WITHDRAW);
    assert_false(*bird_protocol("popgate_dns_v4"));
}

TEST(somebodys_disable_is_repaired_and_the_file_written_again)
{
    running(ONE_PROBE DNS_NEEDS_A);
    uint64_t before = core->include.wanted;
    *bird_protocol("popgate_dns_v4") = false;
    pass_ms(1000);
    assert_true(*bird_protocol("popgate_dns_v4"));
    assert_true(core->include.saved > before);
    assert_int_equal(core->drifts, 1);
    assert_non_null(strstr(last_event(EVENT_DRIFT)->text, "popgate_dns_v4"));
}

TEST(a_bird_that_lies_is_not_asked_without_end)
{
    running(ONE_PROBE DNS_NEEDS_A);
    say(0, "fff");
    settle();
    assert_false(*bird_protocol("popgate_dns_v4"));
    bird.lies = true;
    *bird_protocol("popgate_dns_v4") = true;
    pass_ms(1000);
    unsigned before = bird.switches;
    pass_ms(1000);
    assert_in_range(bird.switches - before, 1, 40);
    bird.lies = false;
    pass_ms(1000);
    assert_false(*bird_protocol("popgate_dns_v4"));
}

TEST(an_echo_about_us_is_looked_into_at_once)
{
    running(ONE_PROBE DNS_NEEDS_A);
    *bird_protocol("popgate_dns_v4") = false;
    core_echo(core, "Disabling protocol popgate_dns_v4", now_ns);
    settle();
    assert_true(*bird_protocol("popgate_dns_v4"));
}

// With `debug commands` BIRD echoes our own questions: each would lead to the next.
TEST(the_echo_of_a_command_leads_to_no_question)
{
    struct order order;
    running(ONE_PROBE DNS_NEEDS_A);
    core_echo(core, "CLI: show protocols all \"popgate?_pipe\"", now_ns);
    assert_false(core_order(core, &order));
}

// The next order to BIRD is of this kind.
static struct order expect_kind(enum order_kind kind)
{
    struct order order = {.token = 0};
    assert_true(core_order(core, &order));
    assert_int_equal(order_kind(order.token), kind);
    return order;
}

static void expect_no_more_orders(void)
{
    struct order order;
    assert_false(core_order(core, &order));
}

TEST(the_echo_of_what_we_do_ourselves_waits_for_the_answer)
{
    running(TWO_PROBES DNS_NEEDS_A WEB_NEEDS_B);
    say(A, "fff");
    struct order off = expect_kind(ORDER_DISABLE);
    core_echo(core, "Disabling protocol popgate_dns_v4", now_ns);
    expect_no_more_orders();
    bird_does(&off);
    (void)expect_kind(ORDER_PROTOCOLS);
    (void)expect_kind(ORDER_REVISION);
}

TEST(bird_is_looked_at_for_no_more_than_a_fifth_of_its_time)
{
    running(ONE_PROBE DNS_NEEDS_A);
    core_echo(core, "Disabling protocol popgate_dns_v4", now_ns);
    struct order look = expect_kind(ORDER_PROTOCOLS);
    now_ns += 5 * NS_PER_MS; // BIRD has thousands of protocols
    bird_does(&look);
    settle();
    *bird_protocol("popgate_dns_v4") = false;
    core_echo(core, "Disabling protocol popgate_dns_v4", now_ns);
    expect_no_more_orders();
    assert_int_equal(core_next_ms(core), now_ns / NS_PER_MS + 20);
    pass_ms(20);
    assert_true(*bird_protocol("popgate_dns_v4"));
}

TEST(a_bird_that_refuses_is_asked_again_only_once_a_second)
{
    running(ONE_PROBE DNS_NEEDS_A);
    bird.refusal = 8007;
    say(A, "fff");
    settle();
    assert_int_equal(bird.switches, 1);
    pass_ms(1000);
    assert_int_equal(bird.switches, 2);
    assert_int_equal(count_events(EVENT_TROUBLE), 1);
    assert_non_null(strstr(last_event(EVENT_TROUBLE)->text, "8007"));
    bird.refusal = 0;
    pass_ms(1000);
    assert_false(*bird_protocol("popgate_dns_v4"));
}

TEST(a_refused_file_is_told_once_with_birds_own_words)
{
    begin(ONE_PROBE DNS_NEEDS_A, false, NULL);
    bird.check = 8002;
    links_come_up();
    settle();
    assert_non_null(strstr(last_event(EVENT_CONFIGURE)->text, "bird.conf:3:1 syntax error"));
    assert_true(last_event(EVENT_CONFIGURE)->warning);
    for (unsigned i = 0; i < 12; i++) {
        pass_ms(1000);
    }
    assert_int_equal(count_events(EVENT_CONFIGURE), 1);
    bird.check = 20;
    pass_ms(5000);
    assert_string_equal(load_name(core->loader.state), load_name(LOAD_LOADED));
    assert_int_equal(count_events(EVENT_CONFIGURE), 2);
}

TEST(a_file_that_cannot_be_written_keeps_nothing_off_the_air)
{
    running(ONE_PROBE DNS_NEEDS_A);
    say(A, "fff");
    settle();
    say(A, "pp");
    now_ns += 10000 * NS_PER_MS;
    core_tick(core, now_ns);
    struct order order;
    while (core_order(core, &order)) {
        assert_int_not_equal(order_kind(order.token), ORDER_ENABLE);
        bird_does(&order);
    }
    for (unsigned i = 0; i < 2; i++) {
        assert_true(include_submit(&core->include, now_ns / NS_PER_MS));
        core_file_saved(core, core->include.submitted,
                        "can't write bird.conf: No space left on device", now_ns);
        now_ns += INCLUDE_RETRY_MS * NS_PER_MS;
    }
    assert_true(core_order(core, &order));
    assert_string_equal(order.command, "enable \"popgate_dns_v?\"");
    assert_int_equal(count_events(EVENT_TROUBLE), 1);
}

TEST(crash_grace_is_woken_up_for)
{
    running(ONE_PROBE DNS_NEEDS_A);
    config->probes[A].crash_grace_ms = 40;
    pass_ms(5000);
    say(A, "!");
    assert_true(core_next_ms(core) <= now_ns / NS_PER_MS + 40);
    assert_int_equal(target_of(DNS), TARGET_ANNOUNCE);
    pass_ms(40);
    assert_int_equal(target_of(DNS), TARGET_WITHDRAW);
}

TEST(hold_down_is_woken_up_for)
{
    running(ONE_PROBE DNS_NEEDS_A);
    say(A, "fffpp");
    core_link(core, ORDER_LINK_ASK, BIRD_LINK_DOWN, "gone", NULL, now_ns);
    core_tick(core, now_ns);
    say(A, "p");
    assert_true(core_next_ms(core) <= now_ns / NS_PER_MS + 10000);
    now_ns += 10000 * NS_PER_MS;
    core_tick(core, now_ns);
    assert_int_equal(target_of(DNS), TARGET_ANNOUNCE);
}

TEST(the_last_verdict_is_kept_with_its_time)
{
    running(ONE_PROBE DNS_NEEDS_A);
    now_ns += 7;
    say(A, "?");
    assert_int_equal(core->probes[A].last.kind, VERDICT_UNKNOWN);
    assert_int_equal(core->probes[A].last.at_ns, now_ns);
    assert_int_equal(core->probes[A].verdicts[VERDICT_PASS], 2);
    assert_int_equal(core->probes[A].verdicts[VERDICT_UNKNOWN], 1);
}

TEST(a_probe_that_can_not_look_is_named_with_its_cause)
{
    running(TWO_PROBES "[service dns]\nprefixes = 192.0.2.1/32\nrequire = a b\n");
    assert_string_equal(why(DNS), "all probes pass");
    say(B, "?");
    assert_string_equal(why(DNS), "probe b can't look now: out of descriptors; what it last saw "
                                  "was good");
    now_ns += BLIND_MS * NS_PER_MS;
    say(A, "p");
    say(B, "?");
    assert_string_equal(why(DNS), "probe b can't look now: out of descriptors; held as last known");
    assert_int_equal(target_of(DNS), TARGET_ANNOUNCE);
    say(B, "p");
    assert_string_equal(why(DNS), "all probes pass");
}

TEST(a_probe_that_falls_silent_is_named_too)
{
    running(ONE_PROBE DNS_NEEDS_A);
    pass_ms(BLIND_MS);
    assert_string_equal(why(DNS),
                        "probe a can't look now: no verdict comes from it; held as last known");
}

TEST(what_the_service_can_do_without_is_not_said_to_pass)
{
    running(TWO_PROBES "[service dns]\nprefixes = 192.0.2.1/32\nany = a b\n");
    say(B, "fff");
    assert_string_equal(why(DNS), "enough probes pass; probe b is down: refused");
    assert_int_equal(target_of(DNS), TARGET_ANNOUNCE);
}

TEST(not_being_able_to_look_is_no_reason_for_being_down)
{
    running(ONE_PROBE DNS_NEEDS_A);
    say(A, "fff");
    assert_string_equal(why(DNS), "probe a is down: refused");
    say(A, "?");
    assert_string_equal(why(DNS), "probe a is down: refused; now can't look: out of descriptors");
    pass_ms(BLIND_MS);
    assert_string_equal(why(DNS), "probe a was down: refused; now can't look: out of descriptors");
}

TEST(hold_down_tells_what_is_left)
{
    running(ONE_PROBE DNS_NEEDS_A);
    say(A, "fffpp");
    assert_string_equal(why(DNS), "healthy again, waiting out hold_down of 10 s, 10 s are left");
    now_ns += 4000 * NS_PER_MS;
    assert_string_equal(why(DNS), "healthy again, waiting out hold_down of 10 s, 6 s are left");
}

TEST(who_depends_is_withdrawn_in_the_same_call)
{
    running(TWO_PROBES "[service web]\nprefixes = 192.0.2.2/32\nrequire = b\ndepends = dns\n"
                       "[service dns]\nprefixes = 192.0.2.1/32\nrequire = a\n");
    say(A, "fff");
    assert_int_equal(target_of(0), TARGET_WITHDRAW);
    assert_int_equal(target_of(1), TARGET_WITHDRAW);
    assert_string_equal(why(0), "depends on dns: probe a is down: refused");
    settle();
    assert_string_equal(bird.last, "disable \"popgate_*\"");
}

TEST(an_intent_is_obeyed_and_ends_by_itself)
{
    running(ONE_PROBE DNS_NEEDS_A);
    struct intent intent = {.kind = INTENT_DRAIN,
                            .since_ms = now_ns / NS_PER_MS,
                            .grace_ms = 3000,
                            .until_ms = now_ns / NS_PER_MS + 9000,
                            .by = "alice (1)",
                            .reason = "line card"};
    core_intent(core, DNS, &intent, "drained by alice", now_ns);
    settle();
    assert_true(*bird_protocol("popgate_dns_v4_drain"));
    assert_false(*bird_protocol("popgate_dns_v4"));
    assert_string_equal(why(DNS), "drained by alice (1): line card");
    pass_ms(3000);
    assert_false(*bird_protocol("popgate_dns_v4_drain"));
    assert_false(core->ledger_dirty);
    pass_ms(6000);
    assert_true(core->ledger_dirty);
    assert_int_equal(core->services[DNS].intent.kind, INTENT_AUTO);
    assert_true(*bird_protocol("popgate_dns_v4"));
}

TEST(an_isolation_is_told_to_bird_though_it_is_believed_to_be_off)
{
    running(ONE_PROBE DNS_NEEDS_A);
    say(A, "fff");
    settle();
    *bird_protocol("popgate_dns_v4") = true; // somebody's hand, and nobody has looked since
    struct intent intent = {.kind = INTENT_ISOLATE};
    core_intent(core, DNS, &intent, "isolated", now_ns);
    assert_false(announcer_settled(core->announcer, DNS));
    settle();
    assert_false(*bird_protocol("popgate_dns_v4"));
    assert_true(announcer_settled(core->announcer, DNS));
}

TEST(answers_to_orders_from_before_a_reload_are_ignored)
{
    running(ONE_PROBE DNS_NEEDS_A);
    core_echo(core, "popgate", now_ns);
    struct order order;
    assert_true(core_order(core, &order));
    assert_int_equal(order_kind(order.token), ORDER_PROTOCOLS);
    reload(TWO_PROBES DNS_NEEDS_A WEB_NEEDS_B);
    tell_line(order.token, 1002, "popgate_dns_v4 Static popgate4 up 00:00:01.000  ");
    core_end(core, order.token, BIRD_END_REPLY, 0, "", now_ns);
    assert_false(core->announcer->snapshot_taken);
    assert_int_equal(target_of(DNS), TARGET_ANNOUNCE);
    settle();
    assert_true(core->announcer->snapshot_taken);
}

TEST(a_reload_that_is_nothing_to_bird_asks_it_nothing_and_hears_its_answers)
{
    running(ONE_PROBE DNS_NEEDS_A);
    core_echo(core, "popgate", now_ns);
    struct order order;
    struct order revision;
    struct order more;
    assert_true(core_order(core, &order));
    assert_true(core_order(core, &revision));
    reload("[probe a]\ntype = tcp\ntarget = 127.0.0.1:9\n" DNS_NEEDS_A "grace = 1s\n");
    assert_false(core_order(core, &more));
    tell_line(order.token, 1002, "popgate_dns_v4 Static popgate4 down 00:00:01.000  ");
    core_end(core, order.token, BIRD_END_REPLY, 0, "", now_ns);
    assert_int_equal(count_events(EVENT_DRIFT), 1);
    assert_true(core_order(core, &more)); // and repairs what they tell
    assert_int_equal(order_kind(more.token), ORDER_ENABLE);
    assert_int_equal(core->observed->prefixes[0].condition, CONDITION_AS_MEANT);
}

TEST(a_reload_that_changes_nothing_switches_nothing)
{
    running(TWO_PROBES DNS_NEEDS_A WEB_NEEDS_B);
    reload(TWO_PROBES DNS_NEEDS_A WEB_NEEDS_B);
    settle();
    pass_ms(1000);
    assert_int_equal(bird.switches, 0);
    assert_int_equal(core->services[DNS].decision.cause, CAUSE_HEALTHY);
    assert_int_equal(core->observed->prefixes[0].condition, CONDITION_AS_MEANT);
    assert_int_equal(count_events(EVENT_OBSERVED), 0);
}

TEST(a_service_whose_probe_is_new_stays_for_adopt_grace)
{
    running(ONE_PROBE DNS_NEEDS_A "on_unknown = withdraw\n");
    reload("[probe a]\ntype = tcp\ntarget = 127.0.0.1:9\n" DNS_NEEDS_A "on_unknown = withdraw\n");
    settle();
    assert_int_equal(target_of(DNS), TARGET_ANNOUNCE);
    assert_int_equal(core->services[DNS].decision.cause, CAUSE_ADOPTED);
    assert_string_equal(why(DNS), "left as it was, until the probes know; probe a is unknown: no "
                                  "verdict yet");
    pass_ms(20000);
    assert_int_equal(target_of(DNS), TARGET_WITHDRAW);
    assert_string_equal(why(DNS), "unknown for longer than adopt_grace; probe a is unknown: no "
                                  "verdict yet");
}

TEST(a_new_service_is_said_to_be_not_known_healthy_yet)
{
    running(ONE_PROBE DNS_NEEDS_A);
    reload(TWO_PROBES DNS_NEEDS_A WEB_NEEDS_B);
    assert_string_equal(why(WEB), "not known healthy yet; probe b is unknown: no verdict yet");
}

TEST(a_withdrawal_for_want_of_news_says_so)
{
    running(ONE_PROBE DNS_NEEDS_A "on_unknown = withdraw\n");
    pass_ms(BLIND_MS);
    assert_int_equal(target_of(DNS), TARGET_WITHDRAW);
    assert_string_equal(why(DNS), "unknown for longer than unknown_grace; probe a is unknown: no "
                                  "verdict comes from it");
}

TEST(a_service_that_is_no_longer_configured_is_withdrawn)
{
    running(TWO_PROBES DNS_NEEDS_A WEB_NEEDS_B);
    assert_true(*bird_protocol("popgate_web_v4"));
    bird.check = 8002; // even if BIRD would not take the new file
    reload(TWO_PROBES DNS_NEEDS_A);
    settle();
    pass_ms(1000);
    assert_false(*bird_protocol("popgate_web_v4"));
    assert_true(*bird_protocol("popgate_dns_v4"));
    assert_int_equal(core->drifts, 0);
    assert_false(birdconf_get(core_file(core), "popgate_web_v4"));
    assert_true(birdconf_get(core_file(core), "popgate_dns_v4"));
}

TEST(a_clean_stop_withdraws_unless_told_to_keep)
{
    running(TWO_PROBES DNS_NEEDS_A WEB_NEEDS_B "on_exit = keep\n");
    core_stop(core, now_ns);
    assert_false(core_quiet(core));
    settle();
    assert_true(core_quiet(core));
    assert_false(*bird_protocol("popgate_dns_v4"));
    assert_true(*bird_protocol("popgate_web_v4"));
    assert_int_equal(last_event(EVENT_TRANSITION)->cause, CAUSE_EXIT);
    pass_ms(1000);
    assert_false(*bird_protocol("popgate_dns_v4"));
    say(B, "fff"); // what is kept is kept only while it is well
    settle();
    assert_false(*bird_protocol("popgate_web_v4"));
}

TEST(what_is_kept_at_a_stop_keeps_no_grace_and_no_pin)
{
    running(TWO_PROBES DNS_NEEDS_A "on_exit = keep\n" WEB_NEEDS_B "on_exit = keep\n");
    struct intent drain = {
        .kind = INTENT_DRAIN, .since_ms = now_ns / NS_PER_MS, .grace_ms = 3600000, .by = "alice"};
    struct intent pin = {.kind = INTENT_PIN,
                         .since_ms = now_ns / NS_PER_MS,
                         .until_ms = now_ns / NS_PER_MS + 3600000,
                         .by = "alice"};
    core_intent(core, 0, &drain, "drained", now_ns);
    core_intent(core, 1, &pin, "pinned", now_ns);
    say(B, "fff");
    settle();
    assert_true(*bird_protocol("popgate_dns_v4_drain"));
    assert_true(*bird_protocol("popgate_web_v4"));
    core_stop(core, now_ns);
    assert_false(core_quiet(core));
    settle();
    assert_true(core_quiet(core));
    assert_false(*bird_protocol("popgate_dns_v4_drain"));
    assert_false(*bird_protocol("popgate_dns_v4"));
    assert_false(*bird_protocol("popgate_web_v4"));
    // It is only now that they don't count: the ledger has them still.
    assert_int_equal(core->services[0].intent.grace_ms, 3600000);
    assert_int_equal(core->services[1].intent.kind, INTENT_PIN);
}

TEST(a_stop_is_not_over_while_bird_cannot_be_asked_to_withdraw)
{
    const char *first = "";
    running(TWO_PROBES DNS_NEEDS_A WEB_NEEDS_B "on_exit = keep\n");
    core_link(core, ORDER_LINK_ACT, BIRD_LINK_DOWN, "gone", NULL, now_ns);
    core_stop(core, now_ns);
    assert_false(core_quiet(core));
    assert_int_equal(core_unconfirmed(core, &first), 1);
    assert_string_equal(first, "dns");
    core_link(core, ORDER_LINK_ACT, BIRD_LINK_UP, "", NULL, now_ns);
    settle();
    assert_true(core_quiet(core));
    assert_false(*bird_protocol("popgate_dns_v4"));
}

TEST(who_stops_looks_up_no_more_routes)
{
    running(TWO_PROBES DNS_NEEDS_A WEB_NEEDS_B "on_exit = keep\n");
    core_stop(core, now_ns);
    bird.looks = 0;
    settle();
    pass_ms(1000);
    assert_int_equal(bird.looks, 0);
}

TEST(what_is_withdrawn_while_bird_is_away_is_off_when_it_is_back)
{
    running(ONE_PROBE DNS_NEEDS_A);
    core_link(core, ORDER_LINK_ACT, BIRD_LINK_DOWN, "gone", NULL, now_ns);
    core_link(core, ORDER_LINK_ASK, BIRD_LINK_DOWN, "gone", NULL, now_ns);
    say(A, "fff");
    settle();
    assert_int_equal(bird.switches, 0);
    assert_true(*bird_protocol("popgate_dns_v4"));
    links_come_up();
    settle();
    assert_false(*bird_protocol("popgate_dns_v4"));
    assert_int_equal(core->drifts, 0);
}

TEST(events_are_numbered_without_gaps_and_the_oldest_go)
{
    assert_null(events_get(events, 1));
    for (unsigned i = 1; i <= EVENTS_KEPT + 5; i++) {
        assert_int_equal(events_add(events, EVENT_START, "dns", i, "event %u", i)->seq, i);
    }
    assert_null(events_get(events, 0));
    assert_null(events_get(events, 5));
    assert_string_equal(events_get(events, 6)->text, "event 6");
    assert_string_equal(events_get(events, EVENTS_KEPT + 5)->service, "dns");
    assert_null(events_get(events, EVENTS_KEPT + 6));
    assert_int_equal(events_first(events), 6);
}

TEST(a_token_gives_back_what_was_put_in)
{
    const size_t most = (1 << 28) - 1;
    uint64_t token = order_token(ORDER_CONFIGURE, most, 5);
    assert_int_equal(order_kind(token), ORDER_CONFIGURE);
    assert_int_equal(order_a(token), most);
    assert_int_equal(order_b(token), 5);
    assert_int_equal(order_b(order_token(ORDER_ENABLE, 0, most)), most);
    token |= UINT64_C(0xf) << 60; // the core's
    assert_int_equal(order_kind(token), ORDER_CONFIGURE);
}

TEST(orders_come_out_as_they_were_put_in)
{
    struct orders orders;
    assert_true(orders_init(&orders, 3));
    for (unsigned i = 0; i < 10; i++) {
        orders_put(&orders, ORDER_LINK_ASK, false, i, (struct bird_command){"first"});
        orders_put(&orders, ORDER_LINK_ASK, false, i, (struct bird_command){"second"});
        assert_int_equal(orders_room(&orders), 1);
        struct order order;
        assert_true(orders_take(&orders, &order));
        assert_int_equal(order.command[0], 'f');
        assert_int_equal(order.token, i);
        assert_true(orders_take(&orders, &order));
        assert_int_equal(order.command[0], 's');
        assert_false(orders_take(&orders, &order));
    }
    orders_free(&orders);
}
