// What questions may take of BIRD's time, answer by answer.
#include "controller/core/budget.h"

#include "base/clock.h"
#include "tests/test.h"

// How long after an answer that took so long the next question may be asked.
static uint64_t pause_after_ns(struct budget *budget, uint64_t *now_ns, uint64_t took_ns)
{
    budget_asked(budget, 1, *now_ns);
    *now_ns += took_ns;
    budget_answered(budget, *now_ns);
    uint64_t next_ns = budget_next_ns(budget, false);
    return next_ns > *now_ns ? next_ns - *now_ns : 0;
}

// BIRD reads a full table, or was stopped: that says nothing of what an answer costs it.
TEST(a_first_answer_that_took_ages_stops_no_look_ups_for_ages)
{
    struct budget budget;
    uint64_t now_ns = NS_PER_S;
    budget_init(&budget, now_ns);
    assert_in_range(pause_after_ns(&budget, &now_ns, 20 * NS_PER_S), 1, 10 * NS_PER_S);
}

TEST(a_first_answer_that_is_dear_is_followed_by_a_rest)
{
    struct budget budget;
    uint64_t now_ns = NS_PER_S;
    budget_init(&budget, now_ns);
    assert_in_range(pause_after_ns(&budget, &now_ns, 25 * NS_PER_MS), 100 * NS_PER_MS, NS_PER_S);
}
