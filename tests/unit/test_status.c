// Status says what is seen, in JSON that any parser takes, and in text that fits the terminal.
#include "tests/unit/status_fixture.h"

#include "base/clock.h"

TEST(status_tells_the_pop_bird_services_and_probes)
{
    target_is(0, TARGET_WITHDRAW, CAUSE_UNHEALTHY, "refused");
    json_t *json = status();
    says(json, "pop", "fra1");
    says(json, "region", "eu");
    says(json, "time", "2026-11-21T00:50:08.123Z");
    counts(json, "uptime_ms", 192000);
    says(json, "bird.version", "2.0.12");
    says(json, "bird.link.state", "up");
    counts(json, "bird.established", 2);
    says(json, "bird.sessions.1.name", "upstream_b");
    assert_true(json_is_null(at(json, "ledger_trouble")));
    assert_true(json_is_null(at(json, "prober_trouble")));
    says(json, "services.0.name", "dns");
    says(json, "services.0.target", "withdraw");
    says(json, "services.0.cause", "unhealthy");
    says(json, "services.0.why", "probe dns-udp is down: refused");
    assert_true(json_is_null(at(json, "services.0.gate.held_by")));
    says(json, "services.0.intent.kind", "auto");
    says(json, "services.0.require.0", "dns-udp");
    says(json, "services.1.degrade.0", "dns-udp");
    says(json, "services.0.prefixes.1.prefix", "2001:db8::53/128");
    counts(json, "services.0.prefix_count", 2);
    assert_true(json_is_true(at(json, "services.0.seen")));
    assert_non_null(at(json, "services.0.protocols.popgate_dns_v4"));
    assert_non_null(at(json, "services.0.protocols.popgate_dns_v6_drain"));
    says(json, "probes.1.target", "[::1]:2");
    says(json, "probes.1.health", "unknown");
    assert_true(json_is_null(at(json, "probes.1.verdict")));
    json_decref(json);
}

static const char *watched(void *arg, size_t probe, char out[WATCH_TEXT_MAX])
{
    (void)arg;
    snprintf(out, WATCH_TEXT_MAX, "watch of %zu", probe);
    return out;
}

static time_t certified(void *arg, size_t probe)
{
    (void)arg;
    return probe == 1 ? 1798848000 : 0;
}

static struct status_turns longest_turns(void *arg)
{
    (void)arg;
    return (struct status_turns){1234567, 876543, 765432};
}

static const struct status_prober all_knowing = {watched, certified, longest_turns};
static const struct own_trouble sick = {.prober =
                                            "connect over the loopback: no connection came about"};

TEST(status_tells_what_only_the_prober_knows)
{
    prober = &all_knowing;
    own = sick;
    json_t *json = status();
    says(json, "prober_trouble", "connect over the loopback: no connection came about");
    counts(json, "loop.longest_turn_us", 1234);
    counts(json, "loop.longest_turn_in_10s_us", 876);
    counts(json, "loop.longest_turn_in_reload_us", 765);
    says(json, "probes.0.watch", "watch of 0");
    assert_true(json_is_null(at(json, "probes.0.not_after")));
    says(json, "probes.1.not_after", "2027-01-02T00:00:00.000Z");
    json_decref(json);
}

TEST(status_lists_what_is_wrong_the_worst_first)
{
    target_is(0, TARGET_DEPREFERENCE, CAUSE_DEGRADED, "");
    target_is(1, TARGET_WITHDRAW, CAUSE_UNHEALTHY, "refused");
    fixture->core->loader.state = LOAD_NOT_INCLUDED;
    json_t *json = status();
    counts(json, "problem_count", 3);
    says(json, "problems.0.severity", "critical");
    says(json, "problems.0.code", "withdrawn");
    says(json, "problems.0.service", "token");
    says(json, "problems.0.text", "token is withdrawn: probe web is down: refused");
    counts(json, "problems.0.age_ms", 192000);
    assert_true(json_is_null(at(json, "problems.0.advice")));
    says(json, "problems.1.severity", "warning");
    says(json, "problems.1.text", "BIRD has not read popgate's file");
    assert_true(json_is_null(at(json, "problems.1.service")));
    says(json, "problems.2.service", "dns");
    json_decref(json);
    struct status_view now = view();
    json = parsed(status_service(&now, 0, NULL));
    counts(json, "problem_count", 2); // its own, and the PoP's
    json_decref(json);
}

