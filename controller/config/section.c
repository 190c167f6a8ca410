// What a section says, by the tables of keys: values into fields, and which entries have no place
// in it.
#include "base/hash.h"
#include "base/text.h"
#include "controller/config/build.h"
#include "controller/config/expand.h"

#include <assert.h>
#include <string.h>

// ---- Keys

// The ending NUL too, so that "ab" "c" is not "a" "bc".
uint64_t section_hash(uint64_t hash, const char *text)
{
    return hash_bytes(hash, text, strlen(text) + 1);
}

static bool is_quoted(const char *value)
{
    size_t length = strlen(value);
    return length >= 2 && value[0] == '"' && strchr(value + 1, '"') == value + length - 1;
}

// Other configuration files take quotes away. They count here, and may be meant: so this is told,
// not refused.
static void warn_of_quotes(const struct key *key, const char *value, unsigned line,
                           struct mistakes *mistakes)
{
    bool text = key->kind == KEY_STRING || key->kind == KEY_WORD;
    if (text && !key->quotes && is_quoted(value)) {
        mistake_warning(mistakes, line,
                        "`%s`: the quotes of %.80s are part of the text; leave them out if they "
                        "are not meant to be",
                        key->name, value);
    }
}

const char *section_comma_advice(const char *word)
{
    return strchr(word, ',') != NULL ? "; the words of a list stand between white space, not commas"
                                     : "";
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
        } else {
            warn_of_quotes(key, value, line, mistakes);
        }
        return 1;
    }
    for (const char *at = value; text_next_word(&at, word, sizeof word); words++) {
        if (key_set(key, word, fields, error) != 0) {
            mistake_error(mistakes, line, "`%s`: %s%s", key->name, error,
                          section_comma_advice(word));
        }
    }
    return words;
}

const struct section_kind *section_kind_of(const char *word)
{
    const struct section_kind *kind = section_kinds;
    while (kind->word != NULL && strcmp(kind->word, word) != 0) {
        kind++;
    }
    return kind;
}

static size_t kind_number(const char *word)
{
    const struct section_kind *kind = section_kind_of(word);
    assert(kind->word != NULL && kind - section_kinds < SECTION_KINDS_MAX);
    return (size_t)(kind - section_kinds);
}

struct section_list *sections_of(struct builder *builder, const char *word)
{
    return &builder->sections[kind_number(word)];
}

const struct section *section_of(const struct builder *builder, const char *word, size_t number)
{
    const struct section_list *list = &builder->sections[kind_number(word)];
    assert(number < list->count);
    return list->items[number];
}

const struct section *section_single(const struct builder *builder, const char *word)
{
    const struct section_list *list = &builder->sections[kind_number(word)];
    return list->count > 0 ? list->items[0] : NULL;
}

const char *section_value(const struct builder *builder, const struct section *section,
                          const struct entry *entry, char expanded[WORD_MAX])
{
    char error[ERROR_MAX];
    if (!section_kind_of(section->kind)->expanded) {
        return entry->value;
    }
    if (expand(builder->config, entry->value, expanded, error) != 0) {
        mistake_error(builder->mistakes, entry->line, "`%s`: %s", entry->key, error);
        return NULL;
    }
    return expanded;
}

static void set_from_section(const struct builder *builder, const struct key *key,
                             const struct section *section, void *fields, uint64_t *hash)
{
    size_t words = 0;
    char expanded[WORD_MAX];
    for (size_t i = 0; i < section->entry_count; i++) {
        const struct entry *entry = &section->entries[i];
        if (strcmp(entry->key, key->name) != 0) {
            continue;
        }
        if (key->kind == KEY_ELSEWHERE) {
            words += entry->value[0] != '\0';
            continue;
        }
        const char *value = section_value(builder, section, entry, expanded);
        if (value == NULL) {
            return;
        }
        *hash = section_hash(*hash, value);
        words += set_value(key, value, entry->line, fields, builder->mistakes);
        if (!key->list) {
            return; // what follows is a duplicate, reported as such
        }
    }
    if (words == 0) {
        mistake_error(builder->mistakes, section_line(section, key->name), "`%s`: has no value",
                      key->name);
    }
}

