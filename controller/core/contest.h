// Another popgated on the same BIRD: two that switch the same protocols would do so for ever, and
// the neighbours would see each time. The one whose file BIRD has not loaded gives way. Pure.
//
// That BIRD has a file which was never ours is not enough: it may be left from before, with nobody
// behind it any more, and is then to be switched off like anything else. But where what is switched
// is switched back at once, time after time, somebody lives who does. From then on nothing is
// switched, but for what is newly decided to be withdrawn, until BIRD has a file of ours, or no
// popgated's; and now and then it is tried again, in case the other one is gone and its file is
// not.
#pragma once

#include "controller/core/birdconf.h"

#define CONTEST_OURS     8
#define CONTEST_ROUNDS   3 // switched back, each within CONTEST_QUIET_MS of the one before
#define CONTEST_QUIET_MS 10000

enum contest_state {
    CONTEST_NONE,
    CONTEST_STANDS, // the other one switches; nothing is switched from here
    CONTEST_TRIES,  // as if it were gone
};

struct contest {
    enum contest_state state;
    char ours[CONTEST_OURS][REVISION_TEXT_MAX]; // a ring; the last of what this popgated has made
    size_t next;
    char other[REVISION_TEXT_MAX]; // that BIRD has, and that is none of ours; empty: there is none
    unsigned round;   // number of the present one, the first being 1; never counted anew
    unsigned rounds;  // of this fight
    uint64_t last_ms; // when the present one began
    uint64_t since_ms;
    uint64_t due_ms; // the next try, or its end
    uint64_t pause_ms;
};

// Each of these returns whether a contest began or ended.

// A file of ours, that BIRD may have now or later.
bool contest_own(struct contest *contest, const char *revision);
// What BIRD has loaded; empty: no popgated's.
bool contest_loaded(struct contest *contest, const char *revision);
// A protocol that had been switched from here, and BIRD had said so, was found switched back.
// *round: the last one in which it was, 0 before; kept by the caller, for each protocol. What is
// switched back together is one round, whichever protocols they are; the next begins when one of
// them is switched back again.
bool contest_drift(struct contest *contest, unsigned *round, uint64_t now_ms);
bool contest_tick(struct contest *contest, uint64_t now_ms);

// Something is withdrawn from here: that is never held back, whoever else switches. It ends the
// contest, which may well begin anew.
void contest_withdraws(struct contest *contest);

// The link to BIRD came up: it may be another BIRD, and have another file.
bool contest_link(struct contest *contest);

uint64_t contest_next_ms(const struct contest *contest); // of contest_tick(); UINT64_MAX: never
