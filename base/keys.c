// Parsing of single configuration values, each kind in one small function. Pure: no I/O, no
// allocation, no globals. A value that does not parse leaves its field as it was.
#include "base/keys.h"

#include "base/text.h"

#include <arpa/inet.h>
#include <assert.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define NAME_MAX_COMPARED 64

static const struct {
    const char *name;
    uint64_t ms;
} duration_units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};

#define UNITS (sizeof duration_units / sizeof *duration_units)

static const struct {
    const char *word;
    bool value;
} bool_words[] = {{"yes", true},  {"no", false},    {"on", true},  {"off", false},
                  {"true", true}, {"false", false}, {"auto", true}};

#define BOOL_WORDS (sizeof bool_words / sizeof *bool_words)

const struct key *key_find(const struct key *table, const char *name)
{
    for (const struct key *key = table; key->name != NULL; key++) {
        if (strcmp(key->name, name) == 0) {
            return key;
        }
    }
    return NULL;
}

bool duration_parse(const char *text, uint64_t *out_ms)
{
    uint64_t max_ms = UINT64_MAX / 1000000;
    uint64_t count;
    const char *unit = text_digits(text, &count);
    for (size_t i = 0; unit != NULL && i < UNITS; i++) {
        if (strcmp(unit, duration_units[i].name) == 0) {
            if (count > max_ms / duration_units[i].ms) {
                return false;
            }
            *out_ms = count * duration_units[i].ms;
            return true;
        }
    }
    return false;
}

const char *duration_text(uint64_t ms, char out[DURATION_TEXT_MAX])
{
    size_t unit = UNITS - 1;
    while (unit > 0 && (ms == 0 || ms % duration_units[unit].ms != 0)) {
        unit--;
    }
    snprintf(out, DURATION_TEXT_MAX, "%" PRIu64 "%s", ms / duration_units[unit].ms,
             duration_units[unit].name);
    return out;
}

static bool in_range(const struct key *key, uint64_t value)
{
    return value >= key->min && (key->max == 0 || value <= key->max);
}

static int set_text(const struct key *key, const char *value, void *field, char *error)
{
    size_t length = strlen(value);
    assert(key->size > 1);
    if (key->kind == KEY_WORD && strpbrk(value, " \t") != NULL) {
        snprintf(error, ERROR_MAX, "\"%.80s\" has white space in it; one word is wanted", value);
        return -1;
    }
    if (length >= key->size) {
        snprintf(error, ERROR_MAX, "\"%.80s\" has %zu bytes, at most %zu are allowed", value,
                 length, key->size - 1);
        return -1;
    }
    memset(field, 0, key->size);
    memcpy(field, value, length);
    return 0;
}

static int set_bool(const char *value, void *field, char *error)
{
    for (size_t i = 0; i < BOOL_WORDS; i++) {
        if (strcasecmp(value, bool_words[i].word) == 0) {
            *(bool *)field = bool_words[i].value;
            return 0;
        }
    }
    snprintf(error, ERROR_MAX, "\"%.80s\" is neither on nor off", value);
    return -1;
}

static int set_uint(const struct key *key, const char *value, void *field, char *error)
{
    uint64_t number;
    const char *rest = text_digits(value, &number);
    if (rest == NULL || *rest) {
        snprintf(error, ERROR_MAX, "\"%.80s\" is not a whole number", value);
        return -1;
    }
    if (!in_range(key, number)) {
        if (key->max) {
            snprintf(error, ERROR_MAX, "%" PRIu64 " is not within %" PRIu64 " to %" PRIu64, number,
                     key->min, key->max);
        } else {
            snprintf(error, ERROR_MAX, "%" PRIu64 " is less than %" PRIu64, number, key->min);
        }
        return -1;
    }
    *(uint64_t *)field = number;
    return 0;
}

static int set_duration(const struct key *key, const char *value, void *field, char *error)
{
    uint64_t ms;
    char min[DURATION_TEXT_MAX];
    char max[DURATION_TEXT_MAX];
    if (!duration_parse(value, &ms)) {
        snprintf(error, ERROR_MAX,
                 "\"%.80s\" is not a duration; write a whole number and its unit: ms, s, m, h or d",
                 value);
        return -1;
    }
    if (!in_range(key, ms)) {
        if (key->max) {
            snprintf(error, ERROR_MAX, "%.80s is not within %s to %s", value,
                     duration_text(key->min, min), duration_text(key->max, max));
        } else {
            snprintf(error, ERROR_MAX, "%.80s is less than %s", value,
                     duration_text(key->min, min));
        }
        return -1;
    }
    *(uint64_t *)field = ms;
    return 0;
}

