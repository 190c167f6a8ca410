// [answer NAME]: what it follows, and the records that it says.
#include "base/array.h"
#include "base/text.h"
#include "controller/config/build.h"
#include "controller/config/values.h"

#include "dns/rdata.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define RECORD_TEXT_MAX ((size_t)4 * DNS_RDATA_MAX) // every octet as \DDD
#define RECORDS_MAX     4096                        // of an answer: more addresses fit no message

// ---- Records

static bool is_numbered(const char *key)
{
    return strncasecmp(key, "TYPE", 4) == 0;
}

// What a key such as "aaaa.drained" is of; false: it is of no record.
static bool split_key(const char *key, uint16_t *type, enum dns_state *state)
{
    char word[16];
    size_t length = strcspn(key, ".");
    const char *rest = key[length] ? key + length + 1 : "";
    if (length >= sizeof word || (key[length] && !rest[0]) ||
        (!is_numbered(key) && key_find(answer_keys, key) == NULL)) {
        return false;
    }
    memcpy(word, key, length);
    word[length] = '\0';
    for (unsigned i = 0; i < DNS_STATES; i++) {
        if (strcmp(dns_state_name(i), rest) == 0) {
            *state = i;
            return dns_type_parse(word, type);
        }
    }
    return false;
}

bool answer_names_type(const char *key)
{
    uint16_t type;
    enum dns_state state;
    return is_numbered(key) && split_key(key, &type, &state);
}

static bool holds_record(const struct dns_answer_conf *answer, const struct dns_record_conf *record)
{
    for (size_t i = 0; i < answer->record_count; i++) {
        const struct dns_record_conf *other = &answer->records[i];
        if (other->state == record->state && other->type == record->type &&
            other->length == record->length &&
            memcmp(other->rdata, record->rdata, record->length) == 0) {
            return true;
        }
    }
    return false;
}

// Copies the rdata too. False when out of memory.
static bool append_record(struct dns_answer_conf *answer, const struct dns_record_conf *record)
{
    struct dns_record_conf *records =
        array_room((void *)answer->records, answer->record_count, sizeof *records);
    uint8_t *rdata = malloc(record->length + (size_t)1);
    if (records != NULL) {
        answer->records = records;
    }
    if (records == NULL || rdata == NULL) {
        free(rdata);
        return false;
    }
    memcpy(rdata, record->rdata, record->length);
    records[answer->record_count] = *record;
    records[answer->record_count++].rdata = rdata;
    return true;
}

// In the name that the record leads to, as it is written.
static const char *target_mistake(uint16_t type, const char *text)
{
    struct dns_names names = dns_names_of(type);
    char word[WORD_MAX];
    if (names.count == 0 || strncmp(text, "\\#", 2) == 0) { // octets (RFC 3597) have no mistakes
        return NULL;
    }
    for (size_t i = 0; i <= names.before; i++) {
        if (!text_next_word(&text, word, sizeof word)) {
            return NULL;
        }
    }
    return domain_mistake(word, false);
}

static void add_record(const struct builder *builder, const struct entry *entry,
                       struct dns_record_conf record, const char *text,
                       struct dns_answer_conf *answer)
{
    uint8_t rdata[DNS_RDATA_MAX];
    size_t length = 0;
    const char *mistake = dns_rdata_parse(record.type, text, rdata, &length);
    mistake = mistake != NULL ? mistake : target_mistake(record.type, text);
    record.rdata = rdata;
    record.length = (uint16_t)length;
    if (mistake != NULL) {
        mistake_error(builder->mistakes, entry->line, "`%s`: \"%.80s\": %s", entry->key, text,
                      mistake);
    } else if (answer->record_count == RECORDS_MAX) {
        mistake_error(builder->mistakes, entry->line, "`%s`: more than %d records", entry->key,
                      RECORDS_MAX);
    } else if (holds_record(answer, &record)) {
        mistake_error(builder->mistakes, entry->line, "`%s`: %.80s is here twice", entry->key,
                      text);
    } else if (!append_record(answer, &record)) {
        mistake_error(builder->mistakes, entry->line, "out of memory");
    }
}

// Each word is a record.
static void add_words(const struct builder *builder, const struct section *section,
                      const struct entry *entry, struct dns_record_conf record,
                      struct dns_answer_conf *answer)
{
    char expanded[WORD_MAX];
    char word[WORD_MAX];
    const char *at = section_value(builder, section, entry, expanded);
    while (at != NULL && text_next_word(&at, word, sizeof word)) {
        add_record(builder, entry, record, word, answer);
    }
}

