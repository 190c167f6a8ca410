// Work that may never end, such as reading a file on a disk that does not answer: each piece of it
// on a thread of its own, while the loop goes on. Nothing on the loop touches a file that is not
// ours.
//
// Promises: one piece at a time for each struct aside, so that a disk that hangs holds no more
// threads than there are of these. Who does not want to wait any longer leaves it behind; what it
// then comes to is undone on its thread.
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <uv.h>

// The beginning of a piece of work, on the heap.
struct aside_work {
    void (*run)(struct aside_work *work);  // on its thread
    void (*drop)(struct aside_work *work); // undoes and frees it, when it was left behind
    struct aside *aside;
    pthread_mutex_t lock; // of left and done
    bool left, done;
};

// Zeroed but for the three of the owner it is closed.
struct aside {
    uv_async_t done;
    struct aside_work *work; // that is under way
    void *owner;
    void (*on_done)(void *owner, struct aside_work *work); // to be freed by the owner
    void (*on_free)(void *owner);                          // after aside_close(), from the loop
};

// 0 or a negative uv error, and it is closed. aside_close() hands over what has just ended, and
// leaves behind what has not, also when it is begun only then.
int aside_open(struct aside *aside, uv_loop_t *loop);
void aside_close(struct aside *aside);

// Takes the work over; none is under way. 0, or a negative uv error and nothing is begun: the work
// is the caller's.
int aside_begin(struct aside *aside, struct aside_work *work);

// Is any piece of work under way, left behind or not? Then the program must end by _exit(): what
// exit() takes apart (OpenSSL's tables) is in use.
bool aside_is_busy(void);
