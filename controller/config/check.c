// What only the whole configuration can tell: which names there are, what belongs together, what
// goes round in circles.
#include "base/text.h"
#include "controller/config/build.h"

#include "base/array.h"
#include "controller/config/values.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Whoever has made so many mistakes is not helped by what each name is near to, which takes a look
// at all of them.
#define GUESSES_MAX 100

static struct index_list *list_of(struct service_conf *service, const struct reference *reference)
{
    return (struct index_list *)((char *)service + reference->offset);
}

size_t config_find(const struct builder *builder, const struct section *section,
                   const struct entry *entry, bool services, const char *word)
{
    const struct names *names = services ? &builder->services : &builder->probes;
    size_t index = names_find(names, word);
    if (index != SIZE_MAX) {
        return index;
    }
    struct nearest nearest = {.wanted = word};
    for (size_t i = 0; i < names->count && builder->mistakes->errors < GUESSES_MAX; i++) {
        nearest_offer(&nearest, section_of(builder, services ? "service" : "probe", i)->name);
    }
    mistake_error(builder->mistakes, entry->line, "`%s` of [%s %s]: there is no %s `%.64s`%s%s%s%s",
                  entry->key, section->kind, section->name, services ? "service" : "probe", word,
                  nearest.best != NULL ? "; did you mean `" : "",
                  nearest.best != NULL ? nearest.best : "", nearest.best != NULL ? "`?" : "",
                  section_comma_advice(word));
    return SIZE_MAX;
}

// A prefix where it was written.
struct place {
    struct prefix prefix;
    size_t service;
    unsigned line;
    size_t outer; // the place of the longest prefix that covers this one; or its own: none
};

// The services' lists as they are read.
struct lists {
    const struct builder *builder;
    struct place *places; // every prefix
    size_t place_count;
    // Of each probe and each service: the last list that it was put into, by number.
    size_t *probes_in, *services_in;
    size_t number; // of the present list; counts from 1
};

static bool add_name(struct lists *lists, const struct section *section, const struct entry *entry,
                     const struct reference *reference, const char *word, struct index_list *list)
{
    const struct builder *builder = lists->builder;
    size_t index = config_find(builder, section, entry, reference->names_services, word);
    char error[ERROR_MAX];
    if (index == SIZE_MAX) {
        return false;
    }
    size_t *in = reference->names_services ? &lists->services_in[index] : &lists->probes_in[index];
    if (*in == lists->number) {
        mistake_error(builder->mistakes, entry->line, "`%s`: %s `%s` is here twice", entry->key,
                      reference->names_services ? "service" : "probe", word);
        return false;
    }
    *in = lists->number;
    if (list_append(&list->items, &list->count, &index, sizeof index, error) != 0) {
        mistake_error(builder->mistakes, entry->line, "%s", error);
        return false;
    }
    return true;
}

// All that the section says of the reference. False after reporting what is wrong with it.
static bool read_names(struct lists *lists, const struct section *section,
                       const struct reference *reference, struct index_list *list)
{
    char word[WORD_MAX];
    bool sound = true;
    lists->number++;
    for (size_t i = 0; i < section->entry_count; i++) {
        const struct entry *entry = &section->entries[i];
        const char *at = strcmp(entry->key, reference->key) == 0 ? entry->value : "";
        while (text_next_word(&at, word, sizeof word)) {
            sound = add_name(lists, section, entry, reference, word, list) && sound;
        }
    }
    return sound;
}

static void add_prefix(struct lists *lists, const struct entry *entry, size_t number,
                       const char *word)
{
    struct service_conf *service = &lists->builder->config->services[number];
    struct place place = {.service = number, .line = entry->line};
    char error[ERROR_MAX];
    if (prefix_parse(word, &place.prefix, error) != 0 ||
        list_append(&service->prefixes, &service->prefix_count, &place.prefix, sizeof place.prefix,
                    error) != 0 ||
        list_append(&lists->places, &lists->place_count, &place, sizeof place, error) != 0) {
        mistake_error(lists->builder->mistakes, entry->line, "`%s`: %s%s", entry->key, error,
                      section_comma_advice(word));
        return;
    }
    service->has_family[place.prefix.family] = true;
}

static void read_prefixes(struct lists *lists, const struct section *section, size_t number)
{
    char word[WORD_MAX];
    for (size_t i = 0; i < section->entry_count; i++) {
        const struct entry *entry = &section->entries[i];
        const char *at = strcmp(entry->key, "prefixes") == 0 ? entry->value : "";
        while (text_next_word(&at, word, sizeof word)) {
            add_prefix(lists, entry, number, word);
        }
    }
}

