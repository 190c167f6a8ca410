// A relay at a BIRD's control socket: its clients speak with the real BIRD, but what the test names
// is not answered, or by the relay. What BIRD itself can't be brought to do is staged with it.
#pragma once

#include "tests/lab/bird.h"

struct lab_relay;

enum lab_relay_way {
    // Neither this nor what follows on the same connection is answered, nor is anything else said
    // there: replies come in order. BIRD hears of it once there is no such rule any more.
    LAB_RELAY_WITHHOLDS,
    LAB_RELAY_PRETENDS, // BIRD does not hear of it: text, in BIRD's words, is the whole reply
    LAB_RELAY_GOES_ON,  // the same, but text comes again and again, as long as there is the rule
};

// From now on lab_bird_socket() is the relay's, until the lab is cleared; lab_birdc() speaks with
// BIRD as before. One for each BIRD; run popgated after it.
struct lab_relay *lab_relay_start(struct lab_bird *bird);

// Of questions and commands that begin with these words, on all connections. It takes the place of
// the rule before. text must last.
void lab_relay_rule(struct lab_relay *relay, const char *words, enum lab_relay_way way,
                    const char *text);
void lab_relay_no_rule(struct lab_relay *relay);

// How many has it so treated, all rules together?
size_t lab_relay_met(struct lab_relay *relay);
