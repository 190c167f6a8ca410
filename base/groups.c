#include "base/groups.h"

#include "base/clock.h"

#include <errno.h>
#include <grp.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ENTRY_MAX (1U << 20) // bytes of a group with all its members

// Whoever asked and the thread have a share in it each; the last one frees it.
struct group_lookup {
    atomic_uint shares;
    sem_t answered;
    atomic_bool found;
    gid_t group; // once it is found
    char name[];
};

// The first group of /etc/group of which that is so; false: there is none.
static bool find_local(bool (*is_it)(const struct group *group, const void *wanted),
                       const void *wanted, void (*take)(void *arg, const struct group *group),
                       void *arg)
{
    FILE *file = fopen("/etc/group", "re");
    const struct group *group = NULL;
    while (file != NULL && (group = fgetgrent(file)) != NULL && !is_it(group, wanted)) {
    }
    if (group != NULL) {
        take(arg, group);
    }
    if (file != NULL) {
        fclose(file);
    }
    return group != NULL;
}

static bool has_number(const struct group *group, const void *wanted)
{
    return group->gr_gid == *(const gid_t *)wanted;
}

static bool has_name(const struct group *group, const void *wanted)
{
    return strcmp(group->gr_name, wanted) == 0;
}

struct name {
    char *text;
    size_t size;
};

static void take_name(void *arg, const struct group *group)
{
    const struct name *name = arg;
    snprintf(name->text, name->size, "%s", group->gr_name);
}

bool group_local_name(gid_t group, char *out, size_t size)
{
    struct name name = {out, size};
    return find_local(has_number, &group, take_name, &name);
}

static void let_go(struct group_lookup *lookup)
{
    if (atomic_fetch_sub(&lookup->shares, 1) == 1) {
        sem_destroy(&lookup->answered);
        free(lookup);
    }
}

static void take_number(void *arg, const struct group *group)
{
    struct group_lookup *lookup = arg;
    lookup->group = group->gr_gid;
    atomic_store(&lookup->found, true);
}

static void *ask(void *arg)
{
    struct group_lookup *lookup = arg;
    struct group entry;
    struct group *group = NULL;
    char *names = malloc(ENTRY_MAX);
    if (names != NULL && getgrnam_r(lookup->name, &entry, names, ENTRY_MAX, &group) == 0 &&
        group != NULL) {
        take_number(lookup, group);
    }
    free(names);
    sem_post(&lookup->answered);
    let_go(lookup);
    return NULL;
}

static void wait_for_answer(struct group_lookup *lookup, unsigned within_ms)
{
    struct timespec end;
    clock_gettime(CLOCK_MONOTONIC, &end);
    uint64_t end_ns =
        (uint64_t)end.tv_sec * NS_PER_S + (uint64_t)end.tv_nsec + within_ms * NS_PER_MS;
    end = (struct timespec){(time_t)(end_ns / NS_PER_S), (long)(end_ns % NS_PER_S)};
    while (sem_clockwait(&lookup->answered, CLOCK_MONOTONIC, &end) != 0 && errno == EINTR) {
    }
}

static void ask_apart(struct group_lookup *lookup, unsigned within_ms)
{
    pthread_t thread;
    lookup->shares++;
    if (pthread_create(&thread, NULL, ask, lookup) != 0) {
        lookup->shares--;
        return;
    }
    pthread_detach(thread);
    wait_for_answer(lookup, within_ms);
}

struct group_lookup *group_look_up(const char *name, unsigned within_ms)
{
    size_t length = strlen(name);
    struct group_lookup *lookup = calloc(1, sizeof *lookup + length + 1);
    if (lookup == NULL || sem_init(&lookup->answered, 0, 0) != 0) {
        free(lookup);
        return NULL;
    }
    memcpy(lookup->name, name, length + 1);
    lookup->shares = 1;
    if (!find_local(has_name, name, take_number, lookup)) {
        ask_apart(lookup, within_ms);
    }
    return lookup;
}

bool group_found(const struct group_lookup *lookup, gid_t *out)
{
    if (!atomic_load(&lookup->found)) {
        return false;
    }
    *out = lookup->group;
    return true;
}

void group_lookup_free(struct group_lookup *lookup)
{
    if (lookup != NULL) {
        let_go(lookup);
    }
}
