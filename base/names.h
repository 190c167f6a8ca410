// An index of names: which number has this one? Filled, sorted once, and then only read, from any
// thread.
#pragma once

#include <stdbool.h>
#include <stddef.h>

// Zero it to begin.
struct names {
    struct name {
        const char *text; // borrowed
        size_t number;
    } * items; // sorted by text, then by number
    size_t count;
};

// Room for count names. False when out of memory.
bool names_reserve(struct names *names, size_t count);
void names_add(struct names *names, const char *text, size_t number); // within that room
void names_sort(struct names *names);

// The lowest number of that name, SIZE_MAX: there is none.
size_t names_find(const struct names *names, const char *text);

void names_clear(struct names *names);