TEST(nothing_is_called_seen_while_bird_is_out_of_sight)
{
    target_is(0, TARGET_WITHDRAW, CAUSE_UNHEALTHY, "");
    fixture->core->links[ORDER_LINK_ASK].state = BIRD_LINK_DOWN;
    json_t *json = status();
    assert_true(json_is_false(at(json, "services.0.seen")));
    says(json, "bird.asking.state", "down");
    json_decref(json);
}

// Whoever asks does so between two ticks of the core, which may be late.
TEST(once_no_question_was_answered_for_long_nothing_is_called_seen_whenever_the_core_is_woken)
{
    uint64_t now_ns = view().now_ns;
    target_is(0, TARGET_ANNOUNCE, CAUSE_HEALTHY, "");
    fixture->core->services[0].seen = true;
    fixture->core->sighted_ns = now_ns - (CORE_SIGHT_MS - 1) * NS_PER_MS;
    json_t *json = status();
    assert_true(json_is_true(at(json, "services.0.seen")));
    counts(json, "bird.established", 2);
    json_decref(json);
    fixture->core->sighted_ns = now_ns - CORE_SIGHT_MS * NS_PER_MS;
    json = status();
    says(json, "problems.0.code", "bird-asking");
    says(json, "problems.0.severity", "critical");
    assert_true(json_is_false(at(json, "services.0.seen")));
    counts(json, "bird.established", 0);
    says(json, "bird.sessions.0.state", session_state_name(SESSION_UNSEEN));
    json_decref(json);
}

TEST(what_a_session_agreed_on_is_told_as_far_as_it_is_known)
{
    struct session *session = &fixture->core->observed->sessions.all[0];
    json_t *json = status();
    assert_null(at(json, "bird.sessions.0.neighbor_as"));
    json_decref(json);
    session->bgp_known = true;
    session->bgp_at_ms = FIXTURE_NOW_NS / 1000000 + 190000;
    session->bgp = (struct bird_bgp){.neighbor = "192.0.2.9",
                                     .neighbor_as = 64513,
                                     .local_as = 64512,
                                     .ipv4 = true,
                                     .open = true,
                                     .ours = {.graceful = true, .restart_s = 120},
                                     .theirs = {.graceful = true},
                                     .hold_s = 240};
    json = status();
    says(json, "bird.sessions.0.neighbor", "192.0.2.9");
    says(json, "bird.sessions.0.kind", "external");
    says(json, "bird.sessions.0.families.0", "ipv4");
    assert_null(at(json, "bird.sessions.0.families.1"));
    counts(json, "bird.sessions.0.hold_time_s", 240);
    counts(json, "bird.sessions.0.graceful_restart_s", 120);
    counts(json, "bird.sessions.0.long_lived_s", 0);
    counts(json, "bird.sessions.0.detail_age_ms", 2000);
    assert_true(json_is_null(at(json, "bird.sessions.0.bfd")));
    json_decref(json);
    session->bgp.open = false;
    session->bgp.neighbor_as = 64512;
    json = status();
    assert_null(at(json, "bird.sessions.0.hold_time_s"));
    says(json, "bird.sessions.0.kind", "internal");
    json_decref(json);
}

TEST(of_a_bird_that_is_silent_no_session_counts_as_established)
{
    target_is(0, TARGET_ANNOUNCE, CAUSE_HEALTHY, "");
    json_t *json = status();
    assert_true(json_is_true(at(json, "bird.sessions.0.established")));
    says(json, "bird.sessions.0.state", "established");
    json_decref(json);
    fixture->core->links[ORDER_LINK_ASK].state = BIRD_LINK_SILENT;
    json = status();
    counts(json, "bird.established", 0);
    assert_true(json_is_false(at(json, "bird.sessions.0.established")));
    says(json, "bird.sessions.0.state", "unknown");
    says(json, "services.0.prefixes.0.condition", "unknown");
    counts(json, "services.0.prefixes.0.sessions", 0);
    json_decref(json);
}

