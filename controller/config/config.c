// See config.h. The file becomes a document (controller/config/document.h), its sections become
// structs by way of tables of keys (keys.c), the responder's records become a zone (zone.c), and at
// last comes what only the whole can tell (check.c). Every step goes on after an error, so that one
// pass finds them all.
#include "controller/config/config.h"

#include "base/text.h"

#include "base/hash.h"

#include "base/array.h"
#include "base/file.h"
#include "controller/config/build.h"
#include "controller/config/expand.h"
#include "controller/config/values.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX    (16U << 20) // bytes
#define SOCKET_NAME "/popgate.sock"

// --- keys ----------------------------------------------------------------------------------------

// The ending NUL too, so that "ab" "c" is not "a" "bc".
static uint64_t hash_text(uint64_t hash, const char *text)
{
    return hash_bytes(hash, text, strlen(text) + 1);
}

// Sets a key's field from one value; each word on its own if it is a list. Returns the words set
// or refused.
static size_t set_value(const struct key *key, const char *value, unsigned line, void *fields,
                        struct mistakes *mistakes)
{
    char error[ERROR_MAX];
    char word[WORD_MAX];
    size_t words = 0;
    if (!key->list) {
        if (key_set(key, value, fields, error) != 0) {
            mistake_error(mistakes, line, "`%s`: %s", key->name, error);
        }
        return 1;
    }
    for (const char *at = value; text_next_word(&at, word, sizeof word); words++) {
        if (key_set(key, word, fields, error) != 0) {
            mistake_error(mistakes, line, "`%s`: %s", key->name, error);
        }
    }
    return words;
}

static const struct section_kind *kind_of(const struct section *section)
{
    const struct section_kind *kind = section_kinds;
    while (kind->word && strcmp(kind->word, section->kind) != 0) {
        kind++;
    }
    return kind;
}

// The entry's value; where its kind of section has it so, with {pop.id} and {pop.region} replaced,
// into expanded. NULL after reporting why that can't be.
static const char *entry_value(const struct builder *builder, const struct section *section,
                               const struct entry *entry, char expanded[WORD_MAX],
                               struct mistakes *mistakes)
{
    char error[ERROR_MAX];
    if (!kind_of(section)->expanded) {
        return entry->value;
    }
    if (expand(builder->config, entry->value, expanded, error) != 0) {
        mistake_error(mistakes, entry->line, "`%s`: %s", entry->key, error);
        return NULL;
    }
    return expanded;
}

static void set_from_section(const struct builder *builder, const struct key *key,
                             const struct section *section, void *fields, struct mistakes *mistakes,
                             uint64_t *hash)
{
    size_t words = 0;
    char expanded[WORD_MAX];
    assert(section);
    for (size_t i = 0; i < section->entry_count; i++) {
        const struct entry *entry = &section->entries[i];
        if (strcmp(entry->key, key->name) != 0) {
            continue;
        }
        const char *value = entry_value(builder, section, entry, expanded, mistakes);
        if (!value) {
            return;
        }
        *hash = hash_text(*hash, value);
        words += set_value(key, value, entry->line, fields, mistakes);
        if (!key->list) {
            return; // what follows is a duplicate, reported as such
        }
    }
    if (words == 0) {
        mistake_error(mistakes, section_line(section, key->name), "`%s`: has no value", key->name);
    }
}

// Fills fields by table from the section, else from defaults (may be NULL), else from the
// fallbacks. Returns hash with every resolved value in it.
static uint64_t read_keys(const struct builder *builder, const struct section *section,
                          const struct section *defaults, const struct key *table, void *fields,
                          uint64_t hash)
{
    // Mistakes in [defaults] are reported once, by check_defaults().
    struct mistakes unheard = {0};
    for (const struct key *key = table; key && key->name; key++) {
        hash = hash_text(hash, key->name);
        if (section_find(section, key->name)) {
            set_from_section(builder, key, section, fields, builder->mistakes, &hash);
        } else if (section_find(defaults, key->name)) {
            set_from_section(builder, key, defaults, fields, &unheard, &hash);
        } else if (key->fallback) {
            hash = hash_text(hash, key->fallback);
            set_value(key, key->fallback, section->line, fields, builder->mistakes);
        } else if (key->required) {
            mistake_error(builder->mistakes, section->line, "[%s%s%s] has no `%s`", section->kind,
                          section->name[0] ? " " : "", section->name, key->name);
        }
    }
    mistakes_drop(&unheard);
    return hash;
}

