// What is done after an input, and in which order.
#include "controller/core/shell.h"

#include "base/clock.h"

#include "controller/core/ledger.h"

#include "tests/test.h"
#include "tests/unit/core_fixture.h"
#include "tests/unit/put_intent.h"

static struct fixture *fixture;
static struct shell shell;
static uint64_t remembered[8];
static char done[4096]; // a word for each effect
static bool busy[SHELL_FILES];
static bool bird_takes_nothing, bird_is_away;
static uint64_t unanswered[32]; // tokens of what was switched
static size_t unanswered_count;
static char memory[1024];
static uint64_t include_version, wake_ms;
static unsigned wakes;

static void note(const char *word)
{
    size_t used = strlen(done);
    snprintf(done + used, sizeof done - used, "%s%s", used > 0 ? " " : "", word);
}

static bool room(void *arg)
{
    (void)arg;
    return !bird_takes_nothing;
}

static bool send_order(void *arg, const struct order *order)
{
    (void)arg;
    if (order->link == ORDER_LINK_ACT && !bird_is_away) {
        unanswered[unanswered_count++] = order->token;
    }
    if (strncmp(order->command, "enable", 6) == 0 || strncmp(order->command, "disable", 7) == 0) {
        note(order->command);
    }
    return !bird_is_away;
}

static void withdrawn(void *arg)
{
    (void)arg;
    note("withdrawn");
}

static void patch(void *arg, const struct birdconf *file, const size_t *slots, size_t count)
{
    (void)arg;
    assert_non_null(file);
    assert_true(slots[count - 1] < file->slot_count);
    note("patch");
}

static void publish(void *arg)
{
    (void)arg;
    note("publish");
}

static bool is_idle(void *arg, enum shell_file file)
{
    (void)arg;
    return !busy[file];
}

static void save(void *arg, const struct shell_save *what)
{
    static const char *const words[] = {"save-include", "save-ledger", "save-memory"};
    (void)arg;
    assert_false(busy[what->file]);
    busy[what->file] = true;
    note(words[what->file]);
    if (what->file == SHELL_INCLUDE) {
        include_version = what->version;
    } else if (what->file == SHELL_MEMORY) {
        snprintf(memory, sizeof memory, "%.*s", (int)what->length, what->text);
    }
}

static void answer(void *arg, void *ticket, enum outcome outcome, const char *message)
{
    (void)arg;
    (void)ticket;
    (void)message;
    note(outcome == OUTCOME_DONE ? "answer-done" : "answer");
}

static void log_event(void *arg, const struct event *event, bool more)
{
    (void)more;
    (void)arg;
    (void)event;
    if (strstr(done, "log") == NULL) {
        note("log");
    }
}

static void wake(void *arg, uint64_t at_ms)
{
    (void)arg;
    wake_ms = at_ms;
    wakes++;
}

static void may_reload(void *arg)
{
    (void)arg;
    assert_false(shell.working); // the core may be replaced here
}

static void end(void *arg)
{
    (void)arg;
    note("end");
}

static void work(void)
{
    done[0] = '\0';
    shell_work(&shell, FIXTURE_NOW_NS, FIXTURE_WALL_MS);
}

static void saved(enum shell_file file, const char *error)
{
    busy[file] = false;
    done[0] = '\0';
    shell_saved(&shell, file, include_version, error, FIXTURE_NOW_NS, FIXTURE_WALL_MS);
}

static int start(void **state)
{
    static const struct shell_effects effects = {room,      send_order, withdrawn,  patch,
                                                 publish,   is_idle,    save,       answer,
                                                 log_event, wake,       may_reload, end};
    (void)state;
    struct ledger ledger = {0};
    fixture = fixture_new("", FIXTURE_SERVICES);
    memset(busy, 0, sizeof busy);
    memset(remembered, 0xff, sizeof remembered);
    bird_takes_nothing = bird_is_away = false;
    unanswered_count = 0;
    memory[0] = '\0';
    wakes = 0;
    shell = (struct shell){.effects = &effects,
                           .core = fixture->core,
                           .changes = changes_new(&ledger, FIXTURE_NOW_NS, FIXTURE_WALL_MS),
                           .events = &fixture->events,
                           .boot_id = "boot",
                           .remembered = remembered};
    assert_non_null(shell.changes);
    core_link(fixture->core, ORDER_LINK_ACT, BIRD_LINK_UP, "", NULL, FIXTURE_NOW_NS);
    work();
    saved(SHELL_INCLUDE, NULL);
    saved(SHELL_MEMORY, NULL);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    changes_free(shell.changes);
    fixture_free(fixture);
    return 0;
}

