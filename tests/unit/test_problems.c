// What is wrong: each state of things and what is said of it, how bad, and in which order.
#include "controller/core/problems.h"

#include "tests/unit/core_fixture.h"

enum { DNS, TOKEN };

static struct fixture *fixture;
static struct core *core;
static struct own_trouble own;
static struct problem found[PROBLEMS_MAX];

// All is well: BIRD answers, both services are announced and seen to be.
static int set_up_with(const char *bird)
{
    static const char *const sessions[] = {"up1", "up2"};
    char services[1024];
    snprintf(services, sizeof services, "%s" FIXTURE_SERVICES, bird);
    fixture = fixture_new("", services);
    core = fixture->core;
    own = (struct own_trouble){.ledger = NULL};
    fixture_sessions(fixture, sessions, 2);
    core->loader.state = LOAD_LOADED;
    for (size_t i = 0; i < 2; i++) {
        core->links[i] = (struct core_link){.state = BIRD_LINK_UP};
        core->healths[i].settled = HEALTH_UP;
        core->probes[i].last = (struct verdict){.kind = VERDICT_PASS, .at_ns = FIXTURE_NOW_NS};
        core->gates[i] = (struct gate){.state = GATE_OPEN,
                                       .probe = GATE_NOBODY,
                                       .service = GATE_NOBODY,
                                       .held_by = GATE_NOBODY};
        core->services[i].decision.target = TARGET_ANNOUNCE;
        core->services[i].decision.cause = CAUSE_HEALTHY;
        core->services[i].seen = core->services[i].seen_through = true;
    }
    for (size_t i = 0; i < core->observed->prefix_count; i++) {
        core->observed->prefixes[i].condition = CONDITION_AS_MEANT;
    }
    return 0;
}

static int set_up(void **state)
{
    (void)state;
    return set_up_with("");
}

static int set_up_with_named_sessions(void **state)
{
    (void)state;
    return set_up_with("sessions = up1 up2\n");
}

static int tear_down(void **state)
{
    (void)state;
    fixture_free(fixture);
    return 0;
}

TEST_FIXTURE(set_up, tear_down);

static size_t look(size_t service)
{
    return problems_find(core, &own, service, FIXTURE_NOW_NS / 1000000, found, PROBLEMS_MAX);
}

// The problems are these, by their codes, a critical one with a '!'.
static void expect(const char *codes)
{
    char got[512] = "";
    size_t count = look(PROBLEM_OF_NONE);
    for (size_t i = 0; i < count; i++) {
        size_t used = strlen(got);
        snprintf(got + used, sizeof got - used, "%s%s%s", i > 0 ? " " : "", found[i].code,
                 found[i].severity == SEVERITY_CRITICAL ? "!" : "");
    }
    assert_string_equal(got, codes);
}

TEST(when_all_is_well_there_is_no_problem)
{
    expect("");
}

TEST(bird_out_of_reach_is_critical)
{
    struct core_link *act = &core->links[ORDER_LINK_ACT];
    act->state = BIRD_LINK_SILENT;
    act->since_ns = UINT64_C(42000000);
    strcpy(act->reason, "BIRD has said nothing");
    expect("bird!");
    assert_string_equal(found[0].text, "BIRD is silent: BIRD has said nothing");
    assert_int_equal(found[0].since_ms, 42);
    assert_true(found[0].service == PROBLEM_OF_NONE);
    core->links[ORDER_LINK_ASK].state = BIRD_LINK_DOWN; // that is no second problem
    expect("bird!");
}

TEST(a_bird_that_does_what_it_is_told_but_answers_no_questions_is_a_warning_and_soon_critical)
{
    core->links[ORDER_LINK_ASK].state = BIRD_LINK_SILENT;
    core->sighted_ns = FIXTURE_NOW_NS - UINT64_C(9999000000);
    expect("bird-asking");
    core->sighted_ns -= 1000000;
    expect("bird-asking!");
    assert_string_equal(found[0].text,
                        "BIRD has answered no question for 10 s (silent): not connected yet");
    assert_int_equal(found[0].since_ms, FIXTURE_NOW_NS / 1000000 - 10000);
    core->links[ORDER_LINK_ASK].state = BIRD_LINK_UP; // for as long as it takes to be silent again
    expect("bird-asking!");
    core->sighted_ns = FIXTURE_NOW_NS;
    expect("");
}

