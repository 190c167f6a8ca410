// An INI file as sections of entries with their lines; what they mean is not known here.
//
// Stricter than INI usually is: what can't be read for certain is an error. A key starts its line,
// a line that starts with white space continues the value before it, ";" after white space and
// outside of double quotes begins a comment.
#pragma once

#include "controller/config/mistakes.h"

struct entry {
    unsigned line;
    bool continued; // on a line of its own, after the key's
    char *key;
    char *value; // without surrounding white space and comment; may be empty
};

struct section {
    unsigned line;
    char *kind;                  // "probe" of [probe dns-udp]; empty if the header can't be read
    char *name;                  // "dns-udp"; empty if there is none
    const struct section *first; // of that kind and name in the file: this one, or one before it
    struct entry *entries;
    size_t entry_count;
};

struct document {
    struct section *sections;
    size_t section_count;
};

// Reads text; every mistake found is added. Whatever could be read is in the document, so that the
// rest of the file can be checked in the same pass. Sections of one kind and name are not joined.
void document_read(struct document *document, const char *text, struct mistakes *mistakes);
void document_free(struct document *document);

// The first entry of key, or NULL. section may be NULL.
const struct entry *section_find(const struct section *section, const char *key);

// Where to look for what is wrong with key: its own line, or the section's.
unsigned section_line(const struct section *section, const char *key);

#define LINE_LENGTH_MAX 1023 // bytes

// For one word of a value (text_next_word()): no line is longer.
#define WORD_MAX (LINE_LENGTH_MAX + 1)
