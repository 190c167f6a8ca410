// Makes BIRD do what is decided: compares, per service, the target with the state of its protocols,
// and says which to enable and disable, in the order that leaves no gap. Pure: rows and replies in,
// orders out.
//
// What is to go off goes at once, a command for each protocol; but where several wait until earlier
// ones are answered, one pattern takes in as many of them as it can without touching what is to
// stay.
//
// A service has two legs, its primary protocols and their drain twins (one per address family each,
// with a command of its own, which names it: a pattern costs BIRD more, bird-facts 34). A leg is
// switched on only when the include file on disk says so already (a restarting BIRD must come up
// the same); it is switched off first and written after, since withdrawals don't wait.
#pragma once

#include "controller/core/birdconf.h"
#include "controller/core/decision.h"
#include "controller/core/order.h"

#include "birdctl/reply.h"

enum leg_state {
    LEG_UNSEEN, // nothing known since BIRD's socket came up
    LEG_ABSENT, // BIRD has no such protocol
    LEG_OFF,
    LEG_STARTING, // enabled, not yet up
    LEG_ON,
};

struct leg {
    enum leg_state state[FAMILIES];                      // of families that the service has
    enum { LEG_IDLE, LEG_ENABLING, LEG_DISABLING } sent; // the last command not yet answered
    uint64_t unanswered;                                 // commands
    uint64_t acted;        // announcer's clock of actions when last commanded or answered
    uint64_t file_version; // of the include file that first says what is wanted now
    bool wanted;
    unsigned sweep; // that its last command was, counted from 1; 0: none
};

// Where a service waits until something may be done for it.
enum waiting_name {
    WAITING_NEW,   // to be looked at: something about it changed
    WAITING_OFF,   // something of it is on and is not to be
    WAITING_DOUBT, // the same, but it is off in all likelihood: not seen since the link came up
    WAITING_ON,    // something is to be switched on
    WAITING_LISTS
};

struct waiting_list { // a ring
    size_t *items;
    size_t first, count;
};

struct announced {
    enum target target;
    struct leg legs[LEGS];
    size_t protocols[LEGS][FAMILIES]; // where they are in announcer's; of families that it has
    bool waits[WAITING_LISTS];
};

// Something is switched on only while fewer commands than this are unanswered, so that the session
// writes it at once: what waits there is overtaken by a later switching off, and would undo it.
#define ANNOUNCER_UNANSWERED_MAX 8

// And switched off while fewer than this are: what waits here may be made one command with others,
// what waits in the session can't. More of them would not fit into BIRD's buffer (bird-facts 6).
#define ANNOUNCER_OFF_MAX 24

#define ANNOUNCER_STRAYS_MAX 16

// Room that announcer_plan() wants in the queue before it begins a service.
#define ANNOUNCER_ORDERS_PER_SERVICE ((size_t)LEGS * FAMILIES)

struct announcer_protocol {
    char name[BIRD_PROTOCOL_MAX];
    size_t service;
    enum family family;
    enum leg_name leg;
    uint64_t snapshot; // number of the last one that has a row for it
    unsigned round;    // of a contest, contest_drift()
};

// One command that switches off all protocols whose names begin alike.
struct sweep {
    size_t first, end; // of announcer's protocols; both are 0 in one that is free
};

// What BIRD may have of a service that is configured no more, or of one in a family that it has no
// more. It is to be off, and is switched off as what else is withdrawn.
struct retired {
    struct service_conf conf; // its symbol and families, nothing else
    size_t before;            // its index in the announcer before; SIZE_MAX: it is not there
    bool gone;                // that announcer knew already that BIRD has nothing of it
};

struct announcer {
    const struct config *config;
    struct retired *retired;
    size_t service_count; // config's, and after them what is retired
    struct announced *services;
    struct announcer_protocol *protocols; // sorted by name
    size_t protocol_count;
    uint64_t *kept; // a bit for each protocol: its service is not to be withdrawn
    struct waiting_list waiting[WAITING_LISTS];
    struct sweep sweeps[ANNOUNCER_OFF_MAX]; // unanswered
    size_t wanted_on;                       // legs wanted on, over all services
    size_t unanswered;                      // commands
    uint64_t actions;                       // clock: counts commands sent and answered
    bool link_up;
    uint64_t snapshots;      // begun
    bool snapshot_taken;     // since the link came up
    uint64_t link_began;     // value of actions when the link last came up or went
    uint64_t snapshot_began; // value of actions when the snapshot under way was asked for
    bool snapshot_in_turn;   // it is the one of each second, not one asked for because of a reply
    bool pipes_off;          // somebody switched off a pipe of ours
    // Protocols named as ours that are on, but of nobody that we know of.
    char strays[ANNOUNCER_STRAYS_MAX][BIRD_PROTOCOL_MAX];
    size_t stray_count;
};

