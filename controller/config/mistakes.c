// See mistakes.h. Without memory for a mistake's text the mistake still counts, so that a bad file
// can never pass for a good one.
#include "controller/config/mistakes.h"

#include "base/array.h"

#include <stdio.h>
#include <string.h>

static void add(struct mistakes *mistakes, bool error, unsigned line, const char *format,
                va_list args)
{
    char text[MISTAKE_MAX];
    vsnprintf(text, sizeof text, format, args);
    mistakes->errors += error;
    struct mistake *items = array_room(mistakes->items, mistakes->count, sizeof *items);
    if (items == NULL) {
        return;
    }
    mistakes->items = items;
    items[mistakes->count] = (struct mistake){
        .line = line, .error = error, .number = mistakes->count, .text = strdup(text)};
    mistakes->count++;
}

void mistake_error(struct mistakes *mistakes, unsigned line, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add(mistakes, true, line, format, args);
    va_end(args);
}

void mistake_warning(struct mistakes *mistakes, unsigned line, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add(mistakes, false, line, format, args);
    va_end(args);
}

static int by_line(const void *left, const void *right)
{
    const struct mistake *a = left;
    const struct mistake *b = right;
    if (a->line != b->line) {
        return a->line < b->line ? -1 : 1;
    }
    return a->number < b->number ? -1 : a->number > b->number;
}

static void drop(struct mistakes *mistakes)
{
    for (size_t i = 0; i < mistakes->count; i++) {
        free(mistakes->items[i].text);
    }
    free(mistakes->items);
    *mistakes = (struct mistakes){0};
}

void mistakes_tell(struct mistakes *mistakes, const char *file,
                   void (*tell)(void *arg, bool error, const char *line), void *arg)
{
    char line[MISTAKE_MAX + 512];
    if (mistakes->count) {
        qsort(mistakes->items, mistakes->count, sizeof *mistakes->items, by_line);
    }
    for (size_t i = 0; i < mistakes->count; i++) {
        const struct mistake *mistake = &mistakes->items[i];
        const char *text = mistake->text != NULL ? mistake->text : "out of memory";
        if (mistake->line) {
            snprintf(line, sizeof line, "%s:%u: %s", file, mistake->line, text);
        } else {
            snprintf(line, sizeof line, "%s: %s", file, text);
        }
        tell(arg, mistake->error, line);
    }
    drop(mistakes);
}
