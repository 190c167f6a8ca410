// Reading popgated's answers: what is missing is empty, never a crash.
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

static inline const json_t *at(const json_t *object, const char *key)
{
    return json_object_get(object, key);
}

static inline const char *words(const json_t *object, const char *key)
{
    const char *text = json_string_value(at(object, key));
    return text != NULL ? text : "";
}

static inline uint64_t number(const json_t *object, const char *key)
{
    json_int_t value = json_integer_value(at(object, key));
    return value > 0 ? (uint64_t)value : 0;
}

static inline bool yes(const json_t *object, const char *key)
{
    return json_is_true(at(object, key));
}
