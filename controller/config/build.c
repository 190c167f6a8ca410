// The sections of popgate.conf, each into its struct: by the tables of keys, and with the checks
// that need no other section.
#include "controller/config/build.h"
#include "base/array.h"
#include "base/hash.h"
#include "controller/config/values.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SOCKET_NAME "/popgate.sock"

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

// ---- Sections without a name

// On a file system that a reboot empties, nobody's drain or isolation outlives one.
static void check_state_dir(const struct builder *builder, const struct section *pop)
{
    static const char *const fleeting[] = {"/run/", "/var/run/", "/dev/shm/"};
    const char *path = builder->config->pop.state_dir;
    for (size_t i = 0; i < sizeof fleeting / sizeof *fleeting; i++) {
        if (strncmp(path, fleeting[i], strlen(fleeting[i])) == 0) {
            mistake_warning(builder->mistakes, section_line(pop, "state_dir"),
                            "`state_dir`: a reboot empties %.*s, and what operators drained or "
                            "isolated would be announced again",
                            (int)strlen(fleeting[i]) - 1, fleeting[i]);
        }
    }
}

static void check_pop(const struct builder *builder, const struct section *pop)
{
    size_t length = strlen(builder->config->pop.runtime_dir) + strlen(SOCKET_NAME);
    if (length >= PATH_LEN_MAX) {
        mistake_error(builder->mistakes, section_line(pop, "runtime_dir"),
                      "`runtime_dir`: the path is too long for the socket " SOCKET_NAME
                      " below it: %zu bytes, at most %d are allowed",
                      length, PATH_LEN_MAX - 1);
    }
    check_state_dir(builder, pop);
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

// What the table of its keys can't say of a section.
static const struct {
    const char *kind;
    void (*check)(const struct builder *builder, const struct section *section);
} single_checks[] = {{"pop", check_pop}, {"bird", check_bird}, {"control", check_control}};

static void check_single(const struct builder *builder, const struct section *section)
{
    for (size_t i = 0; i < sizeof single_checks / sizeof *single_checks; i++) {
        if (strcmp(single_checks[i].kind, section->kind) == 0) {
            single_checks[i].check(builder, section);
        }
    }
}

static void build_single(const struct builder *builder, const struct section_kind *kind)
{
    const struct section *section = section_single(builder, kind->word);
    struct section none = {.line = 1, .kind = (char *)kind->word, .name = ""};
    if (section == NULL && kind->form == KIND_SINGLE) {
        key_set_fallbacks(kind->tables[0], builder->config);
        return;
    }
    if (section == NULL) {
        section = &none;
    }
    size_t errors_before = builder->mistakes->errors;
    section_check_entries(builder, section, kind->tables, 1);
    section_read_keys(builder, section, kind->tables[0], builder->config, HASH_START);
    if (builder->mistakes->errors == errors_before) {
        check_single(builder, section);
    }
}

// In the table's order: what others are expanded by comes first.
static void build_singles(const struct builder *builder)
{
    for (const struct section_kind *kind = section_kinds; kind->word != NULL; kind++) {
        if (kind->form == KIND_SINGLE || kind->form == KIND_NEEDED) {
            build_single(builder, kind);
        }
    }
}

static void build_defaults(struct builder *builder)
{
    const struct key *const tables[] = {probe_common_keys, service_timing_keys};
    const struct section *defaults = section_single(builder, "defaults");
    key_set_fallbacks(probe_common_keys, &builder->probe_defaults);
    key_set_fallbacks(service_timing_keys, &builder->service_defaults);
    if (defaults != NULL) {
        section_check_entries(builder, defaults, tables, 2);
        section_read_own_keys(builder, defaults, probe_common_keys, &builder->probe_defaults,
                              HASH_START);
        section_read_own_keys(builder, defaults, service_timing_keys, &builder->service_defaults,
                              HASH_START);
    }
}

// ---- Probes

static const struct probe_type *find_type(const struct builder *builder,
                                          const struct section *section)
{
    const struct entry *entry = section_find(section, "type");
    if (entry == NULL) {
        mistake_error(builder->mistakes, section->line, "[probe %s] has no `type`", section->name);
        return NULL;
    }
    const struct probe_type *type = probe_type_find(entry->value);
    if (type != NULL) {
        return type;
    }
    struct nearest nearest = {.wanted = entry->value};
    for (size_t i = 0; probe_types[i] != NULL; i++) {
        nearest_offer(&nearest, probe_types[i]->name);
    }
    mistake_error(builder->mistakes, entry->line, "`type`: there is no probe type \"%.64s\"%s%s%s",
                  entry->value, nearest.best != NULL ? "; did you mean " : "",
                  nearest.best != NULL ? nearest.best : "", nearest.best != NULL ? "?" : "");
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

// When it does so, and how often, is not in it.
static uint64_t hash_of_question(const struct probe_conf *probe, uint64_t own_keys)
{
    char target[ENDPOINT_TEXT_MAX];
    char source[ENDPOINT_TEXT_MAX];
    return section_hash(section_hash(own_keys, endpoint_text(&probe->target, target)),
                        endpoint_text(&probe->source, source));
}

static void build_probe(const struct builder *builder, const struct section *section,
                        struct probe_conf *probe)
{
    size_t errors_before = builder->mistakes->errors;
    struct probe_place place = {builder, section};
    struct probe_problems mistakes = {on_probe_problem, &place};
    *probe = builder->probe_defaults;
    probe->line = section->line;
    set_name(builder, section, probe->name, sizeof probe->name);
    probe->type = find_type(builder, section);
    probe->fingerprint = section_read_own_keys(builder, section, probe_common_keys, probe,
                                               section_hash(HASH_START, section->name));
    if (probe->type == NULL) {
        return; // which other keys it may have can't be told
    }
    const struct key *const tables[] = {type_keys, probe_common_keys, probe->type->keys};
    section_check_entries(builder, section, tables, 3);
    if (probe->type->options_size > 0) {
        probe->options = calloc(1, probe->type->options_size);
        if (probe->options == NULL) {
            mistake_error(builder->mistakes, section->line, "out of memory");
            return;
        }
    }
    uint64_t own_keys = section_read_keys(builder, section, probe->type->keys, probe->options,
                                          section_hash(HASH_START, probe->type->name));
    probe->fingerprint = hash_bytes(probe->fingerprint, &own_keys, sizeof own_keys);
    probe->asks = hash_of_question(probe, own_keys);
    if (builder->mistakes->errors == errors_before) {
        probe_check(probe, &mistakes);
    } else if (probe->type->needs_target && section_find(section, "target") == NULL &&
               section_find(section_single(builder, "defaults"), "target") == NULL) {
        on_probe_problem(&place, true, "target is missing");
    }
}

// ---- Services

// Puts what is in first, but not in *items, before *items. -1 when out of memory.
static int put_before(const void *first, size_t first_count, void *items, size_t *count,
                      size_t size)
{
    char *own;
    memcpy(&own, items, sizeof own);
    char *joined = calloc(first_count + *count + 1, size);
    size_t total = 0;
    if (joined == NULL) {
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
    if (section_find(section, "drain_prepend") == NULL) {
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

// A drain that is preferred draws traffic. BIRD's local preference is 100 where nothing sets it.
static void check_drain(const struct builder *builder, const struct section *section,
                        const struct attributes *primary, const struct attributes *drain)
{
    uint32_t local_pref = primary->has_local_pref ? primary->local_pref : 100;
    if (drain->has_local_pref && drain->local_pref > local_pref) {
        mistake_warning(builder->mistakes, section_line(section, "drain_local_pref"),
                        "`drain_local_pref` of [service %s] is higher than `local_pref`, %u: a "
                        "drain would draw traffic, not send it away",
                        section->name, (unsigned)local_pref);
    }
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
    *service = builder->service_defaults;
    service->line = section->line;
    set_name(builder, section, service->name, sizeof service->name);
    set_symbol(service);
    section_check_entries(builder, section, tables, 2);
    section_read_keys(builder, section, service_keys, service, HASH_START);
    section_read_own_keys(builder, section, service_timing_keys, service, HASH_START);

    if (section_find(section, "require") == NULL && section_find(section, "any") == NULL) {
        mistake_error(builder->mistakes, section->line,
                      "[service %s] has no probe in `require` or `any`: nothing could take it down",
                      section->name);
    }
    if (builder->mistakes->errors == errors_before &&
        service->max_hold_down_ms < service->hold_down_ms) {
        char least[DURATION_TEXT_MAX];
        char most[DURATION_TEXT_MAX];
        mistake_error(builder->mistakes,
                      section_line(section, section_find(section, "max_hold_down") != NULL
                                                ? "max_hold_down"
                                                : "hold_down"),
                      "`max_hold_down` (%s) is less than `hold_down` (%s)",
                      duration_text(service->max_hold_down_ms, most),
                      duration_text(service->hold_down_ms, least));
    }
    if (inherit_attributes(section, &service->primary, &service->drain) != 0) {
        mistake_error(builder->mistakes, section->line, "out of memory");
        return;
    }
    check_drain(builder, section, &service->primary, &service->drain);
    if (same_attributes(&service->primary, &service->drain)) {
        mistake_warning(builder->mistakes, section->line,
                        "[service %s]: draining changes no attribute of its routes, so no "
                        "neighbour prefers another path before they are withdrawn",
                        section->name);
    }
}

// ---- Answers

// Those whose name can be read stay, each beside its section.
static void build_answers(struct builder *builder)
{
    const struct key *const tables[] = {answer_keys};
    struct config *config = builder->config;
    struct section_list *list = sections_of(builder, "answer");
    for (size_t i = 0; i < list->count; i++) {
        const struct section *section = list->items[i];
        struct dns_answer_conf *answer = &config->answers[config->answer_count];
        *answer = (struct dns_answer_conf){0};
        section_check_entries(builder, section, tables, 1);
        section_read_keys(builder, section, answer_keys, answer, HASH_START);
        if (config_read_answer(builder, section, answer)) {
            list->items[config->answer_count++] = section;
        } else {
            config_free_answer(answer);
        }
    }
    list->count = config->answer_count;
}

// ---- All of them

bool build_sections(struct builder *builder)
{
    struct config *config = builder->config;
    const struct section_list *probes = sections_of(builder, "probe");
    const struct section_list *services = sections_of(builder, "service");
    config->probes = calloc(probes->count + 1, sizeof *config->probes);
    config->services = calloc(services->count + 1, sizeof *config->services);
    config->answers = calloc(sections_of(builder, "answer")->count + 1, sizeof *config->answers);
    if (config->probes == NULL || config->services == NULL || config->answers == NULL) {
        return false;
    }
    build_singles(builder);
    build_defaults(builder);
    while (config->probe_count < probes->count) {
        size_t next = config->probe_count++;
        build_probe(builder, probes->items[next], &config->probes[next]);
    }
    while (config->service_count < services->count) {
        size_t next = config->service_count++;
        build_service(builder, services->items[next], &config->services[next]);
    }
    build_answers(builder);
    return true;
}
