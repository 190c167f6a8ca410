// What a check's word is worth, given how the check went.
#include "probes/judge.h"

#include "base/clock.h"
#include "tests/test.h"

#include <stdio.h>
#include <string.h>

#define MS(ms) ((ms)*NS_PER_MS)

// Each check has 100 ms, and a max_latency of 20 ms.
struct trial {
    const char *name;
    uint64_t took_ns, busy_ns, held_ns;
    bool alert;
    enum verdict_kind said;
    const char *said_code; // NULL: nothing was said
    enum verdict_kind kind;
    const char *code, *cause;
    bool definitive;
};

#define SILENCE VERDICT_UNKNOWN, NULL

static const struct trial trials[] = {
    // name, took, busy, held, alert, said; verdict, code, a part of the cause, definitive
    {"a pass is a pass", MS(5), 0, 0, false, VERDICT_PASS, "ok", VERDICT_PASS, "ok", "as said",
     false},
    {"a pass in just max_latency is a pass", MS(20), 0, 0, false, VERDICT_PASS, "ok", VERDICT_PASS,
     "ok", "as said", false},
    {"a slow pass is degraded", MS(20) + 1, 0, 0, false, VERDICT_PASS, "ok", VERDICT_DEGRADED,
     "slow", "took 20.0ms, longer than max_latency 20ms; passed: as said", false},
    {"time that we were busy does not make a pass slow", MS(60), MS(40), 0, false, VERDICT_PASS,
     "ok", VERDICT_PASS, "ok", "as said", false},
    {"busy for less than the delay: slow", MS(60) + 1, MS(40), 0, false, VERDICT_PASS, "ok",
     VERDICT_DEGRADED, "slow", "took 60.0ms", false},
    {"a pass after we were stopped is not slow", MS(154), 0, 0, false, VERDICT_PASS, "ok",
     VERDICT_PASS, "ok", "as said", false},
    {"degraded stays degraded", MS(90), 0, 0, false, VERDICT_DEGRADED, "days", VERDICT_DEGRADED,
     "days", "as said", false},
    {"unknown stays unknown", MS(900), 0, 0, true, VERDICT_UNKNOWN, "local", VERDICT_UNKNOWN,
     "local", "as said", false},

    {"a failure is a failure, however slow", MS(90), 0, 0, false, VERDICT_FAIL, "rcode",
     VERDICT_FAIL, "rcode", "as said", false},
    {"a failure half of the time and the grain too late is one", MS(153), 0, 0, false, VERDICT_FAIL,
     "closed", VERDICT_FAIL, "closed", "as said", false},
    {"a failure later than that says nothing", MS(153) + 1, 0, 0, false, VERDICT_FAIL, "closed",
     VERDICT_UNKNOWN, "stalled",
     "popgated itself was stalled: the check took 153ms of its 100ms; seen: as said", false},
    {"a failure that we heard in time counts, though we were held", MS(90), 0, MS(80), false,
     VERDICT_FAIL, "closed", VERDICT_FAIL, "closed", "as said", false},
    {"a late refusal is the kernel's word of now", MS(900), 0, 0, false, VERDICT_FAIL, "refused",
     VERDICT_FAIL, "refused", "as said", false},

    {"silence is a timeout", MS(101), 0, 0, false, SILENCE, VERDICT_FAIL, "timeout",
     "no answer within 100ms", false},
    {"silence while we were held for half of the time and the grain is one", MS(101), 0, MS(53),
     false, SILENCE, VERDICT_FAIL, "timeout", "no answer within 100ms", false},
    {"silence while we were held for longer says nothing", MS(101), 0, MS(54), false, SILENCE,
     VERDICT_UNKNOWN, "stalled",
     "popgated itself was stalled for 54ms of the check's 100ms (no answer)", false},
    {"silence when our timer was late says nothing", MS(160), 0, MS(10), false, SILENCE,
     VERDICT_UNKNOWN, "stalled",
     "popgated itself was stalled for 60ms of the check's 100ms (no answer)", false},
    {"silence on a busy loop that turned is a timeout", MS(101), MS(101), 0, false, SILENCE,
     VERDICT_FAIL, "timeout", "no answer", false},

    {"a refusal needs more of its kind", MS(1), 0, 0, false, VERDICT_FAIL, "refused", VERDICT_FAIL,
     "refused", "as said", false},
    {"a refusal after an alert is definitive", MS(1), 0, 0, true, VERDICT_FAIL, "refused",
     VERDICT_FAIL, "refused", "as said", true},
    {"an address that is gone after an alert is definitive", MS(1), 0, 0, true, VERDICT_FAIL,
     "no-address", VERDICT_FAIL, "no-address", "as said", true},
    {"a reset after an alert is not", MS(1), 0, 0, true, VERDICT_FAIL, "closed", VERDICT_FAIL,
     "closed", "as said", false},
    {"silence after an alert is not", MS(101), 0, 0, true, SILENCE, VERDICT_FAIL, "timeout",
     "no answer", false},
    {"a pass after an alert is not", MS(1), 0, 0, true, VERDICT_PASS, "ok", VERDICT_PASS, "ok",
     "as said", false},
};

