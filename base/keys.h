// One table-driven reader for every `key = value` of the configuration.
//
// A section is described by an array of struct key; key_set() parses one value into the struct that
// the table's offsets speak of. Sections, probe types and the common probe keys all use it, so that
// units, ranges and error messages are the same everywhere.
#pragma once

#include "base/endpoint.h"
#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum key_kind {
    KEY_STRING,    // char[size], the whole value
    KEY_WORD,      // char[size], no white space
    KEY_BOOL,      // bool: yes/no, on/off, true/false, auto (as true)
    KEY_UINT,      // uint64_t within [min, max]
    KEY_DURATION,  // uint64_t milliseconds within [min, max]; "250ms", "10s", "5m", "2h", "1d"
    KEY_CHOICE,    // int, the index of the word in choices
    KEY_ENDPOINT,  // struct endpoint: address:port, IPv6 in brackets
    KEY_ADDRESS,   // struct endpoint with port 0: a bare address
    KEY_CUSTOM,    // parse() does it
    KEY_ELSEWHERE, // what it means takes more than the value to tell: not for key_set()
};

// For a text in the configuration, and its NUL: no line of it is longer.
#define KEY_TEXT_MAX 256

struct key {
    const char *name;
    size_t offset;              // of the field in the section's struct
    size_t size;                // of the field, for KEY_STRING and KEY_WORD
    uint64_t min, max;          // for KEY_UINT and KEY_DURATION; max 0 = no bound
    const char *const *choices; // for KEY_CHOICE, NULL-terminated
    // For KEY_CUSTOM: parses value into field (at offset); -1 and a message in error when it can't.
    int (*parse)(const char *value, void *field, char error[ERROR_MAX]);
    const char *fallback; // the default as one would write it; NULL leaves the field zero
    enum key_kind kind;
    bool required;
    // Double quotes may be meant: they are how DNS writes a text.
    bool quotes;
    // May be continued or repeated. parse() is given one word at a time, and appends; the fallback
    // counts only where the key is not written at all.
    bool list;
};

// A NULL name ends every table.
#define KEY_END                                                                                    \
    {                                                                                              \
        .name = NULL                                                                               \
    }

// The entry called name, or NULL.
const struct key *key_find(const struct key *table, const char *name);

// Parses value into the field of section that key describes. 0, or -1 with an operator's message
// about the value; naming the key and the place is left to the caller. An empty value is an error.
int key_set(const struct key *key, const char *value, void *section, char error[ERROR_MAX]);

// Sets every field of section that has a fallback. Fallbacks are known to parse (tested).
void key_set_fallbacks(const struct key *table, void *section);

// The nearest of any set of names: set wanted, offer each candidate, read best (NULL: none is near,
// that is, within an edit distance of a third of wanted's length). For mistakes only: what is there
// is found first.
struct nearest {
    const char *wanted;
    const char *best;
    size_t distance; // of best
};
void nearest_offer(struct nearest *nearest, const char *candidate);

// Parses "10s" and the like into milliseconds; false if it is not a duration, or if it is so long
// that it could not be told in nanoseconds.
bool duration_parse(const char *text, uint64_t *out_ms);

// Writes ms as duration_parse reads it, in the largest unit that divides it; returns out.
#define DURATION_TEXT_MAX 32
const char *duration_text(uint64_t ms, char out[DURATION_TEXT_MAX]);
