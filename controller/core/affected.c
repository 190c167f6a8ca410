#include "controller/core/affected.h"

#include <assert.h>
#include <stdlib.h>

// ---- Who needs what

typedef const struct index_list *list_fn(const struct service_conf *service, size_t which);

static const struct index_list *probes_of(const struct service_conf *service, size_t which)
{
    const struct index_list *const lists[] = {&service->require, &service->any, &service->degrade};
    return which < sizeof lists / sizeof *lists ? lists[which] : NULL;
}

static const struct index_list *services_of(const struct service_conf *service, size_t which)
{
    return which == 0 ? &service->depends : NULL;
}

// Turns lists of what each service names into slices of who names each of count things.
static bool turn_round(const struct config *config, list_fn *lists, size_t count, size_t **from,
                       size_t **by)
{
    const struct index_list *list;
    size_t total = 0;
    *from = calloc(count + 2, sizeof **from);
    for (size_t i = 0; *from != NULL && i < config->service_count; i++) {
        for (size_t which = 0; (list = lists(&config->services[i], which)) != NULL; which++) {
            for (size_t k = 0; k < list->count; k++) {
                (*from)[list->items[k] + 2]++;
            }
            total += list->count;
        }
    }
    *by = calloc(total + 1, sizeof **by);
    if (*from == NULL || *by == NULL) {
        return false;
    }
    for (size_t i = 2; i < count + 2; i++) {
        (*from)[i] += (*from)[i - 1];
    }
    // from[i + 1] is where the next one of i goes; in the end it is where those of i + 1 begin.
    for (size_t i = 0; i < config->service_count; i++) {
        for (size_t which = 0; (list = lists(&config->services[i], which)) != NULL; which++) {
            for (size_t k = 0; k < list->count; k++) {
                (*by)[(*from)[list->items[k] + 1]++] = i;
            }
        }
    }
    return true;
}

bool affected_init(struct affected *affected, const struct config *config)
{
    size_t count = config->service_count;
    *affected = (struct affected){.config = config,
                                  .rank = calloc(count + 1, sizeof *affected->rank),
                                  .marked = calloc(count + 1, sizeof *affected->marked),
                                  .queue = calloc(count + 1, sizeof *affected->queue)};
    if (affected->rank == NULL || affected->marked == NULL || affected->queue == NULL ||
        !turn_round(config, probes_of, config->probe_count, &affected->needed_from,
                    &affected->needed_by) ||
        !turn_round(config, services_of, count, &affected->depended_from, &affected->depended_by)) {
        affected_free(affected);
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        affected->rank[config->service_order[i]] = i;
    }
    return true;
}

void affected_free(struct affected *affected)
{
    free(affected->needed_from);
    free(affected->needed_by);
    free(affected->depended_from);
    free(affected->depended_by);
    free(affected->rank);
    free(affected->marked);
    free(affected->queue);
    *affected = (struct affected){0};
}

// ---- Who is to be decided

static void swap(size_t *a, size_t *b)
{
    size_t other = *a;
    *a = *b;
    *b = other;
}

void affected_service(struct affected *affected, size_t service)
{
    assert(service < affected->config->service_count);
    if (affected->marked[service]) {
        return;
    }
    affected->marked[service] = true;
    size_t at = affected->count++;
    affected->queue[at] = affected->rank[service];
    for (; at > 0 && affected->queue[at] < affected->queue[(at - 1) / 2]; at = (at - 1) / 2) {
        swap(&affected->queue[at], &affected->queue[(at - 1) / 2]);
    }
}

void affected_probe(struct affected *affected, size_t probe)
{
    assert(probe < affected->config->probe_count);
    for (size_t i = affected->needed_from[probe]; i < affected->needed_from[probe + 1]; i++) {
        affected_service(affected, affected->needed_by[i]);
    }
}

void affected_dependents(struct affected *affected, size_t service)
{
    for (size_t i = affected->depended_from[service]; i < affected->depended_from[service + 1];
         i++) {
        affected_service(affected, affected->depended_by[i]);
    }
}

bool affected_any(const struct affected *affected)
{
    return affected->count > 0;
}

bool affected_take(struct affected *affected, size_t *service)
{
    size_t *queue = affected->queue;
    if (affected->count == 0) {
        return false;
    }
    *service = affected->config->service_order[queue[0]];
    affected->marked[*service] = false;
    queue[0] = queue[--affected->count];
    for (size_t at = 0, least = 0;; at = least) {
        for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < affected->count; child++) {
            least = queue[child] < queue[least] ? child : least;
        }
        if (least == at) {
            return true;
        }
        swap(&queue[at], &queue[least]);
    }
}
