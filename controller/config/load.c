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
    struct nearest nearest = {.wanted = section->kind};
    for (const struct section_kind *kind = section_kinds; kind->word; kind++) {
        if (strcmp(kind->word, section->kind) == 0) {
            return kind;
        }
        nearest_offer(&nearest, kind->word);
    }
    if (nearest.best) {
        mistake_error(builder->mistakes, section->line,
                      "unknown section [%.64s]; did you mean [%s]?", section->kind, nearest.best);
    } else if (section->kind[0]) {
        mistake_error(builder->mistakes, section->line, "unknown section [%.64s]", section->kind);
    }
    return NULL;
}

static const struct section *find_section(const struct document *document, const char *kind,
                                          const char *name)
{
    for (size_t i = 0; i < document->section_count; i++) {
        const struct section *section = &document->sections[i];
        if (strcmp(section->kind, kind) == 0 && strcmp(section->name, name) == 0) {
            return section;
        }
    }
    return NULL;
}

// Is this section one to read? Reports why not, and puts it where it belongs.
static void sort_section(struct builder *builder, const struct document *document,
                         const struct section *section)
{
    const struct section_kind *kind = find_kind(builder, section);
    if (!kind) {
        return;
    }
    if (kind->named != (section->name[0] != '\0')) {
        mistake_error(builder->mistakes, section->line,
                      kind->named ? "[%s] needs a name: [%s NAME]"
                                  : "[%s] takes no name; write [%s]",
                      kind->word, kind->word);
        return;
    }
    const struct section *first = find_section(document, section->kind, section->name);
    if (first != section) {
        mistake_error(builder->mistakes, section->line, "[%s%s%.64s] is here already, in line %u",
                      section->kind, kind->named ? " " : "", section->name, first->line);
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
// --- all of it -----------------------------------------------------------------------------------

static void build(struct builder *builder, const struct document *document)
{
    struct config *config = builder->config;
    for (size_t i = 0; i < document->section_count; i++) {
        sort_section(builder, document, &document->sections[i]);
    }
    // The counts are kept in config only when the arrays are there: config_free() goes by them.
    size_t probe_count = config->probe_count;
    size_t service_count = config->service_count;
    size_t answer_count = config->answer_count;
    config->probes = calloc(probe_count + 1, sizeof *config->probes);
    config->services = calloc(service_count + 1, sizeof *config->services);
    config->answers = calloc(answer_count + 1, sizeof *config->answers);
    if (!config->probes || !config->services || !config->answers) {
        config->probe_count = config->service_count = config->answer_count = 0;
        mistake_error(builder->mistakes, 0, "out of memory");
        return;
    }
    build_head(builder);
    if (builder->defaults) {
        section_check_defaults(builder, builder->defaults);
    }
    for (size_t i = 0; i < probe_count; i++) {
        build_probe(builder, builder->probe_sections[i], &config->probes[i]);
    }
    for (size_t i = 0; i < service_count; i++) {
        build_service(builder, builder->service_sections[i], &config->services[i]);
    }
    build_responder(builder);
    build_answers(builder, answer_count);
    config_check(builder);
    config_make_zone(builder);
}

// Text to configuration; what could be made of it, if mistakes has errors then. NULL only when out
// of memory.
static struct config *make_config(const char *text, struct mistakes *mistakes)
{
    struct document document;
    document_read(&document, text, mistakes);
    size_t sections = document.section_count + 1;
    struct builder builder = {
        .config = calloc(1, sizeof *builder.config),
        .mistakes = mistakes,
        .probe_sections = calloc(sections, sizeof(struct section *)),
        .service_sections = calloc(sections, sizeof(struct section *)),
        .answer_sections = calloc(sections, sizeof(struct section *)),
    };
    if (builder.config && builder.probe_sections && builder.service_sections &&
        builder.answer_sections) {
        build(&builder, &document);
    } else {
        mistake_error(mistakes, 0, "out of memory");
    }
    free(builder.probe_sections);
    free(builder.service_sections);
    free(builder.answer_sections);
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
    if (text) {
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
    struct config *config = make_config(text ? text : "", &mistakes);
    mistakes_tell(&mistakes, path, report, arg);
    free(text);
    return config;
}