// --- what a section may hold ---------------------------------------------------------------------

static const struct key *find_in(const struct key *const *tables, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        const struct key *key = tables[i] ? key_find(tables[i], name) : NULL;
        if (key) {
            return key;
        }
    }
    return NULL;
}

// A probe type with a key of that name, or NULL.
static const struct probe_type *type_with_key(const char *name)
{
    for (size_t i = 0; probe_types[i]; i++) {
        if (probe_types[i]->keys && key_find(probe_types[i]->keys, name)) {
            return probe_types[i];
        }
    }
    return NULL;
}

static void report_unknown_key(const struct builder *builder, const struct section *section,
                               const struct entry *entry, const struct key *const *tables,
                               size_t count)
{
    struct nearest nearest = {.wanted = entry->key};
    const struct probe_type *other =
        strcmp(section->kind, "probe") == 0 ? type_with_key(entry->key) : NULL;
    const char *states = strcmp(section->kind, "answer") == 0 && strchr(entry->key, '.')
                             ? " (after the dot: degraded, drained or withdrawn; the normal state "
                               "is without a dot)"
                             : "";
    for (size_t i = 0; i < count; i++) {
        for (const struct key *key = tables[i]; key && key->name; key++) {
            nearest_offer(&nearest, key->name);
        }
    }
    if (other) {
        mistake_error(builder->mistakes, entry->line,
                      "`%.64s` is a key of type %s, not of this probe's type", entry->key,
                      other->name);
    } else if (nearest.best) {
        mistake_error(builder->mistakes, entry->line,
                      "unknown key `%.64s` in [%s]; did you mean `%s`?%s", entry->key,
                      section->kind, nearest.best, states);
    } else {
        mistake_error(builder->mistakes, entry->line, "unknown key `%.64s` in [%s]%s", entry->key,
                      section->kind, states);
    }
}

// Every entry must be of a key in tables; only a list may be continued or written again.
static void check_entries(const struct builder *builder, const struct section *section,
                          const struct key *const *tables, size_t count)
{
    for (size_t i = 0; i < section->entry_count; i++) {
        const struct entry *entry = &section->entries[i];
        const struct entry *first = section_find(section, entry->key);
        const struct key *key = find_in(tables, count, entry->key);
        if (!key) {
            if (!entry->continued) {
                report_unknown_key(builder, section, entry, tables, count);
            }
        } else if (first != entry && !key->list) {
            mistake_error(builder->mistakes, entry->line,
                          entry->continued ? "white space at the start of the line continues `%s` "
                                             "(line %u), which is not a list"
                                           : "`%s` is set already, in line %u",
                          key->name, first->line);
        }
    }
}

static void check_defaults(const struct builder *builder, const struct section *section)
{
    const struct key *const tables[] = {probe_common_keys, service_timing_keys};
    struct probe_conf probe = {0};
    struct service_conf service = {0};
    check_entries(builder, section, tables, 2);
    read_keys(builder, section, NULL, probe_common_keys, &probe, HASH_START);
    read_keys(builder, section, NULL, service_timing_keys, &service, HASH_START);
}

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
    } else if (strcmp(kind->word, "responder") == 0) {
        builder->responder = section;
    } else if (strcmp(kind->word, "defaults") == 0) {
        builder->defaults = section;
    }
}

static void set_name(const struct builder *builder, const struct section *section, char *name,
                     size_t size)
{
    char error[ERROR_MAX];
    if (name_check(section->name, size, error) != 0) {
        mistake_error(builder->mistakes, section->line, "%s", error);
    } else {
        memcpy(name, section->name, strlen(section->name));
    }
}

// --- [pop], [bird], [control] --------------------------------------------------------------------

