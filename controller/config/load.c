// See load.h. The file becomes a document (controller/config/document.h), its sections become
// structs by way of tables of keys (keys.c, section.c, build.c), the responder's records become a
// zone (answer.c, zone.c), and at last comes what only the whole can tell (check.c). Every step
// goes on after an error, so that one pass finds them all.
#include "controller/config/load.h"

#include "base/file.h"
#include "controller/config/build.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX (16U << 20) // bytes

static const struct section_kind *find_kind(const struct builder *builder,
                                            const struct section *section)
{
    const struct section_kind *found = section_kind_of(section);
    if (found->word != NULL) {
        return found;
    }
    struct nearest nearest = {.wanted = section->kind};
    for (const struct section_kind *kind = section_kinds; kind->word != NULL; kind++) {
        nearest_offer(&nearest, kind->word);
    }
    if (nearest.best != NULL) {
        mistake_error(builder->mistakes, section->line,
                      "unknown section [%.64s]; did you mean [%s]?", section->kind, nearest.best);
    } else if (section->kind[0]) {
        mistake_error(builder->mistakes, section->line, "unknown section [%.64s]", section->kind);
    }
    return NULL;
}

// Is this section one to read? Reports why not, and puts it where it belongs.
static void sort_section(struct builder *builder, const struct section *section)
{
    const struct section_kind *kind = find_kind(builder, section);
    if (kind == NULL) {
        return;
    }
    if (kind->named != (section->name[0] != '\0')) {
        mistake_error(builder->mistakes, section->line,
                      kind->named ? "[%s] needs a name: [%s NAME]"
                                  : "[%s] takes no name; write [%s]",
                      kind->word, kind->word);
        return;
    }
    if (section->first != section) {
        mistake_error(builder->mistakes, section->line, "[%s%s%.64s] is here already, in line %u",
                      section->kind, kind->named ? " " : "", section->name, section->first->line);
        return;
    }
    if (strcmp(kind->word, "probe") == 0) {
        builder->probe_sections[builder->config->probe_count++] = section;
    } else if (strcmp(kind->word, "service") == 0) {
        builder->service_sections[builder->config->service_count++] = section;
    } else if (strcmp(kind->word, "answer") == 0) {
        builder->answer_sections[builder->config->answer_count++] = section;
    } else {
        const struct {
            const char *word;
            const struct section **place;
        } single[] = {{"pop", &builder->pop},
                      {"bird", &builder->bird},
                      {"control", &builder->control},
                      {"defaults", &builder->defaults},
                      {"responder", &builder->responder}};
        for (size_t i = 0; i < sizeof single / sizeof *single; i++) {
            if (strcmp(kind->word, single[i].word) == 0) {
                *single[i].place = section;
            }
        }
    }
}
// ---- All of it

static bool index_names(struct names *names, const struct section *const *sections, size_t count)
{
    if (!names_reserve(names, count)) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        names_add(names, sections[i]->name, i);
    }
    names_sort(names);
    return true;
}

// Every section to its place, and room for what is made of it. False when out of memory.
static bool sort_sections(struct builder *builder, const struct document *document)
{
    struct config *config = builder->config;
    size_t room = document->section_count + 1;
    builder->probe_sections = calloc(room, sizeof(struct section *));
    builder->service_sections = calloc(room, sizeof(struct section *));
    builder->answer_sections = calloc(room, sizeof(struct section *));
    if (builder->probe_sections == NULL || builder->service_sections == NULL ||
        builder->answer_sections == NULL) {
        return false;
    }
    for (size_t i = 0; i < document->section_count; i++) {
        sort_section(builder, &document->sections[i]);
    }
    config->probes = calloc(config->probe_count + 1, sizeof *config->probes);
    config->services = calloc(config->service_count + 1, sizeof *config->services);
    config->answers = calloc(config->answer_count + 1, sizeof *config->answers);
    bool made = config->probes != NULL && config->services != NULL && config->answers != NULL &&
                index_names(&builder->probes, builder->probe_sections, config->probe_count) &&
                index_names(&builder->services, builder->service_sections, config->service_count);
    if (!made) {
        config->probe_count = config->service_count = config->answer_count = 0;
    }
    return made;
}