TEST_FIXTURE(start, stop);

// BIRD does what it was told to, and says so.
static void bird_answers(void)
{
    for (size_t i = 0; i < unanswered_count; i++) {
        core_end(fixture->core, unanswered[i], BIRD_END_REPLY, BIRD_CODE_OK, "", FIXTURE_NOW_NS);
    }
    unanswered_count = 0;
}

// BIRD is seen to announce it, or not to.
static void bird_has(bool on)
{
    static const char *const protocols[] = {"popgate_dns_v4",       "popgate_dns_v6",
                                            "popgate_token_v4",     "popgate_token_v4_drain",
                                            "popgate_dns_v4_drain", "popgate_dns_v6_drain"};
    struct announcer *announcer = fixture->core->announcer;
    bird_answers();
    announcer_snapshot_begin(announcer, false);
    for (size_t i = 0; i < sizeof protocols / sizeof *protocols; i++) {
        (void)announcer_row(announcer, protocols[i],
                            on && strstr(protocols[i], "dns") != NULL &&
                                strstr(protocols[i], "drain") == NULL);
    }
    (void)announcer_snapshot_end(announcer);
    work();
    bird_answers();
}

// Pinned: announced whatever the probes say.
static void intend(enum intent_kind kind)
{
    struct intent intent = {.kind = kind,
                            .since_ms = FIXTURE_NOW_NS / NS_PER_MS,
                            .until_ms = kind == INTENT_PIN ? UINT64_MAX : 0};
    put_intent(fixture->core, 0, &intent, "an operator", FIXTURE_NOW_NS);
}

TEST(a_withdrawal_is_sent_before_anything_else_is_done)
{
    intend(INTENT_PIN);
    work();
    saved(SHELL_INCLUDE, NULL);
    bird_has(true);
    intend(INTENT_ISOLATE);
    work();
    assert_ptr_equal(strstr(done, "disable popgate_"), done);
    const char *const order[] = {"disable", "withdrawn", "patch", "publish", "save-include", "log"};
    const char *at = done;
    for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
        at = strstr(at, order[i]);
        assert_non_null(at);
    }
}

TEST(a_file_that_is_being_saved_is_patched_but_not_made_up_again_until_that_has_ended)
{
    intend(INTENT_PIN);
    work();
    assert_non_null(strstr(done, "save-include"));
    uint64_t first = include_version;
    intend(INTENT_ISOLATE);
    work();
    assert_non_null(strstr(done, "patch"));
    assert_null(strstr(done, "save-include"));
    intend(INTENT_PIN);
    work();
    assert_null(strstr(done, "save-include"));
    saved(SHELL_INCLUDE, NULL);
    assert_non_null(strstr(done, "save-include")); // once, for both
    assert_true(include_version > first + 1);
}

TEST(a_withdrawal_that_did_not_leave_is_known_to_be_lost)
{
    intend(INTENT_PIN);
    work();
    saved(SHELL_INCLUDE, NULL);
    bird_has(true);
    bird_is_away = true;
    intend(INTENT_ISOLATE);
    work();
    assert_false(announcer_settled(fixture->core->announcer, 0));
}

TEST(what_birds_link_has_no_room_for_stays_with_the_core)
{
    intend(INTENT_PIN);
    work();
    saved(SHELL_INCLUDE, NULL);
    bird_has(true);
    bird_takes_nothing = true;
    intend(INTENT_ISOLATE);
    work();
    assert_null(strstr(done, "disable"));
    bird_takes_nothing = false;
    work();
    assert_non_null(strstr(done, "disable"));
}

TEST(withdrawals_are_remembered_once_for_all_that_came_while_the_memory_was_being_saved)
{
    fixture->core->services[0].decision.recent = 1;
    intend(INTENT_ISOLATE); // which is an event
    work();
    assert_non_null(strstr(done, "save-memory"));
    assert_non_null(strstr(memory, "\"boot\""));
    fixture->core->services[0].decision.recent = 2;
    intend(INTENT_AUTO);
    work();
    fixture->core->services[1].decision.recent = 3;
    intend(INTENT_ISOLATE);
    work();
    assert_null(strstr(done, "save-memory"));
    saved(SHELL_MEMORY, NULL);
    assert_non_null(strstr(done, "save-memory"));
    assert_int_equal(remembered[0], 2);
    assert_int_equal(remembered[1], 3);
    saved(SHELL_MEMORY, NULL);
    assert_null(strstr(done, "save-memory"));
}