static void check_pop(const struct builder *builder, const struct section *pop)
{
    size_t length = strlen(builder->config->pop.runtime_dir) + strlen(SOCKET_NAME);
    if (length >= PATH_LEN_MAX) {
        mistake_error(builder->mistakes, section_line(pop, "runtime_dir"),
                      "`runtime_dir`: the path is too long for the socket " SOCKET_NAME
                      " below it: %zu bytes, at most %d are allowed",
                      length, PATH_LEN_MAX - 1);
    }
}

static void check_bird(const struct builder *builder, const struct section *bird)
{
    const struct config *config = builder->config;
    if (config->bird.session_count > 0 && config->bird.min_sessions > config->bird.session_count) {
        mistake_error(builder->mistakes, section_line(bird, "min_sessions"),
                      "`min_sessions` is %llu, but `sessions` names only %zu",
                      (unsigned long long)config->bird.min_sessions, config->bird.session_count);
    }
    const char *const tables[] = {config->bird.table4, config->bird.table6};
    for (size_t i = 0; i < 2; i++) {
        if (strcmp(tables[i], "popgate4") == 0 || strcmp(tables[i], "popgate6") == 0) {
            mistake_error(builder->mistakes, section_line(bird, i == 0 ? "table4" : "table6"),
                          "%s is the table that popgate makes for itself; name the one that it is "
                          "to be piped into",
                          tables[i]);
        }
    }
    if (strcmp(config->bird.table4, config->bird.table6) == 0) {
        mistake_error(builder->mistakes, section_line(bird, "table6"),
                      "`table4` and `table6` are both %s; a table has one address family",
                      config->bird.table4);
    }
}

static void check_control(const struct builder *builder, const struct section *control)
{
    const struct endpoint *http = &builder->config->control.http;
    char text[ENDPOINT_TEXT_MAX];
    if (http->length > 0 && !address_is_loopback(&http->address)) {
        mistake_error(builder->mistakes, section_line(control, "http"),
                      "`http`: %s is not a loopback address (127.0.0.0/8, ::1); put a proxy that "
                      "checks who asks before it",
                      endpoint_text(http, text));
    }
}

static void build_single(const struct builder *builder, const struct document *document,
                         const char *kind, const struct key *table,
                         void (*check)(const struct builder *builder,
                                       const struct section *section))
{
    const struct section none = {.line = 1, .kind = (char *)kind, .name = ""};
    const struct section *section = find_section(document, kind, "");
    if (!section) {
        section = &none;
    }
    size_t errors_before = builder->mistakes->errors;
    check_entries(builder, section, &table, 1);
    read_keys(builder, section, NULL, table, builder->config, HASH_START);
    if (builder->mistakes->errors == errors_before) {
        check(builder, section);
    }
}

// --- probes --------------------------------------------------------------------------------------

static const struct probe_type *find_type(const struct builder *builder,
                                          const struct section *section)
{
    const struct entry *entry = section_find(section, "type");
    if (!entry) {
        mistake_error(builder->mistakes, section->line, "[probe %s] has no `type`", section->name);
        return NULL;
    }
    struct nearest nearest = {.wanted = entry->value};
    for (size_t i = 0; probe_types[i]; i++) {
        if (strcmp(probe_types[i]->name, entry->value) == 0) {
            return probe_types[i];
        }
        nearest_offer(&nearest, probe_types[i]->name);
    }
    mistake_error(builder->mistakes, entry->line, "`type`: there is no probe type \"%.64s\"%s%s%s",
                  entry->value, nearest.best ? "; did you mean " : "",
                  nearest.best ? nearest.best : "", nearest.best ? "?" : "");
    return NULL;
}

struct probe_place {
    const struct builder *builder;
    const struct section *section;
};

static void on_probe_problem(void *arg, bool error, const char *text)
{
    const struct probe_place *place = arg;
    (error ? mistake_error : mistake_warning)(place->builder->mistakes, place->section->line,
                                              "[probe %s]: %s", place->section->name, text);
}

