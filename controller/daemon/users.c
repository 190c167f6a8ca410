#include "controller/daemon/users.h"

#include "base/clock.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EACH_MS  60000
#define ROOM_MIN 32

struct reading {
    struct aside_work work;
    struct user_name *names; // NULL: it could not be read
    size_t count, room;
    char path[];
};

static int by_uid(const void *a, const void *b)
{
    const struct user_name *one = a;
    const struct user_name *other = b;
    return (one->uid > other->uid) - (one->uid < other->uid);
}

static bool has(const struct reading *reading, uid_t uid)
{
    for (size_t i = 0; i < reading->count; i++) {
        if (reading->names[i].uid == uid) {
            return true;
        }
    }
    return false;
}

// No more room than there are users, who are few on most hosts. False: out of memory.
static bool make_room(struct reading *reading)
{
    if (reading->names != NULL && reading->count < reading->room) {
        return true;
    }
    size_t room = reading->room > 0 ? 2 * reading->room : ROOM_MIN;
    struct user_name *names = realloc(reading->names, room * sizeof *names);
    if (names == NULL) {
        return false;
    }
    reading->names = names;
    reading->room = room;
    return true;
}

// False: whoever is missing is not known to be gone.
static bool read_names(struct reading *reading, FILE *file)
{
    // It has one buffer for all threads: nobody else calls it.
    const struct passwd *user;
    reading->count = 0;
    bool room = make_room(reading);
    while (room && reading->count < USERS_MAX && (user = fgetpwent(file)) != NULL) {
        if (!has(reading, user->pw_uid)) {
            struct user_name *name = &reading->names[reading->count++];
            name->uid = user->pw_uid;
            snprintf(name->name, sizeof name->name, "%s", user->pw_name);
            room = make_room(reading);
        }
    }
    return room && !ferror(file);
}

static void run(struct aside_work *work)
{
    struct reading *reading = (struct reading *)work;
    FILE *file = fopen(reading->path, "re");
    if (file == NULL) {
        return;
    }
    if (read_names(reading, file)) {
        qsort(reading->names, reading->count, sizeof *reading->names, by_uid);
    } else {
        free(reading->names);
        reading->names = NULL;
    }
    fclose(file);
}

static void drop(struct aside_work *work)
{
    free(((struct reading *)work)->names);
    free(work);
}

static void on_done(void *owner, struct aside_work *work)
{
    struct users *users = owner;
    struct reading *reading = (struct reading *)work;
    if (reading->names != NULL && users->open) {
        free(users->names);
        users->names = reading->names;
        users->count = reading->count;
        reading->names = NULL;
    }
    drop(work);
}

static void on_free(void *owner)
{
    struct users *users = owner;
    free(users->names);
    users->names = NULL;
    users->count = 0;
}

static void begin_reading(struct users *users)
{
    if (!users->open || users->aside.work != NULL) {
        return;
    }
    users->read_ms = uv_hrtime() / NS_PER_MS;
    size_t length = strlen(users->path) + 1;
    struct reading *reading = calloc(1, sizeof *reading + length);
    if (reading == NULL) {
        return;
    }
    reading->work.run = run;
    reading->work.drop = drop;
    memcpy(reading->path, users->path, length);
    if (aside_begin(&users->aside, &reading->work) != 0) {
        free(reading);
    }
}

int users_open(struct users *users, uv_loop_t *loop, const char *path)
{
    *users = (struct users){.aside = {.owner = users, .on_done = on_done, .on_free = on_free},
                            .path = path};
    int error = aside_open(&users->aside, loop);
    users->open = error == 0;
    if (users->open) {
        begin_reading(users);
    }
    return error;
}

void users_look(struct users *users)
{
    if (uv_hrtime() / NS_PER_MS - users->read_ms >= EACH_MS) {
        begin_reading(users);
    }
}

void users_close(struct users *users)
{
    if (users->open) {
        users->open = false;
        aside_close(&users->aside);
    }
}

const char *users_name(struct users *users, uid_t uid)
{
    struct user_name wanted = {.uid = uid};
    const struct user_name *found = users->count > 0 ? bsearch(&wanted, users->names, users->count,
                                                               sizeof *users->names, by_uid)
                                                     : NULL;
    if (found == NULL) {
        begin_reading(users); // for the next time
    }
    return found != NULL ? found->name : NULL;
}