// What is required withdraws when it is down: that it also only depreferences is never seen.
static void check_degrade(const struct builder *builder, const struct section *section,
                          const struct service_conf *service)
{
    for (size_t i = 0; i < service->degrade.count; i++) {
        for (size_t j = 0; j < service->require.count; j++) {
            if (service->degrade.items[i] == service->require.items[j]) {
                mistake_warning(builder->mistakes, section_line(section, "degrade"),
                                "`degrade`: probe `%s` is in `require` too, so that it withdraws "
                                "when it is down",
                                section_of(builder, "probe", service->degrade.items[i])->name);
            }
        }
    }
}

// What of the service takes more than its section to read.
static void read_service(struct lists *lists, size_t number)
{
    const struct section *section = section_of(lists->builder, "service", number);
    struct service_conf *service = &lists->builder->config->services[number];
    bool sound = true;
    read_prefixes(lists, section, number);
    for (const struct reference *reference = references; reference->key != NULL; reference++) {
        sound = read_names(lists, section, reference, list_of(service, reference)) && sound;
    }
    check_degrade(lists->builder, section, service);
    bool uses_any =
        section_find(section, "any") != NULL || section_find(section, "any_min") != NULL;
    if (uses_any && sound && service->any_min > service->any.count) {
        mistake_error(lists->builder->mistakes, section_line(section, "any_min"),
                      "`any_min` is %llu, but `any` has only %zu probes",
                      (unsigned long long)service->any_min, service->any.count);
    }
}

static void check_symbols(const struct builder *builder)
{
    const struct config *config = builder->config;
    struct names symbols;
    if (!names_reserve(&symbols, config->service_count)) {
        mistake_error(builder->mistakes, 0, "out of memory");
        return;
    }
    for (size_t i = 0; i < config->service_count; i++) {
        names_add(&symbols, config->services[i].symbol, i);
    }
    names_sort(&symbols);
    for (size_t i = 0; i < config->service_count; i++) {
        const struct service_conf *service = &config->services[i];
        size_t first = names_find(&symbols, service->symbol);
        if (service->symbol[0] && first != i) {
            mistake_error(builder->mistakes, service->line,
                          "services `%s` and `%s` (line %u) are one name to BIRD, which knows "
                          "no `-`",
                          service->name, config->services[first].name,
                          config->services[first].line);
        }
    }
    names_clear(&symbols);
}

static void check_unused_probes(const struct builder *builder)
{
    const struct config *config = builder->config;
    bool *used = calloc(config->probe_count + 1, sizeof *used);
    if (used == NULL) {
        mistake_error(builder->mistakes, 0, "out of memory");
        return;
    }
    for (size_t i = 0; i < config->service_count; i++) {
        struct service_conf *service = &config->services[i];
        for (const struct reference *reference = references; reference->key != NULL; reference++) {
            const struct index_list *list = list_of(service, reference);
            for (size_t k = 0; !reference->names_services && k < list->count; k++) {
                used[list->items[k]] = true;
            }
        }
    }
    for (size_t i = 0; i < config->probe_count; i++) {
        if (!used[i]) {
            const struct section *probe = section_of(builder, "probe", i);
            mistake_warning(builder->mistakes, probe->line, "no service uses probe `%s`",
                            probe->name);
        }
    }
    free(used);
}

static int by_prefix(const void *left, const void *right)
{
    const struct place *a = left;
    const struct place *b = right;
    int order = prefix_compare(&a->prefix, &b->prefix);
    return order ? order : (a->line > b->line) - (a->line < b->line);
}

static void check_place(const struct builder *builder, const struct place *place,
                        const struct place *outer)
{
    char text[PREFIX_TEXT_MAX];
    char outer_text[PREFIX_TEXT_MAX];
    const char *outer_name = section_of(builder, "service", outer->service)->name;
    prefix_text(&place->prefix, text);
    if (prefix_equal(&place->prefix, &outer->prefix)) {
        mistake_error(builder->mistakes, place->line,
                      "prefix %s is in [service %s] already, line %u", text, outer_name,
                      outer->line);
    } else if (place->service != outer->service) {
        mistake_warning(builder->mistakes, place->line,
                        "prefix %s lies within %s of [service %s], line %u: while this one is "
                        "withdrawn, that one still draws its traffic",
                        text, prefix_text(&outer->prefix, outer_text), outer_name, outer->line);
    }
}

static void check_prefixes(const struct builder *builder, struct place *places, size_t count)
{
    if (count > 0) {
        qsort(places, count, sizeof *places, by_prefix);
    }
    for (size_t i = 0; i < count; i++) {
        // What covers this one covers, or is, the one before: climb from there.
        size_t outer = i > 0 ? i - 1 : 0;
        while (!prefix_covers(&places[outer].prefix, &places[i].prefix) &&
               places[outer].outer != outer) {
            outer = places[outer].outer;
        }
        bool covered = outer != i && prefix_covers(&places[outer].prefix, &places[i].prefix);
        places[i].outer = covered ? outer : i;
        if (covered) {
            check_place(builder, &places[i], &places[outer]);
        }
    }
}