static int set_choice(const struct key *key, const char *value, void *field, char *error)
{
    struct nearest nearest = {.wanted = value};
    for (int i = 0; key->choices[i] != NULL; i++) {
        if (strcmp(value, key->choices[i]) == 0) {
            *(int *)field = i;
            return 0;
        }
    }
    int used = snprintf(error, ERROR_MAX, "\"%.80s\" is not one of", value);
    for (size_t i = 0; key->choices[i] != NULL && used < ERROR_MAX; i++) {
        used += snprintf(error + used, ERROR_MAX - (size_t)used, "%s %s", i ? "," : "",
                         key->choices[i]);
        nearest_offer(&nearest, key->choices[i]);
    }
    if (nearest.best != NULL && used < ERROR_MAX) {
        snprintf(error + used, ERROR_MAX - (size_t)used, "; did you mean %s?", nearest.best);
    }
    return -1;
}

int key_set(const struct key *key, const char *value, void *section, char error[ERROR_MAX])
{
    void *field = (char *)section + key->offset;
    error[0] = '\0';
    if (value[0] == '\0') {
        snprintf(error, ERROR_MAX, "has no value");
        return -1;
    }
    switch (key->kind) {
    case KEY_STRING:
    case KEY_WORD:
        return set_text(key, value, field, error);
    case KEY_BOOL:
        return set_bool(value, field, error);
    case KEY_UINT:
        return set_uint(key, value, field, error);
    case KEY_DURATION:
        return set_duration(key, value, field, error);
    case KEY_CHOICE:
        return set_choice(key, value, field, error);
    case KEY_ENDPOINT:
        return endpoint_parse(value, true, field, error);
    case KEY_ADDRESS:
        return endpoint_parse(value, false, field, error);
    case KEY_CUSTOM:
        return key->parse(value, field, error);
    case KEY_ELSEWHERE:
        break;
    }
    assert(!"a key that is not read here");
    return -1;
}

void key_set_fallbacks(const struct key *table, void *section)
{
    char error[ERROR_MAX];
    for (const struct key *key = table; key->name != NULL; key++) {
        if (key->fallback != NULL) {
            int result = key_set(key, key->fallback, section, error);
            assert(result == 0);
            (void)result;
        }
    }
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static size_t min_of(size_t a, size_t b)
{
    return a < b ? a : b;
}

// Edits that make b of a, letters' case apart: a byte put in, taken out or changed, or two
// neighbours swapped (optimal string alignment). Both at most NAME_MAX_COMPARED bytes long.
static size_t edit_distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
    size_t rows[3][NAME_MAX_COMPARED + 1];
    size_t *before = rows[0];
    size_t *last = rows[1];
    size_t *row = rows[2];
    for (size_t j = 0; j <= b_length; j++) {
        last[j] = j;
    }
    for (size_t i = 1; i <= a_length; i++) {
        row[0] = i;
        for (size_t j = 1; j <= b_length; j++) {
            size_t changed = last[j - 1] + (lower(a[i - 1]) != lower(b[j - 1]));
            row[j] = min_of(changed, min_of(last[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                row[j] = min_of(row[j], before[j - 2] + 1);
            }
        }
        size_t *spare = before;
        before = last;
        last = row;
        row = spare;
    }
    return last[b_length];
}

void nearest_offer(struct nearest *nearest, const char *candidate)
{
    size_t length = strlen(nearest->wanted);
    size_t candidate_length = strlen(candidate);
    size_t apart =
        length > candidate_length ? length - candidate_length : candidate_length - length;
    if (length > NAME_MAX_COMPARED || candidate_length > NAME_MAX_COMPARED || apart > length / 3) {
        return;
    }
    size_t distance = edit_distance(nearest->wanted, length, candidate, candidate_length);
    if (distance <= length / 3 && (nearest->best == NULL || distance < nearest->distance)) {
        nearest->best = candidate;
        nearest->distance = distance;
    }
}
