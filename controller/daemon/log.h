// One event, one line, key=value; to stderr, with the journal's priority prefix (sd-daemon(3)) when
// stderr is the journal.
//
// A line is one line, whatever a probe's peer or BIRD said in it; and logging never waits: lines
// that nobody takes in time are dropped and counted.
#pragma once

#include "controller/core/events.h"

#define LOG_LINE_MAX (4 * EVENT_TEXT_MAX + 512) // every byte of the text escaped, and the rest

enum log_level {
    LOG_LEVEL_ERROR = 3,
    LOG_LEVEL_WARNING = 4,
    LOG_LEVEL_NOTICE = 5,
    LOG_LEVEL_INFO = 6
};

void log_init(void); // looks whether stderr is the journal (JOURNAL_STREAM)
// more: another one follows at once, so that a thousand are some writes.
void log_event(const struct event *event, bool more);
// For what is no event: start-up errors and the like.
__attribute__((format(printf, 2, 3))) void log_line(enum log_level level, const char *text, ...);

// An event's line, without prefix and newline: event=transition service=dns from=announce
// to=withdraw cause=unhealthy decided_ms=0.412 text="...". decided_ms, acknowledged_ms and
// observed_ms count from the evidence, and are there when they are known. Returns its length. Pure.
size_t log_format(char out[LOG_LINE_MAX], const struct event *event);