TEST(a_bird_that_refuses_is_critical)
{
    core->denied = true;
    expect("bird-denied!");
}

TEST(too_few_sessions_are_critical_and_too_many_a_warning)
{
    core->observed->sessions.too_many = true;
    expect("sessions-too-many");
    fixture->config->bird.min_sessions = 3;
    expect("sessions! sessions-too-many");
    assert_string_equal(found[0].text, "2 BGP sessions are established, min_sessions is 3");
}

TEST(an_include_file_that_is_not_loaded_is_a_warning_with_what_to_do)
{
    core->loader.state = LOAD_REFUSED;
    strcpy(core->loader.message, "bird.conf:3 syntax error");
    expect("include-refused");
    assert_string_equal(found[0].text, "BIRD refused the include file: bird.conf:3 syntax error");
    core->loader.state = LOAD_SAVING; // again
    expect("include-refused");
    core->loader.state = LOAD_CHECKING;
    expect("include-refused");
    core->loader.state = LOAD_NOT_INCLUDED;
    expect("include-not-read");
    assert_string_equal(
        found[0].advice,
        "put include \"/run/[p]opgate/bird*.conf\"; into bird.conf, then birdc configure");
    core->loader.state = LOAD_BY_HAND;
    expect("include-by-hand");
    core->loader.state = LOAD_UNCONFIRMED;
    expect("include-unconfirmed");
    assert_string_equal(found[0].advice, "confirm or undo that one, then run birdc configure");
    core->loader.state = LOAD_CONFIGURING;
    expect("");
}

TEST(what_is_being_written_is_no_problem_but_what_can_t_be_is)
{
    assert_true(include_submit(&core->include, FIXTURE_NOW_NS / 1000000));
    expect("");
    core_file_saved(core, core->include.submitted, "can't write bird.conf: No space left",
                    FIXTURE_NOW_NS);
    expect("include-not-saved");
    assert_string_equal(found[0].text, "can't write bird.conf: No space left");
}

TEST(trouble_of_the_shell_s_own_is_a_warning)
{
    own.prober = "connect over the loopback";
    expect("prober");
    own.ledger = "can't save the ledger";
    own.reload = "reload failed";
    own.config = "what worked last is in use";
    own.kept = "can't write";
    own.responder = "can't listen";
    own.control = "can't listen";
    core->stopping = true;
    expect("ledger prober reload config config-not-kept responder control stopping");
    assert_string_equal(found[0].text, "can't save the ledger");
    assert_string_equal(found[2].text, "reload failed");
}

TEST(a_withdrawn_service_is_critical_unless_somebody_wants_it_so)
{
    core->services[TOKEN].decision.target = TARGET_WITHDRAW;
    core->services[TOKEN].decision.since_ms = 7;
    expect("withdrawn!");
    assert_string_equal(found[0].text, "token is withdrawn: all probes pass");
    assert_int_equal(found[0].service, TOKEN);
    assert_int_equal(found[0].since_ms, 7);
    core->services[TOKEN].intent =
        (struct intent){.kind = INTENT_DRAIN, .by = "alice (1000)", .reason = "upgrade"};
    expect("intent");
    assert_string_equal(found[0].text, "token: intent drain by alice (1000): upgrade");
}

TEST(what_was_ordered_and_not_seen_for_ten_seconds_is_critical)
{
    core->services[DNS].transition = 1;
    core->services[DNS].seen = core->services[DNS].seen_through = false;
    core->services[DNS].decision.since_ms = FIXTURE_NOW_NS / 1000000 - 9999;
    expect("");
    core->services[DNS].decision.since_ms--;
    expect("unseen!");
    assert_string_equal(found[0].text, "dns is to be announced, and was not seen to be for 10 s");
    core->services[DNS].seen_through = true;
    expect("");
}

TEST(what_was_taken_over_at_the_start_and_never_seen_is_critical_too)
{
    struct core_service *dns = &core->services[DNS];
    dns->seen = dns->seen_through = false; // and there was no transition
    dns->decision.since_ms = FIXTURE_NOW_NS / 1000000 - 10000;
    expect("unseen!");
    dns->decision.target = TARGET_DEPREFERENCE;
    expect("unseen! depreferenced");
    dns->decision.target = TARGET_WITHDRAW; // what never was on is to be seen by nobody
    expect("withdrawn!");
}

