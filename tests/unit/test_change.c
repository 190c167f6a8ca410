// Changes of intent: guarded, saved, applied, acknowledged, in that order; isolation first.
#include "controller/core/change.h"

#include "base/clock.h"
#include "controller/core/ledger.h"

#include "tests/unit/core_fixture.h"
#include "tests/unit/small_config.h"

enum { DNS, TOKEN };

struct answered {
    unsigned times;
    enum outcome outcome;
    char message[512];
};

static struct fixture *fixture;
static struct changes *changes;
static struct answered first, second;
static char asked[1024];    // commands of the guard, each with a newline
static uint64_t tokens[16]; // of those that are unanswered
static size_t unanswered;
static char saved[1024]; // the last text to be saved
static uint64_t version;
static unsigned saves;
static uint64_t now_ns;
static bool bird_is_down, bird_is_slow;

// Returns whether there were answers at once: that BIRD can't be asked, or has withdrawn.
static bool take_orders(void)
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

static void take_answer(const struct change_effect *effect)
{
    struct answered *ticket = effect->ticket;
    assert_int_equal(ticket->times, 0); // exactly one answer
    assert_int_not_equal(effect->outcome, OUTCOME_WAITS);
    ticket->times++;
    ticket->outcome = effect->outcome;
    snprintf(ticket->message, sizeof ticket->message, "%s", effect->message);
}