static void judged(const struct trial *trial, struct verdict *out)
{
    struct course course = {
        .timeout_ms = 100,
        .max_latency_ms = 20,
        .took_ns = trial->took_ns,
        .busy_ns = trial->busy_ns,
        .held_ns = trial->held_ns,
        .alert = trial->alert,
        .awaited.what = trial->said_code != NULL ? NULL : "answer",
    };
    struct finding said;
    *out = (struct verdict){.kind = VERDICT_UNKNOWN};
    if (trial->said_code != NULL) {
        finding_set(&said, trial->said, trial->said_code, "as said");
    }
    judge(&course, trial->said_code != NULL ? &said : NULL, out);
}

TEST(a_check_is_judged_by_its_word_and_its_course)
{
    for (size_t i = 0; i < sizeof trials / sizeof *trials; i++) {
        const struct trial *trial = &trials[i];
        struct verdict verdict;
        judged(trial, &verdict);
        if (verdict.kind != trial->kind || strcmp(verdict.code, trial->code) != 0 ||
            strstr(verdict.cause, trial->cause) == NULL ||
            verdict.definitive != trial->definitive || verdict.duration_ns != trial->took_ns) {
            fail_msg("%s: %s (%s)%s: %s", trial->name, verdict_name(verdict.kind), verdict.code,
                     verdict.definitive ? ", definitive" : "", verdict.cause);
        }
    }
}

TEST(without_max_latency_no_pass_is_slow)
{
    struct course course = {.timeout_ms = 100, .took_ns = MS(99)};
    struct finding said;
    struct verdict verdict;
    finding_set(&said, VERDICT_PASS, "ok", "as said");
    judge(&course, &said, &verdict);
    assert_int_equal(verdict.kind, VERDICT_PASS);
}

TEST(what_we_worked_in_the_meantime_excuses_nothing)
{
    struct course course = {.timeout_ms = 100,
                            .took_ns = MS(190),
                            .worked_ns = MS(90),
                            .given = true,
                            .awaited.what = "answer"};
    struct finding said;
    struct verdict verdict;
    judge(&course, NULL, &verdict);
    assert_int_equal(verdict.kind, VERDICT_FAIL);
    assert_string_equal(verdict.cause,
                        "no answer within 100ms, nor in the 90ms more that popgated was busy");
    finding_set(&said, VERDICT_FAIL, "closed", "as said");
    judge(&course, &said, &verdict);
    assert_int_equal(verdict.kind, VERDICT_FAIL);
    course.worked_ns = 0; // it was stopped for as long
    judge(&course, &said, &verdict);
    assert_int_equal(verdict.kind, VERDICT_UNKNOWN);
}