// Staged: the fsync of runtime_dir never returns.
TEST(an_include_file_that_is_being_written_for_ten_seconds_is_a_warning)
{
    uint64_t now_ms = FIXTURE_NOW_NS / 1000000;
    assert_true(include_submit(&core->include, now_ms - 9999));
    expect("");
    assert_int_equal(include_saving_ms(&core->include, now_ms), 9999);
    core->include.handed_ms--;
    expect("include-not-saved");
    assert_string_equal(found[0].text, "the include file has been being written for 10 s: the disk "
                                       "of /run/popgate does not answer");
    assert_int_equal(found[0].since_ms, now_ms - 10000);
    core_file_saved(core, core->include.submitted, NULL, FIXTURE_NOW_NS);
    expect("");
}

TEST(what_an_unreadable_ledger_drained_is_critical)
{
    core->services[DNS].decision.target = TARGET_WITHDRAW;
    core->services[DNS].intent =
        (struct intent){.kind = INTENT_DRAIN, .by = "popgated", .reason = "the ledger is damaged"};
    expect("ledger-drained!");
    assert_string_equal(found[0].text, "dns is drained: the ledger is damaged");
    core->services[DNS].intent = (struct intent){.kind = INTENT_DRAIN, .by = "alice (1000)"};
    expect("intent");
    assert_string_equal(found[0].text, "dns: intent drain by alice (1000)");
}

TEST(a_session_that_was_named_and_is_down_is_a_warning_and_one_that_bird_lacks_an_error)
{
    struct sessions *sessions = &core->observed->sessions;
    struct session_news news;
    sessions->all[0].named = sessions->all[1].named = true;
    assert_true(sessions_news(sessions, 1, &news));
    expect("");
    sessions->all[1].established = false;
    expect("session");
    assert_non_null(strstr(found[0].text, "up2"));
    sessions->all[1].there = false;
    expect("session-absent!");
    assert_non_null(strstr(found[0].text, "up2"));
    sessions_forget(sessions);
    expect("sessions! short! short!"); // nobody knows yet which there are
}

TEST(without_any_session_it_is_said_how_to_want_none)
{
    struct sessions *sessions = &core->observed->sessions;
    struct session_news news;
    sessions->all[0] = sessions->all[1] = (struct session){.named = false};
    core->services[DNS].seen_through = core->services[TOKEN].seen_through = false;
    assert_true(sessions_news(sessions, 1, &news));
    expect("sessions!");
    assert_non_null(strstr(found[0].advice, "min_sessions = 0"));
    fixture->config->bird.min_sessions = 0;
    expect("");
}

TEST(a_range_of_neighbors_that_was_named_is_an_error)
{
    struct session *session = &core->observed->sessions.all[1];
    struct session_news news;
    session->named = session->bgp_known = session->bgp.range = true;
    session->established = false;
    assert_true(sessions_news(&core->observed->sessions, 1, &news));
    expect("session-range!");
    assert_non_null(strstr(found[0].text, "up2"));
}

TEST_WITH(a_prefix_that_one_of_two_named_sessions_lacks_is_a_warning, set_up_with_named_sessions,
          tear_down)
{
    struct observed *observed = core->observed;
    core->services[DNS].seen_through = core->services[TOKEN].seen_through = true;
    core->services[DNS].decision.since_ms = core->services[TOKEN].decision.since_ms = 1;
    for (size_t prefix = 0; prefix < observed->prefix_count; prefix++) {
        observed->entries[prefix].seen = SEEN_PRIMARY;
        observed->entries[observed->prefix_count + prefix].seen = SEEN_PRIMARY;
    }
    expect("");
    observed->entries[observed->prefix_count].seen = SEEN_NONE;
    expect("lacking");
    assert_string_equal(found[0].text, "dns: 1 prefix is not exported on BGP session up2, which "
                                       "[bird] sessions names");
    core->services[DNS].decision.since_ms = FIXTURE_NOW_NS / 1000000 - 100; // of a moment ago
    expect("");
}

