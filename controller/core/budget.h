// How much of BIRD's time questions about routes may take: a hundredth in the long run, with some
// in hand. When that is spent only what just changed is asked about, for a fifth of it. Pure.
//
// What an answer costs is measured, and neither guessed from BIRD's version nor from the size of
// its tables (bird-facts 22): the same question takes 0.1 ms here and 25 ms there. Questions are
// asked in batches, the next when all of one are answered: many while they are cheap; one when they
// are dear, and a rest follows. What took long once may have taken our own time, or that of whoever
// else keeps BIRD busy: the measure falls at once, and doubles at most. So the first is bounded,
// too: a BIRD that reads a full table says nothing for many seconds.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BUDGET_BATCH     16                    // at most; and no more than are cheap together
#define BUDGET_SHARE     100                   // one part in so many of BIRD's time
#define BUDGET_IN_HAND   (UINT64_C(250000000)) // ns of BIRD's time that can be saved up
#define BUDGET_OVERDRAFT (UINT64_C(50000000))  // ns that may be lacking after an answer
#define BUDGET_DEAR      (UINT64_C(1000000))   // ns and more make an answer a dear one
#define BUDGET_CHEAP     (UINT64_C(50000))     // ns: what is less is as good
#define BUDGET_FIRST     (UINT64_C(50000000))  // ns that the first answer is taken for, at most
#define BUDGET_REST      4                     // times as long as the answers took

struct budget {
    int64_t left_ns;    // of BIRD's time
    uint64_t filled_ns; // when that was so
    uint64_t asked_ns;  // when the batch under way was
    uint64_t rest_ns;   // nothing is asked before
    uint64_t each_ns;   // what an answer takes
    size_t batch;       // questions in the one under way, or the last
    size_t unanswered;  // of it
    bool measured;      // else each_ns says nothing
};

void budget_init(struct budget *budget, uint64_t now_ns);

// Nothing is under way any more: the link went. What is known of costs is forgotten.
void budget_forget(struct budget *budget);

// How many questions may be asked now, as one batch; when it is spent, about nothing but what
// changed.
size_t budget_room(struct budget *budget, uint64_t now_ns);
bool budget_is_spent(const struct budget *budget);
void budget_asked(struct budget *budget, size_t count, uint64_t now_ns);
void budget_answered(struct budget *budget, uint64_t now_ns);

bool budget_is_dear(const struct budget *budget);

// When there is room again, if nothing else happens; changed: for what changed. UINT64_MAX: not
// before an answer.
uint64_t budget_next_ns(const struct budget *budget, bool changed);