// Of all look-ups that are due: those at that session find the dns service's primary, others
// nothing.
static void exports_to(struct observed *observed, const char *session)
{
    struct orders orders;
    struct order order;
    assert_true(orders_init(&orders, 64));
    observed_look(observed, 0, LOOK_CHANGED);
    observed_plan(observed, &orders, 0, false, FIXTURE_NOW_NS);
    while (orders_take(&orders, &order)) {
        if (strstr(order.command, session) != NULL) {
            struct bird_line line = {.kind = BIRD_LINE, .code = 1007};
            line.text = "192.0.2.53/32 blackhole [popgate_dns_v4 10:00:00.000] * (260)";
            line.length = strlen(line.text);
            observed_line(observed, order.token, &line);
        }
        observed_end(observed, order.token, LOOK_ANSWERED, 0, FIXTURE_NOW_NS);
    }
    orders_free(&orders);
}

TEST(a_prefix_is_announced_on_as_many_sessions_as_are_needed_or_it_is_not)
{
    static const char *const sessions[] = {"upstream_a", "upstream_b"};
    static const struct {
        const char *session; // that has it
        int sessions;
        bool announced;
    } table[] = {{"none", 0, false}, {"upstream_a", 1, false}, {"upstream_", 2, true}};
    struct fixture *strict = fixture_new("", "min_sessions = 2\n" FIXTURE_SERVICES);
    fixture_sessions(strict, sessions, 2);
    strict->core->links[ORDER_LINK_ASK].state = BIRD_LINK_UP;
    strict->core->services[0].decision.target = TARGET_ANNOUNCE;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct status_view now = {.core = strict->core, .now_ns = FIXTURE_NOW_NS};
        exports_to(strict->core->observed, table[i].session);
        json_t *json = parsed(status_all(&now, false, NULL));
        counts(json, "services.0.prefixes.0.sessions", table[i].sessions);
        assert_true(json_is_boolean(at(json, "services.0.prefixes.0.announced")));
        assert_int_equal(json_is_true(at(json, "services.0.prefixes.0.announced")),
                         table[i].announced);
        json_decref(json);
    }
    fixture_free(strict);
}

TEST(an_intent_tells_who_why_and_how_long)
{
    struct intent *intent = &fixture->core->services[0].intent;
    *intent = (struct intent){.kind = INTENT_DRAIN,
                              .since_ms = 290000,
                              .grace_ms = 30000,
                              .until_ms = 352000,
                              .since_wall_ms = FIXTURE_WALL_MS - 2000,
                              .until_wall_ms = FIXTURE_WALL_MS + 60000,
                              .reason = "upgrade",
                              .by = "alice (1000)"};
    json_t *json = status();
    says(json, "services.0.intent.kind", "drain");
    says(json, "services.0.intent.by", "alice (1000)");
    says(json, "services.0.intent.reason", "upgrade");
    says(json, "services.0.intent.since", "2026-11-21T00:50:06.123Z");
    counts(json, "services.0.intent.age_ms", 2000);
    counts(json, "services.0.intent.left_ms", 60000);
    counts(json, "services.0.intent.grace_left_ms", 28000);
    json_decref(json);
}

TEST(remote_bytes_still_make_json)
{
    struct core_probe *probe = &fixture->core->probes[0];
    probe->last.at_ns = FIXTURE_NOW_NS;
    strcpy(probe->last.cause, "said \"\xff\x1b[2J\\\n\xc2\x9b\"");
    struct status_view now = view();
    char *text = status_all(&now, false, NULL);
    assert_null(strpbrk(text, "\x1b\x9b")); // it may be shown on a terminal
    json_t *json = parsed(text);
    says(json, "probes.0.verdict.cause", "said \"\xef\xbf\xbd\x1b[2J\\\n\xc2\x9b\"");
    json_decref(json);
}