TEST(what_the_kind_of_a_session_makes_of_a_drain_is_a_warning)
{
    struct session *session = &core->observed->sessions.all[1];
    session->bgp_known = true;
    session->bgp =
        (struct bird_bgp){.neighbor_as = 64512, .local_as = 64512, .ipv4 = true, .ipv6 = true};
    expect("");
    fixture->config->services[DNS].drain.prepend = 2;
    expect("prepend-internal");
    assert_non_null(strstr(found[0].text, "drain_prepend"));
    assert_non_null(strstr(found[0].text, "up2"));
    assert_non_null(strstr(found[0].advice, "drain_local_pref"));
    fixture->config->services[DNS].primary.prepend = 2;
    expect("prepend-internal");
    assert_null(strstr(found[0].text, "drain_prepend"));
    fixture->config->services[DNS].primary.prepend = fixture->config->services[DNS].drain.prepend =
        0;
    session->bgp.neighbor_as = 64513;
    fixture->config->services[DNS].primary.communities_count =
        fixture->config->services[DNS].drain.communities_count;
    fixture->config->services[DNS].drain.has_local_pref = true;
    expect("drain-same");
    fixture->config->services[DNS].drain.has_med = true;
    expect("");
    core->services[DNS].decision.target = TARGET_DEPREFERENCE;
    expect("depreferenced drain-by-filter");
    fixture->config->services[DNS].primary.communities_count = 0;
}

TEST(of_a_bird_that_is_silent_it_is_not_said_which_sessions_are_established)
{
    core->links[ORDER_LINK_ASK].state = BIRD_LINK_SILENT;
    core->observed->sessions.all[1].established = false;
    fixture->config->bird.min_sessions = 2;
    core->observed->prefixes[0].condition = CONDITION_HIDDEN;
    expect("bird-asking");
}

TEST(without_a_service_bird_need_not_read_the_include_file)
{
    size_t count = fixture->config->service_count;
    core->loader.state = LOAD_NOT_INCLUDED;
    expect("include-not-read");
    fixture->config->service_count = 0;
    expect("");
    fixture->config->service_count = count;
}

TEST(of_a_route_that_bird_has_not_read_the_include_file_is_to_blame_and_comes_first)
{
    core->observed->prefixes[0].condition = CONDITION_HIDDEN;
    expect("hidden!");
    assert_non_null(strstr(found[0].advice, "export filter accept"));
    core->loader.state = LOAD_NOT_INCLUDED;
    expect("include-not-read! hidden!");
    assert_string_equal(found[1].advice,
                        "BIRD has no such route: it has not loaded the include file");
    core->loader.state = LOAD_REFUSED;
    expect("include-refused! hidden!");
    assert_non_null(strstr(found[1].advice, "BIRD has no such route if that is new"));
    core->loader.state = LOAD_BY_HAND;
    expect("include-by-hand! hidden!");
    assert_non_null(strstr(found[1].advice, "BIRD has no such route if that is new"));
    core->loader.state = LOAD_UNCONFIRMED;
    expect("include-unconfirmed! hidden!");
    assert_non_null(strstr(found[1].advice, "BIRD has no such route if that is new"));
    core->observed->prefixes[0].condition = CONDITION_AS_MEANT; // when it was withdrawn
    core->services[DNS].seen = core->services[DNS].seen_through = false;
    core->services[DNS].decision.since_ms = FIXTURE_NOW_NS / 1000000 - 10000;
    expect("include-unconfirmed! unseen!");
    core->services[DNS].decision.since_ms = FIXTURE_NOW_NS / 1000000;
    core->links[ORDER_LINK_ASK].state = BIRD_LINK_SILENT; // and what is announced is not seen
    expect("bird-asking include-unconfirmed");
}

TEST(a_service_that_is_depreferenced_or_held_is_a_warning)
{
    core->services[DNS].decision.target = TARGET_DEPREFERENCE;
    core->gates[TOKEN].held_by = 0;
    expect("depreferenced held");
    assert_int_equal(found[1].service, TOKEN);
}

TEST(every_condition_that_is_not_as_meant_is_critical_and_counted)
{
    core->observed->prefixes[0].condition = CONDITION_HIDDEN;
    core->observed->prefixes[1].condition = CONDITION_HIDDEN;
    core->observed->prefixes[2].condition = CONDITION_LEAK;
    expect("hidden! leak!");
    assert_string_equal(found[0].text, "dns: 2 prefixes are hidden");
    assert_string_equal(found[1].text, "token: 1 prefix is leak");
    core->observed->prefixes[0].condition = CONDITION_SHORT;
    core->observed->prefixes[1].condition = CONDITION_LATE;
    core->observed->prefixes[2].condition = CONDITION_UNKNOWN; // not looked up yet: no problem
    expect("short! late!");
    core->observed->prefixes[2].condition = CONDITION_NO_CHANNEL;
    expect("short! late! no-channel!");
}

