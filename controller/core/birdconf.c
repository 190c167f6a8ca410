// See birdconf.h. Reading back trusts nothing but the revision: slots are found by the form of
// their lines alone, and when the hash of the rest then is the revision, the text is one that was
// rendered here, so its form needs no further proof.
#include "controller/core/birdconf.h"

#include "base/hash.h"

#include "base/error.h"

#include "base/array.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEADER                                                                                     \
    "# Written by popgated, and written anew at every change of state: edits are lost.\n"          \
    "# Include it from BIRD's configuration. To change it, change popgate.conf.\n"                 \
    "# Revision " NO_REVISION "\n"

// Preferences: above a device route of the same prefix (240), the primary above its twin.
#define PREFERENCE       260
#define PREFERENCE_DRAIN 250

#define NO_REVISION     "0000000000000000"
#define REVISION_LENGTH (sizeof NO_REVISION - 1)
#define SLOT_ON         "on "
#define SLOT_OFF        "off"

_Static_assert(sizeof HEADER <= BIRDCONF_HEAD, "the head holds the revision");

// The lines by which a file's variable parts are found again.
#define REVISION_LINE    "# Revision "
#define DESCRIPTION_LINE "    description \"" NAMES_DESCRIPTION
#define DISABLED_LINE    "    disabled "
#define STATIC_LINE      "protocol static "
#define ROUTE_LINE       "    route "

static const char *const family_channel[FAMILIES] = {[FAMILY_V4] = "ipv4", [FAMILY_V6] = "ipv6"};

// ---- Rendering

static void print_attributes(FILE *out, const struct attributes *attributes, uint64_t local_as)
{
    for (size_t i = 0; i < attributes->communities_count; i++) {
        const uint32_t *part = attributes->communities[i].part;
        fprintf(out, "            bgp_community.add((%" PRIu32 ", %" PRIu32 "));\n", part[0],
                part[1]);
    }
    for (size_t i = 0; i < attributes->large_communities_count; i++) {
        const uint32_t *part = attributes->large_communities[i].part;
        fprintf(out,
                "            bgp_large_community.add((%" PRIu32 ", %" PRIu32 ", %" PRIu32 "));\n",
                part[0], part[1], part[2]);
    }
    for (size_t i = 0; i < attributes->ext_communities_count; i++) {
        fprintf(out, "            bgp_ext_community.add(%s);\n",
                attributes->ext_communities[i].text);
    }
    if (attributes->has_med) {
        fprintf(out, "            bgp_med = %" PRIu32 ";\n", attributes->med);
    }
    if (attributes->has_local_pref) {
        fprintf(out, "            bgp_local_pref = %" PRIu32 ";\n", attributes->local_pref);
    }
    for (uint64_t i = 0; i < attributes->prepend; i++) {
        fprintf(out, "            bgp_path.prepend(%" PRIu64 ");\n", local_as);
    }
}

static void print_protocol(FILE *out, const struct config *config,
                           const struct service_conf *service, enum family family,
                           enum leg_name leg)
{
    char protocol[BIRD_PROTOCOL_MAX];
    char text[PREFIX_TEXT_MAX];
    names_protocol(service, family, leg, protocol);
    fprintf(out,
            "\n" STATIC_LINE "%s {\n" DESCRIPTION_LINE NO_REVISION "\";\n" DISABLED_LINE SLOT_ON
            ";\n"
            "    %s {\n"
            "        table %s;\n"
            "        preference %d;\n"
            "        import filter {\n",
            protocol, family_channel[family], names_table(family),
            leg == LEG_DRAIN ? PREFERENCE_DRAIN : PREFERENCE);
    print_attributes(out, leg == LEG_DRAIN ? &service->drain : &service->primary,
                     config->bird.local_as);
    fprintf(out, "            accept;\n        };\n    };\n");
    for (size_t i = 0; i < service->prefix_count; i++) {
        if (service->prefixes[i].family == family) {
            fprintf(out, ROUTE_LINE "%s blackhole;\n", prefix_text(&service->prefixes[i], text));
        }
    }
    fprintf(out, "}\n");
}

