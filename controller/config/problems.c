// See problems.h. Without memory for a problem's text the problem still counts, so that a bad file
// can never pass for a good one.
#include "controller/config/problems.h"

#include "base/array.h"

#include <stdio.h>
#include <string.h>

static void add(struct problems *problems, bool error, unsigned line, const char *format,
                va_list args)
{
    char text[PROBLEM_MAX];
    vsnprintf(text, sizeof text, format, args);
    problems->errors += error;
    struct problem *items = array_room(problems->items, problems->count, sizeof *items);
    if (!items) {
        return;
    }
    problems->items = items;
    items[problems->count] = (struct problem){
        .line = line, .error = error, .number = problems->count, .text = strdup(text)};
    problems->count++;
}

void problem_error(struct problems *problems, unsigned line, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add(problems, true, line, format, args);
    va_end(args);
}

void problem_warning(struct problems *problems, unsigned line, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add(problems, false, line, format, args);
    va_end(args);
}

static int by_line(const void *left, const void *right)
{
    const struct problem *a = left;
    const struct problem *b = right;
    if (a->line != b->line) {
        return a->line < b->line ? -1 : 1;
    }
    return a->number < b->number ? -1 : a->number > b->number;
}

void problems_tell(struct problems *problems, const char *file,
                   void (*tell)(void *arg, bool error, const char *line), void *arg)
{
    char line[PROBLEM_MAX + 512];
    if (problems->count) {
        qsort(problems->items, problems->count, sizeof *problems->items, by_line);
    }
    for (size_t i = 0; i < problems->count; i++) {
        const struct problem *problem = &problems->items[i];
        const char *text = problem->text ? problem->text : "out of memory";
        if (problem->line) {
            snprintf(line, sizeof line, "%s:%u: %s", file, problem->line, text);
        } else {
            snprintf(line, sizeof line, "%s: %s", file, text);
        }
        tell(arg, problem->error, line);
    }
    problems_drop(problems);
}

void problems_drop(struct problems *problems)
{
    for (size_t i = 0; i < problems->count; i++) {
        free(problems->items[i].text);
    }
    free(problems->items);
    *problems = (struct problems){0};
}