static struct fixture *with_many_prefixes(size_t count)
{
    char *services = malloc(count * 24 + 256);
    assert_non_null(services);
    size_t used = (size_t)sprintf(services, "[probe p]\ntype = tcp\ntarget = 127.0.0.1:1\n"
                                            "[service many]\nrequire = p\nprefixes = 192.0.2.1/32");
    for (size_t i = 0; i < count; i++) {
        used += (size_t)sprintf(services + used, "\n 10.%zu.%zu.0/24", i / 256, i % 256);
    }
    struct fixture *many = fixture_new("", services);
    free(services);
    return many;
}

TEST_WITH(what_is_odd_comes_first_when_not_all_prefixes_are_shown, NULL, NULL)
{
    struct fixture *many = with_many_prefixes(100);
    many->core->links[ORDER_LINK_ASK].state = BIRD_LINK_UP;
    struct status_view now = {.core = many->core, .now_ns = 1};
    for (size_t i = 0; i <= 100; i++) {
        many->core->observed->prefixes[i].condition = CONDITION_AS_MEANT;
    }
    many->core->observed->prefixes[78].condition = CONDITION_LEAK;
    json_t *json = parsed(status_all(&now, false, NULL));
    assert_int_equal(json_array_size(at(json, "services.0.prefixes")), STATUS_PREFIXES);
    says(json, "services.0.prefixes.0.prefix", "10.0.77.0/24");
    says(json, "services.0.prefixes.0.condition", "leak");
    counts(json, "services.0.conditions.leak", 1);
    counts(json, "services.0.conditions.as-meant", 100);
    json_decref(json);
    json = parsed(status_all(&now, true, NULL));
    assert_int_equal(json_array_size(at(json, "services.0.prefixes")), 101);
    json_decref(json);
    fixture_free(many);
}

TEST(one_service_comes_with_its_probes_and_events)
{
    struct status_view now = view();
    struct event *event = events_add(&fixture->events, EVENT_TRANSITION, "token",
                                     FIXTURE_NOW_NS + 412000, "probe web is down");
    event->evidence_ns = FIXTURE_NOW_NS;
    event->acknowledged_ns = FIXTURE_NOW_NS + 1500000;
    events_add(&fixture->events, EVENT_INTENT, "dns", FIXTURE_NOW_NS, "drained by alice");
    json_t *json = parsed(status_service(&now, 1, NULL));
    says(json, "service.name", "token");
    assert_int_equal(json_array_size(at(json, "probes")), 2);
    size_t last = json_array_size(at(json, "events")) - 1;
    const json_t *shown = json_array_get(at(json, "events"), last);
    says(shown, "text", "probe web is down");
    assert_true(json_real_value(at(shown, "decided_ms")) == 0.412);
    assert_true(json_real_value(at(shown, "acknowledged_ms")) == 1.5);
    assert_null(at(shown, "observed_ms"));
    json_decref(json);
    json = parsed(status_service(&now, 0, NULL));
    assert_int_equal(json_array_size(at(json, "probes")), 1);
    json_decref(json);
}

TEST(events_go_on_where_the_last_answer_ended)
{
    struct status_view now = view();
    json_t *json = parsed(status_events(&now, 0, NULL, NULL));
    uint64_t next = (uint64_t)json_integer_value(at(json, "next"));
    json_decref(json);
    events_add(&fixture->events, EVENT_BIRD, NULL, FIXTURE_NOW_NS, "new");
    events_add(&fixture->events, EVENT_INTENT, "dns", FIXTURE_NOW_NS, "newer");
    json = parsed(status_events(&now, next, NULL, NULL));
    assert_int_equal(json_array_size(at(json, "events")), 2);
    says(json, "events.0.text", "new");
    counts(json, "next", (json_int_t)next + 2);
    counts(json, "lost", 0);
    json_decref(json);
    json = parsed(status_events(&now, next, "dns", NULL));
    assert_int_equal(json_array_size(at(json, "events")), 1);
    json_decref(json);
    for (size_t i = 0; i < EVENTS_KEPT; i++) {
        events_add(&fixture->events, EVENT_BIRD, NULL, FIXTURE_NOW_NS, "many");
    }
    json = parsed(status_events(&now, next, NULL, NULL));
    assert_int_equal(json_array_size(at(json, "events")), EVENTS_KEPT);
    counts(json, "lost", 2);
    json_decref(json);
}