TEST(a_drain_that_is_altered_is_critical_and_says_what_is_missing)
{
    struct orders orders;
    struct order order;
    assert_true(orders_init(&orders, 8));
    core->services[TOKEN].decision.target = TARGET_DEPREFERENCE;
    core->observed->prefixes[2].condition = CONDITION_ALTERED;
    core->observed->budget.measured = true;
    observed_plan(core->observed, &orders, 0, false, FIXTURE_NOW_NS);
    while (orders_take(&orders, &order)) {
        bool its = order_a(order.token) == 2;
        if (its) {
            struct bird_line line = {
                .kind = BIRD_LINE,
                .code = 1007,
                .text = "198.51.100.1/32 blackhole [popgate_token_v4_drain 00:00:00] * (250)"};
            observed_line(core->observed, order.token, &line);
        }
        observed_end(core->observed, order.token, its ? LOOK_ANSWERED : LOOK_FAILED, 0,
                     FIXTURE_NOW_NS);
    }
    expect("altered! depreferenced");
    assert_string_equal(
        found[0].text,
        "token is altered: 198.51.100.1/32 is exported on up1 without community 65535:0");
    orders_free(&orders);
}

TEST(the_worst_come_first_whatever_they_are_about)
{
    own.ledger = "ledger";
    core->services[DNS].decision.target = TARGET_DEPREFERENCE;
    core->services[TOKEN].decision.target = TARGET_WITHDRAW;
    core->links[ORDER_LINK_ACT].state = BIRD_LINK_DOWN;
    expect("bird! withdrawn! ledger depreferenced");
}

TEST(of_one_service_there_are_its_own_and_the_whole_s)
{
    own.ledger = "ledger";
    core->services[DNS].decision.target = TARGET_DEPREFERENCE;
    core->services[TOKEN].decision.target = TARGET_WITHDRAW;
    assert_int_equal(look(DNS), 2);
    assert_string_equal(found[0].code, "ledger");
    assert_string_equal(found[1].code, "depreferenced");
}

TEST(more_than_there_is_room_for_are_counted)
{
    core->services[DNS].decision.target = TARGET_WITHDRAW;
    core->services[TOKEN].decision.target = TARGET_WITHDRAW;
    own.ledger = "ledger";
    found[1].code = "untouched";
    assert_int_equal(problems_find(core, &own, PROBLEM_OF_NONE, 0, found, 1), 3);
    assert_int_equal(found[0].service, DNS);
    assert_string_equal(found[1].code, "untouched");
    assert_int_equal(problems_find(core, &own, PROBLEM_OF_NONE, 0, NULL, 0), 3);
}

TEST(one_line_says_the_worst_or_that_all_is_announced)
{
    char line[PROBLEMS_LINE_MAX];
    problems_line(core, &own, 0, line);
    assert_string_equal(line, "2 of 2 services announced");
    core->services[DNS].seen = core->services[DNS].seen_through = false; // ordered is not seen
    problems_line(core, &own, 0, line);
    assert_string_equal(line, "1 of 2 services announced");
    own.ledger = "can't save:\nno space";
    problems_line(core, &own, 0, line);
    assert_string_equal(line, "warning: can't save:\\nno space");
    core->services[TOKEN].decision.target = TARGET_WITHDRAW;
    problems_line(core, &own, 0, line);
    assert_string_equal(line, "critical: token is withdrawn: all probes pass (and 1 more)");
}

// Each code has an item in the manual, in the same order, and nothing else has.
TEST(the_manual_tells_of_every_problem)
{
    static char manual[1 << 16];
    FILE *file = fopen("docs/popgate.1", "re");
    assert_non_null(file);
    manual[fread(manual, 1, sizeof manual - 1, file)] = '\0';
    fclose(file);
    char *at = strstr(manual, ".Ss Problems\n");
    assert_non_null(at);
    *strstr(at, ".El\n") = '\0';
    for (enum problem_code code = 0; code < PROBLEM_CODES; code++) {
        static const char item[] = ".It Li ";
        at = strstr(at, item);
        assert_non_null(at);
        at += strlen(item);
        assert_int_equal(strncmp(at, problem_code_name(code), strcspn(at, "\n")), 0);
        assert_int_equal(strlen(problem_code_name(code)), strcspn(at, "\n"));
    }
    assert_null(strstr(at, ".It "));
}
