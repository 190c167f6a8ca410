// One control connection between the daemon and BIRD in the simulation, as birdctl/session keeps it
// up: connecting, greeting, two lanes and a window, deadlines and giving up.
#pragma once

#include "controller/core/order.h"
#include "tests/sim/bird.h"

#define LINE_ROOM   512
#define LINE_WINDOW 64 // commands; the bytes are the narrower limit

struct line_command {
    uint64_t token;
    uint64_t written_ns;
    uint64_t at_ns; // when BIRD gets round to it
    char text[BIRD_COMMAND_MAX];
};

struct lane {
    struct line_command items[LINE_ROOM];
    size_t first, count;
};

struct line_events {
    void (*link)(void *arg, enum bird_link state, const char *reason);
    void (*line)(void *arg, uint64_t token, const struct bird_line *line);
    void (*end)(void *arg, uint64_t token, enum bird_end end, unsigned code, const char *text);
};

struct line {
    enum { LINE_RESTING, LINE_GREETING, LINE_READY } state;
    enum bird_link told;
    char reason[64];
    uint64_t act_at_ns; // resting: connects; greeting: BIRD greets, if it does not hang
    uint64_t heard_ns;
    struct lane urgent, normal; // not written yet
    struct lane written;
    size_t bytes; // written and not answered
};

// What was written by who has gone since, and a hung BIRD will still do.
struct orphans {
    char texts[LINE_ROOM][BIRD_COMMAND_MAX];
    size_t count;
};

void line_begin(struct line *line, uint64_t at_ns); // connects then
bool line_send(struct line *line, struct dice *dice, uint64_t slow_ns, const struct order *order,
               uint64_t now_ns); // false: not connected
size_t line_outstanding(const struct line *line);

// When something is due; do it.
uint64_t line_next_ns(const struct line *line, const struct model *model);
void line_step(struct line *line, struct model *model, struct orphans *orphans, struct dice *dice,
               uint64_t slow_ns, uint64_t now_ns, const struct line_events *events, void *arg);

// BIRD went away.
void line_lost(struct line *line, struct dice *dice, uint64_t now_ns,
               const struct line_events *events, void *arg);

// The daemon went away: BIRD does what it has read of the commands, all of it or some.
void line_abandon(struct line *line, struct model *model, struct orphans *orphans,
                  struct dice *dice, bool all);
void orphans_do(struct orphans *orphans, struct model *model); // BIRD is awake
