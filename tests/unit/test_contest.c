// Two popgated on one BIRD: when one of them gives way, and when it goes on.
#include "controller/core/contest.h"

#include "tests/test.h"

#include <stdio.h>
#include <string.h>

#define OURS   "0123456789abcdef"
#define THEIRS "fedcba9876543210"

static struct contest contest;
static unsigned its_round; // of the protocol that is fought about
static uint64_t now_ms;

static int set_up(void **state)
{
    (void)state;
    contest = (struct contest){0};
    its_round = 0;
    now_ms = 1000000;
    contest_own(&contest, OURS);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    return 0;
}

TEST_FIXTURE(set_up, tear_down);

// How many rounds it takes until nothing is switched any more; 0: it never comes to that.
static unsigned fight(unsigned rounds, uint64_t pause_ms)
{
    for (unsigned i = 1; i <= rounds; i++) {
        now_ms += pause_ms;
        contest_drift(&contest, &its_round, now_ms);
        if (contest.state == CONTEST_STANDS) {
            return i;
        }
    }
    return 0;
}

TEST(who_finds_anothers_file_and_is_switched_back_each_time_gives_way)
{
    contest_loaded(&contest, THEIRS);
    assert_int_equal(fight(100, 100), CONTEST_ROUNDS);
    assert_string_equal(contest.other, THEIRS);
    assert_int_equal(contest.since_ms, now_ms);
}

TEST(whose_file_bird_has_goes_on_however_often_it_is_switched_back)
{
    contest_loaded(&contest, OURS);
    assert_int_equal(fight(1000, 100), 0);
    contest_loaded(&contest, ""); // nor does anybody else's `birdc enable` count
    assert_int_equal(fight(1000, 100), 0);
}

TEST(an_older_file_of_ours_is_ours)
{
    char revision[REVISION_TEXT_MAX];
    for (unsigned i = 0; i + 1 < CONTEST_OURS; i++) {
        snprintf(revision, sizeof revision, "%016x", i);
        contest_own(&contest, revision);
    }
    contest_loaded(&contest, OURS);
    assert_int_equal(fight(1000, 100), 0);
}

TEST(a_file_that_is_left_without_anybody_behind_it_is_switched_off_like_any_other)
{
    contest_loaded(&contest, THEIRS);
    assert_int_equal(fight(CONTEST_ROUNDS - 1, 100), 0);
    now_ms += 60000;
    assert_int_equal(fight(CONTEST_ROUNDS - 1, 100), 0); // once in a while is no fight
    assert_int_equal(fight(100, 10001), 0);
}

TEST(what_is_switched_back_together_is_one_round)
{
    contest_loaded(&contest, THEIRS);
    unsigned rounds[100] = {0};
    for (unsigned i = 0; i < 100; i++) {
        contest_drift(&contest, &rounds[i], now_ms);
    }
    assert_int_equal(contest.rounds, 1);
    assert_int_equal(contest.state, CONTEST_NONE);
    for (unsigned i = 0; i < 100; i++) {
        contest_drift(&contest, &rounds[99 - i], now_ms); // in whatever order
    }
    assert_int_equal(contest.rounds, 2);
}

// One `birdc enable` of another protocol just before, and the fight went on for ten seconds.
TEST(it_matters_not_which_protocol_was_switched_back_first)
{
    unsigned first = 0;
    contest_loaded(&contest, THEIRS);
    contest_drift(&contest, &first, now_ms);
    assert_in_range(fight(100, 100), CONTEST_ROUNDS, CONTEST_ROUNDS + 1);
}

// However fast: each round is a change at every neighbour.
TEST(rounds_within_a_millisecond_are_rounds)
{
    contest_loaded(&contest, THEIRS);
    assert_int_equal(fight(100, 0), CONTEST_ROUNDS);
}

TEST(it_goes_on_when_bird_has_a_file_of_ours_or_nobodys)
{
    contest_loaded(&contest, THEIRS);
    fight(100, 100);
    assert_false(contest_loaded(&contest, THEIRS));
    assert_true(contest_loaded(&contest, OURS));
    assert_int_equal(contest.state, CONTEST_NONE);
    contest_loaded(&contest, THEIRS);
    fight(100, 100);
    assert_true(contest_loaded(&contest, ""));
    contest_loaded(&contest, THEIRS);
    fight(100, 100);
    assert_true(contest_link(&contest)); // another BIRD, perhaps
    contest_loaded(&contest, THEIRS);
    fight(100, 100);
    assert_true(contest_own(&contest, THEIRS)); // what a reload made is what BIRD has
    assert_int_equal(contest.state, CONTEST_NONE);
    assert_string_equal(contest.other, "");
}

TEST(now_and_then_it_is_tried_whether_the_other_is_gone)
{
    contest_loaded(&contest, THEIRS);
    fight(100, 100);
    assert_int_equal(contest_next_ms(&contest), now_ms + 60000);
    now_ms += 59999;
    contest_tick(&contest, now_ms);
    assert_int_equal(contest.state, CONTEST_STANDS);
    contest_tick(&contest, ++now_ms);
    assert_int_equal(contest.state, CONTEST_TRIES);
    assert_int_equal(fight(1, 5), 1); // once is enough then, and nothing new
    assert_int_equal(contest_next_ms(&contest), now_ms + 120000);
    now_ms += 120000;
    contest_tick(&contest, now_ms);
    assert_false(contest_tick(&contest, now_ms + 9999));
    assert_true(contest_tick(&contest, now_ms + 10000)); // nobody switched back
    assert_int_equal(contest.state, CONTEST_NONE);
    assert_int_equal(contest_next_ms(&contest), UINT64_MAX);
}

TEST(tries_become_rare_and_never_end)
{
    contest_loaded(&contest, THEIRS);
    fight(100, 100);
    for (unsigned i = 0; i < 20; i++) {
        now_ms = contest_next_ms(&contest);
        contest_tick(&contest, now_ms);
        assert_int_equal(fight(1, 5), 1);
    }
    assert_int_equal(contest_next_ms(&contest), now_ms + 3600000);
}
