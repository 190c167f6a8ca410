// See values.h. Pure but for the allocation of the lists, which config_free() frees.
#include "controller/config/values.h"

#include "base/array.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define SESSIONS_MAX    1000 // as many as min_sessions may ask for
#define COMMUNITIES_MAX 64   // of each kind: far below what a BGP message holds (RFC 4271, 4.1)

bool number_parse(const char *text, size_t length, uint64_t max, uint64_t *out)
{
    bool hex = length > 2 && text[0] == '0' && text[1] == 'x';
    uint64_t number = 0;
    for (size_t i = hex ? 2 : 0; i < length; i++) {
        const char *digits = "0123456789abcdef";
        const char *digit = memchr(digits, text[i], hex ? 16 : 10);
        if (digit == NULL) {
            return false;
        }
        number = number * (hex ? 16 : 10) + (uint64_t)(digit - digits);
        if (number > max) {
            return false;
        }
    }
    *out = number;
    return length > 0;
}

int list_append(void *items, size_t *count, const void *item, size_t size, char error[ERROR_MAX])
{
    void *array;
    memcpy(&array, items, sizeof array);
    array = array_room(array, *count, size);
    if (array == NULL) {
        return error_say(error, "out of memory");
    }
    memcpy((char *)array + *count * size, item, size);
    memcpy(items, &array, sizeof array);
    ++*count;
    return 0;
}

// IANA, "Border Gateway Protocol (BGP) Well-known Communities".
static const struct {
    const char *name;
    uint32_t low; // after 65535:
} well_known[] = {
    {"graceful-shutdown", 0},       // RFC 8326
    {"accept-own", 1},              // RFC 7611
    {"llgr-stale", 6},              // RFC 9494
    {"no-llgr", 7},                 // RFC 9494
    {"blackhole", 666},             // RFC 7999
    {"no-export", 65281},           // RFC 1997
    {"no-advertise", 65282},        // RFC 1997
    {"no-export-subconfed", 65283}, // RFC 1997
    {"no-peer", 65284},             // RFC 3765
};

static bool well_known_community(const char *word, struct community *out)
{
    for (size_t i = 0; i < sizeof well_known / sizeof *well_known; i++) {
        if (strcmp(word, well_known[i].name) == 0) {
            *out = (struct community){{65535, well_known[i].low, 0}};
            return true;
        }
    }
    return false;
}

// Parses count numbers, each at most max, between colons.
static bool parse_parts(const char *word, size_t count, uint64_t max, uint32_t *parts)
{
    for (size_t i = 0; i < count; i++) {
        size_t length = strcspn(word, ":");
        uint64_t number;
        if (!number_parse(word, length, max, &number) ||
            word[length] != (i + 1 < count ? ':' : '\0')) {
            return false;
        }
        parts[i] = (uint32_t)number;
        word += length + 1;
    }
    return true;
}

static int check_room(size_t count, char *error)
{
    if (count >= COMMUNITIES_MAX) {
        return error_say(error, "more than %d communities of one kind", COMMUNITIES_MAX);
    }
    return 0;
}

static int add_community(struct community **communities, size_t *count, const char *word,
                         const struct community *community, char *error)
{
    if (array_holds(*communities, *count, community, sizeof *community)) {
        return error_say(error, "%.80s is here twice", word);
    }
    if (check_room(*count, error) != 0) {
        return -1;
    }
    return list_append(communities, count, community, sizeof *community, error);
}

int value_community(const char *word, void *field, char error[ERROR_MAX])
{
    struct attributes *attributes = OWNER(field, struct attributes, communities);
    struct community community = {{0}};
    if (strcmp(word, "none") == 0) {
        return 0;
    }
    if (!well_known_community(word, &community) && !parse_parts(word, 2, 65535, community.part)) {
        struct nearest nearest = {.wanted = word};
        for (size_t i = 0; i < sizeof well_known / sizeof *well_known; i++) {
            nearest_offer(&nearest, well_known[i].name);
        }
        if (nearest.best != NULL) {
            return error_say(error, "\"%.80s\" is not a community; did you mean %s?", word,
                             nearest.best);
        }
        return error_say(
            error,
            "\"%.80s\" is not a community: two numbers up to 65535, e.g. 64512:100, or a "
            "well-known name, e.g. no-export",
            word);
    }
    return add_community(&attributes->communities, &attributes->communities_count, word, &community,
                         error);
}

int value_large_community(const char *word, void *field, char error[ERROR_MAX])
{
    struct attributes *attributes = OWNER(field, struct attributes, large_communities);
    struct community community;
    if (!parse_parts(word, 3, UINT32_MAX, community.part)) {
        return error_say(error,
                         "\"%.80s\" is not a large community (RFC 8092): three numbers up to "
                         "4294967295, e.g. 64512:1:100",
                         word);
    }
    return add_community(&attributes->large_communities, &attributes->large_communities_count, word,
                         &community, error);
}