static void print_table(FILE *out, enum family family, const char *main_table)
{
    // The main table's name between apostrophes: a name that is a keyword of BIRD works too.
    fprintf(out,
            "\n%s table %s;\n\n"
            "protocol pipe %s {\n" DESCRIPTION_LINE NO_REVISION "\";\n"
            "    table '%s';\n"
            "    peer table %s;\n"
            "    import all;\n"
            "    export none;\n"
            "}\n",
            family_channel[family], names_table(family), names_pipe(family), main_table,
            names_table(family));
}

static bool uses_family(const struct config *config, enum family family)
{
    for (size_t i = 0; i < config->service_count; i++) {
        if (config->services[i].has_family[family]) {
            return true;
        }
    }
    return false;
}

static void print_all(FILE *out, const struct config *config)
{
    fputs(HEADER, out);
    // Two popgated with one configuration have two files all the same.
    fprintf(out, "# Of the popgated whose runtime_dir is %s\n", config->pop.runtime_dir);
    for (enum family family = FAMILY_V4; family < FAMILIES; family++) {
        if (uses_family(config, family)) {
            print_table(out, family,
                        family == FAMILY_V4 ? config->bird.table4 : config->bird.table6);
        }
    }
    for (size_t i = 0; i < config->service_count; i++) {
        const struct service_conf *service = &config->services[i];
        for (enum family family = FAMILY_V4; family < FAMILIES; family++) {
            if (service->has_family[family]) {
                print_protocol(out, config, service, family, LEG_PRIMARY);
                print_protocol(out, config, service, family, LEG_DRAIN);
            }
        }
    }
}

// ---- Slots and revision

// The line at *at of the text, newline included; false at the end. Moves *at past it.
static bool next_line(const struct birdconf *conf, size_t *at, const char **line, size_t *length)
{
    if (*at == conf->length) {
        return false;
    }
    *line = conf->text + *at;
    const char *newline = memchr(*line, '\n', conf->length - *at);
    *length = newline != NULL ? (size_t)(newline - *line) + 1 : conf->length - *at;
    *at += *length;
    return true;
}

static bool starts_with(const char *line, size_t length, const char *start)
{
    size_t start_length = strlen(start);
    return length >= start_length && memcmp(line, start, start_length) == 0;
}

static const char *revision_in(const char *line, size_t length)
{
    const char *const starts[] = {REVISION_LINE, DESCRIPTION_LINE};
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
        if (starts_with(line, length, starts[i]) && length >= strlen(starts[i]) + REVISION_LENGTH) {
            return line + strlen(starts[i]);
        }
    }
    return NULL;
}

// The word after `disabled`, or NULL if this is no line of a slot.
static const char *slot_in(const char *line, size_t length)
{
    return starts_with(line, length, DISABLED_LINE SLOT_ON ";\n") ||
                   starts_with(line, length, DISABLED_LINE SLOT_OFF ";\n")
               ? line + strlen(DISABLED_LINE)
               : NULL;
}

// Hashes the line as if its slot were on and its revision not yet known.
static uint64_t hash_line(uint64_t hash, const char *line, size_t length)
{
    const char *part = revision_in(line, length);
    const char *stands_for_it = NO_REVISION;
    if (part == NULL) {
        part = slot_in(line, length);
        stands_for_it = SLOT_ON;
    }
    if (part == NULL) {
        return hash_bytes(hash, line, length);
    }
    size_t before = (size_t)(part - line);
    size_t part_length = strlen(stands_for_it);
    hash = hash_bytes(hash, line, before);
    hash = hash_bytes(hash, stands_for_it, part_length);
    return hash_bytes(hash, part + part_length, length - before - part_length);
}