TEST(a_memory_that_cannot_be_saved_is_said_once_and_tried_again_when_there_is_news)
{
    fixture->core->services[0].decision.recent = 1;
    intend(INTENT_ISOLATE);
    work();
    uint64_t before = events_end(&fixture->events);
    saved(SHELL_MEMORY, "no space left");
    assert_int_equal(events_end(&fixture->events), before + 1);
    assert_non_null(strstr(done, "save-memory")); // its own event is news
    saved(SHELL_MEMORY, "no space left");
    assert_int_equal(events_end(&fixture->events), before + 1);
    assert_null(strstr(done, "save-memory"));
    intend(INTENT_AUTO);
    work();
    assert_non_null(strstr(done, "save-memory"));
}

// Of the two services, the second alone stays, and one comes before it.
TEST(a_core_that_takes_over_remembers_what_is_kept_and_has_the_ledgers_word_for_what_is_back)
{
    static const size_t before[] = {SIZE_MAX, 1};
    uint64_t kept[] = {0, 0};
    struct ledger ledger = {0};
    struct intent isolated = {.kind = INTENT_ISOLATE, .since_wall_ms = FIXTURE_WALL_MS};
    assert_true(ledger_put(&ledger, "back", &isolated));
    changes_free(shell.changes);
    shell.changes = changes_new(&ledger, FIXTURE_NOW_NS, FIXTURE_WALL_MS);
    shell.remembered[1] = 5;
    struct fixture *other = fixture_new("", "[probe web]\ntype = tcp\ntarget = [::1]:2\n"
                                            "[service back]\nprefixes = 192.0.2.9/32\n"
                                            "require = web\n"
                                            "[service token]\nprefixes = 198.51.100.1/32\n"
                                            "require = web\n");
    core_free(other->core);
    for (unsigned i = 0; i < 2; i++) { // its probe is well, and alone would have it announced
        struct verdict pass = {.kind = VERDICT_PASS};
        core_verdict(fixture->core, 1, &pass, FIXTURE_NOW_NS);
    }
    other->core = core_prepare(fixture->core, other->config);
    assert_non_null(other->core);
    assert_true(shell_may_swap(&shell));
    shell_swap(&shell, other->core, kept, before, FIXTURE_NOW_NS, FIXTURE_WALL_MS);
    core_free(fixture->core);
    fixture->core = NULL;
    assert_ptr_equal(shell.core, other->core);
    assert_int_equal(kept[0], UINT64_MAX);
    assert_int_equal(kept[1], 5);
    assert_int_equal(other->core->services[0].intent.kind, INTENT_ISOLATE);
    assert_int_equal(other->core->services[0].decision.allowed, TARGET_ANNOUNCE);
    assert_int_equal(other->core->services[0].transition, 0); // it was withdrawn all the time
    work();
    assert_non_null(strstr(done, "save-memory"));
    shell.core->events = NULL;
    fixture_free(other);
}

TEST(events_that_came_at_once_and_were_not_kept_are_counted)
{
    work();
    uint64_t end = events_end(&fixture->events);
    for (unsigned i = 0; i < EVENTS_KEPT + 10; i++) {
        events_add(&fixture->events, EVENT_INTENT, "dns", FIXTURE_NOW_NS, "isolated");
    }
    work();
    const struct event *told = events_get(&fixture->events, end + EVENTS_KEPT + 10);
    assert_non_null(told);
    assert_string_equal(told->text,
                        "11 events came at once with others and were not kept, nor logged");
    assert_null(events_get(&fixture->events, end + 10));
    assert_non_null(events_get(&fixture->events, end + 11));
    assert_int_equal(shell.logged, end + EVENTS_KEPT + 10);
}

// A ledger's disk that hangs holds up no reload.
TEST(a_core_takes_over_while_a_change_waits_for_the_disk)
{
    static const size_t before[] = {1};
    size_t services[] = {1};
    uint64_t kept[] = {0};
    struct change change = {
        .verb = VERB_DRAIN, .services = services, .service_count = 1, .force = true};
    assert_int_equal(changes_submit(shell.changes, fixture->core, &change, NULL, FIXTURE_NOW_NS,
                                    FIXTURE_WALL_MS),
                     OUTCOME_WAITS);
    work();
    assert_non_null(strstr(done, "save-ledger"));
    struct fixture *other = fixture_new("", "[probe web]\ntype = tcp\ntarget = [::1]:2\n"
                                            "[service token]\nprefixes = 198.51.100.1/32\n"
                                            "require = web\n");
    core_free(other->core);
    other->core = core_prepare(fixture->core, other->config);
    assert_non_null(other->core);
    assert_true(shell_may_swap(&shell));
    shell_swap(&shell, other->core, kept, before, FIXTURE_NOW_NS, FIXTURE_WALL_MS);
    core_free(fixture->core);
    fixture->core = NULL;
    saved(SHELL_LEDGER, NULL);
    assert_int_equal(other->core->services[0].intent.kind, INTENT_DRAIN);
    assert_non_null(strstr(done, "answer"));
    shell.core->events = NULL;
    fixture_free(other);
}