// The entry and those that continue it are one record.
static void add_lines(const struct builder *builder, const struct section *section,
                      const struct entry *entry, struct dns_record_conf record,
                      struct dns_answer_conf *answer)
{
    char text[RECORD_TEXT_MAX];
    char expanded[WORD_MAX];
    size_t used = 0;
    bool sound = true;
    const struct entry *end = section->entries + section->entry_count;
    for (const struct entry *line = entry; line < end && (line == entry || line->continued);
         line++) {
        const char *value = section_value(builder, section, line, expanded);
        sound = sound && value != NULL;
        if (sound && used + strlen(value) + 2 > sizeof text) {
            mistake_error(builder->mistakes, line->line, "`%s`: the record is too long", line->key);
            sound = false;
        }
        if (sound) {
            used += (size_t)snprintf(text + used, sizeof text - used, "%s%s",
                                     line == entry ? "" : " ", value);
        }
    }
    if (sound && used > 0) {
        add_record(builder, entry, record, text, answer);
    } else if (sound && is_numbered(entry->key)) { // of others it was told already
        mistake_error(builder->mistakes, entry->line, "`%s`: has no value", entry->key);
    }
}

static void add_records(const struct builder *builder, const struct section *section,
                        struct dns_answer_conf *answer)
{
    for (size_t i = 0; i < section->entry_count; i++) {
        const struct entry *entry = &section->entries[i];
        struct dns_record_conf record = {.length = 0};
        if (!split_key(entry->key, &record.type, &record.state)) {
            continue;
        }
        if (!is_numbered(entry->key) && (record.type == DNS_A || record.type == DNS_AAAA)) {
            add_words(builder, section, entry, record, answer);
        } else if (!entry->continued) {
            add_lines(builder, section, entry, record, answer);
        }
    }
}

// ---- [answer NAME]

// Keys of records that say nothing without more keys, and none at all.
static void check_keys(const struct builder *builder, const struct section *section, bool sound)
{
    bool any = !sound; // then there may be one that could not be read
    for (size_t i = 0; i < section->entry_count; i++) {
        const struct entry *entry = &section->entries[i];
        uint16_t type;
        enum dns_state state;
        if (!split_key(entry->key, &type, &state)) {
            any = any || key_find(answer_keys, entry->key) == NULL;
            continue;
        }
        any = true;
        if (state != DNS_STATE_NORMAL && section_find(section, "service") == NULL) {
            mistake_error(builder->mistakes, entry->line,
                          "`%s` follows a service, but [answer %s] has no `service`", entry->key,
                          section->name);
            break;
        }
    }
    if (!any) {
        mistake_error(builder->mistakes, section->line, "[answer %s] has no record", section->name);
    }
}

bool answer_has_record(const struct dns_answer_conf *answer, enum dns_state state, uint16_t type)
{
    for (size_t i = 0; i < answer->record_count; i++) {
        if (answer->records[i].state == state && answer->records[i].type == type) {
            return true;
        }
    }
    return false;
}

// Addresses of a state stand for those of both families: clients of one may be forgotten.
static void check_families(const struct builder *builder, const struct section *section,
                           const struct dns_answer_conf *answer)
{
    if (answer->service == SIZE_MAX || !answer_has_record(answer, DNS_STATE_NORMAL, DNS_A) ||
        !answer_has_record(answer, DNS_STATE_NORMAL, DNS_AAAA)) {
        return;
    }
    for (unsigned state = DNS_STATE_NORMAL + 1; state < DNS_STATES; state++) {
        bool a = answer_has_record(answer, state, DNS_A);
        bool aaaa = answer_has_record(answer, state, DNS_AAAA);
        if (a != aaaa) {
            mistake_warning(builder->mistakes, section->line,
                            "[answer %s] has `%s.%s` but no `%s.%s`: clients that want the other "
                            "get no address while %s is %s",
                            section->name, a ? "a" : "aaaa", dns_state_name(state),
                            a ? "aaaa" : "a", dns_state_name(state),
                            builder->config->services[answer->service].name, dns_state_name(state));
        }
    }
}

bool config_read_answer(const struct builder *builder, const struct section *section,
                        struct dns_answer_conf *answer)
{
    size_t errors_before = builder->mistakes->errors;
    const struct entry *service = section_find(section, "service");
    const char *mistake = domain_mistake(section->name, true);
    mistake = mistake != NULL ? mistake : dns_name_parse(section->name, &answer->name);
    if (mistake != NULL) {
        mistake_error(builder->mistakes, section->line, "[answer %s]: %s", section->name, mistake);
    }
    answer->service = SIZE_MAX;
    char expanded[WORD_MAX];
    const char *name = service != NULL ? section_value(builder, section, service, expanded) : "";
    if (name != NULL && name[0]) {
        answer->service = config_find(builder, section, service, true, name);
    }
    add_records(builder, section, answer);
    check_keys(builder, section, builder->mistakes->errors == errors_before);
    if (builder->mistakes->errors == errors_before) {
        check_families(builder, section, answer);
    }
    return mistake == NULL;
}
