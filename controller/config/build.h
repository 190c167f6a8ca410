// Between the files that make a configuration, and of no use to others: keys.c has the tables,
// section.c reads by them, build.c and answer.c fill in one section after the other, zone.c makes
// the zone that the responder answers from, check.c says what only the whole can tell.
#pragma once

#include "base/names.h"
#include "controller/config/document.h"
#include "controller/config/load.h"

// A kind of section. A NULL word ends the table. A probe has its type's keys besides.
#define CONFIG_TABLES_MAX 2
#define SECTION_KINDS_MAX 16
struct section_kind {
    const char *word;
    enum {
        KIND_SINGLE, // read into struct config by its one table
        KIND_NEEDED, // the same, and its required keys are missed also where there is no section
        KIND_DEFAULTS,
        KIND_NAMED, // [probe NAME]
    } form;
    bool expanded; // {pop.id} and {pop.region} may stand in its values
    const struct key *tables[CONFIG_TABLES_MAX];
    // Whether key is a list's though no table has it; NULL: none is.
    bool (*has_also)(const char *key);
};
extern const struct section_kind section_kinds[];

// Offsets into struct config.
extern const struct key pop_keys[], bird_keys[], control_keys[], responder_keys[];
extern const struct key type_keys[]; // `type` of a probe, which is not read like the others
extern const struct key service_keys[];
extern const struct key service_timing_keys[]; // of a service too; [defaults] may set them for all
extern const struct key answer_keys[];         // offsets into struct dns_answer_conf

// Keys that name probes or services. A NULL key ends the table.
struct reference {
    const char *key;
    bool names_services; // rather than probes
    size_t offset;       // of the struct index_list in struct service_conf
};
extern const struct reference references[];

// What is being made, and of what.
struct builder {
    struct config *config;
    struct mistakes *mistakes;
    // Of each kind, in the file's order; those of a kind that takes names stand beside what is made
    // of them.
    struct section_list {
        const struct section **items;
        size_t count;
    } sections[SECTION_KINDS_MAX];
    struct names probes, services; // what the sections are called, even if that is no name
    struct probe_conf probe_defaults;
    struct service_conf service_defaults; // the timing
};

// Of this word; its own is NULL if there is no such kind.
const struct section_kind *section_kind_of(const char *word);

// The sections of a kind that there is.
struct section_list *sections_of(struct builder *builder, const char *word);
const struct section *section_of(const struct builder *builder, const char *word, size_t number);
// The one section of a kind that takes no name; NULL: there is none.
const struct section *section_single(const struct builder *builder, const char *word);

// The entry's value; where its kind of section has it so, with {pop.id} and {pop.region} replaced,
// into expanded. NULL after reporting why that can't be.
const char *section_value(const struct builder *builder, const struct section *section,
                          const struct entry *entry, char expanded[WORD_MAX]);

// Fills fields by table from the section, else from the fallbacks; but those of KEY_ELSEWHERE, of
// which only is seen to it that they have a value. Returns hash with every value in it.
uint64_t section_read_keys(const struct builder *builder, const struct section *section,
                           const struct key *table, void *fields, uint64_t hash);

// The same for fields that have what [defaults] says, and the fallbacks, already.
uint64_t section_read_own_keys(const struct builder *builder, const struct section *section,
                               const struct key *table, void *fields, uint64_t hash);

// What to say of a word of a list that is refused; empty where there is no comma in it.
const char *section_comma_advice(const char *word);

// Takes a name or a value into hash.
uint64_t section_hash(uint64_t hash, const char *text);

// Every entry must be of a key in tables; only a list may be continued or written again.
void section_check_entries(const struct builder *builder, const struct section *section,
                           const struct key *const *tables, size_t count);

// Every section into its place in the configuration. False when out of memory.
bool build_sections(struct builder *builder);

// The probe or service that entry of section names; SIZE_MAX after reporting that there is none.
size_t config_find(const struct builder *builder, const struct section *section,
                   const struct entry *entry, bool services, const char *word);

bool answer_has_record(const struct dns_answer_conf *answer, enum dns_state state, uint16_t type);

// "TYPE65280" and, with a state, "TYPE65280.drained" (RFC 3597).
bool answer_names_type(const char *key);

// Name, service and records of [answer NAME]. False: its name can't be read.
bool config_read_answer(const struct builder *builder, const struct section *section,
                        struct dns_answer_conf *answer);

// config->zone, and what is wrong with it.
void config_make_zone(const struct builder *builder);

// The services' prefixes and the names that they have of others, and every check that needs more
// than one section; orders the services.
void config_check(const struct builder *builder);