static void work_at(uint64_t after_ms)
{
    done[0] = '\0';
    shell_work(&shell, FIXTURE_NOW_NS + after_ms * NS_PER_MS, FIXTURE_WALL_MS);
}

// Slow disks rest longer: here a save took 2 ms.
TEST(between_two_saves_a_file_rests_unless_something_is_to_be_switched_on_by_it)
{
    bird_has(false);
    intend(INTENT_PIN);
    work();
    assert_non_null(strstr(done, "save-include"));
    busy[SHELL_INCLUDE] = false;
    shell_saved(&shell, SHELL_INCLUDE, include_version, NULL, FIXTURE_NOW_NS + 2 * NS_PER_MS,
                FIXTURE_WALL_MS);
    intend(INTENT_ISOLATE);
    work_at(3);
    assert_non_null(strstr(done, "disable")); // that does not rest
    assert_null(strstr(done, "save-include"));
    assert_int_equal(wake_ms, FIXTURE_NOW_NS / NS_PER_MS + 10);
    work_at(10);
    assert_non_null(strstr(done, "save-include"));
    busy[SHELL_INCLUDE] = false;
    shell_saved(&shell, SHELL_INCLUDE, include_version, NULL, FIXTURE_NOW_NS + 12 * NS_PER_MS,
                FIXTURE_WALL_MS);
    bird_has(false);
    intend(INTENT_PIN);
    work_at(13);
    assert_non_null(strstr(done, "save-include"));
}

TEST(who_stops_does_not_rest)
{
    bird_has(false);
    intend(INTENT_PIN);
    work();
    busy[SHELL_INCLUDE] = false;
    shell_saved(&shell, SHELL_INCLUDE, include_version, NULL, FIXTURE_NOW_NS + 5 * NS_PER_MS,
                FIXTURE_WALL_MS);
    done[0] = '\0';
    shell_stop(&shell, FIXTURE_NOW_NS + 6 * NS_PER_MS, FIXTURE_WALL_MS);
    assert_non_null(strstr(done, "save-include"));
}

TEST(the_next_wake_up_is_asked_for_only_when_it_is_another)
{
    uint64_t at_ms = wake_ms;
    unsigned before = wakes;
    work();
    work();
    assert_int_equal(wakes, before);
    done[0] = '\0';
    shell_tick(&shell, at_ms * NS_PER_MS, FIXTURE_WALL_MS);
    assert_int_equal(wakes, before + 1);
    assert_true(wake_ms > at_ms);
}

TEST(a_stop_ends_when_every_file_is_saved_and_not_before)
{
    bird_has(false);
    busy[SHELL_LEDGER] = true;
    done[0] = '\0';
    shell_stop(&shell, FIXTURE_NOW_NS, FIXTURE_WALL_MS);
    assert_null(strstr(done, "end"));
    saved(SHELL_LEDGER, NULL);
    if (busy[SHELL_MEMORY]) {
        assert_null(strstr(done, "end"));
        saved(SHELL_MEMORY, NULL);
    }
    if (busy[SHELL_INCLUDE]) {
        assert_null(strstr(done, "end"));
        saved(SHELL_INCLUDE, NULL);
    }
    assert_non_null(strstr(done, "end"));
    work();
    assert_string_equal(done, ""); // nothing is done after it
}

TEST(a_stop_is_not_over_while_the_include_file_could_not_be_saved)
{
    bird_has(false);
    intend(INTENT_PIN);
    work();
    shell_stop(&shell, FIXTURE_NOW_NS, FIXTURE_WALL_MS);
    bird_answers();
    saved(SHELL_INCLUDE, "no space left");
    bird_answers();
    if (busy[SHELL_MEMORY]) {
        saved(SHELL_MEMORY, NULL);
    }
    while (busy[SHELL_INCLUDE]) { // of what there was to save before
        saved(SHELL_INCLUDE, "no space left");
    }
    const char *first;
    assert_int_equal(core_unconfirmed(fixture->core, &first), 0);
    assert_null(strstr(done, "end"));
    done[0] = '\0';
    shell_tick(&shell, FIXTURE_NOW_NS + INCLUDE_RETRY_MS * NS_PER_MS, FIXTURE_WALL_MS);
    assert_non_null(strstr(done, "save-include"));
    saved(SHELL_INCLUDE, NULL);
    assert_non_null(strstr(done, "end"));
}
