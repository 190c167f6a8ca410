// JSON, the writing half: values in, text out, in one growing buffer. Pure.
//
// Whatever is put in, the text is valid JSON (RFC 8259): strings that are not UTF-8 get U+FFFD for
// each stray byte. Out of memory shows once, at the end.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Zero it to begin, but for pretty.
struct json_writer {
    char *text;
    size_t length, room;
    unsigned depth;
    bool pretty; // a line for each value
    bool filled; // a value stands before: a comma is due
    bool failed;
};

// key is NULL in arrays and at the top. bracket is '{' or '[', and '}' or ']'.
void jw_open(struct json_writer *writer, const char *key, char bracket);
void jw_close(struct json_writer *writer, char bracket);

void jw_string(struct json_writer *writer, const char *key, const char *value); // NULL: null
void jw_uint(struct json_writer *writer, const char *key, uint64_t value);
void jw_bool(struct json_writer *writer, const char *key, bool value);
void jw_null(struct json_writer *writer, const char *key);
void jw_ms(struct json_writer *writer, const char *key, uint64_t ns); // milliseconds, as 0.412

// A time of the Unix epoch as RFC 3339 in UTC, "2026-11-21T00:50:08.123Z".
void jw_time(struct json_writer *writer, const char *key, uint64_t wall_ms);

// The text with a newline at its end, malloc'd, the caller's; NULL when memory ran out. length may
// be NULL.
char *jw_finish(struct json_writer *writer, size_t *length);
