#include "controller/core/carried.h"

#include "base/array.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IN_GROUP 256 // numbers of lacks for each group; more than there can be of any kind

static const struct attributes *attributes_of(const struct service_conf *service, enum leg_name leg)
{
    return leg == LEG_DRAIN ? &service->drain : &service->primary;
}

static size_t count_of(const struct attributes *attributes, enum carried_group group)
{
    const size_t counts[CARRIED_GROUPS] = {
        [CARRIED_COMMUNITIES] = attributes->communities_count,
        [CARRIED_LARGE] = attributes->large_communities_count,
        [CARRIED_EXT] = attributes->ext_communities_count,
        [CARRIED_MED] = attributes->has_med,
        [CARRIED_LOCAL_PREF] = attributes->has_local_pref,
        [CARRIED_PREPEND] = attributes->prepend > 0,
    };
    return counts[group];
}

void carried_begin(struct carried *carried, const struct service_conf *service, enum leg_name leg,
                   uint64_t local_as, bool external)
{
    *carried =
        (struct carried){.local_as = local_as, .external = external, .group = CARRIED_GROUPS};
    carried_move(carried, service, leg);
}

void carried_move(struct carried *carried, const struct service_conf *service, enum leg_name leg)
{
    carried->wanted = attributes_of(service, leg);
    carried->but = leg == LEG_DRAIN ? &service->primary : NULL;
}

// Have both the same one of the group?
static bool has_too(const struct attributes *other, const struct attributes *attributes,
                    enum carried_group group, size_t index)
{
    switch (group) {
    case CARRIED_COMMUNITIES:
        return array_holds(other->communities, other->communities_count,
                           &attributes->communities[index], sizeof *other->communities);
    case CARRIED_LARGE:
        return array_holds(other->large_communities, other->large_communities_count,
                           &attributes->large_communities[index], sizeof *other->large_communities);
    case CARRIED_EXT:
        return array_holds(other->ext_communities, other->ext_communities_count,
                           &attributes->ext_communities[index], sizeof *other->ext_communities);
    case CARRIED_MED:
        return other->has_med && other->med == attributes->med;
    case CARRIED_LOCAL_PREF:
        return other->has_local_pref && other->local_pref == attributes->local_pref;
    default:
        return other->prepend == attributes->prepend;
    }
}

// As BIRD writes it in a list; NULL: it has several ways to.
static const char *listed(const struct attributes *attributes, enum carried_group group,
                          size_t index, char out[CARRIED_TEXT_MAX])
{
    const uint32_t *part;
    switch (group) {
    case CARRIED_COMMUNITIES:
        part = attributes->communities[index].part;
        snprintf(out, CARRIED_TEXT_MAX, "(%" PRIu32 ",%" PRIu32 ")", part[0], part[1]);
        return out;
    case CARRIED_LARGE:
        part = attributes->large_communities[index].part;
        snprintf(out, CARRIED_TEXT_MAX, "(%" PRIu32 ", %" PRIu32 ", %" PRIu32 ")", part[0], part[1],
                 part[2]);
        return out;
    default:
        return strcmp(attributes->ext_communities[index].kind, "generic") == 0
                   ? NULL
                   : attributes->ext_communities[index].text;
    }
}

static uint64_t times_prepended(const char *path, uint64_t local_as)
{
    uint64_t times = 0;
    for (;;) {
        char *end;
        uint64_t as = strtoull(path, &end, 10);
        if (end == path || as != local_as) {
            return times;
        }
        times++;
        path = end;
    }
}

static bool has_number(const struct carried *carried, const char *value)
{
    uint64_t number = strtoull(value, NULL, 10);
    return carried->group == CARRIED_MED ? number == carried->wanted->med
           : carried->group == CARRIED_LOCAL_PREF
               ? number == carried->wanted->local_pref
               : times_prepended(value, carried->local_as) >= carried->wanted->prepend;
}