// What the shell does after each input.
static void step(void)
{
    struct change_effect effect;
    do {
        while (changes_step(changes, fixture->core, now_ns, FIXTURE_WALL_MS, &effect)) {
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

static int start_with(const char *services)
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
    changes = changes_new(&ledger);
    assert_non_null(changes);
    first = second = (struct answered){.times = 0};
    asked[0] = saved[0] = '\0';
    unanswered = saves = 0;
    now_ns = FIXTURE_NOW_NS;
    bird_is_down = bird_is_slow = false;
    announcer_link(fixture->core->announcer, true);
    announcer_snapshot_begin(fixture->core->announcer, true);
    (void)announcer_snapshot_end(fixture->core->announcer);
    return 0;
}

static int start(void **state)
{
    (void)state;
    return start_with(FIXTURE_SERVICES);
}

static int start_without_guard(void **state)
{
    (void)state;
    return start_with(FIXTURE_SERVICES "last_pop_guard = off\n");
}

static int stop(void **state)
{
    (void)state;
    changes_free(changes);
    fixture_free(fixture);
    return 0;
}

TEST_FIXTURE(start, stop);

static enum outcome ask(struct answered *ticket, const struct change *change)
{
    *ticket = (struct answered){.times = 0};
    enum outcome outcome =
        changes_submit(changes, fixture->core, change, ticket, now_ns, FIXTURE_WALL_MS);
    step();
    return outcome;
}

static void submit(struct answered *ticket, enum verb verb, size_t service)
{
    struct change change = {
        .verb = verb, .services = &service, .service_count = 1, .reason = "why", .by = "alice (1)"};
    assert_int_equal(ask(ticket, &change), OUTCOME_WAITS);
}

static void force_drain(struct answered *ticket, size_t service)
{
    struct change change = {
        .verb = VERB_DRAIN, .services = &service, .service_count = 1, .force = true};
    assert_int_equal(ask(ticket, &change), OUTCOME_WAITS);
}

static void answered(const struct answered *ticket, enum outcome outcome)
{
    assert_int_equal(ticket->times, 1);
    assert_int_equal(ticket->outcome, outcome);
}

// BIRD's answer to the guard's first question that has none yet; NULL: nothing in it.
static void bird_says(unsigned code, const char *text, enum bird_end end)
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
static void guard_sees(bool another_pop)
{
    bird_says(1002, PROTOCOL, BIRD_END_REPLY);
    bird_says(1007, another_pop ? "198.51.100.1/32 unicast [up1 00:00:01.000] * (100)" : NULL,
              BIRD_END_REPLY);
}

static void save_ends(const char *error)
{
    changes_saved(changes, fixture->core, version, error, now_ns, FIXTURE_WALL_MS);
    step();
}

static enum intent_kind intent_of(size_t service)
{
    return fixture->core->services[service].intent.kind;
}

// A ledger that turns up in the place of ours.
static void finds(const char *service, enum intent_kind kind)
{
    struct ledger found = {0};
    struct intent intent = {.kind = kind, .since_wall_ms = 1, .reason = "found"};
    assert_true(ledger_put(&found, service, &intent));
    changes_found(changes, fixture->core, &found, now_ns, FIXTURE_WALL_MS);
    save_ends("there was a ledger; it is read now");
    ledger_clear(&found);
}

static void drain_for_want_of_a_ledger(size_t service)
{
    struct intent intent = {.kind = INTENT_DRAIN, .by = "popgated", .since_wall_ms = 1};
    core_intent(fixture->core, service, &intent, "unreadable", now_ns);
}

TEST(a_ledger_found_later_takes_the_place_of_what_was_drained_without_it)
{
    drain_for_want_of_a_ledger(DNS);
    drain_for_want_of_a_ledger(TOKEN);
    finds("dns", INTENT_ISOLATE);
    assert_int_equal(intent_of(DNS), INTENT_ISOLATE);
    assert_string_equal(fixture->core->services[DNS].intent.reason, "found");
    assert_int_equal(intent_of(TOKEN), INTENT_AUTO);
}

TEST(a_ledger_found_later_betters_nothing_that_an_operator_did)
{
    submit(&first, VERB_ISOLATE, TOKEN);
    save_ends(NULL);
    finds("token", INTENT_DRAIN);
    assert_int_equal(intent_of(TOKEN), INTENT_ISOLATE);
    finds("dns", INTENT_DRAIN);
    assert_int_equal(intent_of(DNS), INTENT_DRAIN);
    finds("elsewhere", INTENT_ISOLATE);
    force_drain(&second, DNS);
    assert_non_null(strstr(saved, "\"elsewhere\""));
}

TEST(a_drain_is_guarded_then_saved_then_applied_then_acknowledged)
{
    submit(&first, VERB_DRAIN, TOKEN);
    assert_string_equal(asked, "show protocols\nshow route 198.51.100.1/32 all\n");
    assert_int_equal(saves, 0);
    guard_sees(true);
    assert_int_equal(saves, 1);
    assert_non_null(strstr(saved, "\"token\""));
    assert_int_equal(intent_of(TOKEN), INTENT_AUTO);
    assert_int_equal(first.times, 0);
    save_ends(NULL);
    assert_int_equal(intent_of(TOKEN), INTENT_DRAIN);
    answered(&first, OUTCOME_DONE);
    assert_string_equal(first.message, "drained");
    assert_true(changes_idle(changes));
}

static enum target target_of(size_t service)
{
    return fixture->core->services[service].decision.target;
}

static void pass_ms(uint64_t ms)
{
    now_ns += ms * NS_PER_MS;
    core_tick(fixture->core, now_ns);
}

TEST(draining_again_what_is_withdrawn_announces_nothing)
{
    uint64_t grace_ms = fixture->config->services[TOKEN].grace_ms;
    force_drain(&first, TOKEN);
    save_ends(NULL);
    pass_ms(grace_ms - 1);
    assert_int_equal(target_of(TOKEN), TARGET_DEPREFERENCE);
    pass_ms(1);
    assert_int_equal(target_of(TOKEN), TARGET_WITHDRAW);
    force_drain(&second, TOKEN);
    assert_non_null(strstr(saved, "\"token\""));
    assert_non_null(strstr(strstr(saved, "\"token\""), "\"grace_ms\": 0,")); // nor does a restart
    save_ends(NULL);
    answered(&second, OUTCOME_DONE);
    assert_int_equal(target_of(TOKEN), TARGET_WITHDRAW);
    pass_ms(grace_ms);
    assert_int_equal(target_of(TOKEN), TARGET_WITHDRAW);
}

TEST(what_is_applied_says_who_why_and_since_when)
{
    force_drain(&first, TOKEN);
    save_ends(NULL);
    submit(&second, VERB_PIN, DNS);
    save_ends(NULL);
    const struct intent *drain = &fixture->core->services[TOKEN].intent;
    assert_int_equal(drain->since_ms, FIXTURE_NOW_NS / 1000000);
    assert_int_equal(drain->grace_ms, fixture->config->services[TOKEN].grace_ms);
    const struct intent *pin = &fixture->core->services[DNS].intent;
    assert_string_equal(pin->by, "alice (1)");
    assert_string_equal(pin->reason, "why");
    assert_true(pin->since_wall_ms > 0);
}

TEST(without_another_pop_a_drain_is_refused_and_nothing_saved)
{
    submit(&first, VERB_DRAIN, TOKEN);
    guard_sees(false);
    answered(&first, OUTCOME_REFUSED);
    assert_non_null(strstr(first.message, "198.51.100.1/32"));
    assert_int_equal(saves, 0);
    assert_int_equal(intent_of(TOKEN), INTENT_AUTO);
    assert_true(changes_idle(changes));
}

TEST(a_bird_that_cannot_be_asked_refuses_a_drain_at_once)
{
    bird_is_down = true;
    submit(&first, VERB_DRAIN, TOKEN);
    answered(&first, OUTCOME_UNSEEN);
    assert_non_null(strstr(first.message, "did not answer"));
}

TEST(force_asks_nobody)
{
    force_drain(&first, TOKEN);
    assert_string_equal(asked, "");
    assert_int_equal(saves, 1);
}

TEST_WITH(a_service_of_one_pop_is_not_guarded, start_without_guard, stop)
{
    submit(&first, VERB_DRAIN, TOKEN);
    assert_string_equal(asked, "");
    assert_int_equal(saves, 1);
}

TEST(what_is_withdrawn_already_is_not_guarded)
{
    struct verdict fail = {.kind = VERDICT_FAIL, .definitive = true};
    core_verdict(fixture->core, 1, &fail, FIXTURE_NOW_NS);
    submit(&first, VERB_DRAIN, TOKEN);
    assert_string_equal(asked, "");
    assert_int_equal(saves, 1);
}

TEST(a_failed_save_changes_nothing)
{
    force_drain(&first, TOKEN);
    save_ends("can't write ledger.json: No space left on device");
    answered(&first, OUTCOME_UNSAFE);
    assert_string_equal(first.message,
                        "nothing was changed: can't write ledger.json: No space left on device");
    assert_int_equal(intent_of(TOKEN), INTENT_AUTO);
    assert_non_null(strstr(changes_trouble(changes), "No space left"));
    force_drain(&second, DNS);
    assert_null(strstr(saved, "\"token\"")); // nor does it come back with the next save
    save_ends(NULL);
    assert_null(changes_trouble(changes));
}

// Its end came while the pin, which it stood in the way of, was being saved: what is not in the
// ledger is not acknowledged.
TEST(what_the_ledger_has_not_is_not_applied_when_its_hindrance_ends_meanwhile)
{
    const size_t both[] = {DNS, TOKEN};
    struct intent drain = {.kind = INTENT_DRAIN, .until_ms = now_ns / NS_PER_MS + 100};
    core_intent(fixture->core, TOKEN, &drain, "drained", now_ns);
    struct change pin = {
        .verb = VERB_PIN, .services = both, .service_count = 2, .for_ms = 60000, .reason = "why"};
    assert_int_equal(ask(&first, &pin), OUTCOME_WAITS);
    now_ns += 200 * NS_PER_MS;
    core_tick(fixture->core, now_ns);
    assert_int_equal(intent_of(TOKEN), INTENT_AUTO);
    save_ends(NULL);
    answered(&first, OUTCOME_DONE);
    assert_string_equal(first.message, "pinned, but 1 of 2 as they were: what stood in the way at "
                                       "token has ended just now; ask again");
    assert_int_equal(intent_of(DNS), INTENT_PIN);
    assert_int_equal(intent_of(TOKEN), INTENT_AUTO);
}

TEST(what_stands_in_the_way_is_named)
{
    struct answered third;
    force_drain(&third, DNS); // is being saved
    force_drain(&second, TOKEN);
    submit(&first, VERB_PIN, TOKEN);
    save_ends(NULL);
    save_ends(NULL);
    save_ends(NULL);
    answered(&first, OUTCOME_HINDERED);
    assert_string_equal(first.message, "nothing was changed: token is drained; undrain it before");
}

// A drain of what a reload then takes away: it must neither be in the ledger nor out of it because
// its save failed.
TEST(a_failed_save_leaves_nothing_behind_for_what_a_reload_takes_away)
{
    force_drain(&first, DNS);
    save_ends(NULL);
    submit(&first, VERB_UNDRAIN, DNS);
    save_ends("disk is gone");
    force_drain(&first, TOKEN);
    save_ends("disk is gone");
    assert_true(changes_idle(changes));
    struct config *config = small_config(PROBE("other") "[service other]\n"
                                                        "prefixes = 192.0.2.99/32\n"
                                                        "require = other\n");
    struct core *next = core_prepare(fixture->core, config);
    assert_non_null(next);
    core_take_over(next, fixture->core, now_ns);
    core_free(fixture->core);
    fixture->core = next;
    now_ns += 2000 * NS_PER_MS; // it is tried again
    step();
    assert_non_null(strstr(saved, "\"dns\""));
    assert_null(strstr(saved, "\"token\""));
    core_free(fixture->core);
    fixture->core = NULL;
    config_free(config);
}

TEST(isolation_is_applied_before_it_is_saved_and_acknowledged_after)
{
    size_t service = TOKEN;
    struct change isolate = {.verb = VERB_ISOLATE, .services = &service, .service_count = 1};
    changes_submit(changes, fixture->core, &isolate, &first, now_ns, FIXTURE_WALL_MS);
    assert_int_equal(intent_of(TOKEN), INTENT_ISOLATE);
    assert_int_equal(fixture->core->services[TOKEN].decision.target, TARGET_WITHDRAW);
    step();
    assert_int_equal(saves, 1);
    assert_string_equal(asked, "");
    assert_int_equal(first.times, 0);
    save_ends(NULL);
    answered(&first, OUTCOME_DONE);
}

TEST(an_isolation_that_could_not_be_saved_stands_and_says_so)
{
    submit(&first, VERB_ISOLATE, TOKEN);
    save_ends("disk is gone");
    answered(&first, OUTCOME_UNSAFE);
    assert_string_equal(first.message, "isolated now, but a restart would forget it: disk is gone");
    assert_int_equal(intent_of(TOKEN), INTENT_ISOLATE);
}

TEST(isolation_overtakes_a_drain_that_waits_for_the_guard)
{
    submit(&first, VERB_DRAIN, TOKEN);
    submit(&second, VERB_ISOLATE, TOKEN);
    assert_int_equal(intent_of(TOKEN), INTENT_ISOLATE);
    assert_non_null(strstr(saved, "\"isolate\""));
    save_ends(NULL);
    answered(&second, OUTCOME_DONE);
    guard_sees(true);
    save_ends(NULL);
    answered(&first, OUTCOME_HINDERED);
    assert_int_equal(intent_of(TOKEN), INTENT_ISOLATE);
    assert_non_null(strstr(saved, "\"isolate\""));
}

// What popgated would not read again, it does not write.
TEST(a_ledger_too_long_to_be_read_is_not_written)
{
    struct ledger ledger = {0};
    struct intent kept = {.kind = INTENT_DRAIN, .since_wall_ms = 1};
    memset(kept.reason, 1, sizeof kept.reason - 1); // six bytes each in JSON
    for (unsigned i = 0; i < 14000; i++) {
        char name[SERVICE_NAME_MAX];
        snprintf(name, sizeof name, "s%05u", i);
        assert_true(ledger_put(&ledger, name, &kept));
    }
    changes_free(changes);
    changes = changes_new(&ledger);
    force_drain(&first, TOKEN);
    answered(&first, OUTCOME_UNSAFE);
    assert_non_null(strstr(first.message, "shorter reasons"));
    assert_int_equal(intent_of(TOKEN), INTENT_AUTO);
    submit(&second, VERB_ISOLATE, TOKEN);
    answered(&second, OUTCOME_UNSAFE);
    assert_int_equal(intent_of(TOKEN), INTENT_ISOLATE);
    assert_int_equal(saves, 0);
}

TEST(isolation_is_on_disk_before_what_was_asked_for_earlier)
{
    struct answered third;
    submit(&third, VERB_DRAIN, DNS);   // its guard waits for BIRD
    force_drain(&first, TOKEN);        // is being saved
    submit(&first, VERB_UNDRAIN, DNS); // waits for the drain
    submit(&second, VERB_ISOLATE, DNS);
    save_ends(NULL);
    assert_int_equal(saves, 2);
    assert_non_null(strstr(saved, "\"isolate\""));
    save_ends(NULL);
    answered(&second, OUTCOME_DONE);
    assert_int_equal(third.times, 0);
}

TEST(a_release_that_waited_ends_no_isolation_asked_for_after_it)
{
    struct answered third;
    force_drain(&third, DNS); // is being saved
    submit(&first, VERB_RELEASE, TOKEN);
    submit(&second, VERB_ISOLATE, TOKEN);
    save_ends(NULL);
    save_ends(NULL);
    answered(&second, OUTCOME_DONE);
    save_ends(NULL);
    answered(&first, OUTCOME_HINDERED);
    assert_int_equal(intent_of(TOKEN), INTENT_ISOLATE);
}

TEST(a_guard_that_waits_holds_up_only_what_concerns_the_same_service)
{
    struct answered third;
    submit(&first, VERB_DRAIN, TOKEN);
    force_drain(&third, TOKEN);
    assert_int_equal(saves, 0);
    force_drain(&second, DNS);
    save_ends(NULL);
    answered(&second, OUTCOME_DONE);
    assert_int_equal(intent_of(DNS), INTENT_DRAIN);
    guard_sees(true);
    save_ends(NULL);
    answered(&first, OUTCOME_DONE);
    assert_int_equal(third.times, 0);
    save_ends(NULL);
    answered(&third, OUTCOME_DONE);
}

TEST(an_isolation_that_bird_does_not_confirm_is_said_to_be_that)
{
    bird_is_slow = true;
    submit(&first, VERB_ISOLATE, TOKEN);
    save_ends(NULL);
    assert_int_equal(first.times, 0);
    assert_int_equal(changes_next_ms(changes), now_ns / NS_PER_MS + 5000);
    now_ns += 5000 * NS_PER_MS;
    step();
    answered(&first, OUTCOME_UNCONFIRMED);
    assert_string_equal(first.message, "isolated, but BIRD has not confirmed: it is out of reach: "
                                       "not connected yet");
    assert_true(changes_idle(changes));
}

TEST(an_isolation_neither_saved_nor_confirmed_says_both)
{
    bird_is_slow = true;
    submit(&first, VERB_ISOLATE, TOKEN);
    save_ends("disk is gone");
    assert_int_equal(first.times, 0);
    now_ns += 5000 * NS_PER_MS;
    step();
    answered(&first, OUTCOME_UNSAFE);
    assert_string_equal(first.message, "isolated now, but a restart would forget it: disk is gone; "
                                       "and BIRD has not confirmed: it is out of reach: not "
                                       "connected yet");
}

TEST(ending_what_is_not_there_says_so)
{
    submit(&first, VERB_UNDRAIN, TOKEN);
    save_ends(NULL);
    answered(&first, OUTCOME_NOTHING);
    assert_string_equal(first.message, "nothing changed: not drained");
    force_drain(&first, TOKEN);
    save_ends(NULL);
    submit(&first, VERB_UNDRAIN, TOKEN);
    save_ends(NULL);
    assert_string_equal(first.message, "undrained");
}

TEST(isolation_overtakes_an_undrain_that_is_being_saved)
{
    force_drain(&first, TOKEN);
    save_ends(NULL);
    submit(&first, VERB_UNDRAIN, TOKEN);
    submit(&second, VERB_ISOLATE, TOKEN);
    save_ends(NULL);
    assert_int_equal(intent_of(TOKEN), INTENT_ISOLATE);
    save_ends(NULL);
    assert_non_null(strstr(saved, "\"isolate\""));
    answered(&second, OUTCOME_DONE);
}

TEST(isolation_overtakes_a_release_that_is_being_saved)
{
    submit(&first, VERB_ISOLATE, TOKEN);
    save_ends(NULL);
    submit(&first, VERB_RELEASE, TOKEN);
    submit(&second, VERB_ISOLATE, TOKEN);
    save_ends(NULL);
    answered(&first, OUTCOME_HINDERED);
    assert_int_equal(intent_of(TOKEN), INTENT_ISOLATE);
    save_ends(NULL);
    assert_int_equal(intent_of(TOKEN), INTENT_ISOLATE);
    assert_non_null(strstr(saved, "\"isolate\""));
    answered(&second, OUTCOME_DONE);
}

TEST(what_ends_while_a_change_is_applied_is_written_after_it)
{
    force_drain(&first, TOKEN);
    force_drain(&second, DNS);
    fixture->core->ledger_dirty = true; // what an intent that ends leads to
    save_ends(NULL);
    answered(&first, OUTCOME_DONE);
    assert_int_equal(saves, 2);
    assert_int_equal(intent_of(DNS), INTENT_AUTO);
    save_ends(NULL);
    answered(&second, OUTCOME_DONE);
    assert_int_equal(intent_of(DNS), INTENT_DRAIN);
    assert_int_equal(saves, 3);
    save_ends(NULL);
    assert_true(changes_idle(changes));
}

TEST(changes_are_made_one_after_another)
{
    force_drain(&first, TOKEN);
    force_drain(&second, DNS);
    assert_int_equal(saves, 1);
    assert_null(strstr(saved, "\"dns\""));
    save_ends(NULL);
    answered(&first, OUTCOME_DONE);
    assert_int_equal(second.times, 0);
    assert_int_equal(saves, 2);
    assert_non_null(strstr(saved, "\"dns\""));
    assert_non_null(strstr(saved, "\"token\""));
    save_ends(NULL);
    answered(&second, OUTCOME_DONE);
}

TEST(the_end_of_another_save_is_not_taken_for_ours)
{
    force_drain(&first, TOKEN);
    version++;
    save_ends(NULL);
    assert_int_equal(first.times, 0);
    assert_int_equal(intent_of(TOKEN), INTENT_AUTO);
}

TEST(a_guard_is_not_answered_with_the_answers_of_the_one_before)
{
    submit(&first, VERB_DRAIN, TOKEN);
    submit(&second, VERB_DRAIN, DNS);
    asked[0] = '\0';
    bird_says(1002, PROTOCOL, BIRD_END_REPLY);
    assert_string_equal(asked, "");
    bird_says(0, NULL, BIRD_END_LOST);
    answered(&first, OUTCOME_UNSEEN);
    assert_string_equal(
        asked, "show protocols\nshow route 192.0.2.53/32 all\nshow route 2001:db8::53/128 all\n");
    assert_int_equal(second.times, 0);
}

TEST(too_many_changes_are_turned_away)
{
    static struct answered many[64];
    size_t service = TOKEN;
    struct change change = {.verb = VERB_DRAIN, .services = &service, .service_count = 1};
    for (size_t i = 0; i < 64; i++) {
        assert_int_equal(ask(&many[i], &change), OUTCOME_WAITS);
        assert_int_equal(many[i].times, 0);
    }
    assert_int_equal(ask(&first, &change), OUTCOME_BUSY);
    assert_int_equal(first.times, 0);
}

TEST(what_ended_by_itself_is_written_and_the_rest_kept)
{
    changes_sync(changes);
    step();
    assert_int_equal(saves, 1);
    assert_false(changes_idle(changes));
    assert_non_null(strstr(saved, "\"gone\"")); // no longer configured, but it may come back
    save_ends(NULL);
    assert_true(changes_idle(changes));
}

static void drain_for(struct answered *ticket, size_t service, uint64_t for_ms)
{
    struct change change = {.verb = VERB_DRAIN,
                            .services = &service,
                            .service_count = 1,
                            .for_ms = for_ms,
                            .reason = "for a while",
                            .force = true};
    assert_int_equal(ask(ticket, &change), OUTCOME_WAITS);
    save_ends(NULL);
    answered(ticket, OUTCOME_DONE);
}

TEST(a_drain_for_a_time_shortens_no_drain_that_lasts_longer)
{
    const struct intent *intent = &fixture->core->services[TOKEN].intent;
    drain_for(&first, TOKEN, 60000);
    assert_string_equal(first.message, "drained");
    drain_for(&first, TOKEN, 90000);
    assert_int_equal(intent->until_ms, now_ns / NS_PER_MS + 90000);
    force_drain(&second, TOKEN);
    save_ends(NULL);
    assert_int_equal(intent->until_ms, 0);
    drain_for(&first, TOKEN, 2000);
    assert_int_equal(intent->until_ms, 0);
    assert_string_equal(intent->reason, "");
    assert_string_equal(first.message, "drained; 1 of 1 was drained for longer already, and will "
                                       "be");
}

TEST(draining_again_begins_no_grace_anew)
{
    uint64_t grace_ms = fixture->config->services[TOKEN].grace_ms;
    force_drain(&first, TOKEN);
    save_ends(NULL);
    pass_ms(grace_ms - 1);
    force_drain(&first, TOKEN);
    save_ends(NULL);
    assert_int_equal(target_of(TOKEN), TARGET_DEPREFERENCE);
    pass_ms(1);
    assert_int_equal(target_of(TOKEN), TARGET_WITHDRAW);
}

TEST(draining_what_its_probes_withdrew_never_announces_it)
{
    struct verdict fail = {.kind = VERDICT_FAIL, .definitive = true};
    struct verdict pass = {.kind = VERDICT_PASS};
    core_verdict(fixture->core, 1, &fail, now_ns);
    assert_int_equal(target_of(TOKEN), TARGET_WITHDRAW);
    size_t service = TOKEN;
    struct change drain = {.verb = VERB_DRAIN,
                           .services = &service,
                           .service_count = 1,
                           .has_grace = true,
                           .grace_ms = 86400000};
    assert_int_equal(ask(&first, &drain), OUTCOME_WAITS);
    save_ends(NULL);
    core_verdict(fixture->core, 1, &pass, now_ns);
    core_verdict(fixture->core, 1, &pass, now_ns);
    pass_ms(3600000);
    assert_int_equal(fixture->core->services[TOKEN].decision.allowed, TARGET_ANNOUNCE);
    assert_int_equal(target_of(TOKEN), TARGET_WITHDRAW);
}

// As a reload does, with this configuration; what was before is freed.
static void reload_with(const char *text)
{
    struct config *config = small_config(text);
    struct core *core = core_prepare(fixture->core, config);
    assert_non_null(core);
    changes_let_go(changes, fixture->core);
    core_take_over(core, fixture->core, now_ns);
    changes_take_over(changes, core, fixture->config, now_ns, FIXTURE_WALL_MS);
    core_free(fixture->core);
    config_free(fixture->config);
    fixture->core = core;
    fixture->config = config;
    unanswered = 0;
    asked[0] = '\0';
    step();
}

TEST(a_reload_waits_for_no_change_and_no_change_is_lost_by_it)
{
    struct answered third;
    force_drain(&second, DNS); // is being saved, and the disk hangs
    submit(&first, VERB_DRAIN, TOKEN);
    submit(&third, VERB_UNDRAIN, DNS);
    reload_with(PROBE("p") "[service new]\nprefixes = 192.0.2.1/32\nrequire = p\n"
                           "[service token]\nprefixes = 198.51.100.1/32\nrequire = p\n");
    save_ends(NULL);
    answered(&second, OUTCOME_HINDERED);
    assert_non_null(strstr(second.message, "a reload took the service"));
    assert_int_equal(intent_of(0), INTENT_AUTO);
    save_ends(NULL);
    answered(&third, OUTCOME_HINDERED);
    // What the new core announces is asked for anew.
    while (unanswered > 0) {
        guard_sees(true);
    }
    save_ends(NULL);
    answered(&first, OUTCOME_DONE);
    assert_int_equal(intent_of(1), INTENT_DRAIN);
    assert_true(changes_idle(changes));
}

TEST(a_drained_service_under_a_new_name_stays_drained)
{
    force_drain(&first, TOKEN);
    save_ends(NULL);
    struct config *config =
        small_config(PROBE("p") "[service issuer]\nprefixes = 198.51.100.1/32\nrequire = p\n"
                                "[service other]\nprefixes = 198.51.100.2/32\nrequire = p\n");
    struct core *core = core_prepare(fixture->core, config);
    assert_non_null(core);
    core_take_over(core, fixture->core, now_ns);
    changes_take_over(changes, core, fixture->config, now_ns, FIXTURE_WALL_MS);
    assert_int_equal(core->services[0].intent.kind, INTENT_DRAIN);
    assert_int_equal(core->services[1].intent.kind, INTENT_AUTO);
    struct core *old = fixture->core;
    fixture->core = core;
    step();
    assert_non_null(strstr(saved, "\"issuer\""));
    fixture->core = old;
    core_free(core);
    config_free(config);
}

TEST(a_service_that_comes_back_with_a_reload_is_as_the_ledger_kept_it)
{
    force_drain(&first, TOKEN);
    save_ends(NULL);
    struct config *config =
        small_config(PROBE("p") "[service gone]\nprefixes = 192.0.2.1/32\nrequire = p\n"
                                "[service token]\nprefixes = 198.51.100.1/32\nrequire = p\n"
                                "[service new]\nprefixes = 192.0.2.2/32\nrequire = p\n");
    struct core *core = core_prepare(fixture->core, config);
    assert_non_null(core);
    core_take_over(core, fixture->core, now_ns);
    uint64_t since_ms = core->services[1].intent.since_ms;
    changes_take_over(changes, core, fixture->config, now_ns, FIXTURE_WALL_MS);
    assert_int_equal(core->services[0].intent.kind, INTENT_DRAIN);
    assert_int_equal(core->services[0].decision.target, TARGET_WITHDRAW);
    assert_int_equal(core->services[1].intent.kind, INTENT_DRAIN);
    assert_int_equal(core->services[1].intent.since_ms, since_ms);
    assert_int_equal(core->services[2].intent.kind, INTENT_AUTO);
    core_free(core);
    config_free(config);
}

TEST(a_change_waits_for_the_ledger_being_written)
{
    changes_sync(changes);
    step();
    force_drain(&first, TOKEN);
    assert_int_equal(saves, 1);
    save_ends(NULL);
    assert_int_equal(saves, 2);
    assert_non_null(strstr(saved, "\"token\""));
}

TEST(what_could_not_be_saved_is_told_once_and_tried_again_each_second)
{
    submit(&first, VERB_ISOLATE, TOKEN);
    uint64_t events = events_end(&fixture->events);
    save_ends("disk is gone");
    assert_int_equal(events_end(&fixture->events), events + 1);
    assert_string_equal(events_get(&fixture->events, events)->text, "disk is gone");
    assert_int_equal(changes_next_ms(changes), now_ns / 1000000 + 1000);
    step();
    assert_int_equal(saves, 1);
    now_ns += 1000000000;
    step();
    assert_int_equal(saves, 2);
    assert_int_equal(changes_next_ms(changes), UINT64_MAX);
    save_ends("disk is gone");
    assert_int_equal(events_end(&fixture->events), events + 1);
    now_ns += 1000000000;
    step();
    assert_int_equal(saves, 3);
    save_ends(NULL);
    assert_int_equal(changes_next_ms(changes), UINT64_MAX);
    assert_null(changes_trouble(changes));
    assert_true(changes_idle(changes));
}