// ---- As text

typedef void shown_fn(const struct show *show, const json_t *json);

static void everything(const struct show *show, const json_t *json)
{
    show_status(show, json, NULL, 0);
}

static char *text_of(shown_fn *shown, json_t *json, unsigned width, bool colour)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    struct show show = {.out = out, .width = width, .colour = colour};
    shown(&show, json);
    fclose(out);
    json_decref(json);
    return text;
}

static void fits(const char *text, size_t width)
{
    for (const char *line = text; *line != '\0';) {
        size_t length = strcspn(line, "\n");
        if (length > width) {
            fail_msg("wider than %zu: %.*s", width, (int)length, line);
        }
        line += length + (line[length] == '\n');
    }
}

static void trouble_everywhere(void)
{
    target_is(0, TARGET_WITHDRAW, CAUSE_UNHEALTHY,
              "connect to 192.0.2.53:53: connection refused, three times in "
              "a row, and the operator would like to know");
    target_is(1, TARGET_ANNOUNCE, CAUSE_PIN, "");
    condition_is(0, CONDITION_LEAK);
    fixture->core->services[1].intent = (struct intent){
        .kind = INTENT_PIN, .until_ms = 300000, .reason = "because", .by = "bob (1001)"};
    fixture->core->links[ORDER_LINK_ACT].state = BIRD_LINK_SILENT;
    strcpy(fixture->core->links[ORDER_LINK_ACT].reason, "no answer within 2 s\x1b]0;owned\x07");
}

TEST(text_fits_the_terminal_however_narrow)
{
    static const unsigned widths[] = {80, 60, 40};
    trouble_everywhere();
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++) {
        struct status_view now = view();
        char *text = text_of(everything, status(), widths[i], false);
        fits(text, widths[i]);
        assert_non_null(strstr(text, "192.0.2.53/32 is leak"));
        free(text);
        text = text_of(show_probes, status(), widths[i], false);
        fits(text, widths[i] + (widths[i] < 80 ? 20 : 0));
        free(text);
        text = text_of(show_explain, parsed(status_service(&now, 0, NULL)), widths[i], false);
        fits(text, widths[i]);
        free(text);
        text = text_of(show_events, parsed(status_events(&now, 0, NULL, NULL)), widths[i], false);
        fits(text, widths[i]);
        free(text);
    }
}

TEST(text_is_harmless_and_coloured_only_when_asked)
{
    trouble_everywhere();
    char *text = text_of(everything, status(), 80, false);
    assert_null(strchr(text, '\x1b'));
    assert_null(strchr(text, '\x07'));
    free(text);
    text = text_of(everything, status(), 80, true);
    assert_non_null(strstr(text, "\x1b[31mwithdraw"));
    assert_null(strstr(text, "\x1b]0;"));
    free(text);
}

TEST(status_shows_target_seen_since_and_why)
{
    target_is(0, TARGET_WITHDRAW, CAUSE_DRAIN, "");
    for (size_t i = 0; i < 8; i++) { // until each prefix was looked up at each session
        exports_to(fixture->core->observed, "none");
    }
    fixture->core->services[0].intent =
        (struct intent){.kind = INTENT_DRAIN, .by = "alice (1000)", .reason = "upgrade"};
    char *text = text_of(everything, status(), 80, false);
    assert_non_null(
        strstr(text, "dns     withdraw     0/2         3m12s   drained by alice (1000): upgrade"));
    assert_non_null(strstr(text, "fra1 (eu), popgated"));
    free(text);
}

