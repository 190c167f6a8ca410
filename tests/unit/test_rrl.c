// Response rate limiting, with a clock that the test turns.

#include "dns/responder/rrl.h"

#include "tests/test.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#define NOW_MS 1000000U
#define RATE   10

static int begin(void **state)
{
    *state = rrl_new();
    return *state != NULL ? 0 : -1;
}

static int end(void **state)
{
    rrl_free(*state);
    return 0;
}

TEST_FIXTURE(begin, end);

static enum rrl_verdict ask(struct rrl *rrl, const char *from, uint64_t now_ms, uint32_t slip,
                            uint32_t dice)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    if (inet_pton(AF_INET, from, &v4.sin_addr) == 1) {
        return rrl_check(rrl, (const struct sockaddr *)&v4, now_ms, RATE, slip, dice);
    }
    assert_int_equal(inet_pton(AF_INET6, from, &v6.sin6_addr), 1);
    return rrl_check(rrl, (const struct sockaddr *)&v6, now_ms, RATE, slip, dice);
}

static unsigned answers(struct rrl *rrl, const char *from, uint64_t now_ms, unsigned queries)
{
    unsigned count = 0;
    for (unsigned i = 0; i < queries; i++) {
        count += ask(rrl, from, now_ms, 0, i) == RRL_ANSWER;
    }
    return count;
}

TEST(a_client_gets_a_seconds_worth_at_once_and_no_more)
{
    assert_int_equal(answers(*state, "192.0.2.1", NOW_MS, 100), RATE);
}

TEST(as_time_goes_by_he_gets_more)
{
    answers(*state, "192.0.2.1", NOW_MS, 100);
    assert_int_equal(answers(*state, "192.0.2.1", NOW_MS + 99, 100), 0);
    assert_int_equal(answers(*state, "192.0.2.1", NOW_MS + 100, 100), 1);
    assert_int_equal(answers(*state, "192.0.2.1", NOW_MS + 600, 100), RATE / 2);
    assert_int_equal(answers(*state, "192.0.2.1", NOW_MS + 3600000, 100), RATE);
}

TEST(whoever_asks_at_just_the_rate_is_never_limited)
{
    for (unsigned i = 0; i < 1000; i++) {
        assert_int_equal(ask(*state, "192.0.2.1", NOW_MS + i * 1000 / RATE, 0, i), RRL_ANSWER);
    }
}

TEST(one_in_slip_of_those_over_the_limit_is_told_to_use_tcp_as_the_dice_have_it)
{
    answers(*state, "192.0.2.1", NOW_MS, RATE);
    for (unsigned i = 0; i < 12; i++) {
        assert_int_equal(ask(*state, "192.0.2.1", NOW_MS, 3, i), i % 3 == 0 ? RRL_SLIP : RRL_DROP);
    }
}

TEST(with_a_slip_of_one_all_of_them_are)
{
    answers(*state, "192.0.2.1", NOW_MS, RATE);
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(ask(*state, "192.0.2.1", NOW_MS, 1, i), RRL_SLIP);
    }
}

TEST(no_rate_means_no_limit)
{
    struct sockaddr_in client = {.sin_family = AF_INET};
    for (unsigned i = 0; i < 1000; i++) {
        assert_int_equal(rrl_check(*state, (const struct sockaddr *)&client, NOW_MS, 0, 0, i),
                         RRL_ANSWER);
    }
}

TEST(the_highest_rate_does_not_overflow)
{
    struct sockaddr_in client = {.sin_family = AF_INET};
    for (unsigned i = 0; i < 1000; i++) {
        assert_int_equal(rrl_check(*state, (const struct sockaddr *)&client,
                                   NOW_MS + (uint64_t)i * 86400000, UINT32_MAX, 0, i),
                         RRL_ANSWER);
    }
}

