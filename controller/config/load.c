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

static const struct section_kind *find_kind(const struct builder *builder,
                                            const struct section *section)
{
    const struct section_kind *found = section_kind_of(section->kind);
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
    bool named = kind->form == KIND_NAMED;
    if (named != (section->name[0] != '\0')) {
        mistake_error(builder->mistakes, section->line,
                      named ? "[%s] needs a name: [%s NAME]" : "[%s] takes no name; write [%s]",
                      kind->word, kind->word);
        return;
    }
    if (section->first != section) {
        mistake_error(builder->mistakes, section->line, "[%s%s%.64s] is here already, in line %u",
                      section->kind, named ? " " : "", section->name, section->first->line);
        return;
    }
    struct section_list *list = sections_of(builder, kind->word);
    list->items[list->count++] = section;
}

// ---- All of it

static bool index_names(struct names *names, const struct section_list *list)
{
    if (!names_reserve(names, list->count)) {
        return false;
    }
    for (size_t i = 0; i < list->count; i++) {
        names_add(names, list->items[i]->name, i);
    }
    names_sort(names);
    return true;
}

// Every section to its place. False when out of memory.
static bool sort_sections(struct builder *builder, const struct document *document)
{
    for (size_t i = 0; i < SECTION_KINDS_MAX; i++) {
        builder->sections[i].items =
            calloc(document->section_count + 1, sizeof *builder->sections[i].items);
        if (builder->sections[i].items == NULL) {
            return false;
        }
    }
    for (size_t i = 0; i < document->section_count; i++) {
        sort_section(builder, &document->sections[i]);
    }
    return index_names(&builder->probes, sections_of(builder, "probe")) &&
           index_names(&builder->services, sections_of(builder, "service"));
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
    for (size_t i = 0; i < SECTION_KINDS_MAX; i++) {
        free(builder->sections[i].items);
    }
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
    bool made =
        builder.config != NULL && sort_sections(&builder, &document) && build_sections(&builder);
    if (made) {
        config_check(&builder);
        config_make_zone(&builder);
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
    if (file_read(path, CONFIG_FILE_MAX, &text, &length, why) != 0) {
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

struct config *config_load_text(const char *path, config_report_cb report, void *arg, char **text)
{
    struct mistakes mistakes = {0};
    struct config *config = NULL;
    assert(path && report);
    *text = read_text(path, &mistakes);
    if (*text != NULL) {
        config = if_sound(make_config(*text, &mistakes), &mistakes);
    }
    mistakes_tell(&mistakes, path, report, arg);
    if (config == NULL) {
        free(*text);
        *text = NULL;
    }
    return config;
}

struct config *config_load(const char *path, config_report_cb report, void *arg)
{
    char *text;
    struct config *config = config_load_text(path, report, arg, &text);
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