TEST(problems_stand_above_the_services_with_what_to_do)
{
    target_is(0, TARGET_WITHDRAW, CAUSE_UNHEALTHY, "refused");
    target_is(1, TARGET_DEPREFERENCE, CAUSE_DEGRADED, "");
    own.prober = "loopback";
    char *text = text_of(everything, status(), 200, false);
    assert_non_null(strstr(text, "! dns is withdrawn: probe dns-udp is down: refused (for 3m12s)\n"
                                 "! popgated can't see (loopback); what its probes say against a "
                                 "service does not count until it can\n"
                                 "! token is depreferenced"));
    free(text);
    static char *const only[] = {"token"};
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    struct show show = {.out = out, .width = 200};
    json_t *json = status();
    show_status(&show, json, only, 1);
    json_decref(json);
    fclose(out);
    assert_null(strstr(text, "! dns"));
    assert_non_null(strstr(text, "! popgated can't see"));
    assert_non_null(strstr(text, "! token is depreferenced"));
    free(text);
}

TEST(which_sessions_are_not_established_is_said_above_all)
{
    char *text = text_of(everything, status(), 200, false);
    assert_non_null(strstr(text, "2 of 2 sessions established\n"));
    free(text);
    fixture->core->observed->sessions.all[1].established = false;
    text = text_of(everything, status(), 200, false);
    assert_non_null(strstr(text, "1 of 2 sessions established, not upstream_b\n"));
    free(text);
}

TEST(explaining_says_that_a_session_has_no_channel_for_a_prefix)
{
    struct session *session = &fixture->core->observed->sessions.all[0];
    session->bgp_known = true;
    session->bgp.ipv4 = true;
    condition_is(1, CONDITION_NO_CHANNEL);
    struct status_view now = view();
    char *text = text_of(show_explain, parsed(status_service(&now, 0, NULL)), 200, false);
    assert_non_null(strstr(text, "some have no channel for its address family"));
    assert_non_null(strstr(text, "is no-channel: too few sessions have a channel"));
    free(text);
}

TEST_WITH(ages_read_as_people_say_them, NULL, NULL)
{
    char out[AGE_TEXT_MAX];
    assert_string_equal(show_age(450, out), "450ms");
    assert_string_equal(show_age(59999, out), "59s");
    assert_string_equal(show_age(192000, out), "3m12s");
    assert_string_equal(show_age(7260000, out), "2h1m");
    assert_string_equal(show_age(187200000, out), "2d4h");
}

TEST_WITH(an_answer_that_makes_no_sense_is_shown_without_a_crash, NULL, NULL)
{
    static const char long_one[] =
        "{\"services\":[{\"name\":1},{}],\"probes\":[1],\"events\":[{\"at\":\"x\"},2],"
        "\"service\":{\"protocols\":{\"a\":1},\"prefixes\":[{}]}}";
    static const char *const answers[] = {"{}", "[]",
                                          "{\"services\":1,\"bird\":[],\"probes\":[{}]}", long_one};
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        static shown_fn *const all[] = {everything, show_probes, show_explain, show_events};
        for (size_t j = 0; j < sizeof all / sizeof *all; j++) {
            free(text_of(all[j], json_loads(answers[i], 0, NULL), 80, false));
        }
    }
}

// ---- The responder

static void some_totals(void *arg, struct dns_totals *out)
{
    (void)arg;
    *out = (struct dns_totals){.tcp_open = 3};
    out->counts[DNS_UDP4][DNS_COUNT_RECEIVED] = 1000;
    out->counts[DNS_UDP6][DNS_COUNT_RECEIVED] = 200;
    out->counts[DNS_TCP6][DNS_COUNT_RECEIVED] = 30;
    out->counts[DNS_UDP4][DNS_COUNT_SLIPPED] = 4;
    out->counts[DNS_UDP6][DNS_COUNT_DROPPED] = 5;
    out->counts[DNS_UDP6][DNS_COUNT_UNSENT] = 6;
    out->rcodes[DNS_UDP4][DNS_REFUSED] = 7;
    out->kinds[DNS_TCP6][DNS_KIND_WHOAMI] = 30;
}

