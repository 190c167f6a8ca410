// See kept.h. A file counts as changed when its times, its size or its inode have.
#include "probes/kept.h"

#include "probes/aside.h"
#include "probes/system_error.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct kept_item {
    struct kept_item *next, **link; // of all
    unsigned users;
    const struct kept_kind *kind;
    struct aside aside; // looks at its files
    struct kept_user *waiting;
    void *thing;                      // NULL: none yet
    struct stat seen[KEPT_FILES_MAX]; // as it was read
    struct kept_files files;
    char text[]; // of the paths
};

// ---- A look at the files, aside

struct look {
    struct aside_work work; // the first
    const struct kept_kind *kind;
    bool known; // it was read before, with the files as in seen
    struct stat seen[KEPT_FILES_MAX];
    void *thing; // NULL, and nothing in problem: as before
    char problem[VERDICT_CAUSE_MAX];
    struct kept_files files;
    char text[];
};

static bool is_unchanged(const struct stat *a, const struct stat *b)
{
    return a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
           a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec &&
           a->st_size == b->st_size && a->st_ino == b->st_ino && a->st_dev == b->st_dev;
}

// What can't be looked at is not as it was; reading it will say why.
static bool look_at_all(struct look *look)
{
    bool unchanged = look->known;
    for (size_t i = 0; i < KEPT_FILES_MAX && look->files.paths[i] != NULL; i++) {
        struct stat now = {.st_size = 0};
        bool there = stat(look->files.paths[i], &now) == 0;
        unchanged = unchanged && there && is_unchanged(&now, &look->seen[i]) &&
                    access(look->files.paths[i], R_OK) == 0;
        look->seen[i] = now;
    }
    return unchanged;
}

static void look_aside(struct aside_work *work)
{
    struct look *look = (struct look *)work;
    if (!look_at_all(look)) {
        look->thing = look->kind->read(&look->files, look->problem);
    }
}

static void drop_look(struct aside_work *work)
{
    struct look *look = (struct look *)work;
    if (look->thing != NULL) {
        look->kind->drop(look->thing);
    }
    free(look);
}

static void leave_queue(struct kept_user *user)
{
    *user->link = user->next;
    if (user->next != NULL) {
        user->next->link = user->link;
    }
    user->link = NULL;
}

// Those who begin to wait for it meanwhile want another look.
static void answer_all(struct kept_item *item, const struct finding *problem)
{
    struct kept_user *waiting = item->waiting;
    item->waiting = NULL;
    if (waiting != NULL) {
        waiting->link = &waiting;
    }
    while (waiting != NULL) {
        struct kept_user *user = waiting;
        leave_queue(user);
        if (problem == NULL) {
            item->kind->hold(item->thing);
        }
        user->on_thing(user->owner, problem == NULL ? item->thing : NULL, problem);
    }
}

static void on_looked(void *owner, struct aside_work *work)
{
    struct kept_item *item = owner;
    struct look *look = (struct look *)work;
    struct finding problem;
    if (look->thing != NULL) {
        if (item->thing != NULL) {
            item->kind->drop(item->thing); // those who use it hold it themselves
        }
        item->thing = look->thing;
        memcpy(item->seen, look->seen, sizeof item->seen);
    }
    bool good = look->problem[0] == '\0';
    finding_set(&problem, VERDICT_UNKNOWN, item->kind->code, "%s", look->problem);
    free(look);
    answer_all(item, good ? NULL : &problem);
}

static size_t text_size(const struct kept_files *files)
{
    size_t size = 0;
    for (size_t i = 0; i < KEPT_FILES_MAX && files->paths[i] != NULL; i++) {
        size += strlen(files->paths[i]) + 1;
    }
    return size;
}

// text has room for all.
static struct kept_files copy_files(const struct kept_files *files, char *text)
{
    struct kept_files copy = {.paths = {NULL}};
    for (size_t i = 0; i < KEPT_FILES_MAX && files->paths[i] != NULL; i++) {
        size_t size = strlen(files->paths[i]) + 1;
        copy.paths[i] = memcpy(text, files->paths[i], size);
        text += size;
    }
    return copy;
}