static void build_probe(const struct builder *builder, const struct section *section,
                        struct probe_conf *probe)
{
    size_t errors_before = builder->mistakes->errors;
    struct probe_place place = {builder, section};
    const struct probe_problems mistakes = {on_probe_problem, &place};
    probe->line = section->line;
    set_name(builder, section, probe->name, sizeof probe->name);
    probe->type = find_type(builder, section);
    probe->fingerprint = read_keys(builder, section, builder->defaults, probe_common_keys, probe,
                                   hash_text(HASH_START, section->name));
    if (!probe->type) {
        return; // which other keys it may have can't be told
    }
    const struct key *const tables[] = {type_keys, probe_common_keys, probe->type->keys};
    check_entries(builder, section, tables, 3);
    if (probe->type->options_size > 0) {
        probe->options = calloc(1, probe->type->options_size);
        if (!probe->options) {
            mistake_error(builder->mistakes, section->line, "out of memory");
            return;
        }
    }
    probe->fingerprint = read_keys(builder, section, NULL, probe->type->keys, probe->options,
                                   hash_text(probe->fingerprint, probe->type->name));
    if (builder->mistakes->errors == errors_before) {
        probe_check(probe, &mistakes);
    } else if (probe->type->needs_target && !section_find(section, "target") &&
               !section_find(builder->defaults, "target")) {
        on_probe_problem(&place, true, "target is missing");
    }
}

// --- services ------------------------------------------------------------------------------------

// Puts what is in first, but not in *items, before *items. -1 when out of memory.
static int put_before(const void *first, size_t first_count, void *items, size_t *count,
                      size_t size)
{
    char *own;
    memcpy(&own, items, sizeof own);
    char *joined = calloc(first_count + *count + 1, size);
    size_t total = 0;
    if (!joined) {
        return -1;
    }
    for (size_t i = 0; i < first_count; i++) {
        const char *item = (const char *)first + i * size;
        if (!array_holds(own, *count, item, size)) {
            memcpy(joined + total++ * size, item, size);
        }
    }
    if (*count > 0) {
        memcpy(joined + total * size, own, *count * size);
    }
    *count += total;
    free(own);
    memcpy(items, &joined, sizeof joined);
    return 0;
}

// The drain twin has the primary's attributes too: its lists are added to, its numbers replaced.
static int inherit_attributes(const struct section *section, const struct attributes *primary,
                              struct attributes *drain)
{
    if (!drain->has_med) {
        drain->has_med = primary->has_med;
        drain->med = primary->med;
    }
    if (!drain->has_local_pref) {
        drain->has_local_pref = primary->has_local_pref;
        drain->local_pref = primary->local_pref;
    }
    if (!section_find(section, "drain_prepend")) {
        drain->prepend = primary->prepend;
    }
    return put_before(primary->communities, primary->communities_count, &drain->communities,
                      &drain->communities_count, sizeof *drain->communities) |
           put_before(primary->large_communities, primary->large_communities_count,
                      &drain->large_communities, &drain->large_communities_count,
                      sizeof *drain->large_communities) |
           put_before(primary->ext_communities, primary->ext_communities_count,
                      &drain->ext_communities, &drain->ext_communities_count,
                      sizeof *drain->ext_communities);
}

// Drain has all that primary has, so more of something is the only way to differ in the lists.
static bool same_attributes(const struct attributes *primary, const struct attributes *drain)
{
    return primary->communities_count == drain->communities_count &&
           primary->large_communities_count == drain->large_communities_count &&
           primary->ext_communities_count == drain->ext_communities_count &&
           primary->has_med == drain->has_med && primary->med == drain->med &&
           primary->has_local_pref == drain->has_local_pref &&
           primary->local_pref == drain->local_pref && primary->prepend == drain->prepend;
}

static void set_symbol(struct service_conf *service)
{
    for (size_t i = 0; service->name[i]; i++) {
        service->symbol[i] = service->name[i];
        if (service->symbol[i] == '-') {
            service->symbol[i] = '_';
        }
    }
}

static void build_service(const struct builder *builder, const struct section *section,
                          struct service_conf *service)
{
    const struct key *const tables[] = {service_keys, service_timing_keys};
    size_t errors_before = builder->mistakes->errors;
    service->line = section->line;
    set_name(builder, section, service->name, sizeof service->name);
    set_symbol(service);
    check_entries(builder, section, tables, 2);
    read_keys(builder, section, NULL, service_keys, service, HASH_START);
    read_keys(builder, section, builder->defaults, service_timing_keys, service, HASH_START);