static void build(struct builder *builder)
{
    struct config *config = builder->config;
    build_head(builder);
    build_defaults(builder);
    for (size_t i = 0; i < config->probe_count; i++) {
        build_probe(builder, builder->probe_sections[i], &config->probes[i]);
    }
    for (size_t i = 0; i < config->service_count; i++) {
        build_service(builder, builder->service_sections[i], &config->services[i]);
    }
    build_responder(builder);
    build_answers(builder, config->answer_count);
    config_check(builder);
    config_make_zone(builder);
}

static bool make_names(struct config *config)
{
    if (!names_reserve(&config->probe_names, config->probe_count) ||
        !names_reserve(&config->service_names, config->service_count)) {
        return false;
    }
    for (size_t i = 0; i < config->probe_count; i++) {
        names_add(&config->probe_names, config->probes[i].name, i);
    }
    for (size_t i = 0; i < config->service_count; i++) {
        names_add(&config->service_names, config->services[i].name, i);
    }
    names_sort(&config->probe_names);
    names_sort(&config->service_names);
    return true;
}

static void builder_clear(struct builder *builder)
{
    free(builder->probe_sections);
    free(builder->service_sections);
    free(builder->answer_sections);
    names_clear(&builder->probes);
    names_clear(&builder->services);
}

// Text to configuration; what could be made of it, if mistakes has errors then. NULL only when out
// of memory.
static struct config *make_config(const char *text, struct mistakes *mistakes)
{
    struct document document;
    struct builder builder = {.config = calloc(1, sizeof *builder.config), .mistakes = mistakes};
    document_read(&document, text, mistakes);
    bool made = builder.config != NULL && sort_sections(&builder, &document);
    if (made) {
        build(&builder);
    }
    if (!made || !make_names(builder.config)) {
        mistake_error(mistakes, 0, "out of memory");
    }
    builder_clear(&builder);
    document_free(&document);
    return builder.config;
}

static struct config *if_sound(struct config *config, const struct mistakes *mistakes)
{
    if (mistakes->errors == 0) {
        return config;
    }
    config_free(config);
    return NULL;
}

struct config *config_parse(const char *name, const char *text, config_report_cb report, void *arg)
{
    struct mistakes mistakes = {0};
    assert(name && text && report);
    struct config *config = if_sound(make_config(text, &mistakes), &mistakes);
    mistakes_tell(&mistakes, name, report, arg);
    return config;
}

// The whole file, NUL-terminated; NULL after adding why not.
static char *read_text(const char *path, struct mistakes *mistakes)
{
    char why[ERROR_MAX];
    char *text;
    size_t length;
    if (file_read(path, FILE_MAX, &text, &length, why) != 0) {
        mistake_error(mistakes, 0, "%s", why);
        return NULL;
    }
    if (strlen(text) < length) {
        unsigned line = 1;
        for (const char *at = text; *at; at++) {
            line += *at == '\n';
        }
        mistake_error(mistakes, line, "a NUL byte in this line: not a text file");
        free(text);
        return NULL;
    }
    return text;
}

struct config *config_load(const char *path, config_report_cb report, void *arg)
{
    struct mistakes mistakes = {0};
    struct config *config = NULL;
    assert(path && report);
    char *text = read_text(path, &mistakes);
    if (text != NULL) {
        config = if_sound(make_config(text, &mistakes), &mistakes);
    }
    mistakes_tell(&mistakes, path, report, arg);
    free(text);
    return config;
}

struct config *config_salvage(const char *path, config_report_cb report, void *arg)
{
    struct mistakes mistakes = {0};
    assert(path && report);
    char *text = read_text(path, &mistakes);
    struct config *config = make_config(text != NULL ? text : "", &mistakes);
    mistakes_tell(&mistakes, path, report, arg);
    free(text);
    return config;
}
