// See document.h. One line after the other: a section's header, a comment, a key with its value, or
// more of the value before.
#include "controller/config/document.h"

#include "base/text.h"

#include "base/array.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct reader {
    struct document *document;
    struct mistakes *mistakes;
    unsigned line;
    bool indented;
    bool has_key;  // an indented line has something to continue
    bool skipping; // the continuation of a line that was refused
};

// What keeps a line from being text, or NULL. The byte after line's length ends any character.
static const char *bad_bytes(const char *line, size_t length)
{
    for (size_t i = 0; i < length;) {
        unsigned char byte = (unsigned char)line[i];
        if ((byte < 0x20 && byte != '\t') || byte == 0x7f) {
            return "a control character in this line";
        }
        size_t bytes = utf8_length(line + i);
        if (bytes == 0) {
            return "this line is not UTF-8 text";
        }
        i += bytes;
    }
    return NULL;
}

struct span {
    const char *at;
    size_t length;
};

static struct span trim(const char *from, const char *to)
{
    while (from < to && (*from == ' ' || *from == '\t')) {
        from++;
    }
    while (to > from && (to[-1] == ' ' || to[-1] == '\t')) {
        to--;
    }
    return (struct span){from, (size_t)(to - from)};
}

// Takes "[kind name]", maybe followed by a comment, apart.
static bool split_header(const char *line, size_t length, struct span *kind, struct span *name)
{
    const char *end = memchr(line, ']', length);
    if (end == NULL) {
        return false;
    }
    struct span after = trim(end + 1, line + length);
    if (after.length > 0 && (after.at[0] != ';' || after.at == end + 1)) {
        return false;
    }
    struct span inner = trim(line + 1, end);
    size_t split = 0;
    while (split < inner.length && inner.at[split] != ' ' && inner.at[split] != '\t') {
        split++;
    }
    *kind = (struct span){inner.at, split};
    *name = trim(inner.at + split, inner.at + inner.length);
    return split > 0;
}

// A header that can't be read opens a section of no kind, so that its keys don't fall to another.
static void open_section(struct reader *reader, const char *line, size_t length)
{
    struct document *document = reader->document;
    struct span kind = {"", 0};
    struct span name = {"", 0};
    if (!split_header(line, length, &kind, &name)) {
        mistake_error(reader->mistakes, reader->line,
                      "a section is written as [kind] or [kind name]");
        kind = name = (struct span){"", 0};
    }
    struct section section = {.line = reader->line,
                              .kind = strndup(kind.at, kind.length),
                              .name = strndup(name.at, name.length)};
    struct section *sections =
        array_room(document->sections, document->section_count, sizeof *sections);
    if (sections != NULL) {
        document->sections = sections;
    }
    if (sections == NULL || section.kind == NULL || section.name == NULL) {
        mistake_error(reader->mistakes, reader->line, "out of memory");
        free(section.kind);
        free(section.name);
        return;
    }
    sections[document->section_count++] = section;
}

static const char *const not_understood = "neither a [section] nor a `key = value`";

// The line's mistake, or NULL. Comments may hold anything that is text.
static const char *refuse(const struct reader *reader, const char *line, size_t length,
                          bool comment)
{
    const char *mistake = bad_bytes(line, length);
    if (mistake != NULL || comment) {
        return mistake;
    }
    if (length > LINE_LENGTH_MAX) {
        return "this line is too long";
    }
    if (reader->indented) {
        return reader->has_key ? NULL
                               : "this line starts with white space, so it continues a value, "
                                 "but there is none before it; sections and keys begin at the "
                                 "beginning of a line";
    }
    if (line[0] == '[') {
        return NULL;
    }
    const char *equals = memchr(line, '=', length);
    bool is_entry = equals != NULL && equals > line;
    bool includes =
        length > 7 && strncmp(line, "include", 7) == 0 && strchr(" \t\"", line[7]) != NULL;
    return is_entry   ? NULL
           : includes ? "popgate.conf is one file, and includes none"
                      : not_understood;
}

// Where the line's comment begins, or its length. A quote that the line doesn't close is a
// character as any other.
static size_t comment_at(const char *line, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (line[i] == '"') {
            size_t end = i + 1;
            while (end < length && line[end] != '"') {
                end += line[end] == '\\' ? 2 : 1;
            }
            i = end < length ? end : i;
        } else if (line[i] == ';' && i > 0 && (line[i - 1] == ' ' || line[i - 1] == '\t')) {
            return i;
        }
    }
    return length;
}

// One key and value, or (key NULL) one more value for the key before.
static void add_entry(struct reader *reader, const struct span *key, struct span value)
{
    struct section *section = &reader->document->sections[reader->document->section_count - 1];
    assert(section->entry_count == 0 || section->entries);
    struct entry *entries =
        array_room(section->entries, section->entry_count, sizeof *section->entries);
    if (entries != NULL) {
        section->entries = entries;
    }
    struct entry entry = {
        .line = reader->line, .continued = key == NULL, .value = strndup(value.at, value.length)};
    if (entries != NULL) {
        entry.key = key != NULL ? strndup(key->at, key->length)
                                : strdup(entries[section->entry_count - 1].key);
    }
    if (entries == NULL || entry.key == NULL || entry.value == NULL) {
        mistake_error(reader->mistakes, reader->line, "out of memory");
        free(entry.key);
        free(entry.value);
        return;
    }
    entries[section->entry_count++] = entry;
}