static json_t *status_with_responder(void)
{
    fixture_free(fixture);
    fixture =
        fixture_new("", FIXTURE_SERVICES "[responder]\nlisten = 192.0.2.1:53 [2001:db8::1]:53\n"
                                         "zone = pop.example.net\nthreads = 2\n");
    struct status_view now = view();
    now.totals = some_totals;
    return parsed(status_all(&now, false, NULL));
}

TEST(status_tells_where_the_responder_listens_and_what_it_counted)
{
    json_t *json = status_with_responder();
    says(json, "responder.id", "fra1");
    says(json, "responder.zone", "pop.example.net.");
    says(json, "responder.listen.1", "[2001:db8::1]:53");
    counts(json, "responder.threads", 2);
    says(json, "responder.cookie_secret", "made up at start");
    counts(json, "responder.tcp_open", 3);
    counts(json, "responder.channels.udp4.received", 1000);
    counts(json, "responder.channels.udp4.rcodes.REFUSED", 7);
    counts(json, "responder.channels.tcp6.kinds.whoami", 30);
    counts(json, "responder.channels.tcp4.kinds.whoami", 0);
    assert_null(at(json, "responder.channels.udp4.rcodes.NOERROR")); // none: not told
    json_decref(json);
    json = status();
    assert_true(json_is_object(at(json, "responder")));
    json_decref(json);
}

TEST(without_a_responder_status_says_so)
{
    json_t *json = status();
    assert_true(json_is_null(at(json, "responder")));
    char *text = text_of(everything, json, 80, false);
    assert_null(strstr(text, "responder"));
    free(text);
}

TEST(where_there_is_no_terminal_an_event_is_a_line)
{
    struct status_view now = view();
    char *text =
        text_of(show_events, parsed(status_events(&now, 0, NULL, NULL)), SHOW_UNWRAPPED, false);
    size_t lines = 0;
    for (const char *at = text; (at = strchr(at, '\n')) != NULL; at++) {
        lines++;
    }
    assert_int_equal(lines, events_end(&fixture->events) - events_first(&fixture->events));
    assert_null(strstr(text, "\n "));
    free(text);
}

TEST(status_counts_down_to_the_withdrawal_of_a_drain)
{
    target_is(0, TARGET_DEPREFERENCE, CAUSE_DRAIN, "");
    fixture->core->services[0].intent = (struct intent){
        .kind = INTENT_DRAIN, .by = "alice (1000)", .since_ms = 290000, .grace_ms = 30000};
    char *text = text_of(everything, status(), SHOW_UNWRAPPED, false);
    assert_non_null(strstr(text, "intent drain by alice (1000), withdrawn in 28s"));
    free(text);
}

TEST(text_tells_of_the_responder_in_short)
{
    char *text = text_of(everything, status_with_responder(), 80, false);
    assert_non_null(strstr(text, "responder fra1, zone pop.example.net. on 192.0.2.1:53 "
                                 "[2001:db8::1]:53\n"
                                 "  1200 queries over UDP, 30 over TCP (3 connected), 7 refused,"));
    assert_non_null(strstr(text, "5 dropped over it"));
    assert_null(strstr(text, "missing")); // none: not told
    assert_non_null(strstr(text, "cookie secret"));
    fits(text, 80);
    free(text);
    text = text_of(everything, status_with_responder(), 40, false);
    fits(text, 40);
    free(text);
}

// ---- As Nagios says it

static enum check_result check(char line[CHECK_LINE_MAX])
{
    json_t *json = status();
    enum check_result result = check_status(json, line);
    json_decref(json);
    return result;
}

static void all_well(void)
{
    target_is(0, TARGET_ANNOUNCE, CAUSE_HEALTHY, "");
    target_is(1, TARGET_ANNOUNCE, CAUSE_HEALTHY, "");
    fixture->core->loader.state = LOAD_LOADED;
}

TEST(check_is_ok_when_all_is_announced)
{
    char line[CHECK_LINE_MAX];
    all_well();
    assert_int_equal(check(line), CHECK_OK);
    assert_string_equal(line, "POPGATE OK - 2 of 2 services announced | announced=2;;;0;2 "
                              "withdrawn=0;;;0;2 sessions=2 drifts=0c");
}