    if (!section_find(section, "require") && !section_find(section, "any")) {
        mistake_error(builder->mistakes, section->line,
                      "[service %s] has no probe in `require` or `any`: nothing could take it down",
                      section->name);
    }
    if (builder->mistakes->errors == errors_before &&
        service->max_hold_down_ms < service->hold_down_ms) {
        char least[DURATION_TEXT_MAX];
        char most[DURATION_TEXT_MAX];
        mistake_error(builder->mistakes,
                      section_line(section, section_find(section, "max_hold_down") ? "max_hold_down"
                                                                                   : "hold_down"),
                      "`max_hold_down` (%s) is less than `hold_down` (%s)",
                      duration_text(service->max_hold_down_ms, most),
                      duration_text(service->hold_down_ms, least));
    }
    if (inherit_attributes(section, &service->primary, &service->drain) != 0) {
        mistake_error(builder->mistakes, section->line, "out of memory");
    } else if (same_attributes(&service->primary, &service->drain)) {
        mistake_warning(builder->mistakes, section->line,
                        "[service %s]: draining changes no attribute of its routes, so no "
                        "neighbour prefers another path before they are withdrawn",
                        section->name);
    }
}

// --- [responder] and [answer NAME] ---------------------------------------------------------------

static void build_responder(const struct builder *builder)
{
    const struct key *const tables[] = {responder_keys};
    if (!builder->responder) {
        // A responder that listens nowhere has limits all the same.
        key_set_fallbacks(responder_keys, builder->config);
        return;
    }
    check_entries(builder, builder->responder, tables, 1);
    read_keys(builder, builder->responder, NULL, responder_keys, builder->config, HASH_START);
}

static void free_answer(struct dns_answer_conf *answer)
{
    for (size_t i = 0; i < answer->record_count; i++) {
        free((void *)answer->records[i].rdata);
    }
    free((void *)answer->records);
}

// Those whose name can be read stay, each beside its section.
static void build_answers(const struct builder *builder, size_t count)
{
    const struct key *const tables[] = {answer_keys};
    struct config *config = builder->config;
    config->answer_count = 0;
    for (size_t i = 0; i < count; i++) {
        const struct section *section = builder->answer_sections[i];
        struct dns_answer_conf *answer = &config->answers[config->answer_count];
        *answer = (struct dns_answer_conf){0};
        check_entries(builder, section, tables, 1);
        read_keys(builder, section, NULL, answer_keys, answer, HASH_START);
        if (config_read_answer(builder, section, answer)) {
            builder->answer_sections[config->answer_count++] = section;
        } else {
            free_answer(answer);
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
    build_single(builder, document, "pop", pop_keys, check_pop);
    build_single(builder, document, "bird", bird_keys, check_bird);
    build_single(builder, document, "control", control_keys, check_control);
    if (builder->defaults) {
        check_defaults(builder, builder->defaults);
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

static void free_attributes(struct attributes *attributes)
{
    free(attributes->communities);
    free(attributes->large_communities);
    free(attributes->ext_communities);
}

void config_free(struct config *config)
{
    if (!config) {
        return;
    }
    for (size_t i = 0; config->probes && i < config->probe_count; i++) {
        free(config->probes[i].options);
    }
    for (size_t i = 0; config->services && i < config->service_count; i++) {
        struct service_conf *service = &config->services[i];
        free(service->prefixes);
        free(service->require.items);
        free(service->any.items);
        free(service->degrade.items);
        free(service->depends.items);
        free_attributes(&service->primary);
        free_attributes(&service->drain);
    }
    for (size_t i = 0; i < config->answer_count; i++) {
        free_answer(&config->answers[i]);
    }
    free(config->answers);
    free(config->responder.listen);
    free(config->responder.ns);
    free((void *)config->zone.addresses);
    free((void *)config->zone.services);
    free(config->bird.sessions);
    free(config->probes);
    free(config->services);
    free(config->service_order);
    free(config);
}
