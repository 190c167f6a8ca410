// The names of this host's users, without waiting for the disk that has them: what was read last is
// what is known. It is read aside (probes/aside.h), at the start, each minute, and when somebody
// unknown is asked for.
#pragma once

#include "probes/aside.h"

#include <sys/types.h>

#define USERS_NAME_MAX 33 // as useradd(8) allows, with its NUL
#define USERS_MAX      4096

struct users {
    struct aside aside;
    const char *path;
    struct user_name {
        uid_t uid;
        char name[USERS_NAME_MAX];
    } * names; // by uid; of one that has several, the first
    size_t count;
    uint64_t read_ms; // when that began last
    bool open;
};

// Begins to read path, which is like /etc/passwd; nobody else is asked, a directory service may be
// far away. 0 or a negative uv error, and it is closed.
int users_open(struct users *users, uv_loop_t *loop, const char *path);
void users_close(struct users *users); // waits for nobody; also if it is closed
void users_look(struct users *users);  // now and then: reads it again if it is time to

// NULL: there was none of that number, or more than USERS_MAX, when it was read last. Good until
// the loop goes on.
const char *users_name(struct users *users, uid_t uid);