static bool add_slot(struct birdconf *conf, const char *line, size_t length)
{
    size_t name_length = 0;
    const char *name = line + strlen(STATIC_LINE);
    size_t rest = length - strlen(STATIC_LINE);
    while (name_length < rest && name[name_length] != ' ') {
        name_length++;
    }
    struct birdconf_slot *slots = array_room(conf->slots, conf->slot_count, sizeof *slots);
    if (slots == NULL) {
        return false;
    }
    conf->slots = slots;
    struct birdconf_slot *slot = &slots[conf->slot_count++];
    *slot = (struct birdconf_slot){.offset = 0};
    memcpy(slot->protocol, name,
           name_length < BIRD_PROTOCOL_MAX ? name_length : BIRD_PROTOCOL_MAX - 1);
    return true;
}

static int by_protocol(const void *left, const void *right)
{
    const struct birdconf_slot *a = left;
    const struct birdconf_slot *b = right;
    return strcmp(a->protocol, b->protocol);
}

// Fills in the slots of conf->text, and hashes it. False when out of memory.
static bool scan(struct birdconf *conf, uint64_t *hash)
{
    const char *line;
    size_t length;
    *hash = HASH_START;
    for (size_t at = 0; next_line(conf, &at, &line, &length);) {
        struct birdconf_slot *last = conf->slot_count ? &conf->slots[conf->slot_count - 1] : NULL;
        const char *word = slot_in(line, length);
        if (starts_with(line, length, STATIC_LINE)) {
            if (!add_slot(conf, line, length)) {
                return false;
            }
        } else if (last != NULL && word != NULL) {
            last->offset = (size_t)(word - conf->text);
        } else if (last != NULL && starts_with(line, length, ROUTE_LINE)) {
            last->routes++;
        }
        *hash = hash_line(*hash, line, length);
    }
    if (conf->slots != NULL) {
        qsort(conf->slots, conf->slot_count, sizeof *conf->slots, by_protocol);
    }
    return true;
}

static void write_revision(struct birdconf *conf)
{
    const char *line;
    size_t length;
    for (size_t at = 0; next_line(conf, &at, &line, &length);) {
        const char *revision = revision_in(line, length);
        if (revision != NULL) {
            memcpy(conf->text + (revision - conf->text), conf->revision, REVISION_LENGTH);
        }
    }
}

static void revision_text(uint64_t hash, char out[REVISION_TEXT_MAX])
{
    snprintf(out, REVISION_TEXT_MAX, "%016" PRIx64, hash);
}

struct birdconf *birdconf_render(const struct config *config)
{
    uint64_t hash;
    struct birdconf *conf = calloc(1, sizeof *conf);
    if (conf == NULL) {
        return NULL;
    }
    FILE *out = open_memstream(&conf->text, &conf->length);
    if (out == NULL) {
        goto err;
    }
    print_all(out, config);
    bool failed = ferror(out) != 0;
    failed = fclose(out) != 0 || failed;
    // fclose() makes the text as short as it is, and has none left when that fails.
    if (failed || conf->text == NULL || !scan(conf, &hash)) {
        goto err;
    }
    revision_text(hash, conf->revision);
    write_revision(conf);
    return conf;

err:
    birdconf_free(conf);
    return NULL;
}

// The revision that all places in the text agree on; false if there is none.
static bool find_revision(const struct birdconf *conf, char out[REVISION_TEXT_MAX])
{
    const char *line;
    size_t length;
    out[0] = '\0';
    for (size_t at = 0; next_line(conf, &at, &line, &length);) {
        const char *revision = revision_in(line, length);
        if (revision == NULL) {
            continue;
        }
        if (out[0] && memcmp(out, revision, REVISION_LENGTH) != 0) {
            return false;
        }
        memcpy(out, revision, REVISION_LENGTH);
        out[REVISION_LENGTH] = '\0';
    }
    return strspn(out, "0123456789abcdef") == REVISION_LENGTH;
}

