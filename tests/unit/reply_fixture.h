// What BIRD really said, read by the reply parser: sessions of 2.0.12, 2.19.2 and 3.3.2, as
// `make recordings` (tests/lab/record) put them down.
#pragma once

#include "birdctl/reply.h"

#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINES_MAX     512
#define RECORDING_MAX 65536

struct seen {
    enum bird_line_kind kind;
    unsigned code;
    bool cut;
    size_t length;
    char *text;
};

struct lines {
    struct seen items[LINES_MAX];
    size_t count;
};

static inline void keep_line(void *arg, const struct bird_line *line)
{
    struct lines *lines = arg;
    assert_true(lines->count < LINES_MAX);
    assert_int_equal(strlen(line->text),
                     line->kind == BIRD_GARBLED ? strlen(line->text) : line->length);
    struct seen *seen = &lines->items[lines->count++];
    *seen = (struct seen){line->kind, line->code, line->cut, line->length, strdup(line->text)};
    assert_non_null(seen->text);
}

static inline void forget(struct lines *lines)
{
    for (size_t i = 0; i < lines->count; i++) {
        free(lines->items[i].text);
    }
    free(lines);
}

static inline struct bird_line line_at(const struct lines *lines, size_t i)
{
    assert_true(i < lines->count);
    const struct seen *seen = &lines->items[i];
    return (struct bird_line){seen->kind, seen->code, seen->cut, seen->text, seen->length};
}

// Feeds bytes in pieces; step() says how long the next one is.
static inline struct lines *read_in_pieces(const char *bytes, size_t length, size_t (*step)(void))
{
    struct bird_reader *reader = calloc(1, sizeof *reader);
    struct lines *lines = calloc(1, sizeof *lines);
    assert_non_null(reader);
    assert_non_null(lines);
    while (length > 0) {
        size_t wanted = step();
        size_t piece = wanted < length ? wanted : length;
        bird_reader_feed(reader, bytes, piece, keep_line, lines);
        bytes += piece;
        length -= piece;
    }
    free(reader);
    return lines;
}

static inline size_t whole(void)
{
    return SIZE_MAX;
}

static inline struct lines *read_text(const char *text)
{
    return read_in_pieces(text, strlen(text), whole);
}

static const char *const versions[] = {"2.0.12", "2.19.2", "3.3.2"};
#define VERSIONS (sizeof versions / sizeof *versions)

static inline size_t load(size_t version, const char *what, char *out)
{
    char path[256];
    snprintf(path, sizeof path, "tests/unit/recordings/bird-%s-%s.txt", versions[version], what);
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        fail_msg("open %s (run the tests from the top of the source): failed", path);
        return 0;
    }
    size_t length = fread(out, 1, RECORDING_MAX, file);
    fclose(file);
    assert_in_range(length, 1, RECORDING_MAX - 1);
    return length;
}

static inline struct lines *read_recording(size_t version, const char *what)
{
    static char bytes[RECORDING_MAX];
    return read_in_pieces(bytes, load(version, what, bytes), whole);
}

static inline bool has_echo(size_t version)
{
    return versions[version][0] == '2';
}