TEST(a_slash_24_shares_its_answers_and_the_next_has_its_own)
{
    assert_int_equal(answers(*state, "192.0.2.1", NOW_MS, 100), RATE);
    assert_int_equal(answers(*state, "192.0.2.254", NOW_MS, 100), 0);
    assert_int_equal(answers(*state, "192.0.3.1", NOW_MS, 100), RATE);
}

TEST(a_slash_56_shares_its_answers_and_the_next_has_its_own)
{
    assert_int_equal(answers(*state, "2001:db8:0:1200::1", NOW_MS, 100), RATE);
    assert_int_equal(answers(*state, "2001:db8:0:12ff::1", NOW_MS, 100), 0);
    assert_int_equal(answers(*state, "2001:db8:0:1300::1", NOW_MS, 100), RATE);
}

TEST(who_floods_stays_known_among_any_number_of_forged_addresses)
{
    answers(*state, "192.0.2.1", NOW_MS, 100);
    for (uint32_t i = 0; i < 300000; i++) {
        struct sockaddr_in forged = {.sin_family = AF_INET,
                                     .sin_addr.s_addr = htonl(0x0a000000 + (i << 8))};
        rrl_check(*state, (const struct sockaddr *)&forged, NOW_MS, RATE, 0, i);
    }
    assert_int_equal(answers(*state, "192.0.2.1", NOW_MS, 100), 0);
}

TEST(a_thread_whose_clock_is_older_gives_nothing_back)
{
    assert_int_equal(answers(*state, "192.0.2.1", NOW_MS + 900, 100), RATE);
    assert_int_equal(answers(*state, "192.0.2.1", NOW_MS, 100), 0);
    assert_int_equal(answers(*state, "192.0.2.1", NOW_MS + 1000, 100), 1);
}

// However long he was away, but for the one moment in 71 minutes (see rrl.c).
TEST(who_was_away_for_long_has_all_his_answers)
{
    uint64_t now_ms = NOW_MS;
    for (unsigned i = 0; i < 1000; i++) {
        assert_int_equal(answers(*state, "192.0.2.1", now_ms, 100), RATE);
        now_ms += i % 2 ? 3600000 : (uint64_t)7 * 86400000;
    }
}

#define THREADS 8
#define EACH    130000 // more than their share, all in all
#define ROUNDS  20     // so that they meet

struct flood {
    pthread_t thread;
    pthread_barrier_t *all_there;
    struct rrl *rrl;
    uint64_t now_ms;
    unsigned answered;
};

static void *flood_on(void *arg)
{
    struct flood *flood = arg;
    const struct sockaddr_in client = {.sin_family = AF_INET};
    pthread_barrier_wait(flood->all_there);
    for (unsigned i = 0; i < EACH; i++) {
        flood->answered += rrl_check(flood->rrl, (const struct sockaddr *)&client, flood->now_ms,
                                     RRL_RATE_MAX, 0, i) == RRL_ANSWER;
    }
    return NULL;
}

static unsigned flood(struct rrl *rrl, uint64_t now_ms)
{
    pthread_barrier_t all_there;
    struct flood floods[THREADS];
    unsigned answered = 0;
    assert_int_equal(pthread_barrier_init(&all_there, NULL, THREADS), 0);
    for (size_t i = 0; i < THREADS; i++) {
        floods[i] = (struct flood){.all_there = &all_there, .rrl = rrl, .now_ms = now_ms};
        assert_int_equal(pthread_create(&floods[i].thread, NULL, flood_on, &floods[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(floods[i].thread, NULL);
        answered += floods[i].answered;
    }
    pthread_barrier_destroy(&all_there);
    return answered;
}

TEST(however_many_threads_give_answers_it_is_one_budget)
{
    assert_true(THREADS * EACH > RRL_RATE_MAX);
    for (uint64_t i = 0; i < ROUNDS; i++) {
        assert_int_equal(flood(*state, NOW_MS + i * 1000), RRL_RATE_MAX);
    }
}
