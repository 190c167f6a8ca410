#include "base/json_writer.h"

#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define FIRST_ROOM 4096

static bool reserve(struct json_writer *writer, size_t more)
{
    if (writer->failed) {
        return false;
    }
    size_t room = writer->room == 0 ? FIRST_ROOM : writer->room;
    while (room - writer->length <= more) {
        room *= 2;
    }
    if (room == writer->room) {
        return true;
    }
    char *text = realloc(writer->text, room);
    if (text == NULL) {
        writer->failed = true;
        return false;
    }
    writer->text = text;
    writer->room = room;
    return true;
}

static void put(struct json_writer *writer, const char *bytes, size_t length)
{
    if (reserve(writer, length)) {
        memcpy(writer->text + writer->length, bytes, length);
        writer->length += length;
    }
}

static void put_text(struct json_writer *writer, const char *text)
{
    put(writer, text, strlen(text));
}

static void put_escaped(struct json_writer *writer, uint32_t point)
{
    char escape[16];
    if (point == '"' || point == '\\') {
        snprintf(escape, sizeof escape, "\\%c", (char)point);
    } else {
        snprintf(escape, sizeof escape, "\\u%04" PRIx32, point);
    }
    put_text(writer, escape);
}

// Length of the character there when it needs no escape, else 0. Most are ASCII. JSON goes to
// terminals, too, so what steers one is escaped.
static size_t plain_length(const char *at)
{
    unsigned char byte = (unsigned char)*at;
    uint32_t point;
    if (byte < 0x80) {
        return byte >= 0x20 && byte != 0x7f && byte != '"' && byte != '\\';
    }
    return text_steers(at, &point) ? 0 : utf8_length(at);
}

static void put_quoted(struct json_writer *writer, const char *value)
{
    put_text(writer, "\"");
    while (*value != '\0') {
        const char *end = value;
        for (size_t length; (length = plain_length(end)) > 0;) {
            end += length;
        }
        put(writer, value, (size_t)(end - value));
        value = end;
        if (*value == '\0') {
            break;
        }
        uint32_t point;
        size_t length = utf8_length(value);
        (void)text_steers(value, &point);
        if (length == 0) {
            put_text(writer, "\xef\xbf\xbd");
        } else {
            put_escaped(writer, point);
        }
        value += length == 0 ? 1 : length;
    }
    put_text(writer, "\"");
}

static void new_line(struct json_writer *writer)
{
    put_text(writer, "\n");
    for (unsigned i = 0; i < writer->depth; i++) {
        put_text(writer, "  ");
    }
}

static void begin(struct json_writer *writer, const char *key)
{
    if (writer->filled) {
        put_text(writer, ",");
    }
    if (writer->pretty && writer->depth > 0) {
        new_line(writer);
    }
    if (key != NULL) {
        put_quoted(writer, key);
        put_text(writer, writer->pretty ? ": " : ":");
    }
    writer->filled = true;
}

void jw_open(struct json_writer *writer, const char *key, char bracket)
{
    begin(writer, key);
    put(writer, &bracket, 1);
    writer->filled = false;
    writer->depth++;
}

void jw_close(struct json_writer *writer, char bracket)
{
    writer->depth--;
    if (writer->pretty && writer->filled) {
        new_line(writer);
    }
    put(writer, &bracket, 1);
    writer->filled = true;
}

void jw_string(struct json_writer *writer, const char *key, const char *value)
{
    begin(writer, key);
    if (value == NULL) {
        put_text(writer, "null");
    } else {
        put_quoted(writer, value);
    }
}

void jw_uint(struct json_writer *writer, const char *key, uint64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, value);
    begin(writer, key);
    put_text(writer, text);
}

void jw_bool(struct json_writer *writer, const char *key, bool value)
{
    begin(writer, key);
    put_text(writer, value ? "true" : "false");
}

void jw_null(struct json_writer *writer, const char *key)
{
    jw_string(writer, key, NULL);
}

void jw_ms(struct json_writer *writer, const char *key, uint64_t ns)
{
    char text[32];
    uint64_t us = ns / 1000;
    snprintf(text, sizeof text, "%" PRIu64 ".%03u", us / 1000, (unsigned)(us % 1000));
    begin(writer, key);
    put_text(writer, text);
}

void jw_time(struct json_writer *writer, const char *key, uint64_t wall_ms)
{
    struct tm parts;
    char text[64];
    time_t seconds = (time_t)(wall_ms / 1000);
    if (gmtime_r(&seconds, &parts) == NULL) {
        jw_null(writer, key);
        return;
    }
    size_t length = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(text + length, sizeof text - length, ".%03uZ", (unsigned)(wall_ms % 1000));
    jw_string(writer, key, text);
}

char *jw_finish(struct json_writer *writer, size_t *length)
{
    put(writer, "\n", 2);
    if (writer->failed) {
        free(writer->text);
        *writer = (struct json_writer){0};
        return NULL;
    }
    if (length != NULL) {
        *length = writer->length - 1;
    }
    return writer->text;
}