// 0 or a negative uv error.
static int begin_look(struct kept_item *item)
{
    struct look *look = calloc(1, sizeof *look + text_size(&item->files));
    if (look == NULL) {
        return UV_ENOMEM;
    }
    look->work = (struct aside_work){.run = look_aside, .drop = drop_look};
    look->kind = item->kind;
    look->known = item->thing != NULL;
    memcpy(look->seen, item->seen, sizeof look->seen);
    look->files = copy_files(&item->files, look->text);
    int error = aside_begin(&item->aside, &look->work);
    if (error) {
        free(look);
    }
    return error;
}

// ---- The items

static void on_free(void *owner)
{
    struct kept_item *item = owner;
    if (item->thing != NULL) {
        item->kind->drop(item->thing);
    }
    free(item);
}

static bool are_same(const struct kept_files *a, const struct kept_files *b)
{
    bool same = true;
    for (size_t i = 0; i < KEPT_FILES_MAX && same; i++) {
        const char *one = a->paths[i] != NULL ? a->paths[i] : "";
        const char *other = b->paths[i] != NULL ? b->paths[i] : "";
        same = strcmp(one, other) == 0;
    }
    return same;
}

static struct kept_item *open_item(struct kept *kept, const struct kept_files *files)
{
    struct kept_item *item = calloc(1, sizeof *item + text_size(files));
    if (item == NULL) {
        return NULL;
    }
    item->kind = kept->kind;
    item->files = copy_files(files, item->text);
    item->aside = (struct aside){.owner = item, .on_done = on_looked, .on_free = on_free};
    if (aside_open(&item->aside, kept->loop) != 0) {
        free(item);
        return NULL;
    }
    item->next = kept->items;
    item->link = &kept->items;
    if (item->next != NULL) {
        item->next->link = &item->next;
    }
    kept->items = item;
    return item;
}

static void close_item(struct kept_item *item)
{
    assert(item->waiting == NULL);
    *item->link = item->next;
    if (item->next != NULL) {
        item->next->link = item->link;
    }
    aside_close(&item->aside);
}

static struct kept_item *find(struct kept *kept, const struct kept_files *files)
{
    struct kept_item *item = kept->items;
    while (item != NULL && !are_same(&item->files, files)) {
        item = item->next;
    }
    return item != NULL ? item : open_item(kept, files);
}

static void use(struct kept_user *user, struct kept *kept, const struct kept_files *files)
{
    if (user->item != NULL && are_same(&user->item->files, files)) {
        return;
    }
    kept_leave(user);
    user->item = find(kept, files);
    if (user->item != NULL) {
        user->item->users++;
    }
}

void kept_ask(struct kept *kept, const struct kept_files *files, struct kept_user *user)
{
    struct finding problem;
    char attempted[192];
    assert(user->link == NULL);
    use(user, kept, files);
    struct kept_item *item = user->item;
    int error = item == NULL ? UV_ENOMEM : item->aside.work != NULL ? 0 : begin_look(item);
    if (error) {
        snprintf(attempted, sizeof attempted, "read %.160s", files->paths[0]);
        finding_error(&problem, error, attempted);
        user->on_thing(user->owner, NULL, &problem);
        return;
    }
    user->next = item->waiting;
    user->link = &item->waiting;
    if (user->next != NULL) {
        user->next->link = &user->next;
    }
    item->waiting = user;
}

void kept_forget(struct kept_user *user)
{
    if (user->link != NULL) {
        leave_queue(user);
    }
}

bool kept_awaits(const struct kept_user *user)
{
    return user->link != NULL;
}

void kept_leave(struct kept_user *user)
{
    struct kept_item *item = user->item;
    kept_forget(user);
    user->item = NULL;
    if (item != NULL && --item->users == 0) {
        close_item(item);
    }
}