static enum carried_group group_of(enum bird_attribute_kind kind)
{
    static const enum carried_group groups[] = {
        [BIRD_ATTRIBUTE_OTHER] = CARRIED_GROUPS,
        [BIRD_ATTRIBUTE_MORE] = CARRIED_GROUPS,
        [BIRD_ATTRIBUTE_PATH] = CARRIED_PREPEND,
        [BIRD_ATTRIBUTE_MED] = CARRIED_MED,
        [BIRD_ATTRIBUTE_LOCAL_PREF] = CARRIED_LOCAL_PREF,
        [BIRD_ATTRIBUTE_COMMUNITIES] = CARRIED_COMMUNITIES,
        [BIRD_ATTRIBUTE_LARGE_COMMUNITIES] = CARRIED_LARGE,
        [BIRD_ATTRIBUTE_EXT_COMMUNITIES] = CARRIED_EXT,
    };
    return groups[kind];
}

void carried_line(struct carried *carried, const struct bird_line *line)
{
    struct bird_attribute attribute;
    if (!bird_parse_attribute(line, &attribute)) {
        return;
    }
    if (attribute.kind != BIRD_ATTRIBUTE_MORE) {
        carried->group = group_of(attribute.kind);
    }
    enum carried_group group = carried->group;
    if (group == CARRIED_GROUPS) {
        return;
    }
    for (size_t i = 0; i < count_of(carried->wanted, group); i++) {
        char text[CARRIED_TEXT_MAX];
        bool found;
        if (group < CARRIED_MED) {
            const char *item = listed(carried->wanted, group, i, text);
            found = item != NULL && strstr(attribute.value, item) != NULL;
        } else {
            found = has_number(carried, attribute.value);
        }
        carried->seen[group][i / 64] |= (uint64_t)found << i % 64;
    }
}

static bool is_missed(const struct carried *carried, enum carried_group group, size_t index)
{
    char text[CARRIED_TEXT_MAX];
    if (group == CARRIED_LOCAL_PREF && carried->external) {
        return false;
    }
    bool seen = (carried->seen[group][index / 64] >> index % 64 & 1) != 0;
    return !seen &&
           !(carried->but != NULL && has_too(carried->but, carried->wanted, group, index)) &&
           (group >= CARRIED_MED || listed(carried->wanted, group, index, text) != NULL);
}

uint16_t carried_lacks(const struct carried *carried)
{
    for (unsigned group = 0; group < CARRIED_GROUPS; group++) {
        for (size_t i = 0; i < count_of(carried->wanted, group); i++) {
            if (is_missed(carried, group, i)) {
                return (uint16_t)(1 + group * IN_GROUP + i);
            }
        }
    }
    return 0;
}

const char *carried_text(const struct service_conf *service, enum leg_name leg, uint16_t lacks,
                         char out[CARRIED_TEXT_MAX])
{
    const struct attributes *attributes = attributes_of(service, leg);
    unsigned group = (lacks - 1U) / IN_GROUP;
    size_t index = (lacks - 1U) % IN_GROUP;
    assert(lacks != 0 && group < CARRIED_GROUPS && index < count_of(attributes, group));
    const uint32_t *part;
    switch ((enum carried_group)group) {
    case CARRIED_COMMUNITIES:
        part = attributes->communities[index].part;
        snprintf(out, CARRIED_TEXT_MAX, "community %" PRIu32 ":%" PRIu32, part[0], part[1]);
        break;
    case CARRIED_LARGE:
        part = attributes->large_communities[index].part;
        snprintf(out, CARRIED_TEXT_MAX, "large community %" PRIu32 ":%" PRIu32 ":%" PRIu32, part[0],
                 part[1], part[2]);
        break;
    case CARRIED_EXT:
        snprintf(out, CARRIED_TEXT_MAX, "extended community %s",
                 attributes->ext_communities[index].text);
        break;
    case CARRIED_MED:
        snprintf(out, CARRIED_TEXT_MAX, "MED %" PRIu32, attributes->med);
        break;
    case CARRIED_LOCAL_PREF:
        snprintf(out, CARRIED_TEXT_MAX, "local_pref %" PRIu32, attributes->local_pref);
        break;
    case CARRIED_PREPEND:
        snprintf(out, CARRIED_TEXT_MAX, "%" PRIu64 " prepended", attributes->prepend);
        break;
    case CARRIED_GROUPS:
        break;
    }
    return out;
}
