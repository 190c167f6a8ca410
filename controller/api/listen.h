// Who may connect, how many at once and for how long: the API's sockets, and who is at the other
// end. It hands over what it takes, and knows nothing of HTTP.
//
// Each kind of peer has connections of its own, so that none starves another. Whoever keeps us
// waiting for longer than ten seconds is cut off. Whoever waits for a change that was asked for
// takes no place, gone or not; how many may is for the owner to say.
//
// Nobody could isolate a service any more if the socket's file were gone: when somebody takes it
// away, it is made anew.
#pragma once

#include "controller/config/config.h"

#include "base/error.h"

#include <sys/types.h>
#include <sys/un.h>
#include <uv.h>

enum peer_kind { PEER_OPERATOR, PEER_LOCAL, PEER_TCP, PEER_KINDS };

struct listening;

// A connection.
struct peer {
    struct peer *previous, *next;
    struct listening *listening;
    int fd;
    enum peer_kind kind;
    uid_t uid;
    pid_t pid;
    uint64_t since_ms; // of what the deadline counts from
    bool waiting;      // for us, not for the client
    bool placeless;    // and leaves its place to others meanwhile
    void *request;     // the owner's
};

struct listening {
    uv_loop_t *loop;
    // Takes fd over, a connection within the limits; its peer begins with peer_begins().
    void (*take)(void *arg, int fd, const struct sockaddr *address, socklen_t length);
    void (*taken)(void *arg);                  // several maybe
    void (*tell)(void *arg, const char *text); // what somebody did to the socket's file
    void *arg;
    struct listener {
        uv_poll_t poll;
        int fd;
        struct listening *listening;
    } listeners[2];
    size_t listener_count;
    uv_timer_t sweep; // looks for clients that are too slow
    struct peer *peers;
    unsigned counts[PEER_KINDS]; // places taken
    struct group_lookup *group;  // whose members may change things; may be NULL
    char path[sizeof((struct sockaddr_un *)NULL)->sun_path];
    struct {
        dev_t device;
        ino_t inode;              // 0: none yet
    } file;                       // at path, when it is ours
    uv_fs_event_t changed;        // in its directory
    bool lost;                    // it is gone, and could not be made anew
    struct endpoint http;         // as configured
    char http_trouble[ERROR_MAX]; // why nobody listens there; empty: somebody does, or it is not to
                                  // be
    size_t handles;
    void (*on_closed)(void *arg);
};

// Does a popgated answer on that directory's socket?
bool listening_is_live(const char *runtime_dir);

// Of all kinds, at most, of which as many as `wait` have no place.
unsigned listening_peers_max(unsigned wait);

// Listens on <runtime_dir>/popgate.sock, mode 0666, and on [control] http if there is one; a stale
// socket is replaced, a live one is an error. False with an error said; to be closed all the same.
// An address for http that can't be had is no error, but trouble.
bool listening_open(struct listening *listening, const struct config *config,
                    char error[ERROR_MAX]);
// Where it could not be had; whoever had it may be gone.
void listening_try_http(struct listening *listening);
// Makes the socket anew if it is gone: the kernel tells so, but not when the directory went with
// it.
void listening_keep_socket(struct listening *listening);
// on_closed(arg) when its handles are gone, later. Peers stay until they end.
void listening_close(struct listening *listening, void (*on_closed)(void *arg));

struct peer *peer_begins(struct listening *listening, int fd); // NULL: out of memory
void peer_ends(struct peer *peer);
void peer_waits(struct peer *peer);       // for us
void peer_gives_place(struct peer *peer); // until it is answered
void peer_answered(struct peer *peer);    // its time begins anew; it may not have waited