uint64_t section_read_keys(const struct builder *builder, const struct section *section,
                           const struct key *table, void *fields, uint64_t hash)
{
    for (const struct key *key = table; key != NULL && key->name != NULL; key++) {
        hash = section_hash(hash, key->name);
        if (section_find(section, key->name) != NULL) {
            set_from_section(builder, key, section, fields, &hash);
        } else if (key->fallback != NULL) {
            hash = section_hash(hash, key->fallback);
            set_value(key, key->fallback, section->line, fields, builder->mistakes);
        } else if (key->required) {
            mistake_error(builder->mistakes, section->line, "[%s%s%s] has no `%s`", section->kind,
                          section->name[0] ? " " : "", section->name, key->name);
        }
    }
    return hash;
}

uint64_t section_read_own_keys(const struct builder *builder, const struct section *section,
                               const struct key *table, void *fields, uint64_t hash)
{
    const struct section *defaults = section_single(builder, "defaults");
    for (const struct key *key = table; key->name != NULL; key++) {
        const struct entry *entry = section_find(defaults, key->name);
        const char *inherited = entry != NULL ? entry->value : key->fallback;
        assert(!key->list && !key->required);
        hash = section_hash(hash, key->name);
        if (section_find(section, key->name) != NULL) {
            set_from_section(builder, key, section, fields, &hash);
        } else if (inherited != NULL) {
            hash = section_hash(hash, inherited);
        }
    }
    return hash;
}

// ---- What a section may hold

static const struct key *find_in(const struct key *const *tables, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        const struct key *key = tables[i] != NULL ? key_find(tables[i], name) : NULL;
        if (key != NULL) {
            return key;
        }
    }
    return NULL;
}

// A probe type with a key of that name, or NULL.
static const struct probe_type *type_with_key(const char *name)
{
    for (size_t i = 0; probe_types[i] != NULL; i++) {
        if (probe_types[i]->keys != NULL && key_find(probe_types[i]->keys, name) != NULL) {
            return probe_types[i];
        }
    }
    return NULL;
}

// What people write who know it from elsewhere, and what to write here.
static const char *write_instead(const struct section *section, const char *key)
{
    static const struct {
        const char *section, *key, *instead;
    } table[] = {
        {"probe", "client_secret",
         "a secret is not written here, where everybody may read it: `secret_file` names a file"},
        {"probe", "host", "write `target = address:port`"},
        {"probe", "address", "write `target = address:port`"},
        {"probe", "port", "write `target = address:port`"},
        {"service", "prefix", "write `prefixes`, with as many as there are"},
        {"service", "probes", "write `require` for those that all must pass, or `any`"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        if (strcmp(table[i].section, section->kind) == 0 && strcmp(table[i].key, key) == 0) {
            return table[i].instead;
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
    const char *instead = write_instead(section, entry->key);
    const char *states = strcmp(section->kind, "answer") == 0 && strchr(entry->key, '.') != NULL
                             ? " (after the dot: degraded, drained or withdrawn; the normal state "
                               "is without a dot)"
                             : "";
    for (size_t i = 0; i < count; i++) {
        for (const struct key *key = tables[i]; key != NULL && key->name != NULL; key++) {
            nearest_offer(&nearest, key->name);
        }
    }
    if (instead != NULL) {
        mistake_error(builder->mistakes, entry->line, "unknown key `%.64s` in [%s]; %s", entry->key,
                      section->kind, instead);
    } else if (other != NULL) {
        mistake_error(builder->mistakes, entry->line,
                      "`%.64s` is a key of type %s, not of this probe's type", entry->key,
                      other->name);
    } else if (nearest.best != NULL) {
        mistake_error(builder->mistakes, entry->line,
                      "unknown key `%.64s` in [%s]; did you mean `%s`?%s", entry->key,
                      section->kind, nearest.best, states);
    } else {
        mistake_error(builder->mistakes, entry->line, "unknown key `%.64s` in [%s]%s", entry->key,
                      section->kind, states);
    }
}

void section_check_entries(const struct builder *builder, const struct section *section,
                           const struct key *const *tables, size_t count)
{
    bool (*also)(const char *key) = section_kind_of(section->kind)->has_also;
    for (size_t i = 0; i < section->entry_count; i++) {
        const struct entry *entry = &section->entries[i];
        const struct entry *first = section_find(section, entry->key);
        const struct key *key = find_in(tables, count, entry->key);
        if (key == NULL) {
            if (!entry->continued && !(also != NULL && also(entry->key))) {
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
