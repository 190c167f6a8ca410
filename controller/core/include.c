#include "controller/core/include.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum file_name { FILE_FORMER, FILE_NEXT, FILES };

// Where a service's protocols are in both files; NOWHERE: the file has no such protocol.
struct include_slots {
    size_t at[FILES][LEGS][FAMILIES];
};
#define NOWHERE SIZE_MAX

static size_t slot_of(const struct birdconf *file, const char *protocol)
{
    size_t slot = file != NULL ? birdconf_slot_index(file, protocol) : 0;
    return file != NULL && slot < file->slot_count ? slot : NOWHERE;
}

static void find_slots(struct include *include, size_t service, enum file_name file,
                       const struct birdconf *conf)
{
    for (unsigned leg = 0; leg < LEGS; leg++) {
        for (unsigned family = 0; family < FAMILIES; family++) {
            char name[BIRD_PROTOCOL_MAX];
            names_protocol(&include->config->services[service], family, leg, name);
            include->slots[service].at[file][leg][family] = slot_of(conf, name);
        }
    }
}

bool include_init(struct include *include, const struct config *config, struct birdconf *former,
                  struct birdconf *next)
{
    assert(config != NULL && next != NULL && next != former);
    *include = (struct include){.config = config, .former = former, .next = next, .wanted = 1};
    include->slots = calloc(config->service_count + 1, sizeof *include->slots);
    if (include->slots == NULL) {
        return false;
    }
    bool same = former != NULL && strcmp(former->revision, next->revision) == 0;
    include->next_wanted = former == NULL || same;
    include->next_was_former = same;
    if (same) {
        birdconf_free(former);
        include->former = NULL;
    }
    for (size_t i = 0; include->former != NULL && i < include->former->slot_count; i++) {
        birdconf_switch(include->former, i, false);
    }
    for (size_t i = 0; i < config->service_count; i++) {
        find_slots(include, i, FILE_FORMER, include->former);
        find_slots(include, i, FILE_NEXT, next);
    }
    return true;
}

void include_clear(struct include *include)
{
    birdconf_free(include->former);
    birdconf_free(include->next);
    free(include->slots);
    *include = (struct include){0};
}

const struct birdconf *include_file(const struct include *include)
{
    return include->next_wanted ? include->next : include->former;
}

bool include_prepare(struct include *include, const struct config *config, struct birdconf *next,
                     const struct include *old, const size_t *before)
{
    *include = (struct include){.config = config, .next = next};
    include->slots = calloc(config->service_count + 1, sizeof *include->slots);
    for (size_t i = 0; include->slots != NULL && i < config->service_count; i++) {
        find_slots(include, i, FILE_NEXT, next);
        if (before[i] == SIZE_MAX) {
            find_slots(include, i, FILE_FORMER, old->next); // as is likely to be on disk then
        }
    }
    return include->slots != NULL;
}

// old's file on disk, as it is left to the next: without what no service of that is responsible
// for.
static struct birdconf *leave_file(struct include *old, const size_t *after)
{
    enum file_name name = old->next_wanted ? FILE_NEXT : FILE_FORMER;
    struct birdconf **place = old->next_wanted ? &old->next : &old->former;
    struct birdconf *file = *place;
    for (size_t i = 0; file != NULL && i < old->config->service_count; i++) {
        const size_t *slots = &old->slots[i].at[name][0][0];
        for (size_t k = 0; after[i] == SIZE_MAX && k < (size_t)LEGS * FAMILIES; k++) {
            if (slots[k] != NOWHERE) {
                birdconf_switch(file, slots[k], false);
            }
        }
    }
    *place = NULL;
    return file;
}

void include_take_over(struct include *include, struct include *old, const size_t *before,
                       const size_t *after)
{
    enum file_name name = old->next_wanted ? FILE_NEXT : FILE_FORMER;
    include->former = leave_file(old, after);
    for (size_t i = 0; include->former != NULL && i < include->config->service_count; i++) {
        if (before[i] != SIZE_MAX) {
            memcpy(include->slots[i].at[FILE_FORMER], old->slots[before[i]].at[name],
                   sizeof include->slots[i].at[FILE_FORMER]);
        } else if (name == FILE_FORMER) {
            find_slots(include, i, FILE_FORMER, include->former);
        }
    }
    bool same =
        include->former != NULL && strcmp(include->former->revision, include->next->revision) == 0;
    include->next_wanted = include->former == NULL || same;
    include->next_was_former = same;
    if (same) { // but for what is on, which only the former one knows
        *(old->next_wanted ? &old->next : &old->former) = include->next; // freed with it
        include->next = include->former;
        include->former = NULL;
    }
    include->wanted = old->wanted + 1;
    include->submitted = old->submitted;
    include->saved = old->saved;
    include->tried = old->tried;
    include->handed_ms = old->handed_ms;
    memcpy(include->trouble, old->trouble, sizeof include->trouble);
    include->retry_at_ms = old->retry_at_ms;
}

