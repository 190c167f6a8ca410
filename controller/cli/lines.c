#include "controller/cli/lines.h"

#include "base/text.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

struct show show_terminal(void)
{
    struct show show = {.out = stdout, .width = 80};
    struct winsize size;
    const char *columns = getenv("COLUMNS");
    const char *no_colour = getenv("NO_COLOR");
    unsigned long wanted = columns != NULL ? strtoul(columns, NULL, 10) : 0;
    const char *term = getenv("TERM");
    bool is_terminal = isatty(STDOUT_FILENO);
    if (!is_terminal) {
        show.width = SHOW_UNWRAPPED; // for grep and the like
    }
    if (is_terminal && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
        show.width = size.ws_col;
    }
    if (wanted >= 20 && wanted <= 1000) {
        show.width = (unsigned)wanted;
    }
    show.colour = is_terminal && (no_colour == NULL || no_colour[0] == '\0') && term != NULL &&
                  term[0] != '\0' && strcmp(term, "dumb") != 0;
    return show;
}

// Columns that text takes: its characters.
size_t show_columns(const char *text)
{
    size_t count = 0;
    while (*text != '\0') {
        size_t length = utf8_length(text);
        text += length > 0 ? length : 1;
        count++;
    }
    return count;
}

static size_t bytes_of(const char *text, size_t wanted_columns)
{
    size_t bytes = 0;
    while (text[bytes] != '\0' && wanted_columns-- > 0) {
        size_t length = utf8_length(text + bytes);
        bytes += length > 0 ? length : 1;
    }
    return bytes;
}

// Left-aligned in a column of that width, cut with "~" when longer.
void show_cell(FILE *out, const char *text, size_t width)
{
    char safe[SHOW_TEXT_MAX];
    text_printable(safe, sizeof safe, text, false);
    size_t length = show_columns(safe);
    if (length > width && width > 0) {
        fprintf(out, "%.*s~", (int)bytes_of(safe, width - 1), safe);
    } else {
        fprintf(out, "%s%*s", safe, (int)(width - length), "");
    }
}

// The bytes of the longest part of text that fits width and ends at a space, or just fits.
static size_t line_break(const char *text, size_t width)
{
    if (show_columns(text) <= width) {
        return strlen(text);
    }
    size_t fits = bytes_of(text, width);
    for (size_t i = fits; i > 0; i--) {
        if (text[i] == ' ') {
            return i;
        }
    }
    return fits;
}

// Wraps text into the columns from indent on; the cursor is there already. Ends the line.
void show_wrap(const struct show *show, size_t indent, const char *text)
{
    char safe[SHOW_TEXT_MAX];
    const char *rest = safe;
    size_t width = show->width > indent + 16 ? show->width - indent : 16;
    text_printable(safe, sizeof safe, text, false);
    for (;;) {
        size_t length = line_break(rest, width);
        fprintf(show->out, "%.*s\n", (int)length, rest);
        rest += length;
        rest += strspn(rest, " ");
        if (*rest == '\0') {
            return;
        }
        fprintf(show->out, "%*s", (int)indent, "");
    }
}

__attribute__((format(printf, 4, 5))) void show_labelled(const struct show *show, size_t indent,
                                                         const char *label, const char *format, ...)
{
    char text[SHOW_TEXT_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    show_cell(show->out, label, indent - 1);
    fputc(' ', show->out);
    show_wrap(show, indent, text);
}

void show_line(FILE *out, const char *format, ...)
{
    char text[SHOW_TEXT_MAX];
    char safe[SHOW_TEXT_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    text_printable(safe, sizeof safe, text, false);
    fprintf(out, "%s\n", safe);
}

static char last_error[SHOW_TEXT_MAX];
static bool json_shown;

void show_error(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(last_error, sizeof last_error, format, args);
    va_end(args);
    show_line(stderr, "popgate: %s", last_error);
}

void show_json(const char *text)
{
    fputs(text, stdout);
    json_shown = true;
}

void show_json_error(void)
{
    char safe[SHOW_TEXT_MAX]; // it may quote what is no text
    text_printable(safe, sizeof safe, last_error[0] != '\0' ? last_error : "wrong usage", false);
    json_t *error = json_pack("{s:s}", "error", safe);
    char *text = json_shown ? NULL : json_dumps(error, JSON_COMPACT);
    if (text != NULL) {
        puts(text);
        json_shown = true;
    }
    free(text);
    json_decref(error);
}

const char *show_age(uint64_t ms, char out[AGE_TEXT_MAX])
{
    static const struct {
        uint64_t unit_ms, part_ms;
        const char *unit, *part;
    } steps[] = {
        {86400000, 3600000, "d", "h"}, {3600000, 60000, "h", "m"}, {60000, 1000, "m", "s"}};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        if (ms >= steps[i].unit_ms) {
            snprintf(out, AGE_TEXT_MAX, "%" PRIu64 "%s%" PRIu64 "%s", ms / steps[i].unit_ms,
                     steps[i].unit, ms % steps[i].unit_ms / steps[i].part_ms, steps[i].part);
            return out;
        }
    }
    if (ms >= 1000) {
        snprintf(out, AGE_TEXT_MAX, "%" PRIu64 "s", ms / 1000);
    } else {
        snprintf(out, AGE_TEXT_MAX, "%" PRIu64 "ms", ms);
    }
    return out;
}

// ---- Colour

void show_coloured(const struct show *show, enum mood mood, const char *text, size_t width)
{
    static const char *const codes[] = {"", "\x1b[32m", "\x1b[33m", "\x1b[31m"};
    bool on = show->colour && mood != MOOD_PLAIN;
    fputs(on ? codes[mood] : "", show->out);
    show_cell(show->out, text, width);
    fputs(on ? "\x1b[0m" : "", show->out);
}

enum mood show_mood(const char *word)
{
    static const struct {
        const char *word;
        enum mood mood;
    } moods[] = {{"announce", MOOD_GOOD},     {"up", MOOD_GOOD},       {"pass", MOOD_GOOD},
                 {"depreference", MOOD_WARN}, {"degraded", MOOD_WARN}, {"unknown", MOOD_WARN},
                 {"withdraw", MOOD_BAD},      {"down", MOOD_BAD},      {"fail", MOOD_BAD}};
    for (size_t i = 0; i < sizeof moods / sizeof *moods; i++) {
        if (strcmp(moods[i].word, word) == 0) {
            return moods[i].mood;
        }
    }
    return MOOD_PLAIN;
}
