#include "controller/core/contest.h"

#include <stdio.h>
#include <string.h>

#define TRY_MS     60000 // from one try to the next, doubled for each
#define TRY_MAX_MS 3600000

static bool is_ours(const struct contest *contest, const char *revision)
{
    for (size_t i = 0; i < CONTEST_OURS; i++) {
        if (strcmp(contest->ours[i], revision) == 0) {
            return true;
        }
    }
    return false;
}

static bool end(struct contest *contest)
{
    bool news = contest->state != CONTEST_NONE;
    contest->state = CONTEST_NONE;
    contest->rounds = 0;
    contest->pause_ms = 0;
    return news;
}

bool contest_loaded(struct contest *contest, const char *revision)
{
    bool foreign = revision[0] != '\0' && !is_ours(contest, revision);
    snprintf(contest->other, sizeof contest->other, "%.*s", REVISION_TEXT_MAX - 1,
             foreign ? revision : "");
    return !foreign && end(contest);
}

bool contest_own(struct contest *contest, const char *revision)
{
    char other[REVISION_TEXT_MAX];
    if (!is_ours(contest, revision)) {
        snprintf(contest->ours[contest->next], sizeof contest->ours[0], "%s", revision);
        contest->next = (contest->next + 1) % CONTEST_OURS;
    }
    memcpy(other, contest->other, sizeof other);
    return contest_loaded(contest, other);
}

static bool stand(struct contest *contest, uint64_t now_ms)
{
    bool news = contest->state == CONTEST_NONE;
    contest->pause_ms = contest->pause_ms == 0 ? TRY_MS : 2 * contest->pause_ms;
    if (contest->pause_ms > TRY_MAX_MS) {
        contest->pause_ms = TRY_MAX_MS;
    }
    if (news) {
        contest->since_ms = now_ms;
    }
    contest->state = CONTEST_STANDS;
    contest->due_ms = now_ms + contest->pause_ms;
    return news;
}

bool contest_drift(struct contest *contest, unsigned *round, uint64_t now_ms)
{
    if (contest->other[0] == '\0' || contest->state == CONTEST_STANDS) {
        return false;
    }
    if (contest->state == CONTEST_TRIES) {
        return stand(contest, now_ms);
    }
    if (contest->rounds == 0 || now_ms - contest->last_ms > CONTEST_QUIET_MS) {
        contest->rounds = 0;
    } else if (*round != contest->round) {
        *round = contest->round;
        return false;
    }
    *round = ++contest->round;
    contest->rounds++;
    contest->last_ms = now_ms;
    return contest->rounds >= CONTEST_ROUNDS && stand(contest, now_ms);
}

bool contest_tick(struct contest *contest, uint64_t now_ms)
{
    if (now_ms < contest_next_ms(contest)) {
        return false;
    }
    if (contest->state == CONTEST_STANDS) {
        contest->state = CONTEST_TRIES;
        contest->due_ms = now_ms + CONTEST_QUIET_MS;
        return false;
    }
    return end(contest);
}

void contest_withdraws(struct contest *contest)
{
    (void)end(contest);
}

bool contest_link(struct contest *contest)
{
    contest->other[0] = '\0';
    return end(contest);
}

uint64_t contest_next_ms(const struct contest *contest)
{
    return contest->state != CONTEST_NONE ? contest->due_ms : UINT64_MAX;
}