// Returns whether the text changed.
static bool switch_leg(struct include *include, size_t service, enum file_name file,
                       enum leg_name leg, bool on)
{
    struct birdconf *conf = file == FILE_NEXT ? include->next : include->former;
    bool wanted = conf == include_file(include);
    bool changed = false;
    for (unsigned family = 0; family < FAMILIES; family++) {
        size_t slot = include->slots[service].at[file][leg][family];
        if (conf == NULL || slot == NOWHERE || !birdconf_switch(conf, slot, on)) {
            continue;
        }
        changed = true;
        if (wanted && !on) {
            if (include->patch_count < INCLUDE_PATCH_MAX) {
                include->patch[include->patch_count] = slot;
            }
            include->patch_count++;
        }
    }
    return changed && wanted;
}

void include_set(struct include *include, size_t service, enum target target)
{
    assert(service < include->config->service_count && target <= TARGET_ANNOUNCE);
    size_t patches = include->patch_count;
    bool changed = false;
    for (unsigned file = 0; file < FILES; file++) {
        changed |= switch_leg(include, service, file, LEG_PRIMARY, target == TARGET_ANNOUNCE);
        changed |= switch_leg(include, service, file, LEG_DRAIN, target == TARGET_DEPREFERENCE);
    }
    if (target != TARGET_WITHDRAW) {
        include->patch_count = patches;
    }
    include->wanted += changed;
}

void include_keep(struct include *include, size_t service, enum target target)
{
    bool changed = false;
    if (!include->next_was_former) {
        changed |= switch_leg(include, service, FILE_NEXT, LEG_PRIMARY, target == TARGET_ANNOUNCE);
        changed |=
            switch_leg(include, service, FILE_NEXT, LEG_DRAIN, target == TARGET_DEPREFERENCE);
    }
    include->wanted += changed;
}

void include_put(struct include *include, bool next)
{
    if (include->next_wanted != next) {
        include->next_wanted = next;
        include->wanted++;
        include->patch_count = 0; // of the other file
    }
}

void include_settle(struct include *include)
{
    include_put(include, true);
    birdconf_free(include->former);
    include->former = NULL;
}

void include_write_again(struct include *include)
{
    include->wanted++;
}

size_t include_take_patch(struct include *include, size_t slots[INCLUDE_PATCH_MAX])
{
    size_t count = include->patch_count <= INCLUDE_PATCH_MAX ? include->patch_count : 0;
    memcpy(slots, include->patch, count * sizeof *slots);
    include->patch_count = 0;
    return count;
}

bool include_submit(struct include *include, uint64_t now_ms)
{
    if (include->submitted == include->wanted && now_ms < include_next_ms(include)) {
        return false;
    }
    include->handed_ms = now_ms;
    include->submitted = include->wanted;
    include->retry_at_ms = UINT64_MAX;
    return true;
}

void include_saved(struct include *include, uint64_t version, const char *error, uint64_t now_ms)
{
    assert(include->tried <= version && version <= include->submitted);
    include->tried = version;
    snprintf(include->trouble, sizeof include->trouble, "%s", error != NULL ? error : "");
    if (error != NULL) {
        include->retry_at_ms = now_ms + INCLUDE_RETRY_MS;
    } else {
        include->saved = version;
    }
}

bool include_is_saved(const struct include *include)
{
    return include->saved == include->wanted;
}

uint64_t include_saving_ms(const struct include *include, uint64_t now_ms)
{
    bool under_way = include->tried < include->submitted;
    return under_way && now_ms > include->handed_ms ? now_ms - include->handed_ms : 0;
}

uint64_t include_next_ms(const struct include *include)
{
    return include->trouble[0] != '\0' ? include->retry_at_ms : UINT64_MAX;
}