// rt and ro have 6 bytes: AS and number, one of them of 4 bytes (RFC 4360 section 3.1, RFC 5668);
// generic has all 8.
static bool parse_ext_community(const char *word, struct ext_community *out)
{
    size_t kind_length = strcspn(word, ":");
    *out = (struct ext_community){{0}, {0}, {0}};
    if (kind_length >= sizeof out->kind || word[kind_length] != ':' ||
        !parse_parts(word + kind_length + 1, 2, UINT32_MAX, out->part)) {
        return false;
    }
    memcpy(out->kind, word, kind_length);
    if (strcmp(out->kind, "generic") == 0) {
        snprintf(out->text, sizeof out->text, "(generic, 0x%" PRIx32 ", 0x%" PRIx32 ")",
                 out->part[0], out->part[1]);
        return true;
    }
    snprintf(out->text, sizeof out->text, "(%s, %" PRIu32 ", %" PRIu32 ")", out->kind, out->part[0],
             out->part[1]);
    return (strcmp(out->kind, "rt") == 0 || strcmp(out->kind, "ro") == 0) &&
           (out->part[0] <= 65535 || out->part[1] <= 65535);
}

int value_ext_community(const char *word, void *field, char error[ERROR_MAX])
{
    struct attributes *attributes = OWNER(field, struct attributes, ext_communities);
    struct ext_community community;
    if (!parse_ext_community(word, &community)) {
        return error_say(error,
                         "\"%.80s\" is not an extended community: rt:64512:100, ro:64512:100 (one "
                         "number above 65535 at most) or generic:0x43000000:0x1",
                         word);
    }
    for (size_t i = 0; i < attributes->ext_communities_count; i++) {
        if (strcmp(attributes->ext_communities[i].text, community.text) == 0) {
            return error_say(error, "%.80s is here twice", word);
        }
    }
    if (check_room(attributes->ext_communities_count, error) != 0) {
        return -1;
    }
    return list_append(&attributes->ext_communities, &attributes->ext_communities_count, &community,
                       sizeof community, error);
}

static int parse_uint32(const char *value, uint32_t *out, bool *has, char *error)
{
    uint64_t number;
    if (!number_parse(value, strlen(value), UINT32_MAX, &number)) {
        return error_say(error, "\"%.80s\" is not a number up to 4294967295", value);
    }
    *out = (uint32_t)number;
    *has = true;
    return 0;
}

int value_med(const char *value, void *field, char error[ERROR_MAX])
{
    struct attributes *attributes = OWNER(field, struct attributes, med);
    return parse_uint32(value, &attributes->med, &attributes->has_med, error);
}

int value_local_pref(const char *value, void *field, char error[ERROR_MAX])
{
    struct attributes *attributes = OWNER(field, struct attributes, local_pref);
    return parse_uint32(value, &attributes->local_pref, &attributes->has_local_pref, error);
}

// Copies value into out if it is short enough and has only those characters.
static int copy_charset(const char *value, const char *allowed, const char *words, char *out,
                        size_t size, char *error)
{
    size_t length = strlen(value);
    size_t good = strspn(value, allowed);
    if (good < length) {
        return error_say(error, "\"%.80s\" may have only %s in it", value, words);
    }
    if (length >= size) {
        return error_say(error, "\"%.80s\" has %zu bytes, at most %zu are allowed", value, length,
                         size - 1);
    }
    memset(out, 0, size);
    memcpy(out, value, length + 1);
    return 0;
}

// What BIRD allows between apostrophes (its conf/cf-lex.l).
static int copy_symbol(const char *value, char *out, size_t size, char *error)
{
    return copy_charset(value, LETTERS DIGITS "_-.:", "letters, digits and _ - . :", out, size,
                        error);
}

int value_session(const char *word, void *field, char error[ERROR_MAX])
{
    struct config *config = OWNER(field, struct config, bird.sessions);
    char session[SESSION_NAME_MAX];
    if (copy_symbol(word, session, sizeof session, error) != 0) {
        return -1;
    }
    for (size_t i = 0; i < config->bird.session_count; i++) {
        if (strcmp(config->bird.sessions[i], session) == 0) {
            return error_say(error, "%s is here twice", session);
        }
    }
    if (config->bird.session_count == SESSIONS_MAX) {
        return error_say(error, "more than %d sessions", SESSIONS_MAX);
    }
    return list_append(&config->bird.sessions, &config->bird.session_count, session, sizeof session,
                       error);
}

int value_label(const char *value, void *field, char error[ERROR_MAX])
{
    return copy_charset(value, LETTERS DIGITS "_-.", "letters, digits and _ - .", field, 64, error);
}

int value_symbol(const char *value, void *field, char error[ERROR_MAX])
{
    return copy_symbol(value, field, 64, error);
}

int value_path(const char *value, void *field, char error[ERROR_MAX])
{
    size_t length = strlen(value);
    if (value[0] != '/') {
        return error_say(error, "\"%.80s\" does not begin with /", value);
    }
    if (strpbrk(value, " \t\"'\\") != NULL) {
        return error_say(error, "\"%.80s\" has white space, a quote or a backslash in it", value);
    }
    if (length >= PATH_LEN_MAX) {
        return error_say(error, "\"%.80s...\" has %zu bytes, at most %d are allowed", value, length,
                         PATH_LEN_MAX - 1);
    }
    memset(field, 0, PATH_LEN_MAX);
    memcpy(field, value, length + 1);
    return 0;
}
int name_check(const char *name, size_t size, char error[ERROR_MAX])
{
    size_t length = strlen(name);
    if (length == 0 || strchr(LETTERS, name[0]) == NULL ||
        strspn(name, LETTERS DIGITS "_-") < length) {
        return error_say(error, "\"%.80s\" is not a name: letters, digits, _ and -, a letter first",
                         name);
    }
    if (length >= size) {
        return error_say(error, "the name \"%.80s\" has %zu bytes, at most %zu are allowed", name,
                         length, size - 1);
    }
    return 0;
}
