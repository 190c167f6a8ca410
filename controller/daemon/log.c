#include "controller/daemon/log.h"

#include "base/text.h"

#include <assert.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

// Only for the loop's thread.
static bool to_journal;
static uint64_t lost;
static struct {
    char text[PIPE_BUF];
    size_t length;
    unsigned lines;
} pending;
static_assert(LOG_LINE_MAX + 4 <= PIPE_BUF, "any line has room");

// JOURNAL_STREAM is "device:inode" (systemd.exec(5)).
void log_init(void)
{
    struct stat stat;
    char *end;
    const char *stream = getenv("JOURNAL_STREAM");
    to_journal = false;
    if (stream == NULL || fstat(STDERR_FILENO, &stat) != 0) {
        return;
    }
    bool same_device = strtoull(stream, &end, 10) == stat.st_dev;
    to_journal = same_device && *end == ':' && strtoull(end + 1, NULL, 10) == stat.st_ino;
}

// A writable pipe takes so much in one piece (PIPE_BUF), a socket more; a full one would make us
// wait.
static bool write_now(const char *text, size_t length)
{
    struct pollfd writable = {.fd = STDERR_FILENO, .events = POLLOUT};
    if (poll(&writable, 1, 0) != 1 || (writable.revents & POLLOUT) == 0) {
        return false;
    }
    return write(STDERR_FILENO, text, length) == (ssize_t)length;
}

static bool tell_lost(void)
{
    char text[64];
    if (lost > 0) {
        int length = snprintf(text, sizeof text, "%s%" PRIu64 " log lines were lost\n",
                              to_journal ? "<4>" : "", lost);
        lost = write_now(text, (size_t)length) ? 0 : lost;
    }
    return lost == 0;
}

static void write_pending(void)
{
    if (!tell_lost() || !write_now(pending.text, pending.length)) {
        lost += pending.lines;
    }
    pending.length = pending.lines = 0;
}

static void put(const char *text, size_t length)
{
    assert(length <= sizeof pending.text - pending.length);
    memcpy(pending.text + pending.length, text, length);
    pending.length += length;
}

// more: another line follows at once, and both are written together.
static void write_line(enum log_level level, const char *text, size_t length, bool more)
{
    const char priority[] = {'<', (char)('0' + level), '>'};
    if (pending.length + sizeof priority + length + 1 > sizeof pending.text) {
        write_pending();
    }
    put(priority, to_journal ? sizeof priority : 0);
    put(text, length);
    put("\n", 1);
    pending.lines++;
    if (!more) {
        write_pending();
    }
}

__attribute__((format(printf, 3, 4))) static void append(char out[LOG_LINE_MAX], size_t *length,
                                                         const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int more = vsnprintf(out + *length, LOG_LINE_MAX - *length, format, args);
    va_end(args);
    *length += more > 0 ? (size_t)more : 0;
    assert(*length < LOG_LINE_MAX);
}

static void append_since(char out[LOG_LINE_MAX], size_t *length, const char *key, uint64_t from_ns,
                         uint64_t at_ns)
{
    if (at_ns >= from_ns && at_ns != 0) {
        append(out, length, " %s=%.3f", key, (double)(at_ns - from_ns) / 1e6);
    }
}

size_t log_format(char out[LOG_LINE_MAX], const struct event *event)
{
    char text[4 * EVENT_TEXT_MAX + 1];
    size_t length = 0;
    append(out, &length, "event=%s", event_name(event->kind));
    if (event->service[0] != '\0') {
        append(out, &length, " service=%s", event->service);
    }
    if (event->kind == EVENT_TRANSITION) {
        append(out, &length, " from=%s to=%s cause=%s", target_name(event->from),
               target_name(event->to), cause_name(event->cause));
    }
    uint64_t from_ns = event->evidence_ns != 0 ? event->evidence_ns : event->at_ns;
    if (event->evidence_ns != 0) {
        append_since(out, &length, "decided_ms", from_ns, event->at_ns);
    }
    append_since(out, &length, "acknowledged_ms", from_ns, event->acknowledged_ns);
    append_since(out, &length, "observed_ms", from_ns, event->observed_ns);
    text_printable(text, sizeof text, event->text, true);
    append(out, &length, " text=\"%s\"", text);
    return length;
}

void log_event(const struct event *event, bool more)
{
    char line[LOG_LINE_MAX];
    size_t length = log_format(line, event);
    write_line(event->warning ? LOG_LEVEL_WARNING : LOG_LEVEL_NOTICE, line, length, more);
}

void log_line(enum log_level level, const char *text, ...)
{
    char raw[LOG_LINE_MAX];
    char line[LOG_LINE_MAX];
    va_list args;
    va_start(args, text);
    vsnprintf(raw, sizeof raw, text, args);
    va_end(args);
    size_t length = text_printable(line, sizeof line, raw, false);
    write_line(level, line, length, false);
}
