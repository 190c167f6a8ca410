#include "base/names.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

bool names_reserve(struct names *names, size_t count)
{
    *names = (struct names){.items = calloc(count + 1, sizeof *names->items)};
    return names->items != NULL;
}

void names_add(struct names *names, const char *text, size_t number)
{
    names->items[names->count++] = (struct name){text, number};
}

static int by_text(const void *left, const void *right)
{
    const struct name *a = left;
    const struct name *b = right;
    int order = strcmp(a->text, b->text);
    return order ? order : (a->number > b->number) - (a->number < b->number);
}

void names_sort(struct names *names)
{
    qsort(names->items, names->count, sizeof *names->items, by_text);
}

size_t names_find(const struct names *names, const char *text)
{
    size_t from = 0;
    size_t to = names->count;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (strcmp(names->items[middle].text, text) < 0) {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    bool found = from < names->count && strcmp(names->items[from].text, text) == 0;
    return found ? names->items[from].number : SIZE_MAX;
}

void names_clear(struct names *names)
{
    free(names->items);
    *names = (struct names){0};
}