TEST(check_is_critical_when_a_service_fails_or_bird_is_lost)
{
    char line[CHECK_LINE_MAX];
    all_well();
    target_is(0, TARGET_WITHDRAW, CAUSE_UNHEALTHY, "down | it is\n");
    assert_int_equal(check(line), CHECK_CRITICAL);
    assert_non_null(
        strstr(line, "CRITICAL - dns is withdrawn: probe dns-udp is down: down / it is\\n | "));
    all_well();
    condition_is(0, CONDITION_HIDDEN);
    assert_int_equal(check(line), CHECK_CRITICAL);
    all_well();
    fixture->core->links[ORDER_LINK_ACT].state = BIRD_LINK_DOWN;
    assert_int_equal(check(line), CHECK_CRITICAL);
}

TEST(check_warns_of_what_people_did)
{
    char line[CHECK_LINE_MAX];
    all_well();
    target_is(0, TARGET_WITHDRAW, CAUSE_DRAIN, "");
    fixture->core->services[0].intent =
        (struct intent){.kind = INTENT_DRAIN, .by = "alice (1000)", .reason = "upgrade"};
    assert_int_equal(check(line), CHECK_WARNING);
    assert_non_null(strstr(line, "dns: intent drain by alice (1000): upgrade"));
    fixture->core->services[0].intent.kind = INTENT_AUTO;
    all_well();
    fixture->core->loader.state = LOAD_REFUSED;
    assert_int_equal(check(line), CHECK_WARNING);
}

TEST(check_warns_while_a_service_is_held_by_a_probe_that_cannot_look)
{
    char line[CHECK_LINE_MAX];
    all_well();
    fixture->core->gates[0].held_by = 0;
    fixture->core->probes[0].last =
        (struct verdict){.at_ns = FIXTURE_NOW_NS, .cause = "out of descriptors"};
    assert_int_equal(check(line), CHECK_WARNING);
    assert_non_null(strstr(line, "dns: probe dns-udp can't look now: out of descriptors; held"));
    json_t *json = status();
    says(json, "services.0.gate.held_by", "dns-udp");
    json_decref(json);
}

TEST(check_of_one_service_counts_it_alone_and_says_all_that_is_wrong)
{
    char line[CHECK_LINE_MAX];
    json_t *json =
        json_loads("{\"service\":{\"name\":\"dns\",\"target\":\"announce\",\"seen\":false},"
                   "\"problem_count\":3,\"problems\":["
                   "{\"severity\":\"critical\",\"text\":\"dns is amiss\"},"
                   "{\"severity\":\"warning\",\"text\":\"up2 is down\"}]}",
                   0, NULL);
    assert_non_null(json);
    assert_int_equal(check_status(json, line), CHECK_CRITICAL);
    assert_non_null(strstr(line, "CRITICAL - dns is amiss; up2 is down (and 1 more) | "
                                 "announced=0;;;0;1 withdrawn=0;;;0;1 "));
    json_decref(json);
}

TEST(check_does_not_know_when_the_answer_does_not_say)
{
    char line[CHECK_LINE_MAX];
    json_t *json = json_object();
    assert_int_equal(check_status(json, line), CHECK_UNKNOWN);
    assert_non_null(strstr(line, "POPGATE UNKNOWN - popgated does not say what is wrong | "));
    json_decref(json);
}

TEST(a_prober_that_cannot_see_has_a_line_of_its_own)
{
    char line[CHECK_LINE_MAX];
    char *text = text_of(everything, status(), 200, false);
    assert_null(strstr(text, "can't see"));
    free(text);
    own = sick;
    text = text_of(everything, status(), 200, false);
    assert_non_null(strstr(text, "! popgated can't see (connect over the loopback: no connection"));
    free(text);
    all_well();
    assert_int_equal(check(line), CHECK_WARNING);
    assert_non_null(strstr(line, "WARNING - popgated can't see (connect over the loopback"));
}
