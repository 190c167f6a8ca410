// How popgated is restarted: at once, a few times; when that did not help, everything is withdrawn
// after each end, and it is started again slowly, for ever. Pure.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RESTARTS_QUICK     10    // ends
#define RESTARTS_WITHIN_MS 60000 // that many within this are too many
#define RESTARTS_CALM_MS   35000 // between two ends: then it did help

struct restarts {
    uint64_t ends_ms[RESTARTS_QUICK]; // oldest first
    size_t count;
    bool slow;
};

// It has ended, without having been stopped. True: restarts at once don't help.
bool restarts_ended(struct restarts *restarts, uint64_t now_ms);

// As kept in a file between ends. What can't be understood, or lies ahead of now, is forgotten.
#define RESTARTS_TEXT_MAX 320
void restarts_text(const struct restarts *restarts, char out[RESTARTS_TEXT_MAX]);
void restarts_parse(const char *text, uint64_t now_ms, struct restarts *out);