// A walk from each service to those it depends on, and on to those they depend on.
struct walk {
    const struct builder *builder;
    struct step {
        size_t next;  // of the service's dependencies, the next to go to
        size_t round; // SIZE_MAX: not walked over yet; see order_services()
        bool open;    // on the way from where the walk began to where it is
        bool told;    // of a circle that was reported
    } * steps;        // of each service
    size_t *way;      // the services that are open
    size_t length;
};

// The walk has come back to `first`, which is on its way.
static void report_circle(struct walk *walk, size_t first)
{
    const struct builder *builder = walk->builder;
    const struct section *section = section_of(builder, "service", first);
    char text[MISTAKE_MAX / 2] = "";
    size_t used = 0;
    size_t from = walk->length;
    do {
        walk->steps[walk->way[--from]].told = true;
    } while (walk->way[from] != first);
    for (; from < walk->length && used < sizeof text; from++) {
        used += (size_t)snprintf(text + used, sizeof text - used, "%.64s -> ",
                                 section_of(builder, "service", walk->way[from])->name);
    }
    mistake_error(builder->mistakes, section_line(section, "depends"),
                  "`depends` goes round in a circle: %s%s", text, section->name);
}

// Goes on to what the last service on the way depends on, or back from it.
static void take_step(struct walk *walk)
{
    size_t at = walk->way[walk->length - 1];
    const struct index_list *depends = &walk->builder->config->services[at].depends;
    struct step *step = &walk->steps[at];
    if (step->next == depends->count) {
        step->open = false;
        walk->length--;
        for (size_t i = 0; i < depends->count; i++) {
            size_t on = depends->items[i];
            size_t round = walk->steps[on].round + (on > at);
            step->round = round > step->round ? round : step->round;
        }
        return;
    }
    size_t on = depends->items[step->next++];
    struct step *there = &walk->steps[on];
    if (there->round == SIZE_MAX) {
        *there = (struct step){.open = true};
        walk->way[walk->length++] = on;
    } else if (there->open && !there->told) {
        report_circle(walk, on);
    }
}

// Every service after those it depends on, else in the file's order: as if one went through the
// file round by round, and took each service whose dependencies are all taken.
static void order_services(const struct builder *builder)
{
    struct config *config = builder->config;
    size_t count = config->service_count;
    struct walk walk = {.builder = builder,
                        .steps = calloc(count + 1, sizeof *walk.steps),
                        .way = calloc(count + 1, sizeof *walk.way)};
    size_t *starts = calloc(count + 1, sizeof *starts); // of each round, in the order
    config->service_order = calloc(count + 1, sizeof *config->service_order);
    if (walk.steps == NULL || walk.way == NULL || starts == NULL || config->service_order == NULL) {
        mistake_error(builder->mistakes, 0, "out of memory");
        goto end;
    }
    for (size_t i = 0; i < count; i++) {
        walk.steps[i].round = SIZE_MAX;
    }
    for (size_t i = 0; i < count; i++) {
        if (walk.steps[i].round == SIZE_MAX) {
            walk.steps[i] = (struct step){.open = true};
            walk.way[walk.length++] = i;
        }
        while (walk.length > 0) {
            take_step(&walk);
        }
    }
    for (size_t i = 0; i < count; i++) {
        starts[walk.steps[i].round + 1]++;
    }
    for (size_t round = 1; round < count; round++) {
        starts[round] += starts[round - 1];
    }
    for (size_t i = 0; i < count; i++) {
        config->service_order[starts[walk.steps[i].round]++] = i;
    }
end:
    free(starts);
    free(walk.way);
    free(walk.steps);
}

static void read_services(struct lists *lists)
{
    const struct builder *builder = lists->builder;
    lists->probes_in = calloc(builder->config->probe_count + 1, sizeof *lists->probes_in);
    lists->services_in = calloc(builder->config->service_count + 1, sizeof *lists->services_in);
    if (lists->probes_in == NULL || lists->services_in == NULL) {
        mistake_error(builder->mistakes, 0, "out of memory");
        return;
    }
    for (size_t i = 0; i < builder->config->service_count; i++) {
        read_service(lists, i);
    }
}

void config_check(const struct builder *builder)
{
    struct lists lists = {.builder = builder};
    read_services(&lists);
    check_symbols(builder);
    check_unused_probes(builder);
    check_prefixes(builder, lists.places, lists.place_count);
    order_services(builder);
    if (builder->config->service_count == 0) {
        mistake_warning(builder->mistakes, 0, "there is no [service]: nothing will be announced");
    }
    free(lists.places);
    free(lists.probes_in);
    free(lists.services_in);
}
