// Lines for a terminal: they fit its width, and nothing in them steers it.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct show {
    FILE *out;
    unsigned width; // columns; SHOW_UNWRAPPED: each thing is a line, however long
    bool colour;
};

#define SHOW_UNWRAPPED 1000000

// Standard output as it is: nothing is wrapped where it is no terminal and COLUMNS is not set, and
// only a terminal that can has colours (not TERM=dumb; NO_COLOR).
struct show show_terminal(void);

// Room for what is put together to be shown.
#define SHOW_TEXT_MAX 2048

// One line, with nothing in it that steers the terminal.
__attribute__((format(printf, 2, 3))) void show_line(FILE *out, const char *format, ...);

// The same to stderr, for what went wrong, after the command's name; show_json_error() says the
// last of them as JSON.
__attribute__((format(printf, 1, 2))) void show_error(const char *format, ...);

// popgated's answer as it came.
void show_json(const char *text);
// For who reads JSON: {"error": ...} of what was said last, unless an answer was shown.
void show_json_error(void);

// Columns that text takes: its characters.
size_t show_columns(const char *text);

// Left-aligned in a column of that width, cut with "~" when longer.
void show_cell(FILE *out, const char *text, size_t width);

enum mood { MOOD_PLAIN, MOOD_GOOD, MOOD_WARN, MOOD_BAD };

// The same in the mood's colour, if there are colours.
void show_coloured(const struct show *show, enum mood mood, const char *text, size_t width);
enum mood show_mood(const char *word); // of a target, a health or a verdict

// Wraps text into the columns from indent on; the cursor is there already. Ends the line.
void show_wrap(const struct show *show, size_t indent, const char *text);

// The label, and what is printed wrapped beside it.
__attribute__((format(printf, 4, 5))) void
show_labelled(const struct show *show, size_t indent, const char *label, const char *format, ...);

// "3m12s", "450ms", "2d4h".
#define AGE_TEXT_MAX 32
const char *show_age(uint64_t ms, char out[AGE_TEXT_MAX]);
