// See judge.h.
#include "probes/judge.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

// For the timer's own grain, and for the last look at what has arrived.
#define GRAIN_MS 3

// The kernel's word of now: nothing listens there, the address is gone.
static bool is_refusal(const struct verdict *verdict)
{
    static const char *const codes[] = {"refused", "no-address"};
    for (size_t i = 0; verdict->kind == VERDICT_FAIL && i < sizeof codes / sizeof *codes; i++) {
        if (strcmp(verdict->code, codes[i]) == 0) {
            return true;
        }
    }
    return false;
}

static uint64_t late_ns(const struct course *course)
{
    uint64_t own_ns = course->timeout_ms * NS_PER_MS + course->worked_ns;
    return course->took_ns > own_ns ? course->took_ns - own_ns : 0;
}

static bool is_stall(const struct course *course, uint64_t ns)
{
    return ns > (course->timeout_ms / 2 + GRAIN_MS) * NS_PER_MS;
}

// The process must have been stopped (SIGSTOP, a suspended machine), or held for long.
static bool overslept(const struct course *course)
{
    return is_stall(course, late_ns(course));
}

uint64_t judge_more_ns(const struct course *course)
{
    uint64_t timeout_ns = course->timeout_ms * NS_PER_MS;
    uint64_t due_ns = timeout_ns + course->worked_ns;
    if (course->given || due_ns <= course->took_ns) {
        return 0;
    }
    uint64_t more_ns = due_ns - course->took_ns;
    return more_ns < timeout_ns ? more_ns : timeout_ns;
}

// What held us and what we waited for ourselves are taken from the same time.
static bool was_ours(const struct course *course)
{
    uint64_t own_ns = course->awaited.own_ns;
    return own_ns == ALL_ITS_TIME || overslept(course) ||
           is_stall(course, course->held_ns + own_ns);
}

static void judge_silence(const struct course *course, struct verdict *out)
{
    uint64_t late = late_ns(course);
    uint64_t stalled_ns = course->held_ns > late ? course->held_ns : late;
    uint64_t own_ns = course->awaited.own_ns;
    bool ours = was_ours(course);
    out->kind = ours ? VERDICT_UNKNOWN : VERDICT_FAIL;
    if (ours && stalled_ns > own_ns) {
        snprintf(out->code, sizeof out->code, "stalled");
        snprintf(out->cause, sizeof out->cause,
                 "popgated itself was stalled for %" PRIu64 "ms of the check's %" PRIu64
                 "ms (no %s)",
                 (stalled_ns + own_ns) / NS_PER_MS, course->timeout_ms, course->awaited.what);
        return;
    }
    snprintf(out->code, sizeof out->code, "%s", ours ? "local" : "timeout");
    int length = snprintf(out->cause, sizeof out->cause, "no %s within %" PRIu64 "ms",
                          course->awaited.what, course->timeout_ms);
    if (course->given && length < (int)sizeof out->cause) {
        snprintf(out->cause + length, sizeof out->cause - (size_t)length,
                 ", nor in the %" PRIu64 "ms more that popgated was busy",
                 course->took_ns / NS_PER_MS - course->timeout_ms);
    }
}

static void judge_latency(const struct course *course, const struct finding *said,
                          struct verdict *out)
{
    bool slow = course->max_latency_ms != 0 && !overslept(course) &&
                course->took_ns >
                    course->max_latency_ms * NS_PER_MS + course->busy_ns + course->awaited.own_ns;
    if (slow) {
        out->kind = VERDICT_DEGRADED;
        snprintf(out->code, sizeof out->code, "slow");
        snprintf(out->cause, sizeof out->cause,
                 "took %.1fms, longer than max_latency %" PRIu64 "ms; passed: %.150s",
                 (double)course->took_ns / NS_PER_MS, course->max_latency_ms, said->cause);
    }
}

// A service that had to wait so long for us may well have hung up.
static void judge_failure(const struct course *course, const struct finding *said,
                          struct verdict *out)
{
    if (!is_refusal(out) && overslept(course)) {
        out->kind = VERDICT_UNKNOWN;
        snprintf(out->code, sizeof out->code, "stalled");
        snprintf(out->cause, sizeof out->cause,
                 "popgated itself was stalled: the check took %" PRIu64 "ms of its %" PRIu64
                 "ms; seen: %.150s",
                 course->took_ns / NS_PER_MS, course->timeout_ms, said->cause);
    }
}

void judge(const struct course *course, const struct finding *said, struct verdict *out)
{
    out->duration_ns = course->took_ns;
    if (said == NULL) {
        judge_silence(course, out);
    } else {
        out->kind = said->kind;
        memcpy(out->code, said->code, sizeof out->code);
        memcpy(out->cause, said->cause, sizeof out->cause);
    }
    if (said != NULL && said->kind == VERDICT_PASS) {
        judge_latency(course, said, out);
    } else if (said != NULL && said->kind == VERDICT_FAIL) {
        judge_failure(course, said, out);
    }
    out->definitive = course->alert && is_refusal(out);
}

bool verdict_is_bad(const struct verdict *verdict)
{
    return verdict->kind == VERDICT_FAIL || verdict->kind == VERDICT_DEGRADED;
}

void judge_sick(const char *sick, struct verdict *verdict)
{
    char seen[VERDICT_CAUSE_MAX];
    memcpy(seen, verdict->cause, sizeof seen);
    verdict->kind = VERDICT_UNKNOWN;
    verdict->definitive = false;
    snprintf(verdict->code, sizeof verdict->code, "prober-sick");
    snprintf(verdict->cause, sizeof verdict->cause, "popgated itself is sick (%s); seen: %.100s",
             sick, seen);
}
