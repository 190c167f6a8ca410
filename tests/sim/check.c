#include "tests/sim/check.h"

#include "probes/judge.h"

#include <string.h>

#define GRAIN_NS (4 * NS_PER_MS) // of the timer, and of the last look at what has arrived

static uint64_t draw_up_to(struct dice *dice, uint64_t most_ns)
{
    return dice_below(dice, most_ns + 1);
}

static void draw_trouble(struct check *check, uint64_t timeout_ns, struct dice *dice)
{
    check->busy_from_ns = draw_up_to(dice, timeout_ns);
    switch (dice_below(dice, 5)) {
    case 0:
        check->held_ns = draw_up_to(dice, 2 * timeout_ns);
        break;
    case 1:
        check->worked_ns = draw_up_to(dice, 3 * timeout_ns);
        break;
    case 2:
        check->own_ns = dice_chance(dice, 20) ? NEVER_NS : draw_up_to(dice, timeout_ns);
        break;
    case 3:
        check->own_ns = draw_up_to(dice, timeout_ns / 2);
        check->held_ns = draw_up_to(dice, timeout_ns / 2);
        check->worked_ns = draw_up_to(dice, timeout_ns);
        break;
    default:
        check->sick = true;
    }
}

void check_draw(struct check *check, const struct probe_conf *conf, enum verdict_kind kind,
                bool definitive, bool trouble, struct dice *dice)
{
    static const char *const failures[] = {"refused", "closed", "rcode"};
    uint64_t timeout_ns = conf->timeout_ms * NS_PER_MS;
    bool fails = kind == VERDICT_FAIL;
    *check = (struct check){.says = kind, .code = "ok", .answers_ns = NS_PER_MS};
    check->alert = definitive || (trouble && dice_chance(dice, 5));
    if (fails) {
        check->code = failures[definitive ? 0 : dice_below(dice, 3)];
    }
    if (fails && !definitive && dice_chance(dice, 40)) {
        check->answers_ns = NEVER_NS;
    } else if (trouble && !definitive) {
        check->answers_ns = draw_up_to(dice, timeout_ns / 2);
    }
    check->dialog = dice_chance(dice, 50);
    check->max_latency_ms = dice_chance(dice, 30) ? conf->timeout_ms / 3 : 0;
    if (trouble && !definitive && dice_chance(dice, 10)) {
        draw_trouble(check, timeout_ns, dice);
    }
}

// ---- How it goes

static uint64_t sum(uint64_t a, uint64_t b)
{
    return a > NEVER_NS - b ? NEVER_NS : a + b;
}

static uint64_t busy_begins(const struct check *check)
{
    return sum(check->own_ns, check->busy_from_ns);
}

static uint64_t answer_ns(const struct check *check)
{
    uint64_t at_ns = sum(check->own_ns, check->answers_ns);
    bool waits = check->dialog && busy_begins(check) < at_ns;
    return waits ? sum(at_ns, check->worked_ns + check->held_ns) : at_ns;
}

// When our loop gets to see what happens then: not in the middle of its long turns.
static uint64_t seen_ns(const struct check *check, uint64_t at_ns)
{
    uint64_t begins_ns = busy_begins(check);
    uint64_t ends_ns = sum(begins_ns, check->worked_ns + check->held_ns);
    return at_ns >= begins_ns && at_ns < ends_ns ? ends_ns : at_ns;
}

static struct course course_at(const struct check *check, const struct probe_conf *conf,
                               uint64_t now_ns, bool given)
{
    bool busy = busy_begins(check) < now_ns; // both turns are over, as we are back
    return (struct course){
        .timeout_ms = conf->timeout_ms,
        .max_latency_ms = check->max_latency_ms,
        .took_ns = now_ns,
        .busy_ns = busy ? check->worked_ns + check->held_ns : 0,
        .held_ns = busy ? check->held_ns : 0,
        .worked_ns = busy ? check->worked_ns : 0,
        .given = given,
        .alert = check->alert,
        .awaited = {"answer", check->own_ns},
    };
}

// As probes/life.c runs it: to the answer, or to the end of its time and a last look.
static struct course run(const struct check *check, const struct probe_conf *conf, bool *answered)
{
    uint64_t answer_at_ns = answer_ns(check);
    uint64_t over_ns = seen_ns(check, conf->timeout_ms * NS_PER_MS);
    struct course course = course_at(check, conf, over_ns, false);
    uint64_t more_ns = judge_more_ns(&course);
    if (answer_at_ns > over_ns && more_ns > 0) {
        course = course_at(check, conf, seen_ns(check, over_ns + more_ns), true);
    }
    *answered = answer_at_ns <= course.took_ns;
    if (*answered) {
        course = course_at(check, conf, seen_ns(check, answer_at_ns), course.given);
    }
    return course;
}

// ---- What the verdict may be

static const char *judge_judgement(const struct check *check, const struct probe_conf *conf,
                                   const struct verdict *verdict)
{
    uint64_t timeout_ns = conf->timeout_ms * NS_PER_MS;
    bool held = busy_begins(check) < verdict->duration_ns;
    uint64_t taken_ns = sum(check->own_ns, held ? check->held_ns : 0); // from it, by ourselves
    bool refused = check->says == VERDICT_FAIL && strcmp(check->code, "refused") == 0;
    bool silent = check->answers_ns == NEVER_NS;
    bool ours = check->sick || check->says == VERDICT_UNKNOWN;
    if (verdict->definitive && (!check->alert || !refused || verdict->kind != VERDICT_FAIL)) {
        return "a verdict is definitive without a crash and a refusal";
    }
    if (verdict->kind == VERDICT_FAIL && refused && check->alert && !verdict->definitive &&
        strcmp(verdict->code, "refused") == 0) {
        return "a refusal after a crash is not definitive";
    }
    if (check->sick && verdict_is_bad(verdict)) {
        return "promise 2: a prober that can't see speaks against a service";
    }
    if (silent && verdict_is_bad(verdict) && taken_ns > timeout_ns / 2 + GRAIN_NS) {
        return "promise 2: a service that had less than half of its time has failed";
    }
    if (verdict->kind == VERDICT_UNKNOWN && !ours && taken_ns <= timeout_ns / 2) {
        return "promise 7: a check has said nothing, though nothing of our own came in between";
    }
    if (silent && verdict->duration_ns != NEVER_NS && check->own_ns != NEVER_NS &&
        verdict->duration_ns > 2 * timeout_ns + check->held_ns + check->worked_ns + GRAIN_NS) {
        return "promise 7: a silent service was given more than its timeout again";
    }
    bool slow = check->max_latency_ms != 0 && check->answers_ns > check->max_latency_ms * NS_PER_MS;
    if (check->says == VERDICT_PASS && !slow && verdict_is_bad(verdict) &&
        sum(taken_ns, check->answers_ns) <= timeout_ns) {
        return "promise 2: a service that answered in time is slow, or has failed";
    }
    if (verdict->kind == VERDICT_PASS && check->says != VERDICT_PASS) {
        return "promise 1: what did not pass has passed";
    }
    return NULL;
}

const char *check_run(const struct check *check, const struct probe_conf *conf, struct verdict *out)
{
    struct finding said;
    bool answered;
    struct course course = run(check, conf, &answered);
    *out = (struct verdict){.kind = VERDICT_UNKNOWN};
    finding_set(&said, check->says, check->code, "said %s", verdict_name(check->says));
    judge(&course, answered ? &said : NULL, out);
    if (check->sick && verdict_is_bad(out)) {
        judge_sick("no loopback", out);
    }
    return judge_judgement(check, conf, out);
}