TEST(what_we_worked_in_the_meantime_is_given_again_once)
{
    static const struct {
        uint64_t took_ns, worked_ns;
        bool given;
        uint64_t more_ns;
    } cases[] = {{MS(101), 0, false, 0},
                 {MS(101), MS(30), false, MS(29)},
                 {MS(101), MS(30), true, 0},
                 {MS(140), MS(30), false, 0},          // it had them
                 {MS(101), MS(5000), false, MS(100)}}; // never more than its timeout
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct course course = {.timeout_ms = 100,
                                .took_ns = cases[i].took_ns,
                                .worked_ns = cases[i].worked_ns,
                                .given = cases[i].given};
        assert_int_equal(judge_more_ns(&course), cases[i].more_ns);
    }
}

TEST(silence_counts_for_who_had_half_of_the_time)
{
    static const struct {
        uint64_t own_ns;
        enum verdict_kind kind;
        const char *code;
    } cases[] = {{MS(53), VERDICT_FAIL, "timeout"},
                 {MS(53) + 1, VERDICT_UNKNOWN, "local"},
                 {UINT64_MAX, VERDICT_UNKNOWN, "local"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct course course = {
            .timeout_ms = 100, .took_ns = MS(101), .awaited = {"answer", cases[i].own_ns}};
        struct verdict verdict;
        judge(&course, NULL, &verdict);
        assert_int_equal(verdict.kind, cases[i].kind);
        assert_string_equal(verdict.code, cases[i].code);
    }
}

TEST(what_we_were_held_and_what_we_waited_for_ourselves_are_taken_from_the_same_time)
{
    static const struct {
        uint64_t held_ns, own_ns;
        const char *code;
    } cases[] = {{MS(33), MS(20), "timeout"},
                 {MS(33), MS(20) + 1, "stalled"},
                 {MS(20), MS(33) + 1, "local"},
                 {MS(90), ALL_ITS_TIME, "local"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct course course = {.timeout_ms = 100,
                                .took_ns = MS(101),
                                .held_ns = cases[i].held_ns,
                                .awaited = {"answer", cases[i].own_ns}};
        struct verdict verdict;
        judge(&course, NULL, &verdict);
        assert_string_equal(verdict.code, cases[i].code);
    }
}

TEST(what_we_waited_for_ourselves_does_not_make_a_pass_slow)
{
    struct course course = {
        .timeout_ms = 100, .max_latency_ms = 20, .took_ns = MS(60), .awaited.own_ns = MS(40)};
    struct finding said;
    struct verdict verdict;
    finding_set(&said, VERDICT_PASS, "ok", "as said");
    judge(&course, &said, &verdict);
    assert_int_equal(verdict.kind, VERDICT_PASS);
    course.took_ns++;
    judge(&course, &said, &verdict);
    assert_int_equal(verdict.kind, VERDICT_DEGRADED);
}

TEST(what_a_sick_prober_saw_says_nothing_but_is_told)
{
    static const bool bad[] = {
        [VERDICT_FAIL] = true, [VERDICT_DEGRADED] = true, [VERDICT_PASS] = 0};
    for (enum verdict_kind kind = VERDICT_UNKNOWN; kind <= VERDICT_PASS; kind++) {
        struct verdict verdict = {.kind = kind};
        assert_int_equal(verdict_is_bad(&verdict), bad[kind]);
    }
    struct verdict verdict = {.kind = VERDICT_FAIL, .definitive = true, .cause = "refused by it"};
    judge_sick("no loopback", &verdict);
    assert_int_equal(verdict.kind, VERDICT_UNKNOWN);
    assert_false(verdict.definitive);
    assert_string_equal(verdict.code, "prober-sick");
    assert_string_equal(verdict.cause,
                        "popgated itself is sick (no loopback); seen: refused by it");
}
