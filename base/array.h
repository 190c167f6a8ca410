// Arrays that grow by one, for what is read once at start: the configuration. The owner of the
// pointer owns the array and frees it with free().
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

// Room for one more item after count ones of size bytes: the array (maybe moved), or NULL when out
// of memory (then items is as it was).
static inline void *array_room(void *items, size_t count, size_t size)
{
    // Capacity is the next power of two, so it need not be kept.
    if ((count & (count - 1)) != 0) {
        return items;
    }
    return reallocarray(items, count ? count * 2 : 1, size);
}

// Is there an item of the same bytes?
static inline bool array_holds(const void *items, size_t count, const void *item, size_t size)
{
    for (size_t i = 0; i < count; i++) {
        if (memcmp((const char *)items + i * size, item, size) == 0) {
            return true;
        }
    }
    return false;
}
