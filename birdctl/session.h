// One connection to BIRD's control socket, kept up: connects, greets, sends commands in order, and
// reconnects.
//
// Commands are pipelined, but never more bytes than BIRD's receive buffer holds (bird-facts 6).
// Urgent commands overtake those not yet written. A silent BIRD (its deadline passed) is reported,
// but what was written stays written: a stopped BIRD will do it when it wakes.
//
// The program must ignore SIGPIPE. Everything happens on the loop's thread.
#pragma once

#include "birdctl/command.h"
#include "birdctl/reply.h"

#include <uv.h>

#define BIRD_REASON_MAX 512
#define BIRD_REPLY_MAX  (UINT64_C(16) << 20) // bytes of one reply; 100,000 protocols fill half of it

struct bird_session;

// Every event may call bird_session_send() and bird_session_close(). None may be NULL.
struct bird_session_events {
    // The link changed, or the reason why it is down did; reason is an operator's sentence (empty
    // when up). version is set when up, else NULL. When it goes down, on_end() for every command
    // follows.
    void (*on_link)(void *arg, enum bird_link link, const char *reason,
                    const struct bird_version *version);
    // One line of the reply to the command with this token, the last one too.
    void (*on_line)(void *arg, uint64_t token, const struct bird_line *line);
    // A command ended; once for each. code and text are the last line's (0 and empty when lost).
    void (*on_end)(void *arg, uint64_t token, enum bird_end end, unsigned code, const char *text);
    // A log line that BIRD echoed (only if echo was asked for, and BIRD has it).
    void (*on_echo)(void *arg, const char *text);
};

struct bird_session_options {
    const char *socket_path; // copied
    // From a command being written (or the last line heard after that) to the next line heard; then
    // the link is SILENT.
    uint64_t deadline_ms;
    // Silent for so long: make a new connection. The former one is only listened to, until BIRD
    // closes it. Of those there are a few at most: then the connection that there is stays.
    uint64_t give_up_ms;
    // A reply that has gone on for so long (of a gap in it counts no more than deadline_ms: what
    // held BIRD or us up), or for BIRD_REPLY_MAX bytes, comes to no end: nothing more is read, and
    // the link is SILENT until it is given up.
    uint64_t reply_ms;
    uint64_t backoff_min_ms, backoff_max_ms; // reconnecting; doubles until a greeting
    bool echo;                               // ask for log echo where BIRD has it
};

// Starts connecting at once; no event comes before the loop runs. NULL only when out of memory.
struct bird_session *bird_session_new(uv_loop_t *loop, const struct bird_session_options *options,
                                      const struct bird_session_events *events, void *arg);

// Queues one command (one line without newline, not empty, shorter than BIRD_COMMAND_MAX) and, when
// the link is up and the window open, writes it before it returns. token comes back in the events,
// none of which is called from here. Returns 0, UV_ENOTCONN when the link is down, UV_ENOBUFS when
// 4096 commands of its lane (urgent or not) wait already, or UV_EINVAL for what is not such a line.
int bird_session_send(struct bird_session *session, const char *command, uint64_t token,
                      bool urgent);

// For who can't do without what was refused with UV_ENOBUFS: BIRD is parted from, and another
// connection is made. Told later, in events: link, and every command's end.
void bird_session_renew(struct bird_session *session);

size_t bird_session_outstanding(const struct bird_session *session); // queued and sent, unanswered

// Takes no more commands; those not yet written are forgotten, those written may be answered yet,
// for within_ms at most (0: no wait). Then the connection is closed: BIRD 3 can die of one that is
// closed while a question is being answered (bird-facts 23). No event follows, on_closed (may be
// NULL) when the handles are gone and session is freed. Once.
void bird_session_close(struct bird_session *session, uint64_t within_ms,
                        void (*on_closed)(void *arg), void *arg);