// The second index of the tokens of orders that are for no single service: a part of what another
// one brings to its end, or that of a sweep.
enum { ANNOUNCER_PART, ANNOUNCER_SWEEP };

// NULL only when out of memory. config must outlive it. retired: count of them, without what config
// has after all; copied.
struct announcer *announcer_new(const struct config *config, const struct retired *retired,
                                size_t retired_count);
void announcer_free(struct announcer *announcer);

// file_version: of the include file that will say so.
void announcer_set_target(struct announcer *announcer, size_t service, enum target target,
                          uint64_t file_version);

// What it has off may be on by now: it is told so again, and settled when it has answered.
void announcer_doubt(struct announcer *announcer, size_t service);

// The command link came up or went: nothing is known of BIRD any more.
void announcer_link(struct announcer *announcer, bool up);

// After a reload that is nothing to BIRD: the same services, of another configuration.
void announcer_move(struct announcer *announcer, const struct config *config);

// After a reload: what old knew of its service `before` is known of service still, so that a
// withdrawal need not wait behind orders for what is off already.
void announcer_take_over(struct announcer *announcer, size_t service, const struct announcer *old,
                         size_t before);
// The same for all that is retired.
void announcer_take_over_retired(struct announcer *announcer, const struct announcer *old);

// A snapshot of `show protocols`: begin when it is asked for, a row for each protocol, end with its
// last line. row returns true when the protocol was switched by somebody else (drift).
void announcer_snapshot_begin(struct announcer *announcer, bool in_turn);
bool announcer_row(struct announcer *announcer, const char *protocol, bool up);
bool announcer_snapshot_end(struct announcer *announcer);

// The same for a look at one service, or at all that is ours: rows, with the low bits of the clock
// of actions when it was asked for; and the end of one at one service.
bool announcer_look_row(struct announcer *announcer, const char *protocol, bool up, size_t asked);
void announcer_look_end(struct announcer *announcer, size_t service);

// Whose protocol that name is, which text begins with; SIZE_MAX: no service's.
size_t announcer_whose(const struct announcer *announcer, const char *text);

// The round of a contest that is kept for it; NULL: it is no service's.
unsigned *announcer_round(struct announcer *announcer, const char *protocol);

// The clock of actions when the service was last commanded or answered.
uint64_t announcer_acted(const struct announcer *announcer, size_t service);

// Replies to our own orders: a line for each protocol (code 8 .. 11), then the end. complete false:
// the link went.
void announcer_reply_line(struct announcer *announcer, unsigned code, const char *text);
void announcer_reply_end(struct announcer *announcer, uint64_t token, enum bird_outcome outcome);

// Puts what is to be done now into orders. file: version of the include file that is on disk, or
// that could not be written: not being able to write is trouble of our own, and does not keep a
// healthy service off the air.
void announcer_plan(struct announcer *announcer, struct orders *orders, uint64_t file);

// Commands are unanswered, or wait for such.
bool announcer_is_busy(const struct announcer *announcer);

// Withdrawals wait for BIRD to have answered others: then it has better to do than anything else.
bool announcer_holds_back(const struct announcer *announcer);

// Something waits to be switched on; perhaps for the file.
bool announcer_wants_file(const struct announcer *announcer);

// BIRD was seen to have one of the service's protocols of this family on, with nothing under way.
bool announcer_is_on(const struct announcer *announcer, size_t service, enum family family);

// Every command for this service is answered, and every protocol of it is as wanted.
bool announcer_settled(const struct announcer *announcer, size_t service);
// One leg takes over from the other: BIRD has, or is told to have, both of them on.
bool announcer_is_between(const struct announcer *announcer, size_t service);
// Its file is written and nothing stands in the way, but BIRD lacks the protocol.
bool announcer_lacks_protocol(const struct announcer *announcer, size_t service);