struct birdconf *birdconf_parse(const char *text, size_t length, char error[ERROR_MAX])
{
    uint64_t hash;
    char found[REVISION_TEXT_MAX];
    error[0] = '\0';
    struct birdconf *conf = calloc(1, sizeof *conf);
    if (conf == NULL || (conf->text = malloc(length + 1)) == NULL) {
        error_say(error, "out of memory");
        goto err;
    }
    memcpy(conf->text, text, length);
    conf->text[length] = '\0';
    conf->length = length;
    if (memchr(text, '\0', length) != NULL || !find_revision(conf, found)) {
        error_say(error, "not a file that popgated wrote: it has no revision, or several");
        goto err;
    }
    if (!scan(conf, &hash)) {
        error_say(error, "out of memory");
        goto err;
    }
    revision_text(hash, conf->revision);
    if (strcmp(conf->revision, found) != 0) {
        error_say(error, "edited by hand or cut off: revision %s, but its text makes %s", found,
                  conf->revision);
        goto err;
    }
    for (size_t i = 0; i < conf->slot_count; i++) {
        if (conf->slots[i].offset == 0) {
            error_say(error, "protocol %s has no `disabled`", conf->slots[i].protocol);
            goto err;
        }
    }
    return conf;

err:
    birdconf_free(conf);
    return NULL;
}

static const struct birdconf_slot *find_slot(const struct birdconf *conf, const char *protocol)
{
    struct birdconf_slot wanted = {.offset = 0};
    if (conf->slot_count == 0 || strlen(protocol) >= sizeof wanted.protocol) {
        return NULL;
    }
    memcpy(wanted.protocol, protocol, strlen(protocol));
    return bsearch(&wanted, conf->slots, conf->slot_count, sizeof *conf->slots, by_protocol);
}

bool birdconf_set(struct birdconf *conf, const char *protocol, bool enabled)
{
    const struct birdconf_slot *slot = find_slot(conf, protocol);
    return slot != NULL && birdconf_switch(conf, (size_t)(slot - conf->slots), enabled);
}

// The word is of `disabled`.
bool birdconf_switch(struct birdconf *conf, size_t slot, bool enabled)
{
    assert(slot < conf->slot_count && conf->slots[slot].offset + BIRDCONF_SLOT <= conf->length);
    char *word = conf->text + conf->slots[slot].offset;
    const char *wanted = enabled ? SLOT_OFF : SLOT_ON;
    assert(memcmp(word, SLOT_ON, BIRDCONF_SLOT) == 0 || memcmp(word, SLOT_OFF, BIRDCONF_SLOT) == 0);
    bool changes = memcmp(word, wanted, BIRDCONF_SLOT) != 0;
    memcpy(word, wanted, BIRDCONF_SLOT);
    return changes;
}

bool birdconf_get(const struct birdconf *conf, const char *protocol)
{
    const struct birdconf_slot *slot = find_slot(conf, protocol);
    return slot != NULL && memcmp(conf->text + slot->offset, SLOT_OFF, BIRDCONF_SLOT) == 0;
}

size_t birdconf_slot_index(const struct birdconf *conf, const char *protocol)
{
    const struct birdconf_slot *slot = find_slot(conf, protocol);
    return slot != NULL ? (size_t)(slot - conf->slots) : conf->slot_count;
}

void birdconf_free(struct birdconf *conf)
{
    if (conf != NULL) {
        free(conf->text);
        free(conf->slots);
        free(conf);
    }
}

// What follows a component that is a pattern may be missing: not / itself, whose children are
// there.
const char *birdconf_include_line(const char *runtime_dir, char out[BIRDCONF_LINE_MAX])
{
    const char *below = strchr(runtime_dir + 1, '/');
    const char *rest = below != NULL ? below : runtime_dir;
    rest += strcspn(rest, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789");
    bool found = *rest != '\0';
    snprintf(out, BIRDCONF_LINE_MAX, "include \"%.*s%s%.1s%s%s/bird*.conf\";",
             (int)(rest - runtime_dir), runtime_dir, found ? "[" : "", rest, found ? "]" : "",
             found ? rest + 1 : "");
    return out;
}
