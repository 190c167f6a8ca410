#include "controller/core/budget.h"

#include <assert.h>

#define AT_MOST 4 // times the measure is charged for an answer

void budget_init(struct budget *budget, uint64_t now_ns)
{
    *budget = (struct budget){.left_ns = BUDGET_IN_HAND, .filled_ns = now_ns};
}

void budget_forget(struct budget *budget)
{
    budget->unanswered = 0;
    budget->measured = false;
}

bool budget_is_dear(const struct budget *budget)
{
    return !budget->measured || budget->each_ns >= BUDGET_DEAR;
}

bool budget_is_spent(const struct budget *budget)
{
    return budget->left_ns <= 0;
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t most(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static void fill(struct budget *budget, uint64_t now_ns)
{
    uint64_t more_ns = (now_ns - budget->filled_ns) / BUDGET_SHARE;
    budget->filled_ns += more_ns * BUDGET_SHARE; // what is less than a part counts the next time
    more_ns = least(more_ns, 2 * BUDGET_IN_HAND);
    budget->left_ns += (int64_t)more_ns;
    if (budget->left_ns > (int64_t)BUDGET_IN_HAND) {
        budget->left_ns = BUDGET_IN_HAND;
    }
}

size_t budget_room(struct budget *budget, uint64_t now_ns)
{
    fill(budget, now_ns);
    if (budget->unanswered > 0 || now_ns < budget->rest_ns) {
        return 0;
    }
    return budget_is_dear(budget) ? 1 : least(BUDGET_DEAR / (budget->each_ns + 1), BUDGET_BATCH);
}

void budget_asked(struct budget *budget, size_t count, uint64_t now_ns)
{
    assert(budget->unanswered == 0 && count <= BUDGET_BATCH);
    budget->batch = budget->unanswered = count;
    budget->asked_ns = now_ns;
}

void budget_answered(struct budget *budget, uint64_t now_ns)
{
    assert(budget->unanswered > 0);
    if (--budget->unanswered > 0) {
        return;
    }
    uint64_t took_ns = now_ns - budget->asked_ns;
    uint64_t each_ns = took_ns / budget->batch;
    uint64_t at_most_ns = budget->measured ? 2 * most(budget->each_ns, BUDGET_CHEAP) : BUDGET_FIRST;
    budget->each_ns = least(each_ns, at_most_ns);
    budget->measured = true;
    fill(budget, now_ns);
    took_ns = least(took_ns, AT_MOST * budget->batch * budget->each_ns);
    budget->left_ns -= (int64_t)took_ns;
    int64_t floor_ns = -(int64_t)most(BUDGET_OVERDRAFT, budget->each_ns);
    budget->left_ns = budget->left_ns < floor_ns ? floor_ns : budget->left_ns;
    bool rests = budget_is_dear(budget) || budget_is_spent(budget);
    budget->rest_ns = rests ? now_ns + BUDGET_REST * took_ns : 0;
}

uint64_t budget_next_ns(const struct budget *budget, bool changed)
{
    if (budget->unanswered > 0) {
        return UINT64_MAX;
    }
    bool enough = changed || budget->left_ns > 0;
    uint64_t lacking_ns = enough ? 0 : (uint64_t)-budget->left_ns + 1;
    uint64_t enough_ns = enough ? 0 : budget->filled_ns + lacking_ns * BUDGET_SHARE;
    return most(enough_ns, budget->rest_ns);
}