// False: it is refused.
static bool take_entry(struct reader *reader, const char *line, size_t length)
{
    const char *end = line + comment_at(line, length);
    if (reader->indented) {
        add_entry(reader, NULL, trim(line, end));
        return true;
    }
    const char *equals = memchr(line, '=', length);
    assert(equals != NULL);
    if (equals >= end) {
        mistake_error(reader->mistakes, reader->line, "%s", not_understood); // within the comment
        return false;
    }
    struct span key = trim(line, equals);
    if (reader->document->section_count == 0) {
        mistake_error(reader->mistakes, reader->line, "`%.*s` stands before the first [section]",
                      key.length < 64 ? (int)key.length : 64, key.at);
        return false;
    }
    add_entry(reader, &key, trim(equals + 1, end));
    reader->has_key =
        reader->document->sections[reader->document->section_count - 1].entry_count > 0;
    return true;
}

static void take_line(struct reader *reader, const char *line, size_t length)
{
    size_t indent = strspn(line, " \t");
    bool comment = indent < length && (line[indent] == '#' || line[indent] == ';');
    reader->indented = indent > 0;
    if (indent >= length) {
        return;
    }
    const char *mistake = refuse(reader, line, length, comment);
    if (reader->indented && reader->skipping) {
        return;
    }
    if (mistake != NULL && length > LINE_LENGTH_MAX && !comment) {
        mistake_error(reader->mistakes, reader->line,
                      "%s: %zu bytes, at most %d are read; a list may go on in the next line, "
                      "after white space",
                      mistake, length, LINE_LENGTH_MAX);
    } else if (mistake != NULL) {
        mistake_error(reader->mistakes, reader->line, "%s", mistake);
    }
    if (comment) {
        return;
    }
    reader->skipping = mistake != NULL;
    if (line[0] == '[') {
        open_section(reader, line, length);
        reader->skipping = false;
        reader->has_key = false;
    } else if (mistake == NULL) {
        reader->skipping = !take_entry(reader, line, length);
    }
}

static int by_name(const void *left, const void *right)
{
    const struct section *a = *(const struct section *const *)left;
    const struct section *b = *(const struct section *const *)right;
    int order = strcmp(a->kind, b->kind);
    order = order ? order : strcmp(a->name, b->name);
    return order ? order : (a > b) - (a < b);
}

static void find_firsts(struct document *document, struct mistakes *mistakes)
{
    struct section **sorted = calloc(document->section_count + 1, sizeof(struct section *));
    if (sorted == NULL) {
        mistake_error(mistakes, 0, "out of memory");
    }
    for (size_t i = 0; i < document->section_count; i++) {
        document->sections[i].first = &document->sections[i];
        if (sorted != NULL) {
            sorted[i] = &document->sections[i];
        }
    }
    if (sorted == NULL) {
        return;
    }
    qsort(sorted, document->section_count, sizeof(struct section *), by_name);
    for (size_t i = 0; i < document->section_count; i++) {
        struct section *before = i > 0 ? sorted[i - 1] : NULL;
        bool again = before != NULL && strcmp(before->kind, sorted[i]->kind) == 0 &&
                     strcmp(before->name, sorted[i]->name) == 0;
        sorted[i]->first = again ? before->first : sorted[i];
    }
    free(sorted);
}

void document_read(struct document *document, const char *text, struct mistakes *mistakes)
{
    static const char byte_order_mark[] = "\xef\xbb\xbf";
    struct reader reader = {.document = document, .mistakes = mistakes};
    *document = (struct document){0};
    const char *line = text;
    if (strncmp(line, byte_order_mark, sizeof byte_order_mark - 1) == 0) {
        line += sizeof byte_order_mark - 1;
    }
    while (*line != '\0') {
        size_t length = strcspn(line, "\n");
        const char *next = line + length + (line[length] == '\n');
        reader.line++;
        take_line(&reader, line, length - (length > 0 && line[length - 1] == '\r'));
        line = next;
    }
    find_firsts(document, mistakes);
}

void document_free(struct document *document)
{
    for (size_t i = 0; i < document->section_count; i++) {
        struct section *section = &document->sections[i];
        for (size_t j = 0; j < section->entry_count; j++) {
            free(section->entries[j].key);
            free(section->entries[j].value);
        }
        free(section->entries);
        free(section->kind);
        free(section->name);
    }
    free(document->sections);
    *document = (struct document){0};
}

const struct entry *section_find(const struct section *section, const char *key)
{
    for (size_t i = 0; section != NULL && i < section->entry_count; i++) {
        if (strcmp(section->entries[i].key, key) == 0) {
            return &section->entries[i];
        }
    }
    return NULL;
}

unsigned section_line(const struct section *section, const char *key)
{
    const struct entry *entry = section_find(section, key);
    return entry != NULL ? entry->line : section->line;
}
