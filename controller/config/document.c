// See document.h. inih splits a line into key and value and knows about continuation; it sees the
// file through next_line(), which counts lines, takes section headers (inih cuts names at 49 bytes)
// and comments (inih knows no quotes), and keeps from inih what inih would cut or read in silence
// as something else. A line that is longer than inih's buffer (200 bytes in Debian) is given in
// pieces, each but the first as a continuation, and put together again in on_entry().
#include "controller/config/document.h"

#include "base/text.h"

#include "base/array.h"

#include <assert.h>
#include <ini.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct reader {
    struct document *document;
    struct mistakes *mistakes;
    const char *at; // the next line
    unsigned line;  // of the last one
    bool indented;
    bool has_key;     // an indented line has something to continue
    bool skipping;    // the continuation of a line that was refused
    bool pending;     // the last piece must lead to a call of on_entry()
    const char *rest; // of the line, not yet given to inih
    size_t rest_length;
    bool appending; // the last piece goes on with the value of the one before
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

static void finish_line(struct reader *reader)
{
    if (reader->pending) {
        mistake_error(reader->mistakes, reader->line, "%s", not_understood);
        reader->pending = false;
    }
}

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
    // inih would take a colon for an equals sign.
    size_t key = 0;
    while (key < length && line[key] != '=' && line[key] != ':') {
        key++;
    }
    bool is_entry = key > 0 && key < length && line[key] == '=';
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

static char *give(char *buffer, const char *line, size_t length)
{
    memcpy(buffer, line, length);
    buffer[length] = '\0';
    return buffer;
}

// How much of text inih is given at once: where the next piece begins, nothing must be lost that
// inih strips (white space) or would take for a comment. 0: that can't be.
static size_t piece_length(const char *text, size_t length, size_t max)
{
    size_t cut = length < max ? length : max;
    while (cut > 0 && cut < length &&
           (strchr(" \t", text[cut - 1]) != NULL || strchr(" \t#;", text[cut]) != NULL)) {
        cut--;
    }
    return cut;
}

// Whether inih can have the whole line, which is an entry's, in pieces of at most max bytes.
static bool fits_in_pieces(const char *line, size_t length, size_t max, bool indented)
{
    size_t first = piece_length(line, length, max);
    bool has_key = indented || first == length || memchr(line, '=', first) != NULL;
    size_t piece = has_key ? first : 0;
    for (; piece > 0 && piece < length; piece = piece_length(line, length, max)) {
        line += piece;
        length -= piece;
    }
    return piece > 0;
}

// What is in front of a piece that goes on with the line tells inih that it is a continuation.
static char *give_piece(struct reader *reader, char *buffer, size_t max)
{
    const char *piece = reader->rest;
    size_t length = piece_length(piece, reader->rest_length, max);
    reader->rest += length;
    reader->rest_length -= length;
    reader->pending = true;
    buffer[0] = ' ';
    (void)give(buffer + reader->appending, piece, length);
    return buffer;
}

// inih's reader: one line of at most size - 1 bytes into buffer, NULL at the end.
static char *next_line(char *buffer, int size, void *arg)
{
    struct reader *reader = arg;
    size_t max = (size_t)size - 3; // of a piece
    finish_line(reader);
    reader->appending = reader->rest_length > 0;
    if (reader->appending) {
        return give_piece(reader, buffer, max);
    }
    if (*reader->at == '\0') {
        return NULL;
    }
    const char *line = reader->at;
    size_t length = strcspn(line, "\n");
    reader->at += length + (line[length] == '\n');
    reader->line++;
    if (length > 0 && line[length - 1] == '\r') {
        length--;
    }
    if (reader->line == 1 && strncmp(line, "\xef\xbb\xbf", 3) == 0) {
        line += 3;
        length -= 3;
    }

    size_t indent = strspn(line, " \t");
    bool comment = indent < length && (line[indent] == '#' || line[indent] == ';');
    reader->indented = indent > 0;
    if (indent >= length) {
        return give(buffer, "", 0);
    }
    const char *mistake = refuse(reader, line, length, comment);
    if (reader->indented && reader->skipping) {
        return give(buffer, "", 0);
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
        return give(buffer, "", 0);
    }
    reader->skipping = mistake != NULL;
    if (line[0] == '[') {
        open_section(reader, line, length);
        reader->skipping = false;
        reader->has_key = false;
        return give(buffer, "[]", 2); // has inih forget the last key
    }
    if (mistake != NULL) {
        return give(buffer, "", 0);
    }
    length = comment_at(line, length);
    if (!fits_in_pieces(line, length, max, reader->indented)) {
        mistake_error(reader->mistakes, reader->line,
                      "this line has too long a key, or too much white space, `#` or `;` in a row");
        reader->skipping = true;
        return give(buffer, "", 0);
    }
    reader->rest = line;
    reader->rest_length = length;
    return give_piece(reader, buffer, max);
}

// More of the last entry's value.
static bool append(struct section *section, const char *more)
{
    struct entry *entry = &section->entries[section->entry_count - 1];
    size_t length = strlen(entry->value);
    char *value = realloc(entry->value, length + strlen(more) + 1);
    if (value == NULL) {
        return false;
    }
    memcpy(value + length, more, strlen(more) + 1);
    entry->value = value;
    return true;
}

// inih's handler: one key and value, or one more value for the key before.
static int on_entry(void *arg, const char *section_name, const char *key, const char *value)
{
    (void)section_name;
    struct reader *reader = arg;
    struct document *document = reader->document;
    reader->pending = false;
    reader->has_key = true;
    if (document->section_count == 0) {
        if (!reader->appending) {
            mistake_error(reader->mistakes, reader->line,
                          "`%.64s` stands before the first [section]", key);
        }
        return 1;
    }
    struct section *section = &document->sections[document->section_count - 1];
    assert(section->entry_count == 0 || section->entries);
    if (reader->appending && section->entry_count > 0) {
        if (!append(section, value)) {
            mistake_error(reader->mistakes, reader->line, "out of memory");
        }
        return 1;
    }
    struct entry *entries =
        array_room(section->entries, section->entry_count, sizeof *section->entries);
    if (entries != NULL) {
        section->entries = entries;
    }
    // inih cuts the key at 49 bytes when it gives it again.
    bool continued = reader->indented && section->entry_count > 0;
    const char *whole_key = continued ? section->entries[section->entry_count - 1].key : key;
    struct entry entry = {.line = reader->line,
                          .continued = continued,
                          .key = strdup(whole_key),
                          .value = strdup(value)};
    if (entries == NULL || entry.key == NULL || entry.value == NULL) {
        mistake_error(reader->mistakes, reader->line, "out of memory");
        free(entry.key);
        free(entry.value);
        return 1;
    }
    entries[section->entry_count++] = entry;
    return 1;
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
    struct reader reader = {.document = document, .mistakes = mistakes, .at = text};
    *document = (struct document){0};
    ini_allow_inline_comments = false;
    int result = ini_parse_stream(next_line, &reader, on_entry, &reader);
    finish_line(&reader);
    if (result != 0 && mistakes->errors == 0) {
        mistake_error(mistakes, result > 0 ? (unsigned)result : 0, "%s",
                      result > 0 ? not_understood : "out of memory");
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
