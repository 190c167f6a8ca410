#include "controller/core/ledger.h"

#include "base/hash.h"
#include "base/json_writer.h"
#include "controller/config/values.h"

#include <assert.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VERSION      2
#define NO_CHECKSUM  1                // the version that had none
#define BOOT_VERSION 1                // the boot memory's
#define TIME_MS_MAX  1000000000000000 // far enough ahead, and no sum of two overflows

// ---- Entries

static int entry_compare(const void *a, const void *b)
{
    const struct ledger_entry *one = a;
    const struct ledger_entry *other = b;
    return strcmp(one->service, other->service);
}

// Where service is, or is to be put.
static size_t place_of(const struct ledger *ledger, const char *service, bool *found)
{
    size_t low = 0;
    size_t high = ledger->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(ledger->entries[middle].service, service);
        if (order == 0) {
            *found = true;
            return middle;
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *found = false;
    return low;
}

const struct ledger_entry *ledger_find(const struct ledger *ledger, const char *service)
{
    bool found;
    size_t place = place_of(ledger, service, &found);
    return found ? &ledger->entries[place] : NULL;
}

static bool make_room(struct ledger *ledger)
{
    if (ledger->count < ledger->room) {
        return true;
    }
    size_t room = ledger->room == 0 ? 16 : ledger->room * 2;
    struct ledger_entry *entries = reallocarray(ledger->entries, room, sizeof *entries);
    if (entries == NULL) {
        return false;
    }
    ledger->entries = entries;
    ledger->room = room;
    return true;
}

bool ledger_put(struct ledger *ledger, const char *service, const struct intent *intent)
{
    bool found;
    assert(strlen(service) < SERVICE_NAME_MAX);
    size_t place = place_of(ledger, service, &found);
    if (intent->kind == INTENT_AUTO) {
        if (found) {
            ledger->count--;
            memmove(&ledger->entries[place], &ledger->entries[place + 1],
                    (ledger->count - place) * sizeof *ledger->entries);
        }
        return true;
    }
    if (!found) {
        if (!make_room(ledger)) {
            return false;
        }
        memmove(&ledger->entries[place + 1], &ledger->entries[place],
                (ledger->count - place) * sizeof *ledger->entries);
        ledger->count++;
        ledger->entries[place] = (struct ledger_entry){.intent = {.kind = INTENT_AUTO}};
        snprintf(ledger->entries[place].service, SERVICE_NAME_MAX, "%s", service);
    }
    ledger->entries[place].intent = *intent;
    return true;
}

void ledger_clear(struct ledger *ledger)
{
    free(ledger->entries);
    *ledger = (struct ledger){0};
}

// ---- The checksum

#define CHECKSUM_KEY    "\"checksum\": \""
#define CHECKSUM_ZEROS  "0000000000000000"
#define CHECKSUM_DIGITS (sizeof CHECKSUM_ZEROS - 1)

// Where its digits are in the text; NULL: nowhere. It is before all that anybody may name.
static const char *checksum_in(const char *text, size_t length)
{
    const char *key = memmem(text, length, CHECKSUM_KEY, sizeof CHECKSUM_KEY - 1);
    const char *digits = key != NULL ? key + sizeof CHECKSUM_KEY - 1 : NULL;
    return digits != NULL && (size_t)(text + length - digits) >= CHECKSUM_DIGITS ? digits : NULL;
}

static void checksum_of(const char *text, size_t length, const char *digits,
                        char out[CHECKSUM_DIGITS + 1])
{
    const char *rest = digits + CHECKSUM_DIGITS;
    uint64_t hash = hash_bytes(HASH_START, text, (size_t)(digits - text));
    hash = hash_bytes(hash, CHECKSUM_ZEROS, CHECKSUM_DIGITS);
    hash = hash_bytes(hash, rest, (size_t)(text + length - rest));
    snprintf(out, CHECKSUM_DIGITS + 1, "%016" PRIx64, hash);
}

static bool checksum_holds(const char *text, size_t length)
{
    char checksum[CHECKSUM_DIGITS + 1];
    const char *digits = checksum_in(text, length);
    if (digits == NULL) {
        return false;
    }
    checksum_of(text, length, digits, checksum);
    return memcmp(digits, checksum, CHECKSUM_DIGITS) == 0;
}

// ---- Text

char *ledger_text(const struct ledger *ledger)
{
    struct json_writer writer = {.pretty = true};
    jw_open(&writer, NULL, '{');
    jw_uint(&writer, "version", VERSION);
    jw_string(&writer, "checksum", CHECKSUM_ZEROS);
    jw_open(&writer, "services", '{');
    for (size_t i = 0; i < ledger->count; i++) {
        const struct intent *intent = &ledger->entries[i].intent;
        jw_open(&writer, ledger->entries[i].service, '{');
        jw_string(&writer, "intent", intent_name(intent->kind));
        jw_uint(&writer, "since_ms", intent->since_wall_ms);
        jw_uint(&writer, "until_ms", intent->until_wall_ms);
        jw_uint(&writer, "grace_ms", intent->grace_ms);
        jw_string(&writer, "reason", intent->reason);
        jw_string(&writer, "by", intent->by);
        jw_close(&writer, '}');
    }
    jw_close(&writer, '}');
    jw_close(&writer, '}');
    size_t length = 0;
    char *text = jw_finish(&writer, &length);
    if (text != NULL) {
        char checksum[CHECKSUM_DIGITS + 1];
        const char *digits = checksum_in(text, length);
        assert(digits != NULL);
        checksum_of(text, length, digits, checksum);
        memcpy(text + (digits - text), checksum, CHECKSUM_DIGITS);
    }
    return text;
}

static bool kind_of(const char *name, enum intent_kind *kind)
{
    for (enum intent_kind it = INTENT_AUTO + 1; it < INTENT_KINDS; it++) {
        if (strcmp(name, intent_name(it)) == 0) {
            *kind = it;
            return true;
        }
    }
    return false;
}

static bool is_time(json_int_t value)
{
    return value >= 0 && value <= TIME_MS_MAX;
}

static bool entry_parse(const char *service, json_t *value, struct ledger_entry *entry,
                        char message[ERROR_MAX])
{
    json_error_t error;
    const char *kind;
    const char *reason;
    const char *by;
    json_int_t since;
    json_int_t until;
    json_int_t grace;
    *entry = (struct ledger_entry){.intent = {.kind = INTENT_AUTO}};
    if (name_check(service, SERVICE_NAME_MAX, message) != 0) {
        return false;
    }
    snprintf(entry->service, sizeof entry->service, "%s", service);
    if (json_unpack_ex(value, &error, JSON_STRICT, "{s:s, s:I, s:I, s:I, s:s, s:s}", "intent",
                       &kind, "since_ms", &since, "until_ms", &until, "grace_ms", &grace, "reason",
                       &reason, "by", &by) != 0) {
        error_say(message, "service %s: %s", service, error.text);
        return false;
    }
    struct intent *intent = &entry->intent;
    if (!kind_of(kind, &intent->kind)) {
        error_say(message, "service %s: no such intent: %.32s", service, kind);
        return false;
    }
    const struct verb_row *verb = verb_setting(intent->kind);
    bool may_end = (verb->fields & FIELD_BIT(FIELD_FOR)) != 0;
    bool must_end = verb->needs[FIELD_FOR] != NULL;
    if (!is_time(since) || !is_time(until) || !is_time(grace) || (until > 0 && !may_end) ||
        (until == 0 && must_end)) {
        error_say(message, "service %s: its times make no sense", service);
        return false;
    }
    intent->since_wall_ms = (uint64_t)since;
    intent->until_wall_ms = (uint64_t)until;
    intent->grace_ms = (uint64_t)grace;
    snprintf(intent->reason, sizeof intent->reason, "%s", reason);
    snprintf(intent->by, sizeof intent->by, "%s", by);
    return true;
}

static bool services_parse(json_t *services, struct ledger *out, char message[ERROR_MAX])
{
    const char *service;
    json_t *value;
    if (!json_is_object(services)) {
        error_say(message, "`services` is not an object");
        return false;
    }
    json_object_foreach(services, service, value)
    {
        if (!make_room(out)) {
            error_say(message, "out of memory");
            return false;
        }
        if (!entry_parse(service, value, &out->entries[out->count], message)) {
            return false;
        }
        out->count++;
    }
    if (out->count > 0) {
        qsort(out->entries, out->count, sizeof *out->entries, entry_compare);
    }
    return true;
}

// The document when it is of our kind and its *version up to `most`, else NULL with a message.
// *services is borrowed from it.
static json_t *document_of(const char *text, size_t length, json_int_t most, json_int_t *version,
                           json_t **services, char message[ERROR_MAX])
{
    json_error_t error;
    json_t *root = json_loadb(text, length, JSON_REJECT_DUPLICATES, &error);
    if (root == NULL) {
        error_say(message, "line %d: %s", error.line, error.text);
        return NULL;
    }
    if (json_unpack_ex(root, &error, 0, "{s:I}", "version", version) != 0 || *version < 1 ||
        *version > most) {
        error_say(message, "not of a version that this popgated knows, up to %d", (int)most);
        json_decref(root);
        return NULL;
    }
    *services = json_object_get(root, "services");
    return root;
}

bool ledger_parse(const char *text, size_t length, struct ledger *out, char message[ERROR_MAX])
{
    json_t *services = NULL;
    json_int_t version = 0;
    json_t *root = document_of(text, length, VERSION, &version, &services, message);
    bool sound = root != NULL;
    if (sound && json_object_size(root) != (version == NO_CHECKSUM ? 2 : 3)) {
        error_say(message, "not just `version`, `checksum` and `services` in it");
        sound = false;
    } else if (sound && version != NO_CHECKSUM && !checksum_holds(text, length)) {
        error_say(message, "its checksum is wrong: it was changed, not by popgated");
        sound = false;
    }
    sound = sound && services_parse(services, out, message);
    json_decref(root);
    if (!sound) {
        ledger_clear(out);
    }
    return sound;
}

// ---- Boot memory

char *boot_memory_text(const struct boot_memory *memory, const char *boot_id)
{
    struct json_writer writer = {.pretty = true};
    jw_open(&writer, NULL, '{');
    jw_uint(&writer, "version", BOOT_VERSION);
    jw_string(&writer, "boot", boot_id);
    jw_open(&writer, "services", '{');
    for (size_t i = 0; i < memory->count; i++) {
        jw_uint(&writer, memory->entries[i].service, memory->entries[i].recent);
    }
    jw_close(&writer, '}');
    jw_close(&writer, '}');
    return jw_finish(&writer, NULL);
}

static bool memory_fill(json_t *services, struct boot_memory *out)
{
    const char *service;
    json_t *value;
    size_t room = json_object_size(services);
    out->entries = calloc(room + 1, sizeof *out->entries);
    if (out->entries == NULL) {
        return false;
    }
    json_object_foreach(services, service, value)
    {
        if (strlen(service) >= SERVICE_NAME_MAX || !json_is_integer(value) ||
            json_integer_value(value) < 0) {
            return false;
        }
        struct boot_entry *entry = &out->entries[out->count++];
        snprintf(entry->service, sizeof entry->service, "%s", service);
        entry->recent = (uint64_t)json_integer_value(value);
    }
    return true;
}

bool boot_memory_parse(const char *text, size_t length, const char *boot_id,
                       struct boot_memory *out)
{
    char why[ERROR_MAX];
    json_t *services = NULL;
    *out = (struct boot_memory){0};
    json_int_t version = 0;
    json_t *root = document_of(text, length, BOOT_VERSION, &version, &services, why);
    const char *boot = json_string_value(json_object_get(root, "boot"));
    bool ours = boot != NULL && strcmp(boot, boot_id) == 0 && json_is_object(services) &&
                memory_fill(services, out);
    json_decref(root);
    if (!ours) {
        boot_memory_clear(out);
    }
    return ours;
}

void boot_memory_clear(struct boot_memory *memory)
{
    free(memory->entries);
    *memory = (struct boot_memory){0};
}
